package sqlstore_test

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/jobcenter-go/jobcenter"
	"github.com/jobcenter-go/jobcenter/internal/sqlkit"
)

// TestServersUseIndexes finds out whether the statements that go through many
// rows are carried out as they are meant to be once there are many.
func TestServersUseIndexes(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, on *server) {
		if on.variable == "" {
			t.Skip("the plans of SQLite have tests of their own")
		}
		url := on.create(t)
		fillForPlans(t, url)
		db, err := sqlkit.Open(t.Context(), url)
		if err != nil {
			t.Fatal(err)
		}
		defer closeIt(t, db)
		now := base().Add(time.Hour).UnixMicro()
		some := `["job00001","job00002"]`
		for name, args := range map[string][]any{
			"due_jobs":       {now, `["task"]`, `["default"]`, 100},
			"next_due":       {`["task"]`, `["default"]`},
			"queue":          {"default", -5, 0, 0, 0, some, `["task"]`, `["x"]`, 50},
			"wake_runs":      {"default", now},
			"next_waiting":   {"default", now},
			"count_queued":   {"default", 100},
			"jobs":           {some},
			"runs":           {some},
			"take_jobs":      {some},
			"running_runs":   {some},
			"queued_runs":    {some},
			"held_runs":      {some},
			"starts_of_key":  {"key", now, 10},
			"running_of_key": {"key"},
			"held":           {"node-1"},
			"orphans":        {now, "node-1", 10},
			"last_runs":      {some},
			"existing_runs":  {some},
		} {
			t.Log(name + ":\n" + explain(t, db, query(t, on.kind, name), args...))
		}
	})
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
	defer closeIt(t, rows)
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
