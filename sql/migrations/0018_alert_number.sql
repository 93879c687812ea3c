-- In a storm each computer's alert is looked for, ended and noted in an order of chance: an alert has a number, by
-- which its changes know it, so that no tree of ids is walked or written for that, and what finds open ones is narrow.
-- Rows with one time, or one name, are few: lists put them in the order of their ids.
CREATE TABLE alert_numbered (
	number INTEGER NOT NULL PRIMARY KEY,
	id BLOB NOT NULL UNIQUE,
	type TEXT NOT NULL,
	computer BLOB REFERENCES computer (id) ON DELETE CASCADE,
	subject TEXT NOT NULL DEFAULT '',
	detail TEXT NOT NULL DEFAULT '',
	severity TEXT NOT NULL,
	state TEXT NOT NULL DEFAULT 'open',
	raised INTEGER NOT NULL,
	ended INTEGER,
	dismissed_by TEXT NOT NULL DEFAULT ''
) STRICT;
INSERT INTO alert_numbered (id, type, computer, subject, detail, severity, state, raised, ended, dismissed_by)
SELECT id, type, computer, subject, detail, severity, state, raised, ended, dismissed_by FROM alert ORDER BY rowid;

-- Those who follow stand at numbers and ids of changes: they stay.
CREATE TABLE alert_change_numbered (
	number INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
	id BLOB NOT NULL UNIQUE,
	alert INTEGER NOT NULL REFERENCES alert_numbered (number) ON DELETE CASCADE,
	change TEXT NOT NULL, -- raised, resolved, dismissed
	time INTEGER NOT NULL,
	changed_by TEXT NOT NULL DEFAULT '',
	reason TEXT NOT NULL DEFAULT ''
) STRICT;
INSERT INTO alert_change_numbered (number, id, alert, change, time, changed_by, reason)
SELECT alert_change.number, alert_change.id, alert_numbered.number, change, time, changed_by, reason
FROM alert_change JOIN alert_numbered ON alert_numbered.id = alert_change.alert
ORDER BY alert_change.number;
-- A number is never given again, also after the last change was deleted.
DELETE FROM sqlite_sequence WHERE name = 'alert_change_numbered';
INSERT INTO sqlite_sequence (name, seq) SELECT 'alert_change_numbered', seq FROM sqlite_sequence WHERE name = 'alert_change';

DROP TABLE alert_change;
DROP TABLE alert;
ALTER TABLE alert_numbered RENAME TO alert;
ALTER TABLE alert_change_numbered RENAME TO alert_change;
CREATE UNIQUE INDEX alert_open ON alert (coalesce(computer, x''), type, subject) WHERE state = 'open';
CREATE INDEX alert_by_computer ON alert (computer, raised);
CREATE INDEX alert_by_state ON alert (state, raised) WHERE state <> 'resolved';
CREATE INDEX alert_by_type ON alert (type, raised);
CREATE INDEX alert_by_time ON alert (raised);
CREATE INDEX alert_change_by_alert ON alert_change (alert);

DROP INDEX computer_by_status;
CREATE INDEX computer_by_status ON computer (status, name) WHERE status <> 'online';
