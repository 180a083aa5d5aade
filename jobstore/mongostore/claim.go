package mongostore

import (
	"context"
	"errors"
	"math"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/jobcenter-go/jobcenter"
)

// fields has a query return these fields only, and the id.
func fields(names ...string) *options.FindOptionsBuilder {
	projection := bson.D{}
	for _, name := range names {
		projection = append(projection, bson.E{Key: name, Value: int32(1)})
	}
	return options.Find().SetProjection(projection)
}

// up orders by fields.
func up(names ...string) bson.D {
	var order bson.D
	for _, name := range names {
		order = append(order, bson.E{Key: name, Value: int32(1)})
	}
	return order
}

// due finds the jobs that a caller can take at an instant.
func due(can jobcenter.Can, at bson.D) bson.D {
	return bson.D{
		{Key: "life", Value: lifeLive},
		{Key: "due", Value: at},
		{Key: "task", Value: bson.D{{Key: "$in", Value: can.Tasks}}},
		{Key: "executor", Value: bson.D{{Key: "$in", Value: can.Executors}}},
	}
}

// NextDue implements jobcenter.JobStore.
func (s *Store) NextDue(ctx context.Context, can jobcenter.Can) (at time.Time, ok bool, err error) {
	ctx, cancel, err := s.begin(ctx)
	defer cancel()
	if err == nil {
		err = s.sweep(ctx)
	}
	if err != nil {
		return time.Time{}, false, failed(ctx, "next due job", err)
	}
	if len(can.Tasks) == 0 || len(can.Executors) == 0 {
		return time.Time{}, false, nil
	}
	var doc jobDoc
	err = s.jobs.FindOne(ctx, due(can, bson.D{{Key: "$gte", Value: int64(math.MinInt64)}}),
		options.FindOne().SetSort(up("due")).SetProjection(up("due"))).Decode(&doc)
	switch {
	case errors.Is(err, mongo.ErrNoDocuments):
		return time.Time{}, false, nil
	case err != nil:
		return time.Time{}, false, failed(ctx, "next due job", err)
	}
	return given(doc.Due), true, nil
}

// Claim implements jobcenter.JobStore. The jobs are claimed one by one, each
// together with its runs: where something goes wrong in between, those that
// were claimed by then are returned and the error is left to the next call.
func (s *Store) Claim(ctx context.Context, can jobcenter.Can, now time.Time, limit int, decide func(jobcenter.Job, jobcenter.Active) jobcenter.Decision) ([]jobcenter.Claimed, error) {
	ctx, cancel, err := s.beginInTurn(ctx)
	defer cancel()
	if err != nil {
		return nil, failed(ctx, "claim", err)
	}
	if len(can.Tasks) == 0 || len(can.Executors) == 0 {
		return nil, nil
	}
	var claimed []jobcenter.Claimed
	var done []string // jobs that were claimed, or whose fate is not known
	for n := 0; len(claimed) < limit; n++ {
		part, found, err := s.claimOnce(ctx, can, now, limit-len(claimed), done, decide)
		claimed = append(claimed, part...)
		if err != nil && len(claimed) == 0 {
			return nil, failed(ctx, "claim", err)
		}
		if err != nil || found == 0 {
			break
		}
		for _, c := range part {
			done = append(done, c.Job.ID)
		}
		if len(part) < found && s.pause(ctx, n) != nil {
			break
		}
	}
	return claimed, nil
}

// claimOnce tries to claim the first due jobs. It may get fewer than were
// found, where others were quicker.
func (s *Store) claimOnce(ctx context.Context, can jobcenter.Can, now time.Time, limit int, done []string, decide func(jobcenter.Job, jobcenter.Active) jobcenter.Decision) (claimed []jobcenter.Claimed, found int, err error) {
	filter := due(can, bson.D{{Key: "$lte", Value: micros(now)}})
	if len(done) > 0 {
		filter = append(filter, bson.E{Key: "_id", Value: bson.D{{Key: "$nin", Value: done}}})
	}
	docs, err := find[jobDoc](ctx, s.jobs, filter, options.Find().SetSort(up("due", "rank", "_id")).SetLimit(int64(limit)))
	if err != nil {
		return nil, 0, err
	}
	if err := s.carryOut(ctx, docs); err != nil {
		return nil, 0, err
	}
	changes := make([]*jobChange, len(docs))
	before := make([]jobcenter.Job, len(docs))
	runs := make([][]jobcenter.Run, len(docs))
	for i, doc := range docs {
		changes[i], before[i] = changeOf(doc), doc.decode()
		if before[i].Quarantine != "" {
			err = changes[i].quarantine(before[i])
		} else {
			decision := decide(doc.decode(), doc.active())
			runs[i] = decision.Runs
			err = changes[i].decided(before[i], decision)
		}
		if err != nil {
			return nil, 0, err
		}
	}
	if runs, err = s.insertAllNew(ctx, changes, runs); err != nil {
		return nil, 0, err
	}
	err = s.commit(ctx, changes)
	s.note(changes)
	for i, c := range changes {
		if c.won {
			claimed = append(claimed, jobcenter.Claimed{Job: before[i], Runs: runs[i]})
		} else if c.err != nil && err == nil {
			err = c.err
		}
	}
	return claimed, len(docs), err
}

// decided is what a decision says of the job itself, and of the runs that go
// on.
func (c *jobChange) decided(job jobcenter.Job, d jobcenter.Decision) error {
	job.NextFireTime, job.PreviousFireTime = d.Next, d.Previous
	if d.Quarantine != "" {
		job.Quarantine = d.Quarantine
	}
	if d.Resume {
		job.Paused, job.PausedUntil, job.PauseReason = false, time.Time{}, ""
	}
	if d.StopRunning != "" {
		for i := range c.to.Active {
			if run := &c.to.Active[i]; run.State == string(jobcenter.RunRunning) && !run.Stop {
				run.Stop = true
				c.set(run, bson.D{{Key: "stop_by", Value: text(d.StopRunning)}})
			}
		}
	}
	return c.to.describe(job)
}

// quarantine is for a job that was found not to be decodable. What cannot be
// read at all stays as it is written.
func (c *jobChange) quarantine(job jobcenter.Job) error {
	if !c.from.readable() {
		c.to.Quarantine, c.to.State, c.to.Due = job.Quarantine, string(jobcenter.JobQuarantined), nil
		return nil
	}
	return c.to.describe(job)
}
