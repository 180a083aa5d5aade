package jobcenter_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/jobcenter-go/jobcenter"
	"github.com/jobcenter-go/jobcenter/trigger"
)

// begun is the instant at which fake time begins.
func begun() time.Time { return time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC) }

// leisurely are the options of a scheduler in a test that lasts for days: it
// looks around seldom.
func leisurely() jobcenter.Options {
	return jobcenter.Options{PollInterval: time.Hour, Lease: 6 * time.Hour}
}

// newBench makes a scheduler, which does not run yet, with the tasks of opts
// and "work", unless opts has one of that name.
func newBench(t *testing.T, opts jobcenter.Options, work jobcenter.TaskFunc) *bench {
	t.Helper()
	tasks := map[string]jobcenter.Task{"work": work}
	maps.Copy(tasks, opts.Tasks)
	opts.Tasks = tasks
	sched, err := jobcenter.New(opts)
	if err != nil {
		t.Fatal(err)
	}
	return &bench{Scheduler: sched, t: t, stop: func() {}}
}

// begin is newBench with a scheduler that runs until the test ends or stop is called.
func begin(t *testing.T, opts jobcenter.Options, work jobcenter.TaskFunc) *bench {
	t.Helper()
	b := newBench(t, opts, work)
	b.begin()
	return b
}

func (b *bench) begin() {
	b.t.Helper()
	if err := b.Start(); err != nil {
		b.t.Fatal(err)
	}
	b.stop = func() {
		// Runs that go on are given a while, and are not waited for then.
		patience, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := b.Shutdown(patience); err != nil && !errors.Is(err, context.DeadlineExceeded) {
			b.t.Errorf("shutdown: %v", err)
		}
	}
	b.t.Cleanup(func() { b.stop() })
}

// wait lets time pass, and then everything that is to happen by then.
func (b *bench) wait(d time.Duration) {
	b.t.Helper()
	time.Sleep(d)
	synctest.Wait()
}

// addAs is add for a job of another task than "work".
func (b *bench) addAs(task string, job jobcenter.Job) jobcenter.Job {
	b.t.Helper()
	job.Task = task
	added, err := b.Add(b.t.Context(), job)
	if err != nil {
		b.t.Fatal(err)
	}
	return added
}

func (b *bench) job(id string) jobcenter.Job {
	b.t.Helper()
	job, err := b.Job(context.WithoutCancel(b.t.Context()), id)
	if err != nil {
		b.t.Fatal(err)
	}
	return job
}

// run starts a run of a job by hand.
func (b *bench) run(id string) jobcenter.Run {
	b.t.Helper()
	run, err := b.RunNow(b.t.Context(), id, jobcenter.StartOptions{})
	if err != nil {
		b.t.Fatal(err)
	}
	return run
}

// row is a row of the ledger in brief: state, reason if there is one, fire
// time counted from the beginning, and for a span its end and how many.
func row(run *jobcenter.Run) string {
	line := string(run.State)
	if run.Reason != "" {
		line += "/" + string(run.Reason)
	}
	line += " " + run.FireTime.Sub(begun()).String()
	if run.FireCount != 1 || !run.LastFireTime.Equal(run.FireTime) {
		line += fmt.Sprintf("..%s ×%d", run.LastFireTime.Sub(begun()), run.FireCount)
	}
	return line
}

// wantRows compares all rows of a job, oldest first.
func (b *bench) wantRows(jobID string, want ...string) {
	b.t.Helper()
	runs := b.runs(jobID)
	got := make([]string, len(runs))
	for i := range runs {
		got[i] = row(&runs[i])
	}
	if len(want) == 0 {
		want = []string{}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		b.t.Errorf("rows of job %q (-want +got):\n%s", jobID, diff)
	}
}

// wantCovered checks that each fire time of an interval, from the first to the
// last, is covered by exactly one row of the schedule, and returns the rows.
func (b *bench) wantCovered(jobID string, every time.Duration, first, last time.Time) []jobcenter.Run {
	b.t.Helper()
	runs := slices.DeleteFunc(b.runs(jobID), func(run jobcenter.Run) bool { return run.Origin != jobcenter.OriginSchedule })
	next := first
	for i := range runs {
		run := &runs[i]
		if !run.FireTime.Equal(next) {
			b.t.Fatalf("row %d of job %q is %s, want one that begins at %s", i, jobID, row(run), next.Sub(begun()))
		}
		if spans := int64(run.LastFireTime.Sub(run.FireTime)/every) + 1; run.FireCount != spans {
			b.t.Fatalf("row %d of job %q is %s, want ×%d", i, jobID, row(run), spans)
		}
		next = run.LastFireTime.Add(every)
	}
	if want := last.Add(every); !next.Equal(want) {
		b.t.Fatalf("the ledger of job %q ends before %s, want before %s", jobID, next.Sub(begun()), want.Sub(begun()))
	}
	return runs
}

func date(t *testing.T, at time.Time) trigger.Trigger {
	t.Helper()
	d, err := trigger.NewDate(at)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func parsed(t *testing.T, text string) trigger.Trigger {
	t.Helper()
	trig, err := trigger.ParseText(text, nil)
	if err != nil {
		t.Fatal(err)
	}
	return trig
}

func pool(t *testing.T, size int) *jobcenter.Pool {
	t.Helper()
	p, err := jobcenter.NewPool(size)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// poolOf gives a scheduler a default executor with so many places.
func poolOf(t *testing.T, size int) map[string]jobcenter.Executor {
	t.Helper()
	return map[string]jobcenter.Executor{jobcenter.DefaultExecutor: pool(t, size)}
}

// lasting is a task that takes a while, and ends at once when it is to.
func lasting(d time.Duration) jobcenter.TaskFunc {
	return func(ctx context.Context, _ *jobcenter.RunContext) error {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(d):
			return nil
		}
	}
}

// tally counts what ran, by job and fire time.
type tally struct {
	mu  sync.Mutex
	ran map[string]int
	now map[string]int // that run at the moment, by job
	max map[string]int // the most of them
}

func newTally() *tally {
	return &tally{ran: map[string]int{}, now: map[string]int{}, max: map[string]int{}}
}

// work is a task that takes d and is counted.
func (c *tally) work(d time.Duration) jobcenter.TaskFunc {
	return func(ctx context.Context, run *jobcenter.RunContext) error {
		id := run.Job.ID
		c.mu.Lock()
		c.ran[id+" "+run.FireTime().Sub(begun()).String()]++
		c.now[id]++
		c.max[id] = max(c.max[id], c.now[id])
		c.mu.Unlock()
		defer func() {
			c.mu.Lock()
			defer c.mu.Unlock()
			c.now[id]--
		}()
		return lasting(d)(ctx, run)
	}
}

// wantOnce checks that each of so many fires ran, and none twice.
func (c *tally) wantOnce(t *testing.T, fires int) {
	t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	for fire, n := range c.ran {
		if n != 1 {
			t.Errorf("%s ran %d times", fire, n)
		}
	}
	if len(c.ran) != fires {
		t.Errorf("%d fires ran, want %d", len(c.ran), fires)
	}
}

// most is how many runs of a job there were at once, of all that has some the most.
func (c *tally) most() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	most := 0
	for _, n := range c.max {
		most = max(most, n)
	}
	return most
}

// ear keeps the events that a subscriber was told.
type ear struct {
	mu     sync.Mutex
	events []jobcenter.Event
}

func (b *bench) listen(filter jobcenter.EventFilter) *ear {
	e := &ear{}
	b.t.Cleanup(b.Subscribe(filter, func(event jobcenter.Event) {
		e.mu.Lock()
		defer e.mu.Unlock()
		e.events = append(e.events, event)
	}))
	return e
}

func (e *ear) all() []jobcenter.Event {
	synctest.Wait()
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Clone(e.events)
}

// types lists the types of the events in the order in which they came.
func (e *ear) types() []jobcenter.EventType {
	var types []jobcenter.EventType
	for _, event := range e.all() {
		types = append(types, event.Type)
	}
	return types
}

func (e *ear) wantTypes(t *testing.T, want ...jobcenter.EventType) {
	t.Helper()
	if diff := cmp.Diff(want, e.types()); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
}

// count tells how many events of a type came.
func (e *ear) count(kind jobcenter.EventType) int {
	n := 0
	for _, got := range e.types() {
		if got == kind {
			n++
		}
	}
	return n
}

// wantField checks that an error names a field.
func wantField(t *testing.T, err error, field string) {
	t.Helper()
	wrong, ok := errors.AsType[*jobcenter.FieldError](err)
	if !ok || wrong.Field != field || !errors.Is(err, jobcenter.ErrInvalidJob) {
		t.Errorf("error = %v, want one of the field %q", err, field)
	}
}

// troubled is a store whose methods fail while they are down.
type troubled struct {
	jobcenter.JobStore
	mu   sync.Mutex
	down map[string]bool
}

func newTroubled(store jobcenter.JobStore) *troubled {
	return &troubled{JobStore: store, down: map[string]bool{}}
}

// set lets methods fail, or work again.
func (s *troubled) set(down bool, methods ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, method := range methods {
		s.down[method] = down
	}
}

// everyMethod names the methods that a scheduler calls by itself.
func everyMethod() []string {
	return []string{"NextDue", "Claim", "TakeQueued", "CountQueued", "Record", "Held", "Heartbeat", "Orphans", "Jobs", "UpdateJob", "Output"}
}

func (s *troubled) ask(method string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.down[method] {
		return fmt.Errorf("%s: %w", method, errDown)
	}
	return nil
}

func (s *troubled) NextDue(ctx context.Context, can jobcenter.Can) (time.Time, bool, error) {
	if err := s.ask("NextDue"); err != nil {
		return time.Time{}, false, err
	}
	return s.JobStore.NextDue(ctx, can)
}

func (s *troubled) Claim(ctx context.Context, can jobcenter.Can, now time.Time, limit int, decide func(jobcenter.Job, jobcenter.Active) jobcenter.Decision) ([]jobcenter.Claimed, error) {
	if err := s.ask("Claim"); err != nil {
		return nil, err
	}
	return s.JobStore.Claim(ctx, can, now, limit, decide)
}

func (s *troubled) TakeQueued(ctx context.Context, can jobcenter.Can, executor string, now time.Time, limit int, start func(jobcenter.Job, jobcenter.Run) jobcenter.Run) ([]jobcenter.Claimed, time.Time, error) {
	if err := s.ask("TakeQueued"); err != nil {
		return nil, time.Time{}, err
	}
	return s.JobStore.TakeQueued(ctx, can, executor, now, limit, start)
}

func (s *troubled) CountQueued(ctx context.Context, executor string, limit int) (int, error) {
	if err := s.ask("CountQueued"); err != nil {
		return 0, err
	}
	return s.JobStore.CountQueued(ctx, executor, limit)
}

func (s *troubled) Record(ctx context.Context, records jobcenter.Records) error {
	if err := s.ask("Record"); err != nil {
		return err
	}
	return s.JobStore.Record(ctx, records)
}

func (s *troubled) Held(ctx context.Context, node string) ([]jobcenter.Hold, error) {
	if err := s.ask("Held"); err != nil {
		return nil, err
	}
	return s.JobStore.Held(ctx, node)
}

func (s *troubled) Heartbeat(ctx context.Context, node string, until time.Time) error {
	if err := s.ask("Heartbeat"); err != nil {
		return err
	}
	return s.JobStore.Heartbeat(ctx, node, until)
}

func (s *troubled) Orphans(ctx context.Context, node string, now time.Time, limit int) ([]jobcenter.Claimed, error) {
	if err := s.ask("Orphans"); err != nil {
		return nil, err
	}
	return s.JobStore.Orphans(ctx, node, now, limit)
}

func (s *troubled) Jobs(ctx context.Context, q jobcenter.JobQuery) (jobcenter.JobPage, error) {
	if err := s.ask("Jobs"); err != nil {
		return jobcenter.JobPage{}, err
	}
	return s.JobStore.Jobs(ctx, q)
}

func (s *troubled) UpdateJob(ctx context.Context, id string, change func(jobcenter.Job, jobcenter.Active) (jobcenter.Job, []jobcenter.Run, error)) (jobcenter.Job, error) {
	if err := s.ask("UpdateJob"); err != nil {
		return jobcenter.Job{}, err
	}
	return s.JobStore.UpdateJob(ctx, id, change)
}

func (s *troubled) Output(ctx context.Context, runID string, offset int64, limit int) ([]jobcenter.Chunk, error) {
	if err := s.ask("Output"); err != nil {
		return nil, err
	}
	return s.JobStore.Output(ctx, runID, offset, limit)
}

func (s *troubled) Job(ctx context.Context, id string) (jobcenter.Job, error) {
	if err := s.ask("Job"); err != nil {
		return jobcenter.Job{}, err
	}
	return s.JobStore.Job(ctx, id)
}

func (s *troubled) AddJobs(ctx context.Context, makeJobs func() ([]jobcenter.Job, error)) error {
	if err := s.ask("AddJobs"); err != nil {
		return err
	}
	return s.JobStore.AddJobs(ctx, makeJobs)
}

func (s *troubled) RemoveJob(ctx context.Context, id string, last func(jobcenter.Job) []jobcenter.Run) error {
	if err := s.ask("RemoveJob"); err != nil {
		return err
	}
	return s.JobStore.RemoveJob(ctx, id, last)
}

func (s *troubled) Run(ctx context.Context, id string) (jobcenter.Run, error) {
	if err := s.ask("Run"); err != nil {
		return jobcenter.Run{}, err
	}
	return s.JobStore.Run(ctx, id)
}

func (s *troubled) Runs(ctx context.Context, q jobcenter.RunQuery) (jobcenter.RunPage, error) {
	if err := s.ask("Runs"); err != nil {
		return jobcenter.RunPage{}, err
	}
	return s.JobStore.Runs(ctx, q)
}

func (s *troubled) RequestStop(ctx context.Context, runID, by string, now time.Time) (jobcenter.Run, error) {
	if err := s.ask("RequestStop"); err != nil {
		return jobcenter.Run{}, err
	}
	return s.JobStore.RequestStop(ctx, runID, by, now)
}

// alter changes a stored job as another program could, past the scheduler.
func alter(t *testing.T, store jobcenter.JobStore, id string, change func(*jobcenter.Job)) {
	t.Helper()
	if _, err := store.UpdateJob(t.Context(), id, func(job jobcenter.Job, _ jobcenter.Active) (jobcenter.Job, []jobcenter.Run, error) {
		change(&job)
		return job, nil, nil
	}); err != nil {
		t.Fatal(err)
	}
}

// gauge is the most of what goes on at once.
type gauge struct{ level, top atomic.Int64 }

func (g *gauge) n() int { return int(g.top.Load()) }

// of is work during which the gauge counts it.
func (g *gauge) of(work jobcenter.TaskFunc) jobcenter.TaskFunc {
	return func(ctx context.Context, run *jobcenter.RunContext) error {
		g.top.Store(max(g.top.Load(), g.level.Add(1)))
		defer g.level.Add(-1)
		return work(ctx, run)
	}
}
