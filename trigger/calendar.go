package trigger

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Calendar says which days and which times of day are open for the fires of a
// trigger, and what becomes of a fire on a closed day: see [Modifiers].
//
// It is a list of layers, each of which opens or closes a set; where two say
// different things the later one counts. Days and times of day are apart: sets
// of [Weekly], [Days], [Annual] and [Monthly] say which days are open, sets of
// [DailyTime] and [CronTimes] say which times of an open day are. If the first
// layer of days opens, all days that no layer names are closed; else they are
// open; and so it is with the layers of times. A fire is open if both its day
// and its time are, as the clocks of the calendar's zone show them.
//
// The Chinese practice of 调休, for one, is three layers: Saturdays and Sundays
// closed, the holidays closed, the working days that make up for them open.
//
// A calendar is immutable and may be shared between triggers and goroutines.
// The zero value is a calendar in which all is open; others are made by
// [NewCalendar] and [ParseCalendar].
type Calendar struct {
	zone     *zone // nil: the trigger's
	onClosed OnClosed
	layers   []Layer
	days     daySet
	times    timeSet
}

// CalendarOptions are what a calendar takes besides its layers. The zero value
// is a calendar on the trigger's clocks that drops what is not open.
type CalendarOptions struct {
	// Zone is the time zone whose clocks say what day and time a fire has. Nil
	// means that of the trigger.
	Zone *time.Location
	// OnClosed says what becomes of a fire on a closed day. Empty means
	// ClosedSkip.
	OnClosed OnClosed
}

// OnClosed says what becomes of a fire on a day that a calendar closes. A fire
// at a closed time of an open day is dropped, whatever the choice.
type OnClosed string

// The choices of OnClosed. A fire that is moved keeps its time of day: a time
// that does not exist on the new day is the first instant after the gap, one
// that comes twice the first of the two. It is dropped if it comes to lie at a
// closed time, outside the trigger's start and end, or more than 366 days away.
// Fires that come to lie at the same instant are one.
const (
	ClosedSkip     OnClosed = "skip"     // the fire is dropped
	ClosedNext     OnClosed = "next"     // it moves to the next open day
	ClosedPrevious OnClosed = "previous" // it moves to the open day before
)

// Layer opens or closes a set of days or times, see [Exclude] and [Include].
type Layer struct {
	open bool
	set  CalendarSet
}

// Exclude is a layer that closes a set.
func Exclude(set CalendarSet) Layer { return Layer{open: false, set: set} }

// Include is a layer that opens a set.
func Include(set CalendarSet) Layer { return Layer{open: true, set: set} }

// CalendarSet is a set of days ([Weekly], [Days], [DateRanges], [Annual],
// [Monthly]) or of times of day ([DailyTime], [CronTimes]). What is wrong with
// it is said by [NewCalendar].
type CalendarSet struct {
	kind     setKind
	weekdays uint8 // bit 0 is Sunday
	dates    []DateRange
	annual   []annualRange
	days     uint32 // of the month
	from, to int    // seconds of the day; to is not in the set
	cron     *Quartz
	err      *Error
}

// setKind is the kind of a set as the JSON form names it.
type setKind string

const (
	weeklySet  setKind = "weekly"
	datesSet   setKind = "dates"
	annualSet  setKind = "annual"
	monthlySet setKind = "monthly"
	dailySet   setKind = "daily"
	cronSet    setKind = "cron"
)

// ofDays tells whether a set is of days; else it is of times of day.
func (k setKind) ofDays() bool { return k != dailySet && k != cronSet }

// What a calendar may have at most.
const (
	maxLayers    = 32
	maxDateItems = 10_000 // in all lists of dates together
	maxShift     = 366    // days
)

// Weekly is the set of some days of the week.
func Weekly(days ...time.Weekday) CalendarSet {
	s := CalendarSet{kind: weeklySet}
	for i, day := range days {
		if day < time.Sunday || day > time.Saturday {
			s.fail("days", i, strconv.Itoa(int(day)), "is not a weekday, allowed 0 (Sunday) to 6")
			continue
		}
		s.weekdays |= 1 << uint(day)
	}
	s.filled("days", len(days), "one to seven weekdays")
	return s
}

// Days is the set of some dates, such as "2026-12-25", and ranges of them,
// such as "2026-10-01/2026-10-07", whose last day belongs to it.
func Days(dates ...string) CalendarSet {
	s := CalendarSet{kind: datesSet}
	for i, text := range dates {
		r, err := ParseDateRange(text)
		if err != nil {
			s.failAs("dates", i, err)
			continue
		}
		s.dates = append(s.dates, r)
	}
	s.filled("dates", len(dates), rangeForms)
	return s
}

// DateRanges is the set of the days of some ranges of dates, like [Days].
func DateRanges(ranges ...DateRange) CalendarSet {
	s := CalendarSet{kind: datesSet, dates: slices.Clone(ranges)}
	for i, r := range ranges {
		s.dates[i].Last = r.last()
		if err := r.check(); err != nil {
			s.failAs("dates", i, err)
		}
	}
	s.filled("dates", len(ranges), rangeForms)
	return s
}

// Annual is the set of some days of each year, such as "12-25", and ranges of
// them, such as "12-30/01-02", which may go on into the next year.
func Annual(dates ...string) CalendarSet {
	s := CalendarSet{kind: annualSet}
	for i, text := range dates {
		first, last, isRange := strings.Cut(text, "/")
		if !isRange {
			last = first
		}
		var r annualRange
		var ok, okLast bool
		r.first, ok = parseMonthDay(first)
		r.last, okLast = parseMonthDay(last)
		if !ok || !okLast {
			s.fail("dates", i, text, "is not a day of the year, allowed "+annualForms)
			continue
		}
		s.annual = append(s.annual, r)
	}
	s.filled("dates", len(dates), annualForms)
	return s
}

// Monthly is the set of some days of each month, 1 to 31.
func Monthly(days ...int) CalendarSet {
	s := CalendarSet{kind: monthlySet}
	for i, day := range days {
		if day < 1 || day > 31 {
			s.fail("days", i, strconv.Itoa(day), "is out of range, allowed 1-31")
			continue
		}
		s.days |= 1 << uint(day)
	}
	s.filled("days", len(days), "days of the month, 1-31")
	return s
}

// DailyTime is the set of the times of each day from one time of day up to, but
// not including, another, in whole seconds as the clocks show them since
// midnight. If to is before from, it goes on past midnight. The zero to means
// midnight at the end of the day.
func DailyTime(from, to time.Duration) CalendarSet {
	s := CalendarSet{kind: dailySet}
	if to == 0 {
		to = secondsPerDay * time.Second
	}
	switch {
	case from < 0 || from >= secondsPerDay*time.Second || from%time.Second != 0:
		s.err = &Error{Field: "from", Given: from.String(), Problem: "is not a time of day, allowed whole seconds from 0s to 23h59m59s"}
	case to < 0 || to > secondsPerDay*time.Second || to%time.Second != 0:
		s.err = &Error{Field: "to", Given: to.String(), Problem: "is not a time of day, allowed whole seconds from 0s to 24h"}
	case from == to:
		s.err = &Error{Field: "to", Given: spanClock(int(to / time.Second)), Problem: "is the same as from, allowed another time: it is the first that is not in the set"}
	}
	s.from, s.to = int(from/time.Second), int(to/time.Second)
	return s
}

// CronTimes is the set of the seconds that a cron expression of the Quartz
// scheduler matches on the clocks, see [NewQuartz]: "* * 0-6 ? * *" is the time
// before 07:00.
func CronTimes(expression string) CalendarSet {
	s := CalendarSet{kind: cronSet}
	var err error
	if s.cron, err = NewQuartz(expression, Options{}); err != nil {
		s.err, _ = errors.AsType[*Error](err)
	}
	return s
}

// fail keeps the first error, which is that of an item of a list.
func (s *CalendarSet) fail(field string, i int, given, problem string) {
	if s.err == nil {
		s.err = &Error{Field: field + "[" + strconv.Itoa(i) + "]", Given: given, Problem: problem}
	}
}

func (s *CalendarSet) failAs(field string, i int, err error) {
	if e, ok := errors.AsType[*Error](err); ok {
		s.fail(field, i, e.Given, e.Problem)
	}
}

// filled refuses a list without items.
func (s *CalendarSet) filled(field string, n int, allowed string) {
	if n == 0 {
		s.err = &Error{Field: field, Problem: "is empty, allowed " + allowed}
	}
}

// NewCalendar makes a calendar of layers, of which the later one counts where
// two say different things. Errors: an [*Error] that names the part that is
// wrong as the JSON form does, such as "layers[2].dates[0]", for no layer or
// more than 32, and for more than 10,000 dates.
func NewCalendar(layers []Layer, opts CalendarOptions) (*Calendar, error) {
	c := &Calendar{layers: slices.Clone(layers)}
	if opts.Zone != nil {
		c.zone = zoneOf(opts.Zone)
	}
	switch opts.OnClosed {
	case "", ClosedSkip:
		c.onClosed = ClosedSkip
	case ClosedNext, ClosedPrevious:
		c.onClosed = opts.OnClosed
	default:
		return nil, &Error{Field: "on_closed", Given: string(opts.OnClosed), Problem: "is not known, allowed skip, next, previous"}
	}
	switch {
	case len(layers) == 0:
		return nil, &Error{Field: "layers", Problem: "is empty, allowed 1 to 32 layers"}
	case len(layers) > maxLayers:
		return nil, &Error{Field: "layers", Problem: "has " + count(len(layers), "layer") + ", allowed 1 to 32"}
	}
	items := 0
	for i, layer := range layers {
		switch items += len(layer.set.dates) + len(layer.set.annual); {
		case layer.set.err != nil:
			return nil, inLayer(layer.set.err, i)
		case layer.set.kind == "":
			return nil, inLayer(&Error{Problem: "has no set, allowed " + setKinds}, i)
		case items > maxDateItems:
			return nil, inLayer(&Error{Field: "dates", Problem: "are too many, allowed 10000 dates and ranges in all layers together"}, i)
		}
	}
	c.days = newDaySet(c.layers)
	c.times = newTimeSet(c.layers)
	return c, nil
}

// inLayer names the layer that has an error.
func inLayer(e *Error, i int) *Error {
	in := *e
	in.Field = "layers[" + strconv.Itoa(i) + "]"
	if e.Field != "" {
		in.Field += "." + e.Field
	}
	return &in
}

// Open tells whether an instant is open: whether its day and its time of day
// are, on the clocks of the calendar's zone. For a calendar without a zone of
// its own they are those of the instant's location.
func (c *Calendar) Open(at time.Time) bool {
	if c.zone != nil {
		at = at.In(c.zone.Location)
	}
	_, offset := at.Zone()
	return c.open(clampInstant(at.Unix()) + int64(offset))
}

// open tells whether a wall-clock second is open.
func (c *Calendar) open(wall int64) bool {
	day, second := splitWall(wall)
	return c.days.isOpen(day) && c.times.isOpen(day, second)
}

func clampInstant(second int64) int64 { return min(max(second, firstInstant), maxInstant) }

// CivilDate is a day of the calendar, without time and zone.
type CivilDate struct {
	Year  int // 1 to 9999
	Month time.Month
	Day   int
}

// CivilDateOf gives the day of an instant in its location.
func CivilDateOf(t time.Time) CivilDate {
	year, month, day := t.Date()
	return CivilDate{year, month, day}
}

// String gives the date as in "2026-10-01".
func (d CivilDate) String() string {
	return fmt.Sprintf("%04d-%02d-%02d", d.Year, int(d.Month), d.Day)
}

func (d CivilDate) valid() bool {
	return d.Year >= 1 && d.Year <= maxYear && d.Month >= 1 && d.Month <= 12 && d.Day >= 1 && d.Day <= daysInMonth(d.Year, int(d.Month))
}

// number counts the days from 1970-01-01.
func (d CivilDate) number() int64 { return dayNumber(d.Year, int(d.Month), d.Day) }

// DateRange is a range of days, its last day included.
type DateRange struct {
	First CivilDate
	Last  CivilDate // the zero value means First
}

const rangeForms = `dates such as "2026-12-25" and ranges such as "2026-10-01/2026-10-07"`

// ParseDateRange reads a date, such as "2026-12-25", or a range, such as
// "2026-10-01/2026-10-07". Errors: an [*Error].
func ParseDateRange(text string) (DateRange, error) {
	first, last, isRange := strings.Cut(text, "/")
	if !isRange {
		last = first
	}
	from, err := time.Parse(time.DateOnly, first)
	to, errTo := time.Parse(time.DateOnly, last)
	if err != nil || errTo != nil {
		return DateRange{}, &Error{Given: text, Problem: "is not a date, allowed " + rangeForms}
	}
	r := DateRange{CivilDateOf(from), CivilDateOf(to)}
	if err := r.check(); err != nil {
		return DateRange{}, err
	}
	return r, nil
}

func (r DateRange) last() CivilDate {
	if r.Last == (CivilDate{}) {
		return r.First
	}
	return r.Last
}

// check finds fault with a range.
func (r DateRange) check() error {
	switch first, last := r.First, r.last(); {
	case !first.valid() || !last.valid():
		return &Error{Given: r.String(), Problem: "is not a date of the years 1-9999"}
	case last.number() < first.number():
		return &Error{Given: r.String(), Problem: "runs backwards, allowed ranges whose last day is not before the first"}
	}
	return nil
}

// String gives the range as [ParseDateRange] reads it.
func (r DateRange) String() string {
	if r.last() == r.First {
		return r.First.String()
	}
	return r.First.String() + "/" + r.Last.String()
}

// annualRange is a range of days of each year.
type annualRange struct{ first, last monthDay }

type monthDay struct{ month, day int }

const annualForms = `days such as "12-25" and ranges such as "12-30/01-02"`

func parseMonthDay(text string) (d monthDay, ok bool) {
	r := reader{rest: text, ok: true}
	d.month = r.number(2, 2)
	r.one("-")
	d.day = r.number(2, 2)
	ok = r.ok && r.rest == "" && d.month >= 1 && d.month <= 12 && d.day >= 1 && d.day <= daysInMonth(leapYear, d.month)
	return d, ok
}

// leapYear is any year that has a 29 February.
const leapYear = 2000

func (d monthDay) String() string {
	return fmt.Sprintf("%02d-%02d", d.month, d.day)
}

func (r annualRange) String() string {
	if r.last == r.first {
		return r.first.String()
	}
	return r.first.String() + "/" + r.last.String()
}

// addTo adds the days of the range to those of the months.
func (r annualRange) addTo(months *[13]uint32) {
	for d := r.first; ; {
		months[d.month] |= 1 << uint(d.day)
		if d == r.last {
			return
		}
		if d.day++; d.day > daysInMonth(leapYear, d.month) {
			d.day = 1
			d.month = d.month%12 + 1
		}
	}
}

// spanClock writes a second of the day, of which the end of the day is one.
func spanClock(second int) string {
	if second == secondsPerDay {
		return "24:00:00"
	}
	return clockText(int64(second))
}
