import { openMemoryLeases } from '../../../../app/server/leases/leases.ts';
import { openPresence, type Presence } from '../../../../app/server/presence/presence.ts';
import { openRedisPresence } from '../../../../app/server/presence/redis-presence.ts';
import type { HubPresence } from '../../../../app/server/presence/store.ts';
import type { OnReturn, WatchedRedis } from '../../../../app/server/redis/access.ts';
import { bucketOf } from '../../../../app/server/redis/buckets.ts';
import { silent, useRedis } from '../../../support/redis/link.ts';
import { eventually } from '../../../support/wait.ts';

const own = useRedis();
const leases = openMemoryLeases();
let presence: Presence;
let shared: HubPresence;
let away: string | undefined;
let returned: OnReturn;

beforeEach(() => {
  away = undefined;
  const isAway = (key: string) => away !== undefined && key.includes(`{${away}}`);
  const links: WatchedRedis = {
    shardOf: (key) => (isAway(key) ? undefined : own.links.shardOf(key)),
    onReturn: (listener) => {
      returned = listener;
      return () => undefined;
    },
  };
  const store = openRedisPresence({ links, deployment: 'd', quietMs: 0 });
  shared = store.open({ hub: 'chat', broadcast: () => undefined, graceMs: 0 });
  presence = openPresence({ store, hub: 'chat', leases, broadcast: () => undefined, log: silent });
});
afterEach(() => presence.close());

const bucket = bucketOf('chat', 'lost');
const others = Array.from({ length: 200 }, (_, index) => `room ${index}`).filter(
  (room) => bucketOf('chat', room) !== bucket,
);

const isRegistered = async (room: string) => (await shared.registered(room, leases.owner)).includes('ann');

test('a shard that is away keeps no room of another one from being registered, nor from being left', async () => {
  away = bucket;
  for (const room of ['lost', ...others]) presence.joined({ subject: 'ann' }, room);
  await eventually('the others', async () => (await Promise.all(others.map(isRegistered))).every(Boolean));
  for (const room of others) presence.left({ subject: 'ann' }, room);
  await eventually('them to be left', async () =>
    (await Promise.all(others.map(isRegistered))).every((each) => !each),
  );
  expect(await presence.members('lost')).toMatchObject({ partial: true, members: ['ann'] });
  away = undefined;
  await eventually('the lost one', () => isRegistered('lost'));
});

test('what a shard lost is registered again when it returns, and nothing else is compared', async () => {
  for (const room of ['lost', 'room 1']) presence.joined({ subject: 'ann' }, room);
  await eventually('both', async () => (await isRegistered('lost')) && (await isRegistered('room 1')));
  await own.redis.flushall();
  returned((key) => key.includes(`{${bucket}}`));
  await eventually('the lost one', () => isRegistered('lost'));
  expect(await isRegistered('room 1')).toBe(false);
});
