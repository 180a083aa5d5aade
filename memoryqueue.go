package jobcenter

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"
)

// memoryQueue is what waits for an executor. Runs that may start stand in
// lanes, one for each job, and the lanes in groups of those that a limit
// holds up together: so that what may not start now is passed over at once,
// however many runs it is.
type memoryQueue struct {
	groups leastFirst[*memoryGroup] // by their first lane; without those set aside
	byKey  map[groupKey]*memoryGroup
	later  leastFirst[*memoryRun] // by NotBefore, until a caller's instant has reached that
	count  int
}

type groupKey struct {
	task string
	key  string // LimitKey of the runs
	// limit is that of the jobs, without its key; zero if the runs have none.
	limit Limit
	gone  bool // the job is gone, and there is no task
}

type memoryGroup struct {
	groupKey
	lanes   leastFirst[*memoryLane] // by their first run; without those set aside
	members int                     // lanes, those set aside included
	inHeap  int
}

func (g *memoryGroup) place() *int { return &g.inHeap }

// memoryLane is the runs of a job that wait for an executor with one LimitKey.
type memoryLane struct {
	executor, key string
	job           *memoryRuns
	group         *memoryGroup // nil while no run stands in the lane
	runs          leastFirst[*memoryRun]
	inHeap        int
}

func (l *memoryLane) place() *int { return &l.inHeap }

// sooner compares queued runs: the highest priority first, then by turn.
func sooner(a, b *memoryRun) bool {
	if a.Priority != b.Priority {
		return a.Priority > b.Priority
	}
	return cmp.Or(a.Turn.Compare(b.Turn), a.FireTime.Compare(b.FireTime), cmp.Compare(a.ID, b.ID)) < 0
}

func (m *MemoryStore) queueOf(executor string) *memoryQueue {
	q := m.queues[executor]
	if q == nil {
		q = &memoryQueue{byKey: map[groupKey]*memoryGroup{}}
		q.groups.less = func(a, b *memoryGroup) bool {
			return sooner(a.lanes.items[0].runs.items[0], b.lanes.items[0].runs.items[0])
		}
		q.later.less = func(a, b *memoryRun) bool { return a.NotBefore.Before(b.NotBefore) }
		m.queues[executor] = q
	}
	return q
}

// enqueue has a queued run wait for its executor.
func (m *MemoryStore) enqueue(run *memoryRun) {
	q := m.queueOf(run.Executor)
	q.count++
	if run.NotBefore.IsZero() {
		m.standInLane(q, run)
	} else {
		q.later.put(run)
	}
}

func (m *MemoryStore) standInLane(q *memoryQueue, run *memoryRun) {
	of := m.runsOf(run.JobID)
	at := slices.IndexFunc(of.lanes, func(l *memoryLane) bool { return l.executor == run.Executor && l.key == run.LimitKey })
	if at < 0 {
		at = len(of.lanes)
		of.lanes = append(of.lanes, &memoryLane{executor: run.Executor, key: run.LimitKey, job: of, runs: leastFirst[*memoryRun]{less: sooner}})
	}
	run.lane = of.lanes[at]
	run.lane.runs.put(run)
	m.settleLane(q, run.lane)
}

// dequeue takes a run that was queued out of its queue.
func (m *MemoryStore) dequeue(run *memoryRun) {
	q := m.queues[run.Executor]
	q.count--
	lane := run.lane
	if lane == nil {
		q.later.drop(run)
	} else {
		lane.runs.drop(run)
		run.lane = nil
		m.settleLane(q, lane)
	}
	if q.count == 0 {
		delete(m.queues, run.Executor)
	}
}

// settleLane puts a lane where it belongs by its first run, its job and its limit.
func (m *MemoryStore) settleLane(q *memoryQueue, lane *memoryLane) {
	key := groupKey{key: lane.key, gone: true}
	if job := m.jobs[lane.job.id]; job != nil {
		rules := job.rules.Value()
		key.task, key.gone = rules.task, false
		if lane.key != "" {
			key.limit = rules.limit
			key.limit.Key = ""
		}
	}
	empty := lane.runs.Len() == 0
	if group := lane.group; group != nil && (empty || group.groupKey != key) {
		group.lanes.drop(lane)
		group.members--
		lane.group = nil
		q.settleGroup(group)
	}
	if empty {
		lane.job.lanes = slices.DeleteFunc(lane.job.lanes, func(l *memoryLane) bool { return l == lane })
		return
	}
	if lane.group == nil {
		lane.group = q.byKey[key]
		if lane.group == nil {
			lane.group = &memoryGroup{groupKey: key}
			lane.group.lanes.less = func(a, b *memoryLane) bool { return sooner(a.runs.items[0], b.runs.items[0]) }
			q.byKey[key] = lane.group
		}
		lane.group.members++
	}
	lane.group.lanes.put(lane)
	q.settleGroup(lane.group)
}

func (q *memoryQueue) settleGroup(group *memoryGroup) {
	if group.members == 0 {
		delete(q.byKey, group.groupKey)
	}
	if group.lanes.Len() == 0 {
		q.groups.drop(group)
	} else {
		q.groups.put(group)
	}
}

// regroup is called when a job has come, changed or gone.
func (m *MemoryStore) regroup(id string) {
	if of := m.byJob[id]; of != nil {
		for _, lane := range slices.Clone(of.lanes) {
			m.settleLane(m.queues[lane.executor], lane)
		}
	}
}

// TakeQueued implements JobStore.
func (m *MemoryStore) TakeQueued(ctx context.Context, can Can, executor string, now time.Time, limit int, start func(Job, Run) Run) (taken []Claimed, next time.Time, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return nil, time.Time{}, fmt.Errorf("memory store: take queued runs: %w", err)
	}
	q := m.queues[executor]
	if q == nil {
		return nil, time.Time{}, nil
	}
	for len(q.later.items) > 0 && !q.later.items[0].NotBefore.After(now) {
		run := q.later.items[0]
		q.later.drop(run)
		m.standInLane(q, run)
	}
	// What may not start is set aside, and put back in the end.
	var groups []*memoryGroup
	var lanes []*memoryLane
	defer func() {
		for _, lane := range lanes {
			if lane.runs.Len() > 0 {
				m.settleLane(q, lane)
			}
		}
		for _, group := range groups {
			if group.members > 0 {
				q.settleGroup(group)
			}
		}
		m.forgetUsage(now)
	}()
	for len(taken) < limit && q.groups.Len() > 0 {
		group := q.groups.items[0]
		lane := group.lanes.items[0]
		run := lane.runs.items[0]
		job := m.jobs[run.JobID]
		switch {
		case job == nil:
			m.endRemoved(run, now)
		case !slices.Contains(can.Tasks, group.task) || !m.within(group, now):
			groups = append(groups, group)
			q.groups.drop(group)
		case lane.job.Running >= max(1, job.rules.Value().maxInstances):
			lanes = append(lanes, lane)
			group.lanes.drop(lane)
			q.settleGroup(group)
		default:
			whole := job.job()
			started := start(whole, cloneRun(run.Run))
			started.ID, started.JobID, started.FireTime, started.Series = run.ID, run.JobID, run.FireTime, run.Series
			m.change(run, started)
			taken = append(taken, Claimed{Job: whole, Runs: []Run{cloneRun(run.Run)}})
		}
	}
	if q.later.Len() > 0 {
		next = q.later.items[0].NotBefore
	}
	return taken, next, nil
}

// CountQueued implements JobStore.
func (m *MemoryStore) CountQueued(ctx context.Context, executor string, limit int) (int, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return 0, fmt.Errorf("memory store: count queued runs: %w", err)
	}
	if q := m.queues[executor]; q != nil {
		return min(q.count, limit), nil
	}
	return 0, nil
}
