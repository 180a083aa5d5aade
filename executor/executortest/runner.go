package executortest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/jobcenter-go/jobcenter"
	"github.com/jobcenter-go/jobcenter/trigger"
)

// RunRunner runs the suite for RunTask, with the tasks of Tasks. open returns
// a new executor that is free.
func RunRunner(t *testing.T, open func(t *testing.T) jobcenter.Runner) {
	t.Helper()
	t.Run("told", func(t *testing.T) { toldAll(t, open(t)) })
	t.Run("errors", func(t *testing.T) { errorKinds(t, open(t)) })
	t.Run("panics", func(t *testing.T) { panicsCaught(t, open(t)) })
	t.Run("kept", func(t *testing.T) { kept(t, open(t)) })
	t.Run("output", func(t *testing.T) { output(t, open(t)) })
	t.Run("ended", func(t *testing.T) { ended(t, open(t)) })
	t.Run("at once", func(t *testing.T) { atOnce(t, open(t)) })
	t.Run("lost goroutine", func(t *testing.T) {
		// A loop of the program's own may not survive it, but the run must end.
		if err := newAttempt(t, leaveTask, nil).do(t.Context(), t, open(t)); err == nil {
			t.Error("a task that did not return has succeeded")
		}
	})
}

// buffer is output that can be read while it is written.
type buffer struct {
	mu   sync.Mutex
	data bytes.Buffer
	// more is told of each write, without waiting.
	more chan struct{}
}

// Write implements io.Writer.
func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.data.Write(p)
	select {
	case b.more <- struct{}{}:
	default:
	}
	return len(p), nil
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.data.String()
}

// begins waits until the output begins with a text.
func (b *buffer) begins(t *testing.T, text string) {
	t.Helper()
	late := time.After(patience)
	for !strings.HasPrefix(b.String(), text) {
		select {
		case <-b.more:
		case <-late:
			t.Fatalf("output = %q, want %q", b.String(), text)
		}
	}
}

// attempt is one run of a task.
type attempt struct {
	run         *jobcenter.RunContext
	out, errOut *buffer
}

func newAttempt(t *testing.T, task string, args any) *attempt {
	t.Helper()
	raw, err := jobcenter.Args(args)
	if err != nil {
		t.Fatal(err)
	}
	fire := time.Date(2026, 11, 6, 8, 30, 0, 0, time.UTC)
	every, err := trigger.NewInterval(time.Minute, trigger.Options{Start: fire})
	if err != nil {
		t.Fatal(err)
	}
	a := &attempt{out: &buffer{more: make(chan struct{}, 1)}, errOut: &buffer{more: make(chan struct{}, 1)}}
	a.run = &jobcenter.RunContext{
		Job: jobcenter.Job{ID: "job", Task: task, Args: raw, Trigger: every, Version: 1},
		Run: jobcenter.Run{
			ID: "01997d3a-0000-7000-8000-000000000001", JobID: "job", JobVersion: 1, State: jobcenter.RunRunning, Attempt: 1,
			FireTime: fire, LastFireTime: fire, FireCount: 1, StartedAt: fire.Add(1500 * time.Millisecond),
		},
		Stdout: a.out, Stderr: a.errOut,
	}
	return a
}

// do carries the attempt out as a scheduler does, and returns the task's error.
func (a *attempt) do(ctx context.Context, t *testing.T, runner jobcenter.Runner) error {
	t.Helper()
	err := a.start(ctx, t, runner)
	select {
	case err := <-err:
		return err
	case <-time.After(patience):
		t.Fatalf("RunTask did not return within %s", patience)
		return nil
	}
}

// start is do without waiting.
func (a *attempt) start(ctx context.Context, t *testing.T, runner jobcenter.Runner) <-chan error {
	t.Helper()
	reserve(t, runner)
	err := make(chan error, 1)
	runner.Execute(func() { err <- runner.RunTask(ctx, Tasks()[a.run.Job.Task], a.run) }, func() {})
	return err
}

// reserve waits for a place.
func reserve(t *testing.T, runner jobcenter.Runner) {
	t.Helper()
	late := time.After(patience)
	tick := time.NewTicker(time.Millisecond) // a place that becomes free tells nobody
	defer tick.Stop()
	for runner.Reserve(1) == 0 {
		select {
		case <-tick.C:
		case <-late:
			t.Fatalf("no place was free within %s", patience)
		}
	}
}

// result decodes what the task returned.
func (a *attempt) result(t *testing.T, v any) {
	t.Helper()
	_, result, _ := a.run.Outcome()
	if err := json.Unmarshal(result, v); err != nil {
		t.Fatalf("result %q: %v", result, err)
	}
}

func toldAll(t *testing.T, runner jobcenter.Runner) {
	t.Helper()
	deadline := time.Now().Add(time.Hour).UTC().Round(0)
	ctx, cancel := context.WithDeadline(t.Context(), deadline)
	defer cancel()

	own := newAttempt(t, tellTask, map[string]any{"of": "the job <&>", "big": json.Number("12345678901234567890")})
	raw := own.run.Job.Args
	own.run.Job.LastResult, own.run.Job.Carried = json.RawMessage(`"last time"`), json.RawMessage(`[1,2]`)
	own.run.Run.Attempt, own.run.Run.Reason = 2, jobcenter.ReasonNodeDied
	wantOwn := told{
		Args: raw, Own: raw, Attempt: 2, Recovering: true, Lateness: 1500 * time.Millisecond,
		Previous: "last time", Carried: []int{1, 2}, Deadline: deadline,
	}
	others := newAttempt(t, tellTask, "of the job")
	others.run.Run.Args = json.RawMessage(`["of the run"]`)
	wantOthers := told{Args: others.run.Run.Args, Own: others.run.Job.Args, Attempt: 1, Lateness: 1500 * time.Millisecond}

	for name, test := range map[string]struct {
		attempt *attempt
		ctx     context.Context //nolint:containedctx // of the case
		want    told
	}{
		"with a past":          {own, ctx, wantOwn},
		"arguments of the run": {others, t.Context(), wantOthers},
	} {
		t.Run(name, func(t *testing.T) {
			run := test.attempt.run
			test.want.JobID, test.want.RunID, test.want.FireTime = run.Job.ID, run.Run.ID, run.Run.FireTime
			test.want.Trigger = fmt.Sprint(run.Job.Trigger.Next(run.FireTime()))
			if err := test.attempt.do(test.ctx, t, runner); err != nil {
				t.Fatal(err)
			}
			var got told
			test.attempt.result(t, &got)
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("the task was told (-want +got):\n%s", diff)
			}
		})
	}
}

// marks is what a scheduler asks about an error.
type marks struct {
	Text    string
	Kinds   []string
	NoRetry bool
	Delay   time.Duration
	Delayed bool
}

func marksOf(err error) marks {
	m := marks{Text: err.Error(), NoRetry: jobcenter.IsNoRetry(err)}
	m.Delay, m.Delayed = jobcenter.RetryDelay(err)
	note := func(ok bool, kind string, value any) {
		if ok {
			m.Kinds = append(m.Kinds, fmt.Sprintf("%s %v", kind, value))
		}
	}
	exit, ok := errors.AsType[*jobcenter.ExitError](err)
	note(ok, "exit", exit)
	signal, ok := errors.AsType[*jobcenter.SignalError](err)
	note(ok, "signal", signal)
	start, ok := errors.AsType[*jobcenter.StartError](err)
	note(ok, "start", start)
	args, ok := errors.AsType[*jobcenter.ArgsError](err)
	note(ok, "args", args)
	panicked, ok := errors.AsType[*jobcenter.PanicError](err)
	note(ok, "panic", panicked)
	for _, cause := range append(ends(), context.Canceled, context.DeadlineExceeded) {
		note(errors.Is(err, cause), "is", cause)
	}
	return m
}

func errorKinds(t *testing.T, runner jobcenter.Runner) {
	t.Helper()
	for name, want := range failures() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := newAttempt(t, failTask, failArgs{name}).do(t.Context(), t, runner)
			if want == nil || err == nil {
				if !errors.Is(err, want) {
					t.Errorf("error = %v, want %v", err, want)
				}
				return
			}
			if diff := cmp.Diff(marksOf(want), marksOf(err)); diff != "" {
				t.Errorf("the error (-want +got):\n%s", diff)
			}
		})
	}
	t.Run("bad arguments", func(t *testing.T) {
		t.Parallel()
		err := newAttempt(t, failTask, map[string]int{"How": 1}).do(t.Context(), t, runner)
		if _, ok := errors.AsType[*jobcenter.ArgsError](err); !ok {
			t.Errorf("error = %v, want an ArgsError", err)
		}
	})
}

func panicsCaught(t *testing.T, runner jobcenter.Runner) {
	t.Helper()
	for name, want := range panics() {
		t.Run(name, func(t *testing.T) {
			a := newAttempt(t, failTask, failArgs{name})
			err := a.do(t.Context(), t, runner)
			panicked, ok := errors.AsType[*jobcenter.PanicError](err)
			if !ok || fmt.Sprint(panicked.Value) != fmt.Sprint(want) {
				t.Errorf("error = %v, want a panic with %v", err, want)
			}
			if got := a.errOut.String(); !strings.Contains(got, "executortest.fail") {
				t.Errorf("stderr = %q, want the stack", got)
			}
		})
	}
}

func kept(t *testing.T, runner jobcenter.Runner) {
	t.Helper()
	code := 9
	for name, test := range map[string]struct {
		args    keepArgs
		result  string
		carried string
		code    *int
		fails   bool
	}{
		"all":             {keepArgs{Result: "<done> & ünïcode", Carry: []int{1}, Code: &code}, "<done> & ünïcode", "[1]", &code, false},
		"the last counts": {keepArgs{Carry: []int{1}, CarryMore: []int{2, 3}}, "", "[2,3]", nil, false},
		"nothing carried": {keepArgs{Result: "x"}, "x", "", nil, false},
		"too much":        {keepArgs{Result: "x", TooMuch: true}, "x", "", nil, false},
		"an error after":  {keepArgs{Carry: []int{4}, Then: "plain"}, "", "[4]", nil, true},
		"a panic after":   {keepArgs{Carry: []int{5}, Then: "panic with a text"}, "", "[5]", nil, true},
		"as much as may":  {keepArgs{Result: strings.Repeat("x", jobcenter.MaxResult-2)}, strings.Repeat("x", jobcenter.MaxResult-2), "", nil, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := newAttempt(t, keepTask, test.args)
			if err := a.do(t.Context(), t, runner); (err != nil) != test.fails {
				t.Errorf("error = %v", err)
			}
			gotCode, _, carried := a.run.Outcome()
			if diff := cmp.Diff(test.code, gotCode); diff != "" {
				t.Errorf("exit code (-want +got):\n%s", diff)
			}
			if string(carried) != test.carried {
				t.Errorf("carried = %q, want %q", carried, test.carried)
			}
			var result string
			a.result(t, &result)
			if result != test.result {
				t.Errorf("result = %.100q, want %.100q", result, test.result)
			}
		})
	}
}

func output(t *testing.T, runner jobcenter.Runner) {
	t.Helper()
	for name, n := range map[string]int{"none": 0, "a line": 1, "more than a pipe holds": 5000} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := newAttempt(t, printTask, printArgs{Lines: n})
			if err := a.do(t.Context(), t, runner); err != nil {
				t.Fatal(err)
			}
			if got, want := a.out.String(), lines("out", n)+string(anyBytes()); got != want {
				t.Errorf("stdout: %d bytes, want %d that begin with %.100q", len(got), len(want), want)
			}
			if got, want := a.errOut.String(), lines("err", n); got != want {
				t.Errorf("stderr: %d bytes, want %d that begin with %.100q", len(got), len(want), want)
			}
		})
	}
	t.Run("logger", func(t *testing.T) {
		t.Parallel()
		a := newAttempt(t, printTask, printArgs{Log: true})
		if err := a.do(t.Context(), t, runner); err != nil {
			t.Fatal(err)
		}
		if got := a.errOut.String(); !strings.Contains(got, `level=INFO msg=resized pictures=3`) {
			t.Errorf("stderr = %q, want the log record", got)
		}
	})
}

func ended(t *testing.T, runner jobcenter.Runner) {
	t.Helper()
	t.Run("before it began", func(t *testing.T) {
		t.Parallel()
		ctx, cancel := context.WithCancelCause(t.Context())
		cancel(jobcenter.ErrStopped)
		a := newAttempt(t, printTask, printArgs{Lines: 1})
		if err := a.do(ctx, t, runner); !errors.Is(err, jobcenter.ErrStopped) {
			t.Errorf("error = %v, want %v", err, jobcenter.ErrStopped)
		}
		if got := a.out.String(); got != "" {
			t.Errorf("the task has been run: output = %q", got)
		}
	})
	causes := append(ends(), fmt.Errorf("%w by li@example.com", jobcenter.ErrStopped), errors.New("a cause of another kind"))
	for _, cause := range causes {
		for _, returns := range []string{"cause", "another", "nothing"} {
			t.Run(fmt.Sprintf("%v, %s", cause, returns), func(t *testing.T) {
				t.Parallel()
				ctx, cancel := context.WithCancelCause(t.Context())
				defer cancel(nil)
				a := newAttempt(t, waitTask, waitArgs{returns})
				result := a.start(ctx, t, runner)
				a.out.begins(t, "waiting\n")
				cancel(cause)
				var err error
				select {
				case err = <-result:
				case <-time.After(patience):
					t.Fatalf("RunTask did not return within %s after its context ended", patience)
				}
				switch is := fmt.Sprint(err); {
				case returns == "cause" && is == "interrupted: "+cause.Error():
				case returns == "another" && is == "another error":
				case returns == "nothing" && err == nil:
				default:
					t.Errorf("error = %v, want what the task returned: %s", err, returns)
				}
				want := fmt.Sprintf("waiting\n%v: %v\n%v\nlast words\n", context.Canceled, cause, isEnd(cause))
				if got := a.out.String(); got != want {
					t.Errorf("output = %q, want %q", got, want)
				}
			})
		}
	}
}

// atOnce keeps all places at work with tasks that must not be mixed up.
func atOnce(t *testing.T, runner jobcenter.Runner) {
	t.Helper()
	size := runner.Reserve(math.MaxInt)
	runner.Release(size)
	var all sync.WaitGroup
	for i := range min(4*size, 40) {
		a := newAttempt(t, keepTask, keepArgs{Result: fmt.Sprint("result ", i), Carry: []int{i}})
		err := a.start(t.Context(), t, runner)
		all.Go(func() {
			if err := <-err; err != nil {
				t.Errorf("run %d: %v", i, err)
			}
			_, result, carried := a.run.Outcome()
			if got, want := fmt.Sprintf("%s %s", result, carried), fmt.Sprintf(`"result %d" [%[1]d]`, i); got != want {
				t.Errorf("run %d: kept %s, want %s", i, got, want)
			}
		})
	}
	all.Wait()
	becomesFree(t, runner, size)
}
