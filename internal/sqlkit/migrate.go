package sqlkit

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/pressly/goose/v3"
)

// ErrNewerSchema says that the database was last used by a newer program.
var ErrNewerSchema = errors.New("the database is from a newer version of this program")

// migrateTries bounds how often Migrate begins anew because another process
// was migrating the same SQLite database at the same time.
const migrateTries = 5

// Migrate brings the tables of one component up to date with the numbered
// files of its dialect's folder. The table jobcenter_schema_COMPONENT keeps
// which were applied, so that components that share a database migrate apart.
// A database that is ahead of the files is left as it is: ErrNewerSchema.
//
// Each migration is one transaction. MySQL has none for its tables: there,
// each statement of a migration must be safe to repeat, as CREATE TABLE IF NOT
// EXISTS is. Of several processes that migrate at once, one does.
func Migrate(ctx context.Context, db *DB, files fs.FS, component string) error {
	if err := migrate(ctx, db, files, component); err != nil {
		return fmt.Errorf("migrate %s tables: %w", component, err)
	}
	return nil
}

func migrate(ctx context.Context, db *DB, files fs.FS, component string) error {
	if _, err := fs.Stat(files, string(db.Dialect)); errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("they cannot be kept in a %s database yet, allowed: %s", db.Dialect, strings.Join(dialectsOf(files), ", "))
	}
	folder, err := fs.Sub(files, string(db.Dialect))
	if err != nil {
		return err
	}
	table := "jobcenter_schema_" + component
	return db.Patient(func(pool *sql.DB) error {
		unlock, err := lockSchema(ctx, db.Dialect, pool)
		if err != nil {
			return fmt.Errorf("lock: %w", err)
		}
		defer unlock()
		provider, err := goose.NewProvider(db.Dialect.goose(), pool, folder,
			goose.WithTableName(table),
			goose.WithExcludeNames([]string{queriesFile}),
			goose.WithDisableGlobalRegistry(true))
		if err != nil {
			return err
		}
		return up(ctx, db.Dialect, pool, provider, table)
	})
}

// dialectsOf are those that a component has tables for.
func dialectsOf(files fs.FS) []string {
	var dialects []string
	for _, dialect := range []Dialect{SQLite, Postgres, MySQL} {
		if _, err := fs.Stat(files, string(dialect)); err == nil {
			dialects = append(dialects, string(dialect))
		}
	}
	return dialects
}

func up(ctx context.Context, dialect Dialect, pool *sql.DB, provider *goose.Provider, table string) (err error) {
	for range migrateTries {
		var current, target int64
		current, target, err = provider.GetVersions(ctx)
		switch {
		case err != nil && dialect == SQLite:
			continue
		case err != nil:
			return err
		case current > target:
			return fmt.Errorf("%w: its schema has version %d, this program knows versions up to %d; use the newer program, or a backup from before the upgrade",
				ErrNewerSchema, current, target)
		case current == target:
			return nil
		}
		if dialect != SQLite {
			_, err = provider.Up(ctx)
			return err
		}
		// goose writes the version in the migration's own transaction: if it
		// may be written once only, then of two processes that apply the same
		// migration one is rolled back, begins anew and finds it done.
		_, err = pool.ExecContext(ctx, "CREATE UNIQUE INDEX IF NOT EXISTS "+table+"_once ON "+table+" (version_id)")
		if err == nil {
			_, err = provider.Up(ctx)
		}
	}
	return err
}

// schemaLock is the number of PostgreSQL's lock, which is of one database.
const schemaLock = 0x6a6f6263656e7472

// lockSchema waits until no other process migrates the database of a server.
// The lock ends with the connection, and thus with the process.
func lockSchema(ctx context.Context, dialect Dialect, pool *sql.DB) (unlock func(), err error) {
	if dialect == SQLite {
		return func() {}, nil
	}
	conn, err := pool.Conn(ctx)
	if err != nil {
		return nil, err
	}
	free := "SELECT pg_advisory_unlock($1)"
	args := []any{schemaLock}
	switch dialect {
	case Postgres:
		_, err = conn.ExecContext(ctx, "SELECT pg_advisory_lock($1)", args...)
	default:
		// MySQL's is of the whole server.
		free, args = "SELECT RELEASE_LOCK(concat('jobcenter ', md5(database())))", nil
		var got sql.NullInt64
		for err == nil && got.Int64 != 1 {
			err = conn.QueryRowContext(ctx, "SELECT GET_LOCK(concat('jobcenter ', md5(database())), 60)").Scan(&got)
			if err == nil && !got.Valid {
				err = errors.New("GET_LOCK failed")
			}
		}
	}
	if err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return func() {
		_, _ = conn.ExecContext(context.WithoutCancel(ctx), free, args...)
		_ = conn.Close()
	}, nil
}
