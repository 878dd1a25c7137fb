-- What an owner has registered in a room; what it looks after in this way does not age.
--
local counts, leaving, state, ownSubjects, ownRooms, due = unpack(KEYS)
local ageMs = unpack(ARGV)

for _, key in ipairs({ counts, leaving, state, ownSubjects, ownRooms, due }) do redis.call('PEXPIRE', key, ageMs) end
return redis.call('SMEMBERS', ownSubjects)
