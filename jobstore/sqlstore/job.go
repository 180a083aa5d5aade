package sqlstore

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jobcenter-go/jobcenter"
	"github.com/jobcenter-go/jobcenter/trigger"
)

// jobColumns are what scanJob reads, for lists; queries.sql has the same.
const jobColumns = "seq, id, version, next_fire_time, paused, quarantine, created_at, updated_at, misfire_grace, " +
	"max_instances, timeout, coalesce, overlap, task, executor, name, trigger_json, args, tags"

// storedJob is a row of the table.
type storedJob struct {
	jobcenter.Job
	seq         int64
	triggerJSON string
	// unreadable says why the row cannot be decoded, although it is not in
	// quarantine yet.
	unreadable string
}

// scanJob reads the columns of a job and then those of more. A row that cannot
// be decoded is no error: the job has no trigger then, and is quarantined.
func (s *Store) scanJob(row scanner, more ...any) (storedJob, error) {
	var (
		job              storedJob
		next             sql.NullInt64
		created, updated int64
		args, tags       string
	)
	dest := append([]any{
		&job.seq, &job.ID, &job.Version, &next, &job.Paused, &job.Quarantine, &created, &updated, &job.MisfireGrace,
		&job.MaxInstances, &job.Timeout, &job.Coalesce, &job.Overlap, &job.Task, &job.Executor, &job.Name,
		&job.triggerJSON, &args, &tags,
	}, more...)
	if err := row.Scan(dest...); err != nil {
		return storedJob{}, err
	}
	job.NextFireTime = instant(next)
	job.CreatedAt, job.UpdatedAt = time.UnixMicro(created).UTC(), time.UnixMicro(updated).UTC()
	if args != "" {
		job.Args = json.RawMessage(args)
	}
	var err error
	if job.Trigger, err = s.triggers.parse(job.triggerJSON); err != nil {
		job.Trigger = nil
		job.unreadable = "trigger: " + err.Error()
	}
	if tags != "[]" {
		if err := json.Unmarshal([]byte(tags), &job.Tags); err != nil {
			job.unreadable = "tags: " + err.Error()
		}
	}
	if job.unreadable != "" && job.Quarantine == "" {
		job.Quarantine = job.unreadable
		job.NextFireTime = time.Time{}
	}
	return job, nil
}

// jobValues are the values of a job's row but for the id, in the order of
// update_job. old is the row as it was, nil for a new job: a trigger that
// cannot be read stays as it is written until there is a new one.
func jobValues(job jobcenter.Job, old *storedJob) ([]any, error) {
	var text string
	if job.Trigger == nil && old != nil && old.Trigger == nil {
		text = old.triggerJSON
	} else {
		data, err := trigger.Marshal(job.Trigger)
		if err != nil {
			return nil, fmt.Errorf("trigger: %w", err)
		}
		text = string(data)
	}
	return []any{
		job.Version, micros(job.NextFireTime), job.Paused, job.Quarantine, job.CreatedAt.UnixMicro(), job.UpdatedAt.UnixMicro(),
		int64(job.MisfireGrace), job.MaxInstances, int64(job.Timeout), string(job.Coalesce), string(job.Overlap), job.Task,
		job.Executor, job.Name, text, string(job.Args), jsonList(job.Tags), searchText(job),
	}, nil
}

// asStored is a job as the store would return it.
func asStored(job jobcenter.Job) jobcenter.Job {
	for _, t := range []*time.Time{&job.NextFireTime, &job.CreatedAt, &job.UpdatedAt} {
		*t = t.UTC().Truncate(time.Microsecond)
	}
	return job
}

// searchText is what the words of a search are looked for in.
func searchText(job jobcenter.Job) string {
	parts := []string{job.ID, job.Name, string(job.Args)}
	if bytes.ContainsRune(job.Args, '\\') {
		// Escapes stand for what a person would type, such as "&&".
		var value any
		if json.Unmarshal(job.Args, &value) == nil {
			parts = appendStrings(parts, value)
		}
	}
	return strings.ToLower(strings.Join(append(parts, job.Tags...), "\n"))
}

// appendStrings appends all strings in a JSON value.
func appendStrings(list []string, value any) []string {
	switch value := value.(type) {
	case string:
		return append(list, value)
	case []any:
		for _, element := range value {
			list = appendStrings(list, element)
		}
	case map[string]any:
		for key, element := range value {
			list = appendStrings(append(list, key), element)
		}
	}
	return list
}

// AddJob stores a new job as it is given. ErrConflict if the id is taken.
func (s *Store) AddJob(ctx context.Context, job jobcenter.Job) error {
	err := s.write(ctx, func(ctx context.Context, tx transaction) error {
		values, err := jobValues(job, nil)
		if err != nil {
			return err
		}
		result, err := tx.exec(ctx, s.insertJob, append([]any{job.ID}, values...)...)
		if err != nil {
			return err
		}
		if n, err := result.RowsAffected(); err != nil || n == 0 {
			return errors.Join(err, fmt.Errorf("the id is taken: %w", jobcenter.ErrConflict))
		}
		return s.writeTags(ctx, tx, job)
	})
	if err != nil {
		return fmt.Errorf("sqlstore: add job %q: %w", job.ID, err)
	}
	return nil
}

func (s *Store) writeTags(ctx context.Context, tx transaction, job jobcenter.Job) error {
	if len(job.Tags) == 0 {
		return nil
	}
	_, err := tx.exec(ctx, s.insertTags, job.ID)
	return err
}

// Job returns one job; ErrJobNotFound.
func (s *Store) Job(ctx context.Context, id string) (jobcenter.Job, error) {
	job, _, err := s.oneJob(s.job.QueryRowContext(ctx, id))
	if err != nil {
		return jobcenter.Job{}, fmt.Errorf("sqlstore: get job %q: %w", id, err)
	}
	return job.Job, nil
}

// oneJob reads a job and how many runs of it go on.
func (s *Store) oneJob(row *sql.Row) (job storedJob, active int, err error) {
	job, err = s.scanJob(row, &active)
	if errors.Is(err, sql.ErrNoRows) {
		err = jobcenter.ErrJobNotFound
	}
	return job, active, err
}

// UpdateJob lets change decide what becomes of a job; see jobcenter.JobStore.
// Its id stays. A run whose fire time is in the ledger already is left out.
func (s *Store) UpdateJob(ctx context.Context, id string, change func(job jobcenter.Job, active int) (jobcenter.Job, []jobcenter.Run, error)) (jobcenter.Job, error) {
	var updated jobcenter.Job
	var refused error // what change said
	err := s.write(ctx, func(ctx context.Context, tx transaction) error {
		old, active, err := s.oneJob(tx.queryRow(ctx, s.jobInTx, id))
		if err != nil {
			return err
		}
		job, runs, err := change(old.Job, active)
		if err != nil {
			refused = err
			return err
		}
		job.ID = id
		if err := s.replaceJob(ctx, tx, old, job); err != nil {
			return err
		}
		if _, err := s.writeRuns(ctx, tx, runs); err != nil {
			return err
		}
		updated = asStored(job)
		return nil
	})
	switch {
	case refused != nil:
		return jobcenter.Job{}, refused
	case err != nil:
		return jobcenter.Job{}, fmt.Errorf("sqlstore: update job %q: %w", id, err)
	}
	return updated, nil
}

func (s *Store) replaceJob(ctx context.Context, tx transaction, old storedJob, job jobcenter.Job) error {
	values, err := jobValues(job, &old)
	if err != nil {
		return err
	}
	if _, err := tx.exec(ctx, s.updateJob, append(values, old.seq)...); err != nil {
		return err
	}
	if _, err := tx.exec(ctx, s.deleteTags, old.seq); err != nil {
		return err
	}
	return s.writeTags(ctx, tx, job)
}

// RemoveJob removes a job, ends its queued runs and inserts those that last
// returns, but for fire times that the ledger has already; ErrJobNotFound.
func (s *Store) RemoveJob(ctx context.Context, id string, last func(job jobcenter.Job) []jobcenter.Run) error {
	err := s.write(ctx, func(ctx context.Context, tx transaction) error {
		job, _, err := s.oneJob(tx.queryRow(ctx, s.jobInTx, id))
		if err != nil {
			return err
		}
		if _, err := s.writeRuns(ctx, tx, last(job.Job)); err != nil {
			return err
		}
		if _, err := tx.exec(ctx, s.skipQueuedRuns, time.Now().UnixMicro(), id); err != nil {
			return err
		}
		_, err = tx.exec(ctx, s.deleteJob, job.seq)
		return err
	})
	if err != nil {
		return fmt.Errorf("sqlstore: remove job %q: %w", id, err)
	}
	return nil
}
