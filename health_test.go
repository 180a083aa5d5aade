package jobcenter_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
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

// Lateness sums up the runs by schedule of the last five minutes.
func TestHealthOfLateness(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, jobcenter.Options{Node: "n"}, nothing)
		if h := b.Health(); h.Running || h.Node != "n" || h.Lateness != (jobcenter.Lateness{}) || !h.Since.IsZero() {
			t.Errorf("before the start: %+v", h)
		}
		// A hundred jobs, due 0 to 99 s before the scheduler starts.
		for i := range 100 {
			b.add(jobcenter.Job{ID: fmt.Sprint("j", i), Trigger: date(t, begun().Add(time.Duration(i+1)*time.Second)), MisfireGrace: jobcenter.NeverTooLate})
		}
		b.add(jobcenter.Job{ID: "hand", Trigger: never(t)})
		b.run("hand") // not by schedule
		time.Sleep(100 * time.Second)
		b.begin()
		b.wait(time.Second)
		want := jobcenter.Lateness{Count: 100, P50: 50 * time.Second, P99: 99 * time.Second, Max: 99 * time.Second}
		if h := b.Health(); h.Lateness != want || !h.Running || !h.Since.Equal(begun().Add(100*time.Second)) || h.Runs != 0 {
			t.Errorf("health: %+v, want lateness %+v", h, want)
		}
		b.wait(6 * time.Minute)
		if h := b.Health(); h.Lateness != (jobcenter.Lateness{}) {
			t.Errorf("six minutes later: %+v", h.Lateness)
		}
		// Of more than it keeps, the last ones count.
		b.add(jobcenter.Job{ID: "often", Trigger: interval(t, 100*time.Millisecond)})
		b.wait(3 * time.Minute)
		if h := b.Health(); h.Lateness != (jobcenter.Lateness{Count: 1024}) {
			t.Errorf("after 1,800 runs on time: %+v", h.Lateness)
		}
	})
}

// Each part of the scheduler that fails is a problem of its store, and told
// once when it begins and once when it ends.
func TestHealthOfStores(t *testing.T) {
	t.Parallel()
	for _, method := range []string{"NextDue", "Claim", "Record", "Heartbeat"} {
		t.Run(method, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				store := newTroubled(jobcenter.NewMemoryStore(0))
				b := begin(t, jobcenter.Options{Store: store}, nothing)
				told := b.listen(jobcenter.EventFilter{Types: []jobcenter.EventType{jobcenter.EventStoreFailed, jobcenter.EventStoreRecovered}})
				b.add(jobcenter.Job{ID: "j", Trigger: interval(t, time.Second), MisfireGrace: jobcenter.NeverTooLate})
				b.wait(5 * time.Second)
				before := b.Health().Stores[jobcenter.DefaultStore]
				if before.Problem != nil || time.Since(before.LastPass) > time.Second {
					t.Errorf("before: %+v", before)
				}
				store.set(true, method)
				b.wait(30 * time.Second)
				during := b.Health().Stores[jobcenter.DefaultStore]
				if !errors.Is(during.Problem, errDown) || !strings.Contains(during.Problem.Error(), method) {
					t.Errorf("during: %+v", during)
				}
				store.set(false, method)
				b.wait(30 * time.Second)
				if after := b.Health().Stores[jobcenter.DefaultStore]; after.Problem != nil || !after.LastPass.After(during.LastPass) {
					t.Errorf("after: %+v, during: %+v", after, during)
				}
				failed, recovered := told.count(jobcenter.EventStoreFailed), told.count(jobcenter.EventStoreRecovered)
				if failed == 0 || failed != recovered || failed > 2 {
					t.Errorf("told %v", told.types())
				}
			})
		})
	}
}
