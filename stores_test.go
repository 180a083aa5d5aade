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

// two gives a scheduler a second store.
func two(second jobcenter.JobStore) jobcenter.Options {
	return jobcenter.Options{Stores: map[string]jobcenter.JobStore{"second": second}}
}

func TestSeveralStores(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		first, second := jobcenter.NewMemoryStore(0), jobcenter.NewMemoryStore(0)
		opts := two(second)
		opts.Store = first
		b := begin(t, opts, nothing)
		b.add(jobcenter.Job{ID: "a", Trigger: interval(t, time.Second)})
		b.add(jobcenter.Job{ID: "b", Store: "second", Trigger: interval(t, time.Second)})
		b.wait(2 * time.Second)
		for id, store := range map[string]jobcenter.JobStore{"a": first, "b": second} {
			page, err := store.Runs(t.Context(), jobcenter.RunQuery{})
			if err != nil || len(page.Runs) != 2 || page.Runs[0].JobID != id {
				t.Errorf("the store of %s has %+v, %v", id, page.Runs, err)
			}
		}
		if got := b.job("b").Store; got != "second" {
			t.Errorf("b is in store %q", got)
		}
		run := b.run("b")
		b.wait(time.Second)
		if got, err := b.GetRun(t.Context(), run.ID); err != nil || got.State != jobcenter.RunSucceeded {
			t.Errorf("run = %+v, %v", got, err)
		}
		if _, err := b.GetRun(t.Context(), "none"); !errors.Is(err, jobcenter.ErrRunNotFound) {
			t.Errorf("an unknown run: %v", err)
		}
		if _, err := b.Job(t.Context(), "none"); !errors.Is(err, jobcenter.ErrJobNotFound) {
			t.Errorf("an unknown job: %v", err)
		}
		if store, err := b.NamedStore("second"); err != nil || store != jobcenter.JobStore(second) || b.Store() != jobcenter.JobStore(first) {
			t.Errorf("the stores by name: %v, %v", store, err)
		}
		if _, err := b.NamedStore("third"); !errors.Is(err, jobcenter.ErrUnknown) || !strings.Contains(err.Error(), "default, second") {
			t.Errorf("an unknown store: %v", err)
		}
		for _, change := range []func(id string) error{
			func(id string) error { _, err := b.Pause(t.Context(), id, jobcenter.PauseOptions{}); return err },
			func(id string) error { _, err := b.SkipNext(t.Context(), id); return err },
			func(id string) error { _, err := b.Resume(t.Context(), id); return err },
			func(id string) error { _, err := b.Reschedule(t.Context(), id, never(t)); return err },
			func(id string) error { return b.Remove(t.Context(), id) },
		} {
			if err := change("none"); !errors.Is(err, jobcenter.ErrJobNotFound) {
				t.Errorf("a change of an unknown job: %v", err)
			}
			if err := change("b"); err != nil {
				t.Errorf("a change of a job in the second store: %v", err)
			}
		}
	})
}

// An id is unique over all stores, whichever way a job comes.
func TestIDsAreUniqueOverStores(t *testing.T) {
	t.Parallel()
	b := newBench(t, two(jobcenter.NewMemoryStore(0)), nothing)
	b.add(jobcenter.Job{ID: "j", Trigger: never(t)})
	same := jobcenter.Job{ID: "j", Task: "work", Store: "second", Trigger: never(t)}
	if _, err := b.Add(t.Context(), same); !errors.Is(err, jobcenter.ErrConflict) || !strings.Contains(err.Error(), `store "default"`) {
		t.Errorf("add: %v", err)
	}
	kept := same
	kept.Version = 5
	if _, err := b.Import(t.Context(), []jobcenter.Job{kept}, jobcenter.ImportOptions{KeepState: true, OnConflict: jobcenter.ConflictKeep}); err != nil {
		t.Errorf("import: %v", err)
	}
	if job, changes, err := b.Ensure(t.Context(), same); err != nil || changes.Added || job.Store != jobcenter.DefaultStore {
		t.Errorf("ensure: %+v, %+v, %v", job, changes, err)
	}
	_, err := b.AddAll(t.Context(), []jobcenter.Job{{ID: "x", Task: "work", Trigger: never(t)}, {ID: "y", Task: "work", Trigger: never(t), Store: "second"}})
	wantField(t, err, "store")
	if added, err := b.AddAll(t.Context(), nil); err != nil || added != nil {
		t.Errorf("adding no jobs: %v, %v", added, err)
	}
}

func TestStoresAtRunTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		second := jobcenter.NewMemoryStore(0)
		other := newBench(t, jobcenter.Options{Store: second}, nothing)
		other.add(jobcenter.Job{ID: "j", Trigger: interval(t, time.Minute), MisfireGrace: jobcenter.NeverTooLate})
		time.Sleep(150 * time.Second)

		b := begin(t, jobcenter.Options{Node: "n"}, lasting(10*time.Second))
		b.wait(time.Second)
		if err := b.AddStore("second", second); err != nil {
			t.Fatal(err)
		}
		if err := b.AddStore("second", second); !errors.Is(err, jobcenter.ErrConflict) {
			t.Errorf("the same name again: %v", err)
		}
		for _, name := range []string{"", "nil", "a/b"} {
			if err := b.AddStore(name, map[string]jobcenter.JobStore{"": second, "a/b": second}[name]); err == nil {
				t.Errorf("a store %q was accepted", name)
			}
		}
		b.wait(31 * time.Second) // 3m2s
		other.wantRows("j", "skipped/coalesced 1m0s", "succeeded 2m0s", "running 3m0s")
		if h := b.Health().Stores["second"]; h.Runs != 1 || h.Problem != nil || h.LastPass.IsZero() {
			t.Errorf("health of the store: %+v", h)
		}
		// Its run is waited for.
		store, err := b.RemoveStore(t.Context(), "second")
		if err != nil || store != jobcenter.JobStore(second) || time.Since(begun()) != 190*time.Second {
			t.Errorf("removed: %v, %v, at %s", store, err, time.Since(begun()))
		}
		if _, err := b.RemoveStore(t.Context(), "second"); !errors.Is(err, jobcenter.ErrUnknown) {
			t.Errorf("removed again: %v", err)
		}
		b.wait(5 * time.Minute)
		other.wantRows("j", "skipped/coalesced 1m0s", "succeeded 2m0s", "succeeded 3m0s")
		if _, err := b.Job(t.Context(), "j"); !errors.Is(err, jobcenter.ErrJobNotFound) {
			t.Errorf("its job: %v", err)
		}
	})
}

// The runs of a store that is removed get as long as the caller waits: no less,
// whatever the grace of a shutdown is, and no more.
func TestRemoveStoreWaitsForItsRuns(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		patience, took time.Duration
		want           string
	}{
		"long":  {time.Hour, 10 * time.Minute, "succeeded 0s"},
		"short": {time.Minute, time.Minute, "stopped/shutdown 0s"},
		"none":  {0, 0, "stopped/shutdown 0s"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				second := jobcenter.NewMemoryStore(0)
				b := begin(t, two(second), lasting(10*time.Minute))
				b.add(jobcenter.Job{ID: "j", Store: "second", Trigger: never(t)})
				b.add(jobcenter.Job{ID: "other", Trigger: never(t)})
				b.run("j")
				b.run("other")
				b.wait(0)
				ctx, cancel := context.WithTimeout(t.Context(), test.patience)
				defer cancel()
				if _, err := b.RemoveStore(ctx, "second"); err != nil {
					t.Fatal(err)
				}
				if took := time.Since(begun()); took != test.took {
					t.Errorf("it took %s, want %s", took, test.took)
				}
				left := newBench(t, jobcenter.Options{Store: second}, nothing)
				left.wantRows("j", test.want)
				b.wait(10 * time.Minute)
				b.wantRows("other", "succeeded 0s")
			})
		})
	}
}

// A store can be given and taken while nothing runs, too. The default one stays.
func TestStoresOfAStoppedScheduler(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, jobcenter.Options{}, nothing)
		for _, name := range []string{"second", "third"} {
			if err := b.AddStore(name, jobcenter.NewMemoryStore(0)); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := b.RemoveStore(t.Context(), "third"); err != nil {
			t.Fatal(err)
		}
		if _, err := b.RemoveStore(t.Context(), jobcenter.DefaultStore); err == nil {
			t.Error("the default store was removed")
		}
		b.add(jobcenter.Job{ID: "j", Store: "second", Trigger: interval(t, time.Second)})
		b.begin()
		b.wait(time.Second)
		page, err := b.Runs(t.Context(), jobcenter.RunQuery{Cursor: "second/"})
		if err != nil || len(page.Runs) != 1 {
			t.Errorf("runs: %+v, %v", page.Runs, err)
		}
	})
}

// One store that is down does not hold up another: neither its fires nor changes
// of its jobs.
func TestAStoreThatIsDownHoldsUpNoOther(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := newTroubled(jobcenter.NewMemoryStore(0))
		b := begin(t, two(store), nothing)
		b.add(jobcenter.Job{ID: "up", Trigger: interval(t, time.Second)})
		b.add(jobcenter.Job{ID: "down", Store: "second", Trigger: interval(t, time.Second), Coalesce: jobcenter.CoalesceAll})
		b.wait(5500 * time.Millisecond)
		store.set(true, everyMethod()...)
		b.wait(20 * time.Second)
		for _, run := range b.wantCovered("up", time.Second, begun().Add(time.Second), begun().Add(25*time.Second)) {
			if run.State != jobcenter.RunSucceeded || run.Lateness() != 0 {
				t.Errorf("row %s is %s late", row(&run), run.Lateness())
			}
		}
		err := b.Health().Err()
		if !errors.Is(err, errDown) || !strings.Contains(err.Error(), `store "second"`) {
			t.Errorf("health = %v", err)
		}
		if h := b.Health(); h.Stores[jobcenter.DefaultStore].Problem != nil || h.Stores["second"].Problem == nil {
			t.Errorf("health by store: %+v", h.Stores)
		}
		store.set(false, everyMethod()...)
		b.wait(20 * time.Second)
		second, err := b.NamedStore("second")
		if err != nil {
			t.Fatal(err)
		}
		left := newBench(t, jobcenter.Options{Store: second}, nothing)
		for _, run := range left.wantCovered("down", time.Second, begun().Add(time.Second), begun().Add(45*time.Second)) {
			if run.State != jobcenter.RunSucceeded {
				t.Errorf("row %s", row(&run))
			}
		}
	})
}

// Stores share the executors, and a place that becomes free is taken by
// whichever store has something waiting.
func TestStoresShareExecutors(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		opts := two(jobcenter.NewMemoryStore(0))
		opts.Executors, opts.PollInterval = poolOf(t, 1), time.Hour
		b := begin(t, opts, lasting(10*time.Second))
		for i := range 6 {
			b.add(jobcenter.Job{ID: fmt.Sprint("j", i), Store: []string{"", "second"}[i%2], Trigger: never(t)})
			b.run(fmt.Sprint("j", i))
		}
		b.wait(61 * time.Second)
		page, err := b.Runs(t.Context(), jobcenter.RunQuery{})
		if err != nil {
			t.Fatal(err)
		}
		second, err := b.Runs(t.Context(), jobcenter.RunQuery{Cursor: page.NextCursor})
		if err != nil {
			t.Fatal(err)
		}
		for _, run := range append(page.Runs, second.Runs...) {
			if run.State != jobcenter.RunSucceeded {
				t.Errorf("row %s of %s: nobody woke its store", row(&run), run.JobID)
			}
		}
	})
}

// Pages go through one store after the other, whatever the stores are called.
func TestPagesOverStores(t *testing.T) {
	t.Parallel()
	b := newBench(t, jobcenter.Options{Stores: map[string]jobcenter.JobStore{
		"a.b": jobcenter.NewMemoryStore(0), "a": jobcenter.NewMemoryStore(0), "空": jobcenter.NewMemoryStore(0), "empty": jobcenter.NewMemoryStore(0),
	}}, nothing)
	var want []string
	for _, store := range []string{"", "a", "a.b", "空"} {
		for i := range 5 {
			job := b.add(jobcenter.Job{ID: fmt.Sprintf("j%d-%d", len(want), i), Store: store, Trigger: never(t)})
			b.run(job.ID)
			want = append(want, job.ID)
		}
	}
	for limit := 1; limit <= 7; limit++ {
		var got []string
		q := jobcenter.JobQuery{Limit: limit}
		for {
			page, err := b.Jobs(t.Context(), q)
			if err != nil {
				t.Fatal(err)
			}
			if len(page.Jobs) > limit {
				t.Errorf("a page of %d, the limit is %d", len(page.Jobs), limit)
			}
			for _, job := range page.Jobs {
				got = append(got, job.ID)
			}
			if q.Cursor = page.NextCursor; q.Cursor == "" {
				break
			}
		}
		if strings.Join(got, " ") != strings.Join(want, " ") {
			t.Errorf("by %d: %v, want %v", limit, got, want)
		}
		runs := 0
		rq := jobcenter.RunQuery{Limit: limit}
		for {
			page, err := b.Runs(t.Context(), rq)
			if err != nil {
				t.Fatal(err)
			}
			runs += len(page.Runs)
			if rq.Cursor = page.NextCursor; rq.Cursor == "" {
				break
			}
		}
		if runs != len(want) {
			t.Errorf("by %d: %d runs, want %d", limit, runs, len(want))
		}
	}
	for _, cursor := range []string{"x", "none/", "a/???"} {
		if _, err := b.Jobs(t.Context(), jobcenter.JobQuery{Cursor: cursor}); !errors.Is(err, jobcenter.ErrBadCursor) {
			t.Errorf("cursor %q: %v", cursor, err)
		}
		if _, err := b.Runs(t.Context(), jobcenter.RunQuery{Cursor: cursor}); !errors.Is(err, jobcenter.ErrBadCursor) {
			t.Errorf("cursor %q: %v", cursor, err)
		}
	}
}

// A list that cannot be read in full is an error, not a shorter list.
func TestListsOfAStoreThatIsDown(t *testing.T) {
	t.Parallel()
	store := newTroubled(jobcenter.NewMemoryStore(0))
	b := newBench(t, two(store), nothing)
	b.add(jobcenter.Job{ID: "a", Trigger: never(t)})
	store.set(true, "Jobs", "Job", "Runs", "Run")
	ctx := t.Context()
	for name, list := range map[string]func() error{
		"export":    func() error { _, err := b.Export(ctx, jobcenter.JobQuery{}); return err },
		"pause all": func() error { _, err := b.PauseAll(ctx, jobcenter.JobQuery{}, jobcenter.PauseOptions{}); return err },
		"print":     func() error { return b.Print(ctx, &strings.Builder{}, jobcenter.JobQuery{}) },
		"job":       func() error { _, err := b.Job(ctx, "b"); return err },
		"run":       func() error { _, err := b.GetRun(ctx, "r"); return err },
		"add": func() error {
			_, err := b.Add(ctx, jobcenter.Job{ID: "b", Task: "work", Trigger: never(t)})
			return err
		},
		"pause": func() error { _, err := b.Pause(ctx, "b", jobcenter.PauseOptions{}); return err },
		"stop":  func() error { return b.StopRun(ctx, "r", "") },
		"import": func() error {
			_, err := b.Import(ctx, []jobcenter.Job{{ID: "b", Task: "work", Trigger: never(t)}}, jobcenter.ImportOptions{})
			return err
		},
		"why": func() error { _, err := b.Why(ctx, "b", begun(), ""); return err },
	} {
		if err := list(); !errors.Is(err, errDown) {
			t.Errorf("%s: %v, want %v", name, err, errDown)
		}
	}
}
