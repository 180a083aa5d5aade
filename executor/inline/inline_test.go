package inline_test

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jobcenter-go/jobcenter"
	"github.com/jobcenter-go/jobcenter/executor/executortest"
	"github.com/jobcenter-go/jobcenter/executor/inline"
	"github.com/jobcenter-go/jobcenter/trigger"
)

func TestSuite(t *testing.T) {
	t.Parallel()
	executortest.Run(t, func(*testing.T) jobcenter.Executor { return new(inline.Executor) }, executortest.Options{Waits: true})
}

// The caller of Execute sees the panic, as it would see that of a call of its own.
func TestPanicGoesOnToTheCaller(t *testing.T) {
	t.Parallel()
	var executor inline.Executor
	executor.Reserve(1)
	func() {
		defer func() {
			if p := recover(); fmt.Sprint(p) != "boom" {
				t.Errorf("recovered %v, want boom", p)
			}
		}()
		executor.Execute(func() { panic("boom") }, func() {})
	}()
	if got := executor.Reserve(1); got != 1 {
		t.Error("the place is not free after the panic")
	}
}

// A time limit ends the run that the scheduler is waiting for, and the other
// one follows.
func TestTimeLimit(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		sched, err := jobcenter.New(jobcenter.Options{
			Tasks: map[string]jobcenter.Task{"wait": jobcenter.TaskFunc(func(ctx context.Context, _ *jobcenter.RunContext) error {
				<-ctx.Done()
				return context.Cause(ctx)
			})},
			Executors: map[string]jobcenter.Executor{jobcenter.DefaultExecutor: new(inline.Executor)},
		})
		if err != nil {
			t.Fatal(err)
		}
		daily, err := trigger.Every(24 * time.Hour)
		if err != nil {
			t.Fatal(err)
		}
		if err := sched.Start(); err != nil {
			t.Fatal(err)
		}
		var ids []string
		for _, name := range []string{"first", "second"} {
			if _, err := sched.Add(t.Context(), jobcenter.Job{ID: name, Task: "wait", Trigger: daily, Timeout: time.Minute}); err != nil {
				t.Fatal(err)
			}
			run, err := sched.RunNow(t.Context(), name, jobcenter.StartOptions{})
			if err != nil {
				t.Fatal(err)
			}
			ids = append(ids, run.ID)
		}
		<-time.After(3 * time.Minute)
		synctest.Wait()
		if err := sched.Shutdown(t.Context()); err != nil {
			t.Fatal(err)
		}
		var started []time.Time
		for _, id := range ids {
			run, err := sched.Store().Run(t.Context(), id)
			if err != nil {
				t.Fatal(err)
			}
			if run.State != jobcenter.RunTimedOut {
				t.Errorf("%s is %s: %s, want timed out", run.JobID, run.State, run.Message)
			}
			started = append(started, run.StartedAt)
		}
		if apart := started[1].Sub(started[0]).Abs(); apart < time.Minute {
			t.Errorf("the runs started %s apart, and each took a minute", apart)
		}
	})
}
