-- Alerts. computer: NULL for the manager's own. subject tells several of one
-- computer apart. detail and subject are escaped already.
CREATE TABLE alert (
	id BLOB NOT NULL PRIMARY KEY,
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
-- Raised once: one is open of a type, computer and subject.
CREATE UNIQUE INDEX alert_open ON alert (type, coalesce(computer, x''), subject) WHERE state = 'open';
CREATE INDEX alert_open_by_computer ON alert (computer) WHERE state = 'open';
CREATE INDEX alert_by_computer ON alert (computer, raised, id);
CREATE INDEX alert_by_state ON alert (state, raised, id);
CREATE INDEX alert_by_type ON alert (type, raised, id);
CREATE INDEX alert_by_time ON alert (raised, id);

-- Every change of an alert, in order: for its history, for those who follow
-- and for those who pass it on (number only grows).
CREATE TABLE alert_change (
	number INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
	id BLOB NOT NULL UNIQUE,
	alert BLOB NOT NULL REFERENCES alert (id) ON DELETE CASCADE,
	change TEXT NOT NULL, -- raised, resolved, dismissed
	time INTEGER NOT NULL,
	changed_by TEXT NOT NULL DEFAULT '',
	reason TEXT NOT NULL DEFAULT ''
) STRICT;
CREATE INDEX alert_change_by_alert ON alert_change (alert, number);

-- What people changed of the table of alerts and of the table of events.
CREATE TABLE alert_setting (
	type TEXT NOT NULL PRIMARY KEY,
	enabled INTEGER NOT NULL,
	severity TEXT NOT NULL
) STRICT;
CREATE TABLE event_setting (
	type INTEGER NOT NULL PRIMARY KEY,
	record INTEGER NOT NULL,
	forward INTEGER NOT NULL,
	severity TEXT NOT NULL
) STRICT;

-- The clock that its next change is measured from (agent's minus ours).
ALTER TABLE computer ADD COLUMN clock_base_us INTEGER NOT NULL DEFAULT 0;
UPDATE computer SET clock_base_us = clock_offset_us;
