package trigger

import (
	"strings"
	"time"
)

// Delta is how the fires of two triggers differ, see [Difference].
type Delta struct {
	// Changes are the fires that only one of the two has, in order of time.
	Changes []Change
	// Until is the instant up to which the two were compared, inclusive. The
	// zero time means all time: neither has any further fire.
	Until time.Time
	// Compared is how many fires were compared.
	Compared int
}

// Change is a fire that only one of two triggers has.
type Change struct {
	Time time.Time // in the time zone of the new trigger
	New  bool      // a fire of the new trigger; else one of the old that is gone
}

// maxWork bounds how long two triggers are compared: by the fires asked for,
// each weighted with what it costs.
const maxWork = 100_000

// Difference compares the fires of two triggers after from, and gives the first
// count that only one of them has: what becomes of a job's fire times if the
// old trigger is replaced by the new. Triggers of different kinds may have the
// same fires. It stops when neither has a further fire, or after 100,000 fires
// (fewer for combinations and calendars, which take longer to compute).
func Difference(old, new Trigger, from time.Time, count int) Delta {
	var d Delta
	zone := Zone(new)
	work, cost := 0, workOf(old)+workOf(new)
	a, inOld := old.Next(from)
	b, inNew := new.Next(from)
	for inOld || inNew {
		if len(d.Changes) >= count || work >= maxWork {
			return d
		}
		work += cost
		d.Compared++
		oldFirst := inOld && (!inNew || a.Before(b))
		newFirst := inNew && (!inOld || b.Before(a))
		if newFirst {
			d.Until = b.In(zone)
		} else {
			d.Until = a.In(zone)
		}
		if oldFirst || newFirst {
			d.Changes = append(d.Changes, Change{d.Until, newFirst})
		}
		if !newFirst {
			a, inOld = old.Next(a)
		}
		if !oldFirst {
			b, inNew = new.Next(b)
		}
	}
	d.Until = time.Time{}
	return d
}

// workOf weighs what one fire of a trigger costs; that of one without parts and
// modifiers is half of a unit in a comparison.
func workOf(t Trigger) int {
	work := 0
	for _, part := range partsOf(t) {
		work += workOf(part)
	}
	work = max(work, 1)
	switch t := t.(type) {
	case *And:
		work *= 20
	case *Modified:
		if t.with.Calendar != nil {
			work *= 10
		}
		if t.with.Jitter != 0 {
			work *= 10
		}
	}
	return min(work, maxWork)
}

// Describe says the changes in words, such as "Fri 2026-11-27 09:00 no longer
// fires; 10:00 is new". Where there is none, it says up to when the fires are
// the same.
func (d Delta) Describe(lang Lang) string {
	w := wordsOf(lang)
	if len(d.Changes) == 0 {
		if d.Until.IsZero() {
			return w.same("", d.Compared)
		}
		return w.same(w.moment(wallOf(d.Until)), d.Compared)
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
