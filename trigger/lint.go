package trigger

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Warning says what may not be meant about a trigger that is well formed.
type Warning struct {
	// Code is one of the constants below; it stays the same in all languages
	// and versions.
	Code string
	// Field is the key in the trigger's JSON form that it is about, as in
	// [Error]. Empty means the trigger as a whole.
	Field string
	// Message says it in one or two sentences.
	Message string
}

// The codes of warnings. With one of the first six the trigger, or the part of
// it that Field names, does not fire again.
const (
	LintNoSuchDay   = "no_such_day"   // no day of the calendar matches: 30 February
	LintPast        = "past"          // all its fire times are past, or its limit is reached
	LintEnded       = "ended"         // its end is past
	LintOutOfBounds = "out_of_bounds" // no fire time lies between its start and its end
	LintNeverMeets  = "never_meets"   // the parts of an and never fire at the same instant
	LintNeverOpen   = "never_open"    // its calendar is closed at all of its fire times

	LintSomeMonths   = "some_months"    // some months do not have the day: 31
	LintSomeYears    = "some_years"     // most years do not have the day: 29 February, ISO week 53
	LintWeekday      = "weekday"        // a number stands for another weekday in another dialect
	LintEitherDay    = "either_day"     // crontab: a day that one of the day fields matches is enough
	LintBothDays     = "both_days"      // a day must match both day fields
	LintGap          = "gap"            // the clocks will jump over a fire time
	LintFold         = "fold"           // the clocks will show a fire time twice
	LintUnevenStep   = "uneven_step"    // a step does not divide its field, or is longer than it
	LintDrift        = "drift"          // an interval of whole days in a zone whose clocks are turned
	LintJitter       = "jitter"         // jitter is longer than the time between two fires
	LintUnknownJobID = "unknown_job_id" // H or ~ without the job that chooses their values
)

// Lint says what may not be meant about a trigger, as far as it concerns fires
// after from: plans that never fire, that miss some months or meet a change of
// the clocks in the next two years, that mean another thing in another dialect,
// and so on; see the codes. There are no warnings about most triggers. The
// parts of a combination are looked at as well; those of an [And] only for what
// is true of them whenever the others fire. It takes as long as some dozens of
// calls of Next.
func Lint(t Trigger, from time.Time, lang Lang) []Warning {
	l := linter{w: wordsOf(lang), chinese: lang == Chinese}
	l.trigger(t, scope{from: from, until: noEnd})
	return l.warnings
}

// linter collects warnings.
type linter struct {
	w        words
	chinese  bool
	warnings []Warning
}

// scope is what surrounds a trigger: those that it is a part of, and their
// modifiers.
type scope struct {
	prefix    string // of its fields
	from      time.Time
	until     int64       // Unix microseconds
	calendars []*Calendar // all of which must be open
	and       bool        // it fires only when others do
}

// warn adds a warning. Both texts take all the arguments.
func (l *linter) warn(in scope, code, field, english, chinese string, args ...any) {
	text := fmt.Sprintf(english, args...)
	if l.chinese {
		text = tidyChinese(fmt.Sprintf(chinese, args...))
	}
	l.warnings = append(l.warnings, Warning{code, strings.TrimSuffix(in.prefix+field, "."), text})
}

func (l *linter) trigger(t Trigger, in scope) {
	if m, ok := t.(*Modified); ok {
		l.modified(m, in)
		return
	}
	n, ok := t.(native)
	if !ok {
		if _, ok := t.Next(in.from); !ok {
			l.warn(in, LintPast, "", "Does not fire again.", "不会再触发。")
		}
		return
	}
	if AtStart(t) {
		return
	}
	b := n.core()
	if start := b.starts(); start.After(in.from) {
		in.from = start.Add(-time.Nanosecond)
	}
	in.until = min(in.until, b.end)
	l.fields(n, in)
	job, spread := spreadBy(n)
	if spread && job == "" {
		l.unknownJob(n, in)
	}
	if l.alive(n, in) && !in.and {
		l.plan(n, in)
		l.drift(n, in)
		if !spread || job != "" {
			l.clock(n, in)
		}
	}
	_, and := t.(*And)
	for i, part := range partsOf(t) {
		in := in
		in.and = in.and || and
		in.prefix += "triggers[" + strconv.Itoa(i) + "]."
		l.trigger(part, in)
	}
}

// modified warns about modifiers, and about the trigger that they are of.
func (l *linter) modified(m *Modified, in scope) {
	inner := in
	inner.until = min(in.until, m.last)
	if m.with.Calendar != nil {
		inner.calendars = append(slices.Clip(in.calendars), m.with.Calendar)
	}
	l.trigger(m.inner, inner)
	if _, ok := m.inner.Next(in.from); !ok {
		return // said already
	}
	if _, ok := m.open(in.from); !ok {
		l.warn(in, LintNeverOpen, "calendar", "Never fires: its calendar is closed at each of its fire times.", "从不触发：每个触发时间都不在日历的开放时段内。")
		return
	}
	if _, ok := m.Next(in.from); !ok {
		l.warn(in, LintPast, "limit", "Does not fire again: its limit of %d is reached.", "不会再触发：已达到 %d 次的上限。", m.with.Limit)
		return
	}
	if apart := m.closest(in.from); m.with.Jitter > 0 && apart <= m.with.Jitter {
		l.warn(in, LintJitter, "jitter",
			"A delay always ends before the next fire: fires are as close as %s, so that the jitter of %s is not reached then.",
			"延后总在下一个触发时间之前结束：触发间隔最短为 %s，届时达不到错开上限 %s。",
			l.w.length(lengthOf(apart)), l.w.length(lengthOf(m.with.Jitter)))
	}
}

// closest gives the shortest time between the next fires.
func (m *Modified) closest(from time.Time) time.Duration {
	shortest := time.Duration(math.MaxInt64)
	looks := 16
	if searches(m) {
		looks = 4
	}
	at, ok := m.limited(from)
	for range looks {
		if !ok {
			break
		}
		var next time.Time
		if next, ok = m.limited(at); ok {
			shortest, at = min(shortest, next.Sub(at)), next
		}
	}
	return shortest
}

// alive tells whether a trigger fires again, and warns if it does not. Where
// that lies with its parts, they tell.
func (l *linter) alive(n native, in scope) bool {
	if _, ok := n.Next(in.from); ok {
		return true
	}
	b := n.core()
	end := microTime(b.end, b.zone)
	switch {
	case b.end < b.start:
		l.warn(in, LintOutOfBounds, "end_date", "Never fires: its end is before its start.", "从不触发：结束时间早于开始时间。")
	case b.end != noEnd && end.Before(in.from):
		l.warn(in, LintEnded, "end_date", "Does not fire again: its end, %s, is past.", "不会再触发：结束时间 %s 已过。", l.instant(end))
	case l.endsEarly(n, in):
		l.warn(in, LintOutOfBounds, "end_date", "Does not fire again: its next fire time would be after its end, %s.", "不会再触发：下一个触发时间在结束时间 %s 之后。", l.instant(end))
	case Type(n) == "or":
	case Type(n) == "and":
		if slices.ContainsFunc(partsOf(n), func(part Trigger) bool { _, ok := part.Next(in.from); return !ok }) {
			return false
		}
		l.warn(in, LintNeverMeets, "triggers", "Never fires: its parts do not fire at the same instant.", "从不触发：各部分的触发时间没有重合。")
	case neverFires(n):
		l.warn(in, LintNoSuchDay, fieldOf(n, textDay), "Never fires: no day of the calendar matches.", "从不触发：没有符合的日期。")
	default:
		l.warn(in, LintPast, fieldOf(n, textYear), "Does not fire again: no fire time is left after %s.", "不会再触发：%s 之后没有触发时间。", l.instant(in.from.In(b.zone.Location)))
	}
	return false
}

// endsEarly tells whether a trigger that does not fire again would do so if it
// had no end.
func (l *linter) endsEarly(n native, in scope) bool {
	if n.core().end == noEnd {
		return false
	}
	switch t := n.(type) {
	case *Dates:
		return t.at[len(t.at)-1] > unixMicro(in.from)
	case *And:
		endless := *t
		endless.end = noEnd
		_, ok := endless.Next(in.from)
		return ok
	case *Or:
		endless := *t
		endless.end = noEnd
		_, ok := endless.Next(in.from)
		return ok
	}
	if intervalOf(n) != nil {
		return true
	}
	if c, ok := n.(clocked); ok && c.clock() != nil {
		_, ok := n.core().rule.nextFire(c.clock(), n.core().zone, in.from.Unix())
		return ok
	}
	return false
}

// neverFires tells whether a plan has no fire at all, whatever its bounds.
func neverFires(n native) bool {
	c, ok := n.(clocked)
	if !ok || c.clock() == nil {
		return false
	}
	_, ok = n.core().rule.nextFire(c.clock(), n.core().zone, firstInstant)
	return !ok
}

// fieldOf gives the JSON key of what crontab and quartz text have as a field.
func fieldOf(t Trigger, field int) string {
	switch t.(type) {
	case *Cron:
		return [...]string{"second", "minute", "hour", "day", "month", "day_of_week", "year"}[field]
	case *Crontab, *Quartz:
		return "expression"
	case *RRule:
		return "rule"
	case *Date:
		return "run_date"
	case *Dates:
		return "run_dates"
	}
	return ""
}

// instant writes an instant with its weekday, on the clocks of its zone.
func (l *linter) instant(t time.Time) string { return l.w.moment(wallOf(t)) }

// unknownJob warns about values that are not chosen yet.
func (l *linter) unknownJob(n native, in scope) {
	if Type(n) != "crontab" {
		return // it is about a part
	}
	l.warn(in, LintUnknownJobID, "expression",
		"H and ~ stand for values that the job's id chooses, which is not known here: the fire times are an example.",
		"H 和 ~ 的值由任务 ID 决定，而此处尚无任务 ID：触发时间仅为示例。")
}

// drift warns about an interval of whole days that looks like a time of day.
func (l *linter) drift(n native, in scope) {
	i := intervalOf(n)
	if i == nil || i.every%(secondsPerDay*1e6) != 0 {
		return
	}
	changes(i.zone, in, func(p, next period) bool {
		by := (next.offset - p.offset) * int64(time.Second)
		l.warn(in, LintDrift, fieldOf(n, textYear),
			"%[1]s are elapsed time: when the clocks of %[2]s are turned on %[3]s, the time of day moves by %[4]s. For a fixed time of day take a calendar interval or cron.",
			"%[1]s按实际流逝的时间计：%[3]s %[2]s 的时钟调整时，触发的钟点会偏移 %[4]s。要固定钟点，请用日历间隔或 cron。",
			l.w.length(i), i.zone.String(), l.w.day(next.start+next.offset), l.w.length(lengthOf(time.Duration(max(by, -by)))))
		return false
	})
}
