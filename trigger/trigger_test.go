package trigger_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/jobcenter-go/jobcenter/trigger"
)

func TestNext(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ form, after, want string }{
		"30 February":                       {`{"type":"crontab","expression":"0 0 30 2 *"}`, "2026-01-01T00:00:00Z", "never"},
		"31 November":                       {`{"type":"cron","month":11,"day":31}`, "2026-01-01T00:00:00Z", "never"},
		"no such ISO week in that month":    {`{"type":"cron","month":3,"week":53}`, "2026-01-01T00:00:00Z", "never"},
		"29 February over 2100":             {`{"type":"crontab","expression":"0 0 29 2 *"}`, "2096-03-01T00:00:00Z", "2104-02-29T00:00:00Z"},
		"29 February on a Monday":           {`{"type":"cron","month":2,"day":29,"day_of_week":"mon"}`, "2044-03-01T00:00:00Z", "2072-02-29T00:00:00Z"},
		"29 February on a Monday over 2100": {`{"type":"cron","month":2,"day":29,"day_of_week":"mon"}`, "2072-03-01T00:00:00Z", "2112-02-29T00:00:00Z"},
		"5th Sunday of February":            {`{"type":"cron","month":2,"day":"5th sun"}`, "2026-01-01T00:00:00Z", "2032-02-29T00:00:00Z"},
		"the last years":                    {`{"type":"cron","year":9999,"month":12,"day":31,"hour":23}`, "2026-01-01T00:00:00Z", "9999-12-31T23:00:00Z"},
		"after the last":                    {`{"type":"crontab","expression":"* * * * *"}`, "9999-12-31T23:59:00Z", "never"},
		"long before the first":             {`{"type":"crontab","expression":"* * * * *"}`, "0001-01-01T00:00:00Z", "1970-01-01T00:00:00Z"},
		"years long past":                   {`{"type":"cron","year":"2020-2025"}`, "2026-01-01T00:00:00Z", "never"},
		"year in a list out of order":       {`{"type":"cron","year":"2040,2030,2028-2050/20"}`, "2026-06-01T00:00:00Z", "2028-01-01T00:00:00Z"},
		"strictly later":                    {`{"type":"crontab","expression":"* * * * *"}`, "2026-01-01T00:00:00Z", "2026-01-01T00:01:00Z"},
		"a nanosecond before":               {`{"type":"crontab","expression":"* * * * *"}`, "2025-12-31T23:59:59.999999999Z", "2026-01-01T00:00:00Z"},
		"a nanosecond after":                {`{"type":"crontab","expression":"* * * * *"}`, "2026-01-01T00:00:00.000000001Z", "2026-01-01T00:01:00Z"},
		"start is inclusive":                {`{"type":"crontab","expression":"* * * * *","start_date":"2026-01-01"}`, "2020-01-01T00:00:00Z", "2026-01-01T00:00:00Z"},
		"start within a second":             {`{"type":"crontab","expression":"* * * * * *","start_date":"2026-01-01T00:00:00.000001"}`, "2020-01-01T00:00:00Z", "2026-01-01T00:00:01Z"},
		"end is inclusive":                  {`{"type":"crontab","expression":"* * * * *","end_date":"2026-01-01"}`, "2025-12-31T23:59:30Z", "2026-01-01T00:00:00Z"},
		"end just before":                   {`{"type":"crontab","expression":"* * * * *","end_date":"2025-12-31T23:59:59.999999"}`, "2025-12-31T23:59:30Z", "never"},
		"end equals start":                  {`{"type":"crontab","expression":"* * * * *","start_date":"2026-01-01","end_date":"2026-01-01"}`, "2020-01-01T00:00:00Z", "2026-01-01T00:00:00Z"},
		"0 is Sunday to crontab":            {`{"type":"crontab","expression":"0 0 * * 0"}`, "2026-11-22T12:00:00Z", "2026-11-29T00:00:00Z"},
		"so is 7":                           {`{"type":"crontab","expression":"0 0 * * 7"}`, "2026-11-22T12:00:00Z", "2026-11-29T00:00:00Z"},
		"0 is Monday to cron":               {`{"type":"cron","day_of_week":0}`, "2026-11-22T12:00:00Z", "2026-11-23T00:00:00Z"},
		"5-7 wraps to Sunday":               {`{"type":"crontab","expression":"0 0 * * 5-7"}`, "2026-11-28T12:00:00Z", "2026-11-29T00:00:00Z"},
		"7/2 is Sunday":                     {`{"type":"crontab","expression":"0 0 * * 7/2"}`, "2026-11-22T12:00:00Z", "2026-11-29T00:00:00Z"},
		"a/n ends with Saturday":            {`{"type":"crontab","expression":"0 0 * * 5/1"}`, "2026-11-28T12:00:00Z", "2026-12-04T00:00:00Z"},
		"either day":                        {`{"type":"crontab","expression":"0 0 1 * mon"}`, "2026-11-23T12:00:00Z", "2026-11-30T00:00:00Z"},
		"both days after a star":            {`{"type":"crontab","expression":"0 0 */2 * mon"}`, "2026-11-22T12:00:00Z", "2026-11-23T00:00:00Z"},
		"both days after a star, later":     {`{"type":"crontab","expression":"0 0 */2 * mon"}`, "2026-11-23T12:00:00Z", "2026-12-07T00:00:00Z"},
		"interval before its start":         {`{"type":"interval","seconds":10,"start_date":"2026-01-01T00:00:03Z"}`, "2020-01-01T00:00:00Z", "2026-01-01T00:00:03Z"},
		"interval at its start":             {`{"type":"interval","seconds":10,"start_date":"2026-01-01T00:00:03Z"}`, "2026-01-01T00:00:03Z", "2026-01-01T00:00:13Z"},
		"interval a microsecond before":     {`{"type":"interval","seconds":10,"start_date":"2026-01-01T00:00:03Z"}`, "2026-01-01T00:00:12.999999Z", "2026-01-01T00:00:13Z"},
		"interval within a microsecond":     {`{"type":"interval","seconds":10,"start_date":"2026-01-01T00:00:03Z"}`, "2026-01-01T00:00:12.999999999Z", "2026-01-01T00:00:13Z"},
		"interval in the last year":         {`{"type":"interval","days":1,"start_date":"9999-12-31"}`, "9999-12-30T00:00:00Z", "9999-12-31T00:00:00Z"},
		"interval with an end":              {`{"type":"interval","seconds":10,"end_date":"2026-01-01T00:00:10Z"}`, "2026-01-01T00:00:09Z", "2026-01-01T00:00:10Z"},
		"interval past its end":             {`{"type":"interval","seconds":10,"end_date":"2026-01-01T00:00:09Z"}`, "2026-01-01T00:00:01Z", "never"},
		"interval without a start":          {`{"type":"interval","seconds":7}`, "1970-01-01T00:00:08Z", "1970-01-01T00:00:14Z"},
		"interval without a start, before":  {`{"type":"interval","seconds":7}`, "1969-12-31T23:59:54Z", "1970-01-01T00:00:00Z"},
		"fraction of a second":              {`{"type":"interval","seconds":0.1,"start_date":"2026-01-01"}`, "2026-01-01T00:00:00.75Z", "2026-01-01T00:00:00.8Z"},
		"date":                              {`{"type":"date","run_date":"2026-01-01"}`, "2025-12-31T23:59:59.999999999Z", "2026-01-01T00:00:00Z"},
		"window up to midnight":             {`{"type":"daily_time_interval","every":1,"unit":"hour","from":"22:00","to":"00:00"}`, "2026-01-01T23:00:00Z", "2026-01-02T00:00:00Z"},
		"window after midnight":             {`{"type":"daily_time_interval","every":1,"unit":"hour","from":"22:00","to":"00:00"}`, "2026-01-02T00:00:00Z", "2026-01-02T22:00:00Z"},
		"date once":                         {`{"type":"date","run_date":"2026-01-01"}`, "2026-01-01T00:00:00Z", "never"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			trig, err := trigger.Parse([]byte(test.form), nil)
			if err != nil {
				t.Fatal(err)
			}
			got := "never"
			if fire, ok := trig.Next(instant(t, test.after)); ok {
				got = fire.Format(time.RFC3339Nano)
			} else if !fire.IsZero() {
				t.Errorf("no fire, but %v", fire)
			}
			if got != test.want {
				t.Errorf("%s: Next(%s) = %s, want %s", test.form, test.after, got, test.want)
			}
		})
	}
}

// TestFarInstants asks about instants that microseconds cannot count.
func TestFarInstants(t *testing.T) {
	t.Parallel()
	for name, form := range allKinds() {
		trig, err := trigger.Parse([]byte(form), loadZone(t, "America/New_York"))
		if err != nil {
			t.Fatal(err)
		}
		if fire, ok := trig.Next(time.Unix(1<<60, 0)); ok {
			t.Errorf("%s: fires at %v in the far future", name, fire)
		}
		early, ok := trig.Next(time.Unix(-1<<60, 0))
		if ok && early.Year() < 1 {
			continue // an interval without a start has always fired
		}
		if late, ok2 := trig.Next(time.Date(1900, 1, 1, 0, 0, 0, 0, time.UTC)); ok != ok2 || !early.Equal(late) {
			t.Errorf("%s: the first fire of all is %v, %v, but after 1900 %v, %v", name, early, ok, late, ok2)
		}
	}
}

func TestDateWithoutNamedZone(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 6, 8, 30, 5, 0, time.UTC)
	for _, zone := range []*time.Location{time.Local, time.FixedZone("", 8*3600), time.FixedZone("+08", 8*3600)} {
		date, err := trigger.NewDate(at.In(zone))
		if err != nil {
			t.Fatal(err)
		}
		got, err := trigger.Marshal(date)
		if want := `{"type":"date","run_date":"2026-11-06T08:30:05Z","timezone":"UTC"}`; err != nil || string(got) != want {
			t.Errorf("in %v: got %s, %v, want %s", zone, got, err, want)
		}
	}
}

// TestLeapYearEnd guards against periods of package time that end before they
// should, far in the future on the last day of a leap year.
func TestLeapYearEnd(t *testing.T) {
	t.Parallel()
	for _, expr := range []string{"*/5 * * * *", "0 */5 * * *", "30 12 * * *"} {
		trig, err := trigger.NewCrontab(expr, trigger.Options{Zone: loadZone(t, "America/New_York")})
		if err != nil {
			t.Fatal(err)
		}
		utc, err := trigger.NewCrontab(expr, trigger.Options{})
		if err != nil {
			t.Fatal(err)
		}
		got := texts(collect(trig, instant(t, "2080-12-30T00:00:00-05:00"), instant(t, "2081-01-02T00:00:00-05:00")), time.DateTime)
		want := texts(collect(utc, instant(t, "2080-12-30T00:00:00Z"), instant(t, "2081-01-02T00:00:00Z")), time.DateTime)
		if len(got) == 0 || len(got) != len(want) || got[len(got)-1] != want[len(want)-1] {
			t.Errorf("%s: %d fires to %s, want %d to %s", expr, len(got), got[len(got)-1], len(want), want[len(want)-1])
		}
	}
}

func TestConstructors(t *testing.T) {
	t.Parallel()
	field := func(err error) string {
		var e *trigger.Error
		if !errors.As(err, &e) {
			return "no *Error"
		}
		return e.Field
	}
	if _, err := trigger.Every(time.Millisecond - 1); field(err) != "" {
		t.Errorf("too short an interval: %v", err)
	}
	if _, err := trigger.Every(-time.Hour); field(err) != "" {
		t.Errorf("negative interval: %v", err)
	}
	if _, err := trigger.NewCron(trigger.CronSpec{}, trigger.Options{Start: time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC)}); field(err) != "start_date" {
		t.Errorf("start in the year 10000: %v", err)
	}
	if _, err := trigger.NewCrontab("@daily", trigger.Options{End: time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC)}); field(err) != "end_date" {
		t.Errorf("end in the year 10000: %v", err)
	}
	if _, err := trigger.NewDate(time.Time{}); field(err) != "run_date" {
		t.Errorf("no date: %v", err)
	}
	// On the clocks of its own zone, this end is in the year 10000.
	last, err := trigger.NewInterval(time.Hour, trigger.Options{Zone: loadZone(t, "Asia/Tokyo"), End: time.Date(9999, 12, 31, 23, 0, 0, 0, time.UTC)})
	if err != nil {
		t.Fatal(err)
	}
	checkRoundTrip(t, last)
	if _, err := trigger.NewDate(time.Unix(1<<50, 0)); field(err) != "run_date" {
		t.Errorf("date out of range: %v", err)
	}
	if _, err := trigger.NewCron(trigger.CronSpec{Hour: "24"}, trigger.Options{}); field(err) != "hour" {
		t.Errorf("hour 24: %v", err)
	}
}

func TestStartingAt(t *testing.T) {
	t.Parallel()
	every, err := trigger.Every(90 * time.Second)
	if err != nil {
		t.Fatal(err)
	}
	if !every.Start().IsZero() || every.Every() != 90*time.Second {
		t.Errorf("start %v, every %v", every.Start(), every.Every())
	}
	start := time.Date(2026, 11, 22, 10, 0, 0, 123456000, time.UTC)
	fixed := every.StartingAt(start)
	if !every.Start().IsZero() {
		t.Error("the original has a start")
	}
	if got, ok := fixed.Next(start.Add(-time.Hour)); !ok || !got.Equal(start) || !fixed.Start().Equal(start) {
		t.Errorf("first fire %v, %v, want %v", got, ok, start)
	}
	if got, _ := fixed.Next(start); !got.Equal(start.Add(90 * time.Second)) {
		t.Errorf("second fire %v", got)
	}
}

func TestTypeAndZone(t *testing.T) {
	t.Parallel()
	zone := loadZone(t, "Asia/Tokyo")
	for want, form := range map[string]string{
		"cron":                `{"type":"cron"}`,
		"crontab":             `{"type":"crontab","expression":"@daily"}`,
		"interval":            `{"type":"interval","days":1}`,
		"date":                `{"type":"date","run_date":"2026-01-01"}`,
		"quartz":              `{"type":"quartz","expression":"0 0 12 * * ?"}`,
		"calendar_interval":   `{"type":"calendar_interval","days":1}`,
		"daily_time_interval": `{"type":"daily_time_interval","every":1,"unit":"hour"}`,
		"dates":               `{"type":"dates","run_dates":["2026-01-01"],"limit":1,"jitter":"5s"}`,
		"and":                 `{"type":"and","triggers":[{"type":"cron","timezone":"UTC"}]}`,
		"or":                  `{"type":"or","triggers":[{"type":"cron","timezone":"UTC"}],"jitter":"5s"}`,
		"rrule":               `{"type":"rrule","rule":"FREQ=DAILY","start_date":"2026-01-01"}`,
	} {
		trig, err := trigger.Parse([]byte(form), zone)
		if err != nil {
			t.Fatal(err)
		}
		if got := trigger.Type(trig); got != want {
			t.Errorf("type %q, want %q", got, want)
		}
		if got := trigger.Zone(trig); got != zone {
			t.Errorf("%s: zone %v", want, got)
		}
		if fire, ok := trig.Next(time.Unix(0, 0)); !ok || fire.Location() != zone {
			t.Errorf("%s: fire %v, want one in Tokyo", want, fire)
		}
	}
}

func TestCheck(t *testing.T) {
	t.Parallel()
	for form, want := range map[string]string{
		`{"type":"cron","hour":1,"start_date":"2026-02-02","end_date":"2026-01-31T23:00:00Z","timezone":"Asia/Shanghai"}`: `end_date: "2026-02-01T07:00:00+08:00" is before start_date 2026-02-02T00:00:00+08:00`,
		`{"type":"date","run_date":"2026-02-01"}`:                                                         "",
		`{"type":"interval","hours":1,"end_date":"2020-01-01"}`:                                           "",
		`{"type":"interval","hours":1,"start_date":"2026-01-01"}`:                                         "",
		`{"type":"crontab","expression":"@daily"` + `,"start_date":"2026-02-01","end_date":"2026-01-31"}`: `end_date: "2026-01-31T00:00:00Z" is before start_date 2026-02-01T00:00:00Z`,
		`{"type":"interval","hours":1,"start_date":"2026-02-01","end_date":"2026-01-31"}`:                 `is before`,
		`{"type":"crontab","expression":"@daily","start_date":"2026-02-01","end_date":"2026-02-01"}`:      "",
	} {
		trig, err := trigger.Parse([]byte(form), nil)
		if err != nil {
			t.Errorf("%s: %v", form, err)
			continue
		}
		err = trigger.Check(trig)
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: Check = %v, want %q", form, err, want)
		}
		if _, ok := trig.Next(time.Date(2019, 1, 1, 0, 0, 0, 0, time.UTC)); ok == (want != "") {
			t.Errorf("%s fires: %v", form, ok)
		}
	}
}
