package trigger_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/jobcenter-go/jobcenter/trigger"
)

// TestLimit wants the first n fires of the trigger without the limit, and no
// more, whoever asks from where.
func TestLimit(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		form, _ := drawTrigger(t, 1)
		for _, key := range []string{`,"limit":`, `,"jitter":`, `"and"`} {
			if strings.Contains(form, key) {
				form = `{"type":"crontab","expression":"30 */2 * * *","timezone":"Europe/Berlin","start_date":"2026-03-20"}`
			}
		}
		if !strings.Contains(form, `"start_date"`) && !strings.Contains(form, `"run_date`) || strings.Contains(form, `"or"`) {
			form = member(strings.TrimSuffix(form, "}"), "start_date", drawMoment(t).Format(time.RFC3339Nano)) + "}"
		}
		if strings.Count(form, `"start_date"`) > 1 {
			return
		}
		limit := rapid.IntRange(1, 12).Draw(t, "limit")
		plain := parsed(t, form)
		trig := parsed(t, member(strings.TrimSuffix(form, "}"), "limit", limit)+"}")
		long := time.Date(1, 1, 1, 0, 0, 0, 0, time.UTC)
		want := someFires(plain, long, limit)
		got := someFires(trig, long, limit+1)
		if !slices.EqualFunc(got, want, time.Time.Equal) {
			t.Fatalf("%s, limit %d: fires at %v, want %v", form, limit, got, want)
		}
		if len(want) == 0 {
			return
		}
		for i, at := range want {
			next, ok := trig.Next(at)
			if last := i == len(want)-1; ok == last || ok && !next.Equal(want[i+1]) {
				t.Fatalf("%s, limit %d: fire %d after %v is %v, %v", form, limit, i+2, at, next, ok)
			}
		}
		if fire, ok := trig.Next(want[len(want)-1].AddDate(3, 0, 0)); ok {
			t.Fatalf("%s, limit %d: one more at %v", form, limit, fire)
		}
	})
}

// TestHighLimit is about an interval, whose fires need no counting.
func TestHighLimit(t *testing.T) {
	t.Parallel()
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	trig := parsed(t, `{"type":"interval","seconds":1,"start_date":"2026-01-01","limit":1000000000}`)
	last := start.Add((1_000_000_000 - 1) * time.Second)
	if got, ok := trig.Next(last.Add(-time.Nanosecond)); !ok || !got.Equal(last) {
		t.Errorf("the last fire is %v, %v, want %v", got, ok, last)
	}
	if got, ok := trig.Next(last); ok {
		t.Errorf("one more at %v", got)
	}
	long := parsed(t, `{"type":"interval","weeks":15000,"start_date":"9000-01-01","limit":1000000000}`)
	if got := someFires(long, start, 5); len(got) != 4 || got[3].Year() != 9862 {
		t.Errorf("an interval of 15,000 weeks fires at %v", got)
	}
}

// jitterPlans are plans dense and thin, with a start, so that the first fire is
// the same with and without jitter.
func jitterPlans() map[string][]string {
	return map[string][]string{
		`{"type":"crontab","expression":"*/10 * * * * *","start_date":"2026-03-28T23:00:00Z","timezone":"Europe/Berlin"`:                                             {"1ms", "3s", "10s", "1h", "24h"},
		`{"type":"crontab","expression":"30 2 * * *","start_date":"2026-03-20","timezone":"Europe/Berlin"`:                                                           {"10m", "24h"},
		`{"type":"crontab","expression":"0,1,30 9 * * mon","start_date":"2026-01-01"`:                                                                                {"1m", "5m", "24h"},
		`{"type":"interval","seconds":10,"start_date":"2026-01-01T00:00:00.5Z"`:                                                                                      {"5s", "9.999s", "10s", "1m"},
		`{"type":"interval","seconds":0.0015,"start_date":"2026-01-01"`:                                                                                              {"1ms", "1s"},
		`{"type":"interval","seconds":0.001,"start_date":"2026-01-01"`:                                                                                               {"1ms", "24h"},
		`{"type":"calendar_interval","months":1,"hour":9,"start_date":"2026-01-31"`:                                                                                  {"24h"},
		`{"type":"daily_time_interval","every":7,"unit":"minute","from":"22:00","to":"02:00","start_date":"2026-01-01"`:                                              {"6m", "24h"},
		`{"type":"dates","run_dates":["2026-01-01T00:00:00Z","2026-01-01T00:00:00.0004Z","2026-01-01T00:01:00Z","2026-01-05"]`:                                       {"30s", "24h"},
		`{"type":"or","triggers":[{"type":"crontab","expression":"0 * * * *"},{"type":"interval","minutes":25,"start_date":"2026-01-01"}],"start_date":"2026-01-01"`: {"20m", "24h"},
		`{"type":"quartz","expression":"0 0 12 L * ?","start_date":"2026-01-01","end_date":"2026-06-30T12:00:10Z"`:                                                   {"1m", "24h"},
		`{"type":"crontab","expression":"0 9 * * *","start_date":"2026-01-01","limit":5`:                                                                             {"1m", "24h"},
	}
}

// TestJitter wants of the delays: none is negative, longer than asked for, or
// reaches to the next fire or past the end; they belong to the job and the
// fire, whoever asks and from where; and they differ from job to job.
func TestJitter(t *testing.T) {
	t.Parallel()
	long := time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)
	for form, jitters := range jitterPlans() {
		plain := parsed(t, form+"}")
		base := someFires(plain, long, 301)
		for _, text := range jitters {
			jitter, err := time.ParseDuration(text)
			if err != nil {
				t.Fatal(err)
			}
			full := member(form, "jitter", text) + "}"
			trig := trigger.ForJob(parsed(t, full), "job 1")
			got := someFires(trig, long, 301)
			if len(got) != len(base) {
				t.Fatalf("%s: %d fires, without jitter %d", full, len(got), len(base))
			}
			other := trigger.ForJob(parsed(t, full), "job 2")
			differ := 0
			for i, late := range got {
				delay := late.Sub(base[i])
				if delay < 0 || delay > jitter || i+1 < len(base) && !late.Before(base[i+1]) {
					t.Fatalf("%s: fire %d of %v is %v", full, i, base[i], late)
				}
				if again, ok := trigger.ForJob(trig, "job 1").Next(late.Add(-time.Nanosecond)); !ok || !again.Equal(late) {
					t.Fatalf("%s: a nanosecond before %v the next fire is %v", full, late, again)
				}
				if i > 0 {
					if again, ok := trig.Next(base[i-1]); ok && again.Equal(got[i-1]) == again.Equal(late) {
						t.Fatalf("%s: Next(%v) = %v, want %v or %v", full, base[i-1], again, got[i-1], late)
					}
				}
				if second, ok := other.Next(base[i].Add(-time.Millisecond)); ok && !second.Equal(late) {
					differ++
				}
			}
			if jitter >= time.Second && base[1].Sub(base[0]) >= 2*time.Second && differ < len(got)/2 {
				t.Errorf("%s: two jobs have different delays at %d of %d fires", full, differ, len(got))
			}
		}
	}
}

// TestJitterIsSpread looks at the delays of one fire of 2,000 jobs and at those
// of 10,000 fires of one job: they lie evenly between none and all of it, and
// after 10,000 fires the plan has not drifted.
func TestJitterIsSpread(t *testing.T) {
	t.Parallel()
	const jitter = 8 * time.Second
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	check := func(what string, delays []time.Duration) {
		t.Helper()
		var sum time.Duration
		var eighths [8]int
		for _, delay := range delays {
			sum += delay
			eighths[min(7, int(delay/time.Second))]++
		}
		if mean := sum / time.Duration(len(delays)); mean < 3800*time.Millisecond || mean > 4200*time.Millisecond {
			t.Errorf("%s: delayed by %v on average, want about 4s", what, mean)
		}
		for i, n := range eighths {
			if even := len(delays) / 8; n < even*8/10 || n > even*12/10 {
				t.Errorf("%s: %d of %d delays are of %d to %d seconds, want about %d", what, n, len(delays), i, i+1, even)
			}
		}
	}
	for name, form := range map[string]string{
		"crontab":  `{"type":"crontab","expression":"*/10 * * * * *","start_date":"2026-01-01","jitter":"8s"}`,
		"interval": `{"type":"interval","seconds":10,"start_date":"2026-01-01","jitter":8}`,
	} {
		trig := parsed(t, form)
		var delays []time.Duration
		for i := range 2000 {
			fire, ok := trigger.ForJob(trig, fmt.Sprint("job ", i)).Next(start.Add(-time.Nanosecond))
			if !ok {
				t.Fatal("no fire")
			}
			delays = append(delays, fire.Sub(start))
		}
		check(name+" of many jobs", delays)

		delays = nil
		job := trigger.ForJob(trig, "job 7")
		at := start.Add(-time.Nanosecond)
		for i := range 10_000 {
			fire, ok := job.Next(at)
			if !ok {
				t.Fatal("no fire")
			}
			delay := fire.Sub(start.Add(time.Duration(i) * 10 * time.Second))
			if delay < 0 || delay > jitter {
				t.Fatalf("%s: fire %d is %v off its plan", name, i, delay)
			}
			delays, at = append(delays, delay), fire
		}
		check(name+", many fires", delays)
	}
}

// TestModifiedIsBounded asks triggers whose modifiers would be long at it, if
// they went from fire to fire.
func TestModifiedIsBounded(t *testing.T) {
	t.Parallel()
	for _, form := range []string{
		`{"type":"interval","seconds":0.001,"start_date":"2026-01-01","end_date":"2026-01-02","jitter":"24h"}`,
		`{"type":"interval","seconds":0.001,"start_date":"2026-01-01","limit":1000000000,"jitter":"24h"}`,
		`{"type":"cron","start_date":"2026-01-01","end_date":"2026-01-02","jitter":"24h"}`,
		`{"type":"daily_time_interval","every":1,"unit":"second","from":"00:00","to":"12:00","jitter":"24h"}`,
		`{"type":"interval","seconds":0.001,"start_date":"2026-01-01","jitter":"24h"}`,
	} {
		trig := parsed(t, form)
		for _, at := range []time.Time{
			time.Date(2026, 1, 1, 23, 59, 59, 0, time.UTC), time.Date(2026, 1, 2, 11, 59, 59, 0, time.UTC),
			time.Date(2026, 1, 2, 0, 0, 0, 0, time.UTC), time.Date(2026, 1, 12, 13, 46, 39, 999_999_999, time.UTC),
		} {
			begin := time.Now()
			trig.Next(at)
			if took := time.Since(begin); took > hang {
				t.Errorf("%s: Next(%v) takes %v", form, at, took)
			}
		}
	}
}

func TestModifyErrors(t *testing.T) {
	t.Parallel()
	daily := parsed(t, `{"type":"crontab","expression":"@daily"}`)
	if got, err := trigger.Modify(daily, trigger.Modifiers{}); got != daily || err != nil {
		t.Errorf("modified by nothing: %v, %v", got, err)
	}
	late, err := trigger.Modify(daily, trigger.Modifiers{Jitter: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		trig trigger.Trigger
		with trigger.Modifiers
		want string
	}{
		"twice":           {late, trigger.Modifiers{Jitter: time.Minute}, "is modified already"},
		"a foreign one":   {foreign{}, trigger.Modifiers{Jitter: time.Minute}, "cannot be modified"},
		"no start":        {daily, trigger.Modifiers{Limit: 3}, "start_date: is missing"},
		"negative limit":  {daily, trigger.Modifiers{Limit: -3}, `limit: "-3" is out of range, allowed 1-10000`},
		"negative jitter": {daily, trigger.Modifiers{Jitter: -time.Second}, `jitter: "-1s" is out of range`},
		"microseconds":    {daily, trigger.Modifiers{Jitter: time.Microsecond}, `jitter: "1µs" is out of range`},
		"too long":        {daily, trigger.Modifiers{Jitter: 24*time.Hour + time.Millisecond}, "jitter:"},
	} {
		if got, err := trigger.Modify(test.trig, test.with); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v, %v, want %q", name, got, err, test.want)
		}
	}
}
