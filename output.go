package jobcenter

import (
	"cmp"
	"errors"
	"io"
	"slices"
	"sync"
	"time"
)

const (
	// maxChunk is the most that one chunk of output holds. Where the tail is
	// short it is an eighth of that, since the tail is cut by whole chunks.
	maxChunk = 64 << 10
	// headBuffer is how much of a run's output may wait for the store before
	// its task has to.
	headBuffer = 256 << 10
	// chunkCost is what a chunk takes beside its data, so that a task which
	// changes streams at every byte is held to the same bounds.
	chunkCost = 128
	// tailChunks is how many chunks of the tail may wait.
	tailChunks = 8192
)

var errOutputClosed = errors.New("jobcenter: write to the output of a run that has ended")

// output takes what an attempt writes until the recorder carries it to the
// store.
//
// The first half of the limit (the head) is kept as it comes; the task waits
// when the store cannot keep up. From there on only the last half (the tail)
// is kept: what falls out of it is forgotten here or dropped from the store,
// and the task is never held up. So a run holds no more memory than its tail,
// and between head and tail there is at most one gap.
type output struct {
	runID   string
	attempt int
	head    int64             // where it ends
	tail    int64             // how long it is
	chunk   int               // the most that one chunk holds
	dirty   func(urgent bool) // tells the recorder that something waits

	mu      sync.Mutex
	room    sync.Cond // signalled when waiting output was taken
	closed  bool
	size    int64    // bytes written by the run
	waiting []Chunk  // not yet taken by the recorder
	held    int      // bytes in waiting, chunkCost included
	stored  []extent // chunks of the tail that the store has
	floor   int64    // where the tail begins if it had to be cut short
	kept    int64    // bytes in the store
	flushed time.Time
}

type extent struct{ from, to int64 }

func newOutput(run *Run, limit int64, dirty func(urgent bool)) *output {
	o := &output{runID: run.ID, attempt: run.Attempt, tail: limit - limit/2, dirty: dirty}
	// It follows that of earlier attempts, which is not touched again.
	o.size, o.kept = run.OutputSize, run.OutputKept
	o.head = o.size + limit/2
	o.chunk = int(max(1, min(maxChunk, o.tail/8)))
	o.room.L = &o.mu
	return o
}

// stream is one of the run's writers.
type stream struct {
	output *output
	name   Stream
}

var _ io.Writer = stream{}

// Write implements io.Writer.
func (s stream) Write(p []byte) (int, error) {
	o := s.output
	written := 0
	for written < len(p) {
		o.mu.Lock()
		for o.size < o.head && o.held >= headBuffer && !o.closed {
			o.room.Wait()
		}
		if o.closed {
			o.mu.Unlock()
			return written, errOutputClosed
		}
		written += o.add(s.name, p[written:])
		urgent := o.held >= headBuffer && o.size <= o.head
		o.mu.Unlock()
		o.dirty(urgent)
	}
	return written, nil
}

// add takes the beginning of p, at most to the end of a chunk.
func (o *output) add(name Stream, p []byte) int {
	inHead := o.size < o.head
	if inHead {
		p = p[:min(int64(len(p)), o.head-o.size)] // no chunk lies across the end of the head
	}
	last := len(o.waiting) - 1
	if last < 0 || o.waiting[last].Stream != name || len(o.waiting[last].Data) >= o.chunk || o.size == o.head {
		o.waiting = append(o.waiting, Chunk{RunID: o.runID, Attempt: o.attempt, Offset: o.size, Stream: name, At: time.Now()})
		o.held += chunkCost
		last++
	}
	chunk := &o.waiting[last]
	p = p[:min(len(p), o.chunk-len(chunk.Data))]
	chunk.Data = append(chunk.Data, p...)
	o.size += int64(len(p))
	o.held += len(p)
	if !inHead {
		o.trim()
	}
	return len(p)
}

// trim forgets waiting chunks that have left the tail. What waits of the head
// is kept, and comes before them.
func (o *output) trim() {
	first, _ := slices.BinarySearchFunc(o.waiting, o.head, func(chunk Chunk, head int64) int { return cmp.Compare(chunk.Offset, head) })
	end := first
	for _, chunk := range o.waiting[first:] {
		if chunk.Offset >= o.size-o.tail && len(o.waiting)-end <= tailChunks {
			break
		}
		o.held -= len(chunk.Data) + chunkCost
		o.floor = chunk.Offset + int64(len(chunk.Data))
		end++
	}
	o.waiting = slices.Delete(o.waiting, first, end)
}

// tailPause is how often the tail goes to the store while the run goes on:
// most of it is dropped again, so it should not go there at full speed.
const tailPause = time.Second

// take hands over what waits, and what the store should drop. Unless it is
// final, output of the tail is left to gather for a while; retry is then how long.
func (o *output) take(final bool) (chunks []Chunk, drops []Drop, retry time.Duration) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.closed = o.closed || final; len(o.waiting) == 0 {
		return nil, nil, 0
	}
	if wait := tailPause - time.Since(o.flushed); !final && o.waiting[0].Offset >= o.head && wait > 0 {
		return nil, nil, wait
	}
	o.flushed = time.Now()
	chunks, o.waiting, o.held = o.waiting, nil, 0
	for _, chunk := range chunks {
		o.kept += int64(len(chunk.Data))
		if chunk.Offset >= o.head {
			o.stored = append(o.stored, extent{chunk.Offset, chunk.Offset + int64(len(chunk.Data))})
		}
	}
	left := 0
	for _, s := range o.stored {
		if s.from >= max(o.floor, o.size-o.tail) {
			break
		}
		o.kept -= s.to - s.from
		left++
	}
	if left > 0 {
		drops = []Drop{{RunID: o.runID, Attempt: o.attempt, From: o.head, To: o.stored[left-1].to}}
		o.stored = slices.Delete(o.stored, 0, left)
	}
	o.room.Broadcast()
	return chunks, drops, 0
}

// close has further writes fail.
func (o *output) close() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.closed, o.waiting, o.held = true, nil, 0
	o.room.Broadcast()
}

// sizes returns how much the run wrote and how much of it the store keeps,
// once everything has been taken.
func (o *output) sizes() (size, kept int64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.size, o.kept
}
