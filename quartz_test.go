package jobcenter_test

import (
	"testing"
	"time"

	"github.com/jobcenter-go/jobcenter"
)

func TestQuartzMisfire(t *testing.T) {
	t.Parallel()
	const (
		cron     = `quartz "0 0 12 * * ?"`
		forEver  = `interval hours=1`
		limited  = `interval hours=1 start_date=2026-01-01T00:00:00Z limit=5`
		asItWas  = 7 * time.Minute
		anyDelay = jobcenter.NeverTooLate
	)
	for _, test := range []struct {
		trigger, instruction string
		coalesce             jobcenter.Coalesce
		grace                time.Duration
	}{
		{cron, "SMART_POLICY", jobcenter.CoalesceLatest, anyDelay},
		{cron, "MISFIRE_INSTRUCTION_SMART_POLICY", jobcenter.CoalesceLatest, anyDelay},
		{cron, "MISFIRE_INSTRUCTION_FIRE_ONCE_NOW", jobcenter.CoalesceLatest, anyDelay},
		{cron, "DO_NOTHING", jobcenter.CoalesceLatest, asItWas},
		{cron, "MISFIRE_INSTRUCTION_IGNORE_MISFIRE_POLICY", jobcenter.CoalesceAll, anyDelay},
		{forEver, "SMART_POLICY", jobcenter.CoalesceLatest, asItWas},
		{limited, "SMART_POLICY", jobcenter.CoalesceLatest, anyDelay},
		{limited, "FIRE_NOW", jobcenter.CoalesceLatest, anyDelay},
		{limited, "RESCHEDULE_NOW_WITH_EXISTING_REPEAT_COUNT", jobcenter.CoalesceLatest, anyDelay},
		{limited, "RESCHEDULE_NOW_WITH_REMAINING_REPEAT_COUNT", jobcenter.CoalesceLatest, anyDelay},
		{limited, "RESCHEDULE_NEXT_WITH_EXISTING_COUNT", jobcenter.CoalesceLatest, asItWas},
		{limited, "MISFIRE_INSTRUCTION_RESCHEDULE_NEXT_WITH_REMAINING_COUNT", jobcenter.CoalesceLatest, asItWas},
	} {
		job := jobcenter.Job{Trigger: parsed(t, test.trigger), MisfireGrace: asItWas, Coalesce: jobcenter.CoalesceEarliest}
		if err := jobcenter.QuartzMisfire(&job, test.instruction); err != nil || job.Coalesce != test.coalesce || job.MisfireGrace != test.grace {
			t.Errorf("%s, %s: %s, grace %s, %v; want %s, %s", test.trigger, test.instruction, job.Coalesce, job.MisfireGrace, err, test.coalesce, test.grace)
		}
	}
	for _, name := range []string{"", "fire_now", "MISFIRE_INSTRUCTION_", "MISFIRE_INSTRUCTION_SLEEP"} {
		job := jobcenter.Job{Trigger: parsed(t, cron), Coalesce: jobcenter.CoalesceEarliest}
		wantField(t, jobcenter.QuartzMisfire(&job, name), "misfire_instruction")
		if job.Coalesce != jobcenter.CoalesceEarliest || job.MisfireGrace != 0 {
			t.Errorf("%q has changed the job", name)
		}
	}
}
