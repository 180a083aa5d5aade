package jobcenter

import (
	"context"
	"errors"
	"log/slog"
	"time"
)

// stray is a run that the store says this node holds, and that is not carried
// out here: a claim was carried out whose answer was lost on the way.
type stray struct {
	attempt int
	pass    int64 // how often the loop had passed when it was first seen
}

// doubt has the store asked for strays for a while, after a claim of which it
// is not known whether it was carried out.
func (k *keeper) doubt() {
	k.state.Lock()
	defer k.state.Unlock()
	k.state.doubtUntil = time.Now().Add(2 * max(k.opts.Lease, k.opts.PollInterval))
}

// findStrays returns the runs among those that the store says are held here
// which nobody here knows: not now, and not when a pass of the loop that could
// just have taken them had ended.
func (k *keeper) findStrays(held []Hold, mine map[string]*execution) []Hold {
	k.state.Lock()
	defer k.state.Unlock()
	seen := k.state.strays
	k.state.strays = nil
	var found []Hold
	for _, h := range held {
		if mine[h.RunID] != nil || k.state.running[h.RunID] != nil || k.state.dead[h.RunID] {
			continue
		}
		if k.state.strays == nil {
			k.state.strays = map[string]stray{}
		}
		s, ok := seen[h.RunID]
		if !ok || s.attempt != h.Attempt {
			s = stray{h.Attempt, k.state.passes}
		}
		k.state.strays[h.RunID] = s
		if k.state.passes >= s.pass+2 {
			found = append(found, h)
		}
	}
	return found
}

// putBack has strays wait for another attempt: this one has not begun.
func (k *keeper) putBack(ctx context.Context, strays []Hold) error {
	var ends []*ending
	var records Records
	for _, h := range strays {
		run, err := k.store.Run(ctx, h.RunID)
		if err != nil && !errors.Is(err, ErrRunNotFound) {
			return err
		}
		if err != nil || run.State != RunRunning || run.Node != k.opts.Node || run.Attempt != h.Attempt {
			continue
		}
		job, err := k.store.Job(ctx, run.JobID)
		if err != nil && !errors.Is(err, ErrJobNotFound) {
			return err
		}
		job.ID, job.Store = run.JobID, k.name
		run.Reason, run.Message = "", "it was taken, but the store's answer was lost: it had not begun"
		requeue(&run, microseconds(time.Now()))
		ends = append(ends, &ending{job: &job, run: run})
		records.Ends = append(records.Ends, run)
	}
	if len(ends) == 0 {
		return nil
	}
	jobs, events := k.endEvents(ends)
	release := k.events.hold(jobs...)
	if err := k.store.Record(ctx, records); err != nil {
		release()
		return err
	}
	release(events...)
	k.log.LogAttrs(ctx, slog.LevelWarn, "runs put back that had not begun", slog.String("store", k.name), slog.Int("count", len(ends)))
	k.queued()
	return nil
}
