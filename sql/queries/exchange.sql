-- What exchanges write. A computer's floor moves only from the value the events follow: exactly once.

-- name: exchange_floor
UPDATE computer SET acknowledged_event = :last WHERE id = :id AND acknowledged_event = :previous AND revoked IS NULL;

-- name: exchange_floor_reached
-- And that the computer is managed: what was heard or found out before its membership ended comes too late.
SELECT 1 AS reached FROM computer WHERE id = :id AND acknowledged_event >= :number AND revoked IS NULL;

-- name: exchange_computer
UPDATE computer
SET last_heard = :last_heard, clock_offset_us = :clock_offset_us,
    clock_base_us = :clock_base_us, clock_boot = :clock_boot, status = :status, status_cause = :status_cause,
    status_since = :status_since, offline_error = :offline_error, config_fingerprint = :config_fingerprint,
    config_state = :config_state,
    trusted_key_since = CASE WHEN trusted_key IS :trusted_key THEN trusted_key_since ELSE :last_heard END,
    trusted_key = :trusted_key, seen_from = :seen_from,
    agent_interval_us = :agent_interval_us
WHERE id = :id AND revoked IS NULL; -- what was heard before its membership ended comes too late

-- name: exchange_link_error
UPDATE computer SET link_error = :link_error WHERE id = :id;

-- name: exchange_configuration_error
UPDATE computer SET config_error = :config_error WHERE id = :id;

-- name: exchange_command
UPDATE command
SET state = :state, changed = :changed, progress = coalesce(:progress, progress), result = coalesce(:result, result)
WHERE id = :id AND computer = :computer;

-- name: exchange_components_of
SELECT components FROM computer WHERE id = :id;

-- name: exchange_components
UPDATE computer
SET components = :components, patterns = CASE WHEN :patterns = '' THEN patterns ELSE :patterns END
WHERE id = :id;

-- name: exchange_quarantine_wanted
SELECT id FROM quarantine_item
WHERE id = :id AND computer = :computer AND state = 'held' AND uploaded IS NULL AND size <= :largest;

-- name: exchange_roster
SELECT id, certificate_fingerprint, certificate_not_after, certificate_roots, standing, status, deleted FROM computer;

-- name: exchange_renewed
UPDATE computer
SET certificate_fingerprint = :certificate_fingerprint, certificate_not_after = :certificate_not_after,
    certificate_pem = :certificate_pem, certificate_roots = :certificate_roots, next_fingerprint = NULL,
    next_not_after = NULL, next_pem = NULL, next_roots = NULL
WHERE id = :id AND revoked IS NULL AND deleted IS NULL;

-- name: exchange_command_finish
UPDATE command SET state = :state, changed = :changed, result = :result
WHERE id = :id AND state IN ('pending', 'sent', 'running');

-- name: exchange_commands_orphaned
UPDATE command
SET state = CASE WHEN kind = :fulfilled THEN 'succeeded' ELSE 'cancelled' END, changed = :changed, result = :result
WHERE computer = :computer AND state IN ('pending', 'sent', 'running');

-- name: exchange_progress
UPDATE command SET state = 'running', changed = :changed, progress = :progress
WHERE id = :id AND computer = :computer AND state IN ('pending', 'sent', 'running');
