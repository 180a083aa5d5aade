package jobcenter_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jobcenter-go/jobcenter"
)

// A shutdown lets runs end for as long as its context lasts, whatever
// Options.StopGrace is, and says whether it had to cancel any.
func TestShutdown(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		work, patience time.Duration // below zero: none, or for ever
		took           time.Duration
		err            error
		want           string
	}{
		"nothing runs":                     {-1, -1, 0, nil, ""},
		"nothing runs, and no time at all": {-1, 0, 0, nil, ""},
		"for ever":                         {time.Hour, -1, time.Hour, nil, "succeeded 0s"},
		"long enough":                      {time.Minute, time.Hour, time.Minute, nil, "succeeded 0s"},
		"not long enough":                  {time.Hour, time.Minute, time.Minute, context.DeadlineExceeded, "stopped/shutdown 0s"},
		"no time at all":                   {time.Hour, 0, 0, context.DeadlineExceeded, "stopped/shutdown 0s"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				b := begin(t, jobcenter.Options{StopGrace: time.Second}, lasting(test.work))
				told := b.listen(jobcenter.EventFilter{Types: []jobcenter.EventType{jobcenter.EventRunEnded, jobcenter.EventSchedulerStopped}})
				b.add(jobcenter.Job{ID: "j", Trigger: never(t)})
				want := []jobcenter.EventType{jobcenter.EventSchedulerStopped}
				if test.work >= 0 {
					b.run("j")
					want = append([]jobcenter.EventType{jobcenter.EventRunEnded}, want...)
				}
				b.wait(0)
				ctx, cancel := context.WithCancel(context.Background())
				if test.patience >= 0 {
					ctx, cancel = context.WithTimeout(context.Background(), test.patience)
				}
				defer cancel()
				if err := b.Shutdown(ctx); !errors.Is(err, test.err) {
					t.Errorf("error = %v, want %v", err, test.err)
				}
				if took := time.Since(begun()); took != test.took {
					t.Errorf("it took %s, want %s", took, test.took)
				}
				if test.want != "" {
					b.wantRows("j", test.want)
				}
				told.wantTypes(t, want...)
				if b.Health().Running || b.Health().Err() == nil {
					t.Error("it calls itself running")
				}
			})
		})
	}
}

// The end of Run's context gives runs the stop grace.
func TestRunEndsWithItsContext(t *testing.T) {
	t.Parallel()
	for grace, took := range map[time.Duration]time.Duration{0: 30 * time.Second, 10 * time.Second: 10 * time.Second, -1: 0} {
		t.Run(fmt.Sprint("grace ", grace), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t, jobcenter.Options{StopGrace: grace}, lasting(time.Hour))
				b.add(jobcenter.Job{ID: "j", Trigger: never(t)})
				b.run("j")
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				if err := b.Run(ctx); err != nil {
					t.Error(err)
				}
				if got := time.Since(begun()) - time.Minute; got != took {
					t.Errorf("it waited %s, want %s", got, took)
				}
				b.wantRows("j", "stopped/shutdown 0s")
				if run := b.only("j"); !strings.Contains(run.Message, "shut down") {
					t.Errorf("message = %q", run.Message)
				}
			})
		})
	}
}

// While a scheduler shuts down nothing new begins; what is due then is fired by
// the next one.
func TestNothingBeginsDuringAShutdown(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := jobcenter.NewMemoryStore(0)
		b := begin(t, jobcenter.Options{Store: store}, func(ctx context.Context, run *jobcenter.RunContext) error {
			if run.Job.ID == "long" {
				return lasting(30*time.Second)(ctx, run)
			}
			return nil
		})
		b.add(jobcenter.Job{ID: "long", Trigger: never(t)})
		b.add(jobcenter.Job{ID: "j", Trigger: interval(t, 10*time.Second), Coalesce: jobcenter.CoalesceAll, Overlap: jobcenter.OverlapQueueAll})
		b.run("long")
		b.wait(5 * time.Second)
		ended := make(chan error)
		go func() { ended <- b.Shutdown(context.Background()) }()
		b.wait(10 * time.Second)
		b.run("j") // waits in the store
		if err := <-ended; err != nil {
			t.Error(err)
		}
		b.wantRows("j", "queued 15s")
		b.wantRows("long", "succeeded 0s")
		b.begin()
		b.wait(time.Second)
		b.wantRows("j", "succeeded 10s", "succeeded 15s", "succeeded 20s", "succeeded 30s")
	})
}

// A hundred lives of one scheduler lose nothing.
func TestRestartAgainAndAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ran := newTally()
		b := newBench(t, jobcenter.Options{Node: "n"}, ran.work(20*time.Millisecond))
		b.add(jobcenter.Job{ID: "j", Trigger: interval(t, 100*time.Millisecond), Coalesce: jobcenter.CoalesceAll, Overlap: jobcenter.OverlapQueueAll})
		for i := range 100 {
			b.begin()
			b.wait(time.Duration(37+i*13) * time.Millisecond)
			b.stop()
		}
		b.begin()
		last := time.Now().Truncate(100 * time.Millisecond)
		b.wait(time.Second)
		runs := b.runs("j")
		for i, run := range runs {
			if want := begun().Add(time.Duration(i+1) * 100 * time.Millisecond); !run.FireTime.Equal(want) || run.State != jobcenter.RunSucceeded && !run.FireTime.After(last) {
				t.Fatalf("row %d is %s, want one of %s", i, row(&run), want.Sub(begun()))
			}
		}
		ran.wantOnce(t, len(runs))
	})
}

// On standby nothing fires or begins; another scheduler may; what passed is
// treated by the jobs' rules.
func TestStandby(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := jobcenter.NewMemoryStore(0)
		b := begin(t, jobcenter.Options{Store: store, Node: "one", Standby: true}, lasting(time.Second))
		b.add(jobcenter.Job{ID: "j", Trigger: interval(t, time.Minute), MisfireGrace: 2 * time.Minute})
		b.run("j")
		b.wait(5*time.Minute + 30*time.Second)
		b.wantRows("j", "queued 0s")
		if h := b.Health(); !h.Running || !h.Standby || h.Err() != nil {
			t.Errorf("health on standby: %+v, %v", h, h.Err())
		}
		b.Standby(false)
		b.wait(2 * time.Second)
		b.wantRows("j", "succeeded 0s", "missed/misfire 1m0s..3m0s ×3", "skipped/overlap 4m0s..5m0s ×2")
		b.wait(28 * time.Second)
		if h := b.Health(); h.Standby {
			t.Errorf("health afterwards: %+v", h)
		}
		b.Standby(true) // the run of 6m goes on
		other := begin(t, jobcenter.Options{Store: store, Node: "other"}, nothing)
		other.wait(61 * time.Second)
		runs := b.runs("j")
		if last := runs[len(runs)-1]; row(&last) != "succeeded 7m0s" || last.Node != "other" {
			t.Errorf("fired by the other: %+v", last)
		}
		if before := runs[len(runs)-2]; row(&before) != "succeeded 6m0s" || before.Node != "one" {
			t.Errorf("that which went on: %+v", before)
		}
	})
}

// What New refuses.
func TestNewErrors(t *testing.T) {
	t.Parallel()
	store, task := jobcenter.NewMemoryStore(0), jobcenter.TaskFunc(nothing)
	for name, opts := range map[string]jobcenter.Options{
		"poll interval":    {PollInterval: -1},
		"lease":            {Lease: -1},
		"output limit":     {OutputLimit: -1},
		"queue limit":      {QueueLimit: -1},
		"task without one": {Tasks: map[string]jobcenter.Task{"x": nil}},
		"task unnamed":     {Tasks: map[string]jobcenter.Task{"": task}},
		"task func":        {Tasks: map[string]jobcenter.Task{"func": task}},
		"store twice":      {Store: store, Stores: map[string]jobcenter.JobStore{"default": jobcenter.NewMemoryStore(0)}},
		"store unnamed":    {Stores: map[string]jobcenter.JobStore{"": store}},
		"store nil":        {Stores: map[string]jobcenter.JobStore{"x": nil}},
	} {
		if sched, err := jobcenter.New(opts); err == nil || sched != nil {
			t.Errorf("%s: %v, %v", name, sched, err)
		}
	}
	if _, err := jobcenter.NewPool(0); err == nil {
		t.Error("a pool without places was made")
	}
	b := newBench(t, jobcenter.Options{Stores: map[string]jobcenter.JobStore{"default": store}}, nothing)
	if b.Store() != jobcenter.JobStore(store) {
		t.Error("the store named default is not the default store")
	}
}

func TestTasksAndExecutorsAtRunTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := begin(t, jobcenter.Options{}, nothing)
		job := jobcenter.Job{ID: "j", Task: "new", Executor: "big", Trigger: interval(t, time.Minute)}
		_, err := b.Add(t.Context(), job)
		wantField(t, err, "task")
		if err := b.AddTask("new", jobcenter.TaskFunc(nothing)); err != nil {
			t.Fatal(err)
		}
		_, err = b.Add(t.Context(), job)
		wantField(t, err, "executor")
		if err := b.AddExecutor("big", pool(t, 1)); err != nil {
			t.Fatal(err)
		}
		if _, err := b.Add(t.Context(), job); err != nil {
			t.Fatal(err)
		}
		b.wait(61 * time.Second)
		b.wantRows("j", "succeeded 1m0s")
		if run := b.only("j"); run.Executor != "big" {
			t.Errorf("ran on %q", run.Executor)
		}
		for name, err := range map[string]error{
			"task again":     b.AddTask("new", jobcenter.TaskFunc(nothing)),
			"executor again": b.AddExecutor("big", pool(t, 1)),
		} {
			if !errors.Is(err, jobcenter.ErrConflict) {
				t.Errorf("%s: %v, want ErrConflict", name, err)
			}
		}
		for name, err := range map[string]error{
			"task unnamed": b.AddTask("", jobcenter.TaskFunc(nothing)), "no task": b.AddTask("x", nil), "task func": b.AddTask("func", jobcenter.TaskFunc(nothing)),
			"executor unnamed": b.AddExecutor("", pool(t, 1)), "no executor": b.AddExecutor("x", nil),
		} {
			if err == nil {
				t.Errorf("%s was accepted", name)
			}
		}
		if err := b.RemoveExecutor("none"); !errors.Is(err, jobcenter.ErrUnknown) {
			t.Errorf("remove an unknown executor: %v", err)
		}
		// What is due, or queued, for an executor that was taken away waits.
		if err := b.RemoveExecutor("big"); err != nil {
			t.Fatal(err)
		}
		b.run("j")
		b.wait(20 * time.Second)
		b.wantRows("j", "succeeded 1m0s", "queued 1m1s")
		if err := b.AddExecutor("big", pool(t, 1)); err != nil {
			t.Fatal(err)
		}
		b.wait(time.Second)
		b.wantRows("j", "succeeded 1m0s", "succeeded 1m1s")
	})
}

// What goes wrong without being anybody's answer is logged, with what it was about.
func TestLog(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var text bytes.Buffer
		store := newTroubled(jobcenter.NewMemoryStore(0))
		b := begin(t, jobcenter.Options{Store: store, Logger: slog.New(slog.NewTextHandler(&text, nil))}, func(context.Context, *jobcenter.RunContext) error {
			panic("ouch")
		})
		defer b.Subscribe(jobcenter.EventFilter{Types: []jobcenter.EventType{jobcenter.EventRunStarted}}, func(jobcenter.Event) { panic("bad listener") })()
		b.add(jobcenter.Job{ID: "j", Trigger: never(t)})
		b.run("j")
		b.wait(time.Second)
		store.set(true, "NextDue", "Heartbeat", "Jobs")
		b.wait(10 * time.Second)
		store.set(false, "NextDue", "Heartbeat", "Jobs")
		b.stop()
		for _, want := range []string{"task panicked", "job=j", "ouch", "listener panicked", "bad listener", "cannot take due jobs", "cannot renew the lease", "jobs in quarantine", errDown.Error()} {
			if !strings.Contains(text.String(), want) {
				t.Errorf("the log does not have %q:\n%s", want, text.String())
			}
		}
	})
}
