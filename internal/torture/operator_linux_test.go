package torture

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/jobcenter-go/jobcenter"
)

// operator is somebody who starts, stops, pauses and resumes meanwhile. What
// it was told, the ledger must show.
type operator struct {
	scheduler *jobcenter.Scheduler // does not run
	random    *rand.Rand
	jobs      []*tortureJob
	going     sync.WaitGroup

	mu      sync.Mutex
	started []jobcenter.Run  // that RunNow said are queued
	asked   map[string]int64 // runs that were to be stopped, by id, and when that was asked first
	pauses  map[int][]*pause // by job
	failed  int              // calls that the store failed
	done    int
}

// pause is when a job was paused. The calls that began and ended it were made
// at from and to; they returned without an error at fromDone and toDone. 0:
// they did not.
type pause struct{ from, fromDone, to, toDone int64 }

func newOperator(scheduler *jobcenter.Scheduler, random *rand.Rand, jobs []*tortureJob) *operator {
	return &operator{scheduler: scheduler, random: random, jobs: jobs, asked: map[string]int64{}, pauses: map[int][]*pause{}}
}

// run goes on until ctx ends, and resumes then what is paused.
func (o *operator) run(ctx context.Context) {
	for wait(ctx, time.Duration(o.random.Int64N(int64(300*time.Millisecond)))) {
		j := o.jobs[o.random.IntN(len(o.jobs))]
		switch o.random.IntN(3) {
		case 0:
			o.runNow(ctx, j)
		case 1:
			o.stopOne(ctx)
		default:
			o.pause(ctx, j, time.Duration(o.random.Int64N(int64(3*time.Second))))
		}
	}
	o.going.Wait()
}

// call calls the scheduler, which has a while to answer even if the test's
// time is over.
func (o *operator) call(ctx context.Context, do func(ctx context.Context) error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 15*time.Second)
	defer cancel()
	err := do(ctx)
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.done++; err != nil && !errors.Is(err, jobcenter.ErrOverlap) && !errors.Is(err, jobcenter.ErrNotRunning) {
		o.failed++
	}
	return err
}

func (o *operator) runNow(ctx context.Context, j *tortureJob) {
	_ = o.call(ctx, func(ctx context.Context) error {
		run, err := o.scheduler.RunNow(ctx, j.ID, jobcenter.StartOptions{Origin: jobcenter.OriginManual, Actor: "operator"})
		if err == nil {
			o.mu.Lock()
			o.started = append(o.started, run)
			o.mu.Unlock()
		}
		return err
	})
}

// stopOne stops a run that is queued or running.
func (o *operator) stopOne(ctx context.Context) {
	_ = o.call(ctx, func(ctx context.Context) error {
		page, err := o.scheduler.Store().Runs(ctx, jobcenter.RunQuery{States: []jobcenter.RunState{jobcenter.RunQueued, jobcenter.RunRunning}, Limit: 20})
		if err != nil || len(page.Runs) == 0 {
			return err
		}
		id := page.Runs[o.random.IntN(len(page.Runs))].ID
		o.mu.Lock()
		if o.asked[id] == 0 {
			o.asked[id] = now()
		}
		o.mu.Unlock()
		return o.scheduler.StopRun(ctx, id, "operator")
	})
}

// pause pauses a job that is not, and resumes it after a while.
func (o *operator) pause(ctx context.Context, j *tortureJob, d time.Duration) {
	o.mu.Lock()
	list := o.pauses[j.number]
	if n := len(list); n > 0 && list[n-1].toDone == 0 {
		o.mu.Unlock()
		return
	}
	p := &pause{from: now()}
	o.pauses[j.number] = append(list, p)
	o.mu.Unlock()

	err := o.call(ctx, func(ctx context.Context) error {
		_, err := o.scheduler.Pause(ctx, j.ID, jobcenter.PauseOptions{Reason: "torture"})
		return err
	})
	if err == nil {
		p.fromDone = now()
	}
	o.going.Go(func() {
		wait(ctx, d)
		// Even if pausing failed: the store may have done it.
		for p.to = now(); p.toDone == 0; {
			err := o.call(ctx, func(ctx context.Context) error {
				_, err := o.scheduler.Resume(ctx, j.ID)
				return err
			})
			if err == nil {
				o.mu.Lock()
				p.toDone = now()
				o.mu.Unlock()
			} else {
				<-time.After(100 * time.Millisecond)
			}
		}
	})
}

// noTasks are tasks by the names of ours, for a scheduler that runs none.
func noTasks() map[string]jobcenter.Task {
	tasks := map[string]jobcenter.Task{}
	for _, k := range kinds() {
		tasks[k.name] = jobcenter.TaskFunc(func(context.Context, *jobcenter.RunContext) error {
			return errors.New("the operator runs nothing")
		})
	}
	return tasks
}
