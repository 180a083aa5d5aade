package jobcenter

import (
	"encoding/json"
	"time"
)

// Run is one row of the ledger: what became of one fire time of a job, of one
// start by hand, or of a span of neighbouring fire times that did not run for
// the same reason.
type Run struct {
	// ID is a UUID of version 7, so that ids sort by the time they were made.
	ID string `json:"id"`
	// JobID and JobVersion say which job, and which version of it, the run
	// belongs to. The job may have been removed since; its runs stay.
	JobID      string `json:"job_id"`
	JobVersion int64  `json:"job_version"`
	// FireTime is the nominal time, unique within the job and series. For a
	// span it is the first one.
	FireTime time.Time `json:"fire_time"`
	// Series is empty for what the schedule and people start, and else the
	// name of the backfill that the run belongs to, which may repeat fire times.
	Series string `json:"series,omitempty"`
	// LastFireTime and FireCount describe a span of fire times that did not
	// run: the last one and how many. For a single fire time they are
	// FireTime and 1.
	LastFireTime time.Time `json:"last_fire_time"`
	FireCount    int64     `json:"fire_count"`
	// Origin says what started the run.
	Origin Origin `json:"origin"`
	// Actor says who started it, when it was not the schedule. May be empty.
	Actor string `json:"actor,omitempty"`
	// Args are arguments in place of the job's. Empty means the job's.
	Args json.RawMessage `json:"args,omitempty"`
	// State is where the run stands, Reason why (one of the Reason
	// constants, empty for a plain success), Message the detail in words. A
	// run that waits for or is in a further attempt keeps the reason and the
	// message of the last one.
	State   RunState `json:"state"`
	Reason  Reason   `json:"reason,omitempty"`
	Message string   `json:"message,omitempty"`
	// Attempt is the number of the newest try, from 1; 0 when none was made.
	// Only the holder of the newest attempt may change the run: it is the
	// fencing number of what the task does.
	Attempt int `json:"attempt"`
	// Node and Executor say where the newest attempt runs or ran.
	Node     string `json:"node,omitempty"`
	Executor string `json:"executor"`
	// Priority is that of the job when the run was made.
	Priority int `json:"priority,omitempty"`
	// LimitKey is the key of the job's limit when the run was made.
	LimitKey string `json:"limit_key,omitempty"`
	// NotBefore is until when a queued run waits, whatever is free. Zero
	// means that it may start at once.
	NotBefore time.Time `json:"not_before,omitzero"`
	// Turn orders queued runs of the same executor and priority: the earliest
	// is taken first. It is later for a job that has others waiting, so that
	// jobs take turns.
	Turn time.Time `json:"turn,omitzero"`
	// StopBy is not empty once somebody has asked for the run to be stopped:
	// who, or why.
	StopBy string `json:"stop_by,omitempty"`
	// StartedAt and EndedAt are when the newest attempt started, and when the
	// run reached its final state. Zero if it did not (yet).
	StartedAt time.Time `json:"started_at,omitzero"`
	EndedAt   time.Time `json:"ended_at,omitzero"`
	// ExitCode is what the task's process returned; nil when there was none.
	ExitCode *int `json:"exit_code,omitempty"`
	// Result is what the task returned, a JSON value; empty for none.
	Result json.RawMessage `json:"result,omitempty"`
	// OutputSize is how many bytes the run wrote, those that were not kept
	// included; OutputKept is how many of them the store holds.
	OutputSize int64 `json:"output_size,omitempty"`
	OutputKept int64 `json:"output_kept,omitempty"`
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
	RunQueued    RunState = "queued"    // due, waits for its executor or its next attempt
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
	ReasonCatchUp     Reason = "catch_up"     // skipped: beyond the bounds of Job.CatchUp
	ReasonOverlap     Reason = "overlap"      // skipped: the job already had its runs
	ReasonQueueFull   Reason = "queue_full"   // skipped: its executor had too many runs waiting
	ReasonPaused      Reason = "paused"       // skipped: the job was paused
	ReasonSkip        Reason = "skip"         // skipped: somebody asked for it
	ReasonCalendar    Reason = "calendar"     // skipped: closed by the trigger's calendar
	ReasonVeto        Reason = "veto"         // skipped, or stopped before a further attempt: the program's veto
	ReasonRemoved     Reason = "removed"      // skipped: the job was removed before it could run
	ReasonError       Reason = "error"        // failed: the task returned an error
	ReasonExitCode    Reason = "exit_code"    // failed: the process ended with a code other than 0
	ReasonSignal      Reason = "signal"       // failed: the process was ended by a signal nobody here sent
	ReasonPanic       Reason = "panic"        // failed: the task panicked
	ReasonStartFailed Reason = "start_failed" // failed: the task could not be started
	ReasonBadArgs     Reason = "bad_args"     // failed: the arguments cannot be decoded
	ReasonTimeout     Reason = "timeout"      // timed_out: took longer than Job.Timeout
	ReasonStop        Reason = "stop"         // stopped: somebody asked for it
	ReasonCancel      Reason = "cancel"       // stopped: the next run of the job took its place
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
	OriginBackfill Origin = "backfill" // Scheduler.Backfill
	OriginChain    Origin = "chain"    // the end of another run
)
