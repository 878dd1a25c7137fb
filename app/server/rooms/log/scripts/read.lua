-- Reads a room's log from a position, with all that tells whether the position is still good, in one step. It writes
-- ages alone, and goes on where the server refuses that.
--
-- Returns {epoch, head, since, lost, acked, end, more, message, …}
--   since  1 if nothing lies between the position and the messages that is not among them, else 0
--   lost   messages between them, -1 if that can't be known
--   acked  1 if the acknowledged publish is in the log's history, else 0
--   end    offset of the last message that is returned, or of the position to go on from

-- knownSince: when this data set was seen first, of all rooms
local meta, log, knownSince = unpack(KEYS)
-- sinceEpoch, sinceOffset: the position (empty: none is given, nothing is read)
-- ackedEpoch, ackedOffset: the highest acknowledged publish (empty: none)
-- visibleOffsets: the earliest, each with its epoch or none: "10:E1 25:"
local metaAgeMs, sinceEpoch, sinceOffset, ackedEpoch, ackedOffset, visibleOffsets, mostMessages, mostBytes = unpack(ARGV)
metaAgeMs, mostMessages, mostBytes = tonumber(metaAgeMs), tonumber(mostMessages), tonumber(mostBytes)

-- A demoted server keeps its connections, and may lack what the promoted one has: a loss would be reported that is none.
if string.find(redis.call('INFO', 'replication'), 'role:slave', 1, true) then
  return redis.error_reply('READONLY the server is a replica')
end

local now = milliseconds()

-- A full server, or one that may not write, is read all the same.
local function keep(key, age)
  if redis.call('PTTL', key) < age * 0.75 then redis.pcall('PEXPIRE', key, whole(age)) end
end

local known = redis.call('HMGET', meta, 'epoch', 'head', 'epochs', 'cut')
local epoch, head, list, isCut = known[1], tonumber(known[2]), parseEpochs(known[3] or ''), known[4]
local isKept = epoch and head and #list > 0
if isKept then
  keep(meta, metaAgeMs)
else
  -- A log may have outlived its meta: what stands in it is of no known epoch.
  head = endOfStream(log)
  epoch = '~' .. base36(now)
  list = { { name = epoch, start = head, gap = 0 } }
end

-- When this data set was seen first: one that was emptied since says nothing of what was in a room before.
local function firstSeen()
  local seen = tonumber(redis.call('GET', knownSince))
  if not seen then
    seen = now
    redis.pcall('SET', knownSince, whole(now), 'PX', whole(metaAgeMs * 4))
  else
    keep(knownSince, metaAgeMs * 4)
  end
  return seen
end
local dataSince = (not isKept or string.sub(sinceEpoch, 1, 1) == '~') and firstSeen() or nil

local function indexOf(name)
  for i, each in ipairs(list) do
    if each.name == name then return i end
  end
end

-- The last offset of an epoch: where the next one starts, or the head.
local function endOf(index)
  return list[index + 1] and list[index + 1].start or head
end

local function gapsFrom(index)
  local sum = 0
  for i = index, #list do sum = sum + list[i].gap end
  return sum
end

-- Where to read on from behind a position, and how many messages are lost before that; -1 if that can't be known.
local function resolve(name, offset)
  local index = indexOf(name)
  if index then
    local from = math.min(offset, endOf(index))
    return from, offset - from + gapsFrom(index + 1)
  end
  local at = madeAt(name)
  -- Taken while the room had no messages: all that it has had since then is here, unless it expired since.
  if at and string.match(name, '^~%w+$') and at >= dataSince and at > now - metaAgeMs and not isCut then
    local from = math.min(offset, head)
    return from, offset - from + gapsFrom(1)
  end
  -- Nothing relates the epoch to this log; but who was in it has seen nothing of the epochs that were made later.
  for _, each in ipairs(list) do
    local made = madeAt(each.name)
    if at and made and made > at then return each.start, -1 end
  end
  return head, -1
end

-- A visible offset that names an epoch is void in a room that began anew behind that epoch.
local function isVoid(name)
  if name == '' or indexOf(name) or isCut then return false end
  local at, first = madeAt(name), madeAt(list[1].name)
  return at ~= nil and first ~= nil and first > at
end

local visibleFrom = 1
for offset, name in string.gmatch(visibleOffsets, '(%d+):(%S*)') do
  if not isVoid(name) then visibleFrom = math.max(visibleFrom, tonumber(offset)) end
end

local acked = 1
if ackedEpoch ~= '' then
  local index = indexOf(ackedEpoch)
  acked = index and tonumber(ackedOffset) <= endOf(index) and 1 or 0
end

if sinceEpoch == '' then return { epoch, head, 1, 0, acked, head, 0 } end

local since = tonumber(sinceOffset)
local from, lost = resolve(sinceEpoch, since)
local visible = math.max(from, visibleFrom - 1)
local hidden = math.min(visible, head) - from
-- Before the first message of an epoch stands only who asks for what was there before it came. To anyone else
-- what is hidden is lost: it would have heard that live.
local isNewcomer = since == 0 and indexOf(sinceEpoch) and visibleFrom <= head + 1
if hidden > 0 and lost >= 0 and not isNewcomer then lost = lost + hidden end

local answer = { epoch, head, 1, 0, acked, visible, 0 }
local count, bytes, last = 0, 0, visible
local missing = 0

local next = visible + 1
while next <= head and answer[7] == 0 do
  local entries = redis.call('XRANGE', log, whole(next) .. '-0', '+', 'COUNT', 20)
  for _, entry in ipairs(entries) do
    local offset, field, message = tonumber(string.match(entry[1], '^%d+')), entry[2][1], entry[2][2]
    -- What no script of ours wrote is no message.
    if field == 'message' and message then
      if count == mostMessages or (count > 0 and bytes + #message > mostBytes) then
        answer[7] = 1
        break
      end
      missing = missing + offset - last - 1
      count, bytes, last = count + 1, bytes + #message, offset
      answer[7 + count] = message
    end
    next = offset + 1
  end
  if #entries < 20 then break end
end

if answer[7] == 0 then
  missing = missing + math.max(0, head - last)
  last = head
end
if lost >= 0 then lost = lost + missing end
answer[3], answer[4], answer[6] = lost == 0 and 1 or 0, lost, last
return answer
