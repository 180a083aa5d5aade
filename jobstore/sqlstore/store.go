// Package sqlstore keeps jobs, runs and output in a SQL database: SQLite,
// PostgreSQL 13 or later, MySQL 8.0 or MariaDB 10.6 or later.
//
// Any number of schedulers, in one process or in several, may share a
// database. Everything that belongs together is one transaction, and commits
// are durable: what a method returned without an error survives the death of
// the process and, as far as the database is set up for it, the loss of power.
// If the connection to a server is lost while it commits, the method returns
// an error although the transaction may have taken effect; it may be called
// again, because fire times are unique in the ledger.
//
// With SQLite, a transaction takes the write lock of the whole database when
// it begins. With a server there is no leader and no lock that all need: what
// starts or queues runs of a job holds the lock of the job's row, and what
// starts runs of a limit's key that of the key's row. Claim and TakeQueued pass
// over rows that others have locked, so that schedulers do not wait for each
// other; a Claim may therefore return fewer jobs than are due.
//
// MySQL and MariaDB bound the length of names: tasks, executors, nodes and
// limit keys may have up to 128 characters. They and PostgreSQL replace in
// texts what is not UTF-8, and zero bytes.
package sqlstore

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"slices"

	"github.com/huandu/go-sqlbuilder"

	"github.com/jobcenter-go/jobcenter"
	"github.com/jobcenter-go/jobcenter/internal/sqlkit"
)

//go:embed sqlite/*.sql postgres/*.sql mysql/*.sql
var files embed.FS

// Options are what a Store can be told. The zero value is good.
type Options struct {
	// TriggerCache is how many decoded triggers are kept in memory, so that
	// jobs that fire often are not decoded each time. Zero means 4,096,
	// negative none.
	TriggerCache int
}

// Store is a jobcenter.JobStore in a SQL database.
type Store struct {
	db       *sqlkit.DB
	owned    bool // Close closes db
	flavor   sqlbuilder.Flavor
	triggers triggerCache
	statements
}

var _ jobcenter.JobStore = (*Store)(nil)

// Open opens the database that a URL names, makes or upgrades its tables, and
// returns a store that owns it. Allowed are
//
//	sqlite:PATH, or a bare path
//	postgres://USER:PASSWORD@HOST:PORT/DATABASE?sslmode=…
//	mysql://USER:PASSWORD@HOST:PORT/DATABASE?tls=…
//
// and the schemes postgresql and mariadb. A new file of SQLite can be read by
// its owner alone, and its folder must exist; so must the database of a server,
// where the user may make tables. A database that a newer version of this
// package wrote is refused.
func Open(ctx context.Context, url string, opts Options) (*Store, error) {
	db, err := sqlkit.Open(ctx, url)
	if err != nil {
		return nil, fmt.Errorf("sqlstore: %w", err)
	}
	store, err := New(ctx, db, opts)
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	store.owned = true
	return store, nil
}

// New makes or upgrades the store's tables in a database that is the caller's
// to close, after the store.
func New(ctx context.Context, db *sqlkit.DB, opts Options) (*Store, error) {
	if err := sqlkit.Migrate(ctx, db, files, "engine"); err != nil {
		return nil, fmt.Errorf("sqlstore: %w", err)
	}
	store := &Store{db: db, flavor: sqlbuilder.SQLite, triggers: newTriggerCache(opts.TriggerCache)}
	switch db.Dialect {
	case sqlkit.Postgres:
		store.flavor = sqlbuilder.PostgreSQL
	case sqlkit.MySQL:
		store.flavor = sqlbuilder.MySQL
	default:
	}
	if err := store.prepare(ctx, db); err != nil {
		return nil, fmt.Errorf("sqlstore: %w", errors.Join(err, store.closeStatements()))
	}
	return store, nil
}

// Close frees what the store holds; the database only if Open opened it.
func (s *Store) Close() error {
	if s.owned && s.db.Dialect != sqlkit.SQLite {
		return s.db.Close() // its statements end with it; the server is not told of each
	}
	err := s.closeStatements()
	if s.owned {
		err = errors.Join(err, s.db.Close())
	}
	return err
}

// write runs work in a transaction. With SQLite, its context is for the
// beginning and the commit only: work is short, and the driver starts a
// goroutine for each statement that can be cancelled.
func (s *Store) write(ctx context.Context, work func(ctx context.Context, tx transaction) error) error {
	err := s.db.InTx(ctx, func(tx *sql.Tx) error {
		if s.db.Dialect == sqlkit.SQLite {
			return work(context.WithoutCancel(ctx), transaction{tx: tx})
		}
		return work(ctx, transaction{tx: tx, server: true})
	})
	if err != nil && ctx.Err() != nil && !errors.Is(err, ctx.Err()) {
		// The transaction was rolled back under the statement's feet; its
		// error only says how far it had got.
		return fmt.Errorf("%w: %w", ctx.Err(), err)
	}
	return err
}

// transaction runs prepared statements in a transaction, which closes them
// when it ends.
type transaction struct {
	tx     *sql.Tx
	server bool
}

func (t transaction) exec(ctx context.Context, stmt *sql.Stmt, args ...any) (sql.Result, error) {
	if t.server {
		clean(args)
	}
	return t.tx.StmtContext(ctx, stmt).ExecContext(ctx, args...)
}

func (t transaction) query(ctx context.Context, stmt *sql.Stmt, args ...any) (*sql.Rows, error) {
	return t.tx.StmtContext(ctx, stmt).QueryContext(ctx, args...)
}

func (t transaction) queryRow(ctx context.Context, stmt *sql.Stmt, args ...any) *sql.Row {
	return t.tx.StmtContext(ctx, stmt).QueryRowContext(ctx, args...)
}

// lock waits until rows are locked, in the order of their ids, and returns the
// ids of those that are there. Where the transaction holds the whole database,
// there is nothing to lock.
func (t transaction) lock(ctx context.Context, stmt *sql.Stmt, ids []string) (map[string]bool, error) {
	if stmt == nil || len(ids) == 0 {
		return nil, nil
	}
	return t.take(ctx, stmt, slices.Compact(slices.Sorted(slices.Values(ids))))
}

// take locks rows and returns the ids of those that it got.
func (t transaction) take(ctx context.Context, stmt *sql.Stmt, ids []string) (map[string]bool, error) {
	rows, err := t.query(ctx, stmt, jsonList(ids))
	if err != nil {
		return nil, err
	}
	return idSet(rows)
}

// idSet reads and closes rows of ids.
func idSet(rows *sql.Rows) (map[string]bool, error) {
	defer func() { _ = rows.Close() }()
	set := map[string]bool{}
	for rows.Next() {
		var id string
		if err := rows.Scan(&id); err != nil {
			return nil, err
		}
		set[id] = true
	}
	return set, rows.Err()
}
