-- Registers who came to a room through one owner and who left it, and tells the room who is new.
--
-- KEYS  1 counts  2 leaving  3 state  4 the owner's subjects in the room  5 the owner's rooms  6 due
--       7 leases' owners  8 leases' beat
-- ARGV  1 owner  2 place (hub/room)  3 channel  4 whisper up to the epoch  5 an epoch to use if one must be made
--       6 grace, ms  7 age of the keys, ms  8 most subjects of a room  9 time for all to register again, ms
--       10 how many came, then they, then those who left
-- Returns 1, or 0 where the owner has no lease: nothing was written, since nobody would ever take it back
--
-- counts: subject -> owners through which it is in the room; 0 while its leave is not told yet
-- leaving: subjects by when their leave is told      due: rooms by when something is to be told of them
-- state: epoch, replid, version, quiet (nothing is told before, ms)

local now = milliseconds()

if not redis.call('ZSCORE', KEYS[7], ARGV[1]) then return 0 end

local state = redis.call('HMGET', KEYS[3], 'epoch', 'replid', 'quiet')
local epoch, quiet = state[1], tonumber(state[3] or 0)
local replid = replicationId()
if not epoch then
  -- Redis may have come back empty: who registers first is not all who are there.
  epoch, quiet = ARGV[5], tonumber(redis.call('HGET', KEYS[8], 'since') or 0) + tonumber(ARGV[9])
  if now >= quiet then quiet = 0 end
  redis.call('HSET', KEYS[3], 'epoch', epoch, 'replid', replid, 'version', 0, 'quiet', whole(quiet))
  if quiet > 0 then redis.call('ZADD', KEYS[6], whole(quiet), ARGV[2]) end
elseif state[2] ~= replid then
  -- A promoted or restored server may lack what was told: a new epoch makes every client ask.
  epoch = ARGV[5]
  redis.call('HSET', KEYS[3], 'epoch', epoch, 'replid', replid)
end

local came = tonumber(ARGV[10])
local new = {}
for i = 11, 10 + came do
  local subject = ARGV[i]
  local isKnown = redis.call('HEXISTS', KEYS[1], subject) == 1
  if isKnown or redis.call('HLEN', KEYS[1]) < tonumber(ARGV[8]) then
    if redis.call('SADD', KEYS[4], subject) == 1 then redis.call('HINCRBY', KEYS[1], subject, 1) end
    redis.call('ZREM', KEYS[2], subject)
    if not isKnown then new[#new + 1] = subject end
  end
end

for i = 11 + came, #ARGV do
  local subject = ARGV[i]
  if redis.call('SREM', KEYS[4], subject) == 1 and redis.call('HINCRBY', KEYS[1], subject, -1) <= 0 then
    redis.call('ZADD', KEYS[2], whole(now + tonumber(ARGV[6])), subject)
  end
end

local first = redis.call('ZRANGE', KEYS[2], 0, 0, 'WITHSCORES')
if first[1] then redis.call('ZADD', KEYS[6], 'LT', first[2], ARGV[2]) end

if redis.call('EXISTS', KEYS[4]) == 1 then
  redis.call('SADD', KEYS[5], ARGV[2])
else
  redis.call('SREM', KEYS[5], ARGV[2])
end
for i = 1, 6 do redis.call('PEXPIRE', KEYS[i], ARGV[7]) end

if #new > 0 and now >= quiet then
  local version = redis.call('HINCRBY', KEYS[3], 'version', 1)
  redis.call('PUBLISH', ARGV[3], ARGV[4] .. '"epoch":"' .. epoch .. '","version":' .. whole(version)
    .. ',"joined":' .. cjson.encode(new) .. ',"left":[]}}')
end
return 1
