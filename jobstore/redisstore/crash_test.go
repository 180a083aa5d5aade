package redisstore_test

import (
	"context"
	"flag"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jobcenter-go/jobcenter"
	"github.com/jobcenter-go/jobcenter/jobstore/redisstore"
)

// crashes is how often TestCrash kills the server; -crashes 200 for a long night.
var crashes = flag.Int("crashes", 5, "how often TestCrash kills the server that is written to") //nolint:gochecknoglobals // a flag of the test

const (
	crashJobs = 20
	claimers  = 4
)

// TestCrash kills the server with SIGKILL in the middle of claims and ends,
// again and again, and starts it anew while they go on. In the end each fire
// has its row, and each row is known to the one who claimed it: a claim whose
// reply was lost with the server is told of when the server is back.
func TestCrash(t *testing.T) {
	t.Parallel()
	dir, port := t.TempDir(), freePort(t)
	durable := []string{"--appendonly", "yes", "--appendfsync", "always"}
	s := startServer(t, dir, port, durable...)
	store := open(t, s.url, redisstore.Options{Timeout: time.Minute})
	defer func() { _ = store.Close() }()
	if warnings := store.Warnings(); len(warnings) > 0 {
		t.Errorf("warnings: %q", warnings)
	}
	for i := range crashJobs {
		add(t, store, minutely(t, fmt.Sprintf("job%02d", i)))
	}
	w := &writers{store: store, told: map[string]jobcenter.RunState{}, news: make(chan struct{}, 1)}
	var group sync.WaitGroup
	for claimer := range claimers {
		group.Go(func() { w.write(t, 1+3*claimer) })
	}
	for range *crashes {
		w.await(60)
		s.kill()
		s = startServer(t, dir, port, durable...)
	}
	w.await(60)
	w.done.Store(true)
	group.Wait()
	checkIndexes(t.Context(), t, connect(t, s.url), redisstore.DefaultPrefix)
	checkCrashed(t, store, w.told)
}

// writers claim and record, and note what they were told.
type writers struct {
	store *redisstore.Store
	done  atomic.Bool
	news  chan struct{} // one slot: that something was told

	mu   sync.Mutex
	told map[string]jobcenter.RunState
	n    int // how much was told since it was asked for
}

// await returns when something has been told so often.
func (w *writers) await(times int) {
	w.mu.Lock()
	w.n = 0
	w.mu.Unlock()
	for range w.news {
		w.mu.Lock()
		n := w.n
		w.mu.Unlock()
		if n >= times {
			return
		}
	}
}

func (w *writers) note(t *testing.T, state jobcenter.RunState, runs []jobcenter.Run) {
	t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, run := range runs {
		if state == jobcenter.RunRunning && w.told[run.ID] != "" {
			t.Errorf("run %s was claimed twice", run.ID)
		}
		w.told[run.ID] = state
		w.n++
	}
	select {
	case w.news <- struct{}{}:
	default:
	}
}

func (w *writers) write(t *testing.T, limit int) {
	t.Helper()
	for !w.done.Load() {
		// It may not get as far as the decision, and so change nothing.
		claimed, err := w.store.Claim(context.Background(), can(), base().AddDate(100, 0, 0), limit, advance)
		if err != nil {
			continue
		}
		var records jobcenter.Records
		for _, c := range claimed {
			w.note(t, jobcenter.RunRunning, c.Runs)
			for _, run := range c.Runs {
				run.State, run.EndedAt, run.OutputSize = jobcenter.RunSucceeded, run.StartedAt, int64(len(run.ID))
				records.Output = append(records.Output, jobcenter.Chunk{RunID: run.ID, Attempt: 1, Data: []byte(run.ID)})
				records.Ends = append(records.Ends, run)
			}
		}
		if err := w.store.Record(context.Background(), records); err != nil {
			t.Errorf("record: %v", err)
			continue
		}
		w.note(t, jobcenter.RunSucceeded, records.Ends)
	}
}

// checkCrashed reads all jobs and runs: they must agree with each other and
// with what was said to be written.
func checkCrashed(t *testing.T, store *redisstore.Store, told map[string]jobcenter.RunState) {
	t.Helper()
	stored := map[string]bool{}
	for i := range crashJobs {
		id := fmt.Sprintf("job%02d", i)
		job, err := store.Job(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		fire := job.NextFireTime // of the run to come, newest first
		for run := range allRuns(t, store, jobcenter.RunQuery{JobID: id, Limit: 500}) {
			fire = fire.Add(-time.Minute)
			if !run.FireTime.Equal(fire) {
				t.Errorf("run %s has fire time %v, want %v: each one once, up to the job's next", run.ID, run.FireTime, fire)
				return
			}
			stored[run.ID] = true
			if told[run.ID] == "" {
				t.Errorf("nobody was told of run %s", run.ID)
			}
			checkCrashedRun(t, store, run, told[run.ID])
		}
		if !fire.Equal(base()) {
			t.Errorf("%s: the runs begin at %v, want %v", id, fire, base())
		}
	}
	for id := range told {
		if !stored[id] {
			t.Errorf("run %s was said to be written and is gone", id)
		}
	}
}

func checkCrashedRun(t *testing.T, store *redisstore.Store, run jobcenter.Run, told jobcenter.RunState) {
	t.Helper()
	if run.State != told {
		t.Errorf("run %s is %s, %s was said to be written", run.ID, run.State, told)
	}
	chunks, err := store.Output(t.Context(), run.ID, 0, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	if ended := run.State == jobcenter.RunSucceeded; ended != (len(chunks) == 1 && string(chunks[0].Data) == run.ID && run.OutputSize == int64(len(run.ID))) {
		t.Errorf("run %s is %s with %d chunks of output, size %d: output and end belong together", run.ID, run.State, len(chunks), run.OutputSize)
	}
}

// allRuns goes through the runs that a query keeps, page by page.
func allRuns(t *testing.T, store *redisstore.Store, q jobcenter.RunQuery) func(yield func(jobcenter.Run) bool) {
	t.Helper()
	return func(yield func(jobcenter.Run) bool) {
		for {
			page, err := store.Runs(t.Context(), q)
			if err != nil {
				t.Fatal(err)
			}
			for _, run := range page.Runs {
				if !yield(run) {
					return
				}
			}
			if q.Cursor = page.NextCursor; q.Cursor == "" {
				return
			}
		}
	}
}
