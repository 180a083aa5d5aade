package jobcenter_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jobcenter-go/jobcenter"
)

// mailArgs are arguments of several types, one within another.
type mailArgs struct {
	To      []string `json:"to"`
	Retries int      `json:"retries"`
	Urgent  bool     `json:"urgent"`
	Server  struct {
		Port uint16 `json:"port"`
	} `json:"server"`
}

// Arguments that do not fit are refused where they are given, and the error
// names the field, what was given and what is allowed.
func TestTypedArguments(t *testing.T) {
	t.Parallel()
	task := jobcenter.NewTask(func(context.Context, *jobcenter.RunContext, mailArgs) error { return nil })
	b := newBench(t, jobcenter.Options{Tasks: map[string]jobcenter.Task{"mail": task}}, nothing)
	for args, want := range map[string]struct{ field, text string }{
		``:                              {"", ""},
		`null`:                          {"", ""},
		`{}`:                            {"", ""},
		`{"to":["li"],"retries":3}`:     {"", ""},
		`{"server":{"port":25}}`:        {"", ""},
		`{"to":"li"}`:                   {"args.to", "string given, []string allowed"},
		`{"retries":"3"}`:               {"args.retries", "string given, int allowed"},
		`{"retries":2.5}`:               {"args.retries", "number 2.5 given, int allowed"},
		`{"urgent":1}`:                  {"args.urgent", "number given, bool allowed"},
		`{"server":{"port":99999}}`:     {"args.server.port", "number 99999 given, uint16 allowed"},
		`{"receiver":"li"}`:             {"args", `unknown field "receiver"`},
		`{"server":{"host":"example"}}`: {"args", `unknown field "host"`},
		`[1]`:                           {"args", "array"},
		`"li"`:                          {"args", "string"},
		`{"to":["li"]`:                  {"args", "not a JSON value"},
		`{"to":["li"]} and more`:        {"args", "not a JSON value"},
	} {
		_, err := b.Add(t.Context(), jobcenter.Job{Task: "mail", Trigger: never(t), Args: json.RawMessage(args)})
		if want.field == "" {
			if err != nil {
				t.Errorf("%s: %v", args, err)
			}
			continue
		}
		wantField(t, err, want.field)
		if !strings.Contains(err.Error(), want.text) {
			t.Errorf("%s: %v, want it to say %q", args, err, want.text)
		}
	}
}

// Arguments that fit when they were stored may not fit the program of today:
// that is found by the task too, and is not tried again.
func TestArgumentsThatDoNotFitAtTheRun(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := jobcenter.NewMemoryStore(0)
		old := newBench(t, jobcenter.Options{Store: store}, nothing)
		old.add(jobcenter.Job{ID: "j", Trigger: never(t), Args: json.RawMessage(`{"to":"li"}`), Retry: jobcenter.Retry{Attempts: 3}})
		old.run("j")
		strict := jobcenter.NewTask(func(context.Context, *jobcenter.RunContext, mailArgs) error { return nil })
		b := begin(t, jobcenter.Options{Store: store, Tasks: map[string]jobcenter.Task{"work": strict}}, nothing)
		b.wait(time.Minute)
		if run := b.only("j"); row(&run) != "failed/bad_args 0s" || run.Attempt != 1 || !strings.Contains(run.Message, "args.to: string given, []string allowed") {
			t.Errorf("run = %+v", run)
		}
	})
}

// A task of a typed function gets the run's arguments, else the job's, and its
// result is there for the next run.
func TestResultsAreThereForTheNextRun(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		type result struct {
			Sum int `json:"sum"`
		}
		task := jobcenter.NewResultTask(func(_ context.Context, run *jobcenter.RunContext, n int) (result, error) {
			var last result
			if err := run.Previous(&last); err != nil {
				return result{}, err
			}
			if n == 0 {
				return result{Sum: -1}, errUnlucky // does not count
			}
			return result{last.Sum + n}, nil
		})
		b := begin(t, jobcenter.Options{Tasks: map[string]jobcenter.Task{"sum": task}}, nothing)
		b.addAs("sum", jobcenter.Job{ID: "j", Trigger: interval(t, time.Minute), Args: json.RawMessage(`2`)})
		b.wait(90 * time.Second)
		for _, args := range []string{`10`, `0`, `7`} {
			if _, err := b.RunNow(t.Context(), "j", jobcenter.StartOptions{Args: json.RawMessage(args)}); err != nil {
				t.Fatal(err)
			}
			b.wait(time.Second)
		}
		b.wait(30 * time.Second)
		var got []string
		for _, run := range b.runs("j") {
			got = append(got, string(run.State)+string(run.Result))
		}
		want := []string{`succeeded{"sum":2}`, `succeeded{"sum":12}`, `failed`, `succeeded{"sum":19}`, `succeeded{"sum":21}`}
		if !slices.Equal(got, want) {
			t.Errorf("runs: %v, want %v", got, want)
		}
		if job := b.job("j"); string(job.LastResult) != `{"sum":21}` || job.Version != 1 {
			t.Errorf("the job: version %d, last result %s", job.Version, job.LastResult)
		}
	})
}

// What is carried is stored however the attempt ends, unlike a result.
func TestCarry(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var seen []int
		b := begin(t, jobcenter.Options{}, func(ctx context.Context, run *jobcenter.RunContext) error {
			n := -1
			if err := run.Carried(&n); err != nil {
				return err
			}
			seen = append(seen, n)
			if err := run.SetResult(n); err != nil {
				return err
			}
			if n < 0 {
				n = 0
			}
			if n == 3 {
				return nil // leaves what is there
			}
			if err := run.Carry(n + 1); err != nil {
				return err
			}
			switch n {
			case 0:
				return errUnlucky
			case 1:
				panic("ouch")
			default:
				return untilDone(ctx, run)
			}
		})
		b.add(jobcenter.Job{ID: "j", Trigger: interval(t, time.Minute), Timeout: time.Second, Retry: jobcenter.Retry{Attempts: 2}})
		b.wait(3*time.Minute + 30*time.Second)
		if want := []int{-1, 1, 2, 3, 3}; !slices.Equal(seen, want) {
			t.Errorf("runs saw %v, want %v", seen, want)
		}
		b.wantRows("j", "failed/panic 1m0s", "succeeded 2m0s", "succeeded 3m0s")
		if job := b.job("j"); string(job.Carried) != "3" || string(job.LastResult) != "3" {
			t.Errorf("the job carries %s, its last result is %s", job.Carried, job.LastResult)
		}
	})
}

// Results and what is carried are bounded, and an error for the task.
func TestResultsAreBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		fits := strings.Repeat("x", jobcenter.MaxResult-2) // two quotes
		b := begin(t, jobcenter.Options{}, func(_ context.Context, run *jobcenter.RunContext) error {
			for name, keep := range map[string]func(any) error{"result": run.SetResult, "carried": run.Carry} {
				if err := keep(fits + "x"); err == nil || !strings.Contains(err.Error(), name) || !strings.Contains(err.Error(), "65536") {
					return fmt.Errorf("%s: a byte too many is %w", name, err)
				}
				if err := keep(func() {}); err == nil || !strings.Contains(err.Error(), name) {
					return fmt.Errorf("%s: what is no JSON is %w", name, err)
				}
				if err := keep(fits); err != nil {
					return err
				}
			}
			return nil
		})
		b.add(jobcenter.Job{ID: "j", Trigger: never(t)})
		b.run("j")
		b.wait(time.Second)
		if run := b.only("j"); run.State != jobcenter.RunSucceeded || len(run.Result) != jobcenter.MaxResult || len(b.job("j").Carried) != jobcenter.MaxCarried {
			t.Errorf("run: %s %s, result of %d bytes", run.State, run.Message, len(run.Result))
		}
		task := jobcenter.NewResultTask(func(context.Context, *jobcenter.RunContext, struct{}) (string, error) { return fits + "x", nil })
		if err := b.AddTask("long", task); err != nil {
			t.Fatal(err)
		}
		b.addAs("long", jobcenter.Job{ID: "long", Trigger: never(t)})
		b.run("long")
		b.wait(time.Second)
		b.wantRows("long", "failed/error 1s")
	})
}

func (b *bench) output(runID string) string {
	b.t.Helper()
	chunks, err := b.Store().Output(b.t.Context(), runID, 0, 1<<20)
	if err != nil {
		b.t.Fatal(err)
	}
	var text strings.Builder
	for _, chunk := range chunks {
		fmt.Fprintf(&text, "[%s]%s", chunk.Stream, chunk.Data)
	}
	return text.String()
}

// What a task is told, and can tell, besides.
func TestRunContext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var kept *jobcenter.RunContext
		b := newBench(t, jobcenter.Options{}, func(_ context.Context, run *jobcenter.RunContext) error {
			var args struct{ N int }
			args.N = 5
			if err := run.Args(&args); err != nil || args.N != 5 {
				t.Errorf("arguments of a job without any: %+v, %v", args, err)
			}
			if run.Job.ID != "j" || run.Job.Store != jobcenter.DefaultStore || run.Attempt() != 1 || run.Recovering() || !run.FireTime().Equal(begun().Add(time.Minute)) || run.Lateness() != 30*time.Second {
				t.Errorf("told of %+v, %+v", run.Job, run.Run)
			}
			var told int
			run.WatchOutcome(func() { told++ })
			run.Logger().Info("hello", slog.Int("n", 1))
			run.SetExitCode(3)
			if err := run.SetResult("r"); err != nil {
				return err
			}
			if err := run.Carry("c"); err != nil {
				return err
			}
			code, result, carried := run.Outcome()
			if code == nil || *code != 3 || string(result) != `"r"` || string(carried) != `"c"` || told != 3 {
				t.Errorf("outcome: %v, %s, %s after %d calls", code, result, carried, told)
			}
			kept = run
			return nil
		})
		b.add(jobcenter.Job{ID: "j", Trigger: date(t, begun().Add(time.Minute))})
		time.Sleep(90 * time.Second)
		b.begin()
		b.wait(time.Second)
		run := b.only("j")
		if run.State != jobcenter.RunSucceeded || run.ExitCode == nil || *run.ExitCode != 3 || string(run.Result) != `"r"` {
			t.Errorf("run = %+v", run)
		}
		if got := b.output(run.ID); got != "[stderr]time=2000-01-01T00:01:30.000Z level=INFO msg=hello n=1\n" {
			t.Errorf("output = %q", got)
		}
		if _, err := kept.Stdout.Write([]byte("late")); err == nil {
			t.Error("a write after the end of the run was taken")
		}
	})
}

// Jobs with a function of their own need no task, and live in this process only.
func TestFuncJobs(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := jobcenter.NewMemoryStore(0)
		var first, second atomic.Int64
		count := func(n *atomic.Int64) jobcenter.TaskFunc {
			return func(context.Context, *jobcenter.RunContext) error { n.Add(1); return nil }
		}
		b := begin(t, jobcenter.Options{Store: store, Node: "n"}, nothing)
		job := jobcenter.Job{ID: "j", Func: count(&first), Trigger: interval(t, time.Minute)}
		if _, changes, err := b.Ensure(t.Context(), job); err != nil || !changes.Added {
			t.Fatalf("%+v, %v", changes, err)
		}
		b.wait(time.Minute)
		job.Func = count(&second) // it cannot be compared, and the last one counts
		if stored, changes, err := b.Ensure(t.Context(), job); err != nil || changes.Fields != nil || stored.Version != 1 {
			t.Fatalf("%+v, %+v, %v", stored, changes, err)
		}
		b.wait(time.Minute)
		if first.Load() != 1 || second.Load() != 1 {
			t.Errorf("ran %d and %d times, want once each", first.Load(), second.Load())
		}
		b.pause("j", jobcenter.PauseOptions{})
		b.resume("j")
		b.wait(time.Minute)
		if second.Load() != 2 {
			t.Error("a change of the job has lost its function")
		}
		_, err := b.Add(t.Context(), jobcenter.Job{Func: nothing, Task: "work", Trigger: never(t)})
		wantField(t, err, "task")
		_, err = b.Add(t.Context(), jobcenter.Job{Task: "func", Trigger: never(t)})
		wantField(t, err, "task")
		if _, err := json.Marshal(job); !errors.Is(err, jobcenter.ErrFuncJob) {
			t.Errorf("as JSON: %v", err)
		}
	})
}

// A function that is not here any more, as after a restart, is a run that
// could not start.
func TestFuncJobWithoutItsFunction(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := jobcenter.NewMemoryStore(0)
		b := begin(t, jobcenter.Options{Store: store}, nothing)
		if _, err := b.Add(t.Context(), jobcenter.Job{ID: "j", Func: nothing, Trigger: never(t)}); err != nil {
			t.Fatal(err)
		}
		alter(t, store, "j", func(job *jobcenter.Job) { job.Func = nil })
		b.run("j")
		b.wait(time.Second)
		b.wantRows("j", "failed/start_failed 0s")
	})
}

// asRunner is an executor that carries tasks out in its own way.
type asRunner struct {
	*jobcenter.Pool
	ran atomic.Int64
}

func (r *asRunner) RunTask(ctx context.Context, task jobcenter.Task, run *jobcenter.RunContext) error {
	r.ran.Add(1)
	if run.Job.ID == "crash" {
		return &jobcenter.PanicError{Value: "the worker died"}
	}
	return task.Run(ctx, run)
}

func TestRunnersCarryTasksOut(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		runner := &asRunner{Pool: pool(t, 5)}
		b := begin(t, jobcenter.Options{Executors: map[string]jobcenter.Executor{jobcenter.DefaultExecutor: runner}}, nothing)
		for _, id := range []string{"fine", "crash"} {
			b.add(jobcenter.Job{ID: id, Trigger: never(t)})
			b.run(id)
		}
		b.wait(time.Second)
		b.wantRows("fine", "succeeded 0s")
		b.wantRows("crash", "failed/panic 0s")
		if run := b.only("crash"); run.Message != "panic: the worker died" || runner.ran.Load() != 2 {
			t.Errorf("crash = %+v, %d runs", run, runner.ran.Load())
		}
	})
}

func TestArgs(t *testing.T) {
	t.Parallel()
	raw, err := jobcenter.Args(mailArgs{To: []string{"li"}, Retries: 2})
	if want := `{"to":["li"],"retries":2,"urgent":false,"server":{"port":0}}`; err != nil || string(raw) != want {
		t.Errorf("args = %s, %v", raw, err)
	}
	_, err = jobcenter.Args(make(chan int))
	wantField(t, err, "args")
}

func TestErrorTexts(t *testing.T) {
	t.Parallel()
	for want, err := range map[string]error{
		"exit code 3":              &jobcenter.ExitError{Code: 3},
		"ended by SIGSEGV":         &jobcenter.SignalError{Number: 11, Name: "SIGSEGV"},
		"could not start: no luck": &jobcenter.StartError{Err: errUnlucky},
		"arguments: no luck":       &jobcenter.ArgsError{Err: errUnlucky},
		"panic: 7":                 &jobcenter.PanicError{Value: 7},
		"x: no luck":               &jobcenter.FieldError{Field: "x", Err: errUnlucky},
	} {
		if err.Error() != want {
			t.Errorf("%T: %q, want %q", err, err, want)
		}
	}
	for _, err := range []error{&jobcenter.StartError{Err: errUnlucky}, &jobcenter.ArgsError{Err: errUnlucky}, &jobcenter.FieldError{Err: errUnlucky}} {
		if !errors.Is(err, errUnlucky) {
			t.Errorf("%T hides its cause", err)
		}
	}
}

// A message is kept within bounds, and is text whatever the task says.
func TestMessages(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		say := map[string]string{"long": strings.Repeat("长", 5000), "binary": "a\x00b\xffc"}
		b := begin(t, jobcenter.Options{}, func(_ context.Context, run *jobcenter.RunContext) error { return errors.New(say[run.Job.ID]) })
		for id := range say {
			b.add(jobcenter.Job{ID: id, Trigger: never(t)})
			b.run(id)
		}
		b.wait(time.Second)
		if got := b.only("binary").Message; got != "a\uFFFDb\uFFFDc" {
			t.Errorf("binary message = %q", got)
		}
		if got := b.only("long").Message; len(got) > 4<<10+10 || !strings.HasSuffix(got, "…") || !strings.HasPrefix(got, strings.Repeat("长", 1000)) {
			t.Errorf("long message of %d bytes: …%q", len(got), got[len(got)-10:])
		}
	})
}
