package jobcenter

import (
	"fmt"
	"time"

	"github.com/jobcenter-go/jobcenter/trigger"
)

const (
	// maxCatchUp is how many runs CoalesceAll makes at once at most, and how
	// many may wait for OverlapQueueAll, so that one claim, and the queue of
	// one job, stay within a bounded amount of memory.
	maxCatchUp = 1000
	// maxSpans bounds the rows that one claim writes of fire times that did
	// not run: beyond it, hours that the calendar closes are not told apart.
	maxSpans = 2 * maxCatchUp
	// turn is how far a waiting run of a job stands behind the one before it,
	// so that the jobs which wait for an executor take turns.
	turn = time.Second
)

// plan decides what becomes of a job that is due at now, given its runs that
// go on. It is a pure function of its arguments, but for the ids of the rows.
// Runs to be carried out come back as queued.
func plan(job Job, active Active, now time.Time) (d Decision) {
	// A trigger may be a user's own code.
	defer func() {
		if p := recover(); p != nil {
			d = keep(&job, fmt.Sprintf("trigger panicked: %v", p))
		}
	}()
	if job.Trigger == nil {
		return keep(&job, "no trigger")
	}
	if due := job.DueAt(); due.IsZero() || due.After(now) {
		return keep(&job, "")
	}
	p := newPlanner(&job, now)
	next, problem := p.walk(p.sort)
	if problem != "" {
		return keep(&job, problem)
	}
	d = Decision{Next: next, Previous: p.previous, Resume: job.Paused}
	if !p.fired {
		d.Previous = job.PreviousFireTime
	}
	d.Runs, d.StopRunning = p.finish(active)
	return d
}

// keep is the decision that leaves a job's fire times as they are.
func keep(job *Job, quarantine string) Decision {
	return Decision{Next: job.NextFireTime, Previous: job.PreviousFireTime, Quarantine: quarantine}
}

// passed returns the skipped rows for all fire times of a job from its next
// fire time to now, and the first fire time after now. It is what becomes of
// those that a pause or the end of the job overtook. The job is that which
// holds from now on.
func passed(job Job, now time.Time, reason Reason) (rows []Run, after Job) {
	if job.Trigger == nil {
		return nil, job
	}
	p := newPlanner(&job, now)
	next, problem := p.walk(func(fire time.Time) { p.pass(fire, RunSkipped, reason) })
	if problem != "" {
		next = time.Time{}
	}
	job.NextFireTime = next
	if p.fired {
		job.PreviousFireTime = p.previous
	}
	p.closed(now.Add(time.Microsecond))
	rows, _ = p.finish(Active{})
	return rows, job
}

// planner gathers what becomes of a job's due fire times, earliest first.
type planner struct {
	job      *Job
	trigger  trigger.Trigger // as it is for the job
	now      time.Time
	grace    time.Duration
	previous time.Time // the fire time before the one at hand, or since
	since    time.Time // from when on the ledger is this definition's to fill
	fired    bool      // there is a fire time at hand
	// settled are the spans whose fate is decided and that lie before tail.
	settled []span
	// tail begins with the earliest candidate: a fire time that may still run.
	// There are at most room() of them, with spans in between.
	tail       []span
	candidates int
}

func newPlanner(job *Job, now time.Time) *planner {
	p := &planner{job: job, trigger: job.trigger(), now: now, since: job.PreviousFireTime}
	// What came before the last change was settled by it.
	if p.since.Before(job.UpdatedAt) {
		p.since = job.UpdatedAt
	}
	p.previous = p.since
	return p
}

// span is a candidate, or neighbouring fire times that do not run.
type span struct {
	first, last time.Time
	count       int64
	state       RunState // empty for a candidate
	reason      Reason
}

// walk shows all fire times up to now to see, and returns the one after.
func (p *planner) walk(see func(fire time.Time)) (next time.Time, problem string) {
	fire := p.job.NextFireTime
	if fire.IsZero() || fire.After(p.now) {
		return fire, ""
	}
	p.grace = p.job.grace(fire)
	for !fire.After(p.now) {
		p.closed(fire)
		see(fire)
		p.previous, p.fired = fire, true
		next, ok := p.trigger.Next(fire)
		if !ok {
			return time.Time{}, ""
		}
		if !next.After(fire) {
			return fire, fmt.Sprintf("trigger gave %s as the fire time after %s", next.UTC().Format(time.RFC3339Nano), fire.UTC().Format(time.RFC3339Nano))
		}
		fire = next
	}
	return fire, ""
}

// closed records the fire times between the previous one and fire that the
// trigger's calendar dropped.
func (p *planner) closed(fire time.Time) {
	if p.previous.IsZero() || len(p.settled)+len(p.tail) >= maxSpans {
		return
	}
	first, last, count := trigger.Closed(p.trigger, p.previous, fire)
	if count > 0 {
		p.add(span{first, last, count, RunSkipped, ReasonCalendar})
	}
}

// sort gives one fire time its place: it runs, may run, or does not.
func (p *planner) sort(fire time.Time) {
	late := p.now.Sub(fire)
	switch bounds := p.job.CatchUp; {
	case p.job.Paused && !fire.After(p.job.PausedUntil):
		p.pass(fire, RunSkipped, ReasonPaused)
	case !fire.After(p.job.SkipUntil):
		p.pass(fire, RunSkipped, ReasonSkip)
	case p.grace >= 0 && late > p.grace:
		p.pass(fire, RunMissed, ReasonMisfire)
	case p.job.Coalesce == CoalesceAll && bounds.MaxAge > 0 && late > bounds.MaxAge:
		p.pass(fire, RunSkipped, ReasonCatchUp)
	default:
		p.candidate(fire)
	}
}

// pass records that a fire time does not run.
func (p *planner) pass(fire time.Time, state RunState, reason Reason) {
	p.add(span{fire, fire, 1, state, reason})
}

// add appends a span that comes after all before it.
func (p *planner) add(s span) {
	if p.candidates > 0 {
		p.tail = appendSpan(p.tail, s)
	} else {
		p.settled = appendSpan(p.settled, s)
	}
}

// appendSpan appends a span, as part of the one before it where they are
// neighbours and share the reason.
func appendSpan(spans []span, s span) []span {
	if n := len(spans); n > 0 && s.state != "" && spans[n-1].state == s.state && spans[n-1].reason == s.reason {
		spans[n-1].last = s.last
		spans[n-1].count += s.count
		return spans
	}
	return append(spans, s)
}

// room is how many candidates there may be.
func (p *planner) room() int {
	if p.job.Coalesce != CoalesceAll {
		return 1
	}
	if p.job.CatchUp.Max > 0 {
		return min(p.job.CatchUp.Max, maxCatchUp)
	}
	return maxCatchUp
}

func (p *planner) candidate(fire time.Time) {
	if p.candidates == p.room() {
		switch p.job.Coalesce {
		case CoalesceEarliest:
			p.pass(fire, RunSkipped, ReasonCoalesced)
			return
		case CoalesceAll:
			p.drop(ReasonCatchUp)
		default:
			p.drop(ReasonCoalesced)
		}
	}
	p.tail = append(p.tail, span{first: fire, last: fire, count: 1})
	p.candidates++
}

// drop settles the earliest candidate as one that does not run.
func (p *planner) drop(reason Reason) {
	p.tail[0].state, p.tail[0].reason = RunSkipped, reason
	p.candidates--
	for len(p.tail) > 0 && p.tail[0].state != "" {
		p.settled = appendSpan(p.settled, p.tail[0])
		p.tail = p.tail[1:]
	}
}

// finish makes rows of it all. Candidates run, but for those for which the
// job has too many runs already.
func (p *planner) finish(active Active) (rows []Run, stopRunning string) {
	spans := append(p.settled, p.tail...)
	overlap := p.candidates - p.admitted(active)
	var final []span
	for _, s := range spans {
		switch {
		case s.state == "" && overlap > 0:
			overlap--
			s.state, s.reason = RunSkipped, ReasonOverlap
		case s.reason == ReasonCoalesced && p.admitted(active) == 0:
			// What would have been rolled into the run did not run for the same reason.
			s.reason = ReasonOverlap
		}
		final = appendSpan(final, s)
		if s.state == "" && p.job.Overlap == OverlapCancel && active.Running >= p.job.MaxInstances {
			stopRunning = replaced + s.first.UTC().Format(time.RFC3339)
		}
	}
	waiting := active.Queued
	for _, s := range final {
		row := newRun(p.job, s.first, OriginSchedule, p.now)
		row.LastFireTime, row.FireCount = s.last, s.count
		if s.state != "" {
			row.State, row.Reason, row.EndedAt = s.state, s.reason, p.now
		} else {
			row.Turn = p.now.Add(time.Duration(waiting) * turn)
			if pace := p.job.CatchUp.Pace; p.job.Coalesce == CoalesceAll && pace > 0 && waiting > 0 {
				row.NotBefore = p.now.Add(time.Duration(waiting) * pace)
			}
			waiting++
		}
		rows = append(rows, row)
	}
	return rows, stopRunning
}

// replaced begins Run.StopBy of a run that OverlapCancel stops.
const replaced = "replaced by the run of "

// admitted is how many candidates become runs, the latest ones, given the
// job's runs that go on.
func (p *planner) admitted(active Active) int {
	going := active.Queued + active.Running
	if going < p.job.MaxInstances {
		return p.candidates // those of a catch-up wait for each other
	}
	room := p.job.MaxInstances
	switch p.job.Overlap {
	case OverlapQueueOne, OverlapCancel:
		room++
	case OverlapQueueAll:
		room += maxCatchUp
	default:
	}
	return max(0, min(p.candidates, room-going))
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

// graceOf is how late a run of the job may start. Its fire time may be one that
// only a former trigger had.
func (j *Job) graceOf(run *Run) (grace time.Duration) {
	defer func() {
		if recover() != nil { // a trigger may be a user's own code
			grace = time.Hour
		}
	}()
	fire := run.FireTime
	if j.MisfireGrace == 0 && run.JobVersion != j.Version && j.Trigger != nil && !j.firesAt(fire) {
		if next, ok := j.trigger().Next(fire); ok {
			fire = next
		}
	}
	return j.grace(fire)
}

// firesAt reports whether an instant is a fire time of the job, or one that
// its calendar closes, and so has a row of its own.
func (j *Job) firesAt(at time.Time) (fires bool) {
	defer func() {
		if recover() != nil { // a trigger may be a user's own code
			fires = false
		}
	}()
	if j.Trigger == nil {
		return false
	}
	before := at.Add(-time.Microsecond)
	fire, ok := j.trigger().Next(before)
	_, _, closed := trigger.Closed(j.trigger(), before, at.Add(time.Microsecond))
	return ok && fire.Equal(at) || closed > 0
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
		Priority:     job.Priority,
		LimitKey:     job.Limit.Key,
		Turn:         now,
	}
}
