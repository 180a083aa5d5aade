-- due: the first jobs of these tasks and executors that are due before an
-- instant, but for those named.
local after, limit = arg(), number()
local tasks, executors = set(), set()
local count, decided = number(), set()
local lists = {}
for _, kind in ipairs(call('SMEMBERS', P .. 'due')) do
	local slash = find(kind, '/', 1, true)
	if tasks[sub(kind, 1, slash - 1)] and executors[sub(kind, slash + 1)] then
		lists[#lists + 1] = call('ZRANGEBYLEX', P .. 'due:' .. kind, '-', '(' .. after, 'LIMIT', 0, limit + count)
	end
end
-- A member is the instant, seven digits for the priority, and the id.
local members = merge(lists, 25, limit, false, function(member)
	return decided[sub(member, 26)]
end)
local jobs = {}
for i, member in ipairs(members) do
	local id = sub(member, 26)
	local queued, running = active(id)
	jobs[i] = { id, queued, running, unpack(see_job(id)) }
end
return jobs
