package inline_test

import (
	"context"
	"fmt"
	"log"
	"time"

	"github.com/jobcenter-go/jobcenter"
	"github.com/jobcenter-go/jobcenter/executor/inline"
	"github.com/jobcenter-go/jobcenter/trigger"
)

// Runs that would go on at once happen one after the other, the highest
// priority first.
func Example() {
	ctx, stop := context.WithCancel(context.Background())
	step := jobcenter.TaskFunc(func(_ context.Context, run *jobcenter.RunContext) error {
		fmt.Println(run.Job.ID, "begins")
		defer fmt.Println(run.Job.ID, "ends")
		if run.Job.ID == "clean" {
			stop()
		}
		return nil
	})
	sched, err := jobcenter.New(jobcenter.Options{
		Tasks:     map[string]jobcenter.Task{"step": step},
		Executors: map[string]jobcenter.Executor{jobcenter.DefaultExecutor: new(inline.Executor)},
	})
	if err != nil {
		log.Fatal(err)
	}
	soon, err := trigger.NewDate(time.Now().Add(20 * time.Millisecond))
	if err != nil {
		log.Fatal(err)
	}
	for priority, id := range []string{"clean", "build", "fetch"} {
		if _, err := sched.Add(ctx, jobcenter.Job{ID: id, Task: "step", Trigger: soon, Priority: priority}); err != nil {
			log.Fatal(err)
		}
	}
	if err := sched.Run(ctx); err != nil {
		log.Fatal(err)
	}
	// Output:
	// fetch begins
	// fetch ends
	// build begins
	// build ends
	// clean begins
	// clean ends
}
