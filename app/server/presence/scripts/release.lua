-- Takes back some of what an owner registered in a room; who is there through nobody else leaves after a grace.
--
-- Returns how many are still to be taken back

local counts, leaving, ownSubjects, ownRooms, due, compared = unpack(KEYS)
-- place: hub/room
local owner, place, graceMs, ageMs, most = unpack(ARGV)

local now = milliseconds()

for _, subject in ipairs(redis.call('SPOP', ownSubjects, most)) do
  if redis.call('HINCRBY', counts, subject, -1) <= 0 then
    redis.call('ZADD', leaving, whole(now + tonumber(graceMs)), subject)
  end
end

local first = redis.call('ZRANGE', leaving, 0, 0, 'WITHSCORES')
if first[1] then redis.call('ZADD', due, 'LT', first[2], place) end
local rest = redis.call('SCARD', ownSubjects)
if rest == 0 then
  redis.call('SREM', ownRooms, place)
  if redis.call('EXISTS', ownRooms) == 0 then redis.call('ZREM', compared, owner) end
end
for _, key in ipairs({ counts, leaving, due }) do redis.call('PEXPIRE', key, ageMs) end
return rest
