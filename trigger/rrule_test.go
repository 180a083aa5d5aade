package trigger_test

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/jobcenter-go/jobcenter/trigger"
)

// rrule makes a trigger; start is a wall-clock time of the zone.
func rrule(tb testing.TB, rule, zone, start string) *trigger.RRule {
	tb.Helper()
	loc := loadZone(tb, zone)
	at, err := time.ParseInLocation("2006-01-02T15:04:05", start, loc)
	if err != nil {
		tb.Fatal(err)
	}
	r, err := trigger.NewRRule(rule, trigger.Options{Zone: loc, Start: at})
	if err != nil {
		tb.Fatal(err)
	}
	return r
}

// rruleFires gives the fires from the start on, up to n, in the zone; more
// tells whether there is another.
func rruleFires(trig trigger.Trigger, from time.Time, n int, layout string) (fires []string, more bool) {
	at := from
	for range n {
		fire, ok := trig.Next(at)
		if !ok {
			return fires, false
		}
		fires, at = append(fires, fire.Format(layout)), fire
	}
	_, more = trig.Next(at)
	return fires, more
}

// TestRRuleRFC holds the examples of RFC 5545, section 3.8.5.3, in New York.
// Where the text goes on with "..." so does the trigger.
func TestRRuleRFC(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		rule, start, layout, want string
		goesOn                    bool
	}{
		{"FREQ=DAILY;COUNT=10", "1997-09-02", "01-02", "09-02 09-03 09-04 09-05 09-06 09-07 09-08 09-09 09-10 09-11", false},
		{"FREQ=DAILY;UNTIL=19970906T130000Z", "1997-09-02", "01-02", "09-02 09-03 09-04 09-05 09-06", false},
		{"FREQ=DAILY;UNTIL=19970906T125959Z", "1997-09-02", "01-02", "09-02 09-03 09-04 09-05", false},
		{"FREQ=DAILY;INTERVAL=2", "1997-10-24", "01-02 15:04 -07", "10-24 09:00 -04,10-26 09:00 -05,10-28 09:00 -05", true},
		{"FREQ=DAILY;INTERVAL=10;COUNT=5", "1997-09-02", "01-02", "09-02 09-12 09-22 10-02 10-12", false},
		{"FREQ=YEARLY;UNTIL=20000131T140000Z;BYMONTH=1;BYDAY=SU,MO,TU,WE,TH,FR,SA", "2000-01-28", "01-02", "01-28 01-29 01-30 01-31", false},
		{"FREQ=WEEKLY;COUNT=10", "1997-09-02", "01-02", "09-02 09-09 09-16 09-23 09-30 10-07 10-14 10-21 10-28 11-04", false},
		{"FREQ=WEEKLY;INTERVAL=2;WKST=SU", "1997-09-02", "01-02", "09-02 09-16 09-30 10-14 10-28 11-11", true},
		{"FREQ=WEEKLY;UNTIL=19971007T000000Z;WKST=SU;BYDAY=TU,TH", "1997-09-02", "01-02", "09-02 09-04 09-09 09-11 09-16 09-18 09-23 09-25 09-30 10-02", false},
		{"FREQ=WEEKLY;INTERVAL=2;UNTIL=19971224T000000Z;WKST=SU;BYDAY=MO,WE,FR", "1997-09-01", "01-02", "09-01 09-03 09-05 09-15 09-17 09-19 09-29 10-01 10-03 10-13 10-15 10-17 10-27 10-29 10-31 11-10 11-12 11-14 11-24 11-26 11-28 12-08 12-10 12-12 12-22", false},
		{"FREQ=WEEKLY;INTERVAL=2;COUNT=8;WKST=SU;BYDAY=TU,TH", "1997-09-02", "01-02", "09-02 09-04 09-16 09-18 09-30 10-02 10-14 10-16", false},
		{"FREQ=MONTHLY;COUNT=10;BYDAY=1FR", "1997-09-05", "01-02", "09-05 10-03 11-07 12-05 01-02 02-06 03-06 04-03 05-01 06-05", false},
		{"FREQ=MONTHLY;UNTIL=19971224T000000Z;BYDAY=1FR", "1997-09-05", "01-02", "09-05 10-03 11-07 12-05", false},
		{"FREQ=MONTHLY;INTERVAL=2;COUNT=10;BYDAY=1SU,-1SU", "1997-09-07", "01-02", "09-07 09-28 11-02 11-30 01-04 01-25 03-01 03-29 05-03 05-31", false},
		{"FREQ=MONTHLY;COUNT=6;BYDAY=-2MO", "1997-09-22", "01-02", "09-22 10-20 11-17 12-22 01-19 02-16", false},
		{"FREQ=MONTHLY;BYMONTHDAY=-3", "1997-09-28", "01-02", "09-28 10-29 11-28 12-29 01-29 02-26", true},
		{"FREQ=MONTHLY;COUNT=10;BYMONTHDAY=2,15", "1997-09-02", "01-02", "09-02 09-15 10-02 10-15 11-02 11-15 12-02 12-15 01-02 01-15", false},
		{"FREQ=MONTHLY;COUNT=10;BYMONTHDAY=1,-1", "1997-09-30", "01-02", "09-30 10-01 10-31 11-01 11-30 12-01 12-31 01-01 01-31 02-01", false},
		{"FREQ=MONTHLY;INTERVAL=18;COUNT=10;BYMONTHDAY=10,11,12,13,14,15", "1997-09-10", "06-01-02", "97-09-10 97-09-11 97-09-12 97-09-13 97-09-14 97-09-15 99-03-10 99-03-11 99-03-12 99-03-13", false},
		{"FREQ=MONTHLY;INTERVAL=2;BYDAY=TU", "1997-09-02", "01-02", "09-02 09-09 09-16 09-23 09-30 11-04 11-11 11-18 11-25 01-06", true},
		{"FREQ=YEARLY;COUNT=10;BYMONTH=6,7", "1997-06-10", "06-01-02", "97-06-10 97-07-10 98-06-10 98-07-10 99-06-10 99-07-10 00-06-10 00-07-10 01-06-10 01-07-10", false},
		{"FREQ=YEARLY;INTERVAL=2;COUNT=10;BYMONTH=1,2,3", "1997-03-10", "06-01-02", "97-03-10 99-01-10 99-02-10 99-03-10 01-01-10 01-02-10 01-03-10 03-01-10 03-02-10 03-03-10", false},
		{"FREQ=YEARLY;INTERVAL=3;COUNT=10;BYYEARDAY=1,100,200", "1997-01-01", "06-01-02", "97-01-01 97-04-10 97-07-19 00-01-01 00-04-09 00-07-18 03-01-01 03-04-10 03-07-19 06-01-01", false},
		{"FREQ=YEARLY;BYDAY=20MO", "1997-05-19", "06-01-02", "97-05-19 98-05-18 99-05-17", true},
		{"FREQ=YEARLY;BYWEEKNO=20;BYDAY=MO", "1997-05-12", "06-01-02", "97-05-12 98-05-11 99-05-17", true},
		{"FREQ=YEARLY;BYMONTH=3;BYDAY=TH", "1997-03-13", "06-01-02", "97-03-13 97-03-20 97-03-27 98-03-05 98-03-12 98-03-19 98-03-26", true},
		{"FREQ=YEARLY;BYDAY=TH;BYMONTH=6,7,8", "1997-06-05", "01-02", "06-05 06-12 06-19 06-26 07-03 07-10 07-17 07-24 07-31 08-07 08-14 08-21 08-28 06-04", true},
		// DTSTART does not fit here: the RFC takes it out with an EXDATE.
		{"FREQ=MONTHLY;BYDAY=FR;BYMONTHDAY=13", "1997-09-02", "06-01-02", "98-02-13 98-03-13 98-11-13 99-08-13 00-10-13", true},
		{"FREQ=MONTHLY;BYDAY=SA;BYMONTHDAY=7,8,9,10,11,12,13", "1997-09-13", "01-02", "09-13 10-11 11-08 12-13 01-10 02-07 03-07", true},
		{"FREQ=YEARLY;INTERVAL=4;BYMONTH=11;BYDAY=TU;BYMONTHDAY=2,3,4,5,6,7,8", "1996-11-05", "06-01-02", "96-11-05 00-11-07 04-11-02", true},
		{"FREQ=MONTHLY;COUNT=3;BYDAY=TU,WE,TH;BYSETPOS=3", "1997-09-04", "01-02", "09-04 10-07 11-06", false},
		{"FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-2", "1997-09-29", "01-02", "09-29 10-30 11-27 12-30 01-29", true},
		// The RFC lists 15:00 too, which is after UNTIL: erratum 3883.
		{"FREQ=HOURLY;INTERVAL=3;UNTIL=19970902T170000Z", "1997-09-02", "15:04", "09:00 12:00", false},
		{"FREQ=MINUTELY;INTERVAL=15;COUNT=6", "1997-09-02", "15:04", "09:00 09:15 09:30 09:45 10:00 10:15", false},
		{"FREQ=MINUTELY;INTERVAL=90;COUNT=4", "1997-09-02", "15:04", "09:00 10:30 12:00 13:30", false},
		{"FREQ=DAILY;BYHOUR=9,10;BYMINUTE=0,20,40", "1997-09-02", "02T15:04", "02T09:00 02T09:20 02T09:40 02T10:00 02T10:20 02T10:40 03T09:00", true},
		{"FREQ=MINUTELY;INTERVAL=20;BYHOUR=9,10", "1997-09-02", "02T15:04", "02T09:00 02T09:20 02T09:40 02T10:00 02T10:20 02T10:40 03T09:00", true},
		{"FREQ=WEEKLY;INTERVAL=2;COUNT=4;BYDAY=TU,SU;WKST=MO", "1997-08-05", "01-02", "08-05 08-10 08-19 08-24", false},
		{"FREQ=WEEKLY;INTERVAL=2;COUNT=4;BYDAY=TU,SU;WKST=SU", "1997-08-05", "01-02", "08-05 08-17 08-19 08-31", false},
		{"FREQ=MONTHLY;BYMONTHDAY=15,30;COUNT=5", "2007-01-15", "01-02", "01-15 01-30 02-15 03-15 03-30", false},
	} {
		trig := rrule(t, test.rule, "America/New_York", test.start+"T09:00:00")
		sep := " "
		if strings.Contains(test.layout, " ") {
			sep = ","
		}
		want := strings.Split(test.want, sep)
		got, more := rruleFires(trig, time.Time{}, len(want), test.layout)
		if !slices.Equal(got, want) || more != test.goesOn {
			t.Errorf("%s from %s:\n got %q, goes on: %v\nwant %q, goes on: %v", test.rule, test.start, got, more, want, test.goesOn)
		}
	}
}

// TestRRule holds what the RFC says without an example, and what others get
// wrong.
func TestRRule(t *testing.T) {
	t.Parallel()
	const day, minute, second = "2006-01-02", "2006-01-02T15:04", "2006-01-02T15:04:05"
	for name, test := range map[string]struct {
		rule, start, layout, want string
		goesOn                    bool
	}{
		"any case and a prefix":                {"rrule:freq=daily;count=2", "2026-01-01T09:00:00", day, "2026-01-01 2026-01-02", false},
		"29 February":                          {"FREQ=YEARLY", "2024-02-29T09:00:00", day, "2024-02-29 2028-02-29", true},
		"the 31st":                             {"FREQ=MONTHLY", "2026-01-31T09:00:00", day, "2026-01-31 2026-03-31 2026-05-31", true},
		"weekdays with and without number":     {"FREQ=MONTHLY;BYDAY=TU,1MO", "2026-01-01T09:00:00", day, "2026-01-05 2026-01-06 2026-01-13 2026-01-20 2026-01-27 2026-02-02", true},
		"5th from the end":                     {"FREQ=MONTHLY;BYDAY=-5SA", "2026-01-01T09:00:00", day, "2026-01-03 2026-05-02 2026-08-01", true},
		"53rd of the year":                     {"FREQ=YEARLY;BYDAY=53TH,-53FR", "2026-01-01T09:00:00", day, "2026-12-31 2027-01-01 2032-01-02", true},
		"week without a weekday":               {"FREQ=YEARLY;BYWEEKNO=20", "2026-01-01T09:00:00", day, "2026-05-14 2027-05-20", true},
		"week 53":                              {"FREQ=YEARLY;BYWEEKNO=53;BYDAY=MO,SU", "2020-01-01T09:00:00", day, "2020-12-28 2021-01-03 2026-12-28 2027-01-03", true},
		"week 52 ends in January":              {"FREQ=YEARLY;BYWEEKNO=52;BYDAY=SA", "2021-01-01T09:00:00", day, "2022-01-01 2022-12-31 2023-12-30", true},
		"last week":                            {"FREQ=YEARLY;BYWEEKNO=-1;BYDAY=SU", "2020-01-01T09:00:00", day, "2021-01-03 2022-01-02 2023-01-01 2023-12-31", true},
		"weeks from Sunday":                    {"FREQ=YEARLY;BYWEEKNO=1;BYDAY=SU;WKST=SU", "2025-06-01T09:00:00", day, "2026-01-04 2027-01-03 2028-01-02 2028-12-31", true},
		"every second year of weeks":           {"FREQ=YEARLY;INTERVAL=2;BYWEEKNO=1;BYDAY=MO", "2024-12-30T09:00:00", day, "2024-12-30 2027-01-04 2029-01-01 2030-12-30", true},
		"position in the week of DTSTART":      {"FREQ=WEEKLY;BYDAY=MO,WE,FR;BYSETPOS=1,3", "2026-01-07T09:00:00", day, "2026-01-09 2026-01-12 2026-01-16", true},
		"positions of times":                   {"FREQ=DAILY;BYHOUR=18,6;BYMINUTE=30,15;BYSETPOS=1,-1,4", "2026-01-01T00:00:00", minute, "2026-01-01T06:15 2026-01-01T18:30 2026-01-02T06:15", true},
		"positions in an hour":                 {"FREQ=HOURLY;INTERVAL=12;BYMINUTE=0,20,40;BYSECOND=5,15;BYSETPOS=2,-1", "2026-01-01T00:00:05", second, "2026-01-01T00:00:15 2026-01-01T00:40:15 2026-01-01T12:00:15", true},
		"positions that meet":                  {"FREQ=MONTHLY;BYDAY=MO;BYSETPOS=4,-1", "2026-01-01T09:00:00", day, "2026-01-26 2026-02-23 2026-03-23 2026-03-30", true},
		"twice the same value":                 {"FREQ=MINUTELY;BYSECOND=0,30,0", "2026-01-01T00:00:00", second, "2026-01-01T00:00:00 2026-01-01T00:00:30 2026-01-01T00:01:00", true},
		"a leap second is second 59":           {"FREQ=MINUTELY;BYSECOND=60", "2026-01-01T00:00:00", second, "2026-01-01T00:00:59 2026-01-01T00:01:59", true},
		"a year of 366 days":                   {"FREQ=YEARLY;BYYEARDAY=366,-366", "2024-01-01T09:00:00", day, "2024-01-01 2024-12-31 2028-01-01", true},
		"days of the year every hour":          {"FREQ=HOURLY;INTERVAL=6;BYYEARDAY=-1", "2026-01-01T01:00:00", minute, "2026-12-31T01:00 2026-12-31T07:00 2026-12-31T13:00 2026-12-31T19:00 2027-12-31T01:00", true},
		"hours across days":                    {"FREQ=HOURLY;INTERVAL=36;BYHOUR=9", "2026-01-01T09:00:00", minute, "2026-01-01T09:00 2026-01-04T09:00", true},
		"300 years":                            {"FREQ=YEARLY;INTERVAL=300", "2026-01-01T09:00:00", day, "2026-01-01 2326-01-01 2626-01-01", true},
		"the end of time":                      {"FREQ=YEARLY;INTERVAL=4000", "2026-01-01T09:00:00", day, "2026-01-01 6026-01-01", false},
		"an old start":                         {"FREQ=WEEKLY;INTERVAL=2", "0001-01-03T09:00:00", day, "0001-01-03 0001-01-17", true},
		"UNTIL is a day":                       {"FREQ=HOURLY;INTERVAL=8;UNTIL=20260102", "2026-01-01T07:59:59", second, "2026-01-01T07:59:59 2026-01-01T15:59:59 2026-01-01T23:59:59 2026-01-02T07:59:59 2026-01-02T15:59:59 2026-01-02T23:59:59", false},
		"UNTIL is a time":                      {"FREQ=DAILY;UNTIL=20260102T090000", "2026-01-01T09:00:00", day, "2026-01-01 2026-01-02", false},
		"UNTIL is before the start":            {"FREQ=DAILY;UNTIL=20250102T090000Z", "2026-01-01T09:00:00", day, "", false},
		"UNTIL is the zero time":               {"FREQ=DAILY;UNTIL=00010101T000000Z", "2026-01-01T09:00:00", day, "", false},
		"UNTIL is within":                      {"FREQ=DAILY;UNTIL=20260102T085959", "2026-01-01T09:00:00", day, "2026-01-01", false},
		"COUNT from a start that does not fit": {"FREQ=WEEKLY;BYDAY=MO;COUNT=2", "2026-01-01T09:00:00", day, "2026-01-05 2026-01-12", false},
		"COUNT beyond the end of time":         {"FREQ=YEARLY;INTERVAL=5000;COUNT=10", "2026-01-01T09:00:00", day, "2026-01-01 7026-01-01", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			trig := rrule(t, test.rule, "UTC", test.start)
			want := strings.Fields(test.want)
			got, more := rruleFires(trig, time.Time{}, max(len(want), 1), test.layout)
			if !slices.Equal(got, want) || more != test.goesOn {
				t.Errorf("%s from %s:\n got %q, goes on: %v\nwant %q, goes on: %v", test.rule, test.start, got, more, want, test.goesOn)
			}
		})
	}
}

// TestRRuleNever wants rules that never fire to be known for it: others search
// for ever, or run through billions of times.
func TestRRuleNever(t *testing.T) {
	t.Parallel()
	for _, rule := range []string{
		"FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30",
		"FREQ=SECONDLY;BYMONTH=2;BYMONTHDAY=30",
		"FREQ=DAILY;BYMONTH=4;BYMONTHDAY=31",
		"FREQ=MONTHLY;INTERVAL=12;BYMONTH=2",
		"FREQ=YEARLY;INTERVAL=4;BYMONTH=2;BYMONTHDAY=29", // from 2026
		"FREQ=HOURLY;INTERVAL=2;BYHOUR=1",
		"FREQ=HOURLY;INTERVAL=24;BYHOUR=1",
		"FREQ=MINUTELY;INTERVAL=1440;BYMINUTE=1",
		"FREQ=SECONDLY;INTERVAL=2;BYSECOND=1,3,5,7,59",
		"FREQ=SECONDLY;INTERVAL=7;BYDAY=FR;BYSECOND=3,10,17,24,31,38,45,52,59;BYMINUTE=0,7,14,21,28,35,42,49,56;BYHOUR=0,7,14,21",
		"FREQ=DAILY;INTERVAL=7;BYDAY=FR", // from a Thursday
		"FREQ=DAILY;BYSETPOS=2;BYMONTH=1",
		"FREQ=SECONDLY;BYSETPOS=-2;BYHOUR=1",
		"FREQ=MONTHLY;BYDAY=MO;BYSETPOS=6",
		"FREQ=YEARLY;BYWEEKNO=25;BYYEARDAY=1",
		"FREQ=YEARLY;BYDAY=1MO;BYYEARDAY=200",
	} {
		trig := rrule(t, rule, "America/New_York", "2026-01-01T00:00:00")
		if fire, ok := trig.Next(time.Time{}); ok {
			t.Errorf("%s fires at %v", rule, fire)
		}
		if got := trigger.Describe(trig, trigger.English); got != "never, as no day matches" {
			t.Errorf("%s is described as %q", rule, got)
		}
	}
}

// TestRRuleRare wants rules that fire seldom, or that are dense and wide, to
// answer at all.
func TestRRuleRare(t *testing.T) {
	t.Parallel()
	for _, test := range [][2]string{
		{"FREQ=DAILY;BYMONTH=2;BYMONTHDAY=29;BYDAY=MO", "2044-02-29"},
		{"FREQ=SECONDLY;INTERVAL=7;BYMONTH=2;BYMONTHDAY=29;BYHOUR=3;BYMINUTE=0", "2028-02-29"},
		{"FREQ=MINUTELY;INTERVAL=977;BYHOUR=3;BYMINUTE=30;BYDAY=SU", "2029-12-16"},
		{"FREQ=SECONDLY;INTERVAL=86399", "2026-01-01"},
		{"FREQ=HOURLY;INTERVAL=999999999", "2026-01-01"},
		{"FREQ=YEARLY;BYHOUR=" + counted0(24) + ";BYMINUTE=" + counted0(60) + ";BYSECOND=" + counted0(60) + ";BYSETPOS=-1", "2026-01-01"},
		// The weeks of 2026 go on to 3 January.
		{"FREQ=YEARLY;BYMONTHDAY=1;BYSETPOS=13;BYWEEKNO=" + strings.TrimPrefix(counted0(54), "0,"), "2027-01-01"},
	} {
		fire, ok := rrule(t, test[0], "UTC", "2026-01-01T00:00:00").Next(time.Time{})
		if got := fire.Format(time.DateOnly); !ok || got != test[1] {
			t.Errorf("%s: first fire %s, %v, want %s", test[0], got, ok, test[1])
		}
	}
}

// counted0 lists the numbers below n.
func counted0(n int) string {
	list := make([]string, n)
	for i := range list {
		list[i] = strconv.Itoa(i)
	}
	return strings.Join(list, ",")
}

// TestRRuleClocks has New York's clocks skip 02:00 to 03:00 on 8 March, and
// show 01:00 to 02:00 twice on 1 November 2026.
func TestRRuleClocks(t *testing.T) {
	t.Parallel()
	const gap, fold = "2026-03-07T12:00:00", "2026-10-31T12:00:00"
	for _, test := range []struct {
		rule, start string
		opts        trigger.Options
		want        string // the fires of the 26 hours that follow
	}{
		{"FREQ=DAILY;BYHOUR=2;BYMINUTE=30", gap, trigger.Options{}, "03:00-04"},
		{"FREQ=DAILY;BYHOUR=2;BYMINUTE=30", gap, trigger.Options{OnGap: trigger.GapSkip}, ""},
		{"FREQ=DAILY;BYHOUR=2;BYMINUTE=0,30", gap, trigger.Options{}, "03:00-04"},
		{"FREQ=HOURLY;INTERVAL=6", gap, trigger.Options{}, "12:00-05 18:00-05 00:00-05 06:00-04 12:00-04"},
		{"FREQ=HOURLY;INTERVAL=6;BYMINUTE=30;BYHOUR=0,1,2,3", "2026-03-07T02:00:00", trigger.Options{}, "02:30-05"},
		{"FREQ=HOURLY;INTERVAL=6;BYMINUTE=30;BYHOUR=0,1,2,3", "2026-03-07T02:00:00", trigger.Options{OnGap: trigger.GapAfter}, "02:30-05 03:00-04"},
		{"FREQ=DAILY;BYHOUR=1;BYMINUTE=30", fold, trigger.Options{}, "01:30-04"},
		{"FREQ=DAILY;BYHOUR=1;BYMINUTE=30", fold, trigger.Options{OnFold: trigger.FoldSecond}, "01:30-05"},
		{"FREQ=DAILY;BYHOUR=1;BYMINUTE=30", fold, trigger.Options{OnFold: trigger.FoldBoth}, "01:30-04 01:30-05"},
		{"FREQ=MINUTELY;INTERVAL=30;BYHOUR=1", fold, trigger.Options{}, "01:00-04 01:30-04 01:00-05 01:30-05"},
		{"FREQ=MINUTELY;INTERVAL=30;BYHOUR=1", fold, trigger.Options{OnFold: trigger.FoldFirst}, "01:00-04 01:30-04"},
		// UNTIL in UTC lets the first 01:45 fire, though the clocks show a
		// later time than at the end, the second 01:15; the second does not.
		{"FREQ=MINUTELY;INTERVAL=45;BYHOUR=1;UNTIL=20261101T061500Z", "2026-10-31T12:15:00", trigger.Options{}, "01:00-04 01:45-04 01:00-05"},
		{"FREQ=DAILY;BYHOUR=1;BYMINUTE=0,45;UNTIL=20261101T061500Z", fold, trigger.Options{}, "01:00-04 01:45-04"},
		{"FREQ=DAILY;BYHOUR=1;BYMINUTE=0,45;UNTIL=20261101T061500Z", fold, trigger.Options{OnFold: trigger.FoldBoth}, "01:00-04 01:45-04 01:00-05"},
		// COUNT counts times of the clock: the skipped 02:30 is one.
		{"FREQ=DAILY;BYHOUR=2;BYMINUTE=30;COUNT=1", gap, trigger.Options{OnGap: trigger.GapSkip}, ""},
		{"FREQ=DAILY;BYHOUR=1;BYMINUTE=30;COUNT=1", fold, trigger.Options{OnFold: trigger.FoldBoth}, "01:30-04 01:30-05"},
	} {
		test.opts.Zone = loadZone(t, "America/New_York")
		start, err := time.ParseInLocation("2006-01-02T15:04:05", test.start, test.opts.Zone)
		if err != nil {
			t.Fatal(err)
		}
		test.opts.Start = start
		trig, err := trigger.NewRRule(test.rule, test.opts)
		if err != nil {
			t.Fatal(err)
		}
		got := texts(collect(trig, start.Add(-1), start.Add(26*time.Hour)), "15:04-07")
		if !slices.Equal(got, strings.Fields(test.want)) {
			t.Errorf("%s, on_gap %q, on_fold %q: got %q, want %q", test.rule, test.opts.OnGap, test.opts.OnFold, got, test.want)
		}
	}
}

func TestRRuleErrors(t *testing.T) {
	t.Parallel()
	for _, test := range [][2]string{
		{"", `is not a part of a rule, allowed such as FREQ=DAILY`},
		{"DAILY", `"DAILY" is not a part of a rule, allowed such as FREQ=DAILY`},
		{"FREQ=DAILY;", `is not a part of a rule, allowed such as FREQ=DAILY`},
		{"FREQ=FORTNIGHTLY", `"FREQ=FORTNIGHTLY" is not a frequency, allowed SECONDLY, MINUTELY, HOURLY, DAILY, WEEKLY, MONTHLY, YEARLY`},
		{"INTERVAL=2", `FREQ is missing, allowed SECONDLY, MINUTELY, HOURLY, DAILY, WEEKLY, MONTHLY, YEARLY`},
		{"FREQ=DAILY;FREQ=DAILY", `"FREQ" is given twice`},
		{"FREQ=DAILY;INTERVAL=0", `"INTERVAL=0" is not a number of the range, allowed 1-999999999`},
		{"FREQ=DAILY;INTERVAL=-1", `"INTERVAL=-1" is not a number of the range, allowed 1-999999999`},
		{"FREQ=DAILY;COUNT=10001", `"COUNT=10001" is not a number of the range, allowed 1-10000`},
		{"FREQ=DAILY;COUNT=0", `"COUNT=0" is not a number of the range, allowed 1-10000`},
		{"FREQ=DAILY;COUNT=2;UNTIL=20270101", `"COUNT" is not allowed together with UNTIL`},
		{"FREQ=DAILY;UNTIL=2027", `"UNTIL=2027" is not a date, allowed such as 20261231, 20261231T235959 or 20261231T235959Z`},
		{"FREQ=DAILY;UNTIL=20270229", `"UNTIL=20270229" is not a date, allowed such as 20261231, 20261231T235959 or 20261231T235959Z`},
		{"FREQ=DAILY;UNTIL=20270228Z", `"UNTIL=20270228Z" is not a date, allowed such as 20261231, 20261231T235959 or 20261231T235959Z`},
		{"FREQ=DAILY;WKST=1MO", `"WKST=1MO" is not a weekday, allowed MO, TU, WE, TH, FR, SA, SU`},
		{"FREQ=DAILY;BYDAY=UM", `"BYDAY=UM" is not a weekday, allowed MO, TU, WE, TH, FR, SA, SU`},
		{"FREQ=DAILY;BYDAY=M", `"BYDAY=M" is not a weekday, allowed MO, TU, WE, TH, FR, SA, SU`},
		{"FREQ=DAILY;BYDAY=MO,", `"BYDAY=" is not a weekday, allowed MO, TU, WE, TH, FR, SA, SU`},
		{"FREQ=MONTHLY;BYDAY=0MO", `"BYDAY=0" is not a number of the range, allowed 1-53 and -53 to -1`},
		{"FREQ=MONTHLY;BYDAY=1MO,-6TU", `"BYDAY=-6TU" is not in any month, allowed 1 to 5 and -1 to -5`},
		{"FREQ=YEARLY;BYMONTH=1;BYDAY=6MO", `"BYDAY=6MO" is not in any month, allowed 1 to 5 and -1 to -5`},
		{"FREQ=WEEKLY;BYDAY=1MO", `"BYDAY" with a number is not allowed with FREQ=WEEKLY, but with MONTHLY and YEARLY only`},
		{"FREQ=YEARLY;BYWEEKNO=1;BYDAY=1MO", `"BYDAY" with a number is not allowed together with BYWEEKNO`},
		{"FREQ=DAILY;BYHOUR=24", `"BYHOUR=24" is not a number of the range, allowed 0-23`},
		{"FREQ=DAILY;BYMINUTE=1,60", `"BYMINUTE=60" is not a number of the range, allowed 0-59`},
		{"FREQ=DAILY;BYSECOND=61", `"BYSECOND=61" is not a number of the range, allowed 0-60`},
		{"FREQ=DAILY;BYSECOND=+1", `"BYSECOND=+1" is not a number of the range, allowed 0-60`},
		{"FREQ=DAILY;BYMONTH=13", `"BYMONTH=13" is not a number of the range, allowed 1-12`},
		{"FREQ=DAILY;BYMONTHDAY=0", `"BYMONTHDAY=0" is not a number of the range, allowed 1-31 and -31 to -1`},
		{"FREQ=DAILY;BYMONTHDAY=-32", `"BYMONTHDAY=-32" is not a number of the range, allowed 1-31 and -31 to -1`},
		{"FREQ=WEEKLY;BYMONTHDAY=1", `"BYMONTHDAY" is not allowed with FREQ=WEEKLY`},
		{"FREQ=MONTHLY;BYYEARDAY=1", `"BYYEARDAY" is not allowed with FREQ=MONTHLY`},
		{"FREQ=YEARLY;BYYEARDAY=367", `"BYYEARDAY=367" is not a number of the range, allowed 1-366 and -366 to -1`},
		{"FREQ=MONTHLY;BYWEEKNO=1", `"BYWEEKNO" is not allowed with FREQ=MONTHLY, but with YEARLY only`},
		{"FREQ=YEARLY;BYWEEKNO=54", `"BYWEEKNO=54" is not a number of the range, allowed 1-53 and -53 to -1`},
		{"FREQ=DAILY;BYSETPOS=1", `"BYSETPOS" is allowed only together with another BYxxx part`},
		{"FREQ=YEARLY;BYEASTER=0", `"BYEASTER=0" is not known, allowed FREQ, INTERVAL, COUNT, UNTIL, WKST, BYSETPOS, BYMONTH, BYMONTHDAY, BYYEARDAY, BYWEEKNO, BYDAY, BYHOUR, BYMINUTE, BYSECOND; DTSTART is start_date`},
		{"FREQ=SECONDLY;INTERVAL=86399;BYHOUR=1", `"INTERVAL=86399" comes back to the same time of day only after 86399 days, allowed with BYxxx parts up to 1000`},
		{"FREQ=DAILY;" + strings.Repeat(" ", 1024), "is too long, allowed 1024 bytes"},
	} {
		trig, err := trigger.NewRRule(test[0], trigger.Options{Start: time.Date(2026, 1, 1, 9, 0, 0, 0, time.UTC)})
		e, ok := errors.AsType[*trigger.Error](err)
		if trig != nil || !ok || e.Field != "rule" || !strings.HasSuffix(e.Error(), test[1]) {
			t.Errorf("%q: %v, %v\nwant rule: %s", test[0], trig, err, test[1])
		}
	}
	for _, test := range []struct {
		opts  trigger.Options
		field string
	}{
		{trigger.Options{}, "start_date"},
		{trigger.Options{Start: time.Date(2026, 1, 1, 9, 0, 0, 1000, time.UTC)}, "start_date"},
		{trigger.Options{Start: time.Date(10000, 1, 1, 9, 0, 0, 0, time.UTC)}, "start_date"},
		{trigger.Options{Start: time.Date(2026, 1, 1, 9, 0, 0, 0, time.UTC), OnGap: "before"}, "on_gap"},
	} {
		_, err := trigger.NewRRule("FREQ=DAILY", test.opts)
		if e, ok := errors.AsType[*trigger.Error](err); !ok || e.Field != test.field {
			t.Errorf("%+v: %v, want an error in %s", test.opts, err, test.field)
		}
	}
}

func TestRRuleJSON(t *testing.T) {
	t.Parallel()
	const (
		given  = `{"type":"rrule","rule":"rrule:freq=monthly;byday=-1fr","timezone":"America/New_York","start_date":"2026-01-01T09:00:00","end_date":"2027-01-01","on_gap":"skip","on_fold":"both"}`
		stored = `{"type":"rrule","rule":"FREQ=MONTHLY;BYDAY=-1FR","timezone":"America/New_York","start_date":"2026-01-01T09:00:00-05:00","end_date":"2027-01-01T00:00:00-05:00","on_gap":"skip","on_fold":"both"}`
	)
	trig, err := trigger.Parse([]byte(given), nil)
	if err != nil {
		t.Fatal(err)
	}
	checkRoundTrip(t, trig)
	if data, err := trigger.Marshal(trig); string(data) != stored || err != nil {
		t.Errorf("got  %s, %v\nwant %s", data, err, stored)
	}
	got, more := rruleFires(trig, time.Time{}, 12, "01-02")
	if want := strings.Fields("01-30 02-27 03-27 04-24 05-29 06-26 07-31 08-28 09-25 10-30 11-27 12-25"); !slices.Equal(got, want) || more {
		t.Errorf("got %q, goes on: %v, want %q", got, more, want)
	}
	if got := trigger.Type(trig); got != "rrule" {
		t.Errorf("Type = %q", got)
	}
}

func TestRRuleDescribe(t *testing.T) {
	t.Parallel()
	for _, test := range [][3]string{
		{"FREQ=DAILY", "at 09:00 every day", "每天 09:00"},
		{"FREQ=WEEKLY;BYDAY=MO,WE", "at 09:00, Monday and Wednesday", "周一、周三 09:00"},
		{"FREQ=MONTHLY;BYDAY=-1FR", "at 09:00 on the last Friday of every month", "每月最后一个周五 09:00"},
		{"FREQ=MONTHLY;BYMONTHDAY=-1;COUNT=10", "at 09:00 on the last day of every month, 10 times", "每月最后一天 09:00，共 10 次"},
		{"FREQ=YEARLY;COUNT=1", "at 09:00 on 5 January, once", "1 月 5 日 09:00，共 1 次"},
		{"FREQ=HOURLY", "every hour", "每小时"},
		{"FREQ=MINUTELY;BYHOUR=9;BYDAY=MO", "every minute from 09:00 to 09:59 on Mondays", "每周一 09:00–09:59 每分钟"},
		{"FREQ=DAILY;UNTIL=20270101T140000Z", "at 09:00 every day, until 2027-01-01 09:00", "每天 09:00，至 2027-01-01 09:00 止"},
		{"FREQ=WEEKLY;INTERVAL=2;BYDAY=MO,WE", "every 2 weeks on Monday and Wednesday at 09:00, counted from 2026-01-05", "每 2 周的周一、周三 09:00，自 2026-01-05 起计"},
		{"FREQ=WEEKLY;INTERVAL=2;WKST=SU", "every 2 weeks on Monday at 09:00, weeks beginning on Sunday, counted from 2026-01-05", "每 2 周的周一 09:00，每周从周日开始，自 2026-01-05 起计"},
		{"FREQ=DAILY;INTERVAL=3;UNTIL=20270101", "every 3 days at 09:00, counted from 2026-01-05, until 2027-01-01", "每 3 天 09:00，自 2026-01-05 起计，至 2027-01-01 止"},
		{"FREQ=DAILY;INTERVAL=2;BYHOUR=9,10,11;BYMINUTE=0,30", "every 2 days, every 30 minutes from 09:00 to 11:59, counted from 2026-01-05", "每 2 天 09:00–11:59 每 30 分钟，自 2026-01-05 起计"},
		{"FREQ=DAILY;INTERVAL=2;BYHOUR=9,10;BYMINUTE=0,15,30,45", "every 2 days, every 15 minutes from 09:00 to 10:59, counted from 2026-01-05", "每 2 天 09:00–10:59 每 15 分钟，自 2026-01-05 起计"},
		{"FREQ=MONTHLY;BYDAY=-2MO", "every month on the 2nd to last Monday of the month at 09:00", "每月的倒数第 2 个周一 09:00"},
		{"FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1", "every month on Monday to Friday at 09:00, only the last of each month", "每月的周一至周五 09:00，每月只取最后一次"},
		{"FREQ=MONTHLY;BYDAY=MO,TU;BYSETPOS=-2,1,3", "every month on Monday and Tuesday at 09:00, only the 1st, the 3rd and the 2nd to last of each month", "每月的周一、周二 09:00，每月只取第 1 次、第 3 次、倒数第 2 次"},
		{"FREQ=MONTHLY;INTERVAL=2;BYMONTHDAY=1,15,-1", "every 2 months on days 1 and 15 and the last day of the month at 09:00, counted from 2026-01-05", "每 2 个月的 1、15 日、最后一天 09:00，自 2026-01-05 起计"},
		{"FREQ=YEARLY;INTERVAL=4;BYMONTH=11;BYDAY=TU;BYMONTHDAY=2,3,4,5,6,7,8", "every 4 years in November on days 2-8 of the month, if Tuesday, at 09:00, counted from 2026-01-05", "每 4 年的 11 月 2–8 日且为周二 09:00，自 2026-01-05 起计"},
		{"FREQ=YEARLY;BYDAY=20MO,-1TU", "every year on the 20th Monday and the last Tuesday of the year at 09:00", "每年的第 20 个周一、最后一个周二 09:00"},
		{"FREQ=YEARLY;BYWEEKNO=20;BYDAY=MO", "every year in week 20 of the year on Monday at 09:00", "每年的第 20 周 周一 09:00"},
		{"FREQ=YEARLY;BYWEEKNO=1,-1,-2;WKST=SU", "every year in week 1, the 2nd to last week and the last week of the year on Monday at 09:00, weeks beginning on Sunday", "每年的第 1 周、倒数第 2 周、最后一周 周一 09:00，每周从周日开始"},
		{"FREQ=YEARLY;BYYEARDAY=100,1,-1", "every year on days 1 and 100 and the last day of the year at 09:00", "每年的第 1、100 天、最后一天 09:00"},
		{"FREQ=SECONDLY;BYYEARDAY=5", "every second on day 5 of the year", "年内第 5 天 每秒"},
		{"FREQ=MINUTELY;INTERVAL=90", "every 90 minutes, counted from 2026-01-05 09:00", "每 90 分钟，自 2026-01-05 09:00 起计"},
		{"FREQ=HOURLY;INTERVAL=36;BYMINUTE=0,30;BYHOUR=9", "every 36 hours at minutes 0 and 30, only in hour 9, counted from 2026-01-05 09:00", "每 36 小时的第 0、30 分，仅限 9 时，自 2026-01-05 09:00 起计"},
		{"FREQ=SECONDLY;INTERVAL=7;BYMINUTE=3;BYSECOND=7,14", "every 7 s, only in minute 3, seconds 7 and 14, counted from 2026-01-05 09:00", "每 7 秒，仅限 3 分 7、14 秒，自 2026-01-05 09:00 起计"},
		{"FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30", "never, as no day matches", "从不触发（没有符合的日期）"},
	} {
		trig := rrule(t, test[0], "America/New_York", "2026-01-05T09:00:00")
		if got := trigger.Describe(trig, trigger.English); got != test[1] {
			t.Errorf("%s:\n got %q\nwant %q", test[0], got, test[1])
		}
		if got := trigger.Describe(trig, trigger.Chinese); got != test[2] {
			t.Errorf("%s:\n got %q\nwant %q", test[0], got, test[2])
		}
	}
}

// drawRule draws a rule that the RFC allows, with a start; not all fire.
func drawRule(t *rapid.T) (rule string, start time.Time) {
	freqs := []string{"SECONDLY", "MINUTELY", "HOURLY", "DAILY", "WEEKLY", "MONTHLY", "YEARLY"}
	i := rapid.IntRange(0, 6).Draw(t, "frequency")
	parts := []string{"FREQ=" + freqs[i]}
	list := func(name string, low, high, most int, signed bool) {
		if rapid.IntRange(0, 3).Draw(t, name+" is given") != 0 {
			return
		}
		n := rapid.IntRange(low, high)
		if signed {
			n = rapid.OneOf(n, rapid.IntRange(-high, -1))
		}
		var texts []string
		for _, v := range rapid.SliceOfN(n, 1, most).Draw(t, name) {
			texts = append(texts, strconv.Itoa(v))
		}
		parts = append(parts, name+"="+strings.Join(texts, ","))
	}
	list("INTERVAL", 1, 40, 1, false)
	list("BYMONTH", 1, 12, 4, false)
	list("BYHOUR", 0, 23, 4, false)
	list("BYMINUTE", 0, 59, 4, false)
	list("BYSECOND", 0, 59, 4, false)
	if i != 4 {
		list("BYMONTHDAY", 1, 31, 6, true)
	}
	if i < 3 || i == 6 {
		list("BYYEARDAY", 1, 366, 20, true)
	}
	numbered := i >= 5
	if i == 6 && rapid.Bool().Draw(t, "weeks") {
		list("BYWEEKNO", 1, 53, 4, true)
		numbered = false
	}
	if rapid.Bool().Draw(t, "BYDAY is given") {
		weekday := rapid.SampledFrom([]string{"MO", "TU", "WE", "TH", "FR", "SA", "SU"})
		if numbered {
			weekday = rapid.Custom(func(t *rapid.T) string {
				n := rapid.SampledFrom([]string{"", "1", "2", "5", "-1", "-2", "-5"}).Draw(t, "n")
				return n + rapid.SampledFrom([]string{"MO", "WE", "SU"}).Draw(t, "weekday")
			})
		}
		parts = append(parts, "BYDAY="+strings.Join(rapid.SliceOfN(weekday, 1, 4).Draw(t, "BYDAY"), ","))
	}
	if slices.ContainsFunc(parts, func(p string) bool { return strings.HasPrefix(p, "BY") }) {
		list("BYSETPOS", 1, 8, 3, true)
	}
	if rapid.Bool().Draw(t, "WKST is given") {
		parts = append(parts, "WKST="+rapid.SampledFrom([]string{"MO", "SU", "TH"}).Draw(t, "WKST"))
	}
	list("COUNT", 1, 50, 1, false)
	start = time.Unix(rapid.Int64Range(-1e9, 3e9).Draw(t, "start"), 0).UTC()
	return strings.Join(parts, ";"), start
}

// TestRRuleOrder wants fires in order, and the same fire whichever instant
// before it is asked about.
func TestRRuleOrder(t *testing.T) {
	t.Parallel()
	zones := []*time.Location{time.UTC, loadZone(t, "America/New_York"), loadZone(t, "Australia/Lord_Howe")}
	rapid.Check(t, func(t *rapid.T) {
		rule, start := drawRule(t)
		trig, err := trigger.NewRRule(rule, trigger.Options{Start: start, Zone: rapid.SampledFrom(zones).Draw(t, "zone")})
		if err != nil {
			t.Fatal(err)
		}
		at := start.Add(-1)
		for range 5 {
			fire, ok := trig.Next(at)
			if !ok {
				break
			}
			if !fire.After(at) {
				t.Fatalf("%s: Next(%v) = %v, not later", rule, at, fire)
			}
			between := at.Add(time.Duration(rapid.Int64Range(0, min(int64(fire.Sub(at)), 1e18)-1).Draw(t, "between")))
			if again, ok := trig.Next(between); !ok || !again.Equal(fire) {
				t.Fatalf("%s: Next(%v) = %v, %v, but Next(%v) = %v", rule, at, fire, ok, between, again)
			}
			at = fire
		}
	})
}

// TestRRuleBrute compares with all times of the first periods of a rule, taken
// one by one, in UTC.
func TestRRuleBrute(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		rule, start := drawRule(t)
		trig, err := trigger.NewRRule(rule, trigger.Options{Start: start})
		if err != nil {
			t.Fatal(err)
		}
		want, end := newBruteRule(rule, start).times()
		at := start.Add(-1)
		for _, next := range want {
			if fire, ok := trig.Next(at); !ok || !fire.Equal(next) {
				t.Fatalf("%s from %v: Next(%v) = %v, %v, want %v", rule, start, at, fire, ok, next)
			}
			at = next
		}
		if fire, ok := trig.Next(at); ok && fire.Before(end) {
			t.Fatalf("%s from %v: Next(%v) = %v, want none before %v", rule, start, at, fire, end)
		}
	})
}

// bruteRule is a rule read in the plainest way.
type bruteRule struct {
	parts map[string][]string
	start time.Time
	wkst  int
	days  map[time.Time]bool // that are allowed, as far as they have been looked at
}

const bruteWeekdays = "SUMOTUWETHFRSA"

func newBruteRule(rule string, start time.Time) *bruteRule {
	b := &bruteRule{parts: map[string][]string{}, start: start, wkst: 1, days: map[time.Time]bool{}}
	for part := range strings.SplitSeq(rule, ";") {
		name, values, _ := strings.Cut(part, "=")
		b.parts[name] = strings.Split(values, ",")
	}
	if b.has("WKST") {
		b.wkst = strings.Index(bruteWeekdays, b.parts["WKST"][0]) / 2
	}
	freq := b.freq()
	fill := func(name string, value int) {
		if !b.has(name) {
			b.parts[name] = []string{strconv.Itoa(value)}
		}
	}
	if !b.has("BYDAY") && !b.has("BYMONTHDAY") && !b.has("BYYEARDAY") {
		switch {
		case b.has("BYWEEKNO"), freq == "WEEKLY":
			b.parts["BYDAY"] = []string{bruteWeekdays[2*start.Weekday():][:2]}
		case freq == "YEARLY":
			fill("BYMONTH", int(start.Month()))
			fill("BYMONTHDAY", start.Day())
		case freq == "MONTHLY":
			fill("BYMONTHDAY", start.Day())
		}
	}
	if freq != "HOURLY" && freq != "MINUTELY" && freq != "SECONDLY" {
		fill("BYHOUR", start.Hour())
	}
	if freq != "MINUTELY" && freq != "SECONDLY" {
		fill("BYMINUTE", start.Minute())
	}
	if freq != "SECONDLY" {
		fill("BYSECOND", start.Second())
	}
	return b
}

func (b *bruteRule) has(name string) bool { return b.parts[name] != nil }
func (b *bruteRule) freq() string         { return b.parts["FREQ"][0] }

func (b *bruteRule) number(name string, otherwise int) int {
	if !b.has(name) {
		return otherwise
	}
	n, _ := strconv.Atoi(b.parts[name][0])
	return n
}

// allows tells whether a part is left out or names a value, or one that counts
// from the end of so many.
func (b *bruteRule) allows(name string, value, of int) bool {
	return !b.has(name) || slices.Contains(b.parts[name], strconv.Itoa(value)) || of > 0 && slices.Contains(b.parts[name], strconv.Itoa(value-of-1))
}

// week1 gives the day on which the weeks of a year begin.
func (b *bruteRule) week1(year int) time.Time {
	day := time.Date(year-1, 12, 29, 0, 0, 0, 0, time.UTC)
	for int(day.Weekday()) != b.wkst {
		day = day.AddDate(0, 0, 1)
	}
	return day
}

func (b *bruteRule) dayAllowed(day time.Time) bool {
	allowed, known := b.days[day]
	if !known {
		allowed = b.findDay(day)
		b.days[day] = allowed
	}
	return allowed
}

func (b *bruteRule) findDay(day time.Time) bool {
	yearDays := time.Date(day.Year(), 12, 31, 0, 0, 0, 0, time.UTC).YearDay()
	if !b.allows("BYMONTH", int(day.Month()), 0) || !b.allows("BYMONTHDAY", day.Day(), monthEnd(day)) || !b.allows("BYYEARDAY", day.YearDay(), yearDays) {
		return false
	}
	if b.has("BYWEEKNO") {
		year := day.Year() + 1
		for day.Before(b.week1(year)) {
			year--
		}
		const week = 7 * 24 * time.Hour
		if !b.allows("BYWEEKNO", int(day.Sub(b.week1(year))/week)+1, int(b.week1(year+1).Sub(b.week1(year))/week)) {
			return false
		}
	}
	if !b.has("BYDAY") {
		return true
	}
	code := bruteWeekdays[2*day.Weekday():][:2]
	n, of := day.Day(), monthEnd(day)
	if b.freq() == "YEARLY" && !b.has("BYMONTH") {
		n, of = day.YearDay(), yearDays
	}
	return slices.Contains(b.parts["BYDAY"], code) || slices.Contains(b.parts["BYDAY"], strconv.Itoa((n+6)/7)+code) ||
		slices.Contains(b.parts["BYDAY"], strconv.Itoa(-(of-n)/7-1)+code)
}

// period gives the n-th period from that of the start on.
func (b *bruteRule) period(n int) (from, to time.Time) {
	year, month, day := b.start.Date()
	switch b.freq() {
	case "YEARLY":
		if b.has("BYWEEKNO") {
			for b.start.Before(b.week1(year)) {
				year--
			}
			for !b.start.Before(b.week1(year + 1)) {
				year++
			}
			return b.week1(year + n), b.week1(year + n + 1)
		}
		from = time.Date(year+n, 1, 1, 0, 0, 0, 0, time.UTC)
		return from, from.AddDate(1, 0, 0)
	case "MONTHLY":
		from = time.Date(year, month+time.Month(n), 1, 0, 0, 0, 0, time.UTC)
		return from, from.AddDate(0, 1, 0)
	case "WEEKLY":
		from = time.Date(year, month, day-(int(b.start.Weekday())-b.wkst+7)%7+7*n, 0, 0, 0, 0, time.UTC)
		return from, from.AddDate(0, 0, 7)
	}
	length := map[string]time.Duration{"DAILY": 24 * time.Hour, "HOURLY": time.Hour, "MINUTELY": time.Minute, "SECONDLY": time.Second}[b.freq()]
	from = b.start.Truncate(length).Add(time.Duration(n) * length)
	return from, from.Add(length)
}

// numbers gives the hours, minutes or seconds to be looked at: those of the
// period if it is within one, else what the part names.
func (b *bruteRule) numbers(name string, one bool, value int) (list []int) {
	if one {
		if b.allows(name, value, 0) {
			list = append(list, value)
		}
		return list
	}
	for _, text := range b.parts[name] {
		n, _ := strconv.Atoi(text)
		list = append(list, n)
	}
	slices.Sort(list)
	return slices.Compact(list)
}

// times gives the times of as many periods as can be gone through, and the end
// of those.
func (b *bruteRule) times() (list []time.Time, end time.Time) {
	rank := slices.Index([]string{"SECONDLY", "MINUTELY", "HOURLY", "DAILY", "WEEKLY", "MONTHLY", "YEARLY"}, b.freq())
	periods := []int{20_000, 20_000, 5_000, 500, 100, 40, 8}[rank]
	count := b.number("COUNT", -1)
	for n := range periods {
		from, to := b.period(n * b.number("INTERVAL", 1))
		end = to
		var set []time.Time
		for day := from.Truncate(24 * time.Hour); day.Before(to); day = day.AddDate(0, 0, 1) {
			if !b.dayAllowed(day) {
				continue
			}
			for _, h := range b.numbers("BYHOUR", rank <= 2, from.Hour()) {
				for _, m := range b.numbers("BYMINUTE", rank <= 1, from.Minute()) {
					for _, s := range b.numbers("BYSECOND", rank == 0, from.Second()) {
						set = append(set, day.Add(time.Duration(h)*time.Hour+time.Duration(m)*time.Minute+time.Duration(s)*time.Second))
					}
				}
			}
		}
		for i, at := range set {
			if !b.allows("BYSETPOS", i+1, len(set)) || at.Before(b.start) {
				continue
			}
			if len(list) == count {
				return list, end.AddDate(100, 0, 0)
			}
			list = append(list, at)
		}
	}
	return list, end
}

// TestRRuleShared is for the race detector.
func TestRRuleShared(t *testing.T) {
	t.Parallel()
	trig := rrule(t, "FREQ=YEARLY;BYWEEKNO=1,-1;BYDAY=MO,SU;BYSETPOS=1,-1", "America/New_York", "2026-01-05T09:00:00")
	want, _ := rruleFires(trig, time.Time{}, 50, time.RFC3339)
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			if got, _ := rruleFires(trig, time.Time{}, 50, time.RFC3339); !slices.Equal(got, want) {
				t.Errorf("got %q, want %q", got, want)
			}
		})
	}
	all.Wait()
}

func FuzzRRule(f *testing.F) {
	for _, rule := range []string{
		"FREQ=DAILY", "freq=monthly;byday=-1fr,tu;bysetpos=2,-1", "RRULE:FREQ=YEARLY;BYWEEKNO=1,-53;WKST=SU;INTERVAL=2",
		"FREQ=HOURLY;INTERVAL=2;BYHOUR=1", "FREQ=SECONDLY;INTERVAL=86399;BYMONTH=2;BYMONTHDAY=29", "FREQ=MINUTELY;INTERVAL=1439;BYSECOND=60;COUNT=10000",
		"FREQ=YEARLY;BYYEARDAY=1,-366;UNTIL=20301231T235959Z", "FREQ=YEARLY;BYDAY=53SU,-53MO;UNTIL=20301231",
	} {
		f.Add(rule, int64(1711846800), int64(1711846800))
	}
	f.Fuzz(func(t *testing.T, rule string, start, from int64) {
		at := time.Unix(start%(1<<37), 0)
		trig, err := trigger.NewRRule(rule, trigger.Options{Start: at, Zone: trigger.Zone(berlin(t))})
		if (trig == nil) == (err == nil) {
			t.Fatalf("%v, %v", trig, err)
		}
		if err == nil {
			checkTrigger(t, trig, from)
		}
	})
}

func BenchmarkRRule(b *testing.B) {
	for _, rule := range []string{
		"FREQ=DAILY", "FREQ=WEEKLY;BYDAY=MO,WE", "FREQ=MONTHLY;BYDAY=-1FR", "FREQ=WEEKLY;INTERVAL=2;BYDAY=MO,WE",
		"FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1", "FREQ=YEARLY;BYWEEKNO=20;BYDAY=MO", "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=29;BYDAY=MO",
		"FREQ=MINUTELY;INTERVAL=20;BYHOUR=9,10,11", "FREQ=SECONDLY;INTERVAL=997;BYHOUR=3;BYMINUTE=30;BYSECOND=0", "FREQ=YEARLY;BYYEARDAY=1,100,-1;BYSETPOS=-1",
	} {
		b.Run(rule, func(b *testing.B) {
			trig := rrule(b, rule, "UTC", "2026-01-05T09:00:00")
			begin := benchInstant()
			at := begin
			b.ReportAllocs()
			for b.Loop() {
				var ok bool
				if at, ok = trig.Next(at); !ok || at.Year() > 9000 {
					at = begin
				}
			}
		})
	}
	b.Run("New", func(b *testing.B) {
		b.ReportAllocs()
		opts := trigger.Options{Start: benchInstant().Truncate(time.Second)}
		for b.Loop() {
			if _, err := trigger.NewRRule("FREQ=MONTHLY;BYDAY=-1FR", opts); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// TestRRuleDoesNotAllocate must not run in parallel with others.
func TestRRuleDoesNotAllocate(t *testing.T) { //nolint:paralleltest // see above
	for _, rule := range []string{"FREQ=DAILY", "FREQ=MONTHLY;BYDAY=-1FR;INTERVAL=2", "FREQ=YEARLY;BYWEEKNO=1;BYSETPOS=-1", "FREQ=MINUTELY;BYYEARDAY=-1"} {
		trig := rrule(t, rule, "America/New_York", "2026-01-05T09:00:00")
		if n := testing.AllocsPerRun(100, func() { trig.Next(benchInstant()) }); n != 0 {
			t.Errorf("%s: Next allocates %v times, want 0", rule, n)
		}
	}
}

// npmRule is a line of testdata/rrule/npm.jsonl.gz, see generate.mjs there.
type npmRule struct {
	Rule, Start, After string
	RRule, Temporal    json.RawMessage
}

func readNPMRules(t *testing.T) (list []npmRule) {
	t.Helper()
	file, err := os.ReadFile("testdata/rrule/npm.jsonl.gz")
	if err != nil {
		t.Fatal(err)
	}
	data, err := gzip.NewReader(bytes.NewReader(file))
	if err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(data)
	for lines.Scan() {
		var r npmRule
		if err := json.Unmarshal(lines.Bytes(), &r); err != nil {
			t.Fatal(err)
		}
		list = append(list, r)
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	return list
}

// has tells whether a rule has a part.
func (r *npmRule) has(names ...string) bool {
	return slices.ContainsFunc(strings.Split(r.Rule, ";"), func(part string) bool {
		name, _, _ := strings.Cut(part, "=")
		return slices.Contains(names, name) || slices.Contains(names, part)
	})
}

// numbered tells whether BYDAY has weekdays with a number, and without.
func (r *npmRule) numbered() (with, without bool) {
	_, days, _ := strings.Cut(r.Rule, "BYDAY=")
	days, _, _ = strings.Cut(days, ";")
	for day := range strings.SplitSeq(days, ",") {
		with = with || len(day) > 2
		without = without || len(day) == 2
	}
	return with, without
}

// rruleDifference gives the class of an answer of rrule that is not ours; ""
// for one that nothing explains. In each, rrule-temporal gives our answer or
// none, but for the second.
func (r *npmRule) rruleDifference() string {
	with, without := r.numbered()
	switch {
	case r.has("BYWEEKNO") && !r.has("BYDAY", "BYMONTHDAY", "BYYEARDAY"):
		// It takes all seven days. The RFC takes what a rule leaves open, here
		// the weekday, from DTSTART.
		return "week without a weekday"
	case with && without:
		// It wants both a weekday without a number and one with a number to
		// match. In the RFC BYDAY is a list like the others: either does.
		return "weekdays with and without a number"
	case r.has("BYSETPOS"):
		// It gives a time twice that two positions name, takes some time or
		// other for a position that a set does not have, and counts those in
		// the week of DTSTART from DTSTART. In the RFC a position is "the nth
		// occurrence within the set", and the set "starts at the beginning of
		// the interval".
		return "positions"
	case r.has("BYWEEKNO"):
		// It forgets that the last days of a year may be in week -52 or -53 of
		// the next, and takes some first days for another week than theirs.
		return "weeks at the turn of the year"
	case r.has("FREQ=HOURLY", "FREQ=MINUTELY", "FREQ=SECONDLY") && r.has("BYHOUR", "BYMINUTE"):
		// Where it skips to another day or hour it loses the phase of INTERVAL,
		// or all hours of the day but the one at which it arrives.
		return "skips"
	}
	return ""
}

// temporalDifference is the same of rrule-temporal, where rrule gives our
// answer or none, but for the second class.
func (r *npmRule) temporalDifference() string {
	with, without := r.numbered()
	switch {
	case r.has("FREQ=YEARLY") && with && r.has("BYMONTHDAY", "BYYEARDAY"):
		// It takes days that either part names. In the RFC (note 2 of the
		// table) BYDAY limits what these parts give.
		return "numbered weekday and a day"
	case r.has("FREQ=YEARLY") && with && without:
		return "weekdays with and without a number" // it takes the numbered alone
	case r.has("FREQ=YEARLY") && r.has("BYMONTHDAY") && r.has("BYWEEKNO", "BYYEARDAY"):
		// It forgets BYMONTHDAY; beside BYWEEKNO it takes the weekday of
		// DTSTART instead. The RFC applies all parts, one after the other, and
		// takes from DTSTART only what no part says.
		return "day of the month and another"
	}
	return ""
}

// TestRRuleNPM compares with two other programs. Each answer that differs is of
// a class that says who is right, and the numbers of all answers are held.
func TestRRuleNPM(t *testing.T) {
	t.Parallel()
	got := map[string]int{}
	for _, r := range readNPMRules(t) {
		at := func(text string) time.Time {
			at, err := time.Parse("20060102T150405", text)
			if err != nil {
				t.Fatal(err)
			}
			return at
		}
		trig, err := trigger.NewRRule(r.Rule, trigger.Options{Start: at(r.Start)})
		if err != nil {
			t.Errorf("%s: %v", r.Rule, err)
			continue
		}
		ours, _ := rruleFires(trig, at(r.After), 12, "20060102T150405")
		compare := func(theirs json.RawMessage, difference func() string) string {
			var times []string
			switch {
			case json.Unmarshal(theirs, &times) != nil:
				return "gave up"
			case string(theirs) == "null":
				return "no answer"
			case slices.Equal(times, ours):
				return "same"
			}
			class := difference()
			if class == "" {
				t.Errorf("%s from %s after %s:\ntheirs %s\n  ours %q", r.Rule, r.Start, r.After, theirs, ours)
			}
			return class
		}
		got["rrule "+compare(r.RRule, r.rruleDifference)+", temporal "+compare(r.Temporal, r.temporalDifference)]++
	}
	want := map[string]int{
		"rrule same, temporal same":           600,
		"rrule same, temporal no answer":      9,
		"rrule same, temporal gave up":        8,
		"rrule no answer, temporal same":      43,
		"rrule no answer, temporal no answer": 13,
		"rrule no answer, temporal gave up":   50,

		"rrule week without a weekday, temporal same":        6,
		"rrule positions, temporal same":                     19,
		"rrule positions, temporal no answer":                7,
		"rrule positions, temporal gave up":                  10,
		"rrule weeks at the turn of the year, temporal same": 1,
		"rrule skips, temporal same":                         14,

		"rrule same, temporal numbered weekday and a day":   6,
		"rrule same, temporal day of the month and another": 6,

		"rrule weekdays with and without a number, temporal same":                               5,
		"rrule weekdays with and without a number, temporal numbered weekday and a day":         1,
		"rrule weekdays with and without a number, temporal weekdays with and without a number": 2,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("answers (-want +got):\n%s", diff)
	}
}
