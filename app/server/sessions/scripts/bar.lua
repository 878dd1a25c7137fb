-- Bars an entry for a time on all instances, or no longer.
--
-- KEYS  1 sorted set of all that is barred, by when that ends (ms)
-- ARGV  1 channel   2 entry   3 for so long, ms; 0: no longer   4 most entries
-- Returns when it ends (0: it is not barred), or -1 when there are too many entries

local now = milliseconds()
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)

local ends = 0
if tonumber(ARGV[3]) > 0 then
  local before = tonumber(redis.call('ZSCORE', KEYS[1], ARGV[2]))
  if not before and redis.call('ZCARD', KEYS[1]) >= tonumber(ARGV[4]) then return -1 end
  -- Two who bar the same mean both: the longer one holds.
  ends = math.max(now + tonumber(ARGV[3]), before or 0)
  redis.call('ZADD', KEYS[1], ends, ARGV[2])
  if redis.call('PTTL', KEYS[1]) < ends - now then redis.call('PEXPIRE', KEYS[1], ends - now + 1000) end
else
  redis.call('ZREM', KEYS[1], ARGV[2])
end
redis.call('PUBLISH', ARGV[1], string.format('%.0f', ends) .. ':' .. ARGV[2])
return ends
