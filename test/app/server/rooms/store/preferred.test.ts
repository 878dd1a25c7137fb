import { io as connect, type Socket } from 'socket.io-client';
import { openHub } from '../../../../../app/client/hub.ts';
import type { Gap, Message } from '../../../../../app/protocol/hub.ts';
import { type Backplane, openBackplane } from '../../../../../app/server/redis/backplane.ts';
import { openServiceStore } from '../../../../../app/server/rooms/store/service-store.ts';
import { TcpForwarder } from '../../../../support/network/tcp-forwarder.ts';
import { silent } from '../../../../support/redis/link.ts';
import { startRedis, type TestRedis } from '../../../../support/redis/redis.ts';
import { type RoomsServer, startRoomsServer } from '../../../../support/servers/rooms-server.ts';
import { eventually } from '../../../../support/wait.ts';

/** Two instances with `BACKPLANE=preferred`, of which one can be cut off. */
let redis: TestRedis;
let wire: TcpForwarder;
let cut: Instance;
let other: Instance;
beforeAll(async () => {
  redis = await startRedis();
  wire = await TcpForwarder.open(() => [redis.port]);
  [cut, other] = await Promise.all([start('cut', wire.port), start('other', redis.port)]);
});
const closing: (() => unknown)[] = [];
afterAll(async () => {
  for (const close of closing.splice(0).reverse()) await close();
  await wire.close();
  await redis.stop();
});

interface Instance extends RoomsServer {
  readonly backplane: Backplane;
}

async function start(instance: string, port: number): Promise<Instance> {
  const sources = { url: `redis://127.0.0.1:${port}` };
  const backplane = await openBackplane({ sources, deployment: 'test', instance, log: silent });
  closing.push(() => backplane.close());
  const store = openServiceStore(backplane, { deployment: 'test', backplane: 'preferred', roomLog: {} });
  await eventually('the backplane to be joined', () => backplane.status === 'joined');
  const server = await startRoomsServer({ store });
  closing.push(() => server.close());
  return { ...server, backplane };
}

interface Plain {
  readonly socket: Socket;
  readonly bodies: unknown[];
  readonly gaps: Gap[];
}

/** A client without the contract, in these rooms. */
async function join({ url }: Instance, rooms: readonly string[]): Promise<Plain> {
  const socket = connect(`${url}/chat`, { forceNew: true, transports: ['websocket'] });
  closing.push(() => socket.disconnect());
  const plain: Plain = { socket, bodies: [], gaps: [] };
  socket.on('message', ({ body }: Message) => plain.bodies.push(body));
  socket.on('gap', (gap: Gap) => plain.gaps.push(gap));
  for (const room of rooms) expect(await socket.emitWithAck('join', { room })).toMatchObject({ ok: true });
  return plain;
}

const publish = ({ socket }: Plain, room: string, body: string) =>
  socket.emitWithAck('publish', { room, body, id: body });

test('what an instance acknowledged while it was alone is told as lost to members on all instances, and to who comes back', async () => {
  const rooms = ['used', 'unused', 'silent'];
  const [here, there] = [await join(cut, rooms), await join(other, rooms)];
  const { epoch, offset } = await publish(there, 'used', 'before');
  const lost: object[] = [];
  const hub = openHub(other.url, 'chat', { forceNew: true, transports: ['websocket'] });
  closing.push(() => hub.close());
  for (const room of rooms) {
    await hub.join(room, { onMessage: () => undefined, onLost: (loss) => lost.push({ room, ...loss }) })
      .joined;
  }
  await eventually('the first message', () => here.bodies.length + there.bodies.length === 2);

  wire.refuse(true);
  await eventually('it to be alone', () => cut.backplane.status === 'degraded');
  for (const body of ['one', 'two', 'two'])
    expect(await publish(here, 'used', body)).toMatchObject({ ok: true });
  expect(await publish(here, 'unused', 'three')).toMatchObject({ ok: true });
  expect(await publish(there, 'used', 'elsewhere')).toMatchObject({ ok: true });
  await eventually('each its own', () => here.bodies.length === 4 && there.bodies.length === 2);
  wire.refuse(false);

  const lossesIn = (gaps: readonly Gap[]) => new Map(gaps.map(({ room, lost: count }) => [room, count]));
  await eventually('members elsewhere to be told', () => there.gaps.length >= 2);
  expect(lossesIn(there.gaps)).toEqual(
    new Map([
      ['used', 2],
      ['unused', 1],
    ]),
  );
  await eventually('members here to be told', () => lossesIn(here.gaps).size >= 2);
  await eventually('app/client to tell', () => lost.length >= 2);
  expect(lost).toEqual(
    expect.arrayContaining([
      { room: 'used', messages: 2 },
      { room: 'unused', messages: 1 },
    ]),
  );
  const back = await join(other, []);
  expect(await back.socket.emitWithAck('join', { room: 'used', since: { epoch, offset } })).toMatchObject({
    recovered: false,
    lost: { messages: 2 },
    messages: [expect.objectContaining({ body: 'elsewhere' })],
  });

  // And it goes on, for everyone.
  expect(await publish(here, 'used', 'after')).toMatchObject({ ok: true });
  await eventually('both to hear it', () => [here, there].every(({ bodies }) => bodies.at(-1) === 'after'));
  expect(there.gaps.filter(({ room }) => room === 'silent')).toEqual([]);
}, 90_000);
