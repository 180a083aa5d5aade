package jobcenter

import (
	"context"
	"fmt"
	"log/slog"
	"runtime/debug"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// EventType names what happened.
type EventType string

// The events. Those of jobs and runs tell what this scheduler did; what others
// that share its store do is told by theirs.
const (
	EventSchedulerStarted EventType = "scheduler_started"
	EventSchedulerStopped EventType = "scheduler_stopped" // all its runs have ended
	EventSchedulerStandby EventType = "scheduler_standby"
	EventSchedulerResumed EventType = "scheduler_resumed" // the end of a standby

	EventStoreAdded      EventType = "store_added"
	EventStoreRemoved    EventType = "store_removed"
	EventStoreFailed     EventType = "store_failed"    // Err says why; jobs wait
	EventStoreRecovered  EventType = "store_recovered" // and go on
	EventExecutorAdded   EventType = "executor_added"
	EventExecutorRemoved EventType = "executor_removed"
	EventClockJumped     EventType = "clock_jumped" // by Jump

	EventJobAdded       EventType = "job_added"
	EventJobModified    EventType = "job_modified" // Before is the job as it was, Fields what differs
	EventJobPaused      EventType = "job_paused"
	EventJobResumed     EventType = "job_resumed"
	EventJobRemoved     EventType = "job_removed"
	EventJobFinished    EventType = "job_finished" // there is no further fire time
	EventJobQuarantined EventType = "job_quarantined"
	EventJobReleased    EventType = "job_released" // from quarantine

	EventRunQueued  EventType = "run_queued"  // it waits for its executor
	EventRunStarted EventType = "run_started" // an attempt begins
	EventRunRetry   EventType = "run_retry"   // an attempt failed and there will be another one
	EventRunEnded   EventType = "run_ended"   // Run.State says how
	EventRunMissed  EventType = "run_missed"  // fire times that did not run, too late
	EventRunSkipped EventType = "run_skipped" // fire times that did not run, by a rule

	// EventsDropped stands for Count events that a subscriber was too slow for.
	EventsDropped EventType = "events_dropped"
)

// Event is something that happened in a scheduler. Which fields are set
// depends on its type.
type Event struct {
	Type EventType
	At   time.Time
	// Node is the scheduler, Store and Executor what they are named there.
	Node, Store, Executor string
	// Job is the job as it was when the event happened, for events of jobs and
	// runs. Of a run whose job is gone only the id is known.
	Job    *Job
	Before *Job
	Fields []string
	Run    *Run
	Err    error
	Jump   time.Duration
	Count  int
}

// EventFilter says which events a subscriber wants. The zero value: all.
type EventFilter struct {
	Types []EventType // any of these; empty means all
	JobID string      // of this job
	Task  string      // of jobs of this task
	Tag   string      // of jobs that carry this tag
	Store string      // of this store
	// Match decides about what the other fields let through. Nil means yes.
	Match func(Event) bool
}

func (f *EventFilter) wants(e *Event) bool {
	if len(f.Types) > 0 && !slices.Contains(f.Types, e.Type) || f.Store != "" && f.Store != e.Store {
		return false
	}
	if f.JobID != "" || f.Task != "" || f.Tag != "" {
		if e.Job == nil || f.JobID != "" && e.Job.ID != f.JobID || f.Task != "" && e.Job.Task != f.Task ||
			f.Tag != "" && !slices.Contains(e.Job.Tags, f.Tag) {
			return false
		}
	}
	return f.Match == nil || f.Match(*e)
}

// eventBuffer is how many events may wait for a subscriber.
const eventBuffer = 4096

// Subscribe calls handle for each event that the filter keeps, one after the
// other, in a goroutine of the subscriber's own. The events of a job come in
// the order in which they happened. What a subscriber cannot take in time waits
// for it, up to 4,096 events; of more, the oldest are dropped and told as one
// EventsDropped. A panic of handle or of Match is logged and concerns that
// event only. cancel ends the subscription and does not wait for handle.
func (s *Scheduler) Subscribe(filter EventFilter, handle func(Event)) (cancel func()) {
	return s.events.subscribe(filter, handle)
}

// bus hands events to subscribers.
type bus struct {
	node string
	log  *slog.Logger
	busy atomic.Int64 // subscribers

	mu    sync.Mutex
	subs  []*subscriber
	holds map[string]*jobHold
}

// jobHold keeps back the events of a job while a change of it is on its way to
// the store: what others see of the change must not be told before it.
type jobHold struct {
	count   int
	waiting []Event
}

func newBus(node string, log *slog.Logger) *bus {
	return &bus{node: node, log: log, holds: map[string]*jobHold{}}
}

// publish tells subscribers of an event.
func (b *bus) publish(events ...Event) {
	if b.busy.Load() == 0 || len(events) == 0 {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, e := range events {
		if e.Job != nil {
			if hold := b.holds[e.Job.ID]; hold != nil {
				hold.waiting = append(hold.waiting, b.stamped(e))
				continue
			}
		}
		b.deliver(b.stamped(e))
	}
}

func (b *bus) stamped(e Event) Event {
	e.Node = b.node
	if e.At.IsZero() {
		e.At = time.Now()
	}
	return e
}

func (b *bus) deliver(e Event) {
	for _, sub := range b.subs {
		sub.offer(e)
	}
}

// hold keeps back the events of jobs until release, which tells what was
// changed first.
func (b *bus) hold(jobIDs ...string) (release func(changed ...Event)) {
	if b.busy.Load() == 0 {
		return func(changed ...Event) { b.publish(changed...) }
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, id := range jobIDs {
		if b.holds[id] == nil {
			b.holds[id] = &jobHold{}
		}
		b.holds[id].count++
	}
	return func(changed ...Event) {
		b.mu.Lock()
		defer b.mu.Unlock()
		next := map[string]int{} // by job: after the last of these events
		for _, e := range changed {
			e = b.stamped(e)
			if e.Job == nil || b.holds[e.Job.ID] == nil {
				b.deliver(e)
				continue
			}
			hold := b.holds[e.Job.ID]
			at := next[e.Job.ID]
			for i := at; i < len(hold.waiting) && !follows(&hold.waiting[i], changed); i++ {
				if comesBefore(&hold.waiting[i], &e) {
					at = i + 1
				}
			}
			hold.waiting = slices.Insert(hold.waiting, at, e)
			next[e.Job.ID] = at + 1
		}
		for _, id := range jobIDs {
			hold := b.holds[id]
			if hold.count--; hold.count == 0 {
				for _, e := range hold.waiting {
					b.deliver(e)
				}
				delete(b.holds, id)
			}
		}
	}
}

// follows reports whether an event that was kept back tells of a run that one
// of the changes has made, or changed before: nothing after it is older.
func follows(waits *Event, changed []Event) bool {
	return waits.Run != nil && slices.ContainsFunc(changed, func(e Event) bool {
		return e.Run != nil && e.Run.ID == waits.Run.ID && !comesBefore(waits, &e)
	})
}

// comesBefore reports whether an event that was kept back is older than one
// that tells of a change: others are what followed from it.
func comesBefore(waits, change *Event) bool {
	if waits.Run != nil && change.Run != nil && waits.Run.ID == change.Run.ID {
		return waits.Run.Attempt < change.Run.Attempt || waits.Run.Attempt == change.Run.Attempt && waits.Run.State == RunRunning
	}
	// The id of a job that was removed may be that of a new one.
	if older := waits.Job.CreatedAt.Compare(change.Job.CreatedAt); older != 0 {
		return older < 0
	}
	return change.Type == EventJobRemoved || version(waits) < version(change)
}

// version is that of the job which an event tells of.
func version(e *Event) int64 {
	switch {
	case e.Run != nil:
		return e.Run.JobVersion
	case e.Job != nil:
		return e.Job.Version
	default:
		return 0
	}
}

func (b *bus) subscribe(filter EventFilter, handle func(Event)) (cancel func()) {
	sub := &subscriber{filter: filter, handle: handle, log: b.log, wake: make(chan struct{}, 1), done: make(chan struct{})}
	b.mu.Lock()
	b.subs = append(b.subs, sub)
	b.mu.Unlock()
	b.busy.Add(1)
	go sub.serve()
	return sync.OnceFunc(func() {
		b.busy.Add(-1)
		b.mu.Lock()
		b.subs = slices.DeleteFunc(b.subs, func(s *subscriber) bool { return s == sub })
		b.mu.Unlock()
		close(sub.done)
	})
}

type subscriber struct {
	filter EventFilter
	handle func(Event)
	log    *slog.Logger
	wake   chan struct{} // one slot, as the scheduler's
	done   chan struct{}

	mu      sync.Mutex
	waiting []Event
	dropped int
}

func (s *subscriber) offer(e Event) {
	s.mu.Lock()
	if len(s.waiting) >= eventBuffer {
		s.waiting[0] = Event{}
		s.waiting = s.waiting[1:]
		s.dropped++
	}
	s.waiting = append(s.waiting, e)
	s.mu.Unlock()
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

func (s *subscriber) serve() {
	for {
		select {
		case <-s.done:
			return
		case <-s.wake:
		}
		for {
			e, ok := s.next()
			if !ok {
				break
			}
			select {
			case <-s.done:
				return
			default:
			}
			s.call(e)
		}
	}
}

func (s *subscriber) next() (Event, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.dropped > 0 {
		e := Event{Type: EventsDropped, At: time.Now(), Count: s.dropped}
		s.dropped = 0
		return e, true
	}
	if len(s.waiting) == 0 {
		return Event{}, false
	}
	e := s.waiting[0]
	s.waiting[0] = Event{}
	s.waiting = s.waiting[1:]
	if len(s.waiting) == 0 {
		s.waiting = nil
	}
	return e, true
}

func (s *subscriber) call(e Event) {
	defer func() {
		if p := recover(); p != nil {
			s.log.LogAttrs(context.Background(), slog.LevelError, "listener panicked", slog.String("event", string(e.Type)),
				slog.Any("error", p), slog.String("stack", string(debug.Stack())))
		}
	}()
	if e.Type == EventsDropped || s.filter.wants(&e) {
		s.handle(e)
	}
}

// hook is a veto on runs.
type hook struct {
	filter EventFilter
	check  func(ctx context.Context, job Job, run Run) error
}

// BeforeRun has check called before each attempt of the jobs that the filter
// keeps (its Types are not looked at), in the goroutine of the run. An error
// is a veto: the run is recorded as skipped with ReasonVeto and the error as
// its message, or as stopped if an attempt was made before. check is to return
// soon: the run keeps its place meanwhile and no time limit counts, but it holds
// up no other. ctx is that of the run. A panic of check is a veto as well.
// Several are asked in the order in which they were set. cancel takes it away.
func (s *Scheduler) BeforeRun(filter EventFilter, check func(ctx context.Context, job Job, run Run) error) (cancel func()) {
	h := &hook{filter, check}
	_ = s.equip(func(e *equipment) error {
		e.hooks = append(e.hooks, h)
		return nil
	})
	return func() {
		_ = s.equip(func(e *equipment) error {
			e.hooks = slices.DeleteFunc(e.hooks, func(other *hook) bool { return other == h })
			return nil
		})
	}
}

// veto asks the hooks about an attempt.
func (s *Scheduler) veto(ctx context.Context, store string, job *Job, run *Run) error {
	for _, h := range s.equipment.Load().hooks {
		if err := h.ask(ctx, store, job, run); err != nil {
			return err
		}
	}
	return nil
}

func (h *hook) ask(ctx context.Context, store string, job *Job, run *Run) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("the check before the run panicked: %v", p)
		}
	}()
	filter := h.filter
	filter.Types = nil
	if !filter.wants(&Event{Store: store, Job: job, Run: run}) {
		return nil
	}
	return h.check(ctx, *job, *run)
}
