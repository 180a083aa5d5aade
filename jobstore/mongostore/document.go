package mongostore

import (
	"bytes"
	"cmp"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/jobcenter-go/jobcenter"
)

// The lives of a document in the collection of jobs.
const (
	lifeLive    = "live"    // a job
	lifePending = "pending" // a job of a batch that is not yet added
	lifeRemoved = "removed" // what is left of a removed job
	// The lives of a batch, see batch.go.
	lifeOpen      = "open"
	lifeCommitted = "committed"
	lifeAborted   = "aborted"
)

// jobDoc is a job as it is stored, with the runs of it that go on.
type jobDoc struct {
	ID string `bson:"_id"`
	// Rev is the name of the last change, Past those of the changes before,
	// so that whoever made one can see for a while that it took place.
	Rev  bson.ObjectID   `bson:"rev"`
	Past []bson.ObjectID `bson:"past,omitempty"`

	Life  string         `bson:"life"`
	Batch *bson.ObjectID `bson:"batch,omitempty"` // of a pending job
	Gone  int64          `bson:"gone,omitempty"`  // when a removed job was

	// Job is the job's JSON, but for the three values that follow: they are
	// kept byte by byte, and need not be sent again with each change.
	Job     string `bson:"job,omitempty"`
	Args    string `bson:"args,omitempty"`
	Carried string `bson:"carried,omitempty"`
	Result  string `bson:"result,omitempty"`
	// Quarantine is why Job cannot be decoded, once that was found out.
	Quarantine string `bson:"quarantine,omitempty"`

	// What jobs are found and ordered by.
	Due      *int64   `bson:"due,omitempty"` // Job.DueAt in microseconds, if there is one
	Rank     int64    `bson:"rank"`          // the priority, highest first
	Task     string   `bson:"task"`
	Executor string   `bson:"executor"`
	Name     string   `bson:"name"` // or the id
	Created  int64    `bson:"created"`
	State    string   `bson:"state"`
	Tags     []string `bson:"tags,omitempty"`
	Search   string   `bson:"search,omitempty"`

	// Active are the runs that are queued or running. This is where it is
	// decided what becomes of them; their rows follow.
	Active []activeRun `bson:"active,omitempty"`
	// Outbox is what the last change has to say to the rows; Dirty is set
	// until it was said.
	Outbox []entry `bson:"outbox,omitempty"`
	Dirty  bool    `bson:"dirty,omitempty"`
}

// activeRun is what must be known of a run to decide about it and its job.
type activeRun struct {
	ID      string `bson:"id"`
	State   string `bson:"state"`
	Attempt int64  `bson:"attempt"`
	Version int64  `bson:"v"` // of its row
	Stop    bool   `bson:"stop,omitempty"`
}

// entry is a new row, or a change that makes a row's next version.
type entry struct {
	ID      string   `bson:"id"`
	Version int64    `bson:"v"`
	New     *runDoc  `bson:"new,omitempty"`
	Set     bson.D   `bson:"set,omitempty"`
	Unset   []string `bson:"unset,omitempty"`
	// Drops is the run's output that is deleted then.
	Drops []dropDoc `bson:"drops,omitempty"`
}

// dropDoc is a jobcenter.Drop.
type dropDoc struct {
	Run     string `bson:"run"`
	Attempt int64  `bson:"attempt"`
	From    int64  `bson:"from"`
	To      int64  `bson:"to"`
}

// filter finds the chunks to be dropped: none of a later attempt, however late
// it is done.
func (d dropDoc) filter() bson.D {
	return bson.D{
		{Key: "run", Value: d.Run},
		{Key: "end", Value: bson.D{{Key: "$lte", Value: d.To}}},
		{Key: "offset", Value: bson.D{{Key: "$gte", Value: d.From}}},
		{Key: "attempt", Value: bson.D{{Key: "$lte", Value: d.Attempt}}},
	}
}

// runDoc is a run as it is stored: its row in the ledger. Instants are
// microseconds.
type runDoc struct {
	ID         string `bson:"_id"`
	Version    int64  `bson:"v"` // from 1; each change is made to one version, and so once
	JobID      string `bson:"job_id"`
	JobVersion int64  `bson:"job_version"`
	Fire       int64  `bson:"fire"`
	Series     string `bson:"series"`
	Last       int64  `bson:"last"`
	Count      int64  `bson:"count"`
	Origin     string `bson:"origin"`
	Actor      string `bson:"actor,omitempty"`
	Args       string `bson:"args,omitempty"`
	State      string `bson:"state"`
	Reason     string `bson:"reason,omitempty"`
	Message    string `bson:"message,omitempty"`
	Attempt    int64  `bson:"attempt"`
	Node       string `bson:"node,omitempty"`
	Executor   string `bson:"executor"`
	Priority   int64  `bson:"priority,omitempty"`
	LimitKey   string `bson:"limit_key,omitempty"`
	NotBefore  *int64 `bson:"not_before,omitempty"`
	Turn       *int64 `bson:"turn,omitempty"`
	StopBy     string `bson:"stop_by,omitempty"`
	Started    *int64 `bson:"started,omitempty"`
	Ended      *int64 `bson:"ended,omitempty"`
	ExitCode   *int64 `bson:"exit_code,omitempty"`
	Result     string `bson:"result,omitempty"`
	Size       int64  `bson:"size,omitempty"`
	Kept       int64  `bson:"kept,omitempty"`

	// Out and Told say which output counts, see record.go. Out is no part of
	// a version.
	Out  map[string]int64 `bson:"out,omitempty"`
	Told []bson.ObjectID  `bson:"told,omitempty"`

	// For the indexes; each is there only while it says something.
	Queue *queueKey `bson:"queue,omitempty"` // while it is queued
	Held  *heldKey  `bson:"held,omitempty"`  // while it is running
	Start *startKey `bson:"start,omitempty"` // once it has started under a limit
}

type queueKey struct {
	Executor  string `bson:"executor"`
	Rank      int64  `bson:"rank"` // the priority, highest first
	Turn      int64  `bson:"turn"`
	Fire      int64  `bson:"fire"`
	ID        string `bson:"id"`
	NotBefore int64  `bson:"not_before"`
}

type heldKey struct {
	Node string `bson:"node"`
	Key  string `bson:"key,omitempty"`
}

type startKey struct {
	Key string `bson:"key"`
	At  int64  `bson:"at"`
}

// describe fills in the document of a job. It fails for a job that cannot
// outlive the process.
func (d *jobDoc) describe(job jobcenter.Job) error {
	job.ID, job.Store = d.ID, ""
	for _, t := range []*time.Time{&job.NextFireTime, &job.PreviousFireTime, &job.PausedUntil, &job.SkipUntil, &job.CreatedAt, &job.UpdatedAt} {
		*t = kept(*t)
	}
	d.Args, d.Carried, d.Result = string(job.Args), string(job.Carried), string(job.LastResult)
	definition := job
	definition.Args, definition.Carried, definition.LastResult = nil, nil, nil
	text, err := definition.MarshalJSON()
	if err != nil {
		return err
	}
	d.Job, d.Quarantine = string(text), ""
	d.index(job)
	return nil
}

// index fills in what a job is found by.
func (d *jobDoc) index(job jobcenter.Job) {
	d.Due = optional(job.DueAt())
	d.Rank = -int64(job.Priority)
	d.Task, d.Executor, d.Created, d.State = text(job.Task), text(job.Executor), micros(job.CreatedAt), string(job.State())
	d.Name = text(cmp.Or(job.Name, job.ID))
	d.Tags = nil
	for _, tag := range job.Tags {
		d.Tags = append(d.Tags, text(tag))
	}
	d.Search = text(searchText(job))
}

// decode returns the job. One that cannot be decoded is no error: it has no
// trigger then, and says why in Quarantine.
func (d *jobDoc) decode() jobcenter.Job {
	var job jobcenter.Job
	if err := json.Unmarshal([]byte(d.Job), &job); err != nil {
		job = jobcenter.Job{
			Name: d.Name, Tags: d.Tags, Task: d.Task, Executor: d.Executor, Priority: int(-d.Rank), CreatedAt: instant(d.Created),
			Quarantine: cmp.Or(d.Quarantine, "job: "+err.Error()),
		}
		if d.Due != nil {
			job.NextFireTime = instant(*d.Due)
		}
	}
	job.ID = d.ID
	job.Quarantine = cmp.Or(job.Quarantine, d.Quarantine)
	job.Args, job.Carried, job.LastResult = raw(d.Args), raw(d.Carried), raw(d.Result)
	return job
}

// readable reports whether the document's JSON can be decoded, whatever
// becomes of the trigger in it.
func (d *jobDoc) readable() bool {
	var job jobcenter.Job
	return json.Unmarshal([]byte(d.Job), &job) == nil
}

// active counts the runs that go on.
func (d *jobDoc) active() jobcenter.Active {
	var active jobcenter.Active
	for _, run := range d.Active {
		if run.State == string(jobcenter.RunQueued) {
			active.Queued++
		} else {
			active.Running++
		}
	}
	return active
}

// find returns a run that goes on, nil if there is none of this id.
func (d *jobDoc) find(runID string) *activeRun {
	for i := range d.Active {
		if d.Active[i].ID == runID {
			return &d.Active[i]
		}
	}
	return nil
}

// docOf is the row of a run in a version.
func docOf(run jobcenter.Run, version int64) runDoc {
	d := runDoc{
		ID: run.ID, Version: version, JobID: run.JobID, JobVersion: run.JobVersion, Fire: micros(run.FireTime), Series: run.Series,
		Last: micros(run.LastFireTime), Count: run.FireCount, Origin: string(run.Origin), Actor: text(run.Actor), Args: string(run.Args),
		State: string(run.State), Reason: string(run.Reason), Message: text(run.Message), Attempt: int64(run.Attempt), Node: text(run.Node),
		Executor: text(run.Executor), Priority: int64(run.Priority), LimitKey: text(run.LimitKey),
		NotBefore: optional(run.NotBefore), Turn: optional(run.Turn), StopBy: text(run.StopBy), Started: optional(run.StartedAt),
		Ended: optional(run.EndedAt), Result: string(run.Result), Size: run.OutputSize, Kept: run.OutputKept,
	}
	if run.ExitCode != nil {
		code := int64(*run.ExitCode)
		d.ExitCode = &code
	}
	switch run.State {
	case jobcenter.RunQueued:
		d.Queue = &queueKey{d.Executor, -d.Priority, micros(run.Turn), d.Fire, d.ID, micros(run.NotBefore)}
	case jobcenter.RunRunning:
		d.Held = &heldKey{d.Node, d.LimitKey}
	default:
	}
	if d.LimitKey != "" && d.Started != nil {
		d.Start = &startKey{d.LimitKey, *d.Started}
	}
	return d
}

// run is the other way.
func (d *runDoc) run() jobcenter.Run {
	run := jobcenter.Run{
		ID: d.ID, JobID: d.JobID, JobVersion: d.JobVersion, FireTime: instant(d.Fire), Series: d.Series, LastFireTime: instant(d.Last),
		FireCount: d.Count, Origin: jobcenter.Origin(d.Origin), Actor: d.Actor, Args: raw(d.Args), State: jobcenter.RunState(d.State),
		Reason: jobcenter.Reason(d.Reason), Message: d.Message, Attempt: int(d.Attempt), Node: d.Node, Executor: d.Executor,
		Priority: int(d.Priority), LimitKey: d.LimitKey, StopBy: d.StopBy, Result: raw(d.Result), OutputSize: d.Size, OutputKept: d.Kept,
	}
	run.NotBefore, run.Turn, run.StartedAt, run.EndedAt = given(d.NotBefore), given(d.Turn), given(d.Started), given(d.Ended)
	if d.ExitCode != nil {
		code := int(*d.ExitCode)
		run.ExitCode = &code
	}
	return run
}

// difference is what makes one document out of another, by their fields.
func difference(from, to any) (set bson.D, unset []string, err error) {
	old, err := fieldsOf(from)
	if err != nil {
		return nil, nil, err
	}
	fields, err := fieldsOf(to)
	if err != nil {
		return nil, nil, err
	}
	there := make(map[string]bson.RawValue, len(old))
	for _, field := range old {
		there[field.Key()] = field.Value()
	}
	for _, field := range fields {
		was, ok := there[field.Key()]
		if value := field.Value(); !ok || was.Type != value.Type || !bytes.Equal(was.Value, value.Value) {
			set = append(set, bson.E{Key: field.Key(), Value: value})
		}
		delete(there, field.Key())
	}
	for _, field := range old {
		if _, gone := there[field.Key()]; gone {
			unset = append(unset, field.Key())
		}
	}
	return set, unset, nil
}

func fieldsOf(doc any) ([]bson.RawElement, error) {
	data, err := bson.Marshal(doc)
	if err != nil {
		return nil, err
	}
	return bson.Raw(data).Elements()
}

// update is the command for a difference.
func update(set bson.D, unset []string) bson.D {
	var d bson.D
	if len(set) > 0 {
		d = append(d, bson.E{Key: "$set", Value: set})
	}
	if len(unset) > 0 {
		fields := make(bson.D, len(unset))
		for i, name := range unset {
			fields[i] = bson.E{Key: name, Value: ""}
		}
		d = append(d, bson.E{Key: "$unset", Value: fields})
	}
	return d
}

// searchText is what the words of a search are looked for in.
func searchText(job jobcenter.Job) string {
	parts := []string{job.ID, job.Name, job.Description, string(job.Args)}
	if bytes.ContainsRune(job.Args, '\\') {
		// Escapes stand for what a person would type, such as "&&".
		var value any
		if json.Unmarshal(job.Args, &value) == nil {
			parts = appendStrings(parts, value)
		}
	}
	return strings.ToLower(strings.Join(append(parts, job.Tags...), "\n"))
}

// appendStrings appends all strings in a JSON value.
func appendStrings(list []string, value any) []string {
	switch value := value.(type) {
	case string:
		return append(list, value)
	case []any:
		for _, element := range value {
			list = appendStrings(list, element)
		}
	case map[string]any:
		for key, element := range value {
			list = appendStrings(append(list, key), element)
		}
	}
	return list
}

// text is a string as the server takes it.
func text(s string) string { return strings.ToValidUTF8(s, "\uFFFD") }

func raw(s string) json.RawMessage {
	if s == "" {
		return nil
	}
	return json.RawMessage(s)
}

// micros is how an instant is stored; none comes before all others.
func micros(t time.Time) int64 { return t.UnixMicro() }

// microsUp is the first stored instant at or after t, for bounds.
func microsUp(t time.Time) int64 {
	us := t.UnixMicro()
	if t.Nanosecond()%1000 != 0 {
		us++
	}
	return us
}

func optional(t time.Time) *int64 {
	if t.IsZero() {
		return nil
	}
	us := micros(t)
	return &us
}

// given is the other way.
func given(us *int64) time.Time {
	if us == nil {
		return time.Time{}
	}
	return instant(*us)
}

func instant(us int64) time.Time { return time.UnixMicro(us).UTC() }

// kept is an instant as the store keeps it.
func kept(t time.Time) time.Time {
	if t.IsZero() {
		return time.Time{}
	}
	return instant(micros(t))
}

// runKept is a run as the store keeps it.
func runKept(run jobcenter.Run) jobcenter.Run {
	d := docOf(run, 1)
	return d.run()
}

// clone copies what a change may write to.
func (d *jobDoc) clone() *jobDoc {
	c := *d
	c.Past, c.Active, c.Tags = slices.Clone(d.Past), slices.Clone(d.Active), slices.Clone(d.Tags)
	return &c
}
