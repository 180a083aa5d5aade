package sqlkit_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/fstest"

	"github.com/jobcenter-go/jobcenter/internal/sqlkit"
)

func open(t *testing.T, url string) *sqlkit.DB {
	t.Helper()
	db, err := sqlkit.Open(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return db
}

func TestOpenMakesAPrivateFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	odd := filepath.Join(dir, "a b%20#?数据.db") // a name that a careless DSN would cut short
	for name, url := range map[string]string{
		"relative scheme": "sqlite:" + filepath.Join(dir, "one.db"),
		"absolute":        "sqlite://" + filepath.Join(dir, "two.db"),
		"upper case":      "SQLite:" + filepath.Join(dir, "three.db"),
		"bare path":       filepath.Join(dir, "four.db"),
		"odd path":        odd,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db := open(t, url)
			if _, err := db.Write.ExecContext(t.Context(), "CREATE TABLE thing (id INTEGER) STRICT"); err != nil {
				t.Fatal(err)
			}
			path := url[strings.LastIndex(url, ":")+1:]
			path = strings.Replace(path, "//", "/", 1)
			for _, suffix := range []string{"", "-wal", "-shm"} {
				info, err := os.Stat(path + suffix)
				if err != nil {
					t.Fatal(err)
				}
				if got := info.Mode().Perm(); got != 0o600 {
					t.Errorf("mode of %s = %o, want 600", path+suffix, got)
				}
			}
		})
	}
}

func TestOpenRefuses(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	text := filepath.Join(dir, "text.db")
	if err := os.WriteFile(text, []byte(strings.Repeat("this is no database\n", 100)), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct{ url, want string }{
		"unknown scheme": {"redis://u:secret@h", `unknown scheme "redis", allowed: sqlite:PATH, postgres://`},
		"empty":          {"", "path is empty"},
		"empty path":     {"sqlite:", "path is empty"},
		"memory":         {"sqlite::memory:", "not supported"},
		"host":           {"sqlite://data/jobs.db", "host is not supported"},
		"parameters":     {"sqlite:jobs.db?mode=ro", "parameters are not supported"},
		"missing folder": {"sqlite:" + filepath.Join(dir, "none", "jobs.db"), "no such file or directory"},
		"a folder":       {"sqlite:" + dir, "is a directory"},
		"not a database": {"sqlite:" + text, "file is not a database"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db, err := sqlkit.Open(t.Context(), test.url)
			if err == nil {
				_ = db.Close()
				t.Fatal("no error")
			}
			if !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %q does not contain %q", err, test.want)
			}
			if strings.Contains(err.Error(), "secret") {
				t.Errorf("error %q repeats the password", err)
			}
		})
	}
}

func TestSettings(t *testing.T) {
	t.Parallel()
	db := open(t, filepath.Join(t.TempDir(), "jobs.db"))
	for pragma, want := range map[string]string{
		"journal_mode": "wal", "synchronous": "2", "foreign_keys": "1", "busy_timeout": "10000", "cache_size": "-16000",
	} {
		var got string
		if err := db.Write.QueryRowContext(t.Context(), "PRAGMA "+pragma).Scan(&got); err != nil {
			t.Fatal(err)
		}
		if got != want {
			t.Errorf("%s = %s, want %s", pragma, got, want)
		}
	}
	if _, err := db.Read.ExecContext(t.Context(), "CREATE TABLE thing (id INTEGER)"); err == nil {
		t.Error("the read pool can write")
	}
}

func TestInTx(t *testing.T) {
	t.Parallel()
	db := open(t, filepath.Join(t.TempDir(), "jobs.db"))
	mustExec(t, db, "CREATE TABLE thing (id INTEGER) STRICT")
	sad := errors.New("sad")
	for _, want := range []error{nil, sad} {
		err := db.InTx(t.Context(), func(tx *sql.Tx) error {
			if _, err := tx.ExecContext(t.Context(), "INSERT INTO thing VALUES (1)"); err != nil {
				return err
			}
			return want
		})
		if !errors.Is(err, want) {
			t.Errorf("InTx = %v, want %v", err, want)
		}
	}
	if got := count(t, db, "thing"); got != 1 {
		t.Errorf("%d rows, want the one that was committed", got)
	}
}

func TestLoadQueries(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		text, want string
		names      []string
	}{
		"good":             {"-- all\n-- name: one\n-- why\nSELECT 1;\n\n-- name: two\nSELECT\n  2\n;", "", []string{"one", "two"}},
		"missing":          {"-- name: one\nSELECT 1;", `query "two" is missing`, []string{"one", "two"}},
		"unused":           {"-- name: one\nSELECT 1;", `query "one" is not used`, nil},
		"twice":            {"-- name: one\nSELECT 1;\n-- name: one\nSELECT 1;", `query name "one" is empty or written twice`, []string{"one"}},
		"empty":            {"-- name: one\n-- nothing", `query "one" is empty`, []string{"one"}},
		"no name":          {"-- name: \nSELECT 1", `query name "" is empty`, nil},
		"before the first": {"SELECT 1;\n-- name: one\nSELECT 1;", "line 1: a statement before", []string{"one"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			files := fstest.MapFS{"sqlite/queries.sql": {Data: []byte(test.text)}}
			queries, err := sqlkit.LoadQueries(files, sqlkit.SQLite, test.names...)
			if test.want != "" {
				if err == nil || !strings.Contains(err.Error(), test.want) {
					t.Errorf("error %v, want %q", err, test.want)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if queries["one"] != "SELECT 1" || queries["two"] != "SELECT\n2" {
				t.Errorf("queries = %q", queries)
			}
		})
	}
	if _, err := sqlkit.LoadQueries(fstest.MapFS{}, sqlkit.SQLite); err == nil {
		t.Error("a missing file is no error")
	}
}

// migrations makes a folder with migrations up to a version; each adds a row
// to the table that the first one creates.
func migrations(upTo int) fstest.MapFS {
	files := fstest.MapFS{"sqlite/queries.sql": {Data: []byte("not a migration")}}
	for version := 1; version <= upTo; version++ {
		text := "-- +goose Up\n"
		if version == 1 {
			text += "CREATE TABLE step (id INTEGER) STRICT;\n"
		}
		text += fmt.Sprintf("INSERT INTO step VALUES (%d);\n", version)
		files[fmt.Sprintf("sqlite/%03d_step.sql", version)] = &fstest.MapFile{Data: []byte(text)}
	}
	return files
}

func TestMigrate(t *testing.T) {
	t.Parallel()
	db := open(t, filepath.Join(t.TempDir(), "jobs.db"))
	for _, version := range []int{1, 1, 3, 3} {
		if err := sqlkit.Migrate(t.Context(), db, migrations(version), "engine"); err != nil {
			t.Fatal(err)
		}
		if got := count(t, db, "step"); got != version {
			t.Fatalf("%d steps after migrating to version %d", got, version)
		}
	}
	// Another component starts at its own beginning.
	other := fstest.MapFS{"sqlite/001_other.sql": {Data: []byte("-- +goose Up\nCREATE TABLE other (id INTEGER) STRICT;")}}
	if err := sqlkit.Migrate(t.Context(), db, other, "account"); err != nil {
		t.Fatal(err)
	}
	if got := count(t, db, "other"); got != 0 {
		t.Errorf("%d rows of the other component, want 0", got)
	}
}

func TestMigrateRefusesANewerSchema(t *testing.T) {
	t.Parallel()
	db := open(t, filepath.Join(t.TempDir(), "jobs.db"))
	if err := sqlkit.Migrate(t.Context(), db, migrations(3), "engine"); err != nil {
		t.Fatal(err)
	}
	err := sqlkit.Migrate(t.Context(), db, migrations(2), "engine")
	if !errors.Is(err, sqlkit.ErrNewerSchema) {
		t.Fatalf("error %v, want ErrNewerSchema", err)
	}
	if !strings.Contains(err.Error(), "version 3") || !strings.Contains(err.Error(), "up to 2") {
		t.Errorf("error %q does not name both versions", err)
	}
}

func TestMigrateLeavesNothingHalfDone(t *testing.T) {
	t.Parallel()
	db := open(t, filepath.Join(t.TempDir(), "jobs.db"))
	files := migrations(1)
	files["sqlite/002_bad.sql"] = &fstest.MapFile{Data: []byte("-- +goose Up\nINSERT INTO step VALUES (2);\nINSERT INTO nowhere VALUES (1);")}
	if err := sqlkit.Migrate(t.Context(), db, files, "engine"); err == nil {
		t.Fatal("a bad migration is no error")
	}
	if got := count(t, db, "step"); got != 1 {
		t.Errorf("%d steps, want 1: the bad migration must be undone, the good one kept", got)
	}
}

func TestOpenAndMigrateAtTheSameTime(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "jobs.db")
	var group sync.WaitGroup
	for range 6 {
		group.Go(func() {
			db, err := sqlkit.Open(context.Background(), path)
			if err != nil {
				t.Error(err)
				return
			}
			if err := sqlkit.Migrate(context.Background(), db, migrations(3), "engine"); err != nil {
				t.Error(err)
			}
			if err := db.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	if got := count(t, open(t, path), "step"); got != 3 {
		t.Errorf("%d steps, want 3", got)
	}
}

func mustExec(t *testing.T, db *sqlkit.DB, query string) {
	t.Helper()
	if _, err := db.Write.ExecContext(t.Context(), query); err != nil {
		t.Fatal(err)
	}
}

func count(t *testing.T, db *sqlkit.DB, table string) (n int) {
	t.Helper()
	if err := db.Read.QueryRowContext(t.Context(), "SELECT count(*) FROM "+table).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}
