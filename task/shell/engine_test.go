//go:build unix

package shell

import (
	"context"
	"encoding/json"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/jobcenter-go/jobcenter"
	"github.com/jobcenter-go/jobcenter/trigger"
)

// What the engine writes into its ledger about commands.
func TestLedger(t *testing.T) {
	t.Parallel()
	sched, err := jobcenter.New(jobcenter.Options{
		Tasks: map[string]jobcenter.Task{"shell": newTask(t, Options{})}, StopGrace: -1,
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- sched.Run(ctx) }()
	defer func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}()
	daily, err := trigger.Every(24 * time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	code := func(n int) *int { return &n }
	tests := map[string]struct {
		command string
		timeout time.Duration
		stop    bool
		state   jobcenter.RunState
		reason  jobcenter.Reason
		code    *int
		message string
	}{
		"well":    {"echo started", 0, false, jobcenter.RunSucceeded, "", code(0), `^$`},
		"badly":   {"echo started; exit 3", 0, false, jobcenter.RunFailed, jobcenter.ReasonExitCode, code(3), `exit code 3`},
		"signal":  {"echo started; kill -9 $$", 0, false, jobcenter.RunFailed, jobcenter.ReasonSignal, code(137), `ended by SIGKILL`},
		"stopped": {"echo started; exec sleep 1000", 0, true, jobcenter.RunStopped, jobcenter.ReasonStop, code(143), `by me.*process group \d+ ended by SIGTERM after`},
		"too long": {
			"echo started; exec sleep 1000", 200 * time.Millisecond, false,
			jobcenter.RunTimedOut, jobcenter.ReasonTimeout, code(143), `process group \d+ ended by SIGTERM after`,
		},
	}
	for name, test := range tests {
		args, err := json.Marshal(command(test.command))
		if err != nil {
			t.Fatal(err)
		}
		job, err := sched.Add(ctx, jobcenter.Job{Name: name, Task: "shell", Args: args, Trigger: daily, Timeout: test.timeout})
		if err != nil {
			t.Fatal(err)
		}
		run, err := sched.RunNow(ctx, job.ID, jobcenter.StartOptions{Origin: jobcenter.OriginManual, Actor: "me"})
		if err != nil {
			t.Fatal(err)
		}
		output := func() string {
			chunks, err := sched.Store().Output(ctx, run.ID, 0, 1<<20)
			if err != nil {
				t.Fatal(err)
			}
			var text strings.Builder
			for _, chunk := range chunks {
				text.Write(chunk.Data)
			}
			return text.String()
		}
		eventually(t, name+": output is stored while it runs", func() bool { return output() == "started\n" })
		if test.stop {
			if err := sched.StopRun(ctx, run.ID, "me"); err != nil {
				t.Fatal(err)
			}
		}
		eventually(t, name+": the run ends", func() bool {
			if run, err = sched.Store().Run(ctx, run.ID); err != nil {
				t.Fatal(err)
			}
			return run.State.Final()
		})
		if run.State != test.state || run.Reason != test.reason {
			t.Errorf("%s: %s, %q, want %s, %q", name, run.State, run.Reason, test.state, test.reason)
		}
		if run.ExitCode == nil || *run.ExitCode != *test.code {
			t.Errorf("%s: exit code %v, want %d", name, run.ExitCode, *test.code)
		}
		if !regexp.MustCompile(test.message).MatchString(run.Message) {
			t.Errorf("%s: message %q, want %q", name, run.Message, test.message)
		}
	}
	if _, err := sched.Add(ctx, jobcenter.Job{Task: "shell", Args: []byte(`{"command":" "}`), Trigger: daily}); err == nil ||
		!strings.Contains(err.Error(), "task.command") {
		t.Errorf("a blank command was taken: %v", err)
	}
}
