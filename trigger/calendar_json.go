package trigger

import (
	"bytes"
	"encoding/json"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"
)

const setKinds = "weekly, dates, annual, monthly, daily, cron"

// calendarForm is the JSON form of a calendar.
type calendarForm struct {
	Timezone string      `json:"timezone,omitempty"`
	OnClosed OnClosed    `json:"on_closed,omitempty"`
	Layers   []layerForm `json:"layers"`
}

type layerForm struct {
	Exclude    setKind  `json:"exclude,omitempty"`
	Include    setKind  `json:"include,omitempty"`
	Days       any      `json:"days,omitempty"`
	Dates      []string `json:"dates,omitempty"`
	From       string   `json:"from,omitempty"`
	To         string   `json:"to,omitempty"`
	Expression string   `json:"expression,omitempty"`
}

// MarshalJSON writes the JSON form, which [ParseCalendar] reads. Errors: an
// [*Error] for a time zone that other machines would not know by its name, and
// for a calendar without layers.
func (c *Calendar) MarshalJSON() ([]byte, error) {
	var f calendarForm
	if c.zone != nil {
		if f.Timezone = c.zone.String(); !isZoneName(f.Timezone) {
			return nil, &Error{Field: "calendar.timezone", Given: f.Timezone, Problem: "is not the name of a time zone that other machines know"}
		}
	}
	if len(c.layers) == 0 {
		return nil, &Error{Field: "calendar.layers", Problem: "is empty, allowed 1 to 32 layers"}
	}
	if c.onClosed != ClosedSkip {
		f.OnClosed = c.onClosed
	}
	f.Layers = make([]layerForm, len(c.layers))
	for i := range c.layers {
		f.Layers[i] = c.layers[i].form()
	}
	return json.Marshal(f)
}

func (l *Layer) form() layerForm {
	f := layerForm{Exclude: l.set.kind}
	if l.open {
		f.Exclude, f.Include = "", l.set.kind
	}
	switch s := &l.set; s.kind {
	case weeklySet:
		var names []string
		for day := range 7 {
			if w := (day + 1) % 7; s.weekdays>>uint(w)&1 != 0 {
				names = append(names, sundayNames[3*w:3*w+3])
			}
		}
		f.Days = names
	case monthlySet:
		var days []int
		for day := nextBit(uint64(s.days), 1); day < 32; day = nextBit(uint64(s.days), day+1) {
			days = append(days, day)
		}
		f.Days = days
	case datesSet:
		for _, r := range s.dates {
			f.Dates = append(f.Dates, r.String())
		}
	case annualSet:
		for _, r := range s.annual {
			f.Dates = append(f.Dates, r.String())
		}
	case dailySet:
		f.From, f.To = spanClock(s.from), spanClock(s.to)
	case cronSet:
		f.Expression = s.cron.expr
	}
	return f
}

// ParseCalendar reads the JSON form of a calendar, such as
//
//	{"timezone":"Asia/Shanghai","on_closed":"next","layers":[
//	  {"exclude":"weekly","days":["sat","sun"]},
//	  {"exclude":"dates","dates":["2026-10-01/2026-10-07","2026-12-25"]},
//	  {"include":"dates","dates":["2026-09-27","2026-10-10"]},
//	  {"exclude":"annual","dates":["12-25","12-30/01-02"]},
//	  {"exclude":"monthly","days":[1,31]},
//	  {"exclude":"daily","from":"12:00:00","to":"13:30:00"},
//	  {"exclude":"cron","expression":"* * 0-6 ? * *"}]}
//
// Each layer has one set, as [Weekly], [Days], [Annual], [Monthly],
// [DailyTime] and [CronTimes] describe them. "timezone" may be left out, and
// means that of the trigger then; "on_closed" is "skip" if it is left out.
// Unknown and repeated keys are errors like any other: an [*Error] that names
// the place, such as "layers[2].dates[0]".
func ParseCalendar(data []byte) (*Calendar, error) {
	var o object
	if err := o.readAs(data, "a calendar"); err != nil {
		return nil, err
	}
	o.known("timezone", "on_closed", "layers")
	o.must("layers")
	var opts CalendarOptions
	if name := o.text("timezone"); o.err == nil && o.has("timezone") {
		var ok bool
		if opts.Zone, ok = loadZone(name); !ok {
			o.fail("timezone", name, `is not a known time zone, allowed IANA names such as "Europe/Berlin" or "UTC"`)
		}
	}
	opts.OnClosed = OnClosed(o.text("on_closed"))
	values := o.list("layers")
	if len(values) > maxLayers {
		o.fail("layers", "", "has "+count(len(values), "layer")+", allowed 1 to 32")
	}
	if o.err != nil {
		return nil, o.err
	}
	layers := make([]Layer, len(values))
	for i, value := range values {
		var err *Error
		if layers[i], err = parseLayer(value); err != nil {
			return nil, inLayer(err, i)
		}
	}
	return NewCalendar(layers, opts)
}

func parseLayer(data []byte) (l Layer, err *Error) {
	var o object
	if err = o.readAs(data, "a layer"); err != nil {
		return l, err
	}
	kind := o.text("exclude")
	switch isOpen := o.has("include"); {
	case isOpen && o.has("exclude"):
		o.fail("include", "", "and exclude are both given, allowed is one of them")
	case isOpen:
		l.open, kind = true, o.text("include")
	case !o.has("exclude"):
		o.fail("", "", "has neither exclude nor include, allowed is one of them: "+setKinds)
	}
	keys := []string{"dates"}
	switch setKind(kind) {
	case weeklySet, monthlySet:
		keys = []string{"days"}
	case dailySet:
		keys = []string{"from", "to"}
	case cronSet:
		keys = []string{"expression"}
	case datesSet, annualSet:
	default:
		verb := "exclude"
		if l.open {
			verb = "include"
		}
		o.fail(verb, kind, "is not known, allowed "+setKinds)
	}
	o.known(append([]string{"exclude", "include"}, keys...)...)
	o.must(keys...)
	if o.err == nil {
		l.set = o.calendarSet(setKind(kind))
	}
	if o.err == nil {
		o.err = l.set.err
	}
	return l, o.err
}

// calendarSet reads the set of a layer.
func (o *object) calendarSet(kind setKind) CalendarSet {
	switch kind {
	case weeklySet:
		var days []time.Weekday
		for i, name := range o.textItems("days") {
			w := nameIndex(sundayNames, name)
			if w < 0 {
				o.fail(item("days", i), name, "is not a weekday, allowed mon to sun")
			}
			days = append(days, time.Weekday(w))
		}
		return Weekly(days...)
	case monthlySet:
		var days []int
		for i, value := range o.list("days") {
			day, err := strconv.ParseInt(string(value), 10, 32)
			if err != nil {
				o.fail(item("days", i), string(value), "must be a whole number, allowed 1-31")
			}
			days = append(days, int(day))
		}
		return Monthly(days...)
	case annualSet:
		return Annual(o.textItems("dates")...)
	case dailySet:
		from, to := o.spanClock("from"), o.spanClock("to")
		if from == secondsPerDay*time.Second {
			o.fail("from", "24:00:00", "is not a time of day, allowed 00:00:00 to 23:59:59")
		}
		return DailyTime(from, to)
	case cronSet:
		return CronTimes(o.text("expression"))
	case datesSet:
	}
	return Days(o.textItems("dates")...)
}

func item(key string, i int) string { return key + "[" + strconv.Itoa(i) + "]" }

// spanClock gives a value that must be a time of day or its end.
func (o *object) spanClock(key string) time.Duration {
	if text := o.text(key); text == "24:00:00" || text == "24:00" {
		return secondsPerDay * time.Second
	}
	return o.clock(key)
}

// textItems is texts, but names the item that is not text.
func (o *object) textItems(key string) []string {
	values := o.list(key)
	texts := make([]string, len(values))
	for i, value := range values {
		var ok bool
		if texts[i], ok = unquote(value); !ok {
			o.fail(item(key, i), string(value), "must be text")
		}
	}
	return texts
}

// readAs is read for an object that is not a trigger.
func (o *object) readAs(data []byte, what string) *Error {
	if rest := bytes.TrimLeft(data, jsonSpace); len(rest) > 0 && rest[0] != '{' && json.Valid(data) {
		return &Error{Problem: what + " must be a JSON object"}
	}
	if err := o.read(data); err != nil {
		e, _ := errors.AsType[*Error](err)
		return e
	}
	return nil
}

// known refuses keys other than those named.
func (o *object) known(keys ...string) {
	for _, m := range o.members {
		if !slices.Contains(keys, m.key) {
			o.fail(m.key, "", "unknown key, allowed: "+strings.Join(keys, ", "))
		}
	}
}
