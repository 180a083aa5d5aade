package bench

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/jobcenter-go/jobcenter/trigger"
)

// eachSchedule runs a benchmark for every plan, zone and contestant that can
// say the plan.
func eachSchedule(b *testing.B, bench func(b *testing.B, p plan, zone *time.Location, s schedule)) {
	b.Helper()
	for _, p := range plans() {
		for _, zone := range zones(b) {
			for _, c := range contestants() {
				s, err := c.parse(p, zone)
				if err != nil {
					continue // TestAnswers tells why
				}
				b.Run(p.name+"/"+zone.String()+"/"+c.name, func(b *testing.B) {
					b.ReportAllocs()
					bench(b, p, zone, s)
				})
			}
		}
	}
}

// BenchmarkNext walks from fire to fire, as a scheduler does, over a change of
// the clocks.
func BenchmarkNext(b *testing.B) {
	eachSchedule(b, func(b *testing.B, p plan, zone *time.Location, s schedule) {
		b.Helper()
		begins := p.begins(zone)
		chain, left := 0, p.fires
		at := begins[chain]
		for b.Loop() {
			at = s.Next(at)
			// One that finds no more begins anew like one that is through.
			if left--; left == 0 || at.IsZero() {
				chain, left = 1-chain, p.fires
				at = begins[chain]
			}
		}
	})
}

// BenchmarkNextAnywhere asks at instants that have nothing to do with each
// other, so that nothing remembered helps.
func BenchmarkNextAnywhere(b *testing.B) {
	eachSchedule(b, func(b *testing.B, _ plan, zone *time.Location, s schedule) {
		b.Helper()
		var at [1024]time.Time
		random := rand.New(rand.NewPCG(2026, 0))
		begin := time.Date(2026, 1, 1, 0, 0, 0, 0, zone)
		for i := range at {
			at[i] = begin.Add(time.Duration(random.Int64N(int64(365 * day))))
		}
		i := 0
		for b.Loop() {
			s.Next(at[i%len(at)])
			i++
		}
	})
}

func BenchmarkParse(b *testing.B) {
	for _, p := range plans() {
		for _, c := range contestants() {
			s, err := c.parse(p, time.UTC)
			if err != nil {
				continue // TestAnswers tells why
			}
			b.Run(p.name+"/"+c.name, func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					s, err = c.parse(p, time.UTC)
				}
				if s == nil || err != nil {
					b.Fatal(s, err)
				}
			})
		}
		b.Run(p.name+"/jobcenter-json", func(b *testing.B) {
			form := jsonForm(b, p)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := trigger.Parse(form, nil); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// jsonForm gives the JSON of a plan as the API and the store have it.
func jsonForm(b *testing.B, p plan) []byte {
	b.Helper()
	var t trigger.Trigger
	var err error
	if p.crontab == "" {
		t, err = trigger.NewCron(p.cron, trigger.Options{})
	} else {
		t, err = trigger.NewCrontab(p.crontab, trigger.Options{})
	}
	if err != nil {
		b.Fatal(err)
	}
	form, err := trigger.Marshal(t)
	if err != nil {
		b.Fatal(err)
	}
	return form
}
