package jobcenter

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/jobcenter-go/jobcenter/trigger"
)

// second is an instant that the tests of the memory store count from, and some
// seconds.
func second(n int) time.Time { return time.Date(2026, 11, 6, 8, 30, n, 0, time.UTC) }

func memoryAdd(t *testing.T, m *MemoryStore, jobs ...Job) {
	t.Helper()
	if err := m.AddJobs(t.Context(), func() ([]Job, error) { return jobs, nil }); err != nil {
		t.Fatal(err)
	}
}

func memoryInsert(t *testing.T, m *MemoryStore, jobID string, runs ...Run) {
	t.Helper()
	if _, err := m.UpdateJob(t.Context(), jobID, func(job Job, _ Active) (Job, []Run, error) { return job, runs, nil }); err != nil {
		t.Fatal(err)
	}
}

func memoryEnded(jobID string, n int) Run {
	return Run{
		ID: fmt.Sprint(jobID, "-", n), JobID: jobID, FireTime: second(n), LastFireTime: second(n), FireCount: 1, Attempt: 1,
		State: RunSucceeded, StartedAt: second(n), EndedAt: second(n),
	}
}

// ownTrigger is of a type that package trigger does not know.
type ownTrigger struct{ trigger.Trigger }

func TestMemoryStoreKeepsWhatOnlyThisProcessHas(t *testing.T) {
	t.Parallel()
	m := NewMemoryStore(0)
	calls := 0
	every, err := trigger.Every(time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	own := &ownTrigger{every}
	memoryAdd(t, m, Job{
		ID: "a", Task: funcTaskName, Executor: DefaultExecutor, Trigger: own, NextFireTime: second(1),
		Func: func(context.Context, *RunContext) error { calls++; return nil },
	})
	check := func(what string, job Job, err error) {
		t.Helper()
		if err != nil || job.Func == nil || job.Trigger != trigger.Trigger(own) {
			t.Fatalf("%s: %+v, %v; want the function and the trigger that were given", what, job, err)
		}
		if err := job.Func(t.Context(), nil); err != nil {
			t.Error(err)
		}
	}
	job, err := m.Job(t.Context(), "a")
	check("Job", job, err)
	job, err = m.UpdateJob(t.Context(), "a", func(job Job, _ Active) (Job, []Run, error) {
		job.Name = "renamed"
		return job, nil, nil
	})
	check("UpdateJob", job, err)
	page, err := m.Jobs(t.Context(), JobQuery{})
	check("Jobs", page.Jobs[0], err)
	claimed, err := m.Claim(t.Context(), Can{[]string{funcTaskName}, []string{DefaultExecutor}}, second(1), 1, func(Job, Active) Decision {
		return Decision{Runs: []Run{{ID: "r", JobID: "a", FireTime: second(1), State: RunQueued, Executor: DefaultExecutor}}}
	})
	check("Claim", claimed[0].Job, err)
	claimed, _, err = m.TakeQueued(t.Context(), Can{Tasks: []string{funcTaskName}}, DefaultExecutor, second(1), 1, func(_ Job, run Run) Run { return run })
	check("TakeQueued", claimed[0].Job, err)
	if calls != 5 {
		t.Errorf("the function was called %d times, want 5", calls)
	}
}

func TestMemoryStoreForgetsHistory(t *testing.T) {
	t.Parallel()
	const history = 3
	m := NewMemoryStore(history)
	memoryAdd(t, m, Job{ID: "a", Task: "work"}, Job{ID: "b", Task: "work"})
	active := memoryEnded("a", 0)
	active.State, active.EndedAt = RunRunning, time.Time{}
	memoryInsert(t, m, "a", active)
	for n := range 20 {
		memoryInsert(t, m, "a", memoryEnded("a", n+1))
	}
	page, err := m.Runs(t.Context(), RunQuery{})
	var ids []string
	for _, run := range page.Runs {
		ids = append(ids, run.ID)
	}
	if want := []string{"a-20", "a-19", "a-18", "a-0"}; err != nil || !slices.Equal(ids, want) {
		t.Errorf("kept are %v, %v; want %v", ids, err, want)
	}
	if _, err := m.Run(t.Context(), "a-17"); !errors.Is(err, ErrRunNotFound) {
		t.Errorf("a run that is forgotten: %v", err)
	}
	// Those of another job push the rest out, but not what goes on.
	for n := range history {
		memoryInsert(t, m, "b", memoryEnded("b", n))
	}
	last, err := m.LastRuns(t.Context(), []string{"a", "b"})
	if err != nil || last["a"].ID != "a-0" || last["b"].ID != "b-2" {
		t.Errorf("last runs %v, %v; want the one that runs, and the newest", last, err)
	}
	if len(m.runs) != history+1 || len(m.fires) != history+1 || len(m.byJob["a"].ran) != 1 {
		t.Errorf("%d runs, %d fire times, %d of a are kept", len(m.runs), len(m.fires), len(m.byJob["a"].ran))
	}
	active.State = RunSucceeded
	if err := m.Record(t.Context(), Records{Ends: []Run{active}}); err != nil {
		t.Fatal(err)
	}
	for n := range history {
		memoryInsert(t, m, "b", memoryEnded("b", 10+n))
	}
	if _, left := m.byJob["a"]; left || len(m.runs) != history {
		t.Errorf("of the job whose runs are forgotten something is left: %v; %d runs are kept", left, len(m.runs))
	}
}

// TestMemoryStoreRateOutlivesHistory has a rate that counts more runs than the
// store keeps.
func TestMemoryStoreRateOutlivesHistory(t *testing.T) {
	t.Parallel()
	const rate = 7
	m := NewMemoryStore(2)
	limit := Limit{Key: "k", Rate: rate, Per: time.Minute}
	memoryAdd(t, m, Job{ID: "a", Task: "work", Limit: limit}, Job{ID: "b", Task: "work"})
	started := 0
	for n := range 200 {
		queued := memoryEnded("a", n)
		queued.State, queued.StartedAt, queued.EndedAt, queued.LimitKey = RunQueued, time.Time{}, time.Time{}, "k"
		memoryInsert(t, m, "a", queued)
		memoryInsert(t, m, "b", memoryEnded("b", n)) // pushes out what has ended
		taken, _, err := m.TakeQueued(t.Context(), Can{Tasks: []string{"work"}}, "", second(n), 5, func(_ Job, run Run) Run {
			run.State, run.StartedAt = RunRunning, second(n)
			return run
		})
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range taken {
			started++
			end := c.Runs[0]
			end.State, end.EndedAt = RunSucceeded, second(n)
			if err := m.Record(t.Context(), Records{Ends: []Run{end}}); err != nil {
				t.Fatal(err)
			}
		}
		if want := rate * (n/60 + 1); started > want {
			t.Fatalf("%d runs started by second %d, want no more than %d", started, n, want)
		}
		if u := m.usage["k"]; len(u.past) > rate || len(u.starts) > 3 {
			t.Fatalf("%d and %d starts are kept for a rate of %d", len(u.past), len(u.starts), rate)
		}
	}
	if started != 4*rate {
		t.Errorf("%d runs started in 200 s, want %d", started, 4*rate)
	}
}

// TestMemoryStoreForgetsKeys has keys come and go.
func TestMemoryStoreForgetsKeys(t *testing.T) {
	t.Parallel()
	m := NewMemoryStore(1)
	for n := range 3 * stretch {
		id := fmt.Sprint("job", n)
		memoryAdd(t, m, Job{ID: id, Task: "work", Limit: Limit{Key: id, Rate: 1, Per: time.Hour}})
		run := memoryEnded(id, n)
		run.State, run.LimitKey, run.StartedAt, run.EndedAt = RunQueued, id, time.Time{}, time.Time{}
		memoryInsert(t, m, id, run)
		now := second(n * 3600)
		taken, _, err := m.TakeQueued(t.Context(), Can{Tasks: []string{"work"}}, "", now, 1, func(_ Job, run Run) Run {
			run.State, run.StartedAt, run.EndedAt = RunFailed, now, now
			return run
		})
		if err != nil || len(taken) != 1 {
			t.Fatalf("taken %d, %v", len(taken), err)
		}
		if err := m.RemoveJob(t.Context(), id, func(Job) []Run { return nil }); err != nil {
			t.Fatal(err)
		}
	}
	if len(m.usage) > 2*stretch {
		t.Errorf("%d keys are kept, none of which has counted for the most part", len(m.usage))
	}
	if len(m.queues)+len(m.due)+len(m.running) != 0 || len(m.byJob) > 1 {
		t.Errorf("left are %d queues, %d due, %d running, runs of %d jobs", len(m.queues), len(m.due), len(m.running), len(m.byJob))
	}
}

// TestMemoryStoreListsWhileJobsGo has more jobs than one stretch, so many of
// which are removed during a list that the rest is moved together: what stays
// is listed once.
func TestMemoryStoreListsWhileJobsGo(t *testing.T) {
	t.Parallel()
	const many = 6 * stretch
	m := NewMemoryStore(0)
	var jobs []Job
	for n := range many {
		jobs = append(jobs, Job{ID: fmt.Sprintf("%05d", n), Task: "work"})
	}
	memoryAdd(t, m, jobs...)
	var group sync.WaitGroup
	group.Go(func() {
		for n := range many {
			if n%10 == 0 {
				continue // stays
			}
			if err := m.RemoveJob(context.Background(), jobs[n].ID, func(Job) []Run { return nil }); err != nil {
				t.Error(err)
			}
		}
	})
	list := func() (ids []string) {
		for q := (JobQuery{Limit: 500}); ; {
			page, err := m.Jobs(t.Context(), q)
			if err != nil {
				t.Fatal(err)
			}
			for _, job := range page.Jobs {
				ids = append(ids, job.ID)
			}
			if q.Cursor = page.NextCursor; q.Cursor == "" {
				return ids
			}
		}
	}
	for range 3 {
		seen := map[string]int{}
		for _, id := range list() {
			seen[id]++
		}
		for n := 0; n < many; n += 10 {
			if seen[jobs[n].ID] != 1 {
				t.Fatalf("job %s was listed %d times", jobs[n].ID, seen[jobs[n].ID])
			}
		}
	}
	group.Wait()
	if ids := list(); len(ids) != many/10 || len(m.shelf.items) > many/2 {
		t.Errorf("%d jobs are left in %d places, want %d", len(ids), len(m.shelf.items), many/10)
	}
}

// queueModel is the queue as its contract has it, without any index.
type queueModel struct {
	jobs map[string]Job
	runs []*Run
}

func (q *queueModel) take(tasks []string, executor string, now time.Time, limit int, start func(Run) Run) (taken []string, next time.Time) {
	var queued []*Run
	for _, run := range q.runs {
		switch {
		case run.State != RunQueued || run.Executor != executor:
		case run.NotBefore.After(now):
			if next.IsZero() || run.NotBefore.Before(next) {
				next = run.NotBefore
			}
		default:
			queued = append(queued, run)
		}
	}
	slices.SortFunc(queued, func(a, b *Run) int {
		return cmp.Or(cmp.Compare(b.Priority, a.Priority), a.Turn.Compare(b.Turn), a.FireTime.Compare(b.FireTime), strings.Compare(a.ID, b.ID))
	})
	for _, run := range queued {
		job, ok := q.jobs[run.JobID]
		if len(taken) == limit {
			break
		}
		if !ok {
			run.State = RunSkipped
			continue
		}
		ofJob, ofKey, since := 0, 0, 0
		for _, other := range q.runs {
			if other.State == RunRunning && other.JobID == job.ID {
				ofJob++
			}
			if run.LimitKey == "" || other.LimitKey != run.LimitKey {
				continue
			}
			if other.State == RunRunning {
				ofKey++
			}
			if other.StartedAt.After(now.Add(-job.Limit.Per)) {
				since++
			}
		}
		if !slices.Contains(tasks, job.Task) || ofJob >= max(1, job.MaxInstances) ||
			run.LimitKey != "" && (job.Limit.Running > 0 && ofKey >= job.Limit.Running || job.Limit.Rate > 0 && since >= job.Limit.Rate) {
			continue
		}
		*run = start(*run)
		taken = append(taken, run.ID)
	}
	return taken, next
}

// TestMemoryStoreQueue compares the queues of the memory store with the model,
// over whatever jobs, runs and changes.
func TestMemoryStoreQueue(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		m, model := NewMemoryStore(rapid.SampledFrom([]int{2, 1000}).Draw(t, "history")), queueModel{jobs: map[string]Job{}}
		ctx := context.Background()
		tasks, executors := []string{"t1", "t2"}, []string{"e1", "e2"}
		job := func(id string) Job {
			return Job{
				ID: id, Task: rapid.SampledFrom(tasks).Draw(t, "task"), Executor: "e1", MaxInstances: rapid.IntRange(0, 3).Draw(t, "instances"),
				Limit: Limit{Key: rapid.SampledFrom([]string{"k1", "k2"}).Draw(t, "key"), Running: rapid.IntRange(0, 3).Draw(t, "running"), Rate: rapid.IntRange(0, 4).Draw(t, "rate"), Per: 10 * time.Second},
			}
		}
		// As high a rate as there will be, known before the first start.
		top := Job{ID: "top", Task: "none", Limit: Limit{Key: "k1", Rate: 4, Per: 10 * time.Second}}
		other := top
		other.ID, other.Limit.Key = "top2", "k2"
		if err := m.AddJobs(ctx, func() ([]Job, error) { return []Job{top, other}, nil }); err != nil {
			t.Fatal(err)
		}
		now := 0
		made := 0
		ids := rapid.SampledFrom([]string{"a", "b", "c", "d", "e"})
		pick := func(state RunState) *Run {
			var runs []*Run
			for _, run := range model.runs {
				if run.State == state {
					runs = append(runs, run)
				}
			}
			if len(runs) == 0 {
				t.Skip("no run is " + string(state))
			}
			return rapid.SampledFrom(runs).Draw(t, "run")
		}
		do := func(err error) {
			if err != nil {
				t.Fatal(err)
			}
		}
		set := func(id string) {
			j := job(id)
			if _, ok := model.jobs[id]; ok {
				_, err := m.UpdateJob(ctx, id, func(Job, Active) (Job, []Run, error) { return j, nil, nil })
				do(err)
			} else {
				do(m.AddJobs(ctx, func() ([]Job, error) { return []Job{j}, nil }))
			}
			model.jobs[id] = j
		}
		queue := func(id string) {
			j, ok := model.jobs[id]
			if !ok {
				t.Skip("no such job")
			}
			for range rapid.IntRange(1, 6).Draw(t, "runs") {
				made++
				run := Run{
					ID: fmt.Sprintf("run%04d", made), JobID: id, FireTime: second(made), State: RunQueued, Executor: rapid.SampledFrom(executors).Draw(t, "executor"),
					Priority: rapid.IntRange(-1, 1).Draw(t, "priority"), Turn: second(rapid.IntRange(0, 5).Draw(t, "turn")),
					LimitKey: rapid.SampledFrom([]string{"", j.Limit.Key, j.Limit.Key}).Draw(t, "limit key"),
				}
				if rapid.Bool().Draw(t, "waits") {
					run.NotBefore = second(now + rapid.IntRange(-3, 9).Draw(t, "not before"))
				}
				_, err := m.UpdateJob(ctx, id, func(job Job, _ Active) (Job, []Run, error) { return job, []Run{run}, nil })
				do(err)
				model.runs = append(model.runs, &run)
			}
		}
		take := func(*rapid.T) {
			now += rapid.IntRange(0, 4).Draw(t, "later")
			can := Can{Tasks: rapid.SampledFrom([][]string{tasks, tasks, tasks[:1], nil}).Draw(t, "tasks")}
			executor, limit := rapid.SampledFrom(executors).Draw(t, "executor"), rapid.IntRange(1, 8).Draw(t, "limit")
			start := func(run Run) Run {
				run.State, run.Attempt, run.StartedAt = RunRunning, run.Attempt+1, second(now)
				if run.Priority < 0 && run.Attempt > 1 {
					run.State = RunMissed
				}
				return run
			}
			want, wantNext := model.take(can.Tasks, executor, second(now), limit, start)
			taken, next, err := m.TakeQueued(ctx, can, executor, second(now), limit, func(_ Job, run Run) Run { return start(run) })
			do(err)
			var got []string
			for _, c := range taken {
				got = append(got, c.Runs[0].ID)
			}
			if !slices.Equal(got, want) || !next.Equal(wantNext) {
				t.Fatalf("taken %v, next %v; want %v, %v", got, next, want, wantNext)
			}
		}
		for _, id := range []string{"a", "b", "c"} {
			set(id)
			queue(id)
		}
		t.Repeat(map[string]func(*rapid.T){
			"job":   func(*rapid.T) { set(ids.Draw(t, "id")) },
			"queue": func(*rapid.T) { queue(ids.Draw(t, "id")) },
			"remove": func(*rapid.T) {
				id := ids.Draw(t, "id")
				if _, ok := model.jobs[id]; !ok {
					t.Skip("no such job")
				}
				do(m.RemoveJob(ctx, id, func(Job) []Run { return nil }))
				delete(model.jobs, id)
				for _, run := range model.runs {
					if run.JobID == id && run.State == RunQueued {
						run.State = RunSkipped
					}
				}
			},
			"take": take, "take more": take, "take most": take,
			"end": func(*rapid.T) {
				run := pick(RunRunning)
				end := *run
				end.State, end.EndedAt = RunSucceeded, second(now)
				if rapid.Bool().Draw(t, "again") {
					end.State, end.EndedAt, end.NotBefore, end.Turn = RunQueued, time.Time{}, second(now+rapid.IntRange(-1, 5).Draw(t, "not before")), second(now)
				}
				do(m.Record(ctx, Records{Ends: []Run{end}}))
				*run = end
			},
			"stop": func(*rapid.T) {
				run := pick(RunQueued)
				_, err := m.RequestStop(ctx, run.ID, "me", second(now))
				do(err)
				run.State = RunStopped
			},
			"": func(*rapid.T) {
				for _, executor := range executors {
					want := 0
					for _, run := range model.runs {
						if run.State == RunQueued && run.Executor == executor {
							want++
						}
					}
					if got, err := m.CountQueued(ctx, executor, 1000); err != nil || got != want {
						t.Fatalf("%d runs are queued for %s, want %d (%v)", got, executor, want, err)
					}
				}
				held, err := m.Held(ctx, "")
				want := 0
				for _, run := range model.runs {
					if run.State == RunRunning {
						want++
					}
				}
				if err != nil || len(held) != want {
					t.Fatalf("%d runs are held, want %d (%v)", len(held), want, err)
				}
			},
		})
	})
}
