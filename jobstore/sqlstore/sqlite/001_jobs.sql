-- +goose Up

-- Instants are microseconds since 1970 in UTC, durations nanoseconds; NULL is
-- an instant that is not there. Row numbers (seq) are the store's own; people
-- and programs see ids.

-- What is to be done, and when.
CREATE TABLE jobcenter_job (
    seq            INTEGER PRIMARY KEY,
    id             TEXT    NOT NULL UNIQUE,
    version        INTEGER NOT NULL,
    next_fire_time INTEGER,
    paused         INTEGER NOT NULL CHECK (paused IN (0, 1)),
    quarantine     TEXT    NOT NULL, -- why the job cannot be understood, or ''
    created_at     INTEGER NOT NULL,
    updated_at     INTEGER NOT NULL,
    misfire_grace  INTEGER NOT NULL, -- negative: no limit
    max_instances  INTEGER NOT NULL,
    timeout        INTEGER NOT NULL,
    coalesce       TEXT    NOT NULL,
    overlap        TEXT    NOT NULL,
    task           TEXT    NOT NULL,
    executor       TEXT    NOT NULL,
    name           TEXT    NOT NULL,
    trigger_json   TEXT    NOT NULL,
    args           TEXT    NOT NULL, -- a JSON value, or ''
    tags           TEXT    NOT NULL, -- a JSON array
    search         TEXT    NOT NULL, -- id, name, arguments and tags in lower case
    -- When the job is to be claimed: NULL for one that is not to be.
    due_at         INTEGER AS (CASE WHEN paused = 0 AND quarantine = '' THEN next_fire_time END) VIRTUAL,
    -- What people call the job.
    label          TEXT    AS (CASE name WHEN '' THEN id ELSE name END) VIRTUAL
) STRICT;

-- The claim, and the list by next fire time. The task is there so that jobs
-- of other programs are passed over without a look at their rows.
CREATE INDEX jobcenter_job_due ON jobcenter_job (due_at, id, task);
CREATE INDEX jobcenter_job_label ON jobcenter_job (label, id);
CREATE INDEX jobcenter_job_created ON jobcenter_job (created_at, id);

-- The tags of jobs once more, to find jobs by.
CREATE TABLE jobcenter_job_tag (
    job_seq INTEGER NOT NULL REFERENCES jobcenter_job (seq) ON DELETE CASCADE,
    tag     TEXT    NOT NULL,
    PRIMARY KEY (job_seq, tag)
) STRICT, WITHOUT ROWID;
CREATE INDEX jobcenter_job_tag_tag ON jobcenter_job_tag (tag, job_seq);

-- The ledger: one row for each fire time of each job, or for a span of
-- neighbouring ones that did not run. Rows outlive their job.
CREATE TABLE jobcenter_run (
    seq            INTEGER PRIMARY KEY,
    id             TEXT    NOT NULL UNIQUE,
    job_id         TEXT    NOT NULL,
    job_version    INTEGER NOT NULL,
    fire_time      INTEGER NOT NULL,
    last_fire_time INTEGER NOT NULL CHECK (last_fire_time >= fire_time),
    fire_count     INTEGER NOT NULL CHECK (fire_count >= 1),
    origin         TEXT    NOT NULL,
    actor          TEXT    NOT NULL,
    state          TEXT    NOT NULL,
    reason         TEXT    NOT NULL,
    message        TEXT    NOT NULL,
    attempt        INTEGER NOT NULL,
    node           TEXT    NOT NULL,
    executor       TEXT    NOT NULL,
    started_at     INTEGER,
    ended_at       INTEGER,
    exit_code      INTEGER,
    output_size    INTEGER NOT NULL,
    output_kept    INTEGER NOT NULL,
    UNIQUE (job_id, fire_time)
) STRICT;

-- The ledger, newest first: all of it, by state, and by job and state. By job
-- alone it is read through the unique index above.
CREATE INDEX jobcenter_run_newest ON jobcenter_run (fire_time);
CREATE INDEX jobcenter_run_state ON jobcenter_run (state, fire_time) WHERE state NOT IN ('queued', 'running');
CREATE INDEX jobcenter_run_job_state ON jobcenter_run (job_id, state, fire_time) WHERE state NOT IN ('queued', 'running');
-- Runs that go on, counted by job; and those that wait for an executor.
CREATE INDEX jobcenter_run_active ON jobcenter_run (job_id, state) WHERE state IN ('queued', 'running');
CREATE INDEX jobcenter_run_queued ON jobcenter_run (executor, fire_time) WHERE state = 'queued';

-- What runs wrote, in the order in which it came: the bytes [from_byte, to_byte)
-- of all that the run wrote to both streams.
CREATE TABLE jobcenter_output (
    run_seq   INTEGER NOT NULL REFERENCES jobcenter_run (seq) ON DELETE CASCADE,
    to_byte   INTEGER NOT NULL,
    from_byte INTEGER NOT NULL CHECK (from_byte >= 0 AND from_byte < to_byte),
    attempt   INTEGER NOT NULL,
    stream    TEXT    NOT NULL,
    at        INTEGER NOT NULL,
    data      BLOB    NOT NULL CHECK (length(data) = to_byte - from_byte)
) STRICT;
-- By its end, because a reader asks for what reaches beyond an offset.
CREATE UNIQUE INDEX jobcenter_output_run ON jobcenter_output (run_seq, to_byte, from_byte);

-- The processes that carry runs out, and until when each is taken to be alive.
CREATE TABLE jobcenter_node (
    name        TEXT    NOT NULL PRIMARY KEY,
    lease_until INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
