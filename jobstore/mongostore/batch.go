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

// batchDoc says what becomes of jobs that are added together. They are written
// as pending ones first, which nobody sees; the one write that makes the batch
// committed adds them all. It lies among the jobs, so that one query finds all
// that is to be finished; its id is of another type than theirs.
type batchDoc struct {
	ID    bson.ObjectID `bson:"_id"`
	Life  string        `bson:"life"`
	Jobs  []string      `bson:"jobs"`
	Since int64         `bson:"since"`
	Dirty bool          `bson:"dirty,omitempty"` // from when it is committed until all its jobs live
}

const (
	// patience is how often the owner of an unfinished batch is waited for.
	patience = 12
	// forgotten is how old an open batch, or what is left of a removed job,
	// must be to be deleted: far older than any call that may still use it.
	forgotten = time.Hour
)

var errAborted = errors.New("the batch was aborted")

// AddJobs implements jobcenter.JobStore. While it goes on, a list may see some
// of the jobs before the others; of one that fails, nobody sees any.
func (s *Store) AddJobs(ctx context.Context, list func() ([]jobcenter.Job, error)) error {
	ctx, cancel, err := s.begin(ctx)
	defer cancel()
	if err != nil {
		return failed(ctx, "add jobs", err)
	}
	// What is left of removed jobs of these ids. They were seen before list
	// is called again, and are replaced only if they are still the same then: so
	// its instant comes after the removals.
	remains := map[string]*jobDoc{}
	for n := 0; ; n++ {
		jobs, err := list()
		if err != nil {
			return err
		}
		again, err := s.add(ctx, jobs, remains, n >= patience)
		if err != nil {
			return failed(ctx, "add jobs", err)
		}
		if !again {
			return nil
		}
		if err := s.pause(ctx, n); err != nil {
			return failed(ctx, "add jobs", err)
		}
	}
}

// add tries once to add jobs. again says that it was disturbed, and has noted
// what it met. force has it abort a batch that stands in its way.
func (s *Store) add(ctx context.Context, jobs []jobcenter.Job, remains map[string]*jobDoc, force bool) (again bool, err error) {
	if len(jobs) == 0 {
		return false, ctx.Err()
	}
	// In one order for all, so that no two batches wait for each other.
	jobs = slices.SortedFunc(slices.Values(jobs), func(a, b jobcenter.Job) int { return cmp.Compare(a.ID, b.ID) })
	changes := make([]*jobChange, len(jobs))
	for i, job := range jobs {
		if i > 0 && jobs[i-1].ID == job.ID {
			return false, fmt.Errorf("job %q: %w: the id is given twice", job.ID, jobcenter.ErrConflict)
		}
		c := newJob(job.ID, lifeLive)
		if old := remains[job.ID]; old != nil {
			c = changeOf(old)
			c.to.Life, c.to.Gone = lifeLive, 0
		}
		if err := c.to.describe(job); err != nil {
			return false, fmt.Errorf("job %q: %w", job.ID, err)
		}
		changes[i] = c
	}
	if len(changes) == 1 {
		if err := s.commit(ctx, changes); err != nil {
			return false, err
		}
	} else if err := s.addBatch(ctx, changes); err != nil {
		return false, err
	}
	if !slices.ContainsFunc(changes, func(c *jobChange) bool { return !c.won }) {
		return false, nil
	}
	ids := make([]string, len(changes))
	for i, c := range changes {
		ids[i] = c.to.ID
	}
	return true, s.clear(ctx, ids, remains, force)
}

// clear looks at what stands in the way of new jobs, and notes the remains. An
// attempt that failed leaves some, too.
func (s *Store) clear(ctx context.Context, ids []string, remains map[string]*jobDoc, force bool) error {
	docs, err := s.loadAll(ctx, ids)
	if err != nil {
		return err
	}
	for _, id := range ids {
		doc := docs[id]
		if doc != nil && doc.Batch != nil {
			if _, err := s.settleBatch(ctx, *doc.Batch, force); err != nil {
				return err
			}
			if doc, err = s.load(ctx, id); err != nil {
				return err
			}
		}
		delete(remains, id)
		switch {
		case doc == nil:
		case doc.Life == lifeLive:
			return fmt.Errorf("job %q: %w: the id is taken", id, jobcenter.ErrConflict)
		case doc.Life == lifeRemoved:
			remains[id] = doc
		}
	}
	return nil
}

// addBatch adds jobs all at once, or none of them: then those that stood in
// the way have not won.
func (s *Store) addBatch(ctx context.Context, changes []*jobChange) (err error) {
	batch := batchDoc{ID: bson.NewObjectID(), Life: lifeOpen, Since: micros(time.Now())}
	for _, c := range changes {
		c.to.Life, c.to.Batch = lifePending, &batch.ID
		batch.Jobs = append(batch.Jobs, c.to.ID)
	}
	if _, err := s.jobs.InsertOne(ctx, &batch); err != nil {
		return err
	}
	committed := false
	defer func() {
		if !committed {
			// If this fails, whoever needs one of the ids does it, or the next purge.
			ctx, cancel := s.lasting(ctx)
			defer cancel()
			_, abortErr := s.settleBatch(ctx, batch.ID, true)
			err = errors.Join(err, abortErr)
		}
	}()
	for part := range slices.Chunk(changes, perQuery) {
		if err := s.send(ctx, part); err != nil {
			return err
		}
		for _, c := range part {
			if c.err != nil {
				return c.err
			}
			if !c.won {
				return nil
			}
		}
		if err := ctx.Err(); err != nil {
			return err
		}
	}
	committed, err = s.commitBatch(ctx, &batch, changes[0])
	if errors.Is(err, errAborted) {
		for _, c := range changes {
			c.won = false
		}
		return nil
	}
	return err
}

// commitBatch makes a batch's jobs live. first is one of them.
func (s *Store) commitBatch(ctx context.Context, batch *batchDoc, first *jobChange) (committed bool, err error) {
	ctx, cancel := s.lasting(ctx)
	defer cancel()
	decided := bson.D{{Key: "life", Value: lifeCommitted}, {Key: "dirty", Value: true}}
	result, err := s.jobs.UpdateOne(ctx, openBatch(batch.ID), bson.D{{Key: "$set", Value: decided}})
	switch {
	case err == nil && result.MatchedCount == 0:
		return false, errAborted
	case err != nil:
		// Whether it was committed or not, this decides it.
		if _, settleErr := s.settleBatch(ctx, batch.ID, true); settleErr != nil {
			return true, fmt.Errorf("%w: %w", errDoubt, errors.Join(err, settleErr))
		}
		doc, readErr := s.read(ctx, first.to.ID)
		if readErr != nil {
			return true, fmt.Errorf("%w: %w", errDoubt, errors.Join(err, readErr))
		}
		if doc == nil || doc.Life != lifeLive || doc.Rev != first.to.Rev && !slices.Contains(doc.Past, first.to.Rev) {
			return true, err
		}
		return true, nil
	}
	// Where this fails, the next to look does it.
	_, _ = s.settleBatch(ctx, batch.ID, false)
	return true, nil
}

func openBatch(id bson.ObjectID) bson.D {
	return bson.D{{Key: "_id", Value: id}, {Key: "life", Value: lifeOpen}}
}

// settleBatch finishes a batch that is committed or aborted; one that is open
// only by force, by aborting it. settled says that no job is pending by it any
// more. The batch goes last: a job that is pending by one that is not there
// has come too late for its end.
func (s *Store) settleBatch(ctx context.Context, id bson.ObjectID, force bool) (settled bool, err error) {
	if force {
		if _, err := s.jobs.UpdateOne(ctx, openBatch(id), bson.D{{Key: "$set", Value: bson.D{{Key: "life", Value: lifeAborted}}}}); err != nil {
			return false, err
		}
	}
	var batch batchDoc
	err = s.jobs.FindOne(ctx, byID(id)).Decode(&batch)
	pending := bson.D{{Key: "batch", Value: id}}
	switch {
	case errors.Is(err, mongo.ErrNoDocuments):
		return true, s.release(ctx, pending)
	case err != nil:
		return false, err
	case batch.Life == lifeOpen:
		return false, nil
	}
	for part := range slices.Chunk(batch.Jobs, perQuery) {
		jobs := append(bson.D{{Key: "_id", Value: bson.D{{Key: "$in", Value: part}}}}, pending...)
		if batch.Life == lifeCommitted {
			_, err = s.jobs.UpdateMany(ctx, jobs, update(bson.D{{Key: "life", Value: lifeLive}}, []string{"batch"}))
		} else {
			err = s.release(ctx, jobs)
		}
		if err != nil {
			return false, err
		}
	}
	_, err = s.jobs.DeleteOne(ctx, byID(id))
	return true, err
}

// release makes pending jobs what is left of removed ones.
func (s *Store) release(ctx context.Context, pending bson.D) error {
	gone := bson.D{{Key: "life", Value: lifeRemoved}, {Key: "gone", Value: micros(time.Now())}}
	_, err := s.jobs.UpdateMany(ctx, pending, update(gone, []string{"batch"}))
	return err
}

// purge deletes what is left of jobs that were removed long ago, and of calls
// that died while they added jobs.
func (s *Store) purge(ctx context.Context) error {
	before := micros(time.Now().Add(-forgotten))
	stale, err := find[batchDoc](ctx, s.jobs, bson.D{
		{Key: "life", Value: bson.D{{Key: "$in", Value: []string{lifeOpen, lifeAborted}}}}, {Key: "since", Value: bson.D{{Key: "$lt", Value: before}}},
	}, options.Find().SetLimit(perQuery))
	if err != nil {
		return err
	}
	for _, batch := range stale {
		if _, err := s.settleBatch(ctx, batch.ID, true); err != nil {
			return err
		}
	}
	absent := bson.D{{Key: "$exists", Value: false}}
	_, err = s.jobs.DeleteMany(ctx, bson.D{
		{Key: "life", Value: lifeRemoved},
		{Key: "gone", Value: bson.D{{Key: "$lt", Value: before}}},
		{Key: "active", Value: absent},
		{Key: "dirty", Value: absent},
	})
	return err
}
