-- Renews an owner's lease, ends those that have run out, and hands out dead owners to be handled.
--
-- KEYS  1 owners  2 dead  3 beat
-- ARGV  1 owner   2 lease, ms
--       3 longest time between two beats of anybody, ms; after a longer one nobody is swept for 4 quiet, ms
--       5 how long a dead owner is the caller's before it is handed out again, ms
--       6 most owners to hand out (0: the caller takes none)   7 age of the keys, ms
-- Returns {state, dead owner, …}
--   state  'held': renewed; 'taken': it was not there; 'dead': others ended it and are not done yet

local now = milliseconds()
local owner = ARGV[1]

local beat = redis.call('HMGET', KEYS[3], 'last', 'quiet')
local last, quiet = tonumber(beat[1]), tonumber(beat[2] or 0)

-- The server stalled, was cut off or restarted: the silence of all was its own. A clock that went back is a
-- promoted server's.
if not last or now < last or now - last > tonumber(ARGV[3]) then
  quiet = now + tonumber(ARGV[4])
  redis.call('HSET', KEYS[3], 'quiet', whole(quiet))
end
if not last then redis.call('HSET', KEYS[3], 'since', whole(now)) end
redis.call('HSET', KEYS[3], 'last', whole(now))

local state = 'dead'
-- One that is being handled waits for the end of it: else what it registers now might be taken back.
if not redis.call('ZSCORE', KEYS[2], owner) then
  local isNew = redis.call('ZADD', KEYS[1], whole(now + tonumber(ARGV[2])), owner) == 1
  state = isNew and 'taken' or 'held'
end

local handed = { state }
local most = tonumber(ARGV[6])
if most > 0 then
  if now >= quiet then
    local ended = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', '(' .. whole(now), 'LIMIT', 0, most)
    for _, each in ipairs(ended) do
      redis.call('ZREM', KEYS[1], each)
      redis.call('ZADD', KEYS[2], whole(now), each)
    end
  end
  local waiting = redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', whole(now), 'LIMIT', 0, most)
  for _, each in ipairs(waiting) do
    redis.call('ZADD', KEYS[2], whole(now + tonumber(ARGV[5])), each)
    handed[#handed + 1] = each
  end
end

for _, key in ipairs(KEYS) do redis.call('PEXPIRE', key, ARGV[7]) end
return handed
