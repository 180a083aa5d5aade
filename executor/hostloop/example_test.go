package hostloop_test

import (
	"context"
	"fmt"
	"log"
	"time"

	"github.com/jobcenter-go/jobcenter"
	"github.com/jobcenter-go/jobcenter/executor/hostloop"
	"github.com/jobcenter-go/jobcenter/trigger"
)

// window is a user interface of a sort: what is in it belongs to the goroutine
// that runs its loop, and nobody locks anything.
type window struct {
	calls  chan func()
	title  string
	closed bool
}

// Call has f called on the loop. It may be called from anywhere.
func (w *window) Call(f func()) { w.calls <- f }

// Loop carries out calls until the window is closed.
func (w *window) Loop() {
	for !w.closed {
		f := <-w.calls
		f()
	}
}

// A clock in the title of a window, set by a job.
func Example() {
	w := &window{calls: make(chan func()), title: "Untitled"}
	ui, err := hostloop.New(w.Call, hostloop.Options{})
	if err != nil {
		log.Fatal(err)
	}
	ticks := 0
	tick := jobcenter.TaskFunc(func(context.Context, *jobcenter.RunContext) error {
		ticks++
		w.title = fmt.Sprintf("Untitled (open for %d ticks)", ticks)
		w.closed = ticks == 3 // somebody clicks the cross
		return nil
	})
	sched, err := jobcenter.New(jobcenter.Options{
		Tasks:     map[string]jobcenter.Task{"tick": tick},
		Executors: map[string]jobcenter.Executor{"ui": ui},
	})
	if err != nil {
		log.Fatal(err)
	}
	often, err := trigger.Every(20 * time.Millisecond)
	if err != nil {
		log.Fatal(err)
	}
	if _, err := sched.Add(context.Background(), jobcenter.Job{Task: "tick", Trigger: often, Executor: "ui"}); err != nil {
		log.Fatal(err)
	}
	if err := sched.Start(); err != nil {
		log.Fatal(err)
	}
	w.Loop()
	// The loop has ended; runs that wait for it need not be waited for.
	now, cancel := context.WithCancel(context.Background())
	cancel()
	_ = sched.Shutdown(now)
	fmt.Println(w.title)
	// Output: Untitled (open for 3 ticks)
}
