import type { Namespace, Socket } from 'socket.io';
import type { Position } from '../../protocol/hub.ts';
import { joinRequest, leaveRequest, publishRequest } from '../../protocol/schemas.ts';
import { listener, type OnFault } from './answer.ts';
import { directFanout } from './direct-fanout.ts';
import { adapterFanout, type FanoutKind } from './fanout.ts';
import { type Authorize, RoomMethods } from './methods.ts';
import { dropOverfull } from './overfull.ts';
import { packetPrefix } from './packet.ts';
import type { Room } from './room.ts';
import { Rooms } from './rooms.ts';
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
  /**
   * Bytes that may wait for a client that does not read before its connection is ended; it comes back and
   * recovers from the log. @default 1,000,000
   */
  readonly maxWaitingBytes?: number;
  /** Told of every fault that a client is only told the code of. @default console.error */
  readonly onFault?: OnFault;
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
  close(): void;
}

/**
 * Gives the delivery contract to a namespace of any Socket.IO server: its clients `join`, `leave` and
 * `publish`, and hear `message`.
 */
export function attachRooms(namespace: Namespace, options: AttachRoomsOptions): AttachedRooms {
  const { rooms, methods } = build(namespace, options);
  const onFault: OnFault = options.onFault ?? ((fault) => console.error(fault));
  const onJoin = listener(joinRequest, (socket, request) => methods.join(socket, request), onFault);
  const onLeave = listener(leaveRequest, (socket, request) => methods.leave(socket, request), onFault);
  const onPublish = listener(publishRequest, (socket, request) => methods.publish(socket, request), onFault);
  function onDisconnect(this: Socket) {
    rooms.forget(this);
  }
  const onConnection = (socket: Socket) => {
    socket.on('join', onJoin);
    socket.on('leave', onLeave);
    socket.on('publish', onPublish);
    socket.on('disconnect', onDisconnect);
  };
  namespace.on('connection', onConnection);
  return {
    publish: (room, body, { id, from = 'server' } = {}) => methods.append({ room, body, id }, from),
    close: () => {
      namespace.off('connection', onConnection);
      rooms.close();
    },
  };
}

function build(namespace: Namespace, options: AttachRoomsOptions) {
  const { store, acks = 'primary', maxWaitingBytes = 1_000_000 } = options;
  const prefix = packetPrefix(namespace.name);
  const { log, feed } = store.open({ hub: namespace.name.slice(1) || 'main', prefix, acks });
  const fanout =
    options.fanout === 'adapter' ? adapterFanout(namespace) : directFanout(dropOverfull, maxWaitingBytes);
  const rooms = new Rooms({ log, feed, fanout, packetPrefix: prefix, tellGap });
  const methods = new RoomMethods({
    log,
    rooms,
    subjectOf: options.subjectOf ?? anonymousSubject,
    authorize: options.authorize ?? (() => ({})),
  });
  return { rooms, methods };
}

function tellGap({ name, members }: Room, head: Position, lost: number | undefined): void {
  const gap = { room: name, ...head, ...(lost === undefined ? {} : { lost }) };
  for (const member of members) member.emit('gap', gap);
}
