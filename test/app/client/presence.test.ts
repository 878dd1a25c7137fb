import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { Server } from 'socket.io';
import { type ClientHub, openHub } from '../../../app/client/hub.ts';
import type { PresenceDifference } from '../../../app/client/presence.ts';
import type {
  ErrorReply,
  PresenceChange,
  PresenceReply,
  PresenceRequest,
} from '../../../app/protocol/hub.ts';
import { eventually } from '../../support/wait.ts';

type Answer = ({ ok: true } & PresenceReply) | ErrorReply;

let io: Server;
let hub: ClientHub;
let url: string;
let requests: PresenceRequest[];
/** What the next requests are answered; the last one stays. */
let answers: Answer[];
/** While it is there, answers wait. */
let held: Promise<void> | undefined;
let notified: { members: readonly string[]; difference: PresenceDifference }[];

beforeEach(async () => {
  const http = createServer();
  io = new Server(http, { serveClient: false });
  requests = [];
  notified = [];
  held = undefined;
  io.of('/chat').on('connection', (socket) => {
    socket.on('presence', async (request: PresenceRequest, reply: (answer: Answer) => void) => {
      requests.push(request);
      const answer = answers.length > 1 ? answers.shift() : answers[0];
      await held;
      reply(answer as Answer);
    });
  });
  http.listen(0, '127.0.0.1');
  await once(http, 'listening');
  url = `http://127.0.0.1:${(http.address() as AddressInfo).port}`;
});

afterEach(async () => {
  hub.close();
  await io.close();
});

function follow(): void {
  hub = openHub(url, 'chat', { transports: ['websocket'], reconnectionDelay: 10, forceNew: true });
  hub.presence('r', (members, difference) => notified.push({ members, difference }));
}

async function followFrom(version: number, ...members: string[]): Promise<void> {
  answers = [list(version, ...members)];
  follow();
  await untilNotified(1);
}

const list = (version: number, ...members: string[]): Answer => ({ ok: true, epoch: 'E', version, members });
const untilNotified = (times: number) => eventually(`${times} calls`, () => notified.length >= times);
const now = () => [...(notified.at(-1)?.members ?? [])].sort().join(' ');

function change(version: number, joined: string[], left: string[] = [], epoch = 'E'): void {
  io.of('/chat').emit('presence', { room: 'r', epoch, version, joined, left } satisfies PresenceChange);
}

test('changes that follow are applied without asking', async () => {
  await followFrom(4, 'ann');
  change(5, ['bob', 'cid']);
  change(6, [], ['ann']);
  await untilNotified(3);
  expect(notified.map(({ difference }) => difference)).toEqual([
    { joined: ['ann'], left: [] },
    { joined: ['bob', 'cid'], left: [] },
    { joined: [], left: ['ann'] },
  ]);
  expect([now(), requests]).toEqual(['bob cid', [{ room: 'r' }]]);
});

test('a change that was lost: the members are asked for, and the handler sees the difference', async () => {
  await followFrom(4, 'ann');
  answers = [list(6, 'bob')];
  change(6, [], ['ann']);
  await untilNotified(2);
  expect(notified[1]).toEqual({ members: ['bob'], difference: { joined: ['bob'], left: ['ann'] } });
  expect(requests[1]).toEqual({ room: 'r', known: { epoch: 'E', version: 4 } });
});

test('changes heard while an answer is under way are applied behind it, older ones not', async () => {
  await followFrom(4, 'ann');
  let release: () => void = () => undefined;
  held = new Promise((resolve) => {
    release = resolve;
  });
  answers = [list(7, 'ann', 'bob')];
  change(6, ['zoe']);
  await eventually('the request', () => requests.length === 2);
  change(7, [], ['zoe']);
  change(8, ['cid']);
  await delay(50);
  release();
  await untilNotified(3);
  expect([now(), notified.length, requests.length]).toEqual(['ann bob cid', 3, 2]);
});

test('an old change and one of another room mean nothing', async () => {
  await followFrom(4, 'ann');
  change(3, ['bob']);
  io.of('/chat').emit('presence', { room: 'other', epoch: 'E', version: 5, joined: ['bob'], left: [] });
  change(5, ['cid']);
  await untilNotified(2);
  expect([now(), requests.length]).toEqual(['ann cid', 1]);
});

test('another epoch: the members are asked for', async () => {
  await followFrom(4, 'ann');
  answers = [{ ok: true, epoch: 'F', version: 5, members: ['ann', 'bob'] }];
  change(5, [], ['ann'], 'F');
  await untilNotified(2);
  expect(notified[1]).toEqual({ members: ['ann', 'bob'], difference: { joined: ['bob'], left: [] } });
});

test('after a reconnect nobody is notified of what has not changed', async () => {
  await followFrom(4, 'ann');
  answers = [{ ok: true, epoch: 'E', version: 4 }];
  for (const socket of io.of('/chat').sockets.values()) socket.conn.close();
  await eventually('the second request', () => requests.length === 2);
  expect(requests[1]).toEqual({ room: 'r', known: { epoch: 'E', version: 4 } });
  change(5, ['bob']);
  await untilNotified(2);
  expect([now(), notified.length]).toEqual(['ann bob', 2]);
});

test('what is known of some does not replace what is known of all', async () => {
  await followFrom(4, 'ann', 'bob');
  answers = [
    { ok: true, epoch: '', version: 0, members: ['ann'], partial: true },
    list(9, 'ann', 'bob', 'cid'),
  ];
  change(9, []);
  await untilNotified(2);
  expect(notified[1]?.difference).toEqual({ joined: ['cid'], left: [] });
});

test('while the room is being joined anew it is asked again', async () => {
  answers = [{ ok: false, error: { code: 'forbidden', message: 'join the room first' } }, list(1, 'ann')];
  follow();
  await untilNotified(1);
  expect([now(), requests.length]).toEqual(['ann', 2]);
});

test('who has left the room is notified of nothing more', async () => {
  await followFrom(4, 'ann');
  hub.leave('r');
  change(5, ['bob']);
  await delay(100);
  expect([notified.length, requests.length]).toEqual([1, 1]);
});

test('a handler that throws has the next changes too, and one that leaves in between has no more', async () => {
  const faults: unknown[] = [];
  answers = [list(4, 'ann')];
  hub = openHub(url, 'chat', {
    transports: ['websocket'],
    forceNew: true,
    onError: (error) => faults.push((error as Error).message),
  });
  hub.presence('r', (members, difference) => {
    notified.push({ members, difference });
    if (members.includes('cid')) hub.leave('r');
    throw new Error(`at ${members.length}`);
  });
  await untilNotified(1);
  let release: () => void = () => undefined;
  held = new Promise((resolve) => {
    release = resolve;
  });
  answers = [list(6, 'ann', 'bob')];
  change(6, ['bob']);
  await eventually('the request', () => requests.length === 2);
  change(7, ['cid']);
  change(8, ['dee']);
  await delay(50);
  release();
  await eventually('the faults', () => faults.length === 3);
  expect([faults, notified.length]).toEqual([['at 1', 'at 2', 'at 3'], 3]);
});
