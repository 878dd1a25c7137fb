import type { Socket } from 'socket.io';
import type { z } from 'zod';
import {
  askRequest,
  cancelRequest,
  joinRequest,
  leaveRequest,
  presenceRequest,
  publishRequest,
  typingRequest,
} from '../../../app/protocol/schemas.ts';
import { signToken, type TokenClaims, verifyToken } from '../../../app/server/auth/hmac.ts';
import { openDenials } from '../../../app/server/deny-list/open-denials.ts';
import { serveBans } from '../../../app/server/http/bans.ts';
import { createHttp } from '../../../app/server/http/create.ts';
import { serveMessages } from '../../../app/server/http/messages.ts';
import { serveSession } from '../../../app/server/http/session.ts';
import { createLog } from '../../../app/server/process/log.ts';
import { openMemoryStore } from '../../../app/server/rooms/store/store.ts';
import { anonymousSubject } from '../../../app/server/socketio/subject.ts';
import { type RoomsServer, startRoomsServer } from '../../support/servers/rooms-server.ts';

/**
 * One rule for every name, at every entry: what has no UTF-8 of its own is one in Redis and two in memory, so that ids
 * meet, rooms split and bans hold on one instance alone; and control characters have no place in logs and headers.
 */
const names = ['a', 'ü', '🎈', '{}%:*/', '\u2028', 'x'.repeat(64)];
const none = ['\ud800', 'a\udc00b', '\udc00\ud800', '🎈\ud83c', 'a\0', '\n', '\x7f', '\x9f', ''];

/** That of test/support brings a Redis, which these need not. */
const silent = createLog('silent', 'test');

const secret = 'a secret of thirty-two characters';
const serviceToken = 'a service token of 32 characters!';

let server: RoomsServer;
let http: Awaited<ReturnType<typeof createHttp>>;
beforeAll(async () => {
  server = await startRoomsServer({ store: openMemoryStore() });
  http = await createHttp({ log: silent, trustedProxyHops: 0, idleTimeoutSeconds: 60 });
  const hubs = new Map([['chat', server.rooms]]);
  const denials = openDenials({
    links: undefined,
    deployment: 'test',
    servesAlone: true,
    log: silent,
    hubs: () => [],
  });
  await serveMessages(http, { hubs, serviceTokens: [serviceToken] });
  serveBans(http, { denials, hubs, serviceTokens: [serviceToken] });
  serveSession(http, {
    auth: {
      secrets: [secret],
      jwksUrl: undefined,
      issuer: undefined,
      audience: undefined,
      guests: true,
      none: false,
    },
    corsOrigins: [],
    trustedProxyHops: 0,
    limit: () => undefined,
    admit: () => undefined,
  });
});
afterAll(async () => {
  await http.close();
  await server.close();
});

type Takes = (name: string) => boolean | Promise<boolean>;

const by =
  (schema: z.ZodType, request: (name: string) => unknown): Takes =>
  (name) =>
    schema.safeParse(request(name)).success;

const claims = (given: Partial<TokenClaims>): boolean => {
  const exp = Math.floor(Date.now() / 1_000) + 60;
  try {
    verifyToken(signToken({ sub: 'ada', exp, ...given }, secret), [secret], {});
    return true;
  } catch {
    return false;
  }
};

async function post(url: string, payload: object): Promise<boolean> {
  const { statusCode } = await http.inject({
    method: 'POST',
    url,
    headers: { authorization: `Bearer ${serviceToken}` },
    payload,
  });
  return statusCode < 300;
}

const messages = '/api/hubs/chat/rooms/r/messages';
const ban = { hub: 'chat', room: 'r', subject: 'ada', forSeconds: 1 };
const since = (epoch: string) => ({ epoch, offset: 1 });

const publish = (room: string, options: object = {}): Promise<boolean> =>
  server.rooms.publish(room, 0, options).then(
    () => true,
    (error) => !(error instanceof TypeError),
  );

test.each<[string, Takes]>([
  ['join, room', by(joinRequest, (room) => ({ room }))],
  ['join, since', by(joinRequest, (epoch) => ({ room: 'r', since: since(epoch) }))],
  ['join, acked', by(joinRequest, (epoch) => ({ room: 'r', acked: since(epoch) }))],
  ['leave', by(leaveRequest, (room) => ({ room }))],
  ['presence', by(presenceRequest, (room) => ({ room }))],
  ['typing', by(typingRequest, (room) => ({ room }))],
  ['publish, room', by(publishRequest, (room) => ({ room, body: 0 }))],
  ['publish, id', by(publishRequest, (id) => ({ room: 'r', id, body: 0 }))],
  ['ask, room', by(askRequest, (room) => ({ room, prompt: 'x' }))],
  ['ask, id', by(askRequest, (id) => ({ room: 'r', id, prompt: 'x' }))],
  ['cancel', by(cancelRequest, (turn) => ({ turn }))],
  ["a token's subject", (sub) => claims({ sub })],
  ["a token's id", (jti) => claims({ jti })],
  ["a token's name", (name) => claims({ name })],
  ["a token's room", (room) => claims({ rooms: [room] })],
  ["a token's room with what is visible of it", (room) => claims({ rooms: [{ room, from: 1 }] })],
  ["a token's epoch", (epoch) => claims({ rooms: [{ room: 'r', from: 1, epoch }] })],
  [
    'what an anonymous client calls itself',
    (client) =>
      anonymousSubject({ id: 'own', handshake: { auth: { client } } } as unknown as Socket) !== 'own',
  ],
  ["the server's publish, room", (room) => publish(room)],
  ["the server's publish, id", (id) => publish('r', { id })],
  ["the server's publish, sender", (from) => publish('r', { from })],
  ['HTTP, id', (id) => post(messages, { id, body: 0 })],
  ['HTTP, sender', (from) => post(messages, { from, body: 0 })],
  ['HTTP, ban of a subject', (subject) => post('/api/bans', { ...ban, subject })],
  ['HTTP, ban in a room', (room) => post('/api/bans', { ...ban, room })],
  ['HTTP, revocation of a subject', (subject) => post('/api/revocations', { subject, forSeconds: 1 })],
  ['HTTP, revocation of a token', (tokenId) => post('/api/revocations', { tokenId, forSeconds: 1 })],
])('%s', async (_entry, takes) => {
  for (const name of names) expect([name, await takes(name)]).toEqual([name, true]);
  for (const name of none) expect([name, await takes(name)]).toEqual([name, false]);
});

test("a guest's name may be left out, and is held to the rule; a room in a path is as it is decoded", async () => {
  const session = (name: string) =>
    http
      .inject({ method: 'POST', url: '/api/session', payload: { name } })
      .then(({ statusCode }) => statusCode);
  expect([await session('🎈'), await session('\ud83c'), await session('a\0')]).toEqual([200, 400, 400]);
  const path = (room: string) => `/api/hubs/chat/rooms/${room}/messages`;
  expect(await post(path(encodeURIComponent('🎈')), { body: 0 })).toBe(true);
  for (const room of ['%ED%A0%80', '%00', '%0A', '%C2%85']) {
    expect(await post(path(room), { body: 0 })).toBe(false);
  }
});

test('a prompt may have lines, and no half of a pair', () => {
  const takes = by(askRequest, (prompt) => ({ room: 'r', prompt }));
  expect([takes('one\n\ttwo 🎈'), takes('\ud83c'), takes(' \n')]).toEqual([true, false, false]);
});
