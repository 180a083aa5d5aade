// Package jobcenter is a job scheduler: it runs tasks at the times that
// triggers give, keeps a ledger of every fire time in a job store, and loses
// none of them to a crash, a full executor, a store that is down or a change
// of the clock.
//
// It has four parts. Triggers (package trigger) say when. A [JobStore] keeps
// jobs and runs: [MemoryStore] here, SQL databases, Redis and MongoDB in the
// folder jobstore. An [Executor] carries runs out, so many at once: [Pool]
// here, processes and loops of your own in the folder executor. The
// [Scheduler] ties them together.
//
//	sched, err := jobcenter.New(jobcenter.Options{
//		Store: store, // from jobstore/sqlstore, say
//		Tasks: map[string]jobcenter.Task{"report": jobcenter.NewTask(sendReport)},
//	})
//	…
//	monday, err := trigger.ParseText(`crontab "0 9 * * mon" timezone=Asia/Shanghai`, nil)
//	…
//	_, _, err = sched.Ensure(ctx, jobcenter.Job{ID: "report:acme", Task: "report", Args: args, Trigger: monday})
//	…
//	err = sched.Run(ctx) // or Start, and Shutdown later
//
// # Words
//
//   - A task is named work that the program knows how to do: a [Task].
//   - A [Job] is a stored intent: a task, its arguments, a trigger, its run rules.
//   - A fire time is the instant at which a job is due, never the instant at
//     which something happened to start.
//   - A [Run] is one row of the ledger: what became of one fire time, or of a
//     span of neighbouring ones that did not run for the same reason.
//   - An attempt is one try at a run. Its number is the fencing number: only
//     the holder of the newest attempt changes the run.
//   - A claim takes due jobs: their next fire times advance and their runs are
//     written, in one transaction. So whatever dies when, each fire time of
//     each job is covered by exactly one row.
//   - A misfire is a fire time that could not be met within its grace time; to
//     coalesce is to roll several that are due at once into one run.
//   - Lateness is the start of a run minus its fire time.
//   - A node is a scheduler among those that share a store.
//
// # Times
//
// Instants are kept in UTC with microseconds. Time zones are the business of
// triggers only. Nothing but the loop reads the clock, through package time,
// so a program is tested in the fake time of testing/synctest.
//
// # Rules
//
// The fields of [Job] say what becomes of a fire time that is late
// (MisfireGrace, Coalesce, CatchUp), that comes while the last run goes on
// (MaxInstances, Overlap), that has to share (Executor, Priority, Limit), whose run takes
// too long (Timeout), fails (Retry), or loses its process (RequestsRecovery).
// docs/semantics.md says what exactly happens when; [Scheduler.Why] says it
// for a given job and instant.
package jobcenter
