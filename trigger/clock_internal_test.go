package trigger

import (
	"slices"
	"strconv"
	"strings"
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

// TestDailyWords takes the words of a daily window back to its times of day.
func TestDailyWords(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		clock := func(name string) time.Duration {
			h, m, s := rapid.IntRange(0, 23).Draw(t, name+" hour"), rapid.SampledFrom([]int{0, 30, 59}).Draw(t, name+" minute"), rapid.SampledFrom([]int{0, 0, 59}).Draw(t, name+" second")
			return time.Duration(h*3600+m*60+s) * time.Second
		}
		spec := DailyTimeSpec{Every: rapid.IntRange(1, 24).Draw(t, "every"), Unit: rapid.SampledFrom([]Unit{Second, Minute, Hour}).Draw(t, "unit"), From: clock("from"), To: clock("to")}
		d, err := NewDailyTimeInterval(spec, Options{})
		if err != nil {
			t.Fatal(err)
		}
		text := d.describe(englishWords{})
		var got []int64
		if at, ok := strings.CutPrefix(text, "at "); ok {
			got = []int64{int64(secondOfDay(t, strings.TrimSuffix(at, " every day")))}
		} else {
			every, window, _ := strings.Cut(strings.TrimPrefix(text, "every "), " from ")
			from, to := int64(0), int64(secondsPerDay-1)
			if window != "" {
				a, b, _ := strings.Cut(window, " to ")
				from = int64(secondOfDay(t, a))
				if clock, next := strings.CutSuffix(b, " the next day"); b != "the end of the day" {
					to = int64(secondOfDay(t, clock))
					if next {
						to += secondsPerDay
					}
				}
			}
			step := int64(1)
			if n, unit, ok := strings.Cut(every, " "); ok {
				every = strings.TrimSuffix(unit, "s")
				if step, err = strconv.ParseInt(n, 10, 64); err != nil {
					t.Fatal(err)
				}
			}
			step *= map[string]int64{"": 1, "second": 1, "minute": 60, "hour": 3600}[every]
			for at := from; at <= to; at += step {
				got = append(got, at)
			}
		}
		var want []int64
		for at := d.from; at <= d.to; at += d.step {
			want = append(want, at)
		}
		if !slices.Equal(got, want) {
			t.Fatalf("%+v is %q: %v, want %v", spec, text, got, want)
		}
	})
}

// TestDayWords makes sure that plans of the same words have the same days.
func TestDayWords(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		p := drawDays(t)
		q := drawDays(t)
		for _, field := range []func(){ // two plans that differ in one field
			func() { p.days, q.days = q.days, p.days },
			func() { p.weekdays, q.weekdays = q.weekdays, p.weekdays },
			func() { p.months, q.months = q.months, p.months },
			func() { p.eitherDay, q.eitherDay = q.eitherDay, p.eitherDay },
			func() { p.special, q.special = q.special, p.special },
		} {
			before := p
			field()
			p = asParsed(p)
			for _, w := range []words{englishWords{}, chineseWords{}} {
				if w.plan(p.spoken(), clock{}) != w.plan(before.spoken(), clock{}) {
					continue
				}
				for n := range 12 * 28 { // after 28 years the calendar repeats
					year, month := 2000+n/12, n%12+1
					first := dayNumber(year, month, 1)
					days := func(p *plan) uint32 {
						if p.months>>uint(month)&1 == 0 {
							return 0
						}
						return p.monthDays(year, month, first)
					}
					if a, b := days(&p), days(&before); a != b {
						t.Fatalf("%q has the days %b and %b of %d-%d", w.plan(p.spoken(), clock{}), a, b, year, month)
					}
				}
			}
		}
	})
}

// drawDays draws the days of a plan.
func drawDays(t *rapid.T) plan {
	one := func(name string, values ...uint64) uint64 { return rapid.SampledFrom(values).Draw(t, name) }
	p := plan{seconds: 1, minutes: 1, hours: 1, weeks: allWeeks}
	p.days = uint32(one("days", allDays, 0, 1<<1, 1<<1|1<<15, 1<<31, 0x55555554))
	p.weekdays = uint8(one("weekdays", allWeekdays, 0, 1<<1, 1<<0|1<<6, 0x3e))
	p.months = uint16(one("months", allMonths, 1<<2, 1<<6|1<<7|1<<8, 1<<1|1<<7))
	s := &specialDays{
		fromEnd: uint32(one("from the end", 0, 1, 1<<1, 1<<3|1)), nearest: uint32(one("nearest", 0, 1<<15, 1<<1|1<<22)),
		nearestEnd: uint32(one("nearest to the end", 0, 1, 1<<2)),
	}
	if one("1st to last", 0, 1) == 1 {
		s.nth[one("which", 0, 1, 4, 5)] = uint8(one("of", 1, 1<<5, 1<<1|1<<2))
	}
	if one("weekdays of the month", 0, 1) == 1 {
		s.weekdayNth[one("which weekday", 0, 1, 4, 5)] = uint8(one("of those", 1, 1<<5, 1<<1|1<<2))
	}
	if *s != (specialDays{}) {
		p.special = s
	}
	p.eitherDay = rapid.Bool().Draw(t, "either")
	return asParsed(p)
}

// asParsed makes a plan of days one that a parser could give.
func asParsed(p plan) plan {
	special := p.specialOrNone()
	if p.days == 0 && special.fromEnd|special.nearest|special.nearestEnd == 0 && special.nth == [6]uint8{} {
		p.days = 1 << 1
	}
	if p.weekdays == 0 && special.weekdayNth == [6]uint8{} {
		p.weekdays = 1 << 1
	}
	p.eitherDay = p.eitherDay && p.days != allDays && p.weekdays != allWeekdays
	return p
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
