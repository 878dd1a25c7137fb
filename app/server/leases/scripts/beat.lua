-- Renews an owner's lease, ends those that have run out, and hands out dead owners to be handled.
--
-- Returns {state, dead owner, …}
--   state  'held': renewed; 'taken': it was not there; 'lost': others ended it, or it is not there any more: the name
--          is handed out as that of a dead owner, and the caller takes another one

local owners, dead, beat = unpack(KEYS)
-- mayBeHeld: 1 if the caller has asked for this lease before, else 0
-- longestGapMs: between two beats of anybody; after a longer one nobody is swept for quietMs
-- handOutAgainMs: for so long a dead owner is the caller's    most: owners to hand out (0: the caller takes none)
local owner, mayBeHeld, leaseMs, longestGapMs, quietMs, handOutAgainMs, most, keptMs = unpack(ARGV)

local now = milliseconds()

local known = redis.call('HMGET', beat, 'last', 'quiet')
local last, quiet = tonumber(known[1]), tonumber(known[2] or 0)

-- The server stalled, was cut off or restarted: the silence of all was its own. A clock that went back is a
-- promoted server's.
if not last or now < last or now - last > tonumber(longestGapMs) then
  quiet = now + tonumber(quietMs)
  redis.call('HSET', beat, 'quiet', whole(quiet))
end
redis.call('HSET', beat, 'last', whole(now))

local state = 'held'
if not redis.call('ZSCORE', owners, owner) then
  state = mayBeHeld == '1' and 'lost' or 'taken'
end
if state == 'lost' then
  redis.call('ZADD', dead, 'NX', whole(now), owner)
else
  redis.call('ZADD', owners, whole(now + tonumber(leaseMs)), owner)
end

local handed = { state }
most = tonumber(most)
if most > 0 then
  if now >= quiet then
    local ended = redis.call('ZRANGEBYSCORE', owners, '-inf', '(' .. whole(now), 'LIMIT', 0, most)
    for _, each in ipairs(ended) do
      redis.call('ZREM', owners, each)
      redis.call('ZADD', dead, whole(now), each)
    end
  end
  local waiting = redis.call('ZRANGEBYSCORE', dead, '-inf', whole(now), 'LIMIT', 0, most)
  for _, each in ipairs(waiting) do
    redis.call('ZADD', dead, whole(now + tonumber(handOutAgainMs)), each)
    handed[#handed + 1] = each
  end
end

for _, key in ipairs({ owners, dead, beat }) do redis.call('PEXPIRE', key, keptMs) end
return handed
