package storetest

import (
	"fmt"
	"testing"
	"time"

	"github.com/jobcenter-go/jobcenter"
)

func limitTests() tests {
	return tests{
		"running":                      limitRunning,
		"each job its own number":      limitOwnNumber,
		"the key is the run's":         limitKeyOfRun,
		"keys that are nearly equal":   limitNearlySame,
		"rate":                         limitRate,
		"rate of runs that ended":      limitRateEnded,
		"rate and waiting retries":     limitRateRetries,
		"rate and running, both":       limitBoth,
		"rate of runs without a job":   limitRateRemoved,
		"rate beside runs not started": limitRateNotStarted,
	}
}

// limited stores a job with a limit and n queued runs of it, a second apart.
func limited(t *testing.T, store jobcenter.JobStore, id string, limit jobcenter.Limit, first, n int) {
	t.Helper()
	job := newJob(t, id, at(1))
	job.Limit, job.MaxInstances = limit, 1000
	addJobs(t, store, job)
	runs := make([]jobcenter.Run, n)
	for i := range runs {
		runs[i] = newRun(id, at(first+i), jobcenter.RunQueued)
		runs[i].LimitKey = limit.Key
	}
	addRuns(t, store, id, runs...)
}

func limitRunning(t *testing.T, store jobcenter.JobStore) {
	limit := jobcenter.Limit{Key: "k", Running: 2}
	limited(t, store, "a", limit, 0, 3)
	limited(t, store, "b", limit, 10, 3)
	limited(t, store, "free", jobcenter.Limit{}, 20, 1)
	onSlow := newJob(t, "slow", at(1))
	onSlow.Limit = limit
	addJobs(t, store, onSlow)
	run := newRun("slow", at(0), jobcenter.RunQueued)
	run.Executor, run.LimitKey, run.Turn = slow, "k", at(-1)
	addRuns(t, store, "slow", run)
	first, _ := takeFor(t, store, slow, at(100), 10) // counts, wherever it runs
	checkSame(t, "taken on the other executor", []string{"slow 0"}, names(first))
	taken := take(t, store, at(100), 10)
	checkSame(t, "taken within the limit", []string{"a 0", "free 20"}, names(taken))
	checkSame(t, "taken at the limit", []string(nil), names(take(t, store, at(100), 10)))
	// An end makes room for one, wherever it was.
	record(t, store, jobcenter.Records{Ends: succeeded(at(101), first...)})
	taken = take(t, store, at(101), 10)
	checkSame(t, "taken after an end", []string{"a 1"}, names(taken))
	failed := taken[0]
	failed.State, failed.Turn, failed.NotBefore = jobcenter.RunQueued, at(50), at(300) // back into the queue
	record(t, store, jobcenter.Records{Ends: []jobcenter.Run{failed}})
	checkSame(t, "taken after one went back", []string{"a 2"}, names(take(t, store, at(102), 10)))
	checkSame(t, "taken at the limit", []string(nil), names(take(t, store, at(400), 10)))
}

// limitOwnNumber has jobs that name one key with numbers of their own.
func limitOwnNumber(t *testing.T, store jobcenter.JobStore) {
	limited(t, store, "one", jobcenter.Limit{Key: "k", Running: 1}, 0, 2)
	limited(t, store, "three", jobcenter.Limit{Key: "k", Running: 3}, 10, 3)
	limited(t, store, "any", jobcenter.Limit{Key: "k"}, 20, 1)
	checkSame(t, "taken", []string{"one 0"}, names(take(t, store, at(100), 1)))
	checkSame(t, "taken beside it", []string{"three 10", "three 11"}, names(take(t, store, at(100), 2)))
	checkSame(t, "taken at three", []string{"any 20"}, names(take(t, store, at(100), 10)))
	checkSame(t, "taken at four", []string(nil), names(take(t, store, at(100), 10)))
	// A changed number counts at once.
	update(t, store, "three", func(job *jobcenter.Job) { job.Limit.Running = 5 })
	checkSame(t, "taken with more", []string{"three 12"}, names(take(t, store, at(100), 10)))
	update(t, store, "one", func(job *jobcenter.Job) { job.Limit = jobcenter.Limit{} })
	checkSame(t, "taken without a limit", []string{"one 1"}, names(take(t, store, at(100), 10)))
	checkSame(t, "taken in the end", []string(nil), names(take(t, store, at(100), 10)))
}

// limitKeyOfRun has runs that were made when their job's limit was another one.
func limitKeyOfRun(t *testing.T, store jobcenter.JobStore) {
	job := newJob(t, "a", at(1))
	job.Limit, job.MaxInstances = jobcenter.Limit{Key: "new", Running: 1}, 9
	addJobs(t, store, job)
	runs := []jobcenter.Run{newRun("a", at(1), jobcenter.RunQueued), newRun("a", at(2), jobcenter.RunQueued), newRun("a", at(3), jobcenter.RunQueued), newRun("a", at(4), jobcenter.RunQueued)}
	runs[0].LimitKey, runs[1].LimitKey, runs[2].LimitKey = "old", "old", "new" // and one that had none
	addRuns(t, store, "a", runs...)
	checkSame(t, "taken", []string{"a 1", "a 3", "a 4"}, names(take(t, store, at(100), 10)))
}

func limitNearlySame(t *testing.T, store jobcenter.JobStore) {
	keys := []string{"x", "X", "x ", "é", "e", "e\u0301", "%", "_", "😀", "😁"}
	for i, key := range keys {
		limited(t, store, fmt.Sprint("job", i), jobcenter.Limit{Key: key, Running: 1, Rate: 1, Per: time.Minute}, i, 1)
	}
	if taken := take(t, store, at(100), 100); len(taken) != len(keys) {
		t.Errorf("taken %v, want one of each of %d keys", names(taken), len(keys))
	}
}

func limitRate(t *testing.T, store jobcenter.JobStore) {
	limit := jobcenter.Limit{Key: "k", Rate: 3, Per: 10 * time.Second}
	limited(t, store, "a", limit, 0, 5)
	limited(t, store, "b", limit, 10, 5)
	limited(t, store, "free", jobcenter.Limit{}, 20, 1)
	checkSame(t, "taken one by one", []string{"a 0"}, names(take(t, store, at(100), 1)))
	if taken := take(t, store, at(104), 10); len(taken) != 3 {
		t.Errorf("taken %v, want two of the key and the free one", names(taken))
	}
	for _, test := range []struct {
		now  time.Time
		want int
	}{
		{at(104), 0},
		{at(110).Add(-time.Microsecond), 0},
		{at(110), 1}, // what started at 100 has left the window that ends now
		{at(110), 0},
		{at(114).Add(-time.Microsecond), 0},
		{at(113).Add(time.Millisecond), 0},
		{at(114), 2},
		{at(114), 0},
		{at(200), 3},
		{at(200), 0},
		{at(195), 0}, // by a clock that is behind
		{at(300), 1}, // the last
	} {
		if taken := take(t, store, test.now, 10); len(taken) != test.want {
			t.Errorf("at %v: taken %v, want %d", test.now.Sub(base()), names(taken), test.want)
		}
	}
}

// limitRateEnded has a rate count what has started, however it ended.
func limitRateEnded(t *testing.T, store jobcenter.JobStore) {
	limit := jobcenter.Limit{Key: "k", Rate: 6, Per: 10 * time.Second}
	other := newJob(t, "other", at(1)) // without a limit now
	addJobs(t, store, other)
	var ended []jobcenter.Run
	for i, state := range []jobcenter.RunState{jobcenter.RunSucceeded, jobcenter.RunFailed, jobcenter.RunTimedOut, jobcenter.RunStopped, jobcenter.RunLost} {
		run := newRun("other", at(i), state)
		run.LimitKey, run.StartedAt, run.EndedAt = "k", at(100+i), at(105)
		ended = append(ended, run)
	}
	noKey := newRun("other", at(50), jobcenter.RunSucceeded)
	noKey.StartedAt = at(104)
	addRuns(t, store, "other", append(ended, noKey)...)
	limited(t, store, "a", limit, 0, 12)
	taken := take(t, store, at(106), 10)
	checkSame(t, "taken beside five that ended", []string{"a 0"}, names(taken))
	record(t, store, jobcenter.Records{Ends: succeeded(at(107), taken...)})
	checkSame(t, "taken after the end of that", []string(nil), names(take(t, store, at(107), 10)))
	checkSame(t, "taken when two have left the window", []string{"a 1", "a 2"}, names(take(t, store, at(111), 10)))
	// The start that the end of a run brings counts in place of the one before.
	taken = take(t, store, at(114), 10)
	checkSame(t, "taken when all have", []string{"a 3", "a 4", "a 5"}, names(taken))
	early := succeeded(at(115), taken...)
	for i := range early {
		early[i].StartedAt = at(113)
	}
	record(t, store, jobcenter.Records{Ends: early})
	checkSame(t, "taken by the starts that the ends brought", []string{"a 6"}, names(take(t, store, at(116), 10)))
	checkSame(t, "taken a while after", []string{"a 7", "a 8", "a 9", "a 10", "a 11"}, names(take(t, store, at(123), 10)))
}

// limitRateRetries has a run that waits for its second attempt: it counts by
// the start of the first one, until it starts again.
func limitRateRetries(t *testing.T, store jobcenter.JobStore) {
	limited(t, store, "a", jobcenter.Limit{Key: "k", Rate: 1, Per: 10 * time.Second}, 0, 2)
	taken := take(t, store, at(100), 10)
	checkSame(t, "taken", []string{"a 0"}, names(taken))
	again := taken[0]
	again.State = jobcenter.RunQueued
	record(t, store, jobcenter.Records{Ends: []jobcenter.Run{again}})
	checkSame(t, "taken within the window", []string(nil), names(take(t, store, at(109), 10)))
	taken = take(t, store, at(110), 10)
	checkSame(t, "taken again", []string{"a 0"}, names(taken))
	checkSame(t, "taken within the window of the second start", []string(nil), names(take(t, store, at(119), 10)))
	checkSame(t, "taken after it", []string{"a 1"}, names(take(t, store, at(120), 10)))
}

func limitBoth(t *testing.T, store jobcenter.JobStore) {
	limited(t, store, "a", jobcenter.Limit{Key: "k", Running: 1, Rate: 2, Per: 10 * time.Second}, 0, 4)
	taken := take(t, store, at(100), 10)
	checkSame(t, "taken", []string{"a 0"}, names(taken))
	record(t, store, jobcenter.Records{Ends: succeeded(at(101), taken...)})
	taken = take(t, store, at(101), 10)
	checkSame(t, "taken after the end", []string{"a 1"}, names(taken))
	record(t, store, jobcenter.Records{Ends: succeeded(at(102), taken...)})
	checkSame(t, "taken at the rate", []string(nil), names(take(t, store, at(102), 10)))
	checkSame(t, "taken when the first has left the window", []string{"a 2"}, names(take(t, store, at(110), 10)))
	checkSame(t, "taken while that runs", []string(nil), names(take(t, store, at(300), 10)))
}

func limitRateRemoved(t *testing.T, store jobcenter.JobStore) {
	limit := jobcenter.Limit{Key: "k", Running: 2, Rate: 2, Per: 10 * time.Second}
	limited(t, store, "gone", limit, 0, 1)
	limited(t, store, "a", limit, 10, 3)
	gone := take(t, store, at(100), 1)
	checkSame(t, "taken", []string{"gone 0"}, names(gone))
	remove(t, store, "gone")
	checkSame(t, "taken beside a run whose job is gone", []string{"a 10"}, names(take(t, store, at(101), 10)))
	record(t, store, jobcenter.Records{Ends: succeeded(at(102), gone...)})
	checkSame(t, "taken after its end", []string(nil), names(take(t, store, at(109), 10)))
	checkSame(t, "taken after the window", []string{"a 11"}, names(take(t, store, at(110), 10)))
}

// limitRateNotStarted has runs of the key that never started, or start later.
func limitRateNotStarted(t *testing.T, store jobcenter.JobStore) {
	limited(t, store, "a", jobcenter.Limit{Key: "k", Rate: 2, Per: 24 * time.Hour}, 0, 3)
	other := newJob(t, "other", at(1))
	addJobs(t, store, other)
	var runs []jobcenter.Run
	for i, state := range []jobcenter.RunState{jobcenter.RunMissed, jobcenter.RunSkipped, jobcenter.RunQueued} {
		run := newRun("other", at(i), state)
		run.LimitKey, run.NotBefore = "k", late()
		runs = append(runs, run)
	}
	stopped := newRun("other", at(9), jobcenter.RunStopped) // in the queue
	stopped.LimitKey, stopped.StartedAt = "k", time.Time{}
	addRuns(t, store, "other", append(runs, stopped)...)
	checkSame(t, "taken", []string{"a 0", "a 1"}, names(take(t, store, at(100), 10)))
	checkSame(t, "taken within a day", []string(nil), names(take(t, store, at(100+86399), 10)))
	checkSame(t, "taken after a day", []string{"a 2"}, names(take(t, store, at(100+86400), 10)))
}
