package jobcenter_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/jobcenter-go/jobcenter"
)

func (b *bench) export(q jobcenter.JobQuery) []jobcenter.Job {
	b.t.Helper()
	jobs, err := b.Export(b.t.Context(), q)
	if err != nil {
		b.t.Fatal(err)
	}
	return jobs
}

// asJSON is a job as its JSON form, to be compared.
func asJSON(t *testing.T, job jobcenter.Job) string {
	t.Helper()
	raw, err := json.MarshalIndent(job, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

// A job that is moved with its state goes on as if nothing had happened: the
// phase, what was due meanwhile, what runs left for each other.
func TestMoveJobs(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		count := func(_ context.Context, run *jobcenter.RunContext) error {
			var n int
			if err := run.Carried(&n); err != nil {
				return err
			}
			if err := run.SetResult(n); err != nil {
				return err
			}
			return run.Carry(n + 1)
		}
		old := begin(t, jobcenter.Options{}, count)
		old.add(jobcenter.Job{ID: "j", Trigger: interval(t, 10*time.Minute), Coalesce: jobcenter.CoalesceAll, MisfireGrace: jobcenter.NeverTooLate})
		old.add(jobcenter.Job{ID: "done", Trigger: date(t, begun().Add(time.Minute))})
		old.add(jobcenter.Job{ID: "paused", Trigger: interval(t, 10*time.Minute), Paused: true, PauseReason: "why"})
		old.wait(23 * time.Minute)
		old.stop()
		jobs := old.export(jobcenter.JobQuery{})
		time.Sleep(20 * time.Minute) // over the fires at 30m and 40m

		b := newBench(t, two(jobcenter.NewMemoryStore(0)), count)
		done, err := b.Import(t.Context(), jobs, jobcenter.ImportOptions{KeepState: true, Store: "second"})
		if err != nil || done != (jobcenter.Imported{Added: 3}) {
			t.Fatalf("imported %+v, %v", done, err)
		}
		for i, job := range b.export(jobcenter.JobQuery{}) {
			want := jobs[i]
			want.Store = "second"
			if diff := cmp.Diff(asJSON(t, want), asJSON(t, job)); diff != "" {
				t.Errorf("job %q (-exported +imported):\n%s", job.ID, diff)
			}
		}
		b.begin()
		b.wait(8 * time.Minute)
		second := newBench(t, jobcenter.Options{Store: mustStore(t, b, "second")}, nothing)
		second.wantRows("j", "succeeded 30m0s", "succeeded 40m0s", "succeeded 50m0s")
		if job := b.job("j"); string(job.Carried) != "5" || string(job.LastResult) != "4" || !job.CreatedAt.Equal(begun()) || job.Version != 1 {
			t.Errorf("the job after three more runs: %+v", job)
		}
		if job := b.job("done"); job.State() != jobcenter.JobFinished || !job.PreviousFireTime.Equal(begun().Add(time.Minute)) {
			t.Errorf("the finished job: %+v", job)
		}
		if job := b.job("paused"); job.State() != jobcenter.JobPaused || job.PauseReason != "why" {
			t.Errorf("the paused job: %+v", job)
		}
	})
}

func mustStore(t *testing.T, b *bench, name string) jobcenter.JobStore {
	t.Helper()
	store, err := b.NamedStore(name)
	if err != nil {
		t.Fatal(err)
	}
	return store
}

// Without its state a job is a new one, but for the phase of its interval.
func TestImportAsNewJobs(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		old := begin(t, jobcenter.Options{}, func(_ context.Context, run *jobcenter.RunContext) error { return run.Carry(1) })
		old.add(jobcenter.Job{ID: "j", Trigger: interval(t, 10*time.Minute)})
		old.wait(23 * time.Minute)
		b := newBench(t, jobcenter.Options{}, nothing)
		if _, err := b.Import(t.Context(), old.export(jobcenter.JobQuery{}), jobcenter.ImportOptions{}); err != nil {
			t.Fatal(err)
		}
		job := b.job("j")
		if job.Version != 1 || job.Carried != nil || !job.PreviousFireTime.IsZero() || !job.CreatedAt.Equal(time.Now()) || !job.NextFireTime.Equal(begun().Add(30*time.Minute)) {
			t.Errorf("imported: %+v", job)
		}
	})
}

func TestImportConflicts(t *testing.T) {
	t.Parallel()
	for policy, test := range map[jobcenter.OnConflict]struct {
		want  jobcenter.Imported
		fails bool
		name  string // of the job that was there
		next  time.Duration
	}{
		"":                        {fails: true, name: "there", next: time.Hour},
		jobcenter.ConflictFail:    {fails: true, name: "there", next: time.Hour},
		jobcenter.ConflictKeep:    {want: jobcenter.Imported{Added: 1, Kept: 2}, name: "there", next: time.Hour},
		jobcenter.ConflictReplace: {want: jobcenter.Imported{Added: 1, Changed: 1, Unchanged: 1}, name: "imported", next: time.Hour},
	} {
		t.Run(string(policy), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t, jobcenter.Options{}, nothing)
				same := b.add(jobcenter.Job{ID: "same", Trigger: interval(t, time.Hour)})
				changed := b.add(jobcenter.Job{ID: "changed", Name: "there", Trigger: interval(t, time.Hour)})
				changed.Name = "imported"
				fresh := jobcenter.Job{ID: "fresh", Task: "work", Trigger: interval(t, time.Hour)}
				time.Sleep(10 * time.Minute)
				done, err := b.Import(t.Context(), []jobcenter.Job{fresh, same, changed}, jobcenter.ImportOptions{OnConflict: policy})
				if done != test.want || (err != nil) != test.fails || test.fails && (!errors.Is(err, jobcenter.ErrConflict) || !strings.Contains(err.Error(), `"same"`)) {
					t.Errorf("imported %+v, %v; want %+v", done, err, test.want)
				}
				if job := b.job("changed"); job.Name != test.name || !job.NextFireTime.Equal(begun().Add(test.next)) {
					t.Errorf("the job that was there: %+v", job)
				}
				if _, err := b.Job(t.Context(), "fresh"); errors.Is(err, jobcenter.ErrJobNotFound) != test.fails {
					t.Errorf("the other job: %v; nothing is imported if anything is wrong", err)
				}
			})
		})
	}
}

// What is wrong with one job is said with its id, before any is stored.
func TestImportErrors(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, jobcenter.Options{}, nothing)
		good := jobcenter.Job{ID: "good", Task: "work", Trigger: never(t)}
		var unreadable jobcenter.Job
		if err := json.Unmarshal([]byte(`{"id":"bad","task":"work","trigger":{"type":"moonphase"}}`), &unreadable); err != nil {
			t.Fatal(err)
		}
		for name, test := range map[string]struct {
			bad   jobcenter.Job
			field string
			is    error
		}{
			"twice":        {good, "id", nil},
			"no id":        {jobcenter.Job{Task: "work", Trigger: never(t)}, "id", nil},
			"unknown task": {jobcenter.Job{ID: "bad", Task: "gone", Trigger: never(t)}, "task", nil},
			"unreadable":   {unreadable, "trigger", nil},
			"never fires":  {jobcenter.Job{ID: "bad", Task: "work", Trigger: date(t, begun().Add(-time.Hour))}, "trigger", jobcenter.ErrNeverFires},
			"store":        {jobcenter.Job{ID: "bad", Task: "work", Trigger: never(t), Store: "gone"}, "", jobcenter.ErrUnknown},
		} {
			done, err := b.Import(t.Context(), []jobcenter.Job{good, test.bad}, jobcenter.ImportOptions{})
			if done != (jobcenter.Imported{}) || err == nil || !strings.Contains(err.Error(), fmt.Sprintf("%q", test.bad.ID)) {
				t.Errorf("%s: %+v, %v", name, done, err)
			}
			if test.field != "" {
				wantField(t, err, test.field)
			}
			if test.is != nil && !errors.Is(err, test.is) {
				t.Errorf("%s: %v, want %v", name, err, test.is)
			}
		}
		if _, err := b.Import(t.Context(), nil, jobcenter.ImportOptions{OnConflict: "shrug"}); err == nil || !strings.Contains(err.Error(), "fail, keep, replace") {
			t.Errorf("an unknown policy: %v", err)
		}
		if jobs := b.export(jobcenter.JobQuery{}); len(jobs) != 0 {
			t.Errorf("%d jobs were imported", len(jobs))
		}
	})
}

func TestExport(t *testing.T) {
	t.Parallel()
	b := newBench(t, two(jobcenter.NewMemoryStore(0)), nothing)
	jobs := make([]jobcenter.Job, 1100)
	for i := range jobs {
		jobs[i] = jobcenter.Job{ID: fmt.Sprintf("j%04d", i), Task: "work", Trigger: never(t), Tags: []string{fmt.Sprint("t", i%2)}}
	}
	if _, err := b.AddAll(t.Context(), jobs[:600]); err != nil {
		t.Fatal(err)
	}
	for i := range jobs {
		jobs[i].Store = "second"
	}
	if _, err := b.AddAll(t.Context(), jobs[600:]); err != nil {
		t.Fatal(err)
	}
	all := b.export(jobcenter.JobQuery{Limit: 1, Cursor: "none"})
	if len(all) != 1100 || all[0].ID != "j0000" || all[1099].ID != "j1099" || all[0].Store != "default" || all[1099].Store != "second" {
		t.Errorf("%d jobs, from %s to %s", len(all), all[0].ID, all[len(all)-1].ID)
	}
	if some := b.export(jobcenter.JobQuery{Tag: "t1"}); len(some) != 550 {
		t.Errorf("%d jobs of a tag, want 550", len(some))
	}
	if _, err := b.Add(t.Context(), jobcenter.Job{ID: "func", Func: nothing, Trigger: never(t)}); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Export(t.Context(), jobcenter.JobQuery{}); !errors.Is(err, jobcenter.ErrFuncJob) || !strings.Contains(err.Error(), `"func"`) {
		t.Errorf("with a function: %v", err)
	}
}

// A store that fails in the midst of an import: what was done is said.
func TestImportUntilAnError(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := newTroubled(jobcenter.NewMemoryStore(0))
		b := newBench(t, jobcenter.Options{Store: store}, nothing)
		b.add(jobcenter.Job{ID: "there", Name: "Old", Trigger: never(t)})
		changed := b.job("there")
		changed.Name = "New"
		store.set(true, "AddJobs")
		for _, state := range []bool{false, true} {
			fresh := jobcenter.Job{ID: "fresh", Task: "work", Trigger: never(t), Version: 3}
			done, err := b.Import(t.Context(), []jobcenter.Job{changed, fresh}, jobcenter.ImportOptions{OnConflict: jobcenter.ConflictReplace, KeepState: state})
			if done.Changed+done.Unchanged != 1 || done.Added != 0 || !errors.Is(err, errDown) || !strings.Contains(err.Error(), `"fresh"`) {
				t.Errorf("imported %+v, %v", done, err)
			}
		}
	})
}

func TestPrint(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := jobcenter.NewMemoryStore(0)
		b := newBench(t, jobcenter.Options{Store: store}, nothing)
		b.add(jobcenter.Job{ID: "a", Name: "First", Trigger: parsed(t, `crontab "0 9 * * *"`)})
		b.add(jobcenter.Job{ID: "b", Trigger: interval(t, time.Hour), Paused: true, PausedUntil: begun().Add(time.Hour)})
		b.add(jobcenter.Job{ID: "c", Trigger: interval(t, time.Hour), Paused: true})
		b.add(jobcenter.Job{ID: "d", Trigger: reboot(t)})
		b.add(jobcenter.Job{ID: "e", Trigger: moody{new(atomic.Int64)}})
		var text strings.Builder
		if err := b.Print(t.Context(), &text, jobcenter.JobQuery{Limit: 2}); err != nil {
			t.Fatal(err)
		}
		var got []string
		for line := range strings.Lines(text.String()) {
			got = append(got, strings.Join(strings.Fields(line), " "))
		}
		want := []string{
			"ID NAME TASK TRIGGER STATE NEXT FIRE TIME",
			`a First work crontab "0 9 * * *" timezone=UTC active 2000-01-01T09:00:00Z`,
			`b b work interval hours=1 timezone=UTC start_date=2000-01-01T01:00:00Z paused paused until 2000-01-01T01:00:00Z`,
			`c c work interval hours=1 timezone=UTC start_date=2000-01-01T01:00:00Z paused -`,
			`d d work crontab @reboot timezone=UTC active at the next start`,
			`e e work jobcenter_test.moody active 2000-01-01T00:01:00Z`,
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}
