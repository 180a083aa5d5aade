package jobcenter

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"time"
)

// Task is what a job does. Its Run is called once an attempt, in a goroutine
// of the executor, and should return soon after ctx ends; context.Cause(ctx)
// then says why (ErrTimeout, ErrStopped, ErrLostRun or ErrShutdown). Nil means
// that the work was done, whatever became of ctx: the run has succeeded. An
// error makes it timed out or stopped if ctx ended before, else failed; an
// *ExitError or *SignalError says more. A panic is caught and makes the run
// failed as well.
type Task interface {
	Run(ctx context.Context, run *RunContext) error
}

// TaskFunc makes a function a Task.
type TaskFunc func(ctx context.Context, run *RunContext) error

// Run calls f.
func (f TaskFunc) Run(ctx context.Context, run *RunContext) error { return f(ctx, run) }

// Validator is a Task that can check a job's arguments before it is stored.
// Its error names the field, what was given and what is allowed. A stored job
// whose arguments it no longer accepts is put in quarantine.
type Validator interface {
	ValidateArgs(args json.RawMessage) error
}

// Recoverer is a Task that can leave something behind when its process dies,
// such as a child process. Recover is called at the next start of the same node, once for each run of
// it that was still running, before the run is recorded as lost. It ends what
// was left and says in a few words what it did; that becomes part of the
// run's message.
type Recoverer interface {
	Recover(ctx context.Context, run Run) (note string, err error)
}

// NewTask makes a Task of a function that takes arguments of a type of its
// own. They are stored as JSON, and a job whose arguments do not fit A (an
// unknown field, a wrong type) is refused by Add, and put in quarantine if it
// is stored already. A job without arguments gets the zero value of A.
func NewTask[A any](work func(ctx context.Context, run *RunContext, args A) error) Task {
	return typedTask[A]{func(ctx context.Context, run *RunContext, args A) error { return work(ctx, run, args) }}
}

// NewResultTask is NewTask for a function whose result is kept with the run,
// as JSON of at most MaxResult bytes. The next run of the job can read it
// with RunContext.Previous.
func NewResultTask[A, R any](work func(ctx context.Context, run *RunContext, args A) (R, error)) Task {
	return typedTask[A]{func(ctx context.Context, run *RunContext, args A) error {
		result, err := work(ctx, run, args)
		if err != nil {
			return err
		}
		return run.SetResult(result)
	}}
}

type typedTask[A any] struct {
	work func(ctx context.Context, run *RunContext, args A) error
}

// Run implements Task.
func (t typedTask[A]) Run(ctx context.Context, run *RunContext) error {
	args, err := decodeArgs[A](run.rawArgs())
	if err != nil {
		return &ArgsError{err}
	}
	return t.work(ctx, run, args)
}

// ValidateArgs implements Validator.
func (t typedTask[A]) ValidateArgs(args json.RawMessage) error {
	_, err := decodeArgs[A](args)
	return err
}

func decodeArgs[A any](raw json.RawMessage) (args A, err error) {
	if len(raw) == 0 {
		return args, nil
	}
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&args); err != nil {
		var wrong *json.UnmarshalTypeError
		if errors.As(err, &wrong) && wrong.Field != "" {
			return args, &FieldError{Field: "args." + wrong.Field, Err: fmt.Errorf("%s given, %s allowed", wrong.Value, wrong.Type)}
		}
		return args, err
	}
	return args, nil
}

// Args is a value as arguments of a job or a run.
func Args(value any) (json.RawMessage, error) {
	raw, err := json.Marshal(value)
	if err != nil {
		return nil, &FieldError{Field: "args", Err: err}
	}
	return raw, nil
}

// The most that a run may return, and that it may leave for the next one, in
// bytes of JSON.
const (
	MaxResult  = 64 << 10
	MaxCarried = 64 << 10
)

// RunContext is what a task is told about its run. Its methods are safe for
// concurrent use.
type RunContext struct {
	// Job and Run are copies, as they were when the attempt started. While
	// Run.Attempt is above 1, Run.Reason and Run.Message are those of the
	// attempt before.
	Job Job
	Run Run
	// Stdout and Stderr take the run's output; any bytes. They are safe for
	// concurrent use and block while the store cannot keep up. Writes fail
	// once the task has returned.
	Stdout, Stderr io.Writer

	mu       sync.Mutex
	exitCode *int
	result   json.RawMessage
	carried  json.RawMessage
	changed  func() // see WatchOutcome; may be nil
}

// SetExitCode notes what the task's process returned, for a run that ends
// without an *ExitError or *SignalError.
func (r *RunContext) SetExitCode(code int) {
	r.mu.Lock()
	r.exitCode = &code
	changed := r.changed
	r.mu.Unlock()
	if changed != nil {
		changed()
	}
}

// Args decodes the run's arguments into v, as json.Unmarshal does: its own, or
// else those of the job. Without any, v is left as it is.
func (r *RunContext) Args(v any) error { return unmarshal(r.rawArgs(), v) }

func (r *RunContext) rawArgs() json.RawMessage {
	if len(r.Run.Args) > 0 {
		return r.Run.Args
	}
	return r.Job.Args
}

// FireTime is the nominal time of the run.
func (r *RunContext) FireTime() time.Time { return r.Run.FireTime }

// Lateness is how long after its fire time the attempt started.
func (r *RunContext) Lateness() time.Duration { return r.Run.Lateness() }

// Attempt is the number of this try, from 1.
func (r *RunContext) Attempt() int { return r.Run.Attempt }

// Recovering reports whether the attempt is made because the node of the last
// one died (see Job.RequestsRecovery): how far that one got is not known.
func (r *RunContext) Recovering() bool { return r.Run.Attempt > 1 && r.Run.Reason == ReasonNodeDied }

// SetResult keeps a value with the run, as JSON of at most MaxResult bytes,
// if the run succeeds.
func (r *RunContext) SetResult(v any) error { return r.keep(&r.result, "result", v, MaxResult) }

// Previous decodes the result of the job's last run that succeeded into v.
// Without one, v is left as it is.
func (r *RunContext) Previous(v any) error { return unmarshal(r.Job.LastResult, v) }

// Carry leaves a value for the job's next run, as JSON of at most MaxCarried
// bytes. It is stored when the attempt ends, however it ends; a job with
// several runs at once keeps that of the one which ends last.
func (r *RunContext) Carry(v any) error { return r.keep(&r.carried, "carried", v, MaxCarried) }

// Carried decodes what an earlier run carried into v. Without that, v is left
// as it is.
func (r *RunContext) Carried(v any) error { return unmarshal(r.Job.Carried, v) }

func (r *RunContext) keep(to *json.RawMessage, what string, v any, limit int) error {
	raw, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("jobcenter: %s: %w", what, err)
	}
	if len(raw) > limit {
		return fmt.Errorf("jobcenter: %s: %d bytes of JSON, allowed are up to %d", what, len(raw), limit)
	}
	r.mu.Lock()
	*to = raw
	changed := r.changed
	r.mu.Unlock()
	if changed != nil {
		changed()
	}
	return nil
}

// Outcome is what the task has told about its run so far: its exit code, nil
// for none, and as JSON its result and what it carries, empty for none.
func (r *RunContext) Outcome() (exitCode *int, result, carried json.RawMessage) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.exitCode, r.result, r.carried
}

// WatchOutcome has changed called after each change of the outcome, by the
// goroutine that made it. It is for a [Runner] whose tasks run in a process
// that may die before they return, and is called before the task runs.
func (r *RunContext) WatchOutcome(changed func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.changed = changed
}

func unmarshal(raw json.RawMessage, v any) error {
	if len(raw) == 0 {
		return nil
	}
	return json.Unmarshal(raw, v)
}

// Logger writes records to the run's Stderr, as text with the time, in UTC.
func (r *RunContext) Logger() *slog.Logger {
	return slog.New(slog.NewTextHandler(r.Stderr, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

// ExitError is the error of a task whose process ended with a code other than
// 0. The run is recorded as failed with ReasonExitCode and the code.
type ExitError struct{ Code int }

func (e *ExitError) Error() string { return fmt.Sprintf("exit code %d", e.Code) }

// SignalError is the error of a task whose process was ended by a signal that
// its task did not send. The run is recorded as failed with ReasonSignal and
// ExitCode 128 + Number.
type SignalError struct {
	Number int
	Name   string // such as "SIGSEGV"
}

func (e *SignalError) Error() string { return "ended by " + e.Name }

// StartError is the error of a task that could not begin its work. The run is
// recorded as failed with ReasonStartFailed.
type StartError struct{ Err error }

func (e *StartError) Error() string { return "could not start: " + e.Err.Error() }
func (e *StartError) Unwrap() error { return e.Err }

// ArgsError is the error of a task that cannot decode its arguments. The run
// is recorded as failed with ReasonBadArgs and is not tried again.
type ArgsError struct{ Err error }

func (e *ArgsError) Error() string { return "arguments: " + e.Err.Error() }
func (e *ArgsError) Unwrap() error { return e.Err }

// PanicError is the error of a task that panicked, for an executor that
// carries tasks out itself (see [Runner]). The run is recorded as failed with
// ReasonPanic.
type PanicError struct{ Value any }

func (e *PanicError) Error() string { return fmt.Sprintf("panic: %v", e.Value) }

// NoRetry marks an error as one that no further attempt would mend. Nil stays
// nil.
func NoRetry(err error) error {
	if err == nil {
		return nil
	}
	return &noRetryError{err}
}

type noRetryError struct{ err error }

func (e *noRetryError) Error() string { return e.err.Error() }
func (e *noRetryError) Unwrap() error { return e.err }

// IsNoRetry reports whether an error is marked by NoRetry.
func IsNoRetry(err error) bool {
	_, ok := errors.AsType[*noRetryError](err)
	return ok
}

// RetryAfter marks an error with how long the next attempt, if there is one,
// should wait instead of the delay that Job.Retry gives. Nil stays nil.
func RetryAfter(err error, delay time.Duration) error {
	if err == nil {
		return nil
	}
	return &retryAfterError{err, max(delay, 0)}
}

// RetryDelay is the delay with which an error is marked by RetryAfter, if it is.
func RetryDelay(err error) (delay time.Duration, ok bool) {
	marked, ok := errors.AsType[*retryAfterError](err)
	if !ok {
		return 0, false
	}
	return marked.delay, true
}

type retryAfterError struct {
	err   error
	delay time.Duration
}

func (e *retryAfterError) Error() string { return e.err.Error() }
func (e *retryAfterError) Unwrap() error { return e.err }

// funcTask carries out the jobs that have a Func. They are known to the stores
// under this name, which no other task can have.
const funcTaskName = "func"

type funcTask struct{}

// Run implements Task.
func (funcTask) Run(ctx context.Context, run *RunContext) error {
	if run.Job.Func == nil {
		return &StartError{errors.New("the function of this job is not in this process")}
	}
	return run.Job.Func(ctx, run)
}
