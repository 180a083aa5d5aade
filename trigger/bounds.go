package trigger

import (
	"math"
	"time"
)

// bounds are the first and the last instant at which a trigger may fire, in
// Unix microseconds.
type bounds struct{ start, end int64 }

func newBounds(start, end time.Time) (bounds, error) {
	b := bounds{math.MinInt64, math.MaxInt64}
	if !start.IsZero() {
		if err := checkYear("start_date", start); err != nil {
			return b, err
		}
		b.start = ceilMicro(start)
	}
	if !end.IsZero() {
		if err := checkYear("end_date", end); err != nil {
			return b, err
		}
		b.end = end.UnixMicro()
	}
	return b, nil
}

// Check finds fault with a plan that is well formed and yet cannot be meant:
// an end before the start (APScheduler takes it, and never fires). The error
// is an [*Error]. A trigger that is not of this package passes.
func Check(t Trigger) error {
	var b bounds
	switch t := t.(type) {
	case *Cron:
		b = t.bounds
	case *Crontab:
		b = t.bounds
	case *Interval:
		b = t.bounds
	default:
		return nil
	}
	if b.start == math.MinInt64 || b.end >= b.start {
		return nil
	}
	zone := Zone(t)
	return &Error{
		Field: "end_date", Given: microTime(b.end, zone).Format(time.RFC3339Nano),
		Problem: "is before start_date " + microTime(b.start, zone).Format(time.RFC3339Nano),
	}
}

func checkYear(field string, t time.Time) error {
	if y := t.Year(); y < 1 || y > maxYear {
		return &Error{Field: field, Given: t.Format(time.RFC3339), Problem: "is out of range, allowed years 1-9999"}
	}
	return nil
}

// ceilMicro rounds up: the first whole microsecond that is not before t.
func ceilMicro(t time.Time) int64 {
	return t.Add(time.Microsecond - 1).UnixMicro()
}

// fire gives the first fire of the plan after an instant and within bounds.
func (p *plan) fire(zone *time.Location, b bounds, after time.Time) (time.Time, bool) {
	second := after.Unix()
	if b.start != math.MinInt64 {
		second = max(second, ceilSecond(b.start)-1)
	}
	fire, ok := p.nextFire(zone, second)
	if !ok || fire > b.end/1e6 && fire*1e6 > b.end {
		return time.Time{}, false
	}
	return time.Unix(fire, 0).In(zone), true
}

func ceilSecond(micro int64) int64 {
	s := micro / 1e6
	if micro > s*1e6 {
		s++
	}
	return s
}

// zoneOr gives the default zone for nil.
func zoneOr(zone *time.Location) *time.Location {
	if zone == nil {
		return time.UTC
	}
	return zone
}
