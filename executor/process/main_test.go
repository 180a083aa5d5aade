//go:build unix

package process_test

import (
	"maps"
	"os"
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
	os.Exit(m.Run())
}
