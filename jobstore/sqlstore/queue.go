package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"time"

	"github.com/jobcenter-go/jobcenter"
)

// TakeQueued takes queued runs and replaces each by what start returns for it;
// see jobcenter.JobStore. With a server, runs are passed over whose job, or
// whose limit's key, others are starting runs of at the same time; but if
// there were none else, they are waited for.
func (s *Store) TakeQueued(ctx context.Context, can jobcenter.Can, executor string, now time.Time, limit int, start func(job jobcenter.Job, run jobcenter.Run) jobcenter.Run) (taken []jobcenter.Claimed, next time.Time, err error) {
	var waitFor locked
	for range 3 { // once more for keys that are new, and once more to wait
		var t *taking
		err = s.write(ctx, func(ctx context.Context, tx transaction) error {
			t = &taking{
				store: s, tx: tx, tasks: jsonList(can.Tasks), executor: executor, now: now, limit: limit, start: start,
				jobs: map[string]*queuedJob{}, keys: map[string]*limitKey{}, fullJobs: map[string]bool{}, fullLanes: map[string]bool{},
			}
			return t.run(ctx, waitFor)
		})
		if errors.Is(err, errNewKeys) {
			if _, err = s.addKeys.ExecContext(ctx, jsonList(t.newKeys)); err == nil {
				continue
			}
		}
		if err != nil {
			return nil, time.Time{}, fmt.Errorf("sqlstore: take queued runs: %w", err)
		}
		taken, next = t.taken, t.next
		if len(taken) > 0 || limit <= 0 || len(t.passed.jobs) == 0 {
			break
		}
		waitFor = t.passed
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

// taking is one transaction of TakeQueued. It reads the queue in pages, one
// after the other; what is found to be full, a job or a limit, is left out of
// the next, so that a long queue of it costs little.
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
	fullJobs  map[string]bool
	fullLanes map[string]bool // see lane
	passed    locked
	newKeys   []string

	taken []jobcenter.Claimed
	next  time.Time
}

// locked are rows that others hold.
type locked struct{ jobs, keys []string }

// errNewKeys: limits have keys of which there is no row to lock yet.
var errNewKeys = errors.New("new limit keys")

// queuedJob is a job with how many of its runs are running.
type queuedJob struct {
	storedJob
	running int
	busy    bool // others start runs of it
}

// room is how many runs of the job may start.
func (j *queuedJob) room() int { return max(j.MaxInstances, 1) - j.running }

// limitKey is what has been counted of the runs of a key.
type limitKey struct {
	busy    bool // others start runs of it
	running int
	starts  map[jobcenter.Limit]int // in the database, as far as the limit needs
	started []time.Time             // not yet in the database
}

// queueEntry is a run in the queue, and its place there.
type queueEntry struct {
	runID, jobID, limitKey                string
	precedence, turn, fireTime, runNumber int64
}

// run does it all, once what is to be waited for has been locked.
func (t *taking) run(ctx context.Context, waitFor locked) error {
	if _, err := t.tx.lock(ctx, t.store.lockJobs, waitFor.jobs); err != nil {
		return fmt.Errorf("lock jobs: %w", err)
	}
	if _, err := t.tx.lock(ctx, t.store.lockKeys, waitFor.keys); err != nil {
		return fmt.Errorf("lock limits: %w", err)
	}
	if err := t.wake(ctx); err != nil {
		return err
	}
	after := queueEntry{precedence: math.MinInt32}
	for size := t.limit + 16; len(t.taken) < t.limit; size = min(2*size, t.limit+256) {
		page, err := t.page(ctx, after, size)
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
		after = page[len(page)-1]
	}
	return nil
}

// wake brings the runs whose time has come among those that may start, and
// finds out when the next one's will come.
func (t *taking) wake(ctx context.Context) error {
	if _, err := t.tx.exec(ctx, t.store.wakeRuns, t.executor, t.now.UnixMicro()); err != nil {
		return fmt.Errorf("wake runs: %w", err)
	}
	var us sql.NullInt64
	err := t.tx.queryRow(ctx, t.store.nextWaiting, t.executor, t.now.UnixMicro()).Scan(&us)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return fmt.Errorf("next waiting run: %w", err)
	}
	t.next = instant(us)
	return nil
}

func (t *taking) page(ctx context.Context, after queueEntry, size int) ([]queueEntry, error) {
	rows, err := t.tx.query(ctx, t.store.queue, t.executor, after.precedence, after.turn, after.fireTime, after.runNumber,
		jsonList(slices.Collect(maps.Keys(t.fullJobs))), t.tasks, jsonList(slices.Collect(maps.Keys(t.fullLanes))), size)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	var page []queueEntry
	for rows.Next() {
		var e queueEntry
		if err := rows.Scan(&e.runID, &e.jobID, &e.limitKey, &e.precedence, &e.turn, &e.fireTime, &e.runNumber); err != nil {
			return nil, err
		}
		page = append(page, e)
	}
	return page, rows.Err()
}

func (t *taking) takePage(ctx context.Context, page []queueEntry) error {
	if err := t.loadJobs(ctx, page); err != nil {
		return fmt.Errorf("jobs: %w", err)
	}
	if err := t.loadKeys(ctx, page); err != nil {
		return err
	}
	runs, err := t.candidates(ctx, page)
	if err != nil {
		return err
	}
	var changed []storedRun
	for _, entry := range page {
		if len(t.taken) >= t.limit {
			break
		}
		job := t.jobs[entry.jobID]
		free := job == nil
		if !free {
			if free, err = t.free(ctx, job, entry); err != nil {
				return err
			}
		}
		if !free {
			continue
		}
		run, err := t.candidate(ctx, runs, entry)
		switch {
		case err != nil:
			return err
		case run == nil: // others have it in hand
			t.pass(entry)
			continue
		case job == nil:
			run.State, run.Reason, run.EndedAt = jobcenter.RunSkipped, jobcenter.ReasonRemoved, t.now
		default:
			if run.Run, err = t.startRun(job, run.Run); err != nil {
				return err
			}
		}
		changed = append(changed, *run)
	}
	if err := t.store.replaceRuns(ctx, t.tx, changed); err != nil {
		return err
	}
	for _, key := range t.keys { // the database knows them now
		key.starts, key.started = map[jobcenter.Limit]int{}, nil
	}
	return nil
}

// loadJobs locks and reads the jobs of a page that have not been seen yet.
func (t *taking) loadJobs(ctx context.Context, page []queueEntry) (err error) {
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
	var got map[string]bool
	if t.store.takeJobs != nil {
		if got, err = t.tx.take(ctx, t.store.takeJobs, ids); err != nil {
			return err
		}
	}
	rows, err := t.tx.query(ctx, t.store.jobsInTx, jsonList(ids))
	if err != nil {
		return err
	}
	jobs, err := t.store.scanJobs(rows, len(ids))
	if err != nil {
		return err
	}
	for _, job := range jobs {
		t.jobs[job.ID] = &queuedJob{storedJob: job, busy: t.store.takeJobs != nil && !got[job.ID]}
	}
	return countByJob(ctx, t.tx, t.store.runningRuns, ids, func(id string, n int) {
		if job := t.jobs[id]; job != nil {
			job.running = n
		}
	})
}

// loadKeys locks the limits of a page that have not been seen yet, and counts
// what of each is running.
func (t *taking) loadKeys(ctx context.Context, page []queueEntry) (err error) {
	var ids []string
	for _, entry := range page {
		job := t.jobs[entry.jobID]
		if job == nil || job.busy || job.limits == "" || entry.limitKey == "" || t.keys[entry.limitKey] != nil {
			continue
		}
		t.keys[entry.limitKey] = &limitKey{starts: map[jobcenter.Limit]int{}}
		ids = append(ids, entry.limitKey)
	}
	if len(ids) == 0 {
		return nil
	}
	var got map[string]bool
	if t.store.takeKeys != nil {
		if got, err = t.takeKeys(ctx, ids); err != nil {
			return fmt.Errorf("limits: %w", err)
		}
	}
	for _, id := range ids {
		key := t.keys[id]
		if key.busy = t.store.takeKeys != nil && !got[id]; key.busy {
			continue
		}
		if err := t.tx.queryRow(ctx, t.store.runningOfKey, id).Scan(&key.running); err != nil {
			return fmt.Errorf("running of limit %q: %w", id, err)
		}
	}
	return nil
}

// takeKeys locks keys and returns those that it got. errNewKeys if there is no
// row of some.
func (t *taking) takeKeys(ctx context.Context, ids []string) (map[string]bool, error) {
	got, err := t.tx.take(ctx, t.store.takeKeys, ids)
	if err != nil || len(got) == len(ids) {
		return got, err
	}
	there, err := t.tx.take(ctx, t.store.keys, ids)
	if err != nil {
		return nil, err
	}
	for _, id := range ids {
		if !there[id] {
			t.newKeys = append(t.newKeys, id)
		}
	}
	if len(t.newKeys) > 0 {
		slices.Sort(t.newKeys)
		return nil, errNewKeys
	}
	return got, nil
}

// candidates reads the runs of a page that are likely to start: as many of
// each job as there is room for.
func (t *taking) candidates(ctx context.Context, page []queueEntry) (map[string]*storedRun, error) {
	var ids []string
	chosen := map[string]int{} // by job
	for _, entry := range page {
		if job := t.jobs[entry.jobID]; job != nil {
			free, err := t.free(ctx, job, entry)
			if err != nil {
				return nil, err
			}
			if !free || chosen[job.ID] >= job.room() {
				continue
			}
			chosen[job.ID]++
		}
		ids = append(ids, entry.runID)
	}
	return t.loadRuns(ctx, ids)
}

// candidate is the run of an entry, nil if it is not to be had. It is read on
// its own if it was not expected to start: one before it has not, after all.
func (t *taking) candidate(ctx context.Context, runs map[string]*storedRun, entry queueEntry) (*storedRun, error) {
	if run, ok := runs[entry.runID]; ok {
		return run, nil
	}
	more, err := t.loadRuns(ctx, []string{entry.runID})
	return more[entry.runID], err
}

// loadRuns locks and reads runs that are queued. Those that others have locked
// are nil.
func (t *taking) loadRuns(ctx context.Context, ids []string) (map[string]*storedRun, error) {
	runs := make(map[string]*storedRun, len(ids))
	if len(ids) == 0 {
		return runs, nil
	}
	for _, id := range ids {
		runs[id] = nil
	}
	if t.store.takeRuns != nil {
		got, err := t.tx.take(ctx, t.store.takeRuns, ids)
		if err != nil {
			return nil, fmt.Errorf("lock runs: %w", err)
		}
		ids = slices.Collect(maps.Keys(got))
	}
	rows, err := t.tx.query(ctx, t.store.runsInTx, jsonList(ids))
	if err != nil {
		return nil, fmt.Errorf("runs: %w", err)
	}
	defer func() { _ = rows.Close() }()
	for r := runReader(); rows.Next(); {
		run, err := scanRun(r, rows)
		if err != nil {
			return nil, fmt.Errorf("runs: %w", err)
		}
		runs[run.ID] = &run
	}
	return runs, rows.Err()
}

// free reports whether the run of an entry may start. What is full stays full,
// and is left out of the next page.
func (t *taking) free(ctx context.Context, job *queuedJob, entry queueEntry) (bool, error) {
	if t.fullJobs[job.ID] {
		return false, nil
	}
	key := t.keys[entry.limitKey]
	if job.busy || key != nil && key.busy {
		t.pass(entry)
		return false, nil
	}
	if job.room() <= 0 {
		t.fullJobs[job.ID] = true
		return false, nil
	}
	if key == nil || job.limits == "" {
		return true, nil
	}
	lane := lane(entry.limitKey, job.limits)
	if t.fullLanes[lane] {
		return false, nil
	}
	within, err := t.within(ctx, key, entry.limitKey, job.Limit)
	if err != nil {
		return false, fmt.Errorf("limit %q: %w", entry.limitKey, err)
	}
	if !within {
		t.fullLanes[lane] = true
	}
	return within, nil
}

// lane is what runs share that a limit stops together: the key and the
// numbers that their jobs name. The statement puts it together likewise.
func lane(key, limits string) string { return key + "\n" + limits }

// pass leaves the runs of a job out because others have a lock. All that it
// takes to start one is noted, lest a wait ends before the next lock.
func (t *taking) pass(entry queueEntry) {
	t.fullJobs[entry.jobID] = true
	t.passed.jobs = append(t.passed.jobs, entry.jobID)
	if entry.limitKey != "" {
		t.passed.keys = append(t.passed.keys, entry.limitKey)
	}
}

// within reports whether another run of a limit's key may start.
func (t *taking) within(ctx context.Context, counted *limitKey, key string, limit jobcenter.Limit) (bool, error) {
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
