-- The statements of the store; lists are put together in Go. Lists of names or
-- ids are passed as one JSON array. A statement with one row of VALUES, or one
-- SELECT of them, may be run for many rows at once: the row is repeated. Rows are
-- locked in the order jobs, limit keys, runs, and in each by id, as the list of
-- ids is; where a statement cannot keep to an order, it passes over what others
-- have locked.

-- name: insert_jobs
INSERT INTO jobcenter_job (id, version, due_at, next_fire_time, previous_fire_time, precedence, paused, paused_until, skip_until,
    created_at, updated_at, misfire_grace, max_instances, timeout, coalesce, overlap, task, executor, quarantine, pause_reason,
    name, label, limits, rules, trigger_json, tags, description, args, carried, last_result, search)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON DUPLICATE KEY UPDATE seq = jobcenter_job.seq;

-- name: update_job
UPDATE jobcenter_job SET version = ?, due_at = ?, next_fire_time = ?, previous_fire_time = ?, precedence = ?, paused = ?,
    paused_until = ?, skip_until = ?, created_at = ?, updated_at = ?, misfire_grace = ?, max_instances = ?, timeout = ?,
    coalesce = ?, overlap = ?, task = ?, executor = ?, quarantine = ?, pause_reason = ?, name = ?, label = ?, limits = ?,
    rules = ?, trigger_json = ?, tags = ?, description = ?, args = ?, carried = ?, last_result = ?, search = ?
WHERE seq = ?;

-- name: delete_job
DELETE FROM jobcenter_job WHERE seq = ?;

-- name: insert_tags
INSERT INTO jobcenter_job_tag (job_seq, tag)
SELECT DISTINCT j.seq, CAST(t.v AS BINARY)
FROM JSON_TABLE(?, '$[*]' COLUMNS (v VARCHAR(128) PATH '$')) n
JOIN jobcenter_job j ON j.id = n.v
JOIN JSON_TABLE(j.tags, '$[*]' COLUMNS (v VARCHAR(128) PATH '$')) t;

-- name: delete_tags
DELETE FROM jobcenter_job_tag WHERE job_seq = ?;

-- name: jobs
SELECT STRAIGHT_JOIN j.seq, j.id, j.version, j.next_fire_time, j.previous_fire_time, j.precedence, j.paused, j.paused_until, j.skip_until,
    j.created_at, j.updated_at, j.misfire_grace, j.max_instances, j.timeout, j.coalesce, j.overlap, j.task, j.executor,
    j.quarantine, j.pause_reason, j.name, j.limits, j.rules, j.trigger_json, j.tags, j.description, j.args, j.carried, j.last_result
FROM JSON_TABLE(?, '$[*]' COLUMNS (v VARCHAR(128) PATH '$')) n JOIN jobcenter_job j ON j.id = n.v;

-- name: taken_job
SELECT STRAIGHT_JOIN t.id FROM JSON_TABLE(?, '$[*]' COLUMNS (v VARCHAR(128) PATH '$')) n JOIN jobcenter_job t ON t.id = n.v LIMIT 1;

-- name: lock_jobs
SELECT STRAIGHT_JOIN t.id FROM JSON_TABLE(?, '$[*]' COLUMNS (v VARCHAR(128) PATH '$')) n JOIN jobcenter_job t ON t.id = n.v FOR UPDATE;

-- name: take_jobs
SELECT STRAIGHT_JOIN t.id
FROM JSON_TABLE(?, '$[*]' COLUMNS (v VARCHAR(128) PATH '$')) n
JOIN jobcenter_job t ON t.id = n.v FOR UPDATE SKIP LOCKED;

-- name: overtaken_jobs
-- New jobs whose first fire time is covered by the ledger of one of the same id
-- that was removed, and until when.
SELECT id, covered FROM (
    SELECT STRAIGHT_JOIN j.id, j.next_fire_time,
        (SELECT r.last_fire_time FROM jobcenter_run r WHERE r.job_id = j.id AND r.series = '' ORDER BY r.fire_time DESC LIMIT 1) AS covered
    FROM JSON_TABLE(?, '$[*]' COLUMNS (v VARCHAR(128) PATH '$')) n JOIN jobcenter_job j ON j.id = n.v
) added WHERE next_fire_time <= covered;

-- name: next_due
SELECT due_at, id FROM jobcenter_job FORCE INDEX (jobcenter_job_due)
WHERE due_at IS NOT NULL
    AND CASE WHEN task IN (SELECT CAST(n.v AS BINARY) FROM JSON_TABLE(?, '$[*]' COLUMNS (v VARCHAR(128) PATH '$')) n) THEN 1 END = 1
    AND CASE WHEN executor IN (SELECT CAST(n.v AS BINARY) FROM JSON_TABLE(?, '$[*]' COLUMNS (v VARCHAR(128) PATH '$')) n) THEN 1 END = 1
ORDER BY due_at, precedence LIMIT 1;

-- name: due_jobs
-- The lists stand in a CASE lest they be joined: rows must be read in the order
-- of the index, because those that have to be sorted are all locked first. They
-- are of the column's own type, lest they be read again for each row.
SELECT j.seq, j.id, j.version, j.next_fire_time, j.previous_fire_time, j.precedence, j.paused, j.paused_until, j.skip_until,
    j.created_at, j.updated_at, j.misfire_grace, j.max_instances, j.timeout, j.coalesce, j.overlap, j.task, j.executor,
    j.quarantine, j.pause_reason, j.name, j.limits, j.rules, j.trigger_json, j.tags, j.description, j.args, j.carried, j.last_result
FROM jobcenter_job j FORCE INDEX (jobcenter_job_due)
WHERE j.due_at <= ?
    AND CASE WHEN j.task IN (SELECT CAST(n.v AS BINARY) FROM JSON_TABLE(?, '$[*]' COLUMNS (v VARCHAR(128) PATH '$')) n) THEN 1 END = 1
    AND CASE WHEN j.executor IN (SELECT CAST(n.v AS BINARY) FROM JSON_TABLE(?, '$[*]' COLUMNS (v VARCHAR(128) PATH '$')) n) THEN 1 END = 1
ORDER BY j.due_at, j.precedence, j.id LIMIT ? FOR UPDATE SKIP LOCKED;

-- name: advance_jobs
UPDATE jobcenter_job j JOIN
(SELECT CAST(? AS SIGNED) AS seq, CAST(? AS SIGNED) AS next_fire_time, CAST(? AS SIGNED) AS previous_fire_time) n
ON j.seq = n.seq
SET j.next_fire_time = n.next_fire_time, j.previous_fire_time = n.previous_fire_time,
    j.due_at = CASE WHEN j.paused = 0 THEN n.next_fire_time WHEN n.next_fire_time IS NOT NULL THEN j.paused_until END;

-- name: quarantine_job
UPDATE jobcenter_job SET quarantine = ?, due_at = NULL WHERE seq = ?;

-- name: resume_job
UPDATE jobcenter_job SET paused = 0, paused_until = NULL, pause_reason = '', due_at = next_fire_time WHERE seq = ?;

-- name: carry
UPDATE jobcenter_job SET carried = coalesce(?, carried), last_result = coalesce(?, last_result) WHERE id = ?;

-- name: running_runs
SELECT STRAIGHT_JOIN r.job_id, count(*)
FROM JSON_TABLE(?, '$[*]' COLUMNS (v VARCHAR(128) PATH '$')) n
JOIN jobcenter_run r ON r.job_id = n.v
WHERE r.state = 'running' GROUP BY r.job_id;

-- name: queued_runs
SELECT STRAIGHT_JOIN r.job_id, count(*)
FROM JSON_TABLE(?, '$[*]' COLUMNS (v VARCHAR(128) PATH '$')) n
JOIN jobcenter_run r ON r.job_id = n.v
WHERE r.state = 'queued' GROUP BY r.job_id;

-- name: insert_runs
INSERT INTO jobcenter_run (id, job_id, fire_time, series, job_version, last_fire_time, fire_count, started_at, ended_at, not_before,
    waits, precedence, turn, attempt, exit_code, output_size, output_kept, origin, state, executor, node, limit_key, stop_by,
    actor, reason, message, args, result)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON DUPLICATE KEY UPDATE seq = jobcenter_run.seq;

-- name: insert_plain_runs
-- Those of which little is to be said, as most are when they start or queue.
INSERT INTO jobcenter_run (id, job_id, fire_time, job_version, last_fire_time, fire_count, started_at, precedence, turn, attempt,
    origin, state, executor, node, series, waits, output_size, output_kept, limit_key, stop_by, actor, reason, message, args, result)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, '', 0, 0, 0, '', '', '', '', '', '', '')
ON DUPLICATE KEY UPDATE seq = jobcenter_run.seq;

-- name: existing_runs
SELECT STRAIGHT_JOIN t.id FROM JSON_TABLE(?, '$[*]' COLUMNS (v VARCHAR(128) PATH '$')) n JOIN jobcenter_run t ON t.id = n.v;

-- name: runs
SELECT STRAIGHT_JOIN r.seq, r.id, r.job_id, r.fire_time, r.series, r.job_version, r.last_fire_time, r.fire_count, r.started_at, r.ended_at,
    r.not_before, r.precedence, r.turn, r.attempt, r.exit_code, r.output_size, r.output_kept, r.origin, r.state, r.executor,
    r.node, r.limit_key, r.stop_by, r.actor, r.reason, r.message, r.args, r.result
FROM JSON_TABLE(?, '$[*]' COLUMNS (v VARCHAR(128) PATH '$')) n JOIN jobcenter_run r ON r.id = n.v;

-- name: lock_runs
SELECT STRAIGHT_JOIN t.id FROM JSON_TABLE(?, '$[*]' COLUMNS (v VARCHAR(128) PATH '$')) n JOIN jobcenter_run t ON t.id = n.v FOR UPDATE;

-- name: take_runs
SELECT STRAIGHT_JOIN t.id
FROM JSON_TABLE(?, '$[*]' COLUMNS (v VARCHAR(128) PATH '$')) n
JOIN jobcenter_run t ON t.id = n.v WHERE t.state = 'queued' FOR UPDATE SKIP LOCKED;

-- name: replace_runs
UPDATE jobcenter_run r JOIN
(SELECT CAST(? AS SIGNED) AS seq, CAST(? AS SIGNED) AS job_version, CAST(? AS SIGNED) AS last_fire_time,
    CAST(? AS SIGNED) AS fire_count, CAST(? AS SIGNED) AS started_at, CAST(? AS SIGNED) AS ended_at,
    CAST(? AS SIGNED) AS not_before, CAST(? AS SIGNED) AS waits, CAST(? AS SIGNED) AS precedence, CAST(? AS SIGNED) AS turn,
    CAST(? AS SIGNED) AS attempt, CAST(? AS SIGNED) AS exit_code, CAST(? AS SIGNED) AS output_size,
    CAST(? AS SIGNED) AS output_kept, CAST(? AS CHAR) AS origin, CAST(? AS CHAR) AS state, CAST(? AS CHAR) AS executor,
    CAST(? AS CHAR) AS node, CAST(? AS CHAR) AS limit_key, CAST(? AS CHAR) AS stop_by, CAST(? AS CHAR) AS actor,
    CAST(? AS CHAR) AS reason, CAST(? AS CHAR) AS message, CAST(? AS CHAR) AS args, CAST(? AS CHAR) AS result) n
ON r.seq = n.seq
SET r.job_version = n.job_version, r.last_fire_time = n.last_fire_time, r.fire_count = n.fire_count,
    r.started_at = n.started_at, r.ended_at = n.ended_at, r.not_before = n.not_before, r.waits = n.waits,
    r.precedence = n.precedence, r.turn = n.turn, r.attempt = n.attempt, r.exit_code = n.exit_code,
    r.output_size = n.output_size, r.output_kept = n.output_kept, r.origin = n.origin, r.state = n.state,
    r.executor = n.executor, r.node = n.node, r.limit_key = n.limit_key, r.stop_by = n.stop_by, r.actor = n.actor,
    r.reason = n.reason, r.message = n.message, r.args = n.args, r.result = n.result;

-- name: skip_queued_runs
UPDATE jobcenter_run SET state = 'skipped', reason = 'removed', waits = 0, ended_at = ? WHERE job_id = ? AND state = 'queued';

-- name: stop_running_runs
UPDATE jobcenter_run SET stop_by = ? WHERE job_id = ? AND state = 'running' AND stop_by = '';

-- name: wake_runs
UPDATE jobcenter_run SET waits = 0 WHERE executor = ? AND state = 'queued' AND waits = 1 AND not_before <= ?;

-- name: next_waiting
SELECT not_before FROM jobcenter_run FORCE INDEX (jobcenter_run_waits)
WHERE executor = ? AND state = 'queued' AND waits = 1 AND not_before > ? ORDER BY not_before LIMIT 1;

-- name: queue
-- Read through the index in its order; runs of jobs and limits that have been
-- found full are passed over without a look at their rows. The limits are compared
-- by a digest, because a long text cannot be looked up.
SELECT r.id, r.job_id, r.limit_key, r.precedence, r.turn, r.fire_time, r.seq
FROM jobcenter_run r FORCE INDEX (jobcenter_run_queue) LEFT JOIN jobcenter_job j ON j.id = r.job_id
WHERE r.executor = ? AND r.state = 'queued' AND r.waits = 0 AND (r.precedence, r.turn, r.fire_time, r.seq) > (?, ?, ?, ?)
    AND CASE WHEN r.job_id IN (SELECT CAST(n.v AS BINARY) FROM JSON_TABLE(?, '$[*]' COLUMNS (v VARCHAR(128) PATH '$')) n)
        THEN 0 ELSE 1 END = 1
    AND (j.seq IS NULL OR j.task IN (SELECT CAST(n.v AS BINARY) FROM JSON_TABLE(?, '$[*]' COLUMNS (v VARCHAR(128) PATH '$')) n)
        AND (r.limit_key = '' OR unhex(md5(concat(r.limit_key, char(10), j.limits))) NOT IN (
            SELECT unhex(md5(n.v)) FROM JSON_TABLE(?, '$[*]' COLUMNS (v LONGTEXT PATH '$')) n)))
ORDER BY r.precedence, r.turn, r.fire_time, r.seq LIMIT ?;

-- name: count_queued
SELECT count(*) FROM (SELECT 1 FROM jobcenter_run WHERE executor = ? AND state = 'queued' LIMIT ?) queued;

-- name: add_keys
INSERT INTO jobcenter_limit_key (limit_key)
SELECT n.v FROM JSON_TABLE(?, '$[*]' COLUMNS (v VARCHAR(128) PATH '$')) n
ON DUPLICATE KEY UPDATE limit_key = jobcenter_limit_key.limit_key;

-- name: keys
SELECT STRAIGHT_JOIN t.limit_key
FROM JSON_TABLE(?, '$[*]' COLUMNS (v VARCHAR(128) PATH '$')) n
JOIN jobcenter_limit_key t ON t.limit_key = n.v;

-- name: lock_keys
SELECT STRAIGHT_JOIN t.limit_key
FROM JSON_TABLE(?, '$[*]' COLUMNS (v VARCHAR(128) PATH '$')) n
JOIN jobcenter_limit_key t ON t.limit_key = n.v FOR UPDATE;

-- name: take_keys
SELECT STRAIGHT_JOIN t.limit_key
FROM JSON_TABLE(?, '$[*]' COLUMNS (v VARCHAR(128) PATH '$')) n
JOIN jobcenter_limit_key t ON t.limit_key = n.v FOR UPDATE SKIP LOCKED;

-- name: running_of_key
SELECT count(*) FROM jobcenter_run FORCE INDEX (jobcenter_run_state) WHERE limit_key = ? AND state = 'running';

-- name: starts_of_key
SELECT count(*) FROM (SELECT 1 FROM jobcenter_run WHERE limit_key = ? AND limit_key <> '' AND started_at > ? LIMIT ?) starts;

-- name: held_runs
SELECT STRAIGHT_JOIN t.id, t.seq, t.attempt
FROM JSON_TABLE(?, '$[*]' COLUMNS (v VARCHAR(128) PATH '$')) n
JOIN jobcenter_run t ON t.id = n.v WHERE t.state = 'running' FOR UPDATE;

-- name: insert_output
INSERT INTO jobcenter_output (run_seq, from_byte, to_byte, attempt, stream, at, data)
VALUES (?, ?, ?, ?, ?, ?, ?)
ON DUPLICATE KEY UPDATE run_seq = jobcenter_output.run_seq;

-- name: drop_output
DELETE FROM jobcenter_output WHERE run_seq = ? AND from_byte >= ? AND to_byte <= ?;

-- name: end_runs
UPDATE jobcenter_run r JOIN
(SELECT CAST(? AS SIGNED) AS seq, CAST(? AS CHAR) AS state, CAST(? AS CHAR) AS reason, CAST(? AS CHAR) AS message,
    CAST(? AS SIGNED) AS started_at, CAST(? AS SIGNED) AS ended_at, CAST(? AS SIGNED) AS exit_code,
    CAST(? AS SIGNED) AS output_size, CAST(? AS SIGNED) AS output_kept, CAST(? AS CHAR) AS result) n
ON r.seq = n.seq
SET r.state = n.state, r.reason = n.reason, r.message = n.message, r.started_at = n.started_at, r.ended_at = n.ended_at,
    r.exit_code = n.exit_code, r.output_size = n.output_size, r.output_kept = n.output_kept, r.result = n.result;

-- name: requeue_run
UPDATE jobcenter_run SET state = ?, reason = ?, message = ?, started_at = ?, ended_at = ?, exit_code = ?, output_size = ?,
    output_kept = ?, result = ?, node = ?, not_before = ?, waits = ?, turn = ?
WHERE seq = ?;

-- name: last_runs
-- One look into the index for each state of a run that was started.
SELECT STRAIGHT_JOIN r.seq, r.id, r.job_id, r.fire_time, r.series, r.job_version, r.last_fire_time, r.fire_count, r.started_at, r.ended_at,
    r.not_before, r.precedence, r.turn, r.attempt, r.exit_code, r.output_size, r.output_kept, r.origin, r.state, r.executor,
    r.node, r.limit_key, r.stop_by, r.actor, r.reason, r.message, r.args, r.result
FROM (
    SELECT n.v AS job_id, greatest(
        coalesce((SELECT fire_time FROM jobcenter_run FORCE INDEX (jobcenter_run_job_state)
            WHERE job_id = n.v AND state = 'running' ORDER BY fire_time DESC LIMIT 1), -9223372036854775807),
        coalesce((SELECT fire_time FROM jobcenter_run FORCE INDEX (jobcenter_run_job_state)
            WHERE job_id = n.v AND state = 'succeeded' ORDER BY fire_time DESC LIMIT 1), -9223372036854775807),
        coalesce((SELECT fire_time FROM jobcenter_run FORCE INDEX (jobcenter_run_job_state)
            WHERE job_id = n.v AND state = 'failed' ORDER BY fire_time DESC LIMIT 1), -9223372036854775807),
        coalesce((SELECT fire_time FROM jobcenter_run FORCE INDEX (jobcenter_run_job_state)
            WHERE job_id = n.v AND state = 'timed_out' ORDER BY fire_time DESC LIMIT 1), -9223372036854775807),
        coalesce((SELECT fire_time FROM jobcenter_run FORCE INDEX (jobcenter_run_job_state)
            WHERE job_id = n.v AND state = 'stopped' ORDER BY fire_time DESC LIMIT 1), -9223372036854775807),
        coalesce((SELECT fire_time FROM jobcenter_run FORCE INDEX (jobcenter_run_job_state)
            WHERE job_id = n.v AND state = 'lost' ORDER BY fire_time DESC LIMIT 1), -9223372036854775807)) AS fire_time
    FROM JSON_TABLE(?, '$[*]' COLUMNS (v VARCHAR(128) PATH '$')) n
) latest JOIN jobcenter_run r FORCE INDEX (jobcenter_run_fire) ON r.job_id = latest.job_id AND r.fire_time = latest.fire_time
WHERE r.state NOT IN ('queued', 'missed', 'skipped');

-- name: output
SELECT o.attempt, o.from_byte, o.stream, o.at, o.data
FROM jobcenter_output o
WHERE o.run_seq = (SELECT seq FROM jobcenter_run WHERE id = ?) AND o.to_byte > ?
ORDER BY o.to_byte LIMIT ?;

-- name: heartbeat
INSERT INTO jobcenter_node (name, lease_until) VALUES (?, ?)
ON DUPLICATE KEY UPDATE lease_until = VALUES(lease_until);

-- name: held
SELECT id, attempt, stop_by FROM jobcenter_run WHERE node = ? AND state = 'running';

-- name: orphans
-- Read through the index of runs that run, whose number the executors bound.
SELECT r.seq, r.id, r.job_id, r.fire_time, r.series, r.job_version, r.last_fire_time, r.fire_count, r.started_at, r.ended_at,
    r.not_before, r.precedence, r.turn, r.attempt, r.exit_code, r.output_size, r.output_kept, r.origin, r.state, r.executor,
    r.node, r.limit_key, r.stop_by, r.actor, r.reason, r.message, r.args, r.result
FROM jobcenter_run r LEFT JOIN jobcenter_node n ON n.name = r.node
WHERE r.state = 'running' AND (n.lease_until IS NULL OR n.lease_until <= ? OR r.node = nullif(?, ''))
ORDER BY r.fire_time, r.seq LIMIT ?;
