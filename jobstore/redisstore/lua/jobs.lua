-- jobs: walks through an index of jobs, from a member on, and returns those
-- that are in all of some other indexes. Looks at a bounded number of members,
-- and says where it ended: '' at the end of the index.
local index, skip, desc, from = P .. arg(), arg(), arg() == '1', arg()
local look, limit, filters = number(), number(), texts()
local members
if desc then
	members = call('ZREVRANGEBYLEX', index, from == '' and '+' or '(' .. from, '-', 'LIMIT', 0, look)
else
	members = call('ZRANGEBYLEX', index, from == '' and '-' or '(' .. from, '+', 'LIMIT', 0, look)
end
local last, found = #members == look and members[look] or '', {}
for i, member in ipairs(members) do
	-- What is before the id: nothing, an instant, or a name and a zero byte.
	local id
	if skip == 'name' then
		id = sub(member, find(member, '\0', 1, true) + 1)
	else
		id = sub(member, tonumber(skip) + 1)
	end
	local kept = true
	for _, filter in ipairs(filters) do
		kept = kept and call('ZSCORE', P .. filter, id)
	end
	if kept then
		found[#found + 1] = { member, id, unpack(see_job(id)) }
		if #found == limit then
			last = i < #members and member or last
			break
		end
	end
end
return { last, found }
