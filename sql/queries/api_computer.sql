-- Computers as people see them: deleted ones are gone.

-- name: api_computer_by_id
SELECT computer.*, (SELECT count(*) FROM alert WHERE coalesce(alert.computer, x'') = computer.id AND alert.state = 'open') AS open_alerts
FROM computer WHERE id = :id AND deleted IS NULL;

-- name: computer_listening
SELECT count(*) AS listening, coalesce(sum(link_error <> ''), 0) AS failing
FROM computer
WHERE listen_port <> 0 AND direction <> 'agent-initiated' AND deleted IS NULL AND revoked IS NULL;
