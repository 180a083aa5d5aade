// Package process is an executor that carries out each run in an operating
// system process of its own, of the same program. What a task does to its
// process touches nothing else: a crash, a leak, a kill, a library that calls
// os.Exit or blocks for ever.
//
//	func main() {
//		tasks := map[string]jobcenter.Task{"resize": resize}
//		process.Main(tasks) // first of all: in a child, it does not return
//
//		pool, err := process.New(process.Options{})
//		…
//		sched, err := jobcenter.New(jobcenter.Options{
//			Tasks:     tasks,
//			Executors: map[string]jobcenter.Executor{"process": pool},
//		})
//
// The program is started once more for each run, and [Main] is where that
// child finds out what it is. What main does before it is done by every child;
// what a task needs it should open when it runs. Tests whose code uses a pool
// call Main at the start of TestMain; under the race detector, a process takes
// a second to exit unless Options.Env has GORACE=atexit_sleep_ms=0.
//
// # What a child gets
//
// Its task finds in its RunContext all that it would find in the program: the
// job (without Func; and without Trigger if that is of a kind of the program's
// own), the run, the deadline and the cause of its context, the earlier result
// and what was carried. All of it goes through a pipe, so that arguments show
// up in no list of processes. What the task tells goes back in the same way:
// SetExitCode, SetResult and Carry at once, so that what was carried outlives
// even a kill; at the end its error, with its text and what the scheduler asks
// about it (NoRetry, RetryAfter, and the exported error types and causes of
// package jobcenter), though not as a value of the task's own type.
//
// Standard output and error, whoever writes there, are the run's output;
// standard input is /dev/null. The child inherits no other open file, and no
// environment but Options.Env. It leads a session, and so a process group, of
// its own, without a terminal.
//
// # How it ends
//
//	the task returns        its error
//	the task panics         *jobcenter.PanicError; the stack goes to stderr
//	another goroutine does  the same, and likewise for fatal errors of Go
//	os.Exit(n)              *jobcenter.ExitError, or an error that says so for 0
//	a signal                *jobcenter.SignalError
//	it never reached Main   *jobcenter.StartError
//
// When the run's context ends, the task's context does, for the same cause,
// and the process group gets SIGTERM; after Options.KillGrace it gets SIGKILL.
// Whatever else is in the process group when the child has exited is killed as
// well: what is to outlive the run needs a session of its own. A SIGTERM that
// somebody else sends to the child ends the task's context with a
// *jobcenter.SignalError. So a service manager should send it to the program
// alone, which gives its runs time (systemd: KillMode=mixed).
//
// When the program dies, however it does, its children notice at once and kill
// their process groups, themselves included.
//
// It needs a Unix.
package process

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/jobcenter-go/jobcenter"
)

// DefaultSize is how many runs a pool carries out at once, unless
// Options.Size says otherwise.
const DefaultSize = 5

// Options are what a Pool is made of. The zero value is sound.
type Options struct {
	// Size is how many runs are carried out at once. Zero means DefaultSize.
	Size int
	// Env is the whole environment of the children, in the form of
	// os.Environ, which can be given here. Nil means PATH, HOME, LANG and TZ,
	// as far as this program has them; empty but not nil means none.
	Env []string
	// KillGrace is how long a child has between SIGTERM and SIGKILL. Zero
	// means 10 s.
	KillGrace time.Duration
	// OutputGrace is how long processes that a child has left behind in other
	// sessions may hold the run's output open. Zero means 2 s.
	OutputGrace time.Duration
	// StartLimit is how long a child may take until it calls Main. Zero means
	// one minute.
	StartLimit time.Duration
}

// Pool is a jobcenter.Runner that carries out each run in a process of its
// own. Its methods are safe for concurrent use.
type Pool struct {
	*places

	opts    Options
	program string // in place of this one, for tests
}

// places is a name under which the pool is no exported field.
type places = jobcenter.Pool

var _ jobcenter.Runner = (*Pool)(nil)

// childVariable is in the environment of a child until it calls Main.
const childVariable = "JOBCENTER_PROCESS_CHILD"

// New makes a pool. It fails if an option is out of range, if this system is
// no Unix, and in a child that has not called Main, so that a program which
// forgot about it does not start itself again and again.
func New(opts Options) (*Pool, error) {
	if err := supported(); err != nil {
		return nil, err
	}
	if os.Getenv(childVariable) != "" {
		return nil, errors.New("process: this is a child of a pool, and its program does not call process.Main at the start of main")
	}
	if opts.KillGrace < 0 || opts.OutputGrace < 0 || opts.StartLimit < 0 {
		return nil, fmt.Errorf("process: KillGrace %s, OutputGrace %s, StartLimit %s: must not be negative",
			opts.KillGrace, opts.OutputGrace, opts.StartLimit)
	}
	for _, variable := range opts.Env {
		if name, _, ok := strings.Cut(variable, "="); !ok || name == "" || strings.ContainsRune(variable, 0) {
			// Its text may be a secret.
			return nil, fmt.Errorf("process: Options.Env: a variable that begins with %.10q is not name=value", name)
		}
	}
	pool, err := jobcenter.NewPool(cmp.Or(opts.Size, DefaultSize))
	if err != nil {
		return nil, fmt.Errorf("process: %w", err)
	}
	if opts.Env == nil {
		for _, name := range []string{"PATH", "HOME", "LANG", "TZ"} {
			if value, ok := os.LookupEnv(name); ok {
				opts.Env = append(opts.Env, name+"="+value)
			}
		}
	}
	opts.KillGrace = cmp.Or(opts.KillGrace, 10*time.Second)
	opts.OutputGrace = cmp.Or(opts.OutputGrace, 2*time.Second)
	opts.StartLimit = cmp.Or(opts.StartLimit, time.Minute)
	return &Pool{places: pool, opts: opts}, nil
}
