package trigger

import (
	"math"
	"time"
)

// Options are what all kinds of triggers take besides their plan. The zero
// value is a trigger in UTC without start and end.
type Options struct {
	// Zone is the time zone of the plan. Nil means UTC.
	Zone *time.Location
	// Start and End are the first and the last instant at which the trigger
	// may fire. Zero means none. An interval is counted from its start.
	Start, End time.Time
	// OnGap and OnFold say what becomes of wall-clock times that do not exist,
	// or come twice, where the clocks are turned. Empty means the default, see
	// the package documentation. Intervals and dates, which do not go by the
	// wall clock, do not take them.
	OnGap  OnGap
	OnFold OnFold
}

// base is what all kinds have in common.
type base struct {
	zone *zone
	bounds
	rule rule
}

// core makes the type that embeds it one of ours, see native.
func (b *base) core() *base { return b }

// newBase takes the options of a plan; elapsed tells whether it fires every so
// often.
func newBase(o Options, elapsed bool) (b base, err error) {
	if b.bounds, err = newBounds(o.Start, o.End); err != nil {
		return b, err
	}
	if b.rule, err = newRule(o.OnGap, o.OnFold, elapsed); err != nil {
		return b, err
	}
	b.zone = zoneOf(o.Zone)
	return b, nil
}

// withoutRule refuses the choices of a kind that does not go by the wall clock.
func (o Options) withoutRule() error {
	switch {
	case o.OnGap != "":
		return &Error{Field: "on_gap", Given: string(o.OnGap), Problem: "is for wall-clock times, which this kind of trigger does not go by"}
	case o.OnFold != "":
		return &Error{Field: "on_fold", Given: string(o.OnFold), Problem: "is for wall-clock times, which this kind of trigger does not go by"}
	}
	return nil
}

// bounds are the first and the last instant at which a trigger may fire, in
// Unix microseconds.
type bounds struct{ start, end int64 }

// The bounds of a trigger that has none.
const (
	noStart = math.MinInt64
	noEnd   = math.MaxInt64
)

func newBounds(start, end time.Time) (bounds, error) {
	b := bounds{noStart, noEnd}
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
// an end before the start (APScheduler takes it, and never fires), in the
// trigger or in one of those that it is made of. The error is an [*Error]. A
// trigger that is not of this package passes.
func Check(t Trigger) error {
	n, ok := t.(native)
	if !ok {
		return nil
	}
	for i, part := range partsOf(n) {
		if err := Check(part); err != nil {
			return inPart(err, i)
		}
	}
	b := n.core()
	if b.start == noStart || b.end >= b.start {
		return nil
	}
	return &Error{
		Field: "end_date", Given: microTime(b.end, b.zone).Format(time.RFC3339Nano),
		Problem: "is before start_date " + microTime(b.start, b.zone).Format(time.RFC3339Nano),
	}
}

// checkYear wants an instant that can be written with a year of four digits, on
// the clocks of its zone or in UTC, see formatDate.
func checkYear(field string, t time.Time) error {
	y := t.UTC().Year()
	if y > maxYear {
		y = t.Year()
	}
	if y < 1 || y > maxYear {
		return &Error{Field: field, Given: t.Format(time.RFC3339), Problem: "is out of range, allowed years 1-9999"}
	}
	return nil
}

// ceilMicro rounds up: the first whole microsecond that is not before t.
func ceilMicro(t time.Time) int64 {
	return t.Add(time.Microsecond - 1).UnixMicro()
}

// fire gives the first fire of a plan after an instant and within the bounds.
func (b *base) fire(c wallClock, after time.Time) (time.Time, bool) {
	second := after.Unix()
	if b.start != noStart {
		second = max(second, ceilSecond(b.start)-1)
	}
	fire, ok := b.rule.nextFire(c, b.zone, second)
	if !ok || fire > b.end/1e6 && fire*1e6 > b.end {
		return time.Time{}, false
	}
	return time.Unix(fire, 0).In(b.zone.Location), true
}

func ceilSecond(micro int64) int64 {
	s := micro / 1e6
	if micro > s*1e6 {
		s++
	}
	return s
}

// microTime is the zero time for an unset bound.
func microTime(micro int64, z *zone) time.Time {
	if micro == noStart || micro == noEnd {
		return time.Time{}
	}
	return time.UnixMicro(micro).In(z.Location)
}

// unixMicro gives an instant in microseconds, held to those that a fire may
// have: it may be any.
func unixMicro(t time.Time) int64 {
	switch s := t.Unix(); {
	case s > maxInstant:
		return maxInstant * 1e6
	case s < firstInstant:
		return firstInstant * 1e6
	}
	return t.UnixMicro()
}

func floorMod(a, b int64) int64 {
	m := a % b
	if m < 0 {
		m += b
	}
	return m
}

// zoneOr gives UTC for nil.
func zoneOr(zone *time.Location) *time.Location {
	if zone == nil {
		return time.UTC
	}
	return zone
}
