// Package service is what a person or a program may do with JobCenter: the
// use cases behind the API, and the permissions that go with them. Every
// method takes the actor who asks, checks it against one table (see
// Operation), and returns errors of type *Error.
package service

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/jobcenter-go/jobcenter"
	"github.com/jobcenter-go/jobcenter/trigger"
)

// Options are what a Service is made of. Scheduler is required.
type Options struct {
	Scheduler *jobcenter.Scheduler
	// Zone is the default time zone of triggers. Nil means UTC.
	Zone *time.Location
	// Version and Node are what System tells.
	Version, Node string
}

// Service carries out use cases. Its methods are safe for concurrent use.
type Service struct {
	sched   *jobcenter.Scheduler
	zone    *time.Location
	version string
	node    string
	started time.Time
}

// New makes a service over a scheduler.
func New(opts Options) *Service {
	zone := opts.Zone
	if zone == nil {
		zone = time.UTC
	}
	return &Service{sched: opts.Scheduler, zone: zone, version: opts.Version, node: opts.Node, started: time.Now()}
}

// Zone is the default time zone of triggers.
func (s *Service) Zone() *time.Location { return s.zone }

// System is what the server tells about itself.
type System struct {
	Version, Node  string
	Zone           *time.Location
	StartedAt, Now time.Time
	// Problem says why jobs do not fire; nil while they do.
	Problem error
}

// System describes the server.
func (s *Service) System(actor Actor) (System, error) {
	if err := Allow(actor, ReadSystem); err != nil {
		return System{}, err
	}
	return System{
		Version: s.version, Node: s.node, Zone: s.zone,
		StartedAt: s.started, Now: time.Now(), Problem: s.sched.Health().Err(),
	}, nil
}

// Ready returns nil while the server fires jobs and can reach its store, and
// otherwise why not. It needs no permission.
func (s *Service) Ready(ctx context.Context) error {
	if err := s.sched.Health().Err(); err != nil {
		return err
	}
	_, err := s.sched.Store().Jobs(ctx, jobcenter.JobQuery{Limit: 1})
	return err
}

// PreviewTrigger returns up to count fires strictly after from, as a new job of
// the given id would have them; see Preview.
func (s *Service) PreviewTrigger(actor Actor, t trigger.Trigger, jobID string, from time.Time, count int, lang trigger.Lang) (fires []trigger.Fire, exhausted bool, err error) {
	if err := Allow(actor, ReadJobs); err != nil {
		return nil, false, err
	}
	fires, exhausted = Preview(t, jobID, from, count, lang)
	return fires, exhausted, nil
}

// NextFires returns up to count fire times of a trigger, each strictly after
// the one before it and the first strictly after from, and whether there are
// fewer. The trigger is taken as for Preview.
func NextFires(t trigger.Trigger, jobID string, from time.Time, count int) (fires []time.Time, exhausted bool) {
	t = trigger.ForJob(trigger.Anchor(t, nil, from), jobID)
	for range count {
		next, ok := t.Next(from)
		if !ok {
			return fires, true
		}
		fires = append(fires, next)
		from = next
	}
	return fires, false
}

// Preview returns up to count fires of a trigger strictly after from, with the
// times between them that a change of the clocks skips, and whether there are
// fewer. The trigger is taken as that of a job of the given id, which may be
// empty, added at from: that fixes the phase of an interval without a start.
func Preview(t trigger.Trigger, jobID string, from time.Time, count int, lang trigger.Lang) (fires []trigger.Fire, exhausted bool) {
	t = trigger.ForJob(trigger.Anchor(t, nil, from), jobID)
	fires = trigger.Preview(t, from, count, lang)
	for _, fire := range fires {
		if fire.Effect != trigger.EffectSkipped {
			count--
		}
	}
	return fires, count > 0
}

// storeError turns an error of the engine into an *Error.
func storeError(err error) error {
	if known, ok := errors.AsType[*Error](err); ok {
		return known
	}
	if field, ok := errors.AsType[*jobcenter.FieldError](err); ok {
		code := Invalid
		if errors.Is(err, jobcenter.ErrNeverFires) {
			code = NeverFires
		}
		return &Error{Code: code, Field: field.Field, Message: field.Err.Error(), err: err}
	}
	switch {
	case err == nil:
		return nil
	case errors.Is(err, jobcenter.ErrJobNotFound):
		return &Error{Code: NotFound, Message: "there is no such job", err: err}
	case errors.Is(err, jobcenter.ErrRunNotFound):
		return &Error{Code: NotFound, Message: "there is no such run", err: err}
	case errors.Is(err, jobcenter.ErrConflict):
		return &Error{Code: Conflict, Message: "somebody else has changed it meanwhile", err: err}
	case errors.Is(err, jobcenter.ErrOverlap):
		return &Error{Code: TooManyRuns, Message: "the job already has as many runs as its max_instances allows", err: err}
	case errors.Is(err, jobcenter.ErrNotRunning):
		return &Error{Code: NotRunning, Message: "the run has ended, or runs on another node", err: err}
	case errors.Is(err, jobcenter.ErrBadCursor):
		return &Error{Code: BadCursor, Field: "cursor", Message: "is not a cursor of this list", err: err}
	default:
		return err
	}
}

// Zones are the names of the time zones that triggers may use, sorted.
func Zones() []string { return slices.Clone(zoneNames()) }
