-- The statements of the store; lists are put together in Go. Lists of names or
-- ids are passed as one JSON array. A statement with one row of VALUES may be
-- run for many rows at once: the row is repeated. A transaction holds the lock
-- of the whole database, so that no statement takes locks of rows.

-- name: insert_jobs
INSERT INTO jobcenter_job (id, version, due_at, next_fire_time, previous_fire_time, precedence, paused, paused_until, skip_until,
    created_at, updated_at, misfire_grace, max_instances, timeout, coalesce, overlap, task, executor, quarantine, pause_reason,
    name, label, limits, rules, trigger_json, tags, description, args, carried, last_result, search)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (id) DO NOTHING;

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
SELECT DISTINCT j.seq, t.value FROM jobcenter_job j, json_each(j.tags) t WHERE j.id IN (SELECT value FROM json_each(?));

-- name: delete_tags
DELETE FROM jobcenter_job_tag WHERE job_seq = ?;

-- name: jobs
SELECT j.seq, j.id, j.version, j.next_fire_time, j.previous_fire_time, j.precedence, j.paused, j.paused_until, j.skip_until,
    j.created_at, j.updated_at, j.misfire_grace, j.max_instances, j.timeout, j.coalesce, j.overlap, j.task, j.executor,
    j.quarantine, j.pause_reason, j.name, j.limits, j.rules, j.trigger_json, j.tags, j.description, j.args, j.carried, j.last_result
FROM jobcenter_job j WHERE j.id IN (SELECT value FROM json_each(?));

-- name: taken_job
SELECT id FROM jobcenter_job WHERE id IN (SELECT value FROM json_each(?)) LIMIT 1;

-- name: next_due
SELECT due_at, id FROM jobcenter_job
WHERE due_at IS NOT NULL AND task IN (SELECT value FROM json_each(?)) AND executor IN (SELECT value FROM json_each(?))
ORDER BY due_at, precedence LIMIT 1;

-- name: due_jobs
SELECT j.seq, j.id, j.version, j.next_fire_time, j.previous_fire_time, j.precedence, j.paused, j.paused_until, j.skip_until,
    j.created_at, j.updated_at, j.misfire_grace, j.max_instances, j.timeout, j.coalesce, j.overlap, j.task, j.executor,
    j.quarantine, j.pause_reason, j.name, j.limits, j.rules, j.trigger_json, j.tags, j.description, j.args, j.carried, j.last_result
FROM jobcenter_job j INDEXED BY jobcenter_job_due
WHERE j.due_at <= ? AND j.task IN (SELECT value FROM json_each(?)) AND j.executor IN (SELECT value FROM json_each(?))
ORDER BY j.due_at, j.precedence, j.id LIMIT ?;

-- name: advance_jobs
WITH n (seq, next_fire_time, previous_fire_time) AS (VALUES (?, ?, ?))
UPDATE jobcenter_job SET next_fire_time = n.next_fire_time, previous_fire_time = n.previous_fire_time,
    due_at = CASE WHEN paused = 0 THEN n.next_fire_time WHEN n.next_fire_time IS NOT NULL THEN paused_until END
FROM n WHERE jobcenter_job.seq = n.seq;

-- name: quarantine_job
UPDATE jobcenter_job SET quarantine = ?, due_at = NULL WHERE seq = ?;

-- name: resume_job
UPDATE jobcenter_job SET paused = 0, paused_until = NULL, pause_reason = '', due_at = next_fire_time WHERE seq = ?;

-- name: carry
UPDATE jobcenter_job SET carried = coalesce(?, carried), last_result = coalesce(?, last_result) WHERE id = ?;

-- name: running_runs
SELECT job_id, count(*) FROM jobcenter_run
WHERE job_id IN (SELECT value FROM json_each(?)) AND state = 'running' GROUP BY job_id;

-- name: queued_runs
SELECT job_id, count(*) FROM jobcenter_run
WHERE job_id IN (SELECT value FROM json_each(?)) AND state = 'queued' GROUP BY job_id;

-- name: insert_runs
INSERT INTO jobcenter_run (id, job_id, fire_time, series, job_version, last_fire_time, fire_count, started_at, ended_at, not_before,
    waits, precedence, turn, attempt, exit_code, output_size, output_kept, origin, state, executor, node, limit_key, stop_by,
    actor, reason, message, args, result)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (job_id, fire_time, series) DO NOTHING;

-- name: insert_plain_runs
-- Those of which little is to be said, as most are when they start or queue.
INSERT INTO jobcenter_run (id, job_id, fire_time, job_version, last_fire_time, fire_count, started_at, precedence, turn, attempt,
    origin, state, executor, node, series, waits, output_size, output_kept, limit_key, stop_by, actor, reason, message, args, result)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, '', 0, 0, 0, '', '', '', '', '', '', '')
ON CONFLICT (job_id, fire_time, series) DO NOTHING;

-- name: existing_runs
SELECT id FROM jobcenter_run WHERE id IN (SELECT value FROM json_each(?));

-- name: runs
SELECT r.seq, r.id, r.job_id, r.fire_time, r.series, r.job_version, r.last_fire_time, r.fire_count, r.started_at, r.ended_at,
    r.not_before, r.precedence, r.turn, r.attempt, r.exit_code, r.output_size, r.output_kept, r.origin, r.state, r.executor,
    r.node, r.limit_key, r.stop_by, r.actor, r.reason, r.message, r.args, r.result
FROM jobcenter_run r WHERE r.id IN (SELECT value FROM json_each(?));

-- name: replace_runs
WITH n (seq, job_version, last_fire_time, fire_count, started_at, ended_at, not_before, waits, precedence, turn, attempt, exit_code,
    output_size, output_kept, origin, state, executor, node, limit_key, stop_by, actor, reason, message, args, result)
AS (VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?))
UPDATE jobcenter_run SET job_version = n.job_version, last_fire_time = n.last_fire_time, fire_count = n.fire_count,
    started_at = n.started_at, ended_at = n.ended_at, not_before = n.not_before, waits = n.waits, precedence = n.precedence,
    turn = n.turn, attempt = n.attempt, exit_code = n.exit_code, output_size = n.output_size, output_kept = n.output_kept,
    origin = n.origin, state = n.state, executor = n.executor, node = n.node, limit_key = n.limit_key, stop_by = n.stop_by,
    actor = n.actor, reason = n.reason, message = n.message, args = n.args, result = n.result
FROM n WHERE jobcenter_run.seq = n.seq;

-- name: skip_queued_runs
UPDATE jobcenter_run SET state = 'skipped', reason = 'removed', waits = 0, ended_at = ? WHERE job_id = ? AND state = 'queued';

-- name: stop_running_runs
UPDATE jobcenter_run SET stop_by = ? WHERE job_id = ? AND state = 'running' AND stop_by = '';

-- name: wake_runs
UPDATE jobcenter_run SET waits = 0 WHERE executor = ? AND state = 'queued' AND waits = 1 AND not_before <= ?;

-- name: next_waiting
SELECT min(not_before) FROM jobcenter_run WHERE executor = ? AND state = 'queued' AND waits = 1 AND not_before > ?;

-- name: queue
-- Read through the index in its order; runs of jobs and limits that have been
-- found full are passed over without a look at their rows.
SELECT r.id, r.job_id, r.limit_key, r.precedence, r.turn, r.fire_time, r.seq
FROM jobcenter_run r INDEXED BY jobcenter_run_queue LEFT JOIN jobcenter_job j ON j.id = r.job_id
WHERE r.executor = ? AND r.state = 'queued' AND r.waits = 0 AND (r.precedence, r.turn, r.fire_time, r.seq) > (?, ?, ?, ?)
    AND r.job_id NOT IN (SELECT value FROM json_each(?))
    AND (j.seq IS NULL OR j.task IN (SELECT value FROM json_each(?))
        AND r.limit_key || char(10) || j.limits NOT IN (SELECT value FROM json_each(?)))
ORDER BY r.precedence, r.turn, r.fire_time, r.seq LIMIT ?;

-- name: count_queued
SELECT count(*) FROM (SELECT 1 FROM jobcenter_run INDEXED BY jobcenter_run_queue WHERE executor = ? AND state = 'queued' LIMIT ?);

-- name: running_of_key
SELECT count(*) FROM jobcenter_run WHERE limit_key = ? AND limit_key <> '' AND state = 'running';

-- name: starts_of_key
SELECT count(*) FROM (SELECT 1 FROM jobcenter_run WHERE limit_key = ? AND limit_key <> '' AND started_at > ? LIMIT ?);

-- name: held_runs
SELECT id, seq, attempt FROM jobcenter_run WHERE id IN (SELECT value FROM json_each(?)) AND state = 'running';

-- name: insert_output
INSERT INTO jobcenter_output (run_seq, from_byte, to_byte, attempt, stream, at, data)
VALUES (?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (run_seq, to_byte, from_byte) DO NOTHING;

-- name: drop_output
DELETE FROM jobcenter_output WHERE run_seq = ? AND from_byte >= ? AND to_byte <= ?;

-- name: end_runs
WITH n (seq, state, reason, message, started_at, ended_at, exit_code, output_size, output_kept, result)
AS (VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?))
UPDATE jobcenter_run SET state = n.state, reason = n.reason, message = n.message, started_at = n.started_at,
    ended_at = n.ended_at, exit_code = n.exit_code, output_size = n.output_size, output_kept = n.output_kept, result = n.result
FROM n WHERE jobcenter_run.seq = n.seq;

-- name: requeue_run
UPDATE jobcenter_run SET state = ?, reason = ?, message = ?, started_at = ?, ended_at = ?, exit_code = ?, output_size = ?,
    output_kept = ?, result = ?, node = ?, not_before = ?, waits = ?, turn = ?
WHERE seq = ?;

-- name: last_runs
-- One look into the index for each state of a run that was started.
WITH latest (job_id, fire_time) AS (
    SELECT asked.value, max(
        coalesce((SELECT max(fire_time) FROM jobcenter_run WHERE job_id = asked.value AND state = 'running'), -9223372036854775807),
        coalesce((SELECT max(fire_time) FROM jobcenter_run
            WHERE job_id = asked.value AND state NOT IN ('queued', 'running') AND state = 'succeeded'), -9223372036854775807),
        coalesce((SELECT max(fire_time) FROM jobcenter_run
            WHERE job_id = asked.value AND state NOT IN ('queued', 'running') AND state = 'failed'), -9223372036854775807),
        coalesce((SELECT max(fire_time) FROM jobcenter_run
            WHERE job_id = asked.value AND state NOT IN ('queued', 'running') AND state = 'timed_out'), -9223372036854775807),
        coalesce((SELECT max(fire_time) FROM jobcenter_run
            WHERE job_id = asked.value AND state NOT IN ('queued', 'running') AND state = 'stopped'), -9223372036854775807),
        coalesce((SELECT max(fire_time) FROM jobcenter_run
            WHERE job_id = asked.value AND state NOT IN ('queued', 'running') AND state = 'lost'), -9223372036854775807))
    FROM json_each(?) asked
)
SELECT r.seq, r.id, r.job_id, r.fire_time, r.series, r.job_version, r.last_fire_time, r.fire_count, r.started_at, r.ended_at,
    r.not_before, r.precedence, r.turn, r.attempt, r.exit_code, r.output_size, r.output_kept, r.origin, r.state, r.executor,
    r.node, r.limit_key, r.stop_by, r.actor, r.reason, r.message, r.args, r.result
FROM latest CROSS JOIN jobcenter_run r ON r.job_id = latest.job_id AND r.fire_time = latest.fire_time
WHERE r.state NOT IN ('queued', 'missed', 'skipped');

-- name: output
SELECT o.attempt, o.from_byte, o.stream, o.at, o.data
FROM jobcenter_output o
WHERE o.run_seq = (SELECT seq FROM jobcenter_run WHERE id = ?) AND o.to_byte > ?
ORDER BY o.to_byte LIMIT ?;

-- name: heartbeat
INSERT INTO jobcenter_node (name, lease_until) VALUES (?, ?)
ON CONFLICT (name) DO UPDATE SET lease_until = excluded.lease_until;

-- name: held
SELECT id, attempt, stop_by FROM jobcenter_run INDEXED BY jobcenter_run_running WHERE node = ? AND state = 'running';

-- name: orphans
-- Read through the index of runs that run, whose number the executors bound.
SELECT r.seq, r.id, r.job_id, r.fire_time, r.series, r.job_version, r.last_fire_time, r.fire_count, r.started_at, r.ended_at,
    r.not_before, r.precedence, r.turn, r.attempt, r.exit_code, r.output_size, r.output_kept, r.origin, r.state, r.executor,
    r.node, r.limit_key, r.stop_by, r.actor, r.reason, r.message, r.args, r.result
FROM jobcenter_run r INDEXED BY jobcenter_run_running LEFT JOIN jobcenter_node n ON n.name = r.node
WHERE r.state = 'running' AND (n.lease_until IS NULL OR n.lease_until <= ? OR r.node = nullif(?, ''))
ORDER BY r.fire_time, r.seq LIMIT ?;
