package jobcenter

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"math"
	"strings"
	"sync"
	"time"
)

// keepLease renews this node's lease, and sees to the runs of nodes that do
// not renew theirs.
func (k *keeper) keepLease(ctx context.Context) {
	tick := time.NewTicker(k.opts.Lease / 3)
	defer tick.Stop()
	renewed := time.Now()
	wait := newBackoff()  // a store that comes back is not to wait for the next tick, which may be far
	var trusted time.Time // from when on a lease that has ended says that its node is dead
	var judges sync.WaitGroup
	defer judges.Wait()
	for {
		now := time.Now()
		err := k.store.Heartbeat(ctx, k.opts.Node, now.Add(k.opts.Lease))
		if err == nil {
			// Where this node could not renew its lease in time, because nobody
			// could write to the store or the machine slept, no other could
			// either. They get the time of a lease to do so. Round leaves out
			// the monotonic clock, which stands still while a machine sleeps.
			done := time.Now()
			if done.Round(0).Sub(renewed.Round(0)) > k.opts.Lease/2 {
				trusted = done.Add(k.opts.Lease)
			}
			renewed = done
			k.state.Lock()
			k.state.leased = now.Add(k.opts.Lease)
			k.state.Unlock()
			poke(k.ready)
			poke(k.recorder.again)
		}
		if err == nil && !now.Before(trusted) {
			// Beside the next sign of life: it may take long.
			select {
			case k.judging <- struct{}{}:
				judges.Go(func() {
					defer func() { <-k.judging }()
					k.recoverOthers(ctx, now)
				})
			default:
			}
		}
		if ctx.Err() != nil {
			return
		}
		k.noteStore(ctx, err, &k.state.leaseErr, "cannot renew the lease")
		var again <-chan time.Time
		if err == nil {
			wait = newBackoff()
		} else {
			again = time.After(min(wait.pause(), k.opts.Lease/10))
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		case <-again:
		case <-k.renew:
		}
	}
}

// recoverOthers sees to the runs of nodes whose lease has ended.
func (k *keeper) recoverOthers(ctx context.Context, now time.Time) {
	orphans, err := k.store.Orphans(ctx, "", now, claimBatch)
	if err == nil {
		err = k.recover(ctx, orphans, "")
	}
	if ctx.Err() == nil {
		k.noteStore(ctx, err, &k.state.deadErr, "cannot recover the runs of other nodes")
	}
}

// awaitStore returns once the store has a lease of this node that goes on, for
// what is taken without one another scheduler may record as lost at once; and
// the ends of the runs here, if it would not take them before: until it has
// them, the fires of their jobs would count as overlapping. It is false if ctx
// ended first.
func (k *keeper) awaitStore(ctx context.Context) bool {
	for {
		k.state.Lock()
		// By the clock that goes on while a machine sleeps.
		leased := time.Now().Round(0).Before(k.state.leased.Round(0))
		recorded := k.state.storeErr == nil
		k.state.Unlock()
		if leased && recorded {
			return true
		}
		if !leased {
			poke(k.renew)
		}
		select {
		case <-ctx.Done():
			return false
		case <-k.ready:
		}
	}
}

// checkHeld has the store asked at once about the runs that go on here.
func (k *keeper) checkHeld() { poke(k.held) }

// watchHeld asks the store, while runs go on here, which of them are to be
// stopped and which another scheduler has taken over.
func (k *keeper) watchHeld(ctx context.Context) {
	tick := time.NewTicker(k.opts.PollInterval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		case <-k.held:
		}
		k.state.Lock()
		mine := maps.Clone(k.state.running)
		doubt := time.Now().Before(k.state.doubtUntil) || len(k.state.strays) > 0
		k.state.Unlock()
		if len(mine) == 0 && !doubt {
			continue
		}
		// What was claimed after this look is not in mine, and so not missed.
		held, err := k.store.Held(ctx, k.opts.Node)
		if err != nil {
			continue // the loop and the lease say that the store fails
		}
		holds := make(map[string]Hold, len(held))
		for _, h := range held {
			holds[h.RunID] = h
		}
		k.state.Lock()
		for id, e := range mine {
			h, ok := holds[id]
			switch {
			case e.ended:
			case !ok || h.Attempt != e.run.Attempt:
				e.cancel(ErrLostRun)
			case h.StopBy != "":
				e.cancel(&stopError{stoppedBy(h.StopBy)})
			}
		}
		k.state.Unlock()
		if err := k.putBack(ctx, k.findStrays(held, mine)); err != nil && ctx.Err() == nil {
			k.doubt()
			k.log.LogAttrs(ctx, slog.LevelError, "cannot put back runs that have not begun", slog.String("store", k.name), slog.Any("error", err))
		}
	}
}

// stoppedBy takes the name out of what StopRun has written.
func stoppedBy(stopBy string) string {
	by, named := strings.CutPrefix(stopBy, ErrStopped.Error()+" by ")
	if !named && by == ErrStopped.Error() {
		return ""
	}
	return by
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
func (k *keeper) recoverOwn(ctx context.Context, services, recovering *sync.WaitGroup) {
	for wait := newBackoff(); ctx.Err() == nil; {
		select {
		case <-ctx.Done():
			return
		case k.judging <- struct{}{}:
		}
		orphans, err := k.store.Orphans(ctx, k.opts.Node, time.Now(), maxOrphans)
		if err != nil || ctx.Err() != nil {
			<-k.judging
		}
		if ctx.Err() != nil {
			return
		}
		k.noteStore(ctx, err, &k.state.loopErr, "cannot recover runs")
		if err != nil {
			wait.sleep(ctx, nil)
			continue
		}
		k.noteDead(orphans, true)
		recovered := make(chan struct{})
		recovering.Add(1)
		services.Go(func() {
			defer recovering.Done()
			defer func() { <-k.judging }()
			defer close(recovered)
			k.recoverUntilDone(ctx, orphans)
			k.noteDead(orphans, false)
		})
		if len(orphans) < maxOrphans {
			waitFor(recovered, recoveryHead)
			return
		}
		<-recovered
	}
}

// noteDead notes which runs are being recovered, or no longer are.
func (k *keeper) noteDead(orphans []Claimed, dead bool) {
	k.state.Lock()
	defer k.state.Unlock()
	if k.state.dead == nil {
		k.state.dead = map[string]bool{}
	}
	for _, orphan := range orphans {
		if id := orphan.Runs[0].ID; dead {
			k.state.dead[id] = true
		} else {
			delete(k.state.dead, id)
		}
	}
}

func (k *keeper) recoverUntilDone(ctx context.Context, orphans []Claimed) {
	for wait := newBackoff(); ctx.Err() == nil; wait.sleep(ctx, nil) {
		err := k.recover(ctx, orphans, k.opts.Node)
		if err == nil {
			return
		}
		k.log.LogAttrs(ctx, slog.LevelError, "cannot recover runs", slog.String("node", k.opts.Node), slog.Any("error", err))
	}
}

// recover records runs whose node is dead as lost. node is this node at its
// start, when all that it ever began is dead, and empty later.
func (k *keeper) recover(ctx context.Context, orphans []Claimed, node string) error {
	if len(orphans) == 0 {
		return nil
	}
	ends := make([]*ending, len(orphans))
	var recovered sync.WaitGroup
	for i, orphan := range orphans {
		recovered.Go(func() {
			run, job := orphan.Runs[0], orphan.Job
			job.Store = k.name
			died := fmt.Sprintf("node %q did not renew its lease", run.Node)
			if run.Node == node {
				died = "the scheduler's process died during the run" + k.recoverTask(ctx, job, run)
			}
			k.lose(&job, &run, died, time.Now())
			ends[i] = &ending{job: &job, run: run}
		})
	}
	recovered.Wait()
	records := Records{Ends: make([]Run, len(ends))}
	for i, e := range ends {
		size, kept, err := k.storedOutput(ctx, e.run.ID)
		if err != nil {
			return err
		}
		e.run.OutputSize, e.run.OutputKept = size, kept
		records.Ends[i] = e.run
		// Its holder may be alive after all, and have written more since that
		// was measured: the row would know nothing of it, and what the next
		// attempt writes would be in the same place.
		records.Drops = append(records.Drops, Drop{RunID: e.run.ID, Attempt: e.run.Attempt, From: size, To: math.MaxInt64})
	}
	jobs, events := k.endEvents(ends)
	release := k.events.hold(jobs...)
	if err := k.store.Record(ctx, records); err != nil {
		release()
		return err
	}
	release(events...)
	k.log.LogAttrs(ctx, slog.LevelWarn, "runs of a dead process", slog.String("store", k.name), slog.Int("count", len(ends)))
	k.queued()
	return nil
}

// lose says what becomes of a run whose node died: it is lost, or gets another
// attempt if its job asks for that.
func (k *keeper) lose(job *Job, run *Run, died string, now time.Time) {
	run.State, run.Reason, run.Message, run.EndedAt = RunLost, ReasonNodeDied, died, now
	switch most := max(MaxRecoveries, job.Retry.Attempts); {
	case run.StopBy != "":
		// Nobody wants it any more.
	case job.RequestsRecovery && run.Attempt < most:
		requeue(run, now)
	case job.RequestsRecovery:
		run.Message = fmt.Sprintf("%s; it was attempt %d of %d", died, run.Attempt, most)
	}
}

// recoverTask lets the task end what its run left behind, and returns what it
// has to say.
func (k *keeper) recoverTask(ctx context.Context, job Job, run Run) (note string) {
	defer func() {
		if p := recover(); p != nil {
			note = fmt.Sprintf("; recovery panicked: %v", p)
		}
	}()
	var notes strings.Builder
	for name, task := range k.equipment.Load().tasks {
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
func (k *keeper) storedOutput(ctx context.Context, runID string) (size, kept int64, err error) {
	for {
		chunks, err := k.store.Output(ctx, runID, size, 1<<20)
		if err != nil || len(chunks) == 0 {
			return size, kept, err
		}
		for _, chunk := range chunks {
			kept += int64(len(chunk.Data))
			size = chunk.Offset + int64(len(chunk.Data))
		}
	}
}
