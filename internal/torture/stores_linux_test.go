package torture

import (
	"context"
	"fmt"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/logging"

	"github.com/jobcenter-go/jobcenter"
	"github.com/jobcenter-go/jobcenter/jobstore/mongostore"
	"github.com/jobcenter-go/jobcenter/jobstore/redisstore"
	"github.com/jobcenter-go/jobcenter/jobstore/sqlstore"
)

// storeKind is a store that is tortured.
type storeKind struct {
	name string
	// open opens the store that a URL names.
	open func(ctx context.Context, url string) (jobcenter.JobStore, error)
	// newServer prepares a server whose data are in a folder. Nil for a store
	// that is a file.
	newServer func(t *testing.T, folder string) *server
	// slow is for one that can do little: two jobs of each kind, which fire so
	// many times less often. 0: as much as the others.
	slow int
	long time.Duration // for how long it is tortured
}

// often is how often most jobs fire; the others half as often.
func (k *storeKind) often() time.Duration { return time.Duration(max(1, k.slow)) * time.Second }

// parts are the times for which a store is tortured, each with new data: a slow
// one would be ever slower with all rows of an hour.
func (k *storeKind) parts(whole time.Duration) []time.Duration {
	const part = time.Minute
	if k.slow == 0 || whole <= part {
		return []time.Duration{whole}
	}
	return slices.Repeat([]time.Duration{part}, int(whole/part))
}

// kindsOfStores are all of them.
func kindsOfStores() []storeKind {
	return []storeKind{
		{name: "sqlite", open: openSQL},
		{name: "postgresql", open: openSQL, newServer: newPostgres},
		{name: "mariadb", open: openSQL, newServer: newMariaDB},
		{name: "redis", open: openRedis, newServer: newRedis},
		// The stand-in looks at every document whatever it is asked for.
		{name: "mongodb", open: openMongo, newServer: newFerret, slow: 5},
	}
}

func kindOfStore(name string) (storeKind, error) {
	var names []string
	for _, k := range kindsOfStores() {
		if k.name == name {
			return k, nil
		}
		names = append(names, k.name)
	}
	return storeKind{}, fmt.Errorf("store %q, allowed: %s", name, strings.Join(names, ", "))
}

func openSQL(ctx context.Context, url string) (jobcenter.JobStore, error) {
	return sqlstore.Open(ctx, url, sqlstore.Options{})
}

func openRedis(ctx context.Context, url string) (jobcenter.JobStore, error) {
	redis.SetLogger(&logging.VoidLogger{}) // what it says of each connection is no news here
	return redisstore.Open(ctx, url, redisstore.Options{})
}

func openMongo(ctx context.Context, url string) (jobcenter.JobStore, error) {
	return mongostore.Open(ctx, url, mongostore.Options{})
}

func sqliteURL(folder string) string {
	return "sqlite:" + filepath.Join(folder, "jobs.db")
}

// throughProxy is a server's URL by another address.
func throughProxy(server, address string) string {
	u, err := url.Parse(server)
	if err != nil {
		panic(err)
	}
	u.Host = address
	return u.String()
}
