-- One row a request that came with an Idempotency-Key, kept for a day. owner is
-- the user or token; request the SHA-256 of what was asked; status 0 until the
-- answer is written.
CREATE TABLE idempotency (
	owner BLOB NOT NULL,
	key TEXT NOT NULL,
	request BLOB NOT NULL,
	created INTEGER NOT NULL,
	status INTEGER NOT NULL DEFAULT 0,
	content_type TEXT NOT NULL DEFAULT '',
	answer BLOB,
	PRIMARY KEY (owner, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX idempotency_by_created ON idempotency (created);

-- Lists are ordered by time, then id: one index for each way they are filtered.
DROP INDEX event_by_computer;
CREATE INDEX event_by_computer ON event (computer, time, id);
DROP INDEX event_by_type;
CREATE INDEX event_by_type ON event (type, time, id);
DROP INDEX command_by_computer;
CREATE INDEX command_by_computer ON command (computer, issued, id);
CREATE INDEX command_by_issued ON command (issued, id);
DROP INDEX quarantine_item_by_computer;
CREATE INDEX quarantine_item_by_computer ON quarantine_item (computer, quarantined, id);
CREATE INDEX quarantine_item_by_time ON quarantine_item (quarantined, id);
CREATE INDEX api_token_by_user ON api_token (user_id);
