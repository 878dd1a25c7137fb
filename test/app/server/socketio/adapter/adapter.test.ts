import { Redis } from 'ioredis';
import type { Namespace, Socket as ServerSocket } from 'socket.io';
import type { Socket } from 'socket.io-client';
import { renderAcl, serviceAcl } from '../../../../../app/server/redis/acl.ts';
import { type Backplane, openBackplane } from '../../../../../app/server/redis/backplane.ts';
import { testSubscriptionPermissions } from '../../../../../app/server/redis/permissions.ts';
import {
  adapterPrefix,
  createBackplaneAdapter,
  SingleInstanceAdapter,
} from '../../../../../app/server/socketio/adapter/adapter.ts';
import { decodePayload, encodePayload } from '../../../../../app/server/socketio/adapter/payload.ts';
import { testAdapterPermissions } from '../../../../../app/server/socketio/adapter/self-test.ts';
import { slimConnection } from '../../../../../app/server/socketio/engine/slim-connection.ts';
import { TcpForwarder } from '../../../../support/network/tcp-forwarder.ts';
import { silent } from '../../../../support/redis/link.ts';
import { startRedis, type TestRedis } from '../../../../support/redis/redis.ts';
import { onRedis } from '../../../../support/redis/redis-client.ts';
import { openServer, type TestServer } from '../../../../support/servers/socket-server.ts';
import { eventually } from '../../../../support/wait.ts';

const deployment = 'adapter';
const hub = '/hub';

/** A Socket.IO server as the service has it, with its own way to Redis, and one client in `hub`. */
interface Instance {
  readonly name: string;
  readonly nsp: Namespace;
  readonly server: TestServer;
  readonly way: TcpForwarder;
  readonly client: Socket;
  readonly heard: unknown[];
  readonly logged: string[];
  /** The client's socket here. */
  readonly socket: ServerSocket;
  isJoined(): boolean;
  close(): Promise<void>;
}

let redis: TestRedis;
let instances: [Instance, Instance, Instance];

beforeAll(async () => {
  redis = await startRedis();
});
afterAll(() => redis.stop());

async function openInstance(name: string): Promise<Instance> {
  const way = await TcpForwarder.open(() => [redis.port]);
  const sources = { url: `redis://127.0.0.1:${way.port}` };
  const backplane = await openBackplane({
    sources,
    deployment,
    instance: name,
    log: silent,
    selfTest: (connection) => testAdapterPermissions(connection, deployment),
    subscriptionSelfTest: (connection) => testSubscriptionPermissions(connection, deployment),
  });
  const server = await openServer();
  const logged: string[] = [];
  const write = ({ err }: { err?: Error }, message: string) => logged.push(`${message}: ${err?.message}`);
  const log = { warn: write, error: write } as unknown as typeof silent;
  const links = backplane.links as NonNullable<Backplane['links']>;
  server.io.adapter(
    createBackplaneAdapter({ links, deployment, log, foreignPayload: backplane.foreignPayload }),
  );
  const nsp = server.io.of(hub);
  const joined = new Promise<ServerSocket>((resolve) => nsp.once('connection', resolve));
  nsp.on('connection', (socket) => {
    socket.data = { of: name };
    slimConnection(socket);
    socket.on('whisper', (room, text) => socket.to(room).emit('heard', text));
  });
  await eventually('the backplane', () => backplane.status === 'joined');
  const client = await server.connect('hub');
  const heard: unknown[] = [];
  client.on('heard', (...args) => heard.push(...args));
  client.on('asked', (text, answer) => answer(`${name} heard ${text}`));
  return {
    name,
    nsp,
    server,
    way,
    client,
    heard,
    logged,
    socket: await joined,
    isJoined: () => backplane.status === 'joined',
    close: async () => {
      await server.close();
      await backplane.close();
      await way.close();
    },
  };
}

const names = ({ data }: { data: { of?: string } }) => data.of;
const all = ['one', 'three', 'two'];
const connected = () => instances.map(({ client }) => client.connected);
/** What each client has heard, once all that was said before has arrived everywhere. */
async function heard(): Promise<unknown[][]> {
  instances[0].nsp.emit('heard', 'mark');
  await eventually('the mark', () => instances.every((instance) => instance.heard.includes('mark')));
  return instances.map((instance) => instance.heard.filter((text) => text !== 'mark'));
}

describe('Socket.IO over three instances', () => {
  beforeEach(async () => {
    instances = (await Promise.all(['one', 'two', 'three'].map(openInstance))) as [
      Instance,
      Instance,
      Instance,
    ];
  });
  afterEach(async () => {
    for (const instance of instances) await instance.close();
  });

  describe('that are all there', () => {
    test('emit, to, except, local and volatile reach whom they name', async () => {
      const [one, two, three] = instances;
      await two.socket.join('room');
      await three.socket.join(['room', 'out']);
      one.nsp.emit('heard', 'all');
      one.nsp.to('room').emit('heard', 'room');
      one.nsp.in('room').except('out').emit('heard', 'room but out');
      one.nsp.local.emit('heard', 'local');
      one.socket.broadcast.emit('heard', 'broadcast');
      two.client.emit('whisper', 'room', 'whisper');
      await eventually('the whisper', () => three.heard.includes('whisper'));
      expect(await heard()).toEqual([
        ['all', 'local'],
        ['all', 'room', 'room but out', 'broadcast'],
        ['all', 'room', 'broadcast', 'whisper'],
      ]);
      // Nothing is under way to anyone now, so that a volatile one is not dropped.
      one.nsp.volatile.emit('heard', 'volatile');
      await eventually('the volatile one', () =>
        instances.every((instance) => instance.heard.includes('volatile')),
      );
    });

    test('what is said, joined and left is carried out in that order, here and elsewhere', async () => {
      const [one] = instances;
      one.nsp.emit('heard', 1);
      one.nsp.local.emit('heard', 'local');
      one.nsp.socketsJoin('room');
      one.nsp.to('room').emit('heard', 2);
      one.nsp.socketsLeave('room');
      one.nsp.to('room').emit('heard', 3);
      expect(await heard()).toEqual([
        [1, 'local', 2],
        [1, 2],
        [1, 2],
      ]);
    });

    test('clients of every instance are sent the same bytes', async () => {
      const [one, two] = instances;
      const floats = new Float32Array([1.5, -2.25]);
      const sent = { floats, part: new Uint8Array([9, 1, 2, 9]).subarray(1, 3), buffer: Buffer.from('ü\n{') };
      one.nsp.emit('heard', sent, new ArrayBuffer(3), { when: new Date(0), half: '\ud800', un: undefined });
      await eventually('it to arrive', () => one.heard.length === 3 && two.heard.length === 3);
      expect(two.heard).toEqual(one.heard);
      expect((two.heard[0] as { floats: Buffer }).floats).toEqual(Buffer.from(floats.buffer));
    });

    test('emitWithAck gathers the answers of all clients', async () => {
      const [one, two, three] = instances;
      const answers = (await one.nsp.timeout(5_000).emitWithAck('asked', 'it')) as string[];
      expect(answers.sort()).toEqual(['one heard it', 'three heard it', 'two heard it']);
      await two.socket.join('room');
      expect(await one.nsp.to('room').timeout(5_000).emitWithAck('asked', 'it')).toEqual(['two heard it']);
      expect(await one.nsp.local.timeout(5_000).emitWithAck('asked', 'it')).toEqual(['one heard it']);
      expect(await one.nsp.to('nobody').timeout(5_000).emitWithAck('asked', 'it')).toEqual([]);
      three.client.off('asked');
      const error = await one.nsp
        .timeout(300)
        .emitWithAck('asked', 'it')
        .catch((reason) => reason);
      expect(error.message).toBe('operation has timed out');
      expect(error.responses.sort()).toEqual(['one heard it', 'two heard it']);
    });

    test('fetchSockets and allSockets tell those of all instances, which can be used as if they were here', async () => {
      const [one, two, three] = instances;
      const sockets = await one.nsp.fetchSockets();
      expect(sockets.map(names).sort()).toEqual(all);
      expect((await one.nsp.local.fetchSockets()).map(names)).toEqual(['one']);
      expect((await one.server.io.of(hub).allSockets()).size).toBe(3);
      const remote = sockets.find(({ data }) => data.of === 'two');
      remote?.join('room');
      await eventually('it to have joined', () => two.socket.rooms.has('room'));
      expect((await three.nsp.in('room').fetchSockets()).map(names)).toEqual(['two']);
      expect([...(await three.nsp.in('room').allSockets())]).toEqual([two.socket.id]);
      remote?.emit('heard', 'you alone');
      expect(await remote?.timeout(5_000).emitWithAck('asked', 'it')).toBe('two heard it');
      expect(await heard()).toEqual([[], ['you alone'], []]);
      remote?.disconnect();
      await eventually('it to be gone', () => !two.client.connected);
    });

    test('socketsJoin, socketsLeave and disconnectSockets are carried out everywhere', async () => {
      const [one, two, three] = instances;
      one.nsp.socketsJoin(['room', 'other']);
      await eventually('all to be in it', () => instances.every(({ socket }) => socket.rooms.has('other')));
      one.nsp.in('room').socketsLeave('other');
      await eventually('all to have left', () => instances.every(({ socket }) => !socket.rooms.has('other')));
      await three.socket.leave('room');
      two.nsp.in('room').disconnectSockets(true);
      await eventually('two to be gone', () => !one.client.connected && !two.client.connected);
      expect(three.client.connected).toBe(true);
    });

    test('sockets ask others, by their ids and past themselves, and answers may be binary', async () => {
      const [one, two, three] = instances;
      for (const { client, name } of [two, three])
        client.on('binary', (bytes, answer) => answer({ name, bytes: Buffer.concat([bytes, bytes]) }));
      const answers = (await one.socket.broadcast.timeout(5_000).emitWithAck('binary', Buffer.from([1]))) as {
        name: string;
      }[];
      answers.sort((a, b) => a.name.localeCompare(b.name));
      const bytes = Buffer.from([1, 1]);
      expect(answers).toEqual([
        { name: 'three', bytes },
        { name: 'two', bytes },
      ]);
      const byId = one.nsp.to(three.socket.id).timeout(5_000);
      expect(await byId.emitWithAck('asked', 'it')).toEqual(['three heard it']);
      const except = one.nsp.except([two.socket.id, three.socket.id]).timeout(5_000);
      expect(await except.emitWithAck('asked', 'it')).toEqual(['one heard it']);
      one.nsp.to(two.socket.id).disconnectSockets();
      await eventually('two to be gone', () => !two.client.connected);
      expect([one.client.connected, three.client.connected]).toEqual([true, true]);
    });

    test('namespaces that are made as clients come reach each other, and go with their last client', async () => {
      const [one, two] = instances;
      const parents = instances.map(({ server }) => server.io.of(/^\/dynamic-\d+$/));
      const clients = await Promise.all([one.server.connect('dynamic-1'), two.server.connect('dynamic-1')]);
      const texts: unknown[] = [];
      for (const client of clients) client.on('heard', (text) => texts.push(text));
      const [mine, theirs] = [one, two].map(({ server }) => server.io.of('/dynamic-1'));
      // One of them may know of the namespace a moment before the other one.
      expect((await mine?.fetchSockets())?.length).toBeGreaterThan(0);
      await eventually('both to be known', async () => (await mine?.fetchSockets())?.length === 2);
      mine?.emit('heard', 'dynamic');
      await eventually('both', () => texts.length === 2);
      theirs?.on('count', (answer: (count: number) => void) => answer(1));
      expect(await mine?.serverSideEmitWithAck('count')).toEqual([1]);
      parents[0]?.emit('heard', 'all of them');
      await eventually('both again', () => texts.length === 4);
      mine?.adapter.close();
      await eventually('one to be asked no more', async () => (await theirs?.fetchSockets())?.length === 1);
    });

    test('serverSideEmit reaches the other servers, and gathers their answers', async () => {
      const [one, two, three] = instances;
      const received: unknown[] = [];
      for (const { nsp, name } of instances) {
        nsp.on('told', (...args: unknown[]) => received.push([name, ...args]));
        nsp.on('count', (by: number, answer: (count: number) => void) =>
          answer(by * (name === 'two' ? 2 : 3)),
        );
      }
      one.nsp.serverSideEmit('told', 1, Buffer.from('b'));
      await eventually('both', () => received.length === 2);
      expect(received.sort()).toEqual([
        ['three', 1, Buffer.from('b')],
        ['two', 1, Buffer.from('b')],
      ]);
      expect(((await one.nsp.serverSideEmitWithAck('count', 10)) as number[]).sort()).toEqual([20, 30]);
      await two.close();
      await three.close();
      expect(await one.nsp.serverSideEmitWithAck('count', 10)).toEqual([]);
    });
  });

  describe('an instance that does not answer', () => {
    test('makes a fetch an error that says so, and not a part of the truth', async () => {
      const [one, two] = instances;
      two.way.swallow('toTarget');
      const failure = await one.nsp
        .timeout(300)
        .fetchSockets()
        .catch((error) => error);
      expect(failure.message).toContain('not every instance answered; io.local.fetchSockets()');
      expect(failure.cause.message).toContain('only 1 responses received out of 2');
    });

    test('is not waited for once Redis has lost it', async () => {
      const [one, two] = instances;
      two.way.refuse(true);
      await eventually('the other two to be told', async () => {
        const sockets = await one.nsp
          .timeout(300)
          .fetchSockets()
          .catch(() => []);
        return sockets.length === 2;
      });
    });
  });

  describe('while Redis is away', () => {
    beforeEach(async () => {
      const [one] = instances;
      one.way.refuse(true);
      await eventually('it to be away', () => !one.isJoined());
    });

    test('what needs all instances is refused, what can stay here goes on, and the log tells of it', async () => {
      const [one, two] = instances;
      await expect(one.nsp.fetchSockets()).rejects.toThrow('fetchSockets: Redis is away');
      await expect(one.nsp.allSockets()).rejects.toThrow('Redis is away');
      await expect(one.nsp.serverSideEmitWithAck('count')).rejects.toThrow('serverSideEmit: Redis is away');
      const asked = await one.nsp
        .timeout(300)
        .emitWithAck('asked', 'it')
        .catch((error) => error);
      expect([asked.message, asked.responses]).toEqual(['operation has timed out', ['one heard it']]);

      expect((await one.nsp.local.fetchSockets()).map(names)).toEqual(['one']);
      expect(await one.nsp.local.timeout(5_000).emitWithAck('asked', 'it')).toEqual(['one heard it']);
      one.nsp.serverSideEmit('told');
      one.nsp.socketsJoin('room');
      await eventually('it to have joined', () => one.socket.rooms.has('room'));
      one.nsp.to('room').emit('heard', 'here');
      await eventually('it to be heard', () => one.heard.includes('here'));
      one.nsp.disconnectSockets();
      await eventually('it to be gone', () => !one.client.connected);
      expect([two.heard, two.client.connected, two.socket.rooms.has('room')]).toEqual([[], true, false]);
      expect(new Set(one.logged)).toEqual(
        new Set([
          "a call of Socket.IO's server has not reached the other instances: Redis is away",
          'not all instances can be asked: a call that waits for all instances: Redis is away, and with it the other instances; io.local means this one alone',
        ]),
      );
    });

    test('and back again, all of it works again', async () => {
      const [one] = instances;
      one.way.refuse(false);
      await eventually('it to be back', async () => {
        const sockets = await one.nsp.fetchSockets().catch(() => []);
        return sockets.length === 3;
      });
      one.nsp.emit('heard', 'again');
      expect(await heard()).toEqual([['again'], ['again'], ['again']]);
    });
  });

  describe('nothing ends the process:', () => {
    test('payloads that no adapter has sent', async () => {
      const [one] = instances;
      const foreign: (string | Buffer)[] = [
        '',
        '{',
        'null',
        '[]',
        '{}',
        '5,5\n{}',
        '9'.repeat(1_000),
        Buffer.from([0xff, 0x00, 0x0a]),
        ...[3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 99].flatMap((type) =>
          [
            undefined,
            null,
            {},
            { opts: { rooms: 7 } },
            { packet: null, opts: { rooms: ['nobody'], except: [] } },
          ].map((data) => JSON.stringify({ nsp: hub, uid: 'x', type, data })),
        ),
      ];
      const { uid } = one.nsp.adapter as unknown as { uid: string };
      await onRedis(redis.port, async (client) => {
        for (const channel of [
          `${adapterPrefix(deployment)}#${hub}#`,
          `${adapterPrefix(deployment)}#${hub}#${uid}#`,
        ])
          for (const payload of foreign) await client.spublish(channel, payload);
      });
      await eventually('it to be logged', () =>
        instances.every(({ logged }) =>
          logged.some((line) => line.startsWith('a message of another instance')),
        ),
      );
      expect((await one.nsp.fetchSockets()).map(names).sort()).toEqual(all);
      // What was none of a message has disconnected nobody.
      expect(connected()).toEqual([true, true, true]);
    });

    test('what can not be sent, and handlers that throw', async () => {
      const [one, two] = instances;
      const cycle: { self?: unknown } = {};
      cycle.self = cycle;
      const unserializable = /circular|call stack|BigInt/;
      for (const unsendable of [cycle, 1n]) {
        expect(() => one.nsp.emit('heard', unsendable)).toThrow(unserializable);
        one.nsp.serverSideEmit('told', unsendable);
        await expect(one.nsp.serverSideEmitWithAck('told', unsendable)).rejects.toThrow(unserializable);
        expect(() => one.nsp.timeout(10).emit('asked', unsendable, () => undefined)).toThrow(unserializable);
      }
      two.nsp.on('told', () => {
        throw new Error('a fault of the application');
      });
      one.nsp.serverSideEmit('told', 1);
      await eventually('the fault to be logged', () =>
        two.logged.join().includes('a fault of the application'),
      );
      two.nsp.on('count', (answer: (count: number) => void) => answer(1));
      instances[2].nsp.on('count', (answer: (count: number) => void) => answer(1));
      one.nsp.serverSideEmit('count', () => {
        throw new Error('a fault of a callback');
      });
      await eventually('that too', () => one.logged.join().includes('a fault of a callback'));
      two.socket.data = { of: 'two', cycle };
      const sockets = await one.nsp.fetchSockets();
      expect(sockets.map(names).sort()).toEqual(['one', 'three', undefined]);
      expect(two.logged.join()).toContain('socket.data can not be sent as JSON');
      expect(await heard()).toEqual([[], [], []]);
    });
  });
});

test('payloads: binary parts anywhere, and texts that look like them', () => {
  for (const message of [
    { a: [Buffer.from('x'), { b: Buffer.alloc(0) }], c: 'd' },
    { text: '{"\u0000binary":0}', nested: { '\u0000binary': 'no number' } },
    { only: Buffer.from('{}\n1,2') },
  ])
    expect(decodePayload(Buffer.from(encodePayload(message)))).toEqual(message);
});

test('an instance that is alone waits for nobody', async () => {
  const server = await openServer();
  server.io.adapter(SingleInstanceAdapter);
  const nsp = server.io.of(hub);
  await server.connect('hub');
  expect(await nsp.serverSideEmitWithAck('count')).toEqual([]);
  nsp.serverSideEmit('told');
  expect(await nsp.fetchSockets()).toHaveLength(1);
  await server.close();
});

describe('what its Redis user may not do is named:', () => {
  const allowed = serviceAcl(deployment);
  const missing = ['spublish', 'pubsub|shardnumsub', 'ssubscribe', 'sunsubscribe'];

  test.each(missing)('%s', async (command) => {
    const rules = renderAcl({ ...allowed, commands: allowed.commands.filter((name) => name !== command) });
    await onRedis(redis.port, (admin) =>
      admin.call('ACL', 'SETUSER', 'app', 'reset', '>pw', ...rules.split(' ')),
    );
    const user = new Redis({ port: redis.port, username: 'app', password: 'pw', enableReadyCheck: false });
    const denied = await testAdapterPermissions(user, deployment)
      .then(() => testSubscriptionPermissions(user, deployment))
      .catch((error) => error);
    user.disconnect();
    expect(denied?.message).toMatch(new RegExp(`^NOPERM ${command.replace('|', '\\|')}: `));
  });

  test('and nothing where it may do all', async () => {
    const rules = renderAcl(allowed).split(' ');
    await onRedis(redis.port, (admin) => admin.call('ACL', 'SETUSER', 'app', 'reset', '>pw', ...rules));
    const user = new Redis({ port: redis.port, username: 'app', password: 'pw' });
    await testAdapterPermissions(user, deployment);
    await testSubscriptionPermissions(user, deployment);
    user.disconnect();
  });
});
