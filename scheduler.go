package jobcenter

import (
	"context"
	"errors"
	"log/slog"
	"time"
)

// Errors that the scheduler's methods return, wrapped with what was asked.
var (
	// ErrInvalidJob: a job whose definition cannot be accepted. The error is a *FieldError.
	ErrInvalidJob = errors.New("invalid job")
	// ErrOverlap: a job cannot be started because it already has MaxInstances runs.
	ErrOverlap = errors.New("too many instances")
	// ErrNotRunning: a run cannot be stopped because it has ended, or is
	// running in another process.
	ErrNotRunning = errors.New("run is not running here")
)

// The causes with which a run's context ends; see context.Cause.
var (
	ErrTimeout  = errors.New("time limit reached")
	ErrStopped  = errors.New("stopped")
	ErrShutdown = errors.New("scheduler shut down")
)

// FieldError is an ErrInvalidJob that names the field, in the words of the
// JSON form, for example "trigger.hour" or "max_instances".
type FieldError struct {
	Field string
	Err   error // what was given and what is allowed
}

func (e *FieldError) Error() string   { return e.Field + ": " + e.Err.Error() }
func (e *FieldError) Unwrap() []error { return []error{e.Err, ErrInvalidJob} }

// Options are what a Scheduler is made of. The zero value is a scheduler with
// a memory store, one pool of 20 and no tasks.
type Options struct {
	// Store keeps jobs and runs. Nil means a new memory store.
	Store JobStore
	// Tasks are what jobs can do, by name.
	Tasks map[string]Task
	// Executors by name. Nil, or a map without DefaultExecutor, means that
	// DefaultExecutor is a goroutine pool of 20.
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

// Scheduler fires jobs. Its methods are safe for concurrent use, and all but
// Run work whether it is running or not.
type Scheduler struct{}

// New makes a scheduler.
func New(opts Options) (*Scheduler, error) { return nil, errors.ErrUnsupported }

// Run fires due jobs until ctx ends, then stops claiming, waits for the runs
// that it started (see Options.StopGrace) and returns nil. No error of the
// store or of a task ends it.
func (s *Scheduler) Run(ctx context.Context) error { return errors.ErrUnsupported }

// Add checks and stores a new job and returns it as stored. Errors: a
// *FieldError, ErrConflict if the id is taken, or what the store says.
func (s *Scheduler) Add(ctx context.Context, job Job) (Job, error) {
	return Job{}, errors.ErrUnsupported
}

// Modify lets change alter a job's definition. The id cannot change. A new
// trigger gives a new next fire time, counted from now; otherwise it stays.
// change may be called again; an error of it is returned as it is.
func (s *Scheduler) Modify(ctx context.Context, id string, change func(*Job) error) (Job, error) {
	return Job{}, errors.ErrUnsupported
}

// Pause stops a job from firing. Pausing a paused job changes nothing.
func (s *Scheduler) Pause(ctx context.Context, id string) (Job, error) {
	return Job{}, errors.ErrUnsupported
}

// Resume lets a job fire again, from its next fire time after now. The fire
// times that passed meanwhile are recorded as skipped, in one row.
func (s *Scheduler) Resume(ctx context.Context, id string) (Job, error) {
	return Job{}, errors.ErrUnsupported
}

// Remove removes a job. Runs that are going on end as they will; the ledger stays.
func (s *Scheduler) Remove(ctx context.Context, id string) error { return errors.ErrUnsupported }

// RunNow starts a job by hand, paused or not, and returns the queued run.
// Its fire time is now. ErrOverlap if the job has MaxInstances runs already.
func (s *Scheduler) RunNow(ctx context.Context, id string, origin Origin, actor string) (Run, error) {
	return Run{}, errors.ErrUnsupported
}

// StopRun ends a queued or running run of this scheduler. It returns at once; the run is
// recorded as stopped, by the actor named, when its task has returned.
// ErrRunNotFound, ErrNotRunning.
func (s *Scheduler) StopRun(ctx context.Context, runID, actor string) error {
	return errors.ErrUnsupported
}

// WatchRun returns a channel that is closed at the next change of a run's
// state or output that the store has. It watches runs of this scheduler only.
func (s *Scheduler) WatchRun(runID string) (changed <-chan struct{}, cancel func()) {
	return nil, nil
}

// Store returns the scheduler's job store, for reading.
func (s *Scheduler) Store() JobStore { return nil }

// Health returns nil while the scheduler fires jobs, and otherwise why it does not.
func (s *Scheduler) Health() error { return nil }
