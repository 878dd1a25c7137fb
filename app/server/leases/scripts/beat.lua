-- Renews an owner's lease, ends those that have run out, and hands out dead owners to be handled.
--
-- Returns {state, dead owner, …}
--   state  'held': renewed; 'taken': it was not there; 'dead': others ended it and are not done yet

local owners, dead, beat = unpack(KEYS)
-- longestGapMs: between two beats of anybody; after a longer one nobody is swept for quietMs
-- handOutAgainMs: for so long a dead owner is the caller's    most: owners to hand out (0: the caller takes none)
local owner, leaseMs, longestGapMs, quietMs, handOutAgainMs, most, keptMs = unpack(ARGV)

local now = milliseconds()

local known = redis.call('HMGET', beat, 'last', 'quiet')
local last, quiet = tonumber(known[1]), tonumber(known[2] or 0)

-- The server stalled, was cut off or restarted: the silence of all was its own. A clock that went back is a
-- promoted server's.
if not last or now < last or now - last > tonumber(longestGapMs) then
  quiet = now + tonumber(quietMs)
  redis.call('HSET', beat, 'quiet', whole(quiet))
end
if not last then redis.call('HSET', beat, 'since', whole(now)) end
redis.call('HSET', beat, 'last', whole(now))

local state = 'dead'
-- One that is being handled waits for the end of it: else what it registers now might be taken back.
if not redis.call('ZSCORE', dead, owner) then
  local isNew = redis.call('ZADD', owners, whole(now + tonumber(leaseMs)), owner) == 1
  state = isNew and 'taken' or 'held'
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
