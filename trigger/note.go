package trigger

import "time"

// Note says what a change of the zone's clocks did to a fire, such as "02:30
// does not exist that day; fires at 03:00"; "" for most fires. fire is one that
// the trigger gave.
func Note(t Trigger, fire time.Time, lang Lang) string {
	var w words = englishWords{}
	if lang == Chinese {
		w = chineseWords{}
	}
	zone := Zone(t)
	at := fire.Unix()
	now := periodAt(zone, at)
	if p := planOf(t); p != nil && !p.elapsed && at == now.start {
		if note := movedNote(w, p, zone, now); note != "" {
			return note
		}
	}
	wall := at + now.offset
	switch text := wallText(wall, wall); {
	case repeats(zone, now.start, at, wall):
		return w.repeated(text, true)
	case repeats(zone, now.end, at, wall):
		return w.repeated(text, false)
	}
	return ""
}

func planOf(t Trigger) *plan {
	switch t := t.(type) {
	case *Cron:
		return &t.plan
	case *Crontab:
		return &t.plan
	}
	return nil
}

// repeats tells whether the clocks show wall on both sides of a change.
func repeats(zone *time.Location, change, at, wall int64) bool {
	if change < at-maxTurn || change > at+maxTurn {
		return false
	}
	before, after := periodAt(zone, change-1), periodAt(zone, change)
	return wall < change+before.offset && wall >= change+after.offset
}

// movedNote is for a fire at the very begin of a period: it may stand for
// times in the gap before.
func movedNote(w words, p *plan, zone *time.Location, now period) string {
	gap := now.start + periodAt(zone, now.start-1).offset
	end := now.start + now.offset
	first, more := int64(0), -1
	for wall, ok := p.next(gap); ok && wall < end && more < 99; wall, ok = p.next(wall + 1) {
		if more < 0 {
			first = wall
		}
		more++
	}
	if more < 0 {
		return ""
	}
	firstDay, _ := splitWall(first)
	endDay, _ := splitWall(end)
	return w.moved(wallText(first, end), wallText(end, first), more, firstDay == endDay)
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
