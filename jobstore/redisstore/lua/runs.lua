-- runs: the newest runs of some ledgers between two bounds, each with its
-- place in them.
local least, most, limit, lists = arg(), arg(), number(), {}
for i, ledger in ipairs(texts()) do
	lists[i] = call('ZREVRANGEBYLEX', P .. 'ledger:' .. ledger, most, least, 'LIMIT', 0, limit)
end
local found = {}
for i, member in ipairs(merge(lists, 18, limit, true)) do
	local id = run_of(member)
	found[i] = { member, id, call('HGETALL', P .. 'run:' .. id) }
end
return found
