package storetest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/jobcenter-go/jobcenter"
)

func concurrencyTests() map[string]func(*testing.T, jobcenter.JobStore) {
	return map[string]func(*testing.T, jobcenter.JobStore){
		"claims at the same time":  concurrentClaims,
		"changes at the same time": concurrentChanges,
		"starts at the same time":  concurrentStarts,
		"a context that has ended": endedContext,
	}
}

const claimers = 8

func concurrentClaims(t *testing.T, store jobcenter.JobStore) {
	const jobs, fires = 40, 6
	for i := range jobs {
		addJobs(t, store, newJob(t, fmt.Sprintf("job%02d", i), at(0)))
	}
	end := at(60 * (fires - 1))
	var mu sync.Mutex
	claims := map[string]int{} // by run
	var group sync.WaitGroup
	for range claimers {
		group.Go(func() {
			for {
				claimed, err := store.Claim(context.Background(), can(), end, 7, runAndAdvance)
				if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				for _, run := range claimedRuns(claimed) {
					claims[run.ID]++
				}
				mu.Unlock()
				if len(claimed) == 0 {
					return
				}
			}
		})
	}
	group.Wait()
	for i := range jobs {
		id := fmt.Sprintf("job%02d", i)
		checkSame(t, "next fire time of "+id, at(60*fires), getJob(t, store, id).NextFireTime)
		for fire := range fires {
			if n := claims[newRun(id, at(60*fire), jobcenter.RunRunning).ID]; n != 1 {
				t.Errorf("fire %d of %s was claimed %d times", fire, id, n)
			}
		}
	}
	if runs := allRuns(t, store, jobcenter.RunQuery{Limit: 500}); len(runs) != jobs*fires || len(claims) != jobs*fires {
		t.Errorf("%d runs stored, %d claimed; want %d", len(runs), len(claims), jobs*fires)
	}
}

func concurrentChanges(t *testing.T, store jobcenter.JobStore) {
	const each = 20
	addJobs(t, store, newJob(t, "a", at(1)))
	var group sync.WaitGroup
	for claimer := range claimers {
		group.Go(func() {
			for i := range each {
				_, err := store.UpdateJob(context.Background(), "a", func(job jobcenter.Job, _ jobcenter.Active) (jobcenter.Job, []jobcenter.Run, error) {
					job.Version++
					return job, []jobcenter.Run{newRun("a", at(claimer*each+i), jobcenter.RunSkipped)}, nil
				})
				if err != nil {
					t.Error(err)
				}
				if _, err := store.Jobs(context.Background(), jobcenter.JobQuery{}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	group.Wait()
	if got := getJob(t, store, "a").Version; got != 1+claimers*each {
		t.Errorf("version %d, want %d: changes were lost", got, 1+claimers*each)
	}
	if runs := allRuns(t, store, jobcenter.RunQuery{Limit: 500}); len(runs) != claimers*each {
		t.Errorf("%d runs, want %d", len(runs), claimers*each)
	}
}

func concurrentStarts(t *testing.T, store jobcenter.JobStore) {
	const runs = 60
	job := newJob(t, "a", at(1))
	job.MaxInstances = runs / 2
	addJobs(t, store, job)
	for i := range runs {
		addRuns(t, store, "a", newRun("a", at(i), jobcenter.RunQueued))
	}
	var mu sync.Mutex
	starts := map[string]int{}
	var group sync.WaitGroup
	for range claimers {
		group.Go(func() {
			for range runs {
				claimed, _, err := store.TakeQueued(context.Background(), can(), jobcenter.DefaultExecutor, late(), 3, startRun)
				if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				for _, run := range claimedRuns(claimed) {
					starts[run.ID]++
				}
				mu.Unlock()
			}
		})
	}
	group.Wait()
	if len(starts) != runs/2 {
		t.Errorf("%d runs were started, want %d: MaxInstances", len(starts), runs/2)
	}
	for id, n := range starts {
		if n != 1 {
			t.Errorf("%s was started %d times", id, n)
		}
	}
}

func endedContext(t *testing.T, store jobcenter.JobStore) {
	job := newJob(t, "a", at(1))
	addJobs(t, store, job)
	queued := newRun("a", at(2), jobcenter.RunQueued)
	addRuns(t, store, "a", queued)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	change := func(job jobcenter.Job, _ jobcenter.Active) (jobcenter.Job, []jobcenter.Run, error) {
		return job, nil, nil
	}
	end := queued
	end.State = jobcenter.RunStopped
	calls := map[string]func() error{
		"AddJobs": func() error {
			return store.AddJobs(ctx, func() ([]jobcenter.Job, error) { return []jobcenter.Job{newJob(t, "b", at(1))}, nil })
		},
		"Job":       func() error { _, err := store.Job(ctx, "a"); return err },
		"Jobs":      func() error { _, err := store.Jobs(ctx, jobcenter.JobQuery{}); return err },
		"UpdateJob": func() error { _, err := store.UpdateJob(ctx, "a", change); return err },
		"RemoveJob": func() error { return store.RemoveJob(ctx, "a", func(jobcenter.Job) []jobcenter.Run { return nil }) },
		"NextDue":   func() error { _, _, err := store.NextDue(ctx, can()); return err },
		"Claim":     func() error { _, err := store.Claim(ctx, can(), at(9), 1, runAndAdvance); return err },
		"TakeQueued": func() error {
			_, _, err := store.TakeQueued(ctx, can(), jobcenter.DefaultExecutor, late(), 1, startRun)
			return err
		},
		"Record":    func() error { return store.Record(ctx, jobcenter.Records{Ends: []jobcenter.Run{end}}) },
		"Run":       func() error { _, err := store.Run(ctx, queued.ID); return err },
		"Runs":      func() error { _, err := store.Runs(ctx, jobcenter.RunQuery{}); return err },
		"LastRuns":  func() error { _, err := store.LastRuns(ctx, []string{"a"}); return err },
		"Output":    func() error { _, err := store.Output(ctx, queued.ID, 0, 1); return err },
		"Heartbeat": func() error { return store.Heartbeat(ctx, "n1", at(1000)) },
		"Orphans":   func() error { _, err := store.Orphans(ctx, "", at(1), 1); return err },
	}
	for name, call := range calls {
		if err := call(); !errors.Is(err, context.Canceled) {
			t.Errorf("%s: error %v, want context.Canceled", name, err)
		}
	}
	checkSame(t, "jobs", []string{"a"}, listJobs(t, store, jobcenter.JobQuery{}))
	checkSame(t, "job", job, getJob(t, store, "a"))
	checkSame(t, "runs", []jobcenter.Run{queued}, allRuns(t, store, jobcenter.RunQuery{}))
	onNode := newRun("a", at(3), jobcenter.RunRunning)
	onNode.Node = "n1"
	addRuns(t, store, "a", onNode)
	checkSame(t, "orphans", []string{onNode.ID}, orphans(t, store, "", at(1), 10))

	// A context that ends while the store is at work leaves all or nothing.
	for i := range 20 {
		ctx, cancel := context.WithTimeout(t.Context(), time.Duration(i)*100*time.Microsecond)
		before := getJob(t, store, "a")
		claimed, err := store.Claim(ctx, can(), before.NextFireTime, 1, func(job jobcenter.Job, active jobcenter.Active) jobcenter.Decision {
			if i%4 == 0 {
				cancel()
			}
			return runAndAdvance(job, active)
		})
		cancel()
		if err != nil && !errors.Is(err, context.Canceled) && !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("claim: error %v, want that of the context", err)
		}
		after := getJob(t, store, "a")
		run := newRun("a", before.NextFireTime, jobcenter.RunRunning)
		_, runErr := store.Run(t.Context(), run.ID)
		advanced, written := !after.NextFireTime.Equal(before.NextFireTime), runErr == nil
		if advanced != written || advanced != (err == nil) || advanced != (len(claimed) == 1) {
			t.Errorf("claim: %v; the job advanced: %v, its run is written: %v, claimed: %d", err, advanced, written, len(claimed))
		}
	}
}
