-- last: of each job the run with the latest fire time among those in these states.
local states, found = texts(), {}
for _, job in ipairs(texts()) do
	local latest
	for _, state in ipairs(states) do
		local member = call('ZREVRANGE', P .. 'ledger:' .. state .. '/' .. job, 0, 0)[1]
		if member and (not latest or sub(member, 1, 18) > sub(latest, 1, 18)) then
			latest = member
		end
	end
	if latest then
		local id = run_of(latest)
		found[#found + 1] = { job, id, call('HGETALL', P .. 'run:' .. id) }
	end
end
return found
