package storetest

import (
	"testing"

	"github.com/jobcenter-go/jobcenter"
)

// RunDurable tests what a store keeps when it is closed and opened again, and
// when two are open at once. open opens the store whose data is in a folder,
// and must make it there the first time.
func RunDurable(t *testing.T, open func(t *testing.T, dir string) jobcenter.JobStore) {
	t.Helper()
	t.Run("opened again", func(t *testing.T) {
		t.Parallel()
		reopen(t, open)
	})
	t.Run("opened twice", func(t *testing.T) {
		t.Parallel()
		openTwice(t, open)
	})
}

func closeStore(t *testing.T, store jobcenter.JobStore) {
	t.Helper()
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
}

func reopen(t *testing.T, open func(t *testing.T, dir string) jobcenter.JobStore) {
	t.Helper()
	dir := t.TempDir()
	store := open(t, dir)
	full, due, paused := fullJob(t), newJob(t, "due", at(1)), newJob(t, "paused", at(1))
	paused.Paused = true
	addJobs(t, store, full, due, paused)
	claim(t, store, at(1), 10)
	due.NextFireTime = at(61)
	run := newRun("due", at(1), jobcenter.RunRunning)
	queued := newRun("paused", at(5), jobcenter.RunQueued)
	addRuns(t, store, "paused", queued)
	written := chunk(run, 0, "\x00\xff bytes")
	record(t, store, jobcenter.Records{Output: []jobcenter.Chunk{written}})
	heartbeat(t, store, "node", at(100))
	first, err := store.Jobs(t.Context(), jobcenter.JobQuery{Limit: 2})
	if err != nil {
		t.Fatal(err)
	}
	closeStore(t, store)

	store = open(t, dir)
	defer closeStore(t, store)
	for _, job := range []jobcenter.Job{full, due, paused} {
		checkSame(t, "job "+job.ID, job, getJob(t, store, job.ID))
	}
	checkSame(t, "runs", []jobcenter.Run{queued, run}, allRuns(t, store, jobcenter.RunQuery{}))
	checkSame(t, "output", []jobcenter.Chunk{written}, output(t, store, run.ID))
	checkSame(t, "orphans within the lease", []string(nil), orphans(t, store, "", at(99), 10))
	checkSame(t, "orphans of the node", []string{run.ID}, orphans(t, store, "node", at(99), 10))
	second, err := store.Jobs(t.Context(), jobcenter.JobQuery{Limit: 2, Cursor: first.NextCursor})
	if err != nil {
		t.Fatal(err)
	}
	checkSame(t, "page after a cursor of before", []jobcenter.Job{paused}, second.Jobs)
	// It goes on where it was.
	checkSame(t, "claimed too early", []string(nil), jobIDs(claim(t, store, at(60), 10)))
	checkSame(t, "claimed", []string{"due"}, jobIDs(claim(t, store, at(61), 10)))
	checkSame(t, "taken", []string{queued.ID}, runIDs(take(t, store, 10)))
	run.State, run.EndedAt = jobcenter.RunLost, at(200)
	record(t, store, jobcenter.Records{Ends: []jobcenter.Run{run}})
	checkSame(t, "run", run, getRun(t, store, run.ID))
}

func openTwice(t *testing.T, open func(t *testing.T, dir string) jobcenter.JobStore) {
	t.Helper()
	dir := t.TempDir()
	one := open(t, dir)
	defer closeStore(t, one)
	two := open(t, dir)
	defer closeStore(t, two)
	addJobs(t, one, newJob(t, "a", at(0)), newJob(t, "b", at(0)))
	checkSame(t, "claimed by one", []string{"a"}, jobIDs(claim(t, one, at(0), 1)))
	checkSame(t, "claimed by the other", []string{"b"}, jobIDs(claim(t, two, at(0), 10)))
	checkSame(t, "claimed again", []string(nil), jobIDs(claim(t, one, at(0), 10)))
	checkSame(t, "job", at(60), getJob(t, one, "b").NextFireTime)
	checkSame(t, "run", newRun("a", at(0), jobcenter.RunRunning), getRun(t, two, newRun("a", at(0), jobcenter.RunRunning).ID))
}
