import type { Namespace, Socket } from 'socket.io';
import { maxWaitingBytes } from '../connections/waiting-bytes.ts';
import { createRoomCounters, type RoomCounters } from '../rooms/counters.ts';
import { type HubRooms, openRooms } from '../rooms/hub-rooms.ts';
import type { Grant } from '../rooms/membership/authorize.ts';
import type { MemberRates } from '../rooms/membership/member-rates.ts';
import type { MemberLimits, WriteThrough } from '../rooms/methods.ts';
import type { MembershipListener } from '../rooms/rooms.ts';
import { type OpenStoreOptions, openStore } from '../rooms/store/open-store.ts';
import type { Acks, RoomStore } from '../rooms/store/store.ts';
import { memberOf, SocketMember } from './member.ts';
import { type FanoutKind, serveNamespace } from './namespace.ts';
import { anonymousSubject } from './subject.ts';

export interface AttachRoomsOptions extends OpenStoreOptions {
  /** Where the rooms' logs are, of a server that has a store already. @default one that `redis` names */
  readonly store?: RoomStore;
  /** @default 'direct' */
  readonly fanout?: FanoutKind;
  /** @default 'primary' */
  readonly acks?: Acks;
  /**
   * Who the socket is, asked as it connects: stands in `from`, and keeps one sender's ids from another's. Must stay the
   * same over reconnects. @default a hash of what `app/client` says of itself, else the socket's id
   */
  readonly subjectOf?: (socket: Socket) => string;
  /** May this socket do that in this room? @default everyone may, and sees the whole log */
  readonly authorize?: (
    socket: Socket,
    action: 'join' | 'publish',
    room: string,
  ) => Grant | undefined | Promise<Grant | undefined>;
  /** How often members are authorized again, in milliseconds. @default 60,000 */
  readonly reauthorizeEveryMs?: number;
  /** The write-through to where history is kept. @default nothing is kept beyond the log */
  readonly writeThrough?: WriteThrough;
  /**
   * Bytes that may wait for a client that does not read, of messages, replies and whatever else it is sent, before
   * its connection is ended; it comes back and recovers from the log. @default 1,000,000
   */
  readonly maxWaitingBytes?: number;
  /** How much of what a member may ask for in a time. @default as much as it likes */
  readonly rates?: MemberRates<SocketMember>;
  /** What one connection may take. @default no bounds beside Socket.IO's `maxHttpBufferSize` */
  readonly limits?: MemberLimits;
  /** Who is in which room on this instance, as it changes. @default nobody is notified */
  readonly membership?: MembershipListener<SocketMember>;
  /**
   * Lets go of each WebSocket's HTTP request: `socket.handshake` then has three headers, no `query` and no
   * `auth.token`. Saves 2.6 KB a connection. @default false
   */
  readonly slimConnections?: boolean;
  /** Counts what happens here. @default counted and not looked at */
  readonly counters?: RoomCounters;
  /** Notified of every fault of which a client gets the code alone. @default console.error */
  readonly onFault?: (fault: Error, socket: Socket, room?: string) => void;
}

/** The rooms of a namespace, as server code uses them. */
export interface AttachedRooms extends Omit<HubRooms<SocketMember>, 'isMember' | 'close'> {
  /** Is this socket, of this instance, in the room? */
  isMember(socket: Socket, room: string): boolean;
  /** Serves no more sockets, and leaves the Redis that `redis` named. */
  close(): Promise<void>;
}

/**
 * Gives the delivery contract to a namespace of any Socket.IO server: its clients `join`, `leave` and
 * `publish`, and hear `message`.
 *
 * @throws RedisSettingError when `redis` can't be read, TypeError for two places of the logs; a Redis that is away is
 * waited for
 */
export function attachRooms(namespace: Namespace, options: AttachRoomsOptions = {}): AttachedRooms {
  const { counters = createRoomCounters(), onFault } = options;
  if (options.store && options.redis !== undefined) {
    throw new TypeError('attachRooms takes `redis` or `store`, not both: remove one of them');
  }
  const own = options.store ? undefined : openStore(options);
  const { subjectOf = anonymousSubject, authorize } = options;
  const rooms = openRooms<SocketMember>({
    ...options,
    hub: namespace.name.slice(1) || 'main',
    store: options.store ?? (own as RoomStore),
    counters,
    authorize: authorize && (({ socket }, action, room) => authorize(socket, action, room)),
    onFault: onFault && ((fault, { socket }, room) => onFault(fault, socket, room)),
  });
  const end = serveNamespace<SocketMember>({
    namespace,
    fanout: options.fanout ?? 'direct',
    handlers: rooms.handlers,
    maxWaitingBytes: options.maxWaitingBytes ?? maxWaitingBytes,
    slimConnections: options.slimConnections ?? false,
    idWindowMs: rooms.idWindowMs,
    createMember: (socket, format) => new SocketMember(socket, subjectOf(socket), format),
    entered: () => undefined,
    left: (member) => rooms.forget(member),
    onSlow: () => {
      counters.slowConsumers += 1;
    },
  });
  return {
    ...rooms,
    isMember: (socket, room) => {
      const member = memberOf(socket);
      return member !== undefined && rooms.isMember(member, room);
    },
    close: async () => {
      end();
      rooms.close();
      await own?.close();
    },
  };
}
