package jobcenter

import (
	"context"
	"encoding/json"
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
//
// A stored job whose trigger cannot be decoded is returned like any other, but
// without a Trigger and with Quarantine set; its JSON form still has the
// trigger as it is stored (Job.UnmarshalJSON makes such a job).
//
// Texts are told apart byte by byte: ids, names of tasks, executors and nodes,
// tags, limit keys and series. Job.Store is not kept: it is the scheduler's
// name for the store.
type JobStore interface {
	// AddJobs stores the new jobs that create returns, as they are given, all or
	// none. create is called within the transaction, so that the instant it
	// takes comes after every removal that has been seen. ErrConflict if an id
	// is taken, or given twice; an error of create ends the transaction and is
	// returned unwrapped. A store that outlives the process refuses a job with
	// a Func (ErrFuncJob) or with a trigger that has no JSON form, here and in
	// UpdateJob.
	AddJobs(ctx context.Context, create func() ([]Job, error)) error
	// Job returns one job; ErrJobNotFound.
	Job(ctx context.Context, id string) (Job, error)
	// Jobs lists jobs by filter, in order, a page at a time.
	Jobs(ctx context.Context, q JobQuery) (JobPage, error)
	// UpdateJob lets change decide, within one transaction, what becomes of a
	// job, given the job and its runs that go on. The job that change returns
	// replaces the stored one, and its runs, whose ids are new, are inserted,
	// but for those whose fire time and series are in the ledger already (of
	// two in one call, the first counts). A trigger that cannot be decoded
	// stays as it is stored until the job is given another. An error of change
	// ends the transaction and is returned unwrapped. ErrJobNotFound.
	UpdateJob(ctx context.Context, id string, change func(job Job, active Active) (Job, []Run, error)) (Job, error)
	// RemoveJob removes a job in one transaction. Runs of it that are queued
	// are ended as skipped with ReasonRemoved; the runs that last returns are
	// inserted as by UpdateJob; all other runs, and their output, stay.
	// ErrJobNotFound.
	RemoveJob(ctx context.Context, id string, last func(job Job) []Run) error

	// NextDue returns the earliest Job.DueAt of all jobs that the caller can
	// take. ok is false if there is none.
	NextDue(ctx context.Context, can Can) (at time.Time, ok bool, err error)
	// Claim takes up to limit jobs that the caller can take and whose DueAt is
	// at or before now, each once, by DueAt, then the highest priority, then
	// id. In one transaction it lets decide say what becomes of each, given
	// its runs that go on, in that order: the job's fields are set and the runs
	// are inserted as by UpdateJob: one that is left out was decided before.
	// Returned, in that order, are the jobs with the runs that were inserted;
	// a shorter list than limit means that no more were due. A stored job that
	// cannot be decoded is put in quarantine without a word to decide, and
	// returned without runs and with Quarantine set; its fire times stay.
	Claim(ctx context.Context, can Can, now time.Time, limit int, decide func(job Job, active Active) Decision) ([]Claimed, error)
	// TakeQueued takes up to limit runs that are queued for an executor (that
	// of the run, whatever the job names now), whose job's task the caller
	// has, and whose NotBefore is not after now, or was not after that of an
	// earlier call: the highest priority first, then by Turn. In one
	// transaction it replaces each by what start returns for it (id, job, fire
	// time and series stay). Passed over are runs whose job has MaxInstances
	// (zero counts as 1) running already, and those of a LimitKey that has
	// Limit.Running runs running, or Limit.Rate runs whose StartedAt is later
	// than now - Limit.Per, whatever became of them. The key is that of the
	// runs, of whatever job; the numbers are those of the job as it is now.
	// What was taken just before counts, and may count as running even if
	// start has ended it. A queued run whose job is gone is ended as skipped
	// with ReasonRemoved, not passed to start, and takes no place.
	//
	// Returned, in that order, are the runs that start was asked about, as
	// they are now; next is the earliest NotBefore after now among all runs
	// queued for the executor, zero if there is none.
	TakeQueued(ctx context.Context, can Can, executor string, now time.Time, limit int, start func(job Job, run Run) Run) (taken []Claimed, next time.Time, err error)
	// CountQueued counts the runs that are queued for an executor, those that
	// may not start yet included, up to limit.
	CountQueued(ctx context.Context, executor string, limit int) (int, error)
	// Record writes output and ends of runs, all or nothing. What belongs to
	// a run that is not running, or whose newest attempt is another one, is
	// left out silently: who wrote it no longer holds the run. So is a chunk
	// that is there already, and the second end of a run: records may be sent
	// again when it is not known whether they were written.
	Record(ctx context.Context, records Records) error
	// RequestStop ends a queued run as stopped with ReasonStop, by as its
	// message and StopBy, and now as its end; sets StopBy of a running one if
	// that is empty; and leaves one that has ended as it is. It returns the
	// run as it is then. ErrRunNotFound.
	RequestStop(ctx context.Context, runID, by string, now time.Time) (Run, error)
	// Held returns the running runs of a node: what their holder must know.
	Held(ctx context.Context, node string) ([]Hold, error)

	// Run returns one run; ErrRunNotFound.
	Run(ctx context.Context, id string) (Run, error)
	// Runs lists runs by filter, newest fire time first, a page at a time.
	Runs(ctx context.Context, q RunQuery) (RunPage, error)
	// LastRuns returns for each of these jobs the run with the latest fire
	// time among those whose state is neither missed, skipped nor queued; jobs
	// without one are left out.
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

// Can says what a scheduler can take: jobs of these tasks and executors.
type Can struct{ Tasks, Executors []string }

// Active counts the runs of a job that go on.
type Active struct{ Queued, Running int }

// Decision is what becomes of a due job.
type Decision struct {
	// Next and Previous become the job's NextFireTime and PreviousFireTime.
	Next, Previous time.Time
	// Runs are the rows to insert. A run in RunRunning is the caller's to
	// carry out once Claim has returned it.
	Runs []Run
	// Quarantine, if not empty, takes the job out of service with this reason.
	Quarantine string
	// Resume ends the job's pause: Paused, PausedUntil and PauseReason are reset.
	Resume bool
	// StopRunning, if not empty, becomes StopBy of the job's running runs
	// (but for those of this decision) where that is empty.
	StopRunning string
}

// Claimed is a job with runs of it. The job is as it was before the claim.
type Claimed struct {
	Job  Job
	Runs []Run
}

// Hold is what the holder of a running run must know of it.
type Hold struct {
	RunID   string
	Attempt int
	StopBy  string
}

// Records is what the runs of a node have to tell the store.
type Records struct {
	Output []Chunk
	Drops  []Drop // applied after Output
	// Ends are applied after Drops: State, Reason, Message, StartedAt,
	// EndedAt, ExitCode, Result, OutputSize and OutputKept are taken. A run in
	// RunQueued does not end but goes back into the queue for its next
	// attempt: of it, Node, NotBefore and Turn are taken as well. StopBy stays
	// as it is in the store: a stop that was asked for meanwhile is not lost.
	Ends []Run
	// Carries are applied together with the ends, for runs that are held.
	Carries []Carry
}

// Carry is what a run leaves with its job.
type Carry struct {
	RunID, JobID string
	Attempt      int
	// Carried and Result replace Job.Carried and Job.LastResult, and nothing
	// else of the job changes; nil leaves what is there. Of two for one job the
	// later one counts. A job that is gone is no error.
	Carried, Result json.RawMessage
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
	// Search keeps jobs whose id, name, description, arguments or tags contain
	// all its words, each within one of these, as literal text in any case
	// (texts are compared as strings.ToLower makes them).
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

// The orders. SortByNextFireTime goes by Job.DueAt; jobs without one come last
// whichever way it runs.
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
