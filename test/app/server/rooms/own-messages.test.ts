import type { Socket as TcpSocket } from 'node:net';
import { TcpForwarder } from '../../../support/network/tcp-forwarder.ts';
import { startRedis } from '../../../support/redis/redis.ts';
import { clientsNamed } from '../../../support/redis/redis-client.ts';
import { LocalInstance } from '../../../support/servers/local-instance.ts';
import { stoppedAfterwards } from '../../../support/stopping.ts';
import { eventually } from '../../../support/wait.ts';
import { RawSocket } from '../hostile/raw.ts';

const keep = stoppedAfterwards();

/** An instance with a member in room `r`, where a message was heard already; and what its Redis says can be kept from it. */
async function startMember() {
  const redis = await keep(startRedis());
  const wire = await TcpForwarder.open(() => [redis.port]);
  await keep({ stop: () => wire.close() });
  const instance = await LocalInstance.start({
    id: 'one',
    redis: `127.0.0.1:${wire.port}`,
    fanout: 'direct',
  });
  await keep({ stop: () => instance.kill() });
  const raw = await RawSocket.open({ url: `http://127.0.0.1:${instance.port}` });
  await keep({ stop: async () => raw.close() });
  let packets = 0;
  /** @returns what the instance replies */
  const ask = (event: string, request: object) => {
    packets += 1;
    const id = packets;
    raw.send(`42/chat,${id}${JSON.stringify([event, request])}`);
    return raw.until((frame) => frame.startsWith(`43/chat,${id}[`));
  };
  await ask('join', { room: 'r' });
  // The first message of a room is the subscription's to bring: it alone knows what stood before.
  await ask('publish', { room: 'r', body: 1 });
  await raw.until((frame) => frame.includes('"body":1'));
  /** What the subscription brings does not come any more, until it is made anew. */
  const stall = async () => {
    const [subscriber] = await clientsNamed(redis.port, 'one:subscriptions');
    wire.swallow('toClient', ({ localPort }) => localPort === subscriber?.port);
  };
  return { instance, raw, ask, stall };
}

test('a sender hears its message with the acknowledgement, whatever its instance hears of Redis, and once', async () => {
  const { raw, ask, stall } = await startMember();
  await stall();
  const chunks: string[] = [];
  (raw.ws as unknown as { _socket: TcpSocket })._socket.on('data', (data) => chunks.push(String(data)));
  await ask('publish', { room: 'r', body: 2 });
  const chunk = chunks.find((each) => each.includes('43/chat,3['));
  expect(chunk).toMatch(/43\/chat,3\[\{"ok":true[\s\S]*42\/chat,\["message",\{"room":"r".*"body":2\}\]/);

  // The subscription is made anew, and brings what was heard already.
  const last = { room: 'r', id: 'the last', body: 3 };
  await eventually('it to be published', async () => (await ask('publish', last)).includes('"ok":true'));
  await raw.until((frame) => frame.includes('"body":3'));
  const heard = raw.frames.filter((frame) => frame.startsWith('42/chat,["message"'));
  expect(heard.map((frame) => /"offset":(\d+)/.exec(frame)?.[1])).toEqual(['1', '2', '3']);
});

test('what an instance broadcasts and then publishes is heard in that order', async () => {
  const { instance, raw, ask, stall } = await startMember();
  const order = () => raw.frames.filter((frame) => /"body":\d|"word"/.test(frame)).length;
  instance.rooms.broadcast('r', 'word', { word: 2 });
  await ask('publish', { room: 'r', body: 3 });
  await raw.until((frame) => frame.includes('"body":3'));
  const place = (part: string) => raw.frames.findIndex((frame) => frame.includes(part));
  expect(place('"word":2')).toBeGreaterThan(0);
  expect(place('"word":2')).toBeLessThan(place('"body":3'));

  // Where the broadcast can't be heard, what stands behind it is not served before it.
  const before = order();
  await stall();
  instance.rooms.broadcast('r', 'word', { word: 4 });
  await ask('publish', { room: 'r', body: 5 });
  expect(order()).toBe(before);
  await raw.until((frame) => frame.includes('"body":5'));
});
