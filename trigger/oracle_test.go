package trigger_test

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/jobcenter-go/jobcenter/trigger"
)

// The oracle knows a plan as one predicate a field, made beside the text of
// the expression, and finds fires by walking the clock step by step.
type oracle struct {
	match   []func(wall time.Time) bool
	days    []func(wall time.Time) bool // those of the day, of a cron plan
	elapsed bool
}

func (o *oracle) matches(wall time.Time) bool {
	for _, match := range o.match {
		if !match(wall) {
			return false
		}
	}
	return true
}

// wallClock gives what the zone's clocks show, as a time in UTC.
func wallClock(t time.Time, zone *time.Location) time.Time {
	t = t.In(zone)
	return time.Date(t.Year(), t.Month(), t.Day(), t.Hour(), t.Minute(), t.Second(), 0, time.UTC)
}

// fires walks from begin to end. It must begin far enough before the first
// fire wanted for the clocks not to have been turned back just then.
func (o *oracle) fires(zone *time.Location, begin, end time.Time, step time.Duration) []time.Time {
	var fires []time.Time
	peak := wallClock(begin, zone).Add(-step)
	for t := begin; !t.After(end); t = t.Add(step) {
		wall := wallClock(t, zone)
		if o.elapsed {
			if o.matches(wall) {
				fires = append(fires, t)
			}
			continue
		}
		// All wall times that the clocks reach or jump over for the first time.
		fired := false
		for peak.Before(wall) {
			peak = peak.Add(step)
			fired = fired || o.matches(peak)
		}
		if fired {
			fires = append(fires, t)
		}
	}
	return fires
}

// drawnField is a field with the values that it stands for.
type drawnField struct {
	text   string
	values map[int]bool
}

func (f drawnField) star() bool { return f.text[0] == '*' }

// drawField draws a list of items. strict: steps stay within their ranges, as
// APScheduler wants.
func drawField(t *rapid.T, name string, low, high int, strict bool) drawnField {
	f := drawnField{values: map[int]bool{}}
	var items []string
	for range rapid.SampledFrom([]int{1, 1, 1, 2, 3}).Draw(t, name+" items") {
		first := rapid.IntRange(low, high).Draw(t, name)
		last := rapid.IntRange(first, high).Draw(t, name+" last")
		step := 1
		text := ""
		switch form := rapid.IntRange(0, 6).Draw(t, name+" form"); form {
		case 0, 1:
			text, first, last = "*", low, high
		case 2, 3:
			last = first
			text = fmt.Sprint(first)
		case 4:
			text = fmt.Sprintf("%d-%d", first, last)
		default:
			switch form := rapid.IntRange(0, 2).Draw(t, name+" step form"); form {
			case 0:
				text, first, last = "*", low, high
			case 1:
				text = fmt.Sprintf("%d-%d", first, last)
			case 2:
				text, last = fmt.Sprint(first), high
			}
			most := 70
			if strict {
				most = last - first
			}
			if most == 0 {
				if !strings.Contains(text, "-") {
					last = first
				}
				break
			}
			step = rapid.IntRange(1, most).Draw(t, name+" step")
			text += fmt.Sprintf("/%d", step)
		}
		items = append(items, text)
		for v := first; v <= last; v += step {
			f.values[v] = true
		}
	}
	f.text = strings.Join(items, ",")
	return f
}

func everyValue(low, high int) drawnField {
	f := drawnField{"*", map[int]bool{}}
	for v := low; v <= high; v++ {
		f.values[v] = true
	}
	return f
}

// drawCrontab draws an expression with its oracle, and the step that is fine
// enough to walk it.
func drawCrontab(t *rapid.T) (expr string, o *oracle, step time.Duration) {
	second := drawnField{"", map[int]bool{0: true}}
	step = time.Minute
	if rapid.IntRange(0, 3).Draw(t, "seconds") == 0 {
		second, step = drawField(t, "second", 0, 59, false), time.Second
	}
	minute := drawField(t, "minute", 0, 59, false)
	hour := drawField(t, "hour", 0, 23, false)
	day, month, weekday := everyValue(1, 31), everyValue(1, 12), everyValue(0, 6)
	if rapid.Bool().Draw(t, "not every day") {
		day = drawField(t, "day", 1, 31, false)
		month = drawField(t, "month", 1, 12, false)
		weekday = drawField(t, "weekday", 0, 6, false)
	}
	expr = strings.TrimSpace(strings.Join([]string{second.text, minute.text, hour.text, day.text, month.text, weekday.text}, " "))
	o = &oracle{elapsed: minute.star() || hour.star() || second.text != "" && second.star()}
	o.match = []func(time.Time) bool{
		func(w time.Time) bool { return second.values[w.Second()] },
		func(w time.Time) bool { return minute.values[w.Minute()] },
		func(w time.Time) bool { return hour.values[w.Hour()] },
		func(w time.Time) bool { return month.values[int(w.Month())] },
		func(w time.Time) bool {
			d, wd := day.values[w.Day()], weekday.values[int(w.Weekday())]
			if day.star() || weekday.star() {
				return d && wd
			}
			return d || wd
		},
	}
	return expr, o, step
}

// drawCron does the same for a plan of fields.
func drawCron(t *rapid.T) (spec trigger.CronSpec, o *oracle, step time.Duration) {
	names := []string{"year", "month", "day", "week", "day_of_week", "hour", "minute", "second"}
	lows, highs := []int{1970, 1, 1, 1, 0, 0, 0, 0}, []int{9999, 12, 31, 53, 6, 23, 59, 59}
	values := []func(w time.Time) int{
		time.Time.Year,
		func(w time.Time) int { return int(w.Month()) },
		time.Time.Day,
		func(w time.Time) int { _, week := w.ISOWeek(); return week },
		func(w time.Time) int { return (int(w.Weekday()) + 6) % 7 },
		time.Time.Hour, time.Time.Minute, time.Time.Second,
	}
	texts := make([]string, 8)
	o = &oracle{}
	given := -1
	for i := range names {
		odds := 1 // of ten that a field is left out
		if i < 5 {
			odds = 6
		}
		if rapid.IntRange(1, 10).Draw(t, names[i]+" out") <= odds {
			continue
		}
		given = i
		if i == 2 && rapid.Bool().Draw(t, "special day") {
			var match func(time.Time) bool
			texts[i], match = drawSpecialDay(t)
			o.match, o.days = append(o.match, match), append(o.days, match)
			continue
		}
		low, high := lows[i], highs[i]
		if i == 0 {
			low, high = 2000, 2040
		}
		f := drawField(t, names[i], low, high, true)
		if i == 0 { // the field's own lowest and highest are far away
			f.text = strings.NewReplacer("*", "2000-2040").Replace(f.text)
			items := strings.Split(f.text, ",")
			for n, item := range items {
				if a, step, ok := strings.Cut(item, "/"); ok && !strings.Contains(a, "-") {
					items[n] = a + "-2040/" + step
				}
			}
			f.text = strings.Join(items, ",")
		}
		texts[i] = f.text
		match := func(w time.Time) bool { return f.values[values[i](w)] }
		o.match = append(o.match, match)
		if i < 5 {
			o.days = append(o.days, match)
		}
		o.elapsed = o.elapsed || i >= 5 && f.star()
	}
	step = time.Minute
	for i := range names {
		switch {
		case texts[i] != "":
			if i == 7 {
				step = time.Second
			}
		case given >= 0 && i > given && i != 3 && i != 4:
			o.match = append(o.match, func(w time.Time) bool { return values[i](w) == lows[i] })
		default:
			o.elapsed = o.elapsed || i >= 5
			if i == 7 {
				step = time.Second
			}
		}
	}
	return trigger.CronSpec{
		Year: texts[0], Month: texts[1], Day: texts[2], Week: texts[3],
		DayOfWeek: texts[4], Hour: texts[5], Minute: texts[6], Second: texts[7],
	}, o, step
}

// drawQuartz does the same for a Quartz expression. Ranges may wrap around.
func drawQuartz(t *rapid.T) (expr string, o *oracle, step time.Duration) {
	wrapped := func(name string, low, high int) drawnField {
		if rapid.IntRange(0, 3).Draw(t, name+" wraps") > 0 {
			return drawField(t, name, low, high, false)
		}
		first := rapid.IntRange(low+1, high).Draw(t, name+" first")
		last := rapid.IntRange(low, first-1).Draw(t, name+" wrapped last")
		step := rapid.IntRange(1, 3).Draw(t, name+" wrapped step")
		f := drawnField{text: fmt.Sprintf("%d-%d", first, last), values: map[int]bool{}}
		if step > 1 {
			f.text += fmt.Sprintf("/%d", step)
		}
		v := first
		for range high - low + 1 - (first - last - 1) {
			if (v-first+high-low+1)%(high-low+1)%step == 0 {
				f.values[v] = true
			}
			if v++; v > high {
				v = low
			}
		}
		return f
	}
	small := func(f drawnField, most int) drawnField { // Quartz takes no step beyond the field
		for item := range strings.SplitSeq(f.text, ",") {
			if _, step, ok := strings.Cut(item, "/"); ok {
				if n, _ := strconv.Atoi(step); n > most {
					f.text, f.values = fmt.Sprint(most), map[int]bool{most: true}
					return f
				}
			}
		}
		return f
	}
	second := drawnField{"0", map[int]bool{0: true}}
	step = time.Minute
	if rapid.IntRange(0, 3).Draw(t, "seconds") == 0 {
		second, step = small(wrapped("second", 0, 59), 59), time.Second
	}
	minute, hour := small(wrapped("minute", 0, 59), 59), small(wrapped("hour", 0, 23), 23)
	month := everyValue(1, 12)
	day := func(time.Time) bool { return true }
	days := "* * ?"
	if rapid.Bool().Draw(t, "not every day") {
		month = small(wrapped("month", 1, 12), 12)
		var dayText, weekdayText string
		switch rapid.IntRange(0, 3).Draw(t, "days") {
		case 0:
			f := small(wrapped("day", 1, 31), 31)
			day = func(w time.Time) bool { return f.values[w.Day()] }
			dayText, weekdayText = f.text, "?"
		case 1:
			f := small(wrapped("weekday", 1, 7), 7)
			day = func(w time.Time) bool { return f.values[int(w.Weekday())+1] }
			dayText, weekdayText = "?", f.text
		case 2:
			n := rapid.IntRange(0, 30).Draw(t, "from the end")
			near := rapid.Bool().Draw(t, "nearest")
			dayText, weekdayText = fmt.Sprintf("L-%d", n), "?"
			if near {
				dayText += "W"
			}
			day = func(w time.Time) bool {
				d := monthEnd(w) - n
				if near && d > 0 {
					d = nearestWeekday(w, d)
				}
				return w.Day() == d
			}
		case 3:
			n, weekday := rapid.IntRange(1, 6).Draw(t, "nth"), rapid.IntRange(1, 7).Draw(t, "of weekday")
			dayText, weekdayText = "?", fmt.Sprintf("%d#%d", weekday, n)
			if n == 6 {
				weekdayText = fmt.Sprintf("%dL", weekday)
			}
			day = func(w time.Time) bool {
				if int(w.Weekday())+1 != weekday {
					return false
				}
				return n == 6 && w.Day() > monthEnd(w)-7 || (w.Day()+6)/7 == n
			}
		}
		days = dayText + " " + month.text + " " + weekdayText
	}
	expr = strings.Join([]string{second.text, minute.text, hour.text, days}, " ")
	o = &oracle{elapsed: second.star() || minute.star() || hour.star()}
	o.match = []func(time.Time) bool{
		func(w time.Time) bool { return second.values[w.Second()] },
		func(w time.Time) bool { return minute.values[w.Minute()] },
		func(w time.Time) bool { return hour.values[w.Hour()] },
		func(w time.Time) bool { return month.values[int(w.Month())] },
		day,
	}
	o.days = o.match[3:]
	return expr, o, step
}

func drawSpecialDay(t *rapid.T) (string, func(time.Time) bool) {
	length := func(w time.Time) int { return time.Date(w.Year(), w.Month()+1, 0, 0, 0, 0, 0, time.UTC).Day() }
	n := rapid.IntRange(0, 6).Draw(t, "nth")
	if n == 0 {
		return "LAST", func(w time.Time) bool { return w.Day() == length(w) }
	}
	weekday := rapid.IntRange(0, 6).Draw(t, "nth weekday")
	name := strings.ToLower(time.Weekday(weekday).String()[:3])
	if n == 6 {
		return "last " + name, func(w time.Time) bool {
			return int(w.Weekday()) == weekday && w.Day() > length(w)-7
		}
	}
	return []string{"", "1st", "2nd", "3rd", "4th", "5th"}[n] + "  " + name, func(w time.Time) bool {
		return int(w.Weekday()) == weekday && (w.Day()+6)/7 == n
	}
}

// zoneNames are zones with changes of every sort: by half an hour, at
// midnight, a minute past it, by a day, with seconds long ago, or none.
func zoneNames() []string {
	return []string{
		"UTC", "Asia/Shanghai", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe",
		"Pacific/Apia", "America/St_Johns", "America/Sao_Paulo", "Africa/Cairo", "Asia/Tehran",
		"America/Havana", "Africa/Casablanca", "Europe/Dublin", "Antarctica/Troll", "Pacific/Chatham",
		"America/Santiago", "Asia/Beirut", "Pacific/Kwajalein", "Asia/Gaza", "Asia/Kathmandu", "America/Asuncion",
	}
}

func loadZone(t interface{ Fatal(args ...any) }, name string) *time.Location {
	zone, err := time.LoadLocation(name)
	if err != nil {
		t.Fatal(err)
	}
	return zone
}

// drawInstant draws one near a change of the zone's offset, mostly.
func drawInstant(t *rapid.T, zone *time.Location) time.Time {
	at := time.Unix(rapid.Int64Range(3*86400*365, 80*365*86400).Draw(t, "at"), 0).In(zone)
	if rapid.IntRange(0, 3).Draw(t, "anywhere") > 0 {
		if _, change := at.ZoneBounds(); !change.IsZero() {
			unit := rapid.SampledFrom([]time.Duration{time.Minute, 5 * time.Minute, time.Hour}).Draw(t, "unit")
			at = change.Add(time.Duration(rapid.IntRange(-30, 30).Draw(t, "units")) * unit)
		}
	}
	return at.Truncate(time.Minute)
}

// checkAgainst compares the trigger with the oracle over some days, or hours
// where the oracle has to walk by the second.
func checkAgainst(t *rapid.T, trig trigger.Trigger, o *oracle, zone *time.Location, from time.Time, step time.Duration) {
	span, before := 30*24*time.Hour, 27*time.Hour
	if step == time.Second {
		span = 8 * time.Hour
	}
	end := from.Add(span)
	want := o.fires(zone, from.Add(-before), end, step)
	want = want[len(want)-len(after(want, from)):]
	const most = 3000
	var got []time.Time
	for at := from; len(got) < most; {
		next, ok := trig.Next(at)
		if !ok || next.After(end) {
			break
		}
		if !next.After(at) {
			t.Fatalf("Next(%v) = %v, not later", at, next)
		}
		got, at = append(got, next), next
	}
	if len(want) > most {
		want = want[:most]
	}
	if !slices.EqualFunc(got, want, time.Time.Equal) {
		i := 0
		for i < min(len(got), len(want)) && got[i].Equal(want[i]) {
			i++
		}
		t.Fatalf("from %v: %d fires, want %d; from number %d on %v, want %v", from, len(got), len(want), i,
			got[i:min(i+3, len(got))], inZone(want[i:min(i+3, len(want))], zone))
	}
}

// after gives the instants after from.
func after(times []time.Time, from time.Time) []time.Time {
	i := 0
	for i < len(times) && !times[i].After(from) {
		i++
	}
	return times[i:]
}

func inZone(times []time.Time, zone *time.Location) (list []time.Time) {
	for _, t := range times {
		list = append(list, t.In(zone))
	}
	return list
}

func TestCrontabAgainstOracle(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		zone := loadZone(t, rapid.SampledFrom(zoneNames()).Draw(t, "zone"))
		expr, o, step := drawCrontab(t)
		trig, err := trigger.NewCrontab(expr, trigger.Options{Zone: zone})
		if err != nil {
			t.Fatalf("%q: %v", expr, err)
		}
		checkAgainst(t, trig, o, zone, drawInstant(t, zone), step)
	})
}

func TestCronAgainstOracle(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		spec, o, step := drawCron(t)
		zone := loadZone(t, rapid.SampledFrom(zoneNames()).Draw(t, "zone"))
		trig, err := trigger.NewCron(spec, trigger.Options{Zone: zone})
		if err != nil {
			t.Fatalf("%+v: %v", spec, err)
		}
		checkAgainst(t, trig, o, zone, drawInstant(t, zone), step)
	})
}

func TestQuartzAgainstOracle(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		zone := loadZone(t, rapid.SampledFrom(zoneNames()).Draw(t, "zone"))
		expr, o, step := drawQuartz(t)
		trig, err := trigger.NewQuartz(expr, trigger.Options{Zone: zone})
		if err != nil {
			t.Fatalf("%q: %v", expr, err)
		}
		checkAgainst(t, trig, o, zone, drawInstant(t, zone), step)
	})
}

// TestQuartzDays looks at days alone, over decades.
func TestQuartzDays(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		expr, o, _ := drawQuartz(t)
		expr = "0 0 12 " + strings.Join(strings.Fields(expr)[3:], " ")
		trig, err := trigger.NewQuartz(expr, trigger.Options{})
		if err != nil {
			t.Fatalf("%q: %v", expr, err)
		}
		checkDays(t, expr, trig, &oracle{match: o.days})
	})
}

// checkDays compares a trigger that fires at noon with an oracle of days.
func checkDays(t *rapid.T, text string, trig trigger.Trigger, o *oracle) {
	begin := time.Date(rapid.IntRange(1971, 2030).Draw(t, "begin"), 1, 1, 12, 0, 0, 0, time.UTC)
	end := begin.AddDate(25, 0, 0)
	at := begin.Add(-time.Second)
	for _, want := range o.fires(time.UTC, begin, end, 24*time.Hour) {
		got, ok := trig.Next(at)
		if !ok || !got.Equal(want) {
			t.Fatalf("%s: Next(%v) = %v, want %v", text, at, got, want)
		}
		at = want
	}
	if got, ok := trig.Next(at); ok && !got.After(end) {
		t.Fatalf("%s: Next(%v) = %v, want none until %v", text, at, got, end)
	}
}

// TestCronDays looks at days alone, over decades.
func TestCronDays(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		spec, o, _ := drawCron(t)
		spec.Hour, spec.Minute, spec.Second = "12", "", ""
		trig, err := trigger.NewCron(spec, trigger.Options{})
		if err != nil {
			t.Fatalf("%+v: %v", spec, err)
		}
		// The drawn fields of the time of day do not count here; those of the
		// day come first, but for the defaults.
		checkDays(t, fmt.Sprintf("%+v", spec), trig, &oracle{match: o.days})
	})
}

func TestNextIsLaterInEveryZone(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		zone := loadZone(t, rapid.SampledFrom(zoneNames()).Draw(t, "zone"))
		expr, _, _ := drawCrontab(t)
		trig, err := trigger.NewCrontab(expr, trigger.Options{Zone: zone})
		if err != nil {
			t.Fatal(err)
		}
		a := time.Unix(rapid.Int64Range(-1<<60, 1<<60).Draw(t, "a"), rapid.Int64Range(0, 999_999_999).Draw(t, "ns"))
		if rapid.Bool().Draw(t, "near") {
			a = drawInstant(t, zone).Add(time.Duration(rapid.Int64Range(math.MinInt32, math.MaxInt32).Draw(t, "shift")))
		}
		b := a.Add(time.Duration(rapid.Int64Range(0, int64(500*time.Hour)).Draw(t, "later")))
		fa, oka := trig.Next(a)
		fb, okb := trig.Next(b)
		if oka && !fa.After(a) {
			t.Fatalf("Next(%v) = %v, not later", a, fa)
		}
		if okb && (!oka || fb.Before(fa)) {
			t.Fatalf("Next(%v) = %v, but Next(%v) = %v", a, fa, b, fb)
		}
		if oka && fa.After(b) && !fa.Equal(fb) {
			t.Fatalf("Next(%v) = %v lies after %v, for which it is %v", a, fa, b, fb)
		}
	})
}
