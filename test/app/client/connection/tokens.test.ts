import { type ClientHub, openHub } from '../../../../app/client/hub.ts';
import type { ClientRoom } from '../../../../app/client/room/room.ts';
import { AuthenticationError } from '../../../../app/server/auth/errors.ts';
import { hasExpired, type Identity, reconnectExpired } from '../../../../app/server/auth/identity.ts';
import { authorizeBy } from '../../../../app/server/hubs/authorize.ts';
import { defineHub } from '../../../../app/server/hubs/define.ts';
import type { HubMember } from '../../../../app/server/hubs/member.ts';
import { openMemoryStore } from '../../../../app/server/rooms/store/store.ts';
import { authenticateHandshakes, identityOf } from '../../../../app/server/socketio/handshake.ts';
import { type RoomsServer, startRoomsServer } from '../../../support/servers/rooms-server.ts';
import { eventually } from '../../../support/wait.ts';

let server: RoomsServer;
/** Times that the service looked whether a client may be in its room. */
let looks: number;
const hubs: ClientHub<number>[] = [];
const authorize = authorizeBy(defineHub({ name: 'chat' }));
beforeEach(async () => {
  looks = 0;
  server = await startRoomsServer({
    store: openMemoryStore(),
    subjectOf: (socket) => identityOf(socket).subject,
    authorize: (socket, ...asked) => {
      looks += 1;
      return authorize({ identity: identityOf(socket) } as HubMember, ...asked);
    },
    // As often as nobody would: each member is looked at many times behind the end of its token.
    reauthorizeEveryMs: 20,
  });
  server.io.of('/chat').use(authenticateHandshakes(authenticate, () => undefined));
});
afterEach(async () => {
  for (const hub of hubs.splice(0)) hub.close();
  await server.close();
});

/** A token here is the time at which it ends. */
function authenticate(token: unknown): Identity {
  const identity = { subject: 'ann', guest: false, expiresAt: Number(token) };
  if (hasExpired(identity)) throw new AuthenticationError('expired', 'the token has expired');
  return identity;
}

function bearers() {
  return Array.from(server.io.of('/chat').sockets.values(), (socket) => ({
    identity: identityOf(socket),
    reconnect: () => socket.conn.close(),
  }));
}

interface Client {
  readonly hub: ClientHub<number>;
  readonly room: ClientRoom<number>;
  readonly heard: unknown[];
}

async function join(token: () => number): Promise<Client> {
  const hub = openHub<number>(server.url, 'chat', {
    forceNew: true,
    reconnectionDelay: 10,
    auth: (give) => give({ token: token() }),
  });
  hubs.push(hub);
  const heard: unknown[] = [];
  const room = hub.join('r', {
    onMessage: ({ body }) => heard.push(body),
    onLost: (lost) => heard.push(lost),
    onRefused: ({ code }) => heard.push(code),
  });
  await room.joined;
  return { hub, room, heard };
}

test('tokens end again and again, and no publish is rejected, lost or heard twice', async () => {
  const end = reconnectExpired(bearers, 300);
  const tokens: number[] = [];
  const shortToken = () => {
    // Long enough for a busy machine to publish by each: what ends a connection thrice is given up.
    tokens.push(Date.now() + 1_000);
    return tokens.at(-1) as number;
  };
  const [sender, reader] = await Promise.all([join(shortToken), join(shortToken)]);
  const publishing: Promise<unknown>[] = [];
  const timer = setInterval(() => publishing.push(sender.room.publish(publishing.length)), 10);
  await eventually('many tokens', () => tokens.length >= 8);
  clearInterval(timer);
  await Promise.all(publishing);
  for (const { heard } of [sender, reader]) {
    await eventually('all of them', () => heard.length >= publishing.length);
    expect([...heard].sort((one, other) => Number(one) - Number(other))).toEqual([...publishing.keys()]);
  }
  expect(reader.heard).toEqual(sender.heard);
  end();
});

test('a member whose token has ended stays one until it does something itself', async () => {
  let token = Date.now() + 3_600_000;
  const { hub, room, heard } = await join(() => token);
  const { id } = hub.socket;
  token = Date.now() - 1;
  for (const socket of server.io.of('/chat').sockets.values()) {
    socket.data.identity = { ...identityOf(socket), expiresAt: token };
  }
  const before = looks;
  await eventually('the service to look at its members', () => looks > before + 2);
  await server.rooms.publish('r', 1);
  await eventually('the message', () => heard.length > 0);
  expect([heard, hub.socket.id]).toEqual([[1], id]);

  const publishing = room.publish(2);
  await eventually('its end', () => hub.state === 'expired');
  token += 3_600_000;
  await publishing;
  await eventually('the message', () => heard.length > 1);
  expect([heard, hub.state]).toEqual([[1, 2], 'connected']);
});
