package bench

import (
	"fmt"
	"strings"
	"testing"
	"text/tabwriter"
	"time"
)

// chain gives the fires after begin, found by looking at the clocks step by
// step. It holds what the package trigger promises for a change of the clocks.
func (p plan) chain(begin time.Time) []time.Time {
	var fires []time.Time
	latest := wall(begin) // that the clocks have shown so far
	for t := begin.Add(p.step); len(fires) < p.fires; t = t.Add(p.step) {
		shown := wall(t)
		due := p.often && p.due(shown)
		// Fixed times are due once: when the clocks show or skip them first.
		for ; latest.Before(shown); latest = latest.Add(p.step) {
			due = due || !p.often && p.due(latest.Add(p.step))
		}
		if due {
			fires = append(fires, t)
		}
	}
	return fires
}

// wall gives what the clocks show, as a time without changes.
func wall(t time.Time) time.Time {
	return time.Date(t.Year(), t.Month(), t.Day(), t.Hour(), t.Minute(), t.Second(), 0, time.UTC)
}

// answers compares with the chains. Every question is asked at a right fire, so
// that one mistake counts once.
func (c contestant) answers(p plan, zone *time.Location, chains [][]time.Time) string {
	s, err := c.parse(p, zone)
	if err != nil {
		return "cannot say it: " + strings.ReplaceAll(err.Error(), "\n", ": ")
	}
	asked, wrong, first := 0, 0, ""
	for i, after := range p.begins(zone) {
		for _, want := range chains[i] {
			asked++
			if got := s.Next(after); !got.Equal(want) {
				if wrong++; wrong == 1 {
					first = fmt.Sprintf("after %s: %s, not %s", show(after, zone), show(got, zone), show(want, zone))
				}
			}
			after = want
		}
	}
	if wrong == 0 {
		return "right"
	}
	return fmt.Sprintf("%d of %d wrong, first %s", wrong, asked, first)
}

func show(t time.Time, zone *time.Location) string {
	if t.IsZero() {
		return "none"
	}
	return t.In(zone).Format("2006-01-02 15:04:05 MST")
}

// TestAnswers wants ours to be right and tells the report how the others are.
func TestAnswers(t *testing.T) {
	// Beside the plans that are measured, one of fixed times that are skipped
	// and shown twice. Each contestant has a rule of its own for these; ours
	// has to keep to ours.
	all := append(plans(), plan{
		name: "30 1,2 * * *", crontab: "30 1,2 * * *", quartz: "0 30 1,2 * * ?",
		lead: 2 * day, fires: 20, step: time.Minute,
		due: func(w time.Time) bool { return w.Minute() == 30 && (w.Hour() == 1 || w.Hour() == 2) },
	})
	var table strings.Builder
	rows := tabwriter.NewWriter(&table, 0, 0, 2, ' ', 0)
	for _, p := range all {
		for _, zone := range zones(t) {
			t.Run(p.name+"/"+zone.String(), func(t *testing.T) {
				var chains [][]time.Time
				for _, begin := range p.begins(zone) {
					chains = append(chains, p.chain(begin))
				}
				for _, c := range contestants() {
					answer := c.answers(p, zone, chains)
					if c.name == "jobcenter" && answer != "right" {
						t.Errorf("ours: %s", answer)
					}
					t.Attr(c.name, answer)
					fmt.Fprintf(rows, "%s\t%s\t%s\t%s\n", p.name, zone, c.name, answer)
				}
			})
		}
	}
	if err := rows.Flush(); err != nil {
		t.Fatal(err)
	}
	t.Log("\n" + table.String())
}
