package jobcenter

import (
	"fmt"
	"time"
)

// maxCatchUp is how many runs CoalesceAll makes at once. What is due beyond
// that, the earliest fire times first, is recorded as coalesced, so that one
// claim stays within a bounded amount of memory.
const maxCatchUp = 1000

// plan decides what becomes of a job that is due at now and already has
// active runs queued or running. It is a pure function of its arguments, but
// for the ids of the rows. Runs to be carried out come back as queued.
func plan(job Job, active int, now time.Time) (d Decision) {
	// A trigger may be a user's own code.
	defer func() {
		if p := recover(); p != nil {
			d = Decision{Quarantine: fmt.Sprintf("trigger panicked: %v", p)}
		}
	}()
	if job.Trigger == nil {
		return Decision{Quarantine: "no trigger"}
	}
	fire := job.NextFireTime
	if fire.IsZero() || fire.After(now) {
		return Decision{Next: fire}
	}
	grace := job.grace(fire)
	trigger := job.trigger()
	p := planner{job: &job, now: now}
	for !fire.After(now) {
		if grace >= 0 && now.Sub(fire) > grace {
			p.pass(fire, RunMissed, ReasonMisfire)
		} else {
			p.candidate(fire)
		}
		next, ok := trigger.Next(fire)
		if !ok {
			fire = time.Time{}
			break
		}
		if !next.After(fire) {
			return Decision{Quarantine: fmt.Sprintf("trigger gave %s as the fire time after %s", next.UTC().Format(time.RFC3339Nano), fire.UTC().Format(time.RFC3339Nano))}
		}
		fire = next
	}
	return Decision{Next: fire, Runs: p.finish(active)}
}

// planner gathers what becomes of a job's due fire times, earliest first.
type planner struct {
	job  *Job
	now  time.Time
	rows []Run
	// candidates are the fire times that may still run: one or, for
	// CoalesceAll, up to maxCatchUp.
	candidates []time.Time
}

// pass records that a fire time does not run, as part of the span before it
// where they are neighbours and share the reason.
func (p *planner) pass(fire time.Time, state RunState, reason Reason) {
	if n := len(p.rows); n > 0 && p.rows[n-1].State == state && p.rows[n-1].Reason == reason {
		row := &p.rows[n-1]
		if fire.Before(row.FireTime) {
			row.FireTime = fire
		} else {
			row.LastFireTime = fire
		}
		row.FireCount++
		return
	}
	row := newRun(p.job, fire, OriginSchedule, p.now)
	row.State, row.Reason, row.EndedAt = state, reason, p.now
	p.rows = append(p.rows, row)
}

func (p *planner) candidate(fire time.Time) {
	room := 1
	if p.job.Coalesce == CoalesceAll {
		room = maxCatchUp
	}
	switch {
	case len(p.candidates) < room:
		p.candidates = append(p.candidates, fire)
	case p.job.Coalesce == CoalesceEarliest:
		p.pass(fire, RunSkipped, ReasonCoalesced)
	case room == 1:
		p.pass(p.candidates[0], RunSkipped, ReasonCoalesced)
		p.candidates[0] = fire
	default:
		p.pass(p.candidates[0], RunSkipped, ReasonCoalesced)
		p.candidates = append(p.candidates[1:], fire)
	}
}

// finish settles the candidates: they run, or the job has too many runs already.
func (p *planner) finish(active int) []Run {
	if active >= p.job.MaxInstances {
		// What would have been rolled into the run did not run for the same reason.
		for i := range p.rows {
			if p.rows[i].Reason == ReasonCoalesced {
				p.rows[i].Reason = ReasonOverlap
			}
		}
		for _, fire := range p.candidates {
			p.pass(fire, RunSkipped, ReasonOverlap)
		}
		return p.rows
	}
	for _, fire := range p.candidates {
		p.rows = append(p.rows, newRun(p.job, fire, OriginSchedule, p.now))
	}
	return p.rows
}

// passed returns one skipped row for all fire times of a job from its next
// fire time to now, and the first fire time after now. It is what becomes of
// those that a pause or the end of the job overtook.
func passed(job Job, now time.Time, reason Reason) (rows []Run, next time.Time) {
	if job.Trigger == nil {
		return nil, time.Time{}
	}
	p := planner{job: &job, now: now}
	trigger := job.trigger()
	fire := job.NextFireTime
	for !fire.IsZero() && !fire.After(now) {
		p.pass(fire, RunSkipped, reason)
		following, ok := trigger.Next(fire)
		if !ok || !following.After(fire) {
			fire = time.Time{}
			break
		}
		fire = following
	}
	return p.rows, fire
}

// grace is how late a run of the job may start after the fire time; negative
// means that there is no limit.
func (j *Job) grace(fire time.Time) time.Duration {
	if j.MisfireGrace != 0 {
		return j.MisfireGrace
	}
	if j.Trigger != nil {
		if next, ok := j.trigger().Next(fire); ok && next.Sub(fire) < time.Hour {
			return time.Minute
		}
	}
	return time.Hour
}

// newRun makes the row of one fire time, queued.
func newRun(job *Job, fire time.Time, origin Origin, now time.Time) Run {
	return Run{
		ID:           newID(now),
		JobID:        job.ID,
		JobVersion:   job.Version,
		FireTime:     fire,
		LastFireTime: fire,
		FireCount:    1,
		Origin:       origin,
		State:        RunQueued,
		Executor:     job.Executor,
	}
}
