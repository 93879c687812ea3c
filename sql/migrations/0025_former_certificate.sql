-- The certificates that a computer had before its present one, until they end: an agent that shows one is a copy of the
-- computer's, or was set back to an earlier state (src/manager/front/renewal.h). revoked: the computer was given another
-- agent since, and none of the one before counts for anything any more.
CREATE TABLE former_certificate (
	fingerprint BLOB NOT NULL PRIMARY KEY,
	computer BLOB NOT NULL REFERENCES computer (id) ON DELETE CASCADE,
	not_after INTEGER,
	revoked INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX former_certificate_by_computer ON former_certificate (computer);
