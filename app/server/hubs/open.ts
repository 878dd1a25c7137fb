import type { Logger } from 'pino';
import type { Namespace, Server, Socket } from 'socket.io';
import type { Authenticator } from '../auth/authenticator.ts';
import { type Admit, authenticateHandshakes } from '../auth/handshake.ts';
import { hasExpired, identityOf, subjectOf } from '../auth/identity.ts';
import { grantByClaims } from '../auth/room-claims.ts';
import type { Backplane } from '../redis/backplane.ts';
import { listener, type OnFault } from '../rooms/answer.ts';
import { type AttachedRooms, attachRooms } from '../rooms/attach.ts';
import type { Authorize, Grant } from '../rooms/methods.ts';
import type { RoomStore } from '../rooms/store.ts';
import { defaultLimits, type HubCall, type HubDefinition } from './define.ts';
import { logOf } from './thread.ts';

/** What all hubs of a service share. */
export interface HubContext {
  readonly io: Server;
  readonly store: RoomStore;
  readonly backplane: Backplane;
  readonly instance: string;
  readonly log: Logger;
  /** Undefined: nobody is authenticated. */
  readonly authenticate: Authenticator | undefined;
  readonly admit: Admit;
}

export interface OpenHub {
  readonly name: string;
  readonly namespace: Namespace;
  readonly rooms: AttachedRooms;
  close(): void;
}

/** Opens a hub's namespace on this instance. */
export function openHub(definition: HubDefinition, context: HubContext): OpenHub {
  const { io, store, log } = context;
  const { name } = definition;
  const namespace = io.of(`/${name}`);
  namespace.use(authenticateHandshakes(context.authenticate, context.admit));
  namespace.on('connection', (socket) => welcome(socket, context));
  const endTelling = tellWhenDegraded(namespace, context.backplane);
  const onFault: OnFault = (error, socket) => logOf(log, socket).error({ err: error }, 'a hub method failed');
  const rooms = attachRooms(namespace, {
    store,
    onFault,
    subjectOf,
    authorize: authorizeBy(definition),
    limits: { ...defaultLimits, ...definition.limits },
  });
  serveMethods(definition, namespace, rooms, onFault);
  return {
    name,
    namespace,
    rooms,
    close: () => {
      endTelling();
      rooms.close();
    },
  };
}

function welcome(socket: Socket, { instance, backplane }: HubContext): void {
  socket.emit('welcome', { instance });
  if (backplane.status === 'degraded') socket.emit('degraded', { degraded: true });
}

function tellWhenDegraded(namespace: Namespace, backplane: Backplane): () => void {
  const tell = () => namespace.local.emit('degraded', { degraded: backplane.status !== 'joined' });
  backplane.on('status', tell);
  return () => backplane.off('status', tell);
}

/** The token first, then the hub: each can only say no. */
function authorizeBy({ name, authorize, publishers = 'clients' }: HubDefinition): Authorize {
  return (socket, action, room) => {
    const identity = identityOf(socket);
    if (hasExpired(identity)) return undefined;
    if (action === 'publish' && publishers === 'backends') return undefined;
    const granted = grantByClaims(identity, name, room);
    if (!granted || !authorize) return granted;
    const said = authorize(identity, action, room);
    return said instanceof Promise ? said.then((grant) => stricter(granted, grant)) : stricter(granted, said);
  };
}

function stricter(one: Grant, other: Grant | undefined): Grant | undefined {
  return other && { visibleFrom: Math.max(one.visibleFrom ?? 1, other.visibleFrom ?? 1) };
}

function serveMethods(
  { methods = {}, events = {} }: HubDefinition,
  namespace: Namespace,
  rooms: AttachedRooms,
  onFault: OnFault,
): void {
  const tell: HubCall['tell'] = (room, event, payload) => {
    const schema = Object.hasOwn(events, event) ? events[event] : undefined;
    if (!schema) throw new Error(`the hub defines no event ${event}`);
    rooms.whisper(room, event, schema.parse(payload));
  };
  const listeners = Object.entries(methods).map(([name, { schema, run }]) => {
    const answer = async (socket: Socket, request: unknown) => {
      const isMember = (room: string) => rooms.isMember(socket, room);
      const result = await run({ identity: identityOf(socket), socket, isMember, tell }, request);
      return { ok: true as const, ...result };
    };
    return [name, listener(schema, answer, onFault)] as const;
  });
  namespace.on('connection', (socket) => {
    for (const [name, listen] of listeners) socket.on(name, listen);
  });
}
