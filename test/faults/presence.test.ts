import { createHash } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { io, type Socket } from 'socket.io-client';
import { openHub } from '../../app/client/hub.ts';
import type { PresenceDifference } from '../../app/client/presence.ts';
import { environmentNames } from '../../app/names.ts';
import type { PresenceChange, PresenceReply } from '../../app/protocol/hub.ts';
import { describeInFull } from '../support/full-runs.ts';
import { startRedis } from '../support/redis/redis.ts';
import { scaled } from '../support/scale.ts';
import { Cluster } from '../support/servers/cluster.ts';
import { startInstance, type TestInstance } from '../support/servers/service.ts';
import { eventually } from '../support/wait.ts';

const each = scaled(50, 500);
const moving = scaled(10, 100);
const room = 'square';
const mostMessages = 10;
/** The service's own. */
const graceMs = 10_000;

/** A plain client, and what it heard of who is there. */
interface Person {
  readonly name: string;
  readonly socket: Socket;
  changes: PresenceChange[];
}

const ends: (() => unknown)[] = [];

afterAll(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

/**
 * Many clients are in one room (1,000 in full), half of them on each of two instances. One instance is killed, and a
 * fifth of its clients come back on the other one within the grace. In at most 10 messages, everyone is notified that
 * the others have left. Nobody who moved is reported as left or joined.
 */
test.concurrent('SIGKILL of an instance: who is gone is reported once, who moved is not', async () => {
  const redis = await startRedis();
  ends.push(() => redis.stop());
  const start = async (id: string) => {
    const started = await startInstance(id, { [environmentNames.redisUrl]: redis.url });
    ends.push(() => started.kill('SIGKILL'));
    return started;
  };
  const [survivor, doomed] = await Promise.all([start('survivor'), start('doomed')]);
  const staying = await enterAll(survivor, 'staying', each);
  const lost = await enterAll(doomed, 'lost', each);
  const [watcher] = staying as [Person, ...Person[]];
  await eventually('all to be known', async () => (await membersOf(watcher)).length === 2 * each);
  const list = await follow(survivor);
  await eventually('the list', () => list.members.length === 2 * each + 1);
  // The changes of the last who came are under way.
  await delay(500);

  const known = new Map(lost.map(({ name }) => [subjectOf(name), name]));
  const movingNames = new Set(lost.slice(0, moving).map(({ name }) => name));
  for (const person of staying) person.changes = [];
  const killedAt = Date.now();
  await doomed.kill('SIGKILL');
  for (const { socket } of lost) socket.close();
  const moved = Promise.all(
    [...movingNames].map((name) => delay(200 + Math.random() * 4_000).then(() => enter(survivor, name))),
  );

  const gone = 2 * each - each - moving;
  const leftOf = ({ changes }: Person) => changes.flatMap(({ left }) => left);
  await eventually('the leaves to be reported', () =>
    staying.every((person) => leftOf(person).length >= gone),
  );
  const notifiedAfterMs = Date.now() - killedAt;
  await moved;
  await eventually('the list to be right', () => list.members.length === each + moving + 1);
  await delay(2_000);

  const messages = Math.max(...staying.map(({ changes }) => changes.length));
  console.info(
    `${gone} leaves reported to ${each} clients after ${notifiedAfterMs} ms, in ${messages} messages at most each`,
  );
  for (const person of staying) {
    const names = leftOf(person).map((one) => known.get(one) ?? one);
    expect(names.filter((name) => movingNames.has(name))).toEqual([]);
    expect(new Set(names).size).toBe(gone);
    expect(names).toHaveLength(gone);
    expect(person.changes.flatMap(({ joined }) => joined).filter((one) => known.has(one))).toEqual([]);
  }
  expect((await membersOf(watcher)).length).toBe(each + moving + 1);
  expect(messages).toBeLessThanOrEqual(mostMessages);
});

describeInFull('faults', 'an instance that leaves', () => {
  /**
   * One of two instances ends in order (SIGTERM). Its 60 clients come back on the other one by themselves, and nobody is
   * notified that anybody left or joined, neither within the grace nor after it.
   */
  test.concurrent('SIGTERM of an instance: nobody is reported as left or joined', async () => {
    const redis = await startRedis();
    ends.push(() => redis.stop());
    const cluster = await Cluster.start({ instances: 2, redis: redis.url });
    ends.push(() => cluster.stop());
    const count = 60;
    const notified: PresenceDifference[] = [];
    const lists = Array.from({ length: count }, () => {
      const hub = cluster.openHub();
      hub.join(room, { onMessage: () => undefined });
      return hub.presence(room, (_members, difference) => notified.push(difference));
    });
    const allSeeAll = () => lists.every(({ members }) => members.length === count);
    await eventually('all to see all', allSeeAll);
    notified.length = 0;
    await cluster.remove(cluster.instances[0] as TestInstance, 'SIGTERM');
    await delay(graceMs + 3_000);
    expect(notified).toEqual([]);
    expect(allSeeAll()).toBe(true);
  });
});

/** What the service makes of a client's own secret where nothing authenticates it. */
function subjectOf(client: string): string {
  return createHash('sha256').update(client).digest('base64url').slice(0, 20);
}

async function enterAll(instance: TestInstance, kind: string, count: number): Promise<Person[]> {
  const people: Person[] = [];
  for (let start = 0; start < count; start += 50) {
    const names = Array.from({ length: 50 }, (_, index) => `${kind} ${start + index}`);
    people.push(...(await Promise.all(names.map((name) => enter(instance, name)))));
  }
  return people;
}

async function enter(instance: TestInstance, name: string): Promise<Person> {
  const options = { transports: ['websocket'], forceNew: true, reconnection: false, auth: { client: name } };
  const socket = io(`${instance.url}/chat`, options);
  ends.push(() => socket.close());
  const person: Person = { name, socket, changes: [] };
  socket.on('presence', (change: PresenceChange) => person.changes.push(change));
  await new Promise<void>((resolve, reject) => {
    socket.once('connect', resolve);
    socket.once('connect_error', reject);
  });
  const answer = await socket.emitWithAck('join', { room });
  expect(answer.ok).toBe(true);
  return person;
}

async function membersOf({ socket }: Person): Promise<readonly string[]> {
  const answer = (await socket.emitWithAck('presence', { room })) as PresenceReply;
  return answer.partial ? [] : (answer.members ?? []);
}

/** A client with the list that `app/client` keeps. */
async function follow({ url }: TestInstance) {
  const hub = openHub(url, 'chat', { forceNew: true });
  ends.push(() => hub.close());
  const joined = hub.join(room, { onMessage: () => undefined });
  await eventually('the connection', () => hub.state === 'connected');
  await joined.joined;
  return hub.presence(room, () => undefined);
}
