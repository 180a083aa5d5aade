package ics

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	ical "github.com/arran4/golang-ical"

	"github.com/jobcenter-go/jobcenter/trigger"
)

// moment is a day, as midnight in UTC, or an instant.
type moment struct {
	at     time.Time
	allDay bool
}

// key is a moment for comparison.
type key struct {
	second int64
	allDay bool
}

func (m moment) key() key { return key{m.at.Unix(), m.allDay} }

// moments is a set of them.
type moments map[key]bool

func (s moments) has(m moment) bool {
	if len(s) == 0 {
		return false
	}
	day := time.Date(m.at.Year(), m.at.Month(), m.at.Day(), 0, 0, 0, 0, time.UTC)
	return s[m.key()] || s[key{day.Unix(), true}] // some files leave the time out
}

// event is what counts of an event.
type event struct {
	uid, name string
	cancelled bool
	start     moment
	length    time.Duration // of days, those of 24 hours
	rules     []string
	also      []moment
	except    moments
	replaces  *moment
}

// reader holds what the events of a file have in common.
type reader struct {
	zone     *time.Location
	zones    map[string]*time.Location // by the names that the file has for them
	from, to time.Time                 // days
	left     int                       // occurrences
	rules    int
	replaced map[string]moments // by UID: the times of events that others replace
}

// event reads an event. The event has a name even if there is an error.
func (b *reader) event(v *ical.VEvent) (e event, err error) {
	if p := v.GetProperty(ical.ComponentPropertyUniqueId); p != nil {
		e.uid, e.name = p.Value, p.Value
	}
	if p := v.GetProperty(ical.ComponentPropertySummary); p != nil {
		e.name = ical.FromText(p.Value)
	}
	if p := v.GetProperty(ical.ComponentPropertyStatus); p != nil {
		e.cancelled = strings.EqualFold(strings.TrimSpace(p.Value), "CANCELLED")
	}
	if list, err := b.moments(v, ical.ComponentPropertyRecurrenceId); err != nil {
		return e, err
	} else if len(list) > 0 {
		e.replaces = &list[0]
	}
	starts, err := b.moments(v, ical.ComponentPropertyDtStart)
	switch {
	case e.cancelled:
		return e, nil
	case err != nil:
		return e, err
	case len(starts) != 1:
		return e, errors.New("has no DTSTART")
	}
	e.start = starts[0]
	if e.length, err = b.length(v, e.start); err != nil {
		return e, err
	}
	for _, p := range v.GetProperties(ical.ComponentPropertyRrule) {
		if b.rules++; b.rules > maxRules {
			return e, fmt.Errorf("RRULE: the file has too many, allowed are %d", maxRules)
		}
		e.rules = append(e.rules, p.Value)
	}
	if e.also, err = b.moments(v, ical.ComponentPropertyRdate); err != nil {
		return e, err
	}
	except, err := b.moments(v, ical.ComponentPropertyExdate)
	if len(except) > 0 {
		e.except = moments{}
	}
	for _, m := range except {
		e.except[m.key()] = true
	}
	return e, err
}

// moments reads all values of a property.
func (b *reader) moments(v *ical.VEvent, name ical.ComponentProperty) (list []moment, err error) {
	for _, p := range v.GetProperties(name) {
		zone := b.zone
		if id := p.ICalParameters["TZID"]; len(id) > 0 {
			if zone = b.zoneNamed(id[0]); len(b.zones) > maxZones {
				return nil, fmt.Errorf("%s: the file has too many time zones, allowed are %d", name, maxZones)
			}
		}
		for text := range strings.SplitSeq(p.Value, ",") {
			text, _, _ = strings.Cut(strings.TrimSpace(text), "/") // a period begins with its start
			m, ok := parseMoment(text, zone)
			if !ok {
				return nil, fmt.Errorf("%s %q is not a date", name, short(text))
			}
			list = append(list, m)
		}
	}
	return list, nil
}

// zoneNamed gives a zone by the names that files have for it, which need not be
// of the IANA: some put a path before it. Of other names it knows nothing.
func (b *reader) zoneNamed(id string) *time.Location {
	if zone, ok := b.zones[id]; ok {
		return zone
	}
	zone := b.zone
	for name := strings.Trim(id, "/ "); name != "" && name != "Local"; {
		if found, err := time.LoadLocation(name); err == nil {
			zone = found
			break
		}
		_, name, _ = strings.Cut(name, "/")
	}
	b.zones[id] = zone
	return zone
}

func parseMoment(text string, zone *time.Location) (m moment, ok bool) {
	var err error
	switch {
	case len(text) == len("20060102"):
		m.allDay = true
		m.at, err = time.Parse("20060102", text)
	case strings.HasSuffix(text, "Z"):
		m.at, err = time.Parse("20060102T150405Z", text)
	default:
		m.at, err = time.ParseInLocation("20060102T150405", text, zone)
	}
	return m, err == nil && m.at.Year() >= 1
}

// length gives how long an event is; at least a day if it has no time of day.
func (b *reader) length(v *ical.VEvent, start moment) (time.Duration, error) {
	length := time.Duration(0)
	ends, err := b.moments(v, ical.ComponentPropertyDtEnd)
	switch p := v.GetProperty(ical.ComponentPropertyDuration); {
	case err != nil:
		return 0, err
	case len(ends) > 0 && ends[0].allDay == start.allDay:
		length = ends[0].at.Sub(start.at)
	case len(ends) > 0:
		return 0, errors.New("only one of DTSTART and DTEND has a time of day")
	case p != nil:
		var ok bool
		if length, ok = parseDuration(strings.TrimSpace(p.Value)); !ok {
			return 0, fmt.Errorf("DURATION %q is not a duration", short(p.Value))
		}
	}
	const day = 24 * time.Hour
	length = min(length, longest)
	if start.allDay {
		length = max(day, (length+day-1)/day*day)
	}
	return max(0, length), nil
}

// longest is longer than the years that are asked for.
const longest = maxYears * 366 * 24 * time.Hour

// parseDuration reads such as P1D, P2W and PT1H30M.
func parseDuration(text string) (d time.Duration, ok bool) {
	text, ok = strings.CutPrefix(strings.TrimPrefix(text, "+"), "P")
	units := map[byte]time.Duration{'W': 7 * 24 * time.Hour, 'D': 24 * time.Hour}
	for text != "" {
		if text[0] == 'T' {
			units = map[byte]time.Duration{'H': time.Hour, 'M': time.Minute, 'S': time.Second}
			text = text[1:]
		}
		digits := 0
		for digits < len(text) && '0' <= text[digits] && text[digits] <= '9' {
			digits++
		}
		n, err := strconv.ParseInt(text[:digits], 10, 32)
		if err != nil || digits == len(text) || units[text[digits]] == 0 {
			return 0, false
		}
		unit := units[text[digits]]
		d = min(longest, d+time.Duration(min(n, int64(longest/unit)))*unit)
		text = text[digits+1:]
	}
	return d, ok
}

// days adds the days of an event, in all the times that it takes place.
func (b *reader) days(list []trigger.DateRange, e *event) ([]trigger.DateRange, error) {
	var replaced moments
	if e.replaces == nil {
		replaced = b.replaced[e.uid]
	}
	add := func(m moment) error {
		if e.except.has(m) || replaced.has(m) {
			return nil
		}
		first, last := m.at, m.at.Add(e.length)
		if e.length > 0 {
			last = last.Add(-time.Nanosecond)
		}
		if !m.allDay {
			first, last = first.In(b.zone), last.In(b.zone)
		}
		r := trigger.DateRange{First: trigger.CivilDateOf(first), Last: trigger.CivilDateOf(last)}
		from, to := trigger.CivilDateOf(b.from), trigger.CivilDateOf(b.to)
		if compare(r.Last, from) < 0 || compare(r.First, to) > 0 {
			return nil
		}
		if b.left--; b.left < 0 {
			return fmt.Errorf("the events recur too often, allowed are %d times", maxOccurrences)
		}
		if compare(r.First, from) < 0 {
			r.First = from
		}
		if compare(r.Last, to) > 0 {
			r.Last = to
		}
		list = append(list, r)
		return nil
	}
	for _, m := range append([]moment{e.start}, e.also...) {
		if err := add(m); err != nil {
			return nil, err
		}
	}
	for _, rule := range e.rules {
		plan, err := trigger.NewRRule(rule, trigger.Options{Zone: e.start.at.Location(), Start: e.start.at})
		if err != nil {
			return nil, fmt.Errorf("RRULE: %w", err)
		}
		at := b.from.Add(-e.length - 48*time.Hour)
		if at.Before(e.start.at) { // which counts anyway
			at = e.start.at
		}
		for fire, ok := plan.Next(at); ok && fire.Before(b.to.Add(72*time.Hour)); fire, ok = plan.Next(fire) {
			if err := add(moment{fire, e.start.allDay}); err != nil {
				return nil, err
			}
		}
	}
	return list, nil
}
