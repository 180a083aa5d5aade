package trigger_test

import (
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/jobcenter-go/jobcenter/trigger"
)

// plans are those of the project's time budget for Next.
func plans() map[string]string {
	return map[string]string{
		"every 10 s":       `{"type":"crontab","expression":"*/10 * * * * *"}`,
		"every 5 min":      `{"type":"crontab","expression":"*/5 * * * *"}`,
		"weekdays":         `{"type":"crontab","expression":"0 9 * * 1-5"}`,
		"either day":       `{"type":"crontab","expression":"30 4 1,15 * 5"}`,
		"29 February":      `{"type":"crontab","expression":"0 0 29 2 *"}`,
		"29 Feb on Monday": `{"type":"cron","month":2,"day":29,"day_of_week":"mon"}`,
		"30 February":      `{"type":"cron","month":2,"day":30}`,
		"last Friday":      `{"type":"cron","day":"last fri","hour":9}`,
		"ISO week":         `{"type":"cron","week":"1-10/3","day_of_week":"mon"}`,
		"interval":         `{"type":"interval","seconds":10,"start_date":"2026-01-01T00:00:00Z"}`,
	}
}

func benchInstant() time.Time { return time.Date(2026, 11, 22, 12, 34, 56, 789, time.UTC) }

func BenchmarkNext(b *testing.B) {
	for name, form := range allKinds() {
		for _, zone := range []string{"UTC", "America/New_York"} {
			b.Run(name+"/"+zone, func(b *testing.B) {
				trig, err := trigger.Parse([]byte(form), loadZone(b, zone))
				if err != nil {
					b.Fatal(err)
				}
				begin := benchInstant()
				at, n := begin, 0
				b.ReportAllocs()
				for b.Loop() {
					// A year of fires at most, then once more: nobody asks
					// about other centuries.
					var ok bool
					if at, ok = trig.Next(at); !ok || n == 100_000 || at.Year() > 2036 {
						at, n = begin, 0
					}
					n++
				}
			})
		}
	}
}

func BenchmarkParse(b *testing.B) {
	for _, expr := range []string{"*/10 * * * * *", "*/5 * * * *", "0 9 * * 1-5", "30 4 1,15 * 5", "0 0 29 2 *"} {
		b.Run(expr, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := trigger.NewCrontab(expr, trigger.Options{}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	b.Run("JSON", func(b *testing.B) {
		b.ReportAllocs()
		data := []byte(`{"type":"crontab","expression":"0 9 * * 1-5","timezone":"America/New_York"}`)
		for b.Loop() {
			if _, err := trigger.Parse(data, nil); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// neverForms never fire after benchInstant.
func neverForms() map[string]string {
	const bounds = `,"start_date":"2026-01-01"`
	disjoint := func(zone, more string) string {
		return `{"type":"and","triggers":[{"type":"crontab","expression":"30 2 * * *"` + more + `},{"type":"crontab","expression":"45 12 * * *"` + more + `}],"timezone":"` + zone + `"}`
	}
	return map[string]string{
		"30 February, crontab":     `{"type":"crontab","expression":"0 0 30 2 *"}`,
		"30 February, cron":        `{"type":"cron","month":2,"day":30}`,
		"30 February, quartz":      `{"type":"quartz","expression":"0 0 0 30 2 ?"}`,
		"30 February, extended":    `{"type":"crontab","extensions":true,"expression":"0 0 30 2 ?"}`,
		"30 February, New York":    `{"type":"crontab","expression":"0 0 30 2 *","timezone":"America/New_York"}`,
		"31 February, W":           `{"type":"crontab","extensions":true,"expression":"0 0 31W 2 *"}`,
		"L-30 of February":         `{"type":"quartz","expression":"0 0 0 L-30 2 ?"}`,
		"29 February, odd years":   `{"type":"crontab","expression":"0 0 0 29 2 * 2027-9999/2"}`,
		"week 53 in March":         `{"type":"cron","month":3,"week":53}`,
		"years past":               `{"type":"crontab","expression":"0 0 0 * * * 2020-2025"}`,
		"end past":                 `{"type":"crontab","expression":"* * * * *","end_date":"2026-01-01"}`,
		"end past, New York":       `{"type":"crontab","expression":"30 2 * * *","end_date":"2026-01-01","timezone":"America/New_York"}`,
		"end before start":         `{"type":"interval","seconds":1,"start_date":"2028-01-01","end_date":"2027-01-01"}`,
		"interval past its end":    `{"type":"interval","seconds":1,"start_date":"2025-01-01","end_date":"2026-01-01"}`,
		"date past":                `{"type":"date","run_date":"2026-01-01"}`,
		"dates past":               `{"type":"dates","run_dates":["2026-01-01","2026-02-01"]}`,
		"reboot":                   `{"type":"crontab","expression":"@reboot"}`,
		"calendar interval":        `{"type":"calendar_interval","years":9000,"start_date":"2026-01-01"}`,
		"calendar interval, days":  `{"type":"calendar_interval","months":1,"days":1,"start_date":"2026-01-01","end_date":"2026-02-01"}`,
		"daily time past its end":  `{"type":"daily_time_interval","every":1,"unit":"second","end_date":"2026-01-01"}`,
		"limit exhausted":          `{"type":"crontab","expression":"* * * * *","limit":100` + bounds + `}`,
		"limit exhausted, jitter":  `{"type":"crontab","expression":"* * * * *","limit":100,"jitter":"24h"` + bounds + `}`,
		"limit of an interval":     `{"type":"interval","seconds":0.001,"limit":1000,"jitter":"24h"` + bounds + `}`,
		"and, disjoint, UTC":       disjoint("UTC", ""),
		"and, disjoint, New York":  disjoint("America/New_York", ""),
		"and, disjoint, skip":      disjoint("America/New_York", `,"on_gap":"skip"`),
		"and, elapsed, New York":   `{"type":"and","triggers":[{"type":"cron","second":"*/2"},{"type":"cron","second":"1-59/2","minute":"*"}],"timezone":"America/New_York"}`,
		"and, two zones":           `{"type":"and","triggers":[{"type":"crontab","expression":"0 12 * * *","timezone":"Asia/Tokyo"},{"type":"crontab","expression":"0 12 * * *","timezone":"America/New_York"}]}`,
		"and, two zones, dense":    `{"type":"and","triggers":[{"type":"crontab","expression":"*/2 12 * * *","timezone":"Asia/Tokyo"},{"type":"crontab","expression":"* 12 * * *","timezone":"America/New_York"}]}`,
		"and, quarters of an hour": `{"type":"and","triggers":[{"type":"crontab","expression":"0 * * * *","timezone":"Asia/Kathmandu"},{"type":"crontab","expression":"0 * * * *","timezone":"America/New_York"}]}`,
		"and, special days":        `{"type":"and","triggers":[{"type":"cron","day":"1st mon"},{"type":"cron","day":"2nd mon"}]}`,
		"and, either day":          `{"type":"and","triggers":[{"type":"crontab","expression":"0 0 1 * mon"},{"type":"crontab","expression":"0 1 1 * mon"}]}`,
		"and, windows":             `{"type":"and","triggers":[{"type":"daily_time_interval","every":1,"unit":"second","to":"11:00"},{"type":"daily_time_interval","every":1,"unit":"second","from":"12:00"}]}`,
		"and, calendar intervals":  `{"type":"and","triggers":[{"type":"calendar_interval","days":2,"start_date":"2026-01-01"},{"type":"calendar_interval","days":2,"start_date":"2026-01-02"}]}`,
		"and, interval and plan":   `{"type":"and","triggers":[{"type":"interval","minutes":2,"start_date":"2026-01-01T00:00:01Z"},{"type":"cron","minute":"*"}]}`,
		"and, intervals, huge":     `{"type":"and","triggers":[{"type":"interval","seconds":86399.999999,"start_date":"2026-01-01T00:00:01Z"},{"type":"interval","seconds":86399.999993,"start_date":"2026-01-01"},{"type":"interval","seconds":86399.999997,"start_date":"2026-01-01"}]}`,
		"and, date and plan":       `{"type":"and","triggers":[{"type":"date","run_date":"2030-01-01T00:00:01Z"},{"type":"cron","minute":"*"}]}`,
		"and in or in and":         `{"type":"and","triggers":[{"type":"or","triggers":[{"type":"and","triggers":[{"type":"crontab","expression":"30 2 * * *"},{"type":"calendar_interval","days":3,"hour":2,"minute":30,"start_date":"2026-01-01"}]}]},{"type":"crontab","expression":"31 2 * * *"}]}`,
		"calendar closed, day":     `{"type":"crontab","expression":"0 9 * * 6","calendar":{"layers":[{"exclude":"weekly","days":["sat"]}]},"timezone":"America/New_York"}`,
		"calendar closed, always":  `{"type":"crontab","expression":"* * * * * *","calendar":{"layers":[{"exclude":"weekly","days":["mon","tue","wed","thu","fri","sat","sun"]}]},"timezone":"America/New_York"}`,
		"calendar closed, moved":   `{"type":"crontab","expression":"* * * * *","calendar":{"layers":[{"exclude":"weekly","days":["mon","tue","wed","thu","fri","sat","sun"]}],"on_closed":"next"},"timezone":"America/New_York"}`,
		"calendar, other days":     `{"type":"cron","day":"13","day_of_week":"fri","hour":9,"calendar":{"layers":[{"exclude":"weekly","days":["fri"]}]}}`,
		"calendar and jitter":      `{"type":"crontab","expression":"0 9 * * 6","jitter":"24h","calendar":{"layers":[{"exclude":"weekly","days":["sat"]}]}}`,
		"calendar in an and":       `{"type":"and","triggers":[{"type":"crontab","expression":"0 9 * * *","calendar":{"layers":[{"exclude":"weekly","days":["sat","sun"]}]}},{"type":"crontab","expression":"0 9 * * 6"}]}`,
		"or of them":               `{"type":"or","triggers":[{"type":"crontab","expression":"0 0 30 2 *"},{"type":"date","run_date":"2026-01-01"},{"type":"cron","month":3,"week":53}]}`,
	}
}

// BenchmarkNever is about triggers without a further fire: they have a budget
// of a millisecond to say so.
func BenchmarkNever(b *testing.B) {
	forms := neverForms()
	for _, name := range slices.Sorted(maps.Keys(forms)) {
		b.Run(name, func(b *testing.B) {
			trig, err := trigger.Parse([]byte(forms[name]), nil)
			if err != nil {
				b.Fatal(err)
			}
			at := benchInstant()
			for b.Loop() {
				if fire, ok := trig.Next(at); ok {
					b.Fatalf("fires at %v", fire)
				}
			}
		})
	}
}

// TestNever is BenchmarkNever without a clock that could be wrong.
func TestNever(t *testing.T) {
	t.Parallel()
	for name, form := range neverForms() {
		begin := time.Now()
		if fire, ok := parsed(t, form).Next(benchInstant()); ok {
			t.Errorf("%s fires at %v", name, fire)
		}
		if took := time.Since(begin); took > hang {
			t.Errorf("%s takes %v", name, took)
		}
	}
}

// allKinds are triggers of every kind, with modifiers and in combinations.
func allKinds() map[string]string {
	forms := plans()
	maps.Copy(forms, map[string]string{
		"extended":                 `{"type":"crontab","extensions":true,"expression":"30 2 L-3,15W * fri#2,5L"}`,
		"with a year":              `{"type":"crontab","expression":"0 30 2 * * * 2026-2090/2"}`,
		"spread":                   `{"type":"crontab","expression":"H H * * *"}`,
		"@every":                   `{"type":"crontab","expression":"@every 90s"}`,
		"@reboot":                  `{"type":"crontab","expression":"@reboot"}`,
		"quartz":                   `{"type":"quartz","expression":"0 0/30 22-2 ? * SAT-MON"}`,
		"quartz W":                 `{"type":"quartz","expression":"0 0 12 LW * ?"}`,
		"fixed, skip, second":      `{"type":"crontab","expression":"30 1,2 * * *","on_gap":"skip","on_fold":"second"}`,
		"elapsed, after, first":    `{"type":"crontab","expression":"*/30 * * * *","on_gap":"after","on_fold":"first"}`,
		"date":                     `{"type":"date","run_date":"2026-12-01"}`,
		"dates":                    `{"type":"dates","run_dates":["2026-12-01","2026-12-02","2060-03-15"]}`,
		"calendar interval":        `{"type":"calendar_interval","months":1,"hour":2,"minute":30,"start_date":"2026-01-31"}`,
		"calendar interval, all":   `{"type":"calendar_interval","years":1,"months":1,"weeks":1,"days":1,"start_date":"2026-01-31","on_short_month":"last"}`,
		"daily time interval":      `{"type":"daily_time_interval","every":7,"unit":"minute","from":"22:00","to":"03:00","days_of_week":["sun"]}`,
		"rrule":                    `{"type":"rrule","rule":"FREQ=MONTHLY;BYDAY=-1FR","start_date":"2026-01-01T09:00:00"}`,
		"rrule, picked":            `{"type":"rrule","rule":"FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1","start_date":"2026-01-01T02:30:00"}`,
		"rrule, by minutes":        `{"type":"rrule","rule":"FREQ=MINUTELY;INTERVAL=7","start_date":"2026-01-01T02:30:00"}`,
		"or":                       `{"type":"or","triggers":[{"type":"crontab","expression":"30 2 * * *"},{"type":"interval","hours":7},{"type":"quartz","expression":"0 0 12 L * ?"}]}`,
		"and":                      `{"type":"and","triggers":[{"type":"crontab","expression":"0 2 * * *"},{"type":"cron","day":"last fri","hour":"2,3"}]}`,
		"and, merged":              `{"type":"and","triggers":[{"type":"cron","minute":"*/2"},{"type":"cron","minute":"*/3"}]}`,
		"and of intervals":         `{"type":"and","triggers":[{"type":"interval","seconds":7,"start_date":"2026-01-01"},{"type":"interval","seconds":11,"start_date":"2026-01-01"}]}`,
		"and in or in and":         `{"type":"and","triggers":[{"type":"or","triggers":[{"type":"and","triggers":[{"type":"cron","minute":"*"},{"type":"cron","day":"last fri"}]}]},{"type":"cron","hour":"*"}]}`,
		"limit":                    `{"type":"crontab","expression":"30 2 * * *","limit":1000,"start_date":"2026-11-01"}`,
		"limit of an interval":     `{"type":"interval","hours":1,"limit":1000000000,"start_date":"2026-11-01"}`,
		"jitter":                   `{"type":"crontab","expression":"30 2 * * *","jitter":"1h"}`,
		"jitter of seconds":        `{"type":"crontab","expression":"*/10 * * * * *","jitter":"5s"}`,
		"jitter beyond the next":   `{"type":"crontab","expression":"*/10 * * * * *","jitter":"24h"}`,
		"jitter of an interval":    `{"type":"interval","seconds":10,"jitter":"5s"}`,
		"jitter of an and":         `{"type":"and","triggers":[{"type":"cron","minute":"*/2"},{"type":"cron","day":"last fri","minute":"*"}],"jitter":"5s"}`,
		"jitter within an or":      `{"type":"or","triggers":[{"type":"cron","minute":"*/2","jitter":"10s"},{"type":"cron","day":"last fri","jitter":"10s"}]}`,
		"calendar":                 `{"type":"crontab","expression":"30 2 * * *","calendar":{"layers":[{"exclude":"weekly","days":["sat","sun"]}]}}`,
		"calendar, moved":          `{"type":"crontab","expression":"30 2 * * *","calendar":{"layers":[{"exclude":"weekly","days":["sat","sun"]}],"on_closed":"next"},"jitter":"5s"}`,
		"jitter, limit and bounds": `{"type":"or","triggers":[{"type":"cron","minute":"*/2"}],"jitter":"5s","limit":500,"start_date":"2026-11-01","end_date":"2061-01-01"}`,
	})
	return forms
}

// TestNextDoesNotAllocate covers each kind, near a change of the offset and
// far from one. It must not run in parallel with others.
func TestNextDoesNotAllocate(t *testing.T) { //nolint:paralleltest // see above
	zone := loadZone(t, "America/New_York")
	for name, form := range allKinds() {
		trig, err := trigger.Parse([]byte(form), zone)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		trig = trigger.ForJob(trig, "a job")
		for _, at := range []time.Time{benchInstant(), time.Date(2026, 11, 1, 1, 30, 0, 0, zone), time.Date(2060, 3, 14, 1, 59, 0, 0, zone)} {
			if n := testing.AllocsPerRun(100, func() { trig.Next(at) }); n != 0 {
				t.Errorf("%s: Next(%v) allocates %v times, want 0", name, at, n)
			}
		}
	}
}
