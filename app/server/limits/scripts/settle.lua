-- Takes what an instance let through out of a bucket that all instances share, and tells what is left.
--
-- KEYS  1 the bucket
-- ARGV  1 tokens taken since this instance settled last   2 tokens a full bucket has
--       3 tokens added a second                           4 milliseconds from one settling to the next
--       5 milliseconds since this instance settled last, or its caller came
-- Returns {tokens left (below 0: a debt) in thousandths, instances that use this bucket now}
--
-- bucket: tokens, at (when they were counted, ms), slot, now, before (instances that settled in this slot, and in
-- the one before)

local now = milliseconds()
local taken, most, perSecond, every = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])

local kept = redis.call('HMGET', KEYS[1], 'tokens', 'at', 'slot', 'now', 'before')
local tokens = tonumber(kept[1]) or most
-- What is told of a new bucket was taken over a time in which it was filled, too.
local at = tonumber(kept[2]) or (now - math.min(every, tonumber(ARGV[5])))
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

redis.call('HSET', KEYS[1], 'tokens', string.format('%.3f', tokens), 'at', string.format('%.0f', now),
  'slot', string.format('%.0f', slot), 'now', here, 'before', before)
redis.call('PEXPIRE', KEYS[1], math.ceil((most - tokens) / perSecond * 1000) + 10 * every)
return { math.floor(tokens * 1000), math.max(here, before) }
