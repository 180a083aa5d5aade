package jobcenter

import (
	"cmp"
	"container/heap"
	"context"
	"encoding/json"
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
	starts  map[string][]time.Time           // by limit key, ascending
	last    map[string]*memoryRun            // by job, see LastRuns
	ended   []string                         // run ids, first to be forgotten first
	nodes   map[string]time.Time
}

type memoryJob struct {
	Job
	due   time.Time // by which it is ordered in the heap
	index int       // in the heap; -1 when it is not there
}

type memoryRun struct {
	Run
	chunks []Chunk
}

type fireKey struct {
	job    string
	fire   int64
	series string
}

func keyOf(run *Run) fireKey { return fireKey{run.JobID, run.FireTime.UnixMicro(), run.Series} }

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
		starts:  map[string][]time.Time{},
		last:    map[string]*memoryRun{},
		nodes:   map[string]time.Time{},
	}
}

// AddJobs implements JobStore.
func (m *MemoryStore) AddJobs(ctx context.Context, make func() ([]Job, error)) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("memory store: add jobs: %w", err)
	}
	jobs, err := make()
	if err != nil {
		return err
	}
	added := map[string]bool{}
	for _, job := range jobs {
		if _, taken := m.jobs[job.ID]; taken || added[job.ID] {
			return fmt.Errorf("memory store: add job %q: %w: the id is taken", job.ID, ErrConflict)
		}
		added[job.ID] = true
	}
	for _, job := range jobs {
		m.jobs[job.ID] = &memoryJob{Job: asKept(job), index: -1}
		m.requeue(m.jobs[job.ID])
	}
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
func (m *MemoryStore) UpdateJob(ctx context.Context, id string, change func(Job, Active) (Job, []Run, error)) (Job, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	job, err := m.job(ctx, "update", id)
	if err != nil {
		return Job{}, err
	}
	changed, runs, err := change(cloneJob(job.Job), m.activeOf(id))
	if err != nil {
		return Job{}, err
	}
	changed.ID = id
	job.Job = asKept(changed)
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
	job.due = job.DueAt()
	fires := !job.due.IsZero()
	switch {
	case job.index < 0 && fires:
		heap.Push(&m.due, job)
	case job.index >= 0 && fires:
		heap.Fix(&m.due, job.index)
	case job.index >= 0:
		heap.Remove(&m.due, job.index)
	}
}

// takes reports whether the caller can take a job.
func (c *Can) takes(job *Job) bool {
	return slices.Contains(c.Tasks, job.Task) && slices.Contains(c.Executors, job.Executor)
}

// NextDue implements JobStore.
func (m *MemoryStore) NextDue(ctx context.Context, can Can) (time.Time, bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return time.Time{}, false, fmt.Errorf("memory store: next due job: %w", err)
	}
	if len(m.due) > 0 && can.takes(&m.due[0].Job) {
		return m.due[0].due, true, nil
	}
	var first time.Time
	for _, job := range m.due {
		if can.takes(&job.Job) && (first.IsZero() || job.due.Before(first)) {
			first = job.due
		}
	}
	return first, !first.IsZero(), nil
}

// Claim implements JobStore.
func (m *MemoryStore) Claim(ctx context.Context, can Can, now time.Time, limit int, decide func(Job, Active) Decision) ([]Claimed, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("memory store: claim: %w", err)
	}
	var claimed []Claimed
	var aside []*memoryJob // decided already, or not the caller's to take
	for len(claimed) < limit && len(m.due) > 0 && !m.due[0].due.After(now) {
		job := heap.Pop(&m.due).(*memoryJob)
		aside = append(aside, job)
		if !can.takes(&job.Job) {
			continue
		}
		before := cloneJob(job.Job)
		d := decide(before, m.activeOf(job.ID))
		job.NextFireTime, job.PreviousFireTime = microseconds(d.Next), microseconds(d.Previous)
		if d.Quarantine != "" {
			job.Quarantine = d.Quarantine
		}
		if d.Resume {
			job.Paused, job.PausedUntil, job.PauseReason = false, time.Time{}, ""
		}
		if d.StopRunning != "" {
			for _, run := range m.active[job.ID] {
				if run.State == RunRunning && run.StopBy == "" {
					run.StopBy = d.StopRunning
				}
			}
		}
		claimed = append(claimed, Claimed{Job: before, Runs: m.insert(d.Runs)})
	}
	for _, job := range aside {
		m.requeue(job)
	}
	return claimed, nil
}

func (m *MemoryStore) activeOf(jobID string) Active {
	var active Active
	for _, run := range m.active[jobID] {
		if run.State == RunQueued {
			active.Queued++
		} else {
			active.Running++
		}
	}
	return active
}

// insert adds runs to the ledger and returns those whose fire time was new.
func (m *MemoryStore) insert(runs []Run) []Run {
	var inserted []Run
	for _, run := range runs {
		run = runAsKept(run)
		key := keyOf(&run)
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
	run.Run = runAsKept(end)
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
	if run.LimitKey != "" && run.State == RunRunning {
		m.starts[run.LimitKey] = append(m.starts[run.LimitKey], run.StartedAt)
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
	delete(m.fires, keyOf(&old.Run))
	if m.last[old.JobID] == old {
		delete(m.last, old.JobID)
	}
}

// TakeQueued implements JobStore.
func (m *MemoryStore) TakeQueued(ctx context.Context, can Can, executor string, now time.Time, limit int, start func(Job, Run) Run) ([]Claimed, time.Time, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return nil, time.Time{}, fmt.Errorf("memory store: take queued runs: %w", err)
	}
	queued, next := m.queued(executor, now)
	var taken []Claimed
	for _, run := range queued {
		if len(taken) >= limit {
			break
		}
		job, ok := m.jobs[run.JobID]
		if !ok {
			m.endRemoved(run)
			continue
		}
		if !slices.Contains(can.Tasks, job.Task) || m.activeOf(job.ID).Running >= max(1, job.MaxInstances) || !m.within(run.LimitKey, job.Limit, now) {
			continue
		}
		started := start(cloneJob(job.Job), run.Run)
		if started.State.Final() {
			m.settle(run, started)
		} else {
			run.Run = runAsKept(started)
			m.noteStarted(run)
		}
		taken = append(taken, Claimed{Job: cloneJob(job.Job), Runs: []Run{run.Run}})
	}
	return taken, next, nil
}

// queued returns the runs that an executor may start now, in their order, and
// the first instant at which there will be another.
func (m *MemoryStore) queued(executor string, now time.Time) (runs []*memoryRun, next time.Time) {
	for _, active := range m.active {
		for _, run := range active {
			if run.State != RunQueued || run.Executor != executor {
				continue
			}
			if !run.NotBefore.After(now) {
				runs = append(runs, run)
			} else if next.IsZero() || run.NotBefore.Before(next) {
				next = run.NotBefore
			}
		}
	}
	slices.SortFunc(runs, func(a, b *memoryRun) int {
		return cmp.Or(cmp.Compare(b.Priority, a.Priority), a.Turn.Compare(b.Turn), a.FireTime.Compare(b.FireTime), cmp.Compare(a.ID, b.ID))
	})
	return runs, next
}

// within reports whether another run of a limit's key may start.
func (m *MemoryStore) within(key string, limit Limit, now time.Time) bool {
	if key == "" {
		return true
	}
	if limit.Running > 0 {
		running := 0
		for _, active := range m.active {
			for _, run := range active {
				if run.State == RunRunning && run.LimitKey == key {
					running++
				}
			}
		}
		if running >= limit.Running {
			return false
		}
	}
	if limit.Rate == 0 {
		return true
	}
	since := 0
	for _, at := range m.starts[key] {
		if at.After(now.Add(-limit.Per)) {
			since++
		}
	}
	return since < limit.Rate
}

// CountQueued implements JobStore.
func (m *MemoryStore) CountQueued(ctx context.Context, executor string, limit int) (int, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return 0, fmt.Errorf("memory store: count queued runs: %w", err)
	}
	n := 0
	for _, active := range m.active {
		for _, run := range active {
			if run.State == RunQueued && run.Executor == executor {
				n++
			}
		}
	}
	return min(n, limit), nil
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
	for _, carry := range records.Carries {
		job, run := m.jobs[carry.JobID], m.held(carry.RunID, carry.Attempt)
		if job == nil || run == nil {
			continue
		}
		if carry.Carried != nil {
			job.Carried = slices.Clone(carry.Carried)
		}
		if carry.Result != nil {
			job.LastResult = slices.Clone(carry.Result)
		}
	}
	for _, end := range records.Ends {
		if run := m.held(end.ID, end.Attempt); run != nil {
			m.end(run, end)
		}
	}
	return nil
}

// end takes over what Records says of the end of a run, or of an attempt.
func (m *MemoryStore) end(run *memoryRun, end Run) {
	ended := run.Run
	ended.State, ended.Reason, ended.Message = end.State, end.Reason, end.Message
	ended.StartedAt, ended.EndedAt, ended.ExitCode, ended.Result = end.StartedAt, end.EndedAt, end.ExitCode, end.Result
	ended.OutputSize, ended.OutputKept = end.OutputSize, end.OutputKept
	if end.State.Final() {
		m.settle(run, ended)
		return
	}
	ended.Node, ended.NotBefore, ended.Turn, ended.StopBy = end.Node, end.NotBefore, end.Turn, end.StopBy
	run.Run = runAsKept(ended)
}

// held returns a run if the attempt still holds it.
func (m *MemoryStore) held(id string, attempt int) *memoryRun {
	run, ok := m.runs[id]
	if !ok || run.State != RunRunning || run.Attempt != attempt {
		return nil
	}
	return run
}

// RequestStop implements JobStore.
func (m *MemoryStore) RequestStop(ctx context.Context, runID, by string, now time.Time) (Run, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return Run{}, fmt.Errorf("memory store: stop run %q: %w", runID, err)
	}
	run, ok := m.runs[runID]
	if !ok {
		return Run{}, fmt.Errorf("memory store: stop run %q: %w", runID, ErrRunNotFound)
	}
	switch run.State {
	case RunQueued:
		end := run.Run
		end.State, end.Reason, end.Message, end.StopBy, end.EndedAt = RunStopped, ReasonStop, by, by, now
		m.settle(run, end)
	case RunRunning:
		run.StopBy = cmp.Or(run.StopBy, by)
	default:
	}
	return cloneRun(run.Run), nil
}

// Held implements JobStore.
func (m *MemoryStore) Held(ctx context.Context, node string) ([]Hold, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("memory store: runs held by node %q: %w", node, err)
	}
	var held []Hold
	for _, active := range m.active {
		for _, run := range active {
			if run.State == RunRunning && run.Node == node {
				held = append(held, Hold{RunID: run.ID, Attempt: run.Attempt, StopBy: run.StopBy})
			}
		}
	}
	return held, nil
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
	return cloneRun(run.Run), nil
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
			last[id] = cloneRun(run.Run)
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
	return cmp.Or(h[i].due.Compare(h[j].due), cmp.Compare(h[j].Priority, h[i].Priority), cmp.Compare(h[i].ID, h[j].ID)) < 0
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

// asKept is a job as the store keeps it.
func asKept(job Job) Job {
	job = cloneJob(job)
	for _, t := range []*time.Time{&job.NextFireTime, &job.PreviousFireTime, &job.PausedUntil, &job.SkipUntil, &job.CreatedAt, &job.UpdatedAt} {
		*t = microseconds(*t)
	}
	job.Store = ""
	return job
}

func runAsKept(run Run) Run {
	run = cloneRun(run)
	for _, t := range []*time.Time{&run.FireTime, &run.LastFireTime, &run.NotBefore, &run.Turn, &run.StartedAt, &run.EndedAt} {
		*t = microseconds(*t)
	}
	return run
}

// cloneJob keeps what callers do to a job's slices from reaching the store.
func cloneJob(job Job) Job {
	for _, raw := range []*json.RawMessage{&job.Args, &job.Carried, &job.LastResult, &job.rawTrigger} {
		*raw = slices.Clone(*raw)
	}
	job.Tags, job.Retry.On, job.Retry.ExitCodes = slices.Clone(job.Tags), slices.Clone(job.Retry.On), slices.Clone(job.Retry.ExitCodes)
	return job
}

func cloneRun(run Run) Run {
	run.Args, run.Result = slices.Clone(run.Args), slices.Clone(run.Result)
	return run
}
