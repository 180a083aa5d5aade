package trigger

import (
	"strings"
	"sync"
	"time"
)

// zones holds the zones that loadZone has read, by name. They never change, and
// a million jobs share a few of them instead of reading as many files. There
// are no more than there are zones.
var zones sync.Map //nolint:gochecknoglobals // a cache of immutable values, see above

// loadZone finds a time zone by its IANA name.
func loadZone(name string) (*time.Location, bool) {
	if zone, ok := zones.Load(name); ok {
		return zone.(*time.Location), true
	}
	if !isZoneName(name) {
		return nil, false
	}
	zone, err := time.LoadLocation(name)
	if err != nil {
		return nil, false
	}
	kept, _ := zones.LoadOrStore(name, zone)
	return kept.(*time.Location), true
}

// isZoneName tells whether a name has the form of an IANA one. Machines hold
// other files beside their zones, and "Local" is another zone on each.
func isZoneName(name string) bool {
	if name == "" || name == "Local" || name[0] < 'A' || name[0] > 'Z' || strings.Contains(name, "//") {
		return false
	}
	for i := range len(name) {
		switch c := name[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
		case c == '/', c == '_', c == '-', c == '+':
		default:
			return false
		}
	}
	return true
}

const dateForms = `is not a date, allowed RFC 3339 such as "2026-11-06T16:30:05+01:00", or without the offset for the time in the trigger's zone, or the day alone`

// parseDate reads an instant: RFC 3339, a wall time of the zone, or a day that
// stands for its first instant. Parts of a microsecond are cut off.
func parseDate(text string, zone *time.Location) (t time.Time, problem string) {
	if text == "" {
		return t, "is empty, allowed a date such as 2026-11-06T16:30:05"
	}
	r := reader{rest: text, ok: true}
	year := r.number(4, 4)
	r.one("-")
	month := r.number(1, 2)
	r.one("-")
	day := r.number(1, 2)
	var hour, minute, second, micro int
	offset, hasOffset := 0, false
	if r.rest != "" {
		r.one("T t")
		hour = r.number(1, 2)
		r.one(":")
		minute = r.number(1, 2)
		r.one(":")
		second = r.number(1, 2)
		micro = r.fraction()
		offset, hasOffset = r.offset()
	}
	if !r.ok || r.rest != "" {
		return t, dateForms
	}
	if year < 1 || month < 1 || month > 12 || day < 1 || day > daysInMonth(year, month) {
		return t, "is not a day of the calendar"
	}
	if hour > 23 || minute > 59 || second > 59 {
		return t, "is not a time of day, allowed 00:00:00 to 23:59:59"
	}
	unix := dayNumber(year, month, day)*secondsPerDay + int64(hour*3600+minute*60+second)
	if hasOffset {
		unix -= int64(offset)
	} else {
		z, wall := zoneOf(zone), unix
		unix = z.resolve(wall)
		if z.wall(unix) != wall {
			micro = 0 // in a gap: its end
		}
	}
	return time.Unix(unix, int64(micro)*1000).In(zone), ""
}

// reader takes a text apart from its front. Once something does not fit, ok is
// false.
type reader struct {
	rest string
	ok   bool
}

// one takes one byte out of set.
func (r *reader) one(set string) {
	if r.rest == "" || !strings.Contains(set, r.rest[:1]) {
		r.ok = false
		return
	}
	r.rest = r.rest[1:]
}

// number takes as many digits as there are, least to most.
func (r *reader) number(least, most int) int {
	n := 0
	for n < len(r.rest) && n < most && '0' <= r.rest[n] && r.rest[n] <= '9' {
		n++
	}
	v, ok := number(r.rest[:n])
	r.ok = r.ok && ok && n >= least
	r.rest = r.rest[n:]
	return v
}

// fraction takes a point and up to nine digits, and gives microseconds.
func (r *reader) fraction() int {
	if !strings.HasPrefix(r.rest, ".") {
		return 0
	}
	r.rest = r.rest[1:]
	before := len(r.rest)
	n := r.number(1, 9)
	for digits := before - len(r.rest); digits < 9; digits++ {
		n *= 10
	}
	return n / 1000
}

// offset takes Z or +hh:mm, and gives seconds.
func (r *reader) offset() (seconds int, given bool) {
	if r.rest == "" {
		return 0, false
	}
	if r.rest == "Z" || r.rest == "z" {
		r.rest = ""
		return 0, true
	}
	sign := 1
	if r.rest[0] == '-' {
		sign = -1
	}
	r.one("+-")
	hours := r.number(2, 2)
	r.one(":")
	minutes := r.number(2, 2)
	r.ok = r.ok && hours < 24 && minutes < 60
	return sign * (hours*3600 + minutes*60), true
}

// formatDate writes an instant so that parseDate reads it.
func formatDate(t time.Time) string {
	// RFC 3339 has no seconds of an offset, and only years of four digits.
	if _, offset := t.Zone(); offset%60 != 0 || t.Year() < 1 || t.Year() > maxYear {
		t = t.UTC()
	}
	return t.Format(time.RFC3339Nano)
}
