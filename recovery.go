package jobcenter

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"
)

// keepLease renews this node's lease, and records the runs of nodes that do
// not renew theirs as lost.
func (s *Scheduler) keepLease(ctx context.Context) {
	tick := time.NewTicker(s.opts.Lease / 3)
	defer tick.Stop()
	for {
		now := time.Now()
		err := s.store.Heartbeat(ctx, s.opts.Node, now.Add(s.opts.Lease))
		if err == nil {
			_, err = s.recoverOrphans(ctx, "")
		}
		if err != nil && ctx.Err() == nil {
			s.log.LogAttrs(ctx, slog.LevelError, "cannot renew the lease", slog.String("node", s.opts.Node), slog.Any("error", err))
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// recoverOwn records what this node was running when it died. It goes on
// until that has worked, since before it nothing may be started: a child
// process of the former life may still be at work.
func (s *Scheduler) recoverOwn(ctx context.Context) {
	for wait := newBackoff(); ctx.Err() == nil; {
		n, err := s.recoverOrphans(ctx, s.opts.Node)
		s.mu.Lock()
		s.loopErr = err
		s.mu.Unlock()
		switch {
		case err != nil:
			s.log.LogAttrs(ctx, slog.LevelError, "cannot recover runs", slog.String("node", s.opts.Node), slog.Any("error", err))
			wait.sleep(ctx)
		case n == 0:
			return
		}
	}
}

// recoverOrphans records a batch of runs whose node is dead as lost, and
// returns how many there were. node is this node at its start, when all that
// it ever began is dead, and empty later.
func (s *Scheduler) recoverOrphans(ctx context.Context, node string) (int, error) {
	orphans, err := s.store.Orphans(ctx, node, time.Now(), claimBatch)
	if err != nil || len(orphans) == 0 {
		return 0, err
	}
	ends := make([]Run, len(orphans))
	var recovered sync.WaitGroup
	for i, orphan := range orphans {
		recovered.Go(func() {
			run := orphan.Runs[0]
			run.State, run.Reason = RunLost, ReasonNodeDied
			run.Message = fmt.Sprintf("node %q did not renew its lease", run.Node)
			if run.Node == node {
				run.Message = "the scheduler's process died during the run" + s.recoverTask(ctx, orphan.Job, run)
			}
			run.EndedAt = time.Now()
			ends[i] = run
		})
	}
	recovered.Wait()
	for i := range ends {
		size, kept, err := s.storedOutput(ctx, ends[i].ID)
		if err != nil {
			return 0, err
		}
		ends[i].OutputSize, ends[i].OutputKept = size, kept
	}
	if err := s.store.Record(ctx, Records{Ends: ends}); err != nil {
		return 0, err
	}
	s.log.LogAttrs(ctx, slog.LevelWarn, "runs lost", slog.Int("count", len(ends)))
	return len(ends), nil
}

// recoverTask lets the task end what its run left behind, and returns what it
// has to say.
func (s *Scheduler) recoverTask(ctx context.Context, job Job, run Run) (note string) {
	defer func() {
		if p := recover(); p != nil {
			note = fmt.Sprintf("; recovery panicked: %v", p)
		}
	}()
	var notes strings.Builder
	for name, task := range s.opts.Tasks {
		recoverer, ok := task.(Recoverer)
		// A job that was removed while it ran no longer says what its task was.
		if !ok || job.Task != "" && job.Task != name {
			continue
		}
		note, err := recoverer.Recover(ctx, run)
		if err != nil {
			note = "recovery failed: " + err.Error()
		}
		if note != "" {
			notes.WriteString("; " + message(note))
		}
	}
	return notes.String()
}

// storedOutput measures what the store has of a run's output.
func (s *Scheduler) storedOutput(ctx context.Context, runID string) (size, kept int64, err error) {
	for {
		chunks, err := s.store.Output(ctx, runID, size, 1<<20)
		if err != nil || len(chunks) == 0 {
			return size, kept, err
		}
		for _, chunk := range chunks {
			kept += int64(len(chunk.Data))
			size = chunk.Offset + int64(len(chunk.Data))
		}
	}
}
