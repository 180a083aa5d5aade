package trigger_test

import (
	"strings"
	"testing"

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
	} {
		form := test[0]
		if !strings.HasPrefix(form, "{") {
			form = `{"type":"crontab","expression":"` + form + `"}`
		}
		trig, err := trigger.Parse([]byte(form), nil)
		if err != nil {
			t.Error(err)
			continue
		}
		if got := trigger.Describe(trig, trigger.English); got != test[1] {
			t.Errorf("%s:\n got %q\nwant %q", test[0], got, test[1])
		}
		if got := trigger.Describe(trig, trigger.Chinese); got != test[2] {
			t.Errorf("%s:\n got %q\nwant %q", test[0], got, test[2])
		}
	}
}
