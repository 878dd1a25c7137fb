import { setTimeout as delay } from 'node:timers/promises';
import { seededRandom } from '../../../support/random.ts';
import { eventually } from '../../../support/wait.ts';
import { malformedPackets } from './malformed-packets.ts';
import { RawSocket } from './raw.ts';
import { privateRoom, Target, tokenOf } from './target.ts';

/** Bad packets of who is let in: nothing crashes, nothing gets in, honest clients notice nothing. */

let target: Target;
beforeAll(async () => {
  target = await Target.start();
});
afterEach(() => target.expectSound());
afterAll(() => target.stop());

const mine = () => tokenOf({ iss: 'us', aud: 'app' });
const open = () => RawSocket.open(target, mine());
/** What holds for whatever a WebSocket carries. */
const overWebSockets = describe.each([
  ['Socket.IO', open],
  ['SignalR', () => RawSocket.openSignalR(target, mine())],
]);

/** It may have been cut off, or may go on: in both cases it is answered properly, or not at all. */
async function settle(raw: RawSocket): Promise<void> {
  raw.send('42/chat,99["join",{"room":"open"}]');
  await eventually(
    'an answer or an end',
    () => !raw.isOpen || raw.frames.some((f) => f.startsWith('43/chat,99')),
  );
  raw.close();
}

test.each(malformedPackets)('%s', async (_case, frames) => {
  const raw = await open();
  raw.send(...frames);
  await settle(raw);
});

test('rooms with names of the prototype are rooms like others', async () => {
  const raw = target.connect({ rooms: ['chat/*'].map((room) => room) });
  for (const room of ['__proto__', 'constructor', 'prototype', 'toString', 'hasOwnProperty']) {
    expect(await raw.timeout(60_000).emitWithAck('join', { room })).toMatchObject({ ok: true, offset: 0 });
    expect(await raw.timeout(60_000).emitWithAck('publish', { room, body: room })).toMatchObject({
      ok: true,
      offset: 1,
    });
  }
  expect(({} as { room?: string }).room).toBeUndefined();
  raw.disconnect();
});

test('hubs with names of the prototype are none', async () => {
  const raw = new RawSocket(target);
  await raw.until((frame) => frame.startsWith('0'));
  for (const name of ['__proto__', 'constructor', 'toString', 'chat/', 'chat%2f', '..', 'CHAT', '*']) {
    raw.send(`40/${name},${JSON.stringify({ token: mine() })}`);
  }
  await eventually(
    'eight refusals',
    () => raw.frames.filter((frame) => frame.startsWith('44/')).length === 8,
  );
  raw.close();
});

test('nothing is served on the namespace that every server has', async () => {
  const raw = new RawSocket(target);
  await raw.until((frame) => frame.startsWith('0'));
  raw.send(`40${JSON.stringify({ token: mine() })}`);
  expect(await raw.until((frame) => frame.startsWith('4'))).toMatch(/^44/);
  raw.close();
});

test('hubs that there are not, by the thousand', async () => {
  const raw = new RawSocket(target);
  await raw.until((frame) => frame.startsWith('0'));
  for (let n = 0; n < 3_000; n += 1) raw.send(`40/hub-${n},`);
  await eventually('an end of it', () => !raw.isOpen || raw.frames.length >= 3_000);
  raw.close();
});

test('JSON nested as deep as a packet allows is answered, and not stored as anything else', async () => {
  const raw = await open();
  const deep = `${'['.repeat(30_000)}${']'.repeat(30_000)}`;
  raw.send(`42/chat,1["publish",{"room":"open","body":${deep}}]`);
  raw.send(`42/chat,2["join",${'{"a":'.repeat(10_000)}1${'}'.repeat(10_000)}]`);
  await eventually('both answers, or the end', () => {
    return !raw.isOpen || raw.frames.filter((frame) => frame.startsWith('43/chat,')).length === 2;
  });
  raw.close();
});

overWebSockets('a WebSocket of %s', (_kind, open) => {
  test('a frame that is too large ends its own connection', async () => {
    const raw = await open();
    raw.send('x'.repeat(1_000_000));
    await eventually('the end of it', () => !raw.isOpen);
  });

  test('text that is no UTF-8, and frames against the protocol, end their own connection', async () => {
    for (const bytes of [
      // A masked text frame of one byte, 0xff.
      Buffer.from([0x81, 0x81, 0, 0, 0, 0, 0xff]),
      // Not masked, as only servers may.
      Buffer.from([0x81, 0x01, 0x78]),
      // A reserved opcode, and reserved bits.
      Buffer.from([0x83, 0x80, 0, 0, 0, 0]),
      Buffer.from([0xf1, 0x80, 0, 0, 0, 0]),
      // A ping that is longer than a ping may be.
      Buffer.concat([Buffer.from([0x89, 0xfe, 0, 200, 0, 0, 0, 0]), Buffer.alloc(200)]),
      // A continuation of nothing, and a length of 2^63 - 1.
      Buffer.from([0x80, 0x80, 0, 0, 0, 0]),
      Buffer.from([0x81, 0xff, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0]),
    ]) {
      const raw = await open();
      (raw.ws as unknown as { _socket: NodeJS.WritableStream })._socket.write(bytes);
      await eventually('the end of it', () => !raw.isOpen);
      raw.close();
    }
  });

  test('a message in a hundred thousand fragments', async () => {
    const raw = await open();
    const socket = (raw.ws as unknown as { _socket: NodeJS.WritableStream })._socket;
    const first = Buffer.from([0x01, 0x81, 0, 0, 0, 0, 0x34]);
    const next = Buffer.from([0x00, 0x81, 0, 0, 0, 0, 0x32]);
    socket.write(first);
    for (let n = 0; n < 100; n += 1) socket.write(Buffer.concat(Array<Buffer>(1_000).fill(next)));
    await target.expectSound();
    await eventually('the end of it', () => !raw.isOpen);
    raw.close();
  });

  test('empty fragments without end', async () => {
    const raw = await open();
    const socket = (raw.ws as unknown as { _socket: NodeJS.WritableStream })._socket;
    socket.write(Buffer.from([0x01, 0x81, 0, 0, 0, 0, 0x34]));
    const empty = Buffer.concat(Array<Buffer>(10_000).fill(Buffer.from([0x00, 0x80, 0, 0, 0, 0])));
    for (let n = 0; n < 20; n += 1) socket.write(empty);
    await target.expectSound();
    raw.close();
  });
});

test('a stranger in the hub neither hears nor speaks in a room that its token does not name', async () => {
  const raw = await open();
  raw.send(`42/chat,1["join",{"room":"${privateRoom}","since":{"epoch":"x","offset":0}}]`);
  raw.send(`42/chat,2["publish",{"room":"${privateRoom}","body":"let me in"}]`);
  raw.send(`42/chat,3["typing",{"room":"${privateRoom}"}]`);
  raw.send(`42/chat,4["leave",{"room":"${privateRoom}"}]`);
  raw.send(`42/chat,5["presence",{"room":"${privateRoom}"}]`);
  await raw.until((frame) => frame.startsWith('43/chat,4'));
  await target.expectSound();
  for (const id of [1, 2, 3]) {
    expect(raw.frames.find((frame) => frame.startsWith(`43/chat,${id}[`))).toContain('"forbidden"');
  }
  expect(raw.frames.filter((frame) => /honest|"ada"|"bob"/.test(frame))).toEqual([]);
  raw.close();
});

test('who floods is refused, with when to come back, and honest clients go on', async () => {
  const raw = await open();
  for (let n = 0; n < 2_000; n += 1) raw.send(`42/chat,${n}["publish",{"room":"open","body":${n}}]`);
  await eventually(
    'an answer to each',
    () => raw.frames.filter((f) => f.startsWith('43/chat,')).length === 2_000,
  );
  await target.expectSound();
  const limited = raw.frames.filter((frame) => frame.includes('"rate_limited"'));
  expect(limited.length).toBeGreaterThan(1_000);
  expect(limited[0]).toMatch(/try again in \d+ ms/);
  raw.close();
});

test('frames with bytes changed, left out, doubled and swapped, by chance', async () => {
  const random = seededRandom(Number(process.env.SEED ?? 7));
  const sound = [
    `40/chat,${JSON.stringify({ token: mine() })}`,
    '42/chat,1["join",{"room":"open","since":{"epoch":"x","offset":3},"acked":{"epoch":"x","offset":4}}]',
    '42/chat,2["publish",{"room":"open","id":"i","body":{"a":[1,2,{"b":null}]}}]',
    '42/chat,3["leave",{"room":"open"}]',
    '42/chat,4["typing",{"room":"open"}]',
    '42/chat,5["presence",{"room":"open"}]',
    '451-/chat,6["publish",{"_placeholder":true,"num":0}]',
    '43/chat,7[]',
    '41/chat,',
    '2probe',
  ];
  let raw = await open();
  for (let n = 0; n < 3_000; n += 1) {
    if (!raw.isOpen) raw = await open();
    const bytes = [...Buffer.from(random.pick(sound))];
    for (let changes = random.below(4); changes >= 0; changes -= 1) {
      const at = random.below(bytes.length + 1);
      const change = random.pick(['replace', 'omit', 'repeat', 'cut'] as const);
      if (change === 'replace') bytes[at] = random.below(128);
      if (change === 'omit') bytes.splice(at, 1 + random.below(3));
      if (change === 'repeat') bytes.splice(at, 0, ...bytes.slice(at, at + random.below(20)));
      if (change === 'cut') bytes.length = Math.min(bytes.length, at);
    }
    const frame = Buffer.from(bytes);
    raw.send(random.chance(0.1) ? frame : frame.toString());
    // So that what ends the connection swallows few of those behind it.
    if (n % 4 === 0) await delay(1);
  }
  raw.close();
});
