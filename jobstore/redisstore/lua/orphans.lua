-- orphans: running runs of nodes without a lease that reaches to an instant,
-- and of one node whatever its lease: id, node and attempt.
local node, after, limit = arg(), arg(), number()
local found = {}
for _, name in ipairs(call('SMEMBERS', P .. 'nodes')) do
	local lease = call('GET', P .. 'lease:' .. name)
	if not lease or lease < after or node ~= '' and name == node then
		for _, id in ipairs(call('SMEMBERS', P .. 'node:' .. name)) do
			if #found >= limit then
				return found
			end
			local attempt = call('HGET', P .. 'run:' .. id, 'attempt')
			if attempt then
				found[#found + 1] = { id, name, attempt }
			end
		end
	end
end
return found
