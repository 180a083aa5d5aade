package jobcenter

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jobcenter-go/jobcenter/trigger"
)

// Verdict is what is to be said of an instant of a job, in one word.
type Verdict string

// The verdicts.
const (
	VerdictRan     Verdict = "ran"          // a run of this fire time started
	VerdictWaits   Verdict = "waits"        // it is due or queued, and has not started yet
	VerdictNotRun  Verdict = "not_run"      // it was a fire time and did not run
	VerdictNoFire  Verdict = "no_fire"      // it is no fire time of the job
	VerdictWill    Verdict = "will_run"     // it is a fire time to come
	VerdictWillNot Verdict = "will_not"     // it is one to come, and will not run as things stand
	VerdictUnknown Verdict = "not_recorded" // it would have been a fire time; the ledger does not have it
)

// Explanation says why a job ran at an instant, did not, or will not.
type Explanation struct {
	At      time.Time
	Verdict Verdict
	// Reason is that of the run, or what keeps a fire time to come from running.
	Reason Reason
	// Run is the row that covers the instant; nil if there is none.
	Run *Run
	// Before and After are the fire times around an instant that is none, by
	// the trigger as it is now. Zero if there is none.
	Before, After time.Time
	// Text says it in words.
	Text string
}

// whyRows is how many rows before an instant are looked at for one whose span
// covers it: runs that were started by hand may lie in between.
const whyRows = 2000

// Why explains what became, or will become, of an instant of a job, in words
// of the language. The instant counts with microseconds; see Explanation.Before
// and After when it is not exactly a fire time. ErrJobNotFound if the job is gone
// and the ledger has no row for the instant.
func (s *Scheduler) Why(ctx context.Context, jobID string, at time.Time, lang trigger.Lang) (Explanation, error) {
	at = microseconds(at)
	var missing error
	for _, k := range s.all() {
		run, err := k.rowAt(ctx, jobID, at)
		if err != nil {
			return Explanation{}, err
		}
		job, err := k.store.Job(ctx, jobID)
		gone := errors.Is(err, ErrJobNotFound)
		switch {
		case err != nil && !gone:
			return Explanation{}, err
		case run != nil && (gone || !between(&job, run, at)):
			return explainRun(at, run, lang), nil
		case !gone:
			return k.explainJob(&job, at, time.Now(), lang), nil
		}
		missing = err
	}
	return Explanation{}, missing
}

// rowAt returns the row that covers an instant; nil if there is none.
func (k *keeper) rowAt(ctx context.Context, jobID string, at time.Time) (*Run, error) {
	q := RunQuery{JobID: jobID, To: at.Add(time.Microsecond), Limit: 500}
	for seen := 0; seen < whyRows; {
		page, err := k.store.Runs(ctx, q)
		if err != nil {
			return nil, err
		}
		for i := range page.Runs {
			if run := &page.Runs[i]; run.Series == "" && !run.LastFireTime.Before(at) {
				return run, nil
			}
		}
		seen += len(page.Runs)
		if q.Cursor = page.NextCursor; q.Cursor == "" {
			break
		}
	}
	return nil, nil //nolint:nilnil // no row, and no error
}

// between reports whether an instant that the span of a row covers lies between
// its fire times, as far as the job's trigger is still the one that gave them.
func between(job *Job, run *Run, at time.Time) bool {
	if run.FireCount == 1 || at.Equal(run.FireTime) || job.Trigger == nil {
		return false
	}
	t := job.trigger()
	first, _ := t.Next(run.FireTime.Add(-time.Microsecond))
	fire, _ := t.Next(at.Add(-time.Microsecond))
	return microseconds(first).Equal(run.FireTime) && !microseconds(fire).Equal(at)
}

// explainRun explains an instant that the ledger has a row for.
func explainRun(at time.Time, run *Run, lang trigger.Lang) Explanation {
	e := Explanation{At: at, Run: run, Reason: run.Reason, Verdict: VerdictRan}
	w := whyWords(lang)
	var text strings.Builder
	switch run.State {
	case RunQueued:
		e.Verdict = VerdictWaits
		text.WriteString(w.waiting)
		if run.Attempt > 0 {
			fmt.Fprintf(&text, w.nextAttempt, run.Attempt, clock(run.NotBefore))
		}
	case RunMissed, RunSkipped:
		e.Verdict = VerdictNotRun
		text.WriteString(w.states[run.State] + ": " + w.reasons[run.Reason])
		if run.FireCount > 1 {
			fmt.Fprintf(&text, w.span, run.FireCount, clock(run.FireTime), clock(run.LastFireTime))
		}
	default:
		if run.StartedAt.IsZero() { // stopped before it began
			e.Verdict = VerdictNotRun
			text.WriteString(w.states[run.State])
			break
		}
		fmt.Fprintf(&text, w.ran, clock(run.StartedAt), run.Lateness().Round(time.Millisecond), run.Node, run.Attempt)
		text.WriteString(w.states[run.State])
		if reason := w.reasons[run.Reason]; reason != "" {
			text.WriteString(": " + reason)
		}
	}
	if run.Message != "" {
		text.WriteString(" (" + run.Message + ")")
	}
	e.Text = text.String()
	return e
}

func clock(at time.Time) string { return at.UTC().Format("2006-01-02 15:04:05.999999 MST") }

// explainJob explains an instant that the ledger has no row for.
func (k *keeper) explainJob(job *Job, at, now time.Time, lang trigger.Lang) Explanation {
	e := Explanation{At: at}
	w := whyWords(lang)
	if job.Trigger == nil {
		e.Verdict, e.Text = VerdictWillNot, fmt.Sprintf(w.quarantined, job.Quarantine)
		return e
	}
	t := job.trigger()
	just := at.Add(-time.Microsecond)
	e.After, _ = t.Next(at)
	fire, ok := t.Next(just)
	switch fires := ok && microseconds(fire).Equal(at); {
	case at.Before(job.CreatedAt):
		e.Verdict, e.Text = VerdictNoFire, fmt.Sprintf(w.before, clock(job.CreatedAt))
	case trigger.AtStart(job.Trigger):
		e.Verdict, e.Text = VerdictNoFire, w.atStart
	case !fires:
		e.Before = previousFire(t, at)
		e.Verdict, e.Text = VerdictNoFire, w.noFire
		if _, _, closed := trigger.Closed(job.trigger(), just, at.Add(time.Microsecond)); closed > 0 {
			e.Verdict, e.Reason, e.Text = VerdictNotRun, ReasonCalendar, w.reasons[ReasonCalendar]
			if at.After(now) {
				e.Verdict = VerdictWillNot
			}
		}
		e.Text += neighbours(&e, w)
	case job.NextFireTime.IsZero() || job.NextFireTime.After(at):
		e.Verdict, e.Text = VerdictUnknown, fmt.Sprintf(w.unknown, clock(job.UpdatedAt))
		if at.After(now) {
			e.Verdict, e.Text = VerdictWillNot, w.finished
		}
	default:
		k.explainDue(&e, job, at.After(now), w)
	}
	return e
}

// explainDue explains a fire time that is due or still to come.
func (k *keeper) explainDue(e *Explanation, job *Job, toCome bool, w *whyText) {
	e.Verdict = VerdictWillNot
	switch {
	case job.Quarantine != "":
		e.Text = fmt.Sprintf(w.quarantined, job.Quarantine)
	case job.Paused && (job.PausedUntil.IsZero() || !e.At.After(job.PausedUntil)):
		e.Reason, e.Text = ReasonPaused, w.paused
		if !job.PausedUntil.IsZero() {
			e.Text += fmt.Sprintf(w.until, clock(job.PausedUntil))
		}
		if job.PauseReason != "" {
			e.Text += ": " + job.PauseReason
		}
	case !e.At.After(job.SkipUntil):
		e.Reason, e.Text = ReasonSkip, w.reasons[ReasonSkip]
	case toCome:
		e.Verdict, e.Text = VerdictWill, w.will
	default:
		e.Verdict, e.Text = VerdictWaits, w.due
		switch problem := k.problem(); {
		case k.unknown(job) != "":
			e.Text += ": " + k.unknown(job)
		case problem != nil:
			e.Text += ": " + problem.Error()
		}
	}
}

// problem is why the keeper fires nothing.
func (k *keeper) problem() error {
	h := k.Health()
	switch {
	case !h.Running:
		return h.Err()
	case h.Standby:
		return errors.New("jobcenter: the scheduler is on standby")
	default:
		return h.Stores[k.name].Problem
	}
}

// neighbours names the fire times around an instant.
func neighbours(e *Explanation, w *whyText) string {
	var text string
	if !e.Before.IsZero() {
		text += fmt.Sprintf(w.lastBefore, clock(e.Before))
	}
	if !e.After.IsZero() {
		text += fmt.Sprintf(w.nextAfter, clock(e.After))
	}
	return text
}

// previousFire returns the last fire time before an instant, looked for in
// steps back that grow up to some eight years; zero if there is none.
func previousFire(t trigger.Trigger, at time.Time) time.Time {
	for back := time.Second; back < 10*365*24*time.Hour; back *= 4 {
		last, ok := t.Next(at.Add(-back))
		if !ok || !last.Before(at) {
			continue
		}
		for range 1_000_000 { // a second holds few fires, a longer step is begun with none in the one before
			next, ok := t.Next(last)
			if !ok || !next.Before(at) || !next.After(last) {
				break
			}
			last = next
		}
		return last
	}
	return time.Time{}
}

// whyText is the words of Why in one language.
type whyText struct {
	states                                           map[RunState]string
	reasons                                          map[Reason]string
	waiting, nextAttempt, span, ran, before, atStart string
	noFire, lastBefore, nextAfter, unknown, finished string
	quarantined, paused, until, will, due            string
}

func whyWords(lang trigger.Lang) *whyText {
	if lang == trigger.Chinese {
		return &whyText{
			states: map[RunState]string{
				RunRunning: "正在运行", RunSucceeded: "成功", RunFailed: "失败", RunTimedOut: "超时", RunStopped: "已被停止", RunLost: "丢失",
				RunMissed: "错过，没有运行", RunSkipped: "跳过，没有运行",
			},
			reasons: map[Reason]string{
				ReasonMisfire: "未能在错过宽限时间内启动", ReasonCoalesced: "已合并到另一个触发时间的执行中", ReasonCatchUp: "超出了补跑的上限",
				ReasonOverlap: "该任务当时已有足够多的执行", ReasonQueueFull: "执行器的等待队列已满", ReasonPaused: "任务已暂停", ReasonSkip: "有人要求跳过",
				ReasonCalendar: "被触发器的日历排除", ReasonVeto: "被程序否决", ReasonRemoved: "任务在运行之前被删除", ReasonError: "任务返回错误",
				ReasonExitCode: "进程以非零退出码结束", ReasonSignal: "进程被信号终止", ReasonPanic: "任务发生 panic", ReasonStartFailed: "任务无法启动",
				ReasonBadArgs: "参数无法解析", ReasonTimeout: "超过了时间限制", ReasonStop: "有人要求停止", ReasonCancel: "被同一任务的下一次执行取代",
				ReasonShutdown: "调度器关闭", ReasonNodeDied: "运行它的节点已失联",
			},
			waiting: "已到触发时间，正在等待执行器", nextAttempt: "；第 %d 次尝试失败，不早于 %s 再试", span: "；共 %d 个触发时间，从 %s 到 %s",
			ran: "于 %s 启动，延迟 %s，节点 %s，第 %d 次尝试：", before: "任务在 %s 才创建", atStart: "该任务只在调度器启动时运行",
			noFire: "触发器在这一时刻不触发", lastBefore: "；之前最近一次是 %s", nextAfter: "；之后最近一次是 %s",
			unknown:  "按现在的触发器，这是一个触发时间，但执行记录里没有：任务在 %s 修改过，或者记录已被清理",
			finished: "触发器不再触发", quarantined: "任务被隔离，不会触发：%s", paused: "任务已暂停", until: "，直到 %s", will: "将会运行", due: "已到触发时间，还没有被取走",
		}
	}
	return &whyText{
		states: map[RunState]string{
			RunRunning: "it is running", RunSucceeded: "it succeeded", RunFailed: "it failed", RunTimedOut: "it timed out",
			RunStopped: "it was stopped", RunLost: "it was lost", RunMissed: "it was missed and did not run", RunSkipped: "it was skipped and did not run",
		},
		reasons: map[Reason]string{
			ReasonMisfire: "it could not start within the misfire grace", ReasonCoalesced: "rolled into the run of another fire time",
			ReasonCatchUp: "beyond the bounds of the catch-up", ReasonOverlap: "the job had as many runs as it may have",
			ReasonQueueFull: "too many runs waited for the executor", ReasonPaused: "the job was paused", ReasonSkip: "somebody asked for it to be skipped",
			ReasonCalendar: "closed by the trigger's calendar", ReasonVeto: "the program's veto", ReasonRemoved: "the job was removed before it could run",
			ReasonError: "the task returned an error", ReasonExitCode: "its process ended with a code other than 0", ReasonSignal: "its process was ended by a signal",
			ReasonPanic: "the task panicked", ReasonStartFailed: "the task could not be started", ReasonBadArgs: "its arguments cannot be decoded",
			ReasonTimeout: "it took longer than its time limit", ReasonStop: "somebody asked for it", ReasonCancel: "the next run of the job took its place",
			ReasonShutdown: "the scheduler was shut down", ReasonNodeDied: "the node that ran it died",
		},
		waiting: "it is due and waits for its executor", nextAttempt: "; attempt %d failed, the next one is not before %s",
		span: "; one of %d fire times from %s to %s", ran: "it started at %s, %s late, on node %s, attempt %d: ",
		before: "the job was added at %s only", atStart: "the job runs when a scheduler starts only", noFire: "the trigger does not fire at this instant",
		lastBefore: "; the last fire time before is %s", nextAfter: "; the next one after is %s",
		unknown:  "by the trigger as it is now this is a fire time, but the ledger has none: the job was last changed at %s, or the history has been pruned",
		finished: "the trigger gives no further fire time", quarantined: "the job is in quarantine and does not fire: %s", paused: "the job is paused",
		until: " until %s", will: "it will run", due: "it is due, and no scheduler has taken it yet",
	}
}
