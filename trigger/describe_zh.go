package trigger

import (
	"math/bits"
	"strconv"
	"strings"
	"time"
)

type chineseWords struct{}

func (chineseWords) never() string         { return "从不触发（没有符合的日期）" }
func (chineseWords) once(at string) string { return "一次，" + at }

func (chineseWords) moved(wall, fire string, more int, sameDay bool) string {
	text := chineseGap(wall, more, sameDay) + "，改在 " + fire + " 触发"
	if more > 0 {
		return text + "一次"
	}
	return text
}

func (chineseWords) skipped(wall string, more int, sameDay bool) string {
	return chineseGap(wall, more, sameDay) + "，跳过"
}

func chineseGap(wall string, more int, sameDay bool) string {
	text := "不存在 " + wall
	if sameDay {
		text = "当天" + text
	}
	switch {
	case more >= manyTimes:
		text += " 等许多时间"
	case more > 0:
		text += " 等 " + strconv.Itoa(more+1) + " 个时间"
	}
	return text
}

func (chineseWords) repeated(wall string, second bool) string {
	if second {
		return "当天 " + wall + " 出现两次，这是第二次"
	}
	return "当天 " + wall + " 出现两次，这是第一次"
}

func (chineseWords) shifted(from, to string) string {
	return from + " 不开放，改在 " + to + " 触发"
}

func (w chineseWords) delayed(by time.Duration) string {
	return "错开，延后 " + w.length(lengthOf(by))
}

func (w chineseWords) notes(list []string) string { return joinNonEmpty(list, w.semicolon()) }

func (chineseWords) reboot() string { return "每次调度器启动时触发一次" }

func (chineseWords) spread(text string, known bool) string {
	if known {
		return text + "（按任务 ID 错开）"
	}
	return text + "（示例，实际由任务 ID 决定）"
}

func (w chineseWords) interval(i *Interval) string {
	unit, n := i.unit()
	if n == 1 && unit != "day" {
		return everyChinese(1, unit)
	}
	return "每 " + w.length(i)
}

func (chineseWords) length(i *Interval) string {
	unit, n := i.unit()
	switch {
	case unit == "day" && n == 1:
		return "24 小时"
	case short(n):
		return strconv.FormatInt(n, 10) + " " + chineseUnit(unit)
	}
	d, h, m, s := i.lengths()
	text := func(n, unit string) string {
		if n == "0" {
			return ""
		}
		return n + " " + unit
	}
	return joinWords(text(strconv.FormatInt(d, 10), "天"), text(strconv.FormatInt(h, 10), "小时"),
		text(strconv.FormatInt(m, 10), "分"), text(s, "秒"))
}

func chineseUnit(unit string) string {
	return map[string]string{"year": "年", "month": "个月", "week": "周", "day": "天", "hour": "小时", "minute": "分钟", "second": "秒"}[unit]
}

func everyChinese(n int, unit string) string {
	switch {
	case n == 1 && unit == "month":
		return "每月"
	case n == 1:
		return "每" + chineseUnit(unit)
	}
	return "每 " + strconv.Itoa(n) + " " + chineseUnit(unit)
}

func (w chineseWords) plan(p *plan, c clock) string {
	years, weeks := "", ""
	if p.years != nil {
		years = strings.Join(p.yearList("–", chineseSteps), "、") + " 年"
	}
	if p.weeks != allWeeks {
		weeks = "ISO 第 " + strings.Join(numbers(p.weeks, "–", chineseSteps), "、") + " 周"
	}
	days := w.days(p, c.times != nil || c.from != "")
	return tidyChinese(joinWords(years, weeks, days, w.clock(p, c)))
}

// tidyChinese leaves out spaces after full-width brackets, which bring theirs.
func tidyChinese(text string) string { return strings.ReplaceAll(text, "） ", "）") }

// days gives the days, with their months. daily: that it is every day is to be
// said.
func (w chineseWords) days(p *plan, daily bool) string {
	months := ""
	if p.months != allMonths {
		months = w.monthList(p.months)
	}
	weekdays := w.weekdays(p, true)
	dates := w.dates(p)
	switch {
	case dates == "" && p.weekdays == allWeekdays:
		if daily {
			return months + "每天"
		}
		return months
	case dates == "":
		return joinWords(months, weekdays)
	case p.eitherDay && months != "":
		return spaced(months+"的", dates) + "及" + weekdays
	case p.eitherDay:
		return spaced("每月", dates) + "及" + weekdays
	case months == "":
		months = "每月"
	}
	if p.weekdays != allWeekdays {
		dates += "且为" + w.weekdays(p, false)
	}
	return spaced(months, dates)
}

// spaced puts a space between a word and a number.
func spaced(word, text string) string {
	if text[0] >= '0' && text[0] <= '9' {
		return word + " " + text
	}
	return word + text
}

func (chineseWords) monthList(set uint16) string {
	return strings.Join(numbers(uint64(set), "–", chineseSteps), "、") + " 月"
}

// day gives a date with its weekday.
func (chineseWords) day(wall int64) string {
	at := time.Unix(wall, 0).UTC()
	return at.Format(time.DateOnly) + "（" + chineseWeekday(int(at.Weekday())) + "）"
}

func (w chineseWords) moment(wall int64, nanosecond int) string {
	return w.day(wall) + clockTime(wall, nanosecond)
}

func (chineseWords) twice(wall string, more int, choice OnFold) string {
	text := "当天 " + wall
	switch {
	case more >= manyTimes:
		text += " 等许多时间"
	case more > 0:
		text += " 等 " + strconv.Itoa(more+1) + " 个时间"
	}
	if more == 0 {
		text += " "
	}
	return text + "出现两次，" + map[OnFold]string{FoldFirst: "只在第一次触发", FoldSecond: "只在第二次触发", FoldBoth: "两次都触发"}[choice]
}

func (chineseWords) comma() string     { return "、" }
func (chineseWords) semicolon() string { return "；" }

func (chineseWords) change(fire string, isNew bool) string {
	if isNew {
		return "新增 " + fire
	}
	return fire + " 不再触发"
}

func (chineseWords) same(until string, compared int, complete bool) string {
	switch {
	case complete && compared == 0:
		return "两者都不触发"
	case complete:
		return "所有触发时间均不变"
	case compared == 0:
		return "未发现差异：查找触发时间耗时过长"
	}
	return "接下来 " + strconv.Itoa(compared) + " 个触发时间均不变，直至 " + until
}

// weekdays gives the weekdays, and those of the month among them: the one and
// the other, or the one or the other.
func (chineseWords) weekdays(p *plan, and bool) string {
	list := names(mondayFirst(p.weekdays), chineseWeekday, "至")
	mark, month := "或", ""
	if and {
		mark = "、"
		if bits.OnesCount8(p.weekdays) == 1 {
			list[0] = "每" + list[0]
		}
		if !p.hasDates() && p.months == allMonths {
			month = "每月" // where nothing else says so
		}
	}
	for _, text := range chineseNth(p.specialOrNone().weekdayNth) {
		list = append(list, month+text)
	}
	return strings.Join(list, mark)
}

// chineseNth gives weekdays of the month.
func chineseNth(nth [6]uint8) (list []string) {
	eachNth(nth, func(which, weekday int) {
		text := "最后一个"
		if which < lastOfMonth {
			text = "第 " + strconv.Itoa(which+1) + " 个"
		}
		list = append(list, text+chineseWeekday(weekday))
	})
	return list
}

// dates gives the days of the month, "" if all will do.
func (chineseWords) dates(p *plan) string {
	if !p.hasDates() {
		return ""
	}
	var list []string
	if p.days != 0 {
		list = append(list, strings.Join(numbers(uint64(p.days), "–", chineseSteps), "、")+" 日")
	}
	const workingDay = "工作日（周一至周五）"
	special := p.specialOrNone()
	if special.nearest != 0 {
		list = append(list, "离 "+strings.Join(numbers(uint64(special.nearest), "–", chineseSteps), "、")+" 日最近的"+workingDay)
	}
	list = append(list, chineseNth(special.nth)...)
	list = append(list, beforeLast(special.fromEnd, chineseBeforeLast)...)
	list = append(list, beforeLast(special.nearestEnd, func(n int) string {
		if n == 0 {
			return "最后一个" + workingDay
		}
		return "离" + chineseBeforeLast(n) + "最近的" + workingDay
	})...)
	return strings.Join(list, "、")
}

func chineseBeforeLast(n int) string {
	if n == 0 {
		return "最后一天"
	}
	return "倒数第 " + strconv.Itoa(n+1) + " 天"
}

func (chineseWords) clock(p *plan, c clock) string {
	if c.times != nil {
		return strings.Join(c.times, "、")
	}
	if c.every == 0 {
		return chineseFields(p)
	}
	text := everyChinese(c.every, c.unit)
	begin := ""
	if c.unit == "minute" {
		if c.minute != 0 && c.from == "" {
			begin = "每小时第 " + strconv.Itoa(c.minute) + " 分起 "
		}
		c.minute = 0
	}
	if c.minute != 0 {
		text += "的第 " + strconv.Itoa(c.minute) + " 分"
		if c.second != 0 {
			text += " " + strconv.Itoa(c.second) + " 秒"
		}
	} else if c.second != 0 {
		text += "的第 " + strconv.Itoa(c.second) + " 秒"
	}
	if c.from != "" {
		text = c.from + "–" + c.to + " " + text
	}
	return begin + text
}

// chineseFields lists the fields of the time of day.
func chineseFields(p *plan) string {
	one := func(set uint64, size int, unit, mark string) string {
		if n := cycle(set, size); n > 0 {
			return everyChinese(n, unit)
		}
		return strings.Join(numbers(set, "–", chineseSteps), "、") + " " + mark
	}
	text := one(uint64(p.hours), 24, "hour", "时") + " " + one(p.minutes, 60, "minute", "分")
	if p.seconds != 1 {
		text += " " + one(p.seconds, 60, "second", "秒")
	}
	return text
}

func chineseSteps(values string, step int) string {
	return values + "（步长 " + strconv.Itoa(step) + "）"
}

func chineseWeekday(n int) string {
	return "周" + strings.Split("日一二三四五六", "")[n%7]
}

func (chineseWords) calendarInterval(c *CalendarInterval) string {
	s, list := &c.spec, c.distance()
	_, month, day := c.firstDate()
	one := list[0].n == 1
	text := everyChinese(list[0].n, list[0].unit)
	on := ""
	switch {
	case len(list) > 1:
		text = "每"
		for _, a := range list {
			text += " " + strconv.Itoa(a.n) + " " + chineseUnit(a.unit)
		}
	case c.start == noStart:
	case s.Years > 0:
		on = strconv.Itoa(month) + " 月 " + strconv.Itoa(day) + " 日"
	case s.Months > 0:
		on = strconv.Itoa(day) + " 日"
	case s.Weeks > 0:
		on = chineseWeekday(int(time.Unix(c.first*secondsPerDay, 0).UTC().Weekday()))
	}
	switch {
	case on == "":
	case one && s.Weeks > 0:
		text = "每" + on
	case one:
		text += " " + on
	default:
		text = spaced(text+"的", on)
	}
	text += " " + timeText(s.Hour, s.Minute, s.Second)
	switch {
	case !c.counted():
	case c.start == noStart:
		text += "，从添加任务当天算起"
	default:
		text += "，从 " + time.Unix(c.first*secondsPerDay, 0).UTC().Format(time.DateOnly) + " 算起"
	}
	switch {
	case !c.lacksDays():
	case s.ShortMonth == ShortMonthLast:
		text += "；没有该日的月份改在月末"
	case len(list) == 1 && s.Years > 0:
		text += "；跳过没有该日的年份"
	default:
		text += "；跳过没有该日的月份"
	}
	return text
}

func (w chineseWords) dailyTime(d *DailyTimeInterval) string {
	from, to, next := d.window()
	days := w.days(&plan{days: allDays, months: allMonths, weekdays: d.weekdays}, from != "" || d.once())
	every := everyChinese(int(d.every()), string(d.unit))
	switch {
	case d.once():
		s := int(d.from)
		return days + " " + timeText(s/3600, s/60%60, s%60)
	case from == "":
		return joinWords(days, every)
	case to == "":
		return joinWords(days, from, "至当天结束", every)
	case next:
		return joinWords(days, from+"–次日", to, every)
	}
	return joinWords(days, from+"–"+to, every)
}

func (chineseWords) datesList(at []string, more int) string {
	text := strings.Join(at, "、")
	switch {
	case more > 0:
		return "各一次，" + text + "，另有 " + strconv.Itoa(more) + " 个时间"
	case len(at) == 1:
		return "一次，" + text
	}
	return "各一次，" + text
}

func (w chineseWords) all(parts []string) string {
	if len(parts) == 1 {
		return w.parts(parts)
	}
	return "以下同时触发时：" + w.parts(parts)
}

func (w chineseWords) any(parts []string) string {
	if len(parts) == 1 {
		return w.parts(parts)
	}
	return "以下任一触发时：" + w.parts(parts)
}

func (chineseWords) parts(parts []string) string {
	list := make([]string, len(parts))
	for i, part := range parts {
		if list[i] = part; part == "" {
			list[i] = "其他类型的触发器"
		}
		if len(parts) > 1 {
			list[i] = inBrackets(list[i], "；", "（", "）")
		}
	}
	return strings.Join(list, "；")
}

func (w chineseWords) modified(text string, with *Modifiers) string {
	text = inBrackets(text, "；", "（", "）")
	if with.Calendar != nil {
		text = joinNonEmpty([]string{text, with.Calendar.describe(w)}, "，")
	}
	if with.Limit != 0 {
		text += "，最多触发 " + strconv.Itoa(with.Limit) + " 次"
	}
	if with.Jitter != 0 {
		text += "，按任务错开，至多延后 " + w.length(lengthOf(with.Jitter))
	}
	return text
}
