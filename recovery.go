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
	renewed := time.Now()
	var trusted time.Time // from when on a lease that has ended says that its node is dead
	for {
		now := time.Now()
		err := s.store.Heartbeat(ctx, s.opts.Node, now.Add(s.opts.Lease))
		if err == nil {
			// Where this node could not renew its lease in time, because nobody
			// could write to the store or the machine slept, no other could
			// either. They get the time of a lease to do so. Round leaves out
			// the monotonic clock, which stands still while a machine sleeps.
			done := time.Now()
			if done.Round(0).Sub(renewed.Round(0)) > s.opts.Lease/2 {
				trusted = done.Add(s.opts.Lease)
			}
			renewed = done
		}
		if err == nil && !now.Before(trusted) {
			var orphans []Claimed
			if orphans, err = s.store.Orphans(ctx, "", now, claimBatch); err == nil {
				err = s.recover(ctx, orphans, "")
			}
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

const (
	// maxOrphans is how many runs are recovered at once. A node has rarely
	// more places than that.
	maxOrphans = 10_000
	// recoveryHead is how long firing waits for the recovery at the start: in
	// most cases what a dead process left is ended in an instant, and its job
	// can fire again. Where it takes longer, the run in question counts as
	// running until then, and all other jobs fire.
	recoveryHead = time.Second
)

// recoverOwn records what this node was running when it died. It returns when
// all that is known, so that nothing begun later is taken for it; recovering is
// done when it is recorded.
func (s *Scheduler) recoverOwn(ctx context.Context, services, recovering *sync.WaitGroup) {
	for wait := newBackoff(); ctx.Err() == nil; {
		orphans, err := s.store.Orphans(ctx, s.opts.Node, time.Now(), maxOrphans)
		s.mu.Lock()
		s.loopErr = err
		s.mu.Unlock()
		if err != nil {
			s.log.LogAttrs(ctx, slog.LevelError, "cannot recover runs", slog.String("node", s.opts.Node), slog.Any("error", err))
			wait.sleep(ctx)
			continue
		}
		recovered := make(chan struct{})
		recovering.Add(1)
		services.Go(func() {
			defer recovering.Done()
			defer close(recovered)
			s.recoverUntilDone(ctx, orphans)
		})
		if len(orphans) < maxOrphans {
			waitFor(recovered, recoveryHead)
			return
		}
		<-recovered
	}
}

func (s *Scheduler) recoverUntilDone(ctx context.Context, orphans []Claimed) {
	for wait := newBackoff(); ctx.Err() == nil; wait.sleep(ctx) {
		err := s.recover(ctx, orphans, s.opts.Node)
		if err == nil {
			return
		}
		s.log.LogAttrs(ctx, slog.LevelError, "cannot recover runs", slog.String("node", s.opts.Node), slog.Any("error", err))
	}
}

// recover records runs whose node is dead as lost. node is this node at its
// start, when all that it ever began is dead, and empty later.
func (s *Scheduler) recover(ctx context.Context, orphans []Claimed, node string) error {
	if len(orphans) == 0 {
		return nil
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
			return err
		}
		ends[i].OutputSize, ends[i].OutputKept = size, kept
	}
	if err := s.store.Record(ctx, Records{Ends: ends}); err != nil {
		return err
	}
	s.log.LogAttrs(ctx, slog.LevelWarn, "runs lost", slog.Int("count", len(ends)))
	s.queued()
	return nil
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
