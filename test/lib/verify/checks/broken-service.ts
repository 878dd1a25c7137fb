import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { type Event, type Namespace, Server, type Socket } from 'socket.io';
import { answerFrom } from '../../../../app/protocol/answers.ts';
import type { Acknowledgement, JoinReply, JoinRequest, Position } from '../../../../app/protocol/hub.ts';
import { createAuthenticator } from '../../../../app/server/auth/authenticator.ts';
import { grantByClaims } from '../../../../app/server/auth/identity.ts';
import { openMemoryLeases } from '../../../../app/server/leases/leases.ts';
import { openMemoryPresence } from '../../../../app/server/presence/memory-presence.ts';
import { presenceMethod } from '../../../../app/server/presence/method.ts';
import { openPresence, type Presence } from '../../../../app/server/presence/presence.ts';
import type { RoomLog } from '../../../../app/server/rooms/log/log.ts';
import { openMemoryStore, type RoomStore } from '../../../../app/server/rooms/store/store.ts';
import { type AttachedRooms, attachRooms } from '../../../../app/server/socketio/attach-rooms.ts';
import { authenticateHandshakes, identityOf } from '../../../../app/server/socketio/handshake.ts';
import { silent } from '../../../support/redis/link.ts';

export const secret = 'a key of 32 characters or more: 01';

/** Where a service breaks the delivery contract, lets in whom it should not, or says what is not so; it keeps the rest. */
export interface ServiceBreaks {
  /** Changes the reply to a join. */
  readonly join?: (reply: JoinReply, request: JoinRequest) => JoinReply;
  /** Changes the acknowledgement of a publish. */
  readonly publish?: (position: Position) => Position;
  /** Each publish is another message, whatever its id. @default false */
  readonly forgetsIds?: boolean;
  /** Takes senders for others than they are. */
  readonly subjectOf?: (socket: Socket) => string;
  /** Hubs whose namespace has no authentication. @default none */
  readonly openHubs?: readonly string[];
  /** Nobody is authenticated anywhere. @default false */
  readonly isOpen?: boolean;
  /** Foreign origins are let in. @default false */
  readonly anyOrigin?: boolean;
  /** Clients may publish to feeds. @default false */
  readonly openFeeds?: boolean;
  /** The token's rooms count for nothing. @default false */
  readonly anyRoom?: boolean;
  /** The HTTP API takes whoever comes. @default false */
  readonly openHttp?: boolean;
  /** Milliseconds after which a leave is published. @default 1,200 */
  readonly graceMs?: number;
  /** `presence` replies without anybody. @default false */
  readonly nobodyPresent?: boolean;
  /** Whoever leaves takes another one along. @default false */
  readonly falseLeaves?: boolean;
  /** Changes an answer's chunks. @default each is published once */
  readonly chunks?: (chunks: readonly Chunk[]) => readonly Chunk[];
  /** How often an answer's end is published. @default 1 */
  readonly ends?: number;
  /** `cancel` is acknowledged, and the answer goes on. @default false */
  readonly neverCancels?: boolean;
}

export interface Chunk {
  readonly seq: number;
  readonly text: string;
}

export interface BrokenService {
  readonly url: string;
  close(): Promise<void>;
}

const hubs = ['chat', 'llm', 'bots', 'backtests'];
const feeds = ['llm', 'bots', 'backtests'];

/** A service of one instance, in this process. */
export async function openBrokenService(breaks: ServiceBreaks): Promise<BrokenService> {
  const http = createServer((request, response) => answerHttp(breaks, request, response));
  const io = new Server(http, {
    serveClient: false,
    allowRequest: ({ headers }, decide) => {
      const own = headers.origin === undefined || new URL(headers.origin).host === headers.host;
      const isAllowed = own || breaks.anyOrigin === true;
      decide(isAllowed ? null : 'a foreign origin', isAllowed);
    },
  });
  const closers = hubs.map((name) => openBrokenHub(io, name, breaks));
  http.listen(0, '127.0.0.1');
  await once(http, 'listening');
  return {
    url: `http://127.0.0.1:${(http.address() as AddressInfo).port}`,
    close: async () => {
      for (const close of closers) await close();
      await io.close();
    },
  };
}

/** @returns closes it */
function openBrokenHub(io: Server, name: string, breaks: ServiceBreaks): () => Promise<void> {
  const namespace = io.of(`/${name}`);
  const isOpen = breaks.isOpen || breaks.openHubs?.includes(name) === true;
  const auth = {
    secrets: [secret],
    jwksUrl: undefined,
    issuer: undefined,
    audience: undefined,
    guests: false,
  };
  const authenticate = createAuthenticator({ ...auth, none: isOpen });
  namespace.use(authenticateHandshakes(authenticate, () => undefined));
  breakReplies(namespace, breaks);
  namespace.on('connection', (socket) => socket.emit('welcome', { instance: 'only' }));
  let presence: Presence | undefined;
  const rooms = attachRooms(namespace, {
    store: breaks.forgetsIds ? withoutIds(openMemoryStore()) : openMemoryStore(),
    subjectOf: breaks.subjectOf ?? ((socket) => identityOf(socket).subject),
    authorize: (socket, action, room) => {
      if (action === 'publish' && feeds.includes(name) && !breaks.openFeeds) return undefined;
      return breaks.anyRoom ? {} : grantByClaims(identityOf(socket), name, room);
    },
    membership: {
      joined: ({ socket }, room) => presence?.joined(identityOf(socket), room),
      left: ({ socket }, room) => presence?.left(identityOf(socket), room),
    },
  });
  presence = openPresence({
    store: openMemoryPresence(),
    hub: name,
    leases: openMemoryLeases(),
    broadcast: rooms.broadcast,
    log: silent,
    graceMs: breaks.graceMs ?? 1_200,
  });
  servePresence(namespace, rooms, presence, breaks);
  if (name === 'llm') serveAnswers(namespace, rooms, breaks);
  return async () => {
    rooms.close();
    await presence?.close();
  };
}

function withoutIds(store: RoomStore): RoomStore {
  return {
    open: (hub) => {
      const { log, broker } = store.open(hub);
      const append: RoomLog['append'] = ({ id: _, ...request }) => log.append(request);
      return {
        broker,
        log: {
          idWindowMs: log.idWindowMs,
          append,
          appendIf: log.appendIf.bind(log),
          read: log.read.bind(log),
        },
      };
    },
  };
}

function breakReplies(namespace: Namespace, { join, publish }: ServiceBreaks): void {
  namespace.use((socket, next) => {
    socket.use((event, pass) => {
      const [name, request] = event;
      if (name === 'join' && join) changeReply<JoinReply>(event, (reply) => join(reply, request));
      if (name === 'publish' && publish) changeReply<Position>(event, publish);
      pass();
    });
    next();
  });
}

function changeReply<T extends object>(event: Event, change: (reply: T) => T): void {
  const send = event[2] as (reply: Acknowledgement<T>) => void;
  event[2] = (reply: Acknowledgement<T>) => send(reply.ok ? { ok: true, ...change(reply) } : reply);
}

function servePresence(
  namespace: Namespace,
  rooms: AttachedRooms,
  presence: Presence,
  breaks: ServiceBreaks,
) {
  const method = presenceMethod(presence, rooms.isMember);
  namespace.on('connection', (socket) => {
    socket.on('presence', async (request, reply) => {
      const answer = await method(socket, request);
      reply(breaks.nobodyPresent && answer.ok ? { ...answer, members: [] } : answer);
    });
    if (!breaks.falseLeaves) return;
    socket.on('leave', async ({ room }) => {
      const { epoch, version, members = [] } = await presence.members(room);
      const left = members.filter((subject) => subject !== identityOf(socket).subject).slice(0, 1);
      rooms.broadcast(room, 'presence', { room, epoch, version: version + 1, joined: [], left });
    });
  });
}

/** Counts, as the offline model does, and faster. */
function serveAnswers(namespace: Namespace, rooms: AttachedRooms, breaks: ServiceBreaks): void {
  const { chunks: change = (chunks) => chunks, ends = 1, neverCancels = false } = breaks;
  const cancelled = new Set<string>();
  const publish = (room: string, body: object) => rooms.publish(room, body, { from: answerFrom });
  const answer = async (room: string, turn: string, most: number) => {
    const all = Array.from({ length: most }, (_, index) => ({ seq: index + 1, text: `${index + 1} ` }));
    let text = '';
    for (const chunk of all) {
      if (cancelled.has(turn)) break;
      text += chunk.text;
      for (const changed of change([chunk])) await publish(room, { turn, ...changed });
      await delay(3);
    }
    const final = cancelled.has(turn) ? 'cancelled' : 'done';
    for (let i = 0; i < ends; i += 1) await publish(room, { turn, seq: most + 1, final, text });
  };
  namespace.on('connection', (socket) => {
    socket.on('ask', ({ room, prompt }, reply) => {
      const turn = randomUUID();
      reply({ ok: true, turn });
      void answer(room, turn, Number(/count to (\d+)/i.exec(prompt)?.[1]));
    });
    socket.on('cancel', ({ turn }, reply) => {
      if (!neverCancels) cancelled.add(turn);
      reply({ ok: true });
    });
  });
}

/** As the service answers: 401 without a token, 403 with another. */
function answerHttp({ openHttp }: ServiceBreaks, request: IncomingMessage, response: ServerResponse): void {
  request.resume();
  if (!request.url?.startsWith('/api/hubs/')) {
    const isHealth = request.url?.startsWith('/health') === true;
    response.writeHead(isHealth ? 200 : 404).end(isHealth ? '{"status":"ok"}' : '{}');
    return;
  }
  const refused = request.headers.authorization === undefined ? 401 : 403;
  response.writeHead(openHttp ? 201 : refused).end('{}');
}
