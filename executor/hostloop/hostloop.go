// Package hostloop is an executor for programs that have a loop of their own:
// a user interface, a game, a framework with one thread for everything. It
// hands each run's task to that loop, so that the task may touch what belongs
// to the loop.
//
//	ui, err := hostloop.New(window.RunOnMain, hostloop.Options{})
//	…
//	sched, err := jobcenter.New(jobcenter.Options{Executors: map[string]jobcenter.Executor{"ui": ui}})
//
// The loop stands still while a task runs on it, writing to the run's output
// included: what takes long belongs into another executor.
package hostloop

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"sync/atomic"

	"github.com/jobcenter-go/jobcenter"
)

// DefaultSize is how many runs are handed to the loop at once, unless
// Options.Size says otherwise. A loop does one thing at a time: a second run
// would only wait there, while its time limit runs, instead of in the store.
const DefaultSize = 1

// Options are what an Executor is made of. The zero value is sound.
type Options struct {
	// Size is how many runs may be with the loop at once, waiting or carried
	// out. Zero means DefaultSize.
	Size int
}

// Executor is a jobcenter.Runner that carries out tasks on the program's own
// loop. Its methods are safe for concurrent use.
type Executor struct {
	*places

	post func(func())
}

// places is a name under which the pool is no exported field.
type places = jobcenter.Pool

var _ jobcenter.Runner = (*Executor)(nil)

// New makes an executor. post arranges that a function is called once, soon,
// on the loop; it is called from other goroutines than the loop's, many at
// once, and may block or call the function itself. It fails if post is nil or
// an option is out of range.
func New(post func(func()), opts Options) (*Executor, error) {
	if post == nil {
		return nil, errors.New("hostloop: post is nil")
	}
	pool, err := jobcenter.NewPool(cmp.Or(opts.Size, DefaultSize))
	if err != nil {
		return nil, fmt.Errorf("hostloop: %w", err)
	}
	return &Executor{pool, post}, nil
}

// RunTask hands the task to the loop and waits until it has returned. A panic
// of the task is caught and returned as a *jobcenter.PanicError, its stack
// goes to the run's Stderr.
//
// When ctx ends before the loop has come to the task, RunTask returns the
// cause at once, and the task is not run any more: a loop that has stopped, or
// a post that blocks, holds nobody up for longer than that. A post that
// panics, as a send to a closed channel does, is a *jobcenter.StartError.
func (e *Executor) RunTask(ctx context.Context, task jobcenter.Task, run *jobcenter.RunContext) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	// Whoever takes it first decides: the loop that the task is run, we that
	// it is not.
	var taken atomic.Bool
	ended := make(chan outcome, 1)
	refused := make(chan error, 1)
	// Not waited for: where the loop has stopped it may never return.
	go func() {
		defer func() {
			if p := recover(); p != nil {
				refused <- &jobcenter.StartError{Err: fmt.Errorf("hand it to the loop: panic: %v", p)}
			}
		}()
		e.post(func() {
			if ctx.Err() == nil && taken.CompareAndSwap(false, true) {
				carryOut(ctx, task, run, ended)
			}
		})
	}()
	var err error // if it is not run
	select {
	case o := <-ended:
		return o.report(run)
	case err = <-refused:
	case <-ctx.Done():
		err = context.Cause(ctx)
	}
	if taken.CompareAndSwap(false, true) {
		return err
	}
	o := <-ended
	return o.report(run)
}

// outcome is how a task ended.
type outcome struct {
	err   error
	stack []byte // of a panic
}

// report returns the error and writes what goes with it, which may block and
// is therefore not for the loop to do.
func (o outcome) report(run *jobcenter.RunContext) error {
	if o.stack != nil && run.Stderr != nil {
		fmt.Fprintf(run.Stderr, "%v\n\n%s", o.err, o.stack)
	}
	return o.err
}

// carryOut runs the task and tells how it ended, whatever becomes of the
// goroutine.
func carryOut(ctx context.Context, task jobcenter.Task, run *jobcenter.RunContext, ended chan<- outcome) {
	o := outcome{err: errors.New("the task ended its goroutine instead of returning")}
	defer func() {
		if p := recover(); p != nil {
			o = outcome{&jobcenter.PanicError{Value: p}, debug.Stack()}
		}
		ended <- o
	}()
	o.err = task.Run(ctx, run)
}
