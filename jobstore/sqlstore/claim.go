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
	at, id, err := s.firstDue(ctx, can)
	if err != nil {
		return time.Time{}, false, fmt.Errorf("sqlstore: next due job: %w", err)
	}
	return at, id != "", nil
}

// firstDue returns the id of the job that is due first; empty if there is none.
func (s *Store) firstDue(ctx context.Context, can jobcenter.Can) (at time.Time, id string, err error) {
	var us int64
	err = s.nextDue.QueryRowContext(ctx, jsonList(can.Tasks), jsonList(can.Executors)).Scan(&us, &id)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return time.Time{}, "", nil
	case err != nil:
		return time.Time{}, "", err
	}
	return time.UnixMicro(us).UTC(), id, nil
}

// Claim takes due jobs and lets decide say what becomes of each; see
// jobcenter.JobStore. With a server, jobs are passed over that others have
// locked; but if there are no other ones, they are waited for.
func (s *Store) Claim(ctx context.Context, can jobcenter.Can, now time.Time, limit int, decide func(job jobcenter.Job, active jobcenter.Active) jobcenter.Decision) ([]jobcenter.Claimed, error) {
	if limit <= 0 && ctx.Err() == nil {
		return nil, nil
	}
	claimed, err := s.claim(ctx, can, now, limit, nil, decide)
	if err == nil && len(claimed) == 0 && s.lockJobs != nil {
		var at time.Time
		var id string
		if at, id, err = s.firstDue(ctx, can); err == nil && id != "" && !at.After(now) {
			claimed, err = s.claim(ctx, can, now, limit, []string{id}, decide)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("sqlstore: claim: %w", err)
	}
	return claimed, nil
}

// claim is one transaction, which waits for jobs before all else.
func (s *Store) claim(ctx context.Context, can jobcenter.Can, now time.Time, limit int, waitFor []string, decide func(job jobcenter.Job, active jobcenter.Active) jobcenter.Decision) (claimed []jobcenter.Claimed, err error) {
	err = s.write(ctx, func(ctx context.Context, tx transaction) error {
		if _, err := tx.lock(ctx, s.lockJobs, waitFor); err != nil {
			return fmt.Errorf("lock jobs: %w", err)
		}
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
	return claimed, err
}

func (s *Store) selectDueJobs(ctx context.Context, tx transaction, can jobcenter.Can, now time.Time, limit int) ([]storedJob, error) {
	rows, err := tx.query(ctx, s.dueJobs, now.UnixMicro(), jsonList(can.Tasks), jsonList(can.Executors), limit)
	if err != nil {
		return nil, err
	}
	return s.scanJobs(rows, limit)
}

// scanJobs reads and closes rows of jobs, at most so many.
func (s *Store) scanJobs(rows *sql.Rows, most int) ([]storedJob, error) {
	defer func() { _ = rows.Close() }()
	jobs := make([]storedJob, 0, min(most, 1000))
	for r := jobReader(0); rows.Next(); {
		job, err := s.scanJob(r, rows)
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
	advances := make([]any, 0, 3*len(due))
	runs := make([]jobcenter.Run, 0, len(due))
	decisions := make([]jobcenter.Decision, len(due))
	for i := range due {
		job := &due[i]
		*claimed = append(*claimed, jobcenter.Claimed{Job: job.Job})
		if job.unreadable != "" {
			decisions[i].Quarantine = job.unreadable
			continue
		}
		decision := decide(job.Job, active[job.ID])
		(*claimed)[i].Runs = decision.Runs
		runs = append(runs, decision.Runs...)
		advances = append(advances, job.seq, micros(decision.Next), micros(decision.Previous))
		decisions[i] = decision
	}
	if _, err := s.advanceJobs.exec(ctx, tx, len(advances)/3, advances); err != nil {
		return fmt.Errorf("advance jobs: %w", err)
	}
	for i := range due {
		if err := s.applyRest(ctx, tx, &due[i], &decisions[i]); err != nil {
			return fmt.Errorf("job %q: %w", due[i].ID, err)
		}
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

// applyRest writes what few decisions say, after the job has advanced.
func (s *Store) applyRest(ctx context.Context, tx transaction, job *storedJob, decision *jobcenter.Decision) error {
	if decision.Resume {
		if _, err := tx.exec(ctx, s.resumeJob, job.seq); err != nil {
			return fmt.Errorf("resume: %w", err)
		}
	}
	if decision.Quarantine != "" {
		if _, err := tx.exec(ctx, s.quarantineJob, decision.Quarantine, job.seq); err != nil {
			return fmt.Errorf("quarantine: %w", err)
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
