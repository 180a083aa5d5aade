package storetest

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/jobcenter-go/jobcenter"
	"github.com/jobcenter-go/jobcenter/trigger"
)

// RunDurable tests what a store keeps when it is closed and opened again, and
// when two are open at once, as in two processes. open opens the store whose
// data is in a folder, and must make it there the first time; a store that
// keeps its data elsewhere, such as on a server, goes by the folder's path as
// by a name.
func RunDurable(t *testing.T, open func(t *testing.T, dir string) jobcenter.JobStore) {
	t.Helper()
	t.Run("durable", func(t *testing.T) {
		t.Parallel()
		for name, test := range map[string]func(*testing.T, func() jobcenter.JobStore){
			"opened again":                 durableReopen,
			"queue and limits":             durableQueue,
			"pages":                        durablePages,
			"what only this process has":   durableRefuses,
			"each sees what the other did": durableTwo,
		} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				dir := t.TempDir()
				test(t, func() jobcenter.JobStore { return open(t, dir) })
			})
		}
		for name, test := range shared() {
			t.Run("two, "+name, func(t *testing.T) {
				t.Parallel()
				dir := t.TempDir()
				one, two := open(t, dir), open(t, dir)
				t.Cleanup(func() {
					closeStore(t, one)
					closeStore(t, two)
				})
				test(t, one, two)
			})
		}
	})
}

func durableReopen(t *testing.T, open func() jobcenter.JobStore) {
	store := open()
	full, due, paused := fullJob(t), newJob(t, "due", at(1)), newJob(t, "paused", at(1))
	paused.Paused = true
	addJobs(t, store, full, due, paused)
	claim(t, store, at(1), 10)
	due.NextFireTime, due.PreviousFireTime = at(61), at(1)
	run := newRun("due", at(1), jobcenter.RunRunning)
	queued, done := newRun("paused", at(5), jobcenter.RunQueued), fullRun("paused", at(9))
	addRuns(t, store, "paused", queued, done)
	written := chunk(run, 0, "\x00\xff bytes")
	record(t, store, jobcenter.Records{
		Output:  []jobcenter.Chunk{written},
		Carries: []jobcenter.Carry{{RunID: run.ID, JobID: "due", Attempt: 1, Carried: []byte(`{"n":1.50}`), Result: []byte(`2`)}},
	})
	due.Carried, due.LastResult = []byte(`{"n":1.50}`), []byte(`2`)
	run = stop(t, store, run.ID, "me", 3)
	heartbeat(t, store, "node", at(100))
	closeStore(t, store)

	store = open()
	defer closeStore(t, store)
	for _, job := range []jobcenter.Job{full, due, paused} {
		checkSame(t, "job "+job.ID, job, getJob(t, store, job.ID))
	}
	checkSame(t, "runs", []jobcenter.Run{done, queued, run}, allRuns(t, store, jobcenter.RunQuery{}))
	checkSame(t, "output", []jobcenter.Chunk{written}, output(t, store, run.ID))
	checkSame(t, "held", []jobcenter.Hold{{RunID: run.ID, Attempt: 1, StopBy: "me"}}, held(t, store, "node"))
	checkSame(t, "orphans within the lease", []string(nil), orphans(t, store, "", at(99), 10))
	checkSame(t, "orphans of the node", []string{run.ID}, orphans(t, store, "node", at(99), 10))
	checkSame(t, "search", []string{full.ID}, listJobs(t, store, jobcenter.JobQuery{Search: "备份", Tag: "数据"}))
	// It goes on where it was.
	checkSame(t, "next due", at(61), nextDue(t, store, can()))
	checkSame(t, "claimed too early", []string(nil), jobIDs(claim(t, store, at(60), 10)))
	addRuns(t, store, "due", another(newRun("due", at(1), jobcenter.RunQueued))) // decided before
	checkSame(t, "claimed", []string{"due"}, jobIDs(claim(t, store, at(61), 10)))
	checkSame(t, "taken", []string{"paused 5"}, names(take(t, store, late(), 10)))
	run.State, run.EndedAt = jobcenter.RunLost, at(200)
	record(t, store, jobcenter.Records{Ends: []jobcenter.Run{run}})
	checkSame(t, "run", run, getRun(t, store, run.ID))
	if err := store.AddJobs(t.Context(), these(due)); !errors.Is(err, jobcenter.ErrConflict) {
		t.Errorf("add of an id of before: error %v, want ErrConflict", err)
	}
}

// durableQueue has the order of the queue, and what limits count, stay.
func durableQueue(t *testing.T, open func() jobcenter.JobStore) {
	store := open()
	limit := jobcenter.Limit{Key: "k", Running: 2, Rate: 3, Per: 10 * time.Second}
	limited(t, store, "a", limit, 0, 4)
	limited(t, store, "b", limit, 10, 4)
	first := take(t, store, at(100), 1)
	record(t, store, jobcenter.Records{Ends: succeeded(at(101), first...)})
	checkSame(t, "taken", []string{"a 1"}, names(take(t, store, at(102), 1)))
	urgent := newRun("b", at(20), jobcenter.RunQueued)
	urgent.Priority, urgent.LimitKey = 9, "k"
	waits := newRun("b", at(21), jobcenter.RunQueued)
	waits.NotBefore = at(500)
	addRuns(t, store, "b", urgent, waits)
	closeStore(t, store)

	store = open()
	defer closeStore(t, store)
	taken, next := takeFor(t, store, pool, at(103), 10)
	checkSame(t, "taken", []string{"b 20"}, names(taken)) // one by the number of running ones, and one by the rate
	checkSame(t, "next", at(500), next)
	record(t, store, jobcenter.Records{Ends: succeeded(at(104), taken...)})
	checkSame(t, "taken at the rate", []string(nil), names(take(t, store, at(109), 10)))
	checkSame(t, "taken after the window", []string{"a 2"}, names(take(t, store, at(110), 10)))
	checkSame(t, "queued", 6, countQueued(t, store, pool, 10))
}

// durablePages has cursors that outlive the process.
func durablePages(t *testing.T, open func() jobcenter.JobStore) {
	store := open()
	addJobs(t, store, manyJobs(t, 5, at(1))...)
	claim(t, store, at(1), 10)
	jobs, err := store.Jobs(t.Context(), jobcenter.JobQuery{Limit: 3, Sort: jobcenter.SortByNextFireTime})
	if err != nil {
		t.Fatal(err)
	}
	runs, err := store.Runs(t.Context(), jobcenter.RunQuery{Limit: 3})
	if err != nil {
		t.Fatal(err)
	}
	closeStore(t, store)

	store = open()
	defer closeStore(t, store)
	checkSame(t, "page after a cursor of before", []string{"job003", "job004"},
		listJobs(t, store, jobcenter.JobQuery{Limit: 3, Sort: jobcenter.SortByNextFireTime, Cursor: jobs.NextCursor}))
	if rest := allRuns(t, store, jobcenter.RunQuery{Limit: 3, Cursor: runs.NextCursor}); len(rest) != 2 {
		t.Errorf("after a cursor of before: %v, want two", names(rest))
	}
}

// ownTrigger is of a type that this process alone knows.
type ownTrigger struct{ trigger.Trigger }

func durableRefuses(t *testing.T, open func() jobcenter.JobStore) {
	store := open()
	defer closeStore(t, store)
	sound := newJob(t, "sound", at(1))
	addJobs(t, store, sound)
	withFunc, withTrigger := newJob(t, "func", at(1)), newJob(t, "trigger", at(1))
	withFunc.Func = func(context.Context, *jobcenter.RunContext) error { return nil }
	withTrigger.Trigger = ownTrigger{withTrigger.Trigger}
	if err := store.AddJobs(t.Context(), these(newJob(t, "x", at(1)), withFunc)); !errors.Is(err, jobcenter.ErrFuncJob) {
		t.Errorf("a job with a function: error %v, want ErrFuncJob", err)
	}
	if err := store.AddJobs(t.Context(), these(newJob(t, "x", at(1)), withTrigger)); err == nil {
		t.Error("a job with a trigger of an unknown type was added")
	}
	checkSame(t, "jobs", []string{"sound"}, listJobs(t, store, jobcenter.JobQuery{}))
	for what, change := range map[string]func(*jobcenter.Job){
		"a function":                   func(job *jobcenter.Job) { job.Func = withFunc.Func },
		"a trigger of an unknown type": func(job *jobcenter.Job) { job.Trigger = withTrigger.Trigger },
	} {
		_, err := store.UpdateJob(t.Context(), "sound", func(job jobcenter.Job, _ jobcenter.Active) (jobcenter.Job, []jobcenter.Run, error) {
			change(&job)
			job.Name = "changed"
			return job, []jobcenter.Run{newRun("sound", at(1), jobcenter.RunQueued)}, nil
		})
		if err == nil || what == "a function" && !errors.Is(err, jobcenter.ErrFuncJob) {
			t.Errorf("a job was given %s: error %v", what, err)
		}
	}
	checkSame(t, "job", sound, getJob(t, store, "sound"))
	checkSame(t, "runs", []jobcenter.Run(nil), allRuns(t, store, jobcenter.RunQuery{}))
}

// durableTwo has two stores open at once.
func durableTwo(t *testing.T, open func() jobcenter.JobStore) {
	one := open()
	defer closeStore(t, one)
	two := open()
	defer closeStore(t, two)
	addJobs(t, one, newJob(t, "a", at(0)), newJob(t, "b", at(0)))
	checkSame(t, "next due for the other", at(0), nextDue(t, two, can()))
	checkSame(t, "claimed by one", []string{"a"}, jobIDs(claim(t, one, at(0), 1)))
	checkSame(t, "claimed by the other", []string{"b"}, jobIDs(claim(t, two, at(0), 10)))
	checkSame(t, "claimed again", []string(nil), jobIDs(claim(t, one, at(0), 10)))
	checkSame(t, "job", at(60), getJob(t, one, "b").NextFireTime)
	run := newRun("a", at(0), jobcenter.RunRunning)
	checkSame(t, "run", run, getRun(t, two, run.ID))
	// One stops, writes and ends what the other holds, and each learns of it.
	run = stop(t, two, run.ID, "me", 5)
	if holds := held(t, one, "node"); !slices.Contains(holds, jobcenter.Hold{RunID: run.ID, Attempt: 1, StopBy: "me"}) {
		t.Errorf("held: %+v, want one that is to stop", holds)
	}
	record(t, one, jobcenter.Records{Output: []jobcenter.Chunk{chunk(run, 0, "x")}})
	checkSame(t, "output", []jobcenter.Chunk{chunk(run, 0, "x")}, output(t, two, run.ID))
	waits := requeued(run)
	record(t, two, jobcenter.Records{Ends: []jobcenter.Run{waits}})
	checkSame(t, "queued", 1, countQueued(t, one, pool, 10))
	taken := take(t, one, at(40), 10)
	checkSame(t, "taken", []string{"a 0"}, names(taken))
	checkSame(t, "taken by the other", []string(nil), names(take(t, two, at(40), 10)))
	remove(t, two, "b")
	if _, err := one.Job(t.Context(), "b"); !errors.Is(err, jobcenter.ErrJobNotFound) {
		t.Errorf("a job that the other removed: error %v, want ErrJobNotFound", err)
	}
	update(t, two, "a", func(job *jobcenter.Job) { job.Paused, job.PausedUntil = true, at(90) })
	checkSame(t, "next due after the other's change", at(90), nextDue(t, one, can()))
	heartbeat(t, two, "node", at(100))
	checkSame(t, "orphans within the other's lease", []string(nil), orphans(t, one, "", at(99), 10))
}
