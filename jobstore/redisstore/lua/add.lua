-- add: new jobs, all or none.
local before = told()
if before then
	return before
end
local looked = number() -- the revision before the jobs were made
local jobs = {}
for i = 1, number() do
	jobs[i] = read_job()
end
for _, job in ipairs(jobs) do
	if call('EXISTS', P .. 'job:' .. job.id) == 1 then
		return 'taken:' .. job.id
	end
	if tonumber(call('GET', P .. 'removed:' .. job.id) or 0) > looked then
		return 'again' -- removed since; the jobs are to be made after that
	end
end
local rev = revision()
for _, job in ipairs(jobs) do
	add_job(job, rev)
end
return tell('ok')
