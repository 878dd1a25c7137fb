-- What an owner has registered in a room; what it looks after in this way does not age.
--
-- KEYS  1 counts  2 leaving  3 state  4 the owner's subjects in the room  5 the owner's rooms  6 due
-- ARGV  1 age of the keys, ms

for _, key in ipairs(KEYS) do redis.call('PEXPIRE', key, ARGV[1]) end
return redis.call('SMEMBERS', KEYS[4])
