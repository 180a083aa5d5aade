// Package trigger says when a job fires.
//
// A trigger is a pure value: it holds no state, reads no clock and does no
// I/O, so it may be shared between goroutines, asked twice, and asked about
// any instant in the past or the future. What is remembered about a job (its
// next fire time, its runs) lives in the job store.
package trigger

import "time"

// Trigger gives the fire times of a plan.
type Trigger interface {
	// Next returns the first fire time strictly after the given instant, in
	// the trigger's time zone. ok is false when there is none; fire is then
	// the zero time.
	Next(after time.Time) (fire time.Time, ok bool)
}
