package mongostore

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/jobcenter-go/jobcenter"
	"github.com/jobcenter-go/jobcenter/trigger"
)

const task = "task"

func base() time.Time { return time.Date(2026, 11, 6, 8, 30, 0, 0, time.UTC) }

// at is base and some minutes.
func at(minutes int) time.Time { return base().Add(time.Duration(minutes) * time.Minute) }

func can() jobcenter.Can {
	return jobcenter.Can{Tasks: []string{task}, Executors: []string{jobcenter.DefaultExecutor}}
}

// minutely is a job that fires every minute and is due at base.
func minutely(tb testing.TB, id string) jobcenter.Job {
	tb.Helper()
	every, err := trigger.NewInterval(time.Minute, trigger.Options{Start: base()})
	if err != nil {
		tb.Fatal(err)
	}
	return jobcenter.Job{
		ID: id, Name: "Job " + id, Task: task, Executor: jobcenter.DefaultExecutor, Trigger: every, MaxInstances: 10, Version: 1,
		NextFireTime: base(), CreatedAt: base(), UpdatedAt: base(),
	}
}

// runOf is the run of a fire time.
func runOf(jobID string, minute int, state jobcenter.RunState) jobcenter.Run {
	run := jobcenter.Run{
		ID: fmt.Sprintf("%s@%d", jobID, minute), JobID: jobID, FireTime: at(minute), LastFireTime: at(minute), FireCount: 1,
		Origin: jobcenter.OriginSchedule, State: state, Executor: jobcenter.DefaultExecutor,
	}
	if state == jobcenter.RunRunning {
		run.Attempt, run.Node, run.StartedAt = 1, "node", at(minute)
	}
	return run
}

func addJobs(t *testing.T, store *Store, jobs ...jobcenter.Job) {
	t.Helper()
	if err := store.AddJobs(t.Context(), these(jobs...)); err != nil {
		t.Fatal(err)
	}
}

func these(jobs ...jobcenter.Job) func() ([]jobcenter.Job, error) {
	return func() ([]jobcenter.Job, error) { return jobs, nil }
}

func addRuns(t *testing.T, store *Store, jobID string, runs ...jobcenter.Run) {
	t.Helper()
	if _, err := store.UpdateJob(t.Context(), jobID, withRuns(runs...)); err != nil {
		t.Fatal(err)
	}
}

func withRuns(runs ...jobcenter.Run) func(jobcenter.Job, jobcenter.Active) (jobcenter.Job, []jobcenter.Run, error) {
	return func(job jobcenter.Job, _ jobcenter.Active) (jobcenter.Job, []jobcenter.Run, error) {
		return job, runs, nil
	}
}

// startNow is what TakeQueued is told.
func startNow(_ jobcenter.Job, run jobcenter.Run) jobcenter.Run {
	run.State, run.Attempt, run.Node, run.StartedAt = jobcenter.RunRunning, run.Attempt+1, "node", at(50)
	return run
}

// fireAndQueue is a decision with one run of each kind.
func fireAndQueue(job jobcenter.Job, _ jobcenter.Active) jobcenter.Decision {
	minute := int(job.NextFireTime.Sub(base()) / time.Minute)
	return jobcenter.Decision{
		Next: at(minute + 3), Previous: at(minute + 2), StopRunning: "the next run",
		Runs: []jobcenter.Run{
			runOf(job.ID, minute, jobcenter.RunSkipped), runOf(job.ID, minute+1, jobcenter.RunQueued), runOf(job.ID, minute+2, jobcenter.RunRunning),
		},
	}
}

// scenario is a call that is interrupted, and what must be true after it.
type scenario struct {
	prepare func(t *testing.T, store *Store)
	call    func(ctx context.Context, store *Store) (claimed []jobcenter.Claimed, err error)
	// check looks with the eyes of another scheduler at what the call left.
	check func(t *testing.T, store *Store, claimed []jobcenter.Claimed, came outcome)
}

// outcome is what is known of a call: that it returned without an error, or
// with one, or that its process died.
type outcome string

const (
	succeeded outcome = "succeeded"
	refused   outcome = "failed"
	died      outcome = "died"
)

// agrees checks what a call left against what is known of it. It is all or
// nothing: done says which.
func (came outcome) agrees(t *testing.T, what string, done bool) {
	t.Helper()
	if came == succeeded && !done || came == refused && done {
		t.Errorf("%s: done is %v, but the call %s", what, done, came)
	}
}

// TestCrashPoints interrupts every call that writes at each of its writes:
// before it is sent, or when it has been carried out and its answer is lost;
// and so that the caller is dead then, or goes on with a new connection. Then
// another store must find everything whole, and finish what was begun.
func TestCrashPoints(t *testing.T) {
	t.Parallel()
	for name, s := range scenarios(t) {
		for _, kind := range []*fault{{}, {after: true}, {heals: true}, {after: true, heals: true}} {
			t.Run(name+", "+kind.String(), func(t *testing.T) {
				t.Parallel()
				points := 0
				for at := 1; s.interrupted(t, kind, at); at++ {
					points++
				}
				if points == 0 {
					t.Error("the call writes nothing")
				}
				t.Logf("%d points", points)
			})
		}
	}
}

// interrupted runs a scenario with a fault at one write. It reports whether
// there was such a write.
func (s scenario) interrupted(t *testing.T, kind *fault, write int) bool {
	t.Helper()
	name := database(t, fmt.Sprint(t.TempDir(), write))
	sound := open(t, name)
	defer closeIt(t, sound)
	s.prepare(t, sound)
	f := &fault{after: kind.after, heals: kind.heals}
	timeout := time.Second // a dead one finds out that it is
	if kind.heals {
		timeout = unhurried
	}
	victim := openFaulty(t, f, name, timeout)
	f.arm(write)
	done := make(chan struct{})
	var calls sync.WaitGroup
	var claimed []jobcenter.Claimed
	var err error
	calls.Go(func() {
		defer close(done)
		claimed, err = s.call(context.Background(), victim)
	})
	t.Cleanup(calls.Wait)
	came := died
	if kind.heals {
		<-done
		came = succeeded
	} else {
		select {
		case <-done:
			came = succeeded
		case <-f.struck:
		}
	}
	if came == succeeded && err != nil {
		came = refused
	}
	select {
	case <-f.struck:
	default:
		if err != nil {
			t.Errorf("without a fault: %v", err)
		}
		return false
	}
	t.Run(fmt.Sprint("write ", write), func(t *testing.T) {
		if came == died {
			s.check(t, sound, nil, came)
		} else {
			s.check(t, sound, claimed, came)
		}
		checkWhole(t, sound)
	})
	return !t.Failed()
}

// checkWhole reads the whole database: nothing is left to be finished, and
// jobs and rows agree with each other.
func checkWhole(t *testing.T, store *Store) {
	t.Helper()
	if err := store.sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	docs, err := find[jobDoc](t.Context(), store.jobs, bson.D{{Key: "_id", Value: bson.D{{Key: "$type", Value: "string"}}}})
	if err != nil {
		t.Fatal(err)
	}
	rows, err := find[runDoc](t.Context(), store.runs, bson.D{}, options.Find().SetSort(up("_id")))
	if err != nil {
		t.Fatal(err)
	}
	active := map[string][]activeRun{}
	fires := map[fireKey]string{}
	for _, row := range rows {
		key := fireKey{row.JobID, row.Fire, row.Series}
		if other := fires[key]; other != "" {
			t.Errorf("runs %s and %s are of one fire time", other, row.ID)
		}
		fires[key] = row.ID
		state := jobcenter.RunState(row.State)
		if (row.Queue != nil) != (state == jobcenter.RunQueued) || (row.Held != nil) != (state == jobcenter.RunRunning) {
			t.Errorf("run %s is %s, but found as %+v, %+v", row.ID, row.State, row.Queue, row.Held)
		}
		if !state.Final() {
			active[row.JobID] = append(active[row.JobID], activeRun{ID: row.ID, State: row.State, Attempt: row.Attempt, Version: row.Version, Stop: row.StopBy != ""})
		}
	}
	for _, doc := range docs {
		if doc.Dirty || len(doc.Outbox) > 0 {
			t.Errorf("job %s still has something to write: %+v", doc.ID, doc.Outbox)
		}
		slices.SortFunc(doc.Active, func(a, b activeRun) int { return strings.Compare(a.ID, b.ID) })
		if diff := cmp.Diff(active[doc.ID], doc.Active); diff != "" {
			t.Errorf("runs of job %s that go on: the rows (-) and the job (+):\n%s", doc.ID, diff)
		}
		delete(active, doc.ID)
	}
	if len(active) > 0 {
		t.Errorf("runs that no job knows of: %v", active)
	}
}
