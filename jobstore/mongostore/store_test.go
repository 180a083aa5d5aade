package mongostore

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/jobcenter-go/jobcenter"
)

func TestNewerSchemaIsRefused(t *testing.T) {
	t.Parallel()
	name := database(t, t.TempDir())
	closeIt(t, open(t, name))
	store := open(t, name) // the same version opens
	defer closeIt(t, store)
	if _, err := store.meta.UpdateOne(t.Context(), byID("schema"), bson.D{{Key: "$set", Value: bson.D{{Key: "version", Value: int32(999)}}}}); err != nil {
		t.Fatal(err)
	}
	_, err := Open(t.Context(), urlOf(t, name), Options{})
	if !errors.Is(err, ErrNewerSchema) || !strings.Contains(err.Error(), "999") {
		t.Fatalf("error %v, want ErrNewerSchema with the version", err)
	}
}

func TestNewSharesTheDatabase(t *testing.T) {
	t.Parallel()
	db := connect(t, nil).Database(database(t, t.TempDir()))
	var stores []*Store
	for _, prefix := range []string{"", "other_"} {
		store, err := New(t.Context(), db, Options{Prefix: prefix, Timeout: unhurried})
		if err != nil {
			t.Fatal(err)
		}
		addJobs(t, store, minutely(t, "of "+prefix))
		stores = append(stores, store)
	}
	for i, want := range []string{"of ", "of other_"} {
		page, err := stores[i].Jobs(t.Context(), jobcenter.JobQuery{})
		if err != nil || len(page.Jobs) != 1 || page.Jobs[0].ID != want {
			t.Errorf("jobs %v, %v; want %q", page.Jobs, err, want)
		}
	}
	names, err := db.ListCollectionNames(t.Context(), bson.D{})
	if err != nil || !slices.Contains(names, "jobcenter_jobs") || !slices.Contains(names, "other_jobs") {
		t.Errorf("collections %v, %v", names, err)
	}
	closeIt(t, stores[0])
	if err := db.Client().Ping(t.Context(), nil); err != nil {
		t.Errorf("the store closed a connection that is not its own: %v", err)
	}
}

func TestDatabaseOfURL(t *testing.T) {
	t.Parallel()
	for url, want := range map[string]string{
		"mongodb://localhost":                              DefaultDatabase,
		"mongodb://localhost/":                             DefaultDatabase,
		"mongodb://localhost:1/jobs":                       "jobs",
		"mongodb://a:1,b:2,[::1]:3/jobs?replicaSet=x/y":    "jobs",
		"mongodb://li:p%40ss%2Fword@localhost/j%20s":       "j s",
		"mongodb+srv://li:secret@example.org/jobs?tls=x@y": "jobs",
		"mongodb://localhost?authSource=admin":             DefaultDatabase,
	} {
		if got := databaseOf(url); got != want {
			t.Errorf("%s: %q, want %q", url, got, want)
		}
	}
}

func TestErrorsKeepThePassword(t *testing.T) {
	t.Parallel()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	dead := listener.Addr().String()
	closeIt(t, listener)
	for _, url := range []string{
		"mongodb://li:s3cr%23t@" + dead + "/db",
		"mongodb://li:s3cr%23t@" + dead + "/db?authMechanism=nonsense",
		"mongodb://li:s3cr%23t@" + dead + "/db?w=s3cr%23t&readConcernLevel=s3cr%23t&compressors=s3cr%23t&tls=s3cr%23t",
		"mongodb://li:s3cr%23t@[::1/db",
		"mongodb://li:s3cr%23t@" + dead + ":x/db",
		"mongodb://s3cr%23t:s3cr%23t@/db",
		"mango://li:s3cr%23t@" + dead + "/db",
		"mongodb://li:s3cr#t@" + dead + "/db",
		"mongodb://li:s3cr%zz#t@" + dead + "/db",
	} {
		_, err := Open(t.Context(), url, Options{Timeout: 50 * time.Millisecond})
		if err == nil {
			t.Errorf("%s: opened", url)
			continue
		}
		if text := err.Error(); strings.Contains(text, "s3cr") || !strings.HasPrefix(text, "mongostore: ") {
			t.Errorf("%s: %v", url, err)
		}
	}
}

// TestDeadServer has a server that accepts connections and says nothing.
func TestDeadServer(t *testing.T) {
	t.Parallel()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer closeIt(t, listener)
	_, err = Open(t.Context(), "mongodb://"+listener.Addr().String(), Options{Timeout: 50 * time.Millisecond})
	if err == nil {
		t.Error("opened")
	}
}

// TestConnectionDies has every method fail in bounded time once the server is
// gone, with an error that says what failed.
func TestConnectionDies(t *testing.T) {
	t.Parallel()
	f := &fault{}
	store := openFaulty(t, f, database(t, t.TempDir()), time.Second)
	f.arm(1)
	err := store.AddJobs(t.Context(), these(minutely(t, "a")))
	if err == nil {
		t.Error("added a job")
	}
	store.timeout = 10 * time.Millisecond
	ctx := t.Context()
	keep := func(job jobcenter.Job, _ jobcenter.Active) (jobcenter.Job, []jobcenter.Run, error) {
		return job, nil, nil
	}
	for name, call := range map[string]func() error{
		"add jobs":      func() error { return store.AddJobs(ctx, these(minutely(t, "a"))) },
		`get job "a"`:   func() error { _, err := store.Job(ctx, "a"); return err },
		"list jobs":     func() error { _, err := store.Jobs(ctx, jobcenter.JobQuery{}); return err },
		"update job":    func() error { _, err := store.UpdateJob(ctx, "a", keep); return err },
		"remove job":    func() error { return store.RemoveJob(ctx, "a", func(jobcenter.Job) []jobcenter.Run { return nil }) },
		"next due job":  func() error { _, _, err := store.NextDue(ctx, can()); return err },
		"claim":         func() error { _, err := store.Claim(ctx, can(), at(0), 1, fireAndQueue); return err },
		"take runs":     func() error { _, _, err := store.TakeQueued(ctx, can(), "x", at(0), 1, startNow); return err },
		"count runs":    func() error { _, err := store.CountQueued(ctx, "x", 1); return err },
		"record":        func() error { return store.Record(ctx, jobcenter.Records{Ends: []jobcenter.Run{runOf("a", 1, "x")}}) },
		"stop run":      func() error { _, err := store.RequestStop(ctx, "a", "me", at(0)); return err },
		"runs held":     func() error { _, err := store.Held(ctx, "node"); return err },
		`get run "a"`:   func() error { _, err := store.Run(ctx, "a"); return err },
		"list runs":     func() error { _, err := store.Runs(ctx, jobcenter.RunQuery{}); return err },
		"last runs":     func() error { _, err := store.LastRuns(ctx, []string{"a"}); return err },
		"output of run": func() error { _, err := store.Output(ctx, "a", 0, 1); return err },
		"heartbeat":     func() error { return store.Heartbeat(ctx, "node", at(0)) },
		"orphans":       func() error { _, err := store.Orphans(ctx, "", at(0), 1); return err },
	} {
		if err := call(); err == nil || !strings.HasPrefix(err.Error(), "mongostore: "+name) {
			t.Errorf("%s: error %v", name, err)
		}
	}
}

// TestRunsInDoubt has a claim, a change and a start of which the server never said
// whether they took place. The caller was told that they failed; so when the
// server is back, their runs wait in the queue.
func TestRunsInDoubt(t *testing.T) {
	t.Parallel()
	for name, call := range map[string]func(store *Store) error{
		"claim": func(store *Store) error {
			_, err := store.Claim(context.Background(), can(), at(0), 10, func(job jobcenter.Job, _ jobcenter.Active) jobcenter.Decision {
				return jobcenter.Decision{Next: at(9), Runs: []jobcenter.Run{runOf(job.ID, 1, jobcenter.RunRunning)}}
			})
			return err
		},
		"change": func(store *Store) error {
			_, err := store.UpdateJob(context.Background(), "a", withRuns(runOf("a", 1, jobcenter.RunRunning)))
			return err
		},
		"start": func(store *Store) error {
			_, _, err := store.TakeQueued(context.Background(), can(), jobcenter.DefaultExecutor, at(0), 10, startNow)
			return err
		},
	} {
		for _, after := range []bool{false, true} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				dbName := database(t, t.TempDir())
				sound := open(t, dbName)
				defer closeIt(t, sound)
				addJobs(t, sound, minutely(t, "a"))
				if name == "start" {
					addRuns(t, sound, "a", runOf("a", 1, jobcenter.RunQueued))
				}
				f := &fault{after: after}
				store := openFaulty(t, f, dbName, time.Second)
				f.arm(1)
				if err := call(store); !errors.Is(err, errDoubt) {
					t.Fatalf("error %v, want errDoubt", err)
				}
				if running := len(inState(t, sound, jobcenter.RunRunning)); (running == 1) != after {
					t.Fatalf("%d runs are running", running)
				}
				f.revive()
				store.timeout = unhurried
				if _, _, err := store.NextDue(t.Context(), can()); err != nil {
					t.Fatal(err)
				}
				checkWhole(t, sound)
				if running := inState(t, sound, jobcenter.RunRunning); len(running) != 0 {
					t.Errorf("running, although nobody carries them out: %v", running)
				}
				if !after && name != "start" {
					if err := call(store); err != nil {
						t.Fatal(err)
					}
					return
				}
				taken, _, err := store.TakeQueued(t.Context(), can(), jobcenter.DefaultExecutor, at(0), 10, startNow)
				if err != nil || !slices.Equal(runIDs(taken), []string{"a@1"}) || taken[0].Runs[0].Attempt != 1 {
					t.Errorf("taken %+v, %v; want the first attempt of the run", taken, err)
				}
			})
		}
	}
}

// TestUnreadableJob has a job of which nothing can be decoded, as if a newer
// version had written it.
func TestUnreadableJob(t *testing.T) {
	t.Parallel()
	store := openNew(t)
	job := minutely(t, "a")
	job.Tags, job.Args = []string{"x"}, []byte(`[1]`)
	addJobs(t, store, job, minutely(t, "b"))
	tamper(t, store, "a", func(job map[string]json.RawMessage) { job["of_the_future"] = json.RawMessage(`1`) })
	check := func(got jobcenter.Job) {
		t.Helper()
		if got.ID != "a" || got.Name != job.Name || got.Task != task || !strings.Contains(got.Quarantine, "of_the_future") || string(got.Args) != "[1]" {
			t.Errorf("job %+v", got)
		}
	}
	check(getJob(t, store, "a"))
	claimed, err := store.Claim(t.Context(), can(), at(0), 10, fireAndQueue)
	if err != nil || len(claimed) != 2 || len(claimed[0].Runs) != 0 {
		t.Fatalf("claimed %+v, %v; want both, the first without runs", claimed, err)
	}
	check(claimed[0].Job)
	page, err := store.Jobs(t.Context(), jobcenter.JobQuery{State: jobcenter.JobQuarantined})
	if err != nil || len(page.Jobs) != 1 {
		t.Fatalf("in quarantine: %v, %v", page.Jobs, err)
	}
	check(page.Jobs[0])
	// A change that knows nothing of it would lose what is written there.
	if _, err := store.UpdateJob(t.Context(), "a", func(job jobcenter.Job, _ jobcenter.Active) (jobcenter.Job, []jobcenter.Run, error) {
		job.Paused = true
		return job, nil, nil
	}); err == nil {
		t.Error("a job that cannot be decoded was changed")
	}
	// The version that can read it finds it as it was, and can release it.
	tamper(t, store, "a", func(job map[string]json.RawMessage) { delete(job, "of_the_future") })
	got := getJob(t, store, "a")
	if got.Trigger == nil || got.Quarantine == "" || !got.NextFireTime.Equal(base()) {
		t.Errorf("job %+v, want it whole and in quarantine", got)
	}
	if _, err := store.UpdateJob(t.Context(), "a", func(job jobcenter.Job, _ jobcenter.Active) (jobcenter.Job, []jobcenter.Run, error) {
		job.Quarantine = ""
		return job, nil, nil
	}); err != nil {
		t.Fatal(err)
	}
	if claimed, err := store.Claim(t.Context(), can(), at(0), 10, fireAndQueue); err != nil || len(claimed) != 1 || len(claimed[0].Runs) != 3 {
		t.Errorf("claimed %+v, %v; want the job with its runs", claimed, err)
	}
}

// TestPurge has what is left of removed jobs, and of calls that died, deleted
// in the end: but not what runs still need, nor what may be needed.
func TestPurge(t *testing.T) {
	t.Parallel()
	store := openNew(t)
	for _, id := range []string{"old", "new", "runs"} {
		addJobs(t, store, minutely(t, id))
	}
	addRuns(t, store, "runs", runOf("runs", 1, jobcenter.RunRunning))
	for _, id := range []string{"old", "new", "runs"} {
		if err := store.RemoveJob(t.Context(), id, func(jobcenter.Job) []jobcenter.Run { return nil }); err != nil {
			t.Fatal(err)
		}
	}
	long := micros(time.Now().Add(-2 * forgotten))
	if _, err := store.jobs.UpdateMany(t.Context(), bson.D{{Key: "_id", Value: bson.D{{Key: "$in", Value: []string{"old", "runs"}}}}}, update(bson.D{{Key: "gone", Value: long}}, nil)); err != nil {
		t.Fatal(err)
	}
	batch := batchDoc{ID: bson.NewObjectID(), Life: lifeOpen, Jobs: []string{"pending"}, Since: long}
	pending := newJob("pending", lifePending)
	pending.to.Batch = &batch.ID
	for _, doc := range []any{batch, pending.to} {
		if _, err := store.jobs.InsertOne(t.Context(), doc); err != nil {
			t.Fatal(err)
		}
	}
	if err := store.purge(t.Context()); err != nil {
		t.Fatal(err)
	}
	raw, err := find[bson.Raw](t.Context(), store.jobs, bson.D{})
	if err != nil {
		t.Fatal(err)
	}
	var left []string
	for _, doc := range raw {
		left = append(left, doc.Lookup("_id").StringValue())
	}
	slices.Sort(left)
	if !slices.Equal(left, []string{"new", "pending", "runs"}) { // what was pending is a removed job's now
		t.Errorf("left are %v", left)
	}
	end := runOf("runs", 1, jobcenter.RunRunning)
	end.State = jobcenter.RunSucceeded
	if err := store.Record(t.Context(), jobcenter.Records{Ends: []jobcenter.Run{end}}); err != nil {
		t.Fatal(err)
	}
	if run := getRun(t, store, end.ID); run.State != jobcenter.RunSucceeded {
		t.Errorf("run of a removed job is %s", run.State)
	}
	checkWhole(t, store)
}

// TestJobDeleted has somebody delete a job's document while runs of it go on:
// they come to their ends all the same.
func TestJobDeleted(t *testing.T) {
	t.Parallel()
	store := openNew(t)
	addJobs(t, store, minutely(t, "a"))
	addRuns(t, store, "a", runOf("a", 1, jobcenter.RunRunning), runOf("a", 2, jobcenter.RunQueued), runOf("a", 3, jobcenter.RunQueued))
	if _, err := store.jobs.DeleteOne(t.Context(), byID("a")); err != nil {
		t.Fatal(err)
	}
	end := runOf("a", 1, jobcenter.RunRunning)
	end.State = jobcenter.RunFailed
	if err := store.Record(t.Context(), jobcenter.Records{Ends: []jobcenter.Run{end}}); err != nil {
		t.Fatal(err)
	}
	if run, err := store.RequestStop(t.Context(), "a@2", "me", at(9)); err != nil || run.State != jobcenter.RunStopped {
		t.Errorf("stopped: %s, %v", run.State, err)
	}
	if taken, _, err := store.TakeQueued(t.Context(), can(), jobcenter.DefaultExecutor, at(9), 10, startNow); err != nil || len(taken) != 0 {
		t.Errorf("taken %v, %v", runIDs(taken), err)
	}
	for id, want := range map[string]jobcenter.RunState{"a@1": jobcenter.RunFailed, "a@2": jobcenter.RunStopped, "a@3": jobcenter.RunSkipped} {
		if run := getRun(t, store, id); run.State != want {
			t.Errorf("run %s is %s, want %s", id, run.State, want)
		}
	}
	checkWhole(t, store)
}

// TestBatchesInEachOthersWay adds jobs that several callers want to add.
func TestBatchesInEachOthersWay(t *testing.T) {
	t.Parallel()
	store := openNew(t)
	// One that died leaves an id behind that nobody sees.
	batch := batchDoc{ID: bson.NewObjectID(), Life: lifeOpen, Jobs: []string{"a", "b"}, Since: micros(time.Now())}
	pending := newJob("a", lifePending)
	pending.to.Batch = &batch.ID
	for _, doc := range []any{batch, pending.to} {
		if _, err := store.jobs.InsertOne(t.Context(), doc); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := store.Job(t.Context(), "a"); !errors.Is(err, jobcenter.ErrJobNotFound) {
		t.Errorf("a job that was not added: %v", err)
	}
	addJobs(t, store, minutely(t, "a"), minutely(t, "c"))
	// It was only slow, and finds out that it came too late.
	if _, err := store.commitBatch(t.Context(), &batch, pending); !errors.Is(err, errAborted) {
		t.Errorf("committed: %v, want errAborted", err)
	}
	late := newJob("b", lifePending)
	late.to.Batch = &batch.ID
	if _, err := store.jobs.InsertOne(t.Context(), late.to); err != nil {
		t.Fatal(err)
	}
	addJobs(t, store, minutely(t, "b"))
	page, err := store.Jobs(t.Context(), jobcenter.JobQuery{})
	if err != nil || len(page.Jobs) != 3 {
		t.Errorf("%d jobs, %v; want 3", len(page.Jobs), err)
	}
	checkWhole(t, store)
}

// TestTooLarge has a job that no document can hold: nothing changes.
func TestTooLarge(t *testing.T) {
	t.Parallel()
	store := openNew(t)
	job := minutely(t, "a")
	job.Args = json.RawMessage(`"` + strings.Repeat("x", maxDocument) + `"`)
	if err := store.AddJobs(t.Context(), these(job)); !errors.Is(err, errTooLarge) {
		t.Errorf("added: %v, want errTooLarge", err)
	}
	addJobs(t, store, minutely(t, "a"))
	if _, err := store.UpdateJob(t.Context(), "a", func(jobcenter.Job, jobcenter.Active) (jobcenter.Job, []jobcenter.Run, error) {
		return job, nil, nil
	}); !errors.Is(err, errTooLarge) {
		t.Errorf("changed: %v, want errTooLarge", err)
	}
	if got := getJob(t, store, "a"); got.Args != nil {
		t.Errorf("%d bytes of arguments", len(got.Args))
	}
}

// TestLostClaim has a store claim what another one claims at the same time,
// each seeing the job as it was before.
func TestLostClaim(t *testing.T) {
	t.Parallel()
	store := openNew(t)
	addJobs(t, store, minutely(t, "a"))
	doc := mustLive(t, store, "a")
	one, two := changeOf(doc), changeOf(doc)
	one.insert(runOf("a", 1, jobcenter.RunRunning))
	two.insert(runOf("a", 2, jobcenter.RunRunning))
	for _, c := range []*jobChange{one, two} {
		if err := store.commit(t.Context(), []*jobChange{c}); err != nil {
			t.Fatal(err)
		}
	}
	if !one.won || two.won || exists(t, store, "a@2") {
		t.Errorf("the first took place: %v, the second: %v", one.won, two.won)
	}
	// Carried out late, what was said before changes nothing any more.
	for _, by := range []string{"me", "you"} {
		if _, err := store.RequestStop(t.Context(), "a@1", by, at(9)); err != nil {
			t.Fatal(err)
		}
	}
	end := runOf("a", 1, jobcenter.RunRunning)
	end.State = jobcenter.RunSucceeded
	if err := store.Record(t.Context(), jobcenter.Records{Ends: []jobcenter.Run{end}}); err != nil {
		t.Fatal(err)
	}
	stale := *one.to
	stale.Dirty = true
	stale.Outbox = []entry{
		{ID: "a@1", Version: 1, New: new(docOf(runOf("a", 1, jobcenter.RunRunning), 1))},
		{ID: "a@1", Version: 2, Set: bson.D{{Key: "v", Value: int64(2)}, {Key: "state", Value: "running"}}},
	}
	if err := store.carryOut(t.Context(), []*jobDoc{&stale}); err != nil {
		t.Fatal(err)
	}
	if run := getRun(t, store, "a@1"); run.StopBy != "me" || run.State != jobcenter.RunSucceeded {
		t.Errorf("a late writer undid a change: %s, %q", run.State, run.StopBy)
	}
	checkWhole(t, store)
}

// TestChangeOnItsWay has a change arrive at the server after its sender has
// given it up, and says so: it does not take place then.
func TestChangeOnItsWay(t *testing.T) {
	t.Parallel()
	store := openNew(t)
	addJobs(t, store, minutely(t, "a"))
	doc := mustLive(t, store, "a")
	changed := changeOf(doc)
	changed.insert(runOf("a", 1, jobcenter.RunRunning))
	added := newJob("b", lifeLive)
	if err := added.to.describe(minutely(t, "b")); err != nil {
		t.Fatal(err)
	}
	for _, c := range []*jobChange{changed, added} {
		if won, err := store.outcome(t.Context(), c, true); err != nil || won {
			t.Fatalf("given up: %v, %v", won, err)
		}
		if err := store.commit(t.Context(), []*jobChange{c}); err != nil || c.won {
			t.Errorf("it took place after it was given up: %v, %v", c.won, err)
		}
	}
	if exists(t, store, "a@1") {
		t.Error("its run was written")
	}
	// What did take place is known to have, for a while.
	c := changeOf(mustLive(t, store, "a"))
	if err := store.commit(t.Context(), []*jobChange{c}); err != nil {
		t.Fatal(err)
	}
	for n := range maxPast + 2 {
		won, err := store.outcome(t.Context(), c, true)
		if n <= maxPast && (err != nil || !won) || n > maxPast && !errors.Is(err, errDoubt) {
			t.Errorf("after %d further changes: %v, %v", n, won, err)
		}
		if _, err := store.UpdateJob(t.Context(), "a", withRuns()); err != nil {
			t.Fatal(err)
		}
	}
}

func mustLive(t *testing.T, store *Store, id string) *jobDoc {
	t.Helper()
	doc, err := store.live(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	return doc
}

// TestLimitAcrossJobs has two schedulers, each with a job of its own, start
// runs under one limit at the same time: nothing but the limit makes them meet.
func TestLimitAcrossJobs(t *testing.T) {
	t.Parallel()
	const rounds = 12
	name := database(t, t.TempDir())
	tasks := []string{"one", "two"}
	var stores []*Store
	for _, own := range tasks {
		store := open(t, name)
		defer closeIt(t, store)
		job := minutely(t, own)
		job.Task, job.Limit = own, jobcenter.Limit{Key: "k", Running: 1}
		addJobs(t, store, job)
		var runs []jobcenter.Run
		for minute := range rounds {
			run := runOf(own, minute, jobcenter.RunQueued)
			run.LimitKey = "k"
			runs = append(runs, run)
		}
		addRuns(t, store, own, runs...)
		stores = append(stores, store)
	}
	for round := range rounds {
		started := make([][]jobcenter.Claimed, len(stores))
		var group sync.WaitGroup
		for i, store := range stores {
			group.Go(func() {
				var err error
				started[i], _, err = store.TakeQueued(context.Background(), jobcenter.Can{Tasks: tasks[i : i+1]}, jobcenter.DefaultExecutor, at(50), 1, startNow)
				if err != nil {
					t.Error(err)
				}
			})
		}
		group.Wait()
		all := slices.Concat(started...)
		if len(all) != 1 {
			t.Fatalf("round %d: started %v, the limit is one", round, runIDs(all))
		}
		end := all[0].Runs[0]
		end.State = jobcenter.RunSucceeded
		if err := stores[0].Record(t.Context(), jobcenter.Records{Ends: []jobcenter.Run{end}}); err != nil {
			t.Fatal(err)
		}
	}
	checkWhole(t, stores[0])
}
