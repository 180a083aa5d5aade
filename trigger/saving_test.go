package trigger_test

import (
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jobcenter-go/jobcenter/trigger"
)

// collect gives the fires after from and not after until, in the zone.
func collect(trig trigger.Trigger, from, until time.Time) []time.Time {
	var fires []time.Time
	for at := from; len(fires) < 1000; {
		fire, ok := trig.Next(at)
		if !ok || fire.After(until) {
			break
		}
		fires, at = append(fires, fire), fire
	}
	return fires
}

func texts(times []time.Time, layout string) []string {
	var list []string
	for _, t := range times {
		list = append(list, t.Format(layout))
	}
	return list
}

func instant(t *testing.T, text string) time.Time {
	t.Helper()
	at, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		t.Fatal(err)
	}
	return at
}

func TestDaylightSaving(t *testing.T) {
	t.Parallel()
	const (
		berlin = "Europe/Berlin 2024-03-31T01:00:00+01:00 2024-03-31T04:00:00+02:00"       // 02:00 -> 03:00
		back   = "Europe/Berlin 2024-10-27T01:00:00+02:00 2024-10-27T03:10:00+01:00"       // 03:00 -> 02:00
		howe   = "Australia/Lord_Howe 2024-10-06T01:00:00+10:30 2024-10-06T03:00:00+11:00" // 02:00 -> 02:30
		hback  = "Australia/Lord_Howe 2024-04-07T01:00:00+11:00 2024-04-07T02:30:00+10:30" // 02:00 -> 01:30
		apia   = "Pacific/Apia 2011-12-29T00:00:00-10:00 2011-12-31T12:00:00+14:00"        // no 30 December
		john   = "America/St_Johns 2010-03-13T23:00:00-03:30 2010-03-14T02:00:00-02:30"    // 00:01 -> 01:01
		jback  = "America/St_Johns 2010-11-06T22:00:00-02:30 2010-11-07T01:00:00-03:30"    // 00:01 -> 23:01
		cairo  = "Africa/Cairo 2024-04-25T12:00:00+02:00 2024-04-26T12:00:00+03:00"        // 00:00 -> 01:00
		havana = "America/Havana 2024-11-02T12:00:00-04:00 2024-11-03T12:00:00-05:00"      // 01:00 -> 00:00
	)
	for _, test := range []struct {
		name, expr, window string // zone, after, until
		want               string // without the date where there is but one
	}{
		{"fixed time in a gap", "30 2 * * *", berlin, "03:00+02:00"},
		{"begin of a gap", "0 2 * * *", berlin, "03:00+02:00"},
		{"end of a gap", "0 3 * * *", berlin, "03:00+02:00"},
		{"several in a gap fire once", "0,30 2 * * *", berlin, "03:00+02:00"},
		{"in a gap and at its end", "0,30 2-3 * * *", berlin, "03:00+02:00 03:30+02:00"},
		{"elapsed, gap", "*/30 2 * * *", berlin, ""},
		{"elapsed by hour, gap", "30 */2 * * *", berlin, ""},
		{"hourly, gap", "30 * * * *", berlin, "01:30+01:00 03:30+02:00"},
		{"range of hours, gap", "30 1-3 * * *", berlin, "01:30+01:00 03:00+02:00 03:30+02:00"},
		{"seconds, gap", "*/20 59 2 * * *", berlin, ""},
		{"fixed second, gap", "20 59 2 * * *", berlin, "03:00+02:00"},
		{"fixed time in a fold", "30 2 * * *", back, "02:30+02:00"},
		{"begin of a fold", "0 2 * * *", back, "02:00+02:00"},
		{"end of a fold", "0 3 * * *", back, "03:00+01:00"},
		{"several in a fold", "0,30 2 * * *", back, "02:00+02:00 02:30+02:00"},
		{"elapsed, fold", "*/30 2 * * *", back, "02:00+02:00 02:30+02:00 02:00+01:00 02:30+01:00"},
		{"hourly, fold", "30 * * * *", back, "01:30+02:00 02:30+02:00 02:30+01:00"},
		{"range of hours, fold", "30 1-3 * * *", back, "01:30+02:00 02:30+02:00"},
		{"elapsed by hour, fold", "30 */2 * * *", back, "02:30+02:00 02:30+01:00"},
		{"seconds, fold", "*/30 30 2 * * *", back, "02:30+02:00 02:30:30+02:00 02:30+01:00 02:30:30+01:00"},
		{"fixed second, fold", "30 30 2 * * *", back, "02:30:30+02:00"},
		{"asked in the second hour of a fold", "30 2,3 * * *", "Europe/Berlin 2024-10-27T02:10:00+01:00 2024-10-27T04:00:00+01:00", "03:30+01:00"},
		{"asked in the second hour, elapsed", "*/30 2,3 * * *", "Europe/Berlin 2024-10-27T02:10:00+01:00 2024-10-27T03:10:00+01:00", "02:30+01:00 03:00+01:00"},
		{"half an hour, gap", "15 2 * * *", howe, "02:30+11:00"},
		{"half an hour, elapsed, gap", "*/15 * * * *", howe, "01:15+10:30 01:30+10:30 01:45+10:30 02:30+11:00 02:45+11:00 03:00+11:00"},
		{"half an hour, fold", "45 1 * * *", hback, "01:45+11:00"},
		{"half an hour, elapsed, fold", "*/15 * * * *", hback, "01:15+11:00 01:30+11:00 01:45+11:00 01:30+10:30 01:45+10:30 02:00+10:30 02:15+10:30 02:30+10:30"},
		{"a day that does not exist", "0 9 * * *", apia, "29T09:00-10:00 31T00:00+14:00 31T09:00+14:00"},
		{"that day alone", "0 9 30 * *", apia, "31T00:00+14:00"},
		{"every six hours over it", "0 */6 * * *", apia, "29T06:00-10:00 29T12:00-10:00 29T18:00-10:00 31T00:00+14:00 31T06:00+14:00 31T12:00+14:00"},
		{"gap a minute past midnight", "30 0 * * *", john, "14T01:01-02:30"},
		{"midnight before it", "0 0 * * *", john, "14T00:00-03:30"},
		{"fold over midnight", "30 23 * * *", jback, "06T23:30-02:30"},
		{"fold over midnight, next day", "0 0 * * *", jback, "07T00:00-02:30"},
		{"no midnight", "0 0 * * *", cairo, "26T01:00+03:00"},
		{"no midnight on a Friday", "0 0 * * 5", cairo, "26T01:00+03:00"},
		{"midnight twice", "0 0 * * *", havana, "03T00:00-04:00"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			words := strings.Fields(test.window)
			trig, err := trigger.NewCrontab(test.expr, trigger.Options{Zone: loadZone(t, words[0])})
			if err != nil {
				t.Fatal(err)
			}
			layout := "15:04:05Z07:00"
			if strings.Contains(test.want, "T") {
				layout = "02T15:04:05Z07:00"
			}
			got := texts(collect(trig, instant(t, words[1]), instant(t, words[2])), layout)
			for i := range got {
				got[i] = strings.Replace(got[i], ":00+", "+", 1)
				got[i] = strings.Replace(got[i], ":00-", "-", 1)
			}
			if want := strings.Fields(test.want); !slices.Equal(got, want) {
				t.Errorf("%q fires at %v, want %v", test.expr, got, want)
			}
		})
	}
}

// TestRuleTakenUp is about a zone file that ends with a change which is not
// one of the rule that follows: Winamac went from Central straight to Eastern
// daylight time. Package time then gives a start of the period that is an hour
// before the change. Files that list the rule's changes one by one hide that.
func TestRuleTakenUp(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile("testdata/winamac.tzif")
	if err != nil {
		t.Fatal(err)
	}
	zone, err := time.LoadLocationFromTZData("America/Indiana/Winamac", data)
	if err != nil {
		t.Fatal(err)
	}
	trig, err := trigger.NewCrontab("30 2 * * *", trigger.Options{Zone: zone})
	if err != nil {
		t.Fatal(err)
	}
	got := texts(collect(trig, instant(t, "2007-03-10T12:00:00-06:00"), instant(t, "2007-03-12T12:00:00-04:00")), time.RFC3339)
	if want := []string{"2007-03-11T04:00:00-04:00", "2007-03-12T02:30:00-04:00"}; !slices.Equal(got, want) {
		t.Errorf("fires at %v, want %v", got, want)
	}
}

// TestCronDaemon compares with what Debian's cron daemon ran. It differs by
// decision in three things: several times in a gap fire once, a/n is
// taken, and a job that fires at the moment that the gap ends fires once.
func TestCronDaemon(t *testing.T) {
	t.Parallel()
	cases := readGolden(t, "vixie_cron_observed")
	if len(cases) < 37 {
		t.Errorf("%d cases, want 37", len(cases))
	}
	for _, c := range cases {
		expr, _ := c.Spec["expr"].(string)
		trig, err := trigger.NewCrontab(expr, trigger.Options{Zone: loadZone(t, c.Timezone)})
		if expr == "0 0 3/1 * *" {
			if err != nil {
				t.Errorf("%s: %v", c.ID, err)
			}
			continue
		}
		if err != nil {
			if len(c.Ran) > 0 {
				t.Errorf("%s: %q: %v", c.ID, expr, err)
			}
			continue
		}
		got := collect(trig, c.From, c.Until)
		if want := slices.CompactFunc(c.Ran, time.Time.Equal); !slices.EqualFunc(got, want, time.Time.Equal) {
			t.Errorf("%s: %q fires at %v, the daemon ran it at %v", c.ID, expr, got, want)
		}
	}
}

func TestNote(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		form, from string
		en, zh     string
	}{
		{
			`{"type":"crontab","expression":"30 2 * * *","timezone":"Europe/Berlin"}`, "2024-03-31T00:00:00+01:00",
			"02:30 does not exist that day; fires at 03:00", "当天不存在 02:30，改在 03:00 触发",
		},
		{
			`{"type":"cron","hour":"2","minute":"10,20,30","timezone":"Europe/Berlin"}`, "2024-03-31T00:00:00+01:00",
			"02:10 and 2 other times do not exist that day; fires at 03:00", "当天不存在 02:10 等 3 个时间，改在 03:00 触发一次",
		},
		{
			`{"type":"crontab","expression":"0 9 30 * *","timezone":"Pacific/Apia"}`, "2011-12-01T00:00:00Z",
			"2011-12-30 09:00 does not exist; fires at 2011-12-31 00:00", "不存在 2011-12-30 09:00，改在 2011-12-31 00:00 触发",
		},
		{
			`{"type":"crontab","expression":"30 2 * * *","timezone":"Europe/Berlin"}`, "2024-10-27T00:00:00+02:00",
			"02:30 comes twice that day; this is the first", "当天 02:30 出现两次，这是第一次",
		},
		{
			`{"type":"crontab","expression":"*/30 2 * * *","timezone":"Europe/Berlin"}`, "2024-10-27T02:30:00+02:00",
			"02:00 comes twice that day; this is the second", "当天 02:00 出现两次，这是第二次",
		},
		{
			`{"type":"interval","hours":1,"start_date":"2024-10-27T00:00:00Z","timezone":"Europe/Berlin"}`, "2024-10-27T00:30:00Z",
			"02:00 comes twice that day; this is the second", "当天 02:00 出现两次，这是第二次",
		},
		{`{"type":"crontab","expression":"0 3 * * *","timezone":"Europe/Berlin"}`, "2024-03-31T00:00:00+01:00", "", ""},
		{`{"type":"crontab","expression":"30 * * * *","timezone":"Europe/Berlin"}`, "2024-03-31T02:00:00+01:00", "", ""},
		{`{"type":"crontab","expression":"0 3 * * *","timezone":"Europe/Berlin"}`, "2024-10-27T00:00:00+02:00", "", ""},
		{`{"type":"crontab","expression":"30 2 * * *","timezone":"UTC"}`, "2024-10-27T00:00:00Z", "", ""},
	} {
		trig, err := trigger.Parse([]byte(test.form), nil)
		if err != nil {
			t.Fatal(err)
		}
		fire, ok := trig.Next(instant(t, test.from))
		if !ok {
			t.Fatalf("%s: no fire", test.form)
		}
		if got := trigger.Explain(trig, fire, trigger.English).Note; got != test.en {
			t.Errorf("%s at %v: note %q, want %q", test.form, fire, got, test.en)
		}
		if got := trigger.Explain(trig, fire, trigger.Chinese).Note; got != test.zh {
			t.Errorf("%s at %v: note %q, want %q", test.form, fire, got, test.zh)
		}
	}
}
