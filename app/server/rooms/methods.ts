import { randomUUID } from 'node:crypto';
import type { Socket } from 'socket.io';
import type { z } from 'zod';
import type { Acknowledgement, JoinAnswer, Lost, Message, Position } from '../../protocol/hub.ts';
import type { joinRequest, leaveRequest, publishRequest } from '../../protocol/schemas.ts';
import { refuse } from './answer.ts';
import { countAppended, countFailedAppend, type RoomCounters } from './counters.ts';
import { type Page, RefusedError, type RoomLog, UncertainError } from './log.ts';
import { messageRest } from './packet.ts';
import type { Rooms } from './rooms.ts';
import { Turns } from './turns.ts';

/** May this socket do that in this room? Undefined is a no. */
export type Authorize = (
  socket: Socket,
  action: 'join' | 'publish',
  room: string,
) => Grant | undefined | Promise<Grant | undefined>;

/**
 * Counts a call against its sender's limits, before anything is done for it.
 * @throws MethodRefusal `rate_limited`
 */
export type Charge = (socket: Socket, action: 'join' | 'publish' | 'call') => void;

export interface Grant {
  /** The earliest offset that the socket may see. @default 1 */
  readonly visibleFrom?: number;
}

/**
 * Keeps a message for longer than its log does, for example in a database. Called after the append and before
 * the acknowledgement, on the instance that appended; again, with the same position, when the publish is
 * repeated. A rejection makes the publish `uncertain`, so that its sender repeats it.
 */
export type Keep = (message: Message) => void | Promise<void>;

/** What one connection may take. */
export interface MemberLimits {
  /** Rooms that it is in at once. */
  readonly rooms: number;
  /** Bytes of a published body as JSON. */
  readonly bodyBytes: number;
}

export interface RoomMethodsOptions {
  readonly log: RoomLog;
  readonly rooms: Rooms;
  readonly subjectOf: (socket: Socket) => string;
  readonly authorize: Authorize;
  readonly counters: RoomCounters;
  readonly keep: Keep | undefined;
  readonly charge: Charge | undefined;
  readonly limits: MemberLimits;
}

/** What a client may ask of its hub's rooms, with each answer in the wire's words. */
export class RoomMethods {
  readonly #options: RoomMethodsOptions;
  readonly #turns = new Turns();

  constructor(options: RoomMethodsOptions) {
    this.#options = options;
  }

  join(socket: Socket, request: z.infer<typeof joinRequest>): Promise<Acknowledgement<JoinAnswer>> {
    return this.#turns.take(socket, request.room, () => this.#join(socket, request));
  }

  leave(socket: Socket, { room }: z.infer<typeof leaveRequest>): Promise<Acknowledgement> {
    return this.#turns.take(socket, room, async () => {
      this.#options.rooms.leave(socket, room);
      return { ok: true };
    });
  }

  async publish(socket: Socket, request: z.infer<typeof publishRequest>): Promise<Acknowledgement<Position>> {
    const { authorize, subjectOf, limits, charge } = this.#options;
    charge?.(socket, 'publish');
    const text = JSON.stringify(request.body);
    if (Buffer.byteLength(text) > limits.bodyBytes) {
      return refuse('bad_request', `body: must have at most ${limits.bodyBytes} bytes as JSON`);
    }
    if (!(await authorize(socket, 'publish', request.room))) {
      return refuse('forbidden', 'you may not publish in this room');
    }
    try {
      return { ok: true, ...(await this.append(request, subjectOf(socket), text)) };
    } catch (error) {
      if (error instanceof RefusedError) return refuse('refused', error.message);
      if (error instanceof UncertainError) return refuse('uncertain', error.message);
      throw error;
    }
  }

  /** @param text the body as JSON  @throws RefusedError, UncertainError */
  async append(
    { room, id, body }: { room: string; id?: string | undefined; body: unknown },
    subject: string,
    text = JSON.stringify(body),
  ): Promise<Position> {
    const said = { id: id ?? randomUUID(), from: subject, at: Date.now() };
    const rest = messageRest(said.id, said.from, said.at, text);
    const request = { room, subject, rest, ...(id === undefined ? {} : { id }) };
    const { log, counters } = this.#options;
    try {
      const { epoch, offset, repeated } = await log.append(request);
      await this.#keep({ room, epoch, offset, ...said, body });
      countAppended(counters, repeated);
      return { epoch, offset };
    } catch (error) {
      countFailedAppend(counters, error);
      throw error;
    }
  }

  async #keep(message: Message): Promise<void> {
    try {
      await this.#options.keep?.(message);
    } catch (error) {
      throw new UncertainError(`published, and not kept: ${(error as Error).message}`);
    }
  }

  async #join(
    socket: Socket,
    { room, since, acked }: z.infer<typeof joinRequest>,
  ): Promise<Acknowledgement<JoinAnswer>> {
    const { authorize, rooms, limits, charge } = this.#options;
    charge?.(socket, 'join');
    if (rooms.countOf(socket) >= limits.rooms && !rooms.has(socket, room)) {
      return refuse('forbidden', `a connection may be in ${limits.rooms} rooms at once: leave some`);
    }
    const grant = await authorize(socket, 'join', room);
    if (!grant) return refuse('forbidden', 'you may not join this room');
    try {
      const page = await rooms.join(socket, {
        room,
        ...(since && { since }),
        ...(acked && { acked }),
        visibleFrom: grant.visibleFrom ?? 1,
      });
      if (!page) return refuse('unavailable', 'the connection ended');
      countJoin(this.#options.counters, page);
      return { ok: true, ...joinAnswer(page) };
    } catch (error) {
      return refuse('unavailable', `the room can't be joined now: ${(error as Error).message}`);
    }
  }
}

function countJoin(counters: RoomCounters, { messages, more, complete, ackedKept }: Page): void {
  if (!more) counters.joins += 1;
  if (messages.length > 0) counters.replays += 1;
  counters.replayedMessages += messages.length;
  if (!complete || !ackedKept) counters.lossesTold += 1;
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

function lostOf({ lost, ackedKept }: Page): Lost {
  return {
    ...(lost === undefined ? {} : { messages: lost }),
    ...(ackedKept ? {} : { acked: true as const }),
  };
}
