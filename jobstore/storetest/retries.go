package storetest

import (
	"testing"
	"time"

	"github.com/jobcenter-go/jobcenter"
)

func retryTests() tests {
	return tests{
		"an attempt goes back into the queue":    retryRequeues,
		"the next attempt":                       retryStarts,
		"the old holder while it waits":          retryLateWhileQueued,
		"the old holder while the next one runs": retryLateWhileRunning,
		"of two ends in one call":                retryOnce,
		"a run that waits belongs to no node":    retryHeldByNobody,
		"the job is removed while it waits":      retryJobRemoved,
		"the job is removed before it waits":     retryAfterRemoval,
		"output goes on":                         retryOutput,
	}
}

// requeued is a run whose attempt has failed and that is to be tried again.
func requeued(run jobcenter.Run) jobcenter.Run {
	code := 75
	run.State, run.Reason, run.Message, run.ExitCode = jobcenter.RunQueued, jobcenter.ReasonExitCode, "exit code 75", &code
	run.StartedAt, run.OutputSize, run.OutputKept = at(5), 9, 8
	run.Node, run.NotBefore, run.Turn, run.StopBy = "", at(30), at(31), ""
	return run
}

func retryRequeues(t *testing.T, store jobcenter.JobStore) {
	run := running(t, store, "a")
	if _, err := store.RequestStop(t.Context(), run.ID, "me", at(2)); err != nil {
		t.Fatal(err)
	}
	want := requeued(run)
	want.StopBy = "me"
	sent := want
	sent.StopBy = ""
	sent.JobID, sent.Actor, sent.JobVersion, sent.FireCount, sent.Origin, sent.Executor = "b", "x", 99, 99, "x", "x"
	sent.FireTime, sent.LastFireTime, sent.Series, sent.Args, sent.Priority, sent.LimitKey = at(50), at(50), "x", []byte(`"x"`), 99, "x"
	record(t, store, jobcenter.Records{
		Output: []jobcenter.Chunk{chunk(run, 0, "first try")}, Ends: []jobcenter.Run{sent},
		Carries: []jobcenter.Carry{{RunID: run.ID, JobID: "a", Attempt: 1, Carried: []byte(`1`)}},
	})
	checkSame(t, "run", want, getRun(t, store, run.ID))
	checkSame(t, "list", []jobcenter.Run{want}, allRuns(t, store, jobcenter.RunQuery{States: []jobcenter.RunState{jobcenter.RunQueued}}))
	checkSame(t, "active", jobcenter.Active{Queued: 1}, activeOf(t, store, "a"))
	checkSame(t, "queued", 1, countQueued(t, store, pool, 10))
	checkSame(t, "output", []jobcenter.Chunk{chunk(run, 0, "first try")}, output(t, store, run.ID))
	checkSame(t, "carried", `1`, string(getJob(t, store, "a").Carried))
	last, err := store.LastRuns(t.Context(), []string{"a"})
	if err != nil || len(last) != 0 {
		t.Errorf("last runs: %v, %v; want none: it is queued", last, err)
	}
	// Its values may be any, and all are taken.
	second := take(t, store, at(30), 1)[0]
	want = second
	want.State, want.Node, want.NotBefore, want.Turn = jobcenter.RunQueued, "n2", time.Time{}, time.Time{}
	record(t, store, jobcenter.Records{Ends: []jobcenter.Run{want}})
	checkSame(t, "run after the second attempt", want, getRun(t, store, run.ID))
}

func retryStarts(t *testing.T, store jobcenter.JobStore) {
	run := requeued(running(t, store, "a"))
	addRuns(t, store, "a", newRun("a", at(2), jobcenter.RunQueued)) // its turn is earlier
	record(t, store, jobcenter.Records{Ends: []jobcenter.Run{run}})
	taken, next := takeFor(t, store, pool, at(29), 10)
	checkSame(t, "taken too early", []string{"a 2"}, names(taken))
	checkSame(t, "next", at(30), next)
	record(t, store, jobcenter.Records{Ends: succeeded(at(29), taken...)})
	claimed, _, err := store.TakeQueued(t.Context(), can(), pool, at(30), 10, func(job jobcenter.Job, given jobcenter.Run) jobcenter.Run {
		checkSame(t, "run given to start", run, given)
		return startAt(at(30))(job, given)
	})
	if err != nil {
		t.Fatal(err)
	}
	run.State, run.Attempt, run.Node, run.StartedAt = jobcenter.RunRunning, 2, "node", at(30)
	checkSame(t, "taken", []jobcenter.Run{run}, claimedRuns(claimed))
	checkSame(t, "run", run, getRun(t, store, run.ID))
	checkSame(t, "active", jobcenter.Active{Running: 1}, activeOf(t, store, "a"))
	run.State, run.Reason, run.Message, run.ExitCode, run.EndedAt = jobcenter.RunSucceeded, "", "", nil, at(40)
	record(t, store, jobcenter.Records{Ends: []jobcenter.Run{run}})
	checkSame(t, "run that ended well in the end", run, getRun(t, store, run.ID))
	checkSame(t, "active", jobcenter.Active{}, activeOf(t, store, "a"))
}

// lateRecords is all that a holder may still have to tell of its attempt.
func lateRecords(run jobcenter.Run, state jobcenter.RunState) jobcenter.Records {
	end := run
	end.State, end.Reason, end.Message, end.EndedAt, end.Node, end.Turn, end.StopBy = state, jobcenter.ReasonError, "late", at(99), "late", at(99), "late"
	return jobcenter.Records{
		Output:  []jobcenter.Chunk{chunk(run, 4, "late")},
		Drops:   []jobcenter.Drop{{RunID: run.ID, Attempt: run.Attempt, From: 0, To: 100}},
		Ends:    []jobcenter.Run{end},
		Carries: []jobcenter.Carry{{RunID: run.ID, JobID: run.JobID, Attempt: run.Attempt, Carried: []byte(`"late"`), Result: []byte(`"late"`)}},
	}
}

func retryLateWhileQueued(t *testing.T, store jobcenter.JobStore) {
	first := running(t, store, "a")
	waits := requeued(first)
	record(t, store, jobcenter.Records{Output: []jobcenter.Chunk{chunk(first, 0, "kept")}, Ends: []jobcenter.Run{waits}})
	for _, state := range []jobcenter.RunState{jobcenter.RunSucceeded, jobcenter.RunLost, jobcenter.RunQueued} {
		record(t, store, lateRecords(first, state))
		checkSame(t, "run after a late end as "+string(state), waits, getRun(t, store, first.ID))
	}
	checkSame(t, "output", []jobcenter.Chunk{chunk(first, 0, "kept")}, output(t, store, first.ID))
	checkSame(t, "job", newJob(t, "a", at(1)), getJob(t, store, "a"))
	checkSame(t, "taken", []string{"a 1"}, names(take(t, store, at(30), 10)))
}

func retryLateWhileRunning(t *testing.T, store jobcenter.JobStore) {
	first := running(t, store, "a")
	record(t, store, jobcenter.Records{Output: []jobcenter.Chunk{chunk(first, 0, "kept")}, Ends: []jobcenter.Run{requeued(first)}})
	second := take(t, store, at(30), 10)[0]
	for _, state := range []jobcenter.RunState{jobcenter.RunSucceeded, jobcenter.RunLost, jobcenter.RunQueued} {
		records := lateRecords(first, state)
		// What its new holder says beside it counts.
		mine := chunk(second, int64(4+len(state)), string(state))
		records.Output = append(records.Output, mine)
		record(t, store, records)
		checkSame(t, "run after a late end as "+string(state), second, getRun(t, store, first.ID))
		chunks := output(t, store, first.ID)
		if len(chunks) < 2 {
			t.Fatalf("%d chunks, want those of both attempts", len(chunks))
		}
		checkSame(t, "first chunk", chunk(first, 0, "kept"), chunks[0])
		record(t, store, jobcenter.Records{Drops: []jobcenter.Drop{{RunID: second.ID, Attempt: 2, From: 4, To: 1000}}})
		checkSame(t, "output after the new holder dropped its own", []jobcenter.Chunk{chunk(first, 0, "kept")}, output(t, store, first.ID))
	}
	checkSame(t, "job", newJob(t, "a", at(1)), getJob(t, store, "a"))
	checkSame(t, "active", jobcenter.Active{Running: 1}, activeOf(t, store, "a"))
	ends := succeeded(at(50), second)
	record(t, store, jobcenter.Records{Ends: ends})
	record(t, store, lateRecords(first, jobcenter.RunFailed))
	checkSame(t, "run", ends[0], getRun(t, store, first.ID))
}

// retryOnce has a run go back into the queue and end in one call: the first counts.
func retryOnce(t *testing.T, store jobcenter.JobStore) {
	for id, back := range map[string]bool{"a": true, "b": false} {
		run := running(t, store, id)
		ends := []jobcenter.Run{requeued(run), succeeded(at(3), run)[0]}
		if !back {
			ends[0], ends[1] = ends[1], ends[0]
		}
		record(t, store, jobcenter.Records{Ends: ends})
		checkSame(t, "run", ends[0], getRun(t, store, run.ID))
	}
}

func retryHeldByNobody(t *testing.T, store jobcenter.JobStore) {
	run := running(t, store, "a")
	waits := requeued(run)
	waits.Node = run.Node // where its last attempt ran
	record(t, store, jobcenter.Records{Ends: []jobcenter.Run{waits}})
	checkSame(t, "held", []jobcenter.Hold(nil), held(t, store, run.Node))
	checkSame(t, "orphans", []string(nil), orphans(t, store, "", late(), 10))
	checkSame(t, "orphans of the node", []string(nil), orphans(t, store, run.Node, late(), 10))
	second := take(t, store, at(30), 10)
	checkSame(t, "taken", []string{"a 1"}, names(second))
	checkSame(t, "held", []jobcenter.Hold{{RunID: run.ID, Attempt: 2}}, held(t, store, "node"))
	checkSame(t, "orphans", []string{run.ID}, orphans(t, store, "", late(), 10))
}

func retryJobRemoved(t *testing.T, store jobcenter.JobStore) {
	run := requeued(running(t, store, "a"))
	record(t, store, jobcenter.Records{Ends: []jobcenter.Run{run}})
	remove(t, store, "a")
	checkRemoved(t, store, run)
}

// retryAfterRemoval has a run that goes back into the queue although its job
// is gone.
func retryAfterRemoval(t *testing.T, store jobcenter.JobStore) {
	run := requeued(running(t, store, "a"))
	addJobs(t, store, newJob(t, "b", at(1)))
	addRuns(t, store, "b", newRun("b", at(60), jobcenter.RunQueued))
	remove(t, store, "a")
	record(t, store, jobcenter.Records{Ends: []jobcenter.Run{run}})
	checkSame(t, "run", run, getRun(t, store, run.ID))
	checkSame(t, "taken", []string{"b 60"}, names(take(t, store, at(30), 1)))
	checkSame(t, "taken then", []string(nil), names(take(t, store, at(31), 1)))
	checkRemoved(t, store, run)
	checkSame(t, "queued", 0, countQueued(t, store, pool, 10))
}

// retryOutput has attempts that write after each other, and chunks of earlier
// ones dropped by the newest.
func retryOutput(t *testing.T, store jobcenter.JobStore) {
	first := running(t, store, "a")
	one, two := chunk(first, 0, "aaaa"), chunk(first, 4, "bbbb")
	record(t, store, jobcenter.Records{Output: []jobcenter.Chunk{one, two}, Ends: []jobcenter.Run{requeued(first)}})
	second := take(t, store, at(30), 10)[0]
	three := chunk(second, 8, "cccc")
	record(t, store, jobcenter.Records{Output: []jobcenter.Chunk{three}})
	checkSame(t, "output", []jobcenter.Chunk{one, two, three}, output(t, store, first.ID))
	record(t, store, jobcenter.Records{
		Drops: []jobcenter.Drop{{RunID: first.ID, Attempt: 2, From: 4, To: 8}}, Ends: succeeded(at(40), second),
	})
	checkSame(t, "output in the end", []jobcenter.Chunk{one, three}, output(t, store, first.ID))
}
