package trigger

import (
	"cmp"
	"strings"
	"time"
)

// Crontab fires at the times of a line of Unix crontab, with the meaning that
// cron gives it.
type Crontab struct {
	base
	plan plan
	expr string // without a time zone before it
	// every is the interval of @every, nil for all else.
	every    *Interval
	extended bool
	reboot   bool   // @reboot
	spread   bool   // has values that depend on the job
	job      string // whose values these are
}

// NewCrontab reads an expression of five fields:
//
//	minute        0-59
//	hour          0-23
//	day of month  1-31
//	month         1-12 or jan-dec
//	day of week   0-7 or sun-sat; 0 and 7 are Sunday
//
// or of six, with seconds (0-59) first, or of seven, with seconds first and the
// year (1970-9999) last. A field is a list, separated by commas, of all values
// (*), one (a) or a range (a-b), each of them with a step if need be: */n, a/n
// (from a to the maximum), a-b/n. Ranges do not wrap around. The case of names
// does not matter. A step beyond the range leaves the first value.
//
// If both day fields are restricted, a day that either matches is enough;
// if one of them begins with *, both must match ("0 0 1 * mon" fires on the
// first of the month and on every Monday, "0 0 */2 * mon" on Mondays with an
// odd date).
//
// Values that spread the jobs of one plan over its time, chosen by the job's id
// and so the same after each restart (see [ForJob]):
//
//	H         one value of the field (of the days of the month, 1-28)
//	H(a-b)    one value of a range
//	H/n       every n-th value, from one of the first n on
//	H(a-b)/n  the same in a range
//	a~b       one value of a range; either end may be left out
//
// In place of the fields may stand @yearly (or @annually), @monthly, @weekly,
// @daily (or @midnight) and @hourly, which mean the midnight, or minute 0, that
// begins the period; "@every 1h30m", an interval (see [Interval]; it takes the
// durations of [time.ParseDuration]); and @reboot, which has no fire times of
// its own: the job runs once when a scheduler starts (see [AtStart]).
//
// A time zone may stand first, as in "CRON_TZ=Europe/Berlin 30 2 * * *" or with
// TZ=; it is then that of the trigger, whatever opts.Zone is.
//
// Fires are in the years 1970 to 9999. Errors: an [*Error].
func NewCrontab(expr string, opts Options) (*Crontab, error) {
	return newCrontab(expr, opts, false, "")
}

// NewExtendedCrontab reads an expression that may also use what other
// schedulers have added to crontab:
//
//	?         the same as *, in the two day fields
//	L         as a day of the month: the last; L-n is n days before it
//	nW, LW    the working day (Monday to Friday) nearest to a day of the month
//	5L, friL  as a day of the week: the last Friday of the month
//	5#2       as a day of the week: the second Friday of the month
//
// All else is as for [NewCrontab]: a day that either day field matches is
// enough, unless one of them begins with * or is ?.
func NewExtendedCrontab(expr string, opts Options) (*Crontab, error) {
	return newCrontab(expr, opts, true, "")
}

func newCrontab(expr string, opts Options, extended bool, job string) (*Crontab, error) {
	c := &Crontab{expr: strings.TrimSpace(expr), extended: extended, job: job}
	if err := c.cutZone(&opts); err != nil {
		return nil, err
	}
	if err := c.parse(opts); err != nil {
		return nil, err
	}
	var err error
	if c.base, err = newBase(opts, c.plan.elapsed); err != nil {
		return nil, err
	}
	return c, nil
}

// cutZone takes a leading CRON_TZ= or TZ=.
func (c *Crontab) cutZone(opts *Options) error {
	name, ok := strings.CutPrefix(c.expr, "CRON_TZ=")
	if !ok {
		if name, ok = strings.CutPrefix(c.expr, "TZ="); !ok {
			return nil
		}
	}
	name, c.expr, _ = strings.Cut(name, " ")
	c.expr = strings.TrimSpace(c.expr)
	zone, ok := loadZone(name)
	if !ok {
		return wrong(name, `is not a known time zone, allowed IANA names such as "Europe/Berlin" or "UTC"`)
	}
	opts.Zone = zone
	return nil
}

// Next returns the first fire after the given instant.
func (c *Crontab) Next(after time.Time) (time.Time, bool) {
	switch {
	case c.every != nil:
		return c.every.Next(after)
	case c.reboot:
		return time.Time{}, false
	}
	return c.fire(&c.plan, after)
}

func (c *Crontab) kind() string { return "crontab" }

func (c *Crontab) clock() wallClock {
	if c.every != nil || c.reboot {
		return nil
	}
	return &c.plan
}

func (c *Crontab) describe(w words) string {
	switch {
	case c.every != nil:
		return w.interval(c.every)
	case c.reboot:
		return w.reboot()
	}
	return c.plan.describe(w)
}

func (c *Crontab) encode(f *form) { f.Expression, f.Extensions = c.expr, c.extended }

// forJob chooses the values of H and ~ anew.
func (c *Crontab) forJob(id string) Trigger {
	if !c.spread || c.job == id {
		return c
	}
	bound := *c
	bound.plan, bound.job = plan{}, id
	if bound.parse(Options{}) != nil {
		return c // cannot be: it has been read before
	}
	return &bound
}

// startingAt fixes the phase of @every.
func (c *Crontab) startingAt(at time.Time) Trigger {
	if c.every == nil || c.start != noStart {
		return c
	}
	anchored := *c
	anchored.every = c.every.StartingAt(at)
	anchored.start = anchored.every.start
	return &anchored
}

// crontabFields gives the fields, seconds first.
func crontabFields() [7]field {
	return [7]field{
		{name: "second", max: 59, star: 59},
		{name: "minute", max: 59, star: 59},
		{name: "hour", max: 23, star: 23},
		{name: "day of month", min: 1, max: 31, star: 31},
		{name: "month", min: 1, max: 12, star: 12, kind: "month", names: monthNames},
		{name: "day of week", max: 7, star: 6, kind: "weekday", names: sundayNames},
		{name: "year", min: minYear, max: maxYear, star: maxYear},
	}
}

// The fields of crontab and quartz text, seconds first.
const (
	textSecond = iota
	textMinute
	textHour
	textDay
	textMonth
	textWeekday
	textYear
)

func macro(name string) (expr string, ok bool) {
	switch strings.ToLower(name) {
	case "@yearly", "@annually":
		return "0 0 1 1 *", true
	case "@monthly":
		return "0 0 1 * *", true
	case "@weekly":
		return "0 0 * * 0", true
	case "@daily", "@midnight":
		return "0 0 * * *", true
	case "@hourly":
		return "0 * * * *", true
	}
	return "", false
}

// wrong is an error of an expression.
func wrong(given, problem string) error {
	return &Error{Field: "expression", Given: given, Problem: problem}
}

const crontabForms = "5 fields (minute hour day month weekday), 6 with seconds first, or 7 with the year last as well"

// parse reads the expression into the plan. Of the options it needs those of
// an interval.
func (c *Crontab) parse(opts Options) error {
	if c.expr == "" {
		return wrong("", "is empty, allowed "+crontabForms)
	}
	if len(c.expr) > maxExpression {
		return wrong(c.expr, "is too long, allowed 1024 bytes")
	}
	text := c.expr
	if text[0] == '@' {
		name, rest, _ := strings.Cut(text, " ")
		switch {
		case strings.EqualFold(name, "@every"):
			return c.parseEvery(strings.TrimSpace(rest), opts)
		case strings.EqualFold(text, "@reboot"):
			c.reboot = true
			return opts.withoutRule()
		}
		var ok bool
		if text, ok = macro(text); !ok {
			return wrong(c.expr, "is not known, allowed @yearly, @annually, @monthly, @weekly, @daily, @midnight, @hourly, @every DURATION and @reboot")
		}
	}
	var words [7]string
	n := 0
	for word := range strings.FieldsSeq(text) {
		if n < len(words) {
			words[n] = word
		}
		n++
	}
	switch n {
	case 5:
		copy(words[1:], words[:5])
		words[0] = ""
	case 6, 7:
	default:
		return wrong(c.expr, "has "+count(n, "field")+", allowed "+crontabForms)
	}
	p := &c.plan
	fields := crontabFields()
	sets := [6]uint64{0: 1}
	for i, word := range words {
		if word == "" {
			continue
		}
		set, given, problem := c.parseField(&fields[i], i, word)
		if problem != "" {
			return wrong(given, "in the field "+fields[i].name+" "+problem)
		}
		if i < len(sets) {
			sets[i] = set //nolint:gosec // in range, see the line before
		}
		if i <= textHour && (word[0] == '*' || isSpreadStep(word)) {
			p.elapsed = true
		}
	}
	p.seconds, p.minutes, p.hours = sets[textSecond], sets[textMinute], uint32(sets[textHour])
	p.days, p.months = uint32(sets[textDay]), uint16(sets[textMonth])
	p.weekdays = uint8(sets[textWeekday]&allWeekdays | sets[textWeekday]>>7)
	p.weeks = allWeeks
	p.eitherDay = !isStar(words[textDay]) && !isStar(words[textWeekday])
	if p.eitherDay && (p.days == allDays || p.weekdays == allWeekdays) {
		p.eitherDay, p.days, p.weekdays, p.special = false, allDays, allWeekdays, nil // every day
	}
	p.finish()
	return nil
}

func isStar(word string) bool { return word[0] == '*' || word[0] == '?' }

// isSpreadStep tells whether a field is "every so often" because it begins with
// H/n or H(a-b)/n.
func isSpreadStep(word string) bool {
	item, _, _ := strings.Cut(word, ",")
	return item != "" && item[0] == 'H' && strings.Contains(item, "/")
}

func (c *Crontab) parseEvery(text string, opts Options) error {
	every, err := time.ParseDuration(text)
	if err != nil {
		return wrong(cmp.Or(text, c.expr), `is not a duration, allowed such as "90s", "10m" or "1h30m"`)
	}
	if c.every, err = NewInterval(every, opts); err != nil {
		if e, ok := err.(*Error); ok && e.Field == "" { //nolint:errorlint // NewInterval wraps nothing
			return wrong(text, e.Problem)
		}
		return err
	}
	return nil
}

// parseField reads a field. given is the item that has the problem.
func (c *Crontab) parseField(f *field, number int, list string) (set uint64, given, problem string) {
	for more, i := true, 0; more; i++ {
		var item string
		item, list, more = strings.Cut(list, ",")
		if c.extended && c.plan.addExtension(number, item) {
			continue
		}
		var s span
		switch {
		case item != "" && item[0] == 'H':
			c.spread = true
			s, problem = f.hashItem(item, number, c.spreadValue(number, i))
		case strings.Contains(item, "~"):
			c.spread = true
			s, problem = f.randomItem(item, c.spreadValue(number, i))
		case c.extended && item == "?" && (number == textDay || number == textWeekday):
			s = span{f.min, f.star, 1}
		default:
			s, problem = f.crontabItem(item)
			if problem != "" {
				problem = c.hint(number, item, problem)
			}
		}
		if problem != "" {
			return 0, item, problem
		}
		if number == textYear {
			c.plan.years = append(c.plan.years, s)
		} else {
			set |= s.set()
		}
	}
	if number == textYear && c.plan.years[0] == (span{f.min, f.star, 1}) {
		c.plan.years = nil
	}
	return set, "", ""
}

// spreadValue is a number made of the job's id and a place in the expression.
func (c *Crontab) spreadValue(field, item int) uint64 {
	return mix(hashText(c.job) + uint64(field)<<8 + uint64(item))
}

// hashItem reads H, H/n, H(a-b) and H(a-b)/n.
func (f *field) hashItem(item string, number int, value uint64) (s span, problem string) {
	const forms = "is not H, H/n, H(a-b) or H(a-b)/n"
	s = span{f.min, f.star, 1}
	if number == textYear {
		return s, "uses H, which a year cannot have"
	}
	if number == textDay {
		s.last = 28 // a day that every month has
	}
	rest := item[1:]
	if strings.HasPrefix(rest, "(") {
		inside, after, ok := strings.Cut(rest[1:], ")")
		if !ok {
			return s, forms
		}
		p := split(inside)
		if !p.isRange || p.isStep {
			return s, forms
		}
		if s.first, _, problem = f.value(p.first); problem != "" {
			return s, problem
		}
		if s.last, _, problem = f.value(p.last); problem != "" {
			return s, problem
		}
		if s.last < s.first {
			return s, "runs backwards"
		}
		rest = after
	}
	if rest == "" {
		s.first += int(value % uint64(s.last-s.first+1))
		s.last = s.first
		return s, ""
	}
	step, ok := strings.CutPrefix(rest, "/")
	if !ok {
		return s, forms
	}
	if s.step, problem = (parts{isStep: true, step: step}).stepValue(); problem != "" {
		return s, problem
	}
	if s.step > s.last-s.first {
		return s, "has a step larger than its range"
	}
	if number == textDay && !strings.Contains(item, "(") {
		s.last = f.max
	}
	s.first += int(value % uint64(s.step))
	return s, ""
}

// randomItem reads a~b, ~b, a~ and ~.
func (f *field) randomItem(item string, value uint64) (s span, problem string) {
	s = span{f.min, f.star, 1}
	low, high, _ := strings.Cut(item, "~")
	if low != "" {
		if s.first, _, problem = f.value(low); problem != "" {
			return s, problem
		}
	}
	if high != "" {
		if s.last, _, problem = f.value(high); problem != "" {
			return s, problem
		}
	}
	if s.last < s.first {
		return s, "runs backwards"
	}
	s.first += int(value % uint64(s.last-s.first+1))
	s.last = s.first
	return s, ""
}

// addExtension takes L, L-n, nW, LW, nL and n#k.
func (p *plan) addExtension(number int, item string) bool {
	switch number {
	case textDay:
		return p.addLastOrNearest(item)
	case textWeekday:
		f := crontabFields()[textWeekday]
		return p.addNth(&f, 0, item)
	}
	return false
}

// addLastOrNearest takes what stands for a day of the month: L, L-n, LW, L-nW
// and nW.
func (p *plan) addLastOrNearest(item string) bool {
	upper := strings.ToUpper(item)
	day, nearest := strings.CutSuffix(upper, "W")
	n := 0
	if rest, ok := strings.CutPrefix(day, "L"); ok {
		if rest != "" {
			if rest, ok = strings.CutPrefix(rest, "-"); !ok {
				return false
			}
			if n, ok = number(rest); !ok || n > 30 {
				return false
			}
		}
		if nearest {
			p.specials().nearestEnd |= 1 << uint(n)
		} else {
			p.specials().fromEnd |= 1 << uint(n)
		}
		return true
	}
	n, ok := number(day)
	if !nearest || !ok || n < 1 || n > 31 {
		return false
	}
	p.specials().nearest |= 1 << uint(n)
	return true
}

// addNth takes what stands for a weekday of the month: fri#2 and friL, where
// the field counts Sunday as sunday.
func (p *plan) addNth(f *field, sunday int, item string) bool {
	name, nth, ok := strings.Cut(item, "#")
	i := lastOfMonth
	if ok {
		n, isNumber := number(nth)
		if !isNumber || n < 1 || n > 5 {
			return false
		}
		i = n - 1
	} else if last := len(item) - 1; last > 0 && (item[last] == 'L' || item[last] == 'l') {
		name = item[:last]
	} else {
		return false
	}
	n, _, problem := f.value(name)
	if problem != "" {
		return false
	}
	p.specials().weekdayNth[i] |= 1 << uint((n-sunday)%7)
	return true
}

func (f *field) crontabItem(item string) (s span, problem string) {
	p := split(item)
	if item == "" {
		return s, "has an empty item"
	}
	if p.first == "*" && !p.isRange {
		s.first, s.last = f.min, f.star
	} else {
		if s.first, _, problem = f.value(p.first); problem != "" {
			return s, problem
		}
		s.last = s.first
		switch {
		case p.isRange:
			if s.last, _, problem = f.value(p.last); problem != "" {
				return s, problem
			}
			if s.last < s.first {
				if f.kind == "weekday" {
					return s, "runs backwards; Sunday is 0 as the begin of a range and 7 as its end"
				}
				return s, "runs backwards; write it as two ranges"
			}
		case p.isStep:
			s.last = max(s.first, f.star)
		}
	}
	s.step, problem = p.stepValue()
	return s, problem
}

// hint says it more clearly where an item was to be an extension.
func (c *Crontab) hint(number int, item, problem string) string {
	switch {
	case !c.extended:
		return foreign(item, problem)
	case number == textDay && strings.ContainsAny(item, "LlWw"):
		return dayForms
	case number == textWeekday && strings.ContainsAny(item, "Ll#"):
		return "is not a weekday, allowed 0-7, sun to sat, 5L, friL, 5#2 and fri#2 (1 to 5)"
	}
	return problem
}

// foreign says it more clearly where a value is of another dialect.
func foreign(item, problem string) string {
	for value := range strings.FieldsFuncSeq(item, func(r rune) bool { return r == '-' || r == '/' }) {
		letters := strings.Trim(strings.ToUpper(value), "0123456789")
		if strings.Contains(value, "#") || letters == "?" || letters == "L" || letters == "W" || letters == "LW" {
			return "uses ?, L, W or #, which crontab does not have; allow it as an extension, or use the quartz dialect"
		}
	}
	return problem
}
