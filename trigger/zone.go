package trigger

import (
	"math"
	"time"
)

// maxTurn is longer than any clock has ever been turned at once and than any
// offset, in seconds (Alaska, Manila, Kwajalein, Samoa: a day).
const maxTurn = 50 * 60 * 60

// period is a span of time in which a zone's offset stays the same: the
// instants from start up to, but not including, end, in Unix seconds. Where a
// zone takes up a rule in the middle of a year, package time may put the start
// at the rule's change before.
type period struct{ start, end, offset int64 }

// periodAt gives the period that holds an instant. Neighbouring periods may
// have the same offset.
func periodAt(zone *time.Location, instant int64) period {
	if zone == time.UTC {
		return period{math.MinInt64, math.MaxInt64, 0}
	}
	t := time.Unix(instant, 0).In(zone)
	_, offset := t.Zone()
	p := period{math.MinInt64, math.MaxInt64, int64(offset)}
	start, end := t.ZoneBounds()
	if !start.IsZero() {
		p.start = start.Unix()
	}
	if !end.IsZero() {
		p.end = end.Unix()
	}
	if p.end <= instant {
		// Beyond a zone file's last change package time goes by rule, each
		// year on its own and 365 days long, so on the last day of a leap
		// year the end that it gives is past.
		p.end = dayNumber(t.UTC().Year()+1, 1, 1) * secondsPerDay
	}
	return p
}

// wallPeak gives the latest wall-clock second that the zone's clocks have shown
// up to an instant of period p. While a repeated hour runs for the second time,
// that is the last second of the hour.
func (p period) wallPeak(zone *time.Location, instant int64) int64 {
	peak := instant + p.offset
	for p.start > instant-maxTurn {
		p = periodAt(zone, p.start-1)
		peak = max(peak, p.end-1+p.offset)
	}
	return peak
}

// resolve gives the first instant at which the zone's clocks show wall or
// later: the first of two occurrences, and the end of the gap for a time that
// is skipped.
func resolve(zone *time.Location, wall int64) int64 {
	p := periodAt(zone, wall-maxTurn)
	for wall-p.offset >= p.end {
		begin := p.end
		p = periodAt(zone, begin)
		p.start = max(p.start, begin) // a zone's rule may count it from earlier
	}
	return max(wall-p.offset, p.start)
}

// nextFire gives the first fire of the plan, in Unix seconds, after an
// instant.
func (p *plan) nextFire(zone *time.Location, after int64) (int64, bool) {
	if p.never {
		return 0, false
	}
	after = min(max(after, -maxTurn), maxInstant) // no fire lies outside
	if zone == time.UTC {
		return p.next(after + 1)
	}
	now := periodAt(zone, after)
	if p.elapsed {
		return p.nextElapsed(zone, now, after)
	}
	wall, ok := p.next(now.wallPeak(zone, after) + 1)
	if !ok {
		return 0, false
	}
	// Mostly no change of the offset is near.
	if instant := wall - now.offset; instant < now.end && now.start <= after-maxTurn {
		return instant, true
	}
	return resolve(zone, wall), true
}

// maxInstant is later than any fire.
const maxInstant = 253402300800 + maxTurn // 10000-01-01

// nextElapsed is nextFire for plans that follow elapsed time: they fire
// whenever the zone's clocks show a matching time.
func (p *plan) nextElapsed(zone *time.Location, now period, after int64) (int64, bool) {
	from := after + 1
	for {
		if from >= now.end {
			now = periodAt(zone, from)
		}
		wall, ok := p.next(from + now.offset)
		if ok && wall-now.offset < now.end {
			return wall - now.offset, true
		}
		// Nothing in this period. The next may begin by showing times before
		// from again; once that is out of the question, it is no use to look
		// long before wall.
		enough := now.end >= from+maxTurn
		from = now.end
		if enough {
			if !ok {
				return 0, false
			}
			from = max(from, wall-maxTurn)
		}
	}
}
