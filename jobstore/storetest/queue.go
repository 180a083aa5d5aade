package storetest

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/jobcenter-go/jobcenter"
)

func queueTests() tests {
	return tests{
		"starts a run":                       queueStarts,
		"by priority, then by turn":          queueOrder,
		"executor and tasks":                 queueFilters,
		"not before its time":                queueNotBefore,
		"the first instant of another":       queueNext,
		"paused and quarantined jobs":        queueOutOfService,
		"no more than MaxInstances":          queueMaxInstances,
		"zero MaxInstances is one":           queueZeroMaxInstances,
		"many that must wait hold up none":   queuePassesOver,
		"a run whose job is gone":            queueJobGone,
		"a run whose job came back":          queueJobAgain,
		"start may end the run at once":      queueEndsAtOnce,
		"start cannot make it another run":   queueKeepsIdentity,
		"counts what is queued":              queueCounts,
		"a change of the job counts at once": queueSeesChanges,
	}
}

func queueStarts(t *testing.T, store jobcenter.JobStore) {
	job := newJob(t, "a", at(1))
	job.Args, job.Tags = []byte(`{"n":1}`), []string{"x"}
	addJobs(t, store, job)
	queued := inSeries(newRun("a", at(1), jobcenter.RunQueued), "s")
	queued.Args, queued.Priority, queued.LimitKey, queued.NotBefore = []byte(`[1]`), 7, "k", at(2)
	addRuns(t, store, "a", queued)
	want := queued
	want.State, want.Attempt, want.Node, want.StartedAt, want.Message, want.Actor = jobcenter.RunRunning, 1, "n7", at(3), "started", "me"
	want.NotBefore, want.Turn, want.Priority = time.Time{}, time.Time{}, 8
	tasks := jobcenter.Can{Tasks: []string{"x", task}} // which executor is said apart
	claimed, next, err := store.TakeQueued(t.Context(), tasks, pool, at(3), 5, func(given jobcenter.Job, run jobcenter.Run) jobcenter.Run {
		checkSame(t, "job given to start", job, given)
		checkSame(t, "run given to start", queued, run)
		return want
	})
	if err != nil {
		t.Fatal(err)
	}
	checkSame(t, "taken", []jobcenter.Claimed{{Job: job, Runs: []jobcenter.Run{want}}}, claimed)
	checkSame(t, "next", time.Time{}, next)
	checkSame(t, "stored", want, getRun(t, store, queued.ID))
	checkSame(t, "job", job, getJob(t, store, "a"))
	checkSame(t, "active", jobcenter.Active{Running: 1}, activeOf(t, store, "a"))
	checkSame(t, "taken twice", []string(nil), names(take(t, store, late(), 5)))
}

func queueOrder(t *testing.T, store jobcenter.JobStore) {
	jobs := manyJobs(t, 8, at(1))
	addJobs(t, store, jobs...)
	for i, run := range []struct{ priority, turn, fire int }{
		{0, 5, 1}, {0, 3, 9}, {-1000, 1, 0}, {1000, 9, 7}, {1, 4, 8}, {1, 2, 6}, {0, 4, 0}, {-1, 8, 2},
	} {
		queued := newRun(jobs[i].ID, at(run.fire), jobcenter.RunQueued)
		queued.Priority, queued.Turn = run.priority, at(run.turn)
		addRuns(t, store, jobs[i].ID, queued)
	}
	// A turn that is not set is the earliest.
	unset := inSeries(newRun("job007", at(60), jobcenter.RunQueued), "s")
	unset.Priority, unset.Turn = -1, time.Time{}
	update(t, store, "job007", func(job *jobcenter.Job) { job.MaxInstances = 2 })
	addRuns(t, store, "job007", unset)
	for _, limit := range []int{0, -1} {
		checkSame(t, "taking nothing", []string(nil), names(take(t, store, late(), limit)))
	}
	for _, want := range [][]string{
		{"job003 7"}, {"job005 6", "job004 8"}, {"job001 9", "job006 0", "job000 1"}, {"job007 60", "job007 2", "job002 0"}, nil,
	} {
		got := names(take(t, store, late(), max(len(want), 1)))
		checkSame(t, "taken", want, got)
	}
}

func queueFilters(t *testing.T, store jobcenter.JobStore) {
	foreign := newJob(t, "foreign", at(1))
	foreign.Task = "other"
	moved := newJob(t, "moved", at(1))
	moved.Executor = "elsewhere" // since the run was queued
	addJobs(t, store, newJob(t, "a", at(1)), newJob(t, "b", at(1)), foreign, moved)
	onSlow := newRun("a", at(1), jobcenter.RunQueued)
	onSlow.Executor = slow
	theirs := newRun("foreign", at(1), jobcenter.RunQueued)
	addRuns(t, store, "a", onSlow)
	addRuns(t, store, "b", newRun("b", at(2), jobcenter.RunQueued))
	addRuns(t, store, "foreign", theirs)
	addRuns(t, store, "moved", newRun("moved", at(3), jobcenter.RunQueued))
	for _, executor := range []string{"Default", "def", "defaul_", "%", ""} {
		taken, next := takeFor(t, store, executor, late(), 10)
		checkSame(t, "taken for executor "+executor, []string(nil), names(taken))
		checkSame(t, "next", time.Time{}, next)
	}
	checkSame(t, "taken", []string{"b 2", "moved 3"}, names(take(t, store, late(), 10)))
	for _, run := range []jobcenter.Run{onSlow, theirs} {
		checkSame(t, "run left in the queue", run, getRun(t, store, run.ID))
	}
	for _, tasks := range [][]string{nil, {"TASK"}, {"tas", "%"}} {
		claimed, _, err := store.TakeQueued(t.Context(), jobcenter.Can{Tasks: tasks, Executors: []string{slow}}, slow, late(), 10, startAt(late()))
		if err != nil || len(claimed) != 0 {
			t.Errorf("taken with tasks %q: %v, %v", tasks, jobIDs(claimed), err)
		}
	}
	taken, _ := takeFor(t, store, slow, late(), 10)
	checkSame(t, "taken by the other executor", []string{"a 1"}, names(taken))
}

func queueNotBefore(t *testing.T, store jobcenter.JobStore) {
	jobs := manyJobs(t, 3, at(1))
	addJobs(t, store, jobs...)
	for i, job := range jobs {
		run := newRun(job.ID, at(i), jobcenter.RunQueued)
		run.NotBefore, run.Priority = at(20-10*i), 10-i
		addRuns(t, store, job.ID, run)
	}
	instant := at(10)
	checkSame(t, "taken at the start", []string{"job002 2"}, names(take(t, store, at(0), 10)))
	checkSame(t, "taken a microsecond before", []string(nil), names(take(t, store, instant.Add(-time.Microsecond), 10)))
	checkSame(t, "taken at the instant", []string{"job001 1"}, names(take(t, store, instant, 10)))
	checkSame(t, "taken in the end", []string{"job000 0"}, names(take(t, store, late(), 10)))
}

// queueNext has the earliest NotBefore after now, of all that are queued for
// the executor.
func queueNext(t *testing.T, store jobcenter.JobStore) {
	foreign := newJob(t, "foreign", at(1))
	foreign.Task = "other"
	addJobs(t, store, newJob(t, "a", at(1)), newJob(t, "b", at(1)), foreign)
	waits := func(jobID string, notBefore int, executor string) jobcenter.Run {
		run := inSeries(newRun(jobID, at(notBefore), jobcenter.RunQueued), "s")
		run.NotBefore, run.Executor = at(notBefore), executor
		return run
	}
	ended := waits("a", 1, pool)
	ended.State = jobcenter.RunStopped
	running := newRun("a", at(1), jobcenter.RunRunning)
	running.NotBefore = at(2)
	addRuns(t, store, "a", running, ended, waits("a", 10, pool), waits("a", 30, pool), waits("a", 5, slow))
	addRuns(t, store, "foreign", waits("foreign", 20, pool))
	for _, test := range []struct {
		now  int
		next time.Time
	}{
		{0, at(10)},
		{9, at(10)},
		{10, at(20)}, // the one at hand waits for the running one, not for an instant
		{20, at(30)},
		{30, time.Time{}},
	} {
		taken, next := takeFor(t, store, pool, at(test.now), 10)
		checkSame(t, "taken", []string(nil), names(taken))
		checkSame(t, fmt.Sprintf("next at %d", test.now), test.next, next)
	}
	taken, next := takeFor(t, store, "unknown", at(0), 10)
	checkSame(t, "taken", []string(nil), names(taken))
	checkSame(t, "next of an executor without runs", time.Time{}, next)
	record(t, store, jobcenter.Records{Ends: succeeded(at(40), running)})
	addRuns(t, store, "a", waits("a", 50, pool))
	taken, next = takeFor(t, store, pool, at(40), 10)
	checkSame(t, "taken", []string{"a 10"}, names(taken))
	checkSame(t, "next beside what was taken", at(50), next)
}

// queueOutOfService has queued runs of jobs that do not fire: they go on.
func queueOutOfService(t *testing.T, store jobcenter.JobStore) {
	paused, quarantined, finished := newJob(t, "paused", at(1)), newJob(t, "quarantined", at(1)), newJob(t, "finished", time.Time{})
	paused.Paused, quarantined.Quarantine = true, "bad"
	addJobs(t, store, paused, quarantined, finished)
	for i, job := range []jobcenter.Job{paused, quarantined, finished} {
		addRuns(t, store, job.ID, newRun(job.ID, at(i), jobcenter.RunQueued))
	}
	checkSame(t, "taken", []string{"paused 0", "quarantined 1", "finished 2"}, names(take(t, store, late(), 10)))
}

func queueMaxInstances(t *testing.T, store jobcenter.JobStore) {
	full, wide := newJob(t, "full", at(1)), newJob(t, "wide", at(1))
	full.MaxInstances, wide.MaxInstances = 1, 3
	addJobs(t, store, full, wide)
	elsewhere := newRun("wide", at(0), jobcenter.RunRunning)
	elsewhere.Executor, elsewhere.Node = slow, "another" // counts, wherever it runs
	addRuns(t, store, "full", inSeries(newRun("full", at(0), jobcenter.RunRunning), "s"), newRun("full", at(1), jobcenter.RunQueued))
	addRuns(t, store, "wide", elsewhere, newRun("wide", at(10), jobcenter.RunQueued), newRun("wide", at(11), jobcenter.RunQueued),
		newRun("wide", at(12), jobcenter.RunQueued), newRun("wide", at(13), jobcenter.RunQueued))
	// One of wide runs, so two more may; the full job in front holds up nothing.
	taken := take(t, store, late(), 10)
	checkSame(t, "taken", []string{"wide 10", "wide 11"}, names(taken))
	checkSame(t, "taken while all is full", []string(nil), names(take(t, store, late(), 10)))
	record(t, store, jobcenter.Records{Ends: succeeded(late(), taken[0])})
	checkSame(t, "taken after an end", []string{"wide 12"}, names(take(t, store, late(), 10)))
	checkSame(t, "active", jobcenter.Active{Queued: 1, Running: 3}, activeOf(t, store, "wide"))
}

func queueZeroMaxInstances(t *testing.T, store jobcenter.JobStore) {
	job := newJob(t, "a", at(1))
	job.MaxInstances = 0
	addJobs(t, store, job)
	addRuns(t, store, "a", newRun("a", at(1), jobcenter.RunQueued), newRun("a", at(2), jobcenter.RunQueued))
	checkSame(t, "taken", []string{"a 1"}, names(take(t, store, late(), 10)))
}

// queuePassesOver has a long queue of runs in front that may not start.
func queuePassesOver(t *testing.T, store jobcenter.JobStore) {
	const many = 300
	full, limited, foreign := newJob(t, "full", at(1)), newJob(t, "limited", at(1)), newJob(t, "foreign", at(1))
	limited.Limit, limited.MaxInstances = jobcenter.Limit{Key: "k", Running: 1}, 1000
	foreign.Task = "other"
	addJobs(t, store, full, limited, foreign, newJob(t, "free", at(1)))
	for _, id := range []string{"full", "limited", "foreign"} {
		var runs []jobcenter.Run
		for i := range many {
			run := newRun(id, at(i), jobcenter.RunQueued)
			run.Priority = 9
			if i == 0 && id != "foreign" {
				run = newRun(id, at(i), jobcenter.RunRunning)
			}
			if id == "limited" {
				run.LimitKey = "k"
			}
			runs = append(runs, run)
		}
		addRuns(t, store, id, runs...)
	}
	addRuns(t, store, "free", newRun("free", at(many), jobcenter.RunQueued))
	checkSame(t, "taken", []string{"free 300"}, names(take(t, store, late(), 1)))
	checkSame(t, "taken once more", []string(nil), names(take(t, store, late(), 1)))
}

func queueJobGone(t *testing.T, store jobcenter.JobStore) {
	addJobs(t, store, newJob(t, "a", at(1)), newJob(t, "b", at(1)))
	gone, waits := newRun("a", at(1), jobcenter.RunQueued), newRun("a", at(2), jobcenter.RunQueued)
	waits.NotBefore = at(200)
	remove(t, store, "a", gone, waits)
	mine := newRun("b", at(3), jobcenter.RunQueued)
	addRuns(t, store, "b", mine)
	// It takes none of the places.
	checkSame(t, "taken", []string{"b 3"}, names(take(t, store, at(100), 1)))
	checkRemoved(t, store, gone)
	checkSame(t, "taken later", []string(nil), names(take(t, store, at(200), 10)))
	checkRemoved(t, store, waits)
	checkSame(t, "queued", 0, countQueued(t, store, pool, 10))
}

// queueJobAgain has a queued run that a removal left, whose id is taken again
// by the time that it may start: one way or the other it comes to its end.
func queueJobAgain(t *testing.T, store jobcenter.JobStore) {
	addJobs(t, store, newJob(t, "a", at(1)))
	left := newRun("a", at(1), jobcenter.RunQueued)
	remove(t, store, "a", left)
	again := newJob(t, "a", at(60))
	addJobs(t, store, again)
	taken := take(t, store, at(10), 10)
	switch run := getRun(t, store, left.ID); run.State {
	case jobcenter.RunRunning:
		checkSame(t, "taken", []jobcenter.Run{run}, taken)
	default:
		checkSame(t, "taken", []string(nil), names(taken))
		checkRemoved(t, store, left)
	}
	checkSame(t, "queued", 0, countQueued(t, store, pool, 10))
	checkSame(t, "job", again, getJob(t, store, "a"))
}

// queueEndsAtOnce has a callback that ends a run in place of starting it.
func queueEndsAtOnce(t *testing.T, store jobcenter.JobStore) {
	addJobs(t, store, newJob(t, "a", at(1)))
	over, next := newRun("a", at(1), jobcenter.RunQueued), newRun("a", at(2), jobcenter.RunQueued)
	addRuns(t, store, "a", over, next)
	claimed, _, err := store.TakeQueued(t.Context(), can(), pool, late(), 1, func(_ jobcenter.Job, run jobcenter.Run) jobcenter.Run {
		run.State, run.Reason, run.EndedAt = jobcenter.RunMissed, jobcenter.ReasonMisfire, at(100)
		return run
	})
	if err != nil {
		t.Fatal(err)
	}
	over.State, over.Reason, over.EndedAt = jobcenter.RunMissed, jobcenter.ReasonMisfire, at(100)
	checkSame(t, "taken", []jobcenter.Run{over}, claimedRuns(claimed))
	checkSame(t, "stored", over, getRun(t, store, over.ID))
	checkSame(t, "active", jobcenter.Active{Queued: 1}, activeOf(t, store, "a"))
	checkSame(t, "taken next", []string{"a 2"}, names(take(t, store, late(), 1)))
}

func queueKeepsIdentity(t *testing.T, store jobcenter.JobStore) {
	addJobs(t, store, newJob(t, "a", at(1)), newJob(t, "b", at(1)))
	queued := inSeries(newRun("a", at(1), jobcenter.RunQueued), "s")
	addRuns(t, store, "a", queued)
	for what, change := range map[string]func(*jobcenter.Run){
		"id":        func(run *jobcenter.Run) { run.ID = runID("other", "", at(1)) },
		"job":       func(run *jobcenter.Run) { run.JobID = "b" },
		"fire time": func(run *jobcenter.Run) { run.FireTime = at(2) },
		"series":    func(run *jobcenter.Run) { run.Series = "" },
	} {
		// Whether the store keeps them or refuses to go on is its own choice.
		_, _, _ = store.TakeQueued(t.Context(), can(), pool, late(), 1, func(_ jobcenter.Job, run jobcenter.Run) jobcenter.Run {
			change(&run)
			return run
		})
		runs := allRuns(t, store, jobcenter.RunQuery{})
		if len(runs) != 1 || runs[0].ID != queued.ID || runs[0].JobID != "a" || !runs[0].FireTime.Equal(at(1)) || runs[0].Series != "s" {
			t.Errorf("start gave the run another %s, and now there are %+v", what, runs)
		}
	}
}

func queueCounts(t *testing.T, store jobcenter.JobStore) {
	foreign := newJob(t, "foreign", at(1))
	foreign.Task = "other"
	addJobs(t, store, newJob(t, "a", at(1)), foreign)
	var runs []jobcenter.Run
	for i, state := range allStates() {
		runs = append(runs, newRun("a", at(i), state))
	}
	waits, onSlow := newRun("a", at(20), jobcenter.RunQueued), newRun("a", at(21), jobcenter.RunQueued)
	waits.NotBefore, onSlow.Executor = late(), slow
	addRuns(t, store, "a", append(runs, waits, onSlow)...)
	addRuns(t, store, "foreign", newRun("foreign", at(1), jobcenter.RunQueued))
	for _, test := range []struct {
		executor    string
		limit, want int
	}{
		{pool, 10, 3}, {pool, 3, 3}, {pool, 2, 2}, {pool, 1, 1}, {pool, 0, 0}, {slow, 10, 1}, {"", 10, 0}, {"Slow", 10, 0},
	} {
		if got := countQueued(t, store, test.executor, test.limit); got != test.want {
			t.Errorf("%d queued for %q up to %d, want %d", got, test.executor, test.limit, test.want)
		}
	}
	takeFor(t, store, slow, at(100), 1) // none: the other run of the job goes on
	record(t, store, jobcenter.Records{Ends: succeeded(at(100), runs[slices.Index(allStates(), jobcenter.RunRunning)])})
	takeFor(t, store, slow, at(100), 1)
	checkSame(t, "queued for slow after a start", 0, countQueued(t, store, slow, 10))
}

// queueSeesChanges has runs whose job is changed while they are queued.
func queueSeesChanges(t *testing.T, store jobcenter.JobStore) {
	addJobs(t, store, newJob(t, "a", at(1)))
	var runs []jobcenter.Run
	for i := range 5 {
		runs = append(runs, newRun("a", at(i), jobcenter.RunQueued))
	}
	addRuns(t, store, "a", runs...)
	checkSame(t, "taken", []string{"a 0"}, names(take(t, store, late(), 10)))
	update(t, store, "a", func(job *jobcenter.Job) { job.MaxInstances = 3 })
	checkSame(t, "taken with more instances", []string{"a 1", "a 2"}, names(take(t, store, late(), 10)))
	update(t, store, "a", func(job *jobcenter.Job) { job.MaxInstances, job.Task = 9, "other" })
	checkSame(t, "taken with another task", []string(nil), names(take(t, store, late(), 10)))
	update(t, store, "a", func(job *jobcenter.Job) { job.Task, job.Priority = task, 5 })
	checkSame(t, "taken with the task back", []string{"a 3", "a 4"}, names(take(t, store, late(), 10)))
}
