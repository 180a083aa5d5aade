package jobcenter

import (
	"cmp"
	"container/heap"
	"context"
	"fmt"
	"slices"
	"sync"
	"time"
)

// DefaultMemoryHistory is how many ended runs a memory store keeps.
const DefaultMemoryHistory = 10_000

// MemoryStore is a job store in the memory of this process. It is the only
// one that takes triggers of types that package trigger does not know.
type MemoryStore struct {
	mu      sync.Mutex
	history int
	jobs    map[string]*memoryJob
	due     dueHeap // jobs that are neither paused nor quarantined and have a next fire time
	runs    map[string]*memoryRun
	fires   map[fireKey]*memoryRun
	active  map[string]map[string]*memoryRun // by job, queued and running
	last    map[string]*memoryRun            // by job, see LastRuns
	ended   []string                         // run ids, first to be forgotten first
	nodes   map[string]time.Time
}

type memoryJob struct {
	Job
	index int // in the heap; -1 when it is not there
}

type memoryRun struct {
	Run
	chunks []Chunk
}

type fireKey struct {
	job  string
	fire int64
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
		runs:    map[string]*memoryRun{},
		fires:   map[fireKey]*memoryRun{},
		active:  map[string]map[string]*memoryRun{},
		last:    map[string]*memoryRun{},
		nodes:   map[string]time.Time{},
	}
}

// AddJob implements JobStore.
func (m *MemoryStore) AddJob(ctx context.Context, job Job) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("memory store: add job %q: %w", job.ID, err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, taken := m.jobs[job.ID]; taken {
		return fmt.Errorf("memory store: add job %q: %w: the id is taken", job.ID, ErrConflict)
	}
	m.jobs[job.ID] = &memoryJob{Job: atMicroseconds(job), index: -1}
	m.requeue(m.jobs[job.ID])
	return nil
}

// Job implements JobStore.
func (m *MemoryStore) Job(ctx context.Context, id string) (Job, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	job, err := m.job(ctx, "get", id)
	if err != nil {
		return Job{}, err
	}
	return cloneJob(job.Job), nil
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
func (m *MemoryStore) UpdateJob(ctx context.Context, id string, change func(Job, int) (Job, []Run, error)) (Job, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	job, err := m.job(ctx, "update", id)
	if err != nil {
		return Job{}, err
	}
	changed, runs, err := change(cloneJob(job.Job), len(m.active[id]))
	if err != nil {
		return Job{}, err
	}
	changed.ID = id
	job.Job = atMicroseconds(changed)
	m.requeue(job)
	m.insert(runs)
	return cloneJob(job.Job), nil
}

// RemoveJob implements JobStore.
func (m *MemoryStore) RemoveJob(ctx context.Context, id string, last func(Job) []Run) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	job, err := m.job(ctx, "remove", id)
	if err != nil {
		return err
	}
	m.insert(last(cloneJob(job.Job)))
	delete(m.jobs, id)
	if job.index >= 0 {
		heap.Remove(&m.due, job.index)
	}
	for _, run := range m.active[id] {
		if run.State == RunQueued {
			m.endRemoved(run)
		}
	}
	return nil
}

// endRemoved ends a queued run whose job is gone.
func (m *MemoryStore) endRemoved(run *memoryRun) {
	end := run.Run
	end.State, end.Reason, end.EndedAt = RunSkipped, ReasonRemoved, time.Now()
	m.settle(run, end)
}

// requeue puts a job where it belongs among the due ones.
func (m *MemoryStore) requeue(job *memoryJob) {
	fires := job.State() == JobActive
	switch {
	case job.index < 0 && fires:
		heap.Push(&m.due, job)
	case job.index >= 0 && fires:
		heap.Fix(&m.due, job.index)
	case job.index >= 0:
		heap.Remove(&m.due, job.index)
	}
}

// NextFireTime implements JobStore.
func (m *MemoryStore) NextFireTime(ctx context.Context, tasks []string) (time.Time, bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return time.Time{}, false, fmt.Errorf("memory store: next fire time: %w", err)
	}
	if len(m.due) > 0 && slices.Contains(tasks, m.due[0].Task) {
		return m.due[0].NextFireTime, true, nil
	}
	var first time.Time
	for _, job := range m.due {
		if slices.Contains(tasks, job.Task) && (first.IsZero() || job.NextFireTime.Before(first)) {
			first = job.NextFireTime
		}
	}
	return first, !first.IsZero(), nil
}

// Claim implements JobStore.
func (m *MemoryStore) Claim(ctx context.Context, tasks []string, now time.Time, limit int, decide func(Job, int) Decision) ([]Claimed, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("memory store: claim: %w", err)
	}
	var claimed []Claimed
	var aside []*memoryJob // decided already, or of tasks that the caller does not have
	for len(claimed) < limit && len(m.due) > 0 && !m.due[0].NextFireTime.After(now) {
		job := heap.Pop(&m.due).(*memoryJob)
		aside = append(aside, job)
		if !slices.Contains(tasks, job.Task) {
			continue
		}
		before := cloneJob(job.Job)
		d := decide(before, len(m.active[job.ID]))
		job.NextFireTime = microseconds(d.Next)
		if d.Quarantine != "" {
			job.Quarantine = d.Quarantine
		}
		claimed = append(claimed, Claimed{Job: before, Runs: m.insert(d.Runs)})
	}
	for _, job := range aside {
		m.requeue(job)
	}
	return claimed, nil
}

// insert adds runs to the ledger and returns those whose fire time was new.
func (m *MemoryStore) insert(runs []Run) []Run {
	var inserted []Run
	for _, run := range runs {
		run = runAtMicroseconds(run)
		key := fireKey{run.JobID, run.FireTime.UnixMicro()}
		if m.fires[key] != nil {
			continue
		}
		stored := &memoryRun{Run: run}
		m.runs[run.ID], m.fires[key] = stored, stored
		if run.State.Final() {
			m.forget(stored)
		} else {
			if m.active[run.JobID] == nil {
				m.active[run.JobID] = map[string]*memoryRun{}
			}
			m.active[run.JobID][run.ID] = stored
		}
		m.noteStarted(stored)
		inserted = append(inserted, run)
	}
	return inserted
}

// settle gives a run its end.
func (m *MemoryStore) settle(run *memoryRun, end Run) {
	run.Run = runAtMicroseconds(end)
	delete(m.active[run.JobID], run.ID)
	if len(m.active[run.JobID]) == 0 {
		delete(m.active, run.JobID)
	}
	m.noteStarted(run)
	m.forget(run)
}

// noteStarted keeps a job's last started run at hand.
func (m *MemoryStore) noteStarted(run *memoryRun) {
	if run.StartedAt.IsZero() {
		return
	}
	if last := m.last[run.JobID]; last == nil || last.FireTime.Before(run.FireTime) {
		m.last[run.JobID] = run
	}
}

// forget keeps the history within its bound, now that run has ended.
func (m *MemoryStore) forget(run *memoryRun) {
	m.ended = append(m.ended, run.ID)
	if len(m.ended) <= m.history {
		return
	}
	old := m.runs[m.ended[0]]
	m.ended = m.ended[1:]
	delete(m.runs, old.ID)
	delete(m.fires, fireKey{old.JobID, old.FireTime.UnixMicro()})
	if m.last[old.JobID] == old {
		delete(m.last, old.JobID)
	}
}

// TakeQueued implements JobStore.
func (m *MemoryStore) TakeQueued(ctx context.Context, tasks []string, executor string, limit int, start func(Job, Run) Run) ([]Claimed, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("memory store: take queued runs: %w", err)
	}
	var queued []*memoryRun
	for _, runs := range m.active {
		for _, run := range runs {
			if run.State == RunQueued && run.Executor == executor {
				queued = append(queued, run)
			}
		}
	}
	slices.SortFunc(queued, func(a, b *memoryRun) int {
		return cmp.Or(a.FireTime.Compare(b.FireTime), cmp.Compare(a.ID, b.ID))
	})
	var taken []Claimed
	for _, run := range queued {
		if len(taken) == limit {
			break
		}
		job, ok := m.jobs[run.JobID]
		if !ok {
			m.endRemoved(run)
			continue
		}
		if !slices.Contains(tasks, job.Task) || m.running(job.ID) >= max(1, job.MaxInstances) {
			continue
		}
		now := start(cloneJob(job.Job), run.Run)
		if now.State.Final() {
			m.settle(run, now)
		} else {
			run.Run = runAtMicroseconds(now)
			m.noteStarted(run)
		}
		taken = append(taken, Claimed{Job: cloneJob(job.Job), Runs: []Run{run.Run}})
	}
	return taken, nil
}

func (m *MemoryStore) running(jobID string) int {
	n := 0
	for _, run := range m.active[jobID] {
		if run.State == RunRunning {
			n++
		}
	}
	return n
}

// Record implements JobStore.
func (m *MemoryStore) Record(ctx context.Context, records Records) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("memory store: record: %w", err)
	}
	for _, chunk := range records.Output {
		if run := m.held(chunk.RunID, chunk.Attempt); run != nil {
			chunk.At = microseconds(chunk.At)
			chunk.Data = slices.Clone(chunk.Data)
			run.chunks = append(run.chunks, chunk)
		}
	}
	for _, drop := range records.Drops {
		if run := m.held(drop.RunID, drop.Attempt); run != nil {
			run.chunks = slices.DeleteFunc(run.chunks, func(c Chunk) bool {
				return c.Offset >= drop.From && c.Offset+int64(len(c.Data)) <= drop.To
			})
		}
	}
	for _, end := range records.Ends {
		run := m.held(end.ID, end.Attempt)
		if run == nil {
			continue
		}
		ended := run.Run
		ended.State, ended.Reason, ended.Message = end.State, end.Reason, end.Message
		ended.StartedAt, ended.EndedAt, ended.ExitCode = end.StartedAt, end.EndedAt, end.ExitCode
		ended.OutputSize, ended.OutputKept = end.OutputSize, end.OutputKept
		m.settle(run, ended)
	}
	return nil
}

// held returns a run if the attempt still holds it.
func (m *MemoryStore) held(id string, attempt int) *memoryRun {
	run, ok := m.runs[id]
	if !ok || run.State.Final() || run.Attempt != attempt {
		return nil
	}
	return run
}

// Run implements JobStore.
func (m *MemoryStore) Run(ctx context.Context, id string) (Run, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return Run{}, fmt.Errorf("memory store: get run %q: %w", id, err)
	}
	run, ok := m.runs[id]
	if !ok {
		return Run{}, fmt.Errorf("memory store: get run %q: %w", id, ErrRunNotFound)
	}
	return run.Run, nil
}

// LastRuns implements JobStore.
func (m *MemoryStore) LastRuns(ctx context.Context, jobIDs []string) (map[string]Run, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("memory store: last runs: %w", err)
	}
	last := map[string]Run{}
	for _, id := range jobIDs {
		if run := m.last[id]; run != nil {
			last[id] = run.Run
		}
	}
	return last, nil
}

// Output implements JobStore.
func (m *MemoryStore) Output(ctx context.Context, runID string, offset int64, limit int) ([]Chunk, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("memory store: output of run %q: %w", runID, err)
	}
	run, ok := m.runs[runID]
	if !ok {
		return nil, fmt.Errorf("memory store: output of run %q: %w", runID, ErrRunNotFound)
	}
	var chunks []Chunk
	for _, chunk := range run.chunks {
		if chunk.Offset+int64(len(chunk.Data)) <= offset {
			continue
		}
		if limit -= len(chunk.Data); limit < 0 && len(chunks) > 0 {
			break
		}
		chunk.Data = slices.Clone(chunk.Data)
		chunks = append(chunks, chunk)
	}
	return chunks, nil
}

// Heartbeat implements JobStore.
func (m *MemoryStore) Heartbeat(ctx context.Context, node string, until time.Time) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("memory store: heartbeat of node %q: %w", node, err)
	}
	m.nodes[node] = until
	return nil
}

// Orphans implements JobStore.
func (m *MemoryStore) Orphans(ctx context.Context, node string, now time.Time, limit int) ([]Claimed, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("memory store: orphans: %w", err)
	}
	var orphans []Claimed
	for _, runs := range m.active {
		for _, run := range runs {
			dead := !m.nodes[run.Node].After(now) || node != "" && run.Node == node
			if run.State != RunRunning || !dead || len(orphans) == limit {
				continue
			}
			claimed := Claimed{Job: Job{ID: run.JobID}, Runs: []Run{run.Run}}
			if job, ok := m.jobs[run.JobID]; ok {
				claimed.Job = cloneJob(job.Job)
			}
			orphans = append(orphans, claimed)
		}
	}
	return orphans, nil
}

// Close implements JobStore. A memory store holds nothing that must be freed.
func (m *MemoryStore) Close() error { return nil }

// dueHeap orders jobs by next fire time; it implements heap.Interface.
type dueHeap []*memoryJob

func (h dueHeap) Len() int { return len(h) }
func (h dueHeap) Less(i, j int) bool {
	return cmp.Or(h[i].NextFireTime.Compare(h[j].NextFireTime), cmp.Compare(h[i].ID, h[j].ID)) < 0
}

func (h dueHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].index, h[j].index = i, j
}

func (h *dueHeap) Push(x any) {
	job := x.(*memoryJob)
	job.index = len(*h)
	*h = append(*h, job)
}

func (h *dueHeap) Pop() any {
	last := len(*h) - 1
	job := (*h)[last]
	(*h)[last] = nil
	*h = (*h)[:last]
	job.index = -1
	return job
}

// microseconds is an instant as stores keep it.
func microseconds(t time.Time) time.Time {
	if t.IsZero() {
		return time.Time{}
	}
	return time.UnixMicro(t.UnixMicro()).UTC()
}

func atMicroseconds(job Job) Job {
	job = cloneJob(job)
	job.NextFireTime = microseconds(job.NextFireTime)
	job.CreatedAt, job.UpdatedAt = microseconds(job.CreatedAt), microseconds(job.UpdatedAt)
	return job
}

func runAtMicroseconds(run Run) Run {
	run.FireTime, run.LastFireTime = microseconds(run.FireTime), microseconds(run.LastFireTime)
	run.StartedAt, run.EndedAt = microseconds(run.StartedAt), microseconds(run.EndedAt)
	return run
}

// cloneJob keeps what callers do to a job's slices from reaching the store.
func cloneJob(job Job) Job {
	job.Args, job.Tags = slices.Clone(job.Args), slices.Clone(job.Tags)
	return job
}
