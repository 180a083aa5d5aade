-- held: what the holder of running runs must know of them.
local found = {}
for _, id in ipairs(call('SMEMBERS', P .. 'node:' .. arg())) do
	local values = call('HMGET', P .. 'run:' .. id, 'attempt', 'stop')
	if values[1] then
		found[#found + 1] = { id, unpack(values) }
	end
end
return found
