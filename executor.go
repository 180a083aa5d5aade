package jobcenter

import "context"

// Executor carries out runs, with a limit of how many at once. The scheduler
// reserves a place before it claims a run and uses or returns it afterwards.
// Methods are safe for concurrent use.
type Executor interface {
	// Reserve sets aside up to n places and returns how many it got, 0 to n.
	Reserve(n int) int
	// Release returns n reserved places.
	Release(n int)
	// Execute calls work in one reserved place, without waiting for it. When
	// work has returned, however it did, it frees the place and then calls
	// freed.
	Execute(work, freed func())
}

// Runner is an Executor that carries out tasks itself, in another process or
// on a loop of the program's own. RunTask is called by work, in place of
// task.Run, and keeps the promises of [Task]: it returns soon after ctx has
// ended, and not before the task has.
type Runner interface {
	Executor
	RunTask(ctx context.Context, task Task, run *RunContext) error
}
