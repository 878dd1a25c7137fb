import { once } from 'node:events';
import { HttpTransportType } from '@microsoft/signalr';
import WebSocket from 'ws';
import type { Message } from '../../../../app/protocol/hub.ts';
import { describeInFull } from '../../../support/full-runs.ts';
import { startInstance, type TestInstance } from '../../../support/servers/service.ts';
import { eventually } from '../../../support/wait.ts';
import * as cells from './cells.ts';
import { Fleet, type Instance, isFull, messageOf, tokenOf, type Way, ways } from './fleet.ts';

/** The service as a process, several times, and Microsoft's client as it is: behind a proxy without cookies. */

const { WebSockets, ServerSentEvents, LongPolling } = HttpTransportType;
const [webSockets, , serverSentEvents, , binaryPolling] = ways;

let fleet: Fleet;
let alone: TestInstance;
/** Instances look for tokens that have ended every ten seconds: the other tests need not wait for it. */
let comesBack: readonly (() => Promise<void>)[];

beforeAll(async () => {
  [fleet, alone] = await Promise.all([Fleet.start(), startInstance('alone', { REDIS_URL: 'none' })]);
  comesBack = await Promise.all(
    (isFull ? ways : [serverSentEvents]).map((way) => cells.startToEnd(fleet, way)),
  );
  fleet.keepClients();
});
afterEach(() => fleet.stopClients());
afterAll(async () => {
  await Promise.all([fleet.stop(), alone.kill('SIGKILL')]);
});

/** What is tried, and by which way in a run of all tests. */
const matrix: readonly [what: string, cell: cells.Cell, some: readonly Way[]][] = [
  ['what is refused says so in an error with the code in front', cells.refusals, [webSockets]],
  ['a room is followed from a position on, live, and until it is not wanted', cells.follow, [binaryPolling]],
  ['an answer comes piece by piece, and is found again by its id', cells.answer, [ways[1]]],
  ['an answer that is not wanted ends', cells.cancel, [ways[3]]],
  ['a thousand messages arrive once and in order', cells.thousandMessages, [serverSentEvents]],
  ['what is no message ends its connection, and no other', cells.badInput, [webSockets]],
  ['a client that does not read is ended, and finds what it can have', cells.slowConsumer, [webSockets]],
  // Behind the others: for four seconds after Redis came up empty, presence waits for instances to register again.
  ['rooms are the same for clients of both kinds, on all instances', cells.rooms, [binaryPolling]],
];

/** These go on behind all else: clients that nobody waits for any more would be cut off, too. */
const faults: typeof matrix = [
  ['its instance is killed: it comes back on another one, and misses nothing', cells.killed, [binaryPolling]],
  [
    'its instance leaves: all that it called is answered, and it comes back elsewhere',
    cells.drained,
    [serverSentEvents],
  ],
  ['Redis is away: it stays connected, and goes on when Redis is back', cells.redisAway, [webSockets]],
];

function describeCells(tried: typeof matrix): void {
  describe.each(tried)('%s', (what, cell, some) => {
    test.each((isFull ? ways : some).map((way) => [way.name, way] as const))('by %s', async (name, way) => {
      await cell(fleet, way, `${what} ${name}`);
    });
  });
}

describeCells(matrix);

test('a client negotiates with one instance and connects to another', async () => {
  const [one, two] = fleet.instances as [Instance, Instance];
  const headers = { authorization: `Bearer ${tokenOf('ada')}` };
  const negotiated = await fetch(`${one.url}/chathub/negotiate?negotiateVersion=1`, {
    method: 'POST',
    headers,
  });
  const { connectionToken } = (await negotiated.json()) as { connectionToken: string };
  const polled = await fetch(`${two.url}/chathub?id=${connectionToken}`, { headers });
  expect([polled.status, await polled.text()]).toEqual([200, '']);
  await fetch(`${two.url}/chathub?id=${connectionToken}`, { method: 'DELETE', headers });
});

test('who is revoked or banned is sent away on every instance', async () => {
  const client = await fleet.connect({ user: 'mallory' });
  const expelled: string[] = [];
  client.on('expelled', ({ room }) => expelled.push(room));
  await client.invoke('Join', 'r');
  const ban = await fleet.post(
    '/bans',
    JSON.stringify({ hub: 'chat', room: 'r', subject: 'mallory', forSeconds: 60 }),
  );
  expect(ban.status).toBeLessThan(300);
  await eventually('the ban', () => expelled.length === 1);
  expect(await messageOf(client.invoke('Join', 'r'))).toContain('HubException: forbidden');
  const closed = new Promise((resolve) => client.onclose(resolve));
  const revocation = await fleet.post('/revocations', JSON.stringify({ subject: 'mallory', forSeconds: 60 }));
  expect(revocation.status).toBeLessThan(300);
  await closed;
  expect(await messageOf(fleet.connect({ user: 'mallory' }))).toContain('401');
});

test('paths of nobody are refused at once, and Socket.IO goes on beside', async () => {
  const response = await fetch(`${fleet.proxy.url}/nohub/negotiate`, { method: 'POST' });
  expect(response.status).toBe(404);
  const before = await fleet.sumOf('realtime_upgrade_failures_total\\{reason="wrong_path"\\}');
  const upgrade = new WebSocket(`${fleet.proxy.url.replace('http', 'ws')}/nohub`);
  const [error] = await once(upgrade, 'error');
  expect(error.message).toBe('Unexpected server response: 404');
  expect(await fleet.sumOf('realtime_upgrade_failures_total\\{reason="wrong_path"\\}')).toBe(before + 1);
  const socket = fleet.socketOf('ada');
  expect(await socket.emitWithAck('join', { room: 'r' })).toMatchObject({ ok: true });
});

test('without Redis, and without authentication, one instance serves them alone', async () => {
  for (const transport of isFull ? [WebSockets, ServerSentEvents, LongPolling] : [WebSockets]) {
    const secretOfClient = `client-${transport}`;
    const options = { url: alone.url, transport, accessTokenFactory: () => secretOfClient };
    const [client, again] = [await fleet.connect(options), await fleet.connect(options)];
    const nobody = await fleet.connect({ ...options, accessTokenFactory: () => '' });
    const heard: string[] = [];
    client.on('message', ({ from }: Message) => void heard.push(from));
    await client.invoke('Join', 'r');
    for (const each of [client, again, nobody]) await each.invoke('Publish', 'r', 1);
    await eventually('all three', () => heard.length === 3);
    expect(heard[1]).toBe(heard[0]);
    expect(heard[2]).not.toBe(heard[0]);
    expect(heard.join()).not.toContain('client');
    await Promise.all([client, again, nobody].map((each) => each.stop()));
  }
});

test.each(isFull ? ways.map(({ name }) => name) : [serverSentEvents.name])(
  'a client by %s whose token ends comes back with another one',
  async (name) => {
    await comesBack[isFull ? ways.findIndex((way) => way.name === name) : 0]?.();
  },
);

test('connections are counted by their transport, once however many instances they pass', async () => {
  const opensBefore = await fleet.sumOf('realtime_connects_total');
  const connections = (name: string) => fleet.sumOf(`realtime_connections\\{transport="${name}"\\}`);
  for (const [name, transport] of [
    ['websocket', WebSockets],
    ['sse', ServerSentEvents],
    ['polling', LongPolling],
  ] as const) {
    const before = await connections(name);
    await fleet.connect({ transport });
    await eventually(`one by ${name}`, async () => (await connections(name)) === before + 1);
  }
  expect((await fleet.sumOf('realtime_connects_total')) - opensBefore).toBe(3);
  const refusals = 'realtime_authentication_refusals_total\\{hub="chat",reason="invalid"\\}';
  const refusedBefore = await fleet.sumOf(refusals);
  expect(await messageOf(fleet.connect({ accessTokenFactory: () => 'x' }))).toContain('401');
  expect((await fleet.sumOf(refusals)) - refusedBefore).toBe(1);
});

describeCells(faults.slice(0, 1));
describeInFull('signalr', 'other faults', () => describeCells(faults.slice(1)));

test('nothing that authenticates stands in the log', () => {
  expect(fleet.output).toContain('"transport":"sse"');
  expect(fleet.output).not.toMatch(/access_token|eyJ[\w-]{10}|s1\.[\w-]{40}/);
});
