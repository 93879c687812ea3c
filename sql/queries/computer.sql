-- Computers. Each statement begins with its name; parameters are bound by name.

-- name: computer_insert
INSERT INTO computer (id, name, group_name, policy, appliance, origin, certificate_fingerprint, certificate_not_after, certificate_pem,
                      certificate_roots, enrolled, enrolment_attempt, host_name, os, kernel, architecture, agent_version, addresses,
                      listen_port, direction, status, status_cause, status_since)
VALUES (:id, :name, :group_name, :policy, :appliance, :origin, :certificate_fingerprint, :certificate_not_after, :certificate_pem,
        :certificate_roots, :enrolled, :enrolment_attempt, :host_name, :os, :kernel, :architecture, :agent_version, :addresses,
        :listen_port, :direction, :status, :status_cause, :status_since);

-- name: computer_by_id
SELECT * FROM computer WHERE id = :id;

-- name: computer_by_name
SELECT * FROM computer WHERE name = :name AND deleted IS NULL ORDER BY id;

-- name: computer_by_fingerprint
SELECT * FROM computer WHERE certificate_fingerprint = :certificate_fingerprint;

-- name: computer_by_attempt
SELECT * FROM computer WHERE enrolment_attempt = :enrolment_attempt;

-- name: computer_all
-- Those that are managed.
SELECT * FROM computer WHERE deleted IS NULL AND revoked IS NULL ORDER BY id;

-- name: computer_heard
UPDATE computer
SET last_heard = :last_heard, last_session = :last_session, last_sequence = :last_sequence, boot_id = :boot_id,
    clock_offset_us = :clock_offset_us
WHERE id = :id;

-- name: computer_host
UPDATE computer
SET host_name = :host_name, os = :os, kernel = :kernel, architecture = :architecture,
    agent_version = :agent_version, addresses = :addresses, listen_port = :listen_port, machine = :machine,
    direction = :direction
WHERE id = :id;

-- name: computer_link
UPDATE computer SET dial_address = :dial_address
WHERE id = :id AND deleted IS NULL;

-- name: computer_components
UPDATE computer SET components = :components, patterns = :patterns WHERE id = :id;

-- name: computer_status
UPDATE computer SET status = :status, status_cause = :status_cause, status_since = :status_since WHERE id = :id;

-- name: computer_configuration
UPDATE computer
SET config_fingerprint = :config_fingerprint, config_state = :config_state, config_error = :config_error,
    trusted_key = :trusted_key
WHERE id = :id;

-- name: computer_acknowledged
UPDATE computer
SET acknowledged_event = :acknowledged_event
WHERE id = :id AND acknowledged_event < :acknowledged_event;

-- name: computer_end
-- Not managed any more: what its agent was last reported to be goes with it. Its last sign of life was known in memory.
UPDATE computer
SET standing = :standing, revoked = coalesce(revoked, :now), status = :status, status_cause = :status_cause,
    status_since = :now, last_heard = coalesce(:last_heard, last_heard), offline_error = 0, config_error = '', link_error = ''
WHERE id = :id AND deleted IS NULL;

-- name: computer_return
UPDATE computer
SET standing = 'managed', revoked = NULL, status = 'unknown', status_cause = 'activated, not heard yet', status_since = :now
WHERE id = :id AND deleted IS NULL;

-- name: computer_add
-- Known, and without an agent: no certificate has the fingerprint.
INSERT INTO computer (id, name, group_name, policy, certificate_fingerprint, certificate_not_after, enrolled, origin,
                      dial_address, status, status_cause, status_since, standing, revoked)
SELECT :id, :name, :group_name, :policy, :fingerprint, 0, :now, :origin, :dial_address, 'activation_required', :cause,
       :now, 'added', :now
WHERE :origin IS NULL
   OR NOT EXISTS (SELECT 1 FROM computer WHERE origin = :origin AND standing = 'added' AND deleted IS NULL);

-- name: computer_take
-- Another agent from now on: what the one before reported is forgotten.
UPDATE computer
SET certificate_fingerprint = :certificate_fingerprint, certificate_not_after = :certificate_not_after,
    certificate_pem = :certificate_pem, certificate_roots = :certificate_roots, enrolled = :enrolled, enrolment_attempt = :enrolment_attempt,
    host_name = :host_name, os = :os, kernel = :kernel, architecture = :architecture, agent_version = :agent_version,
    addresses = :addresses, listen_port = :listen_port, direction = :direction, status = :status,
    status_cause = :status_cause, status_since = :status_since, standing = 'managed', revoked = NULL, origin = NULL,
    acknowledged_event = 0, offline_error = 0, config_fingerprint = NULL, config_state = 'pending', config_error = '',
    link_error = '', trusted_key = NULL, components = '[]', patterns = '', machine = NULL, clock_boot = NULL,
    agent_interval_us = 0, next_fingerprint = NULL, next_not_after = NULL, next_pem = NULL, next_roots = NULL
WHERE id = :id AND certificate_fingerprint = :replaced AND deleted IS NULL;

-- name: computer_settle
-- Once nobody writes for the agent before any more.
UPDATE computer
SET status = 'unknown', status_cause = 'activated, not heard yet', offline_error = 0, config_error = '', link_error = ''
WHERE id = :id AND revoked IS NULL;

-- name: computer_forget_event_numbers
UPDATE event SET number = NULL, other_number = NULL
WHERE computer = :computer AND (number IS NOT NULL OR other_number IS NOT NULL);

-- name: computer_waits
UPDATE computer
SET status = 'reactivation_required', status_cause = 'deactivated, and its agent asks to come back', status_since = :now
WHERE id = :id AND deleted IS NULL AND standing = 'deactivated' AND status = 'unmanaged' AND status_since <= :settled;

-- name: computer_elsewhere
-- Not managed here, and its agent answers for another manager.
UPDATE computer
SET status = 'deactivation_required', status_cause = :cause, status_since = :now
WHERE deleted IS NULL AND standing <> 'managed' AND (dial_address = :address OR name = :name);

-- name: computer_delete
UPDATE computer SET deleted = :now, revoked = coalesce(revoked, :now) WHERE id = :id AND deleted IS NULL;
