-- Settings that the manager keeps in the database, and counters.

-- name: setting_set
INSERT INTO setting (name, value) VALUES (:name, :value)
ON CONFLICT (name) DO UPDATE SET value = excluded.value;

-- name: setting_get
SELECT value FROM setting WHERE name = :name;

-- name: setting_all
SELECT name, value FROM setting ORDER BY name;

-- name: counter_next
INSERT INTO counter (name, value) VALUES (:name, 1)
ON CONFLICT (name) DO UPDATE SET value = counter.value + 1
RETURNING value;

-- name: counter_put
INSERT INTO counter (name, value) VALUES (:name, :value)
ON CONFLICT (name) DO UPDATE SET value = max(counter.value, excluded.value);

-- name: setting_unset
DELETE FROM setting WHERE name = :name;
