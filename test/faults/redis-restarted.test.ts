import { Scene } from '../support/clients/scene.ts';
import { startRedis } from '../support/redis/redis.ts';
import { kill } from '../support/redis/redis-pair.ts';
import { scaled } from '../support/scale.ts';
import { stoppedAfterwards } from '../support/stopping.ts';

const keep = stoppedAfterwards();

/**
 * A Redis that keeps nothing is killed and started again. Of 63 acknowledged publishes the 30 before are gone
 * with it: each of their senders is notified, and so is each client, whatever it had heard. Behind
 * that every client has each message once and in order.
 */
test('Redis is killed and comes back empty: all losses are reported, and all goes on', async () => {
  const redis = await keep(startRedis());
  const scene = await keep(Scene.open({ redis: redis.url, instances: scaled(2, 3) }));
  const { audience } = scene;
  await audience.publish(30, 100);
  await kill(redis);
  await scene.untilAll('degraded');
  const during = audience.publish(30, 100);
  await keep(startRedis([], redis.port));
  await during;
  const report = await scene.finish(redis.port);
  expect(report).toMatchObject({
    acknowledged: 63,
    dropped: 30,
    droppedUnsaid: 0,
    appendedTwice: 0,
    client: { lostUnsaid: 0, goneUnsaid: 0, duplicated: 0, outOfOrder: 0 },
  });
  for (const { losses } of audience.receivers) expect(losses).toEqual([{ acked: true }]);
});
