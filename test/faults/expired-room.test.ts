import { roomKeys } from '../../app/server/rooms/keys.ts';
import { startRedis } from '../support/redis.ts';
import { onRedis } from '../support/redis-client.ts';
import { Scene } from '../support/scene.ts';
import { stoppedAfterwards } from '../support/stopping.ts';
import { eventually } from '../support/wait.ts';

const keep = stoppedAfterwards();

/**
 * One of three rooms expires with all it had, and comes back: its offsets start anew, in an epoch that nothing
 * relates to the old one. Each of its 10 clients is told of a loss, once, and has what follows in order; the
 * 20 in the other rooms are told nothing. Nobody takes the new room's messages for the old one's.
 */
test('a room that expired and came back: its members are told, the others are not', async () => {
  const redis = await keep(startRedis());
  const scene = await keep(Scene.open({ redis: redis.url, instances: 2 }));
  const { audience } = scene;
  await audience.publish(60, 200);
  await audience.untilAllHeard();
  const { meta, log } = roomKeys('realtime', 'chat', 'room 1');
  await onRedis(redis.port, async (connection) => {
    await connection.pexpire(meta, 1);
    await connection.pexpire(log, 1);
    await eventually('the room to be gone', async () => (await connection.exists(meta, log)) === 0);
  });
  await audience.publish(30, 100);
  const report = await scene.settle(redis.port);
  expect(report).toMatchObject({ acknowledged: 93, dropped: 20, droppedUnsaid: 0, appendedTwice: 0 });
  expect(report.client).toMatchObject({
    lostUnsaid: 0,
    goneUnsaid: 0,
    duplicated: 0,
    outOfOrder: 0,
    told: 10,
  });
  const history = (await scene.histories(redis.port)).get('room 1');
  expect(history?.entries.map(({ offset }) => offset)).toEqual(Array.from({ length: 11 }, (_, n) => n + 1));
  for (const { room, losses } of audience.ledger.witnesses) {
    expect(losses).toEqual(room === 'room 1' ? [{ acked: true }] : []);
  }
});
