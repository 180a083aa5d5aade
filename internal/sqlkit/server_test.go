package sqlkit_test

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/fstest"

	"github.com/jobcenter-go/jobcenter/internal/sqlkit"
)

// servers are the kinds of server, and what names one of each.
func servers() map[string]string {
	return map[string]string{"postgres": "JOBCENTER_TEST_POSTGRES", "mysql": "JOBCENTER_TEST_MYSQL"}
}

// newDatabase makes a database, which ends with the test, and returns its URL.
func newDatabase(t *testing.T, variable string) string {
	t.Helper()
	text := os.Getenv(variable)
	if text == "" {
		t.Skip(variable + " is not set")
	}
	own, err := url.Parse(text)
	if err != nil {
		t.Fatal(variable + " is no URL")
	}
	server := open(t, text)
	name := "jobcenter_test_" + strings.ToLower(rand.Text())
	mustExec(t, server, "CREATE DATABASE "+name)
	t.Cleanup(func() {
		if _, err := server.Write.ExecContext(context.Background(), "DROP DATABASE "+name); err != nil {
			t.Error(err)
		}
	})
	own.Path = "/" + name
	return own.String()
}

func TestRebind(t *testing.T) {
	t.Parallel()
	const query = "SELECT ? WHERE a = ? AND b IN (?)"
	for dialect, want := range map[sqlkit.Dialect]string{
		sqlkit.SQLite: query, sqlkit.MySQL: query, sqlkit.Postgres: "SELECT $1 WHERE a = $2 AND b IN ($3)",
	} {
		if got := dialect.Rebind(query); got != want {
			t.Errorf("%s: %s, want %s", dialect, got, want)
		}
	}
}

func TestOpenRefusesURLsOfServers(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ url, want string }{
		"a slash in the password": {"postgres://u:sec/ret@h/db", "written as %40"},
		"a hash in the password":  {"mysql://u:sec#ret@h/db", "written as %40"},
		"a bad port":              {"postgres://u:secret@h:port/db", "written as %40"},
		"a bad escape":            {"mysql://u:secret%zz@h/db", "written as %40"},
		"a bad sslmode":           {"postgres://u:secret@h/db?sslmode=maybe", "sslmode"},
		"no database":             {"mysql://u:secret@h", "the name of the database is missing"},
		"no host":                 {"mysql:///db", "the host is missing"},
		"an unknown parameter":    {"mysql://u:secret@h/db?parseTime=true", `unknown parameter "parseTime", allowed: tls, socket`},
		"an unknown tls":          {"mysql://u:secret@h/db?tls=maybe", "allowed: true, false, skip-verify, preferred"},
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
			if strings.Contains(err.Error(), "sec") && !strings.Contains(test.url, "sslmode") || strings.Contains(err.Error(), "secret") {
				t.Errorf("error %q repeats the password", err)
			}
		})
	}
}

func TestOpenWithoutAServer(t *testing.T) {
	t.Parallel()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := listener.Addr().String()
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	for _, scheme := range []string{"postgres", "mysql"} {
		_, err := sqlkit.Open(t.Context(), scheme+"://u:secret@"+address+"/db")
		if err == nil || !strings.Contains(err.Error(), scheme+"://"+address+"/db") || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: error %v, want one that names the server without the password", scheme, err)
		}
	}
}

func TestServerRefusesThePassword(t *testing.T) {
	t.Parallel()
	for kind, variable := range servers() {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			text := newDatabase(t, variable)
			wrong, err := url.Parse(text)
			if err != nil {
				t.Fatal(err)
			}
			wrong.User = url.UserPassword("jobcenter_nobody", "secret-word")
			db, err := sqlkit.Open(t.Context(), wrong.String())
			if err == nil {
				_ = db.Close()
				t.Fatal("an unknown user was let in")
			}
			if strings.Contains(err.Error(), "secret-word") {
				t.Errorf("error %q repeats the password", err)
			}
		})
	}
}

func TestServerSessions(t *testing.T) {
	t.Parallel()
	for kind, variable := range servers() {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			url := newDatabase(t, variable)
			db := open(t, url)
			settings := map[string]string{
				"SHOW transaction_isolation":               "read committed",
				"SHOW lock_timeout":                        "10s",
				"SHOW application_name":                    "jobcenter",
				"SHOW idle_in_transaction_session_timeout": "2min",
			}
			if db.Dialect == sqlkit.MySQL {
				settings = map[string]string{
					"SELECT @@sql_mode LIKE '%STRICT_ALL_TABLES%'": "1",
					"SELECT @@collation_connection":                "utf8mb4_bin",
					"SELECT @@innodb_lock_wait_timeout":            "10",
					"SELECT @@session.wait_timeout":                "120",
				}
			}
			for query, want := range settings {
				var got string
				if err := db.Write.QueryRowContext(t.Context(), query).Scan(&got); err != nil || got != want {
					t.Errorf("%s: %q, %v; want %q", query, got, err, want)
				}
			}
			// What another transaction commits is seen by the next statement.
			mustExec(t, db, "CREATE TABLE thing (id INTEGER)")
			if err := db.InTx(t.Context(), func(tx *sql.Tx) error {
				for want := range 3 {
					var got int
					if err := tx.QueryRowContext(t.Context(), "SELECT count(*) FROM thing").Scan(&got); err != nil {
						return err
					}
					if got != want {
						t.Errorf("%d rows, want %d", got, want)
					}
					mustExec(t, db, "INSERT INTO thing VALUES (1)")
				}
				return nil
			}); err != nil {
				t.Fatal(err)
			}
		})
	}
}

// Two transactions that wait for each other both come through.
func TestInTxTriesAgainAfterADeadlock(t *testing.T) {
	t.Parallel()
	for kind, variable := range servers() {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			url := newDatabase(t, variable)
			db := open(t, url)
			mustExec(t, db, "CREATE TABLE thing (id INTEGER PRIMARY KEY, n INTEGER)")
			mustExec(t, db, "INSERT INTO thing VALUES (0, 0), (1, 0)")
			var both, done sync.WaitGroup
			both.Add(2)
			tries := make([]int, 2)
			for first := range 2 {
				done.Go(func() {
					err := db.InTx(context.Background(), func(tx *sql.Tx) error {
						tries[first]++
						for _, id := range []int{first, 1 - first} {
							if _, err := tx.ExecContext(context.Background(), fmt.Sprintf("UPDATE thing SET n = n + 1 WHERE id = %d", id)); err != nil {
								return fmt.Errorf("wrapped: %w", err)
							}
							if id == first && tries[first] == 1 { // both have a row before either wants the other's
								both.Done()
								both.Wait()
							}
						}
						return nil
					})
					if err != nil {
						t.Error(err)
					}
				})
			}
			done.Wait()
			var sum int
			if err := db.Read.QueryRowContext(t.Context(), "SELECT sum(n) FROM thing").Scan(&sum); err != nil || sum != 4 {
				t.Errorf("sum %d, %v; want 4", sum, err)
			}
			if tries[0]+tries[1] < 3 {
				t.Errorf("tries %v: there was no deadlock", tries)
			}
		})
	}
}

func TestInTxOnServers(t *testing.T) {
	t.Parallel()
	for kind, variable := range servers() {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			url := newDatabase(t, variable)
			db := open(t, url)
			mustExec(t, db, "CREATE TABLE thing (id INTEGER)")
			sad := errors.New("sad")
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			for _, want := range []error{nil, sad, context.Canceled} {
				err := db.InTx(ctx, func(tx *sql.Tx) error {
					if _, err := tx.ExecContext(ctx, "INSERT INTO thing VALUES (1)"); err != nil {
						return err
					}
					if want == sad { //nolint:errorlint // it is the very one
						return sad
					}
					if want != nil {
						cancel()
					}
					return nil
				})
				if !errors.Is(err, want) {
					t.Errorf("InTx = %v, want %v", err, want)
				}
			}
			if got := count(t, db, "thing"); got != 1 {
				t.Errorf("%d rows, want the one that was committed", got)
			}
		})
	}
}

func serverMigrations(upTo int) fstest.MapFS {
	files := fstest.MapFS{}
	for _, dialect := range []sqlkit.Dialect{sqlkit.Postgres, sqlkit.MySQL} {
		for version := 1; version <= upTo; version++ {
			text := "-- +goose Up\n"
			if version == 1 {
				text += "CREATE TABLE IF NOT EXISTS step (id INTEGER);\n"
			}
			text += fmt.Sprintf("INSERT INTO step VALUES (%d);\n", version)
			files[fmt.Sprintf("%s/%03d_step.sql", dialect, version)] = &fstest.MapFile{Data: []byte(text)}
		}
	}
	return files
}

func TestMigrateServers(t *testing.T) {
	t.Parallel()
	for kind, variable := range servers() {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			url := newDatabase(t, variable)
			var group sync.WaitGroup
			for range 4 { // at once, each with connections of its own
				group.Go(func() {
					db, err := sqlkit.Open(context.Background(), url)
					if err != nil {
						t.Error(err)
						return
					}
					if err := errors.Join(sqlkit.Migrate(context.Background(), db, serverMigrations(2), "engine"), db.Close()); err != nil {
						t.Error(err)
					}
				})
			}
			group.Wait()
			db := open(t, url)
			if got := count(t, db, "step"); got != 2 {
				t.Fatalf("%d steps, want 2: each once", got)
			}
			for _, version := range []int{2, 3, 3} {
				if err := sqlkit.Migrate(t.Context(), db, serverMigrations(version), "engine"); err != nil {
					t.Fatal(err)
				}
				if got := count(t, db, "step"); got != version {
					t.Errorf("%d steps after migrating to version %d", got, version)
				}
			}
			err := sqlkit.Migrate(t.Context(), db, serverMigrations(2), "engine")
			if !errors.Is(err, sqlkit.ErrNewerSchema) {
				t.Errorf("error %v, want ErrNewerSchema", err)
			}
			// A component without tables for the server says for what it has some.
			err = sqlkit.Migrate(t.Context(), db, migrations(1), "account")
			if err == nil || !strings.Contains(err.Error(), "allowed: sqlite") {
				t.Errorf("error %v, want one that names what is allowed", err)
			}
		})
	}
}

// A migration that another process has in hand is waited for, unless the
// context ends.
func TestMigrateStopsWaiting(t *testing.T) {
	t.Parallel()
	for kind, variable := range servers() {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			url := newDatabase(t, variable)
			db := open(t, url)
			conn, err := db.Write.Conn(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			lock := "SELECT pg_advisory_lock(7669456869478265970)"
			if db.Dialect == sqlkit.MySQL {
				lock = "SELECT GET_LOCK(concat('jobcenter ', md5(database())), 0)"
			}
			if _, err := conn.ExecContext(t.Context(), lock); err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithCancel(t.Context())
			done := make(chan error, 1)
			go func() { done <- sqlkit.Migrate(ctx, db, serverMigrations(1), "engine") }()
			waiting := "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
			if db.Dialect == sqlkit.MySQL {
				waiting = "SELECT count(*) FROM information_schema.processlist WHERE db = database() AND state LIKE '%lock%'"
			}
			for n := 0; n == 0; {
				if err := db.Read.QueryRowContext(t.Context(), waiting).Scan(&n); err != nil {
					t.Fatal(err)
				}
			}
			cancel()
			if err := <-done; !errors.Is(err, context.Canceled) {
				t.Errorf("error %v, want that of the context", err)
			}
			if err := conn.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}
