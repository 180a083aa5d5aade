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
	// ID names the job within its store: 1 to 128 characters of letters,
	// digits and . _ : - (a letter or digit first). Empty means that Add makes one.
	ID string
	// Name is what people call the job. Empty means the same as ID. It need
	// not be unique.
	Name string
	// Task is the name under which the scheduler knows what to do.
	Task string
	// Args are the task's arguments as a JSON value. Empty means none.
	Args json.RawMessage
	// Trigger says when the job fires.
	Trigger trigger.Trigger
	// Executor names the executor that carries out the runs. Empty means
	// DefaultExecutor.
	Executor string
	// MisfireGrace is how late a run may start after its fire time. A fire
	// time that cannot be met within it is recorded as missed. Zero means
	// one minute for a job that fires more often than hourly, else one hour;
	// NeverTooLate (or any negative duration) means no limit.
	MisfireGrace time.Duration
	// Coalesce says what becomes of several fire times that are due at once.
	// Empty means CoalesceLatest.
	Coalesce Coalesce
	// Overlap says what becomes of a fire time while MaxInstances runs of the
	// job are queued or running. Empty means OverlapSkip.
	Overlap Overlap
	// MaxInstances is how many runs of the job may be queued or running at
	// once, over all schedulers that share the store. Zero means 1.
	MaxInstances int
	// Timeout is how long a run may take before it is ended and recorded as
	// timed out. Zero means no limit.
	Timeout time.Duration
	// Tags are free words to find jobs by.
	Tags []string
	// Paused jobs do not fire. The fire times that pass meanwhile are
	// recorded as skipped when the job is resumed.
	Paused bool

	// Kept by the engine.

	// Version grows by one with each change of the definition, from 1.
	Version int64
	// NextFireTime is the earliest fire time not yet recorded as a run. Zero
	// means that there is none: the job has finished or is quarantined. A
	// paused job keeps the value it had when it was paused. AtStart for one
	// that runs when a scheduler starts.
	NextFireTime time.Time
	// Quarantine says why the job cannot be understood and is therefore not
	// fired; empty for a sound job. Such a job is kept and shown, never deleted.
	Quarantine string
	// CreatedAt and UpdatedAt are when the job was added and last changed.
	CreatedAt, UpdatedAt time.Time
}

// NeverTooLate as Job.MisfireGrace lets a run start however late it is.
const NeverTooLate time.Duration = -1

// AtStart as Job.NextFireTime stands for a fire at the next start of a
// scheduler, see [trigger.AtStart]. It is later than any other fire time, so
// such jobs are never due and come last among those that are to fire.
func AtStart() time.Time { return time.Date(9999, 12, 31, 23, 59, 59, 999_999_000, time.UTC) }

// DefaultExecutor is the name of the executor that a job uses which names none.
const DefaultExecutor = "default"

// Coalesce says what becomes of several fire times of a job that are due at once.
type Coalesce string

// The choices of Coalesce. A fire time that is rolled into another one's run
// is recorded as skipped with ReasonCoalesced.
const (
	CoalesceLatest   Coalesce = "latest"   // one run, for the latest fire time (the default)
	CoalesceEarliest Coalesce = "earliest" // one run, for the earliest fire time
	CoalesceAll      Coalesce = "all"      // a run for every fire time
)

// Overlap says what becomes of a fire time while the job already has
// Job.MaxInstances runs queued or running.
type Overlap string

// OverlapSkip records the fire time as skipped with ReasonOverlap.
const OverlapSkip Overlap = "skip"

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
func (j *Job) trigger() trigger.Trigger { return trigger.ForJob(j.Trigger, j.ID) }

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
