-- Registers who came to a room through one owner and who left it, and announces to the room who is new.
--
-- Returns 1, or 0 where the owner is known to be dead: nothing was written, since nobody would ever take it back
--
-- counts: subject -> owners through which it is in the room; 0 while its leave is not published yet
-- leaving: subjects by when their leave is published      due: rooms by when something of them is to be published
-- state: epoch, replid, version, quiet (nothing is published before, ms)

-- fence: owners that are dead
-- since: since when what stands in this bucket is known, ms    compared: owners by when they compared what they have
local counts, leaving, state, ownSubjects, ownRooms, due, fence, since, compared = unpack(KEYS)
-- place: hub/room    openBroadcast: text of the event up to the epoch    newEpoch: to be used if one must be made
-- quietMs: for all to register again    sinceKeptMs: for how long `since` is kept
-- came: how many; behind it stand they, and then those who left
local owner, place, channel, openBroadcast, newEpoch, graceMs, ageMs, mostMembers, quietMs, sinceKeptMs, came = unpack(ARGV, 1, 11)
local firstSubject = 12

local EMPTY_KEPT = 5000

local now = milliseconds()

if redis.call('ZSCORE', fence, owner) then return 0 end

-- Whoever compares what it has, keeps it: here a key is given its age as it is made.
local function keep(...)
  for _, key in ipairs({ ... }) do redis.call('PEXPIRE', key, ageMs) end
end

local current = redis.call('HMGET', state, 'epoch', 'replid', 'quiet')
local epoch, quiet = current[1], tonumber(current[3] or 0)
local replid = replicationId()
local before = redis.call('HLEN', counts)
if not epoch then
  -- Redis may have come back empty: who registers first is not all who are there.
  redis.call('SET', since, whole(now), 'NX', 'PX', sinceKeptMs)
  epoch, quiet = newEpoch, tonumber(redis.call('GET', since)) + tonumber(quietMs)
  if now >= quiet then quiet = 0 end
  redis.call('HSET', state, 'epoch', epoch, 'replid', replid, 'version', 0, 'quiet', whole(quiet))
  if quiet > 0 then
    redis.call('ZADD', due, whole(quiet), place)
    keep(due)
  end
elseif current[2] ~= replid then
  -- A promoted or restored server may lack what was published: a new epoch makes every client ask.
  epoch = newEpoch
  redis.call('HSET', state, 'epoch', epoch, 'replid', replid)
end

local firstLeft = firstSubject + tonumber(came)
local new = {}
local isHere = false
for i = firstSubject, firstLeft - 1 do
  local subject = ARGV[i]
  if before + #new < tonumber(mostMembers) or redis.call('HEXISTS', counts, subject) == 1 then
    isHere = true
    if redis.call('SADD', ownSubjects, subject) == 1 and redis.call('HINCRBY', counts, subject, 1) == 1
      -- Whose leave is not published yet was never away.
      and redis.call('ZREM', leaving, subject) == 0 then
      new[#new + 1] = subject
    end
  end
end

for i = firstLeft, #ARGV do
  local subject = ARGV[i]
  if redis.call('SREM', ownSubjects, subject) == 1 and redis.call('HINCRBY', counts, subject, -1) <= 0 then
    redis.call('ZADD', leaving, whole(now + tonumber(graceMs)), subject)
  end
end

if firstLeft <= #ARGV then
  local first = redis.call('ZRANGE', leaving, 0, 0, 'WITHSCORES')
  if first[1] then
    redis.call('ZADD', due, 'LT', first[2], place)
    keep(leaving, due)
  end
end

if isHere or redis.call('EXISTS', ownSubjects) == 1 then
  if redis.call('SADD', ownRooms, place) == 1 then
    redis.call('ZADD', compared, whole(now), owner)
    keep(ownSubjects, ownRooms, compared)
  end
elseif redis.call('SREM', ownRooms, place) == 1 and redis.call('EXISTS', ownRooms) == 0 then
  redis.call('ZREM', compared, owner)
end

-- Who came and left before that was published leaves nothing to publish.
if before + #new == 0 then
  redis.call('PEXPIRE', state, math.min(EMPTY_KEPT, tonumber(ageMs)))
elseif before == 0 or not current[1] then
  keep(counts, state)
end

if #new > 0 and now >= quiet then
  local version = redis.call('HINCRBY', state, 'version', 1)
  redis.call('SPUBLISH', channel, openBroadcast .. '"epoch":"' .. epoch .. '","version":' .. whole(version)
    .. ',"joined":' .. cjson.encode(new) .. ',"left":[]}}')
end
return 1
