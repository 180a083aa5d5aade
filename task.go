package jobcenter

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"time"
)

// Task is what a job does. Its Run is called once an attempt, in a goroutine
// of the executor, and should return soon after ctx ends; context.Cause(ctx)
// then says why (ErrTimeout, ErrStopped or ErrShutdown). Nil means that the
// work was done, whatever became of ctx: the run has succeeded. An error makes
// it timed out or stopped if ctx ended before, else failed; an *ExitError or
// *SignalError says more. A panic is caught and makes the run failed as well.
type Task interface {
	Run(ctx context.Context, run *RunContext) error
}

// TaskFunc makes a function a Task.
type TaskFunc func(ctx context.Context, run *RunContext) error

// Run calls f.
func (f TaskFunc) Run(ctx context.Context, run *RunContext) error { return f(ctx, run) }

// Validator is a Task that can check a job's arguments before it is stored.
// Its error names the field, what was given and what is allowed.
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

// RunContext is what a task is told about its run.
type RunContext struct {
	// Job and Run are copies, as they were when the attempt started.
	Job Job
	Run Run
	// Stdout and Stderr take the run's output; any bytes. They are safe for
	// concurrent use and block while the store cannot keep up. Writes fail
	// once the task has returned.
	Stdout, Stderr io.Writer

	exitCode *int
}

// SetExitCode notes what the task's process returned, for a run that ends
// without an *ExitError or *SignalError.
func (r *RunContext) SetExitCode(code int) { r.exitCode = &code }

// Args decodes the job's arguments into v, as json.Unmarshal does.
func (r *RunContext) Args(v any) error {
	if len(r.Job.Args) == 0 {
		return nil
	}
	return json.Unmarshal(r.Job.Args, v)
}

// FireTime is the nominal time of the run.
func (r *RunContext) FireTime() time.Time { return r.Run.FireTime }

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
