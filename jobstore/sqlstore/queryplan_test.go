package sqlstore

import (
	"context"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jobcenter-go/jobcenter"
	"github.com/jobcenter-go/jobcenter/internal/sqlkit"
)

// queryPlan is how SQLite would carry a statement out, a step a line.
func queryPlan(t *testing.T, store *Store, query string, args ...any) string {
	t.Helper()
	rows, err := store.db.Write.QueryContext(context.Background(), "EXPLAIN QUERY PLAN "+query, args...)
	if err != nil {
		t.Fatalf("%v\n%s", err, query)
	}
	defer func() { _ = rows.Close() }()
	var plan strings.Builder
	for rows.Next() {
		var id, parent, unused int
		var detail string
		if err := rows.Scan(&id, &parent, &unused, &detail); err != nil {
			t.Fatal(err)
		}
		plan.WriteString(detail + "\n")
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return plan.String()
}

func openForPlans(t *testing.T) *Store {
	t.Helper()
	store, err := Open(t.Context(), filepath.Join(t.TempDir(), "jobs.db"), Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	return store
}

// TestStatementsUseIndexes finds statements that would read a whole table or
// sort it, however few rows they are after.
func TestStatementsUseIndexes(t *testing.T) {
	t.Parallel()
	store := openForPlans(t)
	text, err := files.ReadFile("sqlite/queries.sql")
	if err != nil {
		t.Fatal(err)
	}
	bad := regexp.MustCompile(`SCAN [jr]\b|SCAN jobcenter_\w+$|SCAN jobcenter_\w+ USING INDEX|USE TEMP B-TREE`)
	numbered := regexp.MustCompile(`\?\d`)
	allowed := map[string]string{
		"orphans":     "SCAN r USING INDEX jobcenter_run_running|USE TEMP B-TREE FOR ORDER BY", // few: bounded by the executors
		"held":        "SCAN jobcenter_run USING INDEX jobcenter_run_running",                  // likewise
		"insert_tags": "USE TEMP B-TREE FOR DISTINCT",                                          // of one job's
	}
	for _, section := range strings.Split(string(text), "-- name: ")[1:] {
		name, query, _ := strings.Cut(section, "\n")
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			query := strings.TrimSuffix(strings.TrimSpace(query), ";")
			args := make([]any, strings.Count(query, "?"))
			if strings.Contains(query, "?1") {
				args = make([]any, len(slices.Compact(slices.Sorted(slices.Values(numbered.FindAllString(query, -1))))))
			}
			for i := range args {
				args[i] = "[]"
			}
			plan := queryPlan(t, store, query, args...)
			for line := range strings.Lines(plan) {
				line = strings.TrimSpace(line)
				if bad.MatchString(line) && (allowed[name] == "" || !regexp.MustCompile(allowed[name]).MatchString(line)) {
					t.Errorf("%s:\n%s", line, plan)
				}
			}
		})
	}
}

func TestListsUseIndexes(t *testing.T) {
	t.Parallel()
	store := openForPlans(t)
	number := int64(5)
	after := cursor{Number: &number, Seq: 7}
	failed, running := jobcenter.RunFailed, jobcenter.RunRunning
	for name, test := range map[string]struct {
		query jobcenter.RunQuery
		want  string
		sorts bool
	}{
		"newest":         {jobcenter.RunQuery{}, "USING INDEX jobcenter_run_newest (fire_time<?", false},
		"job":            {jobcenter.RunQuery{JobID: "a"}, "USING INDEX jobcenter_run_fire (job_id=? AND fire_time<?", false},
		"state":          {jobcenter.RunQuery{States: []jobcenter.RunState{failed}}, "USING INDEX jobcenter_run_state (state=? AND fire_time<?", false},
		"job and state":  {jobcenter.RunQuery{JobID: "a", States: []jobcenter.RunState{failed}}, "USING INDEX jobcenter_run_job_state (job_id=? AND state=? AND fire_time<?", false},
		"states":         {jobcenter.RunQuery{States: []jobcenter.RunState{failed, jobcenter.RunLost}}, "USING INDEX jobcenter_run_state (state=? AND fire_time<?", true},
		"state and time": {jobcenter.RunQuery{States: []jobcenter.RunState{failed}, From: time.Unix(1, 0), To: time.Unix(2, 0)}, "USING INDEX jobcenter_run_state (state=? AND fire_time>? AND fire_time<?", false},
		"running of job": {jobcenter.RunQuery{JobID: "a", States: []jobcenter.RunState{running}}, "USING INDEX jobcenter_run_running (job_id=?", true},
		"running":        {jobcenter.RunQuery{States: []jobcenter.RunState{running}}, "USING INDEX jobcenter_run_running", true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			query, args := store.selectRuns(test.query, after, 51).Build()
			plan := queryPlan(t, store, query, args...)
			if !strings.Contains(plan, test.want) || strings.Contains(plan, "USE TEMP B-TREE FOR ORDER BY") && !test.sorts {
				t.Errorf("want %s, and to sort: %v\n%s", test.want, test.sorts, plan)
			}
		})
	}
	for sort, index := range map[jobcenter.JobSort]string{
		jobcenter.SortByID: "jobcenter_job_id", jobcenter.SortByName: "jobcenter_job_label",
		jobcenter.SortByNextFireTime: "jobcenter_job_due", jobcenter.SortByCreatedAt: "jobcenter_job_created",
	} {
		for _, desc := range []bool{false, true} {
			order, err := orderOf(sort)
			if err != nil {
				t.Fatal(err)
			}
			for _, part := range order.parts {
				sb := store.selectJobs(jobcenter.JobQuery{}, order, part)
				cursor{ID: "x"}.where(sb, sqlkit.SQLite, desc, order.columns(part)...)
				direction(sb, desc, order.columns(part)...)
				query, args := sb.Limit(51).Build()
				plan := queryPlan(t, store, query, args...)
				want := "SEARCH jobcenter_job USING INDEX " + index
				if part.null {
					want = "SEARCH jobcenter_job USING INDEX jobcenter_job_idle"
				}
				// Jobs that are due at one instant come by precedence, and are sorted by id.
				plan = strings.TrimSuffix(plan, "USE TEMP B-TREE FOR LAST TERM OF ORDER BY\n")
				if !strings.HasPrefix(plan, want) || strings.Contains(plan, "TEMP B-TREE") {
					t.Errorf("sort %s, desc %v, %v:\n%s\n%s", sort, desc, part, query, plan)
				}
			}
		}
	}
}

// TestQueriesAreThoseOfTheFile keeps the columns of lists the same as those of
// the statements in the file.
func TestQueriesAreThoseOfTheFile(t *testing.T) {
	t.Parallel()
	text, err := files.ReadFile(string(sqlkit.SQLite) + "/queries.sql")
	if err != nil {
		t.Fatal(err)
	}
	squeeze := func(s, alias string) string {
		return regexp.MustCompile(`\s+|\b`+alias+`\.`).ReplaceAllString(s, "")
	}
	if !strings.Contains(squeeze(string(text), "j"), squeeze(jobColumns, "j")) {
		t.Error("the columns of jobs differ")
	}
	if !strings.Contains(squeeze(string(text), "r"), squeeze(runColumns, "r")) {
		t.Error("the columns of runs differ")
	}
}
