-- Who is in a room.
--
-- Returns {epoch, version, 1 while owners still register again, 1 if the caller has it already, subject, …}

local counts, state = unpack(KEYS)
-- What the caller has.
local knownEpoch, knownVersion = unpack(ARGV)

local current = redis.call('HMGET', state, 'epoch', 'version', 'quiet')
local epoch, version, quiet = current[1] or '', tonumber(current[2] or 0), tonumber(current[3] or 0)
if quiet > milliseconds() then return { epoch, version, 1, 0 } end
if epoch == knownEpoch and version == tonumber(knownVersion) then return { epoch, version, 0, 1 } end

local answer = redis.call('HKEYS', counts)
for i, first in ipairs({ epoch, version, 0, 0 }) do table.insert(answer, i, first) end
return answer
