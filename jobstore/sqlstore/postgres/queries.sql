-- The statements of the store; lists are put together in Go. Lists of names or
-- ids are passed as one JSON array, rows as an array of arrays. Rows are locked
-- in the order jobs, limit keys, runs, and in each by id; where a statement
-- cannot keep to an order, it passes over what others have locked.

-- name: insert_jobs
INSERT INTO jobcenter_job (id, version, due_at, next_fire_time, previous_fire_time, precedence, paused, paused_until, skip_until,
    created_at, updated_at, misfire_grace, max_instances, timeout, coalesce, overlap, task, executor, quarantine, pause_reason,
    name, label, limits, rules, trigger_json, tags, description, args, carried, last_result, search)
SELECT n->>0, (n->>1)::bigint, (n->>2)::bigint, (n->>3)::bigint, (n->>4)::bigint, (n->>5)::integer, (n->>6)::smallint, (n->>7)::bigint,
    (n->>8)::bigint, (n->>9)::bigint, (n->>10)::bigint, (n->>11)::bigint, (n->>12)::integer, (n->>13)::bigint, n->>14, n->>15, n->>16,
    n->>17, n->>18, n->>19, n->>20, n->>21, n->>22, n->>23, n->>24, n->>25, n->>26, n->>27, n->>28, n->>29, n->>30
FROM jsonb_array_elements(?::jsonb) n
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
SELECT DISTINCT j.seq, t.value FROM jobcenter_job j CROSS JOIN jsonb_array_elements_text(j.tags::jsonb) t (value)
WHERE j.id = ANY (ARRAY(SELECT jsonb_array_elements_text(?::jsonb)));

-- name: delete_tags
DELETE FROM jobcenter_job_tag WHERE job_seq = ?;

-- name: jobs
SELECT j.seq, j.id, j.version, j.next_fire_time, j.previous_fire_time, j.precedence, j.paused, j.paused_until, j.skip_until,
    j.created_at, j.updated_at, j.misfire_grace, j.max_instances, j.timeout, j.coalesce, j.overlap, j.task, j.executor,
    j.quarantine, j.pause_reason, j.name, j.limits, j.rules, j.trigger_json, j.tags, j.description, j.args, j.carried, j.last_result
FROM jobcenter_job j WHERE j.id = ANY (ARRAY(SELECT jsonb_array_elements_text(?::jsonb)));

-- name: taken_job
SELECT id FROM jobcenter_job WHERE id = ANY (ARRAY(SELECT jsonb_array_elements_text(?::jsonb))) LIMIT 1;

-- name: lock_jobs
SELECT id FROM jobcenter_job WHERE id = ANY (ARRAY(SELECT jsonb_array_elements_text(?::jsonb))) ORDER BY id FOR UPDATE;

-- name: take_jobs
SELECT id FROM jobcenter_job WHERE id = ANY (ARRAY(SELECT jsonb_array_elements_text(?::jsonb))) FOR UPDATE SKIP LOCKED;

-- name: overtaken_jobs
-- New jobs whose first fire time is covered by the ledger of one of the same id
-- that was removed, and until when.
SELECT id, covered FROM (
    SELECT j.id, j.next_fire_time,
        (SELECT r.last_fire_time FROM jobcenter_run r WHERE r.job_id = j.id AND r.series = '' ORDER BY r.fire_time DESC LIMIT 1) AS covered
    FROM jobcenter_job j WHERE j.id = ANY (ARRAY(SELECT jsonb_array_elements_text(?::jsonb)))
) added WHERE next_fire_time <= covered;

-- name: next_due
SELECT due_at, id FROM jobcenter_job
WHERE due_at IS NOT NULL AND task = ANY (ARRAY(SELECT jsonb_array_elements_text(?::jsonb)))
    AND executor = ANY (ARRAY(SELECT jsonb_array_elements_text(?::jsonb)))
ORDER BY due_at, precedence LIMIT 1;

-- name: due_jobs
SELECT j.seq, j.id, j.version, j.next_fire_time, j.previous_fire_time, j.precedence, j.paused, j.paused_until, j.skip_until,
    j.created_at, j.updated_at, j.misfire_grace, j.max_instances, j.timeout, j.coalesce, j.overlap, j.task, j.executor,
    j.quarantine, j.pause_reason, j.name, j.limits, j.rules, j.trigger_json, j.tags, j.description, j.args, j.carried, j.last_result
FROM jobcenter_job j
WHERE j.due_at <= ? AND j.task = ANY (ARRAY(SELECT jsonb_array_elements_text(?::jsonb)))
    AND j.executor = ANY (ARRAY(SELECT jsonb_array_elements_text(?::jsonb)))
ORDER BY j.due_at, j.precedence, j.id LIMIT ? FOR UPDATE SKIP LOCKED;

-- name: advance_jobs
UPDATE jobcenter_job j SET next_fire_time = n.next_fire_time, previous_fire_time = n.previous_fire_time,
    due_at = CASE WHEN j.paused = 0 THEN n.next_fire_time WHEN n.next_fire_time IS NOT NULL THEN j.paused_until END
FROM (SELECT (n->>0)::bigint AS seq, (n->>1)::bigint AS next_fire_time, (n->>2)::bigint AS previous_fire_time
    FROM jsonb_array_elements(?::jsonb) n) n
WHERE j.seq = n.seq;

-- name: quarantine_job
UPDATE jobcenter_job SET quarantine = ?, due_at = NULL WHERE seq = ?;

-- name: resume_job
UPDATE jobcenter_job SET paused = 0, paused_until = NULL, pause_reason = '', due_at = next_fire_time WHERE seq = ?;

-- name: carry
UPDATE jobcenter_job SET carried = coalesce(?, carried), last_result = coalesce(?, last_result) WHERE id = ?;

-- name: running_runs
SELECT job_id, count(*) FROM jobcenter_run
WHERE job_id = ANY (ARRAY(SELECT jsonb_array_elements_text(?::jsonb))) AND state = 'running' GROUP BY job_id;

-- name: queued_runs
SELECT job_id, count(*) FROM jobcenter_run
WHERE job_id = ANY (ARRAY(SELECT jsonb_array_elements_text(?::jsonb))) AND state = 'queued' GROUP BY job_id;

-- name: insert_runs
INSERT INTO jobcenter_run (id, job_id, fire_time, series, job_version, last_fire_time, fire_count, started_at, ended_at, not_before,
    waits, precedence, turn, attempt, exit_code, output_size, output_kept, origin, state, executor, node, limit_key, stop_by,
    actor, reason, message, args, result)
SELECT n->>0, n->>1, (n->>2)::bigint, n->>3, (n->>4)::bigint, (n->>5)::bigint, (n->>6)::bigint, (n->>7)::bigint, (n->>8)::bigint,
    (n->>9)::bigint, (n->>10)::smallint, (n->>11)::integer, (n->>12)::bigint, (n->>13)::integer, (n->>14)::bigint, (n->>15)::bigint,
    (n->>16)::bigint, n->>17, n->>18, n->>19, n->>20, n->>21, n->>22, n->>23, n->>24, n->>25, n->>26, n->>27
FROM jsonb_array_elements(?::jsonb) n
ON CONFLICT (job_id, fire_time, series) DO NOTHING;

-- name: insert_plain_runs
-- Those of which little is to be said, as most are when they start or queue.
INSERT INTO jobcenter_run (id, job_id, fire_time, job_version, last_fire_time, fire_count, started_at, precedence, turn, attempt,
    origin, state, executor, node, series, waits, output_size, output_kept, limit_key, stop_by, actor, reason, message, args, result)
SELECT n->>0, n->>1, (n->>2)::bigint, (n->>3)::bigint, (n->>4)::bigint, (n->>5)::bigint, (n->>6)::bigint, (n->>7)::integer,
    (n->>8)::bigint, (n->>9)::integer, n->>10, n->>11, n->>12, n->>13, '', 0, 0, 0, '', '', '', '', '', '', ''
FROM jsonb_array_elements(?::jsonb) n
ON CONFLICT (job_id, fire_time, series) DO NOTHING;

-- name: existing_runs
SELECT id FROM jobcenter_run WHERE id = ANY (ARRAY(SELECT jsonb_array_elements_text(?::jsonb)));

-- name: runs
SELECT r.seq, r.id, r.job_id, r.fire_time, r.series, r.job_version, r.last_fire_time, r.fire_count, r.started_at, r.ended_at,
    r.not_before, r.precedence, r.turn, r.attempt, r.exit_code, r.output_size, r.output_kept, r.origin, r.state, r.executor,
    r.node, r.limit_key, r.stop_by, r.actor, r.reason, r.message, r.args, r.result
FROM jobcenter_run r WHERE r.id = ANY (ARRAY(SELECT jsonb_array_elements_text(?::jsonb)));

-- name: lock_runs
SELECT id FROM jobcenter_run WHERE id = ANY (ARRAY(SELECT jsonb_array_elements_text(?::jsonb))) ORDER BY id FOR UPDATE;

-- name: take_runs
SELECT id FROM jobcenter_run
WHERE id = ANY (ARRAY(SELECT jsonb_array_elements_text(?::jsonb))) AND state = 'queued' FOR UPDATE SKIP LOCKED;

-- name: replace_runs
UPDATE jobcenter_run SET job_version = (n->>1)::bigint, last_fire_time = (n->>2)::bigint, fire_count = (n->>3)::bigint,
    started_at = (n->>4)::bigint, ended_at = (n->>5)::bigint, not_before = (n->>6)::bigint, waits = (n->>7)::smallint,
    precedence = (n->>8)::integer, turn = (n->>9)::bigint, attempt = (n->>10)::integer, exit_code = (n->>11)::bigint,
    output_size = (n->>12)::bigint, output_kept = (n->>13)::bigint, origin = n->>14, state = n->>15, executor = n->>16,
    node = n->>17, limit_key = n->>18, stop_by = n->>19, actor = n->>20, reason = n->>21, message = n->>22, args = n->>23, result = n->>24
FROM jsonb_array_elements(?::jsonb) n WHERE seq = (n->>0)::bigint;

-- name: skip_queued_runs
UPDATE jobcenter_run SET state = 'skipped', reason = 'removed', waits = 0, ended_at = ? WHERE job_id = ? AND state = 'queued';

-- name: stop_running_runs
UPDATE jobcenter_run SET stop_by = ? WHERE job_id = ? AND state = 'running' AND stop_by = '';

-- name: wake_runs
UPDATE jobcenter_run SET waits = 0 WHERE seq IN (
    SELECT seq FROM jobcenter_run WHERE executor = ? AND state = 'queued' AND waits = 1 AND not_before <= ? FOR UPDATE SKIP LOCKED);

-- name: next_waiting
SELECT min(not_before) FROM jobcenter_run WHERE executor = ? AND state = 'queued' AND waits = 1 AND not_before > ?;

-- name: queue
-- Read through the index in its order; runs of jobs and limits that have been
-- found full are passed over without a look at their rows.
SELECT r.id, r.job_id, r.limit_key, r.precedence, r.turn, r.fire_time, r.seq
FROM jobcenter_run r LEFT JOIN jobcenter_job j ON j.id = r.job_id
WHERE r.executor = ? AND r.state = 'queued' AND r.waits = 0 AND (r.precedence, r.turn, r.fire_time, r.seq) > (?, ?, ?, ?)
    AND r.job_id NOT IN (SELECT jsonb_array_elements_text(?::jsonb))
    AND (j.seq IS NULL OR j.task = ANY (ARRAY(SELECT jsonb_array_elements_text(?::jsonb)))
        AND r.limit_key || E'\n' || j.limits NOT IN (SELECT jsonb_array_elements_text(?::jsonb)))
ORDER BY r.precedence, r.turn, r.fire_time, r.seq LIMIT ?;

-- name: count_queued
-- In the order of the index, lest the table be read from its old end.
SELECT count(*) FROM (SELECT 1 FROM jobcenter_run WHERE executor = ? AND state = 'queued' ORDER BY waits, precedence, turn LIMIT ?) queued;

-- name: add_keys
INSERT INTO jobcenter_limit_key (limit_key)
SELECT n.limit_key FROM jsonb_array_elements_text(?::jsonb) n (limit_key) ORDER BY n.limit_key COLLATE "C"
ON CONFLICT (limit_key) DO NOTHING;

-- name: keys
SELECT limit_key FROM jobcenter_limit_key WHERE limit_key = ANY (ARRAY(SELECT jsonb_array_elements_text(?::jsonb)));

-- name: lock_keys
SELECT limit_key FROM jobcenter_limit_key
WHERE limit_key = ANY (ARRAY(SELECT jsonb_array_elements_text(?::jsonb))) ORDER BY limit_key FOR UPDATE;

-- name: take_keys
SELECT limit_key FROM jobcenter_limit_key
WHERE limit_key = ANY (ARRAY(SELECT jsonb_array_elements_text(?::jsonb))) FOR UPDATE SKIP LOCKED;

-- name: running_of_key
SELECT count(*) FROM jobcenter_run WHERE limit_key = ? AND limit_key <> '' AND state = 'running';

-- name: starts_of_key
SELECT count(*) FROM (SELECT 1 FROM jobcenter_run WHERE limit_key = ? AND limit_key <> '' AND started_at > ? LIMIT ?) starts;

-- name: held_runs
SELECT id, seq, attempt FROM jobcenter_run
WHERE id = ANY (ARRAY(SELECT jsonb_array_elements_text(?::jsonb))) AND state = 'running' ORDER BY id FOR UPDATE;

-- name: insert_output
INSERT INTO jobcenter_output (run_seq, from_byte, to_byte, attempt, stream, at, data)
SELECT (n->>0)::bigint, (n->>1)::bigint, (n->>2)::bigint, (n->>3)::integer, n->>4, (n->>5)::bigint, decode(n->>6, 'base64')
FROM jsonb_array_elements(?::jsonb) n
ON CONFLICT (run_seq, to_byte, from_byte) DO NOTHING;

-- name: drop_output
DELETE FROM jobcenter_output WHERE run_seq = ? AND from_byte >= ? AND to_byte <= ?;

-- name: end_runs
UPDATE jobcenter_run SET state = n->>1, reason = n->>2, message = n->>3, started_at = (n->>4)::bigint, ended_at = (n->>5)::bigint,
    exit_code = (n->>6)::bigint, output_size = (n->>7)::bigint, output_kept = (n->>8)::bigint, result = n->>9
FROM jsonb_array_elements(?::jsonb) n WHERE seq = (n->>0)::bigint;

-- name: requeue_run
UPDATE jobcenter_run SET state = ?, reason = ?, message = ?, started_at = ?, ended_at = ?, exit_code = ?, output_size = ?,
    output_kept = ?, result = ?, node = ?, not_before = ?, waits = ?, turn = ?
WHERE seq = ?;

-- name: last_runs
-- One look into the index for each state of a run that was started.
WITH latest AS (
    SELECT asked.id AS job_id, greatest(
        (SELECT max(fire_time) FROM jobcenter_run WHERE job_id = asked.id AND state = 'running'),
        (SELECT max(fire_time) FROM jobcenter_run WHERE job_id = asked.id AND state = 'succeeded'),
        (SELECT max(fire_time) FROM jobcenter_run WHERE job_id = asked.id AND state = 'failed'),
        (SELECT max(fire_time) FROM jobcenter_run WHERE job_id = asked.id AND state = 'timed_out'),
        (SELECT max(fire_time) FROM jobcenter_run WHERE job_id = asked.id AND state = 'stopped'),
        (SELECT max(fire_time) FROM jobcenter_run WHERE job_id = asked.id AND state = 'lost')) AS fire_time
    FROM jsonb_array_elements_text(?::jsonb) asked (id)
)
SELECT r.seq, r.id, r.job_id, r.fire_time, r.series, r.job_version, r.last_fire_time, r.fire_count, r.started_at, r.ended_at,
    r.not_before, r.precedence, r.turn, r.attempt, r.exit_code, r.output_size, r.output_kept, r.origin, r.state, r.executor,
    r.node, r.limit_key, r.stop_by, r.actor, r.reason, r.message, r.args, r.result
FROM latest JOIN jobcenter_run r ON r.job_id = latest.job_id AND r.fire_time = latest.fire_time
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
SELECT id, attempt, stop_by FROM jobcenter_run WHERE node = ? AND state = 'running';

-- name: orphans
-- Read through the index of runs that run, whose number the executors bound, and
-- not through that of fire times, which would be in order.
SELECT r.seq, r.id, r.job_id, r.fire_time, r.series, r.job_version, r.last_fire_time, r.fire_count, r.started_at, r.ended_at,
    r.not_before, r.precedence, r.turn, r.attempt, r.exit_code, r.output_size, r.output_kept, r.origin, r.state, r.executor,
    r.node, r.limit_key, r.stop_by, r.actor, r.reason, r.message, r.args, r.result
FROM jobcenter_run r LEFT JOIN jobcenter_node n ON n.name = r.node
WHERE r.state = 'running' AND (n.lease_until IS NULL OR n.lease_until <= ? OR r.node = nullif(?, ''))
ORDER BY r.fire_time + 0, r.seq LIMIT ?;
