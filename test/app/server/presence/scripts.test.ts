import { setTimeout as delay } from 'node:timers/promises';
import type { Redis } from 'ioredis';
import type { PresenceChange } from '../../../../app/protocol/hub.ts';
import { leaseKeys, openRedisLeases } from '../../../../app/server/leases/redis-leases.ts';
import { presenceKeys } from '../../../../app/server/presence/keys.ts';
import { openRedisPresence } from '../../../../app/server/presence/redis-presence.ts';
import { testPresencePermissions } from '../../../../app/server/presence/self-test.ts';
import type { HubPresence } from '../../../../app/server/presence/store.ts';
import { renderAcl, serviceAcl } from '../../../../app/server/redis/acl.ts';
import type { RedisLink } from '../../../../app/server/redis/connection/link.ts';
import { linksOver, linkTo, silent, useRedis } from '../../../support/redis/link.ts';
import { connectRedis } from '../../../support/redis/redis-client.ts';
import { eventually } from '../../../support/wait.ts';

/** What only Redis can do to presence. */

const quietMs = 600;
const own = useRedis();
let redis: Redis;
let deployment = '';
let presence: HubPresence;
let count = 0;

beforeAll(() => {
  redis = own.redis;
});

beforeEach(async () => {
  count += 1;
  deployment = `d${count}`;
  await redis.zadd(leaseKeys(deployment).owners, Date.now() + 60_000, 'a');
  const { links } = own;
  presence = openRedisPresence({ links, deployment, quietMs }).open({
    hub: 'chat',
    broadcast: () => undefined,
    graceMs: 0,
  });
});

const ann = { owner: 'a', joined: ['ann'], left: [] };

test('an owner without a lease registers nothing', async () => {
  await redis.del(leaseKeys(deployment).owners);
  expect(await presence.change('r', ann)).toBe(false);
  expect(await redis.keys(`${deployment}:*`)).toEqual([]);
});

test('Redis came back empty: nobody is told, and nobody is answered, before all could register again', async () => {
  const changes: PresenceChange[] = [];
  const listener = await connectRedis(own.server.port);
  listener.on('smessage', (_channel, text: string) => changes.push(JSON.parse(text.slice(1)).payload));
  await listener.ssubscribe(presenceKeys(deployment, 'chat', 'r').channel);
  await redis.hset(leaseKeys(deployment).beat, 'since', Date.now());
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
  listener.disconnect();
  const { epoch, version, members } = await presence.members('r');
  expect(changes).toEqual([{ room: 'r', epoch, version, joined: [], left: [] }]);
  expect([...(members ?? [])].sort()).toEqual(['ann', 'bob']);
});

test('another server, another epoch', async () => {
  await presence.change('r', ann);
  const before = await presence.members('r');
  await redis.hset(presenceKeys(deployment, 'chat', 'r').state, 'replid', 'of another server');
  await presence.change('r', { owner: 'a', joined: ['bob'], left: [] });
  const after = await presence.members('r');
  expect(after.epoch).not.toBe(before.epoch);
  expect(after.version).toBe(before.version + 1);
});

test('one caller in a beat looks after what is due', async () => {
  await presence.change('r', ann);
  await presence.change('r', { owner: 'a', joined: [], left: ['ann'] });
  await delay(20);
  await Promise.all(Array.from({ length: 20 }, () => presence.publishDue()));
  expect(await presence.members('r')).toMatchObject({ version: 2, members: [] });
});

test('every key has an age, and a room that is left leaves only its state', async () => {
  await presence.change('r', { owner: 'a', joined: ['ann', 'bob'], left: [] });
  await presence.change('r', { owner: 'a', joined: [], left: ['ann'] });
  await presence.registered('r', 'a');
  for (const key of await redis.keys(`${deployment}:*presence*`)) {
    expect([key, (await redis.pttl(key)) > 0]).toEqual([key, true]);
  }
  await presence.release('a', 0, 'own');
  await eventually('all to be told', async () => {
    await presence.publishDue();
    return (await presence.members('r')).members?.length === 0;
  });
  const { state } = presenceKeys(deployment, 'chat', 'r');
  const left = (await redis.keys(`${deployment}:*presence*`)).filter((key) => !key.endsWith(':beat'));
  expect(left).toEqual([state]);
  // An hour of joins and leaves would stay otherwise.
  expect(await redis.pttl(state)).toBeLessThanOrEqual(5_000);
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
  for (const key of await redis.keys(`${deployment}:presence:*`)) {
    expect([key, (await redis.pttl(key)) > 0]).toEqual([key, true]);
  }
});
