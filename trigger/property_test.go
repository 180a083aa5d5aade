package trigger_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/jobcenter-go/jobcenter/trigger"
)

// member adds a key to the JSON of an object that lacks its last brace.
func member(form, key string, value any) string {
	if s, ok := value.(string); ok {
		value = fmt.Sprintf("%q", s)
	}
	return form + fmt.Sprintf(`,%q:%v`, key, value)
}

// drawForm draws the JSON form of a trigger of any kind, with modifiers now and
// then, and combinations up to some depth. In most, all fires are dense enough
// for some of them to be seen.
func drawForm(t *rapid.T, depth int) string {
	kinds := []string{"cron", "crontab", "spread", "every", "extended", "quartz", "interval", "calendar_interval", "daily_time_interval", "rrule", "date", "dates"}
	if depth > 0 {
		kinds = append(kinds, "and", "or", "and", "or")
	}
	kind := rapid.SampledFrom(kinds).Draw(t, "kind")
	clock, bounded, hasStart := true, true, false
	var form string
	switch kind {
	case "cron":
		spec, _, _ := drawCron(t)
		form = `{"type":"cron"`
		for i, text := range []string{spec.Year, spec.Month, spec.Day, spec.Week, spec.DayOfWeek, spec.Hour, spec.Minute, spec.Second} {
			if text != "" {
				form = member(form, []string{"year", "month", "day", "week", "day_of_week", "hour", "minute", "second"}[i], text)
			}
		}
	case "crontab":
		expr, _, _ := drawCrontab(t)
		form = member(`{"type":"crontab"`, "expression", expr)
	case "spread":
		form = member(`{"type":"crontab"`, "expression", rapid.SampledFrom([]string{
			"H H * * *", "H/15 * * * *", "H(0-29)/10 H(8-17) * * *", "0~30 2 * * *", "~ H H(1-7) * *", "H H H * * *", "H,H * * * *",
		}).Draw(t, "spread"))
	case "every":
		form = member(`{"type":"crontab"`, "expression", "@every "+rapid.SampledFrom([]string{"1ms", "1.5s", "90s", "7m", "25h"}).Draw(t, "every"))
		clock = false
	case "extended":
		form = member(`{"type":"crontab","extensions":true`, "expression", rapid.SampledFrom([]string{
			"0 0 L * ?", "30 2 L-2,15W * *", "5 0 LW * mon#1", "0 12 ? * friL,sun#5", "*/5 1-3 1W * ?", "30 30 1 L * 2#3",
		}).Draw(t, "extended"))
	case "quartz":
		expr, _, _ := drawQuartz(t)
		form = member(`{"type":"quartz"`, "expression", expr)
	case "interval":
		form = member(`{"type":"interval"`, "seconds", rapid.SampledFrom([]float64{0.001, 0.25, 1, 60, 77, 3600, 5400, 86400, 86401, 1e6}).Draw(t, "seconds"))
		clock = false
	case "calendar_interval":
		form = `{"type":"calendar_interval"`
		for _, unit := range []string{"years", "months", "weeks", "days"} {
			if rapid.IntRange(0, 2).Draw(t, "has "+unit) == 0 {
				form = member(form, unit, rapid.IntRange(0, 3).Draw(t, unit))
			}
		}
		form = member(strings.Replace(form, `"days":0`, `"days":1`, 1), "hour", rapid.IntRange(0, 23).Draw(t, "hour"))
		if !strings.Contains(form, "s\":1") && !strings.Contains(form, "s\":2") && !strings.Contains(form, "s\":3") {
			form = member(strings.Replace(form, `"weeks":0`, `"weeks":1`, 1), "minute", 30)
			if !strings.Contains(form, `"weeks":1`) && !strings.Contains(form, `"days":1`) {
				form = strings.Replace(form, `"calendar_interval"`, `"calendar_interval","days":1`, 1)
			}
		}
		if rapid.Bool().Draw(t, "short") {
			form = member(form, "on_short_month", "last")
		}
	case "daily_time_interval":
		form = member(`{"type":"daily_time_interval"`, "every", rapid.IntRange(1, 24).Draw(t, "every"))
		form = member(form, "unit", rapid.SampledFrom([]string{"second", "minute", "hour"}).Draw(t, "unit"))
		form = member(form, "from", fmt.Sprintf("%02d:%02d", rapid.IntRange(0, 23).Draw(t, "from"), rapid.SampledFrom([]int{0, 30, 59}).Draw(t, "from minute")))
		form = member(form, "to", fmt.Sprintf("%02d:%02d", rapid.IntRange(0, 23).Draw(t, "to"), rapid.SampledFrom([]int{1, 30, 59}).Draw(t, "to minute")))
		if rapid.Bool().Draw(t, "weekdays") {
			form += `,"days_of_week":["sat","sun","wed"]`
		}
	case "rrule":
		form = member(`{"type":"rrule"`, "rule", rapid.SampledFrom([]string{
			"FREQ=DAILY", "FREQ=WEEKLY;INTERVAL=2;BYDAY=MO,WE", "FREQ=MONTHLY;BYDAY=-1FR", "FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1",
			"FREQ=HOURLY;INTERVAL=7", "FREQ=MINUTELY;INTERVAL=45;BYHOUR=1,2,3", "FREQ=DAILY;BYHOUR=2;BYMINUTE=0,30;COUNT=40",
			"FREQ=YEARLY;BYWEEKNO=1,53;BYDAY=MO,SU", "FREQ=YEARLY;BYYEARDAY=1,-1;UNTIL=20310101T000000Z",
		}).Draw(t, "rule"))
		form = member(form, "start_date", drawMoment(t).Truncate(time.Second).Format(time.RFC3339))
		bounded, hasStart = false, true
	case "date":
		form = member(`{"type":"date"`, "run_date", drawMoment(t).Format(time.RFC3339Nano))
		clock, bounded = false, false
	case "dates":
		form = `{"type":"dates","run_dates":[`
		for i := range rapid.IntRange(1, 5).Draw(t, "dates") {
			if i > 0 {
				form += ","
			}
			form += fmt.Sprintf("%q", drawMoment(t).Format(time.RFC3339Nano))
		}
		form += "]"
		clock = false
	case "and", "or":
		form = fmt.Sprintf(`{"type":%q,"triggers":[`, kind)
		for i := range rapid.IntRange(1, 3).Draw(t, "parts") {
			if i > 0 {
				form += ","
			}
			form += drawForm(t, depth-1)
		}
		form += "]"
		clock = false
	}
	if rapid.IntRange(0, 3).Draw(t, "zoned") > 0 {
		form = member(form, "timezone", rapid.SampledFrom(zoneNames()).Draw(t, "zone"))
	}
	if bounded {
		if hasStart = rapid.IntRange(0, 2).Draw(t, "has start") == 0; hasStart {
			form = member(form, "start_date", drawMoment(t).Format(time.RFC3339Nano))
		}
		if rapid.IntRange(0, 5).Draw(t, "has end") == 0 {
			form = member(form, "end_date", drawMoment(t).AddDate(2, 0, 0).Format(time.RFC3339Nano))
		}
	}
	if clock && rapid.IntRange(0, 3).Draw(t, "policies") == 0 {
		form = member(form, "on_gap", rapid.SampledFrom([]string{"after", "skip"}).Draw(t, "on_gap"))
		form = member(form, "on_fold", rapid.SampledFrom([]string{"first", "second", "both"}).Draw(t, "on_fold"))
	}
	if (hasStart || kind == "dates" || kind == "date") && rapid.IntRange(0, 2).Draw(t, "limited") == 0 {
		form = member(form, "limit", rapid.IntRange(1, 30).Draw(t, "limit"))
	}
	if rapid.IntRange(0, 4).Draw(t, "jittered") == 0 {
		form = member(form, "jitter", rapid.SampledFrom([]string{"1ms", "5s", "2m", "1h", "24h"}).Draw(t, "jitter"))
	}
	return form + "}"
}

// drawMoment draws an instant of the years 2000 to 2040, to a microsecond.
func drawMoment(t *rapid.T) time.Time {
	at := time.Unix(rapid.Int64Range(946684800, 2208988800).Draw(t, "moment"), 0).UTC()
	switch rapid.IntRange(0, 3).Draw(t, "round") {
	case 0:
		return at.Add(time.Duration(rapid.Int64Range(0, 999_999).Draw(t, "micro")) * time.Microsecond)
	case 1:
		return at.Truncate(24 * time.Hour)
	}
	return at.Truncate(time.Hour)
}

// parsed parses a form.
func parsed(t interface {
	Helper()
	Fatalf(format string, args ...any)
}, form string,
) trigger.Trigger {
	t.Helper()
	trig, err := trigger.Parse([]byte(form), nil)
	if err != nil {
		t.Fatalf("%s: %v", form, err)
	}
	return trig
}

// drawTrigger draws a form and parses it. Intervals that cannot meet are an
// error, and are not drawn.
func drawTrigger(t *rapid.T, depth int) (string, trigger.Trigger) {
	form := drawForm(t, depth)
	if _, err := trigger.Parse([]byte(form), nil); err != nil && strings.Contains(err.Error(), "cannot meet") {
		t.SkipNow()
	}
	return form, parsed(t, form)
}

// someFires gives up to count fires after an instant.
func someFires(trig trigger.Trigger, at time.Time, count int) (fires []time.Time) {
	for range count {
		fire, ok := trig.Next(at)
		if !ok {
			break
		}
		fires, at = append(fires, fire), fire
	}
	return fires
}

func TestAllKinds(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		form, trig := drawTrigger(t, 2)
		if rapid.Bool().Draw(t, "of a job") {
			trig = trigger.ForJob(trig, "job "+fmt.Sprint(rapid.IntRange(1, 9).Draw(t, "job")))
		}
		from := drawMoment(t)
		fires := someFires(trig, from, 12)
		at := from
		for _, fire := range fires {
			if !fire.After(at) {
				t.Fatalf("%s: Next(%v) = %v, not later", form, at, fire)
			}
			if fire.Location() != trigger.Zone(trig) {
				t.Fatalf("%s: Next(%v) = %v, want it in %v", form, at, fire, trigger.Zone(trig))
			}
			for _, ask := range []time.Time{fire.Add(-time.Nanosecond), at.Add(time.Duration(rapid.Int64Range(0, int64(fire.Sub(at))-1).Draw(t, "between")))} {
				if again, ok := trig.Next(ask); !ok || !again.Equal(fire) {
					t.Fatalf("%s: Next(%v) = %v, but Next(%v) = %v, %v", form, at, fire, ask, again, ok)
				}
			}
			at = fire
		}
		if strings.Contains(form, `"and"`) {
			return // it may give up a search that another instant saves
		}
		if len(fires) < 12 {
			for _, later := range []time.Duration{1, time.Hour, 1000 * time.Hour, 100_000 * time.Hour} {
				if fire, ok := trig.Next(at.Add(later)); ok {
					t.Fatalf("%s: no fire after %v, but %v", form, at, fire)
				}
			}
		}
		if early, ok := trig.Next(from.AddDate(-1000, 0, 0)); len(fires) > 0 && (!ok || early.After(fires[0])) {
			t.Fatalf("%s: the first of all is %v, %v, but %v comes before", form, early, ok, fires[0])
		}
	})
}

func TestFormIsStable(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		form, trig := drawTrigger(t, 3)
		data, err := trigger.Marshal(trig)
		if err != nil {
			t.Fatalf("%s: %v", form, err)
		}
		again, err := trigger.Parse(data, time.FixedZone("Nowhere", 3600))
		if err != nil {
			t.Fatalf("%s becomes %s: %v", form, data, err)
		}
		if second, err := trigger.Marshal(again); err != nil || string(second) != string(data) {
			t.Fatalf("%s becomes %s, and that %s, %v", form, data, second, err)
		}
		from := drawMoment(t)
		trig, again = trigger.ForJob(trig, "a job"), trigger.ForJob(again, "a job")
		want, got := someFires(trig, from, 20), someFires(again, from, 20)
		for i := range max(len(want), len(got)) {
			if i >= len(want) || i >= len(got) || !want[i].Equal(got[i]) {
				t.Fatalf("%s fires after %v at %v, but as %s at %v", form, from, want, data, got)
			}
		}
		for _, lang := range []trigger.Lang{trigger.English, trigger.Chinese} {
			if a, b := trigger.Describe(trig, lang), trigger.Describe(again, lang); a == "" || a != b {
				t.Fatalf("%s is %q, but as %s %q", form, a, data, b)
			}
		}
	})
}

// TestPurity asks triggers of all kinds from many goroutines at once, in any
// order, and wants the answers that one of them gets. It is of use under -race.
func TestPurity(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		form, trig := drawTrigger(t, 2)
		trig = trigger.ForJob(trig, "a job")
		asks := make([]time.Time, 12)
		for i := range asks {
			asks[i] = drawMoment(t)
		}
		answers := func(backwards bool) []string {
			list := make([]string, len(asks))
			for i := range asks {
				if backwards {
					i = len(asks) - 1 - i
				}
				fire, ok := trig.Next(asks[i])
				list[i] = fmt.Sprint(fire, ok)
			}
			return list
		}
		want := answers(false)
		got := make([][]string, 4)
		var running sync.WaitGroup
		for i := range got {
			running.Go(func() { got[i] = answers(i%2 == 0) })
		}
		running.Wait()
		for i := range got {
			if strings.Join(got[i], "\n") != strings.Join(want, "\n") {
				t.Fatalf("%s, asked about %v: %v, at once with others %v", form, asks, want, got[i])
			}
		}
	})
}

// hang is how long a question may take before it counts as one that does not
// end. It is a guard and no measure: what is asked here takes far under a
// millisecond.
const hang = 2 * time.Second
