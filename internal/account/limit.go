package account

import (
	"slices"
	"sync"
	"time"
)

const (
	// attemptsPerAccount and attemptsPerAddress may fail within
	// attemptWindow; the next one has to wait until the oldest is that old.
	attemptsPerAccount = 10
	attemptsPerAddress = 30
	attemptWindow      = 15 * time.Minute
	// limiterKeys bounds memory: beyond it the key that failed the longest
	// time ago is forgotten.
	limiterKeys = 10_000
)

// limiter counts failed attempts by key over a sliding window. Attempts that
// it refuses are not counted, so nobody is locked out for longer than the
// window.
type limiter struct {
	mu     sync.Mutex
	failed map[string][]time.Time // by key, oldest first
}

func newLimiter() *limiter { return &limiter{failed: map[string][]time.Time{}} }

// attempt is one that has begun. It counts as failed until it has succeeded,
// so that attempts made at once cannot pass the limit together.
type attempt struct {
	limiter *limiter
	key     string
	at      time.Time
}

// begin starts an attempt, or returns a *TooManyAttemptsError if as many as
// most have failed within the window.
func (l *limiter) begin(key string, most int) (attempt, error) {
	now := time.Now()
	l.mu.Lock()
	defer l.mu.Unlock()
	failed := recent(l.failed[key], now)
	if len(failed) >= most {
		return attempt{}, &TooManyAttemptsError{RetryAfter: failed[len(failed)-most].Add(attemptWindow).Sub(now)}
	}
	if _, known := l.failed[key]; !known && len(l.failed) >= limiterKeys {
		l.makeRoom(now)
	}
	l.failed[key] = append(failed, now)
	return attempt{l, key, now}, nil
}

// succeeded takes the attempt back.
func (a attempt) succeeded() {
	a.limiter.mu.Lock()
	defer a.limiter.mu.Unlock()
	failed := a.limiter.failed[a.key]
	if i := slices.IndexFunc(failed, a.at.Equal); i >= 0 {
		failed = slices.Delete(failed, i, i+1)
	}
	if len(failed) == 0 {
		delete(a.limiter.failed, a.key)
		return
	}
	a.limiter.failed[a.key] = failed
}

// makeRoom forgets what is out of the window, or else the oldest key.
func (l *limiter) makeRoom(now time.Time) {
	oldest, at := "", now
	for key, failed := range l.failed {
		last := failed[len(failed)-1]
		if now.Sub(last) >= attemptWindow {
			delete(l.failed, key)
		} else if !last.After(at) {
			oldest, at = key, last
		}
	}
	if len(l.failed) >= limiterKeys {
		delete(l.failed, oldest)
	}
}

// recent drops the times that are out of the window.
func recent(times []time.Time, now time.Time) []time.Time {
	i := 0
	for i < len(times) && now.Sub(times[i]) >= attemptWindow {
		i++
	}
	return times[i:]
}
