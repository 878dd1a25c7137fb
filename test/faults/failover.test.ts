import { setTimeout as delay } from 'node:timers/promises';
import { kill, RedisPair } from '../support/redis-pair.ts';
import { nothingLost, Scene } from '../support/scene.ts';
import { stoppedAfterwards } from '../support/stopping.ts';

const keep = stoppedAfterwards();

/**
 * The primary dies under 100 messages a second; its replica has all that was acknowledged and takes over. All
 * 303 publishes are acknowledged and once in the log, in two epochs a room; every client, plain ones too, has
 * each once and in order, and nobody is told of a loss.
 */
test('a failover that loses no write: nothing is lost, repeated or out of order', async () => {
  const pair = await keep(RedisPair.start());
  const scene = await keep(Scene.open({ redis: pair.setting }));
  const { cluster, audience } = scene;
  await scene.addPlain(cluster.instances);
  const publishing = audience.publish(300, 100);
  await delay(1_000);
  await pair.holdWrites();
  await pair.promote();
  await kill(pair.replica);
  await publishing;
  expect(await scene.settle(pair.primary.port)).toEqual(nothingLost(303, 303 * 10, 303 * 3));
  for (const { ends } of (await scene.histories(pair.primary.port)).values()) expect(ends.size).toBe(2);
});
