package mongostore

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/jobcenter-go/jobcenter"
)

// CountQueued implements jobcenter.JobStore.
func (s *Store) CountQueued(ctx context.Context, executor string, limit int) (int, error) {
	operation := fmt.Sprintf("count runs queued for %q", executor)
	ctx, cancel, err := s.begin(ctx)
	defer cancel()
	if err == nil {
		err = s.sweep(ctx)
	}
	n := 0
	if err == nil {
		n, err = s.count(ctx, bson.D{{Key: "queue.executor", Value: text(executor)}}, limit)
	}
	if err != nil {
		return 0, failed(ctx, operation, err)
	}
	return n, nil
}

// count counts runs, up to limit.
func (s *Store) count(ctx context.Context, filter bson.D, limit int) (int, error) {
	if limit <= 0 {
		return 0, nil
	}
	n, err := s.runs.CountDocuments(ctx, filter, options.Count().SetLimit(int64(limit)))
	return int(n), err
}

// TakeQueued implements jobcenter.JobStore. As with Claim, runs that were
// taken before something went wrong are returned.
func (s *Store) TakeQueued(ctx context.Context, can jobcenter.Can, executor string, now time.Time, limit int, start func(jobcenter.Job, jobcenter.Run) jobcenter.Run) (taken []jobcenter.Claimed, next time.Time, err error) {
	operation := fmt.Sprintf("take runs queued for %q", executor)
	ctx, cancel, err := s.beginInTurn(ctx)
	defer cancel()
	if err != nil {
		return nil, time.Time{}, failed(ctx, operation, err)
	}
	t := &taking{Store: s, can: can, executor: text(executor), now: now, limit: limit, start: start, odd: map[string]bool{}}
	for n := 0; ; n++ {
		again, err := t.pass(ctx)
		if err == nil && again {
			err = s.pause(ctx, n)
		}
		if err != nil && len(t.taken) == 0 {
			return nil, time.Time{}, failed(ctx, operation, err)
		}
		if err != nil || !again {
			break
		}
	}
	next, err = s.nextQueued(ctx, executor, now)
	if err != nil && len(t.taken) == 0 {
		return nil, time.Time{}, failed(ctx, operation, err)
	}
	return t.taken, next, nil
}

// nextQueued is the first instant after now at which a queued run may start.
func (s *Store) nextQueued(ctx context.Context, executor string, now time.Time) (time.Time, error) {
	var row runDoc
	err := s.runs.FindOne(ctx, bson.D{
		{Key: "queue.executor", Value: text(executor)}, {Key: "queue.not_before", Value: bson.D{{Key: "$gt", Value: micros(now)}}},
	}, options.FindOne().SetSort(up("queue.not_before")).SetProjection(up("not_before"))).Decode(&row)
	if errors.Is(err, mongo.ErrNoDocuments) {
		return time.Time{}, nil
	}
	return given(row.NotBefore), err
}

// taking is one call of TakeQueued.
type taking struct {
	*Store
	can      jobcenter.Can
	executor string
	now      time.Time
	limit    int
	start    func(jobcenter.Job, jobcenter.Run) jobcenter.Run
	taken    []jobcenter.Claimed
	odd      map[string]bool // runs that did not fit to their job, once

	// Of one pass.
	docs    map[string]*jobDoc
	waits   map[string]bool // jobs of which nothing can start now
	full    map[limited]bool
	pending []*pendingStart
	asked   int // how often start was called
	missed  bool
}

// limited is a limit as a job names it.
type limited struct {
	key   string
	limit jobcenter.Limit
}

// pendingStart is the change of a job whose runs are to start, in the order in
// which they were taken.
type pendingStart struct {
	change *jobChange
	job    jobcenter.Job
	runs   []startedRun
}

// startedRun is a run that start was asked about, as it is then.
type startedRun struct {
	jobcenter.Run
	turn int
}

// pass goes through the queue once. again says that something changed under
// its hands, so that there may be more to take.
func (t *taking) pass(ctx context.Context) (again bool, err error) {
	t.docs, t.waits, t.full = map[string]*jobDoc{}, map[string]bool{}, map[limited]bool{}
	t.pending, t.missed = nil, false
	cursor, err := t.runs.Find(ctx, bson.D{
		{Key: "queue.executor", Value: t.executor}, {Key: "queue.not_before", Value: bson.D{{Key: "$lte", Value: micros(t.now)}}},
	}, options.Find().SetSort(up("queue.rank", "queue.turn", "queue.fire", "queue.id")).SetBatchSize(int32(min(max(t.limit, 100), perQuery))))
	if err != nil {
		return false, err
	}
	defer func() { _ = cursor.Close(context.WithoutCancel(ctx)) }()
	for t.room() > 0 && cursor.Next(ctx) {
		var row runDoc
		if err := cursor.Decode(&row); err != nil {
			return false, err
		}
		if err := t.consider(ctx, &row); err != nil {
			return false, err
		}
	}
	if err := cursor.Err(); err != nil {
		return false, err
	}
	if err := t.flush(ctx); err != nil {
		return false, err
	}
	return t.missed && t.room() > 0, nil
}

// room is how many runs may still be taken.
func (t *taking) room() int {
	n := t.limit - len(t.taken)
	for _, p := range t.pending {
		n -= len(p.runs)
	}
	return n
}

// consider takes a queued run, passes it over, or ends it.
func (t *taking) consider(ctx context.Context, row *runDoc) error {
	if t.waits[row.JobID] {
		return nil
	}
	doc, ok := t.docs[row.JobID]
	if !ok {
		var err error
		if doc, err = t.ofRun(ctx, row); err != nil {
			return err
		}
		t.docs[row.JobID] = doc
	}
	p := t.pendingOf(row.JobID)
	if p != nil {
		doc = p.change.to
	}
	var active *activeRun
	if doc != nil {
		active = doc.find(row.ID)
	}
	if active == nil || active.Version != row.Version {
		// It has changed since it was read, or else its job knows nothing of
		// it, which cannot be mended here.
		t.missed = t.missed || !t.odd[row.ID]
		t.odd[row.ID] = true
		return nil
	}
	if doc.Life != lifeLive {
		p = t.begin(p, doc)
		p.change.end(p.change.to.find(row.ID), jobcenter.RunSkipped, jobcenter.ReasonRemoved, time.Now())
		return nil
	}
	job := doc.decode()
	if !slices.Contains(t.can.Tasks, job.Task) || doc.active().Running >= max(1, job.MaxInstances) {
		t.waits[job.ID] = true
		return nil
	}
	if row.LimitKey == "" || job.Limit.Running == 0 && job.Limit.Rate == 0 {
		return t.ask(t.begin(p, doc), row)
	}
	if t.full[limited{row.LimitKey, job.Limit}] {
		return nil
	}
	if p != nil {
		// The limit is counted for one change of the job at a time.
		if err := t.flush(ctx); err != nil {
			return err
		}
		if doc = t.docs[row.JobID]; doc == nil {
			return nil // lost: the next pass sees to it
		}
	}
	return t.takeLimited(ctx, doc, row)
}

func (t *taking) pendingOf(jobID string) *pendingStart {
	for _, p := range t.pending {
		if p.change.to.ID == jobID {
			return p
		}
	}
	return nil
}

// begin is the pending change of a job, begun if there is none.
func (t *taking) begin(p *pendingStart, doc *jobDoc) *pendingStart {
	if p == nil {
		p = &pendingStart{change: changeOf(doc), job: doc.decode()}
		t.pending = append(t.pending, p)
	}
	return p
}

// ask asks start about a run.
func (t *taking) ask(p *pendingStart, row *runDoc) error {
	before := row.run()
	run := t.start(p.change.to.decode(), row.run())
	run.ID, run.JobID, run.FireTime, run.Series = before.ID, before.JobID, before.FireTime, before.Series
	if err := p.change.replace(row, run); err != nil {
		return err
	}
	t.asked++
	p.runs = append(p.runs, startedRun{runKept(run), t.asked})
	return nil
}

// flush makes the pending changes.
func (t *taking) flush(ctx context.Context) error {
	pending := t.pending
	t.pending = nil
	changes := make([]*jobChange, len(pending))
	for i, p := range pending {
		changes[i] = p.change
	}
	err := t.commit(ctx, changes)
	t.note(changes)
	type taken struct {
		jobcenter.Claimed
		turn int
	}
	var won []taken
	for _, p := range pending {
		if !p.change.won {
			delete(t.docs, p.change.to.ID)
			t.missed = true
			if err == nil {
				err = p.change.err
			}
			continue
		}
		t.docs[p.change.to.ID] = p.change.to
		for _, run := range p.runs {
			won = append(won, taken{jobcenter.Claimed{Job: p.job, Runs: []jobcenter.Run{run.Run}}, run.turn})
		}
	}
	slices.SortFunc(won, func(a, b taken) int { return cmp.Compare(a.turn, b.turn) })
	for _, w := range won {
		t.taken = append(t.taken, w.Claimed)
	}
	return err
}
