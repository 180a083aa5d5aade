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
	ErrLostRun  = errors.New("another scheduler has taken over the run")
)

// execution is an attempt at a run that goes on in this process.
type execution struct {
	job    Job
	run    Run
	output *output
	cancel context.CancelCauseFunc
	ended  bool // its end is on its way to the store; guarded by keeper.state
}

// execute carries out a run that this node holds. The place in its executor
// is reserved; it is free again once the store has the run's end.
func (k *keeper) execute(lasting context.Context, runs *sync.WaitGroup, c claim) {
	ctx, cancel := context.WithCancelCause(lasting)
	e := &execution{job: c.job, run: c.run, cancel: cancel}
	e.job.Store = k.name
	e.output = newOutput(&c.run, k.opts.OutputLimit, func(urgent bool) { k.recorder.touch(e.output, urgent) })
	k.state.Lock()
	k.state.running[e.run.ID] = e
	k.state.Unlock()
	k.notify([]string{e.run.ID})
	runs.Add(1)
	c.executor.Execute(func() {
		defer cancel(nil)
		end := k.attempt(ctx, e, c.executor)
		k.state.Lock()
		e.ended = true
		k.state.Unlock()
		if errors.Is(context.Cause(ctx), ErrLostRun) {
			e.output.close() // how it ended here is nobody's business
		} else {
			select {
			case <-k.recorder.end(end):
			case <-lasting.Done(): // given up by drain
			}
		}
		k.state.Lock()
		if k.state.running[e.run.ID] == e {
			delete(k.state.running, e.run.ID)
		}
		k.state.Unlock()
	}, func() {
		k.placeFreed()
		runs.Done()
	})
}

// placeFreed lets the stores look again whose runs wait for a place.
func (k *keeper) placeFreed() {
	for _, other := range k.all() {
		other.state.Lock()
		waits := other.state.backlog
		other.state.Unlock()
		if waits {
			other.signal()
		}
	}
}

// attempt runs the task and returns how it ended.
func (k *keeper) attempt(ctx context.Context, e *execution, executor Executor) ending {
	job, run := &e.job, e.run
	end := ending{job: job, output: e.output}
	if err := k.veto(ctx, k.name, job, &run); err != nil {
		run.State, run.Reason, run.Message, run.EndedAt = RunSkipped, ReasonVeto, message(err.Error()), time.Now()
		if run.Attempt > 1 { // it did run
			run.State = RunStopped
		} else {
			run.StartedAt = time.Time{}
		}
		end.run = run
		return end
	}
	if job.Timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, job.Timeout, ErrTimeout)
		defer cancel()
	}
	run.StartedAt = time.Now()
	k.late.note(run.StartedAt, &run)
	rc := &RunContext{
		Job: *job, Run: run,
		Stdout: stream{e.output, Stdout}, Stderr: stream{e.output, Stderr},
	}
	err := k.call(ctx, executor, rc)
	run.EndedAt = time.Now()
	rc.mu.Lock()
	run.ExitCode, run.Result = rc.exitCode, rc.result
	end.carry = Carry{RunID: run.ID, JobID: job.ID, Attempt: run.Attempt, Carried: rc.carried, Result: rc.result}
	rc.mu.Unlock()
	conclude(&run, err, context.Cause(ctx))
	if run.State != RunSucceeded {
		run.Result, end.carry.Result = nil, nil
		retry(job, &run, err)
	}
	end.run = run
	return end
}

func (k *keeper) call(ctx context.Context, executor Executor, rc *RunContext) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = &PanicError{p}
			k.log.LogAttrs(ctx, slog.LevelError, "task panicked", slog.String("job", rc.Job.ID),
				slog.String("run", rc.Run.ID), slog.Any("error", err), slog.String("stack", string(debug.Stack())))
		}
	}()
	task := k.task(rc.Job.Task)
	if task == nil { // taken away since the claim
		return &StartError{fmt.Errorf("unknown task %q", rc.Job.Task)}
	}
	if runner, ok := executor.(Runner); ok {
		return runner.RunTask(ctx, task, rc)
	}
	return task.Run(ctx, rc)
}

// conclude gives a run the state that the task's error, or the cause with
// which its context ended, stands for.
func conclude(run *Run, err, cause error) {
	var (
		panicked *PanicError
		exit     *ExitError
		signal   *SignalError
		start    *StartError
		args     *ArgsError
	)
	run.Reason, run.Message = "", "" // those of the attempt before
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
		var stop *stopError
		if errors.As(cause, &stop) && stop.replaced() {
			run.Reason = ReasonCancel
		}
	case cause != nil:
		run.State, run.Reason = RunStopped, ReasonShutdown
	case exit != nil:
		run.State, run.Reason = RunFailed, ReasonExitCode
	case signal != nil:
		run.State, run.Reason = RunFailed, ReasonSignal
	case errors.As(err, &start):
		run.State, run.Reason = RunFailed, ReasonStartFailed
	case errors.As(err, &args):
		run.State, run.Reason = RunFailed, ReasonBadArgs
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
func (k *keeper) drain(ctx context.Context, n *session, runs *sync.WaitGroup) {
	done := make(chan struct{})
	go func() {
		runs.Wait()
		close(done)
	}()
	if k.awaitRuns(n, done) {
		return
	}
	if k.cancelRuns(ErrShutdown) > 0 && n.ctx.Err() != nil {
		n.cut.Store(true)
	}
	if waitFor(done, abandonAfter) {
		return
	}
	k.state.Lock()
	abandoned := slices.Collect(maps.Values(k.state.running))
	clear(k.state.running)
	k.state.Unlock()
	for _, e := range abandoned {
		k.log.LogAttrs(ctx, slog.LevelError, "task does not return", slog.String("job", e.run.JobID), slog.String("run", e.run.ID))
		end := e.run
		end.State, end.Reason, end.EndedAt = RunStopped, ReasonShutdown, time.Now()
		end.Message = fmt.Sprintf("interrupted: the task did not return within %s after the scheduler was shut down", abandonAfter)
		waitFor(k.recorder.end(ending{job: &e.job, run: end, output: e.output}), time.Second)
	}
}

// awaitRuns waits for the runs that go on, for as long as they are given, and
// reports whether all of them have ended.
func (k *keeper) awaitRuns(n *session, done <-chan struct{}) bool {
	k.state.Lock()
	removed, hurry := k.state.removed, k.state.hurry
	k.state.Unlock()
	if removed {
		select {
		case <-done:
			return true
		case <-hurry:
			return false
		case <-n.ctx.Done(): // from here on the end of the session says how long
		}
	}
	var grace <-chan time.Time
	k.mu.Lock()
	patient := n.patient
	k.mu.Unlock()
	if !patient {
		timer := time.NewTimer(max(k.opts.StopGrace, 0))
		defer timer.Stop()
		grace = timer.C
	}
	select {
	case <-done:
		return true
	case <-grace:
	case <-n.hurry:
	case <-hurry:
	}
	return false
}

// cancelRuns ends the contexts of all runs that go on here, and counts them.
func (k *keeper) cancelRuns(cause error) (n int) {
	k.state.Lock()
	defer k.state.Unlock()
	for _, e := range k.state.running {
		e.cancel(cause)
		if !e.ended {
			n++
		}
	}
	return n
}

// stopRunsOf stops the runs of a job that go on here, but for those given. The
// store knows of it already.
func (k *keeper) stopRunsOf(jobID, by string, but []Run) {
	k.state.Lock()
	defer k.state.Unlock()
	for _, e := range k.state.running {
		if e.run.JobID == jobID && !slices.ContainsFunc(but, func(r Run) bool { return r.ID == e.run.ID }) {
			e.cancel(&stopError{by})
		}
	}
}

// stopError is ErrStopped with who asked for it, or why.
type stopError struct{ by string }

func (e *stopError) Error() string {
	switch {
	case e.by == "":
		return ErrStopped.Error()
	case e.replaced():
		return ErrStopped.Error() + ": " + e.by
	default:
		return ErrStopped.Error() + " by " + e.by
	}
}

func (e *stopError) Unwrap() error { return ErrStopped }

// replaced reports whether the next run of the job took the run's place.
func (e *stopError) replaced() bool { return strings.HasPrefix(e.by, replaced) }

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

// StopRun ends a queued or running run, wherever it is. A queued one is
// recorded as stopped at once. The context of one that runs here ends at once,
// that of one on another node within about its PollInterval, and the run is recorded as
// stopped, by the actor named, when its task has returned. ErrRunNotFound,
// ErrNotRunning if it has ended.
func (s *Scheduler) StopRun(ctx context.Context, runID, actor string) error {
	stop := &stopError{actor}
	for _, k := range s.all() {
		k.state.Lock()
		if e := k.state.running[runID]; e != nil {
			e.cancel(stop)
			k.state.Unlock()
			return nil
		}
		k.state.Unlock()
	}
	var missing error
	for _, k := range s.all() {
		before, err := k.store.Run(ctx, runID)
		if errors.Is(err, ErrRunNotFound) {
			missing = err
			continue
		}
		if err != nil {
			return err
		}
		now := microseconds(time.Now())
		run, err := k.store.RequestStop(ctx, runID, stop.Error(), now)
		switch {
		case err != nil:
			return err
		case run.State == RunRunning:
			k.checkHeld() // it may have begun here meanwhile
			return nil
		case !before.State.Final() && run.State == RunStopped && run.EndedAt.Equal(now):
			job := Job{ID: run.JobID, Store: k.name}
			k.events.publish(Event{Type: EventRunEnded, Store: k.name, Job: &job, Run: &run, Executor: run.Executor})
			k.notify([]string{runID})
			k.queued()
			return nil
		default:
			return fmt.Errorf("jobcenter: stop run %q: %w: it is %s", runID, ErrNotRunning, run.State)
		}
	}
	return missing
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
	s.watch.Lock()
	defer s.watch.Unlock()
	w := s.watch.byRun[runID]
	if w == nil {
		w = &watch{changed: make(chan struct{})}
		s.watch.byRun[runID] = w
	}
	w.count++
	return w.changed, sync.OnceFunc(func() {
		s.watch.Lock()
		defer s.watch.Unlock()
		if w.count--; w.count == 0 && s.watch.byRun[runID] == w {
			delete(s.watch.byRun, runID)
		}
	})
}

// notify tells the watchers of runs that something changed.
func (s *Scheduler) notify(runIDs []string) {
	s.watch.Lock()
	defer s.watch.Unlock()
	for _, id := range runIDs {
		if w := s.watch.byRun[id]; w != nil {
			close(w.changed)
			delete(s.watch.byRun, id)
		}
	}
}
