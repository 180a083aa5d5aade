package jobcenter_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jobcenter-go/jobcenter"
)

// picky is a task whose opinion on arguments changes.
type picky struct {
	jobcenter.TaskFunc
	refuses atomic.Bool
	panics  atomic.Bool
}

func (p *picky) ValidateArgs(json.RawMessage) error {
	if p.panics.Load() {
		panic("no idea")
	}
	if p.refuses.Load() {
		return errors.New("they have gone out of fashion")
	}
	return nil
}

// moody is a trigger of the program's own, which fires each minute until it fails.
type moody struct{ mood *atomic.Int64 }

func (m moody) Next(after time.Time) (time.Time, bool) {
	switch m.mood.Load() {
	case 1:
		panic("not today")
	case 2:
		return after.Add(-time.Hour), true
	}
	return after.Truncate(time.Minute).Add(time.Minute), true
}

// ward is a scheduler with a task and a trigger that can be made to fail.
type ward struct {
	*bench
	task *picky
	mood atomic.Int64
}

// Everything that takes a job out of service, and what brings it back.
func TestQuarantine(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		spoil  func(w *ward, job *jobcenter.Job)
		reason string
		waits  bool                // for a while, in which somebody else may know
		mend   func(w *ward) error // nil: by Release
	}{
		"unknown task": {
			func(_ *ward, job *jobcenter.Job) { job.Task = "new" }, `unknown task "new"`, true,
			func(w *ward) error { return w.AddTask("new", jobcenter.TaskFunc(nothing)) },
		},
		"unknown executor": {
			func(_ *ward, job *jobcenter.Job) { job.Executor = "new" }, `unknown executor "new"`, true,
			func(w *ward) error { return w.AddExecutor("new", pool(w.t, 1)) },
		},
		"arguments": {
			func(w *ward, job *jobcenter.Job) { job.Version++; w.task.refuses.Store(true) }, "arguments: they have gone out of fashion", false,
			func(w *ward) error { w.task.refuses.Store(false); return nil },
		},
		"panic about arguments": {
			func(w *ward, job *jobcenter.Job) { job.Version++; w.task.panics.Store(true) }, "arguments: checking them panicked: no idea", false,
			func(w *ward) error { w.task.panics.Store(false); return nil },
		},
		"no trigger": {
			func(_ *ward, job *jobcenter.Job) { job.Trigger = nil }, "no trigger", false,
			func(w *ward) error { _, err := w.Reschedule(w.t.Context(), "j", moody{&w.mood}); return err },
		},
		"panic of the trigger": {
			func(w *ward, _ *jobcenter.Job) { w.mood.Store(1) }, "trigger panicked: not today", false,
			nil,
		},
		"trigger that goes back": {
			func(w *ward, _ *jobcenter.Job) { w.mood.Store(2) }, "trigger gave", false,
			nil,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				store := jobcenter.NewMemoryStore(0)
				w := &ward{task: &picky{TaskFunc: nothing}}
				b := begin(t, jobcenter.Options{Store: store, Tasks: map[string]jobcenter.Task{"picky": w.task}}, nothing)
				w.bench = b
				told := b.listen(jobcenter.EventFilter{Types: []jobcenter.EventType{jobcenter.EventJobQuarantined, jobcenter.EventJobReleased}})
				b.addAs("picky", jobcenter.Job{ID: "j", Trigger: moody{&w.mood}, MisfireGrace: jobcenter.NeverTooLate})
				b.wait(90 * time.Second)
				b.wantRows("j", "succeeded 1m0s")
				alter(t, store, "j", func(job *jobcenter.Job) { test.spoil(w, job) })
				b.wait(31 * time.Second)
				if test.waits {
					if job := b.job("j"); job.State() != jobcenter.JobActive {
						t.Errorf("a second late it is %s: %s", job.State(), job.Quarantine)
					}
					b.wait(35 * time.Second)
				}
				job := b.job("j")
				if job.State() != jobcenter.JobQuarantined || !strings.HasPrefix(job.Quarantine, test.reason) || !job.DueAt().IsZero() || !job.NextFireTime.Equal(begun().Add(2*time.Minute)) {
					t.Fatalf("the job is %s, next %s: %q; want in quarantine because of %q", job.State(), job.NextFireTime.Sub(begun()), job.Quarantine, test.reason)
				}
				b.wait(10*time.Minute - time.Since(begun()) + time.Second)
				b.wantRows("j", "succeeded 1m0s")
				w.mood.Store(0)
				if test.mend == nil {
					if _, err := b.Release(t.Context(), "j"); err != nil {
						t.Fatal(err)
					}
				} else if err := test.mend(w); err != nil {
					t.Fatal(err)
				}
				b.wait(30 * time.Second)
				if job := b.job("j"); job.State() != jobcenter.JobActive {
					t.Errorf("mended it is %s: %s", job.State(), job.Quarantine)
				}
				if name == "no trigger" { // a new one counts from now
					b.wantRows("j", "succeeded 1m0s")
				} else {
					b.wantRows("j", "succeeded 1m0s", "skipped/coalesced 2m0s..9m0s ×8", "succeeded 10m0s")
				}
				told.wantTypes(t, jobcenter.EventJobQuarantined, jobcenter.EventJobReleased)
				if e := told.all()[0]; e.Job.ID != "j" || e.Job.Quarantine != job.Quarantine || e.Store != jobcenter.DefaultStore {
					t.Errorf("quarantined: %+v", e.Job)
				}
			})
		})
	}
}

func TestReleaseErrors(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store, task := jobcenter.NewMemoryStore(0), &picky{TaskFunc: nothing}
		b := newBench(t, jobcenter.Options{Store: store, Tasks: map[string]jobcenter.Task{"picky": task}}, nothing)
		b.addAs("picky", jobcenter.Job{ID: "j", Trigger: never(t)})
		if job, err := b.Release(t.Context(), "j"); err != nil || job.ID != "j" || job.Store != jobcenter.DefaultStore {
			t.Errorf("release of a sound job: %+v, %v", job, err)
		}
		if _, err := b.Release(t.Context(), "none"); !errors.Is(err, jobcenter.ErrJobNotFound) {
			t.Errorf("release of an unknown job: %v", err)
		}
		for field, spoil := range map[string]func(*jobcenter.Job){
			"task":     func(job *jobcenter.Job) { job.Task = "gone" },
			"executor": func(job *jobcenter.Job) { job.Executor = "gone" },
			"trigger":  func(job *jobcenter.Job) { job.Trigger = nil },
			"args":     func(*jobcenter.Job) { task.refuses.Store(true) },
		} {
			var before jobcenter.Job
			alter(t, store, "j", func(job *jobcenter.Job) {
				before = *job
				spoil(job)
				job.Quarantine = "somebody did not like it"
			})
			_, err := b.Release(t.Context(), "j")
			wantField(t, err, field)
			if job := b.job("j"); job.State() != jobcenter.JobQuarantined {
				t.Errorf("%s: the job is %s", field, job.State())
			}
			alter(t, store, "j", func(job *jobcenter.Job) { *job = before })
			task.refuses.Store(false)
		}
	})
}

// Jobs that wait in quarantine at the start are released if they are understood
// now, but not those whose trigger misbehaved: somebody has to look at them.
func TestReleasedAtTheStart(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := jobcenter.NewMemoryStore(0)
		b := newBench(t, jobcenter.Options{Store: store}, nothing)
		for id, reason := range map[string]string{
			"task": `unknown task "work": nobody`, "executor": `unknown executor "default": nobody`, "args": "arguments: no", "trigger": "trigger panicked: ouch", "other": "by hand",
		} {
			b.add(jobcenter.Job{ID: id, Trigger: interval(t, time.Minute)})
			alter(t, store, id, func(job *jobcenter.Job) { job.Quarantine = reason })
		}
		b.begin()
		b.wait(time.Second)
		for id, want := range map[string]jobcenter.JobState{
			"task": jobcenter.JobActive, "executor": jobcenter.JobActive, "args": jobcenter.JobActive,
			"trigger": jobcenter.JobQuarantined, "other": jobcenter.JobQuarantined,
		} {
			if job := b.job(id); job.State() != want {
				t.Errorf("%s is %s, want %s", id, job.State(), want)
			}
		}
	})
}

// A program that does not know a task leaves its jobs to one that does: it puts
// them into quarantine only if they are overdue for twice a lease.
func TestJobsOfAnotherProgramAreLeftAlone(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := jobcenter.NewMemoryStore(0)
		task := map[string]jobcenter.Task{"bill": jobcenter.TaskFunc(nothing)}
		mail := begin(t, jobcenter.Options{Store: store, Node: "mail"}, nothing)
		billing := begin(t, jobcenter.Options{Store: store, Node: "billing", Tasks: task}, nothing)
		billing.addAs("bill", jobcenter.Job{ID: "j", Trigger: interval(t, time.Minute)})
		mail.wait(10*time.Minute + time.Second)
		for _, run := range mail.wantCovered("j", time.Minute, begun().Add(time.Minute), begun().Add(10*time.Minute)) {
			if run.Node != "billing" || run.State != jobcenter.RunSucceeded {
				t.Errorf("row %s of node %s", row(&run), run.Node)
			}
		}
		billing.stop()
		mail.Standby(true)
		mail.wait(10 * time.Minute)
		if job := mail.job("j"); job.State() != jobcenter.JobActive {
			t.Errorf("on standby it judges: %s", job.Quarantine)
		}
		mail.Standby(false)
		mail.wait(10 * time.Second)
		if job := mail.job("j"); job.State() != jobcenter.JobQuarantined {
			t.Errorf("nobody has taken it for ten minutes, and it is %s", job.State())
		}
	})
}

// A run in quarantine for its arguments does not hold up others of its batch.
func TestQuarantineHoldsUpNoOther(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := jobcenter.NewMemoryStore(0)
		strict := jobcenter.NewTask(func(context.Context, *jobcenter.RunContext, struct{ N int }) error { return nil })
		b := begin(t, jobcenter.Options{Store: store, Tasks: map[string]jobcenter.Task{"strict": strict}}, nothing)
		for _, id := range []string{"a", "b", "c"} {
			b.addAs("strict", jobcenter.Job{ID: id, Trigger: interval(t, time.Minute), Args: json.RawMessage(`{"n":1}`)})
		}
		alter(t, store, "b", func(job *jobcenter.Job) { job.Args = json.RawMessage(`{"n":"one"}`) })
		b.wait(time.Minute)
		b.wantRows("a", "succeeded 1m0s")
		b.wantRows("b")
		b.wantRows("c", "succeeded 1m0s")
		if job := b.job("b"); !strings.Contains(job.Quarantine, "args.") && !strings.Contains(job.Quarantine, "n") {
			t.Errorf("b: %q", job.Quarantine)
		}
	})
}
