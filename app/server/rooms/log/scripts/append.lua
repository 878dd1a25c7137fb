-- Appends one message to a room's log and publishes it, in one step.
--
-- Returns {epoch, offset, outcome, replication id where it was asked for}
--   outcome  0: appended; 1: this id was appended before; 2: appended, as the first message of a new room;
--            3: nothing was written, since the room would be a new one; 4: nor was it, since it comes too late
--
-- meta: epoch, replid, head, bytes (appended ever), aged (when ages were set last, ms), epochs, cut (`epochs.lua`)

-- id: of this message, only when its sender gave one
local meta, log, id = unpack(KEYS)
-- epochTag: for the epoch, if one must be made         beforePosition, afterPosition: the message around its position
-- mayBeNew: 1 if the room may be a new one, else 0     wantsReplicationId: 1 if it is asked for, else 0
-- latestMs: when an id may have been forgotten that was appended before; empty: it is not known
local channel, epochTag, beforePosition, afterPosition, maxLength, maxBytes, maxAgeMs, metaAgeMs,
  idWindowMs, mayBeNew, wantsReplicationId, latestMs = unpack(ARGV)
maxBytes, maxAgeMs = tonumber(maxBytes), tonumber(maxAgeMs)

-- Bounds are enforced every so many appends: looking at each would cost a sixth of an append.
local TRIM_EVERY = 16

-- The entry just appended is always kept, so the loop ends.
local function trim(oldestTime, bytesBefore)
  -- Mostly the oldest may stay, and to read more than that one would cost as much as two appends.
  local count = 1
  while true do
    local entries = redis.call('XRANGE', log, '-', '+', 'COUNT', count)
    count = 32
    for i, entry in ipairs(entries) do
      local fields = entry[2]
      -- What no script of ours wrote has neither time nor size, and goes.
      local time, size = tonumber(fields[4]), tonumber(fields[6])
      if time and size and time >= oldestTime and size > bytesBefore then
        if i > 1 then redis.call('XTRIM', log, 'MINID', entry[1]) end
        return
      end
    end
    local last = tonumber(string.match(entries[#entries][1], '^%d+'))
    redis.call('XTRIM', log, 'MINID', whole(last + 1) .. '-0')
  end
end

local known = redis.call('HMGET', meta, 'epoch', 'replid', 'head', 'bytes', 'epochs', 'aged')
local epoch, head, bytes, epochs = known[1], tonumber(known[3]), tonumber(known[4]) or 0, known[5]
local replid = replicationId()
local wanted = wantsReplicationId == '1' and replid or nil
local now = milliseconds()
local previous = ''
local isNew, isCut, changed = false, false, false

if not (epoch and head and epochs) then
  if mayBeNew == '0' then return { '', 0, 3, wanted } end
  isNew, changed = true, true
  head = endOfStream(log)
  epoch = base36(now) .. '.' .. epochTag
  epochs = epoch .. ' ' .. whole(head)
elseif known[2] ~= replid then
  previous = '"prev":{"epoch":"' .. epoch .. '","offset":' .. whole(head) .. '},'
  epoch, changed = base36(now) .. '.' .. epochTag, true
  epochs, isCut = addEpoch(epochs, epoch, head)
end

local offset = head + 1
local offsetText = whole(offset)
if id then
  local latest = tonumber(latestMs)
  if latest and now > latest and redis.call('EXISTS', id) == 0 then return { '', 0, 4, wanted } end
  local first = redis.call('SET', id, epoch .. ':' .. offsetText, 'NX', 'GET', 'PX', idWindowMs)
  if first then
    local firstEpoch, firstOffset = string.match(first, '^(.*):(%d+)$')
    return { firstEpoch, tonumber(firstOffset), 1, wanted }
  end
end

local function add()
  local message = beforePosition .. '"epoch":"' .. epoch .. '","offset":' .. offsetText .. ',' .. previous .. afterPosition
  local size = bytes + #message
  local added = redis.pcall('XADD', log, 'MAXLEN', '~', maxLength, offsetText .. '-0',
    'message', message, 'time', whole(now), 'bytes', whole(size))
  return added, message, size
end

-- An id key without an entry would answer the sender's next try with a place where nothing stands.
local function refuse(reply)
  if id then redis.call('DEL', id) end
  return reply
end

local added, message, size = add()
if type(added) == 'table' and added.err then
  if not string.find(added.err, 'equal or smaller', 1, true) then return refuse(added) end
  offset = endOfStream(log) + 1
  offsetText = whole(offset)
  added, message, size = add()
  if type(added) == 'table' and added.err then return refuse(added) end
  if id then redis.call('SET', id, epoch .. ':' .. offsetText, 'PX', idWindowMs) end
end

if changed then
  redis.call('HSET', meta, 'epoch', epoch, 'replid', replid, 'epochs', epochs)
  if isCut then redis.call('HSET', meta, 'cut', 1) end
end
redis.call('HSET', meta, 'head', offsetText, 'bytes', whole(size))

if offset % TRIM_EVERY == 0 or #message > maxBytes / TRIM_EVERY then
  trim(now - maxAgeMs, size - maxBytes)
end

-- Ages are set anew once a quarter of the log's has gone by, and a quarter longer than asked for.
local aged = tonumber(known[6])
if changed or offset == 1 or not aged or now - aged > maxAgeMs / 4 then
  redis.call('PEXPIRE', log, whole(math.floor(maxAgeMs * 1.25)))
  redis.call('PEXPIRE', meta, metaAgeMs)
  redis.call('HSET', meta, 'aged', whole(now))
end

redis.call('SPUBLISH', channel, epoch .. ':' .. offsetText .. ':' .. message)
return { epoch, offset, isNew and 2 or 0, wanted }
