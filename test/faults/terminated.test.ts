import { setTimeout as delay } from 'node:timers/promises';
import { startRedis } from '../support/redis.ts';
import { nothingLost, Scene } from '../support/scene.ts';
import type { TestInstance } from '../support/service.ts';
import { stoppedAfterwards } from '../support/stopping.ts';

const keep = stoppedAfterwards();

/**
 * Two of three instances are told to go, one after the other, under 100 messages a second. All 303 publishes
 * are acknowledged, each stands in the log once, and each of the 10 clients of its room has it once and in
 * order; nobody is told of a loss. The plain clients of the instance that stays have it too. Both exit with 0.
 */
test('SIGTERM: nothing is lost, repeated or out of order', async () => {
  const redis = await keep(startRedis());
  const scene = await keep(Scene.open({ redis: redis.url }));
  const { cluster, audience } = scene;
  const [first, second, staying] = cluster.instances as [TestInstance, TestInstance, TestInstance];
  await scene.addPlain([staying]);
  const publishing = audience.publish(300, 100);
  await delay(700);
  await cluster.remove(first, 'SIGTERM');
  await delay(500);
  await cluster.remove(second, 'SIGTERM');
  await publishing;
  expect(await scene.settle(redis.port)).toEqual(nothingLost(303, 303 * 10, 303));
  expect(await Promise.all([first.ended(), second.ended()])).toEqual([0, 0]);
});
