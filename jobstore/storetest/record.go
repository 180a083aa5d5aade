package storetest

import (
	"bytes"
	"testing"
	"time"

	"github.com/jobcenter-go/jobcenter"
)

func recordTests() tests {
	return tests{
		"ends":                        recordEnds,
		"a final state stays":         recordGuardsFinal,
		"another attempt is left out": recordGuardsAttempt,
		"an unknown run is left out":  recordUnknownRun,
		"a queued run is nobody's":    recordLeavesQueued,
		"any bytes":                   recordAnyBytes,
		"offsets and limits":          recordOffsets,
		"drops":                       recordDrops,
		"all at once":                 recordOrder,
		"nothing":                     recordNothing,
		"much at once":                recordMany,
		"carries":                     recordCarries,
		"carries for a removed job":   recordCarriesRemoved,
		"the same once more":          recordAgain,
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
	a.ExitCode, a.OutputSize, a.OutputKept, a.Result = &code, 99, 42, []byte(`{"n":1.50}`)
	b.State, b.EndedAt = jobcenter.RunSucceeded, at(4)
	// What Ends does not take must not change.
	sent := a
	sent.JobID, sent.Actor, sent.Node, sent.JobVersion, sent.FireCount, sent.Origin, sent.Executor = "b", "x", "x", 99, 99, "x", "x"
	sent.FireTime, sent.LastFireTime, sent.NotBefore, sent.Turn = at(50), at(50), at(50), at(50)
	sent.Series, sent.Args, sent.Priority, sent.LimitKey, sent.StopBy = "x", []byte(`"x"`), 99, "x", "x"
	record(t, store, jobcenter.Records{Ends: []jobcenter.Run{sent, b}})
	for _, want := range []jobcenter.Run{a, b, other} {
		checkSame(t, "run", want, getRun(t, store, want.ID))
	}
	checkSame(t, "active after the end", jobcenter.Active{}, activeOf(t, store, "a"))
	// Nor is what it holds lost with an end that does not name it.
	kept := newRun("a", at(2), jobcenter.RunRunning)
	kept.Args, kept.StopBy, kept.LimitKey, kept.Priority = []byte(`[1]`), "me", "k", 3
	addRuns(t, store, "a", kept)
	record(t, store, jobcenter.Records{Ends: []jobcenter.Run{{ID: kept.ID, Attempt: 1, State: jobcenter.RunSucceeded, StartedAt: at(2), EndedAt: at(3)}}})
	kept.State, kept.StartedAt, kept.EndedAt = jobcenter.RunSucceeded, at(2), at(3)
	checkSame(t, "run", kept, getRun(t, store, kept.ID))
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
	checkSame(t, "taken", []string{run.ID}, runIDs(take(t, store, late(), 10)))
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

// recordMany is what a busy node has to tell at once.
func recordMany(t *testing.T, store jobcenter.JobStore) {
	const many = 250
	jobs := manyJobs(t, many, at(1))
	addJobs(t, store, jobs...)
	runs := claimedRuns(claim(t, store, at(1), many))
	records := jobcenter.Records{Ends: succeeded(at(2), runs...)}
	for _, run := range runs {
		records.Output = append(records.Output, chunk(run, 0, "head "+run.JobID), chunk(run, 11, " tail"))
		records.Drops = append(records.Drops, jobcenter.Drop{RunID: run.ID, Attempt: 1, From: 11, To: 16})
		records.Carries = append(records.Carries, jobcenter.Carry{RunID: run.ID, JobID: run.JobID, Attempt: 1, Carried: []byte(`"` + run.JobID + `"`)})
	}
	record(t, store, records)
	got := allRuns(t, store, jobcenter.RunQuery{States: []jobcenter.RunState{jobcenter.RunSucceeded}, Limit: 500})
	if len(runs) != many || len(got) != many {
		t.Errorf("%d runs started, %d ended, want %d", len(runs), len(got), many)
	}
	for _, i := range []int{0, 99, 100, many - 1} {
		run, id := runs[i], runs[i].JobID
		checkSame(t, "output", []jobcenter.Chunk{chunk(run, 0, "head "+id)}, output(t, store, run.ID))
		checkSame(t, "carried", `"`+id+`"`, string(getJob(t, store, id).Carried))
	}
}

func recordCarries(t *testing.T, store jobcenter.JobStore) {
	run := running(t, store, "a")
	want := newJob(t, "a", at(1))
	carry := func(run jobcenter.Run, carried, result string) jobcenter.Carry {
		c := jobcenter.Carry{RunID: run.ID, JobID: run.JobID, Attempt: run.Attempt}
		if carried != "" {
			c.Carried = []byte(carried)
		}
		if result != "" {
			c.Result = []byte(result)
		}
		return c
	}
	step := func(what string, carries ...jobcenter.Carry) {
		record(t, store, jobcenter.Records{Carries: carries})
		checkSame(t, "job after "+what, want, getJob(t, store, "a"))
	}
	want.Carried = []byte(`{"n":1.50,"s":"a && b"}`)
	step("a carry alone", carry(run, string(want.Carried), ""))
	want.LastResult = []byte(`[1]`)
	step("a result alone", carry(run, "", `[1]`))
	step("neither", carry(run, "", ""))
	want.Carried, want.LastResult = []byte(`2`), []byte(`3`)
	step("both", carry(run, `2`, `3`))
	want.Carried = []byte(`6`)
	step("two: the last counts", carry(run, `5`, ""), carry(run, `6`, ""))
	other := run
	other.Attempt = 2
	step("another attempt", carry(other, `"x"`, `"x"`))
	other.Attempt = 0
	step("an attempt before", carry(other, `"x"`, `"x"`))
	unknown := newRun("a", at(9), jobcenter.RunRunning)
	step("an unknown run", carry(unknown, `"x"`, `"x"`))

	// It comes with the end, and not after it.
	want.Carried = []byte(`"with the end"`)
	ends := succeeded(at(3), run)
	record(t, store, jobcenter.Records{Ends: ends, Carries: []jobcenter.Carry{carry(run, string(want.Carried), "")}})
	checkSame(t, "job after the end", want, getJob(t, store, "a"))
	step("the end", carry(run, `"late"`, `"late"`))
	// What it does not name stays as it is.
	checkSame(t, "run", ends[0], getRun(t, store, run.ID))
	checkSame(t, "next due", at(1), nextDue(t, store, can()))
}

// recordCarriesRemoved has a run carry something for a job that is gone.
func recordCarriesRemoved(t *testing.T, store jobcenter.JobStore) {
	gone, sound := running(t, store, "gone"), running(t, store, "sound")
	remove(t, store, "gone")
	ends := succeeded(at(3), gone, sound)
	record(t, store, jobcenter.Records{
		Output: []jobcenter.Chunk{chunk(gone, 0, "x")}, Ends: ends,
		Carries: []jobcenter.Carry{{RunID: gone.ID, JobID: "gone", Attempt: 1, Carried: []byte(`1`)}, {RunID: sound.ID, JobID: "sound", Attempt: 1, Carried: []byte(`2`)}},
	})
	for _, want := range ends {
		checkSame(t, "run", want, getRun(t, store, want.ID))
	}
	checkSame(t, "output", []jobcenter.Chunk{chunk(gone, 0, "x")}, output(t, store, gone.ID))
	checkSame(t, "jobs", []string{"sound"}, listJobs(t, store, jobcenter.JobQuery{}))
	checkSame(t, "carried", `2`, string(getJob(t, store, "sound").Carried))
}

// recordAgain has the same output come twice, as when the answer of the store
// got lost on its way.
func recordAgain(t *testing.T, store jobcenter.JobStore) {
	run := running(t, store, "a")
	chunks := []jobcenter.Chunk{chunk(run, 0, "head"), chunk(run, 4, "tail")}
	ends := succeeded(at(3), run)
	for _, records := range []jobcenter.Records{{Output: chunks[:1]}, {Output: chunks[:1]}, {Output: chunks}, {Output: chunks, Ends: ends}, {Output: chunks, Ends: ends}} {
		record(t, store, records)
	}
	got, err := store.Output(t.Context(), run.ID, 0, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	checkSame(t, "output", chunks, got)
	checkSame(t, "run", ends[0], getRun(t, store, run.ID))
}
