package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/jobcenter-go/jobcenter/internal/sqlkit"
)

// Check reads the whole database and returns what is wrong with it: damage to
// the file of SQLite, and rows that no sound program writes. Meant for tests
// and repair; it takes long on a large ledger.
func (s *Store) Check(ctx context.Context) error {
	if s.db.Dialect == sqlkit.SQLite {
		return errors.Join(checkFile(ctx, s.db.Read), checkRows(ctx, s.db.Read, s.db.Dialect))
	}
	return s.db.Patient(func(pool *sql.DB) error { return checkRows(ctx, pool, s.db.Dialect) })
}

func checkFile(ctx context.Context, pool *sql.DB) error {
	rows, err := pool.QueryContext(ctx, "PRAGMA integrity_check")
	if err != nil {
		return fmt.Errorf("sqlstore: check: %w", err)
	}
	defer func() { _ = rows.Close() }()
	var errs []error
	for rows.Next() {
		var found string
		if err := rows.Scan(&found); err != nil {
			return fmt.Errorf("sqlstore: check: %w", err)
		}
		if found != "ok" {
			errs = append(errs, fmt.Errorf("sqlstore: check: %s", found))
		}
	}
	return errors.Join(append(errs, rows.Err())...)
}

// tagsOf selects the tags in the column of a job j.
func tagsOf(dialect sqlkit.Dialect) string {
	switch dialect {
	case sqlkit.Postgres:
		return "SELECT jsonb_array_elements_text(j.tags::jsonb)"
	case sqlkit.MySQL:
		return "SELECT CAST(n.v AS BINARY) FROM JSON_TABLE(j.tags, '$[*]' COLUMNS (v VARCHAR(128) PATH '$')) n"
	default:
		return "SELECT value FROM json_each(j.tags)"
	}
}

func checkRows(ctx context.Context, pool *sql.DB, dialect sqlkit.Dialect) error {
	rules := []struct{ what, table, broken string }{
		{"runs that cover no fire time", "jobcenter_run", "fire_count < 1"},
		{"runs whose last fire time is before the first", "jobcenter_run", "last_fire_time < fire_time"},
		{"spans of runs that were started", "jobcenter_run", "fire_count > 1 AND state NOT IN ('missed', 'skipped')"},
		{"running runs without an attempt", "jobcenter_run", "state = 'running' AND attempt < 1"},
		{"unended runs with an end", "jobcenter_run", "state IN ('queued', 'running') AND ended_at IS NOT NULL"},
		// A further attempt may be queued after its job was removed; TakeQueued ends it.
		{"queued runs whose job is gone", "jobcenter_run", "state = 'queued' AND attempt = 0 AND job_id NOT IN (SELECT id FROM jobcenter_job)"},
		{"runs that wait for an instant although they are not queued, or for none", "jobcenter_run", "waits = 1 AND (state <> 'queued' OR not_before IS NULL)"},
		{
			"fire times that are covered twice", "jobcenter_run a JOIN jobcenter_run b ON b.job_id = a.job_id AND b.series = a.series",
			"a.origin = 'schedule' AND b.origin = 'schedule' AND b.fire_time > a.fire_time AND b.fire_time <= a.last_fire_time",
		},
		{
			"jobs that are due at an instant that is not their own", "jobcenter_job",
			"coalesce(due_at, -1) <> coalesce(CASE WHEN quarantine = '' AND next_fire_time IS NOT NULL THEN CASE WHEN paused = 1 THEN paused_until ELSE next_fire_time END END, -1)",
		},
		{"tags that differ from those of their job", "jobcenter_job_tag t JOIN jobcenter_job j ON j.seq = t.job_seq", "t.tag NOT IN (" + tagsOf(dialect) + ")"},
		{
			"chunks of output that overlap",
			"(SELECT from_byte, lag(to_byte) OVER (PARTITION BY run_seq ORDER BY to_byte) AS earlier FROM jobcenter_output) chunk",
			"from_byte < earlier",
		},
	}
	if dialect == sqlkit.SQLite { // the others look after that themselves
		rules = append(rules, struct{ what, table, broken string }{"rows that point at no row", "pragma_foreign_key_check", "TRUE"})
	}
	var errs []error
	for _, rule := range rules {
		var n int
		query := "SELECT count(*) FROM " + rule.table + " WHERE " + rule.broken
		if err := pool.QueryRowContext(ctx, query).Scan(&n); err != nil {
			return fmt.Errorf("sqlstore: check %s: %w", rule.what, err)
		}
		if n > 0 {
			errs = append(errs, fmt.Errorf("sqlstore: check: %d %s", n, rule.what))
		}
	}
	return errors.Join(errs...)
}
