import { setTimeout as delay } from 'node:timers/promises';
import type { Redis } from 'ioredis';
import type { PresenceChange } from '../../../../app/protocol/hub.ts';
import { fenceEverywhere, fenceKey } from '../../../../app/server/leases/fence.ts';
import { leaseKeys, openRedisLeases } from '../../../../app/server/leases/redis-leases.ts';
import { bucketPresenceKeys, presenceKeys } from '../../../../app/server/presence/keys.ts';
import {
  openRedisPresence,
  type RedisPresenceOptions,
} from '../../../../app/server/presence/redis-presence.ts';
import { testPresencePermissions } from '../../../../app/server/presence/self-test.ts';
import type { HubPresence } from '../../../../app/server/presence/store.ts';
import { renderAcl, serviceAcl } from '../../../../app/server/redis/acl.ts';
import { bucketOf, bucketTags } from '../../../../app/server/redis/buckets.ts';
import type { RedisLink } from '../../../../app/server/redis/connection/link.ts';
import { linksOver, linkTo, silent, useRedis } from '../../../support/redis/link.ts';
import { describeOnEachRedis } from '../../../support/redis/redis-kinds.ts';
import { eventually } from '../../../support/wait.ts';

/** What only Redis can do to presence. */

const quietMs = 600;
let count = 0;

describeOnEachRedis('presence', (own) => {
  let deployment = '';
  let presence: HubPresence;

  beforeEach(() => {
    count += 1;
    deployment = `d${count}`;
    presence = open();
  });

  const open = (options: Partial<RedisPresenceOptions> = {}) =>
    openRedisPresence({ links: own.links, deployment, quietMs: 0, ...options }).open({
      hub: 'chat',
      broadcast: () => undefined,
      graceMs: 0,
    });
  const ann = { owner: 'a', joined: ['ann'], left: [] };
  const keysOf = (room: string) => bucketPresenceKeys(deployment, bucketOf('chat', room));
  const membersOf = async (room: string) => [...((await presence.members(room)).members ?? [])].sort();

  test('a dead owner registers nothing, neither where it did before nor anywhere else', async () => {
    await presence.change('r', ann);
    await fenceEverywhere({ links: own.links, deployment, owner: 'a', keptMs: 60_000 });
    await presence.release('a', 0, 'all');
    const before = (await own.keys(`${deployment}:*`)).sort();
    for (const room of ['r', 'another', 'third']) expect(await presence.change(room, ann)).toBe(false);
    expect((await own.keys(`${deployment}:*`)).sort()).toEqual(before);
    expect(await presence.change('r', { ...ann, owner: 'b' })).toBe(true);
  });

  test('a bucket forgets whom it fenced long ago', async () => {
    const fence = (owner: string) =>
      fenceEverywhere({ links: own.links, deployment, owner, keptMs: 3_600_000 });
    const key = fenceKey(deployment, bucketOf('chat', 'r'));
    for (const owner of ['old', 'new']) await fence(owner);
    await own.at(key).zadd(key, Date.now() - 3_700_000, 'old');
    await fence('last');
    expect(await own.at(key).zrange(key, '0', '-1')).toEqual(['new', 'last']);
    expect(await own.at(key).pttl(key)).toBeGreaterThan(0);
  });

  test('Redis came back empty: nobody is told, and nobody is answered, before all could register again', async () => {
    presence = open({ quietMs });
    const changes: PresenceChange[] = [];
    const { channel } = presenceKeys(deployment, 'chat', 'r');
    const end = await own.listen(channel, (text) => changes.push(JSON.parse(text.slice(1)).payload));
    await presence.change('r', ann);
    await expect(presence.members('r')).rejects.toThrow('came back empty');
    await presence.change('r', { owner: 'a', joined: ['bob'], left: [] });
    await presence.publishDue();
    expect(changes).toEqual([]);
    await delay(quietMs);
    await eventually('an empty difference', async () => {
      await presence.publishDue();
      return changes.length === 1;
    });
    end();
    const { epoch, version, members } = await presence.members('r');
    expect(changes).toEqual([{ room: 'r', epoch, version, joined: [], left: [] }]);
    expect([...(members ?? [])].sort()).toEqual(['ann', 'bob']);
  });

  test('a bucket that was looked at is known: a new room in it is told at once', async () => {
    presence = open({ quietMs });
    await presence.publishDue();
    const { since } = keysOf('r');
    expect(await own.at(since).pttl(since)).toBeGreaterThan(0);
    await delay(quietMs);
    await presence.change('r', ann);
    expect(await membersOf('r')).toEqual(['ann']);
  });

  test('another server, another epoch', async () => {
    await presence.change('r', ann);
    const before = await presence.members('r');
    const { state } = presenceKeys(deployment, 'chat', 'r');
    await own.at(state).hset(state, 'replid', 'of another server');
    await presence.change('r', { owner: 'a', joined: ['bob'], left: [] });
    const after = await presence.members('r');
    expect(after.epoch).not.toBe(before.epoch);
    expect(after.version).toBe(before.version + 1);
  });

  test('many hubs and instances at once: what is due is told once', async () => {
    await presence.change('r', ann);
    await presence.change('r', { owner: 'a', joined: [], left: ['ann'] });
    await delay(20);
    await Promise.all(Array.from({ length: 20 }, () => open().publishDue()));
    expect(await presence.members('r')).toMatchObject({ version: 2, members: [] });
  });

  test('whom the leases have lost leaves when it compared nothing for too long; who compares stays', async () => {
    await presence.change('r', ann);
    await presence.change('r', { owner: 'b', joined: ['bob', 'ann'], left: [] });
    const { compared, placesOf } = keysOf('r');
    await own.at(compared).zadd(compared, Date.now() - 3_600_000, 'a');
    await presence.registered('r', 'b');
    const seconds = jest.spyOn(Date, 'now');
    seconds.mockReturnValue(bucketTags.indexOf(bucketOf('chat', 'r')) * 1_000);
    await presence.publishDue();
    seconds.mockRestore();
    expect(await presence.registered('r', 'a')).toEqual([]);
    expect((await presence.registered('r', 'b')).sort()).toEqual(['ann', 'bob']);
    expect(await own.at(compared).zrange(compared, '0', '-1')).toEqual(['b']);
    expect(await own.at(compared).exists(placesOf('a'))).toBe(0);
  });

  test('one shard is away: the rooms of the others are released and told, and the fault is said', async () => {
    const rooms = Array.from({ length: 30 }, (_, index) => `room ${index}`);
    for (const room of rooms) await presence.change(room, ann);
    const away = new Set(rooms.slice(0, 10).map((room) => bucketOf('chat', room)));
    const isAway = (key: string) => [...away].some((bucket) => key.includes(`{${bucket}}`));
    const shardOf = (key: string) => (isAway(key) ? undefined : own.links.shardOf(key));
    const some = open({ links: { ...own.links, shardOf } });
    await expect(some.release('a', 0, 'all')).rejects.toThrow('Redis is away');
    await expect(some.publishDue()).rejects.toThrow('Redis is away');
    const left = async () => {
      const lists = await Promise.all(rooms.map(membersOf));
      return rooms.filter((_, index) => lists[index]?.length === 0);
    };
    const reachable = rooms.filter((room) => !away.has(bucketOf('chat', room)));
    expect(await left()).toEqual(reachable);
    await open().release('a', 0, 'all');
    await eventually('all to be told', async () => {
      await open().publishDue();
      return (await left()).length === rooms.length;
    });
  });

  test('every key has an age, and a room that is left leaves only its state', async () => {
    await presence.change('r', { owner: 'a', joined: ['ann', 'bob'], left: [] });
    await presence.change('r', { owner: 'a', joined: [], left: ['ann'] });
    await presence.registered('r', 'a');
    await presence.publishDue();
    const all = await own.keys(`${deployment}:*presence*`);
    expect(all.length).toBeGreaterThan(bucketTags.length);
    // -1: it has no age. One that is gone by now had one.
    for (const key of all) expect([key, await own.at(key).pttl(key)]).not.toEqual([key, -1]);
    await presence.release('a', 0, 'own');
    await eventually('all to be told', async () => {
      await presence.publishDue();
      return (await presence.members('r')).members?.length === 0;
    });
    const { state } = presenceKeys(deployment, 'chat', 'r');
    const left = (await own.keys(`${deployment}:*presence*`)).filter((key) => !/:(look|since)$/.test(key));
    // On a busy machine that is gone by now, too.
    expect(left.filter((key) => key !== state)).toEqual([]);
    // An hour of joins and leaves would stay otherwise.
    expect(await own.at(state).pttl(state)).toBeLessThanOrEqual(5_000);
  });
});

const own = useRedis();
let redis: Redis;
let deployment = '';

beforeEach(() => {
  redis = own.redis;
  count += 1;
  deployment = `d${count}`;
});

/** A connection as a user with these rules. */
async function connectAs(rules: string): Promise<RedisLink> {
  await redis.call('ACL', 'SETUSER', 'u', 'reset', '>secret', ...rules.split(' '));
  return linkTo(`redis://u:secret@127.0.0.1:${own.server.port}`);
}

test('the permissions of the service suffice', async () => {
  const limited = await connectAs(renderAcl(serviceAcl(deployment)));
  await testPresencePermissions(limited.connection as Redis, deployment, 'i');
  const links = linksOver(limited);
  const its = openRedisPresence({ links, deployment, quietMs: 0 }).open({
    hub: 'chat',
    broadcast: () => undefined,
    graceMs: 0,
  });
  const leases = openRedisLeases({ links, deployment, instance: 'i', log: silent });
  await eventually(
    'the lease',
    async () => (await redis.zscore(leaseKeys(deployment).owners, leases.owner)) !== null,
  );
  await its.change('r', { owner: leases.owner, joined: ['ann', 'bob'], left: [] });
  expect(await its.registered('r', leases.owner)).toHaveLength(2);
  await its.release(leases.owner, 0, 'all');
  await eventually('both to be told', async () => {
    await its.publishDue();
    return (await its.members('r')).members?.length === 0;
  });
  await leases.close();
  expect(await redis.zcard(leaseKeys(deployment).dead)).toBe(1);
  await limited.close();
});

test('a permission that is missing shows by name, and a self-test leaves nothing for good', async () => {
  const limited = await connectAs('on ~* &* +@all -zadd -spop');
  const connection = limited.connection as Redis;
  await expect(testPresencePermissions(connection, deployment, 'i')).rejects.toThrow(
    /^NOPERM spop: .*; zadd: /,
  );
  await limited.close();
  await testPresencePermissions(redis, deployment, 'i');
  for (const key of await redis.keys(`${deployment}:*presence:*`)) {
    expect([key, (await redis.pttl(key)) > 0]).toEqual([key, true]);
  }
});
