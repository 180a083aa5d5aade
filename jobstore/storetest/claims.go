package storetest

import (
	"fmt"
	"testing"
	"time"

	"github.com/jobcenter-go/jobcenter"
)

func claimTests() tests {
	return tests{
		"advances the job and inserts its runs": claimAdvances,
		"in order, up to the limit":             claimOrder,
		"each once":                             claimEachOnce,
		"due at or before now":                  claimBoundary,
		"jobs that are not to be claimed":       claimLeavesOut,
		"tasks and executors":                   claimCan,
		"a pause that ends":                     claimPausedUntil,
		"resume":                                claimResumes,
		"a known fire time":                     claimKnownFireTime,
		"spans":                                 claimSpans,
		"several runs of a job":                 claimSeveralRuns,
		"no further fire time":                  claimFinishes,
		"quarantine":                            claimQuarantines,
		"active runs":                           claimIsToldOfActive,
		"stops running runs":                    claimStopsRunning,
		"many jobs":                             claimMany,
	}
}

func claimAdvances(t *testing.T, store jobcenter.JobStore) {
	want := newJob(t, "a", at(1))
	want.Tags, want.Args, want.PreviousFireTime = []string{"x"}, []byte(`{"n":1}`), at(-60)
	later := newJob(t, "later", at(60))
	addJobs(t, store, want, later)
	run := newRun("a", at(1), jobcenter.RunRunning)
	run.Args, run.Priority, run.LimitKey, run.Actor = []byte(`[1]`), 5, "k", "me"
	calls := 0
	claimed := claimAs(t, store, at(2), 10, func(job jobcenter.Job, active jobcenter.Active) jobcenter.Decision {
		calls++
		checkSame(t, "job given to decide", want, job)
		checkSame(t, "active", jobcenter.Active{}, active)
		return jobcenter.Decision{Next: at(61), Previous: at(1), Runs: []jobcenter.Run{run}}
	})
	if calls == 0 {
		t.Error("decide was not called")
	}
	checkSame(t, "claimed", []jobcenter.Claimed{{Job: want, Runs: []jobcenter.Run{run}}}, claimed)
	want.NextFireTime, want.PreviousFireTime = at(61), at(1)
	checkSame(t, "job", want, getJob(t, store, "a"))
	checkSame(t, "other job", later, getJob(t, store, "later"))
	checkSame(t, "runs", []jobcenter.Run{run}, allRuns(t, store, jobcenter.RunQuery{}))
	checkSame(t, "next due", at(60), nextDue(t, store, can()))
	checkSame(t, "claimed once more", []string(nil), jobIDs(claim(t, store, at(2), 10)))
}

// claimOrder has jobs that come by due time, then the highest priority, then id.
func claimOrder(t *testing.T, store jobcenter.JobStore) {
	var jobs []jobcenter.Job
	for _, job := range []struct {
		id       string
		due      int
		priority int
		executor string
		until    int // of a pause
	}{
		{"9", 3, 0, pool, 0},
		{"8", 3, 1000, slow, 0},
		{"7", 3, 1000, pool, 0},
		{"6", 3, -1000, pool, 0},
		{"5", 3, -1, slow, 0},
		{"4", 3, 0, pool, 0},
		{"3", 9, 1000, pool, 0},
		{"2", 1, -1000, pool, 0},
		{"1", 1, 7, pool, 3}, // due when its pause ends
	} {
		due := newJob(t, job.id, at(job.due))
		due.Priority, due.Executor = job.priority, job.executor
		if job.until > 0 {
			due.Paused, due.PausedUntil = true, at(job.until)
		}
		jobs = append(jobs, due)
	}
	addJobs(t, store, jobs...)
	for _, limit := range []int{0, -1} {
		checkSame(t, "claim of nothing", []string(nil), jobIDs(claim(t, store, at(20), limit)))
	}
	for _, want := range [][]string{{"2"}, {"7", "8", "1"}, {"4", "9"}, {"5", "6", "3"}, nil} {
		var asked []string
		claimed := claimAs(t, store, at(20), max(len(want), 1), func(job jobcenter.Job, _ jobcenter.Active) jobcenter.Decision {
			asked = append(asked, job.ID)
			return jobcenter.Decision{Next: at(100), Resume: true}
		})
		checkSame(t, "claimed", want, jobIDs(claimed))
		if len(asked) > len(want) { // the transaction was tried again
			asked = asked[len(asked)-len(want):]
		}
		checkSame(t, "order of the decisions", want, asked)
	}
}

// claimEachOnce has jobs that are due again at once.
func claimEachOnce(t *testing.T, store jobcenter.JobStore) {
	addJobs(t, store, newJob(t, "a", at(0)), newJob(t, "b", at(30)))
	for range 2 {
		claimed := claim(t, store, at(600), 10)
		checkSame(t, "claimed", []string{"a", "b"}, jobIDs(claimed))
	}
	checkSame(t, "runs", []string{"b 90", "a 60", "b 30", "a 0"}, names(allRuns(t, store, jobcenter.RunQuery{})))
	// One whose next fire time does not change is claimed again as well.
	for range 2 {
		claimed := claimAs(t, store, at(600), 10, func(job jobcenter.Job, _ jobcenter.Active) jobcenter.Decision {
			return jobcenter.Decision{Next: job.NextFireTime, Previous: job.PreviousFireTime}
		})
		checkSame(t, "claimed", []string{"a", "b"}, jobIDs(claimed))
	}
}

func claimBoundary(t *testing.T, store jobcenter.JobStore) {
	addJobs(t, store, newJob(t, "a", at(1)))
	if early := claim(t, store, at(1).Add(-time.Microsecond), 1); len(early) != 0 {
		t.Error("claimed a microsecond before the fire time")
	}
	if due := claim(t, store, at(1), 1); len(due) != 1 {
		t.Error("not claimed at the fire time")
	}
}

func claimLeavesOut(t *testing.T, store jobcenter.JobStore) {
	paused, quarantined, finished, both := newJob(t, "paused", at(1)), newJob(t, "quarantined", at(1)), newJob(t, "finished", time.Time{}), newJob(t, "both", at(1))
	paused.Paused, paused.PauseReason, quarantined.Quarantine = true, "why", "bad"
	both.Quarantine, both.Paused, both.PausedUntil = "bad", true, at(2)
	ended := newJob(t, "ended", time.Time{})
	ended.Paused, ended.PausedUntil = true, at(2) // it has nothing to resume to
	left := []jobcenter.Job{paused, quarantined, finished, both, ended}
	addJobs(t, store, left...)
	checkSame(t, "next due of none", time.Time{}, nextDue(t, store, can()))
	addJobs(t, store, newJob(t, "sound", at(5)))
	checkSame(t, "next due", at(5), nextDue(t, store, can()))
	checkSame(t, "claimed", []string{"sound"}, jobIDs(claim(t, store, at(9), 10)))
	for _, job := range left {
		checkSame(t, "job "+job.ID, job, getJob(t, store, job.ID))
	}
	// Resumed, the job is claimed again.
	update(t, store, "paused", func(job *jobcenter.Job) { job.Paused = false })
	checkSame(t, "next due after resuming", at(1), nextDue(t, store, can()))
	checkSame(t, "claimed after resuming", []string{"paused"}, jobIDs(claim(t, store, at(9), 10)))
}

// claimCan has jobs of tasks and executors that the caller lacks.
func claimCan(t *testing.T, store jobcenter.JobStore) {
	var jobs []jobcenter.Job
	for i, job := range []struct{ id, task, executor string }{
		{"a", "t1", "e1"}, {"b", "t1", "e2"}, {"c", "t2", "e1"}, {"d", "t2", "e2"}, {"e", "", ""}, {"f", task, pool},
	} {
		due := newJob(t, job.id, at(i))
		due.Task, due.Executor = job.task, job.executor
		jobs = append(jobs, due)
	}
	addJobs(t, store, jobs...)
	for _, test := range []struct {
		tasks, executors, want []string
		due                    time.Time
	}{
		{nil, nil, nil, time.Time{}},
		{[]string{"t1"}, nil, nil, time.Time{}},
		{nil, []string{"e1"}, nil, time.Time{}},
		{[]string{}, []string{}, nil, time.Time{}},
		{[]string{"e1"}, []string{"t1"}, nil, time.Time{}},
		{[]string{"T1", "t", "t11", "%", "_1"}, []string{"e1", "e2"}, nil, time.Time{}},
		{[]string{"t1", "t2"}, []string{"E1", "e", "%", "__"}, nil, time.Time{}},
		{[]string{task}, []string{"e1", slow}, nil, time.Time{}},
		{[]string{"t1"}, []string{pool}, nil, time.Time{}},
		{[]string{task}, []string{pool}, []string{"f"}, at(5)},
		{[]string{"t2"}, []string{"e2"}, []string{"d"}, at(3)},
		{[]string{"t2", "x"}, []string{"e2", "y", "e1"}, []string{"c", "d"}, at(2)},
		{[]string{"t1", "t1", "t2"}, []string{"e2", "e2"}, []string{"b", "d"}, at(1)},
		{[]string{"t1", "t2"}, []string{"e1", "e2"}, []string{"a", "b", "c", "d"}, at(0)},
		{[]string{""}, []string{""}, []string{"e"}, at(4)},
	} {
		can := jobcenter.Can{Tasks: test.tasks, Executors: test.executors}
		checkSame(t, fmt.Sprintf("next due of %q", can), test.due, nextDue(t, store, can))
		claimed, err := store.Claim(t.Context(), can, at(9), 10, func(job jobcenter.Job, _ jobcenter.Active) jobcenter.Decision {
			return jobcenter.Decision{Next: job.NextFireTime}
		})
		if err != nil {
			t.Fatal(err)
		}
		checkSame(t, fmt.Sprintf("claimed by %q", can), test.want, jobIDs(claimed))
	}
	for _, job := range jobs {
		checkSame(t, "job "+job.ID, job, getJob(t, store, job.ID))
	}
}

// claimPausedUntil has paused jobs that are due when they are to resume.
func claimPausedUntil(t *testing.T, store jobcenter.JobStore) {
	soon, past, running := newJob(t, "soon", at(5)), newJob(t, "past", at(30)), newJob(t, "running", at(40))
	soon.Paused, soon.PausedUntil = true, at(20)
	past.Paused, past.PausedUntil = true, at(10) // before its next fire time
	running.PausedUntil = at(1)                  // means nothing: it is not paused
	addJobs(t, store, soon, past, running)
	stay := func(jobcenter.Job, jobcenter.Active) jobcenter.Decision { // as one that looks again at a later instant
		return jobcenter.Decision{Next: at(50), Resume: true}
	}
	for _, step := range []struct {
		now  time.Time
		want []string
		due  time.Time
	}{
		{at(10).Add(-time.Microsecond), nil, at(10)},
		{at(10), []string{"past"}, at(20)},
		{at(20).Add(-time.Microsecond), nil, at(20)},
		{at(20), []string{"soon"}, at(40)},
		{at(40), []string{"running"}, at(50)},
	} {
		checkSame(t, "claimed", step.want, jobIDs(claimAs(t, store, step.now, 10, stay)))
		checkSame(t, "next due", step.due, nextDue(t, store, can()))
	}
}

func claimResumes(t *testing.T, store jobcenter.JobStore) {
	job, other := newJob(t, "a", at(1)), newJob(t, "b", at(1))
	job.Paused, job.PausedUntil, job.PauseReason = true, at(5), "night"
	other.Paused, other.PausedUntil, other.PauseReason = true, at(5), "day"
	addJobs(t, store, job, other)
	skipped := newRun("a", at(1), jobcenter.RunSkipped)
	skipped.Reason = jobcenter.ReasonPaused
	claimed := claimAs(t, store, at(5), 10, func(job jobcenter.Job, _ jobcenter.Active) jobcenter.Decision {
		if job.ID == "b" { // a decision that leaves it paused
			return jobcenter.Decision{Next: job.NextFireTime, Previous: job.PreviousFireTime}
		}
		return jobcenter.Decision{Next: at(61), Previous: at(1), Resume: true, Runs: []jobcenter.Run{skipped}}
	})
	checkSame(t, "claimed", []jobcenter.Claimed{{Job: job, Runs: []jobcenter.Run{skipped}}, {Job: other}}, claimed)
	job.Paused, job.PausedUntil, job.PauseReason, job.NextFireTime, job.PreviousFireTime = false, time.Time{}, "", at(61), at(1)
	checkSame(t, "job that was resumed", job, getJob(t, store, "a"))
	checkSame(t, "job that was not", other, getJob(t, store, "b"))
	checkSame(t, "next due", at(5), nextDue(t, store, can()))
	checkSame(t, "active jobs", []string{"a"}, listJobs(t, store, jobcenter.JobQuery{State: jobcenter.JobActive}))
	checkSame(t, "claimed in its turn", []string{"b", "a"}, jobIDs(claim(t, store, at(61), 10)))
}

func claimKnownFireTime(t *testing.T, store jobcenter.JobStore) {
	addJobs(t, store, newJob(t, "a", at(1)), newJob(t, "b", at(1)))
	first, filled := newRun("a", at(1), jobcenter.RunSucceeded), inSeries(newRun("b", at(1), jobcenter.RunSucceeded), "s")
	first = another(first)
	first.Origin = jobcenter.OriginManual
	addRuns(t, store, "a", first)
	addRuns(t, store, "b", filled) // another series has nothing to say here
	claimed := claim(t, store, at(1), 10)
	checkSame(t, "claimed", []string{"a", "b"}, jobIDs(claimed))
	checkSame(t, "inserted", []string{"b 1"}, names(claimedRuns(claimed)))
	checkSame(t, "run", first, getRun(t, store, first.ID))
	checkSame(t, "next fire time", at(61), getJob(t, store, "a").NextFireTime)
	checkSame(t, "active", jobcenter.Active{}, activeOf(t, store, "a"))
	checkSame(t, "runs of a", []jobcenter.Run{first}, allRuns(t, store, jobcenter.RunQuery{JobID: "a"}))
	// Of two that one decision gives, the first counts; that of a series is a
	// row of its own.
	one, two, three := newRun("a", at(61), jobcenter.RunQueued), another(newRun("a", at(61), jobcenter.RunRunning)), inSeries(newRun("a", at(61), jobcenter.RunQueued), "s")
	claimed = claimAs(t, store, at(61), 1, func(jobcenter.Job, jobcenter.Active) jobcenter.Decision {
		return jobcenter.Decision{Next: at(121), Runs: []jobcenter.Run{one, two, three}}
	})
	checkSame(t, "inserted", []jobcenter.Run{one, three}, claimedRuns(claimed))
	checkSame(t, "active", jobcenter.Active{Queued: 2}, activeOf(t, store, "a"))
}

func claimSpans(t *testing.T, store jobcenter.JobStore) {
	addJobs(t, store, newJob(t, "a", at(1)))
	span := newRun("a", at(1), jobcenter.RunMissed)
	span.LastFireTime, span.FireCount, span.Reason = at(604800), 604800, jobcenter.ReasonMisfire
	claimed := claimAs(t, store, at(604800), 10, func(jobcenter.Job, jobcenter.Active) jobcenter.Decision {
		return jobcenter.Decision{Next: at(604801), Runs: []jobcenter.Run{span}}
	})
	checkSame(t, "claimed", []jobcenter.Run{span}, claimedRuns(claimed))
	checkSame(t, "span", span, getRun(t, store, span.ID))
}

func claimSeveralRuns(t *testing.T, store jobcenter.JobStore) {
	addJobs(t, store, newJob(t, "a", at(1)), newJob(t, "b", at(1)))
	runs := []jobcenter.Run{
		newRun("a", at(1), jobcenter.RunMissed), newRun("a", at(2), jobcenter.RunRunning),
		newRun("a", at(3), jobcenter.RunQueued), newRun("a", at(4), jobcenter.RunSkipped),
	}
	claimed := claimAs(t, store, at(4), 10, func(job jobcenter.Job, _ jobcenter.Active) jobcenter.Decision {
		if job.ID == "b" {
			return jobcenter.Decision{Next: at(5)} // nothing to write, but it advances
		}
		return jobcenter.Decision{Next: at(5), Runs: runs}
	})
	checkSame(t, "claimed", []jobcenter.Claimed{{Job: newJob(t, "a", at(1)), Runs: runs}, {Job: newJob(t, "b", at(1))}}, claimed)
	checkSame(t, "stored", []jobcenter.Run{runs[3], runs[2], runs[1], runs[0]}, allRuns(t, store, jobcenter.RunQuery{}))
	checkSame(t, "next fire time of b", at(5), getJob(t, store, "b").NextFireTime)
	checkSame(t, "active", jobcenter.Active{Queued: 1, Running: 1}, activeOf(t, store, "a"))
	checkSame(t, "taken once the running one has ended", []string(nil), names(take(t, store, at(9), 10)))
	record(t, store, jobcenter.Records{Ends: succeeded(at(9), runs[1])})
	checkSame(t, "taken", []string{"a 3"}, names(take(t, store, at(9), 10)))
}

func claimFinishes(t *testing.T, store jobcenter.JobStore) {
	addJobs(t, store, newJob(t, "a", at(1)))
	claimAs(t, store, at(1), 10, func(jobcenter.Job, jobcenter.Active) jobcenter.Decision {
		return jobcenter.Decision{Previous: at(1), Runs: []jobcenter.Run{newRun("a", at(1), jobcenter.RunRunning)}}
	})
	want := newJob(t, "a", time.Time{})
	want.PreviousFireTime = at(1)
	checkSame(t, "job", want, getJob(t, store, "a"))
	checkSame(t, "finished jobs", []string{"a"}, listJobs(t, store, jobcenter.JobQuery{State: jobcenter.JobFinished}))
	checkSame(t, "next due", time.Time{}, nextDue(t, store, can()))
}

func claimQuarantines(t *testing.T, store jobcenter.JobStore) {
	job := newJob(t, "a", at(1))
	addJobs(t, store, job)
	claimed := claimAs(t, store, at(1), 10, func(job jobcenter.Job, _ jobcenter.Active) jobcenter.Decision {
		return jobcenter.Decision{Next: job.NextFireTime, Quarantine: "cannot be understood"}
	})
	checkSame(t, "claimed", []jobcenter.Claimed{{Job: job}}, claimed)
	job.Quarantine = "cannot be understood"
	checkSame(t, "job", job, getJob(t, store, "a"))
	checkSame(t, "jobs in quarantine", []string{"a"}, listJobs(t, store, jobcenter.JobQuery{State: jobcenter.JobQuarantined}))
	checkSame(t, "claimed in quarantine", []string(nil), jobIDs(claim(t, store, at(9), 10)))
	checkSame(t, "next due", time.Time{}, nextDue(t, store, can()))
	update(t, store, "a", func(job *jobcenter.Job) { job.Quarantine = "" })
	checkSame(t, "claimed after it", []string{"a"}, jobIDs(claim(t, store, at(9), 10)))
}

func claimIsToldOfActive(t *testing.T, store jobcenter.JobStore) {
	want := map[string]jobcenter.Active{}
	jobs := manyJobs(t, 4, at(1))
	addJobs(t, store, jobs...)
	for i, job := range jobs {
		var runs []jobcenter.Run
		for n := range i {
			runs = append(runs, newRun(job.ID, at(-100+2*n), jobcenter.RunQueued), newRun(job.ID, at(-99+2*n), jobcenter.RunRunning),
				newRun(job.ID, at(-200+2*n), jobcenter.RunSucceeded), inSeries(newRun(job.ID, at(-100+2*n), jobcenter.RunQueued), "s"))
		}
		addRuns(t, store, job.ID, runs...)
		want[job.ID] = jobcenter.Active{Queued: 2 * i, Running: i}
	}
	got := map[string]jobcenter.Active{}
	claimAs(t, store, at(1), 10, func(job jobcenter.Job, active jobcenter.Active) jobcenter.Decision {
		got[job.ID] = active
		return jobcenter.Decision{Next: at(61)}
	})
	checkSame(t, "active runs", want, got)
}

// claimStopsRunning has a decision that asks the running runs of a job to end.
func claimStopsRunning(t *testing.T, store jobcenter.JobStore) {
	addJobs(t, store, newJob(t, "a", at(1)), newJob(t, "b", at(1)))
	running, asked := newRun("a", at(-9), jobcenter.RunRunning), newRun("a", at(-8), jobcenter.RunRunning)
	asked.StopBy = "li"
	filled := inSeries(newRun("a", at(-9), jobcenter.RunRunning), "s")
	queued, ended := newRun("a", at(-7), jobcenter.RunQueued), newRun("a", at(-6), jobcenter.RunFailed)
	other := newRun("b", at(-9), jobcenter.RunRunning)
	addRuns(t, store, "a", running, asked, filled, queued, ended)
	addRuns(t, store, "b", other)
	mine, next := newRun("a", at(1), jobcenter.RunRunning), newRun("a", at(2), jobcenter.RunQueued)
	claimed := claimAs(t, store, at(1), 10, func(job jobcenter.Job, _ jobcenter.Active) jobcenter.Decision {
		if job.ID == "b" {
			return jobcenter.Decision{Next: at(61)}
		}
		return jobcenter.Decision{Next: at(61), Runs: []jobcenter.Run{mine, next}, StopRunning: "the next run"}
	})
	checkSame(t, "claimed", []jobcenter.Run{mine, next}, claimedRuns(claimed))
	running.StopBy, filled.StopBy = "the next run", "the next run"
	for _, want := range []jobcenter.Run{running, asked, filled, queued, ended, other, mine, next} {
		checkSame(t, "run "+names([]jobcenter.Run{want})[0], want, getRun(t, store, want.ID))
	}
}

func claimMany(t *testing.T, store jobcenter.JobStore) {
	const jobs = 203 // more than fits in any round number of rows
	addJobs(t, store, manyJobs(t, jobs, at(0))...)
	total := 0
	for _, want := range []int{150, 53, 0} {
		claimed := claim(t, store, at(0), 150)
		if len(claimed) != want {
			t.Errorf("claimed %d, want %d", len(claimed), want)
		}
		for _, c := range claimed {
			if len(c.Runs) != 1 || c.Runs[0].JobID != c.Job.ID {
				t.Errorf("job %s came with runs %v", c.Job.ID, names(c.Runs))
			}
		}
		total += len(claimed)
	}
	runs := allRuns(t, store, jobcenter.RunQuery{Limit: 500})
	if total != jobs || len(runs) != jobs {
		t.Errorf("claimed %d, %d runs; want %d of each", total, len(runs), jobs)
	}
	page, err := store.Jobs(t.Context(), jobcenter.JobQuery{Limit: 500})
	if err != nil {
		t.Fatal(err)
	}
	for _, job := range page.Jobs {
		if !job.NextFireTime.Equal(at(60)) {
			t.Errorf("next fire time of %s is %v, want %v", job.ID, job.NextFireTime, at(60))
		}
	}
}
