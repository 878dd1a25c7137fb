import type { RedisLink } from '../../app/server/redis/connection/link.ts';
import { RedisLog } from '../../app/server/rooms/log/redis-log.ts';
import { defaultRetention } from '../../app/server/rooms/log/retention.ts';
import { messageRest } from '../../app/server/rooms/message.ts';
import { TcpForwarder } from '../support/network/tcp-forwarder.ts';
import { linksOver, linkTo } from '../support/redis/link.ts';
import { startRedis } from '../support/redis/redis.ts';
import { scaled } from '../support/scale.ts';
import { Cluster } from '../support/servers/cluster.ts';
import { readiness, type TestInstance } from '../support/servers/service.ts';
import { stoppedAfterwards } from '../support/stopping.ts';
import { eventually } from '../support/wait.ts';

const keep = stoppedAfterwards();
/** A connection may be in 1,000 rooms; an instance follows 500 at a time again. */
const roomsEach = scaled(60, 1_000);
const shares = Array.from({ length: 10 }, (_, client) =>
  Array.from({ length: roomsEach }, (_, index) => `room ${client * roomsEach + index}`),
);
const rooms = shares.flat();

/**
 * An instance that follows many rooms (10,000 in full) loses Redis, and one message is published in each of them
 * meanwhile. When it is back it follows all again and reads what it missed: ten clients of `app/client` together have a
 * message of each room, and so have ten plain ones, and of the next in each too. Nobody is notified of a loss.
 */
test('many rooms of one instance that reconnects: all are caught up', async () => {
  const redis = await keep(startRedis());
  const wire = await TcpForwarder.open(() => [redis.port]);
  await keep({ stop: () => wire.close() });
  const cluster = await keep(Cluster.start({ instances: 1, redis: `127.0.0.1:${wire.port}` }));
  const [instance] = cluster.instances as [TestInstance];
  const link = await linkTo(redis.url);
  await keep({ stop: () => link.close() });

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
  await eventually('all to be caught up', () => each(heard, 1) && each(heardPlain, 1));
  await publishInEach(link);
  await eventually('all to be heard', () => each(heard, 2) && each(heardPlain, 2));

  const asPublished = rooms.map((room) => [room, [1, 2]]);
  expect([...heard]).toEqual(asPublished);
  expect([...heardPlain]).toEqual(asPublished);
  expect(losses).toEqual([]);
});

async function publishInEach(link: RedisLink): Promise<void> {
  const log = new RedisLog({
    links: linksOver(link),
    deployment: 'realtime',
    hub: 'chat',
    retention: defaultRetention,
  });
  const rest = messageRest('id', 'server', 0, '0');
  await Promise.all(rooms.map((room) => log.append({ room, subject: 'server', rest })));
}
