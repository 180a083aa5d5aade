package sqlstore_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jobcenter-go/jobcenter"
	"github.com/jobcenter-go/jobcenter/internal/sqlkit"
	"github.com/jobcenter-go/jobcenter/jobstore/sqlstore"
	"github.com/jobcenter-go/jobcenter/trigger"
)

func base() time.Time { return time.Date(2026, 11, 6, 8, 30, 0, 0, time.UTC) }

// minutely is a job that fires every minute and is due now.
func minutely(tb testing.TB, id string) jobcenter.Job {
	tb.Helper()
	every, err := trigger.NewInterval(time.Minute, trigger.Options{Start: base()})
	if err != nil {
		tb.Fatal(err)
	}
	return jobcenter.Job{ID: id, Name: "Job " + id, Task: "task", Trigger: every, MaxInstances: 1, Version: 1, NextFireTime: base(), CreatedAt: base(), UpdatedAt: base()}
}

func closeIt(tb testing.TB, closer interface{ Close() error }) {
	tb.Helper()
	if err := closer.Close(); err != nil {
		tb.Error(err)
	}
}

func TestNewFileIsPrivate(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	store := openIn(t, dir)
	defer closeIt(t, store)
	if err := addJob(t.Context(), store, minutely(t, "a")); err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil || len(files) != 3 {
		t.Fatalf("files %v, %v; want the database, its journal and its index", files, err)
	}
	for _, file := range files {
		info, err := os.Stat(file)
		if err != nil {
			t.Fatal(err)
		}
		if mode := info.Mode().Perm(); mode != 0o600 {
			t.Errorf("mode of %s = %o, want 600", file, mode)
		}
	}
}

func TestNewerSchemaIsRefused(t *testing.T) {
	t.Parallel()
	for _, on := range servers() {
		t.Run(on.kind, func(t *testing.T) {
			t.Parallel()
			on.start(t)
			url := on.createNew(t)
			closeIt(t, openURL(t, url))
			closeIt(t, openURL(t, url)) // the same version opens
			applied := "1"
			if on.kind == "postgres" {
				applied = "TRUE"
			}
			execOn(t, url, "INSERT INTO jobcenter_schema_engine (version_id, is_applied) VALUES (999, "+applied+")")
			_, err := sqlstore.Open(t.Context(), url, sqlstore.Options{})
			if !errors.Is(err, sqlkit.ErrNewerSchema) {
				t.Fatalf("error %v, want ErrNewerSchema", err)
			}
			if !strings.Contains(err.Error(), "999") {
				t.Errorf("error %q does not name the version", err)
			}
		})
	}
}

func TestOpenAnEmptyDatabaseAtTheSameTime(t *testing.T) {
	t.Parallel()
	for _, on := range servers() {
		t.Run(on.kind, func(t *testing.T) {
			t.Parallel()
			on.start(t)
			url := on.createNew(t)
			var group sync.WaitGroup
			for i := range 3 {
				group.Go(func() {
					store, err := sqlstore.Open(context.Background(), url, sqlstore.Options{})
					if err != nil {
						t.Error(err)
						return
					}
					if err := errors.Join(addJob(context.Background(), store, minutely(t, fmt.Sprint("job", i))), store.Close()); err != nil {
						t.Error(err)
					}
				})
			}
			group.Wait()
			store := openURL(t, url)
			defer closeIt(t, store)
			if page, err := store.Jobs(t.Context(), jobcenter.JobQuery{}); err != nil || len(page.Jobs) != 3 {
				t.Errorf("%d jobs, %v; want 3", len(page.Jobs), err)
			}
		})
	}
}

func TestNewSharesTheDatabase(t *testing.T) {
	t.Parallel()
	db, err := sqlkit.Open(t.Context(), filepath.Join(t.TempDir(), "jobs.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer closeIt(t, db)
	store, err := sqlstore.New(t.Context(), db, sqlstore.Options{})
	if err != nil {
		t.Fatal(err)
	}
	closeIt(t, store)
	if err := db.Read.PingContext(t.Context()); err != nil {
		t.Errorf("the store closed a database that is not its own: %v", err)
	}
}

func TestUnreadableJobs(t *testing.T) {
	t.Parallel()
	for _, on := range servers() {
		t.Run(on.kind, func(t *testing.T) {
			t.Parallel()
			on.start(t)
			url := on.create(t)
			store := openURL(t, url)
			bad := map[string]string{
				"a": `{"type":"sundial"}`,
				"b": `not JSON`,
				"c": ``,
				"d": `{"type":"interval","minutes":1,"unknown":true}`,
			}
			for _, id := range []string{"a", "b", "c", "d", "e", "f"} {
				if err := addJob(t.Context(), store, minutely(t, id)); err != nil {
					t.Fatal(err)
				}
			}
			closeIt(t, store)
			for id, text := range bad {
				execOn(t, url, "UPDATE jobcenter_job SET trigger_json = '"+text+"' WHERE id = '"+id+"'")
			}
			store = openURL(t, url)
			defer closeIt(t, store)

			for id := range bad {
				job, err := store.Job(t.Context(), id)
				if err != nil || job.Trigger != nil || !strings.HasPrefix(job.Quarantine, "trigger: ") || job.State() != jobcenter.JobQuarantined {
					t.Errorf("job %s: trigger %v, quarantine %q, %v; want none and a reason", id, job.Trigger, job.Quarantine, err)
				}
			}
			page, err := store.Jobs(t.Context(), jobcenter.JobQuery{})
			if err != nil || len(page.Jobs) != 6 {
				t.Errorf("%d jobs are listed, %v; want all 6", len(page.Jobs), err)
			}
			// The claim puts them in quarantine, and asks about the others alone.
			claimed, err := store.Claim(t.Context(), can(), base(), 5, func(job jobcenter.Job, _ jobcenter.Active) jobcenter.Decision {
				if job.Trigger == nil {
					t.Errorf("decide was asked about job %s, which has no trigger", job.ID)
				}
				return jobcenter.Decision{Next: base().Add(time.Minute)}
			})
			if err != nil || len(claimed) != 5 || claimed[4].Job.ID != "e" || claimed[4].Job.Quarantine != "" {
				t.Fatalf("claimed %+v, %v; want a to e", claimed, err)
			}
			for _, c := range claimed[:4] {
				job, err := store.Job(t.Context(), c.Job.ID)
				if err != nil || c.Job.Quarantine == "" || c.Job.Quarantine != job.Quarantine || len(c.Runs) != 0 || !job.NextFireTime.Equal(base()) || !job.DueAt().IsZero() {
					t.Errorf("job %s was claimed as %+v and is %+v, %v; want it in quarantine, with its fire time", c.Job.ID, c, job, err)
				}
			}
			quarantined, err := store.Jobs(t.Context(), jobcenter.JobQuery{State: jobcenter.JobQuarantined})
			if err != nil || len(quarantined.Jobs) != 4 {
				t.Errorf("%d jobs in quarantine after the claim, %v; want 4", len(quarantined.Jobs), err)
			}
			// What does not touch the trigger keeps it as it was written.
			if _, err := store.UpdateJob(t.Context(), "b", func(job jobcenter.Job, _ jobcenter.Active) (jobcenter.Job, []jobcenter.Run, error) {
				job.Name = "Renamed"
				return job, nil, nil
			}); err != nil {
				t.Fatal(err)
			}
			if _, err := store.UpdateJob(t.Context(), "c", func(job jobcenter.Job, _ jobcenter.Active) (jobcenter.Job, []jobcenter.Run, error) {
				job.Paused = true
				return job, nil, nil
			}); err != nil {
				t.Error(err)
			}
			execOn(t, url, "UPDATE jobcenter_job SET version = 7 WHERE id = 'b' AND trigger_json = 'not JSON'")
			if job, err := store.Job(t.Context(), "b"); err != nil || job.Name != "Renamed" || job.Version != 7 {
				t.Errorf("job %+v, %v; want the new name, and the old text of the trigger", job, err)
			}
			// A new trigger brings it back.
			sound := minutely(t, "b")
			if _, err := store.UpdateJob(t.Context(), "b", func(jobcenter.Job, jobcenter.Active) (jobcenter.Job, []jobcenter.Run, error) {
				return sound, nil, nil
			}); err != nil {
				t.Fatal(err)
			}
			if job, err := store.Job(t.Context(), "b"); err != nil || job.State() != jobcenter.JobActive || job.Trigger == nil {
				t.Errorf("job %+v, %v; want it active", job, err)
			}
		})
	}
}

func TestQueuedRunWhoseJobIsGone(t *testing.T) {
	t.Parallel()
	for _, on := range servers() {
		t.Run(on.kind, func(t *testing.T) {
			t.Parallel()
			on.start(t)
			url := on.create(t)
			store := openURL(t, url)
			defer closeIt(t, store)
			for _, id := range []string{"a", "b"} {
				if err := addJob(t.Context(), store, minutely(t, id)); err != nil {
					t.Fatal(err)
				}
			}
			if _, err := store.Claim(t.Context(), can(), base(), 2, func(job jobcenter.Job, _ jobcenter.Active) jobcenter.Decision {
				return jobcenter.Decision{Runs: []jobcenter.Run{{
					ID: job.ID, JobID: job.ID, FireTime: base(), LastFireTime: base(), FireCount: 1, State: jobcenter.RunQueued, Executor: "default",
				}}}
			}); err != nil {
				t.Fatal(err)
			}
			execOn(t, url, "DELETE FROM jobcenter_job WHERE id = 'a'") // a store ends the runs first
			taken, _, err := store.TakeQueued(t.Context(), can(), "default", base(), 2, func(_ jobcenter.Job, run jobcenter.Run) jobcenter.Run {
				run.State, run.Attempt = jobcenter.RunRunning, 1
				return run
			})
			if err != nil || len(taken) != 1 || taken[0].Job.ID != "b" {
				t.Errorf("taken %+v, %v; want the run of b", taken, err)
			}
			run, err := store.Run(t.Context(), "a")
			if err != nil || run.State != jobcenter.RunSkipped || run.Reason != jobcenter.ReasonRemoved || run.EndedAt.IsZero() {
				t.Errorf("run %+v, %v; want it skipped because its job was removed", run, err)
			}
		})
	}
}

func TestForeignTriggerIsRefused(t *testing.T) {
	t.Parallel()
	for _, on := range servers() {
		t.Run(on.kind, func(t *testing.T) {
			t.Parallel()
			on.start(t)
			store := on.open(t)
			defer closeIt(t, store)
			for name, foreign := range map[string]trigger.Trigger{"none": nil, "foreign": never{}} {
				job := minutely(t, "a")
				job.Trigger = foreign
				if err := addJob(t.Context(), store, job); err == nil || !strings.Contains(err.Error(), "trigger") {
					t.Errorf("%s: error %v, want one that names the trigger", name, err)
				}
			}
			if _, err := store.Job(t.Context(), "a"); !errors.Is(err, jobcenter.ErrJobNotFound) {
				t.Errorf("the job was stored: %v", err)
			}
		})
	}
}

type never struct{}

func (never) Next(time.Time) (time.Time, bool) { return time.Time{}, false }

func TestSearchFindsWhatEscapesStandFor(t *testing.T) {
	t.Parallel()
	for _, on := range servers() {
		t.Run(on.kind, func(t *testing.T) {
			t.Parallel()
			on.start(t)
			store := on.open(t)
			defer closeIt(t, store)
			job := minutely(t, "a")
			job.Args = []byte(`{"command":"make \u0026\u0026 echo \"\u5907\u4efd\"","list":["C:\\x"]}`)
			if err := addJob(t.Context(), store, job); err != nil {
				t.Fatal(err)
			}
			for search, want := range map[string]int{"&&": 1, `"备份"`: 1, `c:\x`: 1, `\u0026`: 1, "||": 0} {
				page, err := store.Jobs(t.Context(), jobcenter.JobQuery{Search: search})
				if err != nil || len(page.Jobs) != want {
					t.Errorf("search %q: %d jobs, %v; want %d", search, len(page.Jobs), err, want)
				}
			}
		})
	}
}

func TestCheckFindsWhatIsWrong(t *testing.T) {
	t.Parallel()
	tests := map[string]struct{ tamper, want string }{
		"sound":   {"SELECT 1", ""},
		"queued":  {"UPDATE jobcenter_run SET state = 'queued', attempt = 0, job_id = 'gone', ended_at = NULL", "1 queued runs whose job is gone"},
		"ended":   {"UPDATE jobcenter_run SET ended_at = 5", "1 unended runs with an end"},
		"span":    {"UPDATE jobcenter_run SET fire_count = 2", "1 spans of runs that were started"},
		"attempt": {"UPDATE jobcenter_run SET attempt = 0", "1 running runs without an attempt"},
		"tags":    {"INSERT INTO jobcenter_job_tag SELECT seq, 'x' FROM jobcenter_job", "1 tags that differ"},
		"due":     {"UPDATE jobcenter_job SET due_at = NULL", "1 jobs that are due at an instant that is not their own"},
		"waits":   {"UPDATE jobcenter_run SET waits = 1", "1 runs that wait for an instant"},
		"overlap": {"INSERT INTO jobcenter_output SELECT run_seq, 3, 1, attempt, stream, at, data FROM jobcenter_output", "1 chunks of output that overlap"},
	}
	onSQLite := map[string]struct{ tamper, want string }{
		"foreign key": {"PRAGMA foreign_keys = 0; DELETE FROM jobcenter_run", "1 rows that point at no row"},
		"index":       {"PRAGMA writable_schema = 1; UPDATE sqlite_schema SET sql = replace(sql, 'NOT IN', 'IN') WHERE name = 'jobcenter_run_state'; PRAGMA writable_schema = 0", "jobcenter_run_state"},
	}
	for _, on := range servers() {
		t.Run(on.kind, func(t *testing.T) {
			t.Parallel()
			on.start(t)
			tests := maps.Clone(tests)
			if on.kind == "sqlite" {
				maps.Copy(tests, onSQLite)
			}
			for name, test := range tests {
				t.Run(name, func(t *testing.T) {
					t.Parallel()
					checkFinds(t, on.create(t), test.tamper, test.want)
				})
			}
		})
	}
}

func checkFinds(t *testing.T, url, tamper, want string) {
	t.Helper()
	store := openURL(t, url)
	if err := addJob(t.Context(), store, minutely(t, "a")); err != nil {
		t.Fatal(err)
	}
	run := jobcenter.Run{ID: "r", JobID: "a", FireTime: base(), LastFireTime: base(), FireCount: 1, State: jobcenter.RunRunning, Attempt: 1}
	if _, err := store.Claim(t.Context(), can(), base(), 1, func(jobcenter.Job, jobcenter.Active) jobcenter.Decision {
		return jobcenter.Decision{Next: base().Add(time.Minute), Runs: []jobcenter.Run{run}}
	}); err != nil {
		t.Fatal(err)
	}
	if err := store.Record(t.Context(), jobcenter.Records{Output: []jobcenter.Chunk{{RunID: "r", Attempt: 1, Data: []byte("xy")}}}); err != nil {
		t.Fatal(err)
	}
	closeIt(t, store)
	execOn(t, url, tamper)
	store = openURL(t, url)
	defer closeIt(t, store)
	err := store.Check(t.Context())
	if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
		t.Errorf("error %v, want %q", err, want)
	}
}
