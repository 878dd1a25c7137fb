-- Appends one message to a room's log and publishes it, in one step.
--
-- KEYS  1 meta  2 log  3 id of this message (only when its sender gave one)
-- ARGV  1 channel              2 an epoch to use if one must be made
--       3 packet prefix        4 message up to its position   5 message after its position
--       6 longest log          7 largest log, bytes           8 oldest entry, ms
--       9 age of the meta, ms  10 window of ids, ms
-- Returns {epoch, offset, 1 if this id was appended before, else 0}
--
-- meta: epoch, replid, head, bytes (appended ever), aged (when ages were set last, ms),
--       epochs: "E1 0 E2 57": each epoch with the last offset before it, oldest first

local EPOCHS_KEPT = 16
-- Bounds are enforced every so many appends: trimming at each would cost a tenth of an append.
local TRIM_EVERY = 16

local function keepNewest(epochs)
  local words = {}
  for word in string.gmatch(epochs, '%S+') do words[#words + 1] = word end
  return table.concat(words, ' ', math.max(1, #words - 2 * EPOCHS_KEPT + 1))
end

-- The entry just appended is always kept, so the loop ends.
local function trim(oldestTime, bytesBefore)
  while true do
    local entries = redis.call('XRANGE', KEYS[2], '-', '+', 'COUNT', 32)
    for _, entry in ipairs(entries) do
      local fields = entry[2]
      if tonumber(fields[4]) >= oldestTime and tonumber(fields[6]) > bytesBefore then
        return redis.call('XTRIM', KEYS[2], 'MINID', entry[1])
      end
    end
    local last = tonumber(string.match(entries[#entries][1], '^%d+'))
    redis.call('XTRIM', KEYS[2], 'MINID', whole(last + 1) .. '-0')
  end
end

local meta = redis.call('HMGET', KEYS[1], 'epoch', 'replid', 'head', 'bytes', 'epochs', 'aged')
local epoch, head, bytes, epochs = meta[1], tonumber(meta[3]), tonumber(meta[4] or 0), meta[5]
local replid = replicationId()
local previous = ''
local changed = false

if not epoch then
  epoch, head, changed = ARGV[2], endOfStream(KEYS[2]), true
  epochs = epoch .. ' ' .. whole(head)
elseif meta[2] ~= replid then
  previous = '"prev":{"epoch":"' .. epoch .. '","offset":' .. whole(head) .. '},'
  epoch, changed = ARGV[2], true
  epochs = keepNewest(epochs .. ' ' .. epoch .. ' ' .. whole(head))
end

local offset = head + 1
if KEYS[3] then
  local first = redis.call('SET', KEYS[3], epoch .. ':' .. whole(offset), 'NX', 'GET', 'PX', ARGV[10])
  if first then
    local firstEpoch, firstOffset = string.match(first, '^(.*):(%d+)$')
    return { firstEpoch, tonumber(firstOffset), 1 }
  end
end

local now = milliseconds()

local function add()
  local message = ARGV[4] .. '"epoch":"' .. epoch .. '","offset":' .. whole(offset) .. ',' .. previous .. ARGV[5]
  local size = bytes + #message
  local added = redis.pcall('XADD', KEYS[2], 'MAXLEN', '~', ARGV[6], whole(offset) .. '-0',
    'message', message, 'time', whole(now), 'bytes', whole(size))
  return added, message, size
end

-- An id key without an entry would answer the sender's next try with a place where nothing stands.
local function refuse(reply)
  if KEYS[3] then redis.call('DEL', KEYS[3]) end
  return reply
end

local added, message, size = add()
if type(added) == 'table' and added.err then
  if not string.find(added.err, 'equal or smaller', 1, true) then return refuse(added) end
  offset = endOfStream(KEYS[2]) + 1
  added, message, size = add()
  if type(added) == 'table' and added.err then return refuse(added) end
  if KEYS[3] then redis.call('SET', KEYS[3], epoch .. ':' .. whole(offset), 'PX', ARGV[10]) end
end

if changed then
  redis.call('HSET', KEYS[1], 'epoch', epoch, 'replid', replid, 'epochs', epochs)
end
redis.call('HSET', KEYS[1], 'head', whole(offset), 'bytes', whole(size))

if offset % TRIM_EVERY == 0 or #message > tonumber(ARGV[7]) / TRIM_EVERY then
  trim(now - tonumber(ARGV[8]), size - tonumber(ARGV[7]))
end

-- Ages are set anew once a quarter of the log's has gone by, and a quarter longer than asked for.
local age = tonumber(ARGV[8])
if changed or offset == 1 or not meta[6] or now - tonumber(meta[6]) > age / 4 then
  redis.call('PEXPIRE', KEYS[2], whole(math.floor(age * 1.25)))
  redis.call('PEXPIRE', KEYS[1], ARGV[9])
  redis.call('HSET', KEYS[1], 'aged', whole(now))
end

redis.call('PUBLISH', ARGV[1], epoch .. ':' .. whole(offset) .. ':' .. ARGV[3] .. message .. ']')
return { epoch, offset, 0 }
