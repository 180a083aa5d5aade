package sqlstore_test

import (
	"context"
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

// can takes everything that these tests make.
func can() jobcenter.Can {
	return jobcenter.Can{Tasks: []string{"task", "work"}, Executors: []string{"", "default"}}
}

func addJob(ctx context.Context, store jobcenter.JobStore, jobs ...jobcenter.Job) error {
	return store.AddJobs(ctx, func() ([]jobcenter.Job, error) { return jobs, nil })
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
