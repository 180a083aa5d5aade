package service

import (
	"github.com/jobcenter-go/jobcenter"
	"github.com/jobcenter-go/jobcenter/internal/account"
)

// Actor is who asks for something. The zero value is an anonymous one.
type Actor struct {
	// Name is what is recorded with what the actor does: a person's e-mail
	// address, or "token:" and the name of a token.
	Name string
	// Role is empty for an anonymous actor.
	Role account.Role
	// Origin is OriginManual for a person, OriginAPI for a program.
	Origin jobcenter.Origin
	// User is the person; nil for a program.
	User *account.User
}

// Operation is something that an actor may be allowed to do.
type Operation string

// The operations. Public is allowed to everybody.
const (
	Public     Operation = "public"
	OwnSession Operation = "own_session"
	ReadSystem Operation = "read_system"
	ReadJobs   Operation = "read_jobs"
	ReadRuns   Operation = "read_runs"
	RunJobs    Operation = "run_jobs"
	StopRuns   Operation = "stop_runs"
	PauseJobs  Operation = "pause_jobs"
	EditJobs   Operation = "edit_jobs"
)

// required is the table of permissions: the least role that an operation
// takes. What is not in it is allowed to nobody.
func required(op Operation) (role account.Role, known bool) {
	switch op {
	case OwnSession, ReadSystem, ReadJobs, ReadRuns:
		return account.Viewer, true
	case RunJobs, StopRuns, PauseJobs:
		return account.Operator, true
	case EditJobs:
		return account.Admin, true
	default:
		return "", false
	}
}

// Allow returns nil if the actor may do the operation, and otherwise an
// *Error with Unauthenticated or Forbidden. It is the one place where roles
// are checked.
func Allow(actor Actor, op Operation) error {
	if op == Public {
		return nil
	}
	if !actor.Role.Valid() {
		return &Error{Code: Unauthenticated, Message: "sign in, or give an API token"}
	}
	role, known := required(op)
	if !known || !actor.Role.Includes(role) {
		return &Error{Code: Forbidden, Message: "the role " + string(actor.Role) + " does not allow this"}
	}
	return nil
}
