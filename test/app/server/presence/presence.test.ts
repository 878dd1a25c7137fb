import { setTimeout as delay } from 'node:timers/promises';
import type { Socket as ServerSocket } from 'socket.io';
import { type ClientHub, openHub } from '../../../../app/client/hub.ts';
import type { PresenceDifference, PresenceList } from '../../../../app/client/presence.ts';
import { presenceRequest } from '../../../../app/protocol/schemas.ts';
import { type Leases, openMemoryLeases } from '../../../../app/server/leases/leases.ts';
import { leaseKeys, openRedisLeases } from '../../../../app/server/leases/redis-leases.ts';
import { presenceKeys } from '../../../../app/server/presence/keys.ts';
import { openMemoryPresence } from '../../../../app/server/presence/memory-presence.ts';
import { presenceMethod } from '../../../../app/server/presence/method.ts';
import { openPresence, type Presence } from '../../../../app/server/presence/presence.ts';
import { openRedisPresence } from '../../../../app/server/presence/redis-presence.ts';
import type { PresenceStore } from '../../../../app/server/presence/store.ts';
import { type Backplane, openBackplane } from '../../../../app/server/redis/backplane.ts';
import type { MembershipListener } from '../../../../app/server/rooms/rooms.ts';
import { openMemoryStore, openRedisStore, type RoomStore } from '../../../../app/server/rooms/store/store.ts';
import { freePort } from '../../../../lib/local/processes/ports.ts';
import { silent } from '../../../support/redis/link.ts';
import { startRedis } from '../../../support/redis/redis.ts';
import { onRedis } from '../../../support/redis/redis-client.ts';
import { describeOnEachRedis } from '../../../support/redis/redis-kinds.ts';
import { type RoomsServer, startRoomsServer } from '../../../support/servers/rooms-server.ts';
import { eventually } from '../../../support/wait.ts';

const graceMs = 1_500;
let deployment = 'd';
let deploymentCount = 0;

const opened: { close(): Promise<unknown> }[] = [];

afterEach(async () => {
  for (const each of opened.splice(0).reverse()) await each.close();
});

/** A server with `/chat` whose clients say who they are. */
interface Instance {
  readonly server: RoomsServer;
  readonly presence: Presence;
  readonly leases: Leases;
  readonly backplane?: Backplane;
  /** Nothing more is heard of it. */
  kill(): Promise<void>;
}

const subjectOf = (socket: ServerSocket) => (socket.handshake.auth as { subject: string }).subject;

async function start(
  store: RoomStore,
  presences: PresenceStore,
  leases: Leases,
): Promise<Omit<Instance, 'kill'>> {
  let presence: Presence | undefined;
  const membership: MembershipListener = {
    joined: (member, room) => presence?.joined(member, room),
    left: (member, room) => presence?.left(member, room),
  };
  const server = await startRoomsServer({ store, subjectOf, membership });
  const { broadcast, isMember } = server.rooms;
  presence = openPresence({ store: presences, hub: 'chat', leases, broadcast, log: silent, graceMs });
  const method = presenceMethod(presence, isMember);
  server.io.of('/chat').on('connection', (socket) => {
    socket.on('presence', async (request, reply) =>
      reply(await method(socket, presenceRequest.parse(request))),
    );
  });
  return { server, presence, leases };
}

async function startAlone(): Promise<Instance> {
  const instance = await start(openMemoryStore(), openMemoryPresence(), openMemoryLeases());
  opened.push({ close: () => instance.server.close() }, instance.presence);
  return { ...instance, kill: async () => undefined };
}

async function startJoined(url: string, id: string, quietMs = 100): Promise<Instance> {
  const sources = { url };
  const backplane = await openBackplane({ sources, deployment, instance: id, log: silent });
  const { links } = backplane;
  if (!links) throw new Error('no links');
  await eventually('the backplane', () => backplane.status === 'joined');
  const times = { beatEveryMs: 100, leaseMs: 1_000, longestGapMs: 500, quietMs: 1_000 };
  const leases = openRedisLeases({ links, deployment, instance: id, log: silent, times });
  const store = openRedisStore({ links, deployment });
  const presences = openRedisPresence({ links, deployment, quietMs });
  const instance = await start(store, presences, leases);
  const kill = async () => {
    await backplane.close();
    await Promise.all([instance.presence.close(), leases.close()]);
    await instance.server.close();
  };
  let isDead = false;
  opened.push({
    close: async () => {
      if (isDead) return;
      await instance.server.close();
      await instance.presence.close();
      await leases.close();
      await backplane.close();
    },
  });
  return {
    ...instance,
    backplane,
    kill: async () => {
      isDead = true;
      await kill();
    },
  };
}

/** A client in the room `r`, and all that it was told of who is there. */
interface Person {
  readonly hub: ClientHub;
  readonly list: PresenceList;
  readonly differences: PresenceDifference[];
  now(): string[];
}

function enter(instance: Instance, subject: string): Person {
  const hub = openHub(instance.server.url, 'chat', { auth: { subject }, forceNew: true });
  opened.push({ close: async () => hub.close() });
  const differences: PresenceDifference[] = [];
  hub.join('r', { onMessage: () => undefined });
  const list = hub.presence('r', (_members, difference) => differences.push(difference));
  return { hub, list, differences, now: () => [...list.members].sort() };
}

async function untilAllSee(people: readonly Person[], subjects: readonly string[]): Promise<void> {
  const expected = [...subjects].sort().join();
  await eventually(`all to see ${expected}`, () => people.every(({ now }) => now().join() === expected));
}

const leftOf = (people: readonly Person[]) =>
  people.flatMap(({ differences }) => differences.flatMap(({ left }) => left));

test('alone: members see who comes, and who is gone for longer than the grace', async () => {
  const instance = await startAlone();
  const ann = enter(instance, 'ann');
  const bob = enter(instance, 'bob');
  const second = enter(instance, 'bob');
  await untilAllSee([ann, bob, second], ['ann', 'bob']);
  bob.hub.close();
  await delay(graceMs + 1_200);
  expect(ann.now()).toEqual(['ann', 'bob']);
  second.hub.leave('r');
  await untilAllSee([ann], ['ann']);
});

describeOnEachRedis('over instances', (own) => {
  beforeEach(() => {
    deployment = `d${deploymentCount++}`;
  });

  test('over instances: an instance dies, and who does not come back elsewhere has left', async () => {
    const [one, two] = [await startJoined(own.url, 'one'), await startJoined(own.url, 'two')];
    const ann = enter(one, 'ann');
    const bob = enter(two, 'bob');
    const cid = enter(two, 'cid');
    await untilAllSee([ann, bob, cid], ['ann', 'bob', 'cid']);
    const before = ann.differences.length;
    await two.kill();
    cid.hub.close();
    const again = enter(one, 'bob');
    await untilAllSee([ann, again], ['ann', 'bob']);
    expect(ann.differences.slice(before)).toEqual([{ joined: [], left: ['cid'] }]);
  });

  test('an instance that leaves in order: who moves is never told', async () => {
    const [one, two] = [await startJoined(own.url, 'one'), await startJoined(own.url, 'two')];
    const ann = enter(one, 'ann');
    const bob = enter(two, 'bob');
    await untilAllSee([ann, bob], ['ann', 'bob']);
    const before = ann.differences.length;
    await two.presence.close();
    await two.leases.close();
    bob.hub.close();
    const again = enter(one, 'bob');
    await untilAllSee([again], ['ann', 'bob']);
    await delay(graceMs + 1_500);
    expect([ann.differences.slice(before), again.now()]).toEqual([[], ['ann', 'bob']]);
  });

  test('an instance is taken for dead, and who releases it dies over that: its people are not told to have left', async () => {
    const [one, two] = [await startJoined(own.url, 'one'), await startJoined(own.url, 'two')];
    const [ann, bob] = [enter(one, 'ann'), enter(two, 'bob')];
    await untilAllSee([ann, bob], ['ann', 'bob']);
    const before = ann.differences.length;
    const name = two.leases.owner;
    const { of, leaving } = presenceKeys(deployment, 'chat', 'r');
    await eventually('bob to be registered', () => own.at(of(name)).exists(of(name)).then(Boolean));
    const { owners, dead } = leaseKeys(deployment);
    // Handed out once, to one that does nothing more than this.
    await own
      .at(dead)
      .multi()
      .zrem(owners, name)
      .zadd(dead, Date.now() + 600_000, name)
      .exec();
    const store = openRedisPresence({ links: own.links, deployment });
    await store.open({ hub: 'chat', broadcast: () => undefined, graceMs }).release(name, 600_000, 'all');
    await eventually('another name', () => two.leases.owner !== name && two.leases.isHeld);
    const mine = () => own.at(of(two.leases.owner)).exists(of(two.leases.owner));
    await eventually('bob to be registered again', () => mine().then(Boolean));
    expect(await own.at(leaving).zcard(leaving)).toBe(0);
    expect([ann.differences.slice(before), ann.now(), bob.now()]).toEqual([
      [],
      ['ann', 'bob'],
      ['ann', 'bob'],
    ]);
  });

  test('an instance whose lease was lost registers again under another name: nobody is told', async () => {
    const [one, two] = [await startJoined(own.url, 'one'), await startJoined(own.url, 'two')];
    const ann = enter(one, 'ann');
    const bob = enter(two, 'bob');
    await untilAllSee([ann, bob], ['ann', 'bob']);
    await eventually('the list to be whole', () => ann.list.members.length === 2);
    const before = ann.differences.length;
    const name = two.leases.owner;
    const { owners } = leaseKeys(deployment);
    await own.at(owners).zrem(owners, name);
    await eventually('another name', () => two.leases.owner !== name);
    const { of } = presenceKeys(deployment, 'chat', 'r');
    const registeredBy = (owner: string) => own.at(of(owner)).smembers(of(owner));
    await eventually('the old name to be released, and the new one to be registered', async () => {
      const [old, now] = [await registeredBy(name), await registeredBy(two.leases.owner)];
      return old.length === 0 && now.length === 1;
    });
    await delay(graceMs + 1_500);
    expect([ann.differences.slice(before), ann.now(), bob.now()]).toEqual([
      [],
      ['ann', 'bob'],
      ['ann', 'bob'],
    ]);
    bob.hub.close();
    await untilAllSee([ann], ['ann']);
  });
});

test('Redis restarts empty: nobody is told to have left', async () => {
  const port = await freePort();
  const first = await startRedis([], port);
  opened.push({ close: () => first.stop() });
  const instances = [
    await startJoined(first.url, 'one', 4_000),
    await startJoined(first.url, 'two', 4_000),
  ] as const;
  const people = ['ann', 'bob', 'cid'].map((name, turn) => enter(instances[turn % 2] as Instance, name));
  await untilAllSee(people, ['ann', 'bob', 'cid']);
  await first.stop();
  const leaver = people.pop() as Person;
  const late = enter(instances[0], 'dan');
  await eventually('the instances to know that Redis is away', () =>
    instances.every(({ backplane }) => backplane?.status === 'degraded'),
  );
  leaver.hub.close();
  // Whoever asks too early must not be told of half of them.
  const asking = setInterval(() => {
    for (const { list } of people) list.ask();
  }, 20);
  opened.push({ close: async () => clearInterval(asking) });
  const second = await startRedis([], port);
  opened.push({ close: () => second.stop() });
  await untilAllSee([...people, late], ['ann', 'bob', 'dan']);
  expect(new Set(leftOf(people))).toEqual(new Set(['cid']));
});

test('what Redis has lost of it is registered again when the connection is', async () => {
  const redis = await startRedis();
  opened.push({ close: () => redis.stop() });
  const ann = enter(await startJoined(redis.url, 'one'), 'ann');
  const { counts } = presenceKeys(deployment, 'chat', 'r');
  const untilRegistered = () =>
    eventually('her entry', () => onRedis(redis.port, async (each) => (await each.hlen(counts)) === 1));
  await untilRegistered();
  await untilAllSee([ann], ['ann']);
  await onRedis(redis.port, async (connection) => {
    await connection.del(await connection.keys(`${deployment}:*:presence:*`));
    await connection.call('CLIENT', 'KILL', 'SKIPME', 'yes');
  });
  await untilRegistered();
  expect(leftOf([ann])).toEqual([]);
});

test('a room that nobody is registered in: those of this instance, as a part', async () => {
  const { presence } = await startAlone();
  expect(await presence.members('r')).toEqual({ epoch: '', version: 0, members: [], partial: true });
});

test('only members of the room may ask', async () => {
  const instance = await startAlone();
  const hub = openHub(instance.server.url, 'chat', { auth: { subject: 'eve' }, forceNew: true });
  opened.push({ close: async () => hub.close() });
  await eventually('the connection', () => hub.socket.connected);
  const refused = await hub.socket.emitWithAck('presence', { room: 'r' });
  expect(refused).toMatchObject({ ok: false, error: { code: 'forbidden' } });
});
