-- The rooms of which something is to be told now, for one caller in each beat.
--
-- KEYS  1 due  2 beat
-- ARGV  1 a beat, ms  2 most rooms

if not redis.call('SET', KEYS[2], 1, 'NX', 'PX', ARGV[1]) then return {} end
return redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', whole(milliseconds()), 'LIMIT', 0, ARGV[2])
