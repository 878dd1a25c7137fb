import type { ErrorCode, Message, Position } from '../../protocol/hub.ts';
import { joinRequest, leaveRequest, publishRequest } from '../../protocol/schemas.ts';
import { isName, longestId, longestRoom, longestSubject, nameRule } from '../../protocol/text.ts';
import { attach, detach } from './body/attachments.ts';
import { bodyOf } from './body/body.ts';
import { isEventName } from './broadcast.ts';
import { countAppend, createRoomCounters, type RoomCounters } from './counters.ts';
import type { NewRoom, Page, Precondition, Rejected } from './log/log.ts';
import { deliverTo, type Member, offerTo } from './member.ts';
import type { Authorize } from './membership/authorize.ts';
import { MembershipEnforcement } from './membership/enforcement.ts';
import type { MemberRates } from './membership/member-rates.ts';
import { messageBeforeBody } from './message.ts';
import { type MemberLimits, RoomMethods, type WriteThrough } from './methods.ts';
import { plainJoin, plainPublish } from './requests.ts';
import type { RoomContext } from './room.ts';
import { type MembershipListener, Rooms } from './rooms.ts';
import { createHandler, type Handler, type OnFault } from './rpc.ts';
import type { Acks, RoomStore } from './store/store.ts';

export interface HubRoomsOptions<M extends Member> {
  /** Names the hub in keys and channels. */
  readonly hub: string;
  /** Where the rooms' logs are: `openStore`, `openRedisStore` or `openMemoryStore`. */
  readonly store: RoomStore;
  /** @default 'primary' */
  readonly acks?: Acks | undefined;
  /** May this member do that in this room? @default everyone may, and sees the whole log */
  readonly authorize?: Authorize<M> | undefined;
  /** How often members are authorized again, in milliseconds. @default 60,000 */
  readonly reauthorizeEveryMs?: number | undefined;
  /** The write-through to where history is kept. @default nothing is kept beyond the log */
  readonly writeThrough?: WriteThrough | undefined;
  /**
   * Notified of each message that is appended on this instance, once; not of `publishIf`. It must not throw.
   * @default nobody is
   */
  readonly onAppended?: ((message: () => Message) => void) | undefined;
  /** How much of what a member may ask for in a time. @default as much as it likes */
  readonly rates?: MemberRates<M> | undefined;
  /** What one connection may take. @default no bounds beside the transport's */
  readonly limits?: MemberLimits | undefined;
  /** Who is in which room on this instance, as it changes. @default nobody is notified */
  readonly membership?: MembershipListener<M> | undefined;
  /** Counts what happens here. @default counted and not looked at */
  readonly counters?: RoomCounters | undefined;
  /** Notified of every fault of which a client gets the code alone. @default console.error */
  readonly onFault?: OnFault<M> | undefined;
}

/** One room of this instance, to be looked at. */
export interface RoomView<M extends Member = Member> {
  readonly name: string;
  readonly members: ReadonlySet<M>;
  /** How far its members have been served; undefined while it is opened. */
  readonly cursor: Position | undefined;
}

export interface PublishOptions {
  /** Makes a repeat within the window of ids one message. @default none: a repeat is a new message */
  readonly id?: string;
  /** Milliseconds since this id was first sent: a repeat behind the window would be another message. @default 0 */
  readonly age?: number;
  /** Who says it; ids of different senders never meet. @default 'server' */
  readonly from?: string;
}

/** The rooms of a hub, as server code uses them. */
export interface HubRooms<M extends Member = Member> {
  /**
   * Publishes on behalf of the server, with the same guarantee as a client's publish.
   * @throws RefusedError when nothing was written, UncertainError when it may have been; BodyError when the body is
   * no JSON that every client can be given, TypeError when a name is none
   */
  publish(room: string, body: unknown, options?: PublishOptions): Promise<Position>;
  /**
   * The same of a body that is JSON text of one line and was looked at already: `bodyInRequest`. Its numbers keep all
   * of their digits.
   */
  publishJson(room: string, json: string, options?: PublishOptions): Promise<Position>;
  /**
   * Publishes what a precondition evaluates to, in the same step in which it does: for server code whose own state and
   * messages must never differ. Such messages are not handed to the write-through.
   *
   * @param message.newRoom what the sender may do in a room that nothing is kept of yet. @default whatever it likes
   * @throws as `publish`, and NewRoomError; after an `UncertainError` the precondition's state tells whether it was
   */
  publishIf(
    room: string,
    message: { readonly id: string; readonly from: string; readonly newRoom?: NewRoom | undefined },
    precondition: Precondition,
  ): Promise<Position | Rejected>;
  /**
   * Sends an ephemeral event, such as who is typing, to the members on all instances: at most once, and not kept.
   * While Redis is away it reaches the members on this instance. @param except the id of a member that does not get it
   */
  broadcast(room: string, event: string, payload: unknown, except?: string): void;
  /**
   * Emits any event with any arguments to the members on all instances, behind all that they were sent before: at most
   * once, and not kept. While Redis is away it reaches the members on this instance.
   *
   * @param except the id of a member that does not get it
   * @throws TypeError for a name that belongs to the transports, BodyError for arguments that are nested too deep
   */
  emit(room: string, event: string, args: readonly unknown[], except?: string): void;
  /** The room's members on this instance. */
  membersHere(room: string): ReadonlySet<M>;
  /**
   * Ends a subject's membership on all instances, at once. `authorize` must say no from now on, or it comes
   * back; and should this not reach an instance, its next look at all members does.
   */
  expel(room: string, subject: string): void;
  /** The same on this instance alone, for callers that every instance has. */
  expelHere(room: string, subjects: ReadonlySet<string>): void;
  /** The rooms that are open on this instance now. */
  view(): Iterable<RoomView<M>>;
  /** Is this member, of this instance, in the room? */
  isMember(member: M, room: string): boolean;
  close(): void;
}

/** The same as a transport uses them. */
export interface ServedRooms<M extends Member> extends HubRooms<M> {
  /** What members may ask: `join`, `leave` and `publish`. */
  readonly handlers: ReadonlyMap<string, Handler<M>>;
  /**
   * Joins as the method does, for who reads the page itself: a member once there is no more of it.
   * @throws RpcError
   */
  read(member: M, request: { readonly room: string; readonly since?: Position | undefined }): Promise<Page>;
  leave(member: M, room: string): Promise<void>;
  /** Milliseconds for which a repeated id is answered with the first one's position. */
  readonly idWindowMs: number;
  /** The member's connection has ended: it is in no room any more. */
  forget(member: M): void;
}

/** Opens the rooms of a hub on this instance, for members of any transport. */
export function openRooms<M extends Member>(options: HubRoomsOptions<M>): ServedRooms<M> {
  const { counters = createRoomCounters() } = options;
  const { rooms, methods, log, broker, enforcement } = build(options, counters);
  const publishJson: HubRooms['publishJson'] = (room, text, said) => append(methods, room, text, said);
  return {
    publish: async (room, body, said) =>
      append(methods, room, bodyOf(body, Number.POSITIVE_INFINITY), said, () => body),
    publishJson,
    publishIf: async (room, { id, from, newRoom }, precondition) => {
      assertName('room', room, longestRoom);
      const request = { room, beforeBody: messageBeforeBody(id, from, Date.now()), newRoom };
      return countAppend(counters, () => log.appendIf(request, precondition));
    },
    broadcast: (room, event, payload, except) =>
      broker.broadcast(room, { kind: 'event', event, payload, ...(except !== undefined && { except }) }),
    emit: (room, event, args, except) => {
      assertEventName(event);
      const { values, attachments } = detach(args);
      const inBase64 = attachments.map((bytes) => bytes.toString('base64'));
      broker.broadcast(room, {
        ...{ kind: 'emit', event, args: values },
        ...(inBase64.length > 0 && { attachments: inBase64 }),
        ...(except !== undefined && { except }),
      });
    },
    membersHere: (room) => rooms.find(room)?.members ?? new Set(),
    expel: (room, subject) => broker.broadcast(room, { kind: 'expel', subject }),
    expelHere: (name, subjects) => {
      const room = rooms.find(name);
      if (room) enforcement.expel(room, subjects);
    },
    view: () => rooms.all(),
    isMember: (member, room) => rooms.has(member, room),
    handlers: handlersOf(methods, counters, options.onFault ?? ((fault) => console.error(fault))),
    read: (member, request) => methods.read(member, request),
    leave: async (member, room) => void (await methods.leave(member, { room })),
    idWindowMs: log.idWindowMs,
    forget: (member) => rooms.forget(member),
    close: () => {
      enforcement.close();
      rooms.close();
    },
  };
}

function build<M extends Member>(options: HubRoomsOptions<M>, counters: RoomCounters) {
  const { hub, store, acks = 'primary', rates } = options;
  const { log, broker } = store.open({ hub, acks });
  const context: RoomContext<M> = {
    log,
    broker,
    counters,
    onBroadcast: (room, broadcast) => {
      if (broadcast.kind === 'expel') enforcement.expel(room, new Set([broadcast.subject]));
      if (broadcast.kind === 'event')
        offerTo(without(room.members, broadcast.except), (format) =>
          format.event(broadcast.event, broadcast.payload),
        );
      if (broadcast.kind === 'emit') {
        const { event, args, attachments = [], except } = broadcast;
        const whole = attach(
          args,
          attachments.map((text) => Buffer.from(text, 'base64')),
        );
        deliverTo(without(room.members, except), (format) => format.event(event, ...whole));
      }
    },
  };
  const rooms = new Rooms<M>(context, options.membership, rates);
  const authorize: Authorize<M> = options.authorize ?? (() => ({}));
  const reviewEveryMs = options.reauthorizeEveryMs ?? 60_000;
  const enforcement = new MembershipEnforcement({ rooms, authorize, reviewEveryMs });
  const methods = new RoomMethods({
    log,
    rooms,
    authorize,
    counters,
    writeThrough: options.writeThrough,
    onAppended: options.onAppended,
    rates,
    limits: options.limits ?? { rooms: Number.POSITIVE_INFINITY, bodyBytes: Number.POSITIVE_INFINITY },
  });
  return { rooms, methods, log, broker, enforcement };
}

/** @param id of a member that is left out. @default none is */
function without<M extends Member>(members: ReadonlySet<M>, id: string | undefined): Iterable<M> {
  return id === undefined ? members : [...members].filter((member) => member.id !== id);
}

function handlersOf<M extends Member>(
  methods: RoomMethods<M>,
  counters: RoomCounters,
  onFault: OnFault<M>,
): ReadonlyMap<string, Handler<M>> {
  const join = createHandler<typeof joinRequest, M>({
    schema: joinRequest,
    recognize: plainJoin,
    method: (member, request) => methods.join(member, request),
    onFault,
  });
  const leave = createHandler<typeof leaveRequest, M>({
    schema: leaveRequest,
    method: (member, request) => methods.leave(member, request),
    onFault,
  });
  const publish = createHandler<typeof publishRequest, M>({
    schema: publishRequest,
    recognize: plainPublish,
    method: (member, request, text) => methods.publish(member, request, text),
    onFault,
    onRefusal: (code) => countRefusal(counters, code),
  });
  return new Map([
    ['join', join],
    ['leave', leave],
    ['publish', publish],
  ]);
}

/** What the reply alone says; the rest is counted where it is appended, for server code too. */
function countRefusal({ publishes }: RoomCounters, code: ErrorCode): void {
  if (code === 'refused' || code === 'uncertain' || code === 'unavailable') return;
  publishes[code] += 1;
}

async function append<M extends Member>(
  methods: RoomMethods<M>,
  room: string,
  text: string,
  { id, age, from = 'server' }: PublishOptions = {},
  body: () => unknown = () => JSON.parse(text),
): Promise<Position> {
  assertName('room', room, longestRoom);
  assertName('from', from, longestSubject);
  if (id !== undefined) assertName('id', id, longestId);
  return methods.append({ room, id, age, subject: from, text }, body);
}

/** @throws TypeError */
export function assertEventName(event: string): void {
  if (!isEventName(event))
    throw new TypeError(`an event must not have a name of the transports, got: ${event}`);
}

/** @throws TypeError */
function assertName(what: string, name: string, longest: number): void {
  if (isName(name, longest)) return;
  throw new TypeError(
    `${what} must have 1–${longest} characters and ${nameRule}, got: ${JSON.stringify(name)}`,
  );
}
