package torture

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"time"

	"github.com/jobcenter-go/jobcenter"
	"github.com/jobcenter-go/jobcenter/trigger"
)

// kind is a sort of job: its rules, what its task does, and so what its rows
// may say.
type kind struct {
	name  string
	share int // how many of 100 jobs
	rules jobcenter.Job
	work  func(ctx context.Context, a *attemptRun) error
}

// The outcomes that a task knows of.
const (
	outcomeDone     = "done"
	outcomeError    = "error"
	outcomePanic    = "panic"
	outcomeTimeout  = "timeout"
	outcomeStopped  = "stopped"
	outcomeShutdown = "shutdown"
	outcomeTaken    = "taken" // another scheduler has taken over the run
)

var errMeant = errors.New("as it is meant to")

// kinds are all of them. The shares add up to 100; those that take their time
// keep about as many runs going as the three schedulers have places for.
func kinds() []kind {
	grace := 2 * time.Second // short, so that some are missed
	retry := func(attempts int) jobcenter.Retry {
		return jobcenter.Retry{Attempts: attempts, Delay: 200 * time.Millisecond, Jitter: 1}
	}
	return []kind{
		{"quick", 44, jobcenter.Job{}, func(context.Context, *attemptRun) error { return nil }},
		{"hasty", 4, jobcenter.Job{MisfireGrace: grace, Coalesce: jobcenter.CoalesceEarliest}, func(context.Context, *attemptRun) error { return nil }},
		{"counter", 8, jobcenter.Job{}, count},
		{"recovered counter", 4, jobcenter.Job{RequestsRecovery: true}, count},
		{"error", 4, jobcenter.Job{}, func(context.Context, *attemptRun) error { return errMeant }},
		{"retry", 6, jobcenter.Job{RequestsRecovery: true, Retry: retry(3)}, func(_ context.Context, a *attemptRun) error {
			if a.attempt == 1 {
				return errMeant
			}
			return nil
		}},
		{"retry in vain", 2, jobcenter.Job{Retry: retry(2)}, func(context.Context, *attemptRun) error { return errMeant }},
		{"panic", 3, jobcenter.Job{}, func(context.Context, *attemptRun) error { panic(errMeant) }},
		{"timeout", 3, jobcenter.Job{Timeout: 200 * time.Millisecond}, func(ctx context.Context, a *attemptRun) error { return a.pause(ctx, time.Hour) }},
		{"output", 4, jobcenter.Job{}, write},
		{"recovered output", 3, jobcenter.Job{RequestsRecovery: true, Retry: retry(2)}, func(ctx context.Context, a *attemptRun) error {
			if err := write(ctx, a); err != nil || a.random().IntN(4) > 0 {
				return err
			}
			return errMeant
		}},
		{"long", 4, jobcenter.Job{}, func(ctx context.Context, a *attemptRun) error { return a.pauseUpTo(ctx, 2500*time.Millisecond) }},
		{"recovered long", 3, jobcenter.Job{RequestsRecovery: true}, func(ctx context.Context, a *attemptRun) error { return a.pauseUpTo(ctx, time.Second) }},
		{"two at once", 2, jobcenter.Job{MaxInstances: 2, Overlap: jobcenter.OverlapQueueOne, MisfireGrace: grace}, func(ctx context.Context, a *attemptRun) error {
			return a.pauseUpTo(ctx, 3*time.Second)
		}},
		{"every one", 2, jobcenter.Job{Coalesce: jobcenter.CoalesceAll, Overlap: jobcenter.OverlapQueueAll, MisfireGrace: jobcenter.NeverTooLate, RequestsRecovery: true}, func(ctx context.Context, a *attemptRun) error {
			return a.pauseUpTo(ctx, 100*time.Millisecond)
		}},
		{"replaced", 1, jobcenter.Job{Overlap: jobcenter.OverlapCancel}, func(ctx context.Context, a *attemptRun) error { return a.pauseUpTo(ctx, 4*time.Second) }},
		{"limited", 2, jobcenter.Job{Limit: jobcenter.Limit{Key: "limited", Running: 3}}, func(ctx context.Context, a *attemptRun) error {
			return a.pauseUpTo(ctx, 100*time.Millisecond)
		}},
		{"rated", 1, jobcenter.Job{Limit: jobcenter.Limit{Key: "rated", Rate: 4, Per: time.Second}}, func(context.Context, *attemptRun) error { return nil }},
	}
}

// tortureJob is a job of the test, and its place in the journals.
type tortureJob struct {
	jobcenter.Job
	number int
	every  time.Duration
	last   time.Time // its last fire time
	kind   *kind
}

func jobID(number int) string { return fmt.Sprintf("torture-%05d", number) }

func jobNumber(id string) int {
	number, err := strconv.Atoi(id[len(id)-5:])
	if err != nil {
		panic(fmt.Sprintf("job id %q", id))
	}
	return number
}

// makeJobs makes jobs of all kinds in turn: half of them fire as often as it
// says and half of them half as often; half at the same instant and half each
// at its own; from the first fire time to the last. Few jobs are of each kind
// alike.
func makeJobs(n int, often time.Duration, first, last time.Time) ([]*tortureJob, error) {
	var deck []*kind
	all := kinds()
	for i := range all {
		share := all[i].share
		if n < 100 {
			share = 1
		}
		for range share {
			deck = append(deck, &all[i])
		}
	}
	random := rand.New(rand.NewPCG(1, 1)) // the same jobs each time
	random.Shuffle(len(deck), func(i, j int) { deck[i], deck[j] = deck[j], deck[i] })
	jobs := make([]*tortureJob, n)
	for i := range jobs {
		j := &tortureJob{number: i, kind: deck[i%len(deck)], every: time.Duration(1+i/len(deck)%2) * often}
		start := first
		if random.IntN(2) == 0 {
			start = start.Add(time.Duration(random.Int64N(int64(j.every))))
		}
		start = start.Truncate(time.Microsecond)
		t, err := trigger.NewInterval(j.every, trigger.Options{Start: start, End: last})
		if err != nil {
			return nil, err
		}
		j.last = start.Add(last.Sub(start).Truncate(j.every))
		j.Job = j.kind.rules
		j.ID, j.Name, j.Task, j.Trigger = jobID(i), j.kind.name, j.kind.name, t
		jobs[i] = j
	}
	return jobs, nil
}

// attemptRun is what the work of a task has.
type attemptRun struct {
	*jobcenter.RunContext
	job, attempt int
	carried      int64 // what the task leaves; -1 for nothing
}

// random gives the same numbers for the same attempt, in any process.
func (a *attemptRun) random() *rand.Rand { return attemptRandom(a.job, a.FireTime(), a.attempt) }

func attemptRandom(job int, fire time.Time, attempt int) *rand.Rand {
	return rand.New(rand.NewPCG(uint64(job)<<8|uint64(attempt), uint64(fire.UnixMicro())))
}

// pause waits, or returns why it was not to.
func (a *attemptRun) pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-timer.C:
		return nil
	}
}

func (a *attemptRun) pauseUpTo(ctx context.Context, d time.Duration) error {
	return a.pause(ctx, time.Duration(a.random().Int64N(int64(d))))
}

// count carries one more than the run before it did.
func count(_ context.Context, a *attemptRun) error {
	var before int64
	if err := a.Carried(&before); err != nil {
		return err
	}
	a.carried = before + 1
	return a.Carry(a.carried)
}

// piece is what a task writes at once.
type piece struct {
	stream jobcenter.Stream
	text   []byte
}

// pieces are what an attempt writes, from its first byte to its last.
func pieces(job int, fire time.Time, attempt int) []piece {
	random := attemptRandom(job, fire, attempt)
	list := make([]piece, 1+random.IntN(8))
	for i := range list {
		list[i].stream = jobcenter.Stdout
		if random.IntN(3) == 0 {
			list[i].stream = jobcenter.Stderr
		}
		text := fmt.Appendf(nil, "job %d attempt %d piece %d:", job, attempt, i)
		for range random.IntN(400) {
			text = append(text, ' ', 'a'+byte(random.IntN(26)))
		}
		list[i].text = append(text, '\n')
	}
	return list
}

// write writes the pieces, with a little time in between.
func write(ctx context.Context, a *attemptRun) error {
	for _, p := range pieces(a.job, a.FireTime(), a.attempt) {
		to := a.Stdout
		if p.stream == jobcenter.Stderr {
			to = a.Stderr
		}
		if _, err := to.Write(p.text); err != nil {
			return err
		}
		if err := a.pause(ctx, 20*time.Millisecond); err != nil {
			return err
		}
	}
	return nil
}

// result is what an attempt in a process leaves as its result.
func result(attempt int, p string) string { return fmt.Sprintf("%d by %s", attempt, p) }
