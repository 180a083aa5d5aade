package trigger

import "strconv"

// Error says what is wrong with a trigger.
type Error struct {
	// Field is the key in the trigger's JSON form that is wrong, such as
	// "hour" or "expression". Empty means the trigger as a whole.
	Field string
	// Given is the part of the value that is wrong. Empty means that there
	// was none.
	Given string
	// Problem says what is wrong with it and what is allowed.
	Problem string
}

// Error gives the three in one line, such as
//
//	hour: "25" is out of range, allowed 0-23
func (e *Error) Error() string {
	s := e.Problem
	if e.Given != "" {
		s = quote(e.Given) + " " + s
	}
	if e.Field != "" {
		s = e.Field + ": " + s
	}
	return s
}

// quote puts a value in double quotes and shortens a very long one.
func quote(s string) string {
	const most = 80
	if r := []rune(s); len(r) > most {
		s = string(r[:most]) + "…"
	}
	return strconv.Quote(s)
}

// count gives a number with its noun.
func count(n int, noun string) string {
	if n != 1 {
		noun += "s"
	}
	return strconv.Itoa(n) + " " + noun
}

// outOfRange is the error of a number.
func outOfRange(field string, given, low, high int) *Error {
	return &Error{
		Field: field, Given: strconv.Itoa(given),
		Problem: "is out of range, allowed " + strconv.Itoa(low) + "-" + strconv.Itoa(high),
	}
}
