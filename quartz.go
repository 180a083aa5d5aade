package jobcenter

import (
	"encoding/json"
	"fmt"

	"github.com/jobcenter-go/jobcenter/trigger"
)

// QuartzMisfire gives a job the rules that stand for a misfire instruction of
// Quartz, by the name of its constant with or without
// MISFIRE_INSTRUCTION_: SMART_POLICY, IGNORE_MISFIRE_POLICY, FIRE_ONCE_NOW, DO_NOTHING,
// FIRE_NOW, RESCHEDULE_NOW_WITH_EXISTING_REPEAT_COUNT,
// RESCHEDULE_NOW_WITH_REMAINING_REPEAT_COUNT,
// RESCHEDULE_NEXT_WITH_EXISTING_COUNT, RESCHEDULE_NEXT_WITH_REMAINING_COUNT. The job's trigger must be set.
//
//	fire once, now                 CoalesceLatest, NeverTooLate
//	fire every missed one          CoalesceAll, NeverTooLate
//	do nothing until the next one  CoalesceLatest, the misfire grace as it is
//
// Quartz's instructions that move the phase of a repeated trigger to the
// moment of the restart fire once, now, and then keep the phase: see
// https://www.quartz-scheduler.org/documentation/quartz-2.3.0/tutorials/tutorial-lesson-05.html
// for what they do there. A trigger's limit counts planned fires, so a repeat
// count is always the remaining one. A *FieldError for any other name.
func QuartzMisfire(job *Job, instruction string) error {
	const prefix = "MISFIRE_INSTRUCTION_"
	name := instruction
	if len(name) > len(prefix) && name[:len(prefix)] == prefix {
		name = name[len(prefix):]
	}
	if name == "SMART_POLICY" {
		name = "FIRE_ONCE_NOW"
		if trigger.Type(job.Trigger) == "interval" && !limited(job.Trigger) {
			name = "RESCHEDULE_NEXT_WITH_REMAINING_COUNT"
		}
	}
	switch name {
	case "FIRE_ONCE_NOW", "FIRE_NOW", "RESCHEDULE_NOW_WITH_EXISTING_REPEAT_COUNT", "RESCHEDULE_NOW_WITH_REMAINING_REPEAT_COUNT":
		job.Coalesce, job.MisfireGrace = CoalesceLatest, NeverTooLate
	case "IGNORE_MISFIRE_POLICY":
		job.Coalesce, job.MisfireGrace = CoalesceAll, NeverTooLate
	case "DO_NOTHING", "RESCHEDULE_NEXT_WITH_EXISTING_COUNT", "RESCHEDULE_NEXT_WITH_REMAINING_COUNT":
		job.Coalesce = CoalesceLatest
	default:
		return &FieldError{Field: "misfire_instruction", Err: fmt.Errorf("%q is no misfire instruction of Quartz", instruction)}
	}
	return nil
}

// limited reports whether a trigger has a limit of how often it fires.
func limited(t trigger.Trigger) bool {
	raw, err := trigger.Marshal(t)
	var form struct {
		Limit int `json:"limit"`
	}
	return err == nil && json.Unmarshal(raw, &form) == nil && form.Limit > 0
}
