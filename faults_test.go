package jobcenter_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jobcenter-go/jobcenter"
	"github.com/jobcenter-go/jobcenter/trigger"
)

// The tests of this file are named after faults that other schedulers have or
// had, with the numbers of the issues in which people tell of them: AP is
// agronholm/apscheduler, FL viniciuschiele/flask-apscheduler, QZ
// quartz-scheduler/quartz, GC go-co-op/gocron, RC robfig/cron, GQ
// reugn/go-quartz, RV riverqueue/river, NC netresearch/go-cron.

// Each process runs each job: AP #129 #160 #218 #231 #655 #766, FL #13 #28 #51
// #139 #201, GC #181, GQ #79.
func TestFault_APScheduler_SameJobRunsOncePerProcess(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store, ran := jobcenter.NewMemoryStore(0), newTally()
		var b *bench
		for i := range 4 {
			b = start(t, jobcenter.Options{Store: store, Node: fmt.Sprint("worker", i)}, ran.work(0))
			// As each worker of a web server does when it starts.
			if _, _, err := b.Ensure(t.Context(), jobcenter.Job{ID: "mail", Task: "work", Trigger: interval(t, time.Minute)}); err != nil {
				t.Fatal(err)
			}
		}
		b.wait(time.Hour)
		ran.wantOnce(t, 60)
		b.wantCovered("mail", time.Minute, begun().Add(time.Minute), begun().Add(time.Hour))
	})
}

// A store error other than in reading due jobs ends the loop for good while
// the scheduler calls itself running: AP #109 #213 #283 #1083, PR #1132.
func TestFault_APScheduler_LoopDiesOnAStoreError(t *testing.T) {
	t.Parallel()
	for _, method := range everyMethod() {
		for _, from := range []time.Duration{0, 2500 * time.Millisecond} {
			t.Run(fmt.Sprintf("%s from %s", method, from), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					store := newTroubled(jobcenter.NewMemoryStore(0))
					b := newBench(t, jobcenter.Options{Store: store, StopGrace: -1}, lasting(200*time.Millisecond))
					b.add(jobcenter.Job{
						ID: "j", Trigger: interval(t, time.Second), Coalesce: jobcenter.CoalesceAll,
						MisfireGrace: jobcenter.NeverTooLate, Overlap: jobcenter.OverlapQueueAll,
					})
					store.set(from == 0, method)
					b.begin()
					b.wait(from)
					store.set(true, method)
					b.wait(20*time.Second - from)
					store.set(false, method)
					b.wait(40*time.Second + 500*time.Millisecond)
					for _, run := range b.wantCovered("j", time.Second, begun().Add(time.Second), begun().Add(time.Minute)) {
						if run.State != jobcenter.RunSucceeded {
							t.Errorf("row %s, want it to have run", row(&run))
						}
					}
					if err := b.Health().Err(); err != nil {
						t.Errorf("health = %v after the store came back", err)
					}
				})
			})
		}
	}
}

// A database that fails twice ends what survived the first time: AP #213 #1083.
func TestFault_APScheduler_SecondBlipIsTheLast(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := newTroubled(jobcenter.NewMemoryStore(0))
		b := begin(t, jobcenter.Options{Store: store}, nothing)
		told := b.listen(jobcenter.EventFilter{Types: []jobcenter.EventType{jobcenter.EventStoreFailed, jobcenter.EventStoreRecovered}})
		b.add(jobcenter.Job{ID: "j", Trigger: interval(t, time.Second), MisfireGrace: jobcenter.NeverTooLate})
		for range 5 {
			b.wait(30 * time.Second)
			store.set(true, everyMethod()...)
			b.wait(10 * time.Second)
			if b.Health().Err() == nil {
				t.Error("the scheduler calls itself healthy while its store fails")
			}
			store.set(false, everyMethod()...)
			b.wait(20 * time.Second)
			if err := b.Health().Err(); err != nil {
				t.Errorf("health = %v after the store came back", err)
			}
		}
		b.wantCovered("j", time.Second, begun().Add(time.Second), begun().Add(5*time.Minute))
		if failed, recovered := told.count(jobcenter.EventStoreFailed), told.count(jobcenter.EventStoreRecovered); failed < 5 || failed != recovered {
			t.Errorf("told of %d failures and %d recoveries, want as many of each, 5 at least", failed, recovered)
		}
	})
}

// A run that starts a second late is dropped, and nobody is told: AP #146 #182
// #273 #292 #296 #476.
func TestFault_APScheduler_GraceOfOneSecondDropsInSilence(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := begin(t, jobcenter.Options{Executors: poolOf(t, 1)}, func(ctx context.Context, run *jobcenter.RunContext) error {
			if run.Job.ID == "busy" {
				return lasting(30*time.Second)(ctx, run)
			}
			return nil
		})
		b.add(jobcenter.Job{ID: "busy", Trigger: date(t, begun().Add(time.Second)), Priority: 1})
		b.add(jobcenter.Job{ID: "patient", Trigger: date(t, begun().Add(2*time.Second))})
		b.add(jobcenter.Job{ID: "strict", Trigger: date(t, begun().Add(2*time.Second)), MisfireGrace: time.Second})
		b.wait(time.Minute)
		b.wantRows("patient", "succeeded 2s")
		if run := b.only("patient"); run.Lateness() != 29*time.Second {
			t.Errorf("lateness = %s, want 29s", run.Lateness())
		}
		b.wantRows("strict", "missed/misfire 2s")
		if run := b.only("strict"); !strings.Contains(run.Message, "waited 29s") || !strings.Contains(run.Message, "grace is 1s") {
			t.Errorf("message = %q, want how long it waited and what was allowed", run.Message)
		}
	})
}

// Fires that fell into a restart are lost, with the phase: AP #696.
func TestFault_APScheduler_RestartLosesMissedRunsAndPhase(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		opts := jobcenter.Options{Store: jobcenter.NewMemoryStore(0)}
		declared := jobcenter.Job{ID: "j", Task: "work", Trigger: interval(t, 10*time.Minute), MisfireGrace: 5 * time.Minute}
		b := begin(t, opts, nothing)
		if _, _, err := b.Ensure(t.Context(), declared); err != nil {
			t.Fatal(err)
		}
		b.wait(25 * time.Minute)
		b.stop()
		time.Sleep(17 * time.Minute) // over the fires at 30m and 40m
		b = begin(t, opts, nothing)
		if _, changes, err := b.Ensure(t.Context(), declared); err != nil || changes.Added || changes.Fields != nil {
			t.Fatalf("changes = %+v, %v, want none", changes, err)
		}
		b.wait(10 * time.Minute)
		b.wantRows("j", "succeeded 10m0s", "succeeded 20m0s", "missed/misfire 30m0s", "succeeded 40m0s", "succeeded 50m0s")
	})
}

// Registering a job again, as each deployment does, begins its interval anew, so
// that a program which is deployed often never runs it: AP #696, RV #791.
func TestFault_River_IntervalRestartsWhenRegisteredAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := begin(t, leisurely(), nothing)
		for range 10 {
			if _, _, err := b.Ensure(t.Context(), jobcenter.Job{ID: "daily", Task: "work", Trigger: interval(t, 24*time.Hour)}); err != nil {
				t.Fatal(err)
			}
			b.wait(5 * time.Hour)
		}
		b.wantRows("daily", "succeeded 24h0m0s", "succeeded 48h0m0s")
	})
}

// Two nodes of a cluster fire the same trigger: QZ #29 #106 #548, PR #280, RV #283.
func TestFault_Quartz_ClusterFiresTwice(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store, ran := jobcenter.NewMemoryStore(0), newTally()
		var b *bench
		for i := range 3 {
			b = start(t, jobcenter.Options{Store: store, Node: fmt.Sprint("node", i), Executors: poolOf(t, 5)}, ran.work(300*time.Millisecond))
		}
		// More than one batch of a claim, and more than there are places.
		for i := range 150 {
			b.add(jobcenter.Job{ID: fmt.Sprint("j", i), Trigger: interval(t, time.Minute)})
		}
		b.wait(10*time.Minute + 30*time.Second)
		ran.wantOnce(t, 1500)
		for i := range 150 {
			b.wantCovered(fmt.Sprint("j", i), time.Minute, begun().Add(time.Minute), begun().Add(10*time.Minute))
		}
	})
}

// A node that comes late to a fire finds its lock free again, since the first
// one is done, and fires once more: GC #841.
func TestFault_Gocron_SlowNodeFiresAgainWhenTheLockIsFree(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		memory, ran := jobcenter.NewMemoryStore(0), newTally()
		b := start(t, jobcenter.Options{Store: memory, Node: "quick"}, ran.work(time.Millisecond))
		slow := &hanging{memory, begun().Add(90 * time.Second)} // its first claim takes that long
		start(t, jobcenter.Options{Store: slow, Node: "slow"}, ran.work(time.Millisecond))
		b.add(jobcenter.Job{ID: "j", Trigger: interval(t, time.Minute)})
		b.wait(10*time.Minute + time.Second)
		ran.wantOnce(t, 10)
		b.wantCovered("j", time.Minute, begun().Add(time.Minute), begun().Add(10*time.Minute))
	})
}

// After a crash a trigger stays blocked until somebody mends its row: QZ #134
// #145 #218 #461 #675 #1516.
func TestFault_Quartz_TriggersStuckAfterACrash(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		memory := jobcenter.NewMemoryStore(0)
		doomed := newTroubled(memory)
		dead := start(t, jobcenter.Options{Store: doomed, Node: "dead", StopGrace: -1}, untilDone)
		dead.add(jobcenter.Job{ID: "j", Trigger: interval(t, time.Minute)})
		dead.wait(90 * time.Second)
		dead.wantRows("j", "running 1m0s")
		doomed.set(true, everyMethod()...) // nothing is heard of it any more
		b := start(t, jobcenter.Options{Store: memory, Node: "alive"}, nothing)
		b.wait(2*time.Minute + time.Second)
		b.wantRows("j", "lost/node_died 1m0s", "succeeded 2m0s", "succeeded 3m0s")
		doomed.set(false, everyMethod()...)
	})
}

// Jobs whose code has moved are deleted from the store: AP #99 #341, FL #119,
// AutoGPT PR #14218.
func TestFault_APScheduler_JobsOfUnknownTasksAreDeleted(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := jobcenter.NewMemoryStore(0)
		old := newBench(t, jobcenter.Options{Store: store, Tasks: map[string]jobcenter.Task{"report": jobcenter.TaskFunc(nothing)}}, nothing)
		old.addAs("report", jobcenter.Job{ID: "j", Trigger: interval(t, time.Minute), MisfireGrace: jobcenter.NeverTooLate})
		b := begin(t, jobcenter.Options{Store: store}, nothing)
		told := b.listen(jobcenter.EventFilter{JobID: "j"})
		b.wait(time.Hour)
		job := b.job("j")
		if job.State() != jobcenter.JobQuarantined || !strings.Contains(job.Quarantine, `unknown task "report"`) {
			t.Fatalf("the job is %s: %q", job.State(), job.Quarantine)
		}
		told.wantTypes(t, jobcenter.EventJobQuarantined)
		b.wantRows("j")
		if err := b.AddTask("report", jobcenter.TaskFunc(nothing)); err != nil {
			t.Fatal(err)
		}
		b.wait(30 * time.Second)
		b.wantRows("j", "skipped/coalesced 1m0s..59m0s ×59", "succeeded 1h0m0s")
		told.wantTypes(t, jobcenter.EventJobQuarantined, jobcenter.EventJobReleased, jobcenter.EventRunSkipped, jobcenter.EventRunStarted, jobcenter.EventRunEnded)
	})
}

// Jobs that cannot be decoded are deleted: AP #99 #341.
func TestFault_APScheduler_UndecodableJobsAreDeleted(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := jobcenter.NewMemoryStore(0)
		newArgs := jobcenter.NewTask(func(context.Context, *jobcenter.RunContext, struct{ To string }) error { return nil })
		old := newBench(t, jobcenter.Options{Store: store}, nothing)
		old.add(jobcenter.Job{ID: "args", Trigger: interval(t, time.Minute), Args: json.RawMessage(`{"receiver":"li"}`)})
		old.add(jobcenter.Job{ID: "trigger", Trigger: interval(t, time.Minute)})
		var unreadable jobcenter.Job
		if err := json.Unmarshal([]byte(`{"id":"trigger","task":"work","trigger":{"type":"moonphase","phase":"full"}}`), &unreadable); err != nil {
			t.Fatal(err)
		}
		alter(t, store, "trigger", func(job *jobcenter.Job) {
			next := job.NextFireTime
			*job = unreadable
			job.NextFireTime, job.Executor, job.MaxInstances, job.Version = next, jobcenter.DefaultExecutor, 1, 1
		})
		b := begin(t, jobcenter.Options{Store: store, Tasks: map[string]jobcenter.Task{"work": newArgs}}, nothing)
		b.wait(time.Hour)
		for id, want := range map[string]string{"args": "receiver", "trigger": "moonphase"} {
			if job := b.job(id); job.State() != jobcenter.JobQuarantined || !strings.Contains(job.Quarantine, want) {
				t.Errorf("%s is %s: %q, want in quarantine because of %q", id, job.State(), job.Quarantine, want)
			}
			b.wantRows(id)
		}
		mended, err := b.Modify(t.Context(), "args", func(job *jobcenter.Job) error { job.Args = json.RawMessage(`{"to":"li"}`); return nil })
		if err != nil || mended.State() != jobcenter.JobActive {
			t.Fatalf("mended = %+v, %v", mended, err)
		}
		if _, err := b.Reschedule(t.Context(), "trigger", interval(t, time.Minute)); err != nil {
			t.Fatal(err)
		}
		b.wait(time.Minute)
		for id, want := range map[string]int{"args": 2, "trigger": 1} {
			if runs := b.runs(id); runs[len(runs)-1].State != jobcenter.RunSucceeded || len(runs) < want {
				t.Errorf("rows of %s after it was mended: %+v", id, runs)
			}
		}
	})
}

// A job whose executor is not there is removed: by reading, and seen. APScheduler
// 4 leaves its runs alone without a word.
func TestFault_APScheduler_UnknownExecutorDeletesTheJob(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := jobcenter.NewMemoryStore(0)
		old := newBench(t, jobcenter.Options{Store: store, Executors: map[string]jobcenter.Executor{"gpu": pool(t, 1)}}, nothing)
		old.add(jobcenter.Job{ID: "j", Executor: "gpu", Trigger: interval(t, time.Hour), MisfireGrace: jobcenter.NeverTooLate})
		b := begin(t, jobcenter.Options{Store: store}, nothing)
		b.wait(2 * time.Hour)
		if job := b.job("j"); job.State() != jobcenter.JobQuarantined || !strings.Contains(job.Quarantine, `unknown executor "gpu"`) {
			t.Fatalf("the job is %s: %q", job.State(), job.Quarantine)
		}
		if err := b.AddExecutor("gpu", pool(t, 1)); err != nil {
			t.Fatal(err)
		}
		b.wait(time.Second)
		b.wantRows("j", "skipped/coalesced 1h0m0s", "succeeded 2h0m0s")
	})
}

// A scheduler that is started again after its shutdown uses the dead pool, and
// drops what is due.
func TestFault_APScheduler_RestartAfterShutdownDropsRuns(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, jobcenter.Options{}, nothing)
		b.add(jobcenter.Job{ID: "j", Trigger: interval(t, time.Second)})
		for range 3 {
			b.begin()
			b.wait(2500 * time.Millisecond)
			b.stop()
		}
		b.wantRows("j", "succeeded 1s", "succeeded 2s", "succeeded 3s", "succeeded 4s", "succeeded 5s", "succeeded 6s", "succeeded 7s")
	})
}

// A duplicate id among the jobs that wait for the start leaves a scheduler that
// is half started; FL: the second POST is answered with 200.
func TestFault_APScheduler_DuplicateIDSpoilsTheStart(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, jobcenter.Options{}, nothing)
		b.add(jobcenter.Job{ID: "j", Trigger: interval(t, time.Second)})
		same := jobcenter.Job{ID: "j", Task: "work", Trigger: interval(t, time.Minute)}
		if _, err := b.Add(t.Context(), same); !errors.Is(err, jobcenter.ErrConflict) {
			t.Errorf("before the start: %v, want ErrConflict", err)
		}
		b.begin()
		if _, err := b.Add(t.Context(), same); !errors.Is(err, jobcenter.ErrConflict) {
			t.Errorf("after it: %v, want ErrConflict", err)
		}
		others := []jobcenter.Job{{ID: "k", Task: "work", Trigger: interval(t, time.Second)}, same}
		if _, err := b.AddAll(t.Context(), others); !errors.Is(err, jobcenter.ErrConflict) {
			t.Errorf("among others: %v, want ErrConflict", err)
		}
		b.wait(2 * time.Second)
		b.wantRows("j", "succeeded 1s", "succeeded 2s")
		b.wantRows("k")
	})
}

// Importing jobs into a memory store kills the scheduler's thread, tells no
// listener and wakes nobody.
func TestFault_APScheduler_ImportIntoTheMemoryStoreKillsTheLoop(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		source := newBench(t, jobcenter.Options{}, nothing)
		source.add(jobcenter.Job{ID: "j", Trigger: interval(t, time.Second)})
		jobs, err := source.Export(t.Context(), jobcenter.JobQuery{})
		if err != nil {
			t.Fatal(err)
		}
		b := begin(t, jobcenter.Options{PollInterval: time.Hour}, nothing)
		told := b.listen(jobcenter.EventFilter{Types: []jobcenter.EventType{jobcenter.EventJobAdded}})
		b.wait(500 * time.Millisecond)
		if _, err := b.Import(t.Context(), jobs, jobcenter.ImportOptions{}); err != nil {
			t.Fatal(err)
		}
		told.wantTypes(t, jobcenter.EventJobAdded)
		b.wait(2 * time.Second)
		b.wantRows("j", "succeeded 1s", "succeeded 2s")
	})
}

// A fire for which the job has too many instances leaves no trace but an event,
// and instances are counted in one process only.
func TestFault_APScheduler_MaxInstancesAreCountedPerProcess(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store, ran := jobcenter.NewMemoryStore(0), newTally()
		var b *bench
		for i := range 3 {
			b = start(t, jobcenter.Options{Store: store, Node: fmt.Sprint("n", i)}, ran.work(2500*time.Millisecond))
		}
		b.add(jobcenter.Job{ID: "j", Trigger: interval(t, time.Second), MaxInstances: 2})
		b.wait(5500 * time.Millisecond)
		b.wantRows("j", "succeeded 1s", "succeeded 2s", "skipped/overlap 3s", "running 4s", "running 5s")
		if most := ran.most(); most != 2 {
			t.Errorf("%d at once over all schedulers, want 2", most)
		}
	})
}

// Fires that are rolled into another one emit no event and leave no row.
func TestFault_APScheduler_CoalescedRunsAreSilent(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := jobcenter.NewMemoryStore(0)
		b := newBench(t, jobcenter.Options{Store: store}, nothing)
		b.add(jobcenter.Job{ID: "j", Trigger: interval(t, time.Second)})
		time.Sleep(30 * time.Second)
		told := b.listen(jobcenter.EventFilter{JobID: "j"})
		b.begin()
		b.wait(0)
		b.wantRows("j", "skipped/coalesced 1s..29s ×29", "succeeded 30s")
		told.wantTypes(t, jobcenter.EventRunSkipped, jobcenter.EventRunStarted, jobcenter.EventRunEnded)
	})
}

// Without coalescing, all that is due is one instance in one worker, and one
// fire that fails or hangs stands for all of them.
func TestFault_APScheduler_CatchUpIsOneInstance(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, jobcenter.Options{}, func(_ context.Context, run *jobcenter.RunContext) error {
			if run.FireTime().Second()%2 == 0 {
				return errors.New("even")
			}
			return nil
		})
		b.add(jobcenter.Job{ID: "j", Trigger: interval(t, time.Second), Coalesce: jobcenter.CoalesceAll})
		time.Sleep(4 * time.Second)
		b.begin()
		b.wait(0)
		b.wantRows("j", "succeeded 1s", "failed/error 2s", "succeeded 3s", "failed/error 4s")
	})
}

// The list of what is due is built in full, even if it is one run in the end:
// 604,801 entries for a week of seconds.
func TestFault_APScheduler_AWeekAwayIsAListOfEverySecond(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, jobcenter.Options{}, nothing)
		b.add(jobcenter.Job{ID: "j", Trigger: interval(t, time.Second)})
		time.Sleep(7 * 24 * time.Hour)
		b.begin()
		b.wait(0)
		b.wantRows("j", "missed/misfire 1s..167h58m59s ×604739", "skipped/coalesced 167h59m0s..167h59m59s ×60", "succeeded 168h0m0s")
	})
}

// The events of a job that runs once come as executed, removed, submitted.
func TestFault_APScheduler_EventsOutOfOrder(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := begin(t, jobcenter.Options{}, lasting(time.Second))
		told := b.listen(jobcenter.EventFilter{})
		b.add(jobcenter.Job{ID: "once", Trigger: date(t, begun().Add(time.Second))})
		b.wait(3 * time.Second)
		told.wantTypes(t, jobcenter.EventJobAdded, jobcenter.EventRunStarted, jobcenter.EventJobFinished, jobcenter.EventRunEnded)
		for i, event := range told.all() {
			want := []time.Duration{0, time.Second, time.Second, 2 * time.Second}[i]
			if !event.At.Equal(begun().Add(want)) || event.Job.ID != "once" {
				t.Errorf("%s of job %q at %s, want %s", event.Type, event.Job.ID, event.At.Sub(begun()), want)
			}
		}
	})
}

// Listeners are called by the scheduler's own thread: one that waits holds up
// every job, one that fails is at its mercy.
func TestFault_APScheduler_ListenersHoldUpTheScheduler(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := begin(t, jobcenter.Options{}, nothing)
		told := b.listen(jobcenter.EventFilter{Types: []jobcenter.EventType{jobcenter.EventRunEnded}})
		release := make(chan struct{})
		defer close(release)
		defer b.Subscribe(jobcenter.EventFilter{}, func(jobcenter.Event) { <-release })()
		defer b.Subscribe(jobcenter.EventFilter{}, func(jobcenter.Event) { panic("a bad listener") })()
		defer b.Subscribe(jobcenter.EventFilter{Match: func(jobcenter.Event) bool { panic("a bad filter") }}, func(jobcenter.Event) {})()
		b.add(jobcenter.Job{ID: "j", Trigger: interval(t, time.Second)})
		b.wait(10 * time.Second)
		for _, run := range b.wantCovered("j", time.Second, begun().Add(time.Second), begun().Add(10*time.Second)) {
			if run.State != jobcenter.RunSucceeded || run.Lateness() != 0 {
				t.Errorf("row %s is %s late", row(&run), run.Lateness())
			}
		}
		if n := told.count(jobcenter.EventRunEnded); n != 10 {
			t.Errorf("the good listener was told of %d ends, want 10", n)
		}
	})
}

// A job that another process adds is not noticed until the old wake-up: AP
// #218 #755.
func TestFault_APScheduler_JobAddedElsewhereIsNotNoticed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := jobcenter.NewMemoryStore(0)
		b := begin(t, jobcenter.Options{Store: store}, nothing)
		b.add(jobcenter.Job{ID: "far", Trigger: never(t)})
		b.wait(10*time.Second + 300*time.Millisecond)
		web := newBench(t, jobcenter.Options{Store: store}, nothing) // never started
		web.add(jobcenter.Job{ID: "near", Trigger: interval(t, 5*time.Second)})
		web.add(jobcenter.Job{ID: "now", Trigger: never(t)})
		web.run("now")
		b.wait(5 * time.Second)
		if run := b.only("near"); run.State != jobcenter.RunSucceeded || run.Lateness() != 0 {
			t.Errorf("near = %s, %s late", row(&run), run.Lateness())
		}
		if run := b.only("now"); run.State != jobcenter.RunSucceeded || run.Lateness() > time.Second {
			t.Errorf("now = %s, %s late; want within the poll interval of 1 s", row(&run), run.Lateness())
		}
	})
}

// A job for an instant that is past is taken, then missed and deleted, since it
// is later than one second.
func TestFault_APScheduler_PastDateIsTakenAndDropped(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := begin(t, jobcenter.Options{}, nothing)
		_, err := b.Add(t.Context(), jobcenter.Job{ID: "j", Task: "work", Trigger: date(t, begun().Add(-time.Minute))})
		wantField(t, err, "trigger")
		if !errors.Is(err, jobcenter.ErrNeverFires) {
			t.Errorf("error = %v, want ErrNeverFires", err)
		}
		b.add(jobcenter.Job{ID: "soon", Trigger: date(t, begun().Add(time.Minute))})
		b.stop()
		time.Sleep(90 * time.Second)
		b.begin()
		b.wait(time.Second)
		b.wantRows("soon", "succeeded 1m0s")
		if job := b.job("soon"); job.State() != jobcenter.JobFinished {
			t.Errorf("the job is %s, want it kept as finished", job.State())
		}
	})
}

// A combination of triggers hangs when they meet seldom or never: AP #361 #906.
func TestFault_APScheduler_AndHangs(t *testing.T) {
	t.Parallel()
	after := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for text, want := range map[string]string{
		`and (calendar_interval months=2 hour=4) (cron day_of_week=sat,sun hour=4)`:             "2026-03-01T04:00:00Z",
		`and (interval hours=4 start_date=2026-01-01) (interval hours=6 start_date=2026-01-01)`: "2026-01-01T12:00:00Z",
		`and (interval minutes=10) (cron hour=9-17 minute=30)`:                                  "2026-01-01T09:30:00Z",
		`and (crontab "0 0 31 * *") (crontab "0 0 * 2 *")`:                                      "",
	} {
		got := ""
		if fire, ok := parsed(t, text).Next(after); ok {
			got = fire.Format(time.RFC3339)
		}
		if got != want {
			t.Errorf("%s fires at %q, want %q", text, got, want)
		}
	}
	if _, err := trigger.ParseText(`and (interval hours=2 start_date=2026-01-01T00:00:00Z) (interval hours=2 start_date=2026-01-01T01:00:00Z)`, nil); err == nil {
		t.Error("intervals that never meet were accepted")
	}
}

// Jitter is added to what has jitter already: every 10 s with up to 5 s became
// every 12.5 s. AP #269 #291 #746, PR #416.
func TestFault_APScheduler_JitterDrifts(t *testing.T) {
	t.Parallel()
	from := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	trig := trigger.ForJob(parsed(t, `interval seconds=10 start_date=2026-01-01T00:00:10Z jitter=5s`), "j")
	at := from
	different := map[time.Duration]bool{}
	for i := range 1000 {
		fire, ok := trig.Next(at)
		planned := from.Add(time.Duration(i+1) * 10 * time.Second)
		if late := fire.Sub(planned); !ok || late < 0 || late > 5*time.Second {
			t.Fatalf("fire %d is %s after its plan", i, late)
		}
		if again, _ := trig.Next(at); !again.Equal(fire) {
			t.Fatalf("fire %d is at %s, asked again at %s", i, fire, again)
		}
		different[fire.Sub(planned)] = true
		at = fire
	}
	if len(different) < 500 {
		t.Errorf("1,000 fires have %d different delays", len(different))
	}
}

// Numbers of weekdays are not those of crontab: AP #14 #286 #349 #411 #455 #495 #931.
func TestFault_APScheduler_CrontabZeroIsMonday(t *testing.T) {
	t.Parallel()
	after := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	for expression, want := range map[string]time.Weekday{
		`crontab "0 0 * * 0"`: time.Sunday, `crontab "0 0 * * 7"`: time.Sunday, `crontab "0 0 * * 1"`: time.Monday,
		`crontab "0 0 * * 5"`: time.Friday, `crontab "0 0 * * fri"`: time.Friday,
	} {
		if fire, ok := parsed(t, expression).Next(after); !ok || fire.Weekday() != want {
			t.Errorf("%s fires on a %s, want %s", expression, fire.Weekday(), want)
		}
	}
}

// In crontab a day that either field names is enough; here both were wanted.
func TestFault_APScheduler_CrontabWantsBothDays(t *testing.T) {
	t.Parallel()
	trig, at := parsed(t, `crontab "0 0 13 * fri"`), time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	var days []int
	for range 5 {
		at, _ = trig.Next(at)
		days = append(days, at.Day())
	}
	if want := []int{2, 9, 13, 16, 23}; !slices.Equal(days, want) {
		t.Errorf("fires on %v January, want %v", days, want)
	}
}

// Wall times that clocks skip or repeat are skipped, doubled, or fire at a time
// that does not exist: AP #115 #120 #529 #980 #1021 #1059, QZ #51 #81 #1104
// #1138, GC #911, RC PR #541, GQ #164.
func TestFault_APScheduler_DaylightSavingSkipsAndDoubles(t *testing.T) {
	t.Parallel()
	daily := parsed(t, `cron hour=3 minute=30 timezone=Europe/Helsinki`)
	for after, want := range map[string][]string{
		"2026-10-24T12:00:00Z": {"2026-10-25T03:30:00+03:00", "2026-10-26T03:30:00+02:00"},
		"2026-03-28T12:00:00Z": {"2026-03-29T04:00:00+03:00", "2026-03-30T03:30:00+03:00"},
	} {
		at, err := time.Parse(time.RFC3339, after)
		if err != nil {
			t.Fatal(err)
		}
		for _, w := range want {
			at, _ = daily.Next(at)
			if got := at.Format(time.RFC3339); got != w {
				t.Errorf("fires at %s, want %s", got, w)
			}
		}
	}
	// What means "every so often" goes on through both.
	often := parsed(t, `crontab "*/30 * * * *" timezone=Europe/Helsinki`)
	for _, from := range []time.Time{time.Date(2026, 10, 24, 20, 0, 0, 0, time.UTC), time.Date(2026, 3, 28, 20, 0, 0, 0, time.UTC)} {
		at := from
		for range 24 {
			next, ok := often.Next(at)
			if !ok || next.Sub(at) != 30*time.Minute {
				t.Errorf("%s, then %s", at, next)
			}
			at = next
		}
	}
}

// The end of an expression that is not understood is ignored: mon/2, lastfoo.
func TestFault_APScheduler_WrongEndsOfExpressionsAreIgnored(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		`cron day_of_week=mon/2`, `cron month=jan-jun/2`, `cron day_of_week=mon#2`, `cron day=lastfoo`, `crontab "0 0 * * monday2"`,
		`interval seconds=-5`, `interval seconds=0`,
	} {
		if trig, err := trigger.ParseText(text, nil); err == nil {
			t.Errorf("%s was taken as %v", text, trig)
		}
	}
}

// Parts of an or share the time of the last fire, so that intervals lose their phase.
func TestFault_APScheduler_OrLosesThePhaseOfIntervals(t *testing.T) {
	t.Parallel()
	trig := parsed(t, `or (interval minutes=10 start_date=2026-01-01) (interval minutes=25 start_date=2026-01-01)`)
	at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	var minutes []int
	for range 8 {
		at, _ = trig.Next(at)
		minutes = append(minutes, at.Minute())
	}
	if want := []int{10, 20, 25, 30, 40, 50, 0, 10}; !slices.Equal(minutes, want) {
		t.Errorf("fires at minutes %v, want %v", minutes, want)
	}
}

// A calendar interval whose start is past gives a first fire in the past.
func TestFault_APScheduler_CalendarIntervalIgnoresNow(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := begin(t, jobcenter.Options{}, nothing)
		job := b.add(jobcenter.Job{ID: "j", Trigger: parsed(t, `calendar_interval months=1 hour=9 start_date=1998-01-31`)})
		if want := time.Date(2000, 1, 31, 9, 0, 0, 0, time.UTC); !job.NextFireTime.Equal(want) {
			t.Errorf("next fire time = %s, want %s", job.NextFireTime, want)
		}
	})
}

// Resuming a job that has nothing left to do deletes it.
func TestFault_APScheduler_ResumeRemovesAFinishedJob(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := begin(t, jobcenter.Options{}, nothing)
		b.add(jobcenter.Job{ID: "j", Trigger: date(t, begun().Add(time.Minute)), Paused: true})
		b.wait(time.Hour)
		job, err := b.Resume(t.Context(), "j")
		if err != nil || job.State() != jobcenter.JobFinished {
			t.Fatalf("resumed: %+v, %v", job, err)
		}
		b.wantRows("j", "skipped/paused 1m0s")
	})
}

// Nothing ends a run that takes too long: AP #17 #342 #528 #1005, RC #445.
func TestFault_APScheduler_NoTimeLimit(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := begin(t, jobcenter.Options{}, untilDone)
		b.add(jobcenter.Job{ID: "j", Trigger: interval(t, time.Minute), Timeout: 10 * time.Second})
		b.wait(2*time.Minute + 30*time.Second)
		b.wantRows("j", "timed_out/timeout 1m0s", "timed_out/timeout 2m0s")
		if run := b.runs("j")[0]; run.EndedAt.Sub(run.StartedAt) != 10*time.Second {
			t.Errorf("ended after %s, want 10s", run.EndedAt.Sub(run.StartedAt))
		}
	})
}

// A job that failed is not tried again: AP #410. Quartz tries at once, for ever.
func TestFault_Quartz_RefiresWithoutPause(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var began []time.Duration
		b := begin(t, jobcenter.Options{}, func(context.Context, *jobcenter.RunContext) error {
			began = append(began, time.Since(begun()))
			return errors.New("not yet")
		})
		b.add(jobcenter.Job{ID: "j", Trigger: date(t, begun().Add(time.Minute)), Retry: jobcenter.Retry{Attempts: 4, Delay: 10 * time.Second}})
		b.wait(time.Hour)
		if want := []time.Duration{60 * time.Second, 70 * time.Second, 90 * time.Second, 130 * time.Second}; !slices.Equal(began, want) {
			t.Errorf("attempts began at %v, want %v", began, want)
		}
		b.wantRows("j", "failed/error 1m0s")
	})
}

// A job does not know which of its fire times it runs for, nor its run's id:
// AP #89 #297 #1087, RC #153. After a misfire Quartz tells it the time of the
// restart: QZ #49.
func TestFault_Quartz_FireTimeIsThatOfTheRestart(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var told atomic.Pointer[jobcenter.RunContext]
		b := newBench(t, jobcenter.Options{}, func(_ context.Context, run *jobcenter.RunContext) error {
			told.Store(run)
			return nil
		})
		b.add(jobcenter.Job{ID: "j", Trigger: date(t, begun().Add(time.Minute))})
		time.Sleep(30 * time.Minute)
		b.begin()
		b.wait(0)
		run := told.Load()
		if run == nil || !run.FireTime().Equal(begun().Add(time.Minute)) || run.Lateness() != 29*time.Minute || run.Run.ID != b.only("j").ID || run.Attempt() != 1 {
			t.Errorf("the task was told %+v", run)
		}
	})
}

// It cannot be asked what runs right now, and a run cannot hand anything to the
// next: AP #80 #246.
func TestFault_APScheduler_RunsKnowNothingOfEachOther(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := begin(t, jobcenter.Options{}, func(ctx context.Context, run *jobcenter.RunContext) error {
			var page int
			if err := run.Carried(&page); err != nil {
				return err
			}
			fmt.Fprint(run.Stdout, "page ", page)
			if err := run.Carry(page + 1); err != nil {
				return err
			}
			return lasting(time.Second)(ctx, run)
		})
		b.add(jobcenter.Job{ID: "j", Trigger: interval(t, time.Minute)})
		b.wait(3*time.Minute + 500*time.Millisecond)
		page, err := b.Runs(t.Context(), jobcenter.RunQuery{States: []jobcenter.RunState{jobcenter.RunRunning}})
		if err != nil || len(page.Runs) != 1 || page.Runs[0].JobID != "j" || b.Health().Runs != 1 {
			t.Fatalf("running = %+v, %v, health says %d", page.Runs, err, b.Health().Runs)
		}
		b.wait(time.Second)
		chunks, err := b.Store().Output(t.Context(), page.Runs[0].ID, 0, 100)
		if err != nil || len(chunks) != 1 || string(chunks[0].Data) != "page 2" {
			t.Errorf("output of the third run = %+v, %v", chunks, err)
		}
	})
}

// Running by hand bypasses executor, instances and events: the request itself
// carries it out.
func TestFault_FlaskAPScheduler_RunByHandBypassesTheRules(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := begin(t, jobcenter.Options{}, lasting(time.Minute))
		told := b.listen(jobcenter.EventFilter{JobID: "j", Types: []jobcenter.EventType{jobcenter.EventRunQueued, jobcenter.EventRunStarted, jobcenter.EventRunEnded}})
		b.add(jobcenter.Job{ID: "j", Trigger: never(t)})
		b.run("j")
		if took := time.Since(begun()); took != 0 {
			t.Errorf("the call took %s", took)
		}
		b.wait(time.Second)
		if _, err := b.RunNow(t.Context(), "j", jobcenter.StartOptions{}); !errors.Is(err, jobcenter.ErrOverlap) {
			t.Errorf("a second one: %v, want ErrOverlap", err)
		}
		b.wait(time.Minute)
		told.wantTypes(t, jobcenter.EventRunQueued, jobcenter.EventRunStarted, jobcenter.EventRunEnded)
		b.wantRows("j", "succeeded 0s")
	})
}

// A run can be interrupted only by the node that runs it.
func TestFault_Quartz_InterruptIsNotClusterAware(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := jobcenter.NewMemoryStore(0)
		worker := start(t, jobcenter.Options{Store: store, Node: "worker"}, untilDone)
		worker.add(jobcenter.Job{ID: "j", Trigger: never(t)})
		run := worker.run("j")
		worker.wait(time.Second)
		other := newBench(t, jobcenter.Options{Store: store, Node: "other"}, nothing)
		if err := other.StopRun(t.Context(), run.ID, "li"); err != nil {
			t.Fatal(err)
		}
		worker.wait(time.Second)
		if run := worker.only("j"); run.State != jobcenter.RunStopped || run.Message != "stopped by li" || run.Node != "worker" {
			t.Errorf("run = %+v", run)
		}
	})
}

// A recoverable job that kills its node is tried on each node in turn, for ever.
func TestFault_Quartz_RecoveryOfAPoisonPillNeverEnds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		memory := jobcenter.NewMemoryStore(0)
		b := newBench(t, jobcenter.Options{Store: memory}, nothing)
		b.add(jobcenter.Job{ID: "pill", Trigger: never(t), RequestsRecovery: true})
		b.run("pill")
		for i := range 6 {
			store := newTroubled(memory)
			victim := start(t, jobcenter.Options{Store: store, Node: fmt.Sprint("node", i), StopGrace: -1}, untilDone)
			victim.wait(time.Minute)
			store.set(true, everyMethod()...)
			t.Cleanup(func() { store.set(false, everyMethod()...) })
			victim.wait(time.Minute)
		}
		run := b.only("pill")
		if run.State != jobcenter.RunLost || run.Attempt != jobcenter.MaxRecoveries || !strings.Contains(run.Message, "attempt 3 of 3") {
			t.Errorf("run = %+v, want lost after %d attempts", run, jobcenter.MaxRecoveries)
		}
	})
}

// When the clock is moved back, what ran runs again: QZ #463, NC #237.
func TestFault_Quartz_ClockMovedBackRunsAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store, ran := jobcenter.NewMemoryStore(0), newTally()
		b := begin(t, jobcenter.Options{Store: store}, ran.work(0))
		b.add(jobcenter.Job{ID: "j", Trigger: interval(t, time.Minute)})
		b.wait(10*time.Minute + time.Second)
		// The next fire time of a scheduler whose clock was five minutes behind.
		alter(t, store, "j", func(job *jobcenter.Job) { job.NextFireTime = begun().Add(5 * time.Minute) })
		b.wait(5 * time.Minute)
		ran.wantOnce(t, 15)
		b.wantCovered("j", time.Minute, begun().Add(time.Minute), begun().Add(15*time.Minute))
	})
}

// Times that a calendar excludes vanish without a trace.
func TestFault_Quartz_ExcludedTimesVanish(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := begin(t, leisurely(), nothing)
		// 1 January 2000 is a Saturday.
		trig, err := trigger.Parse([]byte(`{"type":"crontab","expression":"0 9 * * *","calendar":{"layers":[{"exclude":"weekly","days":["sat","sun"]}]}}`), nil)
		if err != nil {
			t.Fatal(err)
		}
		b.add(jobcenter.Job{ID: "j", Trigger: trig})
		b.wait(10 * 24 * time.Hour)
		b.wantRows("j", "skipped/calendar 9h0m0s..33h0m0s ×2", "succeeded 57h0m0s", "succeeded 81h0m0s", "succeeded 105h0m0s", "succeeded 129h0m0s",
			"succeeded 153h0m0s", "skipped/calendar 177h0m0s..201h0m0s ×2", "succeeded 225h0m0s")
	})
}

// A run on each start surprises those who deploy often: RV #827.
func TestFault_River_RunOnStartAtEachDeployment(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		opts := jobcenter.Options{Store: jobcenter.NewMemoryStore(0)}
		for range 5 {
			b := begin(t, opts, nothing)
			if _, _, err := b.Ensure(t.Context(), jobcenter.Job{ID: "j", Task: "work", Trigger: interval(t, time.Hour)}); err != nil {
				t.Fatal(err)
			}
			b.wait(10 * time.Minute)
			b.wantRows("j")
			b.stop()
		}
	})
}

// Starting or stopping twice hangs: GC #355.
func TestFault_Gocron_StartOrStopTwiceHangs(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, jobcenter.Options{}, nothing)
		if err := b.Shutdown(t.Context()); err != nil {
			t.Errorf("shutdown before the start: %v", err)
		}
		b.begin()
		if err := b.Start(); !errors.Is(err, jobcenter.ErrRunning) {
			t.Errorf("second start: %v, want ErrRunning", err)
		}
		if err := b.Run(t.Context()); !errors.Is(err, jobcenter.ErrRunning) {
			t.Errorf("run while it runs: %v, want ErrRunning", err)
		}
		ended := make(chan error)
		for range 3 {
			go func() { ended <- b.Shutdown(context.Background()) }()
		}
		for range 3 {
			if err := <-ended; err != nil {
				t.Errorf("shutdown: %v", err)
			}
		}
		b.begin()
	})
}

// Goroutines, timers and memory are left behind: GC #242 #439 #706 #777 #802
// #837, RC #245.
func TestFault_Gocron_GoroutinesAreLeftBehind(t *testing.T) { // not parallel: it counts the goroutines of the process
	synctest.Test(t, func(t *testing.T) {
		const rounds = 5
		before := runtime.NumGoroutine()
		for range rounds {
			b := newBench(t, jobcenter.Options{}, lasting(time.Minute))
			cancel := b.Subscribe(jobcenter.EventFilter{}, func(jobcenter.Event) {})
			unhook := b.BeforeRun(jobcenter.EventFilter{}, func(context.Context, jobcenter.Job, jobcenter.Run) error { return nil })
			if err := b.AddStore("second", jobcenter.NewMemoryStore(0)); err != nil {
				t.Fatal(err)
			}
			for i := range 30 {
				b.add(jobcenter.Job{ID: fmt.Sprint("j", i), Trigger: interval(t, time.Second), Store: []string{"", "second"}[i%2]})
			}
			b.begin()
			_, unwatch := b.WatchRun("none")
			b.wait(5 * time.Second)
			if during := runtime.NumGoroutine(); during < before+10 {
				t.Fatalf("%d goroutines while it runs, %d before: this test counts nothing", during, before)
			}
			b.stop()
			cancel()
			unhook()
			unwatch()
		}
		synctest.Wait()
		// The runtime may begin one or two of its own meanwhile; a leak would be one a round.
		if after := runtime.NumGoroutine(); after >= before+rounds {
			t.Errorf("%d goroutines, %d before", after, before)
		}
	})
}

// The next run that is shown lies in the past: GC #538 #828.
func TestFault_Gocron_NextRunIsInThePast(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := begin(t, jobcenter.Options{}, lasting(10*time.Second))
		b.add(jobcenter.Job{ID: "j", Trigger: interval(t, 3*time.Second)})
		for range 20 {
			b.wait(1700 * time.Millisecond)
			if job := b.job("j"); !job.NextFireTime.After(time.Now()) {
				t.Errorf("at %s the next fire time is %s", time.Since(begun()), job.NextFireTime.Sub(begun()))
			}
		}
	})
}

// Ticks that nobody was there for are dropped: NC #296, GC PR #945.
func TestFault_Gocron_MissedTicksAreDropped(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, jobcenter.Options{}, nothing)
		b.add(jobcenter.Job{ID: "all", Trigger: interval(t, 10*time.Minute), Coalesce: jobcenter.CoalesceAll, MisfireGrace: jobcenter.NeverTooLate})
		b.add(jobcenter.Job{ID: "last", Trigger: interval(t, 10*time.Minute), MisfireGrace: jobcenter.NeverTooLate})
		time.Sleep(35 * time.Minute)
		b.begin()
		b.wait(0)
		b.wantRows("all", "succeeded 10m0s", "succeeded 20m0s", "succeeded 30m0s")
		b.wantRows("last", "skipped/coalesced 10m0s..20m0s ×2", "succeeded 30m0s")
	})
}

// Panics of a job are not recovered, although the documentation says so.
func TestFault_Robfig_PanicEndsTheProgram(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := begin(t, jobcenter.Options{}, func(context.Context, *jobcenter.RunContext) error {
			none := map[string]map[string]int{}
			none["x"]["y"] = 1
			return nil
		})
		b.add(jobcenter.Job{ID: "j", Trigger: interval(t, time.Second)})
		b.wait(2 * time.Second)
		b.wantRows("j", "failed/panic 1s", "failed/panic 2s")
		if run := b.runs("j")[0]; !strings.Contains(run.Message, "nil map") {
			t.Errorf("message = %q", run.Message)
		}
	})
}

// A bad time zone at the beginning of an expression is a panic: RC #470 #554, NC #14 #240.
func TestFault_Robfig_ParserPanicsOnAZone(t *testing.T) {
	t.Parallel()
	for _, text := range []string{`crontab "TZ=0 * * * * *"`, `crontab "CRON_TZ=" `, `crontab "TZ=Nowhere/Town * * * * *"`, `crontab "TZ="`, `crontab "CRON_TZ=UTC"`} {
		if _, err := trigger.ParseText(text, nil); err == nil {
			t.Errorf("%s was accepted", text)
		}
	}
}

// 30 February is 2 March.
func TestFault_GoQuartz_ImpossibleDatesFireOnOthers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, jobcenter.Options{}, nothing)
		_, err := b.Add(t.Context(), jobcenter.Job{ID: "j", Task: "work", Trigger: parsed(t, `quartz "0 0 0 30 2 ?"`)})
		wantField(t, err, "trigger")
		job := b.add(jobcenter.Job{ID: "leap", Trigger: parsed(t, `quartz "0 0 0 29 2 ?"`)})
		if want := time.Date(2000, 2, 29, 0, 0, 0, 0, time.UTC); !job.NextFireTime.Equal(want) {
			t.Errorf("next fire time = %s, want %s", job.NextFireTime, want)
		}
	})
}

// A job leaves the queue before it is put back: what dies in between loses it
// for ever. GQ #119.
func TestFault_GoQuartz_DeathBetweenTakingAndPuttingBack(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		memory := jobcenter.NewMemoryStore(0)
		// Its claims are committed, and nobody lives to see the answer.
		store := &mute{JobStore: memory, until: begun().Add(90 * time.Second)}
		dead := start(t, jobcenter.Options{Store: store, Node: "me", StopGrace: -1}, nothing)
		dead.add(jobcenter.Job{ID: "j", Trigger: interval(t, time.Minute)})
		dead.wait(time.Minute + 500*time.Millisecond)
		dead.wantRows("j", "running 1m0s") // says the store; nothing runs
		dead.stop()
		b := start(t, jobcenter.Options{Store: memory, Node: "me"}, nothing)
		b.wait(2 * time.Minute)
		b.wantRows("j", "lost/node_died 1m0s", "succeeded 2m0s", "succeeded 3m0s")
	})
}

// Who lives on while the answer to its claim is lost finds what it holds
// without knowing, and has it run.
func TestRunsWhatAClaimTookWhoseAnswerWasLost(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := &mute{JobStore: jobcenter.NewMemoryStore(0), until: begun().Add(61 * time.Second)}
		b := start(t, jobcenter.Options{Store: store}, nothing)
		b.add(jobcenter.Job{ID: "j", Trigger: interval(t, time.Minute)})
		b.wait(90 * time.Second)
		b.wantRows("j", "succeeded 1m0s")
		if run := b.only("j"); run.Attempt != 2 || run.Lateness() > 5*time.Second {
			t.Errorf("attempt %d, %s late; want the second one, soon", run.Attempt, run.Lateness())
		}
	})
}

// mute is a store whose answers to a claim are lost for a while.
type mute struct {
	jobcenter.JobStore
	until time.Time
}

func (m *mute) Claim(ctx context.Context, can jobcenter.Can, now time.Time, limit int, decide func(jobcenter.Job, jobcenter.Active) jobcenter.Decision) ([]jobcenter.Claimed, error) {
	claimed, err := m.JobStore.Claim(ctx, can, now, limit, decide)
	if time.Now().Before(m.until) {
		return nil, errDown
	}
	return claimed, err
}

// Periodic jobs live in the memory of a leader, and are gone, or another
// service's, with the next one: RV #342 #658 #742 #791 #1105.
func TestFault_River_PeriodicJobsDieWithTheLeader(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := jobcenter.NewMemoryStore(0)
		task := map[string]jobcenter.Task{"bill": jobcenter.TaskFunc(nothing)}
		billing := begin(t, jobcenter.Options{Store: store, Node: "billing", Tasks: task}, nothing)
		billing.addAs("bill", jobcenter.Job{ID: "j", Trigger: interval(t, time.Minute)})
		billing.wait(90 * time.Second)
		billing.stop()
		// A service that has no such task runs on, and leaves the job alone for
		// a while, so that its own service may come back.
		mail := begin(t, jobcenter.Options{Store: store, Node: "mail"}, nothing)
		mail.wait(45 * time.Second)
		second := begin(t, jobcenter.Options{Store: store, Node: "billing2", Tasks: task}, nothing)
		second.wait(time.Minute)
		second.wantRows("j", "succeeded 1m0s", "succeeded 2m0s", "succeeded 3m0s")
	})
}

// One lock over the whole database: whoever holds it holds up everybody. QZ
// #112 #188 #268 #542 #857 #1120 #1244 #1481, PR #859.
func TestFault_Quartz_OneLockHoldsUpEveryJob(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		stuck := &hanging{jobcenter.NewMemoryStore(0), begun().Add(time.Hour)}
		b := begin(t, jobcenter.Options{Stores: map[string]jobcenter.JobStore{"stuck": stuck}}, nothing)
		b.add(jobcenter.Job{ID: "stands", Store: "stuck", Trigger: interval(t, time.Second)})
		b.add(jobcenter.Job{ID: "goes", Trigger: interval(t, time.Second)})
		b.wait(time.Minute)
		for _, run := range b.wantCovered("goes", time.Second, begun().Add(time.Second), begun().Add(time.Minute)) {
			if run.Lateness() != 0 {
				t.Errorf("row %s is %s late", row(&run), run.Lateness())
			}
		}
		if b.Health().Err() == nil {
			t.Error("the scheduler calls itself healthy while a store stands still")
		}
		b.wait(time.Hour)
	})
}

// Several schedulers are needed for several time zones: GC #430.
func TestFault_Gocron_OneZoneForAllJobs(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := begin(t, leisurely(), nothing)
		for id, zone := range map[string]string{"east": "Asia/Shanghai", "west": "America/New_York", "middle": "UTC"} {
			b.add(jobcenter.Job{ID: id, Trigger: parsed(t, `crontab "0 9 * * *" timezone=`+zone)})
		}
		b.wait(24 * time.Hour)
		b.wantRows("east", "succeeded 1h0m0s")
		b.wantRows("middle", "succeeded 9h0m0s")
		b.wantRows("west", "succeeded 14h0m0s")
	})
}

// A run cannot be started at once and then by schedule: RC #119 #406 #439, AP #375.
func TestFault_Robfig_RunAtOnceAndThenBySchedule(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := begin(t, jobcenter.Options{}, nothing)
		b.add(jobcenter.Job{ID: "j", Trigger: interval(t, time.Hour)})
		b.run("j")
		b.wait(time.Hour + time.Second)
		b.wantRows("j", "succeeded 0s", "succeeded 1h0m0s")
	})
}

// A crash runs the job again or not, as two processes race: no setting chooses.
func TestFault_APScheduler_CrashRunsAgainByChance(t *testing.T) {
	t.Parallel()
	for name, again := range map[string]bool{"as asked": true, "not asked": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				memory := jobcenter.NewMemoryStore(0)
				store := newTroubled(memory)
				dead := start(t, jobcenter.Options{Store: store, Node: "dead", StopGrace: -1}, untilDone)
				dead.add(jobcenter.Job{ID: "j", Trigger: never(t), RequestsRecovery: again})
				dead.run("j")
				dead.wait(time.Second)
				store.set(true, everyMethod()...)
				for i := range 3 {
					start(t, jobcenter.Options{Store: memory, Node: fmt.Sprint("n", i)}, nothing)
				}
				dead.wait(5 * time.Minute)
				run := dead.only("j")
				if again && (run.State != jobcenter.RunSucceeded || run.Attempt != 2) || !again && (run.State != jobcenter.RunLost || run.Attempt != 1) {
					t.Errorf("run = %+v", run)
				}
				store.set(false, everyMethod()...)
			})
		})
	}
}
