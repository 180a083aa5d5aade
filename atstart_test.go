package jobcenter_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jobcenter-go/jobcenter"
	"github.com/jobcenter-go/jobcenter/trigger"
)

func reboot(t *testing.T) trigger.Trigger {
	t.Helper()
	trig, err := trigger.NewCrontab("@reboot", trigger.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return trig
}

// failingJobs is a store whose lists fail a few times.
type failingJobs struct {
	jobcenter.JobStore
	left atomic.Int32
}

func (f *failingJobs) Jobs(ctx context.Context, q jobcenter.JobQuery) (jobcenter.JobPage, error) {
	if f.left.Add(-1) >= 0 {
		return jobcenter.JobPage{}, errors.New("the disk is full")
	}
	return f.JobStore.Jobs(ctx, q)
}

func TestRunsAtEachStart(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := &failingJobs{JobStore: jobcenter.NewMemoryStore(0)}
		store.left.Store(3)
		opts := jobcenter.Options{Store: store}
		b := start(t, opts, nothing)
		synctest.Wait()
		job := b.add(jobcenter.Job{ID: "boot", Trigger: reboot(t)})
		b.add(jobcenter.Job{ID: "off", Trigger: reboot(t), Paused: true})
		b.add(jobcenter.Job{ID: "other", Trigger: interval(t, 25*time.Hour)})
		if job.State() != jobcenter.JobActive || !job.NextFireTime.Equal(jobcenter.AtStart()) {
			t.Errorf("the job is %s, next fire time %v", job.State(), job.NextFireTime)
		}
		time.Sleep(24 * time.Hour)
		if runs := b.runs("boot"); len(runs) != 0 {
			t.Errorf("ran without a start: %+v", runs)
		}
		b.stop()
		for n := 1; n <= 2; n++ {
			store.left.Store(3)
			time.Sleep(time.Minute)
			began := time.Now()
			b = start(t, opts, nothing)
			time.Sleep(time.Minute)
			runs := b.runs("boot")
			if len(runs) != n {
				t.Fatalf("%d rows after %d starts", len(runs), n)
			}
			last := runs[n-1]
			if last.State != jobcenter.RunSucceeded || last.Origin != jobcenter.OriginSchedule || !last.FireTime.Equal(began) {
				t.Errorf("start %d: %+v", n, last)
			}
			b.stop()
		}
		if runs := b.runs("off"); len(runs) != 0 {
			t.Errorf("the paused job ran: %+v", runs)
		}
		again, err := b.Modify(t.Context(), "boot", func(job *jobcenter.Job) error { job.Name = "Boot"; return nil })
		if err != nil || !again.NextFireTime.Equal(jobcenter.AtStart()) || again.Version != 2 {
			t.Errorf("after a change: %+v, %v", again, err)
		}
	})
}

func TestRunsAtStartOnlyWhereThereIsRoom(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		opts := jobcenter.Options{Store: jobcenter.NewMemoryStore(0)}
		busy, err := jobcenter.New(jobcenter.Options{Store: opts.Store, Tasks: map[string]jobcenter.Task{"work": jobcenter.TaskFunc(nothing)}})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := busy.Add(t.Context(), jobcenter.Job{ID: "boot", Task: "work", Trigger: reboot(t)}); err != nil {
			t.Fatal(err)
		}
		if _, err := busy.RunNow(t.Context(), "boot", jobcenter.StartOptions{Origin: jobcenter.OriginManual}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		b := start(t, opts, func(ctx context.Context, _ *jobcenter.RunContext) error { <-ctx.Done(); return nil })
		time.Sleep(time.Second)
		runs := b.runs("boot")
		if len(runs) != 2 || runs[1].State != jobcenter.RunSkipped || runs[1].Reason != jobcenter.ReasonOverlap {
			t.Errorf("rows: %+v", runs)
		}
	})
}

// TestRunsAtStartAfterACrash: the run that died with the process does not keep
// the next start from running the job, even if it takes long to be ended.
func TestRunsAtStartAfterACrash(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := jobcenter.NewMemoryStore(0)
		tasks := map[string]jobcenter.Task{"work": endsSlowly{}}
		dead, err := jobcenter.New(jobcenter.Options{Store: store, Tasks: tasks})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := dead.Add(t.Context(), jobcenter.Job{ID: "boot", Task: "work", Trigger: reboot(t)}); err != nil {
			t.Fatal(err)
		}
		_, err = store.UpdateJob(t.Context(), "boot", func(job jobcenter.Job, _ jobcenter.Active) (jobcenter.Job, []jobcenter.Run, error) {
			return job, []jobcenter.Run{{
				ID: "died", JobID: "boot", JobVersion: 1, FireTime: time.Now(), LastFireTime: time.Now(), FireCount: 1,
				Origin: jobcenter.OriginSchedule, State: jobcenter.RunRunning, Attempt: 1, Node: "n", Executor: jobcenter.DefaultExecutor,
			}}, nil
		})
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		sched, err := jobcenter.New(jobcenter.Options{Store: store, Node: "n", Tasks: tasks})
		if err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithTimeout(t.Context(), time.Minute)
		defer stop()
		if err := sched.Run(ctx); err != nil {
			t.Fatal(err)
		}
		b := &bench{Scheduler: sched, t: t}
		runs := b.runs("boot")
		if len(runs) != 2 || runs[0].State != jobcenter.RunLost || runs[1].State != jobcenter.RunSucceeded {
			t.Errorf("rows: %+v", runs)
		}
	})
}

// endsSlowly is a task that does nothing and whose dead runs take long to end.
type endsSlowly struct{}

func (endsSlowly) Run(context.Context, *jobcenter.RunContext) error { return nil }

func (endsSlowly) Recover(context.Context, jobcenter.Run) (string, error) {
	time.Sleep(10 * time.Second)
	return "", nil
}

// TestSpreadAndJitterAreTheJobs wants the fire times that the id chooses to be
// those that the engine keeps, and a phase to survive a change of the job.
func TestSpreadAndJitterAreTheJobs(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := start(t, leisurely(), nothing)
		hashed, err := trigger.ParseText(`crontab "H H * * *"`, nil)
		if err != nil {
			t.Fatal(err)
		}
		late, err := trigger.ParseText(`cron minute=0 jitter=10m`, nil)
		if err != nil {
			t.Fatal(err)
		}
		from := time.Now()
		for _, trig := range []trigger.Trigger{hashed, late} {
			different := map[time.Duration]bool{}
			for _, letter := range []string{"a", "b", "c", "d", "e"} {
				id := letter + "-" + trigger.Type(trig)
				job := b.add(jobcenter.Job{ID: id, Trigger: trig})
				want, _ := trigger.ForJob(trig, id).Next(from)
				if !job.NextFireTime.Equal(want) {
					t.Errorf("%s: next fire time %v, want %v", id, job.NextFireTime, want)
				}
				different[want.Sub(from)] = true
			}
			if len(different) < 3 {
				t.Errorf("%v: five jobs fire at %d times", trig, len(different))
			}
		}
		time.Sleep(50 * time.Hour)
		jobs, err := b.Store().Jobs(t.Context(), jobcenter.JobQuery{})
		if err != nil || len(jobs.Jobs) != 10 {
			t.Fatalf("%d jobs, %v", len(jobs.Jobs), err)
		}
		for _, job := range jobs.Jobs {
			trig, at := trigger.ForJob(job.Trigger, job.ID), from
			runs := b.runs(job.ID)
			if len(runs) < 2 {
				t.Fatalf("%s: %d rows", job.ID, len(runs))
			}
			for _, run := range runs {
				at, _ = trig.Next(at)
				if !run.FireTime.Equal(at) || run.State != jobcenter.RunSucceeded {
					t.Errorf("%s: row at %v (%s), want %v", job.ID, run.FireTime, run.State, at)
				}
			}
		}
	})
}
