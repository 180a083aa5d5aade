// Package executortest holds the suites that every executor passes: each
// promise in the comments of jobcenter.Executor and jobcenter.Runner, tried on
// a real one.
//
//	func TestExecutor(t *testing.T) {
//		open := func(t *testing.T) jobcenter.Runner { return openMine(t) }
//		executortest.Run(t, func(t *testing.T) jobcenter.Executor { return open(t) }, executortest.Options{})
//		executortest.RunRunner(t, open)
//	}
//
// The tasks of the second suite are those of [Tasks]. An executor that looks
// tasks up by name, in another process for instance, must know them there.
// Both suites are worth most under the race detector.
package executortest

import (
	"math"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jobcenter-go/jobcenter"
)

// Options say what an executor promises beyond, or short of, others.
type Options struct {
	// Waits is for an executor whose Execute returns only when work has.
	Waits bool
}

// start executes work.
func start(executor jobcenter.Executor, work func()) { executor.Execute(work, func() {}) }

// Run runs the suite for places and work. open returns a new executor, whose
// places are free; it has at least one, and a limit.
func Run(t *testing.T, open func(t *testing.T) jobcenter.Executor, opts Options) {
	t.Helper()
	t.Run("places", func(t *testing.T) {
		t.Parallel()
		executor := open(t)
		size := executor.Reserve(math.MaxInt)
		if size < 1 {
			t.Fatalf("Reserve gave %d places of an executor that is free", size)
		}
		if got := executor.Reserve(1); got != 0 {
			t.Errorf("Reserve gave %d more than all %d places", got, size)
		}
		executor.Release(size)
		if got := executor.Reserve(1); got != 1 {
			t.Errorf("Reserve(1) = %d after all were released", got)
		}
		if got := executor.Reserve(size); got != size-1 {
			t.Errorf("Reserve gave %d of the other %d places", got, size-1)
		}
		executor.Release(size)
	})
	t.Run("no places", func(t *testing.T) {
		t.Parallel()
		executor := open(t)
		for _, n := range []int{0, -1, math.MinInt} {
			if got := executor.Reserve(n); got != 0 {
				t.Errorf("Reserve(%d) = %d", n, got)
			}
		}
		size := executor.Reserve(math.MaxInt)
		executor.Release(0)
		if got := executor.Reserve(1); got != 0 {
			t.Errorf("Release(0) freed %d places", got)
		}
		executor.Release(size)
	})
	t.Run("work has the place", func(t *testing.T) {
		t.Parallel()
		executor := open(t)
		size := executor.Reserve(math.MaxInt)
		executor.Release(size - 1)
		begun, end := make(chan struct{}), make(chan struct{})
		execute(executor, opts, func() {
			close(begun)
			<-end
		})
		wait(t, "the work has begun", begun)
		if got := executor.Reserve(math.MaxInt); got != size-1 {
			t.Errorf("%d places are free while one of %d is in use", got, size)
		}
		executor.Release(size - 1)
		close(end)
		becomesFree(t, executor, size)
	})
	t.Run("all at once", func(t *testing.T) {
		t.Parallel()
		executor := open(t)
		size := executor.Reserve(math.MaxInt)
		var begun sync.WaitGroup
		begun.Add(size)
		together := make(chan struct{})
		for range size {
			execute(executor, opts, func() {
				begun.Done()
				<-together
			})
		}
		all := make(chan struct{})
		go func() {
			begun.Wait()
			close(all)
		}()
		wait(t, "all places are at work together", all)
		close(together)
		becomesFree(t, executor, size)
	})
	t.Run("freed is called when the place is free", func(t *testing.T) {
		t.Parallel()
		executor := open(t)
		size := executor.Reserve(math.MaxInt)
		free := make(chan int, 1)
		go executor.Execute(func() {}, func() { free <- executor.Reserve(math.MaxInt) })
		if got := <-free; got != 1 {
			t.Errorf("%d places are free when freed is called, want the one", got)
		}
		executor.Release(size)
	})
	t.Run("execute does not wait", func(t *testing.T) {
		t.Parallel()
		executor := open(t)
		executor.Reserve(1)
		returned, ended := make(chan struct{}), make(chan struct{})
		if opts.Waits {
			start(executor, func() { close(ended) })
			select {
			case <-ended:
			default:
				t.Error("Execute returned before the work")
			}
			return
		}
		go func() {
			start(executor, func() {
				<-returned
				close(ended)
			})
			close(returned)
		}()
		wait(t, "the work, which waits for Execute, has ended", ended)
	})
	t.Run("lost goroutine", func(t *testing.T) {
		t.Parallel()
		executor := open(t)
		size := executor.Reserve(math.MaxInt)
		executor.Release(size - 1)
		go start(executor, func() { runtime.Goexit() }) // as t.FailNow does
		becomesFree(t, executor, size)
	})
	t.Run("never more than places", func(t *testing.T) {
		t.Parallel()
		executor := open(t)
		size := executor.Reserve(math.MaxInt)
		executor.Release(size)
		const schedulers, each = 8, 100
		var at, done atomic.Int64
		var all sync.WaitGroup
		for range schedulers {
			all.Go(func() {
				for left := each; left > 0; {
					got := executor.Reserve(left)
					use := (got + 1) / 2 // and the others are returned
					for range use {
						start(executor, func() {
							now := at.Add(1)
							if now > int64(size) {
								t.Errorf("%d works go on at once in %d places", now, size)
							}
							runtime.Gosched()
							at.Add(-1)
							done.Add(1)
						})
					}
					executor.Release(got - use)
					left -= use
					runtime.Gosched()
				}
			})
		}
		all.Wait()
		becomesFree(t, executor, size)
		if got := done.Load(); got != schedulers*each {
			t.Errorf("%d works were carried out, want %d", got, schedulers*each)
		}
	})
}

// execute executes work that waits for the test to go on.
func execute(executor jobcenter.Executor, opts Options, work func()) {
	if opts.Waits {
		go start(executor, work)
		return
	}
	start(executor, work)
}

// patience is how long the suites wait for what must happen soon.
const patience = time.Minute

func wait(t *testing.T, what string, done <-chan struct{}) {
	t.Helper()
	select {
	case <-done:
	case <-time.After(patience):
		t.Fatalf("not within %s: %s", patience, what)
	}
}

// becomesFree waits until all places are free, and takes them.
func becomesFree(t *testing.T, executor jobcenter.Executor, size int) {
	t.Helper()
	late := time.After(patience)
	tick := time.NewTicker(time.Millisecond) // a place that becomes free tells nobody
	defer tick.Stop()
	for taken := 0; ; {
		taken += executor.Reserve(math.MaxInt)
		switch {
		case taken == size:
			return
		case taken > size:
			t.Fatalf("%d of %d places are free", taken, size)
		}
		select {
		case <-tick.C:
		case <-late:
			t.Fatalf("%d of %d places were not free within %s", size-taken, size, patience)
		}
	}
}
