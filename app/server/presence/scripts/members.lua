-- Who is in a room.
--
-- KEYS  1 counts  2 state
-- ARGV  1 epoch and 2 version that the caller has
-- Returns {epoch, version, 1 while owners still register again, 1 if the caller has it already, subject, …}

local state = redis.call('HMGET', KEYS[2], 'epoch', 'version', 'quiet')
local epoch, version, quiet = state[1] or '', tonumber(state[2] or 0), tonumber(state[3] or 0)
if quiet > milliseconds() then return { epoch, version, 1, 0 } end
if epoch == ARGV[1] and version == tonumber(ARGV[2]) then return { epoch, version, 0, 1 } end

local answer = redis.call('HKEYS', KEYS[1])
for i, first in ipairs({ epoch, version, 0, 0 }) do table.insert(answer, i, first) end
return answer
