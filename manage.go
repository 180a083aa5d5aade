package jobcenter

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

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
	// ErrNotRunning: a run cannot be stopped because it has ended.
	ErrNotRunning = errors.New("run is not running")
	// ErrFuncJob: a job with a Func for a store that outlives the process.
	ErrFuncJob = errors.New("a function can be kept by the memory store only: register it as a task and name that")
)

// Add checks and stores a new job and returns it as stored. Its first fire
// time is counted from now. Errors: a *FieldError, ErrConflict if the id is
// taken, ErrUnknown for its store, or what the store says.
func (s *Scheduler) Add(ctx context.Context, job Job) (Job, error) {
	added, err := s.AddAll(ctx, []Job{job})
	if err != nil {
		return Job{}, err
	}
	return added[0], nil
}

// AddAll adds jobs of one store in one transaction: all of them or none.
// Errors are those of Add.
func (s *Scheduler) AddAll(ctx context.Context, jobs []Job) ([]Job, error) {
	if len(jobs) == 0 {
		return nil, nil
	}
	k, err := s.keeper(jobs[0].Store)
	if err != nil {
		return nil, err
	}
	added := make([]Job, len(jobs))
	ids := make([]string, len(jobs))
	for i, job := range jobs {
		if job.Store != jobs[0].Store {
			return nil, invalid("store", "%q and %q, jobs that are added together have the same", jobs[0].Store, job.Store)
		}
		if job.ID == "" {
			job.ID = newID(time.Now())
		}
		if err := s.idFree(ctx, k, job.ID); err != nil {
			return nil, err
		}
		// Checked once here, so that the transaction is short.
		job.Trigger = trigger.Anchor(job.Trigger, nil, time.Now())
		if added[i], err = s.checked(job); err != nil {
			return nil, err
		}
		ids[i] = added[i].ID
	}
	release := s.events.hold(ids...)
	stored := make([]Job, len(jobs))
	err = k.store.AddJobs(ctx, func() ([]Job, error) {
		// The instant comes after that of the last job of this id, if there was one.
		now := time.Now()
		for i, job := range added {
			job.Trigger = trigger.Anchor(jobs[i].Trigger, nil, now)
			job.Version, job.Quarantine, job.PreviousFireTime, job.Carried, job.LastResult = 1, "", time.Time{}, nil, nil
			job.CreatedAt, job.UpdatedAt = microseconds(now), microseconds(now)
			var err error
			if job.NextFireTime, err = firstFire(&job, now); err != nil {
				return nil, err
			}
			stored[i] = job
		}
		return slices.Clone(stored), nil
	})
	if err != nil {
		release()
		return nil, err
	}
	events := make([]Event, len(stored))
	for i := range stored {
		events[i] = Event{Type: EventJobAdded, Store: k.name, Job: &stored[i]}
	}
	release(events...)
	k.signal()
	return stored, nil
}

// idFree makes sure that no other store has a job of this id.
func (s *Scheduler) idFree(ctx context.Context, k *keeper, id string) error {
	for _, other := range s.all() {
		if other == k {
			continue
		}
		switch _, err := other.store.Job(ctx, id); {
		case err == nil:
			return fmt.Errorf("jobcenter: add job %q: %w: the id is taken in store %q", id, ErrConflict, other.name)
		case !errors.Is(err, ErrJobNotFound):
			return err
		}
	}
	return nil
}

// find returns the keeper of a job. With a single store that is its one,
// whether it has the job or not.
func (s *Scheduler) find(ctx context.Context, id string) (*keeper, error) {
	all := s.all()
	if len(all) == 1 {
		return all[0], nil
	}
	var missing error
	for _, k := range all {
		_, err := k.store.Job(ctx, id)
		if err == nil {
			return k, nil
		}
		if !errors.Is(err, ErrJobNotFound) {
			return nil, err
		}
		missing = err
	}
	return nil, missing
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

// Changes says what Ensure did.
type Changes struct {
	// Added says that the job was not there.
	Added bool
	// Fields names what differed, in the words of the JSON form, such as
	// "trigger" or "max_instances". Empty if nothing did.
	Fields []string
}

// Ensure makes a stored job agree with its declaration, as a program does at
// each start: it adds one that is not there, and changes what differs as
// Modify does. While the definition is the same nothing is touched: not the
// next fire time, nor the phase of an interval, nor the history. Whether the
// job is paused, and what it skips, is left as it is in the store. The id must
// not be empty. Errors are those of Add.
func (s *Scheduler) Ensure(ctx context.Context, job Job) (Job, Changes, error) {
	if job.ID == "" {
		return Job{}, Changes{}, invalid("id", "is empty, a declared job needs one")
	}
	for {
		var fields []string
		stored, err := s.modify(ctx, job.ID, func(old *Job) error {
			declared := cloneJob(job)
			declared.Paused, declared.PausedUntil, declared.PauseReason, declared.SkipUntil = old.Paused, old.PausedUntil, old.PauseReason, old.SkipUntil
			*old = declared
			return nil
		}, &fields)
		if err == nil {
			return stored, Changes{Fields: fields}, nil
		}
		if !errors.Is(err, ErrJobNotFound) {
			return Job{}, Changes{}, err
		}
		added, err := s.Add(ctx, job)
		if err == nil {
			return added, Changes{Added: true}, nil
		}
		if !errors.Is(err, ErrConflict) { // somebody else added it meanwhile
			return Job{}, Changes{}, err
		}
	}
}

// Modify lets change alter a job's definition; what it does to the fields
// kept by the engine, to the id and the store, is ignored. If anything changed, the
// version grows. A new trigger gives a new next fire time, counted from now;
// otherwise it stays, and so does the phase of an interval. A job in
// quarantine is released if it is understood now. change may be called again;
// an error of it is returned as it is. Other errors: ErrJobNotFound, a
// *FieldError, what the store says.
func (s *Scheduler) Modify(ctx context.Context, id string, change func(*Job) error) (Job, error) {
	return s.modify(ctx, id, change, nil)
}

// Reschedule gives a job another trigger; see Modify.
func (s *Scheduler) Reschedule(ctx context.Context, id string, t trigger.Trigger) (Job, error) {
	return s.Modify(ctx, id, func(job *Job) error {
		job.Trigger = t
		return nil
	})
}

// modify is Modify that also tells which fields changed.
func (s *Scheduler) modify(ctx context.Context, id string, change func(*Job) error, fields *[]string) (Job, error) {
	k, err := s.find(ctx, id)
	if err != nil {
		return Job{}, err
	}
	var before Job
	var changed []string
	job, err := k.change(ctx, id, func(job Job, active Active, now time.Time) (Job, []Run, error) {
		before = job
		altered := cloneJob(job)
		altered.Store = k.name
		if err := change(&altered); err != nil {
			return Job{}, nil, err
		}
		altered = kept(altered, job)
		altered.Trigger = trigger.Anchor(altered.Trigger, job.Trigger, now)
		altered, err := s.checked(altered)
		if err != nil {
			return Job{}, nil, err
		}
		if changed = changedFields(&job, &altered); len(changed) == 0 && job.Quarantine == "" {
			job.Func = altered.Func
			return job, nil, nil
		}
		// What the old definition still owed is settled by its own rules, also
		// where it was not understood until now.
		owing := job
		owing.Quarantine = ""
		rows, settled := settle(owing, active, now)
		altered.NextFireTime, altered.PreviousFireTime = settled.NextFireTime, settled.PreviousFireTime
		if slices.Contains(changed, "trigger") {
			if altered.NextFireTime, err = firstFire(&altered, now); err != nil {
				return Job{}, nil, err
			}
		}
		altered.Quarantine, altered.rawTrigger = "", nil
		altered.Version, altered.UpdatedAt = job.Version+1, microseconds(now)
		return altered, rows, nil
	}, func(job *Job) []Event {
		if job.Version == before.Version {
			return nil
		}
		return k.changeEvents(&before, job, changed)
	})
	if fields != nil {
		*fields = changed
	}
	return job, err
}

// kept returns an altered job with what the engine keeps of it.
func kept(altered, job Job) Job {
	altered.ID, altered.Store, altered.Version, altered.Quarantine, altered.rawTrigger = job.ID, "", job.Version, job.Quarantine, job.rawTrigger
	altered.NextFireTime, altered.PreviousFireTime = job.NextFireTime, job.PreviousFireTime
	altered.Carried, altered.LastResult = job.Carried, job.LastResult
	altered.CreatedAt, altered.UpdatedAt = job.CreatedAt, job.UpdatedAt
	return altered
}

// changeEvents says which events a change of a job is.
func (k *keeper) changeEvents(before, after *Job, fields []string) []Event {
	e := Event{Store: k.name, Job: after, Before: before, Fields: fields}
	var events []Event
	add := func(kind EventType) {
		e.Type = kind
		events = append(events, e)
	}
	if slices.ContainsFunc(fields, func(f string) bool { return f != "paused" && f != "paused_until" && f != "pause_reason" }) {
		add(EventJobModified)
	}
	switch {
	case before.Quarantine != "" && after.Quarantine == "":
		add(EventJobReleased)
	case !before.Paused && after.Paused:
		add(EventJobPaused)
	case before.Paused && !after.Paused:
		add(EventJobResumed)
	}
	return events
}

// settle decides what becomes of a job's fire times up to now, and returns
// the job with the ones that come after.
func settle(job Job, active Active, now time.Time) (rows []Run, after Job) {
	switch {
	case job.Quarantine != "":
		return nil, job // until it is understood, what it owes stays open
	case job.Paused && (job.PausedUntil.IsZero() || job.PausedUntil.After(now)):
		return passed(job, now, ReasonPaused)
	}
	d := plan(job, active, now)
	job.NextFireTime, job.PreviousFireTime = d.Next, d.Previous
	if d.Quarantine == "" && job.Trigger != nil {
		p := newPlanner(&job, now)
		p.closed(now.Add(time.Microsecond))
		closed, _ := p.finish(Active{})
		d.Runs = append(d.Runs, closed...)
	}
	return d.Runs, job
}

// change changes a job in one transaction at one instant, tells of it, and
// wakes the loop.
func (k *keeper) change(ctx context.Context, id string, change func(job Job, active Active, now time.Time) (Job, []Run, error), tell func(*Job) []Event) (Job, error) {
	release := k.events.hold(id)
	var rows []Run
	job, err := k.store.UpdateJob(ctx, id, func(job Job, active Active) (Job, []Run, error) {
		changed, runs, err := change(job, active, time.Now())
		rows = runs
		return changed, runs, err
	})
	if err != nil {
		release()
		return Job{}, err
	}
	job.Store = k.name
	release(append(tell(&job), k.runEvents(&job, rows)...)...)
	k.queued()
	return job, nil
}

// update is change of which nothing is told.
func (k *keeper) update(ctx context.Context, id string, change func(job Job, active Active, now time.Time) (Job, []Run, error)) (Job, error) {
	return k.change(ctx, id, change, func(*Job) []Event { return nil })
}

// Remove removes a job. Its queued runs, and fire times that were due but not
// yet claimed, are recorded as skipped; runs that are going on end as they
// will; the ledger stays. ErrJobNotFound.
func (s *Scheduler) Remove(ctx context.Context, id string) error {
	k, err := s.find(ctx, id)
	if err != nil {
		return err
	}
	release := k.events.hold(id)
	var removed Job
	err = k.store.RemoveJob(ctx, id, func(job Job) []Run {
		removed = job
		reason := ReasonRemoved
		if job.Paused {
			reason = ReasonPaused
		}
		rows, _ := passed(job, time.Now(), reason)
		return rows
	})
	if err != nil {
		release()
		return err
	}
	removed.Store = k.name
	release(Event{Type: EventJobRemoved, Store: k.name, Job: &removed})
	return nil
}
