-- Serial numbers of commands come from one counter. One in each computer's row
-- made an order for many computers write all of these rows anew.
INSERT INTO counter (name, value) SELECT 'command_serial', coalesce(max(command_serial), 0) FROM computer;
ALTER TABLE computer DROP COLUMN command_serial;
-- Who may be given commands, without the rows of all computers, which are large.
CREATE INDEX computer_not_deleted ON computer (id) WHERE deleted IS NULL;

-- What was signed in the old form and may still have to be sent: no agent takes it any more.
UPDATE command
SET state = 'failed', result = '{"code":"version","text":"issued by an older manager; issue it again"}'
WHERE state IN ('pending', 'sent');

-- The table is its own index by id, and serials need none: two trees fewer to write.
CREATE TABLE command_by_id (
	id BLOB NOT NULL PRIMARY KEY,
	computer BLOB NOT NULL REFERENCES computer (id) ON DELETE CASCADE,
	kind TEXT NOT NULL,
	arguments TEXT NOT NULL DEFAULT '{}',
	issued_by TEXT NOT NULL,
	issued INTEGER NOT NULL,
	timeout_us INTEGER NOT NULL DEFAULT 0,
	serial INTEGER NOT NULL,
	state TEXT NOT NULL DEFAULT 'pending',
	changed INTEGER NOT NULL,
	progress TEXT NOT NULL DEFAULT '{}',
	result TEXT NOT NULL DEFAULT '{}',
	envelope BLOB
) STRICT, WITHOUT ROWID;
INSERT INTO command_by_id (id, computer, kind, arguments, issued_by, issued, timeout_us, serial, state, changed,
                           progress, result, envelope)
SELECT id, computer, kind, arguments, issued_by, issued, timeout_us, serial, state, changed, progress, result, envelope
FROM command;
DROP TABLE command;
ALTER TABLE command_by_id RENAME TO command;
CREATE INDEX command_by_computer ON command (computer, issued, id);
CREATE INDEX command_by_issued ON command (issued, id);
CREATE INDEX command_by_state ON command (state, issued, id);
