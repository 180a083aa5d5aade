package storetest

import (
	"fmt"
	"slices"
	"testing"

	"github.com/jobcenter-go/jobcenter"
)

func queueTests() map[string]func(*testing.T, jobcenter.JobStore) {
	return map[string]func(*testing.T, jobcenter.JobStore){
		"starts a run":                  queueStarts,
		"earliest first, to the limit":  queueOrder,
		"executor and tasks":            queueFilters,
		"no more than MaxInstances":     queueMaxInstances,
		"zero MaxInstances is one":      queueZeroMaxInstances,
		"a run whose job is gone":       queueJobGone,
		"start may end the run at once": queueEndsAtOnce,
	}
}

// take starts queued runs on this node.
func take(t *testing.T, store jobcenter.JobStore, limit int) []jobcenter.Run {
	t.Helper()
	claimed, _, err := store.TakeQueued(t.Context(), can(), jobcenter.DefaultExecutor, late(), limit, startRun)
	if err != nil {
		t.Fatal(err)
	}
	return claimedRuns(claimed)
}

func startRun(_ jobcenter.Job, run jobcenter.Run) jobcenter.Run {
	run.State, run.Attempt, run.Node, run.StartedAt = jobcenter.RunRunning, run.Attempt+1, "node", at(100)
	return run
}

func queueStarts(t *testing.T, store jobcenter.JobStore) {
	job := newJob(t, "a", at(1))
	addJobs(t, store, job)
	queued := newRun("a", at(1), jobcenter.RunQueued)
	addRuns(t, store, "a", queued)
	want := queued
	want.State, want.Attempt, want.Node, want.StartedAt, want.Message, want.Actor = jobcenter.RunRunning, 1, "n7", at(3), "started", "me"
	claimed, _, err := store.TakeQueued(t.Context(), jobcenter.Can{Tasks: []string{"x", task}}, jobcenter.DefaultExecutor, late(), 5, func(given jobcenter.Job, run jobcenter.Run) jobcenter.Run {
		checkSame(t, "job given to start", job, given)
		checkSame(t, "run given to start", queued, run)
		return want
	})
	if err != nil {
		t.Fatal(err)
	}
	checkSame(t, "taken", []jobcenter.Claimed{{Job: job, Runs: []jobcenter.Run{want}}}, claimed)
	checkSame(t, "stored", want, getRun(t, store, queued.ID))
	if again := take(t, store, 5); len(again) != 0 {
		t.Error("the run was taken twice")
	}
}

func queueOrder(t *testing.T, store jobcenter.JobStore) {
	var ids []string
	for i, second := range []int{5, 3, 9, 1, 7} {
		id := fmt.Sprint("job", i)
		addJobs(t, store, newJob(t, id, at(1)))
		run := newRun(id, at(second), jobcenter.RunQueued)
		addRuns(t, store, id, run)
		ids = append(ids, run.ID)
	}
	for _, want := range [][]string{{ids[3], ids[1]}, {ids[0], ids[4], ids[2]}, nil} {
		got := runIDs(take(t, store, max(len(want), 1)))
		slices.Sort(got)
		slices.Sort(want)
		checkSame(t, "taken", want, got)
	}
}

func queueFilters(t *testing.T, store jobcenter.JobStore) {
	foreign := newJob(t, "foreign", at(1))
	foreign.Task = "other"
	addJobs(t, store, newJob(t, "a", at(1)), newJob(t, "b", at(1)), foreign)
	slow := newRun("a", at(1), jobcenter.RunQueued)
	slow.Executor = "slow"
	mine, theirs := newRun("b", at(2), jobcenter.RunQueued), newRun("foreign", at(1), jobcenter.RunQueued)
	addRuns(t, store, "a", slow)
	addRuns(t, store, "b", mine)
	addRuns(t, store, "foreign", theirs)
	checkSame(t, "taken", []string{mine.ID}, runIDs(take(t, store, 10)))
	for _, run := range []jobcenter.Run{slow, theirs} {
		checkSame(t, "run left in the queue", run, getRun(t, store, run.ID))
	}
	claimed, _, err := store.TakeQueued(t.Context(), jobcenter.Can{Executors: can().Executors}, "slow", late(), 10, startRun)
	if err != nil || len(claimed) != 0 {
		t.Errorf("taken without tasks: %v, %v", claimed, err)
	}
	claimed, _, err = store.TakeQueued(t.Context(), can(), "slow", late(), 10, startRun)
	if err != nil {
		t.Fatal(err)
	}
	checkSame(t, "taken by the other executor", []string{slow.ID}, runIDs(claimedRuns(claimed)))
}

func queueMaxInstances(t *testing.T, store jobcenter.JobStore) {
	full, wide := newJob(t, "full", at(1)), newJob(t, "wide", at(1))
	full.MaxInstances, wide.MaxInstances = 1, 3
	addJobs(t, store, full, wide)
	addRuns(t, store, "full", newRun("full", at(0), jobcenter.RunRunning), newRun("full", at(1), jobcenter.RunQueued))
	addRuns(t, store, "wide", newRun("wide", at(0), jobcenter.RunRunning))
	var want []string
	for i := range 4 {
		run := newRun("wide", at(10+i), jobcenter.RunQueued)
		addRuns(t, store, "wide", run)
		want = append(want, run.ID)
	}
	// One of wide runs, so two more may; the full job in front holds up nothing.
	checkSame(t, "taken", want[:2], runIDs(take(t, store, 10)))
	checkSame(t, "taken while all is full", []string(nil), runIDs(take(t, store, 10)))
	end := getRun(t, store, want[0])
	end.State = jobcenter.RunSucceeded
	if err := store.Record(t.Context(), jobcenter.Records{Ends: []jobcenter.Run{end}}); err != nil {
		t.Fatal(err)
	}
	checkSame(t, "taken after an end", want[2:3], runIDs(take(t, store, 10)))
}

func queueZeroMaxInstances(t *testing.T, store jobcenter.JobStore) {
	job := newJob(t, "a", at(1))
	job.MaxInstances = 0
	addJobs(t, store, job)
	first, second := newRun("a", at(1), jobcenter.RunQueued), newRun("a", at(2), jobcenter.RunQueued)
	addRuns(t, store, "a", first, second)
	checkSame(t, "taken", []string{first.ID}, runIDs(take(t, store, 10)))
}

func queueJobGone(t *testing.T, store jobcenter.JobStore) {
	addJobs(t, store, newJob(t, "a", at(1)))
	orphan := newRun("a", at(1), jobcenter.RunQueued)
	if err := store.RemoveJob(t.Context(), "a", func(jobcenter.Job) []jobcenter.Run { return []jobcenter.Run{orphan} }); err != nil {
		t.Fatal(err)
	}
	if taken := take(t, store, 10); len(taken) != 0 {
		t.Errorf("taken %v, whose job is gone", runIDs(taken))
	}
	got := getRun(t, store, orphan.ID)
	if got.State != jobcenter.RunSkipped || got.Reason != jobcenter.ReasonRemoved || got.EndedAt.IsZero() {
		t.Errorf("run is %s, %s, ended %v; want skipped, removed and an end", got.State, got.Reason, got.EndedAt)
	}
}

func queueEndsAtOnce(t *testing.T, store jobcenter.JobStore) {
	addJobs(t, store, newJob(t, "a", at(1)))
	over, next := newRun("a", at(1), jobcenter.RunQueued), newRun("a", at(2), jobcenter.RunQueued)
	addRuns(t, store, "a", over, next)
	claimed, _, err := store.TakeQueued(t.Context(), can(), jobcenter.DefaultExecutor, late(), 1, func(_ jobcenter.Job, run jobcenter.Run) jobcenter.Run {
		run.State, run.Reason, run.EndedAt = jobcenter.RunMissed, jobcenter.ReasonMisfire, at(100)
		return run
	})
	if err != nil {
		t.Fatal(err)
	}
	over.State, over.Reason, over.EndedAt = jobcenter.RunMissed, jobcenter.ReasonMisfire, at(100)
	checkSame(t, "taken", []jobcenter.Run{over}, claimedRuns(claimed))
	checkSame(t, "stored", over, getRun(t, store, over.ID))
	checkSame(t, "taken next", []string{next.ID}, runIDs(take(t, store, 1)))
}
