package mongostore

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/jobcenter-go/jobcenter"
)

func scenarios(t *testing.T) map[string]scenario {
	t.Helper()
	return map[string]scenario{
		"claim":               claimScenario(),
		"update":              updateScenario(),
		"remove":              removeScenario(),
		"add one":             addScenario(t, 1, false),
		"add one anew":        addScenario(t, 1, true),
		"add several":         addScenario(t, 3, false),
		"add several anew":    addScenario(t, 3, true),
		"take":                takeScenario(),
		"take within a limit": takeLimitedScenario(jobcenter.Limit{Key: "k", Running: 1}, 1),
		"take at a rate":      takeLimitedScenario(jobcenter.Limit{Key: "k", Rate: 2, Per: time.Hour}, 2),
		"record ends":         recordScenario(jobcenter.RunSucceeded),
		"record retries":      recordScenario(jobcenter.RunQueued),
		"record output":       outputScenario(),
		"stop a queued run":   stopScenario(jobcenter.RunQueued),
		"stop a running run":  stopScenario(jobcenter.RunRunning),
	}
}

// runIDs are the ids of runs that were claimed, sorted.
func runIDs(claimed []jobcenter.Claimed) []string {
	var ids []string
	for _, c := range claimed {
		for _, run := range c.Runs {
			ids = append(ids, run.ID)
		}
	}
	slices.Sort(ids)
	return ids
}

// inState are the ids of runs in a state, sorted.
func inState(t *testing.T, store *Store, state jobcenter.RunState) []string {
	t.Helper()
	page, err := store.Runs(t.Context(), jobcenter.RunQuery{States: []jobcenter.RunState{state}})
	if err != nil {
		t.Fatal(err)
	}
	return runIDs([]jobcenter.Claimed{{Runs: page.Runs}})
}

// exists reports whether a run is in the ledger.
func exists(t *testing.T, store *Store, runID string) bool {
	t.Helper()
	_, err := store.Run(t.Context(), runID)
	if err != nil && !errors.Is(err, jobcenter.ErrRunNotFound) {
		t.Fatal(err)
	}
	return err == nil
}

func getRun(t *testing.T, store *Store, runID string) jobcenter.Run {
	t.Helper()
	run, err := store.Run(t.Context(), runID)
	if err != nil {
		t.Fatal(err)
	}
	return run
}

func getJob(t *testing.T, store *Store, id string) jobcenter.Job {
	t.Helper()
	job, err := store.Job(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	return job
}

// claimScenario: no fire time is passed without its rows, no row is there of a
// job that did not advance, and what was not claimed is.
func claimScenario() scenario {
	ids := []string{"a", "b", "c"}
	call := func(ctx context.Context, store *Store) ([]jobcenter.Claimed, error) {
		return store.Claim(ctx, can(), at(0), 10, fireAndQueue)
	}
	return scenario{
		prepare: func(t *testing.T, store *Store) {
			t.Helper()
			for _, id := range ids {
				addJobs(t, store, minutely(t, id))
			}
			addRuns(t, store, "a", runOf("a", -5, jobcenter.RunRunning), runOf("a", -4, jobcenter.RunQueued))
		},
		call: call,
		check: func(t *testing.T, store *Store, claimed []jobcenter.Claimed, came outcome) {
			t.Helper()
			left := 0
			for _, id := range ids {
				job := getJob(t, store, id)
				advanced := job.NextFireTime.Equal(at(3))
				for minute := range 3 {
					if got := exists(t, store, runOf(id, minute, "").ID); got != advanced {
						t.Errorf("job %s has advanced: %v; the row of minute %d is there: %v", id, advanced, minute, got)
					}
				}
				if id == "a" && (getRun(t, store, "a@-5").StopBy != "") != advanced {
					t.Errorf("job a has advanced: %v; its running run is to stop: %v", advanced, !advanced)
				}
				if !advanced {
					left++
				}
				if came != died {
					mine := slices.ContainsFunc(claimed, func(c jobcenter.Claimed) bool { return c.Job.ID == id && len(c.Runs) == 3 })
					if mine != advanced {
						t.Errorf("job %s has advanced: %v; it was returned: %v", id, advanced, mine)
					}
				}
			}
			if again, err := call(t.Context(), store); err != nil || len(again) != left {
				t.Errorf("claimed by another: %d, %v; want %d", len(again), err, left)
			}
			if n, err := store.CountQueued(t.Context(), jobcenter.DefaultExecutor, 100); err != nil || n != 4 {
				t.Errorf("%d runs are queued, %v; want 4", n, err)
			}
			if held, err := store.Held(t.Context(), "node"); err != nil || len(held) != 4 {
				t.Errorf("the node holds %v, %v; want 4", held, err)
			}
		},
	}
}

func updateScenario() scenario {
	change := func(job jobcenter.Job, _ jobcenter.Active) (jobcenter.Job, []jobcenter.Run, error) {
		job.Name, job.Args = "Changed", []byte(`{"n": 1}`)
		return job, []jobcenter.Run{runOf("a", 1, jobcenter.RunRunning), runOf("a", 2, jobcenter.RunSkipped)}, nil
	}
	return scenario{
		prepare: func(t *testing.T, store *Store) { t.Helper(); addJobs(t, store, minutely(t, "a")) },
		call: func(ctx context.Context, store *Store) ([]jobcenter.Claimed, error) {
			_, err := store.UpdateJob(ctx, "a", change)
			return nil, err
		},
		check: func(t *testing.T, store *Store, _ []jobcenter.Claimed, came outcome) {
			t.Helper()
			job := getJob(t, store, "a")
			done := job.Name == "Changed"
			came.agrees(t, "change", done)
			if one, two := exists(t, store, "a@1"), exists(t, store, "a@2"); one != done || two != done || (len(job.Args) > 0) != done {
				t.Errorf("changed: %v, arguments %s, runs there: %v, %v", done, job.Args, one, two)
			}
			if _, err := store.UpdateJob(t.Context(), "a", change); err != nil {
				t.Error(err)
			}
			if running := inState(t, store, jobcenter.RunRunning); !slices.Equal(running, []string{"a@1"}) {
				t.Errorf("running after another change: %v", running)
			}
		},
	}
}

func removeScenario() scenario {
	last := func(job jobcenter.Job) []jobcenter.Run {
		return []jobcenter.Run{runOf(job.ID, 9, jobcenter.RunSkipped)}
	}
	return scenario{
		prepare: func(t *testing.T, store *Store) {
			t.Helper()
			addJobs(t, store, minutely(t, "a"))
			addRuns(t, store, "a", runOf("a", 1, jobcenter.RunRunning), runOf("a", 2, jobcenter.RunQueued), runOf("a", 3, jobcenter.RunQueued))
		},
		call: func(ctx context.Context, store *Store) ([]jobcenter.Claimed, error) {
			return nil, store.RemoveJob(ctx, "a", last)
		},
		check: func(t *testing.T, store *Store, _ []jobcenter.Claimed, came outcome) {
			t.Helper()
			_, err := store.Job(t.Context(), "a")
			done := errors.Is(err, jobcenter.ErrJobNotFound)
			came.agrees(t, "removal", done)
			if skipped, want := len(inState(t, store, jobcenter.RunSkipped)), map[bool]int{true: 3}[done]; skipped != want {
				t.Errorf("removed: %v, but %d runs are skipped", done, skipped)
			}
			if !done {
				if err := store.RemoveJob(t.Context(), "a", last); err != nil {
					t.Error(err)
				}
			}
			addJobs(t, store, minutely(t, "a")) // the id is free
			if _, err := store.UpdateJob(t.Context(), "a", func(job jobcenter.Job, active jobcenter.Active) (jobcenter.Job, []jobcenter.Run, error) {
				if active != (jobcenter.Active{Running: 1}) {
					t.Errorf("active: %+v, want the one that was running", active)
				}
				return job, nil, nil
			}); err != nil {
				t.Error(err)
			}
		},
	}
}

// addScenario adds jobs, some of which were there before and were removed if
// it is anew.
func addScenario(t *testing.T, n int, anew bool) scenario {
	t.Helper()
	var jobs []jobcenter.Job
	for i := range n {
		jobs = append(jobs, minutely(t, fmt.Sprint("job", i)))
	}
	return scenario{
		prepare: func(t *testing.T, store *Store) {
			t.Helper()
			if !anew {
				return
			}
			for _, job := range jobs[:(n+1)/2] {
				addJobs(t, store, job)
				addRuns(t, store, job.ID, runOf(job.ID, 1, jobcenter.RunRunning))
				if err := store.RemoveJob(t.Context(), job.ID, func(jobcenter.Job) []jobcenter.Run { return nil }); err != nil {
					t.Fatal(err)
				}
			}
		},
		call: func(ctx context.Context, store *Store) ([]jobcenter.Claimed, error) {
			return nil, store.AddJobs(ctx, these(jobs...))
		},
		check: func(t *testing.T, store *Store, _ []jobcenter.Claimed, came outcome) {
			t.Helper()
			page, err := store.Jobs(t.Context(), jobcenter.JobQuery{})
			if err != nil || len(page.Jobs) != 0 && len(page.Jobs) != n {
				t.Errorf("%d jobs, %v; want all %d or none", len(page.Jobs), err, n)
			}
			done := len(page.Jobs) == n
			came.agrees(t, "addition", done)
			for i := range n {
				if _, err := store.Job(t.Context(), fmt.Sprint("job", i)); (err == nil) != done {
					t.Errorf("job %d: %v, but the list has %d jobs", i, err, len(page.Jobs))
				}
			}
			if _, ok, err := store.NextDue(t.Context(), can()); err != nil || ok != done {
				t.Errorf("next due: %v, %v; want %v", ok, err, done)
			}
			if err := store.AddJobs(t.Context(), these(jobs...)); (err == nil) == done || err != nil && !errors.Is(err, jobcenter.ErrConflict) {
				t.Errorf("added once more: %v; they were there: %v", err, done)
			}
			claimed, err := store.Claim(t.Context(), can(), at(0), 10, fireAndQueue)
			if err != nil || len(claimed) != n {
				t.Errorf("claimed %d, %v; want %d", len(claimed), err, n)
			}
		},
	}
}

// takeScenario: each queued run starts once.
func takeScenario() scenario {
	call := func(ctx context.Context, store *Store) ([]jobcenter.Claimed, error) {
		taken, _, err := store.TakeQueued(ctx, can(), jobcenter.DefaultExecutor, at(50), 10, startNow)
		return taken, err
	}
	return scenario{
		prepare: func(t *testing.T, store *Store) {
			t.Helper()
			for _, id := range []string{"a", "b", "gone"} {
				addJobs(t, store, minutely(t, id))
			}
			for _, id := range []string{"a", "b"} {
				addRuns(t, store, id, runOf(id, 1, jobcenter.RunQueued), runOf(id, 2, jobcenter.RunQueued))
			}
			if err := store.RemoveJob(t.Context(), "gone", func(jobcenter.Job) []jobcenter.Run {
				return []jobcenter.Run{runOf("gone", 1, jobcenter.RunQueued)}
			}); err != nil {
				t.Fatal(err)
			}
		},
		call: call,
		check: func(t *testing.T, store *Store, claimed []jobcenter.Claimed, came outcome) {
			t.Helper()
			started := inState(t, store, jobcenter.RunRunning)
			if taken := runIDs(claimed); came != died && !slices.Equal(taken, started) {
				t.Errorf("returned %v, started %v", taken, started)
			}
			more, err := call(t.Context(), store)
			if err != nil {
				t.Error(err)
			}
			all := slices.Sorted(slices.Values(append(started, runIDs(more)...)))
			if !slices.Equal(all, []string{"a@1", "a@2", "b@1", "b@2"}) {
				t.Errorf("started %v, then %v", started, runIDs(more))
			}
			if run := getRun(t, store, "gone@1"); run.State != jobcenter.RunSkipped || run.Reason != jobcenter.ReasonRemoved {
				t.Errorf("run of a removed job is %s, %s", run.State, run.Reason)
			}
		},
	}
}

// takeLimitedScenario: no more start than the limit allows, and no fewer.
func takeLimitedScenario(limit jobcenter.Limit, allowed int) scenario {
	call := func(ctx context.Context, store *Store) ([]jobcenter.Claimed, error) {
		taken, _, err := store.TakeQueued(ctx, can(), jobcenter.DefaultExecutor, at(50), 10, startNow)
		return taken, err
	}
	return scenario{
		prepare: func(t *testing.T, store *Store) {
			t.Helper()
			for _, id := range []string{"a", "b"} {
				job := minutely(t, id)
				job.Limit = limit
				addJobs(t, store, job)
				one, two := runOf(id, 1, jobcenter.RunQueued), runOf(id, 2, jobcenter.RunQueued)
				one.LimitKey, two.LimitKey = limit.Key, limit.Key
				addRuns(t, store, id, one, two)
			}
		},
		call: call,
		check: func(t *testing.T, store *Store, claimed []jobcenter.Claimed, came outcome) {
			t.Helper()
			started := inState(t, store, jobcenter.RunRunning)
			if taken := runIDs(claimed); came != died && !slices.Equal(taken, started) {
				t.Errorf("returned %v, started %v", taken, started)
			}
			more, err := call(t.Context(), store)
			if err != nil {
				t.Error(err)
			}
			if len(started)+len(more) != allowed {
				t.Errorf("started %v, then %v; want %d together", started, runIDs(more), allowed)
			}
		},
	}
}

// recordScenario: the end of a run, its output, what it drops and what it
// carries are there together or not at all; and giving them again does it.
func recordScenario(state jobcenter.RunState) scenario {
	var records jobcenter.Records
	for _, id := range []string{"a", "b"} {
		end := runOf(id, 1, jobcenter.RunRunning)
		end.State, end.OutputSize, end.OutputKept = state, 9, 6
		if state == jobcenter.RunQueued {
			end.Node, end.NotBefore = "", at(60)
		} else {
			end.EndedAt = at(51)
		}
		records.Output = append(records.Output,
			jobcenter.Chunk{RunID: end.ID, Attempt: 1, Offset: 3, Data: []byte("new")}, jobcenter.Chunk{RunID: end.ID, Attempt: 1, Offset: 6, Data: []byte("end")})
		records.Drops = append(records.Drops, jobcenter.Drop{RunID: end.ID, Attempt: 1, From: 0, To: 3})
		records.Ends = append(records.Ends, end)
		records.Carries = append(records.Carries, jobcenter.Carry{RunID: end.ID, JobID: id, Attempt: 1, Carried: []byte(`"carried"`)})
	}
	return scenario{
		prepare: func(t *testing.T, store *Store) {
			t.Helper()
			for _, id := range []string{"a", "b"} {
				addJobs(t, store, minutely(t, id))
				addRuns(t, store, id, runOf(id, 1, jobcenter.RunRunning))
				if err := store.Record(t.Context(), jobcenter.Records{Output: []jobcenter.Chunk{{RunID: id + "@1", Attempt: 1, Data: []byte("old")}}}); err != nil {
					t.Fatal(err)
				}
			}
		},
		call: func(ctx context.Context, store *Store) ([]jobcenter.Claimed, error) {
			return nil, store.Record(ctx, records)
		},
		check: func(t *testing.T, store *Store, _ []jobcenter.Claimed, came outcome) {
			t.Helper()
			check := func(id string) (done bool) {
				run := getRun(t, store, id+"@1")
				done = run.State == state
				want := map[bool]string{true: "newend", false: "old"}[done]
				if text := outputOf(t, store, run.ID); text != want {
					t.Errorf("run of %s is %s, its output %q", id, run.State, text)
				}
				if carried := getJob(t, store, id).Carried; (carried != nil) != done {
					t.Errorf("run of %s is %s, its job carries %q", id, run.State, carried)
				}
				return done
			}
			one, two := check("a"), check("b")
			if came == succeeded && (!one || !two) {
				t.Errorf("it was recorded, but of a: %v, of b: %v", one, two)
			}
			if err := store.Record(t.Context(), records); err != nil {
				t.Error(err)
			}
			if !check("a") || !check("b") {
				t.Error("it was not recorded the second time")
			}
		},
	}
}

func outputOf(t *testing.T, store *Store, runID string) string {
	t.Helper()
	chunks, err := store.Output(t.Context(), runID, 0, 1000)
	if err != nil {
		t.Fatal(err)
	}
	text := ""
	for _, chunk := range chunks {
		text += string(chunk.Data)
	}
	return text
}

func outputScenario() scenario {
	records := jobcenter.Records{
		Output: []jobcenter.Chunk{
			{RunID: "a@1", Attempt: 1, Data: []byte("one")},
			{RunID: "a@1", Attempt: 1, Offset: 3, Data: []byte("two")},
			{RunID: "a@1", Attempt: 2, Offset: 3, Data: []byte("another attempt")},
		},
	}
	return scenario{
		prepare: func(t *testing.T, store *Store) {
			t.Helper()
			addJobs(t, store, minutely(t, "a"))
			addRuns(t, store, "a", runOf("a", 1, jobcenter.RunRunning))
		},
		call: func(ctx context.Context, store *Store) ([]jobcenter.Claimed, error) {
			return nil, store.Record(ctx, records)
		},
		check: func(t *testing.T, store *Store, _ []jobcenter.Claimed, came outcome) {
			t.Helper()
			text := outputOf(t, store, "a@1")
			if text != "" && text != "onetwo" || came == succeeded && text == "" {
				t.Errorf("output %q, the call %s", text, came)
			}
			if err := store.Record(t.Context(), records); err != nil {
				t.Error(err)
			}
			if text := outputOf(t, store, "a@1"); text != "onetwo" {
				t.Errorf("output %q after it was recorded again", text)
			}
		},
	}
}

func stopScenario(state jobcenter.RunState) scenario {
	stop := func(ctx context.Context, store *Store) (jobcenter.Run, error) {
		return store.RequestStop(ctx, "a@1", "me", at(7))
	}
	return scenario{
		prepare: func(t *testing.T, store *Store) {
			t.Helper()
			addJobs(t, store, minutely(t, "a"))
			addRuns(t, store, "a", runOf("a", 1, state))
		},
		call: func(ctx context.Context, store *Store) ([]jobcenter.Claimed, error) {
			run, err := stop(ctx, store)
			return []jobcenter.Claimed{{Runs: []jobcenter.Run{run}}}, err
		},
		check: func(t *testing.T, store *Store, claimed []jobcenter.Claimed, came outcome) {
			t.Helper()
			run := getRun(t, store, "a@1")
			done := run.StopBy == "me"
			came.agrees(t, "stop", done)
			want := map[jobcenter.RunState]jobcenter.RunState{jobcenter.RunQueued: jobcenter.RunStopped, jobcenter.RunRunning: jobcenter.RunRunning}[state]
			if done && run.State != want || !done && run.State != state {
				t.Errorf("it is to stop: %v, and is %s", done, run.State)
			}
			if came == succeeded && claimed[0].Runs[0].State != run.State {
				t.Errorf("returned as %s, is %s", claimed[0].Runs[0].State, run.State)
			}
			if run, err := stop(t.Context(), store); err != nil || run.State != want || run.StopBy != "me" {
				t.Errorf("stopped again: %s, by %q, %v", run.State, run.StopBy, err)
			}
		},
	}
}
