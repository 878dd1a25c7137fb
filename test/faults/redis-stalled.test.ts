import { setTimeout as delay } from 'node:timers/promises';
import type { Socket } from 'socket.io-client';
import { startRedis } from '../support/redis.ts';
import { nothingLost, Scene } from '../support/scene.ts';
import type { TestInstance } from '../support/service.ts';
import { stoppedAfterwards } from '../support/stopping.ts';
import { eventually } from '../support/wait.ts';

const keep = stoppedAfterwards();
const stalledMs = 20_000;

/**
 * Redis is stopped (SIGSTOP) for 20 s under load. Every client is told `degraded`, and no socket is closed.
 * What a plain client publishes meanwhile is answered `uncertain` while nobody knows yet, `refused` from then
 * on; the same ids again, later, settle both: one message each. The 203 publishes of `app/client` are all
 * acknowledged in the end. Each of these 205 stands in the log once, and every client has it once and in
 * order; nobody is told of a loss.
 */
test('Redis stalls for 20 s: told, refused, and nothing is lost, repeated or out of order', async () => {
  const redis = await keep(startRedis());
  const scene = await keep(Scene.open({ redis: redis.url, members: 6 }));
  const { cluster, audience, states } = scene;
  const [instance] = cluster.instances as [TestInstance];
  await scene.addPlain(cluster.instances);
  const plain = cluster.connect(instance);
  const told: boolean[] = [];
  plain.on('degraded', ({ degraded }) => told.push(degraded));
  await eventually('the connection', () => plain.connected);

  const before = audience.publish(100, 100);
  await delay(500);
  redis.process.kill('SIGSTOP');
  const stalledAt = Date.now();
  const early = publish(plain, 'early');
  const during = audience.publish(100, 8);
  await scene.untilAll('degraded');
  await eventually('the plain client to be told', () => told.length > 0);
  expect(await publish(plain, 'late')).toBe('refused');
  expect(await early).toBe('uncertain');
  await delay(stalledAt + stalledMs - Date.now());
  redis.process.kill('SIGCONT');
  await scene.untilAll('connected');
  await Promise.all([before, during]);
  for (const id of ['early', 'late', 'early', 'late']) expect(await publish(plain, id)).toBe('ok');

  const report = await scene.settle(redis.port);
  const inRoom1 = 34 + 34 + 1 + 2;
  expect(report).toEqual(nothingLost(203, 205 * 6, 205 * 3));
  expect((await scene.histories(redis.port)).get('room 1')?.entries).toHaveLength(inRoom1);
  expect(new Set(states.flat())).toEqual(new Set(['degraded', 'connected']));
  expect([plain.connected, told[0], told.at(-1)]).toEqual([true, true, false]);
}, 90_000);

/** Of room 1, without retries. @returns how it ended */
async function publish(socket: Socket, id: string): Promise<string> {
  const answer = await socket.emitWithAck('publish', { room: 'room 1', id, body: id });
  return answer.ok ? 'ok' : answer.error.code;
}
