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

// Jobs implements JobStore. What changes while it looks at the jobs may or may
// not be in the page.
func (m *MemoryStore) Jobs(ctx context.Context, q JobQuery) (JobPage, error) {
	order := string(q.Sort) + fmt.Sprint(q.Desc)
	after, err := decodeCursor(q.Cursor, order)
	if err != nil {
		return JobPage{}, fmt.Errorf("memory store: list jobs: %w", err)
	}
	words := strings.Fields(strings.ToLower(q.Search))
	found := page[Job]{after: after, size: pageSize(q.Limit)}
	err = walk(ctx, m, &m.shelf, found.clear, func(stored *memoryJob) {
		job := stored.job()
		if q.matches(&job, words) {
			found.add(q.sortKey(&job), func() Job { return job })
		}
	})
	if err != nil {
		return JobPage{}, fmt.Errorf("memory store: list jobs: %w", err)
	}
	jobs, next := found.cut(order)
	return JobPage{Jobs: jobs, NextCursor: next}, nil
}

// walk shows all items of a shelf to see, and lets others at the store between
// one stretch of them and the next. When the items were moved meanwhile, it
// calls again and begins anew.
func walk[T any](ctx context.Context, m *MemoryStore, s *shelf[T], again func(), see func(*T)) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for from, moves := 0, s.moves; ; from += stretch {
		if err := ctx.Err(); err != nil {
			return err
		}
		if s.moves != moves {
			again()
			from, moves = 0, s.moves
		}
		if from >= len(s.items) {
			return nil
		}
		for _, item := range s.items[from:min(from+stretch, len(s.items))] {
			if item != nil {
				see(item)
			}
		}
		m.mu.Unlock()
		m.mu.Lock()
	}
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

// Runs implements JobStore. What changes while it looks at the runs may or may
// not be in the page.
func (m *MemoryStore) Runs(ctx context.Context, q RunQuery) (RunPage, error) {
	const order = "runs"
	after, err := decodeCursor(q.Cursor, order)
	if err != nil {
		return RunPage{}, fmt.Errorf("memory store: list runs: %w", err)
	}
	found := page[Run]{after: after, size: pageSize(q.Limit)}
	err = walk(ctx, m, &m.ledger, found.clear, func(run *memoryRun) {
		if q.matches(&run.Run) {
			key := sortKey{Number: run.FireTime.UnixMicro(), ID: run.ID, Desc: true}
			found.add(key, func() Run { return cloneRun(run.Run) })
		}
	})
	if err != nil {
		return RunPage{}, fmt.Errorf("memory store: list runs: %w", err)
	}
	runs, next := found.cut(order)
	return RunPage{Runs: runs, NextCursor: next}, nil
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

// page gathers the first items after a cursor, however many there are.
type page[T any] struct {
	after *sortKey // nil for the first page
	size  int
	found []listed[T]
	full  bool // found begins with a page and one more, in order
}

type listed[T any] struct {
	key  sortKey
	item T
}

func (p *page[T]) clear() { p.found, p.full = p.found[:0], false }

// add takes an item that may be on the page.
func (p *page[T]) add(key sortKey, item func() T) {
	if p.after != nil && key.compare(*p.after) <= 0 || p.full && key.compare(p.found[p.size].key) >= 0 {
		return
	}
	p.found = append(p.found, listed[T]{key, item()})
	if len(p.found) >= 4*(p.size+1) {
		p.sort()
	}
}

// sort puts the items in order, and drops those that are not on the page but
// for one, which tells that there is another page.
func (p *page[T]) sort() {
	slices.SortFunc(p.found, func(a, b listed[T]) int { return a.key.compare(b.key) })
	if beyond := p.size + 1; len(p.found) >= beyond {
		clear(p.found[beyond:])
		p.found, p.full = p.found[:beyond], true
	}
}

func (p *page[T]) cut(order string) (items []T, cursor string) {
	p.sort()
	for i, item := range p.found {
		if i == p.size {
			return items, encodeCursor(p.found[i-1].key, order)
		}
		items = append(items, item.item)
	}
	return items, ""
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
