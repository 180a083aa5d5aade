package trigger_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/jobcenter-go/jobcenter/trigger"
)

// TestFaultsOfPeers asks what other schedulers have answered wrongly. Each name
// says who, and what went wrong there; a number is that of an issue.
func TestFaultsOfPeers(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		form, after string
		want        string // fires, "never" behind the last of all; or a part of the error
	}{
		// reugn/go-quartz rolls days that do not exist over into the next month.
		"go-quartz: 30 February fires on 2 March":   {`{"type":"quartz","expression":"0 0 0 30 2 ?"}`, "2026-01-01T00:00:00Z", "never"},
		"go-quartz: 31 November on 1 December":      {`{"type":"quartz","expression":"0 0 0 31 11 ?"}`, "2026-01-01T00:00:00Z", "never"},
		"go-quartz: 29 February of years without":   {`{"type":"quartz","expression":"0 0 0 29 2 ? 2025-2027"}`, "2024-03-01T00:00:00Z", "never"},
		"go-quartz: 02:00 in a gap fires at 01:00":  {`{"type":"quartz","expression":"0 0 2 * * ?","timezone":"America/New_York"}`, "2026-03-07T12:00:00-05:00", "2026-03-08T03:00:00-04:00 2026-03-09T02:00:00-04:00"},
		"go-quartz: a date can be asked about once": {`{"type":"date","run_date":"2026-01-01"}`, "2025-01-01T00:00:00Z", "2026-01-01T00:00:00Z never"},

		// robfig/cron.
		"robfig #470: CRON_TZ= panics":                  {`{"type":"crontab","expression":"CRON_TZ="}`, "", "is not a known time zone"},
		"robfig #554: TZ= panics":                       {`{"type":"crontab","expression":"TZ="}`, "", "is not a known time zone"},
		"robfig #554: a zone and no fields panics":      {`{"type":"crontab","expression":"TZ=UTC"}`, "", "is empty"},
		"robfig: a zone of nonsense":                    {`{"type":"crontab","expression":"CRON_TZ=0 0 * * *"}`, "", "is not a known time zone"},
		"robfig: a day that does not exist never ends":  {`{"type":"crontab","expression":"0 9 30 12 *","timezone":"Pacific/Apia"}`, "2011-12-01T00:00:00-10:00", "2011-12-31T00:00:00+14:00 2012-12-30T09:00:00+14:00"},
		"robfig: nor does the day after":                {`{"type":"crontab","expression":"0 0 31 12 *","timezone":"Pacific/Apia"}`, "2011-12-29T12:00:00-10:00", "2011-12-31T00:00:00+14:00 2012-12-31T00:00:00+14:00"},
		"robfig: Lord Howe loses 03:05 of 2 April":      {`{"type":"crontab","expression":"5 3 * * *","timezone":"Australia/Lord_Howe"}`, "2017-04-01T12:00:00+11:00", "2017-04-02T03:05:00+10:30 2017-04-03T03:05:00+10:30"},
		"robfig: midnight in a gap":                     {`{"type":"crontab","expression":"0 0 * * *","timezone":"America/Sao_Paulo"}`, "2018-11-03T12:00:00-03:00", "2018-11-04T01:00:00-02:00 2018-11-05T00:00:00-02:00"},
		"robfig: five years ahead is not far enough":    {`{"type":"crontab","expression":"0 0 29 2 *"}`, "2096-03-01T00:00:00Z", "2104-02-29T00:00:00Z"},
		"robfig: 02:30 in a gap is lost":                {`{"type":"crontab","expression":"30 2 * * *","timezone":"America/New_York"}`, "2026-03-07T12:00:00-05:00", "2026-03-08T03:00:00-04:00 2026-03-09T02:30:00-04:00"},
		"gocron: 01:30 fires in both hours":             {`{"type":"crontab","expression":"30 1 * * *","timezone":"America/New_York"}`, "2026-10-31T12:00:00-04:00", "2026-11-01T01:30:00-04:00 2026-11-02T01:30:00-05:00"},
		"APScheduler: sun-mon runs backwards":           {`{"type":"crontab","expression":"0 0 * * sun-mon"}`, "2026-11-20T00:00:00Z", "2026-11-22T00:00:00Z 2026-11-23T00:00:00Z 2026-11-29T00:00:00Z"},
		"fri-mon of crontab says what to do":            {`{"type":"crontab","expression":"0 0 * * fri-mon"}`, "", "Sunday is 0 as the begin of a range and 7 as its end"},
		"fri-7 of crontab":                              {`{"type":"crontab","expression":"0 0 * * fri-7"}`, "2026-11-19T12:00:00Z", "2026-11-20T00:00:00Z 2026-11-21T00:00:00Z 2026-11-22T00:00:00Z 2026-11-27T00:00:00Z"},
		"Quartz: FRI-MON wraps":                         {`{"type":"quartz","expression":"0 0 0 ? * FRI-MON"}`, "2026-11-19T12:00:00Z", "2026-11-20T00:00:00Z 2026-11-21T00:00:00Z 2026-11-22T00:00:00Z 2026-11-23T00:00:00Z 2026-11-27T00:00:00Z"},
		"Quartz: an hour is lost in a fold":             {`{"type":"quartz","expression":"0 0/30 * * * ?","timezone":"America/New_York"}`, "2026-11-01T00:45:00-04:00", "2026-11-01T01:00:00-04:00 2026-11-01T01:30:00-04:00 2026-11-01T01:00:00-05:00 2026-11-01T01:30:00-05:00 2026-11-01T02:00:00-05:00"},
		"Quartz: 02:30 in a gap is lost":                {`{"type":"quartz","expression":"0 30 2 * * ?","timezone":"Europe/Berlin"}`, "2026-03-28T12:00:00+01:00", "2026-03-29T03:00:00+02:00 2026-03-30T02:30:00+02:00"},
		"Quartz: 15W does not leave its month":          {`{"type":"quartz","expression":"0 0 0 1W,LW * ?"}`, "2026-01-31T12:00:00Z", "2026-02-02T00:00:00Z 2026-02-27T00:00:00Z 2026-03-02T00:00:00Z 2026-03-31T00:00:00Z"},
		"Quartz: L-30 of short months is another month": {`{"type":"quartz","expression":"0 0 0 L-30 * ?"}`, "2026-01-15T00:00:00Z", "2026-03-01T00:00:00Z 2026-05-01T00:00:00Z"},
		"Quartz: 1 is Sunday":                           {`{"type":"quartz","expression":"0 0 0 ? * 1"}`, "2026-11-20T00:00:00Z", "2026-11-22T00:00:00Z 2026-11-29T00:00:00Z"},
		"APScheduler #14: 1 is Monday in crontab":       {`{"type":"crontab","expression":"0 0 * * 1"}`, "2026-11-20T00:00:00Z", "2026-11-23T00:00:00Z 2026-11-30T00:00:00Z"},
		"APScheduler #14: 7 is Sunday in crontab":       {`{"type":"crontab","expression":"0 0 * * 7"}`, "2026-11-20T00:00:00Z", "2026-11-22T00:00:00Z"},
		"APScheduler #14: 0 is Monday in its fields":    {`{"type":"cron","day_of_week":"0"}`, "2026-11-20T00:00:00Z", "2026-11-23T00:00:00Z"},
		"APScheduler: crontab's day and weekday are or": {`{"type":"crontab","expression":"0 0 1 * mon"}`, "2026-11-28T00:00:00Z", "2026-11-30T00:00:00Z 2026-12-01T00:00:00Z 2026-12-07T00:00:00Z"},
		"APScheduler: a step behind a name is ignored":  {`{"type":"cron","day_of_week":"mon/2"}`, "", "has a step after a name"},
		"APScheduler: text behind a name is ignored":    {`{"type":"cron","day":"lastfoo"}`, "", "is not a day"},
		"APScheduler: # is ignored":                     {`{"type":"cron","day_of_week":"mon#2"}`, "", "is not a weekday"},
		"APScheduler: a negative interval":              {`{"type":"interval","minutes":5,"seconds":-400}`, "", "is negative"},
		"APScheduler: no interval is a second":          {`{"type":"interval"}`, "", "the interval is 0"},
		"APScheduler: midnight over a step of a month":  {`{"type":"cron","day":1,"hour":0,"timezone":"America/New_York"}`, "2024-03-02T00:00:00-05:00", "2024-04-01T00:00:00-04:00 2024-05-01T00:00:00-04:00"},
		"APScheduler: the same, every day":              {`{"type":"cron","hour":0,"minute":0,"timezone":"America/New_York"}`, "2024-03-31T12:00:00-04:00", "2024-04-01T00:00:00-04:00 2024-04-02T00:00:00-04:00"},
		"APScheduler: going backwards in Dublin":        {`{"type":"cron","minute":"*/30","timezone":"Europe/Dublin"}`, "2026-10-25T00:30:00+01:00", "2026-10-25T01:00:00+01:00 2026-10-25T01:30:00+01:00 2026-10-25T01:00:00Z 2026-10-25T01:30:00Z 2026-10-25T02:00:00Z"},
		"APScheduler: going backwards in Casablanca":    {`{"type":"cron","minute":"*/30","timezone":"Africa/Casablanca"}`, "2026-02-15T01:45:00+01:00", "2026-02-15T02:00:00+01:00 2026-02-15T02:30:00+01:00 2026-02-15T02:00:00Z 2026-02-15T02:30:00Z 2026-02-15T03:00:00Z"},
		"APScheduler: Casablanca's Ramadan, a gap":      {`{"type":"crontab","expression":"30 2 * * *","timezone":"Africa/Casablanca"}`, "2026-03-21T12:00:00Z", "2026-03-22T03:00:00+01:00 2026-03-23T02:30:00+01:00"},
		"APScheduler: 03:30 comes twice":                {`{"type":"cron","hour":3,"minute":30,"timezone":"Europe/Helsinki"}`, "2026-10-24T12:00:00+03:00", "2026-10-25T03:30:00+03:00 2026-10-26T03:30:00+02:00"},
		"APScheduler: 03:30 in a gap runs at 04:30":     {`{"type":"cron","hour":3,"minute":30,"timezone":"Europe/Helsinki"}`, "2026-03-28T12:00:00+02:00", "2026-03-29T04:00:00+03:00 2026-03-30T03:30:00+03:00"},
		"APScheduler: hours 2-4 in a gap":               {`{"type":"cron","hour":"2-4","minute":"*/30","timezone":"Europe/Helsinki"}`, "2026-03-29T00:00:00+02:00", "2026-03-29T02:00:00+02:00 2026-03-29T02:30:00+02:00 2026-03-29T04:00:00+03:00 2026-03-29T04:30:00+03:00"},
		"APScheduler #361: and of intervals hangs": {
			`{"type":"and","triggers":[{"type":"interval","hours":2,"start_date":"2026-01-01T00:00:00Z"},{"type":"interval","hours":3,"start_date":"2026-01-01T01:00:00Z"}]}`,
			"2026-01-01T00:00:00Z", "2026-01-01T04:00:00Z 2026-01-01T10:00:00Z 2026-01-01T16:00:00Z",
		},
		"APScheduler #361: of intervals that never meet": {
			`{"type":"and","triggers":[{"type":"interval","hours":2,"start_date":"2026-01-01T00:00:00Z"},{"type":"interval","hours":4,"start_date":"2026-01-01T01:00:00Z"}]}`,
			"", "cannot meet",
		},
		"APScheduler #361: of an interval and a plan": {
			`{"type":"and","triggers":[{"type":"interval","hours":7,"start_date":"2026-01-01T00:00:00Z"},{"type":"cron","hour":9}]}`,
			"2026-01-01T00:00:00Z", "2026-01-05T09:00:00Z 2026-01-12T09:00:00Z",
		},
		"APScheduler #906: and of a calendar interval hangs": {
			`{"type":"and","triggers":[{"type":"calendar_interval","months":2,"hour":17,"start_date":"2026-01-03"},{"type":"cron","day_of_week":"sat,sun","hour":17}]}`,
			"2026-01-01T00:00:00Z", "2026-01-03T17:00:00Z 2026-05-03T17:00:00Z 2027-01-03T17:00:00Z 2027-07-03T17:00:00Z",
		},
		"APScheduler: a calendar interval drops the day of a gap": {
			`{"type":"calendar_interval","days":1,"hour":2,"minute":30,"start_date":"2026-01-01","timezone":"America/New_York"}`,
			"2026-03-07T12:00:00-05:00", "2026-03-08T03:00:00-04:00 2026-03-09T02:30:00-04:00",
		},
		"APScheduler: a weekly one drops the week": {
			`{"type":"calendar_interval","weeks":1,"hour":2,"minute":30,"start_date":"2026-03-01","timezone":"America/New_York"}`,
			"2026-03-01T12:00:00-05:00", "2026-03-08T03:00:00-04:00 2026-03-15T02:30:00-04:00",
		},
		"APScheduler: a calendar interval fires in the past": {`{"type":"calendar_interval","days":10,"start_date":"2020-01-01"}`, "2026-11-20T00:00:00Z", "2026-11-25T00:00:00Z 2026-12-05T00:00:00Z"},
		"APScheduler: 31 January and a month":                {`{"type":"calendar_interval","months":1,"start_date":"2026-01-31"}`, "2026-01-01T00:00:00Z", "2026-01-31T00:00:00Z 2026-03-31T00:00:00Z 2026-05-31T00:00:00Z 2026-07-31T00:00:00Z 2026-08-31T00:00:00Z"},
		"many: 31 January and a month stays at 28":           {`{"type":"calendar_interval","months":1,"start_date":"2026-01-31","on_short_month":"last"}`, "2026-01-01T00:00:00Z", "2026-01-31T00:00:00Z 2026-02-28T00:00:00Z 2026-03-31T00:00:00Z 2026-04-30T00:00:00Z"},
		"many: day 31 is lost in short months":               {`{"type":"cron","day":31}`, "2026-01-15T00:00:00Z", "2026-01-31T00:00:00Z 2026-03-31T00:00:00Z 2026-05-31T00:00:00Z"},
		"many: 29 February":                                  {`{"type":"calendar_interval","years":1,"start_date":"2024-02-29"}`, "2024-03-01T00:00:00Z", "2028-02-29T00:00:00Z 2032-02-29T00:00:00Z"},
		"many: 29 February or the last":                      {`{"type":"calendar_interval","years":1,"start_date":"2024-02-29","on_short_month":"last"}`, "2024-03-01T00:00:00Z", "2025-02-28T00:00:00Z 2026-02-28T00:00:00Z 2027-02-28T00:00:00Z 2028-02-29T00:00:00Z"},
		"APScheduler: an end before the start":               {`{"type":"cron","hour":9,"start_date":"2026-02-01","end_date":"2026-01-01"}`, "2025-01-01T00:00:00Z", "never"},
		"APScheduler: or loses the phase of its intervals": {
			`{"type":"or","triggers":[{"type":"interval","hours":2,"start_date":"2026-01-01T00:00:00Z"},{"type":"interval","hours":3,"start_date":"2026-01-01T00:30:00Z"}]}`,
			"2026-01-01T00:00:00Z", "2026-01-01T00:30:00Z 2026-01-01T02:00:00Z 2026-01-01T03:30:00Z 2026-01-01T04:00:00Z 2026-01-01T06:00:00Z 2026-01-01T06:30:00Z",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			trig, err := trigger.Parse([]byte(test.form), nil)
			if test.after == "" {
				if _, ok := errors.AsType[*trigger.Error](err); !ok || !strings.Contains(err.Error(), test.want) {
					t.Errorf("%s: %v, want %q", test.form, err, test.want)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			begin := time.Now()
			at := instant(t, test.after)
			var got []string
			for range strings.FieldsSeq(test.want) {
				fire, ok := trig.Next(at)
				if !ok {
					got = append(got, "never")
					break
				}
				got, at = append(got, fire.Format(time.RFC3339Nano)), fire
			}
			if all := strings.Join(got, " "); all != test.want {
				t.Errorf("%s:\n got %s\nwant %s", test.form, all, test.want)
			}
			if took := time.Since(begin); took > hang {
				t.Errorf("%s takes %v", test.form, took)
			}
		})
	}
}

// TestJitterDoesNotDrift is about APScheduler's interval: its jitter was added
// to a fire that had jitter already, so that 10 s with 5 s of jitter came to
// 12.49 s on average.
func TestJitterDoesNotDrift(t *testing.T) {
	t.Parallel()
	trig := trigger.ForJob(parsed(t, `{"type":"interval","seconds":10,"start_date":"2026-01-01","jitter":5}`), "a job")
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	fires := someFires(trig, start.Add(-time.Nanosecond), 1001)
	if mean := fires[1000].Sub(fires[0]) / 1000; mean < 9995*time.Millisecond || mean > 10005*time.Millisecond {
		t.Errorf("fires every %v, want 10s", mean)
	}
}

// TestJitterLosesNoFire is about jitter longer than the period, which makes
// APScheduler pass over fires.
func TestJitterLosesNoFire(t *testing.T) {
	t.Parallel()
	trig := trigger.ForJob(parsed(t, `{"type":"crontab","expression":"* * * * *","jitter":"10m"}`), "a job")
	day := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	if got := len(firesUntil(trig, day.Add(-time.Nanosecond), day.Add(24*time.Hour-time.Nanosecond))); got != 1440 {
		t.Errorf("%d fires a day, want 1440", got)
	}
}

// TestRestartKeepsThePhase is about programs that set up their jobs anew at
// each start (APScheduler #696, River #791).
func TestRestartKeepsThePhase(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	stored := trigger.Anchor(parsed(t, `{"type":"interval","hours":1}`), nil, now)
	for restart := range 10 {
		now = now.Add(25 * time.Minute)
		stored = trigger.Anchor(parsed(t, `{"type":"interval","hours":1}`), stored, now)
		if fire, ok := stored.Next(now); !ok || fire.Minute() != 0 {
			t.Fatalf("after restart %d it fires at %v", restart+1, fire)
		}
	}
}
