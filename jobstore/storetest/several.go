package storetest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jobcenter-go/jobcenter"
)

// shared are tests of what several callers do at the same time. Each of them
// calls one of the stores, which hold the same data: one that all share, or
// one for each process.
func shared() map[string]func(*testing.T, ...jobcenter.JobStore) {
	return map[string]func(*testing.T, ...jobcenter.JobStore){
		"claims":                      sharedClaims,
		"changes":                     sharedChanges,
		"changes and carries":         sharedCarries,
		"starts to MaxInstances":      sharedStarts,
		"starts to a limit":           sharedLimit,
		"starts to a rate":            sharedRate,
		"starts at a rate, over time": sharedRateOverTime,
		"adding one id":               sharedAdds,
		"adding and removing":         sharedAddsAndRemovals,
		"removing what comes back":    sharedInstants,
		"claims, starts and removals": sharedRemovals,
		"stops and starts":            sharedStops,
		"ends and stops":              sharedEnds,
	}
}

func severalTests() tests {
	all := tests{}
	for name, test := range shared() {
		all[name] = func(t *testing.T, store jobcenter.JobStore) { test(t, store) }
	}
	return all
}

const callers = 8

// atOnce runs work in several goroutines, each with one of the stores, and
// waits for them. An error of work is one of the test.
func atOnce(t *testing.T, stores []jobcenter.JobStore, work func(caller int, store jobcenter.JobStore) error) {
	t.Helper()
	var group sync.WaitGroup
	for caller := range callers {
		group.Go(func() {
			if err := work(caller, stores[caller%len(stores)]); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
}

// tally counts what several callers got.
type tally struct {
	mu   sync.Mutex
	runs map[string]int
}

func (c *tally) add(runs []jobcenter.Run) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.runs == nil {
		c.runs = map[string]int{}
	}
	for _, run := range runs {
		c.runs[run.ID]++
	}
}

// once checks that want runs were had, each by one caller.
func (c *tally) once(t *testing.T, want int) {
	t.Helper()
	if len(c.runs) != want {
		t.Errorf("%d runs were had, want %d", len(c.runs), want)
	}
	for id, n := range c.runs {
		if n != 1 {
			t.Errorf("run %s was had %d times", id, n)
		}
	}
}

func sharedClaims(t *testing.T, stores ...jobcenter.JobStore) {
	const jobs, fires = 40, 6
	addJobs(t, stores[0], manyJobs(t, jobs, at(0))...)
	var claimed tally
	atOnce(t, stores, func(_ int, store jobcenter.JobStore) error {
		for {
			got, err := store.Claim(context.Background(), can(), at(60*(fires-1)), 7, func(job jobcenter.Job, active jobcenter.Active) jobcenter.Decision {
				runtime.Gosched()
				return runAndAdvance(job, active)
			})
			if err != nil || len(got) == 0 {
				return err
			}
			claimed.add(claimedRuns(got))
		}
	})
	claimed.once(t, jobs*fires)
	page, err := stores[0].Jobs(t.Context(), jobcenter.JobQuery{Limit: 500})
	if err != nil {
		t.Fatal(err)
	}
	for _, job := range page.Jobs {
		if !job.NextFireTime.Equal(at(60*fires)) || !job.PreviousFireTime.Equal(at(60*(fires-1))) {
			t.Errorf("job %s: next fire time %v, previous %v", job.ID, job.NextFireTime, job.PreviousFireTime)
		}
	}
	if runs := allRuns(t, stores[0], jobcenter.RunQuery{Limit: 500}); len(runs) != jobs*fires {
		t.Errorf("%d runs stored, want %d", len(runs), jobs*fires)
	}
}

func sharedChanges(t *testing.T, stores ...jobcenter.JobStore) {
	const each = 12
	addJobs(t, stores[0], newJob(t, "a", at(1)))
	atOnce(t, stores, func(caller int, store jobcenter.JobStore) error {
		for i := range each {
			_, err := store.UpdateJob(context.Background(), "a", func(job jobcenter.Job, _ jobcenter.Active) (jobcenter.Job, []jobcenter.Run, error) {
				job.Version++
				runtime.Gosched()
				return job, []jobcenter.Run{newRun("a", at(caller*each+i), jobcenter.RunSkipped)}, nil
			})
			_, listErr := store.Jobs(context.Background(), jobcenter.JobQuery{})
			if err := errors.Join(err, listErr); err != nil {
				return err
			}
		}
		return nil
	})
	if got := getJob(t, stores[0], "a").Version; got != 1+callers*each {
		t.Errorf("version %d, want %d: changes were lost", got, 1+callers*each)
	}
	if runs := allRuns(t, stores[0], jobcenter.RunQuery{Limit: 500}); len(runs) != callers*each {
		t.Errorf("%d runs, want %d", len(runs), callers*each)
	}
}

// sharedCarries has runs of a job end, each with something to carry, while the
// job is changed and claimed: none of these undoes another.
func sharedCarries(t *testing.T, stores ...jobcenter.JobStore) {
	const each = 8
	job := newJob(t, "a", at(0))
	addJobs(t, stores[0], job)
	var runs []jobcenter.Run
	for i := range each {
		runs = append(runs, inSeries(newRun("a", at(i), jobcenter.RunRunning), "s"))
	}
	addRuns(t, stores[0], "a", runs...)
	atOnce(t, stores, func(caller int, store jobcenter.JobStore) error {
		for i := range each {
			var err error
			switch caller {
			case 0:
				err = store.Record(context.Background(), jobcenter.Records{
					Ends:    succeeded(at(99), runs[i]),
					Carries: []jobcenter.Carry{{RunID: runs[i].ID, JobID: "a", Attempt: 1, Carried: fmt.Append(nil, i), Result: fmt.Append(nil, i)}},
				})
			case 1:
				_, err = store.Claim(context.Background(), can(), at(60*each), 1, runAndAdvance)
			default:
				_, err = store.UpdateJob(context.Background(), "a", func(job jobcenter.Job, _ jobcenter.Active) (jobcenter.Job, []jobcenter.Run, error) {
					job.Version++
					runtime.Gosched()
					return job, nil, nil
				})
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
	job.Version, job.NextFireTime, job.PreviousFireTime = 1+(callers-2)*each, at(60*each), at(60*(each-1))
	job.Carried, job.LastResult = fmt.Append(nil, each-1), fmt.Append(nil, each-1)
	checkSame(t, "job", job, getJob(t, stores[0], "a"))
	checkSame(t, "active", jobcenter.Active{Running: each}, activeOf(t, stores[0], "a"))
}

// slowStart is startAt, and lets others in between if the store does.
func slowStart(now time.Time) func(jobcenter.Job, jobcenter.Run) jobcenter.Run {
	start := startAt(now)
	return func(job jobcenter.Job, run jobcenter.Run) jobcenter.Run {
		runtime.Gosched()
		return start(job, run)
	}
}

// startsOf lets all callers take queued runs, a few at a time, until there are
// none for them.
func startsOf(t *testing.T, stores []jobcenter.JobStore, now time.Time) *tally {
	t.Helper()
	var starts tally
	atOnce(t, stores, func(_ int, store jobcenter.JobStore) error {
		for {
			got, _, err := store.TakeQueued(context.Background(), can(), pool, now, 3, slowStart(now))
			if err != nil || len(got) == 0 {
				return err
			}
			starts.add(claimedRuns(got))
		}
	})
	return &starts
}

func sharedStarts(t *testing.T, stores ...jobcenter.JobStore) {
	const runs, instances = 60, 25
	limited(t, stores[0], "a", jobcenter.Limit{}, 0, runs)
	update(t, stores[0], "a", func(job *jobcenter.Job) { job.MaxInstances = instances })
	startsOf(t, stores, at(100)).once(t, instances)
	checkSame(t, "active", jobcenter.Active{Queued: runs - instances, Running: instances}, activeOf(t, stores[0], "a"))
}

// sharedLimit has runs of several jobs with one key start and end: at no time
// are there more than the limit.
func sharedLimit(t *testing.T, stores ...jobcenter.JobStore) {
	const jobs, each, limit = 4, 8, 3
	for i := range jobs {
		limited(t, stores[0], fmt.Sprint("job", i), jobcenter.Limit{Key: "k", Running: limit}, i*each, each)
	}
	startsOf(t, stores, at(100)).once(t, limit)
	first := allRuns(t, stores[0], jobcenter.RunQuery{States: []jobcenter.RunState{jobcenter.RunRunning}})
	record(t, stores[0], jobcenter.Records{Ends: succeeded(at(101), first...)})

	var starts tally
	var running, left atomic.Int64
	left.Store(jobs*each - limit)
	atOnce(t, stores, func(_ int, store jobcenter.JobStore) error {
		for tries := 0; left.Load() > 0 && tries < 300; tries++ {
			got, _, err := store.TakeQueued(context.Background(), can(), pool, at(102), 2, slowStart(at(102)))
			if err != nil {
				return err
			}
			runs := claimedRuns(got)
			// From before the ends are recorded to after the starts were: no
			// more than are running in the store.
			if n := running.Add(int64(len(runs))); n > limit {
				t.Errorf("%d runs of the key are running, the limit is %d", n, limit)
			}
			starts.add(runs)
			running.Add(-int64(len(runs)))
			if err := store.Record(context.Background(), jobcenter.Records{Ends: succeeded(at(103), runs...)}); err != nil {
				return err
			}
			left.Add(-int64(len(runs)))
		}
		return nil
	})
	starts.once(t, jobs*each-limit)
}

func sharedRate(t *testing.T, stores ...jobcenter.JobStore) {
	const jobs, each, rate = 4, 8, 7
	for i := range jobs {
		limited(t, stores[0], fmt.Sprint("job", i), jobcenter.Limit{Key: "k", Rate: rate, Per: time.Minute}, i*each, each)
	}
	for minute := range 3 {
		startsOf(t, stores, at(100+60*minute)).once(t, rate)
	}
}

// sharedRateOverTime has callers whose clocks differ: within any span of the
// length, no more runs than the rate start.
func sharedRateOverTime(t *testing.T, stores ...jobcenter.JobStore) {
	const jobs, each, rate, per = 3, 12, 3, 10
	for i := range jobs {
		limited(t, stores[0], fmt.Sprint("job", i), jobcenter.Limit{Key: "k", Rate: rate, Per: per * time.Second}, i*each, each)
	}
	var clock atomic.Int64
	atOnce(t, stores, func(_ int, store jobcenter.JobStore) error {
		for range 12 {
			now := at(1000 + int(clock.Add(1)))
			got, _, err := store.TakeQueued(context.Background(), can(), pool, now, 2, slowStart(now))
			if err != nil {
				return err
			}
			if err := store.Record(context.Background(), jobcenter.Records{Ends: succeeded(now, claimedRuns(got)...)}); err != nil {
				return err
			}
		}
		return nil
	})
	var starts []time.Time
	for _, run := range allRuns(t, stores[0], jobcenter.RunQuery{States: []jobcenter.RunState{jobcenter.RunSucceeded}, Limit: 500}) {
		starts = append(starts, run.StartedAt)
	}
	slices.SortFunc(starts, time.Time.Compare)
	for i := rate; i < len(starts); i++ {
		if span := starts[i].Sub(starts[i-rate]); span < per*time.Second {
			t.Errorf("%d runs started within %s, the rate is %d in %d s", rate+1, span, rate, per)
		}
	}
	if len(starts) < rate {
		t.Errorf("%d runs started, want %d at least", len(starts), rate)
	}
}

func sharedAdds(t *testing.T, stores ...jobcenter.JobStore) {
	const ids = 12
	var mu sync.Mutex
	won := map[string]string{}
	atOnce(t, stores, func(caller int, store jobcenter.JobStore) error {
		for i := range ids {
			// Each call brings a job that only it has: all or none.
			job, own := newJob(t, fmt.Sprint("job", i), at(caller)), newJob(t, fmt.Sprintf("own%d-%d", i, caller), at(1))
			job.Name = fmt.Sprint("of caller ", caller)
			err := store.AddJobs(context.Background(), these(own, job))
			switch {
			case err == nil:
				mu.Lock()
				if other, taken := won[job.ID]; taken {
					t.Errorf("%s was added by %s and %s", job.ID, other, job.Name)
				}
				won[job.ID] = job.Name
				mu.Unlock()
			case !errors.Is(err, jobcenter.ErrConflict):
				return err
			}
		}
		return nil
	})
	all := listJobs(t, stores[0], jobcenter.JobQuery{Limit: 500})
	if len(won) != ids || len(all) != 2*ids {
		t.Errorf("%d jobs were added, %d are there; want %d, and as many beside them", len(won), len(all), ids)
	}
	for id, name := range won {
		checkSame(t, "name of "+id, name, getJob(t, stores[0], id).Name)
	}
}

// life has one job added and removed as a scheduler does it: what its removal
// covers goes up to the instant of the removal, what a new one fires begins
// after the instant of its adding.
type life struct{ clock atomic.Int64 }

func (l *life) now() time.Time { return at(int(l.clock.Add(1))) }

func (l *life) add(t *testing.T, store jobcenter.JobStore) error {
	return store.AddJobs(context.Background(), func() ([]jobcenter.Job, error) {
		return []jobcenter.Job{newJob(t, "a", l.now().Add(time.Microsecond))}, nil
	})
}

func (l *life) remove(store jobcenter.JobStore) error {
	return store.RemoveJob(context.Background(), "a", func(job jobcenter.Job) []jobcenter.Run { return []jobcenter.Run{l.span(job)} })
}

func (l *life) span(job jobcenter.Job) jobcenter.Run {
	span := newRun("a", job.NextFireTime, jobcenter.RunSkipped)
	span.LastFireTime, span.FireCount, span.Reason = l.now(), 2, jobcenter.ReasonRemoved
	return span
}

// check wants the lives of the job one after the other.
func (l *life) check(t *testing.T, store jobcenter.JobStore, removals int) {
	t.Helper()
	runs := allRuns(t, store, jobcenter.RunQuery{Limit: 500})
	if len(runs) != removals {
		t.Errorf("%d rows of %d removals", len(runs), removals)
	}
	slices.Reverse(runs)
	for i, run := range runs {
		if !run.FireTime.Before(run.LastFireTime) {
			t.Errorf("the job was removed at %v, before it was added at %v", run.LastFireTime, run.FireTime)
		}
		if i > 0 && !run.FireTime.After(runs[i-1].LastFireTime) {
			t.Errorf("the job was added at %v, before it was removed at %v: what lies between is covered twice", run.FireTime, runs[i-1].LastFireTime)
		}
	}
}

func sharedAddsAndRemovals(t *testing.T, stores ...jobcenter.JobStore) {
	var l life
	var adds, removals atomic.Int64
	atOnce(t, stores, func(caller int, store jobcenter.JobStore) error {
		for range 15 {
			var err error
			if caller%2 == 0 {
				if err = l.add(t, store); err == nil {
					adds.Add(1)
				}
			} else if err = l.remove(store); err == nil {
				removals.Add(1)
			}
			if err != nil && !errors.Is(err, jobcenter.ErrConflict) && !errors.Is(err, jobcenter.ErrJobNotFound) {
				return err
			}
		}
		return nil
	})
	if err := l.remove(stores[0]); err == nil {
		removals.Add(1)
	}
	if adds.Load() != removals.Load() {
		t.Errorf("the job was added %d times and removed %d times", adds.Load(), removals.Load())
	}
	l.check(t, stores[0], int(removals.Load()))
}

// sharedInstants holds the callback of AddJobs up, so that a removal falls
// between the instant that it takes and the insertion, if that can be.
func sharedInstants(t *testing.T, stores ...jobcenter.JobStore) {
	other := stores[len(stores)-1]
	var l life
	removals := 0
	for range 4 {
		if err := l.add(t, stores[0]); err != nil && !errors.Is(err, jobcenter.ErrConflict) {
			t.Fatal(err)
		}
		asked, gone := make(chan struct{}), make(chan struct{})
		ask := sync.OnceFunc(func() { close(asked) })
		var group sync.WaitGroup
		group.Go(func() {
			<-asked
			defer close(gone)
			if err := l.remove(other); err != nil {
				t.Error(err)
			}
		})
		err := stores[0].AddJobs(t.Context(), func() ([]jobcenter.Job, error) {
			job := newJob(t, "a", l.now().Add(time.Microsecond))
			ask()
			select {
			case <-gone:
			case <-time.After(20 * time.Millisecond): // most stores let nobody in
			}
			return []jobcenter.Job{job}, nil
		})
		ask() // one that knew the conflict beforehand did not call it
		group.Wait()
		removals++
		if err != nil && !errors.Is(err, jobcenter.ErrConflict) {
			t.Fatal(err)
		}
	}
	if err := l.remove(stores[0]); err == nil {
		removals++
	}
	l.check(t, stores[0], removals)
}

// sharedRemovals has jobs removed while they are claimed and their runs
// started: each fire time is in one row, and nothing waits for ever.
func sharedRemovals(t *testing.T, stores ...jobcenter.JobStore) {
	const jobs, fires = 24, 4
	addJobs(t, stores[0], manyJobs(t, jobs, at(0))...)
	var starts tally
	var removed atomic.Int64
	end := at(60*fires - 1)
	atOnce(t, stores, func(caller int, store jobcenter.JobStore) error {
		for i := range jobs {
			switch caller % 4 {
			case 0, 1:
				if _, err := store.Claim(context.Background(), can(), end, 5, func(job jobcenter.Job, _ jobcenter.Active) jobcenter.Decision {
					return jobcenter.Decision{Next: job.NextFireTime.Add(time.Minute), Runs: []jobcenter.Run{newRun(job.ID, job.NextFireTime, jobcenter.RunQueued)}}
				}); err != nil {
					return err
				}
			case 2:
				got, _, err := store.TakeQueued(context.Background(), can(), pool, end, 4, slowStart(end))
				if err != nil {
					return err
				}
				starts.add(claimedRuns(got))
				if err := store.Record(context.Background(), jobcenter.Records{Ends: succeeded(late(), claimedRuns(got)...)}); err != nil {
					return err
				}
			default:
				err := store.RemoveJob(context.Background(), fmt.Sprintf("job%03d", i), func(job jobcenter.Job) []jobcenter.Run {
					span := newRun(job.ID, job.NextFireTime, jobcenter.RunSkipped)
					span.LastFireTime = late()
					return []jobcenter.Run{span}
				})
				if err == nil {
					removed.Add(1)
				} else if !errors.Is(err, jobcenter.ErrJobNotFound) {
					return err
				}
			}
		}
		return nil
	})
	if removed.Load() != jobs {
		t.Errorf("%d removals, want %d", removed.Load(), jobs)
	}
	if left := take(t, stores[0], late(), 100); len(left) != 0 {
		t.Errorf("taken after all jobs were removed: %v", names(left))
	}
	started := 0
	covered := map[string]int{} // by job: how many fire times in a row
	runs := allRuns(t, stores[0], jobcenter.RunQuery{Limit: 500})
	slices.Reverse(runs)
	for _, run := range runs {
		if want := at(60 * covered[run.JobID]); !run.FireTime.Equal(want) {
			t.Errorf("job %s: a row of %v, want one of %v", run.JobID, run.FireTime, want)
		}
		covered[run.JobID]++
		switch {
		case run.State == jobcenter.RunSucceeded:
			started++
		case run.State != jobcenter.RunSkipped:
			t.Errorf("run %v is %s in the end", names([]jobcenter.Run{run}), run.State)
		}
	}
	starts.once(t, started)
}

// sharedStops has runs stopped while they are started: each ends in the queue,
// or runs and is told to stop.
func sharedStops(t *testing.T, stores ...jobcenter.JobStore) {
	const runs = 40
	limited(t, stores[0], "a", jobcenter.Limit{}, 0, runs)
	queued := allRuns(t, stores[0], jobcenter.RunQuery{})
	slices.Reverse(queued)
	var starts tally
	atOnce(t, stores, func(caller int, store jobcenter.JobStore) error {
		for i, run := range queued {
			if caller%2 == 0 {
				got, _, err := store.TakeQueued(context.Background(), can(), pool, at(100), 1, slowStart(at(100)))
				if err != nil {
					return err
				}
				starts.add(claimedRuns(got))
				continue
			}
			if caller%4 == 1 { // some from the end, towards the starts
				run = queued[len(queued)-1-i]
			}
			got, err := store.RequestStop(context.Background(), run.ID, "me", at(200))
			if err != nil {
				return err
			}
			if got.StopBy != "me" || got.State != jobcenter.RunStopped && got.State != jobcenter.RunRunning {
				t.Errorf("run that was asked to stop: %s, by %q", got.State, got.StopBy)
			}
		}
		return nil
	})
	started := 0
	for _, run := range queued {
		got := getRun(t, stores[0], run.ID)
		want := run
		want.StopBy = "me"
		if got.State == jobcenter.RunRunning {
			started++
			want.State, want.Attempt, want.Node, want.StartedAt = jobcenter.RunRunning, 1, "node", at(100)
		} else {
			want.State, want.Reason, want.Message, want.EndedAt = jobcenter.RunStopped, jobcenter.ReasonStop, "me", at(200)
		}
		checkSame(t, "run", want, got)
	}
	starts.once(t, started)
	checkSame(t, "active", jobcenter.Active{Running: started}, activeOf(t, stores[0], "a"))
}

// sharedEnds has several end the same runs: one end counts, whole.
func sharedEnds(t *testing.T, stores ...jobcenter.JobStore) {
	const many = 20
	addJobs(t, stores[0], manyJobs(t, many, at(1))...)
	runs := claimedRuns(claim(t, stores[0], at(1), many))
	atOnce(t, stores, func(caller int, store jobcenter.JobStore) error {
		for _, run := range runs {
			own, err := json.Marshal(caller)
			if err != nil {
				return err
			}
			run.State, run.Message, run.EndedAt, run.OutputSize, run.Result = jobcenter.RunFailed, fmt.Sprint(caller), at(10+caller), int64(1+caller), own
			if caller%2 == 0 {
				run.State, run.Node, run.NotBefore = jobcenter.RunQueued, "", at(50+caller)
			}
			err = store.Record(context.Background(), jobcenter.Records{
				Output: []jobcenter.Chunk{chunk(run, 0, fmt.Sprint(caller))}, Ends: []jobcenter.Run{run},
				Carries: []jobcenter.Carry{{RunID: run.ID, JobID: run.JobID, Attempt: 1, Carried: own}},
			})
			if err != nil {
				return err
			}
			if _, err := store.RequestStop(context.Background(), run.ID, "me", at(99)); err != nil {
				return err
			}
		}
		return nil
	})
	for _, run := range runs {
		got := getRun(t, stores[0], run.ID)
		own := string(got.Result)
		chunks := output(t, stores[0], run.ID)
		if len(chunks) != 1 || string(chunks[0].Data) != own || string(getJob(t, stores[0], run.JobID).Carried) != own || got.OutputSize != got.EndedAt.Unix()-at(9).Unix() && got.State != jobcenter.RunStopped {
			t.Errorf("run is %s by %s, its output is that of %v, its job carries %s", got.State, own, chunks, getJob(t, stores[0], run.JobID).Carried)
		}
		if !got.State.Final() {
			t.Errorf("run is %s although it has ended or was stopped", got.State)
		}
	}
}
