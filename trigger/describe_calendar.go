package trigger

import (
	"math/bits"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// describe says what a calendar lets through, as a phrase that follows what the
// trigger is called, such as "on Monday to Friday except 2026-12-25, moved to
// the next open day".
func (c *Calendar) describe(w words) string {
	if _, ok := w.(chineseWords); ok {
		return c.describeChinese()
	}
	return c.describeEnglish()
}

// layerGroup is sets that follow each other and are all opened, or closed.
type layerGroup struct {
	open bool
	sets []*CalendarSet
}

// groups gives the layers of days, or those of times.
func (c *Calendar) groups(ofDays bool) (groups []layerGroup) {
	for i := range c.layers {
		l := &c.layers[i]
		if l.set.kind.ofDays() != ofDays {
			continue
		}
		if n := len(groups); n == 0 || groups[n-1].open != l.open {
			groups = append(groups, layerGroup{open: l.open})
		}
		g := &groups[len(groups)-1]
		g.sets = append(g.sets, &l.set)
	}
	return groups
}

func (c *Calendar) describeEnglish() string {
	var list []string
	if groups := c.groups(true); groups != nil {
		list = append(list, englishDays(groups))
	}
	for i, g := range c.groups(false) {
		switch items := g.english(); {
		case i == 0 && g.open:
			list = append(list, "only "+joinEnglish(items, "and"))
		case i == 0:
			list = append(list, "not "+joinEnglish(items, "or"))
		case g.open:
			list = append(list, "but also "+joinEnglish(items, "and"))
		default:
			list = append(list, "but not "+joinEnglish(items, "or"))
		}
	}
	switch {
	case len(c.days.segments) == 0:
	case c.onClosed == ClosedNext:
		list = append(list, "moved to the next open day")
	case c.onClosed == ClosedPrevious:
		list = append(list, "moved to the open day before")
	}
	return strings.Join(list, ", ")
}

func englishDays(groups []layerGroup) string {
	text := ""
	for i, g := range groups {
		items := g.english()
		if i == 0 && !g.open {
			text = "on all days"
			if g.sets[0].kind == weeklySet { // better said by those that are open
				text, items = "on "+englishWeekdays(allWeekdays&^g.sets[0].weekdays), items[1:]
			}
		}
		switch all := joinEnglish(items, "and"); {
		case all == "":
		case i == 0 && g.open && g.sets[0].kind == weeklySet:
			text = "on " + all
		case i == 0 && g.open:
			text = "only on " + all
		case g.open:
			text += ", and also on " + all
		default:
			text += " except " + all
		}
	}
	return text
}

func (g *layerGroup) english() []string {
	list := make([]string, len(g.sets))
	for i, s := range g.sets {
		list[i] = s.english()
	}
	return list
}

func englishWeekdays(set uint8) string {
	if set == 0 {
		return "no day"
	}
	return joinEnglish(names(mondayFirst(set), englishWeekday, " to "), "and")
}

func (s *CalendarSet) english() string {
	switch s.kind {
	case weeklySet:
		return englishWeekdays(s.weekdays)
	case datesSet:
		if first, last, n := s.span(); n > 0 {
			return strconv.FormatInt(n, 10) + " days between " + first.String() + " and " + last.String()
		}
		var list []string
		for _, r := range s.dates {
			list = append(list, strings.Replace(r.String(), "/", " to ", 1))
		}
		return joinEnglish(list, "and")
	case annualSet:
		if len(s.annual) > maxListed {
			return strconv.Itoa(s.yearDays()) + " days of each year"
		}
		var list []string
		for _, r := range s.annual {
			text := r.first.english()
			if r.last != r.first {
				text += " to " + r.last.english()
			}
			list = append(list, text)
		}
		return joinEnglish(list, "and") + " of each year"
	case monthlySet:
		return "day" + plural(uint64(s.days)) + " " + joinEnglish(numbers(uint64(s.days), "-", englishSteps), "and") + " of the month"
	case dailySet:
		return "from " + shortClock(s.from) + " to " + shortClock(s.to)
	case cronSet:
	}
	return `when "` + s.cron.expr + `" matches`
}

func (d monthDay) english() string { return strconv.Itoa(d.day) + " " + time.Month(d.month).String() }

// maxListed is how many dates and ranges are listed one by one.
const maxListed = 4

// span counts the days of a long list; n is 0 if it is short.
func (s *CalendarSet) span() (first, last CivilDate, n int64) {
	if len(s.dates) <= maxListed {
		return first, last, 0
	}
	ranges := dayRanges(s.dates)
	for _, r := range ranges {
		n += r.last - r.first + 1
	}
	return dateOf(ranges[0].first), dateOf(ranges[len(ranges)-1].last), n
}

func dateOf(number int64) CivilDate {
	year, month, day := civilDate(number)
	return CivilDate{year, time.Month(month), day}
}

// yearDays counts the days of a set of each year, 29 February among them.
func (s *CalendarSet) yearDays() int {
	var months [13]uint32
	for _, r := range s.annual {
		r.addTo(&months)
	}
	n := 0
	for _, days := range months {
		n += bits.OnesCount32(days)
	}
	return n
}

// shortClock is spanClock, but leaves out the second if it is 0.
func shortClock(second int) string {
	return strings.TrimSuffix(spanClock(second), ":00")
}

func (c *Calendar) describeChinese() string {
	text := ""
	if groups := c.groups(true); groups != nil {
		text = "开放日（" + chineseGroups(groups) + "）"
	}
	if groups := c.groups(false); groups != nil {
		if text != "" {
			text += "的"
		}
		text += "开放时段（" + chineseGroups(groups) + "）"
	}
	if text != "" {
		text = "仅限" + text
	}
	switch {
	case len(c.days.segments) == 0:
	case c.onClosed == ClosedNext:
		text += "，遇非开放日则顺延到下一个开放日"
	case c.onClosed == ClosedPrevious:
		text += "，遇非开放日则提前到上一个开放日"
	}
	return text
}

func chineseGroups(groups []layerGroup) string {
	var list []string
	for i, g := range groups {
		var sets []string
		for _, s := range g.sets {
			sets = append(sets, s.chinese())
		}
		all := strings.Join(sets, "、")
		space := ""
		if last := all[len(all)-1]; last < utf8.RuneSelf { // set apart from what is not Chinese
			space = " "
		}
		switch {
		case i == 0 && g.open:
			list = append(list, "仅"+spaceBefore(all)+all)
		case g.open:
			list = append(list, all+space+"开放")
		default:
			list = append(list, all+space+"除外")
		}
	}
	return strings.Join(list, "，")
}

// spaceBefore sets Chinese apart from what is not.
func spaceBefore(text string) string {
	if text[0] < utf8.RuneSelf {
		return " "
	}
	return ""
}

func (s *CalendarSet) chinese() string {
	switch s.kind {
	case weeklySet:
		return strings.Join(names(mondayFirst(s.weekdays), chineseWeekday, "至"), "、")
	case datesSet:
		if first, last, n := s.span(); n > 0 {
			return first.String() + " 至 " + last.String() + " 间的 " + strconv.FormatInt(n, 10) + " 天"
		}
		var list []string
		for _, r := range s.dates {
			list = append(list, strings.Replace(r.String(), "/", " 至 ", 1))
		}
		return strings.Join(list, "、")
	case annualSet:
		if len(s.annual) > maxListed {
			return "每年 " + strconv.Itoa(s.yearDays()) + " 天"
		}
		var list []string
		for _, r := range s.annual {
			text := r.first.chinese()
			if r.last != r.first {
				text += "至 " + r.last.chinese()
			}
			list = append(list, text)
		}
		return "每年 " + strings.Join(list, "、")
	case monthlySet:
		return "每月 " + strings.Join(numbers(uint64(s.days), "–", chineseSteps), "、") + " 日"
	case dailySet:
		return shortClock(s.from) + "–" + shortClock(s.to)
	case cronSet:
	}
	return "符合“" + s.cron.expr + "”的时段"
}

func (d monthDay) chinese() string {
	return strconv.Itoa(d.month) + " 月 " + strconv.Itoa(d.day) + " 日"
}
