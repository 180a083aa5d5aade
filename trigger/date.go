package trigger

import (
	"slices"
	"time"
)

// Date fires once.
type Date struct {
	base
	at int64 // Unix microseconds
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
	b, err := newBase(Options{Zone: namedZone(at)}, false)
	if err != nil {
		return nil, err
	}
	return &Date{base: b, at: at.UnixMicro()}, nil
}

// namedZone gives the zone of an instant, UTC if other machines would not know
// it by its name.
func namedZone(at time.Time) *time.Location {
	if zone := at.Location(); isZoneName(zone.String()) {
		return zone
	}
	return time.UTC
}

// Next returns the date if it is after the given instant.
func (d *Date) Next(after time.Time) (time.Time, bool) {
	at := time.UnixMicro(d.at).In(d.zone.Location)
	if !at.After(after) {
		return time.Time{}, false
	}
	return at, true
}

func (d *Date) kind() string            { return "date" }
func (d *Date) describe(w words) string { return w.once(dateText(d.at, d.zone)) }
func (d *Date) encode(f *form)          { f.RunDate = formatDate(microTime(d.at, d.zone)) }

// dateText writes an instant for people, on the clocks of a zone.
func dateText(micro int64, z *zone) string {
	return microTime(micro, z).Format("2006-01-02 15:04:05.999999")
}

// Dates fires once at each of a list of instants.
type Dates struct {
	base
	at []int64 // Unix microseconds, in order, each once
}

// maxDates is how many instants a list may have.
const maxDates = 10_000

// NewDates makes a trigger that fires at the given instants, cut to
// microseconds, in order of time; one that is given twice counts once. opts
// does without bounds: the list has them. Errors: an [*Error] for an empty
// list, for more than 10,000 dates, and for years past 9999.
func NewDates(at []time.Time, opts Options) (*Dates, error) {
	switch {
	case len(at) == 0:
		return nil, &Error{Field: "run_dates", Problem: "is empty, allowed 1 to 10000 dates"}
	case len(at) > maxDates:
		return nil, &Error{Field: "run_dates", Problem: "has " + count(len(at), "date") + ", allowed 1 to 10000"}
	}
	if err := opts.withoutRule(); err != nil {
		return nil, err
	}
	b, err := newBase(opts, false)
	if err != nil {
		return nil, err
	}
	d := &Dates{base: b, at: make([]int64, len(at))}
	for i, t := range at {
		if err := checkYear("run_dates", t); err != nil {
			return nil, err
		}
		d.at[i] = t.UnixMicro()
	}
	slices.Sort(d.at)
	d.at = slices.Compact(d.at)
	return d, nil
}

// Next returns the first date after the given instant.
func (d *Dates) Next(after time.Time) (time.Time, bool) {
	from := unixMicro(after)
	if d.start != noStart {
		from = max(from, d.start-1)
	}
	i, _ := slices.BinarySearch(d.at, from+1)
	if i == len(d.at) || d.at[i] > d.end {
		return time.Time{}, false
	}
	return time.UnixMicro(d.at[i]).In(d.zone.Location), true
}

func (d *Dates) kind() string { return "dates" }

func (d *Dates) describe(w words) string {
	texts := make([]string, 0, maxTimes)
	for _, at := range d.at[:min(len(d.at), maxTimes)] {
		texts = append(texts, dateText(at, d.zone))
	}
	return w.datesList(texts, len(d.at)-len(texts))
}

func (d *Dates) encode(f *form) {
	for _, at := range d.at {
		f.RunDates = append(f.RunDates, formatDate(microTime(at, d.zone)))
	}
}
