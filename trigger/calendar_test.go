package trigger_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/jobcenter-go/jobcenter/trigger"
)

// withCalendar makes a trigger with a calendar, both of their JSON.
func withCalendar(tb testing.TB, plan, calendar string) trigger.Trigger {
	tb.Helper()
	t, err := trigger.Parse([]byte(plan[:len(plan)-1]+`,"calendar":`+calendar+`}`), nil)
	if err != nil {
		tb.Fatalf("Parse: %v", err)
	}
	return t
}

// crontabJSON is a plan for withCalendar.
func crontabJSON(expr, zone string) string {
	return fmt.Sprintf(`{"type":"crontab","expression":%q,"timezone":%q}`, expr, zone)
}

// nextFires gives the next fires as wall-clock time, "none" where they end.
func nextFires(t trigger.Trigger, from string, n int) []string {
	at, err := time.Parse(time.RFC3339, from)
	if err != nil {
		return []string{err.Error()}
	}
	var list []string
	for range n {
		fire, ok := t.Next(at)
		switch {
		case !ok:
			return append(list, "none")
		case !fire.After(at):
			return append(list, "not later: "+fire.String())
		}
		list = append(list, fire.Format("Mon 2006-01-02 15:04:05.999 -0700"))
		at = fire
	}
	return list
}

func TestCalendarLayers(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		plan, calendar, from string
		want                 []string // without the offset
	}{
		"weekly": {
			plan:     crontabJSON("0 9 * * *", "UTC"),
			calendar: `{"layers":[{"exclude":"weekly","days":["sat","sun"]}]}`,
			from:     "2026-11-05T10:00:00Z", // a Thursday
			want:     []string{"Fri 2026-11-06 09:00:00", "Mon 2026-11-09 09:00:00"},
		},
		"weekly, included": {
			plan:     crontabJSON("0 9 * * *", "UTC"),
			calendar: `{"layers":[{"include":"weekly","days":["wed","SAT"]}]}`,
			from:     "2026-11-05T10:00:00Z",
			want:     []string{"Sat 2026-11-07 09:00:00", "Wed 2026-11-11 09:00:00", "Sat 2026-11-14 09:00:00"},
		},
		"dates over the end of the year": {
			plan:     crontabJSON("0 9 * * *", "UTC"),
			calendar: `{"layers":[{"exclude":"dates","dates":["2026-12-30/2027-01-02","2027-01-04"]}]}`,
			from:     "2026-12-29T08:00:00Z",
			want:     []string{"Tue 2026-12-29 09:00:00", "Sun 2027-01-03 09:00:00", "Tue 2027-01-05 09:00:00"},
		},
		"dates, included, and no more after them": {
			plan:     crontabJSON("0 9 * * *", "UTC"),
			calendar: `{"layers":[{"include":"dates","dates":["2026-12-31/2027-01-01","2031-05-01"]}]}`,
			from:     "2026-11-05T10:00:00Z",
			want:     []string{"Thu 2026-12-31 09:00:00", "Fri 2027-01-01 09:00:00", "Thu 2031-05-01 09:00:00", "none"},
		},
		"annual, over the end of the year": {
			plan:     crontabJSON("0 9 * * *", "UTC"),
			calendar: `{"layers":[{"exclude":"annual","dates":["12-30/01-02","01-04"]}]}`,
			from:     "2030-12-29T08:00:00Z",
			want:     []string{"Sun 2030-12-29 09:00:00", "Fri 2031-01-03 09:00:00", "Sun 2031-01-05 09:00:00"},
		},
		"annual, 29 February": {
			plan:     crontabJSON("0 9 * * *", "UTC"),
			calendar: `{"layers":[{"include":"annual","dates":["02-29"]}]}`,
			from:     "2096-01-01T00:00:00Z",
			want:     []string{"Wed 2096-02-29 09:00:00", "Fri 2104-02-29 09:00:00"},
		},
		"annual, a range that has 29 February in it": {
			plan:     crontabJSON("0 9 * * *", "UTC"),
			calendar: `{"layers":[{"exclude":"annual","dates":["02-28/03-01"]}]}`,
			from:     "2028-02-27T10:00:00Z",
			want:     []string{"Thu 2028-03-02 09:00:00"},
		},
		"monthly": {
			plan:     crontabJSON("0 9 * * *", "UTC"),
			calendar: `{"layers":[{"include":"monthly","days":[31,1]}]}`,
			from:     "2026-11-02T00:00:00Z",
			want:     []string{"Tue 2026-12-01 09:00:00", "Thu 2026-12-31 09:00:00", "Fri 2027-01-01 09:00:00", "Sun 2027-01-31 09:00:00"},
		},
		"daily: the end is open again": {
			plan:     crontabJSON("*/30 * * * *", "UTC"),
			calendar: `{"layers":[{"exclude":"daily","from":"12:00:00","to":"13:30:00"}]}`,
			from:     "2026-11-05T11:00:00Z",
			want:     []string{"Thu 2026-11-05 11:30:00", "Thu 2026-11-05 13:30:00", "Thu 2026-11-05 14:00:00"},
		},
		"daily, included": {
			plan:     crontabJSON("*/30 * * * *", "UTC"),
			calendar: `{"layers":[{"include":"daily","from":"09:00","to":"10:00"}]}`,
			from:     "2026-11-05T09:00:00Z",
			want:     []string{"Thu 2026-11-05 09:30:00", "Fri 2026-11-06 09:00:00"},
		},
		"daily, past midnight": {
			plan:     crontabJSON("0 * * * *", "UTC"),
			calendar: `{"layers":[{"exclude":"daily","from":"22:00:00","to":"06:00:00"}]}`,
			from:     "2026-11-05T20:30:00Z",
			want:     []string{"Thu 2026-11-05 21:00:00", "Fri 2026-11-06 06:00:00"},
		},
		"daily, up to midnight": {
			plan:     crontabJSON("0 * * * *", "UTC"),
			calendar: `{"layers":[{"exclude":"daily","from":"01:00:00","to":"24:00:00"}]}`,
			from:     "2026-11-05T20:30:00Z",
			want:     []string{"Fri 2026-11-06 00:00:00", "Sat 2026-11-07 00:00:00"},
		},
		"daily: fractions of a second belong to theirs": {
			plan:     `{"type":"interval","seconds":0.4,"start_date":"2026-11-05T08:59:59Z"}`,
			calendar: `{"layers":[{"include":"daily","from":"09:00:00","to":"09:00:01"}]}`,
			from:     "2026-11-05T08:00:00Z",
			want:     []string{"Thu 2026-11-05 09:00:00.2", "Thu 2026-11-05 09:00:00.6", "Fri 2026-11-06 09:00:00.2"},
		},
		"cron": {
			plan:     crontabJSON("30 * * * *", "UTC"),
			calendar: `{"layers":[{"exclude":"cron","expression":"* * 0-6,18-23 ? * MON-FRI"},{"exclude":"cron","expression":"* * * ? * SAT,SUN"}]}`,
			from:     "2026-11-06T16:40:00Z", // a Friday
			want:     []string{"Fri 2026-11-06 17:30:00", "Mon 2026-11-09 07:30:00"},
		},
		"cron, by the second": {
			plan:     crontabJSON("* * * * * *", "UTC"),
			calendar: `{"layers":[{"include":"cron","expression":"10-12,50 0/30 8 L * ?"},{"exclude":"cron","expression":"11 * * * * ?"}]}`,
			from:     "2026-11-06T16:40:00Z",
			want:     []string{"Mon 2026-11-30 08:00:10", "Mon 2026-11-30 08:00:12", "Mon 2026-11-30 08:00:50", "Mon 2026-11-30 08:30:10"},
		},
		"the times meet once a year": {
			plan:     crontabJSON("0 20 * * *", "UTC"),
			calendar: `{"layers":[{"include":"cron","expression":"* * 9-17 ? * *"},{"include":"cron","expression":"0/2 0/2 9-21 1 3 ?"}]}`,
			from:     "2026-03-01T20:00:00Z",
			want:     []string{"Mon 2027-03-01 20:00:00", "Wed 2028-03-01 20:00:00"},
		},
		"cron of a year far away": {
			plan:     crontabJSON("0 9 * * *", "UTC"),
			calendar: `{"layers":[{"include":"cron","expression":"* * * ? * * 2199"}]}`,
			from:     "2026-11-06T16:40:00Z",
			want:     []string{"Tue 2199-01-01 09:00:00"},
		},
		"the later layer wins": {
			plan: crontabJSON("0 9 * * *", "UTC"),
			calendar: `{"layers":[
				{"exclude":"dates","dates":["2026-10-01/2026-10-07"]},
				{"include":"weekly","days":["thu"]},
				{"exclude":"dates","dates":["2026-10-08"]},
				{"exclude":"monthly","days":[9]}]}`,
			from: "2026-09-29T10:00:00Z",
			want: []string{"Wed 2026-09-30 09:00:00", "Thu 2026-10-01 09:00:00", "Sat 2026-10-10 09:00:00"},
		},
		"days and times are apart": {
			plan: crontabJSON("0 * * * *", "UTC"),
			calendar: `{"layers":[
				{"include":"daily","from":"09:00:00","to":"11:00:00"},
				{"include":"weekly","days":["sat"]},
				{"include":"daily","from":"20:00:00","to":"21:00:00"}]}`,
			from: "2026-11-02T10:00:00Z",
			want: []string{"Sat 2026-11-07 09:00:00", "Sat 2026-11-07 10:00:00", "Sat 2026-11-07 20:00:00", "Sat 2026-11-14 09:00:00"},
		},
		"on the calendar's own clocks": {
			plan:     crontabJSON("0 20 * * *", "UTC"), // 04:00 of the next day
			calendar: `{"timezone":"Asia/Shanghai","layers":[{"exclude":"weekly","days":["sat","sun"]}]}`,
			from:     "2026-11-05T10:00:00Z",
			want:     []string{"Thu 2026-11-05 20:00:00", "Sun 2026-11-08 20:00:00"},
		},
		"a dense trigger and ten closed days": {
			plan:     `{"type":"interval","seconds":1,"start_date":"2026-01-01T00:00:00Z"}`,
			calendar: `{"layers":[{"exclude":"dates","dates":["2026-11-06/2026-11-15"]}]}`,
			from:     "2026-11-05T23:59:58Z",
			want:     []string{"Thu 2026-11-05 23:59:59", "Mon 2026-11-16 00:00:00", "Mon 2026-11-16 00:00:01"},
		},
		"never: the times do not meet": {
			plan:     crontabJSON("0 3 * * *", "UTC"),
			calendar: `{"layers":[{"include":"daily","from":"09:00:00","to":"17:00:00"}]}`,
			from:     "2026-11-05T10:00:00Z",
			want:     []string{"none"},
		},
		"never: no day is open": {
			plan:     crontabJSON("* * * * * *", "UTC"),
			calendar: `{"layers":[{"include":"annual","dates":["02-29"]},{"exclude":"annual","dates":["02-01/03-31"]}]}`,
			from:     "2026-11-05T10:00:00Z",
			want:     []string{"none"},
		},
		"never: no time is open": {
			plan:     crontabJSON("* * * * * *", "UTC"),
			calendar: `{"layers":[{"exclude":"cron","expression":"0/2 * * ? * *"},{"exclude":"cron","expression":"1/2 * * ? * *"}]}`,
			from:     "2026-11-05T10:00:00Z",
			want:     []string{"none"},
		},
		"never: no time of any day that is open": {
			plan:     crontabJSON("* * * * * *", "UTC"),
			calendar: `{"layers":[{"exclude":"weekly","days":["sat"]},{"include":"cron","expression":"* * * ? * SAT"}]}`,
			from:     "2026-11-05T10:00:00Z",
			want:     []string{"none"},
		},
		"the clocks are turned back to open times": {
			plan:     crontabJSON("*/10 * * * *", "Europe/Berlin"),
			calendar: `{"layers":[{"include":"daily","from":"02:00:00","to":"02:15:00"}]}`,
			from:     "2026-10-24T23:55:00Z", // 01:55; at 03:00 they show 02:00 again
			want: []string{
				"Sun 2026-10-25 02:00:00", "Sun 2026-10-25 02:10:00", "Sun 2026-10-25 02:00:00", "Sun 2026-10-25 02:10:00",
				"Mon 2026-10-26 02:00:00",
			},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := nextFires(withCalendar(t, test.plan, test.calendar), test.from, len(test.want))
			for i, fire := range got {
				got[i] = strings.TrimSuffix(strings.TrimSuffix(strings.TrimSuffix(fire, " +0000"), " +0100"), " +0200")
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("fires (-want +got):\n%s", diff)
			}
		})
	}
}

func TestCalendarShift(t *testing.T) {
	t.Parallel()
	const weekend = `{"exclude":"weekly","days":["sat","sun"]}`
	tests := map[string]struct {
		plan, layers, from string
		next, previous     []string
	}{
		"over a weekend": {
			plan:     crontabJSON("0 18 * * sat", "UTC"),
			layers:   weekend,
			from:     "2026-11-06T00:00:00Z",
			next:     []string{"Mon 2026-11-09 18:00:00 +0000", "Mon 2026-11-16 18:00:00 +0000"},
			previous: []string{"Fri 2026-11-06 18:00:00 +0000", "Fri 2026-11-13 18:00:00 +0000"},
		},
		"later ones may come first": {
			plan:   `{"type":"or","triggers":[` + crontabJSON("0 18 * * sat", "UTC") + `,` + crontabJSON("0 9 * * mon", "UTC") + `,` + crontabJSON("0 6 * * sun", "UTC") + `]}`,
			layers: weekend,
			from:   "2026-11-06T00:00:00Z",
			next:   []string{"Mon 2026-11-09 06:00:00 +0000", "Mon 2026-11-09 09:00:00 +0000", "Mon 2026-11-09 18:00:00 +0000"},
			previous: []string{
				"Fri 2026-11-06 06:00:00 +0000", "Fri 2026-11-06 18:00:00 +0000", "Mon 2026-11-09 09:00:00 +0000",
			},
		},
		"those of several closed days that meet are one": {
			plan:   crontabJSON("0 18 * * *", "UTC"),
			layers: weekend,
			from:   "2026-11-06T17:00:00Z",
			next: []string{
				"Fri 2026-11-06 18:00:00 +0000", "Mon 2026-11-09 18:00:00 +0000", "Tue 2026-11-10 18:00:00 +0000",
			},
			previous: []string{
				"Fri 2026-11-06 18:00:00 +0000", "Mon 2026-11-09 18:00:00 +0000", "Tue 2026-11-10 18:00:00 +0000",
			},
		},
		"several closed days, each with other times": {
			plan:   crontabJSON("0 10-20/5 1,2,3 * *", "UTC"),
			layers: `{"exclude":"monthly","days":[1,2]},{"exclude":"daily","from":"14:00:00","to":"16:00:00"}`,
			from:   "2026-11-01T00:00:00Z",
			next: []string{
				"Tue 2026-11-03 10:00:00 +0000", "Tue 2026-11-03 20:00:00 +0000", "Thu 2026-12-03 10:00:00 +0000",
			},
			previous: []string{
				"Tue 2026-11-03 10:00:00 +0000", "Tue 2026-11-03 20:00:00 +0000",
				"Mon 2026-11-30 10:00:00 +0000", "Mon 2026-11-30 20:00:00 +0000", "Thu 2026-12-03 10:00:00 +0000",
			},
		},
		"over the end of the year": {
			plan:     crontabJSON("30 8 1 1 *", "UTC"),
			layers:   weekend + `,{"exclude":"annual","dates":["12-24/01-02"]}`,
			from:     "2026-01-10T00:00:00Z",
			next:     []string{"Mon 2027-01-04 08:30:00 +0000", "Mon 2028-01-03 08:30:00 +0000"},
			previous: []string{"Wed 2026-12-23 08:30:00 +0000", "Thu 2027-12-23 08:30:00 +0000"},
		},
		"too far away": {
			plan:     crontabJSON("0 0 1 1,7 *", "UTC"),
			layers:   `{"exclude":"dates","dates":["2026-01-01/2027-06-30"]}`,
			from:     "2025-09-01T00:00:00Z",
			next:     []string{"Thu 2027-07-01 00:00:00 +0000", "Sat 2028-01-01 00:00:00 +0000"}, // of 2026-07-01 and its own
			previous: []string{"Wed 2025-12-31 00:00:00 +0000", "Thu 2027-07-01 00:00:00 +0000"}, // 2026-01-01; 2027-01-01 is 366 days away and on it as well
		},
		"only fires that move, and none that stays": {
			plan:     crontabJSON("0 9 * * sun", "UTC"),
			layers:   weekend,
			from:     "2026-11-04T00:00:00Z",
			next:     []string{"Mon 2026-11-09 09:00:00 +0000"},
			previous: []string{"Fri 2026-11-06 09:00:00 +0000"},
		},
		"only fires that stay": {
			plan:     crontabJSON("0 9 * * wed", "UTC"),
			layers:   weekend,
			from:     "2026-11-04T12:00:00Z",
			next:     []string{"Wed 2026-11-11 09:00:00 +0000"},
			previous: []string{"Wed 2026-11-11 09:00:00 +0000"},
		},
		"to a closed time": {
			plan:     crontabJSON("0 9,12 * * sun", "UTC"),
			layers:   weekend + `,{"exclude":"daily","from":"08:00:00","to":"10:00:00"}`,
			from:     "2026-11-04T12:00:00Z",
			next:     []string{"Mon 2026-11-09 12:00:00 +0000"},
			previous: []string{"Fri 2026-11-06 12:00:00 +0000"},
		},
		"from a time that the closed day alone closes": {
			plan:     crontabJSON("0 9 * * sun", "UTC"),
			layers:   weekend + `,{"exclude":"cron","expression":"* * * ? * SUN"}`,
			from:     "2026-11-04T12:00:00Z",
			next:     []string{"Mon 2026-11-09 09:00:00 +0000"},
			previous: []string{"Fri 2026-11-06 09:00:00 +0000"},
		},
		"fractions of a second stay": {
			plan:     `{"type":"interval","weeks":1,"start_date":"2026-11-07T09:30:00.25Z"}`,
			layers:   weekend,
			from:     "2026-11-04T12:00:00Z",
			next:     []string{"Mon 2026-11-09 09:30:00.25 +0000", "Mon 2026-11-16 09:30:00.25 +0000"},
			previous: []string{"Fri 2026-11-13 09:30:00.25 +0000", "Fri 2026-11-20 09:30:00.25 +0000"}, // the first is before the start
		},
		"into a gap": {
			plan:     crontabJSON("30 2 * * sat", "Europe/Berlin"),
			layers:   `{"exclude":"weekly","days":["sat"]}`,
			from:     "2026-03-28T12:00:00Z",
			next:     []string{"Sun 2026-03-29 03:00:00 +0200", "Sun 2026-04-05 02:30:00 +0200"},
			previous: []string{"Fri 2026-04-03 02:30:00 +0200"},
		},
		"into a fold": {
			plan:     crontabJSON("30 2 * * mon", "Europe/Berlin"),
			layers:   `{"exclude":"weekly","days":["mon"]}`,
			from:     "2026-10-23T12:00:00Z",
			next:     []string{"Tue 2026-10-27 02:30:00 +0100"},
			previous: []string{"Sun 2026-10-25 02:30:00 +0200", "Sun 2026-11-01 02:30:00 +0100"},
		},
		"out of a fold: both occurrences are one": {
			plan:     crontabJSON("*/40 2 * * sun", "Europe/Berlin"), // at 02:00 and 02:40, twice
			layers:   `{"exclude":"weekly","days":["sun"]}`,
			from:     "2026-10-24T12:00:00Z",
			next:     []string{"Mon 2026-10-26 02:00:00 +0100", "Mon 2026-10-26 02:40:00 +0100", "Mon 2026-11-02 02:00:00 +0100"},
			previous: []string{"Sat 2026-10-31 02:00:00 +0100"},
		},
		"on other clocks": {
			plan:     crontabJSON("0 18 * * *", "UTC"), // 02:00 of the next day
			layers:   weekend,
			from:     "2026-11-05T19:00:00Z",
			next:     []string{"Sun 2026-11-08 18:00:00 +0000", "Mon 2026-11-09 18:00:00 +0000"},
			previous: []string{"Sun 2026-11-08 18:00:00 +0000", "Mon 2026-11-09 18:00:00 +0000"},
		},
		"outside the bounds": {
			plan:     `{"type":"crontab","expression":"0 9 * * sat,sun","start_date":"2026-11-07T00:00:00Z","end_date":"2026-11-15T12:00:00Z"}`,
			layers:   weekend,
			from:     "2026-11-01T00:00:00Z",
			next:     []string{"Mon 2026-11-09 09:00:00 +0000", "none"}, // 2026-11-16 is after the end
			previous: []string{"Fri 2026-11-13 09:00:00 +0000", "none"},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			zone := ""
			if name == "on other clocks" {
				zone = `"timezone":"Asia/Shanghai",`
			}
			for onClosed, want := range map[string][]string{"next": test.next, "previous": test.previous} {
				trig := withCalendar(t, test.plan, `{`+zone+`"on_closed":"`+onClosed+`","layers":[`+test.layers+`]}`)
				if diff := cmp.Diff(want, nextFires(trig, test.from, len(want))); diff != "" {
					t.Errorf("%s: fires (-want +got):\n%s", onClosed, diff)
				}
			}
		})
	}
}

func TestCalendarNeverMeets(t *testing.T) {
	t.Parallel()
	plans := []string{
		crontabJSON("0 3 * * *", "Europe/Berlin"),
		crontabJSON("* * * * * *", "UTC"),
		crontabJSON("0 3 29 2 *", "UTC"),
		`{"type":"interval","seconds":0.001,"start_date":"2026-01-01T00:00:00Z"}`,
		`{"type":"date","run_date":"2026-11-07T03:00:00Z"}`,
		`{"type":"and","triggers":[` + crontabJSON("0 3 * * sat", "UTC") + `,{"type":"interval","hours":1,"start_date":"2026-01-01T00:00:00Z"}]}`,
	}
	layers := []string{
		`{"include":"daily","from":"09:00:00","to":"17:00:00"},{"exclude":"daily","from":"09:00:00","to":"17:00:00"},{"exclude":"weekly","days":["sat"]}`,
		`{"exclude":"weekly","days":["mon","tue","wed","thu","fri","sat","sun"]}`,
		`{"exclude":"dates","dates":["0001-01-01/9999-12-31"]}`,
		`{"include":"dates","dates":["1999-01-01"]}`,
		`{"exclude":"cron","expression":"* * * ? * *"},{"exclude":"weekly","days":["sat"]}`,
		`{"exclude":"cron","expression":"* * * ? * MON-FRI"},{"exclude":"cron","expression":"* * * ? * SAT,SUN"},{"exclude":"weekly","days":["sat"]}`,
	}
	for _, plan := range plans {
		for _, layer := range layers {
			for _, onClosed := range []string{"skip", "next", "previous"} {
				trig := withCalendar(t, plan, `{"on_closed":"`+onClosed+`","layers":[`+layer+`]}`)
				if got := nextFires(trig, "2026-11-05T10:00:00Z", 1); got[0] != "none" {
					t.Errorf("%s with %s, %s: first fire = %s, want none", plan, layer, onClosed, got[0])
				}
			}
		}
	}
}

func TestCalendarBeyondTheYears(t *testing.T) {
	t.Parallel()
	var dates []string
	for _, at := range []string{"0001-01-01T00:00:01Z", "1969-12-31T23:59:59Z", "9999-12-31T23:59:59Z"} {
		dates = append(dates, `{"type":"date","run_date":"`+at+`"}`)
	}
	for _, onClosed := range []string{"skip", "next", "previous"} {
		for _, layer := range []string{`{"exclude":"weekly","days":["mon","fri"]}`, `{"include":"annual","dates":["06-01"]}`, `{"exclude":"dates","dates":["0001-01-01","9999-12-31"]}`} {
			trig := withCalendar(t, `{"type":"or","triggers":[`+strings.Join(dates, ",")+`]}`, `{"on_closed":"`+onClosed+`","layers":[`+layer+`]}`)
			for _, from := range []time.Time{{}, time.Unix(-1<<62, 0), time.Unix(1<<40, 0), time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC), time.Date(0, 12, 31, 0, 0, 0, 0, time.UTC)} {
				for fire, ok := trig.Next(from); ok; fire, ok = trig.Next(fire) {
					if !fire.After(from) {
						t.Fatalf("Next(%v) = %v, not later", from, fire)
					}
					from = fire
				}
			}
		}
	}
}

func TestCalendarOpen(t *testing.T) {
	t.Parallel()
	shanghai := loadZone(t, "Asia/Shanghai")
	weekend := trigger.Exclude(trigger.Weekly(time.Saturday, time.Sunday))
	lunch := trigger.Exclude(trigger.DailyTime(12*time.Hour, 13*time.Hour))
	own, err := trigger.NewCalendar([]trigger.Layer{weekend, lunch}, trigger.CalendarOptions{Zone: shanghai})
	if err != nil {
		t.Fatal(err)
	}
	free, err := trigger.NewCalendar([]trigger.Layer{weekend, lunch}, trigger.CalendarOptions{})
	if err != nil {
		t.Fatal(err)
	}
	friday := time.Date(2026, 11, 6, 20, 0, 0, 0, time.UTC) // 04:00 of Saturday in Shanghai
	for name, test := range map[string]struct {
		calendar *trigger.Calendar
		at       time.Time
		want     bool
	}{
		"own zone":               {own, friday, false},
		"zone of the instant":    {free, friday, true},
		"zone of the instant, 2": {free, friday.In(shanghai), false},
		"lunch":                  {free, friday.Add(-8 * time.Hour), false},
		"end of lunch":           {free, friday.Add(-7 * time.Hour), true},
		"just before":            {free, friday.Add(-7*time.Hour - 1), false},
		"the zero calendar":      {&trigger.Calendar{}, friday, true},
		"far past":               {free, time.Unix(-1<<62, 0), true},
		"far future":             {free, time.Unix(1<<60, 0), false},
	} {
		if got := test.calendar.Open(test.at); got != test.want && !strings.HasPrefix(name, "far") {
			t.Errorf("%s: Open(%v) = %v, want %v", name, test.at, got, test.want)
		}
	}
}

func TestZeroCalendar(t *testing.T) {
	t.Parallel()
	plan, err := trigger.NewCrontab("0 9 * * *", trigger.Options{})
	if err != nil {
		t.Fatal(err)
	}
	trig, err := trigger.Modify(plan, trigger.Modifiers{Calendar: &trigger.Calendar{}})
	if err != nil {
		t.Fatal(err)
	}
	if got := nextFires(trig, "2026-11-05T10:00:00Z", 1); got[0] != "Fri 2026-11-06 09:00:00 +0000" {
		t.Errorf("first fire = %s, want that of the plan", got[0])
	}
}

func TestCalendarOrigin(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		plan, calendar, from string
		wall, effect         string
	}{
		"stays": {
			crontabJSON("0 9 * * *", "UTC"), `{"on_closed":"next","layers":[{"exclude":"weekly","days":["sat","sun"]}]}`,
			"2026-11-09T08:00:00Z", "2026-11-09 09:00:00", "", // those of Saturday and Sunday meet it
		},
		"moved from the first of the closed days": {
			crontabJSON("0 9 * * sat,sun", "UTC"), `{"on_closed":"next","layers":[{"exclude":"weekly","days":["sat","sun"]}]}`,
			"2026-11-09T08:00:00Z", "2026-11-07 09:00:00", "shifted",
		},
		"moved back": {
			crontabJSON("0 9 * * sun", "UTC"), `{"on_closed":"previous","layers":[{"exclude":"weekly","days":["sat","sun"]}]}`,
			"2026-11-06T08:00:00Z", "2026-11-08 09:00:00", "shifted",
		},
		"moved into a gap": {
			crontabJSON("30 2 * * sat", "Europe/Berlin"), `{"on_closed":"next","layers":[{"exclude":"weekly","days":["sat"]}]}`,
			"2026-03-28T12:00:00Z", "2026-03-28 02:30:00", "shifted",
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			trig := withCalendar(t, test.plan, test.calendar)
			from, err := time.Parse(time.RFC3339, test.from)
			if err != nil {
				t.Fatal(err)
			}
			fire, ok := trig.Next(from)
			if !ok {
				t.Fatal("no fire")
			}
			got := trigger.Explain(trig, fire, trigger.English)
			if wall := got.Wall.Format(time.DateTime); wall != test.wall || string(got.Effect) != test.effect {
				t.Errorf("fire at %v: wall %s, effect %q; want %s, %q", fire, wall, got.Effect, test.wall, test.effect)
			}
		})
	}
}

func TestCalendarErrors(t *testing.T) {
	t.Parallel()
	layer := func(s string) string { return `{"layers":[{"exclude":"weekly","days":["sat"]},` + s + `]}` }
	var many []string
	for range 33 {
		many = append(many, `{"exclude":"monthly","days":[1]}`)
	}
	tests := map[string]struct{ calendar, field, message string }{
		"no object":       {`7`, "", "a calendar must be a JSON object"},
		"no JSON":         {`{"layers":[`, "", "not valid JSON: "},
		"no layers":       {`{}`, "layers", "is missing"},
		"empty":           {`{"layers":[]}`, "layers", "is empty, allowed 1 to 32 layers"},
		"too many":        {`{"layers":[` + strings.Join(many, ",") + `]}`, "layers", "has 33 layers, allowed 1 to 32"},
		"no list":         {`{"layers":{}}`, "layers", `"{}" must be a list`},
		"unknown key":     {`{"layers":[],"base":1}`, "base", "unknown key, allowed: timezone, on_closed, layers"},
		"twice":           {`{"layers":[],"layers":[]}`, "layers", "is given twice"},
		"zone":            {`{"layers":[],"timezone":"Mars/North"}`, "timezone", `"Mars/North" is not a known time zone`},
		"on_closed":       {`{"layers":[{"exclude":"monthly","days":[1]}],"on_closed":"drop"}`, "on_closed", `"drop" is not known, allowed skip, next, previous`},
		"layer no object": {layer(`"sat"`), "layers[1]", "a layer must be a JSON object"},
		"neither":         {layer(`{"days":["sat"]}`), "layers[1]", "has neither exclude nor include"},
		"both":            {layer(`{"exclude":"weekly","include":"weekly","days":["sat"]}`), "layers[1].include", "and exclude are both given"},
		"kind":            {layer(`{"exclude":"yearly","dates":["12-25"]}`), "layers[1].exclude", `"yearly" is not known, allowed weekly, dates, annual, monthly, daily, cron`},
		"kind no text":    {layer(`{"include":1}`), "layers[1].include", `"1" must be text`},
		"missing list":    {layer(`{"exclude":"weekly"}`), "layers[1].days", "is missing"},
		"other key":       {layer(`{"exclude":"weekly","dates":["2026-01-01"]}`), "layers[1].dates", "unknown key, allowed: exclude, include, days"},
		"empty weekly":    {layer(`{"exclude":"weekly","days":[]}`), "layers[1].days", "is empty, allowed one to seven weekdays"},
		"weekday":         {layer(`{"exclude":"weekly","days":["sat","sonntag"]}`), "layers[1].days[1]", `"sonntag" is not a weekday, allowed mon to sun`},
		"weekday number":  {layer(`{"exclude":"weekly","days":[6]}`), "layers[1].days[0]", `"6" must be text`},
		"empty dates":     {layer(`{"exclude":"dates","dates":[]}`), "layers[1].dates", "is empty, allowed dates such as"},
		"date":            {layer(`{"exclude":"dates","dates":["2026-12-25","2026-02-30"]}`), "layers[1].dates[1]", `"2026-02-30" is not a date, allowed dates such as "2026-12-25" and ranges such as "2026-10-01/2026-10-07"`},
		"date of year 0":  {layer(`{"exclude":"dates","dates":["0000-02-28"]}`), "layers[1].dates[0]", `"0000-02-28" is not a date of the years 1-9999`},
		"date with time":  {layer(`{"exclude":"dates","dates":["2026-12-25T00:00:00Z"]}`), "layers[1].dates[0]", `"2026-12-25T00:00:00Z" is not a date`},
		"backwards":       {layer(`{"exclude":"dates","dates":["2026-12-25/2026-12-24"]}`), "layers[1].dates[0]", `"2026-12-25/2026-12-24" runs backwards`},
		"three dates":     {layer(`{"exclude":"dates","dates":["2026-12-25/2026-12-26/2026-12-27"]}`), "layers[1].dates[0]", "is not a date"},
		"annual":          {layer(`{"exclude":"annual","dates":["12-25","02-30"]}`), "layers[1].dates[1]", `"02-30" is not a day of the year, allowed days such as "12-25" and ranges such as "12-30/01-02"`},
		"annual year":     {layer(`{"exclude":"annual","dates":["2026-12-25"]}`), "layers[1].dates[0]", "is not a day of the year"},
		"empty annual":    {layer(`{"exclude":"annual","dates":[]}`), "layers[1].dates", "is empty"},
		"monthly":         {layer(`{"exclude":"monthly","days":[1,32]}`), "layers[1].days[1]", `"32" is out of range, allowed 1-31`},
		"monthly text":    {layer(`{"exclude":"monthly","days":["1"]}`), "layers[1].days[0]", "must be a whole number"},
		"empty monthly":   {layer(`{"exclude":"monthly","days":[]}`), "layers[1].days", "is empty"},
		"daily from":      {layer(`{"exclude":"daily","from":"24:00:00","to":"13:00:00"}`), "layers[1].from", `"24:00:00" is not a time of day, allowed 00:00:00 to 23:59:59`},
		"daily to":        {layer(`{"exclude":"daily","from":"12:00:00","to":"24:00:01"}`), "layers[1].to", `"24:00:01" is not a time of day`},
		"daily no to":     {layer(`{"exclude":"daily","from":"12:00:00"}`), "layers[1].to", "is missing"},
		"daily empty":     {layer(`{"exclude":"daily","from":"12:00:00","to":"12:00"}`), "layers[1].to", `"12:00:00" is the same as from`},
		"cron":            {layer(`{"exclude":"cron","expression":"* * 25 ? * *"}`), "layers[1].expression", `"25"`},
		"cron no text":    {layer(`{"exclude":"cron","expression":7}`), "layers[1].expression", `"7" must be text`},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := trigger.ParseCalendar([]byte(test.calendar))
			e, ok := errors.AsType[*trigger.Error](err)
			if !ok {
				t.Fatalf("error = %v, want an *Error", err)
			}
			if e.Field != test.field || !strings.Contains(e.Error(), test.message) {
				t.Errorf("error = %v (field %q), want field %q and %q", err, e.Field, test.field, test.message)
			}
		})
	}
	if _, err := trigger.Parse([]byte(`{"type":"crontab","expression":"* * * * *","calendar":`+layer(`{}`)+`}`), nil); err == nil || !strings.HasPrefix(err.Error(), "calendar.layers[1]: ") {
		t.Errorf("error in a trigger = %v, want one of calendar.layers[1]", err)
	}
}

func TestNewCalendarErrors(t *testing.T) {
	t.Parallel()
	day := trigger.CivilDate{Year: 2026, Month: 2, Day: 30}
	tests := map[string]struct {
		set         trigger.CalendarSet
		field, text string
	}{
		"no set":     {trigger.CalendarSet{}, "layers[0]", "has no set"},
		"weekday":    {trigger.Weekly(time.Sunday, 7), "layers[0].days[1]", "is not a weekday"},
		"no weekday": {trigger.Weekly(), "layers[0].days", "is empty"},
		"range":      {trigger.DateRanges(trigger.DateRange{First: day}), "layers[0].dates[0]", `"2026-02-30" is not a date`},
		"no range":   {trigger.DateRanges(), "layers[0].dates", "is empty"},
		"from":       {trigger.DailyTime(24*time.Hour, time.Hour), "layers[0].from", "is not a time of day"},
		"fraction":   {trigger.DailyTime(0, time.Millisecond), "layers[0].to", "is not a time of day"},
		"negative":   {trigger.DailyTime(-time.Second, 0), "layers[0].from", "is not a time of day"},
		"expression": {trigger.CronTimes(""), "layers[0].expression", "is empty"},
		"too many":   {trigger.DateRanges(make([]trigger.DateRange, 10_001)...), "layers[0].dates[0]", "is not a date"},
	}
	for name, test := range tests {
		_, err := trigger.NewCalendar([]trigger.Layer{trigger.Exclude(test.set)}, trigger.CalendarOptions{})
		e, ok := errors.AsType[*trigger.Error](err)
		if !ok || e.Field != test.field || !strings.Contains(e.Problem+e.Error(), test.text) {
			t.Errorf("%s: error = %v, want %s: %s", name, err, test.field, test.text)
		}
	}
	ranges := slices.Repeat([]trigger.DateRange{{First: trigger.CivilDate{Year: 2026, Month: 1, Day: 1}}}, 10_001)
	if _, err := trigger.NewCalendar([]trigger.Layer{trigger.Exclude(trigger.DateRanges(ranges...))}, trigger.CalendarOptions{}); err == nil || !strings.Contains(err.Error(), "are too many") {
		t.Errorf("10001 dates: error = %v, want that they are too many", err)
	}
}

func TestCalendarJSON(t *testing.T) {
	t.Parallel()
	tests := map[string]struct{ given, want string }{
		"all kinds": {
			`{"timezone":"Asia/Shanghai","on_closed":"next","layers":[
				{"exclude":"weekly","days":["sun","SAT"]},
				{"exclude":"dates","dates":["2026-10-01/2026-10-07","2026-12-25/2026-12-25"]},
				{"days":[31,1,1],"exclude":"monthly"},
				{"include":"annual","dates":["12-25","12-30/01-02"]},
				{"exclude":"daily","from":"12:00","to":"13:30:00"},
				{"include":"daily","from":"22:00","to":"00:00"},
				{"exclude":"cron","expression":" * * 0-6 ? * * "}]}`,
			`{"timezone":"Asia/Shanghai","on_closed":"next","layers":[` +
				`{"exclude":"weekly","days":["sat","sun"]},` +
				`{"exclude":"dates","dates":["2026-10-01/2026-10-07","2026-12-25"]},` +
				`{"exclude":"monthly","days":[1,31]},` +
				`{"include":"annual","dates":["12-25","12-30/01-02"]},` +
				`{"exclude":"daily","from":"12:00:00","to":"13:30:00"},` +
				`{"include":"daily","from":"22:00:00","to":"24:00:00"},` +
				`{"exclude":"cron","expression":"* * 0-6 ? * *"}]}`,
		},
		"defaults are left out": {
			`{"on_closed":"skip","layers":[{"include":"monthly","days":[7]}]}`,
			`{"layers":[{"include":"monthly","days":[7]}]}`,
		},
	}
	for name, test := range tests {
		c, err := trigger.ParseCalendar([]byte(test.given))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		for range 2 {
			got, err := json.Marshal(c)
			if err != nil {
				t.Fatalf("%s: Marshal: %v", name, err)
			}
			if diff := cmp.Diff(test.want, string(got)); diff != "" {
				t.Errorf("%s: JSON (-want +got):\n%s", name, diff)
			}
			if c, err = trigger.ParseCalendar(got); err != nil {
				t.Fatalf("%s: again: %v", name, err)
			}
		}
	}
	local, err := trigger.NewCalendar([]trigger.Layer{trigger.Exclude(trigger.Monthly(1))}, trigger.CalendarOptions{Zone: time.FixedZone("", 3600)})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := json.Marshal(local); err == nil {
		t.Error("Marshal of a zone without a name gives no error")
	}
}

func TestCalendarWords(t *testing.T) {
	t.Parallel()
	tests := map[string]struct{ calendar, english, chinese string }{
		"working days": {
			`{"on_closed":"next","layers":[{"exclude":"weekly","days":["sat","sun"]},{"exclude":"dates","dates":["2026-10-01/2026-10-07"]}]}`,
			"on Monday to Friday except 2026-10-01 to 2026-10-07, moved to the next open day",
			"仅限开放日（周六、周日、2026-10-01 至 2026-10-07 除外），遇非开放日则顺延到下一个开放日",
		},
		"make-up days": {
			`{"on_closed":"previous","layers":[{"exclude":"weekly","days":["sat","sun"]},{"exclude":"dates","dates":["2026-10-01/2026-10-07"]},{"include":"dates","dates":["2026-09-20","2026-10-10"]}]}`,
			"on Monday to Friday except 2026-10-01 to 2026-10-07, and also on 2026-09-20 and 2026-10-10, moved to the open day before",
			"仅限开放日（周六、周日、2026-10-01 至 2026-10-07 除外，2026-09-20、2026-10-10 开放），遇非开放日则提前到上一个开放日",
		},
		"long lists are counted": {
			`{"layers":[{"exclude":"dates","dates":["2026-12-25","2026-01-01/2026-01-03","2026-04-06","2026-05-01","2026-05-01"]},{"include":"annual","dates":["12-25","01-01","02-28/03-01","05-01","05-02"]}]}`,
			"on all days except 6 days between 2026-01-01 and 2026-12-25, and also on 7 days of each year",
			"仅限开放日（2026-01-01 至 2026-12-25 间的 6 天除外，每年 7 天开放）",
		},
		"annual and monthly": {
			`{"layers":[{"exclude":"annual","dates":["12-25","12-30/01-02"]},{"exclude":"monthly","days":[1,31]}]}`,
			"on all days except 25 December and 30 December to 2 January of each year and days 1 and 31 of the month",
			"仅限开放日（每年 12 月 25 日、12 月 30 日至 1 月 2 日、每月 1、31 日除外）",
		},
		"included first": {
			`{"layers":[{"include":"monthly","days":[1,2,3]},{"exclude":"weekly","days":["sat"]},{"include":"daily","from":"09:00","to":"24:00"},{"exclude":"daily","from":"12:00","to":"13:30:30"}]}`,
			"only on days 1-3 of the month except Saturday, only from 09:00 to 24:00, but not from 12:00 to 13:30:30",
			"仅限开放日（仅每月 1–3 日，周六除外）的开放时段（仅 09:00–24:00，12:00–13:30:30 除外）",
		},
		"times only": {
			`{"on_closed":"next","layers":[{"exclude":"daily","from":"12:00","to":"13:30"},{"exclude":"cron","expression":"* * 0-6 ? * *"},{"include":"cron","expression":"0 0 3 ? * *"}]}`,
			`not from 12:00 to 13:30 or when "* * 0-6 ? * *" matches, but also when "0 0 3 ? * *" matches`,
			"仅限开放时段（12:00–13:30、符合“* * 0-6 ? * *”的时段除外，符合“0 0 3 ? * *”的时段开放）",
		},
		"no day": {
			`{"layers":[{"exclude":"weekly","days":["mon","tue","wed","thu","fri","sat","sun"]}]}`,
			"on no day",
			"仅限开放日（周一至周日除外）",
		},
	}
	for name, test := range tests {
		trig := withCalendar(t, crontabJSON("0 9 * * *", "UTC"), test.calendar)
		if got := trigger.Describe(trig, trigger.English); !strings.HasSuffix(got, test.english) {
			t.Errorf("%s: English is %q, want %q at its end", name, got, test.english)
		}
		if got := trigger.Describe(trig, trigger.Chinese); !strings.HasSuffix(got, test.chinese) {
			t.Errorf("%s: Chinese is %q, want %q at its end", name, got, test.chinese)
		}
	}
}

func ExampleNewCalendar() {
	shanghai, err := time.LoadLocation("Asia/Shanghai")
	if err != nil {
		fmt.Println(err)
		return
	}
	// The arrangement of the State Council for the National Day of 2026: seven
	// days off, for which a Sunday and a Saturday are worked (调休).
	calendar, err := trigger.NewCalendar([]trigger.Layer{
		trigger.Exclude(trigger.Weekly(time.Saturday, time.Sunday)),
		trigger.Exclude(trigger.Days("2026-09-25/2026-09-27", "2026-10-01/2026-10-07")),
		trigger.Include(trigger.Days("2026-09-20", "2026-10-10")),
	}, trigger.CalendarOptions{})
	if err != nil {
		fmt.Println(err)
		return
	}
	plan, err := trigger.NewCrontab("30 8 * * *", trigger.Options{Zone: shanghai})
	if err != nil {
		fmt.Println(err)
		return
	}
	t, err := trigger.Modify(plan, trigger.Modifiers{Calendar: calendar})
	if err != nil {
		fmt.Println(err)
		return
	}
	at := time.Date(2026, 9, 30, 0, 0, 0, 0, shanghai)
	for range 4 {
		at, _ = t.Next(at)
		fmt.Println(at.Format("Mon 2006-01-02 15:04"))
	}
	fmt.Println(calendar.Open(time.Date(2026, 10, 5, 9, 0, 0, 0, shanghai)))
	// Output:
	// Wed 2026-09-30 08:30
	// Thu 2026-10-08 08:30
	// Fri 2026-10-09 08:30
	// Sat 2026-10-10 08:30
	// false
}

func ExampleParseCalendar() {
	// A report of the 1st and the 15th, moved to the next working day.
	calendar, err := trigger.ParseCalendar([]byte(`{"on_closed":"next","layers":[
		{"exclude":"weekly","days":["sat","sun"]},
		{"exclude":"annual","dates":["12-24/01-02"]}]}`))
	if err != nil {
		fmt.Println(err)
		return
	}
	plan, err := trigger.NewCrontab("0 18 1,15 * *", trigger.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	t, err := trigger.Modify(plan, trigger.Modifiers{Calendar: calendar})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, fire := range trigger.Preview(t, time.Date(2026, 11, 3, 0, 0, 0, 0, time.UTC), 4, trigger.English) {
		fmt.Println(fire.Time.Format("Mon 2006-01-02 15:04"), "for", fire.Wall.Format("Mon 2006-01-02"))
	}

	_, err = trigger.ParseCalendar([]byte(`{"layers":[{"exclude":"dates","dates":["2026-02-30"]}]}`))
	fmt.Println(err)
	// Output:
	// Mon 2026-11-16 18:00 for Sun 2026-11-15
	// Tue 2026-12-01 18:00 for Tue 2026-12-01
	// Tue 2026-12-15 18:00 for Tue 2026-12-15
	// Mon 2027-01-04 18:00 for Fri 2027-01-01
	// layers[0].dates[0]: "2026-02-30" is not a date, allowed dates such as "2026-12-25" and ranges such as "2026-10-01/2026-10-07"
}

// drawnLayer is a layer with what it names.
type drawnLayer struct {
	json   string
	open   bool
	ofDays bool
	names  func(wall time.Time) bool
}

// drawnCalendar is the oracle of a calendar.
type drawnCalendar struct {
	layers   []drawnLayer
	zone     *time.Location
	onClosed string
}

func (c *drawnCalendar) json() string {
	var list []string
	for _, l := range c.layers {
		list = append(list, l.json)
	}
	return fmt.Sprintf(`{"timezone":%q,"on_closed":%q,"layers":[%s]}`, c.zone, c.onClosed, strings.Join(list, ","))
}

// level tells what the layers of days, or of times, say of a wall-clock time.
func (c *drawnCalendar) level(wall time.Time, ofDays bool) bool {
	isOpen, first := true, true
	for _, l := range c.layers {
		if l.ofDays != ofDays {
			continue
		}
		if first {
			isOpen, first = !l.open, false
		}
		if l.names(wall) {
			isOpen = l.open
		}
	}
	return isOpen
}

func (c *drawnCalendar) open(wall time.Time) bool { return c.level(wall, true) && c.level(wall, false) }

// target gives the day on which the fires of a day take place.
func (c *drawnCalendar) target(day time.Time) (time.Time, bool) {
	if c.level(day, true) {
		return day, true
	}
	step := map[string]int{"next": 1, "previous": -1}[c.onClosed]
	for n := 1; n <= 366 && step != 0; n++ {
		if d := day.AddDate(0, 0, n*step); c.level(d, true) {
			return d, true
		}
	}
	return day, false
}

// resolveWall gives the first instant at which the clocks show a time or later.
func resolveWall(wall time.Time, zone *time.Location) (at time.Time, exists bool) {
	_, before := wall.Add(-30 * time.Hour).In(zone).Zone()
	_, after := wall.Add(30 * time.Hour).In(zone).Zone()
	if before == after { // which is quick; nowhere do clocks go there and back so soon
		return wall.Add(-time.Duration(before) * time.Second), true
	}
	for h := -30; h <= 30; h++ { // an offset each; the earliest instant wins
		_, offset := wall.Add(time.Duration(h) * time.Hour).In(zone).Zone()
		t := wall.Add(-time.Duration(offset) * time.Second)
		if wallClock(t, zone).Equal(wall.Truncate(time.Second)) && (!exists || t.Before(at)) {
			at, exists = t, true
		}
	}
	if exists {
		return at, true
	}
	for at = wall.Add(-30 * time.Hour).In(zone); ; {
		if _, at = at.ZoneBounds(); !wallClock(at, zone).Before(wall.Truncate(time.Second)) {
			return at, false
		}
	}
}

// fires gives the fires that a calendar makes of those of a trigger, from one
// instant, itself not counted, to another, with what they came of.
func (c *drawnCalendar) fires(t trigger.Trigger, from, to time.Time) map[time.Time][]time.Time {
	fires := map[time.Time][]time.Time{}
	add := func(at, origin time.Time) {
		if at.After(from) && !at.After(to) && c.open(wallClock(at, c.zone)) {
			at = at.UTC()
			fires[at] = append(fires[at], origin)
		}
	}
	begin := wallClock(from, c.zone).AddDate(0, 0, -2).Truncate(24 * time.Hour)
	end := wallClock(to, c.zone).AddDate(0, 0, 2)
	for day := begin.AddDate(0, 0, -366); day.Before(end.AddDate(0, 0, 366)); day = day.AddDate(0, 0, 1) {
		target, ok := c.target(day)
		if !ok || target.Before(begin) || target.After(end) {
			continue
		}
		at, last := day.Add(-27*time.Hour), day.Add(51*time.Hour) // of any clock that shows the day
		if first, exists := resolveWall(day, c.zone); exists {
			at = first.Add(-2 * time.Hour)
			last = first.Add(27 * time.Hour)
		}
		at = at.Add(-1)
		for {
			fire, ok := t.Next(at)
			if !ok || fire.After(last) {
				break
			}
			at = fire
			wall := wallClock(fire, c.zone)
			if !wall.Truncate(24 * time.Hour).Equal(day) {
				continue
			}
			if target.Equal(day) {
				add(fire, fire)
				continue
			}
			fraction := time.Duration(fire.Nanosecond())
			to, exists := resolveWall(target.Add(wall.Sub(day)), c.zone)
			if exists {
				to = to.Add(fraction)
			}
			add(to, fire)
		}
	}
	return fires
}

func drawDates(t *rapid.T, around time.Time) (list []string, names func(time.Time) bool) {
	var ranges [][2]string
	for range rapid.IntRange(1, 4).Draw(t, "dates") {
		first := around.AddDate(0, 0, rapid.IntRange(-20, 40).Draw(t, "date"))
		last := first.AddDate(0, 0, rapid.SampledFrom([]int{0, 0, 1, 2, 7, 30, 360, 400}).Draw(t, "length"))
		r := [2]string{first.Format(time.DateOnly), last.Format(time.DateOnly)}
		ranges = append(ranges, r)
		if r[0] == r[1] {
			list = append(list, r[0])
		} else {
			list = append(list, r[0]+"/"+r[1])
		}
	}
	return list, func(wall time.Time) bool {
		day := wall.Format(time.DateOnly)
		return slices.ContainsFunc(ranges, func(r [2]string) bool { return r[0] <= day && day <= r[1] })
	}
}

func drawLayer(t *rapid.T, around time.Time) drawnLayer {
	l := drawnLayer{open: rapid.IntRange(0, 2).Draw(t, "include") == 0, ofDays: true}
	kind := rapid.SampledFrom([]string{"weekly", "weekly", "dates", "dates", "annual", "monthly", "daily", "cron"}).Draw(t, "kind")
	var rest any
	switch kind {
	case "weekly":
		days := rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"}), 1, 7, rapid.ID).Draw(t, "weekdays")
		rest = map[string]any{"days": days}
		l.names = func(wall time.Time) bool {
			return slices.Contains(days, strings.ToLower(wall.Weekday().String()[:3]))
		}
	case "dates":
		list, names := drawDates(t, around)
		rest, l.names = map[string]any{"dates": list}, names
	case "annual":
		first := around.AddDate(0, 0, rapid.IntRange(-15, 30).Draw(t, "first")).Format("01-02")
		last := around.AddDate(0, 0, rapid.IntRange(-15, 60).Draw(t, "last")).Format("01-02")
		rest = map[string]any{"dates": []string{first + "/" + last}}
		l.names = func(wall time.Time) bool {
			day := wall.Format("01-02")
			if first <= last {
				return first <= day && day <= last
			}
			return first <= day || day <= last
		}
	case "monthly":
		days := rapid.SliceOfN(rapid.IntRange(1, 31), 1, 8).Draw(t, "days of the month")
		rest = map[string]any{"days": days}
		l.names = func(wall time.Time) bool { return slices.Contains(days, wall.Day()) }
	case "daily":
		l.ofDays = false
		clock := rapid.Custom(func(t *rapid.T) string {
			s := rapid.IntRange(0, 1439).Draw(t, "minute") * 60
			if rapid.IntRange(0, 3).Draw(t, "seconds") == 0 {
				s += rapid.IntRange(0, 59).Draw(t, "second")
			}
			return fmt.Sprintf("%02d:%02d:%02d", s/3600, s/60%60, s%60)
		})
		from := clock.Draw(t, "from")
		to := clock.Filter(func(s string) bool { return s != from }).Draw(t, "to")
		rest = map[string]any{"from": from, "to": to}
		l.names = func(wall time.Time) bool {
			at := wall.Format(time.TimeOnly)
			if from < to {
				return from <= at && at < to
			}
			return from <= at || at < to
		}
	case "cron":
		l.ofDays = false
		second, minute := everyValue(0, 59), everyValue(0, 59)
		if rapid.Bool().Draw(t, "fine") {
			second, minute = drawField(t, "cron second", 0, 59, true), drawField(t, "cron minute", 0, 59, true)
		}
		hour, month := drawField(t, "cron hour", 0, 23, true), drawField(t, "cron month", 1, 12, true)
		day, weekday := drawField(t, "cron day", 1, 31, true), drawnField{text: "?"}
		if rapid.Bool().Draw(t, "by weekday") {
			day, weekday = weekday, drawField(t, "cron weekday", 1, 7, true)
		}
		rest = map[string]any{"expression": strings.Join([]string{second.text, minute.text, hour.text, day.text, month.text, weekday.text}, " ")}
		l.names = func(wall time.Time) bool {
			return second.values[wall.Second()] && minute.values[wall.Minute()] && hour.values[wall.Hour()] && month.values[int(wall.Month())] &&
				(day.text == "?" || day.values[wall.Day()]) && (weekday.text == "?" || weekday.values[int(wall.Weekday())+1])
		}
	}
	data, err := json.Marshal(rest)
	if err != nil {
		t.Fatal(err)
	}
	verb := "exclude"
	if l.open {
		verb = "include"
	}
	l.json = fmt.Sprintf(`{%q:%q,%s`, verb, kind, data[1:])
	return l
}

func drawCalendarZone(t *rapid.T) *time.Location {
	return loadZone(t, rapid.SampledFrom([]string{
		"UTC", "Europe/Berlin", "America/New_York", "Asia/Shanghai", "America/St_Johns", "America/Santiago", "Australia/Lord_Howe", "Pacific/Apia",
	}).Draw(t, "zone"))
}

// drawPlan draws the JSON of a trigger that is not too dense for the oracle.
func drawPlan(t *rapid.T, zone *time.Location, around time.Time) string {
	if rapid.IntRange(0, 5).Draw(t, "interval") == 0 {
		seconds := rapid.SampledFrom([]float64{613.25, 3600, 4321.5, 86400, 100_000.125, 604800}).Draw(t, "every")
		return fmt.Sprintf(`{"type":"interval","seconds":%v,"start_date":%q}`, seconds, around.AddDate(0, 0, -500).Format(time.RFC3339))
	}
	minute, hour := drawField(t, "minute", 0, 59, false), drawField(t, "hour", 0, 23, false)
	day, weekday := everyValue(1, 31), everyValue(0, 6)
	switch rapid.IntRange(0, 3).Draw(t, "days") {
	case 0:
		day = drawField(t, "day", 1, 31, false)
	case 1, 2:
		weekday = drawField(t, "weekday", 0, 6, false)
	}
	bounds := ""
	if rapid.IntRange(0, 3).Draw(t, "bounds") == 0 {
		start := around.Add(time.Duration(rapid.IntRange(-100, 300).Draw(t, "start")) * time.Hour)
		bounds = fmt.Sprintf(`,"start_date":%q,"end_date":%q`, start.Format(time.RFC3339), start.AddDate(0, 0, rapid.IntRange(0, 30).Draw(t, "end")).Format(time.RFC3339))
	}
	return fmt.Sprintf(`{"type":"crontab","timezone":%q,"expression":"%s %s %s * %s"%s}`, zone, minute.text, hour.text, day.text, weekday.text, bounds)
}

func TestCalendarAgainstOracle(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		c := &drawnCalendar{zone: drawCalendarZone(t), onClosed: rapid.SampledFrom([]string{"skip", "next", "next", "previous", "previous"}).Draw(t, "on_closed")}
		from := drawInstant(t, c.zone).AddDate(0, 0, -rapid.IntRange(0, 12).Draw(t, "before")).UTC()
		for range rapid.IntRange(1, 4).Draw(t, "layers") {
			c.layers = append(c.layers, drawLayer(t, wallClock(from, c.zone)))
		}
		zone := c.zone
		if rapid.IntRange(0, 3).Draw(t, "other zone") == 0 {
			zone = drawCalendarZone(t)
		}
		planJSON := drawPlan(t, zone, from)
		plan, err := trigger.Parse([]byte(planJSON), nil)
		if err != nil {
			t.Fatalf("Parse(%s): %v", planJSON, err)
		}
		calendar, err := trigger.ParseCalendar([]byte(c.json()))
		if err != nil {
			t.Fatalf("ParseCalendar(%s): %v", c.json(), err)
		}
		trig, err := trigger.Modify(plan, trigger.Modifiers{Calendar: calendar})
		if err != nil {
			t.Fatal(err)
		}
		to := from.AddDate(0, 0, 21)
		of := c.fires(plan, from, to)
		bounds := struct {
			Start time.Time `json:"start_date"`
			End   time.Time `json:"end_date"`
		}{}
		if err := json.Unmarshal([]byte(planJSON), &bounds); err != nil {
			t.Fatal(err)
		}
		var want []time.Time
		for at := range of {
			if at.Before(bounds.Start) || !bounds.End.IsZero() && at.After(bounds.End) {
				continue
			}
			want = append(want, at)
		}
		slices.SortFunc(want, time.Time.Compare)
		at := from
		for i := 0; ; i++ {
			fire, ok := trig.Next(at)
			if !ok || fire.After(to) {
				if i < len(want) {
					t.Fatalf("%s with %s\nNext(%v) = %v, %v; want %v of %v", planJSON, c.json(), at, fire, ok, want[i], of[want[i]])
				}
				break
			}
			if i == len(want) || !fire.Equal(want[i]) {
				t.Fatalf("%s with %s\nNext(%v) = %v, want %v", planJSON, c.json(), at, fire, append(want, time.Time{})[i])
			}
			if !calendar.Open(fire) {
				t.Fatalf("%s with %s\nfire %v is not open", planJSON, c.json(), fire)
			}
			if i%16 == 0 {
				origins := of[want[i]]
				explained := trigger.Explain(trig, fire, trigger.English)
				moved := !slices.ContainsFunc(origins, fire.Equal)
				if (explained.Effect == trigger.EffectShifted) != moved {
					t.Fatalf("%s with %s\n%v is of %v, but explained as %+v", planJSON, c.json(), fire, origins, explained)
				}
			}
			at = fire
		}
	})
}

// FuzzCalendar reads anything, and wants of what is a calendar that it is
// written as it was read, that its fires are later and open, and that each call
// ends.
func FuzzCalendar(f *testing.F) {
	for _, calendar := range []string{
		`{"timezone":"Asia/Shanghai","on_closed":"next","layers":[{"exclude":"weekly","days":["sat","sun"]},{"exclude":"dates","dates":["2026-10-01/2026-10-07","2026-12-25"]},{"include":"dates","dates":["2026-09-27","2026-10-10"]}]}`,
		`{"on_closed":"previous","layers":[{"exclude":"annual","dates":["12-25","12-30/01-02"]},{"exclude":"monthly","days":[1,31]}]}`,
		`{"layers":[{"exclude":"daily","from":"12:00:00","to":"13:30:00"},{"exclude":"cron","expression":"* * 0-6 ? * *"}]}`,
		`{"layers":[{"include":"daily","from":"22:00","to":"06:00"},{"include":"cron","expression":"0/2 1/3 * L-3W * ? 2026-2030"}]}`,
		`{"layers":[]}`, `{`, `[]`, `{"layers":[{}]}`,
	} {
		f.Add([]byte(calendar), "*/7 3 * * *", int64(1793955600))
	}
	f.Add([]byte(`{"on_closed":"next","layers":[{"include":"dates","dates":["9999-12-31"]}]}`), "* * * * * *", int64(253402300000))
	f.Fuzz(func(t *testing.T, data []byte, expr string, from int64) {
		c, err := trigger.ParseCalendar(data)
		if err != nil {
			if _, ok := errors.AsType[*trigger.Error](err); !ok {
				t.Errorf("error of %q is %T, want *Error", data, err)
			}
			return
		}
		text, err := json.Marshal(c)
		if err != nil {
			t.Fatalf("Marshal of %q: %v", data, err)
		}
		again, err := trigger.ParseCalendar(text)
		if err != nil {
			t.Fatalf("Parse of %s: %v", text, err)
		}
		if twice, err := json.Marshal(again); err != nil || string(twice) != string(text) {
			t.Errorf("%s becomes %s, %v", text, twice, err)
		}
		plan, err := trigger.NewCrontab(expr, trigger.Options{})
		if err != nil {
			return
		}
		trig, err := trigger.Modify(plan, trigger.Modifiers{Calendar: c})
		if err != nil {
			return
		}
		trigger.Describe(trig, trigger.English)
		trigger.Describe(trig, trigger.Chinese)
		for at, n := time.Unix(from, 0), 0; n < 5; n++ {
			fire, ok := trig.Next(at)
			if !ok {
				break
			}
			if !fire.After(at) || !c.Open(fire) {
				t.Fatalf("%s, %q: Next(%v) = %v, open %v", text, expr, at, fire, c.Open(fire))
			}
			at = fire
		}
	})
}

func BenchmarkCalendar(b *testing.B) {
	const (
		weekend  = `{"exclude":"weekly","days":["sat","sun"]}`
		holidays = weekend + `,{"exclude":"dates","dates":["2026-01-01/2026-01-03","2026-02-15/2026-02-23","2026-04-04/2026-04-06","2026-05-01/2026-05-05","2026-06-19/2026-06-21","2026-09-25/2026-09-27","2026-10-01/2026-10-07"]},{"include":"dates","dates":["2026-01-04","2026-02-14","2026-02-28","2026-05-09","2026-09-20","2026-10-10"]}`
		hours    = `{"include":"daily","from":"09:00:00","to":"18:00:00"}`
	)
	daily := crontabJSON("30 9 * * *", "Asia/Shanghai")
	second := `{"type":"interval","seconds":1,"start_date":"2026-01-01T00:00:00Z","timezone":"Asia/Shanghai"}`
	for _, bench := range []struct{ name, plan, calendar string }{
		{"daily/weekend", daily, `{"layers":[` + weekend + `]}`},
		{"daily/holidays", daily, `{"layers":[` + holidays + `]}`},
		{"daily/holidays/next", daily, `{"on_closed":"next","layers":[` + holidays + `]}`},
		{"daily/holidays/previous", daily, `{"on_closed":"previous","layers":[` + holidays + `]}`},
		{"berlin/weekend/next", crontabJSON("30 9 * * *", "Europe/Berlin"), `{"on_closed":"next","layers":[` + weekend + `]}`},
		{"every minute/hours", crontabJSON("* * * * *", "Asia/Shanghai"), `{"layers":[` + hours + `]}`},
		{"every minute/cron", crontabJSON("* * * * *", "Asia/Shanghai"), `{"layers":[{"exclude":"cron","expression":"* * 0-8,18-23 ? * *"}]}`},
		{"every second/holidays/next", second, `{"on_closed":"next","layers":[` + holidays + `]}`},
		{"never/times", crontabJSON("0 3 * * *", "Asia/Shanghai"), `{"layers":[` + hours + `]}`},
		{"never/times/next", crontabJSON("0 3 * * *", "Asia/Shanghai"), `{"on_closed":"next","layers":[` + weekend + `,` + hours + `]}`},
		{"never/times/one day a year", crontabJSON("* 3 * * *", "Asia/Shanghai"), `{"on_closed":"next","layers":[{"include":"annual","dates":["06-01"]},` + hours + `]}`},
		{"never/cron", second, `{"layers":[{"exclude":"cron","expression":"0/2 * * ? * MON-FRI"},{"exclude":"cron","expression":"1/2 * * ? * *"},{"exclude":"cron","expression":"0/2 * * ? * SAT,SUN"}]}`},
		{"never/days", second, `{"layers":[{"include":"dates","dates":["2025-01-01"]}]}`},
	} {
		b.Run(bench.name, func(b *testing.B) {
			trig := withCalendar(b, bench.plan, bench.calendar)
			begin := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
			b.ReportAllocs()
			at := begin
			for b.Loop() {
				var ok bool
				if at, ok = trig.Next(at); !ok {
					at = begin
				}
			}
		})
	}
}
