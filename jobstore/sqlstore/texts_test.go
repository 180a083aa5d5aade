package sqlstore_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/jobcenter-go/jobcenter"
)

// Texts that differ only in case, in spaces at the end or in how they are
// composed are different ones, and are ordered as Go orders them.
func TestTextsCompareByteByByte(t *testing.T) {
	t.Parallel()
	texts := []string{"a", "a ", "a  ", "A", "á", "a\u0301", "ä", "b", "ß", "ss", "数", "😀", "ﬀ", "ff", "a!", "a~"}
	for _, on := range servers() {
		t.Run(on.kind, func(t *testing.T) {
			t.Parallel()
			on.start(t)
			store := on.open(t)
			defer closeIt(t, store)
			var jobs []jobcenter.Job
			for i, text := range texts {
				job := minutely(t, string(rune('A'+i)))
				job.Name, job.Task, job.Tags = text, text, []string{text}
				jobs = append(jobs, job)
			}
			all := minutely(t, "all")
			all.Name, all.Tags, all.NextFireTime = "", texts, time.Time{}
			if err := addJob(t.Context(), store, append(jobs, all)...); err != nil {
				t.Fatal(err)
			}
			for _, text := range texts {
				if page, err := store.Jobs(t.Context(), jobcenter.JobQuery{Tag: text}); err != nil || len(page.Jobs) != 2 {
					t.Errorf("tag %q: %d jobs, %v; want 2", text, len(page.Jobs), err)
				}
				if page, err := store.Jobs(t.Context(), jobcenter.JobQuery{Task: text}); err != nil || len(page.Jobs) != 1 || page.Jobs[0].Name != text {
					t.Errorf("task %q: %+v, %v; want its job", text, page.Jobs, err)
				}
			}
			var names []string
			for q := (jobcenter.JobQuery{Sort: jobcenter.SortByName, Limit: 3}); len(names) < 100; {
				page, err := store.Jobs(t.Context(), q)
				if err != nil {
					t.Fatal(err)
				}
				for _, job := range page.Jobs {
					if job.Name != "" {
						names = append(names, job.Name)
					}
				}
				if q.Cursor = page.NextCursor; q.Cursor == "" {
					break
				}
			}
			if want := slices.Sorted(slices.Values(texts)); !slices.Equal(names, want) {
				t.Errorf("by name: %q, want %q", names, want)
			}
			checkSeries(t, store, texts)
			claimed, err := store.Claim(t.Context(), jobcenter.Can{Tasks: []string{"a ", "ß"}, Executors: []string{""}}, base(), 10, func(jobcenter.Job, jobcenter.Active) jobcenter.Decision {
				return jobcenter.Decision{}
			})
			if err != nil || len(claimed) != 2 || claimed[0].Job.Task != "a " || claimed[1].Job.Task != "ß" {
				t.Errorf("claimed %+v, %v; want the jobs of two tasks", claimed, err)
			}
		})
	}
}

// checkSeries wants a run of one fire time in each series.
func checkSeries(t *testing.T, store jobcenter.JobStore, series []string) {
	t.Helper()
	var runs []jobcenter.Run
	for _, name := range series {
		runs = append(runs, jobcenter.Run{
			ID: "run of " + name, JobID: "all", FireTime: base(), LastFireTime: base(), FireCount: 1, Series: name, State: jobcenter.RunSkipped, EndedAt: base(),
		})
	}
	if _, err := store.UpdateJob(t.Context(), "all", func(job jobcenter.Job, _ jobcenter.Active) (jobcenter.Job, []jobcenter.Run, error) {
		return job, runs, nil
	}); err != nil {
		t.Fatal(err)
	}
	if page, err := store.Runs(t.Context(), jobcenter.RunQuery{JobID: "all"}); err != nil || len(page.Runs) != len(series) {
		t.Errorf("%d runs, %v; want %d: one in each series", len(page.Runs), err, len(series))
	}
}

// What is no text for a database does not stop the store.
func TestTextsThatAreNone(t *testing.T) {
	t.Parallel()
	const odd = "zero \x00 and \xff"
	for _, on := range servers() {
		t.Run(on.kind, func(t *testing.T) {
			t.Parallel()
			on.start(t)
			store := on.open(t)
			defer closeIt(t, store)
			job := minutely(t, "a")
			job.Description, job.Args, job.Quarantine = odd, []byte("\"\xff \\u0000\""), odd
			run := jobcenter.Run{
				ID: "r", JobID: "a", FireTime: base(), LastFireTime: base(), FireCount: 1, State: jobcenter.RunRunning, Attempt: 1, Message: odd, Actor: odd,
			}
			if err := addJob(t.Context(), store, job); err != nil {
				t.Fatal(err)
			}
			if _, err := store.UpdateJob(t.Context(), "a", func(job jobcenter.Job, _ jobcenter.Active) (jobcenter.Job, []jobcenter.Run, error) {
				job.PauseReason = odd
				return job, []jobcenter.Run{run}, nil
			}); err != nil {
				t.Error(err)
			}
			if _, err := store.RequestStop(t.Context(), "r", odd, base()); err != nil {
				t.Error(err)
			}
			run.State, run.EndedAt, run.Result = jobcenter.RunFailed, base(), []byte("\"\xff\"")
			if err := store.Record(t.Context(), jobcenter.Records{Ends: []jobcenter.Run{run}}); err != nil {
				t.Error(err)
			}
			if got, err := store.Run(t.Context(), "r"); err != nil || got.State != jobcenter.RunFailed {
				t.Errorf("run %+v, %v; want its end", got, err)
			}
			if _, err := store.Job(t.Context(), odd); !errors.Is(err, jobcenter.ErrJobNotFound) {
				t.Errorf("job: %v, want ErrJobNotFound", err)
			}
			for _, q := range []jobcenter.JobQuery{{Search: odd}, {Tag: odd}, {Task: odd}} {
				if _, err := store.Jobs(t.Context(), q); err != nil {
					t.Errorf("list: %v", err)
				}
			}
		})
	}
}

// Stores in schemas of one database of PostgreSQL know nothing of each other.
func TestSchemasOfPostgres(t *testing.T) {
	t.Parallel()
	on := servers()[1]
	on.start(t)
	url := on.createNew(t)
	execOn(t, url, "CREATE SCHEMA one")
	execOn(t, url, "CREATE SCHEMA two")
	for _, schema := range []string{"one", "two"} {
		separator := "?"
		if slices.Contains([]byte(url), '?') {
			separator = "&"
		}
		store := openURL(t, url+separator+"search_path="+schema)
		if err := addJob(t.Context(), store, minutely(t, "a")); err != nil {
			t.Error(err)
		}
		execOn(t, url, "UPDATE "+schema+".jobcenter_job SET version = 7 WHERE id = 'a'")
		if job, err := store.Job(t.Context(), "a"); err != nil || job.Version != 7 {
			t.Errorf("job %+v, %v; want it in schema %s", job, err, schema)
		}
		closeIt(t, store)
	}
}
