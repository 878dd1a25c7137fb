-- Tells a room whose leave is due, in one difference.
--
-- KEYS  1 counts  2 leaving  3 state  4 due
-- ARGV  1 place (hub/room)  2 channel  3 whisper up to the epoch  4 an epoch to use if one must be made
--       5 age of the keys, ms  6 most subjects of one difference
-- Returns how many were told

local now = milliseconds()

local state = redis.call('HMGET', KEYS[3], 'epoch', 'quiet')
local epoch, quiet = state[1] or ARGV[4], tonumber(state[2] or 0)
if now < quiet then
  redis.call('ZADD', KEYS[4], whole(quiet), ARGV[1])
  return 0
end
if not state[1] then redis.call('HSET', KEYS[3], 'epoch', epoch, 'replid', '') end

local left = redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', whole(now), 'LIMIT', 0, ARGV[6])
for _, subject in ipairs(left) do
  redis.call('ZREM', KEYS[2], subject)
  redis.call('HDEL', KEYS[1], subject)
end

local first = redis.call('ZRANGE', KEYS[2], 0, 0, 'WITHSCORES')
if first[1] then
  redis.call('ZADD', KEYS[4], first[2], ARGV[1])
else
  redis.call('ZREM', KEYS[4], ARGV[1])
end

-- The end of a quiet time is told by an empty difference of the new epoch: every client asks.
if #left > 0 or quiet > 0 then
  redis.call('HSET', KEYS[3], 'quiet', 0)
  local version = redis.call('HINCRBY', KEYS[3], 'version', 1)
  redis.call('PUBLISH', ARGV[2], ARGV[3] .. '"epoch":"' .. epoch .. '","version":' .. whole(version)
    .. ',"joined":[],"left":' .. (#left > 0 and cjson.encode(left) or '[]') .. '}}')
end
redis.call('PEXPIRE', KEYS[3], ARGV[5])
return #left
