package trigger

import "time"

// maxClosed bounds how many closed times Closed counts one by one.
const maxClosed = 1_000_000

// Closed returns the times between two fires of a trigger, both left out, that
// its plan names and its calendar drops: the first, the last and how many, up
// to 1,000,000. They are none for a trigger without a calendar, and for one
// whose calendar moves fires to other days instead of dropping them. Of a
// trigger with jitter it is told what the plan names, before any delay, as far
// as that comes after the first of the two fires.
func Closed(t Trigger, after, before time.Time) (first, last time.Time, count int64) {
	m, ok := t.(*Modified)
	if !ok || m.with.Calendar == nil || m.with.Calendar.onClosed != ClosedSkip {
		return time.Time{}, time.Time{}, 0
	}
	if m.with.Jitter > 0 {
		// A fire comes after the time of its plan, which is open.
		if fire, ok := m.lastFire(before); ok {
			before = fire
		}
	}
	for at := after; count < maxClosed; count++ {
		fire, ok := m.inner.Next(at)
		if !ok || !fire.Before(before) {
			break
		}
		if count == 0 {
			first = fire
		}
		last, at = fire, fire
	}
	return first, last, count
}
