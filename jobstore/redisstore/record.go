package redisstore

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/jobcenter-go/jobcenter"
)

// Record writes output and ends of runs; see jobcenter.JobStore. Empty chunks
// are left out, and so is a chunk that is there already.
func (s *Store) Record(ctx context.Context, records jobcenter.Records) error {
	for i := range records.Ends {
		if end := &records.Ends[i]; !end.State.Final() && end.State != jobcenter.RunQueued {
			return fmt.Errorf("redisstore: record: end of run %q: state %q is neither final nor queued", end.ID, end.State)
		}
	}
	var args arguments
	args.output(records.Output)
	args.add(len(records.Drops))
	for _, drop := range records.Drops {
		args.add(drop.RunID, drop.Attempt, drop.From, drop.To)
	}
	args.add(len(records.Carries))
	for _, carry := range records.Carries {
		args.add(carry.RunID, carry.Attempt, carry.JobID)
		var changes []string
		if carry.Carried != nil {
			changes = append(changes, "carried", string(carry.Carried))
		}
		if carry.Result != nil {
			changes = append(changes, "result", string(carry.Result))
		}
		args.list(changes)
	}
	args.add(len(records.Ends))
	for i := range records.Ends {
		end := &records.Ends[i]
		args.add(end.ID, end.Attempt)
		args.list(endFields(end))
	}
	// Made again after a lost reply, it finds runs that are no longer held,
	// or writes what is there already.
	if _, err := s.write(ctx, s.record, args); err != nil {
		return fmt.Errorf("redisstore: record: %w", err)
	}
	return nil
}

// output adds chunks, each with the offset of its end, by which it is sorted.
func (a *arguments) output(chunks []jobcenter.Chunk) {
	n := len(*a)
	a.add(0)
	for i := range chunks {
		if chunk := &chunks[i]; len(chunk.Data) > 0 {
			a.add(chunk.RunID, chunk.Attempt, chunk.Offset+int64(len(chunk.Data)), encodeChunk(chunk))
		}
	}
	(*a)[n] = (len(*a) - n - 1) / 4
}

// encodeChunk writes a chunk as its offset, attempt, stream and instant, with
// a space after each, and its bytes.
func encodeChunk(chunk *jobcenter.Chunk) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d %d %s %s ", chunk.Offset, chunk.Attempt, strings.ReplaceAll(field(string(chunk.Stream)), " ", "_"), instant(chunk.At))
	b.Write(chunk.Data)
	return b.String()
}

func decodeChunk(runID, stored string) (chunk jobcenter.Chunk, err error) {
	parts := strings.SplitN(stored, " ", 5)
	if len(parts) < 5 {
		return chunk, fmt.Errorf("a chunk has %d parts", len(parts))
	}
	chunk = jobcenter.Chunk{RunID: runID, Stream: jobcenter.Stream(unfield(parts[2])), Data: []byte(parts[4])}
	if chunk.Offset, err = strconv.ParseInt(parts[0], 10, 64); err != nil {
		return chunk, err
	}
	if chunk.Attempt, err = strconv.Atoi(parts[1]); err != nil {
		return chunk, err
	}
	chunk.At, err = parseInstant(parts[3])
	return chunk, err
}

// maxChunks is how many chunks one call of Output returns at most: of a run
// that changed streams at every byte, each takes far more memory than its data.
const maxChunks = 4096

// Output returns the kept chunks of a run that reach beyond the offset: as
// many as fit in limit bytes, but one at least. ErrRunNotFound.
func (s *Store) Output(ctx context.Context, runID string, offset int64, limit int) ([]jobcenter.Chunk, error) {
	reply, err := s.read(ctx, s.output, arguments{runID, offset, limit, maxChunks})
	if err == nil && reply == nil {
		err = jobcenter.ErrRunNotFound
	}
	if err != nil {
		return nil, fmt.Errorf("redisstore: output of run %q: %w", runID, err)
	}
	var chunks []jobcenter.Chunk
	for _, stored := range list(reply) {
		chunk, err := decodeChunk(runID, text(stored))
		if err != nil {
			return nil, fmt.Errorf("redisstore: output of run %q: %w", runID, err)
		}
		chunks = append(chunks, chunk)
	}
	return chunks, nil
}
