package trigger

// Error says what is wrong with a trigger.
type Error struct {
	// Field is the key in the trigger's JSON form that is wrong, such as
	// "hour" or "expression". Empty means the trigger as a whole.
	Field string
	// Given is the value as it was given. Empty means that there was none.
	Given string
	// Problem says what is wrong with it and what is allowed.
	Problem string
}

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

// quote puts a value into double quotes and cuts a very long one.
func quote(s string) string { return "\"" + s + "\"" }
