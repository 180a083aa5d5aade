package process

import (
	"errors"
	"math"
	"os/exec"

	"golang.org/x/sys/unix"
)

// keepFiles makes sure that files which something else in this program opened
// without close-on-exec are not inherited by a child.
func keepFiles() {
	_ = unix.CloseRange(3, math.MaxInt32, unix.CLOSE_RANGE_CLOEXEC) // since Linux 5.11
}

// awaitExit returns when the child has exited, and leaves it to be reaped, so
// that its process id and group cannot become another's.
func awaitExit(cmd *exec.Cmd) {
	for {
		err := unix.Waitid(unix.P_PID, cmd.Process.Pid, nil, unix.WEXITED|unix.WNOWAIT, nil)
		if !errors.Is(err, unix.EINTR) {
			return
		}
	}
}
