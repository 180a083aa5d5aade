-- name: count_users
SELECT count(*) FROM account_user;

-- name: add_user
INSERT INTO account_user (id, email, name, role, password_hash, created_at) VALUES (?, ?, ?, ?, ?, ?);

-- name: user_by_email
SELECT id, email, name, role, created_at, password_hash FROM account_user WHERE email = ?;

-- name: user_by_id
SELECT id, email, name, role, created_at, password_hash FROM account_user WHERE id = ?;

-- name: add_token
INSERT INTO account_token (hash, id, name, role, created_at, last_used_at) VALUES (?, ?, ?, ?, ?, 0);

-- name: count_tokens_named
SELECT count(*) FROM account_token WHERE name = ?;

-- name: token_by_hash
SELECT id, name, role, created_at, last_used_at FROM account_token WHERE hash = ?;

-- name: touch_token
UPDATE account_token SET last_used_at = ? WHERE hash = ?;

-- name: find_session
SELECT data, used_at, ends_at FROM account_session WHERE hash = ?;

-- name: put_session
INSERT INTO account_session (hash, data, used_at, ends_at) VALUES (?, ?, ?, ?)
ON CONFLICT (hash) DO UPDATE SET data = excluded.data, used_at = excluded.used_at, ends_at = excluded.ends_at;

-- name: touch_session
UPDATE account_session SET used_at = ? WHERE hash = ?;

-- name: delete_session
DELETE FROM account_session WHERE hash = ?;

-- name: delete_ended_sessions
DELETE FROM account_session WHERE ends_at <= ? OR used_at <= ?;

-- name: put_setup
INSERT INTO account_setup (one, hash, created_at) VALUES (1, ?, ?)
ON CONFLICT (one) DO UPDATE SET hash = excluded.hash, created_at = excluded.created_at;

-- name: setup_hash
SELECT hash FROM account_setup WHERE one = 1;

-- name: delete_setup
DELETE FROM account_setup;
