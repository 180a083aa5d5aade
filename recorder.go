package jobcenter

import (
	"context"
	"slices"
	"sync"
	"time"
)

// gather is how long output may wait so that one transaction carries that of
// many runs.
const gather = 100 * time.Millisecond

// maxRecord is about how much output one transaction carries beside that of
// runs that end.
const maxRecord = 8 << 20

// recorder carries output and ends of runs to the store, as much in one
// transaction as has gathered meanwhile (group commit).
type recorder struct {
	keeper *keeper
	wake   chan struct{}
	again  chan struct{} // the store answers: what it did not take may be offered again

	mu     sync.Mutex
	dirty  map[*output]bool
	urgent bool
	ends   []*ending
}

// ending is the end of a run, or of an attempt, on its way to the store.
type ending struct {
	job    *Job
	run    Run
	carry  Carry
	output *output
	done   chan struct{} // closed once the store has it
}

func newRecorder(k *keeper) *recorder {
	return &recorder{
		keeper: k,
		wake:   make(chan struct{}, 1), // one slot: a signal sent while busy is kept, a second says nothing new
		again:  make(chan struct{}, 1),
		dirty:  map[*output]bool{},
	}
}

// touch notes that an output has something for the store.
func (r *recorder) touch(o *output, urgent bool) {
	r.mu.Lock()
	news := !r.dirty[o] || urgent && !r.urgent
	r.dirty[o] = true
	r.urgent = r.urgent || urgent
	r.mu.Unlock()
	if news {
		poke(r.wake)
	}
}

// end hands over a run that has ended, with its last output.
func (r *recorder) end(e ending) (recorded <-chan struct{}) {
	e.done = make(chan struct{})
	r.mu.Lock()
	r.ends = append(r.ends, &e)
	r.mu.Unlock()
	poke(r.wake)
	return e.done
}

// run records until ctx ends. What could not be recorded by then is lost to
// the store; recovery will find it.
func (r *recorder) run(ctx context.Context) {
	pause := time.Duration(-1) // none: wait for the next signal
	for {
		r.wait(ctx, pause)
		if ctx.Err() != nil {
			return
		}
		records, ends, retry := r.gather()
		pause = retry
		if !r.writeAndTell(ctx, records, ends) {
			return
		}
		for _, e := range ends {
			close(e.done)
		}
		r.keeper.notify(touched(records))
	}
}

// wait returns when there is something to do: at once for ends and full
// buffers, after a short while for other output, after pause if there is one.
func (r *recorder) wait(ctx context.Context, pause time.Duration) {
	var paused, gathered <-chan time.Time
	if pause >= 0 {
		paused = time.After(pause)
	}
	for {
		select {
		case <-ctx.Done():
			return
		case <-paused:
			return
		case <-gathered:
			return
		case <-r.wake:
		}
		r.mu.Lock()
		now := len(r.ends) > 0 || r.urgent
		r.mu.Unlock()
		if now {
			return
		}
		if gathered == nil {
			gathered = time.After(gather)
		}
	}
}

// gather takes everything that waits. Outputs that asked for a pause stay
// noted; retry is the shortest pause, negative if there is none.
func (r *recorder) gather() (records Records, ends []*ending, retry time.Duration) {
	r.mu.Lock()
	ends, r.ends = r.ends, nil
	dirty := r.dirty
	r.dirty, r.urgent = make(map[*output]bool, len(dirty)), false
	r.mu.Unlock()

	retry = -1
	size := 0
	for _, e := range ends {
		if e.output != nil {
			delete(dirty, e.output)
			records.add(e.output, true)
			e.run.OutputSize, e.run.OutputKept = e.output.sizes()
		}
		records.Ends = append(records.Ends, e.run)
		if e.carry.Carried != nil || e.carry.Result != nil {
			records.Carries = append(records.Carries, e.carry)
		}
	}
	for _, chunk := range records.Output {
		size += len(chunk.Data)
	}
	for o := range dirty {
		again := time.Nanosecond // it waits for the next transaction
		if size < maxRecord {
			before := len(records.Output)
			again = records.add(o, false)
			for _, chunk := range records.Output[before:] {
				size += len(chunk.Data)
			}
		}
		if again > 0 {
			if retry < 0 || again < retry {
				retry = again
			}
			r.mu.Lock()
			r.dirty[o] = true
			r.mu.Unlock()
		}
	}
	return records, ends, retry
}

func (records *Records) add(o *output, final bool) (retry time.Duration) {
	chunks, drops, retry := o.take(final)
	records.Output = append(records.Output, chunks...)
	records.Drops = append(records.Drops, drops...)
	return retry
}

// writeAndTell writes records and publishes the ends. What follows from an end
// in the store, such as the next run of the job, is told after it.
func (r *recorder) writeAndTell(ctx context.Context, records Records, ends []*ending) bool {
	jobs, events := r.keeper.endEvents(ends)
	if !r.write(ctx, records, jobs, events) {
		return false
	}
	if slices.ContainsFunc(ends, func(e *ending) bool { return e.run.State == RunQueued }) {
		r.keeper.queued() // so that it knows when
	}
	return true
}

// endEvents says which events the ends of runs are, and of which jobs.
func (k *keeper) endEvents(ends []*ending) (jobs []string, events []Event) {
	for _, e := range ends {
		event := Event{Type: EventRunEnded, Store: k.name, Job: e.job, Run: &e.run, Executor: e.run.Executor}
		switch e.run.State {
		case RunQueued:
			event.Type = EventRunRetry
		case RunSkipped:
			event.Type = EventRunSkipped
		default:
		}
		jobs, events = append(jobs, e.job.ID), append(events, event)
	}
	return jobs, events
}

// write tries until the store takes the records or ctx ends.
func (r *recorder) write(ctx context.Context, records Records, jobs []string, events []Event) bool {
	if len(records.Output) == 0 && len(records.Drops) == 0 && len(records.Ends) == 0 {
		return true
	}
	for wait := newBackoff(); ; {
		// Kept back is what happens during the transaction only: what does while
		// the store is down is older than these events.
		release := r.keeper.events.hold(jobs...)
		err := r.keeper.store.Record(ctx, records)
		if err == nil {
			release(events...)
		} else {
			release()
		}
		if err != nil && ctx.Err() != nil {
			return false
		}
		r.keeper.noteStore(ctx, err, &r.keeper.state.storeErr, "cannot record runs")
		if err == nil {
			poke(r.keeper.ready)
			return true
		}
		if !wait.sleep(ctx, r.again) {
			return false
		}
	}
}

func touched(records Records) []string {
	ids := make([]string, 0, len(records.Ends)+1)
	for i, chunk := range records.Output {
		if i == 0 || records.Output[i-1].RunID != chunk.RunID {
			ids = append(ids, chunk.RunID)
		}
	}
	for _, end := range records.Ends {
		ids = append(ids, end.ID)
	}
	return ids
}

// backoff paces attempts at what failed: 100 ms, doubling up to 10 s.
type backoff struct{ next time.Duration }

func newBackoff() *backoff { return &backoff{100 * time.Millisecond} }

// pause is how long to wait for the next attempt.
func (b *backoff) pause() time.Duration {
	pause := b.next
	b.next = min(2*b.next, 10*time.Second)
	return pause
}

// sleep waits for the next attempt, or a reason to make it at once; false if
// ctx ended first.
func (b *backoff) sleep(ctx context.Context, now <-chan struct{}) bool {
	timer := time.NewTimer(b.pause())
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	case <-now:
		return true
	}
}
