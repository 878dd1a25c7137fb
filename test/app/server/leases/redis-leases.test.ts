import { setTimeout as delay } from 'node:timers/promises';
import { fenceKey } from '../../../../app/server/leases/fence.ts';
import { type Leases, nextOwner, startOf } from '../../../../app/server/leases/leases.ts';
import { type LeaseTimes, leaseKeys, openRedisLeases } from '../../../../app/server/leases/redis-leases.ts';
import { bucketTags } from '../../../../app/server/redis/buckets.ts';
import type { RedisLink } from '../../../../app/server/redis/connection/link.ts';
import { freePort } from '../../../../lib/local/processes/ports.ts';
import { TcpForwarder } from '../../../support/network/tcp-forwarder.ts';
import { linksOver, linkTo, silent } from '../../../support/redis/link.ts';
import { startRedis, type TestRedis } from '../../../support/redis/redis.ts';
import { onRedis } from '../../../support/redis/redis-client.ts';
import { eventually } from '../../../support/wait.ts';

const quick: Partial<LeaseTimes> = {
  beatEveryMs: 100,
  leaseMs: 1_000,
  longestGapMs: 500,
  quietMs: 1_000,
  handOutAgainMs: 300,
};

interface Member {
  readonly leases: Leases;
  readonly link: RedisLink;
  /** Owners whose death it was told. */
  readonly dead: string[];
  renewals: number;
}

const opened: { close(): Promise<void> }[] = [];

afterEach(async () => {
  for (const each of opened.splice(0).reverse()) await each.close();
});

async function startServer(port?: number): Promise<TestRedis> {
  const server = await startRedis([], port);
  opened.push({ close: () => server.stop() });
  return server;
}

async function open(port: number, times = quick): Promise<Member> {
  const link = await linkTo(`127.0.0.1:${port}`);
  const leases = openRedisLeases({
    links: linksOver(link),
    deployment: 'd',
    instance: 'i',
    log: silent,
    times,
  });
  const member: Member = { leases, link, dead: [], renewals: 0 };
  leases.onExpired(async (owner) => {
    member.dead.push(owner);
  });
  leases.onRenewed(() => {
    member.renewals += 1;
  });
  opened.push({ close: () => kill(member) });
  await eventually('the lease', async () => (await owners(port)).includes(leases.owner));
  return member;
}

/** No word to anyone. */
async function kill({ leases, link }: Member): Promise<void> {
  await link.close();
  await leases.close();
}

function owners(port: number): Promise<string[]> {
  return onRedis(port, (redis) => redis.zrange(leaseKeys('d').owners, '0', '-1'));
}

function deadOwners(port: number): Promise<string[]> {
  return onRedis(port, (redis) => redis.zrange(leaseKeys('d').dead, '0', '-1'));
}

test('a dead owner is handled once by those who live, and forgotten', async () => {
  const { port } = await startServer();
  const [a, b, doomed] = [await open(port), await open(port), await open(port)];
  await kill(doomed);
  await eventually('its death to be handled', () => a.dead.length + b.dead.length > 0);
  await eventually('it to be forgotten', async () => (await deadOwners(port)).length === 0);
  await delay(1_000);
  expect([...a.dead, ...b.dead]).toEqual([doomed.leases.owner]);
  expect((await owners(port)).sort()).toEqual([a.leases.owner, b.leases.owner].sort());
});

test('Redis stalls for longer than a lease: who lives is not swept, who died meanwhile is', async () => {
  const server = await startServer();
  const living = [await open(server.port), await open(server.port), await open(server.port)];
  const doomed = await open(server.port);
  server.process.kill('SIGSTOP');
  await kill(doomed);
  await delay(2_000);
  server.process.kill('SIGCONT');
  const expired = () => living.flatMap(({ dead }) => dead);
  await eventually('the death to be handled', () => expired().length > 0);
  await delay(500);
  expect(expired()).toEqual([doomed.leases.owner]);
  expect(living.map(({ renewals }) => renewals)).toEqual([0, 0, 0]);
});

test('a handler that throws is called again', async () => {
  const { port } = await startServer();
  const a = await open(port);
  const doomed = await open(port);
  let calls = 0;
  a.leases.onExpired(async () => {
    calls += 1;
    if (calls < 3) throw new Error('not now');
  });
  await kill(doomed);
  await eventually('the third call', () => calls === 3);
  await delay(1_000);
  expect(calls).toBe(3);
});

test('one that was cut off goes on under a new name at once, though its death is not handled yet', async () => {
  const { port } = await startServer();
  // Handed out once: the one that comes back could handle its own death.
  const times = { ...quick, handOutAgainMs: 600_000 };
  const a = await open(port, times);
  const network = await TcpForwarder.open(() => [port]);
  opened.push({ close: () => network.close() });
  const cutOff = await open(network.port, times);
  const { owner } = cutOff.leases;
  const names: string[] = [];
  cutOff.leases.onRenewed(() => names.push(cutOff.leases.owner));
  let finish: () => void = () => undefined;
  a.leases.onExpired(() => new Promise((resolve) => (finish = resolve)));
  network.refuse(true);
  await eventually('its death to be handled', () => a.dead.length === 1);
  network.refuse(false);
  await eventually('it to be told', () => cutOff.renewals === 1);
  expect(names).toEqual([nextOwner(owner)]);
  expect(startOf(cutOff.leases.owner)).toBe(owner);
  expect((await owners(port)).sort()).toEqual([a.leases.owner, cutOff.leases.owner].sort());
  finish();
  await eventually('the old name to be forgotten', async () => (await deadOwners(port)).length === 0);
  expect(a.dead).toEqual([owner]);
});

test('Redis restarted empty: every owner goes on under a new name, and the old ones are taken back', async () => {
  const port = await freePort();
  const first = await startServer(port);
  const members = [await open(port), await open(port)];
  const before = members.map(({ leases }) => leases.owner);
  await first.stop();
  await startServer(port);
  await eventually('all to be told', () => members.every(({ renewals }) => renewals === 1));
  const after = members.map(({ leases }) => leases.owner);
  expect(after).toEqual(before.map(nextOwner));
  expect((await owners(port)).sort()).toEqual([...after].sort());
  const dead = () => members.flatMap((member) => member.dead);
  await eventually('the old names to be taken back', () => dead().length >= 2);
  expect([...new Set(dead())].sort()).toEqual([...before].sort());
});

test('a dead owner can write nothing more in any bucket by the time that it is handled', async () => {
  const { port } = await startServer();
  const [a, doomed] = [await open(port), await open(port)];
  let fenced: (string | null)[] = [];
  a.leases.onExpired(async (owner) => {
    fenced = await onRedis(port, (redis) =>
      Promise.all(bucketTags.map((bucket) => redis.zscore(fenceKey('d', bucket), owner))),
    );
  });
  await kill(doomed);
  await eventually('its death to be handled', () => fenced.length > 0);
  expect(fenced.filter((score) => score === null)).toEqual([]);
});

test('a handler that throws keeps no other one from being called', async () => {
  const { port } = await startServer();
  const times = { ...quick, handOutAgainMs: 600_000 };
  const [a, doomed] = [await open(port, times), await open(port, times)];
  let ends: () => void = () => undefined;
  ends = a.leases.onExpired(async () => {
    ends();
    throw new Error('not now');
  });
  let isCalled = false;
  a.leases.onExpired(async () => {
    isCalled = true;
  });
  await kill(doomed);
  await eventually('the other one to be called', () => isCalled);
  expect(await deadOwners(port)).toEqual([doomed.leases.owner]);
});

test('a lease that is given back is handled without the wait for its end', async () => {
  const { port } = await startServer();
  const times = { ...quick, leaseMs: 600_000 };
  const [a, leaving] = [await open(port, times), await open(port, times)];
  await leaving.leases.close();
  await eventually('its end to be handled', () => a.dead.includes(leaving.leases.owner));
});

test('Redis away: nothing throws, and a lease can be closed', async () => {
  const server = await startServer();
  const a = await open(server.port);
  await server.stop();
  await delay(500);
  await a.leases.close();
  await a.leases.close();
});
