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
// the start and the end. It is "" for a trigger that is not of this package.
func Describe(t Trigger, lang Lang) string {
	if n, ok := t.(native); ok {
		return n.describe(wordsOf(lang))
	}
	return ""
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
	// plan joins what a plan's days and its times of day are called.
	plan(p *plan, c clock) string
	// The notes on fires, see Fire.
	moved(wall, fire string, more int, sameDay bool) string
	skipped(wall string, more int, sameDay bool) string
	repeated(wall string, second bool) string
	shifted(from, to string) string
	delayed(by time.Duration) string
	notes(list []string) string
}

// clock is the time-of-day part of a plan, in the form in which it is best
// said. The first of these that is set counts.
type clock struct {
	times    []string // "at these times"
	every    int      // "every so many units"
	unit     string   // "second", "minute" or "hour"
	from, to string   // of each day; "" for all of it
	minute   int      // within every hour, 0 if it is the full one
	second   int      // within every minute, 0 if it is the full one
}

// maxTimes is how many times of day are listed one by one.
const maxTimes = 6

func (p *plan) describe(w words) string {
	if p.never {
		return w.never()
	}
	return w.plan(p, p.clock())
}

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
	c := clock{second: second}
	times := bits.OnesCount64(p.minutes) * bits.OnesCount64(hours)
	switch {
	case bits.OnesCount64(p.minutes) == 1 && hourStep > 0 && times > 2:
		c.every, c.unit, c.minute = hourStep, "hour", minute
	case bits.OnesCount64(p.minutes) == 1 && hourRun && times >= 4:
		c.every, c.unit, c.second = 1, "hour", 0
		c.from, c.to = timeText(firstHour, minute, second), timeText(lastHour, minute, second)
	case cycle(p.minutes, 60) > 0 && (hourRun || hourStep == 1) && times > 2:
		c.every, c.unit = cycle(p.minutes, 60), "minute"
		if hourStep != 1 {
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
func joinWords(list ...string) string {
	kept := list[:0]
	for _, s := range list {
		if s != "" {
			kept = append(kept, s)
		}
	}
	return strings.Join(kept, " ")
}
