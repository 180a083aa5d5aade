package jobcenter_test

import (
	"context"
	"fmt"
	"log"
	"time"

	"github.com/jobcenter-go/jobcenter"
	"github.com/jobcenter-go/jobcenter/trigger"
)

// A program that runs a function every so often.
func Example() {
	ctx, stop := context.WithCancel(context.Background())
	hello := jobcenter.TaskFunc(func(_ context.Context, run *jobcenter.RunContext) error {
		fmt.Println("hello from", run.Job.ID)
		stop() // a real program goes on
		return nil
	})
	sched, err := jobcenter.New(jobcenter.Options{Tasks: map[string]jobcenter.Task{"hello": hello}})
	if err != nil {
		log.Fatal(err)
	}
	every, err := trigger.Every(50 * time.Millisecond)
	if err != nil {
		log.Fatal(err)
	}
	if _, err := sched.Add(ctx, jobcenter.Job{ID: "greeter", Task: "hello", Trigger: every}); err != nil {
		log.Fatal(err)
	}
	if err := sched.Run(ctx); err != nil { // until ctx ends and its runs have returned
		log.Fatal(err)
	}
	// Output: hello from greeter
}

// The ledger tells what became of each fire time.
func ExampleScheduler_RunNow() {
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error)
	backup := jobcenter.TaskFunc(func(_ context.Context, run *jobcenter.RunContext) error {
		defer stop()
		var args struct{ Database string }
		if err := run.Args(&args); err != nil {
			return err
		}
		fmt.Fprintln(run.Stdout, "saving", args.Database)
		return &jobcenter.ExitError{Code: 3}
	})
	sched, err := jobcenter.New(jobcenter.Options{Tasks: map[string]jobcenter.Task{"backup": backup}})
	if err != nil {
		log.Fatal(err)
	}
	go func() { ended <- sched.Run(ctx) }()

	nightly, err := trigger.NewCrontab("30 2 * * *", trigger.Options{})
	if err != nil {
		log.Fatal(err)
	}
	job := jobcenter.Job{ID: "nightly", Task: "backup", Args: []byte(`{"database":"orders"}`), Trigger: nightly}
	if _, err := sched.Add(ctx, job); err != nil {
		log.Fatal(err)
	}
	run, err := sched.RunNow(ctx, "nightly", jobcenter.StartOptions{Origin: jobcenter.OriginManual, Actor: "li@example.com"})
	if err != nil {
		log.Fatal(err)
	}
	if err := <-ended; err != nil {
		log.Fatal(err)
	}
	run, err = sched.Store().Run(context.Background(), run.ID)
	if err != nil {
		log.Fatal(err)
	}
	output, err := sched.Store().Output(context.Background(), run.ID, 0, 1000)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s: %s, %s\n%s", run.State, run.Reason, run.Message, output[0].Data)
	// Output:
	// failed: exit_code, exit code 3
	// saving orders
}
