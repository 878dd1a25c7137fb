import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { ConditionalAppend } from '../../../../../app/server/rooms/log/conditional-append.ts';
import type { Precondition, RoomLog } from '../../../../../app/server/rooms/log/log.ts';
import { MemoryLog } from '../../../../../app/server/rooms/log/memory-log.ts';
import { RedisLog } from '../../../../../app/server/rooms/log/redis-log.ts';
import { defaultRetention } from '../../../../../app/server/rooms/log/retention.ts';
import { messageBeforeBody, messageRest } from '../../../../../app/server/rooms/message.ts';
import { useRedis } from '../../../../support/redis/link.ts';

const own = useRedis();

const overRedis = (): RoomLog =>
  new RedisLog({
    links: own.links,
    deployment: 'test',
    hub: 'chat',
    retention: defaultRetention,
  });
const fromMemory = (): RoomLog => new MemoryLog({ retention: defaultRetention, onAppend: () => undefined });

const script = new ConditionalAppend(
  { keys: ['counter'], args: ['most', 'said'] },
  pathToFileURL(join(import.meta.dirname, 'fixtures/most.lua')),
);

/** Lets so many messages through. */
function atMost(most: number, said: string): Precondition {
  let count = 0;
  return {
    ...script.asked({ counter: 'test:counter' }, { most, said }),
    evaluate: () => {
      if (count >= most) return { rejected: 'enough' };
      count += 1;
      return { body: JSON.stringify({ said, keys: 1, args: 2 }) };
    },
  };
}

test.each([
  ['over Redis', overRedis],
  ['from memory', fromMemory],
])('%s a precondition decides what is appended, among messages without one', async (_where, open) => {
  const log = open();
  const room = 'a "room"';
  const append = (body: number) =>
    log.append({ room, subject: 'ann', id: `${body}`, rest: messageRest('i', 'ann', 1, `${body}`) });
  const precondition = atMost(2, 'hello');
  const appendIf = () =>
    log.appendIf({ room, beforeBody: messageBeforeBody('c', 'server', 2) }, precondition);

  const { epoch } = await append(1);
  expect(await appendIf()).toEqual({ epoch, offset: 2, repeated: false });
  await append(2);
  expect(await appendIf()).toEqual({ epoch, offset: 4, repeated: false });
  expect(await appendIf()).toEqual({ rejected: 'enough' });
  await append(3);

  const { messages } = await log.read({ room, since: { epoch, offset: 0 } });
  const said = { said: 'hello', keys: 1, args: 2 };
  expect(messages.map((text) => JSON.parse(text).body)).toEqual([1, said, 2, said, 3]);
  expect(JSON.parse(messages[1] as string)).toEqual({
    room,
    epoch,
    offset: 2,
    id: 'c',
    from: 'server',
    at: 2,
    body: said,
  });
});
