package jobcenter

import (
	"context"
	"errors"
	"time"
)

// PauseOptions say for how long a job is paused, and why. The zero value: until it
// is resumed.
type PauseOptions struct {
	// Until is when it resumes by itself. Zero means never.
	Until time.Time
	// Reason is for people; up to 500 characters.
	Reason string
}

// Pause stops a job from firing until it is resumed. Runs that are queued or
// running go on. Pausing a paused job changes the options only. The fire times
// that pass meanwhile are recorded as skipped, in one row, when it ends (or up
// to there when the job is changed; times that a calendar closes have rows of their own).
// ErrJobNotFound, or a *FieldError.
func (s *Scheduler) Pause(ctx context.Context, id string, opts PauseOptions) (Job, error) {
	return s.setPaused(ctx, id, true, opts)
}

// Resume lets a job fire again, from its next fire time after now. The fire
// times that passed meanwhile are recorded as skipped, in one row. Resuming a
// job that is not paused changes nothing. ErrJobNotFound.
func (s *Scheduler) Resume(ctx context.Context, id string) (Job, error) {
	return s.setPaused(ctx, id, false, PauseOptions{})
}

// setPaused is a Modify that asks nothing of the rest of the definition, so
// that even a job which could no longer be added can be paused.
func (s *Scheduler) setPaused(ctx context.Context, id string, paused bool, opts PauseOptions) (Job, error) {
	if err := checkRules(&Job{Coalesce: CoalesceLatest, Overlap: OverlapSkip, MaxInstances: 1, PauseReason: opts.Reason}); err != nil {
		return Job{}, err
	}
	return s.adjust(ctx, id, func(job *Job) {
		job.Paused, job.PausedUntil, job.PauseReason = paused, microseconds(opts.Until), opts.Reason
	})
}

// adjust changes what does not need the job to be understood.
func (s *Scheduler) adjust(ctx context.Context, id string, set func(job *Job)) (Job, error) {
	k, err := s.find(ctx, id)
	if err != nil {
		return Job{}, err
	}
	var before Job
	var fields []string
	return k.change(ctx, id, func(job Job, active Active, now time.Time) (Job, []Run, error) {
		before = job
		rows, settled := settle(before, active, now)
		job.NextFireTime, job.PreviousFireTime = settled.NextFireTime, settled.PreviousFireTime
		set(&job) // by what is still to come, since the rest is settled
		if fields = changedFields(&before, &job); len(fields) == 0 {
			return before, nil, nil
		}
		job.Version++
		if job.Quarantine == "" { // else the ledger is not settled up to now
			job.UpdatedAt = microseconds(now)
		}
		return job, rows, nil
	}, func(job *Job) []Event {
		if len(fields) == 0 {
			return nil
		}
		return k.changeEvents(&before, job, fields)
	})
}

// SkipNext has a job's next fire time recorded as skipped, when it comes,
// instead of run. Called again it skips the one after that, and so on.
// Unskip takes it back. ErrJobNotFound, or ErrNeverFires if there is no
// further one.
func (s *Scheduler) SkipNext(ctx context.Context, id string) (Job, error) {
	var refused error
	job, err := s.adjust(ctx, id, func(job *Job) {
		refused = nil
		next := job.NextFireTime
		if job.Trigger == nil || next.IsZero() || next.Equal(AtStart()) {
			refused = invalid("trigger", "%w", ErrNeverFires)
			return
		}
		if !next.After(job.SkipUntil) {
			following, ok := job.trigger().Next(job.SkipUntil)
			if !ok {
				refused = invalid("trigger", "%w", ErrNeverFires)
				return
			}
			next = following
		}
		job.SkipUntil = microseconds(next)
	})
	if err == nil && refused != nil {
		return Job{}, refused
	}
	return job, err
}

// Unskip takes back what SkipNext has asked for and is still to come.
// ErrJobNotFound.
func (s *Scheduler) Unskip(ctx context.Context, id string) (Job, error) {
	return s.adjust(ctx, id, func(job *Job) { job.SkipUntil = time.Time{} })
}

// PauseAll pauses the jobs that a query keeps (its order, limit and cursor are
// not looked at), over all stores, and returns how many. The zero query: all
// jobs. It stops at the first error; jobs that are removed meanwhile are none.
func (s *Scheduler) PauseAll(ctx context.Context, q JobQuery, opts PauseOptions) (int, error) {
	return s.each(ctx, q, func(job *Job) (bool, error) {
		if job.Paused {
			return false, nil
		}
		_, err := s.Pause(ctx, job.ID, opts)
		return true, err
	})
}

// ResumeAll resumes the paused jobs that a query keeps; see PauseAll.
func (s *Scheduler) ResumeAll(ctx context.Context, q JobQuery) (int, error) {
	return s.each(ctx, q, func(job *Job) (bool, error) {
		if !job.Paused {
			return false, nil
		}
		_, err := s.Resume(ctx, job.ID)
		return true, err
	})
}

// RemoveAll removes the jobs that a query keeps; see PauseAll.
func (s *Scheduler) RemoveAll(ctx context.Context, q JobQuery) (int, error) {
	return s.each(ctx, q, func(job *Job) (bool, error) { return true, s.Remove(ctx, job.ID) })
}

// each calls do for every job that a query keeps, and counts those for which
// it did something.
func (s *Scheduler) each(ctx context.Context, q JobQuery, do func(*Job) (bool, error)) (n int, err error) {
	// By id, since what is done may change the place in any other order.
	q.Sort, q.Desc, q.Limit, q.Cursor = SortByID, false, 500, ""
	for {
		page, err := s.Jobs(ctx, q)
		if err != nil {
			return n, err
		}
		for i := range page.Jobs {
			did, err := do(&page.Jobs[i])
			switch {
			case errors.Is(err, ErrJobNotFound):
			case err != nil:
				return n, err
			case did:
				n++
			}
		}
		if q.Cursor = page.NextCursor; q.Cursor == "" {
			return n, nil
		}
	}
}
