-- The end of the manager's certificates (manager/front/certificate_watch.h).

-- name: certificate_stage_find
SELECT fingerprint, stage FROM certificate_stage WHERE name = :name;

-- name: certificate_stage_put
INSERT INTO certificate_stage (name, fingerprint, stage) VALUES (:name, :fingerprint, :stage)
ON CONFLICT (name) DO UPDATE SET fingerprint = excluded.fingerprint, stage = excluded.stage;

-- name: certificate_alert_open
SELECT subject FROM alert
WHERE +type = 'certificate_expires' AND computer IS NULL AND state = 'open' AND state <> 'resolved';

-- name: authority_told_find
SELECT fingerprint FROM authority_told WHERE place = :place;

-- name: authority_told_put
INSERT INTO authority_told (place, fingerprint) VALUES (:place, :fingerprint)
ON CONFLICT (place) DO UPDATE SET fingerprint = excluded.fingerprint;
