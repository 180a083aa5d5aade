package torture

import (
	"context"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jobcenter-go/jobcenter"
	"github.com/jobcenter-go/jobcenter/internal/sqlkit"
)

// The long form: go test ./internal/torture -torture.time 1h -timeout 10h
//
//nolint:gochecknoglobals // flags of a test
var (
	tortureTime  = flag.Duration("torture.time", 15*time.Second, "for how long each store is tortured")
	tortureJobs  = flag.Int("torture.jobs", 0, "how many jobs fire every second or two; 0: 2000, but 500 for less than a minute")
	tortureStore = flag.String("torture.store", "", "which stores, separated by commas; empty: all")
	tortureSeed  = flag.Uint64("torture.seed", 0, "seed of what happens; 0: a new one")
	tortureKeep  = flag.Bool("torture.keep", false, "keep the journals and the store, as after a failure")
)

const (
	schedulerCount = 3
	leaseTime      = 2 * time.Second
	// jobsPerPlace makes pools such that one scheduler has just enough places
	// for what goes on, but not for all that begins at once.
	jobsPerPlace = 8
	// settle is how long jobs go on to fire when nothing happens any more.
	settle = 2 * leaseTime
	// drainTime is how long what goes on gets to end, when they fire no more.
	drainTime = 2 * time.Minute
	// fewFires are too few for all states to be among them.
	fewFires = 5000
)

// TestTorture tortures each store, one after the other.
func TestTorture(t *testing.T) {
	if testing.Short() {
		t.Skip("torture takes long; left out by -short")
	}
	wanted := strings.FieldsFunc(*tortureStore, func(r rune) bool { return r == ',' })
	for _, name := range wanted {
		if _, err := kindOfStore(name); err != nil {
			t.Fatal(err)
		}
	}
	for _, k := range kindsOfStores() {
		if len(wanted) > 0 && !slices.Contains(wanted, k.name) {
			continue
		}
		for _, k.long = range k.parts(*tortureTime) {
			t.Run(k.name, k.torture)
		}
	}
}

func (k *storeKind) torture(t *testing.T) {
	seed := *tortureSeed
	if seed == 0 {
		seed = uint64(time.Now().UnixNano())
	}
	count := *tortureJobs
	if count == 0 {
		if count = 2000; k.long < time.Minute {
			count = 500
		}
		if k.slow > 0 {
			count = min(count, 2*len(kinds()))
		}
	}
	folder := makeFolder(t)
	t.Logf("seed %d, %d jobs, folder %s", seed, count, folder)

	direct := sqliteURL(folder)
	var server *server
	if k.newServer != nil {
		server = k.newServer(t, folder)
		direct = server.url
	}
	store, err := k.open(t.Context(), direct)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	}()
	scheduler, err := jobcenter.New(jobcenter.Options{Store: store, Tasks: noTasks()})
	if err != nil {
		t.Fatal(err)
	}
	first := time.Now().Truncate(time.Second).Add(2 * time.Second).UTC()
	last := first.Add(leaseTime + k.long + settle)
	jobs := addJobs(t, scheduler, count, k.often(), first, last)

	began := time.Now()
	s := newSchedulers(t, k, folder, direct, server, count)
	c := newChaos(s, rand.New(rand.NewPCG(seed, 1)), direct, server)
	o := newOperator(scheduler, rand.New(rand.NewPCG(seed, 2)), jobs)
	wait(t.Context(), time.Until(first)+leaseTime)
	happening, end := context.WithTimeout(t.Context(), k.long)
	defer end()
	c.going.Go(func() { o.run(happening) })
	c.run(happening)

	wait(t.Context(), time.Until(last))
	drain(t, scheduler)
	for _, in := range s.slots {
		if !in.current.terminate(patience) {
			t.Errorf("scheduler %s did not end well when it was told to: %v", in.current.name, in.current.err)
		}
	}
	took := time.Since(began)
	if checker, ok := store.(interface {
		Check(ctx context.Context) error
	}); ok {
		if err := checker.Check(t.Context()); err != nil {
			t.Errorf("the store does not pass its own checks: %v", err)
		}
	}

	report, err := os.Create(filepath.Join(folder, "report"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = report.Close() }()
	l := &ledger{t: t, store: store, processes: s.processes(), operator: o, report: report}
	if l.journals, err = readJournals(folder, l.processes, len(jobs)); err != nil {
		t.Fatal(err)
	}
	l.check(t.Context(), jobs)
	l.figures(c, took)
}

// makeFolder makes a folder for all that is written, which is kept if the test
// fails. A server that is not run by its owner can pass through it.
func makeFolder(t *testing.T) string {
	t.Helper()
	folder, err := os.MkdirTemp("", "jobcenter-torture-") //nolint:usetesting // it is kept after a failure
	if err == nil {
		err = os.Chmod(folder, 0o711)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() || *tortureKeep {
			t.Logf("kept for a look: %s", folder)
		} else if err := os.RemoveAll(folder); err != nil {
			t.Error(err)
		}
	})
	return folder
}

func addJobs(t *testing.T, scheduler *jobcenter.Scheduler, count int, often time.Duration, first, last time.Time) []*tortureJob {
	t.Helper()
	jobs, err := makeJobs(count, often, first, last)
	if err != nil {
		t.Fatal(err)
	}
	for batch := range slices.Chunk(jobs, 500) {
		list := make([]jobcenter.Job, len(batch))
		for i, j := range batch {
			list[i] = j.Job
		}
		added, err := scheduler.AddAll(t.Context(), list)
		if err != nil {
			t.Fatal(err)
		}
		for i, j := range batch {
			j.Job = added[i]
		}
	}
	return jobs
}

func newSchedulers(t *testing.T, k *storeKind, folder, direct string, server *server, count int) *schedulers {
	t.Helper()
	log, err := os.Create(filepath.Join(folder, "schedulers.log"))
	if err != nil {
		t.Fatal(err)
	}
	s := &schedulers{t: t, folder: folder, store: k.name, lease: leaseTime, poll: k.often() / 5, pool: max(4, count/jobsPerPlace), log: log}
	t.Cleanup(func() {
		s.killAll()
		_ = log.Close()
	})
	for i := range schedulerCount {
		in := &slot{name: string(rune('a' + i)), url: direct}
		if server != nil {
			in.proxy = newProxy(t, server.address)
			in.url = throughProxy(direct, in.proxy.address())
		}
		s.slots = append(s.slots, in)
		s.start(in, "")
	}
	return s
}

func newChaos(s *schedulers, random *rand.Rand, direct string, server *server) *chaos {
	diary, err := os.Create(filepath.Join(s.folder, "diary"))
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { _ = diary.Close() })
	c := &chaos{schedulers: s, random: random, server: server, diary: diary, pace: 1200 * time.Millisecond, counts: map[string]int{}}
	if server == nil {
		c.pace = 2 * time.Second // a scheduler that is stopped can stop the others
		c.lock = func(d time.Duration) error { return holdLock(context.WithoutCancel(s.t.Context()), direct, d) }
	}
	return c
}

// holdLock holds the write lock of a file for a while, as a program would that
// is in the middle of a transaction.
func holdLock(ctx context.Context, url string, d time.Duration) error {
	db, err := sqlkit.Open(ctx, url)
	if err != nil {
		return err
	}
	defer func() { _ = db.Close() }()
	tx, err := db.Write.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	wait(ctx, d)
	return tx.Rollback()
}

// drain waits until no job will fire any more, and nothing is queued or running.
func drain(t *testing.T, scheduler *jobcenter.Scheduler) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), drainTime)
	defer cancel()
	for {
		jobs, err := scheduler.Jobs(ctx, jobcenter.JobQuery{State: jobcenter.JobActive, Limit: 1})
		if err != nil {
			t.Fatal(err)
		}
		runs, err := scheduler.Store().Runs(ctx, jobcenter.RunQuery{States: []jobcenter.RunState{jobcenter.RunQueued, jobcenter.RunRunning}, Limit: 1})
		if err != nil {
			t.Fatal(err)
		}
		if len(jobs.Jobs) == 0 && len(runs.Runs) == 0 {
			return
		}
		if !wait(ctx, 100*time.Millisecond) {
			t.Errorf("jobs are still active, or runs queued or running, %s after the last fire time, such as %v %v", drainTime, jobs.Jobs, runs.Runs)
			return
		}
	}
}

// figures says how it went, and that the test reached what it is for.
func (l *ledger) figures(c *chaos, took time.Duration) {
	rows := int64(0)
	var states []string
	for _, state := range slices.Sorted(maps.Keys(l.states)) {
		rows += l.states[state]
		states = append(states, fmt.Sprintf("%s: %d", strings.TrimSpace(state), l.states[state]))
	}
	var happened []string
	for _, name := range slices.Sorted(maps.Keys(c.counts)) {
		happened = append(happened, fmt.Sprintf("%s: %d", name, c.counts[name]))
	}
	cuts := 0
	for _, in := range c.slots {
		if in.proxy != nil {
			in.proxy.set(func() { cuts += in.proxy.cuts })
		}
	}
	gap, resumed := l.pauses(c)
	l.t.Logf("fire times %d, rows %d, attempts begun %d in %s", l.fires, rows, l.begun, took.Round(time.Second))
	l.t.Logf("rows: %s", strings.Join(states, ", "))
	l.t.Logf("happenings: %s; scheduler processes: %d; connections cut: %d", strings.Join(happened, ", "), len(l.processes), cuts)
	l.t.Logf("operator: %d calls, %d of them failed by the store, %d starts, %d stops", l.operator.done, l.operator.failed, len(l.operator.started), len(l.operator.asked))
	l.t.Logf("ends told by schedulers that had lost their claim: %d; runs put back whose claim was not answered: %d; output compared: %d bytes; lines of journals: %d", l.stale, l.putBack, l.bytes, l.journals.lines)
	l.t.Logf("longest time from a death to the record of what it left: %s; without any begin: %s; from the end of a disturbance to the next claim: %s; slowest renewal of a lease: %s",
		time.Duration(l.worst)*time.Microsecond, gap, resumed, time.Duration(l.slowest)*time.Microsecond)
	if l.wrong > 0 {
		l.t.Errorf("%d things are wrong", l.wrong)
	}
	if l.fires < fewFires {
		return
	}
	for _, state := range []string{"succeeded ", "failed error", "failed panic", "timed_out timeout", "lost node_died", "skipped overlap"} {
		if l.states[state] == 0 {
			l.t.Errorf("the test did not reach what it is for: no row is %s", state)
		}
	}
	if l.states["succeeded "] < l.begun/3 {
		l.t.Errorf("the test did not reach what it is for: %d rows succeeded, of %d attempts", l.states["succeeded "], l.begun)
	}
}

// pauses are the longest time without any begin, and that from the end of a
// disturbance of all schedulers to the next claim.
func (l *ledger) pauses(c *chaos) (gap, resumed time.Duration) {
	var begins, claims []int64
	for _, events := range l.journals.byJob {
		for i := range events {
			switch events[i].kind {
			case beginLine:
				begins = append(begins, events[i].at)
			case claimLine:
				claims = append(claims, events[i].at)
			}
		}
	}
	slices.Sort(begins)
	slices.Sort(claims)
	for i := 1; i < len(begins); i++ {
		gap = max(gap, time.Duration(begins[i]-begins[i-1])*time.Microsecond)
	}
	for _, r := range c.repairs {
		if i, _ := slices.BinarySearch(claims, r.at); i < len(claims) {
			resumed = max(resumed, time.Duration(claims[i]-r.at)*time.Microsecond)
		}
	}
	return gap, resumed
}
