package trigger

import (
	"encoding/json"
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
	base
	every int64 // microseconds
}

// NewInterval makes a trigger that fires every so often, rounded to
// microseconds, the first time at opts.Start. Without a start its phase is not
// fixed yet, see [Interval.StartingAt]. Errors: an [*Error] if every is under a
// millisecond.
func NewInterval(every time.Duration, opts Options) (*Interval, error) {
	if every < minInterval {
		return nil, &Error{Given: every.String(), Problem: "is too short an interval, allowed 1ms or more"}
	}
	if err := opts.withoutRule(); err != nil {
		return nil, err
	}
	b, err := newBase(opts, false)
	if err != nil {
		return nil, err
	}
	return &Interval{base: b, every: every.Round(time.Microsecond).Microseconds()}, nil
}

// Every makes an interval without start and end, in UTC.
func Every(d time.Duration) (*Interval, error) { return NewInterval(d, Options{}) }

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
	from := unixMicro(after)
	fire := i.start
	if i.start == noStart {
		fire = from + i.every - floorMod(from, i.every)
	} else if from >= i.start {
		fire = from + i.every - (from-i.start)%i.every
	}
	if fire > i.end || fire > maxInstant*1e6 {
		return time.Time{}, false
	}
	return time.UnixMicro(fire).In(i.zone.Location), true
}

func (i *Interval) kind() string            { return "interval" }
func (i *Interval) describe(w words) string { return w.interval(i) }

func (i *Interval) encode(f *form) {
	switch unit, n := i.unit(); unit {
	case "week":
		f.Weeks = n
	case "day":
		f.Days = n
	case "hour":
		f.Hours = n
	case "minute":
		f.Minutes = n
	default:
		f.Seconds = json.Number(i.seconds())
	}
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
