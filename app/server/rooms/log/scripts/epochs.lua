-- What the scripts of rooms know of epochs; `epochs.ts` says the same for logs in memory.
--
-- An epoch is `<when it was made, ms, in base 36>.<tag>`. A room without messages has none, and nothing is kept of it:
-- `~<ms>` is its position as it was at that time.
--
-- epochs, in a room's meta: "E1 0 E2 57 E3 90+4": each with the last offset before it and, behind a plus, how many
-- messages are lost there that stood in no log of this server. Oldest first; `cut` is there when older ones were dropped.

local EPOCHS_KEPT = 16

local function base36(number)
  local digits = '0123456789abcdefghijklmnopqrstuvwxyz'
  local text = ''
  repeat
    local digit = number % 36
    text = string.sub(digits, digit + 1, digit + 1) .. text
    number = (number - digit) / 36
  until number == 0
  return text
end

-- Nil for a name that does not say.
local function madeAt(epoch)
  local time = string.match(epoch, '^~([0-9a-z]+)$') or string.match(epoch, '^~?([0-9a-z]+)%.')
  -- Eight digits are the years 1972 to 2059.
  if time and #time == 8 then return tonumber(time, 36) end
end

local function parseEpochs(text)
  local list = {}
  for name, start, gap in string.gmatch(text, '(%S+) (%d+)%+?(%d*)') do
    list[#list + 1] = { name = name, start = tonumber(start), gap = tonumber(gap) or 0 }
  end
  return list
end

-- Adds an epoch behind `head`. Returns the text, and whether an older one had to go.
local function addEpoch(text, name, head, gap)
  local words = {}
  for word in string.gmatch(text, '%S+') do words[#words + 1] = word end
  words[#words + 1] = name
  words[#words + 1] = whole(head) .. (gap and gap > 0 and '+' .. whole(gap) or '')
  local first = math.max(1, #words - 2 * EPOCHS_KEPT + 1)
  return table.concat(words, ' ', first), first > 1
end

