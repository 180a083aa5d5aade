package process

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/jobcenter-go/jobcenter"
)

// eventually waits until ok is true.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	late := time.After(time.Minute)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-late:
			t.Fatalf("not within a minute: %s", what)
		}
	}
}

// alive tells whether a process is there and no zombie.
func alive(pid int) bool {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	rest := data[bytes.LastIndexByte(data, ')')+1:]
	return err == nil && !bytes.HasPrefix(rest, []byte(" Z")) && !bytes.HasPrefix(rest, []byte(" X"))
}

// Not parallel: other tests' children might hold a file of theirs for a moment.
func TestNoFilesInherited(t *testing.T) {
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	fd, err := syscall.Open(secret, syscall.O_RDONLY, 0) // without O_CLOEXEC, as a library in C may
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = syscall.Close(fd) }()
	r := newRun(t, "start", "stay output") // a process that the task starts
	_, _ = r.begin(t, newPool(t, Options{KillGrace: time.Millisecond}))
	pids := r.out.pids(t)
	for i, most := range []int{crashFile, 2} {
		files, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pids[i]))
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			target, err := os.Readlink(fmt.Sprintf("/proc/%d/fd/%s", pids[i], file.Name()))
			if err != nil {
				continue // closed since
			}
			var fd int
			if _, err := fmt.Sscan(file.Name(), &fd); err != nil {
				t.Fatal(err)
			}
			// Beyond are those that Go's runtime has for itself, which are
			// closed in what it starts, and its copy of the crash file.
			own := i == 0 && (strings.HasPrefix(target, "anon_inode:") || strings.HasPrefix(target, "pipe:") || strings.HasPrefix(target, "/sys/fs/cgroup/"))
			if target == secret || fd > most && !own {
				t.Errorf("process %d has file %d: %s", i, fd, target)
			}
		}
	}
}

// Nobody else on the machine sees the arguments.
func TestArgumentsAreNotShown(t *testing.T) {
	t.Parallel()
	r := newRun(t, "deaf", "SECRET")
	cancel, _ := r.begin(t, newPool(t, Options{KillGrace: time.Millisecond}))
	defer cancel(nil)
	pid := r.out.pids(t)[0]
	for _, name := range []string{"cmdline", "environ"} {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/%s", pid, name))
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(text, []byte("SECRET")) {
			t.Errorf("%s of the child shows the arguments: %q", name, text)
		}
	}
}

func TestLeftBehind(t *testing.T) {
	t.Parallel()
	pool := newPool(t, Options{OutputGrace: 200 * time.Millisecond})
	for how, test := range map[string]struct {
		stays bool
		note  string
	}{
		"in the group":                         {false, ""},
		"in the group, with the output":        {false, ""},
		"in its own session":                   {true, ""},
		"in its own session, with the output ": {true, "process: processes that the task left behind hold the run's output open; it is not read any more\n"},
	} {
		t.Run(how, func(t *testing.T) {
			t.Parallel()
			r := newRun(t, "start", how)
			if err := pool.RunTask(t.Context(), nil, r.RunContext); err != nil {
				t.Fatal(err)
			}
			pid := r.out.pids(t)[1]
			defer func() { _ = unix.Kill(pid, unix.SIGKILL) }()
			if test.stays != alive(pid) {
				eventually(t, "the process is gone", func() bool { return !test.stays && !alive(pid) })
			}
			if got := r.errOut.String(); got != test.note {
				t.Errorf("stderr = %q, want %q", got, test.note)
			}
		})
	}
}

// gate is a writer that lets nothing through until it is opened.
type gate struct {
	*buffer

	first chan []byte // what came first
	open  chan struct{}
}

func (g gate) Write(p []byte) (int, error) {
	select {
	case g.first <- bytes.Clone(p):
	default:
	}
	<-g.open
	return g.buffer.Write(p)
}

// A store that cannot keep up loses nothing of what a child wrote before it
// ended, however long ago that was.
func TestSlowOutput(t *testing.T) {
	t.Parallel()
	r := newRun(t, "chatter", "")
	g := gate{r.out, make(chan []byte, 1), make(chan struct{})}
	r.Stdout = g
	_, ended := r.begin(t, newPool(t, Options{OutputGrace: time.Nanosecond}))
	var pid int
	if _, err := fmt.Sscan(string(<-g.first), &pid); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the child has ended", func() bool { return !alive(pid) })
	close(g.open)
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if got := r.out.String(); !strings.HasSuffix(got, "\nlast words\n") || len(got) < 50_000 {
		t.Errorf("%d bytes of output, want all", len(got))
	}
}

// What the task started is killed with it, when it does not heed SIGTERM.
func TestEndedWithItsProcesses(t *testing.T) {
	t.Parallel()
	r := newRun(t, "start", "stay")
	cancel, ended := r.begin(t, newPool(t, Options{KillGrace: 100 * time.Millisecond}))
	pids := r.out.pids(t)
	cancel(jobcenter.ErrTimeout)
	if err := <-ended; !errors.Is(err, jobcenter.ErrTimeout) {
		t.Errorf("error = %v, want ErrTimeout", err)
	}
	eventually(t, "both are gone", func() bool { return !alive(pids[0]) && !alive(pids[1]) })
}

func TestNothingOutlivesTheProgram(t *testing.T) {
	t.Parallel()
	program := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^$")
	program.Env = append(os.Environ(), AsProgram+"=1")
	out := &buffer{more: make(chan struct{}, 1)}
	program.Stdout, program.Stderr = out, os.Stderr
	if err := program.Start(); err != nil {
		t.Fatal(err)
	}
	pids := out.pids(t)
	for _, pid := range pids {
		if !alive(pid) {
			t.Fatalf("process %d has died before the program", pid)
		}
	}
	if err := program.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = program.Wait()
	eventually(t, fmt.Sprintf("the child and what it started, %v, are gone", pids), func() bool { return !alive(pids[0]) && !alive(pids[1]) })
}

// The program's file may be replaced while it runs.
func TestProgramFileReplaced(t *testing.T) {
	t.Parallel()
	path, err := ownProgram()
	if err != nil {
		t.Fatal(err)
	}
	self, err := os.Stat("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	if file, err := os.Stat(path); err != nil || !os.SameFile(file, self) || strings.HasPrefix(path, "/proc/") {
		t.Errorf("the program is %s: %v", path, err)
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

// Not parallel: it counts what the whole process holds.
func TestManyLeaveNothing(t *testing.T) {
	pool := newPool(t, Options{Size: 10})
	if err := pool.RunTask(t.Context(), nil, newRun(t, "nothing", "").RunContext); err != nil { // the first one opens the poller
		t.Fatal(err)
	}
	files, routines := openFiles(t), runtime.NumGoroutine()
	var all sync.WaitGroup
	for i := range 30 {
		how := []string{"exit 3", "kill SIGKILL", "panic"}[i%3]
		all.Go(func() {
			if err := pool.RunTask(t.Context(), nil, newRun(t, "die", how).RunContext); err == nil {
				t.Errorf("run %d has succeeded", i)
			}
		})
	}
	all.Wait()
	if got := openFiles(t); got > files {
		t.Errorf("%d open files, were %d", got, files)
	}
	eventually(t, "the goroutines are gone", func() bool { return runtime.NumGoroutine() <= routines })
	var status syscall.WaitStatus
	if pid, err := syscall.Wait4(-1, &status, syscall.WNOHANG, nil); !errors.Is(err, syscall.ECHILD) {
		t.Errorf("a child is left: %d, %v", pid, err)
	}
}
