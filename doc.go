// Package jobcenter is a job scheduler: it runs tasks at the times that
// triggers give, keeps a ledger of every fire time in a job store, and loses
// none of them to a crash, a full executor, a store that is down or a change
// of the clock.
//
// It has four parts. Triggers (package trigger) say when. A [JobStore] keeps
// jobs and runs: [MemoryStore] here, SQL databases in jobstore/sqlstore. An
// [Executor] carries runs out, so many at once: [Pool]. The [Scheduler] ties
// them together.
//
// # Words
//
//   - A task is named work that the program knows how to do: a [Task].
//   - A [Job] is a stored intent: a task, its arguments, a trigger, its run rules.
//   - A fire time is the instant at which a job is due, never the instant at
//     which something happened to start.
//   - A [Run] is one row of the ledger: what became of one fire time, or of a
//     span of neighbouring ones that did not run for the same reason.
//   - An attempt is one try at a run.
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
// triggers only.
package jobcenter
