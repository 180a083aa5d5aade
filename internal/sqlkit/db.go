package sqlkit

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
)

// Dialect names a kind of database, and the folder that holds its .sql files.
type Dialect string

// SQLite is the only dialect so far.
const SQLite Dialect = "sqlite"

// DB is an open database. Both pools see each other's commits at once.
type DB struct {
	// Write is for everything that changes rows. With SQLite it is a single
	// connection whose transactions take the write lock when they begin, so
	// none of them can fail halfway because another one was quicker.
	Write *sql.DB
	// Read is for everything else. Writing through it is an error.
	Read *sql.DB
	// Dialect says which .sql files to use.
	Dialect Dialect
}

// allowedURLs is the tail of every error about a database URL.
const allowedURLs = "allowed: sqlite:PATH"

// Open opens the database that a URL names and makes it if need be:
//
//	sqlite:data/jobcenter.db      a path, relative to the working directory
//	sqlite:///var/lib/jobs.db     an absolute path
//	data/jobcenter.db             a bare path is SQLite, too
//
// A new SQLite file can be read and written by its owner alone; its folder
// must exist.
func Open(ctx context.Context, url string) (*DB, error) {
	scheme, rest := splitScheme(url)
	switch scheme {
	case "":
		return openSQLite(ctx, rest)
	case "sqlite":
		path, err := sqlitePath(rest)
		if err != nil {
			return nil, err
		}
		return openSQLite(ctx, path)
	case "postgres", "postgresql", "mysql", "mariadb":
		// The rest of the URL may hold a password, so it is not repeated.
		return nil, fmt.Errorf("database URL: not supported yet: %s, %s", scheme, allowedURLs)
	default:
		return nil, fmt.Errorf("database URL: unknown scheme %q, %s", scheme, allowedURLs)
	}
}

// splitScheme cuts the scheme off a URL. A single letter is not one but a
// drive of Windows.
func splitScheme(url string) (scheme, rest string) {
	scheme, rest, ok := strings.Cut(url, ":")
	if !ok || len(scheme) < 2 {
		return "", url
	}
	for _, c := range scheme {
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && !strings.ContainsRune("+-.", c) {
			return "", url
		}
	}
	return strings.ToLower(scheme), rest
}

// Close closes both pools.
func (db *DB) Close() error {
	return errors.Join(db.Read.Close(), db.Write.Close())
}

// InTx runs work in a write transaction: committed if work returns nil,
// otherwise rolled back, and the error returned as it is.
func (db *DB) InTx(ctx context.Context, work func(tx *sql.Tx) error) error {
	tx, err := db.Write.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("begin: %w", err)
	}
	defer func() { _ = tx.Rollback() }() // does nothing after a commit
	if err := work(tx); err != nil {
		return err
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("commit: %w", err)
	}
	return nil
}
