package trigger_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/jobcenter-go/jobcenter/trigger"
)

// TestPreview is about what a preview says of each fire, and of those that a
// change of the clocks takes away.
func TestPreview(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		form, from string
		want       string // each with its effect and, if it differs, the wall-clock time
	}{
		"moved": {
			`{"type":"crontab","expression":"30 2 * * *","timezone":"Europe/Berlin"}`, "2026-03-28T00:00:00+01:00",
			"2026-03-28T02:30:00+01:00 2026-03-29T03:00:00+02:00,moved,02:30:00 2026-03-30T02:30:00+02:00",
		},
		"skipped, which does not count": {
			`{"type":"crontab","expression":"30 2 * * *","timezone":"Europe/Berlin","on_gap":"skip"}`, "2026-03-28T00:00:00+01:00",
			"2026-03-28T02:30:00+01:00 2026-03-29T03:00:00+02:00,skipped,02:30:00 2026-03-30T02:30:00+02:00 2026-03-31T02:30:00+02:00",
		},
		"skipped by default": {
			`{"type":"crontab","expression":"*/30 2 * * *","timezone":"Europe/Berlin"}`, "2026-03-28T02:15:00+01:00",
			"2026-03-28T02:30:00+01:00 2026-03-29T03:00:00+02:00,skipped,02:00:00 2026-03-30T02:00:00+02:00 2026-03-30T02:30:00+02:00",
		},
		"each hour, not worth mention": {
			`{"type":"crontab","expression":"30 * * * *","timezone":"Europe/Berlin"}`, "2026-03-29T00:45:00+01:00",
			"2026-03-29T01:30:00+01:00 2026-03-29T03:30:00+02:00 2026-03-29T04:30:00+02:00",
		},
		"each hour, by choice": {
			`{"type":"crontab","expression":"30 * * * *","timezone":"Europe/Berlin","on_gap":"skip"}`, "2026-03-29T00:45:00+01:00",
			"2026-03-29T01:30:00+01:00 2026-03-29T03:00:00+02:00,skipped,02:30:00 2026-03-29T03:30:00+02:00 2026-03-29T04:30:00+02:00",
		},
		"repeated": {
			`{"type":"crontab","expression":"30 2 * * *","timezone":"Europe/Berlin"}`, "2026-10-24T00:00:00+02:00",
			"2026-10-24T02:30:00+02:00 2026-10-25T02:30:00+02:00,repeated 2026-10-26T02:30:00+01:00",
		},
		"repeated, the second": {
			`{"type":"crontab","expression":"30 2 * * *","timezone":"Europe/Berlin","on_fold":"second"}`, "2026-10-24T12:00:00+02:00",
			"2026-10-25T02:30:00+01:00,repeated 2026-10-26T02:30:00+01:00 2026-10-27T02:30:00+01:00",
		},
		"repeated, both": {
			`{"type":"crontab","expression":"30 2 * * *","timezone":"Europe/Berlin","on_fold":"both"}`, "2026-10-24T12:00:00+02:00",
			"2026-10-25T02:30:00+02:00,repeated 2026-10-25T02:30:00+01:00,repeated 2026-10-26T02:30:00+01:00",
		},
		"after a gap, but at its own time": {
			`{"type":"crontab","expression":"0 3 * * *","timezone":"Europe/Berlin"}`, "2026-03-28T12:00:00+01:00",
			"2026-03-29T03:00:00+02:00 2026-03-30T03:00:00+02:00 2026-03-31T03:00:00+02:00",
		},
		"a lost day": {
			`{"type":"crontab","expression":"0 9 30 * *","timezone":"Pacific/Apia"}`, "2011-11-01T00:00:00-10:00",
			"2011-11-30T09:00:00-10:00 2011-12-31T00:00:00+14:00,moved,09:00:00 2012-01-30T09:00:00+14:00",
		},
		"of the part of an or": {
			`{"type":"or","triggers":[{"type":"crontab","expression":"30 2 * * *"},{"type":"crontab","expression":"0 12 * * *","on_gap":"skip"}],"timezone":"Europe/Berlin"}`, "2026-03-28T12:00:00+01:00",
			"2026-03-29T03:00:00+02:00,moved,02:30:00 2026-03-29T12:00:00+02:00 2026-03-30T02:30:00+02:00",
		},
		"skipped by the part of an or": {
			`{"type":"or","triggers":[{"type":"crontab","expression":"30 2 * * *","on_gap":"skip"},{"type":"crontab","expression":"0 12 * * *"}],"timezone":"Europe/Berlin"}`, "2026-03-28T12:00:00+01:00",
			"2026-03-29T03:00:00+02:00,skipped,02:30:00 2026-03-29T12:00:00+02:00 2026-03-30T02:30:00+02:00 2026-03-30T12:00:00+02:00",
		},
		"no more fires": {
			`{"type":"date","run_date":"2026-01-01"}`, "2025-01-01T00:00:00Z",
			"2026-01-01T00:00:00Z",
		},
		"the limit": {
			`{"type":"interval","hours":1,"start_date":"2026-01-01","limit":2}`, "2025-01-01T00:00:00Z",
			"2026-01-01T00:00:00Z 2026-01-01T01:00:00Z",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var got []string
			for _, fire := range trigger.Preview(parsed(t, test.form), instant(t, test.from), 3, trigger.English) {
				text := fire.Time.Format(time.RFC3339Nano)
				if fire.Effect != "" {
					text += "," + string(fire.Effect)
				}
				if clock := fire.Wall.Format(time.TimeOnly); clock != fire.Time.Format(time.TimeOnly) {
					text += "," + clock
				}
				if (fire.Effect == "") != (fire.Note == "") {
					t.Errorf("%v: effect %q, note %q", fire.Time, fire.Effect, fire.Note)
				}
				got = append(got, text)
			}
			if all := strings.Join(got, " "); all != test.want {
				t.Errorf("%s:\n got %s\nwant %s", test.form, all, test.want)
			}
		})
	}
}

// TestPreviewAgrees wants of a preview the fires that Next gives, in order, and
// between them at most times that are skipped.
func TestPreviewAgrees(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		form, trig := drawTrigger(t, 1)
		trig = trigger.ForJob(trig, "a job")
		from := drawInstant(t, trigger.Zone(trig)).Add(-time.Duration(rapid.IntRange(0, 50).Draw(t, "hours")) * time.Hour)
		count := rapid.IntRange(0, 8).Draw(t, "count")
		want := someFires(trig, from, count)
		var got []time.Time
		last := from
		for _, fire := range trigger.Preview(trig, from, count, trigger.Chinese) {
			if fire.Time.Before(last) {
				t.Fatalf("%s from %v: %v comes after %v", form, from, fire.Time, last)
			}
			last = fire.Time
			if (fire.Effect == "") != (fire.Note == "") {
				t.Fatalf("%s: effect %q, note %q", form, fire.Effect, fire.Note)
			}
			if fire.Effect == trigger.EffectSkipped {
				continue
			}
			got = append(got, fire.Time)
			if alone := trigger.Explain(trig, fire.Time, trigger.Chinese); alone != fire {
				t.Fatalf("%s: %v is %+v in a preview, %+v alone", form, fire.Time, fire, alone)
			}
			if strings.Contains(form, `"triggers"`) {
				continue // a part may be of another zone, whose clocks it names
			}
			shown := wallClock(fire.Time, trigger.Zone(trig))
			if same := fire.Wall.Truncate(time.Second).Equal(shown); fire.Effect == "" != same && fire.Effect != trigger.EffectRepeated && fire.Effect != trigger.EffectDelayed {
				t.Fatalf("%s: %v of the effect %q means the time %v", form, fire.Time, fire.Effect, fire.Wall)
			}
		}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Fatalf("%s from %v: a preview of %v, want %v", form, from, got, want)
		}
	})
}
