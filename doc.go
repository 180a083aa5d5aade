// Package jobcenter is a job scheduler: it runs tasks at the times that
// triggers give, keeps a ledger of every fire time in a job store, and loses
// none of them to a crash, a full executor or a change of the clock.
package jobcenter
