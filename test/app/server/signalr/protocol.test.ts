import {
  HandshakeError,
  handshakeResponse,
  readHandshake,
} from '../../../../app/server/signalr/protocol/handshake.ts';
import { jsonProtocol } from '../../../../app/server/signalr/protocol/json.ts';
import { messagePackProtocol } from '../../../../app/server/signalr/protocol/messagepack.ts';
import type { HubMessage, HubProtocol } from '../../../../app/server/signalr/protocol/messages.ts';
import { withLength } from '../../../../app/server/signalr/protocol/records.ts';

const largest = 1_000;
const hex = (text: string) => Buffer.from(text.replaceAll(' ', ''), 'hex');
const read = (protocol: HubProtocol, bytes: Buffer) => shown(protocol.createReader(largest).read(bytes));

/** Without the texts of arguments, which are read when they are asked for. */
function shown(messages: readonly HubMessage[]): HubMessage[] {
  return messages.map((message) => {
    if (!('json' in message)) return message;
    const { json: _, ...rest } = message;
    return rest;
  });
}

const completion = { type: 3, invocationId: '1' } as const;

/** As Microsoft's own package writes them. */
const vectors: readonly [string, HubMessage, string][] = [
  [
    'an invocation',
    { type: 1, target: 'method', arguments: [42] },
    '0e 96 01 80 c0 a6 6d 65 74 68 6f 64 91 2a 90',
  ],
  ['a stream item', { type: 2, invocationId: '1', item: 7 }, '06 94 02 80 a1 31 07'],
  ['a completion without a result', { ...completion, hasResult: false }, '06 94 03 80 a1 31 02'],
  ['a completion with one', { ...completion, hasResult: true, result: 42 }, '07 95 03 80 a1 31 03 2a'],
  ['a completion with an error', { ...completion, error: 'Error' }, '0c 95 03 80 a1 31 01 a5 45 72 72 6f 72'],
  [
    'a stream invocation',
    { type: 4, invocationId: '1', target: 'method', arguments: [42] },
    '0f 96 04 80 a1 31 a6 6d 65 74 68 6f 64 91 2a 90',
  ],
  ['a cancellation', { type: 5, invocationId: '1' }, '05 93 05 80 a1 31'],
  ['a ping', { type: 6 }, '02 91 06'],
  ['a close', { type: 7 }, '03 92 07 c0'],
  ['a close after which it may come back', { type: 7, allowReconnect: true }, '04 93 07 c0 c3'],
];

test.each(vectors)('MessagePack: %s is written and read byte for byte', (_what, message, bytes) => {
  expect(messagePackProtocol.encode(message).toString('hex')).toBe(bytes.replaceAll(' ', ''));
  if (message.type !== 7) expect(read(messagePackProtocol, hex(bytes))).toMatchObject([message]);
});

test('MessagePack: an invocation of five elements, as older clients write it, is read', () => {
  const five = withLength(hex('95 01 80 c0 a6 6d 65 74 68 6f 64 91 2a'));
  expect(read(messagePackProtocol, five)).toMatchObject([{ type: 1, target: 'method', arguments: [42] }]);
});

test('MessagePack: what belongs to stateful reconnects, which are not offered, is left out', () => {
  for (const bytes of ['03 92 08 05', '03 92 09 01'])
    expect(read(messagePackProtocol, hex(bytes))).toEqual([]);
});

test.each<[HubMessage, string]>([
  [
    { type: 1, target: 'Message', arguments: [{ a: 1 }] },
    '{"type":1,"target":"Message","arguments":[{"a":1}]}',
  ],
  [{ ...completion, hasResult: true, result: undefined }, '{"type":3,"invocationId":"1","result":null}'],
  [{ ...completion, hasResult: true, result: false }, '{"type":3,"invocationId":"1","result":false}'],
  [{ ...completion }, '{"type":3,"invocationId":"1"}'],
  [{ ...completion, error: 'no', hasResult: false }, '{"type":3,"invocationId":"1","error":"no"}'],
  [{ type: 6 }, '{"type":6}'],
  [{ type: 7, error: 'bad', allowReconnect: undefined }, '{"type":7,"error":"bad"}'],
])('JSON: %j is written without a property that a client might not know', (message, text) => {
  expect(jsonProtocol.encode(message).toString()).toBe(`${text}\x1e`);
});

test('JSON: type may stand anywhere, and what is not known is left out', () => {
  const text = '{"arguments":[],"target":"a","headers":{"x":"y"},"type":1}\x1e{"type":8,"sequenceId":1}\x1e';
  expect(read(jsonProtocol, Buffer.from(text))).toEqual([
    { type: 1, target: 'a', arguments: [], invocationId: undefined, streamIds: undefined },
  ]);
});

const several: readonly HubMessage[] = [
  { type: 1, invocationId: '1', target: 'echo', arguments: ['ä😀\r\n'.repeat(40)], streamIds: ['s'] },
  { type: 6 },
  { type: 2, invocationId: 's', item: { a: [1, null] } },
  { type: 3, invocationId: 's' },
];

describe.each([jsonProtocol, messagePackProtocol])('$name', (protocol) => {
  const bytes = Buffer.concat(several.map((message) => protocol.encode(message)));

  test('messages that are split at any byte, and at every byte, are the same', () => {
    const whole = read(protocol, bytes);
    expect(whole).toMatchObject(several);
    for (let at = 0; at <= bytes.length; at += 1) {
      const reader = protocol.createReader(largest);
      expect(shown([...reader.read(bytes.subarray(0, at)), ...reader.read(bytes.subarray(at))])).toEqual(
        whole,
      );
    }
    const reader = protocol.createReader(largest);
    expect(shown(Array.from(bytes, (byte) => reader.read(Buffer.from([byte]))).flat())).toEqual(whole);
  });

  test('one that is too large is refused before it is whole', () => {
    const message = protocol.encode({ type: 1, target: 'x', arguments: ['x'.repeat(2_000)] });
    const reader = protocol.createReader(largest);
    expect(() => reader.read(message.subarray(0, 1_500))).toThrow('a message of more than 1000 bytes');
  });
});

test.each<[string, HubProtocol, Buffer]>([
  ['no JSON', jsonProtocol, Buffer.from('{"type":1\x1e')],
  ['a list', jsonProtocol, Buffer.from('[1]\x1e')],
  ['null', jsonProtocol, Buffer.from('null\x1e')],
  ['nothing', jsonProtocol, Buffer.from('\x1e')],
  ['no type', jsonProtocol, Buffer.from('{}\x1e')],
  ['a target that is no text', jsonProtocol, Buffer.from('{"type":1,"target":5,"arguments":[]}\x1e')],
  ['arguments that are no list', jsonProtocol, Buffer.from('{"type":1,"target":"a","arguments":{}}\x1e')],
  ['an id that is a number', jsonProtocol, Buffer.from('{"type":2,"invocationId":1}\x1e')],
  ['a length without an end', messagePackProtocol, hex('ff ff ff ff ff')],
  ['a length of gigabytes', messagePackProtocol, hex('ff ff ff ff 7f')],
  ['a list that claims to be longer', messagePackProtocol, hex('03 93 01 80')],
  ['a list of four billion', messagePackProtocol, hex('05 dd ff ff ff ff')],
  ['two values', messagePackProtocol, hex('04 91 06 91 06')],
  ['a text in place of a list', messagePackProtocol, hex('02 a1 61')],
  ['an empty message', messagePackProtocol, hex('00')],
])('%s is no message', (_what, protocol, bytes) => {
  expect(() => read(protocol, bytes)).toThrow(expect.objectContaining({ name: 'ProtocolError' }));
});

describe('the handshake', () => {
  const handshake = (value: unknown, takesBinary = true) =>
    readHandshake(Buffer.from(JSON.stringify(value)), takesBinary);

  test('names a protocol in a version up to 2: a client in Python says 0', () => {
    for (const version of [0, 1, 2]) expect(handshake({ protocol: 'json', version }).name).toBe('json');
    expect(handshake({ protocol: 'messagepack', version: 1 }).name).toBe('messagepack');
    expect(handshakeResponse().toString('hex')).toBe('7b7d1e');
  });

  test.each([
    [{ protocol: 'xml', version: 1 }, true, "The protocol 'xml' is not supported."],
    [{ protocol: 'json', version: 3 }, true, "The server does not support version 3 of the 'json' protocol."],
    [
      { protocol: 'messagepack', version: 1 },
      false,
      "Cannot use the 'messagepack' protocol on the current transport. The transport does not support 'Binary' transfer format.",
    ],
    [{ protocol: 5 }, true, 'The handshake request could not be read.'],
    [null, true, 'The handshake request could not be read.'],
  ])('%j is refused in the words that clients show', (value, takesBinary, words) => {
    expect(() => handshake(value, takesBinary)).toThrow(new HandshakeError(words));
    expect(handshakeResponse(words).toString()).toBe(`${JSON.stringify({ error: words })}\x1e`);
  });
});
