package trigger

import (
	"strings"
	"time"
)

// Delta is how the fires of two triggers differ, see [Difference].
type Delta struct {
	// Changes are the fires that only one of the two has, in order of time.
	Changes []Change
	// Complete tells that there are no other changes ever, as neither trigger
	// has any further fire.
	Complete bool
	// Until is the last instant that was compared: up to there the two have no
	// other changes.
	Until time.Time
	// Compared is how many instants were compared at which one of the two, or
	// both, fire.
	Compared int
}

// Change is a fire that only one of two triggers has.
type Change struct {
	Time time.Time // in the time zone of the trigger after
	New  bool      // a fire of the trigger after; else one that is gone
}

// maxDifference bounds how long two triggers are compared: by the fires of
// parts that are asked for, see seeker.
const maxDifference = 2*100_000 + 1

// Difference compares the fires of two triggers after from, and gives the first
// count that only one of them has: what becomes of a job's fire times if the
// one before is replaced by the one after. Triggers of different kinds may have
// the same fires. It stops when neither has a further fire, or after 100,000
// fires of each (fewer for combinations, calendars and jitter, which take
// longer).
func Difference(before, after Trigger, from time.Time, count int) Delta {
	zone := Zone(after)
	d := Delta{Until: from.In(zone)}
	a, inBefore, left := seek(before, from, maxDifference)
	b, inAfter, left := seek(after, from, left)
	for left > 0 && len(d.Changes) < count {
		goneFirst := inBefore && (!inAfter || a.Before(b))
		newFirst := inAfter && (!inBefore || b.Before(a))
		switch {
		case newFirst:
			d.Until = b.In(zone)
		case inBefore:
			d.Until = a.In(zone)
		default:
			d.Complete = true
			return d
		}
		d.Compared++
		if goneFirst || newFirst {
			d.Changes = append(d.Changes, Change{d.Until, newFirst})
		}
		if !newFirst {
			a, inBefore, left = seek(before, a, left)
		}
		if !goneFirst {
			b, inAfter, left = seek(after, b, left)
		}
	}
	return d
}

// Describe says the changes in words, such as "Fri 2026-11-27 09:00 no longer
// fires; 10:00 is new". Where there is none, it says up to when the fires are
// the same.
func (d Delta) Describe(lang Lang) string {
	w := wordsOf(lang)
	if len(d.Changes) == 0 {
		return w.same(w.moment(wallOf(d.Until)), d.Compared, d.Complete)
	}
	list := make([]string, len(d.Changes))
	lastDay := int64(noStart)
	for i, c := range d.Changes {
		wall, nanosecond := wallOf(c.Time)
		text := clockTime(wall, nanosecond) + offsetIfTwice(c.Time)
		if day, _ := splitWall(wall); day != lastDay {
			text, lastDay = w.moment(wall, nanosecond)+offsetIfTwice(c.Time), day
		}
		list[i] = w.change(text, c.New)
	}
	return joinNonEmpty(list, w.semicolon())
}

// wallOf gives what the clocks of an instant's zone show.
func wallOf(t time.Time) (wall int64, nanosecond int) {
	_, offset := t.Zone()
	return t.Unix() + int64(offset), t.Nanosecond()
}

// offsetIfTwice gives the offset of an instant whose time of day comes twice.
func offsetIfTwice(t time.Time) string {
	z := zoneOf(t.Location())
	at := t.Unix()
	p := z.at(at)
	if wall := at + p.offset; z.repeats(p.start, at, wall) || z.repeats(p.end, at, wall) {
		return strings.Replace(t.Format("-07:00"), "+00:00", "Z", 1)
	}
	return ""
}
