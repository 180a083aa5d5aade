-- remove: a job, if it is still what Go saw; runs of it are inserted, and
-- those that are queued end.
local before = told()
if before then
	return before
end
local id, rev, now, runs = arg(), arg(), arg(), read_runs()
if call('HGET', P .. 'job:' .. id, 'rev') ~= rev then
	return 'again'
end
drop_job(id)
-- For whoever is about to add a job of this id.
call('SET', P .. 'removed:' .. id, revision(), 'PX', 3600000)
insert_all(runs)
for _, member in ipairs(call('ZRANGE', P .. 'ledger:queued/' .. id, 0, -1)) do
	end_removed(load_run(run_of(member)), now)
end
return tell('ok')
