package jobcenter

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"
)

// Health is how a scheduler does.
type Health struct {
	// Node is the scheduler's name. Running says that it fires jobs, Standby
	// that it was told not to. Since is when it was started.
	Node             string
	Running, Standby bool
	Since            time.Time
	// Stores by name.
	Stores map[string]StoreHealth
	// Runs is how many runs go on here.
	Runs int
	// Lateness is that of the runs by schedule that started here within the
	// last five minutes, of up to 1,024 of them, first attempts only.
	Lateness Lateness
}

// StoreHealth is how a scheduler does with one of its stores.
type StoreHealth struct {
	// Problem is why due jobs are not fired, or ends of runs not recorded. Nil
	// when they are.
	Problem error
	// LastPass is when the scheduler last looked for due jobs, and found all
	// of them. Zero means never.
	LastPass time.Time
	// Runs is how many of its runs go on here.
	Runs int
}

// Lateness sums up how late runs started.
type Lateness struct {
	Count         int
	P50, P99, Max time.Duration
}

// Err returns nil while the scheduler fires jobs from all its stores, or is
// told not to, and otherwise why it does not.
func (h Health) Err() error {
	if !h.Running {
		return errors.New("jobcenter: the scheduler is not running")
	}
	var errs []error
	for name, store := range h.Stores {
		switch {
		case store.Problem == nil:
		case name == DefaultStore:
			errs = append(errs, store.Problem)
		default:
			errs = append(errs, fmt.Errorf("store %q: %w", name, store.Problem))
		}
	}
	return errors.Join(errs...)
}

// storePatience is how long a store may take for due jobs until the
// scheduler no longer calls itself healthy.
const storePatience = 5 * time.Second

// Health returns how the scheduler does. It asks no store and never waits for
// one.
func (s *Scheduler) Health() Health {
	now := time.Now()
	s.mu.Lock()
	h := Health{Node: s.opts.Node, Running: s.session != nil, Standby: s.standby.Load(), Stores: map[string]StoreHealth{}}
	s.mu.Unlock()
	for _, k := range s.all() {
		health, since := k.health(now)
		h.Stores[k.name] = health
		h.Runs += health.Runs
		if h.Running && (h.Since.IsZero() || since.Before(h.Since)) {
			h.Since = since
		}
	}
	h.Lateness = s.late.sum(now)
	return h
}

func (k *keeper) health(now time.Time) (h StoreHealth, since time.Time) {
	k.state.Lock()
	defer k.state.Unlock()
	var slow error
	if waited := now.Sub(k.state.asked); !k.state.asked.IsZero() && waited > storePatience {
		slow = fmt.Errorf("jobcenter: the store has not answered for %s", waited.Round(time.Second))
	}
	return StoreHealth{
		Problem:  errors.Join(k.state.loopErr, k.state.storeErr, k.state.leaseErr, k.state.deadErr, slow),
		LastPass: k.state.passed, Runs: len(k.state.running),
	}, k.state.began
}

// lateness keeps how late the last runs started.
type lateness struct {
	mu   sync.Mutex
	last [1024]late
	next int
}

type late struct {
	at time.Time
	by time.Duration
}

// latenessSpan is how far back Health.Lateness looks.
const latenessSpan = 5 * time.Minute

// note keeps the lateness of a run that starts at an instant.
func (l *lateness) note(at time.Time, run *Run) {
	if run.Origin != OriginSchedule || run.Attempt > 1 {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.last[l.next] = late{at, at.Sub(run.FireTime)}
	l.next = (l.next + 1) % len(l.last)
}

func (l *lateness) sum(now time.Time) Lateness {
	l.mu.Lock()
	var all []time.Duration
	for _, one := range l.last {
		if !one.at.IsZero() && now.Sub(one.at) <= latenessSpan {
			all = append(all, one.by)
		}
	}
	l.mu.Unlock()
	if len(all) == 0 {
		return Lateness{}
	}
	slices.Sort(all)
	return Lateness{Count: len(all), P50: all[len(all)/2], P99: all[len(all)*99/100], Max: all[len(all)-1]}
}
