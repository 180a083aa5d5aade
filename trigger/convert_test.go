package trigger_test

import (
	"errors"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/jobcenter-go/jobcenter/trigger"
)

func TestConvert(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ from, kind, want string }{
		{`crontab "*/5 9-17 * * mon-fri"`, "quartz", `quartz "0 */5 9-17 ? * MON-FRI" timezone=UTC`},
		{`crontab "0 0 * * 0"`, "cron", `cron day_of_week=sun hour=0 minute=0 second=0 timezone=UTC`},
		{`crontab "0 9 * * 5-7"`, "quartz", `quartz "0 0 9 ? * FRI,SAT,SUN" timezone=UTC`},
		{`crontab "0 9 * * 5#2" extensions=true`, "cron", `cron day="2nd fri" hour=9 minute=0 second=0 timezone=UTC`},
		{`crontab "0 0 L * *" extensions=true timezone=Asia/Shanghai`, "quartz", `quartz "0 0 0 L * ?" timezone=Asia/Shanghai`},
		{`crontab "0 0 1 1 * * 2027-2030"`, "quartz", `quartz "0 0 1 1 * ? 2027-2030" timezone=UTC`},
		{`quartz "0 0 12 ? * 6L"`, "crontab", `crontab "0 12 * * friL" extensions=true timezone=UTC`},
		{`quartz "0 0/10 2 * * ?" timezone=Europe/Berlin`, "crontab", `crontab "*/10 2 * * *" timezone=Europe/Berlin on_gap=after on_fold=first`},
		{`quartz "0 30 22-2 ? NOV-FEB *"`, "crontab", `crontab "30 0-2,22,23 * 1,2,11,12 *" timezone=UTC`},
		{`quartz "15 30 2 15W * ?"`, "crontab", `crontab "15 30 2 15W * *" extensions=true timezone=UTC`},
		{`cron day="last" hour=3`, "quartz", `quartz "0 0 3 L * ?" timezone=UTC`},
		{`cron day="last fri" hour=3`, "crontab", `crontab "0 3 * * friL" extensions=true timezone=UTC`},
		{`cron hour=9 jitter=30s end_date=2030-01-01`, "crontab", `crontab "0 9 * * *" timezone=UTC end_date=2030-01-01T00:00:00Z jitter=30s`},
		{`cron day="*/2" day_of_week=mon`, "crontab", `crontab "0 0 */2 * mon" timezone=UTC`},
		{`interval minutes=90`, "crontab", `crontab "@every 1h30m0s" timezone=UTC`},
		{`crontab "@every 90m"`, "interval", `interval minutes=90 timezone=UTC`},
		{`date 2026-11-06T16:30:05`, "quartz", `quartz "5 30 16 6 11 ? 2026" timezone=UTC`},
		{`date 2026-11-06T16:30:05`, "crontab", `crontab "5 30 16 6 11 * 2026" timezone=UTC`},
		{`calendar_interval months=3 hour=9 start_date=2026-02-28`, "crontab", `crontab "0 9 28 2-11/3 *" timezone=UTC start_date=2026-02-28T00:00:00Z`},
		{`calendar_interval months=1 hour=9 start_date=2026-01-31 on_short_month=last`, "quartz", `quartz "0 0 9 L * ?" timezone=UTC start_date=2026-01-31T00:00:00Z`},
		{`calendar_interval weeks=1 hour=9 start_date=2026-11-23`, "cron", `cron day_of_week=mon hour=9 minute=0 second=0 timezone=UTC start_date=2026-11-23T00:00:00Z`},
		{`cron hour=9`, "cron", `cron hour=9 timezone=UTC`},

		{`crontab "0 0 1 * mon"`, "quartz", "crontab cannot be converted to quartz: a day that either"},
		{`crontab "0 0 1 * mon"`, "cron", "crontab cannot be converted to cron: a day that either"},
		{`cron week=5`, "crontab", "it has no ISO weeks"},
		{`cron day=13 day_of_week=fri`, "crontab", "must match both"},
		{`cron day=13 day_of_week=fri`, "quartz", "it has days of the month or of the week, not both"},
		{`quartz "0 0 0 L-3 * ?"`, "cron", "neither days before the last"},
		{`quartz "0 0 0 15W * ?"`, "cron", "nor nearest working days"},
		{`cron day="1st mon,3rd mon"`, "quartz", "names a weekday of the month beside others"},
		{`cron year="2190-2300" hour=1`, "quartz", "allowed 1970-2199"},
		{`crontab "H 0 * * *"`, "quartz", "the job's id chooses"},
		{`interval minutes=5`, "quartz", "it has no such plans"},
		{`interval minutes=5`, "date", "only cron, crontab and quartz"},
		{`cron hour=5`, "interval", "only cron, crontab and quartz"},
		{`cron hour=5`, "nonsense", "only cron, crontab and quartz"},
		{`crontab @reboot`, "quartz", "it has no such plans"},
		{`date 2026-10-25T02:30:00+01:00 timezone=Europe/Berlin`, "cron", "the second time"},
		{`date 2026-10-25T02:30:00.5`, "cron", "no fractions"},
		{`calendar_interval months=5 start_date=2026-01-01`, "crontab", "the distance is not"},
		{`calendar_interval months=1 start_date=2026-01-30 on_short_month=last`, "crontab", "short months"},
		{`daily_time_interval every=10 unit=minute`, "crontab", "it has no such plans"},
	} {
		from, err := trigger.ParseText(test.from, nil)
		if err != nil {
			t.Errorf("%s: %v", test.from, err)
			continue
		}
		to, err := trigger.Convert(from, test.kind)
		if err != nil {
			if _, ok := errors.AsType[*trigger.Error](err); !ok || !strings.Contains(err.Error(), test.want) {
				t.Errorf("%s to %s: %v, want %s", test.from, test.kind, err, test.want)
			}
			continue
		}
		if got, err := trigger.Text(to); err != nil || got != test.want {
			t.Errorf("%s to %s:\n got %s, %v\nwant %s", test.from, test.kind, got, err, test.want)
		}
	}
}

// TestConvertKeepsFires converts plans that were drawn, and compares fires near
// changes of the clocks and far from them.
func TestConvertKeepsFires(t *testing.T) {
	t.Parallel()
	converted := map[string]int{}
	rapid.Check(t, func(t *rapid.T) {
		zone := loadZone(t, rapid.SampledFrom(zoneNames()).Draw(t, "zone"))
		opts := trigger.Options{
			Zone:   zone,
			OnGap:  rapid.SampledFrom([]trigger.OnGap{"", "", trigger.GapAfter, trigger.GapSkip}).Draw(t, "on_gap"),
			OnFold: rapid.SampledFrom([]trigger.OnFold{"", "", trigger.FoldFirst, trigger.FoldSecond, trigger.FoldBoth}).Draw(t, "on_fold"),
		}
		var from trigger.Trigger
		var err error
		if rapid.Bool().Draw(t, "crontab") {
			expr, _, _ := drawCrontab(t)
			from, err = trigger.NewCrontab(expr, opts)
		} else {
			spec, _, _ := drawCron(t)
			from, err = trigger.NewCron(spec, opts)
		}
		if err != nil {
			t.Fatal(err)
		}
		kind := rapid.SampledFrom([]string{"cron", "crontab", "quartz"}).Draw(t, "kind")
		to, err := trigger.Convert(from, kind)
		if err != nil {
			return
		}
		converted[kind]++
		at := drawInstant(t, zone)
		for range 20 {
			want, ok := from.Next(at)
			got, ok2 := to.Next(at)
			if ok != ok2 || !got.Equal(want) {
				a, _ := trigger.Text(from)
				b, _ := trigger.Text(to)
				t.Fatalf("%s became %s: after %v %v, %v instead of %v, %v", a, b, at, got, ok2, want, ok)
			}
			if !ok {
				break
			}
			at = want
		}
	})
	for _, kind := range []string{"cron", "crontab", "quartz"} {
		if converted[kind] == 0 {
			t.Errorf("no plan could be converted to %s", kind)
		}
	}
}

func TestConvertedPartsAndNil(t *testing.T) {
	t.Parallel()
	if _, err := trigger.Convert(foreign{}, "cron"); err == nil {
		t.Error("a foreign trigger was converted")
	}
	or, err := trigger.ParseText(`or (crontab "0 9 * * *") (date 2026-01-01)`, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := trigger.Convert(or, "crontab"); err == nil {
		t.Error("a combination was converted")
	}
}

func TestText(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"*/5 * * * *":                           `crontab "*/5 * * * *" timezone=Europe/Berlin`,
		"@daily":                                `crontab @daily timezone=Europe/Berlin`,
		"CRON_TZ=Asia/Tokyo 0 9 * * *":          `crontab "0 9 * * *" timezone=Asia/Tokyo`,
		` crontab  "0 9 * * *"  timezone=UTC `:  `crontab "0 9 * * *" timezone=UTC`,
		`crontab expression="0 9 * * *"`:        `crontab "0 9 * * *" timezone=Europe/Berlin`,
		"cron hour=9 minute=*/5":                "cron hour=9 minute=*/5 timezone=Europe/Berlin",
		`cron day="3rd fri" hour=0-3`:           `cron day="3rd fri" hour=0-3 timezone=Europe/Berlin`,
		"cron":                                  "cron timezone=Europe/Berlin",
		"interval minutes=2 seconds=0.5":        "interval seconds=120.5 timezone=Europe/Berlin",
		"date 2026-11-06":                       "date 2026-11-06T00:00:00+01:00 timezone=Europe/Berlin",
		`dates run_dates=["2026-11-06"]`:        `dates run_dates=["2026-11-06T00:00:00+01:00"] timezone=Europe/Berlin`,
		`quartz "0 0 12 L * ?" on_fold=both`:    `quartz "0 0 12 L * ?" timezone=Europe/Berlin on_fold=both`,
		"or (@daily) (interval hours=7)":        "",
		"or (cron hour=9) (interval hours=7)":   "or (cron hour=9 timezone=Europe/Berlin) (interval hours=7 timezone=Europe/Berlin) timezone=Europe/Berlin",
		"and(cron hour=9)(or(cron day=1))":      "and (cron hour=9 timezone=Europe/Berlin) (or (cron day=1 timezone=Europe/Berlin) timezone=Europe/Berlin) timezone=Europe/Berlin",
		"cron hour=9 limit=3 start_date=2026-1": "",
		"daily_time_interval every=10 unit=minute from=09:00 to=17:00 days_of_week=[\"mon\"] jitter=30": `daily_time_interval every=10 unit=minute from=09:00:00 to=17:00:00 days_of_week=["mon"] timezone=Europe/Berlin jitter=30s`,
		"":                          "",
		"cron hour":                 "",
		"cron hour=":                "",
		"cron hour=9)":              "",
		"or (cron hour=9":           "",
		`cron hour="9`:              "",
		`dates run_dates=["2026"`:   "",
		"interval 5":                "",
		"cron (cron)":               "",
		strings.Repeat("or(", 2000): "",
	} {
		trig, err := trigger.ParseText(text, loadZone(t, "Europe/Berlin"))
		if err != nil {
			if _, ok := errors.AsType[*trigger.Error](err); !ok || want != "" {
				t.Errorf("%s: %v", text, err)
			}
			continue
		}
		got, err := trigger.Text(trig)
		if err != nil || got != want {
			t.Errorf("%s:\n got %s, %v\nwant %q", text, got, err, want)
			continue
		}
		again, err := trigger.ParseText(got, nil)
		if err != nil {
			t.Errorf("%s: %v", got, err)
			continue
		}
		if twice, err := trigger.Text(again); err != nil || twice != got {
			t.Errorf("%s became %s, %v", got, twice, err)
		}
	}
	if _, err := trigger.Text(foreign{}); err == nil {
		t.Error("a foreign trigger has a text")
	}
}

// FuzzText wants no panic, and that what is read can be written and read again.
func FuzzText(f *testing.F) {
	for _, text := range []string{
		"*/5 * * * *", "@every 5m", `cron day="3rd fri" hour=0-3`, "or (cron hour=9) (interval hours=7)",
		`dates run_dates=["2026-11-06"]`, `crontab "0 9 * * *" calendar={"layers":[{"exclude":"weekly","days":["sat"]}]}`,
		`rrule FREQ=DAILY start_date=2026-01-01`,
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		trig, err := trigger.ParseText(text, nil)
		if err != nil {
			return
		}
		first, err := trigger.Text(trig)
		if err != nil {
			t.Fatal(err)
		}
		again, err := trigger.ParseText(first, nil)
		if err != nil {
			t.Fatalf("%q was written as %q: %v", text, first, err)
		}
		if second, err := trigger.Text(again); err != nil || second != first {
			t.Fatalf("%q, then %q, %v", first, second, err)
		}
	})
}
