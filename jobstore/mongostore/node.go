package mongostore

import (
	"context"
	"fmt"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/jobcenter-go/jobcenter"
)

// nodeDoc is a node's lease.
type nodeDoc struct {
	ID    string `bson:"_id"`
	Until int64  `bson:"until"`
}

// Heartbeat implements jobcenter.JobStore.
func (s *Store) Heartbeat(ctx context.Context, node string, until time.Time) error {
	ctx, cancel, err := s.begin(ctx)
	defer cancel()
	lease := bson.D{{Key: "$set", Value: bson.D{{Key: "until", Value: micros(until)}}}}
	for n := 0; err == nil; n++ {
		_, err = s.nodes.UpdateOne(ctx, byID(text(node)), lease, options.UpdateOne().SetUpsert(true))
		if err == nil {
			return nil
		}
		if mongo.IsDuplicateKeyError(err) { // two first ones at the same time
			err = s.pause(ctx, n)
		}
	}
	return failed(ctx, fmt.Sprintf("heartbeat of node %q", node), err)
}

// Orphans implements jobcenter.JobStore. A job that was removed comes with its
// id alone.
func (s *Store) Orphans(ctx context.Context, node string, now time.Time, limit int) ([]jobcenter.Claimed, error) {
	ctx, cancel, err := s.begin(ctx)
	defer cancel()
	if err == nil {
		err = s.sweep(ctx)
	}
	var orphans []jobcenter.Claimed
	if err == nil {
		orphans, err = s.orphans(ctx, text(node), now, limit)
	}
	if err != nil {
		return nil, failed(ctx, "orphans", err)
	}
	return orphans, nil
}

func (s *Store) orphans(ctx context.Context, node string, now time.Time, limit int) ([]jobcenter.Claimed, error) {
	if limit <= 0 {
		return nil, nil
	}
	leases, err := find[nodeDoc](ctx, s.nodes, bson.D{{Key: "until", Value: bson.D{{Key: "$gt", Value: micros(now)}}}})
	if err != nil {
		return nil, err
	}
	alive := []string{}
	for _, lease := range leases {
		if node == "" || lease.ID != node {
			alive = append(alive, lease.ID)
		}
	}
	rows, err := find[runDoc](ctx, s.runs, bson.D{{Key: "held.node", Value: bson.D{{Key: "$gte", Value: ""}, {Key: "$nin", Value: alive}}}},
		options.Find().SetLimit(int64(limit)))
	if err != nil {
		return nil, err
	}
	var ids []string
	for _, row := range rows {
		ids = append(ids, row.JobID)
	}
	docs, err := s.loadAll(ctx, ids)
	if err != nil {
		return nil, err
	}
	var orphans []jobcenter.Claimed
	for _, row := range rows {
		job := jobcenter.Job{ID: row.JobID}
		if doc := docs[row.JobID]; doc != nil && doc.Life == lifeLive {
			job = doc.decode()
		}
		orphans = append(orphans, jobcenter.Claimed{Job: job, Runs: []jobcenter.Run{row.run()}})
	}
	return orphans, s.forgetNodes(ctx, now)
}

// forgetNodes deletes leases that ended long ago, by either clock.
func (s *Store) forgetNodes(ctx context.Context, now time.Time) error {
	before := now
	if clock := time.Now(); clock.Before(now) {
		before = clock
	}
	_, err := s.nodes.DeleteMany(ctx, bson.D{{Key: "until", Value: bson.D{{Key: "$lt", Value: micros(before.AddDate(0, 0, -1))}}}})
	return err
}
