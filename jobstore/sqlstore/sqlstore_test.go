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
	for _, on := range servers() {
		t.Run(on.kind, func(t *testing.T) {
			t.Parallel()
			on.start(t)
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
}

// What may start is found behind any number of runs that may not.
func TestQueueBehindWhatIsFull(t *testing.T) {
	t.Parallel()
	for _, on := range servers() {
		t.Run(on.kind, func(t *testing.T) {
			t.Parallel()
			on.start(t)
			store := on.open(t)
			defer closeIt(t, store)
			fillQueue(t, store)
			var asked []string
			taken, _, err := store.TakeQueued(t.Context(), can(), jobcenter.DefaultExecutor, base(), 5, func(job jobcenter.Job, run jobcenter.Run) jobcenter.Run {
				asked = append(asked, job.ID)
				run.State, run.Attempt = jobcenter.RunRunning, run.Attempt+1
				return run
			})
			if err != nil || len(taken) != 1 || taken[0].Job.ID != "free" || len(asked) != 1 {
				t.Errorf("taken %d runs, asked about %v, %v; want that of the free job alone", len(taken), asked, err)
			}
		})
	}
}
