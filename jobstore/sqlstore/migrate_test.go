package sqlstore_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"testing/fstest"
	"time"

	"github.com/jobcenter-go/jobcenter"
	"github.com/jobcenter-go/jobcenter/internal/sqlkit"
	"github.com/jobcenter-go/jobcenter/jobstore/sqlstore"
)

// TestUpgradeFromTheFirstSchema opens a database as the first version of the
// tables left it.
func TestUpgradeFromTheFirstSchema(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	db, err := sqlkit.Open(t.Context(), filepath.Join(dir, "jobs.db"))
	if err != nil {
		t.Fatal(err)
	}
	first, err := os.ReadFile("sqlite/001_jobs.sql")
	if err != nil {
		t.Fatal(err)
	}
	if err := sqlkit.Migrate(t.Context(), db, fstest.MapFS{"sqlite/001_jobs.sql": {Data: first}}, "engine"); err != nil {
		t.Fatal(err)
	}
	const every = `{"type":"interval","minutes":1,"start_date":"2026-11-06T08:30:00Z"}`
	for _, statement := range []string{
		`INSERT INTO jobcenter_job (seq, id, version, next_fire_time, paused, quarantine, created_at, updated_at, misfire_grace, max_instances,
			timeout, coalesce, overlap, task, executor, name, trigger_json, args, tags, search)
		VALUES (7, 'a', 3, 300000000, 0, '', 1, 2, 60000000000, 2, 5000000000, 'all', 'skip', 'task', 'default', 'A', '` + every + `', '{"n":1}', '["x","y"]', 'a
a
{"n":1}
x
y'),
			(9, 'b', 1, 600000000, 1, '', 1, 1, 0, 1, 0, 'latest', 'skip', 'task', 'default', '', '` + every + `', '', '[]', 'b'),
			(10, 'c', 1, NULL, 0, 'no trigger', 1, 1, 0, 1, 0, 'latest', 'skip', 'task', 'default', '', 'null', '', '[]', 'c')`,
		`INSERT INTO jobcenter_job_tag VALUES (7, 'x'), (7, 'y')`,
		`INSERT INTO jobcenter_run VALUES
			(1, 'r1', 'a', 3, 60000000, 180000000, 3, 'schedule', '', 'missed', 'misfire', '', 0, '', 'default', NULL, 190000000, NULL, 0, 0),
			(2, 'r2', 'a', 3, 240000000, 240000000, 1, 'schedule', '', 'running', '', '', 1, 'node', 'default', 250000000, NULL, NULL, 0, 0),
			(3, 'r3', 'a', 3, 250000000, 250000000, 1, 'manual', 'me', 'queued', '', '', 0, '', 'default', NULL, NULL, NULL, 0, 0),
			(4, 'r4', 'a', 2, 30000000, 30000000, 1, 'schedule', '', 'failed', 'exit_code', 'exit code 3', 1, 'node', 'default', 31000000, 32000000, 3, 5, 5)`,
		`INSERT INTO jobcenter_output VALUES (4, 5, 0, 1, 'stderr', 31000001, CAST('oh no' AS BLOB)), (2, 2, 0, 1, 'stdout', 250000001, CAST('hi' AS BLOB))`,
		`INSERT INTO jobcenter_node VALUES ('node', 900000000)`,
	} {
		if _, err := db.Write.ExecContext(t.Context(), statement); err != nil {
			t.Fatal(err, statement)
		}
	}
	closeIt(t, db)

	store := openIn(t, dir)
	defer closeIt(t, store)
	if err := store.Check(t.Context()); err != nil {
		t.Error(err)
	}
	at := func(seconds int64) time.Time { return time.Unix(seconds, 0).UTC() }
	a, err := store.Job(t.Context(), "a")
	if err != nil {
		t.Fatal(err)
	}
	if a.Name != "A" || a.Version != 3 || !a.NextFireTime.Equal(at(300)) || !a.PreviousFireTime.Equal(at(240)) || a.MisfireGrace != time.Minute ||
		a.MaxInstances != 2 || a.Timeout != 5*time.Second || a.Coalesce != jobcenter.CoalesceAll || string(a.Args) != `{"n":1}` || len(a.Tags) != 2 || a.Trigger == nil {
		t.Errorf("job a is %+v", a)
	}
	for id, want := range map[string]jobcenter.JobState{"a": jobcenter.JobActive, "b": jobcenter.JobPaused, "c": jobcenter.JobQuarantined} {
		if job, err := store.Job(t.Context(), id); err != nil || job.State() != want {
			t.Errorf("job %s is %s, %v; want %s", id, job.State(), err, want)
		}
	}
	for name, q := range map[string]jobcenter.JobQuery{"tag": {Tag: "y"}, "search": {Search: `"n":1`}} {
		if page, err := store.Jobs(t.Context(), q); err != nil || len(page.Jobs) != 1 || page.Jobs[0].ID != "a" {
			t.Errorf("by %s: %+v, %v; want a", name, page.Jobs, err)
		}
	}
	checkUpgradedRuns(t, store)
	claimed, err := store.Claim(t.Context(), can(), at(1000), 10, func(job jobcenter.Job, active jobcenter.Active) jobcenter.Decision {
		if active != (jobcenter.Active{Queued: 1, Running: 1}) {
			t.Errorf("active runs of %s: %+v", job.ID, active)
		}
		return jobcenter.Decision{Next: at(1020), Previous: at(960)}
	})
	if err != nil || len(claimed) != 1 || claimed[0].Job.ID != "a" {
		t.Errorf("claimed %+v, %v; want a alone", claimed, err)
	}
}

func checkUpgradedRuns(t *testing.T, store *sqlstore.Store) {
	t.Helper()
	page, err := store.Runs(t.Context(), jobcenter.RunQuery{})
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(page.Runs)
	if err != nil {
		t.Fatal(err)
	}
	const want = `[` +
		`{"id":"r3","job_id":"a","job_version":3,"fire_time":"1970-01-01T00:04:10Z","last_fire_time":"1970-01-01T00:04:10Z","fire_count":1,"origin":"manual","actor":"me","state":"queued","attempt":0,"executor":"default","turn":"1970-01-01T00:04:10Z"},` +
		`{"id":"r2","job_id":"a","job_version":3,"fire_time":"1970-01-01T00:04:00Z","last_fire_time":"1970-01-01T00:04:00Z","fire_count":1,"origin":"schedule","state":"running","attempt":1,"node":"node","executor":"default","started_at":"1970-01-01T00:04:10Z"},` +
		`{"id":"r1","job_id":"a","job_version":3,"fire_time":"1970-01-01T00:01:00Z","last_fire_time":"1970-01-01T00:03:00Z","fire_count":3,"origin":"schedule","state":"missed","reason":"misfire","attempt":0,"executor":"default","ended_at":"1970-01-01T00:03:10Z"},` +
		`{"id":"r4","job_id":"a","job_version":2,"fire_time":"1970-01-01T00:00:30Z","last_fire_time":"1970-01-01T00:00:30Z","fire_count":1,"origin":"schedule","state":"failed","reason":"exit_code","message":"exit code 3","attempt":1,"node":"node","executor":"default","started_at":"1970-01-01T00:00:31Z","ended_at":"1970-01-01T00:00:32Z","exit_code":3,"output_size":5,"output_kept":5}]`
	if string(text) != want {
		t.Errorf("runs\n%s, want\n%s", text, want)
	}
	for id, want := range map[string]string{"r4": "oh no", "r2": "hi"} {
		if chunks, err := store.Output(t.Context(), id, 0, 100); err != nil || len(chunks) != 1 || string(chunks[0].Data) != want {
			t.Errorf("output of %s: %v, %v; want %q", id, chunks, err, want)
		}
	}
	if held, err := store.Held(t.Context(), "node"); err != nil || len(held) != 1 || held[0].RunID != "r2" {
		t.Errorf("held %v, %v; want r2", held, err)
	}
}
