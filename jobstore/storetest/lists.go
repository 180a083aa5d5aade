package storetest

import (
	"cmp"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jobcenter-go/jobcenter"
)

func jobListTests() map[string]func(*testing.T, jobcenter.JobStore) {
	return map[string]func(*testing.T, jobcenter.JobStore){
		"search":                   jobsSearch,
		"tag, state and task":      jobsFilter,
		"orders":                   jobsOrder,
		"pages while jobs come in": jobsPages,
		"limits":                   jobsLimits,
		"bad cursors":              jobsBadCursors,
	}
}

// listJobs returns the ids of every job that a query keeps, page by page.
func listJobs(t *testing.T, store jobcenter.JobStore, q jobcenter.JobQuery) []string {
	t.Helper()
	var ids []string
	for {
		page, err := store.Jobs(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		if len(page.Jobs) == 0 && page.NextCursor != "" {
			t.Fatal("an empty page has a cursor")
		}
		for _, job := range page.Jobs {
			ids = append(ids, job.ID)
		}
		if page.NextCursor == "" {
			return ids
		}
		checkEndless(t, len(ids))
		q.Cursor = page.NextCursor
	}
}

func jobsSearch(t *testing.T, store jobcenter.JobStore) {
	for _, job := range []struct{ id, name, args string }{
		{"alpha", "Nightly Backup", `{"command":"pg_dump main"}`},
		{"beta", "数据库备份", `{"command":"mysqldump 订单"}`},
		{"gamma", "100% done", `{"command":"a_b"}`},
		{"delta", "100 done", `{"command":"aXb"}`},
		{"Épsilon", "ÜBER größe", `{"path":"C:/x"}`},
	} {
		full := newJob(t, job.id, at(1))
		full.Name, full.Args, full.Tags = job.name, []byte(job.args), []string{"tag-" + job.id, "Shared Tag"}
		addJobs(t, store, full)
	}
	for search, want := range map[string][]string{
		"":                {"alpha", "beta", "delta", "gamma", "Épsilon"},
		"  \t ":           {"alpha", "beta", "delta", "gamma", "Épsilon"},
		"ALPHA":           {"alpha"},
		"backup":          {"alpha"},
		"BACKUP nightly":  {"alpha"},
		"backup weekly":   nil,
		"pg_dump":         {"alpha"},
		"dump":            {"alpha", "beta"},
		"备份":              {"beta"},
		"数据 订单":           {"beta"},
		"份备":              nil,
		"100%":            {"gamma"}, // a literal, not a wildcard
		"a_b":             {"gamma"},
		"%":               {"gamma"},
		"_":               {"alpha", "gamma"},
		"über":            {"Épsilon"},
		"GRÖSSE":          nil, // case, not spelling
		"GRÖßE épsilon":   {"Épsilon"},
		"tag-gamma":       {"gamma"},
		"shared":          {"alpha", "beta", "delta", "gamma", "Épsilon"},
		"alphanightly":    nil, // a word lies within one field
		"' OR 1=1":        nil,
		`\`:               nil,
		"nightly ALPHA g": {"alpha"},
	} {
		checkSame(t, fmt.Sprintf("search %q", search), want, listJobs(t, store, jobcenter.JobQuery{Search: search}))
	}
	// A search goes by what the job is now.
	if _, err := store.UpdateJob(t.Context(), "alpha", func(job jobcenter.Job, _ jobcenter.Active) (jobcenter.Job, []jobcenter.Run, error) {
		job.Name = "Weekly"
		return job, nil, nil
	}); err != nil {
		t.Fatal(err)
	}
	checkSame(t, "old name", []string(nil), listJobs(t, store, jobcenter.JobQuery{Search: "backup"}))
	checkSame(t, "new name", []string{"alpha"}, listJobs(t, store, jobcenter.JobQuery{Search: "weekly"}))
}

func jobsFilter(t *testing.T, store jobcenter.JobStore) {
	for id, change := range map[string]func(*jobcenter.Job){
		"active":      func(job *jobcenter.Job) { job.Tags = []string{"db", "x"} },
		"active2":     func(job *jobcenter.Job) { job.Task, job.Tags = "other", []string{"DB", "dbx", `"db"`} },
		"paused":      func(job *jobcenter.Job) { job.Paused, job.Tags = true, []string{"db"} },
		"pausedEnd":   func(job *jobcenter.Job) { job.Paused, job.NextFireTime = true, time.Time{} },
		"finished":    func(job *jobcenter.Job) { job.NextFireTime, job.Tags = time.Time{}, []string{"a,b", "数据"} },
		"quarantined": func(job *jobcenter.Job) { job.Quarantine, job.NextFireTime = "bad", time.Time{} },
		"quarPaused":  func(job *jobcenter.Job) { job.Quarantine, job.Paused = "bad", true },
	} {
		job := newJob(t, id, at(1))
		change(&job)
		addJobs(t, store, job)
	}
	for name, test := range map[string]struct {
		query jobcenter.JobQuery
		want  []string
	}{
		"tag":             {jobcenter.JobQuery{Tag: "db"}, []string{"active", "paused"}},
		"tag by case":     {jobcenter.JobQuery{Tag: "DB"}, []string{"active2"}},
		"tag with quotes": {jobcenter.JobQuery{Tag: `"db"`}, []string{"active2"}},
		"tag with comma":  {jobcenter.JobQuery{Tag: "a,b"}, []string{"finished"}},
		"part of a tag":   {jobcenter.JobQuery{Tag: "a"}, nil},
		"Chinese tag":     {jobcenter.JobQuery{Tag: "数据"}, []string{"finished"}},
		"active":          {jobcenter.JobQuery{State: jobcenter.JobActive}, []string{"active", "active2"}},
		"paused":          {jobcenter.JobQuery{State: jobcenter.JobPaused}, []string{"paused", "pausedEnd"}},
		"finished":        {jobcenter.JobQuery{State: jobcenter.JobFinished}, []string{"finished"}},
		"quarantined":     {jobcenter.JobQuery{State: jobcenter.JobQuarantined}, []string{"quarPaused", "quarantined"}},
		"task":            {jobcenter.JobQuery{Task: "other"}, []string{"active2"}},
		"all at once":     {jobcenter.JobQuery{Search: "act", Tag: "db", State: jobcenter.JobActive, Task: task}, []string{"active"}},
		"nothing":         {jobcenter.JobQuery{Tag: "db", Task: "other"}, nil},
	} {
		for _, limit := range []int{0, 1} {
			test.query.Limit = limit
			checkSame(t, fmt.Sprintf("%s, limit %d", name, limit), test.want, listJobs(t, store, test.query))
		}
	}
	page, err := store.Jobs(t.Context(), jobcenter.JobQuery{})
	if err != nil {
		t.Fatal(err)
	}
	for _, job := range page.Jobs {
		if ids := listJobs(t, store, jobcenter.JobQuery{State: job.State()}); !slices.Contains(ids, job.ID) {
			t.Errorf("job %s is %s but not in the list of those", job.ID, job.State())
		}
	}
}

// unsorted stores jobs with ties in every order, and returns them.
func unsorted(t *testing.T, store jobcenter.JobStore) []jobcenter.Job {
	t.Helper()
	var jobs []jobcenter.Job
	for i := range 24 {
		job := newJob(t, fmt.Sprintf("job%02d", i*7%24), at(i%5))
		job.Name = string(rune('a' + i%3))
		job.CreatedAt = at(i % 4)
		switch i % 6 {
		case 2:
			job.NextFireTime = time.Time{}
		case 4:
			job.Paused = true
		}
		jobs = append(jobs, job)
	}
	addJobs(t, store, jobs...)
	return jobs
}

// compareBy compares jobs in an order, ids aside. Jobs that are not to fire
// come last whichever way it runs.
func compareBy(sort jobcenter.JobSort, desc bool) func(a, b jobcenter.Job) int {
	return func(a, b jobcenter.Job) int {
		var c int
		switch sort {
		case jobcenter.SortByName:
			c = strings.Compare(a.Name, b.Name)
		case jobcenter.SortByCreatedAt:
			c = a.CreatedAt.Compare(b.CreatedAt)
		case jobcenter.SortByNextFireTime:
			aLast, bLast := a.State() != jobcenter.JobActive, b.State() != jobcenter.JobActive
			switch {
			case aLast && bLast:
				return 0
			case aLast:
				return 1
			case bLast:
				return -1
			}
			c = a.NextFireTime.Compare(b.NextFireTime)
		case jobcenter.SortByID:
			c = strings.Compare(a.ID, b.ID)
		}
		if desc {
			return -c
		}
		return c
	}
}

func jobsOrder(t *testing.T, store jobcenter.JobStore) {
	jobs := unsorted(t, store)
	byID := map[string]jobcenter.Job{}
	for _, job := range jobs {
		byID[job.ID] = job
	}
	for _, sort := range []jobcenter.JobSort{"", jobcenter.SortByID, jobcenter.SortByName, jobcenter.SortByNextFireTime, jobcenter.SortByCreatedAt} {
		for _, desc := range []bool{false, true} {
			var first []string
			for _, limit := range []int{0, 1, 2, 3, 5, 16, 23, 24} {
				ids := listJobs(t, store, jobcenter.JobQuery{Sort: sort, Desc: desc, Limit: limit})
				what := fmt.Sprintf("sort %q, desc %v, limit %d", sort, desc, limit)
				if first == nil {
					first = ids
				}
				checkSame(t, what+", against one page", first, ids)
				by := compareBy(cmp.Or(sort, jobcenter.SortByID), desc)
				for i := 1; i < len(ids); i++ {
					if by(byID[ids[i-1]], byID[ids[i]]) > 0 {
						t.Errorf("%s: %s comes before %s", what, ids[i-1], ids[i])
					}
				}
				if all := slices.Compact(slices.Sorted(slices.Values(ids))); len(ids) != len(jobs) || len(all) != len(jobs) {
					t.Errorf("%s: %d jobs, %d different ones; want %d", what, len(ids), len(all), len(jobs))
				}
			}
		}
	}
}

func jobsPages(t *testing.T, store jobcenter.JobStore) {
	jobs := unsorted(t, store)
	n := 0
	for _, sort := range []jobcenter.JobSort{jobcenter.SortByID, jobcenter.SortByName, jobcenter.SortByNextFireTime, jobcenter.SortByCreatedAt} {
		for _, desc := range []bool{false, true} {
			q := jobcenter.JobQuery{Sort: sort, Desc: desc, Limit: 5}
			seen := map[string]int{}
			for {
				page, err := store.Jobs(t.Context(), q)
				if err != nil {
					t.Fatal(err)
				}
				for _, job := range page.Jobs {
					seen[job.ID]++
				}
				if page.NextCursor == "" {
					break
				}
				checkEndless(t, n)
				q.Cursor = page.NextCursor
				// New jobs before, between and behind those that were there.
				for _, id := range []string{"a", "job09x", "z"} {
					n++
					addJobs(t, store, newJob(t, fmt.Sprint(id, n), at(n%6)))
				}
			}
			for _, job := range jobs {
				if seen[job.ID] != 1 {
					t.Errorf("sort %s, desc %v: %s was listed %d times", sort, desc, job.ID, seen[job.ID])
				}
			}
			for id, times := range seen {
				if times != 1 {
					t.Errorf("sort %s, desc %v: %s was listed %d times", sort, desc, id, times)
				}
			}
		}
	}
}

func jobsLimits(t *testing.T, store jobcenter.JobStore) {
	for i := range 55 {
		addJobs(t, store, newJob(t, fmt.Sprintf("job%02d", i), at(1)))
	}
	for limit, want := range map[int]int{0: 50, 1: 1, 54: 54, 55: 55, 500: 55} {
		page, err := store.Jobs(t.Context(), jobcenter.JobQuery{Limit: limit})
		if err != nil || len(page.Jobs) != want || (page.NextCursor == "") != (want == 55) {
			t.Errorf("limit %d: %d jobs, cursor %q, %v; want %d jobs", limit, len(page.Jobs), page.NextCursor, err, want)
		}
	}
}

// badCursors are some that no list gave.
func badCursors() []string {
	return []string{
		"x", "%%%", "bm90IGpzb24", base64.RawURLEncoding.EncodeToString([]byte("{}")), base64.RawURLEncoding.EncodeToString([]byte("null")),
		base64.RawURLEncoding.EncodeToString([]byte(`{"o":"runs"`)), "😀", strings.Repeat("A", 10_000),
	}
}

func jobsBadCursors(t *testing.T, store jobcenter.JobStore) {
	unsorted(t, store)
	addRuns(t, store, "job00", newRun("job00", at(1), jobcenter.RunSucceeded), newRun("job00", at(2), jobcenter.RunSucceeded))
	runs, err := store.Runs(t.Context(), jobcenter.RunQuery{Limit: 1})
	if err != nil {
		t.Fatal(err)
	}
	sorts := []jobcenter.JobSort{jobcenter.SortByID, jobcenter.SortByName, jobcenter.SortByNextFireTime, jobcenter.SortByCreatedAt}
	for _, sort := range sorts {
		page, err := store.Jobs(t.Context(), jobcenter.JobQuery{Sort: sort, Limit: 3})
		if err != nil {
			t.Fatal(err)
		}
		queries := []jobcenter.JobQuery{{Sort: sort, Desc: true, Cursor: page.NextCursor}}
		for _, other := range sorts {
			if other != sort {
				queries = append(queries, jobcenter.JobQuery{Sort: other, Cursor: page.NextCursor})
			}
		}
		for _, cursor := range append(badCursors(), runs.NextCursor) {
			queries = append(queries, jobcenter.JobQuery{Sort: sort, Cursor: cursor})
		}
		for _, q := range queries {
			if got, err := store.Jobs(t.Context(), q); !errors.Is(err, jobcenter.ErrBadCursor) {
				t.Errorf("sort %q, desc %v, cursor %.40q: %d jobs, error %v; want ErrBadCursor", q.Sort, q.Desc, q.Cursor, len(got.Jobs), err)
			}
		}
		if _, err := store.Runs(t.Context(), jobcenter.RunQuery{Cursor: page.NextCursor}); !errors.Is(err, jobcenter.ErrBadCursor) {
			t.Errorf("a cursor of jobs in a list of runs: %v, want ErrBadCursor", err)
		}
	}
}
