package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/jobcenter-go/jobcenter"
)

// NextFireTime returns the earliest next fire time of all jobs of these tasks
// that may be claimed.
func (s *Store) NextFireTime(ctx context.Context, tasks []string) (at time.Time, ok bool, err error) {
	var us int64
	err = s.nextFireTime.QueryRowContext(ctx, jsonList(tasks)).Scan(&us)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return time.Time{}, false, nil
	case err != nil:
		return time.Time{}, false, fmt.Errorf("sqlstore: next fire time: %w", err)
	}
	return time.UnixMicro(us).UTC(), true, nil
}

// dueJob is a job to decide about.
type dueJob struct {
	storedJob
	active int
}

// Claim takes due jobs and lets decide say what becomes of each; see
// jobcenter.JobStore. A job that cannot be decoded is put in quarantine
// without a word to decide, and is not among those returned.
func (s *Store) Claim(ctx context.Context, tasks []string, now time.Time, limit int, decide func(job jobcenter.Job, active int) jobcenter.Decision) ([]jobcenter.Claimed, error) {
	var claimed []jobcenter.Claimed
	err := s.write(ctx, func(ctx context.Context, tx transaction) error {
		due, err := s.readableDueJobs(ctx, tx, tasks, now, limit)
		if err != nil {
			return err
		}
		claimed = make([]jobcenter.Claimed, 0, len(due))
		advances := make([]any, 0, 3*len(due))
		runs := make([]jobcenter.Run, 0, len(due))
		for _, job := range due {
			decision := decide(job.Job, job.active)
			claimed = append(claimed, jobcenter.Claimed{Job: job.Job, Runs: decision.Runs})
			advances = append(advances, job.seq, micros(decision.Next), decision.Quarantine)
			runs = append(runs, decision.Runs...)
		}
		if _, err := s.advanceJobs.exec(ctx, tx, len(due), advances); err != nil {
			return fmt.Errorf("advance jobs: %w", err)
		}
		inserted, err := s.writeRuns(ctx, tx, runs)
		if err != nil {
			return err
		}
		for i := range claimed {
			claimed[i].Runs = storedRuns(claimed[i].Runs, inserted)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("sqlstore: claim: %w", err)
	}
	return claimed, nil
}

// storedRuns are those runs that were inserted, as they are stored.
func storedRuns(runs []jobcenter.Run, inserted map[string]bool) []jobcenter.Run {
	var stored []jobcenter.Run
	for _, run := range runs {
		if inserted[run.ID] {
			stored = append(stored, runAsStored(run))
		}
	}
	return stored
}

// readableDueJobs returns due jobs. Those that cannot be decoded it puts in
// quarantine first, until none is among them.
func (s *Store) readableDueJobs(ctx context.Context, tx transaction, tasks []string, now time.Time, limit int) ([]dueJob, error) {
	for {
		due, err := s.selectDueJobs(ctx, tx, tasks, now, limit)
		if err != nil {
			return nil, err
		}
		var bad []any
		for _, job := range due {
			if job.unreadable != "" {
				bad = append(bad, job.seq, nil, job.unreadable)
			}
		}
		if len(bad) == 0 {
			return due, nil
		}
		if _, err := s.advanceJobs.exec(ctx, tx, len(bad)/3, bad); err != nil {
			return nil, fmt.Errorf("quarantine jobs: %w", err)
		}
	}
}

func (s *Store) selectDueJobs(ctx context.Context, tx transaction, tasks []string, now time.Time, limit int) ([]dueJob, error) {
	rows, err := tx.query(ctx, s.dueJobs, now.UnixMicro(), jsonList(tasks), max(limit, 0))
	if err != nil {
		return nil, fmt.Errorf("due jobs: %w", err)
	}
	defer func() { _ = rows.Close() }()
	var due []dueJob
	for rows.Next() {
		var job dueJob
		if job.storedJob, err = s.scanJob(rows, &job.active); err != nil {
			return nil, fmt.Errorf("due jobs: %w", err)
		}
		due = append(due, job)
	}
	return due, rows.Err()
}

// TakeQueued takes queued runs and replaces each by what start returns for it;
// see jobcenter.JobStore.
func (s *Store) TakeQueued(ctx context.Context, tasks []string, executor string, limit int, start func(job jobcenter.Job, run jobcenter.Run) jobcenter.Run) ([]jobcenter.Claimed, error) {
	var taken []jobcenter.Claimed
	err := s.write(ctx, func(ctx context.Context, tx transaction) error {
		free, gone, err := s.selectQueued(ctx, tx, tasks, executor, limit)
		if err != nil {
			return err
		}
		for _, id := range gone {
			run, _, err := scanRun(tx.queryRow(ctx, s.runInTx, id))
			if err != nil {
				return err
			}
			run.State, run.Reason, run.EndedAt = jobcenter.RunSkipped, jobcenter.ReasonRemoved, time.Now()
			if err := s.replace(ctx, tx, run); err != nil {
				return err
			}
		}
		taken = make([]jobcenter.Claimed, 0, len(free))
		for _, id := range free {
			run, _, err := scanRun(tx.queryRow(ctx, s.runInTx, id))
			if err != nil {
				return err
			}
			job, _, err := s.oneJob(tx.queryRow(ctx, s.jobInTx, run.JobID))
			if err != nil {
				return err
			}
			started := start(job.Job, run)
			if started.ID != run.ID || started.JobID != run.JobID || !started.FireTime.Equal(run.FireTime) {
				return fmt.Errorf("run %q: id, job and fire time cannot change", run.ID)
			}
			if err := s.replace(ctx, tx, started); err != nil {
				return err
			}
			taken = append(taken, jobcenter.Claimed{Job: job.Job, Runs: []jobcenter.Run{runAsStored(started)}})
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("sqlstore: take queued runs: %w", err)
	}
	return taken, nil
}

func (s *Store) replace(ctx context.Context, tx transaction, run jobcenter.Run) error {
	_, err := tx.exec(ctx, s.replaceRun, append(runValues(run), run.ID)...)
	return err
}

// selectQueued returns the ids of up to limit queued runs that may start, and
// of those passed on the way whose job is gone.
func (s *Store) selectQueued(ctx context.Context, tx transaction, tasks []string, executor string, limit int) (free, gone []string, err error) {
	rows, err := tx.query(ctx, s.queuedRuns, executor, jsonList(tasks))
	if err != nil {
		return nil, nil, err
	}
	defer func() { _ = rows.Close() }()
	taken := map[string]int{} // by job
	for len(free) < limit && rows.Next() {
		var id, jobID string
		var instances sql.NullInt64
		var running int
		if err := rows.Scan(&id, &jobID, &instances, &running); err != nil {
			return nil, nil, err
		}
		switch {
		case !instances.Valid:
			gone = append(gone, id)
		case running+taken[jobID] < max(int(instances.Int64), 1):
			taken[jobID]++
			free = append(free, id)
		}
	}
	return free, gone, rows.Err()
}
