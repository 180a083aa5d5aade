package trigger

import (
	"strings"
	"time"
)

// Quartz fires at the times of a cron expression of the Quartz scheduler.
type Quartz struct {
	base
	plan plan
	expr string
}

// NewQuartz reads an expression of six fields, or seven:
//
//	second        0-59
//	minute        0-59
//	hour          0-23
//	day of month  1-31
//	month         1-12 or JAN-DEC
//	day of week   1-7 or SUN-SAT; 1 is Sunday
//	year          1970-2199, may be left out
//
// with the meaning that Quartz gives it (CronExpression of Quartz 2.5). A field
// is a list, separated by commas, of all values (*), one (a) or a range (a-b),
// each of them with a step if need be: */n or /n, a/n (from a to the maximum),
// a-b/n. Ranges wrap around, but for years: 22-2, FRI-MON, NOV-FEB. Case does
// not matter. Names take no step. Exactly one of the two day fields must be ?,
// the other counts.
//
// The day of month also takes L (the last), L-n (n days before the last), nW
// (the working day, Monday to Friday, nearest to the n-th in the same month),
// LW and L-nW; the day of week takes L (Saturday), nL (the last of the month)
// and n#k (the k-th of the month), each of them alone.
//
// Errors: an [*Error].
func NewQuartz(expr string, opts Options) (*Quartz, error) {
	q := &Quartz{expr: strings.TrimSpace(expr)}
	if err := q.plan.parseQuartz(q.expr); err != nil {
		return nil, err
	}
	var err error
	if q.base, err = newBase(opts, q.plan.elapsed); err != nil {
		return nil, err
	}
	return q, nil
}

// Next returns the first fire after the given instant.
func (q *Quartz) Next(after time.Time) (time.Time, bool) { return q.fire(&q.plan, after) }

func (q *Quartz) kind() string            { return "quartz" }
func (q *Quartz) clock() wallClock        { return &q.plan }
func (q *Quartz) describe(w words) string { return q.plan.describe(w) }
func (q *Quartz) encode(f *form)          { f.Expression = q.expr }

const (
	quartzForms   = "6 fields (second minute hour day-of-month month day-of-week) or 7 with the year last"
	quartzMaxYear = 2199
)

func quartzFields() [7]field {
	fields := crontabFields()
	fields[textWeekday] = field{name: "day of week", min: 1, max: 7, star: 7, kind: "weekday", names: sundayNames}
	fields[textYear].max, fields[textYear].star = quartzMaxYear, quartzMaxYear
	return fields
}

func (p *plan) parseQuartz(expr string) error {
	if expr == "" {
		return wrong("", "is empty, allowed "+quartzForms)
	}
	if len(expr) > maxExpression {
		return wrong(expr, "is too long, allowed 1024 bytes")
	}
	var words [7]string
	n := 0
	for word := range strings.FieldsSeq(expr) {
		if n < len(words) {
			words[n] = word
		}
		n++
	}
	if n < 6 || n > 7 {
		return wrong(expr, "has "+count(n, "field")+", allowed "+quartzForms)
	}
	if (words[textDay] == "?") == (words[textWeekday] == "?") {
		return wrong(words[textDay]+", "+words[textWeekday], "as day of month and day of week: exactly one of the two must be ?")
	}
	fields := quartzFields()
	var sets [6]uint64
	for i, word := range words[:n] {
		f := &fields[i]
		if word == "?" && (i == textDay || i == textWeekday) {
			sets[i] = span{f.min, f.max, 1}.set()
			continue
		}
		set, given, problem := p.quartzField(f, i, word)
		if problem != "" {
			return wrong(given, "in the field "+f.name+" "+problem)
		}
		if i < len(sets) {
			sets[i] = set
		}
		if i <= textHour && (word[0] == '*' || word[0] == '/') {
			p.elapsed = true
		}
	}
	p.seconds, p.minutes, p.hours = sets[textSecond], sets[textMinute], uint32(sets[textHour])
	p.days, p.months = uint32(sets[textDay]), uint16(sets[textMonth])
	p.weekdays = uint8(sets[textWeekday] >> 1)
	p.weeks = allWeeks
	p.finish()
	return nil
}

// quartzField reads a field. given is the item that has the problem.
func (p *plan) quartzField(f *field, number int, list string) (set uint64, given, problem string) {
	whole := list
	for more := true; more; {
		var item string
		item, list, more = strings.Cut(list, ",")
		switch {
		case number == textDay && p.addLastOrNearest(item):
			continue
		case number == textWeekday && strings.EqualFold(item, "L"):
			set |= 1 << 7 // Saturday
			continue
		case number == textWeekday && p.addNth(f, 1, item):
			if item != whole {
				return 0, whole, "names a weekday of the month beside others, allowed is one alone"
			}
			continue
		}
		s, problem := f.quartzItem(item)
		if problem != "" {
			return 0, item, problem
		}
		if number == textYear {
			p.years = append(p.years, s)
			continue
		}
		for n := s.first; n <= s.last; n += s.step {
			set |= 1 << uint((n-f.min)%(f.max-f.min+1)+f.min)
		}
	}
	if number == textYear && p.years[0] == (span{f.min, f.max, 1}) {
		p.years = nil
	}
	return set, "", ""
}

// quartzItem reads an item in Quartz's grammar. The last value of a range that
// wraps around is beyond the field's maximum.
func (f *field) quartzItem(item string) (s span, problem string) {
	p := split(item)
	if item == "" {
		return s, "has an empty item"
	}
	s.first, s.last = f.min, f.max
	if (p.first != "*" && p.first != "" || p.isRange) && item[0] != '/' {
		var named bool
		if s.first, named, problem = f.value(p.first); problem != "" {
			return s, f.quartzHint(p.first, problem)
		}
		if named && p.isStep {
			return s, "has a step after a name, which Quartz ignores; write it with numbers"
		}
		if !p.isStep {
			s.last = s.first
		}
		if p.isRange {
			if s.last, _, problem = f.value(p.last); problem != "" {
				return s, f.quartzHint(p.last, problem)
			}
			if s.last < s.first {
				if f.name == "year" {
					return s, "runs backwards"
				}
				s.last += f.max - f.min + 1
			}
		}
	}
	if s.step, problem = p.stepValue(); problem != "" {
		return s, problem
	}
	if p.isStep && s.step > f.max {
		return s, "has a step larger than the field"
	}
	return s, ""
}

const dayForms = "is not a day of the month, allowed 1-31, L, L-n, nW, LW and L-nW"

func isNumber(s string) bool {
	_, ok := number(s)
	return ok
}

// quartzHint says what the field takes besides.
func (f *field) quartzHint(value, problem string) string {
	switch {
	case value == "?":
		return "is for one of the two day fields alone"
	case f.name == "day of month" && !isNumber(value):
		return dayForms
	case f.name == "day of week" && !isNumber(value):
		return "is not a weekday, allowed 1-7, sun to sat, L, 6L, friL, 6#2 and fri#2 (1 to 5)"
	case f.name == "day of week" && value == "0":
		return problem + " (1 is Sunday, 7 is Saturday)"
	}
	return problem
}
