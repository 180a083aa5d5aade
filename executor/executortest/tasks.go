package executortest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"runtime"
	"strings"
	"time"

	"github.com/jobcenter-go/jobcenter"
)

// The names of the suite's tasks.
const (
	tellTask  = "executortest.tell"
	failTask  = "executortest.fail"
	waitTask  = "executortest.wait"
	printTask = "executortest.print"
	keepTask  = "executortest.keep"
	leaveTask = "executortest.leave"
)

// Tasks are the tasks that RunRunner has carried out, by name.
func Tasks() map[string]jobcenter.Task {
	return map[string]jobcenter.Task{
		tellTask:  jobcenter.NewResultTask(tell),
		failTask:  jobcenter.NewTask(fail),
		waitTask:  jobcenter.NewTask(waitForEnd),
		printTask: jobcenter.NewTask(printOut),
		keepTask:  jobcenter.NewTask(keep),
		leaveTask: jobcenter.TaskFunc(func(context.Context, *jobcenter.RunContext) error {
			runtime.Goexit()
			return nil
		}),
	}
}

// told is what a task finds in its context.
type told struct {
	Args, Own  json.RawMessage // as decoded, and as it is in the job
	JobID      string
	RunID      string
	Trigger    string
	FireTime   time.Time
	Lateness   time.Duration
	Attempt    int
	Recovering bool
	Previous   string
	Carried    []int
	Deadline   time.Time
}

func tell(ctx context.Context, run *jobcenter.RunContext, args json.RawMessage) (told, error) {
	got := told{
		Args: args, Own: run.Job.Args, JobID: run.Job.ID, RunID: run.Run.ID,
		FireTime: run.FireTime(), Lateness: run.Lateness(), Attempt: run.Attempt(), Recovering: run.Recovering(),
	}
	if run.Job.Trigger != nil {
		got.Trigger = fmt.Sprint(run.Job.Trigger.Next(run.FireTime()))
	}
	got.Deadline, _ = ctx.Deadline()
	return got, errors.Join(run.Previous(&got.Previous), run.Carried(&got.Carried))
}

// failArgs names a failure.
type failArgs struct{ How string }

func fail(_ context.Context, _ *jobcenter.RunContext, args failArgs) error {
	if value, ok := panics()[args.How]; ok {
		panic(value)
	}
	return failures()[args.How]
}

// failures are the errors that a task may return.
func failures() map[string]error {
	plain := errors.New("no space left: ünïcode, \"quotes\" and <tags>")
	all := map[string]error{
		"none":          nil,
		"plain":         plain,
		"wrapped":       fmt.Errorf("save: %w", plain),
		"exit code":     &jobcenter.ExitError{Code: 3},
		"wrapped exit":  fmt.Errorf("convert: %w", &jobcenter.ExitError{Code: 4}),
		"signal":        &jobcenter.SignalError{Number: 11, Name: "SIGSEGV"},
		"start":         &jobcenter.StartError{Err: errors.New("no such program")},
		"args":          &jobcenter.ArgsError{Err: errors.New("no such field")},
		"panic":         &jobcenter.PanicError{Value: "of a library"},
		"several":       errors.Join(plain, &jobcenter.ExitError{Code: 5}),
		"timed out":     fmt.Errorf("upload: %w", context.DeadlineExceeded),
		"canceled":      fmt.Errorf("upload: %w", context.Canceled),
		"stopped":       fmt.Errorf("upload: %w", jobcenter.ErrStopped),
		"several lines": errors.New("one\n\ttwo"),
		"empty":         errors.New(""),
		"long":          errors.New(strings.Repeat("0123456789", 1000)),
	}
	for name, err := range maps.Clone(all) {
		if err != nil {
			all[name+", no retry"] = jobcenter.NoRetry(err)
			all[name+", retry after"] = fmt.Errorf("again: %w", jobcenter.RetryAfter(err, 90*time.Second))
		}
	}
	return all
}

// panics are the values that a task may panic with.
func panics() map[string]any {
	return map[string]any{
		"panic with a text":   "boom",
		"panic with a number": 7,
		"panic with an error": errors.New("boom"),
		"panic with a struct": failArgs{How: "?"},
	}
}

// waitArgs say what a task returns when its context has ended: the cause,
// "another" error, or "nothing".
type waitArgs struct{ Return string }

func waitForEnd(ctx context.Context, run *jobcenter.RunContext, args waitArgs) error {
	fmt.Fprintln(run.Stdout, "waiting")
	<-ctx.Done()
	cause := context.Cause(ctx)
	fmt.Fprintf(run.Stdout, "%v: %v\n%v\nlast words\n", ctx.Err(), cause, isEnd(cause))
	switch args.Return {
	case "nothing":
		return nil
	case "another":
		return errors.New("another error")
	default:
		return fmt.Errorf("interrupted: %w", cause)
	}
}

// ends are the causes with which a scheduler ends runs.
func ends() []error {
	return []error{jobcenter.ErrTimeout, jobcenter.ErrStopped, jobcenter.ErrShutdown, jobcenter.ErrLostRun}
}

// isEnd tells which of ends a cause is.
func isEnd(cause error) (is []bool) {
	for _, end := range ends() {
		is = append(is, errors.Is(cause, end))
	}
	return is
}

// printArgs say how often a task prints each of its lines.
type printArgs struct {
	Lines int
	Log   bool
}

func printOut(_ context.Context, run *jobcenter.RunContext, args printArgs) error {
	if args.Log {
		run.Logger().Info("resized", slog.Int("pictures", 3))
	}
	for _, stream := range []struct {
		io.Writer
		name string
	}{{run.Stdout, "out"}, {run.Stderr, "err"}} {
		if _, err := io.WriteString(stream, lines(stream.name, args.Lines)); err != nil {
			return err
		}
	}
	_, err := run.Stdout.Write(anyBytes())
	return err
}

func lines(name string, n int) string {
	var text strings.Builder
	for i := range n {
		fmt.Fprintf(&text, "%s %d: a line of output, the end of which is somewhere else\n", name, i)
	}
	return text.String()
}

func anyBytes() []byte { return []byte{0, 0xFF, '\r', 0x1B, '\n', 0xC3} }

// keepArgs say what a task leaves, and whether it fails then.
type keepArgs struct {
	Result    string
	Carry     []int
	Code      *int
	Then      string // of failures
	TooMuch   bool
	CarryMore []int
}

func keep(ctx context.Context, run *jobcenter.RunContext, args keepArgs) error {
	if args.TooMuch {
		tooMuch := strings.Repeat("x", max(jobcenter.MaxResult, jobcenter.MaxCarried))
		if run.SetResult(tooMuch) == nil || run.Carry(tooMuch) == nil {
			return errors.New("too much was taken")
		}
	}
	if args.Code != nil {
		run.SetExitCode(*args.Code)
	}
	if err := run.SetResult(args.Result); err != nil {
		return err
	}
	for _, carry := range [][]int{args.Carry, args.CarryMore} {
		if carry == nil {
			continue
		}
		if err := run.Carry(carry); err != nil {
			return err
		}
	}
	return fail(ctx, run, failArgs{How: args.Then})
}
