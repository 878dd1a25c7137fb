import type { Namespace, Socket } from 'socket.io';
import type { ErrorCode, Position } from '../../protocol/hub.ts';
import { joinRequest, leaveRequest, publishRequest } from '../../protocol/schemas.ts';
import { Admission } from './admission.ts';
import { listener, type OnFault } from './answer.ts';
import type { Condition, Withheld } from './condition.ts';
import { countAppend, createRoomCounters, type RoomCounters } from './counters.ts';
import { directFanout } from './direct-fanout.ts';
import { tellPacketIds } from './direct-reply.ts';
import { adapterFanout, type FanoutKind } from './fanout.ts';
import { type Authorize, type Charge, type Keep, type MemberLimits, RoomMethods } from './methods.ts';
import { dropOverfull } from './overfull.ts';
import { messageBeforeBody, packetPrefix } from './packet.ts';
import type { Room, RoomContext } from './room.ts';
import { type MembershipListener, Rooms } from './rooms.ts';
import { slimConnection } from './slim-connection.ts';
import type { Acks, RoomStore } from './store.ts';
import { anonymousSubject } from './subject.ts';

export interface AttachRoomsOptions {
  /** Where the rooms' logs are: `openStore`, `openRedisStore` or `openMemoryStore`. */
  readonly store: RoomStore;
  /** @default 'direct' */
  readonly fanout?: FanoutKind;
  /** @default 'primary' */
  readonly acks?: Acks;
  /**
   * Who the socket is: stands in `from`, and keeps one sender's ids from another's. Must stay the same over
   * reconnects. @default a hash of what `app/client` says of itself, else the socket's id
   */
  readonly subjectOf?: (socket: Socket) => string;
  /** May this socket do that in this room? @default everyone may, and sees the whole log */
  readonly authorize?: Authorize;
  /** How often members are authorized again, in milliseconds. @default 60,000 */
  readonly reauthorizeEveryMs?: number;
  /** The write-through to where history is kept. @default nothing is kept beyond the log */
  readonly keep?: Keep;
  /**
   * Bytes that may wait for a client that does not read before its connection is ended; it comes back and
   * recovers from the log. @default 1,000,000
   */
  readonly maxWaitingBytes?: number;
  /** Counts each join and publish of a client, and may refuse it. @default nothing is counted */
  readonly charge?: Charge;
  /** What one connection may take. @default no bounds beside Socket.IO's `maxHttpBufferSize` */
  readonly limits?: MemberLimits;
  /** Who is in which room on this instance, as it changes. @default nobody is told */
  readonly membership?: MembershipListener;
  /**
   * Lets go of each WebSocket's HTTP request: `socket.handshake` then has three headers, no `query` and no
   * `auth.token`. Saves 2.6 KB a connection. @default false
   */
  readonly slimConnections?: boolean;
  /** Counts what happens here. @default counted and not looked at */
  readonly counters?: RoomCounters;
  /** Told of every fault that a client is only told the code of. @default console.error */
  readonly onFault?: OnFault;
}

/** One room of this instance, to be looked at. */
export interface RoomView {
  readonly name: string;
  readonly members: ReadonlySet<Socket>;
  /** How far its members have been served; undefined while it is opened. */
  readonly cursor: Position | undefined;
}

/** The rooms of a namespace, as server code uses them. */
export interface AttachedRooms {
  /**
   * Publishes on behalf of the server, with the same guarantee as a client's publish.
   *
   * @param options.id makes a repeat within the window of ids one message
   * @param options.from who says it; ids of different senders never meet. @default 'server'
   * @throws RefusedError when nothing was written, UncertainError when it may have been
   */
  publish(room: string, body: unknown, options?: { id?: string; from?: string }): Promise<Position>;
  /**
   * Publishes what a condition decides, in the same step in which it does: for server code whose own state and
   * messages must never tell two stories. Such messages are not handed to `keep`.
   *
   * @throws as `publish`; after an `UncertainError` the condition's state tells whether it was
   */
  publishIf(
    room: string,
    message: { readonly id: string; readonly from: string },
    condition: Condition,
  ): Promise<Position | Withheld>;
  /**
   * Tells the members on all instances an event that is not kept, such as who is typing: at most once.
   * While Redis is away it reaches the members on this instance.
   */
  whisper(room: string, event: string, payload: unknown): void;
  /**
   * Ends a subject's membership on all instances, at once. `authorize` must say no from now on, or it comes
   * back; and should this not reach an instance, its next look at all members does.
   */
  expel(room: string, subject: string): void;
  /** The rooms that are open on this instance now. */
  view(): Iterable<RoomView>;
  /** Is this socket, of this instance, in the room? */
  isMember(socket: Socket, room: string): boolean;
  close(): void;
}

/**
 * Gives the delivery contract to a namespace of any Socket.IO server: its clients `join`, `leave` and
 * `publish`, and hear `message`.
 */
export function attachRooms(namespace: Namespace, options: AttachRoomsOptions): AttachedRooms {
  const { counters = createRoomCounters() } = options;
  const { rooms, methods, log, feed, admission } = build(namespace, options, counters);
  const onFault: OnFault = options.onFault ?? ((fault) => console.error(fault));
  const onJoin = listener(joinRequest, (socket, request) => methods.join(socket, request), onFault);
  const onLeave = listener(leaveRequest, (socket, request) => methods.leave(socket, request), onFault);
  const onPublish = listener(
    publishRequest,
    (socket, request) => methods.publish(socket, request),
    onFault,
    (code) => countRefusal(counters, code),
  );
  function onDisconnect(this: Socket) {
    rooms.forget(this);
  }
  const onConnection = (socket: Socket) => {
    if (options.fanout !== 'adapter') tellPacketIds(socket);
    if (options.slimConnections) slimConnection(socket);
    socket.on('join', onJoin);
    socket.on('leave', onLeave);
    socket.on('publish', onPublish);
    socket.on('disconnect', onDisconnect);
  };
  namespace.on('connection', onConnection);
  return {
    publish: (room, body, { id, from = 'server' } = {}) => methods.append({ room, body, id }, from),
    publishIf: (room, { id, from }, condition) =>
      countAppend(counters, () =>
        log.appendIf({ room, beforeBody: messageBeforeBody(id, from, Date.now()) }, condition),
      ),
    whisper: (room, event, payload) => feed.whisper(room, { kind: 'event', event, payload }),
    expel: (room, subject) => feed.whisper(room, { kind: 'expel', subject }),
    view: () => rooms.all(),
    isMember: (socket, room) => rooms.has(socket, room),
    close: () => {
      namespace.off('connection', onConnection);
      admission.close();
      rooms.close();
    },
  };
}

function build(namespace: Namespace, options: AttachRoomsOptions, counters: RoomCounters) {
  const { store, acks = 'primary', maxWaitingBytes = 1_000_000 } = options;
  const prefix = packetPrefix(namespace.name);
  const { log, feed } = store.open({ hub: namespace.name.slice(1) || 'main', prefix, acks });
  const fanout =
    options.fanout === 'adapter'
      ? adapterFanout(namespace)
      : directFanout(countedDrop(counters), maxWaitingBytes);
  const context: RoomContext = {
    log,
    feed,
    fanout,
    packetPrefix: prefix,
    counters,
    tellGap: (room, head, lost) => {
      counters.gaps += room.members.size;
      tellGap(room, head, lost);
    },
    onWhisper: (room, whisper) => {
      if (whisper.kind === 'expel') admission.expel(room, whisper.subject);
      else tellEvent(room, whisper.event, whisper.payload);
    },
  };
  const rooms = new Rooms(context, options.membership);
  const subjectOf = options.subjectOf ?? anonymousSubject;
  const authorize: Authorize = options.authorize ?? (() => ({}));
  const reviewEveryMs = options.reauthorizeEveryMs ?? 60_000;
  const admission = new Admission({ rooms, authorize, subjectOf, reviewEveryMs });
  const methods = new RoomMethods({
    log,
    rooms,
    subjectOf,
    authorize,
    counters,
    keep: options.keep,
    charge: options.charge,
    limits: options.limits ?? { rooms: Number.POSITIVE_INFINITY, bodyBytes: Number.POSITIVE_INFINITY },
  });
  return { rooms, methods, log, feed, admission };
}

/** What the answer alone says; the rest is counted where it is appended, for server code too. */
function countRefusal({ publishes }: RoomCounters, code: ErrorCode): void {
  if (code === 'refused' || code === 'uncertain' || code === 'unavailable') return;
  publishes[code] += 1;
}

/** A connection is dropped again for each message until its end is noticed. */
function countedDrop(counters: RoomCounters): (member: Socket) => void {
  const dropped = new WeakSet<Socket>();
  return (member) => {
    if (!dropped.has(member)) counters.overfull += 1;
    dropped.add(member);
    dropOverfull(member);
  };
}

function tellEvent({ members }: Room, event: string, payload: unknown): void {
  for (const member of members) member.volatile.emit(event, payload);
}

function tellGap({ name, members }: Room, head: Position, lost: number | undefined): void {
  const gap = { room: name, ...head, ...(lost === undefined ? {} : { lost }) };
  for (const member of members) member.emit('gap', gap);
}
