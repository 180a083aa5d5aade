package sqlkit

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"github.com/pressly/goose/v3"
)

// ErrNewerSchema says that the database was last used by a newer program.
var ErrNewerSchema = errors.New("the database is from a newer version of this program")

// migrateTries bounds how often Migrate begins anew because another process
// was migrating the same database at the same time.
const migrateTries = 5

// Migrate brings the tables of one component up to date with the numbered
// files of its dialect's folder. Each migration is one transaction. The table
// jobcenter_schema_COMPONENT keeps which were applied, so that components
// that share a database migrate apart. A database that is ahead of the files
// is left as it is: ErrNewerSchema.
func Migrate(ctx context.Context, db *DB, files fs.FS, component string) error {
	if err := migrate(ctx, db, files, component); err != nil {
		return fmt.Errorf("migrate %s tables: %w", component, err)
	}
	return nil
}

func migrate(ctx context.Context, db *DB, files fs.FS, component string) error {
	folder, err := fs.Sub(files, string(db.Dialect))
	if err != nil {
		return err
	}
	dialect, err := db.Dialect.goose()
	if err != nil {
		return err
	}
	table := "jobcenter_schema_" + component
	provider, err := goose.NewProvider(dialect, db.Write, folder,
		goose.WithTableName(table),
		goose.WithExcludeNames([]string{queriesFile}),
		goose.WithDisableGlobalRegistry(true))
	if err != nil {
		return err
	}
	for range migrateTries {
		var current, target int64
		current, target, err = provider.GetVersions(ctx)
		switch {
		case err != nil:
			continue
		case current > target:
			return fmt.Errorf("%w: its schema has version %d, this program knows versions up to %d; use the newer program, or a backup from before the upgrade",
				ErrNewerSchema, current, target)
		case current == target:
			return nil
		}
		// goose writes the version in the migration's own transaction: if it
		// may be written once only, then of two processes that apply the same
		// migration one is rolled back, begins anew and finds it done.
		_, err = db.Write.ExecContext(ctx, "CREATE UNIQUE INDEX IF NOT EXISTS "+table+"_once ON "+table+" (version_id)")
		if err == nil {
			_, err = provider.Up(ctx)
		}
	}
	return err
}

func (d Dialect) goose() (goose.Dialect, error) {
	if d == SQLite {
		return goose.DialectSQLite3, nil
	}
	return "", fmt.Errorf("unknown dialect %q, allowed: %q", d, SQLite)
}
