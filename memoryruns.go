package jobcenter

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"
)

// memoryRun is a run in the ledger.
type memoryRun struct {
	Run
	chunks  []Chunk
	lane    *memoryLane // in which it stands while it may start
	inHeap  int         // of the lane, or of those that may start later
	active  int         // 1 + its place among the job's runs that go on
	onShelf int
}

func (r *memoryRun) place() *int { return &r.inHeap }

type fireKey struct {
	job    string
	fire   int64
	series string
}

func keyOf(run *Run) fireKey { return fireKey{run.JobID, run.FireTime.UnixMicro(), run.Series} }

// memoryRuns is what the ledger has of one job, which may be gone.
type memoryRuns struct {
	id string
	Active
	active []*memoryRun // queued and running, in no order
	ran    []*memoryRun // those that LastRuns looks at, by fire time
	lanes  []*memoryLane
}

func (m *MemoryStore) runsOf(jobID string) *memoryRuns {
	of := m.byJob[jobID]
	if of == nil {
		of = &memoryRuns{id: jobID}
		m.byJob[jobID] = of
	}
	return of
}

// activeOf counts the runs of a job that go on.
func (m *MemoryStore) activeOf(jobID string) Active {
	if of := m.byJob[jobID]; of != nil {
		return of.Active
	}
	return Active{}
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
		stored.onShelf = m.ledger.add(stored)
		m.runs[run.ID], m.fires[key] = stored, stored
		m.note(stored)
		if run.State.Final() {
			m.forgetBeyond(stored)
		}
		inserted = append(inserted, cloneRun(run))
	}
	return inserted
}

// change replaces a run that was not final.
func (m *MemoryStore) change(run *memoryRun, to Run) {
	m.unnote(run)
	run.Run = runAsKept(to)
	m.note(run)
	if run.State.Final() {
		m.forgetBeyond(run)
	}
}

// note keeps a run where its state belongs; unnote takes it away from there.
func (m *MemoryStore) note(run *memoryRun) {
	if run.LimitKey != "" {
		m.usageOf(run.LimitKey).note(run)
	}
	if run.State.Final() && !hasRun(run.State) {
		return
	}
	of := m.runsOf(run.JobID)
	switch run.State {
	case RunQueued:
		of.Queued++
		m.enqueue(run)
	case RunRunning:
		of.Running++
		m.running[run] = true
	default:
	}
	if !run.State.Final() {
		of.active = append(of.active, run)
		run.active = len(of.active)
	}
	if hasRun(run.State) {
		at, _ := slices.BinarySearchFunc(of.ran, run, byFireTime)
		of.ran = slices.Insert(of.ran, at, run)
	}
}

func (m *MemoryStore) unnote(run *memoryRun) {
	if run.LimitKey != "" {
		m.usageOf(run.LimitKey).unnote(run)
	}
	if run.State.Final() && !hasRun(run.State) {
		return
	}
	of := m.byJob[run.JobID]
	switch run.State {
	case RunQueued:
		of.Queued--
		m.dequeue(run)
	case RunRunning:
		of.Running--
		delete(m.running, run)
	default:
	}
	if run.active > 0 {
		last := len(of.active) - 1
		of.active[run.active-1] = of.active[last]
		of.active[run.active-1].active = run.active
		of.active[last] = nil
		of.active = of.active[:last]
		run.active = 0
	}
	if hasRun(run.State) {
		if at, ok := slices.BinarySearchFunc(of.ran, run, byFireTime); ok {
			of.ran = slices.Delete(of.ran, at, at+1)
		}
	}
	if len(of.active)+len(of.ran) == 0 {
		delete(m.byJob, run.JobID)
	}
}

// hasRun reports whether a run in this state was started.
func hasRun(s RunState) bool { return s != RunMissed && s != RunSkipped && s != RunQueued }

func byFireTime(a, b *memoryRun) int {
	return cmp.Or(a.FireTime.Compare(b.FireTime), cmp.Compare(a.ID, b.ID))
}

// forgetBeyond keeps the history within its bound, now that run has ended.
func (m *MemoryStore) forgetBeyond(run *memoryRun) {
	m.ended = append(m.ended, run)
	if len(m.ended) <= m.history {
		return
	}
	old := m.ended[0]
	m.ended[0] = nil
	m.ended = m.ended[1:]
	m.unnote(old)
	if old.LimitKey != "" && !old.StartedAt.IsZero() {
		m.usageOf(old.LimitKey).remember(old.StartedAt.UnixMicro())
	}
	delete(m.runs, old.ID)
	delete(m.fires, keyOf(&old.Run))
	m.ledger.remove(old.onShelf, func(run *memoryRun, place int) { run.onShelf = place })
}

// endRemoved ends a queued run whose job is gone.
func (m *MemoryStore) endRemoved(run *memoryRun, now time.Time) {
	end := run.Run
	end.State, end.Reason, end.EndedAt = RunSkipped, ReasonRemoved, now
	m.change(run, end)
}

// memoryUsage is what the runs of one LimitKey use of limits.
type memoryUsage struct {
	running int
	starts  []int64 // of the runs in the ledger, ascending
	rate    int     // the highest that was asked about
	past    []int64 // of runs that were forgotten: as many of the latest as a rate can count, ascending
}

func (m *MemoryStore) usageOf(key string) *memoryUsage {
	u := m.usage[key]
	if u == nil {
		u = &memoryUsage{}
		m.usage[key] = u
	}
	return u
}

func (u *memoryUsage) expect(rate int) { u.rate = max(u.rate, rate) }

func (u *memoryUsage) note(run *memoryRun) {
	if run.State == RunRunning {
		u.running++
	}
	if !run.StartedAt.IsZero() {
		u.starts = inOrder(u.starts, run.StartedAt.UnixMicro())
	}
}

func (u *memoryUsage) unnote(run *memoryRun) {
	if run.State == RunRunning {
		u.running--
	}
	if !run.StartedAt.IsZero() {
		if at, ok := slices.BinarySearch(u.starts, run.StartedAt.UnixMicro()); ok {
			u.starts = slices.Delete(u.starts, at, at+1)
		}
	}
}

// remember keeps the start of a run that is forgotten.
func (u *memoryUsage) remember(start int64) {
	u.past = inOrder(u.past, start)
	if beyond := len(u.past) - u.rate; beyond > 0 {
		u.past = slices.Delete(u.past, 0, beyond)
	}
}

func inOrder(starts []int64, start int64) []int64 {
	at, _ := slices.BinarySearch(starts, start+1) // behind its equals
	return slices.Insert(starts, at, start)
}

// since counts the starts later than an instant.
func (u *memoryUsage) since(instant int64) int {
	ledger, _ := slices.BinarySearch(u.starts, instant+1)
	past, _ := slices.BinarySearch(u.past, instant+1)
	return len(u.starts) - ledger + len(u.past) - past
}

// within reports whether another run of a group may start.
func (m *MemoryStore) within(group *memoryGroup, now time.Time) bool {
	limit := &group.limit
	if limit.Running == 0 && limit.Rate == 0 {
		return true
	}
	u := m.usageOf(group.key)
	u.expect(limit.Rate)
	return (limit.Running == 0 || u.running < limit.Running) &&
		(limit.Rate == 0 || u.since(now.Add(-limit.Per).UnixMicro()) < limit.Rate)
}

// longestPer is the longest Limit.Per.
const longestPer = 24 * time.Hour

// forgetUsage forgets, from time to time, keys that no limit can ask about any more.
func (m *MemoryStore) forgetUsage(now time.Time) {
	if len(m.usage) <= m.usageSwept {
		return
	}
	gone := now.Add(-longestPer).UnixMicro()
	for key, u := range m.usage {
		if u.running == 0 && len(u.starts) == 0 && u.since(gone) == 0 {
			delete(m.usage, key)
		}
	}
	m.usageSwept = 2*len(m.usage) + stretch
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
			run.write(chunk)
		}
	}
	for _, drop := range records.Drops {
		if run := m.held(drop.RunID, drop.Attempt); run != nil {
			run.chunks = slices.DeleteFunc(run.chunks, func(c Chunk) bool { return c.Offset >= drop.From && c.end() <= drop.To })
		}
	}
	for _, carry := range records.Carries {
		job, run := m.jobs[carry.JobID], m.held(carry.RunID, carry.Attempt)
		if job == nil || run == nil || carry.Carried == nil && carry.Result == nil {
			continue
		}
		whole := job.job()
		if carry.Carried != nil {
			whole.Carried = carry.Carried
		}
		if carry.Result != nil {
			whole.LastResult = carry.Result
		}
		job.set(&whole, job.rules)
	}
	for _, end := range records.Ends {
		if run := m.held(end.ID, end.Attempt); run != nil {
			m.end(run, end)
		}
	}
	return nil
}

func (c *Chunk) end() int64 { return c.Offset + int64(len(c.Data)) }

// write keeps a chunk, unless it is there already.
func (r *memoryRun) write(chunk Chunk) {
	at, known := slices.BinarySearchFunc(r.chunks, chunk.Offset, func(c Chunk, offset int64) int { return cmp.Compare(c.Offset, offset) })
	if known || len(chunk.Data) == 0 {
		return
	}
	chunk.At, chunk.Data = microseconds(chunk.At), slices.Clone(chunk.Data)
	r.chunks = slices.Insert(r.chunks, at, chunk)
}

// end takes over what Records says of the end of a run, or of an attempt.
func (m *MemoryStore) end(run *memoryRun, end Run) {
	ended := run.Run
	ended.State, ended.Reason, ended.Message = end.State, end.Reason, end.Message
	ended.StartedAt, ended.EndedAt, ended.ExitCode, ended.Result = end.StartedAt, end.EndedAt, end.ExitCode, end.Result
	ended.OutputSize, ended.OutputKept = end.OutputSize, end.OutputKept
	if !end.State.Final() {
		ended.Node, ended.NotBefore, ended.Turn = end.Node, end.NotBefore, end.Turn
	}
	m.change(run, ended)
}

// held returns a run if the attempt still holds it.
func (m *MemoryStore) held(id string, attempt int) *memoryRun {
	run, ok := m.runs[id]
	if !ok || run.State != RunRunning || run.Attempt != attempt {
		return nil
	}
	return run
}

func (m *MemoryStore) run(ctx context.Context, operation, id string) (*memoryRun, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("memory store: %s run %q: %w", operation, id, err)
	}
	run, ok := m.runs[id]
	if !ok {
		return nil, fmt.Errorf("memory store: %s run %q: %w", operation, id, ErrRunNotFound)
	}
	return run, nil
}

// RequestStop implements JobStore.
func (m *MemoryStore) RequestStop(ctx context.Context, runID, by string, now time.Time) (Run, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	run, err := m.run(ctx, "stop", runID)
	if err != nil {
		return Run{}, err
	}
	switch run.State {
	case RunQueued:
		end := run.Run
		end.State, end.Reason, end.Message, end.StopBy, end.EndedAt = RunStopped, ReasonStop, by, by, now
		m.change(run, end)
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
	for run := range m.running {
		if run.Node == node {
			held = append(held, Hold{RunID: run.ID, Attempt: run.Attempt, StopBy: run.StopBy})
		}
	}
	return held, nil
}

// Run implements JobStore.
func (m *MemoryStore) Run(ctx context.Context, id string) (Run, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	run, err := m.run(ctx, "get", id)
	if err != nil {
		return Run{}, err
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
		if of := m.byJob[id]; of != nil && len(of.ran) > 0 {
			last[id] = cloneRun(of.ran[len(of.ran)-1].Run)
		}
	}
	return last, nil
}

// Output implements JobStore.
func (m *MemoryStore) Output(ctx context.Context, runID string, offset int64, limit int) ([]Chunk, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	run, err := m.run(ctx, "output of", runID)
	if err != nil {
		return nil, err
	}
	first, _ := slices.BinarySearchFunc(run.chunks, offset+1, func(c Chunk, offset int64) int { return cmp.Compare(c.end(), offset) })
	var chunks []Chunk
	for _, chunk := range run.chunks[first:] {
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
	for run := range m.running {
		if len(orphans) >= limit {
			break
		}
		if m.nodes[run.Node].After(now) && (node == "" || run.Node != node) {
			continue
		}
		claimed := Claimed{Job: Job{ID: run.JobID}, Runs: []Run{cloneRun(run.Run)}}
		if job, ok := m.jobs[run.JobID]; ok {
			claimed.Job = job.job()
		}
		orphans = append(orphans, claimed)
	}
	return orphans, nil
}

func runAsKept(run Run) Run {
	run = cloneRun(run)
	for _, t := range []*time.Time{&run.FireTime, &run.LastFireTime, &run.NotBefore, &run.Turn, &run.StartedAt, &run.EndedAt} {
		*t = microseconds(*t)
	}
	return run
}

func cloneRun(run Run) Run {
	run.Args, run.Result = slices.Clone(run.Args), slices.Clone(run.Result)
	if run.ExitCode != nil {
		code := *run.ExitCode
		run.ExitCode = &code
	}
	return run
}
