package trigger

import (
	"math/bits"
	"time"
)

// ForJob returns the trigger as it is for a job: with the values of H and ~ in
// crontab text, and the delays of jitter, that the job's id chooses. Triggers
// without any are returned as they are. The id is no part of the trigger's JSON
// form.
func ForJob(t Trigger, id string) Trigger {
	switch t := t.(type) {
	case *Crontab:
		return t.forJob(id)
	case *Modified:
		inner := ForJob(t.inner, id)
		if inner == Trigger(t.inner) && (t.job == id || t.with.Jitter == 0) {
			return t
		}
		return t.of(inner, id)
	case *And, *Or:
		return mapParts(t, func(part Trigger, _ int) Trigger { return ForJob(part, id) })
	}
	return t
}

// mapParts returns a trigger with its parts changed; the same if none is.
func mapParts(t Trigger, change func(part Trigger, i int) Trigger) Trigger {
	var changed []Trigger
	parts := partsOf(t)
	for i, part := range parts {
		if _, ok := part.(native); !ok {
			continue // one that may not even be comparable
		}
		made := change(part, i)
		if made == part {
			continue
		}
		if changed == nil {
			changed = append(changed, parts...)
		}
		changed[i] = made
	}
	if changed == nil {
		return t
	}
	switch t := t.(type) {
	case *And:
		return newAnd(combined{t.base, changed})
	case *Or:
		return &Or{combined{t.base, changed}}
	}
	return t
}

// Anchor fixes the phase of a trigger that has none, as that of a new job: an
// interval without a start fires first one interval after now, a calendar
// interval is counted from the day of now. If before, the trigger that it
// replaces (or nil), has the same distance, it keeps the phase of that: else
// each restart of a program that sets up its jobs anew would begin another one.
// Other triggers are returned as they are. So is an [And]: intervals that began
// at some instant or other would hardly ever meet what they are combined with,
// while all those without a start are counted from 1970-01-01.
func Anchor(t, before Trigger, now time.Time) Trigger {
	if old, ok := before.(*Modified); ok {
		before = old.inner // modifiers come and go without a new phase
	}
	switch t := t.(type) {
	case *Interval:
		if t.start != noStart {
			return t
		}
		if old := intervalOf(before); old != nil && old.every == t.every && old.start != noStart {
			return t.StartingAt(old.Start())
		}
		return t.StartingAt(now.Truncate(time.Microsecond).Add(t.Every()))
	case *CalendarInterval:
		if old, ok := before.(*CalendarInterval); ok && old.spec == t.spec && old.start != noStart {
			return t.startingAt(old.starts())
		}
		return t.startingAt(now.Truncate(time.Microsecond))
	case *Crontab:
		if t.every == nil {
			return t
		}
		return t.startingAt(Anchor(t.every, before, now).(*Interval).Start())
	case *And:
		return t
	case *Modified:
		inner := Anchor(t.inner, before, now)
		if inner == Trigger(t.inner) {
			return t
		}
		return t.of(inner, t.job)
	}
	old := partsOf(before)
	return mapParts(t, func(part Trigger, i int) Trigger {
		if i < len(old) {
			return Anchor(part, old[i], now)
		}
		return Anchor(part, nil, now)
	})
}

// starts gives the start of the bounds, the zero time for none.
func (b *base) starts() time.Time { return microTime(b.start, b.zone) }

// AtStart tells whether a job with this trigger runs once each time that a
// scheduler starts: its crontab text is @reboot. Such a trigger has no fire
// times, so that it takes no modifiers and is no part of others.
func AtStart(t Trigger) bool {
	c, ok := t.(*Crontab)
	return ok && c.reboot
}

// hashText makes a number of a text: FNV-1a, 64 bits
// (https://datatracker.ietf.org/doc/html/draft-eastlake-fnv).
func hashText(s string) uint64 {
	h := uint64(14695981039346656037)
	for i := range len(s) {
		h = (h ^ uint64(s[i])) * 1099511628211
	}
	return h
}

// mix spreads the bits of a number over all of it: the finalizer of SplitMix64
// (Steele, Lea, Flood: Fast splittable pseudorandom number generators, 2014).
func mix(n uint64) uint64 {
	n += 0x9e3779b97f4a7c15
	n = (n ^ n>>30) * 0xbf58476d1ce4e5b9
	n = (n ^ n>>27) * 0x94d049bb133111eb
	return n ^ n>>31
}

// mulMod is a*b mod m, for a and b under m.
func mulMod(a, b, m uint64) uint64 {
	high, low := bits.Mul64(a, b)
	_, rest := bits.Div64(high, low, m)
	return rest
}
