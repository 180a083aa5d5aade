//go:build unix

package process

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jobcenter-go/jobcenter"
	"github.com/jobcenter-go/jobcenter/trigger"
)

// The files of a child beside its output. Over orders come a request and
// then, if the run is to be ended, a failure that says why; it is closed when
// the parent dies. Over reports go reports, the first one as soon as Main is
// called. To crash the Go runtime writes its last words.
const (
	ordersFile = 3 + iota
	reportsFile
	crashFile
)

// request is what a child is to do.
type request struct {
	Job jobcenter.Job `json:"job"`
	// Quarantine is the job's, which decoding may change.
	Quarantine string        `json:"quarantine,omitempty"`
	Run        jobcenter.Run `json:"run"`
	Deadline   time.Time     `json:"deadline,omitzero"`
}

func newRequest(ctx context.Context, run *jobcenter.RunContext) ([]byte, error) {
	r := request{Job: run.Job, Quarantine: run.Job.Quarantine, Run: run.Run}
	if r.Job.Trigger != nil {
		if _, err := trigger.Marshal(r.Job.Trigger); err != nil { // a kind of the program's own
			r.Job.Trigger = nil
		}
	}
	r.Deadline, _ = ctx.Deadline()
	return json.Marshal(r)
}

// runContext is what the task is told.
func (r *request) runContext() *jobcenter.RunContext {
	run := &jobcenter.RunContext{Job: r.Job, Run: r.Run}
	run.Job.Quarantine = r.Quarantine
	return run
}

// report is how far a child has come, as a line of JSON.
type report struct {
	ExitCode *int            `json:"exit_code,omitempty"`
	Result   json.RawMessage `json:"result,omitempty"`
	Carried  json.RawMessage `json:"carried,omitempty"`
	Returned bool            `json:"returned,omitempty"`
	Error    *failure        `json:"error,omitempty"` // nil: the task returned nil
}

// maxText bounds the text of an error, and maxReport the line of a report:
// two values and four texts, each of whose bytes may take six.
const (
	maxText   = 64 << 10
	maxReport = jobcenter.MaxResult + jobcenter.MaxCarried + 4*6*maxText + 4<<10
)

// failure is an error on its way to another process: its text, and what a
// scheduler or a task asks about it.
type failure struct {
	Text       string         `json:"text"`
	Is         []string       `json:"is,omitempty"` // names of causes
	ExitCode   *int           `json:"exit_code,omitempty"`
	Signal     *signal        `json:"signal,omitempty"`
	Start      *string        `json:"start,omitempty"`
	Args       *string        `json:"args,omitempty"`
	Panic      *string        `json:"panic,omitempty"`
	NoRetry    bool           `json:"no_retry,omitempty"`
	RetryAfter *time.Duration `json:"retry_after,omitempty"`
}

type signal struct {
	Number int    `json:"number"`
	Name   string `json:"name"`
}

// causes are the errors that are known by identity, by name.
func causes() map[string]error {
	return map[string]error{
		"timeout":           jobcenter.ErrTimeout,
		"stopped":           jobcenter.ErrStopped,
		"shutdown":          jobcenter.ErrShutdown,
		"lost_run":          jobcenter.ErrLostRun,
		"canceled":          context.Canceled,
		"deadline_exceeded": context.DeadlineExceeded,
	}
}

// pack makes an error fit to be sent; nil stays nil.
func pack(err error) *failure {
	if err == nil {
		return nil
	}
	f := failure{Text: short(err.Error()), NoRetry: jobcenter.IsNoRetry(err)}
	for name, cause := range causes() {
		if errors.Is(err, cause) {
			f.Is = append(f.Is, name)
		}
	}
	if e, ok := errors.AsType[*jobcenter.ExitError](err); ok {
		f.ExitCode = &e.Code
	}
	if e, ok := errors.AsType[*jobcenter.SignalError](err); ok {
		f.Signal = &signal{e.Number, e.Name}
	}
	if e, ok := errors.AsType[*jobcenter.StartError](err); ok {
		f.Start = new(short(e.Err.Error()))
	}
	if e, ok := errors.AsType[*jobcenter.ArgsError](err); ok {
		f.Args = new(short(e.Err.Error()))
	}
	if e, ok := errors.AsType[*jobcenter.PanicError](err); ok {
		f.Panic = new(short(fmt.Sprint(e.Value)))
	}
	if delay, ok := jobcenter.RetryDelay(err); ok {
		f.RetryAfter = &delay
	}
	return &f
}

func short(text string) string {
	if len(text) > maxText {
		text = text[:maxText]
	}
	return strings.ToValidUTF8(text, "\uFFFD")
}

// unpack is the reverse of pack.
func (f *failure) unpack() error {
	if f == nil {
		return nil
	}
	sent := &sentError{text: f.Text}
	known := causes()
	for _, name := range f.Is {
		if cause := known[name]; cause != nil {
			sent.kinds = append(sent.kinds, cause)
		}
	}
	if f.ExitCode != nil {
		sent.kinds = append(sent.kinds, &jobcenter.ExitError{Code: *f.ExitCode})
	}
	if f.Signal != nil {
		sent.kinds = append(sent.kinds, &jobcenter.SignalError{Number: f.Signal.Number, Name: f.Signal.Name})
	}
	if f.Start != nil {
		sent.kinds = append(sent.kinds, &jobcenter.StartError{Err: errors.New(*f.Start)})
	}
	if f.Args != nil {
		sent.kinds = append(sent.kinds, &jobcenter.ArgsError{Err: errors.New(*f.Args)})
	}
	if f.Panic != nil {
		sent.kinds = append(sent.kinds, &jobcenter.PanicError{Value: *f.Panic})
	}
	var err error = sent
	if f.RetryAfter != nil {
		err = jobcenter.RetryAfter(err, *f.RetryAfter)
	}
	if f.NoRetry {
		err = jobcenter.NoRetry(err)
	}
	return err
}

// sentError is an error of another process.
type sentError struct {
	text  string
	kinds []error
}

func (e *sentError) Error() string   { return e.text }
func (e *sentError) Unwrap() []error { return e.kinds }
