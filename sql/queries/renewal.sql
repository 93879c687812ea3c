-- Certificates of agents that follow one another (manager/front/renewal.h).

-- name: renewal_find
SELECT name, certificate_fingerprint, next_fingerprint FROM computer
WHERE id = :id AND standing = 'managed' AND revoked IS NULL AND deleted IS NULL;

-- name: renewal_next
UPDATE computer
SET next_fingerprint = :next_fingerprint, next_not_after = :next_not_after, next_pem = :next_pem
WHERE id = :id AND revoked IS NULL AND deleted IS NULL;

-- name: renewal_used
UPDATE computer
SET certificate_fingerprint = next_fingerprint, certificate_not_after = next_not_after, certificate_pem = next_pem,
    next_fingerprint = NULL, next_not_after = NULL, next_pem = NULL
WHERE id = :id AND next_fingerprint = :next_fingerprint;

-- name: renewal_roster
SELECT id, next_fingerprint, next_not_after, standing, status, deleted FROM computer
WHERE next_fingerprint IS NOT NULL AND deleted IS NULL;
