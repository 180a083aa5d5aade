package account

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/alexedwards/scs/v2"
)

const (
	// SessionLifetime is how long a session lasts at most.
	SessionLifetime = 7 * 24 * time.Hour
	// sessionIdle is how long it lasts without a request.
	sessionIdle = 24 * time.Hour
	// sessionTouch is how exactly the last request is known: a session is not
	// written again for each.
	sessionTouch = time.Minute

	sessionUser = "user"
)

func newSessions(a *Accounts) *scs.SessionManager {
	sessions := scs.New()
	sessions.Store = sessionStore{a}
	sessions.Lifetime = SessionLifetime
	sessions.HashTokenInStore = true
	return sessions
}

// StartSession opens a new session for a user, in place of the one that
// token names, if any, so that nobody can hand a user a session to sign in
// to. It returns the new token and until when it can be valid at most.
func (a *Accounts) StartSession(ctx context.Context, token string, user User) (newToken string, until time.Time, err error) {
	ctx, err = a.sessions.Load(ctx, token)
	if err != nil {
		return "", time.Time{}, fmt.Errorf("start session: %w", err)
	}
	if err := a.sessions.RenewToken(ctx); err != nil {
		return "", time.Time{}, fmt.Errorf("start session: %w", err)
	}
	a.sessions.Put(ctx, sessionUser, user.ID)
	newToken, until, err = a.sessions.Commit(ctx)
	if err != nil {
		return "", time.Time{}, fmt.Errorf("start session: %w", err)
	}
	return newToken, until, nil
}

// SessionUser returns the user of the session that token names, and notes
// its use. ErrNotFound if there is no such session any more.
func (a *Accounts) SessionUser(ctx context.Context, token string) (User, error) {
	session, err := a.sessions.Load(ctx, token)
	if err != nil {
		return User{}, fmt.Errorf("load session: %w", err)
	}
	id := a.sessions.GetString(session, sessionUser)
	if id == "" {
		return User{}, fmt.Errorf("session: %w", ErrNotFound)
	}
	return a.User(ctx, id)
}

// EndSession ends the session that token names.
func (a *Accounts) EndSession(ctx context.Context, token string) error {
	ctx, err := a.sessions.Load(ctx, token)
	if err == nil {
		err = a.sessions.Destroy(ctx)
	}
	if err != nil {
		return fmt.Errorf("end session: %w", err)
	}
	return nil
}

// sessionStore keeps sessions in the database. scs hands it the hash of a
// session's token, never the token.
type sessionStore struct{ accounts *Accounts }

var _ scs.CtxStore = sessionStore{}

// FindCtx returns the data of a session that has not ended, and notes its
// use. A session that is deleted at the same moment stays deleted.
func (s sessionStore) FindCtx(ctx context.Context, hash string) (data []byte, found bool, err error) {
	var used, ends int64
	db, queries := s.accounts.db, s.accounts.queries
	err = db.Read.QueryRowContext(ctx, queries["find_session"], hash).Scan(&data, &used, &ends)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, err
	}
	now := time.Now()
	unused := now.Sub(time.UnixMicro(used))
	if ends <= micros(now) || unused >= sessionIdle {
		return nil, false, nil
	}
	if unused >= sessionTouch {
		// A full disk must not keep people from looking; the next use tries again.
		_, _ = db.Write.ExecContext(ctx, queries["touch_session"], micros(now), hash)
	}
	return data, true, nil
}

// CommitCtx stores a session and makes room of those that have ended.
func (s sessionStore) CommitCtx(ctx context.Context, hash string, data []byte, ends time.Time) error {
	now := time.Now()
	db, queries := s.accounts.db, s.accounts.queries
	return db.InTx(ctx, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, queries["delete_ended_sessions"], micros(now), micros(now.Add(-sessionIdle))); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, queries["put_session"], hash, data, micros(now), micros(ends))
		return err
	})
}

// DeleteCtx removes a session.
func (s sessionStore) DeleteCtx(ctx context.Context, hash string) error {
	_, err := s.accounts.db.Write.ExecContext(ctx, s.accounts.queries["delete_session"], hash)
	return err
}

// Find is FindCtx for callers without a context.
func (s sessionStore) Find(hash string) (data []byte, found bool, err error) {
	return s.FindCtx(context.Background(), hash)
}

// Commit is CommitCtx for callers without a context.
func (s sessionStore) Commit(hash string, data []byte, expiry time.Time) error {
	return s.CommitCtx(context.Background(), hash, data, expiry)
}

// Delete is DeleteCtx for callers without a context.
func (s sessionStore) Delete(hash string) error {
	return s.DeleteCtx(context.Background(), hash)
}
