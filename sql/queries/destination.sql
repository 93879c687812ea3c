-- Destinations of events and alerts, and what is read for them.

-- name: destination_insert
INSERT INTO destination (id, name, url, content, least_severity, format, facility, mail_from, mail_to, user_name,
                         password, secret, ca_pem, enabled, created, created_by, position)
VALUES (:id, :name, :url, :content, :least_severity, :format, :facility, :mail_from, :mail_to, :user_name,
        :password, :secret, :ca_pem, :enabled, :created, :created_by,
        (SELECT coalesce(max(event.rowid), 0) FROM event));

-- name: destination_update
UPDATE destination
SET name = :name, url = :url, content = :content, least_severity = :least_severity, format = :format,
    facility = :facility, mail_from = :mail_from, mail_to = :mail_to, user_name = :user_name, password = :password,
    secret = :secret, ca_pem = :ca_pem, enabled = :enabled
WHERE id = :id;

-- name: destination_delete
DELETE FROM destination WHERE id = :id;

-- name: destination_by_id
SELECT * FROM destination WHERE id = :id;

-- name: destination_all
SELECT * FROM destination ORDER BY created, id;

-- name: destination_count
SELECT count(*) AS count FROM destination;

-- name: destination_delivered
UPDATE destination
SET position = :position, delivered = delivered + :count, last_delivery = :time, failing_since = NULL, failure = ''
WHERE id = :id;

-- name: destination_passed
UPDATE destination SET position = :position WHERE id = :id;

-- name: destination_failed
UPDATE destination SET failing_since = coalesce(failing_since, :time), failure = :failure WHERE id = :id;

-- name: event_after_position
SELECT event.rowid AS position, event.*, computer.name AS computer_name
FROM event LEFT JOIN computer ON computer.id = event.computer
WHERE event.rowid > :position
ORDER BY event.rowid
LIMIT :limit;
