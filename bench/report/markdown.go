package main

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

const method = `Medians of all runs, in ns per call; behind the dot allocations per call, if
any. ✗ marks a contestant that answers wrongly somewhere in the chain of the plan
and zone, – one that cannot say the plan. × is the time of a peer divided by
ours: of the fastest, and of the fastest that answers rightly.

**Next** walks from fire to fire, beginning before New York's clocks change in
2026, forward and back, and beginning anew after a fixed number of fires that is
the same for all; a contestant that answers wrongly walks on from its own answer,
and one that finds nothing begins anew. **NextAnywhere** asks at 1024 instants
scattered over 2026. **Parse** reads the text of the plan. All contestants run in
one process, on one goroutine, and are called through the same interface. Right
answers are found by looking at the clocks minute by minute or finer.

- gocron tells next fires only of jobs of a running scheduler: measured is the
  part that computes them (NewDefaultCron). Its Parse is IsValid, which looks
  for a fire too.
- gronx keeps nothing of what it has read: its Parse is IsValid, and its Next
  reads the text again.
- 29 February on a Monday: both days of a crontab, where given, mean either. So
  ours has a cron plan of fields, netresearch its default of both (else it has
  the option of either), and the rest the fifth Monday of February (1#5).
- netresearch looks ahead 40 years by option; by default it would not find that.
`

func (r *report) markdown() string {
	var b strings.Builder
	b.WriteString("# JobCenter beside its peers\n\n")
	fmt.Fprintf(&b, "%s, %s, %s.\n\n%s\n", r.Date, r.Go, r.CPU, method)

	rows := [][]string{{"contestant", "module", "version"}}
	for _, c := range r.Contestants {
		rows = append(rows, []string{c.Name, c.Module, c.Version})
	}
	table(&b, rows)

	var measures []string
	for _, o := range r.Results {
		if !slices.Contains(measures, o.Measure) {
			measures = append(measures, o.Measure)
			fmt.Fprintf(&b, "\n## %s\n\n", o.Measure)
			r.times(&b, o.Measure)
		}
	}

	measured := func(a answer) bool {
		return slices.ContainsFunc(r.Results, func(o *result) bool { return o.subject == a.subject })
	}
	wrong := func(a answer) bool { return a.Answer != right && !strings.HasPrefix(a.Answer, cannotSay) }
	b.WriteString("\n## Wrong answers\n\n")
	r.answers(&b, func(a answer) bool { return measured(a) && wrong(a) })
	b.WriteString("\n## Fixed times that a change skips or repeats\n\n" +
		"Each contestant has a rule of its own for these. Ours: once after a gap, and at\n" +
		"the first of two occurrences. Not measured.\n\n")
	r.answers(&b, func(a answer) bool { return !measured(a) && wrong(a) })
	b.WriteString("\n## Plans that a contestant cannot say\n\n")
	r.answers(&b, func(a answer) bool { return strings.HasPrefix(a.Answer, cannotSay) })
	return b.String()
}

// times writes what was measured, ours first.
func (r *report) times(b *strings.Builder, measure string) {
	var names []string
	for _, o := range r.Results {
		for name := range o.Contestants {
			if o.Measure == measure && !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
	}
	slices.SortFunc(names, func(x, y string) int {
		return cmp.Or(cmp.Compare(r.rank(x), r.rank(y)), cmp.Compare(x, y))
	})

	rows := [][]string{slices.Concat([]string{"plan", "zone"}, names, []string{"fastest", "fastest right"})}
	for _, o := range r.Results {
		if o.Measure != measure {
			continue
		}
		row := []string{code(o.Plan), o.Zone}
		for _, name := range names {
			row = append(row, o.Contestants[name].String())
		}
		rows = append(rows, append(row, o.Fastest.String(), o.FastestRight.String()))
	}
	table(b, rows)
}

// rank gives the place of a contestant among all; a variant of one has the same.
func (r *report) rank(name string) int {
	return slices.IndexFunc(r.Contestants, func(c contestant) bool {
		return name == c.Name || strings.HasPrefix(name, c.Name+"-")
	})
}

func (r rival) String() string {
	if r.Name == "" {
		return "–"
	}
	return fmt.Sprintf("%s %.1f×", r.Name, r.Ratio)
}

func (s *sample) String() string {
	if s == nil {
		return "–"
	}
	digits := 0
	if s.Nanoseconds < 100 {
		digits = 1
	}
	text := fmt.Sprintf("%.*f", digits, s.Nanoseconds)
	if s.Allocs > 0 {
		text += fmt.Sprintf(" · %.0f", s.Allocs)
	}
	if !s.right() {
		text += " ✗"
	}
	return text
}

func (r *report) answers(b *strings.Builder, want func(answer) bool) {
	rows := [][]string{{"plan", "zone", "contestant", "answer"}}
	for _, a := range r.Answers {
		if want(a) {
			rows = append(rows, []string{code(a.Plan), a.Zone, a.Contestant, strings.TrimPrefix(a.Answer, cannotSay)})
		}
	}
	table(b, rows)
}

// code keeps the asterisks of a plan from becoming emphasis.
func code(s string) string { return "`" + s + "`" }

func table(b *strings.Builder, rows [][]string) {
	for i, row := range rows {
		fmt.Fprintf(b, "| %s |\n", strings.Join(row, " | "))
		if i == 0 {
			b.WriteString(strings.Repeat("|---", len(row)) + "|\n")
		}
	}
}
