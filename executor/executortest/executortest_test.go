package executortest_test

import (
	"testing"

	"github.com/jobcenter-go/jobcenter"
	"github.com/jobcenter-go/jobcenter/executor/executortest"
)

func TestPool(t *testing.T) {
	t.Parallel()
	for name, size := range map[string]int{"one place": 1, "default size": jobcenter.DefaultPoolSize} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			executortest.Run(t, func(t *testing.T) jobcenter.Executor {
				t.Helper()
				pool, err := jobcenter.NewPool(size)
				if err != nil {
					t.Fatal(err)
				}
				return pool
			}, executortest.Options{})
		})
	}
}
