package storetest

import (
	"encoding/json"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/jobcenter-go/jobcenter"
	"github.com/jobcenter-go/jobcenter/trigger"
)

var errRefused = errors.New("refused")

func jobTests() tests {
	return tests{
		"keeps every field":                      jobKeepsEveryField,
		"keeps the zero job":                     jobKeepsZeroValues,
		"keeps what cannot be decoded":           jobUndecodable,
		"does not keep the store's name":         jobStoreName,
		"adds all or none":                       addAllOrNone,
		"an error of create adds nothing":        addRefused,
		"the id is taken":                        jobIDTaken,
		"a missing job":                          jobMissing,
		"change replaces the job":                changeReplaces,
		"change inserts runs":                    changeInsertsRuns,
		"change is told of active runs":          changeIsToldOfActive,
		"an error of change changes nothing":     changeRefuses,
		"a known fire time is not written twice": changeKnownFireTime,
		"a series has fire times of its own":     changeSeries,
		"what is returned is a copy":             jobIsACopy,
		"waiting for a start":                    jobAtStart,
		"removal keeps runs and output":          removalKeepsRuns,
		"removal ends queued runs":               removalEndsQueued,
		"removal writes no fire time twice":      removalKnownFireTime,
		"an id can be used again":                removedIDAgain,
	}
}

// fullJob is a job without a zero value.
func fullJob(t *testing.T) jobcenter.Job {
	t.Helper()
	zone, err := time.LoadLocation("America/New_York")
	if err != nil {
		t.Fatal(err)
	}
	cron, err := trigger.NewCron(trigger.CronSpec{Day: "3rd fri", Hour: "0-3"}, trigger.Options{Zone: zone})
	if err != nil {
		t.Fatal(err)
	}
	return jobcenter.Job{
		ID: "nightly.backup_1:a-b", Name: "Nightly 备份 😀 'quoted' \"%_\\", Description: "What it does,\nin two lines. 说明 😀",
		Tags: []string{"b", "数据", "a b", "b"}, Task: "shell", Args: json.RawMessage(`{"command":"echo 你好 <in && exit 1","n":[1,2.50,null]}`),
		Trigger: cron, Executor: slow, Priority: -1000, MisfireGrace: jobcenter.NeverTooLate, Coalesce: jobcenter.CoalesceAll,
		CatchUp: jobcenter.CatchUp{Max: 3, MaxAge: 36*time.Hour + 1, Pace: 1500 * time.Millisecond}, Overlap: jobcenter.OverlapQueueAll,
		MaxInstances: 7, Limit: jobcenter.Limit{Key: "db 数据库 1", Running: 2, Rate: 5, Per: 90 * time.Second}, Timeout: 90*time.Second + 1,
		Retry: jobcenter.Retry{
			Attempts: 4, Delay: 250*time.Millisecond + 1, Factor: 1.7, MaxDelay: 24 * time.Hour, Jitter: 0.1,
			On: []jobcenter.Reason{jobcenter.ReasonExitCode, jobcenter.ReasonTimeout}, ExitCodes: []int{75, -1},
		},
		RequestsRecovery: true, Paused: true, PausedUntil: at(4), PauseReason: "weil \"so\"", SkipUntil: at(5),
		Version: 3, NextFireTime: at(1), PreviousFireTime: at(-6), Quarantine: "why not",
		Carried: json.RawMessage(`{"offset":12.50,"x":[null]}`), LastResult: json.RawMessage(`"done"`), CreatedAt: at(2), UpdatedAt: at(3),
	}
}

// fullRun is a run of a job without a zero value.
func fullRun(jobID string, fire time.Time) jobcenter.Run {
	code := -3
	return jobcenter.Run{
		ID: runID(jobID, "backfill 1", fire), JobID: jobID, JobVersion: 4, FireTime: fire, Series: "backfill 1",
		LastFireTime: fire.Add(time.Minute), FireCount: 2, Origin: jobcenter.OriginManual, Actor: "li@example.org",
		Args: json.RawMessage(`{"n":1.50,"text":"a && b"}`), State: jobcenter.RunFailed, Reason: jobcenter.ReasonExitCode,
		Message: "exit code 3: 失败 😀", Attempt: 2, Node: "n1", Executor: slow, Priority: -7, LimitKey: "db 1", NotBefore: at(8), Turn: at(9),
		StopBy: "王", StartedAt: at(6), EndedAt: at(7), ExitCode: &code, Result: json.RawMessage(`[1,"二 <2>"]`), OutputSize: 1 << 40, OutputKept: 5,
	}
}

func jobKeepsEveryField(t *testing.T, store jobcenter.JobStore) {
	want := fullJob(t)
	addJobs(t, store, want)
	checkSame(t, "job", want, getJob(t, store, want.ID))
	page, err := store.Jobs(t.Context(), jobcenter.JobQuery{})
	if err != nil {
		t.Fatal(err)
	}
	checkSame(t, "list", []jobcenter.Job{want}, page.Jobs)
	// A claim hands it out whole, too.
	want.Quarantine, want.Task = "", task
	update(t, store, want.ID, func(job *jobcenter.Job) { *job = want })
	claimed := claim(t, store, at(4), 1)
	if len(claimed) != 1 {
		t.Fatalf("claimed %d jobs, want 1", len(claimed))
	}
	checkSame(t, "claimed", want, claimed[0].Job)
}

func jobKeepsZeroValues(t *testing.T, store jobcenter.JobStore) {
	want := jobcenter.Job{ID: "zero", Task: task, Trigger: newJob(t, "", base()).Trigger}
	addJobs(t, store, want)
	got := getJob(t, store, want.ID)
	checkSame(t, "job", want, got)
	if got.Args != nil || got.Carried != nil || got.LastResult != nil || got.State() != jobcenter.JobFinished {
		t.Errorf("args = %q, carried = %q, last result = %q, state = %s; want none and finished", got.Args, got.Carried, got.LastResult, got.State())
	}
	// A field that is set goes back to zero.
	full := fullJob(t)
	full.ID = want.ID
	for _, job := range []jobcenter.Job{full, want} {
		update(t, store, want.ID, func(stored *jobcenter.Job) { *stored = job })
		checkSame(t, "job after a change", job, getJob(t, store, want.ID))
	}
	run := jobcenter.Run{ID: runID("zero", "", at(0)), JobID: "zero", FireTime: at(0), LastFireTime: at(0), FireCount: 1, State: jobcenter.RunSkipped}
	addRuns(t, store, "zero", run)
	stored := getRun(t, store, run.ID)
	checkSame(t, "run", run, stored)
	if stored.ExitCode != nil || stored.Args != nil || stored.Result != nil {
		t.Errorf("exit code %v, args %q, result %q; want none", stored.ExitCode, stored.Args, stored.Result)
	}
}

// unknownTrigger is one that nobody knows: of a later version, say.
const unknownTrigger = `{"type":"no_such_trigger","phase":"waxing","n":[1,2]}`

// jobUndecodable is about a job that comes from elsewhere with a trigger that
// is not known here.
func jobUndecodable(t *testing.T, store jobcenter.JobStore) {
	var job jobcenter.Job
	text := `{"id":"moon","task":"task","executor":"default","trigger":` + unknownTrigger + `,"next_fire_time":"2026-11-06T08:30:01Z"}`
	if err := json.Unmarshal([]byte(text), &job); err != nil {
		t.Fatal(err)
	}
	addJobs(t, store, newJob(t, "sound", at(2)))
	if err := store.AddJobs(t.Context(), these(job)); err != nil { // a store may refuse it, but not keep a part of it
		checkSame(t, "jobs", []string{"sound"}, listJobs(t, store, jobcenter.JobQuery{}))
		return
	}
	checkSame(t, "job", job, getJob(t, store, "moon"))
	checkTriggerText(t, getJob(t, store, "moon"), unknownTrigger)
	checkSame(t, "next due", at(2), nextDue(t, store, can()))
	checkSame(t, "claimed", []string{"sound"}, jobIDs(claim(t, store, at(9), 10)))
	checkSame(t, "in quarantine", []string{"moon"}, listJobs(t, store, jobcenter.JobQuery{State: jobcenter.JobQuarantined}))
	mendTrigger(t, store, "moon", unknownTrigger)
}

// mendTrigger sees that a trigger that cannot be decoded stays until there is
// another one.
func mendTrigger(t *testing.T, store jobcenter.JobStore, id, text string) {
	t.Helper()
	before := getJob(t, store, id)
	if before.State() != jobcenter.JobQuarantined || before.Trigger != nil {
		t.Errorf("the job is %s, trigger %v; want quarantined and none", before.State(), before.Trigger)
	}
	renamed := update(t, store, id, func(job *jobcenter.Job) { job.Name = "Renamed" })
	checkTriggerText(t, renamed, text)
	checkTriggerText(t, getJob(t, store, id), text)
	before.Name = "Renamed"
	checkSame(t, "job that was renamed", before, getJob(t, store, id))
	sound := newJob(t, id, at(30))
	update(t, store, id, func(job *jobcenter.Job) {
		job.Trigger, job.NextFireTime, job.Quarantine = sound.Trigger, sound.NextFireTime, ""
	})
	mended := getJob(t, store, id)
	checkSame(t, "trigger", triggerText(sound.Trigger), triggerText(mended.Trigger))
	if mended.State() != jobcenter.JobActive {
		t.Errorf("with a new trigger the job is %s: %s", mended.State(), mended.Quarantine)
	}
	checkSame(t, "claimed with a new trigger", []string{id}, jobIDs(claim(t, store, at(30), 1)))
}

// checkTriggerText looks at the trigger that a job is stored with.
func checkTriggerText(t *testing.T, job jobcenter.Job, want string) {
	t.Helper()
	text, err := json.Marshal(job)
	if err != nil {
		t.Fatal(err)
	}
	var form struct {
		Trigger any `json:"trigger"`
	}
	var trig any
	if err := errors.Join(json.Unmarshal(text, &form), json.Unmarshal([]byte(want), &trig)); err != nil {
		t.Fatal(err)
	}
	checkSame(t, "trigger of job "+job.ID+" in its JSON form", trig, form.Trigger)
}

func jobStoreName(t *testing.T, store jobcenter.JobStore) {
	want := newJob(t, "a", at(1))
	named := want
	named.Store = "elsewhere"
	addJobs(t, store, named)
	checkSame(t, "job", want, getJob(t, store, "a"))
	got := update(t, store, "a", func(job *jobcenter.Job) { job.Store = "elsewhere" })
	checkSame(t, "job that UpdateJob returns", want, got)
	checkSame(t, "job after a change", want, getJob(t, store, "a"))
}

func addAllOrNone(t *testing.T, store jobcenter.JobStore) {
	addJobs(t, store) // none at all is no error
	jobs := manyJobs(t, 300, at(1))
	addJobs(t, store, jobs...)
	if ids := listJobs(t, store, jobcenter.JobQuery{Limit: 500}); len(ids) != len(jobs) {
		t.Errorf("%d jobs are stored, want %d", len(ids), len(jobs))
	}
	for what, more := range map[string][]jobcenter.Job{
		"one id is taken":          {newJob(t, "x", at(1)), newJob(t, "job007", at(1)), newJob(t, "y", at(1))},
		"the last id is taken":     {newJob(t, "x", at(1)), newJob(t, "job299", at(1))},
		"an id is given twice":     {newJob(t, "x", at(1)), newJob(t, "y", at(1)), newJob(t, "x", at(2))},
		"the very same job, twice": {newJob(t, "x", at(1)), newJob(t, "x", at(1))},
	} {
		if err := store.AddJobs(t.Context(), these(more...)); !errors.Is(err, jobcenter.ErrConflict) {
			t.Errorf("%s: error %v, want ErrConflict", what, err)
		}
		for _, id := range []string{"x", "y"} {
			if _, err := store.Job(t.Context(), id); !errors.Is(err, jobcenter.ErrJobNotFound) {
				t.Errorf("%s: job %s: error %v, want ErrJobNotFound", what, id, err)
			}
		}
	}
	checkSame(t, "job that was there", jobs[7], getJob(t, store, "job007"))
	if ids := listJobs(t, store, jobcenter.JobQuery{Limit: 500}); len(ids) != len(jobs) {
		t.Errorf("%d jobs are stored, want %d", len(ids), len(jobs))
	}
}

func addRefused(t *testing.T, store jobcenter.JobStore) {
	err := store.AddJobs(t.Context(), func() ([]jobcenter.Job, error) { return []jobcenter.Job{newJob(t, "a", at(1))}, errRefused })
	if err != errRefused { //nolint:errorlint // the promise is that it is not wrapped
		t.Errorf("error %v, want the very error of create", err)
	}
	checkSame(t, "jobs", []string(nil), listJobs(t, store, jobcenter.JobQuery{}))
	addJobs(t, store, newJob(t, "a", at(1))) // the store goes on after it
}

// jobAtStart is about jobs that run when a scheduler starts: they are active,
// never due, and the first of all by next fire time from the latest on, which
// is how a scheduler finds them.
func jobAtStart(t *testing.T, store jobcenter.JobStore) {
	boot := newJob(t, "boot", jobcenter.AtStart())
	trig, err := trigger.NewCrontab("@reboot", trigger.Options{})
	if err != nil {
		t.Fatal(err)
	}
	boot.Trigger = trig
	paused := newJob(t, "paused", jobcenter.AtStart())
	paused.Paused = true
	addJobs(t, store, newJob(t, "a", at(1)), boot, paused, newJob(t, "z", time.Time{}))
	checkSame(t, "job", boot, getJob(t, store, "boot"))
	query := jobcenter.JobQuery{State: jobcenter.JobActive, Sort: jobcenter.SortByNextFireTime, Desc: true}
	checkSame(t, "from the latest on", []string{"boot", "a"}, listJobs(t, store, query))
	claimed := claimAs(t, store, at(100*365*86400), 10, func(jobcenter.Job, jobcenter.Active) jobcenter.Decision { return jobcenter.Decision{} })
	checkSame(t, "claimed in a hundred years", []string{"a"}, jobIDs(claimed))
	checkSame(t, "next due", jobcenter.AtStart(), nextDue(t, store, can()))
}

func jobIDTaken(t *testing.T, store jobcenter.JobStore) {
	first := newJob(t, "a", at(1))
	addJobs(t, store, first)
	second := newJob(t, "a", at(2))
	second.Name = "Other"
	if err := store.AddJobs(t.Context(), these(second)); !errors.Is(err, jobcenter.ErrConflict) {
		t.Errorf("error %v, want ErrConflict", err)
	}
	checkSame(t, "job", first, getJob(t, store, "a"))
	addJobs(t, store, newJob(t, "A", at(2))) // ids are told apart by case
	checkSame(t, "job", first, getJob(t, store, "a"))
}

func jobMissing(t *testing.T, store jobcenter.JobStore) {
	ctx := t.Context()
	_, getErr := store.Job(ctx, "none")
	_, updateErr := store.UpdateJob(ctx, "none", func(job jobcenter.Job, _ jobcenter.Active) (jobcenter.Job, []jobcenter.Run, error) {
		t.Error("change was called")
		return job, nil, nil
	})
	removeErr := store.RemoveJob(ctx, "none", func(jobcenter.Job) []jobcenter.Run {
		t.Error("last was called")
		return nil
	})
	for what, err := range map[string]error{"Job": getErr, "UpdateJob": updateErr, "RemoveJob": removeErr} {
		if !errors.Is(err, jobcenter.ErrJobNotFound) {
			t.Errorf("%s: error %v, want ErrJobNotFound", what, err)
		}
	}
	id := runID("none", "", at(1))
	_, runErr := store.Run(ctx, id)
	_, outputErr := store.Output(ctx, id, 0, 10)
	_, stopErr := store.RequestStop(ctx, id, "me", at(1))
	for what, err := range map[string]error{"Run": runErr, "Output": outputErr, "RequestStop": stopErr} {
		if !errors.Is(err, jobcenter.ErrRunNotFound) {
			t.Errorf("%s: error %v, want ErrRunNotFound", what, err)
		}
	}
}

func changeReplaces(t *testing.T, store jobcenter.JobStore) {
	addJobs(t, store, newJob(t, "a", at(1)), newJob(t, "b", at(1)))
	want := fullJob(t)
	want.ID = "a"
	old := getJob(t, store, "a")
	got, err := store.UpdateJob(t.Context(), "a", func(job jobcenter.Job, active jobcenter.Active) (jobcenter.Job, []jobcenter.Run, error) {
		checkSame(t, "job given to change", old, job)
		checkSame(t, "active", jobcenter.Active{}, active)
		return want, nil, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	checkSame(t, "job returned", want, got)
	checkSame(t, "job stored", want, getJob(t, store, "a"))
	checkSame(t, "other job", newJob(t, "b", at(1)), getJob(t, store, "b"))
	for tag, ids := range map[string][]string{"数据": {"a"}, "a": nil} {
		checkSame(t, "jobs with tag "+tag, ids, listJobs(t, store, jobcenter.JobQuery{Tag: tag}))
	}
	// It is due by what it is now.
	update(t, store, "b", func(job *jobcenter.Job) { job.NextFireTime = at(50) })
	checkSame(t, "next due", at(50), nextDue(t, store, can()))
	checkSame(t, "claimed too early", []string(nil), jobIDs(claim(t, store, at(49), 10)))
	update(t, store, "b", func(job *jobcenter.Job) { job.Task = "other" })
	checkSame(t, "claimed with another task", []string(nil), jobIDs(claim(t, store, at(50), 10)))
}

func changeInsertsRuns(t *testing.T, store jobcenter.JobStore) {
	addJobs(t, store, newJob(t, "a", at(1)))
	full, plain := fullRun("a", at(5)), newRun("a", at(1), jobcenter.RunQueued)
	addRuns(t, store, "a", full, plain)
	checkSame(t, "run", full, getRun(t, store, full.ID))
	checkSame(t, "plain run", plain, getRun(t, store, plain.ID))
	checkSame(t, "list", []jobcenter.Run{full, plain}, allRuns(t, store, jobcenter.RunQuery{}))
}

func changeIsToldOfActive(t *testing.T, store jobcenter.JobStore) {
	addJobs(t, store, newJob(t, "a", at(1)), newJob(t, "b", at(1)))
	addRuns(t, store, "b", newRun("b", at(1), jobcenter.RunRunning))
	var runs []jobcenter.Run
	for i, state := range append(allStates(), jobcenter.RunQueued) {
		runs = append(runs, newRun("a", at(i), state))
	}
	runs[0].Executor = slow
	addRuns(t, store, "a", runs...)
	addRuns(t, store, "a", inSeries(newRun("a", at(0), jobcenter.RunRunning), "s"))
	checkSame(t, "active", jobcenter.Active{Queued: 2, Running: 2}, activeOf(t, store, "a"))
	checkSame(t, "active of the other job", jobcenter.Active{Running: 1}, activeOf(t, store, "b"))
}

func changeRefuses(t *testing.T, store jobcenter.JobStore) {
	job := newJob(t, "a", at(1))
	addJobs(t, store, job)
	_, err := store.UpdateJob(t.Context(), "a", func(job jobcenter.Job, _ jobcenter.Active) (jobcenter.Job, []jobcenter.Run, error) {
		job.Name, job.Tags, job.NextFireTime = "Changed", []string{"x"}, at(0)
		return job, []jobcenter.Run{newRun("a", at(1), jobcenter.RunRunning)}, errRefused
	})
	if err != errRefused { //nolint:errorlint // the promise is that it is not wrapped
		t.Errorf("error %v, want the very error of change", err)
	}
	checkSame(t, "job", job, getJob(t, store, "a"))
	checkSame(t, "runs", []jobcenter.Run(nil), allRuns(t, store, jobcenter.RunQuery{}))
	checkSame(t, "next due", at(1), nextDue(t, store, can()))
	// The store goes on after it.
	addRuns(t, store, "a", newRun("a", at(1), jobcenter.RunRunning))
}

func changeKnownFireTime(t *testing.T, store jobcenter.JobStore) {
	addJobs(t, store, newJob(t, "a", at(1)), newJob(t, "b", at(1)))
	first := newRun("a", at(1), jobcenter.RunRunning)
	addRuns(t, store, "a", first)
	again, other := another(newRun("a", at(1), jobcenter.RunQueued)), newRun("a", at(2), jobcenter.RunQueued)
	addRuns(t, store, "a", again, other)
	checkSame(t, "runs", []jobcenter.Run{other, first}, allRuns(t, store, jobcenter.RunQuery{}))
	checkSame(t, "active", jobcenter.Active{Queued: 1, Running: 1}, activeOf(t, store, "a"))
	if _, err := store.Run(t.Context(), again.ID); !errors.Is(err, jobcenter.ErrRunNotFound) {
		t.Errorf("the run that was left out: error %v, want ErrRunNotFound", err)
	}
	// Another job has the fire time to itself; of two in one call, the first counts.
	one, two := newRun("b", at(1), jobcenter.RunQueued), another(newRun("b", at(1), jobcenter.RunQueued))
	addRuns(t, store, "b", one, two)
	checkSame(t, "runs of b", []jobcenter.Run{one}, allRuns(t, store, jobcenter.RunQuery{JobID: "b"}))
}

func changeSeries(t *testing.T, store jobcenter.JobStore) {
	addJobs(t, store, newJob(t, "a", at(1)))
	run := newRun("a", at(1), jobcenter.RunRunning)
	addRuns(t, store, "a", run)
	// Series that are easily taken for each other.
	series := []string{"s", "S", "s ", "é", "e", "e\u0301", "x 20%", "x 20_"}
	want := []string{run.ID}
	for _, s := range series {
		one := inSeries(newRun("a", at(1), jobcenter.RunQueued), s)
		addRuns(t, store, "a", one)
		want = append(want, one.ID)
	}
	for _, s := range append(series, "") {
		addRuns(t, store, "a", another(inSeries(newRun("a", at(1), jobcenter.RunQueued), s)))
	}
	got := runIDs(allRuns(t, store, jobcenter.RunQuery{JobID: "a"}))
	slices.Sort(want)
	slices.Sort(got)
	checkSame(t, "runs", want, got)
}

func jobIsACopy(t *testing.T, store jobcenter.JobStore) {
	spoil := func(job jobcenter.Job) {
		job.Tags[0], job.Retry.On[0], job.Retry.ExitCodes[0] = "changed", "changed", 99
		job.Args[0], job.Carried[0], job.LastResult[0] = 'X', 'X', 'X'
	}
	want, given := fullJob(t), fullJob(t)
	addJobs(t, store, given)
	spoil(given)
	got := getJob(t, store, want.ID)
	checkSame(t, "job after what was given was changed", want, got)
	spoil(got)
	checkSame(t, "job after what was returned was changed", want, getJob(t, store, want.ID))
	page, err := store.Jobs(t.Context(), jobcenter.JobQuery{})
	if err != nil || len(page.Jobs) != 1 {
		t.Fatalf("%d jobs, %v", len(page.Jobs), err)
	}
	spoil(page.Jobs[0])
	checkSame(t, "job after what was listed was changed", want, getJob(t, store, want.ID))
	changed := update(t, store, want.ID, func(*jobcenter.Job) {})
	spoil(changed)
	checkSame(t, "job after what UpdateJob returned was changed", want, getJob(t, store, want.ID))

	run, inserted := fullRun(want.ID, at(1)), fullRun(want.ID, at(1))
	addRuns(t, store, want.ID, inserted)
	inserted.Args[0], inserted.Result[0], *inserted.ExitCode = 'X', 'X', 99
	stored := getRun(t, store, run.ID)
	checkSame(t, "run after what was given was changed", run, stored)
	stored.Args[0], stored.Result[0], *stored.ExitCode = 'X', 'X', 99
	checkSame(t, "run after what was returned was changed", run, getRun(t, store, run.ID))
}

func removalKeepsRuns(t *testing.T, store jobcenter.JobStore) {
	addJobs(t, store, newJob(t, "a", at(1)), newJob(t, "b", at(1)))
	done, running := newRun("a", at(1), jobcenter.RunSucceeded), newRun("a", at(2), jobcenter.RunRunning)
	addRuns(t, store, "a", done, running)
	written := chunk(running, 0, "hello")
	record(t, store, jobcenter.Records{Output: []jobcenter.Chunk{written}})
	span := newRun("a", at(3), jobcenter.RunSkipped)
	span.LastFireTime, span.FireCount, span.Reason = at(9), 7, jobcenter.ReasonPaused
	old := getJob(t, store, "a")
	if err := store.RemoveJob(t.Context(), "a", func(job jobcenter.Job) []jobcenter.Run {
		checkSame(t, "job given to last", old, job)
		return []jobcenter.Run{span}
	}); err != nil {
		t.Fatal(err)
	}
	if _, err := store.Job(t.Context(), "a"); !errors.Is(err, jobcenter.ErrJobNotFound) {
		t.Errorf("the job is still there: %v", err)
	}
	checkSame(t, "runs", []jobcenter.Run{span, running, done}, allRuns(t, store, jobcenter.RunQuery{JobID: "a"}))
	// The run that goes on can still be written to, be stopped and end.
	running.StopBy = "me"
	if got, err := store.RequestStop(t.Context(), running.ID, "me", at(4)); err != nil || got.StopBy != "me" {
		t.Errorf("stop of a run whose job is gone: %+v, %v", got, err)
	}
	more := chunk(running, 5, " world")
	record(t, store, jobcenter.Records{Output: []jobcenter.Chunk{more}})
	running.State, running.EndedAt, running.OutputSize, running.OutputKept = jobcenter.RunSucceeded, at(4), 11, 11
	record(t, store, jobcenter.Records{Ends: []jobcenter.Run{running}})
	checkSame(t, "end", running, getRun(t, store, running.ID))
	checkSame(t, "output", []jobcenter.Chunk{written, more}, output(t, store, running.ID))
	checkSame(t, "next due", at(1), nextDue(t, store, can()))
	checkSame(t, "claimed", []string{"b"}, jobIDs(claim(t, store, at(9), 10)))
	checkSame(t, "listed", []string{"b"}, listJobs(t, store, jobcenter.JobQuery{}))
}

// checkRemoved looks at a queued run that was ended because its job is gone.
func checkRemoved(t *testing.T, store jobcenter.JobStore, queued jobcenter.Run) {
	t.Helper()
	got := getRun(t, store, queued.ID)
	if got.EndedAt.IsZero() {
		t.Errorf("run of %s: no end", queued.JobID)
	}
	queued.State, queued.Reason, queued.EndedAt = jobcenter.RunSkipped, jobcenter.ReasonRemoved, got.EndedAt
	checkSame(t, "run of a job that is gone", queued, got)
}

func removalEndsQueued(t *testing.T, store jobcenter.JobStore) {
	addJobs(t, store, newJob(t, "a", at(1)), newJob(t, "b", at(1)))
	queued := []jobcenter.Run{newRun("a", at(1), jobcenter.RunQueued), newRun("a", at(2), jobcenter.RunQueued), inSeries(newRun("a", at(1), jobcenter.RunQueued), "s")}
	queued[1].Executor = slow
	queued[2].NotBefore = at(100) // waits for an instant, not for a place
	other := newRun("b", at(1), jobcenter.RunQueued)
	addRuns(t, store, "a", queued...)
	addRuns(t, store, "b", other)
	remove(t, store, "a")
	for _, run := range queued {
		checkRemoved(t, store, run)
	}
	checkSame(t, "run of the other job", other, getRun(t, store, other.ID))
	checkSame(t, "queued for the pool", 1, countQueued(t, store, pool, 10))
	checkSame(t, "queued for the other executor", 0, countQueued(t, store, slow, 10))
}

func removalKnownFireTime(t *testing.T, store jobcenter.JobStore) {
	addJobs(t, store, newJob(t, "a", at(1)))
	known := newRun("a", at(1), jobcenter.RunSucceeded)
	addRuns(t, store, "a", known)
	again, fresh := another(newRun("a", at(1), jobcenter.RunSkipped)), newRun("a", at(2), jobcenter.RunSkipped)
	remove(t, store, "a", again, fresh)
	checkSame(t, "runs", []jobcenter.Run{fresh, known}, allRuns(t, store, jobcenter.RunQuery{}))
}

func removedIDAgain(t *testing.T, store jobcenter.JobStore) {
	job := newJob(t, "a", at(1))
	job.Tags = []string{"x"}
	job.Carried = json.RawMessage(`1`)
	addJobs(t, store, job)
	first := another(newRun("a", at(1), jobcenter.RunSucceeded))
	addRuns(t, store, "a", first)
	remove(t, store, "a")
	job.Tags, job.Carried = nil, nil
	addJobs(t, store, job)
	checkSame(t, "job", job, getJob(t, store, "a"))
	checkSame(t, "jobs by the removed job's tag", []string(nil), listJobs(t, store, jobcenter.JobQuery{Tag: "x"}))
	// The fire time of the removed job stays decided.
	claimed := claim(t, store, at(1), 10)
	if len(claimed) != 1 || len(claimed[0].Runs) != 0 {
		t.Errorf("claimed %+v, want the job without a run", claimed)
	}
	checkSame(t, "runs", []jobcenter.Run{first}, allRuns(t, store, jobcenter.RunQuery{}))
}
