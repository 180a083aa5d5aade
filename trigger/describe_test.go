package trigger_test

import (
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/jobcenter-go/jobcenter/trigger"
)

func TestDescribe(t *testing.T) {
	t.Parallel()
	for _, test := range [][3]string{
		{"30 2 * * *", "at 02:30 every day", "每天 02:30"},
		{"0,30 2 * * *", "at 02:00 and 02:30 every day", "每天 02:00、02:30"},
		{"30 2 4 30 * *", "at 04:02:30 on day 30 of every month", "每月 30 日 04:02:30"},
		{"*/5 9-17 * * mon-fri", "every 5 minutes from 09:00 to 17:59, Monday to Friday", "周一至周五 09:00–17:59 每 5 分钟"},
		{"0 9 * * 1-5", "at 09:00, Monday to Friday", "周一至周五 09:00"},
		{"0 9 * * 0,6", "at 09:00, Saturday and Sunday", "周六、周日 09:00"},
		{"0 9 * * fri", "at 09:00 every Friday", "每周五 09:00"},
		{"0 9 * * 1,3,5", "at 09:00, Monday, Wednesday and Friday", "周一、周三、周五 09:00"},
		{"0 9 * * 5-7", "at 09:00, Friday to Sunday", "周五至周日 09:00"},
		{"*/5 * * * fri", "every 5 minutes on Fridays", "每周五 每 5 分钟"},
		{"* * * * *", "every minute", "每分钟"},
		{"0-59 0-23 * * *", "every minute", "每分钟"},
		{"* * * * * *", "every second", "每秒"},
		{"*/10 * * * * *", "every 10 s", "每 10 秒"},
		{"15 * * * * *", "every minute at second 15", "每分钟的第 15 秒"},
		{"15 */5 * * * *", "every 5 minutes at second 15", "每 5 分钟的第 15 秒"},
		{"*/10 30 2 * * *", "every 10 s from 02:30:00 to 02:30:59", "每天 02:30:00–02:30:59 每 10 秒"},
		{"* * 9-17 * * *", "every second from 09:00:00 to 17:59:59", "每天 09:00:00–17:59:59 每秒"},
		{"0 * * * *", "every hour", "每小时"},
		{"30 * * * *", "every hour at minute 30", "每小时的第 30 分"},
		{"0 */6 * * *", "every 6 hours", "每 6 小时"},
		{"0 */12 * * *", "at 00:00 and 12:00 every day", "每天 00:00、12:00"},
		{"15 */2 * * *", "every 2 hours at minute 15", "每 2 小时的第 15 分"},
		{"0 */5 * * *", "at 00:00, 05:00, 10:00, 15:00 and 20:00 every day", "每天 00:00、05:00、10:00、15:00、20:00"},
		{"30 9-17 * * *", "every hour from 09:30 to 17:30", "每天 09:30–17:30 每小时"},
		{"0-29 2 * * *", "every minute from 02:00 to 02:29", "每天 02:00–02:29 每分钟"},
		{"*/7 * * * *", "at minutes 0-56 in steps of 7 of every hour", "每小时 0–56（步长 7）分"},
		{"0,15,40 * * * *", "at minutes 0, 15 and 40 of every hour", "每小时 0、15、40 分"},
		{"*/5 1,5,9 * * *", "every 5 minutes of hours 1, 5 and 9", "1、5、9 时 每 5 分钟"},
		{"*/10 5,7 * * * *", "every 10 s of minutes 5 and 7 of every hour", "每小时 5、7 分 每 10 秒"},
		{"5,7 9-17/2 * * *", "at minutes 5 and 7 of hours 9-17 in steps of 2", "9–17（步长 2）时 5、7 分"},
		{"0 0 1 * *", "at 00:00 on day 1 of every month", "每月 1 日 00:00"},
		{"0 0 1 1,7 *", "at 00:00 on day 1 of January and July", "1、7 月 1 日 00:00"},
		{"0 0 29 2 *", "at 00:00 on 29 February", "2 月 29 日 00:00"},
		{"0 9 * 6-8 *", "at 09:00 every day, June to August", "6–8 月每天 09:00"},
		{"*/5 * * 6 *", "every 5 minutes in June", "6 月 每 5 分钟"},
		{"30 4 1,15 * 5", "at 04:30 on days 1 and 15 of the month and every Friday", "每月 1、15 日及每周五 04:30"},
		{"5 0 1 6 1", "at 00:05 on day 1 and every Monday in June", "6 月的 1 日及每周一 00:05"},
		{"0 0 */2 * 1", "at 00:00 on days 1-31 in steps of 2 of every month, if Monday", "每月 1–31（步长 2）日且为周一 00:00"},
		{"0 0 1-7 * */1", "at 00:00 on days 1-7 of every month", "每月 1–7 日 00:00"},
		{"0 0 1 * 0-6", "at 00:00 every day", "每天 00:00"},
		{"0 0 30 2 *", "never, as no day matches", "从不触发（没有符合的日期）"},
		{"@weekly", "at 00:00 every Sunday", "每周日 00:00"},

		{`{"type":"cron"}`, "every second", "每秒"},
		{`{"type":"cron","month":"6-8,11-12","day":"3rd fri","hour":"0-3"}`, "every hour from 00:00 to 03:00 on the 3rd Friday of June to August, November and December", "6–8、11、12 月第 3 个周五 00:00–03:00 每小时"},
		{`{"type":"cron","day":"last"}`, "at 00:00 on the last day of every month", "每月最后一天 00:00"},
		{`{"type":"cron","day":"1st mon,15,last fri","hour":9}`, "at 09:00 on day 15, the 1st Monday and the last Friday of every month", "每月 15 日、第 1 个周一、最后一个周五 09:00"},
		{`{"type":"cron","day":13,"day_of_week":"fri"}`, "at 00:00 on day 13 of every month, if Friday", "每月 13 日且为周五 00:00"},
		{`{"type":"cron","week":"1-10/3","day_of_week":0}`, "at 00:00 every Monday in ISO weeks 1-10 in steps of 3", "ISO 第 1–10（步长 3）周 每周一 00:00"},
		{`{"type":"cron","week":53,"hour":5}`, "at 05:00 every day in ISO week 53", "ISO 第 53 周 每天 05:00"},
		{`{"type":"cron","year":"2026,2030-2040/5","hour":3}`, "at 03:00 every day in 2026 and 2030-2040 in steps of 5", "2026、2030–2040（步长 5）年 每天 03:00"},

		{`{"type":"interval","seconds":10}`, "every 10 s", "每 10 秒"},
		{`{"type":"interval","seconds":1}`, "every second", "每秒"},
		{`{"type":"interval","seconds":0.25}`, "every 0.25 s", "每 0.25 秒"},
		{`{"type":"interval","minutes":90}`, "every 90 minutes", "每 90 分钟"},
		{`{"type":"interval","days":1}`, "every 24 hours", "每 24 小时"},
		{`{"type":"interval","weeks":2}`, "every 2 weeks", "每 2 周"},
		{`{"type":"interval","days":1,"hours":2,"minutes":3,"seconds":4.5}`, "every 1 d 2 h 3 min 4.5 s", "每 1 天 2 小时 3 分 4.5 秒"},
		{`{"type":"date","run_date":"2026-11-06T16:30:05"}`, "once, at 2026-11-06 16:30:05", "一次，2026-11-06 16:30:05"},
		{"quartz 0 0 12 L * ?", "at 12:00 on the last day of every month", "每月最后一天 12:00"},
		{"quartz 0 0 12 L-3 * ?", "at 12:00 on the day 3 days before the last day of every month", "每月倒数第 4 天 12:00"},
		{"quartz 0 0 12 L-1 * ?", "at 12:00 on the day before the last day of every month", "每月倒数第 2 天 12:00"},
		{"quartz 0 0 12 L,L-3 JAN ?", "at 12:00 on the day 3 days before the last day and the last day of January", "1 月倒数第 4 天、最后一天 12:00"},
		{"quartz 0 0 12 15W * ?", "at 12:00 on the working day nearest to the 15th of every month", "每月离 15 日最近的工作日（周一至周五）12:00"},
		{"quartz 0 0 12 1W,22W 6 ?", "at 12:00 on the working days nearest to the 1st and 22nd of June", "6 月离 1、22 日最近的工作日（周一至周五）12:00"},
		{"quartz 0 0 12 LW * ?", "at 12:00 on the last working day of every month", "每月最后一个工作日（周一至周五）12:00"},
		{"quartz 0 0 12 L-3W * ?", "at 12:00 on the working day nearest to the day 3 days before the last day of every month", "每月离倒数第 4 天最近的工作日（周一至周五）12:00"},
		{"quartz 0 0 9 ? * 6L", "at 09:00 on the last Friday of every month", "每月最后一个周五 09:00"},
		{"quartz 0 0 9 ? JUN FRI#2", "at 09:00 on the 2nd Friday of June", "6 月第 2 个周五 09:00"},
		{"quartz 0 0 9 ? * MON-FRI", "at 09:00, Monday to Friday", "周一至周五 09:00"},
		{"quartz 0 0 9 ? NOV-FEB FRI-MON", "at 09:00, Monday and Friday to Sunday in January, February, November and December", "1、2、11、12 月 周一、周五至周日 09:00"},
		{"quartz 0 0/10 9-17 ? * FRI#2", "every 10 minutes from 09:00 to 17:59 on the 2nd Friday of every month", "每月第 2 个周五 09:00–17:59 每 10 分钟"},
		{"extended 0 9 * * mon,fri#2", "at 09:00 on every Monday and the 2nd Friday of the month", "每周一、每月第 2 个周五 09:00"},
		{"extended 0 9 * 6-8 mon,fri#2", "at 09:00 on every Monday and the 2nd Friday of the month, June to August", "6–8 月 每周一、第 2 个周五 09:00"},
		{"extended 0 9 1 * fri#2", "at 09:00 on day 1 of the month and the 2nd Friday", "每月 1 日及第 2 个周五 09:00"},
		{"extended 0 9 */2 * mon,fri#2", "at 09:00 on days 1-31 in steps of 2 of every month, if Monday or the 2nd Friday", "每月 1–31（步长 2）日且为周一或第 2 个周五 09:00"},
		{"extended 0 9 L 6 mon", "at 09:00 on the last day and every Monday in June", "6 月的最后一天及每周一 09:00"},
		{"extended 0 9 * * *,fri#2", "at 09:00 every day", "每天 09:00"},
		{"3/15 * * * *", "every 15 minutes from minute 3 on", "每小时第 3 分起 每 15 分钟"},
		{"3/15 9-17 * * *", "every 15 minutes from 09:03 to 17:48", "每天 09:03–17:48 每 15 分钟"},
		{"@reboot", "once each time a scheduler starts", "每次调度器启动时触发一次"},
		{"@every 1h30m", "every 90 minutes", "每 90 分钟"},
		{"H H * * *", "at 11:18 every day (an example: the job's id will choose)", "每天 11:18（示例，实际由任务 ID 决定）"},

		{`{"type":"calendar_interval","months":2,"hour":9,"start_date":"2026-01-31"}`, "every 2 months on day 31 at 09:00, counted from 2026-01-31; months without the day are passed over", "每 2 个月的 31 日 09:00，从 2026-01-31 算起；跳过没有该日的月份"},
		{`{"type":"calendar_interval","months":1,"hour":9,"start_date":"2026-01-31","on_short_month":"last"}`, "every month on day 31 at 09:00; months without the day fire on their last day", "每月 31 日 09:00；没有该日的月份改在月末"},
		{`{"type":"calendar_interval","months":1,"hour":9,"start_date":"2026-01-28"}`, "every month on day 28 at 09:00", "每月 28 日 09:00"},
		{`{"type":"calendar_interval","months":1,"hour":9}`, "every month at 09:00, counted from the day on which the job is added", "每月 09:00，从添加任务当天算起"},
		{`{"type":"calendar_interval","years":1,"hour":9,"start_date":"2024-02-29"}`, "every year on 29 February at 09:00; years without the day are passed over", "每年 2 月 29 日 09:00；跳过没有该日的年份"},
		{`{"type":"calendar_interval","years":1,"hour":9,"start_date":"2026-01-31"}`, "every year on 31 January at 09:00", "每年 1 月 31 日 09:00"},
		{`{"type":"calendar_interval","years":1,"months":2,"days":3,"hour":9,"second":7,"start_date":"2026-01-31"}`, "every 1 year, 2 months and 3 days at 09:00:07, counted from 2026-01-31; months without the day are passed over", "每 1 年 2 个月 3 天 09:00:07，从 2026-01-31 算起；跳过没有该日的月份"},
		{`{"type":"calendar_interval","weeks":2,"hour":9,"start_date":"2026-01-31"}`, "every 2 weeks on Saturday at 09:00, counted from 2026-01-31", "每 2 周的周六 09:00，从 2026-01-31 算起"},
		{`{"type":"calendar_interval","weeks":1,"hour":9,"start_date":"2026-01-31"}`, "every week on Saturday at 09:00", "每周六 09:00"},
		{`{"type":"calendar_interval","days":1,"hour":9}`, "every day at 09:00", "每天 09:00"},
		{`{"type":"calendar_interval","days":3,"hour":9}`, "every 3 days at 09:00, counted from the day on which the job is added", "每 3 天 09:00，从添加任务当天算起"},

		{`{"type":"daily_time_interval","every":10,"unit":"minute","from":"09:00:00","to":"17:00:00","days_of_week":["mon","tue"]}`, "every 10 minutes from 09:00 to 17:00, Monday and Tuesday", "周一、周二 09:00–17:00 每 10 分钟"},
		{`{"type":"daily_time_interval","every":10,"unit":"minute","from":"22:00:00","to":"02:00:00","days_of_week":["mon","tue","wed","thu","fri"]}`, "every 10 minutes from 22:00 to 02:00 the next day, Monday to Friday", "周一至周五 22:00–次日 02:00 每 10 分钟"},
		{`{"type":"daily_time_interval","every":10,"unit":"minute"}`, "every 10 minutes", "每 10 分钟"},
		{`{"type":"daily_time_interval","every":7,"unit":"hour"}`, "every 7 hours from 00:00 to the end of the day", "每天 00:00 至当天结束 每 7 小时"},
		{`{"type":"daily_time_interval","every":1,"unit":"second","from":"09:00:30","days_of_week":["sun"]}`, "every second from 09:00:30 to the end of the day on Sundays", "每周日 09:00:30 至当天结束 每秒"},
		{`{"type":"daily_time_interval","every":24,"unit":"hour","from":"09:00:00"}`, "at 09:00 every day", "每天 09:00"},
		{`{"type":"daily_time_interval","every":24,"unit":"hour","from":"09:00:00","days_of_week":["sun"]}`, "at 09:00 every Sunday", "每周日 09:00"},

		{`{"type":"dates","run_dates":["2026-11-06T16:30:05"]}`, "once, at 2026-11-06 16:30:05", "一次，2026-11-06 16:30:05"},
		{`{"type":"dates","run_dates":["2026-12-01","2026-11-06T16:30:05"]}`, "once each at 2026-11-06 16:30:05 and 2026-12-01 00:00:00", "各一次，2026-11-06 16:30:05、2026-12-01 00:00:00"},
		{`{"type":"dates","run_dates":["2026-01-01","2026-01-02","2026-01-03","2026-01-04","2026-01-05","2026-01-06","2026-01-07","2026-01-08","2026-01-09","2026-01-10"]}`, "once each at 2026-01-01 00:00:00, 2026-01-02 00:00:00, 2026-01-03 00:00:00, 2026-01-04 00:00:00, 2026-01-05 00:00:00, 2026-01-06 00:00:00 and 4 more", "各一次，2026-01-01 00:00:00、2026-01-02 00:00:00、2026-01-03 00:00:00、2026-01-04 00:00:00、2026-01-05 00:00:00、2026-01-06 00:00:00，另有 4 个时间"},

		{`{"type":"and","triggers":[{"type":"crontab","expression":"0 9 * * *"},{"type":"interval","hours":7}]}`, "when both fire at once: at 09:00 every day; every 7 hours", "以下同时触发时：每天 09:00；每 7 小时"},
		{`{"type":"and","triggers":[{"type":"crontab","expression":"0 9 * * *"},{"type":"interval","hours":7},{"type":"or","triggers":[{"type":"crontab","expression":"5 9 * * *"},{"type":"interval","hours":3}]}]}`, "when all fire at once: at 09:00 every day; every 7 hours; (at any of: at 09:05 every day; every 3 hours)", "以下同时触发时：每天 09:00；每 7 小时；（以下任一触发时：每天 09:05；每 3 小时）"},
		{`{"type":"or","triggers":[{"type":"crontab","expression":"0 9 * * *"}]}`, "at 09:00 every day", "每天 09:00"},
		{`{"type":"crontab","expression":"0 9 * * *","limit":10,"jitter":"30s","start_date":"2026-01-01"}`, "at 09:00 every day, at most 10 times, delayed by up to 30 s", "每天 09:00，最多触发 10 次，按任务错开，至多延后 30 秒"},
		{`{"type":"crontab","expression":"0 9 * * *","limit":1,"jitter":"90.5s","start_date":"2026-01-01"}`, "at 09:00 every day, at most once, delayed by up to 1 min 30.5 s", "每天 09:00，最多触发 1 次，按任务错开，至多延后 1 分 30.5 秒"},
		{`{"type":"or","triggers":[{"type":"interval","hours":3},{"type":"interval","hours":7}],"jitter":"24h"}`, "(at any of: every 3 hours; every 7 hours), delayed by up to 24 hours", "（以下任一触发时：每 3 小时；每 7 小时），按任务错开，至多延后 24 小时"},
	} {
		trig := parseShort(t, test[0])
		if got := trigger.Describe(trig, trigger.English); got != test[1] {
			t.Errorf("%s:\n got %q\nwant %q", test[0], got, test[1])
		}
		if got := trigger.Describe(trig, trigger.Chinese); got != test[2] {
			t.Errorf("%s:\n got %q\nwant %q", test[0], got, test[2])
		}
	}
}

// parseShort reads a trigger as tests write it: JSON, or the expression of a
// crontab, of one with extensions after "extended ", or of quartz after
// "quartz ". The zone is Berlin.
func parseShort(t *testing.T, text string) trigger.Trigger {
	t.Helper()
	form := text
	if !strings.HasPrefix(text, "{") {
		kind := `"crontab"`
		expr, ok := strings.CutPrefix(text, "quartz ")
		if ok {
			kind = `"quartz"`
		} else if expr, ok = strings.CutPrefix(text, "extended "); ok {
			kind = `"crontab","extensions":true`
		}
		form = `{"type":` + kind + `,"expression":"` + expr + `"}`
	}
	trig, err := trigger.Parse([]byte(form), loadZone(t, "Europe/Berlin"))
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return trig
}

func TestDescribeSpread(t *testing.T) {
	t.Parallel()
	for _, test := range [][3]string{
		{"H H * * *", "at 05:51 every day (spread by the job's id)", "每天 05:51（按任务 ID 错开）"},
		{"H/15 * * * *", "every 15 minutes from minute 6 on (spread by the job's id)", "每小时第 6 分起 每 15 分钟（按任务 ID 错开）"},
		{`{"type":"or","triggers":[{"type":"crontab","expression":"0~9 5 * * *"},{"type":"interval","hours":7}],"jitter":"1s"}`, "(at any of: at 05:01 every day; every 7 hours), delayed by up to 1 s (spread by the job's id)", "（以下任一触发时：每天 05:01；每 7 小时），按任务错开，至多延后 1 秒（按任务 ID 错开）"},
		{"0 9 * * *", "at 09:00 every day", "每天 09:00"},
	} {
		trig := trigger.ForJob(parseShort(t, test[0]), "nightly")
		if got := trigger.Describe(trig, trigger.English); got != test[1] {
			t.Errorf("%s:\n got %q\nwant %q", test[0], got, test[1])
		}
		if got := trigger.Describe(trig, trigger.Chinese); got != test[2] {
			t.Errorf("%s:\n got %q\nwant %q", test[0], got, test[2])
		}
	}
}

func TestNotes(t *testing.T) {
	t.Parallel()
	for _, test := range [][4]string{ // trigger, from, notes of the next fires in both languages
		{"30 2 * * *", "2027-03-27T12:00:00Z", "02:30 does not exist that day; fires at 03:00", "当天不存在 02:30，改在 03:00 触发"},
		{`{"type":"crontab","expression":"30 2 * * *","on_gap":"skip"}`, "2027-03-27T12:00:00Z", "02:30 does not exist that day; skipped", "当天不存在 02:30，跳过"},
		{"*/30 2 * * *", "2027-03-27T12:00:00Z", "02:00 and 1 other time do not exist that day; skipped", "当天不存在 02:00 等 2 个时间，跳过"},
		{`{"type":"crontab","expression":"* * 2 * * *","on_gap":"after"}`, "2027-03-27T12:00:00Z", "02:00 and many other times do not exist that day; fires at 03:00", "当天不存在 02:00 等许多时间，改在 03:00 触发一次"},
		{"30 2 * * *", "2027-10-30T12:00:00Z", "02:30 comes twice that day; this is the first", "当天 02:30 出现两次，这是第一次"},
		{`{"type":"crontab","expression":"0 9 * * 6","calendar":{"layers":[{"exclude":"weekly","days":["sat","sun"]}],"on_closed":"next"}}`, "2026-11-24T00:00:00Z", "2026-11-28 09:00 is closed; fires at 2026-11-30 09:00", "2026-11-28 09:00 不开放，改在 2026-11-30 09:00 触发"},
		{`{"type":"crontab","expression":"0 9 * * 6","jitter":"1h"}`, "2026-11-24T00:00:00Z", "delayed by 18 min 47.534 s", "错开，延后 18 分 47.534 秒"},
		{`{"type":"crontab","expression":"30 2 * * *","jitter":"1h"}`, "2027-03-27T12:00:00Z", "02:30 does not exist that day; fires at 03:00; delayed by 22 min 52.62 s", "当天不存在 02:30，改在 03:00 触发；错开，延后 22 分 52.62 秒"},
		{"0 9 * * *", "2026-11-24T00:00:00Z", "", ""},
	} {
		for i, lang := range []trigger.Lang{trigger.English, trigger.Chinese} {
			fires := trigger.Preview(parseShort(t, test[0]), instant(t, test[1]), 1, lang)
			if got := fires[0].Note; got != test[2+i] {
				t.Errorf("%s:\n got %q\nwant %q", test[0], got, test[2+i])
			}
		}
	}
}

// TestEveryTriggerHasWords looks for gaps in the words of drawn triggers.
func TestEveryTriggerHasWords(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		form := drawForm(t, 2)
		trig, err := trigger.Parse([]byte(form), nil)
		if err != nil {
			return // drawn parts may contradict each other
		}
		for lang, bad := range map[trigger.Lang][]string{
			trigger.English: {"?", "  ", " ,", " ;", "()", "%!", ": ;", ", ,"},
			trigger.Chinese: {"?", "  ", "） ", "（）", "；；", "，，", "%!", "：；"},
		} {
			texts := []string{trigger.Describe(trig, lang)}
			for _, w := range trigger.Lint(trig, time.Date(2026, 11, 24, 0, 0, 0, 0, time.UTC), lang) {
				if w.Code == "" || w.Message == "" {
					t.Fatalf("%s: %+v", form, w)
				}
				texts = append(texts, w.Message)
			}
			for _, text := range texts {
				if text == "" || strings.TrimSpace(text) != text {
					t.Fatalf("%s: %q", form, text)
				}
				for _, part := range bad {
					if strings.Contains(text, part) {
						t.Fatalf("%s: %q has %q", form, text, part)
					}
				}
			}
		}
	})
}
