-- Ends an owner's own lease: it is handed out with the next beat of anybody.
--
local owners, dead = unpack(KEYS)
local owner, keptMs = unpack(ARGV)

redis.call('ZREM', owners, owner)
redis.call('ZADD', dead, 'NX', whole(milliseconds()), owner)
redis.call('PEXPIRE', dead, keptMs)
return 1
