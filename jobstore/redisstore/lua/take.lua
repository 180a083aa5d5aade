-- take: replaces queued runs by what became of them. Returns a digit for each:
-- 1 if it was replaced; 0 if it is no longer to be had; 2 if the run or its job
-- is not what Go saw, so that it is to be asked again.
local before = told()
if before then
	return before
end
local now = arg()
local result = {}
for i = 1, number() do
	local seen_rev, job_rev = arg(), arg()
	local run, fields = read_run()
	local old = load_run(run.id)
	local rules = rules_of(run.job)
	if not old or old.state ~= 'queued' then
		result[i] = '0'
	elseif old.rev ~= seen_rev or not rules or rules.rev ~= job_rev then
		result[i] = '2'
	else
		local fits = true
		if run.state == 'running' then
			local _, running = active(run.job)
			fits = running < rules.max and within(old.limit, rules, now, 0)
		end
		if fits then
			local key = P .. 'run:' .. run.id
			lift(old)
			call('DEL', key)
			call('HSET', key, 'rev', (tonumber(old.rev) or 0) + 1, unpack(fields))
			place(run)
		end
		result[i] = fits and '1' or '0'
	end
end
return tell(table.concat(result))
