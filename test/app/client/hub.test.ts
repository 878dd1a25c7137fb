import { type ClientHub, type ConnectionState, openHub } from '../../../app/client/hub.ts';
import { openScriptedHub, type ScriptedHub } from '../../support/servers/scripted-hub.ts';
import { eventually } from '../../support/wait.ts';

let server: ScriptedHub;
let hub: ClientHub;
let states: ConnectionState[];
beforeEach(async () => {
  server = await openScriptedHub();
});
afterEach(async () => {
  hub.close();
  await server.close();
});

function open(): void {
  hub = openHub(server.url, 'chat', { transports: ['websocket'], reconnectionDelay: 10, forceNew: true });
  states = [hub.state];
  hub.watch((state) => states.push(state));
}

const until = (state: ConnectionState) => eventually(state, () => states.at(-1) === state);

test('a connection that is lost comes back, and `close` ends it', async () => {
  open();
  await until('connected');
  server.cut();
  await eventually('the second connection', () => states.length === 4);
  hub.close();
  expect(states).toEqual(['connecting', 'connected', 'reconnecting', 'connected', 'closed']);
});

test('a client is notified that its instance lost the backplane, and the connection stays', async () => {
  open();
  await until('connected');
  server.emit('degraded', { degraded: true });
  await until('degraded');
  server.emit('degraded', { degraded: false });
  await until('connected');
  expect(states).toEqual(['connecting', 'connected', 'degraded', 'connected']);
});

test('an instance that hangs up by name is left for another one', async () => {
  open();
  await until('connected');
  const { id } = hub.socket;
  server.disconnectByName();
  await eventually('another connection', () => hub.socket.connected && hub.socket.id !== id);
  expect(states).toEqual(['connecting', 'connected', 'reconnecting', 'connected']);
});

test('a service that does not take this client is `refused`', async () => {
  server.refuse('invalid');
  open();
  await until('refused');
  expect(states).toEqual(['connecting', 'refused']);
});

test('a token that has ended is asked for anew, for as long as `auth` gives no other one', async () => {
  server.refuse('expired', 3);
  const tokens: string[] = [];
  hub = openHub(server.url, 'chat', {
    forceNew: true,
    auth: (give) => {
      tokens.push(`token ${tokens.length + 1}`);
      give({ token: tokens.at(-1) });
    },
  });
  states = [hub.state];
  hub.watch((state) => states.push(state));
  await until('connected');
  expect(tokens).toEqual(['token 1', 'token 2', 'token 3', 'token 4']);
  expect(states).toEqual(['connecting', 'reconnecting', 'expired', 'connected']);
});

test('a service that can not check the token now is asked again', async () => {
  server.refuse('unavailable', 2);
  open();
  await until('connected');
  expect(states).toEqual(['connecting', 'reconnecting', 'connected']);
});

test('the instance that serves is known once it has said so', async () => {
  open();
  await until('connected');
  expect(hub.instance).toBeUndefined();
  server.emit('welcome', { instance: 'i-1' });
  await eventually('the name', () => hub.instance === 'i-1');
});

test('who stopped watching is notified of nothing more', async () => {
  open();
  const seen: ConnectionState[] = [];
  const stop = hub.watch((state) => seen.push(state));
  await until('connected');
  stop();
  hub.close();
  expect(seen).toEqual(['connected']);
});
