-- Adds to an answer, if its turn still runs and belongs to the caller.
--
-- KEYS  1 turn  2 text
-- ARGV  1 owner   2 seq   3 what is added, as the inside of a JSON string   4 body   5 for how long a turn is known, ms
-- Withholds: 'repeated' (this seq stands in the log), 'unknown', 'lost' (another's), or the state that it ended in

local turn = redis.call('HMGET', KEYS[1], 'owner', 'state', 'seq')
if not turn[1] then return 'unknown' end
if turn[2] ~= 'running' then return turn[2] end
if turn[1] ~= ARGV[1] then return 'lost' end
if tonumber(turn[3]) >= tonumber(ARGV[2]) then return 'repeated' end

redis.call('APPEND', KEYS[2], ARGV[3])
redis.call('PEXPIRE', KEYS[2], ARGV[5])
redis.call('HSET', KEYS[1], 'seq', ARGV[2])
redis.call('PEXPIRE', KEYS[1], ARGV[5])
return nil, ARGV[4]
