-- Events. One from an agent is stored once however often it is sent.

-- name: event_insert
INSERT INTO event (id, computer, number, time, received, type, severity, fields)
VALUES (:id, :computer, :number, :time, :received, :type, :severity, :fields)
ON CONFLICT (computer, number) WHERE number IS NOT NULL DO NOTHING;

-- name: event_by_id
SELECT event.*, computer.name AS computer_name
FROM event LEFT JOIN computer ON computer.id = event.computer
WHERE event.id = :id;

-- name: event_after
SELECT event.*, computer.name AS computer_name
FROM event LEFT JOIN computer ON computer.id = event.computer
WHERE event.id > :id
ORDER BY event.id
LIMIT :limit;

-- name: event_newest
SELECT id FROM event ORDER BY id DESC LIMIT 1;

-- name: event_count
SELECT count(*) AS count FROM event;

-- name: event_delete_before
DELETE FROM event
WHERE time < :time AND (rowid <= :delivered OR received < :lost) AND rowid < (SELECT max(newest.rowid) FROM event AS newest);

-- name: event_count_undelivered
SELECT type, severity, count(*) AS count FROM event
WHERE time < :time AND received < :lost AND rowid > :position
      AND rowid < (SELECT max(newest.rowid) FROM event AS newest)
GROUP BY type, severity;
