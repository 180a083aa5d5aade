-- The statements of the store; lists are put together in Go. Lists of names or
-- ids are passed as one JSON array. A statement with one row of VALUES may be
-- run for many rows at once: the row is repeated.

-- name: insert_job
INSERT INTO jobcenter_job (id, version, next_fire_time, paused, quarantine, created_at, updated_at, misfire_grace,
    max_instances, timeout, coalesce, overlap, task, executor, name, trigger_json, args, tags, search)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (id) DO NOTHING;

-- name: update_job
UPDATE jobcenter_job SET version = ?, next_fire_time = ?, paused = ?, quarantine = ?, created_at = ?, updated_at = ?,
    misfire_grace = ?, max_instances = ?, timeout = ?, coalesce = ?, overlap = ?, task = ?, executor = ?, name = ?,
    trigger_json = ?, args = ?, tags = ?, search = ?
WHERE seq = ?;

-- name: delete_job
DELETE FROM jobcenter_job WHERE seq = ?;

-- name: insert_tags
INSERT INTO jobcenter_job_tag (job_seq, tag)
SELECT DISTINCT j.seq, t.value FROM jobcenter_job j, json_each(j.tags) t WHERE j.id = ?;

-- name: delete_tags
DELETE FROM jobcenter_job_tag WHERE job_seq = ?;

-- name: job
SELECT j.seq, j.id, j.version, j.next_fire_time, j.paused, j.quarantine, j.created_at, j.updated_at, j.misfire_grace,
    j.max_instances, j.timeout, j.coalesce, j.overlap, j.task, j.executor, j.name, j.trigger_json, j.args, j.tags,
    (SELECT count(*) FROM jobcenter_run r WHERE r.job_id = j.id AND r.state IN ('queued', 'running'))
FROM jobcenter_job j WHERE j.id = ?;

-- name: next_fire_time
SELECT due_at FROM jobcenter_job
WHERE due_at IS NOT NULL AND task IN (SELECT value FROM json_each(?))
ORDER BY due_at LIMIT 1;

-- name: due_jobs
SELECT j.seq, j.id, j.version, j.next_fire_time, j.paused, j.quarantine, j.created_at, j.updated_at, j.misfire_grace,
    j.max_instances, j.timeout, j.coalesce, j.overlap, j.task, j.executor, j.name, j.trigger_json, j.args, j.tags,
    (SELECT count(*) FROM jobcenter_run r WHERE r.job_id = j.id AND r.state IN ('queued', 'running'))
FROM jobcenter_job j INDEXED BY jobcenter_job_due
WHERE j.due_at <= ? AND j.task IN (SELECT value FROM json_each(?))
ORDER BY j.due_at, j.id LIMIT ?;

-- name: advance_jobs
WITH decided (seq, next_fire_time, quarantine) AS (VALUES (?, ?, ?))
UPDATE jobcenter_job SET next_fire_time = decided.next_fire_time, quarantine = decided.quarantine
FROM decided WHERE jobcenter_job.seq = decided.seq;

-- name: insert_runs
INSERT INTO jobcenter_run (id, job_id, fire_time, job_version, last_fire_time, fire_count, origin, actor, state,
    reason, message, attempt, node, executor, started_at, ended_at, exit_code, output_size, output_kept)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (job_id, fire_time) DO NOTHING;

-- name: existing_runs
SELECT id FROM jobcenter_run WHERE id IN (SELECT value FROM json_each(?));

-- name: run
SELECT r.seq, r.id, r.job_id, r.job_version, r.fire_time, r.last_fire_time, r.fire_count, r.origin, r.actor, r.state,
    r.reason, r.message, r.attempt, r.node, r.executor, r.started_at, r.ended_at, r.exit_code, r.output_size, r.output_kept
FROM jobcenter_run r WHERE r.id = ?;

-- name: last_run
-- One look into the index for each state of a run that was started.
SELECT r.seq, r.id, r.job_id, r.job_version, r.fire_time, r.last_fire_time, r.fire_count, r.origin, r.actor, r.state,
    r.reason, r.message, r.attempt, r.node, r.executor, r.started_at, r.ended_at, r.exit_code, r.output_size, r.output_kept
FROM jobcenter_run r WHERE r.seq IN (
    SELECT seq FROM (SELECT seq FROM jobcenter_run WHERE job_id = ?1 AND state IN ('queued', 'running') AND state = 'running' ORDER BY fire_time DESC LIMIT 1)
    UNION ALL
    SELECT seq FROM (SELECT seq FROM jobcenter_run WHERE job_id = ?1 AND state NOT IN ('queued', 'running') AND state = 'succeeded' ORDER BY fire_time DESC LIMIT 1)
    UNION ALL
    SELECT seq FROM (SELECT seq FROM jobcenter_run WHERE job_id = ?1 AND state NOT IN ('queued', 'running') AND state = 'failed' ORDER BY fire_time DESC LIMIT 1)
    UNION ALL
    SELECT seq FROM (SELECT seq FROM jobcenter_run WHERE job_id = ?1 AND state NOT IN ('queued', 'running') AND state = 'timed_out' ORDER BY fire_time DESC LIMIT 1)
    UNION ALL
    SELECT seq FROM (SELECT seq FROM jobcenter_run WHERE job_id = ?1 AND state NOT IN ('queued', 'running') AND state = 'stopped' ORDER BY fire_time DESC LIMIT 1)
    UNION ALL
    SELECT seq FROM (SELECT seq FROM jobcenter_run WHERE job_id = ?1 AND state NOT IN ('queued', 'running') AND state = 'lost' ORDER BY fire_time DESC LIMIT 1)
)
ORDER BY r.fire_time DESC LIMIT 1;

-- name: queued_runs
SELECT r.id, r.job_id, j.max_instances,
    (SELECT count(*) FROM jobcenter_run a WHERE a.job_id = r.job_id AND a.state IN ('queued', 'running') AND a.state = 'running')
FROM jobcenter_run r INDEXED BY jobcenter_run_queued LEFT JOIN jobcenter_job j ON j.id = r.job_id
WHERE r.state = 'queued' AND r.executor = ? AND (j.seq IS NULL OR j.task IN (SELECT value FROM json_each(?)))
ORDER BY r.fire_time, r.seq;

-- name: replace_run
UPDATE jobcenter_run SET job_version = ?, last_fire_time = ?, fire_count = ?, origin = ?, actor = ?, state = ?,
    reason = ?, message = ?, attempt = ?, node = ?, executor = ?, started_at = ?, ended_at = ?, exit_code = ?,
    output_size = ?, output_kept = ?
WHERE id = ?;

-- name: skip_queued_runs
UPDATE jobcenter_run SET state = 'skipped', reason = 'removed', ended_at = ?
WHERE job_id = ? AND state IN ('queued', 'running') AND state = 'queued';

-- name: held_runs
SELECT id, seq, attempt FROM jobcenter_run
WHERE id IN (SELECT value FROM json_each(?)) AND state IN ('queued', 'running');

-- name: insert_output
INSERT INTO jobcenter_output (run_seq, from_byte, to_byte, attempt, stream, at, data)
VALUES (?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (run_seq, to_byte, from_byte) DO NOTHING;

-- name: drop_output
DELETE FROM jobcenter_output WHERE run_seq = ? AND from_byte >= ? AND to_byte <= ?;

-- name: end_runs
WITH ended (seq, state, reason, message, started_at, ended_at, exit_code, output_size, output_kept) AS (VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?))
UPDATE jobcenter_run SET state = ended.state, reason = ended.reason, message = ended.message, started_at = ended.started_at,
    ended_at = ended.ended_at, exit_code = ended.exit_code, output_size = ended.output_size, output_kept = ended.output_kept
FROM ended WHERE jobcenter_run.seq = ended.seq;

-- name: output
SELECT o.attempt, o.from_byte, o.stream, o.at, o.data
FROM jobcenter_output o
WHERE o.run_seq = (SELECT seq FROM jobcenter_run WHERE id = ?) AND o.to_byte > ?
ORDER BY o.to_byte;

-- name: heartbeat
INSERT INTO jobcenter_node (name, lease_until) VALUES (?, ?)
ON CONFLICT (name) DO UPDATE SET lease_until = excluded.lease_until;

-- name: orphans
-- Read through the index of runs that go on, whose number the executors bound.
SELECT r.seq, r.id, r.job_id, r.job_version, r.fire_time, r.last_fire_time, r.fire_count, r.origin, r.actor, r.state,
    r.reason, r.message, r.attempt, r.node, r.executor, r.started_at, r.ended_at, r.exit_code, r.output_size, r.output_kept
FROM jobcenter_run r INDEXED BY jobcenter_run_active LEFT JOIN jobcenter_node n ON n.name = r.node
WHERE r.state IN ('queued', 'running') AND r.state = 'running'
    AND (n.lease_until IS NULL OR n.lease_until <= ?1 OR (?2 <> '' AND r.node = ?2))
ORDER BY r.fire_time, r.seq LIMIT ?3;
