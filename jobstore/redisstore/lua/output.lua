-- output: chunks of a run that reach beyond an offset, as many as fit in limit
-- bytes, but one at least.
local id, offset, limit, most = arg(), arg(), number(), number()
if call('EXISTS', P .. 'run:' .. id) == 0 then
	return false
end
local chunks = {}
while true do
	local more = call('ZRANGEBYSCORE', P .. 'output:' .. id, '(' .. offset, '+inf', 'LIMIT', #chunks, 16)
	for _, chunk in ipairs(more) do
		local _, head = find(chunk, '^%d+ %d+ %S* %d+ ')
		limit = limit - (#chunk - head)
		if limit < 0 and #chunks > 0 or #chunks == most then
			return chunks
		end
		chunks[#chunks + 1] = chunk
	end
	if #more < 16 then
		return chunks
	end
end
