package jobcenter

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/jobcenter-go/jobcenter/trigger"
)

// FieldError is an ErrInvalidJob that names the field, in the words of the
// JSON form, for example "trigger.hour" or "max_instances".
type FieldError struct {
	Field string
	Err   error // what was given and what is allowed
}

func (e *FieldError) Error() string { return e.Field + ": " + e.Err.Error() }

// Unwrap makes errors.Is find ErrInvalidJob and what is wrong with the field.
func (e *FieldError) Unwrap() []error { return []error{e.Err, ErrInvalidJob} }

func invalid(field, format string, args ...any) error {
	return &FieldError{Field: field, Err: fmt.Errorf(format, args...)}
}

// argsError is an error of arguments as one that names its field: as it is, if
// it does.
func argsError(err error) error {
	if _, ok := errors.AsType[*FieldError](err); ok {
		return err
	}
	return &FieldError{Field: "args", Err: err}
}

// jobID is what an id may look like: it stands in URLs, file names and logs.
var jobID = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._:-]{0,127}$`)

const (
	maxName        = 200
	maxDescription = 2000
	maxReason      = 500
	maxTags        = 32
	maxTag         = 64
	maxKey         = 128
	maxPriority    = 1000
	maxAttempts    = 100
	maxRatePer     = 24 * time.Hour
)

// withDefaults fills in what a job leaves to the scheduler.
func (s *Scheduler) withDefaults(job Job) Job {
	d := s.opts.Defaults
	job.Store = cmp.Or(job.Store, DefaultStore)
	job.Name = cmp.Or(job.Name, job.ID)
	job.Executor = cmp.Or(job.Executor, d.Executor, DefaultExecutor)
	job.Priority = cmp.Or(job.Priority, d.Priority)
	job.MisfireGrace = cmp.Or(job.MisfireGrace, d.MisfireGrace)
	job.Coalesce = cmp.Or(job.Coalesce, d.Coalesce, CoalesceLatest)
	job.CatchUp = cmp.Or(job.CatchUp, d.CatchUp)
	job.Overlap = cmp.Or(job.Overlap, d.Overlap, OverlapSkip)
	job.MaxInstances = cmp.Or(job.MaxInstances, d.MaxInstances, 1)
	job.Timeout = cmp.Or(job.Timeout, d.Timeout)
	if job.Retry.isZero() {
		job.Retry = d.Retry
	}
	if job.MisfireGrace < 0 {
		job.MisfireGrace = NeverTooLate
	}
	if job.Func != nil && job.Task == "" {
		job.Task = funcTaskName
	}
	if !job.Paused {
		job.PausedUntil, job.PauseReason = time.Time{}, ""
	}
	job = cloneJob(job)
	for _, t := range []*time.Time{&job.PausedUntil, &job.SkipUntil} {
		*t = microseconds(*t)
	}
	return job
}

// checked returns the job with its defaults filled in, or a *FieldError.
func (s *Scheduler) checked(job Job) (Job, error) {
	job = s.withDefaults(job)
	for _, check := range []func(*Job) error{s.checkNames, checkTags, checkRules, checkRetry, checkTrigger} {
		if err := check(&job); err != nil {
			return Job{}, err
		}
	}
	if err := validateArgs(s.task(job.Task), job.Args); err != nil {
		return Job{}, argsError(err)
	}
	return job, nil
}

func (s *Scheduler) checkNames(job *Job) error {
	have := s.equipment.Load()
	switch {
	case !jobID.MatchString(job.ID):
		return invalid("id", "%q, allowed are 1 to 128 letters, digits and . _ : - beginning with a letter or digit", job.ID)
	case utf8.RuneCountInString(job.Name) > maxName || !printable(job.Name):
		return invalid("name", "%q, allowed are up to %d printable characters", job.Name, maxName)
	case utf8.RuneCountInString(job.Description) > maxDescription || !text(job.Description):
		return invalid("description", "%d characters, allowed are up to %d, without control characters other than line breaks and tabs",
			utf8.RuneCountInString(job.Description), maxDescription)
	case job.Func != nil && job.Task != funcTaskName:
		return invalid("task", "%q, a job with a Func has no other task", job.Task)
	case job.Func == nil && (job.Task == funcTaskName || s.task(job.Task) == nil):
		return invalid("task", "unknown task %q, known: %s", job.Task,
			joined(slices.DeleteFunc(slices.Clone(have.can.Tasks), func(name string) bool { return name == funcTaskName })))
	case len(job.Args) > 0 && !json.Valid(job.Args):
		return invalid("args", "not a JSON value")
	case have.executors[job.Executor] == nil:
		return invalid("executor", "unknown executor %q, known: %s", job.Executor, joined(have.can.Executors))
	case job.Priority < -maxPriority || job.Priority > maxPriority:
		return invalid("priority", "%d, allowed: %d to %d", job.Priority, -maxPriority, maxPriority)
	}
	return nil
}

func checkTags(job *Job) error {
	if len(job.Tags) > maxTags {
		return invalid("tags", "%d of them, allowed are up to %d", len(job.Tags), maxTags)
	}
	for i, tag := range job.Tags {
		if tag == "" || utf8.RuneCountInString(tag) > maxTag || !printable(tag) {
			return invalid("tags", "%q, a tag is 1 to %d printable characters", tag, maxTag)
		}
		if slices.Contains(job.Tags[:i], tag) {
			return invalid("tags", "%q stands there twice", tag)
		}
	}
	return nil
}

func checkRules(job *Job) error {
	switch {
	case job.Coalesce != CoalesceLatest && job.Coalesce != CoalesceEarliest && job.Coalesce != CoalesceAll:
		return invalid("coalesce", "%q, allowed: latest, earliest, all", job.Coalesce)
	case job.CatchUp.Max < 0 || job.CatchUp.Max > maxCatchUp:
		return invalid("catch_up.max", "%d, allowed: 0 to %d", job.CatchUp.Max, maxCatchUp)
	case job.CatchUp.MaxAge < 0:
		return invalid("catch_up.max_age", "%s, must not be negative", job.CatchUp.MaxAge)
	case job.CatchUp.Pace < 0 || job.CatchUp.Pace > maxRatePer:
		return invalid("catch_up.pace", "%s, allowed: 0s to %s", job.CatchUp.Pace, maxRatePer)
	case job.Overlap != OverlapSkip && job.Overlap != OverlapQueueOne && job.Overlap != OverlapQueueAll && job.Overlap != OverlapCancel:
		return invalid("overlap", "%q, allowed: skip, queue_one, queue_all, cancel", job.Overlap)
	case job.MaxInstances < 1 || job.MaxInstances > maxCatchUp:
		return invalid("max_instances", "%d, allowed: 1 to %d", job.MaxInstances, maxCatchUp)
	case job.Timeout < 0:
		return invalid("timeout", "%s, must not be negative", job.Timeout)
	case utf8.RuneCountInString(job.PauseReason) > maxReason || !text(job.PauseReason):
		return invalid("pause_reason", "allowed are up to %d characters, without control characters", maxReason)
	}
	l := job.Limit
	switch {
	case l == (Limit{}):
	case l.Key == "" || utf8.RuneCountInString(l.Key) > maxKey || !printable(l.Key):
		return invalid("limit.key", "%q, allowed are 1 to %d printable characters", l.Key, maxKey)
	case l.Running == 0 && l.Rate == 0:
		return invalid("limit", "a key without running or rate")
	case l.Running < 0 || l.Running > maxCatchUp:
		return invalid("limit.running", "%d, allowed: 0 (any number) to %d", l.Running, maxCatchUp)
	case l.Rate < 0 || l.Rate > maxCatchUp:
		return invalid("limit.rate", "%d, allowed: 0 (any number) to %d", l.Rate, maxCatchUp)
	case (l.Rate > 0) != (l.Per > 0) || l.Rate > 0 && (l.Per < time.Millisecond || l.Per > maxRatePer):
		return invalid("limit.per", "%s, allowed together with a rate: 1ms to %s", l.Per, maxRatePer)
	}
	return nil
}

func checkRetry(job *Job) error {
	r := job.Retry
	switch {
	case r.Attempts < 0 || r.Attempts > maxAttempts:
		return invalid("retry.attempts", "%d, allowed: 1 to %d", r.Attempts, maxAttempts)
	case r.Delay < 0:
		return invalid("retry.delay", "%s, must not be negative", r.Delay)
	case r.MaxDelay < 0:
		return invalid("retry.max_delay", "%s, must not be negative", r.MaxDelay)
	case math.IsNaN(r.Factor) || r.Factor != 0 && (r.Factor < 1 || r.Factor > 100):
		return invalid("retry.factor", "%g, allowed: 1 to 100", r.Factor)
	case math.IsNaN(r.Jitter) || r.Jitter < 0 || r.Jitter > 1:
		return invalid("retry.jitter", "%g, allowed: 0 to 1", r.Jitter)
	case len(r.ExitCodes) > 256:
		return invalid("retry.exit_codes", "%d of them, allowed are up to 256", len(r.ExitCodes))
	}
	for _, reason := range r.On {
		if !retryable(reason) {
			return invalid("retry.on", "%q, allowed: error, exit_code, signal, panic, start_failed, timeout", reason)
		}
	}
	return nil
}

func checkTrigger(job *Job) error {
	if job.Trigger == nil {
		return invalid("trigger", "is missing")
	}
	err := trigger.Check(job.Trigger)
	if err == nil {
		return nil
	}
	field := "trigger"
	if wrong, ok := errors.AsType[*trigger.Error](err); ok && wrong.Field != "" {
		field += "." + wrong.Field
	}
	return &FieldError{Field: field, Err: err}
}

// printable reports whether a text is one line of valid UTF-8.
func printable(text string) bool {
	return utf8.ValidString(text) && !strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r == 0x7f })
}

// text reports whether a text is valid UTF-8 of any number of lines.
func text(text string) bool {
	return printable(strings.NewReplacer("\n", "", "\r", "", "\t", "").Replace(text))
}

func joined(list []string) string { return strings.Join(list, ", ") }

// changedFields names what differs between two definitions of a job, in the
// words of the JSON form.
func changedFields(a, b *Job) []string {
	var fields []string
	note := func(name string, same bool) {
		if !same {
			fields = append(fields, name)
		}
	}
	note("name", a.Name == b.Name)
	note("description", a.Description == b.Description)
	note("tags", slices.Equal(a.Tags, b.Tags))
	note("task", a.Task == b.Task)
	note("args", sameJSON(a.Args, b.Args))
	note("trigger", sameTrigger(a.Trigger, b.Trigger))
	note("executor", a.Executor == b.Executor)
	note("priority", a.Priority == b.Priority)
	note("misfire_grace", a.MisfireGrace == b.MisfireGrace)
	note("coalesce", a.Coalesce == b.Coalesce)
	note("catch_up", a.CatchUp == b.CatchUp)
	note("overlap", a.Overlap == b.Overlap)
	note("max_instances", a.MaxInstances == b.MaxInstances)
	note("limit", a.Limit == b.Limit)
	note("timeout", a.Timeout == b.Timeout)
	note("retry", a.Retry.equal(&b.Retry))
	note("requests_recovery", a.RequestsRecovery == b.RequestsRecovery)
	note("paused", a.Paused == b.Paused)
	note("paused_until", a.PausedUntil.Equal(b.PausedUntil))
	note("pause_reason", a.PauseReason == b.PauseReason)
	note("skip_until", a.SkipUntil.Equal(b.SkipUntil))
	return fields
}

func (r *Retry) equal(other *Retry) bool {
	return r.Attempts == other.Attempts && r.Delay == other.Delay && r.Factor == other.Factor && r.MaxDelay == other.MaxDelay &&
		r.Jitter == other.Jitter && slices.Equal(r.On, other.On) && slices.Equal(r.ExitCodes, other.ExitCodes)
}

// sameJSON compares two JSON values but for white space.
func sameJSON(a, b json.RawMessage) bool {
	if bytes.Equal(a, b) {
		return true
	}
	var x, y bytes.Buffer
	return json.Compact(&x, a) == nil && json.Compact(&y, b) == nil && bytes.Equal(x.Bytes(), y.Bytes())
}

func sameTrigger(a, b trigger.Trigger) bool {
	if a == nil || b == nil {
		return a == nil && b == nil
	}
	before, err := trigger.Marshal(a)
	after, err2 := trigger.Marshal(b)
	if err != nil || err2 != nil {
		return reflect.DeepEqual(a, b)
	}
	return bytes.Equal(before, after)
}
