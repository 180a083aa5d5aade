package storetest

import (
	"slices"
	"testing"
	"time"

	"github.com/jobcenter-go/jobcenter"
)

func nodeTests() tests {
	return tests{
		"a lease keeps runs":         leaseKeepsRuns,
		"runs of a node by its name": orphansOfNode,
		"running runs only":          orphansRunningOnly,
		"limit":                      orphansLimit,
		"a removed job":              orphanOfRemovedJob,
		"a run that is tried again":  orphanGoesBack,
	}
}

func heartbeat(t *testing.T, store jobcenter.JobStore, node string, until time.Time) {
	t.Helper()
	if err := store.Heartbeat(t.Context(), node, until); err != nil {
		t.Fatal(err)
	}
}

// orphans are the ids of orphaned runs, sorted.
func orphans(t *testing.T, store jobcenter.JobStore, node string, now time.Time, limit int) []string {
	t.Helper()
	claimed, err := store.Orphans(t.Context(), node, now, limit)
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
	ids := runIDs(claimedRuns(claimed))
	slices.Sort(ids)
	return ids
}

// runOn stores a job with a run that is running on a node.
func runOn(t *testing.T, store jobcenter.JobStore, id, node string) string {
	t.Helper()
	addJobs(t, store, newJob(t, id, at(1)))
	run := newRun(id, at(1), jobcenter.RunRunning)
	run.Node = node
	addRuns(t, store, id, run)
	return run.ID
}

func leaseKeepsRuns(t *testing.T, store jobcenter.JobStore) {
	run := runOn(t, store, "a", "n1")
	checkSame(t, "orphans without a lease", []string{run}, orphans(t, store, "", at(0), 10))
	heartbeat(t, store, "n1", at(10))
	checkSame(t, "orphans within the lease", []string(nil), orphans(t, store, "", at(10).Add(-time.Microsecond), 10))
	checkSame(t, "orphans at the end of the lease", []string{run}, orphans(t, store, "", at(10), 10))
	heartbeat(t, store, "n2", at(100))
	checkSame(t, "orphans after another node's lease", []string{run}, orphans(t, store, "", at(10), 10))
	heartbeat(t, store, "n1", at(20))
	checkSame(t, "orphans after the lease was renewed", []string(nil), orphans(t, store, "", at(19), 10))
	heartbeat(t, store, "n1", at(5)) // a node that ends may give its lease back
	checkSame(t, "orphans after the lease was given back", []string{run}, orphans(t, store, "", at(19), 10))
}

func orphansOfNode(t *testing.T, store jobcenter.JobStore) {
	one, two := runOn(t, store, "a", "n1"), runOn(t, store, "b", "n2")
	heartbeat(t, store, "n1", at(100))
	heartbeat(t, store, "n2", at(100))
	checkSame(t, "no node", []string(nil), orphans(t, store, "", at(0), 10))
	checkSame(t, "unknown node", []string(nil), orphans(t, store, "n", at(0), 10))
	checkSame(t, "n1", []string{one}, orphans(t, store, "n1", at(0), 10))
	heartbeat(t, store, "n2", at(0))
	checkSame(t, "n1, and n2 without a lease", []string{one, two}, orphans(t, store, "n1", at(0), 10))
}

func orphansRunningOnly(t *testing.T, store jobcenter.JobStore) {
	addJobs(t, store, newJob(t, "a", at(1)))
	want := newRun("a", at(50), jobcenter.RunRunning)
	for i, state := range []jobcenter.RunState{
		jobcenter.RunQueued, jobcenter.RunSucceeded, jobcenter.RunFailed, jobcenter.RunTimedOut,
		jobcenter.RunStopped, jobcenter.RunLost, jobcenter.RunMissed, jobcenter.RunSkipped,
	} {
		run := newRun("a", at(i), state)
		run.Node = want.Node
		addRuns(t, store, "a", run)
	}
	addRuns(t, store, "a", want)
	claimed, err := store.Orphans(t.Context(), want.Node, at(0), 10)
	if err != nil {
		t.Fatal(err)
	}
	checkSame(t, "orphans", []jobcenter.Claimed{{Job: newJob(t, "a", at(1)), Runs: []jobcenter.Run{want}}}, claimed)
	want.State, want.Reason, want.EndedAt = jobcenter.RunLost, jobcenter.ReasonNodeDied, at(60)
	record(t, store, jobcenter.Records{Ends: []jobcenter.Run{want}})
	checkSame(t, "orphans after the end", []string(nil), orphans(t, store, want.Node, at(0), 10))
}

func orphansLimit(t *testing.T, store jobcenter.JobStore) {
	for _, id := range []string{"a", "b", "c"} {
		runOn(t, store, id, "dead")
	}
	for limit, want := range map[int]int{0: 0, 1: 1, 2: 2, 3: 3, 10: 3} {
		if got := len(orphans(t, store, "", at(0), limit)); got != want {
			t.Errorf("%d orphans with limit %d, want %d", got, limit, want)
		}
	}
}

func orphanOfRemovedJob(t *testing.T, store jobcenter.JobStore) {
	run := runOn(t, store, "a", "dead")
	remove(t, store, "a")
	checkSame(t, "orphans", []string{run}, orphans(t, store, "", at(0), 10))
}

// orphanGoesBack has a run whose node died wait for its next attempt, and the
// node come back.
func orphanGoesBack(t *testing.T, store jobcenter.JobStore) {
	id := runOn(t, store, "a", "dead")
	run := getRun(t, store, id)
	heartbeat(t, store, "dead", at(5))
	heartbeat(t, store, "alive", at(100))
	checkSame(t, "orphans", []string{id}, orphans(t, store, "", at(6), 10))
	again := run
	again.State, again.Reason, again.Node = jobcenter.RunQueued, jobcenter.ReasonNodeDied, ""
	record(t, store, jobcenter.Records{Ends: []jobcenter.Run{again}})
	claimed, _, err := store.TakeQueued(t.Context(), can(), pool, at(7), 1, func(_ jobcenter.Job, run jobcenter.Run) jobcenter.Run {
		run.State, run.Attempt, run.Node, run.StartedAt = jobcenter.RunRunning, run.Attempt+1, "alive", at(7)
		return run
	})
	if err != nil || len(claimed) != 1 {
		t.Fatalf("taken %v, %v", jobIDs(claimed), err)
	}
	checkSame(t, "held by the node that died", []jobcenter.Hold(nil), held(t, store, "dead"))
	record(t, store, lateRecords(run, jobcenter.RunSucceeded))
	checkSame(t, "run", claimedRuns(claimed)[0], getRun(t, store, id))
	checkSame(t, "orphans", []string(nil), orphans(t, store, "dead", at(8), 10))
	checkSame(t, "held by the node that took it", []jobcenter.Hold{{RunID: id, Attempt: 2}}, held(t, store, "alive"))
}
