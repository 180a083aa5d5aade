package service

import (
	"context"
	"errors"

	"github.com/jobcenter-go/jobcenter"
)

// Run is a run with the name of its job.
type Run struct {
	jobcenter.Run
	// JobName is the job's id if it has been removed since.
	JobName string
}

// Runs lists runs, newest fire time first, a page at a time.
func (s *Service) Runs(ctx context.Context, actor Actor, q jobcenter.RunQuery) (runs []Run, next string, err error) {
	if err := Allow(actor, ReadRuns); err != nil {
		return nil, "", err
	}
	page, err := s.sched.Store().Runs(ctx, q)
	if err != nil {
		return nil, "", storeError(err)
	}
	names := map[string]string{}
	for _, run := range page.Runs {
		name, known := names[run.JobID]
		if !known {
			if name, err = s.jobName(ctx, run.JobID); err != nil {
				return nil, "", err
			}
			names[run.JobID] = name
		}
		runs = append(runs, Run{Run: run, JobName: name})
	}
	return runs, page.NextCursor, nil
}

// Run returns one run.
func (s *Service) Run(ctx context.Context, actor Actor, id string) (Run, error) {
	if err := Allow(actor, ReadRuns); err != nil {
		return Run{}, err
	}
	run, err := s.sched.Store().Run(ctx, id)
	if err != nil {
		return Run{}, storeError(err)
	}
	return s.withName(ctx, run)
}

// StopRun ends a queued or running run. It returns at once, with the run as
// it is then; its end is recorded when its task has returned.
func (s *Service) StopRun(ctx context.Context, actor Actor, id string) (Run, error) {
	if err := Allow(actor, StopRuns); err != nil {
		return Run{}, err
	}
	run, err := s.sched.Store().Run(ctx, id)
	if err == nil && run.State.Final() {
		err = jobcenter.ErrNotRunning
	}
	if err == nil {
		err = s.sched.StopRun(ctx, id, actor.Name)
	}
	if err == nil {
		run, err = s.sched.Store().Run(ctx, id)
	}
	if err != nil {
		return Run{}, storeError(err)
	}
	return s.withName(ctx, run)
}

// Output returns the kept chunks of a run's output that reach beyond the
// offset; see jobcenter.JobStore.
func (s *Service) Output(ctx context.Context, actor Actor, runID string, offset int64, limit int) ([]jobcenter.Chunk, error) {
	if err := Allow(actor, ReadRuns); err != nil {
		return nil, err
	}
	chunks, err := s.sched.Store().Output(ctx, runID, offset, limit)
	return chunks, storeError(err)
}

// WatchRun returns a channel that is closed at the next change of a run; see
// jobcenter.Scheduler. A run of another scheduler is not watched.
func (s *Service) WatchRun(runID string) (changed <-chan struct{}, cancel func()) {
	return s.sched.WatchRun(runID)
}

func (s *Service) withName(ctx context.Context, run jobcenter.Run) (Run, error) {
	name, err := s.jobName(ctx, run.JobID)
	return Run{Run: run, JobName: name}, err
}

func (s *Service) jobName(ctx context.Context, id string) (string, error) {
	job, err := s.sched.Store().Job(ctx, id)
	switch {
	case errors.Is(err, jobcenter.ErrJobNotFound):
		return id, nil
	case err != nil:
		return "", err
	case job.Name == "":
		return id, nil
	default:
		return job.Name, nil
	}
}
