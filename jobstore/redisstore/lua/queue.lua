-- queue: queued runs of an executor that may start now, with their jobs. Looks
-- at a bounded number of them, from a place in the queue on, and says where it
-- ended: '' at the end of the queue. Runs whose job is gone end.
local executor, now, after, wall = arg(), arg(), arg(), arg()
local limit, look, from = number(), number(), arg()
local tasks = set()
local queue, delayed, later = P .. 'queue:' .. executor, P .. 'delayed:' .. executor, P .. 'later:' .. executor

-- Those whose time has come queue up.
while true do
	local ready = call('ZRANGEBYLEX', delayed, '-', '(' .. after, 'LIMIT', 0, 1000)
	for _, member in ipairs(ready) do
		local run = load_run(sub(member, 20))
		call('ZREM', delayed, member)
		if run then
			call('ZADD', queue, 0, turn_of(run))
		end
	end
	if #ready < 1000 then
		break
	end
end
local next = call('ZRANGEBYLEX', later, '[' .. after, '+', 'LIMIT', 0, 1)[1]
next = next and sub(next, 1, 18) or false

local found, jobs, by_key = {}, {}, {}
local members = {}
if limit > 0 then
	members = call('ZRANGEBYLEX', queue, from == '' and '-' or '(' .. from, '+', 'LIMIT', 0, look)
end
local last = #members == look and members[look] or ''
for i, member in ipairs(members) do
	local nul = find(member, '\0', 44, true)
	local id, job_id = sub(member, 44, nul - 1), sub(member, nul + 1)
	local job = jobs[job_id]
	if not job then
		job = rules_of(job_id) or { gone = true }
		if not job.gone then
			local _, running = active(job_id)
			job.free = tasks[job.task] and job.max - running or 0
		end
		jobs[job_id] = job
	end
	if job.gone then
		end_removed(load_run(id), wall)
	elseif job.free > 0 then
		local run = load_run(id)
		local extra = run and by_key[run.limit] or 0
		-- Another scheduler's clock may be ahead of this one's.
		if run and (run.nb == '' or run.nb < after) and within(run.limit, job, now, extra) then
			job.free = job.free - 1
			by_key[run.limit] = extra + 1
			found[#found + 1] = { job_id, id, call('HGETALL', P .. 'run:' .. id), unpack(see_job(job_id)) }
			if #found == limit then
				last = i < #members and member or last
				break
			end
		end
	end
end
return { next, last, found }
