package sqlstore

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/jobcenter-go/jobcenter"
)

// heldRun is a run that may still be written to.
type heldRun struct {
	seq     int64
	attempt int
}

// Record writes output and ends of runs; see jobcenter.JobStore. Empty chunks
// are left out, and so is a chunk that is there already.
func (s *Store) Record(ctx context.Context, records jobcenter.Records) error {
	ids := recordedRuns(&records)
	if len(ids) == 0 {
		return nil
	}
	err := s.write(ctx, func(ctx context.Context, tx transaction) error {
		if _, err := tx.lock(ctx, s.lockJobs, changedJobs(&records)); err != nil {
			return fmt.Errorf("lock jobs: %w", err)
		}
		held, err := s.selectHeld(ctx, tx, ids)
		if err != nil {
			return err
		}
		if err := s.writeOutput(ctx, tx, held, records.Output); err != nil {
			return fmt.Errorf("output: %w", err)
		}
		for _, drop := range records.Drops {
			run, ok := held[drop.RunID]
			if !ok || run.attempt != drop.Attempt {
				continue
			}
			if _, err := tx.exec(ctx, s.dropOutput, run.seq, drop.From, drop.To); err != nil {
				return fmt.Errorf("drop output: %w", err)
			}
		}
		for _, carry := range records.Carries {
			run, ok := held[carry.RunID]
			if !ok || run.attempt != carry.Attempt {
				continue
			}
			if _, err := tx.exec(ctx, s.carry, jsonOrNull(carry.Carried), jsonOrNull(carry.Result), carry.JobID); err != nil {
				return fmt.Errorf("carry: %w", err)
			}
		}
		return s.writeEnds(ctx, tx, held, records.Ends)
	})
	if err != nil {
		return fmt.Errorf("sqlstore: record: %w", err)
	}
	return nil
}

// recordedRuns are the ids of the runs that records are about.
func recordedRuns(records *jobcenter.Records) []string {
	seen := map[string]bool{}
	var ids []string
	add := func(id string) {
		if !seen[id] {
			seen[id] = true
			ids = append(ids, id)
		}
	}
	for i := range records.Output {
		add(records.Output[i].RunID)
	}
	for i := range records.Drops {
		add(records.Drops[i].RunID)
	}
	for i := range records.Carries {
		add(records.Carries[i].RunID)
	}
	for i := range records.Ends {
		add(records.Ends[i].ID)
	}
	slices.Sort(ids) // they are locked in this order
	return ids
}

// changedJobs are the ids of the jobs that records change, or whose queued runs
// they do.
func changedJobs(records *jobcenter.Records) []string {
	var ids []string
	for i := range records.Carries {
		ids = append(ids, records.Carries[i].JobID)
	}
	for i := range records.Ends {
		if records.Ends[i].State == jobcenter.RunQueued {
			ids = append(ids, records.Ends[i].JobID)
		}
	}
	return ids
}

// selectHeld returns those runs that are running.
func (s *Store) selectHeld(ctx context.Context, tx transaction, ids []string) (map[string]heldRun, error) {
	rows, err := tx.query(ctx, s.heldRuns, jsonList(ids))
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	held := make(map[string]heldRun, len(ids))
	for rows.Next() {
		var id string
		var run heldRun
		if err := rows.Scan(&id, &run.seq, &run.attempt); err != nil {
			return nil, err
		}
		held[id] = run
	}
	return held, rows.Err()
}

// outputBytes is how much output is written in one statement, about.
const outputBytes = 1 << 20

func (s *Store) writeOutput(ctx context.Context, tx transaction, held map[string]heldRun, chunks []jobcenter.Chunk) error {
	var values []any
	rows, size := 0, 0
	for i := range chunks {
		chunk := &chunks[i]
		run, ok := held[chunk.RunID]
		if !ok || run.attempt != chunk.Attempt || len(chunk.Data) == 0 {
			continue
		}
		values = append(values, run.seq, chunk.Offset, chunk.Offset+int64(len(chunk.Data)), chunk.Attempt, string(chunk.Stream),
			chunk.At.UnixMicro(), chunk.Data)
		rows++
		if size += len(chunk.Data); size < outputBytes {
			continue
		}
		if _, err := s.insertOutput.exec(ctx, tx, rows, values); err != nil {
			return err
		}
		values, rows, size = values[:0], 0, 0
	}
	_, err := s.insertOutput.exec(ctx, tx, rows, values)
	return err
}

func (s *Store) writeEnds(ctx context.Context, tx transaction, held map[string]heldRun, ends []jobcenter.Run) error {
	var values []any
	rows := 0
	for i := range ends {
		end := &ends[i]
		if !end.State.Final() && end.State != jobcenter.RunQueued {
			return fmt.Errorf("end of run %q: state %q is neither final nor queued", end.ID, end.State)
		}
		run, ok := held[end.ID]
		if !ok || run.attempt != end.Attempt {
			continue
		}
		delete(held, end.ID) // it ends once
		row := []any{
			string(end.State), string(end.Reason), end.Message, micros(end.StartedAt), micros(end.EndedAt), exitCode(end),
			end.OutputSize, end.OutputKept, string(end.Result),
		}
		if end.State == jobcenter.RunQueued {
			row = append(row, end.Node, micros(end.NotBefore), waits(end), end.Turn.UnixMicro(), run.seq)
			if _, err := tx.exec(ctx, s.requeueRun, row...); err != nil {
				return fmt.Errorf("next attempt of run %q: %w", end.ID, err)
			}
			continue
		}
		rows++
		values = append(append(values, run.seq), row...)
	}
	if _, err := s.endRuns.exec(ctx, tx, rows, values); err != nil {
		return fmt.Errorf("ends: %w", err)
	}
	return nil
}

// Output returns the kept chunks of a run that reach beyond the offset: as
// many as fit in limit bytes, but one at least. ErrRunNotFound.
func (s *Store) Output(ctx context.Context, runID string, offset int64, limit int) ([]jobcenter.Chunk, error) {
	var chunks []jobcenter.Chunk
	var err error
	size, full := 0, false
	for most := 8; err == nil && !full && len(chunks) < maxChunks; most *= 8 { // what would not fit is not read
		var more []jobcenter.Chunk
		more, err = s.readOutput(ctx, runID, offset, min(most, maxChunks-len(chunks)))
		full = len(more) < most
		for _, chunk := range more {
			if size += len(chunk.Data); size > limit && len(chunks) > 0 {
				full = true
				break
			}
			chunks = append(chunks, chunk)
			offset = chunk.Offset + int64(len(chunk.Data))
		}
	}
	if err == nil && len(chunks) == 0 {
		_, err = s.Run(ctx, runID)
	}
	if err != nil {
		return nil, fmt.Errorf("sqlstore: output of run %q: %w", runID, err)
	}
	return chunks, nil
}

// maxChunks is how many chunks one call of Output returns at most: of a run
// that changed streams at every byte, each takes far more memory than its data.
const maxChunks = 4096

// readOutput reads the first chunks that reach beyond the offset.
func (s *Store) readOutput(ctx context.Context, runID string, offset int64, most int) ([]jobcenter.Chunk, error) {
	rows, err := s.output.QueryContext(ctx, runID, offset, most)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	var chunks []jobcenter.Chunk
	for rows.Next() {
		chunk := jobcenter.Chunk{RunID: runID}
		var at int64
		if err := rows.Scan(&chunk.Attempt, &chunk.Offset, &chunk.Stream, &at, &chunk.Data); err != nil {
			return nil, err
		}
		chunk.At = time.UnixMicro(at).UTC()
		chunks = append(chunks, chunk)
	}
	return chunks, rows.Err()
}
