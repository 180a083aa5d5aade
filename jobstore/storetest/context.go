package storetest

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/jobcenter-go/jobcenter"
)

func contextTests() tests {
	return tests{
		"one that has ended":          contextEnded,
		"one that ends in a claim":    contextEndsInClaim,
		"one that ends in a callback": contextEndsInCallbacks,
	}
}

// contextEnded calls every method with a context that has ended: none does
// anything.
func contextEnded(t *testing.T, store jobcenter.JobStore) {
	job := newJob(t, "a", at(1))
	job.MaxInstances = 9
	addJobs(t, store, job)
	queued, running := newRun("a", at(2), jobcenter.RunQueued), newRun("a", at(3), jobcenter.RunRunning)
	running.Node = "n1"
	addRuns(t, store, "a", queued, running)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for name, call := range map[string]func() error{
		"AddJobs": func() error { return store.AddJobs(ctx, these(newJob(t, "b", at(1)))) },
		"Job":     func() error { _, err := store.Job(ctx, "a"); return err },
		"Jobs":    func() error { _, err := store.Jobs(ctx, jobcenter.JobQuery{}); return err },
		"UpdateJob": func() error {
			_, err := store.UpdateJob(ctx, "a", func(job jobcenter.Job, _ jobcenter.Active) (jobcenter.Job, []jobcenter.Run, error) {
				job.Name = "changed"
				return job, []jobcenter.Run{newRun("a", at(9), jobcenter.RunSkipped)}, nil
			})
			return err
		},
		"RemoveJob": func() error { return store.RemoveJob(ctx, "a", func(jobcenter.Job) []jobcenter.Run { return nil }) },
		"NextDue":   func() error { _, _, err := store.NextDue(ctx, can()); return err },
		"Claim":     func() error { _, err := store.Claim(ctx, can(), at(9), 1, runAndAdvance); return err },
		"TakeQueued": func() error {
			_, _, err := store.TakeQueued(ctx, can(), pool, at(9), 1, startAt(at(9)))
			return err
		},
		"CountQueued": func() error { _, err := store.CountQueued(ctx, pool, 1); return err },
		"Record": func() error {
			return store.Record(ctx, jobcenter.Records{
				Output: []jobcenter.Chunk{chunk(running, 0, "x")}, Ends: succeeded(at(9), running),
				Carries: []jobcenter.Carry{{RunID: running.ID, JobID: "a", Attempt: 1, Carried: []byte(`1`)}},
			})
		},
		"RequestStop": func() error { _, err := store.RequestStop(ctx, queued.ID, "me", at(9)); return err },
		"Held":        func() error { _, err := store.Held(ctx, "n1"); return err },
		"Run":         func() error { _, err := store.Run(ctx, queued.ID); return err },
		"Runs":        func() error { _, err := store.Runs(ctx, jobcenter.RunQuery{}); return err },
		"LastRuns":    func() error { _, err := store.LastRuns(ctx, []string{"a"}); return err },
		"Output":      func() error { _, err := store.Output(ctx, queued.ID, 0, 1); return err },
		"Heartbeat":   func() error { return store.Heartbeat(ctx, "n1", at(1000)) },
		"Orphans":     func() error { _, err := store.Orphans(ctx, "", at(1), 1); return err },
	} {
		if err := call(); !errors.Is(err, context.Canceled) {
			t.Errorf("%s: error %v, want context.Canceled", name, err)
		}
	}
	checkSame(t, "jobs", []string{"a"}, listJobs(t, store, jobcenter.JobQuery{}))
	checkSame(t, "job", job, getJob(t, store, "a"))
	checkSame(t, "runs", []jobcenter.Run{running, queued}, allRuns(t, store, jobcenter.RunQuery{}))
	checkSame(t, "output", []jobcenter.Chunk(nil), output(t, store, running.ID))
	checkSame(t, "orphans", []string{running.ID}, orphans(t, store, "", at(1), 10)) // no lease was taken
	checkSame(t, "held", []jobcenter.Hold{{RunID: running.ID, Attempt: 1}}, held(t, store, "n1"))
}

// contextEndsInClaim has a context end while the store is at work, which
// leaves all or nothing.
func contextEndsInClaim(t *testing.T, store jobcenter.JobStore) {
	addJobs(t, store, newJob(t, "a", at(1)))
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
		_, runErr := store.Run(t.Context(), runID("a", "", before.NextFireTime))
		advanced, written := !after.NextFireTime.Equal(before.NextFireTime), runErr == nil
		if advanced != written || advanced != (err == nil) || advanced != (len(claimed) == 1) {
			t.Errorf("claim: %v; the job advanced: %v, its run is written: %v, claimed: %d", err, advanced, written, len(claimed))
		}
	}
}

// contextEndsInCallbacks has a context end while a callback decides.
func contextEndsInCallbacks(t *testing.T, store jobcenter.JobStore) {
	addJobs(t, store, newJob(t, "a", at(1)))
	queued := newRun("a", at(1), jobcenter.RunQueued)
	addRuns(t, store, "a", queued)

	ctx, cancel := context.WithCancel(t.Context())
	err := store.AddJobs(ctx, func() ([]jobcenter.Job, error) {
		cancel()
		return manyJobs(t, 20, at(1)), nil
	})
	if ids := listJobs(t, store, jobcenter.JobQuery{}); len(ids) != 1 && len(ids) != 21 || (err == nil) != (len(ids) == 21) {
		t.Errorf("add: %v, and there are %d jobs", err, len(ids))
	}

	ctx, cancel = context.WithCancel(t.Context())
	taken, _, err := store.TakeQueued(ctx, can(), pool, at(9), 1, func(job jobcenter.Job, run jobcenter.Run) jobcenter.Run {
		cancel()
		return startAt(at(9))(job, run)
	})
	if run := getRun(t, store, queued.ID); (run.State == jobcenter.RunRunning) != (err == nil) || len(taken) > 0 != (err == nil) {
		t.Errorf("take: %v, taken %d, and the run is %s", err, len(taken), run.State)
	}

	ctx, cancel = context.WithCancel(t.Context())
	span := newRun("a", at(5), jobcenter.RunSkipped)
	err = store.RemoveJob(ctx, "a", func(jobcenter.Job) []jobcenter.Run {
		cancel()
		return []jobcenter.Run{span}
	})
	_, jobErr := store.Job(t.Context(), "a")
	_, runErr := store.Run(t.Context(), span.ID)
	if removed := errors.Is(jobErr, jobcenter.ErrJobNotFound); removed != (err == nil) || removed != (runErr == nil) {
		t.Errorf("remove: %v; the job: %v, its last row: %v", err, jobErr, runErr)
	}
}
