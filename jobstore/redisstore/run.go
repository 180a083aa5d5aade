package redisstore

import (
	"context"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/jobcenter-go/jobcenter"
)

// queuedRun is a run that may start, with its job.
type queuedRun struct {
	job seenJob
	run jobcenter.Run
	rev string
}

// TakeQueued takes queued runs and replaces each by what start returns for it;
// see jobcenter.JobStore. When the server fails after some have been taken,
// these are returned, without an error. Runs of a job that cannot be decoded
// stay in the queue.
func (s *Store) TakeQueued(ctx context.Context, can jobcenter.Can, executor string, now time.Time, limit int, start func(job jobcenter.Job, run jobcenter.Run) jobcenter.Run) (taken []jobcenter.Claimed, next time.Time, err error) {
	from := ""
	for {
		found, err := s.queuedRuns(ctx, can, executor, now, limit-len(taken), from)
		var applied []jobcenter.Claimed
		again := false
		if err == nil {
			applied, again, err = s.startRuns(ctx, now, found.runs, start)
		}
		switch {
		case err != nil && len(taken) > 0:
			return taken, next, nil
		case err != nil:
			return nil, time.Time{}, fmt.Errorf("redisstore: take queued runs: %w", err)
		}
		taken, next, from = append(taken, applied...), found.next, found.last
		if again {
			from = ""
		} else if from == "" {
			return taken, next, nil
		}
		if len(taken) >= limit {
			return taken, next, nil
		}
	}
}

// found is a part of the queue of an executor.
type found struct {
	runs []queuedRun
	last string    // the place that was looked at last; empty at the end
	next time.Time // the first NotBefore to come
}

// queuedRuns returns up to limit runs that may start, from a place in the
// queue on.
func (s *Store) queuedRuns(ctx context.Context, can jobcenter.Can, executor string, now time.Time, limit int, from string) (found, error) {
	args := arguments{executor, instant(now), after(now), instant(time.Now()), min(limit, batch), 2 * batch, from}
	args.list(escaped(can.Tasks))
	// It writes as well: runs whose time has come queue up, and those whose
	// job is gone end. Nobody minds when they do.
	reply, err := s.read(ctx, s.queue, args)
	if err != nil {
		return found{}, err
	}
	values := list(reply)
	part := found{last: text(item(values, 1))}
	if part.next, err = parseInstant(text(item(values, 0))); err != nil {
		return found{}, err
	}
	for _, one := range list(item(values, 2)) {
		job, run, rev, err := decodeWithJob(list(one))
		if err != nil {
			return found{}, err
		}
		if !job.unreadable {
			part.runs = append(part.runs, queuedRun{job, run, rev})
		}
	}
	return part, nil
}

// decodeWithJob reads a run with its job, of which only the id is there when it is gone.
func decodeWithJob(values []any) (job seenJob, run jobcenter.Run, rev string, err error) {
	if len(values) < 3 {
		return job, run, "", fmt.Errorf("a run came as %d values", len(values))
	}
	jobID := text(values[0])
	job, ok := decodeJob(jobID, values[3:])
	if !ok {
		job.Job = jobcenter.Job{ID: jobID}
	}
	run, rev, err = decodeRun(text(values[1]), list(values[2]))
	return job, run, rev, err
}

// startRuns writes what start makes of queued runs, and returns those of which
// it still could be written. again says that others may be had instead: a job
// had changed, or a run that could have started did not.
func (s *Store) startRuns(ctx context.Context, now time.Time, queued []queuedRun, start func(job jobcenter.Job, run jobcenter.Run) jobcenter.Run) (taken []jobcenter.Claimed, again bool, err error) {
	if len(queued) == 0 {
		return nil, false, nil
	}
	args := s.newCall(instant(now), len(queued))
	started := make([]jobcenter.Run, len(queued))
	for i := range queued {
		run := &queued[i].run
		started[i] = start(queued[i].job.Job, *run)
		if s := &started[i]; s.ID != run.ID || s.JobID != run.JobID || !s.FireTime.Equal(run.FireTime) || s.Series != run.Series {
			return nil, false, fmt.Errorf("run %q: id, job, fire time and series cannot change", run.ID)
		}
		args.add(queued[i].rev, queued[i].job.rev)
		args.run(&started[i])
		again = again || started[i].State.Final()
	}
	reply, err := s.write(ctx, s.take, args)
	if err != nil {
		return nil, false, err
	}
	told := text(reply)
	for i := range queued {
		switch {
		case i >= len(told) || told[i] == '0':
		case told[i] == '2':
			again = true
		default:
			taken = append(taken, jobcenter.Claimed{Job: queued[i].job.Job, Runs: []jobcenter.Run{keptRun(started[i])}})
		}
	}
	return taken, again, nil
}

// CountQueued counts the runs that are queued for an executor, up to limit.
func (s *Store) CountQueued(ctx context.Context, executor string, limit int) (int, error) {
	reply, err := s.read(ctx, s.count, arguments{executor})
	if err != nil {
		return 0, fmt.Errorf("redisstore: count queued runs: %w", err)
	}
	return min(number(reply), limit), nil
}

// RequestStop ends a queued run and asks for the end of a running one; see
// jobcenter.JobStore.
func (s *Store) RequestStop(ctx context.Context, runID, by string, now time.Time) (jobcenter.Run, error) {
	reply, err := s.write(ctx, s.stop, arguments{runID, by, instant(now)})
	if err != nil {
		return jobcenter.Run{}, fmt.Errorf("redisstore: stop run %q: %w", runID, err)
	}
	if len(list(reply)) == 0 {
		return jobcenter.Run{}, fmt.Errorf("redisstore: stop run %q: %w", runID, jobcenter.ErrRunNotFound)
	}
	run, _, err := decodeRun(runID, list(reply))
	if err != nil {
		return jobcenter.Run{}, fmt.Errorf("redisstore: stop run: %w", err)
	}
	return run, nil
}

// Held returns the running runs of a node.
func (s *Store) Held(ctx context.Context, node string) ([]jobcenter.Hold, error) {
	reply, err := s.read(ctx, s.held, arguments{node})
	if err != nil {
		return nil, fmt.Errorf("redisstore: runs held by node %q: %w", node, err)
	}
	var holds []jobcenter.Hold
	for _, one := range list(reply) {
		values := list(one)
		run, _, err := decodeRun(text(item(values, 0)), []any{"attempt", item(values, 1), "stop", item(values, 2)})
		if err != nil {
			return nil, fmt.Errorf("redisstore: runs held by node %q: %w", node, err)
		}
		holds = append(holds, jobcenter.Hold{RunID: run.ID, Attempt: run.Attempt, StopBy: run.StopBy})
	}
	return holds, nil
}

// Run returns one run; ErrRunNotFound.
func (s *Store) Run(ctx context.Context, id string) (jobcenter.Run, error) {
	var hash map[string]string
	err := s.do(ctx, func(ctx context.Context) (err error) {
		hash, err = s.client.HGetAll(ctx, s.prefix+"run:"+id).Result()
		return err
	})
	if err == nil && len(hash) == 0 {
		err = jobcenter.ErrRunNotFound
	}
	if err != nil {
		return jobcenter.Run{}, fmt.Errorf("redisstore: get run %q: %w", id, err)
	}
	values := make([]any, 0, 2*len(hash))
	for name, value := range hash {
		values = append(values, name, value)
	}
	run, _, err := decodeRun(id, values)
	if err != nil {
		return jobcenter.Run{}, fmt.Errorf("redisstore: get: %w", err)
	}
	return run, nil
}

// fetchRuns returns runs with their jobs; those that are gone are left out.
func (s *Store) fetchRuns(ctx context.Context, ids []string) ([]jobcenter.Claimed, error) {
	var runs []jobcenter.Claimed
	for part := range slices.Chunk(ids, batch) {
		var args arguments
		args.list(part)
		reply, err := s.read(ctx, s.fetch, args)
		if err != nil {
			return nil, err
		}
		for _, one := range list(reply) {
			job, run, _, err := decodeWithJob(list(one))
			if err != nil {
				return nil, err
			}
			runs = append(runs, jobcenter.Claimed{Job: job.Job, Runs: []jobcenter.Run{run}})
		}
	}
	return runs, nil
}

// LastRuns returns for each job the latest run that was started.
func (s *Store) LastRuns(ctx context.Context, jobIDs []string) (map[string]jobcenter.Run, error) {
	states := []string{
		string(jobcenter.RunRunning), string(jobcenter.RunSucceeded), string(jobcenter.RunFailed),
		string(jobcenter.RunTimedOut), string(jobcenter.RunStopped), string(jobcenter.RunLost),
	}
	last := make(map[string]jobcenter.Run, len(jobIDs))
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("redisstore: last runs: %w", err)
	}
	for part := range slices.Chunk(jobIDs, batch) {
		var args arguments
		args.list(states)
		args.list(part)
		reply, err := s.read(ctx, s.last, args)
		if err != nil {
			return nil, fmt.Errorf("redisstore: last runs: %w", err)
		}
		for _, one := range list(reply) {
			values := list(one)
			run, _, err := decodeRun(text(item(values, 1)), list(item(values, 2)))
			if err != nil {
				return nil, fmt.Errorf("redisstore: last runs: %w", err)
			}
			last[text(item(values, 0))] = run
		}
	}
	return last, nil
}

// Heartbeat renews a node's lease until the given instant.
func (s *Store) Heartbeat(ctx context.Context, node string, until time.Time) error {
	// A lease that has ended is as good as none. So that those of nodes that
	// are no more do not gather, it goes away by itself, a day later since
	// clocks may differ.
	const day = 24 * time.Hour
	left := min(max(time.Until(until), 0), 365*day) + day
	if err := s.do(ctx, func(ctx context.Context) error {
		return s.client.Set(ctx, s.prefix+"lease:"+node, instant(until), left).Err()
	}); err != nil {
		return fmt.Errorf("redisstore: heartbeat of node %q: %w", node, err)
	}
	return nil
}

// Orphans returns up to limit running runs that nobody looks after, and those
// of the node; see jobcenter.JobStore. A job that was removed comes back with
// its id alone.
func (s *Store) Orphans(ctx context.Context, node string, now time.Time, limit int) ([]jobcenter.Claimed, error) {
	reply, err := s.read(ctx, s.orphans, arguments{node, after(now), min(max(limit, 0), math.MaxInt32)})
	if err != nil {
		return nil, fmt.Errorf("redisstore: orphans: %w", err)
	}
	var ids []string
	seen := map[string]jobcenter.Run{}
	for _, one := range list(reply) {
		values := list(one)
		run, _, err := decodeRun(text(item(values, 0)), []any{"node", item(values, 1), "attempt", item(values, 2)})
		if err != nil {
			return nil, fmt.Errorf("redisstore: orphans: %w", err)
		}
		ids = append(ids, run.ID)
		seen[run.ID] = run
	}
	found, err := s.fetchRuns(ctx, ids)
	if err != nil {
		return nil, fmt.Errorf("redisstore: orphans: %w", err)
	}
	// They may have ended meanwhile, or been begun again by somebody else.
	return slices.DeleteFunc(found, func(c jobcenter.Claimed) bool {
		run := &c.Runs[0]
		return run.State != jobcenter.RunRunning || run.Node != seen[run.ID].Node || run.Attempt != seen[run.ID].Attempt
	}), nil
}
