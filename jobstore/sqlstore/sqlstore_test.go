package sqlstore_test

import (
	"path/filepath"
	"testing"

	"github.com/jobcenter-go/jobcenter"
	"github.com/jobcenter-go/jobcenter/jobstore/sqlstore"
	"github.com/jobcenter-go/jobcenter/jobstore/storetest"
)

// openIn opens the store in a folder.
func openIn(tb testing.TB, dir string) *sqlstore.Store {
	tb.Helper()
	store, err := sqlstore.Open(tb.Context(), "sqlite:"+filepath.Join(dir, "jobs.db"), sqlstore.Options{})
	if err != nil {
		tb.Fatal(err)
	}
	return store
}

func TestStore(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T) jobcenter.JobStore {
		t.Helper()
		return openIn(t, t.TempDir())
	})
	storetest.RunDurable(t, func(t *testing.T, dir string) jobcenter.JobStore {
		t.Helper()
		return openIn(t, dir)
	})
}
