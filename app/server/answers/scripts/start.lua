-- Starts a turn, if nobody has, and its asker and room may have one more.
--
-- Rejects with: 'mine' (it runs, and the owner is the caller), 'known' (it runs elsewhere), 'ended', 'dead' (the owner),
-- 'room' and 'subject' (which have enough)

-- runningIn, ownedBy: the turns under way in the room, of the owner    turnsOf: the room's newest
-- fence: owners that are dead
local turn, runningIn, ownedBy, turnsOf, fence = unpack(KEYS)
-- question: its body    isReserved: 1 if the subject may have one more, else 0    remembered: turns that a room remembers
-- longestMs: the longest time of an answer    keptMs: for how long a turn is known
local id, owner, room, subject, prompt, question, mostInRoom, isReserved, remembered, longestMs, keptMs = unpack(ARGV)

local known = redis.call('HMGET', turn, 'owner', 'state')
if known[1] then
  if known[2] ~= 'running' then return 'ended' end
  return known[1] == owner and 'mine' or 'known'
end
-- Nobody would ever end it.
if redis.call('ZSCORE', fence, owner) then return 'dead' end

local now = milliseconds()

-- What a dead instance left, and nobody ended, counts no longer than it could have lived.
local running = redis.call('ZRANGEBYSCORE', runningIn, whole(now), '+inf', 'LIMIT', 0, mostInRoom)
if #running >= tonumber(mostInRoom) then return 'room' end
if isReserved == '0' then return 'subject' end

-- First, because a full server refuses it: the writes that follow go through.
redis.call('HSET', turn, 'state', 'running', 'owner', owner, 'room', room, 'subject', subject,
  'prompt', prompt, 'seq', 0)
redis.call('PEXPIRE', turn, keptMs)
for _, turns in ipairs({ runningIn, ownedBy }) do
  redis.call('ZREMRANGEBYSCORE', turns, '-inf', '(' .. whole(now - tonumber(keptMs)))
  redis.call('ZADD', turns, whole(now + tonumber(longestMs)), id)
  redis.call('PEXPIRE', turns, keptMs)
end
redis.call('ZADD', turnsOf, whole(now), id)
local turns = redis.call('ZRANGEBYSCORE', turnsOf, '-inf', '+inf')
for i = 1, #turns - tonumber(remembered) do redis.call('ZREM', turnsOf, turns[i]) end
redis.call('PEXPIRE', turnsOf, keptMs)
return nil, question
