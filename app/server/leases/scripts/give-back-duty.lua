-- Ends a duty, if it is still this instance's, and tells the others so on the channel of its name.

local duty = unpack(KEYS)
local instance = unpack(ARGV)

if redis.call('GET', duty) ~= instance then return 0 end
redis.call('DEL', duty)
redis.call('SPUBLISH', duty, '')
return 1
