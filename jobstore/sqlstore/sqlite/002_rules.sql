-- +goose Up

-- Jobs get more rules, and runs an order in which they wait. Both tables are
-- made anew, because their constraints change, and those that point at them
-- first of all, because dropping a table removes what points at its rows.

CREATE TABLE jobcenter_job_new (
    seq                INTEGER PRIMARY KEY,
    id                 TEXT    NOT NULL,
    version            INTEGER NOT NULL,
    due_at             INTEGER, -- when the job is to be claimed; NULL for one that is not to be
    next_fire_time     INTEGER,
    previous_fire_time INTEGER,
    precedence         INTEGER NOT NULL, -- the priority, negated, so that the first comes first
    paused             INTEGER NOT NULL CHECK (paused IN (0, 1)),
    paused_until       INTEGER,
    skip_until         INTEGER,
    created_at         INTEGER NOT NULL,
    updated_at         INTEGER NOT NULL,
    misfire_grace      INTEGER NOT NULL, -- negative: no limit
    max_instances      INTEGER NOT NULL,
    timeout            INTEGER NOT NULL,
    coalesce           TEXT    NOT NULL,
    overlap            TEXT    NOT NULL,
    task               TEXT    NOT NULL,
    executor           TEXT    NOT NULL,
    quarantine         TEXT    NOT NULL, -- why the job cannot be understood, or ''
    pause_reason       TEXT    NOT NULL,
    name               TEXT    NOT NULL,
    label              TEXT    NOT NULL, -- the name, or else the id
    limits             TEXT    NOT NULL, -- JSON of the limit, or ''
    rules              TEXT    NOT NULL, -- JSON of the rules that have no column, or ''
    trigger_json       TEXT    NOT NULL,
    tags               TEXT    NOT NULL, -- a JSON array
    description        TEXT    NOT NULL,
    args               TEXT    NOT NULL, -- a JSON value, or ''; so the next two
    carried            TEXT    NOT NULL,
    last_result        TEXT    NOT NULL,
    search             TEXT    NOT NULL -- id, name, description, arguments and tags in lower case
) STRICT;
INSERT INTO jobcenter_job_new
SELECT seq, id, version, due_at, next_fire_time, (
        SELECT last_fire_time FROM jobcenter_run r WHERE r.job_id = j.id AND origin = 'schedule' ORDER BY fire_time DESC LIMIT 1
    ), 0, paused, NULL, NULL, created_at, updated_at, misfire_grace, max_instances, timeout, coalesce, overlap, task,
    executor, quarantine, '', name, label, '', '', trigger_json, tags, '', args, '', '', search
FROM jobcenter_job j;

CREATE TABLE jobcenter_job_tag_new (
    job_seq INTEGER NOT NULL REFERENCES jobcenter_job_new (seq) ON DELETE CASCADE,
    tag     TEXT    NOT NULL,
    PRIMARY KEY (job_seq, tag)
) STRICT, WITHOUT ROWID;
INSERT INTO jobcenter_job_tag_new SELECT job_seq, tag FROM jobcenter_job_tag;

DROP TABLE jobcenter_job_tag;
DROP TABLE jobcenter_job;
ALTER TABLE jobcenter_job_new RENAME TO jobcenter_job;
ALTER TABLE jobcenter_job_tag_new RENAME TO jobcenter_job_tag;

CREATE UNIQUE INDEX jobcenter_job_id ON jobcenter_job (id);
-- The claim, and the list by next fire time. Task and executor are there so
-- that jobs of other programs are passed over without a look at their rows.
CREATE INDEX jobcenter_job_due ON jobcenter_job (due_at, precedence, id, task, executor);
-- Jobs that are set aside, usually few, so that a list of them need not look at all.
CREATE INDEX jobcenter_job_idle ON jobcenter_job (id) WHERE due_at IS NULL;
CREATE INDEX jobcenter_job_paused ON jobcenter_job (id) WHERE paused = 1;
CREATE INDEX jobcenter_job_label ON jobcenter_job (label, id);
CREATE INDEX jobcenter_job_created ON jobcenter_job (created_at, id);
CREATE INDEX jobcenter_job_tag_tag ON jobcenter_job_tag (tag, job_seq);

CREATE TABLE jobcenter_run_new (
    seq            INTEGER PRIMARY KEY,
    id             TEXT    NOT NULL,
    job_id         TEXT    NOT NULL,
    job_version    INTEGER NOT NULL,
    fire_time      INTEGER NOT NULL,
    last_fire_time INTEGER NOT NULL CHECK (last_fire_time >= fire_time),
    fire_count     INTEGER NOT NULL CHECK (fire_count >= 1),
    started_at     INTEGER,
    ended_at       INTEGER,
    not_before     INTEGER,
    waits          INTEGER NOT NULL CHECK (waits IN (0, 1)), -- of a queued run: for not_before to come
    precedence     INTEGER NOT NULL, -- the priority, negated
    turn           INTEGER NOT NULL, -- the year 1 if it has none
    attempt        INTEGER NOT NULL,
    exit_code      INTEGER,
    output_size    INTEGER NOT NULL,
    output_kept    INTEGER NOT NULL,
    series         TEXT    NOT NULL,
    origin         TEXT    NOT NULL,
    state          TEXT    NOT NULL,
    executor       TEXT    NOT NULL,
    node           TEXT    NOT NULL,
    limit_key      TEXT    NOT NULL,
    stop_by        TEXT    NOT NULL,
    actor          TEXT    NOT NULL,
    reason         TEXT    NOT NULL,
    message        TEXT    NOT NULL,
    args           TEXT    NOT NULL, -- a JSON value, or ''
    result         TEXT    NOT NULL  -- so, too
) STRICT;
INSERT INTO jobcenter_run_new
SELECT seq, id, job_id, job_version, fire_time, last_fire_time, fire_count, started_at, ended_at, NULL, 0, 0,
    CASE state WHEN 'queued' THEN fire_time ELSE -62135596800000000 END, attempt, exit_code, output_size, output_kept, '', origin, state, executor, node, '', '', actor, reason, message, '', ''
FROM jobcenter_run;

CREATE TABLE jobcenter_output_new (
    run_seq   INTEGER NOT NULL REFERENCES jobcenter_run_new (seq) ON DELETE CASCADE,
    to_byte   INTEGER NOT NULL,
    from_byte INTEGER NOT NULL CHECK (from_byte >= 0 AND from_byte < to_byte),
    attempt   INTEGER NOT NULL,
    stream    TEXT    NOT NULL,
    at        INTEGER NOT NULL,
    data      BLOB    NOT NULL CHECK (length(data) = to_byte - from_byte)
) STRICT;
INSERT INTO jobcenter_output_new SELECT run_seq, to_byte, from_byte, attempt, stream, at, data FROM jobcenter_output;

DROP TABLE jobcenter_output;
DROP TABLE jobcenter_run;
ALTER TABLE jobcenter_run_new RENAME TO jobcenter_run;
ALTER TABLE jobcenter_output_new RENAME TO jobcenter_output;

CREATE UNIQUE INDEX jobcenter_run_id ON jobcenter_run (id);
-- What makes a fire time decided once. It is also the ledger of a job.
CREATE UNIQUE INDEX jobcenter_run_fire ON jobcenter_run (job_id, fire_time, series);
-- The ledger, newest first: all of it, by state, and by job and state.
CREATE INDEX jobcenter_run_newest ON jobcenter_run (fire_time);
CREATE INDEX jobcenter_run_state ON jobcenter_run (state, fire_time) WHERE state NOT IN ('queued', 'running');
CREATE INDEX jobcenter_run_job_state ON jobcenter_run (job_id, state, fire_time) WHERE state NOT IN ('queued', 'running');
-- Runs that go on, counted by job; those that run are few, so that they are
-- looked through for those of a node, too.
CREATE INDEX jobcenter_run_running ON jobcenter_run (job_id, node) WHERE state = 'running';
CREATE INDEX jobcenter_run_queued ON jobcenter_run (job_id) WHERE state = 'queued';
-- Those that wait for an executor in their order, and those that are not to start yet.
CREATE INDEX jobcenter_run_queue ON jobcenter_run (executor, waits, precedence, turn, fire_time, seq, job_id, limit_key) WHERE state = 'queued';
CREATE INDEX jobcenter_run_waits ON jobcenter_run (executor, not_before) WHERE state = 'queued' AND waits = 1;
-- What a limit counts: runs that go on, and starts.
CREATE INDEX jobcenter_run_limited ON jobcenter_run (limit_key) WHERE state = 'running' AND limit_key <> '';
CREATE INDEX jobcenter_run_starts ON jobcenter_run (limit_key, started_at) WHERE limit_key <> '';

CREATE UNIQUE INDEX jobcenter_output_run ON jobcenter_output (run_seq, to_byte, from_byte);
