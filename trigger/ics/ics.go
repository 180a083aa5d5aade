// Package ics reads iCalendar files (RFC 5545), such as those of public
// holidays, as days for the layers of a [trigger.Calendar].
//
//	off, work, err := ics.Days(file, 2026, 2030, ics.Options{Work: []string{"班"}})
//	...
//	calendar, err := trigger.NewCalendar([]trigger.Layer{
//		trigger.Exclude(trigger.Weekly(time.Saturday, time.Sunday)),
//		trigger.Exclude(trigger.DateRanges(off...)),
//		trigger.Include(trigger.DateRanges(work...)),
//	}, trigger.CalendarOptions{})
package ics

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	ical "github.com/arran4/golang-ical"

	"github.com/jobcenter-go/jobcenter/trigger"
)

// Options say how the events of a file are read. The zero value takes all of
// them as days off.
type Options struct {
	// Work are texts that mark an event as a working day, such as "班": those
	// that have one of them in their summary. Nil means none.
	Work []string
	// Off are texts that mark an event as a day off, such as "休", where a file
	// holds others besides. Nil means all that are not working days.
	Off []string
	// Zone is on whose clocks the days of events with a time of day are
	// counted, and that of times without one. Nil means UTC.
	Zone *time.Location
}

// What is read of a file at most.
const (
	maxSize        = 1 << 20 // bytes
	maxLine        = 4 << 10 // bytes of a line of those that count, with its continuations
	maxNested      = 8
	maxYears       = 200
	maxOccurrences = 20_000 // of all events
	maxRules       = 2_000
	maxZones       = 100
)

// Days reads a file and gives the days off and the working days in it from one
// year to another, both included, as ranges in order and without overlap.
//
// An event is all of the days that it touches; one that recurs (RRULE, RDATE,
// less EXDATE) is those of each time. Cancelled events do not count, and an
// event that replaces one time of another (RECURRENCE-ID) counts instead of it.
// Days that are marked both ways are in both lists.
//
// Errors: for a file that is none or too large (1 MiB), for a date, duration or
// rule that cannot be read, and for events that recur more than 20,000 times in
// those years. A file that is read in part only would leave days out.
func Days(r io.Reader, fromYear, toYear int, opts Options) (off, work []trigger.DateRange, err error) {
	if fromYear < 1 || toYear > 9999 || toYear < fromYear || toYear-fromYear >= maxYears {
		return nil, nil, fmt.Errorf("ics: years %d to %d, allowed are up to %d years of 1 to 9999", fromYear, toYear, maxYears)
	}
	if opts.Zone == nil {
		opts.Zone = time.UTC
	}
	lines, err := filter(r)
	if err != nil {
		return nil, nil, fmt.Errorf("ics: %w", err)
	}
	calendar, err := ical.ParseCalendarWithOptions(strings.NewReader(lines))
	if err != nil {
		return nil, nil, fmt.Errorf("ics: %w", err)
	}
	b := reader{
		zone: opts.Zone, zones: map[string]*time.Location{},
		from: time.Date(fromYear, 1, 1, 0, 0, 0, 0, time.UTC),
		to:   time.Date(toYear, 12, 31, 0, 0, 0, 0, time.UTC),
		left: maxOccurrences, replaced: map[string]moments{},
	}
	var events []event
	for _, v := range calendar.Events() {
		e, err := b.event(v)
		if err != nil {
			return nil, nil, fmt.Errorf("ics: event %q: %w", short(e.name), err)
		}
		if e.replaces != nil {
			if b.replaced[e.uid] == nil {
				b.replaced[e.uid] = moments{}
			}
			b.replaced[e.uid][e.replaces.key()] = true
		}
		events = append(events, e)
	}
	for _, e := range events {
		list := &off
		switch {
		case e.cancelled:
			continue
		case contains(e.name, opts.Work):
			list = &work
		case opts.Off != nil && !contains(e.name, opts.Off):
			continue
		}
		if *list, err = b.days(*list, &e); err != nil {
			return nil, nil, fmt.Errorf("ics: event %q: %w", short(e.name), err)
		}
	}
	return merge(off), merge(work), nil
}

func contains(name string, texts []string) bool {
	return slices.ContainsFunc(texts, func(text string) bool { return text != "" && strings.Contains(name, text) })
}

func short(name string) string {
	if r := []rune(name); len(r) > 60 {
		return string(r[:60]) + "…"
	}
	return name
}

// merge puts ranges in order and joins those that touch.
func merge(ranges []trigger.DateRange) []trigger.DateRange {
	slices.SortFunc(ranges, func(a, b trigger.DateRange) int { return compare(a.First, b.First) })
	merged := ranges[:0]
	for _, r := range ranges {
		if n := len(merged); n > 0 && compare(r.First, nextDay(merged[n-1].Last)) <= 0 {
			if compare(r.Last, merged[n-1].Last) > 0 {
				merged[n-1].Last = r.Last
			}
			continue
		}
		merged = append(merged, r)
	}
	return merged
}

func compare(a, b trigger.CivilDate) int {
	return cmp.Or(cmp.Compare(a.Year, b.Year), cmp.Compare(a.Month, b.Month), cmp.Compare(a.Day, b.Day))
}

func nextDay(d trigger.CivilDate) trigger.CivilDate {
	return trigger.CivilDateOf(time.Date(d.Year, d.Month, d.Day+1, 0, 0, 0, 0, time.UTC))
}
