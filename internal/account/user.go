package account

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/mail"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"
)

// NewUser is what a user is made of.
type NewUser struct {
	Email    string
	Password string
	Name     string // empty means the part of Email before the @
	Role     Role
}

// check puts u in its normal form, or says what is wrong with it.
func (u *NewUser) check() error {
	email, err := normalEmail(u.Email)
	if err != nil {
		return err
	}
	u.Email = email
	if err := checkPassword(u.Password, email); err != nil {
		return err
	}
	u.Name = strings.TrimSpace(u.Name)
	if u.Name == "" {
		u.Name, _, _ = strings.Cut(email, "@")
	}
	if n := utf8.RuneCountInString(u.Name); n > 100 || !utf8.ValidString(u.Name) {
		return &InvalidError{"name", fmt.Sprintf("has %d characters, allowed: up to 100", n)}
	}
	if _, err := ParseRole(string(u.Role)); err != nil {
		return err
	}
	return nil
}

// normalEmail returns the one form of an e-mail address under which its user
// is kept.
func normalEmail(given string) (string, error) {
	email := strings.ToLower(strings.TrimSpace(given))
	address, err := mail.ParseAddress(email)
	if err != nil || address.Address != email || len(email) > 254 {
		return "", &InvalidError{"email", fmt.Sprintf("%q is not an e-mail address such as ada@example.com", shorten(given))}
	}
	return email, nil
}

func checkPassword(password, email string) error {
	const least, most = 8, 256
	n := utf8.RuneCountInString(password)
	switch {
	case n < least || n > most:
		return &InvalidError{"password", fmt.Sprintf("has %d characters, allowed: %d to %d", n, least, most)}
	case strings.EqualFold(strings.TrimSpace(password), email):
		return &InvalidError{"password", "must not be the e-mail address"}
	default:
		return nil
	}
}

func shorten(s string) string {
	if len(s) <= 100 {
		return s
	}
	return strings.ToValidUTF8(s[:100], "") + "…"
}

// NeedsSetup reports whether there is no user yet.
func (a *Accounts) NeedsSetup(ctx context.Context) (bool, error) {
	n, err := a.countUsers(ctx, a.db.Read)
	return n == 0, err
}

func (a *Accounts) countUsers(ctx context.Context, q querier) (n int, err error) {
	if err := q.QueryRowContext(ctx, a.queries["count_users"]).Scan(&n); err != nil {
		return 0, fmt.Errorf("count users: %w", err)
	}
	return n, nil
}

// AddFirstUser adds a user if there is none yet; otherwise it is ErrSetupDone.
func (a *Accounts) AddFirstUser(ctx context.Context, u NewUser) (User, error) {
	if err := u.check(); err != nil {
		return User{}, err
	}
	return a.addFirst(ctx, u, func(*sql.Tx) error { return nil })
}

// NewSetupToken makes the token with which the first user can be set up, and
// makes earlier ones void. ErrSetupDone once there is a user.
func (a *Accounts) NewSetupToken(ctx context.Context) (string, error) {
	token := newSecret("")
	err := a.db.InTx(ctx, func(tx *sql.Tx) error {
		if n, err := a.countUsers(ctx, tx); err != nil || n > 0 {
			return errors.Join(err, ErrSetupDone)
		}
		_, err := tx.ExecContext(ctx, a.queries["put_setup"], hashSecret(token), micros(time.Now()))
		return err
	})
	if err != nil {
		return "", fmt.Errorf("make a set-up token: %w", err)
	}
	return token, nil
}

// Setup adds the first user, who is an admin, for the holder of the set-up
// token. addr is the address that the attempt came from. Errors: ErrSetupDone,
// ErrBadSetupToken, *InvalidError, *TooManyAttemptsError.
func (a *Accounts) Setup(ctx context.Context, token string, u NewUser, addr string) (User, error) {
	attempt, err := a.limiter.begin("setup:"+addr, attemptsPerAddress)
	if err != nil {
		return User{}, err
	}
	// Looked at before the password is hashed: who does not hold the token
	// costs the server next to nothing.
	if err := a.checkSetup(ctx, a.db.Read, token); err != nil {
		return User{}, err
	}
	attempt.succeeded()
	u.Role = Admin
	if err := u.check(); err != nil {
		return User{}, err
	}
	return a.addFirst(ctx, u, func(tx *sql.Tx) error { return a.checkSetup(ctx, tx, token) })
}

func (a *Accounts) checkSetup(ctx context.Context, q querier, token string) error {
	n, err := a.countUsers(ctx, q)
	if err != nil {
		return err
	}
	if n > 0 {
		return ErrSetupDone
	}
	var hash []byte
	err = q.QueryRowContext(ctx, a.queries["setup_hash"]).Scan(&hash)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return fmt.Errorf("read the set-up token: %w", err)
	}
	if !sameSecret(hash, token) {
		return ErrBadSetupToken
	}
	return nil
}

// addFirst adds a checked user in one transaction, provided that there is
// none and that allowed agrees. It makes the set-up token void.
func (a *Accounts) addFirst(ctx context.Context, u NewUser, allowed func(*sql.Tx) error) (User, error) {
	hash, err := a.hasher.hash(ctx, u.Password)
	if err != nil {
		return User{}, err
	}
	id, err := uuid.NewV7()
	if err != nil {
		return User{}, err
	}
	user := User{ID: id.String(), Email: u.Email, Name: u.Name, Role: u.Role, CreatedAt: time.Now().UTC().Truncate(time.Microsecond)}
	err = a.db.InTx(ctx, func(tx *sql.Tx) error {
		if n, err := a.countUsers(ctx, tx); err != nil {
			return err
		} else if n > 0 {
			return ErrSetupDone
		}
		if err := allowed(tx); err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, a.queries["add_user"],
			user.ID, user.Email, user.Name, string(user.Role), hash, micros(user.CreatedAt)); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, a.queries["delete_setup"])
		return err
	})
	if err != nil {
		return User{}, fmt.Errorf("add user %q: %w", user.Email, err)
	}
	return user, nil
}

// SignIn returns the user with this e-mail address and password. addr is the
// address that the attempt came from. Errors: ErrBadCredentials,
// *TooManyAttemptsError.
func (a *Accounts) SignIn(ctx context.Context, email, password, addr string) (User, error) {
	email, badEmail := normalEmail(email)
	byAddress, err := a.limiter.begin("address:"+addr, attemptsPerAddress)
	if err != nil {
		return User{}, err
	}
	byAccount, err := a.limiter.begin("account:"+email, attemptsPerAccount)
	if err != nil {
		byAddress.succeeded() // refused unseen: not a failure of this address
		return User{}, err
	}
	user, hash, err := a.findUser(ctx, "user_by_email", email)
	known := badEmail == nil && err == nil
	if err != nil && !errors.Is(err, ErrNotFound) {
		return User{}, err
	}
	if !known {
		hash = a.hasher.decoy // so that unknown addresses take as long as known ones
	}
	matches, err := a.hasher.verify(ctx, hash, password)
	if err != nil {
		return User{}, err
	}
	if !known || !matches {
		return User{}, ErrBadCredentials
	}
	byAddress.succeeded()
	byAccount.succeeded()
	return user, nil
}

// User returns the user of an id; ErrNotFound.
func (a *Accounts) User(ctx context.Context, id string) (User, error) {
	user, _, err := a.findUser(ctx, "user_by_id", id)
	return user, err
}

func (a *Accounts) findUser(ctx context.Context, query, key string) (user User, hash string, err error) {
	var created int64
	err = a.db.Read.QueryRowContext(ctx, a.queries[query], key).
		Scan(&user.ID, &user.Email, &user.Name, &user.Role, &created, &hash)
	if errors.Is(err, sql.ErrNoRows) {
		return User{}, "", fmt.Errorf("user %q: %w", key, ErrNotFound)
	}
	if err != nil {
		return User{}, "", fmt.Errorf("read user %q: %w", key, err)
	}
	user.CreatedAt = time.UnixMicro(created).UTC()
	return user, hash, nil
}
