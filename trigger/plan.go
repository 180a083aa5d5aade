package trigger

// plan holds the fields of a cron, crontab or quartz expression as bit sets: bit
// n of a set stands for the value n. It knows wall-clock time only, no zones.
type plan struct {
	seconds, minutes uint64
	weeks            uint64 // ISO weeks; allWeeks when unrestricted
	years            []span
	special          *specialDays
	days             uint32
	hours            uint32
	months           uint16
	weekdays         uint8 // bit 0 is Sunday
	eitherDay        bool  // crontab: days or weekdays, instead of both
	elapsed          bool  // fires "every so often", see the package doc
	never            bool  // no day of the calendar matches
	everyDay         bool  // all of them do
}

// specialDays are days that no number stands for. Those named by their date
// belong to the days of a plan, those named by weekday in the weekday field to
// its weekdays.
type specialDays struct {
	nth        [6]uint8 // days: weekdays of 1st to 5th <weekday>, then of last <weekday>
	weekdayNth [6]uint8 // the same, as weekdays: fri#2, friL
	fromEnd    uint32   // bit n: n days before the last of the month
	nearest    uint32   // bit n: the working day (Monday to Friday) nearest to the n-th
	nearestEnd uint32   // bit n: that nearest to n days before the last
}

const (
	allSixty    = 1<<60 - 1
	allHours    = 1<<24 - 1
	allDays     = 1<<32 - 2
	allMonths   = 1<<13 - 2
	allWeekdays = 1<<7 - 1
	allWeeks    = 1<<54 - 2
	lastOfMonth = 5 // index into specialDays.nth
)

// lastDay is the last day that a plan knows, 9999-12-31.
const lastDay = (253402300800 / secondsPerDay) - 1

// specials gives the special days, to be added to.
func (p *plan) specials() *specialDays {
	if p.special == nil {
		p.special = new(specialDays)
	}
	return p.special
}

// specialOrNone gives the special days for reading.
func (p *plan) specialOrNone() specialDays {
	if p.special == nil {
		return specialDays{}
	}
	return *p.special
}

// finish computes what is known once all fields are set.
func (p *plan) finish() {
	p.everyDay = p.days == allDays && p.weekdays == allWeekdays && p.months == allMonths && p.weeks == allWeeks && p.years == nil
	if p.everyDay {
		return
	}
	_, ok := p.next(dayNumber(p.nextYear(minYear), 1, 1) * secondsPerDay)
	p.never = !ok
}

// next gives the first matching wall-clock second at or after wall.
func (p *plan) next(wall int64) (int64, bool) {
	if p.never {
		return 0, false
	}
	day, second := splitWall(wall)
	if day < 0 {
		day, second = 0, 0
	}
	if day > lastDay {
		return 0, false
	}
	if p.everyDay {
		if s, ok := p.nextSecond(second); ok {
			return day*secondsPerDay + int64(s), true
		}
		return (day+1)*secondsPerDay + int64(p.firstSecond()), day < lastDay
	}
	year, month, dom := civilDate(day)
	var mask uint32
	if p.months>>uint(month)&1 != 0 && p.nextYear(year) == year {
		mask = p.monthDays(year, month, day-int64(dom)+1)
		if mask>>uint(dom)&1 != 0 {
			if second, ok := p.nextSecond(second); ok {
				return day*secondsPerDay + int64(second), true
			}
		}
	}
	if d := nextBit(uint64(mask), dom+1); d < 32 {
		day += int64(d - dom)
	} else {
		var ok bool
		if day, ok = p.dayAfterMonth(year, month); !ok {
			return 0, false
		}
	}
	return day*secondsPerDay + int64(p.firstSecond()), true
}

// dayAfterMonth gives the first matching day after the given month.
func (p *plan) dayAfterMonth(year, month int) (int64, bool) {
	last := maxYear
	if p.years == nil {
		last = min(last, year+400) // the calendar repeats after 400 years
	} else if y := p.nextYear(year); y != year {
		year, month = y, 0
	}
	for {
		month = nextBit(uint64(p.months), month+1)
		if month > 12 {
			year, month = p.nextYear(year+1), nextBit(uint64(p.months), 1)
		}
		if year > last {
			return 0, false
		}
		first := dayNumber(year, month, 1)
		if mask := p.monthDays(year, month, first); mask != 0 {
			return first + int64(nextBit(uint64(mask), 1)) - 1, true
		}
	}
}

// nextYear gives the first matching year at or after year; more than maxYear
// when there is none.
func (p *plan) nextYear(year int) int {
	if p.years == nil {
		return year
	}
	best := maxYear + 1
	for _, r := range p.years {
		y := r.first
		if year > y {
			y += (year - y + r.step - 1) / r.step * r.step
		}
		if y <= r.last && y < best {
			best = y
		}
	}
	return best
}

// monthDays gives the matching days of a month, whose first day is number
// first, as bits 1 to 31.
func (p *plan) monthDays(year, month int, first int64) uint32 {
	length := daysInMonth(year, month)
	start := uint(weekday(first))
	days, weekdays := p.days, spread(p.weekdays, start)
	if s := p.special; s != nil {
		days |= s.days(length, start)
		weekdays |= nthDays(&s.weekdayNth, length, start)
	}
	if p.eitherDay {
		days |= weekdays
	} else {
		days &= weekdays
	}
	days &= 1<<uint(length+1) - 2
	if p.weeks != allWeeks && days != 0 {
		days &= p.weekDays(first)
	}
	return days
}

// days gives those special days of a month that are named by their date. start
// is the weekday of the first.
func (s *specialDays) days(length int, start uint) uint32 {
	days := nthDays(&s.nth, length, start)
	for n := nextBit(uint64(s.fromEnd), 0); n < length; n = nextBit(uint64(s.fromEnd), n+1) {
		days |= 1 << uint(length-n)
	}
	for n := nextBit(uint64(s.nearest), 0); n <= length; n = nextBit(uint64(s.nearest), n+1) {
		days |= 1 << uint(workingDay(n, length, start))
	}
	for n := nextBit(uint64(s.nearestEnd), 0); n < length; n = nextBit(uint64(s.nearestEnd), n+1) {
		days |= 1 << uint(workingDay(length-n, length, start))
	}
	return days
}

// workingDay gives the day from Monday to Friday that is nearest to a day of a
// month, in the same month (Quartz, CronExpression: "W").
func workingDay(day, length int, start uint) int {
	switch weekday := (int(start) + day - 1) % 7; {
	case weekday == 6 && day == 1:
		return 3
	case weekday == 6:
		return day - 1
	case weekday == 0 && day == length:
		return day - 2
	case weekday == 0:
		return day + 1
	}
	return day
}

// nthDays gives the days of the 1st to 5th and the last of some weekdays.
func nthDays(nth *[6]uint8, length int, start uint) (days uint32) {
	for i, set := range nth[:lastOfMonth] {
		days |= spread(set, start) & (allWeekdays << uint(7*i+1))
	}
	return days | spread(nth[lastOfMonth], start)&(allWeekdays<<uint(length-6))
}

// spread repeats a set of weekdays over the days 1 to 31 of a month that
// begins on weekday start.
func spread(set uint8, start uint) uint32 {
	const everySeventh = 1 | 1<<7 | 1<<14 | 1<<21 | 1<<28 | 1<<35
	return uint32(uint64(set) * everySeventh >> start << 1)
}

// weekDays gives the days of the matching ISO weeks in the month that begins
// on day first.
func (p *plan) weekDays(first int64) uint32 {
	var days uint64
	// Day of the month of the first week's Monday, 1 or less.
	for monday := 1 - (weekday(first)+6)%7; monday <= 31; monday += 7 {
		if p.weeks>>uint(isoWeek(first+int64(monday)-1))&1 == 0 {
			continue
		}
		days |= allWeekdays << uint(monday+6) >> 6 // monday may be negative
	}
	return uint32(days)
}

// nextSecond gives the first matching second of a day at or after second.
func (p *plan) nextSecond(second int) (int, bool) {
	hour, minute := second/3600, second/60%60
	second %= 60
	if p.hours>>uint(hour)&1 != 0 {
		if p.minutes>>uint(minute)&1 != 0 {
			if s := nextBit(p.seconds, second); s < 60 {
				return hour*3600 + minute*60 + s, true
			}
		}
		if m := nextBit(p.minutes, minute+1); m < 60 {
			return hour*3600 + m*60 + nextBit(p.seconds, 0), true
		}
	}
	if h := nextBit(uint64(p.hours), hour+1); h < 24 {
		return h*3600 + nextBit(p.minutes, 0)*60 + nextBit(p.seconds, 0), true
	}
	return 0, false
}

// firstSecond gives the first matching second of a day.
func (p *plan) firstSecond() int {
	return nextBit(uint64(p.hours), 0)*3600 + nextBit(p.minutes, 0)*60 + nextBit(p.seconds, 0)
}
