import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { environmentNames as names } from '../../../../../app/names.ts';
import { eventually } from '../../../../support/wait.ts';
import { BridgedService } from '../bridged-service.ts';

/** The bridge among what python-socketio says in Redis, in its words; `npm run test:python` has it from Python. */

const { emitted, moreThanData } = JSON.parse(
  readFileSync(join(import.meta.dirname, 'recorded.json'), 'utf8'),
) as {
  emitted: Record<string, Record<string, string>>;
  moreThanData: Record<string, string>;
};

let service: BridgedService;
/** What our instances say to Python. */
let outward: Record<string, unknown>[];
const answers: unknown[] = [];
let listener: Redis;
beforeAll(async () => {
  service = await BridgedService.start({
    [names.pythonSocketio]: '/=emit, /bots=publish, /chat=emit',
    [names.pythonSocketioVersion]: '5.10.0',
  });
  listener = new Redis({ port: service.redis.port });
  await listener.subscribe('socketio');
  listener.on('message', (_channel, text: string) => {
    if (text.startsWith('{"method":"callback"') && text.includes(python)) answers.push(JSON.parse(text));
    if (/^\{.*"host_id":"(?!aaaa)\w+"/.test(text)) outward.push(JSON.parse(text));
  });
});
beforeEach(() => {
  outward = [];
});
afterEach(() => service.leave());
afterAll(async () => {
  listener.disconnect();
  await service.stop();
});

const python = 'a'.repeat(32);
const say = (message: Record<string, unknown>) =>
  service.admin.publish('socketio', JSON.stringify({ host_id: python, ...message }));
const emit = (event: string, data: unknown, more: Record<string, unknown> = {}) =>
  say({ method: 'emit', event, data, namespace: '/', room: null, skip_sid: null, callback: null, ...more });

test('what every version emits, pickles too, arrives on all instances', async () => {
  const [ada, bob] = [await service.connectTo('demo', 0), await service.connectTo('demo', 1)];
  for (const version of ['5.10.0', '5.14.0', '5.18.1']) {
    for (const base64 of [emitted[version]?.dict, emitted[version]?.text]) {
      await service.admin.publish('socketio', Buffer.from(base64 as string, 'base64'));
    }
  }
  await service.admin.publish('socketio', Buffer.from(emitted['5.10.0']?.binary as string, 'base64'));
  await service.admin.publish('socketio', Buffer.from(emitted['5.18.1']?.binary as string, 'base64'));
  await eventually('all events', () => ada.heard.length === 8 && bob.heard.length === 8);
  const dict = ['price', { s: 'BTC', p: 1.5, n: [1, -2, 300, 70_000, 2 ** 40, true, false, null] }];
  const text = ['price', 'grüße \u{1f600}'];
  const binary = ['price', { raw: Buffer.from([0, 1, 255]) }];
  expect(ada.heard).toEqual([dict, text, dict, text, dict, text, binary, binary]);
  expect(bob.heard).toEqual(ada.heard);
  expect(outward).toEqual([]);
});

test('rooms as a list, all, one connection, and who is left out', async () => {
  const [ada, bob, eve] = [
    await service.connectTo('one', 0),
    await service.connectTo('two', 1),
    await service.connectTo('else', 1),
  ];
  await ada.socket.emitWithAck('join', { room: 'two' });
  await emit('list', 1, { room: ['one', 'two'] });
  await emit('skipped', 2, { room: 'two', skip_sid: ada.socket.id });
  await emit('skipped', 3, { skip_sid: [ada.socket.id, eve.socket.id] });
  await emit('you', 4, { room: eve.socket.id });
  await emit('end', null);
  await eventually('the end', () => [ada, bob, eve].every(({ heard }) => heard.at(-1)?.[0] === 'end'));
  expect([ada.heard, bob.heard, eve.heard]).toEqual([
    [['list', 1], ['end']],
    [['list', 1], ['skipped', 2], ['skipped', 3], ['end']],
    [['you', 4], ['end']],
  ]);
});

test('a callback gets what the client acknowledges', async () => {
  const ada = await service.connectTo('demo', 1);
  ada.socket.on('question', (given, acknowledge) => acknowledge(`${given}!`, [1]));
  const callback = [ada.socket.id, '/', 7];
  await emit('question', 'well', { room: ada.socket.id, callback });
  await eventually('the answer', () => answers.length > 0);
  expect(answers).toEqual([
    { method: 'callback', host_id: python, sid: ada.socket.id, namespace: '/', id: 7, args: ['well!', [1]] },
  ]);
});

test('disconnect, enter_room, leave_room and close_room', async () => {
  const ada = service.connect(1);
  await eventually('it to be connected', () => ada.socket.connected);
  const sid = ada.socket.id;
  await say({ method: 'enter_room', sid, room: 'club', namespace: '/' });
  await say({ method: 'enter_room', sid, room: 'bar', namespace: '/' });
  await eventually('it to be in both', async () => {
    await emit('in', 1, { room: 'bar' });
    return ada.heard.length > 0;
  });
  const isIn = async (room: string) => {
    ada.heard.length = 0;
    await emit('in', room, { room });
    await emit('end', null);
    await eventually('the end', () => ada.heard.at(-1)?.[0] === 'end');
    return ada.heard.length > 1;
  };
  expect(await isIn('club')).toBe(true);
  await say({ method: 'leave_room', sid, room: 'club', namespace: '/' });
  await eventually('it to be out of the club', async () => !(await isIn('club')));
  expect(await isIn('bar')).toBe(true);
  await say({ method: 'close_room', room: 'bar', namespace: '/' });
  await eventually('it to be out of the bar', async () => !(await isIn('bar')));
  const gone = new Promise((resolve) => ada.socket.once('disconnect', resolve));
  await say({ method: 'disconnect', sid, namespace: '/' });
  expect(await gone).toBe('io server disconnect');
});

test('what is emitted and published here is told to Python, once; and what Python says is not told back', async () => {
  const [ada, bob] = [await service.connectTo('demo', 0), await service.connectTo('demo', 1)];
  ada.socket.emit('wave', { room: 'demo' }, Buffer.from('hi'));
  await ada.socket.emitWithAck('publish', { room: 'demo', body: { text: 'hello' } });
  await ada.socket.emitWithAck('publish', { room: 'demo', body: { text: 'again' }, id: 'twice' });
  await ada.socket.emitWithAck('publish', { room: 'demo', body: { text: 'again' }, id: 'twice' });
  await service.publish('main', 'demo', 'from a backend');
  await emit('still', null, { room: 'demo' });
  await eventually('all', () => bob.heard.length === 5 && outward.length === 4);
  const common = { method: 'emit', namespace: '/', room: 'demo', callback: null, binary: false };
  expect(outward).toEqual([
    {
      ...{ ...common, event: 'wave', binary: true, skip_sid: ada.socket.id },
      data: [[{ room: 'demo' }, { _placeholder: true, num: 0 }], 'aGk='],
      host_id: expect.stringMatching(/^[0-9a-f]{32}$/),
    },
    ...[{ text: 'hello' }, { text: 'again' }, 'from a backend'].map((body) => ({
      ...{ ...common, event: 'message', skip_sid: null, host_id: expect.any(String) },
      data: expect.objectContaining({ room: 'demo', body, offset: expect.any(Number) }),
    })),
  ]);
  expect(new Set(outward.map(({ host_id }) => host_id)).size).toBe(1);
});

test('into the log: once and in order, and to no room that is named like a connection', async () => {
  const live = await service.connectTo('btc', 0, '/bots');
  for (let n = 1; n <= 50; n += 1) await emit('price', { n }, { namespace: '/bots', room: 'btc' });
  await emit('price', 'all', { namespace: '/bots' });
  await emit('price', 'you', { namespace: '/bots', room: live.socket.id });
  await emit('price', 'nobody', { namespace: '/bots', room: 'A'.repeat(20) });
  await eventually('the messages', () => live.heard.length >= 52);
  const bodies = Array.from({ length: 50 }, (_, n) => ({ event: 'price', args: [{ n: n + 1 }] }));
  const messages = live.heard.filter(([event]) => event === 'message').map(([, message]) => message);
  expect(messages.map((message) => (message as { body: unknown }).body)).toEqual(bodies);
  expect(messages[0]).toMatchObject({ from: 'python-socketio', room: 'btc' });
  expect(live.heard.filter(([event]) => event === 'price')).toEqual([
    ['price', 'all'],
    ['price', 'you'],
  ]);
  const late = service.connect(1, '/bots');
  expect(await late.bodiesIn('btc')).toEqual(bodies);
  expect(await late.bodiesIn('A'.repeat(20))).toEqual([]);
  expect(outward).toEqual([]);
});

test('hostile payloads run nothing and end nothing, and the log says so in few lines', async () => {
  const ada = await service.connectTo('demo', 0);
  const before = service.output().length;
  const deep = `${'['.repeat(100_000)}${']'.repeat(100_000)}`;
  const hostile: (string | Buffer)[] = [
    ...Object.values(moreThanData).map((base64) => Buffer.from(base64, 'base64')),
    ...Array.from({ length: 200 }, () => Buffer.from([0x80, 4, 0x7d])),
    Buffer.alloc(10_000_000, 0x80),
    '',
    'x',
    '{',
    `{"method":"emit","event":"deep","data":${deep},"namespace":"/"}`,
    `{"method":"emit","event":"deep","data":${deep},"namespace":"/bots","room":"btc"}`,
    '{"method":"emit","event":"disconnect","data":1,"namespace":"/"}',
    '{"method":"emit","event":"","data":1,"namespace":"/"}',
    '{"method":"emit","event":"e","data":1,"namespace":"/nowhere"}',
    '{"method":"emit","event":"e","data":1,"namespace":"/bots","room":"\\u0000"}',
    '{"method":"enter_room","sid":"nobody","room":"demo","namespace":"/"}',
    JSON.stringify({ method: 'enter_room', sid: ada.socket.id, room: 'x'.repeat(5_000), namespace: '/' }),
    '{"method":"callback","host_id":"x"}',
  ];
  for (const payload of hostile) await service.admin.publish('socketio', payload);
  await emit('still', null, { room: 'demo' });
  await eventually('the honest one', () => ada.heard.some(([event]) => event === 'still'));
  expect(ada.heard).toEqual([['still']]);
  const output = service.output().slice(before);
  expect(output).toContain('ignored what a bridge can not read');
  expect(output).not.toMatch(/uncaught|unhandled/i);
  expect(output.split('\n').length).toBeLessThan(150);
  for (const { process: child } of service.instances) expect(child.exitCode).toBeNull();
});

// The last one: it ends an instance.
test('when the instance on duty leaves, another one goes on, and nothing is published twice', async () => {
  const live = await service.connectTo('eth', 0, '/bots');
  const [, leaving] = service.instances;
  let said = 0;
  const saying = setInterval(() => {
    said += 1;
    void emit('price', said, { namespace: '/bots', room: 'eth' });
  }, 10);
  const seen = () =>
    live.heard.map(([, message]) => (message as { body: { args: number[] } }).body.args[0] as number);
  await eventually('some', () => live.heard.length > 20);
  await leaving?.kill('SIGTERM');
  const at = said;
  await eventually('it to go on', () => seen().some((n) => n > at + 20));
  clearInterval(saying);
  expect(seen()).toEqual([...new Set(seen())].sort((one, other) => one - other));
});
