//go:build unix

package process

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/jobcenter-go/jobcenter"
	"github.com/jobcenter-go/jobcenter/executor/executortest"
)

// TasksOfTests are what the children of the tests can do. Arguments are a text.
func TasksOfTests() map[string]jobcenter.Task {
	tasks := executortest.Tasks()
	for name, do := range map[string]func(ctx context.Context, run *jobcenter.RunContext, how string) error{
		"environment": environment,
		"identity":    identity,
		"die":         die,
		"carry":       carryAndDie,
		"print":       printFromElsewhere,
		"deaf":        deaf,
		"heed":        heedTerm,
		"start":       startProcess,
		"count":       count,
		"leak":        leak,
		"fail":        func(_ context.Context, _ *jobcenter.RunContext, text string) error { return errors.New(text) },
		"nothing":     func(context.Context, *jobcenter.RunContext, string) error { return nil },
		"ownTrigger":  ownTrigger,
		"relay":       relay,
		"chatter":     chatter,
		"giveUp":      giveUp,
	} {
		tasks[name] = jobcenter.NewTask(do)
	}
	return tasks
}

func environment(_ context.Context, run *jobcenter.RunContext, _ string) error {
	fmt.Fprintln(run.Stdout, strings.Join(slices.Sorted(slices.Values(os.Environ())), "\n"))
	return nil
}

// identity tells the ids of the process, its group, its session, and what
// stdin is.
func identity(_ context.Context, run *jobcenter.RunContext, _ string) error {
	session, err := unix.Getsid(0)
	if err != nil {
		return err
	}
	input, err := io.ReadAll(os.Stdin)
	if err != nil {
		return err
	}
	_, terminal := os.Open("/dev/tty")
	return run.SetResult([]any{os.Getpid(), unix.Getpgrp(), session, len(input), terminal != nil, len(os.Args)})
}

// die ends the process, in any of many ways.
func die(_ context.Context, run *jobcenter.RunContext, how string) error {
	fmt.Fprintln(run.Stdout, "alive")
	if code, ok := map[string]int{"exit 0": 0, "exit 3": 3, "exit 255": 255}[how]; ok {
		os.Exit(code)
	}
	if sig, ok := strings.CutPrefix(how, "kill "); ok {
		if err := unix.Kill(os.Getpid(), unix.SignalNum(sig)); err != nil {
			return err
		}
		select {}
	}
	switch how {
	case "panic":
		go func() { panic("boom\nof a goroutine") }()
	case "panic with an error":
		go func() { panic(fmt.Errorf("boom: %w", io.EOF)) }()
	case "nil pointer":
		go func() {
			var p *jobcenter.Run
			p.ID = "x"
		}()
	case "stack overflow":
		debug.SetMaxStack(1 << 20)
		var deeper func(int) int
		deeper = func(n int) int { return deeper(n+1) + 1 }
		deeper(0)
	case "fatal error":
		new(sync.Mutex).Unlock()
	default:
		return fmt.Errorf("do not know how to %s", how)
	}
	select {}
}

func carryAndDie(ctx context.Context, run *jobcenter.RunContext, how string) error {
	var carried int
	if err := errors.Join(run.Carried(&carried), run.Carry(carried+1), run.SetResult("half")); err != nil {
		return err
	}
	return die(ctx, run, how)
}

// printFromElsewhere prints around the RunContext.
func printFromElsewhere(ctx context.Context, run *jobcenter.RunContext, _ string) error {
	fmt.Fprintln(run.Stdout, "task")
	fmt.Println("program")
	if _, err := syscall.Write(1, []byte("system call\n")); err != nil {
		return err
	}
	println("runtime")
	cmd := exec.CommandContext(ctx, "/bin/sh", "-c", "echo child; echo error >&2")
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	return cmd.Run()
}

// chatter prints as much as a pipe holds.
func chatter(_ context.Context, run *jobcenter.RunContext, _ string) error {
	fmt.Fprintln(run.Stdout, os.Getpid())
	_, err := io.WriteString(run.Stdout, strings.Repeat("x", 50_000)+"\nlast words\n")
	return err
}

// deaf does not heed the end of its context.
func deaf(_ context.Context, run *jobcenter.RunContext, how string) error {
	fmt.Fprintln(run.Stdout, os.Getpid())
	if how == "stopped" {
		if err := unix.Kill(os.Getpid(), unix.SIGSTOP); err != nil {
			return err
		}
	}
	select {}
}

// heedTerm returns the cause with which its context ends.
func heedTerm(ctx context.Context, run *jobcenter.RunContext, _ string) error {
	fmt.Fprintln(run.Stdout, os.Getpid())
	<-ctx.Done()
	return fmt.Errorf("asked to end: %w", context.Cause(ctx))
}

// startProcess leaves a process behind, and tells its id.
func startProcess(_ context.Context, run *jobcenter.RunContext, how string) error {
	cmd := exec.Command("sleep", "1000") //nolint:noctx // it outlives the task
	if strings.Contains(how, "session") {
		cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	}
	if strings.Contains(how, "output") {
		cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	fmt.Fprintln(run.Stdout, os.Getpid(), cmd.Process.Pid)
	if strings.Contains(how, "stay") {
		select {}
	}
	return nil
}

// leaked is what a task leaves in the memory of its process.
var leaked [][]byte //nolint:gochecknoglobals // that is what leaks are

// count tells how many runs its process has carried out.
func count(_ context.Context, run *jobcenter.RunContext, _ string) error {
	leaked = append(leaked, nil)
	return run.SetResult(len(leaked))
}

// leak takes memory until the process has no more.
func leak(_ context.Context, run *jobcenter.RunContext, _ string) error {
	fmt.Fprintln(run.Stdout, "leaking")
	limit := unix.Rlimit{Cur: 1 << 30, Max: 1 << 30}
	if err := unix.Setrlimit(unix.RLIMIT_AS, &limit); err != nil {
		return err
	}
	for {
		leaked = append(leaked, make([]byte, 16<<20))
	}
}

func ownTrigger(_ context.Context, run *jobcenter.RunContext, _ string) error {
	return run.SetResult(fmt.Sprintf("%v %q", run.Job.Trigger, run.Job.Quarantine))
}

// AsProgram says to TestMain that this process plays the program that dies.
const AsProgram = "PROCESS_TEST_PROGRAM"

// PlayProgram carries out one run for ever, as a scheduler would.
func PlayProgram() {
	pool, err := New(Options{})
	if err != nil {
		panic(err)
	}
	run := &jobcenter.RunContext{
		Job:    jobcenter.Job{Task: "start", Args: json.RawMessage(`"stay"`)},
		Stdout: os.Stdout, Stderr: os.Stderr,
	}
	panic(pool.RunTask(context.Background(), nil, run))
}
