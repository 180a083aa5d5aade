package mongostore

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/jobcenter-go/jobcenter"
)

// cursor says where a page ended. It names the list, so that it is of no use
// in another one.
type cursor struct {
	List   string `json:"l"`
	Last   bool   `json:"e,omitempty"` // it ended among those that come last, having no key
	Text   string `json:"t,omitempty"` // the key, if it is a text,
	Number int64  `json:"n,omitempty"` // or else a number
	ID     string `json:"i"`
}

func (c cursor) encode() string {
	data, _ := json.Marshal(c) // texts and numbers cannot fail
	return base64.RawURLEncoding.EncodeToString(data)
}

// decodeCursor returns nil for no cursor.
func decodeCursor(text, list string) (*cursor, error) {
	if text == "" {
		return nil, nil
	}
	data, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil {
		return nil, jobcenter.ErrBadCursor
	}
	var c cursor
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.DisallowUnknownFields()
	if decoder.Decode(&c) != nil || c.List != list || c.encode() != text {
		return nil, jobcenter.ErrBadCursor
	}
	return &c, nil
}

func pageSize(limit int) int {
	if limit <= 0 {
		return 50
	}
	return min(limit, 500)
}

// ordered orders by a key and then the id, both the same way.
func ordered(key string, desc bool) bson.D {
	way := int32(1)
	if desc {
		way = -1
	}
	order := bson.D{{Key: key, Value: way}}
	if key != "_id" {
		order = append(order, bson.E{Key: "_id", Value: way})
	}
	return order
}

// after keeps what comes behind a place in such an order.
func after(key string, value any, id string, desc bool) bson.D {
	beyond, from := "$gt", "$gte"
	if desc {
		beyond, from = "$lt", "$lte"
	}
	next := bson.D{{Key: "_id", Value: bson.D{{Key: beyond, Value: id}}}}
	if key == "_id" {
		return next
	}
	return bson.D{
		{Key: key, Value: bson.D{{Key: from, Value: value}}},
		{Key: "$or", Value: bson.A{bson.D{{Key: key, Value: bson.D{{Key: beyond, Value: value}}}}, append(bson.D{{Key: key, Value: value}}, next...)}},
	}
}

// Jobs implements jobcenter.JobStore.
func (s *Store) Jobs(ctx context.Context, q jobcenter.JobQuery) (jobcenter.JobPage, error) {
	ctx, cancel, err := s.begin(ctx)
	defer cancel()
	var page jobcenter.JobPage
	if err == nil {
		page, err = s.jobPage(ctx, q)
	}
	if err != nil {
		return jobcenter.JobPage{}, failed(ctx, "list jobs", err)
	}
	return page, nil
}

// jobKey is the field that an order goes by.
func jobKey(sort jobcenter.JobSort) (string, error) {
	switch sort {
	case "", jobcenter.SortByID:
		return "_id", nil
	case jobcenter.SortByName:
		return "name", nil
	case jobcenter.SortByNextFireTime:
		return "due", nil
	case jobcenter.SortByCreatedAt:
		return "created", nil
	default:
		return "", fmt.Errorf("sort: %q is unknown", sort)
	}
}

func (s *Store) jobPage(ctx context.Context, q jobcenter.JobQuery) (page jobcenter.JobPage, err error) {
	key, err := jobKey(q.Sort)
	if err != nil {
		return page, err
	}
	list := fmt.Sprintf("jobs by %s %v", key, q.Desc)
	from, err := decodeCursor(q.Cursor, list)
	if err != nil {
		return page, err
	}
	if err := s.sweep(ctx); err != nil { // for jobs that were added together
		return page, err
	}
	limit := pageSize(q.Limit)
	var docs []*jobDoc
	// Jobs that are not due come last, by their ids, whichever way it runs.
	for _, last := range []bool{false, true} {
		if last && key != "due" || from != nil && from.Last && !last || len(docs) > limit {
			continue
		}
		filter, order := jobFilter(q), ordered(key, q.Desc)
		if key == "due" {
			filter = append(filter, bson.E{Key: "due", Value: bson.D{{Key: "$exists", Value: !last}}})
		}
		if last {
			order = ordered("_id", q.Desc)
		}
		if from != nil && from.Last == last {
			filter = bson.D{{Key: "$and", Value: bson.A{filter, from.after(key, q.Desc)}}}
		}
		part, err := find[jobDoc](ctx, s.jobs, filter, options.Find().SetSort(order).SetLimit(int64(limit-len(docs)+1)))
		if err != nil {
			return page, err
		}
		docs = append(docs, part...)
	}
	for i, doc := range docs {
		if i == limit {
			page.NextCursor = docs[i-1].place(list, key).encode()
			break
		}
		page.Jobs = append(page.Jobs, doc.decode())
	}
	return page, nil
}

// after keeps the jobs behind the cursor.
func (c *cursor) after(key string, desc bool) bson.D {
	switch {
	case c.Last || key == "_id":
		return after("_id", nil, c.ID, desc)
	case key == "name":
		return after(key, c.Text, c.ID, desc)
	default:
		return after(key, c.Number, c.ID, desc)
	}
}

// place is where a job stands in a list.
func (d *jobDoc) place(list, key string) cursor {
	c := cursor{List: list, ID: d.ID}
	switch key {
	case "name":
		c.Text = d.Name
	case "created":
		c.Number = d.Created
	case "due":
		if c.Last = d.Due == nil; !c.Last {
			c.Number = *d.Due
		}
	}
	return c
}

func jobFilter(q jobcenter.JobQuery) bson.D {
	filter := bson.D{{Key: "life", Value: lifeLive}}
	var words bson.A
	for word := range strings.FieldsSeq(strings.ToLower(q.Search)) {
		words = append(words, bson.D{{Key: "search", Value: bson.D{{Key: "$regex", Value: literal(word)}}}})
	}
	if words != nil {
		filter = append(filter, bson.E{Key: "$and", Value: words})
	}
	if q.Tag != "" {
		filter = append(filter, bson.E{Key: "tags", Value: text(q.Tag)})
	}
	if q.State != "" {
		filter = append(filter, bson.E{Key: "state", Value: text(string(q.State))})
	}
	if q.Task != "" {
		filter = append(filter, bson.E{Key: "task", Value: text(q.Task)})
	}
	return filter
}

// literal is a pattern that finds a word as it is.
func literal(word string) string {
	return strings.ReplaceAll(regexp.QuoteMeta(text(word)), "\x00", `\x00`)
}

// Run implements jobcenter.JobStore.
func (s *Store) Run(ctx context.Context, id string) (jobcenter.Run, error) {
	ctx, cancel, err := s.begin(ctx)
	defer cancel()
	var row *runDoc
	if err == nil {
		row, err = s.known(ctx, id)
	}
	if err != nil {
		return jobcenter.Run{}, failed(ctx, fmt.Sprintf("get run %q", id), err)
	}
	return row.run(), nil
}

// Runs implements jobcenter.JobStore.
func (s *Store) Runs(ctx context.Context, q jobcenter.RunQuery) (jobcenter.RunPage, error) {
	ctx, cancel, err := s.begin(ctx)
	defer cancel()
	var page jobcenter.RunPage
	if err == nil {
		page, err = s.runPage(ctx, q)
	}
	if err != nil {
		return jobcenter.RunPage{}, failed(ctx, "list runs", err)
	}
	return page, nil
}

func (s *Store) runPage(ctx context.Context, q jobcenter.RunQuery) (page jobcenter.RunPage, err error) {
	const list = "runs"
	from, err := decodeCursor(q.Cursor, list)
	if err != nil {
		return page, err
	}
	if err := s.sweep(ctx); err != nil {
		return page, err
	}
	filter := bson.D{}
	if q.JobID != "" {
		filter = append(filter, bson.E{Key: "job_id", Value: text(q.JobID)})
	}
	if len(q.States) > 0 {
		filter = append(filter, bson.E{Key: "state", Value: bson.D{{Key: "$in", Value: q.States}}})
	}
	var span bson.D
	if !q.From.IsZero() {
		span = append(span, bson.E{Key: "$gte", Value: microsUp(q.From)})
	}
	if !q.To.IsZero() {
		span = append(span, bson.E{Key: "$lt", Value: microsUp(q.To)})
	}
	if span != nil {
		filter = append(filter, bson.E{Key: "fire", Value: span})
	}
	if from != nil {
		filter = bson.D{{Key: "$and", Value: bson.A{filter, after("fire", from.Number, from.ID, true)}}}
	}
	limit := pageSize(q.Limit)
	rows, err := find[runDoc](ctx, s.runs, filter, options.Find().SetSort(ordered("fire", true)).SetLimit(int64(limit+1)))
	if err != nil {
		return page, err
	}
	for i, row := range rows {
		if i == limit {
			page.NextCursor = cursor{List: list, Number: rows[i-1].Fire, ID: rows[i-1].ID}.encode()
			break
		}
		page.Runs = append(page.Runs, row.run())
	}
	return page, nil
}

// startedStates are those of runs that were started, but for the ones that
// wait for a further attempt.
func startedStates() []string {
	return []string{
		string(jobcenter.RunRunning), string(jobcenter.RunSucceeded), string(jobcenter.RunFailed), string(jobcenter.RunTimedOut),
		string(jobcenter.RunStopped), string(jobcenter.RunLost),
	}
}

// LastRuns implements jobcenter.JobStore.
func (s *Store) LastRuns(ctx context.Context, jobIDs []string) (map[string]jobcenter.Run, error) {
	ctx, cancel, err := s.begin(ctx)
	defer cancel()
	if err == nil {
		err = s.sweep(ctx)
	}
	if err != nil {
		return nil, failed(ctx, "last runs", err)
	}
	last := make(map[string]jobcenter.Run, len(jobIDs))
	for _, id := range jobIDs {
		var row runDoc
		err := s.runs.FindOne(ctx, bson.D{
			{Key: "job_id", Value: text(id)},
			{Key: "state", Value: bson.D{{Key: "$in", Value: startedStates()}}},
			{Key: "started", Value: bson.D{{Key: "$exists", Value: true}}}, // one may have been stopped in the queue
		}, options.FindOne().SetSort(ordered("fire", true))).Decode(&row)
		switch {
		case errors.Is(err, mongo.ErrNoDocuments):
		case err != nil:
			return nil, failed(ctx, fmt.Sprintf("last run of job %q", id), err)
		default:
			last[id] = row.run()
		}
	}
	return last, nil
}
