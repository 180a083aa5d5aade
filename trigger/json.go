package trigger

import (
	"bytes"
	"encoding/json"
	"errors"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Parse reads the JSON form of a trigger, one of
//
//	{"type":"cron","month":"6-8,11-12","day":"3rd fri","hour":"0-3"}
//	{"type":"crontab","expression":"*/5 9-17 * * mon-fri","extensions":false}
//	{"type":"quartz","expression":"0 0 12 L * ?"}
//	{"type":"interval","weeks":0,"days":0,"hours":0,"minutes":2,"seconds":0.5}
//	{"type":"calendar_interval","years":0,"months":1,"weeks":0,"days":0,"hour":9,"minute":0,"second":0,
//	 "start_date":"2026-01-31","on_short_month":"skip"}
//	{"type":"daily_time_interval","every":10,"unit":"minute","from":"09:00:00","to":"17:00:00","days_of_week":["mon","tue"]}
//	{"type":"date","run_date":"2026-11-06T16:30:05"}
//	{"type":"dates","run_dates":["2026-11-06T16:30:05","2026-12-01"]}
//	{"type":"rrule","rule":"FREQ=MONTHLY;BYDAY=-1FR","start_date":"2026-01-01T09:00:00"}
//	{"type":"and","triggers":[{…},{…}]}
//	{"type":"or","triggers":[{…},{…}]}
//
// each with "timezone" (an IANA name; zone if it is left out, UTC if that is
// nil; parts of and, or: that of the whole), and all but date with "start_date"
// and "end_date". Those that go by the wall clock take "on_gap" (after, skip)
// and "on_fold" (first, second, both), see [OnGap] and [OnFold]; all take the
// [Modifiers] "calendar" (see [Calendar]), "limit" and "jitter" (a duration
// such as "30s", or a number of seconds).
//
// The fields of cron are those of [CronSpec], as text or whole numbers. Dates
// are RFC 3339, or without an offset wall time in the time zone, or a day
// alone, which means its first instant; a wall time that does not exist means
// the first instant after the gap, one that comes twice the first. A calendar
// interval without hour, minute and second takes them from its start_date.
//
// Unknown and repeated keys are errors like any other: an [*Error].
func Parse(data []byte, zone *time.Location) (Trigger, error) {
	return parse(data, zoneOr(zone), 1)
}

func parse(data []byte, zone *time.Location, level int) (Trigger, error) {
	o := object{zone: zone, level: level}
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
	t, err := o.plan(kind)
	if err != nil {
		return nil, err
	}
	with := o.modifiers()
	if o.err != nil {
		return nil, o.err
	}
	return Modify(t, with)
}

// plan makes the trigger but for its modifiers.
func (o *object) plan(kind string) (Trigger, error) {
	switch kind {
	case "cron":
		return o.cron()
	case "crontab":
		return o.crontab()
	case "quartz":
		return o.quartz()
	case "interval":
		return o.interval()
	case "calendar_interval":
		return o.calendarInterval()
	case "daily_time_interval":
		return o.dailyTimeInterval()
	case "date":
		return o.date()
	case "dates":
		return o.dates()
	case "rrule":
		return o.rrule()
	case "and":
		return o.and()
	case "or":
		return o.or()
	}
	return nil, &Error{Field: "type", Problem: "unknown trigger type " + quote(kind) + ", allowed: " + kinds}
}

const kinds = "and, calendar_interval, cron, crontab, daily_time_interval, date, dates, interval, or, quartz, rrule"

// object is a JSON object whose values are read by key. The first error stays.
type object struct {
	members []member
	zone    *time.Location
	level   int // of nested triggers, from 1
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
	if raw[0] != '-' && (raw[0] < '0' || raw[0] > '9') || json.Unmarshal(raw, &n) != nil {
		o.mustBe(key, "a number")
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

// whole gives a value that must be a whole number; 0 if it is left out.
func (o *object) whole(key string) int {
	raw := o.raw(key)
	if raw == nil {
		return 0
	}
	n, err := strconv.Atoi(string(raw))
	if err != nil {
		o.mustBe(key, "a whole number")
	}
	return n
}

// truth gives a value that must be true or false; false if it is left out.
func (o *object) truth(key string) bool {
	raw := string(o.raw(key))
	if raw != "" && raw != "true" && raw != "false" {
		o.mustBe(key, "true or false")
	}
	return raw == "true"
}

// list gives the values of an array; nil if it is left out.
func (o *object) list(key string) (values []json.RawMessage) {
	raw := o.raw(key)
	if raw != nil && (raw[0] != '[' || json.Unmarshal(raw, &values) != nil) {
		o.mustBe(key, "a list")
	}
	return values
}

// mustBe fails for a value of the wrong sort.
func (o *object) mustBe(key, what string) {
	raw := o.raw(key)
	if s, ok := unquote(raw); ok {
		o.fail(key, s, "is text, but must be "+what)
	}
	o.fail(key, string(raw), "must be "+what)
}

// texts gives the values of an array of text.
func (o *object) texts(key string) []string {
	values := o.list(key)
	list := make([]string, 0, len(values))
	for _, value := range values {
		s, ok := unquote(value)
		if !ok {
			o.fail(key, string(value), "must be text")
		}
		list = append(list, s)
	}
	return list
}

// clock gives a value that must be a time of day; 0 if it is left out.
func (o *object) clock(key string) time.Duration {
	text := o.text(key)
	if o.err != nil || !o.has(key) {
		return 0
	}
	second, ok := parseClock(text)
	if !ok {
		o.fail(key, text, "is not a time of day, allowed 00:00:00 to 23:59:59")
	}
	return time.Duration(second) * time.Second
}

// parseClock reads hh:mm or hh:mm:ss and gives the second of the day.
func parseClock(text string) (second int, ok bool) {
	r := reader{rest: text, ok: true}
	hour := r.number(1, 2)
	r.one(":")
	minute := r.number(2, 2)
	if r.rest != "" {
		r.one(":")
		second = r.number(2, 2)
	}
	ok = r.ok && r.rest == "" && hour < 24 && minute < 60 && second < 60
	return hour*3600 + minute*60 + second, ok
}

// modifierKeys are those that each kind takes, see Modifiers.
func modifierKeys() []string { return []string{"calendar", "limit", "jitter"} }

func (o *object) modifiers() (with Modifiers) {
	with.Limit = o.whole("limit")
	if o.has("limit") && with.Limit < 1 {
		o.fail("limit", string(o.raw("limit")), "is out of range, allowed 1 or more")
	}
	if raw := o.raw("jitter"); raw != nil {
		if raw[0] == '"' {
			var err error
			if with.Jitter, err = time.ParseDuration(o.text("jitter")); err != nil {
				o.fail("jitter", o.text("jitter"), `is not a duration, allowed such as "30s" or "5m"`)
			}
		} else if seconds := o.number("jitter"); seconds <= maxJitter.Seconds() {
			with.Jitter = time.Duration(math.Round(seconds*1000)) * time.Millisecond
		} else {
			o.fail("jitter", string(raw), "is out of range, allowed up to 24 hours")
		}
	}
	if raw := o.raw("calendar"); raw != nil && o.err == nil {
		calendar, err := ParseCalendar(raw)
		if err != nil {
			o.err = inCalendar(err)
		}
		with.Calendar = calendar
	}
	return with
}

// inCalendar names the calendar that has an error.
func inCalendar(err error) *Error {
	e, ok := errors.AsType[*Error](err)
	if !ok {
		return &Error{Field: "calendar", Problem: err.Error()}
	}
	in := *e
	in.Field = "calendar"
	if e.Field != "" {
		in.Field += "." + e.Field
	}
	return &in
}

// options gives what all kinds take.
func (o *object) options() Options {
	return Options{
		Zone: o.zone, Start: o.instant("start_date"), End: o.instant("end_date"),
		OnGap: OnGap(o.text("on_gap")), OnFold: OnFold(o.text("on_fold")),
	}
}

// The keys of options: all of them, and those of kinds that do not go by the
// wall clock.
func clockKeys() []string { return []string{"start_date", "end_date", "on_gap", "on_fold"} }
func boundKeys() []string { return []string{"start_date", "end_date"} }

// only refuses keys other than those of the kind.
func (o *object) only(options []string, keys ...string) {
	for _, m := range o.members {
		switch {
		case m.key == "type", m.key == "timezone", slices.Contains(keys, m.key), slices.Contains(options, m.key), slices.Contains(modifierKeys(), m.key):
		default:
			allowed := slices.Concat([]string{"type"}, keys, options, modifierKeys(), []string{"timezone"})
			o.fail(m.key, "", "unknown key, allowed: "+strings.Join(allowed, ", "))
		}
	}
}

// must fails if a key is left out.
func (o *object) must(keys ...string) {
	for _, key := range keys {
		if !o.has(key) {
			o.fail(key, "", "is missing")
		}
	}
}

func (o *object) cron() (Trigger, error) {
	o.only(clockKeys(), "year", "month", "day", "week", "day_of_week", "hour", "minute", "second")
	spec := CronSpec{
		Year: o.textOrNumber("year"), Month: o.textOrNumber("month"), Day: o.textOrNumber("day"),
		Week: o.textOrNumber("week"), DayOfWeek: o.textOrNumber("day_of_week"),
		Hour: o.textOrNumber("hour"), Minute: o.textOrNumber("minute"), Second: o.textOrNumber("second"),
	}
	opts := o.options()
	return made(o, func() (*Cron, error) { return NewCron(spec, opts) })
}

func (o *object) crontab() (Trigger, error) {
	o.only(clockKeys(), "expression", "extensions")
	o.must("expression")
	expr, extended, opts := o.text("expression"), o.truth("extensions"), o.options()
	return made(o, func() (*Crontab, error) {
		c, err := newCrontab(expr, opts, extended, "")
		if err == nil && o.has("timezone") && c.zone.String() != o.zone.String() {
			return nil, &Error{Field: "timezone", Given: o.zone.String(), Problem: "is not the time zone that the expression begins with, " + c.zone.String()}
		}
		return c, err
	})
}

func (o *object) quartz() (Trigger, error) {
	o.only(clockKeys(), "expression")
	o.must("expression")
	expr, opts := o.text("expression"), o.options()
	return made(o, func() (*Quartz, error) { return NewQuartz(expr, opts) })
}

func (o *object) interval() (Trigger, error) {
	keys := []string{"weeks", "days", "hours", "minutes", "seconds"}
	units := []time.Duration{7 * 24 * time.Hour, 24 * time.Hour, time.Hour, time.Minute, time.Second}
	o.only(boundKeys(), keys...)
	var sum float64 // microseconds
	for i, key := range keys {
		sum += o.number(key) * float64(units[i].Microseconds())
	}
	opts := o.options()
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

func (o *object) calendarInterval() (Trigger, error) {
	o.only(clockKeys(), "years", "months", "weeks", "days", "hour", "minute", "second", "on_short_month")
	opts := o.options()
	spec := CalendarIntervalSpec{
		Years: o.whole("years"), Months: o.whole("months"), Weeks: o.whole("weeks"), Days: o.whole("days"),
		Hour: o.whole("hour"), Minute: o.whole("minute"), Second: o.whole("second"),
		ShortMonth: ShortMonth(o.text("on_short_month")),
	}
	if !o.has("hour") && !o.has("minute") && !o.has("second") && !opts.Start.IsZero() {
		spec.Hour, spec.Minute, spec.Second = opts.Start.Clock()
	}
	return made(o, func() (*CalendarInterval, error) { return NewCalendarInterval(spec, opts) })
}

func (o *object) dailyTimeInterval() (Trigger, error) {
	o.only(clockKeys(), "every", "unit", "from", "to", "days_of_week")
	o.must("every", "unit")
	spec := DailyTimeSpec{Every: o.whole("every"), Unit: Unit(o.text("unit")), From: o.clock("from"), To: o.clock("to")}
	if o.has("to") && spec.To == 0 && spec.From > 0 {
		spec.To = 24 * time.Hour // the midnight that ends the day
	}
	for _, name := range o.texts("days_of_week") {
		i := nameIndex(sundayNames, name)
		if i < 0 {
			o.fail("days_of_week", name, "is not a weekday, allowed mon to sun")
		}
		spec.Weekdays = append(spec.Weekdays, time.Weekday(i))
	}
	if o.has("days_of_week") && len(spec.Weekdays) == 0 {
		o.fail("days_of_week", "", "is empty; leave the key out for every day")
	}
	opts := o.options()
	return made(o, func() (*DailyTimeInterval, error) { return NewDailyTimeInterval(spec, opts) })
}

func (o *object) date() (Trigger, error) {
	o.only(nil, "run_date")
	o.must("run_date")
	at := o.instant("run_date")
	return made(o, func() (*Date, error) { return NewDate(at) })
}

func (o *object) dates() (Trigger, error) {
	o.only(boundKeys(), "run_dates")
	o.must("run_dates")
	var at []time.Time
	for i, text := range o.texts("run_dates") {
		t, problem := parseDate(text, o.zone)
		if problem != "" {
			o.fail("run_dates["+strconv.Itoa(i)+"]", text, problem)
			break
		}
		at = append(at, t)
	}
	opts := o.options()
	return made(o, func() (*Dates, error) { return NewDates(at, opts) })
}

func (o *object) rrule() (Trigger, error) {
	o.only(clockKeys(), "rule")
	o.must("rule", "start_date")
	rule, opts := o.text("rule"), o.options()
	return made(o, func() (*RRule, error) { return NewRRule(rule, opts) })
}

func (o *object) and() (Trigger, error) {
	parts, opts := o.parts()
	return made(o, func() (*And, error) { return NewAnd(parts, opts) })
}

func (o *object) or() (Trigger, error) {
	parts, opts := o.parts()
	return made(o, func() (*Or, error) { return NewOr(parts, opts) })
}

// parts gives the triggers of a combination.
func (o *object) parts() (parts []Trigger, opts Options) {
	o.only(boundKeys(), "triggers")
	o.must("triggers")
	values := o.list("triggers")
	switch {
	case o.level >= maxDepth:
		o.fail("triggers", "", "are combined too deep, allowed are 8 levels")
	case len(values) > maxParts:
		o.fail("triggers", "", "has "+count(len(values), "trigger")+", allowed 1 to 64")
	}
	for i, value := range values {
		if o.err != nil {
			break
		}
		part, err := parse(value, o.zone, o.level+1)
		if err != nil {
			o.err, _ = errors.AsType[*Error](inPart(err, i))
			break
		}
		parts = append(parts, part)
	}
	return parts, o.options()
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

// form is the JSON form of a trigger.
type form struct {
	Type         string            `json:"type"`
	Expression   string            `json:"expression,omitempty"`
	Extensions   bool              `json:"extensions,omitempty"`
	Year         any               `json:"year,omitempty"`
	Month        any               `json:"month,omitempty"`
	Day          any               `json:"day,omitempty"`
	Week         any               `json:"week,omitempty"`
	DayOfWeek    any               `json:"day_of_week,omitempty"`
	Years        int64             `json:"years,omitempty"`
	Months       int64             `json:"months,omitempty"`
	Weeks        int64             `json:"weeks,omitempty"`
	Days         int64             `json:"days,omitempty"`
	Hours        int64             `json:"hours,omitempty"`
	Minutes      int64             `json:"minutes,omitempty"`
	Seconds      json.Number       `json:"seconds,omitempty"`
	Hour         any               `json:"hour,omitempty"` // text of cron, a number of calendar_interval
	Minute       any               `json:"minute,omitempty"`
	Second       any               `json:"second,omitempty"`
	OnShortMonth string            `json:"on_short_month,omitempty"`
	Every        int64             `json:"every,omitempty"`
	Unit         string            `json:"unit,omitempty"`
	From         string            `json:"from,omitempty"`
	To           string            `json:"to,omitempty"`
	DaysOfWeek   []string          `json:"days_of_week,omitempty"`
	RunDate      string            `json:"run_date,omitempty"`
	RunDates     []string          `json:"run_dates,omitempty"`
	Rule         string            `json:"rule,omitempty"`
	Triggers     []json.RawMessage `json:"triggers,omitempty"`
	Timezone     string            `json:"timezone"`
	StartDate    string            `json:"start_date,omitempty"`
	EndDate      string            `json:"end_date,omitempty"`
	OnGap        OnGap             `json:"on_gap,omitempty"`
	OnFold       OnFold            `json:"on_fold,omitempty"`
	Calendar     *Calendar         `json:"calendar,omitempty"`
	Limit        int               `json:"limit,omitempty"`
	Jitter       string            `json:"jitter,omitempty"`

	parts []Trigger // to become Triggers
}

// Marshal writes the JSON form of a trigger. It always names the time zone, so
// that what is stored does not depend on a default; Parse of it gives an equal
// trigger. Errors: an [*Error] for a trigger that is not of this package, and
// for a time zone that other machines would not know by its name, such as
// time.Local.
func Marshal(t Trigger) ([]byte, error) {
	n, ok := t.(native)
	if !ok {
		return nil, &Error{Field: "type", Problem: "this trigger has no JSON form"}
	}
	b := n.core()
	f := form{Type: n.kind(), Timezone: b.zone.String()}
	if !isZoneName(f.Timezone) {
		return nil, &Error{Field: "timezone", Given: f.Timezone, Problem: "is not the name of a time zone that other machines know"}
	}
	n.encode(&f)
	for i, part := range f.parts {
		data, err := Marshal(part)
		if err != nil {
			return nil, inPart(err, i)
		}
		f.Triggers = append(f.Triggers, data)
	}
	if b.start != noStart {
		f.StartDate = formatDate(microTime(b.start, b.zone))
	}
	if b.end != noEnd {
		f.EndDate = formatDate(microTime(b.end, b.zone))
	}
	f.OnGap, f.OnFold = b.rule.given()
	if m, ok := t.(*Modified); ok {
		f.Calendar, f.Limit = m.with.Calendar, m.with.Limit
		if m.with.Jitter != 0 {
			f.Jitter = m.with.Jitter.String()
		}
	}
	return json.Marshal(f)
}
