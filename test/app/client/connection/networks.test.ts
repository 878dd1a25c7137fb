import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import type { ConnectOptions } from '../../../../app/client/connection/connect.ts';
import { type ClientHub, type ConnectionState, openHub } from '../../../../app/client/hub.ts';
import { openMemoryStore } from '../../../../app/server/rooms/store/store.ts';
import { TcpForwarder } from '../../../support/network/tcp-forwarder.ts';
import {
  openWebSocketProxy,
  type Treatment,
  type WebSocketProxy,
} from '../../../support/network/websocket-proxy.ts';
import { type RoomsServer, startRoomsServer } from '../../../support/servers/rooms-server.ts';
import { testSideBySide } from '../../../support/side-by-side.ts';
import { eventually } from '../../../support/wait.ts';

interface Opened {
  readonly hub: ClientHub;
  readonly states: ConnectionState[];
}

let server: RoomsServer;
beforeAll(async () => {
  server = await startRoomsServer({ store: openMemoryStore() });
});
afterAll(() => server.close());

function open(url: string, options: ConnectOptions = {}): Opened {
  const hub = openHub(url, 'chat', { forceNew: true, reconnectionDelay: 10, ...options });
  const states = [hub.state];
  hub.watch((state) => states.push(state));
  return { hub, states };
}

/** Publishes and hears it, on whatever the client got through by. */
async function talk(hub: ClientHub): Promise<void> {
  const heard: unknown[] = [];
  const room = hub.join('r', { onMessage: ({ body }) => heard.push(body) });
  await room.joined;
  await room.publish('hello');
  await eventually('the message', () => heard.includes('hello'));
}

describe('a network that does not let WebSockets through', () => {
  let proxy: WebSocketProxy;
  let hub: ClientHub;
  let states: ConnectionState[];
  afterEach(async () => {
    hub.close();
    await proxy.close();
  });

  const transport = () => hub.socket.io.engine.transport.name;
  /** In place of the 8 s of an application, after which another transport is tried. */
  const timeout = 700;

  test.each<Treatment>(['swallows', 'drops-frames', 'drops-frames-of-clients', 'answers-400', 'hangs-up'])(
    'and %s: long polling gets through',
    async (treatment) => {
      proxy = await openWebSocketProxy(server.url, treatment);
      ({ hub, states } = open(proxy.url, { timeout }));
      await talk(hub);
      expect([hub.state, transport()]).toEqual(['connected', 'polling']);
    },
  );

  test('from some day on: the client comes back by long polling, and to WebSockets when they pass', async () => {
    proxy = await openWebSocketProxy(server.url, 'passes');
    ({ hub, states } = open(proxy.url, { timeout }));
    await talk(hub);
    expect(transport()).toBe('websocket');
    proxy.treatment = 'drops-frames';
    hub.socket.io.engine.close();
    await eventually('long polling', () => hub.state === 'connected' && transport() === 'polling');
    await talk(hub);
    proxy.treatment = 'passes';
    hub.socket.io.engine.close();
    await eventually('a WebSocket', () => hub.state === 'connected' && transport() === 'websocket');
    // It is what the next connection begins with.
    hub.socket.io.engine.close();
    await eventually(
      'the next connection',
      () => states.filter((state) => state === 'connected').length === 4,
    );
    expect(transport()).toBe('websocket');
  });

  test('a network that lets WebSockets alone through is none of these', async () => {
    proxy = await openWebSocketProxy(server.url, 'passes-alone');
    ({ hub, states } = open(proxy.url, { timeout }));
    await talk(hub);
    expect([transport(), states]).toEqual(['websocket', ['connecting', 'connected']]);
  });

  test('where nothing gets through, both are tried in turn', async () => {
    proxy = await openWebSocketProxy('http://127.0.0.1:9', 'swallows');
    ({ hub, states } = open(proxy.url, { timeout: 200 }));
    await eventually('the second WebSocket', () => proxy.upgrades === 2);
    expect(hub.state).toBe('connecting');
  });
});

/** A client's connection, and what its network does to it. */
interface Wired extends Opened {
  readonly wire: TcpForwarder;
  /** From now on a new connection is taken, and never hears a word; or all are sound again. */
  readonly setDead: (isDead: boolean) => void;
}

async function withConnection(transport: string, run: (wired: Wired) => Promise<void>): Promise<void> {
  const hole = createServer(() => undefined).listen(0, '127.0.0.1');
  await once(hole, 'listening');
  const ports = { alive: Number(new URL(server.url).port), dead: (hole.address() as AddressInfo).port };
  let isDead = false;
  const wire = await TcpForwarder.open(() => [isDead ? ports.dead : ports.alive]);
  const { hub, states } = open(`http://127.0.0.1:${wire.port}`, { transports: [transport] });
  try {
    await eventually('the connection', () => hub.state === 'connected');
    await run({
      hub,
      states,
      wire,
      setDead: (dead) => {
        isDead = dead;
      },
    });
  } finally {
    hub.close();
    await wire.close();
    hole.close();
  }
}

const isRenewed = (states: readonly ConnectionState[]) =>
  states.at(-1) === 'connected' && states.length === 4;

const renewedBehindACall = (transport: string) => () =>
  withConnection(transport, async ({ hub, states, wire, setDead }) => {
    const room = hub.join('r', { onMessage: () => undefined });
    await room.joined;
    wire.swallow('toClient');
    // Long polling opens connections all the time: none of them carries anything until the client begins anew.
    setDead(true);
    hub.watch(() => setDead(false));
    // The same publish is answered on the next connection.
    await room.publish('hello');
    expect(states).toEqual(['connecting', 'connected', 'reconnecting', 'connected']);
  });

const backWhenHungUpOn = (transport: string) => () =>
  withConnection(transport, async ({ hub, states, wire }) => {
    await hub.join('r', { onMessage: () => undefined }).joined;
    // A long poll may be between two requests.
    const cutting = setInterval(() => wire.cut(), 10);
    hub.watch(() => clearInterval(cutting));
    await eventually('another connection', () => states.length === 4);
    expect(states).toEqual(['connecting', 'connected', 'reconnecting', 'connected']);
    await talk(hub);
  });

describe('a connection that died without a word', () => {
  testSideBySide({
    'is renewed behind a call that is not answered: WebSocket': renewedBehindACall('websocket'),
    'is renewed behind a call that is not answered: long polling': renewedBehindACall('polling'),
    'or was hung up on comes back: WebSocket': backWhenHungUpOn('websocket'),
    'or was hung up on comes back: long polling': backWhenHungUpOn('polling'),
    'is renewed too where the service is heard, and hears nothing': () =>
      withConnection('websocket', async ({ hub, states, wire }) => {
        await hub.join('r', { onMessage: () => undefined }).joined;
        wire.swallow('toTarget');
        const talking = setInterval(() => void server.rooms.publish('r', 'hello'), 200);
        hub.checkConnection();
        await eventually('another connection', () => isRenewed(states)).finally(() => clearInterval(talking));
      }),
    'is found by looking, and one that lives stays': () =>
      withConnection('websocket', async ({ hub, states, wire }) => {
        hub.checkConnection();
        await hub.join('r', { onMessage: () => undefined }).joined;
        expect(states).toEqual(['connecting', 'connected']);
        wire.swallow('toTarget');
        hub.checkConnection();
        await eventually('another connection', () => isRenewed(states));
      }),
  });
});
