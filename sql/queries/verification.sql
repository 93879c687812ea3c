-- Verifications of connections, and what came of each computer.

-- name: verification_insert
INSERT INTO verification (id, started, started_by, scheduled, total)
VALUES (:id, :started, :started_by, :scheduled, :total);

-- name: verification_end
UPDATE verification SET ended = :ended WHERE id = :id;

-- name: verification_end_all
UPDATE verification SET ended = :ended WHERE ended IS NULL;

-- name: verification_result_insert
INSERT INTO verification_result (verification, computer, outcome, elapsed_us, silent_us, cause)
VALUES (:verification, :computer, :outcome, :elapsed_us, :silent_us, :cause)
ON CONFLICT (verification, computer) DO NOTHING;

-- name: verification_computers
SELECT id FROM computer WHERE deleted IS NULL AND revoked IS NULL;

-- name: verification_last_scheduled
SELECT max(started) AS started FROM verification WHERE scheduled = 1;

-- name: verification_delete_before
DELETE FROM verification WHERE started < :time AND ended IS NOT NULL;

-- name: verification_by_id
SELECT verification.*,
       (SELECT count(*) FROM verification_result WHERE verification_result.verification = verification.id AND outcome = 'answered') AS answered,
       (SELECT count(*) FROM verification_result WHERE verification_result.verification = verification.id AND outcome = 'silent') AS silent,
       (SELECT count(*) FROM verification_result WHERE verification_result.verification = verification.id AND outcome = 'away') AS away
FROM verification WHERE verification.id = :id;
