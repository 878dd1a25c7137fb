-- Starts a turn, if nobody has, and its asker and room may have one more.
--
-- Rejects with: 'mine' (it runs, and the owner is the caller), 'known', 'room' and 'subject' (which have enough)

-- runningIn, runningOf, ownedBy: the turns under way in the room, of the subject, of the owner
-- turnsOf: the room's newest
local turn, runningIn, runningOf, ownedBy, turnsOf = unpack(KEYS)
-- question: its body    remembered: turns that a room remembers
-- longestMs: the longest time of an answer    keptMs: for how long a turn is known
local id, owner, room, subject, prompt, question, mostInRoom, mostOfSubject, remembered, longestMs, keptMs = unpack(ARGV)

local known = redis.call('HMGET', turn, 'owner', 'state')
if known[1] then
  return known[1] == owner and known[2] == 'running' and 'mine' or 'known'
end

local now = milliseconds()

-- What a dead instance left, and nobody ended, counts no longer than it could have lived.
local function isFull(key, most)
  return #redis.call('ZRANGEBYSCORE', key, whole(now), '+inf', 'LIMIT', 0, most) >= tonumber(most)
end

if isFull(runningIn, mostInRoom) then return 'room' end
if isFull(runningOf, mostOfSubject) then return 'subject' end

-- First, because a full server refuses it: the writes that follow go through.
redis.call('HSET', turn, 'state', 'running', 'owner', owner, 'room', room, 'subject', subject,
  'prompt', prompt, 'seq', 0)
redis.call('PEXPIRE', turn, keptMs)
for _, running in ipairs({ runningIn, runningOf, ownedBy }) do
  redis.call('ZREMRANGEBYSCORE', running, '-inf', '(' .. whole(now - tonumber(keptMs)))
  redis.call('ZADD', running, whole(now + tonumber(longestMs)), id)
  redis.call('PEXPIRE', running, keptMs)
end
redis.call('ZADD', turnsOf, whole(now), id)
local turns = redis.call('ZRANGEBYSCORE', turnsOf, '-inf', '+inf')
for i = 1, #turns - tonumber(remembered) do redis.call('ZREM', turnsOf, turns[i]) end
redis.call('PEXPIRE', turnsOf, keptMs)
return nil, question
