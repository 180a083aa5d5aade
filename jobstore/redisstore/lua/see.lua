-- see: a job and how many of its runs are queued and running.
local id = arg()
local queued, running = active(id)
return { queued, running, unpack(see_job(id)) }
