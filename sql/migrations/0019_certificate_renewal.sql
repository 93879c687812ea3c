-- The certificate that a computer was given to follow its present one: both count until it was
-- used once. roots: when the newest root was made that its agent was given with it (NULL: the
-- first one, of before there were several).
ALTER TABLE computer ADD COLUMN next_fingerprint BLOB;
ALTER TABLE computer ADD COLUMN next_not_after INTEGER;
ALTER TABLE computer ADD COLUMN next_pem TEXT;
ALTER TABLE computer ADD COLUMN next_roots INTEGER;
ALTER TABLE computer ADD COLUMN certificate_roots INTEGER;
CREATE INDEX computer_by_next ON computer (next_fingerprint) WHERE next_fingerprint IS NOT NULL;
