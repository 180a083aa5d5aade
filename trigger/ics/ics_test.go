package ics_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/jobcenter-go/jobcenter/trigger"
	"github.com/jobcenter-go/jobcenter/trigger/ics"
)

// calendar puts events, each given by its lines, into a file.
func calendar(events ...string) string {
	lines := []string{"BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:test"}
	for _, event := range events {
		lines = append(lines, "BEGIN:VEVENT", "UID:x", strings.ReplaceAll(event, "|", "\r\n"), "END:VEVENT")
	}
	return strings.Join(append(lines, "END:VCALENDAR", ""), "\r\n")
}

func texts(ranges []trigger.DateRange) (list []string) {
	for _, r := range ranges {
		list = append(list, r.String())
	}
	return list
}

func readFile(tb testing.TB, name string) string {
	tb.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		tb.Fatal(err)
	}
	return string(data)
}

func TestDays(t *testing.T) {
	t.Parallel()
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	inBerlin := ics.Options{Zone: berlin}
	tests := map[string]struct {
		file     string
		from, to int
		opts     ics.Options
		off      []string
		work     []string
	}{
		"no events":                        {file: calendar()},
		"a day":                            {file: calendar("DTSTART;VALUE=DATE:20261225"), off: []string{"2026-12-25"}},
		"a day, without VALUE":             {file: calendar("DTSTART:20261225"), off: []string{"2026-12-25"}},
		"the end is not in it":             {file: calendar("DTSTART;VALUE=DATE:20261225|DTEND;VALUE=DATE:20261227"), off: []string{"2026-12-25/2026-12-26"}},
		"an end that is the start":         {file: calendar("DTSTART;VALUE=DATE:20261225|DTEND;VALUE=DATE:20261225"), off: []string{"2026-12-25"}},
		"an end before the start":          {file: calendar("DTSTART;VALUE=DATE:20261225|DTEND;VALUE=DATE:20261201"), off: []string{"2026-12-25"}},
		"weeks":                            {file: calendar("DTSTART;VALUE=DATE:20261001|DURATION:P1W"), off: []string{"2026-10-01/2026-10-07"}},
		"a duration with times":            {file: calendar("DTSTART;VALUE=DATE:20261001|DURATION:P1DT12H"), off: []string{"2026-10-01/2026-10-02"}},
		"ranges that touch or overlap":     {file: calendar("DTSTART:20261003|DURATION:P2D", "DTSTART:20261001|DURATION:P2D", "DTSTART:20261002"), off: []string{"2026-10-01/2026-10-04"}},
		"over the year's end":              {file: calendar("DTSTART:20251231|DURATION:P2D", "DTSTART:20261231|DURATION:P20D"), off: []string{"2026-01-01", "2026-12-31"}},
		"other years":                      {file: calendar("DTSTART:20251231", "DTSTART:20270101")},
		"cancelled":                        {file: calendar("DTSTART:20261225|STATUS:CANCELLED", "DTSTART:20261226|STATUS:CONFIRMED"), off: []string{"2026-12-26"}},
		"timed, in UTC":                    {file: calendar("DTSTART:20261224T220000Z|DTEND:20261224T230000Z"), off: []string{"2026-12-24"}},
		"timed, in UTC, on other clocks":   {file: calendar("DTSTART:20261224T220000Z|DTEND:20261224T233000Z"), opts: inBerlin, off: []string{"2026-12-24/2026-12-25"}},
		"timed, up to midnight":            {file: calendar("DTSTART:20261224T220000|DTEND:20261225T000000"), off: []string{"2026-12-24"}},
		"timed, without an end":            {file: calendar("DTSTART:20261224T220000"), off: []string{"2026-12-24"}},
		"timed, of a zone":                 {file: calendar("DTSTART;TZID=Asia/Tokyo:20261225T070000|DURATION:PT1H"), opts: inBerlin, off: []string{"2026-12-24"}},
		"timed, of a zone with a path":     {file: calendar(`DTSTART;TZID="/freeassociation.sourceforge.net/Asia/Tokyo":20261225T070000|DURATION:PT1H`), opts: inBerlin, off: []string{"2026-12-24"}},
		"timed, of a zone that is unknown": {file: calendar("DTSTART;TZID=Local:20261225T070000"), opts: inBerlin, off: []string{"2026-12-25"}},
		"bare line feeds, a mark, lower case": {
			file: "\uFEFF" + strings.NewReplacer("\r", "", "DTSTART", "dtstart", "VCALENDAR", "vcalendar").Replace(calendar("DTSTART:20261225")), off: []string{"2026-12-25"},
		},
		"folded anywhere": {file: strings.NewReplacer("20261225", "2026\r\n 1225", "BEGIN:VEVENT", "BEGIN:VE\r\n\tVENT").Replace(calendar("DTSTART:20261225")), off: []string{"2026-12-25"}},
		"two calendars":   {file: calendar("DTSTART:20261225") + "\r\n" + calendar("DTSTART:20261226"), off: []string{"2026-12-25/2026-12-26"}},
		"other components": {
			file: strings.Replace(calendar("DTSTART:20261225"), "BEGIN:VEVENT", "BEGIN:VTODO\r\nDTSTART:20260101\r\nEND:VTODO\r\nX-OTHER:1\r\nBEGIN:VEVENT", 1), off: []string{"2026-12-25"},
		},
		"an attachment": {file: calendar("DTSTART:20261225|ATTACH;VALUE=BINARY:" + strings.Repeat("QUJD", 100_000)), off: []string{"2026-12-25"}},
		"marked":        {file: readFile(t, "china.ics"), opts: ics.Options{Work: []string{"班"}, Off: []string{"休"}}, off: []string{"2026-01-01/2026-01-03", "2026-02-15/2026-02-23", "2026-10-01/2026-10-07"}, work: []string{"2026-01-04", "2026-02-14", "2026-02-28"}},
		"marked for work only": {
			file: readFile(t, "china.ics"), opts: ics.Options{Work: []string{"补班"}},
			off:  []string{"2026-01-01/2026-01-03", "2026-02-14/2026-02-23", "2026-02-28", "2026-10-01/2026-10-07", "2026-10-18"},
			work: []string{"2026-01-04"},
		},
		"dates that are listed": {file: calendar("DTSTART:20261225|RDATE;VALUE=DATE:20261227,20261229|RDATE:20261231|EXDATE:20261229"), off: []string{"2026-12-25", "2026-12-27", "2026-12-31"}},
		"periods":               {file: calendar("DTSTART:20261225T100000Z|DURATION:PT1H|RDATE;VALUE=PERIOD:20261227T100000Z/PT2H"), off: []string{"2026-12-25", "2026-12-27"}},
		"recurring": {
			file: readFile(t, "recurring.ics"), from: 2026, to: 2029,
			off: []string{
				"2026-01-01", "2026-06-05", "2026-11-26", "2026-12-25/2026-12-26",
				"2027-01-04", "2027-06-07", "2027-11-25", "2027-12-25/2027-12-26",
				"2028-01-01", "2028-11-23", "2028-12-25/2028-12-26",
				"2029-11-22", "2029-12-25/2029-12-26",
			},
		},
		"recurring, timed": {
			file: calendar("DTSTART;TZID=Asia/Shanghai:20251231T000000|DURATION:PT24H|RRULE:FREQ=YEARLY;UNTIL=20271230T160000Z|EXDATE;TZID=Asia/Shanghai:20261231T000000"),
			from: 2025, to: 2030, opts: inBerlin, off: []string{"2025-12-30/2025-12-31", "2027-12-30/2027-12-31"},
		},
		"recurring, and long": {file: calendar("DTSTART:20201230|DURATION:P10D|RRULE:FREQ=YEARLY"), off: []string{"2026-01-01/2026-01-08", "2026-12-30/2026-12-31"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if test.from == 0 {
				test.from, test.to = 2026, 2026
			}
			off, work, err := ics.Days(strings.NewReader(test.file), test.from, test.to, test.opts)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.off, texts(off)); diff != "" {
				t.Errorf("days off (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(test.work, texts(work)); diff != "" {
				t.Errorf("working days (-want +got):\n%s", diff)
			}
		})
	}
}

func manyZones() (events []string) {
	for i := range 101 {
		events = append(events, fmt.Sprintf("DTSTART;TZID=Zone/%d:20261225T000000", i))
	}
	return events
}

func TestDaysErrors(t *testing.T) {
	t.Parallel()
	tests := map[string]struct{ file, want string }{
		"empty":            {"", "is empty"},
		"no calendar":      {"<html>", "does not begin with BEGIN:VCALENDAR"},
		"too large":        {strings.Repeat("X:1\n", 300_000), "is too large"},
		"cut off":          {strings.TrimSuffix(calendar("DTSTART:20261225"), "END:VCALENDAR\r\n"), "ends before its calendar does"},
		"nested too deep":  {"BEGIN:VCALENDAR\n" + strings.Repeat("BEGIN:X\n", 100_000), "too deep"},
		"wrong end":        {"BEGIN:VCALENDAR\nBEGIN:VEVENT\nEND:VTODO\n", "END:VTODO without its BEGIN"},
		"no start":         {calendar("SUMMARY:Feast"), `event "Feast": has no DTSTART`},
		"no date":          {calendar("SUMMARY:Feast|DTSTART:2026-12-25"), `event "Feast": DTSTART "2026-12-25" is not a date`},
		"30 February":      {calendar("DTSTART:20260230"), `"20260230" is not a date`},
		"year 0":           {calendar("DTSTART:00000101"), "is not a date"},
		"end":              {calendar("DTSTART:20261225|DTEND:x"), `DTEND "x" is not a date`},
		"end with a time":  {calendar("DTSTART:20261225|DTEND:20261226T000000Z"), "only one of DTSTART and DTEND has a time of day"},
		"duration":         {calendar("DTSTART:20261225|DURATION:1D"), `DURATION "1D" is not a duration`},
		"negative":         {calendar("DTSTART:20261225|DURATION:-P1D"), "is not a duration"},
		"exception":        {calendar("DTSTART:20261225|EXDATE:tomorrow"), `EXDATE "tomorrow" is not a date`},
		"rule":             {calendar("DTSTART:20261225|RRULE:FREQ=SOMETIMES"), "RRULE: "},
		"too often":        {calendar("DTSTART:20260101T000000Z|RRULE:FREQ=MINUTELY"), "recur too often"},
		"zones":            {calendar(manyZones()...), "too many time zones"},
		"rules":            {calendar("DTSTART:20261225|" + strings.Repeat("RRULE:FREQ=YEARLY|", 2001)), "too many, allowed are 2000"},
		"a line too long":  {calendar("DTSTART:20261225|RDATE:" + strings.Repeat("20261225,", 2000)), "RDATE is too long"},
		"not UTF-8":        {calendar("DTSTART:20261225|SUMMARY:\xd0\xdd"), "SUMMARY is not UTF-8"},
		"a parameter ends": {calendar("DTSTART;VALUE"), "DTSTART"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if _, _, err := ics.Days(strings.NewReader(test.file), 2026, 2026, ics.Options{}); err == nil || !strings.HasPrefix(err.Error(), "ics: ") || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error = %v, want %q", err, test.want)
			}
		})
	}
	for _, years := range [][2]int{{0, 2026}, {2026, 2025}, {2026, 10_000}, {1, 9999}} {
		if _, _, err := ics.Days(strings.NewReader(calendar()), years[0], years[1], ics.Options{}); err == nil {
			t.Errorf("years %v give no error", years)
		}
	}
}

func FuzzDays(f *testing.F) {
	for _, file := range []string{
		readFile(f, "china.ics"), readFile(f, "recurring.ics"),
		calendar("DTSTART;TZID=Asia/Tokyo:20261225T070000|DURATION:PT1H|EXDATE:20261225T070000|SUMMARY:a\\, b"),
		calendar("DTSTART;VALUE"), calendar("DTSTART;A=\"b\\"), "BEGIN:VCALENDAR\nEND:VCALENDAR",
	} {
		f.Add([]byte(file), 2026, 2)
	}
	f.Fuzz(func(t *testing.T, data []byte, from, years int) {
		off, work, err := ics.Days(strings.NewReader(string(data)), from, from+years, ics.Options{Work: []string{"班"}})
		if err != nil {
			return
		}
		for _, list := range [][]trigger.DateRange{off, work} {
			for i, r := range list {
				if r.First.Year < from || r.Last.Year > from+years {
					t.Errorf("%v is not of %d to %d", r, from, from+years)
				}
				if i > 0 && r.First.String() <= list[i-1].Last.String() {
					t.Errorf("%v comes after %v", r, list[i-1])
				}
			}
			if len(list) == 0 {
				continue
			}
			if _, err := trigger.NewCalendar([]trigger.Layer{trigger.Exclude(trigger.DateRanges(list...))}, trigger.CalendarOptions{}); err != nil && len(list) <= 10_000 {
				t.Errorf("no calendar of %v: %v", list, err)
			}
		}
	})
}

func ExampleDays() {
	file, err := os.Open("testdata/china.ics")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = file.Close() }()
	off, work, err := ics.Days(file, 2026, 2026, ics.Options{Work: []string{"班"}, Off: []string{"休"}})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("off: ", off)
	fmt.Println("work:", work)

	calendar, err := trigger.NewCalendar([]trigger.Layer{
		trigger.Exclude(trigger.Weekly(time.Saturday, time.Sunday)),
		trigger.Exclude(trigger.DateRanges(off...)),
		trigger.Include(trigger.DateRanges(work...)),
	}, trigger.CalendarOptions{})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(calendar.Open(time.Date(2026, 2, 14, 9, 0, 0, 0, time.UTC))) // a Saturday
	// Output:
	// off:  [2026-01-01/2026-01-03 2026-02-15/2026-02-23 2026-10-01/2026-10-07]
	// work: [2026-01-04 2026-02-14 2026-02-28]
	// true
}
