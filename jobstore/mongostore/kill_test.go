package mongostore

import (
	"bufio"
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/jobcenter-go/jobcenter"
)

// kills is how often TestKill kills its child; -kills 200 for a long night.
var kills = flag.Int("kills", 4, "how often TestKill kills the process that writes") //nolint:gochecknoglobals // a flag of the test

const (
	killURL  = "JOBCENTER_TEST_KILL_URL" // set for the child
	killJobs = 6
)

// TestKill kills a process with SIGKILL while it claims jobs and records ends,
// again and again, and reads each time what it left behind.
func TestKill(t *testing.T) {
	t.Parallel()
	name := database(t, t.TempDir())
	store := open(t, name)
	defer closeIt(t, store)
	for i := range killJobs {
		addJobs(t, store, minutely(t, fmt.Sprint("job", i)))
	}
	told := map[string]jobcenter.RunState{} // what the child said was done
	for range *kills {
		runUntilKilled(t, urlOf(t, name), 1+rand.IntN(20), told)
		checkKilled(t, store, told)
		checkWhole(t, store)
		if t.Failed() {
			return
		}
	}
}

// runUntilKilled starts the child, notes what it says, and kills it after so
// many lines: it is at work on the next ones then.
func runUntilKilled(t *testing.T, url string, lines int, told map[string]jobcenter.RunState) {
	t.Helper()
	child := exec.CommandContext(t.Context(), os.Args[0])
	child.Env = append(os.Environ(), killURL+"="+url)
	child.Stderr = os.Stderr
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	scanner := bufio.NewScanner(out)
	for n := 1; scanner.Scan(); n++ {
		if n == lines {
			if err := child.Process.Kill(); err != nil {
				t.Fatal(err)
			}
		}
		// Lines that were written before the kill count, too.
		if state, id, ok := strings.Cut(scanner.Text(), " "); ok {
			told[id] = jobcenter.RunState(state)
		}
	}
	if err := child.Wait(); err == nil || child.ProcessState.Exited() {
		t.Fatalf("the child ended by itself: %v", err)
	}
}

// checkKilled reads all jobs and runs: each fire time has its run, up to the
// job's next, and what the child was told is so.
func checkKilled(t *testing.T, store *Store, told map[string]jobcenter.RunState) {
	t.Helper()
	stored := map[string]jobcenter.RunState{}
	for i := range killJobs {
		job := getJob(t, store, fmt.Sprint("job", i))
		fire := job.NextFireTime // of the run to come, newest first
		q := jobcenter.RunQuery{JobID: job.ID, Limit: 500}
		for more := true; more; more = q.Cursor != "" {
			page, err := store.Runs(t.Context(), q)
			if err != nil {
				t.Fatal(err)
			}
			q.Cursor = page.NextCursor
			for _, run := range page.Runs {
				fire = fire.Add(-time.Minute)
				if !run.FireTime.Equal(fire) {
					t.Errorf("run %s has fire time %v, want %v: each one once", run.ID, run.FireTime, fire)
					return
				}
				stored[run.ID] = run.State
				want := ""
				if run.State == jobcenter.RunSucceeded {
					want = run.ID
				}
				if text := outputOf(t, store, run.ID); text != want {
					t.Errorf("run %s is %s, its output %q", run.ID, run.State, text)
				}
			}
		}
		if !fire.Equal(base()) {
			t.Errorf("%s: the runs begin at %v, want %v", job.ID, fire, base())
		}
	}
	for id, state := range told {
		if got := stored[id]; got != state && got != jobcenter.RunSucceeded {
			t.Errorf("run %s was said to be %s, and is %q", id, state, got)
		}
	}
}

// writeUntilKilled claims, records and says what was done, for ever.
func writeUntilKilled(ctx context.Context, url string) error {
	store, err := Open(ctx, url, Options{Timeout: unhurried})
	if err != nil {
		return err
	}
	for {
		claimed, err := store.Claim(ctx, can(), at(1_000_000), 1+rand.IntN(killJobs), func(job jobcenter.Job, _ jobcenter.Active) jobcenter.Decision {
			minute := int(job.NextFireTime.Sub(base()) / time.Minute)
			return jobcenter.Decision{Next: at(minute + 1), Runs: []jobcenter.Run{runOf(job.ID, minute, jobcenter.RunRunning)}}
		})
		if err != nil {
			return err
		}
		var records jobcenter.Records
		for _, c := range claimed {
			for _, run := range c.Runs {
				fmt.Println(string(jobcenter.RunRunning), run.ID)
				run.State = jobcenter.RunSucceeded
				records.Output = append(records.Output, jobcenter.Chunk{RunID: run.ID, Attempt: 1, Data: []byte(run.ID)})
				records.Ends = append(records.Ends, run)
			}
		}
		if err := store.Record(ctx, records); err != nil {
			return err
		}
		for _, run := range records.Ends {
			fmt.Println(string(jobcenter.RunSucceeded), run.ID)
		}
	}
}
