package shell

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"math"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// newFamily describes a child that has just been started.
func newFamily(runID string, pid int) family {
	f := family{runID: runID, live: true, record: record{PID: pid, Boot: bootID()}}
	if s, ok := readStat(pid); ok {
		f.Start = s.start
	}
	return f
}

// keepFiles makes sure that files which something else in this process opened
// without close-on-exec are not inherited by the command.
func keepFiles() {
	_ = unix.CloseRange(3, math.MaxInt32, unix.CLOSE_RANGE_CLOEXEC) // since Linux 5.11
}

// awaitExit returns when the process has exited, and leaves it to be reaped.
func awaitExit(cmd *exec.Cmd) {
	for {
		err := unix.Waitid(unix.P_PID, cmd.Process.Pid, nil, unix.WEXITED|unix.WNOWAIT, nil)
		if !errors.Is(err, unix.EINTR) {
			return
		}
	}
}

// signal sends a signal to each member.
func (f *family) signal(sig syscall.Signal) {
	if f.live {
		_ = syscall.Kill(-f.PID, sig) // at once, so that none can fork away
	}
	for _, p := range f.members() {
		if s, ok := readStat(p.pid); ok && (!f.live || s.group != f.PID) {
			p.signal(sig)
		}
	}
}

// members finds the living processes of the run. Only what is proved to
// belong to it is one: by the run's id in its environment, or by the session
// of the shell as long as the shell's process id is its own.
func (f *family) members() []process {
	names, err := processIDs()
	if err != nil {
		return nil
	}
	ours := f.live
	if !ours && f.PID != 0 {
		s, ok := readStat(f.PID)
		ours = ok && s.start == f.Start && f.Boot == bootID()
	}
	known := make(map[process]bool)
	for _, pid := range names {
		s, ok := readStat(pid)
		if !ok || s.dead || pid == os.Getpid() || f.live && s.start < f.Start {
			continue
		}
		p := process{pid, s.start}
		switch {
		case f.groupOnly:
			ok = s.group == f.PID
		default:
			ok = f.known[p] || ours && s.session == f.PID || hasRunID(pid, f.runID)
		}
		if ok {
			known[p] = true
		}
	}
	f.known = known
	return slices.SortedFunc(maps.Keys(known), func(a, b process) int { return a.pid - b.pid })
}

// signal sends a signal to this very process, not to a later one of its number.
func (p process) signal(sig syscall.Signal) {
	handle, err := os.FindProcess(p.pid) // holds a pidfd
	if err != nil {
		return
	}
	defer func() { _ = handle.Release() }()
	if s, ok := readStat(p.pid); ok && s.start == p.start {
		_ = handle.Signal(sig)
	}
}

func processIDs() ([]int, error) {
	dir, err := os.Open("/proc")
	if err != nil {
		return nil, err
	}
	defer func() { _ = dir.Close() }()
	names, err := dir.Readdirnames(-1)
	var pids []int
	for _, name := range names {
		if pid, err := strconv.Atoi(name); err == nil {
			pids = append(pids, pid)
		}
	}
	return pids, err
}

// stat is what /proc tells of a process.
type stat struct {
	dead           bool // exited, but not reaped
	group, session int
	start          uint64 // clock ticks since boot
}

func readStat(pid int) (s stat, ok bool) {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return s, false
	}
	// The second field, the name, is in brackets and may hold anything.
	_, rest, ok := strings.Cut(string(data[bytes.LastIndexByte(data, ')')+1:]), " ")
	fields := strings.Fields(rest) // the first is field 3 of proc_pid_stat(5)
	if !ok || len(fields) < 20 {
		return s, false
	}
	s.dead = fields[0] == "Z" || fields[0] == "X"
	var errs [3]error
	s.group, errs[0] = strconv.Atoi(fields[2])
	s.session, errs[1] = strconv.Atoi(fields[3])
	s.start, errs[2] = strconv.ParseUint(fields[19], 10, 64)
	return s, errors.Join(errs[:]...) == nil
}

// hasRunID tells whether a process was started with this run's id in its
// environment. It is false where this process may not look.
func hasRunID(pid int, runID string) bool {
	env, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", pid))
	return err == nil && slices.Contains(strings.Split(string(env), "\x00"), runIDVariable+runID)
}

func bootID() string {
	id, _ := os.ReadFile("/proc/sys/kernel/random/boot_id")
	return strings.TrimSpace(string(id))
}
