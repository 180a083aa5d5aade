package sqlstore_test

import (
	"context"
	"crypto/rand"
	"database/sql"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/jobcenter-go/jobcenter/internal/sqlkit"
	"github.com/jobcenter-go/jobcenter/jobstore/sqlstore"
)

// server makes databases of one kind, as far as the machine has it. Those of a
// server are emptied and used again, because making one takes long.
type server struct {
	kind     string
	variable string // holds the URL; empty for SQLite, which needs no server

	mu   sync.Mutex
	made []string // all names
	free []string // URLs of those that no test uses
}

// servers are all kinds, the one that needs no server first. A test runs once
// for each, and begins with start.
func servers() []*server {
	return []*server{{kind: "sqlite"}, {kind: "postgres", variable: "JOBCENTER_TEST_POSTGRES"}, {kind: "mysql", variable: "JOBCENTER_TEST_MYSQL"}}
}

// start skips the test where there is no server, and has its databases dropped
// when it has ended.
func (s *server) start(tb testing.TB) {
	tb.Helper()
	if s.variable != "" && os.Getenv(s.variable) == "" {
		tb.Skip(s.variable + " is not set")
	}
	tb.Cleanup(func() {
		for _, name := range s.made {
			drop := "DROP DATABASE " + name
			if s.kind == "postgres" {
				drop += " WITH (FORCE)" // the server may not know yet that a process was killed
			}
			execOn(tb, os.Getenv(s.variable), drop)
		}
	})
}

// create returns the URL of an empty database that is the test's own.
func (s *server) create(tb testing.TB) string {
	tb.Helper()
	if s.variable == "" {
		return "sqlite:" + filepath.Join(tb.TempDir(), "jobs.db")
	}
	own := s.reuse()
	if own == "" {
		own = s.createNew(tb)
	}
	tb.Cleanup(func() {
		empty(tb, own)
		s.mu.Lock()
		defer s.mu.Unlock()
		s.free = append(s.free, own)
	})
	return own
}

func (s *server) reuse() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.free) == 0 {
		return ""
	}
	last := s.free[len(s.free)-1]
	s.free = s.free[:len(s.free)-1]
	return last
}

// createNew makes a database that no test has used.
func (s *server) createNew(tb testing.TB) string {
	tb.Helper()
	if s.variable == "" {
		return s.create(tb)
	}
	own, err := url.Parse(os.Getenv(s.variable))
	if err != nil {
		tb.Fatal(s.variable + " is no URL")
	}
	name := "jobcenter_test_" + strings.ToLower(rand.Text())
	execOn(tb, own.String(), "CREATE DATABASE "+name)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.made = append(s.made, name)
	own.Path = "/" + name
	return own.String()
}

// open opens a store in a database of its own.
func (s *server) open(tb testing.TB) *sqlstore.Store {
	tb.Helper()
	return openURL(tb, s.create(tb))
}

func openURL(tb testing.TB, url string) *sqlstore.Store {
	tb.Helper()
	store, err := sqlstore.Open(tb.Context(), url, sqlstore.Options{})
	if err != nil {
		tb.Fatal(err)
	}
	return store
}

// empty deletes all rows of a store's tables.
func empty(tb testing.TB, url string) {
	tb.Helper()
	execOn(tb, url, "DELETE FROM jobcenter_job", "DELETE FROM jobcenter_run", "DELETE FROM jobcenter_node", "DELETE FROM jobcenter_limit_key")
}

// execOn runs statements in one transaction, behind a store's back.
func execOn(tb testing.TB, url string, statements ...string) {
	tb.Helper()
	db, err := sqlkit.Open(context.Background(), url)
	if err != nil {
		tb.Fatal(err)
	}
	defer closeIt(tb, db)
	ctx := context.Background()
	if len(statements) == 1 { // such as CREATE DATABASE, which PostgreSQL allows in no transaction
		if _, err := db.Write.ExecContext(ctx, statements[0]); err != nil {
			tb.Fatal(err)
		}
		return
	}
	if err := db.InTx(ctx, func(tx *sql.Tx) error {
		for _, statement := range statements {
			if _, err := tx.ExecContext(ctx, statement); err != nil {
				return err
			}
		}
		return nil
	}); err != nil {
		tb.Fatal(err)
	}
}
