import { setTimeout as delay } from 'node:timers/promises';
import type { Member } from '../support/clients/audience.ts';
import { nothingLost, Scene } from '../support/clients/scene.ts';
import { TcpForwarder } from '../support/network/tcp-forwarder.ts';
import { startRedis } from '../support/redis/redis.ts';
import { clientsNamed } from '../support/redis/redis-client.ts';
import { scaled } from '../support/scale.ts';
import { type TestInstance, untilLogged } from '../support/servers/service.ts';
import { stoppedAfterwards } from '../support/stopping.ts';

const keep = stoppedAfterwards();
const members = scaled(4, 8);
const messages = scaled(60, 150);

/**
 * One of two instances has a connection to Redis that stays open and brings nothing: first its subscription,
 * then its commands, of which the answers alone are lost. The heartbeat finds both and its log says so, its
 * clients are notified, and no socket is closed. What they missed arrives though nothing is published behind it.
 * All publishes are acknowledged and once in the log, though some were written and never answered; every
 * client, plain ones on both instances too, has each once and in order, and nobody is notified of a loss.
 */
test('a connection to Redis hangs half open: nothing is lost, repeated or out of order', async () => {
  const redis = await keep(startRedis());
  const wire = await TcpForwarder.open(() => [redis.port]);
  const forwarded = { stop: () => wire.close() };
  await keep(forwarded);
  const settings = [`127.0.0.1:${wire.port}`, `127.0.0.1:${redis.port}`];
  const scene = await keep(
    Scene.open({ instances: 2, redis: (number) => settings[number - 1] as string, members }),
  );
  const { cluster, audience, states } = scene;
  const [cut] = cluster.instances as [TestInstance];
  await scene.addPlain(cluster.instances);
  const onCut = audience.members.filter(({ hub }) => hub.instance === cut.id);
  const elsewhere = audience.members.filter(({ hub }) => hub.instance !== cut.id);
  expect([onCut.length, elsewhere.length]).toEqual([(members * 3) / 2, (members * 3) / 2]);

  const hang = async (link: 'commands' | 'subscriptions', senders: readonly Member[]) => {
    const isBack = scene.watchDegraded(onCut);
    const publishing = audience.publish(messages, 50, senders);
    await delay(300);
    const [hanging] = await clientsNamed(redis.port, `${cut.id}:${link}`);
    expect(hanging).toBeDefined();
    wire.swallow('toClient', ({ localPort }) => localPort === hanging?.port);
    await isBack();
    await publishing;
  };
  await hang('subscriptions', elsewhere);
  await audience.untilAllHeard();
  await untilLogged(cut, 'it was silent for 5 s');
  await hang('commands', audience.members);
  await audience.untilAllHeard();
  await untilLogged(cut, 'it did not answer for 5 s');

  const all = 2 * messages + scene.rooms.length;
  expect(await scene.finish(redis.port)).toEqual(nothingLost(all, all * members, all * 2));
  expect(new Set(states.flat())).toEqual(new Set(['degraded', 'connected']));
});
