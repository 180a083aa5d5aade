package sqlstore_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/jobcenter-go/jobcenter"
	"github.com/jobcenter-go/jobcenter/jobstore/sqlstore"
)

// fill adds jobs that are all due.
func fill(b *testing.B, store *sqlstore.Store, jobs int) {
	b.Helper()
	list := make([]jobcenter.Job, jobs)
	for i := range list {
		job := minutely(b, fmt.Sprintf("job%06d", i))
		job.Name = fmt.Sprintf("Job %d of the night", i*7919%jobs)
		job.Executor = jobcenter.DefaultExecutor
		job.Args = []byte(fmt.Sprintf(`{"command":"/usr/local/bin/backup --target host-%d"}`, i))
		job.Tags = []string{"nightly", fmt.Sprintf("group-%d", i%100)}
		job.CreatedAt = base().Add(time.Duration(i*31%jobs) * time.Second)
		list[i] = job
	}
	if err := addJob(b.Context(), store, list...); err != nil {
		b.Fatal(err)
	}
}

func BenchmarkClaim(b *testing.B) {
	for _, on := range servers() {
		b.Run(on.kind, func(b *testing.B) {
			on.start(b)
			for _, batch := range []int{1, 100, 1000} {
				b.Run(fmt.Sprint(batch), func(b *testing.B) {
					store := on.open(b)
					defer closeIt(b, store)
					fill(b, store, 1000)
					n := 0
					claims := 0
					for b.Loop() {
						claimed, err := store.Claim(b.Context(), can(), base().AddDate(100, 0, 0), batch, func(job jobcenter.Job, _ jobcenter.Active) jobcenter.Decision {
							n++
							return jobcenter.Decision{Next: job.NextFireTime.Add(time.Minute), Runs: []jobcenter.Run{benchRun(job, n)}}
						})
						if err != nil || len(claimed) != batch {
							b.Fatal(len(claimed), err)
						}
						claims += len(claimed)
					}
					b.ReportMetric(float64(claims)/b.Elapsed().Seconds(), "claims/s")
				})
			}
		})
	}
}

func benchRun(job jobcenter.Job, n int) jobcenter.Run {
	return jobcenter.Run{
		ID: fmt.Sprintf("0199a1b2-c3d4-7e5f-8a9b-%012d", n), JobID: job.ID, JobVersion: job.Version, FireTime: job.NextFireTime, LastFireTime: job.NextFireTime,
		FireCount: 1, Origin: jobcenter.OriginSchedule, State: jobcenter.RunRunning, Attempt: 1, Node: "node-1", Executor: "default", StartedAt: job.NextFireTime,
	}
}

// BenchmarkFire is all that a store does for a fire: claim and end.
func BenchmarkFire(b *testing.B) {
	for _, on := range servers() {
		b.Run(on.kind, func(b *testing.B) {
			on.start(b)
			for _, batch := range []int{100, 1000} {
				b.Run(fmt.Sprint(batch), func(b *testing.B) {
					store := on.open(b)
					defer closeIt(b, store)
					fill(b, store, 1000)
					n := 0
					for b.Loop() {
						claimed, err := store.Claim(b.Context(), can(), base().AddDate(100, 0, 0), batch, func(job jobcenter.Job, _ jobcenter.Active) jobcenter.Decision {
							n++
							return jobcenter.Decision{Next: job.NextFireTime.Add(time.Minute), Runs: []jobcenter.Run{benchRun(job, n)}}
						})
						if err != nil {
							b.Fatal(err)
						}
						var records jobcenter.Records
						for _, c := range claimed {
							end := c.Runs[0]
							end.State, end.EndedAt = jobcenter.RunSucceeded, end.FireTime
							records.Ends = append(records.Ends, end)
						}
						if err := store.Record(b.Context(), records); err != nil {
							b.Fatal(err)
						}
					}
					b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "fires/s")
				})
			}
		})
	}
}

// BenchmarkTakeQueued starts a run again and again while 10,000 of full jobs
// and limits wait before it.
func BenchmarkTakeQueued(b *testing.B) {
	for _, on := range servers() {
		b.Run(on.kind, func(b *testing.B) {
			on.start(b)
			store := on.open(b)
			defer closeIt(b, store)
			fillQueue(b, store)
			b.ResetTimer()
			for n := 0; b.Loop(); n++ {
				taken, _, err := store.TakeQueued(b.Context(), can(), jobcenter.DefaultExecutor, base(), 1, func(_ jobcenter.Job, run jobcenter.Run) jobcenter.Run {
					run.State, run.Attempt = jobcenter.RunRunning, run.Attempt+1
					return run
				})
				if err != nil || len(taken) != 1 || taken[0].Job.ID != "free" {
					b.Fatal(taken, err)
				}
				again := taken[0].Runs[0]
				again.State = jobcenter.RunQueued
				if err := store.Record(b.Context(), jobcenter.Records{Ends: []jobcenter.Run{again}}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// fillQueue has the job "free" wait for an executor behind jobs that may not start.
func fillQueue(tb testing.TB, store *sqlstore.Store) {
	tb.Helper()
	var jobs []jobcenter.Job
	for i := range 1000 {
		job := minutely(tb, fmt.Sprintf("job%04d", i))
		job.Executor = jobcenter.DefaultExecutor
		if i >= 10 { // ten jobs with many runs, and many jobs of one limit
			job.Limit = jobcenter.Limit{Key: "server", Running: 1}
		}
		jobs = append(jobs, job)
	}
	free := minutely(tb, "free")
	free.Executor, free.NextFireTime = jobcenter.DefaultExecutor, base().Add(time.Second)
	if err := addJob(tb.Context(), store, append(jobs, free)...); err != nil {
		tb.Fatal(err)
	}
	n := 0
	if _, err := store.Claim(tb.Context(), can(), base().Add(time.Second), 1001, func(job jobcenter.Job, _ jobcenter.Active) jobcenter.Decision {
		var d jobcenter.Decision
		add := func(state jobcenter.RunState) {
			n++
			run := benchRun(job, n)
			run.FireTime = base().Add(time.Duration(n) * time.Millisecond)
			run.LastFireTime, run.State, run.LimitKey, run.Turn = run.FireTime, state, job.Limit.Key, run.FireTime
			if state == jobcenter.RunQueued {
				run.Attempt, run.Node, run.StartedAt = 0, "", time.Time{}
			}
			d.Runs = append(d.Runs, run)
		}
		if job.ID != "free" && job.ID <= "job0010" { // ten jobs, and one of the limit
			add(jobcenter.RunRunning)
		}
		if add(jobcenter.RunQueued); job.ID != "free" && job.ID < "job0010" {
			for range 900 {
				add(jobcenter.RunQueued)
			}
		}
		return d
	}); err != nil {
		tb.Fatal(err)
	}
}

func BenchmarkAddJob(b *testing.B) {
	for _, on := range servers() {
		b.Run(on.kind, func(b *testing.B) {
			on.start(b)
			store := on.open(b)
			defer closeIt(b, store)
			n := 0
			for b.Loop() {
				n++
				if err := addJob(b.Context(), store, minutely(b, fmt.Sprint("job", n))); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkLists(b *testing.B) {
	for _, on := range servers() {
		b.Run(on.kind, func(b *testing.B) {
			on.start(b)
			benchLists(b, on)
		})
	}
}

func benchLists(b *testing.B, on *server) {
	b.Helper()
	const jobs = 100_000
	store := on.open(b)
	defer closeIt(b, store)
	fill(b, store, jobs)
	n := 0
	for range 2 {
		if _, err := store.Claim(b.Context(), can(), base().AddDate(100, 0, 0), jobs, func(job jobcenter.Job, _ jobcenter.Active) jobcenter.Decision {
			n++
			run := benchRun(job, n)
			if n%1000 == 0 {
				run.State = jobcenter.RunFailed
			}
			return jobcenter.Decision{Next: job.NextFireTime.Add(time.Minute), Runs: []jobcenter.Run{run}}
		}); err != nil {
			b.Fatal(err)
		}
	}
	for name, q := range map[string]jobcenter.JobQuery{
		"id":        {},
		"name":      {Sort: jobcenter.SortByName},
		"next desc": {Sort: jobcenter.SortByNextFireTime, Desc: true},
		"created":   {Sort: jobcenter.SortByCreatedAt, Desc: true},
		"search":    {Search: "host-99999", Sort: jobcenter.SortByName},
		"nothing":   {Search: "no such words"},
		"tag":       {Tag: "group-7", Sort: jobcenter.SortByName},
		"wide tag":  {Tag: "nightly", Sort: jobcenter.SortByNextFireTime},
		"paused":    {State: jobcenter.JobPaused},
		"finished":  {State: jobcenter.JobFinished, Sort: jobcenter.SortByName},
	} {
		b.Run("jobs/"+name, func(b *testing.B) {
			for b.Loop() {
				if _, err := store.Jobs(b.Context(), q); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	for name, q := range map[string]jobcenter.RunQuery{
		"newest":      {},
		"job":         {JobID: "job050000"},
		"failed":      {States: []jobcenter.RunState{jobcenter.RunFailed}},
		"two states":  {States: []jobcenter.RunState{jobcenter.RunFailed, jobcenter.RunMissed}},
		"running":     {States: []jobcenter.RunState{jobcenter.RunRunning}},
		"job, states": {JobID: "job050000", States: []jobcenter.RunState{jobcenter.RunFailed, jobcenter.RunSucceeded}},
	} {
		b.Run("runs/"+name, func(b *testing.B) {
			for b.Loop() {
				if _, err := store.Runs(b.Context(), q); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	b.Run("last runs", func(b *testing.B) {
		var ids []string
		for i := range 50 {
			ids = append(ids, fmt.Sprintf("job%06d", i*1000))
		}
		for b.Loop() {
			if last, err := store.LastRuns(b.Context(), ids); err != nil || len(last) == 0 {
				b.Fatal(len(last), err)
			}
		}
	})
}
