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

func runReader() *reader { return newReader(28) }

// scanRun reads a run.
func scanRun(r *reader, row scanner) (run storedRun, err error) {
	if err := r.scan(row); err != nil {
		return storedRun{}, err
	}
	run.seq, run.ID, run.JobID, run.FireTime, run.Series = r.int(), r.text(), r.text(), r.at(), r.text()
	run.JobVersion, run.LastFireTime, run.FireCount = r.int(), r.at(), r.int()
	run.StartedAt, run.EndedAt, run.NotBefore = r.instant(), r.instant(), r.instant()
	run.Priority = -int(r.int())
	if turn := r.int(); turn != noTurn {
		run.Turn = time.UnixMicro(turn).UTC()
	}
	run.Attempt = int(r.int())
	if r.values[r.next] == nil {
		r.next++
	} else {
		code := int(r.int())
		run.ExitCode = &code
	}
	run.OutputSize, run.OutputKept = r.int(), r.int()
	run.Origin, run.State, run.Executor, run.Node = jobcenter.Origin(r.text()), jobcenter.RunState(r.text()), r.text(), r.text()
	run.LimitKey, run.StopBy, run.Actor = r.text(), r.text(), r.text()
	run.Reason, run.Message = jobcenter.Reason(r.text()), r.text()
	run.Args, run.Result = r.json(), r.json()
	if r.err != nil {
		return storedRun{}, fmt.Errorf("run %q: %w", run.ID, r.err)
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

// plainRunWidth is how many values insert_plain_runs takes for a run.
const plainRunWidth = 14

// isPlain reports whether a run has nothing that insert_plain_runs leaves out.
func isPlain(run *jobcenter.Run) bool {
	return run.Series == "" && run.EndedAt.IsZero() && run.NotBefore.IsZero() && run.ExitCode == nil && run.OutputSize == 0 &&
		run.OutputKept == 0 && run.LimitKey == "" && run.StopBy == "" && run.Actor == "" && run.Reason == "" && run.Message == "" &&
		len(run.Args) == 0 && len(run.Result) == 0
}

// waits tells whether a queued run waits for an instant; TakeQueued finds out
// whether it has come.
func waits(run *jobcenter.Run) int {
	return flag(run.State == jobcenter.RunQueued && !run.NotBefore.IsZero())
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
	var values, plain []any
	ids := make([]string, 0, len(runs))
	for i := range runs {
		run := &runs[i]
		ids = append(ids, run.ID)
		if isPlain(run) {
			plain = append(plain, run.ID, run.JobID, run.FireTime.UnixMicro(), run.JobVersion, run.LastFireTime.UnixMicro(), run.FireCount,
				micros(run.StartedAt), -run.Priority, run.Turn.UnixMicro(), run.Attempt, string(run.Origin), string(run.State), run.Executor, run.Node)
			continue
		}
		values = append(append(values, run.ID, run.JobID, run.FireTime.UnixMicro(), run.Series), runValues(run)...)
	}
	affected, err := s.insertRuns.exec(ctx, tx, len(values)/runWidth, values)
	if err != nil {
		return nil, fmt.Errorf("insert runs: %w", err)
	}
	plainAffected, err := s.insertPlainRuns.exec(ctx, tx, len(plain)/plainRunWidth, plain)
	if err != nil {
		return nil, fmt.Errorf("insert runs: %w", err)
	}
	affected += plainAffected
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
	return idSet(rows)
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
	run, err := scanRun(runReader(), row)
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
	for r := runReader(); rows.Next(); {
		run, err := scanRun(r, rows)
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
		if _, err := tx.lock(ctx, s.lockRuns, []string{runID}); err != nil {
			return err
		}
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
