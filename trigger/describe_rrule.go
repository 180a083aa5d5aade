package trigger

import (
	"slices"
	"strconv"
	"strings"
	"time"
)

// describe says a rule that cron could say in the same words as cron; the
// others part by part.
func (r *RRule) describe(w words) string {
	if r.never {
		return w.never()
	}
	var text interface {
		repeats() string
		end() string
	} = englishRule{r}
	if _, ok := w.(chineseWords); ok {
		text = chineseRule{r}
	}
	if plan := r.asPlan(); plan != nil {
		return plan.describe(w) + text.end()
	}
	return text.repeats() + text.end()
}

// asPlan gives a rule of which each period counts as a plan; nil if fields
// cannot say its days.
func (r *recurrence) asPlan() *plan {
	if r.interval != 1 || r.positions != nil || r.weeks|r.weeksBack != 0 || r.yearDays != nil || r.nth != nil && r.ofYear() {
		return nil
	}
	p := r.monthPlan()
	for _, w := range r.nth {
		switch {
		case w.n > 0:
			p.specials().weekdayNth[w.n-1] |= 1 << w.weekday
		case w.n == -1:
			p.specials().weekdayNth[lastOfMonth] |= 1 << w.weekday
		default:
			return nil
		}
	}
	return p
}

// monthPlan gives the fields that rules and plans have in common.
func (r *recurrence) monthPlan() *plan {
	p := &plan{seconds: r.times.seconds, minutes: r.times.minutes, hours: r.times.hours, days: allDays, months: allMonths, weekdays: allWeekdays, weeks: allWeeks}
	if r.months != 0 {
		p.months = r.months
	}
	if r.monthDays|r.monthDaysBack != 0 {
		p.days = r.monthDays
	}
	if r.monthDaysBack != 0 {
		p.specials().fromEnd = r.monthDaysBack >> 1
	}
	if r.weekdays != 0 || r.nth != nil {
		p.weekdays = r.weekdays
	}
	return p
}

// unitName is the period in the words of everyEnglish and everyChinese.
func (r *recurrence) unitName() string {
	return []string{"second", "minute", "hour", "day", "week", "month", "year"}[r.freq]
}

// originText is what an interval is counted from, "" for one of 1.
func (r *recurrence) originText() string {
	switch {
	case r.interval == 1:
		return ""
	case r.freq < daily:
		return time.Unix(r.first, 0).UTC().Format("2006-01-02 ") + wallText(r.first, r.first)
	}
	return time.Unix(r.first, 0).UTC().Format(time.DateOnly)
}

// untilText is the last time; the day alone if all of it counts.
func (r *RRule) untilText() string {
	wall := r.until.at
	if r.until.utc {
		wall = r.zone.wall(wall)
	}
	day := time.Unix(wall, 0).UTC().Format(time.DateOnly)
	if floorMod(wall, secondsPerDay) == secondsPerDay-1 {
		return day
	}
	return day + " " + wallText(wall, wall)
}

// weekStartMatters tells whether another WKST would change the times, or may.
func (r *recurrence) weekStartMatters() bool {
	return r.weekStart != 1 && (r.weeks|r.weeksBack != 0 || r.freq == weekly && (r.interval > 1 || r.positions != nil))
}

// backwards lists a set of numbers that count from an end, in the order of what
// they stand for.
func backwards(set uint64) (list []int) {
	for n := 63; n > 0; n-- {
		if set>>n&1 != 0 {
			list = append(list, n)
		}
	}
	return list
}

// signs splits numbers into those that count from the begin and those that
// count from the end, in the order of what they stand for.
func signs(list []int) (forwards, back []int) {
	for _, n := range slices.Compact(slices.Sorted(slices.Values(list))) {
		if n > 0 {
			forwards = append(forwards, n)
		} else {
			back = append(back, -n)
		}
	}
	return forwards, back
}

func numberTexts(list []int) []string {
	var s []string
	for _, n := range list {
		s = append(s, strconv.Itoa(n))
	}
	return s
}

// englishRule says a rule in English.
type englishRule struct{ *RRule }

func (r englishRule) end() string {
	switch {
	case r.count == 1:
		return ", once"
	case r.count > 1:
		return ", " + strconv.Itoa(r.count) + " times"
	case r.until.given:
		return ", until " + r.untilText()
	}
	return ""
}

func (r englishRule) repeats() string {
	unit := r.unitName()
	days, times := r.daysOf(), r.timesIn()
	if strings.Contains(days, ", if ") || strings.HasPrefix(times, " every ") {
		days += ","
	}
	text := "every " + everyEnglish(int(r.interval), unit) + days + times
	if r.positions != nil {
		forwards, back := signs(r.positions)
		var list []string
		for _, n := range forwards {
			list = append(list, "the "+ordinal(n))
		}
		for _, n := range back {
			list = append(list, "the "+englishBack(n))
		}
		text += ", only " + joinEnglish(list, "and") + " of each " + unit
	}
	if r.weekStartMatters() {
		text += ", weeks beginning on " + englishWeekday(r.weekStart)
	}
	if from := r.originText(); from != "" {
		text += ", counted from " + from
	}
	return text
}

// englishBack gives "last", "2nd to last" and so on.
func englishBack(n int) string {
	if n == 1 {
		return "last"
	}
	return ordinal(n) + " to last"
}

// daysOf lists the parts that are about days.
func (r englishRule) daysOf() string {
	p := r.monthPlan()
	text := ""
	if r.months != 0 {
		text += " in " + englishWords{}.monthList(r.months)
	}
	if r.weeks|r.weeksBack != 0 {
		var list []string
		if r.weeks != 0 {
			list = append(list, "week"+plural(r.weeks)+" "+joinEnglish(numbers(r.weeks, "-", englishSteps), "and"))
		}
		for _, n := range backwards(r.weeksBack) {
			list = append(list, "the "+englishBack(n)+" week")
		}
		text += " in " + joinEnglish(list, "and") + " of the year"
	}
	var dates []string
	if r.yearDays != nil {
		forwards, back := signs(r.yearDays)
		var list []string
		switch {
		case len(forwards) == 1:
			list = append(list, "day "+strconv.Itoa(forwards[0]))
		case forwards != nil:
			list = append(list, "days "+joinEnglish(numberTexts(forwards), "and"))
		}
		for _, n := range back {
			list = append(list, "the "+englishBack(n)+" day")
		}
		dates = append(dates, joinEnglish(list, "and")+" of the year")
	}
	if of := (englishWords{}).dates(p); of != "" {
		dates = append(dates, of+" of the month")
	}
	if r.weekdays == 0 && r.nth == nil {
		if dates != nil {
			text += " on " + strings.Join(dates, ", if ")
		}
		return text
	}
	list := names(mondayFirst(r.weekdays), englishWeekday, " to ")
	for _, w := range r.nth {
		of := ordinal(w.n)
		if w.n < 0 {
			of = englishBack(-w.n)
		}
		list = append(list, "the "+of+" "+englishWeekday(w.weekday))
	}
	of := ""
	switch {
	case r.nth == nil:
	case r.ofYear():
		of = " of the year"
	default:
		of = " of the month"
	}
	if dates == nil {
		return text + " on " + joinEnglish(list, "and") + of
	}
	return text + " on " + strings.Join(append(dates, joinEnglish(list, "or")+of), ", if ")
}

// timesIn gives the times of day; of periods below a day, those in them and
// which of them are allowed.
func (r englishRule) timesIn() string {
	t := &r.times
	if r.freq >= daily {
		return " " + englishWords{}.clock(t, t.clock())
	}
	var at, in []string
	add := func(set, all uint64, above frequency, unit string) {
		text := unit + plural(set) + " " + joinEnglish(numbers(set, "-", englishSteps), "and")
		switch {
		case r.freq >= above && set != 1:
			at = append(at, text)
		case r.freq < above && set != all:
			in = append(in, text)
		}
	}
	add(uint64(t.hours), allHours, daily, "hour")
	add(t.minutes, allSixty, hourly, "minute")
	add(t.seconds, allSixty, minutely, "second")
	text := ""
	if at != nil {
		text = " at " + strings.Join(at, ", ")
	}
	if in != nil {
		text += ", only in " + strings.Join(in, ", ")
	}
	return text
}

// chineseRule says a rule in Chinese.
type chineseRule struct{ *RRule }

func (r chineseRule) end() string {
	switch {
	case r.count > 0:
		return "，共 " + strconv.Itoa(r.count) + " 次"
	case r.until.given:
		return "，至 " + r.untilText() + " 止"
	}
	return ""
}

func (r chineseRule) repeats() string {
	text := everyChinese(int(r.interval), r.unitName())
	switch days := r.daysOf(); {
	case days == "":
	case r.freq < daily:
		text = days + " " + text
	default:
		text = spaced(text+"的", days)
	}
	text += r.timesIn()
	if r.positions != nil {
		forwards, back := signs(r.positions)
		var list []string
		for _, n := range forwards {
			list = append(list, "第 "+strconv.Itoa(n)+" 次")
		}
		for _, n := range back {
			list = append(list, chineseBack(n, "次"))
		}
		text += "，" + everyChinese(1, r.unitName()) + "只取" + strings.Join(list, "、")
	}
	if r.weekStartMatters() {
		text += "，每周从" + chineseWeekday(r.weekStart) + "开始"
	}
	if from := r.originText(); from != "" {
		text += "，自 " + from + " 起计"
	}
	return text
}

// chineseBack counts something from the end.
func chineseBack(n int, what string) string {
	if n == 1 {
		return "最后一" + what
	}
	return "倒数第 " + strconv.Itoa(n) + " " + what
}

func (r chineseRule) daysOf() string {
	p := r.monthPlan()
	var parts []string
	if r.months != 0 {
		parts = append(parts, chineseWords{}.monthList(r.months))
	}
	if r.weeks|r.weeksBack != 0 {
		var list []string
		if r.weeks != 0 {
			list = append(list, "第 "+strings.Join(numbers(r.weeks, "–", chineseSteps), "、")+" 周")
		}
		for _, n := range backwards(r.weeksBack) {
			list = append(list, chineseBack(n, "周"))
		}
		parts = append(parts, strings.Join(list, "、"))
	}
	var dates []string
	if r.yearDays != nil {
		forwards, back := signs(r.yearDays)
		var list []string
		if forwards != nil {
			list = append(list, "第 "+strings.Join(numberTexts(forwards), "、")+" 天")
		}
		for _, n := range back {
			list = append(list, chineseBack(n, "天"))
		}
		of := "年内"
		if r.freq == yearly {
			of = ""
		}
		dates = append(dates, of+strings.Join(list, "、"))
	}
	if of := (chineseWords{}).dates(p); of != "" {
		dates = append(dates, of)
	}
	if r.weekdays != 0 || r.nth != nil {
		list := names(mondayFirst(r.weekdays), chineseWeekday, "至")
		for _, w := range r.nth {
			which := "第 " + strconv.Itoa(w.n) + " 个"
			if w.n < 0 {
				which = chineseBack(-w.n, "个")
			}
			list = append(list, which+chineseWeekday(w.weekday))
		}
		mark := "、"
		if dates != nil {
			mark = "或"
		}
		dates = append(dates, strings.Join(list, mark))
	}
	return joinWords(append(parts, strings.Join(dates, "且为"))...)
}

func (r chineseRule) timesIn() string {
	t := &r.times
	if r.freq >= daily {
		return " " + chineseWords{}.clock(t, t.clock())
	}
	at, in := "", ""
	add := func(set, all uint64, above frequency, mark string) {
		text := strings.Join(numbers(set, "–", chineseSteps), "、") + " " + mark
		switch {
		case r.freq >= above && set != 1:
			at = joinWords(at, text)
		case r.freq < above && set != all:
			in = joinWords(in, text)
		}
	}
	add(uint64(t.hours), allHours, daily, "时")
	add(t.minutes, allSixty, hourly, "分")
	add(t.seconds, allSixty, minutely, "秒")
	if at != "" {
		at = "的第 " + at
	}
	if in != "" {
		in = "，仅限 " + in
	}
	return at + in
}
