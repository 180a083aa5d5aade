package account

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"database/sql"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"
)

// TokenPrefix is what every API token begins with, so that one that leaked
// can be recognised.
const TokenPrefix = "jc_"

// lastUsedEvery is how exactly the last use of a token is known: noting
// every request would make a write of each read.
const lastUsedEvery = 10 * time.Minute

// Token is an API token: what a program signs in with.
type Token struct {
	ID, Name  string
	Role      Role
	CreatedAt time.Time
	// LastUsedAt is known to ten minutes. Zero means never.
	LastUsedAt time.Time
}

// AddToken makes an API token and returns its secret, which is kept nowhere.
// The name is unique, 1 to 100 characters without white space around them.
// Errors: *InvalidError.
func (a *Accounts) AddToken(ctx context.Context, name string, role Role) (secret string, err error) {
	if n := utf8.RuneCountInString(name); n < 1 || n > 100 || !utf8.ValidString(name) || strings.TrimSpace(name) != name {
		return "", &InvalidError{"name", fmt.Sprintf("%q is not a token name, allowed: 1 to 100 characters, no white space around them", shorten(name))}
	}
	if _, err := ParseRole(string(role)); err != nil {
		return "", err
	}
	id, err := uuid.NewV7()
	if err != nil {
		return "", err
	}
	secret = newSecret(TokenPrefix)
	err = a.db.InTx(ctx, func(tx *sql.Tx) error {
		var n int
		if err := tx.QueryRowContext(ctx, a.queries["count_tokens_named"], name).Scan(&n); err != nil {
			return err
		}
		if n > 0 {
			return &InvalidError{"name", fmt.Sprintf("a token %q exists already", name)}
		}
		_, err := tx.ExecContext(ctx, a.queries["add_token"], hashSecret(secret), id.String(), name, string(role), micros(time.Now()))
		return err
	})
	if err != nil {
		return "", fmt.Errorf("add token: %w", err)
	}
	return secret, nil
}

// Token returns the token with this secret, and notes its use.
// ErrUnknownToken if there is none.
func (a *Accounts) Token(ctx context.Context, secret string) (Token, error) {
	if !strings.HasPrefix(secret, TokenPrefix) {
		return Token{}, ErrUnknownToken
	}
	var t Token
	var created, used int64
	hash := hashSecret(secret)
	err := a.db.Read.QueryRowContext(ctx, a.queries["token_by_hash"], hash).Scan(&t.ID, &t.Name, &t.Role, &created, &used)
	if errors.Is(err, sql.ErrNoRows) {
		return Token{}, ErrUnknownToken
	}
	if err != nil {
		return Token{}, fmt.Errorf("read token: %w", err)
	}
	t.CreatedAt = time.UnixMicro(created).UTC()
	if used != 0 {
		t.LastUsedAt = time.UnixMicro(used).UTC()
	}
	if now := time.Now(); now.Sub(t.LastUsedAt) >= lastUsedEvery {
		// A full disk must not keep people from looking; the next use tries again.
		_, _ = a.db.Write.ExecContext(ctx, a.queries["touch_token"], micros(now), hash)
	}
	return t, nil
}

// newSecret returns 256 random bits as text.
func newSecret(prefix string) string {
	return prefix + base64.RawURLEncoding.EncodeToString(randomBytes(32))
}

// hashSecret is how secrets are kept. They are random, so a fast hash does.
func hashSecret(secret string) []byte {
	sum := sha256.Sum256([]byte(secret))
	return sum[:]
}

func sameSecret(hash []byte, secret string) bool {
	return subtle.ConstantTimeCompare(hash, hashSecret(secret)) == 1
}
