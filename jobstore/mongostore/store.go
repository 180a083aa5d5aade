package mongostore

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"sync"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.mongodb.org/mongo-driver/v2/mongo/readconcern"
	"go.mongodb.org/mongo-driver/v2/mongo/readpref"
	"go.mongodb.org/mongo-driver/v2/mongo/writeconcern"

	"github.com/jobcenter-go/jobcenter"
)

// ErrNewerSchema says that a newer version of this package wrote the database.
var ErrNewerSchema = errors.New("the database was written by a newer version")

// Defaults of Options.
const (
	DefaultPrefix  = "jobcenter_"
	DefaultTimeout = 10 * time.Second
	// DefaultDatabase is what Open uses where the URL names no database.
	DefaultDatabase = "jobcenter"
)

// schemaVersion is raised with each change that older versions of this
// package would not understand.
const schemaVersion = 1

// Options are what a Store can be told. The zero value is good.
type Options struct {
	// Prefix begins the names of the collections, so that several stores can
	// share a database. Empty means DefaultPrefix.
	Prefix string
	// Timeout is how long one call of a method may take, however slow or dead
	// the server is: then it returns an error. A write that has been sent by
	// then is waited for as long again, and so is the word of what became of it.
	// Zero means DefaultTimeout.
	Timeout time.Duration
}

// Store is a jobcenter.JobStore in a MongoDB database. Its methods are safe
// for concurrent use, and any number of stores may share the database.
type Store struct {
	client  *mongo.Client // nil if it is the caller's
	timeout time.Duration

	jobs   *mongo.Collection
	runs   *mongo.Collection
	output *mongo.Collection
	limits *mongo.Collection
	nodes  *mongo.Collection
	meta   *mongo.Collection

	// turn is held to claim or to take: calls of one process that compete for
	// the same jobs would only be in each other's way.
	turn chan struct{}

	mu     sync.Mutex
	doubts []doubt
	purged time.Time // when what is left of removed jobs was last looked for
}

var _ jobcenter.JobStore = (*Store)(nil)

// Open connects to the server that a URL names ("mongodb://" or
// "mongodb+srv://"), makes the collections' indexes, and returns a store that
// owns the connection. ErrNewerSchema if a newer version of this package wrote
// the database. No error repeats the URL's password.
func Open(ctx context.Context, url string, opts Options) (*Store, error) {
	timeout := cmp.Or(opts.Timeout, DefaultTimeout)
	client, err := mongo.Connect(options.Client().
		SetAppName("jobcenter").SetConnectTimeout(timeout).SetServerSelectionTimeout(timeout).ApplyURI(url))
	if err != nil {
		return nil, fmt.Errorf("mongostore: connect: %w", withoutPassword(err, url))
	}
	store, err := New(ctx, client.Database(databaseOf(url)), opts)
	if err != nil {
		return nil, withoutPassword(errors.Join(err, client.Disconnect(context.WithoutCancel(ctx))), url)
	}
	store.client = client
	return store, nil
}

// New makes the collections' indexes in a database that is the caller's, and
// whose client the caller closes after the store. ErrNewerSchema if a newer
// version of this package wrote it. Reads go to the primary, and writes wait
// for the majority's journal, whatever the database says.
func New(ctx context.Context, db *mongo.Database, opts Options) (*Store, error) {
	prefix := cmp.Or(opts.Prefix, DefaultPrefix)
	journal := true
	durable := options.Collection().
		SetReadConcern(readconcern.Local()).SetReadPreference(readpref.Primary()).
		SetWriteConcern(&writeconcern.WriteConcern{W: writeconcern.WCMajority, Journal: &journal})
	collection := func(name string) *mongo.Collection { return db.Collection(prefix+name, durable) }
	s := &Store{
		timeout: cmp.Or(opts.Timeout, DefaultTimeout), turn: make(chan struct{}, 1),
		jobs: collection("jobs"), runs: collection("runs"), output: collection("output"),
		limits: collection("limits"), nodes: collection("nodes"), meta: collection("meta"),
	}
	if err := s.prepare(ctx); err != nil {
		return nil, fmt.Errorf("mongostore: open: %w", err)
	}
	return s, nil
}

// prepare checks who wrote the database and makes the indexes.
func (s *Store) prepare(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	version := bson.D{{Key: "version", Value: int32(schemaVersion)}}
	_, err := s.meta.UpdateOne(ctx, byID("schema"), bson.D{{Key: "$setOnInsert", Value: version}}, options.UpdateOne().SetUpsert(true))
	if err != nil && !mongo.IsDuplicateKeyError(err) { // another store was quicker
		return err
	}
	var schema struct {
		Version int32 `bson:"version"`
	}
	if err := s.meta.FindOne(ctx, byID("schema")).Decode(&schema); err != nil {
		return err
	}
	if schema.Version > schemaVersion {
		return fmt.Errorf("%w: its schema is %d, this one knows %d", ErrNewerSchema, schema.Version, schemaVersion)
	}
	return s.makeIndexes(ctx)
}

// makeIndexes makes what the queries need. A sparse index holds only the
// documents that have one of its fields: so those of runs that go on stay
// small in a long ledger.
func (s *Store) makeIndexes(ctx context.Context) error {
	index := func(keys ...string) mongo.IndexModel {
		var d bson.D
		for _, key := range keys {
			name, descending := strings.CutPrefix(key, "-")
			order := int32(1)
			if descending {
				order = -1
			}
			d = append(d, bson.E{Key: name, Value: order})
		}
		return mongo.IndexModel{Keys: d, Options: options.Index()}
	}
	sparse := func(keys ...string) mongo.IndexModel {
		model := index(keys...)
		model.Options.SetSparse(true)
		return model
	}
	unique := index("job_id", "fire", "series")
	unique.Options.SetUnique(true)
	for collection, models := range map[*mongo.Collection][]mongo.IndexModel{
		s.jobs: {
			index("life", "due", "rank", "_id"), index("life", "name", "_id"), index("life", "created", "_id"),
			index("life", "state", "_id"), index("life", "task", "_id"), index("life", "tags", "_id"), sparse("dirty"), sparse("batch"),
		},
		s.runs: {
			unique, index("-fire", "-_id"), index("job_id", "-fire", "-_id"), index("state", "-fire", "-_id"), index("job_id", "state", "-fire", "-_id"),
			sparse("queue.executor", "queue.rank", "queue.turn", "queue.fire", "queue.id"), sparse("queue.executor", "queue.not_before"),
			sparse("held.node"), sparse("held.key"), sparse("start.key", "start.at"),
		},
		s.output: {index("run", "end", "attempt")},
	} {
		if _, err := collection.Indexes().CreateMany(ctx, models); err != nil {
			return fmt.Errorf("indexes of %s: %w", collection.Name(), err)
		}
	}
	return nil
}

// Close frees what the store holds; the connection only if Open made it.
func (s *Store) Close() error {
	if s.client == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), s.timeout)
	defer cancel()
	if err := s.client.Disconnect(ctx); err != nil {
		return fmt.Errorf("mongostore: close: %w", err)
	}
	return nil
}

// begin bounds the time of a method. A context that has ended already is an
// error, so that nothing is sent for nothing.
func (s *Store) begin(ctx context.Context) (context.Context, context.CancelFunc, error) {
	if err := ctx.Err(); err != nil {
		return ctx, func() {}, err
	}
	bounded, cancel := context.WithTimeout(ctx, s.timeout)
	return bounded, cancel, nil
}

// beginInTurn is begin for what is done one at a time, its sweep included.
func (s *Store) beginInTurn(ctx context.Context) (context.Context, context.CancelFunc, error) {
	ctx, cancel, err := s.begin(ctx)
	if err != nil {
		return ctx, cancel, err
	}
	select {
	case s.turn <- struct{}{}:
	case <-ctx.Done():
		return ctx, cancel, ctx.Err()
	}
	return ctx, func() { <-s.turn; cancel() }, s.sweep(ctx)
}

// lasting is for what must be finished once it has begun, whatever becomes of
// the caller's context.
func (s *Store) lasting(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), s.timeout)
}

// failed wraps the error of a method. If its context has ended, that is why.
func failed(ctx context.Context, operation string, err error) error {
	if cause := ctx.Err(); cause != nil && !errors.Is(err, cause) {
		return fmt.Errorf("mongostore: %s: %w: %w", operation, cause, err)
	}
	return fmt.Errorf("mongostore: %s: %w", operation, err)
}

func byID(id any) bson.D { return bson.D{{Key: "_id", Value: id}} }

// databaseOf is the database that a URL names.
func databaseOf(url string) string {
	rest, _, _ := strings.Cut(url, "?")
	_, rest, _ = strings.Cut(rest, "://")
	rest = rest[strings.LastIndex(rest, "@")+1:]
	_, name, _ := strings.Cut(rest, "/")
	return cmp.Or(unescaped(name), DefaultDatabase)
}

func unescaped(text string) string {
	plain, err := url.PathUnescape(text)
	if err != nil {
		return text
	}
	return plain
}

// withoutPassword is an error that may be shown. One that would repeat the
// password of the URL loses what it wraps.
func withoutPassword(err error, url string) error {
	_, rest, _ := strings.Cut(url, "://")
	rest, _, _ = strings.Cut(rest, "?")
	end := strings.LastIndex(rest, "@")
	if end < 0 {
		return err
	}
	_, password, _ := strings.Cut(rest[:end], ":")
	if password == "" {
		return err
	}
	text := err.Error()
	for _, secret := range []string{rest[:end], password, unescaped(password)} {
		text = strings.ReplaceAll(text, secret, "xxxxx")
	}
	if text == err.Error() {
		return err
	}
	return errors.New(text)
}
