package trigger

import "time"

// DailyTimeInterval fires every so often between two times of day, on given
// weekdays.
type DailyTimeInterval struct {
	base
	step     int64 // seconds
	from, to int64 // seconds of the day; to may be of the next
	weekdays uint8 // bit 0 is Sunday
	unit     Unit
}

// Unit is a unit of a [DailyTimeInterval].
type Unit string

// The units.
const (
	Second Unit = "second"
	Minute Unit = "minute"
	Hour   Unit = "hour"
)

// DailyTimeSpec is the plan of a [DailyTimeInterval].
type DailyTimeSpec struct {
	// Every is how many units lie between two fires, 1 to a day of them.
	Every int
	Unit  Unit
	// From and To are the first and the last time of day, as the zone's clocks
	// show it since midnight, both inclusive; whole seconds under 24 hours. A
	// To that is before From is one of the next day, of which 24 hours is the
	// midnight. Fires are counted from From anew each day. The zero To means the
	// end of the day, 23:59:59.
	From, To time.Duration
	// Weekdays are the days on which From lies. Empty means every day.
	Weekdays []time.Weekday
}

// NewDailyTimeInterval makes a trigger of a daily window. It fires "every so
// often", see the package documentation. Errors: an [*Error] that names the
// field.
func NewDailyTimeInterval(spec DailyTimeSpec, opts Options) (*DailyTimeInterval, error) {
	d := &DailyTimeInterval{unit: spec.Unit}
	switch spec.Unit {
	case Second:
		d.step = 1
	case Minute:
		d.step = 60
	case Hour:
		d.step = 3600
	default:
		return nil, &Error{Field: "unit", Given: string(spec.Unit), Problem: "is not known, allowed second, minute, hour"}
	}
	if most := int(secondsPerDay / d.step); spec.Every < 1 || spec.Every > most {
		return nil, outOfRange("every", spec.Every, 1, most)
	}
	d.step *= int64(spec.Every)
	if spec.To == 0 {
		spec.To = (secondsPerDay - 1) * time.Second
	}
	for _, part := range []struct {
		name  string
		value time.Duration
	}{{"from", spec.From}, {"to", spec.To}} {
		midnight := part.name == "to" && spec.From > 0 && part.value == secondsPerDay*time.Second
		if !midnight && (part.value < 0 || part.value >= secondsPerDay*time.Second || part.value%time.Second != 0) {
			return nil, &Error{Field: part.name, Given: part.value.String(), Problem: "is not a time of day, allowed whole seconds from 0s to 23h59m59s"}
		}
	}
	d.from, d.to = int64(spec.From/time.Second), int64(spec.To/time.Second)
	if d.to < d.from {
		d.to += secondsPerDay
	}
	for _, w := range spec.Weekdays {
		if w < time.Sunday || w > time.Saturday {
			return nil, outOfRange("days_of_week", int(w), 0, 6)
		}
		d.weekdays |= 1 << uint(w)
	}
	if d.weekdays == 0 {
		d.weekdays = allWeekdays
	}
	var err error
	if d.base, err = newBase(opts, true); err != nil {
		return nil, err
	}
	return d, nil
}

// Next returns the first fire after the given instant.
func (d *DailyTimeInterval) Next(after time.Time) (time.Time, bool) { return d.fire(d, after) }

func (d *DailyTimeInterval) kind() string            { return "daily_time_interval" }
func (d *DailyTimeInterval) clock() wallClock        { return d }
func (d *DailyTimeInterval) describe(w words) string { return w.dailyTime(d) }

func (d *DailyTimeInterval) encode(f *form) {
	f.Every, f.Unit = d.every(), string(d.unit)
	f.From, f.To = clockText(d.from), clockText(d.to)
	if d.weekdays != allWeekdays {
		for day := range 7 {
			if w := (day + 1) % 7; d.weekdays>>uint(w)&1 != 0 {
				f.DaysOfWeek = append(f.DaysOfWeek, sundayNames[3*w:3*w+3])
			}
		}
	}
}

// every gives how many units lie between two fires.
func (d *DailyTimeInterval) every() int64 {
	switch d.unit {
	case Minute:
		return d.step / 60
	case Hour:
		return d.step / 3600
	case Second:
	}
	return d.step
}

// clockText writes a second of the day.
func clockText(second int64) string {
	s := int(second % secondsPerDay)
	return fullTime(s/3600, s/60%60, s%60)
}

// next gives the first fire at or after a time of the zone's clocks.
func (d *DailyTimeInterval) next(wall int64) (int64, bool) {
	wall = max(wall, 0) // 1970, as for all plans by weekday
	day, _ := splitWall(wall)
	// The window of the day before may go on past midnight.
	for begin := day - 1; begin <= day+7 && begin <= lastDay; begin++ {
		if d.weekdays>>uint(weekday(begin))&1 == 0 {
			continue
		}
		first := begin*secondsPerDay + d.from
		n := max(0, (wall-first+d.step-1)/d.step)
		if fire := first + n*d.step; fire <= begin*secondsPerDay+d.to && fire/secondsPerDay <= lastDay {
			return fire, true
		}
	}
	return 0, false
}
