package trigger

import (
	"slices"
	"time"
)

// Fire is a fire of a trigger with what a change of the clocks, a calendar or
// jitter did to it.
type Fire struct {
	// Time is when it fires, in the trigger's zone. For a time that was
	// skipped it is the instant at which the clocks jumped over it.
	Time time.Time
	// Wall is the time that the plan names, as the clocks of the trigger's
	// zone show it or would show it; its own zone is UTC and means nothing.
	Wall time.Time
	// Effect is what became of that time.
	Effect Effect
	// Note says the effect in words; "" for most fires.
	Note string
}

// Effect is what became of a time that a plan names.
type Effect string

// The effects. Empty means that it simply fires.
const (
	EffectMoved    Effect = "moved"    // the clocks jumped over it: it fires after the gap
	EffectSkipped  Effect = "skipped"  // the clocks jumped over it: it does not fire
	EffectRepeated Effect = "repeated" // the clocks show it twice
	EffectShifted  Effect = "shifted"  // its day is closed: it fires on another
	EffectDelayed  Effect = "delayed"  // by jitter
)

// Preview returns the next fires strictly after from, up to count, and between
// them the times that a change of the clocks skips, which do not count. It ends
// early when there is no further fire.
func Preview(t Trigger, from time.Time, count int, lang Lang) []Fire {
	w := wordsOf(lang)
	var fires []Fire
	for range count {
		at, ok := t.Next(from)
		if !ok {
			break
		}
		fires = appendSkipped(fires, t, from, at, w)
		fires = append(fires, explain(t, at, w))
		from = at
	}
	return fires
}

// Explain returns what is to be said of one fire that the trigger gave.
func Explain(t Trigger, fire time.Time, lang Lang) Fire {
	return explain(t, fire, wordsOf(lang))
}

func explain(t Trigger, fire time.Time, w words) Fire {
	n, ok := t.(native)
	if !ok {
		return Fire{Time: fire, Wall: wallTime(fire, zoneOf(nil))}
	}
	z := n.core().zone
	f := Fire{Time: fire, Wall: wallTime(fire, z)}
	switch t := t.(type) {
	case *Modified:
		return t.explain(f, w)
	case *And:
		return explainParts(t.parts, f, w)
	case *Or:
		return explainParts(t.parts, f, w)
	}
	at := fire.Unix()
	now := z.at(at)
	if c, ok := t.(clocked); ok && c.clock() != nil && !n.core().rule.skip && at == now.start {
		if first, more := timesInGap(c.clock(), z, now); more >= 0 {
			end := now.start + now.offset
			firstDay, _ := splitWall(first)
			endDay, _ := splitWall(end)
			f.Wall, f.Effect = time.Unix(first, 0).UTC(), EffectMoved
			f.Note = w.moved(wallText(first, end), wallText(end, first), more, firstDay == endDay)
			return f
		}
	}
	wall := at + now.offset
	second := z.repeats(now.start, at, wall)
	if second || z.repeats(now.end, at, wall) {
		f.Effect, f.Note = EffectRepeated, w.repeated(wallText(wall, wall), second)
	}
	return f
}

// explainParts is explain for the part of a combination that fires.
func explainParts(parts []Trigger, f Fire, w words) Fire {
	for _, part := range parts {
		if at, ok := part.Next(f.Time.Add(-time.Nanosecond)); ok && at.Equal(f.Time) {
			of := explain(part, f.Time, w)
			of.Time = f.Time
			return of
		}
	}
	return f
}

// explain is for the fire without what the modifiers did to it, and says that.
func (m *Modified) explain(f Fire, w words) Fire {
	at := f.Time
	if m.with.Jitter != 0 {
		if fire, ok := m.lastFire(at); ok {
			at = fire
		}
	}
	var of Fire
	origin := at
	if m.with.Calendar != nil {
		origin = m.with.Calendar.origin(m.inner, at)
	}
	of = explain(m.inner, origin, w)
	notes := []string{of.Note}
	if !origin.Equal(at) {
		of.Effect = EffectShifted
		notes = append(notes, w.shifted(wallText(m.zone.wall(origin.Unix()), noEnd), wallText(m.zone.wall(at.Unix()), noEnd)))
	}
	if late := f.Time.Sub(at); late > 0 {
		notes = append(notes, w.delayed(late))
		if of.Effect == "" {
			of.Effect = EffectDelayed
		}
	}
	of.Time, of.Note = f.Time, w.notes(notes)
	return of
}

// wallTime gives what a zone's clocks show at an instant.
func wallTime(at time.Time, z *zone) time.Time {
	return time.Unix(z.wall(at.Unix()), int64(at.Nanosecond())).UTC()
}

// repeats tells whether the clocks show wall on both sides of a change.
func (z *zone) repeats(change, at, wall int64) bool {
	if change < at-maxTurn || change > at+maxTurn {
		return false
	}
	before, after := z.at(change-1), z.at(change)
	return wall < change+before.offset && wall >= change+after.offset
}

// timesInGap gives the first time of a plan in the gap before a period, and how
// many more there are, up to 99; -1 for none at all.
func timesInGap(c wallClock, z *zone, p period) (first int64, more int) {
	more = -1
	if p.start <= firstInstant {
		return 0, more
	}
	end := p.start + p.offset
	for wall, ok := c.next(p.start + z.at(p.start-1).offset); ok && wall < end && more < 99; wall, ok = c.next(wall + 1) {
		if more < 0 {
			first = wall
		}
		more++
	}
	return first, more
}

// appendSkipped adds the times between two instants that the clocks jump over
// and that do not fire. For a plan that fires every hour it is not worth
// mention, unless the caller has chosen so.
func appendSkipped(fires []Fire, t Trigger, from, to time.Time, w words) []Fire {
	if m, ok := t.(*Modified); ok {
		t = m.inner
	}
	if o, ok := t.(*Or); ok {
		n := len(fires)
		for _, part := range o.parts {
			fires = appendSkipped(fires, part, from, to, w)
		}
		of := slices.DeleteFunc(fires[n:], func(f Fire) bool {
			return f.Time.UnixMicro() < o.start || f.Time.UnixMicro() > o.end
		})
		slices.SortStableFunc(of, func(a, b Fire) int { return a.Time.Compare(b.Time) })
		return fires[:n+len(of)]
	}
	c, ok := t.(clocked)
	if !ok || c.clock() == nil {
		return fires
	}
	b := c.core()
	if !b.rule.skip || !b.rule.gapGiven && allHoursOf(t) {
		return fires
	}
	until := to.Unix()
	for p := b.zone.at(max(from.Unix(), firstInstant)); p.end <= until; {
		p = b.zone.at(p.end)
		first, more := timesInGap(c.clock(), b.zone, p)
		if more < 0 || p.start*1e6 < b.start || p.start*1e6 > b.end {
			continue
		}
		end := p.start + p.offset
		firstDay, _ := splitWall(first)
		endDay, _ := splitWall(end)
		fires = append(fires, Fire{
			Time: time.Unix(p.start, 0).In(b.zone.Location), Wall: time.Unix(first, 0).UTC(), Effect: EffectSkipped,
			Note: w.skipped(wallText(first, end), more, firstDay == endDay),
		})
	}
	return fires
}

// allHoursOf tells whether a plan is for all hours of the day alike.
func allHoursOf(t Trigger) bool {
	switch t := t.(type) {
	case *RRule:
		return t.times.hours == allHours
	case *DailyTimeInterval:
		return t.from == 0 && t.to >= secondsPerDay-t.step
	}
	p := planOf(t)
	return p != nil && p.hours == allHours
}

// wallText gives a time of day, with the date if that is not the day of other.
func wallText(wall, other int64) string {
	day, second := splitWall(wall)
	text := timeText(second/3600, second/60%60, second%60)
	if otherDay, _ := splitWall(other); otherDay != day {
		text = time.Unix(wall, 0).UTC().Format(time.DateOnly) + " " + text
	}
	return text
}
