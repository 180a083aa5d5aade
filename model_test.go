package jobcenter_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/jobcenter-go/jobcenter"
	"github.com/jobcenter-go/jobcenter/trigger"
)

var (
	modelFull  = flag.Bool("model.full", false, "TestModel goes on until a million fire times")                            //nolint:gochecknoglobals // flags are
	modelTrace = flag.Bool("model.trace", false, "TestModel shows what happened before a difference, also the first time") //nolint:gochecknoglobals // flags are
)

// What one scenario is made of. All lengths of time are chosen by its unit.
type scenario struct {
	unit   time.Duration
	length time.Duration
	nodes  []nodeSpec
	jobs   []jobSpec
	ops    []operation
}

type nodeSpec struct {
	places      map[string]int // by executor
	poll, lease time.Duration
	tasks       []string
}

type jobSpec struct {
	id    string
	seed  uint64
	plan  planSpec
	rules jobcenter.Job
	// How long attempts take, and how many of a hundred take long, fail, or are vetoed.
	shortest, longest            time.Duration
	longPart, failPart, vetoPart int
}

// job is the job as a program declares it; the trigger comes with the call.
func (s *jobSpec) job() jobcenter.Job {
	j := s.rules
	j.ID = s.id
	return j
}

// setRules gives a job the rules of another one.
func setRules(to *jobcenter.Job, from *jobcenter.Job) {
	to.Task, to.Executor, to.Priority, to.MisfireGrace = from.Task, from.Executor, from.Priority, from.MisfireGrace
	to.Coalesce, to.CatchUp, to.Overlap, to.MaxInstances = from.Coalesce, from.CatchUp, from.Overlap, from.MaxInstances
	to.Limit, to.Timeout, to.Retry, to.RequestsRecovery = from.Limit, from.Timeout, from.Retry, from.RequestsRecovery
}

type opKind string

const (
	opAdd      opKind = "add"
	opEnsure   opKind = "ensure"
	opModify   opKind = "modify"
	opPause    opKind = "pause"
	opResume   opKind = "resume"
	opSkip     opKind = "skip next"
	opUnskip   opKind = "unskip"
	opRunNow   opKind = "run now"
	opBackfill opKind = "backfill"
	opStopRun  opKind = "stop a run"
	opRemove   opKind = "remove"
	opStandby  opKind = "standby"
	opActive   opKind = "end of standby"
	opShutdown opKind = "shutdown"
	opStart    opKind = "start"
	opDown     opKind = "store down"
	opUp       opKind = "store up"
	opMute     opKind = "store mute"
	opHeard    opKind = "store heard"
	opCrash    opKind = "crash"
	opReplace  opKind = "replace"
)

// operation is something that somebody does at an instant of a scenario.
type operation struct {
	after time.Duration // the beginning
	kind  opKind
	node  int      // through which scheduler, or to which
	job   string   // which job
	spec  *jobSpec // for add, ensure, and a modify that changes the rules named:
	rules []string // "trigger" or one of those of rulesDiff

	until, from, to time.Time
	series          string
	pace            time.Duration
	actor, args     string
	pick            int // which of the runs that go on
	patience        time.Duration
	all             bool // for all schedulers
	renamed         bool // the replacement has another name
}

func (o *operation) String() string {
	var b strings.Builder
	_, _ = fmt.Fprintf(&b, "%s: %s", o.after, o.kind)
	if o.job != "" {
		b.WriteString(" " + o.job)
	}
	_, _ = fmt.Fprintf(&b, " [%d]", o.node)
	if o.all {
		b.WriteString(" all")
	}
	if len(o.rules) > 0 {
		_, _ = fmt.Fprintf(&b, " %v", o.rules)
	}
	if !o.until.IsZero() {
		_, _ = fmt.Fprintf(&b, " until %s", o.until.Sub(begun()))
	}
	if o.series != "" {
		_, _ = fmt.Fprintf(&b, " %s..%s %s pace %s", o.from.Sub(begun()), o.to.Sub(begun()), o.series, o.pace)
	}
	if o.patience > 0 {
		_, _ = fmt.Fprintf(&b, " patience %s", o.patience)
	}
	if o.kind == opStopRun {
		_, _ = fmt.Fprintf(&b, " number %d", o.pick)
	}
	if o.renamed {
		b.WriteString(" renamed")
	}
	if o.spec != nil {
		b.WriteString(" " + o.spec.String())
	}
	return b.String()
}

func (s *jobSpec) String() string {
	r := &s.rules
	text := fmt.Sprintf("%s {%s; task %s on %s, priority %d, grace %s, coalesce %s %+v, overlap %s ×%d", s.id, s.plan.text, r.Task, r.Executor,
		r.Priority, r.MisfireGrace, r.Coalesce, r.CatchUp, r.Overlap, r.MaxInstances)
	if r.Limit.Key != "" {
		text += fmt.Sprintf(", limit %+v", r.Limit)
	}
	if r.Timeout > 0 {
		text += fmt.Sprintf(", timeout %s", r.Timeout)
	}
	if r.Retry.Attempts > 0 {
		text += fmt.Sprintf(", retry %+v", r.Retry)
	}
	if r.RequestsRecovery {
		text += ", recovery"
	}
	return text + fmt.Sprintf("; %s or %s in %d%%, fails %d%%, vetoed %d%%, seed %d}", s.shortest, s.longest, s.longPart, s.failPart, s.vetoPart, s.seed)
}

func (s *scenario) String() string {
	var b strings.Builder
	_, _ = fmt.Fprintf(&b, "%s in units of %s\n", s.length, s.unit)
	for i, n := range s.nodes {
		_, _ = fmt.Fprintf(&b, "scheduler %d: places %v, poll %s, lease %s, tasks %v\n", i, n.places, n.poll, n.lease, n.tasks)
	}
	for i := range s.ops {
		b.WriteString(s.ops[i].String() + "\n")
	}
	return b.String()
}

// draw is a scenario by chance.
type draw struct {
	t *rapid.T
	s *scenario
}

func pick[T any](d *draw, what string, from ...T) T {
	return from[rapid.IntRange(0, len(from)-1).Draw(d.t, what)]
}

func (d *draw) odds(what string, percent int) bool {
	return rapid.IntRange(0, 99).Draw(d.t, what) >= 100-percent
}

func (d *draw) span(what string, units ...float64) time.Duration {
	return time.Duration(pick(d, what, units...) * float64(d.s.unit)).Round(time.Millisecond)
}

func drawScenario(t *rapid.T) *scenario {
	d := &draw{t, &scenario{}}
	s := d.s
	s.unit = pick(d, "unit", time.Second, time.Minute, 10*time.Second, time.Hour, 10*time.Minute)
	s.length = time.Duration(rapid.IntRange(40, 250).Draw(t, "length")) * s.unit
	for i := range pick(d, "schedulers", 1, 1, 2, 3) {
		s.nodes = append(s.nodes, d.node(i))
	}
	for i := range pick(d, "jobs", 4, 1, 2, 3, 5, 6, 7, 8) {
		s.jobs = append(s.jobs, d.job(fmt.Sprint("j", i)))
	}
	for i := range s.nodes {
		s.ops = append(s.ops, operation{kind: opStart, node: i})
	}
	for i := range s.jobs {
		op := operation{kind: opAdd, node: d.any(), job: s.jobs[i].id, spec: &s.jobs[i]}
		if d.odds("added later", 30) {
			op.after = d.instant()
		}
		s.ops = append(s.ops, op)
	}
	for range rapid.IntRange(0, 25).Draw(t, "operations") {
		d.operation()
	}
	slices.SortStableFunc(s.ops, func(a, b operation) int { return int(a.after - b.after) })
	return s
}

func (d *draw) any() int { return rapid.IntRange(0, len(d.s.nodes)-1).Draw(d.t, "scheduler") }

// instant is some time in the scenario, now and then that of a fire.
func (d *draw) instant() time.Duration {
	units := rapid.IntRange(1, int(d.s.length/d.s.unit)-1).Draw(d.t, "at")
	at := time.Duration(units) * d.s.unit
	if d.odds("in between", 75) {
		at += time.Duration(rapid.IntRange(1, int(d.s.unit/time.Microsecond)-1).Draw(d.t, "microsecond")) * time.Microsecond
	}
	return at
}

func (d *draw) node(i int) nodeSpec {
	n := nodeSpec{tasks: []string{"work", "other"}, places: map[string]int{
		jobcenter.DefaultExecutor: pick(d, "places", 20, 3, 1, 2, 5),
	}}
	if i == 0 || d.odds("has both executors", 80) {
		n.places["small"] = pick(d, "small places", 1, 2)
	}
	if i > 0 && d.odds("has one task", 15) {
		n.tasks = n.tasks[:1]
	}
	n.poll = max(d.span("poll", 1, 2, 0.5, 1, 0.25), 100*time.Millisecond)
	n.lease = max(d.span("lease", 6, 3, 21), 3*time.Second)
	return n
}

func (d *draw) job(id string) jobSpec {
	s := jobSpec{id: id, seed: rapid.Uint64Range(0, 1<<32).Draw(d.t, "seed"), plan: d.plan()}
	s.rules = jobcenter.Job{
		Task: pick(d, "task", "work", "work", "work", "other"), Executor: pick(d, "executor", jobcenter.DefaultExecutor, jobcenter.DefaultExecutor, "small"),
		Priority:     pick(d, "priority", 0, 0, 0, 5, -3),
		Coalesce:     pick(d, "coalesce", jobcenter.CoalesceLatest, jobcenter.CoalesceEarliest, jobcenter.CoalesceAll),
		Overlap:      pick(d, "overlap", jobcenter.OverlapSkip, jobcenter.OverlapQueueOne, jobcenter.OverlapQueueAll, jobcenter.OverlapCancel),
		MaxInstances: pick(d, "max instances", 1, 1, 1, 2, 3), RequestsRecovery: d.odds("requests recovery", 40),
	}
	r := &s.rules
	r.MisfireGrace = d.grace(&s.plan)
	if d.odds("bounds of catch-up", 50) {
		r.CatchUp = jobcenter.CatchUp{Max: pick(d, "catch-up", 0, 1, 3, 10), MaxAge: d.span("oldest", 0, 5, 20), Pace: d.span("pace", 0, 0.2, 2)}
	}
	if d.odds("limit", 25) {
		r.Limit = d.limit()
	} else {
		s.vetoPart = pick(d, "vetoed", 0, 0, 10)
	}
	r.Timeout = d.span("timeout", 0, 0, 0.25, 1, 2.5)
	if d.odds("retries", 40) {
		r.Retry = d.retry()
	}
	s.shortest = max(d.span("shortest", 0.001, 0.05, 0.5), time.Millisecond)
	s.longest = d.span("longest", 0.7, 1.5, 5)
	s.longPart = pick(d, "long ones", 0, 5, 40)
	s.failPart = pick(d, "failures", 0, 10, 60)
	return s
}

func (d *draw) grace(p *planSpec) time.Duration {
	if p.grace > 0 && d.odds("usual grace", 30) {
		return 0
	}
	return max(d.span("grace", 3, 0.5, 10, 1, -1), jobcenter.NeverTooLate)
}

func (d *draw) limit() jobcenter.Limit {
	l := jobcenter.Limit{Key: pick(d, "key", "a", "b"), Running: pick(d, "running", 1, 2, 3, 0)}
	if l.Running == 0 || d.odds("rate", 40) {
		l.Rate, l.Per = pick(d, "rate", 1, 2, 4), d.span("per", 1, 3, 10)
	}
	return l
}

func (d *draw) retry() jobcenter.Retry {
	r := jobcenter.Retry{Attempts: pick(d, "attempts", 2, 3, 4), Delay: d.span("delay", 0.1, 1, 0, 3), Factor: pick(d, "factor", 0, 1, 1.5)}
	if r.Delay > 0 {
		r.MaxDelay = d.span("longest delay", 4, 12)
	}
	if d.odds("jitter", 30) {
		r.Jitter = pick(d, "jitter", 0.5, 1)
	}
	if d.odds("some reasons", 30) {
		r.On = pick(d, "on", []jobcenter.Reason{jobcenter.ReasonError}, []jobcenter.Reason{jobcenter.ReasonExitCode, jobcenter.ReasonTimeout},
			[]jobcenter.Reason{jobcenter.ReasonPanic, jobcenter.ReasonSignal, jobcenter.ReasonStartFailed})
	}
	if d.odds("some codes", 30) {
		r.ExitCodes = []int{3}
	}
	return r
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// plan is a trigger.
func (d *draw) plan() planSpec {
	unit := d.s.unit
	switch kind := pick(d, "trigger", "interval", "interval", "floating", "crontab", "calendar", "dates", "limit", "crontab", "jitter", "at start"); kind {
	case "at start":
		return planSpec{text: "@reboot", trig: must(trigger.NewCrontab("@reboot", trigger.Options{})), atStart: true}
	case "floating":
		// Other distances than those below: one that is the same keeps its phase.
		every := d.span("every", 1.25, 1.1, 4.5)
		return planSpec{text: "every " + every.String(), every: every, grace: usualGrace(every)}
	case "crontab":
		text, opts := d.crontab(), trigger.Options{Zone: pick(d, "zone", time.UTC, must(time.LoadLocation("Europe/Berlin")))}
		p := planSpec{text: fmt.Sprint(text, " in ", opts.Zone)}
		if strings.Contains(text, "?") {
			p.trig = must(trigger.NewQuartz(text, opts))
		} else {
			p.trig = must(trigger.NewCrontab(text, opts))
		}
		if d.odds("closed now and then", 20) {
			p.plain, p.calendar = p.trig, d.calendar(&p)
			p.trig = must(trigger.Modify(p.trig, trigger.Modifiers{Calendar: p.calendar}))
		}
		return p
	case "dates":
		var dates []time.Time
		for range pick(d, "how many dates", 1, 2, 5) {
			dates = append(dates, begun().Add(d.instant()))
		}
		slices.SortFunc(dates, time.Time.Compare)
		dates = slices.CompactFunc(dates, time.Time.Equal)
		if len(dates) == 1 {
			return planSpec{text: "at " + dates[0].Sub(begun()).String(), trig: must(trigger.NewDate(dates[0]))}
		}
		return planSpec{text: fmt.Sprint("at ", dates), trig: must(trigger.NewDates(dates, trigger.Options{}))}
	default:
		every := d.span("every", 1, 2, 0.5, 3, 7)
		first := begun().Add(time.Duration(rapid.IntRange(0, 20).Draw(d.t, "first")) * unit)
		if d.odds("odd phase", 30) {
			first = first.Add(time.Duration(rapid.IntRange(1, 999_999).Draw(d.t, "phase")) * time.Microsecond)
		}
		opts := trigger.Options{Start: first}
		p := planSpec{text: fmt.Sprintf("every %s from %s", every, first.Sub(begun())), grace: usualGrace(every)}
		if d.odds("ends", 15) {
			opts.End = first.Add(time.Duration(rapid.IntRange(1, 100).Draw(d.t, "last")) * unit)
			p.text += " to " + opts.End.Sub(begun()).String()
			p.grace = 0
		}
		p.trig = must(trigger.NewInterval(every, opts))
		switch kind {
		case "calendar":
			p.plain, p.calendar, p.grace = p.trig, d.calendar(&p), 0
			p.trig = must(trigger.Modify(p.trig, trigger.Modifiers{Calendar: p.calendar}))
		case "limit":
			limit := rapid.IntRange(1, 60).Draw(d.t, "limit")
			p.text, p.grace = fmt.Sprintf("%s, %d times", p.text, limit), 0
			p.trig = must(trigger.Modify(p.trig, trigger.Modifiers{Limit: limit}))
		case "jitter":
			jitter := d.span("jitter", 0.2, 0.5, 3)
			p.text, p.grace = fmt.Sprintf("%s, up to %s later", p.text, jitter), 0
			p.trig = must(trigger.Modify(p.trig, trigger.Modifiers{Jitter: jitter}))
		}
		return p
	}
}

// usualGrace is the misfire grace of a job that has none of its own.
func usualGrace(every time.Duration) time.Duration {
	if every < time.Hour {
		return time.Minute
	}
	return time.Hour
}

func (d *draw) crontab() string {
	switch d.s.unit {
	case time.Second:
		return pick(d, "quartz", "* * * * * ?", "*/5 * * * * ?", "3,17,40 * * * * ?", "* * * * *")
	case 10 * time.Second:
		return pick(d, "quartz", "*/10 * * * * ?", "0,20,30 * * * * ?", "* * * * *")
	case time.Minute:
		return pick(d, "crontab", "* * * * *", "*/3 * * * *", "2,5,40 * * * *", "H/4 * * * *")
	case 10 * time.Minute:
		return pick(d, "crontab", "*/10 * * * *", "*/20 * * * *", "7 */2 * * *", "H/20 * * * *")
	default:
		return pick(d, "crontab", "0 * * * *", "30 */2 * * *", "15 3,9,21 * * *", "0 8 * * mon-fri", "H * * * *")
	}
}

func (d *draw) calendar(p *planSpec) *trigger.Calendar {
	var set trigger.CalendarSet
	var name string
	switch d.s.unit {
	case time.Second:
		name = pick(d, "closed", "20-39 * * * * ?", "* */2 * * * ?")
		set = trigger.CronTimes(name)
	case 10 * time.Second, time.Minute:
		name = pick(d, "closed", "* 3-9 * * * ?", "* 0-29/2 * * * ?")
		set = trigger.CronTimes(name)
	default:
		name = "02:00-07:00"
		if set = trigger.DailyTime(2*time.Hour, 7*time.Hour); d.odds("weekends", 50) {
			name, set = "weekends", trigger.Weekly(time.Saturday, time.Sunday)
		}
	}
	p.text += " but " + name
	return must(trigger.NewCalendar([]trigger.Layer{trigger.Exclude(set)}, trigger.CalendarOptions{}))
}

// operation adds something that happens.
func (d *draw) operation() {
	s := d.s
	op := operation{after: d.instant(), node: d.any(), job: pick(d, "job", s.jobs...).id}
	add := func(kind opKind) {
		op.kind = kind
		s.ops = append(s.ops, op)
	}
	// back adds the end of something that lasts.
	back := func(kind opKind, what string, units ...float64) {
		op.after += d.span(what, units...) + time.Duration(rapid.IntRange(0, 999).Draw(d.t, "more"))*time.Microsecond
		add(kind)
	}
	switch kind := pick(d, "operation", opModify, opPause, opRunNow, opSkip, opStopRun, opBackfill, opEnsure, opShutdown, opStandby, opDown, opCrash, opRemove, opUnskip, opResume, opMute); kind {
	case opModify:
		spec := d.job(op.job)
		op.spec = &spec
		op.rules = []string{pick(d, "changed", "trigger", "priority", "executor", "misfire_grace", "coalesce", "overlap", "max_instances", "limit", "timeout", "retry")}
		if op.rules[0] == "trigger" {
			op.rules = append(op.rules, "misfire_grace")
		} else if spec.rules.MisfireGrace == 0 {
			spec.rules.MisfireGrace = s.unit
		}
		add(kind)
	case opEnsure:
		spec := d.job(op.job)
		if d.odds("the same again", 40) {
			spec = s.jobs[slices.IndexFunc(s.jobs, func(j jobSpec) bool { return j.id == op.job })]
		}
		op.spec = &spec
		add(kind)
	case opPause:
		if d.odds("for a while", 50) {
			op.until = begun().Add(op.after + d.span("pause", 10, 1, 0.3, 40) + time.Duration(rapid.IntRange(0, 1).Draw(d.t, "more"))*time.Microsecond)
			add(kind)
			return
		}
		add(kind)
		op.node, op.until = d.any(), time.Time{}
		back(opResume, "pause", 10, 1, 0.3, 40)
	case opRunNow:
		op.actor = pick(d, "actor", "li", "")
		op.args = pick(d, "args", "", `{"by":"hand"}`)
		add(kind)
	case opBackfill:
		op.to = begun().Add(op.after - d.span("before now", 0, 3))
		op.from = op.to.Add(-time.Duration(rapid.IntRange(1, 30).Draw(d.t, "units")) * s.unit)
		op.series = fmt.Sprint("again", rapid.IntRange(1, 3).Draw(d.t, "series"))
		op.pace = d.span("pace", 0, 0.5)
		add(kind)
	case opStopRun:
		op.job = ""
		op.pick, op.actor = rapid.IntRange(0, 5).Draw(d.t, "which"), pick(d, "actor", "li", "")
		add(kind)
	case opShutdown:
		op.job = ""
		op.patience = d.span("patience", 1, 0, 10)
		add(kind)
		op.patience = 0
		back(opStart, "downtime", 3, 0.2, 30, 300)
	case opStandby:
		op.job = ""
		add(kind)
		back(opActive, "standby", 3, 0.2, 20)
	case opDown:
		op.job = ""
		op.all = d.odds("for all", 40)
		add(kind)
		back(opUp, "outage", 0.5, 3, 8)
	case opMute:
		op.job = ""
		add(kind)
		back(opHeard, "trouble", 0.5, 3)
	case opCrash:
		op.job = ""
		add(kind)
		op.renamed = d.odds("another name", 50)
		back(opReplace, "until replaced", 0.5, 0, 3, 30)
	case opRemove:
		add(kind)
		spec := d.job(op.job)
		op.spec = &spec
		back(opAdd, "until added again", 0, 3, 20)
	default:
		add(kind)
	}
}

// TestModel has schedulers live through scenarios by chance, and compares what
// becomes of them with the model, row by row and event by event.
//
// Goroutines decide some of what happens, so that a difference may not show
// again with the same seed: then run it more often, with -model.trace.
func TestModel(t *testing.T) {
	t.Parallel()
	goal := int64(100_000)
	switch {
	case *modelFull:
		goal = 1_000_000
	case raceDetector:
		goal = 10_000
	}
	var (
		fires, rows, starts, scenarios atomic.Int64
		failed                         atomic.Bool
	)
	t.Cleanup(func() {
		t.Logf("%d scenarios: %d fire times in %d rows, %d attempts", scenarios.Load(), fires.Load(), rows.Load(), starts.Load())
		// What only falls into spans that did not run would be cheap.
		if !failed.Load() && (fires.Load() < goal || starts.Load() < goal/3) {
			t.Errorf("only %d fire times and %d attempts, want %d and %d", fires.Load(), starts.Load(), goal, goal/3)
		}
	})
	check := func(t *testing.T, rt *rapid.T) {
		t.Helper()
		if fires.Load() >= goal && !failed.Load() {
			return
		}
		s := drawScenario(rt)
		m := playScenario(t, s, *modelTrace || failed.Load())
		if len(m.problems) > 0 {
			failed.Store(true)
			rt.Fatalf("%s\nin the scenario\n%s\nafter\n%s", strings.Join(m.problems, "\n"), s, strings.Join(m.trace, "\n"))
		}
		scenarios.Add(1)
		fires.Add(m.count.fires)
		rows.Add(m.count.rows)
		starts.Add(m.count.starts)
	}
	for worker := range runtime.GOMAXPROCS(0) {
		t.Run(fmt.Sprint(worker), func(t *testing.T) {
			t.Parallel()
			for checks := 0; fires.Load() < goal && checks < 1000 && !failed.Load(); checks++ {
				rapid.Check(t, func(rt *rapid.T) { check(t, rt) })
			}
		})
	}
}

// playScenario lets a scenario happen in a bubble of its own.
func playScenario(t *testing.T, s *scenario, trace bool) (m *model) {
	t.Helper()
	synctest.Test(t, func(*testing.T) {
		w := newWorld(s)
		w.m.tracing = trace
		w.play(s)
		m = w.m
	})
	return m
}

func newWorld(s *scenario) *world {
	w := &world{store: jobcenter.NewMemoryStore(1 << 30), jobs: s.jobs}
	w.m = newModel(w.store)
	w.m.now = micros(time.Now())
	for i := range s.nodes {
		w.places = append(w.places, w.newNode(fmt.Sprintf("n%d", i), s.nodes[i]))
	}
	return w
}

func newModel(store *jobcenter.MemoryStore) *model {
	return &model{
		store:     store,
		storedJob: func(id string) (jobcenter.Job, error) { return store.Job(context.Background(), id) },
		storedRun: func(id string) (jobcenter.Run, error) { return store.Run(context.Background(), id) },
		jobs:      map[string]*modelJob{}, ledger: map[modelKey]*modelRun{}, runs: map[string]*modelRun{}, byKey: map[string][]*modelRun{},
		leases: map[string]time.Time{}, freed: map[string]freedBy{}, atStarts: map[string]bool{},
	}
}

func (w *world) newNode(name string, spec nodeSpec) *modelNode {
	n := &modelNode{
		world: w, spec: spec, name: name, pools: map[string]*spyPool{}, execs: map[execKey]*modelExec{}, left: map[execKey]*modelExec{}, taken: map[string]int64{}, judged: map[string]judged{}, started: map[string]bool{},
	}
	opts := jobcenter.Options{
		Store: &spy{w.store, n}, Node: name, PollInterval: spec.poll, Lease: spec.lease,
		Tasks: map[string]jobcenter.Task{}, Executors: map[string]jobcenter.Executor{},
	}
	for executor, size := range spec.places {
		n.pools[executor] = &spyPool{n: n, size: size}
		opts.Executors[executor] = n.pools[executor]
	}
	for _, task := range spec.tasks {
		opts.Tasks[task] = n.work()
	}
	n.sched = must(jobcenter.New(opts))
	n.sched.BeforeRun(jobcenter.EventFilter{}, n.veto)
	n.unsubscribe = n.sched.Subscribe(jobcenter.EventFilter{}, n.hear)
	w.m.nodes = append(w.m.nodes, n)
	return n
}

// specOf is what the runs of a job do.
func (w *world) specOf(id string) *jobSpec {
	return &w.jobs[slices.IndexFunc(w.jobs, func(s jobSpec) bool { return s.id == id })]
}

// play lets a scenario happen, then everything come to rest, and looks at what
// is left.
func (w *world) play(s *scenario) {
	for i := range s.ops {
		op := &s.ops[i]
		time.Sleep(time.Until(begun().Add(op.after)))
		w.do(op)
		w.mu.Lock()
		w.m.note("%s", op)
		wrong := len(w.m.problems) > 0
		w.mu.Unlock()
		if wrong {
			break
		}
	}
	w.rest(s)
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.m.problems) == 0 {
		w.check()
	}
}

// rest brings all schedulers back, pauses all jobs, and waits until nothing
// goes on.
func (w *world) rest(s *scenario) {
	for i := range w.places {
		for _, kind := range []opKind{opUp, opHeard, opActive, opReplace} {
			w.do(&operation{kind: kind, node: i})
		}
	}
	w.shut.Wait()
	for i := range w.places {
		w.do(&operation{kind: opStart, node: i})
	}
	time.Sleep(2 * patience)
	for i := range s.jobs {
		w.do(&operation{kind: opPause, node: 0, job: s.jobs[i].id})
		// So that what waits for a limit comes to an end.
		w.do(&operation{kind: opModify, node: 0, job: s.jobs[i].id, spec: &jobSpec{}, rules: []string{"limit"}})
	}
	for wait, waited := s.unit, time.Duration(0); ; wait *= 2 {
		synctest.Wait()
		w.mu.Lock()
		busy, wrong := len(w.m.active), len(w.m.problems) > 0
		if busy > 0 && waited > 20_000*s.unit {
			w.m.problem("%d runs still go on, the first is %s", busy, rowText(&w.m.active[0].Run))
			wrong = true
		}
		w.mu.Unlock()
		if busy == 0 || wrong {
			break
		}
		time.Sleep(wait)
		waited += wait
	}
	// What no longer matters ends as it will.
	w.mu.Lock()
	w.m.over = w.m.over || len(w.m.problems) > 0
	w.mu.Unlock()
	for _, n := range w.m.nodes {
		w.shut.Go(func() { w.shutdown(n, time.Minute) })
	}
	w.shut.Wait()
	time.Sleep(10 * s.unit) // for tasks that do not listen
	synctest.Wait()
	for _, n := range w.m.nodes {
		n.unsubscribe()
	}
}

// do carries out one operation.
func (w *world) do(op *operation) {
	n := w.places[op.node]
	switch op.kind {
	case opStart, opShutdown, opStandby, opActive, opDown, opUp, opMute, opHeard, opCrash, opReplace:
		w.handle(n, op)
	case opStopRun:
		w.stopRun(n, op)
	default:
		w.call(n, op)
	}
}

// handle does something to a scheduler itself.
func (w *world) handle(n *modelNode, op *operation) {
	w.mu.Lock()
	w.m.advance(time.Now())
	now := w.m.now
	var then func()
	switch op.kind {
	case opStart:
		if !n.running && !n.dead {
			n.session++
			clear(n.started)
			n.running, n.stopping, n.began, n.cancelAt = true, false, now, time.Time{}
			n.able, n.fresh, n.freshStep = later(now, n.mended), now, w.m.step()
			then = func() {
				if err := n.sched.Start(); err != nil {
					w.complain("%s: %v", op, err)
				}
			}
		}
	case opShutdown:
		if n.running && !n.stopping && !n.dead {
			w.shut.Go(func() { w.shutdown(n, op.patience) })
		}
	case opStandby:
		if !n.standby {
			n.standby, n.standbyAt = true, now
			then = func() { n.sched.Standby(true) }
		}
	case opActive:
		if n.standby {
			n.standby, n.able, n.fresh, n.freshStep = false, later(now, n.mended), now, w.m.step()
			then = func() { n.sched.Standby(false) }
		}
	case opDown, opUp:
		for i, other := range w.places {
			if i != op.node && !op.all || other.dead || other.down == (op.kind == opDown) {
				continue
			}
			if other.down = op.kind == opDown; !other.down {
				other.up, other.mended = now, now.Add(patience)
				other.able = other.mended
			}
		}
	case opMute:
		n.mute = true
	case opHeard:
		if n.mute {
			n.mute, n.up, n.mended = false, now, now.Add(patience)
			n.able = n.mended
		}
	case opCrash:
		if n.running && !n.stopping {
			n.dead = true
			// Nobody hears of it any more; so that it does not go on for ever.
			w.shut.Go(func() {
				gone, cancel := context.WithCancel(context.Background())
				cancel()
				_ = n.sched.Shutdown(gone)
			})
		}
	case opReplace:
		if n.dead {
			name := n.name
			if op.renamed {
				name += "'"
			}
			fresh := w.newNode(name, n.spec)
			w.places[op.node] = fresh
			w.mu.Unlock()
			w.handle(fresh, &operation{kind: opStart, node: op.node})
			return
		}
	default:
	}
	w.mu.Unlock()
	if then != nil {
		then()
	}
}

// shutdown stops a scheduler, and waits for it.
func (w *world) shutdown(n *modelNode, wait time.Duration) {
	w.mu.Lock()
	if !n.running || n.stopping || n.dead {
		w.mu.Unlock()
		return
	}
	w.m.advance(time.Now())
	n.stopping, n.stopAt, n.cancelAt = true, w.m.now, w.m.now.Add(wait)
	w.mu.Unlock()
	ctx, cancel := context.WithTimeout(context.Background(), wait)
	defer cancel()
	if err := n.sched.Shutdown(ctx); err != nil && !errors.Is(err, context.DeadlineExceeded) {
		w.complain("shutdown of %s: %v", n.name, err)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if n.dead {
		return
	}
	w.m.advance(time.Now())
	for key, x := range n.execs {
		n.left[key] = x
		if !n.away() && !x.unheard && len(w.m.problems) == 0 && w.m.holds(x) && !n.mended.After(n.cancelAt) {
			w.m.problem("%s is shut down and has not told the end of %s", n.name, rowText(&x.run.Run))
		}
	}
	for _, x := range n.left {
		if x.session == n.session {
			x.cancelAt = n.cancelAt
		}
	}
	clear(n.execs)
	n.running, n.stopping, n.cancelAt = false, false, time.Time{}
}

func (w *world) complain(format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.m.problem(format, args...)
}

// stopRun stops one of the runs that go on.
func (w *world) stopRun(n *modelNode, op *operation) {
	w.mu.Lock()
	w.m.advance(time.Now())
	if n.dead || len(w.m.active) == 0 {
		w.mu.Unlock()
		return
	}
	r := w.m.active[op.pick%len(w.m.active)]
	x := n.execs[execKey{r.ID, r.Attempt}]
	here := x != nil && n.running
	if here && x.stopAsked.IsZero() {
		x.stopAsked = w.m.now
	}
	w.mu.Unlock()
	err := n.sched.StopRun(context.Background(), r.ID, op.actor)
	w.mu.Lock()
	defer w.mu.Unlock()
	if here && r.StopBy != "" {
		x.stopAsked = time.Time{} // it had just been taken, and the demand is in the store
	}
	switch {
	case err == nil || errors.Is(err, jobcenter.ErrNotRunning) && r.State.Final():
	case n.mute && errors.Is(err, errUnheard):
	case (n.down || n.dead) && (errors.Is(err, errDown) || errors.Is(err, errGone)):
		if here {
			x.stopAsked = time.Time{}
		}
	default:
		w.m.problem("%s: %v, the run is %s", op, err, rowText(&r.Run))
	}
}

// call uses a scheduler as programs do.
func (w *world) call(n *modelNode, op *operation) {
	c := &call{op: op}
	ctx := context.WithValue(context.Background(), callKey{}, c)
	var (
		job    jobcenter.Job
		gives  bool // a job
		runs   []jobcenter.Run
		queued int
		err    error
	)
	w.mu.Lock()
	w.m.advance(time.Now())
	down, had := n.down || n.dead, w.m.jobs[op.job] != nil
	understood := !had || w.m.jobs[op.job].Quarantine == ""
	able := true
	if op.spec != nil && op.spec.id != "" {
		able = slices.Contains(n.spec.tasks, op.spec.rules.Task) && n.pools[op.spec.rules.Executor] != nil
	}
	w.mu.Unlock()
	switch op.kind {
	case opAdd:
		c.plan = &op.spec.plan
		j := op.spec.job()
		j.Trigger = c.plan.asTrigger()
		job, err = n.sched.Add(ctx, j)
		gives = true
	case opEnsure:
		c.plan = &op.spec.plan
		c.change = func(j *jobcenter.Job) { setRules(j, &op.spec.rules) }
		j := op.spec.job()
		j.Trigger = c.plan.asTrigger()
		var changes jobcenter.Changes
		job, changes, err = n.sched.Ensure(ctx, j)
		gives = true
		if err == nil && changes.Added == had {
			w.complain("%s: added %t", op, changes.Added)
		}
	case opModify:
		c.change = func(j *jobcenter.Job) { op.alter(j) }
		if slices.Contains(op.rules, "trigger") {
			c.plan = &op.spec.plan
		}
		job, err = n.sched.Modify(ctx, op.job, func(j *jobcenter.Job) error {
			c.change(j)
			if c.plan != nil {
				j.Trigger = c.plan.asTrigger()
			}
			return nil
		})
		gives = true
	case opPause:
		job, err = n.sched.Pause(ctx, op.job, jobcenter.PauseOptions{Until: op.until})
		gives = true
	case opResume:
		job, err = n.sched.Resume(ctx, op.job)
		gives = true
	case opSkip:
		job, err = n.sched.SkipNext(ctx, op.job)
		gives = err == nil
	case opUnskip:
		job, err = n.sched.Unskip(ctx, op.job)
		gives = true
	case opRemove:
		err = n.sched.Remove(ctx, op.job)
	case opRunNow:
		opts := jobcenter.StartOptions{Origin: jobcenter.OriginManual, Actor: op.actor}
		if op.args != "" {
			opts.Args = []byte(op.args)
		}
		var run jobcenter.Run
		if run, err = n.sched.RunNow(ctx, op.job, opts); err == nil {
			runs = append(runs, run)
		}
	case opBackfill:
		queued, _, err = n.sched.Backfill(ctx, op.job, jobcenter.Backfill{From: op.from, To: op.to, Name: op.series, Pace: op.pace, Actor: op.actor})
	default:
		w.complain("%s: how?", op)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	m := w.m
	switch {
	case errors.Is(err, errUnheard):
		return // it may have been done or not: the next ones will show
	case !c.reached:
		switch {
		case down && (errors.Is(err, errDown) || errors.Is(err, errGone)):
		case op.kind == opAdd && !able && errors.Is(err, jobcenter.ErrInvalidJob):
		case op.kind == opBackfill && !understood && errors.Is(err, jobcenter.ErrConflict):
		case op.kind == opBackfill && (!had && errors.Is(err, jobcenter.ErrJobNotFound) || err == nil && queued == 0):
		default:
			m.problem("%s: %v, and nothing came to the store", op, err)
		}
		return
	case op.kind == opEnsure && errors.Is(c.err, jobcenter.ErrJobNotFound):
		if able || !errors.Is(err, jobcenter.ErrInvalidJob) {
			m.problem("%s: %v", op, err)
		}
		return
	case !errors.Is(err, c.err) || (err == nil) != (c.err == nil):
		m.problem("%s: error %v, want %v", op, err, c.err)
		return
	}
	if err == nil && gives {
		if diff := jobDiff(&c.job.Job, &job); diff != "" {
			m.problem("%s returned a job: %s", op, diff)
		}
	}
	if op.kind == opBackfill && err == nil && queued != len(c.runs) {
		m.problem("%s queued %d runs, want %d", op, queued, len(c.runs))
	}
	if op.kind == opRunNow && err == nil && (len(c.runs) != 1 || runDiff(&c.runs[0].Run, &runs[0]) != "") {
		m.problem("%s returned the run %s, want %d: %s", op, rowText(&runs[0]), len(c.runs), runDiff(&c.runs[0].Run, &runs[0]))
	}
}

// alter changes the rules of a job that the operation names.
func (o *operation) alter(j *jobcenter.Job) {
	from := &o.spec.rules
	for _, rule := range o.rules {
		switch rule {
		case "priority":
			j.Priority = from.Priority
		case "executor":
			j.Executor = from.Executor
		case "misfire_grace":
			j.MisfireGrace = from.MisfireGrace
		case "coalesce":
			j.Coalesce, j.CatchUp = from.Coalesce, from.CatchUp
		case "overlap":
			j.Overlap = from.Overlap
		case "max_instances":
			j.MaxInstances = from.MaxInstances
		case "limit":
			j.Limit = from.Limit
		case "timeout":
			j.Timeout = from.Timeout
		case "retry":
			j.Retry, j.RequestsRecovery = from.Retry, from.RequestsRecovery
		}
	}
}
