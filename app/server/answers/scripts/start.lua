-- Starts a turn, if nobody has, and its asker and room may have one more.
--
-- KEYS  1 turn  2 turns under way in the room  3 of the subject  4 of the owner  5 the room's newest turns
-- ARGV  1 turn     2 owner   3 room   4 subject   5 prompt   6 body of the question
--       7 most under way in the room   8 most of the subject   9 turns that a room remembers
--       10 longest time of an answer, ms   11 for how long a turn is known, ms
-- Withholds: 'mine' (it runs, and the owner is the caller), 'known', 'room' and 'subject' (which have enough)

local known = redis.call('HMGET', KEYS[1], 'owner', 'state')
if known[1] then
  return known[1] == ARGV[2] and known[2] == 'running' and 'mine' or 'known'
end

local now = milliseconds()

-- What a dead instance left, and nobody ended, counts no longer than it could have lived.
local function isFull(key, most)
  return #redis.call('ZRANGEBYSCORE', key, whole(now), '+inf', 'LIMIT', 0, most) >= tonumber(most)
end

if isFull(KEYS[2], ARGV[7]) then return 'room' end
if isFull(KEYS[3], ARGV[8]) then return 'subject' end

-- First, because a full server refuses it: the writes that follow go through.
redis.call('HSET', KEYS[1], 'state', 'running', 'owner', ARGV[2], 'room', ARGV[3], 'subject', ARGV[4],
  'prompt', ARGV[5], 'seq', 0)
redis.call('PEXPIRE', KEYS[1], ARGV[11])
for i = 2, 4 do
  redis.call('ZREMRANGEBYSCORE', KEYS[i], '-inf', '(' .. whole(now - tonumber(ARGV[11])))
  redis.call('ZADD', KEYS[i], whole(now + tonumber(ARGV[10])), ARGV[1])
  redis.call('PEXPIRE', KEYS[i], ARGV[11])
end
redis.call('ZADD', KEYS[5], whole(now), ARGV[1])
local remembered = redis.call('ZRANGEBYSCORE', KEYS[5], '-inf', '+inf')
for i = 1, #remembered - tonumber(ARGV[9]) do redis.call('ZREM', KEYS[5], remembered[i]) end
redis.call('PEXPIRE', KEYS[5], ARGV[11])
return nil, ARGV[6]
