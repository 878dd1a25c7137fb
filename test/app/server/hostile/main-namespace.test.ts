import { io, type Socket } from 'socket.io-client';
import { environmentNames as names } from '../../../../app/names.ts';
import { eventually } from '../../../support/wait.ts';
import { malformedPackets } from './malformed-packets.ts';
import { RawSocket } from './raw.ts';
import { refusalOf, serviceToken, Target, tokenOf } from './target.ts';

/** The namespace `/`, where events have any name: what holds in other hubs holds there. */

let target: Target;
beforeAll(async () => {
  target = await Target.start(3, { [names.mainHub]: 'true', [names.drainSeconds]: '1' });
});
afterEach(() => target.expectSound());
afterAll(() => target.stop());

const mine = (sub = 'mallory') => tokenOf({ iss: 'us', aud: 'app', sub, rooms: ['main/open*'] });
const open = (sub?: string) => RawSocket.open(target, mine(sub), '');

function connect(token: unknown, url = target.url): Socket {
  return io(url, {
    auth: { token },
    forceNew: true,
    transports: ['websocket'],
    reconnection: false,
    extraHeaders: { 'x-forwarded-for': '192.0.2.66' },
  });
}

test.each(malformedPackets)('%s', async (_case, frames) => {
  const raw = await open();
  raw.send(...frames.map((frame) => (typeof frame === 'string' ? frame.replaceAll('/chat,', '') : frame)));
  raw.send('4299["join",{"room":"open"}]');
  await eventually('an answer or an end', () => !raw.isOpen || raw.frames.some((f) => f.startsWith('4399')));
  raw.close();
});

test('nobody gets in without a token, or with a bad one', async () => {
  for (const token of [undefined, '', 'x', { a: 1 }, tokenOf({ iss: 'them', aud: 'app' })]) {
    const socket = connect(token);
    expect(await refusalOf(socket)).toMatch(/^(missing|invalid)$/);
    socket.disconnect();
  }
});

test('no event reaches a room that the token does not name, whatever the event is called', async () => {
  const raw = await open();
  raw.send(
    '421["join",{"room":"secret"}]',
    '422["publish",{"room":"secret","body":1}]',
    '423["wave",{"room":"secret"}]',
    '424["message",{"room":"secret"}]',
    '425["__proto__",{"room":"secret"}]',
  );
  await raw.until((frame) => frame.startsWith('435['));
  for (const id of [1, 2, 3, 4, 5]) {
    expect(raw.frames.find((frame) => frame.startsWith(`43${id}[`))).toContain('"forbidden"');
  }
  raw.close();
});

test('arguments that are nested as deep as a packet allows are refused', async () => {
  const raw = await open();
  raw.send(`421["wave",${'['.repeat(40_000)}${']'.repeat(40_000)}]`);
  raw.send(`422["wave",{"room":"open","a":${'{"a":'.repeat(10_000)}1${'}'.repeat(10_000)}}]`);
  await eventually(
    'both answers, or the end',
    () => !raw.isOpen || raw.frames.filter((frame) => /^43[12]\[/.test(frame)).length === 2,
  );
  for (const frame of raw.frames.filter((each) => each.startsWith('43')))
    expect(frame).toContain('"bad_request"');
  raw.close();
});

test('who floods with events is refused, as who publishes is', async () => {
  const raw = await open('flooder');
  raw.send('420["join",{"room":"open"}]');
  await raw.until((frame) => frame.startsWith('430['));
  for (let n = 1; n <= 2_000; n += 1) raw.send(`42${n}["wave",{"room":"open","n":${n}}]`);
  await eventually(
    'an answer to each',
    () => raw.frames.filter((frame) => frame.startsWith('43')).length === 2_001,
  );
  expect(raw.frames.filter((frame) => frame.includes('"rate_limited"')).length).toBeGreaterThan(1_000);
  raw.close();
});

async function ask(method: string, path: string, body?: unknown): Promise<Response> {
  return fetch(target.url + path, {
    method,
    headers: { authorization: `Bearer ${serviceToken}`, 'content-type': 'application/json' },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  });
}

test('a ban ends a membership on every instance, and events with it', async () => {
  const other = target.instances[1]?.url;
  const [speaker, banned] = [connect(mine('ada')), connect(mine('banned'), other)];
  for (const socket of [speaker, banned])
    expect(await socket.emitWithAck('join', { room: 'open' })).toMatchObject({ ok: true });
  const heard: unknown[] = [];
  // Who has come is told in its own time.
  banned.onAny((event) => event !== 'presence' && heard.push(event));
  const expelled = new Promise((resolve) => banned.once('expelled', resolve));
  const ban = { hub: 'main', room: 'open', subject: 'banned', forSeconds: 600 };
  expect((await ask('POST', '/api/bans', ban)).ok).toBe(true);
  await expelled;
  expect(await banned.emitWithAck('wave', { room: 'open' })).toMatchObject({ error: { code: 'forbidden' } });
  expect(await banned.emitWithAck('join', { room: 'open' })).toMatchObject({ error: { code: 'forbidden' } });
  await speaker.emitWithAck('wave', { room: 'open' });
  expect(await banned.emitWithAck('wave', {})).toMatchObject({ error: { code: 'bad_request' } });
  expect(heard).toEqual(['expelled']);
  speaker.disconnect();
  banned.disconnect();
});

test('a revoked user is out, and does not come back', async () => {
  const socket = connect(mine('revoked'), target.instances[1]?.url);
  await socket.emitWithAck('join', { room: 'open' });
  const gone = new Promise((resolve) => socket.once('disconnect', resolve));
  expect((await ask('POST', '/api/revocations', { subject: 'revoked', forSeconds: 600 })).ok).toBe(true);
  await gone;
  expect(await refusalOf(connect(mine('revoked')))).toBe('revoked');
});

test('an instance that drains lets them go, and they come back elsewhere', async () => {
  const [, leaving] = target.instances;
  const socket = connect(mine('leaver'), leaving?.url);
  await socket.emitWithAck('join', { room: 'open' });
  const gone = new Promise((resolve) => socket.once('disconnect', resolve));
  leaving?.process.kill('SIGUSR2');
  expect(await gone).toBe('transport close');
  const again = connect(mine('leaver'));
  expect(await again.emitWithAck('join', { room: 'open' })).toMatchObject({ ok: true });
  again.disconnect();
});
