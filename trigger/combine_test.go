package trigger_test

import (
	"fmt"
	"math/big"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/jobcenter-go/jobcenter/trigger"
)

// drawPart draws a plan that others are likely to meet, and which is not so
// dense that its fires could not be counted.
func drawPart(t *rapid.T, zone string) string {
	form := rapid.SampledFrom([]string{
		`{"type":"crontab","expression":"0 * * * *"`,
		`{"type":"crontab","expression":"*/20 * * * *"`,
		`{"type":"crontab","expression":"*/15 0-4,22-23 * * *"`,
		`{"type":"crontab","expression":"30 2 * * *"`,
		`{"type":"crontab","expression":"45 2 * * *"`,
		`{"type":"crontab","expression":"0,30 0-3 * * *"`,
		`{"type":"crontab","expression":"0 3 * * *"`,
		`{"type":"crontab","expression":"0 0-4 1,15 * sun"`,
		`{"type":"crontab","expression":"0 0 0 * * * 2020-2030/2"`,
		`{"type":"crontab","expression":"0 0 0-23 * * * 2025-2040"`,
		`{"type":"crontab","extensions":true,"expression":"0 */3 L,1 * ?"`,
		`{"type":"cron","hour":"*/2","minute":0`,
		`{"type":"cron","hour":"0-6"`,
		`{"type":"cron","day_of_week":"mon-fri","hour":"2,3","minute":"*/30"`,
		`{"type":"cron","week":"*/2","hour":"*"`,
		`{"type":"quartz","expression":"0 0/30 22-3 ? * SAT,SUN"`,
		`{"type":"quartz","expression":"0 0 2,3 * * ?"`,
		`{"type":"interval","hours":1,"start_date":"2020-01-01T00:00:00Z"`,
		`{"type":"interval","minutes":90,"start_date":"2020-01-01T00:30:00Z"`,
		`{"type":"interval","minutes":25,"start_date":"2020-01-01T00:05:00Z"`,
		`{"type":"calendar_interval","days":1,"hour":2,"minute":30,"start_date":"2019-12-31"`,
		`{"type":"calendar_interval","days":2,"hour":3,"start_date":"2020-01-01"`,
		`{"type":"daily_time_interval","every":30,"unit":"minute","from":"22:00","to":"04:00"`,
	}).Draw(t, "part")
	if !strings.Contains(form, `"interval"`) && rapid.IntRange(0, 2).Draw(t, "policies") == 0 {
		form = member(form, "on_gap", rapid.SampledFrom([]string{"after", "skip"}).Draw(t, "on_gap"))
		form = member(form, "on_fold", rapid.SampledFrom([]string{"first", "second", "both"}).Draw(t, "on_fold"))
	}
	return member(form, "timezone", zone) + "}"
}

// firesUntil gives the fires after from and not after until.
func firesUntil(trig trigger.Trigger, from, until time.Time) (fires []time.Time) {
	for at := from; ; {
		fire, ok := trig.Next(at)
		if !ok || fire.After(until) {
			return fires
		}
		fires, at = append(fires, fire), fire
	}
}

// TestCombinations compares "and" and "or" with the intersection and the union
// of the fires of their parts, near changes of the offset and elsewhere.
func TestCombinations(t *testing.T) {
	t.Parallel()
	met := 0
	rapid.Check(t, func(t *rapid.T) {
		zones := []string{rapid.SampledFrom(zoneNames()).Draw(t, "zone")}
		if rapid.IntRange(0, 3).Draw(t, "zones") == 0 {
			zones = append(zones, rapid.SampledFrom(zoneNames()).Draw(t, "other zone"))
		}
		from := drawInstant(t, loadZone(t, zones[0]))
		if from = from.AddDate(0, 0, -1); from.Year() < 2020 && rapid.Bool().Draw(t, "since the intervals began") {
			from = from.AddDate(30, 0, 0)
		}
		until := from.AddDate(0, 0, 40)
		var parts []trigger.Trigger
		var forms []string
		fired := map[time.Time]int{}
		for i := range rapid.IntRange(1, 4).Draw(t, "parts") {
			forms = append(forms, drawPart(t, zones[i%len(zones)]))
			parts = append(parts, parsed(t, forms[i]))
			for _, fire := range firesUntil(parts[i], from, until) {
				fired[fire.UTC()]++
			}
		}
		var union, intersection []time.Time
		for fire, n := range fired {
			union = append(union, fire)
			if n == len(parts) {
				intersection = append(intersection, fire)
			}
		}
		for kind, want := range map[string][]time.Time{"or": union, "and": intersection} {
			slices.SortFunc(want, time.Time.Compare)
			form := fmt.Sprintf(`{"type":%q,"triggers":[%s]}`, kind, strings.Join(forms, ","))
			trig := parsed(t, form)
			got := firesUntil(trig, from, until)
			if !slices.EqualFunc(got, want, time.Time.Equal) {
				i := 0
				for i < min(len(got), len(want)) && got[i].Equal(want[i]) {
					i++
				}
				t.Fatalf("%s from %v: %d fires, want %d; from number %d on %v, want %v", form, from, len(got), len(want), i, got[i:min(i+3, len(got))], want[i:min(i+3, len(want))])
			}
			if kind == "and" && len(parts) > 1 {
				met += len(want)
			}
		}
	})
	if met < 100 {
		t.Errorf("parts of an And met %d times in all: this has shown little", met)
	}
}

// meeting is the Chinese remainder theorem in numbers without bounds: the first
// instant after one, in microseconds, that is start + n*every of all intervals.
func meeting(starts, everies []int64, after int64) (at *big.Int, ok bool) {
	x, period := big.NewInt(starts[0]), big.NewInt(everies[0])
	for i := 1; i < len(starts); i++ {
		// x + k*period = start (mod every)
		every := big.NewInt(everies[i])
		divisor := new(big.Int).GCD(nil, nil, period, every)
		apart := new(big.Int).Sub(big.NewInt(starts[i]), x)
		quotient, rest := new(big.Int).QuoRem(apart, divisor, new(big.Int))
		if rest.Sign() != 0 {
			return nil, false
		}
		size := new(big.Int).Quo(every, divisor)
		k := new(big.Int)
		if size.Cmp(big.NewInt(1)) > 0 {
			k.ModInverse(new(big.Int).Quo(period, divisor), size)
			k.Mul(k, quotient).Mod(k, size)
		}
		x.Add(x, k.Mul(k, period))
		period.Mul(period, size)
	}
	first := big.NewInt(max(after+1, slices.Max(starts)))
	// The first at or after first that is x modulo period.
	at = first.Add(first, new(big.Int).Mod(new(big.Int).Sub(x, first), period))
	return at, true
}

// TestIntervalsMeet checks intervals of an And, of all lengths, against the
// theorem in big numbers.
func TestIntervalsMeet(t *testing.T) {
	t.Parallel()
	last := time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC).UnixMicro()
	never, found := 0, 0
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(2, 5).Draw(t, "intervals")
		starts, everies := make([]int64, n), make([]int64, n)
		parts := make([]trigger.Trigger, n)
		common := rapid.SampledFrom([]int64{1, 1000, 1e6, 60e6, 3600e6}).Draw(t, "common")
		for i := range n {
			everies[i] = rapid.OneOf(
				rapid.Int64Range(1000, 20_000),
				rapid.Int64Range(1e6, 100e6),
				rapid.Int64Range(1000, 9_223_372_036_854_775), // 292 years
			).Draw(t, "every")
			everies[i] = max(1000, everies[i]/common*common)
			starts[i] = rapid.Int64Range(-62135596799, 253402214400).Draw(t, "start") * 1e6
			if rapid.Bool().Draw(t, "now") {
				starts[i] = 1767225600e6 + rapid.Int64Range(0, 1e12).Draw(t, "start since 2026")/common*common
			}
			opts := trigger.Options{Start: time.UnixMicro(starts[i])}
			if rapid.IntRange(0, 4).Draw(t, "without a start") == 0 {
				opts.Start, starts[i] = time.Time{}, 0 // that is, counted from 1970
			}
			trig, err := trigger.NewInterval(time.Duration(everies[i])*time.Microsecond, opts)
			if err != nil {
				t.Fatal(err)
			}
			parts[i] = trig
		}
		after := rapid.SampledFrom([]int64{0, 1767225600e6, slices.Max(starts), slices.Max(starts) - 1}).Draw(t, "after")
		want, ok := meeting(starts, everies, after)
		and, err := trigger.NewAnd(parts, trigger.Options{})
		if (err == nil) != ok {
			t.Fatalf("starts %v, every %v: error %v, but they meet: %v", starts, everies, err, ok)
		}
		if err != nil {
			never++
			return
		}
		got, fires := and.Next(time.UnixMicro(after))
		if !want.IsInt64() || want.Int64() > last+86399e6 {
			if fires && got.UnixMicro() <= last+86399e6 {
				t.Fatalf("starts %v, every %v: Next(%d) = %v, want none before the year 10000", starts, everies, after, got)
			}
			return
		}
		found++
		if !fires || got.UnixMicro() != want.Int64() {
			t.Fatalf("starts %v, every %v: Next(%d) = %d, %v, want %v", starts, everies, after, got.UnixMicro(), fires, want)
		}
	})
	if !testing.Short() && (found < 10 || never < 10) { // rapid draws few then
		t.Errorf("%d found, %d never: this has shown little", found, never)
	}
}

// TestCombinationsAreBounded asks combinations that pass each other by again
// and again, on several levels.
func TestCombinationsAreBounded(t *testing.T) {
	t.Parallel()
	// Two plans that meet after thousands of tries.
	rare := func(n int) string {
		return fmt.Sprintf(`{"type":"or","triggers":[{"type":"and","triggers":[{"type":"interval","seconds":%d},{"type":"daily_time_interval","every":1,"unit":"second","from":"00:00:%02d","to":"00:00:%02d"}]}]}`, 86399-2*n, n, n)
	}
	level := rare(1)
	for n := 2; n <= 3; n++ {
		level = fmt.Sprintf(`{"type":"or","triggers":[{"type":"and","triggers":[%s,%s]}]}`, level, rare(n))
	}
	for _, form := range []string{
		level,
		`{"type":"and","triggers":[` + rare(1) + `,{"type":"interval","seconds":86399}]}`,
		`{"type":"and","triggers":[` + rare(1) + `,{"type":"cron","second":"*"}],"jitter":"24h"}`,
		`{"type":"and","triggers":[` + rare(1) + `,{"type":"cron","second":"*","jitter":"24h"}],"jitter":"24h"}`,
		`{"type":"and","triggers":[` + rare(1) + `,` + rare(2) + `],"limit":10000,"start_date":"2026-01-01"}`,
		rare(1)[:len(rare(1))-1] + `,"limit":10000,"start_date":"1970-01-01","jitter":"24h"}`,
	} {
		begin := time.Now()
		trig, err := trigger.Parse([]byte(form), nil)
		if err != nil {
			t.Fatalf("%s: %v", form, err)
		}
		if took := time.Since(begin); took > hang {
			t.Errorf("%s: takes %v to make", form, took)
		}
		begin = time.Now()
		trig.Next(benchInstant())
		if took := time.Since(begin); took > hang {
			t.Errorf("%s: Next takes %v", form, took)
		}
	}
}

func TestOrIsSorted(t *testing.T) {
	t.Parallel()
	trig, err := trigger.ParseText(`or (crontab "0 9 * * *") (crontab "30 8 * * *") (crontab "0 9 * * *")`, nil)
	if err != nil {
		t.Fatal(err)
	}
	from := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	got := texts(collect(trig, from, from.AddDate(0, 0, 2)), "02T15:04")
	if want := []string{"01T08:30", "01T09:00", "02T08:30", "02T09:00"}; !slices.Equal(got, want) {
		t.Errorf("fires at %v, want %v", got, want)
	}
}
