-- The manager's first schema. Ids are UUIDv7 (16 bytes), times microseconds
-- since 1970 UTC, fingerprints SHA-256 (32 bytes). Text that came from outside
-- is stored as it came; it is escaped where it is shown.

CREATE TABLE setting (
	name TEXT NOT NULL PRIMARY KEY,
	value TEXT NOT NULL
) STRICT;

-- Numbers that only grow, one row each.
CREATE TABLE counter (
	name TEXT NOT NULL PRIMARY KEY,
	value INTEGER NOT NULL
) STRICT;

CREATE TABLE computer (
	id BLOB NOT NULL PRIMARY KEY,
	name TEXT NOT NULL,
	group_name TEXT NOT NULL DEFAULT '',
	policy TEXT NOT NULL DEFAULT 'base',
	direction TEXT NOT NULL DEFAULT 'bidirectional',
	-- identity
	certificate_fingerprint BLOB NOT NULL UNIQUE,
	certificate_not_after INTEGER NOT NULL,
	certificate_pem TEXT NOT NULL DEFAULT '',
	enrolled INTEGER NOT NULL,
	enrolment_attempt BLOB UNIQUE,
	revoked INTEGER, -- its certificate is refused since
	deleted INTEGER, -- the row stays for the history
	-- host facts as last reported
	host_name TEXT NOT NULL DEFAULT '',
	os TEXT NOT NULL DEFAULT '',
	kernel TEXT NOT NULL DEFAULT '',
	architecture TEXT NOT NULL DEFAULT '',
	agent_version TEXT NOT NULL DEFAULT '',
	addresses TEXT NOT NULL DEFAULT '[]',
	listen_port INTEGER NOT NULL DEFAULT 0,
	components TEXT NOT NULL DEFAULT '[]',
	patterns TEXT NOT NULL DEFAULT '',
	-- what the link knows
	last_heard INTEGER,
	last_session INTEGER NOT NULL DEFAULT 0,
	last_sequence INTEGER NOT NULL DEFAULT 0,
	boot_id BLOB,
	clock_offset_us INTEGER NOT NULL DEFAULT 0,
	acknowledged_event INTEGER NOT NULL DEFAULT 0,
	command_serial INTEGER NOT NULL DEFAULT 0,
	status TEXT NOT NULL DEFAULT 'unknown',
	status_cause TEXT NOT NULL DEFAULT '',
	status_since INTEGER,
	-- configuration
	config_fingerprint BLOB,
	config_state TEXT NOT NULL DEFAULT 'pending',
	config_error TEXT NOT NULL DEFAULT '',
	trusted_key BLOB
) STRICT;
CREATE INDEX computer_by_name ON computer (name, id);
CREATE INDEX computer_by_status ON computer (status, id);

-- number is the agent's own count; events of the manager itself have none.
CREATE TABLE event (
	id BLOB NOT NULL PRIMARY KEY,
	computer BLOB REFERENCES computer (id) ON DELETE CASCADE,
	number INTEGER,
	time INTEGER NOT NULL,
	received INTEGER NOT NULL,
	type INTEGER NOT NULL,
	severity TEXT NOT NULL,
	fields TEXT NOT NULL DEFAULT '{}',
	UNIQUE (computer, number)
) STRICT;
CREATE INDEX event_by_computer ON event (computer, id);
CREATE INDEX event_by_type ON event (type, id);
CREATE INDEX event_by_time ON event (time, id);

CREATE TABLE command (
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
	envelope BLOB,
	UNIQUE (computer, serial)
) STRICT;
CREATE INDEX command_by_computer ON command (computer, id);
CREATE INDEX command_by_state ON command (state, id);

-- sealed_key opens the stored file; it never leaves but for a download.
CREATE TABLE quarantine_item (
	id BLOB NOT NULL PRIMARY KEY,
	computer BLOB NOT NULL REFERENCES computer (id) ON DELETE CASCADE,
	path BLOB NOT NULL,
	sha256 BLOB NOT NULL,
	size INTEGER NOT NULL,
	detection TEXT NOT NULL,
	quarantined INTEGER NOT NULL,
	state TEXT NOT NULL DEFAULT 'held',
	sealed_size INTEGER NOT NULL DEFAULT 0,
	stored_bytes INTEGER NOT NULL DEFAULT 0,
	sealed_key BLOB,
	metadata TEXT NOT NULL DEFAULT '{}',
	uploaded INTEGER
) STRICT;
CREATE INDEX quarantine_item_by_computer ON quarantine_item (computer, id);
CREATE INDEX quarantine_item_by_state ON quarantine_item (state, id);

-- Tokens are kept as the SHA-256 of their secret.
CREATE TABLE enrolment_token (
	id BLOB NOT NULL PRIMARY KEY,
	secret_sha256 BLOB NOT NULL UNIQUE,
	name TEXT NOT NULL DEFAULT '',
	policy TEXT NOT NULL DEFAULT '',
	group_name TEXT NOT NULL DEFAULT '',
	uses_left INTEGER, -- NULL: any number
	created INTEGER NOT NULL,
	created_by TEXT NOT NULL,
	expires INTEGER NOT NULL,
	revoked INTEGER,
	last_used INTEGER
) STRICT;

CREATE TABLE user_account (
	id BLOB NOT NULL PRIMARY KEY,
	name TEXT NOT NULL UNIQUE,
	role TEXT NOT NULL,
	password_hash TEXT NOT NULL,
	created INTEGER NOT NULL,
	last_login INTEGER,
	failures INTEGER NOT NULL DEFAULT 0,
	locked_until INTEGER
) STRICT;

-- kind: api for programs, session for people who signed in.
CREATE TABLE api_token (
	id BLOB NOT NULL PRIMARY KEY,
	secret_sha256 BLOB NOT NULL UNIQUE,
	kind TEXT NOT NULL DEFAULT 'api',
	name TEXT NOT NULL,
	role TEXT NOT NULL,
	user_id BLOB REFERENCES user_account (id) ON DELETE CASCADE,
	created INTEGER NOT NULL,
	created_by TEXT NOT NULL DEFAULT '',
	expires INTEGER NOT NULL,
	revoked INTEGER,
	last_used INTEGER
) STRICT;

-- chain is the SHA-256 of the row before it and of this row: taking one out shows.
CREATE TABLE audit (
	number INTEGER NOT NULL PRIMARY KEY,
	time INTEGER NOT NULL,
	actor_kind TEXT NOT NULL,
	actor_name TEXT NOT NULL,
	actor_id BLOB,
	peer TEXT NOT NULL DEFAULT '',
	action TEXT NOT NULL,
	object TEXT NOT NULL DEFAULT '',
	detail TEXT NOT NULL DEFAULT '',
	outcome TEXT NOT NULL DEFAULT 'done',
	chain BLOB NOT NULL
) STRICT;
CREATE INDEX audit_by_time ON audit (time, number);
