import { setTimeout as delay } from 'node:timers/promises';
import { startRedis } from '../support/redis.ts';
import { clientsNamed } from '../support/redis-client.ts';
import { nothingLost, Scene } from '../support/scene.ts';
import type { TestInstance } from '../support/service.ts';
import { stoppedAfterwards } from '../support/stopping.ts';
import { TcpForwarder } from '../support/tcp-forwarder.ts';
import { eventually } from '../support/wait.ts';

const keep = stoppedAfterwards();

/**
 * One of two instances has a connection to Redis that stays open and brings nothing: first its subscription,
 * then its commands, of which the answers alone are lost. The heartbeat finds both and its log says so, its
 * clients are told, and no socket is closed. All 453 publishes are acknowledged and once in the log, though
 * some were written and never answered; every client, plain ones on both instances too, has each once and in
 * order, and nobody is told of a loss.
 */
test('a connection to Redis hangs half open: nothing is lost, repeated or out of order', async () => {
  const redis = await keep(startRedis());
  const wire = await TcpForwarder.open(() => [redis.port]);
  const forwarded = { stop: () => wire.close() };
  await keep(Promise.resolve(forwarded));
  const settings = [`127.0.0.1:${wire.port}`, `127.0.0.1:${redis.port}`];
  const scene = await keep(
    Scene.open({ instances: 2, redis: (number) => settings[number - 1] as string, members: 8 }),
  );
  const { cluster, audience, states } = scene;
  const [cut] = cluster.instances as [TestInstance];
  await scene.addPlain(cluster.instances);
  const onCut = audience.members.filter(({ hub }) => hub.instance === cut.id);
  expect(onCut.length).toBeGreaterThan(0);

  const hang = async (link: 'commands' | 'subscriptions') => {
    const [hanging] = await clientsNamed(redis.port, `${cut.id}:${link}`);
    const publishing = audience.publish(225, 50);
    await delay(300);
    wire.swallow('toClient', ({ localPort }) => localPort === hanging?.port);
    await scene.untilAll('degraded', onCut);
    await scene.untilAll('connected', onCut);
    await publishing;
  };
  await hang('subscriptions');
  expect(cut.output()).toContain('it was silent for 5 s');
  await hang('commands');
  await eventually('the fault in the log', () => cut.output().includes('it did not answer for 5 s'));

  expect(await scene.settle(redis.port)).toEqual(nothingLost(453, 453 * 8, 453 * 2));
  expect(new Set(states.flat())).toEqual(new Set(['degraded', 'connected']));
});
