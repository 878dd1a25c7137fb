import { setTimeout as delay } from 'node:timers/promises';
import type { Socket } from 'socket.io-client';
import { nothingLost, Scene } from '../support/clients/scene.ts';
import { startRedis } from '../support/redis/redis.ts';
import { scaled } from '../support/scale.ts';
import type { TestInstance } from '../support/servers/service.ts';
import { stoppedAfterwards } from '../support/stopping.ts';
import { eventually } from '../support/wait.ts';

const keep = stoppedAfterwards();
/** It lasts at least until everyone was notified. */
const longestStallMs = scaled(0, 20_000);
const instances = scaled(2, 3);
const members = scaled(3, 6);
/** Before the stall, and while it lasts. */
const messages = scaled(50, 100);

/**
 * Redis is stopped (SIGSTOP) under load. Every client gets `degraded`, and no socket is closed. A plain client's publish
 * is `uncertain` until the stall is known, and `refused` after that. Repeats with the same ids make one message each.
 * All publishes of `app/client` are acknowledged in the end, and delivered once and in order. Nothing is lost.
 */
test('Redis stalls: clients are notified, publishes are refused, and nothing is lost, repeated or out of order', async () => {
  const redis = await keep(startRedis());
  const scene = await keep(Scene.open({ redis: redis.url, instances, members }));
  const { cluster, audience, states } = scene;
  const [instance] = cluster.instances as [TestInstance];
  await scene.addPlain(cluster.instances);
  const plain = cluster.connect(instance);
  const notified: boolean[] = [];
  plain.on('degraded', ({ degraded }) => notified.push(degraded));
  await eventually('the connection', () => plain.connected);

  const before = audience.publish(messages, 100);
  await delay(500);
  redis.process.kill('SIGSTOP');
  const stalledAt = Date.now();
  const early = publish(plain, 'early');
  const during = audience.publish(messages, 8);
  await scene.untilAll('degraded');
  await eventually('the plain client to be notified', () => notified.length > 0);
  expect(await publish(plain, 'late')).toBe('refused');
  expect(await early).toBe('uncertain');
  await delay(stalledAt + longestStallMs - Date.now());
  redis.process.kill('SIGCONT');
  await scene.untilAll('connected');
  await Promise.all([before, during]);
  for (const id of ['early', 'late', 'early', 'late']) expect(await publish(plain, id)).toBe('ok');

  const report = await scene.finish(redis.port);
  const inRoom1 = 2 * Math.ceil(messages / 3) + 1 + 2;
  const acknowledged = 2 * messages + scene.rooms.length;
  expect(report).toEqual(
    nothingLost(acknowledged, (acknowledged + 2) * members, (acknowledged + 2) * instances),
  );
  expect((await scene.histories(redis.port)).get('room 1')?.entries).toHaveLength(inRoom1);
  expect(new Set(states.flat())).toEqual(new Set(['degraded', 'connected']));
  expect([plain.connected, notified[0], notified.at(-1)]).toEqual([true, true, false]);
});

/** Of room 1, without retries. @returns how it ended */
async function publish(socket: Socket, id: string): Promise<string> {
  const answer = await socket.emitWithAck('publish', { room: 'room 1', id, body: id });
  return answer.ok ? 'ok' : answer.error.code;
}
