// Package sqlstore keeps jobs, runs and output in a SQL database: SQLite so far.
//
// Everything that belongs together is one transaction that takes the write
// lock when it begins, so any number of schedulers, in one process or in
// several, may share a database. Commits are durable: what a method returned
// without an error survives the death of the process and the loss of power.
package sqlstore

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"

	"github.com/jobcenter-go/jobcenter"
	"github.com/jobcenter-go/jobcenter/internal/sqlkit"
)

//go:embed sqlite/*.sql
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
	triggers triggerCache
	statements
}

var _ jobcenter.JobStore = (*Store)(nil)

// Open opens the database that a URL names, makes or upgrades its tables, and
// returns a store that owns it. Allowed are "sqlite:PATH" and a bare path; a
// new file can be read by its owner alone, and its folder must exist. A
// database that a newer version of this package wrote is refused.
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
	store := &Store{db: db, triggers: newTriggerCache(opts.TriggerCache)}
	if err := store.prepare(ctx, db); err != nil {
		return nil, fmt.Errorf("sqlstore: %w", errors.Join(err, store.closeStatements()))
	}
	return store, nil
}

// Close frees what the store holds; the database only if Open opened it.
func (s *Store) Close() error {
	err := s.closeStatements()
	if s.owned {
		err = errors.Join(err, s.db.Close())
	}
	return err
}

// write runs work in a transaction. Its context is for the beginning and the
// commit only: work is short, and the driver starts a goroutine for each
// statement that can be cancelled.
func (s *Store) write(ctx context.Context, work func(ctx context.Context, tx transaction) error) error {
	err := s.db.InTx(ctx, func(tx *sql.Tx) error {
		return work(context.WithoutCancel(ctx), transaction{tx})
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
type transaction struct{ tx *sql.Tx }

func (t transaction) exec(ctx context.Context, stmt *sql.Stmt, args ...any) (sql.Result, error) {
	return t.tx.StmtContext(ctx, stmt).ExecContext(ctx, args...)
}

func (t transaction) query(ctx context.Context, stmt *sql.Stmt, args ...any) (*sql.Rows, error) {
	return t.tx.StmtContext(ctx, stmt).QueryContext(ctx, args...)
}

func (t transaction) queryRow(ctx context.Context, stmt *sql.Stmt, args ...any) *sql.Row {
	return t.tx.StmtContext(ctx, stmt).QueryRowContext(ctx, args...)
}
