//go:build unix

package process

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/jobcenter-go/jobcenter"
	"github.com/jobcenter-go/jobcenter/executor/executortest"
	"github.com/jobcenter-go/jobcenter/trigger"
)

// buffer is output that can be read while it is written.
type buffer struct {
	mu   sync.Mutex
	data bytes.Buffer
	// more is told of each write, without waiting.
	more chan struct{}
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.data.Write(p)
	select {
	case b.more <- struct{}{}:
	default:
	}
	return len(p), nil
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.data.String()
}

// pids waits for the first line of the output, and reads the process ids there.
func (b *buffer) pids(t *testing.T) []int {
	t.Helper()
	late := time.After(time.Minute)
	for {
		if line, _, ok := strings.Cut(b.String(), "\n"); ok {
			var pids []int
			for field := range strings.FieldsSeq(line) {
				var pid int
				if _, err := fmt.Sscan(field, &pid); err != nil {
					t.Fatal(err)
				}
				pids = append(pids, pid)
			}
			return pids
		}
		select {
		case <-b.more:
		case <-late:
			t.Fatal("no output within a minute")
		}
	}
}

// run is one run of a task.
type run struct {
	*jobcenter.RunContext

	out, errOut *buffer
}

func newRun(t *testing.T, task, how string) *run {
	t.Helper()
	args, err := jobcenter.Args(how)
	if err != nil {
		t.Fatal(err)
	}
	r := &run{out: &buffer{more: make(chan struct{}, 1)}, errOut: &buffer{more: make(chan struct{}, 1)}}
	r.RunContext = &jobcenter.RunContext{
		Job: jobcenter.Job{ID: "job", Task: task, Args: args}, Run: jobcenter.Run{ID: "run", Attempt: 1},
		Stdout: r.out, Stderr: r.errOut,
	}
	return r
}

// begin starts the run; it ends with the test at the latest.
func (r *run) begin(t *testing.T, pool *Pool) (cancel context.CancelCauseFunc, ended <-chan error) {
	t.Helper()
	ctx, cancel := context.WithCancelCause(t.Context())
	result := make(chan error, 1)
	var running sync.WaitGroup
	running.Go(func() { result <- pool.RunTask(ctx, nil, r.RunContext) })
	t.Cleanup(func() {
		cancel(errors.New("test is over"))
		running.Wait()
	})
	return cancel, result
}

func newPool(t *testing.T, opts Options) *Pool {
	t.Helper()
	if opts.Env == nil {
		// Under the race detector a process takes a second to exit, if not told otherwise.
		opts.Env = []string{"PATH=" + os.Getenv("PATH"), "GORACE=atexit_sleep_ms=0"}
	}
	pool, err := New(opts)
	if err != nil {
		t.Fatal(err)
	}
	return pool
}

// noteResult is the result, as JSON.
func (r *run) noteResult() string {
	_, result, _ := r.Outcome()
	return string(result)
}

func TestSuite(t *testing.T) {
	t.Parallel()
	open := func(t *testing.T) jobcenter.Runner {
		t.Helper()
		return newPool(t, Options{})
	}
	executortest.Run(t, func(t *testing.T) jobcenter.Executor {
		t.Helper()
		return open(t)
	}, executortest.Options{})
	executortest.RunRunner(t, open)
}

func TestDefaultSize(t *testing.T) {
	t.Parallel()
	if got := newPool(t, Options{}).Reserve(100); got != 5 {
		t.Errorf("a pool has %d places, want 5", got)
	}
	if got := newPool(t, Options{Size: 2}).Reserve(100); got != 2 {
		t.Errorf("a pool of size 2 has %d places", got)
	}
}

func TestOptions(t *testing.T) {
	t.Parallel()
	for name, opts := range map[string]Options{
		"size":         {Size: -1},
		"kill grace":   {KillGrace: -1},
		"output grace": {OutputGrace: -1},
		"start limit":  {StartLimit: -1},
		"no name":      {Env: []string{"=x"}},
		"no value":     {Env: []string{"SECRETTEXTWITHOUTNAME"}},
		"NUL":          {Env: []string{"A=\x00"}},
	} {
		_, err := New(opts)
		if err == nil {
			t.Errorf("%s: was taken", name)
		}
		if strings.Contains(fmt.Sprint(err), "SECRETTEXTWITHOUTNAME") {
			t.Errorf("%s: the error tells what may be a secret: %v", name, err)
		}
	}
}

func TestDeaths(t *testing.T) {
	t.Parallel()
	pool := newPool(t, Options{})
	type exit = *jobcenter.ExitError
	type signal = *jobcenter.SignalError
	type panicked = *jobcenter.PanicError
	is := func(err error) string {
		if e, ok := errors.AsType[exit](err); ok {
			return fmt.Sprint("exit ", e.Code)
		}
		if e, ok := errors.AsType[signal](err); ok {
			return fmt.Sprint("signal ", e.Number, " ", e.Name)
		}
		if e, ok := errors.AsType[panicked](err); ok {
			return fmt.Sprint("panic ", e.Value)
		}
		return "plain"
	}
	for how, want := range map[string]struct{ is, text, errOut string }{
		"exit 3":              {"exit 3", `^exit code 3$`, `^$`},
		"exit 255":            {"exit 255", `^exit code 255$`, `^$`},
		"exit 0":              {"plain", `^exit code 0 before the task returned$`, `^$`},
		"kill SIGKILL":        {"signal 9 SIGKILL", `^ended by SIGKILL$`, `^$`},
		"kill SIGHUP":         {"signal 1 SIGHUP", `^ended by SIGHUP$`, `^$`},
		"kill SIGQUIT":        {"signal 3 SIGQUIT", `^ended by SIGQUIT$`, `^SIGQUIT: quit\n(?s:.*)goroutine `},
		"kill SIGSEGV":        {"signal 11 SIGSEGV", `^ended by SIGSEGV$`, `SIGSEGV: segmentation violation\n(?s:.*)goroutine `},
		"panic":               {"panic boom\nof a goroutine", `^panic: boom\nof a goroutine$`, `^panic: boom\n\tof a goroutine\n\ngoroutine (?s:.*)process.die`},
		"panic with an error": {"panic boom: EOF", `^panic: boom: EOF$`, `^panic: boom: EOF\n\ngoroutine `},
		"nil pointer": {
			"panic runtime error: invalid memory address or nil pointer dereference",
			`^panic: runtime error: invalid memory address or nil pointer dereference$`, `^panic: (?s:.*)signal SIGSEGV(?s:.*)process.die`,
		},
		"stack overflow": {"panic fatal error: stack overflow", `^panic: fatal error: stack overflow$`, `\nfatal error: stack overflow\n`},
		"fatal error":    {"panic fatal error: sync: unlock of unlocked mutex", `^panic: fatal error: sync: unlock of unlocked mutex$`, `fatal error: sync: unlock of unlocked mutex\n`},
	} {
		t.Run(how, func(t *testing.T) {
			t.Parallel()
			r := newRun(t, "die", how)
			err := pool.RunTask(t.Context(), nil, r.RunContext)
			if got := is(err); got != want.is {
				t.Errorf("the error is %q, want %q", got, want.is)
			}
			if got := fmt.Sprint(err); !regexp.MustCompile(want.text).MatchString(got) {
				t.Errorf("error = %q, want %s", got, want.text)
			}
			if got := r.out.String(); got != "alive\n" {
				t.Errorf("stdout = %q, want what was printed before", got)
			}
			if got := r.errOut.String(); !regexp.MustCompile(want.errOut).MatchString(got) {
				t.Errorf("stderr = %q, want %s", got, want.errOut)
			}
		})
	}
}

// What was carried outlives any death.
func TestCarriedOutlivesTheProcess(t *testing.T) {
	t.Parallel()
	pool := newPool(t, Options{})
	for _, how := range []string{"exit 3", "exit 0", "kill SIGKILL", "panic"} {
		t.Run(how, func(t *testing.T) {
			t.Parallel()
			r := newRun(t, "carry", how)
			r.Job.Carried = json.RawMessage("41")
			if err := pool.RunTask(t.Context(), nil, r.RunContext); err == nil {
				t.Error("the run has succeeded")
			}
			if _, _, carried := r.Outcome(); string(carried) != "42" {
				t.Errorf("carried = %s, want 42", carried)
			}
		})
	}
}

func TestOutputOfAll(t *testing.T) {
	t.Parallel()
	r := newRun(t, "print", "")
	if err := newPool(t, Options{}).RunTask(t.Context(), nil, r.RunContext); err != nil {
		t.Fatal(err)
	}
	if got, want := r.out.String(), "task\nprogram\nsystem call\nchild\n"; got != want {
		t.Errorf("stdout = %q, want %q", got, want)
	}
	if got, want := r.errOut.String(), "runtime\nerror\n"; got != want {
		t.Errorf("stderr = %q, want %q", got, want)
	}
}

// full is a writer that takes no more.
type full struct{}

func (full) Write([]byte) (int, error) { return 0, errors.New("disk is full") }

func TestOutputLost(t *testing.T) {
	t.Parallel()
	r := newRun(t, "print", "")
	r.Stdout = full{}
	err := newPool(t, Options{}).RunTask(t.Context(), nil, r.RunContext)
	if fmt.Sprint(err) != "output was lost: disk is full" {
		t.Errorf("error = %v, want the loss", err)
	}
}

func TestEnvironment(t *testing.T) {
	t.Setenv("HOME", "/home/of/the/program")
	t.Setenv("LANG", "C.UTF-8")
	t.Setenv("TZ", "Asia/Shanghai")
	t.Setenv("PATH", os.Getenv("PATH"))
	t.Setenv("DATABASE_PASSWORD", "secret")
	for name, test := range map[string]struct {
		env  []string
		want string
	}{
		"default": {nil, "HOME=/home/of/the/program\nLANG=C.UTF-8\nPATH=" + os.Getenv("PATH") + "\nTZ=Asia/Shanghai\n"},
		"none":    {[]string{}, "\n"},
		"own":     {[]string{"A=1", "B=x=y", "EMPTY="}, "A=1\nB=x=y\nEMPTY=\n"},
	} {
		t.Run(name, func(t *testing.T) {
			pool, err := New(Options{Env: test.env})
			if err != nil {
				t.Fatal(err)
			}
			r := newRun(t, "environment", "")
			if err := pool.RunTask(t.Context(), nil, r.RunContext); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, r.out.String()); diff != "" {
				t.Errorf("environment (-want +got):\n%s", diff)
			}
		})
	}
}

func TestOwnGroupAndSession(t *testing.T) {
	t.Parallel()
	r := newRun(t, "identity", "")
	if err := newPool(t, Options{}).RunTask(t.Context(), nil, r.RunContext); err != nil {
		t.Fatal(err)
	}
	var pid, group, session, input, args int
	var noTerminal bool
	if err := json.Unmarshal([]byte(r.noteResult()), &[]any{&pid, &group, &session, &input, &noTerminal, &args}); err != nil {
		t.Fatal(err)
	}
	if pid == os.Getpid() || group != pid || session != pid {
		t.Errorf("process %d is in group %d and session %d; it must lead its own", pid, group, session)
	}
	if input != 0 || !noTerminal || args > 1 {
		t.Errorf("the child has %d bytes of input, no terminal: %t, %d arguments", input, noTerminal, args)
	}
}

// Each run finds a fresh process.
func TestNothingIsShared(t *testing.T) {
	t.Parallel()
	pool := newPool(t, Options{})
	for range 3 {
		r := newRun(t, "count", "")
		if err := pool.RunTask(t.Context(), nil, r.RunContext); err != nil {
			t.Fatal(err)
		}
		if got := r.noteResult(); got != "1" {
			t.Errorf("the process has carried out %s runs, want 1", got)
		}
	}
}

func TestDeafTasks(t *testing.T) {
	t.Parallel()
	pool := newPool(t, Options{KillGrace: 200 * time.Millisecond})
	for _, how := range []string{"busy", "stopped"} {
		t.Run(how, func(t *testing.T) {
			t.Parallel()
			r := newRun(t, "deaf", how)
			cancel, ended := r.begin(t, pool)
			pid := r.out.pids(t)[0]
			cancel(fmt.Errorf("%w by me", jobcenter.ErrStopped))
			err := <-ended
			want := fmt.Sprintf(`^stopped by me: ignored SIGTERM, process %d ended by SIGKILL after \d\.\d s$`, pid)
			if !errors.Is(err, jobcenter.ErrStopped) || !regexp.MustCompile(want).MatchString(err.Error()) {
				t.Errorf("error = %v, want %s", err, want)
			}
			if code, _, _ := r.Outcome(); code == nil || *code != 137 {
				t.Errorf("exit code = %v, want 137", code)
			}
			if err := unix.Kill(pid, 0); !errors.Is(err, unix.ESRCH) {
				t.Errorf("process %d is still there: %v", pid, err)
			}
		})
	}
}

func TestTermFromElsewhere(t *testing.T) {
	t.Parallel()
	r := newRun(t, "heed", "")
	_, ended := r.begin(t, newPool(t, Options{}))
	if err := unix.Kill(r.out.pids(t)[0], unix.SIGTERM); err != nil {
		t.Fatal(err)
	}
	err := <-ended
	if e, ok := errors.AsType[*jobcenter.SignalError](err); !ok || e.Number != 15 || err.Error() != "asked to end: ended by SIGTERM" {
		t.Errorf("error = %v, want that the task was ended by SIGTERM", err)
	}
}

// Arguments and errors of any size come through, and an error that is huge is
// cut short.
func TestLarge(t *testing.T) {
	t.Parallel()
	text := strings.Repeat("x", 5<<20)
	err := newPool(t, Options{}).RunTask(t.Context(), nil, newRun(t, "fail", text).RunContext)
	if got := fmt.Sprint(err); len(got) < 4<<10 || !strings.HasPrefix(text, got) {
		t.Errorf("error of %d bytes: %.100q, want the beginning of what the task returned", len(got), got)
	}
}

func TestUnknownTask(t *testing.T) {
	t.Parallel()
	err := newPool(t, Options{}).RunTask(t.Context(), nil, newRun(t, "forgotten", "").RunContext)
	if _, ok := errors.AsType[*jobcenter.StartError](err); !ok || !strings.Contains(err.Error(), `"forgotten"`) {
		t.Errorf("error = %v, want a StartError that names the task", err)
	}
}

func TestFunctionOfThisProcess(t *testing.T) {
	t.Parallel()
	r := newRun(t, "", "")
	r.Job.Func = func(context.Context, *jobcenter.RunContext) error { return nil }
	err := newPool(t, Options{}).RunTask(t.Context(), nil, r.RunContext)
	if _, ok := errors.AsType[*jobcenter.StartError](err); !ok || !errors.Is(err, jobcenter.ErrFuncJob) || !jobcenter.IsNoRetry(err) {
		t.Errorf("error = %v, want a StartError about the function, not to be tried again", err)
	}
}

// weekly is a trigger of a kind that package trigger does not know.
type weekly struct{ trigger.Trigger }

func TestTriggerOfTheProgramsOwn(t *testing.T) {
	t.Parallel()
	r := newRun(t, "ownTrigger", "")
	r.Job.Trigger = weekly{}
	if err := newPool(t, Options{}).RunTask(t.Context(), nil, r.RunContext); err != nil {
		t.Fatal(err)
	}
	if got, want := r.noteResult(), `"\u003cnil\u003e \"\""`; got != want {
		t.Errorf("the task found %s, want no trigger and no quarantine", got)
	}
}

// A program that does not call Main, or calls it too late, is ended and said.
func TestProgramThatDoesNotCallMain(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		program string
		limit   time.Duration
		want    string
	}{
		"is not there":   {"/no/such/program", time.Minute, `^could not start: fork/exec /no/such/program: no such file or directory$`},
		"ends well":      {"/bin/true", time.Minute, `^could not start: exit code 0 before the program called process.Main$`},
		"ends badly":     {"/bin/false", time.Minute, `^could not start: exit code 1 before the program called process.Main$`},
		"does something": {"/usr/bin/yes", 300 * time.Millisecond, `^could not start: the program did not call process.Main within 300ms: process \d+ ended by SIGKILL after \d\.\d s$`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			pool := newPool(t, Options{StartLimit: test.limit})
			pool.program = test.program
			r := newRun(t, "nothing", "")
			r.Stdout = io.Discard
			err := pool.RunTask(t.Context(), nil, r.RunContext)
			if _, ok := errors.AsType[*jobcenter.StartError](err); !ok || !regexp.MustCompile(test.want).MatchString(err.Error()) {
				t.Errorf("error = %v, want %s", err, test.want)
			}
			if errors.Is(err, fs.ErrNotExist) != (name == "is not there") {
				t.Errorf("error = %v: is it that the program is not there?", err)
			}
		})
	}
}

// The child of a program that does not call Main gets no pool, and so starts
// no children.
func TestNoPoolInAChildBeforeMain(t *testing.T) {
	t.Setenv(childVariable, "1")
	if _, err := New(Options{}); err == nil || !strings.Contains(err.Error(), "process.Main") {
		t.Errorf("error = %v, want one that tells to call Main", err)
	}
}

// A context that ends while the program is still starting.
func TestEndedBeforeMain(t *testing.T) {
	t.Parallel()
	pool := newPool(t, Options{KillGrace: 100 * time.Millisecond})
	pool.program = "/usr/bin/yes"
	r := newRun(t, "nothing", strings.Repeat("more than a pipe holds", 10_000))
	cancel, ended := r.begin(t, pool)
	<-r.out.more
	cancel(jobcenter.ErrTimeout)
	err := <-ended
	if !errors.Is(err, jobcenter.ErrTimeout) || !strings.Contains(err.Error(), "ended by SIGTERM") {
		t.Errorf("error = %v, want ErrTimeout by SIGTERM", err)
	}
	if code, _, _ := r.Outcome(); code == nil || *code != 143 {
		t.Errorf("exit code = %v, want 143", code)
	}
}

func BenchmarkEmptyTask(b *testing.B) {
	pool, err := New(Options{})
	if err != nil {
		b.Fatal(err)
	}
	b.SetParallelism(3) // more than the default size
	b.RunParallel(func(p *testing.PB) {
		for p.Next() {
			for pool.Reserve(1) == 0 {
				<-time.After(100 * time.Microsecond)
			}
			ended := make(chan error)
			pool.Execute(func() {
				ended <- pool.RunTask(b.Context(), nil, &jobcenter.RunContext{Job: jobcenter.Job{Task: "nothing"}})
			}, func() {})
			if err := <-ended; err != nil {
				b.Fatal(err)
			}
		}
	})
}
