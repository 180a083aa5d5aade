package sqlstore

import (
	"context"
	"fmt"
	"time"

	"github.com/jobcenter-go/jobcenter"
)

// Heartbeat renews a node's lease until the given instant.
func (s *Store) Heartbeat(ctx context.Context, node string, until time.Time) error {
	if _, err := s.heartbeat.ExecContext(ctx, node, until.UnixMicro()); err != nil {
		return fmt.Errorf("sqlstore: heartbeat of node %q: %w", node, err)
	}
	return nil
}

// Held returns the running runs of a node.
func (s *Store) Held(ctx context.Context, node string) ([]jobcenter.Hold, error) {
	held, err := s.selectHolds(ctx, node)
	if err != nil {
		return nil, fmt.Errorf("sqlstore: runs held by node %q: %w", node, err)
	}
	return held, nil
}

func (s *Store) selectHolds(ctx context.Context, node string) ([]jobcenter.Hold, error) {
	rows, err := s.held.QueryContext(ctx, node)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	var held []jobcenter.Hold
	for rows.Next() {
		var hold jobcenter.Hold
		if err := rows.Scan(&hold.RunID, &hold.Attempt, &hold.StopBy); err != nil {
			return nil, err
		}
		held = append(held, hold)
	}
	return held, rows.Err()
}

// Orphans returns up to limit running runs that nobody looks after, and those
// of the node; see jobcenter.JobStore. The limit counts both. A job that was
// removed comes back with its id alone.
func (s *Store) Orphans(ctx context.Context, node string, now time.Time, limit int) ([]jobcenter.Claimed, error) {
	orphans, err := s.selectOrphans(ctx, node, now, limit)
	if err != nil {
		return nil, fmt.Errorf("sqlstore: orphans: %w", err)
	}
	jobs := map[string]jobcenter.Job{}
	var ids []string
	for i := range orphans {
		id := orphans[i].Runs[0].JobID
		if _, ok := jobs[id]; !ok {
			jobs[id] = jobcenter.Job{ID: id}
			ids = append(ids, id)
		}
	}
	if len(ids) == 0 {
		return nil, nil
	}
	rows, err := s.jobs.QueryContext(ctx, jsonList(ids))
	if err != nil {
		return nil, fmt.Errorf("sqlstore: jobs of orphans: %w", err)
	}
	found, err := s.scanJobs(rows, len(ids))
	if err != nil {
		return nil, fmt.Errorf("sqlstore: jobs of orphans: %w", err)
	}
	for i := range found {
		jobs[found[i].ID] = found[i].Job
	}
	for i := range orphans {
		orphans[i].Job = jobs[orphans[i].Runs[0].JobID]
	}
	return orphans, nil
}

func (s *Store) selectOrphans(ctx context.Context, node string, now time.Time, limit int) ([]jobcenter.Claimed, error) {
	rows, err := s.orphans.QueryContext(ctx, now.UnixMicro(), node, max(limit, 0))
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	var orphans []jobcenter.Claimed
	for r := runReader(); rows.Next(); {
		run, err := scanRun(r, rows)
		if err != nil {
			return nil, err
		}
		orphans = append(orphans, jobcenter.Claimed{Runs: []jobcenter.Run{run.Run}})
	}
	return orphans, rows.Err()
}
