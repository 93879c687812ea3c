-- The certificate that a computer was given to follow its present one: both count until it was
-- used once.
ALTER TABLE computer ADD COLUMN next_fingerprint BLOB;
ALTER TABLE computer ADD COLUMN next_not_after INTEGER;
ALTER TABLE computer ADD COLUMN next_pem TEXT;
CREATE INDEX computer_by_next ON computer (next_fingerprint) WHERE next_fingerprint IS NOT NULL;
