-- Following events in the order in which they were stored: rowid only grows.

-- name: api_event_last_position
SELECT max(rowid) AS position FROM event;

-- name: api_event_position
SELECT rowid AS position FROM event WHERE id <= :after ORDER BY id DESC LIMIT 1;

-- name: api_event_from_position
SELECT event.rowid AS position, event.*, computer.name AS computer_name
FROM event LEFT JOIN computer ON computer.id = event.computer
WHERE event.rowid > :position
  AND (:computer IS NULL OR event.computer = :computer)
  AND (:type IS NULL OR event.type = :type)
  AND (:severity IS NULL OR event.severity = :severity)
ORDER BY event.rowid
LIMIT :limit;
