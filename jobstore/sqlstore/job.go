package sqlstore

import (
	"bytes"
	"cmp"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jobcenter-go/jobcenter"
	"github.com/jobcenter-go/jobcenter/trigger"
)

// jobColumns are what scanJob reads, for lists; queries.sql has the same.
const jobColumns = "seq, id, version, next_fire_time, previous_fire_time, precedence, paused, paused_until, skip_until, " +
	"created_at, updated_at, misfire_grace, max_instances, timeout, coalesce, overlap, task, executor, " +
	"quarantine, pause_reason, name, limits, rules, trigger_json, tags, description, args, carried, last_result"

// storedJob is a row of the table.
type storedJob struct {
	jobcenter.Job
	seq         int64
	limits      string // the limit as it is written
	triggerJSON string
	// unreadable says why the row cannot be decoded, although it is not in
	// quarantine yet.
	unreadable string
}

// scanJob reads the columns of a job and then those of more. A row that cannot
// be decoded is no error: the job has no trigger then, and is quarantined.
func (s *Store) scanJob(row scanner, more ...any) (storedJob, error) {
	var (
		job                                   storedJob
		next, previous, pausedUntil, skip     sql.NullInt64
		created, updated                      int64
		precedence                            int
		rules, tags, args, carried, lastValue string
	)
	dest := append([]any{
		&job.seq, &job.ID, &job.Version, &next, &previous, &precedence, &job.Paused, &pausedUntil, &skip,
		&created, &updated, &job.MisfireGrace, &job.MaxInstances, &job.Timeout, &job.Coalesce, &job.Overlap, &job.Task, &job.Executor,
		&job.Quarantine, &job.PauseReason, &job.Name, &job.limits, &rules, &job.triggerJSON, &tags, &job.Description, &args, &carried, &lastValue,
	}, more...)
	if err := row.Scan(dest...); err != nil {
		return storedJob{}, err
	}
	job.Priority = -precedence
	job.NextFireTime, job.PreviousFireTime, job.PausedUntil, job.SkipUntil = instant(next), instant(previous), instant(pausedUntil), instant(skip)
	job.CreatedAt, job.UpdatedAt = time.UnixMicro(created).UTC(), time.UnixMicro(updated).UTC()
	job.Args, job.Carried, job.LastResult = rawJSON(args), rawJSON(carried), rawJSON(lastValue)
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
	if err := readRules(&job.Job, job.limits, rules); err != nil {
		job.unreadable = err.Error()
	}
	if job.Quarantine != "" {
		job.unreadable = ""
	}
	job.Quarantine = cmp.Or(job.Quarantine, job.unreadable)
	return job, nil
}

// jobValues are the values of a job's row but for the id, in the order of
// update_job. old is the row as it was, nil for a new job: a trigger that
// cannot be read stays as it is written until there is a new one.
func jobValues(job *jobcenter.Job, old *storedJob) ([]any, error) {
	if job.Func != nil {
		return nil, jobcenter.ErrFuncJob
	}
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
	limits, rules, err := writeRules(job)
	if err != nil {
		return nil, err
	}
	return []any{
		job.Version, micros(job.DueAt()), micros(job.NextFireTime), micros(job.PreviousFireTime), -job.Priority, job.Paused,
		micros(job.PausedUntil), micros(job.SkipUntil), job.CreatedAt.UnixMicro(), job.UpdatedAt.UnixMicro(), int64(job.MisfireGrace),
		job.MaxInstances, int64(job.Timeout), string(job.Coalesce), string(job.Overlap), job.Task, job.Executor, job.Quarantine,
		job.PauseReason, job.Name, cmp.Or(job.Name, job.ID), limits, rules, text, jsonList(job.Tags), job.Description,
		string(job.Args), string(job.Carried), string(job.LastResult), searchText(job),
	}, nil
}

// jobWidth is how many values insert_jobs takes for a job.
const jobWidth = 31

// asStored is a job as the store would return it.
func asStored(job jobcenter.Job) jobcenter.Job {
	for _, t := range []*time.Time{&job.NextFireTime, &job.PreviousFireTime, &job.PausedUntil, &job.SkipUntil, &job.CreatedAt, &job.UpdatedAt} {
		*t = t.UTC().Truncate(time.Microsecond)
	}
	job.Store = ""
	return job
}

// searchText is what the words of a search are looked for in.
func searchText(job *jobcenter.Job) string {
	parts := []string{job.ID, job.Name, job.Description, string(job.Args)}
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

// AddJobs stores new jobs, all or none; see jobcenter.JobStore.
func (s *Store) AddJobs(ctx context.Context, make func() ([]jobcenter.Job, error)) error {
	var refused error // what make said
	var ids []string
	err := s.write(ctx, func(ctx context.Context, tx transaction) error {
		jobs, err := make()
		if err != nil {
			refused = err
			return err
		}
		ids = ids[:0]
		return s.insertJobs(ctx, tx, jobs, &ids)
	})
	switch {
	case refused != nil:
		return refused
	case errors.Is(err, jobcenter.ErrConflict) && len(ids) > 1:
		// Which of them it was is looked up afterwards: it is rarely asked.
		var id string
		if s.takenJob.QueryRowContext(ctx, jsonList(ids)).Scan(&id) == nil {
			err = fmt.Errorf("%q: %w", id, err)
		}
	case err != nil && len(ids) == 1:
		return fmt.Errorf("sqlstore: add job %q: %w", ids[0], err)
	}
	if err != nil {
		return fmt.Errorf("sqlstore: add jobs: %w", err)
	}
	return nil
}

// insertJobs inserts jobs and leaves their ids.
func (s *Store) insertJobs(ctx context.Context, tx transaction, jobs []jobcenter.Job, ids *[]string) error {
	values := make([]any, 0, len(jobs)*jobWidth)
	given := make(map[string]bool, len(jobs))
	var tagged []string
	for i := range jobs {
		job := &jobs[i]
		*ids = append(*ids, job.ID)
		if given[job.ID] {
			return fmt.Errorf("the id %q is given twice: %w", job.ID, jobcenter.ErrConflict)
		}
		given[job.ID] = true
		row, err := jobValues(job, nil)
		if err != nil {
			return fmt.Errorf("%q: %w", job.ID, err)
		}
		values = append(append(values, job.ID), row...)
		if len(job.Tags) > 0 {
			tagged = append(tagged, job.ID)
		}
	}
	inserted, err := s.insertJob.exec(ctx, tx, len(jobs), values)
	if err != nil {
		return err
	}
	if inserted != len(jobs) {
		return fmt.Errorf("the id is taken: %w", jobcenter.ErrConflict)
	}
	return s.writeTags(ctx, tx, tagged)
}

// writeTags writes the tags of jobs that have some.
func (s *Store) writeTags(ctx context.Context, tx transaction, ids []string) error {
	if len(ids) == 0 {
		return nil
	}
	if _, err := tx.exec(ctx, s.insertTags, jsonList(ids)); err != nil {
		return fmt.Errorf("tags: %w", err)
	}
	return nil
}

// Job returns one job; ErrJobNotFound.
func (s *Store) Job(ctx context.Context, id string) (jobcenter.Job, error) {
	job, err := s.oneJob(s.jobs.QueryRowContext(ctx, jsonList([]string{id})))
	if err != nil {
		return jobcenter.Job{}, fmt.Errorf("sqlstore: get job %q: %w", id, err)
	}
	return job.Job, nil
}

func (s *Store) oneJob(row *sql.Row) (storedJob, error) {
	job, err := s.scanJob(row)
	if errors.Is(err, sql.ErrNoRows) {
		err = jobcenter.ErrJobNotFound
	}
	return job, err
}

// jobToChange reads a job within a transaction, so that it stays as it is.
func (s *Store) jobToChange(ctx context.Context, tx transaction, id string) (storedJob, error) {
	return s.oneJob(tx.queryRow(ctx, s.jobsInTx, jsonList([]string{id})))
}

// UpdateJob lets change decide what becomes of a job; see jobcenter.JobStore.
// Its id stays.
func (s *Store) UpdateJob(ctx context.Context, id string, change func(job jobcenter.Job, active jobcenter.Active) (jobcenter.Job, []jobcenter.Run, error)) (jobcenter.Job, error) {
	var updated jobcenter.Job
	var refused error // what change said
	err := s.write(ctx, func(ctx context.Context, tx transaction) error {
		refused = nil
		old, err := s.jobToChange(ctx, tx, id)
		if err != nil {
			return err
		}
		active, err := s.activeRuns(ctx, tx, []string{id})
		if err != nil {
			return err
		}
		job, runs, err := change(old.Job, active[id])
		if err != nil {
			refused = err
			return err
		}
		job.ID = id
		if err := s.replaceJob(ctx, tx, &old, &job); err != nil {
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

func (s *Store) replaceJob(ctx context.Context, tx transaction, old *storedJob, job *jobcenter.Job) error {
	values, err := jobValues(job, old)
	if err != nil {
		return err
	}
	if _, err := tx.exec(ctx, s.updateJob, append(values, old.seq)...); err != nil {
		return err
	}
	if old.unreadable == "" && slices.Equal(old.Tags, job.Tags) {
		return nil
	}
	if _, err := tx.exec(ctx, s.deleteTags, old.seq); err != nil {
		return err
	}
	if len(job.Tags) == 0 {
		return nil
	}
	return s.writeTags(ctx, tx, []string{job.ID})
}

// RemoveJob removes a job, ends its queued runs and inserts those that last
// returns; see jobcenter.JobStore.
func (s *Store) RemoveJob(ctx context.Context, id string, last func(job jobcenter.Job) []jobcenter.Run) error {
	err := s.write(ctx, func(ctx context.Context, tx transaction) error {
		job, err := s.jobToChange(ctx, tx, id)
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
