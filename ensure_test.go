package jobcenter_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/jobcenter-go/jobcenter"
)

// declared is a job as a program declares it at each start.
func declared(t *testing.T) jobcenter.Job {
	t.Helper()
	return jobcenter.Job{
		ID: "j", Name: "Job", Description: "words", Tags: []string{"a", "b"}, Task: "work", Args: json.RawMessage(`{"x": 1}`),
		Trigger: interval(t, time.Hour), MisfireGrace: time.Minute, Retry: jobcenter.Retry{Attempts: 2, On: []jobcenter.Reason{jobcenter.ReasonError}},
	}
}

func (b *bench) ensure(job jobcenter.Job) (jobcenter.Job, jobcenter.Changes) {
	b.t.Helper()
	stored, changes, err := b.Ensure(b.t.Context(), job)
	if err != nil {
		b.t.Fatal(err)
	}
	return stored, changes
}

// Whatever is the same is not touched, and what is not is named.
func TestEnsureNamesWhatChanged(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		change func(*jobcenter.Job)
		fields []string
	}{
		"nothing":             {func(*jobcenter.Job) {}, nil},
		"defaults by name":    {func(j *jobcenter.Job) { j.Coalesce, j.Overlap, j.MaxInstances = "latest", "skip", 1 }, nil},
		"spaces in arguments": {func(j *jobcenter.Job) { j.Args = json.RawMessage(` {"x":1} `) }, nil},
		"what the engine keeps": {func(j *jobcenter.Job) {
			j.Version, j.NextFireTime, j.Quarantine, j.Carried = 7, begun(), "bad", json.RawMessage(`1`)
		}, nil},
		"a pause":       {func(j *jobcenter.Job) { j.Paused, j.PauseReason, j.SkipUntil = true, "why", begun().Add(time.Hour) }, nil},
		"name":          {func(j *jobcenter.Job) { j.Name = "Other" }, []string{"name"}},
		"no name":       {func(j *jobcenter.Job) { j.Name = "" }, []string{"name"}},
		"description":   {func(j *jobcenter.Job) { j.Description = "" }, []string{"description"}},
		"tags":          {func(j *jobcenter.Job) { j.Tags = []string{"b", "a"} }, []string{"tags"}},
		"task":          {func(j *jobcenter.Job) { j.Task = "other" }, []string{"task"}},
		"args":          {func(j *jobcenter.Job) { j.Args = json.RawMessage(`{"x":2}`) }, []string{"args"}},
		"trigger":       {func(j *jobcenter.Job) { j.Trigger = interval(t, 2*time.Hour) }, []string{"trigger"}},
		"executor":      {func(j *jobcenter.Job) { j.Executor = "slow" }, []string{"executor"}},
		"priority":      {func(j *jobcenter.Job) { j.Priority = 1 }, []string{"priority"}},
		"grace":         {func(j *jobcenter.Job) { j.MisfireGrace = jobcenter.NeverTooLate }, []string{"misfire_grace"}},
		"coalesce":      {func(j *jobcenter.Job) { j.Coalesce = jobcenter.CoalesceAll }, []string{"coalesce"}},
		"catch-up":      {func(j *jobcenter.Job) { j.CatchUp.Max = 3 }, []string{"catch_up"}},
		"overlap":       {func(j *jobcenter.Job) { j.Overlap = jobcenter.OverlapCancel }, []string{"overlap"}},
		"instances":     {func(j *jobcenter.Job) { j.MaxInstances = 2 }, []string{"max_instances"}},
		"limit":         {func(j *jobcenter.Job) { j.Limit = jobcenter.Limit{Key: "k", Running: 1} }, []string{"limit"}},
		"timeout":       {func(j *jobcenter.Job) { j.Timeout = time.Second }, []string{"timeout"}},
		"retry":         {func(j *jobcenter.Job) { j.Retry.On = nil }, []string{"retry"}},
		"recovery":      {func(j *jobcenter.Job) { j.RequestsRecovery = true }, []string{"requests_recovery"}},
		"several":       {func(j *jobcenter.Job) { j.Name, j.Priority, j.Timeout = "X", 5, time.Hour }, []string{"name", "priority", "timeout"}},
		"another store": {func(j *jobcenter.Job) { j.Store = "elsewhere" }, nil}, // it cannot change
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				store := newTroubled(jobcenter.NewMemoryStore(0))
				b := begin(t, jobcenter.Options{
					Store: store, Executors: map[string]jobcenter.Executor{"slow": pool(t, 1)},
					Tasks: map[string]jobcenter.Task{"other": jobcenter.TaskFunc(nothing)},
				}, nothing)
				told := b.listen(jobcenter.EventFilter{Types: []jobcenter.EventType{jobcenter.EventJobAdded, jobcenter.EventJobModified, jobcenter.EventJobPaused}})
				before, changes := b.ensure(declared(t))
				if !changes.Added || changes.Fields != nil || before.Version != 1 {
					t.Fatalf("first: %+v, %+v", before, changes)
				}
				b.wait(90 * time.Minute)
				job := declared(t)
				test.change(&job)
				after, changes := b.ensure(job)
				if diff := cmp.Diff(test.fields, changes.Fields); diff != "" || changes.Added {
					t.Errorf("changes (-want +got):\n%s", diff)
				}
				wantVersion, wantEvents := int64(1), 1
				if test.fields != nil {
					wantVersion, wantEvents = 2, 2
				}
				if after.Version != wantVersion || b.job("j").Version != wantVersion {
					t.Errorf("version = %d, stored %d, want %d", after.Version, b.job("j").Version, wantVersion)
				}
				next := begun().Add(2 * time.Hour)
				if name == "trigger" {
					next = begun().Add(3*time.Hour + 30*time.Minute) // it counts from now
				}
				if !after.NextFireTime.Equal(next) || !after.CreatedAt.Equal(before.CreatedAt) || after.Paused || !after.SkipUntil.IsZero() {
					t.Errorf("after: %+v, want the next fire time %s", after, next)
				}
				if n := len(told.all()); n != wantEvents {
					t.Errorf("told of %v, want %d events", told.types(), wantEvents)
				}
				b.wantRows("j", "succeeded 1h0m0s")
			})
		})
	}
}

// A pause that somebody ordered outlives the next start of the program.
func TestEnsureKeepsPauseAndSkips(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := begin(t, jobcenter.Options{}, nothing)
		b.ensure(declared(t))
		if _, err := b.SkipNext(t.Context(), "j"); err != nil {
			t.Fatal(err)
		}
		b.pause("j", jobcenter.PauseOptions{Reason: "holidays", Until: begun().Add(10 * time.Hour)})
		job := declared(t)
		job.Name = "Other"
		after, changes := b.ensure(job)
		if !after.Paused || after.PauseReason != "holidays" || after.PausedUntil.IsZero() || after.SkipUntil.IsZero() {
			t.Errorf("after: %+v", after)
		}
		if diff := cmp.Diff([]string{"name"}, changes.Fields); diff != "" {
			t.Errorf("changes (-want +got):\n%s", diff)
		}
	})
}

func TestEnsureErrors(t *testing.T) {
	t.Parallel()
	b := newBench(t, jobcenter.Options{}, nothing)
	for field, spoil := range map[string]func(*jobcenter.Job){
		"id":      func(j *jobcenter.Job) { j.ID = "" },
		"task":    func(j *jobcenter.Job) { j.Task = "none" },
		"trigger": func(j *jobcenter.Job) { j.Trigger = nil },
	} {
		for range 2 { // before the job is there, and after
			job := declared(t)
			spoil(&job)
			_, _, err := b.Ensure(t.Context(), job)
			wantField(t, err, field)
			b.ensure(declared(t))
		}
	}
	job := declared(t)
	job.ID, job.Store = "k", "nowhere"
	if _, _, err := b.Ensure(t.Context(), job); !errors.Is(err, jobcenter.ErrUnknown) {
		t.Errorf("an unknown store: %v", err)
	}
}

// Many processes start at once, and declare the same job.
func TestEnsureByManyProcesses(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store, ran := jobcenter.NewMemoryStore(0), newTally()
		benches := make([]*bench, 8)
		for i := range benches {
			benches[i] = begin(t, jobcenter.Options{Store: store, Node: fmt.Sprint("n", i)}, ran.work(0))
		}
		var added, changed sync.Map
		var all sync.WaitGroup
		for round := range 3 {
			for i, b := range benches {
				all.Go(func() {
					job := declared(t)
					job.Trigger = interval(t, time.Minute)
					job.Description = fmt.Sprint("release ", round)
					_, changes, err := b.Ensure(t.Context(), job)
					switch {
					case err != nil:
						t.Error(err)
					case changes.Added:
						added.Store(i, true)
					case changes.Fields != nil:
						changed.Store(round, true)
					}
				})
			}
			all.Wait()
			time.Sleep(5*time.Minute + time.Second)
		}
		synctest.Wait()
		count := 0
		added.Range(func(any, any) bool { count++; return true })
		if job := benches[0].job("j"); count != 1 || job.Version != 3 {
			t.Errorf("added %d times, version %d; want once, and one version a release", count, job.Version)
		}
		ran.wantOnce(t, 15)
		benches[0].wantCovered("j", time.Minute, begun().Add(time.Minute), begun().Add(15*time.Minute))
	})
}

// A job in quarantine is released by a declaration that mends it.
func TestEnsureMendsAJobInQuarantine(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := jobcenter.NewMemoryStore(0)
		b := begin(t, jobcenter.Options{Store: store}, nothing)
		b.ensure(declared(t))
		alter(t, store, "j", func(job *jobcenter.Job) { job.Quarantine = "trigger panicked: ouch" })
		told := b.listen(jobcenter.EventFilter{Types: []jobcenter.EventType{jobcenter.EventJobReleased}})
		after, _ := b.ensure(declared(t))
		if after.Quarantine != "" || after.Version != 2 || len(told.all()) != 1 {
			t.Errorf("after: %+v, told of %v", after, told.types())
		}
	})
}

// What was due and not yet claimed when a job is changed is settled by the
// rules that held then.
func TestModifySettlesWhatWasDue(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, jobcenter.Options{}, nothing)
		b.add(jobcenter.Job{ID: "j", Trigger: interval(t, time.Minute), Coalesce: jobcenter.CoalesceAll, MisfireGrace: 2 * time.Minute})
		time.Sleep(5*time.Minute + 30*time.Second)
		job, err := b.Modify(t.Context(), "j", func(job *jobcenter.Job) error {
			job.Trigger, job.Coalesce = interval(t, time.Hour), jobcenter.CoalesceLatest
			return nil
		})
		if err != nil || !job.NextFireTime.Equal(begun().Add(65*time.Minute+30*time.Second)) || !job.PreviousFireTime.Equal(begun().Add(5*time.Minute)) {
			t.Fatalf("modified: %+v, %v", job, err)
		}
		b.wantRows("j", "missed/misfire 1m0s..3m0s ×3", "queued 4m0s", "queued 5m0s")
		b.begin()
		b.wait(time.Second)
		b.wantRows("j", "missed/misfire 1m0s..3m0s ×3", "succeeded 4m0s", "succeeded 5m0s")
	})
}
