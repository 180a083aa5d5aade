package sqlstore_test

import (
	"context"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/jobcenter-go/jobcenter"
	"github.com/jobcenter-go/jobcenter/internal/sqlkit"
)

var (
	wholeTable = regexp.MustCompile(`Seq Scan on jobcenter_(job|run)|\b(r|j|t|jobcenter_run|jobcenter_job) (ALL|index) `)
	sorting    = regexp.MustCompile(`Sort Key|filesort`)
	// againForEachRow is how MariaDB and MySQL say that a list is taken apart anew.
	againForEachRow = regexp.MustCompile(`(?m)DEPENDENT SUBQUERY n .*json_table`)
)

// TestServersUseIndexes finds out whether the statements that go through many
// rows are carried out as they are meant to be once there are many.
func TestServersUseIndexes(t *testing.T) {
	t.Parallel()
	for _, on := range servers()[1:] {
		t.Run(on.kind, func(t *testing.T) {
			t.Parallel()
			on.start(t)
			url := on.create(t)
			fillForPlans(t, url)
			db, err := sqlkit.Open(t.Context(), url)
			if err != nil {
				t.Fatal(err)
			}
			defer closeIt(t, db)
			now := base().Add(time.Hour).UnixMicro()
			some := `["job00001","job00002"]`
			for name, test := range map[string]struct {
				args  []any
				index string
				sorts bool
			}{
				"due_jobs":       {[]any{now, `["task"]`, `["default"]`, 100}, "jobcenter_job_due", false},
				"next_due":       {[]any{`["task"]`, `["default"]`}, "jobcenter_job_due", false},
				"queue":          {[]any{"default", -5, 0, 0, 0, some, `["task"]`, `["x"]`, 50}, "jobcenter_run_queue", false},
				"wake_runs":      {[]any{"default", now}, "jobcenter_run_waits", false},
				"next_waiting":   {[]any{"default", now}, "jobcenter_run_waits", false},
				"count_queued":   {[]any{"default", 100}, "jobcenter_run_queue", false},
				"jobs":           {[]any{some}, "jobcenter_job_id", false},
				"take_jobs":      {[]any{some}, "jobcenter_job_id", false},
				"runs":           {[]any{some}, "jobcenter_run_id", false},
				"existing_runs":  {[]any{some}, "jobcenter_run_id", false},
				"held_runs":      {[]any{some}, "jobcenter_run_id", true},
				"running_runs":   {[]any{some}, map[string]string{"postgres": "jobcenter_run_running", "mysql": "jobcenter_run_job_state"}[on.kind], true},
				"queued_runs":    {[]any{some}, map[string]string{"postgres": "jobcenter_run_queued", "mysql": "jobcenter_run_job_state"}[on.kind], true},
				"starts_of_key":  {[]any{"key", now, 10}, "jobcenter_run_starts", false},
				"running_of_key": {[]any{"key"}, map[string]string{"postgres": "jobcenter_run_limited", "mysql": "jobcenter_run_state"}[on.kind], false},
				"held":           {[]any{"node-1"}, map[string]string{"postgres": "jobcenter_run_running", "mysql": "jobcenter_run_state"}[on.kind], false},
				"orphans":        {[]any{now, "node-1", 10}, map[string]string{"postgres": "jobcenter_run_running", "mysql": "jobcenter_run_state"}[on.kind], true},
				"last_runs":      {[]any{some}, "jobcenter_run_fire", false},
			} {
				plan := explain(t, db, query(t, on.kind, name), test.args...)
				if !strings.Contains(plan, test.index) {
					t.Errorf("%s does not use %s:\n%s", name, test.index, plan)
				}
				if wholeTable.MatchString(plan) || !test.sorts && sorting.MatchString(plan) || againForEachRow.MatchString(plan) {
					t.Errorf("%s reads or sorts more than it needs:\n%s", name, plan)
				}
			}
		})
	}
}

func query(t *testing.T, kind, name string) string {
	t.Helper()
	text, err := os.ReadFile(kind + "/queries.sql")
	if err != nil {
		t.Fatal(err)
	}
	_, query, ok := strings.Cut(string(text), "-- name: "+name+"\n")
	if !ok {
		t.Fatalf("no query %s", name)
	}
	query, _, _ = strings.Cut(query, "-- name: ")
	return strings.TrimSuffix(strings.TrimSpace(query), ";")
}

// explain returns the plan of a statement, a line for each of its rows.
func explain(t *testing.T, db *sqlkit.DB, query string, args ...any) string {
	t.Helper()
	rows, err := db.Read.QueryContext(t.Context(), db.Dialect.Rebind("EXPLAIN "+query), args...)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = rows.Close() }()
	columns, err := rows.Columns()
	if err != nil {
		t.Fatal(err)
	}
	var plan strings.Builder
	for rows.Next() {
		values := make([]any, len(columns))
		for i := range values {
			values[i] = new(any)
		}
		if err := rows.Scan(values...); err != nil {
			t.Fatal(err)
		}
		for _, value := range values {
			switch value := (*value.(*any)).(type) {
			case []byte:
				fmt.Fprintf(&plan, "%s ", value)
			default:
				fmt.Fprint(&plan, value, " ")
			}
		}
		plan.WriteString("\n")
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return plan.String()
}

func fillForPlans(t *testing.T, url string) {
	t.Helper()
	const jobs = 5000
	store := openURL(t, url)
	defer closeIt(t, store)
	if err := store.AddJobs(t.Context(), func() ([]jobcenter.Job, error) {
		list := make([]jobcenter.Job, jobs)
		for i := range list {
			list[i] = minutely(t, fmt.Sprintf("job%05d", i))
			list[i].Executor = "default"
			list[i].NextFireTime = base().Add(time.Duration(i%300) * time.Minute)
		}
		return list, nil
	}); err != nil {
		t.Fatal(err)
	}
	n := 0
	for range 4 {
		if _, err := store.Claim(context.Background(), can(), base().AddDate(1, 0, 0), jobs, func(job jobcenter.Job, _ jobcenter.Active) jobcenter.Decision {
			n++
			run := benchRun(job, n)
			switch {
			case n%100 == 0:
			case n%5 == 0:
				run.State, run.Attempt, run.StartedAt, run.Turn = jobcenter.RunQueued, 0, time.Time{}, run.FireTime
			default:
				run.State, run.EndedAt = jobcenter.RunSucceeded, run.FireTime
			}
			return jobcenter.Decision{Next: job.NextFireTime.Add(time.Minute), Runs: []jobcenter.Run{run}}
		}); err != nil {
			t.Fatal(err)
		}
	}
	for _, table := range []string{"jobcenter_job", "jobcenter_run"} {
		analyze := "ANALYZE " + table
		if strings.HasPrefix(url, "mysql") {
			analyze = "ANALYZE TABLE " + table
		}
		execOn(t, url, analyze)
	}
}
