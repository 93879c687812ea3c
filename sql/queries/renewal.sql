-- Certificates of agents that follow one another (manager/front/renewal.h).

-- name: renewal_find
SELECT name, certificate_fingerprint, next_fingerprint FROM computer
WHERE id = :id AND standing = 'managed' AND revoked IS NULL AND deleted IS NULL;

-- name: renewal_next
UPDATE computer
SET next_fingerprint = :next_fingerprint, next_not_after = :next_not_after, next_pem = :next_pem,
    next_roots = :next_roots
WHERE id = :id AND revoked IS NULL AND deleted IS NULL;

-- name: renewal_used
UPDATE computer
SET certificate_fingerprint = next_fingerprint, certificate_not_after = next_not_after, certificate_pem = next_pem,
    certificate_roots = next_roots, next_fingerprint = NULL, next_not_after = NULL, next_pem = NULL, next_roots = NULL
WHERE id = :id AND next_fingerprint = :next_fingerprint;

-- name: renewal_keep_former
-- The present certificate, before another takes its place.
INSERT OR REPLACE INTO former_certificate (fingerprint, computer, not_after)
SELECT certificate_fingerprint, id, certificate_not_after FROM computer
WHERE id = :id AND certificate_fingerprint IS NOT NULL;

-- name: renewal_keep_unused
-- The one that was given last and not used, before another takes its place: one of two with one identity may have it.
INSERT OR REPLACE INTO former_certificate (fingerprint, computer, not_after)
SELECT next_fingerprint, id, next_not_after FROM computer WHERE id = :id AND next_fingerprint IS NOT NULL;

-- name: renewal_drop_ended
DELETE FROM former_certificate WHERE computer = :computer AND not_after < :now;

-- name: renewal_revoke_present
-- What the agent before has, or was given and has not used.
INSERT OR REPLACE INTO former_certificate (fingerprint, computer, not_after, revoked)
SELECT certificate_fingerprint, id, certificate_not_after, :now FROM computer
WHERE id = :id AND certificate_fingerprint IS NOT NULL
UNION ALL
SELECT next_fingerprint, id, next_not_after, :now FROM computer WHERE id = :id AND next_fingerprint IS NOT NULL;

-- name: renewal_revoke_formers
UPDATE former_certificate SET revoked = :now WHERE computer = :computer AND revoked IS NULL;

-- name: renewal_formers
SELECT former_certificate.fingerprint, former_certificate.not_after, former_certificate.revoked, computer.id,
    computer.standing, computer.status, computer.deleted
FROM former_certificate JOIN computer ON computer.id = former_certificate.computer;

-- name: renewal_roster
SELECT id, next_fingerprint, next_not_after, next_roots, standing, status, deleted FROM computer
WHERE next_fingerprint IS NOT NULL AND deleted IS NULL;

-- name: renewal_without
-- Agents that have not got the newest root: connected ones, and all.
SELECT coalesce(sum(status = 'online'), 0) AS connected, count(*) AS agents FROM computer
WHERE deleted IS NULL AND standing = 'managed' AND coalesce(certificate_roots, 0) < :newest;

-- name: renewal_untold
-- Agents that have not got the newest root: who is to be told.
SELECT id, certificate_fingerprint FROM computer
WHERE deleted IS NULL AND standing = 'managed' AND certificate_fingerprint IS NOT NULL
  AND coalesce(certificate_roots, 0) < :newest;

-- name: renewal_computers
SELECT count(*) AS computers FROM computer WHERE deleted IS NULL AND standing = 'managed';
