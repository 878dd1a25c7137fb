import { liveNodes, readNode } from '../../../livekit/config/live-nodes.ts';

/** `livekit.Node` with id `ND_1`, ip `10.0.0.1`, and stats of 1,700,000,000 with 300 clients, draining. */
const record = (updatedAt = 1_700_000_000) => {
  const stats = [0x10, ...varint(updatedAt), 0x20, ...varint(300)];
  const text = (field: number, value: string) => [field * 8 + 2, value.length, ...Buffer.from(value)];
  const unknown = [0x5d, 1, 2, 3, 4, 0x61, 1, 2, 3, 4, 5, 6, 7, 8];
  return Uint8Array.from([
    ...text(1, 'ND_1'),
    ...text(2, '10.0.0.1'),
    ...[0x22, stats.length, ...stats],
    ...[0x30, 2],
    ...unknown,
  ]);
};

test('a record is read, and unknown fields are skipped', () => {
  expect(readNode(record())).toEqual({
    id: 'ND_1',
    ip: '10.0.0.1',
    updatedAt: 1_700_000_000,
    state: 'draining',
    participants: 300,
  });
});

test('a node is live while its record is no older than five seconds', () => {
  const now = 1_700_000_004_000;
  expect(liveNodes([record(), record(1_699_999_998)], now).length).toBe(1);
  expect(liveNodes([], now)).toEqual([]);
});

test('bytes that are no record cause an error, and no endless loop', () => {
  for (let length = 1; length < 8; length += 1) {
    expect(() => readNode(record().subarray(0, record().length - length))).toThrow(RangeError);
  }
  expect(() => readNode(Uint8Array.from([0xff, ...new Array(12).fill(0xff)]))).toThrow(RangeError);
  expect(() => readNode(Uint8Array.from([0x0b]))).toThrow('of the unknown kind 3');
});

function varint(value: number): number[] {
  return value < 0x80 ? [value] : [(value % 0x80) + 0x80, ...varint(Math.floor(value / 0x80))];
}
