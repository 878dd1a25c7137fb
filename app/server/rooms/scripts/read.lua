-- Reads a room's log from a position, with all that tells whether the position is still good, in one step.
--
-- KEYS  1 meta  2 log
-- ARGV  1 an epoch to use if the room has none   2 age of the meta, ms
--       3 epoch and 4 offset of the position (empty: none is given, nothing is read)
--       5 epoch and 6 offset of the highest acknowledged publish (empty: none)
--       7 earliest visible offset   8 most messages   9 most bytes
-- Returns {epoch, head, since, lost, acked, end, more, message, …}
--   since  1 if nothing lies between the position and the messages that the log does not hold, else 0
--   lost   messages between them, -1 if that can't be known
--   acked  1 if the acknowledged publish is in the log's history, else 0
--   end    offset of the last message that is returned, or of the position to go on from

local meta = redis.call('HMGET', KEYS[1], 'epoch', 'head', 'epochs')
local epoch, head, epochs = meta[1], tonumber(meta[2] or 0), meta[3]
if not epoch then
  -- A log may have outlived its meta: what stands in it is not this epoch's.
  head = endOfStream(KEYS[2])
  epoch, epochs = ARGV[1], ARGV[1] .. ' ' .. whole(head)
  -- A full server refuses this write: the room can still be joined, and its epoch is made by the next append.
  redis.pcall('HSET', KEYS[1], 'epoch', epoch, 'head', whole(head), 'epochs', epochs, 'replid', replicationId())
end
redis.call('PEXPIRE', KEYS[1], ARGV[2])

-- The last offset of an epoch: where the next one starts, or the head; nil if it is not listed.
local function endOf(wanted)
  local words = {}
  for word in string.gmatch(epochs, '%S+') do words[#words + 1] = word end
  for i = 1, #words, 2 do
    if words[i] == wanted then return tonumber(words[i + 3]) or head end
  end
end

local ackedEnd = ARGV[5] ~= '' and endOf(ARGV[5])
local acked = (ARGV[5] == '' or (ackedEnd and tonumber(ARGV[6]) <= ackedEnd)) and 1 or 0

if ARGV[3] == '' then return { epoch, head, 1, 0, acked, head, 0 } end

local known = endOf(ARGV[3])
-- Nothing relates an unknown epoch to this log: what it holds may have been seen.
if not known then return { epoch, head, 0, -1, acked, head, 0 } end

local since = tonumber(ARGV[4])
local from = math.min(since, known)
local lost = since - from
local visible = math.max(from, tonumber(ARGV[7]) - 1)

local answer = { epoch, head, 1, 0, acked, visible, 0 }
local count, bytes, last = 0, 0, visible
local most, mostBytes = tonumber(ARGV[8]), tonumber(ARGV[9])
local first
while last < head do
  local entries = redis.call('XRANGE', KEYS[2], whole(last + 1) .. '-0', '+', 'COUNT', 20)
  if #entries == 0 then break end
  for _, entry in ipairs(entries) do
    local message = entry[2][2]
    if count == most or (count > 0 and bytes + #message > mostBytes) then
      answer[7] = 1
      break
    end
    local offset = tonumber(string.match(entry[1], '^%d+'))
    first = first or offset
    count, bytes, last = count + 1, bytes + #message, offset
    answer[7 + count] = message
  end
  if answer[7] == 1 then break end
end

if visible < head then lost = lost + ((first or head + 1) - visible - 1) end
if not first then last = head end
answer[3], answer[4], answer[6] = lost == 0 and 1 or 0, lost, last
return answer
