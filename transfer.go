package jobcenter

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// OnConflict says what Import does about a job whose id is taken.
type OnConflict string

// The choices of OnConflict.
const (
	ConflictFail    OnConflict = "fail"    // an error, and nothing is imported (the default)
	ConflictKeep    OnConflict = "keep"    // the job that is there stays as it is
	ConflictReplace OnConflict = "replace" // it is changed to agree with the imported one, as Ensure does
)

// ImportOptions say how jobs are imported. The zero value: as new jobs, into
// the default store, unless an id is taken.
type ImportOptions struct {
	// OnConflict says what becomes of a job whose id is taken. Empty means
	// ConflictFail.
	OnConflict OnConflict
	// Store names the store of the new jobs. Empty means the one that each
	// names, or DefaultStore.
	Store string
	// KeepState has new jobs go on where the exported ones stood: next and
	// previous fire time, what runs carried, version and times. For moving
	// jobs from one store to another: what was due in between is treated by
	// their rules for misfires.
	KeepState bool
}

// Imported counts what Import did, by what became of the jobs.
type Imported struct{ Added, Changed, Unchanged, Kept int }

// Export returns all jobs that a query keeps (its limit and cursor are not
// looked at), ordered by id unless it says otherwise. Package jobfile
// writes them as JSON or YAML. A job with a Func is an error that wraps
// ErrFuncJob.
func (s *Scheduler) Export(ctx context.Context, q JobQuery) ([]Job, error) {
	var jobs []Job
	q.Limit, q.Cursor = 500, ""
	for {
		page, err := s.Jobs(ctx, q)
		if err != nil {
			return nil, err
		}
		for _, job := range page.Jobs {
			if job.Func != nil || job.Task == funcTaskName {
				return nil, fmt.Errorf("jobcenter: export job %q: %w", job.ID, ErrFuncJob)
			}
			jobs = append(jobs, job)
		}
		if q.Cursor = page.NextCursor; q.Cursor == "" {
			return jobs, nil
		}
	}
}

// Import adds jobs, such as those that Export returned. All are checked before
// the first is stored: an error of one, which names its id, means that none
// was imported, but for one that the store gives later on. Errors are those of
// Add and Ensure.
func (s *Scheduler) Import(ctx context.Context, jobs []Job, opts ImportOptions) (Imported, error) {
	if err := s.checkImport(ctx, jobs, &opts); err != nil {
		return Imported{}, err
	}
	var done Imported
	for _, job := range jobs {
		if opts.Store != "" {
			job.Store = opts.Store
		}
		if err := s.importOne(ctx, job, opts, &done); err != nil {
			return done, fmt.Errorf("jobcenter: import job %q: %w", job.ID, err)
		}
	}
	return done, nil
}

func (s *Scheduler) checkImport(ctx context.Context, jobs []Job, opts *ImportOptions) error {
	switch opts.OnConflict {
	case "":
		opts.OnConflict = ConflictFail
	case ConflictFail, ConflictKeep, ConflictReplace:
	default:
		return fmt.Errorf("jobcenter: import: on conflict %q, allowed: fail, keep, replace", opts.OnConflict)
	}
	seen := map[string]bool{}
	for _, job := range jobs {
		fail := func(err error) error { return fmt.Errorf("jobcenter: import job %q: %w", job.ID, err) }
		if opts.Store != "" {
			job.Store = opts.Store
		}
		if seen[job.ID] {
			return fail(invalid("id", "is given twice"))
		}
		seen[job.ID] = true
		if job.Trigger == nil && job.Quarantine != "" {
			return fail(invalid("trigger", "cannot be read: %s", job.Quarantine))
		}
		checked, err := s.checked(job)
		if err != nil {
			return fail(err)
		}
		if _, err := s.keeper(job.Store); err != nil {
			return fail(err)
		}
		_, err = s.Job(ctx, job.ID)
		switch {
		case err == nil && opts.OnConflict == ConflictFail:
			return fail(fmt.Errorf("%w: the id is taken", ErrConflict))
		case err != nil && !errors.Is(err, ErrJobNotFound):
			return fail(err)
		case err != nil && !opts.KeepState:
			if _, err := firstFire(&checked, time.Now()); err != nil {
				return fail(err)
			}
		}
	}
	return nil
}

func (s *Scheduler) importOne(ctx context.Context, job Job, opts ImportOptions, done *Imported) error {
	if opts.OnConflict == ConflictReplace {
		if _, err := s.Job(ctx, job.ID); err == nil {
			_, changes, err := s.Ensure(ctx, job)
			switch {
			case err != nil:
			case changes.Added:
				done.Added++
			case len(changes.Fields) > 0:
				done.Changed++
			default:
				done.Unchanged++
			}
			return err
		}
	}
	var err error
	if opts.KeepState && job.Version > 0 {
		err = s.addWithState(ctx, job)
	} else {
		_, err = s.Add(ctx, job)
	}
	switch {
	case err == nil:
		done.Added++
	case errors.Is(err, ErrConflict) && opts.OnConflict == ConflictKeep:
		done.Kept++
		return nil
	}
	return err
}

// addWithState stores a job as it stood elsewhere.
func (s *Scheduler) addWithState(ctx context.Context, job Job) error {
	k, err := s.keeper(job.Store)
	if err != nil {
		return err
	}
	if err := s.idFree(ctx, k, job.ID); err != nil {
		return err
	}
	checked, err := s.checked(job)
	if err != nil {
		return err
	}
	release := s.events.hold(job.ID)
	if err := k.store.AddJobs(ctx, func() ([]Job, error) { return []Job{checked}, nil }); err != nil {
		release()
		return err
	}
	release(Event{Type: EventJobAdded, Store: k.name, Job: &checked})
	k.signal()
	return nil
}
