-- Ends a turn, once.
--
-- KEYS  1 turn  2 text  3 turns under way in the room  4 of the subject  5 of the owner
-- ARGV  1 turn   2 state that it ends in   3 owner that it must have   4 1 if the caller is that owner, else 0
--       5 the whole text, as the inside of a JSON string, and 6 the last seq, both as the owner knows them
--       7 reason, as a JSON string, or empty   8 for how long a turn is known, ms
-- Withholds: 'ended', 'unknown', 'lost' (another's)

local turn = redis.call('HMGET', KEYS[1], 'owner', 'state', 'seq')
if turn[2] and turn[2] ~= 'running' then return 'ended' end
if turn[1] and turn[1] ~= ARGV[3] then return 'lost' end

-- A turn that Redis lost is told by its owner, who alone still knows it.
local byOwner = ARGV[4] == '1'
if not turn[1] and not byOwner then return 'unknown' end

-- First, because a full server lets it pass: an end is always told.
for i = 3, 5 do redis.call('ZREM', KEYS[i], ARGV[1]) end

local text = byOwner and ARGV[5] or redis.call('GET', KEYS[2]) or ''
local seq = math.max(tonumber(turn[3] or 0), tonumber(ARGV[6])) + 1
redis.call('HSET', KEYS[1], 'state', ARGV[2], 'owner', ARGV[3], 'seq', seq)
redis.call('PEXPIRE', KEYS[1], ARGV[8])
if byOwner then redis.call('SET', KEYS[2], text, 'PX', ARGV[8]) end

local reason = ARGV[7] ~= '' and ',"reason":' .. ARGV[7] or ''
return nil, '{"turn":"' .. ARGV[1] .. '","seq":' .. string.format('%.0f', seq) .. ',"final":"' .. ARGV[2] ..
  '"' .. reason .. ',"text":"' .. text .. '"}'
