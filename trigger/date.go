package trigger

import "time"

// Date fires once.
type Date struct {
	at   int64 // Unix microseconds
	zone *time.Location
}

// NewDate makes a trigger that fires once, at the given instant, cut to
// microseconds. Its time zone is that of the instant, or UTC if that has no
// name which other machines know: a bare offset, or time.Local. Errors: an
// [*Error] for the zero time and for years past 9999.
func NewDate(at time.Time) (*Date, error) {
	if at.IsZero() {
		return nil, &Error{Field: "run_date", Problem: "is missing"}
	}
	if err := checkYear("run_date", at); err != nil {
		return nil, err
	}
	zone := at.Location()
	if !isZoneName(zone.String()) {
		zone = time.UTC
	}
	return &Date{at: at.UnixMicro(), zone: zone}, nil
}

// Next returns the date if it is after the given instant.
func (d *Date) Next(after time.Time) (time.Time, bool) {
	at := time.UnixMicro(d.at).In(d.zone)
	if !at.After(after) {
		return time.Time{}, false
	}
	return at, true
}
