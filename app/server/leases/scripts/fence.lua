-- Lets nobody write under a dead owner's name in this bucket any more: what comes late would stay there for good.
--
local fence = unpack(KEYS)
local owner, keptMs = unpack(ARGV)

local now = milliseconds()
redis.call('ZREMRANGEBYSCORE', fence, '-inf', whole(now - tonumber(keptMs)))
redis.call('ZADD', fence, whole(now), owner)
redis.call('PEXPIRE', fence, keptMs)
return 1
