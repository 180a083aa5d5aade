package trigger_test

import (
	"encoding/json"
	"maps"
	"strings"
	"time"

	"github.com/jobcenter-go/jobcenter/trigger"
)

// goldenSpec is what a source was asked, by its own names.
type goldenSpec map[string]any

func (s goldenSpec) text(key string) string {
	v, _ := s[key].(string)
	return v
}

// asked is how a case is asked; the zero value is as a user would.
type asked struct {
	gap, fold  string // on_gap and on_fold
	shortMonth string // on_short_month
	// later tells that a date without an offset that comes twice, or not at
	// all, is the later of the two instants that it may mean, as APScheduler
	// with pytz has it.
	later bool
	from  time.Time // in place of the case's
}

// trigger makes the trigger of a case by way of its JSON form.
func (c *goldenCase) trigger(how asked) (trigger.Trigger, error) {
	form := c.form(c.Kind, c.Spec, how)
	form["timezone"] = c.Timezone
	for key, value := range map[string]string{"on_gap": how.gap, "on_fold": how.fold, "on_short_month": how.shortMonth} {
		if value != "" {
			form[key] = value
		}
	}
	data, err := json.Marshal(form)
	if err != nil {
		return nil, err
	}
	t, err := trigger.Parse(data, nil)
	if err != nil {
		return nil, err
	}
	return trigger.Anchor(t, nil, c.From), nil
}

// form gives the JSON form of what a source was asked.
func (c *goldenCase) form(kind string, spec goldenSpec, how asked) map[string]any {
	form := map[string]any{}
	switch kind {
	case "crontab", "crontab_observed":
		if c.Dialect == "apscheduler" {
			form = apschedulerFields(spec.text("expr"))
			break
		}
		form["type"], form["expression"] = "crontab", spec["expr"]
		if c.Extension {
			form["extensions"] = true
		}
	case "quartz":
		form["type"], form["expression"] = "quartz", spec["expr"]
	case "calendar_interval":
		form["type"], form[spec.text("unit")+"s"] = kind, spec["interval"]
		quartzBounds(form, spec, -time.Microsecond)
		if spec["skip_day_if_hour_missing"] == true {
			form["on_gap"] = "skip"
		}
	case "daily_time_interval":
		form["type"], form["every"], form["unit"] = kind, spec["interval"], spec["unit"]
		form["from"], form["to"], form["days_of_week"] = spec["start_time_of_day"], spec["end_time_of_day"], spec["days_of_week"]
		quartzBounds(form, spec, 0)
	case "simple":
		form["type"], form["seconds"] = "interval", spec["interval_ms"].(float64)/1000
		quartzBounds(form, spec, -time.Microsecond)
	case "and", "or":
		form["type"] = kind
		var parts []any
		for _, part := range spec["triggers"].([]any) {
			part := part.(map[string]any)
			form := c.form(part["kind"].(string), part["spec"].(map[string]any), how)
			form["timezone"] = c.Timezone
			parts = append(parts, form)
		}
		form["triggers"] = parts
	default: // the source's names are ours
		form = maps.Clone(spec)
		form["type"] = kind
		if kind == "date" && len(spec) == 0 {
			form["run_date"] = c.From // the source takes the instant at which it is asked
		}
	}
	if how.later {
		c.readLater(form)
	}
	return form
}

// apschedulerFields says APScheduler's dialect of crontab, in which 0 is Monday
// and both day fields must match, as a plan by fields.
func apschedulerFields(expr string) map[string]any {
	form := map[string]any{"type": "cron"}
	words := strings.Fields(expr)
	for i, name := range []string{"minute", "hour", "day", "month", "day_of_week"} {
		if len(words) != 5 {
			form[name] = "" // refused, as by APScheduler
		} else {
			form[name] = words[i]
		}
	}
	return form
}

// quartzBounds takes start, end and the number of repetitions. Ends that are
// exclusive come before.
func quartzBounds(form map[string]any, spec goldenSpec, before time.Duration) {
	form["start_date"] = spec["start_time"]
	if end, err := time.Parse(time.RFC3339Nano, spec.text("end_time")); err == nil {
		form["end_date"] = end.Add(before)
	}
	if n, ok := spec["repeat_count"].(float64); ok && n != -1 {
		form["limit"] = n + 1
	}
}

// readLater gives dates without an offset that of the later reading.
func (c *goldenCase) readLater(form map[string]any) {
	const layout = time.DateTime
	for _, key := range []string{"start_date", "end_date", "run_date"} {
		text, _ := form[key].(string)
		if len(text) == len(time.DateOnly) {
			text += " 00:00:00"
		}
		wall, err := time.Parse(layout, strings.Replace(text, "T", " ", 1))
		if err != nil {
			continue
		}
		at := []time.Time{
			wall.Add(-offset(wall.Add(-36*time.Hour), c.zone)).In(c.zone),
			wall.Add(-offset(wall.Add(36*time.Hour), c.zone)).In(c.zone),
		}
		if (at[0].Format(layout) == wall.Format(layout)) == (at[1].Format(layout) == wall.Format(layout)) {
			if at[1].Before(at[0]) {
				at[1] = at[0]
			}
			form[key] = at[1]
		}
	}
}

// offset gives that of a zone at an instant.
func offset(at time.Time, zone *time.Location) time.Duration {
	_, seconds := at.In(zone).Zone()
	return time.Duration(seconds) * time.Second
}
