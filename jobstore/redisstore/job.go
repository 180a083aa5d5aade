package redisstore

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/jobcenter-go/jobcenter"
)

// The answers of scripts that write what was decided.
const (
	done  = "ok"
	again = "again" // what it was decided by has changed
)

// AddJobs stores new jobs, all or none; see jobcenter.JobStore.
func (s *Store) AddJobs(ctx context.Context, newJobs func() ([]jobcenter.Job, error)) error {
	for {
		looked, err := s.revision(ctx)
		if err != nil {
			return fmt.Errorf("redisstore: add jobs: %w", err)
		}
		jobs, err := newJobs()
		if err != nil {
			return err
		}
		answer, err := s.addJobs(ctx, looked, jobs)
		if err != nil {
			return fmt.Errorf("redisstore: add jobs: %w", err)
		}
		if id, taken := strings.CutPrefix(answer, "taken:"); taken {
			return fmt.Errorf("redisstore: add job %q: %w: the id is taken", id, jobcenter.ErrConflict)
		}
		if answer == done {
			return nil
		}
	}
}

// revision is that of the last change of a job.
func (s *Store) revision(ctx context.Context) (rev int64, err error) {
	err = s.do(ctx, func(ctx context.Context) error {
		rev, err = s.client.Get(ctx, s.prefix+"rev").Int64()
		if errors.Is(err, redis.Nil) {
			return nil
		}
		return err
	})
	return rev, err
}

func (s *Store) addJobs(ctx context.Context, looked int64, jobs []jobcenter.Job) (string, error) {
	args := s.newCall(looked, len(jobs))
	given := map[string]bool{}
	for _, job := range jobs {
		if given[job.ID] {
			return "taken:" + job.ID, nil
		}
		given[job.ID] = true
		form, err := encodeJob(job)
		if err != nil {
			return "", err
		}
		args.job(job.ID, form)
	}
	if len(jobs) == 0 {
		return done, nil
	}
	reply, err := s.write(ctx, s.add, args)
	return text(reply), err
}

// Job returns one job; ErrJobNotFound.
func (s *Store) Job(ctx context.Context, id string) (jobcenter.Job, error) {
	job, err := s.seeJob(ctx, id)
	if err != nil {
		return jobcenter.Job{}, fmt.Errorf("redisstore: get job %q: %w", id, err)
	}
	return job.Job, nil
}

func (s *Store) seeJob(ctx context.Context, id string) (seenJob, error) {
	reply, err := s.read(ctx, s.see, arguments{id})
	if err != nil {
		return seenJob{}, err
	}
	job, ok := decodeSeen(id, list(reply))
	if !ok {
		return seenJob{}, jobcenter.ErrJobNotFound
	}
	return job, nil
}

// decodeSeen reads a job from its numbers of queued and running runs and its fields.
func decodeSeen(id string, values []any) (seenJob, bool) {
	if len(values) < 2 {
		return seenJob{}, false
	}
	job, ok := decodeJob(id, values[2:])
	job.queued, job.running = number(values[0]), number(values[1])
	return job, ok
}

// UpdateJob lets change decide what becomes of a job; see jobcenter.JobStore.
func (s *Store) UpdateJob(ctx context.Context, id string, change func(job jobcenter.Job, active jobcenter.Active) (jobcenter.Job, []jobcenter.Run, error)) (jobcenter.Job, error) {
	for {
		old, err := s.seeJob(ctx, id)
		if err != nil {
			return jobcenter.Job{}, fmt.Errorf("redisstore: update job %q: %w", id, err)
		}
		changed, runs, err := change(old.Job, old.active())
		if err != nil {
			return jobcenter.Job{}, err
		}
		changed.ID = id
		form, err := encodeJob(changed)
		if err != nil {
			return jobcenter.Job{}, fmt.Errorf("redisstore: update job %q: %w", id, err)
		}
		args := s.newCall(old.rev, old.queued, old.running, flag(old.unreadable))
		args.job(id, form)
		args.runs(runs)
		reply, err := s.write(ctx, s.update, args)
		if err != nil {
			return jobcenter.Job{}, fmt.Errorf("redisstore: update job %q: %w", id, err)
		}
		if text(reply) == done {
			return form.decode(id), nil
		}
	}
}

func flag(b bool) string {
	if b {
		return "1"
	}
	return "0"
}

// RemoveJob removes a job; see jobcenter.JobStore.
func (s *Store) RemoveJob(ctx context.Context, id string, last func(job jobcenter.Job) []jobcenter.Run) error {
	for {
		old, err := s.seeJob(ctx, id)
		if err != nil {
			return fmt.Errorf("redisstore: remove job %q: %w", id, err)
		}
		args := s.newCall(id, old.rev, instant(time.Now()))
		args.runs(last(old.Job))
		reply, err := s.write(ctx, s.remove, args)
		if err != nil {
			return fmt.Errorf("redisstore: remove job %q: %w", id, err)
		}
		if text(reply) == done {
			return nil
		}
	}
}

// NextDue returns the earliest Job.DueAt of all jobs that the caller can take.
func (s *Store) NextDue(ctx context.Context, can jobcenter.Can) (at time.Time, ok bool, err error) {
	var args arguments
	args.can(can)
	reply, err := s.read(ctx, s.next, args)
	if err != nil {
		return time.Time{}, false, fmt.Errorf("redisstore: next due job: %w", err)
	}
	if reply == nil {
		return time.Time{}, false, nil
	}
	if at, err = parseInstant(text(reply)); err != nil {
		return time.Time{}, false, fmt.Errorf("redisstore: next due job: %w", err)
	}
	return at, true, nil
}

// can adds what a scheduler can take, as it is written in the kinds of jobs.
func (a *arguments) can(can jobcenter.Can) {
	for _, names := range [][]string{can.Tasks, can.Executors} {
		a.list(escaped(names))
	}
}

func escaped(names []string) []string {
	all := make([]string, len(names))
	for i, name := range names {
		all[i] = field(name)
	}
	return all
}

// Claim takes due jobs and lets decide say what becomes of each; see
// jobcenter.JobStore. When the server fails after some have been claimed,
// these are returned, without an error.
func (s *Store) Claim(ctx context.Context, can jobcenter.Can, now time.Time, limit int, decide func(job jobcenter.Job, active jobcenter.Active) jobcenter.Decision) ([]jobcenter.Claimed, error) {
	var claimed []jobcenter.Claimed
	for len(claimed) < limit {
		asked := min(limit-len(claimed), batch)
		due, err := s.dueJobs(ctx, can, now, asked, claimed)
		if err == nil && len(due) == 0 {
			return claimed, nil
		}
		var applied []jobcenter.Claimed
		if err == nil {
			applied, err = s.decideJobs(ctx, due, decide)
		}
		if err != nil {
			if len(claimed) > 0 {
				return claimed, nil
			}
			return nil, fmt.Errorf("redisstore: claim: %w", err)
		}
		claimed = append(claimed, applied...)
		if len(due) < asked && len(applied) == len(due) {
			return claimed, nil
		}
	}
	return claimed, nil
}

// batch is how many jobs or runs one script is asked for: others wait while it
// is at work.
const batch = 500

// dueJobs returns jobs to decide about, but for those that have been.
func (s *Store) dueJobs(ctx context.Context, can jobcenter.Can, now time.Time, limit int, claimed []jobcenter.Claimed) ([]seenJob, error) {
	args := arguments{after(now), limit}
	args.can(can)
	decided := make([]string, len(claimed))
	for i := range claimed {
		decided[i] = claimed[i].Job.ID
	}
	args.add(len(decided))
	args.list(decided)
	reply, err := s.read(ctx, s.due, args)
	if err != nil {
		return nil, err
	}
	var due []seenJob
	for _, found := range list(reply) {
		values := list(found)
		if job, ok := decodeSeen(text(item(values, 0)), values[1:]); ok {
			due = append(due, job)
		}
	}
	return due, nil
}

// decideJobs writes what becomes of due jobs, and returns those of which it
// still could be written.
func (s *Store) decideJobs(ctx context.Context, due []seenJob, decide func(job jobcenter.Job, active jobcenter.Active) jobcenter.Decision) ([]jobcenter.Claimed, error) {
	args := s.newCall(len(due))
	decisions := make([]jobcenter.Decision, len(due))
	for i := range due {
		job := &due[i]
		if job.Quarantine != "" {
			args.add(job.ID, job.rev, job.queued, job.running)
			args.list([]string{"quarantine", job.Quarantine, "state", string(jobcenter.JobQuarantined), "due", ""})
			args.add("", 0)
			continue
		}
		decisions[i] = decide(job.Job, job.active())
		changes, err := advance(job.Job, &decisions[i])
		if err != nil {
			return nil, err
		}
		args.add(job.ID, job.rev, job.queued, job.running)
		args.list(changes)
		args.add(decisions[i].StopRunning)
		args.runs(decisions[i].Runs)
	}
	reply, err := s.write(ctx, s.claim, args)
	if err != nil {
		return nil, err
	}
	var claimed []jobcenter.Claimed
	told := text(reply)
	for i := range due {
		if next(&told) {
			claimed = append(claimed, jobcenter.Claimed{Job: due[i].Job, Runs: inserted(decisions[i].Runs, &told)})
		}
	}
	return claimed, nil
}

// advance is what a decision changes in the fields of a job.
func advance(job jobcenter.Job, decision *jobcenter.Decision) ([]string, error) {
	job.NextFireTime, job.PreviousFireTime = decision.Next, decision.Previous
	var changes []string
	if decision.Quarantine != "" {
		job.Quarantine = decision.Quarantine
		changes = append(changes, "quarantine", job.Quarantine)
	}
	if decision.Resume {
		job.Paused, job.PausedUntil, job.PauseReason = false, time.Time{}, ""
		definition, err := jobText(job)
		if err != nil {
			return nil, err
		}
		changes = append(changes, "job", definition)
	}
	return append(changes, "next", optional(job.NextFireTime), "prev", optional(job.PreviousFireTime),
		"due", optional(job.DueAt()), "state", string(job.State())), nil
}

// next takes a digit of what a script told: whether something was done.
func next(told *string) bool {
	yes := strings.HasPrefix(*told, "1")
	if *told != "" {
		*told = (*told)[1:]
	}
	return yes
}

// inserted are those runs that were new, as they are stored.
func inserted(runs []jobcenter.Run, told *string) []jobcenter.Run {
	var stored []jobcenter.Run
	for i := range runs {
		if next(told) {
			stored = append(stored, keptRun(runs[i]))
		}
	}
	return stored
}

// decode reads back a job that was encoded.
func (f *jobForm) decode(id string) jobcenter.Job {
	values := map[string]any{}
	for i := 0; i+1 < len(f.fields); i += 2 {
		values[f.fields[i]] = f.fields[i+1]
	}
	job, _ := decodeJob(id, []any{
		strconv.Itoa(0), values["job"], values["args"], values["next"], values["prev"], values["quarantine"], values["carried"], values["result"],
	})
	return job.Job
}
