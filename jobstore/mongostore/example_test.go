package mongostore_test

import (
	"context"
	"fmt"

	"github.com/jobcenter-go/jobcenter"
	"github.com/jobcenter-go/jobcenter/jobstore/mongostore"
)

// A scheduler whose jobs and runs are in MongoDB: they survive a restart, and
// other schedulers can share them.
func Example() { //nolint:testableexamples // it needs a server
	ctx := context.Background()
	store, err := mongostore.Open(ctx, "mongodb://127.0.0.1:27017/jobs", mongostore.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = store.Close() }()
	scheduler, err := jobcenter.New(jobcenter.Options{
		Store: store,
		Tasks: map[string]jobcenter.Task{"greet": jobcenter.TaskFunc(func(context.Context, *jobcenter.RunContext) error {
			fmt.Println("good morning")
			return nil
		})},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(scheduler.Run(ctx))
}
