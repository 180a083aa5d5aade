package jobcenter

import (
	"errors"
	"fmt"
	"hash/fnv"
	"math"
	"slices"
	"time"
)

// retry puts a run whose attempt failed back into the queue if its job's rules
// give it another one. err is what the attempt returned.
func retry(job *Job, run *Run, err error) {
	rules := job.Retry
	if run.Attempt >= rules.Attempts || !rules.covers(run, err) {
		return
	}
	delay := rules.delay(run)
	if after, ok := errors.AsType[*retryAfterError](err); ok {
		delay = after.delay
	}
	run.Message = message(fmt.Sprintf("attempt %d of %d: %s", run.Attempt, rules.Attempts, run.Message))
	requeue(run, run.EndedAt.Add(delay))
}

// requeue makes a run one that waits for its next attempt until an instant.
func requeue(run *Run, until time.Time) {
	run.State, run.EndedAt, run.Node, run.StopBy, run.ExitCode = RunQueued, time.Time{}, "", "", nil
	run.NotBefore, run.Turn = until, until
}

// covers reports whether a failure is one that is tried again.
func (r *Retry) covers(run *Run, err error) bool {
	if _, never := errors.AsType[*noRetryError](err); never || !retryable(run.Reason) || len(r.On) > 0 && !slices.Contains(r.On, run.Reason) {
		return false
	}
	return run.Reason != ReasonExitCode || len(r.ExitCodes) == 0 || run.ExitCode != nil && slices.Contains(r.ExitCodes, *run.ExitCode)
}

// retryable tells the reasons that a further attempt may follow.
func retryable(reason Reason) bool {
	switch reason {
	case ReasonError, ReasonExitCode, ReasonSignal, ReasonPanic, ReasonStartFailed, ReasonTimeout:
		return true
	default:
		return false
	}
}

// delay is the time from the end of an attempt to the next one.
func (r *Retry) delay(run *Run) time.Duration {
	first, factor, longest := r.Delay, r.Factor, r.MaxDelay
	if first == 0 {
		first = time.Second
	}
	if factor < 1 {
		factor = 2
	}
	if longest == 0 {
		longest = time.Hour
	}
	delay := min(float64(first)*math.Pow(factor, float64(run.Attempt-1)), float64(max(longest, first)))
	// Chance that every scheduler computes alike, so that deciding stays pure.
	h := fnv.New64a()
	_, _ = fmt.Fprintf(h, "%s %d", run.ID, run.Attempt) // never fails (hash.Hash)
	chance := float64(h.Sum64()>>11) / (1 << 53)
	return time.Duration(delay * (1 + r.Jitter*chance))
}
