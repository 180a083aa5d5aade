package redisstore_test

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/jobcenter-go/jobcenter"
	"github.com/jobcenter-go/jobcenter/jobstore/redisstore"
	"github.com/jobcenter-go/jobcenter/jobstore/storetest"
	"github.com/jobcenter-go/jobcenter/trigger"
)

// serverURL is that of the server to test with.
func serverURL(t *testing.T) string {
	t.Helper()
	url := os.Getenv("JOBCENTER_TEST_REDIS")
	if url == "" {
		t.Skip("JOBCENTER_TEST_REDIS is not set")
	}
	return url
}

// connect returns a client to look at what a store wrote.
func connect(t *testing.T, url string) *redis.Client {
	t.Helper()
	options, err := redis.ParseURL(url)
	if err != nil {
		t.Fatal(err)
	}
	client := redis.NewClient(options)
	t.Cleanup(func() { _ = client.Close() })
	return client
}

// newPrefix returns one that nobody else has. When the test ends, what is
// stored under it is checked, and deleted.
func newPrefix(t *testing.T) string {
	t.Helper()
	prefix := "{test " + rand.Text() + "}:"
	client := connect(t, serverURL(t))
	t.Cleanup(func() {
		ctx := context.WithoutCancel(t.Context())
		checkIndexes(ctx, t, client, prefix)
		keys := allKeys(ctx, t, client, prefix)
		if len(keys) > 0 {
			if err := client.Del(ctx, keys...).Err(); err != nil {
				t.Error(err)
			}
		}
	})
	return prefix
}

func allKeys(ctx context.Context, t *testing.T, client *redis.Client, prefix string) (keys []string) {
	t.Helper()
	all := client.Scan(ctx, 0, prefix+"*", 1000).Iterator()
	for all.Next(ctx) {
		keys = append(keys, all.Val())
	}
	if err := all.Err(); err != nil {
		t.Fatal(err)
	}
	return keys
}

func open(t *testing.T, url string, opts redisstore.Options) *redisstore.Store {
	t.Helper()
	store, err := redisstore.Open(t.Context(), url, opts)
	if err != nil {
		t.Fatal(err)
	}
	return store
}

// openNew returns an empty store.
func openNew(t *testing.T) *redisstore.Store {
	t.Helper()
	store := open(t, serverURL(t), redisstore.Options{Prefix: newPrefix(t)})
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	return store
}

func TestStore(t *testing.T) {
	t.Parallel()
	url := serverURL(t)
	var prefixes sync.Map // by folder, or by store
	storetest.Run(t, func(t *testing.T) jobcenter.JobStore {
		t.Helper()
		return open(t, url, redisstore.Options{Prefix: newPrefix(t)})
	})
	storetest.RunDurable(t, func(t *testing.T, dir string) jobcenter.JobStore {
		t.Helper()
		prefix, ok := prefixes.Load(dir)
		if !ok {
			prefix = newPrefix(t)
			prefixes.Store(dir, prefix)
		}
		return open(t, url, redisstore.Options{Prefix: prefix.(string)})
	})
	storetest.RunDamaged(t, func(t *testing.T) jobcenter.JobStore {
		t.Helper()
		prefix := newPrefix(t)
		store := open(t, url, redisstore.Options{Prefix: prefix})
		prefixes.Store(store, prefix)
		return store
	}, func(t *testing.T, store jobcenter.JobStore, jobID string) {
		t.Helper()
		prefix, _ := prefixes.Load(store)
		key, client := prefix.(string)+"job:"+jobID, connect(t, url)
		text, err := client.HGet(t.Context(), key, "job").Result()
		if err != nil {
			t.Fatal(err)
		}
		var definition map[string]json.RawMessage
		if err := json.Unmarshal([]byte(text), &definition); err != nil {
			t.Fatal(err)
		}
		definition["trigger"] = json.RawMessage(storetest.DamagedTrigger)
		damaged, err := json.Marshal(definition)
		if err != nil {
			t.Fatal(err)
		}
		if err := client.HSet(t.Context(), key, "job", damaged).Err(); err != nil {
			t.Fatal(err)
		}
	})
}

func base() time.Time { return time.Date(2026, 11, 6, 8, 30, 0, 0, time.UTC) }

func at(seconds int) time.Time { return base().Add(time.Duration(seconds) * time.Second) }

// can is what the tests can take.
func can() jobcenter.Can {
	return jobcenter.Can{Tasks: []string{"task"}, Executors: []string{jobcenter.DefaultExecutor}}
}

// minutely is a job that is due at base.
func minutely(t *testing.T, id string) jobcenter.Job {
	t.Helper()
	every, err := trigger.NewInterval(time.Minute, trigger.Options{Start: base()})
	if err != nil {
		t.Fatal(err)
	}
	return jobcenter.Job{
		ID: id, Name: id, Task: "task", Trigger: every, Executor: jobcenter.DefaultExecutor, MaxInstances: 1, Version: 1,
		NextFireTime: base(), CreatedAt: base(), UpdatedAt: base(),
	}
}

func add(t *testing.T, store *redisstore.Store, jobs ...jobcenter.Job) {
	t.Helper()
	if err := store.AddJobs(t.Context(), func() ([]jobcenter.Job, error) { return jobs, nil }); err != nil {
		t.Fatal(err)
	}
}

// newRun is a run of one fire time.
func newRun(jobID string, fire time.Time, state jobcenter.RunState) jobcenter.Run {
	return jobcenter.Run{
		ID: jobID + "@" + fire.Format(time.RFC3339), JobID: jobID, FireTime: fire, LastFireTime: fire, FireCount: 1,
		Origin: jobcenter.OriginSchedule, Executor: jobcenter.DefaultExecutor, State: state, Attempt: 1, Node: "node", StartedAt: fire,
	}
}

// advance gives each job the next minute and a running run.
func advance(job jobcenter.Job, _ jobcenter.Active) jobcenter.Decision {
	fire := job.NextFireTime
	return jobcenter.Decision{Next: fire.Add(time.Minute), Previous: fire, Runs: []jobcenter.Run{newRun(job.ID, fire, jobcenter.RunRunning)}}
}
