package bench

import (
	"cmp"
	"errors"
	"os/exec"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/adhocore/gronx"
	"github.com/go-co-op/gocron/v2"
	gorhill "github.com/gorhill/cronexpr"
	hashicorp "github.com/hashicorp/cronexpr"
	netresearch "github.com/netresearch/go-cron"
	"github.com/reugn/go-quartz/quartz"
	robfig "github.com/robfig/cron/v3"

	"github.com/jobcenter-go/jobcenter/trigger"
)

// plan is one plan in the dialects of all contestants.
type plan struct {
	name    string
	crontab string // five fields or six, seconds first; "" if crontab cannot say it
	quartz  string // go-quartz
	// For what crontab cannot say:
	cron trigger.CronSpec // ours
	both string           // crontab, but both day fields must match
	nth  string           // crontab with the # of Quartz

	// The chain of fires: how long before the change of the clocks it begins,
	// and how many fires it has.
	lead  time.Duration
	fires int
	// due is the plan said once more, for the oracle; step is how finely it
	// has to look. often: the plan follows elapsed time.
	due   func(wall time.Time) bool
	step  time.Duration
	often bool
}

const day = 24 * time.Hour

func plans() []plan {
	return []plan{
		{
			name: "*/10 * * * * *", crontab: "*/10 * * * * *", quartz: "*/10 * * * * ?",
			lead: time.Hour, fires: 2000, step: time.Second, often: true,
			due: func(w time.Time) bool { return w.Second()%10 == 0 },
		},
		{
			name: "*/5 * * * *", crontab: "*/5 * * * *", quartz: "0 */5 * * * ?",
			lead: 12 * time.Hour, fires: 600, step: time.Minute, often: true,
			due: func(w time.Time) bool { return w.Minute()%5 == 0 },
		},
		{
			name: "0 9 * * 1-5", crontab: "0 9 * * 1-5", quartz: "0 0 9 ? * MON-FRI",
			lead: 2 * day, fires: 500, step: time.Minute,
			due: func(w time.Time) bool {
				return w.Minute() == 0 && w.Hour() == 9 && w.Weekday() != time.Saturday && w.Weekday() != time.Sunday
			},
		},
		{
			name: "30 4 1,15 * 5", crontab: "30 4 1,15 * 5", quartz: "0 30 4 1,15 * FRI",
			lead: 2 * day, fires: 300, step: time.Minute,
			due: func(w time.Time) bool {
				return w.Minute() == 30 && w.Hour() == 4 && (w.Day() == 1 || w.Day() == 15 || w.Weekday() == time.Friday)
			},
		},
		{
			// To 2096: robfig looks no farther than five years, the tables of
			// gorhill and hashicorp end in 2099, and giving up takes other
			// time than finding.
			name: "0 0 29 2 *", crontab: "0 0 29 2 *", quartz: "0 0 0 29 2 ?",
			lead: 2 * day, fires: 18, step: time.Hour,
			due: func(w time.Time) bool { return w.Hour() == 0 && w.Day() == 29 && w.Month() == time.February },
		},
		{
			// 2044 and 2072; the next is in 2112. A fifth Monday of February
			// is always the 29th.
			name: "29 February on a Monday", quartz: "0 0 0 ? 2 MON#5",
			cron: trigger.CronSpec{Month: "2", Day: "29", DayOfWeek: "mon"},
			both: "0 0 29 2 1", nth: "0 0 * 2 1#5",
			lead: 2 * day, fires: 2, step: time.Hour,
			due: func(w time.Time) bool {
				return w.Hour() == 0 && w.Day() == 29 && w.Month() == time.February && w.Weekday() == time.Monday
			},
		},
	}
}

func zones(tb testing.TB) []*time.Location {
	tb.Helper()
	newYork, err := time.LoadLocation("America/New_York")
	if err != nil {
		tb.Fatal(err)
	}
	return []*time.Location{time.UTC, newYork}
}

// begins gives where the chains begin: before New York's clocks go forward, and
// before they go back.
func (p plan) begins(zone *time.Location) []time.Time {
	return []time.Time{
		time.Date(2026, 3, 8, 7, 0, 0, 0, time.UTC).Add(-p.lead).In(zone),
		time.Date(2026, 11, 1, 6, 0, 0, 0, time.UTC).Add(-p.lead).In(zone),
	}
}

// schedule is what most contestants make of a plan. Next gives the zero time
// if there is none. The time asked about is in the plan's zone, because some
// know no other way to be told the zone.
type schedule interface {
	Next(after time.Time) time.Time
}

type contestant struct {
	name, module string
	// parse returns an error if the contestant cannot say the plan.
	parse func(p plan, zone *time.Location) (schedule, error)
}

// contestants has ours first.
func contestants() []contestant {
	const fields = robfig.SecondOptional | robfig.Minute | robfig.Hour | robfig.Dom | robfig.Month | robfig.Dow
	robfigParser := robfig.NewParser(fields)
	const netFields = netresearch.SecondOptional | netresearch.Minute | netresearch.Hour |
		netresearch.Dom | netresearch.Month | netresearch.Dow
	// The 5 years that it looks ahead by default are too few for a Monday.
	netBoth := netresearch.MustNewParser(netFields).WithMaxSearchYears(40)
	netEither := netresearch.MustNewParser(netFields | netresearch.DowOrDom).WithMaxSearchYears(40)
	return []contestant{
		{"jobcenter", "github.com/jobcenter-go/jobcenter", func(p plan, zone *time.Location) (schedule, error) {
			if p.crontab == "" {
				t, err := trigger.NewCron(p.cron, trigger.Options{Zone: zone})
				return (*ourCron)(t), err
			}
			t, err := trigger.NewCrontab(p.crontab, trigger.Options{Zone: zone})
			return (*ourCrontab)(t), err
		}},
		{"robfig", "github.com/robfig/cron/v3", func(p plan, _ *time.Location) (schedule, error) {
			return robfigParser.Parse(cmp.Or(p.crontab, p.nth))
		}},
		{"gronx", "github.com/adhocore/gronx", func(p plan, _ *time.Location) (schedule, error) {
			// It keeps nothing of what it reads: Next reads the text again.
			text := cmp.Or(p.crontab, p.nth)
			if !gronx.IsValid(text) {
				return nil, errors.New("not valid")
			}
			return gronxText(text), nil
		}},
		{"hashicorp", "github.com/hashicorp/cronexpr", func(p plan, _ *time.Location) (schedule, error) {
			return hashicorp.Parse(withYear(cmp.Or(p.crontab, p.nth)))
		}},
		{"gorhill", "github.com/gorhill/cronexpr", func(p plan, _ *time.Location) (schedule, error) {
			return gorhill.Parse(withYear(cmp.Or(p.crontab, p.nth)))
		}},
		{"go-quartz", "github.com/reugn/go-quartz", func(p plan, zone *time.Location) (schedule, error) {
			t, err := quartz.NewCronTriggerWithLoc(p.quartz, zone)
			return (*quartzTrigger)(t), err
		}},
		{"gocron", "github.com/go-co-op/gocron/v2", func(p plan, zone *time.Location) (schedule, error) {
			// Job.NextRuns answers only while its scheduler runs; this is the
			// part that computes, which IsValid fills in.
			c := gocron.NewDefaultCron(true)
			return c, c.IsValid(cmp.Or(p.crontab, p.nth), zone, p.begins(zone)[0])
		}},
		{"netresearch", "github.com/netresearch/go-cron", func(p plan, _ *time.Location) (schedule, error) {
			if p.crontab == "" {
				return netBoth.Parse(p.both)
			}
			return netEither.Parse(p.crontab)
		}},
	}
}

// The types below give contestants the common form without an allocation.
type (
	ourCron       trigger.Cron
	ourCrontab    trigger.Crontab
	quartzTrigger quartz.CronTrigger
	gronxText     string
)

func (t *ourCron) Next(after time.Time) time.Time {
	at, _ := (*trigger.Cron)(t).Next(after)
	return at
}

func (t *ourCrontab) Next(after time.Time) time.Time {
	at, _ := (*trigger.Crontab)(t).Next(after)
	return at
}

func (t *quartzTrigger) Next(after time.Time) time.Time {
	at, err := (*quartz.CronTrigger)(t).NextFireTime(after.UnixNano())
	if err != nil {
		return time.Time{}
	}
	return time.Unix(0, at)
}

func (t gronxText) Next(after time.Time) time.Time {
	at, err := gronx.NextTickAfter(string(t), after, false)
	if err != nil {
		return time.Time{}
	}
	return at
}

// withYear makes cronexpr read six fields as beginning with seconds; its own
// six end with the year.
func withYear(crontab string) string {
	if len(strings.Fields(crontab)) == 6 {
		return crontab + " *"
	}
	return crontab
}

// TestContestants tells the report who took part, and where.
func TestContestants(t *testing.T) {
	t.Attr("date", time.Now().UTC().Format(time.DateOnly))
	t.Attr("go", runtime.Version()+" "+runtime.GOOS+"/"+runtime.GOARCH)
	for _, c := range contestants() {
		t.Attr(c.name, c.module+" "+version(t, c.module))
	}
}

// version asks the go command: a test binary does not know its modules.
func version(t *testing.T, module string) string {
	t.Helper()
	const format = "{{if .Replace}}{{.Replace.Path}}{{else}}{{.Version}}{{end}}"
	out, err := exec.CommandContext(t.Context(), "go", "list", "-m", "-f", format, module).Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(out))
}
