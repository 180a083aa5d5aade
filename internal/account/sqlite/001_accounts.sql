-- +goose Up
-- Instants are microseconds since 1970 in UTC. Secrets (tokens) are kept as
-- their SHA-256 only.
CREATE TABLE account_user (
	id            TEXT    NOT NULL PRIMARY KEY,
	email         TEXT    NOT NULL UNIQUE,
	name          TEXT    NOT NULL,
	role          TEXT    NOT NULL,
	password_hash TEXT    NOT NULL,
	created_at    INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE account_token (
	hash         BLOB    NOT NULL PRIMARY KEY,
	id           TEXT    NOT NULL UNIQUE,
	name         TEXT    NOT NULL UNIQUE,
	role         TEXT    NOT NULL,
	created_at   INTEGER NOT NULL,
	last_used_at INTEGER NOT NULL -- 0: never
) STRICT, WITHOUT ROWID;

CREATE TABLE account_session (
	hash    TEXT    NOT NULL PRIMARY KEY,
	data    BLOB    NOT NULL,
	used_at INTEGER NOT NULL, -- ends when it has not been used for a while,
	ends_at INTEGER NOT NULL  -- and then at the latest
) STRICT, WITHOUT ROWID;

-- At most one row: the set-up token of the newest start.
CREATE TABLE account_setup (
	one        INTEGER NOT NULL PRIMARY KEY CHECK (one = 1),
	hash       BLOB    NOT NULL,
	created_at INTEGER NOT NULL
) STRICT;
