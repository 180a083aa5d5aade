package jobcenter

import (
	"bytes"
	"testing"
)

// A store that stands still just when a run goes from the head of its output
// to the tail must not make it hold more than both.
func TestOutputStaysBoundedWhileTheStoreStandsStill(t *testing.T) {
	t.Parallel()
	const limit = 256 << 10 // the head is less than the task would wait for
	o := newOutput(&Run{ID: "r", Attempt: 1}, limit, func(bool) {})
	line := bytes.Repeat([]byte("x"), 1000)
	most := 0
	const lines = 10_000
	for range lines {
		if _, err := (stream{o, Stdout}).Write(line); err != nil {
			t.Fatal(err)
		}
		most = max(most, o.held)
	}
	if most > limit+limit/2 {
		t.Errorf("held %d bytes, want about %d", most, limit)
	}
	chunks, drops, _ := o.take(true)
	if len(drops) != 0 {
		t.Errorf("drops = %+v, although the store has nothing", drops)
	}
	var at, sum int64
	gaps := 0
	for _, chunk := range chunks {
		if chunk.Offset != at {
			gaps++
			if at != limit/2 {
				t.Errorf("gap at %d, want it after the head", at)
			}
		}
		at = chunk.Offset + int64(len(chunk.Data))
		sum += int64(len(chunk.Data))
	}
	size, kept := o.sizes()
	if gaps != 1 || at != lines*1000 || size != at || kept != sum || sum > limit || sum < limit*7/10 {
		t.Errorf("%d gaps, ends at %d of %d, %d bytes, %d called kept", gaps, at, size, sum, kept)
	}
}
