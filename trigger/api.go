package trigger

import (
	"errors"
	"time"
)

// Lang is a language that triggers are described in.
type Lang string

// The languages.
const (
	English Lang = "en"
	Chinese Lang = "zh"
)

// CronSpec is a stub.
type CronSpec struct {
	Year, Month, Day, Week, DayOfWeek, Hour, Minute, Second string
	Zone                                                    *time.Location
	Start, End                                              time.Time
}

// Cron is a stub.
type Cron struct{}

// NewCron is a stub.
func NewCron(spec CronSpec) (*Cron, error) { return nil, errors.ErrUnsupported }

// Next is a stub.
func (c *Cron) Next(after time.Time) (time.Time, bool) { return time.Time{}, false }

// CrontabOptions is a stub.
type CrontabOptions struct {
	Zone       *time.Location
	Start, End time.Time
}

// Crontab is a stub.
type Crontab struct{}

// NewCrontab is a stub.
func NewCrontab(expr string, opts CrontabOptions) (*Crontab, error) {
	return nil, errors.ErrUnsupported
}

// Next is a stub.
func (c *Crontab) Next(after time.Time) (time.Time, bool) { return time.Time{}, false }

// IntervalOptions is a stub.
type IntervalOptions struct {
	Start, End time.Time
	Zone       *time.Location
}

// Interval is a stub.
type Interval struct {
	start time.Time
	every time.Duration
}

// NewInterval is a stub.
func NewInterval(every time.Duration, opts IntervalOptions) (*Interval, error) {
	return &Interval{start: opts.Start, every: every}, nil
}

// Every is a stub.
func Every(d time.Duration) (*Interval, error) { return NewInterval(d, IntervalOptions{}) }

// StartingAt is a stub.
func (i *Interval) StartingAt(t time.Time) *Interval { return &Interval{start: t, every: i.every} }

// Start is a stub.
func (i *Interval) Start() time.Time { return i.start }

// Next is a stub.
func (i *Interval) Next(after time.Time) (time.Time, bool) {
	if after.Before(i.start) {
		return i.start, true
	}
	return after.Add(i.every - after.Sub(i.start)%i.every), true
}

// Date is a stub.
type Date struct{ at time.Time }

// NewDate is a stub.
func NewDate(at time.Time) (*Date, error) { return &Date{at}, nil }

// Next is a stub.
func (d *Date) Next(after time.Time) (time.Time, bool) {
	if d.at.After(after) {
		return d.at, true
	}
	return time.Time{}, false
}

// Parse is a stub.
func Parse(data []byte, zone *time.Location) (Trigger, error) { return nil, errors.ErrUnsupported }

// Marshal is a stub.
func Marshal(t Trigger) ([]byte, error) { return nil, errors.ErrUnsupported }

// Type is a stub.
func Type(t Trigger) string { return "" }

// Zone is a stub.
func Zone(t Trigger) *time.Location { return time.UTC }

// Describe is a stub.
func Describe(t Trigger, lang Lang) string { return "" }

// Note is a stub.
func Note(t Trigger, fire time.Time, lang Lang) string { return "" }
