-- Alerts: facts come in through alert_find, alert_raise, alert_amend and alert_end alone.
-- "AND state <> 'resolved'" lets the index of those that are not serve.

-- name: alert_find
SELECT number, id, detail, severity FROM alert
WHERE state = 'open' AND type = :type AND coalesce(computer, x'') = coalesce(:computer, x'') AND subject = :subject;

-- name: alert_raise
INSERT INTO alert (id, type, computer, subject, detail, severity, raised)
VALUES (:id, :type, :computer, :subject, :detail, :severity, :raised);

-- name: alert_amend
UPDATE alert SET detail = :detail, severity = :severity WHERE number = :number;

-- name: alert_end
UPDATE alert SET state = :state, ended = :ended, dismissed_by = :dismissed_by WHERE number = :number AND state = 'open';

-- name: alert_change_insert
INSERT INTO alert_change (id, alert, change, time, changed_by, reason)
VALUES (:id, :alert, :change, :time, :changed_by, :reason);

-- name: alert_by_id
SELECT alert.*, computer.name AS computer_name
FROM alert LEFT JOIN computer ON computer.id = alert.computer
WHERE alert.id = :id;

-- name: alert_open_of_computer
SELECT number, id, type, subject FROM alert WHERE coalesce(computer, x'') = :computer AND state = 'open';

-- name: alert_open_of_type
SELECT number, id, computer, subject FROM alert WHERE +type = :type AND state = 'open' AND state <> 'resolved';

-- name: alert_set_severity
UPDATE alert SET severity = :severity WHERE +type = :type AND state = 'open' AND state <> 'resolved';

-- name: alert_delete_ended_before
DELETE FROM alert WHERE state <> 'open' AND ended < :time;

-- name: alert_count_open
SELECT type, severity, count(*) AS count FROM alert WHERE state = 'open' AND state <> 'resolved' GROUP BY type, severity;

-- name: alert_changes_of
SELECT * FROM alert_change
WHERE alert = (SELECT number FROM alert WHERE id = :alert)
ORDER BY number DESC
LIMIT :limit;

-- name: alert_alike
-- Which computers have an open alert of the type, the first first.
SELECT alert.computer, min(alert.raised) AS raised, computer.name AS computer_name
FROM alert JOIN computer ON computer.id = alert.computer
WHERE alert.state = 'open' AND alert.state <> 'resolved' AND +alert.type = :type
GROUP BY alert.computer
ORDER BY raised, alert.computer
LIMIT :limit;

-- name: alert_alike_count
SELECT count(*) AS count, count(DISTINCT computer) AS computers, min(raised) AS first FROM alert
WHERE state = 'open' AND state <> 'resolved' AND +type = :type;

-- name: alert_change_from_position
-- What followers and notifiers read: every change with its alert, in order.
SELECT alert_change.number AS position, alert_change.id AS change_id, alert_change.change, alert_change.time,
       alert_change.changed_by, alert_change.reason, alert.*, computer.name AS computer_name
FROM alert_change JOIN alert ON alert.number = alert_change.alert LEFT JOIN computer ON computer.id = alert.computer
WHERE alert_change.number > :position
ORDER BY alert_change.number
LIMIT :limit;

-- name: alert_change_last_position
SELECT max(number) AS position FROM alert_change;

-- name: alert_change_position
SELECT number AS position FROM alert_change WHERE id = :after;

-- name: alert_setting_all
SELECT type, enabled, severity FROM alert_setting;

-- name: alert_setting_put
INSERT INTO alert_setting (type, enabled, severity) VALUES (:type, :enabled, :severity)
ON CONFLICT (type) DO UPDATE SET enabled = excluded.enabled, severity = excluded.severity;

-- name: alert_review_offline
-- States that are alerts, as stored: for what was switched on again, and databases older than alerts.
SELECT id, status_cause, status_since FROM computer
WHERE status <> 'online' AND (status = 'offline' OR offline_error <> 0) AND deleted IS NULL AND revoked IS NULL;

-- name: alert_review_configuration
SELECT id, config_error FROM computer WHERE config_error <> '' AND deleted IS NULL AND revoked IS NULL;

-- name: alert_review_components
SELECT computer.id, json_extract(component.value, '$.name') AS name, json_extract(component.value, '$.detail') AS detail
FROM computer, json_each(computer.components) AS component
WHERE computer.deleted IS NULL AND computer.revoked IS NULL AND json_extract(component.value, '$.state') = 'failed';

-- name: event_setting_all
SELECT type, record, forward, severity FROM event_setting;

-- name: event_setting_put
INSERT INTO event_setting (type, record, forward, severity) VALUES (:type, :record, :forward, :severity)
ON CONFLICT (type) DO UPDATE SET record = excluded.record, forward = excluded.forward, severity = excluded.severity;

-- name: event_setting_drop
DELETE FROM event_setting WHERE type = :type;
