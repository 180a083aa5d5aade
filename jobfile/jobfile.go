// Package jobfile writes jobs to files and reads them back, as JSON or YAML:
// for backups, for review beside the code, and to move jobs from one store to
// another together with Scheduler.Export and Scheduler.Import.
//
// A file is one object:
//
//	version: 1
//	jobs:
//	- id: nightly
//	  task: backup
//	  trigger: 'crontab "30 2 * * *" timezone=Asia/Shanghai'
//	  retry:
//	    attempts: 3
//	    delay: 1m
//
// Keys are those of a job's JSON form, see [jobcenter.Job.MarshalJSON]; a
// trigger is its JSON form or one line of text. Durations are Go text such as
// "1m30s", instants RFC 3339.
package jobfile

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/jobcenter-go/jobcenter"
)

// Format is how a file is written.
type Format string

// The formats.
const (
	JSON Format = "json"
	YAML Format = "yaml"
)

// version is that of the form of a file.
const version = 1

// MaxSize is how long a file may be, in bytes.
const MaxSize = 64 << 20

// Options say how jobs are written. The zero value: their definitions only.
type Options struct {
	// State writes what the engine keeps as well: version, next fire time,
	// what runs carried, and so on. Import takes it with KeepState.
	State bool
}

// Write writes jobs. It fails for a job with a Func, and for one whose
// trigger package trigger does not know; then part of the file may be written.
func Write(w io.Writer, format Format, jobs []jobcenter.Job, opts Options) error {
	file := struct {
		Version int               `json:"version"`
		Jobs    []json.RawMessage `json:"jobs"`
	}{version, make([]json.RawMessage, len(jobs))}
	for i, job := range jobs {
		if !opts.State {
			job = definition(job)
		}
		raw, err := json.Marshal(job)
		if err != nil {
			return fmt.Errorf("jobfile: %w", err)
		}
		file.Jobs[i] = raw
	}
	text, err := json.MarshalIndent(file, "", "  ")
	if err != nil {
		return fmt.Errorf("jobfile: %w", err)
	}
	switch format {
	case JSON:
		text = append(text, '\n')
	case YAML:
		if text, err = toYAML(text); err != nil {
			return fmt.Errorf("jobfile: %w", err)
		}
	default:
		return unknownFormat(format)
	}
	if _, err := w.Write(text); err != nil {
		return fmt.Errorf("jobfile: %w", err)
	}
	return nil
}

// definition is a job without what the engine keeps.
func definition(job jobcenter.Job) jobcenter.Job {
	job.Version, job.Quarantine, job.Carried, job.LastResult = 0, "", nil, nil
	job.NextFireTime, job.PreviousFireTime, job.CreatedAt, job.UpdatedAt = time.Time{}, time.Time{}, time.Time{}, time.Time{}
	return job
}

// Read reads what Write wrote, or a person. An unknown key, a wrong type and a
// trigger that is none are errors that name the job. Whether a job's task and
// the like exist is for Scheduler.Import to say.
func Read(r io.Reader, format Format) ([]jobcenter.Job, error) {
	text, err := io.ReadAll(io.LimitReader(r, MaxSize+1))
	if err != nil {
		return nil, fmt.Errorf("jobfile: %w", err)
	}
	if len(text) > MaxSize {
		return nil, fmt.Errorf("jobfile: the file is longer than %d bytes", MaxSize)
	}
	switch format {
	case JSON:
	case YAML:
		if text, err = fromYAML(text); err != nil {
			return nil, fmt.Errorf("jobfile: %w", err)
		}
	default:
		return nil, unknownFormat(format)
	}
	var file struct {
		Version int               `json:"version"`
		Jobs    []json.RawMessage `json:"jobs"`
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&file); err != nil {
		return nil, fmt.Errorf("jobfile: %w", err)
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("jobfile: there is more after the end of the file's object")
	}
	if file.Version != version {
		return nil, fmt.Errorf("jobfile: version %d, allowed: %d", file.Version, version)
	}
	jobs := make([]jobcenter.Job, len(file.Jobs))
	for i, raw := range file.Jobs {
		if err := json.Unmarshal(raw, &jobs[i]); err != nil {
			return nil, fmt.Errorf("jobfile: %s: %w", nameOf(raw, i), err)
		}
		if job := &jobs[i]; job.Trigger == nil {
			return nil, fmt.Errorf("jobfile: %s: %s", nameOf(raw, i), job.Quarantine)
		}
	}
	return jobs, nil
}

// nameOf names a job that could not be read.
func nameOf(raw json.RawMessage, i int) string {
	var named struct {
		ID string `json:"id"`
	}
	if json.Unmarshal(raw, &named) == nil && named.ID != "" {
		return fmt.Sprintf("job %q", named.ID)
	}
	return fmt.Sprintf("job %d", i+1)
}

func unknownFormat(format Format) error {
	return fmt.Errorf("jobfile: format %q, allowed: json, yaml", format)
}
