package jobcenter_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jobcenter-go/jobcenter"
)

// hanging is a store that takes its time for due jobs while another program
// holds it.
type hanging struct {
	jobcenter.JobStore
	until time.Time
}

func (h *hanging) Claim(ctx context.Context, can jobcenter.Can, now time.Time, limit int, decide func(jobcenter.Job, jobcenter.Active) jobcenter.Decision) ([]jobcenter.Claimed, error) {
	time.Sleep(time.Until(h.until))
	return h.JobStore.Claim(ctx, can, now, limit, decide)
}

func TestHealthNoticesAStoreThatDoesNotAnswer(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := start(t, jobcenter.Options{Store: &hanging{jobcenter.NewMemoryStore(0), time.Now().Add(20 * time.Second)}}, nothing)
		b.add(jobcenter.Job{ID: "j", Trigger: interval(t, time.Second)})
		for _, test := range []struct {
			after   time.Duration
			healthy bool
		}{{3 * time.Second, true}, {10 * time.Second, false}, {12 * time.Second, true}} {
			time.Sleep(test.after)
			if err := b.Health().Err(); (err == nil) != test.healthy {
				t.Errorf("%s on, health = %v", test.after, err)
			}
		}
	})
}
