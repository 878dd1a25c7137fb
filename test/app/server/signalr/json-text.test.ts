import { formatOf, type RecordFrame } from '../../../../app/server/signalr/frames.ts';
import { jsonProtocol } from '../../../../app/server/signalr/protocol/json.ts';
import {
  argumentsIn,
  JsonText,
  jsonOf,
  parseText,
} from '../../../../app/server/signalr/protocol/json-text.ts';
import { messagePackProtocol } from '../../../../app/server/signalr/protocol/messagepack.ts';
import type { HubProtocol } from '../../../../app/server/signalr/protocol/messages.ts';

const end = '\x1e';
const recordOf = (protocol: HubProtocol, text: string) =>
  (formatOf(protocol).message(Buffer.from(text)) as RecordFrame).record;
/** What it says, as a service reads it: with all digits. */
const argumentsOf = (record: Buffer) => {
  const [message] = messagePackProtocol.createReader(100_000).read(record);
  return message?.type === 1 ? message.arguments : undefined;
};
/** Begins a number that is no integer. */
const float64 = 0xcb;

test('a message goes out in JSON as it stands in the log', () => {
  const text = '{"n":12345678901234567890,"s":"a\\u001eb"}';
  expect(String(recordOf(jsonProtocol, text))).toBe(
    `{"type":1,"target":"message","arguments":[${text}]}${end}`,
  );
  const completion = { type: 3, invocationId: '1', hasResult: true, result: new JsonText(text) } as const;
  expect(String(jsonProtocol.encode(completion))).toBe(
    `{"type":3,"invocationId":"1","result":${text}}${end}`,
  );
  expect(String(jsonProtocol.encode({ type: 2, invocationId: '1', item: new JsonText('[1]') }))).toBe(
    `{"type":2,"invocationId":"1","item":[1]}${end}`,
  );
});

test.each([
  ['9007199254740993', 9007199254740993n],
  ['18446744073709551615', 18446744073709551615n],
  ['-9223372036854775808', -9223372036854775808n],
])('the integer %s keeps its digits in MessagePack, and those beside it stay integers', (digits, integer) => {
  const record = recordOf(messagePackProtocol, `{"n":${digits},"at":1764300000000,"s":"${digits}"}`);
  expect(argumentsOf(record)).toEqual([{ n: integer, at: 1764300000000, s: digits }]);
  expect(record.includes(float64)).toBe(false);
});

test.each(['18446744073709551616', '-9223372036854775809', '0.12345678901234567'])(
  'the number %s, which MessagePack has no integer for, is the nearest double',
  (digits) => {
    expect(parseText(new JsonText(`[${digits}]`))).toEqual({ value: [Number(digits)], hasBigInt: false });
  },
);

test('a member that ends clients of MessagePack is left out, however it is written', () => {
  for (const name of ['__proto__', '\\u005f_proto__']) {
    const record = recordOf(messagePackProtocol, `{"body":{"${name}":{"a":1},"b":2}}`);
    expect(argumentsOf(record)).toEqual([{ body: { b: 2 } }]);
  }
});

test('a body of as many levels as may be is sent to all', () => {
  const text = `{"body":${'['.repeat(100)}${']'.repeat(100)}}`;
  for (const protocol of [jsonProtocol, messagePackProtocol]) {
    expect(recordOf(protocol, text).length).toBeGreaterThan(100);
  }
});

test('what a client wrote as MessagePack becomes JSON with all its digits', () => {
  expect(jsonOf({ a: 9007199254740993n, b: ['x', null, 1.5, -1n] })).toBe(
    '{"a":9007199254740993,"b":["x",null,1.5,-1]}',
  );
  for (const value of [new Uint8Array(2), { deep: [Buffer.from('x')] }, Number.NaN, [Infinity]]) {
    expect(() => jsonOf(value)).toThrow('must be JSON');
  }
  const deep = JSON.parse(`${'['.repeat(50_000)}${']'.repeat(50_000)}`);
  expect(() => jsonOf(deep)).toThrow('too many levels');
});

test('the arguments of a message are found wherever they stand', () => {
  expect(
    argumentsIn('{"type":1,"arguments":[ {"a": [1,2]} , "x,]", 12345678901234567890 ],"target":"t"}'),
  ).toEqual(['{"a": [1,2]}', '"x,]"', '12345678901234567890']);
  expect(argumentsIn('{"argument\\u0073":[1],"target":"t"}')).toEqual(['1']);
  expect(argumentsIn('{"arguments":[1],"arguments":[],"type":1}')).toEqual([]);
});
