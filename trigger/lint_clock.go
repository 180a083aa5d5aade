package trigger

import (
	"slices"
	"strings"
	"time"
)

// lintAhead is how far ahead changes of the clocks are looked for, in seconds.
const lintAhead = 2 * 366 * secondsPerDay

// changes calls yield with the periods on both sides of each change of the
// clocks, until it returns false.
func changes(z *zone, in scope, yield func(p, next period) bool) {
	from := max(in.from.Unix(), firstInstant)
	until := min(from+lintAhead, floorDiv(in.until, 1e6))
	for p := z.at(from); p.end <= until; {
		next := z.at(p.end)
		if !yield(p, next) {
			return
		}
		p = next
	}
}

// clock warns about times that the clocks jump over, or show twice.
func (l *linter) clock(n native, in scope) {
	c, ok := n.(clocked)
	if !ok || c.clock() == nil {
		return
	}
	if i, ok := n.(*CalendarInterval); ok && i.start == noStart && i.counted() {
		return // its days are not known yet
	}
	var gaps, folds turns
	changes(c.core().zone, in, func(p, next period) bool {
		if next.offset > p.offset {
			gaps.add(p, next, l.gap(c, next, in))
		} else {
			folds.add(p, next, l.fold(c, p, next, in))
		}
		return true
	})
	zone := c.core().zone.String()
	l.turned(in, LintGap, zone, gaps)
	l.turned(in, LintFold, zone, folds)
}

// turns are changes of the clocks that do the same to a plan.
type turns struct {
	p, next period
	note    string
	more    []period
}

func (t *turns) add(p, next period, note string) {
	switch {
	case note == "":
	case t.note == "":
		t.p, t.next, t.note = p, next, note
	case t.note == note:
		t.more = append(t.more, next)
	}
}

func (l *linter) turned(in scope, code, zone string, t turns) {
	if t.note == "" {
		return
	}
	before, after := t.next.start+t.p.offset, t.next.start+t.next.offset
	var days []string
	for _, p := range t.more {
		days = append(days, l.w.day(p.start+p.offset))
	}
	again := ""
	switch list := strings.Join(days, l.w.comma()); {
	case days == nil:
	case l.chinese:
		again = list + "同样如此。"
	default:
		again = " Likewise on " + list + "."
	}
	l.warn(in, code, "", "On %[1]s the clocks of %[2]s go from %[3]s to %[4]s: %[5]s.%[6]s", "%[1]s %[2]s 的时钟从 %[3]s 调到 %[4]s：%[5]s。%[6]s",
		l.w.day(after), zone, wallText(before, after), wallText(after, before), t.note, again)
}

// gap says what becomes of the times in a gap; "" if there is nothing to say.
// A plan that fires every so often does without them, unless the day then has
// no fire at all; one that fires each hour does not miss the hour either.
func (l *linter) gap(c clocked, next period, in scope) string {
	b := c.core()
	first, more := timesInGap(c.clock(), b.zone, next)
	if more < 0 {
		return ""
	}
	end := next.start + next.offset
	firstDay, _ := splitWall(first)
	endDay, _ := splitWall(end)
	plan := planOf(c)
	fire, ok := c.Next(justBefore(next.start))
	switch {
	case !ok, !in.open(b, next.start),
		b.rule.skip && !b.rule.gapGiven && b.firesOn(c, firstDay),
		!b.rule.skip && (fire.Unix() != next.start || plan != nil && plan.hours == allHours):
		return ""
	case b.rule.skip:
		return l.w.skipped(wallText(first, end), more, firstDay == endDay)
	}
	return l.w.moved(wallText(first, end), wallText(end, first), more, firstDay == endDay)
}

// firesOn tells whether a plan fires on a day of the zone's clocks.
func (b *base) firesOn(c clocked, day int64) bool {
	fire, ok := b.rule.nextFire(c.clock(), b.zone, b.zone.resolve(day*secondsPerDay)-1)
	if !ok {
		return false
	}
	on, _ := splitWall(b.zone.wall(fire))
	return on == day
}

// fold says what becomes of the times that come twice; "" if there is nothing
// to say. A plan that fires every so often goes on firing.
func (l *linter) fold(c clocked, p, next period, in scope) string {
	b := c.core()
	if b.rule.fold == foldBoth && !b.rule.foldGiven {
		return ""
	}
	end := next.start + p.offset
	first, ok := c.clock().next(next.start + next.offset)
	if !ok || first >= end {
		return ""
	}
	at := first - p.offset
	if b.rule.fold == foldSecond {
		at = first - next.offset
	}
	if fire, ok := c.Next(justBefore(at)); !ok || fire.Unix() != at || !in.open(b, at) {
		return ""
	}
	more := 0
	for wall, ok := c.clock().next(first + 1); ok && wall < end && more < manyTimes; wall, ok = c.clock().next(wall + 1) {
		more++
	}
	return l.w.twice(wallText(first, end), more, folds()[b.rule.fold])
}

// open tells whether the bounds and calendars around a trigger let a fire pass
// at an instant, in Unix seconds.
func (in *scope) open(b *base, at int64) bool {
	t := time.Unix(at, 0)
	micro := at * 1e6
	if !t.After(in.from) || micro > in.until {
		return false
	}
	once := &Date{base{zone: b.zone, bounds: bounds{noStart, noEnd}}, micro}
	return !slices.ContainsFunc(in.calendars, func(c *Calendar) bool {
		fire, ok := c.next(once, justBefore(at))
		return !ok || !fire.Equal(t)
	})
}
