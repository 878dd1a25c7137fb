-- Denies entries for a time, lifts them, or brings what an instance knows of them, on all instances.
--
-- Returns the time and each state, as they are published; or -1: there are too many entries

-- states: a hash of all    ends: a sorted set of the entries, by when their state is over (ms)
local states, ends, version = unpack(KEYS)
-- highestStamp: that the caller knows. Behind these come five for each entry: the entry, the stamp of its denial, for how
-- long (ms), the stamp of its lift, for how long (ms). A stamp of `new` is made here; 0: there is none.
local channel, highestStamp, mostEntries = unpack(ARGV, 1, 3)
local firstEntry = 4

local now = milliseconds()
local current = tonumber(redis.call('GET', version)) or 0
-- Stamps grow even where the clock of a promoted server is behind, or what it had is lost.
local stamp = math.max(now, current + 1, tonumber(highestStamp) + 1)

for _, entry in ipairs(redis.call('ZRANGEBYSCORE', ends, '-inf', now, 'LIMIT', 0, 1000)) do
  redis.call('HDEL', states, entry)
  redis.call('ZREM', ends, entry)
end

local function expireNotBefore(key, milliseconds)
  if redis.call('PTTL', key) < milliseconds then redis.call('PEXPIRE', key, milliseconds) end
end

local replies = { whole(now) }
for i = firstEntry, #ARGV, 5 do
  local entry = ARGV[i]
  local known = redis.call('HGET', states, entry)
  -- What is lifted, or comes back, may take as many places again: it can't be refused as easily.
  local places = tonumber(mostEntries) * (ARGV[i + 1] == 'new' and 1 or 2)
  if not known and redis.call('HLEN', states) >= places then return -1 end

  local deniedAt, deniedUntil, liftedAt, liftedUntil = string.match(known or '0:0:0:0', '^(%d+):(%d+):(%d+):(%d+)$')
  deniedAt, deniedUntil = tonumber(deniedAt), tonumber(deniedUntil)
  liftedAt, liftedUntil = tonumber(liftedAt), tonumber(liftedUntil)

  local newDenial = ARGV[i + 1] == 'new' and stamp or tonumber(ARGV[i + 1])
  local newLift = ARGV[i + 3] == 'new' and stamp or tonumber(ARGV[i + 3])
  -- Clocks drift: the same that ends a little later elsewhere is no change.
  local lasts = now + tonumber(ARGV[i + 4])
  if newLift > liftedAt or (newLift > 0 and lasts > liftedUntil + 60000) then
    liftedUntil = math.max(liftedUntil, lasts)
  end
  if newLift > liftedAt then
    -- Whoever is away holds what was denied here for no longer than it was to last.
    liftedUntil = math.max(liftedUntil, deniedUntil)
    liftedAt = newLift
  end
  if deniedAt <= liftedAt then deniedAt, deniedUntil = 0, 0 end
  if newDenial > liftedAt then
    local ends = now + tonumber(ARGV[i + 2])
    if newDenial > deniedAt or ends > deniedUntil + 60000 then deniedUntil = math.max(deniedUntil, ends) end
    deniedAt = math.max(deniedAt, newDenial)
  end

  local state = table.concat({ whole(deniedAt), whole(deniedUntil), whole(liftedAt), whole(liftedUntil) }, ':')
  local over = math.max(deniedUntil, liftedUntil)
  if state ~= known and over > now then
    redis.call('HSET', states, entry, state)
    redis.call('ZADD', ends, over, entry)
    redis.call('SET', version, whole(stamp), 'KEEPTTL')
    for _, key in ipairs({ states, ends, version }) do expireNotBefore(key, over - now + 60000) end
    redis.call('SPUBLISH', channel, table.concat({ whole(current), whole(stamp), whole(now), state, entry }, ':'))
    current, stamp = stamp, stamp + 1
  end
  replies[#replies + 1] = state
end
return replies
