-- Ends an owner's own lease: it is handed out with the next beat of anybody.
--
-- KEYS  1 owners  2 dead
-- ARGV  1 owner  2 age of the keys, ms

redis.call('ZREM', KEYS[1], ARGV[1])
redis.call('ZADD', KEYS[2], 'NX', whole(milliseconds()), ARGV[1])
redis.call('PEXPIRE', KEYS[2], ARGV[2])
return 1
