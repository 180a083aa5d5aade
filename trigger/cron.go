package trigger

import (
	"slices"
	"strings"
	"time"
)

// Cron fires at the times whose date and time of day match a set of fields,
// with the meaning that APScheduler gives them.
type Cron struct {
	base
	plan   plan
	fields [8]string // in the order of cronFields
}

// CronSpec holds the fields of a [Cron]. All that are given must match: a
// Day and a DayOfWeek together mean the days that are both.
//
// A field is a list, separated by commas, of
//
//	a        one value
//	a-b      a range, which does not wrap around
//	a-b/n    every n-th value of a range
//	a/n      every n-th value from a to the highest
//	*/n      every n-th value, counted from the lowest
//	*        every value
//
// Months and weekdays have names (jan-dec, mon-sun), also in ranges, but names
// take no step and do not mix with numbers in a range. Day takes "last" (the
// last of the month), "2nd fri" (1st to 5th) and "last fri" as well. Case does
// not matter. A step may not be larger than its range.
//
// Of the fields left empty, those behind the last one given, in the order of
// the struct, are their lowest value, the others *; Week and DayOfWeek are
// always *. With no field at all the trigger fires every second.
type CronSpec struct {
	Year      string // 1970-9999
	Month     string // 1-12 or jan-dec
	Day       string // 1-31
	Week      string // ISO week, 1-53
	DayOfWeek string // 0-6 or mon-sun; 0 is Monday
	Hour      string // 0-23
	Minute    string // 0-59
	Second    string // 0-59
}

// The fields of a cron plan, from the most significant on.
const (
	fieldYear = iota
	fieldMonth
	fieldDay
	fieldWeek
	fieldDayOfWeek
	fieldHour
	fieldMinute
	fieldSecond
)

func cronFields() [8]field {
	return [8]field{
		fieldYear:      {name: "year", min: minYear, max: maxYear},
		fieldMonth:     {name: "month", min: 1, max: 12, kind: "month", names: monthNames},
		fieldDay:       {name: "day", min: 1, max: 31},
		fieldWeek:      {name: "week", min: 1, max: 53},
		fieldDayOfWeek: {name: "day_of_week", min: 0, max: 6, kind: "weekday", names: mondayNames},
		fieldHour:      {name: "hour", max: 23},
		fieldMinute:    {name: "minute", max: 59},
		fieldSecond:    {name: "second", max: 59},
	}
}

// NewCron makes a trigger of fields. Errors: an [*Error] that names the field.
func NewCron(spec CronSpec, opts Options) (*Cron, error) {
	c := &Cron{fields: [8]string{
		spec.Year, spec.Month, spec.Day, spec.Week,
		spec.DayOfWeek, spec.Hour, spec.Minute, spec.Second,
	}}
	if err := c.parse(); err != nil {
		return nil, err
	}
	var err error
	c.base, err = newBase(opts, c.plan.elapsed)
	if err != nil {
		return nil, err
	}
	return c, nil
}

// Next returns the first fire after the given instant.
func (c *Cron) Next(after time.Time) (time.Time, bool) { return c.fire(&c.plan, after) }

func (c *Cron) kind() string            { return "cron" }
func (c *Cron) clock() wallClock        { return &c.plan }
func (c *Cron) describe(w words) string { return c.plan.describe(w) }

func (c *Cron) encode(f *form) {
	for i, to := range []*any{
		&f.Year, &f.Month, &f.Day, &f.Week, &f.DayOfWeek, &f.Hour, &f.Minute, &f.Second,
	} {
		if c.fields[i] != "" {
			*to = c.fields[i]
		}
	}
}

// complete gives the fields with the default of each one left empty.
func (c *Cron) complete() [8]string {
	text := c.fields
	last := fieldSecond // no field at all: all are *
	for i := range text {
		if text[i] != "" {
			last = i
		}
	}
	for i := range text {
		switch {
		case text[i] != "":
		case i < last || last == fieldSecond || i == fieldWeek || i == fieldDayOfWeek:
			text[i] = "*"
		case i == fieldMonth || i == fieldDay:
			text[i] = "1"
		default:
			text[i] = "0"
		}
	}
	return text
}

func (c *Cron) parse() error {
	for i := range c.fields {
		c.fields[i] = strings.TrimSpace(c.fields[i])
	}
	fields := cronFields()
	p := &c.plan
	texts := c.complete()
	for i, text := range texts {
		if len(text) > maxExpression {
			return &Error{Field: fields[i].name, Given: text, Problem: "is too long, allowed 1024 bytes"}
		}
		var set uint64
		for more := true; more; {
			var item string
			item, text, more = strings.Cut(text, ",")
			item = strings.TrimSpace(item)
			if i == fieldDay && p.addSpecialDay(item) {
				continue
			}
			s, problem := fields[i].cronItem(item)
			if problem != "" {
				return &Error{Field: fields[i].name, Given: item, Problem: problem}
			}
			if i == fieldYear {
				p.years = append(p.years, s)
			} else {
				set |= s.set()
			}
		}
		p.put(i, set)
	}
	if slices.Contains(p.years, span{minYear, maxYear, 1}) {
		p.years = nil
	}
	for _, text := range texts[fieldHour:] {
		p.elapsed = p.elapsed || text[0] == '*'
	}
	p.finish()
	return nil
}

// put stores the values of a field.
func (p *plan) put(field int, set uint64) {
	switch field {
	case fieldMonth:
		p.months = uint16(set)
	case fieldDay:
		p.days = uint32(set)
	case fieldWeek:
		p.weeks = set
	case fieldDayOfWeek:
		p.weekdays = uint8(set<<1&allWeekdays | set>>6) // from 0 = Monday to 0 = Sunday
	case fieldHour:
		p.hours = uint32(set)
	case fieldMinute:
		p.minutes = set
	case fieldSecond:
		p.seconds = set
	}
}

// cronItem reads an item in APScheduler's grammar.
func (f *field) cronItem(item string) (s span, problem string) {
	p := split(item)
	if item == "" {
		return s, "has an empty item"
	}
	s.first, s.last = f.min, f.max
	if p.first != "*" || p.isRange {
		var named, lastNamed bool
		if s.first, named, problem = f.value(p.first); problem != "" {
			return s, f.hint(p.first, problem)
		}
		if !p.isStep {
			s.last = s.first
		}
		if p.isRange {
			if s.last, lastNamed, problem = f.value(p.last); problem != "" {
				return s, f.hint(p.last, problem)
			}
			if named != lastNamed {
				return s, "mixes a name and a number"
			}
			if s.last < s.first {
				return s, "runs backwards; write it as two ranges"
			}
		}
		if named && p.isStep {
			return s, "has a step after a name; write it with numbers"
		}
	}
	if s.step, problem = p.stepValue(); problem != "" {
		return s, problem
	}
	if p.isStep && s.step > s.last-s.first {
		return s, "has a step larger than its range"
	}
	return s, ""
}

// hint adds what the field takes besides.
func (f *field) hint(value, problem string) string {
	switch {
	case f.name == "day" && value != "" && (value[0] < '0' || value[0] > '9'):
		return `is not a day, allowed 1-31, "last", "1st fri" to "5th fri" and "last fri"`
	case f.name == "day_of_week" && value == "7":
		return problem + " (0 is Monday, 6 is Sunday)"
	}
	return problem
}

// addSpecialDay takes "last", "2nd fri" and "last fri".
func (p *plan) addSpecialDay(item string) bool {
	if strings.EqualFold(item, "last") {
		p.specials().fromEnd |= 1
		return true
	}
	which, name, ok := strings.Cut(item, " ")
	if !ok {
		return false
	}
	i := slices.Index([]string{"1st", "2nd", "3rd", "4th", "5th", "last"}, strings.ToLower(which))
	w := nameIndex(sundayNames, strings.TrimSpace(name))
	if i < 0 || w < 0 {
		return false
	}
	p.specials().nth[i] |= 1 << uint(w)
	return true
}
