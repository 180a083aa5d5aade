package trigger

import "time"

// RRule fires by an iCalendar recurrence rule.
type RRule struct {
	base
	rule string
}

// NewRRule is to be written.
func NewRRule(rule string, opts Options) (*RRule, error) { return nil, &Error{Problem: "not there yet"} }

// Next returns the first fire after the given instant.
func (r *RRule) Next(after time.Time) (time.Time, bool) { return time.Time{}, false }

func (r *RRule) kind() string            { return "rrule" }
func (r *RRule) describe(w words) string { return "" }
func (r *RRule) encode(f *form)          { f.Rule = r.rule }
