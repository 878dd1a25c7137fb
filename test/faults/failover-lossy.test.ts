import type { Socket } from 'socket.io-client';
import type { Gap } from '../../app/protocol/hub.ts';
import { noStatistics } from '../../lib/verify/accounting/audit.ts';
import { Scene } from '../support/clients/scene.ts';
import { kill, RedisPair } from '../support/redis/redis-pair.ts';
import { members, scaled } from '../support/scale.ts';
import { stoppedAfterwards } from '../support/stopping.ts';
import { eventually } from '../support/wait.ts';

const keep = stoppedAfterwards();
const instances = scaled(2, 3);

/**
 * The primary acknowledges 60 publishes, delivers them, and dies before its replica gets them. Each sender is notified
 * once that a publish of its own is lost, and each client that 20 of its messages are. The other 163 messages are
 * delivered once and in order.
 */
test('a failover that loses writes: senders and members are notified, and nothing else is lost', async () => {
  const pair = await keep(RedisPair.start());
  const scene = await keep(Scene.open({ redis: pair.setting, instances }));
  const { cluster, audience, rooms } = scene;
  const gaps = await Promise.all(
    cluster.instances.map((instance) => gapsOf(cluster.connect(instance), rooms)),
  );
  await audience.publish(99, 200);
  await pair.level();
  pair.breakReplication();
  await audience.publish(60, 200);
  await audience.untilAllHeard();
  await pair.promote();
  await kill(pair.replica);
  const { receivers } = audience;
  await eventually('all to be notified', () => receivers.every(({ losses }) => losses.length > 0));
  await eventually('plain clients to be notified', () => gaps.every(({ length }) => length === rooms.length));
  for (const { losses } of receivers) expect(losses).toEqual([{ messages: 20, acked: true }]);
  for (const notified of gaps) {
    expect(notified.map(({ room, offset, lost }) => [room, offset, lost]).sort()).toEqual(
      rooms.map((room) => [room, 33, 20]),
    );
  }

  await audience.publish(61, 100);
  expect(await scene.finish(pair.primary.port)).toEqual({
    acknowledged: 223,
    refused: 0,
    uncertain: 0,
    dropped: 60,
    droppedUnsaid: 0,
    appendedTwice: 0,
    client: {
      expected: 163 * members,
      delivered: 223 * members,
      lostUnsaid: 0,
      goneUnsaid: 0,
      duplicated: 0,
      outOfOrder: 0,
      notified: 3 * members,
    },
    plain: noStatistics,
  });
});

/** A plain client in these rooms. @returns what it hears of gaps */
async function gapsOf(socket: Socket, rooms: readonly string[]): Promise<Gap[]> {
  const gaps: Gap[] = [];
  socket.on('gap', (gap: Gap) => gaps.push(gap));
  for (const room of rooms) await socket.emitWithAck('join', { room });
  return gaps;
}
