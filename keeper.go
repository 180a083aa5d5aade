package jobcenter

import (
	"context"
	"log/slog"
	"maps"
	"strings"
	"sync"
	"time"
)

// claimBatch is how many jobs one transaction takes.
const claimBatch = 100

// keeper looks after one store of a scheduler: it claims what is due there,
// carries it out, and records how it ends. Stores have one each, so that one
// which does not answer holds up no other.
type keeper struct {
	*Scheduler
	name     string
	store    JobStore
	recorder *recorder
	// wake ends the loop's sleep. One slot: a wake-up sent while the loop is
	// busy is kept, and a second one would tell it nothing new.
	wake  chan struct{}
	held  chan struct{} // the same for a look at what the store says of the runs here
	sweep chan struct{} // and for the search for jobs that can be released
	renew chan struct{} // and for the next sign of life
	// judging holds one while the runs of dead nodes are seen to: who did so
	// twice would tell of their ends twice.
	judging chan struct{}
	// ready is signalled when the store has taken one, or ends of runs.
	ready chan struct{}

	state struct {
		sync.Mutex
		cancel   context.CancelFunc // ends the keeper's part of the session; nil while it does not run
		stopped  chan struct{}      // closed when it has
		removed  bool               // RemoveStore says how long to wait for runs
		hurry    chan struct{}      // closed when it does not wait any longer
		began    time.Time
		loopErr  error     // why the last pass of the loop failed; nil when it did not
		asked    time.Time // when the loop turned to the store; zero while it does not wait for it
		passed   time.Time // when the last pass ended well
		storeErr error     // the recorder's last word
		leaseErr error     // that of the lease
		deadErr  error     // and of the look for dead nodes
		leased   time.Time // until when the store has a lease of this node
		backlog  bool      // queued rows may be waiting in the store
		starved  bool      // an executor had no place for all of them
		running  map[string]*execution
		counted  map[string]queueCount // by executor
		passes   int64                 // of the loop
		strays   map[string]stray
		dead     map[string]bool // runs of the process before this one that are being recovered
		// doubtUntil is until when the store may hold runs for this node that it was not told of.
		doubtUntil time.Time
		valid      map[string]int64 // the version of each job whose arguments were found good
	}
}

// queueCount is how many runs were queued for an executor.
type queueCount struct {
	n  int
	at time.Time
}

// maxValid bounds the memory of keeper.state.valid.
const maxValid = 10_000

func newKeeper(s *Scheduler, name string, store JobStore) *keeper {
	k := &keeper{
		Scheduler: s, name: name, store: store,
		wake: make(chan struct{}, 1), held: make(chan struct{}, 1), sweep: make(chan struct{}, 1),
		renew: make(chan struct{}, 1), ready: make(chan struct{}, 1), judging: make(chan struct{}, 1),
	}
	k.state.running = map[string]*execution{}
	k.state.counted, k.state.valid = map[string]queueCount{}, map[string]int64{}
	k.recorder = newRecorder(k)
	return k
}

// begin makes the keeper one that runs; run must follow, under the context
// that is returned.
func (k *keeper) begin(session context.Context) context.Context {
	ctx, cancel := context.WithCancel(session)
	k.state.Lock()
	defer k.state.Unlock()
	k.state.cancel, k.state.stopped = cancel, make(chan struct{})
	k.state.removed, k.state.hurry = false, make(chan struct{})
	k.state.began, k.state.backlog = time.Now(), true
	k.state.loopErr, k.state.storeErr, k.state.leaseErr, k.state.deadErr, k.state.leased = nil, nil, nil, nil, time.Time{}
	return ctx
}

// stop ends the keeper's part in the session and waits for it; runs that go on
// when ctx ends are cancelled.
func (k *keeper) stop(ctx context.Context) {
	k.state.Lock()
	cancel, stopped, hurry := k.state.cancel, k.state.stopped, k.state.hurry
	again := k.state.removed
	k.state.removed = true
	k.state.Unlock()
	if cancel == nil || again {
		return
	}
	cancel()
	select {
	case <-stopped:
	case <-ctx.Done():
		close(hurry)
		<-stopped
	}
}

// run serves the store until the session, or the keeper's part in it, ends.
func (k *keeper) run(ctx context.Context, n *session) {
	k.state.Lock()
	began, cancel, stopped := microseconds(k.state.began), k.state.cancel, k.state.stopped
	k.state.Unlock()
	defer func() {
		cancel()
		k.state.Lock()
		k.state.cancel = nil
		k.state.Unlock()
		close(stopped)
	}()

	// What serves runs outlives ctx, until the last of them has ended.
	lasting, end := context.WithCancel(context.WithoutCancel(ctx))
	var runs, services sync.WaitGroup
	services.Go(func() { k.recorder.run(lasting) })
	services.Go(func() { k.keepLease(lasting) })
	services.Go(func() { k.watchHeld(lasting) })
	services.Go(func() { k.sweepJobs(ctx) })

	var recovering sync.WaitGroup
	k.recoverOwn(ctx, &services, &recovering)
	services.Go(func() {
		recovering.Wait() // what died with the process before does not stand in the way
		k.fireAtStart(ctx, began)
	})
	k.loop(ctx, func(c claim) { k.execute(lasting, &runs, c) })
	k.drain(lasting, n, &runs)
	end()
	services.Wait()
}

// claim is a run that is to be carried out, in a reserved place of an executor.
type claim struct {
	job      Job
	run      Run
	executor Executor
}

// loop claims and starts what is due, and sleeps until the next fire time or
// a change.
func (k *keeper) loop(ctx context.Context, start func(claim)) {
	wait := newBackoff()
	watch := clockWatch{last: time.Now()}
	polled := time.Now()
	for ctx.Err() == nil {
		if time.Since(polled) >= k.opts.PollInterval {
			k.noteBacklog() // rows may have come from another process
			polled = time.Now()
		}
		if jump := watch.jump(time.Now()); jump != 0 && k.name == DefaultStore {
			k.log.LogAttrs(ctx, slog.LevelWarn, "the clock jumped", slog.Duration("by", jump))
			k.events.publish(Event{Type: EventClockJumped, Jump: jump})
		}
		next, err := k.pass(ctx, start)
		if ctx.Err() != nil {
			return
		}
		k.noteStore(ctx, err, &k.state.loopErr, "cannot take due jobs")
		if err != nil {
			wait.sleep(ctx, nil)
			continue
		}
		wait = newBackoff()
		k.sleep(ctx, earliest(next, polled.Add(k.opts.PollInterval)))
	}
}

// noteStore notes what became of a use of the store, in one of the fields of
// keeper.state, and tells when the store fails or answers again.
func (k *keeper) noteStore(ctx context.Context, err error, field *error, what string) {
	k.state.Lock()
	failed := *field != nil
	*field = err
	if err == nil && field == &k.state.loopErr {
		k.state.passed = time.Now()
	}
	k.state.Unlock()
	switch {
	case err != nil:
		k.log.LogAttrs(ctx, slog.LevelError, what, slog.String("store", k.name), slog.Any("error", err))
		if !failed {
			k.events.publish(Event{Type: EventStoreFailed, Store: k.name, Err: err})
		}
	case failed:
		k.events.publish(Event{Type: EventStoreRecovered, Store: k.name})
	}
}

// clockWatch notices jumps of the clock: what the wall clock went on beyond
// the monotonic one, which stands still while a machine sleeps.
type clockWatch struct{ last time.Time }

// maxSlew is how far the two clocks may go apart between two looks: daemons
// that keep the time slow a clock down or speed it up by far less.
const maxSlew = time.Second

func (w *clockWatch) jump(now time.Time) time.Duration {
	jump := now.Round(0).Sub(w.last.Round(0)) - now.Sub(w.last)
	w.last = now
	if jump.Abs() < maxSlew {
		return 0
	}
	return jump
}

// sleep waits until the instant or a change. The instant is that of the next
// poll at the latest, which also bounds how long a jump of the clock goes
// unnoticed, since timers do not see one.
func (k *keeper) sleep(ctx context.Context, until time.Time) {
	pause := min(time.Until(until), k.opts.PollInterval)
	if pause <= 0 {
		return
	}
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-k.wake:
	case <-timer.C:
	}
}

// noteBacklog notes that queued rows may be waiting in the store.
func (k *keeper) noteBacklog() {
	k.state.Lock()
	k.state.backlog = true
	k.state.Unlock()
}

func (k *keeper) signal() { poke(k.wake) }

func poke(wake chan struct{}) {
	select {
	case wake <- struct{}{}:
	default:
	}
}

// queued tells the loop that rows are waiting.
func (k *keeper) queued() {
	k.noteBacklog()
	k.signal()
}

// notePass notes that the loop has done with the store for now.
func (k *keeper) notePass() {
	k.state.Lock()
	defer k.state.Unlock()
	k.state.asked = time.Time{}
	k.state.passes++
}

// noteAsked notes when the loop turned to the store; zero: it is done.
func (k *keeper) noteAsked(at time.Time) {
	k.state.Lock()
	defer k.state.Unlock()
	k.state.asked = at
}

// pass takes queued runs, then claims due jobs, until nothing is left to take.
// It returns the instant of the next one, zero if there is none.
func (k *keeper) pass(ctx context.Context, start func(claim)) (time.Time, error) {
	defer k.notePass()
	for ctx.Err() == nil && !k.standby.Load() {
		k.noteAsked(time.Now())
		if !k.awaitStore(ctx) || k.standby.Load() { // it may have been long
			break
		}
		waits, err := k.takeQueued(ctx, start)
		if err != nil {
			return time.Time{}, err
		}
		have := k.equipment.Load()
		next, ok, err := k.store.NextDue(ctx, have.can)
		if err != nil {
			return time.Time{}, err
		}
		if !ok || next.After(time.Now()) {
			return earliest(next, waits), nil
		}
		n, err := k.claim(ctx, have.can, have.executors, start)
		if err != nil {
			return time.Time{}, err
		}
		if n == 0 { // another scheduler is at it
			return time.Now().Add(lookAgain), nil
		}
	}
	return time.Time{}, nil
}

// lookAgain is how soon to look again for what another scheduler seems to take.
const lookAgain = 50 * time.Millisecond

// earliest is the earlier of two instants that may be zero.
func earliest(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

// takeQueued starts queued runs where executors have places. It returns when
// the next of them may start that is not to start yet.
func (k *keeper) takeQueued(ctx context.Context, start func(claim)) (waits time.Time, err error) {
	k.state.Lock()
	backlog := k.state.backlog
	// Cleared before looking, so that a row queued meanwhile sets it again.
	// While something runs, rows may wait for that to end.
	k.state.backlog = len(k.state.running) > 0
	k.state.Unlock()
	if !backlog {
		return time.Time{}, nil
	}
	have := k.equipment.Load()
	for name, executor := range have.executors {
		// Runs that have waited too long take a place each from those behind
		// them, and nothing that ends will wake the loop for these; so look again.
		for again := true; again && ctx.Err() == nil; {
			var next time.Time
			if again, next, err = k.fill(ctx, have.can, name, executor, start); err != nil {
				return time.Time{}, err
			}
			waits = earliest(waits, next)
		}
	}
	if !waits.IsZero() {
		k.noteBacklog()
	}
	return waits, nil
}

// fill starts queued runs where one executor has places. again says that
// places may be left although runs still wait; next is when one that is not to
// start yet may.
func (k *keeper) fill(ctx context.Context, can Can, name string, executor Executor, start func(claim)) (again bool, next time.Time, err error) {
	places := executor.Reserve(claimBatch)
	if places == 0 {
		k.noteStarved()
		// One that was freed before the note has woken nobody.
		if places = executor.Reserve(claimBatch); places == 0 {
			return false, time.Time{}, nil
		}
	}
	now := time.Now()
	taken, next, err := k.store.TakeQueued(ctx, can, name, now, places, func(job Job, run Run) Run {
		return k.started(&job, run, time.Now())
	})
	if err != nil {
		k.release(executor, places)
		k.noteBacklog()
		k.doubt()
		return false, time.Time{}, err
	}
	if len(taken) > 0 {
		k.noteBacklog() // there may be more, that have to wait for these
	}
	n := 0
	for _, c := range taken {
		c.Job.Store = k.name
		k.publishRuns(&c.Job, c.Runs)
		for _, run := range c.Runs {
			if run.State == RunRunning {
				n++
				start(claim{c.Job, run, executor})
			}
		}
	}
	k.release(executor, places-n)
	return n < len(taken) || n == places, next, nil
}

// noteStarved notes that queued rows may be waiting for a place.
func (k *keeper) noteStarved() {
	k.state.Lock()
	defer k.state.Unlock()
	k.state.backlog, k.state.starved = true, true
}

// release returns places, and lets the stores look again whose runs found too
// few. Stores that are only busy are left alone, or two of them would wake each
// other for ever.
func (k *keeper) release(executor Executor, places int) {
	if places == 0 {
		return
	}
	executor.Release(places)
	for _, other := range k.all() {
		if other == k {
			continue
		}
		other.state.Lock()
		waits := other.state.starved && other.state.cancel != nil
		other.state.starved = false
		other.state.Unlock()
		if waits {
			other.signal()
		}
	}
}

// started turns a queued run into a running one of this node, or into one that
// has ended: because it has waited too long, or because somebody asked for it
// to be stopped just when its last attempt failed.
func (k *keeper) started(job *Job, run Run, now time.Time) Run {
	if run.StopBy != "" {
		run.State, run.Reason, run.Message, run.EndedAt = RunStopped, ReasonStop, run.StopBy, now
		if strings.HasPrefix(run.StopBy, replaced) {
			run.Reason = ReasonCancel
		}
		return run
	}
	grace := job.graceOf(&run)
	from := run.FireTime
	if run.NotBefore.After(from) {
		from = run.NotBefore
	}
	if late := now.Sub(from); run.Origin == OriginSchedule && run.Attempt == 0 && grace >= 0 && late > grace {
		run.State, run.Reason, run.EndedAt = RunMissed, ReasonMisfire, now
		run.Message = "waited " + late.Round(time.Millisecond).String() + " for its turn, the misfire grace is " + grace.String()
		return run
	}
	run.State, run.Node, run.StartedAt = RunRunning, k.opts.Node, now
	run.Attempt++
	return run
}

// claim takes due jobs and starts their runs as far as executors have places;
// the others stay queued in the store. It returns how many jobs it took.
func (k *keeper) claim(ctx context.Context, can Can, executors map[string]Executor, start func(claim)) (int, error) {
	full, err := k.fullQueues(ctx, executors)
	if err != nil {
		return 0, err
	}
	places := map[string]int{}
	for name, executor := range executors {
		places[name] = executor.Reserve(claimBatch)
	}
	// A transaction that is tried again asks again, and finds fewer places
	// than there are: then a few runs are queued for the next pass.
	free := maps.Clone(places)
	now := time.Now()
	special := map[string]Decision{} // of jobs of which there is more to do than to start runs
	claimed, err := k.store.Claim(ctx, can, now, claimBatch, func(job Job, active Active) Decision {
		d := keep(&job, k.misunderstood(&job))
		if d.Quarantine == "" {
			d = plan(job, active, now)
		}
		if d.Next.IsZero() || d.Quarantine != "" || d.StopRunning != "" || d.Resume {
			special[job.ID] = d
		}
		for i := range d.Runs {
			run := &d.Runs[i]
			if run.State != RunQueued {
				continue
			}
			// Runs with a limit, or others waiting before them, go through the queue.
			if free[run.Executor] > 0 && active.Running < job.MaxInstances && active.Queued == 0 && run.LimitKey == "" && run.NotBefore.IsZero() {
				if *run = k.started(&job, *run, time.Now()); run.State == RunRunning {
					free[run.Executor]--
					active.Running++
				}
				continue
			}
			if full[run.Executor] {
				run.State, run.Reason, run.EndedAt = RunSkipped, ReasonQueueFull, now
				continue
			}
			active.Queued++
		}
		return d
	})
	if err != nil {
		k.doubt()
		for name, n := range places {
			k.release(executors[name], n)
		}
		return 0, err
	}
	for _, c := range claimed {
		c.Job.Store = k.name
		d, more := special[c.Job.ID]
		if more || c.Job.Quarantine != "" {
			k.publishDecision(ctx, &c.Job, d)
		}
		k.publishRuns(&c.Job, c.Runs)
		if more && d.Next.IsZero() && d.Quarantine == "" {
			after := c.Job
			after.NextFireTime = time.Time{}
			k.events.publish(Event{Type: EventJobFinished, Store: k.name, Job: &after, Before: &c.Job})
		}
		for _, run := range c.Runs {
			switch run.State {
			case RunRunning:
				places[run.Executor]--
				start(claim{c.Job, run, executors[run.Executor]})
			case RunQueued:
				k.noteBacklog()
			default:
			}
		}
		if d.StopRunning != "" {
			k.stopRunsOf(c.Job.ID, d.StopRunning, c.Runs)
		}
	}
	for name, n := range places {
		k.release(executors[name], n)
	}
	return len(claimed), nil
}

// countPause is how often the queue of an executor is counted at most.
const countPause = time.Second

// fullQueues tells for which executors no more runs may be queued. Queues are
// counted only while runs wait.
func (k *keeper) fullQueues(ctx context.Context, executors map[string]Executor) (map[string]bool, error) {
	k.state.Lock()
	backlog := k.state.backlog
	k.state.Unlock()
	if !backlog {
		return nil, nil
	}
	full := map[string]bool{}
	for name := range executors {
		k.state.Lock()
		count := k.state.counted[name]
		k.state.Unlock()
		if count.n >= k.opts.QueueLimit || time.Since(count.at) >= countPause {
			n, err := k.store.CountQueued(ctx, name, k.opts.QueueLimit)
			if err != nil {
				return nil, err
			}
			count = queueCount{n, time.Now()}
			k.state.Lock()
			k.state.counted[name] = count
			k.state.Unlock()
		}
		full[name] = count.n >= k.opts.QueueLimit
	}
	return full, nil
}

// noteQueued counts runs that were queued since the last count.
func (k *keeper) noteQueued(executor string) {
	k.state.Lock()
	defer k.state.Unlock()
	count := k.state.counted[executor]
	count.n++
	k.state.counted[executor] = count
}

// publishDecision tells what a claim changed of the job itself.
func (k *keeper) publishDecision(ctx context.Context, job *Job, d Decision) {
	after := *job
	e := Event{Store: k.name, Job: &after, Before: job}
	switch {
	case job.Quarantine != "": // the store could not decode it
		e.Type = EventJobQuarantined
	case d.Quarantine != "":
		after.Quarantine = d.Quarantine
		e.Type = EventJobQuarantined
		k.log.LogAttrs(ctx, slog.LevelError, "job in quarantine", slog.String("store", k.name),
			slog.String("job", job.ID), slog.String("reason", d.Quarantine))
	case d.Resume:
		after.Paused, after.PausedUntil, after.PauseReason = false, time.Time{}, ""
		e.Type = EventJobResumed
	default:
		return
	}
	after.NextFireTime = d.Next
	k.events.publish(e)
}

// publishRuns tells of rows that were written, or of runs that were taken.
func (k *keeper) publishRuns(job *Job, runs []Run) {
	k.events.publish(k.runEvents(job, runs)...)
}

// runEvents says which events rows that were written are, and counts those that wait.
func (k *keeper) runEvents(job *Job, runs []Run) (events []Event) {
	listening := k.events.busy.Load() > 0
	for i := range runs {
		run := &runs[i]
		if run.State == RunQueued {
			k.noteQueued(run.Executor)
		}
		if !listening {
			continue
		}
		e := Event{Store: k.name, Job: job, Run: run, Executor: run.Executor}
		switch run.State {
		case RunRunning:
			e.Type = EventRunStarted
		case RunQueued:
			e.Type = EventRunQueued
		case RunMissed:
			e.Type = EventRunMissed
		case RunSkipped:
			e.Type = EventRunSkipped
		default:
			e.Type = EventRunEnded
		}
		events = append(events, e)
	}
	return events
}
