package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/jobcenter-go/jobcenter"
)

// NextDue returns the earliest instant at which there is a job to claim.
func (s *Store) NextDue(ctx context.Context, can jobcenter.Can) (at time.Time, ok bool, err error) {
	var us int64
	err = s.nextDue.QueryRowContext(ctx, jsonList(can.Tasks), jsonList(can.Executors)).Scan(&us)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return time.Time{}, false, nil
	case err != nil:
		return time.Time{}, false, fmt.Errorf("sqlstore: next due job: %w", err)
	}
	return time.UnixMicro(us).UTC(), true, nil
}

// Claim takes due jobs and lets decide say what becomes of each; see
// jobcenter.JobStore.
func (s *Store) Claim(ctx context.Context, can jobcenter.Can, now time.Time, limit int, decide func(job jobcenter.Job, active jobcenter.Active) jobcenter.Decision) ([]jobcenter.Claimed, error) {
	var claimed []jobcenter.Claimed
	err := s.write(ctx, func(ctx context.Context, tx transaction) error {
		due, err := s.selectDueJobs(ctx, tx, can, now, limit)
		if err != nil {
			return fmt.Errorf("due jobs: %w", err)
		}
		claimed = make([]jobcenter.Claimed, 0, len(due))
		if len(due) == 0 {
			return nil
		}
		return s.decide(ctx, tx, due, decide, &claimed)
	})
	if err != nil {
		return nil, fmt.Errorf("sqlstore: claim: %w", err)
	}
	return claimed, nil
}

func (s *Store) selectDueJobs(ctx context.Context, tx transaction, can jobcenter.Can, now time.Time, limit int) ([]storedJob, error) {
	if limit <= 0 {
		return nil, nil
	}
	rows, err := tx.query(ctx, s.dueJobs, now.UnixMicro(), jsonList(can.Tasks), jsonList(can.Executors), limit)
	if err != nil {
		return nil, err
	}
	return s.scanJobs(rows)
}

// scanJobs reads and closes rows of jobs.
func (s *Store) scanJobs(rows *sql.Rows) ([]storedJob, error) {
	defer func() { _ = rows.Close() }()
	var jobs []storedJob
	for rows.Next() {
		job, err := s.scanJob(rows)
		if err != nil {
			return nil, err
		}
		jobs = append(jobs, job)
	}
	return jobs, rows.Err()
}

// decide asks about each due job and writes what it is told.
func (s *Store) decide(ctx context.Context, tx transaction, due []storedJob, decide func(job jobcenter.Job, active jobcenter.Active) jobcenter.Decision, claimed *[]jobcenter.Claimed) error {
	ids := make([]string, len(due))
	for i := range due {
		ids[i] = due[i].ID
	}
	active, err := s.activeRuns(ctx, tx, ids)
	if err != nil {
		return err
	}
	advances := make([]any, 0, 4*len(due))
	runs := make([]jobcenter.Run, 0, len(due))
	for i := range due {
		job := &due[i]
		*claimed = append(*claimed, jobcenter.Claimed{Job: job.Job})
		if job.unreadable != "" {
			if _, err := tx.exec(ctx, s.quarantineJob, job.unreadable, job.seq); err != nil {
				return fmt.Errorf("quarantine job %q: %w", job.ID, err)
			}
			continue
		}
		decision := decide(job.Job, active[job.ID])
		(*claimed)[i].Runs = decision.Runs
		runs = append(runs, decision.Runs...)
		after := job.Job
		after.NextFireTime, after.PreviousFireTime = decision.Next, decision.Previous
		if err := s.applyRest(ctx, tx, job.seq, &after, &decision); err != nil {
			return fmt.Errorf("job %q: %w", job.ID, err)
		}
		advances = append(advances, job.seq, micros(after.NextFireTime), micros(after.PreviousFireTime), micros(after.DueAt()))
	}
	if _, err := s.advanceJobs.exec(ctx, tx, len(advances)/4, advances); err != nil {
		return fmt.Errorf("advance jobs: %w", err)
	}
	inserted, err := s.writeRuns(ctx, tx, runs)
	if err != nil {
		return err
	}
	for i := range *claimed {
		(*claimed)[i].Runs = storedRuns((*claimed)[i].Runs, inserted)
	}
	return nil
}

// applyRest writes what few decisions say.
func (s *Store) applyRest(ctx context.Context, tx transaction, seq int64, job *jobcenter.Job, decision *jobcenter.Decision) error {
	if decision.Quarantine != "" {
		job.Quarantine = decision.Quarantine
		if _, err := tx.exec(ctx, s.quarantineJob, decision.Quarantine, seq); err != nil {
			return fmt.Errorf("quarantine: %w", err)
		}
	}
	if decision.Resume {
		job.Paused, job.PausedUntil, job.PauseReason = false, time.Time{}, ""
		if _, err := tx.exec(ctx, s.resumeJob, seq); err != nil {
			return fmt.Errorf("resume: %w", err)
		}
	}
	if decision.StopRunning != "" {
		if _, err := tx.exec(ctx, s.stopRunningRuns, decision.StopRunning, job.ID); err != nil {
			return fmt.Errorf("stop running: %w", err)
		}
	}
	return nil
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
