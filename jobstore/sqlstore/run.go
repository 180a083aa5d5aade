package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/jobcenter-go/jobcenter"
)

// runColumns are what scanRun reads, for lists; queries.sql has the same.
const runColumns = "seq, id, job_id, job_version, fire_time, last_fire_time, fire_count, origin, actor, state, " +
	"reason, message, attempt, node, executor, started_at, ended_at, exit_code, output_size, output_kept"

// scanRun reads the columns of a run. seq orders runs of the same fire time.
func scanRun(row scanner) (run jobcenter.Run, seq int64, err error) {
	var (
		fire, last     int64
		started, ended sql.NullInt64
		exitCode       sql.NullInt64
	)
	if err := row.Scan(&seq, &run.ID, &run.JobID, &run.JobVersion, &fire, &last, &run.FireCount, &run.Origin, &run.Actor, &run.State,
		&run.Reason, &run.Message, &run.Attempt, &run.Node, &run.Executor, &started, &ended, &exitCode, &run.OutputSize, &run.OutputKept); err != nil {
		return jobcenter.Run{}, 0, err
	}
	run.FireTime, run.LastFireTime = time.UnixMicro(fire).UTC(), time.UnixMicro(last).UTC()
	run.StartedAt, run.EndedAt = instant(started), instant(ended)
	if exitCode.Valid {
		code := int(exitCode.Int64)
		run.ExitCode = &code
	}
	return run, seq, nil
}

// runValues are the values of a run's row that may change, in the order of
// replace_run.
func runValues(run jobcenter.Run) []any {
	return []any{
		run.JobVersion, run.LastFireTime.UnixMicro(), run.FireCount, string(run.Origin), run.Actor, string(run.State),
		string(run.Reason), run.Message, run.Attempt, run.Node, run.Executor, micros(run.StartedAt), micros(run.EndedAt),
		exitCode(run), run.OutputSize, run.OutputKept,
	}
}

func exitCode(run jobcenter.Run) any {
	if run.ExitCode == nil {
		return nil
	}
	return *run.ExitCode
}

// runAsStored is a run as the store would return it.
func runAsStored(run jobcenter.Run) jobcenter.Run {
	for _, t := range []*time.Time{&run.FireTime, &run.LastFireTime, &run.StartedAt, &run.EndedAt} {
		*t = t.UTC().Truncate(time.Microsecond)
	}
	return run
}

// writeRuns inserts runs and returns the ids of those whose job and fire time
// were not in the ledger yet; the others are left out.
func (s *Store) writeRuns(ctx context.Context, tx transaction, runs []jobcenter.Run) (inserted map[string]bool, err error) {
	inserted = make(map[string]bool, len(runs))
	if len(runs) == 0 {
		return inserted, nil
	}
	values := make([]any, 0, len(runs)*19)
	ids := make([]string, 0, len(runs))
	for _, run := range runs {
		values = append(append(values, run.ID, run.JobID, run.FireTime.UnixMicro()), runValues(run)...)
		ids = append(ids, run.ID)
	}
	affected, err := s.insertRuns.exec(ctx, tx, len(runs), values)
	if err != nil {
		return nil, fmt.Errorf("insert runs: %w", err)
	}
	if affected == len(runs) {
		for _, id := range ids {
			inserted[id] = true
		}
		return inserted, nil
	}
	rows, err := tx.query(ctx, s.existingRuns, jsonList(ids))
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var id string
		if err := rows.Scan(&id); err != nil {
			return nil, err
		}
		inserted[id] = true
	}
	return inserted, rows.Err()
}

// Run returns one run; ErrRunNotFound.
func (s *Store) Run(ctx context.Context, id string) (jobcenter.Run, error) {
	run, _, err := scanRun(s.run.QueryRowContext(ctx, id))
	if errors.Is(err, sql.ErrNoRows) {
		err = jobcenter.ErrRunNotFound
	}
	if err != nil {
		return jobcenter.Run{}, fmt.Errorf("sqlstore: get run %q: %w", id, err)
	}
	return run, nil
}

// LastRuns returns for each job the latest run that was started.
func (s *Store) LastRuns(ctx context.Context, jobIDs []string) (map[string]jobcenter.Run, error) {
	last := make(map[string]jobcenter.Run, len(jobIDs))
	for _, id := range jobIDs {
		run, _, err := scanRun(s.lastRun.QueryRowContext(ctx, id))
		switch {
		case errors.Is(err, sql.ErrNoRows):
		case err != nil:
			return nil, fmt.Errorf("sqlstore: last run of job %q: %w", id, err)
		default:
			last[id] = run
		}
	}
	return last, nil
}
