package trigger

import (
	"bytes"
	"encoding/json"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Parse reads the JSON form of a trigger, one of
//
//	{"type":"cron","month":"6-8,11-12","day":"3rd fri","hour":"0-3"}
//	{"type":"crontab","expression":"*/5 9-17 * * mon-fri"}
//	{"type":"interval","weeks":0,"days":0,"hours":0,"minutes":2,"seconds":0.5}
//	{"type":"date","run_date":"2026-11-06T16:30:05"}
//
// each with "timezone" (an IANA name; zone if it is left out, UTC if that is
// nil) and all but date with "start_date" and "end_date". The fields of cron are
// those of [CronSpec], as text or whole numbers. Dates are RFC 3339, or without
// an offset wall time in the time zone, or a day alone, which means its first
// instant; a wall time that does not exist means the first instant after the
// gap, one that comes twice the first.
//
// Unknown and repeated keys are errors like any other: an [*Error].
func Parse(data []byte, zone *time.Location) (Trigger, error) {
	o := object{zone: zoneOr(zone)}
	if err := o.read(data); err != nil {
		return nil, err
	}
	kind := o.text("type")
	if o.err == nil && !o.has("type") {
		o.fail("type", "", "is missing, allowed: "+kinds)
	}
	if name := o.text("timezone"); o.err == nil && o.has("timezone") {
		var ok bool
		if o.zone, ok = loadZone(name); !ok {
			o.fail("timezone", name, `is not a known time zone, allowed IANA names such as "Europe/Berlin" or "UTC"`)
		}
	}
	if o.err != nil {
		return nil, o.err
	}
	switch kind {
	case "cron":
		return o.cron()
	case "crontab":
		return o.crontab()
	case "interval":
		return o.interval()
	case "date":
		return o.date()
	}
	return nil, &Error{Field: "type", Problem: "unknown trigger type " + quote(kind) + ", allowed: " + kinds}
}

const kinds = "cron, crontab, date, interval"

// object is a JSON object whose values are read by key. The first error stays.
type object struct {
	members []member
	zone    *time.Location
	err     *Error
}

type member struct {
	key   string
	value []byte // JSON
}

func (o *object) fail(field, given, problem string) {
	if o.err == nil {
		o.err = &Error{Field: field, Given: given, Problem: problem}
	}
}

func (o *object) read(data []byte) error {
	if !json.Valid(data) {
		return &Error{Problem: "not valid JSON: " + json.Unmarshal(data, new(json.RawMessage)).Error()}
	}
	rest := bytes.TrimLeft(data, jsonSpace)
	if rest[0] != '{' {
		return &Error{Problem: "a trigger must be a JSON object"}
	}
	o.members = make([]member, 0, 8)
	for {
		rest = bytes.TrimLeft(rest[1:], jsonSpace) // behind { or ,
		if rest[0] == '}' {
			return nil
		}
		var key, value []byte
		key, rest = cutValue(rest)
		value, rest = cutValue(bytes.TrimLeft(rest, jsonSpace+":"))
		name, _ := unquote(key)
		if o.raw(name) != nil {
			return &Error{Field: name, Problem: "is given twice"}
		}
		o.members = append(o.members, member{name, value})
		if rest = bytes.TrimLeft(rest, jsonSpace); rest[0] == '}' {
			return nil
		}
	}
}

const jsonSpace = " \t\r\n"

// cutValue splits off the value with which valid JSON begins.
func cutValue(data []byte) (value, rest []byte) {
	depth, inText := 0, false
	for i := 0; i < len(data); i++ {
		switch c := data[i]; {
		case inText && c == '\\':
			i++
		case c == '"':
			if inText = !inText; !inText && depth == 0 {
				return data[:i+1], data[i+1:]
			}
		case inText:
		case c == '{', c == '[':
			depth++
		case depth == 0 && strings.IndexByte(",:]}"+jsonSpace, c) >= 0:
			return data[:i], data[i:]
		case c == '}', c == ']':
			if depth--; depth == 0 {
				return data[:i+1], data[i+1:]
			}
		}
	}
	return data, nil
}

// unquote gives the text of a JSON string.
func unquote(data []byte) (s string, ok bool) {
	if data[0] != '"' {
		return "", false
	}
	for _, c := range data {
		if c == '\\' || c >= 0x80 {
			err := json.Unmarshal(data, &s)
			return s, err == nil
		}
	}
	return string(data[1 : len(data)-1]), true
}

func (o *object) has(key string) bool { return o.raw(key) != nil }

// raw gives a value as JSON, nil if it is left out.
func (o *object) raw(key string) []byte {
	for _, m := range o.members {
		if m.key == key {
			return m.value
		}
	}
	return nil
}

// text gives a value that must be text; "" if it is left out.
func (o *object) text(key string) string {
	raw := o.raw(key)
	if raw == nil {
		return ""
	}
	s, ok := unquote(raw)
	if !ok {
		o.fail(key, string(raw), "must be text")
	}
	return s
}

// textOrNumber gives a value that must be text or a whole number.
func (o *object) textOrNumber(key string) string {
	raw := o.raw(key)
	if raw == nil {
		return ""
	}
	if raw[0] != '"' {
		if _, err := strconv.ParseInt(string(raw), 10, 64); err != nil {
			o.fail(key, string(raw), "must be text or a whole number")
		}
		return string(raw)
	}
	s := o.text(key)
	if strings.TrimSpace(s) == "" {
		o.fail(key, "", "is empty; leave the key out for its default")
	}
	return s
}

// number gives a value that must be a number, 0 or more; 0 if it is left out.
func (o *object) number(key string) (n float64) {
	raw := o.raw(key)
	if raw == nil {
		return 0
	}
	if raw[0] == '"' {
		o.fail(key, o.text(key), "is text, but must be a number")
	} else if raw[0] != '-' && (raw[0] < '0' || raw[0] > '9') || json.Unmarshal(raw, &n) != nil {
		o.fail(key, string(raw), "must be a number")
	} else if n < 0 {
		o.fail(key, string(raw), "is negative, allowed 0 or more")
	}
	return n
}

func (o *object) instant(key string) time.Time {
	text := o.text(key)
	if o.err != nil || !o.has(key) {
		return time.Time{}
	}
	t, problem := parseDate(text, o.zone)
	if problem != "" {
		o.fail(key, text, problem)
	}
	return t
}

// only refuses keys other than those of the kind.
func (o *object) only(keys ...string) {
	for _, m := range o.members {
		if m.key != "type" && m.key != "timezone" && !slices.Contains(keys, m.key) {
			o.fail(m.key, "", "unknown key, allowed: type, "+strings.Join(keys, ", ")+", timezone")
		}
	}
}

func (o *object) cron() (Trigger, error) {
	o.only("year", "month", "day", "week", "day_of_week", "hour", "minute", "second", "start_date", "end_date")
	spec := CronSpec{
		Year: o.textOrNumber("year"), Month: o.textOrNumber("month"), Day: o.textOrNumber("day"),
		Week: o.textOrNumber("week"), DayOfWeek: o.textOrNumber("day_of_week"),
		Hour: o.textOrNumber("hour"), Minute: o.textOrNumber("minute"), Second: o.textOrNumber("second"),
		Zone: o.zone, Start: o.instant("start_date"), End: o.instant("end_date"),
	}
	return made(o, func() (*Cron, error) { return NewCron(spec) })
}

func (o *object) crontab() (Trigger, error) {
	o.only("expression", "start_date", "end_date")
	expr := o.text("expression")
	if !o.has("expression") {
		o.fail("expression", "", "is missing")
	}
	opts := CrontabOptions{Zone: o.zone, Start: o.instant("start_date"), End: o.instant("end_date")}
	return made(o, func() (*Crontab, error) { return NewCrontab(expr, opts) })
}

func (o *object) interval() (Trigger, error) {
	keys := []string{"weeks", "days", "hours", "minutes", "seconds"}
	units := []time.Duration{7 * 24 * time.Hour, 24 * time.Hour, time.Hour, time.Minute, time.Second}
	o.only(append(keys, "start_date", "end_date")...)
	var sum float64 // microseconds
	for i, key := range keys {
		sum += o.number(key) * float64(units[i].Microseconds())
	}
	opts := IntervalOptions{Start: o.instant("start_date"), End: o.instant("end_date"), Zone: o.zone}
	switch {
	case sum == 0:
		o.fail("", "", "the interval is 0, allowed 1 ms or more: weeks, days, hours, minutes and seconds are added up")
	case sum < float64(minInterval.Microseconds()):
		o.fail("", "", "the interval is too short, allowed 1 ms or more")
	case sum >= math.MaxInt64/1000:
		o.fail("", "", "the interval is too long, allowed 292 years or less")
	}
	return made(o, func() (*Interval, error) {
		return NewInterval(time.Duration(math.Round(sum))*time.Microsecond, opts)
	})
}

func (o *object) date() (Trigger, error) {
	o.only("run_date")
	at := o.instant("run_date")
	if !o.has("run_date") {
		o.fail("run_date", "", "is missing")
	}
	return made(o, func() (*Date, error) { return NewDate(at) })
}

// made calls a constructor unless the object has an error.
func made[T Trigger](o *object, construct func() (T, error)) (Trigger, error) {
	if o.err != nil {
		return nil, o.err
	}
	t, err := construct()
	if err != nil {
		return nil, err
	}
	return t, nil
}

// Marshal writes the JSON form of a trigger. It always names the time zone, so
// that what is stored does not depend on a default; Parse of it gives an equal
// trigger. Errors: an [*Error] for a trigger that is not of this package, and
// for a time zone that other machines would not know by its name, such as
// time.Local.
func Marshal(t Trigger) ([]byte, error) {
	form := struct {
		Type       string      `json:"type"`
		Expression string      `json:"expression,omitempty"`
		Year       string      `json:"year,omitempty"`
		Month      string      `json:"month,omitempty"`
		Day        string      `json:"day,omitempty"`
		Week       string      `json:"week,omitempty"`
		DayOfWeek  string      `json:"day_of_week,omitempty"`
		Hour       string      `json:"hour,omitempty"`
		Minute     string      `json:"minute,omitempty"`
		Second     string      `json:"second,omitempty"`
		Weeks      int64       `json:"weeks,omitempty"`
		Days       int64       `json:"days,omitempty"`
		Hours      int64       `json:"hours,omitempty"`
		Minutes    int64       `json:"minutes,omitempty"`
		Seconds    json.Number `json:"seconds,omitempty"`
		RunDate    string      `json:"run_date,omitempty"`
		Timezone   string      `json:"timezone"`
		StartDate  string      `json:"start_date,omitempty"`
		EndDate    string      `json:"end_date,omitempty"`
	}{Type: Type(t), Timezone: Zone(t).String()}
	if form.Type == "" {
		return nil, &Error{Field: "type", Problem: "this trigger has no JSON form"}
	}
	if !isZoneName(form.Timezone) {
		return nil, &Error{Field: "timezone", Given: form.Timezone, Problem: "is not the name of a time zone that other machines know"}
	}
	var b bounds
	switch t := t.(type) {
	case *Cron:
		b = t.bounds
		for i, to := range []*string{
			&form.Year, &form.Month, &form.Day, &form.Week,
			&form.DayOfWeek, &form.Hour, &form.Minute, &form.Second,
		} {
			*to = t.fields[i]
		}
	case *Crontab:
		b = t.bounds
		form.Expression = t.expr
	case *Interval:
		b = t.bounds
		switch unit, n := t.unit(); unit {
		case "week":
			form.Weeks = n
		case "day":
			form.Days = n
		case "hour":
			form.Hours = n
		case "minute":
			form.Minutes = n
		default:
			form.Seconds = json.Number(t.seconds())
		}
	case *Date:
		b = bounds{math.MinInt64, math.MaxInt64}
		form.RunDate = formatDate(microTime(t.at, t.zone))
	}
	if b.start != math.MinInt64 {
		form.StartDate = formatDate(microTime(b.start, Zone(t)))
	}
	if b.end != math.MaxInt64 {
		form.EndDate = formatDate(microTime(b.end, Zone(t)))
	}
	return json.Marshal(form)
}
