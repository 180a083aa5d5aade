package jobcenter

import "time"

// Run is one row of the ledger: what became of one fire time of a job, of one
// start by hand, or of a span of neighbouring fire times that did not run for
// the same reason.
type Run struct {
	// ID is a UUID of version 7, so that ids sort by the time they were made.
	ID string
	// JobID and JobVersion say which job, and which version of it, the run
	// belongs to. The job may have been removed since; its runs stay.
	JobID      string
	JobVersion int64
	// FireTime is the nominal time, unique within the job. For a span it is
	// the first one.
	FireTime time.Time
	// LastFireTime and FireCount describe a span of fire times that did not
	// run: the last one and how many. For a single fire time they are
	// FireTime and 1.
	LastFireTime time.Time
	FireCount    int64
	// Origin says what started the run.
	Origin Origin
	// Actor says who started it, when it was not the schedule. May be empty.
	Actor string
	// State is where the run stands, Reason why (one of the Reason
	// constants, empty for a plain success), Message the detail in words.
	State   RunState
	Reason  Reason
	Message string
	// Attempt is the number of the newest try, from 1; 0 when none was made.
	// Only the holder of the newest attempt may change the run.
	Attempt int
	// Node and Executor say where the newest attempt runs or ran.
	Node, Executor string
	// StartedAt and EndedAt are when the newest attempt started, and when the
	// run reached its final state. Zero if it did not (yet).
	StartedAt, EndedAt time.Time
	// ExitCode is what the task's process returned; nil when there was none.
	ExitCode *int
	// OutputSize is how many bytes the run wrote, those that were not kept
	// included; OutputKept is how many of them the store holds.
	OutputSize, OutputKept int64
}

// Lateness is how long after its fire time the run started; zero when it did
// not start.
func (r *Run) Lateness() time.Duration {
	if r.StartedAt.IsZero() {
		return 0
	}
	return r.StartedAt.Sub(r.FireTime)
}

// RunState is where a run stands.
type RunState string

// The states of a run. RunQueued and RunRunning are passing; all others are final.
const (
	RunQueued    RunState = "queued"    // due, waits for its executor
	RunRunning   RunState = "running"   // its task is being carried out
	RunSucceeded RunState = "succeeded" // the task ended well
	RunFailed    RunState = "failed"    // the task ended with an error
	RunTimedOut  RunState = "timed_out" // ended because it took longer than Job.Timeout
	RunStopped   RunState = "stopped"   // ended on somebody's demand
	RunLost      RunState = "lost"      // its node died; how far it got is not known
	RunMissed    RunState = "missed"    // never ran: too late
	RunSkipped   RunState = "skipped"   // never ran: a rule said so
)

// Final reports whether a run in this state will not change any more.
func (s RunState) Final() bool { return s != RunQueued && s != RunRunning }

// Reason says, in one word that programs can branch on, why a run is in its state.
type Reason string

// The reasons, and the states they go with.
const (
	ReasonMisfire     Reason = "misfire"      // missed: could not start within the grace time
	ReasonCoalesced   Reason = "coalesced"    // skipped: rolled into the run of another fire time
	ReasonOverlap     Reason = "overlap"      // skipped: the job already had MaxInstances runs
	ReasonPaused      Reason = "paused"       // skipped: the job was paused
	ReasonRemoved     Reason = "removed"      // skipped: the job was removed before it could run
	ReasonError       Reason = "error"        // failed: the task returned an error
	ReasonExitCode    Reason = "exit_code"    // failed: the process ended with a code other than 0
	ReasonSignal      Reason = "signal"       // failed: the process was ended by a signal nobody here sent
	ReasonPanic       Reason = "panic"        // failed: the task panicked
	ReasonStartFailed Reason = "start_failed" // failed: the task could not be started
	ReasonTimeout     Reason = "timeout"      // timed_out: took longer than Job.Timeout
	ReasonStop        Reason = "stop"         // stopped: somebody asked for it
	ReasonShutdown    Reason = "shutdown"     // stopped: interrupted because the scheduler shut down
	ReasonNodeDied    Reason = "node_died"    // lost: the process that ran it is gone
)

// Origin says what started a run.
type Origin string

// The origins. A retry is an attempt of the same run, not a run.
const (
	OriginSchedule Origin = "schedule" // the job's trigger
	OriginManual   Origin = "manual"   // a person
	OriginAPI      Origin = "api"      // a program
)
