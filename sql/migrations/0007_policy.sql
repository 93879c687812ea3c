-- Policies and what they and computers override. computer.policy is the name
-- of one of them; names that were free until now are settled when the manager
-- starts, which logs each. Versions grow with each change of that policy or computer.
CREATE TABLE policy (
	id BLOB NOT NULL PRIMARY KEY,
	name TEXT NOT NULL UNIQUE COLLATE NOCASE,
	parent BLOB REFERENCES policy (id), -- NULL: the base policy
	version INTEGER NOT NULL DEFAULT 1,
	created INTEGER NOT NULL,
	changed INTEGER NOT NULL
) STRICT;
INSERT INTO policy (id, name, created, changed)
VALUES (x'00000000000070008000000000000001', 'base', 0, 0);

CREATE TABLE policy_setting (
	policy BLOB NOT NULL REFERENCES policy (id) ON DELETE CASCADE,
	name TEXT NOT NULL,
	value TEXT NOT NULL, -- canonical
	PRIMARY KEY (policy, name)
) STRICT, WITHOUT ROWID;

CREATE TABLE computer_setting (
	computer BLOB NOT NULL REFERENCES computer (id) ON DELETE CASCADE,
	name TEXT NOT NULL,
	value TEXT NOT NULL,
	PRIMARY KEY (computer, name)
) STRICT, WITHOUT ROWID;
ALTER TABLE computer ADD COLUMN settings_version INTEGER NOT NULL DEFAULT 1;

-- One row a change: what became of whom by whom. changes is a JSON list of
-- {name, old, new}; null: inherited, or not there. Rows outlive their subject.
CREATE TABLE policy_history (
	number INTEGER NOT NULL PRIMARY KEY,
	subject BLOB NOT NULL,       -- the policy's or computer's id
	is_computer INTEGER NOT NULL,
	name TEXT NOT NULL,          -- as it was called then
	version INTEGER NOT NULL,    -- of the subject, afterwards
	time INTEGER NOT NULL,
	actor_kind TEXT NOT NULL,
	actor_name TEXT NOT NULL,
	action TEXT NOT NULL,        -- create, delete, change, revert
	changes TEXT NOT NULL
) STRICT;
CREATE INDEX policy_history_by_subject ON policy_history (subject, number);

CREATE INDEX computer_by_policy ON computer (policy, id);
UPDATE computer SET config_state = 'pending' WHERE config_state NOT IN ('pending', 'sent', 'applied', 'failed');
