// Package trigger says when a job fires.
//
// A trigger is a pure value: it holds no state, reads no clock and does no
// I/O, so it may be shared between goroutines, asked twice, and asked about
// any instant in the past or the future. What is remembered about a job (its
// next fire time, its runs) lives in the job store.
//
// Each kind has a file of its own: [Cron] (a field for each part of a date,
// with APScheduler's expressions), [Crontab] (a line of Unix crontab), [Quartz],
// [Interval], [CalendarInterval], [DailyTimeInterval], [Date], [Dates], [RRule],
// and [And] and [Or] of others. [Modify] lays a [Calendar], a limit and a jitter
// over any of them.
//
// All have a JSON form ([Parse], [Marshal]), a one-line text ([ParseText],
// [Text]) and words in two languages ([Describe]). [Preview] tells what the
// clocks do to their fires, [Lint] what may not be meant, [Difference] what a
// change of a trigger changes, and [Convert] says a plan in another dialect.
//
// # Daylight saving
//
// All kinds but intervals and dates are wall-clock times in a time zone. Where a
// zone's clocks are turned forward, the wall times in the gap do not exist; where
// they are turned back, some come twice. [OnGap] and [OnFold] say what becomes of
// them; left out:
//
//   - A plan of fixed times fires once for each: at the first instant after
//     the gap (once, however many of its times fell into the gap), and at the
//     first of two occurrences.
//   - A plan whose second, minute or hour field begins with * (in quartz also /,
//     in crontab also H with a step) means "every so often" and follows elapsed
//     time: it fires at both occurrences, and nothing is made up for a gap.
//     Fields that an expression does not have, such as the second of a crontab
//     of five fields, do not count; those that [Cron] fills in with * do. Daily
//     windows, and RRULEs by the hour or finer, are such plans as well.
//
// So "30 2 * * *" fires once every day, "30 * * * *" every 60 minutes, and
// "*/10 30 2 * * *" every 10 seconds of each minute that the clocks call
// 02:30. This is the rule of Debian's cron, which has no seconds and which runs
// a job again for each of several times in a gap.
//
// Intervals are elapsed time always: one day is 24 hours.
package trigger

import "time"

// Trigger gives the fire times of a plan.
type Trigger interface {
	// Next returns the first fire time strictly after the given instant, in
	// the trigger's time zone. ok is false when there is none; fire is then
	// the zero time.
	Next(after time.Time) (fire time.Time, ok bool)
}

// native is a trigger of this package. Each kind is one, in a file of its own;
// what is asked of a kind stands here.
type native interface {
	Trigger
	// core gives zone, bounds and rule, which all kinds have.
	core() *base
	// kind is the name in the JSON form.
	kind() string
	// encode fills in the JSON form, but for what core has.
	encode(f *form)
	// describe says in a language when it fires.
	describe(w words) string
}

// Type returns the kind of a trigger as its JSON form names it: "cron",
// "crontab", "quartz", "interval", "calendar_interval", "daily_time_interval",
// "date", "dates", "rrule", "and" or "or"; "" for one that is not of this
// package.
func Type(t Trigger) string {
	if n, ok := t.(native); ok {
		return n.kind()
	}
	return ""
}

// Zone returns the time zone that a trigger computes in, UTC for one that is
// not of this package.
func Zone(t Trigger) *time.Location {
	if n, ok := t.(native); ok {
		return n.core().zone.Location
	}
	return time.UTC
}

// clocked is a kind that goes by the wall clock; clock may be nil where one
// trigger of the kind does not.
type clocked interface {
	native
	clock() wallClock
}
