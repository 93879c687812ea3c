-- In a large fleet what happens to a computer touches a page of its own in each
-- index that begins with the computer, and these pages are what a storm costs:
-- fewer such indexes, and none with rows that nobody looks for by it.

-- Events of the manager itself have no number: only the agents' are held apart by it.
CREATE TABLE event_without_numbers (
	id BLOB NOT NULL PRIMARY KEY,
	computer BLOB REFERENCES computer (id) ON DELETE CASCADE,
	number INTEGER,
	time INTEGER NOT NULL,
	received INTEGER NOT NULL,
	type INTEGER NOT NULL,
	severity TEXT NOT NULL,
	fields TEXT NOT NULL DEFAULT '{}'
) STRICT;
-- Destinations stand at rowids.
INSERT INTO event_without_numbers (rowid, id, computer, number, time, received, type, severity, fields)
SELECT rowid, id, computer, number, time, received, type, severity, fields FROM event ORDER BY rowid;
DROP TABLE event;
ALTER TABLE event_without_numbers RENAME TO event;
CREATE UNIQUE INDEX event_by_number ON event (computer, number) WHERE number IS NOT NULL;
CREATE INDEX event_by_computer ON event (computer, time, id);
CREATE INDEX event_by_type ON event (type, time, id);
CREATE INDEX event_by_time ON event (time, id);

-- One index holds open alerts apart and finds those of a computer.
DROP INDEX alert_open;
DROP INDEX alert_open_by_computer;
CREATE UNIQUE INDEX alert_open ON alert (coalesce(computer, x''), type, subject) WHERE state = 'open';

-- Nearly all alerts are resolved and nearly all computers online: by time and by name
-- they are found as fast. Who asks for others says so: "AND state <> 'resolved'".
DROP INDEX alert_by_state;
CREATE INDEX alert_by_state ON alert (state, raised, id) WHERE state <> 'resolved';
DROP INDEX computer_by_status;
CREATE INDEX computer_by_status ON computer (status, name, id) WHERE status <> 'online';
