package jobcenter

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"
)

// Options are what a Scheduler is made of. The zero value is a scheduler with
// a memory store, one pool of 20 and no tasks.
type Options struct {
	// Store keeps jobs and runs. Nil means a new memory store.
	Store JobStore
	// Tasks are what jobs can do, by name.
	Tasks map[string]Task
	// Executors by name. Nil, or a map without DefaultExecutor, means that
	// DefaultExecutor is a pool of DefaultPoolSize.
	Executors map[string]Executor
	// Node names this scheduler among those that share the store. When Run
	// starts, runs that a node of this name had begun are recorded as lost;
	// so no two living schedulers may have the same. Empty means a random one.
	Node string
	// StopGrace is how long Run lets runs go on once its context has ended,
	// before they are cancelled and recorded as stopped. Zero means 30 s,
	// negative none at all.
	StopGrace time.Duration
	// OutputLimit is how many bytes of output are kept of a run: its
	// first half and its last. Zero means 10 MiB.
	OutputLimit int64
	// PollInterval is how often the store is asked for changes that other
	// processes made. Zero means 1 s.
	PollInterval time.Duration
	// Lease is for how long this node's runs are taken to be alive without a
	// sign of it. It is renewed at a third of that. Zero means 15 s.
	Lease time.Duration
	// Logger takes what goes wrong and is nobody's answer. Nil means none.
	Logger *slog.Logger
}

// claimBatch is how many jobs one transaction takes.
const claimBatch = 100

// Scheduler fires jobs. Its methods are safe for concurrent use, and all but
// Run work whether it is running or not.
type Scheduler struct {
	opts      Options
	store     JobStore
	log       *slog.Logger
	taskNames []string
	recorder  *recorder
	// wake ends the loop's sleep. One slot: a wake-up sent while the loop is
	// busy is kept, and a second one would tell it nothing new.
	wake chan struct{}

	mu       sync.Mutex
	started  bool
	loopErr  error                 // why the last pass of the loop failed; nil when it did not
	asked    time.Time             // when the loop turned to the store; zero while it does not wait for it
	storeErr error                 // the same of the recorder
	backlog  bool                  // queued rows may be waiting in the store
	running  map[string]*execution // by run id
	watchers map[string]*watch
}

// New makes a scheduler. It fails if an option is out of range.
func New(opts Options) (*Scheduler, error) {
	if opts.Store == nil {
		opts.Store = NewMemoryStore(0)
	}
	if opts.Logger == nil {
		opts.Logger = slog.New(slog.DiscardHandler)
	}
	opts.Executors = maps.Clone(opts.Executors)
	if opts.Executors[DefaultExecutor] == nil {
		pool, err := NewPool(DefaultPoolSize)
		if err != nil {
			return nil, err
		}
		if opts.Executors == nil {
			opts.Executors = map[string]Executor{}
		}
		opts.Executors[DefaultExecutor] = pool
	}
	opts.Tasks = maps.Clone(opts.Tasks)
	for name, task := range opts.Tasks {
		if name == "" || task == nil {
			return nil, fmt.Errorf("jobcenter: task %q: a task needs a name and must not be nil", name)
		}
	}
	if opts.Node == "" {
		opts.Node = newID(time.Now())
	}
	if opts.PollInterval < 0 || opts.Lease < 0 || opts.OutputLimit < 0 {
		return nil, fmt.Errorf("jobcenter: PollInterval %s, Lease %s, OutputLimit %d: must not be negative", opts.PollInterval, opts.Lease, opts.OutputLimit)
	}
	opts.PollInterval = cmp.Or(opts.PollInterval, time.Second)
	opts.Lease = cmp.Or(opts.Lease, 15*time.Second)
	opts.StopGrace = cmp.Or(opts.StopGrace, 30*time.Second)
	opts.OutputLimit = cmp.Or(opts.OutputLimit, 10<<20)
	s := &Scheduler{
		opts:      opts,
		store:     opts.Store,
		log:       opts.Logger,
		taskNames: slices.Sorted(maps.Keys(opts.Tasks)),
		wake:      make(chan struct{}, 1),
		running:   map[string]*execution{},
		watchers:  map[string]*watch{},
	}
	s.recorder = newRecorder(s.store, s.log, s.notify, func(err error) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.storeErr = err
	})
	return s, nil
}

// Store returns the scheduler's job store, for reading.
func (s *Scheduler) Store() JobStore { return s.store }

// Health returns nil while the scheduler fires jobs, and otherwise why it does not.
func (s *Scheduler) Health() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.started {
		return errors.New("jobcenter: the scheduler is not running")
	}
	var slow error
	if waited := time.Since(s.asked); !s.asked.IsZero() && waited > storePatience {
		slow = fmt.Errorf("jobcenter: the store has not answered for %s", waited.Round(time.Second))
	}
	return errors.Join(s.loopErr, s.storeErr, slow)
}

// storePatience is how long the store may take for due jobs until the
// scheduler no longer calls itself healthy.
const storePatience = 5 * time.Second

// noteAsked notes when the loop turned to the store; zero: it is done.
func (s *Scheduler) noteAsked(at time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked = at
}

// Run fires due jobs until ctx ends, then stops claiming, waits for the runs
// that it started (see Options.StopGrace) and returns nil. No error of the
// store or of a task ends it. It fails at once if it is running already.
func (s *Scheduler) Run(ctx context.Context) error {
	s.mu.Lock()
	if s.started {
		s.mu.Unlock()
		return errors.New("jobcenter: the scheduler is running already")
	}
	s.started, s.backlog = true, true
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		s.started = false
		s.mu.Unlock()
	}()

	// What serves runs outlives ctx, until the last of them has ended.
	lasting, end := context.WithCancel(context.WithoutCancel(ctx))
	var runs, services sync.WaitGroup
	services.Go(func() { s.recorder.run(lasting) })
	services.Go(func() { s.keepLease(lasting) })

	began := microseconds(time.Now())
	var recovering sync.WaitGroup
	s.recoverOwn(ctx, &services, &recovering)
	services.Go(func() {
		recovering.Wait() // what died with the process before does not stand in the way
		s.fireAtStart(ctx, began)
	})
	s.loop(ctx, func(job Job, run Run) { s.execute(lasting, &runs, job, run) })
	s.drain(lasting, &runs)
	end()
	services.Wait()
	return nil
}

// loop claims and starts what is due, and sleeps until the next fire time or
// a change.
func (s *Scheduler) loop(ctx context.Context, start func(Job, Run)) {
	wait := newBackoff()
	for ctx.Err() == nil {
		next, err := s.pass(ctx, start)
		if ctx.Err() != nil {
			return
		}
		s.mu.Lock()
		s.loopErr = err
		s.mu.Unlock()
		if err != nil {
			s.log.LogAttrs(ctx, slog.LevelError, "cannot take due jobs", slog.Any("error", err))
			wait.sleep(ctx)
			continue
		}
		wait = newBackoff()
		s.sleep(ctx, next)
	}
}

// sleep waits until the instant, a change, or the next poll. The poll also
// bounds how long a jump of the clock goes unnoticed, since timers do not see one.
func (s *Scheduler) sleep(ctx context.Context, until time.Time) {
	pause := s.opts.PollInterval
	polls := true
	if !until.IsZero() {
		if left := time.Until(until); left < pause {
			pause, polls = left, false
		}
	}
	if pause <= 0 {
		return
	}
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-s.wake:
	case <-timer.C:
		if polls {
			s.noteBacklog() // rows may have come from another process
		}
	}
}

// noteBacklog notes that queued rows may be waiting in the store.
func (s *Scheduler) noteBacklog() {
	s.mu.Lock()
	s.backlog = true
	s.mu.Unlock()
}

func (s *Scheduler) signal() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// queued tells the loop that rows are waiting.
func (s *Scheduler) queued() {
	s.noteBacklog()
	s.signal()
}

// pass takes queued runs, then claims due jobs, until nothing is left to take.
// It returns the next fire time, zero if there is none.
func (s *Scheduler) pass(ctx context.Context, start func(Job, Run)) (time.Time, error) {
	defer s.noteAsked(time.Time{})
	for ctx.Err() == nil {
		s.noteAsked(time.Now())
		if err := s.takeQueued(ctx, start); err != nil {
			return time.Time{}, err
		}
		next, ok, err := s.store.NextFireTime(ctx, s.taskNames)
		if err != nil || !ok || next.After(time.Now()) {
			return next, err
		}
		n, err := s.claim(ctx, start)
		if err != nil {
			return time.Time{}, err
		}
		if n == 0 { // another scheduler was quicker
			return time.Time{}, nil
		}
	}
	return time.Time{}, nil
}

// takeQueued starts queued runs where executors have places.
func (s *Scheduler) takeQueued(ctx context.Context, start func(Job, Run)) error {
	s.mu.Lock()
	backlog := s.backlog
	// Cleared before looking, so that a row queued meanwhile sets it again.
	// While something runs, rows may wait for that to end.
	s.backlog = len(s.running) > 0
	s.mu.Unlock()
	if !backlog {
		return nil
	}
	for name, executor := range s.opts.Executors {
		// Runs that have waited too long take a place each from those behind
		// them, and nothing that ends will wake the loop for these; so look again.
		for again := true; again && ctx.Err() == nil; {
			var err error
			if again, err = s.fill(ctx, name, executor, start); err != nil {
				return err
			}
		}
	}
	return nil
}

// fill starts queued runs where one executor has places. again says that
// places may be left although runs still wait.
func (s *Scheduler) fill(ctx context.Context, name string, executor Executor, start func(Job, Run)) (again bool, err error) {
	places := executor.Reserve(claimBatch)
	if places == 0 {
		s.noteBacklog()
		return false, nil
	}
	taken, err := s.store.TakeQueued(ctx, s.taskNames, name, places, func(job Job, run Run) Run {
		return s.begin(job, run, time.Now())
	})
	if err != nil {
		executor.Release(places)
		s.noteBacklog()
		return false, err
	}
	if len(taken) > 0 {
		s.noteBacklog() // there may be more, that have to wait for these
	}
	started := s.startAll(taken, start)
	executor.Release(places - started)
	return started < len(taken), nil
}

// begin turns a queued run into a running one of this node, or into a missed
// one if it has waited too long.
func (s *Scheduler) begin(job Job, run Run, now time.Time) Run {
	grace := job.grace(run.FireTime)
	if late := now.Sub(run.FireTime); run.Origin == OriginSchedule && grace >= 0 && late > grace {
		run.State, run.Reason, run.EndedAt = RunMissed, ReasonMisfire, now
		run.Message = fmt.Sprintf("waited %s for a free place, the misfire grace is %s", late.Round(time.Millisecond), grace)
		return run
	}
	run.State, run.Node, run.StartedAt = RunRunning, s.opts.Node, now
	run.Attempt++
	return run
}

// claim takes due jobs and starts their runs as far as executors have places;
// the others stay queued in the store. It returns how many jobs it took.
func (s *Scheduler) claim(ctx context.Context, start func(Job, Run)) (int, error) {
	places := map[string]int{}
	for name, executor := range s.opts.Executors {
		places[name] = executor.Reserve(claimBatch)
	}
	// A transaction that is tried again asks again, and finds fewer places
	// than there are: then a few runs are queued for the next pass.
	free := maps.Clone(places)
	now := time.Now()
	claimed, err := s.store.Claim(ctx, s.taskNames, now, claimBatch, func(job Job, active int) Decision {
		d := plan(job, active, now)
		for i := range d.Runs {
			run := &d.Runs[i]
			if run.State != RunQueued || free[run.Executor] == 0 || active >= job.MaxInstances {
				continue
			}
			if *run = s.begin(job, *run, time.Now()); run.State == RunRunning {
				free[run.Executor]--
				active++
			}
		}
		return d
	})
	if err != nil {
		for name, n := range places {
			s.opts.Executors[name].Release(n)
		}
		return 0, err
	}
	for _, c := range claimed {
		for _, run := range c.Runs {
			switch run.State {
			case RunRunning:
				places[run.Executor]--
				start(c.Job, run)
			case RunQueued:
				s.noteBacklog()
			default:
			}
		}
	}
	for name, n := range places {
		s.opts.Executors[name].Release(n)
	}
	return len(claimed), nil
}

// startAll starts the running ones among what was taken and returns how many.
func (s *Scheduler) startAll(taken []Claimed, start func(Job, Run)) int {
	n := 0
	for _, c := range taken {
		for _, run := range c.Runs {
			if run.State == RunRunning {
				n++
				start(c.Job, run)
			}
		}
	}
	return n
}
