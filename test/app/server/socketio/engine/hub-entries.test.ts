import { type EventEmitter, once } from 'node:events';
import type { Socket } from 'socket.io';
import WebSocket from 'ws';
import { ConnectionLimit } from '../../../../../app/server/connections/connection-limit.ts';
import { HubEntries } from '../../../../../app/server/socketio/engine/hub-entries.ts';
import { authenticateHandshakes } from '../../../../../app/server/socketio/handshake.ts';
import { openServer, type TestServer } from '../../../../support/servers/socket-server.ts';
import { eventually } from '../../../../support/wait.ts';

type Limit = (identity: { subject: string; guest: boolean }, socket: Socket) => void;

let server: TestServer;
let limit: ConnectionLimit;
/** Resolves what is being authenticated; absent: it is at once. */
let authenticated: Promise<void> | undefined;
const connections: WebSocket[] = [];

beforeEach(async () => {
  server = await openServer();
  limit = new ConnectionLimit(3);
  authenticated = undefined;
  const entries = new HubEntries(limit);
  const admit = entries.admit.bind(entries) as unknown as Limit;
  for (const hub of ['/chat', '/open']) {
    server.io.of(hub).use(
      authenticateHandshakes(
        // In `/open` nobody is authenticated: each entry is another user.
        hub === '/open' ? undefined : (token) => identify(String(token)),
        admit as never,
      ) as never,
    );
  }
});
afterEach(async () => {
  for (const connection of connections.splice(0)) connection.terminate();
  await server.close();
});

function identify(subject: string) {
  const identity = { subject, guest: false };
  return authenticated ? authenticated.then(() => identity) : identity;
}

/** A connection that says by itself what it enters, and what it was answered. */
async function open() {
  const ws = new WebSocket(`${server.url.replace('http', 'ws')}/socket.io/?EIO=4&transport=websocket`);
  connections.push(ws);
  const answers: string[] = [];
  ws.on('message', (data) => answers.push(String(data)));
  await once(ws, 'open');
  await eventually('the handshake', () => answers.length === 1);
  return { ws, answers, enter: (hub: string, token = 'ada') => ws.send(`40/${hub},{"token":"${token}"}`) };
}

/** Listeners for the end of the one connection that there is. */
function listeners(): number {
  const { clients } = server.io.engine as unknown as { clients: Record<string, EventEmitter> };
  return Object.values(clients)[0]?.listenerCount('close') ?? 0;
}

test.each(['open', 'chat'])('who enters %s and leaves it, again and again, piles up nothing', async (hub) => {
  const { ws, enter, answers } = await open();
  const counts: number[] = [];
  for (let n = 0; n < 20; n += 1) {
    enter(hub);
    await eventually('the answer', () => answers.length === n + 2);
    expect(answers.at(-1)).toMatch(/^40\//);
    counts.push(listeners());
    ws.send(`41/${hub},`);
    await eventually('it to have left', () => server.io.of(`/${hub}`).sockets.size === 0);
    expect(limit.users).toBe(0);
  }
  expect(counts.at(-1)).toBe(counts[0]);
});

test('what enters a hub many times at once is in it so many times and no more', async () => {
  const { ws, enter, answers } = await open();
  const { _socket: tcp } = ws as unknown as { _socket: { cork(): void; uncork(): void } };
  // In one write: Socket.IO itself ends a connection that enters a hub which it is in.
  tcp.cork();
  for (let n = 0; n < 100; n += 1) enter('open');
  tcp.uncork();
  await eventually('all answers', () => answers.length === 101);
  expect(server.io.of('/open').sockets.size).toBe(20);
  expect(answers.at(-1)).toContain('a connection may enter 20 hubs');
  expect(limit.users).toBe(20);
  ws.terminate();
  await eventually('nobody to be left', () => limit.users === 0);
});

test('a user has so many connections, and each that ends makes room, however far it came', async () => {
  const three = await Promise.all([open(), open(), open()]);
  for (const { enter, answers } of three) {
    enter('chat');
    await eventually('the answer', () => answers.length === 2);
  }
  const fourth = await open();
  fourth.enter('chat');
  await eventually('the answer', () => fourth.answers.length === 2);
  expect(fourth.answers[1]).toContain('a user may have 3 connections');
  three[0]?.ws.terminate();
  await eventually('room', async () => {
    fourth.enter('chat');
    const { length } = fourth.answers;
    await eventually('an answer', () => fourth.answers.length > length);
    return /^40\/chat,/.test(fourth.answers.at(-1) as string);
  });
  for (const { ws } of [...three, fourth]) ws.terminate();
  await eventually('nobody to be left', () => limit.users === 0);
});

test('a connection that ends while it is authenticated takes no room of its user', async () => {
  let done = () => {};
  authenticated = new Promise((resolve) => {
    done = resolve;
  });
  const { ws, enter } = await open();
  enter('chat');
  const preparing = (server.io.of('/chat') as unknown as { _preConnectSockets: Map<string, unknown> })
    ._preConnectSockets;
  await eventually('it to be looked at', () => preparing.size === 1);
  ws.terminate();
  await eventually('its end to be known', () => server.io.engine.clientsCount === 0);
  done();
  await eventually('it to be refused', () => preparing.size === 0);
  expect(limit.users).toBe(0);
});
