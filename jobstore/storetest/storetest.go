// Package storetest holds the suite that every job store passes: each promise
// in the comments of jobcenter.JobStore, tried on a real store.
//
//	func TestStore(t *testing.T) {
//		storetest.Run(t, func(t *testing.T) jobcenter.JobStore { return openMine(t, t.TempDir()) })
//		storetest.RunDurable(t, func(t *testing.T, dir string) jobcenter.JobStore { return openMine(t, dir) })
//	}
package storetest

import (
	"bytes"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/jobcenter-go/jobcenter"
	"github.com/jobcenter-go/jobcenter/trigger"
)

// task is what the jobs of the suite do, and what it claims.
const task = "task"

// Run runs the suite. open returns a new, empty store, which the suite closes.
func Run(t *testing.T, open func(t *testing.T) jobcenter.JobStore) {
	t.Helper()
	groups := map[string]map[string]func(*testing.T, jobcenter.JobStore){
		"jobs":    jobTests(),
		"claim":   claimTests(),
		"queue":   queueTests(),
		"record":  recordTests(),
		"joblist": jobListTests(),
		"runlist": runListTests(),
		"nodes":   nodeTests(),
		"several": concurrencyTests(),
	}
	for group, tests := range groups {
		t.Run(group, func(t *testing.T) {
			t.Parallel()
			for name, test := range tests {
				t.Run(name, func(t *testing.T) {
					t.Parallel()
					store := open(t)
					t.Cleanup(func() {
						if err := store.Close(); err != nil {
							t.Errorf("close: %v", err)
						}
					})
					test(t, store)
				})
			}
		})
	}
}

// base is the instant that the suite counts from.
func base() time.Time { return time.Date(2026, 11, 6, 8, 30, 0, 0, time.UTC) }

// at is base and some seconds.
func at(seconds int) time.Time { return base().Add(time.Duration(seconds) * time.Second) }

// newJob is a sound job that is due at an instant.
func newJob(t *testing.T, id string, due time.Time) jobcenter.Job {
	t.Helper()
	every, err := trigger.NewInterval(time.Minute, trigger.Options{Start: base()})
	if err != nil {
		t.Fatal(err)
	}
	return jobcenter.Job{
		ID: id, Name: "Job " + id, Task: task, Trigger: every, Executor: jobcenter.DefaultExecutor, Coalesce: jobcenter.CoalesceLatest,
		Overlap: jobcenter.OverlapSkip, MaxInstances: 1, Version: 1, NextFireTime: due, CreatedAt: base(), UpdatedAt: base(),
	}
}

// newRun is a run of one fire time, as a scheduler would write it.
func newRun(jobID string, fire time.Time, state jobcenter.RunState) jobcenter.Run {
	run := jobcenter.Run{
		ID: fmt.Sprintf("%s/%d", jobID, fire.UnixMicro()), JobID: jobID, JobVersion: 1, FireTime: fire, LastFireTime: fire, FireCount: 1,
		Origin: jobcenter.OriginSchedule, State: state, Executor: jobcenter.DefaultExecutor,
	}
	switch state {
	case jobcenter.RunQueued, jobcenter.RunMissed, jobcenter.RunSkipped:
	case jobcenter.RunRunning, jobcenter.RunSucceeded, jobcenter.RunFailed, jobcenter.RunTimedOut, jobcenter.RunStopped, jobcenter.RunLost:
		run.Attempt, run.Node, run.StartedAt = 1, "node", fire.Add(time.Millisecond)
	}
	if state.Final() {
		run.EndedAt = fire.Add(2 * time.Millisecond)
	}
	return run
}

// can says what the suite's caller can take: task, on both executors.
func can() jobcenter.Can {
	return jobcenter.Can{Tasks: []string{task}, Executors: []string{jobcenter.DefaultExecutor, "slow"}}
}

// late is an instant after all others of the suite.
func late() time.Time { return at(1_000_000) }

// addJobs stores jobs.
func addJobs(t *testing.T, store jobcenter.JobStore, jobs ...jobcenter.Job) {
	t.Helper()
	if err := store.AddJobs(t.Context(), func() ([]jobcenter.Job, error) { return jobs, nil }); err != nil {
		t.Fatal(err)
	}
}

// addRuns inserts runs of a job that is in the store.
func addRuns(t *testing.T, store jobcenter.JobStore, jobID string, runs ...jobcenter.Run) {
	t.Helper()
	_, err := store.UpdateJob(t.Context(), jobID, func(job jobcenter.Job, _ jobcenter.Active) (jobcenter.Job, []jobcenter.Run, error) {
		return job, runs, nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// claim claims jobs, each of which gets the next minute and a running run.
func claim(t *testing.T, store jobcenter.JobStore, now time.Time, limit int) []jobcenter.Claimed {
	t.Helper()
	claimed, err := store.Claim(t.Context(), can(), now, limit, runAndAdvance)
	if err != nil {
		t.Fatal(err)
	}
	return claimed
}

func runAndAdvance(job jobcenter.Job, _ jobcenter.Active) jobcenter.Decision {
	return jobcenter.Decision{
		Next: job.NextFireTime.Add(time.Minute),
		Runs: []jobcenter.Run{newRun(job.ID, job.NextFireTime, jobcenter.RunRunning)},
	}
}

func getJob(t *testing.T, store jobcenter.JobStore, id string) jobcenter.Job {
	t.Helper()
	job, err := store.Job(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	return job
}

func getRun(t *testing.T, store jobcenter.JobStore, id string) jobcenter.Run {
	t.Helper()
	run, err := store.Run(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	return run
}

// allRuns returns every run that a query keeps, page by page.
func allRuns(t *testing.T, store jobcenter.JobStore, q jobcenter.RunQuery) []jobcenter.Run {
	t.Helper()
	var all []jobcenter.Run
	for {
		page, err := store.Runs(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, page.Runs...)
		if page.NextCursor == "" {
			return all
		}
		checkEndless(t, len(all))
		q.Cursor = page.NextCursor
	}
}

// checkEndless ends a test whose pages go round in circles.
func checkEndless(t *testing.T, items int) {
	t.Helper()
	if items > 5000 {
		t.Fatal("the pages have no end")
	}
}

// jobIDs are the ids of what was claimed, in order.
func jobIDs(claimed []jobcenter.Claimed) []string {
	var ids []string
	for _, c := range claimed {
		ids = append(ids, c.Job.ID)
	}
	return ids
}

// runIDs are the ids of runs, in order.
func runIDs(runs []jobcenter.Run) []string {
	var ids []string
	for _, run := range runs {
		ids = append(ids, run.ID)
	}
	return ids
}

// claimedRuns are all runs that were claimed.
func claimedRuns(claimed []jobcenter.Claimed) []jobcenter.Run {
	var runs []jobcenter.Run
	for _, c := range claimed {
		runs = append(runs, c.Runs...)
	}
	return runs
}

// diff tells two values apart: triggers by their JSON, instants with their
// location, empty lists as no lists.
func diff(want, got any) string {
	return cmp.Diff(want, got, cmpopts.EquateEmpty(), cmpopts.IgnoreUnexported(jobcenter.Job{}), cmpopts.IgnoreFields(jobcenter.Job{}, "Func"),
		// What is large is compared as a whole: to find the difference takes longer than the test.
		cmp.FilterValues(func(a, b []byte) bool { return len(a) > 1000 && len(b) > 1000 }, cmp.Comparer(bytes.Equal)),
		cmp.Comparer(func(a, b time.Time) bool { return a.Equal(b) && a.Location() == b.Location() }),
		cmp.Comparer(func(a, b trigger.Trigger) bool { return triggerText(a) == triggerText(b) }))
}

func triggerText(t trigger.Trigger) string {
	if t == nil {
		return ""
	}
	text, err := trigger.Marshal(t)
	if err != nil {
		return err.Error()
	}
	return string(text)
}

func checkSame(t *testing.T, what string, want, got any) {
	t.Helper()
	if d := diff(want, got); d != "" {
		t.Errorf("%s (-want +got):\n%s", what, d)
	}
}
