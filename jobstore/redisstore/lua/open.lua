-- open: writes the version of what is stored if there is none yet, and returns
-- it. The commands of all other scripts are tried before, on keys of no use:
-- one that the user of the connection may not give would stop a script half-way.
local trial = P .. 'trial:'
local strings, hashes, sets, sorted = trial .. 'string', trial .. 'hash', trial .. 'set', trial .. 'sorted'
call('DEL', strings, hashes, sets, sorted)
call('SET', strings, '1', 'PX', 60000)
call('INCR', strings)
call('EXISTS', strings)
call('HSET', hashes, 'a', '1')
call('HSETNX', hashes, 'b', '1')
call('HGET', hashes, 'a')
call('HMGET', hashes, 'a', 'b')
call('HGETALL', hashes)
call('HDEL', hashes, 'a')
call('SADD', sets, 'a', 'b')
call('SMEMBERS', sets)
call('SCARD', sets)
call('SREM', sets, 'a')
call('ZADD', sorted, 0, 'a')
call('ZCARD', sorted)
call('ZSCORE', sorted, 'a')
call('ZRANGE', sorted, 0, 0)
call('ZREVRANGE', sorted, 0, 0)
call('ZRANGEBYLEX', sorted, '-', '+', 'LIMIT', 0, 1)
call('ZREVRANGEBYLEX', sorted, '+', '-', 'LIMIT', 0, 1)
call('ZRANGEBYSCORE', sorted, '(0', '+inf', 'LIMIT', 0, 1)
call('ZLEXCOUNT', sorted, '-', '+')
call('ZREM', sorted, 'b')
call('ZREMRANGEBYLEX', sorted, '-', '(a')
call('ZREMRANGEBYRANK', sorted, 0, -2)
call('PEXPIRE', sorted, 60000)
call('DEL', strings, hashes, sets, sorted)

local schema = P .. 'schema'
local found = call('GET', schema)
if not found then
	found = arg()
	call('SET', schema, found)
end
return found
