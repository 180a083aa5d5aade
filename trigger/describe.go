package trigger

import (
	"math/bits"
	"strconv"
	"strings"
	"time"
)

// Lang is a language in which triggers are described.
type Lang string

// The languages. Any other counts as English.
const (
	English Lang = "en"
	Chinese Lang = "zh"
)

// Describe says in a few words when a trigger fires, such as "at 02:30 every
// day" or "周一至周五 09:00–17:59 每 5 分钟". It names neither the time zone nor
// the start and the end, nor the choices of [OnGap] and [OnFold]. It is "" for
// a trigger that is not of this package.
func Describe(t Trigger, lang Lang) string {
	n, ok := t.(native)
	if !ok {
		return ""
	}
	w := wordsOf(lang)
	text := n.describe(w)
	if job, ok := spreadBy(t); ok {
		text = w.spread(text, job != "")
	}
	return text
}

// spreadBy tells whether a trigger has values of H or ~, and by which job's id
// they are chosen: "" if no job is known yet.
func spreadBy(t Trigger) (job string, ok bool) {
	switch t := t.(type) {
	case *Crontab:
		return t.job, t.spread
	case *Modified:
		return spreadBy(t.inner)
	}
	for _, part := range partsOf(t) {
		if job, ok := spreadBy(part); ok {
			return job, true
		}
	}
	return "", false
}

func wordsOf(lang Lang) words {
	if lang == Chinese {
		return chineseWords{}
	}
	return englishWords{}
}

// words is a language.
type words interface {
	interval(i *Interval) string
	calendarInterval(c *CalendarInterval) string
	dailyTime(d *DailyTimeInterval) string
	once(at string) string
	datesList(at []string, more int) string
	reboot() string
	never() string
	all(parts []string) string
	any(parts []string) string
	modified(text string, with *Modifiers) string
	// spread says of a text that the job's id chose its values, or will.
	spread(text string, known bool) string
	// plan joins what a plan's days and its times of day are called.
	plan(p *plan, c clock) string
	// The notes on fires, see Fire.
	moved(wall, fire string, more int, sameDay bool) string
	skipped(wall string, more int, sameDay bool) string
	repeated(wall string, second bool) string
	shifted(from, to string) string
	delayed(by time.Duration) string
	notes(list []string) string
	// What lint and differences are made of.
	length(i *Interval) string
	dates(p *plan) string
	weekdays(p *plan, and bool) string
	monthList(set uint16) string
	day(wall int64) string
	moment(wall int64, nanosecond int) string
	twice(wall string, more int, choice OnFold) string
	comma() string
	semicolon() string
	change(fire string, isNew bool) string
	same(until string, compared int, complete bool) string
}

// clock is the time-of-day part of a plan, in the form in which it is best
// said. The first of these that is set counts.
type clock struct {
	times    []string // "at these times"
	every    int      // "every so many units"
	unit     string   // "second", "minute" or "hour"
	from, to string   // of each day; "" for all of it
	minute   int      // within every hour, 0 if it is the full one; the first if it is every so many minutes
	second   int      // within every minute, 0 if it is the full one
}

// maxTimes is how many times of day are listed one by one.
const maxTimes = 6

func (p *plan) describe(w words) string {
	if p.never {
		return w.never()
	}
	return w.plan(p.spoken(), p.clock())
}

// spoken gives a plan with its days as they are best said: weekdays of the
// month, where nothing else counts, are days of it.
func (p *plan) spoken() *plan {
	nth := p.specialOrNone().weekdayNth
	if nth == ([6]uint8{}) {
		return p
	}
	q := *p
	switch {
	case p.weekdays == allWeekdays:
		q.special = &specialDays{nth: p.special.nth, fromEnd: p.special.fromEnd, nearest: p.special.nearest, nearestEnd: p.special.nearestEnd}
	case p.weekdays == 0 && p.days == allDays:
		q.days, q.weekdays, q.special = 0, allWeekdays, &specialDays{nth: nth}
	}
	return &q
}

// eachNth calls yield with each weekday of the month, Monday as 1 to Sunday as
// 7: the 1st to the 5th, and the last as lastOfMonth.
func eachNth(nth [6]uint8, yield func(which, weekday int)) {
	for i, set := range nth {
		for d := nextBit(mondayFirst(set), 1); d <= 7; d = nextBit(mondayFirst(set), d+1) {
			yield(i, d)
		}
	}
}

// beforeLast lists days before the last of the month, the earliest first.
func beforeLast(set uint32, text func(n int) string) (list []string) {
	for n := 31; n >= 0; n-- {
		if set>>uint(n)&1 != 0 {
			list = append(list, text(n))
		}
	}
	return list
}

// distance gives the units of a calendar interval, the longest first.
func (c *CalendarInterval) distance() (list []amount) {
	s := &c.spec
	for _, a := range []amount{{s.Years, "year"}, {s.Months, "month"}, {s.Weeks, "week"}, {s.Days, "day"}} {
		if a.n != 0 {
			list = append(list, a)
		}
	}
	return list
}

type amount struct {
	n    int
	unit string
}

// lacksDays tells whether some of the months that a calendar interval comes to
// are too short to have its day.
func (c *CalendarInterval) lacksDays() bool {
	months := 12*c.spec.Years + c.spec.Months
	if months == 0 || c.start == noStart {
		return false
	}
	_, month, day := c.firstDate()
	for n := range 12 {
		if day > daysInMonth(2001, (month-1+n*months)%12+1) {
			return true
		}
	}
	return false
}

// counted tells whether it must be said from which day a calendar interval is
// counted: not where its text shows its phase.
func (c *CalendarInterval) counted() bool {
	d := c.distance()
	return len(d) > 1 || d[0].n > 1 || c.start == noStart && d[0].unit != "day"
}

// window gives the times of day of a daily interval; both "" for all day. to is
// "" for the end of the day, and next tells that it is one of the next day.
func (d *DailyTimeInterval) window() (from, to string, next bool) {
	all := d.from == 0 && d.to == secondsPerDay-1
	if all && secondsPerDay%d.step == 0 {
		return "", "", false
	}
	text := func(second int64) string {
		s := int(second % secondsPerDay)
		return timeText(s/3600, s/60%60, s%60)
	}
	if from = text(d.from); d.to != secondsPerDay-1 {
		to = text(d.to)
	}
	return from, to, d.to >= secondsPerDay
}

// once tells whether a daily interval has but one fire a day.
func (d *DailyTimeInterval) once() bool { return d.to-d.from < d.step }

// inBrackets sets off those of the texts that consist of several.
func inBrackets(text, mark, open, end string) string {
	if strings.Contains(text, mark) {
		return open + text + end
	}
	return text
}

// clockTime gives the time of day that a clock shows.
func clockTime(wall int64, nanosecond int) string {
	at := time.Unix(wall, int64(nanosecond)).UTC()
	if at.Nanosecond() != 0 {
		return at.Format("15:04:05.999999")
	}
	return timeText(at.Clock())
}

// lengthOf gives a span of time for words.length.
func lengthOf(d time.Duration) *Interval { return &Interval{every: d.Microseconds()} }

func (p *plan) clock() clock {
	if bits.OnesCount64(p.seconds) > 1 {
		return p.clockOfSeconds()
	}
	hours := uint64(p.hours)
	second := nextBit(p.seconds, 0)
	minute := nextBit(p.minutes, 0)
	firstHour, lastHour, hourRun := run(hours)
	_, lastMinute, minuteRun := run(p.minutes)
	hourStep := cycle(hours, 24)
	minuteStep := cycle(p.minutes>>uint(minute), 60)
	if minute > 0 && bits.OnesCount64(p.minutes) < 3 {
		minuteStep = 0
	}
	c := clock{second: second}
	times := bits.OnesCount64(p.minutes) * bits.OnesCount64(hours)
	switch {
	case bits.OnesCount64(p.minutes) == 1 && hourStep > 0 && times > 2:
		c.every, c.unit, c.minute = hourStep, "hour", minute
	case bits.OnesCount64(p.minutes) == 1 && hourRun && times >= 4:
		c.every, c.unit, c.second = 1, "hour", 0
		c.from, c.to = timeText(firstHour, minute, second), timeText(lastHour, minute, second)
	case minuteStep > 0 && (hourRun || hourStep == 1) && times > 2:
		c.every, c.unit, c.minute = minuteStep, "minute", minute
		switch {
		case hourStep == 1:
		case minute != 0:
			c.from, c.to = timeText(firstHour, minute, 0), timeText(lastHour, lastMinute, 0)
		default:
			c.from, c.to = timeText(firstHour, 0, 0), timeText(lastHour, 59, 0)
		}
	case minuteRun && firstHour == lastHour && times > 2:
		c.every, c.unit = 1, "minute"
		c.from, c.to = timeText(firstHour, minute, 0), timeText(firstHour, lastMinute, 0)
	case times <= maxTimes:
		p.eachTime(func(text string) { c.times = append(c.times, text) })
	}
	return c
}

func (p *plan) clockOfSeconds() (c clock) {
	firstHour, lastHour, hourRun := run(uint64(p.hours))
	firstMinute, lastMinute, minuteRun := run(p.minutes)
	step := cycle(p.seconds, 60)
	switch {
	case step == 0:
	case p.minutes == allSixty && p.hours == allHours:
		c.every, c.unit = step, "second"
	case p.minutes == allSixty && hourRun, minuteRun && firstHour == lastHour:
		c.every, c.unit = step, "second"
		c.from = fullTime(firstHour, firstMinute, 0)
		c.to = fullTime(lastHour, lastMinute, 59)
	}
	return c
}

func (p *plan) eachTime(yield func(text string)) {
	for h := nextBit(uint64(p.hours), 0); h < 24; h = nextBit(uint64(p.hours), h+1) {
		for m := nextBit(p.minutes, 0); m < 60; m = nextBit(p.minutes, m+1) {
			yield(timeText(h, m, nextBit(p.seconds, 0)))
		}
	}
}

// cycle gives n if the set is every n-th of size values from 0 on, and goes on
// evenly from its last to its first; else 0. A set of one value has no n.
func cycle(set uint64, size int) int {
	n := nextBit(set, 1)
	if set&1 == 0 || n >= size || size%n != 0 || set != (span{0, size - 1, n}).set() {
		return 0
	}
	return n
}

// run tells whether a set has no holes.
func run(set uint64) (first, last int, ok bool) {
	first, last = nextBit(set, 0), bits.Len64(set)-1
	return first, last, set == span{first, last, 1}.set()
}

// timeText leaves out the second if it is 0.
func timeText(hour, minute, second int) string {
	if second == 0 {
		return fullTime(hour, minute, second)[:5]
	}
	return fullTime(hour, minute, second)
}

func fullTime(hour, minute, second int) string {
	return time.Date(2000, 1, 1, hour, minute, second, 0, time.UTC).Format(time.TimeOnly)
}

// numbers lists a set: single values, ranges, or one range with a step.
func numbers(set uint64, dash string, steps func(values string, step int) string) []string {
	first, last := nextBit(set, 0), bits.Len64(set)-1
	if bits.OnesCount64(set) >= 4 {
		step := nextBit(set, first+1) - first
		if s := (span{first, last, step}); step > 1 && set == s.set() {
			return []string{steps(strconv.Itoa(first)+dash+strconv.Itoa(last), step)}
		}
	}
	var list []string
	runs(set, func(from, to int) {
		if to-from >= 2 {
			list = append(list, strconv.Itoa(from)+dash+strconv.Itoa(to))
			return
		}
		for n := from; n <= to; n++ {
			list = append(list, strconv.Itoa(n))
		}
	})
	return list
}

// runs calls yield with the ends of each run of values.
func runs(set uint64, yield func(from, to int)) {
	for from := nextBit(set, 0); from < 64; from = nextBit(set, from) {
		to := nextBit(^set, from) - 1
		yield(from, to)
		from = to + 1
	}
}

// names lists a set of weekdays or months by name.
func names(set uint64, name func(n int) string, to string) []string {
	var list []string
	runs(set, func(from, last int) {
		if last-from >= 2 {
			list = append(list, name(from)+to+name(last))
			return
		}
		for n := from; n <= last; n++ {
			list = append(list, name(n))
		}
	})
	return list
}

// hasDates tells whether the days of the month are restricted.
func (p *plan) hasDates() bool { return p.days != allDays }

// mondayFirst moves Sunday from the begin of a set of weekdays to its end, as
// day 7.
func mondayFirst(set uint8) uint64 {
	return uint64(set)&^1 | uint64(set&1)<<7
}

// yearList lists the years of a plan.
func (p *plan) yearList(dash string, steps func(values string, step int) string) []string {
	var list []string
	for _, s := range p.years {
		values := strconv.Itoa(s.first)
		if s.last != s.first {
			values += dash + strconv.Itoa(s.last)
		}
		if s.step > 1 {
			values = steps(values, s.step)
		}
		list = append(list, values)
	}
	return list
}

// lengths splits an interval into its units.
func (i *Interval) lengths() (days, hours, minutes int64, seconds string) {
	const second = int64(1e6)
	rest := i.every
	days, rest = rest/(secondsPerDay*second), rest%(secondsPerDay*second)
	hours, rest = rest/(3600*second), rest%(3600*second)
	minutes, rest = rest/(60*second), rest%(60*second)
	return days, hours, minutes, (&Interval{every: rest}).seconds()
}

// short tells whether n of a unit is easy to read as one number.
func short(n int64) bool { return n > 0 && n <= 120 }

// joinWords joins with spaces what is not empty.
func joinWords(list ...string) string { return joinNonEmpty(list, " ") }

func joinNonEmpty(list []string, mark string) string {
	kept := make([]string, 0, len(list))
	for _, s := range list {
		if s != "" {
			kept = append(kept, s)
		}
	}
	return strings.Join(kept, mark)
}
