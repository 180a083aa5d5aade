package jobcenter_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/jobcenter-go/jobcenter"
)

func (b *bench) pause(id string, opts jobcenter.PauseOptions) jobcenter.Job {
	b.t.Helper()
	job, err := b.Pause(b.t.Context(), id, opts)
	if err != nil {
		b.t.Fatal(err)
	}
	return job
}

func (b *bench) resume(id string) jobcenter.Job {
	b.t.Helper()
	job, err := b.Resume(b.t.Context(), id)
	if err != nil {
		b.t.Fatal(err)
	}
	return job
}

func TestPauseUntil(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		until time.Duration // from the beginning
		down  bool          // the scheduler is down when the pause ends
		want  []string      // after ten minutes and a half
	}{
		"between two fires": {270 * time.Second, false, []string{
			"succeeded 1m0s", "skipped/paused 2m0s..4m0s ×3", "succeeded 5m0s", "succeeded 6m0s", "succeeded 7m0s", "succeeded 8m0s", "succeeded 9m0s", "succeeded 10m0s",
		}},
		"at a fire, which belongs to it": {5 * time.Minute, false, []string{
			"succeeded 1m0s", "skipped/paused 2m0s..5m0s ×4", "succeeded 6m0s", "succeeded 7m0s", "succeeded 8m0s", "succeeded 9m0s", "succeeded 10m0s",
		}},
		"before the next fire": {100 * time.Second, false, []string{
			"succeeded 1m0s", "succeeded 2m0s", "succeeded 3m0s", "succeeded 4m0s", "succeeded 5m0s", "succeeded 6m0s", "succeeded 7m0s", "succeeded 8m0s", "succeeded 9m0s", "succeeded 10m0s",
		}},
		"in the past": {10 * time.Second, false, []string{
			"succeeded 1m0s", "succeeded 2m0s", "succeeded 3m0s", "succeeded 4m0s", "succeeded 5m0s", "succeeded 6m0s", "succeeded 7m0s", "succeeded 8m0s", "succeeded 9m0s", "succeeded 10m0s",
		}},
		"while nobody fires": {270 * time.Second, true, []string{
			"succeeded 1m0s", "skipped/paused 2m0s..4m0s ×3", "missed/misfire 5m0s..7m0s ×3", "skipped/coalesced 8m0s", "succeeded 9m0s", "succeeded 10m0s",
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				b := begin(t, jobcenter.Options{}, nothing)
				told := b.listen(jobcenter.EventFilter{Types: []jobcenter.EventType{jobcenter.EventJobPaused, jobcenter.EventJobResumed, jobcenter.EventJobModified}})
				b.add(jobcenter.Job{ID: "j", Trigger: interval(t, time.Minute)})
				b.wait(90 * time.Second)
				job := b.pause("j", jobcenter.PauseOptions{Until: begun().Add(test.until), Reason: "发布"})
				if job.State() != jobcenter.JobPaused || !job.DueAt().Equal(begun().Add(test.until)) || job.PauseReason != "发布" {
					t.Errorf("paused: %+v", job)
				}
				if test.down {
					b.stop()
					time.Sleep(450 * time.Second)
					b.begin()
					b.wait(90 * time.Second)
				} else {
					b.wait(9 * time.Minute)
				}
				b.wantRows("j", test.want...)
				told.wantTypes(t, jobcenter.EventJobPaused, jobcenter.EventJobResumed)
				if job := b.job("j"); job.State() != jobcenter.JobActive || !job.PausedUntil.IsZero() || job.PauseReason != "" {
					t.Errorf("afterwards: %+v", job)
				}
			})
		})
	}
}

func TestPauseAndResumeTwice(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := begin(t, jobcenter.Options{}, nothing)
		told := b.listen(jobcenter.EventFilter{Types: []jobcenter.EventType{jobcenter.EventJobPaused, jobcenter.EventJobResumed, jobcenter.EventJobModified}})
		b.add(jobcenter.Job{ID: "j", Trigger: interval(t, time.Minute)})
		if job := b.resume("j"); job.Version != 1 || job.State() != jobcenter.JobActive {
			t.Errorf("resuming a job that is not paused gives %+v", job)
		}
		b.pause("j", jobcenter.PauseOptions{Reason: "one"})
		b.wait(150 * time.Second)
		if job := b.pause("j", jobcenter.PauseOptions{Reason: "one"}); job.Version != 2 {
			t.Errorf("pausing it again in the same way gives version %d, want 2", job.Version)
		}
		if job := b.pause("j", jobcenter.PauseOptions{Reason: "two", Until: begun().Add(time.Hour)}); job.Version != 3 || job.PauseReason != "two" {
			t.Errorf("pausing it in another way gives %+v", job)
		}
		b.wait(60 * time.Second)
		if job := b.resume("j"); job.Version != 4 || !job.PausedUntil.IsZero() || job.PauseReason != "" {
			t.Errorf("resumed: %+v", job)
		}
		b.wait(60 * time.Second)
		b.wantRows("j", "skipped/paused 1m0s..2m0s ×2", "skipped/paused 3m0s", "succeeded 4m0s") // a change settles what has passed
		told.wantTypes(t, jobcenter.EventJobPaused, jobcenter.EventJobResumed)
	})
}

// What was queued or running when a job is paused goes on; and a job can be
// added as a paused one.
func TestPauseLeavesRunsAlone(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := begin(t, jobcenter.Options{}, lasting(70*time.Second))
		job := b.add(jobcenter.Job{ID: "j", Trigger: interval(t, time.Minute), Overlap: jobcenter.OverlapQueueOne, Paused: true, PauseReason: "not yet"})
		if job.State() != jobcenter.JobPaused || job.PauseReason != "not yet" {
			t.Errorf("added: %+v", job)
		}
		b.wait(90 * time.Second)
		b.resume("j")
		b.wait(95 * time.Second) // the run of 2m goes on, that of 3m waits
		b.pause("j", jobcenter.PauseOptions{})
		b.wait(10 * time.Minute)
		b.wantRows("j", "skipped/paused 1m0s", "succeeded 2m0s", "succeeded 3m0s")
	})
}

// A pause is no business of the rest of the definition: it is possible even for
// a job that nobody understands.
func TestPauseAJobInQuarantine(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := jobcenter.NewMemoryStore(0)
		b := begin(t, jobcenter.Options{Store: store}, nothing)
		b.add(jobcenter.Job{ID: "j", Trigger: interval(t, time.Minute)})
		alter(t, store, "j", func(job *jobcenter.Job) { job.Task = "gone" })
		b.wait(5 * time.Minute)
		if job := b.pause("j", jobcenter.PauseOptions{Reason: "broken"}); job.State() != jobcenter.JobQuarantined || !job.Paused {
			t.Errorf("paused: %+v", job)
		}
		b.resume("j")
		if job := b.job("j"); job.State() != jobcenter.JobQuarantined || job.Paused {
			t.Errorf("resumed: %+v", job)
		}
		b.wantRows("j") // what it owes stays open
	})
}

func TestPauseErrors(t *testing.T) {
	t.Parallel()
	b := newBench(t, jobcenter.Options{}, nothing)
	b.add(jobcenter.Job{ID: "j", Trigger: never(t)})
	_, err := b.Pause(t.Context(), "j", jobcenter.PauseOptions{Reason: strings.Repeat("因", 501)})
	wantField(t, err, "pause_reason")
	if _, err := b.Pause(t.Context(), "none", jobcenter.PauseOptions{}); !errors.Is(err, jobcenter.ErrJobNotFound) {
		t.Errorf("pause of an unknown job: %v", err)
	}
	if _, err := b.Resume(t.Context(), "none"); !errors.Is(err, jobcenter.ErrJobNotFound) {
		t.Errorf("resume of an unknown job: %v", err)
	}
}

// Groups of jobs, by tag and by whatever else a query has, over all stores.
func TestPauseAll(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := begin(t, jobcenter.Options{
			Stores: map[string]jobcenter.JobStore{"second": jobcenter.NewMemoryStore(0)},
			Tasks:  map[string]jobcenter.Task{"mail": jobcenter.TaskFunc(nothing)},
		}, nothing)
		b.add(jobcenter.Job{ID: "a", Tags: []string{"db", "night"}, Trigger: interval(t, time.Minute)})
		b.add(jobcenter.Job{ID: "b", Tags: []string{"db"}, Trigger: interval(t, time.Minute), Paused: true, PauseReason: "by hand"})
		b.add(jobcenter.Job{ID: "c", Tags: []string{"db"}, Store: "second", Trigger: interval(t, time.Minute)})
		b.addAs("mail", jobcenter.Job{ID: "d", Name: "Mail to all", Tags: []string{"night"}, Trigger: interval(t, time.Minute)})
		all := func() string {
			var states []string
			page, err := b.Jobs(t.Context(), jobcenter.JobQuery{})
			for page.NextCursor != "" || page.Jobs != nil {
				if err != nil {
					t.Fatal(err)
				}
				for _, job := range page.Jobs {
					states = append(states, job.ID+" "+string(job.State()))
				}
				if page.NextCursor == "" {
					break
				}
				page, err = b.Jobs(t.Context(), jobcenter.JobQuery{Cursor: page.NextCursor})
			}
			return strings.Join(states, ", ")
		}
		steps := []struct {
			what  string
			do    func(q jobcenter.JobQuery) (int, error)
			query jobcenter.JobQuery
			count int
			want  string
		}{
			{"pause a tag", b.pauseAll, jobcenter.JobQuery{Tag: "db"}, 2, "a paused, b paused, d active, c paused"},
			{"pause it again", b.pauseAll, jobcenter.JobQuery{Tag: "db"}, 0, "a paused, b paused, d active, c paused"},
			{"resume a tag", b.resumeAll, jobcenter.JobQuery{Tag: "night"}, 1, "a active, b paused, d active, c paused"},
			{"pause a task", b.pauseAll, jobcenter.JobQuery{Task: "mail"}, 1, "a active, b paused, d paused, c paused"},
			{"resume what is found", b.resumeAll, jobcenter.JobQuery{Search: "mail TO"}, 1, "a active, b paused, d active, c paused"},
			{"pause a state", b.pauseAll, jobcenter.JobQuery{State: jobcenter.JobActive}, 2, "a paused, b paused, d paused, c paused"},
			{"resume all", b.resumeAll, jobcenter.JobQuery{Limit: 1, Cursor: "of another list", Sort: jobcenter.SortByName}, 4, "a active, b active, d active, c active"},
			{"remove a tag", b.removeAll, jobcenter.JobQuery{Tag: "db"}, 3, "d active"},
		}
		for _, step := range steps {
			if n, err := step.do(step.query); n != step.count || err != nil {
				t.Errorf("%s: %d, %v; want %d", step.what, n, err, step.count)
			}
			if got := all(); got != step.want {
				t.Errorf("%s: %s; want %s", step.what, got, step.want)
			}
		}
	})
}

func (b *bench) pauseAll(q jobcenter.JobQuery) (int, error) {
	return b.PauseAll(b.t.Context(), q, jobcenter.PauseOptions{Reason: "all of them"})
}

func (b *bench) resumeAll(q jobcenter.JobQuery) (int, error) { return b.ResumeAll(b.t.Context(), q) }

func (b *bench) removeAll(q jobcenter.JobQuery) (int, error) { return b.RemoveAll(b.t.Context(), q) }

// More jobs than a page holds, of which some vanish meanwhile.
func TestPauseAllOfMany(t *testing.T) {
	t.Parallel()
	store := newTroubled(jobcenter.NewMemoryStore(0))
	b := newBench(t, jobcenter.Options{Store: store}, nothing)
	jobs := make([]jobcenter.Job, 1200)
	for i := range jobs {
		jobs[i] = jobcenter.Job{Task: "work", Trigger: never(t)}
	}
	if _, err := b.AddAll(t.Context(), jobs); err != nil {
		t.Fatal(err)
	}
	if n, err := b.PauseAll(t.Context(), jobcenter.JobQuery{State: jobcenter.JobActive}, jobcenter.PauseOptions{}); n != 1200 || err != nil {
		t.Errorf("paused %d, %v", n, err)
	}
	store.set(true, "RemoveJob")
	if n, err := b.RemoveAll(t.Context(), jobcenter.JobQuery{}); n != 0 || !errors.Is(err, errDown) {
		t.Errorf("removed %d, %v from a store that fails", n, err)
	}
	store.set(false, "RemoveJob")
	if n, err := b.RemoveAll(t.Context(), jobcenter.JobQuery{State: jobcenter.JobPaused}); n != 1200 || err != nil {
		t.Errorf("removed %d, %v", n, err)
	}
}

func TestSkipNext(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		skips  int
		unskip bool
		want   []string
	}{
		"one":            {1, false, []string{"succeeded 1m0s", "skipped/skip 2m0s", "succeeded 3m0s", "succeeded 4m0s", "succeeded 5m0s"}},
		"three":          {3, false, []string{"succeeded 1m0s", "skipped/skip 2m0s", "skipped/skip 3m0s", "skipped/skip 4m0s", "succeeded 5m0s"}},
		"taken back":     {2, true, []string{"succeeded 1m0s", "succeeded 2m0s", "succeeded 3m0s", "succeeded 4m0s", "succeeded 5m0s"}},
		"nothing at all": {0, true, []string{"succeeded 1m0s", "succeeded 2m0s", "succeeded 3m0s", "succeeded 4m0s", "succeeded 5m0s"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				b := begin(t, jobcenter.Options{}, nothing)
				b.add(jobcenter.Job{ID: "j", Trigger: interval(t, time.Minute)})
				b.wait(90 * time.Second)
				for i := range test.skips {
					job, err := b.SkipNext(t.Context(), "j")
					if want := begun().Add(time.Duration(i+2) * time.Minute); err != nil || !job.SkipUntil.Equal(want) || job.State() != jobcenter.JobActive {
						t.Errorf("skip %d: until %s, %v; want %s", i+1, job.SkipUntil, err, want)
					}
				}
				if test.unskip {
					if job, err := b.Unskip(t.Context(), "j"); err != nil || !job.SkipUntil.IsZero() {
						t.Errorf("taken back: %+v, %v", job, err)
					}
				}
				b.wait(4 * time.Minute)
				b.wantRows("j", test.want...)
			})
		})
	}
}

// Skipping the last fire time finishes a job, one that has none cannot skip it,
// and a skip outlives a restart.
func TestSkipNextAtTheEdges(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := begin(t, jobcenter.Options{}, nothing)
		b.add(jobcenter.Job{ID: "once", Trigger: date(t, begun().Add(time.Minute))})
		b.add(jobcenter.Job{ID: "boot", Trigger: reboot(t)})
		if _, err := b.SkipNext(t.Context(), "once"); err != nil {
			t.Fatal(err)
		}
		for _, id := range []string{"once", "boot"} {
			_, err := b.SkipNext(t.Context(), id)
			if wantField(t, err, "trigger"); !errors.Is(err, jobcenter.ErrNeverFires) {
				t.Errorf("%s: %v, want ErrNeverFires", id, err)
			}
		}
		if _, err := b.SkipNext(t.Context(), "none"); !errors.Is(err, jobcenter.ErrJobNotFound) {
			t.Errorf("an unknown job: %v", err)
		}
		b.stop()
		time.Sleep(90 * time.Second)
		b.begin()
		b.wait(time.Second)
		b.wantRows("once", "skipped/skip 1m0s")
		if job := b.job("once"); job.State() != jobcenter.JobFinished {
			t.Errorf("once is %s", job.State())
		}
		_, err := b.SkipNext(t.Context(), "once")
		wantField(t, err, "trigger")
	})
}

// Each reason has a row of its own, in the order of the fire times.
func TestRowsOfDifferentReasonsAreApart(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, jobcenter.Options{}, nothing)
		b.add(jobcenter.Job{ID: "j", Trigger: interval(t, time.Minute), MisfireGrace: 3 * time.Minute, Paused: true, PausedUntil: begun().Add(150 * time.Second)})
		for range 4 {
			if _, err := b.SkipNext(t.Context(), "j"); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(10 * time.Minute)
		b.begin()
		b.wait(0)
		b.wantRows("j", "skipped/paused 1m0s..2m0s ×2", "skipped/skip 3m0s..4m0s ×2", "missed/misfire 5m0s..6m0s ×2", "skipped/coalesced 7m0s..9m0s ×3", "succeeded 10m0s")
	})
}

// Removing a paused job leaves a row for what the pause took.
func TestRemoveAPausedJob(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := begin(t, jobcenter.Options{}, nothing)
		b.add(jobcenter.Job{ID: "j", Trigger: interval(t, time.Minute)})
		b.wait(90 * time.Second)
		b.pause("j", jobcenter.PauseOptions{})
		b.wait(2 * time.Minute)
		if err := b.Remove(t.Context(), "j"); err != nil {
			t.Fatal(err)
		}
		b.wantRows("j", "succeeded 1m0s", "skipped/paused 2m0s..3m0s ×2")
	})
}

// All those who wait for the same instant resume, and what they owed is told as
// events too.
func TestResumeTellsWhatWasSkipped(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := begin(t, jobcenter.Options{}, nothing)
		told := b.listen(jobcenter.EventFilter{JobID: "j"})
		b.add(jobcenter.Job{ID: "j", Trigger: interval(t, time.Minute)})
		b.pause("j", jobcenter.PauseOptions{})
		b.wait(150 * time.Second)
		b.resume("j")
		told.wantTypes(t, jobcenter.EventJobAdded, jobcenter.EventJobPaused, jobcenter.EventJobResumed, jobcenter.EventRunSkipped)
		last := told.all()[3]
		if got := row(last.Run); got != "skipped/paused 1m0s..2m0s ×2" {
			t.Errorf("the event tells of %s", got)
		}
		if diff := cmp.Diff([]string{"paused"}, told.all()[2].Fields); diff != "" {
			t.Errorf("changed fields (-want +got):\n%s", diff)
		}
		if _, err := b.Store().Run(context.WithoutCancel(t.Context()), last.Run.ID); err != nil {
			t.Errorf("the run of the event is not in the store: %v", err)
		}
	})
}
