-- Tokens, users and the audit log.

-- name: enrolment_token_insert
INSERT INTO enrolment_token (id, secret_sha256, name, policy, group_name, appliance, uses_left, created, created_by, expires)
VALUES (:id, :secret_sha256, :name, :policy, :group_name, :appliance, :uses_left, :created, :created_by, :expires);

-- name: enrolment_token_by_secret
SELECT * FROM enrolment_token WHERE secret_sha256 = :secret_sha256;

-- name: enrolment_token_use
UPDATE enrolment_token
SET uses_left = uses_left - 1, last_used = :now
WHERE id = :id AND revoked IS NULL AND expires > :now AND (uses_left IS NULL OR uses_left > 0);

-- name: enrolment_token_revoke
UPDATE enrolment_token SET revoked = :revoked WHERE id = :id AND revoked IS NULL;

-- name: enrolment_token_list
SELECT * FROM enrolment_token WHERE id > :after ORDER BY id LIMIT :limit;

-- name: api_token_insert
INSERT INTO api_token (id, secret_sha256, kind, name, role, user_id, created, created_by, expires)
VALUES (:id, :secret_sha256, :kind, :name, :role, :user_id, :created, :created_by, :expires);

-- name: api_token_by_secret
SELECT api_token.*, user_account.name AS user_name
FROM api_token LEFT JOIN user_account ON user_account.id = api_token.user_id
WHERE api_token.secret_sha256 = :secret_sha256;

-- name: api_token_used
UPDATE api_token SET last_used = :last_used WHERE id = :id;

-- name: api_token_revoke
UPDATE api_token SET revoked = :revoked WHERE id = :id AND revoked IS NULL;

-- name: api_token_revoke_of_user
UPDATE api_token SET revoked = :revoked WHERE user_id = :user_id AND revoked IS NULL;

-- name: api_token_list
SELECT * FROM api_token WHERE kind = 'api' AND id > :after ORDER BY id LIMIT :limit;

-- name: api_token_delete_expired
DELETE FROM api_token WHERE expires < :before;

-- name: user_insert
INSERT INTO user_account (id, name, role, password_hash, created)
VALUES (:id, :name, :role, :password_hash, :created);

-- name: user_by_name
SELECT * FROM user_account WHERE name = :name;

-- name: user_by_id
SELECT * FROM user_account WHERE id = :id;

-- name: user_list
SELECT * FROM user_account WHERE id > :after ORDER BY id LIMIT :limit;

-- name: user_password
UPDATE user_account SET password_hash = :password_hash, failures = 0, locked_until = NULL WHERE id = :id;

-- name: user_failed
UPDATE user_account SET failures = failures + 1, locked_until = :locked_until WHERE id = :id;

-- name: user_signed_in
UPDATE user_account
SET failures = 0, last_login = :last_login, locked_until = CASE WHEN locked_until > :last_login THEN locked_until END
WHERE id = :id;

-- name: sign_in_source_note
INSERT INTO sign_in_source (user_id, source, last) VALUES (:user_id, :source, :last)
ON CONFLICT (user_id, source) DO UPDATE SET last = excluded.last;

-- name: sign_in_source_known
SELECT last FROM sign_in_source WHERE user_id = :user_id AND source = :source AND last > :since;

-- name: sign_in_source_forget
DELETE FROM sign_in_source
WHERE user_id = :user_id AND (last <= :since OR source NOT IN (
	SELECT source FROM sign_in_source WHERE user_id = :user_id ORDER BY last DESC LIMIT :most));

-- name: user_count_of_role
SELECT count(*) AS count FROM user_account WHERE role = :role;

-- name: user_delete
DELETE FROM user_account WHERE id = :id;

-- name: audit_insert
INSERT INTO audit (number, time, actor_kind, actor_name, actor_id, peer, action, object, detail, outcome, chain)
VALUES (:number, :time, :actor_kind, :actor_name, :actor_id, :peer, :action, :object, :detail, :outcome, :chain);

-- name: audit_last
SELECT * FROM audit ORDER BY number DESC LIMIT 1;

-- name: audit_of_object
SELECT number FROM audit WHERE time >= :since AND action = :action AND object = :object LIMIT 1;

-- name: audit_list
SELECT * FROM audit WHERE number < :before AND time >= :since ORDER BY number DESC LIMIT :limit;

-- name: audit_all
SELECT * FROM audit ORDER BY number;
