package trigger_test

import (
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/jobcenter-go/jobcenter/trigger"
)

func TestParseErrors(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ form, field, want string }{
		{``, "", "not valid JSON: unexpected end of JSON input"},
		{`null`, "", "a trigger must be a JSON object"},
		{`[]`, "", "a trigger must be a JSON object"},
		{`"* * * * *"`, "", "a trigger must be a JSON object"},
		{`{"type":"cron"`, "", "not valid JSON: unexpected end of JSON input"},
		{`{"type":"cron"} {}`, "", "not valid JSON: invalid character '{' after top-level value"},
		{`{"type":"cron","a":{"b":["]}",{}],"c":"\\","d":"\"}"},"\u0061":1}`, "a", "a: is given twice"},
		{` { "type" : "cron" , "" : [ [ ] , 1.5e3 ] } `, "", "unknown key"},
		{`{"type":{"type":"cron"}}`, "type", `type: "{\"type\":\"cron\"}" must be text`},
		{`{}`, "type", "type: is missing, allowed: and, calendar_interval, cron, crontab, daily_time_interval, date, dates, interval, or, quartz, rrule"},
		{`{"type":5}`, "type", `type: "5" must be text`},
		{`{"type":null}`, "type", `type: "null" must be text`},
		{`{"type":"Cron"}`, "type", `type: unknown trigger type "Cron", allowed: and, calendar_interval, cron, crontab, daily_time_interval, date, dates, interval, or, quartz, rrule`},
		{`{"type":"cron","hour":1,"hour":2}`, "hour", "hour: is given twice"},
		{`{"type":"cron","type":"cron"}`, "type", "type: is given twice"},
		{`{"type":"cron","hours":1}`, "hours", "hours: unknown key, allowed: type, year, month, day, week, day_of_week, hour, minute, second, start_date, end_date, on_gap, on_fold, calendar, limit, jitter, timezone"},
		{`{"type":"crontab","expression":"* * * * *","seconds":5}`, "seconds", "seconds: unknown key, allowed: type, expression, extensions, start_date, end_date, on_gap, on_fold, calendar, limit, jitter, timezone"},
		{`{"type":"date","run_date":"2026-01-01","start_date":"2026-01-01"}`, "start_date", "start_date: unknown key, allowed: type, run_date, calendar, limit, jitter, timezone"},
		{`{"type":"cron","timezone":"Mars/Base"}`, "timezone", `timezone: "Mars/Base" is not a known time zone, allowed IANA names such as "Europe/Berlin" or "UTC"`},
		{`{"type":"cron","timezone":""}`, "timezone", "timezone: is not a known time zone"},
		{`{"type":"cron","timezone":"Local"}`, "timezone", `timezone: "Local" is not a known`},
		{`{"type":"cron","timezone":"../etc/passwd"}`, "timezone", `timezone: "../etc/passwd" is not a known`},
		{`{"type":"cron","timezone":"Europe//Berlin"}`, "timezone", `timezone: "Europe//Berlin" is not a known`},
		{`{"type":"cron","timezone":"Europe/Berlin "}`, "timezone", `timezone: "Europe/Berlin " is not a known`},
		{`{"type":"cron","timezone":8}`, "timezone", `timezone: "8" must be text`},

		{`{"type":"cron","hour":25}`, "hour", `hour: "25" is out of range, allowed 0-23`},
		{`{"type":"cron","hour":"5,25"}`, "hour", `hour: "25" is out of range, allowed 0-23`},
		{`{"type":"cron","hour":1.5}`, "hour", `hour: "1.5" must be text or a whole number`},
		{`{"type":"cron","hour":true}`, "hour", `hour: "true" must be text or a whole number`},
		{`{"type":"cron","hour":null}`, "hour", `hour: "null" must be text or a whole number`},
		{`{"type":"cron","hour":" "}`, "hour", "hour: is empty; leave the key out for its default"},
		{`{"type":"cron","minute":"*/0"}`, "minute", `minute: "*/0" has step 0, allowed 1 or more`},
		{`{"type":"cron","minute":"*/60"}`, "minute", `minute: "*/60" has a step larger than its range`},
		{`{"type":"cron","minute":"30-10"}`, "minute", `minute: "30-10" runs backwards; write it as two ranges`},
		{`{"type":"cron","minute":"5,"}`, "minute", "minute: has an empty item"},
		{`{"type":"cron","minute":"5-"}`, "minute", `minute: "5-" is not complete`},
		{`{"type":"cron","minute":"5/"}`, "minute", `minute: "5/" has no proper step`},
		{`{"type":"cron","minute":"five"}`, "minute", `minute: "five" is not a number, allowed 0-59`},
		{`{"type":"cron","minute":"99999999999999999999"}`, "minute", `minute: "99999999999999999999" is not a number`},
		{`{"type":"cron","second":-1}`, "second", `second: "-1" is not complete`},
		{`{"type":"cron","day_of_week":"mon/2"}`, "day_of_week", `day_of_week: "mon/2" has a step after a name; write it with numbers`},
		{`{"type":"cron","day_of_week":"mon-fri/2"}`, "day_of_week", `day_of_week: "mon-fri/2" has a step after a name`},
		{`{"type":"cron","day_of_week":"mon-5"}`, "day_of_week", `day_of_week: "mon-5" mixes a name and a number`},
		{`{"type":"cron","day_of_week":"mon#2"}`, "day_of_week", `day_of_week: "mon#2" is not a weekday, allowed 0-6 and mon to sun`},
		{`{"type":"cron","day_of_week":7}`, "day_of_week", `day_of_week: "7" is out of range, allowed 0-6 (0 is Monday, 6 is Sunday)`},
		{`{"type":"cron","day_of_week":"sun-mon"}`, "day_of_week", `day_of_week: "sun-mon" runs backwards`},
		{`{"type":"cron","month":"january"}`, "month", `month: "january" is not a month, allowed 1-12 and jan to dec`},
		{`{"type":"cron","day":"lastfoo"}`, "day", `day: "lastfoo" is not a day, allowed 1-31, "last", "1st fri" to "5th fri" and "last fri"`},
		{`{"type":"cron","day":"6th fri"}`, "day", `day: "6th fri" is not a number`},
		{`{"type":"cron","day":"1st fri!"}`, "day", `day: "1st fri!" is not`},
		{`{"type":"cron","year":1969}`, "year", `year: "1969" is out of range, allowed 1970-9999`},
		{`{"type":"cron","week":54}`, "week", `week: "54" is out of range, allowed 1-53`},

		{`{"type":"crontab"}`, "expression", "expression: is missing"},
		{`{"type":"crontab","expression":""}`, "expression", "expression: is empty, allowed 5 fields"},
		{`{"type":"crontab","expression":5}`, "expression", `expression: "5" must be text`},
		{`{"type":"crontab","expression":"* * * *"}`, "expression", `expression: "* * * *" has 4 fields, allowed 5 fields (minute hour day month weekday), 6 with seconds first, or 7 with the year last as well`},
		{`{"type":"crontab","expression":"0 0 0 * * * 2026 *"}`, "expression", `has 8 fields, allowed 5 fields`},
		{`{"type":"crontab","expression":"60 * * * *"}`, "expression", `expression: "60" in the field minute is out of range, allowed 0-59`},
		{`{"type":"crontab","expression":"* 24 * * *"}`, "expression", `expression: "24" in the field hour is out of range, allowed 0-23`},
		{`{"type":"crontab","expression":"*/0 * * * *"}`, "expression", `expression: "*/0" in the field minute has step 0`},
		{`{"type":"crontab","expression":"* * ? * *"}`, "expression", `expression: "?" in the field day of month uses ?, L, W or #, which crontab does not have`},
		{`{"type":"crontab","expression":"* * L * *"}`, "expression", `uses ?, L, W or #`},
		{`{"type":"crontab","expression":"* * 15W * *"}`, "expression", `uses ?, L, W or #`},
		{`{"type":"crontab","expression":"* * * * 5L"}`, "expression", `uses ?, L, W or #`},
		{`{"type":"crontab","expression":"* * * * fri#2"}`, "expression", `uses ?, L, W or #`},
		{`{"type":"crontab","expression":"* * * * sat-mon"}`, "expression", `runs backwards; Sunday is 0 as the begin of a range and 7 as its end`},
		{`{"type":"crontab","expression":"* 22-2 * * *"}`, "expression", `"22-2" in the field hour runs backwards; write it as two ranges`},
		{`{"type":"crontab","expression":"1,,2 * * * *"}`, "expression", "in the field minute has an empty item"},
		{`{"type":"crontab","expression":"1-2-3 * * * *"}`, "expression", `"1-2-3" in the field minute is not a number`},
		{`{"type":"crontab","expression":"*-5 * * * *"}`, "expression", `"*-5" in the field minute is not a number, allowed 0-59`},
		{`{"type":"crontab","expression":"5-60 * * * *"}`, "expression", `"5-60" in the field minute is out of range`},
		{`{"type":"crontab","expression":"5/1/2 * * * *"}`, "expression", `"5/1/2" in the field minute has no proper step`},
		{`{"type":"crontab","expression":"0 0 * JANUARY *"}`, "expression", `"JANUARY" in the field month is not a month, allowed 1-12 and jan to dec`},
		{`{"type":"crontab","expression":"` + strings.Repeat("1,", 600) + `1 * * * *"}`, "expression", `1,1,…" is too long, allowed 1024 bytes`},
		{`{"type":"cron","minute":"` + strings.Repeat("1,", 600) + `1"}`, "minute", `is too long, allowed 1024 bytes`},
		{`{"type":"crontab","expression":"@fortnightly"}`, "expression", `"@fortnightly" is not known, allowed @yearly, @annually, @monthly, @weekly, @daily, @midnight, @hourly, @every DURATION and @reboot`},
		{`{"type":"crontab","expression":"@"}`, "expression", `"@" is not known, allowed @yearly`},
		{`{"type":"crontab","expression":"@every"}`, "expression", `"@every" is not a duration, allowed such as "90s", "10m" or "1h30m"`},
		{`{"type":"crontab","expression":"@every 5"}`, "expression", `"5" is not a duration`},
		{`{"type":"crontab","expression":"@every 0s"}`, "expression", `"0s" is too short an interval, allowed 1ms or more`},
		{`{"type":"crontab","expression":"@every -5m"}`, "expression", `"-5m" is too short an interval`},
		{`{"type":"crontab","expression":"@every 5m","on_gap":"skip"}`, "on_gap", `on_gap: "skip" is for wall-clock times, which this kind of trigger does not go by`},
		{`{"type":"crontab","expression":"@every 5m","on_fold":"both"}`, "on_fold", `on_fold: "both" is for wall-clock times`},
		{`{"type":"crontab","expression":"@reboot","on_fold":"both"}`, "on_fold", `on_fold: "both" is for wall-clock times`},
		{`{"type":"crontab","expression":"@reboot","limit":1}`, "expression", `expression: "@reboot" has no fire times to modify`},
		{`{"type":"or","triggers":[{"type":"cron"},{"type":"crontab","expression":"@reboot"}]}`, "triggers[1].expression", `triggers[1].expression: "@reboot" has no fire times to combine; make it a job of its own`},
		{`{"type":"crontab","expression":"CRON_TZ="}`, "expression", "expression: is not a known time zone, allowed IANA names"},
		{`{"type":"crontab","expression":"CRON_TZ= * * * * *"}`, "expression", "is not a known time zone"},
		{`{"type":"crontab","expression":"TZ=Mars/Base * * * * *"}`, "expression", `"Mars/Base" is not a known time zone`},
		{`{"type":"crontab","expression":"TZ=Local * * * * *"}`, "expression", `"Local" is not a known time zone`},
		{`{"type":"crontab","expression":"TZ=Europe/Berlin"}`, "expression", "expression: is empty, allowed 5 fields"},
		{`{"type":"crontab","expression":"TZ=UTC TZ=UTC 0 0 * * *"}`, "expression", `"TZ=UTC" in the field second is not a number, allowed 0-59`},
		{`{"type":"crontab","expression":"TZ=Europe/Berlin 0 0 * * *","timezone":"UTC"}`, "timezone", `timezone: "UTC" is not the time zone that the expression begins with, Europe/Berlin`},

		{`{"type":"crontab","expression":"H(5-3) * * * *"}`, "expression", `"H(5-3)" in the field minute runs backwards`},
		{`{"type":"crontab","expression":"H(5) * * * *"}`, "expression", `"H(5)" in the field minute is not H, H/n, H(a-b) or H(a-b)/n`},
		{`{"type":"crontab","expression":"H(5-6 * * * *"}`, "expression", `"H(5-6" in the field minute is not H, H/n`},
		{`{"type":"crontab","expression":"H(5-6)7 * * * *"}`, "expression", `"H(5-6)7" in the field minute is not H, H/n`},
		{`{"type":"crontab","expression":"H(1-9/2) * * * *"}`, "expression", `"H(1-9/2)" in the field minute is not H, H/n`},
		{`{"type":"crontab","expression":"H(5-66) * * * *"}`, "expression", `"H(5-66)" in the field minute is out of range, allowed 0-59`},
		{`{"type":"crontab","expression":"H/60 * * * *"}`, "expression", `"H/60" in the field minute has a step larger than its range`},
		{`{"type":"crontab","expression":"H/0 * * * *"}`, "expression", `"H/0" in the field minute has step 0, allowed 1 or more`},
		{`{"type":"crontab","expression":"H-5 * * * *"}`, "expression", `"H-5" in the field minute is not H, H/n`},
		{`{"type":"crontab","expression":"0 0 0 * * * H"}`, "expression", `"H" in the field year uses H, which a year cannot have`},
		{`{"type":"crontab","expression":"5~3 * * * *"}`, "expression", `"5~3" in the field minute runs backwards`},
		{`{"type":"crontab","expression":"5~60 * * * *"}`, "expression", `"5~60" in the field minute is out of range, allowed 0-59`},
		{`{"type":"crontab","expression":"0 0 0 * * * 1969"}`, "expression", `"1969" in the field year is out of range, allowed 1970-9999`},

		{`{"type":"crontab","expression":"0 0 * * *","extensions":"yes"}`, "extensions", `extensions: "yes" is text, but must be true or false`},
		{`{"type":"crontab","expression":"0 0 * * *","extensions":1}`, "extensions", `extensions: "1" must be true or false`},
		{`{"type":"crontab","expression":"0 0 32W * *","extensions":true}`, "expression", `"32W" in the field day of month is not a day of the month, allowed 1-31, L, L-n, nW, LW and L-nW`},
		{`{"type":"crontab","expression":"0 0 L-31 * *","extensions":true}`, "expression", `"L-31" in the field day of month is not a day of the month`},
		{`{"type":"crontab","expression":"0 0 W * *","extensions":true}`, "expression", `"W" in the field day of month is not a day of the month`},
		{`{"type":"crontab","expression":"0 0 * * fri#6","extensions":true}`, "expression", `"fri#6" in the field day of week is not a weekday, allowed 0-7, sun to sat, 5L, friL, 5#2 and fri#2 (1 to 5)`},
		{`{"type":"crontab","expression":"0 0 * * 5#0","extensions":true}`, "expression", `"5#0" in the field day of week is not a weekday`},
		{`{"type":"crontab","expression":"0 0 * * L","extensions":true}`, "expression", `"L" in the field day of week is not a weekday`},
		{`{"type":"crontab","expression":"? 0 * * *","extensions":true}`, "expression", `"?" in the field minute is not a number, allowed 0-59`},
		{`{"type":"crontab","expression":"0 0 * ? *","extensions":true}`, "expression", `"?" in the field month is not a month, allowed 1-12 and jan to dec`},

		{`{"type":"quartz"}`, "expression", "expression: is missing"},
		{`{"type":"quartz","expression":""}`, "expression", "expression: is empty, allowed 6 fields (second minute hour day-of-month month day-of-week) or 7 with the year last"},
		{`{"type":"quartz","expression":5}`, "expression", `expression: "5" must be text`},
		{`{"type":"quartz","expression":"0 0 12 * *"}`, "expression", `"0 0 12 * *" has 5 fields, allowed 6 fields`},
		{`{"type":"quartz","expression":"0 0 12 * * ? * *"}`, "expression", `has 8 fields, allowed 6 fields`},
		{`{"type":"quartz","expression":"@daily"}`, "expression", `"@daily" has 1 field, allowed 6 fields`},
		{`{"type":"quartz","expression":"` + strings.Repeat("1,", 600) + `1 0 0 * * ?"}`, "expression", `is too long, allowed 1024 bytes`},
		{`{"type":"quartz","expression":"0 0 12 * * *"}`, "expression", `"*, *" as day of month and day of week: exactly one of the two must be ?`},
		{`{"type":"quartz","expression":"0 0 12 ? * ?"}`, "expression", `"?, ?" as day of month and day of week: exactly one`},
		{`{"type":"quartz","expression":"? 0 12 * * ?"}`, "expression", `"?" in the field second is for one of the two day fields alone`},
		{`{"type":"quartz","expression":"0 0 24 * * ?"}`, "expression", `"24" in the field hour is out of range, allowed 0-23`},
		{`{"type":"quartz","expression":"0 0/60 * * * ?"}`, "expression", `"0/60" in the field minute has a step larger than the field`},
		{`{"type":"quartz","expression":"0 /0 * * * ?"}`, "expression", `"/0" in the field minute has step 0`},
		{`{"type":"quartz","expression":"0 0 0 0 * ?"}`, "expression", `"0" in the field day of month is out of range, allowed 1-31`},
		{`{"type":"quartz","expression":"0 0 0 1,,2 * ?"}`, "expression", "in the field day of month has an empty item"},
		{`{"type":"quartz","expression":"0 0 0 L-31 * ?"}`, "expression", `"L-31" in the field day of month is not a day of the month, allowed 1-31, L, L-n, nW, LW and L-nW`},
		{`{"type":"quartz","expression":"0 0 0 32W * ?"}`, "expression", `"32W" in the field day of month is not a day of the month, allowed 1-31, L`},
		{`{"type":"quartz","expression":"0 0 0 WL * ?"}`, "expression", `"WL" in the field day of month is not a day of the month, allowed 1-31, L`},
		{`{"type":"quartz","expression":"0 0 0 * FOO ?"}`, "expression", `"FOO" in the field month is not a month, allowed 1-12 and jan to dec`},
		{`{"type":"quartz","expression":"0 0 0 * 13 ?"}`, "expression", `"13" in the field month is out of range, allowed 1-12`},
		{`{"type":"quartz","expression":"0 0 0 ? * 0"}`, "expression", `"0" in the field day of week is out of range, allowed 1-7 (1 is Sunday, 7 is Saturday)`},
		{`{"type":"quartz","expression":"0 0 0 ? * 8"}`, "expression", `"8" in the field day of week is out of range, allowed 1-7`},
		{`{"type":"quartz","expression":"0 0 0 ? * MONDAY"}`, "expression", `"MONDAY" in the field day of week is not a weekday, allowed 1-7`},
		{`{"type":"quartz","expression":"0 0 0 ? * 6#6"}`, "expression", `"6#6" in the field day of week is not a weekday, allowed 1-7, sun to sat, L, 6L, friL, 6#2 and fri#2 (1 to 5)`},
		{`{"type":"quartz","expression":"0 0 0 ? * #2"}`, "expression", `"#2" in the field day of week is not a weekday`},
		{`{"type":"quartz","expression":"0 0 0 ? * LW"}`, "expression", `"LW" in the field day of week is not a weekday`},
		{`{"type":"quartz","expression":"0 0 0 ? * 6#2,2"}`, "expression", `"6#2,2" in the field day of week names a weekday of the month beside others, allowed is one alone`},
		{`{"type":"quartz","expression":"0 0 0 ? * 2,6L"}`, "expression", `"2,6L" in the field day of week names a weekday of the month beside others`},
		{`{"type":"quartz","expression":"0 0 0 * * ? 1969"}`, "expression", `"1969" in the field year is out of range, allowed 1970-2199`},
		{`{"type":"quartz","expression":"0 0 0 * * ? 2200"}`, "expression", `"2200" in the field year is out of range, allowed 1970-2199`},
		{`{"type":"quartz","expression":"0 0 0 * * ? 2030-2026"}`, "expression", `"2030-2026" in the field year runs backwards`},
		{`{"type":"quartz","expression":"0 0 0 * * ?","extensions":true}`, "extensions", "extensions: unknown key, allowed: type, expression, start_date"},

		{`{"type":"interval"}`, "", "the interval is 0, allowed 1 ms or more"},
		{`{"type":"interval","seconds":0}`, "", "the interval is 0"},
		{`{"type":"interval","seconds":0.0001}`, "", "the interval is too short, allowed 1 ms or more"},
		{`{"type":"interval","seconds":-5}`, "seconds", `seconds: "-5" is negative, allowed 0 or more`},
		{`{"type":"interval","minutes":"5"}`, "minutes", `minutes: "5" is text, but must be a number`},
		{`{"type":"interval","hours":null}`, "hours", `hours: "null" must be a number`},
		{`{"type":"interval","hours":1e999}`, "hours", `hours: "1e999" must be a number`},
		{`{"type":"interval","weeks":1e9}`, "", "the interval is too long, allowed 292 years or less"},
		{`{"type":"interval","years":1}`, "years", "years: unknown key"},
		{`{"type":"interval","hours":1,"start_date":5}`, "start_date", `start_date: "5" must be text`},
		{`{"type":"interval","hours":1,"on_gap":"skip"}`, "on_gap", "on_gap: unknown key, allowed: type, weeks, days, hours, minutes, seconds, start_date, end_date, calendar, limit, jitter, timezone"},

		{`{"type":"calendar_interval"}`, "", "the interval is 0: years, months, weeks and days are added up, and one of them must be above 0"},
		{`{"type":"calendar_interval","months":0,"hour":9}`, "", "the interval is 0"},
		{`{"type":"calendar_interval","months":-1}`, "months", `months: "-1" is out of range, allowed 0-3652059`},
		{`{"type":"calendar_interval","years":3652060}`, "years", `years: "3652060" is out of range, allowed 0-3652059`},
		{`{"type":"calendar_interval","days":99999999999}`, "days", `days: "99999999999" is out of range, allowed 0-3652059`},
		{`{"type":"calendar_interval","weeks":1.5}`, "weeks", `weeks: "1.5" must be a whole number`},
		{`{"type":"calendar_interval","months":"1"}`, "months", `months: "1" is text, but must be a whole number`},
		{`{"type":"calendar_interval","months":null}`, "months", `months: "null" must be a whole number`},
		{`{"type":"calendar_interval","months":1,"hour":24}`, "hour", `hour: "24" is out of range, allowed 0-23`},
		{`{"type":"calendar_interval","months":1,"minute":60}`, "minute", `minute: "60" is out of range, allowed 0-59`},
		{`{"type":"calendar_interval","months":1,"second":-1}`, "second", `second: "-1" is out of range, allowed 0-59`},
		{`{"type":"calendar_interval","months":1,"hours":1}`, "hours", "hours: unknown key, allowed: type, years, months, weeks, days, hour, minute, second, on_short_month, start_date, end_date, on_gap, on_fold, calendar, limit, jitter, timezone"},
		{`{"type":"calendar_interval","months":1,"on_short_month":"first"}`, "on_short_month", `on_short_month: "first" is not known, allowed skip, last`},
		{`{"type":"calendar_interval","months":1,"on_short_month":true}`, "on_short_month", `on_short_month: "true" must be text`},

		{`{"type":"daily_time_interval"}`, "every", "every: is missing"},
		{`{"type":"daily_time_interval","every":10}`, "unit", "unit: is missing"},
		{`{"type":"daily_time_interval","every":0,"unit":"minute"}`, "every", `every: "0" is out of range, allowed 1-1440`},
		{`{"type":"daily_time_interval","every":25,"unit":"hour"}`, "every", `every: "25" is out of range, allowed 1-24`},
		{`{"type":"daily_time_interval","every":86401,"unit":"second"}`, "every", `every: "86401" is out of range, allowed 1-86400`},
		{`{"type":"daily_time_interval","every":"10","unit":"minute"}`, "every", `every: "10" is text, but must be a whole number`},
		{`{"type":"daily_time_interval","every":10,"unit":"minutes"}`, "unit", `unit: "minutes" is not known, allowed second, minute, hour`},
		{`{"type":"daily_time_interval","every":10,"unit":"minute","from":"24:00"}`, "from", `from: "24:00" is not a time of day, allowed 00:00:00 to 23:59:59`},
		{`{"type":"daily_time_interval","every":10,"unit":"minute","from":"9"}`, "from", `from: "9" is not a time of day`},
		{`{"type":"daily_time_interval","every":10,"unit":"minute","to":"9:5"}`, "to", `to: "9:5" is not a time of day`},
		{`{"type":"daily_time_interval","every":10,"unit":"minute","to":"09:00:00.5"}`, "to", `to: "09:00:00.5" is not a time of day`},
		{`{"type":"daily_time_interval","every":10,"unit":"minute","to":9}`, "to", `to: "9" must be text`},
		{`{"type":"daily_time_interval","every":10,"unit":"minute","days_of_week":[]}`, "days_of_week", "days_of_week: is empty; leave the key out for every day"},
		{`{"type":"daily_time_interval","every":10,"unit":"minute","days_of_week":["monday"]}`, "days_of_week", `days_of_week: "monday" is not a weekday, allowed mon to sun`},
		{`{"type":"daily_time_interval","every":10,"unit":"minute","days_of_week":[1]}`, "days_of_week", `days_of_week: "1" must be text`},
		{`{"type":"daily_time_interval","every":10,"unit":"minute","days_of_week":"mon"}`, "days_of_week", `days_of_week: "mon" is text, but must be a list`},
		{`{"type":"daily_time_interval","every":10,"unit":"minute","hour":1}`, "hour", "hour: unknown key, allowed: type, every, unit, from, to, days_of_week, start_date, end_date, on_gap, on_fold, calendar, limit, jitter, timezone"},

		{`{"type":"dates"}`, "run_dates", "run_dates: is missing"},
		{`{"type":"dates","run_dates":[]}`, "run_dates", "run_dates: is empty, allowed 1 to 10000 dates"},
		{`{"type":"dates","run_dates":[` + strings.Repeat(`"2026-01-01",`, 10_000) + `"2026-01-01"]}`, "run_dates", "run_dates: has 10001 dates, allowed 1 to 10000"},
		{`{"type":"dates","run_dates":"2026-01-01"}`, "run_dates", `run_dates: "2026-01-01" is text, but must be a list`},
		{`{"type":"dates","run_dates":[5]}`, "run_dates", `run_dates: "5" must be text`},
		{`{"type":"dates","run_dates":["2026-01-01","tomorrow"]}`, "run_dates[1]", `run_dates[1]: "tomorrow" is not a date, allowed RFC 3339`},
		{`{"type":"dates","run_dates":["2026-01-01",""]}`, "run_dates[1]", "run_dates[1]: is empty, allowed a date"},
		{`{"type":"dates","run_dates":["2026-01-01"],"on_gap":"skip"}`, "on_gap", "on_gap: unknown key, allowed: type, run_dates, start_date, end_date, calendar, limit, jitter, timezone"},
		{`{"type":"dates","run_date":"2026-01-01"}`, "run_date", "run_date: unknown key"},

		{`{"type":"rrule"}`, "rule", "rule: is missing"},
		{`{"type":"rrule","rule":"FREQ=DAILY"}`, "start_date", "start_date: is missing"},

		{`{"type":"and"}`, "triggers", "triggers: is missing"},
		{`{"type":"and","triggers":[]}`, "triggers", "triggers: is empty, allowed 1 to 64 triggers"},
		{`{"type":"or","triggers":[]}`, "triggers", "triggers: is empty, allowed 1 to 64 triggers"},
		{`{"type":"and","triggers":{}}`, "triggers", `triggers: "{}" must be a list`},
		{`{"type":"or","triggers":[` + strings.Repeat(`{"type":"cron"},`, 64) + `{"type":"cron"}]}`, "triggers", "triggers: has 65 triggers, allowed 1 to 64"},
		{`{"type":"or","triggers":[null]}`, "triggers[0]", "triggers[0]: a trigger must be a JSON object"},
		{`{"type":"or","triggers":[{"type":"cron"},{"type":"cron","hour":25}]}`, "triggers[1].hour", `triggers[1].hour: "25" is out of range, allowed 0-23`},
		{`{"type":"or","triggers":[{"type":"and","triggers":[{"type":"cron"},{"type":"quartz","expression":"x"}]}]}`, "triggers[0].triggers[1].expression", `triggers[0].triggers[1].expression: "x" has 1 field, allowed 6 fields`},
		{`{"type":"or","triggers":[{"type":"cron","timezone":"Mars"}]}`, "triggers[0].timezone", `"Mars" is not a known time zone`},
		{`{"type":"or","triggers":[{"type":"cron","limit":5}]}`, "triggers[0].start_date", "start_date: is missing: limit counts the fires from it"},
		{`{"type":"or","triggers":[{"type":"cron"}],"expression":"x"}`, "expression", "expression: unknown key, allowed: type, triggers, start_date, end_date, calendar, limit, jitter, timezone"},
		{`{"type":"or","triggers":[{"type":"cron"}],"on_fold":"both"}`, "on_fold", "on_fold: unknown key"},
		{`{"type":"or","triggers":[{"type":"cron"}],"limit":3}`, "start_date", "start_date: is missing: limit counts the fires from it"},
		{strings.Repeat(`{"type":"or","triggers":[`, 8) + `{"type":"cron"}` + strings.Repeat(`]}`, 8), strings.Repeat("triggers[0].", 7) + "triggers", "are combined too deep, allowed are 8 levels"},
		{`{"type":"and","triggers":[{"type":"interval","seconds":2,"start_date":"2026-01-01T00:00:00Z"},{"type":"cron"},{"type":"interval","seconds":4,"start_date":"2026-01-01T00:00:01Z"}]}`, "triggers", "cannot meet: numbers 1 and 3 are intervals that never fire at the same instant"},

		{`{"type":"cron","on_gap":"before"}`, "on_gap", `on_gap: "before" is not known, allowed after, skip`},
		{`{"type":"cron","on_gap":5}`, "on_gap", `on_gap: "5" must be text`},
		{`{"type":"cron","on_fold":"last"}`, "on_fold", `on_fold: "last" is not known, allowed first, second, both`},
		{`{"type":"cron","on_fold":null}`, "on_fold", `on_fold: "null" must be text`},
		{`{"type":"cron","jitter":"30"}`, "jitter", `jitter: "30" is not a duration, allowed such as "30s" or "5m"`},
		{`{"type":"cron","jitter":""}`, "jitter", `jitter: is not a duration, allowed such as "30s" or "5m"`},
		{`{"type":"cron","jitter":"-30s"}`, "jitter", `jitter: "-30s" is out of range, allowed whole milliseconds from 0s to 24h`},
		{`{"type":"cron","jitter":-30}`, "jitter", `jitter: "-30" is negative, allowed 0 or more`},
		{`{"type":"cron","jitter":"0.5ms"}`, "jitter", `jitter: "500µs" is out of range, allowed whole milliseconds`},
		{`{"type":"cron","jitter":"25h"}`, "jitter", `jitter: "25h0m0s" is out of range, allowed whole milliseconds from 0s to 24h`},
		{`{"type":"cron","jitter":90000}`, "jitter", `jitter: "90000" is out of range, allowed up to 24 hours`},
		{`{"type":"cron","jitter":true}`, "jitter", `jitter: "true" must be a number`},
		{`{"type":"cron","limit":0,"start_date":"2026-01-01"}`, "limit", `limit: "0" is out of range, allowed 1 or more`},
		{`{"type":"cron","limit":-1,"start_date":"2026-01-01"}`, "limit", `limit: "-1" is out of range, allowed 1 or more`},
		{`{"type":"cron","limit":10001,"start_date":"2026-01-01"}`, "limit", `limit: "10001" is out of range, allowed 1-10000`},
		{`{"type":"cron","limit":99999999999,"start_date":"2026-01-01"}`, "limit", `limit: "99999999999" is out of range, allowed 1-10000`},
		{`{"type":"cron","limit":"5","start_date":"2026-01-01"}`, "limit", `limit: "5" is text, but must be a whole number`},
		{`{"type":"cron","limit":1.5,"start_date":"2026-01-01"}`, "limit", `limit: "1.5" must be a whole number`},
		{`{"type":"cron","limit":5}`, "start_date", "start_date: is missing: limit counts the fires from it"},
		{`{"type":"crontab","expression":"@every 5m","limit":5}`, "start_date", "start_date: is missing: limit counts the fires from it"},
		{`{"type":"interval","hours":1,"limit":1000000001,"start_date":"2026-01-01"}`, "limit", `limit: "1000000001" is out of range, allowed 1-1000000000`},

		{`{"type":"date"}`, "run_date", "run_date: is missing"},
		{`{"type":"date","run_date":""}`, "run_date", "run_date: is empty"},
		{`{"type":"date","run_date":"tomorrow"}`, "run_date", `run_date: "tomorrow" is not a date, allowed RFC 3339`},
		{`{"type":"date","run_date":"2026-11-06T16:30"}`, "run_date", "is not a date"},
		{`{"type":"date","run_date":"2026-11-06T16:30:05+0100"}`, "run_date", "is not a date"},
		{`{"type":"date","run_date":"2026-11-06T16:30:05+25:00"}`, "run_date", "is not a date"},
		{`{"type":"date","run_date":"2026-11-06T16:30:05."}`, "run_date", "is not a date"},
		{`{"type":"date","run_date":"2026-02-29"}`, "run_date", `run_date: "2026-02-29" is not a day of the calendar`},
		{`{"type":"date","run_date":"2026-02-28T24:00:00"}`, "run_date", "is not a time of day"},
		{`{"type":"date","run_date":"0000-01-01"}`, "run_date", "is not a day of the calendar"},
	} {
		trig, err := trigger.Parse([]byte(test.form), nil)
		var problem *trigger.Error
		if !errors.As(err, &problem) {
			t.Errorf("%s: %v, %v, want an *Error", test.form, trig, err)
			continue
		}
		if trig != nil {
			t.Errorf("%s: a trigger beside the error", test.form)
		}
		if problem.Field != test.field || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s:\n got field %q, %v\nwant field %q, %s", test.form, problem.Field, err, test.field, test.want)
		}
	}
}

func TestParseDates(t *testing.T) {
	t.Parallel()
	berlin := loadZone(t, "Europe/Berlin")
	for text, want := range map[string]string{
		"2026-11-06T16:30:05+08:00":      "2026-11-06T09:30:05+01:00",
		"2026-11-06T16:30:05Z":           "2026-11-06T17:30:05+01:00",
		"2026-11-06T16:30:05":            "2026-11-06T16:30:05+01:00",
		"2026-11-06 16:30:05.5":          "2026-11-06T16:30:05.5+01:00",
		"2026-11-06t16:30:05.123456789z": "2026-11-06T17:30:05.123456+01:00",
		"2026-7-1":                       "2026-07-01T00:00:00+02:00",
		"2026-03-29T02:30:00.25":         "2026-03-29T03:00:00+02:00", // in a gap
		"2026-10-25T02:30:00":            "2026-10-25T02:30:00+02:00", // in a fold
		"0001-01-02":                     "0001-01-01T23:06:32Z",      // local mean time
		"9999-12-31T23:59:59.999999":     "9999-12-31T23:59:59.999999+01:00",
	} {
		trig, err := trigger.Parse([]byte(`{"type":"date","run_date":"`+text+`"}`), berlin)
		if err != nil {
			t.Error(err)
			continue
		}
		at, ok := trig.Next(time.Time{}.AddDate(-10, 0, 0))
		if !ok || !at.Equal(instant(t, want)) || at.Location() != berlin {
			t.Errorf("%s: %v, %v, want %s in Berlin's zone", text, at, ok, want)
		}
		if _, ok := trig.Next(at); ok {
			t.Errorf("%s: fires twice", text)
		}
	}
}

func TestMarshal(t *testing.T) {
	t.Parallel()
	for form, want := range map[string]string{
		" {\n\t\"type\" : \"cr\\u006fn\" ,\r\n\"hour\" : 9 } \n":                                              `{"type":"cron","hour":"9","timezone":"Europe/Berlin"}`,
		`{"hour":9,"type":"cron","minute":" */5 ","timezone":"Asia/Shanghai","end_date":"2026-01-01"}`:        `{"type":"cron","hour":"9","minute":"*/5","timezone":"Asia/Shanghai","end_date":"2026-01-01T00:00:00+08:00"}`,
		`{"type":"daily_time_interval","every":1,"unit":"hour","from":"22:00","to":"00:00","timezone":"UTC"}`: `{"type":"daily_time_interval","every":1,"unit":"hour","from":"22:00:00","to":"00:00:00","timezone":"UTC"}`,
		`{"type":"interval","hours":1,"timezone":"Asia/Tokyo","end_date":"9999-12-31T23:00:00Z"}`:             `{"type":"interval","hours":1,"timezone":"Asia/Tokyo","end_date":"9999-12-31T23:00:00Z"}`,
		`{"type":"cron"}`: `{"type":"cron","timezone":"Europe/Berlin"}`,
		`{"type":"crontab","expression":" @daily "}`:                                                     `{"type":"crontab","expression":"@daily","timezone":"Europe/Berlin"}`,
		`{"type":"interval","weeks":2}`:                                                                  `{"type":"interval","weeks":2,"timezone":"Europe/Berlin"}`,
		`{"type":"interval","hours":24}`:                                                                 `{"type":"interval","days":1,"timezone":"Europe/Berlin"}`,
		`{"type":"interval","hours":0.5,"minutes":30}`:                                                   `{"type":"interval","hours":1,"timezone":"Europe/Berlin"}`,
		`{"type":"interval","minutes":1,"seconds":30,"start_date":"2026-07-01"}`:                         `{"type":"interval","seconds":90,"timezone":"Europe/Berlin","start_date":"2026-07-01T00:00:00+02:00"}`,
		`{"type":"interval","seconds":0.25,"start_date":"2026-07-01T00:00:00.000001Z","timezone":"UTC"}`: `{"type":"interval","seconds":0.25,"timezone":"UTC","start_date":"2026-07-01T00:00:00.000001Z"}`,
		`{"type":"date","run_date":"2026-11-06T16:30:05"}`:                                               `{"type":"date","run_date":"2026-11-06T16:30:05+01:00","timezone":"Europe/Berlin"}`,
		`{"type":"date","run_date":"1850-01-01T00:00:00"}`:                                               `{"type":"date","run_date":"1849-12-31T23:06:32Z","timezone":"Europe/Berlin"}`,
	} {
		trig, err := trigger.Parse([]byte(form), loadZone(t, "Europe/Berlin"))
		if err != nil {
			t.Error(err)
			continue
		}
		got, err := trigger.Marshal(trig)
		if err != nil || string(got) != want {
			t.Errorf("%s:\n got %s, %v\nwant %s", form, got, err, want)
		}
	}
}

func TestMarshalErrors(t *testing.T) {
	t.Parallel()
	if data, err := trigger.Marshal(foreign{}); err == nil {
		t.Errorf("a foreign trigger: %s", data)
	}
	if data, err := trigger.Marshal(nil); err == nil {
		t.Errorf("nil: %s", data)
	}
	local, err := trigger.NewCrontab("@daily", trigger.Options{Zone: time.Local})
	if err != nil {
		t.Fatal(err)
	}
	if data, err := trigger.Marshal(local); err == nil {
		t.Errorf("a trigger in time.Local: %s", data)
	}
}

type foreign struct{}

func (foreign) Next(time.Time) (time.Time, bool) { return time.Time{}, false }

func TestForeignTrigger(t *testing.T) {
	t.Parallel()
	f := foreign{}
	if trigger.Type(f) != "" || trigger.Zone(f) != time.UTC || trigger.Describe(f, trigger.English) != "" || trigger.Explain(f, time.Now(), trigger.English).Note != "" {
		t.Error("a foreign trigger is taken for one of ours")
	}
}

// checkRoundTrip wants Parse of Marshal to be equal, with another default zone.
func checkRoundTrip(t interface {
	Helper()
	Fatalf(format string, args ...any)
}, trig trigger.Trigger,
) {
	t.Helper()
	data, err := trigger.Marshal(trig)
	if err != nil {
		t.Fatalf("%#v: %v", trig, err)
	}
	again, err := trigger.Parse(data, time.FixedZone("Nowhere", 3600))
	if err != nil {
		t.Fatalf("%s: %v", data, err)
	}
	if !reflect.DeepEqual(trig, again) {
		t.Fatalf("%s: got %#v, want %#v", data, again, trig)
	}
	if second, err := trigger.Marshal(again); err != nil || string(second) != string(data) {
		t.Fatalf("got %s, %v, want %s", second, err, data)
	}
}

func TestRoundTrip(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		// The same zone value as Parse finds, so that they compare equal.
		zoned, err := trigger.Parse([]byte(`{"type":"cron","timezone":"`+rapid.SampledFrom(zoneNames()).Draw(t, "zone")+`"}`), nil)
		if err != nil {
			t.Fatal(err)
		}
		zone := trigger.Zone(zoned)
		var start, end time.Time
		micro := rapid.Int64Range(-1e15, 1e17)
		if rapid.Bool().Draw(t, "has start") {
			start = time.UnixMicro(micro.Draw(t, "start"))
		}
		if rapid.Bool().Draw(t, "has end") {
			end = time.UnixMicro(max(micro.Draw(t, "end"), start.UnixMicro()))
		}
		var trig trigger.Trigger
		switch rapid.IntRange(0, 3).Draw(t, "kind") {
		case 0:
			spec, _, _ := drawCron(t)
			trig, err = trigger.NewCron(spec, trigger.Options{Zone: zone, Start: start, End: end})
		case 1:
			expr, _, _ := drawCrontab(t)
			trig, err = trigger.NewCrontab(expr, trigger.Options{Zone: zone, Start: start, End: end})
		case 2:
			every := time.Duration(rapid.Int64Range(1e3, 1e15).Draw(t, "every")) * time.Microsecond
			trig, err = trigger.NewInterval(every, trigger.Options{Zone: zone, Start: start, End: end})
		case 3:
			trig, err = trigger.NewDate(time.UnixMicro(micro.Draw(t, "date")).In(zone))
		}
		if err != nil {
			t.Fatal(err)
		}
		checkRoundTrip(t, trig)
	})
}
