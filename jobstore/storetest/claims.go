package storetest

import (
	"fmt"
	"testing"
	"time"

	"github.com/jobcenter-go/jobcenter"
)

func claimTests() map[string]func(*testing.T, jobcenter.JobStore) {
	return map[string]func(*testing.T, jobcenter.JobStore){
		"advances the job and inserts its runs": claimAdvances,
		"earliest first, up to the limit":       claimOrder,
		"due at or before now":                  claimBoundary,
		"jobs that are not to be claimed":       claimLeavesOut,
		"no tasks":                              claimNoTasks,
		"a known fire time":                     claimKnownFireTime,
		"spans":                                 claimSpans,
		"several runs of a job":                 claimSeveralRuns,
		"no further fire time":                  claimFinishes,
		"quarantine":                            claimQuarantines,
		"active runs":                           claimIsToldOfActive,
		"many jobs":                             claimMany,
	}
}

func claimAdvances(t *testing.T, store jobcenter.JobStore) {
	want := newJob(t, "a", at(1))
	want.Tags, want.Args = []string{"x"}, []byte(`{"n":1}`)
	addJobs(t, store, want, newJob(t, "later", at(60)))
	run := newRun("a", at(1), jobcenter.RunRunning)
	calls := 0
	claimed, err := store.Claim(t.Context(), jobcenter.Can{Tasks: []string{"other", task}, Executors: []string{"other", jobcenter.DefaultExecutor}}, at(2), 10, func(job jobcenter.Job, active jobcenter.Active) jobcenter.Decision {
		calls++
		checkSame(t, "job given to decide", want, job)
		if active != (jobcenter.Active{}) {
			t.Errorf("active = %+v, want none", active)
		}
		return jobcenter.Decision{Next: at(61), Runs: []jobcenter.Run{run}}
	})
	if err != nil {
		t.Fatal(err)
	}
	if calls == 0 {
		t.Error("decide was not called")
	}
	checkSame(t, "claimed", []jobcenter.Claimed{{Job: want, Runs: []jobcenter.Run{run}}}, claimed)
	want.NextFireTime = at(61)
	checkSame(t, "job", want, getJob(t, store, "a"))
	checkSame(t, "runs", []jobcenter.Run{run}, allRuns(t, store, jobcenter.RunQuery{}))
	if again := claim(t, store, at(2), 10); len(again) != 0 {
		t.Errorf("claimed %v once more", jobIDs(again))
	}
}

func claimOrder(t *testing.T, store jobcenter.JobStore) {
	for i, id := range []string{"c", "a", "e", "b", "d"} {
		addJobs(t, store, newJob(t, id, at(10-i)))
	}
	for _, limit := range []int{0, -1} {
		checkSame(t, "claim of nothing", []string(nil), jobIDs(claim(t, store, at(20), limit)))
	}
	checkSame(t, "first claim", []string{"d", "b"}, jobIDs(claim(t, store, at(20), 2)))
	checkSame(t, "second claim", []string{"e", "a", "c"}, jobIDs(claim(t, store, at(20), 5)))
	checkSame(t, "third claim", []string(nil), jobIDs(claim(t, store, at(20), 5)))
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
	paused, quarantined, foreign, finished := newJob(t, "paused", at(1)), newJob(t, "quarantined", at(1)), newJob(t, "foreign", at(1)), newJob(t, "finished", time.Time{})
	paused.Paused, quarantined.Quarantine, foreign.Task = true, "bad", "other"
	addJobs(t, store, paused, quarantined, foreign, finished, newJob(t, "sound", at(5)))
	next, ok, err := store.NextDue(t.Context(), can())
	if err != nil || !ok {
		t.Fatalf("NextDue: %v, %v", ok, err)
	}
	checkSame(t, "next fire time", at(5), next)
	next, ok, err = store.NextDue(t.Context(), jobcenter.Can{Tasks: []string{task, "other"}, Executors: can().Executors})
	if err != nil || !ok {
		t.Fatalf("NextDue: %v, %v", ok, err)
	}
	checkSame(t, "next fire time of both tasks", at(1), next)
	checkSame(t, "claimed", []string{"sound"}, jobIDs(claim(t, store, at(9), 10)))
	for _, job := range []jobcenter.Job{paused, quarantined, foreign, finished} {
		checkSame(t, "job "+job.ID, job, getJob(t, store, job.ID))
	}
	// Resumed, the job is claimed again.
	if _, err := store.UpdateJob(t.Context(), "paused", func(job jobcenter.Job, _ jobcenter.Active) (jobcenter.Job, []jobcenter.Run, error) {
		job.Paused = false
		return job, nil, nil
	}); err != nil {
		t.Fatal(err)
	}
	checkSame(t, "claimed after resuming", []string{"paused"}, jobIDs(claim(t, store, at(9), 10)))
}

func claimNoTasks(t *testing.T, store jobcenter.JobStore) {
	addJobs(t, store, newJob(t, "a", at(1)))
	for _, tasks := range [][]string{nil, {}, {"TASK"}, {"tas", "task2", "%"}} {
		can := jobcenter.Can{Tasks: tasks, Executors: []string{jobcenter.DefaultExecutor}}
		if at, ok, err := store.NextDue(t.Context(), can); err != nil || ok || !at.IsZero() {
			t.Errorf("NextDue(%q) = %v, %v, %v; want none", tasks, at, ok, err)
		}
		claimed, err := store.Claim(t.Context(), can, at(9), 10, runAndAdvance)
		if err != nil || len(claimed) != 0 {
			t.Errorf("Claim(%q) = %v, %v; want none", tasks, jobIDs(claimed), err)
		}
	}
}

func claimKnownFireTime(t *testing.T, store jobcenter.JobStore) {
	addJobs(t, store, newJob(t, "a", at(1)), newJob(t, "b", at(1)))
	first := newRun("a", at(1), jobcenter.RunSucceeded)
	first.ID, first.Origin = "by hand", jobcenter.OriginManual
	addRuns(t, store, "a", first)
	claimed := claim(t, store, at(1), 10)
	checkSame(t, "claimed", []string{"a", "b"}, jobIDs(claimed))
	checkSame(t, "inserted", []string{newRun("b", at(1), jobcenter.RunRunning).ID}, runIDs(claimedRuns(claimed)))
	checkSame(t, "run", first, getRun(t, store, first.ID))
	checkSame(t, "next fire time", at(61), getJob(t, store, "a").NextFireTime)
	if runs := allRuns(t, store, jobcenter.RunQuery{JobID: "a"}); len(runs) != 1 {
		t.Errorf("%d runs of a, want the one by hand alone", len(runs))
	}
}

func claimSpans(t *testing.T, store jobcenter.JobStore) {
	addJobs(t, store, newJob(t, "a", at(1)))
	span := newRun("a", at(1), jobcenter.RunMissed)
	span.LastFireTime, span.FireCount, span.Reason = at(604800), 604800, jobcenter.ReasonMisfire
	claimed, err := store.Claim(t.Context(), can(), at(604800), 10, func(jobcenter.Job, jobcenter.Active) jobcenter.Decision {
		return jobcenter.Decision{Next: at(604801), Runs: []jobcenter.Run{span}}
	})
	if err != nil || len(claimed) != 1 {
		t.Fatalf("claimed %v, %v", jobIDs(claimed), err)
	}
	checkSame(t, "claimed", []jobcenter.Run{span}, claimed[0].Runs)
	checkSame(t, "span", span, getRun(t, store, span.ID))
}

func claimSeveralRuns(t *testing.T, store jobcenter.JobStore) {
	addJobs(t, store, newJob(t, "a", at(1)), newJob(t, "b", at(1)))
	runs := []jobcenter.Run{
		newRun("a", at(1), jobcenter.RunMissed), newRun("a", at(2), jobcenter.RunRunning),
		newRun("a", at(3), jobcenter.RunQueued), newRun("a", at(4), jobcenter.RunSkipped),
	}
	claimed, err := store.Claim(t.Context(), can(), at(4), 10, func(job jobcenter.Job, _ jobcenter.Active) jobcenter.Decision {
		if job.ID == "b" {
			return jobcenter.Decision{Next: at(5)} // nothing to write, but it advances
		}
		return jobcenter.Decision{Next: at(5), Runs: runs}
	})
	if err != nil {
		t.Fatal(err)
	}
	checkSame(t, "claimed", [][]jobcenter.Run{runs, nil}, [][]jobcenter.Run{claimed[0].Runs, claimed[1].Runs})
	checkSame(t, "stored", []string{runs[3].ID, runs[2].ID, runs[1].ID, runs[0].ID}, runIDs(allRuns(t, store, jobcenter.RunQuery{})))
	checkSame(t, "next fire time of b", at(5), getJob(t, store, "b").NextFireTime)
}

func claimFinishes(t *testing.T, store jobcenter.JobStore) {
	addJobs(t, store, newJob(t, "a", at(1)))
	if _, err := store.Claim(t.Context(), can(), at(1), 10, func(jobcenter.Job, jobcenter.Active) jobcenter.Decision {
		return jobcenter.Decision{Runs: []jobcenter.Run{newRun("a", at(1), jobcenter.RunRunning)}}
	}); err != nil {
		t.Fatal(err)
	}
	job := getJob(t, store, "a")
	if job.State() != jobcenter.JobFinished || !job.NextFireTime.IsZero() {
		t.Errorf("job is %s, next fire time %v; want finished and none", job.State(), job.NextFireTime)
	}
	if _, ok, err := store.NextDue(t.Context(), can()); ok || err != nil {
		t.Errorf("NextDue: %v, %v; want none", ok, err)
	}
}

func claimQuarantines(t *testing.T, store jobcenter.JobStore) {
	addJobs(t, store, newJob(t, "a", at(1)))
	claimed, err := store.Claim(t.Context(), can(), at(1), 10, func(jobcenter.Job, jobcenter.Active) jobcenter.Decision {
		return jobcenter.Decision{Quarantine: "cannot be understood"}
	})
	if err != nil || len(claimed) != 1 || claimed[0].Job.Quarantine != "" {
		t.Fatalf("claimed %+v, %v; want the job as it was", claimed, err)
	}
	job := getJob(t, store, "a")
	if job.Quarantine != "cannot be understood" || job.State() != jobcenter.JobQuarantined {
		t.Errorf("quarantine %q, state %s", job.Quarantine, job.State())
	}
	if again := claim(t, store, at(9), 10); len(again) != 0 {
		t.Error("a job in quarantine was claimed")
	}
}

func claimIsToldOfActive(t *testing.T, store jobcenter.JobStore) {
	want := map[string]jobcenter.Active{}
	for i := range 4 {
		id := fmt.Sprint("job", i)
		addJobs(t, store, newJob(t, id, at(1)))
		for n := range i {
			addRuns(t, store, id, newRun(id, at(-100+2*n), jobcenter.RunQueued), newRun(id, at(-99+2*n), jobcenter.RunRunning),
				newRun(id, at(-200+2*n), jobcenter.RunSucceeded))
		}
		want[id] = jobcenter.Active{Queued: i, Running: i}
	}
	got := map[string]jobcenter.Active{}
	if _, err := store.Claim(t.Context(), can(), at(1), 10, func(job jobcenter.Job, active jobcenter.Active) jobcenter.Decision {
		got[job.ID] = active
		return jobcenter.Decision{Next: at(61)}
	}); err != nil {
		t.Fatal(err)
	}
	checkSame(t, "active runs", want, got)
}

func claimMany(t *testing.T, store jobcenter.JobStore) {
	const jobs = 203 // more than fits in any round number of rows
	for i := range jobs {
		addJobs(t, store, newJob(t, fmt.Sprintf("job%03d", i), at(0)))
	}
	total := 0
	for _, want := range []int{150, 53, 0} {
		claimed := claim(t, store, at(0), 150)
		if len(claimed) != want {
			t.Errorf("claimed %d, want %d", len(claimed), want)
		}
		for _, c := range claimed {
			if len(c.Runs) != 1 || c.Runs[0].JobID != c.Job.ID {
				t.Errorf("job %s came with runs %v", c.Job.ID, c.Runs)
			}
		}
		total += len(claimed)
	}
	runs := allRuns(t, store, jobcenter.RunQuery{})
	if total != jobs || len(runs) != jobs {
		t.Errorf("claimed %d, %d runs; want %d of each", total, len(runs), jobs)
	}
	for i := range jobs {
		checkSame(t, "next fire time", at(60), getJob(t, store, fmt.Sprintf("job%03d", i)).NextFireTime)
	}
}
