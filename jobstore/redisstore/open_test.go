package redisstore_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/logging"

	"github.com/jobcenter-go/jobcenter"
	"github.com/jobcenter-go/jobcenter/jobstore/redisstore"
)

// TestMain keeps the client quiet about the servers that tests kill.
func TestMain(m *testing.M) {
	logging.Disable()
	os.Exit(m.Run())
}

func TestBadURLs(t *testing.T) {
	t.Parallel()
	for _, url := range []string{
		"", "127.0.0.1:6379", "http://user:s3cret@127.0.0.1", "redis://user:s3cr/s3cret@127.0.0.1/0", "redis://user:s3cret@127.0.0.1:port/0",
		"redis://user:s3cret@127.0.0.1/x", "redis://user:s3cret@127.0.0.1/0/1", "redis://user:%zzs3cret@127.0.0.1", "redis://user:s3cret@127.0.0.1:1/0",
		"redis://:s3cret@127.0.0.1/0?no_such_option=s3cret", "unix://user:s3cret@/no/such/socket",
	} {
		_, err := redisstore.Open(t.Context(), url, redisstore.Options{Timeout: time.Second})
		if err == nil || strings.Contains(err.Error(), "s3cr") {
			t.Errorf("%q: error %v, want one without the password", url, err)
		}
	}
	if _, err := redisstore.Open(t.Context(), "redis://127.0.0.1:1", redisstore.Options{Timeout: -1}); err == nil || !strings.Contains(err.Error(), "Timeout") {
		t.Errorf("a negative timeout: error %v", err)
	}
}

func TestSchema(t *testing.T) {
	t.Parallel()
	url, prefix := serverURL(t), newPrefix(t)
	client := connect(t, url)
	store := open(t, url, redisstore.Options{Prefix: prefix})
	add(t, store, minutely(t, "a"))
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
	for stored, newer := range map[string]bool{"2": true, "999": true, "x": false, "0": false, "": false} {
		if err := client.Set(t.Context(), prefix+"schema", stored, 0).Err(); err != nil {
			t.Fatal(err)
		}
		_, err := redisstore.Open(t.Context(), url, redisstore.Options{Prefix: prefix})
		if err == nil || errors.Is(err, redisstore.ErrNewerSchema) != newer {
			t.Errorf("schema %q: error %v, ErrNewerSchema wanted: %v", stored, err, newer)
		}
	}
	if err := client.Set(t.Context(), prefix+"schema", "1", 0).Err(); err != nil {
		t.Fatal(err)
	}
	store = open(t, url, redisstore.Options{Prefix: prefix})
	defer func() { _ = store.Close() }()
	if _, err := store.Job(t.Context(), "a"); err != nil {
		t.Error(err)
	}
}

// TestPrefixes is about two stores in one database.
func TestPrefixes(t *testing.T) {
	t.Parallel()
	one, two := openNew(t), openNew(t)
	add(t, one, minutely(t, "a"))
	if _, ok, err := two.NextDue(t.Context(), can()); ok || err != nil {
		t.Errorf("a job of another store is due: %v, %v", ok, err)
	}
	other := minutely(t, "a")
	other.Name = "other"
	add(t, two, other)
	claimed, err := one.Claim(t.Context(), can(), at(0), 10, advance)
	if err != nil || len(claimed) != 1 {
		t.Errorf("claimed %+v, %v", claimed, err)
	}
	if err := one.RemoveJob(t.Context(), "a", func(jobcenter.Job) []jobcenter.Run { return nil }); err != nil {
		t.Fatal(err)
	}
	job, err := two.Job(t.Context(), "a")
	if err != nil || job.Name != "other" || !job.NextFireTime.Equal(at(0)) {
		t.Errorf("job of the other store: %+v, %v", job, err)
	}
	if runs, err := two.Runs(t.Context(), jobcenter.RunQuery{}); err != nil || len(runs.Runs) != 0 {
		t.Errorf("%d runs of another store, %v", len(runs.Runs), err)
	}
}

// TestNew is about a client of the caller's, which may be anything that go-redis has.
func TestNew(t *testing.T) {
	t.Parallel()
	client := connect(t, serverURL(t))
	store, err := redisstore.New(t.Context(), client, redisstore.Options{Prefix: newPrefix(t)})
	if err != nil {
		t.Fatal(err)
	}
	add(t, store, minutely(t, "a"))
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
	if err := client.Ping(t.Context()).Err(); err != nil {
		t.Errorf("the caller's client after Close: %v", err)
	}
}

// TestScriptsForgotten is about a server that was restarted, or told to forget.
func TestScriptsForgotten(t *testing.T) {
	t.Parallel()
	store := openNew(t)
	add(t, store, minutely(t, "a"))
	if err := connect(t, serverURL(t)).ScriptFlush(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
	if claimed, err := store.Claim(t.Context(), can(), at(0), 10, advance); err != nil || len(claimed) != 1 {
		t.Errorf("claimed %+v, %v", claimed, err)
	}
}

func TestWarnings(t *testing.T) {
	t.Parallel()
	s := startServer(t, t.TempDir(), freePort(t), "--appendonly", "no", "--appendfsync", "everysec", "--maxmemory-policy", "volatile-lru")
	store := open(t, s.url, redisstore.Options{})
	defer func() { _ = store.Close() }()
	checkWarnings(t, store, "appendonly is no", "appendfsync is everysec", "maxmemory-policy is volatile-lru")
	admin := connect(t, s.url)
	for _, setting := range [][2]string{{"appendonly", "yes"}, {"appendfsync", "always"}, {"maxmemory-policy", "noeviction"}} {
		if err := admin.ConfigSet(t.Context(), setting[0], setting[1]).Err(); err != nil {
			t.Fatal(err)
		}
	}
	again := open(t, s.url, redisstore.Options{})
	defer func() { _ = again.Close() }()
	checkWarnings(t, again)

	user := func(name string, rules ...any) string {
		t.Helper()
		args := append([]any{"ACL", "SETUSER", name, "on", ">s3cret", "~*", "+@all"}, rules...)
		if err := admin.Do(t.Context(), args...).Err(); err != nil {
			t.Fatal(err)
		}
		return strings.Replace(s.url, "redis://", "redis://"+name+":s3cret@", 1)
	}
	plain := open(t, user("plain", "-config"), redisstore.Options{})
	defer func() { _ = plain.Close() }()
	checkWarnings(t, plain, "appendonly cannot be read", "appendfsync cannot be read", "maxmemory-policy cannot be read")

	// A user without the right to one command would stop a script half-way.
	for _, command := range []string{"zrem", "zrangebylex", "hsetnx", "pexpire"} {
		_, err := redisstore.Open(t.Context(), user("less-"+command, "-"+command), redisstore.Options{})
		if err == nil {
			t.Errorf("a user without %s was taken", command)
		}
	}
	_, err := redisstore.Open(t.Context(), strings.Replace(user("wrong"), "s3cret", "other-s3cret", 1), redisstore.Options{})
	if err == nil || strings.Contains(err.Error(), "s3cret") {
		t.Errorf("a wrong password: error %v, want one without it", err)
	}
}

func checkWarnings(t *testing.T, store *redisstore.Store, want ...string) {
	t.Helper()
	got := store.Warnings()
	if len(got) != len(want) {
		t.Errorf("warnings %q, want %d", got, len(want))
		return
	}
	for i := range want {
		if !strings.HasPrefix(got[i], want[i]) {
			t.Errorf("warning %q, want one that begins with %q", got[i], want[i])
		}
	}
}

// TestUndecodable is about jobs that this version cannot read: they are shown
// and kept, and hold up nobody.
func TestUndecodable(t *testing.T) {
	t.Parallel()
	prefix := newPrefix(t)
	store := open(t, serverURL(t), redisstore.Options{Prefix: prefix})
	defer func() { _ = store.Close() }()
	add(t, store, minutely(t, "broken"), minutely(t, "foreign"), minutely(t, "sound"))
	client := connect(t, serverURL(t))
	const broken = `{"id":"broken","from_the_future":1}`
	const foreign = `{"id":"foreign","task":"task","trigger":{"type":"lunar","moon":"full"},"executor":"default","tags":["kept"]}`
	for id, definition := range map[string]string{"broken": broken, "foreign": foreign} {
		if err := client.HSet(t.Context(), prefix+"job:"+id, "job", definition).Err(); err != nil {
			t.Fatal(err)
		}
	}
	var decided []string
	claimed, err := store.Claim(t.Context(), can(), at(0), 10, func(job jobcenter.Job, active jobcenter.Active) jobcenter.Decision {
		decided = append(decided, job.ID)
		return advance(job, active)
	})
	if err != nil || len(claimed) != 3 || fmt.Sprint(decided) != "[sound]" {
		t.Fatalf("claimed %+v, %v, decided %q; want all three and a decision on the sound one alone", claimed, err, decided)
	}
	for _, c := range claimed {
		if (c.Job.Quarantine != "") != (c.Job.ID != "sound") || len(c.Runs) != 0 != (c.Job.ID == "sound") {
			t.Errorf("%s came with quarantine %q and %d runs", c.Job.ID, c.Job.Quarantine, len(c.Runs))
		}
	}
	if again, err := store.Claim(t.Context(), can(), at(0), 10, advance); err != nil || len(again) != 0 {
		t.Errorf("claimed again: %+v, %v", again, err)
	}
	page, err := store.Jobs(t.Context(), jobcenter.JobQuery{State: jobcenter.JobQuarantined})
	if err != nil || len(page.Jobs) != 2 {
		t.Errorf("%d jobs are in quarantine, %v; want 2", len(page.Jobs), err)
	}
	checkDefinition(t, client, prefix, "broken", "job", broken)

	// Written back, a trigger is what it was; and nothing that was replaced is lost.
	for _, id := range []string{"broken", "foreign"} {
		if _, err := store.UpdateJob(t.Context(), id, func(job jobcenter.Job, _ jobcenter.Active) (jobcenter.Job, []jobcenter.Run, error) {
			job.Description = "looked at"
			return job, nil, nil
		}); err != nil {
			t.Fatal(err)
		}
	}
	checkDefinition(t, client, prefix, "broken", "undecodable", broken)
	var stored struct{ Trigger json.RawMessage }
	text, err := client.HGet(t.Context(), prefix+"job:foreign", "job").Result()
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal([]byte(text), &stored); err != nil || string(stored.Trigger) != `{"type":"lunar","moon":"full"}` {
		t.Errorf("the trigger is stored as %s, %v", stored.Trigger, err)
	}
	repaired := minutely(t, "broken")
	if _, err := store.UpdateJob(t.Context(), "broken", func(jobcenter.Job, jobcenter.Active) (jobcenter.Job, []jobcenter.Run, error) {
		return repaired, nil, nil
	}); err != nil {
		t.Fatal(err)
	}
	if claimed, err := store.Claim(t.Context(), can(), at(0), 10, advance); err != nil || len(claimed) != 1 || claimed[0].Job.ID != "broken" {
		t.Errorf("claimed %+v, %v; want the job that was repaired", claimed, err)
	}
	checkDefinition(t, client, prefix, "broken", "undecodable", broken)
}

func checkDefinition(t *testing.T, client *redis.Client, prefix, id, field, want string) {
	t.Helper()
	if got, err := client.HGet(t.Context(), prefix+"job:"+id, field).Result(); err != nil || got != want {
		t.Errorf("field %s of job %s is %s, %v; want %s", field, id, got, err, want)
	}
}

// TestClaimers has eight stores, each with connections of its own, claim from
// the same jobs.
func TestClaimers(t *testing.T) {
	t.Parallel()
	const jobs, fires, claimers = 30, 10, 8
	prefix := newPrefix(t)
	first := open(t, serverURL(t), redisstore.Options{Prefix: prefix})
	defer func() { _ = first.Close() }()
	for i := range jobs {
		add(t, first, minutely(t, fmt.Sprintf("job%02d", i)))
	}
	var mu sync.Mutex
	claims := map[string]int{} // by run
	var group sync.WaitGroup
	for claimer := range claimers {
		group.Go(func() {
			store, err := redisstore.Open(context.Background(), serverURL(t), redisstore.Options{Prefix: prefix})
			if err != nil {
				t.Error(err)
				return
			}
			defer func() { _ = store.Close() }()
			for {
				claimed, err := store.Claim(context.Background(), can(), at(60*(fires-1)), 1+claimer, advance)
				if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				for _, c := range claimed {
					for _, run := range c.Runs {
						claims[run.ID]++
					}
				}
				mu.Unlock()
				if len(claimed) == 0 {
					return
				}
			}
		})
	}
	group.Wait()
	for i := range jobs {
		for fire := range fires {
			id := newRun(fmt.Sprintf("job%02d", i), at(60*fire), jobcenter.RunRunning).ID
			if claims[id] != 1 {
				t.Errorf("run %s was claimed %d times", id, claims[id])
			}
		}
	}
	if len(claims) != jobs*fires {
		t.Errorf("%d runs were claimed, want %d", len(claims), jobs*fires)
	}
}
