import { randomUUID } from 'node:crypto';
import type { z } from 'zod';
import type { Acknowledgement, Lost, Message, Position } from '../../protocol/hub.ts';
import type { joinRequest, leaveRequest, publishRequest } from '../../protocol/schemas.ts';
import { BodyError, bodyInRequest, bodyOf } from './body/body.ts';
import { countAppended, countFailedAppend, type RoomCounters } from './counters.ts';
import {
  ExpiredIdError,
  type NewRoom,
  NewRoomError,
  type Page,
  RefusedError,
  type RoomLog,
  UncertainError,
  UnreadableError,
  type VisibleFrom,
} from './log/log.ts';
import type { Member } from './member.ts';
import type { Authorize, Grant } from './membership/authorize.ts';
import { MemberOperations } from './membership/member-operations.ts';
import type { MemberRates } from './membership/member-rates.ts';
import { messageHead, messageRest, positionIn } from './message.ts';
import type { Rooms } from './rooms.ts';
import { ReplyText, type RequestText, RpcError, refuse } from './rpc.ts';

/**
 * Keeps a message for longer than its log does, for example in a database. Called after the append and before
 * the acknowledgement, on the instance that appended; again, with the same position, when the publish is
 * repeated. A rejection makes the publish `uncertain`, so that its sender repeats it.
 */
export type WriteThrough = (message: Message) => void | Promise<void>;

/** What one connection may take. */
export interface MemberLimits {
  /** Rooms that it is in at once. */
  readonly rooms: number;
  /** Bytes of a published body as JSON. */
  readonly bodyBytes: number;
}

export interface RoomMethodsOptions<M extends Member> {
  readonly log: RoomLog;
  readonly rooms: Rooms<M>;
  readonly authorize: Authorize<M>;
  readonly counters: RoomCounters;
  readonly writeThrough: WriteThrough | undefined;
  /** Notified of each message that was appended here, once. @default nobody is */
  readonly onAppended?: ((message: () => Message) => void) | undefined;
  readonly rates: MemberRates<M> | undefined;
  readonly limits: MemberLimits;
}

/** A message that is to be appended. */
export interface Outgoing {
  readonly room: string;
  readonly id: string | undefined;
  /** Milliseconds since this id was first sent. */
  readonly age?: number | undefined;
  readonly subject: string;
  /** The body's JSON, on one line. */
  readonly text: string;
  readonly newRoom?: NewRoom | undefined;
}

/** What a request is charged for whose text is not known: one with binary parts, which are then refused. */
const unmeasuredBytes = 65_536;
/** A repeat is taken for one until this part of the window of ids is over: the rest is for the way here. */
const safePartOfWindow = 0.9;

/** What a client may ask of its hub's rooms, with each answer in the wire's words. */
export class RoomMethods<M extends Member> {
  readonly #options: RoomMethodsOptions<M>;
  readonly #operations = new MemberOperations();
  /** Rooms that a member is about to be in: they count as if it were. */
  readonly #joining = new Map<M, Set<string>>();

  constructor(options: RoomMethodsOptions<M>) {
    this.#options = options;
  }

  async join(member: M, request: z.infer<typeof joinRequest>): Promise<ReplyText> {
    const text = replyText(request.room, await this.#enter(member, request));
    this.#options.rates?.read(member, Buffer.byteLength(text));
    return new ReplyText(text);
  }

  /** Joins as `join`, for who reads the page itself. @throws RpcError */
  async read(member: M, request: z.infer<typeof joinRequest>): Promise<Page> {
    const page = await this.#enter(member, request);
    const bytes = page.messages.reduce((sum, text) => sum + Buffer.byteLength(text), 0);
    this.#options.rates?.read(member, bytes);
    return page;
  }

  leave(member: M, { room }: z.infer<typeof leaveRequest>): Promise<Acknowledgement> {
    return this.#operations.run(member, room, async () => {
      this.#options.rooms.leave(member, room);
      return { ok: true };
    });
  }

  /** @param given the text that the request came in, where it is known */
  async publish(
    member: M,
    { room, id, age, body }: z.infer<typeof publishRequest>,
    given: RequestText | undefined,
  ): Promise<Acknowledgement<Position>> {
    const { authorize, limits, rates } = this.#options;
    rates?.publish(member, given === undefined ? unmeasuredBytes : Buffer.byteLength(given.text));
    try {
      const text = given
        ? bodyInRequest(given.text, given.start, limits.bodyBytes)
        : bodyOf(body, limits.bodyBytes);
      if (!(await authorize(member, 'publish', room))) {
        return refuse('forbidden', 'you may not publish in this room');
      }
      const outgoing = { room, id, age, subject: member.subject, text, newRoom: rates?.newRoom(member) };
      const { epoch, offset } = await this.append(outgoing, () => body);
      return { ok: true, epoch, offset };
    } catch (error) {
      throw inWords(error);
    }
  }

  /** @param body what the text says, for the write-through  @throws NewRoomError, RefusedError, UncertainError */
  async append(
    { room, id, age = 0, subject, text, newRoom }: Outgoing,
    body: () => unknown,
  ): Promise<Position> {
    const said = { id: id ?? randomUUID(), from: subject, at: Date.now() };
    const rest = messageRest(said.id, said.from, said.at, text);
    // No spread, here and in replies: V8 makes tables of a kilobyte of what others are spread into.
    const request = { room, subject, id, age, rest, newRoom };
    const { log, counters, writeThrough, onAppended } = this.#options;
    try {
      if (id !== undefined && age > log.idWindowMs * safePartOfWindow) {
        throw new ExpiredIdError('it was first sent so long ago that it may have been published since');
      }
      const { epoch, offset, repeated } = await log.append(request);
      if (writeThrough) await writeOrDoubt(writeThrough, { room, epoch, offset, ...said, body: body() });
      countAppended(counters, repeated);
      if (onAppended && !repeated) onAppended(() => ({ room, epoch, offset, ...said, body: body() }));
      return { epoch, offset };
    } catch (error) {
      countFailedAppend(counters, error);
      throw error;
    }
  }

  #enter(member: M, request: z.infer<typeof joinRequest>): Promise<Page> {
    return this.#operations.run(member, request.room, () => this.#join(member, request));
  }

  async #join(member: M, request: z.infer<typeof joinRequest>): Promise<Page> {
    const { limits, rates, rooms } = this.#options;
    const { room } = request;
    rates?.join(member);
    const joining = this.#joining.get(member) ?? new Set();
    if (!rooms.has(member, room) && this.#countOf(member, joining) >= limits.rooms) {
      throw new RpcError('forbidden', `a connection may be in ${limits.rooms} rooms at once: leave some`);
    }
    this.#joining.set(member, joining.add(room));
    try {
      return await this.#pageFor(member, request);
    } finally {
      joining.delete(room);
      if (joining.size === 0) this.#joining.delete(member);
    }
  }

  /** Rooms that a member is in, or about to be in. */
  #countOf(member: M, joining: ReadonlySet<string>): number {
    const { rooms, limits } = this.#options;
    const joined = rooms.countOf(member);
    if (joined + joining.size < limits.rooms) return joined + joining.size;
    // One that has just been joined is in both, until its reply is on its way.
    return joined + Array.from(joining).filter((room) => !rooms.has(member, room)).length;
  }

  /** @throws RpcError */
  async #pageFor(member: M, { room, since, acked }: z.infer<typeof joinRequest>): Promise<Page> {
    const { authorize, rooms, counters } = this.#options;
    const grant = await authorize(member, 'join', room);
    if (!grant) throw new RpcError('forbidden', 'you may not join this room');
    const asked = { room, since, acked, visibleFrom: visibleBy(grant) };
    let page: Page | undefined;
    try {
      page = await rooms.join(member, asked);
    } catch (error) {
      throw explainFailedJoin(error as Error);
    }
    if (!page) throw new RpcError('unavailable', 'the connection ended');
    countJoin(counters, page);
    return page;
  }
}

/** What a client gets to know of a publish that failed; the cause is for the service's log. */
function inWords(error: unknown): unknown {
  if (error instanceof BodyError) return new RpcError('bad_request', error.message);
  if (error instanceof NewRoomError) return new RpcError('rate_limited', error.message);
  if (error instanceof RefusedError) return new RpcError('refused', error.message, { cause: error.cause });
  if (error instanceof UncertainError)
    return new RpcError('uncertain', error.message, { cause: error.cause });
  return error;
}

function explainFailedJoin(error: Error): RpcError {
  if (error instanceof RpcError) return error;
  const { cause } = error instanceof UnreadableError ? error : { cause: error };
  return new RpcError('unavailable', "the room can't be joined now: try again", { cause });
}

async function writeOrDoubt(writeThrough: WriteThrough, message: Message): Promise<void> {
  try {
    await writeThrough(message);
  } catch (error) {
    throw new UncertainError('published, and not kept', { cause: error });
  }
}

function visibleBy(grant: Grant): VisibleFrom[] {
  const visible: VisibleFrom[] = [];
  for (let each: Grant | undefined = grant; each; each = each.and) {
    const { visibleFrom = 1, epoch } = each;
    if (visibleFrom > 1) visible.push({ offset: visibleFrom, epoch });
  }
  return visible;
}

function countJoin(counters: RoomCounters, { messages, more, complete, ackedKept }: Page): void {
  if (!more) counters.joins += 1;
  if (messages.length > 0) counters.replays += 1;
  counters.replayedMessages += messages.length;
  if (!complete || !ackedKept) counters.lossesReported += 1;
}

/** `{ok: true, …}` with a `JoinReply`, of the log's own texts. */
function replyText(room: string, page: Page): string {
  const recovered = page.complete && page.ackedKept;
  const last = page.more ? page.messages.at(-1) : undefined;
  const { epoch } = last === undefined ? page.head : positionIn(last, messageHead(room).length);
  const head = {
    ok: true,
    epoch,
    offset: page.end,
    recovered,
    ...(recovered ? {} : { lost: lostOf(page) }),
  };
  return `${JSON.stringify(head).slice(0, -1)},"messages":[${page.messages.join(',')}],"more":${page.more}}`;
}

function lostOf({ lost, ackedKept }: Page): Lost {
  return {
    ...(lost === undefined ? {} : { messages: lost }),
    ...(ackedKept ? {} : { acked: true as const }),
  };
}
