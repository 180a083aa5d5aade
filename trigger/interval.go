package trigger

import (
	"math"
	"strconv"
	"strings"
	"time"
)

// minInterval is the shortest interval: a job that fires more often would only
// keep its scheduler busy.
const minInterval = time.Millisecond

// Interval fires at a fixed distance in elapsed time, counted from its start.
// It knows no calendar: one day is 24 hours, whatever the clocks do.
type Interval struct {
	every int64 // microseconds
	zone  *time.Location
	bounds
}

// IntervalOptions are the bounds of an [Interval].
type IntervalOptions struct {
	// Start is the first fire time, from which all others are counted. Zero
	// means that the phase is not fixed yet, see [Interval.StartingAt].
	Start time.Time
	// End is the last instant at which the trigger may fire. Zero means none.
	End time.Time
	// Zone is the time zone in which fire times are given. Nil means UTC.
	Zone *time.Location
}

// NewInterval makes a trigger that fires every so often, rounded to
// microseconds. Errors: an [*Error] if every is under a millisecond.
func NewInterval(every time.Duration, opts IntervalOptions) (*Interval, error) {
	if every < minInterval {
		return nil, &Error{Given: every.String(), Problem: "is too short an interval, allowed 1ms or more"}
	}
	b, err := newBounds(opts.Start, opts.End)
	if err != nil {
		return nil, err
	}
	return &Interval{every: every.Round(time.Microsecond).Microseconds(), zone: zoneOr(opts.Zone), bounds: b}, nil
}

// Every makes an interval without start and end, in UTC.
func Every(d time.Duration) (*Interval, error) { return NewInterval(d, IntervalOptions{}) }

// Every returns the distance between two fires.
func (i *Interval) Every() time.Duration { return time.Duration(i.every) * time.Microsecond }

// Start returns the first fire time, in the trigger's zone; the zero time if
// it is not fixed.
func (i *Interval) Start() time.Time { return microTime(i.start, i.zone) }

// StartingAt returns a copy of the interval that has t as its first fire time.
// An interval without a start gets one when its job is added: one interval
// later.
func (i *Interval) StartingAt(t time.Time) *Interval {
	c := *i
	c.start = ceilMicro(t)
	return &c
}

// Next returns the first fire after the given instant. Without a start, fires
// are counted from 1970-01-01 00:00 UTC, so that the phase is the same for
// everyone who asks.
func (i *Interval) Next(after time.Time) (time.Time, bool) {
	from := after.Unix()
	if from > maxInstant {
		return time.Time{}, false
	}
	if from < -maxInstant { // out of range for microseconds, perhaps
		from = -maxInstant * 1e6
	} else {
		from = after.UnixMicro()
	}
	fire := i.start
	if i.start == math.MinInt64 {
		fire = from + i.every - floorMod(from, i.every)
	} else if from >= i.start {
		fire = from + i.every - (from-i.start)%i.every
	}
	if fire > i.end || fire > maxInstant*1e6 {
		return time.Time{}, false
	}
	return time.UnixMicro(fire).In(i.zone), true
}

func floorMod(a, b int64) int64 {
	m := a % b
	if m < 0 {
		m += b
	}
	return m
}

// microTime is the zero time for an unset bound.
func microTime(micro int64, zone *time.Location) time.Time {
	if micro == math.MinInt64 || micro == math.MaxInt64 {
		return time.Time{}
	}
	return time.UnixMicro(micro).In(zone)
}

// unit gives the largest unit of which the interval is a whole number;
// "" if it is a fraction of a second.
func (i *Interval) unit() (name string, n int64) {
	const second = int64(1e6)
	switch {
	case i.every%(7*secondsPerDay*second) == 0:
		return "week", i.every / (7 * secondsPerDay * second)
	case i.every%(secondsPerDay*second) == 0:
		return "day", i.every / (secondsPerDay * second)
	case i.every%(3600*second) == 0:
		return "hour", i.every / (3600 * second)
	case i.every%(60*second) == 0:
		return "minute", i.every / (60 * second)
	case i.every%second == 0:
		return "second", i.every / second
	}
	return "", 0
}

// seconds gives the interval in seconds, as a decimal number.
func (i *Interval) seconds() string {
	s := strconv.FormatInt(i.every/1e6, 10)
	if micro := i.every % 1e6; micro != 0 {
		s += "." + strings.TrimRight(strconv.FormatInt(1e6+micro, 10)[1:], "0")
	}
	return s
}
