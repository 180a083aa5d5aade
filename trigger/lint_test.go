package trigger_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/jobcenter-go/jobcenter/trigger"
)

func lintInstant() time.Time { return time.Date(2026, 11, 24, 20, 0, 0, 0, time.UTC) }

// TestLint expects one warning of each trigger, in both languages.
func TestLint(t *testing.T) {
	t.Parallel()
	const (
		gap  = "On Sun 2027-03-28 the clocks of Europe/Berlin go from 02:00 to 03:00: "
		fold = "On Sun 2027-10-31 the clocks of Europe/Berlin go from 03:00 to 02:00: "
	)
	for _, test := range []struct{ trig, code, field, english, chinese string }{
		// Plans that never fire.
		{"0 0 30 2 *", trigger.LintNoSuchDay, "expression", "Never fires: no day of the calendar matches.", "从不触发：没有符合的日期。"},
		{`{"type":"cron","month":2,"day":30}`, trigger.LintNoSuchDay, "day", "Never fires: no day of the calendar matches.", "从不触发：没有符合的日期。"},
		{"0 0 0 1 1 * 2020", trigger.LintPast, "expression", "Does not fire again: no fire time is left after Tue 2026-11-24 21:00.", "不会再触发：2026-11-24（周二）21:00 之后没有触发时间。"},
		{`{"type":"date","run_date":"2026-01-01"}`, trigger.LintPast, "run_date", "Does not fire again: no fire time is left after Tue 2026-11-24 21:00.", "不会再触发：2026-11-24（周二）21:00 之后没有触发时间。"},
		{`{"type":"dates","run_dates":["2026-01-01"],"start_date":"2025-01-01"}`, trigger.LintPast, "run_dates", "Does not fire again: no fire time is left after Tue 2026-11-24 21:00.", "不会再触发：2026-11-24（周二）21:00 之后没有触发时间。"},
		{`{"type":"crontab","expression":"*/5 * * * *","limit":5,"start_date":"2020-01-01"}`, trigger.LintPast, "limit", "Does not fire again: its limit of 5 is reached.", "不会再触发：已达到 5 次的上限。"},
		{`{"type":"interval","hours":5,"end_date":"2026-01-01"}`, trigger.LintEnded, "end_date", "Does not fire again: its end, Thu 2026-01-01 00:00, is past.", "不会再触发：结束时间 2026-01-01（周四）00:00 已过。"},
		{`{"type":"interval","hours":5,"start_date":"2027-01-01","end_date":"2026-12-01"}`, trigger.LintOutOfBounds, "end_date", "Never fires: its end is before its start.", "从不触发：结束时间早于开始时间。"},
		{`{"type":"crontab","expression":"0 0 29 2 *","end_date":"2027-01-01"}`, trigger.LintOutOfBounds, "end_date", "Does not fire again: its next fire time would be after its end, Fri 2027-01-01 00:00.", "不会再触发：下一个触发时间在结束时间 2027-01-01（周五）00:00 之后。"},
		{`{"type":"and","triggers":[{"type":"crontab","expression":"0 9 * * 1"},{"type":"crontab","expression":"0 10 * * 2"}]}`, trigger.LintNeverMeets, "triggers", "Never fires: its parts do not fire at the same instant.", "从不触发：各部分的触发时间没有重合。"},
		{`{"type":"or","triggers":[{"type":"interval","hours":1},{"type":"and","triggers":[{"type":"crontab","expression":"0 0 30 2 *"},{"type":"interval","hours":1}]}]}`, trigger.LintNoSuchDay, "triggers[1].triggers[0].expression", "Never fires: no day of the calendar matches.", "从不触发：没有符合的日期。"},
		{`{"type":"crontab","expression":"0 9 * * 6","calendar":{"layers":[{"exclude":"weekly","days":["sat"]}]}}`, trigger.LintNeverOpen, "calendar", "Never fires: its calendar is closed at each of its fire times.", "从不触发：每个触发时间都不在日历的开放时段内。"},

		{`{"type":"rrule","rule":"FREQ=DAILY;COUNT=3","start_date":"2026-11-01T09:00:00"}`, trigger.LintPast, "rule", "Does not fire again: no fire time is left after Tue 2026-11-24 21:00.", "不会再触发：2026-11-24（周二）21:00 之后没有触发时间。"},

		// Days that not all months or years have.
		{"30 4 31 * *", trigger.LintSomeMonths, "expression", "Fires only in the 7 months with a day 31: January, March, May, July, August, October and December.", "只在有 31 日的 7 个月触发：1、3、5、7、8、10、12 月。"},
		{"30 4 30 * *", trigger.LintSomeMonths, "expression", "Fires only in the 11 months with a day 30: January and March to December.", "只在有 30 日的 11 个月触发：1、3–12 月。"},
		{"30 4 31 4-6 *", trigger.LintSomeMonths, "expression", "Fires only in the 1 month with a day 31: May.", "只在有 31 日的 1 个月触发：5 月。"},
		{"30 4 29 * *", trigger.LintSomeMonths, "expression", "Fires in February only in leap years: in other years it has no day 29.", "2 月只在闰年触发：其他年份的 2 月没有 29 日。"},
		{"30 4 15,30 * *", trigger.LintSomeMonths, "expression", "There is no day 30 in February: it does not fire then.", "2 月没有 30 日，届时不触发。"},
		{"quartz 0 0 9 L-30 * ?", trigger.LintSomeMonths, "expression", "Fires only in the 7 months with a day 31: January, March, May, July, August, October and December.", "只在有 31 日的 7 个月触发：1、3、5、7、8、10、12 月。"},
		{"quartz 0 0 9 ? * FRI#5", trigger.LintSomeMonths, "expression", "Fires only in months that have a 5th Friday: 4 or 5 a year.", "只在有第 5 个周五的月份触发：每年 4 至 5 个月。"},
		{`{"type":"cron","day":"5th fri"}`, trigger.LintSomeMonths, "day", "Fires only in months that have a 5th Friday: 4 or 5 a year.", "只在有第 5 个周五的月份触发：每年 4 至 5 个月。"},
		{`{"type":"calendar_interval","months":1,"hour":9,"start_date":"2026-01-31"}`, trigger.LintSomeMonths, "start_date", "Fires only in the 7 months with a day 31: January, March, May, July, August, October and December.", "只在有 31 日的 7 个月触发：1、3、5、7、8、10、12 月。"},
		{"0 0 29 2 *", trigger.LintSomeYears, "expression", "Fires only in leap years, every four years: other years have no 29 February.", "只在闰年触发，每四年一次：其他年份没有 2 月 29 日。"},
		{`{"type":"calendar_interval","years":1,"hour":9,"start_date":"2024-02-29"}`, trigger.LintSomeYears, "start_date", "Fires only in leap years, every four years: other years have no 29 February.", "只在闰年触发，每四年一次：其他年份没有 2 月 29 日。"},
		{`{"type":"cron","week":53,"hour":5}`, trigger.LintSomeYears, "week", "Fires only in years that have an ISO week 53: 71 out of 400.", "只在有 ISO 第 53 周的年份触发：400 年中有 71 年。"},

		// Numbers of weekdays.
		{`{"type":"cron","day_of_week":0}`, trigger.LintWeekday, "day_of_week", "The weekday 0 means Monday here, but Sunday in crontab. Names leave no doubt: mon.", "星期 0 在这里指周一，在 crontab 中则指周日。写成名称就不会误解：mon。"},
		{`{"type":"cron","day_of_week":"1-4, 6","hour":9}`, trigger.LintWeekday, "day_of_week", "The weekday 1-4,6 means Tuesday to Friday and Sunday here, but Monday to Thursday and Saturday in crontab. Names leave no doubt: tue,wed,thu,fri,sun.", "星期 1-4,6 在这里指周二至周五、周日，在 crontab 中则指周一至周四、周六。写成名称就不会误解：tue,wed,thu,fri,sun。"},
		{`{"type":"cron","day_of_week":"*/3"}`, trigger.LintWeekday, "day_of_week", "The weekday */3 means Monday, Thursday and Sunday here, but Wednesday, Saturday and Sunday in crontab. Names leave no doubt: mon,thu,sun.", "星期 */3 在这里指周一、周四、周日，在 crontab 中则指周三、周六、周日。写成名称就不会误解：mon,thu,sun。"},
		{"quartz 0 0 9 ? * 2-6", trigger.LintWeekday, "expression", "The weekday 2-6 means Monday to Friday here, but Tuesday to Saturday in crontab. Names leave no doubt: mon,tue,wed,thu,fri.", "星期 2-6 在这里指周一至周五，在 crontab 中则指周二至周六。写成名称就不会误解：mon,tue,wed,thu,fri。"},
		{"quartz 0 0 9 ? * 6L", trigger.LintWeekday, "expression", "The weekday 6L means Friday here, but Saturday in crontab. Names leave no doubt: fri.", "星期 6L 在这里指周五，在 crontab 中则指周六。写成名称就不会误解：fri。"},
		{"0 0 12 * * 2", trigger.LintWeekday, "expression", "The weekday 2 means Tuesday here, but Monday in Quartz. Names leave no doubt: tue.", "星期 2 在这里指周二，在 Quartz 中则指周一。写成名称就不会误解：tue。"},
		{"extended 0 9 * * 5#2", trigger.LintWeekday, "expression", "The weekday 5#2 means Friday here, but Thursday in Quartz. Names leave no doubt: fri.", "星期 5#2 在这里指周五，在 Quartz 中则指周四。写成名称就不会误解：fri。"},

		// Both day fields.
		{"0 9 1 * 1", trigger.LintEitherDay, "expression", "Fires on day 1 of the month and also on every Monday: in crontab, a day that either of the two day fields matches is enough.", "每月 1 日会触发，每周一也会触发：crontab 的两个日期字段都填写时，符合其一即可。"},
		{"0 9 1 * 0-6", trigger.LintEitherDay, "expression", "Fires every day: one of the two day fields matches all days, and in crontab a day that either matches is enough.", "每天都触发：其中一个日期字段包含所有日子，而 crontab 的两个日期字段符合其一即可。"},
		{"0 9 */2 * 1", trigger.LintBothDays, "expression", "A day must match both day fields, days 1-31 in steps of 2 and Monday, because one of them begins with *; else either would be enough.", "日期须同时符合两个日期字段（1–31（步长 2）日且为周一），因为其中一个以 * 开头；否则符合其一即可。"},
		{`{"type":"cron","day":13,"day_of_week":"fri"}`, trigger.LintBothDays, "day_of_week", "A day must match both day fields, day 13 and Friday; in crontab either would be enough.", "日期须同时符合两个日期字段（13 日且为周五）；在 crontab 中符合其一即可。"},

		// Changes of the clocks.
		{`{"type":"crontab","expression":"30 2 * 3 *"}`, trigger.LintGap, "", gap + "02:30 does not exist that day; fires at 03:00. Likewise on Sun 2028-03-26.", "2027-03-28（周日）Europe/Berlin 的时钟从 02:00 调到 03:00：当天不存在 02:30，改在 03:00 触发。2028-03-26（周日）同样如此。"},
		{`{"type":"crontab","expression":"30 2 * 3 *","end_date":"2028-01-01"}`, trigger.LintGap, "", gap + "02:30 does not exist that day; fires at 03:00.", "2027-03-28（周日）Europe/Berlin 的时钟从 02:00 调到 03:00：当天不存在 02:30，改在 03:00 触发。"},
		{`{"type":"crontab","expression":"0,30 2 * 3 *","on_gap":"skip","end_date":"2028-01-01"}`, trigger.LintGap, "", gap + "02:00 and 1 other time do not exist that day; skipped.", "2027-03-28（周日）Europe/Berlin 的时钟从 02:00 调到 03:00：当天不存在 02:00 等 2 个时间，跳过。"},
		{`{"type":"daily_time_interval","every":10,"unit":"minute","from":"02:00:00","to":"02:50:00","end_date":"2028-01-01"}`, trigger.LintGap, "", gap + "02:00 and 5 other times do not exist that day; skipped.", "2027-03-28（周日）Europe/Berlin 的时钟从 02:00 调到 03:00：当天不存在 02:00 等 6 个时间，跳过。"},
		{`{"type":"or","triggers":[{"type":"interval","hours":1},{"type":"crontab","expression":"30 2 * 3 *"}],"end_date":"2028-01-01"}`, trigger.LintGap, "triggers[1]", gap + "02:30 does not exist that day; fires at 03:00.", "2027-03-28（周日）Europe/Berlin 的时钟从 02:00 调到 03:00：当天不存在 02:30，改在 03:00 触发。"},
		{`{"type":"rrule","rule":"FREQ=MONTHLY;BYDAY=-1SU;BYMONTH=3","start_date":"2026-03-01T02:30:00","end_date":"2028-01-01"}`, trigger.LintGap, "", gap + "02:30 does not exist that day; fires at 03:00.", "2027-03-28（周日）Europe/Berlin 的时钟从 02:00 调到 03:00：当天不存在 02:30，改在 03:00 触发。"},
		{`{"type":"crontab","expression":"30 2 * 10 *","end_date":"2028-01-01"}`, trigger.LintFold, "", fold + "02:30 comes twice that day; fires the first time only.", "2027-10-31（周日）Europe/Berlin 的时钟从 03:00 调到 02:00：当天 02:30 出现两次，只在第一次触发。"},
		{`{"type":"crontab","expression":"30 2 * 10 *","on_fold":"second","end_date":"2028-01-01"}`, trigger.LintFold, "", fold + "02:30 comes twice that day; fires the second time only.", "2027-10-31（周日）Europe/Berlin 的时钟从 03:00 调到 02:00：当天 02:30 出现两次，只在第二次触发。"},
		{`{"type":"crontab","expression":"0,30 2 * 10 *","on_fold":"both","end_date":"2028-01-01"}`, trigger.LintFold, "", fold + "02:00 and 1 other time come twice that day; fires both times.", "2027-10-31（周日）Europe/Berlin 的时钟从 03:00 调到 02:00：当天 02:00 等 2 个时间出现两次，两次都触发。"},
		{`{"type":"crontab","expression":"0 0-23 * * *","end_date":"2028-01-01"}`, trigger.LintFold, "", fold + "02:00 comes twice that day; fires the first time only.", "2027-10-31（周日）Europe/Berlin 的时钟从 03:00 调到 02:00：当天 02:00 出现两次，只在第一次触发。"},

		// Steps.
		{"*/7 * * * *", trigger.LintUnevenStep, "expression", `"*/7" begins anew each hour: the last gap is 4 minutes, not 7 minutes.`, "“*/7”每小时重新开始：最后一个间隔是 4 分钟，而不是 7 分钟。"},
		{"0 */5 * * *", trigger.LintUnevenStep, "expression", `"*/5" begins anew each day: the last gap is 4 hours, not 5 hours.`, "“*/5”每天重新开始：最后一个间隔是 4 小时，而不是 5 小时。"},
		{"*/70 * * * *", trigger.LintUnevenStep, "expression", `"*/70" has one value only: it fires at minute 0 of each hour, not every 70 minutes.`, "“*/70”只有一个值：每小时只在第 0 分触发，而不是每 70 分钟。"},
		{"0 0 */2 * *", trigger.LintUnevenStep, "expression", `"*/2" begins anew on day 1 of each month: from one month to the next it is not every 2 days.`, "“*/2”每月从 1 日重新开始：跨月时并非每 2 天。"},
		{"0 0 1 */5 *", trigger.LintUnevenStep, "expression", `"*/5" begins anew each year: the last gap is 2 months, not 5 months.`, "“*/5”每年重新开始：最后一个间隔是 2 个月，而不是 5 个月。"},
		{"quartz 0/7 * 9 L * ?", trigger.LintUnevenStep, "expression", `"0/7" begins anew each minute: the last gap is 4 seconds, not 7 seconds.`, "“0/7”每分钟重新开始：最后一个间隔是 4 秒，而不是 7 秒。"},
		{`{"type":"cron","minute":"*/45"}`, trigger.LintUnevenStep, "minute", `"*/45" begins anew each hour: the last gap is 15 minutes, not 45 minutes.`, "“*/45”每小时重新开始：最后一个间隔是 15 分钟，而不是 45 分钟。"},

		// The rest.
		{"@every 24h", trigger.LintDrift, "expression", "24 hours are elapsed time: when the clocks of Europe/Berlin are turned on Sun 2027-03-28, the time of day moves by 1 hour. For a fixed time of day take a calendar interval or cron.", "24 小时按实际流逝的时间计：2027-03-28（周日）Europe/Berlin 的时钟调整时，触发的钟点会偏移 1 小时。要固定钟点，请用日历间隔或 cron。"},
		{`{"type":"interval","weeks":2}`, trigger.LintDrift, "", "2 weeks are elapsed time: when the clocks of Europe/Berlin are turned on Sun 2027-03-28, the time of day moves by 1 hour. For a fixed time of day take a calendar interval or cron.", "2 周按实际流逝的时间计：2027-03-28（周日）Europe/Berlin 的时钟调整时，触发的钟点会偏移 1 小时。要固定钟点，请用日历间隔或 cron。"},
		{`{"type":"crontab","expression":"*/5 * * * *","jitter":"10m"}`, trigger.LintJitter, "jitter", "A delay always ends before the next fire: fires are as close as 5 minutes, so that the jitter of 10 minutes is not reached then.", "延后总在下一个触发时间之前结束：触发间隔最短为 5 分钟，届时达不到错开上限 10 分钟。"},
		{"H H(3-8) * * *", trigger.LintUnknownJobID, "expression", "H and ~ stand for values that the job's id chooses, which is not known here: the fire times are an example.", "H 和 ~ 的值由任务 ID 决定，而此处尚无任务 ID：触发时间仅为示例。"},
	} {
		trig := parseShort(t, test.trig)
		for lang, message := range map[trigger.Lang]string{trigger.English: test.english, trigger.Chinese: test.chinese} {
			want := []trigger.Warning{{Code: test.code, Field: test.field, Message: message}}
			if got := trigger.Lint(trig, lintInstant(), lang); fmt.Sprintf("%q", got) != fmt.Sprintf("%q", want) {
				t.Errorf("%s:\n got %q\nwant %q", test.trig, got, want)
			}
		}
	}
}

func TestLintWithoutWarning(t *testing.T) {
	t.Parallel()
	for _, trig := range []string{
		"* * * * *", "*/5 * * * *", "*/15 * * * *", "0,30 * * * *", "5/15 * * * *", "3-59/4 * * * *", "10-50/7 * * * *", "0 * * * *", "*/10 * * * * *",
		"0 9 * * 1-5", "0 9 * * mon-fri", "*/5 9-17 * * 1-5", "0 */2 * * *", "30 4 1 * *", "30 4 1,15 * *", "0 0 28 * *", "30 4 * * 0", "0 0 1 1 *", "0 0 31 12 *",
		"@daily", "@hourly", "@weekly", "@monthly", "@yearly", "@every 90m", "@reboot", "30 2 * * 1-5", "15 12 1-7 * *", "0 12 1-31 * *", "0 12 1-31 * 0-6", "*/7 9 * * *",
		"0 0 */2 * * mon-fri", "0 0 12 * * *", "0 0 12 * * 0", "0 12 * * 5,6,7",
		"extended 0 9 L * *", "extended 0 9 15W * *", "extended 0 9 * * friL", "extended 0 9 ? * 1-5",
		"quartz 0 0 9 ? * MON-FRI", "quartz 0 0 9 ? * *", "quartz 0 0 9 ? * 1-7", "quartz 0 0/5 * * * ?", "quartz 0 0 9 L * ?", "quartz 0 0 9 ? * FRI#2",
		`{"type":"cron"}`, `{"type":"cron","day_of_week":"mon-fri","hour":9}`, `{"type":"cron","day_of_week":"0-6","hour":9}`, `{"type":"cron","day_of_week":"*","day":1}`,
		`{"type":"cron","day":"last"}`, `{"type":"cron","day":"4th fri,5th fri"}`, `{"type":"cron","week":"52-53"}`, `{"type":"cron","day":"1-31","hour":9}`,
		`{"type":"interval","hours":1}`, `{"type":"interval","hours":25}`, `{"type":"interval","days":1,"timezone":"Asia/Shanghai"}`, `{"type":"interval","days":1,"end_date":"2027-01-01"}`,
		`{"type":"crontab","expression":"30 2 * * *","timezone":"Asia/Shanghai"}`, `{"type":"crontab","expression":"30 2 * * *","end_date":"2027-01-01"}`,
		`{"type":"crontab","expression":"30 2 * 3 *","calendar":{"layers":[{"exclude":"weekly","days":["sun"]}]}}`,
		`{"type":"crontab","expression":"0 9 * * *","limit":5,"start_date":"2026-11-22"}`, `{"type":"crontab","expression":"*/5 * * * *","jitter":"1m"}`,
		`{"type":"date","run_date":"2027-01-01"}`, `{"type":"dates","run_dates":["2026-01-01","2027-01-01"],"start_date":"2025-01-01"}`,
		`{"type":"calendar_interval","months":1,"hour":9,"start_date":"2026-01-28"}`, `{"type":"calendar_interval","months":1,"hour":9,"start_date":"2026-01-31","on_short_month":"last"}`,
		`{"type":"calendar_interval","years":1,"hour":9,"start_date":"2026-01-31"}`, `{"type":"calendar_interval","days":1,"hour":9}`, `{"type":"calendar_interval","months":1,"hour":2}`,
		`{"type":"daily_time_interval","every":10,"unit":"minute","from":"01:00:00","to":"04:50:00"}`,
		`{"type":"rrule","rule":"FREQ=MONTHLY;BYDAY=-1FR","start_date":"2026-01-30T09:00:00"}`, `{"type":"rrule","rule":"FREQ=DAILY;UNTIL=20270101T000000Z","start_date":"2026-11-01T02:30:00"}`,
		`{"type":"or","triggers":[{"type":"crontab","expression":"0 9 * * *"},{"type":"interval","hours":7}]}`,
		`{"type":"and","triggers":[{"type":"crontab","expression":"30 2 * * *"},{"type":"crontab","expression":"30 2 * * mon"}]}`,
	} {
		if got := trigger.Lint(parseShort(t, trig), lintInstant(), trigger.English); got != nil {
			t.Errorf("%s: %q", trig, got)
		}
	}
}

// TestLintOfJob finds that the job's id is known, and what it chose.
func TestLintOfJob(t *testing.T) {
	t.Parallel()
	trig := trigger.ForJob(parseShort(t, "30~30 2 * 3 *"), "nightly")
	got := trigger.Lint(trig, lintInstant(), trigger.English)
	if len(got) != 1 || got[0].Code != trigger.LintGap {
		t.Errorf("warnings = %q, want one of the gap", got)
	}
}

func TestLintOfForeignTrigger(t *testing.T) {
	t.Parallel()
	got := trigger.Lint(foreign{}, lintInstant(), trigger.English)
	if len(got) != 1 || got[0].Code != trigger.LintPast {
		t.Errorf("warnings = %q, want that it does not fire", got)
	}
}

func ExampleLint() {
	t, err := trigger.Parse([]byte(`{"type":"crontab","expression":"30 2 1 * 1","timezone":"Asia/Shanghai"}`), nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	from := time.Date(2026, 11, 24, 0, 0, 0, 0, time.UTC)
	for _, w := range trigger.Lint(t, from, trigger.English) {
		fmt.Println(w.Code, w.Field)
		fmt.Println(w.Message)
	}
	for _, w := range trigger.Lint(t, from, trigger.Chinese) {
		fmt.Println(w.Message)
	}
	// Output:
	// either_day expression
	// Fires on day 1 of the month and also on every Monday: in crontab, a day that either of the two day fields matches is enough.
	// 每月 1 日会触发，每周一也会触发：crontab 的两个日期字段都填写时，符合其一即可。
}
