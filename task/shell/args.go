//go:build unix

package shell

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"github.com/jobcenter-go/jobcenter"
)

// maxString is the most that Linux takes as one argument or variable of a new
// process, its closing NUL left out.
const maxString = 128<<10 - 1

// arguments are what a job says about its command.
type arguments struct {
	command     string
	directory   string // empty: a fresh folder
	environment map[string]string
}

// ValidateArgs checks a job's arguments. Its error is a
// *jobcenter.FieldError. Whether the directory exists is not checked: it may
// be made before the job fires.
func (t *Task) ValidateArgs(args json.RawMessage) error {
	_, err := parseArguments(args)
	return err
}

func parseArguments(raw json.RawMessage) (arguments, error) {
	var args arguments
	var fields map[string]json.RawMessage
	if len(raw) > 0 {
		if err := json.Unmarshal(raw, &fields); err != nil {
			return args, field("task", "must be a JSON object with the field command")
		}
	}
	for _, key := range slices.Sorted(maps.Keys(fields)) {
		var err error
		switch value := fields[key]; key {
		case "command":
			err = decode(value, &args.command, "task.command", "a text")
		case "directory":
			err = decode(value, &args.directory, "task.directory", "a text")
		case "environment":
			err = decode(value, &args.environment, "task.environment", "an object of texts")
		default:
			err = field("task."+key, "unknown field; allowed are command, directory and environment")
		}
		if err != nil {
			return args, err
		}
	}
	return args, args.check()
}

func (a *arguments) check() error {
	switch {
	case strings.TrimSpace(a.command) == "":
		return field("task.command", "is missing or blank; give a command for /bin/sh")
	case strings.ContainsRune(a.command, 0):
		return field("task.command", "contains a NUL byte")
	case len(a.command) > maxString:
		return field("task.command", "is %d bytes long; at most %d are allowed", len(a.command), maxString)
	case strings.ContainsRune(a.directory, 0):
		return field("task.directory", "contains a NUL byte")
	case a.directory != "" && !filepath.IsAbs(a.directory):
		return field("task.directory", "is %q; must be an absolute path", a.directory)
	}
	for _, name := range slices.Sorted(maps.Keys(a.environment)) {
		value := a.environment[name]
		switch where := "task.environment." + name; {
		case !validName(name):
			return field("task.environment", "name %q; must be letters, digits and _, no digit first", name)
		case strings.HasPrefix(name, "JOBCENTER_"):
			return field(where, "names that begin with JOBCENTER_ are set by JobCenter")
		case strings.ContainsRune(value, 0):
			return field(where, "contains a NUL byte")
		case len(name)+len("=")+len(value) > maxString:
			return field(where, "is %d bytes long with its name; at most %d are allowed",
				len(name)+len("=")+len(value), maxString)
		}
	}
	return nil
}

func validName(name string) bool {
	for i, c := range []byte(name) {
		letter := c == '_' || 'a' <= c|0x20 && c|0x20 <= 'z'
		if !letter && (i == 0 || c < '0' || c > '9') {
			return false
		}
	}
	return name != ""
}

func decode(raw json.RawMessage, into any, name, want string) error {
	if err := json.Unmarshal(raw, into); err != nil {
		given := "a value of another type"
		if mismatch, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
			given = "a " + mismatch.Value
		}
		return field(name, "must be %s, not %s", want, given)
	}
	return nil
}

func field(name, format string, args ...any) error {
	return &jobcenter.FieldError{Field: name, Err: fmt.Errorf(format, args...)}
}
