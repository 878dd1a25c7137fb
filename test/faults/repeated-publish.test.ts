import type { ClientHub } from '../../app/client/hub.ts';
import type { ClientRoom } from '../../app/client/room/room.ts';
import { kill, RedisPair } from '../support/redis/redis-pair.ts';
import { Cluster } from '../support/servers/cluster.ts';
import type { TestInstance } from '../support/servers/service.ts';
import { stoppedAfterwards } from '../support/stopping.ts';
import { eventually } from '../support/wait.ts';

const keep = stoppedAfterwards();

/** Joins the room. @returns it, and the bodies that its handler gets, in order, with `lost` for each loss */
async function join(hub: ClientHub<number>): Promise<{ room: ClientRoom<number>; heard: unknown[] }> {
  const heard: unknown[] = [];
  const room = hub.join('r', {
    onMessage: ({ body }) => heard.push(body),
    onLost: () => heard.push('lost'),
  });
  await room.joined;
  return { room, heard };
}

/**
 * Five publishes are delivered to everyone but their sender, who gets no acknowledgement. Then a failover loses them,
 * and the instance dies. The sender publishes them again with the same ids. They are in the log once, after the loss
 * that everyone is notified of, and nobody gets them twice.
 */
test('what a failover lost and its sender repeats is heard once', async () => {
  const pair = await keep(RedisPair.start());
  const cluster = await keep(Cluster.start({ instances: 2, redis: pair.setting }));
  const sender = cluster.openHub();
  const { room, heard: own } = await join(sender);
  await eventually('the name of its instance', () => sender.instance !== undefined);
  const doomed = cluster.instances.find(({ id }) => id === sender.instance) as TestInstance;
  const other = cluster.instances.find((instance) => instance !== doomed) as TestInstance;
  const { heard } = await join(cluster.openHub(other.url));
  await room.publish(0);
  await eventually('the first message', () => heard.includes(0) && own.includes(0));

  await pair.level();
  pair.breakReplication();
  cluster.muteAnswers(doomed);
  const publishing = Promise.all([1, 2, 3, 4, 5].map((body) => room.publish(body)));
  await eventually('the reader to have them', () => heard.includes(5));
  await pair.promote();
  await Promise.all([kill(pair.replica), cluster.remove(doomed, 'SIGKILL')]);
  await publishing;
  await room.publish(6);
  await eventually('the last message', () => heard.includes(6) && own.includes(6), 40_000);
  expect(heard.filter((each) => each !== 'lost')).toEqual([0, 1, 2, 3, 4, 5, 6]);
  expect(heard.indexOf('lost')).toBe(6);
  // Each is repeated by itself, so that they come in another order.
  expect(own.filter((each) => each !== 'lost').sort()).toEqual([0, 1, 2, 3, 4, 5, 6]);
});
