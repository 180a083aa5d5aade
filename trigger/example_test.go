package trigger_test

import (
	"fmt"
	"time"

	"github.com/jobcenter-go/jobcenter/trigger"
)

func ExampleNewCrontab() {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		fmt.Println(err)
		return
	}
	t, err := trigger.NewCrontab("30 2 * * mon-fri", trigger.Options{Zone: berlin})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(trigger.Describe(t, trigger.English))
	at := time.Date(2026, 11, 6, 0, 0, 0, 0, berlin)
	for range 3 {
		at, _ = t.Next(at)
		fmt.Println(at.Format(time.RFC1123Z))
	}
	// Output:
	// at 02:30, Monday to Friday
	// Fri, 06 Nov 2026 02:30:00 +0100
	// Mon, 09 Nov 2026 02:30:00 +0100
	// Tue, 10 Nov 2026 02:30:00 +0100
}

func ExampleEvery() {
	t, err := trigger.Every(15 * time.Minute)
	if err != nil {
		fmt.Println(err)
		return
	}
	// A job's interval is counted from when the job was added.
	t = t.StartingAt(time.Date(2026, 11, 6, 9, 7, 0, 0, time.UTC))
	next, _ := t.Next(time.Date(2026, 11, 6, 12, 0, 0, 0, time.UTC))
	fmt.Println(trigger.Describe(t, trigger.English))
	fmt.Println(next.Format(time.TimeOnly))
	// Output:
	// every 15 minutes
	// 12:07:00
}

func ExampleNewCron() {
	t, err := trigger.NewCron(trigger.CronSpec{Month: "6-8", Day: "3rd fri", Hour: "18"}, trigger.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	next, _ := t.Next(time.Date(2026, 11, 6, 0, 0, 0, 0, time.UTC))
	fmt.Println(next.Format(time.RFC1123))

	_, err = trigger.NewCron(trigger.CronSpec{Hour: "25"}, trigger.Options{})
	fmt.Println(err)
	// Output:
	// Fri, 18 Jun 2027 18:00:00 UTC
	// hour: "25" is out of range, allowed 0-23
}

func ExampleParse() {
	t, err := trigger.Parse([]byte(`{
		"type": "crontab",
		"expression": "*/5 9-17 * * mon-fri",
		"timezone": "Asia/Shanghai",
		"end_date": "2026-12-31"
	}`), nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(trigger.Describe(t, trigger.English))
	fmt.Println(trigger.Describe(t, trigger.Chinese))
	// Output:
	// every 5 minutes from 09:00 to 17:59, Monday to Friday
	// 周一至周五 09:00–17:59 每 5 分钟
}

func ExampleExplain() {
	t, err := trigger.Parse([]byte(`{"type":"crontab","expression":"30 2 * * *","timezone":"Europe/Berlin"}`), nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	fire, _ := t.Next(time.Date(2026, 3, 28, 12, 0, 0, 0, time.UTC))
	fmt.Println(fire.Format(time.RFC3339), trigger.Explain(t, fire, trigger.English).Note)
	// Output:
	// 2026-03-29T03:00:00+02:00 02:30 does not exist that day; fires at 03:00
}

func ExampleParseText() {
	for _, text := range []string{
		"*/5 9-17 * * mon-fri", // a bare crontab expression
		`quartz "0 0 12 L * ?"`,
		"calendar_interval months=2 hour=9 start_date=2026-01-31",
		`or (crontab "0 9 * * *") (date 2026-12-24T18:00:00)`,
	} {
		t, err := trigger.ParseText(text, nil)
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(trigger.Describe(t, trigger.English))
	}
	// Output:
	// every 5 minutes from 09:00 to 17:59, Monday to Friday
	// at 12:00 on the last day of every month
	// every 2 months on day 31 at 09:00, counted from 2026-01-31; months without the day are passed over
	// at any of: at 09:00 every day; once, at 2026-12-24 18:00:00
}

func ExampleModify() {
	plan, err := trigger.NewCrontab("0 2 * * *", trigger.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	// A hundred jobs of this plan do not start in the same second.
	t, err := trigger.Modify(plan, trigger.Modifiers{Jitter: 10 * time.Minute})
	if err != nil {
		fmt.Println(err)
		return
	}
	from := time.Date(2026, 11, 6, 0, 0, 0, 0, time.UTC)
	for _, job := range []string{"backup-a", "backup-b"} {
		fire, _ := trigger.ForJob(t, job).Next(from)
		fmt.Println(job, fire.After(from.Add(2*time.Hour)), fire.Before(from.Add(2*time.Hour+10*time.Minute)))
	}
	// Output:
	// backup-a true true
	// backup-b true true
}

func ExampleConvert() {
	t, err := trigger.NewCrontab("*/5 9-17 * * 1-5", trigger.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	quartz, err := trigger.Convert(t, "quartz")
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(trigger.Text(quartz))

	t, err = trigger.NewCrontab("0 0 1 * mon", trigger.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	_, err = trigger.Convert(t, "quartz")
	fmt.Println(err)
	// Output:
	// quartz "0 */5 9-17 ? * MON-FRI" timezone=UTC <nil>
	// type: crontab cannot be converted to quartz: a day that either of crontab's day fields matches is enough; use two triggers, joined by or
}

func ExamplePreview() {
	t, err := trigger.ParseText("cron hour=2 minute=30 on_gap=skip timezone=Europe/Berlin", nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, fire := range trigger.Preview(t, time.Date(2026, 3, 28, 0, 0, 0, 0, time.UTC), 2, trigger.English) {
		fmt.Printf("%s %q\n", fire.Wall.Format("2006-01-02 15:04"), fire.Note)
	}
	// Output:
	// 2026-03-28 02:30 ""
	// 2026-03-29 02:30 "02:30 does not exist that day; skipped"
	// 2026-03-30 02:30 ""
}
