package service

// Error is why something was not done, in a form that callers branch on.
// Errors of any other type are failures of the server.
type Error struct {
	Code Code
	// Field is the field of the request at fault, such as "trigger.hour";
	// empty if it is none in particular.
	Field string
	// Value is what was given for Field; nil if it is not to be repeated.
	Value any
	// Message says what is wrong and what is allowed.
	Message string
	err     error
}

func (e *Error) Error() string {
	if e.Field == "" {
		return e.Message
	}
	return e.Field + ": " + e.Message
}

// Unwrap returns the engine's error, if that was the cause.
func (e *Error) Unwrap() error { return e.err }

// Code is a stable word for one kind of Error.
type Code string

// The codes.
const (
	Invalid         Code = "invalid_field"
	NeverFires      Code = "never_fires"
	NotFound        Code = "not_found"
	Conflict        Code = "conflict"
	TooManyRuns     Code = "overlap"
	NotRunning      Code = "not_running"
	VersionChanged  Code = "version_changed"
	BadCursor       Code = "bad_cursor"
	Unauthenticated Code = "unauthenticated"
	Forbidden       Code = "forbidden"
)
