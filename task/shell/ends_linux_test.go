package shell

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jobcenter-go/jobcenter"
)

// pids reads the process ids in the first line of the output.
func (b *buffer) pids(t *testing.T) []int {
	t.Helper()
	var pids []int
	for field := range strings.FieldsSeq(b.line(t)) {
		pid, err := strconv.Atoi(field)
		if err != nil {
			t.Fatal(err)
		}
		pids = append(pids, pid)
	}
	return pids
}

func alive(pid int) bool {
	s, ok := readStat(pid)
	return ok && !s.dead
}

func checkGone(t *testing.T, pids []int) {
	t.Helper()
	for _, pid := range pids {
		if alive(pid) {
			t.Errorf("process %d is still there", pid)
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
	}
}

// deaf is a shell text that ignores SIGTERM; so do the processes it starts.
const deaf = "trap '' TERM; "

// detached starts a process in a session of its own, which no signal to the
// group reaches. It names the shell and itself.
const detached = "S=$$ setsid sh -c 'echo $S $$; exec sleep 1000' & "

func TestContextEnds(t *testing.T) {
	t.Parallel()
	const quick, patient = 300 * time.Millisecond, time.Minute
	tests := map[string]struct {
		command string // its first line names the processes that must go
		grace   time.Duration
		want    string // of the error, after the cause; PID is the shell's
	}{
		"plain":                {"echo $$; exec sleep 1000", patient, `process group PID ended by SIGTERM after \d\.\d s`},
		"in the foreground":    {"echo $$; sleep 1000; echo more", patient, `process group PID ended by SIGTERM after \d\.\d s`},
		"exits well":           {"trap 'exit 0' TERM; S=$$ sh -c 'echo $S $$; exec sleep 1000' & wait", patient, `process group PID ended by SIGTERM after \d\.\d s`},
		"ignores SIGTERM":      {deaf + "echo $$; sleep 1000; sleep 1000", quick, `process group PID ignored SIGTERM and was ended by SIGKILL after \d\.\d s`},
		"stopped":              {"echo $$; kill -STOP $$", quick, `process group PID ignored SIGTERM and was ended by SIGKILL after \d\.\d s`},
		"grandchildren":        {"sleep 1000 & a=$!; (sleep 1000 & echo $$ " + "$a $!; wait)", patient, `process group PID ended by SIGTERM after \d\.\d s`},
		"deaf grandchild":      {"S=$$ sh -c 'trap \"\" TERM; echo $S $$; exec sleep 1000' & exec sleep 1000", quick, `process group PID ignored SIGTERM and was ended by SIGKILL after \d\.\d s`},
		"another group":        {"set -m; sleep 1000 & echo $$ $!; wait", patient, `process group PID ended by SIGTERM after \d\.\d s`},
		"another session":      {detached + "wait", patient, `process group PID ended by SIGTERM after \d\.\d s`},
		"deaf other session":   {deaf + detached + "wait", quick, `process group PID ignored SIGTERM and was ended by SIGKILL after \d\.\d s`},
		"orphan, own session":  {"(" + detached + "); sleep 1000", patient, `process group PID ended by SIGTERM after \d\.\d s`},
		"without environment":  {"env -i sleep 1000 & echo $$ $!; wait", patient, `process group PID ended by SIGTERM after \d\.\d s`},
		"has closed its pipes": {"echo $$; exec >/dev/null 2>&1; sleep 1000", patient, `process group PID ended by SIGTERM after \d\.\d s`},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := begin(t, newTask(t, Options{KillGrace: test.grace}), command(test.command))
			pids := a.out.pids(t)
			if strings.Contains(test.command, "STOP") {
				eventually(t, "the shell is stopped", func() bool {
					data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pids[0]))
					return err == nil && strings.Contains(string(data), ") T ")
				})
			}
			a.cancel(jobcenter.ErrTimeout)
			err := a.ended(t)
			if !errors.Is(err, jobcenter.ErrTimeout) {
				t.Errorf("error = %v, want ErrTimeout", err)
			}
			want := "^time limit reached: " + strings.ReplaceAll(test.want, "PID", strconv.Itoa(pids[0])) + "$"
			if !regexp.MustCompile(want).MatchString(fmt.Sprint(err)) {
				t.Errorf("error = %q, want %q", err, want)
			}
			checkGone(t, pids)
		})
	}
}

// What is written while the command is being ended is kept.
func TestLastWords(t *testing.T) {
	t.Parallel()
	a := begin(t, newTask(t, Options{}), command("trap 'echo cleaned up; exit 1' TERM; sh -c 'echo $$; exec sleep 1000' & wait"))
	a.out.line(t)
	a.cancel(jobcenter.ErrStopped)
	if err := a.ended(t); !errors.Is(err, jobcenter.ErrStopped) {
		t.Errorf("error = %v, want ErrStopped", err)
	}
	if got := a.out.String(); !strings.HasSuffix(got, "\ncleaned up\n") {
		t.Errorf("output = %q, want the last words", got)
	}
}

func TestBackground(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		command string
		want    string
		stays   bool // whether the process in the background is let alone
	}{
		"holds the output": {
			"sleep 1000 & echo $!; echo bye",
			`exit code 0, but processes in the background kept the output open for 0\.2 s: process group \d+ ended by SIGTERM after \d\.\d s`, false,
		},
		"holds stderr": {
			"sleep 1000 >/dev/null & echo $!; exit 7",
			`exit code 7, and processes in the background kept the output open for 0\.2 s: process group \d+ ended by SIGTERM after \d\.\d s`, false,
		},
		"goes on writing": {
			"echo $$; while :; do echo x; done & exit 0",
			`exit code 0, but processes in the background kept the output open for 0\.2 s: process group \d+ ended by SIGTERM after \d\.\d s`, false,
		},
		"is deaf": {
			deaf + "sleep 1000 & echo $!",
			`exit code 0, but processes in the background kept the output open for 0\.2 s: process group \d+ ignored SIGTERM and was ended by SIGKILL after \d\.\d s`, false,
		},
		"has let go of the output": {"sleep 1000 >/dev/null 2>&1 & echo $!", `<nil>`, true},
		"holds it in a session of its own": {
			"setsid sleep 1000 & echo $!",
			`exit code 0, but processes in the background kept the output open for 0\.2 s: process group \d+ ended by SIGTERM after \d\.\d s; others still do, and are not listened to any more`, true,
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := begin(t, newTask(t, Options{KillGrace: 300 * time.Millisecond, OutputGrace: 200 * time.Millisecond}), command(test.command))
			pids := a.out.pids(t)
			if err := a.ended(t); !regexp.MustCompile("^" + test.want + "$").MatchString(fmt.Sprint(err)) {
				t.Errorf("error = %q, want %q", err, test.want)
			}
			if test.stays {
				if !alive(pids[0]) {
					t.Errorf("process %d is gone", pids[0])
				}
				_ = syscall.Kill(pids[0], syscall.SIGKILL)
				return
			}
			checkGone(t, pids)
			if strings.Contains(test.command, "bye") && !strings.HasSuffix(a.out.String(), "bye\n") {
				t.Errorf("output = %q, want bye at its end", a.out.String())
			}
		})
	}
}

// A process that forks as fast as it can is ended as well.
func TestForkingAway(t *testing.T) {
	t.Parallel()
	text := deaf + `echo $$; n=0; while :; do setsid sleep 1000 & n=$((n+1)); [ $n -lt 200 ] || sleep 1000; done`
	a := begin(t, newTask(t, Options{KillGrace: 10 * time.Millisecond}), command(text))
	a.out.line(t)
	a.cancel(jobcenter.ErrStopped)
	if err := a.ended(t); !errors.Is(err, jobcenter.ErrStopped) || strings.Contains(err.Error(), "could not") {
		t.Errorf("error = %v, want ErrStopped and all ended", err)
	}
	f := family{runID: a.run.Run.ID}
	if left := f.members(); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
}

func openFiles(t *testing.T) int {
	t.Helper()
	files, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(files)
}

func zombies(t *testing.T) (pids []int) {
	t.Helper()
	all, err := processIDs()
	if err != nil {
		t.Fatal(err)
	}
	for _, pid := range all {
		data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if err == nil && strings.Contains(string(data), fmt.Sprintf(") Z %d ", os.Getpid())) {
			pids = append(pids, pid)
		}
	}
	return pids
}

// Not parallel: it counts what the whole process holds.
func TestManyAtOnceLeaveNothing(t *testing.T) {
	// Not less: children that are being started hold the others' pipes for a moment.
	task := newTask(t, Options{OutputGrace: 500 * time.Millisecond})
	if err := task.Run(t.Context(), newRun(command("true")).run); err != nil { // the first one opens the poller
		t.Fatal(err)
	}
	files, routines := openFiles(t), runtime.NumGoroutine()
	var all sync.WaitGroup
	for i := range 50 {
		all.Go(func() {
			a := newRun(command(fmt.Sprintf("echo out %d; echo err %[1]d >&2; [ %[1]d -ge 40 ] || sleep 0.1; [ %[1]d -lt 45 ] || sleep 1000 &", i)))
			err := task.Run(t.Context(), a.run)
			if i < 45 && err != nil || i >= 45 && err == nil {
				t.Errorf("run %d: %v", i, err)
			}
			if got, want := a.out.String()+a.errOut.String(), fmt.Sprintf("out %d\nerr %[1]d\n", i); got != want {
				t.Errorf("run %d: output = %q, want %q", i, got, want)
			}
		})
	}
	all.Wait()
	if pids := zombies(t); len(pids) > 0 {
		t.Errorf("zombies: %v", pids)
	}
	if got := openFiles(t); got > files {
		t.Errorf("%d open files, were %d", got, files)
	}
	eventually(t, "the goroutines are gone", func() bool { return runtime.NumGoroutine() <= routines })
	for _, folder := range []string{workFolder, processFolder} {
		if left, err := os.ReadDir(filepath.Join(task.opts.Dir, folder)); err != nil || len(left) > 0 {
			t.Errorf("left in %s: %v %v", folder, left, err)
		}
	}
}

// asServer says to TestMain that this process plays the server that dies.
const asServer = "SHELL_TEST_SERVER"

func TestMain(m *testing.M) {
	if dir := os.Getenv(asServer); dir != "" {
		serve(dir)
	}
	os.Exit(m.Run())
}

// serve runs one command for ever, as a server would.
func serve(dir string) {
	task, err := New(Options{Dir: dir})
	if err != nil {
		panic(err)
	}
	var run jobcenter.RunContext
	if err := json.NewDecoder(os.Stdin).Decode(&run); err != nil {
		panic(err)
	}
	run.Stdout, run.Stderr = os.Stdout, os.Stderr
	panic(task.Run(context.Background(), &run))
}

// die starts a command in a server, waits for its first line, and kills the
// server. It returns the process ids that the line named.
func die(t *testing.T, dir string, a *attempt) []int {
	t.Helper()
	server := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^$")
	server.Env = append(os.Environ(), asServer+"="+dir)
	input, err := json.Marshal(jobcenter.RunContext{Job: a.run.Job, Run: a.run.Run})
	if err != nil {
		t.Fatal(err)
	}
	server.Stdin = strings.NewReader(string(input))
	out := &buffer{more: make(chan struct{}, 1)}
	server.Stdout, server.Stderr = out, os.Stderr
	server.WaitDelay = time.Millisecond // the orphans do not have its output, but if they had
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	pids := out.pids(t)
	eventually(t, "the record is written", func() bool {
		_, err := os.Stat(filepath.Join(dir, recordName(a.run.Run.ID)))
		return err == nil
	})
	if err := server.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = server.Wait()
	t.Cleanup(func() {
		for _, pid := range pids {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
	})
	for _, pid := range pids[1:] {
		if !alive(pid) {
			t.Fatalf("process %d died with its server; nothing to recover", pid)
		}
	}
	return pids
}

func TestRecover(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		command string // its first line names the shell and the others
		damage  func(record string, pids []int) error
		gone    bool // whether damage ends the shell
		want    string
	}{
		"shell":           {"sh -c 'echo $PPID $$; exec sleep 1000'; :", nil, false, `^child processes PID, \d+ were still running and were ended with SIGTERM$`},
		"one process":     {"echo $$; exec sleep 1000", nil, false, `^child process PID was still running and was ended with SIGTERM$`},
		"ignores SIGTERM": {deaf + "sh -c 'echo $PPID $$; exec sleep 1000'; :", nil, false, `^child processes PID, \d+ were still running and were ended with SIGKILL after \d\.\d s$`},
		"own session":     {detached + "wait", nil, false, `^child processes PID, \d+ were still running and were ended with SIGTERM$`},
		"no environment":  {"env -i sleep 1000 & echo $$ $!; wait", nil, false, `^child processes PID, \d+ were still running and were ended with SIGTERM$`},
		"no record":       {"echo $$; exec sleep 1000", func(record string, _ []int) error { return os.Remove(record) }, false, `^child process PID was still running and was ended with SIGTERM$`},
		"broken record": {"echo $$; exec sleep 1000", func(record string, _ []int) error {
			return os.WriteFile(record, []byte(`{"pid":`), 0o600)
		}, false, `^child process PID was still running and was ended with SIGTERM$`},
		"shell is gone": {"sleep 1000 & echo $$ $!; wait", killShell, true, `^child process \d+ was still running and was ended with SIGTERM$`},
		"all gone":      {"echo $$; exec sleep 1000", killShell, true, `^no child process was found$`},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			task := newTask(t, Options{KillGrace: 300 * time.Millisecond})
			a := newRun(command(test.command))
			pids := die(t, task.opts.Dir, a)
			record := filepath.Join(task.opts.Dir, recordName(a.run.Run.ID))
			if test.damage != nil {
				if err := test.damage(record, pids); err != nil {
					t.Fatal(err)
				}
				eventually(t, "who was to go has gone", func() bool { return !test.gone || !alive(pids[0]) })
			}
			note, err := task.Recover(t.Context(), a.run.Run)
			if err != nil {
				t.Fatal(err)
			}
			if want := strings.ReplaceAll(test.want, "PID", strconv.Itoa(pids[0])); !regexp.MustCompile(want).MatchString(note) {
				t.Errorf("note = %q, want %q", note, want)
			}
			checkGone(t, pids)
			for _, folder := range []string{workFolder, processFolder} {
				if left, err := os.ReadDir(filepath.Join(task.opts.Dir, folder)); err != nil || len(left) > 0 {
					t.Errorf("left in %s: %v %v, want nothing", folder, left, err)
				}
			}
			if note, err := task.Recover(t.Context(), a.run.Run); err != nil || note != "no child process was found" {
				t.Errorf("second time: %q, %v, want nothing found", note, err)
			}
		})
	}
}

func killShell(_ string, pids []int) error { return syscall.Kill(pids[0], syscall.SIGKILL) }

// A process that has the number of a recorded one, but is another, is let alone.
func TestProcessIDUsedAgain(t *testing.T) {
	stranger := exec.CommandContext(t.Context(), "sleep", "1000")
	stranger.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := stranger.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = stranger.Process.Kill()
		_ = stranger.Wait()
	}()
	pid := stranger.Process.Pid
	s, ok := readStat(pid)
	if !ok {
		t.Fatal("no stat of a living process")
	}
	for name, r := range map[string]record{
		"started at another time": {PID: pid, Start: s.start - 1, Boot: bootID()},
		"another boot":            {PID: pid, Start: s.start, Boot: "5bd78134-0000-0000-0000-491d501f5516"},
		"no boot":                 {PID: pid, Start: s.start},
	} {
		t.Run(name, func(t *testing.T) {
			task := newTask(t, Options{KillGrace: time.Millisecond})
			run := newRun(command("true")).run.Run
			if err := task.writeRecord(&family{runID: run.ID, record: r}); err != nil {
				t.Fatal(err)
			}
			note, err := task.Recover(t.Context(), run)
			if err != nil || note != "no child process was found" {
				t.Errorf("note = %q, %v, want that nothing was found", note, err)
			}
			if !alive(pid) {
				t.Fatal("the stranger was ended")
			}
		})
	}
	// The process may also be replaced between the look and the signal.
	process{pid: pid, start: s.start - 1}.signal(syscall.SIGKILL)
	if !alive(pid) {
		t.Fatal("the stranger was ended")
	}
	process{pid: pid, start: s.start}.signal(syscall.SIGKILL)
	if err := stranger.Wait(); err == nil {
		t.Error("its own start time did not end it")
	}
}

// A record with ids that kill(2) takes for many processes proves nothing.
func TestRecordOfEverybody(t *testing.T) {
	t.Parallel()
	task := newTask(t, Options{})
	for _, pid := range []int{-1, 0, 1, os.Getpid()} {
		run := newRun(command("true")).run.Run
		if err := task.writeRecord(&family{runID: run.ID, record: record{PID: pid, Boot: bootID()}}); err != nil {
			t.Fatal(err)
		}
		if note, err := task.Recover(t.Context(), run); err != nil || note != "no child process was found" {
			t.Errorf("process id %d: %q, %v, want that nothing was found", pid, note, err)
		}
	}
}

// The name of a process may hold what separates the fields.
func TestReadStat(t *testing.T) {
	t.Parallel()
	program := filepath.Join(t.TempDir(), "a) Z 1 (b")
	sleep, err := os.ReadFile("/bin/sleep")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(program, sleep, 0o700); err != nil {
		t.Fatal(err)
	}
	a := begin(t, newTask(t, Options{}), map[string]any{"command": `echo $$; exec "$P" 1000`, "environment": map[string]string{"P": program}})
	pid := a.out.pids(t)[0]
	eventually(t, "the program runs", func() bool {
		name, _ := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid))
		return string(name) == "a) Z 1 (b\n"
	})
	if s, ok := readStat(pid); !ok || s.dead || s.group != pid || s.session != pid || s.start == 0 {
		t.Errorf("stat = %+v, %v, want group and session %d", s, ok, pid)
	}
}
