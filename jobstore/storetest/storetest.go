// Package storetest holds the suite that every job store passes: each promise
// in the comments of jobcenter.JobStore, tried on a real store.
//
//	func TestStore(t *testing.T) {
//		storetest.Run(t, func(t *testing.T) jobcenter.JobStore { return openMine(t, t.TempDir()) })
//		storetest.RunDurable(t, func(t *testing.T, dir string) jobcenter.JobStore { return openMine(t, dir) })
//		storetest.RunDamaged(t, func(t *testing.T) jobcenter.JobStore { return openMine(t, t.TempDir()) }, damageMine)
//	}
//
// Run is for every store, RunDurable for those that outlive the process, and
// RunDamaged for those of them that can damage what they have stored. The
// tests run in parallel, each on a store of its own.
package storetest

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/jobcenter-go/jobcenter"
	"github.com/jobcenter-go/jobcenter/trigger"
)

// What the jobs of the suite do, and where most and some of their runs are
// carried out.
const (
	task = "task"
	pool = jobcenter.DefaultExecutor
	slow = "slow"
)

// tests are those of one concern, by name.
type tests map[string]func(*testing.T, jobcenter.JobStore)

// Run runs the suite. open returns a new, empty store, which the suite closes.
func Run(t *testing.T, open func(t *testing.T) jobcenter.JobStore) {
	t.Helper()
	for group, tests := range map[string]tests{
		"jobs":    jobTests(),
		"values":  valueTests(),
		"claim":   claimTests(),
		"queue":   queueTests(),
		"limits":  limitTests(),
		"record":  recordTests(),
		"retries": retryTests(),
		"stop":    stopTests(),
		"joblist": jobListTests(),
		"runlist": runListTests(),
		"nodes":   nodeTests(),
		"several": severalTests(),
		"context": contextTests(),
	} {
		runGroup(t, group, tests, open)
	}
}

func runGroup(t *testing.T, group string, tests tests, open func(t *testing.T) jobcenter.JobStore) {
	t.Helper()
	t.Run(group, func(t *testing.T) {
		t.Parallel()
		for name, test := range tests {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				store := open(t)
				t.Cleanup(func() { closeStore(t, store) })
				test(t, store)
			})
		}
	})
}

func closeStore(t *testing.T, store jobcenter.JobStore) {
	t.Helper()
	if err := store.Close(); err != nil {
		t.Errorf("close: %v", err)
	}
}

// base is the instant that the suite counts from.
func base() time.Time { return time.Date(2026, 11, 6, 8, 30, 0, 0, time.UTC) }

// at is base and some seconds.
func at(seconds int) time.Time { return base().Add(time.Duration(seconds) * time.Second) }

// late is an instant after all others of the suite.
func late() time.Time { return at(1_000_000) }

// can says what the suite's caller can take: its task, on both executors.
func can() jobcenter.Can {
	return jobcenter.Can{Tasks: []string{task}, Executors: []string{pool, slow}}
}

// newJob is a sound job that is due at an instant.
func newJob(t *testing.T, id string, due time.Time) jobcenter.Job {
	t.Helper()
	every, err := trigger.NewInterval(time.Minute, trigger.Options{Start: base()})
	if err != nil {
		t.Fatal(err)
	}
	return jobcenter.Job{
		ID: id, Name: "Job " + id, Task: task, Trigger: every, Executor: pool, Coalesce: jobcenter.CoalesceLatest,
		Overlap: jobcenter.OverlapSkip, MaxInstances: 1, Version: 1, NextFireTime: due, CreatedAt: base(), UpdatedAt: base(),
	}
}

// manyJobs are jobs that are due at once, with ids that count from job000.
func manyJobs(t *testing.T, n int, due time.Time) []jobcenter.Job {
	t.Helper()
	jobs := make([]jobcenter.Job, n)
	for i := range jobs {
		jobs[i] = newJob(t, fmt.Sprintf("job%03d", i), due)
	}
	return jobs
}

// runID is the id that the suite gives the run of a fire time: a UUID of
// version 7, as those of the scheduler are, but always the same one.
func runID(jobID, series string, fire time.Time) string {
	b := sha256.Sum256(fmt.Appendf(nil, "%s\n%s\n%d", jobID, series, fire.UnixMicro()))
	binary.BigEndian.PutUint64(b[:8], uint64(max(fire.UnixMilli(), 0))<<16|uint64(b[6])<<8|uint64(b[7]))
	b[6] = b[6]&0x0f | 0x70
	b[8] = b[8]&0x3f | 0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[0:4], b[4:6], b[6:8], b[8:10], b[10:16])
}

// newRun is a run of one fire time, as a scheduler would write it.
func newRun(jobID string, fire time.Time, state jobcenter.RunState) jobcenter.Run {
	run := jobcenter.Run{
		ID: runID(jobID, "", fire), JobID: jobID, JobVersion: 1, FireTime: fire, LastFireTime: fire, FireCount: 1,
		Origin: jobcenter.OriginSchedule, State: state, Executor: pool, Turn: fire,
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

// inSeries is a run as one of a backfill.
func inSeries(run jobcenter.Run, series string) jobcenter.Run {
	run.Series, run.Origin = series, jobcenter.OriginBackfill
	run.ID = runID(run.JobID, series, run.FireTime)
	return run
}

// another is a second run of the same fire time.
func another(run jobcenter.Run) jobcenter.Run {
	run.ID = runID(run.JobID, run.Series+" again", run.FireTime)
	return run
}

// these is an AddJobs callback.
func these(jobs ...jobcenter.Job) func() ([]jobcenter.Job, error) {
	return func() ([]jobcenter.Job, error) { return jobs, nil }
}

// addJobs stores jobs.
func addJobs(t *testing.T, store jobcenter.JobStore, jobs ...jobcenter.Job) {
	t.Helper()
	if err := store.AddJobs(t.Context(), these(jobs...)); err != nil {
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

// update changes a job.
func update(t *testing.T, store jobcenter.JobStore, id string, change func(*jobcenter.Job)) jobcenter.Job {
	t.Helper()
	job, err := store.UpdateJob(t.Context(), id, func(job jobcenter.Job, _ jobcenter.Active) (jobcenter.Job, []jobcenter.Run, error) {
		change(&job)
		return job, nil, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return job
}

// remove removes a job.
func remove(t *testing.T, store jobcenter.JobStore, id string, last ...jobcenter.Run) {
	t.Helper()
	if err := store.RemoveJob(t.Context(), id, func(jobcenter.Job) []jobcenter.Run { return last }); err != nil {
		t.Fatal(err)
	}
}

// claim claims jobs, each of which gets the next minute and a running run.
func claim(t *testing.T, store jobcenter.JobStore, now time.Time, limit int) []jobcenter.Claimed {
	t.Helper()
	return claimAs(t, store, now, limit, runAndAdvance)
}

// claimAs claims jobs and lets decide say what becomes of them.
func claimAs(t *testing.T, store jobcenter.JobStore, now time.Time, limit int, decide func(jobcenter.Job, jobcenter.Active) jobcenter.Decision) []jobcenter.Claimed {
	t.Helper()
	claimed, err := store.Claim(t.Context(), can(), now, limit, decide)
	if err != nil {
		t.Fatal(err)
	}
	return claimed
}

func runAndAdvance(job jobcenter.Job, _ jobcenter.Active) jobcenter.Decision {
	return jobcenter.Decision{
		Next: job.NextFireTime.Add(time.Minute), Previous: job.NextFireTime,
		Runs: []jobcenter.Run{newRun(job.ID, job.NextFireTime, jobcenter.RunRunning)},
	}
}

// take starts up to limit runs that are queued for the pool, all at one instant.
func take(t *testing.T, store jobcenter.JobStore, now time.Time, limit int) []jobcenter.Run {
	t.Helper()
	taken, _ := takeFor(t, store, pool, now, limit)
	return taken
}

func takeFor(t *testing.T, store jobcenter.JobStore, executor string, now time.Time, limit int) (taken []jobcenter.Run, next time.Time) {
	t.Helper()
	claimed, next, err := store.TakeQueued(t.Context(), can(), executor, now, limit, startAt(now))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range claimed {
		for _, run := range c.Runs {
			if run.JobID != c.Job.ID {
				t.Errorf("run of job %s came with job %s", run.JobID, c.Job.ID)
			}
		}
	}
	return claimedRuns(claimed), next
}

// startAt is a TakeQueued callback that starts runs on this node.
func startAt(now time.Time) func(jobcenter.Job, jobcenter.Run) jobcenter.Run {
	return func(_ jobcenter.Job, run jobcenter.Run) jobcenter.Run {
		run.State, run.Attempt, run.Node, run.StartedAt = jobcenter.RunRunning, run.Attempt+1, "node", now
		return run
	}
}

func record(t *testing.T, store jobcenter.JobStore, records jobcenter.Records) {
	t.Helper()
	if err := store.Record(t.Context(), records); err != nil {
		t.Fatal(err)
	}
}

// succeeded are runs as they end well.
func succeeded(ended time.Time, runs ...jobcenter.Run) []jobcenter.Run {
	runs = slices.Clone(runs)
	for i := range runs {
		runs[i].State, runs[i].EndedAt = jobcenter.RunSucceeded, ended
	}
	return runs
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

// activeOf is what a store tells of the runs of a job that go on.
func activeOf(t *testing.T, store jobcenter.JobStore, id string) jobcenter.Active {
	t.Helper()
	var told jobcenter.Active
	_, err := store.UpdateJob(t.Context(), id, func(job jobcenter.Job, active jobcenter.Active) (jobcenter.Job, []jobcenter.Run, error) {
		told = active
		return job, nil, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return told
}

// nextDue is the instant that NextDue gives, zero for none.
func nextDue(t *testing.T, store jobcenter.JobStore, can jobcenter.Can) time.Time {
	t.Helper()
	due, ok, err := store.NextDue(t.Context(), can)
	if err != nil {
		t.Fatal(err)
	}
	if ok == due.IsZero() {
		t.Errorf("NextDue: %v, %v", due, ok)
	}
	return due
}

// countQueued is how many runs are queued for an executor.
func countQueued(t *testing.T, store jobcenter.JobStore, executor string, limit int) int {
	t.Helper()
	n, err := store.CountQueued(t.Context(), executor, limit)
	if err != nil {
		t.Fatal(err)
	}
	return n
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

// names are runs in order, as people would write them: the job, and the
// seconds of the fire time.
func names(runs []jobcenter.Run) []string {
	var all []string
	for _, run := range runs {
		all = append(all, fmt.Sprintf("%s %g", run.JobID, run.FireTime.Sub(base()).Seconds()))
	}
	return all
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
// location, empty lists as no lists. What a job has that only this process
// can have is not looked at.
func diff(want, got any) string {
	return cmp.Diff(want, got, cmpopts.EquateEmpty(),
		cmpopts.IgnoreUnexported(jobcenter.Job{}), cmpopts.IgnoreFields(jobcenter.Job{}, "Func"),
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
