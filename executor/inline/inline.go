// Package inline is an executor for tests: it carries out one run at a time,
// right where the scheduler hands it over.
//
// While a run goes on, the scheduler fires nothing else and does not notice
// that it is to shut down; StopRun and time limits work as ever. So a test
// sees one thing happen after another. A program is better served by
// [jobcenter.Pool] with one place.
package inline

import (
	"sync"

	"github.com/jobcenter-go/jobcenter"
)

// Executor is a jobcenter.Executor with one place, whose Execute waits for the
// work. The zero value is ready for use.
type Executor struct {
	mu    sync.Mutex
	taken bool
}

var _ jobcenter.Executor = (*Executor)(nil)

// Reserve implements jobcenter.Executor.
func (e *Executor) Reserve(n int) int {
	e.mu.Lock()
	defer e.mu.Unlock()
	if n < 1 || e.taken {
		return 0
	}
	e.taken = true
	return 1
}

// Release implements jobcenter.Executor.
func (e *Executor) Release(n int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if n > 0 {
		e.taken = false
	}
}

// Execute calls work and returns when it has. A panic of work goes on to the
// caller; the place is free then as well.
func (e *Executor) Execute(work, freed func()) {
	defer freed()
	defer e.Release(1)
	work()
}
