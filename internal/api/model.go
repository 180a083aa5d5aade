package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/jobcenter-go/jobcenter"
	"github.com/jobcenter-go/jobcenter/internal/service"
	"github.com/jobcenter-go/jobcenter/trigger"
)

// unlimited is how the API writes jobcenter.NeverTooLate.
const unlimited = "unlimited"

// Task is what a job does.
type Task struct {
	Type        string            `json:"type" enum:"shell" doc:"The kind of task."`
	Command     string            `json:"command" doc:"Given to sh -c."`
	Directory   string            `json:"directory,omitempty" doc:"The working folder, an absolute path. Left out: a fresh one for each run."`
	Environment map[string]string `json:"environment,omitempty" doc:"Variables of the command. It gets no others but PATH, HOME and the like."`
}

// Trigger is the JSON form of a trigger as it came or goes, or its text.
// Package trigger checks it.
type Trigger struct{ raw json.RawMessage }

// MarshalJSON returns the trigger's JSON form.
func (t Trigger) MarshalJSON() ([]byte, error) {
	if t.raw == nil {
		return []byte("{}"), nil
	}
	return t.raw, nil
}

// UnmarshalJSON keeps the JSON form.
func (t *Trigger) UnmarshalJSON(data []byte) error {
	t.raw = append(json.RawMessage(nil), data...)
	return nil
}

// Schema does not describe a trigger, because package trigger says more precisely
// what is wrong with one. The document has the full description.
func (Trigger) Schema(r huma.Registry) *huma.Schema {
	if _, known := r.Map()["Trigger"]; !known {
		r.Map()["Trigger"] = &huma.Schema{}
	}
	return &huma.Schema{Ref: "#/components/schemas/Trigger"}
}

// JobInput is what may be said about a job.
type JobInput struct {
	ID           string   `json:"id,omitempty" doc:"1 to 128 characters of letters, digits and . _ : -, a letter or digit first. Left out: one is made."`
	Name         string   `json:"name,omitempty" doc:"What people call the job. Left out: its id."`
	Task         Task     `json:"task"`
	Trigger      Trigger  `json:"trigger"`
	MisfireGrace string   `json:"misfire_grace,omitempty" doc:"How late a run may start: a duration such as 90s, or \"unlimited\". Left out: 1m for a job that fires more often than hourly, else 1h." example:"1m0s"`
	Coalesce     string   `json:"coalesce,omitempty" enum:"latest,earliest,all" doc:"What becomes of several fire times that are due at once. Left out: latest."`
	Overlap      string   `json:"overlap,omitempty" enum:"skip,queue_one,queue_all,cancel" doc:"What becomes of a fire time while max_instances runs are queued or running: it does not run, one waits, all wait, or the running ones are stopped. Left out: skip."`
	MaxInstances int      `json:"max_instances,omitempty" minimum:"1" doc:"How many runs may be queued or running at once. Left out: 1."`
	Timeout      string   `json:"timeout,omitempty" doc:"How long a run may take, a duration. Left out: no limit." example:"10m0s"`
	Tags         []string `json:"tags,omitempty" nullable:"false" doc:"Free words to find the job by."`
	Paused       bool     `json:"paused,omitempty" doc:"A paused job does not fire."`
}

// Job is a job as the API tells it.
type Job struct {
	ID           string     `json:"id"`
	Name         string     `json:"name"`
	Task         Task       `json:"task"`
	Trigger      Trigger    `json:"trigger"`
	TriggerText  string     `json:"trigger_text" doc:"The trigger as one line of text, which is taken in its place."`
	Description  string     `json:"description" doc:"The trigger in words, in the language of Accept-Language: English or Chinese."`
	MisfireGrace string     `json:"misfire_grace,omitempty"`
	Coalesce     string     `json:"coalesce" enum:"latest,earliest,all"`
	Overlap      string     `json:"overlap" enum:"skip,queue_one,queue_all,cancel"`
	MaxInstances int        `json:"max_instances"`
	Timeout      string     `json:"timeout,omitempty"`
	Tags         []string   `json:"tags" nullable:"false"`
	Paused       bool       `json:"paused"`
	Version      int64      `json:"version" doc:"Grows with each change."`
	State        string     `json:"state" enum:"active,paused,finished,quarantined"`
	Quarantine   string     `json:"quarantine" doc:"Why the job cannot be understood; empty for a sound one."`
	NextFireTime *time.Time `json:"next_fire_time" doc:"Null when the job is paused, finished or quarantined, or runs when a server starts."`
	ActiveRuns   int        `json:"active_runs" doc:"How many of its runs are queued or running."`
	LastRun      *Run       `json:"last_run" doc:"The last run that started."`
	CreatedAt    time.Time  `json:"created_at"`
	UpdatedAt    time.Time  `json:"updated_at"`
}

// Run is a run as the API tells it.
type Run struct {
	ID           string     `json:"id"`
	JobID        string     `json:"job_id"`
	JobName      string     `json:"job_name" doc:"The job's id once it has been deleted."`
	JobVersion   int64      `json:"job_version"`
	FireTime     time.Time  `json:"fire_time"`
	LastFireTime time.Time  `json:"last_fire_time" doc:"Of a span of fire times that did not run: the last one."`
	FireCount    int64      `json:"fire_count" doc:"Of a span of fire times that did not run: how many."`
	Origin       string     `json:"origin" enum:"schedule,manual,api,backfill,chain"`
	Actor        string     `json:"actor" doc:"Who started it, when it was not the schedule."`
	State        string     `json:"state" enum:"queued,running,succeeded,failed,timed_out,stopped,lost,missed,skipped"`
	Reason       string     `json:"reason" enum:",misfire,coalesced,catch_up,overlap,queue_full,paused,skip,calendar,veto,removed,error,exit_code,signal,panic,start_failed,bad_args,timeout,stop,cancel,shutdown,node_died"`
	Message      string     `json:"message"`
	Attempt      int        `json:"attempt"`
	Node         string     `json:"node"`
	StartedAt    *time.Time `json:"started_at"`
	EndedAt      *time.Time `json:"ended_at"`
	ExitCode     *int       `json:"exit_code"`
	LatenessMS   *int64     `json:"lateness_ms" doc:"How long after its fire time it started."`
	DurationMS   *int64     `json:"duration_ms" doc:"How long it ran, or has been running."`
	OutputSize   int64      `json:"output_size" doc:"How many bytes it wrote. Known when it has ended."`
	OutputKept   int64      `json:"output_kept" doc:"How many of them are kept. Known when it has ended."`
}

// optional is nil for the zero time.
func optional(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC()
	return &t
}

// apply writes the input over a job's definition, all of it.
func (in *JobInput) apply(job *jobcenter.Job, zone *time.Location) error {
	t, err := parseTrigger(in.Trigger, zone)
	if err != nil {
		return err
	}
	grace, err := parseGrace(in.MisfireGrace)
	if err != nil {
		return err
	}
	timeout, err := parseDuration("timeout", in.Timeout)
	if err != nil {
		return err
	}
	args, err := json.Marshal(taskArgs{in.Task.Command, in.Task.Directory, in.Task.Environment})
	if err != nil {
		return err
	}
	job.Name = in.Name
	job.Task, job.Args = in.Task.Type, args
	job.Trigger = t
	job.MisfireGrace, job.Timeout = grace, timeout
	job.Coalesce, job.Overlap = jobcenter.Coalesce(in.Coalesce), jobcenter.Overlap(in.Overlap)
	job.MaxInstances = in.MaxInstances
	job.Tags = in.Tags
	job.Paused = in.Paused
	return nil
}

// taskArgs are the arguments of a shell task, as a job keeps them.
type taskArgs struct {
	Command     string            `json:"command"`
	Directory   string            `json:"directory,omitempty"`
	Environment map[string]string `json:"environment,omitempty"`
}

func parseTrigger(t Trigger, zone *time.Location) (trigger.Trigger, error) {
	var parsed trigger.Trigger
	var err error
	if text := ""; bytes.HasPrefix(t.raw, []byte{'"'}) && json.Unmarshal(t.raw, &text) == nil {
		parsed, err = trigger.ParseText(text, zone)
	} else {
		parsed, err = trigger.Parse(t.raw, zone)
	}
	if err == nil {
		err = trigger.Check(parsed)
	}
	if wrong, ok := errors.AsType[*trigger.Error](err); ok {
		field, value := "trigger", any(nil)
		if wrong.Field != "" {
			field += "." + wrong.Field
		}
		if wrong.Given != "" {
			value = shortValue("", wrong.Given)
		}
		return nil, &service.Error{Code: service.Invalid, Field: field, Value: value, Message: (&trigger.Error{Given: wrong.Given, Problem: wrong.Problem}).Error()}
	}
	return parsed, err
}

func parseGrace(text string) (time.Duration, error) {
	if text == unlimited {
		return jobcenter.NeverTooLate, nil
	}
	return parseDuration("misfire_grace", text)
}

func parseDuration(field, text string) (time.Duration, error) {
	if text == "" {
		return 0, nil
	}
	d, err := time.ParseDuration(text)
	if err != nil || d <= 0 {
		return 0, &service.Error{
			Code: service.Invalid, Field: field, Value: shortValue("", text),
			Message: `is not a duration above zero, such as "90s", "10m" or "1h30m"`,
		}
	}
	return d, nil
}

// input is the definition of a job as it could be given.
func (j *Job) input() JobInput {
	return JobInput{
		ID: j.ID, Name: j.Name, Task: j.Task, Trigger: j.Trigger,
		MisfireGrace: j.MisfireGrace, Coalesce: j.Coalesce, Overlap: j.Overlap, MaxInstances: j.MaxInstances,
		Timeout: j.Timeout, Tags: j.Tags, Paused: j.Paused,
	}
}

func jobOf(j service.Job, lang trigger.Lang) Job {
	job := Job{
		ID: j.ID, Name: orElse(j.Name, j.ID), Task: taskOf(j.Job),
		Coalesce:     orElse(string(j.Coalesce), string(jobcenter.CoalesceLatest)),
		Overlap:      orElse(string(j.Overlap), string(jobcenter.OverlapSkip)),
		MaxInstances: max(j.MaxInstances, 1), Tags: append([]string{}, j.Tags...), Paused: j.Paused,
		Version: j.Version, State: string(j.State()), Quarantine: j.Quarantine,
		ActiveRuns: j.ActiveRuns, CreatedAt: j.CreatedAt.UTC(), UpdatedAt: j.UpdatedAt.UTC(),
	}
	if j.Trigger != nil {
		job.Description = trigger.Describe(trigger.ForJob(j.Trigger, j.ID), lang)
		job.Trigger.raw, _ = trigger.Marshal(j.Trigger) // a foreign trigger is shown by its description alone
		job.TriggerText, _ = trigger.Text(j.Trigger)
	}
	switch {
	case j.MisfireGrace < 0:
		job.MisfireGrace = unlimited
	case j.MisfireGrace > 0:
		job.MisfireGrace = j.MisfireGrace.String()
	}
	if j.Timeout > 0 {
		job.Timeout = j.Timeout.String()
	}
	if job.State == string(jobcenter.JobActive) && !j.NextFireTime.Equal(jobcenter.AtStart()) {
		job.NextFireTime = optional(j.NextFireTime)
	}
	if j.LastRun != nil {
		last := runOf(service.Run{Run: *j.LastRun, JobName: job.Name})
		job.LastRun = &last
	}
	return job
}

func taskOf(j jobcenter.Job) Task {
	var args taskArgs
	_ = json.Unmarshal(j.Args, &args) // arguments of another form are not told
	return Task{Type: j.Task, Command: args.Command, Directory: args.Directory, Environment: args.Environment}
}

func runOf(r service.Run) Run {
	run := Run{
		ID: r.ID, JobID: r.JobID, JobName: r.JobName, JobVersion: r.JobVersion,
		FireTime: r.FireTime.UTC(), LastFireTime: r.LastFireTime.UTC(), FireCount: r.FireCount,
		Origin: string(r.Origin), Actor: r.Actor,
		State: string(r.State), Reason: string(r.Reason), Message: r.Message,
		Attempt: r.Attempt, Node: r.Node,
		StartedAt: optional(r.StartedAt), EndedAt: optional(r.EndedAt), ExitCode: r.ExitCode,
		OutputSize: r.OutputSize, OutputKept: r.OutputKept,
	}
	if !r.StartedAt.IsZero() {
		lateness := r.Lateness().Milliseconds()
		end := r.EndedAt
		if end.IsZero() {
			end = time.Now()
		}
		duration := max(end.Sub(r.StartedAt), 0).Milliseconds()
		run.LatenessMS, run.DurationMS = &lateness, &duration
	}
	return run
}

func orElse(s, other string) string {
	if s == "" {
		return other
	}
	return s
}
