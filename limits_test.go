package jobcenter_test

import (
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jobcenter-go/jobcenter"
)

// began lists when the runs of some jobs started, in order.
func (b *bench) began(jobIDs ...string) []time.Duration {
	b.t.Helper()
	var began []time.Duration
	for _, id := range jobIDs {
		for _, run := range b.runs(id) {
			if !run.StartedAt.IsZero() {
				began = append(began, run.StartedAt.Sub(begun()))
			}
		}
	}
	slices.Sort(began)
	return began
}

// Jobs that name the same key share it, on all schedulers of a store; others
// have nothing to do with them.
func TestLimitRunning(t *testing.T) {
	t.Parallel()
	for _, schedulers := range []int{1, 2, 3} {
		t.Run(fmt.Sprint(schedulers, " schedulers"), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				store := jobcenter.NewMemoryStore(0)
				var most gauge
				var b *bench
				for i := range schedulers {
					b = begin(t, jobcenter.Options{Store: store, Node: fmt.Sprint("n", i)}, most.of(lasting(10*time.Second)))
				}
				for i := range 6 {
					b.add(jobcenter.Job{
						ID: fmt.Sprint("limited", i), Trigger: date(t, begun().Add(time.Minute)), MisfireGrace: jobcenter.NeverTooLate,
						Limit: jobcenter.Limit{Key: "database", Running: 2},
					})
				}
				other := b.addAs("work", jobcenter.Job{ID: "free", Trigger: date(t, begun().Add(time.Minute)), Limit: jobcenter.Limit{Key: "mail", Running: 1}})
				b.wait(time.Minute + time.Second)
				if run := b.only(other.ID); run.State != jobcenter.RunRunning {
					t.Errorf("a job of another key is %s", row(&run))
				}
				b.wait(time.Minute)
				for i := range 6 {
					b.wantRows(fmt.Sprint("limited", i), "succeeded 1m0s")
				}
				if most.n() != 3 { // two of the one key, one of the other
					t.Errorf("%d at once, want 3", most.n())
				}
			})
		})
	}
}

// A job is held to the number that it names itself, of all runs of the key.
func TestLimitRunningIsTheJobsOwn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := begin(t, jobcenter.Options{}, lasting(10*time.Second))
		for id, running := range map[string]int{"a": 3, "b": 3, "c": 3, "modest": 1} {
			b.add(jobcenter.Job{ID: id, Trigger: never(t), Limit: jobcenter.Limit{Key: "k", Running: running}})
		}
		b.run("a")
		b.wait(time.Second)
		b.run("modest")
		b.run("b")
		b.run("c")
		b.wait(time.Second)
		b.wantRows("modest", "queued 1s")
		b.wantRows("c", "running 1s")
		b.wait(10 * time.Second)
		b.wantRows("modest", "running 1s")
		b.wait(time.Minute)
	})
}

// No span of the length holds more starts than the rate, and no more time is
// lost than the poll interval.
func TestLimitRate(t *testing.T) {
	t.Parallel()
	for _, schedulers := range []int{1, 2} {
		t.Run(fmt.Sprint(schedulers, " schedulers"), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				store := jobcenter.NewMemoryStore(0)
				var b *bench
				for i := range schedulers {
					b = begin(t, jobcenter.Options{Store: store, Node: fmt.Sprint("n", i)}, nothing)
				}
				ids := []string{"a", "b", "c"}
				for _, id := range ids {
					b.add(jobcenter.Job{
						ID: id, Trigger: interval(t, time.Second), Overlap: jobcenter.OverlapQueueAll, MisfireGrace: jobcenter.NeverTooLate,
						Limit: jobcenter.Limit{Key: "api", Rate: 5, Per: 10 * time.Second},
					})
				}
				b.wait(time.Minute + 500*time.Millisecond)
				began := b.began(ids...)
				for i := 5; i < len(began); i++ {
					if span := began[i] - began[i-5]; span < 10*time.Second {
						t.Errorf("starts %d to %d lie within %s", i-5, i, span)
					}
				}
				// Five each ten seconds from the first second on, give or take the poll.
				if len(began) < 25 {
					t.Errorf("%d starts in a minute, want 5 each 10 s", len(began))
				}
			})
		})
	}
}

// Runs by hand count for the rate, and those that ended as well.
func TestLimitRateCountsEveryRun(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := begin(t, jobcenter.Options{}, nothing)
		limit := jobcenter.Limit{Key: "api", Rate: 2, Per: time.Minute}
		b.add(jobcenter.Job{ID: "a", Trigger: interval(t, 10*time.Second), Limit: limit})
		b.add(jobcenter.Job{ID: "b", Trigger: never(t), Limit: limit})
		b.wait(15 * time.Second)
		b.run("b")
		b.wait(30 * time.Second)
		b.wantRows("a", "succeeded 10s", "queued 20s", "skipped/overlap 30s", "skipped/overlap 40s")
		b.wantRows("b", "succeeded 15s")
		if err := b.Remove(t.Context(), "b"); err != nil { // its run counts all the same
			t.Fatal(err)
		}
		b.wait(24 * time.Second)
		if run := b.runs("a")[1]; run.State != jobcenter.RunQueued {
			t.Errorf("69 s on, the row is %s", row(&run))
		}
		b.wait(3 * time.Second)
		if run := b.runs("a")[1]; run.State != jobcenter.RunSucceeded {
			t.Errorf("72 s on, the row is %s", row(&run))
		}
	})
}

// Both numbers hold at once.
func TestLimitRunningAndRate(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := begin(t, jobcenter.Options{}, lasting(4*time.Second))
		for i := range 4 {
			b.add(jobcenter.Job{ID: fmt.Sprint("j", i), Trigger: never(t), Limit: jobcenter.Limit{Key: "k", Running: 1, Rate: 2, Per: 20 * time.Second}})
			b.run(fmt.Sprint("j", i))
		}
		b.wait(time.Minute)
		began := b.began("j0", "j1", "j2", "j3")
		if len(began) != 4 || began[0] != 0 || began[1] != 4*time.Second || began[2] < 20*time.Second || began[2] > 21*time.Second || began[3] < began[2]+4*time.Second {
			t.Errorf("started at %v", began)
		}
	})
}

// A limited run that waits too long is missed, like any other that does.
func TestLimitedRunsMissTheirGrace(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := begin(t, jobcenter.Options{}, lasting(30*time.Second))
		for _, id := range []string{"a", "b"} {
			b.add(jobcenter.Job{ID: id, Trigger: date(t, begun().Add(time.Minute)), MisfireGrace: 10 * time.Second, Limit: jobcenter.Limit{Key: "k", Running: 1}})
		}
		b.wait(2 * time.Minute)
		got := []string{row(new(b.only("a"))), row(new(b.only("b")))}
		slices.Sort(got)
		if got[0] != "missed/misfire 1m0s" || got[1] != "succeeded 1m0s" {
			t.Errorf("rows = %v, want one of each kind", got)
		}
	})
}
