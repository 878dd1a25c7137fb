import { describeShards, roomsOnShards } from '../../../../lib/verify/clients/rooms-on-shards.ts';
import type { TopologyControl } from '../../../../lib/verify/target/target.ts';

const half = 8_192;

function controlOf(ranges: readonly (readonly [number, number])[]): TopologyControl {
  const shards = ranges.map((range, index) => ({ shard: index + 1, ranges: [range] }));
  return { shards: async () => shards } as unknown as TopologyControl;
}

const rooms = Array.from({ length: 40 }, (_, index) => ({ hub: 'chat', room: `room ${index}` }));

test('every room is on one shard, and about as many on each', async () => {
  const control = controlOf([
    [0, half - 1],
    [half, 2 * half - 1],
  ]);
  const [first, second] = await roomsOnShards({ control }, rooms);
  expect([...(first?.rooms ?? []), ...(second?.rooms ?? [])].sort()).toEqual(
    rooms.map(({ room }) => `chat/${room}`).sort(),
  );
  expect(first?.rooms.length).toBeGreaterThan(8);
  expect(second?.rooms.length).toBeGreaterThan(8);
});

test('one server, no room, or nobody to ask: there is nothing to say', async () => {
  expect(await roomsOnShards({}, rooms)).toEqual([]);
  expect(await roomsOnShards({ control: controlOf([]) }, rooms)).toEqual([]);
  expect(await roomsOnShards({ control: controlOf([[0, 16_383]]) }, [])).toEqual([]);
});

test('the line', () => {
  expect(
    describeShards([
      { shard: 1, rooms: ['chat/a', 'chat/b'] },
      { shard: 2, rooms: [] },
      { shard: 3, rooms: ['llm/c'] },
    ]),
  ).toBe('rooms of these checks, on 3 shards: 2 on shard 1, 0 on shard 2 and 1 on shard 3');
});
