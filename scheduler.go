package jobcenter

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Options are what a Scheduler is made of. The zero value is a scheduler with
// a memory store, one pool of 20 and no tasks.
type Options struct {
	// Store keeps the jobs that name no store, and their runs. Nil means a new
	// memory store, unless Stores has one under DefaultStore.
	Store JobStore
	// Stores are further stores, by name.
	Stores map[string]JobStore
	// Tasks are what jobs can do, by name.
	Tasks map[string]Task
	// Executors by name. Nil, or a map without DefaultExecutor, means that
	// DefaultExecutor is a pool of DefaultPoolSize.
	Executors map[string]Executor
	// QueueLimit is how many runs of one store may wait for the same executor,
	// give or take a batch for each scheduler that shares the store. Fire times beyond
	// that are recorded as skipped with ReasonQueueFull. Zero means 10,000.
	QueueLimit int
	// Defaults are the run rules of jobs that leave them at their zero value
	// when they are added or changed: Executor, Priority, MisfireGrace,
	// Coalesce, CatchUp, Overlap, MaxInstances, Timeout and Retry are taken.
	Defaults Job
	// Node names this scheduler among those that share a store. When Run
	// starts, runs that a node of this name had begun are recorded as lost;
	// so no two living schedulers may have the same. Empty means a random one.
	Node string
	// Standby has the scheduler start without firing, see Scheduler.Standby.
	Standby bool
	// StopGrace is how long Run lets runs go on once its context has ended,
	// before they are cancelled and recorded as stopped. Zero means 30 s,
	// negative none at all.
	StopGrace time.Duration
	// OutputLimit is how many bytes of output are kept of an attempt at a run:
	// its first half and its last. Zero means 10 MiB.
	OutputLimit int64
	// PollInterval is how often a store is asked for changes that other
	// processes made. Zero means 1 s.
	PollInterval time.Duration
	// Lease is for how long this node's runs are taken to be alive without a
	// sign of it. It is renewed at a third of that. Zero means 15 s.
	Lease time.Duration
	// Logger takes what goes wrong and is nobody's answer. Nil means none.
	Logger *slog.Logger
}

// Scheduler fires jobs. Its methods are safe for concurrent use, and all but
// Run, Start and Shutdown work whether it is running or not.
type Scheduler struct {
	opts   Options
	log    *slog.Logger
	events *bus
	late   lateness

	equipment atomic.Pointer[equipment]
	standby   atomic.Bool

	mu      sync.Mutex
	session *session // nil while the scheduler does not run

	watch struct {
		sync.Mutex
		byRun map[string]*watch
	}
}

// equipment is what a scheduler has at a moment. It does not change: what is
// added or removed makes a new one.
type equipment struct {
	tasks     map[string]Task
	executors map[string]Executor
	keepers   []*keeper // that of the default store first, then by name
	hooks     []*hook
	can       Can // what follows from it
}

// equip lets change alter a copy of the equipment, which then holds.
func (s *Scheduler) equip(change func(e *equipment) error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	e := equipment{tasks: map[string]Task{}, executors: map[string]Executor{}}
	if old := s.equipment.Load(); old != nil {
		e = equipment{
			tasks: maps.Clone(old.tasks), executors: maps.Clone(old.executors),
			keepers: slices.Clone(old.keepers), hooks: slices.Clone(old.hooks),
		}
	}
	if err := change(&e); err != nil {
		return err
	}
	slices.SortFunc(e.keepers, func(a, b *keeper) int {
		return cmp.Or(cmp.Compare(flag(a.name != DefaultStore), flag(b.name != DefaultStore)), cmp.Compare(a.name, b.name))
	})
	e.can = Can{Tasks: slices.Sorted(maps.Keys(e.tasks)), Executors: slices.Sorted(maps.Keys(e.executors))}
	s.equipment.Store(&e)
	return nil
}

// keeper returns the keeper of a store; nil if there is none of this name.
func (e *equipment) keeper(name string) *keeper {
	for _, k := range e.keepers {
		if k.name == name {
			return k
		}
	}
	return nil
}

// session is one run of a scheduler, from its start to its end.
type session struct {
	ctx     context.Context //nolint:containedctx // it is the session's life: what is added later runs under it
	end     context.CancelFunc
	hurry   chan struct{} // closed when runs are not to be waited for any longer
	rush    sync.Once
	patient bool        // Shutdown says how long to wait, not Options.StopGrace
	cut     atomic.Bool // runs had to be cancelled
	keepers sync.WaitGroup
	done    chan struct{}
}

// New makes a scheduler. It fails if an option is out of range.
func New(opts Options) (*Scheduler, error) {
	if opts.PollInterval < 0 || opts.Lease < 0 || opts.OutputLimit < 0 || opts.QueueLimit < 0 {
		return nil, fmt.Errorf("jobcenter: PollInterval %s, Lease %s, OutputLimit %d, QueueLimit %d: must not be negative",
			opts.PollInterval, opts.Lease, opts.OutputLimit, opts.QueueLimit)
	}
	opts.Node = cmp.Or(opts.Node, newID(time.Now()))
	opts.PollInterval = cmp.Or(opts.PollInterval, time.Second)
	opts.Lease = cmp.Or(opts.Lease, 15*time.Second)
	opts.StopGrace = cmp.Or(opts.StopGrace, 30*time.Second)
	opts.OutputLimit = cmp.Or(opts.OutputLimit, 10<<20)
	opts.QueueLimit = cmp.Or(opts.QueueLimit, 10_000)
	s := &Scheduler{opts: opts, log: opts.Logger}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	s.standby.Store(opts.Standby)
	s.watch.byRun = map[string]*watch{}
	s.events = newBus(opts.Node, s.log)
	err := s.equip(func(e *equipment) error {
		for name, task := range opts.Tasks {
			if err := checkTask(name, task); err != nil {
				return err
			}
			e.tasks[name] = task
		}
		e.tasks[funcTaskName] = funcTask{}
		for name, executor := range opts.Executors {
			if err := checkExecutor(name, executor); err != nil {
				return err
			}
			e.executors[name] = executor
		}
		if e.executors[DefaultExecutor] == nil {
			pool, err := NewPool(DefaultPoolSize)
			if err != nil {
				return err
			}
			e.executors[DefaultExecutor] = pool
		}
		for name, store := range opts.Stores {
			if err := checkStore(name, store); err != nil {
				return err
			}
			e.keepers = append(e.keepers, newKeeper(s, name, store))
		}
		switch standard := e.keeper(DefaultStore); {
		case opts.Store != nil && standard != nil:
			return fmt.Errorf("jobcenter: the store %q is given twice, as Store and in Stores", DefaultStore)
		case opts.Store != nil:
			e.keepers = append(e.keepers, newKeeper(s, DefaultStore, opts.Store))
		case standard == nil:
			e.keepers = append(e.keepers, newKeeper(s, DefaultStore, NewMemoryStore(0)))
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return s, nil
}

func checkStore(name string, store JobStore) error {
	if name == "" || strings.Contains(name, "/") || store == nil {
		return fmt.Errorf("jobcenter: store %q: a store needs a name without a slash and must not be nil", name)
	}
	return nil
}

func checkExecutor(name string, executor Executor) error {
	if name == "" || executor == nil {
		return fmt.Errorf("jobcenter: executor %q: an executor needs a name and must not be nil", name)
	}
	return nil
}

func checkTask(name string, task Task) error {
	if name == "" || task == nil {
		return fmt.Errorf("jobcenter: task %q: a task needs a name and must not be nil", name)
	}
	if name == funcTaskName {
		return fmt.Errorf("jobcenter: task %q: the name is that of jobs with a Func", name)
	}
	return nil
}

// Errors of a scheduler's life.
var (
	// ErrRunning: the scheduler is running already.
	ErrRunning = errors.New("the scheduler is running already")
	// ErrUnknown: there is no store, executor or task of this name.
	ErrUnknown = errors.New("unknown name")
)

// Run fires due jobs until ctx ends, or Shutdown is called, then stops
// claiming, waits for the runs that it started (see Options.StopGrace) and
// returns nil. No error of a store or of a task ends it. ErrRunning at once if
// it is running already. A scheduler that has ended can be run again.
func (s *Scheduler) Run(ctx context.Context) error {
	session, err := s.open(ctx)
	if err != nil {
		return err
	}
	s.serve(session)
	return nil
}

// Start runs the scheduler in the background until Shutdown. ErrRunning.
func (s *Scheduler) Start() error {
	session, err := s.open(context.Background())
	if err != nil {
		return err
	}
	go s.serve(session)
	return nil
}

func (s *Scheduler) open(ctx context.Context) (*session, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.session != nil {
		return nil, fmt.Errorf("jobcenter: %w", ErrRunning)
	}
	n := &session{hurry: make(chan struct{}), done: make(chan struct{})}
	n.ctx, n.end = context.WithCancel(ctx)
	s.session = n
	s.events.publish(Event{Type: EventSchedulerStarted})
	for _, k := range s.all() {
		s.begin(n, k) //nolint:contextcheck // it runs under the session, which is made of ctx
	}
	return n, nil
}

// begin runs the keeper of a store in a session. The caller holds s.mu.
func (s *Scheduler) begin(n *session, k *keeper) {
	ctx := k.begin(n.ctx)
	n.keepers.Go(func() { k.run(ctx, n) })
}

func (s *Scheduler) serve(n *session) {
	<-n.ctx.Done()
	n.keepers.Wait()
	n.end()
	s.mu.Lock()
	s.session = nil
	s.mu.Unlock()
	s.events.publish(Event{Type: EventSchedulerStopped})
	close(n.done)
}

// Shutdown stops a scheduler that runs: no further runs start, and those that
// go on get until ctx ends; then they are cancelled with ErrShutdown and
// recorded as stopped. With a context that has ended already, nothing is
// waited for but the tasks' return. It returns when all is recorded: nil, or
// the error of ctx if runs had to be cancelled. A scheduler that does not run
// is no error.
func (s *Scheduler) Shutdown(ctx context.Context) error {
	s.mu.Lock()
	n := s.session
	if n != nil {
		n.patient = true
	}
	s.mu.Unlock()
	if n == nil {
		return nil
	}
	n.end()
	select {
	case <-n.done:
		return nil
	case <-ctx.Done():
	}
	n.rush.Do(func() { close(n.hurry) })
	<-n.done
	if n.cut.Load() {
		return ctx.Err()
	}
	return nil
}

// Standby has the scheduler fire nothing while it is on: due jobs wait in
// their stores (another scheduler may fire them), and when it is off again
// they are treated by their own rules for misfires. Runs that go on are not
// touched, and it is forgotten with the process. To pause jobs for all
// schedulers, and for good, see Pause and PauseAll.
func (s *Scheduler) Standby(on bool) {
	if s.standby.Swap(on) == on {
		return
	}
	if on {
		s.events.publish(Event{Type: EventSchedulerStandby})
		return
	}
	s.events.publish(Event{Type: EventSchedulerResumed})
	s.wakeAll()
}

// Store returns the job store of DefaultStore, for reading.
func (s *Scheduler) Store() JobStore {
	store, _ := s.NamedStore(DefaultStore)
	return store
}

// NamedStore returns a job store, for reading; ErrUnknown.
func (s *Scheduler) NamedStore(name string) (JobStore, error) {
	k, err := s.keeper(name)
	if err != nil {
		return nil, err
	}
	return k.store, nil
}

func (s *Scheduler) keeper(name string) (*keeper, error) {
	if k := s.equipment.Load().keeper(cmp.Or(name, DefaultStore)); k != nil {
		return k, nil
	}
	var known []string
	for _, k := range s.all() {
		known = append(known, k.name)
	}
	return nil, fmt.Errorf("jobcenter: store %q: %w, known: %s", name, ErrUnknown, joined(known))
}

// all returns the keepers, that of the default store first, then by name.
func (s *Scheduler) all() []*keeper { return s.equipment.Load().keepers }

func (s *Scheduler) wakeAll() {
	for _, k := range s.all() {
		k.queued()
	}
}

// AddStore gives the scheduler a further store, and fires its jobs at once if
// the scheduler runs. ErrConflict if the name is taken.
func (s *Scheduler) AddStore(name string, store JobStore) error {
	if err := checkStore(name, store); err != nil {
		return err
	}
	err := s.equip(func(e *equipment) error {
		if e.keeper(name) != nil {
			return fmt.Errorf("jobcenter: add store %q: %w: the name is taken", name, ErrConflict)
		}
		k := newKeeper(s, name, store)
		e.keepers = append(e.keepers, k)
		if s.session != nil {
			s.begin(s.session, k)
		}
		return nil
	})
	if err == nil {
		s.events.publish(Event{Type: EventStoreAdded, Store: name})
	}
	return err
}

// RemoveStore takes a store from the scheduler: its jobs no longer fire here,
// and the runs of them that go on are waited for until ctx ends, then
// cancelled. The store itself, which stays open, is returned. ErrUnknown; the
// default store cannot be removed.
func (s *Scheduler) RemoveStore(ctx context.Context, name string) (JobStore, error) {
	if name == "" || name == DefaultStore {
		return nil, fmt.Errorf("jobcenter: remove store %q: the default store stays", DefaultStore)
	}
	k, err := s.keeper(name)
	if err != nil {
		return nil, err
	}
	err = s.equip(func(e *equipment) error {
		e.keepers = slices.DeleteFunc(e.keepers, func(other *keeper) bool { return other == k })
		return nil
	})
	if err != nil {
		return nil, err
	}
	k.stop(ctx)
	s.events.publish(Event{Type: EventStoreRemoved, Store: k.name})
	return k.store, nil
}

// AddExecutor gives the scheduler a further executor. Jobs that waited for it
// fire by their own rules. ErrConflict if the name is taken.
func (s *Scheduler) AddExecutor(name string, executor Executor) error {
	if err := checkExecutor(name, executor); err != nil {
		return err
	}
	err := s.equip(func(e *equipment) error {
		if e.executors[name] != nil {
			return fmt.Errorf("jobcenter: add executor %q: %w: the name is taken", name, ErrConflict)
		}
		e.executors[name] = executor
		return nil
	})
	if err == nil {
		s.events.publish(Event{Type: EventExecutorAdded, Executor: name})
		s.understoodMore()
	}
	return err
}

// RemoveExecutor takes an executor from the scheduler. Its runs that go on end
// as they will; its jobs, and what is queued for it, wait for a scheduler that
// has it. ErrUnknown.
func (s *Scheduler) RemoveExecutor(name string) error {
	err := s.equip(func(e *equipment) error {
		if e.executors[name] == nil {
			return fmt.Errorf("jobcenter: remove executor %q: %w", name, ErrUnknown)
		}
		delete(e.executors, name)
		return nil
	})
	if err == nil {
		s.events.publish(Event{Type: EventExecutorRemoved, Executor: name})
	}
	return err
}

// AddTask gives the scheduler a further task. Jobs of it that are in
// quarantine because nobody knew it are released. ErrConflict if the name is
// taken.
func (s *Scheduler) AddTask(name string, task Task) error {
	if err := checkTask(name, task); err != nil {
		return err
	}
	err := s.equip(func(e *equipment) error {
		if e.tasks[name] != nil {
			return fmt.Errorf("jobcenter: add task %q: %w: the name is taken", name, ErrConflict)
		}
		e.tasks[name] = task
		return nil
	})
	if err == nil {
		s.understoodMore()
	}
	return err
}

// understoodMore has the stores looked through for jobs that were not
// understood before.
func (s *Scheduler) understoodMore() {
	for _, k := range s.all() {
		k.sweepSoon()
		k.queued()
	}
}

func (s *Scheduler) task(name string) Task { return s.equipment.Load().tasks[name] }

func (s *Scheduler) executor(name string) Executor { return s.equipment.Load().executors[name] }
