import { setTimeout as delay } from 'node:timers/promises';
import { ask, cancel } from '../../../../app/client/answers.ts';
import { Backoff } from '../../../../app/client/connection/backoff.ts';
import type { ConnectOptions } from '../../../../app/client/connection/connect.ts';
import { type ClientHub, openHub } from '../../../../app/client/hub.ts';
import type { ClientRoom } from '../../../../app/client/room/room.ts';
import { openMemoryStore } from '../../../../app/server/rooms/store/store.ts';
import { type RoomsServer, startRoomsServer } from '../../../support/servers/rooms-server.ts';
import {
  at,
  errorReply,
  joined,
  message,
  openScriptedHub,
  type ScriptedHub,
} from '../../../support/servers/scripted-hub.ts';
import { eventually } from '../../../support/wait.ts';

const hubs: ClientHub[] = [];
afterEach(() => {
  for (const hub of hubs.splice(0)) hub.close();
});

function open(url: string, options: ConnectOptions = {}): ClientHub {
  const hub = openHub(url, 'chat', {
    transports: ['websocket'],
    reconnectionDelay: 10,
    reconnectionDelayMax: 20,
    forceNew: true,
    ...options,
  });
  hubs.push(hub);
  return hub;
}

describe('a request that is larger than the service takes', () => {
  const packetBytes = 100_000;
  let server: RoomsServer;
  let connections: number;
  beforeAll(async () => {
    server = await startRoomsServer({ store: openMemoryStore() }, { maxHttpBufferSize: packetBytes });
    server.io.engine.on('connection', () => {
      connections += 1;
    });
  });
  beforeEach(() => {
    connections = 0;
  });
  afterAll(() => server.close());

  async function joinRoom(options?: ConnectOptions): Promise<{ hub: ClientHub; room: ClientRoom }> {
    const hub = open(server.url, options);
    const room = hub.join('r', { onMessage: () => undefined });
    await room.joined;
    return { hub, room };
  }

  test.each([
    ['WebSocket', 'websocket'],
    ['long polling', 'polling'],
  ])('is rejected at once, and the connection stays: %s', async (_name, transport) => {
    const { hub, room } = await joinRoom({ transports: [transport] });
    await expect(room.publish('x'.repeat(120_000))).rejects.toMatchObject({
      code: 'too_large',
      message: expect.stringMatching(/^the request has 120,\d{3} bytes, and may have 100,000$/),
    });
    // Bytes and not characters: each of these has three, and together they are 40,000 characters.
    await expect(room.publish('€'.repeat(40_000))).rejects.toMatchObject({ code: 'too_large' });
    await expect(room.publish({ deep: ['🙂'.repeat(26_000)] })).rejects.toMatchObject({ code: 'too_large' });
    await expect(room.publish(new Uint8Array(120_000))).rejects.toMatchObject({ code: 'too_large' });
    await expect(ask(hub.socket, { room: 'r', prompt: 'x'.repeat(120_000) })).rejects.toMatchObject({
      code: 'too_large',
    });
    await expect(hub.call('any', { of: 'x'.repeat(120_000) })).rejects.toMatchObject({ code: 'too_large' });
    await room.publish('€'.repeat(33_000));
    expect([hub.state, connections]).toEqual(['connected', 1]);
  });

  test('what is just within goes through, what is just beyond never leaves', async () => {
    const { room } = await joinRoom();
    const most = packetBytes - 300;
    await room.publish('x'.repeat(most), { id: 'i' });
    await expect(room.publish('x'.repeat(packetBytes), { id: 'j' })).rejects.toMatchObject({
      code: 'too_large',
    });
    expect(connections).toBe(1);
  });

  test('a room of such a name is refused, and the others are joined', async () => {
    const { hub } = await joinRoom();
    const refused = new Promise((resolve) => {
      hub.join('x'.repeat(120_000), { onMessage: () => undefined, onRefused: ({ code }) => resolve(code) });
    });
    hub.presence('x'.repeat(120_000), () => undefined);
    expect(await refused).toBe('too_large');
    await hub.join('other', { onMessage: () => undefined }).joined;
    expect(connections).toBe(1);
  });

  test('the bound is known without a connection, once there was one', async () => {
    const { hub, room } = await joinRoom();
    hub.socket.disconnect();
    await expect(room.publish('x'.repeat(120_000))).rejects.toMatchObject({ code: 'too_large' });
  });

  test('what is no JSON is `bad_request`, and is not tried for a minute', async () => {
    const { room } = await joinRoom();
    const circle: { self?: unknown } = {};
    circle.self = circle;
    await expect(room.publish(circle)).rejects.toMatchObject({ code: 'bad_request' });
    await expect(room.publish(1n)).rejects.toMatchObject({ code: 'bad_request' });
    const deep = JSON.parse('['.repeat(5_000) + ']'.repeat(5_000));
    await expect(room.publish(deep)).rejects.toMatchObject({ code: 'bad_request' });
    await room.publish('goes on');
  });
});

describe('with a service that answers as the test says', () => {
  let server: ScriptedHub;
  beforeEach(async () => {
    server = await openScriptedHub();
  });
  afterEach(() => server.close());

  test('a body is measured by what `welcome` says it may hold', async () => {
    const hub = open(server.url);
    const room = hub.join('r', { onMessage: () => undefined });
    await room.joined;
    server.emit('welcome', { instance: 'i', limits: { bodyBytes: 20 } });
    await eventually('the welcome', () => hub.instance === 'i');
    await expect(room.publish('€€€€€€€')).rejects.toMatchObject({
      code: 'too_large',
      message: 'the body has 23 bytes, and may have 20',
    });
    await room.publish('€€€€€€');
    expect(server.publishes).toHaveLength(1);
  });

  test('a publish behind which the connection ends three times is given up, and the others go through', async () => {
    server.onPublish = ({ body }, socket) => {
      if (body !== 'poison') return { ok: true, ...at(1) };
      socket.conn.close();
      return undefined;
    };
    const hub = open(server.url);
    const room = hub.join('r', { onMessage: () => undefined });
    await room.joined;
    const bodies = [1, 2, 'poison', 3, 4];
    const outcomes = await Promise.allSettled(bodies.map((body) => room.publish(body)));
    expect(outcomes.map(({ status }) => status)).toEqual([
      'fulfilled',
      'fulfilled',
      'rejected',
      'fulfilled',
      'fulfilled',
    ]);
    expect(outcomes[2]).toMatchObject({
      reason: { code: 'uncertain', message: 'given up: the connection ended right behind publish each time' },
    });
    expect(server.publishes.filter(({ body }) => body === 'poison')).toHaveLength(3);
    await eventually('the last connection', () => hub.state === 'connected');
    expect(server.sockets).toBe(4);
  });

  test('a room behind whose join the connection ends is left alone for a while, and the others go on', async () => {
    server.onJoin = ({ room }, socket) => {
      if (room !== 'poison') return joined(1);
      socket.conn.close();
      return undefined;
    };
    const hub = open(server.url);
    const heard: number[] = [];
    const rooms = Array.from({ length: 10 }, (_, n) =>
      hub.join(`room ${n}`, { onMessage: ({ offset }) => heard.push(offset) }),
    );
    const refusals: string[] = [];
    const poison = hub.join('poison', {
      onMessage: () => undefined,
      onRefused: ({ code }) => refusals.push(code),
    });
    await expect(poison.joined).rejects.toMatchObject({
      code: 'unavailable',
      message: 'the connection ended right behind this, each time: it is tried again in 15 s',
    });
    await Promise.all(rooms.map(({ joined }) => joined));
    await eventually('the last connection', () => hub.state === 'connected');
    const connections = server.sockets;
    server.emit('message', message(2, { room: 'room 7' }));
    await eventually('the message', () => heard.includes(2));
    server.cut();
    await eventually('another connection', () => server.sockets === connections + 1);
    await delay(200);
    expect([refusals, server.sockets]).toEqual([['unavailable'], connections + 1]);
    expect(server.joins.filter(({ room }) => room === 'poison')).toHaveLength(3);
  });

  test('a clock that is set back prolongs nothing', async () => {
    const room = open(server.url).join('r', { onMessage: () => undefined });
    await room.joined;
    server.onPublish = () => errorReply('refused');
    const { now } = Date;
    let back = 0;
    const clock = jest.spyOn(Date, 'now').mockImplementation(() => now() - back);
    const publishing = room.publish(1, { forMs: 400 });
    await eventually('the first try', () => server.publishes.length === 1);
    back = 3_600_000;
    await expect(publishing).rejects.toMatchObject({ code: 'refused' });
    clock.mockRestore();
  });

  test('a publish is tried no longer than the service recognizes a repeat', async () => {
    const room = open(server.url).join('r', { onMessage: () => undefined });
    for (const forMs of [60_001, Number.POSITIVE_INFINITY, Number.NaN, -1]) {
      await expect(room.publish(1, { forMs })).rejects.toMatchObject({
        code: 'bad_request',
        message: expect.stringContaining(`got ${forMs}`),
      });
    }
    expect(server.publishes).toEqual([]);
  });

  test('a question is asked no longer than the service remembers its turn', async () => {
    const { socket } = open(server.url);
    for (const forMs of [1_200_001, Number.POSITIVE_INFINITY, Number.NaN, -1]) {
      const refused = { code: 'bad_request', message: expect.stringContaining(`got ${forMs}`) };
      await expect(ask(socket, { room: 'r', prompt: 'p' }, { forMs })).rejects.toMatchObject(refused);
      await expect(cancel(socket, 't', { forMs })).rejects.toMatchObject(refused);
    }
  });

  test('what a machine slept over is not repeated behind the time for which an id stands', async () => {
    const room = open(server.url).join('r', { onMessage: () => undefined });
    await room.joined;
    server.onPublish = () => errorReply('uncertain');
    const { now } = Date;
    let asleep = 0;
    jest.spyOn(Date, 'now').mockImplementation(() => now() + asleep);
    // The first pause between two tries: the reply has come by then, and the next try has not begun.
    jest.spyOn(Backoff.prototype, 'pause').mockImplementationOnce(async () => {
      asleep = 3_600_000;
    });
    await expect(room.publish(1)).rejects.toMatchObject({ code: 'uncertain' });
    jest.restoreAllMocks();
    expect(server.publishes).toHaveLength(1);
  });

  test('each repeat says how long ago the first try was', async () => {
    const room = open(server.url).join('r', { onMessage: () => undefined });
    await room.joined;
    server.onPublish = () => (server.publishes.length < 3 ? errorReply('uncertain') : { ok: true, ...at(1) });
    await room.publish(1);
    const ages = server.publishes.map((request) => (request as { age?: number }).age ?? 0);
    expect(ages[0]).toBe(0);
    expect(ages[1]).toBeGreaterThan(0);
    expect(ages[2]).toBeGreaterThan(ages[1] as number);
  });
});
