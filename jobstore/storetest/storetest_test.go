package storetest_test

import (
	"testing"

	"github.com/jobcenter-go/jobcenter"
	"github.com/jobcenter-go/jobcenter/jobstore/storetest"
)

func TestMemoryStore(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(*testing.T) jobcenter.JobStore { return jobcenter.NewMemoryStore(0) })
}
