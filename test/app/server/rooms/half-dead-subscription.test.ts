import { io as connect } from 'socket.io-client';
import { TcpForwarder } from '../../../support/network/tcp-forwarder.ts';
import { startRedis } from '../../../support/redis/redis.ts';
import { clientsNamed } from '../../../support/redis/redis-client.ts';
import { LocalInstance } from '../../../support/servers/local-instance.ts';
import { stoppedAfterwards } from '../../../support/stopping.ts';
import { eventually } from '../../../support/wait.ts';

const keep = stoppedAfterwards();

test('a connection on which messages still come and nothing can be subscribed any more is made anew', async () => {
  const redis = await keep(startRedis());
  const wire = await TcpForwarder.open(() => [redis.port]);
  await keep({ stop: () => wire.close() });
  const instance = await LocalInstance.start({
    id: 'one',
    redis: `127.0.0.1:${wire.port}`,
    fanout: 'direct',
  });
  await keep({ stop: () => instance.kill() });
  const client = connect(`http://127.0.0.1:${instance.port}/chat`, {
    transports: ['websocket'],
    forceNew: true,
  });
  await keep({ stop: async () => void client.disconnect() });
  const join = async (room: string) => (await client.emitWithAck('join', { room })).ok;
  expect(await join('before')).toBe(true);
  const [subscriber] = await clientsNamed(redis.port, 'one:subscriptions');
  wire.swallow('toTarget', ({ localPort }) => localPort === subscriber?.port);
  await eventually('another room to be joined', () => join('after'));
  expect(instance.isJoined).toBe(true);
});
