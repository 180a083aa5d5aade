//go:build unix

package process_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"time"

	"github.com/jobcenter-go/jobcenter"
	"github.com/jobcenter-go/jobcenter/executor/process"
	"github.com/jobcenter-go/jobcenter/trigger"
)

// A task that takes its process down, and what is known of it afterwards. Here
// TestMain calls Main with the task, as main does in a program.
func Example() {
	pool, err := process.New(process.Options{Size: 2, Env: os.Environ()})
	if err != nil {
		log.Fatal(err)
	}
	sched, err := jobcenter.New(jobcenter.Options{
		Tasks:     exampleTasks(),
		Executors: map[string]jobcenter.Executor{"process": pool},
	})
	if err != nil {
		log.Fatal(err)
	}
	ended := make(chan jobcenter.Run)
	sched.Subscribe(jobcenter.EventFilter{Types: []jobcenter.EventType{jobcenter.EventRunEnded}}, func(e jobcenter.Event) { ended <- *e.Run })
	if err := sched.Start(); err != nil {
		log.Fatal(err)
	}
	ctx := context.Background()
	daily, err := trigger.Every(24 * time.Hour)
	if err != nil {
		log.Fatal(err)
	}
	job := jobcenter.Job{ID: "convert", Task: "convert", Executor: "process", Args: []byte(`"holiday.mov"`), Trigger: daily}
	if _, err := sched.Add(ctx, job); err != nil {
		log.Fatal(err)
	}
	if _, err := sched.RunNow(ctx, "convert", jobcenter.StartOptions{}); err != nil {
		log.Fatal(err)
	}
	run := <-ended
	output, err := sched.Store().Output(ctx, run.ID, 0, 1000)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s: %s, %s\n%s", run.State, run.Reason, run.Message, output[0].Data)
	if err := sched.Shutdown(ctx); err != nil {
		log.Fatal(err)
	}
	// Output:
	// failed: exit_code, exit code 70
	// converting holiday.mov
}

// exampleTasks are the tasks of the example.
func exampleTasks() map[string]jobcenter.Task {
	return map[string]jobcenter.Task{
		"convert": jobcenter.NewTask(func(_ context.Context, run *jobcenter.RunContext, file string) error {
			fmt.Fprintln(run.Stdout, "converting", file)
			os.Exit(70) // a library does that
			return nil
		}),
	}
}
