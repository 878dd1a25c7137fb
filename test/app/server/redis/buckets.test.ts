import {
  atHome,
  bucketOf,
  bucketTags,
  inBucket,
  roomPath,
  slotCount,
  slotOf,
} from '../../../../app/server/redis/buckets.ts';
import { roomKeys } from '../../../../app/server/rooms/keys.ts';
import { startPrimaries } from '../../../support/redis/primaries.ts';
import { onRedis } from '../../../support/redis/redis-client.ts';

test.each([1, 3, 4, 5, 6, 8, 16, 32])(
  '%d shards of equal size have as many buckets, give or take one',
  (shards) => {
    const counts = Array<number>(shards).fill(0);
    for (const tag of bucketTags) {
      const shard = Math.floor((slotOf(inBucket('d', tag)) * shards) / slotCount);
      counts[shard] = (counts[shard] as number) + 1;
    }
    expect(Math.max(...counts) - Math.min(...counts)).toBeLessThanOrEqual(1);
  },
);

test('rooms with like names spread over the buckets', () => {
  const counts = new Map<string, number>();
  for (let index = 0; index < 25_600; index += 1) {
    const bucket = bucketOf('chat', `room-${index}`);
    counts.set(bucket, (counts.get(bucket) ?? 0) + 1);
  }
  expect(counts.size).toBe(bucketTags.length);
  expect(Math.max(...counts.values())).toBeLessThan(200);
});

test('different rooms have different paths, whatever is in their names', () => {
  const pairs: readonly [string, string][] = [
    ['a', 'b/c'],
    ['a/b', 'c'],
    ['a', 'b}{c'],
    ['a%2Fb', 'c'],
    ['', 'a/b/c'],
  ];
  expect(new Set(pairs.map(([hub, room]) => roomPath(hub, room))).size).toBe(pairs.length);
});

test('slots are those of the server: of every bucket, of all that is a room’s, of home, of names without a tag', async () => {
  const [server] = await startPrimaries(1);
  try {
    const { id, ...room } = roomKeys('d', 'chat', 'a} {b');
    const names = [
      ...bucketTags.map((tag) => inBucket('d', tag, 'x')),
      ...Object.values(room),
      id('ann}', '{x'),
      atHome('d', 'leases'),
      'd:limit:{ann}',
      'd:instances',
    ];
    const slots = await onRedis(server?.port as number, (redis) =>
      Promise.all(names.map((name) => redis.cluster('KEYSLOT', name))),
    );
    expect(names.map(slotOf)).toEqual(slots);
    expect(new Set([...Object.values(room), id('ann}', '{x')].map(slotOf)).size).toBe(1);
  } finally {
    await server?.stop();
  }
});
