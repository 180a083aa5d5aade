package jobcenter

import (
	"encoding/json"
	"math"
	"slices"
	"time"
	"unique"

	"github.com/jobcenter-go/jobcenter/trigger"
)

// memoryJob is a job as the memory store keeps it: in a third of the space of
// a Job, since most jobs set few of its fields, and many set the same.
type memoryJob struct {
	id, name, args   string
	trigger          trigger.Trigger
	rules            unique.Handle[memoryRules]
	rare             *memoryRare // nil for a job that has nothing of it
	priority         int         // once more, for the heap
	next, previous   int64
	created, updated int64
	version          int64

	due     int64 // Job.DueAt
	heap    *dueHeap
	inHeap  int // see leastFirst
	onShelf int
}

func (j *memoryJob) place() *int { return &j.inHeap }

// memoryRules is what jobs have in common.
type memoryRules struct {
	task, executor   string
	priority         int
	grace            time.Duration
	coalesce         Coalesce
	catchUp          CatchUp
	overlap          Overlap
	maxInstances     int
	limit            Limit
	timeout          time.Duration
	attempts         int
	delay, maxDelay  time.Duration
	factor, jitter   float64
	requestsRecovery bool
}

// memoryRare is what few jobs have.
type memoryRare struct {
	description, pauseReason, quarantine string
	tags                                 []string
	work                                 TaskFunc
	on                                   []Reason
	exitCodes                            []int
	paused                               bool
	pausedUntil, skipUntil               int64
	carried, result, rawTrigger          string
}

// noInstant stands for the zero time among microseconds since 1970.
const noInstant = math.MinInt64

func micros(t time.Time) int64 {
	if t.IsZero() {
		return noInstant
	}
	return t.UnixMicro()
}

func instant(us int64) time.Time {
	if us == noInstant {
		return time.Time{}
	}
	return time.UnixMicro(us).UTC()
}

// microseconds is an instant as stores keep it.
func microseconds(t time.Time) time.Time { return instant(micros(t)) }

// raw is a JSON value of the caller's own; nil for an empty text.
func raw(text string) json.RawMessage {
	if text == "" {
		return nil
	}
	return json.RawMessage(text)
}

// set takes over a job, but for its id. like is another job that may have the
// same rules.
func (j *memoryJob) set(job *Job, like unique.Handle[memoryRules]) {
	if j.name = job.Name; job.Name == j.id {
		j.name = j.id // once in memory is enough
	}
	j.args, j.trigger = string(job.Args), job.Trigger
	j.next, j.previous = micros(job.NextFireTime), micros(job.PreviousFireTime)
	j.created, j.updated, j.version = micros(job.CreatedAt), micros(job.UpdatedAt), job.Version
	j.due = micros(job.DueAt())
	rules := memoryRules{
		task: job.Task, executor: job.Executor, priority: job.Priority, grace: job.MisfireGrace, coalesce: job.Coalesce,
		catchUp: job.CatchUp, overlap: job.Overlap, maxInstances: job.MaxInstances, limit: job.Limit, timeout: job.Timeout,
		attempts: job.Retry.Attempts, delay: job.Retry.Delay, maxDelay: job.Retry.MaxDelay, factor: job.Retry.Factor,
		jitter: job.Retry.Jitter, requestsRecovery: job.RequestsRecovery,
	}
	if like == (unique.Handle[memoryRules]{}) || like.Value() != rules {
		like = unique.Make(rules)
	}
	j.rules, j.priority = like, job.Priority
	j.rare = nil
	if job.Description != "" || len(job.Tags) > 0 || job.Func != nil || len(job.Retry.On)+len(job.Retry.ExitCodes) > 0 || job.Paused ||
		!job.PausedUntil.IsZero() || job.PauseReason != "" || !job.SkipUntil.IsZero() || job.Quarantine != "" ||
		len(job.Carried)+len(job.LastResult) > 0 || job.Trigger == nil {
		j.rare = &memoryRare{
			description: job.Description, tags: slices.Clone(job.Tags), work: job.Func,
			on: slices.Clone(job.Retry.On), exitCodes: slices.Clone(job.Retry.ExitCodes),
			paused: job.Paused, pausedUntil: micros(job.PausedUntil), pauseReason: job.PauseReason, skipUntil: micros(job.SkipUntil),
			quarantine: job.Quarantine, carried: string(job.Carried), result: string(job.LastResult), rawTrigger: string(job.rawTrigger),
		}
	}
}

// job gives the job as it was set, with values that are the caller's own.
func (j *memoryJob) job() Job {
	rules := j.rules.Value()
	job := Job{
		ID: j.id, Name: j.name, Task: rules.task, Args: raw(j.args), Trigger: j.trigger, Executor: rules.executor,
		Priority: rules.priority, MisfireGrace: rules.grace, Coalesce: rules.coalesce, CatchUp: rules.catchUp, Overlap: rules.overlap,
		MaxInstances: rules.maxInstances, Limit: rules.limit, Timeout: rules.timeout,
		Retry: Retry{
			Attempts: rules.attempts, Delay: rules.delay, MaxDelay: rules.maxDelay, Factor: rules.factor, Jitter: rules.jitter,
		},
		RequestsRecovery: rules.requestsRecovery, Version: j.version, NextFireTime: instant(j.next), PreviousFireTime: instant(j.previous),
		CreatedAt: instant(j.created), UpdatedAt: instant(j.updated),
	}
	if r := j.rare; r != nil {
		job.Description, job.Tags, job.Func = r.description, slices.Clone(r.tags), r.work
		job.Retry.On, job.Retry.ExitCodes = slices.Clone(r.on), slices.Clone(r.exitCodes)
		job.Paused, job.PausedUntil, job.PauseReason, job.SkipUntil = r.paused, instant(r.pausedUntil), r.pauseReason, instant(r.skipUntil)
		job.Quarantine, job.Carried, job.LastResult = r.quarantine, raw(r.carried), raw(r.result)
		if r.rawTrigger != "" && job.Trigger == nil {
			job.rawTrigger = raw(r.rawTrigger)
		}
	}
	return job
}
