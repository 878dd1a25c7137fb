import { setTimeout as delay } from 'node:timers/promises';
import { RedisPair } from '../support/redis-pair.ts';
import { nothingLost, Scene } from '../support/scene.ts';
import { stoppedAfterwards } from '../support/stopping.ts';

const keep = stoppedAfterwards();

/**
 * Under 100 messages a second the replica becomes the primary and the primary its replica, which keeps every
 * connection to the instances open. They find that they talk to a replica, and move. All 303 publishes are
 * acknowledged and once in the log; every client, plain ones too, has each once and in order, and nobody is
 * told of a loss.
 */
test('a demoted primary that keeps its connections: nothing is lost, repeated or out of order', async () => {
  const pair = await keep(RedisPair.start());
  const scene = await keep(Scene.open({ redis: pair.setting }));
  const { cluster, audience, states } = scene;
  await scene.addPlain(cluster.instances);
  const publishing = audience.publish(300, 100);
  await delay(1_000);
  await pair.holdWrites();
  await pair.promote();
  await pair.demoteFormer();
  await publishing;
  expect(await scene.settle(pair.primary.port)).toEqual(nothingLost(303, 303 * 10, 303 * 3));
  for (const { ends } of (await scene.histories(pair.primary.port)).values()) expect(ends.size).toBe(2);
  expect(new Set(states.flat())).not.toContain('reconnecting');
});
