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
	checkFires := func(trig trigger.Trigger) {
		t.Helper()
		at := time.Unix(from%(1<<40), 0)
		for range 3 {
			fire, ok := nextInTime(t, trig, at)
			if !ok {
				break
			}
			if !fire.After(at) {
				t.Fatalf("Next(%v) = %v, not later", at, fire)
			}
			if before, ok := nextInTime(t, trig, fire.Add(-time.Nanosecond)); !ok || !before.Equal(fire) {
				t.Fatalf("a nanosecond before %v the next fire is %v, %v", fire, before, ok)
			}
			trigger.Explain(trig, fire, trigger.English)
			at = fire
		}
	}
	checkFires(trig)
	if job := trigger.ForJob(trig, "a job"); job != trig {
		checkFires(job)
		if trigger.ForJob(job, "a job") != job {
			t.Fatal("made another of the same job")
		}
	}
	if anchored := trigger.Anchor(trig, nil, time.Unix(from%(1<<36), 1234)); anchored != trig {
		checkRoundTrip(t, anchored)
		checkFires(anchored)
	}
	if trigger.Describe(trig, trigger.English) == "" || trigger.Describe(trig, trigger.Chinese) == "" {
		t.Fatal("no words for the trigger")
	}
}

// nextInTime is Next, which must come to an end.
func nextInTime(t *testing.T, trig trigger.Trigger, at time.Time) (time.Time, bool) {
	t.Helper()
	begin := time.Now()
	fire, ok := trig.Next(at)
	if took := time.Since(begin); took > hang {
		t.Fatalf("Next(%v) takes %v", at, took)
	}
	return fire, ok
}

func FuzzExtendedCrontab(f *testing.F) {
	for _, expr := range []string{
		"0 0 L * ?", "30 2 L-3,15W,LW * *", "0 12 ? jan-jun fri#2,5L", "H H(8-17)/2 H * *", "0~30 * ~ * mon", "0 0 0 1 1 ? 2026-2040/3",
		"@every 1h30m", "@reboot", "CRON_TZ=Europe/Berlin 0 0 31W * *", "H/7 0 1 2 0",
	} {
		f.Add(expr, int64(1711846800))
	}
	f.Fuzz(func(t *testing.T, expr string, from int64) {
		for _, zone := range []*time.Location{nil, trigger.Zone(berlin(t))} {
			trig, err := trigger.NewExtendedCrontab(expr, trigger.Options{Zone: zone})
			if (trig == nil) == (err == nil) {
				t.Fatalf("%v, %v", trig, err)
			}
			if err == nil {
				checkTrigger(t, trig, from)
			}
		}
	})
}

func FuzzQuartz(f *testing.F) {
	for _, expr := range []string{
		"0 0 12 L * ?", "0 0/5 14,18 * * ?", "0 30 22-2 ? NOV-FEB FRI-MON", "/13 * * LW,15W * ? 2026-2199/2", "0 0 0 ? * 6#3", "0 0 0 ? * 6L", "0 0 0 L-30W 2 ?", "0 0 0 30 2 ?",
	} {
		f.Add(expr, int64(1711846800))
	}
	f.Fuzz(func(t *testing.T, expr string, from int64) {
		for _, zone := range []*time.Location{nil, trigger.Zone(berlin(t))} {
			trig, err := trigger.NewQuartz(expr, trigger.Options{Zone: zone})
			if (trig == nil) == (err == nil) {
				t.Fatalf("%v, %v", trig, err)
			}
			if err == nil {
				checkTrigger(t, trig, from)
			}
		}
	})
}

func FuzzCrontab(f *testing.F) {
	for _, expr := range []string{
		"* * * * *", "*/10 * * * * *", "30 4 1,15 * 5", "0 0 29 2 *", "5/15 0-23/2 */3 jan-jun 1-7/2", "@hourly", "* * L * ?",
		"0 0 0 1 1 * 2026-2040/3", "H H * * *", "H(0-29)/10,40~50 * * * *", "@every 90s", "@reboot", "CRON_TZ=Asia/Gaza 0 0 * * *", "TZ=",
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
	for _, form := range fuzzForms() {
		f.Add([]byte(form), int64(1774659600))
	}
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

// fuzzForms are JSON forms of all kinds and keys.
func fuzzForms() []string {
	return []string{
		`{"type":"date","run_date":"2026-11-06T16:30:05.5+08:00"}`,
		`{"type":"dates","run_dates":["2026-11-06T16:30:05","2026-12-01"],"start_date":"2026-11-07","timezone":"Asia/Gaza"}`,
		`{"type":"cron","day":"last fri","hour":2,"timezone":"America/St_Johns","on_gap":"skip","on_fold":"second","limit":3,"start_date":"2026-01-01"}`,
		`{"type":"crontab","expression":"0 0 L,15W * fri#2","extensions":true,"jitter":"30s"}`,
		`{"type":"crontab","expression":"CRON_TZ=Africa/Cairo H H(1-7) * * *","jitter":2.5}`,
		`{"type":"crontab","expression":"@every 1h30m","start_date":"2026-01-01","end_date":"2027-01-01"}`,
		`{"type":"quartz","expression":"0 0/30 22-2 ? * SAT-MON 2026","timezone":"America/Havana","on_fold":"both","on_gap":"after"}`,
		`{"type":"interval","days":1,"hours":2,"seconds":0.001,"start_date":"2026-01-01","limit":1000000,"jitter":"24h"}`,
		`{"type":"calendar_interval","years":1,"months":1,"weeks":1,"days":1,"hour":9,"minute":30,"second":15,"start_date":"2026-01-31","on_short_month":"last"}`,
		`{"type":"calendar_interval","months":1,"start_date":"2026-01-31T09:00:00","timezone":"Europe/Dublin"}`,
		`{"type":"daily_time_interval","every":10,"unit":"minute","from":"22:00:00","to":"02:30","days_of_week":["mon","SUN"],"timezone":"Antarctica/Troll"}`,
		`{"type":"and","triggers":[{"type":"interval","seconds":7,"start_date":"2026-01-01"},{"type":"interval","seconds":11,"start_date":"2026-01-01"},{"type":"cron","minute":"*/2"}]}`,
		`{"type":"or","triggers":[{"type":"and","triggers":[{"type":"crontab","expression":"0 9 * * *"},{"type":"cron","day":"1st mon"}]},{"type":"date","run_date":"2026-01-01"}],"end_date":"2030-01-01","timezone":"Pacific/Apia"}`,
		`{"type":"and","triggers":[{"type":"or","triggers":[{"type":"and","triggers":[{"type":"cron","jitter":1},{"type":"cron"}]}],"limit":7,"start_date":"2026-01-01"},{"type":"crontab","expression":"* * * * *","calendar":{}}]}`,
		`{"type":"rrule","rule":"FREQ=MONTHLY;BYDAY=-1FR","start_date":"2026-01-01T09:00:00"}`,
	}
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
// clock to be matched against. Nil for what it cannot know.
func crontabSets(t *testing.T, expr string) *oracle {
	t.Helper()
	words := strings.Fields(expr)
	if len(words) == 5 {
		words = append([]string{"0"}, words...)
	}
	if len(words) != 6 || strings.ContainsAny(expr, "H~=@") {
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
				n, _ := strconv.Atoi(stepText)
				step = max(step, n)
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
