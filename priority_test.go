package jobcenter_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jobcenter-go/jobcenter"
)

// order keeps which jobs began, in order.
type order struct {
	mu  sync.Mutex
	ids []string
}

func (o *order) of(work jobcenter.TaskFunc) jobcenter.TaskFunc {
	return func(ctx context.Context, run *jobcenter.RunContext) error {
		o.mu.Lock()
		o.ids = append(o.ids, run.Job.ID)
		o.mu.Unlock()
		return work(ctx, run)
	}
}

func (o *order) want(t *testing.T, want string) {
	t.Helper()
	o.mu.Lock()
	defer o.mu.Unlock()
	if got := strings.Join(o.ids, " "); got != want {
		t.Errorf("began in the order %s\nwant               %s", got, want)
	}
}

// Of what waits for an executor, the highest priority begins first, and among
// equals what has waited longest.
func TestPriorityOfWhatWaits(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		began := &order{}
		b := begin(t, jobcenter.Options{Executors: poolOf(t, 1)}, began.of(lasting(time.Minute)))
		for i, job := range []jobcenter.Job{
			{ID: "busy"}, {ID: "low", Priority: -5}, {ID: "early"}, {ID: "late"}, {ID: "high", Priority: 10}, {ID: "higher", Priority: 1000},
		} {
			job.Trigger, job.MisfireGrace = date(t, begun().Add(time.Duration(i+1)*time.Second)), jobcenter.NeverTooLate
			b.add(job)
		}
		b.wait(10 * time.Minute)
		began.want(t, "busy higher high early late low")
	})
}

// Due at the same instant, the highest priority takes the free places.
func TestPriorityAtTheSameInstant(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := begin(t, jobcenter.Options{Executors: poolOf(t, 3)}, lasting(time.Hour))
		for i := range 10 {
			b.add(jobcenter.Job{ID: fmt.Sprint("j", i), Priority: i, Trigger: date(t, begun().Add(time.Minute))})
		}
		b.wait(time.Minute + time.Second)
		for i := range 10 {
			want := "queued 1m0s"
			if i >= 7 {
				want = "running 1m0s"
			}
			b.wantRows(fmt.Sprint("j", i), want)
		}
	})
}

// The priority is that of the job when the run was made; the default is the
// scheduler's.
func TestPriorityIsOfTheRun(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, jobcenter.Options{Defaults: jobcenter.Job{Priority: 5}}, nothing)
		b.add(jobcenter.Job{ID: "j", Trigger: never(t), MaxInstances: 3})
		b.run("j")
		time.Sleep(time.Second)
		if _, err := b.Modify(t.Context(), "j", func(job *jobcenter.Job) error { job.Priority = 9; return nil }); err != nil {
			t.Fatal(err)
		}
		b.run("j")
		if runs := b.runs("j"); runs[0].Priority != 5 || runs[1].Priority != 9 {
			t.Errorf("priorities %d and %d, want 5 and 9", runs[0].Priority, runs[1].Priority)
		}
	})
}

// A job with many runs to make up for does not keep out others: they take turns.
func TestJobsTakeTurns(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		began := &order{}
		b := newBench(t, jobcenter.Options{Executors: poolOf(t, 1)}, began.of(lasting(10*time.Second)))
		for _, id := range []string{"a", "b"} {
			b.add(jobcenter.Job{
				ID: id, Trigger: parsed(t, `interval minutes=1 start_date=2000-01-01T00:01:00 end_date=2000-01-01T00:05:00`), MisfireGrace: jobcenter.NeverTooLate,
				Coalesce: jobcenter.CoalesceAll, MaxInstances: 5,
			})
		}
		b.add(jobcenter.Job{ID: "c", Trigger: date(t, begun().Add(time.Hour+2500*time.Millisecond)), MisfireGrace: jobcenter.NeverTooLate})
		time.Sleep(time.Hour)
		b.begin()
		b.wait(5 * time.Minute)
		// Runs of the same turn begin in any order.
		if len(began.ids) != 11 || began.ids[6] != "c" {
			t.Fatalf("began in the order %v, want c after three turns of the others", began.ids)
		}
		began.ids = slices.Delete(began.ids, 6, 7)
		for pair := range slices.Chunk(began.ids, 2) {
			slices.Sort(pair)
		}
		began.want(t, "a b a b a b a b a b")
	})
}

// An executor's queue is bounded: what comes when it is full is recorded as
// skipped, and once there is room again runs are queued again.
func TestQueueLimit(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		opts := jobcenter.Options{QueueLimit: 5, Executors: map[string]jobcenter.Executor{jobcenter.DefaultExecutor: pool(t, 1), "other": pool(t, 5)}}
		b := begin(t, opts, func(ctx context.Context, run *jobcenter.RunContext) error {
			if run.Job.ID == "busy" {
				return lasting(30*time.Second)(ctx, run)
			}
			return nil
		})
		b.add(jobcenter.Job{ID: "busy", Trigger: never(t)})
		b.run("busy")
		for i := range 40 {
			b.add(jobcenter.Job{ID: fmt.Sprint("j", i), Trigger: date(t, begun().Add(time.Duration(i+1)*time.Second)), MisfireGrace: jobcenter.NeverTooLate})
		}
		b.add(jobcenter.Job{ID: "elsewhere", Executor: "other", Trigger: date(t, begun().Add(20*time.Second))})
		b.wait(25 * time.Second)
		states := map[string]int{}
		for i := range 25 {
			run := b.only(fmt.Sprint("j", i))
			states[string(run.State)+"/"+string(run.Reason)]++
		}
		if states["queued/"] != 5 || states["skipped/queue_full"] != 20 {
			t.Errorf("after 25 fires: %v, want 5 queued and 20 skipped", states)
		}
		b.wantRows("elsewhere", "succeeded 20s")
		b.wait(time.Minute)
		for i := range 40 {
			want := jobcenter.RunSucceeded
			if i >= 5 && i < 29 {
				want = jobcenter.RunSkipped
			}
			if run := b.only(fmt.Sprint("j", i)); run.State != want && i != 29 { // that of the 30th second may be either
				t.Errorf("row %s, want %s", row(&run), want)
			}
		}
	})
}

// What waits can exceed a batch of places: all of it begins at once.
func TestMoreWaitThanABatch(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, jobcenter.Options{Executors: poolOf(t, 350), PollInterval: time.Hour}, lasting(time.Minute))
		for i := range 330 {
			id := fmt.Sprint("j", i)
			b.add(jobcenter.Job{ID: id, Trigger: never(t)})
			b.run(id)
		}
		b.begin()
		b.wait(time.Second)
		if n := b.Health().Runs; n != 330 {
			t.Errorf("%d run, want 330", n)
		}
		for i := range 330 {
			if run := b.only(fmt.Sprint("j", i)); run.State != jobcenter.RunRunning || !run.StartedAt.Equal(begun()) {
				t.Fatalf("row %s, started at %s", row(&run), run.StartedAt)
			}
		}
	})
}

// The options' defaults fill in what a job leaves open, when it is added and
// when it is changed.
func TestDefaults(t *testing.T) {
	t.Parallel()
	defaults := jobcenter.Job{
		Executor: "big", Priority: 3, MisfireGrace: jobcenter.NeverTooLate, Coalesce: jobcenter.CoalesceAll, CatchUp: jobcenter.CatchUp{Max: 5},
		Overlap: jobcenter.OverlapQueueOne, MaxInstances: 4, Timeout: time.Minute, Retry: jobcenter.Retry{Attempts: 3, ExitCodes: []int{1}},
		// These are no defaults.
		Name: "no", Tags: []string{"no"}, Paused: true, RequestsRecovery: true, Limit: jobcenter.Limit{Key: "no", Running: 1},
	}
	b := newBench(t, jobcenter.Options{Defaults: defaults, Executors: map[string]jobcenter.Executor{"big": pool(t, 1)}}, nothing)
	job := b.add(jobcenter.Job{ID: "j", Trigger: never(t)})
	if job.Executor != "big" || job.Priority != 3 || job.MisfireGrace != jobcenter.NeverTooLate || job.Coalesce != jobcenter.CoalesceAll || job.CatchUp.Max != 5 ||
		job.Overlap != jobcenter.OverlapQueueOne || job.MaxInstances != 4 || job.Timeout != time.Minute || job.Retry.Attempts != 3 || !slices.Equal(job.Retry.ExitCodes, []int{1}) {
		t.Errorf("added: %+v", job)
	}
	if job.Name != "j" || job.Tags != nil || job.Paused || job.RequestsRecovery || job.Limit.Key != "" {
		t.Errorf("added with more than the defaults: %+v", job)
	}
	own := b.add(jobcenter.Job{
		ID: "own", Trigger: never(t), Executor: jobcenter.DefaultExecutor, Priority: -1, MisfireGrace: time.Second, Coalesce: jobcenter.CoalesceEarliest,
		CatchUp: jobcenter.CatchUp{Max: 1}, Overlap: jobcenter.OverlapSkip, MaxInstances: 1, Timeout: time.Hour, Retry: jobcenter.Retry{Attempts: 1},
	})
	if own.Executor != jobcenter.DefaultExecutor || own.Priority != -1 || own.MisfireGrace != time.Second || own.Coalesce != jobcenter.CoalesceEarliest ||
		own.CatchUp.Max != 1 || own.Overlap != jobcenter.OverlapSkip || own.MaxInstances != 1 || own.Timeout != time.Hour || own.Retry.Attempts != 1 {
		t.Errorf("added with values of its own: %+v", own)
	}
	changed, err := b.Modify(t.Context(), "own", func(job *jobcenter.Job) error {
		job.Overlap, job.MaxInstances, job.Timeout = "", 0, 0
		return nil
	})
	if err != nil || changed.Overlap != jobcenter.OverlapQueueOne || changed.MaxInstances != 4 || changed.Timeout != time.Minute {
		t.Errorf("changed: %+v, %v", changed, err)
	}
}
