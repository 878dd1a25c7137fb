-- The owners that have not compared what they have in a bucket for so long that they must be gone.
--
local since, compared = unpack(KEYS)
local sinceKeptMs, staleMs = unpack(ARGV)

redis.call('PEXPIRE', since, sinceKeptMs)
return redis.call('ZRANGEBYSCORE', compared, '-inf', whole(milliseconds() - tonumber(staleMs)))
