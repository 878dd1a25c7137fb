import { encode } from '@msgpack/msgpack';
import WebSocket from 'ws';
import { seededRandom } from '../../../support/random.ts';
import { eventually } from '../../../support/wait.ts';
import { privateRoom, Target, tokenOf } from './target.ts';

/** Bad records of who is let in by SignalR: nothing crashes, nothing gets in, honest clients notice nothing. */

let target: Target;
beforeAll(async () => {
  target = await Target.start();
});
afterEach(() => target.expectSound());
afterAll(() => target.stop());

const end = '\x1e';
const mine = () => tokenOf({ iss: 'us', aud: 'app' });
const headers = () => ({ authorization: `Bearer ${mine()}`, 'x-forwarded-for': '192.0.2.66' });

class Attacker {
  readonly #socket: WebSocket;
  readonly heard: string[] = [];

  private constructor(socket: WebSocket) {
    this.#socket = socket;
    socket.on('message', (data) => this.heard.push(String(data)));
    socket.on('error', () => undefined);
  }

  static async open(protocol: 'json' | 'messagepack' = 'json'): Promise<Attacker> {
    const socket = new WebSocket(`${target.url.replace('http', 'ws')}/chathub`, { headers: headers() });
    const attacker = new Attacker(socket);
    await new Promise((resolve) => socket.once('open', resolve));
    socket.send(`{"protocol":"${protocol}","version":1}${end}`);
    return attacker;
  }

  get isOpen(): boolean {
    return this.#socket.readyState === WebSocket.OPEN;
  }

  send(...records: (string | Uint8Array)[]): void {
    for (const record of records) if (this.isOpen) this.#socket.send(record);
  }

  /** It may have been cut off, or may go on: in both cases it is answered properly, or not at all. */
  async settle(record: string | Uint8Array): Promise<void> {
    this.send(record);
    const isAnswered = () => this.heard.some((text) => text.includes('last'));
    await eventually('an answer or an end', () => !this.isOpen || isAnswered());
    this.close();
  }

  close(): void {
    this.#socket.close();
  }
}

const call = (target: string, ...args: unknown[]) =>
  `{"type":1,"invocationId":"x","target":${JSON.stringify(target)},"arguments":${JSON.stringify(args)}}${end}`;
const last = `{"type":1,"invocationId":"last","target":"Join","arguments":["open"]}${end}`;

test.each([
  ['no JSON', [`{"type":1,${end}`, `]${end}`, end.repeat(100)]],
  ['types that there are not', [`{"type":99}${end}`, `{"type":"1"}${end}`, `{"type":-1}${end}`]],
  ['targets of the prototype', ['__proto__', 'constructor', 'toString', 'valueOf'].map((name) => call(name))],
  ['arguments that are none', [`{"type":1,"target":"Join","arguments":{"room":"open"}}${end}`]],
  [
    'arguments of any kind',
    [null, 1, [], [[]], { room: {} }, { room: 'a', since: 1 }].map((each) => call('Join', each)),
  ],
  [
    'arguments of the prototype',
    [
      `{"type":1,"invocationId":"x","target":"Publish","arguments":[{"room":"open","__proto__":{"body":1}}]}${end}`,
    ],
  ],
  [
    'a body of many levels',
    [
      `{"type":1,"invocationId":"x","target":"Publish","arguments":["open",${'['.repeat(40_000)}${']'.repeat(40_000)}]}${end}`,
    ],
  ],
  [
    'a body that no reader has',
    [`{"type":1,"invocationId":"x","target":"Publish","arguments":["open","\\ud800"]}${end}`],
  ],
  [
    'results that nobody asked for',
    [`{"type":3,"invocationId":"s1","result":1}${end}`, `{"type":2,"invocationId":"u","item":1}${end}`],
  ],
  [
    'streams without an end',
    Array.from(
      { length: 150 },
      (_, n) => `{"type":4,"invocationId":"${n}","target":"Follow","arguments":["open"]}${end}`,
    ),
  ],
  [
    'uploads without a reader',
    Array.from(
      { length: 120 },
      (_, n) => `{"type":1,"target":"Join","arguments":["open"],"streamIds":["${n}"]}${end}`,
    ),
  ],
  ['a flood of invocations', [call('Join', 'open').repeat(1_000), call('Typing', 'open').repeat(2_000)]],
  [
    'the private room',
    [
      call('Join', privateRoom),
      call('Publish', privateRoom, 'x'),
      `{"type":4,"invocationId":"f","target":"Follow","arguments":["${privateRoom}"]}${end}`,
    ],
  ],
])('%s', async (_what, records) => {
  const attacker = await Attacker.open();
  attacker.send(...records);
  await attacker.settle(last);
  expect(attacker.heard.join()).not.toContain('honest');
});

/** A record with its length before it. */
function packed(value: unknown): Uint8Array {
  const body = encode(value);
  const head = body.length < 128 ? [body.length] : [(body.length & 0x7f) | 0x80, body.length >> 7];
  return Buffer.concat([Buffer.from(head), body]);
}

test.each([
  ['no MessagePack', [Buffer.from([2, 0xc1, 0xc1]), Buffer.from([0xff, 0xff, 0xff, 0xff, 0xff, 0xff])]],
  ['a list that is not there', [Buffer.from([6, 0xdd, 0xff, 0xff, 0xff, 0xff, 0x01])]],
  ['a text that is not there', [Buffer.from([6, 0xdb, 0x7f, 0xff, 0xff, 0xff, 0x01])]],
  ['lists of many levels', [Buffer.concat([Buffer.from([0xa0, 0x9c, 0x01]), Buffer.alloc(20_000, 0x91)])]],
  [
    // Each list says that it has 80,000 items, for which a decoder would make room.
    'lists that promise more than there is, in each other',
    [
      Buffer.concat([
        Buffer.from([0x80 | (90_000 & 0x7f), 0x80 | ((90_000 >> 7) & 0x7f), 90_000 >> 14]),
        ...Array<Buffer>(18_000).fill(Buffer.from([0xdd, 0x00, 0x01, 0x38, 0x80])),
      ]),
    ],
  ],
  ['a binary body', [packed([1, {}, 'x', 'Publish', ['open', new Uint8Array(100)], []])]],
  ['a time for a room', [packed([1, {}, 'x', 'Join', [new Date()], []])]],
  ['a map of the prototype', [Buffer.from([12, 0x81, 0xa9, ...Buffer.from('__proto__'), 1])]],
])('%s, as MessagePack', async (_what, records) => {
  const attacker = await Attacker.open('messagepack');
  attacker.send(...records);
  await attacker.settle(packed([1, {}, 'last', 'Join', ['open'], []]));
});

test.each(['json', 'messagepack'] as const)('noise of all kinds, as %s', async (protocol) => {
  const random = seededRandom(7);
  for (let times = 0; times < 40; times += 1) {
    const attacker = await Attacker.open(protocol);
    const length = 1 + random.below(2_000);
    attacker.send(Buffer.from(Array.from({ length }, () => random.below(256))));
    // What it began may be a record whose end never comes.
    attacker.close();
  }
});

test('as many large messages as may be sent, whose values take many times their bytes', async () => {
  const values = `[${'[],'.repeat(30_000)}[]]`;
  const large = `{"type":1,"target":"Join","arguments":[{"room":"open","more":${values}}]}${end}`;
  const item = `{"type":2,"invocationId":"u","item":${values}}${end}`;
  const attacker = await Attacker.open();
  attacker.send(call('Join', 'open').repeat(200));
  attacker.send(`{"type":1,"target":"Join","arguments":["open"],"streamIds":["u"]}${end}`);
  for (let times = 0; times < 160; times += 1) attacker.send(large, item);
  await target.expectSound();
  await attacker.settle(last);
});

test('requests that no client sends', async () => {
  const hub = `${target.url}/chathub`;
  const ids = ['x', 's1.x.y', '%00', `s1.${'A'.repeat(5_000)}.0.x`, 's1.e30.0.AAAA', '../..', '\u{1f600}'];
  for (const method of ['GET', 'POST', 'DELETE', 'PUT', 'OPTIONS']) {
    for (const id of ids) {
      const { status } = await fetch(`${hub}?id=${encodeURIComponent(id)}`, { method, headers: headers() });
      expect([204, 400, 404, 405]).toContain(status);
    }
  }
  for (const query of [
    '?negotiateVersion=1e9',
    '?negotiateVersion=99999999999999999999',
    '?negotiateVersion=',
  ]) {
    const response = await fetch(`${hub}/negotiate${query}`, { method: 'POST', headers: headers() });
    expect(response.status).toBe(200);
  }
  const refused = await fetch(`${hub}/negotiate`, {
    method: 'POST',
    headers: { authorization: 'Bearer x.y.z' },
  });
  expect(refused.status).toBe(401);
});
