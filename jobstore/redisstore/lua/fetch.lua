-- fetch: runs with their jobs; those that are gone are left out.
local found = {}
for _, id in ipairs(texts()) do
	local job = call('HGET', P .. 'run:' .. id, 'job')
	if job then
		found[#found + 1] = { job, id, call('HGETALL', P .. 'run:' .. id), unpack(see_job(job)) }
	end
end
return found
