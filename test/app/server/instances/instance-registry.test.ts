import type { CountedInstance } from '../../../../app/protocol/fleet.ts';
import { InstanceRegistry } from '../../../../app/server/instances/instance-registry.ts';
import { openBackplane } from '../../../../app/server/redis/backplane.ts';
import { silent } from '../../../support/redis/link.ts';
import { startRedis } from '../../../support/redis/redis.ts';
import { stoppedAfterwards } from '../../../support/stopping.ts';
import { eventually } from '../../../support/wait.ts';

const keep = stoppedAfterwards();

async function count(url: string | undefined, own: () => CountedInstance): Promise<InstanceRegistry> {
  const { instance } = own();
  const backplane = await openBackplane({
    sources: url === undefined ? {} : { url },
    deployment: 'd',
    instance,
    log: silent,
  });
  const registry = new InstanceRegistry({ links: backplane.links, deployment: 'd', own });
  const stop = async () => {
    registry.close();
    await backplane.close();
  };
  await keep({ stop });
  return Object.assign(registry, { stop });
}

test('instances know of each other, of each change, and forget who is gone', async () => {
  const redis = await keep(startRedis());
  let connections = 3;
  const one = await count(redis.url, () => ({ instance: 'one', connections, draining: false }));
  const two = await count(redis.url, () => ({ instance: 'two', connections: 5, draining: true }));
  const known = () => two.list().map(({ instance, connections }) => `${instance} ${connections}`);
  await eventually('the first count', () => known().join() === 'one 3,two 5');
  connections = 4;
  await eventually('the change', () => known().join() === 'one 4,two 5');
  expect(one.list()).toContainEqual({ instance: 'two', connections: 5, draining: true });
  one.close();
  await eventually('it to be forgotten', () => known().join() === 'two 5');
});

test('an instance alone knows itself', async () => {
  const alone = await count(undefined, () => ({ instance: 'one', connections: 1, draining: false }));
  expect(alone.list()).toEqual([{ instance: 'one', connections: 1, draining: false }]);
});

test('an instance that goes on under another name has not ended; one that dies has, once', async () => {
  const redis = await keep(startRedis());
  const watching = await count(redis.url, () => ({ instance: 'one', connections: 3, draining: false }));
  let died: (owner: string) => Promise<void> = async () => undefined;
  const noEnd = () => undefined;
  watching.watchEnds({
    owner: 'one~a',
    onExpired: (handler) => {
      died = handler;
      return noEnd;
    },
  });
  let [owner, connections] = ['two~b', 5];
  const other = await count(redis.url, () => ({ instance: 'two', connections, draining: false }));
  other.watchEnds({
    get owner() {
      return owner;
    },
    onExpired: () => noEnd,
  });
  const heard = (many: number) =>
    eventually(`${many} connections`, async () => {
      await other.announce();
      return watching.list().some(({ instance, connections: has }) => instance === 'two' && has === many);
    });
  [owner, connections] = ['two~b.1', 6];
  await heard(6);
  await died('two~b');
  expect(watching.ends).toEqual({ instances: 0, served: 0, relayed: 0 });
  for (let times = 0; times < 2; times += 1) await died('two~b.1');
  expect(watching.ends).toEqual({ instances: 1, served: 6, relayed: 0 });
});
