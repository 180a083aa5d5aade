package jobcenter_test

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jobcenter-go/jobcenter"
	"github.com/jobcenter-go/jobcenter/trigger"
)

// model says what the ledger and the jobs of one store must look like. It
// follows the schedulers that share the store from transaction to transaction:
// it is told who did something and when, works out what must have come of it,
// and compares. Whenever time goes on it also asks whether something should
// have happened that did not.
//
// What it leaves open, because independent goroutines decide it, is: which of
// several schedulers takes a due job or a queued run, in which order they act
// within one instant, whether a run starts with the claim or, at the same
// instant, out of the queue, and which of two queued runs with the same priority
// and turn comes first. Besides, it allows a scheduler
//
//   - its PollInterval for what others did, for a rate that allows another run,
//     and for a stop that somebody else asked for;
//   - 10 s after the return of its store, and a few polls more for runs that it
//     took without being told so;
//   - 50 ms after it found a due job taken by another one;
//   - a lease, and a third of it, to record the runs of a node whose lease has
//     ended;
//   - to tell of an end that, without its knowing, another one was quicker to
//     record, or of which it had no answer.
//
// Everything else is exact: a difference of a microsecond is one.
type model struct {
	// What the store has.
	store     *jobcenter.MemoryStore
	storedJob func(id string) (jobcenter.Job, error)
	storedRun func(id string) (jobcenter.Run, error)

	now    time.Time
	seq    int64
	jobs   map[string]*modelJob
	ledger map[modelKey]*modelRun
	runs   map[string]*modelRun // by id
	active []*modelRun          // queued or running
	byKey  map[string][]*modelRun
	leases map[string]time.Time
	nodes  []*modelNode
	count  modelCount

	// plans are the triggers that jobs had, for the last look at the ledger.
	plans    []*modelPlan
	atStarts map[string]bool    // the rows of starts, by id
	freed    map[string]freedBy // by "job " and id, or "key " and limit key

	problems []string
	over     bool // what happens now is no longer looked at
	tracing  bool
	trace    []string // the last things that happened
}

// modelCount says how much a model has seen.
type modelCount struct {
	fires  int64 // fire times that became part of the ledger
	rows   int64
	starts int64 // attempts that began
}

type modelKey struct {
	job    string
	fire   int64
	series string
}

func keyOfRow(r *jobcenter.Run) modelKey {
	return modelKey{r.JobID, r.FireTime.UnixMicro(), r.Series}
}

// modelJob is a job as the store must have it.
type modelJob struct {
	jobcenter.Job
	plan  planSpec
	start time.Time // of an interval that got its phase when it was set
	// recorded is the instant up to which the ledger has all there is to say.
	recorded   time.Time
	changed    time.Time  // when somebody last changed it,
	by         *modelNode // and through which scheduler
	changedSeq int64
	resumed    time.Time // when its pause last ended by itself
	during     *modelPlan
}

// modelPlan is a trigger of a job and for how long it was that.
type modelPlan struct {
	job      modelJob
	from, to time.Time // fires in (from, to] are its own; zero: it has not ended
}

// modelRun is a row as the store must have it.
type modelRun struct {
	jobcenter.Run
	queuedBy  *modelNode
	queuedAt  time.Time
	queuedSeq int64
	stopAt    time.Time // when StopBy was set,
	replaced  bool      // by OverlapCancel
	ready     map[*modelNode]readiness
	lostBy    *modelNode // who recorded that its node died
}

// readiness is since when a scheduler could start a queued run, and until when
// it must have.
type readiness struct{ since, until time.Time }

// planSpec is a trigger as the model knows it.
type planSpec struct {
	text string
	// every is an interval whose phase begins when it is set; else trig is the
	// trigger.
	every time.Duration
	trig  trigger.Trigger
	// plain and calendar are what trig is made of if the calendar drops times.
	plain    trigger.Trigger
	calendar *trigger.Calendar
	atStart  bool // fires when a scheduler starts
	// grace is what a misfire grace of zero means for it; 0 if that cannot be
	// said of the trigger as a whole.
	grace time.Duration
}

// asTrigger is what is given to the scheduler.
func (p *planSpec) asTrigger() trigger.Trigger {
	if p.every == 0 {
		return p.trig
	}
	t, err := trigger.Every(p.every)
	if err != nil {
		panic(err)
	}
	return t
}

// next is the first fire time after an instant; zero if there is none.
func (j *modelJob) next(after time.Time) time.Time {
	if j.plan.every > 0 {
		if after.Before(j.start) {
			return j.start
		}
		return j.start.Add((after.Sub(j.start)/j.plan.every + 1) * j.plan.every)
	}
	fire, ok := trigger.ForJob(j.plan.trig, j.ID).Next(after)
	if !ok {
		return time.Time{}
	}
	return fire.UTC()
}

// first is the next fire time of a job whose trigger is set at an instant.
func (j *modelJob) first(now time.Time) time.Time {
	if j.plan.atStart {
		return jobcenter.AtStart()
	}
	return j.next(now)
}

// closed are the times between two instants that the calendar drops.
func (j *modelJob) closed(after, before time.Time) (dropped []time.Time) {
	if j.plan.calendar == nil {
		return nil
	}
	plain := trigger.ForJob(j.plan.plain, j.ID)
	for at := after; ; {
		fire, ok := plain.Next(at)
		if !ok || !fire.Before(before) {
			return dropped
		}
		if !j.plan.calendar.Open(fire) {
			dropped = append(dropped, fire.UTC())
		}
		at = fire
	}
}

// setPlan gives a job a trigger from an instant on.
func (m *model) setPlan(j *modelJob, plan planSpec, now time.Time) {
	m.endPlan(j, now)
	j.plan = plan
	if plan.every > 0 {
		j.start = now.Add(plan.every)
	}
	j.NextFireTime = j.first(now)
	j.recorded = now
	j.during = &modelPlan{job: *j, from: now}
	m.plans = append(m.plans, j.during)
}

func (m *model) endPlan(j *modelJob, now time.Time) {
	if j.during != nil {
		j.during.to = now
	}
}

func (j *modelJob) graceTime() time.Duration {
	switch {
	case j.MisfireGrace == 0:
		return j.plan.grace
	case j.MisfireGrace < 0:
		return 1 << 62
	default:
		return j.MisfireGrace
	}
}

// fate is what becomes of one fire time.
type fate struct {
	at     time.Time
	state  jobcenter.RunState // empty: it runs
	reason jobcenter.Reason
}

// due decides about all fire times up to now, one after the other, given how
// many runs of the job are queued and running. stop says that running ones are
// to be stopped.
func (j *modelJob) due(now time.Time, queued, running int) (fates []fate, next, previous time.Time, stop bool) {
	previous = j.PreviousFireTime
	recorded, fire := j.recorded, j.NextFireTime
	for ; !fire.IsZero() && !fire.After(now); fire = j.next(fire) {
		for _, at := range j.closed(recorded, fire) {
			fates = append(fates, fate{at, jobcenter.RunSkipped, jobcenter.ReasonCalendar})
		}
		f := fate{at: fire}
		switch {
		case j.Paused && !fire.After(j.PausedUntil):
			f.state, f.reason = jobcenter.RunSkipped, jobcenter.ReasonPaused
		case !fire.After(j.SkipUntil):
			f.state, f.reason = jobcenter.RunSkipped, jobcenter.ReasonSkip
		case now.Sub(fire) > j.graceTime():
			f.state, f.reason = jobcenter.RunMissed, jobcenter.ReasonMisfire
		case j.Coalesce == jobcenter.CoalesceAll && j.CatchUp.MaxAge > 0 && now.Sub(fire) > j.CatchUp.MaxAge:
			f.state, f.reason = jobcenter.RunSkipped, jobcenter.ReasonCatchUp
		}
		fates = append(fates, f)
		previous, recorded = fire, fire
	}
	next = fire

	// Which of those that may run do.
	runs, because := 1, jobcenter.ReasonCoalesced
	if j.Coalesce == jobcenter.CoalesceAll {
		runs, because = cmp.Or(j.CatchUp.Max, 1000), jobcenter.ReasonCatchUp
	}
	able := indexes(fates, func(f fate) bool { return f.state == "" })
	drop := func(list []int, reason jobcenter.Reason) {
		for _, i := range list {
			fates[i].state, fates[i].reason = jobcenter.RunSkipped, reason
		}
	}
	if extra := len(able) - runs; extra > 0 {
		if j.Coalesce == jobcenter.CoalesceEarliest {
			drop(able[1:], because)
			able = able[:1]
		} else {
			drop(able[:extra], because)
			able = able[extra:]
		}
	}

	// And for which the job has too many runs already.
	room := j.room(queued, running)
	switch {
	case len(able) == 0:
	case room <= 0:
		// What would have been rolled into the run did not run for its reason.
		for i := range fates {
			if fates[i].state == "" || fates[i].reason == jobcenter.ReasonCoalesced {
				fates[i].state, fates[i].reason = jobcenter.RunSkipped, jobcenter.ReasonOverlap
			}
		}
	default:
		if extra := len(able) - room; extra > 0 {
			drop(able[:extra], jobcenter.ReasonOverlap)
		}
		stop = j.Overlap == jobcenter.OverlapCancel && running >= j.MaxInstances
	}
	return fates, next, previous, stop
}

// room is how many further runs the job may have.
func (j *modelJob) room(queued, running int) int {
	going := queued + running
	if going < j.MaxInstances {
		return 1 << 30 // those of a catch-up wait for each other
	}
	switch j.Overlap {
	case jobcenter.OverlapQueueOne, jobcenter.OverlapCancel:
		return j.MaxInstances + 1 - going
	case jobcenter.OverlapQueueAll:
		return j.MaxInstances + 1000 - going
	default:
		return 0
	}
}

// over is what becomes of all fire times up to now when a pause or the end of
// the job has overtaken them.
func (j *modelJob) over(now time.Time, reason jobcenter.Reason) (fates []fate, next, previous time.Time) {
	previous = j.PreviousFireTime
	recorded, fire := j.recorded, j.NextFireTime
	for ; !fire.IsZero() && !fire.After(now); fire = j.next(fire) {
		for _, at := range j.closed(recorded, fire) {
			fates = append(fates, fate{at, jobcenter.RunSkipped, jobcenter.ReasonCalendar})
		}
		fates = append(fates, fate{fire, jobcenter.RunSkipped, reason})
		previous, recorded = fire, fire
	}
	for _, at := range j.closed(recorded, now.Add(time.Microsecond)) {
		fates = append(fates, fate{at, jobcenter.RunSkipped, jobcenter.ReasonCalendar})
	}
	return fates, fire, previous
}

// settle is what a change of the job makes of all that came up to now.
func (m *model) settle(j *modelJob, now time.Time) []jobcenter.Run {
	var fates []fate
	var next, previous time.Time
	if j.Paused && (j.PausedUntil.IsZero() || j.PausedUntil.After(now)) {
		fates, next, previous = j.over(now, jobcenter.ReasonPaused)
	} else {
		queued, running := m.going(j.ID)
		recorded := j.recorded
		fates, next, previous, _ = j.due(now, queued, running)
		if len(fates) > 0 {
			recorded = fates[len(fates)-1].at
		}
		for _, at := range j.closed(recorded, now.Add(time.Microsecond)) {
			fates = append(fates, fate{at, jobcenter.RunSkipped, jobcenter.ReasonCalendar})
		}
	}
	rows := m.rows(j, fates, now)
	j.NextFireTime, j.PreviousFireTime, j.recorded = next, previous, now
	return rows
}

// rows writes fates as rows: neighbours that do not run for the same reason
// share one.
func (m *model) rows(j *modelJob, fates []fate, now time.Time) (rows []jobcenter.Run) {
	waiting, _ := m.going(j.ID)
	for i, f := range fates {
		m.count.fires++
		if i > 0 && f.state != "" && f.state == fates[i-1].state && f.reason == fates[i-1].reason {
			last := &rows[len(rows)-1]
			last.LastFireTime = f.at
			last.FireCount++
			continue
		}
		row := newModelRow(j, f.at, jobcenter.OriginSchedule, now)
		if f.state != "" {
			row.State, row.Reason, row.EndedAt = f.state, f.reason, now
		} else {
			row.Turn = now.Add(time.Duration(waiting) * time.Second)
			if j.Coalesce == jobcenter.CoalesceAll && j.CatchUp.Pace > 0 && waiting > 0 {
				row.NotBefore = now.Add(time.Duration(waiting) * j.CatchUp.Pace)
			}
			waiting++
		}
		rows = append(rows, row)
	}
	return rows
}

func newModelRow(j *modelJob, fire time.Time, origin jobcenter.Origin, now time.Time) jobcenter.Run {
	return jobcenter.Run{
		JobID: j.ID, JobVersion: j.Version, FireTime: fire, LastFireTime: fire, FireCount: 1, Origin: origin,
		State: jobcenter.RunQueued, Executor: j.Executor, Priority: j.Priority, LimitKey: j.Limit.Key, Turn: now,
	}
}

func indexes[T any](list []T, keep func(T) bool) (kept []int) {
	for i, v := range list {
		if keep(v) {
			kept = append(kept, i)
		}
	}
	return kept
}

// going counts the runs of a job that go on.
func (m *model) going(jobID string) (queued, running int) {
	for _, r := range m.active {
		switch {
		case r.JobID != jobID:
		case r.State == jobcenter.RunQueued:
			queued++
		default:
			running++
		}
	}
	return queued, running
}

// admits reports whether the limits of a job let another run of it start, and
// if the rate does not, from when on it will.
func (m *model) admits(j *modelJob, key string, now time.Time) (ok bool, from time.Time) {
	if _, running := m.going(j.ID); running >= j.MaxInstances {
		return false, time.Time{}
	}
	if key == "" {
		return true, time.Time{}
	}
	if j.Limit.Running > 0 {
		n := 0
		for _, r := range m.active {
			if r.State == jobcenter.RunRunning && r.LimitKey == key {
				n++
			}
		}
		if n >= j.Limit.Running {
			return false, time.Time{}
		}
	}
	if j.Limit.Rate > 0 {
		var starts []time.Time
		for _, r := range m.byKey[key] {
			if r.StartedAt.After(now.Add(-j.Limit.Per)) {
				starts = append(starts, r.StartedAt)
			}
		}
		if len(starts) >= j.Limit.Rate {
			slices.SortFunc(starts, time.Time.Compare)
			return false, starts[len(starts)-j.Limit.Rate].Add(j.Limit.Per)
		}
	}
	return true, time.Time{}
}

// problem notes a difference.
func (m *model) problem(format string, args ...any) {
	if len(m.problems) < 20 && !m.over {
		m.problems = append(m.problems, fmt.Sprintf("%s (last seen %s): ", time.Since(begun()), m.now.Sub(begun()))+fmt.Sprintf(format, args...))
	}
}

// note keeps a line of what happened for the case that something is wrong.
func (m *model) note(format string, args ...any) {
	if !m.tracing || len(m.problems) > 0 {
		return
	}
	if len(m.trace) >= 80 {
		m.trace = slices.Delete(m.trace, 0, 40)
	}
	m.trace = append(m.trace, m.now.Sub(begun()).String()+": "+fmt.Sprintf(format, args...))
}

// insert adds rows, but for those that are in the ledger already, and compares
// what was written with them.
func (m *model) insert(n *modelNode, want []jobcenter.Run, got []jobcenter.Run) (inserted []*modelRun) {
	for i := range want {
		row := &modelRun{Run: want[i], queuedBy: n.does(), queuedAt: m.now, queuedSeq: m.step(), ready: map[*modelNode]readiness{}}
		at := slices.IndexFunc(got, func(g jobcenter.Run) bool { return keyOfRow(&g) == keyOfRow(&row.Run) })
		if m.ledger[keyOfRow(&row.Run)] != nil {
			m.problem("%s is in the ledger already", rowText(&row.Run))
			continue
		}
		if at < 0 {
			m.problem("no row %s was written, but %s", rowText(&row.Run), rowTexts(got))
			continue
		}
		if row.State == jobcenter.RunQueued && got[at].State == jobcenter.RunRunning {
			m.begin(n, row, got[at].StartedAt)
		}
		row.ID = got[at].ID
		if diff := runDiff(&row.Run, &got[at]); diff != "" {
			m.problem("row %s: %s", rowText(&got[at]), diff)
		}
		got = slices.Delete(slices.Clone(got), at, at+1)
		m.put(row)
		inserted = append(inserted, row)
	}
	if len(got) > 0 {
		m.problem("rows too many were written: %s", rowTexts(got))
	}
	return inserted
}

func (m *model) put(row *modelRun) {
	m.count.rows++
	m.ledger[keyOfRow(&row.Run)], m.runs[row.ID] = row, row
	if !row.State.Final() {
		m.active = append(m.active, row)
	}
	if row.LimitKey != "" {
		m.byKey[row.LimitKey] = append(m.byKey[row.LimitKey], row)
	}
}

// begin makes a row one that runs on a node; its place was taken.
func (m *model) begin(n *modelNode, r *modelRun, at time.Time) {
	if ok, _ := m.admits(m.jobs[r.JobID], r.LimitKey, m.now); !ok {
		m.problem("%s was started beyond its job's limits", rowText(&r.Run))
	}
	if !at.Equal(m.now) {
		m.problem("%s: started at %s", rowText(&r.Run), at)
	}
	m.count.starts++
	r.State, r.Node, r.StartedAt = jobcenter.RunRunning, n.name, m.now
	r.Attempt++
}

// end makes a row one that has ended.
func (m *model) ended(r *modelRun) {
	m.active = slices.DeleteFunc(m.active, func(other *modelRun) bool { return other == r })
}

func rowTexts(rows []jobcenter.Run) string {
	texts := make([]string, len(rows))
	for i := range rows {
		texts[i] = rowText(&rows[i])
	}
	return "[" + strings.Join(texts, "; ") + "]"
}

func rowText(r *jobcenter.Run) string {
	text := r.JobID + " " + row(r)
	if r.Series != "" {
		text += " of " + r.Series
	}
	if r.Attempt > 0 {
		text += fmt.Sprintf(" attempt %d", r.Attempt)
	}
	return text
}

// runDiff says in what a row differs; "" if it does not.
func runDiff(want, got *jobcenter.Run) string {
	var diffs []string
	note := func(name string, want, got any, same bool) {
		if !same {
			diffs = append(diffs, fmt.Sprintf("%s is %v, want %v", name, got, want))
		}
	}
	at := func(name string, want, got time.Time) { note(name, want, got, want.Equal(got)) }
	note("id", want.ID, got.ID, want.ID == got.ID)
	note("job", want.JobID, got.JobID, want.JobID == got.JobID)
	note("version", want.JobVersion, got.JobVersion, want.JobVersion == got.JobVersion)
	at("fire time", want.FireTime, got.FireTime)
	at("last fire time", want.LastFireTime, got.LastFireTime)
	note("count", want.FireCount, got.FireCount, want.FireCount == got.FireCount)
	note("series", want.Series, got.Series, want.Series == got.Series)
	note("origin", want.Origin, got.Origin, want.Origin == got.Origin)
	note("actor", want.Actor, got.Actor, want.Actor == got.Actor)
	note("args", string(want.Args), string(got.Args), string(want.Args) == string(got.Args))
	note("state", want.State, got.State, want.State == got.State)
	note("reason", want.Reason, got.Reason, want.Reason == got.Reason)
	// The wording of most messages is nobody's promise.
	note("message", want.Message, got.Message, strings.HasSuffix(got.Message, want.Message))
	note("attempt", want.Attempt, got.Attempt, want.Attempt == got.Attempt)
	note("executor", want.Executor, got.Executor, want.Executor == got.Executor)
	note("priority", want.Priority, got.Priority, want.Priority == got.Priority)
	note("limit key", want.LimitKey, got.LimitKey, want.LimitKey == got.LimitKey)
	at("not before", want.NotBefore, got.NotBefore)
	at("started at", want.StartedAt, got.StartedAt)
	at("ended at", want.EndedAt, got.EndedAt)
	if got.State != jobcenter.RunQueued {
		note("node", want.Node, got.Node, want.Node == got.Node)
	} else {
		at("turn", want.Turn, got.Turn)
	}
	if got.State.Final() {
		code := func(c *int) any {
			if c == nil {
				return nil
			}
			return *c
		}
		note("exit code", code(want.ExitCode), code(got.ExitCode), code(want.ExitCode) == code(got.ExitCode))
		note("result", string(want.Result), string(got.Result), string(want.Result) == string(got.Result))
	}
	return strings.Join(diffs, ", ")
}

// jobDiff says in what a job differs from what the model has.
func jobDiff(want, got *jobcenter.Job) string {
	var diffs []string
	note := func(name string, want, got any, same bool) {
		if !same {
			diffs = append(diffs, fmt.Sprintf("%s is %v, want %v", name, got, want))
		}
	}
	at := func(name string, want, got time.Time) { note(name, want, got, want.Equal(got)) }
	note("version", want.Version, got.Version, want.Version == got.Version)
	at("next fire time", want.NextFireTime, got.NextFireTime)
	at("previous fire time", want.PreviousFireTime, got.PreviousFireTime)
	note("paused", want.Paused, got.Paused, want.Paused == got.Paused)
	at("paused until", want.PausedUntil, got.PausedUntil)
	at("skip until", want.SkipUntil, got.SkipUntil)
	at("created at", want.CreatedAt, got.CreatedAt)
	at("updated at", want.UpdatedAt, got.UpdatedAt)
	note("quarantine", want.Quarantine, got.Quarantine, (want.Quarantine == "") == (got.Quarantine == ""))
	note("carried", string(want.Carried), string(got.Carried), string(want.Carried) == string(got.Carried))
	note("last result", string(want.LastResult), string(got.LastResult), string(want.LastResult) == string(got.LastResult))
	if diff := rulesDiff(want, got); len(diff) > 0 {
		diffs = append(diffs, "rules differ in "+strings.Join(diff, ", "))
	}
	return strings.Join(diffs, ", ")
}

// rulesDiff names the rules in which two jobs differ.
func rulesDiff(a, b *jobcenter.Job) (fields []string) {
	for name, same := range map[string]bool{
		"task":              a.Task == b.Task,
		"executor":          a.Executor == b.Executor,
		"priority":          a.Priority == b.Priority,
		"misfire_grace":     a.MisfireGrace == b.MisfireGrace,
		"coalesce":          a.Coalesce == b.Coalesce,
		"catch_up":          a.CatchUp == b.CatchUp,
		"overlap":           a.Overlap == b.Overlap,
		"max_instances":     a.MaxInstances == b.MaxInstances,
		"limit":             a.Limit == b.Limit,
		"timeout":           a.Timeout == b.Timeout,
		"retry":             fmt.Sprint(a.Retry) == fmt.Sprint(b.Retry),
		"requests_recovery": a.RequestsRecovery == b.RequestsRecovery,
	} {
		if !same {
			fields = append(fields, name)
		}
	}
	slices.Sort(fields)
	return fields
}

func sameRaw(a, b json.RawMessage) bool { return string(a) == string(b) }
