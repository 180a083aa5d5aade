package jobcenter

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"sync"
	"time"
	"unique"
)

// DefaultMemoryHistory is how many ended runs a memory store keeps.
const DefaultMemoryHistory = 10_000

// MemoryStore is a job store in the memory of this process. It is the only
// one that takes jobs with a Func, and triggers of types that package trigger
// does not know.
type MemoryStore struct {
	mu      sync.Mutex
	history int

	jobs  map[string]*memoryJob
	shelf shelf[memoryJob] // the same, for lists
	due   map[dueKey]*dueHeap
	like  unique.Handle[memoryRules] // those of the job that was set last

	runs       map[string]*memoryRun
	ledger     shelf[memoryRun] // the same, for lists
	fires      map[fireKey]*memoryRun
	byJob      map[string]*memoryRuns
	running    map[*memoryRun]bool
	queues     map[string]*memoryQueue // by executor
	usage      map[string]*memoryUsage // by limit key
	usageSwept int                     // how many keys there may be before some are forgotten
	ended      []*memoryRun            // first to be forgotten first

	nodes map[string]time.Time
}

// dueKey is what a caller must have to take the jobs of a heap.
type dueKey struct{ task, executor string }

// dueHeap are jobs that are to be claimed, by due time, priority and id.
type dueHeap struct {
	dueKey
	leastFirst[*memoryJob]
}

func dueBefore(a, b *memoryJob) bool {
	switch {
	case a.due != b.due:
		return a.due < b.due
	case a.priority != b.priority:
		return a.priority > b.priority
	default:
		return a.id < b.id
	}
}

// NewMemoryStore makes an empty store that keeps the given number of ended
// runs, and forgets the oldest beyond that with their output. Zero means
// DefaultMemoryHistory.
func NewMemoryStore(history int) *MemoryStore {
	if history <= 0 {
		history = DefaultMemoryHistory
	}
	return &MemoryStore{
		history: history,
		jobs:    map[string]*memoryJob{},
		due:     map[dueKey]*dueHeap{},
		runs:    map[string]*memoryRun{},
		fires:   map[fireKey]*memoryRun{},
		byJob:   map[string]*memoryRuns{},
		running: map[*memoryRun]bool{},
		queues:  map[string]*memoryQueue{},
		usage:   map[string]*memoryUsage{},
		nodes:   map[string]time.Time{},
	}
}

// AddJobs implements JobStore.
func (m *MemoryStore) AddJobs(ctx context.Context, create func() ([]Job, error)) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("memory store: add jobs: %w", err)
	}
	jobs, err := create()
	if err != nil {
		return err
	}
	added := map[string]bool{}
	for i := range jobs {
		id := jobs[i].ID
		if _, taken := m.jobs[id]; taken || added[id] {
			return fmt.Errorf("memory store: add job %q: %w: the id is taken", id, ErrConflict)
		}
		if len(jobs) > 1 {
			added[id] = true
		}
	}
	for i := range jobs {
		job := &memoryJob{id: jobs[i].ID}
		job.onShelf = m.shelf.add(job)
		m.jobs[job.id] = job
		m.set(job, &jobs[i])
		m.regroup(job.id)
	}
	return nil
}

// set takes over what a job has become.
func (m *MemoryStore) set(job *memoryJob, to *Job) {
	m.drop(job)
	job.set(to, m.like)
	m.like = job.rules
	m.settle(job)
	if to.Limit.Rate > 0 {
		m.usageOf(to.Limit.Key).expect(to.Limit.Rate)
	}
}

// settle puts a job where it belongs among the due ones.
func (m *MemoryStore) settle(job *memoryJob) {
	if job.due == noInstant {
		m.drop(job)
		return
	}
	if job.heap == nil {
		rules := job.rules.Value()
		key := dueKey{rules.task, rules.executor}
		if job.heap = m.due[key]; job.heap == nil {
			job.heap = &dueHeap{dueKey: key, leastFirst: leastFirst[*memoryJob]{less: dueBefore}}
			m.due[key] = job.heap
		}
	}
	job.heap.put(job)
}

// drop takes a job from among the due ones.
func (m *MemoryStore) drop(job *memoryJob) {
	if job.heap == nil {
		return
	}
	job.heap.drop(job)
	if job.heap.Len() == 0 {
		delete(m.due, job.heap.dueKey)
	}
	job.heap = nil
}

// Job implements JobStore.
func (m *MemoryStore) Job(ctx context.Context, id string) (Job, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	job, err := m.job(ctx, "get", id)
	if err != nil {
		return Job{}, err
	}
	return job.job(), nil
}

func (m *MemoryStore) job(ctx context.Context, operation, id string) (*memoryJob, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("memory store: %s job %q: %w", operation, id, err)
	}
	job, ok := m.jobs[id]
	if !ok {
		return nil, fmt.Errorf("memory store: %s job %q: %w", operation, id, ErrJobNotFound)
	}
	return job, nil
}

// UpdateJob implements JobStore.
func (m *MemoryStore) UpdateJob(ctx context.Context, id string, change func(Job, Active) (Job, []Run, error)) (Job, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	job, err := m.job(ctx, "update", id)
	if err != nil {
		return Job{}, err
	}
	changed, runs, err := change(job.job(), m.activeOf(id))
	if err != nil {
		return Job{}, err
	}
	m.set(job, &changed)
	m.regroup(id)
	m.insert(runs)
	return job.job(), nil
}

// RemoveJob implements JobStore.
func (m *MemoryStore) RemoveJob(ctx context.Context, id string, last func(Job) []Run) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	job, err := m.job(ctx, "remove", id)
	if err != nil {
		return err
	}
	m.insert(last(job.job()))
	m.drop(job)
	delete(m.jobs, id)
	m.shelf.remove(job.onShelf, func(job *memoryJob, place int) { job.onShelf = place })
	if of := m.byJob[id]; of != nil {
		now := time.Now()
		for _, run := range slices.Clone(of.active) {
			if run.State == RunQueued {
				m.endRemoved(run, now)
			}
		}
	}
	return nil
}

// takeable are the heaps of the jobs that a caller can take.
func (m *MemoryStore) takeable(can Can) []*dueHeap {
	var heaps []*dueHeap
	for _, task := range can.Tasks {
		for _, executor := range can.Executors {
			if h := m.due[dueKey{task, executor}]; h != nil && !slices.Contains(heaps, h) {
				heaps = append(heaps, h)
			}
		}
	}
	return heaps
}

// firstDue is the job that comes first of some heaps; nil if they are empty.
func firstDue(heaps []*dueHeap) *memoryJob {
	var first *memoryJob
	for _, h := range heaps {
		if h.Len() > 0 && (first == nil || dueBefore(h.items[0], first)) {
			first = h.items[0]
		}
	}
	return first
}

// NextDue implements JobStore.
func (m *MemoryStore) NextDue(ctx context.Context, can Can) (time.Time, bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return time.Time{}, false, fmt.Errorf("memory store: next due job: %w", err)
	}
	if first := firstDue(m.takeable(can)); first != nil {
		return instant(first.due), true, nil
	}
	return time.Time{}, false, nil
}

// Claim implements JobStore.
func (m *MemoryStore) Claim(ctx context.Context, can Can, now time.Time, limit int, decide func(Job, Active) Decision) ([]Claimed, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("memory store: claim: %w", err)
	}
	var claimed []Claimed
	var jobs []*memoryJob // taken out of their heaps meanwhile, so that each is asked about once
	defer func() {
		for _, job := range jobs {
			m.settle(job)
		}
	}()
	heaps, until := m.takeable(can), now.UnixMicro()
	for len(claimed) < limit {
		job := firstDue(heaps)
		if job == nil || job.due > until {
			break
		}
		m.drop(job)
		jobs = append(jobs, job)
		before := job.job()
		d := decide(before, m.activeOf(job.id))
		m.apply(job, &before, &d)
		claimed = append(claimed, Claimed{Job: before, Runs: m.insert(d.Runs)})
	}
	return claimed, nil
}

// apply gives a job what was decided of it, but for its runs.
func (m *MemoryStore) apply(job *memoryJob, before *Job, d *Decision) {
	after := *before
	after.NextFireTime, after.PreviousFireTime = d.Next, d.Previous
	if d.Quarantine != "" {
		after.Quarantine = d.Quarantine
	}
	if d.Resume {
		after.Paused, after.PausedUntil, after.PauseReason = false, time.Time{}, ""
	}
	if d.Quarantine != "" || d.Resume {
		job.set(&after, job.rules)
	} else {
		job.next, job.previous, job.due = micros(d.Next), micros(d.Previous), micros(after.DueAt())
	}
	if d.StopRunning != "" {
		if of := m.byJob[job.id]; of != nil {
			for _, run := range of.active {
				if run.State == RunRunning && run.StopBy == "" {
					run.StopBy = d.StopRunning
				}
			}
		}
	}
}

// Close implements JobStore. A memory store holds nothing that must be freed.
func (m *MemoryStore) Close() error { return nil }

// cloneJob keeps what callers do to a job's slices from reaching the store.
func cloneJob(job Job) Job {
	for _, raw := range []*json.RawMessage{&job.Args, &job.Carried, &job.LastResult, &job.rawTrigger} {
		*raw = slices.Clone(*raw)
	}
	job.Tags, job.Retry.On, job.Retry.ExitCodes = slices.Clone(job.Tags), slices.Clone(job.Retry.On), slices.Clone(job.Retry.ExitCodes)
	return job
}
