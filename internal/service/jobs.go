package service

import (
	"context"
	"errors"
	"fmt"

	"github.com/jobcenter-go/jobcenter"
)

// Job is a job with what is told beside it.
type Job struct {
	jobcenter.Job
	// ActiveRuns is how many of its runs are queued or running.
	ActiveRuns int
	// LastRun is the last run that started; nil if there is none.
	LastRun *jobcenter.Run
}

// Jobs lists jobs, a page at a time.
func (s *Service) Jobs(ctx context.Context, actor Actor, q jobcenter.JobQuery) (jobs []Job, next string, err error) {
	if err := Allow(actor, ReadJobs); err != nil {
		return nil, "", err
	}
	page, err := s.sched.Store().Jobs(ctx, q)
	if err != nil {
		return nil, "", storeError(err)
	}
	jobs, err = s.withRuns(ctx, page.Jobs...)
	return jobs, page.NextCursor, err
}

// Job returns one job.
func (s *Service) Job(ctx context.Context, actor Actor, id string) (Job, error) {
	if err := Allow(actor, ReadJobs); err != nil {
		return Job{}, err
	}
	job, err := s.sched.Store().Job(ctx, id)
	return s.told(ctx, job, err)
}

// CreateJob adds a job.
func (s *Service) CreateJob(ctx context.Context, actor Actor, job jobcenter.Job) (Job, error) {
	if err := Allow(actor, EditJobs); err != nil {
		return Job{}, err
	}
	added, err := s.sched.Add(ctx, job)
	if errors.Is(err, jobcenter.ErrConflict) {
		err = &Error{Code: Conflict, Field: "id", Value: job.ID, Message: fmt.Sprintf("a job %q exists already", job.ID), err: err}
	}
	return s.told(ctx, added, err)
}

// ChangeJob lets change alter the definition of a job. version, if not nil,
// is the one that the job must still have; otherwise the error's code is
// VersionChanged.
func (s *Service) ChangeJob(ctx context.Context, actor Actor, id string, version *int64, change func(*jobcenter.Job) error) (Job, error) {
	if err := Allow(actor, EditJobs); err != nil {
		return Job{}, err
	}
	job, err := s.sched.Modify(ctx, id, func(job *jobcenter.Job) error {
		if err := checkVersion(job, version); err != nil {
			return err
		}
		return change(job)
	})
	return s.told(ctx, job, err)
}

// DeleteJob removes a job. For version see ChangeJob.
func (s *Service) DeleteJob(ctx context.Context, actor Actor, id string, version *int64) error {
	if err := Allow(actor, EditJobs); err != nil {
		return err
	}
	if version != nil {
		job, err := s.sched.Store().Job(ctx, id)
		if err != nil {
			return storeError(err)
		}
		if err := checkVersion(&job, version); err != nil {
			return err
		}
	}
	return storeError(s.sched.Remove(ctx, id))
}

// PauseJob stops a job from firing.
func (s *Service) PauseJob(ctx context.Context, actor Actor, id string) (Job, error) {
	if err := Allow(actor, PauseJobs); err != nil {
		return Job{}, err
	}
	job, err := s.sched.Pause(ctx, id, jobcenter.PauseOptions{})
	return s.told(ctx, job, err)
}

// ResumeJob lets a paused job fire again.
func (s *Service) ResumeJob(ctx context.Context, actor Actor, id string) (Job, error) {
	if err := Allow(actor, PauseJobs); err != nil {
		return Job{}, err
	}
	job, err := s.sched.Resume(ctx, id)
	return s.told(ctx, job, err)
}

// RunJob starts a job by hand and returns the queued run.
func (s *Service) RunJob(ctx context.Context, actor Actor, id string) (Run, error) {
	if err := Allow(actor, RunJobs); err != nil {
		return Run{}, err
	}
	run, err := s.sched.RunNow(ctx, id, jobcenter.StartOptions{Origin: actor.Origin, Actor: actor.Name})
	if err != nil {
		return Run{}, storeError(err)
	}
	return s.withName(ctx, run)
}

func checkVersion(job *jobcenter.Job, version *int64) error {
	if version == nil || *version == job.Version {
		return nil
	}
	return &Error{
		Code: VersionChanged,
		Message: fmt.Sprintf("the job has been changed meanwhile: it is at version %d, not %d",
			job.Version, *version),
	}
}

// told adds to the outcome of an operation on a job what is told beside it.
func (s *Service) told(ctx context.Context, job jobcenter.Job, err error) (Job, error) {
	if err != nil {
		return Job{}, storeError(err)
	}
	jobs, err := s.withRuns(ctx, job)
	if err != nil {
		return Job{}, err
	}
	return jobs[0], nil
}

// withRuns adds to each job what is told of its runs.
func (s *Service) withRuns(ctx context.Context, jobs ...jobcenter.Job) ([]Job, error) {
	if len(jobs) == 0 {
		return nil, nil
	}
	ids := make([]string, len(jobs))
	for i := range jobs {
		ids[i] = jobs[i].ID
	}
	last, err := s.sched.Store().LastRuns(ctx, ids)
	if err != nil {
		return nil, err
	}
	active, err := s.activeRuns(ctx, ids)
	if err != nil {
		return nil, err
	}
	list := make([]Job, len(jobs))
	for i, job := range jobs {
		list[i] = Job{Job: job, ActiveRuns: active[job.ID]}
		if run, ok := last[job.ID]; ok {
			list[i].LastRun = &run
		}
	}
	return list, nil
}

// activeRuns counts the queued and running runs of jobs. Usually there are
// few in all, so that one query tells; otherwise each job is asked about.
func (s *Service) activeRuns(ctx context.Context, ids []string) (map[string]int, error) {
	q := jobcenter.RunQuery{States: []jobcenter.RunState{jobcenter.RunQueued, jobcenter.RunRunning}, Limit: maxPage}
	count := map[string]int{}
	if len(ids) > 1 {
		page, err := s.sched.Store().Runs(ctx, q)
		if err != nil {
			return nil, err
		}
		if page.NextCursor == "" {
			for _, run := range page.Runs {
				count[run.JobID]++
			}
			return count, nil
		}
	}
	for _, id := range ids {
		q.JobID = id
		page, err := s.sched.Store().Runs(ctx, q)
		if err != nil {
			return nil, err
		}
		count[id] = len(page.Runs)
	}
	return count, nil
}

// maxPage is the most that a job store lists at once.
const maxPage = 500
