package trigger

import (
	"time"
)

// Modifiers change the fires that any kind of trigger gives. The zero value
// changes nothing. They work in the order of the fields.
type Modifiers struct {
	// Calendar says which days and times of day are open. Nil means all.
	Calendar *Calendar
	// Limit is how many fires there are at most, counted from the trigger's
	// start, which it must have (dates count from their first). Zero means no
	// limit.
	Limit int
	// Jitter delays each fire by up to that long, so that jobs of one plan do
	// not start at the same instant. The delay is chosen by the job's id (see
	// [ForJob]) and the fire itself: it is the same whoever asks, does not add
	// up, and always ends before the next fire. Whole milliseconds, up to 24
	// hours. Zero means none.
	Jitter time.Duration
}

// Modified is a trigger with modifiers. Its kind, zone and bounds are those of
// the trigger that it was made of.
type Modified struct {
	base
	inner native
	with  Modifiers
	last  int64 // the fire, before jitter, that reaches the limit
	job   string
	seed  uint64 // of the job
}

// The highest values of modifiers. Fires are counted one by one, unless it is
// an interval's.
const (
	maxLimit         = 10_000
	maxIntervalLimit = 1_000_000_000
	maxJitter        = 24 * time.Hour
)

// Modify returns a trigger whose fires are those of t, changed. Errors: an
// [*Error] that names the modifier, and one for a trigger that has modifiers
// already or is not of this package.
func Modify(t Trigger, with Modifiers) (Trigger, error) {
	n, ok := t.(native)
	if !ok {
		return nil, &Error{Field: "type", Problem: "this trigger cannot be modified"}
	}
	if with == (Modifiers{}) {
		return t, nil
	}
	if _, ok := t.(*Modified); ok {
		return nil, &Error{Problem: "the trigger is modified already; give all modifiers at once"}
	}
	if AtStart(t) {
		return nil, &Error{Field: "expression", Given: "@reboot", Problem: "has no fire times to modify"}
	}
	_, isInterval := t.(*Interval)
	switch highest := maxLimit; {
	case with.Limit == 0:
	case isInterval && with.Calendar == nil && with.Limit > maxLimit:
		highest = maxIntervalLimit
		fallthrough
	default:
		if with.Limit < 1 || with.Limit > highest {
			return nil, outOfRange("limit", with.Limit, 1, highest)
		}
		if n.core().start == noStart && !hasBegin(n) {
			return nil, &Error{Field: "start_date", Problem: "is missing: limit counts the fires from it"}
		}
	}
	if with.Jitter < 0 || with.Jitter > maxJitter || with.Jitter%time.Millisecond != 0 {
		return nil, &Error{Field: "jitter", Given: with.Jitter.String(), Problem: "is out of range, allowed whole milliseconds from 0s to 24h"}
	}
	m := &Modified{inner: n, with: with}
	m.finish()
	return m, nil
}

// hasBegin tells whether the fires of a kind begin somewhere by themselves.
func hasBegin(n native) bool {
	switch n.(type) {
	case *Date, *Dates:
		return true
	}
	return false
}

// finish computes what follows from the trigger and its modifiers.
func (m *Modified) finish() {
	m.base = *m.inner.core()
	m.seed = hashText(m.job)
	m.last = noEnd
	if m.with.Limit == 0 {
		return
	}
	if i, ok := m.inner.(*Interval); ok && m.with.Calendar == nil {
		if n := int64(m.with.Limit - 1); n < maxInstant*1e6/i.every {
			m.last = i.start + n*i.every
		}
		return
	}
	at := time.Unix(firstInstant, 0)
	if m.start != noStart {
		at = time.UnixMicro(m.start - 1)
	}
	for range m.with.Limit {
		fire, ok := m.open(at)
		if !ok {
			return
		}
		at = fire
	}
	m.last = at.UnixMicro()
}

// open gives the first fire after an instant that the calendar lets through.
func (m *Modified) open(after time.Time) (time.Time, bool) {
	if m.with.Calendar != nil {
		return m.with.Calendar.next(m.inner, after)
	}
	return m.inner.Next(after)
}

// limited gives the first such fire that is within the limit as well.
func (m *Modified) limited(after time.Time) (time.Time, bool) {
	fire, ok := m.open(after)
	if !ok || m.last != noEnd && fire.UnixMicro() > m.last {
		return time.Time{}, false
	}
	return fire, true
}

// Next returns the first fire after the given instant.
func (m *Modified) Next(after time.Time) (time.Time, bool) {
	if m.with.Jitter == 0 {
		return m.limited(after)
	}
	// Each fire's delay ends before the next one, so only the last fire up to
	// that instant may still be to come.
	fire, ok := m.limited(after.Add(-m.with.Jitter - 1))
	if ok && !fire.After(after) {
		fire = m.lastFrom(fire, after)
		if late := m.delayed(fire); late.After(after) {
			return late, true
		}
		fire, ok = m.limited(after)
	}
	if !ok {
		return time.Time{}, false
	}
	return m.delayed(fire), true
}

// seek is Next with a limit, see seeker. What a calendar or jitter ask is not
// counted: it is put high enough.
func (m *Modified) seek(after time.Time, left int) (fire time.Time, ok bool, rest int) {
	if m.with.Calendar == nil && m.with.Jitter == 0 {
		if fire, ok, left = seek(m.inner, after, left); ok && m.last != noEnd && fire.UnixMicro() > m.last {
			return time.Time{}, false, left
		}
		return fire, ok, left
	}
	cost := 1
	if m.with.Calendar != nil {
		cost *= 200
	}
	if m.with.Jitter != 0 {
		cost *= 20
	}
	if searches(m.inner) {
		cost *= 200
	}
	fire, ok = m.Next(after)
	return fire, ok, left - cost
}

// delayed gives a fire with its delay.
func (m *Modified) delayed(fire time.Time) time.Time {
	room := m.with.Jitter
	if next, ok := m.limited(fire); ok {
		room = min(room, next.Sub(fire)-time.Millisecond)
	}
	if m.end != noEnd {
		room = min(room, time.UnixMicro(m.end).Sub(fire))
	}
	room = max(room, 0)
	delay := mix(m.seed^mix(uint64(fire.UnixMicro()))) % uint64(room/time.Millisecond+1)
	return fire.Add(time.Duration(delay) * time.Millisecond)
}

// lastFire gives the last fire, before jitter, at or before an instant, if it
// is not further back than the longest delay.
func (m *Modified) lastFire(at time.Time) (last time.Time, ok bool) {
	first, ok := m.limited(at.Add(-m.with.Jitter - 1))
	if !ok || first.After(at) {
		return time.Time{}, false
	}
	return m.lastFrom(first, at), true
}

// lastFrom gives the last fire from one to an instant. A plan can only be asked
// forward: the span in which the fire lies is halved until there is no other in
// it.
func (m *Modified) lastFrom(last, at time.Time) time.Time {
	until := at
	for range 64 { // it is last, or between last and until
		fire, ok := m.limited(last)
		if !ok || fire.After(at) {
			break
		}
		last = fire
		middle := last.Add(until.Sub(last) / 2)
		if fire, ok = m.limited(middle); ok && !fire.After(at) {
			last = fire
		} else {
			until = middle
		}
	}
	return last
}

func (m *Modified) kind() string   { return m.inner.kind() }
func (m *Modified) encode(f *form) { m.inner.encode(f) }

func (m *Modified) describe(w words) string { return w.modified(m.inner.describe(w), &m.with) }

// clock is that of the trigger that is modified.
func (m *Modified) clock() wallClock {
	if c, ok := m.inner.(clocked); ok {
		return c.clock()
	}
	return nil
}

// of returns a copy for another trigger or another job.
func (m *Modified) of(inner Trigger, job string) Trigger {
	c := *m
	c.inner, c.job = inner.(native), job
	c.finish()
	return &c
}
