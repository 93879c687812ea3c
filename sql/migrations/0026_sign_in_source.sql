-- From where a user signed in well of late (an address, an IPv6 one by its /64): guesses that others make from elsewhere
-- do not keep it out there (src/manager/api/sign_in.h).
CREATE TABLE sign_in_source (
	user_id BLOB NOT NULL REFERENCES user_account (id) ON DELETE CASCADE,
	source TEXT NOT NULL,
	last INTEGER NOT NULL,
	PRIMARY KEY (user_id, source)
) STRICT, WITHOUT ROWID;
