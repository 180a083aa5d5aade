package mongostore

import (
	"context"
	"errors"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"

	"github.com/jobcenter-go/jobcenter"
)

// limitDoc is where the schedulers that start runs of a limit's key agree
// whose turn it is. It counts nothing: the rows of the runs do, so that there
// is nothing in it that could be wrong.
//
// It holds the last intent to start a run: a job, and the one revision of it
// that the start will change. An intent is settled when its job has another
// revision: then the run was started, and its row is there once the job's
// outbox was carried out, or it never will be by this intent. So whoever
// finds the last one settled, counts, and then replaces it by its own without
// anybody having come in between, has counted right.
type limitDoc struct {
	Key  string        `bson:"_id"`
	Rev  bson.ObjectID `bson:"rev"`
	Job  string        `bson:"job"`
	Base bson.ObjectID `bson:"base"`
}

// takeLimited starts a run if its limit allows it.
func (t *taking) takeLimited(ctx context.Context, doc *jobDoc, row *runDoc) error {
	job := doc.decode()
	for n := 0; ; n++ {
		last, err := t.lastIntent(ctx, row.LimitKey)
		if err != nil {
			return err
		}
		free, err := t.within(ctx, row.LimitKey, job.Limit)
		if err != nil {
			return err
		}
		if !free {
			t.full[limited{row.LimitKey, job.Limit}] = true
			return nil
		}
		mine, err := t.intend(ctx, last, limitDoc{Key: row.LimitKey, Rev: bson.NewObjectID(), Job: doc.ID, Base: doc.Rev})
		if err != nil {
			return err
		}
		if mine {
			break
		}
		if err := t.pause(ctx, n); err != nil {
			return err
		}
	}
	if err := t.ask(t.begin(nil, doc), row); err != nil {
		return err
	}
	return t.flush(ctx)
}

// lastIntent returns the last intent of a key, settled; nil if there was none.
func (t *taking) lastIntent(ctx context.Context, key string) (*limitDoc, error) {
	for n := 0; ; n++ {
		var last limitDoc
		err := t.limits.FindOne(ctx, byID(key)).Decode(&last)
		if errors.Is(err, mongo.ErrNoDocuments) {
			return nil, nil //nolint:nilnil // there was none
		}
		if err != nil {
			return nil, err
		}
		doc, err := t.load(ctx, last.Job)
		if err != nil {
			return nil, err
		}
		if doc == nil || doc.Rev != last.Base {
			return &last, nil
		}
		if n < patience {
			if err := t.pause(ctx, n); err != nil {
				return nil, err
			}
			continue
		}
		// Whoever had it has died, or is too slow: now it cannot start.
		if err := t.commit(ctx, []*jobChange{changeOf(doc)}); err != nil {
			return nil, err
		}
	}
}

// intend replaces the last intent of a key, unless somebody else has done so.
func (t *taking) intend(ctx context.Context, last *limitDoc, intent limitDoc) (mine bool, err error) {
	if last == nil {
		_, err := t.limits.InsertOne(ctx, intent)
		if mongo.IsDuplicateKeyError(err) {
			return false, nil
		}
		return err == nil, err
	}
	result, err := t.limits.ReplaceOne(ctx, bson.D{{Key: "_id", Value: last.Key}, {Key: "rev", Value: last.Rev}}, intent)
	if err != nil {
		return false, err
	}
	return result.MatchedCount == 1, nil
}

// within reports whether another run of the key may start now.
func (t *taking) within(ctx context.Context, key string, limit jobcenter.Limit) (bool, error) {
	if limit.Running > 0 {
		n, err := t.count(ctx, bson.D{{Key: "held.key", Value: key}}, limit.Running)
		if err != nil || n >= limit.Running {
			return false, err
		}
	}
	if limit.Rate > 0 {
		after := micros(t.now.Add(-limit.Per))
		n, err := t.count(ctx, bson.D{{Key: "start.key", Value: key}, {Key: "start.at", Value: bson.D{{Key: "$gt", Value: after}}}}, limit.Rate)
		if err != nil || n >= limit.Rate {
			return false, err
		}
	}
	return true, nil
}
