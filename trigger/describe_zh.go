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
	text := "不存在 " + wall
	if sameDay {
		text = "当天" + text
	}
	if more > 0 {
		return text + " 等 " + strconv.Itoa(more+1) + " 个时间，改在 " + fire + " 触发一次"
	}
	return text + "，改在 " + fire + " 触发"
}

func (chineseWords) repeated(wall string, second bool) string {
	if second {
		return "当天 " + wall + " 出现两次，这是第二次"
	}
	return "当天 " + wall + " 出现两次，这是第一次"
}

func (chineseWords) interval(i *Interval) string {
	unit, n := i.unit()
	switch {
	case unit == "day" && n == 1:
		return "每 24 小时"
	case short(n):
		return everyChinese(int(n), unit)
	}
	d, h, m, s := i.lengths()
	text := func(n, unit string) string {
		if n == "0" {
			return ""
		}
		return n + " " + unit
	}
	return "每 " + joinWords(text(strconv.FormatInt(d, 10), "天"), text(strconv.FormatInt(h, 10), "小时"),
		text(strconv.FormatInt(m, 10), "分"), text(s, "秒"))
}

func everyChinese(n int, unit string) string {
	word := map[string]string{"week": "周", "day": "天", "hour": "小时", "minute": "分钟", "second": "秒"}[unit]
	if n == 1 {
		return "每" + word
	}
	return "每 " + strconv.Itoa(n) + " " + word
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
	text := joinWords(years, weeks, days, w.clock(p, c))
	return strings.ReplaceAll(text, "） ", "）") // a full-width bracket brings its space
}

// days gives the days, with their months. daily: that it is every day is to be
// said.
func (w chineseWords) days(p *plan, daily bool) string {
	months := ""
	if p.months != allMonths {
		months = strings.Join(numbers(uint64(p.months), "–", chineseSteps), "、") + " 月"
	}
	weekdays := strings.Join(names(mondayFirst(p.weekdays), chineseWeekday, "至"), "、")
	if bits.OnesCount8(p.weekdays) == 1 {
		weekdays = "每" + weekdays
	}
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
		return months + "的 " + dates + "及" + weekdays
	case p.eitherDay:
		return "每月 " + dates + "及" + weekdays
	case months == "":
		months = "每月"
	}
	if dates[0] >= '0' && dates[0] <= '9' {
		dates = " " + dates
	}
	if p.weekdays != allWeekdays {
		dates += "且为" + strings.Join(names(mondayFirst(p.weekdays), chineseWeekday, "至"), "或")
	}
	return months + dates
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
	for i, set := range p.specialOrNone().nth {
		for d := nextBit(mondayFirst(set), 1); d <= 7; d = nextBit(mondayFirst(set), d+1) {
			which := "最后一个"
			if i < lastOfMonth {
				which = "第 " + strconv.Itoa(i+1) + " 个"
			}
			list = append(list, which+chineseWeekday(d))
		}
	}
	if p.specialOrNone().fromEnd&1 != 0 {
		list = append(list, "最后一天")
	}
	return strings.Join(list, "、")
}

func (chineseWords) clock(p *plan, c clock) string {
	if c.times != nil {
		return strings.Join(c.times, "、")
	}
	if c.every == 0 {
		return chineseFields(p)
	}
	text := everyChinese(c.every, c.unit)
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
	return text
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

func (chineseWords) calendarInterval(c *CalendarInterval) string { return "?" }
func (chineseWords) dailyTime(d *DailyTimeInterval) string { return "?" }
func (chineseWords) datesList(at []string, more int) string { return "?" }
func (chineseWords) reboot() string { return "?" }
func (chineseWords) all(parts []string) string { return "?" }
func (chineseWords) any(parts []string) string { return "?" }
func (chineseWords) modified(text string, with *Modifiers) string { return text }
func (chineseWords) skipped(wall string, more int, sameDay bool) string { return "?" }
func (chineseWords) shifted(from, to string) string { return "?" }
func (chineseWords) delayed(by time.Duration) string { return "?" }
func (chineseWords) notes(list []string) string { return joinWords(list...) }
