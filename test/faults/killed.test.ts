import { setTimeout as delay } from 'node:timers/promises';
import { nothingLost, Scene } from '../support/clients/scene.ts';
import { Traffic } from '../support/clients/traffic.ts';
import { startRedis } from '../support/redis/redis.ts';
import { members } from '../support/scale.ts';
import type { TestInstance } from '../support/servers/service.ts';
import { stoppedAfterwards } from '../support/stopping.ts';

const keep = stoppedAfterwards();

/**
 * One of three instances is killed under load, with answers to its clients under way that never reach them. All
 * publishes are acknowledged in the end, each stands in the log once, and each of the clients of its room has it once
 * and in order; nobody is notified of a loss. The plain clients of the two other instances have it too.
 */
test('SIGKILL: nothing is lost, repeated or out of order', async () => {
  const redis = await keep(startRedis());
  const scene = await keep(Scene.open({ redis: redis.url }));
  const { cluster, audience } = scene;
  const [doomed, ...others] = cluster.instances as [TestInstance, ...TestInstance[]];
  await scene.addPlain(others);
  const traffic = await keep(Traffic.start(audience));
  await traffic.reaches(30);
  cluster.muteAnswers(doomed);
  const unanswered = audience.publish(60, 600);
  await delay(200);
  await cluster.remove(doomed, 'SIGKILL');
  await scene.untilAll('connected');
  await unanswered;
  const all = (await traffic.end()) + 60 + scene.rooms.length;
  expect(await scene.finish(redis.port)).toEqual(nothingLost(all, all * members, all * 2));
});
