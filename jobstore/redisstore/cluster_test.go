package redisstore_test

import (
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/jobcenter-go/jobcenter"
	"github.com/jobcenter-go/jobcenter/jobstore/redisstore"
)

// TestCluster calls every method with a client of a cluster, which refuses
// scripts whose keys are not all in one slot.
func TestCluster(t *testing.T) {
	t.Parallel()
	s := startServer(t, t.TempDir(), freePort(t), "--cluster-enabled", "yes")
	node := connect(t, s.url)
	if err := node.Do(t.Context(), "CLUSTER", "ADDSLOTSRANGE", 0, 16383).Err(); err != nil {
		t.Fatal(err)
	}
	awaitCluster(t, node)
	client := redis.NewClusterClient(&redis.ClusterOptions{Addrs: []string{node.Options().Addr}})
	defer func() { _ = client.Close() }()
	if _, err := redisstore.New(t.Context(), client, redisstore.Options{Prefix: "no tag:"}); err == nil {
		t.Error("a prefix without a hash tag was taken")
	}
	store, err := redisstore.New(t.Context(), client, redisstore.Options{})
	if err != nil {
		t.Fatal(err)
	}
	job := minutely(t, "a")
	job.Tags = []string{"x"}
	add(t, store, job)
	insert(t, store, "a", waiting(-60), waiting(-120))
	run := takeOne(t, store, jobcenter.DefaultExecutor)
	run.State = jobcenter.RunSucceeded
	record(t, store, jobcenter.Records{Output: []jobcenter.Chunk{{RunID: run.ID, Attempt: 1, Data: []byte("x")}}, Ends: []jobcenter.Run{run}})
	if claimed, err := store.Claim(t.Context(), can(), at(0), 10, advance); err != nil || len(claimed) != 1 {
		t.Errorf("claimed %v, %v", claimed, err)
	}
	for name, call := range map[string]func() (any, error){
		"Job":         func() (any, error) { return store.Job(t.Context(), "a") },
		"Jobs":        func() (any, error) { return store.Jobs(t.Context(), jobcenter.JobQuery{Tag: "x", Search: "a"}) },
		"NextDue":     func() (any, error) { _, _, err := store.NextDue(t.Context(), can()); return nil, err },
		"CountQueued": func() (any, error) { return store.CountQueued(t.Context(), jobcenter.DefaultExecutor, 10) },
		"RequestStop": func() (any, error) { return store.RequestStop(t.Context(), waiting(-60).ID, "me", at(1)) },
		"Held":        func() (any, error) { return store.Held(t.Context(), "node") },
		"Run":         func() (any, error) { return store.Run(t.Context(), run.ID) },
		"Runs":        func() (any, error) { return store.Runs(t.Context(), jobcenter.RunQuery{}) },
		"LastRuns":    func() (any, error) { return store.LastRuns(t.Context(), []string{"a"}) },
		"Output":      func() (any, error) { return store.Output(t.Context(), run.ID, 0, 10) },
		"Heartbeat":   func() (any, error) { return nil, store.Heartbeat(t.Context(), "node", at(1)) },
		"Orphans":     func() (any, error) { return store.Orphans(t.Context(), "node", at(0), 10) },
	} {
		if _, err := call(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	remove(t, store)
	checkIndexes(t.Context(), t, node, redisstore.DefaultPrefix)
}

// awaitCluster returns when a node has taken note of its slots.
func awaitCluster(t *testing.T, node *redis.Client) {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for range 1000 {
		info, err := node.ClusterInfo(t.Context()).Result()
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(info, "cluster_state:ok") {
			return
		}
		<-tick.C
	}
	t.Fatal("the cluster does not come up")
}
