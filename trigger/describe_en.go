package trigger

import (
	"math/bits"
	"strconv"
	"strings"
	"time"
)

type englishWords struct{}

func (englishWords) never() string         { return "never, as no day matches" }
func (englishWords) once(at string) string { return "once, at " + at }

func (englishWords) moved(wall, fire string, more int, sameDay bool) string {
	does := " does not exist"
	if more > 0 {
		does = " and " + count(more, "other time") + " do not exist"
	}
	if sameDay {
		does += " that day"
	}
	return wall + does + "; fires at " + fire
}

func (englishWords) repeated(wall string, second bool) string {
	if second {
		return wall + " comes twice that day; this is the second"
	}
	return wall + " comes twice that day; this is the first"
}

func (englishWords) interval(i *Interval) string {
	unit, n := i.unit()
	switch {
	case unit == "day" && n == 1:
		return "every 24 hours" // it does not keep to a time of day
	case short(n):
		return "every " + everyEnglish(int(n), unit)
	}
	d, h, m, s := i.lengths()
	text := func(n, unit string) string {
		if n == "0" {
			return ""
		}
		return n + " " + unit
	}
	return "every " + joinWords(text(strconv.FormatInt(d, 10), "d"), text(strconv.FormatInt(h, 10), "h"),
		text(strconv.FormatInt(m, 10), "min"), text(s, "s"))
}

func everyEnglish(n int, unit string) string {
	switch {
	case n == 1:
		return unit
	case unit == "second":
		return strconv.Itoa(n) + " s"
	}
	return count(n, unit)
}

func (w englishWords) plan(p *plan, c clock) string {
	days := w.days(p, c.times != nil)
	if days == "" && c.times != nil {
		days = " every day"
	}
	if p.weeks != allWeeks {
		days += " in ISO week" + plural(p.weeks) + " " + joinEnglish(numbers(p.weeks, "-", englishSteps), "and")
	}
	if p.years != nil {
		days += " in " + joinEnglish(p.yearList("-", englishSteps), "and")
	}
	return w.clock(p, c) + days
}

// days gives the days, with their months.
func (w englishWords) days(p *plan, at bool) string {
	months, isDate := w.months(p)
	in := " in " + months
	if strings.Contains(months, " to ") {
		in = ", " + months
	}
	weekdays := joinEnglish(names(mondayFirst(p.weekdays), englishWeekday, " to "), "and")
	oneWeekday := bits.OnesCount8(p.weekdays) == 1
	dates := w.dates(p)
	switch {
	case dates == "" && p.weekdays == allWeekdays:
		switch {
		case months == "":
			return ""
		case at:
			return " every day" + in
		}
		return in
	case dates == "":
		switch {
		case oneWeekday && at:
			weekdays = " every " + weekdays
		case oneWeekday:
			weekdays = " on " + weekdays + "s"
		default:
			weekdays = ", " + weekdays
		}
		if months == "" {
			return weekdays
		}
		return weekdays + in
	case p.eitherDay:
		if oneWeekday {
			weekdays = "every " + weekdays
		}
		if months == "" {
			return " on " + dates + " of the month and " + weekdays
		}
		return " on " + dates + " and " + weekdays + in
	case isDate:
		dates = months
	case months == "":
		dates += " of every month"
	default:
		dates += " of " + months
	}
	if p.weekdays != allWeekdays {
		dates += ", if " + joinEnglish(names(mondayFirst(p.weekdays), englishWeekday, " to "), "or")
	}
	return " on " + dates
}

// dates gives the days of the month, "" if all will do.
func (englishWords) dates(p *plan) string {
	if !p.hasDates() {
		return ""
	}
	var list []string
	if p.days != 0 {
		list = append(list, "day"+plural(uint64(p.days))+" "+joinEnglish(numbers(uint64(p.days), "-", englishSteps), "and"))
	}
	for i, set := range p.specialOrNone().nth {
		for d := nextBit(mondayFirst(set), 1); d <= 7; d = nextBit(mondayFirst(set), d+1) {
			list = append(list, "the "+[]string{"1st", "2nd", "3rd", "4th", "5th", "last"}[i]+" "+englishWeekday(d))
		}
	}
	if p.specialOrNone().fromEnd&1 != 0 {
		list = append(list, "the last day")
	}
	return joinEnglish(list, "and")
}

// months gives the months; as dates if they have one day only.
func (w englishWords) months(p *plan) (text string, isDate bool) {
	if p.months == allMonths {
		return "", false
	}
	list := names(uint64(p.months), func(n int) string { return time.Month(n).String() }, " to ")
	text = joinEnglish(list, "and")
	if bits.OnesCount16(p.months) == 1 && bits.OnesCount32(p.days) == 1 && p.special == nil && !p.eitherDay {
		return strconv.Itoa(nextBit(uint64(p.days), 0)) + " " + text, true
	}
	return text, false
}

// clock gives the time of day.
func (englishWords) clock(p *plan, c clock) string {
	if c.times != nil {
		return "at " + joinEnglish(c.times, "and")
	}
	if c.every == 0 {
		return englishFields(p)
	}
	text := "every " + everyEnglish(c.every, c.unit)
	var at []string
	if c.minute != 0 {
		at = append(at, "minute "+strconv.Itoa(c.minute))
	}
	if c.second != 0 {
		at = append(at, "second "+strconv.Itoa(c.second))
	}
	if at != nil {
		text += " at " + strings.Join(at, ", ")
	}
	if c.from != "" {
		text += " from " + c.from + " to " + c.to
	}
	return text
}

// englishFields lists the fields of the time of day.
func englishFields(p *plan) string {
	one := func(set uint64, size int, unit string) (text string, every bool) {
		if n := cycle(set, size); n > 0 {
			return "every " + everyEnglish(n, unit), true
		}
		return unit + plural(set) + " " + joinEnglish(numbers(set, "-", englishSteps), "and"), false
	}
	second, everySecond := one(p.seconds, 60, "second")
	minute, everyMinute := one(p.minutes, 60, "minute")
	hour, _ := one(uint64(p.hours), 24, "hour")
	text, every := minute+" of "+hour, everyMinute
	if p.seconds != 1 {
		text, every = second+" of "+text, everySecond
	}
	if every {
		return text
	}
	return "at " + text
}

func englishSteps(values string, step int) string {
	return values + " in steps of " + strconv.Itoa(step)
}

func englishWeekday(n int) string { return time.Weekday(n % 7).String() }

func plural(set uint64) string {
	if bits.OnesCount64(set) == 1 {
		return ""
	}
	return "s"
}

// joinEnglish gives "a, b and c".
func joinEnglish(list []string, and string) string {
	if len(list) < 2 {
		return strings.Join(list, "")
	}
	last := len(list) - 1
	return strings.Join(list[:last], ", ") + " " + and + " " + list[last]
}

func (englishWords) calendarInterval(c *CalendarInterval) string { return "?" }
func (englishWords) dailyTime(d *DailyTimeInterval) string { return "?" }
func (englishWords) datesList(at []string, more int) string { return "?" }
func (englishWords) reboot() string { return "?" }
func (englishWords) all(parts []string) string { return "?" }
func (englishWords) any(parts []string) string { return "?" }
func (englishWords) modified(text string, with *Modifiers) string { return text }
func (englishWords) skipped(wall string, more int, sameDay bool) string { return "?" }
func (englishWords) shifted(from, to string) string { return "?" }
func (englishWords) delayed(by time.Duration) string { return "?" }
func (englishWords) notes(list []string) string { return joinWords(list...) }
