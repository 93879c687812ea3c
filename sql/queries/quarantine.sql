-- Quarantined files: what agents hold, and what the manager stored of them.

-- name: quarantine_insert
INSERT INTO quarantine_item (id, computer, path, sha256, size, detection, quarantined, state)
VALUES (:id, :computer, :path, :sha256, :size, :detection, :quarantined, :state)
ON CONFLICT (id) DO UPDATE SET state = excluded.state WHERE quarantine_item.computer = excluded.computer;

-- name: quarantine_by_id
SELECT quarantine_item.*, computer.name AS computer_name
FROM quarantine_item JOIN computer ON computer.id = quarantine_item.computer
WHERE quarantine_item.id = :id;

-- name: quarantine_state
UPDATE quarantine_item SET state = :state WHERE id = :id;

-- name: quarantine_upload_begun
UPDATE quarantine_item
SET sealed_size = :sealed_size, sealed_key = :sealed_key, metadata = :metadata
WHERE id = :id AND computer = :computer AND uploaded IS NULL;

-- name: quarantine_upload_progress
UPDATE quarantine_item SET stored_bytes = :stored_bytes WHERE id = :id;

-- name: quarantine_uploaded
UPDATE quarantine_item SET stored_bytes = sealed_size, uploaded = :uploaded
WHERE id = :id AND uploaded IS NULL AND sealed_key IS NOT NULL;

-- name: quarantine_forget_file
UPDATE quarantine_item SET stored_bytes = 0, uploaded = NULL, sealed_key = NULL WHERE id = :id;

-- name: quarantine_stored_bytes
SELECT coalesce(sum(CASE WHEN uploaded IS NULL THEN stored_bytes ELSE sealed_size END), 0) AS bytes, count(*) AS count
FROM quarantine_item
WHERE stored_bytes > 0 OR uploaded IS NOT NULL;

-- name: quarantine_delete
DELETE FROM quarantine_item WHERE id = :id;

-- name: quarantine_promised_bytes
SELECT coalesce(sum(sealed_size), 0) AS bytes FROM quarantine_item WHERE sealed_key IS NOT NULL;

-- name: quarantine_unfinished
SELECT id FROM quarantine_item WHERE sealed_key IS NOT NULL AND uploaded IS NULL ORDER BY id;
