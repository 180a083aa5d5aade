package trigger_test

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jobcenter-go/jobcenter/trigger"
)

// checkTrigger holds what must be true of every trigger that a parser took.
func checkTrigger(t *testing.T, trig trigger.Trigger, from int64) {
	t.Helper()
	checkRoundTrip(t, trig)
	at := time.Unix(from%(1<<40), 0)
	for range 3 {
		fire, ok := trig.Next(at)
		if !ok {
			break
		}
		if !fire.After(at) {
			t.Fatalf("Next(%v) = %v, not later", at, fire)
		}
		if before, ok := trig.Next(fire.Add(-time.Nanosecond)); !ok || !before.Equal(fire) {
			t.Fatalf("a nanosecond before %v the next fire is %v, %v", fire, before, ok)
		}
		trigger.Explain(trig, fire, trigger.English)
		at = fire
	}
	if trigger.Describe(trig, trigger.English) == "" || trigger.Describe(trig, trigger.Chinese) == "" {
		t.Fatal("no words for the trigger")
	}
}

func FuzzCrontab(f *testing.F) {
	for _, expr := range []string{
		"* * * * *", "*/10 * * * * *", "30 4 1,15 * 5", "0 0 29 2 *", "5/15 0-23/2 */3 jan-jun 1-7/2", "@hourly", "* * L * ?",
	} {
		f.Add(expr, int64(1711846800))
	}
	f.Fuzz(func(t *testing.T, expr string, from int64) {
		// In UTC nothing but the fields counts.
		plain, err := trigger.NewCrontab(expr, trigger.Options{})
		if err != nil {
			return
		}
		checkTrigger(t, plain, from)
		if fire, ok := plain.Next(time.Unix(from%(1<<40), 0)); ok {
			fields := crontabSets(t, expr)
			if fields != nil && !fields.matches(fire) {
				t.Fatalf("%q fires at %v", expr, fire)
			}
		}
		zoned, err := trigger.NewCrontab(expr, trigger.Options{Zone: trigger.Zone(berlin(t))})
		if err != nil {
			t.Fatal(err)
		}
		checkTrigger(t, zoned, from)
	})
}

func FuzzCron(f *testing.F) {
	f.Add("", "", "", "", "", "", "", "", int64(0))
	f.Add("2026-2040/4", "jan,3-5", "last,2nd fri", "*/2", "mon-fri", "*/3", "5-10/5", "30", int64(1711846800))
	f.Add("", "2", "29", "", "0", "", "", "", int64(1<<33))
	f.Fuzz(func(t *testing.T, year, month, day, week, weekday, hour, minute, second string, from int64) {
		spec := trigger.CronSpec{
			Year: year, Month: month, Day: day, Week: week, DayOfWeek: weekday,
			Hour: hour, Minute: minute, Second: second,
		}
		if trig, err := trigger.NewCron(spec, trigger.Options{Zone: trigger.Zone(berlin(t))}); err == nil {
			checkTrigger(t, trig, from)
		}
	})
}

func FuzzParse(f *testing.F) {
	for _, form := range plans() {
		f.Add([]byte(form), int64(1711846800))
	}
	f.Add([]byte(`{"type":"interval","weeks":1,"seconds":0.5,"start_date":"2026-01-01","end_date":"2027-01-01T00:00:00Z","timezone":"Pacific/Apia"}`), int64(0))
	f.Add([]byte(`{"type":"date","run_date":"2026-11-06T16:30:05.5+08:00"}`), int64(0))
	f.Fuzz(func(t *testing.T, data []byte, from int64) {
		trig, err := trigger.Parse(data, nil)
		if (trig == nil) == (err == nil) {
			t.Fatalf("%v, %v", trig, err)
		}
		if err == nil {
			checkTrigger(t, trig, from)
		}
	})
}

// berlin gives a trigger in a zone value that Parse finds again.
func berlin(t *testing.T) trigger.Trigger {
	t.Helper()
	trig, err := trigger.Parse([]byte(`{"type":"cron","timezone":"Europe/Berlin"}`), nil)
	if err != nil {
		t.Fatal(err)
	}
	return trig
}

// crontabSets reads an expression once more, in the plainest way, for a wall
// clock to be matched against. Nil for a macro.
func crontabSets(t *testing.T, expr string) *oracle {
	t.Helper()
	words := strings.Fields(expr)
	if len(words) == 5 {
		words = append([]string{"0"}, words...)
	}
	if len(words) != 6 {
		return nil
	}
	names := strings.NewReplacer(
		"jan", "1", "feb", "2", "mar", "3", "apr", "4", "may", "5", "jun", "6", "jul", "7", "aug", "8", "sep", "9",
		"oct", "10", "nov", "11", "dec", "12", "sun", "0", "mon", "1", "tue", "2", "wed", "3", "thu", "4", "fri", "5", "sat", "6",
	)
	lows, highs := []int{0, 0, 0, 1, 1, 0}, []int{59, 59, 23, 31, 12, 6}
	sets := make([]map[int]bool, 6)
	for i, word := range words {
		sets[i] = map[int]bool{}
		for item := range strings.SplitSeq(names.Replace(strings.ToLower(word)), ",") {
			values, stepText, stepped := strings.Cut(item, "/")
			from, to, isRange := strings.Cut(values, "-")
			low, high, step := lows[i], highs[i], 1
			if from != "*" {
				low, _ = strconv.Atoi(from)
				if isRange {
					high, _ = strconv.Atoi(to)
				} else if !stepped {
					high = low
				}
			}
			if stepped {
				step, _ = strconv.Atoi(stepText)
			}
			sets[i][low] = true
			for v := low; v <= high; v += step {
				sets[i][v] = true
			}
		}
	}
	sets[5][0] = sets[5][0] || sets[5][7]
	either := words[3][0] != '*' && words[5][0] != '*'
	return &oracle{match: []func(time.Time) bool{func(w time.Time) bool {
		day, weekday := sets[3][w.Day()], sets[5][int(w.Weekday())]
		return sets[0][w.Second()] && sets[1][w.Minute()] && sets[2][w.Hour()] && sets[4][int(w.Month())] &&
			(day && weekday || either && (day || weekday))
	}}}
}
