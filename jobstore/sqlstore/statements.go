package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"

	"github.com/jobcenter-go/jobcenter/internal/sqlkit"
)

// statements are the hot ones, prepared once.
type statements struct {
	updateJob, deleteJob, insertTags, deleteTags, jobsInTx, dueJobs    *sql.Stmt
	quarantineJob, resumeJob, carry, runningRuns, queuedRuns, runsInTx *sql.Stmt
	existingRuns, skipQueuedRuns, stopRunningRuns, heldRuns            *sql.Stmt
	wakeRuns, nextWaiting, queue, runningOfKey, startsOfKey            *sql.Stmt
	requeueRun, dropOutput, heartbeat                                  *sql.Stmt

	insertJob, advanceJobs, insertRuns, replaceRun, insertOutput, endRuns bulk

	// Through the readers.
	jobs, takenJob, nextDue, runs, lastRuns, countQueued, output, held, orphans *sql.Stmt

	opened []*sql.Stmt // all of them
}

// prepare loads the dialect's queries and prepares them all.
func (s *statements) prepare(ctx context.Context, db *sqlkit.DB) error {
	write := map[string]**sql.Stmt{
		"update_job": &s.updateJob, "delete_job": &s.deleteJob, "insert_tags": &s.insertTags, "delete_tags": &s.deleteTags,
		"jobs": &s.jobsInTx, "due_jobs": &s.dueJobs, "quarantine_job": &s.quarantineJob, "resume_job": &s.resumeJob,
		"carry": &s.carry, "running_runs": &s.runningRuns, "queued_runs": &s.queuedRuns, "runs": &s.runsInTx,
		"existing_runs": &s.existingRuns, "skip_queued_runs": &s.skipQueuedRuns, "stop_running_runs": &s.stopRunningRuns,
		"held_runs": &s.heldRuns, "wake_runs": &s.wakeRuns, "next_waiting": &s.nextWaiting, "queue": &s.queue,
		"running_of_key": &s.runningOfKey, "starts_of_key": &s.startsOfKey, "requeue_run": &s.requeueRun,
		"drop_output": &s.dropOutput, "heartbeat": &s.heartbeat,
	}
	read := map[string]**sql.Stmt{
		"jobs": &s.jobs, "taken_job": &s.takenJob, "next_due": &s.nextDue, "runs": &s.runs, "last_runs": &s.lastRuns,
		"count_queued": &s.countQueued, "output": &s.output, "held": &s.held, "orphans": &s.orphans,
	}
	many := map[string]*bulk{
		"insert_jobs": &s.insertJob, "advance_jobs": &s.advanceJobs, "insert_runs": &s.insertRuns,
		"replace_runs": &s.replaceRun, "insert_output": &s.insertOutput, "end_runs": &s.endRuns,
	}
	names := slices.Concat(slices.Collect(maps.Keys(write)), slices.Collect(maps.Keys(read)), slices.Collect(maps.Keys(many)))
	queries, err := sqlkit.LoadQueries(files, db.Dialect, names...)
	if err != nil {
		return err
	}
	prepare := func(name, query string, pool *sql.DB) *sql.Stmt {
		stmt, prepareErr := pool.PrepareContext(ctx, query)
		if prepareErr != nil {
			err = errors.Join(err, fmt.Errorf("prepare %s: %w", name, prepareErr))
			return nil
		}
		s.opened = append(s.opened, stmt)
		return stmt
	}
	for name, stmt := range write {
		*stmt = prepare(name, queries[name], db.Write)
	}
	for name, stmt := range read {
		*stmt = prepare(name, queries[name], db.Read)
	}
	for name, bulk := range many {
		sizes, sizesErr := rowSizes(queries[name])
		if sizesErr != nil {
			return fmt.Errorf("query %s: %w", name, sizesErr)
		}
		for rows, query := range sizes {
			*bulk = append(*bulk, sizedStmt{rows, prepare(name, query, db.Write)})
		}
	}
	return err
}

func (s *statements) closeStatements() error {
	var errs []error
	for _, stmt := range s.opened {
		errs = append(errs, stmt.Close())
	}
	return errors.Join(errs...)
}

// bulk is a statement with a row of VALUES, prepared for several numbers of
// rows, the largest first: a call of the driver costs more than a row.
type bulk []sizedStmt

type sizedStmt struct {
	rows int
	stmt *sql.Stmt
}

// rowSizes repeats the row of VALUES of a statement.
func rowSizes(query string) (iter.Seq2[int, string], error) {
	const values = "VALUES ("
	start := strings.Index(query, values) + len(values) - 1
	length := strings.Index(query[max(start, 0):], ")") + 1
	if start < len(values) || length == 0 {
		return nil, errors.New("no row of VALUES")
	}
	row := query[start : start+length]
	return func(yield func(int, string) bool) {
		for _, rows := range []int{64, 8, 1} {
			if !yield(rows, strings.Join([]string{query[:start], strings.Repeat(row+", ", rows-1), query[start:]}, "")) {
				return
			}
		}
	}, nil
}

// exec runs the statement for all rows, whose values stand one after the
// other, and returns how many rows of the table were affected.
func (b bulk) exec(ctx context.Context, tx transaction, rows int, values []any) (affected int, err error) {
	if rows == 0 {
		return 0, nil
	}
	width := len(values) / rows
	for _, size := range b {
		for ; rows >= size.rows; rows -= size.rows {
			n := size.rows * width
			result, err := tx.exec(ctx, size.stmt, values[:n]...)
			if err != nil {
				return 0, err
			}
			values = values[n:]
			count, err := result.RowsAffected()
			if err != nil {
				return 0, err
			}
			affected += int(count)
		}
	}
	return affected, nil
}
