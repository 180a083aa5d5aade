package redisstore_test

import (
	"context"
	"fmt"
	"io"
	"sync"
	"testing"
	"time"

	"github.com/jobcenter-go/jobcenter"
	"github.com/jobcenter-go/jobcenter/jobstore/redisstore"
	"github.com/jobcenter-go/jobcenter/trigger"
)

// TestSchedulers has two schedulers share a store: what the task did and what
// the ledger says must agree.
func TestSchedulers(t *testing.T) {
	t.Parallel()
	const jobs, enough = 5, 60
	prefix := newPrefix(t)
	ctx, stop := context.WithCancel(t.Context())
	var mu sync.Mutex
	did := map[string]int{} // by run
	work := jobcenter.TaskFunc(func(_ context.Context, run *jobcenter.RunContext) error {
		mu.Lock()
		defer mu.Unlock()
		if did[run.Run.ID]++; len(did) >= enough {
			stop()
		}
		_, err := io.WriteString(run.Stdout, run.Run.ID)
		return err
	})
	every, err := trigger.NewInterval(30*time.Millisecond, trigger.Options{Start: time.Now()})
	if err != nil {
		t.Fatal(err)
	}
	var group sync.WaitGroup
	for n := range 2 {
		store := open(t, serverURL(t), redisstore.Options{Prefix: prefix})
		defer func() { _ = store.Close() }()
		sched, err := jobcenter.New(jobcenter.Options{Store: store, Tasks: map[string]jobcenter.Task{"work": work}, Node: fmt.Sprint("node", n)})
		if err != nil {
			t.Fatal(err)
		}
		for i := range jobs {
			if n > 0 {
				break
			}
			if _, err := sched.Add(ctx, jobcenter.Job{ID: fmt.Sprint("job", i), Task: "work", Trigger: every, Coalesce: jobcenter.CoalesceAll, Overlap: jobcenter.OverlapQueueAll}); err != nil {
				t.Fatal(err)
			}
		}
		group.Go(func() {
			if err := sched.Run(ctx); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()

	store := open(t, serverURL(t), redisstore.Options{Prefix: prefix})
	defer func() { _ = store.Close() }()
	ran := 0
	fires := map[string]bool{}
	for run := range allRuns(t, store, jobcenter.RunQuery{Limit: 500}) {
		fire := run.JobID + run.FireTime.String()
		if fires[fire] {
			t.Errorf("%s is in the ledger twice", fire)
		}
		fires[fire] = true
		switch {
		case run.State == jobcenter.RunSucceeded:
			ran++
			if did[run.ID] != 1 {
				t.Errorf("run %s was carried out %d times, the ledger says once", run.ID, did[run.ID])
			}
			if chunks, err := store.Output(t.Context(), run.ID, 0, 100); err != nil || len(chunks) != 1 || string(chunks[0].Data) != run.ID {
				t.Errorf("output %+v, %v", chunks, err)
			}
		case did[run.ID] != 0:
			t.Errorf("run %s is %s, but was carried out", run.ID, run.State)
		}
	}
	if ran != len(did) || ran < enough {
		t.Errorf("%d runs succeeded, %d were carried out, at least %d wanted", ran, len(did), enough)
	}
}
