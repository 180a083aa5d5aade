package trigger

import (
	"math"
	"math/bits"
	"slices"
	"strconv"
	"strings"
	"time"
)

// RRule fires by a recurrence rule of iCalendar, RFC 5545 section 3.3.10, such
// as "FREQ=MONTHLY;BYDAY=-1FR": every last Friday.
//
// The rule is about what the clocks of the zone show, as for an event whose
// DTSTART has a TZID: what a change of the clocks does to its times is decided
// as for all plans, see the package documentation. FREQ=HOURLY, MINUTELY and
// SECONDLY mean "every so often", the others fixed times. Its times are whole
// seconds. The zero value is not of use, see [NewRRule].
type RRule struct {
	base
	recurrence
	text  string
	until until
}

// until is the last time that a rule may have. In UTC it is an instant, which
// in a repeated hour is more than what the clocks show.
type until struct {
	given, utc bool
	at         int64 // in Unix seconds, or wall-clock seconds
}

// maxCount is the highest COUNT: its times are counted when the trigger is made.
const maxCount = 10_000

// NewRRule makes a trigger of the value of an RRULE property, in any case and
// with or without "RRULE:" before it. opts.Start is the DTSTART: what the rule
// leaves open (time of day, weekday, day of the month, month) and the phase of
// INTERVAL are those of its wall-clock time in opts.Zone. It fires only if it
// fits the rule. Weeks begin on Monday unless WKST says otherwise.
//
// COUNT counts times of the clock, whether or not a change of the clocks lets
// them fire; it is 10,000 at most. UNTIL is the last instant (with Z), the last
// time of the clock (without), or a day of which all times count.
//
// Errors: an [*Error] that names start_date if opts.Start is unset or no whole
// second, and rule for a text that is no rule, for what the RFC forbids, and
// for an INTERVAL so odd that its meetings with the BYxxx parts would take long
// to find: one that comes back to a time of day after more than 1,000 days. A
// rule that no day meets is no error; it never fires.
func NewRRule(rule string, opts Options) (*RRule, error) {
	if len(rule) > maxExpression {
		return nil, &Error{Field: "rule", Given: rule, Problem: "is too long, allowed 1024 bytes"}
	}
	r := &RRule{}
	r.text = strings.TrimPrefix(strings.ToUpper(strings.TrimSpace(rule)), "RRULE:")
	p := ruleParser{recurrence: &r.recurrence}
	if err := p.parse(r.text); err != nil {
		return nil, err
	}
	if opts.Start.IsZero() {
		return nil, &Error{Field: "start_date", Problem: "is missing: it is the DTSTART that the rule is counted from"}
	}
	if opts.Start.Nanosecond() != 0 {
		return nil, &Error{Field: "start_date", Given: opts.Start.Format(time.RFC3339Nano), Problem: "has parts of a second, allowed whole ones"}
	}
	var err error
	if r.base, err = newBase(opts, r.freq < daily); err != nil {
		return nil, err
	}
	r.startAt(r.zone.wall(opts.Start.Unix()))
	if days := r.cycle(); days > maxCycle && r.limited() {
		return nil, &Error{
			Field: "rule", Given: "INTERVAL=" + strconv.FormatInt(r.interval, 10),
			Problem: "comes back to the same time of day only after " + strconv.FormatInt(days, 10) + " days, allowed with BYxxx parts up to 1000",
		}
	}
	r.settle()
	r.until = p.until
	if r.until.given && !r.until.utc {
		r.last = min(r.last, r.until.at)
	}
	return r, nil
}

// Next returns the first fire after the given instant.
func (r *RRule) Next(after time.Time) (time.Time, bool) {
	fire, ok := r.fire(r, after)
	if !ok || r.until.utc && fire.Unix() > r.until.at {
		return time.Time{}, false
	}
	return fire, true
}

func (r *RRule) kind() string     { return "rrule" }
func (r *RRule) clock() wallClock { return r }
func (r *RRule) encode(f *form)   { f.Rule = r.text }

// frequency is the length of the periods that a rule repeats in.
type frequency uint8

const (
	secondly frequency = iota
	minutely
	hourly
	daily
	weekly
	monthly
	yearly
)

func frequencies() []string {
	return []string{"SECONDLY", "MINUTELY", "HOURLY", "DAILY", "WEEKLY", "MONTHLY", "YEARLY"}
}

// unit gives the seconds of a period of up to a day.
func (f frequency) unit() int64 { return [...]int64{1, 60, 3600, secondsPerDay}[f] }

const secondsPerWeek = 7 * secondsPerDay

// recurrence is a rule as a plan of wall-clock times. Its periods (years,
// months, …, seconds) have numbers, and every interval-th of them counts from
// that of the first time on. In those, the times are what the BYxxx parts leave
// of all days and times of day: where the RFC lets a part "expand" a period and
// another "limit" it, this comes to the same, once what DTSTART stands in for
// is filled in.
type recurrence struct {
	freq          frequency
	interval      int64
	count         int    // 0 for no end
	weekStart     int    // 0 is Sunday
	times         plan   // of the day; only seconds, minutes and hours count
	months        uint16 // 0 for all, like the sets that follow
	monthDays     uint32 // bit n: the n-th day of the month
	monthDaysBack uint32 // bit n: the n-th counted from its end
	weeks         uint64
	weeksBack     uint64
	weekdays      uint8
	nth           []nthWeekday
	yearDays      []int
	positions     []int // BYSETPOS
	origin        int64 // the period of DTSTART
	first, last   int64 // DTSTART and the last time, in wall-clock seconds
	never         bool
}

// nthWeekday is a BYDAY with a number: counted from 1, or from -1 backwards.
type nthWeekday struct{ n, weekday int }

// ofYear tells whether weekdays are counted in the year, not in the month.
func (r *recurrence) ofYear() bool { return r.freq == yearly && r.months == 0 }

// startAt fills in what the rule leaves open, from the time of DTSTART.
func (r *recurrence) startAt(wall int64) {
	day, second := splitWall(wall)
	_, month, dom := civilDate(day)
	hasDays := r.monthDays|r.monthDaysBack != 0 || r.weekdays != 0 || r.nth != nil || r.yearDays != nil
	switch {
	case hasDays:
	case r.freq == weekly, r.weeks|r.weeksBack != 0:
		r.weekdays = 1 << floorMod(day+4, 7)
	case r.freq == monthly, r.freq == yearly:
		r.monthDays = 1 << dom
		if r.freq == yearly && r.months == 0 {
			r.months = 1 << month
		}
	}
	t := &r.times
	fill := func(set *uint64, above frequency, value int, all uint64) {
		if *set == 0 && r.freq >= above {
			*set = 1 << value
		} else if *set == 0 {
			*set = all
		}
	}
	hours := uint64(t.hours)
	fill(&hours, daily, second/3600, allHours)
	t.hours = uint32(hours)
	fill(&t.minutes, hourly, second/60%60, allSixty)
	fill(&t.seconds, minutely, second%60, allSixty)
	r.first, r.last = wall, lastDay*secondsPerDay+secondsPerDay-1
	r.origin = r.period(wall)
}

// settle finds out whether there are times at all, and where COUNT ends them.
func (r *recurrence) settle() {
	if r.positions != nil {
		r.dropPositions()
	}
	if r.never = r.neverFires(); r.never {
		r.last = r.first - 1
		return
	}
	at := r.first - 1
	for range r.count {
		next, ok := r.next(at + 1)
		if !ok {
			return
		}
		at = next
	}
	if r.count > 0 {
		r.last = at
	}
}

func (r *recurrence) neverFires() bool {
	if r.positions != nil && len(r.positions) == 0 || r.freq <= daily && !r.meets() {
		return true
	}
	// The calendar repeats after 400 years, and so do the times, after as many
	// times 400 years as it takes to end with a period that counts.
	periods := int64(400)
	switch r.freq {
	case yearly:
	case monthly:
		periods *= 12
	case weekly:
		periods = cycle400 / secondsPerWeek
	default:
		periods = cycle400 / r.freq.unit()
	}
	within := *r
	if cycles := r.interval / gcd(r.interval, periods); cycles < maxYear/400 {
		within.last = min(r.last, r.first+cycles*cycle400)
	}
	_, ok := within.next(r.first)
	return !ok
}

// dropPositions drops those that no period has.
func (r *recurrence) dropPositions() {
	days := 1
	switch r.freq {
	case weekly:
		days = bits.OnesCount8(r.weekdays)
	case monthly, yearly:
		days = 31
		if r.monthDays|r.monthDaysBack != 0 {
			days = bits.OnesCount32(r.monthDays) + bits.OnesCount32(r.monthDaysBack)
		}
		if r.weekdays != 0 || r.nth != nil {
			days = min(days, 5*bits.OnesCount8(r.weekdays)+len(r.nth))
		}
		if r.freq == yearly {
			days *= 14 // a year of whole weeks may touch the months on both sides
		}
	default:
	}
	times := r.timesOf(r.origin)
	most := days * times.perDay()
	r.positions = slices.DeleteFunc(r.positions, func(n int) bool { return max(n, -n) > most })
}

// meets tells whether the periods that count ever have an allowed weekday and
// time of day. For every week that is the same question: a search that may go
// on for ever is not begun.
func (r *recurrence) meets() bool {
	unit := r.freq.unit()
	step := gcd(r.interval*unit, secondsPerWeek)
	for at := floorMod(r.origin*unit, step); at < secondsPerWeek; at += step {
		day, second := splitWall(at)
		if r.weekdays != 0 && r.weekdays>>((day+4)%7)&1 == 0 {
			at += (secondsPerDay - 1 - int64(second)) / step * step // the last of the day
		} else if r.times.has(r.freq, second) {
			return true
		}
	}
	return false
}

// has tells whether a period that begins at a second of the day is allowed.
func (p *plan) has(f frequency, second int) bool {
	return (f >= daily || p.hours>>(second/3600)&1 != 0) &&
		(f >= hourly || p.minutes>>(second/60%60)&1 != 0) &&
		(f >= minutely || p.seconds>>(second%60)&1 != 0)
}

// maxCycle bounds the days to be searched for a time.
const maxCycle = 1000

// cycle gives the days after which the periods begin at the same time of day.
func (r *recurrence) cycle() int64 {
	if r.freq >= daily {
		return 1
	}
	step := r.interval * r.freq.unit()
	return step / gcd(step, secondsPerDay)
}

// limited tells whether not all periods of less than a day are allowed.
func (r *recurrence) limited() bool {
	return r.times.hours != allHours || r.freq < hourly && r.times.minutes != allSixty || r.freq < minutely && r.times.seconds != allSixty ||
		r.months != 0 || r.weekdays != 0 || r.monthDays|r.monthDaysBack != 0 || r.yearDays != nil
}

// next gives the first time at or after wall.
func (r *recurrence) next(wall int64) (int64, bool) {
	wall = max(wall, r.first)
	for wall <= r.last {
		at, ok := r.match(wall)
		if !ok {
			break
		}
		period := r.period(at)
		if ahead := floorMod(r.origin-period, r.interval); ahead != 0 {
			wall = r.begin(period + ahead)
			continue
		}
		if r.positions != nil {
			if at, ok = r.pick(period, wall); !ok {
				wall = r.begin(period + 1)
				continue
			}
		}
		return at, at <= r.last
	}
	return 0, false
}

// period gives the number of the period that holds a time. A rule with BYWEEKNO
// goes by years that consist of whole weeks.
func (r *recurrence) period(wall int64) int64 {
	day, _ := splitWall(wall)
	switch r.freq {
	case yearly:
		if r.weeks|r.weeksBack != 0 {
			return int64(r.weekYear(day))
		}
		year, _, _ := civilDate(day)
		return int64(year)
	case monthly:
		year, month, _ := civilDate(day)
		return int64(12*year + month - 1)
	case weekly:
		return floorDiv(day+4-int64(r.weekStart), 7)
	default:
		return floorDiv(wall, r.freq.unit())
	}
}

// begin gives the first second of a period.
func (r *recurrence) begin(period int64) int64 {
	switch r.freq {
	case yearly:
		if r.weeks|r.weeksBack != 0 {
			return r.firstWeek(int(period)) * secondsPerDay
		}
		return dayNumber(int(period), 1, 1) * secondsPerDay
	case monthly:
		return dayNumber(int(period/12), int(period%12)+1, 1) * secondsPerDay
	case weekly:
		return (7*period - 4 + int64(r.weekStart)) * secondsPerDay
	default:
		return period * r.freq.unit()
	}
}

// match gives the first time at or after wall whose day and time of day are
// allowed, in whatever period.
func (r *recurrence) match(wall int64) (int64, bool) {
	day, second := splitWall(wall)
	if day > lastDay {
		return 0, false
	}
	year, month, dom := civilDate(day)
	first := day - int64(dom) + 1
	days := r.days(year, month, first)
	if days>>dom&1 != 0 {
		if s, ok := r.times.nextSecond(second); ok {
			return day*secondsPerDay + int64(s), true
		}
	}
	days &^= 1<<(dom+1) - 1
	for days == 0 {
		if month++; month > 12 {
			year, month = year+1, 1
		}
		if year > maxYear {
			return 0, false
		}
		first = dayNumber(year, month, 1)
		days = r.days(year, month, first)
	}
	day = first + int64(bits.TrailingZeros32(days)) - 1
	return day*secondsPerDay + int64(r.times.firstSecond()), true
}

// days gives the allowed days of a month, whose first day is number first, as
// bits 1 to 31.
func (r *recurrence) days(year, month int, first int64) uint32 {
	if r.months != 0 && r.months>>month&1 == 0 {
		return 0
	}
	length := daysInMonth(year, month)
	days := uint64(1)<<(length+1) - 2
	if r.monthDays|r.monthDaysBack != 0 {
		days &= uint64(r.monthDays) | bits.Reverse64(uint64(r.monthDaysBack))>>(62-length)
	}
	start := floorMod(first+4, 7)
	if r.weekdays != 0 || r.nth != nil {
		on := uint64(spread(r.weekdays, uint(start)))
		// How many days of what they are counted in come before this month,
		// and how many there are.
		before, all := 0, length
		if r.ofYear() {
			before, all = int(first-dayNumber(year, 1, 1)), yearLength(year)
		}
		for _, w := range r.nth {
			from := 7*(w.n-1) + 1
			if w.n < 0 {
				from = all + 7*w.n + 1
			}
			on |= uint64(spread(1<<w.weekday, uint(start))) & sevenDays(from-before)
		}
		days &= on
	}
	if r.yearDays != nil && days != 0 {
		before := int(first - dayNumber(year, 1, 1))
		var on uint64
		for _, n := range r.yearDays {
			if n < 0 {
				n += yearLength(year) + 1
			}
			if n > before && n <= before+length {
				on |= 1 << (n - before)
			}
		}
		days &= on
	}
	if r.weeks|r.weeksBack != 0 && days != 0 {
		days &= r.weekDays(first, length)
	}
	return uint32(days)
}

// weekDays gives the days of a month that are in an allowed week of a year.
func (r *recurrence) weekDays(first int64, length int) (days uint64) {
	from := 1 - int(floorMod(first+4-int64(r.weekStart), 7))
	year := r.weekYear(first)
	begin, next := r.firstWeek(year), r.firstWeek(year+1)
	for ; from <= length; from += 7 {
		day := first + int64(from) - 1
		if day >= next {
			year++
			begin, next = next, r.firstWeek(year+1)
		}
		if r.weeks>>((day-begin)/7+1)&1 != 0 || r.weeksBack>>((next-day)/7)&1 != 0 {
			days |= sevenDays(from)
		}
	}
	return days
}

// sevenDays gives the days of a month from a day on, which may lie outside.
func sevenDays(from int) uint64 {
	if from < -6 || from > 31 {
		return 0
	}
	return 0x7f << (from + 7) >> 7
}

func yearLength(year int) int { return 337 + daysInMonth(year, 2) }

// firstWeek gives the first day of week 1, the first to have four days in the
// year.
func (r *recurrence) firstWeek(year int) int64 {
	fourth := dayNumber(year, 1, 4)
	return fourth - floorMod(fourth+4-int64(r.weekStart), 7)
}

// weekYear gives the year that a day's week belongs to.
func (r *recurrence) weekYear(day int64) int {
	year, _, _ := civilDate(day - floorMod(day+4-int64(r.weekStart), 7) + 3)
	return year
}

// pick gives the first time at or after wall that BYSETPOS picks out of a
// period. Positions count from the begin of the period, even if DTSTART comes
// later.
func (r *recurrence) pick(period, wall int64) (int64, bool) {
	var room [371]int64
	from, to := r.begin(period), r.begin(period+1)
	days := r.daysBetween(room[:0], floorDiv(from, secondsPerDay), floorDiv(to-1, secondsPerDay))
	times := r.timesOf(period)
	perDay := times.perDay()
	best := int64(math.MaxInt64)
	for _, n := range r.positions {
		i := n - 1
		if n < 0 {
			i = len(days)*perDay + n
		}
		if i < 0 || i >= len(days)*perDay {
			continue
		}
		if at := days[i/perDay]*secondsPerDay + times.nthSecond(i%perDay); at >= wall {
			best = min(best, at)
		}
	}
	return best, best != math.MaxInt64
}

// daysBetween adds the allowed days from one to another to a list.
func (r *recurrence) daysBetween(list []int64, from, to int64) []int64 {
	year, month, dom := civilDate(from)
	for first := from - int64(dom) + 1; first <= to; {
		days := r.days(year, month, first)
		for ; days != 0; days &= days - 1 {
			if day := first + int64(bits.TrailingZeros32(days)) - 1; day >= from && day <= to {
				list = append(list, day)
			}
		}
		first += int64(daysInMonth(year, month))
		if month++; month > 12 {
			year, month = year+1, 1
		}
	}
	return list
}

// timesOf gives the times of day of a period: of one below a day, those in it.
func (r *recurrence) timesOf(period int64) plan {
	times := plan{hours: r.times.hours, minutes: r.times.minutes, seconds: r.times.seconds}
	_, second := splitWall(r.begin(period))
	if r.freq <= hourly {
		times.hours = 1 << (second / 3600)
	}
	if r.freq <= minutely {
		times.minutes = 1 << (second / 60 % 60)
	}
	if r.freq == secondly {
		times.seconds = 1 << (second % 60)
	}
	return times
}

// perDay gives the number of times of day.
func (p *plan) perDay() int {
	return bits.OnesCount32(p.hours) * bits.OnesCount64(p.minutes) * bits.OnesCount64(p.seconds)
}

// nthSecond gives the n-th time of day, counted from 0.
func (p *plan) nthSecond(n int) int64 {
	seconds, minutes := bits.OnesCount64(p.seconds), bits.OnesCount64(p.minutes)
	hour, minute, second := n/(minutes*seconds), n/seconds%minutes, n%seconds
	return int64(nthBit(uint64(p.hours), hour)*3600 + nthBit(p.minutes, minute)*60 + nthBit(p.seconds, second))
}

// nthBit gives the n-th of a set, counted from 0.
func nthBit(set uint64, n int) int {
	for range n {
		set &= set - 1
	}
	return bits.TrailingZeros64(set)
}
