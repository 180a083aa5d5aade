package trigger

import (
	"slices"
	"strconv"
	"strings"
	"time"
)

// ruleParser reads the text of a rule. The first error stays.
type ruleParser struct {
	*recurrence
	given []string // the names of the parts
	until until
	err   *Error
}

// fail is for an error in a part, or a value of it.
func (p *ruleParser) fail(name, value, problem string) {
	if p.err == nil {
		p.err = &Error{Field: "rule", Given: name + "=" + value, Problem: problem}
	}
}

func (p *ruleParser) parse(text string) error {
	p.interval, p.weekStart = 1, 1
	for part := range strings.SplitSeq(text, ";") {
		name, value, ok := strings.Cut(part, "=")
		switch {
		case !ok:
			return &Error{Field: "rule", Given: part, Problem: "is not a part of a rule, allowed such as FREQ=DAILY"}
		case slices.Contains(p.given, name):
			return &Error{Field: "rule", Given: name, Problem: "is given twice"}
		}
		p.given = append(p.given, name)
		p.part(name, value)
	}
	p.check()
	if p.err != nil {
		return p.err
	}
	return nil
}

// part reads one part.
func (p *ruleParser) part(name, value string) {
	switch name {
	case "FREQ":
		i := slices.Index(frequencies(), value)
		if i < 0 {
			p.fail(name, value, "is not a frequency, allowed "+strings.Join(frequencies(), ", "))
		}
		p.freq = frequency(max(i, 0))
	case "INTERVAL":
		n := p.number(name, value, 1, 999_999_999, false)
		p.interval = int64(n)
	case "COUNT":
		p.count = p.number(name, value, 1, maxCount, false)
	case "UNTIL":
		p.readUntil(value)
	case "WKST":
		p.weekStart = p.weekday(name, value)
	case "BYDAY":
		p.readDays(value)
	case "BYSECOND":
		seconds, _ := p.sets(name, value, 0, 60, false)
		// The clocks have no leap seconds: section 3.3.12 lets 60 be 59.
		p.times.seconds = seconds&allSixty | seconds>>60<<59
	case "BYMINUTE":
		p.times.minutes, _ = p.sets(name, value, 0, 59, false)
	case "BYHOUR":
		hours, _ := p.sets(name, value, 0, 23, false)
		p.times.hours = uint32(hours)
	case "BYMONTH":
		months, _ := p.sets(name, value, 1, 12, false)
		p.months = uint16(months)
	case "BYMONTHDAY":
		days, back := p.sets(name, value, 1, 31, true)
		p.monthDays, p.monthDaysBack = uint32(days), uint32(back)
	case "BYWEEKNO":
		p.weeks, p.weeksBack = p.sets(name, value, 1, 53, true)
	case "BYYEARDAY":
		p.yearDays = p.numbers(name, value, 1, 366, true)
	case "BYSETPOS":
		p.positions = p.numbers(name, value, 1, 366, true)
	default:
		p.fail(name, value, "is not known, allowed FREQ, INTERVAL, COUNT, UNTIL, WKST, BYSETPOS, BYMONTH, BYMONTHDAY, BYYEARDAY, BYWEEKNO, BYDAY, BYHOUR, BYMINUTE, BYSECOND; DTSTART is start_date")
	}
}

// check refuses what the RFC forbids.
func (p *ruleParser) check() {
	has := func(name string) bool { return slices.Contains(p.given, name) }
	refuse := func(name, problem string) {
		if p.err == nil {
			p.err = &Error{Field: "rule", Given: name, Problem: problem}
		}
	}
	if !has("FREQ") {
		refuse("", "FREQ is missing, allowed "+strings.Join(frequencies(), ", "))
		return
	}
	with := "is not allowed with FREQ=" + frequencies()[p.freq]
	switch {
	case has("COUNT") && has("UNTIL"):
		refuse("COUNT", "is not allowed together with UNTIL")
	case has("BYMONTHDAY") && p.freq == weekly:
		refuse("BYMONTHDAY", with)
	case has("BYYEARDAY") && p.freq >= daily && p.freq < yearly:
		refuse("BYYEARDAY", with)
	case has("BYWEEKNO") && p.freq != yearly:
		refuse("BYWEEKNO", with+", but with YEARLY only")
	case p.nth != nil && p.freq < monthly:
		refuse("BYDAY", "with a number "+with+", but with MONTHLY and YEARLY only")
	case p.nth != nil && has("BYWEEKNO"):
		refuse("BYDAY", "with a number is not allowed together with BYWEEKNO")
	case p.positions != nil && !slices.ContainsFunc(p.given, func(name string) bool {
		return strings.HasPrefix(name, "BY") && name != "BYSETPOS"
	}):
		refuse("BYSETPOS", "is allowed only together with another BYxxx part")
	}
	for _, w := range p.nth {
		if !p.ofYear() && max(w.n, -w.n) > 5 {
			refuse("BYDAY="+strconv.Itoa(w.n)+weekdayCodes[2*w.weekday:][:2], "is not in any month, allowed 1 to 5 and -1 to -5")
		}
	}
}

// number reads one number.
func (p *ruleParser) number(name, text string, low, high int, signed bool) int {
	digits, sign := text, 1
	if signed && strings.HasPrefix(text, "-") {
		digits, sign = text[1:], -1
	} else if signed {
		digits = strings.TrimPrefix(text, "+")
	}
	n, ok := number(digits)
	if !ok || n < low || n > high {
		allowed := strconv.Itoa(low) + "-" + strconv.Itoa(high)
		if signed {
			allowed += " and -" + strconv.Itoa(high) + " to -" + strconv.Itoa(low)
		}
		p.fail(name, text, "is not a number of the range, allowed "+allowed)
	}
	return sign * n
}

func (p *ruleParser) numbers(name, value string, low, high int, signed bool) (list []int) {
	for text := range strings.SplitSeq(value, ",") {
		list = append(list, p.number(name, text, low, high, signed))
	}
	return list
}

// sets reads a list of numbers as a set of those above zero, and one of those
// below, without their sign.
func (p *ruleParser) sets(name, value string, low, high int, signed bool) (set, back uint64) {
	for _, n := range p.numbers(name, value, low, high, signed) {
		if n < 0 {
			back |= 1 << -n
		} else {
			set |= 1 << n
		}
	}
	return set, back
}

const weekdayCodes = "SUMOTUWETHFRSA"

// weekday reads the two letters of a weekday.
func (p *ruleParser) weekday(name, text string) int {
	i := strings.Index(weekdayCodes, text)
	if len(text) != 2 || i < 0 || i%2 != 0 {
		p.fail(name, text, "is not a weekday, allowed MO, TU, WE, TH, FR, SA, SU")
		return 0
	}
	return i / 2
}

// readDays reads BYDAY: weekdays, each with a number before it or not.
func (p *ruleParser) readDays(value string) {
	for text := range strings.SplitSeq(value, ",") {
		cut := max(len(text)-2, 0)
		weekday := p.weekday("BYDAY", text[cut:])
		if cut == 0 {
			p.weekdays |= 1 << weekday
			continue
		}
		n := p.number("BYDAY", text[:cut], 1, 53, true)
		p.nth = append(p.nth, nthWeekday{n, weekday})
	}
}

// readUntil reads a date, or a time with or without Z.
func (p *ruleParser) readUntil(value string) {
	text, utc := strings.CutSuffix(value, "Z")
	if len(text) == len("20060102") && !utc {
		text += "T235959"
	}
	at, err := time.Parse("20060102T150405", text)
	if err != nil {
		p.fail("UNTIL", value, "is not a date, allowed such as 20261231, 20261231T235959 or 20261231T235959Z")
	}
	p.until = until{given: true, utc: utc, at: at.Unix()}
}
