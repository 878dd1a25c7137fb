import type { Namespace, Socket } from 'socket.io';
import { presenceRequest } from '../../protocol/schemas.ts';
import { AuthenticationError } from '../auth/errors.ts';
import { authenticateHandshakes, type OnRefusal } from '../auth/handshake.ts';
import { subjectOf } from '../auth/identity.ts';
import { presenceMethod } from '../presence/method.ts';
import type { Presence } from '../presence/presence.ts';
import type { Backplane } from '../redis/backplane.ts';
import { listener, type OnFault } from '../rooms/answer.ts';
import { type AttachedRooms, attachRooms } from '../rooms/attach.ts';
import { authorizeBy } from './authorize.ts';
import type { HubContext } from './context.ts';
import { defaultLimits, type HubDefinition } from './define.ts';
import { serveMethods } from './methods.ts';
import { logOf, tellConnections } from './thread.ts';

export interface OpenHub {
  readonly name: string;
  readonly namespace: Namespace;
  readonly rooms: AttachedRooms;
  /** Says what is left to say to the other instances. */
  close(): Promise<void>;
}

/** Opens a hub's namespace on this instance. */
export function openHub(definition: HubDefinition, context: HubContext): OpenHub {
  const { io, store, log, charge } = context;
  const { name } = definition;
  const namespace = io.of(`/${name}`);
  namespace.use(authenticateHandshakes(context.authenticate, context.admit, refusalsOf(name, context)));
  namespace.on('connection', (socket) => welcome(socket, context));
  tellConnections(namespace, log, context.addressOf);
  const endTelling = tellWhenDegraded(namespace, context.backplane);
  const onFault: OnFault = (error, socket, room) =>
    logOf(log, socket, room).error({ err: error }, 'a hub method failed');
  const authorize = authorizeBy(definition, context.isBanned);
  const presence = openPresence(definition, context, (...said) => rooms.whisper(...said));
  const rooms = attachRooms(namespace, {
    store,
    onFault,
    subjectOf,
    authorize,
    limits: { ...defaultLimits, ...definition.limits },
    slimConnections: true,
    ...(charge && { charge }),
    ...(presence && { membership: presence }),
    ...(context.countersOf && { counters: context.countersOf(name) }),
  });
  serveMethods(definition, { namespace, rooms, authorize, onFault, charge });
  if (presence) servePresence({ namespace, rooms, presence, onFault, charge });
  return {
    name,
    namespace,
    rooms,
    close: async () => {
      endTelling();
      await presence?.close();
      rooms.close();
    },
  };
}

/** A token that is not taken is counted; a fault of ours stands in the log too. */
function refusalsOf(hub: string, { log, onRefused }: HubContext): OnRefusal {
  return (error, code, socket) => {
    onRefused?.(hub, code);
    if (!(error instanceof AuthenticationError)) {
      log.error({ hub, connection: socket.id, err: error }, 'a client could not be authenticated');
    }
  };
}

function openPresence(
  { name, presence = true }: HubDefinition,
  { presenceOf }: HubContext,
  whisper: AttachedRooms['whisper'],
): Presence | undefined {
  return presence ? presenceOf?.(name, whisper) : undefined;
}

interface ServedPresence extends Pick<HubContext, 'charge'> {
  readonly namespace: Namespace;
  readonly rooms: AttachedRooms;
  readonly presence: Presence;
  readonly onFault: OnFault;
}

/** Asked for in each room that is joined: it counts as a join does. */
function servePresence({ namespace, rooms, presence, onFault, charge }: ServedPresence): void {
  const answer = presenceMethod(presence, (socket, room) => rooms.isMember(socket, room));
  const listen = listener(
    presenceRequest,
    async (socket, request) => {
      charge?.(socket, 'join');
      return answer(socket, request);
    },
    onFault,
  );
  namespace.on('connection', (socket) => socket.on('presence', listen));
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
