// Package mongostore keeps jobs, runs and output in MongoDB (4.4 or later), in
// collections of its own in a database that may hold others.
//
// It needs nothing but what every MongoDB promises, a single server included:
// that a change of one document is atomic. There are no transactions over
// several documents in it, no change streams, and no clocks that must agree.
// Any number of schedulers may share the database.
//
// # One document decides
//
// The document of a job holds the job and, in Active, what must be known of
// its runs that are queued or running. Whatever is decided about a job or its
// runs (that it is claimed, changed or removed; that a run starts, is stopped,
// ends or goes back into the queue) is one write to this document. It is made
// only if the document is at the revision that was read (Rev); else it is
// decided anew. So decisions about one job follow each other as if there were
// one caller, and the counts of its runs, MaxInstances, and that there is one
// run for each fire time and series are as exact as in a transaction.
//
// The runs themselves are rows in a collection of their own, so that the ledger
// can grow and be searched. They follow the job: the write that decides also
// leaves in the job's document, in Outbox, what the rows are to become, and
// sets Dirty. The order of writes is:
//
//  1. the job's document, which decides;
//  2. the rows: new ones are inserted, others changed (and output deleted that
//     an end drops);
//  3. the job's document again: Outbox and Dirty are removed.
//
// If the caller dies before 1, nothing has happened. If it dies before 3,
// everything has, and whoever comes next carries it out: each method that reads
// rows first looks for jobs that are dirty (there is an index), and each that
// changes a job carries out what is in its Outbox before. So nobody sees a row
// that is behind its job.
//
// Steps 2 and 3 may be made by several at once, late, and more than once. A row
// that is there is not inserted. A change of a row is made to one version of
// the row only (its field v), and makes it the next one. The Outbox is removed
// only at the revision that it was read at. A claim has therefore succeeded
// with step 1; what goes wrong after it is no error of the claim.
//
// # Several jobs at once
//
// Claim, TakeQueued and Record decide about each job by a write of its own,
// many of them in one message. What was decided before something went wrong is
// returned, or stays. AddJobs is all or nothing: the jobs are written as
// pending ones first, which nobody sees; then the write that makes their batch
// committed adds them all; then they are made live one after the other. Who
// dies before the second step leaves pending jobs behind, whose ids another
// AddJobs frees by aborting the batch; that and committing it exclude each
// other. Who dies after it has added the jobs: each method that reads jobs
// finishes committed batches first.
//
// A removed job leaves its document behind for an hour at least, or for as long
// as runs of it go on. Adding a job of this id replaces it at the revision that
// was seen before the new job's first fire time was counted, so that this comes
// after the removal.
//
// # Limits
//
// For each key of a limit there is a document that holds who last meant to
// start a run: a job, and the revision at which it would be changed. To start
// one, a caller waits until the last intent is settled, that is, until its job
// is at another revision; counts the rows; puts its own intent in the place of
// the one that it found; and then changes its job. An intent whose owner died is settled by
// giving its job a new revision, which also keeps a slow owner from starting.
// Nothing is counted in this document, so there is nothing in it to get out of
// step with the runs.
//
// # Output
//
// Chunks are written before they count. Those that come with the end of a run
// carry a token, which the write that decides the end names; the others count
// as far as the row says, and that is raised only while the attempt holds the
// run. What is told of one run is so there as a whole, or not at all, and what
// comes too late is never seen.
//
// # Writes in doubt
//
// Where the answer to a write that decides is lost, the document tells what
// became of it: it keeps the last eight revisions. That the write may still be
// on its way is ruled out by giving the document a new revision first. Only
// while the server cannot be reached does this fail. Then the call returns an
// error; should it turn out later that runs were started by it, which nobody
// carries out, the store puts them back into the queue.
//
// # Bounds
//
// A job, its runs that go on and what one decision writes must fit in a
// document: 15 MiB, some ten thousand runs. A batch of AddJobs takes some
// hundred thousand jobs. A list that is read while AddJobs goes on may show
// some of its jobs before the others. The history is not pruned.
package mongostore
