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
	return englishGap(wall, more, sameDay) + "; fires at " + fire
}

func (englishWords) skipped(wall string, more int, sameDay bool) string {
	return englishGap(wall, more, sameDay) + "; skipped"
}

// manyTimes is from how many times on they are not counted, see timesInGap.
const manyTimes = 99

func englishGap(wall string, more int, sameDay bool) string {
	does := " does not exist"
	switch {
	case more >= manyTimes:
		does = " and many other times do not exist"
	case more > 0:
		does = " and " + count(more, "other time") + " do not exist"
	}
	if sameDay {
		does += " that day"
	}
	return wall + does
}

func (englishWords) repeated(wall string, second bool) string {
	if second {
		return wall + " comes twice that day; this is the second"
	}
	return wall + " comes twice that day; this is the first"
}

func (englishWords) shifted(from, to string) string {
	return from + " is closed; fires at " + to
}

func (w englishWords) delayed(by time.Duration) string {
	return "delayed by " + w.length(lengthOf(by))
}

func (w englishWords) notes(list []string) string { return joinNonEmpty(list, w.semicolon()) }

func (englishWords) reboot() string { return "once each time a scheduler starts" }

func (englishWords) spread(text string, known bool) string {
	if known {
		return text + " (spread by the job's id)"
	}
	return text + " (an example: the job's id will choose)"
}

func (w englishWords) interval(i *Interval) string {
	unit, n := i.unit()
	if n == 1 && unit != "day" { // a day does not keep to a time of day
		return "every " + unit
	}
	return "every " + w.length(i)
}

func (englishWords) length(i *Interval) string {
	unit, n := i.unit()
	switch {
	case unit == "day" && n == 1:
		return "24 hours"
	case unit == "second" && short(n):
		return strconv.FormatInt(n, 10) + " s"
	case short(n):
		return count(int(n), unit)
	}
	d, h, m, s := i.lengths()
	text := func(n, unit string) string {
		if n == "0" {
			return ""
		}
		return n + " " + unit
	}
	return joinWords(text(strconv.FormatInt(d, 10), "d"), text(strconv.FormatInt(h, 10), "h"),
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
	switch {
	case months == "":
		in = ""
	case strings.Contains(months, " to "):
		in = ", " + months
	}
	weekdays := w.weekdays(p, true)
	oneWeekday := bits.OnesCount8(p.weekdays) == 1
	dates := w.dates(p)
	switch {
	case dates == "" && p.weekdays == allWeekdays:
		if at && months != "" {
			return " every day" + in
		}
		return in
	case dates == "":
		switch {
		case p.specialOrNone().weekdayNth != [6]uint8{}:
			weekdays = " on " + weekdays + " of the month"
		case oneWeekday && at:
			weekdays = " " + weekdays
		case oneWeekday:
			weekdays = " on " + englishWeekday(nextBit(uint64(p.weekdays), 0)) + "s"
		default:
			weekdays = ", " + weekdays
		}
		return weekdays + in
	case p.eitherDay && months == "":
		return " on " + dates + " of the month and " + weekdays
	case p.eitherDay:
		return " on " + dates + " and " + weekdays + in
	case isDate:
		dates = months
	case months == "":
		dates += " of every month"
	default:
		dates += " of " + months
	}
	if p.weekdays != allWeekdays {
		dates += ", if " + w.weekdays(p, false)
	}
	return " on " + dates
}

// weekdays gives the weekdays, and those of the month among them: the one and
// the other, or the one or the other.
func (englishWords) weekdays(p *plan, and bool) string {
	list := names(mondayFirst(p.weekdays), englishWeekday, " to ")
	word := "or"
	if and {
		word = "and"
		if bits.OnesCount8(p.weekdays) == 1 {
			list[0] = "every " + list[0]
		}
	}
	return joinEnglish(append(list, englishNth(p.specialOrNone().weekdayNth)...), word)
}

// englishNth gives weekdays of the month.
func englishNth(nth [6]uint8) (list []string) {
	eachNth(nth, func(which, weekday int) {
		text := "last"
		if which < lastOfMonth {
			text = ordinal(which + 1)
		}
		list = append(list, "the "+text+" "+englishWeekday(weekday))
	})
	return list
}

// ordinal gives 1st, 2nd and so on.
func ordinal(n int) string {
	end := "th"
	if n/10 != 1 {
		switch n % 10 {
		case 1:
			end = "st"
		case 2:
			end = "nd"
		case 3:
			end = "rd"
		}
	}
	return strconv.Itoa(n) + end
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
	special := p.specialOrNone()
	if special.nearest != 0 {
		var days []string
		for n := nextBit(uint64(special.nearest), 0); n < 32; n = nextBit(uint64(special.nearest), n+1) {
			days = append(days, ordinal(n))
		}
		list = append(list, "the working day"+plural(uint64(special.nearest))+" nearest to the "+joinEnglish(days, "and"))
	}
	list = append(list, englishNth(special.nth)...)
	list = append(list, beforeLast(special.fromEnd, englishBeforeLast)...)
	list = append(list, beforeLast(special.nearestEnd, func(n int) string {
		if n == 0 {
			return "the last working day"
		}
		return "the working day nearest to " + englishBeforeLast(n)
	})...)
	return joinEnglish(list, "and")
}

func englishBeforeLast(n int) string {
	switch n {
	case 0:
		return "the last day"
	case 1:
		return "the day before the last day"
	}
	return "the day " + strconv.Itoa(n) + " days before the last day"
}

// months gives the months; as dates if they have one day only.
func (w englishWords) months(p *plan) (text string, isDate bool) {
	if p.months == allMonths {
		return "", false
	}
	text = w.monthList(p.months)
	if bits.OnesCount16(p.months) == 1 && bits.OnesCount32(p.days) == 1 && p.special == nil && !p.eitherDay {
		return strconv.Itoa(nextBit(uint64(p.days), 0)) + " " + text, true
	}
	return text, false
}

func (englishWords) monthList(set uint16) string {
	return joinEnglish(names(uint64(set), func(n int) string { return time.Month(n).String() }, " to "), "and")
}

// day gives a date with its weekday.
func (englishWords) day(wall int64) string { return time.Unix(wall, 0).UTC().Format("Mon 2006-01-02") }

func (w englishWords) moment(wall int64, nanosecond int) string {
	return w.day(wall) + " " + clockTime(wall, nanosecond)
}

func (englishWords) twice(wall string, more int, choice OnFold) string {
	comes := " comes twice"
	switch {
	case more >= manyTimes:
		comes = " and many other times come twice"
	case more > 0:
		comes = " and " + count(more, "other time") + " come twice"
	}
	if choice == FoldBoth {
		return wall + comes + " that day; fires both times"
	}
	return wall + comes + " that day; fires the " + string(choice) + " time only"
}

func (englishWords) comma() string     { return ", " }
func (englishWords) semicolon() string { return "; " }

func (englishWords) change(fire string, isNew bool) string {
	if isNew {
		return fire + " is new"
	}
	return fire + " no longer fires"
}

func (englishWords) same(until string, compared int, complete bool) string {
	switch {
	case complete && compared == 0:
		return "neither fires"
	case complete:
		return "all fire times stay the same"
	case compared == 0:
		return "no difference was found, as it takes too long to find a fire time"
	}
	return "the next " + count(compared, "fire time") + " stay the same, up to " + until
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
	switch {
	case c.minute == 0:
	case c.unit == "minute":
		if c.from == "" {
			text += " from minute " + strconv.Itoa(c.minute) + " on"
		}
	default:
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

func (englishWords) calendarInterval(c *CalendarInterval) string {
	s, list := &c.spec, c.distance()
	_, month, day := c.firstDate()
	every, on := everyEnglish(list[0].n, list[0].unit), ""
	switch {
	case len(list) > 1:
		texts := make([]string, len(list))
		for i, a := range list {
			texts[i] = count(a.n, a.unit)
		}
		every = joinEnglish(texts, "and")
	case c.start == noStart:
	case s.Years > 0:
		on = " on " + strconv.Itoa(day) + " " + time.Month(month).String()
	case s.Months > 0:
		on = " on day " + strconv.Itoa(day)
	case s.Weeks > 0:
		on = " on " + time.Unix(c.first*secondsPerDay, 0).UTC().Weekday().String()
	}
	text := "every " + every + on + " at " + timeText(s.Hour, s.Minute, s.Second)
	switch {
	case !c.counted():
	case c.start == noStart:
		text += ", counted from the day on which the job is added"
	default:
		text += ", counted from " + time.Unix(c.first*secondsPerDay, 0).UTC().Format(time.DateOnly)
	}
	switch {
	case !c.lacksDays():
	case s.ShortMonth == ShortMonthLast:
		text += "; months without the day fire on their last day"
	case len(list) == 1 && s.Years > 0:
		text += "; years without the day are passed over"
	default:
		text += "; months without the day are passed over"
	}
	return text
}

func (w englishWords) dailyTime(d *DailyTimeInterval) string {
	days := w.days(&plan{days: allDays, months: allMonths, weekdays: d.weekdays}, d.once())
	from, to, next := d.window()
	switch {
	case d.once():
		if days == "" {
			days = " every day"
		}
		s := int(d.from)
		return "at " + timeText(s/3600, s/60%60, s%60) + days
	case from == "":
	case to == "":
		days = " from " + from + " to the end of the day" + days
	case next:
		days = " from " + from + " to " + to + " the next day" + days
	default:
		days = " from " + from + " to " + to + days
	}
	return "every " + everyEnglish(int(d.every()), string(d.unit)) + days
}

func (englishWords) datesList(at []string, more int) string {
	switch {
	case more > 0:
		at = append(at, strconv.Itoa(more)+" more")
	case len(at) == 1:
		return "once, at " + at[0]
	}
	return "once each at " + joinEnglish(at, "and")
}

func (w englishWords) all(parts []string) string {
	switch len(parts) {
	case 1:
		return w.parts(parts)
	case 2:
		return "when both fire at once: " + w.parts(parts)
	}
	return "when all fire at once: " + w.parts(parts)
}

func (w englishWords) any(parts []string) string {
	if len(parts) == 1 {
		return w.parts(parts)
	}
	return "at any of: " + w.parts(parts)
}

func (englishWords) parts(parts []string) string {
	list := make([]string, len(parts))
	for i, part := range parts {
		if list[i] = part; part == "" {
			list[i] = "a plan of another kind"
		}
		if len(parts) > 1 {
			list[i] = inBrackets(list[i], "; ", "(", ")")
		}
	}
	return strings.Join(list, "; ")
}

func (w englishWords) modified(text string, with *Modifiers) string {
	text = inBrackets(text, "; ", "(", ")")
	if with.Calendar != nil {
		text = joinNonEmpty([]string{text, with.Calendar.describe(w)}, ", ")
	}
	switch with.Limit {
	case 0:
	case 1:
		text += ", at most once"
	default:
		text += ", at most " + strconv.Itoa(with.Limit) + " times"
	}
	if with.Jitter != 0 {
		text += ", delayed by up to " + w.length(lengthOf(with.Jitter))
	}
	return text
}
