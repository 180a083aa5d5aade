package storetest

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/jobcenter-go/jobcenter"
)

func valueTests() tests {
	return tests{
		"instants are UTC microseconds":  valueInstants,
		"instants from long ago":         valueOldInstants,
		"names that are nearly the same": valueNearlySame,
		"odd texts":                      valueOddTexts,
		"large values":                   valueLarge,
	}
}

// odd is an instant in another zone, with nanoseconds, and that instant as
// stores keep it, both some seconds later.
func odd(seconds int) (given, kept time.Time) {
	given = time.Date(2026, 11, 6, 16, 30, seconds, 123456789, time.FixedZone("", 8*3600))
	return given, time.Date(2026, 11, 6, 8, 30, seconds, 123456000, time.UTC)
}

func valueInstants(t *testing.T, store jobcenter.JobStore) {
	given, kept := odd(0)
	job := newJob(t, "a", given)
	job.PreviousFireTime, job.SkipUntil, job.PausedUntil, job.CreatedAt, job.UpdatedAt = given, given, given, given, given
	want := newJob(t, "a", kept)
	want.PreviousFireTime, want.SkipUntil, want.PausedUntil, want.CreatedAt, want.UpdatedAt = kept, kept, kept, kept, kept
	addJobs(t, store, job)
	checkSame(t, "job", want, getJob(t, store, "a"))
	checkSame(t, "next due", kept, nextDue(t, store, can()))

	later, laterKept := odd(1)
	asGiven := func(run jobcenter.Run) jobcenter.Run {
		run.LastFireTime, run.NotBefore, run.Turn, run.StartedAt, run.EndedAt = given, given, given, given, given
		return run
	}
	asKept := func(run jobcenter.Run) jobcenter.Run {
		run.FireTime, run.LastFireTime, run.NotBefore, run.Turn, run.StartedAt, run.EndedAt = kept, kept, kept, kept, kept, kept
		return run
	}
	run := asGiven(newRun("a", given, jobcenter.RunSucceeded))
	updated, err := store.UpdateJob(t.Context(), "a", func(job jobcenter.Job, _ jobcenter.Active) (jobcenter.Job, []jobcenter.Run, error) {
		job.NextFireTime = later
		return job, []jobcenter.Run{run}, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	want.NextFireTime = laterKept
	checkSame(t, "job that UpdateJob returns", want, updated)
	checkSame(t, "run", asKept(run), getRun(t, store, run.ID))

	claimedRun := inSeries(run, "claimed")
	claimed := claimAs(t, store, later, 1, func(jobcenter.Job, jobcenter.Active) jobcenter.Decision {
		return jobcenter.Decision{Next: later, Previous: given, Runs: []jobcenter.Run{claimedRun}}
	})
	checkSame(t, "claimed", []jobcenter.Claimed{{Job: want, Runs: []jobcenter.Run{asKept(claimedRun)}}}, claimed)
	want.PreviousFireTime = kept
	checkSame(t, "job after the claim", want, getJob(t, store, "a"))

	waiting, stopped := inSeries(newRun("a", given, jobcenter.RunQueued), "waiting"), inSeries(newRun("a", given, jobcenter.RunQueued), "stopped")
	waiting.NotBefore, stopped.NotBefore = given, later
	addRuns(t, store, "a", waiting, stopped)
	taken, next := takeFor(t, store, pool, given, 1)
	if len(taken) != 1 || taken[0].ID != waiting.ID {
		t.Fatalf("taken %v", names(taken))
	}
	checkSame(t, "start of what was taken", kept, taken[0].StartedAt)
	checkSame(t, "next that TakeQueued gives", laterKept, next)
	ended, err := store.RequestStop(t.Context(), stopped.ID, "me", given)
	if err != nil {
		t.Fatal(err)
	}
	checkSame(t, "end of the run that was stopped", kept, ended.EndedAt)
	running := taken[0]
	written := chunk(running, 0, "x")
	written.At = given
	running.State, running.StartedAt, running.EndedAt = jobcenter.RunFailed, later, later
	record(t, store, jobcenter.Records{Output: []jobcenter.Chunk{written}, Ends: []jobcenter.Run{running}})
	running.StartedAt, running.EndedAt, written.At = laterKept, laterKept, kept
	checkSame(t, "run that ended", running, getRun(t, store, running.ID))
	checkSame(t, "output", []jobcenter.Chunk{written}, output(t, store, running.ID))
}

// valueOldInstants has instants at which counting begins, and before.
func valueOldInstants(t *testing.T, store jobcenter.JobStore) {
	epoch := time.Unix(0, 0).UTC()
	for i, instant := range []time.Time{epoch, epoch.Add(-time.Microsecond), time.Date(1901, 2, 3, 4, 5, 6, 7000, time.UTC)} {
		job := newJob(t, fmt.Sprint("job", i), instant)
		job.PreviousFireTime = instant
		addJobs(t, store, job)
		checkSame(t, "job", job, getJob(t, store, job.ID))
		checkSame(t, "next due", instant, nextDue(t, store, can()))
		run := newRun(job.ID, instant, jobcenter.RunSucceeded)
		run.NotBefore = instant
		addRuns(t, store, job.ID, run)
		checkSame(t, "run", run, getRun(t, store, run.ID))
		next := instant.Add(time.Hour)
		claimed := claimAs(t, store, instant, 1, func(jobcenter.Job, jobcenter.Active) jobcenter.Decision {
			return jobcenter.Decision{Next: late(), Runs: []jobcenter.Run{another(newRun(job.ID, instant, jobcenter.RunQueued)), newRun(job.ID, next, jobcenter.RunQueued)}}
		})
		checkSame(t, "inserted", names([]jobcenter.Run{newRun(job.ID, next, "")}), names(claimedRuns(claimed)))
	}
}

// valueNearlySame has names that a store with the wrong collation takes for
// each other.
func valueNearlySame(t *testing.T, store jobcenter.JobStore) {
	for i, name := range []string{"x", "X", "x ", "é", "e", "e\u0301", "%", "_"} {
		job := newJob(t, fmt.Sprint("job", i), at(i))
		job.Task, job.Executor, job.Tags = name, name, []string{name}
		addJobs(t, store, job)
		queued := newRun(job.ID, at(i), jobcenter.RunQueued)
		queued.Executor = name
		running := newRun(job.ID, at(100), jobcenter.RunRunning)
		running.Node = name
		addRuns(t, store, job.ID, queued, running)
	}
	for i, name := range []string{"x", "X", "x ", "é", "e", "e\u0301", "%", "_"} {
		id := fmt.Sprint("job", i)
		mine := jobcenter.Can{Tasks: []string{name}, Executors: []string{name}}
		checkSame(t, fmt.Sprintf("jobs of tag %q", name), []string{id}, listJobs(t, store, jobcenter.JobQuery{Tag: name}))
		checkSame(t, fmt.Sprintf("jobs of task %q", name), []string{id}, listJobs(t, store, jobcenter.JobQuery{Task: name}))
		checkSame(t, fmt.Sprintf("next due of %q", name), at(i), nextDue(t, store, mine))
		if n := countQueued(t, store, name, 10); n != 1 {
			t.Errorf("%d runs queued for executor %q, want 1", n, name)
		}
		held, err := store.Held(t.Context(), name)
		if err != nil || len(held) != 1 || held[0].RunID != runID(id, "", at(100)) {
			t.Errorf("held by node %q: %v, %v", name, held, err)
		}
		claimed, err := store.Claim(t.Context(), mine, late(), 10, func(jobcenter.Job, jobcenter.Active) jobcenter.Decision { return jobcenter.Decision{} })
		if err != nil {
			t.Fatal(err)
		}
		checkSame(t, fmt.Sprintf("claimed by task %q", name), []string{id}, jobIDs(claimed))
	}
}

func valueOddTexts(t *testing.T, store jobcenter.JobStore) {
	for i, text := range []string{
		"😀 👩‍👩‍👧 🇨🇳", "數據庫 数据库 データ", "'", `"`, "`", `\`, `\\`, `\'; DROP TABLE jobs; --`, "$1 ?1 :name @x {{.}} %s %d", "<b>&amp;</b>",
		"  spaces around  ", "\ttab and\nlines\r\n", "\x01\x1b[31m\x7f", "\u2028\u2029\ufeff\u00a0\u202e", "e\u0301 é", "\U0010ffff", "null", "0", "NaN", "*", "a|b,c;d=e&f",
	} {
		id := fmt.Sprint("job", i)
		value, err := json.Marshal(text)
		if err != nil {
			t.Fatal(err)
		}
		job := newJob(t, id, at(i))
		job.Name, job.Description, job.PauseReason, job.Quarantine, job.Tags = text, text, text, text, []string{text, "x"}
		job.Args, job.Carried, job.LastResult, job.Limit.Key = value, value, value, text
		addJobs(t, store, job)
		run := fullRun(id, at(i))
		run.Actor, run.Message, run.Reason, run.StopBy, run.Node, run.LimitKey, run.Series = text, text, jobcenter.Reason(text), text, text, text, text
		run.Args, run.Result = value, value
		addRuns(t, store, id, run)
		checkSame(t, fmt.Sprintf("job with %q", text), job, getJob(t, store, id))
		checkSame(t, fmt.Sprintf("run with %q", text), run, getRun(t, store, run.ID))
		checkSame(t, fmt.Sprintf("jobs of tag %q", text), []string{id}, listJobs(t, store, jobcenter.JobQuery{Tag: text}))
		for word := range strings.FieldsSeq(text) {
			ids := listJobs(t, store, jobcenter.JobQuery{Search: word, Tag: text})
			checkSame(t, fmt.Sprintf("search for %q", word), []string{id}, ids)
		}
	}
}

// valueLarge has everything as large as the scheduler lets it become.
func valueLarge(t *testing.T, store jobcenter.JobStore) {
	value := func(size int) json.RawMessage { return json.RawMessage(`"` + strings.Repeat("x", size-2) + `"`) }
	job := newJob(t, "large", at(1))
	job.Args = value(1 << 20)
	job.Name, job.Description = strings.Repeat("名", 200), strings.Repeat("😀", 2000)
	for i := range 32 {
		job.Tags = append(job.Tags, fmt.Sprintf("%02d%s", i, strings.Repeat("签", 62)))
	}
	job.Limit.Key = strings.Repeat("键", 128)
	job.Carried, job.LastResult = value(jobcenter.MaxCarried), value(jobcenter.MaxResult)
	addJobs(t, store, job)
	checkSame(t, "job", job, getJob(t, store, "large"))
	checkSame(t, "jobs by tag", []string{"large"}, listJobs(t, store, jobcenter.JobQuery{Tag: job.Tags[31]}))

	run := newRun("large", at(1), jobcenter.RunRunning)
	run.Args, run.Result = value(1<<20), value(jobcenter.MaxResult)
	run.Message, run.LimitKey = strings.Repeat("信", 4<<10/3), job.Limit.Key
	claimed := claimAs(t, store, at(1), 1, func(jobcenter.Job, jobcenter.Active) jobcenter.Decision {
		return jobcenter.Decision{Next: at(61), Runs: []jobcenter.Run{run}}
	})
	checkSame(t, "claimed", []jobcenter.Claimed{{Job: job, Runs: []jobcenter.Run{run}}}, claimed)
	checkSame(t, "run", run, getRun(t, store, run.ID))
	written := chunk(run, 0, strings.Repeat("\xff\x00", 1<<19))
	run.State, run.EndedAt = jobcenter.RunSucceeded, at(2)
	run.Result = value(jobcenter.MaxResult - 1)
	record(t, store, jobcenter.Records{
		Output: []jobcenter.Chunk{written}, Ends: []jobcenter.Run{run},
		Carries: []jobcenter.Carry{{RunID: run.ID, JobID: "large", Attempt: 1, Carried: value(jobcenter.MaxCarried - 1), Result: run.Result}},
	})
	checkSame(t, "run that ended", run, getRun(t, store, run.ID))
	checkSame(t, "output", []jobcenter.Chunk{written}, output(t, store, run.ID))
	job.NextFireTime, job.Carried, job.LastResult = at(61), value(jobcenter.MaxCarried-1), run.Result
	checkSame(t, "job after the end", job, getJob(t, store, "large"))
}
