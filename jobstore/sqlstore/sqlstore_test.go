package sqlstore_test

import (
	"context"
	"path/filepath"
	"sync"
	"testing"

	"github.com/jobcenter-go/jobcenter"
	"github.com/jobcenter-go/jobcenter/jobstore/sqlstore"
	"github.com/jobcenter-go/jobcenter/jobstore/storetest"
)

// openIn opens the SQLite store in a folder.
func openIn(tb testing.TB, dir string) *sqlstore.Store {
	tb.Helper()
	return openURL(tb, "sqlite:"+filepath.Join(dir, "jobs.db"))
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
	onEach(t, func(t *testing.T, on *server) {
		storetest.Run(t, func(t *testing.T) jobcenter.JobStore {
			t.Helper()
			return on.open(t)
		})
		var mu sync.Mutex
		urls := map[string]string{} // by folder
		storetest.RunDurable(t, func(t *testing.T, dir string) jobcenter.JobStore {
			t.Helper()
			mu.Lock()
			defer mu.Unlock()
			if urls[dir] == "" {
				urls[dir] = on.create(t)
			}
			return openURL(t, urls[dir])
		})
	})
}
