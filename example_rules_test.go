package jobcenter_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"os"
	"time"

	"github.com/jobcenter-go/jobcenter"
	"github.com/jobcenter-go/jobcenter/trigger"
)

// yearly is a trigger for jobs that the examples start by hand.
func yearly() trigger.Trigger {
	t, err := trigger.ParseText("@yearly", nil)
	if err != nil {
		log.Fatal(err)
	}
	return t
}

// started returns a scheduler that runs in the background, and what waits for
// the next run to end and tells how.
func started(opts jobcenter.Options) (*jobcenter.Scheduler, func() jobcenter.Run) {
	sched, err := jobcenter.New(opts)
	if err != nil {
		log.Fatal(err)
	}
	ends := make(chan jobcenter.Run, 100)
	sched.Subscribe(jobcenter.EventFilter{Types: []jobcenter.EventType{jobcenter.EventRunEnded, jobcenter.EventRunSkipped}},
		func(e jobcenter.Event) { ends <- *e.Run })
	if err := sched.Start(); err != nil {
		log.Fatal(err)
	}
	return sched, func() jobcenter.Run { return <-ends }
}

// A task with arguments of a type of its own, and a result that the next run
// can read.
func ExampleNewResultTask() {
	type args struct {
		Table string `json:"table"`
	}
	sync := jobcenter.NewResultTask(func(_ context.Context, run *jobcenter.RunContext, a args) (int, error) {
		var last int
		if err := run.Previous(&last); err != nil {
			return 0, err
		}
		fmt.Printf("%s: rows from %d on\n", a.Table, last)
		return last + 100, nil
	})
	sched, wait := started(jobcenter.Options{Tasks: map[string]jobcenter.Task{"sync": sync}})
	ctx := context.Background()

	job := jobcenter.Job{ID: "orders", Task: "sync", Trigger: yearly(), Args: json.RawMessage(`{"tabel":"orders"}`)}
	_, err := sched.Add(ctx, job)
	fmt.Println(err)

	job.Args = json.RawMessage(`{"table":"orders"}`)
	if _, err := sched.Add(ctx, job); err != nil {
		log.Fatal(err)
	}
	for range 2 {
		if _, err := sched.RunNow(ctx, "orders", jobcenter.StartOptions{}); err != nil {
			log.Fatal(err)
		}
		wait()
	}
	if err := sched.Shutdown(ctx); err != nil {
		log.Fatal(err)
	}
	// Output:
	// args: json: unknown field "tabel"
	// orders: rows from 0 on
	// orders: rows from 100 on
}

// A declared job, as a program states it at each start.
func ExampleScheduler_Ensure() {
	sched, err := jobcenter.New(jobcenter.Options{Tasks: map[string]jobcenter.Task{"report": jobcenter.TaskFunc(nothing)}})
	if err != nil {
		log.Fatal(err)
	}
	declare := func(timeout time.Duration) {
		_, changes, err := sched.Ensure(context.Background(), jobcenter.Job{ID: "report", Task: "report", Trigger: yearly(), Timeout: timeout})
		fmt.Println(changes.Added, changes.Fields, err)
	}
	declare(time.Minute)
	declare(time.Minute) // the next start
	declare(time.Hour)   // a new version of the program
	// Output:
	// true [] <nil>
	// false [] <nil>
	// false [timeout] <nil>
}

// A run that fails is tried again; what cannot be mended is not.
func ExampleRetry() {
	fetch := jobcenter.TaskFunc(func(_ context.Context, run *jobcenter.RunContext) error {
		if run.Attempt() < 3 {
			return errors.New("the server is busy")
		}
		return jobcenter.NoRetry(errors.New("no such file"))
	})
	sched, wait := started(jobcenter.Options{Tasks: map[string]jobcenter.Task{"fetch": fetch}})
	ctx := context.Background()
	_, err := sched.Add(ctx, jobcenter.Job{
		ID: "feed", Task: "fetch", Trigger: yearly(),
		Retry: jobcenter.Retry{Attempts: 5, Delay: 10 * time.Millisecond},
	})
	if err != nil {
		log.Fatal(err)
	}
	if _, err := sched.RunNow(ctx, "feed", jobcenter.StartOptions{}); err != nil {
		log.Fatal(err)
	}
	run := wait()
	fmt.Println(run.State, "in attempt", run.Attempt, "-", run.Message)
	if err := sched.Shutdown(ctx); err != nil {
		log.Fatal(err)
	}
	// Output: failed in attempt 3 - no such file
}

// A listener, and a veto.
func ExampleScheduler_Subscribe() {
	sched, wait := started(jobcenter.Options{Tasks: map[string]jobcenter.Task{"deploy": jobcenter.TaskFunc(nothing)}})
	ctx := context.Background()
	told := make(chan string, 10)
	stop := sched.Subscribe(jobcenter.EventFilter{Tag: "production"}, func(e jobcenter.Event) { told <- string(e.Type) })
	defer stop()
	sched.BeforeRun(jobcenter.EventFilter{Tag: "production"}, func(context.Context, jobcenter.Job, jobcenter.Run) error {
		return errors.New("there is a freeze until Monday")
	})
	if _, err := sched.Add(ctx, jobcenter.Job{ID: "shop", Task: "deploy", Tags: []string{"production"}, Trigger: yearly()}); err != nil {
		log.Fatal(err)
	}
	if _, err := sched.RunNow(ctx, "shop", jobcenter.StartOptions{Origin: jobcenter.OriginManual, Actor: "li"}); err != nil {
		log.Fatal(err)
	}
	run := wait()
	fmt.Printf("%s, %s: %s\n", run.State, run.Reason, run.Message)
	for range 4 {
		fmt.Println(<-told)
	}
	if err := sched.Shutdown(ctx); err != nil {
		log.Fatal(err)
	}
	// Output:
	// skipped, veto: there is a freeze until Monday
	// job_added
	// run_queued
	// run_started
	// run_skipped
}

// What became of an instant, or will, in words.
func ExampleScheduler_Why() {
	sched, err := jobcenter.New(jobcenter.Options{Tasks: map[string]jobcenter.Task{"report": jobcenter.TaskFunc(nothing)}})
	if err != nil {
		log.Fatal(err)
	}
	ctx := context.Background()
	if _, err := sched.Add(ctx, jobcenter.Job{ID: "report", Task: "report", Trigger: yearly()}); err != nil {
		log.Fatal(err)
	}
	newYear := time.Date(2999, 1, 1, 0, 0, 0, 0, time.UTC)
	explain := func(at time.Time, lang trigger.Lang) {
		why, err := sched.Why(ctx, "report", at, lang)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(why.Verdict, "-", why.Text)
	}
	explain(newYear, trigger.English)
	if _, err := sched.Pause(ctx, "report", jobcenter.PauseOptions{Reason: "the books are closed"}); err != nil {
		log.Fatal(err)
	}
	explain(newYear, trigger.English)
	explain(newYear, trigger.Chinese)
	explain(newYear.Add(time.Hour), trigger.English)
	// Output:
	// will_run - it will run
	// will_not - the job is paused: the books are closed
	// will_not - 任务已暂停: the books are closed
	// no_fire - the trigger does not fire at this instant; the last fire time before is 2999-01-01 00:00:00 UTC; the next one after is 3000-01-01 00:00:00 UTC
}

// Runs for fire times of the past.
func ExampleScheduler_Backfill() {
	load := jobcenter.TaskFunc(func(_ context.Context, run *jobcenter.RunContext) error {
		fmt.Println("loading", run.FireTime().Format(time.DateOnly))
		return nil
	})
	sched, wait := started(jobcenter.Options{Tasks: map[string]jobcenter.Task{"load": load}})
	ctx := context.Background()
	daily, err := trigger.ParseText("@daily", nil)
	if err != nil {
		log.Fatal(err)
	}
	if _, err := sched.Add(ctx, jobcenter.Job{ID: "load", Task: "load", Trigger: daily}); err != nil {
		log.Fatal(err)
	}
	n, series, err := sched.Backfill(ctx, "load", jobcenter.Backfill{
		From: time.Date(2026, 2, 27, 0, 0, 0, 0, time.UTC), To: time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC), Name: "february",
	})
	fmt.Println(n, series, err)
	for range n {
		wait()
	}
	if err := sched.Shutdown(ctx); err != nil {
		log.Fatal(err)
	}
	// Output:
	// 3 february <nil>
	// loading 2026-02-27
	// loading 2026-02-28
	// loading 2026-03-01
}

// A function without a name, for jobs that need not outlive the process.
func ExampleJob_func() {
	sched, wait := started(jobcenter.Options{})
	ctx := context.Background()
	name := "world"
	_, err := sched.Add(ctx, jobcenter.Job{ID: "hello", Trigger: yearly(), Func: func(context.Context, *jobcenter.RunContext) error {
		fmt.Println("hello,", name)
		return nil
	}})
	if err != nil {
		log.Fatal(err)
	}
	if _, err := sched.RunNow(ctx, "hello", jobcenter.StartOptions{}); err != nil {
		log.Fatal(err)
	}
	fmt.Println(wait().State)
	if err := sched.Shutdown(ctx); err != nil {
		log.Fatal(err)
	}
	// Output:
	// hello, world
	// succeeded
}

// All jobs of a group are paused, listed, and removed.
func ExampleScheduler_PauseAll() {
	sched, err := jobcenter.New(jobcenter.Options{Tasks: map[string]jobcenter.Task{"work": jobcenter.TaskFunc(nothing)}})
	if err != nil {
		log.Fatal(err)
	}
	ctx := context.Background()
	for _, id := range []string{"a", "b", "c"} {
		job := jobcenter.Job{ID: id, Task: "work", Trigger: yearly()}
		if id != "c" {
			job.Tags = []string{"db"}
		}
		if _, err := sched.Add(ctx, job); err != nil {
			log.Fatal(err)
		}
	}
	group := jobcenter.JobQuery{Tag: "db"}
	n, err := sched.PauseAll(ctx, group, jobcenter.PauseOptions{Reason: "migration"})
	fmt.Println(n, err)
	if err := sched.Print(ctx, os.Stdout, jobcenter.JobQuery{State: jobcenter.JobPaused}); err != nil {
		log.Fatal(err)
	}
	n, err = sched.RemoveAll(ctx, group)
	fmt.Println(n, err)
	// Output:
	// 2 <nil>
	// ID  NAME  TASK  TRIGGER                       STATE   NEXT FIRE TIME
	// a   a     work  crontab @yearly timezone=UTC  paused  -
	// b   b     work  crontab @yearly timezone=UTC  paused  -
	// 2 <nil>
}
