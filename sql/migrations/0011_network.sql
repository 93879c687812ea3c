-- Networks that the manager cannot reach: ranges of addresses, and what holds
-- for the agents inside. Which network a computer is in is not stored: it
-- follows from its addresses.
CREATE TABLE network (
	id BLOB NOT NULL PRIMARY KEY,
	name TEXT NOT NULL UNIQUE COLLATE NOCASE,
	ranges TEXT NOT NULL, -- a JSON list of canonical texts
	heartbeat INTEGER NOT NULL, -- on, off
	heartbeat_minutes INTEGER NOT NULL,
	offline_minutes INTEGER NOT NULL,
	poll_minutes INTEGER, -- NULL: as the policy says
	version INTEGER NOT NULL DEFAULT 1,
	created INTEGER NOT NULL,
	created_by TEXT NOT NULL
) STRICT;
-- Where the connections of its agent come from, as the manager sees them.
ALTER TABLE computer ADD COLUMN seen_from TEXT NOT NULL DEFAULT '';
