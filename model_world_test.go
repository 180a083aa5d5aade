package jobcenter_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"slices"
	"sync"
	"time"

	"github.com/jobcenter-go/jobcenter"
)

// world is what a scenario happens in: a memory store, the model of it, and
// the schedulers that share it. Each reaches the store, its executors and its
// tasks through spies that tell the model, one after the other.
type world struct {
	mu    sync.Mutex
	store *jobcenter.MemoryStore
	m     *model
	// places are the schedulers as the scenario numbers them: when one has died
	// another one takes its number.
	places []*modelNode
	jobs   []jobSpec
	shut   sync.WaitGroup
}

// modelNode is a scheduler, from its start to its death.
type modelNode struct {
	world *world
	spec  nodeSpec
	name  string
	sched *jobcenter.Scheduler
	pools map[string]*spyPool

	dead, down, standby     bool
	mute                    bool // its store often does not answer, though it does what it is asked
	unheard                 bool // the transaction at hand gets no answer
	running, stopping       bool
	began, stopAt, cancelAt time.Time // of the session
	session                 int64     // its number
	standbyAt               time.Time
	// able is from when on nothing keeps it from acting at once, as long as
	// nothing does; mended from when on its store surely has been asked again.
	able, up, mended time.Time
	fresh            time.Time // when it last looked at everything anew: its start, or the end of a standby
	freshStep        int64
	raced            time.Time // when it last found nothing to claim
	beat             time.Time // of the last heartbeat that reached the store

	execs   map[execKey]*modelExec
	left    map[execKey]*modelExec // of sessions that have ended
	started map[string]bool        // which jobs it has seen to that run at its start
	judged  map[string]judged      // runs of dead nodes, as they were when it looked
	taken   map[string]int64       // the step at which it last asked for queued runs, by executor

	unsubscribe func()
	heard       []jobcenter.Event
	told        []toldEvent
}

// judged is what a scheduler saw of a run whose node is dead.
type judged struct {
	job     modelJob
	attempt int
	stopBy  string
}

type execKey struct {
	run     string
	attempt int
}

// modelExec is an attempt that goes on in a scheduler.
type modelExec struct {
	run     *modelRun
	attempt int
	job     modelJob // as it was when the attempt began
	session int64
	taken   time.Time

	begun, ctxEnd, returned time.Time
	unheard                 bool // the scheduler does not know of it
	vetoed                  bool
	cause, err              error
	does                    behaviour
	stopAsked               time.Time // by StopRun of its own scheduler
	cancelled               time.Time // by OverlapCancel of its own scheduler
	lost                    time.Time // when another scheduler took it over
	cancelAt                time.Time // of a session that has ended
}

var (
	errGone    = errors.New("this process is dead")
	errUnheard = errors.New("the store's answer was lost")
)

// reach is how a transaction begins: it fails if the store is out of reach.
func (n *modelNode) reach() error {
	switch {
	case n.dead:
		return errGone
	case n.down:
		return errDown
	default:
		n.world.m.advance(time.Now())
		return nil
	}
}

// answer is how a transaction that was carried out ends: in times of trouble
// some get no answer.
func (n *modelNode) answer() error {
	if !n.unheard {
		return nil
	}
	n.unheard = false
	return errUnheard
}

// hears decides whether a transaction will be answered.
func (n *modelNode) hears() {
	n.unheard = n.mute && chance(n.world.m.seq, n.name, "unheard")%2 == 0
}

// away reports whether a scheduler cannot rely on its store.
func (n *modelNode) away() bool { return n.down || n.mute }

// acts reports whether a scheduler is to take what is due.
func (n *modelNode) acts() bool {
	return n.running && !n.stopping && !n.dead && !n.away() && !n.standby
}

// does is the scheduler as the one that did something, nil if it does not know.
func (n *modelNode) does() *modelNode {
	if n.unheard {
		return nil
	}
	return n
}

// patience is how long after the return of its store a scheduler may ask again:
// the distance between attempts grows to 10 s, and a lease comes before it takes
// anything.
const patience = 10 * time.Second

// spy is the store as one scheduler reaches it.
type spy struct {
	jobcenter.JobStore
	n *modelNode
}

type callKey struct{}

// callOf is the operation of the scenario that a transaction belongs to; nil
// for one of the scheduler's own.
func callOf(ctx context.Context) *call {
	c, _ := ctx.Value(callKey{}).(*call)
	return c
}

func (s *spy) lock() (*model, func()) {
	s.n.world.mu.Lock()
	return s.n.world.m, s.n.world.mu.Unlock
}

func (s *spy) AddJobs(ctx context.Context, produce func() ([]jobcenter.Job, error)) error {
	m, unlock := s.lock()
	defer unlock()
	if err := s.n.reach(); err != nil {
		return err
	}
	s.n.hears()
	err := s.JobStore.AddJobs(ctx, produce)
	if c := callOf(ctx); c != nil {
		m.add(s.n, c, err)
	}
	return errors.Join(err, s.n.answer())
}

func (s *spy) Job(ctx context.Context, id string) (jobcenter.Job, error) {
	_, unlock := s.lock()
	defer unlock()
	if err := s.n.reach(); err != nil {
		return jobcenter.Job{}, err
	}
	return s.JobStore.Job(ctx, id)
}

func (s *spy) Jobs(ctx context.Context, q jobcenter.JobQuery) (jobcenter.JobPage, error) {
	_, unlock := s.lock()
	defer unlock()
	if err := s.n.reach(); err != nil {
		return jobcenter.JobPage{}, err
	}
	return s.JobStore.Jobs(ctx, q)
}

func (s *spy) UpdateJob(ctx context.Context, id string, change func(jobcenter.Job, jobcenter.Active) (jobcenter.Job, []jobcenter.Run, error)) (jobcenter.Job, error) {
	m, unlock := s.lock()
	defer unlock()
	if err := s.n.reach(); err != nil {
		return jobcenter.Job{}, err
	}
	s.n.hears()
	var offered []jobcenter.Run
	job, err := s.JobStore.UpdateJob(ctx, id, func(job jobcenter.Job, active jobcenter.Active) (jobcenter.Job, []jobcenter.Run, error) {
		m.checkActive(id, active)
		changed, rows, err := change(job, active)
		offered = rows
		return changed, rows, err
	})
	var written []jobcenter.Run
	for _, r := range offered {
		if w, err := s.JobStore.Run(ctx, r.ID); err == nil {
			written = append(written, w)
		}
	}
	if c := callOf(ctx); c != nil {
		m.update(s.n, c, id, job, written, err)
	} else if err == nil {
		m.ownUpdate(s.n, id, job, written)
	}
	return job, errors.Join(err, s.n.answer())
}

func (s *spy) RemoveJob(ctx context.Context, id string, last func(jobcenter.Job) []jobcenter.Run) error {
	m, unlock := s.lock()
	defer unlock()
	if err := s.n.reach(); err != nil {
		return err
	}
	s.n.hears()
	var written []jobcenter.Run
	err := s.JobStore.RemoveJob(ctx, id, func(job jobcenter.Job) []jobcenter.Run {
		written = last(job)
		return written
	})
	for i := range written {
		if w, err := s.JobStore.Run(ctx, written[i].ID); err == nil {
			written[i] = w
		}
	}
	m.remove(s.n, callOf(ctx), id, written, err)
	return errors.Join(err, s.n.answer())
}

func (s *spy) NextDue(ctx context.Context, can jobcenter.Can) (time.Time, bool, error) {
	m, unlock := s.lock()
	defer unlock()
	if err := s.n.reach(); err != nil {
		return time.Time{}, false, err
	}
	at, ok, err := s.JobStore.NextDue(ctx, can)
	m.note("%s is told of the next job at %s", s.n.name, at.Sub(begun()))
	if err == nil {
		m.nextDue(s.n, at, ok)
	}
	return at, ok, err
}

func (s *spy) Claim(ctx context.Context, can jobcenter.Can, now time.Time, limit int, decide func(jobcenter.Job, jobcenter.Active) jobcenter.Decision) ([]jobcenter.Claimed, error) {
	m, unlock := s.lock()
	defer unlock()
	if err := s.n.reach(); err != nil {
		return nil, err
	}
	s.n.hears()
	claimed, err := s.JobStore.Claim(ctx, can, now, limit, func(job jobcenter.Job, active jobcenter.Active) jobcenter.Decision {
		return decide(job, active)
	})
	if err == nil {
		m.claim(s.n, now, limit, claimed)
	}
	if unheard := s.n.answer(); unheard != nil {
		return nil, unheard
	}
	return claimed, err
}

func (s *spy) TakeQueued(ctx context.Context, can jobcenter.Can, executor string, now time.Time, limit int, start func(jobcenter.Job, jobcenter.Run) jobcenter.Run) ([]jobcenter.Claimed, time.Time, error) {
	m, unlock := s.lock()
	defer unlock()
	if err := s.n.reach(); err != nil {
		return nil, time.Time{}, err
	}
	s.n.hears()
	taken, next, err := s.JobStore.TakeQueued(ctx, can, executor, now, limit, start)
	if err == nil {
		m.take(s.n, executor, now, limit, taken, next)
	}
	if unheard := s.n.answer(); unheard != nil {
		return nil, time.Time{}, unheard
	}
	return taken, next, err
}

func (s *spy) CountQueued(ctx context.Context, executor string, limit int) (int, error) {
	m, unlock := s.lock()
	defer unlock()
	if err := s.n.reach(); err != nil {
		return 0, err
	}
	n, err := s.JobStore.CountQueued(ctx, executor, limit)
	want := 0
	for _, r := range m.active {
		if r.State == jobcenter.RunQueued && r.Executor == executor {
			want++
		}
	}
	if err == nil && n != min(want, limit) {
		m.problem("%d runs are queued for %s, want %d", n, executor, min(want, limit))
	}
	return n, err
}

func (s *spy) Record(ctx context.Context, records jobcenter.Records) error {
	m, unlock := s.lock()
	defer unlock()
	if err := s.n.reach(); err != nil {
		return err
	}
	s.n.hears()
	err := s.JobStore.Record(ctx, records)
	if err == nil {
		m.record(s.n, records)
	}
	return errors.Join(err, s.n.answer())
}

func (s *spy) RequestStop(ctx context.Context, runID, by string, now time.Time) (jobcenter.Run, error) {
	m, unlock := s.lock()
	defer unlock()
	if err := s.n.reach(); err != nil {
		return jobcenter.Run{}, err
	}
	s.n.hears()
	run, err := s.JobStore.RequestStop(ctx, runID, by, now)
	if err == nil {
		m.requestStop(s.n, runID, by, run)
	}
	return run, errors.Join(err, s.n.answer())
}

func (s *spy) Held(ctx context.Context, node string) ([]jobcenter.Hold, error) {
	_, unlock := s.lock()
	defer unlock()
	if err := s.n.reach(); err != nil {
		return nil, err
	}
	return s.JobStore.Held(ctx, node)
}

func (s *spy) Run(ctx context.Context, id string) (jobcenter.Run, error) {
	_, unlock := s.lock()
	defer unlock()
	if err := s.n.reach(); err != nil {
		return jobcenter.Run{}, err
	}
	return s.JobStore.Run(ctx, id)
}

func (s *spy) Output(ctx context.Context, runID string, offset int64, limit int) ([]jobcenter.Chunk, error) {
	_, unlock := s.lock()
	defer unlock()
	if err := s.n.reach(); err != nil {
		return nil, err
	}
	return s.JobStore.Output(ctx, runID, offset, limit)
}

func (s *spy) Heartbeat(ctx context.Context, node string, until time.Time) error {
	m, unlock := s.lock()
	defer unlock()
	if err := s.n.reach(); err != nil {
		return err
	}
	s.n.hears()
	err := s.JobStore.Heartbeat(ctx, node, until)
	if err == nil {
		if node != s.n.name || !micros(until).Equal(m.now.Add(s.n.spec.lease)) {
			m.problem("heartbeat of %s until %s, want %s and one lease from now", node, until.Sub(begun()), s.n.name)
		}
		m.leases[node], s.n.beat = micros(until), m.now
	}
	return errors.Join(err, s.n.answer())
}

func (s *spy) Orphans(ctx context.Context, node string, now time.Time, limit int) ([]jobcenter.Claimed, error) {
	m, unlock := s.lock()
	defer unlock()
	if err := s.n.reach(); err != nil {
		return nil, err
	}
	orphans, err := s.JobStore.Orphans(ctx, node, now, limit)
	for _, o := range orphans {
		if r := m.runs[o.Runs[0].ID]; r == nil || r.State != jobcenter.RunRunning || m.leases[r.Node].After(m.now) && r.Node != node {
			m.problem("%s is no orphan", rowText(&o.Runs[0]))
		}
		seen := judged{attempt: o.Runs[0].Attempt, stopBy: o.Runs[0].StopBy}
		if j := m.jobs[o.Runs[0].JobID]; j != nil {
			seen.job = *j
		}
		s.n.judged[o.Runs[0].ID] = seen
	}
	return orphans, err
}

// spyPool is an executor that carries out each run in a goroutine, and lets the
// model count places.
type spyPool struct {
	n                       *modelNode
	size, reserved, working int
	freed                   time.Time // when a place last became free
}

func (p *spyPool) Reserve(n int) int {
	p.n.world.mu.Lock()
	defer p.n.world.mu.Unlock()
	p.n.world.m.advance(time.Now())
	n = min(n, p.size-p.reserved-p.working)
	p.reserved += n
	return n
}

func (p *spyPool) Release(n int) {
	p.n.world.mu.Lock()
	defer p.n.world.mu.Unlock()
	p.n.world.m.advance(time.Now())
	if p.reserved -= n; p.reserved < 0 {
		p.n.world.m.problem("places were returned that nobody had reserved")
	}
}

func (p *spyPool) Execute(work, freed func()) {
	p.n.world.mu.Lock()
	defer p.n.world.mu.Unlock()
	if p.reserved--; p.reserved < 0 {
		p.n.world.m.problem("a run was executed without a place")
	}
	p.working++
	go func() {
		work()
		p.free()
		freed()
	}()
}

func (p *spyPool) free() {
	p.n.world.mu.Lock()
	defer p.n.world.mu.Unlock()
	p.n.world.m.advance(time.Now())
	p.working--
	p.n.world.m.note("%s has a place free, %d of %d work", p.n.name, p.working, p.size)
	p.freed = p.n.world.m.now
}

// behaviour is what an attempt at a run does: the same whenever it is asked.
type behaviour struct {
	lasts   time.Duration
	outcome string // "ok", "error", "exit 3", …
	after   time.Duration
	// deaf is what it does when its context ends: "" returns the cause, "ok"
	// nil, "lag" the cause after a while, "deaf" goes on to its end.
	deaf   string
	lag    time.Duration
	veto   bool
	result string
	carry  string
}

// chance is a number that is chosen by words.
func chance(words ...any) uint64 {
	h := fnv.New64a()
	_, _ = fmt.Fprint(h, words...)
	n := h.Sum64()
	n ^= n >> 29
	n *= 0xbf58476d1ce4e5b9
	return n ^ n>>32
}

// behaves says what an attempt does.
func (s *jobSpec) behaves(run *jobcenter.Run) behaviour {
	roll := func(what string, n int) int {
		return int(chance(s.seed, what, run.FireTime.UnixMicro(), run.Series, run.Attempt) % uint64(n))
	}
	b := behaviour{outcome: "ok"}
	span := s.shortest
	if roll("long", 100) < s.longPart {
		span = s.longest
	}
	// Odd microseconds keep ends apart from everything that is planned.
	b.lasts = span/2 + time.Duration(roll("lasts", int(span/time.Microsecond)/2+1))*time.Microsecond
	b.lasts += time.Duration(1+roll("odd", 997)) * time.Microsecond
	if roll("fails", 100) < s.failPart {
		outcomes := []string{"error", "error", "exit 3", "exit 4", "signal 9", "start", "panic", "no retry", "args", "retry after"}
		b.outcome = outcomes[roll("outcome", len(outcomes))]
		b.after = time.Duration(roll("after", 5000)) * time.Millisecond
	}
	b.deaf = []string{"", "", "", "ok", "lag", "deaf"}[roll("deaf", 6)]
	b.lag = time.Duration(1+roll("lag", 3_000_000)) * time.Microsecond
	b.veto = roll("veto", 100) < s.vetoPart
	if roll("result", 4) == 0 {
		b.result = fmt.Sprint(roll("value", 1000))
	}
	if roll("carry", 4) == 0 {
		b.carry = fmt.Sprint(roll("carried", 1000))
	}
	return b
}

// errs is the error of an outcome.
func (b *behaviour) errs() error {
	failed := errors.New("no luck")
	switch b.outcome {
	case "ok":
		return nil
	case "exit 3":
		return &jobcenter.ExitError{Code: 3}
	case "exit 4":
		return &jobcenter.ExitError{Code: 4}
	case "signal 9":
		return &jobcenter.SignalError{Number: 9, Name: "SIGKILL"}
	case "start":
		return &jobcenter.StartError{Err: failed}
	case "args":
		return &jobcenter.ArgsError{Err: failed}
	case "no retry":
		return jobcenter.NoRetry(failed)
	case "retry after":
		return jobcenter.RetryAfter(failed, b.after)
	case "panic":
		return &jobcenter.PanicError{Value: "ouch"}
	default:
		return failed
	}
}

// work is the task of all jobs on one scheduler.
func (n *modelNode) work() jobcenter.TaskFunc {
	return func(ctx context.Context, run *jobcenter.RunContext) error {
		x := n.taskBegins(run)
		if x == nil {
			return nil
		}
		b := x.does
		if b.result != "" {
			_ = run.SetResult(json.RawMessage(b.result))
		}
		if b.carry != "" {
			_ = run.Carry(json.RawMessage(b.carry))
		}
		if run.Attempt() > 1 || len(b.result) == 2 {
			_, _ = fmt.Fprintln(run.Stdout, "attempt", run.Attempt())
		}
		timer := time.NewTimer(b.lasts)
		defer timer.Stop()
		err := b.errs()
		select {
		case <-timer.C:
		case <-ctx.Done():
			n.contextEnds(x, context.Cause(ctx))
			switch b.deaf {
			case "deaf":
				<-timer.C
			case "ok":
				err = nil
			case "lag":
				time.Sleep(b.lag)
				fallthrough
			default:
				err = context.Cause(ctx)
			}
		}
		n.taskReturns(ctx, x, err)
		if p, ok := err.(*jobcenter.PanicError); ok { //nolint:errorlint // it is never wrapped
			panic(p.Value)
		}
		return err
	}
}

// veto is the check before each attempt.
func (n *modelNode) veto(_ context.Context, _ jobcenter.Job, run jobcenter.Run) error {
	w := n.world
	w.mu.Lock()
	defer w.mu.Unlock()
	x := n.execs[execKey{run.ID, run.Attempt}]
	if n.dead || x == nil {
		return nil
	}
	w.m.advance(time.Now())
	if !x.does.veto {
		return nil
	}
	x.vetoed, x.begun, x.returned = true, w.m.now, w.m.now
	return errors.New("not now")
}

func (n *modelNode) taskBegins(run *jobcenter.RunContext) *modelExec {
	w := n.world
	w.mu.Lock()
	defer w.mu.Unlock()
	x := n.execs[execKey{run.Run.ID, run.Run.Attempt}]
	if x == nil {
		if !n.dead {
			w.m.problem("a task began for %s that nobody has taken", rowText(&run.Run))
		}
		return nil
	}
	if n.dead {
		x.does.lasts = time.Microsecond // nobody looks any more
		return x
	}
	w.m.advance(time.Now())
	switch {
	case !x.begun.IsZero() || x.unheard:
		w.m.problem("the task of %s began twice, or without being taken", rowText(&run.Run))
	case run.Job.ID != x.run.JobID || !run.FireTime().Equal(x.run.FireTime) || run.Attempt() != x.attempt || run.Lateness() < 0:
		w.m.problem("the task was told it is %s, %s late", rowText(&run.Run), run.Lateness())
	case !sameRaw(run.Job.Carried, x.job.Carried) || !sameRaw(run.Job.LastResult, x.job.LastResult):
		w.m.problem("the task of %s was told of carried %s and result %s, want %s and %s", rowText(&run.Run), run.Job.Carried, run.Job.LastResult, x.job.Carried, x.job.LastResult)
	case run.Recovering() != (x.attempt > 1 && x.run.Reason == jobcenter.ReasonNodeDied):
		w.m.problem("the task of %s was told that it recovers: %t", rowText(&run.Run), run.Recovering())
	}
	x.begun = w.m.now
	return x
}

func (n *modelNode) contextEnds(x *modelExec, cause error) {
	w := n.world
	w.mu.Lock()
	defer w.mu.Unlock()
	if n.dead {
		return
	}
	w.m.advance(time.Now())
	x.ctxEnd, x.cause = w.m.now, cause
	held := x.run.State == jobcenter.RunRunning && x.run.Attempt == x.attempt
	switch {
	case errors.Is(cause, jobcenter.ErrTimeout):
		if x.job.Timeout == 0 || !w.m.now.Equal(x.begun.Add(x.job.Timeout)) {
			w.m.problem("%s timed out after %s, its limit is %s", rowText(&x.run.Run), w.m.now.Sub(x.begun), x.job.Timeout)
		}
	case errors.Is(cause, jobcenter.ErrLostRun):
		if held {
			w.m.problem("%s was given up though it is held", rowText(&x.run.Run))
		}
	case errors.Is(cause, jobcenter.ErrStopped):
		if x.stopAsked.IsZero() && x.cancelled.IsZero() && x.run.StopBy == "" {
			w.m.problem("%s was stopped though nobody asked for it", rowText(&x.run.Run))
		}
	case errors.Is(cause, jobcenter.ErrShutdown):
		if n.cancelAt.IsZero() || w.m.now.Before(n.cancelAt) {
			w.m.problem("%s was interrupted though its scheduler goes on", rowText(&x.run.Run))
		}
	default:
		w.m.problem("the context of %s ended with %v", rowText(&x.run.Run), cause)
	}
}

func (n *modelNode) taskReturns(ctx context.Context, x *modelExec, err error) {
	w := n.world
	w.mu.Lock()
	defer w.mu.Unlock()
	if n.dead {
		return
	}
	w.m.advance(time.Now())
	x.returned, x.err = w.m.now, err
	if x.cause == nil && ctx.Err() != nil {
		x.ctxEnd, x.cause = w.m.now, context.Cause(ctx)
	}
	if errors.Is(x.cause, jobcenter.ErrLostRun) {
		delete(n.execs, execKey{x.run.ID, x.attempt})
	}
}

// toldEvent is an event that a scheduler must have told.
type toldEvent struct {
	at      time.Time
	kind    jobcenter.EventType
	job     string
	version int64
	run     string
	attempt int
	state   jobcenter.RunState
	reason  jobcenter.Reason
	maybe   bool // it may not have been told
}

func (e toldEvent) String() string {
	return fmt.Sprintf("%s %s of %s version %d run %s attempt %d %s/%s", e.at.Sub(begun()), e.kind, e.job, e.version, e.run, e.attempt, e.state, e.reason)
}

func (n *modelNode) tellRun(kind jobcenter.EventType, r *jobcenter.Run) {
	n.told = append(n.told, toldEvent{
		at: n.world.m.now, kind: kind, job: r.JobID, run: r.ID, attempt: r.Attempt, state: r.State, reason: r.Reason, maybe: n.unheard,
	})
}

func (n *modelNode) tellJob(kind jobcenter.EventType, j *modelJob) {
	n.told = append(n.told, toldEvent{at: n.world.m.now, kind: kind, job: j.ID, version: j.Version, maybe: n.unheard})
}

// tellRow tells of a row as it was written or taken.
func (n *modelNode) tellRow(r *jobcenter.Run) {
	switch r.State {
	case jobcenter.RunRunning:
		n.tellRun(jobcenter.EventRunStarted, r)
	case jobcenter.RunQueued:
		n.tellRun(jobcenter.EventRunQueued, r)
	case jobcenter.RunMissed:
		n.tellRun(jobcenter.EventRunMissed, r)
	case jobcenter.RunSkipped:
		n.tellRun(jobcenter.EventRunSkipped, r)
	default:
		n.tellRun(jobcenter.EventRunEnded, r)
	}
}

// hear notes the events of jobs and runs that a scheduler tells.
func (n *modelNode) hear(e jobcenter.Event) {
	if e.Job == nil && e.Type != jobcenter.EventsDropped {
		return
	}
	n.world.mu.Lock()
	defer n.world.mu.Unlock()
	n.heard = append(n.heard, e)
}

// has reports whether a scheduler has a job's task and executor.
func (n *modelNode) has(j *modelJob) bool {
	return slices.Contains(n.spec.tasks, j.Task) && n.pools[j.Executor] != nil
}
