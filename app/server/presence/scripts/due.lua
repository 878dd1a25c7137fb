-- The rooms of a bucket of which something is to be published now. What stands in a bucket is known from its first look on.
--
local due, since = unpack(KEYS)
local sinceKeptMs, mostRooms = unpack(ARGV)

local now = milliseconds()
-- A full server refuses this, and leaves can be published all the same.
redis.pcall('SET', since, whole(now), 'NX', 'PX', sinceKeptMs)
return redis.call('ZRANGEBYSCORE', due, '-inf', whole(now), 'LIMIT', 0, mostRooms)
