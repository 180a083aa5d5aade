package jobcenter_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jobcenter-go/jobcenter"
)

// What becomes of ten fires, each minute, that nobody was there for: the
// scheduler comes at ten minutes and a half.
func TestCatchUp(t *testing.T) {
	t.Parallel()
	const all = jobcenter.CoalesceAll
	for name, test := range map[string]struct {
		job  jobcenter.Job
		want []string
	}{
		"default grace": {jobcenter.Job{}, []string{"missed/misfire 1m0s..9m0s ×9", "succeeded 10m0s"}},
		"latest":        {jobcenter.Job{MisfireGrace: jobcenter.NeverTooLate}, []string{"skipped/coalesced 1m0s..9m0s ×9", "succeeded 10m0s"}},
		"earliest": {
			jobcenter.Job{MisfireGrace: jobcenter.NeverTooLate, Coalesce: jobcenter.CoalesceEarliest},
			[]string{"succeeded 1m0s", "skipped/coalesced 2m0s..10m0s ×9"},
		},
		"earliest within the grace": {
			jobcenter.Job{MisfireGrace: 4 * time.Minute, Coalesce: jobcenter.CoalesceEarliest},
			[]string{"missed/misfire 1m0s..6m0s ×6", "succeeded 7m0s", "skipped/coalesced 8m0s..10m0s ×3"},
		},
		"all": {jobcenter.Job{MisfireGrace: jobcenter.NeverTooLate, Coalesce: all}, []string{
			"succeeded 1m0s", "succeeded 2m0s", "succeeded 3m0s", "succeeded 4m0s", "succeeded 5m0s", "succeeded 6m0s", "succeeded 7m0s", "succeeded 8m0s", "succeeded 9m0s", "succeeded 10m0s",
		}},
		"all within the grace": {jobcenter.Job{MisfireGrace: 150 * time.Second, Coalesce: all}, []string{
			"missed/misfire 1m0s..7m0s ×7", "succeeded 8m0s", "succeeded 9m0s", "succeeded 10m0s",
		}},
		"at most two": {jobcenter.Job{MisfireGrace: jobcenter.NeverTooLate, Coalesce: all, CatchUp: jobcenter.CatchUp{Max: 2}}, []string{
			"skipped/catch_up 1m0s..8m0s ×8", "succeeded 9m0s", "succeeded 10m0s",
		}},
		"not older than three minutes": {jobcenter.Job{MisfireGrace: jobcenter.NeverTooLate, Coalesce: all, CatchUp: jobcenter.CatchUp{MaxAge: 3 * time.Minute}}, []string{
			"skipped/catch_up 1m0s..7m0s ×7", "succeeded 8m0s", "succeeded 9m0s", "succeeded 10m0s",
		}},
		"both bounds, and a grace": {jobcenter.Job{MisfireGrace: 8 * time.Minute, Coalesce: all, CatchUp: jobcenter.CatchUp{MaxAge: 5 * time.Minute, Max: 3}}, []string{
			"missed/misfire 1m0s..2m0s ×2", "skipped/catch_up 3m0s..7m0s ×5", "succeeded 8m0s", "succeeded 9m0s", "succeeded 10m0s",
		}},
		"bounds are for all only": {jobcenter.Job{MisfireGrace: jobcenter.NeverTooLate, CatchUp: jobcenter.CatchUp{MaxAge: time.Second, Max: 3}}, []string{
			"skipped/coalesced 1m0s..9m0s ×9", "succeeded 10m0s",
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				ran := newTally()
				b := newBench(t, jobcenter.Options{}, ran.work(time.Second))
				job := test.job
				job.ID, job.Trigger = "j", interval(t, time.Minute)
				b.add(job)
				time.Sleep(10*time.Minute + 30*time.Second)
				b.begin()
				b.wait(29 * time.Second)
				b.wantRows("j", test.want...)
				if most := ran.most(); most != 1 {
					t.Errorf("%d at once, want one after the other", most)
				}
			})
		})
	}
}

// A pace keeps the starts of a catch-up apart.
func TestCatchUpPace(t *testing.T) {
	t.Parallel()
	for work, want := range map[time.Duration]time.Duration{0: 10 * time.Second, 30 * time.Second: 30 * time.Second} {
		t.Run(fmt.Sprint("runs of ", work), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t, jobcenter.Options{PollInterval: time.Hour}, lasting(work))
				b.add(jobcenter.Job{
					ID: "j", Trigger: interval(t, time.Hour), MisfireGrace: jobcenter.NeverTooLate, Coalesce: jobcenter.CoalesceAll,
					CatchUp: jobcenter.CatchUp{Pace: 10 * time.Second},
				})
				time.Sleep(6 * time.Hour)
				b.begin()
				b.wait(10 * time.Minute)
				for i, run := range b.runs("j") {
					if at := begun().Add(6 * time.Hour).Add(time.Duration(i) * want); !run.StartedAt.Equal(at) {
						t.Errorf("run %d started at %s, want %s", i, run.StartedAt.Sub(begun()), at.Sub(begun()))
					}
				}
				b.wantRows("j", "succeeded 1h0m0s", "succeeded 2h0m0s", "succeeded 3h0m0s", "succeeded 4h0m0s", "succeeded 5h0m0s", "succeeded 6h0m0s")
			})
		})
	}
}

// A catch-up shared by several schedulers is not done twice, nor faster than allowed.
func TestCatchUpOfSeveralSchedulers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store, ran := jobcenter.NewMemoryStore(0), newTally()
		b := newBench(t, jobcenter.Options{Store: store}, nothing)
		b.add(jobcenter.Job{
			ID: "j", Trigger: interval(t, time.Second), MisfireGrace: jobcenter.NeverTooLate, Coalesce: jobcenter.CoalesceAll,
			CatchUp: jobcenter.CatchUp{Max: 100}, MaxInstances: 3, Overlap: jobcenter.OverlapQueueAll,
		})
		time.Sleep(time.Hour)
		for i := range 4 {
			begin(t, jobcenter.Options{Store: store, Node: fmt.Sprint("n", i)}, ran.work(1500*time.Millisecond))
		}
		b.wait(10*time.Minute + 500*time.Millisecond)
		if most := ran.most(); most != 3 {
			t.Errorf("%d at once, max_instances is 3", most)
		}
		for i, run := range b.wantCovered("j", time.Second, begun().Add(time.Second), begun().Add(70*time.Minute)) {
			if i == 0 && row(&run) != "skipped/catch_up 1s..58m20s ×3500" {
				t.Errorf("the first row is %s", row(&run))
			}
		}
		ran.mu.Lock()
		defer ran.mu.Unlock()
		for fire, n := range ran.ran {
			if n != 1 {
				t.Errorf("%s ran %d times", fire, n)
			}
		}
	})
}

// The most that is made up for is a thousand.
func TestCatchUpIsBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, jobcenter.Options{}, nothing)
		b.add(jobcenter.Job{ID: "j", Trigger: interval(t, time.Second), MisfireGrace: jobcenter.NeverTooLate, Coalesce: jobcenter.CoalesceAll})
		time.Sleep(24 * time.Hour)
		b.begin()
		b.wait(0)
		runs := b.wantCovered("j", time.Second, begun().Add(time.Second), begun().Add(24*time.Hour))
		if len(runs) != 1001 || row(&runs[0]) != "skipped/catch_up 1s..23h43m20s ×85400" {
			t.Errorf("%d rows, the first is %s", len(runs), row(&runs[0]))
		}
	})
}
