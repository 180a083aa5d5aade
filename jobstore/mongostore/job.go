package mongostore

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/jobcenter-go/jobcenter"
)

// Job implements jobcenter.JobStore.
func (s *Store) Job(ctx context.Context, id string) (jobcenter.Job, error) {
	operation := fmt.Sprintf("get job %q", id)
	ctx, cancel, err := s.begin(ctx)
	defer cancel()
	if err != nil {
		return jobcenter.Job{}, failed(ctx, operation, err)
	}
	doc, err := s.live(ctx, id)
	if err != nil {
		return jobcenter.Job{}, failed(ctx, operation, err)
	}
	return doc.decode(), nil
}

// UpdateJob implements jobcenter.JobStore. A job of which nothing but its id
// can be decoded takes only a whole new definition, with a trigger.
func (s *Store) UpdateJob(ctx context.Context, id string, change func(jobcenter.Job, jobcenter.Active) (jobcenter.Job, []jobcenter.Run, error)) (jobcenter.Job, error) {
	c, err := s.changeJob(ctx, id, "update", func(ctx context.Context, c *jobChange) error {
		job, runs, err := change(c.from.decode(), c.from.active())
		if err != nil {
			return callbackError{err}
		}
		if job.Trigger == nil && !c.from.readable() {
			return errors.New("it cannot be decoded: what is needed is a whole new definition, with a trigger")
		}
		if err := c.to.describe(job); err != nil {
			return err
		}
		return s.insertNew(ctx, c, runs)
	})
	if err != nil {
		return jobcenter.Job{}, err
	}
	return c.to.decode(), nil
}

// RemoveJob implements jobcenter.JobStore.
func (s *Store) RemoveJob(ctx context.Context, id string, last func(jobcenter.Job) []jobcenter.Run) error {
	_, err := s.changeJob(ctx, id, "remove", func(ctx context.Context, c *jobChange) error {
		runs := last(c.from.decode())
		c.to = &jobDoc{ID: id, Rev: c.to.Rev, Past: c.to.Past, Life: lifeRemoved, Gone: micros(time.Now()), Active: c.to.Active}
		c.endQueued()
		return s.insertNew(ctx, c, runs)
	})
	if err != nil {
		return err
	}
	s.purgeSometimes(ctx)
	return nil
}

// endQueued ends the queued runs of a job that is removed.
func (c *jobChange) endQueued() {
	for _, run := range c.from.Active {
		if run.State == string(jobcenter.RunQueued) {
			c.end(c.to.find(run.ID), jobcenter.RunSkipped, jobcenter.ReasonRemoved, time.Now())
		}
	}
}

// purgeSometimes keeps what is left of removed jobs from piling up. That it
// fails hurts nobody.
func (s *Store) purgeSometimes(ctx context.Context) {
	s.mu.Lock()
	due := time.Since(s.purged) > forgotten/4
	if due {
		s.purged = time.Now()
	}
	s.mu.Unlock()
	if !due {
		return
	}
	ctx, cancel := s.lasting(ctx)
	defer cancel()
	_ = s.purge(ctx)
}

// callbackError is what a callback returned, to be returned as it is.
type callbackError struct{ error }

// changeJob has decide change a job that is there, until nobody else comes in
// between.
func (s *Store) changeJob(ctx context.Context, id, operation string, decide func(ctx context.Context, c *jobChange) error) (*jobChange, error) {
	operation = fmt.Sprintf("%s job %q", operation, id)
	ctx, cancel, err := s.begin(ctx)
	defer cancel()
	for n := 0; err == nil; n++ {
		var doc *jobDoc
		if doc, err = s.live(ctx, id); err != nil {
			break
		}
		c := changeOf(doc)
		if err = decide(ctx, c); err != nil {
			break
		}
		if err = s.commit(ctx, []*jobChange{c}); err != nil {
			s.note([]*jobChange{c})
			break
		}
		if c.won {
			return c, nil
		}
		err = s.pause(ctx, n)
	}
	if own, ok := errors.AsType[callbackError](err); ok {
		return nil, own.error
	}
	return nil, failed(ctx, operation, err)
}

// insertNew adds runs to a change, but for those whose fire time and series are
// in the ledger. No other can come in between: it would change the job.
func (s *Store) insertNew(ctx context.Context, c *jobChange, runs []jobcenter.Run) error {
	_, err := s.insertAllNew(ctx, []*jobChange{c}, [][]jobcenter.Run{runs})
	return err
}

// fireKey is what there is one run of.
type fireKey struct {
	job    string
	fire   int64
	series string
}

// insertAllNew is insertNew for several changes. It returns the runs of each
// that are new, as they are kept.
func (s *Store) insertAllNew(ctx context.Context, changes []*jobChange, runs [][]jobcenter.Run) ([][]jobcenter.Run, error) {
	ids, known, err := s.inLedger(ctx, changes, runs)
	if err != nil {
		return nil, err
	}
	inserted := make([][]jobcenter.Run, len(changes))
	for i, c := range changes {
		for _, run := range runs[i] {
			if run.JobID != c.to.ID {
				return nil, fmt.Errorf("run %q is of job %q, not of %q", run.ID, run.JobID, c.to.ID)
			}
			key := fireKey{run.JobID, micros(run.FireTime), run.Series}
			if known[key] {
				continue
			}
			if ids[run.ID] {
				return nil, fmt.Errorf("run %q: %w: the id is taken", run.ID, jobcenter.ErrConflict)
			}
			known[key], ids[run.ID] = true, true
			c.insert(run)
			inserted[i] = append(inserted[i], runKept(run))
		}
	}
	return inserted, nil
}

// inLedger returns which ids, and which fire times and series of a job, among
// those of runs are in the ledger.
func (s *Store) inLedger(ctx context.Context, changes []*jobChange, runs [][]jobcenter.Run) (ids map[string]bool, known map[fireKey]bool, err error) {
	ids, known = map[string]bool{}, map[fireKey]bool{}
	var clauses bson.A
	ask := func() error {
		if len(clauses) == 0 {
			return nil
		}
		rows, err := find[runDoc](ctx, s.runs, bson.D{{Key: "$or", Value: clauses}}, fields("job_id", "fire", "series"))
		for _, row := range rows {
			ids[row.ID] = true
			known[fireKey{row.JobID, row.Fire, row.Series}] = true
		}
		clauses = nil
		return err
	}
	for i, c := range changes {
		if len(runs[i]) == 0 {
			continue
		}
		var fires []int64
		var names []string
		for _, run := range runs[i] {
			fires, names = append(fires, micros(run.FireTime)), append(names, run.ID)
		}
		clauses = append(clauses,
			bson.D{{Key: "job_id", Value: c.to.ID}, {Key: "fire", Value: bson.D{{Key: "$in", Value: fires}}}},
			bson.D{{Key: "_id", Value: bson.D{{Key: "$in", Value: names}}}})
		if len(clauses) >= perQuery/2 {
			if err := ask(); err != nil {
				return nil, nil, err
			}
		}
	}
	return ids, known, ask()
}
