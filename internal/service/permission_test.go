package service

import (
	"errors"
	"testing"

	"github.com/jobcenter-go/jobcenter/internal/account"
)

func TestAllow(t *testing.T) {
	t.Parallel()
	roles := []account.Role{"", "root", account.Viewer, account.Operator, account.Admin}
	// For each operation, what it is answered with by role.
	const none, denied, ok = Unauthenticated, Forbidden, Code("")
	for op, want := range map[Operation][]Code{
		Public:      {ok, ok, ok, ok, ok},
		OwnSession:  {none, none, ok, ok, ok},
		ReadSystem:  {none, none, ok, ok, ok},
		ReadJobs:    {none, none, ok, ok, ok},
		ReadRuns:    {none, none, ok, ok, ok},
		RunJobs:     {none, none, denied, ok, ok},
		StopRuns:    {none, none, denied, ok, ok},
		PauseJobs:   {none, none, denied, ok, ok},
		EditJobs:    {none, none, denied, denied, ok},
		"":          {none, none, denied, denied, denied},
		"forgotten": {none, none, denied, denied, denied},
	} {
		for i, role := range roles {
			err := Allow(Actor{Role: role}, op)
			var got Code
			if known, is := errors.AsType[*Error](err); is {
				got = known.Code
			} else if err != nil {
				t.Errorf("%s as %q: error = %v, want an *Error", op, role, err)
			}
			if got != want[i] {
				t.Errorf("%s as %q: %q, want %q", op, role, got, want[i])
			}
		}
	}
}
