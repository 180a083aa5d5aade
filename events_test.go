package jobcenter_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/jobcenter-go/jobcenter"
	"github.com/jobcenter-go/jobcenter/trigger"
)

// Each type of event, once, and what it carries.
func TestEventTypes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := newTroubled(jobcenter.NewMemoryStore(0))
		b := newBench(t, jobcenter.Options{Store: store, Node: "n"}, func(_ context.Context, run *jobcenter.RunContext) error {
			if run.Job.ID == "tries" && run.Attempt() == 1 {
				return errUnlucky
			}
			return nil
		})
		ctx := t.Context()
		told := b.listen(jobcenter.EventFilter{})
		seen := map[jobcenter.EventType]bool{}
		expect := func(what string, want ...jobcenter.EventType) []jobcenter.Event {
			t.Helper()
			events := told.all()
			if diff := cmp.Diff(want, told.types()); diff != "" {
				t.Errorf("%s (-want +got):\n%s", what, diff)
			}
			for _, e := range events {
				seen[e.Type] = true
				if e.Node != "n" || !e.At.Equal(time.Now()) {
					t.Errorf("%s: event %s of node %q at %s", what, e.Type, e.Node, e.At)
				}
			}
			told.mu.Lock()
			told.events = nil
			told.mu.Unlock()
			return events
		}
		must := func(err error) {
			t.Helper()
			if err != nil {
				t.Fatal(err)
			}
		}

		must(b.Start())
		expect("start", jobcenter.EventSchedulerStarted)
		b.add(jobcenter.Job{ID: "j", Trigger: interval(t, time.Minute)})
		if e := expect("add", jobcenter.EventJobAdded)[0]; e.Job.ID != "j" || e.Job.Version != 1 || e.Store != jobcenter.DefaultStore || e.Job.Store != jobcenter.DefaultStore {
			t.Errorf("added: %+v", e)
		}
		b.wait(time.Minute)
		events := expect("fire", jobcenter.EventRunStarted, jobcenter.EventRunEnded)
		for i, state := range []jobcenter.RunState{jobcenter.RunRunning, jobcenter.RunSucceeded} {
			if e := events[i]; e.Run.State != state || e.Job.ID != "j" || e.Executor != jobcenter.DefaultExecutor || e.Run.JobID != "j" || e.Store != jobcenter.DefaultStore {
				t.Errorf("fire: %+v", e)
			}
		}
		_, err := b.Modify(ctx, "j", func(job *jobcenter.Job) error { job.Name, job.Priority = "Other", 3; return nil })
		must(err)
		if e := expect("modify", jobcenter.EventJobModified)[0]; e.Before.Name != "j" || e.Job.Name != "Other" || !slices.Equal(e.Fields, []string{"name", "priority"}) {
			t.Errorf("modified: %+v", e)
		}
		b.pause("j", jobcenter.PauseOptions{})
		expect("pause", jobcenter.EventJobPaused)
		b.resume("j")
		expect("resume", jobcenter.EventJobResumed)
		_, err = b.SkipNext(ctx, "j")
		must(err)
		expect("skip", jobcenter.EventJobModified)
		b.wait(time.Minute)
		if e := expect("a skipped fire", jobcenter.EventRunSkipped)[0]; e.Run.Reason != jobcenter.ReasonSkip {
			t.Errorf("skipped: %+v", e)
		}
		b.run("j")
		expect("by hand", jobcenter.EventRunQueued, jobcenter.EventRunStarted, jobcenter.EventRunEnded)

		b.add(jobcenter.Job{ID: "tries", Trigger: never(t), Retry: jobcenter.Retry{Attempts: 2, Delay: time.Second}})
		b.run("tries")
		if e := expect("a retry", jobcenter.EventJobAdded, jobcenter.EventRunQueued, jobcenter.EventRunStarted, jobcenter.EventRunRetry)[3]; e.Run.State != jobcenter.RunQueued || e.Run.Reason != jobcenter.ReasonError {
			t.Errorf("retry: %+v", e)
		}
		b.wait(time.Second)
		expect("the retry", jobcenter.EventRunStarted, jobcenter.EventRunEnded)

		b.Standby(true)
		b.Standby(true)
		expect("standby", jobcenter.EventSchedulerStandby)
		b.add(jobcenter.Job{ID: "late", Trigger: date(t, time.Now().Add(10*time.Second)), MisfireGrace: time.Second})
		expect("a job for later", jobcenter.EventJobAdded)
		b.wait(30 * time.Second)
		b.Standby(false)
		b.Standby(false)
		if e := expect("after standby", jobcenter.EventSchedulerResumed, jobcenter.EventRunMissed, jobcenter.EventJobFinished)[2]; e.Job.State() != jobcenter.JobFinished {
			t.Errorf("finished: %+v", e.Job)
		}

		must(b.AddExecutor("second", pool(t, 1)))
		if e := expect("add executor", jobcenter.EventExecutorAdded)[0]; e.Executor != "second" {
			t.Errorf("added: %+v", e)
		}
		must(b.RemoveExecutor("second"))
		expect("remove executor", jobcenter.EventExecutorRemoved)
		must(b.AddStore("second", jobcenter.NewMemoryStore(0)))
		if e := expect("add store", jobcenter.EventStoreAdded)[0]; e.Store != "second" {
			t.Errorf("added: %+v", e)
		}
		_, err = b.RemoveStore(ctx, "second")
		must(err)
		expect("remove store", jobcenter.EventStoreRemoved)

		must(b.Remove(ctx, "j"))
		expect("remove another", jobcenter.EventJobRemoved)
		alter(t, store, "late", func(job *jobcenter.Job) { job.Task, job.NextFireTime = "gone", begun() })
		b.wait(35 * time.Second)
		if events := told.all(); len(events) != 1 || events[0].Type != jobcenter.EventJobQuarantined || events[0].Job.Quarantine == "" {
			t.Errorf("quarantine: %+v", told.types())
		}
		seen[jobcenter.EventJobQuarantined] = true
		told.events = nil
		must(b.AddTask("gone", jobcenter.TaskFunc(nothing)))
		expect("release", jobcenter.EventJobReleased, jobcenter.EventRunMissed, jobcenter.EventJobFinished)

		store.set(true, "NextDue")
		b.wait(3 * time.Second)
		if events := told.all(); len(events) != 1 || events[0].Type != jobcenter.EventStoreFailed || !errors.Is(events[0].Err, errDown) || events[0].Store != jobcenter.DefaultStore {
			t.Errorf("store failed: %+v", events)
		}
		store.set(false, "NextDue")
		b.wait(10 * time.Second)
		if types := told.types(); len(types) < 2 || types[1] != jobcenter.EventStoreRecovered {
			t.Errorf("store recovered: %v", types)
		}
		seen[jobcenter.EventStoreFailed], seen[jobcenter.EventStoreRecovered] = true, true
		told.events = nil

		must(b.Remove(ctx, "tries"))
		expect("remove", jobcenter.EventJobRemoved)
		must(b.Shutdown(ctx))
		expect("shutdown", jobcenter.EventSchedulerStopped)

		// Two types are not for this test: the clock cannot jump here, and this
		// listener is quick.
		for _, kind := range []jobcenter.EventType{
			jobcenter.EventSchedulerStarted, jobcenter.EventSchedulerStopped, jobcenter.EventSchedulerStandby, jobcenter.EventSchedulerResumed,
			jobcenter.EventStoreAdded, jobcenter.EventStoreRemoved, jobcenter.EventStoreFailed, jobcenter.EventStoreRecovered,
			jobcenter.EventExecutorAdded, jobcenter.EventExecutorRemoved, jobcenter.EventJobAdded, jobcenter.EventJobModified, jobcenter.EventJobPaused,
			jobcenter.EventJobResumed, jobcenter.EventJobRemoved, jobcenter.EventJobFinished, jobcenter.EventJobQuarantined, jobcenter.EventJobReleased,
			jobcenter.EventRunQueued, jobcenter.EventRunStarted, jobcenter.EventRunRetry, jobcenter.EventRunEnded, jobcenter.EventRunMissed, jobcenter.EventRunSkipped,
		} {
			if !seen[kind] {
				t.Errorf("%s was not seen", kind)
			}
		}
	})
}

func TestEventFilter(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		filter jobcenter.EventFilter
		want   string
	}{
		"all": {jobcenter.EventFilter{}, "scheduler_started job_added:a job_added:b run_queued:a run_started:a run_ended:a run_queued:b run_started:b run_ended:b"},
		"types": {
			jobcenter.EventFilter{Types: []jobcenter.EventType{jobcenter.EventJobAdded, jobcenter.EventRunEnded}},
			"job_added:a job_added:b run_ended:a run_ended:b",
		},
		"job":            {jobcenter.EventFilter{JobID: "a"}, "job_added:a run_queued:a run_started:a run_ended:a"},
		"task":           {jobcenter.EventFilter{Task: "other"}, "job_added:b run_queued:b run_started:b run_ended:b"},
		"tag":            {jobcenter.EventFilter{Tag: "db"}, "job_added:a run_queued:a run_started:a run_ended:a"},
		"store":          {jobcenter.EventFilter{Store: "second"}, "job_added:b run_queued:b run_started:b run_ended:b"},
		"job and type":   {jobcenter.EventFilter{JobID: "b", Types: []jobcenter.EventType{jobcenter.EventRunStarted}}, "run_started:b"},
		"what is not":    {jobcenter.EventFilter{JobID: "a", Tag: "none"}, ""},
		"own conditions": {jobcenter.EventFilter{Match: func(e jobcenter.Event) bool { return e.Run != nil && e.Run.State == jobcenter.RunSucceeded }}, "run_ended:a run_ended:b"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t, jobcenter.Options{
					Stores: map[string]jobcenter.JobStore{"second": jobcenter.NewMemoryStore(0)}, Tasks: map[string]jobcenter.Task{"other": jobcenter.TaskFunc(nothing)},
				}, nothing)
				told := b.listen(test.filter)
				b.begin()
				b.add(jobcenter.Job{ID: "a", Tags: []string{"x", "db"}, Trigger: never(t)})
				b.addAs("other", jobcenter.Job{ID: "b", Store: "second", Trigger: never(t)})
				b.run("a")
				b.wait(time.Second)
				b.run("b")
				b.wait(time.Second)
				var got []string
				for _, e := range told.all() {
					line := string(e.Type)
					if e.Job != nil {
						line += ":" + e.Job.ID
					}
					got = append(got, line)
				}
				if strings.Join(got, " ") != test.want {
					t.Errorf("events: %s\nwant:   %s", strings.Join(got, " "), test.want)
				}
			})
		})
	}
}

// history checks the events of one job as they come.
type history struct {
	version int64
	alive   bool
	runs    map[string]jobcenter.EventType
	life    int            // how often a job of this id was added
	lives   map[string]int // by run
}

// follows says what is wrong with an event after those before it.
func (h *history) follows(e *jobcenter.Event) string {
	switch e.Type {
	case jobcenter.EventJobAdded:
		if h.alive {
			return "added twice"
		}
		h.alive, h.version = true, e.Job.Version
		h.life++
		return ""
	case jobcenter.EventJobRemoved:
		if !h.alive {
			return "removed before it was added"
		}
		h.alive = false
		return ""
	case jobcenter.EventJobModified, jobcenter.EventJobPaused, jobcenter.EventJobResumed:
		if !h.alive || e.Job.Version < h.version {
			return fmt.Sprintf("version %d after %d", e.Job.Version, h.version)
		}
		h.version = e.Job.Version
		return ""
	default:
	}
	if e.Run == nil {
		return ""
	}
	last, known := h.runs[e.Run.ID]
	h.runs[e.Run.ID] = e.Type
	switch e.Type {
	case jobcenter.EventRunQueued, jobcenter.EventRunSkipped, jobcenter.EventRunMissed:
		if known && last != jobcenter.EventRunQueued {
			return fmt.Sprintf("%s after %s", e.Type, last)
		}
	case jobcenter.EventRunStarted:
		if known && last != jobcenter.EventRunQueued && last != jobcenter.EventRunRetry {
			return fmt.Sprintf("started after %s", last)
		}
	case jobcenter.EventRunRetry, jobcenter.EventRunEnded:
		if last != jobcenter.EventRunStarted {
			return fmt.Sprintf("%s after %q", e.Type, last)
		}
	default:
	}
	if !known {
		h.lives[e.Run.ID] = h.life
	}
	if h.lives[e.Run.ID] == h.life && e.Run.JobVersion > h.version { // else it is a run of a job that was removed
		return fmt.Sprintf("a run of version %d before the version itself, %d", e.Run.JobVersion, h.version)
	}
	return ""
}

// However much goes on, the events of a job tell a story that makes sense.
func TestEventsAreCausal(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := begin(t, jobcenter.Options{Executors: poolOf(t, 5)}, func(_ context.Context, run *jobcenter.RunContext) error {
			if run.Attempt() == 1 && run.FireTime().Second()%3 == 0 {
				return errUnlucky
			}
			return nil
		})
		var wrong []string
		count := 0
		stories := map[string]*history{}
		var mu sync.Mutex
		defer b.Subscribe(jobcenter.EventFilter{}, func(e jobcenter.Event) {
			if e.Job == nil {
				return
			}
			mu.Lock()
			defer mu.Unlock()
			count++
			story := stories[e.Job.ID]
			if story == nil {
				story = &history{runs: map[string]jobcenter.EventType{}, lives: map[string]int{}}
				stories[e.Job.ID] = story
			}
			if problem := story.follows(&e); problem != "" {
				wrong = append(wrong, e.Job.ID+": "+problem)
			}
		})()
		var all sync.WaitGroup
		for i := range 8 {
			all.Go(func() {
				id := fmt.Sprint("j", i)
				for range 30 {
					job := jobcenter.Job{ID: id, Task: "work", Trigger: interval(t, time.Second), Retry: jobcenter.Retry{Attempts: 2, Delay: 100 * time.Millisecond}, Overlap: jobcenter.OverlapQueueAll}
					if _, err := b.Add(t.Context(), job); err != nil {
						t.Error(err)
					}
					for n := range 5 {
						time.Sleep(time.Duration(i*7+n*311) * time.Millisecond)
						if _, err := b.Modify(t.Context(), id, func(job *jobcenter.Job) error { job.Name = fmt.Sprint("name ", n); return nil }); err != nil {
							t.Error(err)
						}
						b.pause(id, jobcenter.PauseOptions{})
						_, err := b.RunNow(t.Context(), id, jobcenter.StartOptions{})
						if err != nil {
							t.Error(err)
						}
						b.resume(id)
					}
					if err := b.Remove(t.Context(), id); err != nil {
						t.Error(err)
					}
				}
			})
		}
		all.Wait()
		b.wait(time.Minute)
		mu.Lock()
		defer mu.Unlock()
		if len(wrong) > 0 {
			t.Errorf("%d of %d events come out of order, such as %v", len(wrong), count, wrong[:min(5, len(wrong))])
		}
		if count < 8*30*20 {
			t.Errorf("%d events only", count)
		}
	})
}

// A listener that cannot keep up is told how many events it has lost, and delays no fire.
func TestSlowListener(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := begin(t, jobcenter.Options{}, nothing)
		quick := b.listen(jobcenter.EventFilter{})
		release := make(chan struct{})
		var got []jobcenter.Event
		defer b.Subscribe(jobcenter.EventFilter{}, func(e jobcenter.Event) {
			<-release
			got = append(got, e)
		})()
		b.add(jobcenter.Job{ID: "j", Trigger: interval(t, time.Second)})
		b.wait(5000 * time.Second)
		for _, run := range b.wantCovered("j", time.Second, begun().Add(time.Second), begun().Add(5000*time.Second)) {
			if run.Lateness() != 0 || run.State != jobcenter.RunSucceeded {
				t.Fatalf("row %s is %s late", row(&run), run.Lateness())
			}
		}
		close(release)
		synctest.Wait()
		const all, buffer = 1 + 2*5000, 4096 // job_added, then two events a fire
		if n := len(quick.all()); n != all {
			t.Errorf("a quick listener was told of %d events, want %d", n, all)
		}
		// One was taken before the listener stood still; then the dropped ones are
		// told in their place, and the last ones follow.
		if len(got) != 1+1+buffer || got[1].Type != jobcenter.EventsDropped || got[1].Count != all-1-buffer {
			t.Fatalf("%d events, the second %s of %d; want %d dropped", len(got), got[1].Type, got[1].Count, all-1-buffer)
		}
		if first, last := got[2], got[len(got)-1]; !first.At.Equal(quick.all()[all-buffer].At) || last.Type != jobcenter.EventRunEnded || !last.At.Equal(time.Now()) {
			t.Errorf("the events that are left are from %s to %s", first.At, last.At)
		}
	})
}

// A subscription that has ended is not told of anything, not even of what waits.
func TestSubscriptionEnds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := begin(t, jobcenter.Options{}, nothing)
		release := make(chan struct{})
		var told atomic.Int64
		cancel := b.Subscribe(jobcenter.EventFilter{}, func(jobcenter.Event) {
			told.Add(1)
			<-release
		})
		for i := range 10 {
			b.add(jobcenter.Job{ID: fmt.Sprint("j", i), Trigger: never(t)})
		}
		synctest.Wait()
		cancel()
		cancel()
		close(release)
		b.add(jobcenter.Job{ID: "last", Trigger: never(t)})
		synctest.Wait()
		if told.Load() != 1 {
			t.Errorf("told of %d events, want the one that was on its way", told.Load())
		}
	})
}

// A listener may call the scheduler, and end its own subscription.
func TestListenersCallTheScheduler(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := begin(t, jobcenter.Options{}, nothing)
		var cancel func()
		cancel = b.Subscribe(jobcenter.EventFilter{Types: []jobcenter.EventType{jobcenter.EventRunEnded}}, func(e jobcenter.Event) {
			if err := b.Remove(context.Background(), e.Job.ID); err != nil {
				t.Error(err)
			}
			cancel()
		})
		b.add(jobcenter.Job{ID: "j", Trigger: interval(t, time.Second)})
		b.wait(time.Minute)
		b.wantRows("j", "succeeded 1s")
	})
}

func TestVeto(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ran := newTally()
		b := begin(t, jobcenter.Options{}, ran.work(0))
		told := b.listen(jobcenter.EventFilter{JobID: "j"})
		var asked []string
		note := func(name string, err error) func(context.Context, jobcenter.Job, jobcenter.Run) error {
			return func(_ context.Context, job jobcenter.Job, run jobcenter.Run) error {
				asked = append(asked, name)
				if job.ID != "j" || run.JobID != "j" || run.State != jobcenter.RunRunning || run.Attempt != 1 {
					t.Errorf("asked about %+v of %+v", run, job)
				}
				return err
			}
		}
		cancels := []func(){
			b.BeforeRun(jobcenter.EventFilter{JobID: "j", Types: []jobcenter.EventType{jobcenter.EventJobAdded}}, note("first", nil)),
			b.BeforeRun(jobcenter.EventFilter{Tag: "none"}, note("of others", errors.New("never asked"))),
			b.BeforeRun(jobcenter.EventFilter{JobID: "j"}, note("second", errors.New("it is a holiday"))),
			b.BeforeRun(jobcenter.EventFilter{JobID: "j"}, note("third", nil)),
		}
		b.add(jobcenter.Job{ID: "j", Trigger: interval(t, time.Minute)})
		b.add(jobcenter.Job{ID: "free", Trigger: interval(t, time.Minute)})
		b.wait(time.Minute)
		run := b.only("j")
		if row(&run) != "skipped/veto 1m0s" || run.Message != "it is a holiday" || !run.StartedAt.IsZero() || run.EndedAt.IsZero() {
			t.Errorf("run = %+v", run)
		}
		b.wantRows("free", "succeeded 1m0s")
		if !slices.Equal(asked, []string{"first", "second"}) {
			t.Errorf("asked %v", asked)
		}
		told.wantTypes(t, jobcenter.EventJobAdded, jobcenter.EventRunStarted, jobcenter.EventRunSkipped)
		for _, cancel := range cancels[1:3] {
			cancel()
			cancel()
		}
		b.wait(time.Minute)
		b.wantRows("j", "skipped/veto 1m0s", "succeeded 2m0s")
		if !slices.Equal(asked, []string{"first", "second", "first", "third"}) {
			t.Errorf("asked %v", asked)
		}
	})
}

// A check that panics is a veto, one that waits holds up its own run only, and
// it is told when that is to end.
func TestVetoOfAPanicAndOfASlowCheck(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := begin(t, jobcenter.Options{}, nothing)
		b.BeforeRun(jobcenter.EventFilter{JobID: "panics"}, func(context.Context, jobcenter.Job, jobcenter.Run) error { panic("ouch") })
		b.BeforeRun(jobcenter.EventFilter{JobID: "slow"}, func(ctx context.Context, _ jobcenter.Job, _ jobcenter.Run) error {
			<-ctx.Done()
			return context.Cause(ctx)
		})
		for _, id := range []string{"panics", "slow", "free"} {
			b.add(jobcenter.Job{ID: id, Trigger: interval(t, time.Minute)})
		}
		b.wait(time.Minute)
		b.wantRows("panics", "skipped/veto 1m0s")
		if run := b.only("panics"); !strings.Contains(run.Message, "panicked: ouch") {
			t.Errorf("message = %q", run.Message)
		}
		b.wantRows("free", "succeeded 1m0s")
		b.wantRows("slow", "running 1m0s")
		if err := b.StopRun(t.Context(), b.only("slow").ID, "li"); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if run := b.only("slow"); !run.State.Final() || !strings.Contains(run.Message, "stopped by li") {
			t.Errorf("slow = %+v", run)
		}
	})
}

// Each attempt is asked about; a veto ends the run, which says that it did run.
func TestVetoOfALaterAttempt(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := begin(t, jobcenter.Options{}, failing(5, errUnlucky))
		b.BeforeRun(jobcenter.EventFilter{}, func(_ context.Context, _ jobcenter.Job, run jobcenter.Run) error {
			if run.Attempt == 3 {
				return errors.New("enough")
			}
			return nil
		})
		b.add(jobcenter.Job{ID: "j", Trigger: never(t), Retry: jobcenter.Retry{Attempts: 5}})
		b.run("j")
		b.wait(time.Minute)
		if run := b.only("j"); row(&run) != "stopped/veto 0s" || run.Message != "enough" || run.StartedAt.IsZero() {
			t.Errorf("run = %+v", run)
		}
	})
}

// Why says of a veto what the program said.
func TestWhyOfAVeto(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := begin(t, jobcenter.Options{}, nothing)
		b.BeforeRun(jobcenter.EventFilter{}, func(context.Context, jobcenter.Job, jobcenter.Run) error { return errors.New("a holiday") })
		b.add(jobcenter.Job{ID: "j", Trigger: interval(t, time.Minute)})
		b.wait(time.Minute)
		why, err := b.Why(t.Context(), "j", begun().Add(time.Minute), trigger.English)
		if err != nil || why.Verdict != jobcenter.VerdictNotRun || why.Reason != jobcenter.ReasonVeto || !strings.Contains(why.Text, "a holiday") {
			t.Errorf("why: %+v, %v", why, err)
		}
	})
}
