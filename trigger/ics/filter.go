package ics

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"
)

// filter reads a file and gives the lines of it that count, unfolded: those of
// components, and of the properties of events that say when they are. The
// library takes files as they come; this bounds what it gets (files hold whole
// attachments, and its time grows with the square of a line's length), and lets
// pass what is common in the wild and strictly wrong: a byte order mark, bare
// line feeds, lower case, several calendars in a file, lines between events.
func filter(r io.Reader) (string, error) {
	data, err := io.ReadAll(io.LimitReader(r, maxSize+1))
	switch {
	case err != nil:
		return "", err
	case len(data) > maxSize:
		return "", fmt.Errorf("the file is too large, allowed are %d bytes", maxSize)
	}
	var b strings.Builder
	b.WriteString("BEGIN:VCALENDAR\n")
	var open []string // components that have begun, but for the calendar itself
	calendars, inside := 0, false
	for line := range unfolded(strings.TrimPrefix(string(data), "\uFEFF")) {
		name, rest := line, ""
		if i := strings.IndexAny(line, ";:"); i >= 0 {
			name, rest = line[:i], line[i:]
		}
		name = strings.ToUpper(strings.TrimSpace(name))
		value := strings.ToUpper(strings.TrimSpace(strings.TrimPrefix(rest, ":")))
		switch {
		case name == "BEGIN" && value == "VCALENDAR" && !inside:
			inside = true
			calendars++
		case name == "END" && value == "VCALENDAR" && len(open) == 0:
			inside = false
		case !inside:
			if calendars == 0 {
				return "", errors.New("this is not an iCalendar file: it does not begin with BEGIN:VCALENDAR")
			}
		case name == "BEGIN":
			if len(open) == maxNested {
				return "", errors.New("components are nested too deep")
			}
			open = append(open, value)
			if open[0] == "VEVENT" && len(open) == 1 {
				b.WriteString("BEGIN:VEVENT\n")
			}
		case name == "END":
			if len(open) == 0 || open[len(open)-1] != value {
				return "", fmt.Errorf("END:%s without its BEGIN", short(value))
			}
			if open = open[:len(open)-1]; len(open) == 0 && value == "VEVENT" {
				b.WriteString("END:VEVENT\n")
			}
		case len(open) == 1 && open[0] == "VEVENT" && slices.Contains(properties(), name):
			if len(line) > maxLine {
				return "", fmt.Errorf("%s is too long, allowed are %d bytes", name, maxLine)
			}
			if !utf8.ValidString(rest) {
				return "", fmt.Errorf("%s is not UTF-8", name)
			}
			b.WriteString(name + rest + "\n")
		}
	}
	switch {
	case calendars == 0:
		return "", errors.New("this is not an iCalendar file: it is empty")
	case inside:
		return "", errors.New("the file ends before its calendar does")
	}
	b.WriteString("END:VCALENDAR\n")
	return b.String(), nil
}

// properties are those of an event that count.
func properties() []string {
	return []string{"UID", "SUMMARY", "STATUS", "DTSTART", "DTEND", "DURATION", "RRULE", "RDATE", "EXDATE", "RECURRENCE-ID"}
}

// unfolded gives the lines of a text, each with its continuations, without
// empty ones.
func unfolded(text string) func(yield func(string) bool) {
	return func(yield func(string) bool) {
		var line strings.Builder
		for physical := range strings.Lines(text) {
			physical = strings.TrimRight(physical, "\r\n")
			if physical == "" {
				continue
			}
			if physical[0] == ' ' || physical[0] == '\t' {
				line.WriteString(physical[1:])
				continue
			}
			if line.Len() > 0 && !yield(line.String()) {
				return
			}
			line.Reset()
			line.WriteString(physical)
		}
		if line.Len() > 0 {
			yield(line.String())
		}
	}
}
