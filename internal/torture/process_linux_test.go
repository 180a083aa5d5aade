package torture

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jobcenter-go/jobcenter"
)

// schedulerEnv is set for a process that is a scheduler and no test; it holds
// an order.
const schedulerEnv = "JOBCENTER_TORTURE_SCHEDULER"

// order says what a scheduler process is to do.
type order struct {
	Store, URL string
	Node       string
	Process    string // what no other process is called
	Journal    string // path
	Lease      time.Duration
	Poll       time.Duration
	Pool       int
}

// TestMain makes this binary a scheduler, where it is started as such.
func TestMain(m *testing.M) {
	text := os.Getenv(schedulerEnv)
	if text == "" {
		os.Exit(m.Run())
	}
	var o order
	err := json.Unmarshal([]byte(text), &o)
	if err == nil {
		err = schedule(&o)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "scheduler:", err)
		os.Exit(1)
	}
}

// schedule runs a scheduler until SIGTERM.
func schedule(o *order) error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{ReplaceAttr: withoutStack})).With(slog.String("process", o.Process))
	j, err := openJournal(o.Journal)
	if err != nil {
		return err
	}
	store, err := openPatiently(ctx, log, o)
	if err != nil || ctx.Err() != nil {
		return err
	}
	pool, err := jobcenter.NewPool(o.Pool)
	if err != nil {
		return errors.Join(err, store.Close())
	}
	scheduler, err := jobcenter.New(jobcenter.Options{
		Store: &journalStore{JobStore: store, journal: j}, Tasks: tasks(j, o.Process),
		Executors: map[string]jobcenter.Executor{jobcenter.DefaultExecutor: pool},
		Node:      o.Node, Lease: o.Lease, PollInterval: o.Poll, StopGrace: 300 * time.Millisecond, Logger: log,
	})
	if err != nil {
		return errors.Join(err, store.Close())
	}
	return errors.Join(scheduler.Run(ctx), store.Close())
}

// withoutStack leaves out the stacks of the many tasks that panic.
func withoutStack(_ []string, a slog.Attr) slog.Attr {
	if a.Key == "stack" {
		return slog.Attr{}
	}
	return a
}

// openPatiently opens the store, which may not answer yet.
func openPatiently(ctx context.Context, log *slog.Logger, o *order) (jobcenter.JobStore, error) {
	k, err := kindOfStore(o.Store)
	if err != nil {
		return nil, err
	}
	for {
		opening, cancel := context.WithTimeout(ctx, 10*time.Second)
		store, err := k.open(opening, o.URL)
		cancel()
		if err == nil {
			return store, nil
		}
		log.LogAttrs(ctx, slog.LevelWarn, "cannot open the store", slog.Any("error", err))
		select {
		case <-ctx.Done():
			return nil, nil //nolint:nilnil // it was told to end
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// journalStore notes in a journal what the store has acknowledged.
type journalStore struct {
	jobcenter.JobStore
	journal *journal
}

func (s *journalStore) Heartbeat(ctx context.Context, node string, until time.Time) error {
	err := s.JobStore.Heartbeat(ctx, node, until)
	if err == nil {
		s.journal.write(fmt.Appendf(nil, "%c %d %d\n", leaseLine, time.Now().UnixMicro(), until.UnixMicro()))
	}
	return err
}

func (s *journalStore) Claim(ctx context.Context, can jobcenter.Can, now time.Time, limit int, decide func(job jobcenter.Job, active jobcenter.Active) jobcenter.Decision) ([]jobcenter.Claimed, error) {
	claimed, err := s.JobStore.Claim(ctx, can, now, limit, decide)
	s.noteClaimed(claimed)
	return claimed, err
}

func (s *journalStore) TakeQueued(ctx context.Context, can jobcenter.Can, executor string, now time.Time, limit int, start func(job jobcenter.Job, run jobcenter.Run) jobcenter.Run) ([]jobcenter.Claimed, time.Time, error) {
	taken, next, err := s.JobStore.TakeQueued(ctx, can, executor, now, limit, start)
	s.noteClaimed(taken)
	return taken, next, err
}

func (s *journalStore) noteClaimed(claimed []jobcenter.Claimed) {
	var lines []byte
	now := time.Now()
	for _, c := range claimed {
		for i := range c.Runs {
			if run := &c.Runs[i]; run.State == jobcenter.RunRunning {
				lines = appendLine(lines, claimLine, now, jobNumber(run.JobID), run.FireTime, run.Attempt, string(run.Reason), run.StartedAt.UnixMicro(), unixMicro(run.NotBefore))
			}
		}
	}
	s.journal.write(lines)
}

// unixMicro is 0 for the zero time.
func unixMicro(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

func (s *journalStore) Record(ctx context.Context, records jobcenter.Records) error {
	err := s.JobStore.Record(ctx, records)
	if err != nil {
		return err
	}
	var lines []byte
	now := time.Now()
	for i := range records.Ends {
		end := &records.Ends[i]
		when := end.EndedAt
		if end.State == jobcenter.RunQueued {
			when = end.NotBefore
		}
		lines = appendLine(lines, recordLine, now, jobNumber(end.JobID), end.FireTime, end.Attempt, string(end.State), when.UnixMicro(), "-")
	}
	s.journal.write(lines)
	return nil
}

// tasks are those of all kinds, which write in a journal what they do.
func tasks(j *journal, process string) map[string]jobcenter.Task {
	tasks := map[string]jobcenter.Task{}
	for _, k := range kinds() {
		tasks[k.name] = jobcenter.TaskFunc(func(ctx context.Context, rc *jobcenter.RunContext) (err error) {
			a := &attemptRun{RunContext: rc, job: jobNumber(rc.Job.ID), attempt: rc.Attempt(), carried: -1}
			carried := strings.TrimSpace(string(rc.Job.Carried))
			if carried == "" {
				carried = "0"
			}
			j.write(appendLine(nil, beginLine, time.Now(), a.job, rc.FireTime(), a.attempt, "", carried, rc.Run.ID))
			defer func() {
				p := recover()
				j.write(appendLine(nil, endLine, time.Now(), a.job, rc.FireTime(), a.attempt, outcome(ctx, p, err), a.carried, "-"))
				if p != nil {
					panic(p)
				}
			}()
			if err := rc.SetResult(result(a.attempt, process)); err != nil {
				return err
			}
			return k.work(ctx, a)
		})
	}
	return tasks
}

func outcome(ctx context.Context, panicked any, err error) string {
	cause := context.Cause(ctx)
	switch {
	case panicked != nil:
		return outcomePanic
	case err == nil:
		return outcomeDone
	case errors.Is(cause, jobcenter.ErrTimeout):
		return outcomeTimeout
	case errors.Is(cause, jobcenter.ErrStopped):
		return outcomeStopped
	case errors.Is(cause, jobcenter.ErrLostRun):
		return outcomeTaken
	case errors.Is(cause, jobcenter.ErrShutdown):
		return outcomeShutdown
	default:
		return outcomeError
	}
}
