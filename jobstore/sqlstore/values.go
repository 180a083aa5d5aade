package sqlstore

import (
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"
)

// micros is how an instant is stored; NULL if it is not there.
func micros(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t.UnixMicro()
}

// microsUp is the first stored instant at or after t, for bounds.
func microsUp(t time.Time) int64 {
	us := t.UnixMicro()
	if t.Nanosecond()%1000 != 0 {
		us++
	}
	return us
}

// instant is the other way.
func instant(us sql.NullInt64) time.Time {
	if !us.Valid {
		return time.Time{}
	}
	return time.UnixMicro(us.Int64).UTC()
}

// jsonOrNull is NULL for a value that is not given.
func jsonOrNull(value json.RawMessage) any {
	if value == nil {
		return nil
	}
	return string(value)
}

// jsonList is how a list of names is passed to a statement. Bytes that no
// database takes in a text are replaced, so that such a name is not found.
func jsonList(list []string) string {
	if len(list) == 0 {
		return "[]"
	}
	text, _ := json.Marshal(list) // strings cannot fail; what is not UTF-8 is replaced
	return strings.ReplaceAll(string(text), `\u0000`, "\uFFFD")
}

// clean replaces in texts what PostgreSQL and MySQL refuse: bytes that are not
// UTF-8, and zeros. Where it matters, the engine has done so.
func clean(values []any) {
	for i, value := range values {
		text, ok := value.(string)
		if ok && (strings.IndexByte(text, 0) >= 0 || !utf8.ValidString(text)) {
			values[i] = strings.ReplaceAll(strings.ToValidUTF8(text, "\uFFFD"), "\x00", "\uFFFD")
		}
	}
}

// flag is how a yes or no is stored.
func flag(b bool) int {
	if b {
		return 1
	}
	return 0
}

// scanner is a row, or the current one of many.
type scanner interface{ Scan(dest ...any) error }

// reader takes the values of a row apart, one after the other. It is used for
// many rows, since database/sql converts each number by way of its text when
// it is given the variable that the number is for.
type reader struct {
	values, dest []any
	next         int
	err          error
}

func newReader(columns int) *reader {
	r := &reader{values: make([]any, columns), dest: make([]any, columns)}
	for i := range r.values {
		r.dest[i] = &r.values[i]
	}
	return r
}

// scan reads a row, whose values are taken next.
func (r *reader) scan(row scanner) error {
	r.next, r.err = 0, nil
	return row.Scan(r.dest...)
}

func (r *reader) value() any {
	r.next++
	return r.values[r.next-1]
}

func (r *reader) fail(value any) {
	r.err = errors.Join(r.err, fmt.Errorf("column %d has a value of type %T", r.next, value))
}

func (r *reader) int() int64 {
	switch value := r.value().(type) {
	case int64:
		return value
	default:
		r.fail(value)
		return 0
	}
}

func (r *reader) text() string {
	switch value := r.value().(type) {
	case string:
		return value
	case []byte:
		return string(value)
	default:
		r.fail(value)
		return ""
	}
}

// json is a JSON value, nil for none, which is stored as an empty text.
func (r *reader) json() json.RawMessage {
	if text := r.text(); text != "" {
		return json.RawMessage(text)
	}
	return nil
}

// at is an instant that is always there.
func (r *reader) at() time.Time { return time.UnixMicro(r.int()).UTC() }

// instant is one that may be missing.
func (r *reader) instant() time.Time {
	if r.values[r.next] == nil {
		r.next++
		return time.Time{}
	}
	return r.at()
}
