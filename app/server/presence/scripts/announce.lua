-- Announces to a room the leaves that are due, in one difference.
--
-- Returns how many were published

local counts, leaving, state, due = unpack(KEYS)
-- place: hub/room    openBroadcast: text of the event up to the epoch    newEpoch: to be used if one must be made
local place, channel, openBroadcast, newEpoch, ageMs, mostSubjects = unpack(ARGV)

local EMPTY_KEPT = 5000

local now = milliseconds()

local current = redis.call('HMGET', state, 'epoch', 'quiet')
local epoch, quiet = current[1] or newEpoch, tonumber(current[2] or 0)
if now < quiet then
  redis.call('ZADD', due, whole(quiet), place)
  return 0
end
if not current[1] then redis.call('HSET', state, 'epoch', epoch, 'replid', '') end

local left = redis.call('ZRANGEBYSCORE', leaving, '-inf', whole(now), 'LIMIT', 0, mostSubjects)
for _, subject in ipairs(left) do
  redis.call('ZREM', leaving, subject)
  redis.call('HDEL', counts, subject)
end

local first = redis.call('ZRANGE', leaving, 0, 0, 'WITHSCORES')
if first[1] then
  redis.call('ZADD', due, first[2], place)
else
  redis.call('ZREM', due, place)
end

-- The end of a quiet time is published as an empty difference of the new epoch: every client asks.
if #left > 0 or quiet > 0 then
  redis.call('HSET', state, 'quiet', 0)
  local version = redis.call('HINCRBY', state, 'version', 1)
  redis.call('SPUBLISH', channel, openBroadcast .. '"epoch":"' .. epoch .. '","version":' .. whole(version)
    .. ',"joined":[],"left":' .. (#left > 0 and cjson.encode(left) or '[]') .. '}}')
end
-- A room that nobody is in any more has little to remember: rooms are free to join, and their names endless.
local isEmpty = not first[1] and redis.call('HLEN', counts) == 0
redis.call('PEXPIRE', state, isEmpty and math.min(EMPTY_KEPT, tonumber(ageMs)) or ageMs)
return #left
