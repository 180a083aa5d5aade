package jobcenter_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jobcenter-go/jobcenter"
)

// When nobody could write to the store, leases that ended meanwhile say
// nothing of their nodes.
func TestNodesOutliveAStoreThatWasDownForLongerThanALease(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		memory := jobcenter.NewMemoryStore(0)
		stores := map[string]*flaky{"judge": {JobStore: memory}, "worker": {JobStore: memory}}
		work := func(ctx context.Context, _ *jobcenter.RunContext) error {
			<-ctx.Done()
			return ctx.Err()
		}
		worker := start(t, jobcenter.Options{Store: stores["worker"], Node: "worker", StopGrace: -1}, work)
		worker.add(jobcenter.Job{ID: "long", Trigger: never(t)})
		if _, err := worker.RunNow(t.Context(), "long", jobcenter.StartOptions{Origin: jobcenter.OriginManual}); err != nil {
			t.Fatal(err)
		}
		// So that each of its looks at the leases comes before the worker can renew its own.
		time.Sleep(4 * time.Second)
		start(t, jobcenter.Options{Store: stores["judge"], Node: "judge"}, work)
		time.Sleep(7 * time.Second)
		if run := worker.only("long"); run.Node != "worker" {
			t.Fatalf("run = %+v, want it on the worker", run)
		}

		for _, store := range stores {
			store.down.Store(true)
		}
		time.Sleep(17 * time.Second)
		for _, store := range stores {
			store.down.Store(false)
		}
		time.Sleep(time.Minute)
		if run := worker.only("long"); run.State != jobcenter.RunRunning {
			t.Fatalf("run of a living node = %+v, want running", run)
		}

		stores["worker"].down.Store(true)
		time.Sleep(25 * time.Second)
		if run := worker.only("long"); run.State != jobcenter.RunLost {
			t.Errorf("run of a node that does not renew its lease = %+v, want lost", run)
		}
		stores["worker"].down.Store(false)
	})
}

// silent is a store to which this node cannot say that it is alive.
type silent struct {
	jobcenter.JobStore
	muted atomic.Bool
}

func (m *silent) Heartbeat(ctx context.Context, node string, until time.Time) error {
	if m.muted.Load() {
		return errDown
	}
	return m.JobStore.Heartbeat(ctx, node, until)
}

// What a node takes before it has a lease, or after it has lost it, others take
// for orphaned at once.
func TestTakesNothingWithoutALease(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		memory := jobcenter.NewMemoryStore(0)
		store := &silent{JobStore: memory}
		store.muted.Store(true)
		work := func(context.Context, *jobcenter.RunContext) error {
			time.Sleep(100 * time.Millisecond)
			return nil
		}
		b := start(t, jobcenter.Options{Store: store, Node: "mute"}, work)
		judge := start(t, jobcenter.Options{Store: memory, Node: "judge", Lease: 30 * time.Millisecond}, work)
		judge.Standby(true)
		b.add(jobcenter.Job{ID: "j", Trigger: interval(t, time.Second)})

		told := func(muted bool, wait time.Duration) (more []jobcenter.Run) {
			before := len(b.runs("j"))
			store.muted.Store(muted)
			time.Sleep(wait)
			return b.runs("j")[before:]
		}
		if rows := told(true, 10*time.Second); len(rows) > 0 {
			t.Errorf("before its first lease it took %+v", rows)
		}
		if rows := told(false, 10*time.Second); len(rows) < 5 {
			t.Errorf("with a lease it took %d runs in 10 s", len(rows))
		}
		told(true, 15*time.Second) // the lease goes on, and ends
		if rows := told(true, 30*time.Second); len(rows) > 0 {
			t.Errorf("after its lease it took %+v", rows)
		}
		told(false, 10*time.Second)
		for _, run := range b.runs("j") {
			if run.State == jobcenter.RunLost {
				t.Errorf("a living node lost %+v", run)
			}
		}
		if err := b.Health().Err(); err != nil {
			t.Errorf("health = %v, with a lease again", err)
		}
	})
}

// dies starts a run of the job j on a node of which nothing is heard afterwards,
// and returns what brings it back to life.
func dies(t *testing.T, memory jobcenter.JobStore, node string, work jobcenter.TaskFunc) (revive func()) {
	t.Helper()
	store := newTroubled(memory)
	b := start(t, jobcenter.Options{Store: store, Node: node, StopGrace: -1}, work)
	b.run("j")
	b.wait(time.Second)
	store.set(true, everyMethod()...)
	revive = func() { store.set(false, everyMethod()...) }
	t.Cleanup(revive)
	return revive
}

// A run whose node died is tried again if its job asks for that, at once, on
// whichever node, and its task is told.
func TestRequestsRecovery(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		memory := jobcenter.NewMemoryStore(0)
		b := newBench(t, jobcenter.Options{Store: memory, Node: "other"}, func(_ context.Context, run *jobcenter.RunContext) error {
			if !run.Recovering() || run.Attempt() != 2 || run.Run.Reason != jobcenter.ReasonNodeDied {
				t.Errorf("the task was told %+v", run.Run)
			}
			fmt.Fprint(run.Stdout, "again")
			return nil
		})
		b.add(jobcenter.Job{ID: "j", Trigger: never(t), RequestsRecovery: true})
		dies(t, memory, "dead", func(ctx context.Context, run *jobcenter.RunContext) error {
			fmt.Fprint(run.Stdout, "once, ")
			return untilDone(ctx, run)
		})
		told := b.listen(jobcenter.EventFilter{JobID: "j"})
		b.begin()
		b.wait(time.Minute)
		run := b.only("j")
		if run.State != jobcenter.RunSucceeded || run.Attempt != 2 || run.Node != "other" || run.Reason != "" || run.OutputSize != 11 {
			t.Errorf("run = %+v", run)
		}
		if got := b.output(run.ID); got != "[stdout]once, [stdout]again" {
			t.Errorf("output = %q", got)
		}
		told.wantTypes(t, jobcenter.EventRunRetry, jobcenter.EventRunStarted, jobcenter.EventRunEnded)
	})
}

// The bound of a run that kills each process is the greater of MaxRecoveries
// and the attempts of the job.
func TestRecoveriesAreBounded(t *testing.T) {
	t.Parallel()
	for attempts, want := range map[int]int{0: jobcenter.MaxRecoveries, 2: jobcenter.MaxRecoveries, 5: 5} {
		t.Run(fmt.Sprint(attempts, " attempts"), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				memory := jobcenter.NewMemoryStore(0)
				b := newBench(t, jobcenter.Options{Store: memory}, nothing)
				b.add(jobcenter.Job{ID: "j", Trigger: never(t), RequestsRecovery: true, Retry: jobcenter.Retry{Attempts: attempts}})
				b.run("j")
				for i := range 8 {
					store := newTroubled(memory)
					victim := start(t, jobcenter.Options{Store: store, Node: fmt.Sprint("node", i), StopGrace: -1}, untilDone)
					victim.wait(time.Minute)
					store.set(true, everyMethod()...)
					t.Cleanup(func() { store.set(false, everyMethod()...) })
					victim.wait(time.Minute)
				}
				if run := b.only("j"); run.State != jobcenter.RunLost || run.Attempt != want || !strings.Contains(run.Message, fmt.Sprintf("attempt %d of %d", want, want)) {
					t.Errorf("run = %+v, want lost after %d attempts", run, want)
				}
			})
		})
	}
}

// A node that was only thought dead loses its run: the task is told by
// ErrLostRun, and nothing it says afterwards changes the run.
func TestStaleHolderLoses(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		memory := jobcenter.NewMemoryStore(0)
		b := newBench(t, jobcenter.Options{Store: memory, Node: "other"}, func(ctx context.Context, run *jobcenter.RunContext) error {
			fmt.Fprint(run.Stdout, "the new holder")
			return lasting(5*time.Minute)(ctx, run)
		})
		b.add(jobcenter.Job{ID: "j", Trigger: never(t), RequestsRecovery: true})
		var cause error
		var ended time.Time
		revive := dies(t, memory, "stale", func(ctx context.Context, run *jobcenter.RunContext) error {
			<-ctx.Done()
			cause, ended = context.Cause(ctx), time.Now()
			fmt.Fprint(run.Stdout, "the old holder")
			if err := run.Carry("old"); err != nil {
				return err
			}
			return run.SetResult("old")
		})
		b.begin()
		b.wait(time.Minute)
		revive()
		back := time.Now()
		b.wait(10 * time.Second)
		if !errors.Is(cause, jobcenter.ErrLostRun) || ended.Sub(back) > 2*time.Second {
			t.Errorf("the old holder was told %v, %s after it came back", cause, ended.Sub(back))
		}
		if run := b.only("j"); run.State != jobcenter.RunRunning || run.Attempt != 2 || run.Node != "other" {
			t.Errorf("while the new holder works: %+v", run)
		}
		b.wait(5 * time.Minute)
		run := b.only("j")
		if run.State != jobcenter.RunSucceeded || run.Attempt != 2 || run.Node != "other" || run.Result != nil || b.output(run.ID) != "[stdout]the new holder" {
			t.Errorf("run = %+v, output %q", run, b.output(run.ID))
		}
		if job := b.job("j"); job.Carried != nil || job.LastResult != nil {
			t.Errorf("the old holder left %s, %s", job.Carried, job.LastResult)
		}
	})
}

// What somebody wanted stopped is not tried again when its node dies.
func TestStoppedRunIsNotRecovered(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		memory := jobcenter.NewMemoryStore(0)
		b := newBench(t, jobcenter.Options{Store: memory, Node: "other"}, nothing)
		b.add(jobcenter.Job{ID: "j", Trigger: never(t), RequestsRecovery: true})
		dies(t, memory, "dead", untilDone)
		if err := b.StopRun(t.Context(), b.only("j").ID, "li"); err != nil {
			t.Fatal(err)
		}
		b.begin()
		b.wait(time.Minute)
		b.wantRows("j", "lost/node_died 0s")
	})
}

// A job that was removed while its node died leaves a lost run.
func TestLostRunOfARemovedJob(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		memory := jobcenter.NewMemoryStore(0)
		b := newBench(t, jobcenter.Options{Store: memory, Node: "other"}, nothing)
		b.add(jobcenter.Job{ID: "j", Trigger: never(t), RequestsRecovery: true})
		dies(t, memory, "dead", untilDone)
		if err := b.Remove(t.Context(), "j"); err != nil {
			t.Fatal(err)
		}
		told := b.listen(jobcenter.EventFilter{Types: []jobcenter.EventType{jobcenter.EventRunEnded}})
		b.begin()
		b.wait(time.Minute)
		b.wantRows("j", "lost/node_died 0s")
		if events := told.all(); len(events) != 1 || events[0].Job.ID != "j" || events[0].Run.State != jobcenter.RunLost {
			t.Errorf("told of %+v", events)
		}
	})
}

// leaver is a task that leaves something behind when its process dies.
type leaver struct {
	jobcenter.TaskFunc
	recover func(run jobcenter.Run) (string, error)
}

func (l leaver) Recover(_ context.Context, run jobcenter.Run) (string, error) { return l.recover(run) }

// At the start of the same node its tasks clean up, also those that were added
// after New, and what they say is part of the message.
func TestRecoverersAreAsked(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		recover func(run jobcenter.Run) (string, error)
		want    string
	}{
		"a note":  {func(jobcenter.Run) (string, error) { return "ended process 7", nil }, "the scheduler's process died during the run; ended process 7"},
		"nothing": {func(jobcenter.Run) (string, error) { return "", nil }, "the scheduler's process died during the run"},
		"error":   {func(jobcenter.Run) (string, error) { return "", errUnlucky }, "the scheduler's process died during the run; recovery failed: no luck"},
		"panic":   {func(jobcenter.Run) (string, error) { panic("ouch") }, "the scheduler's process died during the run; recovery panicked: ouch"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				memory := jobcenter.NewMemoryStore(0)
				setup := newBench(t, jobcenter.Options{Store: memory, Tasks: map[string]jobcenter.Task{"leaves": jobcenter.TaskFunc(nothing)}}, nothing)
				setup.addAs("leaves", jobcenter.Job{ID: "j", Trigger: never(t)})
				at := time.Now()
				if _, err := memory.UpdateJob(t.Context(), "j", func(job jobcenter.Job, _ jobcenter.Active) (jobcenter.Job, []jobcenter.Run, error) {
					return job, []jobcenter.Run{{
						ID: "r", JobID: "j", FireTime: at, LastFireTime: at, FireCount: 1, Executor: jobcenter.DefaultExecutor,
						State: jobcenter.RunRunning, Attempt: 1, Node: "me", StartedAt: at,
					}}, nil
				}); err != nil {
					t.Fatal(err)
				}
				b := newBench(t, jobcenter.Options{Store: memory, Node: "me"}, nothing)
				asked := 0
				if err := b.AddTask("leaves", leaver{nothing, func(run jobcenter.Run) (string, error) {
					if asked++; run.ID != "r" || run.JobID != "j" {
						t.Errorf("asked about %+v", run)
					}
					return test.recover(run)
				}}); err != nil {
					t.Fatal(err)
				}
				b.begin()
				b.wait(time.Second)
				if run := b.only("j"); run.State != jobcenter.RunLost || run.Message != test.want || asked != 1 {
					t.Errorf("run = %s: %q, asked %d times; want %q", row(&run), run.Message, asked, test.want)
				}
			})
		})
	}
}

// late is a store to which the holder of a run writes on when somebody has just
// measured what it wrote.
type late struct {
	jobcenter.JobStore
	wrote sync.Map // by run
}

func (l *late) Output(ctx context.Context, runID string, offset int64, limit int) ([]jobcenter.Chunk, error) {
	chunks, err := l.JobStore.Output(ctx, runID, offset, limit)
	if _, wrote := l.wrote.Load(runID); err == nil && len(chunks) == 0 && !wrote {
		l.wrote.Store(runID, true)
		err = l.Record(ctx, jobcenter.Records{Output: []jobcenter.Chunk{
			{RunID: runID, Attempt: 1, Offset: offset, Stream: jobcenter.Stdout, At: time.Now(), Data: []byte("late ")},
		}})
	}
	return chunks, err
}

// A node that is taken for dead may go on writing until its run is recorded as
// lost. The row must know what the store has, and the next attempt's output
// must come after it.
func TestOutputThatIsWrittenWhileTheRunIsRecovered(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		memory := jobcenter.NewMemoryStore(0)
		store := &silent{JobStore: memory}
		work := func(ctx context.Context, rc *jobcenter.RunContext) error {
			if rc.Attempt() > 1 {
				_, err := rc.Stdout.Write([]byte("again"))
				return err
			}
			_, err := rc.Stdout.Write([]byte("early "))
			<-ctx.Done()
			return errors.Join(err, context.Cause(ctx))
		}
		b := start(t, jobcenter.Options{Store: store, Node: "mute"}, work)
		for _, job := range []jobcenter.Job{{ID: "lost"}, {ID: "recovered", RequestsRecovery: true}} {
			job.Trigger = never(t)
			b.add(job)
			if _, err := b.RunNow(t.Context(), job.ID, jobcenter.StartOptions{Origin: jobcenter.OriginManual}); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(5 * time.Second) // they write
		store.muted.Store(true)
		start(t, jobcenter.Options{Store: &late{JobStore: memory}, Node: "judge"}, work)
		time.Sleep(time.Minute)

		for id, want := range map[string]string{"lost": "early ", "recovered": "early again"} {
			run := b.only(id)
			chunks, err := memory.Output(t.Context(), run.ID, 0, 1<<20)
			if err != nil {
				t.Fatal(err)
			}
			got := ""
			for _, c := range chunks {
				if c.Offset != int64(len(got)) {
					t.Errorf("%s: a chunk at %d after %d bytes", id, c.Offset, len(got))
				}
				got += string(c.Data)
			}
			if got != want || run.OutputSize != int64(len(want)) || run.OutputKept != run.OutputSize {
				t.Errorf("%s: output %q, want %q; the row says %d bytes, %d kept", id, got, want, run.OutputSize, run.OutputKept)
			}
		}
	})
}
