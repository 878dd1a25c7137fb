import type { Socket as TcpSocket } from 'node:net';
import { pino } from 'pino';
import { roomKeys } from '../../../../app/server/rooms/keys.ts';
import { openStore } from '../../../../app/server/rooms/store/open-store.ts';
import { TcpForwarder } from '../../../support/network/tcp-forwarder.ts';
import { startRedis } from '../../../support/redis/redis.ts';
import { clientsNamed, onRedis } from '../../../support/redis/redis-client.ts';
import { startRoomsServer } from '../../../support/servers/rooms-server.ts';
import { stoppedAfterwards } from '../../../support/stopping.ts';
import { eventually } from '../../../support/wait.ts';
import { RawSocket } from '../hostile/raw.ts';

const keep = stoppedAfterwards();

/** A member of a room in which one message stands, on an instance that is about to hear nothing of its subscriptions. */
async function enterRoom() {
  const redis = await keep(startRedis());
  const wire = await TcpForwarder.open(() => [redis.port]);
  await keep({ stop: () => wire.close() });
  const store = await openStore({ redis: `redis://127.0.0.1:${wire.port}`, log: pino({ enabled: false }) });
  await keep({ stop: () => store.close() });
  const server = await startRoomsServer({ store });
  await keep({ stop: () => server.close() });
  const raw = await RawSocket.open(server);
  await keep({ stop: async () => raw.close() });
  let packets = 0;
  /** @returns what the instance replies */
  const ask = (event: string, request: object) => {
    packets += 1;
    const id = packets;
    raw.send(`42/chat,${id}${JSON.stringify([event, request])}`);
    return raw.until((frame) => frame.startsWith(`43/chat,${id}[`));
  };
  const isOk = async (event: string, request: object) => (await ask(event, request)).includes('"ok":true');
  await eventually('the room to be joined', () => isOk('join', { room: 'r' }));
  // The first message of a room is the subscription's to bring: it alone knows what stood before.
  await ask('publish', { room: 'r', body: 1 });
  await raw.until((frame) => frame.includes('"body":1'));
  const chunks: string[] = [];
  (raw.ws as unknown as { _socket: TcpSocket })._socket.on('data', (data) => chunks.push(String(data)));
  const [subscriber] = await clientsNamed(redis.port, ':subscriptions');
  wire.swallow('toClient', ({ localPort }) => localPort === subscriber?.port);
  const chunkWith = (text: string) => chunks.find((chunk) => chunk.includes(text));
  return { redis, rooms: server.rooms, raw, ask, isOk, chunkWith };
}

/** What an acknowledgement carries. */
const replyIn = (frame: string) => JSON.parse(frame.slice(frame.indexOf('[')))[0];

test('a sender hears its message with the acknowledgement, whatever its instance hears of Redis, and once', async () => {
  const { raw, ask, isOk, chunkWith } = await enterRoom();
  expect(chunkWith(await ask('publish', { room: 'r', body: 2 }))).toMatch(
    /43\/chat,\d+\[\{"ok":true[\s\S]*42\/chat,\["message",\{"room":"r".*"body":2\}\]/,
  );

  // The subscription is made anew, and brings what was heard already.
  const last = { room: 'r', id: 'the last', body: 3 };
  await eventually('it to be published', () => isOk('publish', last));
  await raw.until((frame) => frame.includes('"body":3'));
  const heard = raw.frames.filter((frame) => frame.startsWith('42/chat,["message"'));
  expect(heard.map((frame) => /"offset":(\d+)/.exec(frame)?.[1])).toEqual(['1', '2', '3']);
});

test('a message does not overtake what its instance broadcast in the room before', async () => {
  const { rooms, raw, ask, isOk, chunkWith } = await enterRoom();
  rooms.broadcast('r', 'typing', {});
  const chunk = chunkWith(await ask('publish', { room: 'r', body: 2 }));
  expect(chunk).toContain('"ok":true');
  expect(chunk).not.toContain('"body":2');
  // What was broadcast is lost with the subscription; the log has the message.
  await raw.until((frame) => frame.includes('"body":2'));
  const last = { room: 'r', id: 'the last', body: 3 };
  await eventually('it to be published', () => isOk('publish', last));
  await raw.until((frame) => frame.includes('"body":3'));
});

test('who published into a room that began anew is told so by the next join, and not from before', async () => {
  const { redis, ask, isOk } = await enterRoom();
  const { epoch, offset } = replyIn(await ask('join', { room: 'r' }));
  const { meta, log } = roomKeys('realtime', 'chat', 'r');
  await onRedis(redis.port, (connection) => connection.del(meta, log));
  expect(await isOk('publish', { room: 'r', body: 2 })).toBe(true);
  const position = { epoch, offset };
  const reply = replyIn(await ask('join', { room: 'r', since: position, acked: position }));
  expect(reply).toMatchObject({ recovered: false, lost: { acked: true } });
});
