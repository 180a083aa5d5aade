package trigger

import (
	"math"
	"time"
)

// next gives the first fire after an instant that the calendar lets through, of
// those of a trigger. Trigger and calendar leap over each other: what is closed
// is not gone through fire by fire. When they have passed each other by 6,000
// times they count as never meeting again.
func (c *Calendar) next(t Trigger, after time.Time) (time.Time, bool) {
	if len(c.layers) == 0 {
		return t.Next(after)
	}
	s := newSearch(c, t)
	stays := stream{at: after}
	if c.onClosed == ClosedSkip || len(c.days.segments) == 0 {
		for !stays.found && !stays.ended {
			s.step(&stays)
		}
		return stays.at, stays.found
	}
	moves := s.moves(after)
	// The stream that is behind goes on; a fire that is not after what the
	// other has come to is the first.
	for {
		first, second := &stays, &moves.stream
		if !second.ended && (first.ended || second.at.Before(first.at) || second.at.Equal(first.at) && !first.found) {
			first = second
		}
		switch {
		case first.found:
			return first.at, true
		case first.ended:
			return time.Time{}, false
		case first == second:
			s.stepMoves(&moves)
		default:
			s.step(&stays)
		}
	}
}

// origin gives the fire of the trigger from which one that next gave has come:
// the same, unless it was moved.
func (c *Calendar) origin(t Trigger, fire time.Time) time.Time {
	before := fire.Add(-time.Nanosecond)
	if c.onClosed == ClosedSkip || len(c.days.segments) == 0 {
		return fire
	}
	s := newSearch(c, t)
	if at, ok := t.Next(before); ok && at.Equal(fire) && c.open(s.zone.wall(clampInstant(at.Unix()))) {
		return fire
	}
	moves := s.moves(before)
	for !moves.found && !moves.ended && !moves.at.After(fire) {
		s.stepMoves(&moves)
	}
	if moves.found && moves.at.Equal(fire) {
		return moves.origin
	}
	return fire
}

// search is what is looked up once for a question to a calendar.
type search struct {
	*Calendar
	trigger Trigger
	zone    *zone
	bounds
	left int // tries
}

func newSearch(c *Calendar, t Trigger) search {
	s := search{Calendar: c, trigger: t, zone: c.zone, bounds: bounds{noStart, noEnd}, left: maxMeetings}
	if n, ok := t.(native); ok {
		s.bounds = n.core().bounds
		if s.zone == nil {
			s.zone = n.core().zone
		}
	}
	if s.zone == nil {
		s.zone = zoneOf(nil)
	}
	return s
}

// stream is a search for a fire, as far as it has come: either the fire is
// found, at that instant, or there is none up to it, or there is none at all.
type stream struct {
	at           time.Time
	found, ended bool
}

// step goes on to the trigger's next fire, which is the one if it is open.
func (s *search) step(f *stream) {
	fire, ok := s.trigger.Next(f.at)
	if s.left--; !ok || s.left <= 0 {
		f.ended = true
		return
	}
	f.at = fire
	at := fire.Unix()
	if at < firstInstant || at > maxInstant {
		f.ended = true
		return
	}
	p := s.zone.at(at)
	wall := at + p.offset
	open, ok := s.nextOpen(wall, &s.left)
	switch {
	case ok && open == wall:
		f.found = true
		return
	case s.left <= 0:
		f.ended = true
		return
	case ok && open-p.offset < p.end:
		at = open - p.offset
	case p.end < at+maxTurn:
		// The clocks may soon be turned back to times before wall.
		at = p.end
	case ok:
		at = max(p.end, open-maxTurn)
	default:
		f.ended = true
		return
	}
	f.at = justBefore(at)
}

// justBefore gives the last instant before a second.
func justBefore(second int64) time.Time { return time.Unix(second-1, 1e9-1) }

// moveStream is a search for a fire that comes to lie on an open day from a
// closed one. It goes from one open day that takes in fires to the next: those
// of the closed days before it (or after it), each at its time of day.
type moveStream struct {
	stream
	origin time.Time
	day    int64 // the first day that may take in fires
	least  int64 // the first time of that day at which they count, in nanoseconds since midnight
	ready  bool  // day is one, and first and last are the closed days
	first  int64
	last   int64
}

const nanosPerDay = secondsPerDay * int64(time.Second)

// moves begins the search for the first fire after an instant.
func (s *search) moves(after time.Time) moveStream {
	if s.start != noStart && after.Before(time.UnixMicro(s.start)) {
		after = time.UnixMicro(s.start).Add(-time.Nanosecond)
	}
	m := moveStream{stream: stream{at: after}}
	// A wall-clock time means its first occurrence, so those count that are
	// later than all that the clocks have shown.
	at, nanosecond := after.Unix(), int64(after.Nanosecond())
	switch {
	case at < firstInstant:
		at, nanosecond = firstInstant, 0
	case at > maxInstant:
		m.ended = true
		return m
	}
	p := s.zone.at(at)
	wall := at + p.offset
	if p.start > at-maxTurn && p.start > firstInstant {
		if peak := s.zone.peak(p); peak > wall {
			wall, nanosecond = peak, 1e9-1
		}
	}
	day, second := splitWall(wall)
	if m.day, m.least = day, int64(second)*1e9+nanosecond+1; m.least == nanosPerDay {
		m.day, m.least = day+1, 0
	}
	return m
}

// stepMoves goes on to the next day that takes in fires, or looks at the fires
// that it does.
func (s *search) stepMoves(m *moveStream) {
	if !m.ready {
		const cost = 4 // it takes that much longer than to ask a trigger
		s.left -= cost
		from := m.day
		if !s.target(m) {
			m.ended = true
			return
		}
		if m.day > from {
			m.least = 0
		}
		m.ready = true
		if start := time.Unix(s.zone.resolve(m.day*secondsPerDay), 0).Add(-time.Nanosecond); start.After(m.at) {
			m.at = start
			return
		}
	}
	next, ok := s.take(m)
	switch {
	case s.left <= 0:
		m.found, m.ended = false, true
	case m.found:
		if s.end != noEnd && m.at.UnixMicro() > s.end {
			m.found, m.ended = false, true
		}
	case !ok:
		m.ended = true
	default:
		// There is no fire before the day next: the day that takes in that
		// one's is after it, or the open day before it.
		if s.onClosed == ClosedNext {
			next++
		} else if open, found := s.days.previous(next, next-maxShift); found {
			next = open
		} else {
			next -= maxShift
		}
		m.day, m.least, m.ready = max(m.day+1, next), 0, false
	}
}

// target finds the first day from m.day on that takes in the fires of closed
// ones, and those.
func (s *search) target(m *moveStream) bool {
	day := m.day
	if s.onClosed == ClosedNext {
		closed, ok := s.days.next(day-1, false)
		if !ok {
			return false
		}
		if day, ok = s.days.next(closed, true); !ok {
			return false
		}
		m.first, m.last = day-maxShift, day-1
		if open, ok := s.days.previous(day-1, m.first); ok {
			m.first = open + 1
		}
		m.first = max(m.first, firstDay)
	} else {
		open, ok := s.days.next(day, true)
		if !ok {
			return false
		}
		closed, ok := s.days.next(open, false)
		if !ok {
			return false
		}
		day = closed - 1
		m.first, m.last = closed, day+maxShift
		if open, ok := s.days.next(closed, true); ok {
			m.last = min(m.last, open-1)
		}
	}
	m.day = day
	return true
}

// take finds the first fire, from the time m.least on, that the day takes in.
// If there is none, next is a day before which no fire lies that another day
// takes in; ok is false if the trigger does not fire any more.
func (s *search) take(m *moveStream) (next int64, ok bool) {
	for {
		origin, clock, next, ok := s.earliest(m)
		if clock < 0 {
			return next, ok
		}
		wall := m.day*secondsPerDay + clock/1e9
		at := s.zone.resolve(wall)
		shown := s.zone.wall(at)
		if s.open(shown) {
			fire := time.Unix(at, 0)
			if shown == wall {
				fire = time.Unix(at, clock%1e9)
			}
			m.at, m.origin, m.found = fire.In(origin.Location()), origin, true
			return 0, true
		}
		day, second := splitWall(shown)
		if day != m.day {
			return m.last, true
		}
		if second, ok = s.times.next(day, second); !ok {
			return m.last, true
		}
		m.least = int64(second) * 1e9
	}
}

// earliest finds the fire of the closed days that has the earliest time of day
// from m.least on; clock is that time, or negative if there is none, and then
// next and ok are as for take.
func (s *search) earliest(m *moveStream) (origin time.Time, clock, next int64, ok bool) {
	clock = -1
	for day := m.first; day <= m.last; {
		fire, of, next, ok := s.firstOn(day, m.least)
		if of >= 0 && (clock < 0 || of < clock) {
			origin, clock = fire, of
		}
		if clock == m.least {
			break
		}
		if !ok {
			return origin, clock, 0, clock >= 0
		}
		day = next
		if day > m.last {
			return origin, clock, day, true
		}
	}
	return origin, clock, m.last + 1, true
}

// firstOn finds the fire of a day that has the earliest time of day from least
// on; clock is that time, or negative if there is none. No fire lies between
// the day and the day next; ok is false if there is none after the day at all.
func (s *search) firstOn(day, least int64) (origin time.Time, clock, next int64, ok bool) {
	clock, next = -1, math.MaxInt64
	asked := false
	from, to := day*secondsPerDay+least/1e9, (day+1)*secondsPerDay
	p := s.zone.at(from - maxTurn)
	// Where the clocks are turned back, the day has two parts or more.
	for {
		if start, end := max(from-p.offset, p.start), min(to-p.offset, p.end); start < end {
			after := justBefore(start)
			if start == from-p.offset {
				after = time.Unix(start, least%1e9).Add(-time.Nanosecond)
			}
			if s.left--; s.left <= 0 {
				return origin, clock, 0, false
			}
			fire, found := s.trigger.Next(after)
			asked = true
			at := fire.Unix()
			switch {
			case !found || at > maxInstant:
			case at < end:
				if of := (at+p.offset-day*secondsPerDay)*1e9 + int64(fire.Nanosecond()); clock < 0 || of < clock {
					origin, clock = fire, of
				}
				next = day + 1
			default:
				q := s.zone.at(at)
				other, _ := splitWall(at + q.offset)
				if at < q.start+maxTurn || at > q.end-maxTurn {
					other-- // a day may come to an end twice
				}
				next = min(next, max(other, day+1))
			}
		}
		if p.end >= to+maxTurn {
			if !asked { // the clocks do not show such a day
				next = day + 1
			}
			return origin, clock, next, next != math.MaxInt64
		}
		p = s.zone.at(p.end)
	}
}
