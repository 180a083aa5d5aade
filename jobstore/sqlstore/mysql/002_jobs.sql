-- +goose Up

-- For MySQL 8.0 and MariaDB 10.6 or later. The versions are those of all
-- dialects: this one came with the second. A table is made with its indexes in
-- one statement, because none of these can be undone.
--
-- Instants are microseconds since 1970 in UTC, durations nanoseconds; NULL is
-- an instant that is not there. Row numbers (seq) are the store's own; people
-- and programs see ids. What is looked up or ordered by is VARBINARY, so that
-- it compares byte by byte, as in Go: the collation utf8mb4_bin takes "a" and
-- "a " for the same, and no other is known to both.

-- What is to be done, and when.
CREATE TABLE IF NOT EXISTS jobcenter_job (
    seq                BIGINT         NOT NULL AUTO_INCREMENT PRIMARY KEY,
    id                 VARBINARY(128) NOT NULL,
    version            BIGINT         NOT NULL,
    due_at             BIGINT, -- when the job is to be claimed; NULL for one that is not to be
    next_fire_time     BIGINT,
    previous_fire_time BIGINT,
    precedence         INTEGER        NOT NULL, -- the priority, negated, so that the first comes first
    paused             TINYINT        NOT NULL CHECK (paused IN (0, 1)),
    paused_until       BIGINT,
    skip_until         BIGINT,
    created_at         BIGINT         NOT NULL,
    updated_at         BIGINT         NOT NULL,
    misfire_grace      BIGINT         NOT NULL, -- negative: no limit
    max_instances      INTEGER        NOT NULL,
    timeout            BIGINT         NOT NULL,
    coalesce           VARCHAR(20)    NOT NULL,
    overlap            VARCHAR(20)    NOT NULL,
    task               VARBINARY(512) NOT NULL,
    executor           VARBINARY(512) NOT NULL,
    quarantine         LONGTEXT       NOT NULL, -- why the job cannot be understood, or ''
    pause_reason       LONGTEXT       NOT NULL,
    name               VARBINARY(800) NOT NULL,
    label              VARBINARY(800) NOT NULL, -- the name, or else the id
    limits             LONGTEXT       NOT NULL, -- JSON of the limit, or ''
    rules              LONGTEXT       NOT NULL, -- JSON of the rules that have no column, or ''
    trigger_json       LONGTEXT       NOT NULL,
    tags               LONGTEXT       NOT NULL, -- a JSON array
    description        LONGTEXT       NOT NULL,
    args               LONGTEXT       NOT NULL, -- a JSON value, or ''; so the next two
    carried            LONGTEXT       NOT NULL,
    last_result        LONGTEXT       NOT NULL,
    search             LONGTEXT       NOT NULL, -- id, name, description, arguments and tags in lower case
    UNIQUE KEY jobcenter_job_id (id),
    -- The claim, and the list by next fire time. In this order, because rows
    -- that have to be sorted are all locked first.
    KEY jobcenter_job_due (due_at, precedence, id),
    KEY jobcenter_job_label (label, id),
    KEY jobcenter_job_created (created_at, id),
    KEY jobcenter_job_paused (paused, id)
) ENGINE = InnoDB CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

-- The tags of jobs once more, to find jobs by.
CREATE TABLE IF NOT EXISTS jobcenter_job_tag (
    job_seq BIGINT         NOT NULL,
    tag     VARBINARY(512) NOT NULL,
    PRIMARY KEY (job_seq, tag),
    KEY jobcenter_job_tag_tag (tag, job_seq),
    CONSTRAINT jobcenter_job_tag_job FOREIGN KEY (job_seq) REFERENCES jobcenter_job (seq) ON DELETE CASCADE
) ENGINE = InnoDB CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

-- The ledger: one row for each fire time of each job, or for a span of
-- neighbouring ones that did not run. Rows outlive their job.
CREATE TABLE IF NOT EXISTS jobcenter_run (
    seq            BIGINT         NOT NULL AUTO_INCREMENT PRIMARY KEY,
    id             VARBINARY(128) NOT NULL,
    job_id         VARBINARY(128) NOT NULL,
    job_version    BIGINT         NOT NULL,
    fire_time      BIGINT         NOT NULL,
    last_fire_time BIGINT         NOT NULL,
    fire_count     BIGINT         NOT NULL,
    started_at     BIGINT,
    ended_at       BIGINT,
    not_before     BIGINT,
    waits          TINYINT        NOT NULL CHECK (waits IN (0, 1)), -- of a queued run: for not_before to come
    precedence     INTEGER        NOT NULL, -- the priority, negated
    turn           BIGINT         NOT NULL, -- the year 1 if it has none
    attempt        INTEGER        NOT NULL,
    exit_code      BIGINT,
    output_size    BIGINT         NOT NULL,
    output_kept    BIGINT         NOT NULL,
    series         VARBINARY(512) NOT NULL,
    origin         VARCHAR(20)    NOT NULL,
    state          VARCHAR(20)    NOT NULL,
    executor       VARBINARY(512) NOT NULL,
    node           VARBINARY(512) NOT NULL,
    limit_key      VARBINARY(512) NOT NULL,
    stop_by        LONGTEXT       NOT NULL,
    actor          LONGTEXT       NOT NULL,
    reason         VARCHAR(40)    NOT NULL,
    message        LONGTEXT       NOT NULL,
    args           LONGTEXT       NOT NULL, -- a JSON value, or ''
    result         LONGTEXT       NOT NULL, -- so, too
    CHECK (last_fire_time >= fire_time),
    CHECK (fire_count >= 1),
    UNIQUE KEY jobcenter_run_id (id),
    -- What makes a fire time decided once. It is also the ledger of a job.
    UNIQUE KEY jobcenter_run_fire (job_id, fire_time, series),
    -- The ledger, newest first: all of it, by state, and by job and state. Runs
    -- that are running are few, so that they are looked through for those of a
    -- node or a limit, too.
    KEY jobcenter_run_newest (fire_time),
    KEY jobcenter_run_state (state, fire_time),
    KEY jobcenter_run_job_state (job_id, state, fire_time),
    -- Those that wait for an executor in their order, and those that are not to start yet.
    KEY jobcenter_run_queue (state, executor, waits, precedence, turn, fire_time, seq, job_id, limit_key),
    KEY jobcenter_run_waits (waits, not_before),
    -- The starts that a limit counts.
    KEY jobcenter_run_starts (limit_key, started_at)
) ENGINE = InnoDB CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

-- A row for each key of a limit. Who starts runs of the key locks it, because
-- what is counted must not change before the start is written.
CREATE TABLE IF NOT EXISTS jobcenter_limit_key (
    limit_key VARBINARY(512) NOT NULL PRIMARY KEY
) ENGINE = InnoDB CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

-- What runs wrote, in the order in which it came: the bytes [from_byte, to_byte)
-- of all that the run wrote to both streams. By its end, because a reader asks
-- for what reaches beyond an offset.
CREATE TABLE IF NOT EXISTS jobcenter_output (
    run_seq   BIGINT      NOT NULL,
    to_byte   BIGINT      NOT NULL,
    from_byte BIGINT      NOT NULL,
    attempt   INTEGER     NOT NULL,
    stream    VARCHAR(20) NOT NULL,
    at        BIGINT      NOT NULL,
    data      LONGBLOB    NOT NULL,
    PRIMARY KEY (run_seq, to_byte, from_byte),
    CHECK (from_byte >= 0 AND from_byte < to_byte),
    CHECK (length(data) = to_byte - from_byte),
    CONSTRAINT jobcenter_output_run FOREIGN KEY (run_seq) REFERENCES jobcenter_run (seq) ON DELETE CASCADE
) ENGINE = InnoDB CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

-- The processes that carry runs out, and until when each is taken to be alive.
CREATE TABLE IF NOT EXISTS jobcenter_node (
    name        VARBINARY(512) NOT NULL PRIMARY KEY,
    lease_until BIGINT         NOT NULL
) ENGINE = InnoDB CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;
