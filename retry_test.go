package jobcenter_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/jobcenter-go/jobcenter"
)

var errUnlucky = errors.New("no luck")

// failing is a task that fails until its last attempt.
func failing(attempts int, err error) jobcenter.TaskFunc {
	return func(_ context.Context, run *jobcenter.RunContext) error {
		if run.Attempt() < attempts {
			return err
		}
		return nil
	}
}

// What each rule makes of a run that fails: how many attempts, how it ends, and
// how long it takes in all.
func TestRetryRules(t *testing.T) {
	t.Parallel()
	always := func(err error) jobcenter.TaskFunc { return failing(1000, err) }
	for name, test := range map[string]struct {
		retry    jobcenter.Retry
		timeout  time.Duration
		work     jobcenter.TaskFunc
		attempts int
		state    jobcenter.RunState
		reason   jobcenter.Reason
		took     time.Duration
	}{
		"none":      {jobcenter.Retry{}, 0, always(errUnlucky), 1, jobcenter.RunFailed, jobcenter.ReasonError, 0},
		"one":       {jobcenter.Retry{Attempts: 1}, 0, always(errUnlucky), 1, jobcenter.RunFailed, jobcenter.ReasonError, 0},
		"defaults":  {jobcenter.Retry{Attempts: 5}, 0, always(errUnlucky), 5, jobcenter.RunFailed, jobcenter.ReasonError, 15 * time.Second},
		"succeeds":  {jobcenter.Retry{Attempts: 5}, 0, failing(3, errUnlucky), 3, jobcenter.RunSucceeded, "", 3 * time.Second},
		"factor":    {jobcenter.Retry{Attempts: 4, Delay: 10 * time.Second, Factor: 3}, 0, always(errUnlucky), 4, jobcenter.RunFailed, jobcenter.ReasonError, 130 * time.Second},
		"constant":  {jobcenter.Retry{Attempts: 4, Delay: 10 * time.Second, Factor: 1}, 0, always(errUnlucky), 4, jobcenter.RunFailed, jobcenter.ReasonError, 30 * time.Second},
		"longest":   {jobcenter.Retry{Attempts: 6, Delay: 10 * time.Second, MaxDelay: 25 * time.Second}, 0, always(errUnlucky), 6, jobcenter.RunFailed, jobcenter.ReasonError, 105 * time.Second},
		"an hour":   {jobcenter.Retry{Attempts: 4, Delay: 40 * time.Minute}, 0, always(errUnlucky), 4, jobcenter.RunFailed, jobcenter.ReasonError, 160 * time.Minute},
		"panic":     {jobcenter.Retry{Attempts: 2}, 0, func(context.Context, *jobcenter.RunContext) error { panic("ouch") }, 2, jobcenter.RunFailed, jobcenter.ReasonPanic, time.Second},
		"timeout":   {jobcenter.Retry{Attempts: 3}, time.Minute, untilDone, 3, jobcenter.RunTimedOut, jobcenter.ReasonTimeout, 3*time.Minute + 3*time.Second},
		"start":     {jobcenter.Retry{Attempts: 2}, 0, always(&jobcenter.StartError{Err: errUnlucky}), 2, jobcenter.RunFailed, jobcenter.ReasonStartFailed, time.Second},
		"signal":    {jobcenter.Retry{Attempts: 2}, 0, always(&jobcenter.SignalError{Number: 11, Name: "SIGSEGV"}), 2, jobcenter.RunFailed, jobcenter.ReasonSignal, time.Second},
		"exit code": {jobcenter.Retry{Attempts: 2}, 0, always(&jobcenter.ExitError{Code: 3}), 2, jobcenter.RunFailed, jobcenter.ReasonExitCode, time.Second},
		"bad args":  {jobcenter.Retry{Attempts: 9}, 0, always(&jobcenter.ArgsError{Err: errUnlucky}), 1, jobcenter.RunFailed, jobcenter.ReasonBadArgs, 0},
		"no retry":  {jobcenter.Retry{Attempts: 9}, 0, always(jobcenter.NoRetry(errUnlucky)), 1, jobcenter.RunFailed, jobcenter.ReasonError, 0},
		"no retry, wrapped, of an exit code": {
			jobcenter.Retry{Attempts: 9},
			0, always(fmt.Errorf("saving: %w", jobcenter.NoRetry(&jobcenter.ExitError{Code: 2}))),
			1, jobcenter.RunFailed, jobcenter.ReasonExitCode, 0,
		},
		"after": {jobcenter.Retry{Attempts: 3}, 0, always(jobcenter.RetryAfter(errUnlucky, time.Minute)), 3, jobcenter.RunFailed, jobcenter.ReasonError, 2 * time.Minute},
		"after longer than the longest": {
			jobcenter.Retry{Attempts: 2, MaxDelay: time.Second},
			0, always(fmt.Errorf("busy: %w", jobcenter.RetryAfter(errUnlucky, time.Hour))),
			2, jobcenter.RunFailed, jobcenter.ReasonError, time.Hour,
		},
		"at once":            {jobcenter.Retry{Attempts: 3}, 0, always(jobcenter.RetryAfter(errUnlucky, -time.Hour)), 3, jobcenter.RunFailed, jobcenter.ReasonError, 0},
		"on what it is":      {jobcenter.Retry{Attempts: 2, On: []jobcenter.Reason{jobcenter.ReasonTimeout, jobcenter.ReasonError}}, 0, always(errUnlucky), 2, jobcenter.RunFailed, jobcenter.ReasonError, time.Second},
		"on something else":  {jobcenter.Retry{Attempts: 2, On: []jobcenter.Reason{jobcenter.ReasonTimeout}}, 0, always(errUnlucky), 1, jobcenter.RunFailed, jobcenter.ReasonError, 0},
		"this exit code":     {jobcenter.Retry{Attempts: 2, ExitCodes: []int{75, 3}}, 0, always(&jobcenter.ExitError{Code: 3}), 2, jobcenter.RunFailed, jobcenter.ReasonExitCode, time.Second},
		"another exit code":  {jobcenter.Retry{Attempts: 2, ExitCodes: []int{75}}, 0, always(&jobcenter.ExitError{Code: 3}), 1, jobcenter.RunFailed, jobcenter.ReasonExitCode, 0},
		"codes are of exits": {jobcenter.Retry{Attempts: 2, ExitCodes: []int{75}}, 0, always(errUnlucky), 2, jobcenter.RunFailed, jobcenter.ReasonError, time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				b := begin(t, jobcenter.Options{PollInterval: time.Hour}, test.work)
				told := b.listen(jobcenter.EventFilter{Types: []jobcenter.EventType{jobcenter.EventRunStarted, jobcenter.EventRunRetry, jobcenter.EventRunEnded}})
				b.add(jobcenter.Job{ID: "j", Trigger: date(t, begun().Add(time.Minute)), Retry: test.retry, Timeout: test.timeout})
				b.wait(4 * time.Hour)
				run := b.only("j")
				if run.State != test.state || run.Reason != test.reason || run.Attempt != test.attempts {
					t.Errorf("run = %+v, want %s/%s after %d attempts", run, test.state, test.reason, test.attempts)
				}
				if took := run.EndedAt.Sub(run.FireTime); took != test.took {
					t.Errorf("it took %s, want %s", took, test.took)
				}
				want := []jobcenter.EventType{jobcenter.EventRunStarted}
				for range test.attempts - 1 {
					want = append(want, jobcenter.EventRunRetry, jobcenter.EventRunStarted)
				}
				told.wantTypes(t, append(want, jobcenter.EventRunEnded)...)
			})
		})
	}
}

// Jitter makes a delay longer by up to its part, each time differently.
func TestRetryJitter(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		delays := map[time.Duration]bool{}
		b := begin(t, jobcenter.Options{}, failing(1000, errUnlucky))
		defer b.Subscribe(jobcenter.EventFilter{Types: []jobcenter.EventType{jobcenter.EventRunRetry}}, func(e jobcenter.Event) {
			mu.Lock()
			defer mu.Unlock()
			delays[e.Run.NotBefore.Sub(e.At)] = true
		})()
		for i := range 20 {
			b.add(jobcenter.Job{
				ID: fmt.Sprint("j", i), Trigger: date(t, begun().Add(time.Second)),
				Retry: jobcenter.Retry{Attempts: 6, Delay: 10 * time.Second, Factor: 1, Jitter: 0.5},
			})
		}
		b.wait(time.Hour)
		mu.Lock()
		defer mu.Unlock()
		sorted := slices.Sorted(func(yield func(time.Duration) bool) {
			for d := range delays {
				if !yield(d) {
					return
				}
			}
		})
		if len(sorted) < 90 || sorted[0] < 10*time.Second || sorted[len(sorted)-1] > 15*time.Second || sorted[len(sorted)-1]-sorted[0] < 3*time.Second {
			t.Errorf("%d different delays of 100, from %s to %s, want them spread from 10s to 15s", len(sorted), sorted[0], sorted[len(sorted)-1])
		}
	})
}

// Each attempt knows what became of the one before; the run keeps the output
// of all of them, and while it waits it says why.
func TestAttemptsAreOneRun(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var before []string
		b := begin(t, jobcenter.Options{}, func(_ context.Context, run *jobcenter.RunContext) error {
			before = append(before, fmt.Sprintf("%d after %s: %s", run.Attempt(), run.Run.Reason, run.Run.Message))
			fmt.Fprintf(run.Stdout, "attempt %d\n", run.Attempt())
			switch run.Attempt() {
			case 1:
				return &jobcenter.ExitError{Code: 75}
			case 2:
				return errUnlucky
			default:
				return run.SetResult("done")
			}
		})
		b.add(jobcenter.Job{ID: "j", Trigger: never(t), Retry: jobcenter.Retry{Attempts: 3, Delay: time.Minute}})
		id := b.run("j").ID
		b.wait(30 * time.Second)
		waiting := b.only("j")
		if waiting.State != jobcenter.RunQueued || waiting.Reason != jobcenter.ReasonExitCode || waiting.Message != "attempt 1 of 3: exit code 75" ||
			!waiting.NotBefore.Equal(begun().Add(time.Minute)) || waiting.Node != "" || waiting.Attempt != 1 || waiting.ExitCode != nil || !waiting.EndedAt.IsZero() {
			t.Errorf("between attempts: %+v", waiting)
		}
		b.wait(time.Hour)
		run := b.only("j")
		if run.ID != id || run.State != jobcenter.RunSucceeded || run.Attempt != 3 || run.Reason != "" || run.Message != "" || run.ExitCode != nil || string(run.Result) != `"done"` {
			t.Errorf("run = %+v", run)
		}
		want := []string{"1 after : ", "2 after exit_code: attempt 1 of 3: exit code 75", "3 after error: attempt 2 of 3: no luck"}
		if diff := cmp.Diff(want, before); diff != "" {
			t.Errorf("attempts (-want +got):\n%s", diff)
		}
		chunks, err := b.Store().Output(t.Context(), id, 0, 1000)
		if err != nil {
			t.Fatal(err)
		}
		var output strings.Builder
		for i, chunk := range chunks {
			output.Write(chunk.Data)
			if chunk.Attempt != i+1 || chunk.Offset != int64(10*i) {
				t.Errorf("chunk %d is of attempt %d, at %d", i, chunk.Attempt, chunk.Offset)
			}
		}
		if output.String() != "attempt 1\nattempt 2\nattempt 3\n" || run.OutputSize != 30 || run.OutputKept != 30 {
			t.Errorf("output = %q, sizes %d and %d", output.String(), run.OutputSize, run.OutputKept)
		}
	})
}

// While a run waits for its next attempt it holds no place of the executor, but
// counts as one of its job's runs; and its grace time does not end it.
func TestWaitingForTheNextAttempt(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := begin(t, jobcenter.Options{Executors: poolOf(t, 1)}, func(_ context.Context, run *jobcenter.RunContext) error {
			if run.Job.ID == "retried" && run.Attempt() == 1 {
				return errUnlucky
			}
			return nil
		})
		b.add(jobcenter.Job{ID: "retried", Trigger: interval(t, 10*time.Minute), MisfireGrace: time.Second, Retry: jobcenter.Retry{Attempts: 2, Delay: 15 * time.Minute}})
		b.add(jobcenter.Job{ID: "other", Trigger: interval(t, 10*time.Minute)})
		b.wait(26 * time.Minute)
		b.wantRows("retried", "succeeded 10m0s", "skipped/overlap 20m0s")
		b.wantRows("other", "succeeded 10m0s", "succeeded 20m0s")
	})
}

// A run that waits for its next attempt can be stopped, and survives a restart.
func TestStopsAndRestartsBetweenAttempts(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := begin(t, jobcenter.Options{}, failing(2, errUnlucky))
		for _, id := range []string{"stopped", "kept"} {
			b.add(jobcenter.Job{ID: id, Trigger: never(t), Retry: jobcenter.Retry{Attempts: 3, Delay: time.Minute}})
			b.run(id)
		}
		b.wait(10 * time.Second)
		if err := b.StopRun(t.Context(), b.only("stopped").ID, "li"); err != nil {
			t.Fatal(err)
		}
		b.stop()
		time.Sleep(10 * time.Minute)
		b.begin()
		b.wait(time.Second)
		b.wantRows("stopped", "stopped/stop 0s")
		b.wantRows("kept", "succeeded 0s")
		if run := b.only("kept"); run.Attempt != 2 || !run.StartedAt.Equal(begun().Add(10*time.Minute+10*time.Second)) {
			t.Errorf("kept = %+v", run)
		}
	})
}

// What is stopped on demand, or by a shutdown, is not tried again.
func TestStoppedRunsAreNotTriedAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := begin(t, jobcenter.Options{}, untilDone)
		for _, id := range []string{"demand", "shutdown"} {
			b.add(jobcenter.Job{ID: id, Trigger: never(t), Retry: jobcenter.Retry{Attempts: 3}})
			b.run(id)
		}
		b.wait(time.Second)
		if err := b.StopRun(t.Context(), b.only("demand").ID, ""); err != nil {
			t.Fatal(err)
		}
		b.wait(time.Minute)
		b.stop()
		b.wantRows("demand", "stopped/stop 0s")
		b.wantRows("shutdown", "stopped/shutdown 0s")
	})
}

func TestErrorsForRetries(t *testing.T) {
	t.Parallel()
	if jobcenter.NoRetry(nil) != nil || jobcenter.RetryAfter(nil, time.Second) != nil {
		t.Error("nil does not stay nil")
	}
	never := jobcenter.NoRetry(errUnlucky)
	if !jobcenter.IsNoRetry(fmt.Errorf("x: %w", never)) || jobcenter.IsNoRetry(errUnlucky) || !errors.Is(never, errUnlucky) || never.Error() != "no luck" {
		t.Errorf("NoRetry gives %v", never)
	}
	after := jobcenter.RetryAfter(errUnlucky, time.Minute)
	delay, ok := jobcenter.RetryDelay(fmt.Errorf("x: %w", after))
	if !ok || delay != time.Minute || !errors.Is(after, errUnlucky) || after.Error() != "no luck" {
		t.Errorf("RetryAfter gives %v, %s, %v", after, delay, ok)
	}
	if _, ok := jobcenter.RetryDelay(errUnlucky); ok {
		t.Error("an error without a delay has one")
	}
}
