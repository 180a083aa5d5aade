//go:build unix

package process

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/jobcenter-go/jobcenter"
)

func supported() error { return nil }

// RunTask carries out the run's job in a child, which finds the task by the
// name that the job gives; see the package documentation.
func (p *Pool) RunTask(ctx context.Context, _ jobcenter.Task, run *jobcenter.RunContext) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	request, err := newRequest(ctx, run)
	if err != nil { // nor will it be possible at the next attempt
		return jobcenter.NoRetry(&jobcenter.StartError{Err: err})
	}
	a, err := p.start(request, run)
	if err != nil {
		return &jobcenter.StartError{Err: err}
	}
	return a.wait(ctx, &p.opts)
}

// attempt is a child that has been started, and what it says.
type attempt struct {
	run    *jobcenter.RunContext
	cmd    *exec.Cmd
	orders *os.File
	// ordered is closed once the request has been sent, or could not be.
	ordered chan struct{}
	// called is closed once the child has called Main, exited once it has
	// exited. It is not reaped before reap is called.
	called, exited chan struct{}
	// read is closed once all of the following have been read.
	read           chan struct{}
	stdout, stderr stream
	reports, crash *os.File
	last           report
	lastWords      string // of the Go runtime
}

// start starts a child.
func (p *Pool) start(request []byte, run *jobcenter.RunContext) (_ *attempt, err error) {
	path := p.program
	if path == "" {
		if path, err = ownProgram(); err != nil {
			return nil, err
		}
	}
	pipes, err := openPipes(5)
	if err != nil {
		return nil, err
	}
	orders, reports, crash, stdout, stderr := pipes[0], pipes[1], pipes[2], pipes[3], pipes[4]
	cmd := &exec.Cmd{
		Path:        path,
		Args:        os.Args[:min(1, len(os.Args))],
		Env:         append(slices.Clone(p.opts.Env), childVariable+"=1"),
		Stdout:      stdout.w,
		Stderr:      stderr.w,
		ExtraFiles:  []*os.File{orders.r, reports.w, crash.w}, // from ordersFile
		SysProcAttr: &syscall.SysProcAttr{Setsid: true},
	}
	keepFiles()
	if err := cmd.Start(); err != nil {
		closePipes(pipes)
		return nil, err
	}
	for _, theirs := range []*os.File{orders.r, reports.w, crash.w, stdout.w, stderr.w} {
		_ = theirs.Close()
	}
	a := &attempt{
		run: run, cmd: cmd,
		orders: orders.w, ordered: make(chan struct{}), called: make(chan struct{}), exited: make(chan struct{}), read: make(chan struct{}),
		stdout: stream{from: stdout.r, to: run.Stdout}, stderr: stream{from: stderr.r, to: run.Stderr, watched: true},
		reports: reports.r, crash: crash.r,
	}
	go func() {
		defer close(a.ordered)
		_, _ = a.orders.Write(request) // if it fails, the child is gone
	}()
	go func() {
		defer close(a.exited)
		awaitExit(cmd)
	}()
	go func() {
		defer close(a.read)
		var all sync.WaitGroup
		all.Go(a.stdout.copy)
		all.Go(a.stderr.copy)
		all.Go(a.readReports)
		all.Go(a.readLastWords)
		all.Wait()
	}()
	return a, nil
}

// ownProgram is a path of the file that this process runs, even if another
// one has taken its name since.
func ownProgram() (string, error) {
	path, err := os.Executable()
	if err != nil || runtime.GOOS != "linux" {
		return path, err
	}
	const running = "/proc/self/exe"
	is, err := os.Stat(running)
	if err != nil {
		return path, nil //nolint:nilerr // no /proc: the name must do
	}
	if named, err := os.Stat(path); err != nil || !os.SameFile(is, named) {
		return running, nil //nolint:nilerr // it has been removed
	}
	return path, nil
}

// pipe is a pipe whose ends no child inherits unasked.
type pipe struct{ r, w *os.File }

func openPipes(n int) ([]pipe, error) {
	pipes := make([]pipe, n)
	for i := range pipes {
		var err error
		if pipes[i].r, pipes[i].w, err = os.Pipe(); err != nil {
			closePipes(pipes[:i])
			return nil, err
		}
	}
	return pipes, nil
}

func closePipes(pipes []pipe) {
	for _, p := range pipes {
		_ = p.r.Close()
		_ = p.w.Close()
	}
}

// readReports takes down what the task tells, until the child has closed the
// pipe.
func (a *attempt) readReports() {
	lines := bufio.NewScanner(a.reports)
	lines.Buffer(nil, maxReport)
	for first := true; lines.Scan(); first = false {
		if first {
			close(a.called)
		}
		var r report
		if a.last.Returned || json.Unmarshal(lines.Bytes(), &r) != nil {
			continue // something that the task has left running, or cut off by the child's death
		}
		if a.last = r; r.ExitCode != nil {
			a.run.SetExitCode(*r.ExitCode)
		}
		// What is too large was refused in the child.
		if r.Result != nil {
			_ = a.run.SetResult(r.Result)
		}
		if r.Carried != nil {
			_ = a.run.Carry(r.Carried)
		}
	}
	_, _ = io.Copy(io.Discard, a.reports) // a line too long, which no child of ours sends
}

// readLastWords takes down the beginning of what the Go runtime says when it
// crashes. All of it is on stderr as well.
func (a *attempt) readLastWords() {
	const enough = 64 << 10
	text, _ := io.ReadAll(io.LimitReader(a.crash, enough))
	_, _ = io.Copy(io.Discard, a.crash)
	a.lastWords = string(text)
}

// wait returns when the child has ended, or was ended because ctx did, and all
// that it said has been read.
func (a *attempt) wait(ctx context.Context, opts *Options) error {
	defer a.close()
	limit := time.NewTimer(opts.StartLimit)
	defer limit.Stop()
	select {
	case <-a.called:
		select {
		case <-a.exited:
		case <-ctx.Done():
		}
	case <-a.exited:
	case <-ctx.Done():
	case <-limit.C:
	}
	var stopped error // how the child was ended from here
	select {
	case <-a.exited:
	default:
		if cause := context.Cause(ctx); cause != nil {
			stopped = fmt.Errorf("%w: %s", cause, a.stop(cause, opts.KillGrace))
		} else {
			stopped = &jobcenter.StartError{Err: fmt.Errorf("the program did not call process.Main within %s: %s", opts.StartLimit, a.kill(0))}
		}
	}
	// Before the child is reaped: its process group is nobody else's yet.
	a.signal(unix.SIGKILL)
	a.readTo(time.Now().Add(opts.OutputGrace))
	if a.stdout.held || a.stderr.held {
		a.note("processes that the task left behind hold the run's output open; it is not read any more")
	}
	return errors.Join(a.outcome(stopped), a.outputError())
}

// orderLimit is how long a child may take to take an order.
const orderLimit = time.Second

// stop ends the child: with the cause and SIGTERM, and with SIGKILL after the
// grace time. It says how it went.
func (a *attempt) stop(cause error, grace time.Duration) string {
	if why, err := json.Marshal(pack(cause)); err == nil {
		// A child that takes no orders must not hold us up.
		_ = a.orders.SetWriteDeadline(time.Now().Add(orderLimit))
		<-a.ordered
		_, _ = a.orders.Write(why)
	}
	began := time.Now()
	a.signal(unix.SIGTERM)
	if within(a.exited, grace) {
		return fmt.Sprintf("process %d ended by SIGTERM after %s", a.cmd.Process.Pid, seconds(time.Since(began)))
	}
	return "ignored SIGTERM, " + a.kill(time.Since(began))
}

// killWait is how long a process has to vanish after SIGKILL. Only one that
// hangs in the kernel takes longer.
const killWait = 5 * time.Second

// kill ends the child with SIGKILL and says how it went, after a time that was
// waited before.
func (a *attempt) kill(after time.Duration) string {
	a.signal(unix.SIGKILL)
	began := time.Now()
	if !within(a.exited, killWait) {
		return fmt.Sprintf("process %d is still there %s after SIGKILL", a.cmd.Process.Pid, seconds(time.Since(began)))
	}
	return fmt.Sprintf("process %d ended by SIGKILL after %s", a.cmd.Process.Pid, seconds(after+time.Since(began)))
}

// signal sends a signal to the child's process group.
func (a *attempt) signal(sig syscall.Signal) { _ = unix.Kill(-a.cmd.Process.Pid, sig) }

func within(done <-chan struct{}, limit time.Duration) bool {
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case <-done:
		return true
	case <-timer.C:
		return false
	}
}

func seconds(d time.Duration) string { return fmt.Sprintf("%.1f s", d.Seconds()) }

// readTo waits until all that the child said has been read, with what others
// say until then.
func (a *attempt) readTo(end time.Time) {
	for _, file := range []*os.File{a.stdout.from, a.stderr.from, a.reports, a.crash} {
		_ = file.SetReadDeadline(end)
	}
	<-a.read
}

// note writes a line of our own to the run's output.
func (a *attempt) note(text string) {
	if a.run.Stderr != nil {
		fmt.Fprintf(a.run.Stderr, "process: %s\n", text)
	}
}

// outcome is the run's error, once everything has been read.
func (a *attempt) outcome(stopped error) error {
	select {
	case <-a.exited:
	default:
		return stopped // and it is still there
	}
	status := a.reap()
	if a.last.Returned {
		return a.last.Error.unpack()
	}
	code := status.ExitStatus()
	if status.Signaled() {
		code = 128 + int(status.Signal()) // as a shell would say it
	}
	called := false
	select {
	case <-a.called:
		called = true
	default:
	}
	switch {
	case a.lastWords != "":
		return crashError(a.lastWords, a.stderr.fatal)
	case stopped != nil:
		a.run.SetExitCode(code)
		return stopped
	case !called && status.Signaled():
		return &jobcenter.StartError{Err: fmt.Errorf("ended by %s before the program called process.Main", unix.SignalName(status.Signal()))}
	case !called:
		return &jobcenter.StartError{Err: fmt.Errorf("exit code %d before the program called process.Main", code)}
	case status.Signaled():
		return &jobcenter.SignalError{Number: int(status.Signal()), Name: unix.SignalName(status.Signal())}
	case code == 0:
		a.run.SetExitCode(0)
		return errors.New("exit code 0 before the task returned")
	default:
		return &jobcenter.ExitError{Code: code}
	}
}

// crashError makes an error of what the Go runtime says when it crashes. Of a
// fatal error that is the stacks only; what it was is on stderr.
func crashError(text, fatal string) error {
	text = strings.TrimSpace(text)
	if value, ok := strings.CutPrefix(text, "panic: "); ok {
		value, _, _ = strings.Cut(value, "\n\ngoroutine ")
		value, _, _ = strings.Cut(value, "\n[signal ")
		return &jobcenter.PanicError{Value: strings.ReplaceAll(value, "\n\t", "\n")} // it indents what it prints
	}
	name, _, _ := strings.Cut(text, ": ")
	if number := unix.SignalNum(name); number != 0 {
		return &jobcenter.SignalError{Number: int(number), Name: name}
	}
	return &jobcenter.PanicError{Value: cmp.Or(fatal, "fatal error of the Go runtime")}
}

func (a *attempt) outputError() error {
	if err := errors.Join(a.stdout.err, a.stderr.err); err != nil {
		return fmt.Errorf("output was lost: %w", err)
	}
	return nil
}

// reap frees the process id of the child, which has exited, and says how it did.
func (a *attempt) reap() syscall.WaitStatus {
	if a.cmd.ProcessState == nil {
		_ = a.cmd.Wait() // says nothing that ProcessState does not
	}
	status, _ := a.cmd.ProcessState.Sys().(syscall.WaitStatus)
	return status
}

// close frees what the child holds. One that not even SIGKILL could end is
// reaped when it does.
func (a *attempt) close() {
	for _, file := range []*os.File{a.orders, a.stdout.from, a.stderr.from, a.reports, a.crash} {
		_ = file.Close()
	}
	<-a.ordered
	select {
	case <-a.exited:
	default:
		go func() {
			<-a.exited
			_ = a.reap()
		}()
	}
}
