package storetest

import (
	"bytes"
	"testing"
	"time"

	"github.com/jobcenter-go/jobcenter"
)

func recordTests() map[string]func(*testing.T, jobcenter.JobStore) {
	return map[string]func(*testing.T, jobcenter.JobStore){
		"ends":                        recordEnds,
		"a final state stays":         recordGuardsFinal,
		"another attempt is left out": recordGuardsAttempt,
		"an unknown run is left out":  recordUnknownRun,
		"a queued run is nobody's":     recordLeavesQueued,
		"any bytes":                   recordAnyBytes,
		"offsets and limits":          recordOffsets,
		"drops":                       recordDrops,
		"all at once":                 recordOrder,
		"nothing":                     recordNothing,
	}
}

// running stores a job with a running run.
func running(t *testing.T, store jobcenter.JobStore, id string) jobcenter.Run {
	t.Helper()
	addJobs(t, store, newJob(t, id, at(1)))
	run := newRun(id, at(1), jobcenter.RunRunning)
	addRuns(t, store, id, run)
	return run
}

func record(t *testing.T, store jobcenter.JobStore, records jobcenter.Records) {
	t.Helper()
	if err := store.Record(t.Context(), records); err != nil {
		t.Fatal(err)
	}
}

// output reads all that is kept of a run, by pages of one byte: a chunk each.
func output(t *testing.T, store jobcenter.JobStore, runID string) []jobcenter.Chunk {
	t.Helper()
	var all []jobcenter.Chunk
	offset := int64(0)
	for {
		chunks, err := store.Output(t.Context(), runID, offset, 1)
		if err != nil {
			t.Fatal(err)
		}
		if len(chunks) == 0 {
			return all
		}
		all = append(all, chunks...)
		checkEndless(t, len(all))
		last := chunks[len(chunks)-1]
		offset = last.Offset + int64(len(last.Data))
	}
}

func chunk(run jobcenter.Run, offset int64, text string) jobcenter.Chunk {
	return jobcenter.Chunk{RunID: run.ID, Attempt: run.Attempt, Offset: offset, Stream: jobcenter.Stdout, At: at(2), Data: []byte(text)}
}

func recordEnds(t *testing.T, store jobcenter.JobStore) {
	a, b, other := running(t, store, "a"), running(t, store, "b"), running(t, store, "other")
	code := 137
	a.State, a.Reason, a.Message, a.StartedAt, a.EndedAt = jobcenter.RunFailed, jobcenter.ReasonSignal, "ended by SIGKILL", at(2), at(3)
	a.ExitCode, a.OutputSize, a.OutputKept = &code, 99, 42
	b.State, b.EndedAt = jobcenter.RunSucceeded, at(4)
	// What Ends does not take must not change.
	sent := a
	sent.Actor, sent.Node, sent.JobVersion, sent.FireCount, sent.Origin, sent.Executor = "x", "x", 99, 99, "x", "x"
	sent.FireTime, sent.LastFireTime = at(50), at(50)
	record(t, store, jobcenter.Records{Ends: []jobcenter.Run{sent, b}})
	for _, want := range []jobcenter.Run{a, b, other} {
		checkSame(t, "run", want, getRun(t, store, want.ID))
	}
	// The place of an ended run is free again.
	if _, err := store.UpdateJob(t.Context(), "a", func(job jobcenter.Job, active jobcenter.Active) (jobcenter.Job, []jobcenter.Run, error) {
		if active != (jobcenter.Active{}) {
			t.Errorf("active = %+v after the end, want none", active)
		}
		return job, nil, nil
	}); err != nil {
		t.Fatal(err)
	}
}

func recordGuardsFinal(t *testing.T, store jobcenter.JobStore) {
	run := running(t, store, "a")
	record(t, store, jobcenter.Records{Output: []jobcenter.Chunk{chunk(run, 0, "before")}})
	lost := run
	lost.State, lost.Reason, lost.EndedAt = jobcenter.RunLost, jobcenter.ReasonNodeDied, at(5)
	record(t, store, jobcenter.Records{Ends: []jobcenter.Run{lost}})
	late := run
	late.State, late.EndedAt = jobcenter.RunSucceeded, at(6)
	record(t, store, jobcenter.Records{
		Output: []jobcenter.Chunk{chunk(run, 6, "after")},
		Drops:  []jobcenter.Drop{{RunID: run.ID, Attempt: run.Attempt, From: 0, To: 100}},
		Ends:   []jobcenter.Run{late},
	})
	checkSame(t, "run", lost, getRun(t, store, run.ID))
	checkSame(t, "output", []jobcenter.Chunk{chunk(run, 0, "before")}, output(t, store, run.ID))
	// Of two ends in one call, the first counts.
	twice := running(t, store, "b")
	first, second := twice, twice
	first.State, second.State = jobcenter.RunStopped, jobcenter.RunSucceeded
	record(t, store, jobcenter.Records{Ends: []jobcenter.Run{first, second}})
	checkSame(t, "run that ended twice", first, getRun(t, store, twice.ID))
}

func recordGuardsAttempt(t *testing.T, store jobcenter.JobStore) {
	run, sound := running(t, store, "a"), running(t, store, "b")
	record(t, store, jobcenter.Records{Output: []jobcenter.Chunk{chunk(run, 0, "mine")}})
	for _, attempt := range []int{0, 2} {
		other := run
		other.Attempt, other.State = attempt, jobcenter.RunSucceeded
		record(t, store, jobcenter.Records{
			Output: []jobcenter.Chunk{chunk(other, 4, "other"), chunk(sound, int64(attempt), "ok")},
			Drops:  []jobcenter.Drop{{RunID: run.ID, Attempt: attempt, From: 0, To: 100}},
			Ends:   []jobcenter.Run{other},
		})
	}
	checkSame(t, "run", run, getRun(t, store, run.ID))
	checkSame(t, "output", []jobcenter.Chunk{chunk(run, 0, "mine")}, output(t, store, run.ID))
	checkSame(t, "output of the run beside it", []jobcenter.Chunk{chunk(sound, 0, "ok"), chunk(sound, 2, "ok")}, output(t, store, sound.ID))
}

func recordUnknownRun(t *testing.T, store jobcenter.JobStore) {
	run := running(t, store, "a")
	unknown := newRun("none", at(1), jobcenter.RunSucceeded)
	end := run
	end.State = jobcenter.RunSucceeded
	record(t, store, jobcenter.Records{Output: []jobcenter.Chunk{chunk(unknown, 0, "x"), chunk(run, 0, "y")}, Ends: []jobcenter.Run{unknown, end}})
	checkSame(t, "output", []jobcenter.Chunk{chunk(run, 0, "y")}, output(t, store, run.ID))
	checkSame(t, "runs", []jobcenter.Run{end}, allRuns(t, store, jobcenter.RunQuery{}))
}

func recordLeavesQueued(t *testing.T, store jobcenter.JobStore) {
	addJobs(t, store, newJob(t, "a", at(1)))
	run := newRun("a", at(1), jobcenter.RunQueued)
	addRuns(t, store, "a", run)
	end := run
	end.State, end.Reason, end.EndedAt = jobcenter.RunStopped, jobcenter.ReasonStop, at(3)
	record(t, store, jobcenter.Records{
		Output:  []jobcenter.Chunk{chunk(run, 0, "x")},
		Ends:    []jobcenter.Run{end},
		Carries: []jobcenter.Carry{{RunID: run.ID, JobID: "a", Carried: []byte("1"), Result: []byte("1")}},
	})
	checkSame(t, "run", run, getRun(t, store, run.ID))
	checkSame(t, "job", newJob(t, "a", at(1)), getJob(t, store, "a"))
	checkSame(t, "output", []jobcenter.Chunk(nil), output(t, store, run.ID))
	checkSame(t, "taken", []string{run.ID}, runIDs(take(t, store, 10)))
}

func recordAnyBytes(t *testing.T, store jobcenter.JobStore) {
	run := running(t, store, "a")
	pieces := []string{
		"plain\r\n", "nul\x00in\x00between\x00", "\xff\xfe\x80 invalid UTF-8 \xc3", "\xc4\xe3\xba\xc3 GBK", "😀 four bytes", "\xf0\x9f", "\x98\x80 cut in two",
		string(bytes.Repeat([]byte{0}, 70_000)), "'; DROP TABLE run; --", "\x1b[31mred",
	}
	all := make([]byte, 256)
	for i := range all {
		all[i] = byte(i)
	}
	pieces = append(pieces, string(all))
	var want []jobcenter.Chunk
	offset := int64(0)
	for i, piece := range pieces {
		c := chunk(run, offset, piece)
		if i%2 == 1 {
			c.Stream = jobcenter.Stderr
		}
		c.At = at(2).Add(time.Duration(i) * time.Microsecond)
		want = append(want, c)
		offset += int64(len(piece))
	}
	record(t, store, jobcenter.Records{Output: want[:3]})
	record(t, store, jobcenter.Records{Output: want[3:]})
	got, err := store.Output(t.Context(), run.ID, 0, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	checkSame(t, "chunks", want, got)
	got[0].Data[0] = 'X'
	checkSame(t, "chunks one by one", want, output(t, store, run.ID))
}

func recordOffsets(t *testing.T, store jobcenter.JobStore) {
	run := running(t, store, "a")
	noise := running(t, store, "b")
	chunks := []jobcenter.Chunk{chunk(run, 0, "0123"), chunk(run, 4, "4567"), chunk(run, 8, "89"), chunk(run, 100, "gap")}
	record(t, store, jobcenter.Records{Output: append(chunks, chunk(noise, 2, "noise"))})
	for _, test := range []struct {
		offset      int64
		limit       int
		first, last int // of the chunks wanted
	}{
		{0, 100, 0, 4},
		{0, 13, 0, 4},
		{0, 12, 0, 3},
		{0, 10, 0, 3},
		{0, 9, 0, 2},
		{0, 4, 0, 1},
		{0, 1, 0, 1}, // one at least
		{0, 0, 0, 1},
		{3, 100, 0, 4}, // the first begins before the offset
		{4, 100, 1, 4},
		{5, 5, 1, 2},
		{9, 100, 2, 4},
		{10, 100, 3, 4}, // in the gap
		{102, 100, 3, 4},
		{103, 100, 4, 4},
		{1 << 40, 100, 4, 4},
	} {
		got, err := store.Output(t.Context(), run.ID, test.offset, test.limit)
		if err != nil {
			t.Fatal(err)
		}
		if d := diff(chunks[test.first:test.last], got); d != "" {
			t.Errorf("offset %d, limit %d (-want +got):\n%s", test.offset, test.limit, d)
		}
	}
}

func recordDrops(t *testing.T, store jobcenter.JobStore) {
	run, other := running(t, store, "a"), running(t, store, "b")
	chunks := []jobcenter.Chunk{chunk(run, 0, "aaaa"), chunk(run, 4, "bbbb"), chunk(run, 8, "cccc"), chunk(run, 12, "dddd")}
	record(t, store, jobcenter.Records{Output: append([]jobcenter.Chunk{chunk(other, 4, "bbbb")}, chunks...)})
	drop := func(from, to int64) {
		record(t, store, jobcenter.Records{Drops: []jobcenter.Drop{{RunID: run.ID, Attempt: run.Attempt, From: from, To: to}}})
	}
	drop(1, 7) // no chunk lies wholly within
	drop(5, 8)
	drop(4, 4)
	checkSame(t, "output", chunks, output(t, store, run.ID))
	drop(3, 12) // the second and the third do
	checkSame(t, "output", []jobcenter.Chunk{chunks[0], chunks[3]}, output(t, store, run.ID))
	drop(12, 16)
	checkSame(t, "output", chunks[:1], output(t, store, run.ID))
	checkSame(t, "output of the other run", []jobcenter.Chunk{chunk(other, 4, "bbbb")}, output(t, store, other.ID))
}

func recordOrder(t *testing.T, store jobcenter.JobStore) {
	run := running(t, store, "a")
	end := run
	end.State, end.EndedAt, end.OutputSize, end.OutputKept = jobcenter.RunSucceeded, at(3), 8, 4
	// Output comes first, then drops of it, then the end.
	record(t, store, jobcenter.Records{
		Output: []jobcenter.Chunk{chunk(run, 0, "head"), chunk(run, 4, "tail")},
		Drops:  []jobcenter.Drop{{RunID: run.ID, Attempt: run.Attempt, From: 0, To: 4}},
		Ends:   []jobcenter.Run{end},
	})
	checkSame(t, "run", end, getRun(t, store, run.ID))
	checkSame(t, "output", []jobcenter.Chunk{chunk(run, 4, "tail")}, output(t, store, run.ID))
}

func recordNothing(t *testing.T, store jobcenter.JobStore) {
	run := running(t, store, "a")
	record(t, store, jobcenter.Records{})
	checkSame(t, "run", run, getRun(t, store, run.ID))
}
