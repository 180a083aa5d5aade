package jobcenter_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jobcenter-go/jobcenter"
)

// copying is a task with arguments of its own.
func copying(did func(from string, count int)) jobcenter.Task {
	type args struct {
		From  string `json:"from"`
		Count int    `json:"count"`
	}
	return jobcenter.NewTask(func(_ context.Context, _ *jobcenter.RunContext, a args) error {
		did(a.From, a.Count)
		return nil
	})
}

func TestRunNowWithArguments(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var did []string
		tasks := map[string]jobcenter.Task{"copy": copying(func(from string, count int) { did = append(did, fmt.Sprint(from, count)) })}
		b := begin(t, jobcenter.Options{Tasks: tasks}, nothing)
		b.addAs("copy", jobcenter.Job{ID: "j", Trigger: never(t), Args: json.RawMessage(`{"from":"a","count":1}`)})
		for _, args := range []string{``, `{"from":"b","count":2}`, `{}`, `null`} {
			run, err := b.RunNow(t.Context(), "j", jobcenter.StartOptions{Args: json.RawMessage(args)})
			if err != nil || string(run.Args) != args {
				t.Fatalf("%s: %+v, %v", args, run, err)
			}
			b.wait(time.Second)
		}
		if got := strings.Join(did, " "); got != "a1 b2 0 0" {
			t.Errorf("did %q", got)
		}
		for args, field := range map[string]string{
			`{"from":"b"`: "args", `{"from":7}`: "args.from", `{"count":"7"}`: "args.count", `{"form":"b"}`: "args", `[]`: "args",
		} {
			_, err := b.RunNow(t.Context(), "j", jobcenter.StartOptions{Args: json.RawMessage(args)})
			wantField(t, err, field)
		}
		if n := len(b.runs("j")); n != 4 {
			t.Errorf("%d rows, want 4", n)
		}
	})
}

func TestRunNowSaysWhoAndWhy(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := begin(t, jobcenter.Options{}, nothing)
		b.add(jobcenter.Job{ID: "j", Trigger: never(t), MaxInstances: 5, Priority: 7})
		for given, want := range map[jobcenter.Origin]jobcenter.Origin{
			"": jobcenter.OriginAPI, jobcenter.OriginManual: jobcenter.OriginManual, jobcenter.OriginAPI: jobcenter.OriginAPI, jobcenter.OriginChain: jobcenter.OriginChain,
		} {
			run, err := b.RunNow(t.Context(), "j", jobcenter.StartOptions{Origin: given, Actor: "li"})
			if err != nil || run.Origin != want || run.Actor != "li" || run.State != jobcenter.RunQueued || run.Priority != 7 || run.JobVersion != 1 || run.FireCount != 1 {
				t.Errorf("origin %q: %+v, %v", given, run, err)
			}
		}
		for _, origin := range []jobcenter.Origin{jobcenter.OriginSchedule, jobcenter.OriginBackfill, "whim"} {
			if _, err := b.RunNow(t.Context(), "j", jobcenter.StartOptions{Origin: origin}); err == nil || !strings.Contains(err.Error(), string(origin)) {
				t.Errorf("origin %q: %v", origin, err)
			}
		}
		if _, err := b.RunNow(t.Context(), "none", jobcenter.StartOptions{}); !errors.Is(err, jobcenter.ErrJobNotFound) {
			t.Errorf("an unknown job: %v", err)
		}
	})
}

// Two starts in the same instant, and one at a fire time, are rows of their own.
func TestRunNowAtTheSameInstant(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := begin(t, jobcenter.Options{}, nothing)
		b.add(jobcenter.Job{ID: "j", Trigger: interval(t, time.Minute), MaxInstances: 3})
		b.wait(time.Minute)
		b.run("j")
		b.run("j")
		b.wait(time.Second)
		fires := map[time.Time]jobcenter.Origin{}
		for _, run := range b.runs("j") {
			fires[run.FireTime] = run.Origin
			if apart := run.FireTime.Sub(begun().Add(time.Minute)).Abs(); run.State != jobcenter.RunSucceeded || apart > 5*time.Microsecond {
				t.Errorf("row %s, want it next to the fire time", row(&run))
			}
		}
		if len(fires) != 3 || fires[begun().Add(time.Minute)] != jobcenter.OriginSchedule {
			t.Errorf("fire times and origins: %v, want 3, the minute itself that of the schedule", fires)
		}
	})
}

// A run that starts another job, as the links of a chain do.
func TestRunNowByARun(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var b *bench
		b = begin(t, jobcenter.Options{}, func(ctx context.Context, run *jobcenter.RunContext) error {
			if run.Job.ID == "last" {
				return nil
			}
			_, err := b.RunNow(ctx, "last", jobcenter.StartOptions{Origin: jobcenter.OriginChain, Actor: run.Run.ID, Args: json.RawMessage(`{"n":1}`)})
			return err
		})
		b.add(jobcenter.Job{ID: "first", Trigger: interval(t, time.Minute)})
		b.add(jobcenter.Job{ID: "last", Trigger: never(t)})
		b.wait(90 * time.Second)
		if run := b.only("last"); run.State != jobcenter.RunSucceeded || run.Origin != jobcenter.OriginChain || run.Actor != b.only("first").ID {
			t.Errorf("last = %+v", run)
		}
	})
}

// hourly is a job that has fired each hour for a day.
func hourly(t *testing.T, opts jobcenter.Options, work jobcenter.TaskFunc) *bench {
	t.Helper()
	opts.PollInterval, opts.Lease = time.Minute, time.Hour
	b := begin(t, opts, work)
	b.add(jobcenter.Job{ID: "j", Trigger: interval(t, time.Hour)})
	b.wait(24*time.Hour + 30*time.Minute)
	return b
}

// backfilled are the rows of a series, oldest first.
func (b *bench) backfilled(series string) []jobcenter.Run {
	b.t.Helper()
	var found []jobcenter.Run
	for _, run := range b.runs("j") {
		if run.Series == series {
			found = append(found, run)
		}
	}
	return found
}

func TestBackfill(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ran := newTally()
		b := hourly(t, jobcenter.Options{}, ran.work(time.Minute))
		before, rows := b.job("j"), len(b.runs("j"))
		fill := jobcenter.Backfill{From: begun().Add(3 * time.Hour), To: begun().Add(8 * time.Hour), Name: "again", Actor: "li", Args: json.RawMessage(`{"mode":"redo"}`)}
		n, series, err := b.Backfill(t.Context(), "j", fill)
		if n != 5 || series != "again" || err != nil {
			t.Fatalf("queued %d of %q, %v; want 3h to 7h", n, series, err)
		}
		b.wait(30 * time.Minute)
		for i, run := range b.backfilled("again") {
			if fire := begun().Add(time.Duration(3+i) * time.Hour); run.State != jobcenter.RunSucceeded || !run.FireTime.Equal(fire) || run.Origin != jobcenter.OriginBackfill ||
				run.Actor != "li" || string(run.Args) != `{"mode":"redo"}` || run.StartedAt.Before(begun().Add(24*time.Hour)) {
				t.Errorf("row %d = %+v, want one of %s", i, run, fire)
			}
		}
		if most := ran.most(); most != 1 {
			t.Errorf("%d at once, max_instances is 1", most)
		}
		if after := b.job("j"); !after.NextFireTime.Equal(before.NextFireTime.Add(time.Hour)) && !after.NextFireTime.Equal(before.NextFireTime) || after.Version != before.Version {
			t.Errorf("the job itself: %+v, before: %+v", after, before)
		}
		if got := len(b.runs("j")); got != rows+5+1 { // and the fire of 25h
			t.Errorf("%d rows, want %d", got, rows+6)
		}

		// Asked for once more, under the same name, nothing runs; one that
		// overlaps it adds what is new, and one of another name runs all.
		fill.To = begun().Add(10 * time.Hour)
		told := b.listen(jobcenter.EventFilter{Types: []jobcenter.EventType{jobcenter.EventRunQueued}})
		if n, _, err := b.Backfill(t.Context(), "j", fill); n != 2 || err != nil {
			t.Errorf("queued %d, %v; want 8h and 9h", n, err)
		}
		if n, _, err := b.Backfill(t.Context(), "j", fill); n != 0 || err != nil {
			t.Errorf("queued %d again, %v", n, err)
		}
		if n := told.count(jobcenter.EventRunQueued); n != 2 {
			t.Errorf("told of %d queued runs, want 2", n)
		}
		fill.Name = ""
		n, series, err = b.Backfill(t.Context(), "j", fill)
		if n != 7 || series == "" || err != nil {
			t.Errorf("queued %d of %q, %v; want 7", n, series, err)
		}
		if _, again, err := b.Backfill(t.Context(), "j", fill); again != series || err != nil {
			t.Errorf("the same range is called %q, then %q, %v", series, again, err)
		}
		b.wait(30 * time.Minute)
		if got := len(b.backfilled("again")); got != 7 {
			t.Errorf("%d rows of the first series, want 7", got)
		}
		if got := len(b.backfilled(series)); got != 7 {
			t.Errorf("%d rows of the last series, want 7", got)
		}
	})
}

func TestBackfillPace(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := hourly(t, jobcenter.Options{}, nothing)
		at := time.Now()
		if _, _, err := b.Backfill(t.Context(), "j", jobcenter.Backfill{From: begun(), To: begun().Add(5 * time.Hour), Name: "slowly", Pace: 5 * time.Minute}); err != nil {
			t.Fatal(err)
		}
		b.wait(25 * time.Minute)
		for i, run := range b.backfilled("slowly") {
			if want := at.Add(time.Duration(i) * 5 * time.Minute); !run.StartedAt.Equal(want) {
				t.Errorf("run %d started at %s, want %s", i, run.StartedAt.Sub(at), want.Sub(at))
			}
		}
		if got := len(b.backfilled("slowly")); got != 4 {
			t.Errorf("%d rows, want 1h to 4h", got)
		}
	})
}

// The bounds are from, inclusive, and to, exclusive; ranges without a fire, and
// before the job was added, are none of their own.
func TestBackfillRange(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := hourly(t, jobcenter.Options{}, nothing)
		for i, test := range []struct {
			from, to time.Duration
			want     int
		}{
			{2 * time.Hour, 3 * time.Hour, 1},
			{2*time.Hour + time.Microsecond, 3 * time.Hour, 0},
			{2 * time.Hour, 3*time.Hour + time.Microsecond, 2},
			{90 * time.Minute, 110 * time.Minute, 0},
			{0, 24 * time.Hour, 23},
			{-10 * time.Hour, 0, 0}, // the interval begins later
		} {
			n, _, err := b.Backfill(t.Context(), "j", jobcenter.Backfill{From: begun().Add(test.from), To: begun().Add(test.to), Name: fmt.Sprint("n", i)})
			if n != test.want || err != nil {
				t.Errorf("from %s to %s: %d, %v; want %d", test.from, test.to, n, err, test.want)
			}
		}
	})
}

func TestBackfillErrors(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := jobcenter.NewMemoryStore(0)
		b := hourly(t, jobcenter.Options{Store: store, Tasks: map[string]jobcenter.Task{"copy": copying(func(string, int) {})}}, nothing)
		b.addAs("copy", jobcenter.Job{ID: "copy", Trigger: never(t)})
		good := jobcenter.Backfill{From: begun(), To: begun().Add(5 * time.Hour)}
		for name, test := range map[string]struct {
			job   string
			spoil func(*jobcenter.Backfill)
			field string
		}{
			"no from":     {"j", func(b *jobcenter.Backfill) { b.From = time.Time{} }, "from"},
			"backwards":   {"j", func(b *jobcenter.Backfill) { b.To = b.From }, "from"},
			"future":      {"j", func(b *jobcenter.Backfill) { b.To = begun().Add(48 * time.Hour) }, "to"},
			"name":        {"j", func(b *jobcenter.Backfill) { b.Name = "a b" }, "name"},
			"too many":    {"j", func(b *jobcenter.Backfill) { b.Max = 3 }, "max"},
			"max":         {"j", func(b *jobcenter.Backfill) { b.Max = 100_001 }, "max"},
			"negative":    {"j", func(b *jobcenter.Backfill) { b.Max = -1 }, "max"},
			"pace":        {"j", func(b *jobcenter.Backfill) { b.Pace = -1 }, "pace"},
			"args":        {"j", func(b *jobcenter.Backfill) { b.Args = json.RawMessage(`{`) }, "args"},
			"typed args":  {"copy", func(b *jobcenter.Backfill) { b.Args = json.RawMessage(`{"count":"x"}`) }, "args.count"},
			"max is fine": {"j", func(b *jobcenter.Backfill) { b.Max = 4 }, ""},
		} {
			fill := good
			test.spoil(&fill)
			switch _, _, err := b.Backfill(t.Context(), test.job, fill); {
			case test.field != "":
				wantField(t, err, test.field)
			case err != nil:
				t.Errorf("%s: %v", name, err)
			}
		}
		if _, _, err := b.Backfill(t.Context(), "none", good); !errors.Is(err, jobcenter.ErrJobNotFound) {
			t.Errorf("an unknown job: %v", err)
		}
		for _, spoil := range []func(*jobcenter.Job){
			func(job *jobcenter.Job) { job.Quarantine = "unknown task" },
			func(job *jobcenter.Job) { job.Trigger, job.Quarantine = nil, "trigger: no idea" },
		} {
			alter(t, store, "j", spoil)
			if _, _, err := b.Backfill(t.Context(), "j", good); !errors.Is(err, jobcenter.ErrConflict) {
				t.Errorf("a job in quarantine: %v, want ErrConflict", err)
			}
			if _, err := b.RunNow(t.Context(), "j", jobcenter.StartOptions{}); !errors.Is(err, jobcenter.ErrConflict) {
				t.Errorf("a run of a job in quarantine: %v, want ErrConflict", err)
			}
		}
	})
}

// A backfill of more than one transaction holds, and says what it did before
// an error; asked for again, it goes on.
func TestBackfillGoesOnAfterAnError(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := newTroubled(jobcenter.NewMemoryStore(0))
		b := newBench(t, jobcenter.Options{Store: store}, nothing)
		b.add(jobcenter.Job{ID: "j", Trigger: interval(t, time.Minute)})
		time.Sleep(30 * time.Hour)
		limited := &limitedUpdates{JobStore: store, left: 2}
		flaky := newBench(t, jobcenter.Options{Store: limited}, nothing)
		fill := jobcenter.Backfill{From: begun(), To: begun().Add(20 * time.Hour), Name: "f", Max: 2000}
		if n, series, err := flaky.Backfill(t.Context(), "j", fill); n != 1000 || series != "f" || !errors.Is(err, errDown) {
			t.Errorf("queued %d of %q, %v", n, series, err)
		}
		if n, _, err := b.Backfill(t.Context(), "j", fill); n != 199 || err != nil {
			t.Errorf("queued %d more, %v; want 199", n, err)
		}
		if got := len(b.backfilled("f")); got != 1199 {
			t.Errorf("%d rows, want 1199", got)
		}
	})
}

// limitedUpdates is a store that takes so many changes of jobs.
type limitedUpdates struct {
	jobcenter.JobStore
	left int
}

func (l *limitedUpdates) UpdateJob(ctx context.Context, id string, change func(jobcenter.Job, jobcenter.Active) (jobcenter.Job, []jobcenter.Run, error)) (jobcenter.Job, error) {
	if l.left--; l.left < 0 {
		return jobcenter.Job{}, errDown
	}
	return l.JobStore.UpdateJob(ctx, id, change)
}
