package jobcenter

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/jobcenter-go/jobcenter/trigger"
)

// Errors that the scheduler's methods return, wrapped with what was asked.
var (
	// ErrInvalidJob: a job whose definition cannot be accepted. The error is
	// a *FieldError.
	ErrInvalidJob = errors.New("invalid job")
	// ErrNeverFires: a trigger that has no fire time after now.
	ErrNeverFires = errors.New("the trigger has no fire time after now")
	// ErrOverlap: a job cannot be started because it already has MaxInstances runs.
	ErrOverlap = errors.New("too many instances")
	// ErrNotRunning: a run cannot be stopped because it has ended, or is
	// running in another process.
	ErrNotRunning = errors.New("run is not running here")
)

// FieldError is an ErrInvalidJob that names the field, in the words of the
// JSON form, for example "trigger.hour" or "max_instances".
type FieldError struct {
	Field string
	Err   error // what was given and what is allowed
}

func (e *FieldError) Error() string { return e.Field + ": " + e.Err.Error() }

// Unwrap makes errors.Is find ErrInvalidJob and what is wrong with the field.
func (e *FieldError) Unwrap() []error { return []error{e.Err, ErrInvalidJob} }

func invalid(field, format string, args ...any) error {
	return &FieldError{Field: field, Err: fmt.Errorf(format, args...)}
}

// Add checks and stores a new job and returns it as stored. Its first fire
// time is counted from now. Errors: a *FieldError, ErrConflict if the id is
// taken, or what the store says.
func (s *Scheduler) Add(ctx context.Context, job Job) (Job, error) {
	now := time.Now()
	if job.ID == "" {
		job.ID = newID(now)
	}
	job.Trigger = trigger.Anchor(job.Trigger, nil, now)
	job, err := s.checked(job)
	if err != nil {
		return Job{}, err
	}
	job.Version, job.Quarantine = 1, ""
	job.CreatedAt, job.UpdatedAt = microseconds(now), microseconds(now)
	if job.NextFireTime, err = firstFire(&job, now); err != nil {
		return Job{}, err
	}
	if err := s.store.AddJob(ctx, job); err != nil {
		return Job{}, err
	}
	s.signal()
	return job, nil
}

// firstFire returns the first fire time after now.
func firstFire(job *Job, now time.Time) (time.Time, error) {
	if trigger.AtStart(job.Trigger) {
		return AtStart(), nil
	}
	fire, ok := job.trigger().Next(now)
	if !ok {
		return time.Time{}, invalid("trigger", "%w", ErrNeverFires)
	}
	return microseconds(fire), nil
}

// jobID is what an id may look like: it stands in URLs, file names and logs.
var jobID = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._:-]{0,127}$`)

const (
	maxName = 200
	maxTags = 32
	maxTag  = 64
)

// checked returns the job with its defaults filled in, or a *FieldError.
func (s *Scheduler) checked(job Job) (Job, error) {
	job.Name = cmp.Or(job.Name, job.ID)
	job.Executor = cmp.Or(job.Executor, DefaultExecutor)
	job.Coalesce = cmp.Or(job.Coalesce, CoalesceLatest)
	job.Overlap = cmp.Or(job.Overlap, OverlapSkip)
	if job.MaxInstances == 0 {
		job.MaxInstances = 1
	}
	if job.MisfireGrace < 0 {
		job.MisfireGrace = NeverTooLate
	}
	job.Tags = slices.Clone(job.Tags)
	for i, tag := range job.Tags {
		if tag == "" || utf8.RuneCountInString(tag) > maxTag || !printable(tag) {
			return Job{}, invalid("tags", "%q, a tag is 1 to %d printable characters", tag, maxTag)
		}
		if slices.Contains(job.Tags[:i], tag) {
			return Job{}, invalid("tags", "%q stands there twice", tag)
		}
	}
	switch {
	case !jobID.MatchString(job.ID):
		return Job{}, invalid("id", "%q, allowed are 1 to 128 letters, digits and . _ : - beginning with a letter or digit", job.ID)
	case utf8.RuneCountInString(job.Name) > maxName || !printable(job.Name):
		return Job{}, invalid("name", "%q, allowed are up to %d printable characters", job.Name, maxName)
	case s.opts.Tasks[job.Task] == nil:
		return Job{}, invalid("task", "unknown task %q, known: %s", job.Task, strings.Join(s.taskNames, ", "))
	case len(job.Args) > 0 && !json.Valid(job.Args):
		return Job{}, invalid("args", "not a JSON value")
	case job.Trigger == nil:
		return Job{}, invalid("trigger", "is missing")
	case s.opts.Executors[job.Executor] == nil:
		return Job{}, invalid("executor", "unknown executor %q, known: %s", job.Executor, strings.Join(slices.Sorted(maps.Keys(s.opts.Executors)), ", "))
	case job.Coalesce != CoalesceLatest && job.Coalesce != CoalesceEarliest && job.Coalesce != CoalesceAll:
		return Job{}, invalid("coalesce", "%q, allowed: latest, earliest, all", job.Coalesce)
	case job.Overlap != OverlapSkip:
		return Job{}, invalid("overlap", "%q, allowed: skip", job.Overlap)
	case job.MaxInstances < 1 || job.MaxInstances > maxCatchUp:
		return Job{}, invalid("max_instances", "%d, allowed: 1 to %d", job.MaxInstances, maxCatchUp)
	case job.Timeout < 0:
		return Job{}, invalid("timeout", "%s, must not be negative", job.Timeout)
	case len(job.Tags) > maxTags:
		return Job{}, invalid("tags", "%d of them, allowed are up to %d", len(job.Tags), maxTags)
	}
	if err := trigger.Check(job.Trigger); err != nil {
		field := "trigger"
		if wrong, ok := errors.AsType[*trigger.Error](err); ok && wrong.Field != "" {
			field += "." + wrong.Field
		}
		return Job{}, &FieldError{Field: field, Err: err}
	}
	if v, ok := s.opts.Tasks[job.Task].(Validator); ok {
		if err := v.ValidateArgs(job.Args); err != nil {
			if field := (*FieldError)(nil); errors.As(err, &field) {
				return Job{}, err
			}
			return Job{}, &FieldError{Field: "args", Err: err}
		}
	}
	return job, nil
}

func printable(text string) bool {
	return utf8.ValidString(text) && !strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r == 0x7f })
}

// Modify lets change alter a job's definition; what it does to the fields
// kept by the engine, and to the id, is ignored. If anything changed, the
// version grows. A new trigger gives a new next fire time, counted from now;
// otherwise it stays, and so does the phase of an interval. change may be
// called again; an error of it is returned as it is. Other errors:
// ErrJobNotFound, a *FieldError, what the store says.
func (s *Scheduler) Modify(ctx context.Context, id string, change func(*Job) error) (Job, error) {
	return s.update(ctx, id, func(job Job, active int, now time.Time) (Job, []Run, error) {
		altered := cloneJob(job)
		if err := change(&altered); err != nil {
			return Job{}, nil, err
		}
		altered.ID, altered.Version, altered.Quarantine = job.ID, job.Version, job.Quarantine
		altered.NextFireTime, altered.CreatedAt, altered.UpdatedAt = job.NextFireTime, job.CreatedAt, job.UpdatedAt
		altered.Trigger = trigger.Anchor(altered.Trigger, job.Trigger, now)
		altered, err := s.checked(altered)
		if err != nil {
			return Job{}, nil, err
		}
		sameTrigger := sameTrigger(job.Trigger, altered.Trigger)
		if sameTrigger && sameDefinition(job, altered) {
			return job, nil, nil
		}
		// What the old definition still owed is settled by its own rules.
		rows, next := settle(job, active, now)
		altered.NextFireTime = next
		if !sameTrigger {
			if altered.NextFireTime, err = firstFire(&altered, now); err != nil {
				return Job{}, nil, err
			}
			altered.Quarantine = ""
		}
		altered.Version, altered.UpdatedAt = job.Version+1, microseconds(now)
		return altered, rows, nil
	})
}

// settle decides what becomes of a job's fire times up to now, and returns
// the first one after it.
func settle(job Job, active int, now time.Time) (rows []Run, next time.Time) {
	if job.Paused {
		return passed(job, now, ReasonPaused)
	}
	d := plan(job, active, now)
	return d.Runs, d.Next
}

// sameDefinition compares what a caller can set, but for the trigger.
func sameDefinition(a, b Job) bool {
	return a.Name == b.Name && a.Task == b.Task && bytes.Equal(a.Args, b.Args) && a.Executor == b.Executor &&
		a.MisfireGrace == b.MisfireGrace && a.Coalesce == b.Coalesce && a.Overlap == b.Overlap &&
		a.MaxInstances == b.MaxInstances && a.Timeout == b.Timeout && slices.Equal(a.Tags, b.Tags) && a.Paused == b.Paused
}

func sameTrigger(a, b trigger.Trigger) bool {
	before, err := trigger.Marshal(a)
	after, err2 := trigger.Marshal(b)
	if err != nil || err2 != nil {
		return reflect.DeepEqual(a, b)
	}
	return bytes.Equal(before, after)
}

// update changes a job in one transaction at one instant, and wakes the loop.
func (s *Scheduler) update(ctx context.Context, id string, change func(job Job, active int, now time.Time) (Job, []Run, error)) (Job, error) {
	job, err := s.store.UpdateJob(ctx, id, func(job Job, active int) (Job, []Run, error) {
		return change(job, active, time.Now())
	})
	if err != nil {
		return Job{}, err
	}
	s.queued()
	return job, nil
}

// Pause stops a job from firing until it is resumed. Runs that are queued or
// running go on. Pausing a paused job changes nothing. ErrJobNotFound.
func (s *Scheduler) Pause(ctx context.Context, id string) (Job, error) {
	return s.setPaused(ctx, id, true)
}

// Resume lets a job fire again, from its next fire time after now. The fire
// times that passed meanwhile are recorded as skipped, in one row. Resuming a
// job that is not paused changes nothing. ErrJobNotFound.
func (s *Scheduler) Resume(ctx context.Context, id string) (Job, error) {
	return s.setPaused(ctx, id, false)
}

// setPaused is a Modify that asks nothing of the rest of the definition, so
// that even a job which could no longer be added can be paused.
func (s *Scheduler) setPaused(ctx context.Context, id string, paused bool) (Job, error) {
	return s.update(ctx, id, func(job Job, active int, now time.Time) (Job, []Run, error) {
		if job.Paused == paused {
			return job, nil, nil
		}
		rows, next := settle(job, active, now)
		job.Paused, job.NextFireTime = paused, next
		job.Version, job.UpdatedAt = job.Version+1, microseconds(now)
		return job, rows, nil
	})
}

// Remove removes a job. Its queued runs, and fire times that were due but not
// yet claimed, are recorded as skipped; runs that are going on end as they
// will; the ledger stays. ErrJobNotFound.
func (s *Scheduler) Remove(ctx context.Context, id string) error {
	return s.store.RemoveJob(ctx, id, func(job Job) []Run {
		reason := ReasonRemoved
		if job.Paused {
			reason = ReasonPaused
		}
		rows, _ := passed(job, time.Now(), reason)
		return rows
	})
}

// RunNow starts a job by hand, paused or not, and returns the queued run. Its
// fire time is now. The actor says who asked for it, and may be empty.
// ErrJobNotFound, ErrOverlap if the job has MaxInstances runs already.
func (s *Scheduler) RunNow(ctx context.Context, id string, origin Origin, actor string) (Run, error) {
	if origin != OriginManual && origin != OriginAPI {
		return Run{}, fmt.Errorf("jobcenter: run job %q: origin %q, allowed: manual, api", id, origin)
	}
	var run Run
	for shift := time.Duration(0); ; shift += time.Microsecond {
		_, err := s.update(ctx, id, func(job Job, active int, now time.Time) (Job, []Run, error) {
			if job.Quarantine != "" {
				return Job{}, nil, fmt.Errorf("jobcenter: run job %q: %w: it is in quarantine: %s", id, ErrConflict, job.Quarantine)
			}
			if active >= job.MaxInstances {
				return Job{}, nil, fmt.Errorf("jobcenter: run job %q: %w: %d queued or running, max_instances is %d", id, ErrOverlap, active, job.MaxInstances)
			}
			run = newRun(&job, microseconds(now.Add(shift)), origin, now)
			run.Actor = actor
			return job, []Run{run}, nil
		})
		if err != nil {
			return Run{}, err
		}
		// A fire time that has its row already is not given a second one. If
		// it was given, the run has begun, whoever has stopped waiting for it.
		if _, err := s.store.Run(context.WithoutCancel(ctx), run.ID); !errors.Is(err, ErrRunNotFound) {
			return run, err
		}
	}
}
