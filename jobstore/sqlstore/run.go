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
const runColumns = "seq, id, job_id, fire_time, series, job_version, last_fire_time, fire_count, started_at, ended_at, " +
	"not_before, precedence, turn, attempt, exit_code, output_size, output_kept, origin, state, executor, " +
	"node, limit_key, stop_by, actor, reason, message, args, result"

// storedRun is a row of the ledger. seq orders runs of the same fire time.
type storedRun struct {
	jobcenter.Run
	seq int64
}

// scanRun reads the columns of a run.
func scanRun(row scanner) (run storedRun, err error) {
	var (
		fire, last, turn          int64
		started, ended, notBefore sql.NullInt64
		exitCode                  sql.NullInt64
		precedence                int
		args, result              string
	)
	if err := row.Scan(&run.seq, &run.ID, &run.JobID, &fire, &run.Series, &run.JobVersion, &last, &run.FireCount, &started, &ended,
		&notBefore, &precedence, &turn, &run.Attempt, &exitCode, &run.OutputSize, &run.OutputKept, &run.Origin, &run.State, &run.Executor,
		&run.Node, &run.LimitKey, &run.StopBy, &run.Actor, &run.Reason, &run.Message, &args, &result); err != nil {
		return storedRun{}, err
	}
	run.Priority = -precedence
	run.FireTime, run.LastFireTime = time.UnixMicro(fire).UTC(), time.UnixMicro(last).UTC()
	run.StartedAt, run.EndedAt, run.NotBefore = instant(started), instant(ended), instant(notBefore)
	if turn != noTurn {
		run.Turn = time.UnixMicro(turn).UTC()
	}
	run.Args, run.Result = rawJSON(args), rawJSON(result)
	if exitCode.Valid {
		code := int(exitCode.Int64)
		run.ExitCode = &code
	}
	return run, nil
}

// noTurn is how a run without a turn is stored, so that it comes first: as
// the zero instant in microseconds.
const noTurn = -62135596800000000

// runValues are the values of a run's row that may change, in the order of
// replace_runs.
func runValues(run *jobcenter.Run) []any {
	return []any{
		run.JobVersion, run.LastFireTime.UnixMicro(), run.FireCount, micros(run.StartedAt), micros(run.EndedAt), micros(run.NotBefore),
		waits(run), -run.Priority, run.Turn.UnixMicro(), run.Attempt, exitCode(run), run.OutputSize, run.OutputKept, string(run.Origin),
		string(run.State), run.Executor, run.Node, run.LimitKey, run.StopBy, run.Actor, string(run.Reason), run.Message,
		string(run.Args), string(run.Result),
	}
}

// runWidth is how many values insert_runs takes for a run.
const runWidth = 28

// waits tells whether a queued run waits for an instant; TakeQueued finds out
// whether it has come.
func waits(run *jobcenter.Run) bool {
	return run.State == jobcenter.RunQueued && !run.NotBefore.IsZero()
}

func exitCode(run *jobcenter.Run) any {
	if run.ExitCode == nil {
		return nil
	}
	return *run.ExitCode
}

// runAsStored is a run as the store would return it.
func runAsStored(run jobcenter.Run) jobcenter.Run {
	for _, t := range []*time.Time{&run.FireTime, &run.LastFireTime, &run.NotBefore, &run.Turn, &run.StartedAt, &run.EndedAt} {
		*t = t.UTC().Truncate(time.Microsecond)
	}
	return run
}

// writeRuns inserts runs and returns the ids of those whose job, fire time and
// series were not in the ledger yet; the others are left out.
func (s *Store) writeRuns(ctx context.Context, tx transaction, runs []jobcenter.Run) (inserted map[string]bool, err error) {
	inserted = make(map[string]bool, len(runs))
	if len(runs) == 0 {
		return inserted, nil
	}
	values := make([]any, 0, len(runs)*runWidth)
	ids := make([]string, 0, len(runs))
	for i := range runs {
		run := &runs[i]
		values = append(append(values, run.ID, run.JobID, run.FireTime.UnixMicro(), run.Series), runValues(run)...)
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

// replaceRuns writes runs of which all may have changed but for id, job, fire
// time and series.
func (s *Store) replaceRuns(ctx context.Context, tx transaction, runs []storedRun) error {
	values := make([]any, 0, len(runs)*runWidth)
	for i := range runs {
		values = append(append(values, runs[i].seq), runValues(&runs[i].Run)...)
	}
	if _, err := s.replaceRun.exec(ctx, tx, len(runs), values); err != nil {
		return fmt.Errorf("replace runs: %w", err)
	}
	return nil
}

// activeRuns counts the runs of jobs that go on.
func (s *Store) activeRuns(ctx context.Context, tx transaction, jobIDs []string) (map[string]jobcenter.Active, error) {
	active := map[string]jobcenter.Active{}
	err := countByJob(ctx, tx, s.runningRuns, jobIDs, func(id string, n int) { active[id] = jobcenter.Active{Running: n} })
	if err == nil {
		err = countByJob(ctx, tx, s.queuedRuns, jobIDs, func(id string, n int) { active[id] = jobcenter.Active{Running: active[id].Running, Queued: n} })
	}
	if err != nil {
		return nil, fmt.Errorf("active runs: %w", err)
	}
	return active, nil
}

func countByJob(ctx context.Context, tx transaction, stmt *sql.Stmt, jobIDs []string, note func(id string, n int)) error {
	rows, err := tx.query(ctx, stmt, jsonList(jobIDs))
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var id string
		var n int
		if err := rows.Scan(&id, &n); err != nil {
			return err
		}
		note(id, n)
	}
	return rows.Err()
}

// Run returns one run; ErrRunNotFound.
func (s *Store) Run(ctx context.Context, id string) (jobcenter.Run, error) {
	run, err := oneRun(s.runs.QueryRowContext(ctx, jsonList([]string{id})))
	if err != nil {
		return jobcenter.Run{}, fmt.Errorf("sqlstore: get run %q: %w", id, err)
	}
	return run.Run, nil
}

func oneRun(row *sql.Row) (storedRun, error) {
	run, err := scanRun(row)
	if errors.Is(err, sql.ErrNoRows) {
		err = jobcenter.ErrRunNotFound
	}
	return run, err
}

// LastRuns returns for each job the latest run that was started.
func (s *Store) LastRuns(ctx context.Context, jobIDs []string) (map[string]jobcenter.Run, error) {
	last, err := s.selectLastRuns(ctx, jobIDs)
	if err != nil {
		return nil, fmt.Errorf("sqlstore: last runs: %w", err)
	}
	return last, nil
}

func (s *Store) selectLastRuns(ctx context.Context, jobIDs []string) (map[string]jobcenter.Run, error) {
	rows, err := s.lastRuns.QueryContext(ctx, jsonList(jobIDs))
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	last := make(map[string]jobcenter.Run, len(jobIDs))
	newest := map[string]int64{} // of several runs of one instant, the last that was written
	for rows.Next() {
		run, err := scanRun(rows)
		if err != nil {
			return nil, err
		}
		if run.seq > newest[run.JobID] {
			last[run.JobID], newest[run.JobID] = run.Run, run.seq
		}
	}
	return last, rows.Err()
}

// RequestStop ends a queued run, or asks for the end of a running one; see
// jobcenter.JobStore.
func (s *Store) RequestStop(ctx context.Context, runID, by string, now time.Time) (jobcenter.Run, error) {
	var stopped jobcenter.Run
	err := s.write(ctx, func(ctx context.Context, tx transaction) error {
		run, err := oneRun(tx.queryRow(ctx, s.runsInTx, jsonList([]string{runID})))
		if err != nil {
			return err
		}
		stopped = run.Run
		switch {
		case run.State == jobcenter.RunQueued:
			run.State, run.Reason, run.Message, run.StopBy, run.EndedAt = jobcenter.RunStopped, jobcenter.ReasonStop, by, by, now
		case run.State == jobcenter.RunRunning && run.StopBy == "":
			run.StopBy = by
		default:
			return nil
		}
		stopped = runAsStored(run.Run)
		return s.replaceRuns(ctx, tx, []storedRun{run})
	})
	if err != nil {
		return jobcenter.Run{}, fmt.Errorf("sqlstore: stop run %q: %w", runID, err)
	}
	return stopped, nil
}
