package trigger_test

import (
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/jobcenter-go/jobcenter/trigger"
)

// TestForJobSpreads counts which values a thousand jobs get.
func TestForJobSpreads(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		expr     string
		value    func(time.Time) int
		from, to int
	}{
		{"H * * * *", time.Time.Minute, 0, 59},
		{"0 H * * *", time.Time.Hour, 0, 23},
		{"0 0 H * *", time.Time.Day, 1, 28},
		{"0 0 1 H *", func(t time.Time) int { return int(t.Month()) }, 1, 12},
		{"0 0 * * H", func(t time.Time) int { return int(t.Weekday()) }, 0, 6},
		{"H 0 0 * * *", time.Time.Second, 0, 59},
		{"H(10-19) * * * *", time.Time.Minute, 10, 19},
		{"20~39 * * * *", time.Time.Minute, 20, 39},
		{"~ * * * *", time.Time.Minute, 0, 59},
		{"40~ * * * *", time.Time.Minute, 40, 59},
		{"~9 * * * *", time.Time.Minute, 0, 9},
		{"H/15 * * * *", time.Time.Minute, 0, 14}, // the first of the day
		{"H(30-59)/10 0 * * *", time.Time.Minute, 30, 39},
	} {
		trig := parsed(t, `{"type":"crontab","expression":"`+test.expr+`"}`)
		counts := map[int]int{}
		const jobs = 2000
		for i := range jobs {
			fire, ok := trigger.ForJob(trig, fmt.Sprint("job-", i)).Next(time.Date(2026, 12, 31, 23, 59, 59, 0, time.UTC))
			if !ok {
				t.Fatalf("%s: no fire", test.expr)
			}
			counts[test.value(fire)]++
		}
		values := test.to - test.from + 1
		for v, n := range counts {
			if v < test.from || v > test.to {
				t.Errorf("%s: %d jobs have %d", test.expr, n, v)
			}
		}
		for v := test.from; v <= test.to; v++ {
			if even := jobs / values; counts[v] < even/2 || counts[v] > even*2 {
				t.Errorf("%s: %d jobs of %d have %d, want about %d", test.expr, counts[v], jobs, v, even)
			}
		}
	}
}

// TestForJobSpreadsFields wants fields that do not go together: jobs of one
// minute are at all hours.
func TestForJobSpreadsFields(t *testing.T) {
	t.Parallel()
	trig := parsed(t, `{"type":"crontab","expression":"H H * * *"}`)
	hours := map[int]map[int]bool{}
	for i := range 10_000 {
		fire, _ := trigger.ForJob(trig, fmt.Sprint(i)).Next(time.Unix(0, 0))
		if hours[fire.Minute()] == nil {
			hours[fire.Minute()] = map[int]bool{}
		}
		hours[fire.Minute()][fire.Hour()] = true
	}
	for minute, set := range hours {
		if len(set) < 20 {
			t.Errorf("jobs of minute %d are at %d hours", minute, len(set))
		}
	}
}

func TestForJob(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		form, trig := drawTrigger(t, 2)
		once := trigger.ForJob(trig, "a job")
		if twice := trigger.ForJob(once, "a job"); twice != once {
			t.Fatalf("%s: made another of the same job", form)
		}
		if trigger.ForJob(once, "another job") != once {
			once = trigger.ForJob(trigger.ForJob(once, "another job"), "a job") // and back
		}
		from := drawMoment(t)
		want := someFires(trigger.ForJob(parsed(t, form), "a job"), from, 5)
		got := someFires(once, from, 5)
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Fatalf("%s: of a job %v, by way of another %v", form, want, got)
		}
		a, err := trigger.Marshal(trig)
		if err != nil {
			t.Fatal(err)
		}
		if b, err := trigger.Marshal(once); err != nil || string(a) != string(b) {
			t.Fatalf("%s: %s of a job is %s, %v", form, a, b, err)
		}
	})
}

// TestForJobIsFree wants triggers without anything to spread as they are.
func TestForJobIsFree(t *testing.T) {
	t.Parallel()
	for name, form := range plans() {
		trig := parsed(t, form)
		if trigger.ForJob(trig, "a job") != trig {
			t.Errorf("%s: copied", name)
		}
	}
	for form, free := range map[string]bool{
		`{"type":"or","triggers":[{"type":"cron"},{"type":"and","triggers":[{"type":"cron"},{"type":"cron"}]}]}`:                             true,
		`{"type":"or","triggers":[{"type":"cron"},{"type":"and","triggers":[{"type":"cron"},{"type":"cron","jitter":"1s"}]}]}`:               false,
		`{"type":"or","triggers":[{"type":"cron"},{"type":"and","triggers":[{"type":"cron"},{"type":"crontab","expression":"H H * * *"}]}]}`: false,
		`{"type":"cron","limit":3,"start_date":"2026-01-01"}`:                                                                                true,
		`{"type":"cron","jitter":"1s"}`:                 false,
		`{"type":"crontab","expression":"0~5 * * * *"}`: false,
	} {
		trig := parsed(t, form)
		if got := trigger.ForJob(trig, "a job"); (got == trig) != free {
			t.Errorf("%s: the same: %v, want %v", form, got == trig, free)
		}
	}
}

// uncomparable is a trigger of somebody else that == does not take.
type uncomparable struct{ times []time.Time }

func (u uncomparable) Next(after time.Time) (time.Time, bool) {
	for _, at := range u.times {
		if at.After(after) {
			return at, true
		}
	}
	return time.Time{}, false
}

func TestForeignParts(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	spread := parsed(t, `{"type":"crontab","expression":"H H * * *"}`)
	for _, parts := range [][]trigger.Trigger{{uncomparable{[]time.Time{at}}}, {uncomparable{[]time.Time{at}}, spread}} {
		or, err := trigger.NewOr(parts, trigger.Options{})
		if err != nil {
			t.Fatal(err)
		}
		trig := trigger.Anchor(trigger.ForJob(or, "a job"), trigger.ForJob(or, "another"), at)
		if fire, ok := trig.Next(at.Add(-1)); !ok || !fire.Equal(at) {
			t.Errorf("fires at %v, %v", fire, ok)
		}
		if _, err := trigger.Marshal(trig); err == nil {
			t.Error("a foreign part has a JSON form")
		}
	}
}

func TestAnchor(t *testing.T) {
	t.Parallel()
	const (
		now     = "2026-05-05T10:20:30Z"
		earlier = "2026-01-01T00:00:07Z"
	)
	for name, test := range map[string]struct{ form, before, want string }{
		"a new interval":           {`{"type":"interval","hours":1}`, "", "2026-05-05T11:20:30Z"},
		"with a start":             {`{"type":"interval","hours":1,"start_date":"2026-05-05T10:20:29Z"}`, `{"type":"interval","hours":1}`, "2026-05-05T11:20:29Z"},
		"the same again":           {`{"type":"interval","hours":1}`, `{"type":"interval","hours":1}`, "2026-05-05T11:00:07Z"},
		"written otherwise":        {`{"type":"interval","minutes":60}`, `{"type":"interval","hours":1}`, "2026-05-05T11:00:07Z"},
		"another distance":         {`{"type":"interval","hours":2}`, `{"type":"interval","hours":1}`, "2026-05-05T12:20:30Z"},
		"another kind":             {`{"type":"interval","hours":1}`, `{"type":"crontab","expression":"0 * * * *"}`, "2026-05-05T11:20:30Z"},
		"a new @every":             {`{"type":"crontab","expression":"@every 1h"}`, "", "2026-05-05T11:20:30Z"},
		"the same @every":          {`{"type":"crontab","expression":"@every 60m"}`, `{"type":"crontab","expression":"@every 1h"}`, "2026-05-05T11:00:07Z"},
		"@every after an interval": {`{"type":"crontab","expression":"@every 1h"}`, `{"type":"interval","hours":1}`, "2026-05-05T11:00:07Z"},
		"an interval after @every": {`{"type":"interval","hours":1}`, `{"type":"crontab","expression":"@every 1h"}`, "2026-05-05T11:00:07Z"},
		"jitter is new":            {`{"type":"interval","hours":1,"jitter":"1ms"}`, `{"type":"interval","hours":1}`, "2026-05-05T11:00:07Z"},
		"jitter is gone":           {`{"type":"interval","hours":1}`, `{"type":"interval","hours":1,"jitter":"1ms"}`, "2026-05-05T11:00:07Z"},
		"jitter is another":        {`{"type":"interval","hours":1,"jitter":"1ms"}`, `{"type":"interval","hours":1,"jitter":"2ms"}`, "2026-05-05T11:00:07Z"},
		"a calendar interval":      {`{"type":"calendar_interval","days":2,"hour":9}`, "", "2026-05-07T09:00:00Z"},
		"later on the day of now":  {`{"type":"calendar_interval","days":2,"hour":11}`, "", "2026-05-05T11:00:00Z"},
		"the same calendar":        {`{"type":"calendar_interval","days":2,"hour":9}`, `{"type":"calendar_interval","days":2,"hour":9}`, "2026-05-06T09:00:00Z"},
		"the same by three days":   {`{"type":"calendar_interval","days":3,"hour":9}`, `{"type":"calendar_interval","days":3,"hour":9}`, "2026-05-06T09:00:00Z"},
		"another time of day":      {`{"type":"calendar_interval","days":3,"hour":11}`, `{"type":"calendar_interval","days":3,"hour":9}`, "2026-05-05T11:00:00Z"},
		"a plan":                   {`{"type":"crontab","expression":"0 * * * *"}`, "", "2026-05-05T11:00:00Z"},
		"not in an and":            {`{"type":"and","triggers":[{"type":"interval","hours":1},{"type":"interval","hours":2}]}`, "", "2026-05-05T12:00:00Z"},
		"not @every in an and":     {`{"type":"and","triggers":[{"type":"crontab","expression":"@every 30m"},{"type":"cron","hour":"*"}],"jitter":"1ms"}`, "", "2026-05-05T11:00:00Z"},
		"in a combination":         {`{"type":"or","triggers":[{"type":"interval","hours":1},{"type":"interval","hours":3}]}`, "", "2026-05-05T11:20:30Z"},
		"in the same combination":  {`{"type":"or","triggers":[{"type":"interval","hours":1},{"type":"interval","hours":3}]}`, `{"type":"or","triggers":[{"type":"interval","hours":1},{"type":"interval","hours":3}]}`, "2026-05-05T11:00:07Z"},
		"in one that is modified":  {`{"type":"or","triggers":[{"type":"interval","hours":1}],"jitter":"1ms"}`, `{"type":"or","triggers":[{"type":"interval","hours":1}]}`, "2026-05-05T11:00:07Z"},
		"in one that was modified": {`{"type":"or","triggers":[{"type":"interval","hours":1}]}`, `{"type":"or","triggers":[{"type":"interval","hours":1}],"jitter":"1ms"}`, "2026-05-05T11:00:07Z"},
		"a part whose jitter went": {`{"type":"or","triggers":[{"type":"interval","hours":1}]}`, `{"type":"or","triggers":[{"type":"interval","hours":1,"jitter":"1ms"}]}`, "2026-05-05T11:00:07Z"},
		"in a shorter combination": {`{"type":"or","triggers":[{"type":"date","run_date":"2026-01-01"},{"type":"interval","hours":1}]}`, `{"type":"or","triggers":[{"type":"date","run_date":"2026-01-01"}]}`, "2026-05-05T11:20:30Z"},
	} {
		var before trigger.Trigger
		if test.before != "" {
			// As it was anchored when it was new.
			before = trigger.Anchor(parsed(t, test.before), nil, instant(t, earlier).Add(-time.Hour))
		}
		trig := trigger.Anchor(parsed(t, test.form), before, instant(t, now))
		fire, ok := trig.Next(instant(t, now))
		if !ok || fire.Truncate(time.Second).Format(time.RFC3339) != test.want {
			t.Errorf("%s: %s fires at %v, %v, want %s", name, test.form, fire, ok, test.want)
		}
		data, err := trigger.Marshal(trig)
		if err != nil {
			t.Fatal(err)
		}
		again := trigger.Anchor(parsed(t, string(data)), nil, instant(t, now).Add(1234*time.Second))
		if other, _ := again.Next(instant(t, now)); !other.Equal(fire) {
			t.Errorf("%s: stored as %s, fires at %v, want %v", name, data, other, fire)
		}
	}
}

func TestAtStart(t *testing.T) {
	t.Parallel()
	for form, want := range map[string]bool{
		`{"type":"crontab","expression":"@reboot"}`: true,
		`{"type":"crontab","expression":"@REBOOT"}`: true,
		`{"type":"crontab","expression":"@daily"}`:  false,
		`{"type":"cron"}`: false,
		`{"type":"or","triggers":[{"type":"cron"}]}`: false,
	} {
		trig := parsed(t, form)
		if got := trigger.AtStart(trig); got != want {
			t.Errorf("%s: %v, want %v", form, got, want)
		}
		if fire, ok := trig.Next(time.Unix(0, 0)); ok == want {
			t.Errorf("%s fires at %v, %v", form, fire, ok)
		}
	}
	if trigger.AtStart(foreign{}) || trigger.AtStart(nil) {
		t.Error("what is not a trigger of ours runs at the start")
	}
}
