package jobcenter

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/jobcenter-go/jobcenter/trigger"
)

// Job returns a job from whichever store has it; ErrJobNotFound.
func (s *Scheduler) Job(ctx context.Context, id string) (Job, error) {
	var missing error
	for _, k := range s.all() {
		job, err := k.store.Job(ctx, id)
		if err == nil {
			job.Store = k.name
			return job, nil
		}
		if !errors.Is(err, ErrJobNotFound) {
			return Job{}, err
		}
		missing = err
	}
	return Job{}, missing
}

// GetRun returns a run from whichever store has it; ErrRunNotFound.
func (s *Scheduler) GetRun(ctx context.Context, id string) (Run, error) {
	var missing error
	for _, k := range s.all() {
		run, err := k.store.Run(ctx, id)
		if err == nil || !errors.Is(err, ErrRunNotFound) {
			return run, err
		}
		missing = err
	}
	return Run{}, missing
}

// Jobs lists jobs by filter, in order, a page at a time: those of one store
// after those of another, the default store first.
func (s *Scheduler) Jobs(ctx context.Context, q JobQuery) (JobPage, error) {
	var page JobPage
	next, err := s.pages(q.Cursor, func(k *keeper, cursor string) (string, error) {
		q.Cursor = cursor
		p, err := k.store.Jobs(ctx, q)
		page = p
		for i := range page.Jobs {
			page.Jobs[i].Store = k.name
		}
		return p.NextCursor, err
	})
	page.NextCursor = next
	return page, err
}

// Runs lists runs by filter, newest fire time first, a page at a time: those
// of one store after those of another, the default store first.
func (s *Scheduler) Runs(ctx context.Context, q RunQuery) (RunPage, error) {
	var page RunPage
	next, err := s.pages(q.Cursor, func(k *keeper, cursor string) (string, error) {
		q.Cursor = cursor
		p, err := k.store.Runs(ctx, q)
		page = p
		return p.NextCursor, err
	})
	page.NextCursor = next
	return page, err
}

// pages reads a page of the store that a cursor names, and returns the cursor
// of the next one. With a single store, cursors are the store's own.
func (s *Scheduler) pages(cursor string, read func(k *keeper, cursor string) (string, error)) (next string, err error) {
	all := s.all()
	if len(all) == 1 {
		return read(all[0], cursor)
	}
	at := 0
	if cursor != "" {
		name, inner, ok := strings.Cut(cursor, "/")
		if at = slices.IndexFunc(all, func(k *keeper) bool { return k.name == name }); !ok || at < 0 {
			return "", fmt.Errorf("jobcenter: list: %w: %q", ErrBadCursor, cursor)
		}
		cursor = inner
	}
	switch inner, err := read(all[at], cursor); {
	case err != nil:
		return "", err
	case inner != "":
		return all[at].name + "/" + inner, nil
	case at+1 < len(all):
		return all[at+1].name + "/", nil
	default:
		return "", nil
	}
}

// Print writes a table of all jobs that a query keeps for people to read: id,
// name, trigger, state, next fire time.
func (s *Scheduler) Print(ctx context.Context, w io.Writer, q JobQuery) error {
	table := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	_, _ = fmt.Fprintln(table, "ID\tNAME\tTASK\tTRIGGER\tSTATE\tNEXT FIRE TIME") // errors come with Flush
	q.Cursor = ""
	for {
		page, err := s.Jobs(ctx, q)
		if err != nil {
			return err
		}
		for i := range page.Jobs {
			job := &page.Jobs[i]
			_, _ = fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\n", job.ID, job.Name, job.Task, triggerText(job), job.State(), nextText(job))
		}
		if q.Cursor = page.NextCursor; q.Cursor == "" {
			return table.Flush()
		}
	}
}

func triggerText(job *Job) string {
	if text, err := trigger.Text(job.Trigger); err == nil {
		return text
	}
	return fmt.Sprintf("%T", job.Trigger)
}

func nextText(job *Job) string {
	switch {
	case job.State() == JobPaused && !job.PausedUntil.IsZero():
		return "paused until " + job.PausedUntil.Format(time.RFC3339)
	case job.State() != JobActive:
		return "-"
	case job.NextFireTime.Equal(AtStart()):
		return "at the next start"
	default:
		return job.NextFireTime.Format(time.RFC3339)
	}
}
