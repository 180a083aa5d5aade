package sqlstore_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/jobcenter-go/jobcenter"
	"github.com/jobcenter-go/jobcenter/jobstore/sqlstore"
)

// fill adds jobs that are all due, many in a transaction's time each.
func fill(b *testing.B, store *sqlstore.Store, jobs int) {
	b.Helper()
	for i := range jobs {
		job := minutely(b, fmt.Sprintf("job%06d", i))
		job.Name = fmt.Sprintf("Job %d of the night", i*7919%jobs)
		job.Args = []byte(fmt.Sprintf(`{"command":"/usr/local/bin/backup --target host-%d"}`, i))
		job.Tags = []string{"nightly", fmt.Sprintf("group-%d", i%100)}
		job.CreatedAt = base().Add(time.Duration(i*31%jobs) * time.Second)
		if err := addJob(b.Context(), store, job); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkClaim(b *testing.B) {
	for _, batch := range []int{1, 100, 1000} {
		b.Run(fmt.Sprint(batch), func(b *testing.B) {
			store := openIn(b, b.TempDir())
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
}

func benchRun(job jobcenter.Job, n int) jobcenter.Run {
	return jobcenter.Run{
		ID: fmt.Sprintf("0199a1b2-c3d4-7e5f-8a9b-%012d", n), JobID: job.ID, JobVersion: job.Version, FireTime: job.NextFireTime, LastFireTime: job.NextFireTime,
		FireCount: 1, Origin: jobcenter.OriginSchedule, State: jobcenter.RunRunning, Attempt: 1, Node: "node-1", Executor: "default", StartedAt: job.NextFireTime,
	}
}

// BenchmarkFire is all that a store does for a fire: claim and end.
func BenchmarkFire(b *testing.B) {
	for _, batch := range []int{100, 1000} {
		b.Run(fmt.Sprint(batch), func(b *testing.B) {
			store := openIn(b, b.TempDir())
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
}

func BenchmarkAddJob(b *testing.B) {
	store := openIn(b, b.TempDir())
	defer closeIt(b, store)
	n := 0
	for b.Loop() {
		n++
		if err := addJob(b.Context(), store, minutely(b, fmt.Sprint("job", n))); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkLists(b *testing.B) {
	const jobs = 100_000
	store := openIn(b, b.TempDir())
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
