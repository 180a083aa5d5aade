// Package account keeps who may use JobCenter: users with passwords, their
// sessions, API tokens, and the one-time token that sets up the first user.
// What a role allows is decided by package service.
package account

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"time"

	"github.com/alexedwards/scs/v2"

	"github.com/jobcenter-go/jobcenter/internal/sqlkit"
)

//go:embed sqlite/*.sql
var files embed.FS

// Errors that callers branch on.
var (
	// ErrBadCredentials: the e-mail address is unknown or the password wrong;
	// it does not say which.
	ErrBadCredentials = errors.New("the e-mail address or the password is wrong")
	// ErrSetupDone: there is a user already, so none can be set up.
	ErrSetupDone = errors.New("set-up is done: there is a user already")
	// ErrBadSetupToken: not the token of the newest set-up link.
	ErrBadSetupToken = errors.New("the set-up link is wrong or has been replaced by a newer one")
	// ErrUnknownToken: an API token that does not exist.
	ErrUnknownToken = errors.New("unknown API token")
	// ErrNotFound: a user that does not exist.
	ErrNotFound = errors.New("not found")
)

// InvalidError is a value that cannot be accepted.
type InvalidError struct {
	// Field is "email", "password", "name" or "role".
	Field string
	// Problem says what is wrong and what is allowed. It never repeats a password.
	Problem string
}

func (e *InvalidError) Error() string { return e.Field + ": " + e.Problem }

// TooManyAttemptsError says that sign-in is refused for a while because too many
// attempts failed.
type TooManyAttemptsError struct {
	// RetryAfter is when the next attempt is looked at.
	RetryAfter time.Duration
}

func (e *TooManyAttemptsError) Error() string {
	return fmt.Sprintf("too many failed attempts; try again in %s", e.RetryAfter.Round(time.Second))
}

// Role is what a user or a token may do. The zero value is no role.
type Role string

// The roles, each of which includes those before it.
const (
	Viewer   Role = "viewer"   // reads
	Operator Role = "operator" // runs, stops, pauses and resumes
	Admin    Role = "admin"    // everything
)

// ParseRole reads a role's name.
func ParseRole(name string) (Role, error) {
	if role := Role(name); role.Valid() {
		return role, nil
	}
	return "", &InvalidError{"role", fmt.Sprintf("%q is not a role, allowed: %s, %s, %s", name, Admin, Operator, Viewer)}
}

// Valid reports whether r is one of the roles.
func (r Role) Valid() bool { return r.rank() > 0 }

// Includes reports whether r allows all that other allows.
func (r Role) Includes(other Role) bool { return other.Valid() && r.rank() >= other.rank() }

func (r Role) rank() int {
	switch r {
	case Viewer:
		return 1
	case Operator:
		return 2
	case Admin:
		return 3
	default:
		return 0
	}
}

// User is a person who may sign in.
type User struct {
	ID string
	// Email is unique, in lower case.
	Email     string
	Name      string
	Role      Role
	CreatedAt time.Time
}

// Accounts keeps users, sessions and tokens in a database. Its methods are
// safe for concurrent use, also beside another process.
type Accounts struct {
	db       *sqlkit.DB
	queries  sqlkit.Queries
	hasher   *hasher
	limiter  *limiter
	sessions *scs.SessionManager
}

// New brings the account tables of a database up to date and opens them.
func New(ctx context.Context, db *sqlkit.DB) (*Accounts, error) {
	if err := sqlkit.Migrate(ctx, db, files, "account"); err != nil {
		return nil, err
	}
	queries, err := sqlkit.LoadQueries(files, db.Dialect,
		"count_users", "add_user", "user_by_email", "user_by_id",
		"add_token", "count_tokens_named", "token_by_hash", "touch_token",
		"find_session", "put_session", "touch_session", "delete_session", "delete_ended_sessions",
		"put_setup", "setup_hash", "delete_setup")
	if err != nil {
		return nil, err
	}
	a := &Accounts{db: db, queries: queries, hasher: newHasher(), limiter: newLimiter()}
	a.sessions = newSessions(a)
	return a, nil
}

// querier is a *sql.DB or a *sql.Tx.
type querier interface {
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// micros is an instant as the tables keep it.
func micros(t time.Time) int64 { return t.UnixMicro() }
