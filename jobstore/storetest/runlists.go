package storetest

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/jobcenter-go/jobcenter"
)

func runListTests() tests {
	return tests{
		"job, states and time":     runsFilter,
		"pages while runs come in": runsPages,
		"limits":                   runsLimits,
		"bad cursors":              runsBadCursors,
		"last runs":                lastRuns,
	}
}

func allStates() []jobcenter.RunState {
	return []jobcenter.RunState{
		jobcenter.RunQueued, jobcenter.RunRunning, jobcenter.RunSucceeded, jobcenter.RunFailed, jobcenter.RunTimedOut,
		jobcenter.RunStopped, jobcenter.RunLost, jobcenter.RunMissed, jobcenter.RunSkipped,
	}
}

// manyRuns stores runs of two jobs in all states, with ties between the jobs,
// and returns them newest first but for the ties.
func manyRuns(t *testing.T, store jobcenter.JobStore) []jobcenter.Run {
	t.Helper()
	var all []jobcenter.Run
	for _, id := range []string{"a", "b"} {
		addJobs(t, store, newJob(t, id, at(1)))
		var runs []jobcenter.Run
		for i := range 30 {
			runs = append(runs, newRun(id, at(i*11%30), allStates()[i%len(allStates())]))
		}
		addRuns(t, store, id, runs...)
		all = append(all, runs...)
	}
	slices.SortStableFunc(all, func(a, b jobcenter.Run) int { return b.FireTime.Compare(a.FireTime) })
	return all
}

func runsFilter(t *testing.T, store jobcenter.JobStore) {
	all := manyRuns(t, store)
	queries := map[string]jobcenter.RunQuery{
		"all":              {},
		"job":              {JobID: "a"},
		"unknown job":      {JobID: "none"},
		"two states":       {States: []jobcenter.RunState{jobcenter.RunFailed, jobcenter.RunRunning}},
		"a state twice":    {States: []jobcenter.RunState{jobcenter.RunFailed, jobcenter.RunFailed}},
		"all states":       {States: allStates()},
		"unknown state":    {States: []jobcenter.RunState{"x"}},
		"job and states":   {JobID: "b", States: []jobcenter.RunState{jobcenter.RunQueued, jobcenter.RunMissed, jobcenter.RunSkipped}},
		"from":             {From: at(10)},
		"to":               {To: at(10)},
		"from and to":      {From: at(10), To: at(20)},
		"within a µs":      {From: at(10).Add(1), To: at(20).Add(1)},
		"nothing between":  {From: at(10), To: at(10)},
		"everything given": {JobID: "a", States: []jobcenter.RunState{jobcenter.RunSucceeded, jobcenter.RunQueued}, From: at(5), To: at(25)},
		"another zone":     {From: at(10).In(time.FixedZone("", 3600))},
	}
	for _, state := range allStates() {
		queries[string(state)] = jobcenter.RunQuery{States: []jobcenter.RunState{state}}
		queries["job and "+string(state)] = jobcenter.RunQuery{JobID: "a", States: []jobcenter.RunState{state}}
	}
	for name, q := range queries {
		t.Run(name, func(t *testing.T) {
			var want []string
			for _, run := range all {
				if keeps(q, run) {
					want = append(want, run.ID)
				}
			}
			slices.Sort(want)
			var first []string
			for _, limit := range []int{500, 1, 2, 3, 7, len(want)} {
				q.Limit = limit
				got := allRuns(t, store, q)
				for i := 1; i < len(got); i++ {
					if got[i-1].FireTime.Before(got[i].FireTime) {
						t.Errorf("limit %d: %s comes before %s", limit, got[i-1].ID, got[i].ID)
					}
				}
				ids := runIDs(got)
				if limit == 500 {
					first = ids
				}
				checkSame(t, fmt.Sprintf("limit %d, against one page", limit), first, ids)
				checkSame(t, fmt.Sprintf("runs with limit %d", limit), want, slices.Sorted(slices.Values(ids)))
			}
		})
	}
}

func runsPages(t *testing.T, store jobcenter.JobStore) {
	all := manyRuns(t, store)
	added := 0
	for name, q := range map[string]jobcenter.RunQuery{
		"all":     {},
		"job":     {JobID: "a"},
		"states":  {States: []jobcenter.RunState{jobcenter.RunSkipped, jobcenter.RunSucceeded, jobcenter.RunRunning}},
		"a state": {States: []jobcenter.RunState{jobcenter.RunSkipped}},
		"both":    {JobID: "a", States: []jobcenter.RunState{jobcenter.RunSkipped}},
		"time":    {From: at(5), To: at(25)},
	} {
		q.Limit = 3
		seen := map[string]int{}
		for pages := 0; ; pages++ {
			page, err := store.Runs(t.Context(), q)
			if err != nil {
				t.Fatal(err)
			}
			for _, run := range page.Runs {
				seen[run.ID]++
			}
			if page.NextCursor == "" {
				break
			}
			checkEndless(t, 50*pages)
			q.Cursor = page.NextCursor
			if pages > 2 {
				continue
			}
			// New runs, as they come, and some between.
			added++
			addRuns(t, store, "a", newRun("a", at(100+added), jobcenter.RunRunning), newRun("a", at(15).Add(time.Duration(added)*time.Microsecond), jobcenter.RunSkipped),
				newRun("a", at(6).Add(time.Duration(added)*time.Millisecond), jobcenter.RunSkipped))
		}
		for _, run := range all {
			if kept := keeps(q, run); kept != (seen[run.ID] == 1) {
				t.Errorf("%s: %s is kept: %v, and was listed %d times", name, names([]jobcenter.Run{run}), kept, seen[run.ID])
			}
		}
		for id, times := range seen {
			if times != 1 {
				t.Errorf("%s: %s was listed %d times", name, id, times)
			}
		}
	}
}

// keeps reports whether a query keeps a run.
func keeps(q jobcenter.RunQuery, run jobcenter.Run) bool {
	return (q.JobID == "" || run.JobID == q.JobID) && (len(q.States) == 0 || slices.Contains(q.States, run.State)) &&
		(q.From.IsZero() || !run.FireTime.Before(q.From)) && (q.To.IsZero() || run.FireTime.Before(q.To))
}

func runsLimits(t *testing.T, store jobcenter.JobStore) {
	manyRuns(t, store) // 60
	for limit, want := range map[int]int{0: 50, 1: 1, 59: 59, 60: 60, 500: 60} {
		page, err := store.Runs(t.Context(), jobcenter.RunQuery{Limit: limit})
		if err != nil || len(page.Runs) != want || (page.NextCursor == "") != (want == 60) {
			t.Errorf("limit %d: %d runs, cursor %q, %v; want %d runs", limit, len(page.Runs), page.NextCursor, err, want)
		}
	}
}

func runsBadCursors(t *testing.T, store jobcenter.JobStore) {
	manyRuns(t, store)
	for _, cursor := range badCursors() {
		for _, q := range []jobcenter.RunQuery{{Cursor: cursor}, {Cursor: cursor, JobID: "a", States: allStates()}} {
			if page, err := store.Runs(t.Context(), q); !errors.Is(err, jobcenter.ErrBadCursor) {
				t.Errorf("cursor %.40q: %d runs, error %v; want ErrBadCursor", cursor, len(page.Runs), err)
			}
		}
	}
}

// lastRuns has the latest fire time of those that were started count, in
// whatever order the rows were written.
func lastRuns(t *testing.T, store jobcenter.JobStore) {
	ids := []string{"none"}
	want := map[string]jobcenter.Run{}
	for i, state := range allStates() {
		id := string(state)
		ids = append(ids, id)
		addJobs(t, store, newJob(t, id, at(1)))
		newest := newRun(id, at(10+i), state)
		runs := []jobcenter.Run{newRun(id, at(60), jobcenter.RunSkipped), newest, newRun(id, at(50), jobcenter.RunMissed), newRun(id, at(40), jobcenter.RunQueued)}
		if !newest.StartedAt.IsZero() {
			runs = append(runs, newRun(id, at(1), jobcenter.RunFailed), newRun(id, at(0), jobcenter.RunRunning))
			want[id] = newest
		}
		addRuns(t, store, id, runs...)
	}
	ask := func(what string, want map[string]jobcenter.Run, ids ...string) {
		got, err := store.LastRuns(t.Context(), ids)
		if err != nil {
			t.Fatal(err)
		}
		checkSame(t, what, want, got)
	}
	ask("last runs", want, ids...)
	ask("last run of one job, twice", map[string]jobcenter.Run{"failed": want["failed"]}, "failed", "failed")
	ask("last runs of no jobs", nil)

	// Starting a queued run makes it the last one.
	addJobs(t, store, newJob(t, "a", at(1)))
	before, queued := newRun("a", at(1), jobcenter.RunSucceeded), newRun("a", at(9), jobcenter.RunQueued)
	queued.Priority = 1000
	addRuns(t, store, "a", before, queued)
	ask("last run while the next one waits", map[string]jobcenter.Run{"a": before}, "a")
	started := take(t, store, at(20), 1)[0]
	ask("last run after a start", map[string]jobcenter.Run{"a": started}, "a")
	// While it waits for another attempt it is not.
	waits := requeued(started)
	record(t, store, jobcenter.Records{Ends: []jobcenter.Run{waits}})
	ask("last run while one waits again", map[string]jobcenter.Run{"a": before}, "a")
	stopped := stop(t, store, waits.ID, "me", 25)
	ask("last run when that was stopped", map[string]jobcenter.Run{"a": stopped}, "a")
	remove(t, store, "a")
	ask("last run of a job that is gone", map[string]jobcenter.Run{"a": stopped}, "a")
}
