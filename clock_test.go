package jobcenter

import (
	"testing"
	"time"
	"unsafe"

	"github.com/google/go-cmp/cmp"
)

// jumped is an instant as the clock shows it after somebody moved it: the wall
// clock by d, the monotonic one not at all. Package time has no way to make
// one, so the monotonic reading, its second word, is set back by hand.
func jumped(t *testing.T, at time.Time, d time.Duration) time.Time {
	t.Helper()
	moved := at.Add(d)
	*(*int64)(unsafe.Add(unsafe.Pointer(&moved), 8)) -= int64(d)
	if moved.Sub(at) != 0 || moved.Round(0).Sub(at.Round(0)) != d {
		t.Fatalf("package time has changed: moved by %s, wall clock by %s", moved.Sub(at), moved.Round(0).Sub(at.Round(0)))
	}
	return moved
}

func TestClockWatch(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		passed, by, want time.Duration
	}{
		"nothing":             {0, 0, 0},
		"time passes":         {time.Hour, 0, 0},
		"slewed":              {time.Minute, 500 * time.Millisecond, 0},
		"slewed back":         {time.Minute, -999 * time.Millisecond, 0},
		"forward":             {time.Second, time.Hour, time.Hour},
		"back":                {time.Second, -time.Hour, -time.Hour},
		"just enough":         {0, time.Second, time.Second},
		"the machine slept":   {10 * time.Millisecond, 8 * time.Hour, 8 * time.Hour},
		"back by all of it":   {time.Hour, -time.Hour, -time.Hour},
		"just enough to back": {0, -time.Second, -time.Second},
	} {
		begin := time.Now()
		w := clockWatch{last: begin}
		now := jumped(t, begin.Add(test.passed), test.by)
		if got := w.jump(now); got != test.want {
			t.Errorf("%s: jumped by %s, want %s", name, got, test.want)
		}
		if got := w.jump(now.Add(time.Minute)); got != 0 {
			t.Errorf("%s: it is told twice, as %s", name, got)
		}
	}
}

// What becomes of a job when the clock is moved: forward it is as if nobody had
// been there, back it waits, and what it did is not done again.
func TestPlanAfterAClockJump(t *testing.T) {
	t.Parallel()
	job := Job{ID: "j", Trigger: every(time.Minute), MaxInstances: 1, NextFireTime: noon, PreviousFireTime: noon.Add(-time.Minute), UpdatedAt: noon.Add(-time.Hour)}
	forward := plan(job, Active{}, noon.Add(2*time.Hour))
	if diff := cmp.Diff([]string{"missed/misfire 0..7080 ×119", "skipped/coalesced 7140", "queued/ 7200"}, brief(forward.Runs)); diff != "" {
		t.Errorf("forward by two hours (-want +got):\n%s", diff)
	}
	job.NextFireTime, job.PreviousFireTime = forward.Next, forward.Previous
	back := plan(job, Active{}, noon.Add(time.Minute))
	if len(back.Runs) != 0 || !back.Next.Equal(job.NextFireTime) || back.Quarantine != "" {
		t.Errorf("back again: %+v", back)
	}
}
