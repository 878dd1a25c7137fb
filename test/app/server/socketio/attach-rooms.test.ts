import { setTimeout as delay } from 'node:timers/promises';
import { Server } from 'socket.io';
import { io as connect, type Socket } from 'socket.io-client';
import { type ClientHub, openHub } from '../../../../app/client/hub.ts';
import type { Message } from '../../../../app/protocol/hub.ts';
import { openMemoryStore, type RoomStore } from '../../../../app/server/rooms/store/store.ts';
import { type AttachRoomsOptions, attachRooms } from '../../../../app/server/socketio/attach-rooms.ts';
import { silent } from '../../../support/redis/link.ts';
import { startRedis, type TestRedis } from '../../../support/redis/redis.ts';
import { type RoomsServer, startRoomsServer } from '../../../support/servers/rooms-server.ts';
import { eventually } from '../../../support/wait.ts';

let redis: TestRedis;
beforeAll(async () => {
  redis = await startRedis();
});
afterAll(() => redis.stop());

const closing: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

let deployments = 0;
async function openServer(where: string, options: Partial<AttachRoomsOptions> = {}, deployment?: string) {
  deployments += 1;
  const own = deployment ?? `test-${deployments}`;
  const server = await startRoomsServer({
    log: silent,
    deployment: own,
    ...(where === 'redis' ? { redis: redis.url } : {}),
    ...options,
  });
  closing.push(() => server.close());
  if (where === 'redis') await untilJoined(server);
  return server;
}

/** Rooms are attached without waiting for Redis. */
async function untilJoined(server: RoomsServer): Promise<void> {
  await eventually('Redis to be joined', () =>
    server.rooms.publish('warm-up', 0).then(
      () => true,
      () => false,
    ),
  );
}

function plain(server: RoomsServer, options: object = {}): Socket {
  const socket = connect(`${server.url}/chat`, { forceNew: true, transports: ['websocket'], ...options });
  closing.push(() => socket.disconnect());
  return socket;
}

function hub(server: RoomsServer, options: object = {}): ClientHub {
  const opened = openHub(server.url, 'chat', { forceNew: true, ...options });
  closing.push(() => opened.close());
  return opened;
}

function heardBy(socket: Socket): Message[] {
  const messages: Message[] = [];
  socket.on('message', (message) => messages.push(message));
  return messages;
}

const offsets = (messages: readonly Message[]) => messages.map(({ offset }) => offset);
const upTo = (last: number) => Array.from({ length: last }, (_, index) => index + 1);

describe.each([
  ['redis', 'direct'],
  ['redis', 'adapter'],
  ['memory', 'direct'],
  ['memory', 'adapter'],
] as const)('rooms in %s, fan-out %s', (where, fanout) => {
  test('members hear every publish once and in order, with what was acknowledged', async () => {
    const server = await openServer(where, { fanout });
    const [one, two] = [plain(server), plain(server)];
    const heard = [heardBy(one), heardBy(two)];
    for (const socket of [one, two]) {
      expect(await socket.emitWithAck('join', { room: 'r' })).toMatchObject({
        ok: true,
        offset: 0,
        recovered: true,
      });
    }
    const answers = await Promise.all(
      upTo(50).map((n) =>
        (n % 2 ? one : two).emitWithAck('publish', { room: 'r', id: `m${n}`, body: { n } }),
      ),
    );
    await eventually('all messages', () => heard.every(({ length }) => length >= 50));
    for (const messages of heard) {
      expect(offsets(messages)).toEqual(upTo(50));
      for (const { offset, body, from, epoch } of messages) {
        const { n } = body as { n: number };
        expect(answers[n - 1]).toEqual({ ok: true, epoch, offset });
        expect(from).toBe((n % 2 ? one : two).id);
      }
    }
  });

  test('frames keep their place among events, binary ones and acknowledgements too', async () => {
    const server = await openServer(where, { fanout });
    const socket = plain(server);
    const seen: unknown[] = [];
    socket.on('message', ({ body }) => seen.push(body));
    socket.on('event', (n) => seen.push(n));
    socket.on('binary', (n: number, bytes: Buffer) => seen.push(bytes.length === 5 ? n : 'broken'));
    await socket.emitWithAck('join', { room: 'r' });
    const [member] = await server.io.of('/chat').fetchSockets();
    for (let n = 0; n < 90; n += 3) {
      await server.rooms.publish('r', n);
      await eventually('the frame to be sent', () => (where === 'redis' ? seen.includes(n) : true));
      member?.emit('event', n + 1);
      member?.emit('binary', n + 2, Buffer.from('12345'));
    }
    await eventually('everything', () => seen.length >= 90);
    expect(seen).toEqual(Array.from({ length: 90 }, (_, n) => n));
  });

  test('a client that upgrades from polling to WebSocket meanwhile hears all, once', async () => {
    const server = await openServer(where, { fanout });
    const sockets = upTo(10).map(() => plain(server, { transports: ['polling', 'websocket'] }));
    const heard = sockets.map(heardBy);
    let running = true;
    let published = 0;
    const publishing = (async () => {
      while (running) {
        published += 1;
        await server.rooms.publish('r', published);
        await delay(1);
      }
    })();
    const joins = await Promise.all(sockets.map((socket) => socket.emitWithAck('join', { room: 'r' })));
    await eventually('the upgrades', () =>
      sockets.every(({ io }) => io.engine?.transport.name === 'websocket'),
    );
    await delay(100);
    running = false;
    await publishing;
    await eventually('the last message', () =>
      heard.every((messages) => messages.at(-1)?.offset === published),
    );
    heard.forEach((messages, index) => {
      const start = joins[index].offset as number;
      expect(offsets(messages)).toEqual(upTo(published).slice(start));
    });
  });

  test('who left hears no more; who comes back with a position gets what was missed', async () => {
    const server = await openServer(where, { fanout });
    const socket = plain(server);
    const heard = heardBy(socket);
    const { epoch } = await socket.emitWithAck('join', { room: 'r' });
    await server.rooms.publish('r', 'heard');
    await eventually('the message', () => heard.length === 1);
    await socket.emitWithAck('leave', { room: 'r' });
    for (const body of ['a', 'b']) await server.rooms.publish('r', body);
    const back = await socket.emitWithAck('join', { room: 'r', since: { epoch, offset: 1 } });
    expect(back).toMatchObject({ ok: true, recovered: true, more: false });
    // What the broker has not brought yet comes live, behind the answer.
    await eventually('both', () => back.messages.length + heard.length >= 3);
    const missed = [...back.messages, ...heard.slice(1)] as Message[];
    expect(missed.map(({ body }) => body)).toEqual(['a', 'b']);
  });

  test('a position that means nothing here: not recovered, and the client stands at the head', async () => {
    const server = await openServer(where, { fanout });
    await server.rooms.publish('r', 1);
    const socket = plain(server);
    const answer = await socket.emitWithAck('join', { room: 'r', since: { epoch: 'unknown', offset: 9 } });
    expect(answer).toMatchObject({ ok: true, recovered: false, offset: 1, messages: [], lost: {} });
  });

  test('1,000 messages missed come in pages, and the live ones after them, without a seam', async () => {
    const server = await openServer(where, { fanout });
    const writer = plain(server);
    const { epoch } = await writer.emitWithAck('join', { room: 'r' });
    for (let n = 0; n < 900; n += 100) {
      await Promise.all(upTo(100).map((m) => server.rooms.publish('r', n + m)));
    }
    const delivered: number[] = [];
    const lost: unknown[] = [];
    const client = hub(server);
    const room = client.join(
      'r',
      { onMessage: ({ offset }) => delivered.push(offset), onLost: (what) => lost.push(what) },
      { since: { epoch, offset: 0 } },
    );
    const publishing = Promise.all(upTo(100).map((m) => server.rooms.publish('r', 900 + m)));
    await Promise.all([room.joined, publishing]);
    await eventually('the last one', () => delivered.at(-1) === 1_000);
    expect(delivered).toEqual(upTo(1_000));
    expect(lost).toEqual([]);
  });

  test('a socket that leaves while it joins is no member, and one that goes away is forgotten', async () => {
    const server = await openServer(where, { fanout });
    const sockets = upTo(30).map(() => plain(server));
    const heard = sockets.map(heardBy);
    await Promise.all(
      sockets.map(async (socket) => {
        const joining = socket.emitWithAck('join', { room: 'r' });
        await socket.emitWithAck('leave', { room: 'r' });
        await joining;
      }),
    );
    const gone = plain(server);
    gone.emit('join', { room: 'r' }, () => undefined);
    gone.disconnect();
    await server.rooms.publish('r', 1);
    await Promise.all(sockets.map((socket) => socket.emitWithAck('leave', { room: 'r' })));
    expect(heard.flat()).toEqual([]);
  });
});

test.each(['redis', 'memory'])(
  'a connection may be in so many rooms, joins under way counted, and not one fewer (%s)',
  async (where) => {
    const limits = { rooms: 20, bodyBytes: 1_000 };
    const socket = plain(await openServer(where, { limits }));
    const join = (n: number) => socket.emitWithAck('join', { room: `room ${n}` });
    const joinAll = async (count: number) => {
      const answers = await Promise.all(upTo(count).map(join));
      return answers.map(({ ok, error }) => (ok ? 'in' : error.code));
    };
    const [into, out] = [Array(20).fill('in'), Array(20).fill('forbidden')];
    for (let round = 0; round < 5; round += 1) {
      expect((await joinAll(40)).sort()).toEqual([...out, ...into]);
      expect((await joinAll(40)).sort()).toEqual([...out, ...into]);
      await Promise.all(upTo(40).map((n) => socket.emitWithAck('leave', { room: `room ${n}` })));
      // As a client that comes back asks: for as many as it may be in.
      expect(await joinAll(20)).toEqual(into);
      await socket.emitWithAck('leave', { room: 'room 7' });
      expect([(await join(30)).ok, (await join(31)).ok]).toEqual([true, false]);
      await Promise.all(upTo(40).map((n) => socket.emitWithAck('leave', { room: `room ${n}` })));
    }
  },
);

test("acks: 'replica' acknowledges what a replica has, and is uncertain without one; the id settles it", async () => {
  const replica = await startRedis(['--replicaof', '127.0.0.1', String(redis.port)]);
  closing.push(() => replica.stop());
  const server = await openServer('redis', { acks: 'replica' });
  const socket = plain(server);
  const first = await socket.emitWithAck('publish', { room: 'r', id: 'one', body: 1 });
  expect(first).toMatchObject({ ok: true, offset: 1 });
  replica.process.kill('SIGSTOP');
  const second = await socket.emitWithAck('publish', { room: 'r', id: 'two', body: 2 });
  expect(second).toMatchObject({ ok: false, error: { code: 'uncertain' } });
  replica.process.kill('SIGCONT');
  await eventually('the replica to confirm', async () => {
    const again = await socket.emitWithAck('publish', { room: 'r', id: 'two', body: 2 });
    return again.ok && again.offset === 2;
  });
});

describe('authorization', () => {
  const authorize: AttachRoomsOptions['authorize'] = (_socket, action, room) => {
    if (room === 'closed' || (room === 'read-only' && action === 'publish')) return undefined;
    return room === 'late' ? { visibleFrom: 3 } : {};
  };

  test('a no is told as forbidden, for each action', async () => {
    const socket = plain(await openServer('memory', { authorize }));
    const forbidden = { ok: false, error: { code: 'forbidden' } };
    expect(await socket.emitWithAck('join', { room: 'closed' })).toMatchObject(forbidden);
    expect(await socket.emitWithAck('publish', { room: 'closed', body: 1 })).toMatchObject(forbidden);
    expect(await socket.emitWithAck('join', { room: 'read-only' })).toMatchObject({ ok: true });
    expect(await socket.emitWithAck('publish', { room: 'read-only', body: 1 })).toMatchObject(forbidden);
  });

  test.each(['redis', 'memory'])('the replay starts at the earliest visible offset (%s)', async (where) => {
    const server = await openServer(where, { authorize });
    for (const n of upTo(4)) await server.rooms.publish('late', n);
    const socket = plain(server);
    const { epoch } = await socket.emitWithAck('join', { room: 'late' });
    const again = await socket.emitWithAck('join', { room: 'late', since: { epoch, offset: 0 } });
    expect(again).toMatchObject({ recovered: true });
    expect(offsets(again.messages)).toEqual([3, 4]);
  });
});

test('a Redis setting that can not be read is an error at once, which names the option and no password', () => {
  const namespace = new Server().of('/chat');
  const attach = () => attachRooms(namespace, { redis: 'redis://user:hunter2@:port', log: silent });
  expect(attach).toThrow(/the option `redis`/);
  expect(attach).not.toThrow(/hunter2/);
  const twice = () => attachRooms(namespace, { redis: redis.url, store: openMemoryStore() });
  expect(twice).toThrow('`redis` or `store`, not both');
});

test('deployments that share a Redis, and hubs of one deployment, do not hear each other', async () => {
  const [one, two] = [await openServer('redis', {}, 'one'), await openServer('redis', {}, 'two')];
  const socket = plain(two);
  const heard = heardBy(socket);
  await socket.emitWithAck('join', { room: 'r' });
  await one.rooms.publish('r', 'from one');
  await two.rooms.publish('r', 'from two');
  await eventually('the message', () => heard.length > 0);
  expect(heard.map(({ body }) => body)).toEqual(['from two']);
});

test('a publish that app/client repeats over another connection is one message, and others may use the id', async () => {
  const server = await openServer('redis');
  const [one, other] = [hub(server), hub(server)];
  const rooms = [one, other].map((opened) => opened.join('r', { onMessage: () => undefined }));
  await Promise.all(rooms.map(({ joined }) => joined));
  const first = await rooms[0]?.publish('a', { id: 'same' });
  one.socket.io.engine.close();
  await eventually('the connection to be made anew', () => one.state === 'connected' && one.socket.connected);
  expect(await rooms[0]?.publish('a', { id: 'same' })).toEqual(first);
  expect(await rooms[1]?.publish('b', { id: 'same' })).toMatchObject({ offset: 2 });
});

describe.each(['redis', 'memory'])('who may be in a room (%s)', (where) => {
  const bySaid = ({ handshake }: { handshake: { auth: { user?: string } } }) =>
    handshake.auth.user ?? 'nobody';

  test('who is expelled leaves on every instance, is told, and hears no more; others stay', async () => {
    const deployment = `expel-${where}`;
    const banned = new Set<string>();
    const options: Partial<AttachRoomsOptions> = {
      subjectOf: bySaid,
      authorize: (socket) => (banned.has(bySaid(socket)) ? undefined : {}),
    };
    const one = await openServer(where, options, deployment);
    const two = where === 'redis' ? await openServer(where, options, deployment) : one;
    const [ann, bob, bobElsewhere] = [
      plain(one, { auth: { user: 'ann' } }),
      plain(one, { auth: { user: 'bob' } }),
      plain(two, { auth: { user: 'bob' } }),
    ];
    const heard = [ann, bob, bobElsewhere].map(heardBy);
    const expelled: string[] = [];
    for (const socket of [bob, bobElsewhere]) socket.on('expelled', ({ room }) => expelled.push(room));
    for (const socket of [ann, bob, bobElsewhere]) await socket.emitWithAck('join', { room: 'r' });
    banned.add('bob');
    one.rooms.expel('r', 'bob');
    await eventually('both to be told', () => expelled.length === 2);
    await one.rooms.publish('r', 'after');
    await eventually('ann to hear it', () => heard[0]?.length === 1);
    expect(heard[1]).toEqual([]);
    expect(await bob.emitWithAck('join', { room: 'r' })).toMatchObject({ error: { code: 'forbidden' } });
  });

  test('who may not be there any more is found without being announced; a check that fails empties no room', async () => {
    let verdict: () => object | undefined = () => ({});
    const server = await openServer(where, { authorize: () => verdict(), reauthorizeEveryMs: 20 });
    const refused: string[] = [];
    const client = hub(server);
    const room = client.join('r', {
      onMessage: () => undefined,
      onRefused: ({ code }) => refused.push(code),
    });
    await room.joined;
    let asked = 0;
    verdict = () => {
      asked += 1;
      throw new Error('the database is down');
    };
    await eventually('members to be looked at', () => asked > 2);
    expect(refused).toEqual([]);
    verdict = () => undefined;
    await eventually('the client to be told', () => refused.includes('forbidden'));
  });
});

test.each(['redis', 'memory'])(
  'an ephemeral event reaches the members and is not kept (%s)',
  async (where) => {
    const server = await openServer(where);
    const [member, stranger] = [plain(server), plain(server)];
    const heard: unknown[] = [];
    member.on('typing', (payload) => heard.push(payload));
    stranger.on('typing', () => heard.push('a stranger heard it'));
    const { epoch } = await member.emitWithAck('join', { room: 'r' });
    server.rooms.broadcast('r', 'typing', { from: 'ann' });
    await eventually('the event', () => heard.length > 0);
    const again = await member.emitWithAck('join', { room: 'r', since: { epoch, offset: 0 } });
    expect(again).toMatchObject({ recovered: true, offset: 0, messages: [] });
    expect(heard).toEqual([{ from: 'ann' }]);
  },
);

test('the write-through comes before the acknowledgement; one that fails makes the publish uncertain', async () => {
  const kept: Message[] = [];
  let fails = false;
  const server = await openServer('redis', {
    writeThrough: async (message) => {
      if (fails) throw new Error('disk full');
      if (message.room === 'r') kept.push(message);
    },
  });
  fails = true;
  const socket = plain(server);
  const publish = () => socket.emitWithAck('publish', { room: 'r', id: 'one', body: 1 });
  expect(await publish()).toMatchObject({ ok: false, error: { code: 'uncertain' } });
  fails = false;
  const answer = await publish();
  expect(answer).toMatchObject({ ok: true, offset: 1 });
  expect(kept).toEqual([
    expect.objectContaining({ room: 'r', offset: 1, id: 'one', body: 1, epoch: answer.epoch }),
  ]);
});

test('a room whose log does not answer any more: who joins is told to try again, and can later', async () => {
  const memory = openMemoryStore();
  let away = false;
  let reads = 0;
  const store: RoomStore = {
    open: (hub) => {
      const { log, broker } = memory.open(hub);
      const read: typeof log.read = async (request) => {
        reads += 1;
        // The join's own read is answered, and no other behind it.
        if (away && reads > 1) throw new Error('Redis is away');
        return log.read(request);
      };
      const deaf: typeof broker.subscribe = async () => undefined;
      return {
        log: {
          idWindowMs: log.idWindowMs,
          append: (request) => log.append(request),
          appendIf: log.appendIf.bind(log),
          read,
        },
        broker: { subscribe: deaf, follow: deaf, unsubscribe: () => undefined, broadcast: () => undefined },
      };
    },
  };
  const server = await startRoomsServer({ store });
  closing.push(() => server.close());
  const [first, second] = [plain(server), plain(server)];
  const { epoch } = await first.emitWithAck('join', { room: 'r' });
  await server.rooms.publish('r', 1);
  away = true;
  reads = 0;
  const request = { room: 'r', since: { epoch, offset: 0 }, acked: { epoch, offset: 1 } };
  const join = () => second.emitWithAck('join', request);
  expect(await join()).toMatchObject({ ok: false, error: { code: 'unavailable' } });
  away = false;
  await eventually('the room to be joined', async () => (await join()).ok);
});

test('a subscription that is made anew while a room opens: what came in between is not missed', async () => {
  const memory = openMemoryStore();
  let release = () => {};
  const released = new Promise<void>((resolve) => {
    release = resolve;
  });
  let isRead = false;
  let resubscribed = () => {};
  let isCut = false;
  const store: RoomStore = {
    open: (hub) => {
      const { log, broker } = memory.open(hub);
      return {
        log: {
          idWindowMs: log.idWindowMs,
          append: (request) => log.append(request),
          appendIf: log.appendIf.bind(log),
          // What it tells is as old as the question; the answer is long under way.
          read: async (request) => {
            const page = await log.read(request);
            isRead = true;
            await released;
            return page;
          },
        },
        broker: {
          subscribe: (room, subscriber) => {
            resubscribed = () => subscriber.resubscribed();
            const received: typeof subscriber.received = (...message) => {
              if (!isCut) subscriber.received(...message);
            };
            return broker.subscribe(room, {
              received,
              appended: (...message) => subscriber.appended(...message),
              isServed: (position) => subscriber.isServed(position),
              resubscribed,
              receivedBroadcast: (broadcast) => subscriber.receivedBroadcast(broadcast),
            });
          },
          follow: (room, subscriber) => broker.follow(room, subscriber),
          unsubscribe: (room) => broker.unsubscribe(room),
          broadcast: (room, broadcast) => broker.broadcast(room, broadcast),
        },
      };
    },
  };
  const server = await startRoomsServer({ store });
  closing.push(() => server.close());
  const socket = plain(server);
  const heard = heardBy(socket);
  const joining = socket.emitWithAck('join', { room: 'r' });
  await eventually('the log to be asked', () => isRead);
  isCut = true;
  await server.rooms.publish('r', 'while nobody listened');
  isCut = false;
  resubscribed();
  release();
  const { ok, offset } = await joining;
  expect(ok).toBe(true);
  await eventually('the message, before the answer or behind it', () => offset + heard.length === 1);
});
