package jobcenter_test

import (
	"context"
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
