package trigger

import (
	"strconv"
	"strings"
)

// field is one of the fields of an expression.
type field struct {
	name     string // the JSON key of a cron field
	min, max int
	star     int    // the highest value that * stands for
	names    string // three letters each; the i-th stands for min+i
	kind     string // what a name is, for error messages
}

const (
	monthNames  = "janfebmaraprmayjunjulaugsepoctnovdec"
	sundayNames = "sunmontuewedthufrisat" // as crontab counts
	mondayNames = "montuewedthufrisatsun" // as APScheduler counts
)

// nameIndex finds a name in a list, in any case; -1 if it is not there.
func nameIndex(names, name string) int {
	if len(name) == 3 {
		for i := 0; i < len(names); i += 3 {
			if strings.EqualFold(names[i:i+3], name) {
				return i / 3
			}
		}
	}
	return -1
}

// maxExpression is the longest expression that is taken, in bytes.
const maxExpression = 1024

// span is every step-th value from first to last.
type span struct{ first, last, step int }

// set gives the values of a span as bits.
func (s span) set() (set uint64) {
	if s.step == 1 {
		return 1<<uint(s.last+1) - 1<<uint(s.first)
	}
	for n := s.first; n <= s.last; n += s.step {
		set |= 1 << uint(n)
	}
	return set
}

// parts are the parts of an item as they were written: first[-last][/step].
type parts struct {
	first, last, step string
	isRange, isStep   bool
}

func split(item string) (p parts) {
	p.first, p.step, p.isStep = strings.Cut(item, "/")
	p.first, p.last, p.isRange = strings.Cut(p.first, "-")
	return p
}

// value reads a number or a name.
func (f *field) value(s string) (n int, named bool, problem string) {
	if s == "" {
		return 0, false, "is not complete, allowed " + f.allowed()
	}
	if s[0] >= '0' && s[0] <= '9' {
		n, ok := number(s)
		if !ok {
			return 0, false, "is not a number"
		}
		if n < f.min || n > f.max {
			return 0, false, "is out of range, allowed " + f.allowed()
		}
		return n, false, ""
	}
	if i := nameIndex(f.names, s); i >= 0 {
		return f.min + i, true, ""
	}
	if f.names == "" {
		return 0, false, "is not a number, allowed " + f.allowed()
	}
	return 0, true, "is not a " + f.kind + ", allowed " + f.allowed() + " and " + f.names[:3] + " to " + f.names[len(f.names)-3:]
}

func (f *field) allowed() string {
	return strconv.Itoa(f.min) + "-" + strconv.Itoa(f.max)
}

// stepValue reads the step of an item, 1 if it has none.
func (p parts) stepValue() (n int, problem string) {
	if !p.isStep {
		return 1, ""
	}
	n, ok := number(p.step)
	switch {
	case !ok:
		return 0, "has no proper step, allowed whole numbers from 1"
	case n == 0:
		return 0, "has step 0, allowed 1 or more"
	}
	return n, ""
}

// number reads digits only; numbers with more than nine digits are refused.
func number(s string) (n int, ok bool) {
	if s == "" || len(s) > 9 {
		return 0, false
	}
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return 0, false
		}
		n = 10*n + int(s[i]-'0')
	}
	return n, true
}
