-- The rooms of which something is to be published now, for one caller in each beat.
--
local due, beat = unpack(KEYS)
local everyMs, mostRooms = unpack(ARGV)

if not redis.call('SET', beat, 1, 'NX', 'PX', everyMs) then return {} end
return redis.call('ZRANGEBYSCORE', due, '-inf', whole(milliseconds()), 'LIMIT', 0, mostRooms)
