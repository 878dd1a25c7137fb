import { setTimeout as delay } from 'node:timers/promises';
import { startRedis } from '../support/redis.ts';
import { nothingLost, Scene } from '../support/scene.ts';
import type { TestInstance } from '../support/service.ts';
import { stoppedAfterwards } from '../support/stopping.ts';

const keep = stoppedAfterwards();

/**
 * One of three instances is killed under 100 messages a second, with answers to its clients under way that
 * never reach them. All 363 publishes are acknowledged in the end, each stands in the log once, and each of
 * the 10 clients of its room has it once and in order; nobody is told of a loss. The plain clients of the
 * two other instances have it too.
 */
test('SIGKILL: nothing is lost, repeated or out of order', async () => {
  const redis = await keep(startRedis());
  const scene = await keep(Scene.open({ redis: redis.url }));
  const { cluster, audience } = scene;
  const [doomed, ...others] = cluster.instances as [TestInstance, ...TestInstance[]];
  await scene.addPlain(others);
  const publishing = audience.publish(300, 100);
  await delay(1_000);
  cluster.muteAnswers(doomed);
  const unanswered = audience.publish(60, 600);
  await delay(200);
  await cluster.remove(doomed, 'SIGKILL');
  await Promise.all([publishing, unanswered]);
  expect(await scene.settle(redis.port)).toEqual(nothingLost(363, 363 * 10, 363 * 2));
});
