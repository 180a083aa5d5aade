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

func jobListTests() tests {
	return tests{
		"search":                   jobsSearch,
		"tag, state and task":      jobsFilter,
		"orders":                   jobsOrder,
		"pages while jobs come in": jobsPages,
		"pages of a filter":        jobsPagesFiltered,
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
	var jobs []jobcenter.Job
	for _, job := range []struct{ id, name, description, args string }{
		{"alpha", "Nightly Backup", "Copies it all.\nTo the TAPE", `{"command":"pg_dump main"}`},
		{"beta", "数据库备份", "每天夜里把订单数据备份到磁带。", `{"command":"mysqldump 订单"}`},
		{"gamma", "100% done", "", `{"command":"a_b && c"}`},
		{"delta", "100 done", `a\b`, `{"command":"aXb"}`},
		{"Epsilon", "ÜBER größe", "Ежедневная РАБОТА Ωμέγα", `{"path":"C:/x"}`},
	} {
		full := newJob(t, job.id, at(1))
		full.Name, full.Description, full.Args, full.Tags = job.name, job.description, []byte(job.args), []string{"tag-" + job.id, "Shared Tag"}
		full.PauseReason, full.Carried, full.LastResult = "hidden", []byte(`"hidden"`), []byte(`"hidden"`)
		jobs = append(jobs, full)
	}
	addJobs(t, store, jobs...)
	everyone := []string{"Epsilon", "alpha", "beta", "delta", "gamma"}
	for search, want := range map[string][]string{
		"":                everyone,
		"  \t ":           everyone,
		"ALPHA":           {"alpha"},
		"epsiLON":         {"Epsilon"},
		"backup":          {"alpha"},
		"BACKUP nightly":  {"alpha"},
		"backup weekly":   nil,
		"tape":            {"alpha"},
		"all.\n to":       {"alpha"}, // words, in any order
		"pg_dump":         {"alpha"},
		"pg_dump copies":  {"alpha"}, // one here, one there
		"dump":            {"alpha", "beta"},
		"备份":              {"beta"},
		"数据 订单":           {"beta"},
		"磁带":              {"beta"},
		"份备":              nil,
		"100%":            {"gamma"}, // a literal, not a wildcard
		"a_b":             {"gamma"},
		"a%b":             nil,
		"a?b":             nil,
		"a.b":             nil,
		"&&":              {"gamma"},
		"%":               {"gamma"},
		"_":               {"alpha", "gamma"},
		"über":            {"Epsilon"},
		"GRÖSSE":          nil, // case, not spelling
		"grosse":          nil,
		"uber":            nil,
		"GRÖßE epsilon":   {"Epsilon"},
		"работа ЕЖЕ ωΜΈγ": {"Epsilon"},
		"tag-gamma":       {"gamma"},
		"shared":          everyone,
		"alphanightly":    nil, // a word lies within one field
		"' OR 1=1":        nil,
		`a\b`:             {"delta"},
		`\`:               {"delta"},
		`\\`:              nil,
		"nightly ALPHA g": {"alpha"},
		"hidden":          nil,
		"interval":        nil,
	} {
		got := listJobs(t, store, jobcenter.JobQuery{Search: search})
		slices.Sort(got)
		checkSame(t, fmt.Sprintf("search %q", search), want, got)
	}
	// A search goes by what the job is now.
	update(t, store, "alpha", func(job *jobcenter.Job) { job.Name, job.Description = "Weekly", "" })
	checkSame(t, "old name", []string(nil), listJobs(t, store, jobcenter.JobQuery{Search: "backup"}))
	checkSame(t, "old description", []string(nil), listJobs(t, store, jobcenter.JobQuery{Search: "tape"}))
	checkSame(t, "new name", []string{"alpha"}, listJobs(t, store, jobcenter.JobQuery{Search: "weekly"}))
	remove(t, store, "alpha")
	checkSame(t, "removed", []string(nil), listJobs(t, store, jobcenter.JobQuery{Search: "weekly"}))
}

func jobsFilter(t *testing.T, store jobcenter.JobStore) {
	var jobs []jobcenter.Job
	for id, change := range map[string]func(*jobcenter.Job){
		"active":      func(job *jobcenter.Job) { job.Tags = []string{"db", "x"} },
		"active2":     func(job *jobcenter.Job) { job.Task, job.Tags = "other", []string{"DB", "dbx", `"db"`} },
		"paused":      func(job *jobcenter.Job) { job.Paused, job.Tags = true, []string{"db"} },
		"pausedUntil": func(job *jobcenter.Job) { job.Paused, job.PausedUntil = true, at(9) },
		"pausedEnd":   func(job *jobcenter.Job) { job.Paused, job.NextFireTime = true, time.Time{} },
		"finished":    func(job *jobcenter.Job) { job.NextFireTime, job.Tags = time.Time{}, []string{"a,b", "数据"} },
		"quarantined": func(job *jobcenter.Job) { job.Quarantine, job.NextFireTime = "bad", time.Time{} },
		"quarPaused":  func(job *jobcenter.Job) { job.Quarantine, job.Paused = "bad", true },
	} {
		job := newJob(t, id, at(1))
		change(&job)
		jobs = append(jobs, job)
	}
	addJobs(t, store, jobs...)
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
		"paused":          {jobcenter.JobQuery{State: jobcenter.JobPaused}, []string{"paused", "pausedEnd", "pausedUntil"}},
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
			if i%4 == 0 {
				job.PausedUntil = at((i + 2) % 5)
			}
		}
		jobs = append(jobs, job)
	}
	addJobs(t, store, jobs...)
	return jobs
}

// compareBy compares jobs in an order, ids aside. Jobs that are never due
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
			aDue, bDue := a.DueAt(), b.DueAt()
			switch {
			case aDue.IsZero() && bDue.IsZero():
				return 0
			case aDue.IsZero():
				return 1
			case bDue.IsZero():
				return -1
			}
			c = aDue.Compare(bDue)
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
	added := 0
	for _, sort := range []jobcenter.JobSort{jobcenter.SortByID, jobcenter.SortByName, jobcenter.SortByNextFireTime, jobcenter.SortByCreatedAt} {
		for _, desc := range []bool{false, true} {
			q := jobcenter.JobQuery{Sort: sort, Desc: desc, Limit: 9}
			seen := map[string]int{}
			for pages := 0; ; pages++ {
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
				checkEndless(t, 100*pages)
				q.Cursor = page.NextCursor
				if pages > 1 {
					continue
				}
				// New jobs before, between and behind those that were there.
				var more []jobcenter.Job
				for _, id := range []string{"a", "job09x", "z"} {
					added++
					more = append(more, newJob(t, fmt.Sprint(id, added), at(added%6)))
				}
				addJobs(t, store, more...)
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

// jobsPagesFiltered pages through what a filter keeps while jobs come, go, and
// change so that they are kept no longer.
func jobsPagesFiltered(t *testing.T, store jobcenter.JobStore) {
	jobs := manyJobs(t, 40, at(1))
	for i := range jobs {
		jobs[i].Tags = []string{[]string{"even", "odd"}[i%2]}
	}
	addJobs(t, store, jobs...)
	q := jobcenter.JobQuery{Tag: "even", Search: "job0", State: jobcenter.JobActive, Limit: 5}
	var got []string
	for pages := 0; ; pages++ {
		page, err := store.Jobs(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		for _, job := range page.Jobs {
			got = append(got, job.ID)
		}
		if page.NextCursor == "" {
			break
		}
		checkEndless(t, 100*pages)
		q.Cursor = page.NextCursor
		if pages > 0 {
			continue
		}
		remove(t, store, page.Jobs[len(page.Jobs)-1].ID) // where the next page begins
		remove(t, store, "job020")
		update(t, store, "job022", func(job *jobcenter.Job) { job.Paused = true })
		update(t, store, "job024", func(job *jobcenter.Job) { job.Tags = []string{"odd"} })
		update(t, store, "job025", func(job *jobcenter.Job) { job.Tags = []string{"even"} })
	}
	var want []string
	for i := range 20 {
		id := fmt.Sprintf("job%03d", 2*i)
		switch id {
		case "job020", "job022":
		case "job024":
			want = append(want, "job025")
		default:
			want = append(want, id)
		}
	}
	checkSame(t, "listed", want, got)
}

func jobsLimits(t *testing.T, store jobcenter.JobStore) {
	addJobs(t, store, manyJobs(t, 55, at(1))...)
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
