-- Server authentication keys and their successions.

-- name: server_key_present
SELECT * FROM server_key WHERE until IS NULL ORDER BY since DESC LIMIT 1;

-- name: server_key_by_fingerprint
SELECT * FROM server_key WHERE fingerprint = :fingerprint;

-- name: server_key_all
SELECT * FROM server_key ORDER BY since DESC;

-- name: server_key_put
INSERT INTO server_key (fingerprint, public_key, origin, created, since, made_by)
VALUES (:fingerprint, :public_key, :origin, :now, :now, :made_by)
ON CONFLICT (fingerprint) DO UPDATE SET since = excluded.since, until = NULL, origin = excluded.origin,
                                        made_by = excluded.made_by;

-- name: server_key_end_others
UPDATE server_key SET until = :now WHERE fingerprint <> :fingerprint AND until IS NULL;

-- name: server_key_end_all
UPDATE server_key SET until = :now WHERE until IS NULL;

-- name: server_key_backed_up
UPDATE server_key SET backed_up = :now WHERE fingerprint = :fingerprint;

-- name: key_succession_put
INSERT OR IGNORE INTO key_succession (new_fingerprint, old_fingerprint, serial, issued, record)
VALUES (:new_fingerprint, :old_fingerprint, :serial, :issued, :record);

-- name: key_succession_all
SELECT * FROM key_succession ORDER BY serial;
