package trigger_test

import (
	"bufio"
	"compress/gzip"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"
	_ "time/tzdata" // a machine need not have zone files

	"github.com/google/go-cmp/cmp"
)

// goldenCase is a line of the files in testdata/golden, see the README there.
type goldenCase struct {
	ID        string
	Kind      string
	Dialect   string
	Spec      goldenSpec
	Timezone  string
	From      time.Time
	Fires     []time.Time
	Exhausted bool
	EndedBy   string `json:"ended_by"`
	Error     bool

	Clean      bool
	Wall       []string
	Quirk      string
	Extension  bool
	MonthEnd   bool `json:"month_end"`
	Backwards  bool `json:"nonmonotonic"`
	Beyond2037 bool `json:"beyond_2037"`
	TZDB       bool `json:"tzdb_sensitive"`

	FiresZoneinfo  []time.Time `json:"fires_zoneinfo"`
	FiresStateless []time.Time `json:"fires_stateless"`

	Until time.Time // of vixie_cron_observed
	Ran   []time.Time

	Reason    string // of disagreements
	VixieRule any    `json:"vixie_rule"` // fire times, or why there are none
	Answers   map[string]struct {
		Fires   []time.Time
		EndedBy string `json:"ended_by"`
		Wall    []string
	}

	zone *time.Location
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
	for lines := json.NewDecoder(bufio.NewReader(z)); lines.More(); {
		var c goldenCase
		if err := lines.Decode(&c); err != nil {
			t.Fatal(err)
		}
		c.zone = loadZone(t, c.Timezone)
		cases = append(cases, c)
	}
	return cases
}

// TestGolden compares us with other schedulers. Each case falls into a class, a
// difference on purpose has one of its own, and each class must have exactly as
// many cases as are counted here.
func TestGolden(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]map[string]int{
		"aps_cron": {
			same: 4364, refused: 204, underPolicy: 120, tzdb: 31,
			"back in time":                     10,
			"last day of 9999":                 3,
			"later by the gap":                 16,
			"lost beside a change":             29,
			"no change of offset after 2037":   20,
			"occurrences mixed":                11,
			"own fires on the day of a change": 1,
			"step larger than its range":       3,
			"text behind a name":               10,
		},
		"aps_crontab": {
			same: 397, refused: 30, underPolicy: 9, tzdb: 2,
			"later by the gap":                 1,
			"lost beside a change":             7,
			"own fires on the day of a change": 2,
			"text behind a name":               4,
		},
		"aps_interval": {
			same: 409, refused: 9,
			"date read as the later instant": 34,
			"interval of zero":               2,
		},
		"aps_date": {
			same: 59, refused: 7,
			"date read as the later instant": 13,
		},
		"aps_and": {
			same: 113, tzdb: 2,
			"lost beside a change": 3,
		},
		"aps_or": {
			same:                    102,
			"date in the past":      2,
			"interval counted anew": 7,
			"lost beside a change":  1,
		},
		"quartz_cron": {
			same: 2305, refused: 58, underPolicy: 44, tzdb: 2,
			"L in a list":                      3,
			"W in a list":                      3,
			"W in a short month":               2,
			"no search past 2126":              1,
			"own fires on the day of a change": 5,
			"rest of the day lost":             3,
			"taken by accident":                19,
			"year that never comes":            3,
		},
		"quartz_calendar_interval": {
			same: 223, underPolicy: 3, tzdb: 2,
			"day lost by a short month": 15,
			"hour lost by a gap":        7,
			"later by the gap":          1,
		},
		"quartz_daily_time_interval": {
			same: 217, refused: 4, underPolicy: 2,
			"end not kept":                     3,
			"own fires on the day of a change": 10,
			"weekday 8":                        1,
			"window past midnight":             1,
		},
		"quartz_simple": {
			same:           88,
			"end not kept": 2,
		},
		"crontab": {
			same: 2486, refused: 44, underPolicy: 12, tzdb: 3,
			"* * * * *":   1,
			"1~5 * * * *": 1,
			"? * * * *":   1,
			"@reboot":     1,
		},
		"disagreements": {
			same: 89, refused: 6, underPolicy: 52,
			"@DAILY":     1,
			"@Daily":     1,
			"H * * * *":  1,
			"either day": 40,
		},
		"vixie_cron_observed": {
			same:                          35,
			"0 0 3/1 * *":                 1,
			"once for all times in a gap": 1,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := map[string]int{}
			for _, c := range readGolden(t, name) {
				got[c.judge(t)]++
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("cases in each class (-want +got):\n%s", diff)
			}
		})
	}
}

// instants reads a JSON list.
func instants(t *testing.T, list []any) []time.Time {
	t.Helper()
	times := []time.Time{}
	for _, text := range list {
		times = append(times, instant(t, text.(string)))
	}
	return times
}

// judge gives the class of a case.
func (c *goldenCase) judge(t *testing.T) string {
	t.Helper()
	if c.TZDB && !rulesOf2025(t) {
		return tzdb
	}
	class := c.class(t)
	if class == notExplained || c.Clean && !mayBeClean(class) {
		t.Errorf("%s: %s %v %s from %v: %s\n got %v\nwant %v", c.ID, c.Kind, c.Spec, c.Timezone, c.From, class, c.ask(asked{}, 12), c.Fires)
	}
	if c.TZDB {
		return tzdb
	}
	return class
}

// rulesOf2025 tells whether the machine's zones are those by which the data
// were made. The tz database of 2026 has others for Casablanca and Havana.
func rulesOf2025(t *testing.T) bool {
	t.Helper()
	at := time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC)
	return offset(at, loadZone(t, "Africa/Casablanca")) == time.Hour && offset(at, loadZone(t, "America/Havana")) == -5*time.Hour
}

func (c *goldenCase) class(t *testing.T) string {
	t.Helper()
	_, err := c.trigger(asked{})
	switch {
	case c.Answers != nil:
		return c.disagreement(t, err)
	case c.Kind == "crontab_observed":
		return c.observed(err)
	case c.Error && err != nil:
		return refused
	case c.Error:
		return c.acceptedHere()
	case err != nil:
		return c.refusedHere()
	}
	c.checkPolicies(t, c.Fires, c.Wall)
	if c.fires(asked{}, c.Fires) {
		return same
	}
	for _, d := range differences() {
		if d.explains(c) {
			return d.class
		}
	}
	return notExplained
}

// fires tells whether a case, asked in a certain way, has the wanted fires. Nil
// stands for none known.
func (c *goldenCase) fires(how asked, want []time.Time) bool {
	n := len(want)
	if c.Exhausted || c.EndedBy == "overflow" {
		n++ // and no other
	}
	return want != nil && equal(c.ask(how, n), want)
}

// ask gives the first n fires of a case.
func (c *goldenCase) ask(how asked, n int) []time.Time {
	trig, err := c.trigger(how)
	if err != nil {
		return nil
	}
	after := how.from
	if after.IsZero() {
		after = c.From
	}
	if exclusive := []string{"crontab", "quartz", "calendar_interval"}; !slices.Contains(exclusive, c.Kind) || c.Dialect == "apscheduler" {
		after = after.Add(-time.Microsecond)
	}
	if c.Kind == "date" {
		after = time.Time{} // the source gives a date that is past, too
	}
	var fires []time.Time
	for range n {
		fire, ok := trig.Next(after)
		if !ok {
			break
		}
		fires, after = append(fires, fire), fire
	}
	return fires
}
