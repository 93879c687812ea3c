-- Policies, their settings, those of computers, and what became of them.

-- name: policy_all
SELECT * FROM policy ORDER BY id;

-- name: policy_by_id
SELECT * FROM policy WHERE id = :id;

-- name: policy_insert
INSERT INTO policy (id, name, parent, version, created, changed)
VALUES (:id, :name, :parent, :version, :now, :now);

-- name: policy_delete
DELETE FROM policy WHERE id = :id;

-- name: policy_update
UPDATE policy SET name = :name, parent = :parent, version = :version, changed = :now WHERE id = :id;

-- name: policy_setting_all
SELECT * FROM policy_setting;

-- name: policy_setting_put
INSERT INTO policy_setting (policy, name, value) VALUES (:id, :name, :value)
ON CONFLICT (policy, name) DO UPDATE SET value = excluded.value;

-- name: policy_setting_delete
DELETE FROM policy_setting WHERE policy = :id AND name = :name;

-- name: policy_computers
SELECT id, name, policy, appliance, settings_version FROM computer WHERE deleted IS NULL ORDER BY policy, id;

-- name: policy_computer_by_id
SELECT name, settings_version FROM computer WHERE id = :id AND deleted IS NULL;

-- name: policy_computer_update
UPDATE computer SET policy = :policy, appliance = :appliance, settings_version = :version WHERE id = :id AND deleted IS NULL;

-- name: policy_renamed
UPDATE computer SET policy = :name WHERE policy = :before;

-- name: policy_renamed_tokens
UPDATE enrolment_token SET policy = :name WHERE policy = :before COLLATE NOCASE;

-- name: policy_tokens
SELECT count(*) AS count FROM enrolment_token
WHERE policy = :name COLLATE NOCASE AND revoked IS NULL AND expires > :now AND (uses_left IS NULL OR uses_left > 0);

-- name: computer_setting_all
SELECT computer_setting.* FROM computer_setting
JOIN computer ON computer.id = computer_setting.computer
WHERE computer.deleted IS NULL;

-- name: computer_setting_put
INSERT INTO computer_setting (computer, name, value) VALUES (:id, :name, :value)
ON CONFLICT (computer, name) DO UPDATE SET value = excluded.value;

-- name: computer_setting_delete
DELETE FROM computer_setting WHERE computer = :id AND name = :name;

-- name: policy_history_insert
INSERT INTO policy_history (subject, is_computer, name, version, time, actor_kind, actor_name, action, changes)
VALUES (:subject, :is_computer, :name, :version, :time, :actor_kind, :actor_name, :action, :changes);

-- name: policy_history_of
SELECT * FROM policy_history WHERE subject = :subject ORDER BY number DESC;

-- name: policy_deleted
SELECT gone.subject, gone.name, gone.version, gone.time, gone.actor_name, gone.changes
FROM policy_history AS gone
WHERE gone.action = 'delete' AND gone.is_computer = 0
      AND gone.number = (SELECT max(newer.number) FROM policy_history AS newer WHERE newer.subject = gone.subject)
ORDER BY gone.number DESC;

-- name: policy_counter_set
INSERT INTO counter (name, value) VALUES ('policy_revision', :value)
ON CONFLICT (name) DO UPDATE SET value = excluded.value;

-- name: policy_counter
SELECT value FROM counter WHERE name = 'policy_revision';

-- name: policy_names
SELECT policy FROM computer WHERE deleted IS NULL
UNION
SELECT policy FROM enrolment_token
WHERE policy <> '' AND revoked IS NULL AND expires > :now AND (uses_left IS NULL OR uses_left > 0);
