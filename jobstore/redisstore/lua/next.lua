-- next: the earliest instant at which a job of these tasks and executors is due.
local tasks, executors = set(), set()
local first = false
for _, kind in ipairs(call('SMEMBERS', P .. 'due')) do
	local slash = find(kind, '/', 1, true)
	if tasks[sub(kind, 1, slash - 1)] and executors[sub(kind, slash + 1)] then
		local member = call('ZRANGE', P .. 'due:' .. kind, 0, 0)[1]
		if member then
			local due = sub(member, 1, 18)
			if not first or due < first then
				first = due
			end
		end
	end
end
return first
