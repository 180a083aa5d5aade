package sqlstore

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"

	"github.com/huandu/go-sqlbuilder"

	"github.com/jobcenter-go/jobcenter"
	"github.com/jobcenter-go/jobcenter/internal/sqlkit"
)

const (
	defaultLimit = 50
	maxLimit     = 500
)

// pageLimit brings the limit of a query into its range.
func pageLimit(limit int) int {
	if limit <= 0 {
		return defaultLimit
	}
	return min(limit, maxLimit)
}

// jobOrder is how a list of jobs is ordered: by a column and then by id, in
// parts that come one after the other whichever way the list runs.
type jobOrder struct {
	column string
	parts  []orderPart
}

// orderPart is a part of a list; each is read through an index.
type orderPart struct {
	condition string
	null      bool // the column is NULL in all of it, so that the id alone orders it
}

func orderOf(sort jobcenter.JobSort) (jobOrder, error) {
	switch sort {
	case jobcenter.SortByID, "":
		return jobOrder{"id", []orderPart{{}}}, nil
	case jobcenter.SortByName:
		return jobOrder{"label", []orderPart{{}}}, nil
	case jobcenter.SortByCreatedAt:
		return jobOrder{"created_at", []orderPart{{}}}, nil
	case jobcenter.SortByNextFireTime:
		return jobOrder{"due_at", []orderPart{{"due_at IS NOT NULL", false}, {"due_at IS NULL", true}}}, nil
	}
	return jobOrder{}, fmt.Errorf("sort: %q is unknown", sort)
}

// columns are what a part is ordered by.
func (o jobOrder) columns(part orderPart) []string {
	if part.null || o.column == "id" {
		return []string{"id"}
	}
	return []string{o.column, "id"}
}

// Jobs lists jobs by filter, in order, a page at a time.
func (s *Store) Jobs(ctx context.Context, q jobcenter.JobQuery) (jobcenter.JobPage, error) {
	page, err := s.jobPage(ctx, q)
	if err != nil {
		return jobcenter.JobPage{}, fmt.Errorf("sqlstore: list jobs: %w", err)
	}
	return page, nil
}

func (s *Store) jobPage(ctx context.Context, q jobcenter.JobQuery) (page jobcenter.JobPage, err error) {
	limit := pageLimit(q.Limit)
	order, err := orderOf(q.Sort)
	if err != nil {
		return page, err
	}
	list := "jobs by " + order.column
	if q.Desc {
		list += " desc"
	}
	after, err := decodeCursor(q.Cursor, list)
	if err != nil {
		return page, err
	}
	if after.Part >= len(order.parts) {
		return page, jobcenter.ErrBadCursor
	}
	last := cursor{List: list}
	for part := after.Part; part < len(order.parts); part++ {
		sb := s.selectJobs(q, order, order.parts[part])
		if err := s.filterJobs(sb, q); err != nil {
			return page, err
		}
		columns := order.columns(order.parts[part])
		if q.Cursor != "" && part == after.Part {
			after.where(sb, s.db.Dialect, q.Desc, columns...)
		}
		direction(sb, q.Desc, columns...)
		sb.Limit(limit - len(page.Jobs) + 1)
		more, err := s.readJobs(ctx, sb, part, limit, &page, &last)
		if err != nil {
			return page, err
		}
		if more {
			page.NextCursor = last.encode()
			return page, nil
		}
	}
	return page, nil
}

// list runs a statement that was put together.
func (s *Store) list(ctx context.Context, builder sqlbuilder.Builder) (*sql.Rows, error) {
	query, args := builder.Build()
	clean(args)
	return s.db.Read.QueryContext(ctx, query, args...)
}

// readJobs appends jobs to the page, up to limit, and notes the last one; more
// says that there is another.
func (s *Store) readJobs(ctx context.Context, sb *sqlbuilder.SelectBuilder, part, limit int, page *jobcenter.JobPage, last *cursor) (more bool, err error) {
	rows, err := s.list(ctx, sb)
	if err != nil {
		return false, err
	}
	defer func() { _ = rows.Close() }()
	for r := jobReader(1); rows.Next(); {
		if len(page.Jobs) == limit {
			return true, nil
		}
		job, err := s.scanJob(r, rows)
		if err != nil {
			return false, err
		}
		page.Jobs = append(page.Jobs, job.Job)
		last.set(part, r.value(), job.ID)
	}
	return false, rows.Err()
}

// selectJobs reads jobs through the index of their order. For a search, which
// looks at most rows anyway, that is far slower than reading the table from
// end to end and sorting what was found.
func (s *Store) selectJobs(q jobcenter.JobQuery, order jobOrder, part orderPart) *sqlbuilder.SelectBuilder {
	table := "jobcenter_job"
	switch {
	case s.db.Dialect != sqlkit.SQLite: // the others know what there is in their tables
	case q.Search != "":
		table += " NOT INDEXED"
	case part.null && q.Tag == "":
		table += " INDEXED BY jobcenter_job_idle"
	}
	return s.flavor.NewSelectBuilder().Select(jobColumns + ", " + order.column).From(table).Where(part.condition)
}

// direction orders by columns, all the same way.
func direction(sb *sqlbuilder.SelectBuilder, desc bool, columns ...string) {
	for _, column := range columns {
		if desc {
			sb.OrderByDesc(column)
		} else {
			sb.OrderByAsc(column)
		}
	}
}

func (s *Store) filterJobs(sb *sqlbuilder.SelectBuilder, q jobcenter.JobQuery) error {
	find := "instr"
	if s.db.Dialect == sqlkit.Postgres {
		find = "strpos"
	}
	for word := range strings.FieldsSeq(strings.ToLower(q.Search)) {
		sb.Where(find + "(search, " + sb.Var(word) + ") > 0")
	}
	if q.Tag != "" {
		sb.Where("seq IN (SELECT job_seq FROM jobcenter_job_tag WHERE tag = " + sb.Var(q.Tag) + ")")
	}
	if q.Task != "" {
		sb.Where(sb.Equal("task", q.Task))
	}
	switch q.State {
	case "":
	// What is said of due_at follows from the rest; it is there for the index.
	case jobcenter.JobActive:
		sb.Where("due_at IS NOT NULL", "paused = 0")
	case jobcenter.JobPaused:
		sb.Where("paused = 1", "quarantine = ''")
	case jobcenter.JobFinished:
		sb.Where("due_at IS NULL", "next_fire_time IS NULL", "paused = 0", "quarantine = ''")
	case jobcenter.JobQuarantined:
		sb.Where("due_at IS NULL", "quarantine <> ''")
	default:
		return fmt.Errorf("state: %q is unknown", q.State)
	}
	return nil
}

// Runs lists runs by filter, newest fire time first, a page at a time.
func (s *Store) Runs(ctx context.Context, q jobcenter.RunQuery) (jobcenter.RunPage, error) {
	page, err := s.runPage(ctx, q)
	if err != nil {
		return jobcenter.RunPage{}, fmt.Errorf("sqlstore: list runs: %w", err)
	}
	return page, nil
}

func (s *Store) runPage(ctx context.Context, q jobcenter.RunQuery) (page jobcenter.RunPage, err error) {
	limit := pageLimit(q.Limit)
	const list = "runs"
	after, err := decodeCursor(q.Cursor, list)
	if err != nil {
		return page, err
	}
	rows, err := s.list(ctx, s.selectRuns(q, after, limit+1))
	if err != nil {
		return page, err
	}
	defer func() { _ = rows.Close() }()
	var last int64
	for r := runReader(); rows.Next(); {
		if len(page.Runs) == limit {
			fire := page.Runs[limit-1].FireTime.UnixMicro()
			page.NextCursor = cursor{List: list, Number: &fire, Seq: last}.encode()
			break
		}
		run, err := scanRun(r, rows)
		if err != nil {
			return page, err
		}
		page.Runs = append(page.Runs, run.Run)
		last = run.seq
	}
	return page, rows.Err()
}

// selectRuns asks for each state apart, because one index gives the newest
// rows of one state only, and puts the answers together.
func (s *Store) selectRuns(q jobcenter.RunQuery, after cursor, limit int) sqlbuilder.Builder {
	if len(q.States) == 0 {
		return s.selectRunsOf(q, "", after, limit)
	}
	states := slices.Clone(q.States)
	slices.Sort(states)
	var parts []sqlbuilder.Builder
	for _, state := range slices.Compact(states) {
		part := s.flavor.NewSelectBuilder()
		parts = append(parts, part.Select("*").From(part.BuilderAs(s.selectRunsOf(q, state, after, limit), "part")))
	}
	if len(parts) == 1 {
		return parts[0]
	}
	return s.flavor.NewUnionBuilder().UnionAll(parts...).OrderByDesc("fire_time").OrderByDesc("seq").Limit(limit)
}

func (s *Store) selectRunsOf(q jobcenter.RunQuery, state jobcenter.RunState, after cursor, limit int) *sqlbuilder.SelectBuilder {
	table := "jobcenter_run"
	fireTime := "fire_time"
	if state == jobcenter.RunQueued || state == jobcenter.RunRunning {
		// Runs that go on are few, wherever they are in a long ledger, so they
		// are not looked for in its order.
		switch s.db.Dialect {
		case sqlkit.SQLite:
			table += " INDEXED BY jobcenter_run_" + string(state)
		case sqlkit.Postgres:
			fireTime += " + 0"
		default:
		}
	}
	sb := s.flavor.NewSelectBuilder().Select(runColumns).From(table)
	if q.JobID != "" {
		sb.Where(sb.Equal("job_id", q.JobID))
	}
	if state != "" {
		// The conditions of the partial indexes, word for word.
		switch state {
		case jobcenter.RunQueued:
			sb.Where("state = 'queued'")
		case jobcenter.RunRunning:
			sb.Where("state = 'running'")
		default:
			sb.Where("state NOT IN ('queued', 'running')", sb.Equal("state", string(state)))
		}
	}
	if !q.From.IsZero() {
		sb.Where(sb.GreaterEqualThan("fire_time", microsUp(q.From)))
	}
	if !q.To.IsZero() {
		sb.Where(sb.LessThan("fire_time", microsUp(q.To)))
	}
	if after.Number != nil {
		sb.Where(beyond(sb, s.db.Dialect, true, "fire_time", *after.Number, "seq", after.Seq))
	}
	return sb.OrderByDesc(fireTime).OrderByDesc("seq").Limit(limit)
}
