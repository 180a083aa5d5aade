package trigger

import (
	"math/bits"
	"strconv"
	"strings"
)

// fieldTexts gives the fields of a plan as they were written, in the order of
// crontab text; "" for those that were not.
func fieldTexts(t Trigger) (texts [7]string) {
	expr := ""
	switch t := t.(type) {
	case *Cron:
		f := &t.fields
		return [7]string{f[fieldSecond], f[fieldMinute], f[fieldHour], f[fieldDay], f[fieldMonth], f[fieldDayOfWeek], f[fieldYear]}
	case *Crontab:
		expr = t.expr
	case *Quartz:
		expr = t.expr
	}
	if expr == "" || expr[0] == '@' {
		return texts
	}
	if words := strings.Fields(expr); len(words) == 5 {
		copy(texts[textMinute:], words)
	} else {
		copy(texts[:], words)
	}
	return texts
}

// fields warns about what the text of a plan may not mean.
func (l *linter) fields(n native, in scope) {
	p := planOf(n)
	if p == nil {
		return
	}
	texts := fieldTexts(n)
	l.weekday(n, texts, in)
	l.bothDays(n, p.spoken(), texts, in)
}

// weekdayNumbers is how a dialect counts the days of the week.
type weekdayNumbers struct {
	name              string
	low, high, sunday int
}

func crontabNumbers() weekdayNumbers { return weekdayNumbers{"crontab", 0, 7, 0} }

func quartzNumbers() weekdayNumbers { return weekdayNumbers{"Quartz", 1, 7, 1} }

// weekday warns about numbers that are other days elsewhere. In crontab text
// they are taken for granted, unless it looks like quartz.
func (l *linter) weekday(n native, texts [7]string, in scope) {
	here, there := weekdayNumbers{"cron", 0, 6, 6}, crontabNumbers()
	switch Type(n) {
	case "quartz":
		here = quartzNumbers()
	case "crontab":
		here, there = there, quartzNumbers()
		if texts[textSecond] == "" && !strings.ContainsAny(texts[textWeekday], "#L") {
			return
		}
	}
	var numbers []string
	var own, other uint8
	for item := range strings.SplitSeq(texts[textWeekday], ",") {
		set, ok := here.days(item)
		elsewhere, valid := there.days(item)
		if ok && valid {
			numbers, own, other = append(numbers, strings.TrimSpace(item)), own|set, other|elsewhere
		}
	}
	if own == other {
		return
	}
	l.warn(in, LintWeekday, fieldOf(n, textWeekday),
		"The weekday %s means %s here, but %s in %s. Names leave no doubt: %s.",
		"星期 %[1]s 在这里指%[2]s，在 %[4]s 中则指%[3]s。写成名称就不会误解：%[5]s。",
		strings.Join(numbers, ","), l.weekdays(own), l.weekdays(other), there.name, nameList(own))
}

// days gives the weekdays that an item with numbers stands for, bit 0 for
// Sunday; ok is false for one without, and for one that is not of the dialect.
func (d weekdayNumbers) days(item string) (set uint8, ok bool) {
	item = strings.TrimSpace(item)
	if before, _, nth := strings.Cut(item, "#"); nth {
		item = before
	} else if last := len(item) - 1; last > 0 && (item[last] == 'L' || item[last] == 'l') {
		item = item[:last]
	}
	p := split(item)
	first, last := d.low, d.low+6
	if p.first == "*" || p.first == "" {
		if !p.isStep {
			return 0, false
		}
	} else {
		if first, ok = number(p.first); !ok {
			return 0, false
		}
		switch {
		case p.isRange:
			if last, ok = number(p.last); !ok {
				return 0, false
			}
		case !p.isStep:
			last = first
		}
	}
	if first < d.low || last > d.high {
		return 0, false
	}
	if last < first {
		last += 7
	}
	step, problem := p.stepValue()
	if problem != "" {
		return 0, false
	}
	for n := first; n <= last; n += step {
		set |= 1 << uint((n-d.sunday+7)%7)
	}
	return set, true
}

// weekdays lists weekdays by name.
func (l *linter) weekdays(set uint8) string {
	if l.chinese {
		return strings.Join(names(mondayFirst(set), chineseWeekday, "至"), "、")
	}
	return joinEnglish(names(mondayFirst(set), englishWeekday, " to "), "and")
}

// nameList names weekdays as all dialects take them.
func nameList(set uint8) string {
	var list []string
	for d := nextBit(mondayFirst(set), 1); d <= 7; d = nextBit(mondayFirst(set), d+1) {
		list = append(list, sundayNames[3*(d%7):3*(d%7)+3])
	}
	return strings.Join(list, ",")
}

// bothDays warns where both day fields are given: dialects differ in what that
// means.
func (l *linter) bothDays(n native, p *plan, texts [7]string, in scope) {
	day, weekday := texts[textDay], texts[textWeekday]
	if day == "" || weekday == "" {
		return
	}
	crontab := Type(n) == "crontab"
	dates, weekdays := l.w.dates(p), l.w.weekdays(p, p.eitherDay)
	switch {
	case p.eitherDay:
		ofMonth := dates + " of the month"
		if l.chinese {
			ofMonth = spaced("每月", dates)
		}
		l.warn(in, LintEitherDay, "expression",
			"Fires on %s and also on %s: in crontab, a day that either of the two day fields matches is enough.",
			"%s会触发，%s也会触发：crontab 的两个日期字段都填写时，符合其一即可。", ofMonth, weekdays)
	case crontab && !isStar(day) && !isStar(weekday) && coversAll(textDay, day) != coversAll(textWeekday, weekday):
		l.warn(in, LintEitherDay, "expression",
			"Fires every day: one of the two day fields matches all days, and in crontab a day that either matches is enough.",
			"每天都触发：其中一个日期字段包含所有日子，而 crontab 的两个日期字段符合其一即可。")
	case !p.hasDates() || p.weekdays == allWeekdays:
	case crontab:
		l.warn(in, LintBothDays, "expression",
			"A day must match both day fields, %s and %s, because one of them begins with *; else either would be enough.",
			"日期须同时符合两个日期字段（%s且为%s），因为其中一个以 * 开头；否则符合其一即可。", dates, weekdays)
	default:
		l.warn(in, LintBothDays, fieldOf(n, textWeekday),
			"A day must match both day fields, %s and %s; in crontab either would be enough.",
			"日期须同时符合两个日期字段（%s且为%s）；在 crontab 中符合其一即可。", dates, weekdays)
	}
}

// coversAll tells whether the text of a day field of crontab stands for all of
// its values.
func coversAll(number int, text string) bool {
	f := crontabFields()[number]
	var set uint64
	for item := range strings.SplitSeq(text, ",") {
		if s, problem := f.crontabItem(item); problem == "" {
			set |= s.set()
		}
	}
	if number == textWeekday {
		return (set|set>>7)&allWeekdays == allWeekdays
	}
	return set == allDays
}

// plan warns about fields that do not do what they seem to.
func (l *linter) plan(n native, in scope) {
	if c, ok := n.(*CalendarInterval); ok && c.lacksDays() && c.spec.ShortMonth == ShortMonthSkip {
		_, month, day := c.firstDate()
		months, step := uint16(0), 12*c.spec.Years+c.spec.Months
		for k := range 12 {
			months |= 1 << uint((month-1+k*step)%12+1)
		}
		l.months(in, "start_date", months, day)
	}
	p := planOf(n)
	if p == nil {
		return
	}
	texts := fieldTexts(n)
	l.someDays(n, p.spoken(), texts[textDay], in)
	hours := uint64(p.hours)
	week := uint64(p.weekdays) | uint64(p.weekdays)<<7
	l.step(n, textSecond, texts, p.seconds, neighbours(p.minutes), in)
	l.step(n, textMinute, texts, p.minutes, neighbours(hours|hours<<24), in)
	l.step(n, textHour, texts, hours, p.days == allDays && neighbours(week), in)
	l.step(n, textDay, texts, uint64(p.days), p.weekdays == allWeekdays, in)
	l.step(n, textMonth, texts, uint64(p.months), p.years == nil, in)
}

// neighbours tells whether two values of a set follow each other.
func neighbours(set uint64) bool { return set&(set>>1) != 0 }

// someDays warns about days that not all months or years have.
func (l *linter) someDays(n native, p *plan, text string, in scope) {
	field := fieldOf(n, textDay)
	if p.weeks == 1<<53 {
		l.warn(in, LintSomeYears, "week", "Fires only in years that have an ISO week 53: 71 out of 400.", "只在有 ISO 第 53 周的年份触发：400 年中有 71 年。")
	}
	if !p.hasDates() || p.eitherDay {
		return
	}
	s := p.specialOrNone()
	fifth := s.nth[4]
	s.nth[4] = 0
	if fifth != 0 && p.days == 0 && s == (specialDays{}) {
		l.warn(in, LintSomeMonths, field, "Fires only in months that have %s: 4 or 5 a year.", "只在有%s的月份触发：每年 4 至 5 个月。",
			map[bool]string{false: "a 5th ", true: "第 5 个"}[l.chinese]+l.weekdays(fifth))
		return
	}
	if fifth != 0 || s.nth != [6]uint8{} {
		return
	}
	// The shortest month that has one of the days.
	shortest := min(nextBit(uint64(p.days), 1), nextBit(uint64(s.nearest), 1), nextBit(uint64(s.fromEnd), 0)+1, nextBit(uint64(s.nearestEnd), 0)+1)
	if shortest > 28 {
		l.months(in, field, p.months, shortest)
		return
	}
	for item := range strings.SplitSeq(text, ",") {
		if day, ok := number(strings.TrimSpace(item)); ok && day > 29 && having(p.months, day) != p.months {
			l.warn(in, LintSomeMonths, field, "There is no day %[1]d in %[2]s: it does not fire then.", "%[2]s没有 %[1]d 日，届时不触发。", day, l.w.monthList(p.months&^having(p.months, day)))
			return
		}
	}
}

// having gives those of the months that have a day, in some year.
func having(months uint16, day int) (set uint16) {
	for m := 1; m <= 12; m++ {
		if day <= daysInMonth(2000, m) {
			set |= 1 << uint(m)
		}
	}
	return set & months
}

// months warns about a day of the month that not all of the months have.
func (l *linter) months(in scope, field string, months uint16, day int) {
	const february = 1 << 2
	have := having(months, day)
	switch {
	case day == 29 && months == february:
		l.warn(in, LintSomeYears, field, "Fires only in leap years, every four years: other years have no 29 February.", "只在闰年触发，每四年一次：其他年份没有 2 月 29 日。")
	case day == 29 && months&february != 0:
		l.warn(in, LintSomeMonths, field, "Fires in February only in leap years: in other years it has no day 29.", "2 月只在闰年触发：其他年份的 2 月没有 29 日。")
	case have != months:
		l.warn(in, LintSomeMonths, field, "Fires only in the %[1]s with a day %[2]d: %[3]s.", "只在有 %[2]d 日的 %[1]s触发：%[3]s。",
			l.amount(bits.OnesCount16(have), "month"), day, l.w.monthList(have))
	}
}

// step warns about a field that begins anew before its last step is over.
// again tells whether two rounds of the field follow each other.
func (l *linter) step(n native, number int, texts [7]string, set uint64, again bool, in scope) {
	text := texts[number]
	f := crontabFields()[number]
	size := f.star - f.min + 1
	begin, step, ok := stepOf(text, &f)
	if !ok || step < 2 || set == 0 {
		return
	}
	first, last := nextBit(set, 0), bits.Len64(set)-1
	unit := [...]string{"second", "minute", "hour", "day", "month"}[number]
	if begin < 0 {
		begin = first // by the job's id
	}
	field := fieldOf(n, number)
	round := [...]string{"minute", "hour", "day", "month", "year"}[number]
	if l.chinese {
		round = [...]string{"分钟", "小时", "天", "月", "年"}[number]
	}
	switch gap := first + size - last; {
	case bits.OnesCount64(set) == 1:
		l.warn(in, LintUnevenStep, field, "%[1]s has one value only: it fires at %[2]s %[3]d of each %[4]s, not every %[5]s.", "%[1]s只有一个值：每%[4]s只在第 %[3]d %[2]s触发，而不是每 %[5]s。",
			l.quote(text), l.unit(number), first, round, l.amount(step, unit))
	case begin-f.min >= step || !again:
	case number == textDay:
		l.warn(in, LintUnevenStep, field, "%[1]s begins anew on day %[2]d of each month: from one month to the next it is not every %[3]s.", "%[1]s每月从 %[2]d 日重新开始：跨月时并非每 %[3]s。",
			l.quote(text), first, l.amount(step, unit))
	case gap != step:
		l.warn(in, LintUnevenStep, field, "%[1]s begins anew each %[2]s: the last gap is %[3]s, not %[4]s.", "%[1]s每%[2]s重新开始：最后一个间隔是 %[3]s，而不是 %[4]s。",
			l.quote(text), round, l.amount(gap, unit), l.amount(step, unit))
	}
}

// stepOf reads a field that is one step, from its lowest value or another to
// its highest. begin is -1 where the job's id chooses it.
func stepOf(text string, f *field) (begin, step int, ok bool) {
	p := split(text)
	if step, ok = number(p.step); !ok {
		return 0, 0, false
	}
	switch p.first {
	case "H":
		begin = -1
	case "*", "":
		begin = f.min
	default:
		if begin, ok = number(p.first); !ok {
			return 0, 0, false
		}
	}
	if p.isRange {
		last, ok := number(p.last)
		return begin, step, ok && begin == f.min && last == f.star
	}
	return begin, step, true
}

func (l *linter) amount(n int, unit string) string {
	if l.chinese {
		return strconv.Itoa(n) + " " + chineseUnit(unit)
	}
	return count(n, unit)
}

func (l *linter) quote(text string) string {
	if l.chinese {
		return "“" + text + "”"
	}
	return quote(text)
}

// unit names a field.
func (l *linter) unit(number int) string {
	if l.chinese {
		return [...]string{"秒", "分", "时", "日", "月"}[number]
	}
	return [...]string{"second", "minute", "hour", "day", "month"}[number]
}
