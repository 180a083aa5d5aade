package sqlstore

import (
	"context"
	"errors"
	"fmt"
)

// Check reads the whole database and returns what is wrong with it: damage to
// the file, and rows that no sound program writes. Meant for tests and repair;
// it takes long on a large ledger.
func (s *Store) Check(ctx context.Context) error {
	return errors.Join(s.checkFile(ctx), s.checkRows(ctx))
}

func (s *Store) checkFile(ctx context.Context) error {
	rows, err := s.db.Read.QueryContext(ctx, "PRAGMA integrity_check")
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

func (s *Store) checkRows(ctx context.Context) error {
	var errs []error
	for _, rule := range []struct{ what, table, broken string }{
		{"rows that point at no row", "pragma_foreign_key_check", "TRUE"},
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
			"due_at IS NOT CASE WHEN quarantine = '' AND next_fire_time IS NOT NULL THEN CASE WHEN paused = 1 THEN paused_until ELSE next_fire_time END END",
		},
		{
			"tags that differ from those of their job", "jobcenter_job_tag t JOIN jobcenter_job j ON j.seq = t.job_seq",
			"t.tag NOT IN (SELECT value FROM json_each(j.tags))",
		},
		{
			"chunks of output that overlap", "(SELECT from_byte, lag(to_byte) OVER (PARTITION BY run_seq ORDER BY to_byte) before FROM jobcenter_output)",
			"from_byte < before",
		},
	} {
		var n int
		query := "SELECT count(*) FROM " + rule.table + " WHERE " + rule.broken
		if err := s.db.Read.QueryRowContext(ctx, query).Scan(&n); err != nil {
			return fmt.Errorf("sqlstore: check %s: %w", rule.what, err)
		}
		if n > 0 {
			errs = append(errs, fmt.Errorf("sqlstore: check: %d %s", n, rule.what))
		}
	}
	return errors.Join(errs...)
}
