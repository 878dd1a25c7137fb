-- Counts a turn among those that its subject has under way, unless these are enough.
--
-- Returns 1 if it is counted, also where it was before; else 0

local reserved = unpack(KEYS)
-- longestMs: the longest time of an answer
local turn, most, longestMs = unpack(ARGV)

local now = milliseconds()
redis.call('ZREMRANGEBYSCORE', reserved, '-inf', whole(now))
if redis.call('ZSCORE', reserved, turn) then return 1 end
if redis.call('ZCARD', reserved) >= tonumber(most) then return 0 end
redis.call('ZADD', reserved, whole(now + tonumber(longestMs)), turn)
redis.call('PEXPIRE', reserved, longestMs)
return 1
