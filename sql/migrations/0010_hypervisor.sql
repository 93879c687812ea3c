-- Hypervisors, and whose machine a computer is. machine: the UUID that the
-- computer's firmware gives it, as its agent reports it; NULL: none is known.
-- offline_error: its silence was told as an error, whatever its status is.
CREATE TABLE hypervisor (
	id BLOB NOT NULL PRIMARY KEY,
	name TEXT NOT NULL UNIQUE,
	uri TEXT NOT NULL,
	enabled INTEGER NOT NULL DEFAULT 1,
	created INTEGER NOT NULL,
	created_by TEXT NOT NULL
) STRICT;

ALTER TABLE computer ADD COLUMN machine BLOB;
ALTER TABLE computer ADD COLUMN offline_error INTEGER NOT NULL DEFAULT 0;
UPDATE computer SET offline_error = 1 WHERE status = 'offline';
CREATE INDEX computer_by_machine ON computer (machine) WHERE machine IS NOT NULL;
