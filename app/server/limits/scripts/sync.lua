-- Takes what an instance let through out of a bucket that all instances share, and returns what is left.
--
-- Returns {tokens left (below 0: a debt) in thousandths, instances that use this bucket now}
--
-- bucket: a hash of tokens, at (when they were counted, ms), slot, now, before (instances that synced in this slot, and in
-- the one before)

local bucket = unpack(KEYS)
-- taken: tokens since this instance synced last    most: tokens that a full bucket has
-- perSecond: tokens that are added                  every: ms from one sync to the next
-- overMs: since this instance synced last, or its caller came
local taken, most, perSecond, every, overMs = unpack(ARGV)

local now = milliseconds()
taken, most, perSecond, every = tonumber(taken), tonumber(most), tonumber(perSecond), tonumber(every)

local kept = redis.call('HMGET', bucket, 'tokens', 'at', 'slot', 'now', 'before')
local tokens = tonumber(kept[1]) or most
-- What is reported of a new bucket was taken over a time in which it was filled, too.
local at = tonumber(kept[2]) or (now - math.min(every, tonumber(overMs)))
tokens = math.min(most, tokens + math.max(0, now - at) / 1000 * perSecond - taken)
-- A debt is paid back within the time of ten full buckets: a flood ends, and its sender is not shut out for hours.
tokens = math.max(tokens, -10 * most)

local slot = math.floor(now / every)
local last = tonumber(kept[3]) or slot
local here, before = tonumber(kept[4]) or 0, tonumber(kept[5]) or 0
if last ~= slot then
  before = (last == slot - 1) and here or 0
  here = 0
end
here = here + 1

redis.call('HSET', bucket, 'tokens', string.format('%.3f', tokens), 'at', string.format('%.0f', now),
  'slot', string.format('%.0f', slot), 'now', here, 'before', before)
redis.call('PEXPIRE', bucket, math.ceil((most - tokens) / perSecond * 1000) + 10 * every)
return { math.floor(tokens * 1000), math.max(here, before) }
