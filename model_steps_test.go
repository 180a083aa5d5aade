package jobcenter_test

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/jobcenter-go/jobcenter"
)

// later is the latest of some instants.
func later(at ...time.Time) time.Time { return slices.MaxFunc(at, time.Time.Compare) }

// claimedText are jobs with their runs, for people.
type claimedText []jobcenter.Claimed

func (claimed claimedText) String() string {
	texts := make([]string, len(claimed))
	for i, c := range claimed {
		if texts[i] = rowTexts(c.Runs); len(c.Runs) == 0 {
			texts[i] = c.Job.ID
		}
	}
	return strings.Join(texts, " ")
}

// micros is an instant as stores keep it.
func micros(t time.Time) time.Time { return t.UTC().Truncate(time.Microsecond) }

// advance lets time go on, once nothing is left to be done at the instants before.
func (m *model) advance(now time.Time) {
	now = micros(now)
	if now.Equal(m.now) {
		return
	}
	if len(m.problems) == 0 {
		for _, n := range m.nodes {
			m.overdueOf(n, now)
		}
		m.overdueJobs(now)
		m.overdueQueue(now)
		m.overdueOrphans(now)
	}
	m.now = now
}

// lookAgain is how long a scheduler that found a due job taken by another one
// waits before it looks again.
const lookAgain = 50 * time.Millisecond

// step numbers what happens.
func (m *model) step() int64 {
	m.seq++
	return m.seq
}

// overdueJobs looks for jobs that somebody should have claimed before now.
func (m *model) overdueJobs(now time.Time) {
	for _, j := range m.jobs {
		due := j.DueAt()
		for _, n := range m.nodes {
			if !n.acts() || !n.has(j) {
				continue
			}
			if j.plan.atStart && j.CreatedAt.Before(n.began) && !j.Paused && j.Quarantine == "" && !n.started[j.ID] &&
				later(j.changed, j.resumed).Before(n.began) && later(n.began, n.mended).Before(now) {
				m.problem("%s does not run at the start of %s", j.ID, n.name)
			}
			if until := later(j.changed, n.able).Add(n.spec.lease/3 + patience); j.Quarantine != "" && until.Before(now) {
				m.problem("%s is not released from quarantine by %s", j.ID, n.name)
			}
			if due.IsZero() {
				continue
			}
			until := later(due, n.able, j.changed)
			if j.by != n && !j.changed.Before(n.fresh) {
				until = later(due, n.able, j.changed.Add(n.spec.poll))
			}
			if until = later(until, n.raced.Add(lookAgain)); until.Before(now) {
				m.problem("%s was due at %s and is not claimed by %s", j.ID, due.Sub(begun()), n.name)
			}
		}
	}
}

// overdueQueue looks for queued runs that somebody should have started before now.
func (m *model) overdueQueue(now time.Time) {
	for _, r := range m.active {
		j := m.jobs[r.JobID]
		if r.State != jobcenter.RunQueued {
			continue
		}
		for _, n := range m.nodes {
			p := n.pools[r.Executor]
			if !n.acts() || p == nil || j != nil && !slices.Contains(n.spec.tasks, j.Task) || p.working+p.reserved >= p.size {
				delete(r.ready, n)
				continue
			}
			at := later(m.now, r.NotBefore, n.able)
			ok, opens := true, time.Time{}
			if j != nil {
				ok, opens = m.admits(j, r.LimitKey, at)
			}
			if at = later(at, opens); !ok && opens.IsZero() || !at.Before(now) {
				delete(r.ready, n)
				continue
			}
			ready, known := r.ready[n]
			if !known || at.After(m.now) {
				ready = readiness{at, at}
				if j == nil || !n.sees(r, j, at) || r.LimitKey != "" && j.Limit.Rate > 0 { // nothing tells that a rate allows more
					ready.until = at.Add(n.spec.poll)
				}
				r.ready[n] = ready
			}
			if later(ready.until, n.raced.Add(lookAgain)).Before(now) {
				m.problem("%s could have been started by %s since %s", rowText(&r.Run), n.name, ready.since.Sub(begun()))
			}
		}
	}
}

// sees reports whether a scheduler knows at once that a run can start, which it
// can since the given instant. What others have done since it last looked, it
// learns only by asking the store.
func (n *modelNode) sees(r *modelRun, j *modelJob, at time.Time) bool {
	looked := n.taken[r.Executor]
	others := func(by *modelNode, step int64) bool { return by != n && step > looked }
	job, key := n.world.m.freed["job "+r.JobID], n.world.m.freed["key "+r.LimitKey]
	switch {
	case at.Equal(n.fresh) && looked < n.freshStep:
		return true // for it is about to look
	case at.Equal(n.able):
		return false
	default:
		return !others(r.queuedBy, r.queuedSeq) && !others(j.by, j.changedSeq) && !others(job.node, job.step) && !others(key.node, key.step)
	}
}

// freedBy says which scheduler last recorded the end of an attempt, and at which step.
type freedBy struct {
	node *modelNode
	step int64
}

// overdueOf looks for what a scheduler should have done before now about its
// own runs.
func (m *model) overdueOf(n *modelNode, now time.Time) {
	if n.dead {
		return
	}
	for name, p := range n.pools {
		if p.reserved != 0 {
			m.problem("%d places of %s stay reserved in %s", p.reserved, name, n.name)
		}
	}
	if !n.running {
		return
	}
	if until := later(n.beat, n.began, n.up).Add(n.spec.lease / 3); !n.away() && !n.stopping && until.Before(now) {
		m.problem("%s has not renewed its lease since %s", n.name, n.beat.Sub(begun()))
	}
	for _, x := range n.execs {
		text := rowText(&x.run.Run)
		past := func(at time.Time) bool { return !at.IsZero() && at.Before(now) }
		switch {
		case x.unheard:
			// It takes some looks at the store until that is sure.
			if !n.away() && m.holds(x) && past(later(x.taken, n.mended).Add(5*n.spec.poll)) {
				m.problem("%s was taken by %s without its knowing, and is not put back", text, n.name)
			}
		case x.begun.IsZero():
			if past(x.taken) {
				m.problem("%s was taken by %s and does not begin", text, n.name)
			}
		case !x.returned.IsZero():
			if !n.away() && m.holds(x) && past(later(x.returned, n.mended)) {
				m.problem("the end of %s is not recorded by %s", text, n.name)
			}
		case !x.ctxEnd.IsZero():
		case x.job.Timeout > 0 && past(x.begun.Add(x.job.Timeout)):
			m.problem("%s goes on beyond its time limit", text)
		case past(x.stopAsked), past(x.cancelled), past(n.cancelAt):
			m.problem("%s goes on though it was to be ended", text)
		case n.away():
		case m.holds(x) && x.run.StopBy != "" && past(later(x.run.stopAt, n.mended).Add(n.spec.poll)):
			m.problem("%s goes on though the store says that it is to be stopped", text)
		case !x.lost.IsZero() && past(later(x.lost, n.mended).Add(n.spec.poll)):
			m.problem("%s goes on though it is somebody else's", text)
		}
	}
}

// overdueOrphans looks for runs of dead nodes that somebody should have
// recorded before now.
func (m *model) overdueOrphans(now time.Time) {
	for _, r := range m.active {
		lease := m.leases[r.Node]
		if r.State != jobcenter.RunRunning || !lease.Before(now) {
			continue
		}
		for _, n := range m.nodes {
			if !n.running || n.stopping || n.dead || n.away() {
				continue
			}
			// It may not trust what it sees before a lease of its own has passed.
			if until := later(lease, n.began, n.mended).Add(n.spec.lease + n.spec.lease/3); until.Before(now) {
				m.problem("%s of the dead node %s is not recorded by %s", rowText(&r.Run), r.Node, n.name)
			}
		}
	}
}

// holds reports whether an attempt is the newest one of a run that goes on.
func (m *model) holds(x *modelExec) bool {
	return x.run.State == jobcenter.RunRunning && x.run.Attempt == x.attempt
}

func (m *model) checkActive(id string, active jobcenter.Active) {
	if queued, running := m.going(id); active.Queued != queued || active.Running != running {
		m.problem("%s is said to have %+v, want %d and %d", id, active, queued, running)
	}
}

// nextDue compares the instant at which the store says that there is something
// to do.
func (m *model) nextDue(n *modelNode, at time.Time, ok bool) {
	var first time.Time
	for _, j := range m.jobs {
		if due := j.DueAt(); !due.IsZero() && n.has(j) && (first.IsZero() || due.Before(first)) {
			first = due
		}
	}
	if ok == first.IsZero() || !at.Equal(first) {
		m.problem("the next job is due at %s (%t), want %s", at, ok, first)
	}
}

// mayTake reports whether a scheduler may take something now.
func (n *modelNode) mayTake() bool {
	now := n.world.m.now
	return n.running && (!n.stopping || n.stopAt.Equal(now)) && (!n.standby || n.standbyAt.Equal(now))
}

// claim works out what becomes of the jobs that are due.
func (m *model) claim(n *modelNode, now time.Time, limit int, claimed []jobcenter.Claimed) {
	now = micros(now)
	m.note("%s claims %d jobs: %s", n.name, len(claimed), claimedText(claimed))
	if !n.mayTake() || !now.Equal(m.now) {
		m.problem("%s claims what is due at %s", n.name, now.Sub(begun()))
	}
	var due []*modelJob
	for _, j := range m.jobs {
		if at := j.DueAt(); !at.IsZero() && !at.After(now) && n.has(j) {
			due = append(due, j)
		}
	}
	slices.SortFunc(due, func(a, b *modelJob) int {
		if c := a.DueAt().Compare(b.DueAt()); c != 0 {
			return c
		}
		if a.Priority != b.Priority {
			return b.Priority - a.Priority
		}
		return strings.Compare(a.ID, b.ID)
	})
	due = due[:min(limit, len(due))]
	ids := make([]string, len(due))
	for i, j := range due {
		ids[i] = j.ID
	}
	var got []string
	for _, c := range claimed {
		got = append(got, c.Job.ID)
	}
	if len(claimed) == 0 {
		n.raced = now
	}
	if !slices.Equal(got, ids) {
		m.problem("claimed were %v, want %v", got, ids)
		return
	}
	for i, j := range due {
		queued, running := m.going(j.ID)
		fates, next, previous, stop := j.due(now, queued, running)
		before := slices.Clone(m.active)
		rows := m.insert(n, m.rows(j, fates, now), claimed[i].Runs)
		if stop {
			for _, r := range before {
				if r.JobID == j.ID && r.State == jobcenter.RunRunning {
					m.cancel(n, r)
				}
			}
		}
		j.NextFireTime, j.PreviousFireTime = next, previous
		j.recorded = later(j.recorded, previous)
		if j.Paused {
			j.Paused, j.PausedUntil, j.PauseReason, j.resumed = false, time.Time{}, "", now
			n.tellJob(jobcenter.EventJobResumed, j)
		}
		for _, r := range rows {
			n.tellRow(&r.Run)
			if r.State == jobcenter.RunRunning {
				n.execute(r, j)
			}
		}
		if next.IsZero() {
			n.tellJob(jobcenter.EventJobFinished, j)
		}
		m.compareJob(j)
	}
}

// cancel makes way for the next run of a job.
func (m *model) cancel(n *modelNode, r *modelRun) {
	if r.StopBy == "" {
		r.StopBy, r.stopAt, r.replaced = "replaced", m.now, true
	}
	for _, x := range n.execs {
		if x.run == r && m.holds(x) && x.cancelled.IsZero() && !n.unheard {
			x.cancelled = m.now
		}
	}
}

// execute notes that a run was taken and now goes on here.
func (n *modelNode) execute(r *modelRun, j *modelJob) {
	m := n.world.m
	if p := n.pools[r.Executor]; p.reserved < 1 {
		m.problem("%s was started without a place", rowText(&r.Run))
	}
	spec := n.world.specOf(r.JobID)
	n.execs[execKey{r.ID, r.Attempt}] = &modelExec{run: r, attempt: r.Attempt, job: *j, session: n.session, taken: m.now, unheard: n.unheard, does: spec.behaves(&r.Run)}
}

// compareJob compares a job with what the store has.
func (m *model) compareJob(j *modelJob) {
	got, err := m.storedJob(j.ID)
	if err != nil {
		m.problem("job %s: %v", j.ID, err)
		return
	}
	if diff := jobDiff(&j.Job, &got); diff != "" {
		m.problem("job %s: %s", j.ID, diff)
	}
}

// take works out which queued runs start.
func (m *model) take(n *modelNode, executor string, now time.Time, limit int, taken []jobcenter.Claimed, next time.Time) {
	now = micros(now)
	m.note("%s takes up to %d of %s: %s, the next at %s", n.name, limit, executor, claimedText(taken), next)
	if !n.mayTake() || !now.Equal(m.now) {
		m.problem("%s takes what is queued at %s", n.name, now.Sub(begun()))
	}
	if p := n.pools[executor]; limit > p.reserved {
		m.problem("%s takes up to %d runs for %d places", n.name, limit, p.reserved)
	}
	n.taken[executor] = m.step()
	var list []*modelRun
	var first time.Time
	for _, r := range m.active {
		switch {
		case r.State != jobcenter.RunQueued || r.Executor != executor:
		case !r.NotBefore.After(now):
			list = append(list, r)
		case first.IsZero() || r.NotBefore.Before(first):
			first = r.NotBefore
		}
	}
	if !first.Equal(next) {
		m.problem("the next queued run is to wait until %s, want %s", next, first)
	}
	// Of those with the same priority and turn any may come first.
	place := func(r *modelRun) int {
		if i := slices.IndexFunc(taken, func(c jobcenter.Claimed) bool { return c.Runs[0].ID == r.ID }); i >= 0 {
			return i
		}
		return len(taken)
	}
	slices.SortStableFunc(list, func(a, b *modelRun) int {
		if a.Priority != b.Priority {
			return b.Priority - a.Priority
		}
		if c := a.Turn.Compare(b.Turn); c != 0 {
			return c
		}
		return place(a) - place(b)
	})
	want := 0
	for _, r := range list {
		j := m.jobs[r.JobID]
		if j == nil {
			m.orphaned(n, r)
			continue
		}
		if want == limit {
			break
		}
		if !slices.Contains(n.spec.tasks, j.Task) {
			continue
		}
		if ok, _ := m.admits(j, r.LimitKey, now); !ok {
			continue
		}
		if want >= len(taken) || taken[want].Runs[0].ID != r.ID {
			m.problem("taken were %d runs, as number %d want %s", len(taken), want+1, rowText(&r.Run))
			return
		}
		got := &taken[want].Runs[0]
		want++
		if r.StopBy != "" { // it was asked for just when the last attempt failed
			r.State, r.Reason, r.Message, r.EndedAt = jobcenter.RunStopped, jobcenter.ReasonStop, "", now
			if r.replaced {
				r.Reason = jobcenter.ReasonCancel
			}
			m.ended(r)
		} else if late := now.Sub(later(r.FireTime, r.NotBefore)); r.Origin == jobcenter.OriginSchedule && r.Attempt == 0 && late > j.graceTime() {
			r.State, r.Reason, r.EndedAt = jobcenter.RunMissed, jobcenter.ReasonMisfire, now
			m.ended(r)
		} else {
			m.begin(n, r, got.StartedAt)
			n.execute(r, j)
		}
		if diff := runDiff(&r.Run, got); diff != "" {
			m.problem("taken was %s: %s", rowText(got), diff)
		}
		n.tellRow(&r.Run)
	}
	if want < len(taken) {
		m.problem("%d runs too many were taken, the first is %s", len(taken)-want, rowText(&taken[want].Runs[0]))
	}
}

// orphaned is a queued run whose job is gone, and which is ended when a
// scheduler comes upon it. The store may end it now or when it is taken up with
// fewer others.
func (m *model) orphaned(n *modelNode, r *modelRun) {
	if got, err := m.storedRun(r.ID); err == nil && got.State == jobcenter.RunQueued {
		return
	}
	r.State, r.Reason, r.Message, r.EndedAt = jobcenter.RunSkipped, jobcenter.ReasonRemoved, "", m.now
	m.ended(r)
	m.compareRun(r)
	n.tellRow(&r.Run)
	n.told[len(n.told)-1].maybe = true
}

// record works out what the ends mean that a scheduler records.
func (m *model) record(n *modelNode, records jobcenter.Records) {
	m.carry(n, records)
	for i := range records.Ends {
		e := &records.Ends[i]
		r, key := m.runs[e.ID], execKey{e.ID, e.Attempt}
		if r == nil {
			m.problem("the end of an unknown run: %s", rowText(e))
			continue
		}
		m.note("%s tells the end of %s", n.name, claimedText{{Runs: records.Ends[i : i+1]}})
		x := n.execs[key]
		if x == nil && e.Reason != jobcenter.ReasonNodeDied {
			x = n.left[key]
		}
		held := r.State == jobcenter.RunRunning && r.Attempt == e.Attempt
		switch {
		case e.Reason == jobcenter.ReasonNodeDied && (x == nil || x.session != n.session):
			m.lose(n, r, e, held)
		case x == nil:
			m.problem("%s tells of the end of %s, which it does not run", n.name, rowText(e))
		case x.unheard:
			delete(n.execs, key)
			m.putBack(n, x, held)
		default:
			delete(n.execs, key)
			n.left[key] = x // in case it was given up
			m.finish(n, x, e, held)
		}
	}
	for i := range records.Ends {
		if j := m.jobs[records.Ends[i].JobID]; j != nil {
			m.compareJob(j)
		}
	}
}

// lose works out what becomes of a run whose node is dead.
func (m *model) lose(n *modelNode, r *modelRun, e *jobcenter.Run, held bool) {
	if !held {
		// It has ended after all, or another scheduler came first. This one
		// cannot know, and may tell of it; but not of what it told before.
		if r.lostBy != n {
			n.tellRun(kindOfEnd(e.State), e)
			n.told[len(n.told)-1].maybe = true
		}
		return
	}
	r.lostBy = n.does()
	for _, other := range m.nodes {
		if x := other.execs[execKey{r.ID, r.Attempt}]; x != nil {
			x.lost = m.now
		}
	}
	seen, judged := n.judged[r.ID]
	if !judged || seen.attempt != r.Attempt { // that it was an orphan was seen to when it was read
		m.problem("%s was recorded as lost, though nobody said so", rowText(e))
	}
	r.Reason, r.Message = jobcenter.ReasonNodeDied, ""
	if j := seen.job; j.RequestsRecovery && seen.stopBy == "" && r.Attempt < max(jobcenter.MaxRecoveries, j.Retry.Attempts) {
		m.requeue(n, r, m.now)
		n.tellRun(jobcenter.EventRunRetry, &r.Run)
	} else {
		r.State, r.EndedAt = jobcenter.RunLost, m.now
		m.ended(r)
		m.noteFreed(n, r)
		n.tellRun(jobcenter.EventRunEnded, &r.Run)
	}
	m.compareRun(r)
}

// putBack is what becomes of a run that was taken by a scheduler which was not
// told so.
func (m *model) putBack(n *modelNode, x *modelExec, held bool) {
	r := x.run
	if !held {
		n.tellRun(jobcenter.EventRunRetry, &r.Run)
		n.told[len(n.told)-1].maybe = true
		return
	}
	r.Reason, r.Message = "", ""
	m.requeue(n, r, m.now)
	n.tellRun(jobcenter.EventRunRetry, &r.Run)
	m.compareRun(r)
}

func (m *model) requeue(n *modelNode, r *modelRun, until time.Time) {
	r.State, r.EndedAt, r.Node, r.ExitCode = jobcenter.RunQueued, time.Time{}, "", nil
	r.NotBefore, r.Turn = until, until
	r.queuedBy, r.queuedAt, r.queuedSeq = n.does(), m.now, m.step()
	clear(r.ready)
	m.noteFreed(n, r)
}

func (m *model) noteFreed(n *modelNode, r *modelRun) {
	by := freedBy{n.does(), m.step()}
	m.freed["job "+r.JobID] = by
	if r.LimitKey != "" {
		m.freed["key "+r.LimitKey] = by
	}
}

func (m *model) compareRun(r *modelRun) {
	got, err := m.storedRun(r.ID)
	if err != nil {
		m.problem("run %s: %v", rowText(&r.Run), err)
		return
	}
	if diff := runDiff(&r.Run, &got); diff != "" {
		m.problem("row %s: %s", rowText(&got), diff)
	}
}

// finish works out how an attempt ended.
func (m *model) finish(n *modelNode, x *modelExec, e *jobcenter.Run, held bool) {
	var ways []jobcenter.Run
	if !x.returned.IsZero() {
		for _, cause := range m.causes(n, x) {
			ways = append(ways, x.ending(cause))
		}
	}
	if cancelled := later(n.cancelAt, x.cancelAt); !cancelled.IsZero() && !micros(e.EndedAt).Before(cancelled.Add(30*time.Second)) {
		given := x.run.Run // its scheduler has given it up
		given.State, given.Reason, given.EndedAt, given.Message = jobcenter.RunStopped, jobcenter.ReasonShutdown, micros(e.EndedAt), ""
		ways = append(ways, given)
	}
	if len(ways) == 0 {
		m.problem("%s has ended, says %s, but its task has not returned", rowText(e), n.name)
		return
	}
	r := x.run
	if !held {
		// Another scheduler has it; this one may not know that yet.
		n.tellRun(kindOfEnd(e.State), e)
		n.told[len(n.told)-1].maybe = true
		return
	}
	got, err := m.storedRun(r.ID)
	if err != nil {
		m.problem("run %s: %v", rowText(&r.Run), err)
		return
	}
	var diffs []string
	for _, way := range ways {
		if way.State == jobcenter.RunQueued {
			low, high := x.job.retryDelay(x)
			if wait := got.NotBefore.Sub(x.returned); wait < low || wait > high {
				diffs = append(diffs, fmt.Sprintf("the next attempt is to wait for %s, want %s to %s", wait, low, high))
				continue
			}
			way.NotBefore, way.Turn = got.NotBefore, got.NotBefore
		}
		diff := runDiff(&way, &got)
		if diff != "" {
			diffs = append(diffs, diff)
			continue
		}
		if way.State == jobcenter.RunQueued {
			r.Run = way
			m.requeue(n, r, way.NotBefore)
		} else {
			r.Run = way
			m.ended(r)
			m.noteFreed(n, r)
		}
		n.tellRun(kindOfEnd(way.State), &r.Run)
		return
	}
	m.problem("row %s (%q): %s", rowText(&got), got.Message, strings.Join(diffs, "; or "))
}

func kindOfEnd(state jobcenter.RunState) jobcenter.EventType {
	switch state {
	case jobcenter.RunQueued:
		return jobcenter.EventRunRetry
	case jobcenter.RunSkipped:
		return jobcenter.EventRunSkipped
	default:
		return jobcenter.EventRunEnded
	}
}

// carry leaves with the jobs what attempts left, all that were held when the
// ends came.
func (m *model) carry(n *modelNode, records jobcenter.Records) {
	carries := map[execKey]jobcenter.Carry{}
	for _, c := range records.Carries {
		carries[execKey{c.RunID, c.Attempt}] = c
		r, j := m.runs[c.RunID], m.jobs[c.JobID]
		if r == nil || r.JobID != c.JobID {
			m.problem("%s has an unknown run %s of %s carry something", n.name, c.RunID, c.JobID)
			continue
		}
		if j == nil || r.State != jobcenter.RunRunning || r.Attempt != c.Attempt {
			continue
		}
		if len(c.Carried) > 0 {
			j.Carried = c.Carried
		}
		if len(c.Result) > 0 {
			j.LastResult = c.Result
		}
	}
	for i := range records.Ends {
		e := &records.Ends[i]
		key := execKey{e.ID, e.Attempt}
		x := n.execs[key]
		if x == nil || x.returned.IsZero() || x.vetoed || !later(n.cancelAt, x.cancelAt).IsZero() {
			continue // what was given up may have ended after all, too
		}
		want := jobcenter.Carry{Carried: []byte(x.does.carry)}
		if e.State == jobcenter.RunSucceeded {
			want.Result = []byte(x.does.result)
		}
		if got := carries[key]; !sameRaw(got.Carried, want.Carried) || !sameRaw(got.Result, want.Result) {
			m.problem("%s carries %s and %s, want %s and %s", rowText(e), got.Carried, got.Result, want.Carried, want.Result)
		}
	}
}

// causes are those with which the context of an attempt may have ended: the
// one that was seen or, if it was none until the task returned, also what was
// to end it at that very instant.
func (m *model) causes(n *modelNode, x *modelExec) []error {
	if x.cause != nil {
		return []error{x.cause}
	}
	causes := []error{nil}
	if x.job.Timeout > 0 && x.returned.Equal(x.begun.Add(x.job.Timeout)) {
		causes = append(causes, jobcenter.ErrTimeout)
	}
	if x.run.StopBy != "" || !x.stopAsked.IsZero() || !x.cancelled.IsZero() {
		causes = append(causes, jobcenter.ErrStopped)
	}
	if n.cancelAt.Equal(x.returned) {
		causes = append(causes, jobcenter.ErrShutdown)
	}
	return causes
}

// ending is the row that an attempt leaves whose context ended by the cause.
func (x *modelExec) ending(cause error) jobcenter.Run {
	r := x.run.Run
	r.EndedAt, r.Message, r.Reason = x.returned, "", ""
	if x.vetoed {
		r.State, r.Reason, r.Message = jobcenter.RunSkipped, jobcenter.ReasonVeto, "not now"
		if x.attempt > 1 {
			r.State = jobcenter.RunStopped
		} else {
			r.StartedAt = time.Time{}
		}
		return r
	}
	if x.err == nil {
		r.State = jobcenter.RunSucceeded
		r.Result = []byte(x.does.result)
		return r
	}
	r.Message = x.err.Error()
	var (
		panicked *jobcenter.PanicError
		exit     *jobcenter.ExitError
		signal   *jobcenter.SignalError
		start    *jobcenter.StartError
		args     *jobcenter.ArgsError
	)
	switch {
	case errors.As(x.err, &exit):
		r.ExitCode = &exit.Code
	case errors.As(x.err, &signal):
		code := 128 + signal.Number
		r.ExitCode = &code
	}
	r.State = jobcenter.RunFailed
	switch {
	case errors.As(x.err, &panicked):
		r.Reason = jobcenter.ReasonPanic
	case errors.Is(cause, jobcenter.ErrTimeout):
		r.State, r.Reason = jobcenter.RunTimedOut, jobcenter.ReasonTimeout
	case errors.Is(cause, jobcenter.ErrStopped):
		r.State, r.Reason = jobcenter.RunStopped, jobcenter.ReasonStop
		if strings.Contains(cause.Error(), "replaced by the run of") {
			r.Reason = jobcenter.ReasonCancel
		}
		if replaced := x.run.replaced || !x.cancelled.IsZero(); r.Reason == jobcenter.ReasonCancel && !replaced {
			r.Message = "which nobody's next run replaces" // so that it differs
		}
	case cause != nil:
		r.State, r.Reason = jobcenter.RunStopped, jobcenter.ReasonShutdown
	case exit != nil:
		r.Reason = jobcenter.ReasonExitCode
	case signal != nil:
		r.Reason = jobcenter.ReasonSignal
	case errors.As(x.err, &start):
		r.Reason = jobcenter.ReasonStartFailed
	case errors.As(x.err, &args):
		r.Reason = jobcenter.ReasonBadArgs
	default:
		r.Reason = jobcenter.ReasonError
	}
	if x.triesAgain(&r) {
		r.State, r.EndedAt = jobcenter.RunQueued, time.Time{}
	}
	return r
}

// triesAgain reports whether a failure is followed by another attempt.
func (x *modelExec) triesAgain(r *jobcenter.Run) bool {
	rules := x.job.Retry
	switch {
	case r.State != jobcenter.RunFailed && r.State != jobcenter.RunTimedOut || r.Reason == jobcenter.ReasonBadArgs,
		x.attempt >= rules.Attempts,
		jobcenter.IsNoRetry(x.err),
		len(rules.On) > 0 && !slices.Contains(rules.On, r.Reason):
		return false
	case r.Reason == jobcenter.ReasonExitCode && len(rules.ExitCodes) > 0:
		return slices.Contains(rules.ExitCodes, *r.ExitCode)
	default:
		return true
	}
}

// retryDelay is how long a run waits at least and at most for its next attempt.
func (j *modelJob) retryDelay(x *modelExec) (low, high time.Duration) {
	if after, ok := jobcenter.RetryDelay(x.err); ok {
		return after, after
	}
	delay, factor, longest := j.Retry.Delay, j.Retry.Factor, j.Retry.MaxDelay
	if delay == 0 {
		delay = time.Second
	}
	if factor == 0 {
		factor = 2
	}
	if longest == 0 {
		longest = time.Hour
	}
	for range x.attempt - 1 {
		delay = time.Duration(float64(delay) * factor)
	}
	delay = min(delay, longest)
	// The store keeps microseconds.
	return delay.Truncate(time.Microsecond), delay + time.Duration(float64(delay)*j.Retry.Jitter) + time.Microsecond
}

// requestStop works out what a demand to stop a run does in the store.
func (m *model) requestStop(n *modelNode, id, by string, got jobcenter.Run) {
	r := m.runs[id]
	switch {
	case r == nil:
		m.problem("an unknown run was to be stopped: %s", rowText(&got))
		return
	case r.State == jobcenter.RunQueued:
		m.note("%s stops %s", n.name, claimedText{{Runs: []jobcenter.Run{r.Run}}})
		r.State, r.Reason, r.Message, r.StopBy, r.EndedAt = jobcenter.RunStopped, jobcenter.ReasonStop, by, by, m.now
		m.ended(r)
		m.noteFreed(n, r)
		n.tellRun(jobcenter.EventRunEnded, &r.Run)
	case r.State == jobcenter.RunRunning && r.StopBy == "":
		r.StopBy, r.stopAt = by, m.now
	}
	if diff := runDiff(&r.Run, &got); diff != "" {
		m.problem("stopped was %s: %s", rowText(&got), diff)
	}
}

// ownUpdate looks at a change of a job that a scheduler made of its own accord.
func (m *model) ownUpdate(n *modelNode, id string, got jobcenter.Job, written []jobcenter.Run) {
	j := m.jobs[id]
	if j != nil && j.plan.atStart && j.Quarantine == "" && got.Quarantine == "" {
		m.start(n, j, written)
		return
	}
	if j == nil || len(written) > 0 {
		m.problem("%s changed job %s by itself: %s", n.name, id, rowTexts(written))
		return
	}
	switch {
	case j.Quarantine == "" && got.Quarantine != "":
		patience := 2 * n.spec.lease
		if due := j.DueAt(); n.has(j) || n.standby || due.IsZero() || m.now.Sub(due) < patience || m.now.Sub(n.began) < patience {
			m.problem("%s put job %s into quarantine: %s", n.name, id, got.Quarantine)
		}
		j.Quarantine, j.changed, j.by = got.Quarantine, m.now, n.does()
		j.changedSeq = m.step()
		n.tellJob(jobcenter.EventJobQuarantined, j)
	case j.Quarantine != "" && got.Quarantine == "":
		if !n.has(j) {
			m.problem("%s released job %s", n.name, id)
		}
		j.Quarantine, j.changed, j.by = "", m.now, n.does()
		j.changedSeq = m.step()
		n.tellJob(jobcenter.EventJobReleased, j)
	}
	m.compareJob(j)
}

// start works out what becomes of a job that fires when a scheduler starts.
func (m *model) start(n *modelNode, j *modelJob, written []jobcenter.Run) {
	row := newModelRow(j, n.began, jobcenter.OriginSchedule, m.now)
	queued, running := m.going(j.ID)
	if j.room(queued, running) <= 0 {
		row.State, row.Reason, row.EndedAt = jobcenter.RunSkipped, jobcenter.ReasonOverlap, m.now
	} else {
		row.Turn = m.now.Add(time.Duration(queued) * time.Second)
		if j.Coalesce == jobcenter.CoalesceAll && j.CatchUp.Pace > 0 && queued > 0 {
			row.NotBefore = m.now.Add(time.Duration(queued) * j.CatchUp.Pace)
		}
	}
	var want []jobcenter.Run
	if m.ledger[keyOfRow(&row)] == nil && !j.Paused && !n.began.Before(j.CreatedAt) { // not of another start at this instant
		want = append(want, row)
		m.count.fires++
	}
	for _, r := range m.insert(n, want, written) {
		m.atStarts[r.ID] = true
		n.tellRow(&r.Run)
	}
	n.started[j.ID] = true
	m.compareJob(j)
}

// call is an operation of the scenario on its way to the store.
type call struct {
	op     *operation
	change func(*jobcenter.Job) // of the rules
	plan   *planSpec            // a new trigger

	reached bool       // it has come to the store,
	err     error      // which must answer this,
	job     *modelJob  // or this job
	runs    []modelRun // or, for a start by hand or a backfill, these runs
}

// answer compares an error of the store with the one that it must be.
func (c *call) answer(m *model, want, got error) {
	c.reached, c.err = true, want
	if !errors.Is(got, want) {
		m.problem("%s: error %v, want %v", c.op, got, want)
	}
}

// add works out what comes of a new job.
func (m *model) add(n *modelNode, c *call, err error) {
	id := c.op.spec.id
	j := &modelJob{Job: c.op.spec.job(), by: n.does(), changed: m.now, changedSeq: m.step()}
	j.Version, j.CreatedAt, j.UpdatedAt = 1, m.now, m.now
	probe := *j
	probe.plan = *c.plan
	if probe.plan.every > 0 {
		probe.start = m.now.Add(probe.plan.every)
	}
	switch {
	case probe.first(m.now).IsZero():
		if m.jobs[id] != nil && errors.Is(err, jobcenter.ErrConflict) {
			c.answer(m, jobcenter.ErrConflict, err) // both are true
		} else {
			c.answer(m, jobcenter.ErrNeverFires, err)
		}
	case m.jobs[id] != nil:
		c.answer(m, jobcenter.ErrConflict, err)
	default:
		c.answer(m, nil, err)
		m.setPlan(j, *c.plan, m.now)
		m.jobs[id] = j
		n.tellJob(jobcenter.EventJobAdded, j)
		m.compareJob(j)
		c.job = new(modelJob)
		*c.job = *j
	}
}

// update works out what comes of an operation on a job.
func (m *model) update(n *modelNode, c *call, id string, got jobcenter.Job, written []jobcenter.Run, err error) {
	j := m.jobs[id]
	if j == nil {
		c.answer(m, jobcenter.ErrJobNotFound, err)
		return
	}
	switch c.op.kind {
	case opRunNow:
		m.runNow(n, c, j, written, err)
	case opBackfill:
		m.backfill(n, c, j, written, err)
	case opModify, opEnsure:
		m.modify(n, c, j, written, err)
	default:
		m.adjust(n, c, j, written, err)
	}
	m.compareJob(j)
	c.job = new(modelJob)
	*c.job = *j
	if diff := jobDiff(&j.Job, &got); err == nil && diff != "" {
		m.problem("%s: %s", c.op, diff)
	}
}

func (m *model) runNow(n *modelNode, c *call, j *modelJob, written []jobcenter.Run, err error) {
	queued, running := m.going(j.ID)
	switch {
	case j.Quarantine != "":
		c.answer(m, jobcenter.ErrConflict, err)
		return
	case j.room(queued, running) <= 0:
		c.answer(m, jobcenter.ErrOverlap, err)
		return
	}
	c.answer(m, nil, err)
	if len(written) == 0 {
		return // its fire time is taken; it comes again with the next one
	}
	fire := written[0].FireTime
	if fire.After(m.now) || m.now.Sub(fire) > time.Millisecond {
		m.problem("%s: fire time %s", c.op, fire.Sub(begun()))
	}
	if before := fire.Add(-time.Microsecond); j.next(before).Equal(fire) || len(j.closed(before, fire.Add(time.Microsecond))) > 0 {
		m.problem("%s takes the place of the fire time %s", c.op, fire.Sub(begun()))
	}
	row := newModelRow(j, fire, jobcenter.OriginManual, m.now)
	row.Actor = c.op.actor
	if c.op.args != "" {
		row.Args = []byte(c.op.args)
	}
	for _, r := range m.insert(n, []jobcenter.Run{row}, written) {
		n.tellRow(&r.Run)
		c.runs = append(c.runs, *r)
	}
}

func (m *model) backfill(n *modelNode, c *call, j *modelJob, written []jobcenter.Run, err error) {
	if j.Quarantine != "" {
		c.answer(m, jobcenter.ErrConflict, err)
		return
	}
	c.answer(m, nil, err)
	var rows []jobcenter.Run
	for fire := j.next(c.op.from.Add(-time.Nanosecond)); !fire.IsZero() && fire.Before(c.op.to); fire = j.next(fire) {
		row := newModelRow(j, fire, jobcenter.OriginBackfill, m.now)
		row.Series, row.Actor = c.op.series, c.op.actor
		row.Turn = m.now.Add(time.Duration(len(rows)) * time.Second)
		if c.op.pace > 0 {
			row.NotBefore = m.now.Add(time.Duration(len(rows)) * c.op.pace)
		}
		if m.ledger[keyOfRow(&row)] == nil {
			rows = append(rows, row)
		}
	}
	for _, r := range m.insert(n, rows, written) {
		n.tellRow(&r.Run)
		c.runs = append(c.runs, *r)
	}
}

// modify is a change of the definition.
func (m *model) modify(n *modelNode, c *call, j *modelJob, written []jobcenter.Run, err error) {
	after := *j
	c.change(&after.Job)
	fields := rulesDiff(&j.Job, &after.Job)
	if !n.has(&after) {
		c.answer(m, jobcenter.ErrInvalidJob, err)
		return
	}
	replan := c.plan != nil && c.plan.text != j.plan.text
	if replan {
		probe := after
		probe.plan = *c.plan
		if probe.plan.every > 0 {
			probe.start = m.now.Add(probe.plan.every)
		}
		if probe.first(m.now).IsZero() {
			c.answer(m, jobcenter.ErrNeverFires, err)
			return
		}
	}
	c.answer(m, nil, err)
	if len(fields) == 0 && !replan && j.Quarantine == "" {
		m.insert(n, nil, written)
		return
	}
	released := j.Quarantine != ""
	rows := m.settle(j, m.now)
	c.change(&j.Job)
	if replan {
		m.setPlan(j, *c.plan, m.now)
		fields = append(fields, "trigger")
	}
	j.Quarantine = ""
	m.changed(n, j)
	if len(fields) > 0 {
		n.tellJob(jobcenter.EventJobModified, j)
	}
	if released {
		n.tellJob(jobcenter.EventJobReleased, j)
	}
	for _, r := range m.insert(n, rows, written) {
		n.tellRow(&r.Run)
	}
}

// changed gives a job its new version.
func (m *model) changed(n *modelNode, j *modelJob) {
	j.Version++
	j.UpdatedAt, j.changed, j.changedSeq, j.by = m.now, m.now, m.step(), n.does()
}

// adjust is a pause, its end, or what has to do with skipping.
func (m *model) adjust(n *modelNode, c *call, j *modelJob, written []jobcenter.Run, err error) {
	after := *j
	switch c.op.kind {
	case opPause:
		after.Paused, after.PausedUntil = true, c.op.until
	case opResume:
		after.Paused, after.PausedUntil, after.PauseReason = false, time.Time{}, ""
	case opSkip:
		// The next one is the first that is not settled by now.
		settled := *j
		count := m.count
		if j.Quarantine == "" {
			m.settle(&settled, m.now)
		}
		m.count = count
		next := settled.NextFireTime
		if !next.IsZero() && !next.After(j.SkipUntil) {
			next = j.next(j.SkipUntil)
		}
		if next.IsZero() || j.plan.atStart {
			// The scheduler refuses it after the transaction, which changed nothing.
			c.answer(m, nil, err)
			c.err = jobcenter.ErrNeverFires
			m.insert(n, nil, written)
			return
		}
		after.SkipUntil = next
	case opUnskip:
		after.SkipUntil = time.Time{}
	default:
		m.problem("%s changes a job", c.op)
	}
	c.answer(m, nil, err)
	if after.Paused == j.Paused && after.PausedUntil.Equal(j.PausedUntil) && after.SkipUntil.Equal(j.SkipUntil) {
		m.insert(n, nil, written)
		return
	}
	var rows []jobcenter.Run
	if j.Quarantine == "" {
		rows = m.settle(j, m.now)
	}
	was := j.Paused
	skips := !after.SkipUntil.Equal(j.SkipUntil)
	j.Paused, j.PausedUntil, j.PauseReason, j.SkipUntil = after.Paused, after.PausedUntil, after.PauseReason, after.SkipUntil
	updated := j.UpdatedAt
	if m.changed(n, j); j.Quarantine != "" {
		j.UpdatedAt = updated // for the ledger has not been settled
	}
	switch {
	case skips:
		n.tellJob(jobcenter.EventJobModified, j)
	case !was && j.Paused:
		n.tellJob(jobcenter.EventJobPaused, j)
	case was && !j.Paused:
		n.tellJob(jobcenter.EventJobResumed, j)
	}
	for _, r := range m.insert(n, rows, written) {
		n.tellRow(&r.Run)
	}
}

// remove works out what becomes of what a job leaves.
func (m *model) remove(n *modelNode, c *call, id string, written []jobcenter.Run, err error) {
	j := m.jobs[id]
	if c == nil {
		m.problem("job %s was removed by nobody", id)
		return
	}
	if j == nil {
		c.answer(m, jobcenter.ErrJobNotFound, err)
		return
	}
	c.answer(m, nil, err)
	reason := jobcenter.ReasonRemoved
	if j.Paused {
		reason = jobcenter.ReasonPaused
	}
	fates, _, _ := j.over(m.now, reason)
	rows := m.insert(n, m.rows(j, fates, m.now), written)
	for _, r := range slices.Clone(m.active) {
		if r.JobID == id && r.State == jobcenter.RunQueued {
			r.State, r.Reason, r.Message, r.EndedAt = jobcenter.RunSkipped, jobcenter.ReasonRemoved, "", m.now
			m.ended(r)
			m.noteFreed(n, r)
			m.compareRun(r)
			rows = append(rows, r)
		}
	}
	for _, r := range rows {
		n.tellRow(&r.Run)
		n.told[len(n.told)-1].maybe = true
	}
	n.tellJob(jobcenter.EventJobRemoved, j)
	m.endPlan(j, m.now)
	delete(m.jobs, id)
}

// sortedJobs are the jobs by id.
func (m *model) sortedJobs() []*modelJob {
	var list []*modelJob
	for _, id := range slices.Sorted(maps.Keys(m.jobs)) {
		list = append(list, m.jobs[id])
	}
	return list
}
