-- What every script of the service may use.

-- A number as text without exponent: 1e15 is no offset.
local function whole(number)
  return string.format('%.0f', number)
end

-- The server's own time, since 1970.
local function milliseconds()
  local time = redis.call('TIME')
  return tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
end

-- A pattern that may begin anywhere would be tried at each character.
local function valueIn(text, name)
  local _, last = string.find(text, name, 1, true)
  return last and string.match(text, '^%x+', last + 1)
end

-- A promoted or restored server has an id of its own, and may lack writes that were acknowledged. It is
-- read here and never passed in: a client may send a script again to a server that it has not met before.
local function replicationId()
  return valueIn(redis.call('INFO', 'replication'), 'master_replid:')
    or valueIn(redis.call('INFO', 'server'), 'run_id:')
end

-- Where a stream itself stands: a counter beside it alone is not to be trusted.
local function endOfStream(key)
  if redis.call('EXISTS', key) == 0 then return 0 end
  local info = redis.call('XINFO', 'STREAM', key)
  for i = 1, #info, 2 do
    if info[i] == 'last-generated-id' then return tonumber(string.match(info[i + 1], '^%d+')) end
  end
end

