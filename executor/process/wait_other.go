//go:build unix && !linux

package process

import "os/exec"

func keepFiles() {}

// awaitExit returns when the child has exited.
func awaitExit(cmd *exec.Cmd) { _ = cmd.Wait() }
