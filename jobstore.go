package jobcenter

import (
	"context"
	"errors"
	"time"
)

// Errors of a job store that callers branch on. They come wrapped with the
// operation and the id.
var (
	ErrJobNotFound = errors.New("job not found")
	ErrRunNotFound = errors.New("run not found")
	// ErrConflict: a job of this id exists already, or it was changed by
	// somebody else meanwhile.
	ErrConflict = errors.New("conflict")
)

// JobStore keeps jobs, runs and output. The memory store of this package and
// those in the folder jobstore implement it; storetest holds the suite that
// each must pass. A store may be shared by any number of schedulers.
//
// All instants are kept as UTC with microseconds; those that a store returns
// are in UTC. Methods are safe for concurrent use. A method that returns an
// error has changed nothing. The callbacks that some methods take decide what
// is to be written: they are pure, quick, may be called again when a
// transaction is tried again, and must not call the store.
type JobStore interface {
	// AddJob stores a new job as it is given. ErrConflict if the id is taken.
	AddJob(ctx context.Context, job Job) error
	// Job returns one job; ErrJobNotFound.
	Job(ctx context.Context, id string) (Job, error)
	// Jobs lists jobs by filter, in order, a page at a time.
	Jobs(ctx context.Context, q JobQuery) (JobPage, error)
	// UpdateJob lets change decide, within one transaction, what becomes of a
	// job, given the job and how many of its runs are queued or running. The
	// job that change returns replaces the stored one, and its runs are
	// inserted, but for those whose fire time is in the ledger already. An
	// error of change ends the transaction and is returned unwrapped.
	// ErrJobNotFound.
	UpdateJob(ctx context.Context, id string, change func(job Job, active int) (Job, []Run, error)) (Job, error)
	// RemoveJob removes a job in one transaction. Runs of it that are queued
	// are ended as skipped with ReasonRemoved; the runs that last returns are
	// inserted as by UpdateJob; all other runs, and their output, stay.
	// ErrJobNotFound.
	RemoveJob(ctx context.Context, id string, last func(job Job) []Run) error

	// NextFireTime returns the earliest next fire time of all jobs of these
	// tasks that are neither paused nor quarantined. ok is false if there is none.
	NextFireTime(ctx context.Context, tasks []string) (at time.Time, ok bool, err error)
	// Claim takes up to limit jobs of these tasks whose next fire time is at
	// or before now, each once, earliest first, and in one transaction lets decide say
	// what becomes of each, given how many of its runs are queued or running:
	// the job's next fire time is set and the runs are inserted. A run whose
	// job and fire time are in the ledger already is left out: it was
	// decided before. Returned are the jobs with the runs that were inserted;
	// a shorter list than limit means that no more were due.
	Claim(ctx context.Context, tasks []string, now time.Time, limit int, decide func(job Job, active int) Decision) ([]Claimed, error)
	// TakeQueued takes up to limit queued runs of these tasks and this
	// executor, earliest fire time first, and in one transaction replaces
	// each by what start returns for it. Passed over are runs whose job has
	// MaxInstances running already, those taken just before included. A
	// queued run whose job is gone is ended as skipped with ReasonRemoved and
	// not passed to start.
	// Returned are the runs that start was asked about, as they are now.
	TakeQueued(ctx context.Context, tasks []string, executor string, limit int, start func(job Job, run Run) Run) ([]Claimed, error)
	// Record writes output and ends of runs, all or nothing. What belongs to
	// a run that is in a final state already, or whose newest attempt is
	// another one, is left out silently: who wrote it no longer holds the run.
	Record(ctx context.Context, records Records) error

	// Run returns one run; ErrRunNotFound.
	Run(ctx context.Context, id string) (Run, error)
	// Runs lists runs by filter, newest fire time first, a page at a time.
	Runs(ctx context.Context, q RunQuery) (RunPage, error)
	// LastRuns returns for each of these jobs the run with the latest fire
	// time among those that were started (state neither missed, skipped nor
	// queued); jobs without one are left out.
	LastRuns(ctx context.Context, jobIDs []string) (map[string]Run, error)
	// Output returns the kept chunks of a run that reach beyond the offset,
	// in order: as many as fit in limit bytes, but one at least. The first
	// may begin before the offset. A store may return fewer, so that only an
	// empty list means that there are no more. ErrRunNotFound.
	Output(ctx context.Context, runID string, offset int64, limit int) ([]Chunk, error)

	// Heartbeat renews a node's lease until the given instant.
	Heartbeat(ctx context.Context, node string, until time.Time) error
	// Orphans returns up to limit running runs whose node has no lease that
	// reaches beyond now, or whose node is the one given, if that is not
	// empty, whatever its lease.
	Orphans(ctx context.Context, node string, now time.Time, limit int) ([]Claimed, error)

	// Close frees what the store holds. The store must not be used after it.
	Close() error
}

// Decision is what becomes of a due job.
type Decision struct {
	// Next is the job's next fire time; zero if it has none.
	Next time.Time
	// Runs are the rows to insert. A run in RunRunning is the caller's to
	// carry out once Claim has returned it.
	Runs []Run
	// Quarantine, if not empty, takes the job out of service with this reason.
	Quarantine string
}

// Claimed is a job with runs of it. The job is as it was before the claim.
type Claimed struct {
	Job  Job
	Runs []Run
}

// Records is what the runs of a node have to tell the store.
type Records struct {
	Output []Chunk
	Drops  []Drop // applied after Output
	Ends   []Run  // applied last: State, Reason, Message, StartedAt, EndedAt, ExitCode, OutputSize, OutputKept are taken
}

// Chunk is a piece of a run's output.
type Chunk struct {
	RunID   string
	Attempt int
	// Offset counts the bytes that the run wrote before this chunk, over
	// both streams.
	Offset int64
	Stream Stream
	// At is when the first byte of the chunk arrived.
	At   time.Time
	Data []byte
}

// Drop deletes the chunks of a run that lie wholly within [From, To).
type Drop struct {
	RunID    string
	Attempt  int
	From, To int64
}

// Stream tells the two output streams of a task apart.
type Stream string

// The streams.
const (
	Stdout Stream = "stdout"
	Stderr Stream = "stderr"
)

// JobQuery filters and orders a list of jobs. The zero value lists the first
// 50 jobs by id.
type JobQuery struct {
	// Search keeps jobs whose id, name, arguments or tags contain all its
	// words, in any case.
	Search string
	Tag    string   // keeps jobs that carry this tag
	State  JobState // keeps jobs in this state
	Task   string   // keeps jobs of this task
	Sort   JobSort  // empty: by id
	Desc   bool
	Limit  int    // 1 to 500; zero means 50
	Cursor string // from JobPage.NextCursor; empty for the first page
}

// JobSort is what a list of jobs is ordered by; the id breaks ties.
type JobSort string

// The orders. Jobs without a next fire time, and paused ones, come last
// whichever way SortByNextFireTime runs.
const (
	SortByID           JobSort = "id"
	SortByName         JobSort = "name"
	SortByNextFireTime JobSort = "next_fire_time"
	SortByCreatedAt    JobSort = "created_at"
)

// JobPage is a page of jobs. NextCursor is empty on the last one.
type JobPage struct {
	Jobs       []Job
	NextCursor string
}

// RunQuery filters a list of runs. The zero value lists the newest 50.
type RunQuery struct {
	JobID  string
	States []RunState // keeps runs in any of these; empty keeps all
	// From and To keep runs whose fire time is in [From, To); a zero bound is open.
	From, To time.Time
	Limit    int    // 1 to 500; zero means 50
	Cursor   string // from RunPage.NextCursor; empty for the first page
}

// RunPage is a page of runs. NextCursor is empty on the last one.
type RunPage struct {
	Runs       []Run
	NextCursor string
}

// ErrBadCursor says that a cursor is none that this list gave.
var ErrBadCursor = errors.New("bad cursor")
