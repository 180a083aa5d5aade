package sqlstore

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
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

	insertJob, advanceJobs, insertRuns, insertPlainRuns, replaceRun, insertOutput, endRuns bulk

	// Through the readers.
	jobs, takenJob, nextDue, runs, lastRuns, countQueued, output, held, orphans *sql.Stmt

	// Where rows are locked: all but SQLite, of which they are nil. Those that
	// lock wait for others, those that take pass over what others have locked.
	lockJobs, takeJobs, lockRuns, takeRuns, lockKeys, takeKeys *sql.Stmt
	addKeys, keys, overtakenJobs                               *sql.Stmt

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
	if db.Dialect != sqlkit.SQLite {
		maps.Copy(write, map[string]**sql.Stmt{
			"lock_jobs": &s.lockJobs, "take_jobs": &s.takeJobs, "lock_runs": &s.lockRuns, "take_runs": &s.takeRuns,
			"lock_keys": &s.lockKeys, "take_keys": &s.takeKeys, "add_keys": &s.addKeys, "keys": &s.keys,
			"overtaken_jobs": &s.overtakenJobs,
		})
	}
	read := map[string]**sql.Stmt{
		"jobs": &s.jobs, "taken_job": &s.takenJob, "next_due": &s.nextDue, "runs": &s.runs, "last_runs": &s.lastRuns,
		"count_queued": &s.countQueued, "output": &s.output, "held": &s.held, "orphans": &s.orphans,
	}
	many := map[string]*bulk{
		"insert_jobs": &s.insertJob, "advance_jobs": &s.advanceJobs, "insert_runs": &s.insertRuns,
		"insert_plain_runs": &s.insertPlainRuns, "replace_runs": &s.replaceRun, "insert_output": &s.insertOutput,
		"end_runs": &s.endRuns,
	}
	names := slices.Concat(slices.Collect(maps.Keys(write)), slices.Collect(maps.Keys(read)), slices.Collect(maps.Keys(many)))
	queries, err := sqlkit.LoadQueries(files, db.Dialect, names...)
	if err != nil {
		return err
	}
	prepare := func(name, query string, pool *sql.DB) *sql.Stmt {
		stmt, prepareErr := pool.PrepareContext(ctx, db.Dialect.Rebind(query))
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
		for rows, query := range rowSizes(db.Dialect, queries[name]) {
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

// bulk is a statement that is run for many rows at once: a call of the driver
// costs more than a row. With PostgreSQL all rows are one parameter, a JSON
// array. Otherwise the statement has a row of parameters and is prepared for
// several numbers of rows, the largest first.
type bulk []sizedStmt

type sizedStmt struct {
	rows int // 0: all are one parameter
	stmt *sql.Stmt
}

// rowSizes repeats the row of parameters of a statement.
func rowSizes(dialect sqlkit.Dialect, query string) iter.Seq2[int, string] {
	return func(yield func(int, string) bool) {
		if dialect == sqlkit.Postgres {
			yield(0, query)
			return
		}
		sizes := []int{64, 8, 1}
		if dialect == sqlkit.MySQL {
			sizes = []int{200, 20, 1}
		}
		start, end, separator := parameterRow(query)
		for _, rows := range sizes {
			if !yield(rows, query[:start]+strings.Repeat(query[start:end]+separator, rows-1)+query[start:]) {
				return
			}
		}
	}
}

// parameterRow finds the row: "VALUES (?, ?)", or "JOIN (SELECT CAST(? AS …)
// AS name, …) n", of which the SELECT is repeated.
func parameterRow(query string) (start, end int, separator string) {
	if head, row, ok := strings.Cut(query, "VALUES ("); ok {
		start = len(head) + len("VALUES ")
		return start, start + strings.Index(row, ")") + 2, ", "
	}
	head, row, _ := strings.Cut(query, "(SELECT ")
	start = len(head) + 1
	return start, start + len("SELECT ") + strings.Index(row, ") n\n"), " UNION ALL "
}

const (
	// jsonRows and jsonBytes bound what is one parameter.
	jsonRows  = 1000
	jsonBytes = 4 << 20
)

// exec runs the statement for all rows, whose values stand one after the
// other, and returns how many rows of the table were affected.
func (b bulk) exec(ctx context.Context, tx transaction, rows int, values []any) (affected int, err error) {
	if rows == 0 {
		return 0, nil
	}
	width := len(values) / rows
	for _, size := range b {
		for size.rows == 0 && rows > 0 {
			text, n, err := jsonArrays(values, width)
			if err != nil {
				return 0, err
			}
			if err := add(&affected)(tx.exec(ctx, size.stmt, text)); err != nil {
				return 0, err
			}
			values, rows = values[n*width:], rows-n
		}
		for ; size.rows > 0 && rows >= size.rows; rows -= size.rows {
			n := size.rows * width
			if err := add(&affected)(tx.exec(ctx, size.stmt, values[:n]...)); err != nil {
				return 0, err
			}
			values = values[n:]
		}
	}
	return affected, nil
}

// add counts the rows that a statement affected.
func add(affected *int) func(result sql.Result, err error) error {
	return func(result sql.Result, err error) error {
		if err != nil {
			return err
		}
		n, err := result.RowsAffected()
		*affected += int(n)
		return err
	}
}

// jsonArrays writes as many rows as one parameter may hold as an array of
// arrays, and says how many. Bytes are in base64.
func jsonArrays(values []any, width int) (text string, rows int, err error) {
	var array bytes.Buffer
	for rows*width < len(values) && rows < jsonRows && array.Len() < jsonBytes {
		row := values[rows*width : (rows+1)*width]
		clean(row)
		data, err := json.Marshal(row)
		if err != nil {
			return "", 0, err
		}
		array.WriteByte(',')
		array.Write(data)
		rows++
	}
	return "[" + array.String()[1:] + "]", rows, nil
}
