// Package redisstore keeps jobs, runs and output in Redis 6.2 or later, or
// Valkey.
//
// # What the server must be told
//
// A Redis server keeps its data in memory and, as it comes, forgets the last
// minutes of it when it dies. It is as durable as the other stores only with
//
//	appendonly yes
//	appendfsync always
//	maxmemory-policy noeviction
//
// and without a failover to a replica that has not yet got the last changes:
// replication does not wait. With appendfsync everysec, which is the default
// of servers that append at all, the last second can be lost: fires of it are
// then fired again. Any other eviction policy throws jobs away when memory is
// short. Open and New look at these settings; [Store.Warnings] tells what is
// wrong with them.
//
// All of the ledger is kept, in memory, about 1 KB a run with its indexes.
//
// # How it works
//
// What must be one transaction is one script, which Redis runs alone. Where a
// decision is made in between, in Go, what it was based on is read first, with
// a revision of the job and the number of its runs that go on; the script that
// writes the decision leaves out what has changed meanwhile, and that is read
// and decided again. So any number of schedulers may share a store.
//
// A reply that is lost on the way, because a connection breaks or the server is
// killed, does no harm: the call is made again and finds what it did the first
// time. A call that fails for good, because the server does not come back
// within the time that Options.Timeout gives it, may still have been carried out.
package redisstore

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"

	"github.com/jobcenter-go/jobcenter"
)

// DefaultPrefix is what the keys of a store begin with unless Options say
// otherwise. The braces keep them all in one slot of a cluster.
const DefaultPrefix = "{jobcenter}:"

// DefaultTimeout is how long a call waits for the server unless Options say
// otherwise.
const DefaultTimeout = 10 * time.Second

// schema is the version of what is written. It changes when an older version
// of this package could no longer work with it.
const schema = 1

// ErrNewerSchema says that a newer version of this package wrote what is
// stored, in a way that this one does not know.
var ErrNewerSchema = errors.New("written by a newer version")

// Options are what a Store can be told. The zero value is good.
type Options struct {
	// Prefix is what all keys of the store begin with, so that several stores
	// can be in one database. Empty means DefaultPrefix. For a cluster, it must
	// hold a hash tag: a part in braces.
	Prefix string
	// Timeout is how long a call waits for the server's answer. A call that
	// changes something is made again until then when the connection broke; a
	// method may make several calls. Zero means DefaultTimeout. With a client
	// that is given to New and has no ContextTimeoutEnabled, the client's own
	// timeouts may make it longer.
	Timeout time.Duration
}

// Store is a jobcenter.JobStore in a Redis database.
type Store struct {
	client   redis.UniversalClient
	owned    bool // Close closes client
	prefix   string
	timeout  time.Duration
	warnings []string
	scripts
}

var _ jobcenter.JobStore = (*Store)(nil)

// Open connects to the server that a URL names and returns a store that owns
// the connections. The form is "redis://[user:password@]host:port/db", or
// rediss:// for TLS. Data that a newer version of this package wrote is refused
// with ErrNewerSchema. No error repeats the URL.
func Open(ctx context.Context, url string, opts Options) (*Store, error) {
	// What the parser says about a bad URL may hold a part of the password.
	options, err := redis.ParseURL(url)
	if err != nil || options.Network != "tcp" {
		return nil, errors.New("redisstore: the URL is not of the form redis://[user:password@]host:port/db")
	}
	timeout := opts.timeout()
	for _, t := range []*time.Duration{&options.DialTimeout, &options.ReadTimeout, &options.WriteTimeout, &options.PoolTimeout} {
		if *t == 0 {
			*t = timeout
		}
	}
	options.ContextTimeoutEnabled = true
	options.DialerRetries = 1 // a call is tried again as a whole
	options.MaintNotificationsConfig = &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
	options.DisableIdentity = true
	store, err := New(ctx, redis.NewClient(options), opts)
	if err != nil {
		return nil, err
	}
	store.owned = true
	return store, nil
}

// New returns a store that works through a client, which is the caller's to
// close, after the store. See Open for the rest.
func New(ctx context.Context, client redis.UniversalClient, opts Options) (*Store, error) {
	if opts.Timeout < 0 {
		return nil, fmt.Errorf("redisstore: Timeout %s: must not be negative", opts.Timeout)
	}
	store := &Store{client: client, prefix: opts.Prefix, timeout: opts.timeout(), scripts: newScripts()}
	if store.prefix == "" {
		store.prefix = DefaultPrefix
	}
	if err := store.prepare(ctx); err != nil {
		return nil, fmt.Errorf("redisstore: open: %w", err)
	}
	return store, nil
}

func (o *Options) timeout() time.Duration {
	if o.Timeout == 0 {
		return DefaultTimeout
	}
	return o.Timeout
}

// prepare checks the version of what is stored, that the user of the
// connection may do what the store does, and what the server was told.
func (s *Store) prepare(ctx context.Context) error {
	reply, err := s.read(ctx, s.open, arguments{schema})
	if err != nil {
		return err
	}
	found := text(reply)
	if version, err := strconv.Atoi(found); err != nil || version < 1 {
		return fmt.Errorf("the key %sschema holds %q, which no version of this package wrote", s.prefix, found)
	} else if version > schema {
		return fmt.Errorf("%w: schema %d, this one knows %d", ErrNewerSchema, version, schema)
	}
	return s.look(ctx)
}

// look checks the settings on which durability depends.
func (s *Store) look(ctx context.Context) error {
	for _, setting := range []struct{ name, good, otherwise string }{
		{"appendonly", "yes", "what was written since the last snapshot is lost when the server dies"},
		{"appendfsync", "always", "what was written last is lost when the server's machine dies"},
		{"maxmemory-policy", "noeviction", "jobs and runs are thrown away when memory is short"},
	} {
		var values map[string]string
		err := s.do(ctx, func(ctx context.Context) (err error) {
			values, err = s.client.ConfigGet(ctx, setting.name).Result()
			return err
		})
		var refused redis.Error
		switch value, known := values[setting.name]; {
		case errors.As(err, &refused) || err == nil && !known:
			s.warnings = append(s.warnings, fmt.Sprintf("%s cannot be read; unless it is %s, %s", setting.name, setting.good, setting.otherwise))
		case err != nil:
			return err
		case value != setting.good:
			s.warnings = append(s.warnings, fmt.Sprintf("%s is %s, not %s: %s", setting.name, value, setting.good, setting.otherwise))
		}
	}
	return nil
}

// Warnings are what is wrong with the server's settings, for people: a
// sentence for each that may lose data, or that could not be read. They are
// those that the store found when it was opened.
func (s *Store) Warnings() []string { return append([]string(nil), s.warnings...) }

// Close frees what the store holds; the client only if Open made it.
func (s *Store) Close() error {
	if !s.owned {
		return nil
	}
	if err := s.client.Close(); err != nil {
		return fmt.Errorf("redisstore: close: %w", err)
	}
	return nil
}
