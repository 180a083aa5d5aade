package trigger

import "time"

// CalendarInterval fires every so many days, weeks, months or years of the
// calendar, at one time of day.
type CalendarInterval struct {
	base
	spec  CalendarIntervalSpec
	first int64 // the day that the others are counted from, see dayNumber
}

// CalendarIntervalSpec is the distance of the fires of a [CalendarInterval],
// and their time of day. At least one of the first four is above zero.
//
// The fires are the days of the start plus the distance, plus twice the
// distance, and so on, each counted from the start: the years and months
// first, keeping the day of the month, then the weeks and days. A month that
// does not have the day is passed over, or fires on its last day; either way
// the day is not lost for the months that follow.
type CalendarIntervalSpec struct {
	Years, Months, Weeks, Days int
	Hour, Minute, Second       int // the time of day, on the zone's clocks
	// ShortMonth says what becomes of a month that does not have the day.
	// Empty means ShortMonthSkip.
	ShortMonth ShortMonth
}

// ShortMonth says what a calendar interval does in a month that lacks its day.
type ShortMonth string

// The choices of ShortMonth.
const (
	ShortMonthSkip ShortMonth = "skip" // passes over the month
	ShortMonthLast ShortMonth = "last" // fires on the last day of the month
)

// maxDistance bounds the distance in each unit: beyond, no second fire could
// come before the year 9999.
const maxDistance = 3_652_059

// NewCalendarInterval makes a trigger that fires first on the day of
// opts.Start, or on the next by the distance if its time of day is past at the
// start; days are those of opts.Zone. Without a start its phase is not fixed
// yet (see [Anchor]), and days are counted from 1970-01-01. Errors: an
// [*Error] that names the field.
func NewCalendarInterval(spec CalendarIntervalSpec, opts Options) (*CalendarInterval, error) {
	sum := 0
	for _, part := range []struct {
		name       string
		value, max int
		distance   bool
	}{
		{"years", spec.Years, maxDistance, true},
		{"months", spec.Months, maxDistance, true},
		{"weeks", spec.Weeks, maxDistance, true},
		{"days", spec.Days, maxDistance, true},
		{"hour", spec.Hour, 23, false},
		{"minute", spec.Minute, 59, false},
		{"second", spec.Second, 59, false},
	} {
		if part.value < 0 || part.value > part.max {
			return nil, outOfRange(part.name, part.value, 0, part.max)
		}
		if part.distance {
			sum += part.value
		}
	}
	if sum == 0 {
		return nil, &Error{Problem: "the interval is 0: years, months, weeks and days are added up, and one of them must be above 0"}
	}
	switch spec.ShortMonth {
	case "":
		spec.ShortMonth = ShortMonthSkip
	case ShortMonthSkip, ShortMonthLast:
	default:
		return nil, &Error{Field: "on_short_month", Given: string(spec.ShortMonth), Problem: "is not known, allowed skip, last"}
	}
	c := &CalendarInterval{spec: spec}
	var err error
	if c.base, err = newBase(opts, false); err != nil {
		return nil, err
	}
	c.count()
	return c, nil
}

// count sets the day that fires are counted from.
func (c *CalendarInterval) count() {
	if c.start != noStart {
		c.first, _ = splitWall(c.zone.wall(floorDiv(c.start, 1e6)))
	}
}

// Next returns the first fire after the given instant.
func (c *CalendarInterval) Next(after time.Time) (time.Time, bool) { return c.fire(c, after) }

func (c *CalendarInterval) kind() string            { return "calendar_interval" }
func (c *CalendarInterval) clock() wallClock        { return c }
func (c *CalendarInterval) describe(w words) string { return w.calendarInterval(c) }

func (c *CalendarInterval) encode(f *form) {
	s := &c.spec
	f.Years, f.Months, f.Weeks, f.Days = int64(s.Years), int64(s.Months), int64(s.Weeks), int64(s.Days)
	f.Hour, f.Minute, f.Second = s.Hour, s.Minute, s.Second
	if s.ShortMonth != ShortMonthSkip {
		f.OnShortMonth = string(s.ShortMonth)
	}
}

// firstDate gives the date that fires are counted from.
func (c *CalendarInterval) firstDate() (year, month, day int) { return civilDate(c.first) }

// startingAt fixes the day that fires are counted from.
func (c *CalendarInterval) startingAt(at time.Time) Trigger {
	if c.start != noStart {
		return c
	}
	anchored := *c
	anchored.start = ceilMicro(at)
	anchored.count()
	return &anchored
}

// next gives the first fire at or after a time of the zone's clocks.
func (c *CalendarInterval) next(wall int64) (int64, bool) {
	s := &c.spec
	clock := int64(s.Hour*3600 + s.Minute*60 + s.Second)
	day, second := splitWall(max(wall, c.first*secondsPerDay))
	if int64(second) > clock {
		day++
	}
	if day > lastDay {
		return 0, false
	}
	months, days := int64(12*s.Years+s.Months), int64(7*s.Weeks+s.Days)
	if months == 0 {
		day = c.first + (day-c.first+days-1)/days*days
		return day*secondsPerDay + clock, day <= lastDay
	}
	// Begin with a number of distances that is surely not too high: a month
	// has 31 days at most.
	n := max(0, (day-c.first)/(31*months+days)-1)
	if days == 0 {
		year, month, _ := civilDate(day)
		first, firstMonth, _ := civilDate(c.first)
		n = max(0, int64(12*(year-first)+month-firstMonth)/months-1)
	}
	for {
		d, ok := c.day(n, months, days)
		if d > lastDay {
			return 0, false
		}
		if ok && d >= day {
			return d*secondsPerDay + clock, true
		}
		n++
	}
}

// day gives the n-th day; ok is false if its month does not have it.
func (c *CalendarInterval) day(n, months, days int64) (day int64, ok bool) {
	year, month, dom := civilDate(c.first)
	m := int64(month) - 1 + n*months
	if year += int(m / 12); year > maxYear {
		return lastDay + 1, false
	}
	month = int(m%12) + 1
	ok = true
	if length := daysInMonth(year, month); dom > length {
		dom, ok = length, c.spec.ShortMonth == ShortMonthLast
	}
	return dayNumber(year, month, dom) + n*days, ok
}

func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}
