-- What an owner has registered in a room, for it to compare; what it looks after in this way does not age.
--
local counts, leaving, state, ownSubjects, ownRooms, due, compared = unpack(KEYS)
local owner, ageMs = unpack(ARGV)

local subjects = redis.call('SMEMBERS', ownSubjects)
if #subjects > 0 then redis.call('ZADD', compared, whole(milliseconds()), owner) end
for _, key in ipairs({ counts, leaving, state, ownSubjects, ownRooms, due, compared }) do
  redis.call('PEXPIRE', key, ageMs)
end
return subjects
