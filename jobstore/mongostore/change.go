package mongostore

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/jobcenter-go/jobcenter"
)

const (
	// maxPast is how many changes back a job's document tells its own story.
	maxPast = 8
	// perQuery bounds the lists within one query.
	perQuery = 500
	// maxDocument is how large a document may become. The server takes 16 MiB.
	maxDocument = 15 << 20
)

var (
	// errDoubt says that it could not be found out whether a change took place.
	errDoubt    = errors.New("the server did not say whether it took place")
	errTooLarge = errors.New("the job with what it has to write at once is larger than 15 MiB")
)

// jobChange is what is to become of a job's document: the one write that decides.
type jobChange struct {
	from *jobDoc // nil for a new document
	to   *jobDoc

	won bool  // it took place
	err error // why it is not known that it did not take place
}

// changeOf begins a change of a document whose outbox has been carried out.
func changeOf(from *jobDoc) *jobChange {
	c := &jobChange{from: from, to: from.clone()}
	c.to.Outbox, c.to.Dirty = nil, false
	c.to.Past = append(c.to.Past, from.Rev)
	c.to.Past = c.to.Past[max(0, len(c.to.Past)-maxPast):]
	c.to.Rev = bson.NewObjectID()
	return c
}

// newJob begins a document.
func newJob(id, life string) *jobChange {
	return &jobChange{to: &jobDoc{ID: id, Rev: bson.NewObjectID(), Life: life}}
}

func (c *jobChange) post(e entry) { c.to.Outbox, c.to.Dirty = append(c.to.Outbox, e), true }

// insert adds a run.
func (c *jobChange) insert(run jobcenter.Run) {
	row := docOf(run, 1)
	c.post(entry{ID: row.ID, Version: 1, New: &row})
	if !run.State.Final() {
		c.to.Active = append(c.to.Active, activeRun{ID: row.ID, State: row.State, Attempt: row.Attempt, Version: 1, Stop: row.StopBy != ""})
	}
}

// replace gives a run that goes on, and whose row is known, its next version.
// What it has told is added to what it had told before.
func (c *jobChange) replace(row *runDoc, run jobcenter.Run, told ...bson.ObjectID) error {
	active := c.to.find(row.ID)
	next := docOf(run, row.Version+1)
	next.Out, next.Told = row.Out, slices.Concat(row.Told, told)
	set, unset, err := difference(row, &next)
	if err != nil {
		return fmt.Errorf("run %q: %w", row.ID, err)
	}
	c.post(entry{ID: row.ID, Version: next.Version, Set: set, Unset: unset})
	*active = activeRun{ID: row.ID, State: next.State, Attempt: next.Attempt, Version: next.Version, Stop: next.StopBy != ""}
	if run.State.Final() {
		c.drop(row.ID)
	}
	return nil
}

// set changes fields of a run that goes on.
func (c *jobChange) set(active *activeRun, set bson.D, unset ...string) {
	active.Version++
	c.post(entry{ID: active.ID, Version: active.Version, Set: append(set, bson.E{Key: "v", Value: active.Version}), Unset: unset})
}

// end ends a queued run without a look at its row.
func (c *jobChange) end(active *activeRun, state jobcenter.RunState, reason jobcenter.Reason, at time.Time, more ...bson.E) {
	c.set(active, append(bson.D{
		{Key: "state", Value: string(state)}, {Key: "reason", Value: string(reason)}, {Key: "ended", Value: micros(at)},
	}, more...), "queue")
	c.drop(active.ID)
}

func (c *jobChange) drop(runID string) {
	c.to.Active = slices.DeleteFunc(c.to.Active, func(run activeRun) bool { return run.ID == runID })
}

// commit makes changes of different documents, each if nobody else has changed
// that one meanwhile, and then carries out what they say to the rows. The
// caller sees by jobChange.won which took place; commit fails only if none did
// and at least one was refused or is in doubt.
//
// The context counts until the first change is sent. From there on it is
// finished, since others may see it already.
func (s *Store) commit(ctx context.Context, changes []*jobChange) error {
	if err := ctx.Err(); err != nil || len(changes) == 0 {
		return err
	}
	if err := s.send(ctx, changes); err != nil {
		return err
	}
	var docs []*jobDoc
	for _, c := range changes {
		if c.won {
			docs = append(docs, c.to)
		}
	}
	if len(docs) == 0 {
		for _, c := range changes {
			if c.err != nil {
				return c.err
			}
		}
		return nil
	}
	ctx, cancel := s.lasting(ctx)
	defer cancel()
	// Where this fails, the next to look at these jobs does it.
	_ = s.carryOut(ctx, docs)
	return nil
}

// send sends changes and finds out which took place.
func (s *Store) send(ctx context.Context, changes []*jobChange) error {
	models := make([]mongo.WriteModel, 0, len(changes))
	sent := make([]*jobChange, 0, len(changes))
	for _, c := range changes {
		model, err := c.model()
		if err != nil {
			return fmt.Errorf("job %q: %w", c.to.ID, err)
		}
		if model == nil {
			c.err = fmt.Errorf("job %q: %w", c.to.ID, errTooLarge)
			continue
		}
		models, sent = append(models, model), append(sent, c)
	}
	if len(models) == 0 {
		return nil
	}
	sending, cancel := s.lasting(ctx)
	defer cancel()
	result, err := s.jobs.BulkWrite(sending, models, options.BulkWrite().SetOrdered(false))
	if err == nil && int(result.MatchedCount+result.InsertedCount) == len(sent) {
		for _, c := range sent {
			c.won = true
		}
		return nil
	}
	s.settle(ctx, sent, err)
	return nil
}

// model is the write of a change; nil if the document would be too large.
func (c *jobChange) model() (mongo.WriteModel, error) {
	doc, err := bson.Marshal(c.to)
	if err != nil || len(doc) > maxDocument {
		return nil, err
	}
	if c.from == nil {
		return mongo.NewInsertOneModel().SetDocument(bson.Raw(doc)), nil
	}
	set, unset, err := difference(c.from, c.to)
	if err != nil {
		return nil, err
	}
	return mongo.NewUpdateOneModel().SetFilter(atRev(c.from)).SetUpdate(update(set, unset)), nil
}

func atRev(doc *jobDoc) bson.D {
	return bson.D{{Key: "_id", Value: doc.ID}, {Key: "rev", Value: doc.Rev}}
}

// settle finds out which of the changes took place. cause is what went wrong,
// nil if all that is known is that some did not.
func (s *Store) settle(ctx context.Context, changes []*jobChange, cause error) {
	ctx, cancel := s.lasting(ctx)
	defer cancel()
	refused, answered := answers(cause)
	for i, c := range changes {
		if err := refused[i]; err != nil {
			c.err = err
			continue
		}
		c.won, c.err = s.outcome(ctx, c, !answered)
		for n := 0; c.err != nil && !errors.Is(c.err, errDoubt) && s.pause(ctx, n) == nil; n++ {
			c.won, c.err = s.outcome(ctx, c, !answered)
		}
		switch {
		case c.err != nil:
			c.err = fmt.Errorf("%w: %w", errDoubt, errors.Join(cause, c.err))
		case !c.won && !answered:
			c.err = cause
		}
	}
}

// answers takes apart the error of a bulk write: what the server says of each
// write that it refused, by its number; and whether it has answered for all. A
// document that was there already is no refusal: then the change came too
// late, or had been made before.
func answers(err error) (refused map[int]error, answered bool) {
	if err == nil {
		return nil, true
	}
	var bulk mongo.BulkWriteException
	if !errors.As(err, &bulk) {
		return nil, false
	}
	refused = map[int]error{}
	for _, e := range bulk.WriteErrors {
		if !mongo.IsDuplicateKeyError(e.WriteError) {
			refused[e.Index] = e.WriteError
		}
	}
	return refused, bulk.WriteConcernError == nil
}

// outcome tells whether a change took place. One that may still be on its way
// is kept from that by a change of our own.
func (s *Store) outcome(ctx context.Context, c *jobChange, onItsWay bool) (won bool, err error) {
	if onItsWay {
		var fence *jobChange
		if c.from == nil {
			fence = newJob(c.to.ID, lifeRemoved)
			fence.to.Gone = micros(time.Now())
			_, err = s.jobs.InsertOne(ctx, fence.to)
			if mongo.IsDuplicateKeyError(err) {
				err = nil
			}
		} else {
			fence = changeOf(c.from)
			_, err = s.jobs.UpdateOne(ctx, atRev(c.from), bson.D{{Key: "$set", Value: bson.D{
				{Key: "rev", Value: fence.to.Rev}, {Key: "past", Value: fence.to.Past},
			}}})
		}
		if err != nil {
			return false, err
		}
	}
	doc, err := s.read(ctx, c.to.ID)
	switch {
	case err != nil:
		return false, err
	case doc == nil:
		return false, nil
	case doc.Rev == c.to.Rev || slices.Contains(doc.Past, c.to.Rev):
		return true, nil
	case c.from == nil || doc.Rev == c.from.Rev || slices.Contains(doc.Past, c.from.Rev):
		return false, nil
	default:
		return false, fmt.Errorf("%w: job %q has changed too often since", errDoubt, doc.ID)
	}
}

// read returns a job's document as it is, nil if there is none.
func (s *Store) read(ctx context.Context, id string) (*jobDoc, error) {
	var doc jobDoc
	err := s.jobs.FindOne(ctx, byID(id)).Decode(&doc)
	if errors.Is(err, mongo.ErrNoDocuments) {
		return nil, nil //nolint:nilnil // there is none
	}
	if err != nil {
		return nil, err
	}
	return &doc, nil
}

// load returns a job's document, whatever its life is, with its outbox carried
// out; nil if there is none.
func (s *Store) load(ctx context.Context, id string) (*jobDoc, error) {
	doc, err := s.read(ctx, id)
	if err == nil && doc != nil && doc.Batch != nil {
		if settled, batchErr := s.settleBatch(ctx, *doc.Batch, false); batchErr != nil {
			return nil, batchErr
		} else if settled {
			doc, err = s.read(ctx, id)
		}
	}
	if err != nil || doc == nil {
		return nil, err
	}
	return doc, s.carryOut(ctx, []*jobDoc{doc})
}

// live is load for a job that is there.
func (s *Store) live(ctx context.Context, id string) (*jobDoc, error) {
	doc, err := s.load(ctx, id)
	if err != nil {
		return nil, err
	}
	if doc == nil || doc.Life != lifeLive {
		return nil, jobcenter.ErrJobNotFound
	}
	return doc, nil
}

// loadAll is load for several jobs.
func (s *Store) loadAll(ctx context.Context, ids []string) (map[string]*jobDoc, error) {
	docs := make(map[string]*jobDoc, len(ids))
	for part := range slices.Chunk(ids, perQuery) {
		list, err := find[jobDoc](ctx, s.jobs, bson.D{{Key: "_id", Value: bson.D{{Key: "$in", Value: part}}}})
		if err != nil {
			return nil, err
		}
		if err := s.carryOut(ctx, list); err != nil {
			return nil, err
		}
		for _, doc := range list {
			docs[doc.ID] = doc
		}
	}
	return docs, nil
}

// find reads all that a query finds.
func find[T any](ctx context.Context, from *mongo.Collection, filter any, opts ...options.Lister[options.FindOptions]) ([]*T, error) {
	cursor, err := from.Find(ctx, filter, opts...)
	if err != nil {
		return nil, err
	}
	var list []*T
	return list, cursor.All(ctx, &list)
}

// carryOut writes to the rows what the outboxes of documents say, and empties
// them. It may be done by several at once, and again: a row that is there is
// not inserted, and each change is made to one version of a row only.
func (s *Store) carryOut(ctx context.Context, docs []*jobDoc) error {
	var rows []any
	var drops, changes, cleared []mongo.WriteModel
	for _, doc := range docs {
		if !doc.Dirty {
			continue
		}
		for _, e := range doc.Outbox {
			if e.New != nil {
				rows = append(rows, e.New)
				continue
			}
			for _, drop := range e.Drops {
				drops = append(drops, mongo.NewDeleteManyModel().SetFilter(drop.filter()))
			}
			filter := bson.D{{Key: "_id", Value: e.ID}, {Key: "v", Value: e.Version - 1}}
			changes = append(changes, mongo.NewUpdateOneModel().SetFilter(filter).SetUpdate(update(e.Set, e.Unset)))
		}
		cleared = append(cleared, mongo.NewUpdateOneModel().SetFilter(atRev(doc)).SetUpdate(update(nil, []string{"outbox", "dirty"})))
	}
	if len(rows) > 0 {
		if _, err := s.runs.InsertMany(ctx, rows, options.InsertMany().SetOrdered(false)); !onlyDuplicates(err) {
			return fmt.Errorf("insert runs: %w", err)
		}
	}
	for _, step := range []struct {
		to     *mongo.Collection
		models []mongo.WriteModel
	}{{s.output, drops}, {s.runs, changes}, {s.jobs, cleared}} {
		if len(step.models) == 0 {
			continue
		}
		if _, err := step.to.BulkWrite(ctx, step.models, options.BulkWrite().SetOrdered(false)); err != nil {
			return fmt.Errorf("carry out changes: %w", err)
		}
	}
	for _, doc := range docs {
		doc.Outbox, doc.Dirty = nil, false
	}
	return nil
}

// onlyDuplicates reports whether nothing is wrong, or that documents were there
// already and nothing else.
func onlyDuplicates(err error) bool {
	refused, answered := answers(err)
	return answered && len(refused) == 0
}

// sweep finishes what others have begun and not finished: so nothing is missed
// that was decided before it began.
func (s *Store) sweep(ctx context.Context) error {
	if err := s.settleDoubts(ctx); err != nil {
		return err
	}
	for {
		found, err := find[bson.Raw](ctx, s.jobs, bson.D{{Key: "dirty", Value: true}}, options.Find().SetLimit(perQuery))
		if err != nil {
			return err
		}
		var docs []*jobDoc
		for _, raw := range found {
			if id, ok := raw.Lookup("_id").ObjectIDOK(); ok {
				if _, err := s.settleBatch(ctx, id, false); err != nil {
					return err
				}
				continue
			}
			var doc jobDoc
			if err := bson.Unmarshal(*raw, &doc); err != nil {
				return err
			}
			docs = append(docs, &doc)
		}
		if err := s.carryOut(ctx, docs); err != nil || len(found) < perQuery {
			return err
		}
	}
}

// pause waits a moment before what failed or was disturbed is tried again,
// longer each time, by chance.
func (s *Store) pause(ctx context.Context, n int) error {
	timer := time.NewTimer(time.Duration(rand.Int64N(int64(time.Millisecond) << min(n+1, 8)))) //nolint:gosec // chance, not secrecy
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

// doubt is a change of which the caller was told that it failed, and that may
// have started runs nonetheless. Nobody carries them out.
type doubt struct {
	change  *jobChange
	started []activeRun
}

// note remembers what is in doubt among changes.
func (s *Store) note(changes []*jobChange) {
	for _, c := range changes {
		if !errors.Is(c.err, errDoubt) || c.from == nil {
			continue
		}
		d := doubt{change: c}
		for _, run := range c.to.Active {
			before := c.from.find(run.ID)
			if run.State == string(jobcenter.RunRunning) && (before == nil || before.Attempt != run.Attempt) {
				d.started = append(d.started, run)
			}
		}
		if len(d.started) > 0 {
			s.mu.Lock()
			s.doubts = append(s.doubts, d)
			s.mu.Unlock()
		}
	}
}

// settleDoubts puts runs back into the queue that were started although the
// caller was told that they were not.
func (s *Store) settleDoubts(ctx context.Context) error {
	s.mu.Lock()
	doubts := s.doubts
	s.doubts = nil
	s.mu.Unlock()
	for i, d := range doubts {
		won, err := s.outcome(ctx, d.change, true)
		if err == nil && won {
			err = s.putBack(ctx, d)
		}
		if err != nil {
			s.mu.Lock()
			s.doubts = append(s.doubts, doubts[i:]...)
			s.mu.Unlock()
			return err
		}
	}
	return nil
}

func (s *Store) putBack(ctx context.Context, d doubt) error {
	for n := 0; ; n++ {
		doc, err := s.load(ctx, d.change.to.ID)
		if err != nil || doc == nil {
			return err
		}
		c := changeOf(doc)
		for _, started := range d.started {
			active := c.to.find(started.ID)
			if active == nil || active.State != started.State || active.Attempt != started.Attempt {
				continue
			}
			row, err := s.row(ctx, started.ID)
			if err != nil {
				return err
			}
			run := row.run()
			run.State, run.Attempt, run.Node, run.StartedAt = jobcenter.RunQueued, run.Attempt-1, "", time.Time{}
			if err := c.replace(row, run); err != nil {
				return err
			}
		}
		if !c.to.Dirty {
			return nil
		}
		if err := s.commit(ctx, []*jobChange{c}); err != nil || c.won {
			return err
		}
		if err := s.pause(ctx, n); err != nil {
			return err
		}
	}
}
