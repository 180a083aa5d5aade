package trigger_test

import (
	"bufio"
	"compress/gzip"
	"encoding/json"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"testing"
	"time"
	_ "time/tzdata" // a machine need not have zone files

	"github.com/google/go-cmp/cmp"

	"github.com/jobcenter-go/jobcenter/trigger"
)

// goldenCase is a line of the files in testdata/golden, see the README there.
type goldenCase struct {
	ID        string
	Spec      map[string]any
	Timezone  string
	From      time.Time
	Fires     []time.Time
	Exhausted bool
	Error     bool

	Until time.Time // of vixie_cron_observed
	Ran   []time.Time
}

func readGolden(t *testing.T, name string) []goldenCase {
	t.Helper()
	f, err := os.Open(filepath.Join("testdata", "golden", name+".jsonl.gz"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close() //nolint:errcheck // read only
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	var cases []goldenCase
	lines := bufio.NewScanner(z)
	for lines.Scan() {
		var c goldenCase
		if err := json.Unmarshal(lines.Bytes(), &c); err != nil {
			t.Fatal(err)
		}
		cases = append(cases, c)
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	return cases
}

// parse makes the case's trigger by way of its JSON form.
func (c goldenCase) parse(t *testing.T, kind string) (trigger.Trigger, error) {
	t.Helper()
	form := maps.Clone(c.Spec)
	form["type"] = kind
	form["timezone"] = c.Timezone
	data, err := json.Marshal(form)
	if err != nil {
		t.Fatal(err)
	}
	return trigger.Parse(data, nil)
}

func TestGolden(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		kind      string
		inclusive bool // a fire at From itself counts
		atLeast   int  // cases
		refused   map[string]int
	}{
		"aps_cron":     {"cron", true, 4441, map[string]int{"month": 1, "day": 1}},
		"aps_interval": {"interval", true, 418, map[string]int{"": 2}},
		"aps_date":     {"date", true, 64, nil},
		"crontab":      {"crontab", false, 2478, nil},
		"crontab_rule": {"crontab", false, 89, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			run := 0
			refused := map[string]int{}
			for _, c := range readGolden(t, name) {
				run++
				if c.Spec["expr"] != nil {
					if c.Spec["seconds"] == true && c.ID == "crontab-003272" {
						continue // five fields where the source was told of six: we count them ourselves
					}
					c.Spec = map[string]any{"expression": c.Spec["expr"]}
				}
				if test.kind == "date" && len(c.Spec) == 0 {
					// Without a date, the source takes the instant at which it is asked.
					c.Spec = map[string]any{"run_date": c.From.Format(time.RFC3339Nano)}
				}
				trig, err := c.parse(t, test.kind)
				if c.Error {
					if err == nil {
						t.Errorf("%s: %v: no error", c.ID, c.Spec)
					}
					continue
				}
				if problem, ok := errors.AsType[*trigger.Error](err); ok {
					refused[problem.Field]++
					if !refuses(c, problem.Field) {
						t.Errorf("%s: %v: %v", c.ID, c.Spec, err)
					}
					continue
				}
				after := c.From
				if test.inclusive {
					after = after.Add(-time.Microsecond)
				}
				if i, ok := trig.(*trigger.Interval); ok && i.Start().IsZero() {
					trig = i.StartingAt(c.From.Add(i.Every()))
				}
				if _, ok := trig.(*trigger.Date); ok {
					after = time.Time{} // the source gives a date that is past, too
				}
				checkFires(t, c, trig, after)
			}
			if run < test.atLeast {
				t.Errorf("%d cases, want %d or more", run, test.atLeast)
			}
			if diff := cmp.Diff(test.refused, refused); diff != "" && (len(refused) > 0 || len(test.refused) > 0) {
				t.Errorf("cases refused, by field (-want +got):\n%s", diff)
			}
		})
	}
}

// refuses tells whether a case that the source takes is an error here by
// decision: no interval at all, and text behind a name, which the source
// silently ignores.
func refuses(c goldenCase, field string) bool {
	if field == "" {
		return len(c.Spec) == 0 || len(c.Spec) == 1 && c.Spec["seconds"] == 0.0
	}
	return c.Spec["month"] == "jan-" || c.Spec["day"] == "last-1"
}

func checkFires(t *testing.T, c goldenCase, trig trigger.Trigger, after time.Time) {
	t.Helper()
	for i, want := range c.Fires {
		got, ok := trig.Next(after)
		if !ok || !got.Equal(want) {
			t.Errorf("%s: %v %s: fire %d after %v = %v, %v, want %v", c.ID, c.Spec, c.Timezone, i+1, after, got, ok, want)
			return
		}
		after = got
	}
	if got, ok := trig.Next(after); ok && c.Exhausted {
		t.Errorf("%s: %v: fire after the last = %v, want none", c.ID, c.Spec, got)
	}
}
