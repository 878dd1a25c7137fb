-- Where the list stands.
--
-- Returns the time, and the version: an empty text where there is none

local version = unpack(KEYS)

return { whole(milliseconds()), redis.call('GET', version) or '' }
