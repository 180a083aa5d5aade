package sqlstore_test

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
	"github.com/jobcenter-go/jobcenter/jobstore/sqlstore"
)

// crashes is how often TestCrash kills its child; -crashes 200 for a long night.
var crashes = flag.Int("crashes", 8, "how often TestCrash kills the process that writes") //nolint:gochecknoglobals // a flag of the test

const (
	crashURL  = "JOBCENTER_TEST_CRASH_URL" // set for the child
	crashJobs = 20
)

// TestCrash kills a process with SIGKILL while it claims jobs and records
// ends, again and again, and reads each time what it left behind.
func TestCrash(t *testing.T) {
	t.Parallel()
	for _, on := range servers() {
		t.Run(on.kind, func(t *testing.T) {
			t.Parallel()
			on.start(t)
			url := on.create(t)
			store := openURL(t, url)
			for i := range crashJobs {
				if err := addJob(t.Context(), store, minutely(t, fmt.Sprintf("job%02d", i))); err != nil {
					t.Fatal(err)
				}
			}
			closeIt(t, store)
			told := map[string]jobcenter.RunState{} // what the child said was committed
			for range *crashes {
				runUntilKilled(t, url, 1+rand.IntN(60), told)
				if on.variable != "" { // the server may still be about what the dead one asked last
					execOn(t, url, "SELECT seq FROM jobcenter_job FOR UPDATE", "SELECT seq FROM jobcenter_run FOR UPDATE")
				}
				store := openURL(t, url)
				checkCrashed(t, store, told)
				closeIt(t, store)
				if t.Failed() {
					return
				}
			}
		})
	}
}

// runUntilKilled starts the child, notes what it says, and kills it after so
// many lines: it is at work on the next ones then.
func runUntilKilled(t *testing.T, url string, lines int, told map[string]jobcenter.RunState) {
	t.Helper()
	child := exec.CommandContext(t.Context(), os.Args[0])
	child.Env = append(os.Environ(), crashURL+"="+url)
	child.Stderr = os.Stderr
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	scanner := bufio.NewScanner(out)
	for n := 0; scanner.Scan(); n++ {
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

// checkCrashed reads all jobs and runs: they must agree with each other and
// with what the child was told.
func checkCrashed(t *testing.T, store *sqlstore.Store, told map[string]jobcenter.RunState) {
	t.Helper()
	if err := store.Check(t.Context()); err != nil {
		t.Error(err)
	}
	stored := map[string]bool{}
	for i := range crashJobs {
		id := fmt.Sprintf("job%02d", i)
		job, err := store.Job(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		fire := job.NextFireTime // of the run to come, newest first
		q := jobcenter.RunQuery{JobID: id, Limit: 500}
		for more := true; more; more = q.Cursor != "" {
			page, err := store.Runs(t.Context(), q)
			if err != nil {
				t.Fatal(err)
			}
			q.Cursor = page.NextCursor
			for _, run := range page.Runs {
				fire = fire.Add(-time.Minute)
				if !run.FireTime.Equal(fire) {
					t.Errorf("run %s has fire time %v, want %v: each one once, up to the job's next", run.ID, run.FireTime, fire)
					return
				}
				stored[run.ID] = true
				checkCrashedRun(t, store, run, told[run.ID])
			}
		}
		if !fire.Equal(base()) {
			t.Errorf("%s: the runs begin at %v, want %v", id, fire, base())
		}
	}
	for id := range told {
		if !stored[id] {
			t.Errorf("run %s was committed and is gone", id)
		}
	}
}

func checkCrashedRun(t *testing.T, store *sqlstore.Store, run jobcenter.Run, told jobcenter.RunState) {
	t.Helper()
	if told == jobcenter.RunSucceeded && run.State != jobcenter.RunSucceeded {
		t.Errorf("run %s is %s, its end was committed", run.ID, run.State)
	}
	chunks, err := store.Output(t.Context(), run.ID, 0, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	if ended := run.State == jobcenter.RunSucceeded; ended != (len(chunks) == 1 && string(chunks[0].Data) == run.ID && run.OutputSize == int64(len(run.ID))) {
		t.Errorf("run %s is %s with %d chunks of output, size %d: output and end belong together", run.ID, run.State, len(chunks), run.OutputSize)
	}
}

// TestMain makes this binary the process that TestCrash kills, where it is
// started as such.
func TestMain(m *testing.M) {
	if url := os.Getenv(crashURL); url != "" {
		fmt.Fprintln(os.Stderr, writeUntilKilled(context.Background(), url))
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// writeUntilKilled claims, records and says what was committed, for ever.
func writeUntilKilled(ctx context.Context, url string) error {
	store, err := sqlstore.Open(ctx, url, sqlstore.Options{})
	if err != nil {
		return err
	}
	for {
		claimed, err := store.Claim(ctx, can(), base().AddDate(100, 0, 0), 1+rand.IntN(crashJobs), func(job jobcenter.Job, _ jobcenter.Active) jobcenter.Decision {
			fire := job.NextFireTime
			return jobcenter.Decision{Next: fire.Add(time.Minute), Runs: []jobcenter.Run{{
				ID: fmt.Sprintf("%s@%d", job.ID, fire.Unix()), JobID: job.ID, FireTime: fire, LastFireTime: fire, FireCount: 1,
				Origin: jobcenter.OriginSchedule, State: jobcenter.RunRunning, Attempt: 1,
			}}}
		})
		if err != nil {
			return err
		}
		var records jobcenter.Records
		for _, c := range claimed {
			for _, run := range c.Runs {
				say(jobcenter.RunRunning, run.ID)
				run.State, run.OutputSize = jobcenter.RunSucceeded, int64(len(run.ID))
				records.Output = append(records.Output, jobcenter.Chunk{RunID: run.ID, Attempt: 1, Data: []byte(run.ID)})
				records.Ends = append(records.Ends, run)
			}
		}
		if err := store.Record(ctx, records); err != nil {
			return err
		}
		for _, run := range records.Ends {
			say(jobcenter.RunSucceeded, run.ID)
		}
	}
}

func say(state jobcenter.RunState, id string) { fmt.Println(string(state), id) }
