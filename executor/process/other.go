//go:build !unix

package process

import (
	"context"
	"errors"

	"github.com/jobcenter-go/jobcenter"
)

func supported() error { return errors.New("process: this system is no Unix, and the pool needs one") }

// Main returns at once: here no process is a child of a pool.
func Main(map[string]jobcenter.Task) {}

// RunTask returns a *jobcenter.StartError: there are no pools here.
func (*Pool) RunTask(context.Context, jobcenter.Task, *jobcenter.RunContext) error {
	return &jobcenter.StartError{Err: supported()}
}
