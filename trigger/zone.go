package trigger

import (
	"math"
	"sync"
	"sync/atomic"
	"time"
)

// maxTurn is longer than any clock has ever been turned at once and than any
// offset, in seconds (Alaska, Manila, Kwajalein, Samoa: a day).
const maxTurn = 50 * 60 * 60

// maxInstant is later than any fire, firstInstant earlier.
const (
	maxInstant   = 253402300800 + maxTurn // 10000-01-01
	firstInstant = -62135596800 - maxTurn // 0001-01-01
)

// period is a span of time in which a zone's offset stays the same: the
// instants from start up to, but not including, end, in Unix seconds.
type period struct{ start, end, offset int64 }

// zone is a time zone as a table of its periods. Package time looks a change of
// the offset up by name and by rule each time it is asked; here that is done
// once a zone, since a plan asks at every fire.
type zone struct {
	*time.Location
	// periods follow each other without a hole, from the first instant to
	// tableEnd or later.
	periods []period
	// index holds, for each stretch of 1<<indexBits seconds from indexStart
	// on, the number of the period in which it begins.
	index []uint16
}

// The rule by which a zone goes on changing its offset repeats with the
// calendar, each 400 years. By 2100 every zone goes by rule (the last to do so
// is Casablanca's, which lists the changes of Ramadan up to 2087).
const (
	cycle400   = 146097 * secondsPerDay
	tableEnd   = 16725225600 // 2500-01-01
	indexStart = -2208988800 // 1900-01-01
	indexBits  = 24          // some 194 days
)

func newZone(loc *time.Location) *zone {
	z := &zone{Location: loc}
	for at := int64(math.MinInt64); at < tableEnd; {
		t := time.Unix(max(at, firstInstant), 0).In(loc)
		_, offset := t.Zone()
		next := int64(math.MaxInt64)
		if _, end := t.ZoneBounds(); !end.IsZero() {
			next = end.Unix()
		}
		if next <= t.Unix() {
			// Where package time goes by rule, it counts 365 days to each year,
			// so on the last day of a leap year the end that it gives is past.
			next = dayNumber(t.UTC().Year()+1, 1, 1) * secondsPerDay
		}
		if n := len(z.periods); n > 0 && z.periods[n-1].offset == int64(offset) {
			z.periods[n-1].end = next
		} else {
			z.periods = append(z.periods, period{at, next, int64(offset)})
		}
		at = next
	}
	if len(z.periods) == 1 {
		return z
	}
	i := 0
	for at := int64(indexStart); at < tableEnd; at += 1 << indexBits {
		for at >= z.periods[i].end {
			i++
		}
		z.index = append(z.index, uint16(i))
	}
	return z
}

// at gives the period that holds an instant.
func (z *zone) at(instant int64) period {
	i, shift := 0, int64(0)
	if len(z.periods) == 1 {
		return z.periods[0]
	}
	if instant >= indexStart {
		if instant >= tableEnd {
			last := z.periods[len(z.periods)-1]
			if last.end == math.MaxInt64 {
				return last
			}
			shift = (instant - tableEnd + cycle400) / cycle400 * cycle400
			instant -= shift
		}
		i = int(z.index[(instant-indexStart)>>indexBits])
	}
	for instant >= z.periods[i].end {
		i++
	}
	p := z.periods[i]
	p.start += shift
	p.end += shift
	return p
}

// zoneTables holds the tables made so far, by their location. There are a few
// dozen in a program, and up to a million triggers that share them.
var (
	zoneTables     sync.Map     //nolint:gochecknoglobals // a cache of immutable values
	zoneTableCount atomic.Int32 //nolint:gochecknoglobals // bounds that cache
)

// maxZoneTables is how many tables are kept. Programs that make zones without
// end get a new table for each.
const maxZoneTables = 2000

// zoneOf gives the table of a location, UTC for nil.
func zoneOf(loc *time.Location) *zone {
	if loc == nil {
		loc = time.UTC
	}
	if z, ok := zoneTables.Load(loc); ok {
		return z.(*zone)
	}
	z := newZone(loc)
	if zoneTableCount.Add(1) > maxZoneTables {
		zoneTableCount.Add(-1)
		return z
	}
	kept, _ := zoneTables.LoadOrStore(loc, z)
	return kept.(*zone)
}

// peak gives the latest wall-clock second that the zone's clocks have shown
// before period p began. While a repeated hour runs for the second time, that
// is the last second of the hour.
func (z *zone) peak(p period) int64 {
	peak := int64(math.MinInt64)
	for q := p; q.start > p.start-maxTurn && q.start > math.MinInt64+maxTurn; {
		q = z.at(q.start - 1)
		peak = max(peak, q.end-1+q.offset)
	}
	return peak
}

// trough gives the earliest wall-clock second that the clocks show after the
// end of period p.
func (z *zone) trough(p period) int64 {
	trough := int64(math.MaxInt64)
	for q := p; q.end < p.end+maxTurn && q.end < maxInstant; {
		q = z.at(q.end)
		trough = min(trough, q.start+q.offset)
	}
	return trough
}

// resolve gives the first instant at which the zone's clocks show wall or
// later: the first of two occurrences, and the end of the gap for a time that
// is skipped.
func (z *zone) resolve(wall int64) int64 {
	p := z.at(wall - maxTurn)
	for wall-p.offset >= p.end {
		p = z.at(p.end)
	}
	return max(wall-p.offset, p.start)
}

// wall gives what the zone's clocks show at an instant.
func (z *zone) wall(instant int64) int64 { return instant + z.at(instant).offset }
