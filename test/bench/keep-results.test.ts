import { measured } from '../../lib/cost/measured.ts';
import { measuredOf } from './keep-results.ts';

const machine = {
  date: '2026-11-27',
  processor: '2 × Some CPU',
  gigabytes: 8,
  platform: 'linux x64',
  node: '20.20.2',
  redis: 'redis 7.0.15',
  load: 0.1,
};
const delivery = {
  redisCpuPerPublish: 1,
  collections: { total: 1, longest: 1 },
  p50: 1.25,
  p99: 9.96,
  deliveries: 10,
  missing: 0,
};
const deliveries = new Map([
  [
    'floor',
    [
      { ...delivery, cpuPerDelivery: 8 },
      { ...delivery, cpuPerDelivery: 10 },
    ],
  ],
  [
    'ours',
    [
      { ...delivery, cpuPerDelivery: 12 },
      { ...delivery, cpuPerDelivery: 20 },
    ],
  ],
] as const);
const connection = { connections: 6_000, rssCollected: 1, heap: 1, rssInRoom: 1, heapInRoom: 1 };
const shard = { instanceCpuPerAppend: 1, p50: 1, p99: 1, connections: 2, rss: 1 };
const losses = { lost: 1, duplicated: 2, outOfOrder: 0, expected: 100, notified: 0 };
const results = {
  oneRoom: deliveries,
  smallRooms: deliveries,
  connections: new Map([
    ['floor', [{ ...connection, rss: 6_700, handshakeCpu: 100 }]],
    ['ours', [{ ...connection, rss: 13_100, handshakeCpu: 340 }]],
  ] as const),
  redis: [{ cpuPerAppend: 28.24, cpuPerPublish: 3, appends: 10 }],
  shards: new Map([
    [1, [{ ...shard, cpuPerAppend: 20 }]],
    [3, [{ ...shard, cpuPerAppend: 27 }]],
  ] as const),
  sigterm: new Map([['ours', [losses, losses]]] as const),
  sigkill: new Map([['ours', [losses]]] as const),
  signalr: {
    room: new Map([
      ['socketio', [{ ...delivery, cpuPerDelivery: 10 }]],
      ['signalr', [{ ...delivery, cpuPerDelivery: 13 }]],
    ] as const),
    connections: new Map([
      ['socketio', [{ ...connection, rss: 13_000, handshakeCpu: 400 }]],
      ['signalr', [{ ...connection, rss: 11_700, handshakeCpu: 300 }]],
    ] as const),
    polls: [{ direct: { cpu: 400, p50: 2 }, relayed: { cpu: 900, p50: 3 } }],
  },
};

test('a complete bench becomes the figures that are kept, in the form of those that are kept now', () => {
  const kept = measuredOf(results, { machine, rounds: 2 });
  expect(kept).toMatchObject({
    machine: '2 × Some CPU, Node 20.20.2, Redis 7.0.15',
    sigterm: { ours: { lost: 2, duplicated: 4, expected: 200 } },
    oneRoom: {
      variants: { floor: { cpuMicroseconds: 9 }, ours: { cpuMicroseconds: 16, ratio: 1.75, p99: 10 } },
    },
    connections: { count: 6_000, variants: { ours: { kilobytes: 13.1, ratio: 1.96, handshakeMs: 0.34 } } },
    redis: { publishMicroseconds: 28.2 },
    cluster: { date: '2026-11-27', publish: 1.35 },
    signalr: {
      date: '2026-11-27',
      delivery: 1.3,
      connect: 0.75,
      memory: 0.9,
      relayed: { cpu: 2.25, time: 1.5 },
    },
  });
  expect(Object.keys(kept).sort()).toEqual(Object.keys(measured).sort());
  expect(kept.oneRoom).toMatchObject({ instances: 2, rooms: 1, membersPerRoom: 500 });
});

test('a part of a bench is not kept', () => {
  expect(() => measuredOf({ ...results, redis: undefined } as never, { machine, rounds: 2 })).toThrow(
    'only a complete bench can be kept',
  );
});
