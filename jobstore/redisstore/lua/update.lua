-- update: replaces a job, if it and the number of its runs that go on are
-- still what Go saw, and inserts runs.
local before = told()
if before then
	return before
end
local rev, queued, running = arg(), number(), number()
local undecodable = arg() == '1'
local job, runs = read_job(), read_runs()
local key = P .. 'job:' .. job.id
local now_queued, now_running = active(job.id)
if call('HGET', key, 'rev') ~= rev or now_queued ~= queued or now_running ~= running then
	return 'again'
end
-- What nobody could read is kept beside what replaces it.
local unread = call('HGET', key, undecodable and 'job' or 'undecodable')
drop_job(job.id)
add_job(job, revision())
if unread then
	call('HSET', key, 'undecodable', unread)
end
insert_all(runs)
return tell('ok')
