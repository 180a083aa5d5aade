//go:build unix

package shell

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/jobcenter-go/jobcenter"
)

// Run carries out the command of run.Job and returns when it has ended; see
// the package documentation.
func (t *Task) Run(ctx context.Context, run *jobcenter.RunContext) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	args, err := parseArguments(run.Job.Args)
	if err == nil {
		err = checkRunID(run.Run.ID)
	}
	if err != nil {
		return &jobcenter.StartError{Err: err}
	}
	if args.directory == "" {
		if args.directory, err = t.makeFolder(run.Run.ID); err != nil {
			return &jobcenter.StartError{Err: err}
		}
		defer func() {
			if e := t.removeFolder(run.Run.ID); e != nil {
				_, _ = fmt.Fprintf(run.Stderr, "jobcenter: the working folder could not be removed: %v\n", e)
			}
		}()
	} else if info, err := os.Stat(args.directory); err != nil {
		return &jobcenter.StartError{Err: field("task.directory", "%w", err)}
	} else if !info.IsDir() {
		return &jobcenter.StartError{Err: field("task.directory", "%s is not a folder", args.directory)}
	}
	c, err := start(args, t.environment(args, run), run)
	if err != nil {
		return &jobcenter.StartError{Err: err}
	}
	// A record that cannot be written fails no run: recovery then finds the
	// process by its environment.
	_ = t.writeRecord(&c.family)
	defer t.removeRecord(run.Run.ID)
	return c.wait(ctx, &t.opts)
}

// environment is the whole environment of the command.
func (t *Task) environment(args arguments, run *jobcenter.RunContext) []string {
	env := []string{
		"PATH=" + t.opts.Path,
		"HOME=" + t.user.HomeDir,
		"USER=" + t.user.Username,
		"LOGNAME=" + t.user.Username,
		"SHELL=/bin/sh",
		"LANG=C.UTF-8",
		"JOBCENTER_JOB_ID=" + run.Job.ID,
		runIDVariable + run.Run.ID,
		"JOBCENTER_FIRE_TIME=" + run.Run.FireTime.UTC().Format(time.RFC3339Nano),
		"JOBCENTER_ATTEMPT=" + strconv.Itoa(run.Run.Attempt),
	}
	for name, value := range args.environment {
		env = append(env, name+"="+value) // the last of a name counts
	}
	return env
}

func (t *Task) makeFolder(runID string) (string, error) {
	name := filepath.Join(workFolder, runID)
	err := t.root.Mkdir(name, 0o700)
	if errors.Is(err, fs.ErrExist) { // an earlier attempt of the run left it
		err = errors.Join(t.removeFolder(runID), t.root.Mkdir(name, 0o700))
	}
	if err != nil {
		return "", fmt.Errorf("make the working folder: %w", err)
	}
	return filepath.Join(t.opts.Dir, name), nil
}

func (t *Task) removeFolder(runID string) error {
	name := filepath.Join(workFolder, runID)
	if t.root.Remove(name) == nil { // mostly it is empty
		return nil
	}
	err := t.root.RemoveAll(name)
	if !errors.Is(err, fs.ErrPermission) {
		return err
	}
	// The command may have taken away its own rights.
	_ = fs.WalkDir(t.root.FS(), name, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && entry.IsDir() {
			return t.root.Chmod(path, 0o700)
		}
		return nil
	})
	return t.root.RemoveAll(name)
}

// child is a command that has been started.
type child struct {
	cmd    *exec.Cmd
	family family
	// exited is closed once the shell has exited. Its process id is kept
	// until reap is called, so that its process group can be signalled.
	exited         chan struct{}
	stdout, stderr *stream
	copied         chan struct{} // closed once both streams have been copied
	noteCode       func(code int)
}

func start(args arguments, env []string, run *jobcenter.RunContext) (*child, error) {
	outR, outW, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	errR, errW, err := os.Pipe()
	if err != nil {
		return nil, errors.Join(err, outR.Close(), outW.Close())
	}
	cmd := &exec.Cmd{
		Path:        "/bin/sh",
		Args:        []string{"sh", "-c", args.command},
		Dir:         args.directory,
		Env:         env,
		Stdout:      outW,
		Stderr:      errW,
		SysProcAttr: &syscall.SysProcAttr{Setsid: true},
	}
	keepFiles()
	err = cmd.Start()
	_ = outW.Close()
	_ = errW.Close()
	if err != nil {
		return nil, errors.Join(err, outR.Close(), errR.Close())
	}
	c := &child{
		cmd:    cmd,
		family: newFamily(run.Run.ID, cmd.Process.Pid),
		exited: make(chan struct{}),
		stdout: &stream{from: outR, to: run.Stdout},
		stderr: &stream{from: errR, to: run.Stderr},
		copied: make(chan struct{}),

		noteCode: run.SetExitCode,
	}
	go func() {
		defer close(c.exited)
		awaitExit(cmd)
	}()
	go func() {
		defer close(c.copied)
		var both sync.WaitGroup
		both.Go(c.stdout.copy)
		both.Go(c.stderr.copy)
		both.Wait()
	}()
	return c, nil
}

// wait returns when the command has ended, or was ended because ctx did, and
// all its output has been written.
func (c *child) wait(ctx context.Context, opts *Options) error {
	defer c.close()
	select {
	case <-c.exited:
	case <-ctx.Done():
		return c.stop(ctx, opts)
	}
	c.setDeadline(time.Now().Add(opts.OutputGrace))
	select {
	case <-c.copied:
	case <-ctx.Done():
		return c.stop(ctx, opts)
	}
	var left string
	if c.stdout.held || c.stderr.held {
		c.family.groupOnly = true
		ended := c.family.end(context.WithoutCancel(ctx), c.exited, opts.KillGrace)
		left = fmt.Sprintf("processes in the background kept the output open for %s: %s", seconds(opts.OutputGrace), ended)
		c.stdout.drain()
		c.stderr.drain()
		if c.stdout.held || c.stderr.held {
			left += "; others still do, and are not listened to any more"
		}
	}
	err := c.reap()
	switch {
	case left == "":
	case err == nil:
		err = errors.New("exit code 0, but " + left)
	default:
		err = fmt.Errorf("%w, and %s", err, left)
	}
	return errors.Join(err, c.outputError())
}

// stop ends the command and all its descendants.
func (c *child) stop(ctx context.Context, opts *Options) error {
	ended := c.family.end(context.WithoutCancel(ctx), c.exited, opts.KillGrace)
	c.setDeadline(time.Now()) // nobody is left who could write
	<-c.copied
	return errors.Join(fmt.Errorf("%w: %s", context.Cause(ctx), ended), c.outputError())
}

func (c *child) setDeadline(at time.Time) {
	_ = c.stdout.from.SetReadDeadline(at)
	_ = c.stderr.from.SetReadDeadline(at)
}

func (c *child) outputError() error {
	if err := errors.Join(c.stdout.err, c.stderr.err); err != nil {
		return fmt.Errorf("output was lost: %w", err)
	}
	return nil
}

// close frees what the child holds. A shell that not even SIGKILL could end
// is reaped when it does.
func (c *child) close() {
	_ = c.stdout.from.Close()
	_ = c.stderr.from.Close()
	select {
	case <-c.exited:
		_ = c.reap()
	default:
		c.noteCode = func(int) {} // the run will have ended by then
		go func() {
			<-c.exited
			_ = c.reap()
		}()
	}
}

// reap frees the process id of the shell, which has exited, and says how it did.
func (c *child) reap() error {
	if c.cmd.ProcessState == nil {
		_ = c.cmd.Wait() // says nothing that ProcessState does not
	}
	switch status, ok := c.cmd.ProcessState.Sys().(syscall.WaitStatus); {
	case ok && status.Signaled():
		c.noteCode(128 + int(status.Signal())) // as a shell would say it
		return &jobcenter.SignalError{Number: int(status.Signal()), Name: unix.SignalName(status.Signal())}
	case !c.cmd.ProcessState.Success():
		c.noteCode(c.cmd.ProcessState.ExitCode())
		return &jobcenter.ExitError{Code: c.cmd.ProcessState.ExitCode()}
	default:
		c.noteCode(0)
		return nil
	}
}
