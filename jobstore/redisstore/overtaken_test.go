package redisstore_test

import (
	"errors"
	"testing"
	"time"

	"github.com/jobcenter-go/jobcenter"
	"github.com/jobcenter-go/jobcenter/jobstore/redisstore"
)

// TestOvertaken has another store change what a decision is based on, while
// it is being made: the decision is made again, or dropped.
func TestOvertaken(t *testing.T) {
	t.Parallel()
	serverURL(t) // or else skip
	for name, test := range map[string]func(t *testing.T, store, other *redisstore.Store){
		"claim, by a run that began":              claimByRun,
		"claim, by a run that ended":              claimByEnd,
		"claim, by a change":                      claimByChange,
		"claim, by what a run carries":            claimByCarry,
		"claim, by a claim":                       claimByClaim,
		"claim, by a removal":                     claimByRemoval,
		"change, by a run":                        changeByRun,
		"change, by a change":                     changeByChange,
		"change, by a removal":                    changeByRemoval,
		"removal, by a claim":                     removalByClaim,
		"addition, by a removal":                  additionByRemoval,
		"start, by a start of the run":            startByStart,
		"start, by a stop":                        startByStop,
		"start, by an attempt":                    startByAttempt,
		"start, by another run of the job":        startByInstance,
		"start, by another run of the limit":      startByLimit,
		"start, by another start within the rate": startByRate,
		"start, by a change of the job":           startByChange,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			prefix := newPrefix(t)
			store := open(t, serverURL(t), redisstore.Options{Prefix: prefix})
			defer func() { _ = store.Close() }()
			other := open(t, serverURL(t), redisstore.Options{Prefix: prefix})
			defer func() { _ = other.Close() }()
			test(t, store, other)
		})
	}
}

// overtake claims the job a and lets something happen before the first
// decision. It returns what the decisions were based on.
func overtake(t *testing.T, store *redisstore.Store, happens func()) (jobs []jobcenter.Job, actives []jobcenter.Active) {
	t.Helper()
	claimed, err := store.Claim(t.Context(), can(), at(0), 10, func(job jobcenter.Job, active jobcenter.Active) jobcenter.Decision {
		jobs, actives = append(jobs, job), append(actives, active)
		if len(jobs) == 1 {
			happens()
		}
		return advance(job, active)
	})
	if err != nil {
		t.Fatal(err)
	}
	if claims := len(claimed); claims != len(jobs)-1 {
		t.Errorf("%d jobs were claimed after %d decisions; want all but the first to count", claims, len(jobs))
	}
	return jobs, actives
}

func checkActives(t *testing.T, got []jobcenter.Active, want ...jobcenter.Active) {
	t.Helper()
	if len(got) != len(want) || got[0] != want[0] || got[1] != want[1] {
		t.Errorf("decided with %+v, want %+v", got, want)
	}
}

func claimByRun(t *testing.T, store, other *redisstore.Store) {
	t.Helper()
	add(t, store, minutely(t, "a"))
	_, actives := overtake(t, store, func() {
		insert(t, other, "a", newRun("a", at(-60), jobcenter.RunRunning), newRun("a", at(-30), jobcenter.RunQueued))
	})
	checkActives(t, actives, jobcenter.Active{}, jobcenter.Active{Queued: 1, Running: 1})
	checkStates(t, store, "running queued running")
}

func claimByEnd(t *testing.T, store, other *redisstore.Store) {
	t.Helper()
	add(t, store, minutely(t, "a"))
	run := newRun("a", at(-60), jobcenter.RunRunning)
	insert(t, store, "a", run)
	_, actives := overtake(t, store, func() {
		run.State = jobcenter.RunSucceeded
		record(t, other, jobcenter.Records{Ends: []jobcenter.Run{run}})
	})
	checkActives(t, actives, jobcenter.Active{Running: 1}, jobcenter.Active{})
}

func record(t *testing.T, store *redisstore.Store, records jobcenter.Records) {
	t.Helper()
	if err := store.Record(t.Context(), records); err != nil {
		t.Fatal(err)
	}
}

// rename changes a job.
func rename(t *testing.T, store *redisstore.Store, name string) {
	t.Helper()
	if _, err := store.UpdateJob(t.Context(), "a", func(job jobcenter.Job, _ jobcenter.Active) (jobcenter.Job, []jobcenter.Run, error) {
		job.Name = name
		return job, nil, nil
	}); err != nil {
		t.Fatal(err)
	}
}

func claimByChange(t *testing.T, store, other *redisstore.Store) {
	t.Helper()
	add(t, store, minutely(t, "a"))
	jobs, _ := overtake(t, store, func() { rename(t, other, "changed") })
	if len(jobs) != 2 || jobs[1].Name != "changed" {
		t.Errorf("decided on %+v, want the job as it was changed at last", jobs)
	}
}

func claimByCarry(t *testing.T, store, other *redisstore.Store) {
	t.Helper()
	add(t, store, minutely(t, "a"))
	run := newRun("a", at(-60), jobcenter.RunRunning)
	insert(t, store, "a", run)
	jobs, _ := overtake(t, store, func() {
		record(t, other, jobcenter.Records{Carries: []jobcenter.Carry{{RunID: run.ID, JobID: "a", Attempt: 1, Carried: []byte("1")}}})
	})
	if len(jobs) != 2 || string(jobs[1].Carried) != "1" {
		t.Errorf("decided on %+v, want the job with what was carried at last", jobs)
	}
}

func claimByClaim(t *testing.T, store, other *redisstore.Store) {
	t.Helper()
	add(t, store, minutely(t, "a"))
	jobs, _ := overtake(t, store, func() {
		if claimed, err := other.Claim(t.Context(), can(), at(0), 10, advance); err != nil || len(claimed) != 1 {
			t.Errorf("claimed %v, %v", claimed, err)
		}
	})
	if len(jobs) != 1 {
		t.Errorf("%d decisions, want one: the job is due no more", len(jobs))
	}
	checkStates(t, store, "running")
}

func claimByRemoval(t *testing.T, store, other *redisstore.Store) {
	t.Helper()
	add(t, store, minutely(t, "a"))
	jobs, _ := overtake(t, store, func() { remove(t, other) })
	if len(jobs) != 1 {
		t.Errorf("%d decisions, want one: the job is gone", len(jobs))
	}
	checkStates(t, store, "")
}

// remove removes the job a.
func remove(t *testing.T, store *redisstore.Store) {
	t.Helper()
	if err := store.RemoveJob(t.Context(), "a", func(jobcenter.Job) []jobcenter.Run { return nil }); err != nil {
		t.Fatal(err)
	}
}

// change changes the job a and lets something happen before the first decision.
func change(t *testing.T, store *redisstore.Store, happens func()) (jobs []jobcenter.Job, actives []jobcenter.Active, err error) {
	t.Helper()
	_, err = store.UpdateJob(t.Context(), "a", func(job jobcenter.Job, active jobcenter.Active) (jobcenter.Job, []jobcenter.Run, error) {
		jobs, actives = append(jobs, job), append(actives, active)
		if len(jobs) == 1 {
			happens()
		}
		job.Description = "changed"
		return job, nil, nil
	})
	return jobs, actives, err
}

func changeByRun(t *testing.T, store, other *redisstore.Store) {
	t.Helper()
	add(t, store, minutely(t, "a"))
	run := newRun("a", at(-60), jobcenter.RunRunning)
	insert(t, store, "a", run)
	_, actives, err := change(t, store, func() {
		run.State = jobcenter.RunSucceeded
		record(t, other, jobcenter.Records{Ends: []jobcenter.Run{run}})
	})
	if err != nil {
		t.Fatal(err)
	}
	checkActives(t, actives, jobcenter.Active{Running: 1}, jobcenter.Active{})
}

func changeByChange(t *testing.T, store, other *redisstore.Store) {
	t.Helper()
	add(t, store, minutely(t, "a"))
	if _, _, err := change(t, store, func() { rename(t, other, "renamed") }); err != nil {
		t.Fatal(err)
	}
	if job, err := store.Job(t.Context(), "a"); err != nil || job.Name != "renamed" || job.Description != "changed" {
		t.Errorf("name %q, description %q, %v; want both changes", job.Name, job.Description, err)
	}
}

func changeByRemoval(t *testing.T, store, other *redisstore.Store) {
	t.Helper()
	add(t, store, minutely(t, "a"))
	again := minutely(t, "a")
	again.Name = "again"
	jobs, _, err := change(t, store, func() {
		remove(t, other)
		add(t, other, again)
	})
	if err != nil || len(jobs) != 2 || jobs[1].Name != "again" {
		t.Errorf("changed %+v, %v; want the job that took the place at last", jobs, err)
	}
	if _, _, err := change(t, store, func() { remove(t, other) }); !errors.Is(err, jobcenter.ErrJobNotFound) {
		t.Errorf("error %v, want ErrJobNotFound", err)
	}
}

func removalByClaim(t *testing.T, store, other *redisstore.Store) {
	t.Helper()
	add(t, store, minutely(t, "a"))
	var jobs []jobcenter.Job
	if err := store.RemoveJob(t.Context(), "a", func(job jobcenter.Job) []jobcenter.Run {
		if jobs = append(jobs, job); len(jobs) == 1 {
			if _, err := other.Claim(t.Context(), can(), at(0), 10, advance); err != nil {
				t.Error(err)
			}
		}
		return []jobcenter.Run{newRun("a", job.NextFireTime, jobcenter.RunSkipped)}
	}); err != nil {
		t.Fatal(err)
	}
	if len(jobs) != 2 || !jobs[1].NextFireTime.Equal(at(60)) {
		t.Errorf("removed %+v, want the job as it was after the claim", jobs)
	}
	checkStates(t, store, "skipped running")
}

func additionByRemoval(t *testing.T, store, other *redisstore.Store) {
	t.Helper()
	add(t, store, minutely(t, "a"))
	calls := 0
	err := store.AddJobs(t.Context(), func() ([]jobcenter.Job, error) {
		if calls++; calls == 1 {
			remove(t, other)
		}
		return []jobcenter.Job{minutely(t, "a"), minutely(t, "b")}, nil
	})
	if err != nil || calls != 2 {
		t.Errorf("%d calls, %v; want another one, after the removal", calls, err)
	}
	for _, id := range []string{"a", "b"} {
		if _, err := store.Job(t.Context(), id); err != nil {
			t.Error(err)
		}
	}
}

// waiting is a run of the job a in the queue.
func waiting(second int) jobcenter.Run {
	run := newRun("a", at(second), jobcenter.RunQueued)
	run.Attempt, run.Node, run.StartedAt = 0, "", time.Time{}
	return run
}

// start begins a run on this node.
func start(_ jobcenter.Job, run jobcenter.Run) jobcenter.Run {
	run.State, run.Attempt, run.Node, run.StartedAt = jobcenter.RunRunning, run.Attempt+1, "node", at(0)
	return run
}

// take starts queued runs and lets something happen before the first decision.
func take(t *testing.T, store *redisstore.Store, happens func()) (taken []string, asked []jobcenter.Claimed) {
	t.Helper()
	claimed, _, err := store.TakeQueued(t.Context(), can(), jobcenter.DefaultExecutor, at(0), 10, func(job jobcenter.Job, run jobcenter.Run) jobcenter.Run {
		if asked = append(asked, jobcenter.Claimed{Job: job, Runs: []jobcenter.Run{run}}); len(asked) == 1 {
			happens()
		}
		return start(job, run)
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range claimed {
		taken = append(taken, c.Runs[0].ID)
	}
	return taken, asked
}

// takeOne starts one run that is queued for an executor.
func takeOne(t *testing.T, store *redisstore.Store, executor string) jobcenter.Run {
	t.Helper()
	taken, _, err := store.TakeQueued(t.Context(), can(), executor, at(0), 1, start)
	if err != nil || len(taken) != 1 {
		t.Fatalf("taken %v, %v; want one run", taken, err)
	}
	return taken[0].Runs[0]
}

func checkTaken(t *testing.T, taken []string, want int) {
	t.Helper()
	if len(taken) != want {
		t.Errorf("taken %q, want %d", taken, want)
	}
}

func startByStart(t *testing.T, store, other *redisstore.Store) {
	t.Helper()
	add(t, store, minutely(t, "a"))
	insert(t, store, "a", waiting(-60))
	taken, _ := take(t, store, func() { takeOne(t, other, jobcenter.DefaultExecutor) })
	checkTaken(t, taken, 0)
}

func startByStop(t *testing.T, store, other *redisstore.Store) {
	t.Helper()
	add(t, store, minutely(t, "a"))
	insert(t, store, "a", waiting(-60))
	taken, _ := take(t, store, func() {
		if _, err := other.RequestStop(t.Context(), waiting(-60).ID, "me", at(0)); err != nil {
			t.Error(err)
		}
	})
	checkTaken(t, taken, 0)
	checkStates(t, store, "stopped")
}

func startByAttempt(t *testing.T, store, other *redisstore.Store) {
	t.Helper()
	add(t, store, minutely(t, "a"))
	insert(t, store, "a", waiting(-60))
	taken, asked := take(t, store, func() {
		run := takeOne(t, other, jobcenter.DefaultExecutor)
		run.State = jobcenter.RunQueued
		record(t, other, jobcenter.Records{Ends: []jobcenter.Run{run}})
	})
	checkTaken(t, taken, 1)
	if len(asked) != 2 || asked[1].Runs[0].Attempt != 1 {
		t.Errorf("asked about %+v, want the run after its first attempt at last", asked)
	}
	if run, err := store.Run(t.Context(), taken[0]); err != nil || run.Attempt != 2 {
		t.Errorf("attempt %d, %v; want 2", run.Attempt, err)
	}
}

func startByInstance(t *testing.T, store, other *redisstore.Store) {
	t.Helper()
	add(t, store, minutely(t, "a"))
	elsewhere := waiting(-120)
	elsewhere.Executor = "slow"
	insert(t, store, "a", waiting(-60), elsewhere)
	taken, _ := take(t, store, func() { takeOne(t, other, "slow") })
	checkTaken(t, taken, 0)
	checkStates(t, store, "queued running")
}

// limited stores two jobs of a limit, one with a run in the queue.
func limited(t *testing.T, store *redisstore.Store, limit jobcenter.Limit) {
	t.Helper()
	a, b := minutely(t, "a"), minutely(t, "b")
	a.Limit, b.Limit = limit, limit
	add(t, store, a, b)
	run := waiting(-60)
	run.LimitKey = limit.Key
	insert(t, store, "a", run)
}

func startByLimit(t *testing.T, store, other *redisstore.Store) {
	t.Helper()
	limited(t, store, jobcenter.Limit{Key: "k", Running: 1})
	taken, _ := take(t, store, func() {
		run := newRun("b", at(-120), jobcenter.RunRunning)
		run.LimitKey = "k"
		insert(t, other, "b", run)
	})
	checkTaken(t, taken, 0)
}

func startByRate(t *testing.T, store, other *redisstore.Store) {
	t.Helper()
	limited(t, store, jobcenter.Limit{Key: "k", Rate: 1, Per: time.Minute})
	taken, _ := take(t, store, func() {
		run := newRun("b", at(-59), jobcenter.RunSucceeded)
		run.LimitKey = "k"
		insert(t, other, "b", run)
	})
	checkTaken(t, taken, 0)
}

func startByChange(t *testing.T, store, other *redisstore.Store) {
	t.Helper()
	add(t, store, minutely(t, "a"))
	insert(t, store, "a", waiting(-60))
	taken, asked := take(t, store, func() { rename(t, other, "changed") })
	checkTaken(t, taken, 1)
	if len(asked) != 2 || asked[1].Job.Name != "changed" {
		t.Errorf("asked about %+v, want the job as it was changed at last", asked)
	}
}
