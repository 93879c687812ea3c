-- Networks that the manager cannot reach.

-- name: network_insert
INSERT INTO network (id, name, ranges, heartbeat, heartbeat_minutes, offline_minutes, poll_minutes, created, created_by)
VALUES (:id, :name, :ranges, :heartbeat, :heartbeat_minutes, :offline_minutes, :poll_minutes, :created, :created_by);

-- name: network_update
UPDATE network
SET name = :name, ranges = :ranges, heartbeat = :heartbeat, heartbeat_minutes = :heartbeat_minutes,
    offline_minutes = :offline_minutes, poll_minutes = :poll_minutes, version = version + 1
WHERE id = :id;

-- name: network_delete
DELETE FROM network WHERE id = :id;

-- name: network_by_id
SELECT * FROM network WHERE id = :id;

-- name: network_all
SELECT * FROM network ORDER BY name, id;
