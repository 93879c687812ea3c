-- Commands and their life.

-- name: command_insert
INSERT INTO command (id, computer, kind, arguments, issued_by, issued, timeout_us, serial, state, changed, envelope)
VALUES (:id, :computer, :kind, :arguments, :issued_by, :issued, :timeout_us, :serial, 'pending', :issued, :envelope);

-- name: command_computer
SELECT id FROM computer INDEXED BY computer_managed WHERE id = :computer AND deleted IS NULL AND revoked IS NULL;

-- name: command_computer_ended
SELECT status_cause FROM computer WHERE id = :computer AND deleted IS NULL;

-- name: command_serial
SELECT value FROM counter WHERE name = 'command_serial';

-- name: command_serial_taken
UPDATE counter SET value = max(value, :serial) WHERE name = 'command_serial';

-- name: command_by_id
SELECT command.*, computer.name AS computer_name
FROM command JOIN computer ON computer.id = command.computer
WHERE command.id = :id;

-- name: command_open
SELECT * FROM command WHERE state IN ('pending', 'sent', 'running') ORDER BY computer, serial;

-- name: command_open_of_computer
SELECT * FROM command
WHERE computer = :computer AND state IN ('pending', 'sent', 'running')
ORDER BY serial;

-- name: command_envelope
UPDATE command SET envelope = :envelope WHERE id = :id;

-- name: command_state
UPDATE command
SET state = :state, changed = :changed, progress = :progress, result = :result
WHERE id = :id AND state IN ('pending', 'sent', 'running');

-- name: command_sent
UPDATE command SET state = 'sent', changed = :changed WHERE id = :id AND state = 'pending';

-- name: command_progress
UPDATE command
SET state = 'running', changed = :changed, progress = :progress
WHERE id = :id AND state IN ('pending', 'sent', 'running');

-- name: command_count_by_state
SELECT state, count(*) AS count FROM command GROUP BY state;
