package redisstore_test

import (
	"context"
	"fmt"

	"github.com/jobcenter-go/jobcenter"
	"github.com/jobcenter-go/jobcenter/jobstore/redisstore"
)

// A scheduler whose jobs and runs are in Redis.
func Example() { //nolint:testableexamples // there is no server where examples run
	store, err := redisstore.Open(context.Background(), "redis://127.0.0.1:6379/0", redisstore.Options{Prefix: "{reports}:"})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = store.Close() }()
	for _, warning := range store.Warnings() {
		fmt.Println("warning:", warning)
	}
	if _, err := jobcenter.New(jobcenter.Options{Store: store}); err != nil {
		fmt.Println(err)
	}
}
