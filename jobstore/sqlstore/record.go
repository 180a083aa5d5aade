package sqlstore

import (
	"context"
	"fmt"
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
	if len(records.Output)+len(records.Drops)+len(records.Ends) == 0 {
		return nil
	}
	err := s.write(ctx, func(ctx context.Context, tx transaction) error {
		held, err := s.selectHeld(ctx, tx, records)
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
		return s.writeEnds(ctx, tx, held, records.Ends)
	})
	if err != nil {
		return fmt.Errorf("sqlstore: record: %w", err)
	}
	return nil
}

// selectHeld returns those runs of the records that have not ended.
func (s *Store) selectHeld(ctx context.Context, tx transaction, records jobcenter.Records) (map[string]heldRun, error) {
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
	for i := range records.Ends {
		add(records.Ends[i].ID)
	}
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

func (s *Store) writeOutput(ctx context.Context, tx transaction, held map[string]heldRun, chunks []jobcenter.Chunk) error {
	var values []any
	rows := 0
	for _, chunk := range chunks {
		run, ok := held[chunk.RunID]
		if !ok || run.attempt != chunk.Attempt || len(chunk.Data) == 0 {
			continue
		}
		rows++
		values = append(values, run.seq, chunk.Offset, chunk.Offset+int64(len(chunk.Data)), chunk.Attempt, string(chunk.Stream),
			chunk.At.UnixMicro(), chunk.Data)
	}
	_, err := s.insertOutput.exec(ctx, tx, rows, values)
	return err
}

func (s *Store) writeEnds(ctx context.Context, tx transaction, held map[string]heldRun, ends []jobcenter.Run) error {
	var values []any
	rows := 0
	for _, end := range ends {
		if !end.State.Final() {
			return fmt.Errorf("end of run %q: state %q is not final", end.ID, end.State)
		}
		run, ok := held[end.ID]
		if !ok || run.attempt != end.Attempt {
			continue
		}
		delete(held, end.ID) // it ends once
		rows++
		values = append(values, run.seq, string(end.State), string(end.Reason), end.Message, micros(end.StartedAt), micros(end.EndedAt),
			exitCode(end), end.OutputSize, end.OutputKept)
	}
	if _, err := s.endRuns.exec(ctx, tx, rows, values); err != nil {
		return fmt.Errorf("ends: %w", err)
	}
	return nil
}

// Output returns the kept chunks of a run that reach beyond the offset: as
// many as fit in limit bytes, but one at least. ErrRunNotFound.
func (s *Store) Output(ctx context.Context, runID string, offset int64, limit int) ([]jobcenter.Chunk, error) {
	chunks, err := s.readOutput(ctx, runID, offset, limit)
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

func (s *Store) readOutput(ctx context.Context, runID string, offset int64, limit int) ([]jobcenter.Chunk, error) {
	rows, err := s.output.QueryContext(ctx, runID, offset)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	var chunks []jobcenter.Chunk
	size := 0
	for rows.Next() {
		chunk := jobcenter.Chunk{RunID: runID}
		var at int64
		if err := rows.Scan(&chunk.Attempt, &chunk.Offset, &chunk.Stream, &at, &chunk.Data); err != nil {
			return nil, err
		}
		size += len(chunk.Data)
		if size > limit && len(chunks) > 0 || len(chunks) == maxChunks {
			break
		}
		chunk.At = time.UnixMicro(at).UTC()
		chunks = append(chunks, chunk)
	}
	return chunks, rows.Err()
}
