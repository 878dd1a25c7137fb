import { setTimeout as delay } from 'node:timers/promises';
import type { Member } from '../support/audience.ts';
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
 * clients are told, and no socket is closed. What they missed arrives though nothing is published behind it.
 * All 303 publishes are acknowledged and once in the log, though some were written and never answered; every
 * client, plain ones on both instances too, has each once and in order, and nobody is told of a loss.
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
  const elsewhere = audience.members.filter(({ hub }) => hub.instance !== cut.id);
  expect([onCut.length, elsewhere.length]).toEqual([12, 12]);

  const hang = async (link: 'commands' | 'subscriptions', senders: readonly Member[]) => {
    const [hanging] = await clientsNamed(redis.port, `${cut.id}:${link}`);
    const publishing = audience.publish(150, 50, senders);
    await delay(300);
    wire.swallow('toClient', ({ localPort }) => localPort === hanging?.port);
    await scene.untilAll('degraded', onCut);
    await scene.untilAll('connected', onCut);
    await publishing;
  };
  await hang('subscriptions', elsewhere);
  await audience.untilAllHeard();
  expect(cut.output()).toContain('it was silent for 5 s');
  await hang('commands', audience.members);
  await audience.untilAllHeard();
  await eventually('the fault in the log', () => cut.output().includes('it did not answer for 5 s'));

  expect(await scene.settle(redis.port)).toEqual(nothingLost(303, 303 * 8, 303 * 2));
  expect(new Set(states.flat())).toEqual(new Set(['degraded', 'connected']));
});
