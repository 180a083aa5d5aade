//go:build unix

package shell

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/jobcenter-go/jobcenter"
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

// line waits for the first line of the output.
func (b *buffer) line(t *testing.T) string {
	t.Helper()
	late := time.After(20 * time.Second)
	for {
		if line, _, ok := strings.Cut(b.String(), "\n"); ok {
			return line
		}
		select {
		case <-b.more:
		case <-late:
			t.Fatal("no output within 20 s")
		}
	}
}

// attempt is one run of a command.
type attempt struct {
	run         *jobcenter.RunContext
	out, errOut *buffer
	err         chan error
	cancel      context.CancelCauseFunc
}

// ended waits for the end of the run.
func (a *attempt) ended(t *testing.T) error {
	t.Helper()
	select {
	case err := <-a.err:
		return err
	case <-time.After(60 * time.Second):
		t.Fatal("run did not end within 60 s")
		return nil
	}
}

func newTask(t *testing.T, opts Options) *Task {
	t.Helper()
	if opts.Dir == "" {
		opts.Dir = t.TempDir()
	}
	task, err := New(opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = task.root.Close() })
	return task
}

func newRun(args any) *attempt {
	raw, err := json.Marshal(args)
	if err != nil {
		panic(err)
	}
	out, errOut := &buffer{more: make(chan struct{}, 1)}, &buffer{more: make(chan struct{}, 1)}
	return &attempt{
		run: &jobcenter.RunContext{
			Job: jobcenter.Job{ID: "job-1", Args: raw},
			Run: jobcenter.Run{
				ID: uuid.Must(uuid.NewV7()).String(), Attempt: 3,
				FireTime: time.Date(2026, 11, 6, 16, 30, 5, 0, time.FixedZone("", 3600)),
			},
			Stdout: out, Stderr: errOut,
		},
		out: out, errOut: errOut,
		err: make(chan error, 1),
	}
}

// begin starts a run that ends with the test at the latest.
func begin(t *testing.T, task *Task, args any) *attempt {
	t.Helper()
	a := newRun(args)
	var ctx context.Context
	ctx, a.cancel = context.WithCancelCause(context.Background())
	var running sync.WaitGroup
	running.Go(func() { a.err <- task.Run(ctx, a.run) })
	t.Cleanup(func() {
		a.cancel(errors.New("test is over"))
		running.Wait()
	})
	return a
}

func command(text string) map[string]any { return map[string]any{"command": text} }

// eventually waits until ok is true.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	late := time.After(20 * time.Second)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-late:
			t.Fatalf("not within 20 s: %s", what)
		}
	}
}

func TestEnds(t *testing.T) {
	t.Parallel()
	task := newTask(t, Options{})
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	tests := map[string]struct {
		args        map[string]any
		out, errOut string
		want        string // text of the error
		as          any    // what the error must be
	}{
		"success":       {args: command("echo hello; echo oops >&2"), out: "hello\n", errOut: "oops\n"},
		"exit code":     {args: command("echo partial; exit 3"), out: "partial\n", want: "exit code 3", as: new(*jobcenter.ExitError)},
		"not found":     {args: command("no-such-program 2>/dev/null"), want: "exit code 127", as: new(*jobcenter.ExitError)},
		"signal":        {args: command("kill -SEGV $$"), want: "ended by SIGSEGV", as: new(*jobcenter.SignalError)},
		"killed":        {args: command("kill -9 $$"), want: "ended by SIGKILL", as: new(*jobcenter.SignalError)},
		"input is shut": {args: command("cat; wc -c; tty"), out: "0\nnot a tty\n", want: "exit code 1", as: new(*jobcenter.ExitError)},
		"no terminal":   {args: command("exec 2>/dev/null; (: </dev/tty) || echo none"), out: "none\n"},
		"several lines": {args: command("x=1\n# a comment\necho $x"), out: "1\n"},
		"no folder": {
			args: map[string]any{"command": "true", "directory": "/no/such/folder"},
			want: "could not start: task.directory: stat /no/such/folder: no such file or directory", as: new(*jobcenter.StartError),
		},
		"not a folder": {
			args: map[string]any{"command": "true", "directory": file},
			want: "could not start: task.directory: " + file + " is not a folder", as: new(*jobcenter.StartError),
		},
		"no command": {args: map[string]any{}, want: "could not start: task.command: is missing or blank; give a command for /bin/sh", as: new(*jobcenter.StartError)},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := newRun(test.args)
			err := task.Run(t.Context(), a.run)
			if got := fmt.Sprint(err); got != test.want && (err != nil || test.want != "") {
				t.Errorf("error = %q, want %q", got, test.want)
			}
			if test.as != nil && !errors.As(err, test.as) {
				t.Errorf("error is %T, want %T", err, test.as)
			}
			if got := a.out.String(); got != test.out {
				t.Errorf("stdout = %q, want %q", got, test.out)
			}
			if got := a.errOut.String(); got != test.errOut {
				t.Errorf("stderr = %q, want %q", got, test.errOut)
			}
		})
	}
}

func TestSignalNumber(t *testing.T) {
	t.Parallel()
	err := newTask(t, Options{}).Run(t.Context(), newRun(command("kill -TERM $$")).run)
	var got *jobcenter.SignalError
	if !errors.As(err, &got) || got.Number != 15 || got.Name != "SIGTERM" {
		t.Errorf("error = %#v, want signal 15, SIGTERM", err)
	}
}

func TestContextIsOverBeforeTheStart(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(jobcenter.ErrShutdown)
	a := newRun(command("echo ran"))
	if err := newTask(t, Options{}).Run(ctx, a.run); !errors.Is(err, jobcenter.ErrShutdown) {
		t.Errorf("error = %v, want ErrShutdown", err)
	}
	if got := a.out.String(); got != "" {
		t.Errorf("it ran: %q", got)
	}
}

func TestRunIDMustBeUUID(t *testing.T) {
	t.Parallel()
	task := newTask(t, Options{})
	outside := filepath.Join(filepath.Dir(task.opts.Dir), "outside")
	for _, id := range []string{"", "../../outside", "{6ba7b810-9dad-11d1-80b4-00c04fd430c8}", "r1"} {
		a := newRun(command("echo ran"))
		a.run.Run.ID = id
		var start *jobcenter.StartError
		if err := task.Run(t.Context(), a.run); !errors.As(err, &start) || !strings.Contains(err.Error(), "is not a UUID") {
			t.Errorf("Run with id %q: %v, want a StartError", id, err)
		}
		if _, err := task.Recover(t.Context(), a.run.Run); err == nil {
			t.Errorf("Recover with id %q: no error", id)
		}
	}
	if _, err := os.Stat(outside); err == nil {
		t.Errorf("%s was made", outside)
	}
}

func TestValidateArgs(t *testing.T) {
	t.Parallel()
	task := newTask(t, Options{})
	long := strings.Repeat("x", maxString+1)
	tests := map[string]struct{ args, want string }{
		"least":             {`{"command":"true"}`, ""},
		"all":               {`{"command":"true","directory":"/no/such","environment":{"A_1":"ü","_b":""}}`, ""},
		"none":              {``, "task.command: is missing or blank; give a command for /bin/sh"},
		"null":              {`null`, "task.command: is missing or blank; give a command for /bin/sh"},
		"blank":             {`{"command":" \n\t"}`, "task.command: is missing or blank; give a command for /bin/sh"},
		"list":              {`["true"]`, "task: must be a JSON object with the field command"},
		"broken":            {`{"command":`, "task: must be a JSON object with the field command"},
		"unknown":           {`{"command":"true","shell":"bash"}`, "task.shell: unknown field; allowed are command, directory and environment"},
		"case counts":       {`{"Command":"true"}`, "task.Command: unknown field; allowed are command, directory and environment"},
		"number":            {`{"command":5}`, "task.command: must be a text, not a number"},
		"NUL":               {`{"command":"a\u0000b"}`, "task.command: contains a NUL byte"},
		"long":              {`{"command":"` + long + `"}`, "task.command: is 131072 bytes long; at most 131071 are allowed"},
		"relative":          {`{"command":"true","directory":"reports"}`, `task.directory: is "reports"; must be an absolute path`},
		"directory NUL":     {`{"command":"true","directory":"/a\u0000"}`, "task.directory: contains a NUL byte"},
		"directory type":    {`{"command":"true","directory":true}`, "task.directory: must be a text, not a bool"},
		"name with =":       {`{"command":"true","environment":{"A=B":"1"}}`, `task.environment: name "A=B"; must be letters, digits and _, no digit first`},
		"empty name":        {`{"command":"true","environment":{"":"1"}}`, `task.environment: name ""; must be letters, digits and _, no digit first`},
		"digit first":       {`{"command":"true","environment":{"1A":"1"}}`, `task.environment: name "1A"; must be letters, digits and _, no digit first`},
		"reserved":          {`{"command":"true","environment":{"JOBCENTER_RUN_ID":"1"}}`, "task.environment.JOBCENTER_RUN_ID: names that begin with JOBCENTER_ are set by JobCenter"},
		"value NUL":         {`{"command":"true","environment":{"A":"\u0000"}}`, "task.environment.A: contains a NUL byte"},
		"value type":        {`{"command":"true","environment":{"A":1}}`, "task.environment: must be an object of texts, not a number"},
		"environment array": {`{"command":"true","environment":["A=1"]}`, "task.environment: must be an object of texts, not a array"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := task.ValidateArgs(json.RawMessage(test.args))
			if test.want == "" {
				if err != nil {
					t.Errorf("error = %v, want none", err)
				}
				return
			}
			var invalid *jobcenter.FieldError
			if !errors.As(err, &invalid) || !errors.Is(err, jobcenter.ErrInvalidJob) {
				t.Fatalf("error is %T, want *jobcenter.FieldError", err)
			}
			if err.Error() != test.want {
				t.Errorf("error = %q, want %q", err, test.want)
			}
		})
	}
}

// The longest text that validation allows must start.
func TestLongestArguments(t *testing.T) {
	t.Parallel()
	a := newRun(map[string]any{
		"command":     "echo ${#A} #" + strings.Repeat("x", maxString-len("echo ${#A} #")),
		"environment": map[string]string{"A": strings.Repeat("y", maxString-len("A="))},
	})
	if err := newTask(t, Options{}).Run(t.Context(), a.run); err != nil {
		t.Fatal(err)
	}
	if got, want := a.out.String(), "131069\n"; got != want {
		t.Errorf("output = %q, want %q", got, want)
	}
}

func TestNew(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, opts := range map[string]Options{
		"no folder":      {},
		"a file":         {Dir: file},
		"negative grace": {Dir: t.TempDir(), KillGrace: -1},
		"bad path":       {Dir: t.TempDir(), Path: "/bin\x00"},
	} {
		if _, err := New(opts); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	dir := filepath.Join(t.TempDir(), "a", "b")
	newTask(t, Options{Dir: dir})
	for _, folder := range []string{dir, filepath.Join(dir, workFolder), filepath.Join(dir, processFolder)} {
		if info, err := os.Stat(folder); err != nil || info.Mode().Perm() != 0o700 {
			t.Errorf("%s: %v %v, want a folder of mode 0700", folder, info, err)
		}
	}
}
