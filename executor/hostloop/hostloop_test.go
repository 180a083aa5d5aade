package hostloop_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jobcenter-go/jobcenter"
	"github.com/jobcenter-go/jobcenter/executor/executortest"
	"github.com/jobcenter-go/jobcenter/executor/hostloop"
)

// startLoop starts a loop that ends with the test, and returns its post.
func startLoop(t *testing.T) func(func()) {
	t.Helper()
	calls := make(chan func())
	var loops sync.WaitGroup
	var serve func()
	serve = func() {
		whole := false
		defer func() {
			if !whole { // a task has ended the loop's goroutine
				loops.Go(serve)
			}
		}()
		for call := range calls {
			call()
		}
		whole = true
	}
	loops.Go(serve)
	t.Cleanup(func() {
		close(calls)
		loops.Wait()
	})
	return func(f func()) { calls <- f }
}

func newExecutor(t *testing.T, post func(func()), size int) *hostloop.Executor {
	t.Helper()
	executor, err := hostloop.New(post, hostloop.Options{Size: size})
	if err != nil {
		t.Fatal(err)
	}
	return executor
}

func TestSuite(t *testing.T) {
	t.Parallel()
	for name, size := range map[string]int{"default size": 0, "several places": 4} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			open := func(t *testing.T) jobcenter.Runner {
				t.Helper()
				return newExecutor(t, startLoop(t), size)
			}
			executortest.Run(t, func(t *testing.T) jobcenter.Executor {
				t.Helper()
				return open(t)
			}, executortest.Options{})
			executortest.RunRunner(t, open)
		})
	}
}

func TestOptions(t *testing.T) {
	t.Parallel()
	if _, err := hostloop.New(nil, hostloop.Options{}); err == nil {
		t.Error("a post that is nil was taken")
	}
	if _, err := hostloop.New(func(func()) {}, hostloop.Options{Size: -1}); err == nil {
		t.Error("a negative size was taken")
	}
}

func nothing(context.Context, *jobcenter.RunContext) error { return nil }

func newRun() *jobcenter.RunContext {
	return &jobcenter.RunContext{Stdout: io.Discard, Stderr: io.Discard}
}

// However post fails to get the task onto the loop, the end of the context
// gives the run back.
func TestLoopThatHasStopped(t *testing.T) {
	t.Parallel()
	for name, post := range map[string]func(func()){
		"forgets": func(func()) {},
		"blocks":  func(f func()) { make(chan func()) <- f },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			called := make(chan struct{})
			executor := newExecutor(t, func(f func()) {
				close(called)
				post(f)
			}, 0)
			ctx, cancel := context.WithCancelCause(t.Context())
			returned := make(chan error, 1)
			task := jobcenter.TaskFunc(func(context.Context, *jobcenter.RunContext) error {
				t.Error("the task has been run")
				return nil
			})
			go func() { returned <- executor.RunTask(ctx, task, newRun()) }()
			<-called
			cancel(jobcenter.ErrShutdown)
			if err := <-returned; !errors.Is(err, jobcenter.ErrShutdown) {
				t.Errorf("error = %v, want %v", err, jobcenter.ErrShutdown)
			}
		})
	}
}

// A loop that comes to the task when its context has ended leaves it alone.
func TestLoopThatIsLate(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		posted := make(chan func(), 1)
		executor := newExecutor(t, func(f func()) { posted <- f }, 0)
		ctx, cancel := context.WithTimeoutCause(t.Context(), time.Second, jobcenter.ErrTimeout)
		defer cancel()
		task := jobcenter.TaskFunc(func(context.Context, *jobcenter.RunContext) error {
			t.Error("the task has been run")
			return nil
		})
		if err := executor.RunTask(ctx, task, newRun()); !errors.Is(err, jobcenter.ErrTimeout) {
			t.Errorf("error = %v, want %v", err, jobcenter.ErrTimeout)
		}
		(<-posted)()
	})
}

// Nor does one that comes to it at that very moment.
func TestLoopThatIsJustTooLate(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancelCause(t.Context())
	executor := newExecutor(t, func(f func()) {
		cancel(jobcenter.ErrStopped)
		f()
	}, 0)
	task := jobcenter.TaskFunc(func(context.Context, *jobcenter.RunContext) error {
		t.Error("the task has been run")
		return nil
	})
	if err := executor.RunTask(ctx, task, newRun()); !errors.Is(err, jobcenter.ErrStopped) {
		t.Errorf("error = %v, want %v", err, jobcenter.ErrStopped)
	}
}

// The task that the loop is carrying out is waited for.
func TestNotBeforeTheTaskHasReturned(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		executor := newExecutor(t, func(f func()) { f() }, 0)
		ctx, cancel := context.WithTimeoutCause(t.Context(), time.Second, jobcenter.ErrTimeout)
		defer cancel()
		began := time.Now()
		task := jobcenter.TaskFunc(func(ctx context.Context, _ *jobcenter.RunContext) error {
			<-ctx.Done()
			<-time.After(time.Second) // to put things in order
			return nil
		})
		if err := executor.RunTask(ctx, task, newRun()); err != nil {
			t.Errorf("error = %v, want what the task returned", err)
		}
		if took := time.Since(began); took != 2*time.Second {
			t.Errorf("RunTask returned after %s, the task after 2s", took)
		}
	})
}

func TestPostThatPanics(t *testing.T) {
	t.Parallel()
	closed := make(chan func())
	close(closed)
	executor := newExecutor(t, func(f func()) { closed <- f }, 0)
	err := executor.RunTask(t.Context(), jobcenter.TaskFunc(nothing), newRun())
	if _, ok := errors.AsType[*jobcenter.StartError](err); !ok || !strings.Contains(fmt.Sprint(err), "send on closed channel") {
		t.Errorf("error = %v, want a StartError about the closed channel", err)
	}
	// One that panics after it has handed the task over changes nothing.
	executor = newExecutor(t, func(f func()) {
		f()
		panic("too late")
	}, 0)
	if err := executor.RunTask(t.Context(), jobcenter.TaskFunc(nothing), newRun()); err != nil {
		t.Errorf("error = %v, though the task has been run", err)
	}
}

// A post that calls what it is given twice has the task run once.
func TestPostedTwice(t *testing.T) {
	t.Parallel()
	again := make(chan struct{})
	executor := newExecutor(t, func(f func()) {
		f()
		f()
		close(again)
	}, 0)
	runs := 0
	task := jobcenter.TaskFunc(func(context.Context, *jobcenter.RunContext) error {
		runs++
		return nil
	})
	if err := executor.RunTask(t.Context(), task, newRun()); err != nil {
		t.Fatal(err)
	}
	if <-again; runs != 1 {
		t.Errorf("the task has been run %d times", runs)
	}
}
