-- Server authentication keys, the public halves alone: which one is present (its `until` is NULL), and how each led to
-- the next. Never deleted: an agent that comes back after any absence is told the way.
CREATE TABLE server_key (
	fingerprint BLOB NOT NULL PRIMARY KEY,
	public_key BLOB NOT NULL,
	origin TEXT NOT NULL, -- created, rolled_over, imported, restored
	created INTEGER NOT NULL, -- when this manager first had it
	since INTEGER NOT NULL, -- when it last became the present one
	until INTEGER,
	backed_up INTEGER,
	made_by TEXT NOT NULL DEFAULT ''
) STRICT;

-- Since when a computer's agent says that it trusts the key that it does.
ALTER TABLE computer ADD COLUMN trusted_key_since INTEGER;

CREATE TABLE key_succession (
	new_fingerprint BLOB NOT NULL PRIMARY KEY,
	old_fingerprint BLOB NOT NULL,
	serial INTEGER NOT NULL,
	issued INTEGER NOT NULL,
	record BLOB NOT NULL -- a packed KeySuccession
) STRICT;
