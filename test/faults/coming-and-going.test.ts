import { startRedis } from '../support/redis.ts';
import { nothingLost, Scene } from '../support/scene.ts';
import type { TestInstance } from '../support/service.ts';
import { stoppedAfterwards } from '../support/stopping.ts';

const keep = stoppedAfterwards();

/**
 * Under 60 messages a second two instances come, with 15 clients that join then, and two go: one is told to,
 * one is killed. All 303 publishes are acknowledged and once in the log. Each of the 10 clients that were
 * there in a room has every message of it, each that came later has every one behind its join, once and in
 * order, and nobody is told of a loss. The plain clients of the instance that was there all the time have it.
 */
test('instances that come and go under load: nothing is lost, repeated or out of order', async () => {
  const redis = await keep(startRedis());
  const scene = await keep(Scene.open({ redis: redis.url }));
  const { cluster, audience } = scene;
  const [staying, leaving, doomed] = cluster.instances as [TestInstance, TestInstance, TestInstance];
  await scene.addPlain([staying]);
  const senders = [...audience.members];
  const publishing = audience.publish(300, 60, senders);
  await cluster.add();
  await Promise.all(Array.from({ length: 9 }, (_, turn) => scene.addMember(turn)));
  await cluster.remove(leaving, 'SIGTERM');
  await cluster.add();
  await cluster.remove(doomed, 'SIGKILL');
  await Promise.all(Array.from({ length: 6 }, (_, turn) => scene.addMember(turn)));
  await publishing;
  const report = await scene.settle(redis.port);
  const { expected } = report.client;
  expect(report).toEqual(nothingLost(303, expected, 303));
  // How much of it the 15 newcomers were there for is the machine's affair: at least one message, not all.
  expect(expected).toBeGreaterThan(303 * 10);
  expect(expected).toBeLessThan(303 * (10 + 15));
});
