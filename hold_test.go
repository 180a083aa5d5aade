package jobcenter

import (
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// While changes of a job are on their way to the store, what follows from them
// is kept back and told after them, in whichever order they come back.
func TestEventsAreHeldBack(t *testing.T) {
	t.Parallel()
	life := func(n int) *Job { return &Job{ID: "j", CreatedAt: noon.Add(time.Duration(n) * time.Hour), Version: 1} }
	job := func(kind EventType, version int64) Event {
		j := life(1)
		j.Version = version
		return Event{Type: kind, Job: j}
	}
	run := func(kind EventType, id string, attempt int, version int64) Event {
		state := map[EventType]RunState{EventRunQueued: RunQueued, EventRunStarted: RunRunning, EventRunRetry: RunQueued, EventRunEnded: RunSucceeded}[kind]
		return Event{Type: kind, Job: life(1), Run: &Run{ID: id, JobID: "j", JobVersion: version, Attempt: attempt, State: state}}
	}
	tests := map[string]struct {
		do   func(b *bus)
		want string
	}{
		"nothing is held": {func(b *bus) {
			b.publish(job(EventJobAdded, 1))
			b.publish(run(EventRunStarted, "a", 1, 1))
		}, "job_added run_started"},
		"what follows from an addition": {func(b *bus) {
			release := b.hold("j")
			b.publish(run(EventRunStarted, "a", 1, 1))
			release(job(EventJobAdded, 1))
		}, "job_added run_started"},
		"runs of the version before a change, and of that after it": {func(b *bus) {
			release := b.hold("j")
			b.publish(run(EventRunStarted, "old", 1, 1))
			b.publish(run(EventRunStarted, "new", 1, 2))
			release(job(EventJobModified, 2))
		}, "run_started job_modified run_started"},
		"two changes that come back in the wrong order": {func(b *bus) {
			first, second := b.hold("j"), b.hold("j")
			second(job(EventJobPaused, 3))
			first(job(EventJobModified, 2))
		}, "job_modified job_paused"},
		"a run that has ended before its start was told": {func(b *bus) {
			started, ended := b.hold("j"), b.hold("j")
			b.publish(run(EventRunStarted, "a", 1, 1))
			ended(run(EventRunEnded, "a", 1, 1))
			started(run(EventRunQueued, "a", 0, 1))
		}, "run_queued run_started run_ended"},
		"the next attempt began before the end of the last was told": {func(b *bus) {
			release := b.hold("j")
			b.publish(run(EventRunStarted, "a", 2, 1))
			release(run(EventRunRetry, "a", 1, 1))
		}, "run_retry run_started"},
		"a job that is removed, and added again": {func(b *bus) {
			held := b.hold("j")
			removed := b.hold("j")
			b.publish(job(EventJobResumed, 7))
			removed(job(EventJobRemoved, 7))
			added := b.hold("j")
			again := Event{Type: EventRunStarted, Job: life(2), Run: &Run{ID: "b", JobVersion: 1, Attempt: 1, State: RunRunning}}
			b.publish(again)
			added(Event{Type: EventJobAdded, Job: life(2)})
			held()
		}, "job_resumed job_removed job_added run_started"},
		"a change that fails tells nothing": {func(b *bus) {
			release := b.hold("j")
			b.publish(run(EventRunStarted, "a", 1, 1))
			release()
		}, "run_started"},
		"several events of a change stay together": {func(b *bus) {
			release := b.hold("j")
			b.publish(run(EventRunStarted, "a", 1, 2))
			release(job(EventJobModified, 2), job(EventJobReleased, 2), run(EventRunSkipped, "x", 0, 1))
		}, "job_modified job_released run_skipped run_started"},
		"other jobs, and what is of no job, are told at once": {func(b *bus) {
			release := b.hold("j")
			b.publish(run(EventRunStarted, "a", 1, 1))
			b.publish(Event{Type: EventRunEnded, Job: &Job{ID: "other"}, Run: &Run{}}, Event{Type: EventSchedulerStandby})
			release(job(EventJobAdded, 1))
		}, "run_ended scheduler_standby job_added run_started"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				b := newBus("n", slog.New(slog.DiscardHandler))
				var got []string
				cancel := b.subscribe(EventFilter{}, func(e Event) { got = append(got, string(e.Type)) })
				test.do(b)
				synctest.Wait()
				cancel()
				if strings.Join(got, " ") != test.want {
					t.Errorf("told %v, want %s", got, test.want)
				}
				if len(b.holds) != 0 {
					t.Errorf("%d jobs are still held", len(b.holds))
				}
			})
		})
	}
}
