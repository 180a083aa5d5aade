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

// A job that fires each second and takes 2.3 s, after eight and a half seconds.
func TestOverlap(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		overlap   jobcenter.Overlap
		instances int
		want      []string
		most      int
	}{
		"default": {"", 0, []string{
			"succeeded 1s", "skipped/overlap 2s", "skipped/overlap 3s", "succeeded 4s", "skipped/overlap 5s", "skipped/overlap 6s", "running 7s", "skipped/overlap 8s",
		}, 1},
		"skip": {jobcenter.OverlapSkip, 2, []string{
			"succeeded 1s", "succeeded 2s", "skipped/overlap 3s", "succeeded 4s", "succeeded 5s", "skipped/overlap 6s", "running 7s", "running 8s",
		}, 2},
		"skip with room": {jobcenter.OverlapSkip, 3, []string{
			"succeeded 1s", "succeeded 2s", "succeeded 3s", "succeeded 4s", "succeeded 5s", "succeeded 6s", "running 7s", "running 8s",
		}, 3},
		"queue one": {jobcenter.OverlapQueueOne, 1, []string{
			"succeeded 1s", "succeeded 2s", "skipped/overlap 3s", "succeeded 4s", "skipped/overlap 5s", "running 6s", "skipped/overlap 7s", "queued 8s",
		}, 1},
		"queue all": {jobcenter.OverlapQueueAll, 1, []string{
			"succeeded 1s", "succeeded 2s", "succeeded 3s", "running 4s", "queued 5s", "queued 6s", "queued 7s", "queued 8s",
		}, 1},
		"queue all with two instances": {jobcenter.OverlapQueueAll, 2, []string{
			"succeeded 1s", "succeeded 2s", "succeeded 3s", "succeeded 4s", "succeeded 5s", "running 6s", "running 7s", "queued 8s",
		}, 2},
		"cancel": {jobcenter.OverlapCancel, 1, []string{
			"stopped/cancel 1s", "stopped/cancel 2s", "stopped/cancel 3s", "stopped/cancel 4s", "stopped/cancel 5s", "stopped/cancel 6s", "stopped/cancel 7s", "running 8s",
		}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				ran := newTally()
				b := begin(t, jobcenter.Options{}, ran.work(2300*time.Millisecond))
				b.add(jobcenter.Job{ID: "j", Trigger: interval(t, time.Second), Overlap: test.overlap, MaxInstances: test.instances})
				b.wait(8500 * time.Millisecond)
				b.wantRows("j", test.want...)
				if most := ran.most(); most != test.most {
					t.Errorf("%d at once, want %d", most, test.most)
				}
			})
		})
	}
}

// OverlapQueueAll is bounded.
func TestOverlapQueueAllHoldsAThousand(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := begin(t, jobcenter.Options{}, untilDone)
		b.add(jobcenter.Job{ID: "j", Trigger: interval(t, time.Second), Overlap: jobcenter.OverlapQueueAll, MisfireGrace: jobcenter.NeverTooLate})
		b.wait(1010*time.Second + 500*time.Millisecond)
		counts := map[string]int{}
		for _, run := range b.wantCovered("j", time.Second, begun().Add(time.Second), begun().Add(1010*time.Second)) {
			counts[string(run.State)+"/"+string(run.Reason)]++
		}
		if counts["running/"] != 1 || counts["queued/"] != 1000 || counts["skipped/overlap"] != 9 {
			t.Errorf("rows by state: %v, want 1 running, 1,000 queued, 9 skipped", counts)
		}
		if err := b.Remove(t.Context(), "j"); err != nil {
			t.Fatal(err)
		}
		for _, run := range b.runs("j")[1:1001] {
			if run.State != jobcenter.RunSkipped || run.Reason != jobcenter.ReasonRemoved {
				t.Fatalf("row %s after the job was removed", row(&run))
			}
		}
		b.wait(0)
		if err := b.StopRun(t.Context(), b.runs("j")[0].ID, ""); err != nil {
			t.Fatal(err)
		}
	})
}

// A fire that stops the running one says so in both rows, waits until that has
// returned, and reaches runs on other nodes.
func TestOverlapCancel(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		coalesce jobcenter.Coalesce
		other    bool // the run is another node's
		away     time.Duration
		want     []string
	}{
		"here":                         {"", false, 0, []string{"stopped/cancel 1m0s", "running 2m0s"}},
		"on another node":              {"", true, 0, []string{"stopped/cancel 1m0s", "running 2m0s"}},
		"several due, the latest runs": {"", false, 2 * time.Minute, []string{"stopped/cancel 1m0s", "skipped/coalesced 2m0s", "running 3m0s"}},
		"several due, the earliest runs": {
			jobcenter.CoalesceEarliest, false, 2 * time.Minute,
			[]string{"stopped/cancel 1m0s", "running 2m0s", "skipped/coalesced 3m0s"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				store := jobcenter.NewMemoryStore(0)
				slowly := func(ctx context.Context, _ *jobcenter.RunContext) error {
					<-ctx.Done()
					time.Sleep(5 * time.Second)
					return context.Cause(ctx)
				}
				b := begin(t, jobcenter.Options{Store: store, Node: "here"}, slowly)
				b.add(jobcenter.Job{ID: "j", Trigger: interval(t, time.Minute), Overlap: jobcenter.OverlapCancel, Coalesce: test.coalesce, MisfireGrace: 10 * time.Minute})
				b.wait(90 * time.Second)
				if test.other || test.away > 0 {
					b.Standby(true)
				}
				if test.other {
					begin(t, jobcenter.Options{Store: store, Node: "other"}, slowly)
				}
				b.wait(test.away)
				b.Standby(test.other)
				if test.away == 0 {
					b.wait(30*time.Second + 2*time.Second)
					if run := b.runs("j")[1]; run.State != jobcenter.RunQueued {
						t.Errorf("while the other one returns the next is %s", row(&run))
					}
				}
				b.wait(10 * time.Second)
				b.wantRows("j", test.want...)
				if run := b.runs("j")[0]; !strings.HasPrefix(run.Message, "stopped: replaced by the run of 2000-01-01T00:0") {
					t.Errorf("message = %q", run.Message)
				}
				for _, run := range b.runs("j") {
					if run.State == jobcenter.RunRunning {
						if err := b.StopRun(t.Context(), run.ID, ""); err != nil {
							t.Error(err)
						}
					}
				}
				b.wait(10 * time.Second)
			})
		})
	}
}

// Whoever is to give way may still end well.
func TestOverlapCancelOfARunThatSucceeds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := begin(t, jobcenter.Options{}, func(ctx context.Context, _ *jobcenter.RunContext) error {
			<-ctx.Done()
			return nil
		})
		b.add(jobcenter.Job{ID: "j", Trigger: interval(t, time.Second), Overlap: jobcenter.OverlapCancel})
		b.wait(2500 * time.Millisecond)
		b.wantRows("j", "succeeded 1s", "running 2s")
	})
}

// Runs that are started by hand count, and are held to the same rule.
func TestOverlapOfRunsByHand(t *testing.T) {
	t.Parallel()
	for overlap, allowed := range map[jobcenter.Overlap]int{
		jobcenter.OverlapSkip: 1, jobcenter.OverlapQueueOne: 2, jobcenter.OverlapCancel: 2, jobcenter.OverlapQueueAll: 5,
	} {
		t.Run(string(overlap), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				b := begin(t, jobcenter.Options{}, lasting(time.Hour))
				b.add(jobcenter.Job{ID: "j", Trigger: interval(t, time.Minute), Overlap: overlap})
				for i := range 5 {
					_, err := b.RunNow(t.Context(), "j", jobcenter.StartOptions{})
					if i < allowed && err != nil || i >= allowed && !errors.Is(err, jobcenter.ErrOverlap) {
						t.Errorf("start %d: %v, %d are allowed", i+1, err, allowed)
					}
					b.wait(time.Second)
				}
				b.wait(time.Minute)
				fires := b.runs("j")[allowed:]
				want := map[jobcenter.Overlap]string{
					jobcenter.OverlapSkip: "skipped/overlap 1m0s", jobcenter.OverlapQueueOne: "skipped/overlap 1m0s",
					jobcenter.OverlapCancel: "skipped/overlap 1m0s", jobcenter.OverlapQueueAll: "queued 1m0s",
				}[overlap]
				if len(fires) != 1 || row(&fires[0]) != want {
					t.Errorf("rows = %v, want %s", fires, want)
				}
			})
		})
	}
}

// The instances of all schedulers that share a store are counted together,
// whatever becomes of those that wait.
func TestOverlapOverSchedulers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store, ran := jobcenter.NewMemoryStore(0), newTally()
		var b *bench
		for i := range 3 {
			b = begin(t, jobcenter.Options{Store: store, Node: fmt.Sprint("n", i)}, ran.work(2300*time.Millisecond))
		}
		b.add(jobcenter.Job{
			ID: "j", Trigger: parsed(t, `interval seconds=1 start_date=2000-01-01T00:00:01 end_date=2000-01-01T00:00:20`),
			Overlap: jobcenter.OverlapQueueAll, MaxInstances: 2, MisfireGrace: jobcenter.NeverTooLate,
		})
		b.wait(time.Minute)
		ran.wantOnce(t, 20)
		if most := ran.most(); most != 2 {
			t.Errorf("%d at once, want 2", most)
		}
	})
}
