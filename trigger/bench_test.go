package trigger_test

import (
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
	for name, form := range plans() {
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

// TestNextDoesNotAllocate covers each kind, near a change of the offset and
// far from one. It must not run in parallel with others.
func TestNextDoesNotAllocate(t *testing.T) { //nolint:paralleltest // see above
	zone := loadZone(t, "America/New_York")
	for name, form := range plans() {
		trig, err := trigger.Parse([]byte(form), zone)
		if err != nil {
			t.Fatal(err)
		}
		for _, at := range []time.Time{benchInstant(), time.Date(2026, 11, 1, 1, 30, 0, 0, zone), time.Date(2060, 3, 14, 1, 59, 0, 0, zone)} {
			if n := testing.AllocsPerRun(100, func() { trig.Next(at) }); n != 0 {
				t.Errorf("%s: Next(%v) allocates %v times, want 0", name, at, n)
			}
		}
	}
}
