-- Adds to an answer, if its turn still runs and belongs to the caller.
--
-- Rejects with: 'repeated' (this seq stands in the log), 'unknown', 'lost' (another's), or the state that it ended in

local turn, text = unpack(KEYS)
-- added: as the inside of a JSON string    keptMs: for how long a turn is known
local owner, seq, added, body, keptMs = unpack(ARGV)

local known = redis.call('HMGET', turn, 'owner', 'state', 'seq')
if not known[1] then return 'unknown' end
if known[2] ~= 'running' then return known[2] end
if known[1] ~= owner then return 'lost' end
if tonumber(known[3]) >= tonumber(seq) then return 'repeated' end

redis.call('APPEND', text, added)
redis.call('PEXPIRE', text, keptMs)
redis.call('HSET', turn, 'seq', seq)
redis.call('PEXPIRE', turn, keptMs)
return nil, body
