package jobcenter_test

import (
	"encoding/json"
	"errors"
	"math"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jobcenter-go/jobcenter"
	"github.com/jobcenter-go/jobcenter/trigger"
)

// numbered gives so many different tags.
func numbered(n int) []string {
	tags := make([]string, n)
	for i := range tags {
		tags[i] = strings.Repeat("t", i+1)
	}
	return tags
}

// Each rule of a definition: the error names the field, and what is just
// allowed is allowed.
func TestFieldErrors(t *testing.T) {
	t.Parallel()
	text := strings.Repeat
	for name, test := range map[string]struct {
		set   func(*jobcenter.Job)
		field string // empty: it is allowed
	}{
		"id of 128 characters":      {func(j *jobcenter.Job) { j.ID = text("x", 128) }, ""},
		"id of 129 characters":      {func(j *jobcenter.Job) { j.ID = text("x", 129) }, "id"},
		"id with all that it may":   {func(j *jobcenter.Job) { j.ID = "9a.B_c:d-" }, ""},
		"id with a slash":           {func(j *jobcenter.Job) { j.ID = "a/b" }, "id"},
		"id that begins with a dot": {func(j *jobcenter.Job) { j.ID = ".a" }, "id"},
		"id with a line break":      {func(j *jobcenter.Job) { j.ID = "a\n" }, "id"},
		"id in Chinese":             {func(j *jobcenter.Job) { j.ID = "任务" }, "id"},
		"name of 200 characters":    {func(j *jobcenter.Job) { j.Name = text("名", 200) }, ""},
		"name of 201 characters":    {func(j *jobcenter.Job) { j.Name = text("名", 201) }, "name"},
		"name of two lines":         {func(j *jobcenter.Job) { j.Name = "a\nb" }, "name"},
		"name that is no UTF-8":     {func(j *jobcenter.Job) { j.Name = "a\xff" }, "name"},
		"description of 2,000":      {func(j *jobcenter.Job) { j.Description = text("字", 1998) + "\n\t" }, ""},
		"description of 2,001":      {func(j *jobcenter.Job) { j.Description = text("字", 2001) }, "description"},
		"description with a bell":   {func(j *jobcenter.Job) { j.Description = "\a" }, "description"},
		"32 tags":                   {func(j *jobcenter.Job) { j.Tags = numbered(32) }, ""},
		"33 tags":                   {func(j *jobcenter.Job) { j.Tags = numbered(33) }, "tags"},
		"tag of 64 characters":      {func(j *jobcenter.Job) { j.Tags = []string{text("标", 64)} }, ""},
		"tag of 65 characters":      {func(j *jobcenter.Job) { j.Tags = []string{text("标", 65)} }, "tags"},
		"empty tag":                 {func(j *jobcenter.Job) { j.Tags = []string{""} }, "tags"},
		"tag twice":                 {func(j *jobcenter.Job) { j.Tags = []string{"a", "b", "a"} }, "tags"},
		"no task":                   {func(j *jobcenter.Job) { j.Task = "" }, "task"},
		"unknown task":              {func(j *jobcenter.Job) { j.Task = "nope" }, "task"},
		"args that are JSON":        {func(j *jobcenter.Job) { j.Args = json.RawMessage(` [1, "a"] `) }, ""},
		"args that are none":        {func(j *jobcenter.Job) { j.Args = json.RawMessage(`{a:1}`) }, "args"},
		"no trigger":                {func(j *jobcenter.Job) { j.Trigger = nil }, "trigger"},
		"trigger that ends first":   {func(j *jobcenter.Job) { j.Trigger = endsFirst(t) }, "trigger.end_date"},
		"unknown executor":          {func(j *jobcenter.Job) { j.Executor = "nope" }, "executor"},
		"highest priority":          {func(j *jobcenter.Job) { j.Priority = 1000 }, ""},
		"lowest priority":           {func(j *jobcenter.Job) { j.Priority = -1000 }, ""},
		"priority too high":         {func(j *jobcenter.Job) { j.Priority = 1001 }, "priority"},
		"priority too low":          {func(j *jobcenter.Job) { j.Priority = -1001 }, "priority"},
		"any negative grace":        {func(j *jobcenter.Job) { j.MisfireGrace = -time.Hour }, ""},
		"coalesce":                  {func(j *jobcenter.Job) { j.Coalesce = "some" }, "coalesce"},
		"catch-up of 1,000":         {func(j *jobcenter.Job) { j.CatchUp.Max = 1000 }, ""},
		"catch-up of 1,001":         {func(j *jobcenter.Job) { j.CatchUp.Max = 1001 }, "catch_up.max"},
		"negative catch-up":         {func(j *jobcenter.Job) { j.CatchUp.Max = -1 }, "catch_up.max"},
		"negative age":              {func(j *jobcenter.Job) { j.CatchUp.MaxAge = -1 }, "catch_up.max_age"},
		"pace of a day":             {func(j *jobcenter.Job) { j.CatchUp.Pace = 24 * time.Hour }, ""},
		"pace of more":              {func(j *jobcenter.Job) { j.CatchUp.Pace = 24*time.Hour + 1 }, "catch_up.pace"},
		"negative pace":             {func(j *jobcenter.Job) { j.CatchUp.Pace = -1 }, "catch_up.pace"},
		"overlap":                   {func(j *jobcenter.Job) { j.Overlap = "queue" }, "overlap"},
		"1,000 instances":           {func(j *jobcenter.Job) { j.MaxInstances = 1000 }, ""},
		"1,001 instances":           {func(j *jobcenter.Job) { j.MaxInstances = 1001 }, "max_instances"},
		"negative instances":        {func(j *jobcenter.Job) { j.MaxInstances = -1 }, "max_instances"},
		"limit of runs":             {func(j *jobcenter.Job) { j.Limit = jobcenter.Limit{Key: text("键", 128), Running: 1000} }, ""},
		"limit by rate":             {func(j *jobcenter.Job) { j.Limit = jobcenter.Limit{Key: "k", Rate: 1000, Per: time.Millisecond} }, ""},
		"limit for a day":           {func(j *jobcenter.Job) { j.Limit = jobcenter.Limit{Key: "k", Rate: 1, Per: 24 * time.Hour} }, ""},
		"limit without a key":       {func(j *jobcenter.Job) { j.Limit = jobcenter.Limit{Running: 1} }, "limit.key"},
		"limit of a long key":       {func(j *jobcenter.Job) { j.Limit = jobcenter.Limit{Key: text("键", 129), Running: 1} }, "limit.key"},
		"limit of a bad key":        {func(j *jobcenter.Job) { j.Limit = jobcenter.Limit{Key: "a\nb", Running: 1} }, "limit.key"},
		"limit of nothing":          {func(j *jobcenter.Job) { j.Limit = jobcenter.Limit{Key: "k"} }, "limit"},
		"limit below zero":          {func(j *jobcenter.Job) { j.Limit = jobcenter.Limit{Key: "k", Running: -1} }, "limit.running"},
		"limit of too many":         {func(j *jobcenter.Job) { j.Limit = jobcenter.Limit{Key: "k", Running: 1001} }, "limit.running"},
		"rate below zero":           {func(j *jobcenter.Job) { j.Limit = jobcenter.Limit{Key: "k", Rate: -1, Per: time.Second} }, "limit.rate"},
		"rate of too many":          {func(j *jobcenter.Job) { j.Limit = jobcenter.Limit{Key: "k", Rate: 1001, Per: time.Second} }, "limit.rate"},
		"rate without a span":       {func(j *jobcenter.Job) { j.Limit = jobcenter.Limit{Key: "k", Rate: 1} }, "limit.per"},
		"span without a rate":       {func(j *jobcenter.Job) { j.Limit = jobcenter.Limit{Key: "k", Running: 1, Per: time.Second} }, "limit.per"},
		"span too short":            {func(j *jobcenter.Job) { j.Limit = jobcenter.Limit{Key: "k", Rate: 1, Per: time.Microsecond} }, "limit.per"},
		"span too long":             {func(j *jobcenter.Job) { j.Limit = jobcenter.Limit{Key: "k", Rate: 1, Per: 25 * time.Hour} }, "limit.per"},
		"negative timeout":          {func(j *jobcenter.Job) { j.Timeout = -1 }, "timeout"},
		"100 attempts":              {func(j *jobcenter.Job) { j.Retry.Attempts = 100 }, ""},
		"101 attempts":              {func(j *jobcenter.Job) { j.Retry.Attempts = 101 }, "retry.attempts"},
		"negative attempts":         {func(j *jobcenter.Job) { j.Retry.Attempts = -1 }, "retry.attempts"},
		"negative delay":            {func(j *jobcenter.Job) { j.Retry.Delay = -1 }, "retry.delay"},
		"negative longest delay":    {func(j *jobcenter.Job) { j.Retry.MaxDelay = -1 }, "retry.max_delay"},
		"factor of 1":               {func(j *jobcenter.Job) { j.Retry.Factor = 1 }, ""},
		"factor of 100":             {func(j *jobcenter.Job) { j.Retry.Factor = 100 }, ""},
		"factor below 1":            {func(j *jobcenter.Job) { j.Retry.Factor = 0.5 }, "retry.factor"},
		"factor above 100":          {func(j *jobcenter.Job) { j.Retry.Factor = math.Inf(1) }, "retry.factor"},
		"factor that is none":       {func(j *jobcenter.Job) { j.Retry.Factor = math.NaN() }, "retry.factor"},
		"jitter of 1":               {func(j *jobcenter.Job) { j.Retry.Jitter = 1 }, ""},
		"jitter above 1":            {func(j *jobcenter.Job) { j.Retry.Jitter = 1.01 }, "retry.jitter"},
		"negative jitter":           {func(j *jobcenter.Job) { j.Retry.Jitter = -0.1 }, "retry.jitter"},
		"jitter that is none":       {func(j *jobcenter.Job) { j.Retry.Jitter = math.NaN() }, "retry.jitter"},
		"256 exit codes":            {func(j *jobcenter.Job) { j.Retry.ExitCodes = make([]int, 256) }, ""},
		"257 exit codes":            {func(j *jobcenter.Job) { j.Retry.ExitCodes = make([]int, 257) }, "retry.exit_codes"},
		"reasons to try again": {func(j *jobcenter.Job) {
			j.Retry.On = []jobcenter.Reason{"error", "exit_code", "signal", "panic", "start_failed", "timeout"}
		}, ""},
		"reason that is none to": {func(j *jobcenter.Job) { j.Retry.On = []jobcenter.Reason{jobcenter.ReasonBadArgs} }, "retry.on"},
		"pause reason of 500":    {func(j *jobcenter.Job) { j.Paused, j.PauseReason = true, text("因", 500) }, ""},
		"pause reason of 501":    {func(j *jobcenter.Job) { j.Paused, j.PauseReason = true, text("因", 501) }, "pause_reason"},
	} {
		sched := newBench(t, jobcenter.Options{}, nothing)
		job := jobcenter.Job{ID: "j", Task: "work", Trigger: never(t)}
		test.set(&job)
		added, err := sched.Add(t.Context(), job)
		if test.field == "" {
			if err != nil || added.ID != job.ID {
				t.Errorf("%s: %v", name, err)
			}
			continue
		}
		if wrong, ok := errors.AsType[*jobcenter.FieldError](err); !ok || wrong.Field != test.field || !errors.Is(err, jobcenter.ErrInvalidJob) || wrong.Err.Error() == "" {
			t.Errorf("%s: %v, want an error of %s", name, err, test.field)
		}
		// The same holds for a change, which then changes nothing.
		if test.field == "id" {
			continue // a change leaves it as it is
		}
		before := sched.add(jobcenter.Job{ID: "j", Trigger: never(t)})
		_, err = sched.Modify(t.Context(), "j", func(j *jobcenter.Job) error { test.set(j); return nil })
		if wrong, ok := errors.AsType[*jobcenter.FieldError](err); !ok || wrong.Field != test.field {
			t.Errorf("%s, as a change: %v, want an error of %s", name, err, test.field)
		}
		if after := sched.job("j"); asJSON(t, after) != asJSON(t, before) {
			t.Errorf("%s: the refused change has changed the job", name)
		}
	}
}

func endsFirst(t *testing.T) trigger.Trigger {
	t.Helper()
	now := time.Now()
	trig, err := trigger.NewInterval(time.Hour, trigger.Options{Start: now.Add(2 * time.Hour), End: now.Add(time.Hour)})
	if err != nil {
		t.Fatal(err)
	}
	return trig
}

// What the engine keeps is not taken from the caller, and times are kept as
// UTC with microseconds.
func TestAddKeepsWhatIsItsOwn(t *testing.T) {
	t.Parallel()
	b := newBench(t, jobcenter.Options{}, nothing)
	east := time.FixedZone("east", 8*3600)
	until := time.Date(2100, 1, 1, 0, 0, 0, 123456789, east)
	job := b.add(jobcenter.Job{
		Trigger: never(t), Version: 9, NextFireTime: begun(), PreviousFireTime: begun(), Quarantine: "no", Carried: json.RawMessage(`1`), LastResult: json.RawMessage(`2`),
		CreatedAt: begun(), UpdatedAt: begun(), Paused: true, PausedUntil: until, SkipUntil: until,
	})
	if job.ID == "" || job.Name != job.ID || job.Version != 1 || !job.NextFireTime.After(time.Now()) || !job.PreviousFireTime.IsZero() || job.Quarantine != "" ||
		job.Carried != nil || job.LastResult != nil || time.Since(job.CreatedAt) > time.Hour || !job.UpdatedAt.Equal(job.CreatedAt) {
		t.Errorf("added: %+v", job)
	}
	want := time.Date(2099, 12, 31, 16, 0, 0, 123456000, time.UTC)
	if stored := b.job(job.ID); job.PausedUntil != want || job.SkipUntil != want || asJSON(t, stored) != asJSON(t, job) {
		t.Errorf("paused until %s, want %s; stored: %+v", job.PausedUntil, want, stored)
	}
	// A job that is not paused has no pause to end.
	job = b.add(jobcenter.Job{Trigger: never(t), PausedUntil: until, PauseReason: "why"})
	if !job.PausedUntil.IsZero() || job.PauseReason != "" {
		t.Errorf("added: %+v", job)
	}
}

// What a caller does to a job's slices afterwards does not reach the store.
func TestJobsAreCopies(t *testing.T) {
	t.Parallel()
	b := newBench(t, jobcenter.Options{}, nothing)
	given := jobcenter.Job{
		ID: "j", Task: "work", Trigger: never(t), Tags: []string{"a"}, Args: json.RawMessage(`{"a":1}`),
		Retry: jobcenter.Retry{Attempts: 2, On: []jobcenter.Reason{jobcenter.ReasonError}, ExitCodes: []int{1}},
	}
	added, err := b.Add(t.Context(), given)
	if err != nil {
		t.Fatal(err)
	}
	before := asJSON(t, b.job("j"))
	modified, err := b.Modify(t.Context(), "j", func(job *jobcenter.Job) error {
		spoil(job)
		*job = given // nothing changes in the end
		return nil
	})
	if err != nil || modified.Version != 1 {
		t.Fatalf("%+v, %v", modified, err)
	}
	for _, job := range []*jobcenter.Job{&given, &added, &modified, new(b.job("j"))} {
		spoil(job)
	}
	if after := asJSON(t, b.job("j")); after != before {
		t.Errorf("the stored job is now %s", after)
	}
}

func spoil(job *jobcenter.Job) {
	job.Tags[0], job.Args[2], job.Retry.On[0], job.Retry.ExitCodes[0] = "x", 'x', "x", 99
}

// fine is a trigger of the program's own whose fire times lie between microseconds.
type fine struct{}

func (fine) Next(after time.Time) (time.Time, bool) {
	fire := after.Truncate(time.Second).Add(300 * time.Nanosecond)
	if !fire.After(after) {
		fire = fire.Add(time.Second)
	}
	return fire, true
}

// Fire times are kept with microseconds: what is finer neither fires twice nor
// is lost.
func TestFireTimesFinerThanAMicrosecond(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(1234567 * time.Nanosecond)
		ran := newTally()
		b := begin(t, jobcenter.Options{}, ran.work(0))
		start, err := trigger.NewInterval(time.Second, trigger.Options{Start: time.Now().Add(time.Second)})
		if err != nil {
			t.Fatal(err)
		}
		for id, trig := range map[string]trigger.Trigger{"anchored": interval(t, time.Second), "given": start, "own": fine{}} {
			b.add(jobcenter.Job{ID: id, Trigger: trig})
		}
		b.wait(10*time.Second + 500*time.Millisecond)
		ran.wantOnce(t, 30)
		for _, id := range []string{"anchored", "given", "own"} {
			if runs := b.runs(id); len(runs) != 10 {
				t.Errorf("%s has %d rows, want 10: %s, %s, …", id, len(runs), row(&runs[0]), row(&runs[1]))
			}
		}
	})
}
