//go:build unix

package process

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	ossignal "os/signal"
	"runtime/debug"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/jobcenter-go/jobcenter"
)

// Main carries out the run of a child of a pool and exits; in any other
// process it returns at once. Call it at the very start of main, and of
// TestMain, with all the tasks that jobs of the pool name.
func Main(tasks map[string]jobcenter.Task) {
	if os.Getenv(childVariable) == "" {
		return
	}
	if err := serve(tasks); err != nil {
		fmt.Fprintf(os.Stderr, "process: %s is set, but this is no child of a pool, or its program has gone: %v\n", childVariable, err)
		os.Exit(1)
	}
	os.Exit(0)
}

// child is this process, as a child of a pool.
type child struct {
	run    *jobcenter.RunContext
	cancel context.CancelCauseFunc

	mu      sync.Mutex
	reports *json.Encoder
}

func serve(tasks map[string]jobcenter.Task) error {
	terms := make(chan os.Signal, 1)
	ossignal.Notify(terms, syscall.SIGTERM) // before the parent hears of us and could send it
	// What the task starts is no child of a pool, and has none of our files.
	if err := os.Unsetenv(childVariable); err != nil {
		return err
	}
	for fd := ordersFile; fd <= crashFile; fd++ {
		syscall.CloseOnExec(fd)
	}
	crash := os.NewFile(crashFile, "crash")
	if err := debug.SetCrashOutput(crash, debug.CrashOptions{}); err != nil {
		return err
	}
	if err := crash.Close(); err != nil { // it has been duplicated
		return err
	}
	c := &child{reports: json.NewEncoder(os.NewFile(reportsFile, "reports"))}
	if err := c.reports.Encode(report{}); err != nil {
		return err
	}
	orders := json.NewDecoder(os.NewFile(ordersFile, "orders"))
	var request request
	if err := orders.Decode(&request); err != nil {
		return err
	}
	c.run = request.runContext()
	c.run.Stdout, c.run.Stderr = os.Stdout, os.Stderr
	c.run.WatchOutcome(func() { _ = c.report(nil, false) }) // if it is lost, so is the parent
	var ctx context.Context
	ctx, c.cancel = context.WithCancelCause(context.Background())
	defer c.cancel(nil)
	if !request.Deadline.IsZero() {
		ctx = deadline{ctx, request.Deadline}
	}
	go c.obey(orders)
	go c.heed(ctx, terms)
	return c.report(c.carryOut(ctx, tasks[request.Job.Task]), true)
}

// obey ends the task's context for the cause that the parent sends, and this
// process group when the parent has died. (The signal that Linux can send at
// the death of a parent would end this process only, and comes when a thread
// of the parent ends.)
func (c *child) obey(orders *json.Decoder) {
	for {
		var why failure
		if err := orders.Decode(&why); err != nil {
			if own := os.Getpid(); unix.Getpgrp() == own {
				_ = unix.Kill(-own, unix.SIGKILL)
			}
			os.Exit(1)
		}
		c.cancel(why.unpack())
	}
}

// foreignTerm is how long after a SIGTERM it is clear that it was not sent by
// the parent, which says why before it sends one.
const foreignTerm = time.Second

// heed ends the task's context when somebody else than the parent sends a
// SIGTERM.
func (c *child) heed(ctx context.Context, terms <-chan os.Signal) {
	<-terms
	select {
	case <-ctx.Done():
	case <-time.After(foreignTerm):
		c.cancel(&jobcenter.SignalError{Number: int(unix.SIGTERM), Name: unix.SignalName(unix.SIGTERM)})
	}
}

// report tells the parent how far the run has come.
func (c *child) report(err error, returned bool) error {
	r := report{Returned: returned, Error: pack(err)}
	c.mu.Lock()
	defer c.mu.Unlock()
	r.ExitCode, r.Result, r.Carried = c.run.Outcome()
	return c.reports.Encode(r)
}

// carryOut runs the task and returns its error, whatever becomes of its
// goroutine.
func (c *child) carryOut(ctx context.Context, task jobcenter.Task) error {
	if task == nil {
		return &jobcenter.StartError{Err: fmt.Errorf("task %q is not among those that the program gives to process.Main", c.run.Job.Task)}
	}
	ended := make(chan error, 1)
	go func() {
		err := errors.New("the task ended its goroutine instead of returning")
		defer func() {
			if p := recover(); p != nil {
				err = &jobcenter.PanicError{Value: p}
				_, _ = io.WriteString(os.Stderr, fmt.Sprintf("%v\n\n%s", err, debug.Stack()))
			}
			ended <- err
		}()
		err = task.Run(ctx, c.run)
	}()
	return <-ended
}

// deadline is a context that tells when the parent will end it. This process
// leaves that to the parent, which knows the cause.
type deadline struct {
	context.Context //nolint:containedctx // it is one

	at time.Time
}

// Deadline implements context.Context.
func (d deadline) Deadline() (time.Time, bool) { return d.at, true }
