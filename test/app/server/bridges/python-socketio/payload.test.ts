import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  type PythonEmit,
  type PythonVersion,
  readPayload,
  writeEmit,
} from '../../../../../app/server/bridges/python-socketio/payload.ts';
import { detach } from '../../../../../app/server/rooms/body/attachments.ts';

/** What write-only managers of real versions published, and what Python's `pickle` made of what is no data: as base64. */
const recorded = JSON.parse(readFileSync(join(import.meta.dirname, 'recorded.json'), 'utf8')) as {
  readonly emitted: Record<string, Record<string, string>>;
  readonly moreThanData: Record<string, string>;
};

const newest: PythonVersion = [9_999, 0, 0];
const read = (base64: string, version = newest) =>
  readPayload(Buffer.from(base64, 'base64'), version) as PythonEmit;

const said = {
  dict: [{ s: 'BTC', p: 1.5, n: [1, -2, 300, 70_000, 2 ** 40, true, false, null] }],
  list: [[1, 2]],
  tuple: ['a', { b: 2 }, null],
  none: [],
  text: ['grüße \u{1f600}'],
  binary: [{ raw: Buffer.from([0, 1, 255]) }],
  rooms: [1],
};

describe.each(Object.entries(recorded.emitted))('recorded of %s', (version, emitted) => {
  test.each(Object.entries(emitted))('%s', (name, base64) => {
    const { args, event, namespace, room, skip_sid, callback } = read(base64);
    // That version makes a list of a tuple, which its own servers take for one argument.
    const isLost = version === '5.14.0' && name === 'tuple';
    const expected = said[name as keyof typeof said];
    expect(args).toEqual(isLost ? [expected] : expected);
    expect([event, namespace, callback]).toEqual(['price', '/', null]);
    expect([room, skip_sid]).toEqual(
      name === 'rooms' ? [['demo', 'other'], ['aaaaaaaaaaaaaaaaaaaa']] : [['demo'], undefined],
    );
  });
});

test('what says whether it is binary, and is older than lists of arguments', () => {
  const json = (data: unknown, binary = false) =>
    Buffer.from(JSON.stringify({ method: 'emit', event: 'e', data, binary })).toString('base64');
  expect(read(json([1, 2]), [5, 14, 2]).args).toEqual([[1, 2]]);
  expect(read(json([1, 2]), [5, 15, 1]).args).toEqual([1, 2]);
  expect(read(json([1, 2]), [5, 10, 0]).args).toEqual([1, 2]);
  expect(read(json([{ _placeholder: true, num: 0 }, 'aGk='], true), [5, 15, 0]).args).toEqual([
    Buffer.from('hi'),
  ]);
});

test.each(Object.entries(recorded.moreThanData))('%s is refused', (_name, base64) => {
  expect(() => read(base64)).toThrow(/is more than data|is not valid JSON|Unexpected token/);
});

/** A pickle of protocol 4 around these opcodes. */
const pickle = (...parts: (number | Buffer | string)[]) =>
  Buffer.concat([
    Buffer.from([0x80, 4]),
    ...parts.map((part) => (typeof part === 'number' ? Buffer.from([part]) : Buffer.from(part as string))),
    Buffer.from('.'),
  ]);
const text = (value: string) =>
  Buffer.concat([Buffer.from([0x8c, Buffer.byteLength(value)]), Buffer.from(value)]);
const repeat = (times: number, ...bytes: number[]) => Buffer.concat(Array(times).fill(Buffer.from(bytes)));

/** A list that is kept, then a list that names that one ten times, and so on: 10^100 items in a kilobyte. */
const doublings = pickle(
  0x5d,
  0x94,
  ...Array.from({ length: 100 }, (_, n) =>
    Buffer.concat([Buffer.from([0x5d, 0x94, 0x28]), repeat(10, 0x68, n), Buffer.from([0x65])]),
  ),
);

test.each<[string, Buffer, RegExp]>([
  ['nothing', Buffer.alloc(0), /JSON/],
  ['a stop alone', Buffer.from([0x80, 4, 0x2e]), /takes more than it has/],
  ['an end in the middle', Buffer.from([0x80, 4, 0x8c, 200, 0x61]), /ends in the middle/],
  ['no stop', Buffer.from([0x80, 4, 0x7d]), /ends in the middle/],
  ['a text of 2^63 bytes', pickle(0x8d, repeat(8, 0xff)), /ends in the middle/],
  ['bytes of 2^63', pickle(0x8e, repeat(8, 0x7f)), /ends in the middle/],
  ['a mark as a value', pickle(0x28), /takes a mark for a value/],
  ['a mark that is kept', pickle(0x28, 0x94), /takes a mark for a value/],
  ['items without a mark', pickle(0x7d, 0x75), /no mark to go back to/],
  ['items of no dict', pickle(0x5d, 0x28, text('a'), 0x4e, 0x75), /what is no dict/],
  ['items of bytes', pickle(0x43, 0, 0x28, text('a'), 0x4e, 0x75), /what is no dict/],
  ['items of a tuple', pickle(0x29, 0x28, 0x4e, 0x65), /what is no list/],
  ['a key alone', pickle(0x7d, 0x28, text('a'), 0x75), /without a value/],
  ['a key that is a list', pickle(0x7d, 0x5d, 0x4e, 0x73), /whose key is/],
  ['what was never kept', pickle(0x68, 7), /has not kept/],
  ['a list in itself', pickle(0x5d, 0x94, 0x68, 0, 0x61), /levels/],
  ['lists in lists', pickle(repeat(200_000, 0x5d), repeat(199_999, 0x61)), /levels/],
  ['lists that name each other', doublings, /larger than it looks/],
  ['10 MB', Buffer.concat([Buffer.from([0x80, 4]), Buffer.alloc(10_000_000, 0x4e)]), /10000002 bytes/],
  ['a dict that is no message', pickle(0x7d), /no message of python-socketio: method/],
  ['a number', pickle(0x4b, 1), /no message of python-socketio/],
  ['JSON that is no message', Buffer.from('[1]'), /no message/],
  ['another method', Buffer.from('{"method":"close"}'), /no message/],
  [
    'rooms that are objects',
    Buffer.from('{"method":"emit","event":"e","data":1,"room":{}}'),
    /no message.*room/,
  ],
  [
    'attachments that are none',
    Buffer.from('{"method":"emit","event":"e","binary":true,"data":[1,2]}'),
    /no base64/,
  ],
  [
    'JSON that is too deep for placeholders',
    Buffer.from(
      `{"method":"emit","event":"e","binary":true,"data":[${'['.repeat(5_000)}${']'.repeat(5_000)}]}`,
    ),
    /levels/,
  ],
])('%s', (_name, payload, wrong) => {
  expect(() => readPayload(payload, newest)).toThrow(wrong);
});

test('keys of every object are keys and nothing else', () => {
  const message = pickle(
    ...[0x7d, 0x28, text('method'), text('emit'), text('event'), text('e'), text('data')],
    ...[
      0x7d,
      0x28,
      text('__proto__'),
      0x7d,
      0x28,
      text('evil'),
      0x88,
      0x75,
      0x4b,
      7,
      text('seven'),
      0x75,
      0x75,
    ],
  );
  const [data] = (readPayload(message, newest) as PythonEmit).args;
  expect(Object.keys(data as object)).toEqual(['7', '__proto__']);
  expect((data as { evil?: unknown }).evil).toBeUndefined();
  expect(({} as { evil?: unknown }).evil).toBeUndefined();
});

test.each<[unknown[], PythonVersion, unknown]>([
  [[], newest, null],
  [[{ a: 1 }], newest, { a: 1 }],
  [[1, 'two'], newest, [1, 'two']],
  [[[1, 2]], newest, [[1, 2]]],
  [[[1, 2]], [5, 10, 0], [1, 2]],
  [
    [1, 'two'],
    [5, 10, 0],
    [1, 'two'],
  ],
])('%j is written for %j as %j', (args, version, data) => {
  const text = writeEmit(
    { event: 'e', data: detach(args), namespace: '/', room: undefined, except: undefined, hostId: 'us' },
    version,
  );
  expect(JSON.parse(text)).toMatchObject({ method: 'emit', data, binary: false, room: null, host_id: 'us' });
});
