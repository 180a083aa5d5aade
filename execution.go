package jobcenter

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"time"
)

// The causes with which a run's context ends; see context.Cause.
var (
	ErrTimeout  = errors.New("time limit reached")
	ErrStopped  = errors.New("stopped")
	ErrShutdown = errors.New("interrupted: the scheduler was shut down")
)

// execution is an attempt at a run that goes on in this process.
type execution struct {
	run    Run
	output *output
	cancel context.CancelCauseFunc
}

// execute carries out a run that this node holds. The place in its executor
// is reserved; it is free again once the store has the run's end.
func (s *Scheduler) execute(lasting context.Context, runs *sync.WaitGroup, job Job, run Run) {
	ctx, cancel := context.WithCancelCause(lasting)
	e := &execution{run: run, cancel: cancel}
	e.output = newOutput(&run, s.opts.OutputLimit, func(urgent bool) { s.recorder.touch(e.output, urgent) })
	s.mu.Lock()
	s.running[run.ID] = e
	s.mu.Unlock()
	s.notify([]string{run.ID})
	runs.Add(1)
	s.opts.Executors[run.Executor].Execute(func() {
		defer runs.Done()
		defer cancel(nil)
		end := s.attempt(ctx, job, run, e.output)
		select {
		case <-s.recorder.end(end, e.output):
		case <-lasting.Done(): // given up by drain
		}
		s.mu.Lock()
		delete(s.running, run.ID)
		backlog := s.backlog
		s.mu.Unlock()
		if backlog {
			defer s.signal()
		}
	})
}

// attempt runs the task and returns the run with its end.
func (s *Scheduler) attempt(ctx context.Context, job Job, run Run, out *output) Run {
	if job.Timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, job.Timeout, ErrTimeout)
		defer cancel()
	}
	run.StartedAt = time.Now()
	rc := &RunContext{
		Job: job, Run: run,
		Stdout: stream{out, Stdout}, Stderr: stream{out, Stderr},
	}
	err := s.call(ctx, s.opts.Tasks[job.Task], rc)
	run.EndedAt = time.Now()
	run.ExitCode = rc.exitCode
	conclude(&run, err, context.Cause(ctx))
	return run
}

// panicError is what a task's panic becomes.
type panicError struct{ value any }

func (e *panicError) Error() string { return fmt.Sprintf("panic: %v", e.value) }

func (s *Scheduler) call(ctx context.Context, task Task, rc *RunContext) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = &panicError{p}
			s.log.LogAttrs(ctx, slog.LevelError, "task panicked", slog.String("job", rc.Job.ID),
				slog.String("run", rc.Run.ID), slog.Any("error", err), slog.String("stack", string(debug.Stack())))
		}
	}()
	return task.Run(ctx, rc)
}

// conclude gives a run the state that the task's error, or the cause with
// which its context ended, stands for.
func conclude(run *Run, err, cause error) {
	var (
		panicked *panicError
		exit     *ExitError
		signal   *SignalError
		start    *StartError
	)
	switch {
	case errors.As(err, &exit):
		run.ExitCode = &exit.Code
	case errors.As(err, &signal):
		code := 128 + signal.Number
		run.ExitCode = &code
	}
	switch {
	case errors.As(err, &panicked):
		run.State, run.Reason = RunFailed, ReasonPanic
	case err == nil:
		run.State = RunSucceeded // even if it was to be ended meanwhile
		return
	case errors.Is(cause, ErrTimeout):
		run.State, run.Reason = RunTimedOut, ReasonTimeout
	case errors.Is(cause, ErrStopped):
		run.State, run.Reason = RunStopped, ReasonStop
	case cause != nil:
		run.State, run.Reason = RunStopped, ReasonShutdown
	case exit != nil:
		run.State, run.Reason = RunFailed, ReasonExitCode
	case signal != nil:
		run.State, run.Reason = RunFailed, ReasonSignal
	case errors.As(err, &start):
		run.State, run.Reason = RunFailed, ReasonStartFailed
	default:
		run.State, run.Reason = RunFailed, ReasonError
	}
	run.Message = message(err.Error())
}

// message makes a text fit to be kept with a run: valid UTF-8, no NUL, and
// no more than 4 KiB.
func message(text string) string {
	const limit = 4 << 10
	if len(text) > limit {
		text = text[:limit] + "…"
	}
	return strings.ReplaceAll(strings.ToValidUTF8(text, "\uFFFD"), "\x00", "\uFFFD")
}

// abandonAfter is how long cancelled runs get to return at a shutdown.
const abandonAfter = 30 * time.Second

// drain waits for the runs that go on: first as they are, then cancelled,
// and at last gives up those whose task does not return.
func (s *Scheduler) drain(ctx context.Context, runs *sync.WaitGroup) {
	done := make(chan struct{})
	go func() {
		runs.Wait()
		close(done)
	}()
	if s.opts.StopGrace > 0 && waitFor(done, s.opts.StopGrace) {
		return
	}
	s.mu.Lock()
	for _, e := range s.running {
		e.cancel(ErrShutdown)
	}
	s.mu.Unlock()
	if waitFor(done, abandonAfter) {
		return
	}
	s.mu.Lock()
	abandoned := slices.Collect(maps.Values(s.running))
	s.mu.Unlock()
	for _, e := range abandoned {
		s.log.LogAttrs(ctx, slog.LevelError, "task does not return", slog.String("job", e.run.JobID), slog.String("run", e.run.ID))
		end := e.run
		end.State, end.Reason, end.EndedAt = RunStopped, ReasonShutdown, time.Now()
		end.Message = fmt.Sprintf("interrupted: the task did not return within %s after the scheduler was shut down", abandonAfter)
		waitFor(s.recorder.end(end, e.output), time.Second)
	}
}

// waitFor reports whether done was closed within the time.
func waitFor(done <-chan struct{}, limit time.Duration) bool {
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case <-done:
		return true
	case <-timer.C:
		return false
	}
}

// StopRun ends a queued or running run of this scheduler. It returns at
// once; the run is recorded as stopped, by the actor named, when its task has
// returned. ErrRunNotFound, ErrNotRunning.
func (s *Scheduler) StopRun(ctx context.Context, runID, actor string) error {
	cause := ErrStopped
	if actor != "" {
		cause = fmt.Errorf("%w by %s", ErrStopped, actor)
	}
	// A queued run may begin, and a claimed one may not be noted yet, while
	// this looks at it; so look again.
	ended := false // by this call
	for wait := time.Millisecond; ; wait *= 2 {
		s.mu.Lock()
		e := s.running[runID]
		s.mu.Unlock()
		if e != nil {
			e.cancel(cause)
			return nil
		}
		run, err := s.store.Run(ctx, runID)
		if err != nil {
			return err
		}
		switch {
		case ended && run.State == RunStopped:
			return nil
		case run.State.Final(), wait > 100*time.Millisecond:
			return fmt.Errorf("jobcenter: stop run %q: %w: it is %s on node %q", runID, ErrNotRunning, run.State, run.Node)
		case run.State == RunQueued:
			run.State, run.Reason, run.EndedAt, run.Message = RunStopped, ReasonStop, time.Now(), cause.Error()
			if err := s.store.Record(ctx, Records{Ends: []Run{run}}); err != nil {
				return err
			}
			ended = true
			s.notify([]string{runID})
		default:
			waitFor(ctx.Done(), wait)
		}
	}
}

// watch is the channel that the watchers of one run share.
type watch struct {
	changed chan struct{}
	count   int
}

// WatchRun returns a channel that is closed at the next change of a run's
// state or output that the store has, and a function that ends the watch. It
// sees the runs of this scheduler only. Read the store after calling it, or a
// change in between goes unseen.
func (s *Scheduler) WatchRun(runID string) (changed <-chan struct{}, cancel func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	w := s.watchers[runID]
	if w == nil {
		w = &watch{changed: make(chan struct{})}
		s.watchers[runID] = w
	}
	w.count++
	return w.changed, sync.OnceFunc(func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if w.count--; w.count == 0 && s.watchers[runID] == w {
			delete(s.watchers, runID)
		}
	})
}

// notify tells the watchers of runs that something changed.
func (s *Scheduler) notify(runIDs []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, id := range runIDs {
		if w := s.watchers[id]; w != nil {
			close(w.changed)
			delete(s.watchers, id)
		}
	}
}
