import { setTimeout as delay } from 'node:timers/promises';
import { startRedis } from '../support/redis.ts';
import { onRedis } from '../support/redis-client.ts';
import { nothingLost, Scene } from '../support/scene.ts';
import { stoppedAfterwards } from '../support/stopping.ts';

const keep = stoppedAfterwards();

/**
 * A first replica attaches under 100 messages a second, which gives the primary another replication id. That
 * is an epoch, and nobody's gap: all 203 publishes are acknowledged and once in the log, every client has
 * each once and in order, nobody is told anything.
 */
test('a replica attaches: an epoch, and nothing else', async () => {
  const redis = await keep(startRedis(['--repl-diskless-sync-delay', '0']));
  const replica = await keep(startRedis());
  const scene = await keep(Scene.open({ redis: redis.url, instances: 2 }));
  const { cluster, audience, states } = scene;
  await scene.addPlain(cluster.instances);
  const publishing = audience.publish(200, 100);
  await delay(1_000);
  await onRedis(replica.port, (connection) => connection.replicaof('127.0.0.1', redis.port));
  await publishing;
  expect(await scene.settle(redis.port)).toEqual(nothingLost(203, 203 * 10, 203 * 2));
  for (const { ends } of (await scene.histories(redis.port)).values()) expect(ends.size).toBe(2);
  expect(states).toEqual(states.map(() => []));
});
