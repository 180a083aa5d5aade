//go:build unix

package process

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/jobcenter-go/jobcenter"
	"github.com/jobcenter-go/jobcenter/trigger"
)

// bench is a scheduler with a process pool, and what a test does with it.
type bench struct {
	*jobcenter.Scheduler
}

func startScheduler(t *testing.T, opts Options) bench {
	t.Helper()
	sched, err := jobcenter.New(jobcenter.Options{
		Tasks: TasksOfTests(), Executors: map[string]jobcenter.Executor{"process": newPool(t, opts)}, StopGrace: -1,
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := sched.Start(); err != nil {
		t.Fatal(err)
	}
	b := bench{sched}
	t.Cleanup(func() {
		now, cancel := context.WithCancel(context.Background())
		cancel()
		if err := sched.Shutdown(now); err != nil && !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	})
	return b
}

// add adds a job that is started by hand.
func (b bench) add(t *testing.T, job jobcenter.Job, how string) string {
	t.Helper()
	daily, err := trigger.Every(24 * time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	args, err := jobcenter.Args(how)
	if err != nil {
		t.Fatal(err)
	}
	job.Trigger, job.Args, job.Executor = daily, args, "process"
	if job, err = b.Add(t.Context(), job); err != nil {
		t.Fatal(err)
	}
	return job.ID
}

func (b bench) start(t *testing.T, jobID string) string {
	t.Helper()
	run, err := b.RunNow(t.Context(), jobID, jobcenter.StartOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return run.ID
}

// when waits until the store has a run as it should be.
func (b bench) when(t *testing.T, runID, what string, ok func(run jobcenter.Run) bool) jobcenter.Run {
	t.Helper()
	late := time.After(time.Minute)
	for {
		changed, cancel := b.WatchRun(runID)
		run, err := b.Store().Run(t.Context(), runID)
		if err != nil {
			t.Fatal(err)
		}
		if ok(run) {
			cancel()
			return run
		}
		select {
		case <-changed:
		case <-late:
			t.Fatalf("run %s is %s, not %s within a minute", runID, run.State, what)
		}
		cancel()
	}
}

func (b bench) ended(t *testing.T, runID string) jobcenter.Run {
	t.Helper()
	return b.when(t, runID, "at its end", func(run jobcenter.Run) bool { return run.State.Final() })
}

// printed waits until the store has output of the run.
func (b bench) printed(t *testing.T, runID string) {
	t.Helper()
	b.when(t, runID, "printing", func(jobcenter.Run) bool {
		chunks, err := b.Store().Output(t.Context(), runID, 0, 1)
		if err != nil {
			t.Fatal(err)
		}
		return len(chunks) > 0
	})
}

// What the ledger says of tasks that end their process, or have it ended,
// while the scheduler goes on.
func TestLedger(t *testing.T) {
	t.Parallel()
	b := startScheduler(t, Options{KillGrace: 200 * time.Millisecond})
	for name, test := range map[string]struct {
		task, how string
		timeout   time.Duration
		stop      bool
		state     jobcenter.RunState
		reason    jobcenter.Reason
		code      string
		message   string
	}{
		"nothing":   {"nothing", "", 0, false, jobcenter.RunSucceeded, "", "none", `^$`},
		"error":     {"fail", "no space left", 0, false, jobcenter.RunFailed, jobcenter.ReasonError, "none", `^no space left$`},
		"killed":    {"die", "kill SIGKILL", 0, false, jobcenter.RunFailed, jobcenter.ReasonSignal, "137", `^ended by SIGKILL$`},
		"exits":     {"die", "exit 3", 0, false, jobcenter.RunFailed, jobcenter.ReasonExitCode, "3", `^exit code 3$`},
		"exits, 0":  {"die", "exit 0", 0, false, jobcenter.RunFailed, jobcenter.ReasonError, "0", `^exit code 0 before the task returned$`},
		"panics":    {"die", "panic with an error", 0, false, jobcenter.RunFailed, jobcenter.ReasonPanic, "none", `^panic: boom: EOF$`},
		"stopped":   {"heed", "", 0, true, jobcenter.RunStopped, jobcenter.ReasonStop, "none", `^asked to end: stopped by me$`},
		"timed out": {"heed", "", 300 * time.Millisecond, false, jobcenter.RunTimedOut, jobcenter.ReasonTimeout, "none", `time limit reached`},
		"deaf": {
			"deaf", "busy", 0, true, jobcenter.RunStopped, jobcenter.ReasonStop, "137",
			`^stopped by me: ignored SIGTERM, process \d+ ended by SIGKILL after \d\.\d s$`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			id := b.start(t, b.add(t, jobcenter.Job{Task: test.task, Timeout: test.timeout}, test.how))
			if test.stop {
				b.printed(t, id)
				if err := b.StopRun(t.Context(), id, "me"); err != nil {
					t.Fatal(err)
				}
			}
			run := b.ended(t, id)
			if run.State != test.state || run.Reason != test.reason || !regexp.MustCompile(test.message).MatchString(run.Message) {
				t.Errorf("%s, %q, %q, want %s, %q, %s", run.State, run.Reason, run.Message, test.state, test.reason, test.message)
			}
			code := "none"
			if run.ExitCode != nil {
				code = fmt.Sprint(*run.ExitCode)
			}
			if code != test.code {
				t.Errorf("exit code %s, want %s", code, test.code)
			}
		})
	}
}

// A task that takes all the memory it can get ends its own process, with the
// reason for people to see, and takes none of the scheduler's.
func TestLeak(t *testing.T) {
	t.Parallel()
	b := startScheduler(t, Options{})
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	run := b.ended(t, b.start(t, b.add(t, jobcenter.Job{Task: "leak"}, "")))
	runtime.ReadMemStats(&after)
	if run.State != jobcenter.RunFailed || run.OutputSize == 0 {
		t.Errorf("%s, %q, %q after %d bytes of output, want failed", run.State, run.Reason, run.Message, run.OutputSize)
	}
	// The race detector may be the first one to find no memory.
	if run.Reason == jobcenter.ReasonPanic && !strings.Contains(run.Message, "memory") {
		t.Errorf("message = %q, want that memory ran out", run.Message)
	}
	if grown := int64(after.HeapSys) - int64(before.HeapSys); grown > 256<<20 {
		t.Errorf("the scheduler has grown by %d bytes", grown)
	}
	if next := b.ended(t, b.start(t, b.add(t, jobcenter.Job{Task: "count"}, ""))); string(next.Result) != "1" {
		t.Errorf("%s with %s after the leak, want a fresh process", next.State, next.Result)
	}
}

// Results and what is carried go from run to run, over deaths too.
func TestFromRunToRun(t *testing.T) {
	t.Parallel()
	b := startScheduler(t, Options{})
	id := b.add(t, jobcenter.Job{Task: "carry"}, "kill SIGKILL")
	for range 3 {
		if run := b.ended(t, b.start(t, id)); run.Reason != jobcenter.ReasonSignal || run.Result != nil {
			t.Errorf("%s, %q, result %s, want ended by a signal, without a result", run.State, run.Reason, run.Result)
		}
	}
	job, err := b.Job(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	if string(job.Carried) != "3" || job.LastResult != nil {
		t.Errorf("the job has carried %s and result %s, want 3 and none", job.Carried, job.LastResult)
	}

	id = b.add(t, jobcenter.Job{Task: "relay"}, "")
	for i, want := range []string{`"1"`, `"1, 2"`, `"1, 2, 3"`} {
		if run := b.ended(t, b.start(t, id)); string(run.Result) != want {
			t.Errorf("run %d: %s, %s, result %s, want %s", i, run.State, run.Message, run.Result, want)
		}
	}
}

// A failure in another process is tried again by the marks of its error.
func TestRetries(t *testing.T) {
	t.Parallel()
	b := startScheduler(t, Options{})
	for how, attempts := range map[string]int{"exit 3": 3, "kill SIGKILL": 3, "do not": 1} {
		t.Run(how, func(t *testing.T) {
			t.Parallel()
			job := jobcenter.Job{Task: "die", Retry: jobcenter.Retry{Attempts: 3, Delay: time.Millisecond}}
			if how == "do not" {
				job.Task = "giveUp"
			}
			if run := b.ended(t, b.start(t, b.add(t, job, how))); run.State != jobcenter.RunFailed || run.Attempt != attempts {
				t.Errorf("%s after attempt %d, want failed after %d: %s", run.State, run.Attempt, attempts, run.Message)
			}
		})
	}
}

// The shutdown of a scheduler ends its children, and records them.
func TestShutdown(t *testing.T) {
	t.Parallel()
	b := startScheduler(t, Options{KillGrace: 200 * time.Millisecond})
	var ids []string
	for _, task := range []string{"heed", "deaf"} {
		id := b.start(t, b.add(t, jobcenter.Job{Task: task}, "busy"))
		b.printed(t, id)
		ids = append(ids, id)
	}
	now, cancel := context.WithCancel(t.Context())
	cancel()
	if err := b.Shutdown(now); !errors.Is(err, context.Canceled) {
		t.Errorf("error = %v, want that runs had to be cancelled", err)
	}
	for _, id := range ids {
		run, err := b.Store().Run(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		if run.State != jobcenter.RunStopped || run.Reason != jobcenter.ReasonShutdown {
			t.Errorf("%s, %q, %q, want stopped by the shutdown", run.State, run.Reason, run.Message)
		}
	}
}

// relay adds its number to the last result.
func relay(_ context.Context, run *jobcenter.RunContext, _ string) error {
	var last string
	var n int
	if err := errors.Join(run.Previous(&last), run.Carried(&n), run.Carry(n+1)); err != nil {
		return err
	}
	if last != "" {
		last += ", "
	}
	return run.SetResult(fmt.Sprint(last, n+1))
}

func giveUp(context.Context, *jobcenter.RunContext, string) error {
	return jobcenter.NoRetry(errors.New("there is no sense in it"))
}
