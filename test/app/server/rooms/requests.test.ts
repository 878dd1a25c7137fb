import { joinRequest, publishRequest } from '../../../../app/protocol/schemas.ts';
import { plainJoin, plainPublish } from '../../../../app/server/rooms/requests.ts';

const half = '\ud800';
const names = ['lobby', 'a', 'x'.repeat(64), 'x'.repeat(128), '💬'];
const noNames = ['', 'x'.repeat(129), half, 'a\nb', 7, null, undefined, {}, ['lobby'], true];
const positions = [
  { epoch: 'e', offset: 0 },
  { epoch: '~e.1', offset: Number.MAX_SAFE_INTEGER, more: 1 },
];
const noPositions = [
  ...[null, [], 'e', 3, {}, { epoch: 'e' }, { epoch: '', offset: 1 }, { epoch: half, offset: 1 }],
  ...[-1, 1.5, 2 ** 53, Number.NaN, Number.POSITIVE_INFINITY, '1'].map((offset) => ({ epoch: 'e', offset })),
];
const ages = [0, 1.5, -1, Number.NaN, Number.POSITIVE_INFINITY, '1', null];
const requests: unknown[] = [
  ...[undefined, null, 'lobby', 7, [], [{ room: 'lobby' }]],
  ...[...names, ...noNames].map((room) => ({ room })),
  ...[...names, ...noNames].map((id) => ({ room: 'lobby', id, body: { id } })),
  ...ages.map((age) => ({ room: 'lobby', id: 'i', age, body: 1 })),
  ...[...positions, ...noPositions].flatMap((position) => [
    { room: 'lobby', since: position },
    { room: 'lobby', acked: position, more: 1 },
    { room: 'lobby', since: position, acked: position },
  ]),
];

test.each([
  ['join', plainJoin, joinRequest],
  ['publish', plainPublish, publishRequest],
] as const)('what is recognized of %s is what the schema takes', (_name, recognize, schema) => {
  const recognized = requests.filter((request) => recognize(request) !== undefined);
  const taken = requests.filter((request) => schema.safeParse(request).success);
  expect(recognized).toEqual(taken);
  for (const request of taken) expect(recognize(request)).toEqual(schema.parse(request));
  expect(taken.length).toBeGreaterThan(5);
});
