package account

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"runtime/debug"
	"strings"

	"golang.org/x/crypto/argon2"
)

// The cost of a password hash, as OWASP advises for argon2id; hashes keep the
// cost with which they were made.
const (
	hashMemory  = 19 * 1024 // KiB
	hashTime    = 2
	hashThreads = 1
	saltBytes   = 16
	keyBytes    = 32
	// hashesAtOnce bounds the memory that sign-ins take.
	hashesAtOnce = 2
)

// hasher hashes passwords with argon2id.
type hasher struct {
	places chan struct{}
	// decoy is a hash that no password matches.
	decoy string
}

func newHasher() *hasher {
	h := &hasher{places: make(chan struct{}, hashesAtOnce)}
	// Never computed: the key is random, so no password is known for it.
	h.decoy = encodeHash(hashMemory, hashTime, hashThreads, randomBytes(saltBytes), randomBytes(keyBytes))
	return h
}

// hash returns the hash of a password, with its salt and cost, in the
// customary form $argon2id$v=19$m=…,t=…,p=…$salt$key.
func (h *hasher) hash(ctx context.Context, password string) (string, error) {
	salt := randomBytes(saltBytes)
	key, err := h.key(ctx, password, salt, hashTime, hashMemory, hashThreads, keyBytes)
	if err != nil {
		return "", err
	}
	return encodeHash(hashMemory, hashTime, hashThreads, salt, key), nil
}

// verify reports whether a password has this hash.
func (h *hasher) verify(ctx context.Context, hash, password string) (bool, error) {
	var version int
	var memory, time uint32
	var threads uint8
	var text string
	_, err := fmt.Sscanf(hash, "$argon2id$v=%d$m=%d,t=%d,p=%d$%s", &version, &memory, &time, &threads, &text)
	saltText, keyText, _ := strings.Cut(text, "$")
	salt, saltErr := base64.RawStdEncoding.DecodeString(saltText)
	key, keyErr := base64.RawStdEncoding.DecodeString(keyText)
	if err := errors.Join(err, saltErr, keyErr); err != nil {
		return false, fmt.Errorf("read a password hash: %w", err)
	}
	if version != argon2.Version || time == 0 || threads == 0 || len(key) == 0 {
		return false, errors.New("read a password hash: unknown form")
	}
	got, err := h.key(ctx, password, salt, time, memory, threads, len(key))
	if err != nil {
		return false, err
	}
	return subtle.ConstantTimeCompare(got, key) == 1, nil
}

// key computes a key once there is a place for it.
func (h *hasher) key(ctx context.Context, password string, salt []byte, time, memory uint32, threads uint8, size int) ([]byte, error) {
	select {
	case h.places <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	defer func() {
		// The memory of a hash would otherwise stay with an idle server.
		debug.FreeOSMemory()
		<-h.places
	}()
	return argon2.IDKey([]byte(password), salt, time, memory, threads, uint32(size)), nil
}

func encodeHash(memory, time uint32, threads uint8, salt, key []byte) string {
	b64 := base64.RawStdEncoding
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s",
		argon2.Version, memory, time, threads, b64.EncodeToString(salt), b64.EncodeToString(key))
}

func randomBytes(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails
	return b
}
