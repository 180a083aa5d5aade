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

// jobReader reads jobs, the columns of each and then those of more.
func jobReader(more int) *reader { return newReader(29 + more) }

// scanJob reads a job. A row that cannot be decoded is no error: the job has
// no trigger then, and is quarantined.
func (s *Store) scanJob(r *reader, row scanner) (job storedJob, err error) {
	if err := r.scan(row); err != nil {
		return storedJob{}, err
	}
	job.seq, job.ID, job.Version = r.int(), r.text(), r.int()
	job.NextFireTime, job.PreviousFireTime = r.instant(), r.instant()
	job.Priority = -int(r.int())
	job.Paused, job.PausedUntil, job.SkipUntil = r.int() != 0, r.instant(), r.instant()
	job.CreatedAt, job.UpdatedAt = r.at(), r.at()
	job.MisfireGrace, job.MaxInstances, job.Timeout = time.Duration(r.int()), int(r.int()), time.Duration(r.int())
	job.Coalesce, job.Overlap = jobcenter.Coalesce(r.text()), jobcenter.Overlap(r.text())
	job.Task, job.Executor, job.Quarantine, job.PauseReason, job.Name = r.text(), r.text(), r.text(), r.text(), r.text()
	job.limits = r.text()
	rules := r.text()
	job.triggerJSON = r.text()
	tags := r.text()
	job.Description = r.text()
	job.Args, job.Carried, job.LastResult = r.json(), r.json(), r.json()
	if r.err != nil {
		return storedJob{}, fmt.Errorf("job %q: %w", job.ID, r.err)
	}
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
		job.Version, micros(job.DueAt()), micros(job.NextFireTime), micros(job.PreviousFireTime), -job.Priority, flag(job.Paused),
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

// errOvertaken: a job of the same id was removed after the new one's first
// fire time was chosen, and covers that.
var errOvertaken = errors.New("a job of this id was removed at the same time")

// AddJobs stores new jobs, all or none; see jobcenter.JobStore.
func (s *Store) AddJobs(ctx context.Context, build func() ([]jobcenter.Job, error)) error {
	var ids []string
	covered := map[string]int64{} // by removed jobs of the same ids, as has been seen
	err := errOvertaken
	for errors.Is(err, errOvertaken) { // ever later ones
		ids, err = s.addJobs(ctx, build, covered)
	}
	refused := (*refusal)(nil)
	switch {
	case err == nil:
		return nil
	case errors.As(err, &refused):
		return refused.error
	case len(ids) == 1:
		return fmt.Errorf("sqlstore: add job %q: %w", ids[0], err)
	case errors.Is(err, jobcenter.ErrConflict):
		// Which of them it was is looked up afterwards: it is rarely asked.
		var id string
		if s.takenJob.QueryRowContext(ctx, jsonList(ids)).Scan(&id) == nil {
			err = fmt.Errorf("job %q: %w", id, err)
		}
	}
	return fmt.Errorf("sqlstore: add jobs: %w", err)
}

// refusal is an error of a callback, which is returned as it is.
type refusal struct{ error }

func (r *refusal) Unwrap() error { return r.error }

// addJobs calls build before it locks anything, so it finds out afterwards
// whether jobs of the same ids were removed meanwhile.
func (s *Store) addJobs(ctx context.Context, build func() ([]jobcenter.Job, error), covered map[string]int64) (ids []string, err error) {
	err = s.write(ctx, func(ctx context.Context, tx transaction) error {
		jobs, err := build()
		if err != nil {
			return &refusal{err}
		}
		ids = ids[:0]
		for i := range jobs {
			ids = append(ids, jobs[i].ID)
		}
		if err := s.insertJobs(ctx, tx, jobs); err != nil || s.overtakenJobs == nil {
			return err
		}
		return s.checkOvertaken(ctx, tx, ids, covered)
	})
	return ids, err
}

func (s *Store) checkOvertaken(ctx context.Context, tx transaction, ids []string, covered map[string]int64) error {
	rows, err := tx.query(ctx, s.overtakenJobs, jsonList(ids))
	if err != nil {
		return fmt.Errorf("overtaken jobs: %w", err)
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var id string
		var until int64
		if err := rows.Scan(&id, &until); err != nil {
			return fmt.Errorf("overtaken jobs: %w", err)
		}
		if seen, ok := covered[id]; !ok || seen < until {
			covered[id] = until
			err = errOvertaken
		}
	}
	return errors.Join(err, rows.Err())
}

func (s *Store) insertJobs(ctx context.Context, tx transaction, jobs []jobcenter.Job) error {
	values := make([]any, 0, len(jobs)*jobWidth)
	given := make(map[string]bool, len(jobs))
	var tagged []string
	for i := range jobs {
		job := &jobs[i]
		if given[job.ID] {
			return fmt.Errorf("the id %q is given twice: %w", job.ID, jobcenter.ErrConflict)
		}
		given[job.ID] = true
		row, err := jobValues(job, nil)
		if err != nil && len(jobs) > 1 {
			err = fmt.Errorf("job %q: %w", job.ID, err)
		}
		if err != nil {
			return err
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
	job, err := s.scanJob(jobReader(0), row)
	if errors.Is(err, sql.ErrNoRows) {
		err = jobcenter.ErrJobNotFound
	}
	return job, err
}

// jobToChange locks and reads a job.
func (s *Store) jobToChange(ctx context.Context, tx transaction, id string) (storedJob, error) {
	for {
		got, err := tx.lock(ctx, s.lockJobs, []string{id})
		if err != nil {
			return storedJob{}, fmt.Errorf("lock: %w", err)
		}
		job, err := s.oneJob(tx.queryRow(ctx, s.jobsInTx, jsonList([]string{id})))
		if err != nil || got[id] || s.lockJobs == nil {
			return job, err
		}
		// It was removed while its lock was waited for, and is there again.
	}
}

// UpdateJob lets change decide what becomes of a job; see jobcenter.JobStore.
// Its id stays.
func (s *Store) UpdateJob(ctx context.Context, id string, change func(job jobcenter.Job, active jobcenter.Active) (jobcenter.Job, []jobcenter.Run, error)) (jobcenter.Job, error) {
	var updated jobcenter.Job
	err := s.write(ctx, func(ctx context.Context, tx transaction) error {
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
			return &refusal{err}
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
	refused := (*refusal)(nil)
	switch {
	case errors.As(err, &refused):
		return jobcenter.Job{}, refused.error
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
