import { nothingLost, Scene } from '../support/clients/scene.ts';
import { Traffic } from '../support/clients/traffic.ts';
import { describeInFull } from '../support/full-runs.ts';
import { startRedis } from '../support/redis/redis.ts';
import { members } from '../support/scale.ts';
import type { TestInstance } from '../support/servers/service.ts';
import { stoppedAfterwards } from '../support/stopping.ts';

const keep = stoppedAfterwards();

describeInFull('faults', 'instances that come, too', () => {
  /**
   * Under load two instances come, with 15 clients that join then, and two go: one gets SIGTERM, one SIGKILL. All publishes
   * are acknowledged and once in the log. Each of the clients that were there in a room has every message of it, each that
   * came later has every one behind its join, once and in order, and nobody is notified of a loss. The plain clients of the
   * instance that was there all the time have it.
   */
  test('instances that come and go under load: nothing is lost, repeated or out of order', async () => {
    const redis = await keep(startRedis());
    const scene = await keep(Scene.open({ redis: redis.url }));
    const { cluster, audience } = scene;
    const [staying, leaving, doomed] = cluster.instances as [TestInstance, TestInstance, TestInstance];
    await scene.addPlain([staying]);
    const traffic = await keep(Traffic.start(audience));
    await cluster.add();
    await Promise.all(Array.from({ length: 9 }, (_, turn) => scene.addMember(turn)));
    await cluster.remove(leaving, 'SIGTERM');
    await cluster.add();
    await cluster.remove(doomed, 'SIGKILL');
    await Promise.all(Array.from({ length: 6 }, (_, turn) => scene.addMember(turn)));
    const all = (await traffic.end()) + scene.rooms.length;
    const report = await scene.finish(redis.port);
    const { expected } = report.client;
    expect(report).toEqual(nothingLost(all, expected, all));
    // How much of it the 15 newcomers were there for is the machine's affair: at least one message, not all.
    expect(expected).toBeGreaterThan(all * members);
    expect(expected).toBeLessThan(all * (members + 5));
  });
});
