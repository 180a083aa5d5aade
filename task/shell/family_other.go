//go:build unix && !linux

package shell

import (
	"os/exec"
	"syscall"
)

// Here a family is its process group, known only while its shell is a child
// of this process.

func newFamily(runID string, pid int) family {
	return family{runID: runID, live: true, record: record{PID: pid}}
}

func keepFiles() {}

func awaitExit(cmd *exec.Cmd) { _ = cmd.Wait() }

func (f *family) signal(sig syscall.Signal) {
	if f.live {
		_ = syscall.Kill(-f.PID, sig)
	}
}

func (f *family) members() []process {
	if f.live && syscall.Kill(-f.PID, 0) == nil {
		return []process{{pid: f.PID}}
	}
	return nil
}
