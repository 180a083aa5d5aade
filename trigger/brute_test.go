package trigger_test

import (
	"archive/zip"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jobcenter-go/jobcenter/trigger"
)

// The brute-force tests know nothing of how a trigger computes. What the clocks
// of a zone show at each second of a stretch of time is written down in a
// table; a plan is a plain predicate of the date and a list of times of day;
// and the policies for gaps and folds are taken word for word. All fires of the
// stretch must then be those that the trigger gives.

//nolint:gochecknoglobals // a flag of the test binary
var bruteFull = flag.Bool("brute.full", false, "let the brute-force tests walk all plans over all four weeks, and all changes of all zones")

// brutePlan is a plan with its predicate.
type brutePlan struct {
	form    string // JSON, without the zone and the policies
	parts   []brutePart
	elapsed bool          // "every so often"
	around  time.Duration // how far to look on either side of a change; 0 for two weeks
}

// brutePart fires on some days at some seconds of the day, in order.
type brutePart struct {
	on      func(date time.Time) bool
	seconds []int
}

// times gives the seconds of the day that match.
func times(match func(h, m, s int) bool) (list []int) {
	for second := range 24 * 3600 {
		if match(second/3600, second/60%60, second%60) {
			list = append(list, second)
		}
	}
	return list
}

func everyDate(time.Time) bool { return true }

// monthEnd gives the last day of a date's month.
func monthEnd(date time.Time) int { return date.AddDate(0, 1, -date.Day()).Day() }

// nearestWeekday gives the day of date's month that is the weekday nearest to
// its day-th.
func nearestWeekday(date time.Time, day int) int {
	working := func(d int) bool {
		w := time.Date(date.Year(), date.Month(), d, 0, 0, 0, 0, time.UTC).Weekday()
		return d >= 1 && d <= monthEnd(date) && w != time.Saturday && w != time.Sunday
	}
	for _, d := range []int{day, day - 1, day + 1, day - 2, day + 2} {
		if working(d) {
			return d
		}
	}
	return -1
}

// counted gives the dates that lie n times years, months and days from a first
// one.
func counted(first string, years, months, days int, lastOfShort bool) func(time.Time) bool {
	begin, err := time.Parse(time.DateOnly, first)
	if err != nil {
		panic(err)
	}
	dates := map[time.Time]bool{}
	for n := range 40_000 {
		month := time.Date(begin.Year()+n*years, begin.Month()+time.Month(n*months), 1, 0, 0, 0, 0, time.UTC)
		day := begin.Day()
		if day > monthEnd(month) {
			if !lastOfShort {
				continue
			}
			day = monthEnd(month)
		}
		date := month.AddDate(0, 0, day-1+n*days)
		if date.Year() > 2040 {
			break
		}
		dates[date] = true
	}
	return func(date time.Time) bool { return dates[date] }
}

func brutePlans() []brutePlan {
	at := func(clocks ...string) []int {
		return times(func(h, m, s int) bool {
			return slices.Contains(clocks, fmt.Sprintf("%02d:%02d:%02d", h, m, s)) || s == 0 && slices.Contains(clocks, fmt.Sprintf("%02d:%02d", h, m))
		})
	}
	daily := func(seconds []int) []brutePart { return []brutePart{{everyDate, seconds}} }
	on := func(match func(time.Time) bool, clocks ...string) []brutePart {
		return []brutePart{{match, at(clocks...)}}
	}
	crontab := func(expr string) string { return `{"type":"crontab","expression":"` + expr + `"` }
	extended := func(expr string) string { return `{"type":"crontab","extensions":true,"expression":"` + expr + `"` }
	quartz := func(expr string) string { return `{"type":"quartz","expression":"` + expr + `"` }
	weekday := func(days ...time.Weekday) func(time.Time) bool {
		return func(d time.Time) bool { return slices.Contains(days, d.Weekday()) }
	}
	// A daily window of a step, which may go on past midnight.
	window := func(from, to, step int, match func(time.Time) bool) []brutePart {
		var today, tomorrow []int
		for s := from; s <= to; s += step {
			if s < 86400 {
				today = append(today, s)
			} else {
				tomorrow = append(tomorrow, s-86400)
			}
		}
		return []brutePart{{match, today}, {func(d time.Time) bool { return match(d.AddDate(0, 0, -1)) }, tomorrow}}
	}
	isoWeek := func(d time.Time) int { _, week := d.ISOWeek(); return week }
	const day, hour, minute = 86400, 3600, 60

	return []brutePlan{
		// Fixed times.
		{form: crontab("30 2 * * *"), parts: daily(at("02:30"))},
		{form: crontab("0 0 * * *"), parts: daily(at("00:00"))},
		{form: crontab("1 0 * * *"), parts: daily(at("00:01"))},
		{form: crontab("59 23 * * *"), parts: daily(at("23:59"))},
		{form: crontab("0 3 * * *"), parts: daily(at("03:00"))},
		{form: crontab("0,30 0-4 * * *"), parts: daily(times(func(h, m, s int) bool { return s == 0 && m%30 == 0 && h <= 4 }))},
		{form: crontab("10/25 1,2,23 * * *"), parts: daily(times(func(h, m, s int) bool { return s == 0 && (m == 10 || m == 35) && (h == 1 || h == 2 || h == 23) }))},
		{form: crontab("0-59 1-2 * * *"), parts: daily(times(func(h, _, s int) bool { return s == 0 && (h == 1 || h == 2) })), around: 40 * time.Hour},
		{form: crontab("20,40 0,59 0-3,22-23 * * *"), parts: daily(times(func(h, m, s int) bool { return (s == 20 || s == 40) && (m == 0 || m == 59) && (h <= 3 || h >= 22) }))},
		{form: crontab("0-59 29-31 0-3,23 * * *"), parts: daily(times(func(h, m, _ int) bool { return m >= 29 && m <= 31 && (h <= 3 || h == 23) })), around: 6 * time.Hour},
		// Every so often.
		{form: crontab("* * * * *"), parts: daily(times(func(_, _, s int) bool { return s == 0 })), elapsed: true, around: 30 * time.Hour},
		{form: crontab("30 * * * *"), parts: daily(times(func(_, m, s int) bool { return s == 0 && m == 30 })), elapsed: true},
		{form: crontab("*/7 * * * *"), parts: daily(times(func(_, m, s int) bool { return s == 0 && m%7 == 0 })), elapsed: true, around: 50 * time.Hour},
		{form: crontab("15 */2 * * *"), parts: daily(times(func(h, m, s int) bool { return s == 0 && m == 15 && h%2 == 0 })), elapsed: true},
		{form: crontab("*/15 2 * * *"), parts: daily(times(func(h, m, s int) bool { return s == 0 && m%15 == 0 && h == 2 })), elapsed: true},
		{form: crontab("* * * * * *"), parts: daily(times(func(int, int, int) bool { return true })), elapsed: true, around: 65 * time.Minute},
		{form: crontab("*/13 * * * * *"), parts: daily(times(func(_, _, s int) bool { return s%13 == 0 })), elapsed: true, around: 3 * time.Hour},
		{form: crontab("*/20 59 * * * *"), parts: daily(times(func(_, m, s int) bool { return s%20 == 0 && m == 59 })), elapsed: true},
		{form: crontab("7/9 0 * * * *"), parts: daily(times(func(_, m, s int) bool { return s%9 == 7 && m == 0 })), elapsed: true, around: 50 * time.Hour},
		// Days.
		{form: crontab("30 0-3 * * sun,sat"), parts: on(weekday(0, 6), "00:30", "01:30", "02:30", "03:30")},
		{form: crontab("30 0 * * 5-7"), parts: on(weekday(5, 6, 0), "00:30")},
		{form: crontab("0 2 1-7,25-31 * sun"), parts: on(func(d time.Time) bool {
			return d.Day() <= 7 || d.Day() >= 25 || d.Weekday() == time.Sunday
		}, "02:00")},
		{form: crontab("0 2 */2 * sun"), parts: on(func(d time.Time) bool { return d.Day()%2 == 1 && d.Weekday() == time.Sunday }, "02:00")},
		{form: crontab("30 30 2 * mar,apr-nov * 1970-2050/2"), parts: on(func(d time.Time) bool {
			return d.Month() >= 3 && d.Month() <= 11 && d.Year()%2 == 0
		}, "02:30:30")},
		{form: extended("30 2 L,L-3 * ?"), parts: on(func(d time.Time) bool { return d.Day() == monthEnd(d) || d.Day() == monthEnd(d)-3 }, "02:30")},
		{form: extended("30 1 1W,LW,15W * *"), parts: on(func(d time.Time) bool {
			return d.Day() == nearestWeekday(d, 1) || d.Day() == nearestWeekday(d, 15) || d.Day() == nearestWeekday(d, monthEnd(d))
		}, "01:30")},
		{form: extended("30 2 * * sun#2,0#1,sunL"), parts: on(func(d time.Time) bool {
			return d.Weekday() == time.Sunday && (d.Day() <= 14 || d.Day() > monthEnd(d)-7)
		}, "02:30")},
		{form: extended("5 0 L * friL"), parts: on(func(d time.Time) bool {
			return d.Day() == monthEnd(d) || d.Weekday() == time.Friday && d.Day() > monthEnd(d)-7
		}, "00:05")},
		{form: quartz("0 30 22-2 ? * *"), parts: daily(at("22:30", "23:30", "00:30", "01:30", "02:30"))},
		{form: quartz("0 0/20 * ? * SAT-MON"), parts: []brutePart{{weekday(6, 0, 1), times(func(_, m, s int) bool { return s == 0 && m%20 == 0 })}}, elapsed: true},
		{form: quartz("0 /30 1-3 * * ?"), parts: daily(times(func(h, m, s int) bool { return s == 0 && m%30 == 0 && h >= 1 && h <= 3 })), elapsed: true},
		{form: quartz("0 30 2 ? * 1#2"), parts: on(func(d time.Time) bool { return d.Weekday() == 0 && d.Day() > 7 && d.Day() <= 14 }, "02:30")},
		{form: quartz("0 30 0 ? * 1L"), parts: on(func(d time.Time) bool { return d.Weekday() == 0 && d.Day() > monthEnd(d)-7 }, "00:30")},
		{form: quartz("0 30 2 L-1W,29-3 * ?"), parts: on(func(d time.Time) bool {
			return d.Day() >= 29 || d.Day() <= 3 || d.Day() == nearestWeekday(d, monthEnd(d)-1)
		}, "02:30")},
		{form: `{"type":"cron","day":"last sun,2nd sun,1st sun","hour":"0,2","minute":30`, parts: on(func(d time.Time) bool {
			return d.Weekday() == 0 && (d.Day() > monthEnd(d)-7 || d.Day() <= 14)
		}, "00:30", "02:30")},
		{form: `{"type":"cron","week":"9-20,40-53/3","hour":"*/3","minute":"0,59"`, parts: []brutePart{{
			func(d time.Time) bool { w := isoWeek(d); return w >= 9 && w <= 20 || w >= 40 && (w-40)%3 == 0 },
			times(func(h, m, s int) bool { return s == 0 && h%3 == 0 && (m == 0 || m == 59) }),
		}}, elapsed: true},
		{form: `{"type":"cron","day_of_week":"5-6","hour":"1-3","minute":"15-45/15"`, parts: on(weekday(6, 0),
			"01:15", "01:30", "01:45", "02:15", "02:30", "02:45", "03:15", "03:30", "03:45")},
		// Windows of the day.
		{form: `{"type":"daily_time_interval","every":20,"unit":"minute","from":"22:00","to":"03:30"`, parts: window(22*hour, 27*hour+30*minute, 20*minute, everyDate), elapsed: true},
		{form: `{"type":"daily_time_interval","every":7,"unit":"minute","from":"23:50","to":"01:10","days_of_week":["sat","sun"]`, parts: window(23*hour+50*minute, 25*hour+10*minute, 7*minute, weekday(6, 0)), elapsed: true},
		{form: `{"type":"daily_time_interval","every":1000,"unit":"second"`, parts: window(0, day-1, 1000, everyDate), elapsed: true, around: 60 * time.Hour},
		{form: `{"type":"daily_time_interval","every":5,"unit":"hour","from":"02:30","to":"02:29:59"`, parts: window(2*hour+30*minute, day+2*hour+30*minute-1, 5*hour, everyDate), elapsed: true},
		{form: `{"type":"daily_time_interval","every":45,"unit":"minute","from":"00:30","to":"02:45","days_of_week":["sun"]`, parts: window(30*minute, 2*hour+45*minute, 45*minute, weekday(0)), elapsed: true},
		// Distances in the calendar.
		{form: `{"type":"calendar_interval","days":1,"hour":2,"minute":30,"start_date":"1960-01-01"`, parts: on(everyDate, "02:30")},
		{form: `{"type":"calendar_interval","days":3,"hour":0,"minute":0,"second":30,"start_date":"1960-01-02"`, parts: on(counted("1960-01-02", 0, 0, 3, false), "00:00:30")},
		{form: `{"type":"calendar_interval","weeks":1,"hour":1,"minute":59,"start_date":"1960-01-03"`, parts: on(counted("1960-01-03", 0, 0, 7, false), "01:59")},
		{form: `{"type":"calendar_interval","months":1,"hour":0,"start_date":"1960-01-31","on_short_month":"last"`, parts: on(counted("1960-01-31", 0, 1, 0, true), "00:00")},
		{form: `{"type":"calendar_interval","months":2,"hour":2,"start_date":"1960-01-31"`, parts: on(counted("1960-01-31", 0, 2, 0, false), "02:00")},
		{form: `{"type":"calendar_interval","years":1,"months":1,"weeks":1,"days":1,"hour":2,"start_date":"1961-02-28"`, parts: on(counted("1961-02-28", 1, 1, 8, false), "02:00")},
		{form: `{"type":"calendar_interval","months":1,"days":1,"hour":3,"start_date":"1960-05-31"`, parts: on(counted("1960-05-31", 0, 1, 1, false), "03:00")},
	}
}

// bruteZones are zones with an instant in each stretch of time to look at;
// "2026" stands for all changes of that year.
func bruteZones() map[string][]string {
	return map[string][]string{
		"Europe/Berlin":        {"2026"},
		"Europe/Dublin":        {"2026"},
		"America/New_York":     {"2026"},
		"Australia/Lord_Howe":  {"2026", "2017"},         // by half an hour
		"Africa/Casablanca":    {"2026", "2018"},         // Ramadan
		"America/St_Johns":     {"2026", "2010"},         // a minute past midnight
		"Antarctica/Troll":     {"2026"},                 // by two hours
		"Africa/Cairo":         {"2026", "2010"},         // midnight; Ramadan in summer
		"Asia/Beirut":          {"2026"},                 // midnight
		"Asia/Gaza":            {"2026", "2011"},         // several a year
		"America/Santiago":     {"2026"},                 // at 24:00
		"America/Havana":       {"2026"},                 // midnight, to and fro
		"Pacific/Chatham":      {"2026"},                 // a quarter past
		"Asia/Tehran":          {"2022"},                 // until then
		"America/Sao_Paulo":    {"2018"},                 // no midnight
		"America/Asuncion":     {"2024"},                 // the last one
		"Atlantic/Azores":      {"2026"},                 // over midnight and back
		"America/Nuuk":         {"2026"},                 // on a Saturday evening
		"Pacific/Apia":         {"2011", "2012"},         // a day that does not exist
		"Pacific/Fakaofo":      {"2011"},                 // the same
		"Pacific/Kwajalein":    {"1993"},                 // the same
		"Pacific/Kiritimati":   {"1995", "1979"},         // the same, over a new year
		"America/Caracas":      {"2007", "2016"},         // half an hour for good
		"Asia/Pyongyang":       {"2015", "2018"},         // to and fro
		"Asia/Kathmandu":       {"1986"},                 // a quarter of an hour
		"Asia/Dhaka":           {"2009"},                 // 24:00
		"Europe/Moscow":        {"2010", "2011", "2014"}, // no summer time, for ever, and never
		"Europe/Istanbul":      {"2016"},                 // stays
		"Africa/Monrovia":      {"1972"},                 // by 44 minutes and 30 seconds
		"Antarctica/Casey":     {"2010", "2018", "2020"}, // by three hours
		"Asia/Manila":          {"1990"},                 //
		"America/Juneau":       {"1980", "1983"},         // two hours
		"Europe/Lisbon":        {"1992", "1996"},         // zone and summer time change at once
		"America/Indiana/Knox": {"2006"},                 //
		"Pacific/Norfolk":      {"2015", "2019"},         //
		"Asia/Colombo":         {"1996", "2006"},         //
		"Africa/Juba":          {"2021"},                 //
		"Asia/Amman":           {"2022"},                 // stays
		"UTC":                  {"2026"},                 // none
	}
}

// bruteClock is what a zone's clocks show at each second of some time.
type bruteClock struct {
	zone        *time.Location
	begin       int64   // the first instant
	wallBegin   int64   // the first wall-clock second
	first, last []int32 // by wall-clock second: the first and last instant that shows it; -1 for none
	gapEnd      []int32 // for those that none shows: the first instant after the gap
}

func newBruteClock(t *testing.T, zone *time.Location, begin, end int64) *bruteClock {
	t.Helper()
	offsets := make([]int32, end-begin)
	for i := 0; i < len(offsets); {
		at := time.Unix(begin+int64(i), 0).In(zone)
		_, offset := at.Zone()
		until := len(offsets)
		if _, change := at.ZoneBounds(); !change.IsZero() {
			until = min(until, int(change.Unix()-begin))
		}
		for ; i < until; i++ {
			offsets[i] = int32(offset)
		}
	}
	for range 2000 { // bounds of package time are one thing, its clock another
		i := rand.IntN(len(offsets))
		at := time.Unix(begin+int64(i), 0)
		wall := time.Unix(at.Unix()+int64(offsets[i]), 0).UTC().Format(time.DateTime)
		if got := at.In(zone).Format(time.DateTime); got != wall {
			t.Fatalf("%v at %v: clock %s, table %s", zone, at, got, wall)
		}
	}
	low, high := begin+int64(slices.Min(offsets)), end+int64(slices.Max(offsets))
	c := &bruteClock{zone: zone, begin: begin, wallBegin: low}
	c.first, c.last = make([]int32, high-low), make([]int32, high-low)
	c.gapEnd = make([]int32, high-low)
	for i := range c.first {
		c.first[i], c.last[i], c.gapEnd[i] = -1, -1, -1
	}
	for i, offset := range offsets {
		wall := begin + int64(i) + int64(offset) - low
		if c.first[wall] < 0 {
			c.first[wall] = int32(i)
		} else if c.last[wall] != c.first[wall] {
			t.Fatalf("%v shows a time three times", zone) // the tables have no room for it
		}
		c.last[wall] = int32(i)
	}
	for i := 1; i < len(offsets); i++ {
		for wall := int64(i) + begin + int64(offsets[i-1]) - low; wall < int64(i)+begin+int64(offsets[i])-low; wall++ {
			if c.first[wall] < 0 {
				c.gapEnd[wall] = int32(i)
			}
		}
	}
	return c
}

// matches gives the wall-clock seconds that may have to do with the instants
// from begin up to end and that a plan matches.
func (c *bruteClock) matches(p *brutePlan, begin, end int64) (walls []int32) {
	const day = 86400
	low := max((begin-2*day)/day*day, c.wallBegin/day*day)
	for wall := low; wall < end+2*day; wall += day {
		date := time.Unix(wall, 0).UTC()
		for _, part := range p.parts {
			if !part.on(date) {
				continue
			}
			for _, second := range part.seconds {
				if i := wall + int64(second) - c.wallBegin; i >= 0 && i < int64(len(c.first)) {
					walls = append(walls, int32(i))
				}
			}
		}
	}
	return walls
}

// fires gives the instants from begin up to end at which a plan that matches
// some wall-clock seconds fires, in order, by the policies' definitions.
func (c *bruteClock) fires(p *brutePlan, walls []int32, gap trigger.OnGap, fold trigger.OnFold, begin, end int64) (fires []int64) {
	if gap == "" {
		gap = trigger.GapAfter
		if p.elapsed {
			gap = trigger.GapSkip
		}
	}
	if fold == "" {
		fold = trigger.FoldFirst
		if p.elapsed {
			fold = trigger.FoldBoth
		}
	}
	add := func(i int32) {
		if at := c.begin + int64(i); i >= 0 && at >= begin && at < end {
			fires = append(fires, at)
		}
	}
	for _, i := range walls {
		switch {
		case c.first[i] < 0:
			if gap == trigger.GapAfter {
				add(c.gapEnd[i])
			}
		case fold == trigger.FoldFirst:
			add(c.first[i])
		case fold == trigger.FoldSecond:
			add(c.last[i])
		default:
			add(c.first[i])
			add(c.last[i])
		}
	}
	slices.Sort(fires)
	return slices.Compact(fires)
}

// zoneChanges gives the instants of a year at which the zone's offset changes.
func zoneChanges(zone *time.Location, year int) (changes []int64) {
	end := time.Date(year+1, 1, 1, 0, 0, 0, 0, time.UTC)
	for at := time.Date(year-1, 12, 30, 23, 0, 0, 0, time.UTC).In(zone); ; {
		_, change := at.ZoneBounds()
		if change.IsZero() || change.After(end) {
			return changes
		}
		changes = append(changes, change.Unix())
		at = change
	}
}

// underRace tells whether the race detector is on: it makes the tests take ten
// times as long, and there is nothing in these for it to find.
func underRace() bool {
	info, _ := debug.ReadBuildInfo()
	return info != nil && slices.Contains(info.Settings, debug.BuildSetting{Key: "-race", Value: "true"})
}

func TestBruteForce(t *testing.T) {
	t.Parallel()
	plans := brutePlans()
	quick := testing.Short() || underRace()
	if quick {
		var some []brutePlan
		for i := 0; i < len(plans); i += 6 {
			some = append(some, plans[i])
		}
		plans = some
	}
	gaps := []trigger.OnGap{"", trigger.GapAfter, trigger.GapSkip}
	folds := []trigger.OnFold{"", trigger.FoldFirst, trigger.FoldSecond, trigger.FoldBoth}
	var windows, compared, asked atomic.Int64
	t.Cleanup(func() {
		t.Logf("%d zones, %d windows of four weeks, %d plans, %d policies: %d fires compared, asked %d times",
			len(bruteZones()), windows.Load(), len(plans), len(gaps)*len(folds), compared.Load(), asked.Load())
	})
	for _, name := range slices.Sorted(maps.Keys(bruteZones())) {
		zone := loadZone(t, name)
		for i, year := range bruteZones()[name] {
			if quick && (i > 0 || len(name)%3 > 0) {
				continue // the tables are what takes time then
			}
			t.Run(strings.ReplaceAll(name, "/", "_")+"/"+year, func(t *testing.T) {
				t.Parallel()
				var y int
				if _, err := fmt.Sscan(year, &y); err != nil {
					t.Fatal(err)
				}
				changes := zoneChanges(zone, y)
				if len(changes) == 0 {
					if name != "UTC" {
						t.Fatalf("no change in %s", year)
					}
					changes = []int64{time.Date(2026, 7, 1, 0, 0, 0, 0, time.UTC).Unix()}
				}
				if quick {
					changes = changes[:1]
				}
				for _, change := range changes {
					windows.Add(1)
					const week, margin = 7 * 86400, 4 * 86400
					clock := newBruteClock(t, zone, change-2*week-margin, change+2*week+margin)
					for i := range plans {
						around := int64(2 * week)
						if plans[i].around != 0 && !*bruteFull {
							around = int64(plans[i].around / time.Second)
						}
						walls := clock.matches(&plans[i], change-around, change+around)
						for _, gap := range gaps {
							for _, fold := range folds {
								n, m := compareBrute(t, clock, &plans[i], walls, gap, fold, change-around, change+around)
								compared.Add(n)
								asked.Add(m)
								if t.Failed() {
									return // one is enough to see
								}
							}
						}
					}
				}
			})
		}
	}
}

// TestBruteForceEverywhere looks at all changes of all zones since 1970, for
// three days on either side.
func TestBruteForceEverywhere(t *testing.T) {
	t.Parallel()
	// Without the flag, one change of so many is looked at.
	one := int64(100)
	if *bruteFull {
		one = 1
	}
	archive, err := zip.OpenReader(filepath.Join(runtime.GOROOT(), "lib", "time", "zoneinfo.zip")) //nolint:staticcheck // the tests run where Go is
	if err != nil {
		t.Skip(err)
	}
	plans := brutePlans()
	gaps := []trigger.OnGap{"", trigger.GapAfter, trigger.GapSkip}
	folds := []trigger.OnFold{"", trigger.FoldFirst, trigger.FoldSecond, trigger.FoldBoth}
	var zones, changes, windows, compared, asked atomic.Int64
	seen := map[uint32]bool{}
	t.Cleanup(func() {
		t.Logf("%d zones, %d windows of six days, %d plans, policies in turn: %d fires compared, asked %d times",
			zones.Load(), windows.Load(), len(plans), compared.Load(), asked.Load())
	})
	for _, file := range archive.File {
		if strings.HasSuffix(file.Name, "/") || seen[file.CRC32] {
			continue // a folder, or another name of a zone
		}
		seen[file.CRC32] = true
		t.Run(strings.ReplaceAll(file.Name, "/", "_"), func(t *testing.T) {
			t.Parallel()
			zone := loadZone(t, file.Name)
			zones.Add(1)
			for year := 1971; year < 2039; year++ {
				for n, change := range zoneChanges(zone, year) {
					if changes.Add(1)%one != 0 {
						continue
					}
					windows.Add(1)
					const day = 86400
					clock := newBruteClock(t, zone, change-8*day, change+8*day)
					for i := range plans {
						gap, fold := gaps[(i+n+year)%3], folds[(i+n+year/3)%4]
						around := int64(3 * day)
						if plans[i].around != 0 {
							around = min(around, int64(plans[i].around/time.Second))
						}
						walls := clock.matches(&plans[i], change-around, change+around)
						c, a := compareBrute(t, clock, &plans[i], walls, gap, fold, change-around, change+around)
						compared.Add(c)
						asked.Add(a)
					}
					if t.Failed() {
						return
					}
				}
			}
		})
	}
}

// compareBrute compares the fires of one plan from begin up to end.
func compareBrute(t *testing.T, clock *bruteClock, p *brutePlan, walls []int32, gap trigger.OnGap, fold trigger.OnFold, begin, end int64) (compared, asked int64) {
	t.Helper()
	form := fmt.Sprintf(`%s,"timezone":%q`, p.form, clock.zone)
	if gap != "" {
		form += fmt.Sprintf(`,"on_gap":%q`, gap)
	}
	if fold != "" {
		form += fmt.Sprintf(`,"on_fold":%q`, fold)
	}
	trig, err := trigger.Parse([]byte(form+"}"), nil)
	if err != nil {
		t.Fatalf("%s}: %v", form, err)
	}
	want := clock.fires(p, walls, gap, fold, begin, end)
	fail := func(at time.Time, got time.Time, ok bool, want int64) {
		t.Helper()
		t.Errorf("%s}: Next(%v) = %v, %v, want %v", form, at.In(clock.zone), got, ok, time.Unix(want, 0).In(clock.zone))
	}
	random := rand.New(rand.NewPCG(uint64(begin), uint64(len(want))))
	at := time.Unix(begin-1, 999_999_999)
	for i, unix := range want {
		got, ok := trig.Next(at)
		if !ok || got.Unix() != unix || got.Nanosecond() != 0 {
			fail(at, got, ok, unix)
			return compared, asked
		}
		compared++
		asked++
		if len(want) > 200 && i%8 != 0 && !*bruteFull {
			at = got
			continue
		}
		asks := []time.Time{got.Add(-time.Nanosecond)}
		if room := got.Sub(at); room > 1 {
			asks = append(asks, at.Add(time.Duration(random.Int64N(int64(room)))))
		}
		for _, ask := range asks {
			asked++
			if again, ok := trig.Next(ask); !ok || !again.Equal(got) {
				fail(ask, again, ok, unix)
				return compared, asked
			}
		}
		at = got
	}
	if got, ok := trig.Next(at); ok && got.Unix() < end {
		t.Errorf("%s}: Next(%v) = %v, want none until %v", form, at.In(clock.zone), got, time.Unix(end, 0).In(clock.zone))
	}
	return compared, asked + 1
}
