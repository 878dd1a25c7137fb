import type { RedisLink } from '../../app/server/redis/link.ts';
import { defaultBounds } from '../../app/server/rooms/log.ts';
import { messageRest, packetPrefix } from '../../app/server/rooms/packet.ts';
import { RedisLog } from '../../app/server/rooms/redis-log.ts';
import { Cluster } from '../support/cluster.ts';
import { linkTo } from '../support/link.ts';
import { startRedis } from '../support/redis.ts';
import { readiness, type TestInstance } from '../support/service.ts';
import { stoppedAfterwards } from '../support/stopping.ts';
import { TcpForwarder } from '../support/tcp-forwarder.ts';
import { eventually } from '../support/wait.ts';

const keep = stoppedAfterwards();
/** A connection may be in so many rooms. */
const roomsEach = 1_000;
const shares = Array.from({ length: 10 }, (_, client) =>
  Array.from({ length: roomsEach }, (_, index) => `room ${client * roomsEach + index}`),
);
const rooms = shares.flat();

/**
 * An instance that follows 10,000 rooms loses Redis, and one message is published in each of them meanwhile.
 * When it is back it follows all again and reads what it missed: ten clients of `app/client` together have
 * 10,000 messages, and so have ten plain ones, and of the next 10,000 too. Nobody is told of a loss.
 */
test('10,000 rooms of one instance that reconnects: all are caught up', async () => {
  const redis = await keep(startRedis());
  const wire = await TcpForwarder.open(() => [redis.port]);
  await keep(Promise.resolve({ stop: () => wire.close() }));
  const cluster = await keep(Cluster.start({ instances: 1, redis: `127.0.0.1:${wire.port}` }));
  const [instance] = cluster.instances as [TestInstance];
  const link = await linkTo(redis.url);
  await keep(Promise.resolve({ stop: () => link.close() }));

  const losses: unknown[] = [];
  const heard = new Map<string, number[]>(rooms.map((room) => [room, []]));
  const joins = shares.flatMap((share) => {
    const hub = cluster.openHub(instance.url);
    return share.map((room) =>
      hub.join(room, {
        onMessage: ({ offset }) => heard.get(room)?.push(offset),
        onLost: (lost) => losses.push(lost),
      }),
    );
  });
  await Promise.all(joins.map((room) => room.joined));
  const heardPlain = new Map<string, number[]>(rooms.map((room) => [room, []]));
  const plainJoins = shares.flatMap((share) => {
    const plain = cluster.connect(instance);
    plain.on('message', ({ room, offset }) => heardPlain.get(room)?.push(offset));
    return share.map((room) => plain.emitWithAck('join', { room }));
  });
  await Promise.all(plainJoins);

  wire.refuse(true);
  await eventually('degraded', async () => (await readiness(instance)).status === 'degraded');
  await publishInEach(link);
  wire.refuse(false);
  const each = (counts: Map<string, number[]>, count: number) =>
    [...counts.values()].every(({ length }) => length === count);
  await eventually('all to be caught up', () => each(heard, 1) && each(heardPlain, 1), 40_000);
  await publishInEach(link);
  await eventually('all to be heard', () => each(heard, 2) && each(heardPlain, 2), 40_000);

  const asPublished = rooms.map((room) => [room, [1, 2]]);
  expect([...heard]).toEqual(asPublished);
  expect([...heardPlain]).toEqual(asPublished);
  expect(losses).toEqual([]);
}, 120_000);

async function publishInEach(link: RedisLink): Promise<void> {
  const log = new RedisLog({
    links: { commands: link, available: () => true },
    deployment: 'realtime',
    hub: 'chat',
    packetPrefix: packetPrefix('/chat'),
    bounds: defaultBounds,
  });
  const rest = messageRest('id', 'server', 0, '0');
  await Promise.all(rooms.map((room) => log.append({ room, subject: 'server', rest })));
}
