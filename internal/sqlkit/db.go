package sqlkit

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"
)

// DB is an open database. Both pools see each other's commits at once.
type DB struct {
	// Write is for everything that changes rows. With SQLite it is a single
	// connection whose transactions take the write lock when they begin, so
	// none of them can fail halfway because another one was quicker.
	Write *sql.DB
	// Read is for everything else; with a server it is the same pool as Write.
	// Writing through it is an error that SQLite finds.
	Read *sql.DB
	// Dialect says which .sql files to use.
	Dialect Dialect

	// patient opens a pool without a bound on how long a statement may take.
	// nil: there is none.
	patient func() (*sql.DB, error)
}

// allowedURLs is the tail of every error about a database URL.
const allowedURLs = "allowed: sqlite:PATH, postgres://USER:PASSWORD@HOST:PORT/DATABASE, mysql://USER:PASSWORD@HOST:PORT/DATABASE"

const (
	// serverConns is how many connections to a server are open at once.
	serverConns = 10
	// serverIdle is for how long an idle one stays open, and serverLifetime
	// for how long any does, so that they follow a server that has moved.
	serverIdle     = time.Minute
	serverLifetime = 30 * time.Minute
	// abandoned is for how long a server waits for the next statement of a
	// transaction before it takes the program to be dead, and frees its locks:
	// of a machine that is gone it may hear nothing more.
	abandoned = 2 * time.Minute
	// connectTimeout bounds how long it takes to find out that there is no server.
	connectTimeout = 10 * time.Second
	// answerTimeout is how long a server may keep silent in the middle of a
	// statement, or take nothing of it, before it is taken to be dead.
	answerTimeout = 30 * time.Second
	// lockTimeout is how long a statement waits for rows that others have locked.
	lockTimeout = 10 * time.Second
)

// Open opens the database that a URL names:
//
//	sqlite:data/jobcenter.db          a path, relative to the working directory
//	sqlite:///var/lib/jobs.db         an absolute path
//	data/jobcenter.db                 a bare path is SQLite, too
//	postgres://user:pass@host:5432/db PostgreSQL; also postgresql://
//	mysql://user:pass@host:3306/db    MySQL; also mariadb://
//
// A SQLite file is made if need be; it can be read and written by its owner
// alone, and its folder must exist. The database of a server must exist. Of
// PostgreSQL's, all parameters of libpq that pgx knows may follow the ?, such
// as sslmode; of MySQL's, tls and socket.
//
// No error repeats a password.
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
	case "postgres", "postgresql":
		return openPostgres(ctx, url)
	case "mysql", "mariadb":
		return openMySQL(ctx, url)
	default:
		// The rest of the URL may hold a password, so it is not repeated.
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

// openServer makes the pool of a server and tries it. name is the URL without
// its secrets.
func openServer(ctx context.Context, dialect Dialect, name string, open func(patient bool) (*sql.DB, error)) (*DB, error) {
	pool, err := open(false)
	if err != nil {
		return nil, fmt.Errorf("open database %s: %w", name, err)
	}
	pool.SetMaxOpenConns(serverConns)
	pool.SetMaxIdleConns(serverConns)
	pool.SetConnMaxIdleTime(serverIdle)
	pool.SetConnMaxLifetime(serverLifetime)
	if err := pool.PingContext(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("open database %s: %w", name, err), pool.Close())
	}
	return &DB{Write: pool, Read: pool, Dialect: dialect, patient: func() (*sql.DB, error) { return open(true) }}, nil
}

// Close closes both pools.
func (db *DB) Close() error {
	return errors.Join(db.Read.Close(), db.Write.Close())
}

// Patient calls work with a pool whose statements may take as long as they
// need: those of a migration, or of a look at every row.
func (db *DB) Patient(work func(pool *sql.DB) error) error {
	if db.patient == nil {
		return work(db.Write)
	}
	pool, err := db.patient()
	if err != nil {
		return err
	}
	return errors.Join(work(pool), pool.Close())
}

const (
	// txTries is how often InTx runs a transaction that others got in the way of.
	txTries = 15
	// txPause bounds the pause before each.
	txPause = 250 * time.Millisecond
)

// InTx runs work in a write transaction: committed if work returns nil,
// otherwise rolled back, and the error returned as it is. Of a server, the
// transaction is at READ COMMITTED, and tried again, a few times and after a
// growing pause, when it fails because of others: by a deadlock, or because
// it waited too long for a lock. work must bear that.
//
// If the connection is lost during the commit, that is an error although the
// database may have been changed. A context that ends does not bring that
// about: it ends work, but not the commit.
func (db *DB) InTx(ctx context.Context, work func(tx *sql.Tx) error) error {
	if db.Dialect == SQLite {
		tx, err := db.Write.BeginTx(ctx, nil)
		if err != nil {
			return fmt.Errorf("begin: %w", err)
		}
		return inTx(ctx, tx, work)
	}
	patience := time.Now().Add(answerTimeout)
	for try := 1; ; try++ {
		err := db.tryTx(ctx, work)
		if try == txTries || !conflicts(err) || time.Now().After(patience) {
			return err
		}
		longest := min(time.Duration(try*try)*4*time.Millisecond, txPause)
		pause := time.NewTimer(rand.N(longest)) //nolint:gosec // keeps those that met apart
		select {
		case <-ctx.Done():
			pause.Stop()
			return fmt.Errorf("%w: %w", ctx.Err(), err)
		case <-pause.C:
		}
	}
}

// tryTx runs a transaction with a server once.
func (db *DB) tryTx(ctx context.Context, work func(tx *sql.Tx) error) error {
	conn, err := db.Write.Conn(ctx)
	if err != nil {
		return fmt.Errorf("begin: %w", err)
	}
	defer func() { _ = conn.Close() }() // gives it back
	tx, err := conn.BeginTx(context.WithoutCancel(ctx), nil)
	if err != nil {
		return fmt.Errorf("begin: %w", err)
	}
	return inTx(ctx, tx, work)
}

func inTx(ctx context.Context, tx *sql.Tx, work func(tx *sql.Tx) error) error {
	defer func() { _ = tx.Rollback() }() // does nothing after a commit
	if err := work(tx); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("commit: %w", err)
	}
	return nil
}
