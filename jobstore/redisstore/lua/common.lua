-- What every script begins with. KEYS[1] is what the store's keys begin with:
-- it tells a cluster the slot, which all of them share. ARGV is read from left
-- to right, in the order in which Go wrote it.
--
-- Nothing is written before all that is to be checked has been: a script is
-- atomic, but it is not undone.

local P, call = KEYS[1], redis.call
local find, sub = string.find, string.sub
local position = 0

local function arg()
	position = position + 1
	return ARGV[position]
end

local function number()
	return tonumber(arg())
end

-- texts reads a list of texts, and set the same as a set.
local function texts()
	return cmsgpack.unpack(arg())
end

local function set()
	local members = {}
	for _, text in ipairs(texts()) do
		members[text] = true
	end
	return members
end

-- less compares bytes. Lua compares texts as the server's language does, which
-- is good for digits only.
local function less(a, b)
	local n = math.min(#a, #b)
	for i = 1, n do
		local x, y = string.byte(a, i), string.byte(b, i)
		if x ~= y then
			return x < y
		end
	end
	return #a < #b
end

-- merge returns the first members of sorted lists, up to limit. The first
-- width bytes of each are digits. Those that skip says yes to are left out.
local function merge(lists, width, limit, desc, skip)
	local merged, at, key = {}, {}, {}
	for i, list in ipairs(lists) do
		at[i] = 1
		key[i] = list[1] and sub(list[1], 1, width)
	end
	while #merged < limit do
		local best
		for i, list in ipairs(lists) do
			local mine, other = key[i], best and key[best]
			if mine and not best then
				best = i
			elseif mine and mine ~= other then
				if (mine < other) ~= desc then
					best = i
				end
			elseif mine and less(list[at[i]], lists[best][at[best]]) ~= desc then
				best = i
			end
		end
		if not best then
			return merged
		end
		local member = lists[best][at[best]]
		at[best] = at[best] + 1
		local following = lists[best][at[best]]
		key[best] = following and sub(following, 1, width)
		if not (skip and skip(member)) then
			merged[#merged + 1] = member
		end
	end
	return merged
end

-- Calls. A call whose reply was lost on the way is made again, with the same
-- token: it finds what it returned the first time.

local token, lasting

local function told()
	token, lasting = P .. 'call:' .. arg(), arg()
	return call('GET', token)
end

local function tell(result)
	call('SET', token, result, 'PX', lasting)
	return result
end

-- revision is a number that no job had before.
local function revision()
	return call('INCR', P .. 'rev')
end

-- Runs. In here a run is a table of the fields of its hash, by which it is
-- indexed; what is not there is ''.

local blank = {
	__index = function()
		return ''
	end,
}

local indexed = { 'job', 'fire', 'series', 'state', 'attempt', 'node', 'exec', 'prio', 'limit', 'nb', 'turn', 'start', 'rev' }

local function load_run(id)
	local values = call('HMGET', P .. 'run:' .. id, unpack(indexed))
	if not values[1] then
		return nil
	end
	local run = setmetatable({ id = id }, blank)
	for i, name in ipairs(indexed) do
		run[name] = values[i] or ''
	end
	return run
end

-- run_of is the id in a member of a ledger: fire time, series, a slash, id.
local function run_of(member)
	return sub(member, find(member, '/', 19, true) + 1)
end

-- turn_of is where a run stands in the queue of its executor. The job is there
-- for a look at it without one at the run.
local function turn_of(run)
	local priority = math.max(-1000000, math.min(1000000, tonumber(run.prio) or 0))
	local turn = run.turn == '' and '000000000000000000' or run.turn
	return string.format('%07d', 1000000 - priority) .. turn .. run.fire .. run.id .. '\0' .. run.job
end

-- Starts are kept for the longest span that a limit can be about, and an hour
-- for clocks that differ, in microseconds; and no more of a limit than this, or
-- than the highest rate that a job named for it.
local kept = 25 * 3600 * 1000000
local kept_starts = 10000

local function shifted(instant, by)
	if sub(instant, 1, 1) == '1' then -- from 1970 on, the rest is exact
		return '1' .. string.format('%017.0f', tonumber(sub(instant, 2)) + by)
	end
	return string.format('%018.0f', tonumber(instant) + by)
end

-- place enters a run where it belongs by its state.
local function place(run)
	local id, member = run.id, run.fire .. run.series .. '/' .. run.id
	call('ZADD', P .. 'ledger:' .. run.state, 0, member)
	call('ZADD', P .. 'ledger:' .. run.state .. '/' .. run.job, 0, member)
	if run.state == 'queued' then
		if run.nb == '' then
			call('ZADD', P .. 'queue:' .. run.exec, 0, turn_of(run))
		else
			call('ZADD', P .. 'delayed:' .. run.exec, 0, run.nb .. '/' .. id)
			call('ZADD', P .. 'later:' .. run.exec, 0, run.nb .. '/' .. id)
		end
	elseif run.state == 'running' then
		call('SADD', P .. 'node:' .. run.node, id)
		call('SADD', P .. 'nodes', run.node)
		if run.limit ~= '' then
			call('SADD', P .. 'limit:running:' .. run.limit, id)
		end
	end
	if run.limit ~= '' and run.start ~= '' then
		local starts = P .. 'limit:starts:' .. run.limit
		call('ZADD', starts, 0, run.start .. '/' .. id)
		call('ZREMRANGEBYLEX', starts, '-', '(' .. shifted(run.start, -kept))
		local most = tonumber(call('HGET', P .. 'limit:rates', run.limit) or kept_starts)
		call('ZREMRANGEBYRANK', starts, 0, -most - 1)
		call('PEXPIRE', starts, 2 * kept / 1000)
	end
end

-- lift takes a run out of where place put it.
local function lift(run)
	local id, member = run.id, run.fire .. run.series .. '/' .. run.id
	call('ZREM', P .. 'ledger:' .. run.state, member)
	call('ZREM', P .. 'ledger:' .. run.state .. '/' .. run.job, member)
	if run.state == 'queued' then
		call('ZREM', P .. 'queue:' .. run.exec, turn_of(run))
		if run.nb ~= '' then
			call('ZREM', P .. 'delayed:' .. run.exec, run.nb .. '/' .. id)
			call('ZREM', P .. 'later:' .. run.exec, run.nb .. '/' .. id)
		end
	elseif run.state == 'running' then
		call('SREM', P .. 'node:' .. run.node, id)
		if call('EXISTS', P .. 'node:' .. run.node) == 0 then
			call('SREM', P .. 'nodes', run.node)
		end
		if run.limit ~= '' then
			call('SREM', P .. 'limit:running:' .. run.limit, id)
		end
	end
	if run.limit ~= '' and run.start ~= '' then
		call('ZREM', P .. 'limit:starts:' .. run.limit, run.start .. '/' .. id)
	end
end

-- read_run reads a new run; fields are what its hash is to hold.
local function read_run()
	local run = setmetatable({ id = arg() }, blank)
	local fields = texts() -- names and values in turn
	for i = 1, #fields, 2 do
		run[fields[i]] = fields[i + 1]
	end
	return run, fields
end

-- insert adds a run, unless its job, fire time and series are in the ledger.
local function insert(run, fields)
	local ledger, slot = P .. 'ledger:all/' .. run.job, run.fire .. run.series .. '/'
	local there = call('ZRANGEBYLEX', ledger, '[' .. slot, '+', 'LIMIT', 0, 1)[1]
	if there and sub(there, 1, #slot) == slot or call('EXISTS', P .. 'run:' .. run.id) == 1 then
		return false
	end
	call('ZADD', ledger, 0, slot .. run.id)
	call('HSET', P .. 'run:' .. run.id, unpack(fields))
	place(run)
	return true
end

-- read_runs reads a list of runs, and insert_all adds them: a digit each, 1 if
-- it was new.
local function read_runs()
	local runs = {}
	for i = 1, number() do
		local run, fields = read_run()
		runs[i] = { run, fields }
	end
	return runs
end

local function insert_all(runs)
	local inserted = {}
	for i, run in ipairs(runs) do
		inserted[i] = insert(run[1], run[2]) and '1' or '0'
	end
	return table.concat(inserted)
end

-- put gives fields of a hash other values, and notes them in a table; '' takes
-- a field away.
local function put(key, changes, noted)
	local given, gone = {}, {}
	for i = 1, #changes, 2 do
		local name, value = changes[i], changes[i + 1]
		noted[name] = value
		if value == '' then
			gone[#gone + 1] = name
		else
			given[#given + 1] = name
			given[#given + 1] = value
		end
	end
	if #given > 0 then
		call('HSET', key, unpack(given))
	end
	if #gone > 0 then
		call('HDEL', key, unpack(gone))
	end
end

-- alter gives fields of a stored run other values, and so another revision.
local function alter(run, changes)
	changes[#changes + 1] = 'rev'
	changes[#changes + 1] = tostring((tonumber(run.rev) or 0) + 1)
	lift(run)
	put(P .. 'run:' .. run.id, changes, run)
	place(run)
end

-- end_removed ends a queued run whose job is gone.
local function end_removed(run, now)
	if run then
		alter(run, { 'state', 'skipped', 'reason', 'removed', 'end', now })
	end
end

-- Jobs.

-- The fields of a job that Go reads, in its order.
local seen = { 'rev', 'job', 'args', 'next', 'prev', 'quarantine', 'carried', 'result' }

local function see_job(id)
	return call('HMGET', P .. 'job:' .. id, unpack(seen))
end

-- active counts the runs of a job that go on.
local function active(id)
	return call('ZCARD', P .. 'ledger:queued/' .. id), call('ZCARD', P .. 'ledger:running/' .. id)
end

-- due_on enters a job where it belongs by the instant at which it is due, ''
-- for none; due_off takes it out again. kind is its task and executor.
local function due_on(id, due, kind, prio)
	if due == '' then
		call('ZADD', P .. 'jobs:idle', 0, id)
		return
	end
	call('ZADD', P .. 'jobs:due', 0, due .. id)
	call('ZADD', P .. 'due:' .. kind, 0, due .. prio .. id)
	call('SADD', P .. 'due', kind)
end

local function due_off(id, due, kind, prio)
	if due == '' then
		call('ZREM', P .. 'jobs:idle', id)
		return
	end
	call('ZREM', P .. 'jobs:due', due .. id)
	call('ZREM', P .. 'due:' .. kind, due .. prio .. id)
	if call('EXISTS', P .. 'due:' .. kind) == 0 then
		call('SREM', P .. 'due', kind)
	end
end

-- read_job reads a job: its fields, and the names of the indexes by which it
-- is listed, each with its member there.
local function read_job()
	local job = setmetatable({ id = arg(), fields = texts(), index = arg() }, blank)
	for i = 1, #job.fields, 2 do
		job[job.fields[i]] = job.fields[i + 1]
	end
	return job
end

local function add_job(job, rev)
	call('HSET', P .. 'job:' .. job.id, 'rev', rev, 'index', job.index, unpack(job.fields))
	local index = cmsgpack.unpack(job.index)
	for i = 1, #index, 2 do
		call('ZADD', P .. index[i], 0, index[i + 1])
	end
	call('ZADD', P .. 'jobs:state:' .. job.state, 0, job.id)
	due_on(job.id, job.due, job.kind, job.prio)
	local rate = tonumber(job.limit_rate)
	if rate and rate > tonumber(call('HGET', P .. 'limit:rates', job.limit) or kept_starts) then
		call('HSET', P .. 'limit:rates', job.limit, rate)
	end
end

local function drop_job(id)
	local key = P .. 'job:' .. id
	local old = call('HMGET', key, 'index', 'state', 'due', 'kind', 'prio')
	local index = cmsgpack.unpack(old[1])
	for i = 1, #index, 2 do
		call('ZREM', P .. index[i], index[i + 1])
	end
	call('ZREM', P .. 'jobs:state:' .. old[2], id)
	due_off(id, old[3] or '', old[4], old[5])
	call('DEL', key)
end

-- rules_of are the fields of a job that say whether a run of it may start.
local function rules_of(id)
	local values = call('HMGET', P .. 'job:' .. id, 'rev', 'task', 'max', 'limit_running', 'limit_rate', 'limit_per')
	if not values[1] then
		return nil
	end
	return {
		rev = values[1],
		task = values[2],
		max = tonumber(values[3] or 1),
		running = tonumber(values[4] or 0),
		rate = tonumber(values[5] or 0),
		per = tonumber(values[6] or 0),
	}
end

-- within reports whether another run of a limit's key may start, extra ones
-- having started that are not written yet.
local function within(key, rules, now, extra)
	if key == '' then
		return true
	end
	if rules.running > 0 and call('SCARD', P .. 'limit:running:' .. key) + extra >= rules.running then
		return false
	end
	if rules.rate > 0 then
		-- A start is its instant and a slash, which is before 0.
		local since = '[' .. shifted(now, -rules.per) .. '0'
		return call('ZLEXCOUNT', P .. 'limit:starts:' .. key, since, '+') + extra < rules.rate
	end
	return true
end
