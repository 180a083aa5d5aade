package sqlstore

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"github.com/jobcenter-go/jobcenter"
)

// TakeQueued takes queued runs and replaces each by what start returns for it;
// see jobcenter.JobStore.
func (s *Store) TakeQueued(ctx context.Context, can jobcenter.Can, executor string, now time.Time, limit int, start func(job jobcenter.Job, run jobcenter.Run) jobcenter.Run) (taken []jobcenter.Claimed, next time.Time, err error) {
	err = s.write(ctx, func(ctx context.Context, tx transaction) error {
		t := taking{
			store: s, tx: tx, tasks: jsonList(can.Tasks), executor: executor, now: now, limit: limit, start: start,
			jobs: map[string]*queuedJob{}, keys: map[string]*limitKey{},
		}
		if next, err = t.wake(ctx); err != nil {
			return err
		}
		err = t.take(ctx)
		taken = t.taken
		return err
	})
	if err != nil {
		return nil, time.Time{}, fmt.Errorf("sqlstore: take queued runs: %w", err)
	}
	return taken, next, nil
}

// CountQueued counts the runs that are queued for an executor, up to limit.
func (s *Store) CountQueued(ctx context.Context, executor string, limit int) (n int, err error) {
	if err := s.countQueued.QueryRowContext(ctx, executor, max(limit, 0)).Scan(&n); err != nil {
		return 0, fmt.Errorf("sqlstore: count queued runs: %w", err)
	}
	return n, nil
}

// taking is one call of TakeQueued. It reads the queue in pages; a job or a
// limit that is found to be full is left out of the next page, so that a long
// queue behind it costs little.
type taking struct {
	store    *Store
	tx       transaction
	tasks    string
	executor string
	now      time.Time
	limit    int
	start    func(job jobcenter.Job, run jobcenter.Run) jobcenter.Run

	jobs      map[string]*queuedJob // those of runs that were seen; nil for one that is gone
	keys      map[string]*limitKey
	fullJobs  []string
	fullLanes []string // see lane
	taken     []jobcenter.Claimed
}

// queuedJob is a job with how many of its runs are running.
type queuedJob struct {
	storedJob
	running int
}

// limitKey is what has been counted of the runs of a key.
type limitKey struct {
	running int
	starts  map[jobcenter.Limit]int // in the database, as far as the limit needs
	started []time.Time             // not yet in the database
}

// queueEntry is a run in the queue.
type queueEntry struct{ runID, jobID, limitKey string }

// wake brings the runs whose time has come among those that may start, and
// returns when the next one's will come.
func (t *taking) wake(ctx context.Context) (next time.Time, err error) {
	if _, err := t.tx.exec(ctx, t.store.wakeRuns, t.executor, t.now.UnixMicro()); err != nil {
		return time.Time{}, fmt.Errorf("wake runs: %w", err)
	}
	var us sql.NullInt64
	if err := t.tx.queryRow(ctx, t.store.nextWaiting, t.executor).Scan(&us); err != nil {
		return time.Time{}, fmt.Errorf("next waiting run: %w", err)
	}
	return instant(us), nil
}

// take goes through the queue. Each page makes the next one shorter: its runs
// are taken, or left out from then on.
func (t *taking) take(ctx context.Context) error {
	for size := t.limit + 16; len(t.taken) < t.limit; size *= 2 {
		page, err := t.page(ctx, size)
		if err != nil {
			return fmt.Errorf("queue: %w", err)
		}
		if len(page) == 0 {
			return nil
		}
		if err := t.takePage(ctx, page); err != nil {
			return err
		}
		if len(page) < size {
			return nil
		}
	}
	return nil
}

func (t *taking) page(ctx context.Context, size int) ([]queueEntry, error) {
	rows, err := t.tx.query(ctx, t.store.queue, t.executor, jsonList(t.fullJobs), t.tasks, jsonList(t.fullLanes), size)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	var page []queueEntry
	for rows.Next() {
		var entry queueEntry
		if err := rows.Scan(&entry.runID, &entry.jobID, &entry.limitKey); err != nil {
			return nil, err
		}
		page = append(page, entry)
	}
	return page, rows.Err()
}

func (t *taking) takePage(ctx context.Context, page []queueEntry) error {
	if err := t.loadJobs(ctx, page); err != nil {
		return fmt.Errorf("jobs: %w", err)
	}
	runs, err := t.loadRuns(ctx, page)
	if err != nil {
		return fmt.Errorf("runs: %w", err)
	}
	var changed []storedRun
	for _, entry := range page {
		if len(t.taken) >= t.limit {
			break
		}
		run, ok := runs[entry.runID]
		if !ok {
			continue
		}
		job := t.jobs[entry.jobID]
		if job == nil {
			run.State, run.Reason, run.EndedAt = jobcenter.RunSkipped, jobcenter.ReasonRemoved, t.now
			changed = append(changed, run)
			continue
		}
		free, err := t.free(ctx, job, entry.limitKey)
		if err != nil {
			return err
		}
		if !free {
			continue
		}
		if run.Run, err = t.startRun(job, run.Run); err != nil {
			return err
		}
		changed = append(changed, run)
	}
	if err := t.store.replaceRuns(ctx, t.tx, changed); err != nil {
		return err
	}
	for _, key := range t.keys { // the database knows them now
		key.starts, key.started = map[jobcenter.Limit]int{}, nil
	}
	return nil
}

// loadJobs reads the jobs of a page that have not been seen yet.
func (t *taking) loadJobs(ctx context.Context, page []queueEntry) error {
	var ids []string
	for _, entry := range page {
		if _, ok := t.jobs[entry.jobID]; !ok {
			t.jobs[entry.jobID] = nil
			ids = append(ids, entry.jobID)
		}
	}
	if len(ids) == 0 {
		return nil
	}
	rows, err := t.tx.query(ctx, t.store.jobsInTx, jsonList(ids))
	if err != nil {
		return err
	}
	jobs, err := t.store.scanJobs(rows)
	if err != nil {
		return err
	}
	for _, job := range jobs {
		t.jobs[job.ID] = &queuedJob{storedJob: job}
	}
	return countByJob(ctx, t.tx, t.store.runningRuns, ids, func(id string, n int) {
		if job := t.jobs[id]; job != nil {
			job.running = n
		}
	})
}

func (t *taking) loadRuns(ctx context.Context, page []queueEntry) (map[string]storedRun, error) {
	ids := make([]string, len(page))
	for i, entry := range page {
		ids[i] = entry.runID
	}
	rows, err := t.tx.query(ctx, t.store.runsInTx, jsonList(ids))
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	runs := make(map[string]storedRun, len(ids))
	for rows.Next() {
		run, err := scanRun(rows)
		if err != nil {
			return nil, err
		}
		runs[run.ID] = run
	}
	return runs, rows.Err()
}

// free reports whether another run of a job may start, and otherwise leaves
// out of the next page what is full.
func (t *taking) free(ctx context.Context, job *queuedJob, key string) (bool, error) {
	if job.running >= max(job.MaxInstances, 1) {
		t.fullJobs = append(t.fullJobs, job.ID)
		return false, nil
	}
	if key == "" || job.limits == "" {
		return true, nil
	}
	within, err := t.within(ctx, key, job.Limit)
	if err != nil {
		return false, fmt.Errorf("limit %q: %w", key, err)
	}
	if !within {
		t.fullLanes = append(t.fullLanes, lane(key, job.limits))
	}
	return within, nil
}

// lane is what runs share that a limit stops together: the key and the
// numbers that their jobs name. The statement puts it together likewise.
func lane(key, limits string) string { return key + "\n" + limits }

// within reports whether another run of a limit's key may start.
func (t *taking) within(ctx context.Context, key string, limit jobcenter.Limit) (bool, error) {
	counted := t.keys[key]
	if counted == nil {
		counted = &limitKey{starts: map[jobcenter.Limit]int{}}
		if err := t.tx.queryRow(ctx, t.store.runningOfKey, key).Scan(&counted.running); err != nil {
			return false, err
		}
		t.keys[key] = counted
	}
	if limit.Running > 0 && counted.running >= limit.Running {
		return false, nil
	}
	if limit.Rate <= 0 {
		return true, nil
	}
	since := t.now.Add(-limit.Per)
	starts, ok := counted.starts[limit]
	if !ok {
		if err := t.tx.queryRow(ctx, t.store.startsOfKey, key, since.UnixMicro(), limit.Rate).Scan(&starts); err != nil {
			return false, err
		}
		counted.starts[limit] = starts
	}
	for _, at := range counted.started {
		if at.After(since) {
			starts++
		}
	}
	return starts < limit.Rate, nil
}

// startRun asks what becomes of a run that may start.
func (t *taking) startRun(job *queuedJob, run jobcenter.Run) (jobcenter.Run, error) {
	started := t.start(job.Job, run)
	if started.ID != run.ID || started.JobID != run.JobID || !started.FireTime.Equal(run.FireTime) || started.Series != run.Series {
		return jobcenter.Run{}, fmt.Errorf("run %q: id, job, fire time and series cannot change", run.ID)
	}
	t.taken = append(t.taken, jobcenter.Claimed{Job: job.Job, Runs: []jobcenter.Run{runAsStored(started)}})
	if started.State == jobcenter.RunRunning {
		job.running++
		if key := t.keys[started.LimitKey]; key != nil {
			key.running++
			key.started = append(key.started, started.StartedAt)
		}
	}
	return started, nil
}
