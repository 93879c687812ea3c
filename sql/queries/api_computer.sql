-- Computers as people see them: deleted ones are gone.

-- name: api_computer_by_id
SELECT computer.*, (SELECT count(*) FROM alert WHERE coalesce(alert.computer, x'') = computer.id AND alert.state = 'open') AS open_alerts
FROM computer WHERE id = :id AND deleted IS NULL;
