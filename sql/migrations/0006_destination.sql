-- Where events and alerts are told to. position is the rowid of the last event
-- that was dealt with; rowids of `event` ascend in the order of commits, so the
-- database must never be VACUUMed in place. Secrets are never shown again.
CREATE TABLE destination (
	id BLOB NOT NULL PRIMARY KEY,
	name TEXT NOT NULL UNIQUE,
	url TEXT NOT NULL,
	content TEXT NOT NULL, -- events, alerts
	least_severity TEXT NOT NULL DEFAULT 'info',
	format TEXT NOT NULL DEFAULT 'cef', -- of syslog
	facility TEXT NOT NULL DEFAULT 'local0',
	mail_from TEXT NOT NULL DEFAULT '',
	mail_to TEXT NOT NULL DEFAULT '[]',
	user_name TEXT NOT NULL DEFAULT '',
	password TEXT NOT NULL DEFAULT '',
	secret TEXT NOT NULL DEFAULT '', -- a webhook's content is signed with
	ca_pem TEXT NOT NULL DEFAULT '',
	enabled INTEGER NOT NULL DEFAULT 1,
	created INTEGER NOT NULL,
	created_by TEXT NOT NULL,
	position INTEGER NOT NULL DEFAULT 0,
	delivered INTEGER NOT NULL DEFAULT 0, -- events, since it was made
	last_delivery INTEGER,
	failing_since INTEGER,
	failure TEXT NOT NULL DEFAULT ''
) STRICT;
