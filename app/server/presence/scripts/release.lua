-- Takes back some of what an owner registered in a room; who is there through nobody else leaves after a grace.
--
-- KEYS  1 counts  2 leaving  3 the owner's subjects in the room  4 the owner's rooms  5 due
-- ARGV  1 place (hub/room)  2 grace, ms  3 age of the keys, ms  4 most subjects
-- Returns how many are still to be taken back

local now = milliseconds()

for _, subject in ipairs(redis.call('SPOP', KEYS[3], ARGV[4])) do
  if redis.call('HINCRBY', KEYS[1], subject, -1) <= 0 then
    redis.call('ZADD', KEYS[2], whole(now + tonumber(ARGV[2])), subject)
  end
end

local first = redis.call('ZRANGE', KEYS[2], 0, 0, 'WITHSCORES')
if first[1] then redis.call('ZADD', KEYS[5], 'LT', first[2], ARGV[1]) end
local rest = redis.call('SCARD', KEYS[3])
if rest == 0 then redis.call('SREM', KEYS[4], ARGV[1]) end
for _, i in ipairs({ 1, 2, 5 }) do redis.call('PEXPIRE', KEYS[i], ARGV[3]) end
return rest
