import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  type Broadcast,
  encodeBroadcast,
  isBroadcast,
  openEvent,
  parseBroadcast,
} from '../../../../app/server/rooms/broadcast.ts';

const broadcasts: Broadcast[] = [
  { kind: 'event', event: 'typing', payload: { room: 'a "b" }}', from: 'ann' } },
  { kind: 'expel', subject: '!ann' },
  { kind: 'loss' },
];

test.each(broadcasts)('what is encoded is parsed: %j', (broadcast) => {
  const payload = Buffer.from(encodeBroadcast(broadcast));
  expect(isBroadcast(payload)).toBe(true);
  expect(parseBroadcast(payload)).toEqual(broadcast);
});

test('a script adds fields to the payload of an open event', () => {
  const text = `${openEvent('presence', { room: '}}' })}"version":1}}`;
  expect(parseBroadcast(Buffer.from(text))).toEqual({
    kind: 'event',
    event: 'presence',
    payload: { room: '}}', version: 1 },
  });
});

test('a message of a log is no broadcast', () => {
  expect(isBroadcast(Buffer.from('mbx3k2p1.a:1:{}'))).toBe(false);
});

test('the text of broadcasts is known beside its parser alone', () => {
  const folder = 'app/server';
  const others = readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((file) => /\.(ts|lua)$/.test(file))
    .filter((file) => readFileSync(join(folder, file), 'utf8').includes('"kind"'));
  expect(others).toEqual([]);
});
