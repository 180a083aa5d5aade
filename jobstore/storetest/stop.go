package storetest

import (
	"cmp"
	"slices"
	"testing"

	"github.com/jobcenter-go/jobcenter"
)

func stopTests() tests {
	return tests{
		"a queued run ends":                 stopQueued,
		"a running run is asked":            stopRunning,
		"an ended run stays as it is":       stopEnded,
		"a run that waits for another try":  stopRequeued,
		"what a node holds":                 heldByNode,
		"what a node is told to stop":       heldIsTold,
		"the end of a run that was stopped": stopThenEnd,
	}
}

func stop(t *testing.T, store jobcenter.JobStore, runID, by string, now int) jobcenter.Run {
	t.Helper()
	run, err := store.RequestStop(t.Context(), runID, by, at(now))
	if err != nil {
		t.Fatal(err)
	}
	return run
}

// held are the runs that a node holds, by id.
func held(t *testing.T, store jobcenter.JobStore, node string) []jobcenter.Hold {
	t.Helper()
	holds, err := store.Held(t.Context(), node)
	if err != nil {
		t.Fatal(err)
	}
	slices.SortFunc(holds, func(a, b jobcenter.Hold) int { return cmp.Compare(a.RunID, b.RunID) })
	return holds
}

func stopQueued(t *testing.T, store jobcenter.JobStore) {
	addJobs(t, store, newJob(t, "a", at(1)))
	run, other := newRun("a", at(1), jobcenter.RunQueued), newRun("a", at(2), jobcenter.RunQueued)
	addRuns(t, store, "a", run, other)
	run.State, run.Reason, run.Message, run.StopBy, run.EndedAt = jobcenter.RunStopped, jobcenter.ReasonStop, "by 李", "by 李", at(5)
	checkSame(t, "run returned", run, stop(t, store, run.ID, "by 李", 5))
	checkSame(t, "run stored", run, getRun(t, store, run.ID))
	checkSame(t, "run after a second request", run, stop(t, store, run.ID, "by another", 6))
	checkSame(t, "run stored", run, getRun(t, store, run.ID))
	checkSame(t, "active", jobcenter.Active{Queued: 1}, activeOf(t, store, "a"))
	checkSame(t, "queued", 1, countQueued(t, store, pool, 10))
	checkSame(t, "taken", []jobcenter.Run{startAt(at(9))(jobcenter.Job{}, other)}, take(t, store, at(9), 10))
}

func stopRunning(t *testing.T, store jobcenter.JobStore) {
	run, other := running(t, store, "a"), running(t, store, "b")
	run.StopBy = "li"
	checkSame(t, "run returned", run, stop(t, store, run.ID, "li", 5))
	checkSame(t, "run stored", run, getRun(t, store, run.ID))
	checkSame(t, "run after a second request", run, stop(t, store, run.ID, "wang", 6))
	checkSame(t, "run stored", run, getRun(t, store, run.ID))
	checkSame(t, "other run", other, getRun(t, store, other.ID))
	checkSame(t, "active", jobcenter.Active{Running: 1}, activeOf(t, store, "a"))
}

func stopEnded(t *testing.T, store jobcenter.JobStore) {
	addJobs(t, store, newJob(t, "a", at(1)))
	for i, state := range allStates() {
		if !state.Final() {
			continue
		}
		run := newRun("a", at(i), state)
		addRuns(t, store, "a", run)
		checkSame(t, "run returned", run, stop(t, store, run.ID, "me", 99))
		checkSame(t, "run stored", run, getRun(t, store, run.ID))
	}
}

func stopRequeued(t *testing.T, store jobcenter.JobStore) {
	run := requeued(running(t, store, "a"))
	record(t, store, jobcenter.Records{Ends: []jobcenter.Run{run}})
	run.State, run.Reason, run.Message, run.StopBy, run.EndedAt = jobcenter.RunStopped, jobcenter.ReasonStop, "me", "me", at(20)
	checkSame(t, "run returned", run, stop(t, store, run.ID, "me", 20))
	checkSame(t, "run stored", run, getRun(t, store, run.ID))
	checkSame(t, "taken", []string(nil), names(take(t, store, late(), 10)))
	checkSame(t, "active", jobcenter.Active{}, activeOf(t, store, "a"))
}

func heldByNode(t *testing.T, store jobcenter.JobStore) {
	addJobs(t, store, newJob(t, "a", at(1)), newJob(t, "b", at(1)))
	checkSame(t, "held by a node that is not known", []jobcenter.Hold(nil), held(t, store, "n1"))
	var want []jobcenter.Hold
	for i, state := range allStates() {
		run := newRun("a", at(i), state)
		run.Node = "n1"
		addRuns(t, store, "a", run)
	}
	for i, hold := range []jobcenter.Hold{{Attempt: 3}, {Attempt: 1, StopBy: "me"}} {
		run := newRun("b", at(i), jobcenter.RunRunning)
		run.Node, run.Attempt, run.StopBy = "n1", hold.Attempt, hold.StopBy
		hold.RunID = run.ID
		addRuns(t, store, "b", run)
		want = append(want, hold)
	}
	theirs := newRun("b", at(9), jobcenter.RunRunning)
	theirs.Node = "n2"
	addRuns(t, store, "b", theirs)
	want = append(want, jobcenter.Hold{RunID: runID("a", "", at(slices.Index(allStates(), jobcenter.RunRunning))), Attempt: 1})
	slices.SortFunc(want, func(a, b jobcenter.Hold) int { return cmp.Compare(a.RunID, b.RunID) })
	checkSame(t, "held", want, held(t, store, "n1"))
	checkSame(t, "held by the other node", []jobcenter.Hold{{RunID: theirs.ID, Attempt: 1}}, held(t, store, "n2"))
	for _, node := range []string{"", "n", "N1", "n%"} {
		checkSame(t, "held by node "+node, []jobcenter.Hold(nil), held(t, store, node))
	}
	remove(t, store, "b")
	checkSame(t, "held after the job was removed", want, held(t, store, "n1"))
}

func heldIsTold(t *testing.T, store jobcenter.JobStore) {
	run := running(t, store, "a")
	checkSame(t, "held", []jobcenter.Hold{{RunID: run.ID, Attempt: 1}}, held(t, store, "node"))
	stop(t, store, run.ID, "me", 5)
	checkSame(t, "held after a request", []jobcenter.Hold{{RunID: run.ID, Attempt: 1, StopBy: "me"}}, held(t, store, "node"))
	record(t, store, jobcenter.Records{Ends: succeeded(at(6), run)})
	checkSame(t, "held after the end", []jobcenter.Hold(nil), held(t, store, "node"))
	// What the next run of the job asks comes the same way.
	next := newRun("a", at(2), jobcenter.RunRunning)
	addRuns(t, store, "a", next)
	claimAs(t, store, at(9), 1, func(jobcenter.Job, jobcenter.Active) jobcenter.Decision {
		return jobcenter.Decision{Next: at(61), StopRunning: "the next run"}
	})
	checkSame(t, "held after a claim", []jobcenter.Hold{{RunID: next.ID, Attempt: 1, StopBy: "the next run"}}, held(t, store, "node"))
}

func stopThenEnd(t *testing.T, store jobcenter.JobStore) {
	run := running(t, store, "a")
	want := stop(t, store, run.ID, "me", 5)
	run.State, run.Reason, run.Message, run.EndedAt = jobcenter.RunStopped, jobcenter.ReasonStop, "stopped by me", at(6)
	record(t, store, jobcenter.Records{Ends: []jobcenter.Run{run}}) // as its holder knows it, who may not have heard
	want.State, want.Reason, want.Message, want.EndedAt = run.State, run.Reason, run.Message, run.EndedAt
	checkSame(t, "run", want, getRun(t, store, run.ID))
}
