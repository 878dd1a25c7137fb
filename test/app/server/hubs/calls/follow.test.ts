import type { Position } from '../../../../../app/protocol/hub.ts';
import { followRoom } from '../../../../../app/server/hubs/calls/follow.ts';
import type { HubMember } from '../../../../../app/server/hubs/member.ts';
import { openRooms, type ServedRooms } from '../../../../../app/server/rooms/hub-rooms.ts';
import type { Frame } from '../../../../../app/server/rooms/member.ts';
import { openMemoryStore } from '../../../../../app/server/rooms/store/store.ts';
import { eventually } from '../../../../support/wait.ts';

const frame: Frame = { flush: () => undefined };
const reader: HubMember = {
  id: 'reader',
  subject: 'ada',
  identity: { subject: 'ada', guest: false },
  address: '192.0.2.1',
  transport: 'none',
  connected: true,
  format: { message: () => frame, event: () => frame },
  waitingBytes: 0,
  deliver: () => undefined,
  offer: () => undefined,
  send: () => undefined,
  request: async () => [],
  terminate: () => undefined,
  reconnect: () => undefined,
  disconnect: () => undefined,
};

let rooms: ServedRooms<HubMember>;
beforeEach(() => {
  rooms = openRooms<HubMember>({ hub: 'test', store: openMemoryStore() });
});
afterEach(() => rooms.close());

const follow = (since?: Position | 'start', signal = new AbortController().signal) =>
  followRoom(rooms, reader, { room: 'r', since, signal });
const members = () => [...rooms.view()].reduce((sum, room) => sum + room.members.size, 0);

/** The next so many bodies. */
async function take(stream: AsyncIterator<{ readonly text: string } | undefined, unknown>, count: number) {
  const bodies: unknown[] = [];
  while (bodies.length < count) {
    const { value } = await stream.next();
    bodies.push(JSON.parse((value as { text: string }).text).body);
  }
  return bodies;
}

test('it is a member from then on, and none when it is ended, whether it was read or not', async () => {
  const unread = await follow();
  expect(members()).toBe(1);
  await unread.return();
  expect(members()).toBe(0);
  const read = await follow();
  await rooms.publish('r', 1);
  expect(await take(read, 1)).toEqual([1]);
  await read.return();
  expect(members()).toBe(0);
});

test('who aborts is no member any more, and is told of the end', async () => {
  const stop = new AbortController();
  const stream = await follow(undefined, stop.signal);
  const next = stream.next();
  stop.abort();
  expect(members()).toBe(0);
  expect(await next).toEqual({ done: true, value: undefined });
  await expect(follow(undefined, stop.signal)).rejects.toThrow('the connection ended');
});

test('what was there before comes first, from a position or the start, and then what comes', async () => {
  const { epoch } = await rooms.publish('r', 1);
  for (const body of [2, 3]) await rooms.publish('r', body);
  const [all, some] = [await follow('start'), await follow({ epoch, offset: 2 })];
  await rooms.publish('r', 4);
  expect(await take(all, 4)).toEqual([1, 2, 3, 4]);
  expect(await take(some, 2)).toEqual([3, 4]);
  const lost = await follow({ epoch: 'another', offset: 7 });
  const { value } = await lost.next();
  expect(JSON.parse((value as { text: string }).text)).toMatchObject({ room: 'r', epoch, lost: {} });
});

test('who reads slowly gets everything from the log, in order', async () => {
  const stream = await follow();
  const text = 'x'.repeat(10_000);
  for (let number = 0; number < 120; number += 1) await rooms.publish('r', { number, text });
  const numbers = (await take(stream, 120)).map((body) => (body as { number: number }).number);
  expect(numbers).toEqual(Array.from({ length: 120 }, (_value, index) => index));
});

test('who is expelled is told so', async () => {
  const stream = await follow();
  const next = stream.next();
  await eventually('it to be a member', () => members() === 1);
  rooms.expel('r', 'ada');
  await expect(next).rejects.toThrow('you may not be in this room any more');
  expect(members()).toBe(0);
});
