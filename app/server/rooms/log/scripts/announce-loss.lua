-- Says in a room that messages are lost which stand in no log of this server: everyone who joined before is notified.
--
-- Returns {epoch, head}

local meta, log = unpack(KEYS)
-- epochTag: of the epoch that starts here    messages: how many are lost
local channel, epochTag, messages, metaAgeMs, broadcast = unpack(ARGV)

local known = redis.call('HMGET', meta, 'head', 'epochs')
local head, epochs = tonumber(known[1]), known[2]
if not (head and epochs) then head, epochs = endOfStream(log), '' end

-- Its first message carries no `prev`: whoever has not heard of the loss asks the log, and learns of it.
local epoch = base36(milliseconds()) .. '.' .. epochTag
local list, isCut = addEpoch(epochs, epoch, head, tonumber(messages))
redis.call('HSET', meta, 'epoch', epoch, 'replid', replicationId(), 'head', whole(head), 'epochs', list)
if isCut then redis.call('HSET', meta, 'cut', 1) end
redis.call('PEXPIRE', meta, metaAgeMs)
redis.call('SPUBLISH', channel, broadcast)
return { epoch, head }
