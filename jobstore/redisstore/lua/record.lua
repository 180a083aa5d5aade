-- record: output and ends of runs that are held.
local runs = {}

-- held returns a run if this attempt still holds it.
local function held(id, attempt)
	local run = runs[id]
	if run == nil then
		run = load_run(id) or false
		runs[id] = run
	end
	return run and run.state == 'running' and run.attempt == attempt and run
end

for _ = 1, number() do
	local id, attempt, to, chunk = arg(), arg(), arg(), arg()
	if held(id, attempt) then
		call('ZADD', P .. 'output:' .. id, to, chunk)
	end
end
for _ = 1, number() do
	local id, attempt, from, to = arg(), arg(), arg(), arg()
	if held(id, attempt) then
		local output = P .. 'output:' .. id
		for _, chunk in ipairs(call('ZRANGEBYSCORE', output, '(' .. from, to)) do
			if tonumber(sub(chunk, 1, find(chunk, ' ', 1, true) - 1)) >= tonumber(from) then
				call('ZREM', output, chunk)
			end
		end
	end
end
for _ = 1, number() do
	local id, attempt, job, changes = arg(), arg(), arg(), texts()
	local key = P .. 'job:' .. job
	if held(id, attempt) and call('EXISTS', key) == 1 then
		changes[#changes + 1] = 'rev'
		changes[#changes + 1] = revision()
		put(key, changes, {})
	end
end
for _ = 1, number() do
	local id, attempt, changes = arg(), arg(), texts()
	local run = held(id, attempt)
	if run then
		alter(run, changes)
	end
end
return 'ok'
