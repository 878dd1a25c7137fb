import { openHub } from '../../../../app/client/hub.ts';
import type { Message } from '../../../../app/protocol/hub.ts';
import { roomKeys } from '../../../../app/server/rooms/keys.ts';
import { foreignPayloads } from '../../../faults/histories/payloads.ts';
import { startRedis } from '../../../support/redis/redis.ts';
import { onRedis } from '../../../support/redis/redis-client.ts';
import { LocalInstance } from '../../../support/servers/local-instance.ts';
import { stoppedAfterwards } from '../../../support/stopping.ts';
import { eventually } from '../../../support/wait.ts';

const keep = stoppedAfterwards();

test("what others publish in a room's channel ends nothing, and stands in the place of no message", async () => {
  const redis = await keep(startRedis());
  const instance = await LocalInstance.start({
    id: 'one',
    redis: `127.0.0.1:${redis.port}`,
    fanout: 'direct',
  });
  await keep({ stop: () => instance.kill() });
  const hub = openHub<number>(`http://127.0.0.1:${instance.port}`, 'chat', { transports: ['websocket'] });
  await keep({ stop: async () => hub.close() });
  const heard: unknown[] = [];
  const ends: string[] = [];
  hub.socket.on('disconnect', (reason) => ends.push(reason));
  const room = hub.join('r', {
    onMessage: ({ body }: Message) => heard.push(body),
    onLost: (lost) => heard.push(lost),
  });
  await room.joined;
  const { epoch } = await room.publish(1);
  const { channel, log } = roomKeys('realtime', 'chat', 'r');
  const say = (payload: string | Buffer) => onRedis(redis.port, (other) => other.spublish(channel, payload));
  const [[, fields] = ['', []]] = await onRedis(redis.port, (other) => other.xrange(log, '-', '+'));
  const newest = fields[1] as string;

  for (const payload of foreignPayloads(newest)) await say(payload);
  // The next place, by its head alone: what it carries is of another one, of another room, or of none.
  for (const text of [newest, newest.replace('"r"', '"q"'), '{"offset":2}', '[[[[', '{}'])
    await say(`${epoch}:2:${text}`);
  await room.publish(2);
  await eventually('it to be heard', () => heard.includes(2));
  expect([heard, ends]).toEqual([[1, 2], []]);
});
