package trigger

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

// TestClock takes what is said of a plan's time of day back to seconds of the
// day, and compares these with the plan's.
func TestClock(t *testing.T) {
	t.Parallel()
	said := 0
	rapid.Check(t, func(t *rapid.T) {
		p := plan{
			seconds: drawSet(t, "seconds", 60), minutes: drawSet(t, "minutes", 60), hours: uint32(drawSet(t, "hours", 24)),
		}
		c := p.clock()
		if c.times == nil && c.every == 0 {
			return // the fields are listed as they are
		}
		said++
		got := map[int]bool{}
		for _, text := range c.times {
			got[secondOfDay(t, text)] = true
		}
		from, to := 0, secondsPerDay-1
		if c.from != "" {
			from, to = secondOfDay(t, c.from), secondOfDay(t, c.to)
			if c.unit == "minute" {
				to += 59 // until the minute is over
			}
			if c.unit == "hour" {
				c.minute, c.second = from/60%60, from%60
			}
		}
		for s := from; s <= to; s++ {
			h, m, sec := s/3600, s/60%60, s%60
			if c.unit == "second" && sec%c.every == 0 ||
				c.unit == "minute" && m%c.every == c.minute && sec == c.second ||
				c.unit == "hour" && h%c.every == 0 && m == c.minute && sec == c.second {
				got[s] = true
			}
		}
		for s := range secondsPerDay {
			want := p.hours>>(s/3600)&1 != 0 && p.minutes>>(s/60%60)&1 != 0 && p.seconds>>(s%60)&1 != 0
			if got[s] != want {
				t.Fatalf("%+v of hours %x, minutes %x, seconds %x: second %d of the day is %v", c, p.hours, p.minutes, p.seconds, s, got[s])
			}
		}
	})
	if said == 0 {
		t.Error("no plan had an idiom")
	}
}

// drawSet draws a set in the forms that people write.
func drawSet(t *rapid.T, name string, size int) uint64 {
	first := rapid.IntRange(0, size-1).Draw(t, name+" first")
	last := rapid.IntRange(first, size-1).Draw(t, name+" last")
	step := rapid.SampledFrom([]int{1, 2, 5, 7, 10, 15, 30}).Draw(t, name+" step")
	switch rapid.IntRange(0, 7).Draw(t, name+" form") {
	case 0, 1:
		return 1
	case 2:
		return 1<<size - 1
	case 3:
		return span{first, last, 1}.set()
	case 4:
		return span{0, size - 1, step}.set()
	case 5:
		return 1<<first | 1<<last
	case 6:
		return span{first % step, size - 1, step}.set()
	}
	return 1 << first
}

func secondOfDay(t *rapid.T, text string) int {
	if len(text) == 5 {
		text += ":00"
	}
	at, err := time.Parse(time.TimeOnly, text)
	if err != nil {
		t.Fatal(err)
	}
	return at.Hour()*3600 + at.Minute()*60 + at.Second()
}
