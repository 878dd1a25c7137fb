import { HttpTransportType, type HubConnection, HubConnectionBuilder, LogLevel } from '@microsoft/signalr';
import { MessagePackHubProtocol } from '@microsoft/signalr-protocol-msgpack';
import { openSignalRHub, type SignalRHub } from '../../../app/client/signalr.ts';
import type { Lost, Message } from '../../../app/protocol/hub.ts';
import { startRedis, type TestRedis } from '../../support/redis/redis.ts';
import { onRedis } from '../../support/redis/redis-client.ts';
import { Cluster } from '../../support/servers/cluster.ts';
import { eventually } from '../../support/wait.ts';

let redis: TestRedis;
let cluster: Cluster;
const opened: (() => unknown)[] = [];
beforeAll(async () => {
  redis = await startRedis();
  cluster = await Cluster.start({ instances: 2, redis: redis.url });
});
afterEach(async () => {
  for (const close of opened.splice(0).reverse()) await close();
});
afterAll(async () => {
  await cluster.stop();
  await redis.stop();
});

interface ClientOptions {
  readonly transport?: HttpTransportType;
  readonly isBinary?: boolean;
}

interface Client {
  readonly connection: HubConnection;
  readonly hub: SignalRHub<number>;
}

/** Microsoft's client, as it is. */
function clientOf(
  user: string,
  { transport = HttpTransportType.WebSockets, isBinary = false }: ClientOptions = {},
): Client {
  const builder = new HubConnectionBuilder()
    .withUrl(`${cluster.url}/chathub`, { transport, accessTokenFactory: () => user })
    .withAutomaticReconnect({ nextRetryDelayInMilliseconds: () => 100 })
    .configureLogging(LogLevel.None);
  const connection = (isBinary ? builder.withHubProtocol(new MessagePackHubProtocol()) : builder).build();
  const hub = openSignalRHub<number>(connection);
  opened.push(() => {
    hub.close();
    return connection.stop();
  });
  return { connection, hub };
}

async function started(user: string): Promise<Client> {
  const client = clientOf(user);
  await client.connection.start();
  return client;
}

function join(hub: SignalRHub<number>, name: string, options = {}) {
  const heard: number[] = [];
  const lost: Lost[] = [];
  const refused: string[] = [];
  const room = hub.join(
    name,
    {
      onMessage: ({ body }: Message & { body: number }) => heard.push(body),
      onLost: (each) => lost.push(each),
      onRefused: ({ code }) => refused.push(code),
    },
    options,
  );
  return { room, heard, lost, refused };
}

const upTo = (count: number) => Array.from({ length: count }, (_, index) => index);

test.each([
  ['WebSockets', { transport: HttpTransportType.WebSockets }],
  ['long polling with MessagePack', { transport: HttpTransportType.LongPolling, isBinary: true }],
])('a room that is joined before the start, over %s: each message once, in order', async (_way, options) => {
  const { connection, hub } = clientOf('ada', options);
  const { room, heard, lost } = join(hub, `start ${options.transport}`);
  const early = room.publish(0);
  await connection.start();
  await room.joined;
  await early;
  const [, ...bodies] = upTo(20);
  for (const body of bodies) await room.publish(body);
  const last = await room.publish(20);
  await eventually('the last message', () => heard.at(-1) === 20);
  expect([heard.filter((body) => body > 0), lost]).toEqual([upTo(21).slice(1), []]);
  expect(room.position).toEqual(last);
});

test('a publish that is repeated with its id is one message, and one connection can have several rooms', async () => {
  const { connection, hub } = clientOf('bob');
  await connection.start();
  const [one, other] = [join(hub, 'one'), join(hub, 'other')];
  await Promise.all([one.room.joined, other.room.joined]);
  const first = await one.room.publish(1, { id: 'same' });
  expect(await one.room.publish(1, { id: 'same' })).toEqual(first);
  await one.room.publish(2);
  await other.room.publish(3);
  await eventually('all', () => one.heard.length === 2 && other.heard.length === 1);
  hub.leave('other');
  await one.room.publish(4);
  await eventually('the last one', () => one.heard.length === 3);
  expect([one.heard, other.heard]).toEqual([[1, 2, 4], [3]]);
});

test('what was published while it was away comes first when it starts again, also after a stored position', async () => {
  const sender = clientOf('carl');
  await sender.connection.start();
  const sent = join(sender.hub, 'away');
  await sent.room.joined;

  const { connection, hub } = clientOf('dora');
  await connection.start();
  const { room, heard, lost } = join(hub, 'away');
  await room.joined;
  const stored = await sent.room.publish(0);
  await eventually('the first message', () => heard.length === 1);
  await connection.stop();
  for (const body of [1, 2, 3]) await sent.room.publish(body);
  await connection.start();
  await sent.room.publish(4);
  await eventually('the rest', () => heard.length === 5);

  const later = join((await started('eve')).hub, 'away', { since: stored });
  await eventually('all after the position', () => later.heard.length === 4);
  expect([heard, lost, later.heard, later.lost]).toEqual([upTo(5), [], [1, 2, 3, 4], []]);
});

test('an instance is killed under its clients while they publish: nothing is lost or comes twice', async () => {
  await cluster.add();
  const ada = clientOf('ada');
  const bob = clientOf('bob', { transport: HttpTransportType.LongPolling, isBinary: true });
  const instances: string[] = [];
  ada.connection.on('welcome', ({ instance }: { instance: string }) => void instances.push(instance));
  await Promise.all([ada.connection.start(), bob.connection.start()]);
  const [one, other] = [join(ada.hub, 'killed'), join(bob.hub, 'killed')];
  await Promise.all([one.room.joined, other.room.joined]);
  const ended = new Promise<void>((resolve) => ada.connection.onreconnecting(() => resolve()));
  const publishes = upTo(40).map(async (n) => {
    await new Promise((resolve) => setTimeout(resolve, n * 10));
    return Promise.all([one.room.publish(n), other.room.publish(100 + n)]);
  });
  await Promise.all(publishes.slice(0, 5));
  const doomed = cluster.instances.find(({ id }) => id === instances[0]);
  await cluster.remove(doomed as NonNullable<typeof doomed>, 'SIGKILL');
  await ended;
  await Promise.all(publishes);
  await eventually('all messages', () => one.heard.length >= 80 && other.heard.length >= 80);
  expect(instances.at(-1)).not.toBe(instances[0]);
  expect(new Set(one.heard).size).toBe(80);
  expect([one.heard, one.lost, other.lost]).toEqual([other.heard, [], []]);
});

test('who is in a room is followed, over reconnects, until the room is left', async () => {
  const [hal, ivy] = [await started('hal'), await started('ivy')];
  await Promise.all([join(hal.hub, 'people').room.joined, join(ivy.hub, 'people').room.joined]);
  let members: readonly string[] = [];
  let changes = 0;
  hal.hub.presence('people', (now) => {
    members = now;
    changes += 1;
  });
  await eventually('both', () => members.length === 2);
  await ivy.connection.stop();
  await eventually('one to be gone', () => members.length === 1);
  await hal.connection.stop();
  await ivy.connection.start();
  await hal.connection.start();
  await eventually('both again', () => members.length === 2);
  hal.hub.leave('people');
  const seen = changes;
  await ivy.connection.stop();
  const other = await started('joe');
  await join(other.hub, 'people').room.joined;
  expect(changes).toBe(seen);
});

test('what can not be delivered any more is told', async () => {
  const { hub, connection } = await started('fay');
  const { room, heard, lost } = join(hub, 'lossy');
  await room.joined;
  await room.publish(1);
  await eventually('the first message', () => heard.length === 1);
  await connection.stop();
  await onRedis(redis.port, (client) => client.flushall());
  await connection.start();
  await eventually('the loss', () => lost.length > 0);
  expect(lost[0]).toMatchObject({ acked: true });
  await room.publish(2);
  await eventually('the next message', () => heard.length === 2);
  expect(heard).toEqual([1, 2]);
});

test('refusals have their code: no room of such a name, and a body that is too large is not sent', async () => {
  const { hub } = await started('gil');
  const { room, refused } = join(hub, '');
  await expect(room.joined).rejects.toMatchObject({ name: 'HubError', code: 'bad_request' });
  await eventually('the refusal', () => refused.length === 1);
  const other = join(hub, 'fine');
  await other.room.joined;
  const large = 'x'.repeat(70_000) as unknown as number;
  await expect(other.room.publish(large)).rejects.toMatchObject({ code: 'too_large' });
  await expect(hub.call('move', {})).rejects.toMatchObject({ code: 'bad_request' });
});

test('without a connection a publish ends as refused, and after the close nothing is tried', async () => {
  const { hub } = clientOf('hal');
  const { room } = join(hub, 'nowhere');
  await expect(room.publish(1, { forMs: 0 })).rejects.toMatchObject({ code: 'refused' });
  const trying = room.publish(2);
  hub.close();
  await expect(trying).rejects.toMatchObject({ code: 'refused' });
});
