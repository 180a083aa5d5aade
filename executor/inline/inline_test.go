package inline_test

import (
	"fmt"
	"testing"

	"github.com/jobcenter-go/jobcenter"
	"github.com/jobcenter-go/jobcenter/executor/executortest"
	"github.com/jobcenter-go/jobcenter/executor/inline"
)

func TestSuite(t *testing.T) {
	t.Parallel()
	executortest.Run(t, func(*testing.T) jobcenter.Executor { return new(inline.Executor) }, executortest.Options{Waits: true})
}

// The caller of Execute sees the panic, as it would see that of a call of its own.
func TestPanicGoesOnToTheCaller(t *testing.T) {
	t.Parallel()
	var executor inline.Executor
	executor.Reserve(1)
	func() {
		defer func() {
			if p := recover(); fmt.Sprint(p) != "boom" {
				t.Errorf("recovered %v, want boom", p)
			}
		}()
		executor.Execute(func() { panic("boom") })
	}()
	if got := executor.Reserve(1); got != 1 {
		t.Error("the place is not free after the panic")
	}
}
