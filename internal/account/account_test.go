package account

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/jobcenter-go/jobcenter/internal/sqlkit"
)

const goodPassword = "correct horse"

func open(t *testing.T) *Accounts {
	t.Helper()
	db, err := sqlkit.Open(t.Context(), filepath.Join(t.TempDir(), "test.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	accounts, err := New(t.Context(), db)
	if err != nil {
		t.Fatal(err)
	}
	return accounts
}

func addAda(t *testing.T, a *Accounts) User {
	t.Helper()
	user, err := a.AddFirstUser(t.Context(), NewUser{Email: " Ada@Example.com ", Password: goodPassword, Role: Admin})
	if err != nil {
		t.Fatal(err)
	}
	return user
}

func TestNewUserIsChecked(t *testing.T) {
	t.Parallel()
	a := open(t)
	for name, test := range map[string]struct {
		user  NewUser
		field string
	}{
		"no e-mail":              {NewUser{Password: goodPassword, Role: Admin}, "email"},
		"e-mail with a name":     {NewUser{Email: "Ada <ada@example.com>", Password: goodPassword, Role: Admin}, "email"},
		"e-mail without a host":  {NewUser{Email: "ada", Password: goodPassword, Role: Admin}, "email"},
		"e-mail too long":        {NewUser{Email: strings.Repeat("a", 250) + "@example.com", Password: goodPassword, Role: Admin}, "email"},
		"password too short":     {NewUser{Email: "ada@example.com", Password: "seven77", Role: Admin}, "password"},
		"password too long":      {NewUser{Email: "ada@example.com", Password: strings.Repeat("a", 257), Role: Admin}, "password"},
		"password is the e-mail": {NewUser{Email: "ada@example.com", Password: "ADA@example.com", Role: Admin}, "password"},
		"name too long":          {NewUser{Email: "ada@example.com", Password: goodPassword, Name: strings.Repeat("é", 101), Role: Admin}, "name"},
		"no role":                {NewUser{Email: "ada@example.com", Password: goodPassword}, "role"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := a.AddFirstUser(t.Context(), test.user)
			invalid, ok := errors.AsType[*InvalidError](err)
			if !ok || invalid.Field != test.field {
				t.Errorf("error = %v, want one of %s", err, test.field)
			}
			if test.user.Password != "" && err != nil && strings.Contains(err.Error(), test.user.Password) && test.field == "password" {
				t.Errorf("the error repeats the password: %v", err)
			}
			if needed, err := a.NeedsSetup(t.Context()); err != nil || !needed {
				t.Errorf("NeedsSetup = %v, %v, want true: nothing was stored", needed, err)
			}
		})
	}
}

func TestSignIn(t *testing.T) {
	t.Parallel()
	a := open(t)
	ada := addAda(t, a)
	if ada.Email != "ada@example.com" || ada.Name != "ada" {
		t.Errorf("user = %+v, want a normal e-mail and the name of its first part", ada)
	}
	for name, test := range map[string]struct {
		email, password string
		want            error
	}{
		"right":            {"ADA@example.com ", goodPassword, nil},
		"wrong password":   {"ada@example.com", "battery staple", ErrBadCredentials},
		"unknown e-mail":   {"bob@example.com", goodPassword, ErrBadCredentials},
		"not an e-mail":    {"'; drop table", goodPassword, ErrBadCredentials},
		"empty password":   {"ada@example.com", "", ErrBadCredentials},
		"password trimmed": {"ada@example.com", goodPassword + " ", ErrBadCredentials},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			user, err := a.SignIn(t.Context(), test.email, test.password, name)
			if !errors.Is(err, test.want) {
				t.Fatalf("error = %v, want %v", err, test.want)
			}
			if err == nil {
				if diff := cmp.Diff(ada, user); diff != "" {
					t.Errorf("user (-want +got):\n%s", diff)
				}
			}
		})
	}
	if _, err := a.AddFirstUser(t.Context(), NewUser{Email: "eve@example.com", Password: goodPassword, Role: Admin}); !errors.Is(err, ErrSetupDone) {
		t.Errorf("a second first user: error = %v, want ErrSetupDone", err)
	}
}

func TestSetupTokenWorksOnce(t *testing.T) {
	t.Parallel()
	a := open(t)
	older, err := a.NewSetupToken(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	token, err := a.NewSetupToken(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	user := NewUser{Email: "ada@example.com", Password: goodPassword}
	for _, wrong := range []string{"", older, token + "x"} {
		if _, err := a.Setup(t.Context(), wrong, user, "addr"); !errors.Is(err, ErrBadSetupToken) {
			t.Errorf("token %q: error = %v, want ErrBadSetupToken", wrong, err)
		}
	}
	if _, err := a.Setup(t.Context(), token, NewUser{Email: "ada@example.com", Password: "short"}, "addr"); err == nil {
		t.Error("a short password was taken")
	}
	// Of several at once, one wins.
	var wg sync.WaitGroup
	results := make(chan error, 4)
	for i := range cap(results) {
		wg.Go(func() {
			_, err := a.Setup(t.Context(), token, NewUser{Email: fmt.Sprintf("user%d@example.com", i), Password: goodPassword}, "addr")
			results <- err
		})
	}
	wg.Wait()
	close(results)
	won := 0
	for err := range results {
		if err == nil {
			won++
		} else if !errors.Is(err, ErrSetupDone) {
			t.Errorf("error = %v, want ErrSetupDone", err)
		}
	}
	if won != 1 {
		t.Errorf("%d users were set up, want 1", won)
	}
	if _, err := a.NewSetupToken(t.Context()); !errors.Is(err, ErrSetupDone) {
		t.Errorf("a new set-up token: error = %v, want ErrSetupDone", err)
	}
	// Nothing that was handed out lies in the database as it is.
	var n int
	if err := a.db.Read.QueryRowContext(t.Context(), "SELECT count(*) FROM account_setup").Scan(&n); err != nil || n != 0 {
		t.Errorf("%d set-up tokens are left, %v, want none", n, err)
	}
}

func TestTokens(t *testing.T) {
	t.Parallel()
	a := open(t)
	secret, err := a.AddToken(t.Context(), "deploy", Operator)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(secret, TokenPrefix) || len(secret) != len(TokenPrefix)+43 {
		t.Errorf("token = %q, want %s and 256 bits", secret, TokenPrefix)
	}
	token, err := a.Token(t.Context(), secret)
	if err != nil || token.Name != "deploy" || token.Role != Operator || !token.LastUsedAt.IsZero() {
		t.Errorf("token = %+v, %v", token, err)
	}
	if token, err = a.Token(t.Context(), secret); err != nil || token.LastUsedAt.IsZero() {
		t.Errorf("after a use: token = %+v, %v, want its last use", token, err)
	}
	for _, wrong := range []string{"", "jc_", secret + "x", strings.ToUpper(secret), secret[len(TokenPrefix):]} {
		if _, err := a.Token(t.Context(), wrong); !errors.Is(err, ErrUnknownToken) {
			t.Errorf("token %q: error = %v, want ErrUnknownToken", wrong, err)
		}
	}
	for name, field := range map[string]string{"deploy": "name", "": "name", " x": "name", strings.Repeat("x", 101): "name"} {
		_, err := a.AddToken(t.Context(), name, Viewer)
		if invalid, ok := errors.AsType[*InvalidError](err); !ok || invalid.Field != field {
			t.Errorf("name %q: error = %v, want one of %s", name, err, field)
		}
	}
	if _, err := a.AddToken(t.Context(), "x", "root"); err == nil {
		t.Error("an unknown role was taken")
	}
	var stored []byte
	if err := a.db.Read.QueryRowContext(t.Context(), "SELECT hash FROM account_token").Scan(&stored); err != nil {
		t.Fatal(err)
	}
	if len(stored) != 32 || strings.Contains(secret, string(stored)) {
		t.Errorf("stored = %x, want a hash", stored)
	}
}

func TestSessions(t *testing.T) {
	t.Parallel()
	a := open(t)
	ada := addAda(t, a)
	planted, _, err := a.StartSession(t.Context(), "", ada)
	if err != nil {
		t.Fatal(err)
	}
	token, until, err := a.StartSession(t.Context(), planted, ada)
	if err != nil {
		t.Fatal(err)
	}
	if token == planted {
		t.Error("a sign-in kept the session's token")
	}
	if left := time.Until(until); left > SessionLifetime || left < SessionLifetime-time.Minute {
		t.Errorf("the session lasts %s, want %s", left, SessionLifetime)
	}
	if user, err := a.SessionUser(t.Context(), token); err != nil || user != ada {
		t.Errorf("SessionUser = %+v, %v, want ada", user, err)
	}
	for _, wrong := range []string{"", planted, token + "x", "made-up"} {
		if _, err := a.SessionUser(t.Context(), wrong); !errors.Is(err, ErrNotFound) {
			t.Errorf("session %q: error = %v, want ErrNotFound", wrong, err)
		}
	}
	var stored int
	if err := a.db.Read.QueryRowContext(t.Context(), "SELECT count(*) FROM account_session WHERE hash = ?", token).Scan(&stored); err != nil || stored != 0 {
		t.Errorf("the token itself is stored (%d, %v)", stored, err)
	}
	if err := a.EndSession(t.Context(), token); err != nil {
		t.Fatal(err)
	}
	if _, err := a.SessionUser(t.Context(), token); !errors.Is(err, ErrNotFound) {
		t.Errorf("after sign-out: error = %v, want ErrNotFound", err)
	}
}

func TestSessionsEnd(t *testing.T) {
	t.Parallel()
	a := open(t)
	ada := addAda(t, a)
	for name, update := range map[string]string{
		"unused for long": "UPDATE account_session SET used_at = used_at - ?",
		"too old":         "UPDATE account_session SET ends_at = ends_at - ?",
	} {
		token, _, err := a.StartSession(t.Context(), "", ada)
		if err != nil {
			t.Fatal(err)
		}
		by := sessionIdle
		if name == "too old" {
			by = SessionLifetime
		}
		if _, err := a.db.Write.ExecContext(t.Context(), update, (by - 10*time.Second).Microseconds()); err != nil {
			t.Fatal(err)
		}
		if _, err := a.SessionUser(t.Context(), token); err != nil {
			t.Errorf("%s: ended early: %v", name, err)
		}
		if _, err := a.db.Write.ExecContext(t.Context(), update, by.Microseconds()); err != nil {
			t.Fatal(err)
		}
		if _, err := a.SessionUser(t.Context(), token); !errors.Is(err, ErrNotFound) {
			t.Errorf("%s: error = %v, want ErrNotFound", name, err)
		}
	}
	// The next session makes room of them.
	if _, _, err := a.StartSession(t.Context(), "", ada); err != nil {
		t.Fatal(err)
	}
	var n int
	if err := a.db.Read.QueryRowContext(t.Context(), "SELECT count(*) FROM account_session").Scan(&n); err != nil || n != 1 {
		t.Errorf("%d sessions are stored, %v, want 1", n, err)
	}
}

func TestPasswordHash(t *testing.T) {
	t.Parallel()
	h := newHasher()
	hash, err := h.hash(t.Context(), goodPassword)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(hash, "$argon2id$v=19$m=19456,t=2,p=1$") {
		t.Errorf("hash = %s", hash)
	}
	cheap := "$argon2id$v=19$m=64,t=1,p=1$" + strings.SplitN(hash, "$", 6)[4] + "$" + strings.SplitN(hash, "$", 6)[5]
	for name, test := range map[string]struct {
		hash, password string
		want, fails    bool
	}{
		"right":            {hash, goodPassword, true, false},
		"wrong":            {hash, "x", false, false},
		"decoy":            {h.decoy, goodPassword, false, false},
		"another cost":     {cheap, goodPassword, false, false},
		"empty":            {"", goodPassword, false, true},
		"another function": {"$2a$10$abc", goodPassword, false, true},
		"cut":              {hash[:40], goodPassword, false, true},
	} {
		got, err := h.verify(t.Context(), test.hash, test.password)
		if got != test.want || (err != nil) != test.fails {
			t.Errorf("%s: verify = %v, %v", name, got, err)
		}
	}
}

func TestHashesAtOnceAreBounded(t *testing.T) {
	t.Parallel()
	h := newHasher()
	for range hashesAtOnce {
		h.places <- struct{}{}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := h.hash(ctx, goodPassword); !errors.Is(err, context.Canceled) {
		t.Errorf("error = %v, want to wait for a place", err)
	}
}

func TestLimiter(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := newLimiter()
		for range 3 {
			if _, err := l.begin("a", 3); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Minute) //nolint:forbidigo // of a synctest clock
		}
		// However often it is tried meanwhile, it is free again when the
		// oldest failure is out of the window.
		for range 100 {
			_, err := l.begin("a", 3)
			many, ok := errors.AsType[*TooManyAttemptsError](err)
			if !ok || many.RetryAfter != attemptWindow-3*time.Minute {
				t.Fatalf("error = %v, want to retry after %s", err, attemptWindow-3*time.Minute)
			}
		}
		if _, err := l.begin("b", 3); err != nil {
			t.Errorf("another key: %v", err)
		}
		time.Sleep(attemptWindow - 3*time.Minute) //nolint:forbidigo // of a synctest clock
		attempt, err := l.begin("a", 3)
		if err != nil {
			t.Fatalf("after the window: %v", err)
		}
		attempt.succeeded()
		if _, err := l.begin("a", 3); err != nil {
			t.Errorf("after a success: %v", err)
		}
	})
}

func TestLimiterIsBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := newLimiter()
		for i := range limiterKeys + 10 {
			if _, err := l.begin(fmt.Sprint(i), 1); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Millisecond) //nolint:forbidigo // of a synctest clock
		}
		if n := len(l.failed); n != limiterKeys {
			t.Errorf("%d keys are known, want %d", n, limiterKeys)
		}
		if _, err := l.begin(fmt.Sprint(limiterKeys+9), 1); err == nil {
			t.Error("the newest key was forgotten")
		}
	})
}

func TestSignInIsLimited(t *testing.T) {
	t.Parallel()
	a := open(t)
	addAda(t, a)
	for i := range attemptsPerAccount {
		if _, err := a.SignIn(t.Context(), "ada@example.com", "wrong password", fmt.Sprint("addr", i)); !errors.Is(err, ErrBadCredentials) {
			t.Fatalf("attempt %d: %v", i, err)
		}
	}
	_, err := a.SignIn(t.Context(), "Ada@example.com", goodPassword, "another")
	if many, ok := errors.AsType[*TooManyAttemptsError](err); !ok || many.RetryAfter <= 0 || many.RetryAfter > attemptWindow {
		t.Errorf("error = %v, want to retry later", err)
	}
}

// Who asks for an address that nobody has waits as long as anybody else.
func TestUnknownAddressIsHashed(t *testing.T) {
	t.Parallel()
	a := open(t)
	addAda(t, a)
	for range hashesAtOnce {
		a.hasher.places <- struct{}{}
	}
	for _, email := range []string{"ada@example.com", "bob@example.com", "no address"} {
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		if _, err := a.SignIn(ctx, email, goodPassword, "addr"); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%s: error = %v, want to have waited for a hash", email, err)
		}
		cancel()
	}
}
