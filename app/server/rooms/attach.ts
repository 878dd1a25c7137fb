import { randomUUID } from 'node:crypto';
import type { Namespace, Socket } from 'socket.io';
import type {
  Acknowledgement,
  JoinAnswer,
  JoinRequest,
  LeaveRequest,
  Message,
  Position,
  PublishRequest,
} from '../../protocol/hub.ts';
import { joinRequest, leaveRequest, publishRequest } from '../../protocol/schemas.ts';
import { answerTo, refuse } from './answer.ts';
import { directFanout } from './direct-fanout.ts';
import { adapterFanout, type FanoutKind } from './fanout.ts';
import { type Page, RefusedError, UncertainError } from './log.ts';
import { dropOverfull } from './overfull.ts';
import { messageRest, packetPrefix } from './packet.ts';
import { Rooms } from './rooms.ts';
import type { RoomStore } from './store.ts';

export interface AttachRoomsOptions {
  /** Where the rooms' logs are: `openRedisStore` or `openMemoryStore`. */
  readonly store: RoomStore;
  /** @default 'direct' */
  readonly fanout?: FanoutKind;
  /** Who the socket is: stands in `from`, and keeps one sender's ids from another's. @default its id */
  readonly subjectOf?: (socket: Socket) => string;
  /** May this socket do that in this room? @default everyone may, and sees the whole log */
  readonly authorize?: Authorize;
  /**
   * Bytes that may wait for a client that does not read before its connection is ended; it comes back and
   * recovers from the log. @default 1,000,000
   */
  readonly maxWaitingBytes?: number;
  /** Told of every fault that a client is only told the code of. @default console.error */
  readonly onFault?: (fault: Error, socket: Socket) => void;
}

export type Authorize = (
  socket: Socket,
  action: 'join' | 'publish',
  room: string,
) => Grant | undefined | Promise<Grant | undefined>;

/** Undefined in its place is a no. */
export interface Grant {
  /** The earliest offset that the socket may see. @default 1 */
  readonly visibleFrom?: number;
}

/** The rooms of a namespace, as server code uses them. */
export interface AttachedRooms {
  /**
   * Publishes on behalf of the server, with the same guarantee as a client's publish.
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
  const { store, subjectOf = (socket) => socket.id } = options;
  const authorize: Authorize = options.authorize ?? (() => ({}));
  const prefix = packetPrefix(namespace.name);
  const { log, feed } = store.open(hubOf(namespace), prefix);
  const rooms = new Rooms({
    log,
    feed,
    fanout:
      options.fanout === 'adapter'
        ? adapterFanout(namespace)
        : directFanout(dropOverfull, options.maxWaitingBytes ?? 1_000_000),
    packetPrefix: prefix,
    tellGap: ({ name, members }, head, lost) => {
      const gap = { room: name, ...head, ...(lost === undefined ? {} : { lost }) };
      for (const member of members) member.emit('gap', gap);
    },
  });

  const append = async (room: string, body: unknown, subject: string, id?: string): Promise<Position> => {
    const rest = messageRest(id ?? randomUUID(), subject, Date.now(), JSON.stringify(body));
    const { epoch, offset } = await log.append({ room, subject, rest, ...(id === undefined ? {} : { id }) });
    return { epoch, offset };
  };

  const join = async (socket: Socket, request: JoinRequest): Promise<Acknowledgement<JoinAnswer>> => {
    const grant = await authorize(socket, 'join', request.room);
    if (!grant) return refuse('forbidden', 'you may not join this room');
    const page = await rooms
      .join(socket, { ...request, visibleFrom: grant.visibleFrom ?? 1 } as Parameters<Rooms['join']>[1])
      .catch((error: Error) => error);
    if (page instanceof Error) return refuse('unavailable', `the room can't be joined now: ${page.message}`);
    if (!page) return refuse('unavailable', 'the connection ended');
    return { ok: true, ...joinAnswer(page) };
  };

  const publish = async (socket: Socket, request: PublishRequest): Promise<Acknowledgement<Position>> => {
    if (!(await authorize(socket, 'publish', request.room)))
      return refuse('forbidden', 'you may not publish here');
    try {
      return { ok: true, ...(await append(request.room, request.body, subjectOf(socket), request.id)) };
    } catch (error) {
      if (error instanceof RefusedError) return refuse('refused', error.message);
      if (error instanceof UncertainError) return refuse('uncertain', error.message);
      throw error;
    }
  };

  const leave = async (socket: Socket, { room }: LeaveRequest): Promise<Acknowledgement> => {
    await rooms.leave(socket, room);
    return { ok: true };
  };

  const fault = options.onFault ?? ((error) => console.error(error));
  const onConnection = (socket: Socket) => {
    const answer = answerTo(socket, fault);
    socket.on(
      'join',
      answer(joinRequest, (request) => join(socket, request as JoinRequest)),
    );
    socket.on(
      'leave',
      answer(leaveRequest, (request) => leave(socket, request)),
    );
    socket.on(
      'publish',
      answer(publishRequest, (request) => publish(socket, request as PublishRequest)),
    );
    socket.once('disconnect', () => rooms.forget(socket));
  };
  namespace.on('connection', onConnection);

  return {
    publish: (room, body, { id, from = 'server' } = {}) => append(room, body, from, id),
    close: () => {
      namespace.off('connection', onConnection);
      rooms.close();
    },
  };
}

function hubOf(namespace: Namespace): string {
  return namespace.name.slice(1) || 'main';
}

function joinAnswer(page: Page): JoinAnswer {
  const recovered = page.complete && page.ackedKept;
  const messages = page.messages.map((text) => JSON.parse(text) as Message);
  const last = page.more ? messages.at(-1) : undefined;
  return {
    epoch: last?.epoch ?? page.head.epoch,
    offset: page.end,
    recovered,
    ...(recovered ? {} : { lost: lostOf(page) }),
    messages,
    more: page.more,
  };
}

function lostOf({ lost, ackedKept }: Page) {
  return {
    ...(lost === undefined ? {} : { messages: lost }),
    ...(ackedKept ? {} : { acked: true as const }),
  };
}
