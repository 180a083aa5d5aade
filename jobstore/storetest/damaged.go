package storetest

import (
	"testing"

	"github.com/jobcenter-go/jobcenter"
)

// DamagedTrigger is the JSON text by which the damage function of RunDamaged
// replaces the stored trigger of a job: that of a trigger that is not known.
const DamagedTrigger = unknownTrigger

// RunDamaged tests what a store does with a job that it cannot decode: it
// shows it, takes it out of service, and keeps what is there. open returns a
// new, empty store, as for Run. damage puts DamagedTrigger in place of the
// trigger that a job is stored with, behind the back of the store, and leaves
// all else as it is.
func RunDamaged(t *testing.T, open func(t *testing.T) jobcenter.JobStore, damage func(t *testing.T, store jobcenter.JobStore, jobID string)) {
	t.Helper()
	all := tests{}
	for name, test := range map[string]func(*testing.T, jobcenter.JobStore, func(id string)){
		"is put in quarantine":       damagedClaim,
		"holds up no other":          damagedAmongMany,
		"is shown and can be mended": damagedMended,
		"can be paused and removed":  damagedManaged,
		"has runs that go on":        damagedRuns,
	} {
		all[name] = func(t *testing.T, store jobcenter.JobStore) {
			test(t, store, func(id string) { damage(t, store, id) })
		}
	}
	runGroup(t, "damaged", all, open)
}

// checkDamaged wants a job as it was, but for the trigger.
func checkDamaged(t *testing.T, want, got jobcenter.Job) {
	t.Helper()
	if got.Quarantine == "" || got.State() != jobcenter.JobQuarantined {
		t.Errorf("job %s is %s, quarantine %q", got.ID, got.State(), got.Quarantine)
	}
	want.Trigger, want.Quarantine = nil, got.Quarantine
	checkSame(t, "job "+want.ID, want, got)
	checkTriggerText(t, got, DamagedTrigger)
}

func notAsked(t *testing.T) func(jobcenter.Job, jobcenter.Active) jobcenter.Decision {
	t.Helper()
	return func(job jobcenter.Job, _ jobcenter.Active) jobcenter.Decision {
		t.Errorf("decide was asked about job %s, whose trigger cannot be decoded", job.ID)
		return jobcenter.Decision{Next: job.NextFireTime}
	}
}

func damagedClaim(t *testing.T, store jobcenter.JobStore, damage func(id string)) {
	job := newJob(t, "a", at(1))
	job.Tags, job.Args, job.Carried, job.PreviousFireTime = []string{"x"}, []byte(`[1]`), []byte(`2`), at(-60)
	addJobs(t, store, job)
	damage("a")
	checkDamaged(t, job, getJob(t, store, "a"))
	// It is due: else nobody would look at it.
	checkSame(t, "next due", at(1), nextDue(t, store, can()))
	checkSame(t, "claimed too early", []string(nil), jobIDs(claimAs(t, store, at(0), 10, notAsked(t))))
	claimed := claimAs(t, store, at(1), 10, notAsked(t))
	if len(claimed) != 1 || len(claimed[0].Runs) != 0 {
		t.Fatalf("claimed %+v, want the job without runs", claimed)
	}
	checkDamaged(t, job, claimed[0].Job)
	checkDamaged(t, job, getJob(t, store, "a"))
	checkSame(t, "next due in quarantine", false, nextDue(t, store, can()).Equal(at(1)))
	checkSame(t, "claimed again", []string(nil), jobIDs(claimAs(t, store, at(99), 10, notAsked(t))))
	checkSame(t, "runs", []jobcenter.Run(nil), allRuns(t, store, jobcenter.RunQuery{}))
	checkSame(t, "jobs in quarantine", []string{"a"}, listJobs(t, store, jobcenter.JobQuery{State: jobcenter.JobQuarantined}))
	checkSame(t, "active jobs", []string(nil), listJobs(t, store, jobcenter.JobQuery{State: jobcenter.JobActive}))
}

func damagedAmongMany(t *testing.T, store jobcenter.JobStore, damage func(id string)) {
	addJobs(t, store, manyJobs(t, 12, at(1))...)
	for _, id := range []string{"job000", "job001", "job004", "job011"} {
		damage(id)
	}
	var asked, claimed []string
	for range 4 {
		for _, c := range claimAs(t, store, at(1), 4, func(job jobcenter.Job, active jobcenter.Active) jobcenter.Decision {
			asked = append(asked, job.ID)
			return runAndAdvance(job, active)
		}) {
			claimed = append(claimed, c.Job.ID)
			if damaged := c.Job.Quarantine != ""; damaged != (len(c.Runs) == 0) {
				t.Errorf("job %s came with %d runs, quarantine %q", c.Job.ID, len(c.Runs), c.Job.Quarantine)
			}
		}
	}
	checkSame(t, "claimed", listJobs(t, store, jobcenter.JobQuery{}), claimed)
	if len(asked) < 8 {
		t.Errorf("decide was asked about %v, want the eight sound ones", asked)
	}
	checkSame(t, "in quarantine", []string{"job000", "job001", "job004", "job011"}, listJobs(t, store, jobcenter.JobQuery{State: jobcenter.JobQuarantined}))
	if runs := allRuns(t, store, jobcenter.RunQuery{}); len(runs) != 8 {
		t.Errorf("%d runs, want 8", len(runs))
	}
}

func damagedMended(t *testing.T, store jobcenter.JobStore, damage func(id string)) {
	job, other := newJob(t, "a", at(1)), newJob(t, "b", at(50))
	addJobs(t, store, job, other)
	damage("a")
	page, err := store.Jobs(t.Context(), jobcenter.JobQuery{})
	if err != nil || len(page.Jobs) != 2 {
		t.Fatalf("%d jobs are listed, %v; want 2", len(page.Jobs), err)
	}
	checkDamaged(t, job, page.Jobs[0])
	checkSame(t, "the job beside it", other, page.Jobs[1])
	claimAs(t, store, at(1), 10, notAsked(t))
	mendTrigger(t, store, "a", DamagedTrigger)
}

// damagedManaged changes and removes jobs that were not claimed yet.
func damagedManaged(t *testing.T, store jobcenter.JobStore, damage func(id string)) {
	job := newJob(t, "a", at(1))
	addJobs(t, store, job, newJob(t, "b", at(1)))
	damage("a")
	damage("b")
	paused := update(t, store, "a", func(job *jobcenter.Job) { job.Paused = true })
	job.Paused = true
	checkDamaged(t, job, paused)
	checkDamaged(t, job, getJob(t, store, "a"))
	if err := store.RemoveJob(t.Context(), "a", func(given jobcenter.Job) []jobcenter.Run {
		checkDamaged(t, job, given)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	checkSame(t, "jobs", []string{"b"}, listJobs(t, store, jobcenter.JobQuery{}))
	checkSame(t, "claimed", []string{"b"}, jobIDs(claimAs(t, store, at(1), 10, notAsked(t))))
}

func damagedRuns(t *testing.T, store jobcenter.JobStore, damage func(id string)) {
	job := newJob(t, "a", at(1))
	job.MaxInstances = 2
	addJobs(t, store, job, newJob(t, "b", at(1)))
	running, queued := newRun("a", at(1), jobcenter.RunRunning), newRun("a", at(2), jobcenter.RunQueued)
	addRuns(t, store, "a", running, queued)
	addRuns(t, store, "b", newRun("b", at(3), jobcenter.RunQueued))
	damage("a")
	orphaned, err := store.Orphans(t.Context(), "", at(5), 10)
	if err != nil || len(orphaned) != 1 {
		t.Fatalf("orphans: %v, %v", jobIDs(orphaned), err)
	}
	checkDamaged(t, job, orphaned[0].Job)
	// Which of its runs may start is for the callback to say.
	claimed, _, err := store.TakeQueued(t.Context(), can(), pool, at(5), 10, func(given jobcenter.Job, run jobcenter.Run) jobcenter.Run {
		if given.ID == "a" {
			checkDamaged(t, job, given)
		}
		return startAt(at(5))(given, run)
	})
	if err != nil {
		t.Fatal(err)
	}
	checkSame(t, "taken", []string{"a 2", "b 3"}, names(claimedRuns(claimed)))
	record(t, store, jobcenter.Records{
		Ends:    succeeded(at(6), running),
		Carries: []jobcenter.Carry{{RunID: running.ID, JobID: "a", Attempt: 1, Carried: []byte(`1`)}},
	})
	job.Carried = []byte(`1`)
	checkDamaged(t, job, getJob(t, store, "a"))
}
