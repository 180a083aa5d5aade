package jobcenter

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/jobcenter-go/jobcenter/trigger"
)

// unlimited is how a misfire grace of NeverTooLate is written.
const unlimited = "unlimited"

// duration is written as Go text, such as "1m30s".
type duration time.Duration

// MarshalText implements encoding.TextMarshaler.
func (d duration) MarshalText() ([]byte, error) { return []byte(time.Duration(d).String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (d *duration) UnmarshalText(text []byte) error {
	parsed, err := time.ParseDuration(string(text))
	if err != nil {
		return fmt.Errorf("%q, allowed are durations such as 90s or 1h30m", text)
	}
	*d = duration(parsed)
	return nil
}

// jobJSON is the JSON form of a job. The definition comes first, then what the
// engine keeps.
type jobJSON struct {
	ID               string          `json:"id,omitempty"`
	Name             string          `json:"name,omitempty"`
	Description      string          `json:"description,omitempty"`
	Tags             []string        `json:"tags,omitempty"`
	Task             string          `json:"task"`
	Args             json.RawMessage `json:"args,omitempty"`
	Trigger          json.RawMessage `json:"trigger"`
	Store            string          `json:"store,omitempty"`
	Executor         string          `json:"executor,omitempty"`
	Priority         int             `json:"priority,omitempty"`
	MisfireGrace     string          `json:"misfire_grace,omitempty"`
	Coalesce         Coalesce        `json:"coalesce,omitempty"`
	CatchUp          *catchUpJSON    `json:"catch_up,omitempty"`
	Overlap          Overlap         `json:"overlap,omitempty"`
	MaxInstances     int             `json:"max_instances,omitempty"`
	Limit            *limitJSON      `json:"limit,omitempty"`
	Timeout          duration        `json:"timeout,omitzero"`
	Retry            *retryJSON      `json:"retry,omitempty"`
	RequestsRecovery bool            `json:"requests_recovery,omitempty"`
	Paused           bool            `json:"paused,omitempty"`
	PausedUntil      time.Time       `json:"paused_until,omitzero"`
	PauseReason      string          `json:"pause_reason,omitempty"`
	SkipUntil        time.Time       `json:"skip_until,omitzero"`

	Version          int64           `json:"version,omitempty"`
	NextFireTime     time.Time       `json:"next_fire_time,omitzero"`
	PreviousFireTime time.Time       `json:"previous_fire_time,omitzero"`
	Quarantine       string          `json:"quarantine,omitempty"`
	Carried          json.RawMessage `json:"carried,omitempty"`
	LastResult       json.RawMessage `json:"last_result,omitempty"`
	CreatedAt        time.Time       `json:"created_at,omitzero"`
	UpdatedAt        time.Time       `json:"updated_at,omitzero"`
}

type catchUpJSON struct {
	CatchUp
	MaxAge duration `json:"max_age,omitzero"`
	Pace   duration `json:"pace,omitzero"`
}

type limitJSON struct {
	Limit
	Per duration `json:"per,omitzero"`
}

type retryJSON struct {
	Retry
	Delay    duration `json:"delay,omitzero"`
	MaxDelay duration `json:"max_delay,omitzero"`
}

// MarshalJSON writes the whole job, what the engine keeps included: the form
// that stores without columns keep, and of files. Durations are Go text such
// as "90s", instants RFC 3339 in UTC, the trigger is its JSON form. It fails
// for a job with a Func, and for a trigger that package trigger does not know.
func (j Job) MarshalJSON() ([]byte, error) {
	if j.Func != nil {
		return nil, fmt.Errorf("jobcenter: job %q: %w", j.ID, ErrFuncJob)
	}
	form := jobJSON{
		ID: j.ID, Name: j.Name, Description: j.Description, Tags: j.Tags, Task: j.Task, Args: j.Args, Trigger: j.rawTrigger,
		Store: j.Store, Executor: j.Executor, Priority: j.Priority, Coalesce: j.Coalesce, Overlap: j.Overlap,
		MaxInstances: j.MaxInstances, Timeout: duration(j.Timeout), RequestsRecovery: j.RequestsRecovery,
		Paused: j.Paused, PausedUntil: j.PausedUntil, PauseReason: j.PauseReason, SkipUntil: j.SkipUntil,
		Version: j.Version, NextFireTime: j.NextFireTime, PreviousFireTime: j.PreviousFireTime, Quarantine: j.Quarantine,
		Carried: j.Carried, LastResult: j.LastResult, CreatedAt: j.CreatedAt, UpdatedAt: j.UpdatedAt,
	}
	switch {
	case j.MisfireGrace < 0:
		form.MisfireGrace = unlimited
	case j.MisfireGrace > 0:
		form.MisfireGrace = j.MisfireGrace.String()
	}
	if j.CatchUp != (CatchUp{}) {
		form.CatchUp = &catchUpJSON{j.CatchUp, duration(j.CatchUp.MaxAge), duration(j.CatchUp.Pace)}
	}
	if j.Limit != (Limit{}) {
		form.Limit = &limitJSON{j.Limit, duration(j.Limit.Per)}
	}
	if !j.Retry.isZero() {
		form.Retry = &retryJSON{j.Retry, duration(j.Retry.Delay), duration(j.Retry.MaxDelay)}
	}
	if j.Trigger != nil {
		raw, err := trigger.Marshal(j.Trigger)
		if err != nil {
			return nil, fmt.Errorf("jobcenter: job %q: trigger: %w", j.ID, err)
		}
		form.Trigger = raw
	}
	if form.Trigger == nil {
		form.Trigger = json.RawMessage("null")
	}
	return json.Marshal(form)
}

// UnmarshalJSON reads what MarshalJSON writes. The trigger may also be one
// line of text; its default zone is UTC. An unknown key or a wrong type is an error. A trigger that
// cannot be decoded is none: the job then has no Trigger and says why in
// Quarantine; MarshalJSON writes the trigger back as it was.
func (j *Job) UnmarshalJSON(data []byte) error {
	var form jobJSON
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&form); err != nil {
		return err
	}
	*j = Job{
		ID: form.ID, Name: form.Name, Description: form.Description, Tags: form.Tags, Task: form.Task, Args: form.Args,
		Store: form.Store, Executor: form.Executor, Priority: form.Priority, Coalesce: form.Coalesce, Overlap: form.Overlap,
		MaxInstances: form.MaxInstances, Timeout: time.Duration(form.Timeout), RequestsRecovery: form.RequestsRecovery,
		Paused: form.Paused, PausedUntil: form.PausedUntil, PauseReason: form.PauseReason, SkipUntil: form.SkipUntil,
		Version: form.Version, NextFireTime: form.NextFireTime, PreviousFireTime: form.PreviousFireTime, Quarantine: form.Quarantine,
		Carried: form.Carried, LastResult: form.LastResult, CreatedAt: form.CreatedAt, UpdatedAt: form.UpdatedAt,
	}
	if bytes.Equal(form.Args, []byte("null")) {
		j.Args = nil
	}
	for _, t := range []*time.Time{&j.PausedUntil, &j.SkipUntil, &j.NextFireTime, &j.PreviousFireTime, &j.CreatedAt, &j.UpdatedAt} {
		if t.IsZero() {
			continue
		}
		*t = t.UTC()
		if year := t.Year(); year < 1 || year > 9999 { // by the clocks of UTC, as they are written
			return fmt.Errorf("an instant of the year %d, allowed: 1 to 9999", year)
		}
	}
	if c := form.CatchUp; c != nil {
		j.CatchUp = c.CatchUp
		j.CatchUp.MaxAge, j.CatchUp.Pace = time.Duration(c.MaxAge), time.Duration(c.Pace)
	}
	if l := form.Limit; l != nil {
		j.Limit = l.Limit
		j.Limit.Per = time.Duration(l.Per)
	}
	if r := form.Retry; r != nil {
		j.Retry = r.Retry
		j.Retry.Delay, j.Retry.MaxDelay = time.Duration(r.Delay), time.Duration(r.MaxDelay)
	}
	switch form.MisfireGrace {
	case "":
	case unlimited:
		j.MisfireGrace = NeverTooLate
	default:
		var grace duration
		if err := grace.UnmarshalText([]byte(form.MisfireGrace)); err != nil {
			return invalid("misfire_grace", "%w, or %q", err, unlimited)
		}
		j.MisfireGrace = max(time.Duration(grace), NeverTooLate) // any negative one means that
	}
	parsed, err := parseTrigger(form.Trigger)
	if err == nil {
		j.Trigger = parsed
	} else {
		j.rawTrigger = form.Trigger
		if j.Quarantine == "" {
			j.Quarantine = message(undecodable + err.Error())
		}
	}
	return nil
}

// undecodable begins the quarantine of a job whose trigger cannot be read.
const undecodable = "trigger: "

func parseTrigger(raw json.RawMessage) (trigger.Trigger, error) {
	if len(raw) == 0 || bytes.Equal(raw, []byte("null")) {
		return nil, errors.New("is missing")
	}
	if raw[0] != '"' {
		return trigger.Parse(raw, nil)
	}
	var text string
	if err := json.Unmarshal(raw, &text); err != nil {
		return nil, err
	}
	return trigger.ParseText(text, nil)
}

func (r Retry) isZero() bool {
	return r.Attempts == 0 && r.Delay == 0 && r.Factor == 0 && r.MaxDelay == 0 && r.Jitter == 0 && r.On == nil && r.ExitCodes == nil
}
