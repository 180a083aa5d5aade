package jobcenter_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jobcenter-go/jobcenter"
	"github.com/jobcenter-go/jobcenter/trigger"
)

// bench is a scheduler that runs in the background of a test.
type bench struct {
	*jobcenter.Scheduler
	t    *testing.T
	stop func()
}

// start runs a scheduler with one task, "work", until the test ends or stop is called.
func start(t *testing.T, opts jobcenter.Options, work jobcenter.TaskFunc) *bench {
	t.Helper()
	opts.Tasks = map[string]jobcenter.Task{"work": work}
	sched, err := jobcenter.New(opts)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if err := sched.Run(ctx); err != nil {
			t.Errorf("Run: %v", err)
		}
	}()
	b := &bench{Scheduler: sched, t: t, stop: func() { cancel(); <-ended }}
	t.Cleanup(b.stop)
	return b
}

func (b *bench) add(job jobcenter.Job) jobcenter.Job {
	b.t.Helper()
	job.Task = "work"
	added, err := b.Add(b.t.Context(), job)
	if err != nil {
		b.t.Fatal(err)
	}
	return added
}

// runs returns a job's rows, oldest first.
func (b *bench) runs(jobID string) []jobcenter.Run {
	b.t.Helper()
	var runs []jobcenter.Run
	q := jobcenter.RunQuery{JobID: jobID, Limit: 500}
	for {
		page, err := b.Store().Runs(context.WithoutCancel(b.t.Context()), q)
		if err != nil {
			b.t.Fatal(err)
		}
		runs = append(runs, page.Runs...)
		if q.Cursor = page.NextCursor; q.Cursor == "" {
			slices.Reverse(runs)
			return runs
		}
	}
}

func (b *bench) only(jobID string) jobcenter.Run {
	b.t.Helper()
	runs := b.runs(jobID)
	if len(runs) != 1 {
		b.t.Fatalf("job %q has %d rows, want 1: %+v", jobID, len(runs), runs)
	}
	return runs[0]
}

func interval(t *testing.T, d time.Duration) trigger.Trigger {
	t.Helper()
	every, err := trigger.Every(d)
	if err != nil {
		t.Fatal(err)
	}
	return every
}

// never is far enough away for tests that start their runs by hand.
func never(t *testing.T) trigger.Trigger {
	t.Helper()
	return interval(t, 1000*time.Hour)
}

func nothing(context.Context, *jobcenter.RunContext) error { return nil }

func TestFiresEveryMinuteForADay(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var wrong, ran atomic.Int64
		b := start(t, jobcenter.Options{}, func(_ context.Context, run *jobcenter.RunContext) error {
			ran.Add(1)
			if late := time.Since(run.FireTime()); late != 0 {
				wrong.Add(1)
			}
			return nil
		})
		b.add(jobcenter.Job{ID: "tick", Trigger: interval(t, time.Minute)})
		time.Sleep(24*time.Hour + time.Second)
		synctest.Wait()
		if ran.Load() != 24*60 || wrong.Load() != 0 {
			t.Errorf("ran %d times, %d of them late; want %d and 0", ran.Load(), wrong.Load(), 24*60)
		}
		for i, run := range b.runs("tick") {
			if run.State != jobcenter.RunSucceeded || run.Attempt != 1 || run.Lateness() != 0 {
				t.Fatalf("row %d = %+v", i, run)
			}
		}
	})
}

func TestWakesForAJobThatIsAddedWhileItSleeps(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := start(t, jobcenter.Options{PollInterval: time.Hour}, nothing)
		b.add(jobcenter.Job{ID: "far", Trigger: never(t)})
		synctest.Wait()
		b.add(jobcenter.Job{ID: "soon", Trigger: interval(t, 30*time.Second)})
		time.Sleep(31 * time.Second)
		synctest.Wait()
		if run := b.only("soon"); run.State != jobcenter.RunSucceeded {
			t.Errorf("run = %+v", run)
		}
	})
}

func TestHowRunsEnd(t *testing.T) {
	t.Parallel()
	code3 := 3
	tests := map[string]struct {
		work    jobcenter.TaskFunc
		timeout time.Duration
		stop    bool
		state   jobcenter.RunState
		reason  jobcenter.Reason
		message string
		code    *int
	}{
		"well":  {work: nothing, state: jobcenter.RunSucceeded},
		"error": {work: func(context.Context, *jobcenter.RunContext) error { return errors.New("no luck") }, state: jobcenter.RunFailed, reason: jobcenter.ReasonError, message: "no luck"},
		"exit code": {
			work:  func(context.Context, *jobcenter.RunContext) error { return &jobcenter.ExitError{Code: 3} },
			state: jobcenter.RunFailed, reason: jobcenter.ReasonExitCode, message: "exit code 3", code: &code3,
		},
		"panic": {work: func(context.Context, *jobcenter.RunContext) error { panic("ouch") }, state: jobcenter.RunFailed, reason: jobcenter.ReasonPanic, message: "panic: ouch"},
		"cannot start": {work: func(context.Context, *jobcenter.RunContext) error {
			return &jobcenter.StartError{Err: errors.New("gone")}
		}, state: jobcenter.RunFailed, reason: jobcenter.ReasonStartFailed, message: "could not start: gone"},
		"too long": {work: untilDone, timeout: time.Second, state: jobcenter.RunTimedOut, reason: jobcenter.ReasonTimeout, message: "time limit reached"},
		"stopped":  {work: untilDone, stop: true, state: jobcenter.RunStopped, reason: jobcenter.ReasonStop, message: "stopped by li@example.com"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				b := start(t, jobcenter.Options{}, test.work)
				b.add(jobcenter.Job{ID: "j", Trigger: never(t), Timeout: test.timeout})
				if _, err := b.RunNow(t.Context(), "j", jobcenter.StartOptions{Origin: jobcenter.OriginManual, Actor: "li@example.com"}); err != nil {
					t.Fatal(err)
				}
				time.Sleep(2 * time.Second)
				if test.stop {
					if err := b.StopRun(t.Context(), b.only("j").ID, "li@example.com"); err != nil {
						t.Fatal(err)
					}
					time.Sleep(time.Second)
				}
				synctest.Wait()
				run := b.only("j")
				if run.State != test.state || run.Reason != test.reason || run.Message != test.message || run.EndedAt.IsZero() {
					t.Errorf("run = %+v", run)
				}
				if (run.ExitCode == nil) != (test.code == nil) || test.code != nil && *run.ExitCode != *test.code {
					t.Errorf("exit code = %v, want %v", run.ExitCode, test.code)
				}
				if err := b.StopRun(t.Context(), run.ID, ""); !test.stop && !errors.Is(err, jobcenter.ErrNotRunning) {
					t.Errorf("stopping an ended run: %v", err)
				}
			})
		})
	}
}

func TestStopsAQueuedRun(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		pool, err := jobcenter.NewPool(1)
		if err != nil {
			t.Fatal(err)
		}
		b := start(t, jobcenter.Options{Executors: map[string]jobcenter.Executor{jobcenter.DefaultExecutor: pool}}, untilDone)
		for _, id := range []string{"first", "second"} {
			b.add(jobcenter.Job{ID: id, Trigger: never(t)})
			if _, err := b.RunNow(t.Context(), id, jobcenter.StartOptions{Origin: jobcenter.OriginManual}); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
		}
		queued := b.only("second")
		if queued.State != jobcenter.RunQueued {
			t.Fatalf("second = %s, want queued", queued.State)
		}
		if err := b.StopRun(t.Context(), queued.ID, "li"); err != nil {
			t.Fatal(err)
		}
		if run := b.only("second"); run.State != jobcenter.RunStopped || run.Reason != jobcenter.ReasonStop || run.Message != "stopped by li" || !run.StartedAt.IsZero() {
			t.Errorf("second = %+v", run)
		}
		if err := b.StopRun(t.Context(), queued.ID, "li"); !errors.Is(err, jobcenter.ErrNotRunning) {
			t.Errorf("stopping it again: %v", err)
		}
		if err := b.StopRun(t.Context(), "none", ""); !errors.Is(err, jobcenter.ErrRunNotFound) {
			t.Errorf("stopping an unknown run: %v", err)
		}
		if err := b.StopRun(t.Context(), b.only("first").ID, ""); err != nil {
			t.Error(err)
		}
	})
}

func untilDone(ctx context.Context, _ *jobcenter.RunContext) error {
	<-ctx.Done()
	return context.Cause(ctx)
}

func TestOverlapIsSkippedAndSaysSo(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := start(t, jobcenter.Options{}, func(context.Context, *jobcenter.RunContext) error {
			time.Sleep(2500 * time.Millisecond)
			return nil
		})
		b.add(jobcenter.Job{ID: "slow", Trigger: interval(t, time.Second)})
		time.Sleep(9*time.Second + 600*time.Millisecond)
		synctest.Wait()
		var got []string
		for _, run := range b.runs("slow") {
			got = append(got, string(run.State)+string(run.Reason))
		}
		want := "succeeded skippedoverlap skippedoverlap succeeded skippedoverlap skippedoverlap succeeded skippedoverlap skippedoverlap"
		if strings.Join(got, " ") != want {
			t.Errorf("rows = %v, want %s", got, want)
		}
		if _, err := b.RunNow(t.Context(), "slow", jobcenter.StartOptions{Origin: jobcenter.OriginAPI}); err != nil {
			t.Errorf("run now between runs: %v", err)
		}
		synctest.Wait()
		if _, err := b.RunNow(t.Context(), "slow", jobcenter.StartOptions{Origin: jobcenter.OriginAPI}); !errors.Is(err, jobcenter.ErrOverlap) {
			t.Errorf("run now during a run: %v, want ErrOverlap", err)
		}
	})
}

// A full executor: what is due waits in the store, starts in order as places
// become free, and is recorded as missed when that took too long.
func TestFullExecutorQueuesInTheStore(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		pool, err := jobcenter.NewPool(2)
		if err != nil {
			t.Fatal(err)
		}
		var mu sync.Mutex
		var order []string
		now, most := 0, 0
		b := start(t, jobcenter.Options{Executors: map[string]jobcenter.Executor{jobcenter.DefaultExecutor: pool}}, func(_ context.Context, run *jobcenter.RunContext) error {
			mu.Lock()
			order = append(order, run.Job.ID)
			now++
			most = max(most, now)
			mu.Unlock()
			time.Sleep(20 * time.Second)
			mu.Lock()
			now--
			mu.Unlock()
			return nil
		})
		for i := range 10 {
			at, err := trigger.NewDate(time.Now().Add(time.Second + time.Duration(i)*time.Millisecond))
			if err != nil {
				t.Fatal(err)
			}
			b.add(jobcenter.Job{ID: fmt.Sprintf("j%d", i), Trigger: at, MisfireGrace: time.Minute})
		}
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if run := b.only("j9"); run.State != jobcenter.RunQueued {
			t.Errorf("j9 = %s while the executor is full, want queued", run.State)
		}
		time.Sleep(200 * time.Second)
		synctest.Wait()
		// Two start in the same instant; only their order among each other is open.
		for pair := range slices.Chunk(order, 2) {
			slices.Sort(pair)
		}
		if !slices.IsSorted(order) {
			t.Errorf("started in the order %v", order)
		}
		if most != 2 {
			t.Errorf("%d at once, want 2", most)
		}
		missed := 0
		for i := range 10 {
			run := b.only(fmt.Sprintf("j%d", i))
			if run.State == jobcenter.RunMissed && run.Reason == jobcenter.ReasonMisfire && strings.Contains(run.Message, "waited") {
				missed++
			} else if run.State != jobcenter.RunSucceeded {
				t.Errorf("j%d = %+v", i, run)
			}
		}
		if missed+len(order) != 10 || missed == 0 {
			t.Errorf("%d ran and %d were missed, want 10 together and some of each", len(order), missed)
		}
	})
}

// All fire times that a busy or absent scheduler let pass run one after the
// other when the job says so.
func TestCoalesceAllRunsOneAfterTheOther(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := jobcenter.NewMemoryStore(0)
		first := start(t, jobcenter.Options{Store: store, Node: "n"}, nothing)
		first.add(jobcenter.Job{ID: "j", Trigger: interval(t, time.Second), Coalesce: jobcenter.CoalesceAll})
		synctest.Wait()
		first.stop()
		time.Sleep(30 * time.Second)
		var now, most atomic.Int64
		b := start(t, jobcenter.Options{Store: store, Node: "n"}, func(context.Context, *jobcenter.RunContext) error {
			most.Store(max(most.Load(), now.Add(1)))
			time.Sleep(time.Millisecond)
			now.Add(-1)
			return nil
		})
		time.Sleep(900 * time.Millisecond)
		synctest.Wait()
		ran := 0
		for _, run := range b.runs("j") {
			if run.State == jobcenter.RunSucceeded {
				ran++
			}
		}
		if ran != 30 || most.Load() != 1 {
			t.Errorf("%d ran, up to %d at once; want 30, one at a time", ran, most.Load())
		}
	})
}

func TestPauseLeavesOneRowForWhatPassed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := start(t, jobcenter.Options{}, nothing)
		b.add(jobcenter.Job{ID: "j", Trigger: interval(t, time.Second)})
		time.Sleep(2500 * time.Millisecond)
		job, err := b.Pause(t.Context(), "j", jobcenter.PauseOptions{})
		if err != nil || job.State() != jobcenter.JobPaused || job.Version != 2 {
			t.Fatalf("pause: %+v, %v", job, err)
		}
		time.Sleep(time.Hour)
		if runs := b.runs("j"); len(runs) != 2 {
			t.Errorf("%d rows while paused, want 2", len(runs))
		}
		if _, err := b.RunNow(t.Context(), "j", jobcenter.StartOptions{Origin: jobcenter.OriginManual}); err != nil {
			t.Errorf("a paused job can be run by hand: %v", err)
		}
		job, err = b.Resume(t.Context(), "j")
		if err != nil || job.State() != jobcenter.JobActive {
			t.Fatalf("resume: %+v, %v", job, err)
		}
		time.Sleep(2 * time.Second)
		synctest.Wait()
		runs := b.runs("j")
		if len(runs) != 6 {
			t.Fatalf("%d rows, want 2 before, 1 for the pause, 1 by hand, 2 after: %+v", len(runs), runs)
		}
		if gap := runs[2]; gap.State != jobcenter.RunSkipped || gap.Reason != jobcenter.ReasonPaused || gap.FireCount != 3600 {
			t.Errorf("row of the pause = %+v, want 3600 skipped", gap)
		}
	})
}

func TestModify(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := start(t, jobcenter.Options{}, nothing)
		before := b.add(jobcenter.Job{ID: "j", Trigger: interval(t, time.Minute)})
		time.Sleep(10 * time.Second)

		same, err := b.Modify(t.Context(), "j", func(job *jobcenter.Job) error {
			job.Trigger = interval(t, time.Minute) // no phase of its own: keeps that of before
			job.ID, job.Version, job.NextFireTime = "other", 99, time.Time{}
			return nil
		})
		if err != nil || same.Version != 1 || !same.NextFireTime.Equal(before.NextFireTime) || same.ID != "j" {
			t.Errorf("nothing changed, got %+v, %v", same, err)
		}
		renamed, err := b.Modify(t.Context(), "j", func(job *jobcenter.Job) error { job.Name = "改名"; return nil })
		if err != nil || renamed.Version != 2 || !renamed.NextFireTime.Equal(before.NextFireTime) {
			t.Errorf("a new name keeps the next fire time, got %+v, %v", renamed, err)
		}
		faster, err := b.Modify(t.Context(), "j", func(job *jobcenter.Job) error { job.Trigger = interval(t, time.Second); return nil })
		if err != nil || faster.Version != 3 || !faster.NextFireTime.Equal(time.Now().Add(time.Second)) {
			t.Errorf("a new trigger counts from now, got %+v, %v", faster, err)
		}
		time.Sleep(3 * time.Second)
		synctest.Wait()
		if runs := b.runs("j"); len(runs) != 3 || runs[0].JobVersion != 3 {
			t.Errorf("rows = %+v, want 3 of version 3", runs)
		}
		refused := errors.New("no")
		if _, err := b.Modify(t.Context(), "j", func(*jobcenter.Job) error { return refused }); !errors.Is(err, refused) {
			t.Errorf("the error of change = %v", err)
		}
		if _, err := b.Modify(t.Context(), "none", func(*jobcenter.Job) error { return nil }); !errors.Is(err, jobcenter.ErrJobNotFound) {
			t.Errorf("unknown job: %v", err)
		}
	})
}

func TestRemoveKeepsTheLedger(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := start(t, jobcenter.Options{}, nothing)
		b.add(jobcenter.Job{ID: "j", Trigger: interval(t, time.Second)})
		time.Sleep(3 * time.Second)
		synctest.Wait()
		if err := b.Remove(t.Context(), "j"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(3 * time.Second)
		if n := len(b.runs("j")); n != 3 {
			t.Errorf("%d rows, want the 3 from before", n)
		}
		if err := b.Remove(t.Context(), "j"); !errors.Is(err, jobcenter.ErrJobNotFound) {
			t.Errorf("removing again: %v", err)
		}
		b.add(jobcenter.Job{ID: "j", Trigger: interval(t, time.Second)})
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if n := len(b.runs("j")); n != 5 {
			t.Errorf("%d rows after adding it again, want 5", n)
		}
	})
}

func TestBadJobs(t *testing.T) {
	t.Parallel()
	past, err := trigger.NewDate(time.Now().Add(-time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	backwards, err := trigger.NewInterval(time.Hour, trigger.Options{Start: time.Now().Add(time.Hour), End: time.Now().Add(time.Minute)})
	if err != nil {
		t.Fatal(err)
	}
	good := func() jobcenter.Job { return jobcenter.Job{Task: "work", Trigger: never(t)} }
	tests := map[string]struct {
		spoil func(*jobcenter.Job)
		field string
	}{
		"id":          {func(j *jobcenter.Job) { j.ID = "../etc/passwd" }, "id"},
		"id length":   {func(j *jobcenter.Job) { j.ID = strings.Repeat("x", 129) }, "id"},
		"name":        {func(j *jobcenter.Job) { j.Name = "a\x00b" }, "name"},
		"task":        {func(j *jobcenter.Job) { j.Task = "nope" }, "task"},
		"args":        {func(j *jobcenter.Job) { j.Args = []byte("{") }, "args"},
		"no trigger":  {func(j *jobcenter.Job) { j.Trigger = nil }, "trigger"},
		"end first":   {func(j *jobcenter.Job) { j.Trigger = backwards }, "trigger.end_date"},
		"past":        {func(j *jobcenter.Job) { j.Trigger = past }, "trigger"},
		"executor":    {func(j *jobcenter.Job) { j.Executor = "nope" }, "executor"},
		"coalesce":    {func(j *jobcenter.Job) { j.Coalesce = "sometimes" }, "coalesce"},
		"overlap":     {func(j *jobcenter.Job) { j.Overlap = "queue" }, "overlap"},
		"instances":   {func(j *jobcenter.Job) { j.MaxInstances = -1 }, "max_instances"},
		"timeout":     {func(j *jobcenter.Job) { j.Timeout = -1 }, "timeout"},
		"tag twice":   {func(j *jobcenter.Job) { j.Tags = []string{"a", "a"} }, "tags"},
		"tag is long": {func(j *jobcenter.Job) { j.Tags = []string{strings.Repeat("标", 65)} }, "tags"},
	}
	sched, err := jobcenter.New(jobcenter.Options{Tasks: map[string]jobcenter.Task{"work": jobcenter.TaskFunc(nothing)}})
	if err != nil {
		t.Fatal(err)
	}
	for name, test := range tests {
		job := good()
		test.spoil(&job)
		_, err := sched.Add(t.Context(), job)
		var field *jobcenter.FieldError
		if !errors.As(err, &field) || field.Field != test.field || !errors.Is(err, jobcenter.ErrInvalidJob) {
			t.Errorf("%s: error %v, want one of field %q", name, err, test.field)
		}
	}
	page, err := sched.Store().Jobs(t.Context(), jobcenter.JobQuery{})
	if err != nil || len(page.Jobs) != 0 {
		t.Errorf("%d jobs were stored, %v", len(page.Jobs), err)
	}
	job := good()
	job.ID = "twice"
	if _, err := sched.Add(t.Context(), job); err != nil {
		t.Fatal(err)
	}
	if _, err := sched.Add(t.Context(), job); !errors.Is(err, jobcenter.ErrConflict) {
		t.Errorf("the same id again: %v, want ErrConflict", err)
	}
}

func TestShutdownLetsRunsEndAndInterruptsTheRest(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := start(t, jobcenter.Options{StopGrace: 10 * time.Second}, func(ctx context.Context, run *jobcenter.RunContext) error {
			if run.Job.ID == "stubborn" {
				return untilDone(ctx, run)
			}
			time.Sleep(5 * time.Second)
			return nil
		})
		for _, id := range []string{"quick", "stubborn"} {
			b.add(jobcenter.Job{ID: id, Trigger: never(t)})
			if _, err := b.RunNow(t.Context(), id, jobcenter.StartOptions{Origin: jobcenter.OriginManual}); err != nil {
				t.Fatal(err)
			}
		}
		b.add(jobcenter.Job{ID: "due", Trigger: interval(t, 3*time.Second)})
		synctest.Wait()
		began := time.Now()
		b.stop()
		if took := time.Since(began); took != 10*time.Second {
			t.Errorf("stopping took %s, want 10s", took)
		}
		if run := b.only("quick"); run.State != jobcenter.RunSucceeded {
			t.Errorf("quick = %+v", run)
		}
		if run := b.only("stubborn"); run.State != jobcenter.RunStopped || run.Reason != jobcenter.ReasonShutdown {
			t.Errorf("stubborn = %+v", run)
		}
		if runs := b.runs("due"); len(runs) != 0 {
			t.Errorf("fired while stopping: %+v", runs)
		}
	})
}

func TestGivesUpATaskThatNeverReturns(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		b := start(t, jobcenter.Options{StopGrace: -1}, func(context.Context, *jobcenter.RunContext) error {
			<-release
			return nil
		})
		b.add(jobcenter.Job{ID: "j", Trigger: never(t)})
		if _, err := b.RunNow(t.Context(), "j", jobcenter.StartOptions{Origin: jobcenter.OriginManual}); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		b.stop()
		if run := b.only("j"); run.State != jobcenter.RunStopped || !strings.Contains(run.Message, "did not return") {
			t.Errorf("run = %+v", run)
		}
		close(release)
	})
}

func TestRecordsRunsOfItsFormerLifeAsLost(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := jobcenter.NewMemoryStore(0)
		died := jobcenter.Run{ID: "r1", JobID: "gone", FireTime: time.Now(), LastFireTime: time.Now(), FireCount: 1, Executor: "default"}
		died.State, died.Node, died.Attempt, died.StartedAt = jobcenter.RunRunning, "me", 1, time.Now()
		other := died
		other.ID, other.JobID, other.Node = "r2", "elsewhere", "other"
		sched, err := jobcenter.New(jobcenter.Options{Store: store, Tasks: map[string]jobcenter.Task{"work": jobcenter.TaskFunc(nothing)}})
		if err != nil {
			t.Fatal(err)
		}
		for _, run := range []jobcenter.Run{died, other} {
			if _, err := sched.Add(t.Context(), jobcenter.Job{ID: run.JobID, Task: "work", Trigger: never(t)}); err != nil {
				t.Fatal(err)
			}
			if _, err := store.UpdateJob(t.Context(), run.JobID, func(job jobcenter.Job, _ jobcenter.Active) (jobcenter.Job, []jobcenter.Run, error) {
				return job, []jobcenter.Run{run}, nil
			}); err != nil {
				t.Fatal(err)
			}
		}
		if err := store.Heartbeat(t.Context(), "other", time.Now().Add(20*time.Second)); err != nil {
			t.Fatal(err)
		}
		b := start(t, jobcenter.Options{Store: store, Node: "me"}, nothing)
		synctest.Wait()
		if run := b.only("gone"); run.State != jobcenter.RunLost || run.Reason != jobcenter.ReasonNodeDied {
			t.Errorf("own run = %+v, want lost at once", run)
		}
		if run := b.only("elsewhere"); run.State != jobcenter.RunRunning {
			t.Errorf("run of a node with a lease = %+v, want running", run)
		}
		time.Sleep(30 * time.Second)
		if run := b.only("elsewhere"); run.State != jobcenter.RunLost {
			t.Errorf("run of a node without a lease = %+v, want lost", run)
		}
	})
}

// slowRecovery takes a while to end what a dead process left.
type slowRecovery struct{ jobcenter.TaskFunc }

func (slowRecovery) Recover(context.Context, jobcenter.Run) (string, error) {
	time.Sleep(10 * time.Second)
	return "its child was ended", nil
}

func TestOtherJobsFireDuringALongRecovery(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := jobcenter.NewMemoryStore(0)
		opts := jobcenter.Options{Store: store, Node: "me", Tasks: map[string]jobcenter.Task{"work": slowRecovery{nothing}}}
		sched, err := jobcenter.New(opts)
		if err != nil {
			t.Fatal(err)
		}
		for _, id := range []string{"dead", "alive"} {
			if _, err := sched.Add(t.Context(), jobcenter.Job{ID: id, Task: "work", Trigger: interval(t, time.Second)}); err != nil {
				t.Fatal(err)
			}
		}
		now := time.Now()
		died := jobcenter.Run{
			ID: "r1", JobID: "dead", FireTime: now, LastFireTime: now, FireCount: 1, Executor: "default",
			State: jobcenter.RunRunning, Node: "me", Attempt: 1, StartedAt: now,
		}
		if _, err := store.UpdateJob(t.Context(), "dead", func(job jobcenter.Job, _ jobcenter.Active) (jobcenter.Job, []jobcenter.Run, error) {
			return job, []jobcenter.Run{died}, nil
		}); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 15500*time.Millisecond)
		defer cancel()
		if err := sched.Run(ctx); err != nil {
			t.Fatal(err)
		}
		b := &bench{Scheduler: sched, t: t}
		ran := func(id string) (n int) {
			for _, run := range b.runs(id) {
				if run.State == jobcenter.RunSucceeded {
					n++
				}
			}
			return n
		}
		if n := ran("alive"); n != 15 {
			t.Errorf("alive ran %d times, want 15", n)
		}
		if n := ran("dead"); n != 5 && n != 6 {
			t.Errorf("dead ran %d times, want those after its recovery", n)
		}
		lost, err := store.Run(context.WithoutCancel(t.Context()), "r1")
		if err != nil || lost.State != jobcenter.RunLost || !strings.HasSuffix(lost.Message, "; its child was ended") {
			t.Errorf("lost run = %+v, %v", lost, err)
		}
	})
}

// flaky fails every method of a store while it is down.
type flaky struct {
	jobcenter.JobStore
	down atomic.Bool
}

var errDown = errors.New("the store is down")

func (f *flaky) check() error {
	if f.down.Load() {
		return errDown
	}
	return nil
}

func (f *flaky) NextDue(ctx context.Context, can jobcenter.Can) (time.Time, bool, error) {
	if err := f.check(); err != nil {
		return time.Time{}, false, err
	}
	return f.JobStore.NextDue(ctx, can)
}

func (f *flaky) Claim(ctx context.Context, can jobcenter.Can, now time.Time, limit int, decide func(jobcenter.Job, jobcenter.Active) jobcenter.Decision) ([]jobcenter.Claimed, error) {
	if err := f.check(); err != nil {
		return nil, err
	}
	return f.JobStore.Claim(ctx, can, now, limit, decide)
}

func (f *flaky) Record(ctx context.Context, records jobcenter.Records) error {
	if err := f.check(); err != nil {
		return err
	}
	return f.JobStore.Record(ctx, records)
}

func (f *flaky) Heartbeat(ctx context.Context, node string, until time.Time) error {
	if err := f.check(); err != nil {
		return err
	}
	return f.JobStore.Heartbeat(ctx, node, until)
}

func TestOutlivesAStoreThatIsDown(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := &flaky{JobStore: jobcenter.NewMemoryStore(0)}
		b := start(t, jobcenter.Options{Store: store}, func(_ context.Context, run *jobcenter.RunContext) error {
			_, err := fmt.Fprintln(run.Stdout, "ran")
			time.Sleep(500 * time.Millisecond)
			return err
		})
		b.add(jobcenter.Job{ID: "j", Trigger: interval(t, time.Second), Coalesce: jobcenter.CoalesceAll})
		time.Sleep(2*time.Second + 100*time.Millisecond) // in the midst of the second run
		store.down.Store(true)
		time.Sleep(30 * time.Second)
		if err := b.Health().Err(); !errors.Is(err, errDown) {
			t.Errorf("health = %v, want %v", err, errDown)
		}
		store.down.Store(false)
		time.Sleep(60 * time.Second)
		if err := b.Health().Err(); err != nil {
			t.Errorf("health = %v after the store came back", err)
		}
		next := time.Date(2000, 1, 1, 0, 0, 1, 0, time.UTC)
		for i, run := range b.runs("j") {
			if !run.FireTime.Equal(next) {
				t.Fatalf("row %d is of %s, want %s", i, run.FireTime, next)
			}
			if next = run.LastFireTime.Add(time.Second); i < 30 && run.State != jobcenter.RunSucceeded {
				t.Fatalf("row %d, due while the store was down = %+v", i, run)
			}
		}
		if next.Before(time.Now()) {
			t.Errorf("the ledger ends at %s, it is %s", next, time.Now())
		}
	})
}

func TestOutputIsKeptAndFollowed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		bytesOfAllKinds := []byte("a\x00\xff\xfe\xb2\xe2\xca\xd4\U0001F600\n")
		b := start(t, jobcenter.Options{}, func(_ context.Context, run *jobcenter.RunContext) error {
			for _, w := range []interface{ Write([]byte) (int, error) }{run.Stdout, run.Stderr} {
				if _, err := w.Write(bytesOfAllKinds); err != nil {
					return err
				}
			}
			time.Sleep(time.Hour)
			_, err := run.Stdout.Write([]byte("end"))
			return err
		})
		b.add(jobcenter.Job{ID: "j", Trigger: never(t)})
		run, err := b.RunNow(t.Context(), "j", jobcenter.StartOptions{Origin: jobcenter.OriginManual})
		if err != nil {
			t.Fatal(err)
		}
		changes := 0
		time.Sleep(time.Minute)
		chunks, err := b.Store().Output(t.Context(), run.ID, 0, 1<<20)
		if err != nil || len(chunks) != 2 || chunks[0].Stream != jobcenter.Stdout || chunks[1].Stream != jobcenter.Stderr ||
			!bytes.Equal(chunks[0].Data, bytesOfAllKinds) || !bytes.Equal(chunks[1].Data, bytesOfAllKinds) || chunks[1].Offset != int64(len(bytesOfAllKinds)) {
			t.Fatalf("output while it runs = %+v, %v", chunks, err)
		}
		for {
			changed, cancel := b.WatchRun(run.ID)
			now, err := b.Store().Run(t.Context(), run.ID)
			if err != nil {
				t.Fatal(err)
			}
			if now.State.Final() {
				cancel()
				break
			}
			<-changed
			changes++
		}
		if changes == 0 {
			t.Error("the end of the run was not announced")
		}
		ended, err := b.Store().Run(t.Context(), run.ID)
		if want := int64(2*len(bytesOfAllKinds) + 3); err != nil || ended.OutputSize != want || ended.OutputKept != want {
			t.Errorf("ended = %+v, %v, want %d bytes", ended, err, want)
		}
	})
}

func TestLongOutputKeepsBeginningAndEnd(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		limit int64
		lines int64 // of 10 bytes
		pause time.Duration
	}{
		"at once":                 {1 << 20, 400_000, 0},
		"slowly":                  {1 << 20, 400_000, 300 * time.Millisecond},
		"limit of one chunk":      {64 << 10, 40_000, 10 * time.Millisecond},
		"limit of a hundred":      {100, 1000, 0},
		"limit of a few, all odd": {21, 1000, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			limit, lines, pause := test.limit, test.lines, test.pause
			synctest.Test(t, func(t *testing.T) {
				b := start(t, jobcenter.Options{OutputLimit: limit}, func(_ context.Context, run *jobcenter.RunContext) error {
					var text []byte
					for i := range lines {
						text = fmt.Appendf(text, "%09d\n", i)
						if len(text) > 100_000 || i == lines-1 {
							if _, err := run.Stdout.Write(text); err != nil {
								return err
							}
							text = text[:0]
							time.Sleep(pause)
						}
					}
					return nil
				})
				b.add(jobcenter.Job{ID: "j", Trigger: never(t)})
				run, err := b.RunNow(t.Context(), "j", jobcenter.StartOptions{Origin: jobcenter.OriginManual})
				if err != nil {
					t.Fatal(err)
				}
				time.Sleep(time.Hour)
				ended, err := b.Store().Run(t.Context(), run.ID)
				if err != nil || ended.State != jobcenter.RunSucceeded || ended.OutputSize != lines*10 || ended.OutputKept > limit || ended.OutputKept < limit*7/10 {
					t.Fatalf("run = %+v, %v", ended, err)
				}
				chunks, err := b.Store().Output(t.Context(), run.ID, 0, 1<<30)
				if err != nil {
					t.Fatal(err)
				}
				var at, kept int64
				gaps := 0
				for _, chunk := range chunks {
					if chunk.Offset != at {
						gaps++
						if at != limit/2 {
							t.Errorf("gap at %d, want %d", at, limit/2)
						}
					}
					for i, c := range chunk.Data {
						offset := chunk.Offset + int64(i)
						if want := fmt.Sprintf("%09d\n", offset/10)[offset%10]; c != want {
							t.Fatalf("byte %d is %q, want %q", offset, c, want)
						}
					}
					at = chunk.Offset + int64(len(chunk.Data))
					kept += int64(len(chunk.Data))
				}
				if gaps != 1 || at != lines*10 || kept != ended.OutputKept || kept <= limit/2 {
					t.Errorf("%d gaps, ends at %d, %d bytes kept; run says %d", gaps, at, kept, ended.OutputKept)
				}
			})
		})
	}
}

func TestManyJobsInOneSecond(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var ran atomic.Int64
		b := start(t, jobcenter.Options{}, func(context.Context, *jobcenter.RunContext) error {
			ran.Add(1)
			return nil
		})
		for i := range 1000 {
			b.add(jobcenter.Job{ID: fmt.Sprintf("j%d", i), Trigger: interval(t, time.Second)})
		}
		time.Sleep(5 * time.Second)
		synctest.Wait()
		if ran.Load() != 5000 {
			t.Errorf("%d runs, want 5000", ran.Load())
		}
	})
}
