package trigger

import (
	"cmp"
	"math/bits"
	"slices"
)

// daySet is what the layers of days of a calendar come to: which days are open.
// The zero value has all of them open.
//
// Dates cut time into segments. In each of them the last layer of dates that
// holds it (or, without one, what the first layer of days says) decides, unless
// a later rule that comes back every year or week does.
type daySet struct {
	rules    []dayRule
	segments []daySegment // the first begins with firstDay
}

// dayRule opens or closes the days that are both of these months, as bits 1 to
// 31 of each, and of these weekdays.
type dayRule struct {
	months   [13]uint32
	weekdays uint8
	open     bool
}

type daySegment struct {
	start     int64
	rule      int  // the first that applies
	open      bool // what is said of days that no rule names
	hasOpen   bool // whether such a segment can have open days,
	hasClosed bool // and closed ones
}

// The days that a fire may be on, on any clock. With the year 9999 they end.
const (
	firstDay = firstInstant/secondsPerDay - 2
	endDay   = lastDay + 1 // all from here on are closed
)

func newDaySet(layers []Layer) daySet {
	var s daySet
	type dateLayer struct {
		ranges []dayRange
		rule   int // the first of a later layer
		open   bool
	}
	var dates []dateLayer
	isOpen, begun := true, false
	for _, layer := range layers {
		if !layer.set.kind.ofDays() {
			continue
		}
		if !begun {
			isOpen, begun = !layer.open, true
		}
		if layer.set.kind == datesSet {
			dates = append(dates, dateLayer{dayRanges(layer.set.dates), len(s.rules), layer.open})
		} else {
			s.rules = append(s.rules, layer.rule())
		}
	}
	if !begun {
		return s
	}
	starts := []int64{firstDay}
	for _, layer := range dates {
		for _, r := range layer.ranges {
			starts = append(starts, r.first, r.last+1)
		}
	}
	slices.Sort(starts)
	known := map[daySegment]daySegment{} // by what it is but for its start
	for _, start := range slices.Compact(starts) {
		g := daySegment{open: isOpen}
		for i := range slices.Backward(dates) {
			layer := &dates[i]
			for len(layer.ranges) > 0 && layer.ranges[0].last < start {
				layer.ranges = layer.ranges[1:]
			}
			if len(layer.ranges) > 0 && layer.ranges[0].first <= start {
				g.rule, g.open = layer.rule, layer.open
				break
			}
		}
		full, ok := known[g]
		if !ok {
			full = g
			full.hasOpen, full.hasClosed = s.has(&g)
			known[g] = full
		}
		full.start = start
		if n := len(s.segments); n > 0 && s.segments[n-1].rule == full.rule && s.segments[n-1].open == full.open {
			continue
		}
		s.segments = append(s.segments, full)
	}
	s.segments = slices.Clip(s.segments)
	return s
}

type dayRange struct{ first, last int64 }

// dayRanges gives the days of ranges, in order and without overlap.
func dayRanges(dates []DateRange) []dayRange {
	ranges := make([]dayRange, len(dates))
	for i, r := range dates {
		ranges[i] = dayRange{r.First.number(), r.last().number()}
	}
	slices.SortFunc(ranges, func(a, b dayRange) int { return cmp.Compare(a.first, b.first) })
	merged := ranges[:0]
	for _, r := range ranges {
		if n := len(merged); n > 0 && r.first <= merged[n-1].last+1 {
			merged[n-1].last = max(merged[n-1].last, r.last)
			continue
		}
		merged = append(merged, r)
	}
	return merged
}

// rule gives the days that a layer other than one of dates names.
func (l *Layer) rule() dayRule {
	r := dayRule{open: l.open, weekdays: allWeekdays}
	for month := range r.months {
		r.months[month] = allDays
	}
	switch l.set.kind {
	case weeklySet:
		r.weekdays = l.set.weekdays
	case annualSet:
		r.months = [13]uint32{}
		for _, days := range l.set.annual {
			days.addTo(&r.months)
		}
	case monthlySet:
		for month := range r.months {
			r.months[month] = l.set.days
		}
	case datesSet, dailySet, cronSet:
	}
	return r
}

// has tells whether a segment that is long enough has open and closed days.
// There are 14 kinds of years.
func (s *daySet) has(g *daySegment) (isOpen, closed bool) {
	for _, year := range []int{leapYear, leapYear + 1} {
		for weekday := range 7 {
			for month := 1; month <= 12; month++ {
				length := daysInMonth(year, month)
				days := s.month(g, month, weekday, length)
				isOpen = isOpen || days != 0
				closed = closed || days != 1<<uint(length+1)-2
				weekday = (weekday + length) % 7
			}
		}
	}
	return isOpen, closed
}

// month gives the open days of a month that begins on a weekday and lies in a
// segment, as bits.
func (s *daySet) month(g *daySegment, month, start, length int) uint32 {
	var days uint32
	if g.open {
		days = allDays
	}
	for i := g.rule; i < len(s.rules); i++ {
		r := &s.rules[i]
		if named := r.months[month] & spread(r.weekdays, uint(start)); r.open {
			days |= named
		} else {
			days &^= named
		}
	}
	return days & (1<<uint(length+1) - 2)
}

// segment gives the index of the segment of a day.
func (s *daySet) segment(day int64) int {
	i, found := slices.BinarySearchFunc(s.segments, day, func(g daySegment, day int64) int { return cmp.Compare(g.start, day) })
	if !found && i > 0 {
		i--
	}
	return i
}

// end gives the day after a segment.
func (s *daySet) end(i int) int64 {
	if i+1 < len(s.segments) {
		return s.segments[i+1].start
	}
	return endDay
}

// isOpen tells whether a day is open.
func (s *daySet) isOpen(day int64) bool {
	if len(s.segments) == 0 || day >= endDay {
		return day < endDay
	}
	g := &s.segments[s.segment(day)]
	if !g.hasOpen || !g.hasClosed {
		return g.hasOpen
	}
	year, month, dom := civilDate(max(day, firstDay))
	first := day - int64(dom) + 1
	return s.month(g, month, weekdayOf(first), daysInMonth(year, month))>>uint(dom)&1 != 0
}

// next gives the first day from day on that is open, or closed.
func (s *daySet) next(day int64, isOpen bool) (int64, bool) {
	day = max(day, firstDay)
	if len(s.segments) == 0 {
		return day, isOpen && day < endDay
	}
	for i := s.segment(day); day < endDay; i++ {
		if day, ok := s.nextIn(i, day, isOpen); ok {
			return day, true
		}
		day = s.end(i)
	}
	return 0, false
}

// nextIn is next for what is left of a segment.
func (s *daySet) nextIn(i int, day int64, isOpen bool) (int64, bool) {
	g, end := &s.segments[i], s.end(i)
	if !g.hasOpen || !g.hasClosed { // all days are the same
		return day, g.hasOpen == isOpen
	}
	year, month, dom := civilDate(day)
	first := day - int64(dom) + 1
	for weekday := weekdayOf(first); first < end; dom = 1 {
		length := daysInMonth(year, month)
		days := s.month(g, month, weekday, length)
		if !isOpen {
			days = ^days & (1<<uint(length+1) - 2)
		}
		if d := nextBit(uint64(days), dom); d <= length {
			day = first + int64(d) - 1
			return day, day < end
		}
		first += int64(length)
		weekday = (weekday + length) % 7
		if month++; month > 12 {
			year, month = year+1, 1
		}
	}
	return 0, false
}

// previous gives the last open day up to day that is not before least; ok is
// false if there is none.
func (s *daySet) previous(day, least int64) (int64, bool) {
	least = max(least, firstDay)
	if len(s.segments) == 0 {
		return day, day >= least
	}
	i := s.segment(day)
	for day >= least {
		g := &s.segments[i]
		if day < g.start {
			i--
			continue
		}
		if !g.hasClosed {
			return day, true
		}
		start := g.start
		if g.hasOpen {
			year, month, dom := civilDate(day)
			start = max(start, day-int64(dom)+1)
			days := s.month(g, month, weekdayOf(day-int64(dom)+1), daysInMonth(year, month)) & (1<<uint(dom+1) - 1)
			if last := day - int64(dom) + int64(bits.Len32(days)) - 1; days != 0 && last >= start {
				return last, last >= least
			}
		}
		day = start - 1
	}
	return 0, false
}

// weekdayOf is weekday for any day.
func weekdayOf(day int64) int { return int(floorMod(day+4, 7)) }
