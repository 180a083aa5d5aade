//go:build unix

package process_test

import (
	"maps"
	"os"
	"os/signal"
	"syscall"
	"testing"

	"github.com/jobcenter-go/jobcenter/executor/process"
)

func TestMain(m *testing.M) {
	tasks := process.TasksOfTests()
	maps.Copy(tasks, exampleTasks())
	process.Main(tasks)
	if os.Getenv(process.AsProgram) != "" {
		process.PlayProgram()
	}
	if signal.Ignored(syscall.SIGHUP) {
		// As under nohup, which children would inherit. A signal that is handled
		// here is back at its default in them.
		signal.Notify(make(chan os.Signal, 1), syscall.SIGHUP)
	}
	os.Exit(m.Run())
}
