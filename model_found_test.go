package jobcenter_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/jobcenter-go/jobcenter"
	"github.com/jobcenter-go/jobcenter/trigger"
)

// The tests of this file are of faults that TestModel has found.

// between is a store that something happens to just after a transaction of the
// method named was carried out, and before its answer comes.
type between struct {
	jobcenter.JobStore
	method string
	then   func() error // an error takes the place of the answer
}

func (s *between) answer(method string, err error) error {
	if err != nil || s.method != method {
		return err
	}
	return s.then()
}

func (s *between) UpdateJob(ctx context.Context, id string, change func(jobcenter.Job, jobcenter.Active) (jobcenter.Job, []jobcenter.Run, error)) (jobcenter.Job, error) {
	job, err := s.JobStore.UpdateJob(ctx, id, change)
	return job, s.answer("UpdateJob", err)
}

func (s *between) Orphans(ctx context.Context, node string, now time.Time, limit int) ([]jobcenter.Claimed, error) {
	orphans, err := s.JobStore.Orphans(ctx, node, now, limit)
	return orphans, s.answer("Orphans", err)
}

func (s *between) Claim(ctx context.Context, can jobcenter.Can, now time.Time, limit int, decide func(jobcenter.Job, jobcenter.Active) jobcenter.Decision) ([]jobcenter.Claimed, error) {
	claimed, err := s.JobStore.Claim(ctx, can, now, limit, decide)
	if err = s.answer("Claim", err); err != nil {
		return nil, err
	}
	return claimed, nil
}

// A run that was started by hand at the very instant of a fire time took the
// row of that: all fire times of its span were lost with it.
func TestFound_RunNowLeavesFireTimesTheirRows(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, jobcenter.Options{Node: "n"}, nothing)
		b.add(jobcenter.Job{ID: "j", Trigger: interval(t, time.Second), MisfireGrace: time.Millisecond})
		b.wait(3 * time.Second)
		b.run("j") // nobody has claimed the fire time of this instant yet
		b.wait(6500 * time.Millisecond)
		b.begin()
		synctest.Wait()
		b.wantCovered("j", time.Second, begun().Add(time.Second), begun().Add(9*time.Second))

		closed, err := trigger.NewCalendar([]trigger.Layer{trigger.Exclude(trigger.CronTimes("30-59 * * * * ?"))}, trigger.CalendarOptions{})
		if err != nil {
			t.Fatal(err)
		}
		open, err := trigger.NewInterval(time.Second, trigger.Options{Start: begun()})
		if err != nil {
			t.Fatal(err)
		}
		plan, err := trigger.Modify(open, trigger.Modifiers{Calendar: closed})
		if err != nil {
			t.Fatal(err)
		}
		b.add(jobcenter.Job{ID: "closed", Trigger: plan})
		b.wait(30*time.Second - time.Since(begun())) // the first closed time
		b.run("closed")
		b.wait(31 * time.Second)
		i := slices.IndexFunc(b.runs("closed"), func(r jobcenter.Run) bool { return r.Reason == jobcenter.ReasonCalendar })
		if i < 0 || b.runs("closed")[i].FireCount != 30 {
			t.Errorf("the closed times have no row of 30: %v", b.runs("closed"))
		}
	})
}

// Of several runs that were started by hand at one instant, all but the first
// began before their fire time.
func TestFound_RunsByHandAreNotEarly(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := begin(t, jobcenter.Options{}, nothing)
		b.add(jobcenter.Job{ID: "j", Trigger: never(t), MaxInstances: 5})
		for range 5 {
			b.run("j")
		}
		synctest.Wait()
		for _, run := range b.runs("j") {
			if run.State != jobcenter.RunSucceeded || run.Lateness() < 0 {
				t.Errorf("%s, %s late", row(&run), run.Lateness())
			}
		}
		if n := len(b.runs("j")); n != 5 {
			t.Errorf("%d runs, want 5", n)
		}
	})
}

// The pace of a catch-up held back the runs of jobs that make up for nothing.
func TestFound_PaceIsForCatchUpOnly(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := begin(t, jobcenter.Options{}, lasting(25*time.Second))
		b.add(jobcenter.Job{
			ID: "j", Trigger: interval(t, 10*time.Second), Overlap: jobcenter.OverlapQueueAll, MisfireGrace: jobcenter.NeverTooLate,
			CatchUp: jobcenter.CatchUp{Pace: time.Hour},
		})
		b.wait(40 * time.Second)
		for _, run := range b.runs("j") {
			if !run.NotBefore.IsZero() {
				t.Errorf("%s is to wait until %s", row(&run), run.NotBefore.Sub(begun()))
			}
		}
	})
}

// A skip was swallowed by a fire time that was due and not claimed yet.
func TestFound_SkipNextIsOfWhatIsStillToCome(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := begin(t, jobcenter.Options{}, nothing)
		b.add(jobcenter.Job{ID: "j", Trigger: interval(t, time.Minute), MisfireGrace: time.Hour})
		b.Standby(true)
		b.wait(90 * time.Second)
		if _, err := b.SkipNext(t.Context(), "j"); err != nil {
			t.Fatal(err)
		}
		b.Standby(false)
		b.wait(2 * time.Minute)
		b.wantRows("j", "succeeded 1m0s", "skipped/skip 2m0s", "succeeded 3m0s")
	})
}

// A store that had been down for longer than the lease was used again only
// when the lease was to be renewed, however long that is.
func TestFound_StoreIsUsedSoonAfterItIsBack(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := newTroubled(jobcenter.NewMemoryStore(0))
		b := begin(t, jobcenter.Options{Store: store, Lease: 3 * time.Hour}, nothing)
		b.add(jobcenter.Job{ID: "j", Trigger: interval(t, time.Minute), MisfireGrace: jobcenter.NeverTooLate})
		b.wait(30 * time.Second)
		store.set(true, everyMethod()...)
		b.wait(10 * time.Hour)
		store.set(false, everyMethod()...)
		b.wait(10 * time.Second)
		runs := b.runs("j")
		if len(runs) == 0 || runs[len(runs)-1].State != jobcenter.RunSucceeded {
			t.Errorf("rows after 10s = %v", runs)
		}
	})
}

// Rows of other processes were not looked for while fires came more often than
// PollInterval.
func TestFound_PollsWhateverFires(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := jobcenter.NewMemoryStore(0)
		b := begin(t, jobcenter.Options{Store: store, PollInterval: time.Second}, nothing)
		// While something runs, it looks for rows anyway.
		b.add(jobcenter.Job{ID: "often", Trigger: interval(t, 400*time.Millisecond), SkipUntil: begun().Add(time.Hour)})
		b.add(jobcenter.Job{ID: "by-hand", Trigger: never(t)})
		b.wait(10*time.Second + 100*time.Millisecond)
		other := newBench(t, jobcenter.Options{Store: store}, nothing) // does not run
		other.run("by-hand")
		b.wait(time.Second)
		if run := b.only("by-hand"); run.State != jobcenter.RunSucceeded {
			t.Errorf("run = %s after one poll", row(&run))
		}
	})
}

// A scheduler that waited for its store when its standby began fired once the
// store was back.
func TestFound_StandbyHoldsWhenTheStoreIsBack(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := newTroubled(jobcenter.NewMemoryStore(0))
		b := begin(t, jobcenter.Options{Store: store}, nothing)
		b.add(jobcenter.Job{ID: "j", Trigger: interval(t, time.Minute), MisfireGrace: time.Hour})
		b.wait(30 * time.Second)
		store.set(true, everyMethod()...)
		b.wait(time.Minute)
		b.Standby(true)
		b.wait(time.Minute)
		store.set(false, everyMethod()...)
		b.wait(time.Minute)
		b.wantRows("j")
	})
}

// A run that was to make way for the next one just when its attempt failed was
// recorded as stopped by somebody.
func TestFound_ReplacedRunSaysSoAlsoBetweenAttempts(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := jobcenter.NewMemoryStore(0)
		fails := func(context.Context, *jobcenter.RunContext) error {
			time.Sleep(61 * time.Second)
			return errors.New("no luck")
		}
		// It hears of the stop only after the attempt has failed.
		holder := begin(t, jobcenter.Options{Store: store, Node: "holder", PollInterval: 10 * time.Second}, fails)
		holder.add(jobcenter.Job{
			ID: "j", Trigger: interval(t, time.Minute), Overlap: jobcenter.OverlapCancel,
			Retry: jobcenter.Retry{Attempts: 2, Delay: time.Second},
		})
		holder.wait(90 * time.Second)
		holder.Standby(true) // so that the other one claims the next fire time
		begin(t, jobcenter.Options{Store: store, Node: "other"}, nothing)
		holder.wait(60 * time.Second)
		run := holder.runs("j")[0]
		if run.State != jobcenter.RunStopped || run.Reason != jobcenter.ReasonCancel || run.Attempt != 1 {
			t.Errorf("run = %s after %d attempts, want stopped/cancel after 1", row(&run), run.Attempt)
		}
	})
}

// The end of a run whose node had died was told twice by a scheduler that
// looked for such runs at its start and, at the same time, as at any other.
func TestFound_LostRunsAreToldOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		memory := jobcenter.NewMemoryStore(0)
		dead := newTroubled(memory)
		first := begin(t, jobcenter.Options{Store: dead, Node: "dead"}, untilDone)
		first.add(jobcenter.Job{ID: "j", Trigger: never(t)})
		first.run("j")
		synctest.Wait()
		dead.set(true, everyMethod()...)
		first.wait(time.Minute)
		// Both looks take a while, so that neither sees what the other does.
		slow := &between{JobStore: memory, method: "Orphans", then: func() error { time.Sleep(time.Millisecond); return nil }}
		b := newBench(t, jobcenter.Options{Store: slow, Node: "second"}, nothing)
		heard := b.listen(jobcenter.EventFilter{Types: []jobcenter.EventType{jobcenter.EventRunEnded}})
		b.begin()
		b.wait(time.Minute)
		heard.wantTypes(t, jobcenter.EventRunEnded)
	})
}

// A run that a change of its job had queued was told as started before it was
// told as queued.
func TestFound_WhatAChangeQueuesIsToldFirst(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		// The answer takes a moment, in which the loop comes upon the run.
		store := &between{JobStore: jobcenter.NewMemoryStore(0), method: "UpdateJob", then: func() error { time.Sleep(time.Second); return nil }}
		b := begin(t, jobcenter.Options{Store: store, PollInterval: 100 * time.Millisecond}, nothing)
		b.add(jobcenter.Job{ID: "j", Trigger: interval(t, time.Minute), MisfireGrace: time.Hour})
		b.Standby(true)
		b.wait(90 * time.Second)
		heard := b.listen(jobcenter.EventFilter{JobID: "j"})
		b.Standby(false)
		// At the instant at which the standby ends, but before the loop looks.
		if _, err := b.Modify(t.Context(), "j", func(job *jobcenter.Job) error { job.Priority = 1; return nil }); err != nil {
			t.Fatal(err)
		}
		b.wait(2 * time.Second)
		types := heard.types()
		queued, started := slices.Index(types, jobcenter.EventRunQueued), slices.Index(types, jobcenter.EventRunStarted)
		if started < 0 || queued > started {
			t.Errorf("events = %v", types)
		}
	})
}

// What happened to a job while the end of its run could not be recorded was
// told only after that.
func TestFound_EventsDoNotWaitForAStoreThatIsDown(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := newTroubled(jobcenter.NewMemoryStore(0))
		b := begin(t, jobcenter.Options{Store: store}, lasting(time.Second))
		b.add(jobcenter.Job{ID: "j", Trigger: never(t)})
		heard := b.listen(jobcenter.EventFilter{JobID: "j"})
		b.run("j")
		store.set(true, "Record")
		b.wait(10 * time.Second)
		if _, err := b.Pause(t.Context(), "j", jobcenter.PauseOptions{}); err != nil {
			t.Fatal(err)
		}
		heard.wantTypes(t, jobcenter.EventRunQueued, jobcenter.EventRunStarted, jobcenter.EventJobPaused)
		store.set(false, "Record")
		b.wait(10 * time.Second)
		heard.wantTypes(t, jobcenter.EventRunQueued, jobcenter.EventRunStarted, jobcenter.EventJobPaused, jobcenter.EventRunEnded)
	})
}

// The run of a start was told again, with an id that is nowhere, when the
// store's answer had been lost.
func TestFound_RunOfAStartIsToldOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var tries atomic.Int64
		store := &between{JobStore: jobcenter.NewMemoryStore(0), method: "UpdateJob", then: func() error {
			if tries.Add(1) == 1 {
				return errDown
			}
			return nil
		}}
		b := newBench(t, jobcenter.Options{Store: store}, nothing)
		b.add(jobcenter.Job{ID: "j", Trigger: parsed(t, "@reboot")})
		heard := b.listen(jobcenter.EventFilter{Match: func(e jobcenter.Event) bool { return e.Run != nil }})
		b.wait(time.Second)
		b.begin()
		b.wait(10 * time.Second)
		run := b.only("j")
		if run.State != jobcenter.RunSucceeded || tries.Load() < 2 {
			t.Errorf("run = %s after %d tries", row(&run), tries.Load())
		}
		for _, e := range heard.all() {
			if e.Run.ID != run.ID {
				t.Errorf("told that the run %s is %s, the ledger has %s only", e.Run.ID, e.Run.State, run.ID)
			}
		}
	})
}

// Runs that were taken, but whose scheduler had no answer, were looked for for
// twice a lease; where that is not much longer than PollInterval, it was too
// short to be sure, and they stood in the way for ever.
func TestFound_StraysAreFoundHoweverRarelyTheStoreIsAsked(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var deaf atomic.Bool
		store := &between{JobStore: jobcenter.NewMemoryStore(0), method: "Claim", then: func() error {
			if deaf.CompareAndSwap(true, false) {
				return errDown
			}
			return nil
		}}
		b := begin(t, jobcenter.Options{Store: store, PollInterval: 2 * time.Hour, Lease: time.Hour}, nothing)
		b.add(jobcenter.Job{ID: "j", Trigger: interval(t, 5*time.Hour+30*time.Minute)})
		b.wait(5 * time.Hour)
		deaf.Store(true)
		b.wait(10 * time.Hour)
		if run := b.runs("j")[0]; run.State != jobcenter.RunSucceeded {
			t.Errorf("run = %s", row(&run))
		}
	})
}

// A run of a fire time that only the former trigger had was held to the grace
// that the distance to the next one of the new trigger stands for.
func TestFound_GraceOfARunOfAFormerTrigger(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := begin(t, jobcenter.Options{Executors: poolOf(t, 1)}, lasting(10*time.Minute))
		b.add(jobcenter.Job{ID: "busy", Trigger: never(t)})
		b.add(jobcenter.Job{ID: "j", Trigger: date(t, begun().Add(55*time.Minute))})
		b.wait(54 * time.Minute)
		b.run("busy")
		b.wait(2 * time.Minute)
		// Every two hours, and next four minutes from now.
		plan, err := trigger.NewInterval(2*time.Hour, trigger.Options{Start: begun().Add(time.Hour)})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := b.Reschedule(t.Context(), "j", plan); err != nil {
			t.Fatal(err)
		}
		b.wait(20 * time.Minute)
		if run := b.runs("j")[0]; run.State != jobcenter.RunSucceeded {
			t.Errorf("run = %s, it was 9 minutes late, and the grace is an hour", row(&run))
		}
	})
}

// The closed times of a crontab with H were those of no job.
func TestFound_ClosedTimesAreThoseOfTheJob(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		crontab, err := trigger.NewCrontab("H * * * *", trigger.Options{})
		if err != nil {
			t.Fatal(err)
		}
		closed, err := trigger.NewCalendar([]trigger.Layer{trigger.Exclude(trigger.DailyTime(2*time.Hour, 5*time.Hour))}, trigger.CalendarOptions{})
		if err != nil {
			t.Fatal(err)
		}
		plan, err := trigger.Modify(crontab, trigger.Modifiers{Calendar: closed})
		if err != nil {
			t.Fatal(err)
		}
		b := begin(t, jobcenter.Options{}, nothing)
		b.add(jobcenter.Job{ID: "j", Trigger: plan})
		b.wait(7 * time.Hour)
		var minute int
		var rows []string
		for i, run := range b.runs("j") {
			if i == 0 {
				minute = run.FireTime.Minute()
			} else if run.FireTime.Minute() != minute || run.LastFireTime.Minute() != minute {
				t.Errorf("%s, want minute %d", row(&run), minute)
			}
			rows = append(rows, string(run.State)+strings.Repeat("+", int(run.FireCount-1)))
		}
		if diff := cmp.Diff([]string{"succeeded", "succeeded", "skipped++", "succeeded", "succeeded"}, rows); diff != "" {
			t.Errorf("rows (-want +got):\n%s", diff)
		}
	})
}

// A change of the trigger ended a quarantine, and with it in silence all that
// had been due meanwhile; a pause did so with what the calendar had closed.
func TestFound_QuarantineKeepsWhatIsOwed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		closed, err := trigger.NewCalendar([]trigger.Layer{trigger.Exclude(trigger.CronTimes("* */2 * * * ?"))}, trigger.CalendarOptions{})
		if err != nil {
			t.Fatal(err)
		}
		every, err := trigger.NewInterval(30*time.Second, trigger.Options{Start: begun()})
		if err != nil {
			t.Fatal(err)
		}
		plan, err := trigger.Modify(every, trigger.Modifiers{Calendar: closed})
		if err != nil {
			t.Fatal(err)
		}
		store := jobcenter.NewMemoryStore(0)
		knows := newBench(t, jobcenter.Options{Store: store}, nothing) // does not run
		for _, id := range []string{"changed", "paused"} {
			knows.add(jobcenter.Job{ID: id, Trigger: plan})
		}
		sched, err := jobcenter.New(jobcenter.Options{Store: store})
		if err != nil {
			t.Fatal(err)
		}
		b := &bench{Scheduler: sched, t: t}
		b.begin()
		b.wait(4*time.Minute + 10*time.Second)
		if state := b.job("changed"); state.State() != jobcenter.JobQuarantined {
			t.Fatalf("the job is %s", state.State())
		}
		if _, err := knows.Reschedule(t.Context(), "changed", never(t)); err != nil {
			t.Fatal(err)
		}
		b.wantRows("changed", "skipped/calendar 30s", "missed/misfire 1m0s..1m30s ×2", "skipped/calendar 2m0s..2m30s ×2",
			"missed/misfire 3m0s", "queued 3m30s", "skipped/calendar 4m0s")

		if _, err := b.Pause(t.Context(), "paused", jobcenter.PauseOptions{}); err != nil {
			t.Fatal(err)
		}
		b.wait(time.Minute)
		if err := sched.AddTask("work", jobcenter.TaskFunc(nothing)); err != nil {
			t.Fatal(err)
		}
		b.wait(time.Minute)
		if _, err := b.Resume(t.Context(), "paused"); err != nil {
			t.Fatal(err)
		}
		b.wantRows("paused", "skipped/calendar 30s", "skipped/paused 1m0s..1m30s ×2", "skipped/calendar 2m0s..2m30s ×2",
			"skipped/paused 3m0s..3m30s ×2", "skipped/calendar 4m0s..4m30s ×2", "skipped/paused 5m0s..5m30s ×2", "skipped/calendar 6m0s")
	})
}
