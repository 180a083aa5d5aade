package jobcenter_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jobcenter-go/jobcenter"
	"github.com/jobcenter-go/jobcenter/trigger"
)

// withCalendar lays a calendar, as JSON, over a trigger, as JSON without its end.
func withCalendar(t *testing.T, plan, calendar string) trigger.Trigger {
	t.Helper()
	trig, err := trigger.Parse([]byte(plan+`,"calendar":`+calendar+`}`), nil)
	if err != nil {
		t.Fatal(err)
	}
	return trig
}

// A plan for withCalendar, and a calendar that is closed from 12:00 to 09:00.
const (
	everyHour = `{"type":"crontab","expression":"0 * * * *"`
	mornings  = `{"layers":[{"include":"daily","from":"09:00:00","to":"12:00:00"}]}`
)

// Times that a calendar closes are rows: one for each span between two fires.
func TestCalendarRows(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := begin(t, leisurely(), nothing)
		b.add(jobcenter.Job{ID: "j", Trigger: withCalendar(t, everyHour, mornings)})
		b.wait(35*time.Hour + time.Minute)
		b.wantRows("j",
			"skipped/calendar 1h0m0s..8h0m0s ×8", "succeeded 9h0m0s", "succeeded 10h0m0s", "succeeded 11h0m0s",
			"skipped/calendar 12h0m0s..32h0m0s ×21", "succeeded 33h0m0s", "succeeded 34h0m0s", "succeeded 35h0m0s")
	})
}

// Beside those of other reasons, in the order of time, whatever was due at once.
func TestCalendarRowsAmongOthers(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		job  jobcenter.Job
		want []string
	}{
		"coalesced": {jobcenter.Job{MisfireGrace: jobcenter.NeverTooLate}, []string{
			"skipped/calendar 1h0m0s..8h0m0s ×8", "skipped/coalesced 9h0m0s..11h0m0s ×3", "skipped/calendar 12h0m0s..32h0m0s ×21", "skipped/coalesced 33h0m0s", "succeeded 34h0m0s",
		}},
		"all": {jobcenter.Job{MisfireGrace: jobcenter.NeverTooLate, Coalesce: jobcenter.CoalesceAll}, []string{
			"skipped/calendar 1h0m0s..8h0m0s ×8", "succeeded 9h0m0s", "succeeded 10h0m0s", "succeeded 11h0m0s", "skipped/calendar 12h0m0s..32h0m0s ×21",
			"succeeded 33h0m0s", "succeeded 34h0m0s",
		}},
		"missed": {jobcenter.Job{}, []string{
			"skipped/calendar 1h0m0s..8h0m0s ×8", "missed/misfire 9h0m0s..11h0m0s ×3", "skipped/calendar 12h0m0s..32h0m0s ×21", "missed/misfire 33h0m0s", "succeeded 34h0m0s",
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t, jobcenter.Options{}, nothing)
				job := test.job
				job.ID, job.Trigger = "j", withCalendar(t, everyHour, mornings)
				b.add(job)
				time.Sleep(34*time.Hour + 30*time.Minute)
				b.begin()
				b.wait(time.Second)
				b.wantRows("j", test.want...)
			})
		})
	}
}

// A change of the trigger settles what the old one closed until then, and the
// new one answers for nothing before it.
func TestCalendarRowsAfterAChange(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := begin(t, leisurely(), nothing)
		b.add(jobcenter.Job{ID: "j", Trigger: withCalendar(t, everyHour, mornings)})
		b.wait(14*time.Hour + 30*time.Minute) // the last fire was at 11h
		if _, err := b.Reschedule(t.Context(), "j", withCalendar(t, `{"type":"crontab","expression":"*/30 * * * *"`, `{"layers":[{"include":"daily","from":"20:00:00","to":"21:00:00"}]}`)); err != nil {
			t.Fatal(err)
		}
		b.wait(6 * time.Hour)
		b.wantRows("j",
			"skipped/calendar 1h0m0s..8h0m0s ×8", "succeeded 9h0m0s", "succeeded 10h0m0s", "succeeded 11h0m0s", "skipped/calendar 12h0m0s..14h0m0s ×3",
			"skipped/calendar 15h0m0s..19h30m0s ×10", "succeeded 20h0m0s", "succeeded 20h30m0s")
	})
}

// Within a pause, open and closed times are told apart; what was closed when a
// job is removed, or paused, is a row too.
func TestCalendarRowsOfAPause(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := begin(t, leisurely(), nothing)
		b.add(jobcenter.Job{ID: "j", Trigger: withCalendar(t, everyHour, mornings)})
		b.wait(5*time.Hour + time.Minute)
		b.pause("j", jobcenter.PauseOptions{})
		b.wait(10 * time.Hour)
		b.resume("j")
		b.wait(2 * time.Hour)
		if err := b.Remove(t.Context(), "j"); err != nil {
			t.Fatal(err)
		}
		b.wantRows("j",
			"skipped/calendar 1h0m0s..5h0m0s ×5", "skipped/calendar 6h0m0s..8h0m0s ×3", "skipped/paused 9h0m0s..11h0m0s ×3",
			"skipped/calendar 12h0m0s..15h0m0s ×4", "skipped/calendar 16h0m0s..17h0m0s ×2")
	})
}

// With jitter, chosen by the job's id, the closed times are those of the plan,
// and none is counted that fired.
func TestCalendarRowsWithJitter(t *testing.T) {
	t.Parallel()
	for i := range 8 {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				b := begin(t, leisurely(), nothing)
				b.add(jobcenter.Job{ID: fmt.Sprint("job", i), Trigger: withCalendar(t, everyHour+`,"jitter":"20m"`, mornings)})
				b.wait(4*24*time.Hour - time.Minute)
				var open, closed int64
				for _, run := range b.runs(fmt.Sprint("job", i)) {
					switch {
					case run.Reason == jobcenter.ReasonCalendar:
						closed += run.FireCount
						if run.FireTime.Minute() != 0 || run.LastFireTime.Minute() != 0 {
							t.Errorf("row %s is not of the plan", row(&run))
						}
					case run.State == jobcenter.RunSucceeded:
						open++
						if hour := run.FireTime.Hour(); hour < 9 || hour > 11 {
							t.Errorf("row %s is closed", row(&run))
						}
					default:
						t.Errorf("row %s", row(&run))
					}
				}
				// Four mornings of 3 fires; closed are the 8 hours before the first of
				// them, and the 21 between two. Those after the last are not known
				// yet to be followed by a fire.
				if open != 12 || closed != 8+3*21 {
					t.Errorf("%d fires and %d closed times, want 12 and %d", open, closed, 8+3*21)
				}
			})
		})
	}
}
