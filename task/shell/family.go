//go:build unix

package shell

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// runIDVariable is the environment variable by which processes of a run are known.
const runIDVariable = "JOBCENTER_RUN_ID="

// killWait is how long processes have to vanish after SIGKILL. Only one that
// the server may not signal, or that hangs in the kernel, takes longer.
const killWait = 5 * time.Second

// family is the shell of a run with all its descendants.
type family struct {
	record

	runID string
	// live tells that the shell is a child of this process and has not been
	// reaped, so that its process id is still its own.
	live bool
	// groupOnly leaves out descendants that moved to another process group.
	groupOnly bool
	// known are the members that were found before.
	known map[process]bool
}

// record is what is kept of a shell while it runs.
type record struct {
	PID int `json:"pid"`
	// Start is when the shell started, in clock ticks since the machine did.
	// With Boot it tells the shell from another process of the same number.
	Start uint64 `json:"start"`
	Boot  string `json:"boot"`
}

// process is one process, now and for ever: no later process is equal to it.
type process struct {
	pid   int
	start uint64
}

// ending says how a family was ended.
type ending struct {
	pid    int
	signal syscall.Signal // the last one that was needed; 0: none
	after  time.Duration
	left   []process // those that could not be ended
}

func (e ending) String() string {
	what := fmt.Sprintf("process group %d", e.pid)
	switch {
	case len(e.left) > 0:
		return fmt.Sprintf("%s could not be ended within %s; still there: %s", what, seconds(e.after), list(e.left))
	case e.signal == syscall.SIGKILL:
		return fmt.Sprintf("%s ignored SIGTERM and was ended by SIGKILL after %s", what, seconds(e.after))
	default:
		return fmt.Sprintf("%s ended by SIGTERM after %s", what, seconds(e.after))
	}
}

// end sends SIGTERM to the whole family, and SIGKILL to those that are there
// after the grace time, or as soon as ctx ends. exited is closed when the
// shell has exited.
func (f *family) end(ctx context.Context, exited <-chan struct{}, grace time.Duration) ending {
	began := time.Now()
	ended := ending{pid: f.PID, signal: syscall.SIGTERM}
	f.signal(syscall.SIGTERM)
	if !f.gone(ctx, exited, grace) {
		ended.signal = syscall.SIGKILL
		// Again and again: it may be forking.
		for f.signal(syscall.SIGKILL); !f.gone(context.WithoutCancel(ctx), exited, 50*time.Millisecond); f.signal(syscall.SIGKILL) {
			if time.Since(began) > grace+killWait {
				ended.left = f.members()
				break
			}
		}
	}
	ended.after = time.Since(began)
	return ended
}

// gone waits until no member is left, for so long at most.
func (f *family) gone(ctx context.Context, exited <-chan struct{}, limit time.Duration) bool {
	end := time.NewTimer(limit)
	defer end.Stop()
	select {
	case <-exited:
	case <-end.C:
		return false
	case <-ctx.Done():
		return false
	}
	// There is no event to wait for: they are nobody's children.
	for pause := 2 * time.Millisecond; len(f.members()) > 0; pause = min(2*pause, 100*time.Millisecond) {
		select {
		case <-time.After(pause):
		case <-end.C:
			return false
		case <-ctx.Done():
			return false
		}
	}
	return true
}

// list names processes, the first few of them.
func list(processes []process) string {
	const most = 5
	var names []string
	for _, p := range processes[:min(most, len(processes))] {
		names = append(names, strconv.Itoa(p.pid))
	}
	text := strings.Join(names, ", ")
	if more := len(processes) - most; more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text
}

func seconds(d time.Duration) string { return fmt.Sprintf("%.1f s", d.Seconds()) }
