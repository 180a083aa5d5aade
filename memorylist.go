package jobcenter

import (
	"cmp"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// Jobs implements JobStore.
func (m *MemoryStore) Jobs(ctx context.Context, q JobQuery) (JobPage, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return JobPage{}, fmt.Errorf("memory store: list jobs: %w", err)
	}
	order := string(q.Sort) + fmt.Sprint(q.Desc)
	after, err := decodeCursor(q.Cursor, order)
	if err != nil {
		return JobPage{}, fmt.Errorf("memory store: list jobs: %w", err)
	}
	words := strings.Fields(strings.ToLower(q.Search))
	var found []listed[Job]
	for _, job := range m.jobs {
		if q.matches(&job.Job, words) {
			found = append(found, listed[Job]{q.sortKey(&job.Job), job.Job})
		}
	}
	page, next := pageOf(found, after, order, pageSize(q.Limit))
	for i := range page {
		page[i] = cloneJob(page[i])
	}
	return JobPage{Jobs: page, NextCursor: next}, nil
}

func (q *JobQuery) matches(job *Job, words []string) bool {
	if q.Tag != "" && !slices.Contains(job.Tags, q.Tag) || q.State != "" && job.State() != q.State || q.Task != "" && job.Task != q.Task {
		return false
	}
	text := strings.ToLower(job.ID + "\n" + job.Name + "\n" + job.Description + "\n" + string(job.Args) + "\n" + strings.Join(job.Tags, "\n"))
	return !slices.ContainsFunc(words, func(word string) bool { return !strings.Contains(text, word) })
}

// sortKey gives what a list is ordered by, as something that always sorts upwards.
func (q *JobQuery) sortKey(job *Job) sortKey {
	key := sortKey{ID: job.ID, Desc: q.Desc}
	switch q.Sort {
	case SortByName:
		key.Text = cmp.Or(job.Name, job.ID)
	case SortByNextFireTime:
		due := job.DueAt()
		key.Last = due.IsZero()
		if !key.Last {
			key.Number = due.UnixMicro()
		}
	case SortByCreatedAt:
		key.Number = job.CreatedAt.UnixMicro()
	case SortByID:
	}
	return key
}

// Runs implements JobStore.
func (m *MemoryStore) Runs(ctx context.Context, q RunQuery) (RunPage, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return RunPage{}, fmt.Errorf("memory store: list runs: %w", err)
	}
	after, err := decodeCursor(q.Cursor, "runs")
	if err != nil {
		return RunPage{}, fmt.Errorf("memory store: list runs: %w", err)
	}
	var found []listed[Run]
	for _, run := range m.runs {
		if q.matches(&run.Run) {
			found = append(found, listed[Run]{sortKey{Number: run.FireTime.UnixMicro(), ID: run.ID, Desc: true}, cloneRun(run.Run)})
		}
	}
	page, next := pageOf(found, after, "runs", pageSize(q.Limit))
	return RunPage{Runs: page, NextCursor: next}, nil
}

func (q *RunQuery) matches(run *Run) bool {
	return (q.JobID == "" || run.JobID == q.JobID) &&
		(len(q.States) == 0 || slices.Contains(q.States, run.State)) &&
		(q.From.IsZero() || !run.FireTime.Before(q.From)) &&
		(q.To.IsZero() || run.FireTime.Before(q.To))
}

// sortKey is the place of an item in a list, and as JSON the cursor of the
// page that begins after it.
type sortKey struct {
	Order  string `json:"o"`
	Last   bool   `json:"l"`
	Number int64  `json:"n"`
	Text   string `json:"t"`
	ID     string `json:"i"`
	Desc   bool   `json:"d"`
}

func (k sortKey) compare(other sortKey) int {
	last := cmp.Compare(flag(k.Last), flag(other.Last))
	rest := cmp.Or(cmp.Compare(k.Number, other.Number), cmp.Compare(k.Text, other.Text), cmp.Compare(k.ID, other.ID))
	if k.Desc {
		rest = -rest
	}
	return cmp.Or(last, rest)
}

func flag(b bool) int {
	if b {
		return 1
	}
	return 0
}

type listed[T any] struct {
	key  sortKey
	item T
}

// pageOf sorts what was found and cuts the page after the cursor out of it.
func pageOf[T any](found []listed[T], after *sortKey, order string, size int) (page []T, cursor string) {
	slices.SortFunc(found, func(a, b listed[T]) int { return a.key.compare(b.key) })
	for i, item := range found {
		if after != nil && item.key.compare(*after) <= 0 {
			continue
		}
		if len(page) == size {
			return page, encodeCursor(found[i-1].key, order)
		}
		page = append(page, item.item)
	}
	return page, ""
}

func pageSize(limit int) int {
	if limit <= 0 {
		return 50
	}
	return min(limit, 500)
}

func encodeCursor(key sortKey, order string) string {
	key.Order = order
	text, _ := json.Marshal(key) // strings, numbers and booleans always encode
	return base64.RawURLEncoding.EncodeToString(text)
}

func decodeCursor(cursor, order string) (*sortKey, error) {
	if cursor == "" {
		return nil, nil //nolint:nilnil // no cursor: the first page
	}
	text, err := base64.RawURLEncoding.DecodeString(cursor)
	var key sortKey
	if err == nil {
		err = json.Unmarshal(text, &key)
	}
	if err != nil || key.Order != order {
		return nil, fmt.Errorf("%w: %q", ErrBadCursor, cursor)
	}
	return &key, nil
}
