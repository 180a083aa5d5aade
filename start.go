package jobcenter

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"
)

// StartOptions say how a run that is started by hand differs from one by
// schedule. The zero value: started by a program that does not name itself.
type StartOptions struct {
	// Origin is OriginManual, OriginAPI or OriginChain. Empty means OriginAPI.
	Origin Origin
	// Actor says who asked for it. May be empty.
	Actor string
	// Args are arguments in place of the job's. Empty means the job's.
	Args json.RawMessage
}

// RunNow starts a job by hand, paused or not, and returns the queued run. Its
// fire time is now. ErrJobNotFound, ErrOverlap if the job has MaxInstances
// runs already (unless its Overlap lets more wait), ErrConflict if it is in quarantine, or a
// *FieldError.
func (s *Scheduler) RunNow(ctx context.Context, id string, opts StartOptions) (Run, error) {
	k, err := s.find(ctx, id)
	if err != nil {
		return Run{}, err
	}
	switch opts.Origin {
	case "":
		opts.Origin = OriginAPI
	case OriginManual, OriginAPI, OriginChain:
	default:
		return Run{}, fmt.Errorf("jobcenter: run job %q: origin %q, allowed: manual, api, chain", id, opts.Origin)
	}
	if len(opts.Args) > 0 && !json.Valid(opts.Args) {
		return Run{}, invalid("args", "not a JSON value")
	}
	var run Run
	for shift := time.Duration(0); ; shift -= time.Microsecond {
		release := k.events.hold(id)
		job, err := k.store.UpdateJob(ctx, id, func(job Job, active Active) (Job, []Run, error) {
			if job.Quarantine != "" {
				return Job{}, nil, fmt.Errorf("jobcenter: run job %q: %w: it is in quarantine: %s", id, ErrConflict, job.Quarantine)
			}
			if len(opts.Args) > 0 {
				if err := validateArgs(s.task(job.Task), opts.Args); err != nil {
					return Job{}, nil, argsError(err)
				}
			}
			p := planner{job: &job, candidates: 1}
			if p.admitted(active) == 0 {
				return Job{}, nil, fmt.Errorf("jobcenter: run job %q: %w: %d queued or running, max_instances is %d",
					id, ErrOverlap, active.Queued+active.Running, job.MaxInstances)
			}
			now := time.Now()
			if job.firesAt(microseconds(now.Add(shift))) { // which gets a row of its own
				shift -= time.Microsecond
			}
			run = newRun(&job, microseconds(now.Add(shift)), opts.Origin, now)
			run.Actor, run.Args = opts.Actor, opts.Args
			return job, []Run{run}, nil
		})
		if err != nil {
			release()
			return Run{}, err
		}
		// A fire time that has its row already is not given a second one. If
		// it was given, the run has begun, whoever has stopped waiting for it.
		_, err = k.store.Run(context.WithoutCancel(ctx), run.ID)
		if errors.Is(err, ErrRunNotFound) {
			release()
			continue
		}
		job.Store = k.name
		release(k.runEvents(&job, []Run{run})...)
		k.queued()
		return run, err
	}
}

// Backfill says which fire times of the past are to be run.
type Backfill struct {
	// From and To are the range: from the first at or after From to the last
	// before To, which must not be after now.
	From, To time.Time
	// Name is the Series of the runs: up to 128 characters like those of an
	// id. A fire time runs once for each name, so the same backfill can be
	// asked for again after an error. Empty means one that is made from the range.
	Name string
	// Max is how many there may be; more are an error, and nothing is done.
	// Zero means 1,000, the most is 100,000.
	Max int
	// Pace is the time between the starts of two of them. Zero means none;
	// MaxInstances holds in any case.
	Pace time.Duration
	// Actor says who asked for it. May be empty.
	Actor string
	// Args are arguments in place of the job's. Empty means the job's.
	Args json.RawMessage
}

const (
	defaultBackfill = 1000
	mostBackfill    = 100_000
	// backfillBatch is how many runs one transaction queues.
	backfillBatch = 500
)

// Backfill queues a run for each fire time that a job's trigger has in a range
// of the past, whatever became of it then, and returns how many it queued
// and their series. Their Origin is OriginBackfill, their
// fire times are the nominal ones, and the ledger of the schedule itself is
// not touched. Errors: ErrJobNotFound, a *FieldError, ErrConflict if the job is in quarantine,
// or what the store says; runs that were queued before an error stay.
func (s *Scheduler) Backfill(ctx context.Context, id string, b Backfill) (queued int, series string, err error) {
	k, err := s.find(ctx, id)
	if err != nil {
		return 0, "", err
	}
	job, err := k.store.Job(ctx, id)
	if err != nil {
		return 0, "", err
	}
	fires, err := s.backfillTimes(&job, &b)
	if err != nil {
		return 0, "", err
	}
	for batch := range slices.Chunk(fires, backfillBatch) {
		if batch, err = k.newInSeries(ctx, id, b.Name, batch); err != nil {
			return queued, b.Name, err
		}
		if len(batch) == 0 {
			continue
		}
		if _, err := k.update(ctx, id, func(job Job, _ Active, now time.Time) (Job, []Run, error) {
			if job.Quarantine != "" {
				return Job{}, nil, fmt.Errorf("jobcenter: backfill of job %q: %w: it is in quarantine: %s", id, ErrConflict, job.Quarantine)
			}
			runs := make([]Run, len(batch))
			for i, fire := range batch {
				run := newRun(&job, fire, OriginBackfill, now)
				run.Series, run.Actor, run.Args = b.Name, b.Actor, b.Args
				run.Turn = now.Add(time.Duration(queued+i) * turn)
				if b.Pace > 0 {
					run.NotBefore = now.Add(time.Duration(queued+i) * b.Pace)
				}
				runs[i] = run
			}
			return job, runs, nil
		}); err != nil {
			return queued, b.Name, err
		}
		queued += len(batch)
	}
	return queued, b.Name, nil
}

// newInSeries returns the fire times of which a series has no rows yet, so that
// a backfill counts and tells of those only that it queues.
func (k *keeper) newInSeries(ctx context.Context, jobID, series string, fires []time.Time) ([]time.Time, error) {
	there := map[int64]bool{}
	q := RunQuery{JobID: jobID, From: microseconds(fires[0]), To: fires[len(fires)-1].Add(time.Microsecond), Limit: 500}
	for {
		page, err := k.store.Runs(ctx, q)
		if err != nil {
			return nil, err
		}
		for i := range page.Runs {
			if run := &page.Runs[i]; run.Series == series {
				there[run.FireTime.UnixMicro()] = true
			}
		}
		if q.Cursor = page.NextCursor; q.Cursor == "" {
			break
		}
	}
	var fresh []time.Time
	for _, fire := range fires {
		if !there[fire.UnixMicro()] {
			fresh = append(fresh, microseconds(fire))
		}
	}
	return fresh, nil
}

// backfillTimes checks a backfill, and lists its fire times.
func (s *Scheduler) backfillTimes(job *Job, b *Backfill) ([]time.Time, error) {
	if b.Name == "" {
		b.Name = fmt.Sprintf("backfill:%d-%d", b.From.UnixMicro(), b.To.UnixMicro())
	}
	if b.Max == 0 {
		b.Max = defaultBackfill
	}
	switch {
	case job.Trigger == nil || job.Quarantine != "":
		return nil, fmt.Errorf("jobcenter: backfill of job %q: %w: it is in quarantine: %s", job.ID, ErrConflict, job.Quarantine)
	case b.From.IsZero() || !b.From.Before(b.To):
		return nil, invalid("from", "%s, must be before to, which is %s", b.From.Format(time.RFC3339), b.To.Format(time.RFC3339))
	case b.To.After(time.Now()):
		return nil, invalid("to", "%s, must not be in the future", b.To.Format(time.RFC3339))
	case !jobID.MatchString(b.Name):
		return nil, invalid("name", "%q, allowed are 1 to 128 letters, digits and . _ : - beginning with a letter or digit", b.Name)
	case b.Max < 1 || b.Max > mostBackfill:
		return nil, invalid("max", "%d, allowed: 1 to %d", b.Max, mostBackfill)
	case b.Pace < 0:
		return nil, invalid("pace", "%s, must not be negative", b.Pace)
	case len(b.Args) > 0 && !json.Valid(b.Args):
		return nil, invalid("args", "not a JSON value")
	}
	if len(b.Args) > 0 {
		if err := validateArgs(s.task(job.Task), b.Args); err != nil {
			return nil, argsError(err)
		}
	}
	var fires []time.Time
	for at := b.From.Add(-time.Nanosecond); ; {
		fire, ok := job.trigger().Next(at)
		if !ok || !fire.Before(b.To) {
			return fires, nil
		}
		if len(fires) == b.Max {
			return nil, invalid("max", "there are more than %d fire times between %s and %s", b.Max, b.From.Format(time.RFC3339), b.To.Format(time.RFC3339))
		}
		if !fire.After(at) {
			return nil, invalid("trigger", "gave %s as the fire time after %s", fire, at)
		}
		fires = append(fires, fire)
		at = fire
	}
}
