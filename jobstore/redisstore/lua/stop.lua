-- stop: ends a queued run, and asks for the end of a running one. Returns the run.
local id, by, now = arg(), arg(), arg()
local run = load_run(id)
if run and run.state == 'queued' then
	alter(run, { 'state', 'stopped', 'reason', 'stop', 'msg', by, 'stop', by, 'end', now })
elseif run and run.state == 'running' and by ~= '' then
	call('HSETNX', P .. 'run:' .. id, 'stop', by)
end
return call('HGETALL', P .. 'run:' .. id)
