package trigger_test

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"time"
)

// The classes into which cases fall. All others are differences on purpose:
// docs/triggers.md has a row for each.
const (
	same         = "same"              // fires as in the source
	refused      = "refused by both"   // an error there and here
	underPolicy  = "same under policy" // with on_gap and on_fold set
	tzdb         = "tz database"       // the machine's release matters
	notExplained = "not explained"     // a bug
)

// A difference on purpose is a class, and how to tell that a case belongs to
// it: as far as the data allow, that all is well but for this difference.
type difference struct {
	class    string
	explains func(c *goldenCase) bool
}

// differences are those in fires, in order: the first that explains a case
// counts.
func differences() []difference {
	return []difference{
		{underPolicy, func(c *goldenCase) bool {
			return c.anyPolicy(c.Fires)
		}},
		{"date read as the later instant", func(c *goldenCase) bool {
			return c.fires(asked{later: true}, c.Fires)
		}},
		{"date in the past", func(c *goldenCase) bool {
			return c.Kind == "or" && len(c.Fires) > 0 && c.Fires[0].Before(c.From) && c.fires(asked{from: c.Fires[0]}, c.Fires)
		}},
		{"interval counted anew", func(c *goldenCase) bool {
			return c.fires(asked{}, c.FiresStateless)
		}},
		{"no change of offset after 2037", func(c *goldenCase) bool {
			return c.Beyond2037 && c.fires(asked{}, c.FiresZoneinfo)
		}},
		{"back in time", func(c *goldenCase) bool {
			back := c.Backwards || c.Kind == "cron" && len(c.Fires) > 0 && c.Fires[0].Before(c.From)
			return back && c.onOtherDays(c.FiresZoneinfo)
		}},
		{"lost beside a change", func(c *goldenCase) bool {
			return c.fires(asked{}, c.FiresZoneinfo)
		}},
		{"occurrences mixed", func(c *goldenCase) bool {
			return c.anyPolicy(c.FiresZoneinfo)
		}},
		{"rest of the day lost", func(c *goldenCase) bool {
			return c.Kind == "quartz" && c.From.Nanosecond() > 0 && c.fires(asked{from: c.From.Add(24 * time.Hour)}, c.Fires)
		}},
		{"end not kept", func(c *goldenCase) bool {
			end, err := time.Parse(time.RFC3339Nano, c.Spec.text("end_time"))
			inTime := slices.DeleteFunc(slices.Clone(c.Fires), func(at time.Time) bool { return !at.Before(end) })
			return err == nil && len(inTime) < len(c.Fires) && c.fires(asked{}, inTime)
		}},
		{"no search past 2126", func(c *goldenCase) bool {
			ours := c.ask(asked{}, len(c.Fires)+1)
			return c.Exhausted && len(ours) > len(c.Fires) && ours[len(c.Fires)].Year() > 2126 && equal(ours[:len(c.Fires)], c.Fires)
		}},
		{"last day of 9999", func(c *goldenCase) bool {
			ours := c.ask(asked{}, 2)
			return c.EndedBy == "overflow" && len(ours) == 1 && ours[0].Format(time.DateOnly) == "9999-12-31"
		}},
		{"day lost by a short month", func(c *goldenCase) bool {
			return c.MonthEnd && slices.EqualFunc(c.ask(asked{shortMonth: "last"}, len(c.Fires)), c.Fires, inMonth)
		}},
		{"hour lost by a gap", func(c *goldenCase) bool {
			return c.Kind == "calendar_interval" && slices.EqualFunc(c.ask(asked{gap: "after"}, len(c.Fires)), c.Fires, onDay) && !c.onOtherDays(c.Fires)
		}},
		{"W in a list", func(c *goldenCase) bool { return c.Quirk == "W-in-list" }},
		{"W in a short month", func(c *goldenCase) bool { return c.Quirk == "nearest-weekday-past-month-end" }},
		{"later by the gap", func(c *goldenCase) bool {
			return (len(c.Wall) > 0 || c.Kind == "calendar_interval") && c.onOtherDays(c.Fires)
		}},
		{"own fires on the day of a change", func(c *goldenCase) bool {
			return c.onOtherDays(c.Fires)
		}},
	}
}

// acceptedHere gives the class of what the source refuses.
func (c *goldenCase) acceptedHere() string {
	switch c.Kind {
	case "quartz":
		return "L in a list"
	case "daily_time_interval":
		return "window past midnight"
	}
	return c.Spec.text("expr")
}

// refusedHere gives the class of what only we refuse.
func (c *goldenCase) refusedHere() string {
	switch {
	case c.Kind == "interval" && c.Clean:
		return "interval of zero"
	case c.Quirk == "trailing-text-ignored" || c.Clean:
		return "text behind a name"
	case c.Quirk == "last-value-0-read-as-absent-in-step-check":
		return "step larger than its range"
	case c.Quirk == "invalid-weekday-accepted":
		return "weekday 8"
	case c.Kind == "quartz" && len(c.Fires) == 0:
		return "year that never comes"
	case c.Kind == "quartz":
		return "taken by accident"
	}
	return c.Spec.text("expr")
}

// mayBeClean tells whether a class has cases that the data call clean: what is
// refused by decision.
func mayBeClean(class string) bool {
	return slices.Contains([]string{same, "interval of zero", "text behind a name"}, class)
}

// disagreement gives the class of a case on which the sources differ. Away from
// changes of the offset, the rule of crontab decides. Near them, each source
// must be right under the policies that explain it.
func (c *goldenCase) disagreement(t *testing.T, err error) string {
	t.Helper()
	switch rule := c.VixieRule.(type) {
	case []any:
		if c.fires(asked{}, instants(t, rule)) {
			return same
		}
		return notExplained
	case string: // not of the plain grammar
		if err != nil {
			return refused
		}
		return c.acceptedHere()
	}
	class := c.Reason
	for _, answer := range c.Answers {
		c.checkPolicies(t, answer.Fires, answer.Wall)
		if namesPolicy(answer.Wall) {
			class = underPolicy
		}
	}
	if words := strings.Fields(c.Spec.text("expr")); class != underPolicy && len(words) == 5 {
		// The sources want one of the two days, we want both; but not if said
		// in another way.
		words[2] = strings.Replace(words[2], "*", "1-31", 1)
		either := *c
		either.Spec = goldenSpec{"expr": strings.Join(words, " ")}
		for _, answer := range c.Answers {
			if either.anyPolicy(answer.Fires) {
				return "either day"
			}
		}
	}
	return class
}

// observed gives the class of what the cron daemon ran.
func (c *goldenCase) observed(err error) string {
	var ours []time.Time
	if err == nil {
		for _, fire := range c.ask(asked{}, 10) {
			if !fire.After(c.Until) {
				ours = append(ours, fire)
			}
		}
	}
	switch {
	case equal(ours, c.Ran):
		return same
	case equal(ours, slices.CompactFunc(slices.Clone(c.Ran), time.Time.Equal)):
		return "once for all times in a gap"
	}
	return c.Spec.text("expr")
}

// policies are ours, by their names in the data.
func policies() map[string]asked {
	return map[string]asked{
		"edge/first":  {gap: "after", fold: "first", later: true},
		"edge/second": {gap: "after", fold: "second", later: true},
		"edge/both":   {gap: "after", fold: "both", later: true},
		"skip/first":  {gap: "skip", fold: "first", later: true},
		"skip/second": {gap: "skip", fold: "second", later: true},
		"skip/both":   {gap: "skip", fold: "both", later: true},
	}
}

func namesPolicy(wall []string) bool {
	return slices.ContainsFunc(wall, func(name string) bool { return policies()[name].gap != "" })
}

// checkPolicies makes sure that the policies that explain some fires do so
// here, and no others. Where none explains them there is nothing to check, and
// searches that found nothing were tried under few.
func (c *goldenCase) checkPolicies(t *testing.T, fires []time.Time, wall []string) {
	t.Helper()
	if len(wall) == 0 || len(fires) == 0 {
		return
	}
	for name, how := range policies() {
		if got, want := c.fires(how, fires), slices.Contains(wall, name); got != want {
			t.Errorf("%s: %v %s: under %s as the source: %v, want %v", c.ID, c.Spec, c.Timezone, name, got, want)
		}
	}
}

// anyPolicy tells whether a policy of ours gives the fires.
func (c *goldenCase) anyPolicy(fires []time.Time) bool {
	return slices.ContainsFunc(slices.Collect(maps.Values(policies())), func(how asked) bool {
		return c.fires(how, fires)
	})
}

// onOtherDays tells whether our fires are those given, but for days on which the
// zone's offset changes.
func (c *goldenCase) onOtherDays(fires []time.Time) bool {
	changes := func(at time.Time) bool {
		y, m, d := at.In(c.zone).Date()
		noon := time.Date(y, m, d, 12, 0, 0, 0, c.zone)
		return offset(noon.Add(-13*time.Hour), c.zone) != offset(noon.Add(13*time.Hour), c.zone)
	}
	fires = slices.DeleteFunc(slices.Clone(fires), changes)
	ours := slices.DeleteFunc(c.ask(asked{}, 200), changes)
	return len(ours) >= len(fires) && equal(ours[:len(fires)], fires)
}

func equal(a, b []time.Time) bool { return slices.EqualFunc(a, b, time.Time.Equal) }

func onDay(a, b time.Time) bool { return a.Format(time.DateOnly) == b.Format(time.DateOnly) }

func inMonth(ours, theirs time.Time) bool {
	return ours.Format("2006-01") == theirs.Format("2006-01") && !ours.Before(theirs)
}
