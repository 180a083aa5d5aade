package trigger_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/jobcenter-go/jobcenter/trigger"
)

func TestDifference(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ old, new, from, english, chinese string }{
		{
			"0 9 * * 1-5", "0 10 * * 1-5", "2026-11-26T12:00:00Z",
			"Fri 2026-11-27 09:00 no longer fires; 10:00 is new; Mon 2026-11-30 09:00 no longer fires; 10:00 is new",
			"2026-11-27（周五）09:00 不再触发；新增 10:00；2026-11-30（周一）09:00 不再触发；新增 10:00",
		},
		{ // a rule for the gap: the change comes a year and a half later
			"30 2 * * *", `{"type":"crontab","expression":"30 2 * * *","on_gap":"skip","end_date":"2028-01-01"}`, "2027-12-28T00:00:00Z",
			"Sat 2028-01-01 02:30 no longer fires; Sun 2028-01-02 02:30 no longer fires; Mon 2028-01-03 02:30 no longer fires; Tue 2028-01-04 02:30 no longer fires",
			"2028-01-01（周六）02:30 不再触发；2028-01-02（周日）02:30 不再触发；2028-01-03（周一）02:30 不再触发；2028-01-04（周二）02:30 不再触发",
		},
		{
			`{"type":"crontab","expression":"30 2 * 3 *","end_date":"2028-01-01"}`, `{"type":"crontab","expression":"30 2 * 3 *","on_gap":"skip","end_date":"2028-01-01"}`, "2026-11-24T00:00:00Z",
			"Sun 2027-03-28 03:00 no longer fires", "2027-03-28（周日）03:00 不再触发",
		},
		{ // the two fires of a repeated hour have their offsets
			`{"type":"crontab","expression":"30 2 * 10 *","end_date":"2028-01-01"}`, `{"type":"crontab","expression":"30 2 * 10 *","on_fold":"second","end_date":"2028-01-01"}`, "2026-11-24T00:00:00Z",
			"Sun 2027-10-31 02:30+02:00 no longer fires; 02:30+01:00 is new", "2027-10-31（周日）02:30+02:00 不再触发；新增 02:30+01:00",
		},
		{ // another zone; times are those of the new one
			`{"type":"crontab","expression":"0 9 * * *","timezone":"Asia/Shanghai","end_date":"2026-11-25"}`, `{"type":"crontab","expression":"0 9 * * *","end_date":"2026-11-25"}`, "2026-11-23T12:00:00Z",
			"Tue 2026-11-24 02:00 no longer fires; 09:00 is new", "2026-11-24（周二）02:00 不再触发；新增 09:00",
		},
		{
			"quartz 0 0 9 ? * MON-FRI", `{"type":"interval","seconds":0.5,"start_date":"2026-11-27T07:59:59","end_date":"2026-11-27T08:00:00"}`, "2026-11-26T12:00:00Z",
			"Fri 2026-11-27 07:59:59 is new; 07:59:59.5 is new; 08:00 is new; 09:00 no longer fires", "新增 2026-11-27（周五）07:59:59；新增 07:59:59.5；新增 08:00；09:00 不再触发",
		},

		{ // parts that never meet
			`{"type":"and","triggers":[{"type":"crontab","expression":"0 9 * * *"},{"type":"crontab","expression":"0 9 * * *","timezone":"UTC"}]}`, "@reboot", "2026-11-24T00:00:00Z",
			"no difference was found, as it takes too long to find a fire time", "未发现差异：查找触发时间耗时过长",
		},
		{"0 0 30 2 *", "@reboot", "2026-11-24T00:00:00Z", "neither fires", "两者都不触发"},
		{`{"type":"date","run_date":"2027-01-01"}`, "0 0 0 1 1 * 2027", "2026-11-24T00:00:00Z", "all fire times stay the same", "所有触发时间均不变"},
		{
			"0 9 * * 1-5", "quartz 0 0 9 ? * MON-FRI", "2026-11-24T12:00:00Z",
			"the next 100000 fire times stay the same, up to Tue 2410-03-16 09:00", "接下来 100000 个触发时间均不变，直至 2410-03-16（周二）09:00",
		},
		{ // not so from the first change of the clocks on
			"0 9 * * 1-5", `{"type":"interval","hours":24,"start_date":"2026-11-24T09:00:00","end_date":"2026-11-28"}`, "2026-11-23T12:00:00Z",
			"Mon 2026-11-30 09:00 no longer fires; Tue 2026-12-01 09:00 no longer fires; Wed 2026-12-02 09:00 no longer fires; Thu 2026-12-03 09:00 no longer fires",
			"2026-11-30（周一）09:00 不再触发；2026-12-01（周二）09:00 不再触发；2026-12-02（周三）09:00 不再触发；2026-12-03（周四）09:00 不再触发",
		},
	} {
		d := trigger.Difference(parseShort(t, test.old), parseShort(t, test.new), instant(t, test.from), 4)
		if got := d.Describe(trigger.English); got != test.english {
			t.Errorf("%s -> %s:\n got %q\nwant %q", test.old, test.new, got, test.english)
		}
		if got := d.Describe(trigger.Chinese); got != test.chinese {
			t.Errorf("%s -> %s:\n got %q\nwant %q", test.old, test.new, got, test.chinese)
		}
	}
}

// TestDifferenceAgainstLists compares the changes with those of the lists of
// all fires.
func TestDifferenceAgainstLists(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		var trigs [2]trigger.Trigger
		var fires [2][]time.Time
		from := lintInstant()
		for i := range trigs {
			form := drawForm(t, 1)
			var err error
			if trigs[i], err = trigger.Parse([]byte(form), nil); err != nil {
				return
			}
			fires[i] = collect(trigs[i], from, from.AddDate(0, 0, 40))
		}
		d := trigger.Difference(trigs[0], trigs[1], from, 10)
		// The lists go as far as 1,000 fires or 40 days, the comparison as far
		// as it says.
		until := from.AddDate(0, 0, 40)
		for _, list := range fires {
			if len(list) == 1000 && list[999].Before(until) {
				until = list[999]
			}
		}
		got := slices.DeleteFunc(slices.Clone(d.Changes), func(c trigger.Change) bool { return c.Time.After(until) })
		if !d.Complete && d.Until.Before(until) {
			until = d.Until
		}
		var want []trigger.Change
		for i := range fires {
			for _, fire := range fires[i] {
				if !fire.After(until) && !slices.ContainsFunc(fires[1-i], fire.Equal) {
					want = append(want, trigger.Change{Time: fire, New: i == 1})
				}
			}
		}
		slices.SortStableFunc(want, func(a, b trigger.Change) int { return a.Time.Compare(b.Time) })
		if !slices.EqualFunc(got, want, func(a, b trigger.Change) bool { return a.Time.Equal(b.Time) && a.New == b.New }) {
			t.Fatalf("changes are %v, want %v", got, want)
		}
		if d.Describe(trigger.English) == "" || d.Describe(trigger.Chinese) == "" {
			t.Fatal("no words")
		}
	})
}

func ExampleDifference() {
	old, err := trigger.NewCrontab("0 9 * * mon-fri", trigger.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	changed, err := trigger.NewCrontab("0 10 * * mon-fri", trigger.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	d := trigger.Difference(old, changed, time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC), 2)
	fmt.Println(d.Describe(trigger.English))
	fmt.Println(d.Describe(trigger.Chinese))
	// Output:
	// Fri 2026-11-27 09:00 no longer fires; 10:00 is new
	// 2026-11-27（周五）09:00 不再触发；新增 10:00
}
