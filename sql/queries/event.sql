-- Events. One from an agent is stored once however often it is sent.

-- name: event_insert
INSERT INTO event (id, computer, time, received, type, severity, fields)
VALUES (:id, :computer, :time, :received, :type, :severity, :fields);

-- name: event_insert_of_agent
INSERT INTO event (id, computer, number, mark, time, received, type, severity, fields)
VALUES (:id, :computer, :number, :mark, :time, :received, :type, :severity, :fields)
ON CONFLICT (computer, number) WHERE number IS NOT NULL DO NOTHING;

-- name: event_of_number
-- What is stored under a number: whether it is the very event that has this mark. Rows of before marks go by what they say.
SELECT coalesce(mark = :mark, time = :time AND type = :type) AS same
FROM event WHERE computer = :computer AND number = :number
UNION ALL
SELECT 1 AS same FROM event WHERE computer = :computer AND other_number = :number AND mark = :mark;

-- name: event_insert_other
-- Another event has its number already.
INSERT INTO event (id, computer, other_number, mark, time, received, type, severity, fields)
VALUES (:id, :computer, :number, :mark, :time, :received, :type, :severity, :fields);

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
WHERE listed < :time AND (rowid <= :delivered OR received < :lost) AND rowid < (SELECT max(newest.rowid) FROM event AS newest);

-- name: event_count_undelivered
SELECT type, severity, count(*) AS count FROM event
WHERE listed < :time AND received < :lost AND rowid > :position
      AND rowid < (SELECT max(newest.rowid) FROM event AS newest)
GROUP BY type, severity;
