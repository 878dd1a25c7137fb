import { nothingLost, Scene } from '../support/clients/scene.ts';
import { Traffic } from '../support/clients/traffic.ts';
import { describeInFull } from '../support/full-runs.ts';
import { startRedis } from '../support/redis/redis.ts';
import { members } from '../support/scale.ts';
import type { TestInstance } from '../support/servers/service.ts';
import { stoppedAfterwards } from '../support/stopping.ts';

const keep = stoppedAfterwards();

describeInFull('faults', 'instances that leave', () => {
  /**
   * Two of three instances get SIGTERM, one after the other, under load. All publishes are acknowledged, each stands
   * in the log once, and each of the clients of its room has it once and in order; nobody is notified of a loss. The plain
   * clients of the instance that stays have it too. Both exit with 0.
   */
  test('SIGTERM: nothing is lost, repeated or out of order', async () => {
    const redis = await keep(startRedis());
    const scene = await keep(Scene.open({ redis: redis.url }));
    const { cluster, audience } = scene;
    const [first, second, staying] = cluster.instances as [TestInstance, TestInstance, TestInstance];
    await scene.addPlain([staying]);
    const traffic = await keep(Traffic.start(audience));
    await traffic.reaches(30);
    await cluster.remove(first, 'SIGTERM');
    await cluster.remove(second, 'SIGTERM');
    const all = (await traffic.end()) + scene.rooms.length;
    expect(await scene.finish(redis.port)).toEqual(nothingLost(all, all * members, all));
    expect(await Promise.all([first.ended(), second.ended()])).toEqual([0, 0]);
  });
});
