-- Verifications of connections: the log of them, and what came of each computer.
CREATE TABLE verification (
	id BLOB NOT NULL PRIMARY KEY,
	started INTEGER NOT NULL,
	started_by TEXT NOT NULL,
	scheduled INTEGER NOT NULL DEFAULT 0,
	total INTEGER NOT NULL,
	ended INTEGER -- NULL: under way
) STRICT;
CREATE INDEX verification_by_started ON verification (started, id);
CREATE TABLE verification_result (
	verification BLOB NOT NULL REFERENCES verification (id) ON DELETE CASCADE,
	computer BLOB NOT NULL REFERENCES computer (id) ON DELETE CASCADE,
	outcome TEXT NOT NULL, -- answered, silent, away
	elapsed_us INTEGER,
	silent_us INTEGER, -- NULL: never heard, or answered
	cause TEXT NOT NULL DEFAULT '',
	PRIMARY KEY (verification, computer)
) STRICT, WITHOUT ROWID;
CREATE INDEX verification_result_by_outcome ON verification_result (verification, outcome);
