package storetest

import (
	"encoding/json"
	"errors"
	"testing"
	"time"

	"github.com/jobcenter-go/jobcenter"
	"github.com/jobcenter-go/jobcenter/trigger"
)

var errRefused = errors.New("refused")

func jobTests() map[string]func(*testing.T, jobcenter.JobStore) {
	return map[string]func(*testing.T, jobcenter.JobStore){
		"keeps every field":                      jobKeepsEveryField,
		"keeps the zero job":                     jobKeepsZeroValues,
		"instants are UTC microseconds":          jobInstants,
		"the id is taken":                        jobIDTaken,
		"a missing job":                          jobMissing,
		"change replaces the job":                changeReplaces,
		"change inserts runs":                    changeInsertsRuns,
		"change is told of active runs":          changeIsToldOfActive,
		"an error of change changes nothing":     changeRefuses,
		"a known fire time is not written twice": changeKnownFireTime,
		"what is returned is a copy":             jobIsACopy,
		"waiting for a start":                    jobAtStart,
		"removal keeps runs and output":          removalKeepsRuns,
		"removal ends queued runs":               removalEndsQueued,
		"an id can be used again":                removedIDAgain,
	}
}

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
		ID: "nightly.backup_1:a-b", Name: "Nightly 备份 😀 'quoted' \"%_\\", Task: "shell", Args: json.RawMessage(`{"command":"echo 你好 && exit 1","n":[1,2.50,null]}`),
		Trigger: cron, Executor: "slow", MisfireGrace: jobcenter.NeverTooLate, Coalesce: jobcenter.CoalesceAll, Overlap: jobcenter.OverlapSkip,
		MaxInstances: 7, Timeout: 90*time.Second + 1, Tags: []string{"b", "数据", "a b", "b"}, Paused: true, Version: 3,
		NextFireTime: at(1), Quarantine: "why not", CreatedAt: at(2), UpdatedAt: at(3),
		Description: "What it does,\nin two lines. 说明 😀", Priority: -1000,
		CatchUp: jobcenter.CatchUp{Max: 3, MaxAge: 36*time.Hour + 1, Pace: 1500 * time.Millisecond},
		Limit:   jobcenter.Limit{Key: "db 数据库 1", Running: 2, Rate: 5, Per: 90 * time.Second},
		Retry: jobcenter.Retry{
			Attempts: 4, Delay: 250*time.Millisecond + 1, Factor: 1.7, MaxDelay: 24 * time.Hour, Jitter: 0.1,
			On: []jobcenter.Reason{jobcenter.ReasonExitCode, jobcenter.ReasonTimeout}, ExitCodes: []int{75, -1},
		},
		RequestsRecovery: true, PausedUntil: at(4), PauseReason: "weil \"so\"", SkipUntil: at(5), PreviousFireTime: at(-6),
		Carried: json.RawMessage(`{"offset":12.50,"x":[null]}`), LastResult: json.RawMessage(`"done"`),
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
}

func jobKeepsZeroValues(t *testing.T, store jobcenter.JobStore) {
	want := jobcenter.Job{ID: "zero", Task: task, Trigger: newJob(t, "", base()).Trigger}
	addJobs(t, store, want)
	got := getJob(t, store, want.ID)
	checkSame(t, "job", want, got)
	if got.Args != nil || got.State() != jobcenter.JobFinished {
		t.Errorf("args = %q, state = %s, want none and finished", got.Args, got.State())
	}
}

func jobInstants(t *testing.T, store jobcenter.JobStore) {
	job := newJob(t, "a", base())
	odd := time.Date(2026, 11, 6, 8, 30, 0, 123456789, time.FixedZone("", 8*3600))
	want := time.Date(2026, 11, 6, 0, 30, 0, 123456000, time.UTC)
	job.NextFireTime, job.CreatedAt, job.UpdatedAt = odd, odd, odd
	addJobs(t, store, job)
	got := getJob(t, store, "a")
	checkSame(t, "instants", []time.Time{want, want, want}, []time.Time{got.NextFireTime, got.CreatedAt, got.UpdatedAt})

	run := newRun("a", odd, jobcenter.RunSucceeded)
	run.StartedAt, run.EndedAt = odd, odd
	updated, err := store.UpdateJob(t.Context(), "a", func(job jobcenter.Job, _ jobcenter.Active) (jobcenter.Job, []jobcenter.Run, error) {
		job.NextFireTime = odd.Add(time.Second)
		return job, []jobcenter.Run{run}, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	checkSame(t, "next fire time that UpdateJob returns", want.Add(time.Second), updated.NextFireTime)
	stored := getRun(t, store, run.ID)
	checkSame(t, "instants of the run", []time.Time{want, want, want, want},
		[]time.Time{stored.FireTime, stored.LastFireTime, stored.StartedAt, stored.EndedAt})
	next, ok, err := store.NextDue(t.Context(), can())
	if err != nil || !ok {
		t.Fatalf("NextDue: %v, %v", ok, err)
	}
	checkSame(t, "next fire time", want.Add(time.Second), next)
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
	claimed, err := store.Claim(t.Context(), can(), at(100*365*86400), 10, func(jobcenter.Job, jobcenter.Active) jobcenter.Decision {
		return jobcenter.Decision{}
	})
	if err != nil || len(claimed) != 1 || claimed[0].Job.ID != "a" {
		t.Errorf("claimed %v, %v, want the job a alone", claimed, err)
	}
}

func jobIDTaken(t *testing.T, store jobcenter.JobStore) {
	first := newJob(t, "a", at(1))
	addJobs(t, store, first)
	second := newJob(t, "a", at(2))
	second.Name = "Other"
	if err := store.AddJobs(t.Context(), func() ([]jobcenter.Job, error) { return []jobcenter.Job{second}, nil }); !errors.Is(err, jobcenter.ErrConflict) {
		t.Errorf("error %v, want ErrConflict", err)
	}
	checkSame(t, "job", first, getJob(t, store, "a"))
	addJobs(t, store, newJob(t, "A", at(2))) // ids are told apart by case
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
	if _, err := store.Run(ctx, "none"); !errors.Is(err, jobcenter.ErrRunNotFound) {
		t.Errorf("Run: error %v, want ErrRunNotFound", err)
	}
	if _, err := store.Output(ctx, "none", 0, 10); !errors.Is(err, jobcenter.ErrRunNotFound) {
		t.Errorf("Output: error %v, want ErrRunNotFound", err)
	}
}

func changeReplaces(t *testing.T, store jobcenter.JobStore) {
	addJobs(t, store, newJob(t, "a", at(1)), newJob(t, "b", at(1)))
	want := fullJob(t)
	want.ID = "a"
	old := getJob(t, store, "a")
	got, err := store.UpdateJob(t.Context(), "a", func(job jobcenter.Job, active jobcenter.Active) (jobcenter.Job, []jobcenter.Run, error) {
		checkSame(t, "job given to change", old, job)
		if active != (jobcenter.Active{}) {
			t.Errorf("active = %+v, want none", active)
		}
		return want, nil, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	checkSame(t, "job returned", want, got)
	checkSame(t, "job stored", want, getJob(t, store, "a"))
	checkSame(t, "other job", newJob(t, "b", at(1)), getJob(t, store, "b"))
	for tag, n := range map[string]int{"数据": 1, "a": 0} {
		page, err := store.Jobs(t.Context(), jobcenter.JobQuery{Tag: tag})
		if err != nil || len(page.Jobs) != n {
			t.Errorf("%d jobs with tag %q, want %d (%v)", len(page.Jobs), tag, n, err)
		}
	}
}

func changeInsertsRuns(t *testing.T, store jobcenter.JobStore) {
	addJobs(t, store, newJob(t, "a", at(1)))
	code := -3
	want := jobcenter.Run{
		ID: "0199-full", JobID: "a", JobVersion: 4, FireTime: at(5), LastFireTime: at(65), FireCount: 2, Origin: jobcenter.OriginManual,
		Actor: "li@example.org", State: jobcenter.RunFailed, Reason: jobcenter.ReasonExitCode, Message: "exit code 3: 失败 😀", Attempt: 2,
		Node: "n1", Executor: "slow", StartedAt: at(6), EndedAt: at(7), ExitCode: &code, OutputSize: 1 << 40, OutputKept: 5,
		Series: "backfill 1", Args: json.RawMessage(`{"n":1.50}`), Result: json.RawMessage(`[1,"二"]`), Priority: -7, LimitKey: "db 1",
		NotBefore: at(8), Turn: at(9), StopBy: "wang",
	}
	plain := newRun("a", at(1), jobcenter.RunQueued)
	addRuns(t, store, "a", want, plain)
	checkSame(t, "run", want, getRun(t, store, want.ID))
	checkSame(t, "plain run", plain, getRun(t, store, plain.ID))
	checkSame(t, "list", []jobcenter.Run{want, plain}, allRuns(t, store, jobcenter.RunQuery{}))
}

func changeIsToldOfActive(t *testing.T, store jobcenter.JobStore) {
	addJobs(t, store, newJob(t, "a", at(1)), newJob(t, "b", at(1)))
	addRuns(t, store, "b", newRun("b", at(1), jobcenter.RunRunning))
	states := []jobcenter.RunState{
		jobcenter.RunQueued, jobcenter.RunRunning, jobcenter.RunQueued, jobcenter.RunSucceeded, jobcenter.RunFailed,
		jobcenter.RunTimedOut, jobcenter.RunStopped, jobcenter.RunLost, jobcenter.RunMissed, jobcenter.RunSkipped,
	}
	for i, state := range states {
		addRuns(t, store, "a", newRun("a", at(i), state))
	}
	var told jobcenter.Active
	_, err := store.UpdateJob(t.Context(), "a", func(job jobcenter.Job, active jobcenter.Active) (jobcenter.Job, []jobcenter.Run, error) {
		told = active
		return job, nil, nil
	})
	if want := (jobcenter.Active{Queued: 2, Running: 1}); err != nil || told != want {
		t.Errorf("active = %+v (%v), want %+v", told, err, want)
	}
}

func changeRefuses(t *testing.T, store jobcenter.JobStore) {
	job := newJob(t, "a", at(1))
	addJobs(t, store, job)
	_, err := store.UpdateJob(t.Context(), "a", func(job jobcenter.Job, _ jobcenter.Active) (jobcenter.Job, []jobcenter.Run, error) {
		job.Name, job.Tags = "Changed", []string{"x"}
		return job, []jobcenter.Run{newRun("a", at(1), jobcenter.RunRunning)}, errRefused
	})
	if err != errRefused { //nolint:errorlint // the promise is that it is not wrapped
		t.Errorf("error %v, want the very error of change", err)
	}
	checkSame(t, "job", job, getJob(t, store, "a"))
	checkSame(t, "runs", []jobcenter.Run(nil), allRuns(t, store, jobcenter.RunQuery{}))
	// The store goes on after it.
	addRuns(t, store, "a", newRun("a", at(1), jobcenter.RunRunning))
}

func changeKnownFireTime(t *testing.T, store jobcenter.JobStore) {
	addJobs(t, store, newJob(t, "a", at(1)))
	first := newRun("a", at(1), jobcenter.RunRunning)
	addRuns(t, store, "a", first)
	again := newRun("a", at(1), jobcenter.RunQueued)
	again.ID = "again"
	other := newRun("a", at(2), jobcenter.RunQueued)
	addRuns(t, store, "a", again, other)
	checkSame(t, "runs", []string{other.ID, first.ID}, runIDs(allRuns(t, store, jobcenter.RunQuery{})))
}

func jobIsACopy(t *testing.T, store jobcenter.JobStore) {
	want := fullJob(t)
	given := fullJob(t)
	addJobs(t, store, given)
	given.Tags[0], given.Args[0] = "changed", 'X'
	got := getJob(t, store, want.ID)
	checkSame(t, "job after its tags and arguments were changed outside", want, got)
	got.Tags[0], got.Args[0] = "changed", 'X'
	checkSame(t, "job after what was returned was changed", want, getJob(t, store, want.ID))
}

func removalKeepsRuns(t *testing.T, store jobcenter.JobStore) {
	ctx := t.Context()
	addJobs(t, store, newJob(t, "a", at(1)), newJob(t, "b", at(1)))
	done, running := newRun("a", at(1), jobcenter.RunSucceeded), newRun("a", at(2), jobcenter.RunRunning)
	addRuns(t, store, "a", done, running)
	chunk := jobcenter.Chunk{RunID: running.ID, Attempt: 1, Stream: jobcenter.Stdout, At: at(2), Data: []byte("hello")}
	if err := store.Record(ctx, jobcenter.Records{Output: []jobcenter.Chunk{chunk}}); err != nil {
		t.Fatal(err)
	}
	span := newRun("a", at(3), jobcenter.RunSkipped)
	span.LastFireTime, span.FireCount, span.Reason = at(9), 7, jobcenter.ReasonPaused
	old := getJob(t, store, "a")
	if err := store.RemoveJob(ctx, "a", func(job jobcenter.Job) []jobcenter.Run {
		checkSame(t, "job given to last", old, job)
		return []jobcenter.Run{span}
	}); err != nil {
		t.Fatal(err)
	}
	if _, err := store.Job(ctx, "a"); !errors.Is(err, jobcenter.ErrJobNotFound) {
		t.Errorf("the job is still there: %v", err)
	}
	checkSame(t, "runs", []jobcenter.Run{span, running, done}, allRuns(t, store, jobcenter.RunQuery{JobID: "a"}))
	// The run that goes on can still be written to and end.
	end := running
	end.State, end.EndedAt, end.OutputSize, end.OutputKept = jobcenter.RunSucceeded, at(4), 5, 5
	if err := store.Record(ctx, jobcenter.Records{Ends: []jobcenter.Run{end}}); err != nil {
		t.Fatal(err)
	}
	checkSame(t, "end", end, getRun(t, store, running.ID))
	chunks, err := store.Output(ctx, running.ID, 0, 100)
	if err != nil {
		t.Fatal(err)
	}
	checkSame(t, "output", []jobcenter.Chunk{chunk}, chunks)
	if claimed := claim(t, store, at(9), 10); len(claimed) != 1 || claimed[0].Job.ID != "b" {
		t.Errorf("claimed %v, want b alone", jobIDs(claimed))
	}
	page, err := store.Jobs(ctx, jobcenter.JobQuery{})
	if err != nil || len(page.Jobs) != 1 {
		t.Errorf("%d jobs are listed (%v), want b alone", len(page.Jobs), err)
	}
}

func removalEndsQueued(t *testing.T, store jobcenter.JobStore) {
	addJobs(t, store, newJob(t, "a", at(1)), newJob(t, "b", at(1)))
	queued, other := newRun("a", at(1), jobcenter.RunQueued), newRun("b", at(1), jobcenter.RunQueued)
	addRuns(t, store, "a", queued)
	addRuns(t, store, "b", other)
	if err := store.RemoveJob(t.Context(), "a", func(jobcenter.Job) []jobcenter.Run { return nil }); err != nil {
		t.Fatal(err)
	}
	got := getRun(t, store, queued.ID)
	if got.State != jobcenter.RunSkipped || got.Reason != jobcenter.ReasonRemoved || got.EndedAt.IsZero() {
		t.Errorf("run is %s, %s, ended %v; want skipped, removed and an end", got.State, got.Reason, got.EndedAt)
	}
	checkSame(t, "run of the other job", other, getRun(t, store, other.ID))
}

func removedIDAgain(t *testing.T, store jobcenter.JobStore) {
	job := newJob(t, "a", at(1))
	job.Tags = []string{"x"}
	addJobs(t, store, job)
	first := newRun("a", at(1), jobcenter.RunSucceeded)
	first.ID = "first"
	addRuns(t, store, "a", first)
	if err := store.RemoveJob(t.Context(), "a", func(jobcenter.Job) []jobcenter.Run { return nil }); err != nil {
		t.Fatal(err)
	}
	job.Tags = nil
	addJobs(t, store, job)
	checkSame(t, "job", job, getJob(t, store, "a"))
	if page, err := store.Jobs(t.Context(), jobcenter.JobQuery{Tag: "x"}); err != nil || len(page.Jobs) != 0 {
		t.Errorf("the removed job's tag finds %d jobs (%v)", len(page.Jobs), err)
	}
	// The fire time of the removed job stays decided.
	claimed := claim(t, store, at(1), 10)
	if len(claimed) != 1 || len(claimed[0].Runs) != 0 {
		t.Errorf("claimed %+v, want the job without a run", claimed)
	}
}
