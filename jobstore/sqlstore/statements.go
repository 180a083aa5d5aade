package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"

	"github.com/jobcenter-go/jobcenter/internal/sqlkit"
)

// statements are the hot ones, prepared once.
type statements struct {
	insertJob, updateJob, deleteJob, insertTags, deleteTags *sql.Stmt
	jobInTx, dueJobs, queuedRuns, runInTx, replaceRun       *sql.Stmt
	skipQueuedRuns, existingRuns, heldRuns, dropOutput      *sql.Stmt
	heartbeat                                               *sql.Stmt
	advanceJobs, insertRuns, insertOutput, endRuns          bulk

	job, nextFireTime, run, lastRun, output, orphans *sql.Stmt // through the readers
}

// prepare loads the dialect's queries and prepares them all.
func (s *statements) prepare(ctx context.Context, db *sqlkit.DB) error {
	single := []struct {
		name string
		pool *sql.DB
		stmt **sql.Stmt
	}{
		{"insert_job", db.Write, &s.insertJob},
		{"update_job", db.Write, &s.updateJob},
		{"delete_job", db.Write, &s.deleteJob},
		{"insert_tags", db.Write, &s.insertTags},
		{"delete_tags", db.Write, &s.deleteTags},
		{"job", db.Write, &s.jobInTx},
		{"due_jobs", db.Write, &s.dueJobs},
		{"queued_runs", db.Write, &s.queuedRuns},
		{"run", db.Write, &s.runInTx},
		{"replace_run", db.Write, &s.replaceRun},
		{"skip_queued_runs", db.Write, &s.skipQueuedRuns},
		{"existing_runs", db.Write, &s.existingRuns},
		{"held_runs", db.Write, &s.heldRuns},
		{"drop_output", db.Write, &s.dropOutput},
		{"heartbeat", db.Write, &s.heartbeat},
		{"job", db.Read, &s.job},
		{"next_fire_time", db.Read, &s.nextFireTime},
		{"run", db.Read, &s.run},
		{"last_run", db.Read, &s.lastRun},
		{"output", db.Read, &s.output},
		{"orphans", db.Read, &s.orphans},
	}
	many := []struct {
		name string
		bulk *bulk
	}{
		{"advance_jobs", &s.advanceJobs},
		{"insert_runs", &s.insertRuns},
		{"insert_output", &s.insertOutput},
		{"end_runs", &s.endRuns},
	}
	var names []string
	for _, q := range single {
		names = append(names, q.name)
	}
	for _, q := range many {
		names = append(names, q.name)
	}
	queries, err := sqlkit.LoadQueries(files, db.Dialect, names...)
	if err != nil {
		return err
	}
	for _, q := range single {
		if *q.stmt, err = q.pool.PrepareContext(ctx, queries[q.name]); err != nil { //nolint:sqlclosecheck // closeStatements does
			return fmt.Errorf("prepare %s: %w", q.name, err)
		}
	}
	for _, q := range many {
		if err := q.bulk.prepare(ctx, db.Write, queries[q.name]); err != nil {
			return fmt.Errorf("prepare %s: %w", q.name, err)
		}
	}
	return nil
}

func (s *statements) closeStatements() error {
	var errs []error
	for _, stmt := range []*sql.Stmt{
		s.insertJob, s.updateJob, s.deleteJob, s.insertTags, s.deleteTags, s.jobInTx, s.dueJobs, s.queuedRuns, s.runInTx,
		s.replaceRun, s.skipQueuedRuns, s.existingRuns, s.heldRuns, s.dropOutput, s.heartbeat,
		s.job, s.nextFireTime, s.run, s.lastRun, s.output, s.orphans,
	} {
		if stmt != nil {
			errs = append(errs, stmt.Close())
		}
	}
	for _, b := range []bulk{s.advanceJobs, s.insertRuns, s.insertOutput, s.endRuns} {
		for _, size := range b {
			errs = append(errs, size.stmt.Close())
		}
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

func (b *bulk) prepare(ctx context.Context, db *sql.DB, query string) error {
	const values = "VALUES ("
	start := strings.Index(query, values) + len(values) - 1
	length := strings.Index(query[max(start, 0):], ")") + 1
	if start < len(values) || length == 0 {
		return errors.New("no row of VALUES")
	}
	row := query[start : start+length]
	for _, rows := range []int{64, 8, 1} {
		stmt, err := db.PrepareContext(ctx, strings.Join([]string{query[:start], strings.Repeat(row+", ", rows-1), query[start:]}, ""))
		if err != nil {
			return err
		}
		*b = append(*b, sizedStmt{rows, stmt})
	}
	return nil
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
