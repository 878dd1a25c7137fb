import type { Backplane } from '../../../../../app/server/redis/backplane.ts';
import { messageRest } from '../../../../../app/server/rooms/message.ts';
import { openServiceStore } from '../../../../../app/server/rooms/store/service-store.ts';

test('a service keeps as much of a room as its environment says', async () => {
  const alone = { links: undefined } as unknown as Backplane;
  const store = openServiceStore(alone, {
    deployment: 'test',
    backplane: 'required',
    roomLog: { maxLength: 10 },
  });
  const { log } = store.open({ hub: 'chat', acks: 'primary' });
  const append = (n: number) =>
    log.append({ room: 'r', subject: 'ann', rest: messageRest('none', 'ann', 0, String(n)) });
  const { epoch } = await append(1);
  for (let n = 2; n <= 30; n += 1) await append(n);
  const { complete, messages } = await log.read({ room: 'r', since: { epoch, offset: 0 } });
  expect(complete).toBe(false);
  expect(messages.length).toBe(10);
});
