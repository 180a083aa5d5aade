package jobcenter

import (
	"context"
	"errors"
	"log/slog"
	"time"
)

// fireAtStart queues a run of each job that runs when a scheduler starts. Its
// fire time is that of the start, so a second try writes no second row. It goes
// on until it has reached them all, whatever the store says.
func (k *keeper) fireAtStart(ctx context.Context, start time.Time) {
	wait := newBackoff()
	for ctx.Err() == nil {
		err := k.queueAtStart(ctx, start)
		if err == nil || ctx.Err() != nil {
			return
		}
		k.log.LogAttrs(ctx, slog.LevelError, "cannot queue the runs of this start", slog.Any("error", err))
		wait.sleep(ctx, nil)
	}
}

func (k *keeper) queueAtStart(ctx context.Context, start time.Time) error {
	// The latest next fire times come first, and none is later than AtStart.
	query := JobQuery{State: JobActive, Sort: SortByNextFireTime, Desc: true, Limit: 500}
	for {
		page, err := k.store.Jobs(ctx, query)
		if err != nil {
			return err
		}
		for _, job := range page.Jobs {
			if !job.NextFireTime.Equal(AtStart()) {
				return nil
			}
			// One that came later waits for the next start, as cron has it.
			if k.task(job.Task) == nil || !job.CreatedAt.Before(start) {
				continue
			}
			if err := k.queueOne(ctx, job.ID, start); err != nil {
				return err
			}
		}
		if page.NextCursor == "" {
			return nil
		}
		query.Cursor = page.NextCursor
	}
}

func (k *keeper) queueOne(ctx context.Context, id string, start time.Time) error {
	release := k.events.hold(id)
	var rows []Run
	job, err := k.store.UpdateJob(ctx, id, func(job Job, active Active) (Job, []Run, error) {
		rows = nil
		if !job.NextFireTime.Equal(AtStart()) || job.State() != JobActive {
			return job, nil, nil // changed meanwhile
		}
		p := newPlanner(&job, time.Now())
		p.candidate(start)
		rows, _ = p.finish(active)
		return job, rows, nil
	})
	if err != nil {
		release()
		if errors.Is(err, ErrJobNotFound) {
			return nil
		}
		return err
	}
	if len(rows) > 0 {
		// An earlier try whose answer was lost, or a scheduler that started at
		// the same instant, may have written it.
		if _, err := k.store.Run(ctx, rows[0].ID); errors.Is(err, ErrRunNotFound) {
			rows = nil
		}
	}
	job.Store = k.name
	release(k.runEvents(&job, rows)...)
	k.queued()
	return nil
}
