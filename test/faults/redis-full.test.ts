import { nothingLost, Scene } from '../support/clients/scene.ts';
import { startRedis } from '../support/redis/redis.ts';
import { onRedis } from '../support/redis/redis-client.ts';
import { members, scaled } from '../support/scale.ts';
import { readiness, type TestInstance, untilLogged } from '../support/servers/service.ts';
import { stoppedAfterwards } from '../support/stopping.ts';

const keep = stoppedAfterwards();
const instances = scaled(2, 3);

/**
 * Redis has no memory left and evicts nothing. Publishes are `refused`, which may be tried again, and clients are notified
 * `degraded`; rooms can be joined, instances stay ready, sockets stay open. With memory there again the publishes that
 * waited go through: all are once in the log, and every client has each once and in order.
 */
test('Redis is full: publishes wait, and nothing is lost, repeated or out of order', async () => {
  const redis = await keep(startRedis(['--maxmemory-policy', 'noeviction']));
  const scene = await keep(Scene.open({ redis: redis.url, instances }));
  const { cluster, audience, states } = scene;
  const [instance] = cluster.instances as [TestInstance];
  await scene.addPlain(cluster.instances);
  await audience.publish(60, 200);

  const setMemory = (bytes: string) =>
    onRedis(redis.port, (connection) => connection.config('SET', 'maxmemory', bytes));
  await setMemory('500kb');
  const waiting = audience.publish(60, 200);
  const plain = cluster.connect(instance);
  const refused = await plain.emitWithAck('publish', { room: 'room 1', body: 'no' });
  expect(refused).toMatchObject({ ok: false, error: { code: 'refused' } });
  for (const room of ['room 1', 'a room that nobody used']) {
    expect(await plain.emitWithAck('join', { room })).toMatchObject({ ok: true, recovered: true });
  }
  await scene.untilAll('degraded');
  for (const one of cluster.instances) {
    expect(await readiness(one)).toEqual({ code: 200, status: 'degraded' });
    await untilLogged(one, 'Redis takes no writes now');
  }
  expect(audience.acknowledged).toBe(60);

  await setMemory('100mb');
  await waiting;
  await scene.untilAll('connected');
  expect(await scene.finish(redis.port)).toEqual(nothingLost(123, 123 * members, 123 * instances));
  expect(new Set(states.flat())).toEqual(new Set(['degraded', 'connected']));
});
