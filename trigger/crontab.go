package trigger

import (
	"strings"
	"time"
)

// Crontab fires at the times of a line of Unix crontab, with the meaning that
// cron gives it.
type Crontab struct {
	plan plan
	expr string
	zone *time.Location
	bounds
}

// CrontabOptions are the zone and the bounds of a [Crontab].
type CrontabOptions struct {
	// Zone is the time zone of the expression. Nil means UTC.
	Zone *time.Location
	// Start and End are the first and the last instant at which the trigger
	// may fire. Zero means none.
	Start, End time.Time
}

// NewCrontab reads an expression of five fields:
//
//	minute        0-59
//	hour          0-23
//	day of month  1-31
//	month         1-12 or jan-dec
//	day of week   0-7 or sun-sat; 0 and 7 are Sunday
//
// or of six, with seconds (0-59) first. A field is a list, separated by commas,
// of all values (*), one (a) or a range (a-b), each of them with a step if need
// be: */n, a/n (from a to the maximum), a-b/n. Ranges do not wrap around. The
// case of names does not matter. A step beyond the range leaves the first value.
//
// If both day fields are restricted, a day that either matches is enough;
// if one of them begins with *, both must match ("0 0 1 * mon" fires on the
// first of the month and on every Monday, "0 0 */2 * mon" on Mondays with an
// odd date).
//
// The macros @yearly (or @annually), @monthly, @weekly, @daily (or @midnight)
// and @hourly stand for the midnight, or minute 0, that begins the period.
//
// Fires are in the years 1970 to 9999. Errors: an [*Error].
func NewCrontab(expr string, opts CrontabOptions) (*Crontab, error) {
	b, err := newBounds(opts.Start, opts.End)
	if err != nil {
		return nil, err
	}
	c := &Crontab{expr: strings.TrimSpace(expr), zone: zoneOr(opts.Zone), bounds: b}
	if err := c.plan.parseCrontab(c.expr); err != nil {
		return nil, err
	}
	return c, nil
}

// Next returns the first fire after the given instant.
func (c *Crontab) Next(after time.Time) (time.Time, bool) {
	return c.plan.fire(c.zone, c.bounds, after)
}

// crontabFields gives the fields, seconds first.
func crontabFields() [6]field {
	return [6]field{
		{name: "second", max: 59, star: 59},
		{name: "minute", max: 59, star: 59},
		{name: "hour", max: 23, star: 23},
		{name: "day of month", min: 1, max: 31, star: 31},
		{name: "month", min: 1, max: 12, star: 12, kind: "month", names: monthNames},
		{name: "day of week", max: 7, star: 6, kind: "weekday", names: sundayNames},
	}
}

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

func (p *plan) parseCrontab(expr string) error {
	fail := func(given, problem string) error {
		return &Error{Field: "expression", Given: given, Problem: problem}
	}
	if expr == "" {
		return fail("", "is empty, allowed 5 fields (minute hour day month weekday), or 6 with seconds first")
	}
	if len(expr) > maxExpression {
		return fail(expr, "is too long, allowed 1024 bytes")
	}
	text := expr
	if expr[0] == '@' {
		var ok bool
		if text, ok = macro(expr); !ok {
			return fail(expr, "is not known, allowed @yearly, @annually, @monthly, @weekly, @daily, @midnight and @hourly")
		}
	}
	var words [6]string
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
	case 6:
	default:
		return fail(expr, "has "+count(n, "field")+", allowed 5 (minute hour day month weekday), or 6 with seconds first")
	}
	fields := crontabFields()
	sets := [6]uint64{0: 1}
	for i, word := range words {
		if word == "" {
			continue
		}
		set, given, problem := fields[i].parseCrontab(word)
		if problem != "" {
			return fail(given, "in the field "+fields[i].name+" "+problem)
		}
		sets[i] = set
		if i < 3 && word[0] == '*' {
			p.elapsed = true
		}
	}
	p.seconds, p.minutes, p.hours = sets[0], sets[1], uint32(sets[2])
	p.days, p.months = uint32(sets[3]), uint16(sets[4])
	p.weekdays = uint8(sets[5]&allWeekdays | sets[5]>>7)
	p.weeks = allWeeks
	p.eitherDay = words[3][0] != '*' && words[5][0] != '*'
	if p.eitherDay && (p.days == allDays || p.weekdays == allWeekdays) {
		p.eitherDay, p.days, p.weekdays = false, allDays, allWeekdays // every day
	}
	p.finish()
	return nil
}

// parseCrontab reads a field. given is the item that has the problem.
func (f *field) parseCrontab(list string) (set uint64, given, problem string) {
	for more := true; more; {
		var item string
		item, list, more = strings.Cut(list, ",")
		s, problem := f.crontabItem(item)
		if problem != "" {
			return 0, item, problem
		}
		set |= s.set()
	}
	return set, "", ""
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
			return s, foreign(p.first, problem)
		}
		s.last = s.first
		switch {
		case p.isRange:
			if s.last, _, problem = f.value(p.last); problem != "" {
				return s, foreign(p.last, problem)
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

// foreign says it more clearly where a value is of another dialect.
func foreign(value, problem string) string {
	letters := strings.Trim(strings.ToUpper(value), "0123456789")
	if strings.Contains(value, "#") || letters == "?" || letters == "L" || letters == "W" || letters == "LW" {
		return "uses ?, L, W or #, which crontab does not have"
	}
	return problem
}
