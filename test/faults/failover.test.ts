import { nothingLost, Scene } from '../support/clients/scene.ts';
import { Traffic } from '../support/clients/traffic.ts';
import { describeInFull } from '../support/full-runs.ts';
import { kill, RedisPair } from '../support/redis/redis-pair.ts';
import { members, scaled } from '../support/scale.ts';
import { stoppedAfterwards } from '../support/stopping.ts';

const keep = stoppedAfterwards();
const instances = scaled(2, 3);

describeInFull('faults', 'failovers without a loss', () => {
  /**
   * The primary dies under load; its replica has all that was acknowledged and takes over. All publishes are acknowledged
   * and once in the log, in two epochs a room; every client, plain ones too, has each once and in order, and nobody is
   * notified of a loss.
   */
  test('a failover that loses no write: nothing is lost, repeated or out of order', async () => {
    const pair = await keep(RedisPair.start());
    const scene = await keep(Scene.open({ redis: pair.setting, instances }));
    const { cluster, audience } = scene;
    await scene.addPlain(cluster.instances);
    const traffic = await keep(Traffic.start(audience));
    await traffic.reaches(30);
    await pair.holdWrites();
    await pair.promote();
    await kill(pair.replica);
    const all = (await traffic.end()) + scene.rooms.length;
    expect(await scene.finish(pair.primary.port)).toEqual(nothingLost(all, all * members, all * instances));
    for (const { ends } of (await scene.histories(pair.primary.port)).values()) expect(ends.size).toBe(2);
  });
});
