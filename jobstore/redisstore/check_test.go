package redisstore_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/redis/go-redis/v9"

	"github.com/jobcenter-go/jobcenter"
)

// members are those of sets, by key.
type members map[string]map[string]bool

func (m members) add(key, member string) {
	if m[key] == nil {
		m[key] = map[string]bool{}
	}
	m[key][member] = true
}

// checkIndexes reads everything under a prefix: the indexes must hold what the
// jobs and runs say, no more and no less.
func checkIndexes(ctx context.Context, t *testing.T, client *redis.Client, prefix string) {
	t.Helper()
	want, got := members{}, members{}
	runs := map[string]bool{}
	var outputs []string
	for _, key := range allKeys(ctx, t, client, prefix) {
		name := strings.TrimPrefix(key, prefix)
		kind, rest, _ := strings.Cut(name, ":")
		var err error
		switch kind {
		case "job":
			wantOfJob(ctx, t, client, key, rest, want)
		case "run":
			runs[rest] = true
			wantOfRun(ctx, t, client, key, rest, want)
		case "nodes", "node":
			err = readSet(client.SMembers(ctx, key), name, got)
		case "jobs", "ledger", "queue", "delayed", "later":
			err = readSet(client.ZRange(ctx, key, 0, -1), name, got)
		case "due":
			if name == "due" {
				err = readSet(client.SMembers(ctx, key), name, got)
			} else {
				err = readSet(client.ZRange(ctx, key, 0, -1), name, got)
			}
		case "limit":
			if rest == "rates" {
				break
			}
			if strings.HasPrefix(rest, "running:") {
				err = readSet(client.SMembers(ctx, key), name, got)
			} else {
				err = readSet(client.ZRange(ctx, key, 0, -1), name, got)
			}
		case "output":
			outputs = append(outputs, rest)
		case "call", "removed", "lease", "rev", "schema":
		default:
			t.Errorf("key %q is of no known kind", name)
		}
		if err != nil {
			t.Errorf("key %q: %v", name, err)
		}
	}
	for _, run := range outputs {
		if !runs[run] {
			t.Errorf("there is output of run %q, which does not exist", run)
		}
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("indexes (-what jobs and runs say +what is there):\n%s", d)
	}
}

func readSet(cmd *redis.StringSliceCmd, name string, got members) error {
	all, err := cmd.Result()
	for _, member := range all {
		got.add(name, member)
	}
	return err
}

func wantOfJob(ctx context.Context, t *testing.T, client *redis.Client, key, id string, want members) {
	t.Helper()
	hash, err := client.HGetAll(ctx, key).Result()
	if err != nil {
		t.Fatal(err)
	}
	var job jobcenter.Job
	if err := json.Unmarshal([]byte(hash["job"]), &job); err != nil {
		t.Logf("job %q: %v", id, err) // a test made it so
		return
	}
	job.ID, job.NextFireTime = id, instant(t, hash["next"])
	job.Quarantine = hash["quarantine"]
	want.add("jobs", id)
	name := job.Name
	if name == "" {
		name = id
	}
	name = strings.NewReplacer("\x00", "\x01\x01", "\x01", "\x01\x02").Replace(name)
	want.add("jobs:name", name+"\x00"+id)
	want.add("jobs:created", text(job.CreatedAt)+id)
	want.add("jobs:task:"+job.Task, id)
	want.add("jobs:state:"+string(job.State()), id)
	for _, tag := range job.Tags {
		want.add("jobs:tag:"+tag, id)
	}
	due := job.DueAt()
	if due.IsZero() {
		want.add("jobs:idle", id)
		return
	}
	kind := job.Task + "/" + job.Executor
	want.add("jobs:due", text(due)+id)
	want.add("due", kind)
	want.add("due:"+kind, text(due)+fmt.Sprintf("%07d", 1_000_000-job.Priority)+id)
}

func wantOfRun(ctx context.Context, t *testing.T, client *redis.Client, key, id string, want members) {
	t.Helper()
	hash, err := client.HGetAll(ctx, key).Result()
	if err != nil {
		t.Fatal(err)
	}
	member := hash["fire"] + hash["series"] + "/" + id
	want.add("ledger:all/"+hash["job"], member)
	want.add("ledger:"+hash["state"], member)
	want.add("ledger:"+hash["state"]+"/"+hash["job"], member)
	switch jobcenter.RunState(hash["state"]) {
	case jobcenter.RunQueued:
		turn := hash["turn"]
		if turn == "" {
			turn = strings.Repeat("0", 18)
		}
		priority, _ := strconv.Atoi(hash["prio"])
		place := fmt.Sprintf("%07d", 1_000_000-priority) + turn + hash["fire"] + id + "\x00" + hash["job"]
		if hash["nb"] == "" {
			want.add("queue:"+hash["exec"], place)
			break
		}
		want.add("later:"+hash["exec"], hash["nb"]+"/"+id)
		// It is in one of two queues, which depends on what the clock has been.
		if score := client.ZScore(ctx, strings.TrimSuffix(key, "run:"+id)+"queue:"+hash["exec"], place); score.Err() == nil {
			want.add("queue:"+hash["exec"], place)
		} else {
			want.add("delayed:"+hash["exec"], hash["nb"]+"/"+id)
		}
	case jobcenter.RunRunning:
		want.add("nodes", hash["node"])
		want.add("node:"+hash["node"], id)
		if hash["limit"] != "" {
			want.add("limit:running:"+hash["limit"], id)
		}
	default:
	}
	if hash["limit"] != "" && hash["start"] != "" {
		want.add("limit:starts:"+hash["limit"], hash["start"]+"/"+id)
	}
}

// text is an instant as it is stored, instant the way back.
func text(at time.Time) string {
	if at.IsZero() {
		return strings.Repeat("0", 18)
	}
	return fmt.Sprintf("%018d", at.UnixMicro()+100_000_000_000_000_000)
}

func instant(t *testing.T, text string) time.Time {
	t.Helper()
	if text == "" {
		return time.Time{}
	}
	us, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return time.UnixMicro(us - 100_000_000_000_000_000).UTC()
}
