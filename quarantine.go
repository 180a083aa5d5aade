package jobcenter

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"
)

// How the quarantines begin that end by themselves once the job is understood:
// undecodable and these.
const (
	unknownTask     = "unknown task "
	unknownExecutor = "unknown executor "
	badArgs         = "arguments: "
)

// misunderstood returns why a due job of a known task cannot be carried out;
// empty if it can. Deciding is remembered for each version of a job.
func (k *keeper) misunderstood(job *Job) string {
	k.state.Lock()
	known, ok := k.state.valid[job.ID]
	k.state.Unlock()
	if ok && known == job.Version {
		return ""
	}
	if err := validateArgs(k.task(job.Task), job.Args); err != nil {
		return message(badArgs + err.Error())
	}
	k.state.Lock()
	defer k.state.Unlock()
	if len(k.state.valid) >= maxValid {
		clear(k.state.valid)
	}
	k.state.valid[job.ID] = job.Version
	return ""
}

// validateArgs asks a task about arguments, if it has an opinion.
func validateArgs(task Task, args []byte) (err error) {
	v, ok := task.(Validator)
	if !ok {
		return nil
	}
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("checking them panicked: %v", p)
		}
	}()
	return v.ValidateArgs(args)
}

// sweepSoon has the store looked through for jobs that can be released.
func (k *keeper) sweepSoon() { poke(k.sweep) }

// sweepJobs looks, at the start and then from time to time, for jobs whose
// quarantine has lost its reason, and for due ones that nobody understands.
func (k *keeper) sweepJobs(ctx context.Context) {
	tick := time.NewTicker(k.opts.Lease / 3)
	defer tick.Stop()
	for {
		err := k.releaseUnderstood(ctx)
		if err == nil {
			err = k.quarantineUnknown(ctx)
		}
		if err != nil && ctx.Err() == nil {
			k.log.LogAttrs(ctx, slog.LevelError, "cannot look after jobs in quarantine", slog.String("store", k.name), slog.Any("error", err))
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		case <-k.sweep:
		}
	}
}

// releaseUnderstood releases the jobs in quarantine that this scheduler
// understands. Their fire times are treated as those of a job that was down.
func (k *keeper) releaseUnderstood(ctx context.Context) error {
	query := JobQuery{State: JobQuarantined, Limit: 500}
	for {
		page, err := k.store.Jobs(ctx, query)
		if err != nil {
			return err
		}
		for _, job := range page.Jobs {
			if !k.releasable(&job) {
				continue
			}
			if _, err := k.release1(ctx, job.ID, k.releasable); err != nil && !errors.Is(err, ErrJobNotFound) {
				return err
			}
		}
		if query.Cursor = page.NextCursor; query.Cursor == "" {
			return nil
		}
	}
}

// releasable reports whether what put a job into quarantine is mended.
func (k *keeper) releasable(job *Job) bool {
	known := slices.ContainsFunc([]string{undecodable, unknownTask, unknownExecutor, badArgs}, func(begin string) bool {
		return strings.HasPrefix(job.Quarantine, begin)
	})
	return known && k.understood(job) == nil
}

// understood returns what this scheduler does not understand of a stored job.
func (k *keeper) understood(job *Job) error {
	switch {
	case job.Trigger == nil:
		return invalid("trigger", "cannot be read: %s", job.Quarantine)
	case k.task(job.Task) == nil:
		return invalid("task", "unknown task %q", job.Task)
	case k.executor(job.Executor) == nil:
		return invalid("executor", "unknown executor %q", job.Executor)
	}
	if err := validateArgs(k.task(job.Task), job.Args); err != nil {
		return argsError(err)
	}
	return nil
}

// release1 takes one job out of quarantine, if it still may be.
func (k *keeper) release1(ctx context.Context, id string, may func(*Job) bool) (Job, error) {
	release := k.events.hold(id)
	released := false
	job, err := k.store.UpdateJob(ctx, id, func(job Job, _ Active) (Job, []Run, error) {
		if released = job.Quarantine != "" && may(&job); released {
			job.Quarantine = ""
		}
		return job, nil, nil
	})
	job.Store = k.name
	if err != nil || !released {
		release()
		return job, err
	}
	release(Event{Type: EventJobReleased, Store: k.name, Job: &job})
	k.queued()
	return job, nil
}

// quarantineUnknown puts jobs into quarantine that have been due for long and
// that this scheduler cannot take: if another one could, it would have.
func (k *keeper) quarantineUnknown(ctx context.Context) error {
	// So that a program which starts with its neighbours, or is replaced by a
	// newer one, finds its jobs as they were.
	patience := 2 * k.opts.Lease
	k.state.Lock()
	began := k.state.began
	k.state.Unlock()
	now := time.Now()
	if k.standby.Load() || now.Sub(began) < patience {
		return nil
	}
	page, err := k.store.Jobs(ctx, JobQuery{State: JobActive, Sort: SortByNextFireTime, Limit: 500})
	if err != nil {
		return err
	}
	for _, job := range page.Jobs {
		if now.Sub(job.DueAt()) < patience {
			return nil // and so are all after it
		}
		why := k.unknown(&job)
		if why == "" {
			continue
		}
		if err := k.quarantine(ctx, job.ID, func(job *Job) string {
			if job.DueAt().IsZero() || now.Sub(job.DueAt()) < patience {
				return "" // somebody took it meanwhile
			}
			return k.unknown(job)
		}); err != nil && !errors.Is(err, ErrJobNotFound) {
			return err
		}
	}
	return nil
}

// unknown says what of a job this scheduler does not have.
func (k *keeper) unknown(job *Job) string {
	switch {
	case k.task(job.Task) == nil:
		return fmt.Sprintf("%s%q: no scheduler that shares the store has it", unknownTask, job.Task)
	case k.executor(job.Executor) == nil:
		return fmt.Sprintf("%s%q: no scheduler that shares the store has it", unknownExecutor, job.Executor)
	default:
		return ""
	}
}

func (k *keeper) quarantine(ctx context.Context, id string, why func(*Job) string) error {
	release := k.events.hold(id)
	reason := ""
	job, err := k.store.UpdateJob(ctx, id, func(job Job, _ Active) (Job, []Run, error) {
		if reason = why(&job); reason != "" && job.Quarantine == "" {
			job.Quarantine = message(reason)
		}
		return job, nil, nil
	})
	if err != nil || reason == "" {
		release()
		return err
	}
	job.Store = k.name
	k.log.LogAttrs(ctx, slog.LevelError, "job in quarantine", slog.String("store", k.name), slog.String("job", id), slog.String("reason", reason))
	release(Event{Type: EventJobQuarantined, Store: k.name, Job: &job})
	return nil
}

// Release takes a job out of quarantine. What was due meanwhile is treated by
// the job's rules for misfires. Jobs whose task, executor, arguments or
// trigger are understood again are released without it; it is for those whose
// trigger misbehaved. ErrJobNotFound, or a *FieldError for what is still not
// understood. A job that is in no quarantine stays as it is.
func (s *Scheduler) Release(ctx context.Context, id string) (Job, error) {
	k, err := s.find(ctx, id)
	if err != nil {
		return Job{}, err
	}
	var refused error
	job, err := k.release1(ctx, id, func(job *Job) bool {
		refused = k.understood(job)
		return refused == nil
	})
	if err == nil && refused != nil {
		return Job{}, refused
	}
	return job, err
}
