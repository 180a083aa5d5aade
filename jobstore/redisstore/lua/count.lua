-- count: how many runs are queued for an executor.
local executor = arg()
return call('ZCARD', P .. 'queue:' .. executor) + call('ZCARD', P .. 'delayed:' .. executor)
