package jobcenter_test

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jobcenter-go/jobcenter"
	"github.com/jobcenter-go/jobcenter/trigger"
)

// Runs that have waited too long must not take the free places of those
// behind them until the next time the scheduler looks.
func TestRunsThatWaitedTooLongHoldUpNoOther(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		pool, err := jobcenter.NewPool(1)
		if err != nil {
			t.Fatal(err)
		}
		opts := jobcenter.Options{Executors: map[string]jobcenter.Executor{jobcenter.DefaultExecutor: pool}}
		b := start(t, opts, func(_ context.Context, run *jobcenter.RunContext) error {
			if run.Job.ID == "busy" {
				time.Sleep(2 * time.Minute)
			}
			return nil
		})
		begin := time.Now()
		once := func(id string, after, grace time.Duration) {
			t.Helper()
			at, err := trigger.NewDate(begin.Add(after))
			if err != nil {
				t.Fatal(err)
			}
			b.add(jobcenter.Job{ID: id, Trigger: at, MisfireGrace: grace})
		}
		once("busy", time.Second, time.Hour)
		for i := range 50 {
			once(fmt.Sprintf("late%d", i), 2*time.Second, time.Minute)
		}
		once("behind", 3*time.Second, time.Hour)
		time.Sleep(3 * time.Minute)
		synctest.Wait()
		free := b.only("busy").EndedAt
		for i := range 50 {
			if run := b.only(fmt.Sprintf("late%d", i)); run.State != jobcenter.RunMissed || !run.EndedAt.Equal(free) {
				t.Fatalf("late%d = %+v, want missed at %s", i, run, free)
			}
		}
		if run := b.only("behind"); run.State != jobcenter.RunSucceeded || !run.StartedAt.Equal(free) {
			t.Errorf("behind = %+v, want started at %s", run, free)
		}
	})
}

// leaving is a store whose caller stops waiting just when a run was queued.
type leaving struct {
	jobcenter.JobStore
	leave context.CancelFunc
}

func (l *leaving) UpdateJob(ctx context.Context, id string, change func(jobcenter.Job, jobcenter.Active) (jobcenter.Job, []jobcenter.Run, error)) (jobcenter.Job, error) {
	defer l.leave()
	return l.JobStore.UpdateJob(ctx, id, change)
}

func TestRunNowThatQueuedARunSaysSo(t *testing.T) {
	t.Parallel()
	ctx, leave := context.WithCancel(t.Context())
	b := start(t, jobcenter.Options{Store: &leaving{jobcenter.NewMemoryStore(0), leave}}, nothing)
	b.add(jobcenter.Job{ID: "j", Trigger: never(t)})
	run, err := b.RunNow(ctx, "j", jobcenter.StartOptions{Origin: jobcenter.OriginManual})
	if err != nil || b.only("j").ID != run.ID {
		t.Errorf("run = %+v, %v, want the one that was queued", run, err)
	}
}
