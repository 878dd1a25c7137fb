import { nothingLost, Scene } from '../support/clients/scene.ts';
import { Traffic } from '../support/clients/traffic.ts';
import { describeInFull } from '../support/full-runs.ts';
import { startRedis } from '../support/redis/redis.ts';
import { onRedis } from '../support/redis/redis-client.ts';
import { members } from '../support/scale.ts';
import { stoppedAfterwards } from '../support/stopping.ts';

const keep = stoppedAfterwards();

describeInFull('faults', 'replicas', () => {
  /**
   * A first replica attaches under load, which gives the primary another replication id. That is an epoch, and nobody's
   * gap: all publishes are acknowledged and once in the log, every client has each once and in order, nobody is notified
   * anything.
   */
  test('a replica attaches: an epoch, and nothing else', async () => {
    const redis = await keep(startRedis(['--repl-diskless-sync-delay', '0']));
    const replica = await keep(startRedis());
    const scene = await keep(Scene.open({ redis: redis.url, instances: 2 }));
    const { cluster, audience, states } = scene;
    await scene.addPlain(cluster.instances);
    const traffic = await keep(Traffic.start(audience));
    await traffic.reaches(30);
    await onRedis(replica.port, (connection) => connection.replicaof('127.0.0.1', redis.port));
    const all = (await traffic.end()) + scene.rooms.length;
    expect(await scene.finish(redis.port)).toEqual(nothingLost(all, all * members, all * 2));
    for (const { ends } of (await scene.histories(redis.port)).values()) expect(ends.size).toBe(2);
    expect(states).toEqual(states.map(() => []));
  });
});
