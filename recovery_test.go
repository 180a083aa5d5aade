package jobcenter_test

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jobcenter-go/jobcenter"
)

// When nobody could write to the store, leases that ended meanwhile say
// nothing of their nodes.
func TestNodesOutliveAStoreThatWasDownForLongerThanALease(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		memory := jobcenter.NewMemoryStore(0)
		stores := map[string]*flaky{"judge": {JobStore: memory}, "worker": {JobStore: memory}}
		work := func(ctx context.Context, _ *jobcenter.RunContext) error {
			<-ctx.Done()
			return ctx.Err()
		}
		worker := start(t, jobcenter.Options{Store: stores["worker"], Node: "worker", StopGrace: -1}, work)
		worker.add(jobcenter.Job{ID: "long", Trigger: never(t)})
		if _, err := worker.RunNow(t.Context(), "long", jobcenter.StartOptions{Origin: jobcenter.OriginManual}); err != nil {
			t.Fatal(err)
		}
		// So that each of its looks at the leases comes before the worker can renew its own.
		time.Sleep(4 * time.Second)
		start(t, jobcenter.Options{Store: stores["judge"], Node: "judge"}, work)
		time.Sleep(7 * time.Second)
		if run := worker.only("long"); run.Node != "worker" {
			t.Fatalf("run = %+v, want it on the worker", run)
		}

		for _, store := range stores {
			store.down.Store(true)
		}
		time.Sleep(17 * time.Second)
		for _, store := range stores {
			store.down.Store(false)
		}
		time.Sleep(time.Minute)
		if run := worker.only("long"); run.State != jobcenter.RunRunning {
			t.Fatalf("run of a living node = %+v, want running", run)
		}

		stores["worker"].down.Store(true)
		time.Sleep(25 * time.Second)
		if run := worker.only("long"); run.State != jobcenter.RunLost {
			t.Errorf("run of a node that does not renew its lease = %+v, want lost", run)
		}
		stores["worker"].down.Store(false)
	})
}

// silent is a store to which this node cannot say that it is alive.
type silent struct {
	jobcenter.JobStore
	muted atomic.Bool
}

func (m *silent) Heartbeat(ctx context.Context, node string, until time.Time) error {
	if m.muted.Load() {
		return errDown
	}
	return m.JobStore.Heartbeat(ctx, node, until)
}

// What a node takes before it has a lease, or after it has lost it, others take
// for orphaned at once.
func TestTakesNothingWithoutALease(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		memory := jobcenter.NewMemoryStore(0)
		store := &silent{JobStore: memory}
		store.muted.Store(true)
		work := func(context.Context, *jobcenter.RunContext) error {
			time.Sleep(100 * time.Millisecond)
			return nil
		}
		b := start(t, jobcenter.Options{Store: store, Node: "mute"}, work)
		judge := start(t, jobcenter.Options{Store: memory, Node: "judge", Lease: 30 * time.Millisecond}, work)
		judge.Standby(true)
		b.add(jobcenter.Job{ID: "j", Trigger: interval(t, time.Second)})

		told := func(muted bool, wait time.Duration) (more []jobcenter.Run) {
			before := len(b.runs("j"))
			store.muted.Store(muted)
			time.Sleep(wait)
			return b.runs("j")[before:]
		}
		if rows := told(true, 10*time.Second); len(rows) > 0 {
			t.Errorf("before its first lease it took %+v", rows)
		}
		if rows := told(false, 10*time.Second); len(rows) < 5 {
			t.Errorf("with a lease it took %d runs in 10 s", len(rows))
		}
		told(true, 15*time.Second) // the lease goes on, and ends
		if rows := told(true, 30*time.Second); len(rows) > 0 {
			t.Errorf("after its lease it took %+v", rows)
		}
		told(false, 10*time.Second)
		for _, run := range b.runs("j") {
			if run.State == jobcenter.RunLost {
				t.Errorf("a living node lost %+v", run)
			}
		}
		if err := b.Health().Err(); err != nil {
			t.Errorf("health = %v, with a lease again", err)
		}
	})
}
