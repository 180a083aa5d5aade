package torture

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"testing"
	"time"

	"github.com/jobcenter-go/jobcenter"
)

// never is later than all instants.
const never = math.MaxInt64

// ledger holds the rows of the store against the journals of the schedulers,
// the diary of what was done to them, and the operator's list.
type ledger struct {
	t         *testing.T
	store     jobcenter.JobStore
	journals  *journals
	processes []*process
	operator  *operator
	report    io.Writer // all that is wrong
	wrong     int

	manual  map[string]bool // ids of the rows that the operator's starts made
	states  map[string]int64
	fires   int64 // covered fire times
	begun   int64 // attempts
	putBack int64 // attempts that were given out in an answer that did not arrive, and were put back
	stale   int64 // attempts whose end was told by a scheduler that had lost its claim
	bytes   int64 // of output that was compared
	limits  map[string]*limited
	worst   int64 // µs from the death of a process to the record of a run that it lost
	slowest int64 // µs that the store took to renew a lease
}

// limited is what the journals say of the runs of a limit's key.
type limited struct {
	limit  jobcenter.Limit
	spans  []span
	starts []int64
}

// maxShown is how many of the things that are wrong are shown.
const maxShown = 20

func (l *ledger) fail(what string, r *jobcenter.Run, h *history, format string, args ...any) {
	l.wrong++
	var text bytes.Buffer
	fmt.Fprintf(&text, "%s: %s", what, fmt.Sprintf(format, args...))
	if r != nil {
		row, _ := json.Marshal(r) //nolint:errchkjson // a row that cannot be shown is shown as nothing
		fmt.Fprintf(&text, "\n\trow %s", row)
	}
	if h != nil {
		for _, e := range h.events {
			fmt.Fprintf(&text, "\n\t%c %s by %s (node %s) attempt %d %s %d %d", e.kind, instant(e.at), e.process.name, e.process.node, e.attempt, e.word, e.a, e.b)
		}
	}
	text.WriteByte('\n')
	_, _ = l.report.Write(text.Bytes())
	switch {
	case l.wrong <= maxShown:
		l.t.Error(text.String())
	case l.wrong == maxShown+1:
		l.t.Error("more in the report")
	}
}

func instant(us int64) string { return time.UnixMicro(us).UTC().Format("15:04:05.000000") }

// history is what the journals say of one run, in the order of the journals.
type history struct {
	events   []event
	attempts []attemptHistory // by number - 1
}

// attemptHistory is what they say of one attempt.
type attemptHistory struct {
	claim, begin, end *event
	records           []*event // by whom ever
}

// holder is the process that has had the attempt; nil if none tells so.
func (a *attemptHistory) holder() *process {
	if a.claim == nil {
		return nil
	}
	return a.claim.process
}

// held are the records of the attempt by its holder, lost the first by others.
func (a *attemptHistory) held() (own, others *event) {
	for _, e := range a.records {
		switch {
		case e.process == a.holder():
			own = cmp.Or(own, e)
		case others == nil || e.at < others.at:
			others = e
		}
	}
	return own, others
}

// histories sorts the events of a job by run.
func (l *ledger) histories(j *tortureJob) map[int64]*history {
	all := map[int64]*history{}
	for _, e := range l.journals.byJob[j.number] {
		h := all[e.fire]
		if h == nil {
			h = &history{}
			all[e.fire] = h
		}
		h.events = append(h.events, e)
	}
	for fire, h := range all {
		for i := range h.events {
			e := &h.events[i]
			if e.attempt < 1 {
				l.fail(j.ID, nil, h, "fire time %s: attempt %d", instant(fire), e.attempt)
				continue
			}
			for len(h.attempts) < e.attempt {
				h.attempts = append(h.attempts, attemptHistory{})
			}
			a := &h.attempts[e.attempt-1]
			var place **event
			switch e.kind {
			case claimLine:
				place = &a.claim
			case beginLine:
				place = &a.begin
			case endLine:
				place = &a.end
			default:
				a.records = append(a.records, e)
				continue
			}
			if *place != nil {
				l.fail(j.ID, nil, h, "fire time %s: attempt %d has two lines %c: it was made twice", instant(fire), e.attempt, e.kind)
			}
			*place = e
		}
	}
	return all
}

// check checks everything.
func (l *ledger) check(ctx context.Context, jobs []*tortureJob) {
	l.states, l.limits = map[string]int64{}, map[string]*limited{}
	l.manual = map[string]bool{}
	for _, j := range jobs {
		l.job(ctx, j)
	}
	l.leases()
	for key, limited := range l.limits {
		l.limit(key, limited)
	}
	for _, run := range l.operator.started {
		if !l.manual[run.ID] {
			l.fail(run.JobID, &run, nil, "a start by hand was acknowledged and has no row")
		}
	}
	page, err := l.store.Runs(ctx, jobcenter.RunQuery{States: []jobcenter.RunState{jobcenter.RunQueued, jobcenter.RunRunning}})
	if err != nil {
		l.t.Fatal(err)
	}
	for i := range page.Runs {
		l.fail(page.Runs[i].JobID, &page.Runs[i], nil, "a row is left queued or running")
	}
}

// leases: nobody was given a run before the store had a lease of his, without
// which another scheduler may take him for dead.
func (l *ledger) leases() {
	for _, events := range l.journals.byJob {
		for i := range events {
			if e := &events[i]; e.kind == claimLine && (e.process.first == 0 || e.at < e.process.first) {
				e.process.first = e.at
			}
		}
	}
	for _, p := range l.processes {
		if p.first != 0 && (len(p.leases) == 0 || p.leases[0].at > p.first) {
			l.fail(p.name, nil, nil, "was given a run at %s, before its first lease", instant(p.first))
		}
		for _, lease := range p.leases {
			l.slowest = max(l.slowest, lease.at-(lease.until-leaseTime.Microseconds()))
		}
	}
}

func (l *ledger) job(ctx context.Context, j *tortureJob) {
	stored, err := l.store.Job(ctx, j.ID)
	if err != nil {
		l.t.Fatal(err)
	}
	if stored.Quarantine != "" {
		l.fail(j.ID, nil, nil, "the job is in quarantine: %s", stored.Quarantine)
	}
	histories := l.histories(j)
	var rows []*jobcenter.Run
	for q := (jobcenter.RunQuery{JobID: j.ID, Limit: 500}); ; {
		page, err := l.store.Runs(ctx, q)
		if err != nil {
			l.t.Fatal(err)
		}
		for i := range page.Runs {
			rows = append(rows, &page.Runs[i])
		}
		if q.Cursor = page.NextCursor; q.Cursor == "" {
			break
		}
	}
	slices.Reverse(rows) // by fire time
	l.coverage(j, &stored, rows)
	for _, r := range rows {
		h := histories[r.FireTime.UnixMicro()]
		if h == nil {
			h = &history{}
		}
		l.states[string(r.State)+" "+string(r.Reason)]++
		l.row(ctx, j, r, h)
		delete(histories, r.FireTime.UnixMicro())
		histories[r.FireTime.UnixMicro()] = h
	}
	byFire := map[int64]*jobcenter.Run{}
	for _, r := range rows {
		byFire[r.FireTime.UnixMicro()] = r
	}
	for _, fire := range slices.Sorted(maps.Keys(histories)) {
		if byFire[fire] == nil {
			l.fail(j.ID, nil, histories[fire], "fire time %s was claimed, and has no row", instant(fire))
		}
	}
	l.skips(j, rows, histories)
	l.atOnce(j, rows, histories)
	l.carried(j, &stored, rows, histories)
}

// coverage: every fire time that the trigger has had since the job was added
// is in exactly one row.
func (l *ledger) coverage(j *tortureJob, stored *jobcenter.Job, rows []*jobcenter.Run) {
	due := j.NextFireTime // when it was added
	for _, r := range rows {
		if r.Series != "" {
			l.fail(j.ID, r, nil, "a row of a series that nobody asked for")
			continue
		}
		if r.Origin != jobcenter.OriginSchedule {
			l.manual[r.ID] = true
			if r.FireCount != 1 || !r.LastFireTime.Equal(r.FireTime) {
				l.fail(j.ID, r, nil, "a start by hand with a span")
			}
			continue
		}
		if !r.FireTime.Equal(due) {
			l.fail(j.ID, r, nil, "the row follows those up to %s, which is the fire time that comes next: one is missing or covered twice", due)
		}
		if want := int64(r.LastFireTime.Sub(r.FireTime)/j.every) + 1; r.FireCount != want || r.LastFireTime.Before(r.FireTime) || r.LastFireTime.Sub(r.FireTime)%j.every != 0 {
			l.fail(j.ID, r, nil, "the span counts %d fire times, its ends say %d", r.FireCount, want)
		}
		l.fires += r.FireCount
		due = r.LastFireTime.Add(j.every)
		if r.LastFireTime.After(j.last) {
			l.fail(j.ID, r, nil, "the row covers more than the last fire time, %s", j.last)
		}
	}
	if !stored.NextFireTime.IsZero() || !due.After(j.last) {
		l.fail(j.ID, nil, nil, "the rows cover all before %s, the last fire time is %s, and the job's next one %s", due, j.last, stored.NextFireTime)
	}
}

// row: the state is a true one.
func (l *ledger) row(ctx context.Context, j *tortureJob, r *jobcenter.Run, h *history) {
	for i := range h.attempts {
		a := &h.attempts[i]
		n := i + 1
		if a.begin != nil {
			l.begun++
			if id := idNumber([]byte(r.ID)); a.begin.b != id {
				l.fail(j.ID, r, h, "attempt %d was of another run id", n)
			}
			if a.claim == nil || a.claim.process != a.begin.process || a.claim.at > a.begin.at {
				l.fail(j.ID, r, h, "attempt %d began without a claim of its process", n)
			}
		}
		if a.end != nil && (a.begin == nil || a.begin.process != a.end.process) {
			l.fail(j.ID, r, h, "attempt %d ended where it did not begin", n)
		}
		if n > r.Attempt {
			l.fail(j.ID, r, h, "attempt %d was given out, and the row knows nothing of it", n)
		}
		if n < r.Attempt {
			l.superseded(j, r, h, n)
		}
	}
	var last attemptHistory
	if r.Attempt > 0 && r.Attempt <= len(h.attempts) {
		last = h.attempts[r.Attempt-1]
	}
	l.told(j, r, h, &last)
	wrote := false
	switch r.State {
	case jobcenter.RunSucceeded, jobcenter.RunFailed, jobcenter.RunTimedOut:
		l.ended(j, r, h, &last)
		wrote = true
	case jobcenter.RunStopped:
		if last.end == nil || r.Node == "" {
			l.stoppedInQueue(j, r, h, &last)
			break
		}
		l.ended(j, r, h, &last)
		wrote = true
	case jobcenter.RunLost:
		l.lost(j, r, h, &last)
	case jobcenter.RunMissed:
		grace := j.MisfireGrace
		if grace == 0 {
			grace = time.Minute
		}
		if r.Reason != jobcenter.ReasonMisfire || grace < 0 || r.EndedAt.Sub(r.LastFireTime) <= grace || r.Origin != jobcenter.OriginSchedule {
			l.fail(j.ID, r, h, "missed within its grace time of %s", grace)
		}
		l.neverRan(j, r, h)
	case jobcenter.RunSkipped:
		l.neverRan(j, r, h)
	default:
		l.fail(j.ID, r, h, "the row has not ended")
	}
	l.output(ctx, j, r, h, wrote)
}

// neverRan: nobody had an attempt.
func (l *ledger) neverRan(j *tortureJob, r *jobcenter.Run, h *history) {
	if len(h.events) > 0 || r.Attempt != 0 || !r.StartedAt.IsZero() || r.Node != "" {
		l.fail(j.ID, r, h, "%s, and there was an attempt", r.State)
	}
}

// superseded: an attempt that another one followed had failed and was to be
// tried again, was lost, or had been given out in an answer that did not arrive:
// then it has not begun, and was put back.
func (l *ledger) superseded(j *tortureJob, r *jobcenter.Run, h *history, n int) {
	a, next := &h.attempts[n-1], &h.attempts[min(n, len(h.attempts)-1)]
	own, others := a.held()
	again := l.mayRetry(j, a, n)
	if a.claim == nil && a.begin == nil && (others == nil || others.word == string(jobcenter.RunQueued)) {
		again = true
		if next.claim != nil && next.claim.word == "" {
			l.putBack++
		}
	}
	if n == len(h.attempts) || next.claim == nil {
		// Who had the next one was killed before it could say so: either.
		if !again && others == nil && !j.RequestsRecovery {
			l.fail(j.ID, r, h, "attempt %d was followed by another one without a reason", n)
		}
		return
	}
	if next.claim.word != string(jobcenter.ReasonNodeDied) {
		if !again {
			l.fail(j.ID, r, h, "attempt %d was tried again for %q", n, next.claim.word)
		}
		return
	}
	lost := next.claim.b // NotBefore is when it was found lost
	if own != nil {
		l.stale++
		if own.at < lost {
			l.fail(j.ID, r, h, "attempt %d was lost after the store had acknowledged its end", n)
		}
	}
	if !j.RequestsRecovery {
		l.fail(j.ID, r, h, "attempt %d was tried again although the job does not ask for it", n)
	}
	l.justified(j, r, h, n, lost)
}

// mayRetry reports whether the attempt told an error that is to be tried again.
func (l *ledger) mayRetry(j *tortureJob, a *attemptHistory, n int) bool {
	return a.end != nil && a.end.word == outcomeError && n < j.Retry.Attempts
}

// justified: a process lost its attempt because it was killed, or was without
// a lease.
func (l *ledger) justified(j *tortureJob, r *jobcenter.Run, h *history, n int, lost int64) {
	var p *process
	if n <= len(h.attempts) {
		p = h.attempts[n-1].holder()
	}
	if p != nil {
		if !p.died(h.attempts[n-1].claim.at, lost) {
			l.fail(j.ID, r, h, "attempt %d was lost at %s, when %s lived and had a lease", n, instant(lost), p.name)
		}
		l.noteLoss(p, lost)
		return
	}
	// Nobody says that he got it, so he must have been disturbed then.
	if n == r.Attempt && !slices.ContainsFunc(l.processes, func(p *process) bool { return p.node == r.Node && p.died(r.StartedAt.UnixMicro(), lost) }) {
		l.fail(j.ID, r, h, "attempt %d was lost at %s, and no process of its node had died", n, instant(lost))
	}
}

// noteLoss keeps the longest time from a death to the record of what it left.
func (l *ledger) noteLoss(p *process, lost int64) {
	since := int64(never)
	if p.killed && p.ended <= lost {
		since = p.ended
	}
	for _, s := range p.stopped {
		if s.from <= lost && s.from < since && (s.to == 0 || s.to >= lost) {
			since = s.from
		}
	}
	if since != never {
		l.worst = max(l.worst, lost-since)
	}
}

// told: what the store acknowledged to the holder of the newest attempt is in
// the row, unless somebody had recorded it as lost before.
func (l *ledger) told(j *tortureJob, r *jobcenter.Run, h *history, last *attemptHistory) {
	own, _ := last.held()
	if own == nil || own.word == string(r.State) {
		return
	}
	if own.word == string(jobcenter.RunQueued) && r.State == jobcenter.RunStopped {
		return // it was stopped while it waited for the next attempt
	}
	if r.State != jobcenter.RunLost || own.at < r.EndedAt.UnixMicro() {
		l.fail(j.ID, r, h, "the store acknowledged %q at %s", own.word, instant(own.at))
		return
	}
	l.stale++
}

// ended: the task of the newest attempt told so.
func (l *ledger) ended(j *tortureJob, r *jobcenter.Run, h *history, last *attemptHistory) {
	if last.begin == nil || last.end == nil {
		l.fail(j.ID, r, h, "%s, and its task did not tell of that", r.State)
		return
	}
	p := last.begin.process
	if p.node != r.Node {
		l.fail(j.ID, r, h, "the attempt was made by node %s", p.node)
	}
	if !l.fits(j, r, last.end.word) {
		l.fail(j.ID, r, h, "the task told %q", last.end.word)
	}
	if r.StartedAt.UnixMicro() > last.begin.at || r.EndedAt.UnixMicro() < last.end.at {
		l.fail(j.ID, r, h, "the task was at work from %s to %s", instant(last.begin.at), instant(last.end.at))
	}
	want := ""
	if r.State == jobcenter.RunSucceeded {
		want = fmt.Sprintf("%q", result(r.Attempt, p.name))
	}
	if string(r.Result) != want {
		l.fail(j.ID, r, h, "the result is not that of the attempt, %s", want)
	}
}

// fits reports whether the row says what the task told.
func (l *ledger) fits(j *tortureJob, r *jobcenter.Run, outcome string) bool {
	asked := l.operator.asked[r.ID] != 0
	switch r.State {
	case jobcenter.RunSucceeded:
		return outcome == outcomeDone && r.Reason == ""
	case jobcenter.RunFailed:
		retried := r.Attempt >= j.Retry.Attempts
		return outcome == outcomeError && r.Reason == jobcenter.ReasonError && retried || outcome == outcomePanic && r.Reason == jobcenter.ReasonPanic
	case jobcenter.RunTimedOut:
		return outcome == outcomeTimeout && r.Reason == jobcenter.ReasonTimeout
	case jobcenter.RunStopped:
		// A task that failed of itself, and was to be ended before that could
		// be noted, counts as ended.
		failed := outcome == outcomeError
		switch r.Reason {
		case jobcenter.ReasonStop:
			return asked && (outcome == outcomeStopped || failed)
		case jobcenter.ReasonCancel:
			return j.Overlap == jobcenter.OverlapCancel && outcome == outcomeStopped
		case jobcenter.ReasonShutdown:
			return outcome == outcomeShutdown || failed
		default:
		}
	default:
	}
	return false
}

// stoppedInQueue: somebody asked for it while it waited.
func (l *ledger) stoppedInQueue(j *tortureJob, r *jobcenter.Run, h *history, last *attemptHistory) {
	own, _ := last.held()
	waited := r.Attempt == 0 && len(h.events) == 0 || own == nil || own.word == string(jobcenter.RunQueued)
	if l.operator.asked[r.ID] == 0 || r.Reason != jobcenter.ReasonStop || !waited {
		l.fail(j.ID, r, h, "stopped in the queue, and nobody asked for it")
	}
}

// lost: its holder died, or was without a lease, and the job does not ask for
// another attempt.
func (l *ledger) lost(j *tortureJob, r *jobcenter.Run, h *history, last *attemptHistory) {
	if r.Reason != jobcenter.ReasonNodeDied || r.Attempt < 1 || len(r.Result) > 0 || r.ExitCode != nil {
		l.fail(j.ID, r, h, "not what a lost run is like")
	}
	if last.claim != nil && last.claim.process.node != r.Node {
		l.fail(j.ID, r, h, "the attempt was given to node %s", last.claim.process.node)
	}
	if j.RequestsRecovery && r.Attempt < max(jobcenter.MaxRecoveries, j.Retry.Attempts) && l.operator.asked[r.ID] == 0 {
		l.fail(j.ID, r, h, "lost, though the job asks for another attempt")
	}
	l.justified(j, r, h, r.Attempt, r.EndedAt.UnixMicro())
}

// skips: what was skipped was so for the reason that it says.
func (l *ledger) skips(j *tortureJob, rows []*jobcenter.Run, histories map[int64]*history) {
	for i, r := range rows {
		if r.State != jobcenter.RunSkipped {
			continue
		}
		ok := false
		switch r.Reason {
		case jobcenter.ReasonOverlap:
			ok = l.goingAt(rows, histories, r) >= j.MaxInstances
		case jobcenter.ReasonCoalesced:
			// The one that it was rolled into lies beside it.
			step := 1
			if j.Coalesce == jobcenter.CoalesceEarliest {
				step = -1
			}
			beside := i + step
			for beside >= 0 && beside < len(rows) && rows[beside].Origin != jobcenter.OriginSchedule {
				beside += step
			}
			ok = j.Coalesce != jobcenter.CoalesceAll && beside >= 0 && beside < len(rows) && rows[beside].State != jobcenter.RunSkipped
		case jobcenter.ReasonPaused:
			ok = slices.ContainsFunc(l.operator.pauses[j.number], func(p *pause) bool {
				return p.from <= r.FireTime.UnixMicro() && r.LastFireTime.UnixMicro() <= p.toDone
			})
		default:
		}
		if !ok {
			l.fail(j.ID, r, nil, "skipped, and what happened does not show that reason")
		}
	}
	// What fell due while the job was surely paused was not run.
	for _, p := range l.operator.pauses[j.number] {
		for _, r := range rows {
			fire := r.FireTime.UnixMicro()
			if p.fromDone != 0 && r.Origin == jobcenter.OriginSchedule && fire > p.fromDone && fire < p.to && r.Reason != jobcenter.ReasonPaused {
				l.fail(j.ID, r, histories[fire], "fell due while the job was paused, from %s to %s", instant(p.fromDone), instant(p.to))
			}
		}
	}
}

// goingAt counts the runs of the job that may have been queued or running when
// it was decided that another one is skipped.
func (l *ledger) goingAt(rows []*jobcenter.Run, histories map[int64]*history, skipped *jobcenter.Run) int {
	at := skipped.EndedAt.UnixMicro()
	n := 0
	for _, r := range rows {
		// The instant is that before the transaction, which may have had to
		// wait while a run was started by hand.
		wait := time.Duration(0)
		if r.Origin != jobcenter.OriginSchedule {
			wait = 30 * time.Second
		}
		if r == skipped || r.State == jobcenter.RunSkipped || r.State == jobcenter.RunMissed && r.EndedAt.UnixMicro() < at || r.FireTime.UnixMicro() > at+wait.Microseconds() {
			continue
		}
		if l.closedBy(r, histories[r.FireTime.UnixMicro()]) >= at {
			n++
		}
	}
	return n
}

// closedBy is when the store had the end of a run, at the latest.
func (l *ledger) closedBy(r *jobcenter.Run, h *history) int64 {
	first := int64(never)
	if r.Attempt > 0 && h != nil && r.Attempt <= len(h.attempts) {
		for _, e := range h.attempts[r.Attempt-1].records {
			if e.word == string(r.State) {
				first = min(first, e.at)
			}
		}
	}
	return first
}

// atOnce: of the runs of a job, and of a limit, no more were at work at once
// than is allowed. What a scheduler went on doing after its claim was lost does
// not count: the store has given the run to another one then, or has ended it,
// and the task is told so (jobcenter.ErrLostRun) as soon as its scheduler can
// ask.
func (l *ledger) atOnce(j *tortureJob, rows []*jobcenter.Run, histories map[int64]*history) {
	var spans []span
	key := l.limits[j.Limit.Key]
	if key == nil {
		key = &limited{limit: j.Limit}
		l.limits[j.Limit.Key] = key
	}
	for _, r := range rows {
		h := histories[r.FireTime.UnixMicro()]
		if h == nil {
			continue
		}
		for i := range h.attempts {
			a := &h.attempts[i]
			if a.claim != nil && j.Limit.Key != "" {
				key.starts = append(key.starts, a.claim.a)
			}
			if a.begin != nil {
				spans = append(spans, span{a.begin.at, l.heldUntil(r, h, i+1)})
			}
		}
	}
	if most := j.MaxInstances; maxAtOnce(spans) > most {
		l.fail(j.ID, nil, nil, "%d runs were at work at once, allowed are %d", maxAtOnce(spans), most)
	}
	if j.Limit.Key != "" {
		key.spans = append(key.spans, spans...)
	}
}

// heldUntil is until when an attempt was at work and held, at least.
func (l *ledger) heldUntil(r *jobcenter.Run, h *history, n int) int64 {
	a := &h.attempts[n-1]
	until := int64(never)
	if a.end != nil {
		until = a.end.at
	} else if p := a.begin.process; p.ended != 0 {
		until = p.ended
	}
	if n == r.Attempt {
		if r.State == jobcenter.RunLost {
			until = min(until, r.EndedAt.UnixMicro())
		}
		return until
	}
	if n < len(h.attempts) && h.attempts[n].claim != nil {
		if next := h.attempts[n].claim; next.word == string(jobcenter.ReasonNodeDied) {
			until = min(until, next.b)
		}
		return until
	}
	if _, others := a.held(); others != nil { // nobody says when it was found lost
		until = min(until, others.a)
	}
	return until
}

// maxAtOnce is how many of the spans overlap at most.
func maxAtOnce(spans []span) int {
	type change struct {
		at int64
		by int
	}
	var changes []change
	for _, s := range spans {
		if s.to > s.from {
			changes = append(changes, change{s.from, 1}, change{s.to, -1})
		}
	}
	slices.SortFunc(changes, func(a, b change) int { return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.by, b.by)) })
	most, n := 0, 0
	for _, c := range changes {
		n += c.by
		most = max(most, n)
	}
	return most
}

func (l *ledger) limit(key string, k *limited) {
	if most := k.limit.Running; most > 0 && maxAtOnce(k.spans) > most {
		l.fail("limit "+key, nil, nil, "%d runs were at work at once, allowed are %d", maxAtOnce(k.spans), most)
	}
	if k.limit.Rate == 0 {
		return
	}
	slices.Sort(k.starts)
	for i := k.limit.Rate; i < len(k.starts); i++ {
		if d := time.Duration(k.starts[i]-k.starts[i-k.limit.Rate]) * time.Microsecond; d < k.limit.Per {
			l.fail("limit "+key, nil, nil, "%d starts within %s up to %s, allowed are %d in %s", k.limit.Rate+1, d, instant(k.starts[i]), k.limit.Rate, k.limit.Per)
		}
	}
}

// carried: each run of a counter that ended had the count that the one before
// it left, and the job has the last.
func (l *ledger) carried(j *tortureJob, stored *jobcenter.Job, rows []*jobcenter.Run, histories map[int64]*history) {
	var ended []*jobcenter.Run
	for _, r := range rows {
		// One without a node was stopped while it waited for another attempt:
		// what the last one left was not recorded.
		if r.State.Final() && r.State != jobcenter.RunLost && r.Attempt > 0 && r.Node != "" {
			ended = append(ended, r)
		}
	}
	slices.SortFunc(ended, func(a, b *jobcenter.Run) int { return a.EndedAt.Compare(b.EndedAt) })
	var count int64
	var last string
	for _, r := range ended {
		h := histories[r.FireTime.UnixMicro()]
		if h == nil || len(h.attempts) < r.Attempt {
			continue
		}
		a := &h.attempts[r.Attempt-1]
		if a.begin == nil || a.end == nil {
			continue
		}
		if r.State == jobcenter.RunSucceeded {
			last = string(r.Result)
		}
		if a.end.a < 0 {
			continue
		}
		if a.begin.a != count || a.end.a != count+1 {
			l.fail(j.ID, r, h, "the run began with the count %d, and the runs before it left %d", a.begin.a, count)
		}
		count = a.end.a
	}
	carried := int64(0)
	if len(stored.Carried) > 0 {
		if err := json.Unmarshal(stored.Carried, &carried); err != nil {
			l.fail(j.ID, nil, nil, "the job carries %s: %v", stored.Carried, err)
		}
	}
	if carried != count {
		l.fail(j.ID, nil, nil, "the job carries %d, its runs left %d", carried, count)
	}
	if j.MaxInstances == 1 && string(stored.LastResult) != last {
		l.fail(j.ID, nil, nil, "the job's last result is %s, that of its last run %s", stored.LastResult, last)
	}
}

// output: what the store has of each attempt is what it wrote, whole if its
// end was recorded, and else from the beginning on.
func (l *ledger) output(ctx context.Context, j *tortureJob, r *jobcenter.Run, h *history, whole bool) {
	if r.OutputSize == 0 && r.OutputKept == 0 && j.kind.name != "output" && j.kind.name != "recovered output" {
		return
	}
	if r.Attempt == 0 {
		return
	}
	type key struct {
		attempt int
		stream  jobcenter.Stream
	}
	got := map[key][]byte{}
	var size int64
	for {
		chunks, err := l.store.Output(ctx, r.ID, size, 1<<20)
		if err != nil {
			l.t.Fatal(err)
		}
		if len(chunks) == 0 {
			break
		}
		for _, c := range chunks {
			if c.Offset != size {
				l.fail(j.ID, r, h, "the output has a chunk at %d where %d comes next", c.Offset, size)
				size = c.Offset
			}
			size += int64(len(c.Data))
			got[key{c.Attempt, c.Stream}] = append(got[key{c.Attempt, c.Stream}], c.Data...)
		}
	}
	l.bytes += size
	if r.OutputSize != size || r.OutputKept != size {
		l.fail(j.ID, r, h, "the row says %d bytes of output, %d of them kept, and the store has %d", r.OutputSize, r.OutputKept, size)
	}
	for n := 1; n <= r.Attempt; n++ {
		want := map[jobcenter.Stream][]byte{}
		if n <= len(h.attempts) && h.attempts[n-1].begin != nil {
			for _, p := range pieces(j.number, r.FireTime, n) {
				want[p.stream] = append(want[p.stream], p.text...)
			}
		}
		done := whole && n == r.Attempt && r.State != jobcenter.RunStopped
		for _, stream := range []jobcenter.Stream{jobcenter.Stdout, jobcenter.Stderr} {
			text := got[key{n, stream}]
			delete(got, key{n, stream})
			if done && !bytes.Equal(text, want[stream]) || !done && !bytes.HasPrefix(want[stream], text) {
				l.fail(j.ID, r, h, "attempt %d wrote other output to %s than the store has: %d bytes, there are %d", n, stream, len(want[stream]), len(text))
			}
		}
	}
	if len(got) > 0 {
		l.fail(j.ID, r, h, "the output of attempts that the row knows nothing of")
	}
}
