package mongostore

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/jobcenter-go/jobcenter"
)

// chunkDoc is a piece of output. It is written before it counts:
//
//   - With a token, once the run's row names that. So output that comes
//     together with an end is there with the end, by the same write, or never.
//   - Without one, once it lies within runDoc.Out of its attempt, which is
//     raised only while the attempt holds the run. So the chunks of one call are
//     there all at once, and what an attempt writes that has lost its run is
//     never seen.
type chunkDoc struct {
	ID      string         `bson:"_id"`
	Run     string         `bson:"run"`
	Attempt int64          `bson:"attempt"`
	Offset  int64          `bson:"offset"`
	End     int64          `bson:"end"`
	Stream  string         `bson:"stream"`
	At      int64          `bson:"at"`
	Data    []byte         `bson:"data"`
	Token   *bson.ObjectID `bson:"token,omitempty"`
}

// counts reports whether a chunk of the run is to be seen.
func (d *runDoc) counts(chunk *chunkDoc) bool {
	if chunk.Token != nil {
		return slices.Contains(d.Told, *chunk.Token)
	}
	return chunk.End <= d.Out[strconv.FormatInt(chunk.Attempt, 10)]
}

// Record implements jobcenter.JobStore. What is told of one run is written all
// or nothing. If Record fails, it may have been written of some runs and not of
// others; the same records can be given again and again.
func (s *Store) Record(ctx context.Context, records jobcenter.Records) error {
	ctx, cancel, err := s.begin(ctx)
	defer cancel()
	if err == nil {
		err = s.record(ctx, records)
	}
	if err != nil {
		return failed(ctx, "record", err)
	}
	return nil
}

func (s *Store) record(ctx context.Context, records jobcenter.Records) error {
	held, err := s.heldRows(ctx, attemptsOf(records))
	if err != nil || len(held) == 0 {
		return err
	}
	ends, ending := endsByJob(held, records)
	hidden, err := s.writeOutput(ctx, held, ending, records)
	if err != nil {
		return fmt.Errorf("output: %w", err)
	}
	for n := 0; len(ends) > 0; n++ {
		if ends, err = s.writeEnds(ctx, ends); err != nil {
			return fmt.Errorf("ends: %w", err)
		}
		if len(ends) > 0 {
			if err := s.pause(ctx, n); err != nil {
				return err
			}
		}
	}
	// What is left of it hurts nobody.
	_ = s.deleteHidden(ctx, ending, hidden)
	return nil
}

// attempt is an attempt at a run.
type attempt struct {
	run    string
	number int
}

func attemptsOf(records jobcenter.Records) []attempt {
	var list []attempt
	for _, chunk := range records.Output {
		list = append(list, attempt{chunk.RunID, chunk.Attempt})
	}
	for _, drop := range records.Drops {
		list = append(list, attempt{drop.RunID, drop.Attempt})
	}
	for _, end := range records.Ends {
		list = append(list, attempt{end.ID, end.Attempt})
	}
	for _, carry := range records.Carries {
		list = append(list, attempt{carry.RunID, carry.Attempt})
	}
	return list
}

func holds(rows map[string]*runDoc, runID string, number int) bool {
	row := rows[runID]
	return row != nil && row.State == string(jobcenter.RunRunning) && row.Attempt == int64(number)
}

// heldRows returns the rows of those runs that these attempts hold, or held a
// moment ago.
func (s *Store) heldRows(ctx context.Context, attempts []attempt) (map[string]*runDoc, error) {
	if len(attempts) == 0 {
		return nil, nil
	}
	var ids []string
	for _, a := range attempts {
		ids = append(ids, a.run)
	}
	slices.Sort(ids)
	ids = slices.Compact(ids)
	rows, err := s.rows(ctx, ids)
	if err != nil {
		return nil, err
	}
	if slices.ContainsFunc(attempts, func(a attempt) bool { return !holds(rows, a.run, a.number) }) {
		// Perhaps it was not written yet that the run has started.
		if err := s.sweep(ctx); err != nil {
			return nil, err
		}
		if rows, err = s.rows(ctx, ids); err != nil {
			return nil, err
		}
	}
	held := map[string]*runDoc{}
	for _, a := range attempts {
		if holds(rows, a.run, a.number) {
			held[a.run] = rows[a.run]
		}
	}
	return held, nil
}

// rows returns those rows that there are, by id.
func (s *Store) rows(ctx context.Context, ids []string) (map[string]*runDoc, error) {
	rows := make(map[string]*runDoc, len(ids))
	for part := range slices.Chunk(ids, perQuery) {
		list, err := find[runDoc](ctx, s.runs, bson.D{{Key: "_id", Value: bson.D{{Key: "$in", Value: part}}}})
		if err != nil {
			return nil, err
		}
		for _, row := range list {
			rows[row.ID] = row
		}
	}
	return rows, nil
}

// row returns one row as it is, nil if there is none.
func (s *Store) row(ctx context.Context, id string) (*runDoc, error) {
	rows, err := s.rows(ctx, []string{id})
	return rows[id], err
}

// runEnd is the end of a run, with the output that comes with it.
type runEnd struct {
	jobcenter.Run
	token *bson.ObjectID // of the output, if there is any
	drops []dropDoc
	won   bool // it was written
}

// jobEnds are the ends of runs of one job, and what they carry.
type jobEnds struct {
	job     string
	rows    map[string]*runDoc
	ends    []*runEnd
	carries []jobcenter.Carry
}

// endsByJob sorts out ends and carries. ending are the ends by run, the first
// of each.
func endsByJob(held map[string]*runDoc, records jobcenter.Records) (list []*jobEnds, ending map[string]*runEnd) {
	byJob := map[string]*jobEnds{}
	ending = map[string]*runEnd{}
	of := func(row *runDoc) *jobEnds {
		e := byJob[row.JobID]
		if e == nil {
			e = &jobEnds{job: row.JobID, rows: map[string]*runDoc{}}
			byJob[row.JobID] = e
			list = append(list, e)
		}
		e.rows[row.ID] = row
		return e
	}
	for _, end := range records.Ends {
		if holds(held, end.ID, end.Attempt) && ending[end.ID] == nil {
			ending[end.ID] = &runEnd{Run: end}
			e := of(held[end.ID])
			e.ends = append(e.ends, ending[end.ID])
		}
	}
	for _, carry := range records.Carries {
		if holds(held, carry.RunID, carry.Attempt) {
			e := of(held[carry.RunID])
			e.carries = append(e.carries, carry)
		}
	}
	return list, ending
}

// writeOutput writes chunks, and drops some. What is of runs that end is left
// to their ends: hidden are the ids of their chunks, by run.
func (s *Store) writeOutput(ctx context.Context, held map[string]*runDoc, ending map[string]*runEnd, records jobcenter.Records) (hidden map[string][]string, err error) {
	var docs []any
	hidden = map[string][]string{}
	reach := map[attempt]int64{}
	for _, chunk := range records.Output {
		// Empty ones are left out, and those that are dropped at once.
		if len(chunk.Data) == 0 || !holds(held, chunk.RunID, chunk.Attempt) || slices.ContainsFunc(records.Drops, chunkWithin(chunk)) {
			continue
		}
		end := chunk.Offset + int64(len(chunk.Data))
		doc := &chunkDoc{
			ID:  chunk.RunID + "/" + strconv.Itoa(chunk.Attempt) + "/" + strconv.FormatInt(chunk.Offset, 10),
			Run: chunk.RunID, Attempt: int64(chunk.Attempt), Offset: chunk.Offset, End: end, Stream: string(chunk.Stream),
			At: micros(chunk.At), Data: chunk.Data,
		}
		if e := ending[chunk.RunID]; e != nil {
			if e.token == nil {
				token := bson.NewObjectID()
				e.token = &token
			}
			doc.ID, doc.Token = doc.ID+"/"+e.token.Hex(), e.token
			hidden[chunk.RunID] = append(hidden[chunk.RunID], doc.ID)
		} else {
			key := attempt{chunk.RunID, chunk.Attempt}
			reach[key] = max(reach[key], end)
		}
		docs = append(docs, doc)
	}
	var seen, drops []mongo.WriteModel
	for a, end := range reach {
		seen = append(seen, mongo.NewUpdateOneModel().SetFilter(bson.D{
			{Key: "_id", Value: a.run}, {Key: "state", Value: string(jobcenter.RunRunning)}, {Key: "attempt", Value: int64(a.number)},
		}).SetUpdate(bson.D{{Key: "$max", Value: bson.D{{Key: "out." + strconv.Itoa(a.number), Value: end}}}}))
	}
	for _, drop := range records.Drops {
		if !holds(held, drop.RunID, drop.Attempt) {
			continue
		}
		d := dropDoc{drop.RunID, int64(drop.Attempt), drop.From, drop.To}
		if e := ending[drop.RunID]; e != nil {
			e.drops = append(e.drops, d) // also of what another process writes meanwhile
		} else if row := held[drop.RunID]; len(row.Out)+len(row.Told) > 0 {
			drops = append(drops, mongo.NewDeleteManyModel().SetFilter(d.filter()))
		}
	}
	if len(docs) > 0 {
		// Those that are there already were written by a call that failed.
		if _, err := s.output.InsertMany(ctx, docs, options.InsertMany().SetOrdered(false)); !onlyDuplicates(err) {
			return nil, err
		}
	}
	if len(seen) > 0 {
		if _, err := s.runs.BulkWrite(ctx, seen, options.BulkWrite().SetOrdered(false)); err != nil {
			return nil, err
		}
	}
	if len(drops) > 0 {
		if _, err := s.output.BulkWrite(ctx, drops, options.BulkWrite().SetOrdered(false)); err != nil {
			return nil, err
		}
	}
	return hidden, nil
}

// chunkWithin tells the drops that a chunk falls to.
func chunkWithin(chunk jobcenter.Chunk) func(jobcenter.Drop) bool {
	return func(drop jobcenter.Drop) bool {
		return drop.RunID == chunk.RunID && drop.Attempt == chunk.Attempt && drop.From <= chunk.Offset && chunk.Offset+int64(len(chunk.Data)) <= drop.To
	}
}

// deleteHidden deletes the output of runs that somebody else has ended.
func (s *Store) deleteHidden(ctx context.Context, ending map[string]*runEnd, hidden map[string][]string) error {
	var ids []string
	for run, chunks := range hidden {
		if !ending[run].won {
			ids = append(ids, chunks...)
		}
	}
	for part := range slices.Chunk(ids, perQuery) {
		if _, err := s.output.DeleteMany(ctx, bson.D{{Key: "_id", Value: bson.D{{Key: "$in", Value: part}}}}); err != nil {
			return err
		}
	}
	return nil
}

// writeEnds tries once to write ends. Those of jobs that changed meanwhile
// are returned.
func (s *Store) writeEnds(ctx context.Context, ends []*jobEnds) (again []*jobEnds, err error) {
	ids := make([]string, len(ends))
	for i, e := range ends {
		ids[i] = e.job
	}
	docs, err := s.loadAll(ctx, ids)
	if err != nil {
		return nil, err
	}
	var changes []*jobChange
	var made []*jobEnds
	for _, e := range ends {
		doc := docs[e.job]
		if doc == nil {
			if doc, err = s.adopt(ctx, e.job); err != nil {
				return nil, err
			}
		}
		if doc == nil {
			continue // nothing of it goes on
		}
		c, fits, err := e.change(doc)
		switch {
		case err != nil:
			return nil, err
		case !fits:
			for id := range e.rows {
				if e.rows[id], err = s.row(ctx, id); err != nil {
					return nil, err
				}
			}
			again = append(again, e)
		case c != nil:
			changes, made = append(changes, c), append(made, e)
		}
	}
	err = s.commit(ctx, changes)
	for i, c := range changes {
		if c.err != nil && err == nil {
			err = c.err
		}
		if c.won {
			made[i].noteWon(c)
		} else {
			again = append(again, made[i])
		}
	}
	return again, err
}

// change is what ends do to their job; nil if nothing. fits is false where a
// row is not the one that the job speaks of.
func (e *jobEnds) change(doc *jobDoc) (c *jobChange, fits bool, err error) {
	c = changeOf(doc)
	carried := false
	if doc.Life == lifeLive {
		job := doc.decode()
		for _, carry := range e.carries {
			if carry.JobID != e.job || !heldBy(doc.find(carry.RunID), carry.Attempt) {
				continue
			}
			if carry.Carried != nil {
				job.Carried, carried = carry.Carried, true
			}
			if carry.Result != nil {
				job.LastResult, carried = carry.Result, true
			}
		}
		c.to.Carried, c.to.Result = string(job.Carried), string(job.LastResult)
	}
	for _, end := range e.ends {
		active := c.to.find(end.ID)
		if !heldBy(active, end.Attempt) {
			continue
		}
		row := e.rows[end.ID]
		if row == nil || row.Version != active.Version {
			return nil, false, nil
		}
		var told []bson.ObjectID
		if end.token != nil {
			told = append(told, *end.token)
		}
		if err := c.replace(row, ended(row.run(), end.Run), told...); err != nil {
			return nil, false, err
		}
		c.to.Outbox[len(c.to.Outbox)-1].Drops = end.drops
	}
	if !c.to.Dirty && !carried {
		return nil, true, nil
	}
	return c, true, nil
}

// noteWon notes which ends were written by a change.
func (e *jobEnds) noteWon(c *jobChange) {
	for _, end := range e.ends {
		if heldBy(c.from.find(end.ID), end.Attempt) {
			end.won = true
		}
	}
}

func heldBy(run *activeRun, number int) bool {
	return run != nil && run.State == string(jobcenter.RunRunning) && run.Attempt == int64(number)
}

// ended is a run with what an end says.
func ended(run, end jobcenter.Run) jobcenter.Run {
	run.State, run.Reason, run.Message = end.State, end.Reason, end.Message
	run.StartedAt, run.EndedAt, run.ExitCode, run.Result = end.StartedAt, end.EndedAt, end.ExitCode, end.Result
	run.OutputSize, run.OutputKept = end.OutputSize, end.OutputKept
	if !end.State.Final() {
		run.Node, run.NotBefore, run.Turn = end.Node, end.NotBefore, end.Turn
	}
	return run
}

// ofRun returns the document of a run's job, whatever its life is; nil if no
// run of it goes on.
func (s *Store) ofRun(ctx context.Context, row *runDoc) (*jobDoc, error) {
	doc, err := s.load(ctx, row.JobID)
	if err != nil || doc != nil {
		return doc, err
	}
	return s.adopt(ctx, row.JobID)
}

// adopt makes a document, as of a removed job, for the runs of a job that has
// none although some of them go on: somebody deleted it. It is nil if none does.
func (s *Store) adopt(ctx context.Context, jobID string) (*jobDoc, error) {
	states := []string{string(jobcenter.RunQueued), string(jobcenter.RunRunning)}
	rows, err := find[runDoc](ctx, s.runs, bson.D{{Key: "job_id", Value: jobID}, {Key: "state", Value: bson.D{{Key: "$in", Value: states}}}})
	if err != nil || len(rows) == 0 {
		return nil, err
	}
	c := newJob(jobID, lifeRemoved)
	c.to.Gone = micros(time.Now())
	for _, row := range rows {
		c.to.Active = append(c.to.Active, activeRun{ID: row.ID, State: row.State, Attempt: row.Attempt, Version: row.Version, Stop: row.StopBy != ""})
	}
	if err := s.commit(ctx, []*jobChange{c}); err != nil {
		return nil, err
	}
	return s.load(ctx, jobID)
}

// RequestStop implements jobcenter.JobStore.
func (s *Store) RequestStop(ctx context.Context, runID, by string, now time.Time) (jobcenter.Run, error) {
	operation := fmt.Sprintf("stop run %q", runID)
	ctx, cancel, err := s.begin(ctx)
	defer cancel()
	for n := 0; err == nil; n++ {
		var row *runDoc
		if row, err = s.known(ctx, runID); err != nil {
			break
		}
		var c *jobChange
		run := row.run()
		if c, err = s.stopping(ctx, row, &run, by, now); err != nil {
			break
		}
		if c == nil {
			return run, nil
		}
		if err = s.commit(ctx, []*jobChange{c}); err != nil {
			break
		}
		if c.won {
			return run, nil
		}
		err = s.pause(ctx, n)
	}
	return jobcenter.Run{}, failed(ctx, operation, err)
}

// stopping is the change that stops a run, and makes run what it is then; nil
// if there is nothing to change.
func (s *Store) stopping(ctx context.Context, row *runDoc, run *jobcenter.Run, by string, now time.Time) (*jobChange, error) {
	switch run.State {
	case jobcenter.RunQueued:
		run.State, run.Reason, run.Message, run.StopBy, run.EndedAt = jobcenter.RunStopped, jobcenter.ReasonStop, by, by, now
	case jobcenter.RunRunning:
		run.StopBy = cmp.Or(run.StopBy, by)
	default:
		return nil, nil
	}
	doc, err := s.ofRun(ctx, row)
	if err != nil || doc == nil {
		return nil, err
	}
	c := changeOf(doc)
	if active := doc.find(row.ID); active == nil || active.Version != row.Version {
		return c, nil // it is not what it was when it was read: this changes nothing, and is tried again
	}
	err = c.replace(row, *run)
	*run = runKept(*run)
	return c, err
}

// known returns a row that is up to date; ErrRunNotFound.
func (s *Store) known(ctx context.Context, runID string) (*runDoc, error) {
	row, err := s.row(ctx, runID)
	if err == nil && (row == nil || !jobcenter.RunState(row.State).Final()) {
		if err = s.sweep(ctx); err == nil {
			row, err = s.row(ctx, runID)
		}
	}
	if err == nil && row == nil {
		err = jobcenter.ErrRunNotFound
	}
	return row, err
}

// Held implements jobcenter.JobStore.
func (s *Store) Held(ctx context.Context, node string) ([]jobcenter.Hold, error) {
	ctx, cancel, err := s.begin(ctx)
	defer cancel()
	if err == nil {
		err = s.sweep(ctx)
	}
	var rows []*runDoc
	if err == nil {
		rows, err = find[runDoc](ctx, s.runs, bson.D{{Key: "held.node", Value: text(node)}}, fields("attempt", "stop_by"))
	}
	if err != nil {
		return nil, failed(ctx, fmt.Sprintf("runs held by node %q", node), err)
	}
	var held []jobcenter.Hold
	for _, row := range rows {
		held = append(held, jobcenter.Hold{RunID: row.ID, Attempt: int(row.Attempt), StopBy: row.StopBy})
	}
	return held, nil
}

// maxChunks is how many chunks one call of Output returns at most: of a run
// that changed streams at every byte, each takes far more memory than its data.
const maxChunks = 4096

// Output implements jobcenter.JobStore.
func (s *Store) Output(ctx context.Context, runID string, offset int64, limit int) ([]jobcenter.Chunk, error) {
	ctx, cancel, err := s.begin(ctx)
	defer cancel()
	var row *runDoc
	if err == nil {
		row, err = s.known(ctx, runID)
	}
	var chunks []jobcenter.Chunk
	if err == nil {
		chunks, err = s.readOutput(ctx, row, offset, limit)
	}
	if err != nil {
		return nil, failed(ctx, fmt.Sprintf("output of run %q", runID), err)
	}
	return chunks, nil
}

func (s *Store) readOutput(ctx context.Context, row *runDoc, offset int64, limit int) (chunks []jobcenter.Chunk, err error) {
	cursor, err := s.output.Find(ctx, bson.D{{Key: "run", Value: row.ID}, {Key: "end", Value: bson.D{{Key: "$gt", Value: offset}}}},
		options.Find().SetSort(up("end", "attempt")).SetBatchSize(32))
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, cursor.Close(context.WithoutCancel(ctx))) }()
	size := 0
	type place struct{ attempt, offset int64 }
	seen := map[place]bool{}
	for cursor.Next(ctx) {
		var doc chunkDoc
		if err := cursor.Decode(&doc); err != nil {
			return nil, err
		}
		// An end may tell again what was told before.
		at := place{doc.Attempt, doc.Offset}
		if !row.counts(&doc) || seen[at] {
			continue
		}
		seen[at] = true
		size += len(doc.Data)
		if size > limit && len(chunks) > 0 || len(chunks) == maxChunks {
			break
		}
		chunks = append(chunks, jobcenter.Chunk{
			RunID: doc.Run, Attempt: int(doc.Attempt), Offset: doc.Offset, Stream: jobcenter.Stream(doc.Stream), At: instant(doc.At), Data: doc.Data,
		})
	}
	return chunks, cursor.Err()
}
