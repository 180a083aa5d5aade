package redisstore

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jobcenter-go/jobcenter"
)

// Instants are written as microseconds since 1970 plus 10^17, in 18 digits, so
// that they sort as texts from the year 1 to the year 9999. As numbers they
// would not: Redis keeps those that it sorts by in 53 bits.
const (
	epoch  = 100_000_000_000_000_000
	digits = 18
)

// instant writes a time; all zeros if it is zero.
func instant(t time.Time) string {
	if t.IsZero() {
		return strings.Repeat("0", digits)
	}
	return microseconds(t.UnixMicro())
}

func microseconds(us int64) string {
	us = min(max(us, 1-epoch), 9*epoch-1)
	s := strconv.FormatInt(us+epoch, 10)
	return strings.Repeat("0", digits-len(s)) + s
}

// instantUp is the first instant at or after t that can be written, for bounds.
func instantUp(t time.Time) string {
	us := t.UnixMicro()
	if t.Nanosecond()%1000 != 0 {
		us++
	}
	return microseconds(us)
}

// after is the first instant after t that can be written.
func after(t time.Time) string { return microseconds(t.UnixMicro() + 1) }

// parseInstant is the way back from instant; nothing is the zero time, too.
func parseInstant(s string) (time.Time, error) {
	if s == "" || s == instant(time.Time{}) {
		return time.Time{}, nil
	}
	us, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		return time.Time{}, fmt.Errorf("%q is no instant", s)
	}
	return time.UnixMicro(us - epoch).UTC(), nil
}

// fields are those of a hash, names and values in turn. What is empty is left out.
type fields []string

func (f *fields) text(name, value string) {
	if value != "" {
		*f = append(*f, name, value)
	}
}

func (f *fields) number(name string, value, usual int64) {
	if value != usual {
		*f = append(*f, name, strconv.FormatInt(value, 10))
	}
}

func (f *fields) instant(name string, t time.Time) {
	if !t.IsZero() {
		*f = append(*f, name, instant(t))
	}
}

// optional is an instant where it may be missing.
func optional(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return instant(t)
}

// field escapes a name so that it can stand beside others, with slashes in
// between; unfield is the way back.
func field(name string) string {
	return strings.ReplaceAll(strings.ReplaceAll(name, "%", "%25"), "/", "%2F")
}

func unfield(name string) string {
	return strings.ReplaceAll(strings.ReplaceAll(name, "%2F", "/"), "%25", "%")
}

// runFields is a run as its hash holds it, its id aside.
func runFields(run *jobcenter.Run) fields {
	f := make(fields, 0, 40)
	f.text("job", run.JobID)
	f.number("ver", run.JobVersion, 0)
	f = append(f, "fire", instant(run.FireTime))
	f.text("series", field(run.Series))
	if !run.LastFireTime.Equal(run.FireTime) {
		f = append(f, "last", instant(run.LastFireTime))
	}
	f.number("count", run.FireCount, 1)
	f.text("origin", string(run.Origin))
	f.text("actor", run.Actor)
	f.text("args", string(run.Args))
	f = append(f, "state", string(run.State))
	f.text("reason", string(run.Reason))
	f.text("msg", run.Message)
	f = append(f, "attempt", strconv.Itoa(run.Attempt))
	f.text("node", run.Node)
	f.text("exec", run.Executor)
	f.number("prio", int64(run.Priority), 0)
	f.text("limit", run.LimitKey)
	f.instant("nb", run.NotBefore)
	f.instant("turn", run.Turn)
	f.text("stop", run.StopBy)
	f.instant("start", run.StartedAt)
	f.instant("end", run.EndedAt)
	if run.ExitCode != nil {
		f = append(f, "exit", strconv.Itoa(*run.ExitCode))
	}
	f.text("result", string(run.Result))
	f.number("size", run.OutputSize, 0)
	f.number("kept", run.OutputKept, 0)
	return f
}

// endFields are what Record takes of the end of a run, or of an attempt. What
// is empty takes the field away.
func endFields(end *jobcenter.Run) []string {
	exit := ""
	if end.ExitCode != nil {
		exit = strconv.Itoa(*end.ExitCode)
	}
	f := []string{
		"state", string(end.State), "reason", string(end.Reason), "msg", end.Message, "start", optional(end.StartedAt), "end", optional(end.EndedAt),
		"exit", exit, "result", string(end.Result), "size", strconv.FormatInt(end.OutputSize, 10), "kept", strconv.FormatInt(end.OutputKept, 10),
	}
	if end.State == jobcenter.RunQueued {
		f = append(f, "node", end.Node, "nb", optional(end.NotBefore), "turn", optional(end.Turn))
	}
	return f
}

// decodeRun reads a run from its hash, and its revision.
func decodeRun(id string, hash []any) (run jobcenter.Run, rev string, err error) {
	run = jobcenter.Run{ID: id, FireCount: 1}
	last := ""
	for i := 0; i+1 < len(hash) && err == nil; i += 2 {
		value := text(hash[i+1])
		switch text(hash[i]) {
		case "rev":
			rev = value
		case "job":
			run.JobID = value
		case "ver":
			run.JobVersion, err = strconv.ParseInt(value, 10, 64)
		case "fire":
			run.FireTime, err = parseInstant(value)
		case "series":
			run.Series = unfield(value)
		case "last":
			last = value
		case "count":
			run.FireCount, err = strconv.ParseInt(value, 10, 64)
		case "origin":
			run.Origin = jobcenter.Origin(value)
		case "actor":
			run.Actor = value
		case "args":
			run.Args = json.RawMessage(value)
		case "state":
			run.State = jobcenter.RunState(value)
		case "reason":
			run.Reason = jobcenter.Reason(value)
		case "msg":
			run.Message = value
		case "attempt":
			run.Attempt, err = strconv.Atoi(value)
		case "node":
			run.Node = value
		case "exec":
			run.Executor = value
		case "prio":
			run.Priority, err = strconv.Atoi(value)
		case "limit":
			run.LimitKey = value
		case "nb":
			run.NotBefore, err = parseInstant(value)
		case "turn":
			run.Turn, err = parseInstant(value)
		case "stop":
			run.StopBy = value
		case "start":
			run.StartedAt, err = parseInstant(value)
		case "end":
			run.EndedAt, err = parseInstant(value)
		case "exit":
			var code int
			code, err = strconv.Atoi(value)
			run.ExitCode = &code
		case "result":
			run.Result = json.RawMessage(value)
		case "size":
			run.OutputSize, err = strconv.ParseInt(value, 10, 64)
		case "kept":
			run.OutputKept, err = strconv.ParseInt(value, 10, 64)
		}
		if err != nil {
			return run, rev, fmt.Errorf("run %q: field %s: %w", id, text(hash[i]), err)
		}
	}
	run.LastFireTime = run.FireTime
	if last != "" {
		if run.LastFireTime, err = parseInstant(last); err != nil {
			return run, rev, fmt.Errorf("run %q: field last: %w", id, err)
		}
	}
	return run, rev, nil
}

// keptRun is a run as it is read back once it is stored.
func keptRun(run jobcenter.Run) jobcenter.Run {
	run.Args, run.Result = slices.Clone(run.Args), slices.Clone(run.Result)
	for _, t := range []*time.Time{&run.FireTime, &run.LastFireTime, &run.NotBefore, &run.Turn, &run.StartedAt, &run.EndedAt} {
		*t = kept(*t)
	}
	return run
}

// kept is an instant as it is read back once it is stored.
func kept(t time.Time) time.Time {
	if t.IsZero() {
		return time.Time{}
	}
	return time.UnixMicro(t.UnixMicro()).UTC()
}

// runs adds runs to the arguments of a script that inserts them.
func (a *arguments) runs(runs []jobcenter.Run) {
	a.add(len(runs))
	for i := range runs {
		a.run(&runs[i])
	}
}

func (a *arguments) run(run *jobcenter.Run) {
	a.add(run.ID)
	a.list(runFields(run))
}

// jobForm is a job as its hash holds it, and the indexes by which it is listed,
// each with its member there.
type jobForm struct{ fields, index []string }

// jobText is what is kept as JSON: the definition. What changes without it has
// fields of its own, and the arguments stay as they were given.
func jobText(job jobcenter.Job) (string, error) {
	job.NextFireTime, job.PreviousFireTime, job.Quarantine, job.Carried, job.LastResult, job.Args, job.Store = time.Time{}, time.Time{}, "", nil, nil, nil, ""
	for _, t := range []*time.Time{&job.PausedUntil, &job.SkipUntil, &job.CreatedAt, &job.UpdatedAt} {
		*t = kept(*t)
	}
	definition, err := job.MarshalJSON()
	return string(definition), err
}

func encodeJob(job jobcenter.Job) (jobForm, error) {
	definition, err := jobText(job)
	if err != nil {
		return jobForm{}, err
	}
	f := make(fields, 0, 32)
	f.text("job", definition)
	f.text("args", string(job.Args))
	f.instant("next", job.NextFireTime)
	f.instant("prev", job.PreviousFireTime)
	f.text("quarantine", job.Quarantine)
	f.text("carried", string(job.Carried))
	f.text("result", string(job.LastResult))
	f.instant("due", job.DueAt())
	f = append(f, "kind", field(job.Task)+"/"+field(job.Executor), "task", field(job.Task), "prio", priority(job.Priority), "state", string(job.State()))
	f.number("max", int64(max(job.MaxInstances, 1)), 1)
	f.text("limit", job.Limit.Key)
	f.number("limit_running", int64(job.Limit.Running), 0)
	f.number("limit_rate", int64(job.Limit.Rate), 0)
	f.number("limit_per", job.Limit.Per.Microseconds(), 0)
	label := job.Name
	if label == "" {
		label = job.ID
	}
	index := []string{
		"jobs", job.ID, "jobs:name", ordered(label) + "\x00" + job.ID, "jobs:created", instant(job.CreatedAt) + job.ID, "jobs:task:" + job.Task, job.ID,
	}
	for _, tag := range job.Tags {
		index = append(index, "jobs:tag:"+tag, job.ID)
	}
	return jobForm{f, index}, nil
}

// priority writes a priority so that the highest sorts first.
func priority(p int) string {
	const most = 1_000_000
	return fmt.Sprintf("%07d", most-min(max(p, -most), most))
}

// ordered keeps zero bytes out of a text without a change to how it sorts.
func ordered(s string) string {
	return strings.ReplaceAll(strings.ReplaceAll(s, "\x01", "\x01\x02"), "\x00", "\x01\x01")
}

// seenJob is a job with all that a decision about it may be based on.
type seenJob struct {
	jobcenter.Job
	rev             string
	queued, running int
	// unreadable says that no part of the definition could be decoded.
	unreadable bool
}

// active counts the job's runs that go on.
func (j *seenJob) active() jobcenter.Active {
	return jobcenter.Active{Queued: j.queued, Running: j.running}
}

// decodeJob reads a job from the fields that scripts return of it, in the
// order of seen in lua/common.lua. What cannot be decoded is in quarantine.
// ok is false if there is no such job.
func decodeJob(id string, values []any) (job seenJob, ok bool) {
	if item(values, 0) == nil {
		return seenJob{}, false
	}
	job.rev = text(item(values, 0))
	why := text(item(values, 5))
	if err := json.Unmarshal([]byte(text(item(values, 1))), &job.Job); err != nil {
		job.Job, job.unreadable = jobcenter.Job{Quarantine: "the job cannot be decoded: " + err.Error()}, true
	}
	job.ID = id
	job.Args, job.Carried, job.LastResult = raw(item(values, 2)), raw(item(values, 6)), raw(item(values, 7))
	var err, prevErr error
	job.NextFireTime, err = parseInstant(text(item(values, 3)))
	job.PreviousFireTime, prevErr = parseInstant(text(item(values, 4)))
	if err = errors.Join(err, prevErr); err != nil {
		job.Quarantine = "the job cannot be decoded: " + err.Error()
	}
	if why != "" {
		job.Quarantine = why
	}
	return job, true
}

// raw is a JSON value that may be missing.
func raw(value any) json.RawMessage {
	if s := text(value); s != "" {
		return json.RawMessage(s)
	}
	return nil
}

// job adds a job to the arguments of a script that stores it.
func (a *arguments) job(id string, form jobForm) {
	a.add(id)
	a.list(form.fields)
	a.list(form.index)
}
