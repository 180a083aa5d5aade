//go:build unix

// Package shell is the task that runs a command with /bin/sh.
//
// A job's arguments are a JSON object:
//
//	{"command": "make report", "directory": "/srv/reports", "environment": {"LEVEL": "3"}}
//
// # What the command gets
//
// It runs as /bin/sh -c COMMAND in a session, and so a process group, of its
// own; without a terminal, its standard input is /dev/null, and it inherits no
// other open file: on Linux, all files of the server are marked close-on-exec
// to that end, whoever opened them. The umask, the user and the resource
// limits are those of the server.
//
// The current folder is the job's directory or, without one, a fresh private
// folder for the run, which is removed with all its content when the run ends.
//
// Nothing of the server's own environment is handed on. The environment is
// what the job names, over this minimum:
//
//	PATH                 Options.Path
//	HOME USER LOGNAME    of the user that the server runs as
//	SHELL                /bin/sh
//	LANG                 C.UTF-8
//	JOBCENTER_JOB_ID     the job's id
//	JOBCENTER_RUN_ID     the run's id
//	JOBCENTER_FIRE_TIME  the nominal time of the run, RFC 3339 in UTC
//	JOBCENTER_ATTEMPT    the number of the attempt, from 1
//
// # How it ends
//
// A run succeeds when the shell exits with 0. Any other code is an
// *[jobcenter.ExitError], a signal from elsewhere a *[jobcenter.SignalError],
// and what kept the shell from starting a *[jobcenter.StartError].
//
// When the run's context ends, SIGTERM goes to the whole process group, and
// SIGKILL to what is left of it after Options.KillGrace. On Linux, so do
// descendants that moved to another group or session: they are known by the
// session of the shell, or by JOBCENTER_RUN_ID in their environment.
//
// The run is over when the shell has exited and its output is closed. A
// process in the background that still holds the output open gets
// Options.OutputGrace; then the process group is ended in the same way and
// the run fails. A process that is meant to outlive the run must say so by
// letting go of the output: daemon >/dev/null 2>&1 &
//
// # After a crash
//
// Each running command has a record in the folder processes of Options.Dir:
// process id, start time and boot id. When the server was killed,
// [Task.Recover] finds what it left behind by that record, or by
// JOBCENTER_RUN_ID where there is none, and ends it. It signals no process
// that it cannot prove to belong to the run. Both need Linux; elsewhere a
// command that outlived its server is left alone.
package shell

import (
	"errors"
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/jobcenter-go/jobcenter"
)

// DefaultPath is the PATH of commands if Options.Path is empty.
const DefaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// Options are what a Task is made of. Only Dir must be set.
type Options struct {
	// Dir is the folder for working folders and process records. It is made,
	// readable for its owner only, if it does not exist. No two tasks of
	// different servers may share it.
	Dir string
	// KillGrace is how long processes have between SIGTERM and SIGKILL. Zero
	// means 10 s.
	KillGrace time.Duration
	// OutputGrace is how long processes in the background may hold the
	// output open after the shell has exited. Zero means 2 s.
	OutputGrace time.Duration
	// Path is the PATH of commands. Empty means DefaultPath.
	Path string
}

// Task runs commands. Its methods are safe for concurrent use.
type Task struct {
	opts Options
	root *os.Root // Options.Dir
	user *user.User
}

var (
	_ jobcenter.Task      = (*Task)(nil)
	_ jobcenter.Validator = (*Task)(nil)
	_ jobcenter.Recoverer = (*Task)(nil)
)

// The folders in Options.Dir.
const (
	workFolder    = "work"      // a folder a run
	processFolder = "processes" // a record a run
)

// New makes a Task, and the folders that it needs.
func New(opts Options) (*Task, error) {
	if opts.Dir == "" {
		return nil, errors.New("shell: Options.Dir is empty")
	}
	if opts.KillGrace < 0 || opts.OutputGrace < 0 {
		return nil, errors.New("shell: a grace time is negative")
	}
	if strings.ContainsRune(opts.Path, 0) {
		return nil, errors.New("shell: Options.Path contains a NUL byte")
	}
	if opts.KillGrace == 0 {
		opts.KillGrace = 10 * time.Second
	}
	if opts.OutputGrace == 0 {
		opts.OutputGrace = 2 * time.Second
	}
	if opts.Path == "" {
		opts.Path = DefaultPath
	}
	var err error
	if opts.Dir, err = filepath.Abs(opts.Dir); err != nil {
		return nil, fmt.Errorf("shell: %w", err)
	}
	if err := os.MkdirAll(opts.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("shell: %w", err)
	}
	root, err := os.OpenRoot(opts.Dir)
	if err != nil {
		return nil, fmt.Errorf("shell: %w", err)
	}
	for _, folder := range []string{workFolder, processFolder} {
		if err := root.MkdirAll(folder, 0o700); err != nil {
			return nil, fmt.Errorf("shell: %w", errors.Join(err, root.Close()))
		}
	}
	owner, err := user.Current()
	if err != nil { // a user id without an account, as containers have
		owner = &user.User{Username: fmt.Sprint(os.Getuid()), HomeDir: "/"}
	}
	return &Task{opts: opts, root: root, user: owner}, nil
}

// checkRunID makes sure that an id can be a file name and is unique enough to
// know processes by.
func checkRunID(id string) error {
	if _, err := uuid.Parse(id); err != nil || len(id) != 36 {
		return fmt.Errorf("run id %.50q is not a UUID", id)
	}
	return nil
}
