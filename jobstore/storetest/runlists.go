package storetest

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/jobcenter-go/jobcenter"
)

func runListTests() map[string]func(*testing.T, jobcenter.JobStore) {
	return map[string]func(*testing.T, jobcenter.JobStore){
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
				if (q.JobID == "" || run.JobID == q.JobID) && (len(q.States) == 0 || slices.Contains(q.States, run.State)) &&
					(q.From.IsZero() || !run.FireTime.Before(q.From)) && (q.To.IsZero() || run.FireTime.Before(q.To)) {
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
	q := jobcenter.RunQuery{Limit: 7}
	seen := map[string]int{}
	for n := 0; ; n++ {
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
		checkEndless(t, n)
		q.Cursor = page.NextCursor
		// New runs, as they come, and one between.
		addRuns(t, store, "a", newRun("a", at(100+n), jobcenter.RunRunning), newRun("a", at(15).Add(time.Duration(n+1)), jobcenter.RunSkipped),
			newRun("a", at(15).Add(time.Duration(n+1)*time.Millisecond), jobcenter.RunSkipped))
	}
	for _, run := range all {
		if seen[run.ID] != 1 {
			t.Errorf("%s was listed %d times", run.ID, seen[run.ID])
		}
	}
	for id, times := range seen {
		if times != 1 {
			t.Errorf("%s was listed %d times", id, times)
		}
	}
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

func lastRuns(t *testing.T, store jobcenter.JobStore) {
	ids := []string{"none"}
	want := map[string]jobcenter.Run{}
	for i, state := range allStates() {
		id := string(state)
		ids = append(ids, id)
		addJobs(t, store, newJob(t, id, at(1)))
		newest := newRun(id, at(10+i), state)
		// Written out of order, with later rows that were not started.
		addRuns(t, store, id, newRun(id, at(60), jobcenter.RunSkipped), newest, newRun(id, at(50), jobcenter.RunMissed), newRun(id, at(40), jobcenter.RunQueued))
		if !newest.StartedAt.IsZero() {
			addRuns(t, store, id, newRun(id, at(1), jobcenter.RunFailed), newRun(id, at(0), jobcenter.RunRunning))
			want[id] = newest
		}
	}
	got, err := store.LastRuns(t.Context(), ids)
	if err != nil {
		t.Fatal(err)
	}
	checkSame(t, "last runs", want, got)

	some, err := store.LastRuns(t.Context(), []string{"failed"})
	if err != nil || len(some) != 1 {
		t.Errorf("last runs of one job: %v, %v", some, err)
	}
	if empty, err := store.LastRuns(t.Context(), nil); err != nil || len(empty) != 0 {
		t.Errorf("last runs of no jobs: %v, %v", empty, err)
	}
	// Starting the queued run makes it the last one.
	taken := take(t, store, 100)
	started, err := store.LastRuns(t.Context(), []string{"missed"})
	if err != nil || len(taken) == 0 {
		t.Fatalf("taken %v, %v", runIDs(taken), err)
	}
	checkSame(t, "last run after a start", at(40), started["missed"].FireTime)
}
