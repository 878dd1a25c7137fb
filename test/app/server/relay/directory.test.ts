import { Directory } from '../../../../app/server/relay/directory.ts';
import { startRedis } from '../../../support/redis/redis.ts';
import { connectRedis } from '../../../support/redis/redis-client.ts';
import { stoppedAfterwards } from '../../../support/stopping.ts';

const keep = stoppedAfterwards();

test('where the others are is learnt ahead, and goes on being known while Redis is away', async () => {
  const server = await keep(startRedis());
  const redis = await connectRedis(server.port);
  await keep({ stop: async () => redis.disconnect() });
  let isAway = false;
  const shared = { deployment: 'd', redis: () => (isAway ? undefined : redis) };
  const address = { host: '127.0.0.1', port: 7_001 };
  const [two, one] = [
    new Directory({ ...shared, instance: 'two', own: () => address }),
    new Directory({ ...shared, instance: 'one', own: () => undefined, peers: () => ['one', 'two'] }),
  ];
  await two.announce();
  await one.announce();
  isAway = true;
  expect(await one.find('two')).toEqual(address);
  await Promise.all([one.close(), two.close()]);
});
