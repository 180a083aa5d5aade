package jobcenter

import (
	"encoding/json"
	"time"

	"github.com/jobcenter-go/jobcenter/trigger"
)

// Job is a stored intent: which task to run, when, and by which rules.
//
// Only Task and Trigger must be set; the zero value of every other field is
// the documented default. The fields below "kept by the engine" are written
// by the scheduler and its store: values that a caller puts there are ignored.
type Job struct {
	// ID names the job: 1 to 128 characters of letters, digits and . _ : -
	// (a letter or digit first). Empty means that Add makes one. It is unique
	// over all stores of a scheduler.
	ID string
	// Name is what people call the job. Empty means the same as ID. It need
	// not be unique.
	Name string
	// Description is for people; up to 2,000 characters.
	Description string
	// Tags are free words to find jobs by, and to name a group of them.
	Tags []string

	// Task is the name under which the scheduler knows what to do. Empty
	// together with Func.
	Task string
	// Func is what to do for a job that exists in this process only: the
	// memory store takes it, every other store refuses it.
	Func TaskFunc
	// Args are the task's arguments as a JSON value. Empty means none.
	Args json.RawMessage
	// Trigger says when the job fires.
	Trigger trigger.Trigger
	// Store names the job store that keeps the job. Empty means DefaultStore.
	// It cannot change.
	Store string
	// Executor names the executor that carries out the runs. Empty means
	// DefaultExecutor.
	Executor string
	// Priority decides which of several runs starts first when they are due
	// at the same instant or wait for the same executor: the highest. -1000
	// to 1000.
	Priority int

	// MisfireGrace is how late a run may start after its fire time. A fire
	// time that cannot be met within it is recorded as missed. Zero means
	// one minute for a job that fires more often than hourly, else one hour;
	// NeverTooLate (or any negative duration) means no limit.
	MisfireGrace time.Duration
	// Coalesce says what becomes of several fire times that are due at once.
	// Empty means CoalesceLatest.
	Coalesce Coalesce
	// CatchUp bounds the runs of CoalesceAll.
	CatchUp CatchUp
	// Overlap says what becomes of a fire time while MaxInstances runs of the
	// job are queued or running. Empty means OverlapSkip.
	Overlap Overlap
	// MaxInstances is how many runs of the job may be running at once, over
	// all schedulers that share the store. Zero means 1.
	MaxInstances int
	// Limit bounds the runs of all jobs that name the same key, over all
	// schedulers that share the store.
	Limit Limit
	// Timeout is how long an attempt may take before it is ended and counts
	// as timed out. Zero means no limit.
	Timeout time.Duration
	// Retry says which failures are tried again. The zero value: none.
	Retry Retry
	// RequestsRecovery says that a run whose node died is tried again, up to
	// the greater of Retry.Attempts and MaxRecoveries attempts in all. Without
	// it the run is recorded as lost.
	RequestsRecovery bool

	// Paused jobs do not fire. The fire times that pass meanwhile are
	// recorded as skipped when the job is resumed.
	Paused bool
	// PausedUntil is when a paused job resumes by itself. Zero means never.
	PausedUntil time.Time
	// PauseReason says why it is paused, for people.
	PauseReason string
	// SkipUntil has all fire times up to and including this instant recorded
	// as skipped. Zero means none.
	SkipUntil time.Time

	// Kept by the engine.

	// Version grows by one with each change of the definition, from 1.
	Version int64
	// NextFireTime is the earliest fire time not yet recorded as a run. Zero
	// means that there is none: the job has finished. A paused job, and one
	// in quarantine, keeps the value that it had. AtStart for one that runs
	// when a scheduler starts.
	NextFireTime time.Time
	// PreviousFireTime is the latest fire time that was recorded. Zero means
	// that there was none.
	PreviousFireTime time.Time
	// Quarantine says why the job cannot be understood and is therefore not
	// fired; empty for a sound job. Such a job is kept and shown, never deleted.
	Quarantine string
	// Carried is what the last run that called RunContext.Carry left for the next.
	Carried json.RawMessage
	// LastResult is what the last run that succeeded returned.
	LastResult json.RawMessage
	// CreatedAt and UpdatedAt are when the job was added and last changed.
	CreatedAt, UpdatedAt time.Time

	// rawTrigger is the trigger as it is stored while it cannot be decoded.
	rawTrigger json.RawMessage
}

// NeverTooLate as Job.MisfireGrace lets a run start however late it is.
const NeverTooLate time.Duration = -1

// AtStart as Job.NextFireTime stands for a fire at the next start of a
// scheduler, see [trigger.AtStart]. It is later than any other fire time, so
// such jobs are never due and come last among those that are to fire.
func AtStart() time.Time { return time.Date(9999, 12, 31, 23, 59, 59, 999_999_000, time.UTC) }

// The names of the executor and of the store that a job has which names none.
const (
	DefaultExecutor = "default"
	DefaultStore    = "default"
)

// MaxRecoveries is how many attempts a job that requests recovery gets after
// deaths of its node, unless Retry.Attempts is more: a run that kills every
// process which tries it must come to an end.
const MaxRecoveries = 3

// Coalesce says what becomes of several fire times of a job that are due at once.
type Coalesce string

// The choices of Coalesce. A fire time that is rolled into another one's run
// is recorded as skipped with ReasonCoalesced.
const (
	CoalesceLatest   Coalesce = "latest"   // one run, for the latest fire time (the default)
	CoalesceEarliest Coalesce = "earliest" // one run, for the earliest fire time
	CoalesceAll      Coalesce = "all"      // a run for every fire time, within CatchUp
)

// CatchUp bounds what CoalesceAll makes up for. Fire times beyond a bound are
// recorded as skipped with ReasonCatchUp. The zero value: 1,000 runs at most.
type CatchUp struct {
	// Max is how many fire times are made up for at once, the latest ones. Zero
	// means 1,000, which is also the most.
	Max int `json:"max,omitempty"`
	// MaxAge is how old a fire time may be to be made up for. Zero means any
	// age (that the misfire grace allows).
	MaxAge time.Duration `json:"-"`
	// Pace is the time between the starts of two runs that were due at once.
	// Zero means none.
	Pace time.Duration `json:"-"`
}

// Overlap says what becomes of a fire time while the job already has
// Job.MaxInstances runs.
type Overlap string

// The choices of Overlap. A fire time that does not run is recorded as
// skipped with ReasonOverlap.
const (
	OverlapSkip     Overlap = "skip"      // it does not run (the default)
	OverlapQueueOne Overlap = "queue_one" // one waits until a running one ends, further ones do not run
	OverlapQueueAll Overlap = "queue_all" // all wait, up to 1,000
	OverlapCancel   Overlap = "cancel"    // the running ones are stopped, and it runs when they have ended
)

// Limit bounds the runs of all jobs that share a key. Each job is held to the
// numbers that it names itself. The zero value: no limit.
type Limit struct {
	// Key is what the limit is counted by: 1 to 128 printable characters,
	// such as the name of a server that the jobs work on.
	Key string `json:"key,omitempty"`
	// Running is how many runs of the key may be running at once. Zero means
	// any number.
	Running int `json:"running,omitempty"`
	// Rate is how many runs of the key may start within any span of length
	// Per. Zero means any number; else Per must be 1 ms to 24 h. A run that is
	// tried again counts once, with its last start. One that waits for the rate
	// may start up to Options.PollInterval later than it could.
	Rate int           `json:"rate,omitempty"`
	Per  time.Duration `json:"-"`
}

// Retry says which failures of a run are tried again, and when. A run whose
// attempt failed waits in the queue for its next one; it ends with the last.
type Retry struct {
	// Attempts is how many there are at most, the first one included. Zero
	// means 1; 100 is the most.
	Attempts int `json:"attempts,omitempty"`
	// Delay is the time between the end of the first attempt and the second;
	// each later one is Factor times the one before, up to MaxDelay. Zero
	// means 1 s, 2 (if Factor is below 1), and one hour.
	Delay    time.Duration `json:"-"`
	Factor   float64       `json:"factor,omitempty"`
	MaxDelay time.Duration `json:"-"`
	// Jitter is the part of each delay, 0 to 1, that chance (chosen by run
	// and attempt) may add.
	Jitter float64 `json:"jitter,omitempty"`
	// On names the reasons that are tried again: ReasonError, ReasonExitCode,
	// ReasonSignal, ReasonPanic, ReasonStartFailed, ReasonTimeout. Empty means
	// all of these. An error that is marked with NoRetry never is.
	On []Reason `json:"on,omitempty"`
	// ExitCodes narrows ReasonExitCode down to these codes. Empty means any.
	ExitCodes []int `json:"exit_codes,omitempty"`
}

// JobState is a job's state as a person would name it, derived from its fields.
type JobState string

// The states of a job.
const (
	JobActive      JobState = "active"      // has a next fire time, AtStart included
	JobPaused      JobState = "paused"      // fires only when started by hand
	JobFinished    JobState = "finished"    // its trigger gives no further fire time
	JobQuarantined JobState = "quarantined" // cannot be understood; see Job.Quarantine
)

// trigger gives the trigger with the values that the job's id chooses.
func (j *Job) trigger() trigger.Trigger {
	t := trigger.ForJob(j.Trigger, j.ID)
	if t != nil && trigger.Type(t) == "" {
		return wholeMicroseconds{t}
	}
	return t
}

// wholeMicroseconds is a trigger of the program's own, with fire times as
// stores keep them: one that is the same for a store as the last is none.
type wholeMicroseconds struct{ inner trigger.Trigger }

// Next implements trigger.Trigger.
func (w wholeMicroseconds) Next(after time.Time) (time.Time, bool) {
	for at := after; ; {
		fire, ok := w.inner.Next(at)
		if kept := microseconds(fire); !ok || kept.After(after) || !fire.After(at) {
			return kept, ok
		}
		at = fire
	}
}

// State derives the job's state.
func (j *Job) State() JobState {
	switch {
	case j.Quarantine != "":
		return JobQuarantined
	case j.Paused:
		return JobPaused
	case j.NextFireTime.IsZero():
		return JobFinished
	default:
		return JobActive
	}
}

// DueAt is the instant from which a store hands the job to Claim: its next
// fire time or, for one that is paused, when it is to resume. Zero means that
// it is not to be claimed.
func (j *Job) DueAt() time.Time {
	switch {
	case j.Quarantine != "" || j.NextFireTime.IsZero():
		return time.Time{}
	case j.Paused:
		return j.PausedUntil
	default:
		return j.NextFireTime
	}
}
