import { roomKeys } from '../../app/server/rooms/keys.ts';
import { Scene } from '../support/clients/scene.ts';
import { startRedis } from '../support/redis/redis.ts';
import { onRedis } from '../support/redis/redis-client.ts';
import { members } from '../support/scale.ts';
import { stoppedAfterwards } from '../support/stopping.ts';
import { eventually } from '../support/wait.ts';

const keep = stoppedAfterwards();

/**
 * One of three rooms expires with all it had, and comes back: its offsets start anew, in an epoch that nothing
 * relates to the old one. Each of its clients is notified of a loss, once, and has what follows in order; those in the other
 * rooms are notified of nothing. Nobody takes the new room's messages for the old one's.
 */
test('a room that expired and came back: its members are notified, the others are not', async () => {
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
  const report = await scene.finish(redis.port);
  expect(report).toMatchObject({ acknowledged: 93, dropped: 20, droppedUnsaid: 0, appendedTwice: 0 });
  expect(report.client).toMatchObject({
    lostUnsaid: 0,
    goneUnsaid: 0,
    duplicated: 0,
    outOfOrder: 0,
    notified: members,
  });
  const history = (await scene.histories(redis.port)).get('room 1');
  expect(history?.entries.map(({ offset }) => offset)).toEqual(Array.from({ length: 11 }, (_, n) => n + 1));
  for (const { room, losses } of audience.receivers) {
    expect(losses).toEqual(room === 'room 1' ? [{ acked: true }] : []);
  }
});
