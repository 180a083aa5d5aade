package trigger

import "slices"

// timeSet is what the layers of times of a calendar come to: which times of a
// day are open. The zero value has all of them open.
type timeSet struct {
	rules  []timeRule
	closed bool        // what is said of times that no rule names
	cron   bool        // one of the rules is a cron expression
	spans  []clockSpan // without such: the open times of each day, in order
}

// timeRule opens or closes the seconds that plan matches or, without one, those
// from one second of the day up to another.
type timeRule struct {
	plan     *plan
	from, to int // to may be before from
	open     bool
}

// clockSpan is the seconds of a day from one up to another.
type clockSpan struct{ from, to int }

func newTimeSet(layers []Layer) timeSet {
	var s timeSet
	edges := []int{0, secondsPerDay}
	for _, layer := range layers {
		if layer.set.kind.ofDays() {
			continue
		}
		r := timeRule{open: layer.open, from: layer.set.from, to: layer.set.to}
		if layer.set.cron != nil {
			r.plan, s.cron = &layer.set.cron.plan, true
		}
		if s.rules == nil {
			s.closed = layer.open
		}
		s.rules = append(s.rules, r)
		edges = append(edges, r.from, r.to)
	}
	if s.rules == nil || s.cron {
		return s
	}
	slices.Sort(edges)
	edges = slices.Compact(edges)
	for i, from := range edges[:len(edges)-1] {
		if !s.isOpen(0, from) {
			continue
		}
		if n := len(s.spans); n > 0 && s.spans[n-1].to == from {
			s.spans[n-1].to = edges[i+1]
		} else {
			s.spans = append(s.spans, clockSpan{from, edges[i+1]})
		}
	}
	return s
}

// isOpen tells whether a second of a day is open.
func (s *timeSet) isOpen(day int64, second int) bool {
	for i := range slices.Backward(s.rules) {
		if r := &s.rules[i]; r.names(day, second) {
			return r.open
		}
	}
	return !s.closed
}

func (r *timeRule) names(day int64, second int) bool {
	if r.plan != nil {
		return r.plan.hours>>uint(second/3600)&1 != 0 && r.plan.minutes>>uint(second/60%60)&1 != 0 &&
			r.plan.seconds>>uint(second%60)&1 != 0 && r.plan.onDay(day)
	}
	if r.from < r.to {
		return r.from <= second && second < r.to
	}
	return second >= r.from || second < r.to
}

// onDay tells whether a day is one of the plan's.
func (p *plan) onDay(day int64) bool {
	if day < 0 || day > lastDay || p.never {
		return false
	}
	if p.everyDay {
		return true
	}
	year, month, dom := civilDate(day)
	return p.months>>uint(month)&1 != 0 && p.nextYear(year) == year &&
		p.monthDays(year, month, day-int64(dom)+1)>>uint(dom)&1 != 0
}

// next gives the first open second of a day from second on.
func (s *timeSet) next(day int64, second int) (int, bool) {
	if s.rules == nil {
		return second, true
	}
	if s.cron {
		left := 0
		return s.scan(s.onDay(day), second, &left)
	}
	for _, span := range s.spans {
		if second < span.to {
			return max(second, span.from), true
		}
	}
	return 0, false
}

// onDay gives the rules that count on a day, as bits: cron expressions may be
// of other days.
func (s *timeSet) onDay(day int64) (on uint32) {
	for i := range s.rules {
		if p := s.rules[i].plan; p == nil || p.onDay(day) {
			on |= 1 << uint(i)
		}
	}
	return on
}

// scan gives the first open second of a day on which some of the rules count.
// It takes from the tries that are left, see nextOpen.
func (s *timeSet) scan(on uint32, second int, left *int) (int, bool) {
	for steps := 1; second < secondsPerDay; steps++ {
		if steps%8 == 0 { // they take as long as one try
			*left--
		}
		if second%3600 == 0 {
			if isOpen, all := s.hour(on, second/3600); isOpen && all {
				return second, true
			} else if all {
				second += 3600
				continue
			}
		}
		minute := second / 60
		if n := nextBit(s.minute(on, minute), second%60); n < 60 {
			return minute*60 + n, true
		}
		second = (minute + 1) * 60
	}
	return 0, false
}

// hour tells whether all of an hour is open, or closed, if that is the same for
// all of it.
func (s *timeSet) hour(on uint32, hour int) (isOpen, all bool) {
	for i := range slices.Backward(s.rules) {
		r := &s.rules[i]
		switch {
		case on>>uint(i)&1 == 0:
		case r.plan != nil:
			if r.plan.hours>>uint(hour)&1 == 0 {
				continue
			}
			if r.plan.minutes == allSixty && r.plan.seconds == allSixty {
				return r.open, true
			}
			return false, false
		default:
			first, last := r.names(0, hour*3600), r.names(0, hour*3600+3599)
			inside := func(edge int) bool { return edge > hour*3600 && edge <= hour*3600+3599 }
			switch {
			case inside(r.from) || inside(r.to):
				return false, false
			case first && last:
				return r.open, true
			}
		}
	}
	return !s.closed, true
}

// minute gives the open seconds of a minute of the day, as bits.
func (s *timeSet) minute(on uint32, minute int) (seconds uint64) {
	if !s.closed {
		seconds = allSixty
	}
	for i := range s.rules {
		if on>>uint(i)&1 == 0 {
			continue
		}
		r := &s.rules[i]
		var named uint64
		if p := r.plan; p == nil {
			named = r.seconds(minute * 60)
		} else if p.hours>>uint(minute/60)&1 != 0 && p.minutes>>uint(minute%60)&1 != 0 {
			named = p.seconds
		}
		if r.open {
			seconds |= named
		} else {
			seconds &^= named
		}
	}
	return seconds
}

// seconds gives those of the minute that begins at a second of the day.
func (r *timeRule) seconds(start int) uint64 {
	span := func(from, to int) uint64 {
		from, to = max(from-start, 0), min(to-start, 60)
		if from >= to {
			return 0
		}
		return 1<<uint(to) - 1<<uint(from)
	}
	if r.from < r.to {
		return span(r.from, r.to)
	}
	return span(0, r.to) | span(r.from, secondsPerDay)
}

// change gives the first day after a day on which other rules may count; ok is
// false if they are the same for ever.
func (s *timeSet) change(day int64, on uint32) (next int64, ok bool) {
	for i := range s.rules {
		p := s.rules[i].plan
		if p == nil || p.everyDay && day >= 0 {
			continue
		}
		if on>>uint(i)&1 != 0 {
			return day + 1, true
		}
		if wall, found := p.next((day + 1) * secondsPerDay); found && (!ok || wall/secondsPerDay < next) {
			next, ok = wall/secondsPerDay, true
		}
	}
	return next, ok
}

// nextOpen gives the first open wall-clock second from wall on. It counts what
// it does against the tries that are left, and gives up when there are none.
func (c *Calendar) nextOpen(wall int64, left *int) (int64, bool) {
	var closed [4]uint32
	seen := 0
	day, second := splitWall(wall)
	for ; *left > 0; *left-- {
		next, ok := c.days.next(day, true)
		if !ok {
			return 0, false
		}
		if next > day {
			day, second = next, 0
		}
		if !c.times.cron {
			if at, ok := c.times.next(day, second); ok {
				return day*secondsPerDay + int64(at), true
			}
			if second == 0 { // no time of any day is open
				return 0, false
			}
			day, second = day+1, 0
			continue
		}
		on := c.times.onDay(day)
		if second > 0 || !slices.Contains(closed[:min(seen, len(closed))], on) {
			if at, ok := c.times.scan(on, second, left); ok {
				return day*secondsPerDay + int64(at), true
			}
			if second == 0 {
				closed[seen%len(closed)] = on
				seen++
			}
		}
		if second == 0 {
			if day, ok = c.times.change(day, on); !ok {
				return 0, false
			}
			continue
		}
		day, second = day+1, 0
	}
	return 0, false
}
