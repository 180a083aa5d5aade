package trigger_test

import (
	"testing"
	"time"

	"github.com/jobcenter-go/jobcenter/trigger"
)

func TestClosed(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		text          string
		after, before string
		first, last   string
		count         int64
	}{
		"a weekend": {
			`{"type":"crontab","expression":"0 9 * * *","calendar":{"layers":[{"exclude":"weekly","days":["sat","sun"]}]}}`,
			"2026-03-06T09:00:00Z", "2026-03-09T09:00:00Z", "2026-03-07T09:00:00Z", "2026-03-08T09:00:00Z", 2,
		},
		"a night": {
			`{"type":"crontab","expression":"*/10 * * * *","calendar":{"layers":[{"exclude":"daily","from":"17:00","to":"24:00"},{"exclude":"daily","from":"00:00","to":"09:00"}]}}`,
			"2026-03-06T16:50:00Z", "2026-03-07T09:00:00Z", "2026-03-06T17:00:00Z", "2026-03-07T08:50:00Z", 96,
		},
		"neighbours": {
			`{"type":"crontab","expression":"0 9 * * *","calendar":{"layers":[{"exclude":"weekly","days":["sat","sun"]}]}}`,
			"2026-03-05T09:00:00Z", "2026-03-06T09:00:00Z", "", "", 0,
		},
		"without a calendar": {
			`{"type":"crontab","expression":"0 9 * * *"}`,
			"2026-03-06T09:00:00Z", "2026-03-09T09:00:00Z", "", "", 0,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			trig, err := trigger.Parse([]byte(test.text), nil)
			if err != nil {
				t.Fatal(err)
			}
			first, last, count := trigger.Closed(trig, instantOf(t, test.after), instantOf(t, test.before))
			if count != test.count || !first.Equal(instantOf(t, test.first)) || !last.Equal(instantOf(t, test.last)) {
				t.Errorf("Closed = %s, %s, %d; want %s, %s, %d", first, last, count, test.first, test.last, test.count)
			}
			// Each of them is a time at which the trigger does not fire.
			if next, ok := trig.Next(instantOf(t, test.after)); !ok || !next.Equal(instantOf(t, test.before)) && count > 0 {
				t.Errorf("Next = %s, %v", next, ok)
			}
		})
	}
}

func instantOf(t *testing.T, text string) time.Time {
	t.Helper()
	if text == "" {
		return time.Time{}
	}
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		t.Fatal(err)
	}
	return at
}
