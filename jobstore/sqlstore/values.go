package sqlstore

import (
	"database/sql"
	"encoding/json"
	"time"
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

// rawJSON is a JSON value, nil for none, which is stored as an empty text.
func rawJSON(text string) json.RawMessage {
	if text == "" {
		return nil
	}
	return json.RawMessage(text)
}

// jsonOrNull is NULL for a value that is not given.
func jsonOrNull(value json.RawMessage) any {
	if value == nil {
		return nil
	}
	return string(value)
}

// jsonList is how a list of names is passed to a statement.
func jsonList(list []string) string {
	if len(list) == 0 {
		return "[]"
	}
	text, _ := json.Marshal(list) // strings cannot fail
	return string(text)
}

// scanner is a row, or the current one of many.
type scanner interface{ Scan(dest ...any) error }
