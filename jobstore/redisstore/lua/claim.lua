-- claim: what becomes of due jobs, each if it and the number of its runs that
-- go on are still what Go saw. Returns a digit for each job, 1 if so, and
-- after it one for each of its runs, 1 if it was new.
local before = told()
if before then
	return before
end
local rev
local result = {}
for _ = 1, number() do
	local id, seen_rev, seen_queued, seen_running = arg(), arg(), number(), number()
	local changes, stop, runs = texts(), arg(), read_runs()
	local key = P .. 'job:' .. id
	local old = call('HMGET', key, 'rev', 'due', 'kind', 'prio', 'state')
	local queued, running = active(id)
	if old[1] ~= seen_rev or queued ~= seen_queued or running ~= seen_running then
		result[#result + 1] = '0'
	else
		rev = rev or revision()
		local due, state = old[2] or '', old[5]
		local new = { due = due, state = state }
		changes[#changes + 1] = 'rev'
		changes[#changes + 1] = rev
		put(key, changes, new)
		if new.due ~= due then
			due_on(id, new.due, old[3], old[4])
			due_off(id, due, old[3], old[4])
		end
		if new.state ~= state then
			call('ZREM', P .. 'jobs:state:' .. state, id)
			call('ZADD', P .. 'jobs:state:' .. new.state, 0, id)
		end
		if stop ~= '' then
			for _, member in ipairs(call('ZRANGE', P .. 'ledger:running/' .. id, 0, -1)) do
				call('HSETNX', P .. 'run:' .. run_of(member), 'stop', stop)
			end
		end
		result[#result + 1] = '1' .. insert_all(runs)
	end
end
return tell(table.concat(result))
