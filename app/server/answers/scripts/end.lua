-- Ends a turn, once.
--
-- Rejects with: 'ended', 'unknown', 'lost' (another's)

-- Behind the turn's own keys, the turns under way in the room and of the owner.
local turn, text, runningIn, ownedBy = unpack(KEYS)
-- owner: the one that it must have         byOwner: 1 if the caller is that one, else 0
-- wholeText: as the inside of a JSON string, and lastSeq, both as the owner knows them
-- reason: as a JSON string, or empty       keptMs: for how long a turn is known
local id, state, owner, byOwner, wholeText, lastSeq, reason, keptMs = unpack(ARGV)

local known = redis.call('HMGET', turn, 'owner', 'state', 'seq')
if known[2] and known[2] ~= 'running' then return 'ended' end
if known[1] and known[1] ~= owner then return 'lost' end

-- The end of a turn that Redis lost is published by its owner, who alone still knows it.
byOwner = byOwner == '1'
if not known[1] and not byOwner then return 'unknown' end

-- First, because a full server lets it pass: an end is always published.
for _, running in ipairs({ runningIn, ownedBy }) do redis.call('ZREM', running, id) end

local answer = byOwner and wholeText or redis.call('GET', text) or ''
local seq = math.max(tonumber(known[3] or 0), tonumber(lastSeq)) + 1
redis.call('HSET', turn, 'state', state, 'owner', owner, 'seq', seq)
redis.call('PEXPIRE', turn, keptMs)
if byOwner then redis.call('SET', text, answer, 'PX', keptMs) end

if reason ~= '' then reason = ',"reason":' .. reason end
return nil, '{"turn":"' .. id .. '","seq":' .. whole(seq) .. ',"final":"' .. state .. '"' .. reason ..
  ',"text":"' .. answer .. '"}'
